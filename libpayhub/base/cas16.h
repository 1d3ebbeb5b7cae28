/*
 * cas16.h - two 64-bit words that change together, by compare-and-swap.
 *
 * The words lie in memory that processes share: the exchange is the CPU's
 * (cmpxchg16b; casp or ldxp and stxp), never a library's lock, which would be
 * one a process.  gcc's __atomic form calls libatomic; its __sync form does
 * not, and the attribute spares a compiler flag.  ThreadSanitizer puts such a
 * lock in its place: in its builds only threads may share the words.
 */
#ifndef PH_BASE_CAS16_H
#define PH_BASE_CAS16_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#define PH_CAS16_TARGET __attribute__((target("cx16")))
#elif defined(__aarch64__)
#define PH_CAS16_TARGET
#else
_Static_assert(0, "found another CPU than x86-64 and aarch64, expected one "
                  "whose 16-byte compare-and-swap is written here");
#endif

struct ph_cas16 {
    uint64_t lo, hi;
} __attribute__((aligned(16)));

__extension__ typedef unsigned __int128 ph_cas16_bits
    __attribute__((may_alias));

/* Sets *at to `next` and is true when it held `old`; a full barrier. */
PH_CAS16_TARGET static inline bool
ph_cas16(struct ph_cas16 *at, struct ph_cas16 old, struct ph_cas16 next)
{
#if defined(__x86_64__) && defined(__clang__)                                  \
    && !defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
    /* clang looks at its flags alone, and would call a library's function */
    bool is_done;

    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(is_done), "+m"(*at), "+a"(old.lo), "+d"(old.hi)
                     : "b"(next.lo), "c"(next.hi)
                     : "memory");
    return is_done;
#else
    return __sync_bool_compare_and_swap(
        (ph_cas16_bits *) at, (ph_cas16_bits) old.hi << 64 | old.lo,
        (ph_cas16_bits) next.hi << 64 | next.lo);
#endif
}

/*
 * The two words one after the other, hi first: lo may be of a later moment.
 * Good as the `old` of ph_cas16(), which fails then; not good to judge by, but
 * where hi never comes back under another lo and is exchanged or looked at
 * again behind it.
 */
static inline struct ph_cas16
ph_cas16_guess(const struct ph_cas16 *at)
{
    struct ph_cas16 seen;

    seen.hi = __atomic_load_n(&at->hi, __ATOMIC_ACQUIRE);
    seen.lo = __atomic_load_n(&at->lo, __ATOMIC_ACQUIRE);
    return seen;
}

/*
 * Both words of one moment.  x86 CPUs with AVX promise that an aligned 16-byte
 * load is one access (Intel SDM 3A 9.1.1, AMD APM 2 7.3.2); on others a
 * compare-and-swap that changes nothing reads them, and takes the line.
 */
static inline struct ph_cas16
ph_cas16_load(struct ph_cas16 *at)
{
    struct ph_cas16 seen;

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    if (__builtin_cpu_supports("avx")) {
        __typeof__(long long __attribute__((vector_size(16)))) both;

        __asm__ volatile("movdqa %1, %0" : "=x"(both) : "m"(*at) : "memory");
        seen.lo = (uint64_t) both[0];
        seen.hi = (uint64_t) both[1];
        return seen;
    }
#endif
    do {
        seen = ph_cas16_guess(at);
    } while (!ph_cas16(at, seen, seen));
    return seen;
}

#endif

/*
 * siphash.c - Aumasson and Bernstein's SipHash-2-4, the 128-bit form.
 */
#include "libpayhub/base/siphash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
sip_left(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

/* eight bytes, least significant first */
static inline uint64_t
sip_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline void
sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = sip_left(s->v1, 13) ^ s->v0;
    s->v3 = sip_left(s->v3, 16) ^ s->v2;
    s->v0 = sip_left(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = sip_left(s->v3, 21) ^ s->v0;
    s->v1 = sip_left(s->v1, 17) ^ s->v2;
    s->v2 = sip_left(s->v2, 32);
}

static inline void
sip_take(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t
sip_give(struct sip *s)
{
    for (int i = 0; i < 4; i++) {
        sip_round(s);
    }
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* the last 0 to 7 bytes, and the whole length in the top byte */
static inline uint64_t
sip_tail(const uint8_t *bytes, size_t left, size_t len)
{
    uint64_t word = (uint64_t) len << 56;

    if (left == 0) {
        return word;
    }
    if (len >= 8) { /* the end of the last eight bytes */
        return word | sip_word(bytes + left - 8) >> (64 - 8 * left);
    }
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t) bytes[i] << 8 * i;
    }
    return word;
}

struct ph_hash128
ph_siphash(const uint8_t key[PH_SIPHASH_KEY_LEN], struct ph_str bytes)
{
    uint64_t       k0   = sip_word(key);
    uint64_t       k1   = sip_word(key + 8);
    const uint8_t *at   = (const uint8_t *) bytes.ptr;
    size_t         left = bytes.len;
    struct sip     s    = { k0 ^ UINT64_C(0x736f6d6570736575),
                            k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
                            k0 ^ UINT64_C(0x6c7967656e657261),
                            k1 ^ UINT64_C(0x7465646279746573) };

    for (; left >= 8; left -= 8, at += 8) {
        sip_take(&s, sip_word(at));
    }
    sip_take(&s, sip_tail(at, left, bytes.len));
    s.v2 ^= 0xee;

    struct ph_hash128 hash;
    hash.lo = sip_give(&s);
    s.v1 ^= 0xdd;
    hash.hi = sip_give(&s);
    return hash;
}

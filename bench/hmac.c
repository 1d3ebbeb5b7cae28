/*
 * hmac.c - what one signature check costs: a message of 342 bytes under a key
 * that is kept (ph_hmac), against OpenSSL's one-shot HMAC() that keys anew.
 *
 * Both run in turns within one process, so that a slow moment slows both; each
 * figure is CPU time, the median of ROUNDS.  Prints "NAME VALUE UNIT" lines.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "libpayhub/wire/digest.h"

#define ROUNDS 5
#define CHECKS 100000
#define PREFIX_LEN 92
#define BODY_LEN 250

struct bench {
    struct ph_hmac *mac;
    const EVP_MD   *sha256;
    struct ph_str   key;
    char            message[PREFIX_LEN + BODY_LEN];
    uint8_t         want[PH_SHA256_LEN];
    unsigned        right; /* signatures that were found right */
};

static struct ph_str
bench_bytes(const uint8_t *bytes)
{
    return ph_str_make((const char *) bytes, PH_SHA256_LEN);
}

static bool
check_kept(struct bench *bench)
{
    uint8_t sum[PH_SHA256_LEN];

    return ph_hmac_begin(bench->mac)
           && ph_hmac_add(bench->mac, ph_str_make(bench->message, PREFIX_LEN))
           && ph_hmac_add(bench->mac,
                          ph_str_make(bench->message + PREFIX_LEN, BODY_LEN))
           && ph_hmac_end(bench->mac, sum)
           && ph_same_secret(bench_bytes(sum), bench_bytes(bench->want));
}

static bool
check_once(struct bench *bench)
{
    uint8_t sum[PH_SHA256_LEN];

    return HMAC(bench->sha256, bench->key.ptr, (int) bench->key.len,
                (const unsigned char *) bench->message, sizeof(bench->message),
                sum, NULL)
               != NULL
           && ph_same_secret(bench_bytes(sum), bench_bytes(bench->want));
}

/* CPU time of this process: what other processes take does not count */
static uint64_t
cpu_ns(void)
{
    struct timespec now = { 0, 0 };

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static uint64_t
round_ns(struct bench *bench, bool (*check)(struct bench *bench))
{
    uint64_t begin = cpu_ns();

    for (unsigned i = 0; i < CHECKS; i++) {
        bench->right += check(bench);
    }
    return (cpu_ns() - begin) / CHECKS;
}

static int
ns_cmp(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static uint64_t
median(uint64_t *ns)
{
    qsort(ns, ROUNDS, sizeof(ns[0]), ns_cmp);
    return ns[ROUNDS / 2];
}

int
main(void)
{
    uint64_t     kept[ROUNDS], once[ROUNDS];
    struct bench bench
        = { .key = PH_STR("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG") };

    memset(bench.message, 'x', sizeof(bench.message));
    struct ph_str whole = ph_str_make(bench.message, sizeof(bench.message));

    if (!ph_digest_init() || !ph_hmac_once(bench.key, &whole, 1, bench.want)) {
        (void) fprintf(stderr, "hmac: OpenSSL gives no HMAC-SHA256\n");
        return 1;
    }
    bench.mac    = ph_hmac_new(bench.key);
    bench.sha256 = EVP_sha256();
    for (unsigned i = 0; bench.mac != NULL && i < ROUNDS; i++) {
        kept[i] = round_ns(&bench, check_kept);
        once[i] = round_ns(&bench, check_once);
    }
    ph_hmac_free(bench.mac);
    ph_digest_deinit();
    if (bench.right != 2u * ROUNDS * CHECKS) {
        (void) fprintf(stderr, "hmac: a right signature was refused\n");
        return 1;
    }
    (void) printf("hmac.ns %llu ns\n", (unsigned long long) median(kept));
    (void) printf("hmac.once_ns %llu ns\n", (unsigned long long) median(once));
    return 0;
}

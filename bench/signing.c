/*
 * signing.c - what signing one request costs the worker's loop: on the loop, as
 * it is done, beside a pool of one thread that is handed the text and hands
 * the signature back.
 *
 * A payment through Alipay or WeChat Pay signs once (create) and verifies twice
 * (answer and notice).  Both ways run in turns within one process; loop figures
 * are CPU time of the thread with the loop, the median of ROUNDS rounds.  The
 * pool's `late` is wall time from hand-over to the turn that has the signature,
 * with one at a time.  Prints "NAME VALUE UNIT" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/rsa.h"

#define ROUNDS 5
#define SIGNS 400 /* of a round */
#define TEXT_LEN 700
#define KEY_MAX 8192
#define KEYS "t/data/vectors/keys/alipay/"
#define PAYMENTS_PER_S 500

static struct ph_private_key *own;
static struct ph_public_key  *theirs;
static char                   text_memory[TEXT_LEN];
static char                   signature_memory[PH_RSA_LEN_MAX];
static struct ph_buf          signature;

static uint64_t
clock_ns(clockid_t id)
{
    struct timespec at;

    (void) clock_gettime(id, &at);
    return (uint64_t) at.tv_sec * 1000000000u + (uint64_t) at.tv_nsec;
}

static void
die(const char *what)
{
    (void) fprintf(stderr, "signing: %s\n", what);
    exit(1);
}

static struct ph_str
file_read(const char *path, char memory[KEY_MAX])
{
    FILE  *file = fopen(path, "r");
    size_t len  = file != NULL ? fread(memory, 1, KEY_MAX, file) : 0;

    if (file == NULL || len == 0) {
        die(path);
    }
    (void) fclose(file);
    return ph_str_make(memory, len);
}

static void
sign(void)
{
    const struct ph_str text = ph_str_make(text_memory, sizeof(text_memory));

    ph_buf_init(&signature, signature_memory, sizeof(signature_memory));
    if (!ph_private_sign(own, PH_RSA_SHA256, &text, 1, &signature)) {
        die("found no signature");
    }
}

static void
check(void)
{
    const struct ph_str text = ph_str_make(text_memory, sizeof(text_memory));

    if (ph_public_check(theirs, PH_RSA_SHA256, &text, 1, ph_buf_str(&signature))
        != PH_OK)
    {
        die("found a signature that is none");
    }
}

/* ---- the pool ---- */

static unsigned left;
static uint64_t handed_ns, late_ns;

static void
pool_work(uv_work_t *work)
{
    (void) work;
    sign();
}

static void
pool_done(uv_work_t *work, int status)
{
    if (status != 0) {
        die("found a pool that does not work");
    }
    late_ns += clock_ns(CLOCK_MONOTONIC) - handed_ns;
    if (--left != 0) {
        handed_ns = clock_ns(CLOCK_MONOTONIC);
        (void) uv_queue_work(work->loop, work, pool_work, pool_done);
    }
}

/* ---- rounds ---- */

enum { LOOP, CHECK, POOL, LATE, FIGURES };

static void
round_take(double us[FIGURES])
{
    uint64_t  from = clock_ns(CLOCK_THREAD_CPUTIME_ID), at;
    uv_work_t work;

    for (unsigned i = 0; i < SIGNS; i++) {
        sign();
    }
    at       = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    us[LOOP] = (double) (at - from) / 1e3 / SIGNS;
    for (unsigned i = 0; i < SIGNS; i++) {
        check();
    }
    from      = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    us[CHECK] = (double) (from - at) / 1e3 / SIGNS;
    left      = SIGNS;
    late_ns   = 0;
    handed_ns = clock_ns(CLOCK_MONOTONIC);
    if (uv_queue_work(uv_default_loop(), &work, pool_work, pool_done) != 0) {
        die("found no pool");
    }
    (void) uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    at       = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    us[POOL] = (double) (at - from) / 1e3 / SIGNS;
    us[LATE] = (double) late_ns / 1e3 / SIGNS;
}

static int
compare(const void *a, const void *b)
{
    const double one = *(const double *) a, other = *(const double *) b;

    return one < other ? -1 : one > other;
}

static double
median(double rounds[ROUNDS][FIGURES], unsigned figure)
{
    double list[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        list[i] = rounds[i][figure];
    }
    qsort(list, ROUNDS, sizeof(list[0]), compare);
    return list[ROUNDS / 2];
}

int
main(void)
{
    static char memory[KEY_MAX];
    double      rounds[ROUNDS][FIGURES];

    (void) setenv("UV_THREADPOOL_SIZE", "1", 1);
    memset(text_memory, 'x', sizeof(text_memory));
    if (!ph_digest_init()) {
        die("found no digests");
    }
    if (ph_private_key_new(&own, file_read(KEYS "app_pkcs8.pem", memory))
            != PH_OK
        || ph_public_key_new(&theirs, file_read(KEYS "app_public.pem", memory))
               != PH_OK)
    {
        die("found keys that cannot be read");
    }
    sign();
    for (unsigned i = 0; i < ROUNDS; i++) {
        round_take(rounds[i]);
    }
    const double loop = median(rounds, LOOP), one_check = median(rounds, CHECK);
    const double pool = median(rounds, POOL);

    (void) printf("signing.loop_us %.1f us\n", loop);
    (void) printf("signing.check_us %.1f us\n", one_check);
    (void) printf("signing.pool_us %.1f us\n", pool);
    (void) printf("signing.pool_late_us %.1f us\n", median(rounds, LATE));
    (void) printf("signing.share_500 %.1f %%\n",
                  PAYMENTS_PER_S * (loop + 2 * one_check) / 1e4);
    (void) printf("signing.pool_share_500 %.1f %%\n",
                  PAYMENTS_PER_S * (pool + 2 * one_check) / 1e4);
    ph_private_key_free(own);
    ph_public_key_free(theirs);
    ph_digest_deinit();
    (void) uv_loop_close(uv_default_loop());
    return 0;
}

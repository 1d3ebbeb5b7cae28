/*
 * bucket.c - what one decision of a token bucket costs: in the shared table, as
 * a request with one limit uses it (clock read and key hash outside), by one
 * thread and by two on one key, and the whole limit step of a request with two
 * limits: one clock read, two hashes, both checked, both taken.
 *
 *   usage: bucket one | two | clock | request    prints ns of CPU time
 *
 * `clock` is `one` with a clock read for each decision.
 *
 * scripts/bench.d/bucket runs it in turns with Guava's RateLimiter.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libpayhub/domain/limit_table.h"

#define TABLE_SIZE (1 << 20)
#define DECISIONS 5000000
#define REQUESTS 2000000
#define THREADS 2

struct bench {
    struct ph_limit_table *tables[2];
    struct ph_hash128      key;
    pthread_barrier_t      gate;
    uint64_t               granted[THREADS];
};

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now = { 0, 0 };

    (void) clock_gettime(clock, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void
bench_begin(struct bench *bench)
{
    static const uint8_t        secret[PH_SIPHASH_KEY_LEN] = { 1 };
    const struct ph_hash128     all                        = { 0, 0 };
    const struct ph_bucket_spec spec
        = { .rate = { 1000000000, 1000000000 }, .burst_ns = 1000000000 };

    for (size_t i = 0; i < PH_COUNT(bench->tables); i++) {
        void *memory = aligned_alloc(64, TABLE_SIZE);

        if (memory == NULL) {
            exit(1);
        }
        memset(memory, 0, TABLE_SIZE);
        bench->tables[i]
            = ph_limit_table_make(memory, TABLE_SIZE, PH_BUCKET_BURSTY, secret);
        if (bench->tables[i] == NULL
            || ph_limit_set(bench->tables[i], all, &spec, 0, 1) != PH_OK)
        {
            exit(1);
        }
    }
    bench->key = ph_limit_hash(bench->tables[0], PH_STR("app-0001"));
}

/* All are granted, as Guava's are: each is a whole exchange. */
static uint64_t
decide(struct bench *bench, uint32_t shard, bool has_clock)
{
    struct ph_limit_ask ask     = { .key    = bench->key,
                                    .cost   = 1,
                                    .now_ns = UINT64_C(1000000000000),
                                    .now_s  = 1,
                                    .shard  = shard };
    uint64_t            granted = 0;

    for (unsigned i = 0; i < DECISIONS; i++) {
        struct ph_bucket_answer answer;

        ask.now_ns = has_clock ? clock_ns(CLOCK_MONOTONIC) : ask.now_ns + 10;
        granted += ph_limit_take(bench->tables[0], &ask, &answer)
                   == PH_LIMIT_GRANTED;
    }
    return granted;
}

static void *
thread_main(void *context)
{
    static uint32_t shards;
    struct bench   *bench = context;
    uint32_t        shard = __atomic_fetch_add(&shards, 1, __ATOMIC_RELAXED);

    cpu_set_t core;

    CPU_ZERO(&core);
    CPU_SET(shard % THREADS, &core);
    (void) pthread_setaffinity_np(pthread_self(), sizeof(core), &core);
    (void) pthread_barrier_wait(&bench->gate);
    bench->granted[shard % THREADS] = decide(bench, shard, false);
    return NULL;
}

static double
two_threads(struct bench *bench)
{
    pthread_t threads[THREADS];

    (void) pthread_barrier_init(&bench->gate, NULL, THREADS);
    uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, thread_main, bench) != 0) {
            exit(1);
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        (void) pthread_join(threads[i], NULL);
    }
    return (double) (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin)
           / (THREADS * (double) DECISIONS);
}

static double
one_thread(struct bench *bench, bool has_clock)
{
    uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    bench->granted[0] = decide(bench, 0, has_clock);
    return (double) (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) / DECISIONS;
}

/* An address and an app, as the edge does it. */
static double
requests(struct bench *bench)
{
    uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    for (unsigned i = 0; i < REQUESTS; i++) {
        struct ph_bucket_answer answer;
        struct ph_limit_ask     asks[2];
        uint64_t                now = clock_ns(CLOCK_MONOTONIC);
        struct ph_str keys[2] = { PH_STR("203.0.113.77"), PH_STR("app-0001") };
        bool          is_free = true;

        for (size_t k = 0; k < 2; k++) {
            asks[k] = (struct ph_limit_ask){
                .key    = ph_limit_hash(bench->tables[k], keys[k]),
                .cost   = 1,
                .now_ns = now,
                .now_s  = 1,
            };
            is_free &= ph_limit_peek(bench->tables[k], &asks[k], &answer)
                       == PH_LIMIT_GRANTED;
        }
        for (size_t k = 0; k < 2 && is_free; k++) {
            bench->granted[0]
                += ph_limit_take(bench->tables[k], &asks[k], &answer)
                   == PH_LIMIT_GRANTED;
        }
    }
    return (double) (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) / REQUESTS;
}

int
main(int argc, char **argv)
{
    static struct bench bench;
    const char         *what = argc == 2 ? argv[1] : "";
    double              ns;

    bench_begin(&bench);
    if (strcmp(what, "one") == 0) {
        ns = one_thread(&bench, false);
    } else if (strcmp(what, "clock") == 0) {
        ns = one_thread(&bench, true);
    } else if (strcmp(what, "two") == 0) {
        ns = two_threads(&bench);
    } else if (strcmp(what, "request") == 0) {
        ns = requests(&bench);
    } else {
        (void) fputs("usage: bucket one | two | clock | request\n", stderr);
        return 2;
    }
    printf("%.2f\n", ns);
    return bench.granted[0] + bench.granted[1] > 0 ? 0 : 1;
}

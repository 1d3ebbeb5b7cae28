/*
 * driver.c - random traces through the limit table, one line a happening, for
 * models that judge each answer (guava/, bucket_model.py):
 *
 *   T KIND TOKENS PER_NS BURST_TOKENS BURST_NS WARMUP_NS   a new bucket
 *   A NOW_NS COST WAIT_MAX_NS GRANTED WAIT_NS               a request
 *   R NOW_NS TOKENS PER_NS                                  another rate
 *
 *   usage: driver SEED TRACES STEPS us|ns [FAULT]
 * us: every time is whole microseconds, as Guava's are, and a burst is a time.
 * FAULT rate: the table's rate is a little off; change: it is told of no other
 * rate; both are for models to find.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libpayhub/domain/limit_table.h"

#define TABLE_SIZE 65536
#define S UINT64_C(1000000000)

/* clang-format off */
static const struct ph_rate rates[] = {
    { 1, S }, { 3, S }, { 7, 60 * S }, { 3333, 10 * S }, { 1000, S },
    { 33333, S }, { 1000000, S }, { 1, 3600 * S }, { 10, S },
    { 997, S }, { 123457, 60 * S },
};
/* clang-format on */

struct trace {
    struct ph_bucket_spec  spec;
    struct ph_limit_table *table;
    struct ph_hash128      key;
    uint64_t               now_ns, interval_ns, grain_ns;
    const char            *fault;
};

static uint64_t seed;

/* xorshift64* */
static uint64_t
next_random(uint64_t below)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (seed * UINT64_C(2685821657736338717) >> 11) % below;
}

/* 0 .. about `most`, small ones as likely as large ones */
static uint64_t
random_size(uint64_t most)
{
    uint64_t top = 1;

    for (uint64_t bits = next_random(64); bits > 0 && top < most; bits--) {
        top *= 2;
    }
    return next_random(top < most ? top + 1 : most + 1);
}

static void
trace_settings(struct trace *trace, uint64_t at_ns)
{
    struct ph_bucket_spec spec = trace->spec;
    struct ph_hash128     all  = { 0, 0 };

    if (trace->fault != NULL && strcmp(trace->fault, "rate") == 0) {
        spec.rate.tokens *= 5001;
        spec.rate.per_ns *= 5000;
        while (spec.rate.per_ns > PH_RATE_PER_NS_MAX) {
            spec.rate.tokens /= 2;
            spec.rate.per_ns /= 2;
        }
    }
    if (ph_limit_set(trace->table, all, &spec, 0, at_ns) != PH_OK) {
        fputs("driver: the settings were refused\n", stderr);
        exit(2);
    }
}

static void
trace_begin(struct trace *trace, void *memory, bool in_us)
{
    static const uint8_t   secret[PH_SIPHASH_KEY_LEN];
    struct ph_bucket_spec *spec = &trace->spec;

    *spec = (struct ph_bucket_spec){
        .kind = next_random(2) == 0 ? PH_BUCKET_BURSTY : PH_BUCKET_WARMUP,
        .rate = rates[next_random(PH_COUNT(rates))],
    };
    trace->grain_ns    = in_us ? 1000 : 1;
    trace->interval_ns = spec->rate.per_ns / spec->rate.tokens;
    if (spec->kind == PH_BUCKET_WARMUP) {
        spec->warmup_ns = (1 + next_random(1 + random_size(200000000))) * 1000;
    } else if (in_us || next_random(2) == 0) {
        spec->burst_ns
            = next_random(4) == 0
                  ? S
                  : random_size(20 * trace->interval_ns) / 1000 * 1000;
    } else {
        spec->burst_tokens = 1 + random_size(1000);
    }
    memset(memory, 0, TABLE_SIZE);
    trace->table = ph_limit_table_make(memory, TABLE_SIZE, spec->kind, secret);
    trace->key   = ph_limit_hash(trace->table, PH_STR("a key"));
    /* so late that Guava's, which begins empty, is full as well */
    trace->now_ns = 200000 * S + next_random(S) / 1000 * 1000;
    trace_settings(trace, 1);
    printf("T %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
           (int) spec->kind, spec->rate.tokens, spec->rate.per_ns,
           spec->burst_tokens, spec->burst_ns, spec->warmup_ns);
}

static void
trace_ask(struct trace *trace)
{
    struct ph_bucket_answer answer;
    struct ph_limit_ask     ask = {
            .key    = trace->key,
            .cost   = next_random(4) != 0 ? 1 : 1 + random_size(200),
            .now_ns = trace->now_ns,
            .now_s  = 1,
    };
    if (next_random(3) == 0) {
        ask.wait_max_ns = random_size(8 * trace->interval_ns) / trace->grain_ns
                          * trace->grain_ns;
    }
    enum ph_limit_verdict verdict = ph_limit_take(trace->table, &ask, &answer);
    printf("A %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %" PRIu64 "\n", ask.now_ns,
           ask.cost, ask.wait_max_ns, verdict == PH_LIMIT_GRANTED,
           answer.wait_ns);
    /* often just when the next token is due */
    if (verdict != PH_LIMIT_GRANTED && next_random(3) == 0) {
        trace->now_ns += (answer.wait_ns + trace->grain_ns - 1)
                         / trace->grain_ns * trace->grain_ns;
    }
}

static void
trace_change(struct trace *trace)
{
    struct ph_rate was = trace->spec.rate;

    trace->spec.rate.tokens = was.tokens + random_size(3 * was.tokens);
    if (next_random(2) == 0 && was.per_ns * 3 < PH_RATE_PER_NS_MAX) {
        trace->spec.rate        = was;
        trace->spec.rate.per_ns = was.per_ns * (2 + next_random(2));
    }
    if (trace->spec.rate.tokens > trace->spec.rate.per_ns) {
        trace->spec.rate = was;
        return;
    }
    trace->interval_ns = trace->spec.rate.per_ns / trace->spec.rate.tokens;
    if (trace->fault == NULL || strcmp(trace->fault, "change") != 0) {
        trace_settings(trace, trace->now_ns);
    }
    printf("R %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", trace->now_ns,
           trace->spec.rate.tokens, trace->spec.rate.per_ns);
}

int
main(int argc, char **argv)
{
    struct trace trace = { .fault = argc > 5 ? argv[5] : NULL };

    if (argc < 5) {
        fputs("usage: driver SEED TRACES STEPS us|ns [rate|change]\n", stderr);
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10) * 2654435761 + 88172645463325252;
    uint64_t traces = strtoull(argv[2], NULL, 10);
    uint64_t steps  = strtoull(argv[3], NULL, 10);
    bool     in_us  = strcmp(argv[4], "us") == 0;
    void    *memory = aligned_alloc(64, TABLE_SIZE);

    for (uint64_t i = 0; i < traces && memory != NULL; i++) {
        bool is_changing = next_random(4) == 0;

        trace_begin(&trace, memory, in_us);
        for (uint64_t step = 0;
             step < steps && trace.now_ns < PH_BUCKET_NS_MAX / 2; step++)
        {
            trace_ask(&trace);
            if (is_changing && next_random(20) == 0) {
                trace_change(&trace);
            }
            uint64_t most = next_random(50) == 0 ? 40 : 2;
            trace.now_ns += random_size(most * trace.interval_ns)
                            / trace.grain_ns * trace.grain_ns;
        }
    }
    free(memory);
    return memory != NULL && fflush(stdout) == 0 ? 0 : 1;
}

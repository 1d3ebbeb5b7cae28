/*
 * test_bucket.c - tables of rates, refusals and decisions; the models of
 * t/differential judge long traces.
 */
#include "t/unit/support.h"

#include "libpayhub/domain/bucket.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define NOW (1000 * S)

static void
test_rate_texts(void **state)
{
    static const struct {
        const char *text;
        enum ph_rc  rc;
        uint64_t    tokens, per_ns;
    } rows[] = {
        { "100/s", PH_OK, 100, S },
        { "100", PH_OK, 100, S },
        { "7r/m", PH_OK, 7, 60 * S },
        { "1/h", PH_OK, 1, 3600 * S },
        { "1000/d", PH_OK, 1000, 86400 * S },
        { "1000000000/s", PH_OK, 1000000000, S },
        { "1000000001/s", PH_E_RANGE, 0, 0 },
        { "0/s", PH_E_RANGE, 0, 0 },
        { "18446744073709551615/d", PH_E_RANGE, 0, 0 },
        { "18446744073709551616/d", PH_E_SYNTAX, 0, 0 },
        { "", PH_E_SYNTAX, 0, 0 },
        { "/s", PH_E_SYNTAX, 0, 0 },
        { "r/s", PH_E_SYNTAX, 0, 0 },
        { "5/", PH_E_SYNTAX, 0, 0 },
        { "5/ms", PH_E_SYNTAX, 0, 0 },
        { "5/s ", PH_E_SYNTAX, 0, 0 },
        { "5.5/s", PH_E_SYNTAX, 0, 0 },
        { "-5/s", PH_E_SYNTAX, 0, 0 },
        { "05/s", PH_E_SYNTAX, 0, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_rate rate = { 0, 0 };
        enum ph_rc     rc   = ph_rate_parse(ph_str_z(rows[i].text), &rate);

        if (rc != rows[i].rc || rate.tokens != rows[i].tokens
            || rate.per_ns != rows[i].per_ns)
        {
            fail_msg("'%s': rc %d, %llu in %llu ns", rows[i].text, (int) rc,
                     (unsigned long long) rate.tokens,
                     (unsigned long long) rate.per_ns);
        }
    }
}

static void
test_rule_bounds(void **state)
{
    static const struct {
        struct ph_bucket_spec spec;
        enum ph_rc            rc;
    } rows[] = {
        { { .rate = { 1, 1 } }, PH_OK },
        { { .rate = { 0, S } }, PH_E_RANGE },
        { { .rate = { 2, 1 } }, PH_E_RANGE },
        { { .rate = { 1, PH_RATE_PER_NS_MAX } }, PH_OK },
        { { .rate = { 1, PH_RATE_PER_NS_MAX + 1 } }, PH_E_RANGE },
        { { .rate = { 1, S }, .burst_ns = PH_BUCKET_NS_MAX }, PH_OK },
        { { .rate = { 1, S }, .burst_ns = PH_BUCKET_NS_MAX + 1 }, PH_E_RANGE },
        { { .rate = { 1, 1 }, .burst_tokens = PH_BURST_TOKENS_MAX }, PH_OK },
        { { .rate = { 1, 1 }, .burst_tokens = PH_BURST_TOKENS_MAX + 1 },
          PH_E_RANGE },
        /* a million days */
        { { .rate = { 1, PH_RATE_PER_NS_MAX }, .burst_tokens = 1000000 },
          PH_E_RANGE },
        { { .kind = PH_BUCKET_WARMUP, .rate = { 1, S } }, PH_E_RANGE },
        { { .kind = PH_BUCKET_WARMUP, .rate = { 1, S }, .warmup_ns = 1000 },
          PH_OK },
        { { .kind      = PH_BUCKET_WARMUP,
            .rate      = { 1, 1 },
            .warmup_ns = PH_WARMUP_NS_MAX },
          PH_OK },
        { { .kind      = PH_BUCKET_WARMUP,
            .rate      = { 1, S },
            .warmup_ns = PH_WARMUP_NS_MAX + 1 },
          PH_E_RANGE },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_bucket_rule rule;

        assert_int_equal(ph_bucket_rule_make(&rule, &rows[i].spec), rows[i].rc);
    }
}

static void
test_times(void **state)
{
    static const struct {
        uint64_t   tokens, per_ns, burst, by, of;
        enum ph_rc rc;
        uint64_t   tokens2, per_ns2, burst2;
    } rows[] = {
        { 10, S, 20, 1, 1, PH_OK, 10, S, 20 },
        { 10, S, 20, 3000, 1000, PH_OK, 3, S / 10, 60 },
        { 10, S, 0, 1500, 1000, PH_OK, 3, S / 5, 0 },
        { 7, 3600 * S, 1, 1500, 1000, PH_OK, 7, 2400 * S, 1 },
        { 1, 3600 * S, 10, 1500, 1000, PH_OK, 1, 2400 * S, 15 },
        { 1, 86400 * S, 9, 1, 2, PH_E_RANGE, 0, 0, 0 },
        { 3, 86400 * S, 9, 1, 2, PH_OK, 1, 57600 * S, 4 },
        { 5000000000, 86400 * S, 0, 1000, 1, PH_OK, 15625, 270000, 0 },
        { 3, 3600 * S, 3, 1, 7, PH_OK, 1, 8400 * S, 1 },
        { 1, 1, 1, 2, 1, PH_E_RANGE, 0, 0, 0 },
        { 1, S, PH_BURST_TOKENS_MAX, 2, 1, PH_E_RANGE, 0, 0, 0 },
        { 1, S, 1, 0, 1, PH_E_RANGE, 0, 0, 0 },
        { 1, S, 1, 1, 0, PH_E_RANGE, 0, 0, 0 },
        { 1, S, 1, PH_BUCKET_TIMES_MAX + 1, 1, PH_E_RANGE, 0, 0, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_bucket_spec spec
            = { .rate         = { rows[i].tokens, rows[i].per_ns },
                .burst_tokens = rows[i].burst };
        enum ph_rc rc = ph_bucket_spec_times(&spec, rows[i].by, rows[i].of);

        assert_int_equal(rc, rows[i].rc);
        if (rc != PH_OK) {
            continue;
        }
        /* the same rate, in whichever numbers */
        __extension__ typedef unsigned __int128 u128;
        bool is_same = (u128) spec.rate.tokens * rows[i].per_ns2
                       == (u128) rows[i].tokens2 * spec.rate.per_ns;
        if (!is_same || spec.burst_tokens != rows[i].burst2) {
            fail_msg("row %zu: %llu in %llu ns, burst %llu", i,
                     (unsigned long long) spec.rate.tokens,
                     (unsigned long long) spec.rate.per_ns,
                     (unsigned long long) spec.burst_tokens);
        }
    }
}

/* Shares never sum up to more than the whole, nor to visibly less. */
static void
test_times_parts(void **state)
{
    uint32_t seed = 5;

    (void) state;
    for (unsigned i = 0; i < 1000; i++) {
        struct ph_bucket_spec whole
            = { .rate = { 1 + t_next(&seed) % 100000, 3600 * S } };
        uint64_t part = 1 + t_next(&seed) % 9999;
        double   sum  = 0;

        for (unsigned half = 0; half < 2; half++) {
            struct ph_bucket_spec spec = whole;
            if (ph_bucket_spec_times(&spec, half == 0 ? part : 10000 - part,
                                     10000)
                != PH_OK)
            {
                continue; /* less than one a day */
            }
            sum += (double) spec.rate.tokens / (double) spec.rate.per_ns;
        }
        double most = (double) whole.rate.tokens / (double) whole.rate.per_ns;
        assert_true(sum <= most * (1 + 1e-15));
        assert_true(sum >= most * (1 - 1e-12) - 1.0 / 86400e9);
    }
}

struct row {
    uint64_t at_ns, cost, wait_max_ns;
    bool     is_granted;
    uint64_t wait_ns, remaining;
};

static void
play(struct ph_bucket_spec spec, const struct row *rows, size_t count)
{
    struct ph_bucket_rule  rule;
    struct ph_bucket_state state = { 0, 0 };

    assert_int_equal(ph_bucket_rule_make(&rule, &spec), PH_OK);
    for (size_t i = 0; i < count; i++) {
        struct ph_bucket_answer answer;
        bool                    granted
            = ph_bucket_take(&rule, &state, rows[i].cost, NOW + rows[i].at_ns,
                             rows[i].wait_max_ns, &answer);

        if (granted != rows[i].is_granted || answer.wait_ns != rows[i].wait_ns
            || answer.remaining != rows[i].remaining)
        {
            fail_msg("row %zu: granted %d, wait %llu, remaining %llu", i,
                     granted, (unsigned long long) answer.wait_ns,
                     (unsigned long long) answer.remaining);
        }
    }
}

/* Guava's own documented behaviour: stored tokens are free, who comes next
 * pays for a large request. */
static void
test_bursty(void **state)
{
    static const struct row plain[] = {
        { 0, 1, 0, true, 0, 2 },
        { 0, 1, 0, true, 0, 1 },
        { 0, 1, 0, true, 0, 0 }, /* the one on credit */
        { 0, 1, 0, false, 100 * MS, 0 },
        { 0, 1, 99999999, false, 100 * MS, 0 },
        { 0, 1, 100 * MS, true, 100 * MS, 0 },
        { 200 * MS - 1, 1, 0, false, 1, 0 },
        { 200 * MS, 1, 0, true, 0, 0 },
        { 300 * MS, 1, 0, true, 0, 0 },
        { 10 * S, 1, 0, true, 0, 2 }, /* never more than the burst */
    };
    static const struct row large[] = {
        { 0, 5, 0, true, 0, 0 },
        { 0, 1, 0, false, 300 * MS, 0 },
        { 300 * MS, 1000, 0, true, 0, 0 },
        { 300 * MS, 1, 0, false, 100 * S, 0 },
    };

    (void) state;
    play((struct ph_bucket_spec){ .rate = { 10, S }, .burst_tokens = 2 }, plain,
         PH_COUNT(plain));
    play((struct ph_bucket_spec){ .rate = { 10, S }, .burst_ns = 200 * MS },
         plain, PH_COUNT(plain));
    play((struct ph_bucket_spec){ .rate = { 10, S }, .burst_tokens = 2 }, large,
         PH_COUNT(large));
}

/* 1/s warmed up in 4 s stores 4 tokens, of which 2 are cold: cold tokens cost
 * 2.5 and 1.5 s, areas under Guava's line from 3 down to 1 s */
static void
test_warmup(void **state)
{
    static const struct row rows[] = {
        { 0, 1, 0, true, 0, 0 },
        { 0, 1, 0, false, 2500 * MS, 0 },
        { 2500 * MS, 1, 0, true, 0, 0 },
        { 2500 * MS, 1, 0, false, 1500 * MS, 0 },
        { 4 * S, 1, 0, true, 0, 0 },
        { 4 * S, 1, S, true, S, 0 },
        { 4 * S, 1, 0, false, 2 * S, 0 },
        { 6 * S, 1, 0, true, 0, 0 },
        { 7 * S, 1, 0, true, 0, 0 },
        { 100 * S, 4, 0, true, 0, 0 }, /* all: 2.5 + 1.5 + 1 + 1 */
        { 100 * S, 1, 0, false, 6 * S, 0 },
    };

    (void) state;
    play((struct ph_bucket_spec){ .kind      = PH_BUCKET_WARMUP,
                                  .rate      = { 1, S },
                                  .warmup_ns = 4 * S },
         rows, PH_COUNT(rows));
}

/* A grant every 1/3 s for 10^7 grants: the last one is due to the ns. */
static void
test_no_drift(void **state)
{
    const struct ph_bucket_spec spec = { .rate = { 3, S }, .burst_tokens = 1 };
    struct ph_bucket_rule       rule;
    struct ph_bucket_state      bucket = { 0, 0 };
    struct ph_bucket_answer     answer;
    const uint64_t              grants = 10000000;

    (void) state;
    assert_int_equal(ph_bucket_rule_make(&rule, &spec), PH_OK);
    assert_true(ph_bucket_take(&rule, &bucket, 2, NOW, 0, &answer));
    for (uint64_t i = 1; i < grants; i++) {
        uint64_t at = NOW + (i * S + 2) / 3; /* the first whole ns */

        assert_true(ph_bucket_take(&rule, &bucket, 1, at, 0, &answer));
    }
    uint64_t due = NOW + grants * S / 3;
    assert_false(ph_bucket_take(&rule, &bucket, 1, due - 2, 0, &answer));
    assert_in_range(answer.wait_ns, 1, 3);
}

static void
test_give_and_full(void **state)
{
    const struct ph_bucket_spec specs[] = {
        { .rate = { 7, 60 * S }, .burst_tokens = 20 },
        { .kind      = PH_BUCKET_WARMUP,
          .rate      = { 7, 60 * S },
          .warmup_ns = 99 * S },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(specs); i++) {
        struct ph_bucket_rule   rule;
        struct ph_bucket_state  bucket = { 0, 0 };
        struct ph_bucket_answer answer;

        assert_int_equal(ph_bucket_rule_make(&rule, &specs[i]), PH_OK);
        assert_true(ph_bucket_is_full(&rule, bucket, 0));
        assert_true(ph_bucket_take(&rule, &bucket, 3, NOW, 0, &answer));
        assert_false(ph_bucket_is_full(&rule, bucket, NOW));
        assert_false(
            ph_bucket_is_full(&rule, bucket, NOW + answer.full_ns - 2));
        assert_true(ph_bucket_is_full(&rule, bucket, NOW + answer.full_ns + 2));
        ph_bucket_give(&rule, &bucket, 3);
        assert_true(ph_bucket_is_full(&rule, bucket, NOW + 1));
    }
}

/* far out: nothing wraps round */
static void
test_ends_of_time(void **state)
{
    static const struct ph_bucket_spec specs[] = {
        { .rate = { 1, PH_RATE_PER_NS_MAX }, .burst_ns = PH_BUCKET_NS_MAX },
        { .rate = { 1, 1 } },
        { .kind      = PH_BUCKET_WARMUP,
          .rate      = { 1, PH_RATE_PER_NS_MAX },
          .warmup_ns = PH_WARMUP_NS_MIN },
        { .kind      = PH_BUCKET_WARMUP,
          .rate      = { 1, 1 },
          .warmup_ns = PH_WARMUP_NS_MAX },
    };
    static const uint64_t times[] = { 0, 1, PH_BUCKET_NS_MAX, UINT64_MAX };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(specs) * PH_COUNT(times); i++) {
        struct ph_bucket_rule   rule;
        struct ph_bucket_state  bucket = { 0, 0 };
        struct ph_bucket_answer answer;
        uint64_t                now = times[i % PH_COUNT(times)];

        assert_int_equal(
            ph_bucket_rule_make(&rule, &specs[i / PH_COUNT(times)]), PH_OK);
        assert_true(ph_bucket_is_full(&rule, bucket, now));
        assert_true(
            ph_bucket_take(&rule, &bucket, UINT64_MAX, now, 0, &answer));
        for (unsigned n = 0; n < 30000; n++) { /* debts end, and stay */
            (void) ph_bucket_take(&rule, &bucket, UINT64_MAX, now, UINT64_MAX,
                                  &answer);
        }
        assert_false(ph_bucket_take(&rule, &bucket, 1, now, 0, &answer));
    }
}

/* Guava's setRate: a debt stays, stored tokens keep their share */
static void
test_convert(void **state)
{
    struct ph_bucket_spec   slow = { .rate = { 10, S }, .burst_tokens = 10 };
    struct ph_bucket_spec   fast = { .rate = { 1000, S }, .burst_tokens = 500 };
    struct ph_bucket_rule   from, to;
    struct ph_bucket_state  bucket = { 0, 0 };
    struct ph_bucket_answer answer;

    (void) state;
    assert_int_equal(ph_bucket_rule_make(&from, &slow), PH_OK);
    assert_int_equal(ph_bucket_rule_make(&to, &fast), PH_OK);
    assert_true(ph_bucket_take(&from, &bucket, 4, NOW, 0, &answer));
    assert_int_equal(answer.remaining, 7); /* six stored, one on credit */
    struct ph_bucket_state then = ph_bucket_convert(&from, &to, bucket, NOW);
    assert_true(ph_bucket_take(&to, &then, 1, NOW, 0, &answer));
    assert_int_equal(answer.remaining, 300); /* 6/10 of 500, one taken */

    assert_true(ph_bucket_take(&from, &bucket, 26, NOW, 0, &answer));
    then = ph_bucket_convert(&from, &to, bucket, NOW);
    assert_false(ph_bucket_take(&to, &then, 1, NOW, 0, &answer));
    assert_int_equal(answer.wait_ns, 2 * S);

    bucket = ph_bucket_drained(&to, NOW);
    assert_true(ph_bucket_take(&to, &bucket, 1, NOW, 0, &answer));
    assert_int_equal(answer.remaining, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_texts),
        cmocka_unit_test(test_rule_bounds),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_times_parts),
        cmocka_unit_test(test_bursty),
        cmocka_unit_test(test_warmup),
        cmocka_unit_test(test_no_drift),
        cmocka_unit_test(test_give_and_full),
        cmocka_unit_test(test_ends_of_time),
        cmocka_unit_test(test_convert),
    };

    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}

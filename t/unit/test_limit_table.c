/*
 * test_limit_table.c - buckets of many keys: sets, eviction, overrides, live
 * changes, processes that take together and processes that are killed.
 */
#include "t/unit/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libpayhub/domain/limit_cell.h"

#define S UINT64_C(1000000000)
#define NOW (100000 * S)
#define NOW_S 1800000000
#define SIZE (1 << 20)
#define PROCESSES 4

static const uint8_t           secret[PH_SIPHASH_KEY_LEN] = { 3, 1, 4 };
static const struct ph_hash128 all                        = { 0, 0 };

/* 10/s, ten stored: eleven at once */
static const struct ph_bucket_spec ten
    = { .rate = { 10, S }, .burst_tokens = 10 };
static const struct ph_bucket_spec warm
    = { .kind = PH_BUCKET_WARMUP, .rate = { 10, S }, .warmup_ns = 10 * S };

static struct ph_limit_table *
new_table(size_t size, const struct ph_bucket_spec *spec)
{
    void                  *memory = t_shared(size);
    struct ph_limit_table *table
        = ph_limit_table_make(memory, size, spec->kind, secret);
    assert_non_null(table);
    assert_int_equal(ph_limit_set(table, all, spec, 0, 1), PH_OK);
    return table;
}

static struct ph_limit_ask
ask_at(struct ph_limit_table *table, unsigned key, uint64_t later_ns)
{
    char name[32];
    int  len = snprintf(name, sizeof(name), "key-%u", key);

    return (struct ph_limit_ask){
        .key    = ph_limit_hash(table, ph_str_make(name, (size_t) len)),
        .cost   = 1,
        .now_ns = NOW + later_ns,
        .now_s  = NOW_S + (int64_t) (later_ns / S),
    };
}

static enum ph_limit_verdict
take(struct ph_limit_table *table, unsigned key, uint64_t later_ns)
{
    struct ph_limit_ask     ask = ask_at(table, key, later_ns);
    struct ph_bucket_answer answer;
    enum ph_limit_verdict   peek = ph_limit_peek(table, &ask, &answer);
    enum ph_limit_verdict   got  = ph_limit_take(table, &ask, &answer);

    assert_int_equal(peek, got);
    return got;
}

/* how many are granted at one moment */
static unsigned
drain(struct ph_limit_table *table, unsigned key, uint64_t later_ns)
{
    unsigned granted = 0;

    while (take(table, key, later_ns) == PH_LIMIT_GRANTED) {
        granted++;
        assert_in_range(granted, 1, 100000);
    }
    return granted;
}

static void
test_make_and_open(void **state)
{
    static char memory[65536] __attribute__((aligned(64)));

    (void) state;
    assert_null(ph_limit_table_make(memory, 100, PH_BUCKET_BURSTY, secret));
    assert_null(ph_limit_table_open(memory, sizeof(memory), PH_BUCKET_BURSTY));
    struct ph_limit_table *table
        = ph_limit_table_make(memory, sizeof(memory), PH_BUCKET_BURSTY, secret);
    assert_non_null(table);
    struct ph_limit_ask     ask = ask_at(table, 1, 0);
    struct ph_bucket_answer answer;
    assert_int_equal(ph_limit_take(table, &ask, &answer), PH_LIMIT_NO_ROOM);
    assert_int_equal(ph_limit_set(table, all, &ten, NOW_S, 1), PH_E_MISSING);
    assert_int_equal(ph_limit_set(table, all, &warm, 0, 1), PH_E_RANGE);
    assert_ptr_equal(
        ph_limit_table_open(memory, sizeof(memory), PH_BUCKET_BURSTY), table);
    assert_null(ph_limit_table_open(memory, sizeof(memory), PH_BUCKET_WARMUP));
    assert_null(
        ph_limit_table_open(memory, sizeof(memory) - 64, PH_BUCKET_BURSTY));
}

static void
test_size(void **state)
{
    static const struct {
        size_t keys, overrides;
    } rows[] = { { 1, 0 }, { 1000, 100 }, { 100000, 65536 }, { 10, 65536 } };

    (void) state;
    for (size_t i = 0; i < 2 * PH_COUNT(rows); i++) {
        enum ph_bucket_kind   kind = (enum ph_bucket_kind)(i % 2);
        size_t                size = ph_limit_table_size(kind, rows[i / 2].keys,
                                                         rows[i / 2].overrides);
        struct ph_limit_usage usage;
        struct ph_limit_table *table
            = new_table(size, kind == PH_BUCKET_BURSTY ? &ten : &warm);

        ph_limit_usage_read(table, 0, &usage);
        assert_true(usage.cells >= rows[i / 2].keys);
        assert_true(table->owns / 4 * 3 >= rows[i / 2].overrides);
        assert_int_equal(munmap(table, size), 0);
    }
}

static void
test_keys_apart(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    struct ph_limit_usage  usage;

    (void) state;
    for (unsigned key = 0; key < 1000; key++) {
        assert_int_equal(drain(table, key, 0), 11);
    }
    for (unsigned key = 0; key < 1000; key++) {
        assert_int_equal(drain(table, key, S), 10);
    }
    ph_limit_usage_read(table, NOW + S, &usage);
    assert_int_equal(usage.busy, 1000);
    assert_int_equal(usage.granted, 21000);
    assert_int_equal(usage.denied, 2000);
    ph_limit_usage_read(table, NOW + 10 * S, &usage);
    assert_int_equal(usage.busy, 0);
}

static void
test_give(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    struct ph_limit_ask    ask   = ask_at(table, 1, 0);
    struct ph_limit_usage  usage;

    (void) state;
    assert_int_equal(drain(table, 1, 0), 11);
    ph_limit_usage_read(table, 0, &usage);
    assert_int_equal(usage.granted, 11);
    ph_limit_give(table, &ask);
    ph_limit_usage_read(table, 0, &usage);
    assert_int_equal(usage.granted, 10);
    assert_int_equal(drain(table, 1, 0), 1);
}

/* Few cells and many keys: busy ones are never evicted, full ones lose
 * nothing, and what is refused is refused for want of room. */
static void
test_full_table(void **state)
{
    const struct ph_bucket_spec *specs[] = { &ten, &warm };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(specs); i++) {
        struct ph_limit_table *table = new_table(16384, specs[i]);
        struct ph_limit_usage  usage;
        unsigned               taken = 0, none = 0;

        for (unsigned key = 0; key < 5000; key++) {
            enum ph_limit_verdict verdict = take(table, key, 0);

            assert_int_not_equal(verdict, PH_LIMIT_DENIED);
            taken += verdict == PH_LIMIT_GRANTED;
            none += verdict == PH_LIMIT_NO_ROOM;
        }
        ph_limit_usage_read(table, NOW, &usage);
        assert_int_equal(usage.busy, taken);
        assert_int_equal(usage.no_room, none);
        assert_true(taken > usage.cells / 2 && none > 0);
        /* an hour later all are full: room again, for a full bucket */
        for (unsigned key = 5000; key < 5010; key++) {
            assert_int_equal(drain(table, key, 3600 * S), i == 0 ? 11 : 1);
        }
    }
}

/* 10/s becomes 100/s with 50 stored: the share of stored tokens stays, taken at
 * the moment of the change, and so does a debt */
static void
test_live_change(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    struct ph_bucket_spec  spec,
        fast = { .rate = { 100, S }, .burst_tokens = 50 };

    (void) state;
    assert_int_equal(drain(table, 1, 0), 11);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(take(table, 2, 0), PH_LIMIT_GRANTED);
    }
    assert_int_equal(ph_limit_set(table, all, &fast, 0, NOW), PH_OK);
    ph_limit_settings(table, all, NOW_S, &spec);
    assert_int_equal(spec.rate.tokens, 100);
    assert_int_equal(drain(table, 1, 99000000), 0);
    assert_int_equal(drain(table, 1, 100000000), 1);
    assert_int_equal(drain(table, 2, 0), 26); /* half of 50, one on credit */
    assert_int_equal(drain(table, 3, 0), 51);
    /* the same again changes nothing, a hundred changes neither */
    uint64_t top = table->top;
    assert_int_equal(ph_limit_set(table, all, &fast, 0, NOW), PH_OK);
    assert_int_equal(table->top, top);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(
            ph_limit_set(table, all, i % 2 == 0 ? &ten : &fast, 0, NOW + i),
            PH_OK);
    }
    assert_int_equal(drain(table, 3, 100), 0);
    assert_int_equal(drain(table, 4, 100), 51);
}

static void
test_boost_ends(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    struct ph_bucket_spec  spec,
        boost = { .rate = { 1000, S }, .burst_tokens = 100 };

    (void) state;
    assert_int_equal(take(table, 2, 0), PH_LIMIT_GRANTED); /* tells the time */
    assert_int_equal(ph_limit_set(table, all, &boost, NOW_S + 10, NOW), PH_OK);
    assert_int_equal(drain(table, 1, 0), 101);
    ph_limit_settings(table, all, NOW_S + 9, &spec);
    assert_int_equal(spec.rate.tokens, 1000);
    ph_limit_settings(table, all, NOW_S + 10, &spec);
    assert_int_equal(spec.rate.tokens, 10);
    assert_int_equal(drain(table, 3, 10 * S), 11);
    assert_int_equal(drain(table, 1, 10 * S), 11); /* full then, full now */

    /* what lasts may change below it; and it may be taken back */
    struct ph_bucket_spec five = { .rate = { 5, S }, .burst_tokens = 5 };
    assert_int_equal(ph_limit_set(table, all, &boost, NOW_S + 40, NOW + 20 * S),
                     PH_OK);
    assert_int_equal(ph_limit_set(table, all, &five, 0, NOW + 21 * S), PH_OK);
    assert_int_equal(drain(table, 5, 21 * S), 101);
    ph_limit_unset(table, all, NOW + 22 * S);
    assert_int_equal(drain(table, 6, 22 * S), 6);
}

static void
test_overrides(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    struct ph_bucket_spec  big   = { .rate = { 100, S }, .burst_tokens = 100 };
    struct ph_hash128      one   = ask_at(table, 1, 0).key;
    struct ph_hash128      two   = ask_at(table, 2, 0).key;
    struct ph_limit_usage  usage;
    struct ph_bucket_spec  spec;

    (void) state;
    assert_int_equal(drain(table, 9, 0), 11);
    assert_int_equal(ph_limit_set(table, one, &big, 0, NOW), PH_OK);
    assert_int_equal(ph_limit_set(table, two, &big, NOW_S + 5, NOW), PH_OK);
    ph_limit_usage_read(table, 0, &usage);
    assert_int_equal(usage.overrides, 2);
    assert_int_equal(drain(table, 1, 0), 101);
    assert_int_equal(drain(table, 2, 0), 101);
    assert_int_equal(drain(table, 3, 0), 11);
    ph_limit_settings(table, two, NOW_S + 4, &spec);
    assert_int_equal(spec.rate.tokens, 100);
    ph_limit_settings(table, two, NOW_S + 5, &spec);
    assert_int_equal(spec.rate.tokens, 10);
    /* it ended full, by the second: full under the base */
    assert_int_equal(drain(table, 2, 6 * S), 11);
    /* removed while a fifth is stored */
    assert_int_equal(drain(table, 1, S), 100);
    ph_limit_unset(table, one, NOW + S + S / 5);
    assert_int_equal(drain(table, 1, S + S / 5), 2);
    /* and set again, and another one over it */
    assert_int_equal(ph_limit_set(table, one, &big, 0, NOW + 2 * S), PH_OK);
    assert_int_equal(ph_limit_set(table, one, &ten, 0, NOW + 3 * S), PH_OK);
    assert_int_equal(drain(table, 1, 60 * S), 11);
    ph_limit_usage_read(table, 0, &usage);
    assert_int_equal(usage.overrides, 2);
}

/* As many as there is room for; those that ended give theirs to others. */
static void
test_overrides_full(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    unsigned               most = (unsigned) table->owns / 4 * 3, set = 0;

    (void) state;
    assert_int_equal(take(table, 0, 0), PH_LIMIT_GRANTED);
    for (unsigned key = 0; key <= most; key++) {
        struct ph_bucket_spec spec
            = { .rate = { 1, S }, .burst_tokens = 20 + key };
        enum ph_rc rc
            = ph_limit_set(table, ask_at(table, key, 0).key, &spec, 0, NOW);

        assert_true(rc == PH_OK || rc == PH_E_FULL);
        set += rc == PH_OK;
    }
    assert_in_range(set, most * 9 / 10, most);
    for (unsigned key = 1; key < 50; key++) {
        assert_int_equal(drain(table, key, 0), 21 + key);
    }
    for (unsigned key = 0; key <= most; key++) {
        ph_limit_unset(table, ask_at(table, key, 0).key, NOW + S);
    }
    for (unsigned key = 10000; key < 10000 + most; key++) {
        set -= ph_limit_set(table, ask_at(table, key, 0).key, &ten, 0,
                            NOW + 2 * S)
               == PH_OK;
    }
    assert_in_range(set, 0, most / 10);
    assert_int_equal(drain(table, 49, S), 1); /* on credit */
    assert_int_equal(drain(table, 10001, 2 * S), 11);
}

/* A host's shares: each for three seconds, for ever other keys.  None of them
 * is refused, and the keys without any are found at once again. */
static void
test_overrides_end(void **state)
{
    struct ph_limit_table *table = new_table(SIZE, &ten);
    unsigned               each = (unsigned) table->owns / 20, in_use = 0;

    (void) state;
    for (unsigned s = 0; s < 100; s++) {
        assert_int_equal(take(table, 0, s * S), PH_LIMIT_GRANTED);
        for (unsigned i = 0; i < each; i++) {
            assert_int_equal(ph_limit_set(table,
                                          ask_at(table, s * each + i, 0).key,
                                          &ten, NOW_S + s + 3, NOW + s * S),
                             PH_OK);
        }
    }
    for (uint64_t i = 0; i < table->owns; i++) {
        in_use += ph_limit_owns(table)[i].hi != 0;
    }
    assert_in_range(in_use, 3 * each, table->owns / 2);
}

/* -- processes ----------------------------------------------------------------
 */

/* Runs `work` in so many processes and waits for their ends. */
static void
in_processes(void (*work)(struct ph_limit_table *table, unsigned number),
             struct ph_limit_table *table)
{
    pid_t pids[PROCESSES];

    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(table, i);
            _exit(0);
        }
        assert_true(pids[i] > 0);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

static void
work_one_key(struct ph_limit_table *table, unsigned number)
{
    for (unsigned i = 0; i < 50000; i++) {
        struct ph_limit_ask     ask = ask_at(table, 1, 20000 * i);
        struct ph_bucket_answer answer;

        ask.shard = number;
        (void) ph_limit_take(table, &ask, &answer);
    }
}

/* Each process sees the same second pass: 10 stored, one on credit, ten more
 * by then.  Nobody's clock goes beyond it, so exactly that. */
static void
test_hammer(void **state)
{
    const struct ph_bucket_spec *specs[] = { &ten, &warm };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(specs); i++) {
        struct ph_limit_table *table = new_table(SIZE, specs[i]);
        struct ph_limit_usage  usage;
        struct ph_limit_seen   seen;
        unsigned               places = 0;
        struct ph_hash128      key    = ask_at(table, 1, 0).key;

        in_processes(work_one_key, table);
        ph_limit_usage_read(table, 0, &usage);
        assert_int_equal(usage.granted + usage.denied, PROCESSES * 50000);
        /* warm-up: a cold token costs up to three of 100 ms */
        assert_in_range(usage.granted, i == 0 ? 20 : 4, i == 0 ? 21 : 5);
        for (unsigned place = 0; place < PH_LIMIT_PLACES; place++) {
            ph_limit_read(table, ph_limit_place(table, key, place), &seen);
            places += seen.owner == ph_limit_tag(key);
        }
        assert_int_equal(places, 1);
    }
}

/* Two limits, as a request has them: both are looked at, then both are taken;
 * the first is given back where another process was quicker at the second. */
static void
work_two_limits(struct ph_limit_table *table, unsigned number)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct ph_limit_ask     first  = ask_at(table, 1, 0);
        struct ph_limit_ask     second = ask_at(table, 2 + i / 4, 0);
        struct ph_bucket_answer answer;

        first.shard = second.shard = number;
        first.cost                 = 3;
        first.wait_max_ns          = UINT64_MAX;
        if (ph_limit_peek(table, &second, &answer) != PH_LIMIT_GRANTED
            || ph_limit_take(table, &first, &answer) != PH_LIMIT_GRANTED)
        {
            continue;
        }
        if (ph_limit_take(table, &second, &answer) != PH_LIMIT_GRANTED) {
            ph_limit_give(table, &first);
        }
    }
}

static void
test_give_back(void **state)
{
    struct ph_limit_table  *table = new_table(SIZE, &ten);
    struct ph_limit_usage   usage;
    struct ph_bucket_answer answer;
    struct ph_limit_ask     first = ask_at(table, 1, 0);

    (void) state;
    in_processes(work_two_limits, table);
    ph_limit_usage_read(table, 0, &usage);
    first.wait_max_ns = UINT64_MAX;
    assert_int_equal(ph_limit_take(table, &first, &answer), PH_LIMIT_GRANTED);
    /* half of all grants are the first limit's, of three tokens, ten of which
     * were stored; how long it owes tells how many were taken for good */
    assert_int_equal(usage.granted % 2, 0);
    assert_int_equal(answer.wait_ns, (usage.granted / 2 * 3 - 10) * (S / 10));
}

/* Many keys over few cells, so that all of them claim, evict and heal. */
static void
work_claims(struct ph_limit_table *table, unsigned number)
{
    uint32_t seed = number + 1;

    for (unsigned i = 0; i < 40000; i++) {
        struct ph_limit_ask ask
            = ask_at(table, t_next(&seed) % 400, i * UINT64_C(2000000));
        struct ph_bucket_answer answer;

        ask.shard = number;
        (void) ph_limit_take(table, &ask, &answer);
    }
}

static void
test_claims(void **state)
{
    const struct ph_bucket_spec *specs[] = { &ten, &warm };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(specs); i++) {
        struct ph_limit_table *table = new_table(16384, specs[i]);
        struct ph_limit_usage  usage;

        in_processes(work_claims, table);
        ph_limit_usage_read(table, NOW + 3600 * S, &usage);
        assert_int_equal(usage.busy, 0);
        assert_int_equal(usage.granted + usage.denied + usage.no_room,
                         PROCESSES * 40000);
        assert_true(usage.granted > 20000);
    }
}

/* Killed in the middle of takes, a hundred times: the table goes on, and of
 * each killed process at most the grant under way is missing in its count. */
static void
test_kills(void **state)
{
    const struct ph_bucket_spec *specs[] = { &ten, &warm };

    (void) state;
    for (size_t i = 0; i < 100; i++) {
        struct ph_limit_table *table = new_table(16384, specs[i % 2]);
        pid_t                  pid   = fork();
        int                    status;

        if (pid == 0) {
            for (;;) {
                work_claims(table, 1);
            }
        }
        assert_true(pid > 0);
        const struct timespec pause = { 0, 200000 + 13000 * (long) i };
        (void) nanosleep(&pause, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* every cell can be had again, by full buckets */
        unsigned granted = 0;
        for (unsigned key = 10000; key < 10050; key++) {
            granted += take(table, key, 7200 * S) == PH_LIMIT_GRANTED;
        }
        assert_int_equal(granted, 50);
        assert_int_equal(munmap(table, 16384), 0);
    }
}

/* One writes settings without end and is killed; the others take meanwhile. */
static void
test_writer_killed(void **state)
{
    struct ph_limit_table      *table = new_table(SIZE, &ten);
    const struct ph_bucket_spec big
        = { .rate = { 100, S }, .burst_tokens = 100 };

    (void) state;
    for (unsigned round = 0; round < 50; round++) {
        pid_t pid = fork();
        int   status;

        if (pid == 0) {
            for (unsigned i = 0;; i++) {
                const struct ph_bucket_spec *spec = i % 2 == 0 ? &ten : &big;
                struct ph_hash128            key  = ask_at(table, i % 7, 0).key;

                if (ph_limit_set(table, i % 3 == 0 ? all : key, spec, 0, NOW)
                    != PH_OK) {
                    _exit(1);
                }
                if (i % 5 == 0) {
                    ph_limit_unset(table, key, NOW);
                }
            }
        }
        assert_true(pid > 0);
        for (unsigned i = 0; i < 500; i++) {
            struct ph_limit_ask     ask = ask_at(table, i % 10, i);
            struct ph_bucket_answer answer;

            assert_int_not_equal(ph_limit_take(table, &ask, &answer),
                                 PH_LIMIT_NO_ROOM);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
    }
    /* it can be written again, and an hour later everything is full */
    assert_int_equal(ph_limit_set(table, all, &big, 0, NOW + S), PH_OK);
    assert_int_equal(ph_limit_set(table, all, &ten, 0, NOW + S), PH_OK);
    for (unsigned key = 0; key < 10; key++) {
        ph_limit_unset(table, ask_at(table, key, 0).key, NOW + S);
        assert_int_equal(drain(table, key, 3600 * S), 11);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_open),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_keys_apart),
        cmocka_unit_test(test_give),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_live_change),
        cmocka_unit_test(test_boost_ends),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_overrides_full),
        cmocka_unit_test(test_overrides_end),
        cmocka_unit_test(test_hammer),
        cmocka_unit_test(test_give_back),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_writer_killed),
    };

    return cmocka_run_group_tests_name("limit_table", tests, NULL, NULL);
}

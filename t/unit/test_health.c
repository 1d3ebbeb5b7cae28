/*
 * test_health.c - windows and breakers by the clock, and under processes that
 * count at the same time.
 */
#include "t/unit/support.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpayhub/domain/health.h"

#define T0 UINT64_C(1000000) /* ms */

static const struct ph_breaker_spec usual = PH_BREAKER_DEFAULT;

static void
add(struct ph_health *health, uint64_t at, enum ph_call_class class,
    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ph_health_add(health, &usual, at, class, 3);
    }
}

static void
test_window(void **state)
{
    struct ph_health        health = { 0 };
    struct ph_health_window window;

    (void) state;
    add(&health, T0, PH_CALL_SUCCEEDED, 5);
    add(&health, T0 + 1000, PH_CALL_FAILED, 1);
    add(&health, T0 + 2000, PH_CALL_UNKNOWN, 2);
    add(&health, T0 + 2000, PH_CALL_NOT_SENT, 3);
    add(&health, T0 + 2999, PH_CALL_CHANNEL_ERROR, 1);
    ph_health_look(&health, T0 + 9999, &window);
    assert_int_equal(window.calls, 12);
    assert_int_equal(window.refused, 1);
    assert_int_equal(window.failed, 4);
    assert_int_equal(window.unknown, 2);
    ph_health_look(&health, T0 + 10000, &window); /* the first second is out */
    assert_int_equal(window.calls, 7);
    ph_health_look(&health, T0 + 12000, &window);
    assert_int_equal(window.calls, 0);
    add(&health, T0 + 10000, PH_CALL_SUCCEEDED, 1); /* its cell is used again */
    ph_health_look(&health, T0 + 10500, &window);
    assert_int_equal(window.calls, 8);
    assert_true(health.sums[PH_CALL_SUCCEEDED] == 6);
    assert_true(health.ms_sum == 39);
}

/* The cluster's figures, then own calls on top of them or instead. */
static void
test_success(void **state)
{
    enum { NOW_S = 1000000 };
    static const struct {
        const char *says;
        int64_t     ended, paid, as_of_s;
        bool        is_counted;
        unsigned    calls, good;
    } rows[] = {
        { "no figures: the whole window here", 0, 0, 0, false, 10, 6 },
        { "just now: the figures alone", 200, 190, NOW_S, true, 200, 190 },
        { "three seconds ago: and the last three here", 200, 190, NOW_S - 3,
          true, 204, 192 },
        { "older than the window here: all of it", 200, 190, NOW_S - 30, true,
          210, 196 },
        { "older than fresh", 200, 190, NOW_S - 31, false, 10, 6 },
        { "a clock a little behind", 200, 190, NOW_S + 30, true, 200, 190 },
        { "a time that cannot be", 200, 190, NOW_S + 31, false, 10, 6 },
        { "nobody paid", 5, 0, NOW_S, true, 5, 0 },
        { "nothing ended", 0, 0, NOW_S, false, 10, 6 },
        { "more paid than ended", 5, 6, NOW_S, false, 10, 6 },
        { "below zero", 5, -1, NOW_S, false, 10, 6 },
        { "as many as there may be", PH_SUCCESS_ENDED_MAX, PH_SUCCESS_ENDED_MAX,
          NOW_S, true, PH_SUCCESS_ENDED_MAX, PH_SUCCESS_ENDED_MAX },
        { "too many", PH_SUCCESS_ENDED_MAX + INT64_C(1), 0, NOW_S, false, 10,
          6 },
    };
    struct ph_health       health  = { 0 };
    struct ph_success      success = { 0 };
    struct ph_success_view view;

    (void) state;
    add(&health, T0, PH_CALL_SUCCEEDED, 4); /* nine seconds before */
    add(&health, T0 + 2000, PH_CALL_FAILED, 2);
    add(&health, T0 + 7000, PH_CALL_SUCCEEDED, 2); /* two before */
    add(&health, T0 + 9000, PH_CALL_UNKNOWN, 1);
    add(&health, T0 + 9000, PH_CALL_NOT_SENT, 1);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        ph_success_set(&success, rows[i].ended, rows[i].paid, rows[i].as_of_s);
        ph_success_look(&success, &health, NOW_S, T0 + 9999, &view);
        if (view.is_counted != rows[i].is_counted || view.calls != rows[i].calls
            || view.good != rows[i].good)
        {
            fail_msg("%s: found %d %u of %u", rows[i].says, view.is_counted,
                     view.good, view.calls);
        }
        assert_true(view.ended
                    == (uint64_t) (view.is_counted ? rows[i].ended : 0));
        assert_true(view.as_of_s
                    == (uint64_t) (view.is_counted ? rows[i].as_of_s : 0));
    }
}

/* A writer that was killed leaves no figures; the next one mends them. */
static void
test_success_torn(void **state)
{
    struct ph_health       health  = { 0 };
    struct ph_success      success = { 0 };
    struct ph_success_view view;

    (void) state;
    ph_success_set(&success, 10, 9, 100);
    success.turn++;
    success.ended = 1; /* it came so far */
    ph_success_look(&success, &health, 100, T0, &view);
    assert_false(view.is_counted);
    assert_int_equal(view.calls, 0);
    ph_success_set(&success, 20, 15, 100);
    ph_success_look(&success, &health, 100, T0, &view);
    assert_true(view.is_counted);
    assert_int_equal(view.calls, 20);
    assert_int_equal(view.good, 15);
}

struct race {
    struct ph_success success;
    unsigned          is_over;
};

#define RACE_LOOKS 300000u
#define RACE_SEEN 1000u /* figures, whenever the other one gets to run */
#define RACE_LOOKS_MAX 2000000000u

/* While another process writes, figures are of one writing or there are none.
 */
static void
test_success_race(void **state)
{
    struct race           *race   = t_shared(sizeof(*race));
    struct ph_health       health = { 0 };
    struct ph_success_view view;
    unsigned               seen = 0, torn = 0;
    int                    status;

    (void) state;
    ph_success_set(&race->success, 7, 7, 1007);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        int64_t n = 0;

        (void) alarm(60); /* should the other one be gone */
        while (__atomic_load_n(&race->is_over, __ATOMIC_ACQUIRE) == 0) {
            n = n % 1000 + 1;
            ph_success_set(&race->success, n, n, 1000 + n % 20);
        }
        _exit(0);
    }
    for (unsigned looks = 0;
         looks < RACE_LOOKS || (seen < RACE_SEEN && looks < RACE_LOOKS_MAX);
         looks++)
    {
        ph_success_look(&race->success, &health, 1020, T0, &view);
        if (view.is_counted) {
            seen++;
            torn += view.ended != view.paid
                    || view.as_of_s != 1000 + view.ended % 20;
        }
    }
    __atomic_store_n(&race->is_over, 1, __ATOMIC_RELEASE);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(torn, 0);
    assert_true(seen >= RACE_SEEN);
}

static void
test_times(void **state)
{
    static const struct {
        uint64_t ms;
        unsigned bucket;
    } rows[] = { { 0, 0 },
                 { 1, 1 },
                 { 2, 2 },
                 { 3, 2 },
                 { 4, 3 },
                 { 7, 3 },
                 { 8, 4 },
                 { 1023, 10 },
                 { 1024, 11 },
                 { 1u << 22, 23 },
                 { UINT64_MAX / 2, 23 } };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_health health = { 0 };

        ph_health_add(&health, &usual, T0, PH_CALL_SUCCEEDED, rows[i].ms);
        assert_true(health.times[rows[i].bucket] == 1);
    }
}

static void
test_opens(void **state)
{
    static const struct {
        unsigned good, refused, failed, unknown;
        bool     opens;
    } rows[] = {
        { 0, 0, 19, 0, false },   { 0, 0, 20, 0, true },
        { 0, 0, 0, 20, true },    { 10, 0, 5, 5, true },
        { 11, 0, 5, 5, false },   { 20, 0, 19, 0, false },
        { 20, 0, 20, 0, true },   { 1000, 0, 0, 0, false },
        { 0, 1000, 0, 0, false }, /* payers without money */
        { 0, 10, 5, 5, true },    { 0, 11, 5, 5, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_health health = { 0 };

        add(&health, T0, PH_CALL_SUCCEEDED, rows[i].good);
        add(&health, T0, PH_CALL_FAILED, rows[i].refused);
        add(&health, T0 + 1000, PH_CALL_NOT_SENT, rows[i].failed / 2);
        add(&health, T0 + 1000, PH_CALL_CHANNEL_ERROR,
            rows[i].failed - rows[i].failed / 2);
        add(&health, T0 + 2000, PH_CALL_UNKNOWN, rows[i].unknown);
        assert_int_equal(ph_health_state(&health, &usual, T0 + 2000),
                         rows[i].opens ? PH_BREAKER_OPEN : PH_BREAKER_CLOSED);
        assert_int_equal(ph_health_open_ms(&health, T0 + 3000),
                         !rows[i].opens         ? 0
                         : rows[i].unknown == 0 ? 3000
                                                : 4000);
    }
}

static void
open_it(struct ph_health *health, uint64_t at)
{
    add(health, at, PH_CALL_UNKNOWN, 20);
    assert_int_equal(ph_health_state(health, &usual, at), PH_BREAKER_OPEN);
}

static void
test_half_open(void **state)
{
    struct ph_health health = { 0 };
    bool             probe;

    (void) state;
    assert_true(ph_health_enter(&health, &usual, T0, &probe) && !probe);
    open_it(&health, T0);
    assert_false(ph_health_enter(&health, &usual, T0 + 4999, &probe));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ph_health_state(&health, &usual, T0 + 5000),
                         PH_BREAKER_HALF_OPEN);
        assert_true(ph_health_enter(&health, &usual, T0 + 5000, &probe));
        assert_true(probe);
    }
    assert_int_equal(ph_health_state(&health, &usual, T0 + 5000),
                     PH_BREAKER_PROBED);
    assert_false(ph_health_enter(&health, &usual, T0 + 5000, &probe));
    ph_health_leave(&health); /* one of them told nothing */
    assert_true(ph_health_enter(&health, &usual, T0 + 5001, &probe));
    add(&health, T0 + 5100, PH_CALL_SUCCEEDED, 1);
    add(&health, T0 + 5100, PH_CALL_FAILED, 1); /* the channel answered */
    assert_false(ph_health_enter(&health, &usual, T0 + 5100, &probe));
    add(&health, T0 + 5200, PH_CALL_SUCCEEDED, 1);
    assert_int_equal(ph_health_state(&health, &usual, T0 + 5200),
                     PH_BREAKER_CLOSED);
    /* what opened it is forgotten: one bad call does not open it again */
    add(&health, T0 + 6300, PH_CALL_UNKNOWN, 1);
    assert_int_equal(ph_health_state(&health, &usual, T0 + 6300),
                     PH_BREAKER_CLOSED);
}

static void
test_bad_probe(void **state)
{
    struct ph_health health = { 0 };
    bool             probe;

    (void) state;
    open_it(&health, T0);
    assert_true(ph_health_enter(&health, &usual, T0 + 6000, &probe));
    add(&health, T0 + 6100, PH_CALL_NOT_SENT, 1);
    assert_false(ph_health_enter(&health, &usual, T0 + 11099, &probe));
    assert_true(ph_health_enter(&health, &usual, T0 + 11100, &probe));
    /* probes whose process died come back */
    assert_true(ph_health_enter(&health, &usual, T0 + 11100, &probe));
    assert_true(ph_health_enter(&health, &usual, T0 + 11100, &probe));
    assert_false(
        ph_health_enter(&health, &usual, T0 + 11100 + PH_PROBE_MS - 1, &probe));
    assert_true(
        ph_health_enter(&health, &usual, T0 + 11100 + PH_PROBE_MS, &probe));
}

static void
test_off(void **state)
{
    struct ph_breaker_spec off;
    struct ph_health       health = { 0 };
    bool                   probe;

    (void) state;
    assert_int_equal(ph_breaker_parse(PH_STR("off"), &off), PH_OK);
    for (int i = 0; i < 100; i++) {
        ph_health_add(&health, &off, T0, PH_CALL_UNKNOWN, 1);
    }
    assert_int_equal(ph_health_state(&health, &off, T0), PH_BREAKER_CLOSED);
    assert_true(ph_health_enter(&health, &off, T0, &probe) && !probe);
}

static void
test_parse(void **state)
{
    static const struct {
        struct ph_str in;
        enum ph_rc    rc;
        unsigned      percent, calls, open_ms, probes;
    } rows[] = {
        { PH_STR_INIT("50%"), PH_OK, 50, 20, 5000, 3 },
        { PH_STR_INIT("30%/5/500ms/1"), PH_OK, 30, 5, 500, 1 },
        { PH_STR_INIT("100%/10000/1m/100"), PH_OK, 100, 10000, 60000, 100 },
        { PH_STR_INIT("60%/4"), PH_OK, 60, 4, 5000, 3 },
        { PH_STR_INIT("0%"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("101%"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/10001"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/1/61m"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/1/0s"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/1/1s/101"), PH_E_RANGE, 0, 0, 0, 0 },
        { PH_STR_INIT("50"), PH_E_SYNTAX, 0, 0, 0, 0 },
        { PH_STR_INIT(""), PH_E_SYNTAX, 0, 0, 0, 0 },
        { PH_STR_INIT("on"), PH_E_SYNTAX, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/1/5"), PH_E_SYNTAX, 0, 0, 0, 0 },
        { PH_STR_INIT("50%/1/5s/3/4"), PH_E_SYNTAX, 0, 0, 0, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_breaker_spec got = { 0 };

        assert_int_equal(ph_breaker_parse(rows[i].in, &got), rows[i].rc);
        assert_int_equal(got.percent, rows[i].percent);
        assert_int_equal(got.calls, rows[i].calls);
        assert_int_equal(got.open_ms, rows[i].open_ms);
        assert_int_equal(got.probes, rows[i].probes);
    }
}

/* a second counts so far and no further, and spills into no other count */
static void
test_full_second(void **state)
{
    struct ph_health        health = { 0 };
    struct ph_health_window window;

    (void) state;
    add(&health, T0, PH_CALL_FAILED, 5000);
    add(&health, T0, PH_CALL_UNKNOWN, 5);
    ph_health_look(&health, T0, &window);
    assert_int_equal(window.calls, 4095);
    assert_int_equal(window.refused, 4095);
    assert_int_equal(window.failed + window.unknown, 0);
    assert_true(health.sums[PH_CALL_FAILED] == 5000);
}

/* The last good probes of four processes end at the same moment, many times:
 * every one counts, or the account would wait out PH_PROBE_MS. */
static void
test_probes_meet(void **state)
{
    enum { ROUNDS = 10000, CHILDREN = 4 };
    struct shared {
        struct ph_health health[ROUNDS];
        unsigned         at[ROUNDS];
    } *shared                         = t_shared(sizeof(*shared));
    const struct ph_breaker_spec four = { false, 50, 20, 5000, CHILDREN };

    (void) state;
    for (int child = 0; child < CHILDREN; child++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid != 0) {
            continue;
        }
        for (int i = 0; i < ROUNDS; i++) {
            struct ph_health *health = &shared->health[i];
            bool              probe  = false;

            for (int n = 0; n < 5; n++) {
                ph_health_add(health, &four, T0, PH_CALL_UNKNOWN, 1);
            }
            (void) __atomic_fetch_add(&shared->at[i], 1, __ATOMIC_ACQ_REL);
            while (__atomic_load_n(&shared->at[i], __ATOMIC_ACQUIRE) < CHILDREN)
            {
                (void) sched_yield();
            }
            if (!ph_health_enter(health, &four, T0 + 5000, &probe) || !probe) {
                _exit(1);
            }
            (void) __atomic_fetch_add(&shared->at[i], 1, __ATOMIC_ACQ_REL);
            while (__atomic_load_n(&shared->at[i], __ATOMIC_ACQUIRE)
                   < 2 * CHILDREN) {
                (void) sched_yield();
            }
            ph_health_add(health, &four, T0 + 5000, PH_CALL_SUCCEEDED, 1);
        }
        _exit(0);
    }
    for (int child = 0; child < CHILDREN; child++) {
        int status = -1;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(ph_health_state(&shared->health[i], &four, T0 + 5000),
                         PH_BREAKER_CLOSED);
    }
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

/* four processes count into one: nothing is lost, and of the probes no more
   than three begin */
static void
test_processes(void **state)
{
    struct shared {
        struct ph_health health, broken;
        unsigned         probes;
    } *shared = t_shared(sizeof(*shared));
    struct ph_health_window window;
    struct ph_breaker_spec  off = { .is_off = true };

    (void) state;
    open_it(&shared->broken, T0);
    for (int child = 0; child < 4; child++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid != 0) {
            continue;
        }
        for (unsigned i = 0; i < 3000; i++) {
            bool probe;

            ph_health_add(&shared->health, &off, T0 + 1000 * (i % 4),
                          PH_CALL_UNKNOWN, 1);
            if (ph_health_enter(&shared->broken, &usual, T0 + 5000, &probe)) {
                (void) __atomic_fetch_add(&shared->probes, 1, __ATOMIC_RELAXED);
            }
        }
        _exit(0);
    }
    for (int child = 0; child < 4; child++) {
        assert_true(wait(NULL) > 0);
    }
    ph_health_look(&shared->health, T0 + 4000, &window);
    assert_int_equal(window.calls, 12000);
    assert_int_equal(window.unknown, 12000);
    assert_true(shared->health.sums[PH_CALL_UNKNOWN] == 12000);
    assert_int_equal(shared->probes, 3);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

static void
test_items(void **state)
{
    static const struct {
        const char         *text;
        struct ph_call_item item;
    } rows[] = {
        { "a:succeeded:12",
          { PH_STR_INIT("a"), PH_CALL_SUCCEEDED, 12, { 0 }, { 0 } } },
        { "a_1:unknown:0:-:-:31",
          { PH_STR_INIT("a_1"),
            PH_CALL_UNKNOWN,
            0,
            { false, false, true },
            { 0, 0, 31 } } },
        { "a:not_sent:86400000:1:2:86400000000",
          { PH_STR_INIT("a"),
            PH_CALL_NOT_SENT,
            86400000,
            { true, true, true },
            { 1, 2, UINT64_C(86400000000) } } },
        { "a:channel_error:1:1:-:0",
          { PH_STR_INIT("a"),
            PH_CALL_CHANNEL_ERROR,
            1,
            { true, false, true },
            { 1, 0, 0 } } },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char                memory[128];
        struct ph_buf       buf = PH_BUF_INIT(memory);
        struct ph_call_item item;

        ph_call_item_add(&buf, &rows[i].item);
        t_same(ph_buf_str(&buf), ph_str_z(rows[i].text));
        assert_true(ph_call_item_read(ph_str_z(rows[i].text), &item));
        t_same(item.account, rows[i].item.account);
        assert_int_equal(item.class, rows[i].item.class);
        assert_int_equal(item.ms, rows[i].item.ms);
        assert_memory_equal(item.has, rows[i].item.has, sizeof(item.has));
        assert_memory_equal(item.us, rows[i].item.us, sizeof(item.us));
    }
}

static void
test_items_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "a",
        "a:failed",
        ":failed:1",
        "a:failed:",
        "a:failed:x",
        "a:fine:1",
        "a:failed:86400001",
        "a:failed:1:",
        "a:failed:1:1",
        "a:failed:1:1:2",
        "a:failed:1:1:2:",
        "a:failed:1:1:2:3:",
        "a:failed:1:1:2:3:4",
        "a:failed:1:1:x:3",
        "a:failed:1:--:1:3",
        "a:failed:1:1:2:86400000001",
        "a b:failed:1",
        "a12345678901234567890123456789012:failed:1",
    };
    struct ph_call_item item;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        if (ph_call_item_read(ph_str_z(texts[i]), &item)) {
            fail_msg("%s", texts[i]);
        }
    }
}

static void
test_item_bounds(void **state)
{
    const struct ph_call_item item = { .account = PH_STR("a"),
                                       .ms      = UINT64_MAX,
                                       .has     = { true, false, false },
                                       .us      = { UINT64_MAX, 0, 0 } };
    char                      memory[128];
    struct ph_buf             buf = PH_BUF_INIT(memory);

    (void) state;
    ph_call_item_add(&buf, &item);
    t_same(ph_buf_str(&buf), PH_STR("a:succeeded:86400000:86400000000:-:-"));
}

static void
test_phases(void **state)
{
    struct ph_phases    phases = { 0 };
    struct ph_call_item item;

    (void) state;
    assert_true(ph_call_item_read(PH_STR("a:succeeded:1:10:20:30"), &item));
    ph_phases_add(&phases, &item);
    assert_true(ph_call_item_read(PH_STR("a:succeeded:1:-:-:5"), &item));
    ph_phases_add(&phases, &item);
    assert_true(ph_call_item_read(PH_STR("a:unknown:1"), &item));
    ph_phases_add(&phases, &item);
    assert_int_equal(phases.us[PH_PHASE_CONNECT], 10);
    assert_int_equal(phases.count[PH_PHASE_CONNECT], 1);
    assert_int_equal(phases.us[PH_PHASE_TLS], 20);
    assert_int_equal(phases.count[PH_PHASE_TLS], 1);
    assert_int_equal(phases.us[PH_PHASE_FIRST_BYTE], 35);
    assert_int_equal(phases.count[PH_PHASE_FIRST_BYTE], 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_success_torn),
        cmocka_unit_test(test_success_race),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_bad_probe),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_full_second),
        cmocka_unit_test(test_probes_meet),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_items_refused),
        cmocka_unit_test(test_item_bounds),
        cmocka_unit_test(test_phases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_limit_steps.c - a process stopped at every instruction of a decision or
 * a change: what others do in between, and what is left when it dies there.
 */
#include "t/unit/support.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpayhub/domain/limit_cell.h"

#define S UINT64_C(1000000000)
#define NOW (100000 * S)
#define LATER (NOW + 3600 * S)
#define NOW_S 1800000000
#define SIZE 65536
#define STEPS_MAX 100000
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 7 /* the code is many times as long */
#else
#define STRIDE 1
#endif

static const uint8_t           secret[PH_SIPHASH_KEY_LEN] = { 2, 7, 1 };
static const struct ph_hash128 all                        = { 0, 0 };

/* 10/s, ten stored: eleven at once; its ticks and those of `boost` differ */
static const struct ph_bucket_spec ten
    = { .rate = { 10, S }, .burst_tokens = 10 };
static const struct ph_bucket_spec boost
    = { .rate = { 1800, S }, .burst_tokens = 100 };
static const struct ph_bucket_spec warm
    = { .kind = PH_BUCKET_WARMUP, .rate = { 10, S }, .warmup_ns = 10 * S };

/* shared with the process that is stopped, and a copy of it */
static struct ph_limit_table *table;
static char                   left[SIZE] __attribute__((aligned(64)));

static struct ph_hash128
key_of(const char *name)
{
    return ph_limit_hash(table, ph_str_z(name));
}

static enum ph_limit_verdict
take(const char *name, uint64_t now_ns, int64_t now_s)
{
    struct ph_bucket_answer answer;
    struct ph_limit_ask     ask
        = { .key = key_of(name), .cost = 1, .now_ns = now_ns, .now_s = now_s };
    return ph_limit_take(table, &ask, &answer);
}

static unsigned
drain(const char *name, uint64_t now_ns, int64_t now_s)
{
    unsigned granted = 0;

    while (take(name, now_ns, now_s) == PH_LIMIT_GRANTED) {
        granted++;
        assert_in_range(granted, 1, 1000);
    }
    return granted;
}

static void
fresh(const struct ph_bucket_spec *spec)
{
    memset(table, 0, SIZE);
    assert_ptr_equal(ph_limit_table_make(table, SIZE, spec->kind, secret),
                     table);
    assert_int_equal(ph_limit_set(table, all, spec, 0, 1), PH_OK);
}

/* -- one process, stopped -----------------------------------------------------
 */

/* Runs `act` for so many instructions; -1: it ended before, else its pid. */
static pid_t
run_steps(void (*act)(void), unsigned steps)
{
    pid_t pid = fork();
    int   status;

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(1);
        }
        (void) raise(SIGSTOP);
        act();
        (void) raise(SIGUSR1);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    for (unsigned i = 0; i < steps; i++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) == SIGUSR1) {
            assert_int_equal(kill(pid, SIGKILL), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            return -1;
        }
    }
    return pid;
}

/* It goes on to its end. */
static void
let_go(pid_t pid)
{
    int status;

    assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* `act` stopped everywhere; `meanwhile` while it stands, `check` behind it */
static void
at_every_stop(void (*prepare)(void), void (*act)(void), void (*meanwhile)(void),
              void (*check)(void))
{
    for (unsigned steps = 0; steps < STEPS_MAX; steps += STRIDE) {
        prepare();
        pid_t pid = run_steps(act, steps);
        if (pid < 0) {
            assert_in_range(steps, 50, STEPS_MAX);
            return;
        }
        meanwhile();
        let_go(pid);
        check();
    }
    fail_msg("no end after %d steps", STEPS_MAX);
}

/* `check` with the memory as it is when `act` dies, everywhere */
static void
at_every_death(void (*prepare)(void), void (*act)(void), void (*check)(void))
{
    struct ph_limit_table *shared = table;
    unsigned               steps  = 0;
    int                    status;

    prepare();
    pid_t pid = run_steps(act, 0);
    do {
        if (steps % STRIDE == 0) {
            table = (void *) left;
            memcpy(left, shared, SIZE);
            check();
            table = shared;
        }
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        steps++;
    } while (WSTOPSIG(status) != SIGUSR1 && steps < STEPS_MAX);
    assert_in_range(steps, 50, STEPS_MAX - 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* -- a cell that changes hands ------------------------------------------------
 */

static void
prepare_idle(void)
{
    fresh(&ten);
    assert_int_equal(take("a", NOW, NOW_S), PH_LIMIT_GRANTED);
}

static void
act_take(void)
{
    (void) take("a", LATER, NOW_S + 3600);
}

/* The cell of "a", idle by now, becomes another's, who has taken five. */
static void
meanwhile_claim(void)
{
    struct ph_limit_seen    seen;
    struct ph_bucket_rule   rule;
    struct ph_bucket_state  state = { 0, 0 };
    struct ph_bucket_answer answer;
    uint64_t                tag = ph_limit_tag(key_of("b"));

    assert_int_equal(ph_bucket_rule_make(&rule, &ten), PH_OK);
    assert_true(ph_bucket_take(&rule, &state, 5, LATER, 0, &answer));
    assert_int_equal(ph_limit_find(table, key_of("a"), &seen), 0);
    /* "b" is looked for where "a" is: one hash, two names of it */
    assert_true(ph_limit_claim(
        table, &seen, tag, (uint32_t) (table->top % PH_LIMIT_RULES), state));
}

static void
check_claimed(void)
{
    struct ph_hash128       b = { key_of("a").lo, key_of("b").hi };
    struct ph_bucket_answer answer;
    struct ph_limit_ask     ask
        = { .key = b, .cost = 1, .now_ns = LATER, .now_s = NOW_S + 3600 };
    unsigned more = 0;

    while (ph_limit_take(table, &ask, &answer) == PH_LIMIT_GRANTED) {
        more++;
    }
    /* seven when "a" had taken already, and is charged beside it */
    assert_int_equal(more, 6);
}

/* -- settings that end
 * ---------------------------------------------------------
 */

static void
prepare_boost(void)
{
    fresh(&ten);
    assert_int_equal(take("b", NOW, NOW_S), PH_LIMIT_GRANTED); /* the time */
    assert_int_equal(ph_limit_set(table, all, &boost, NOW_S + 10, NOW), PH_OK);
    assert_int_equal(drain("a", NOW, NOW_S), 101);
}

static void
act_before_end(void)
{
    (void) take("a", NOW + 10 * S, NOW_S + 9);
}

static void
meanwhile_after_end(void)
{
    (void) take("a", NOW + 10 * S, NOW_S + 10);
}

static void
check_ended(void)
{
    unsigned more = drain("a", NOW + 10 * S, NOW_S + 10);

    assert_in_range(more, 9, 10); /* one or two of eleven are gone */
    assert_int_equal(drain("a", LATER, NOW_S + 3600), 11);
}

/* -- deaths
 * ---------------------------------------------------------------------
 */

static void
prepare_warm(void)
{
    fresh(&warm);
    assert_int_equal(take("a", NOW, NOW_S), PH_LIMIT_GRANTED);
}

static void
act_take_new(void)
{
    (void) take("new", LATER, NOW_S + 3600);
}

static void
check_alive(void)
{
    bool     is_warm = table->kind == PH_BUCKET_WARMUP;
    unsigned more    = drain("new", LATER, NOW_S + 3600);

    assert_in_range(more, is_warm ? 0 : 10, is_warm ? 1 : 11);
    more = drain("a", LATER, NOW_S + 3600);
    assert_in_range(more, is_warm ? 0 : 10, is_warm ? 1 : 11);
}

static void
prepare_own(void)
{
    prepare_idle();
    assert_int_equal(ph_limit_set(table, key_of("gone"), &boost, 0, NOW),
                     PH_OK);
}

static void
act_settings(void)
{
    if (ph_limit_set(table, key_of("own"), &boost, 0, NOW) != PH_OK
        || ph_limit_set(table, all, &boost, NOW_S + 60, NOW) != PH_OK)
    {
        _exit(1);
    }
    ph_limit_unset(table, key_of("gone"), NOW);
    ph_limit_unset(table, all, NOW);
}

/* What died is done again and taken back, and there is room as before. */
static void
check_settings(void)
{
    unsigned most = (unsigned) table->owns / 4 * 3, set = 0;

    act_settings();
    ph_limit_unset(table, key_of("own"), NOW);
    assert_int_equal(drain("own", LATER, NOW_S + 3600), 11);
    for (unsigned i = 0; i < 2 * most; i++) {
        char name[3] = { (char) ('A' + i / 16), (char) ('A' + i % 16), '\0' };

        set += ph_limit_set(table, key_of(name), &boost, 0, NOW) == PH_OK;
    }
    assert_in_range(set, most, most + 1);
}

static void
test_hands(void **state)
{
    (void) state;
    at_every_stop(prepare_idle, act_take, meanwhile_claim, check_claimed);
}

static void
test_end_of_boost(void **state)
{
    (void) state;
    at_every_stop(prepare_boost, act_before_end, meanwhile_after_end,
                  check_ended);
}

static void
test_deaths(void **state)
{
    (void) state;
    at_every_death(prepare_idle, act_take_new, check_alive);
    at_every_death(prepare_warm, act_take_new, check_alive);
    at_every_death(prepare_warm, act_take, check_alive);
    at_every_death(prepare_own, act_settings, check_settings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands),
        cmocka_unit_test(test_end_of_boost),
        cmocka_unit_test(test_deaths),
    };

    table = t_shared(SIZE);
    return cmocka_run_group_tests_name("limit_steps", tests, NULL, NULL);
}

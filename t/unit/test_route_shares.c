/*
 * test_route_shares.c - who gets how much of a rule: weights, volumes, seats
 * that stand aside, processes that choose at the same time.
 */
#include "t/unit/route_table.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void
counts_of(unsigned choices, unsigned counts[5])
{
    memset(counts, 0, 5 * sizeof(counts[0]));
    for (unsigned i = 0; i < choices; i++) {
        struct ph_route_choice choice = choose(i * 7919);

        assert_int_equal(choice.verdict, PH_ROUTE_CHOSEN);
        counts[choice.accounts[0]]++;
    }
}

static void
test_weights(void **state)
{
    static const struct {
        const char *rule;
        unsigned    choices;
        unsigned    want[5];
    } rows[] = {
        { "r -> a b", 100, { 50, 50 } },
        { "r -> a:70 b:30", 100, { 70, 30 } },
        { "r -> a:70 b:30", 10, { 7, 3 } },
        { "r -> a:5 b:1 c:1", 7, { 5, 1, 1 } },
        { "r -> a:5 b:1 c:1", 700, { 500, 100, 100 } },
        { "r -> a:1000 b:1", 1001, { 1000, 1 } },
        { "r -> a:7 b:5 c:3 d:2 e:1", 1800, { 700, 500, 300, 200, 100 } },
        { "r -> a:0 b:3 c:1", 400, { 0, 300, 100 } },
        { "r -> a:0 b:0", 100, { 50, 50 } },
        { "r -> a:3@1 b:1@1 c:100@2", 400, { 300, 100, 0 } },
        { "r -> a:3 b:1 fallback=c", 400, { 300, 100, 0 } },
        { "r -> a:3 b:1 by=cost", 400, { 300, 100 } },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        unsigned counts[5];

        one_rule(rows[i].rule);
        counts_of(rows[i].choices, counts);
        for (size_t k = 0; k < 5; k++) {
            if (counts[k] != rows[i].want[k]) {
                fail_msg("%s: account %zu found %u, expected %u", rows[i].rule,
                         k, counts[k], rows[i].want[k]);
            }
        }
    }
}

/* at every point each has its share within one payment: nobody gets a run */
static void
test_smooth(void **state)
{
    int counts[2] = { 0 };

    (void) state;
    one_rule("r -> a:70 b:30");
    for (int i = 1; i <= 1000; i++) {
        struct ph_route_choice choice = choose(0);
        int                    off;

        counts[choice.accounts[0]]++;
        off = counts[0] * 10 - i * 7;
        assert_true(off > -10 && off < 10);
        assert_int_equal(choice.count, 2);
    }
}

/* who comes back is not owed what it missed */
static void
test_comes_back(void **state)
{
    static const char *const rules[]
        = { "r -> a:1 b:1 c:2", "r -> a:1 b:1 c:2 by=volume" };
    unsigned counts[5];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rules); i++) {
        one_rule(rules[i]);
        table.accounts[1].is_drained = true;
        counts_of(3000, counts);
        assert_int_equal(counts[0], 1000);
        assert_int_equal(counts[1], 0);
        assert_int_equal(counts[2], 2000);
        table.accounts[1].is_drained = false;
        counts_of(400, counts);
        assert_in_range(counts[0], 98, 100);
        assert_in_range(counts[1], 100, 103);
        assert_in_range(counts[2], 198, 200);
    }
}

/* ... also when the table is built anew, or another process chooses next: a
   live change of `drained` does both */
static void
test_comes_back_anew(void **state)
{
    static const char *const rules[] = { "r -> a b c", "r -> a b c by=volume" };
    uint64_t                 shares[3];
    unsigned                 counts[5];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rules); i++) {
        memset(shares, 0, sizeof(shares));
        for (int drained = 1; drained >= 0; drained--) {
            one_rule(rules[i]);
            for (size_t k = 0; k < PH_COUNT(shares); k++) {
                table.rules[0].seats[k].share = &shares[k];
            }
            table.accounts[1].is_drained = drained != 0;
            counts_of(300, counts);
            assert_in_range(counts[1], drained ? 0 : 99, drained ? 0 : 102);
        }
        assert_in_range(ph_route_given(&table.rules[0].seats[1]),
                        i == 0 ? 249 : 249000, i == 0 ? 252 : 252000);
    }
}

/* an amount beyond what a payment may have does not put a seat out of reach */
static void
test_huge_amount(void **state)
{
    struct ph_route_ask    ask = usual_ask();
    struct ph_route_choice choice;
    unsigned               counts[5];

    (void) state;
    one_rule("r -> a b by=volume");
    ask.amount = INT64_MAX;
    for (int i = 0; i < 4; i++) {
        ph_route_choose(&table.route, &ask, &eyes, 0, &choice);
        assert_int_equal(choice.accounts[0], i % 2);
    }
    counts_of(100, counts);
    assert_int_equal(counts[0], 50);
}

static void
test_volume(void **state)
{
    uint64_t               given[2] = { 0 };
    uint32_t               seed     = 7;
    struct ph_route_ask    ask      = usual_ask();
    struct ph_route_choice choice;

    (void) state;
    one_rule("r -> a:3 b:1 by=volume");
    for (int i = 0; i < 10000; i++) {
        ask.amount = 1 + t_next(&seed) % 100000;
        ph_route_choose(&table.route, &ask, &eyes, 0, &choice);
        given[choice.accounts[0]] += (uint64_t) ask.amount;
        /* within one largest payment of its share, always */
        int64_t off = (int64_t) given[0] - (int64_t) given[1] * 3;
        assert_true(off > -300000 && off < 300000);
    }
    assert_true(given[0] + given[1] > 100000000);
}

/* four processes choose from one table in shared memory: still exact */
static void
test_processes(void **state)
{
    struct shared {
        uint64_t shares[3];
        uint64_t counts[5];
    } *shared = t_shared(sizeof(*shared));

    (void) state;
    one_rule("r -> a:7 b:2 c:1");
    for (size_t i = 0; i < 3; i++) {
        table.rules[0].seats[i].share = &shared->shares[i];
    }
    for (int child = 0; child < 4; child++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid != 0) {
            continue;
        }
        for (int i = 0; i < 2500; i++) {
            struct ph_route_choice choice = choose(0);

            (void) __atomic_fetch_add(&shared->counts[choice.accounts[0]], 1,
                                      __ATOMIC_RELAXED);
        }
        _exit(0);
    }
    for (int child = 0; child < 4; child++) {
        assert_true(wait(NULL) > 0);
    }
    assert_true(shared->counts[0] == 7000);
    assert_true(shared->counts[1] == 2000);
    assert_true(shared->counts[2] == 1000);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_smooth),
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_comes_back_anew),
        cmocka_unit_test(test_huge_amount),
        cmocka_unit_test(test_volume),
        cmocka_unit_test(test_processes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

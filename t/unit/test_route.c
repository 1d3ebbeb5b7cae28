/*
 * test_route.c - rules as texts, matches and refusals as tables, and what many
 * choices add up to.
 */
#include "t/unit/route_table.h"

#include <stdio.h>

static struct ph_str
reason_of(const struct ph_route_choice *choice)
{
    static char   text[PH_ROUTE_REASON_MAX];
    struct ph_buf buf = PH_BUF_INIT(text);

    ph_route_reason(&table.route, &choice->note, &buf);
    return ph_buf_str(&buf);
}

/* the candidates' letters in order */
static const char *
letters(const struct ph_route_choice *choice)
{
    static char text[PH_ROUTE_CANDIDATES_MAX + 1];
    size_t      i;

    for (i = 0; i < choice->count; i++) {
        text[i] = (char) ('a' + choice->accounts[i]);
    }
    text[i] = '\0';
    return text;
}

/* ---- texts ---- */

static void
test_faults(void **state)
{
    static const struct {
        const char *text;
        const char *found;
        const char *expected;
    } rows[] = {
        { "", "\"\"", "NAME CONDITIONS -> TARGETS" },
        { "r", "\"r\"", "NAME CONDITIONS -> TARGETS" },
        { "r ->", "\"r ->\"", "NAME CONDITIONS -> TARGETS" },
        { "r -> fallback=a", "fallback", "NAME CONDITIONS -> TARGETS" },
        { "-> a", "\"->\"", "rule's name first" },
        { "r/1 -> a", "\"r/1\"", "rule's name first" },
        { "r a", "\"a\"", "method=, currency=" },
        { "r country=cn -> a", "\"country=cn\"", "method=, currency=" },
        { "r method= -> a", "\"method=\"", "NAME=A,B,..." },
        { "r method=a,,b -> a", "\"method=a,,b\"", "NAME=A,B,..." },
        { "r method=a/b -> a", "\"method=a/b\"", "NAME=A,B,..." },
        { "r method=a method=b -> a", "\"method=b\"", "each condition once" },
        { "r amount=5 -> a", "\"amount=5\"", "MIN-MAX" },
        { "r amount=- -> a", "\"amount=-\"", "MIN-MAX" },
        { "r amount=9-5 -> a", "\"amount=9-5\"", "MIN-MAX" },
        { "r amount=1.5-2 -> a", "\"amount=1.5-2\"", "MIN-MAX" },
        { "r amount=1-9999999999999999 -> a", "amount=1-", "MIN-MAX" },
        { "r metadata.=x -> a", "\"metadata.=x\"", "metadata.KEY=" },
        { "r metadata.k= -> a", "\"metadata.k=\"", "metadata.KEY=" },
        { "r metadata.k=1 metadata.k=2 -> a", "\"metadata.k=2\"",
          "a key once" },
        { "r metadata.a=1 metadata.b=1 metadata.c=1 metadata.d=1 "
          "metadata.e=1 -> a",
          "\"metadata.e=1\"", "at most 4" },
        { "r -> a:1001", "\"a:1001\"", ":WEIGHT of 0 to 1000" },
        { "r -> a@256", "\"a@256\"", "@PRIORITY of 0 to 255" },
        { "r -> a a:2", "\"a:2\"", "a target once" },
        { "r -> channel:", "\"channel:\"", "ACCOUNT, channel:NAME or any" },
        { "r -> a -> b", "\"->\"", "ACCOUNT, channel:NAME or any" },
        { "r -> a by=luck", "\"by=luck\"", "by=weight, priority" },
        { "r -> a explore=5", "\"explore=5\"", "explore=0% to 50%" },
        { "r -> a explore=51%", "\"explore=51%\"", "explore=0% to 50%" },
        { "r -> a explore=5%", "\"r -> a explore=5%\"",
          "by=success or by=cost" },
        { "r -> a fallback=a", "\"a\"", "a target once" },
        { "r -> a method=b", "\"method=b\"", "a target, by=" },
        { "first -> a", "\"first\"", "a name of its own" },
        { "r\tmethod=a -> a", "r\tmethod", "on one line" },
    };

    (void) state;
    one_rule("first -> a");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          said[2048];
        struct ph_buf fault = PH_BUF_INIT(said);

        assert_int_not_equal(ph_route_rule_add(&table.route, &table.arena,
                                               ph_str_z(rows[i].text), &fault),
                             PH_OK);
        assert_int_equal(table.route.rule_count, 1);
        (void) ph_buf_z(&fault);
        if (strstr(said, rows[i].found) == NULL
            || strstr(said, rows[i].expected) == NULL)
        {
            fail_msg("%s: %s", rows[i].text, said);
        }
    }
    assert_int_equal(table.route.key_count, 0);
}

static void
test_maxima(void **state)
{
    char          text[128], said[512];
    struct ph_buf fault = PH_BUF_INIT(said);
    char          small_memory[600];

    (void) state;
    accounts_make();
    for (int i = 0; i < PH_ROUTE_RULES_MAX; i++) {
        assert_true(snprintf(text, sizeof(text), "r%d -> a", i) > 0);
        assert_int_equal(ph_route_rule_add(&table.route, &table.arena,
                                           ph_str_z(text), &fault),
                         PH_OK);
    }
    assert_int_equal(ph_route_rule_add(&table.route, &table.arena,
                                       PH_STR("more -> a"), &fault),
                     PH_E_RANGE);
    accounts_make();
    ph_arena_init(&table.arena, small_memory, sizeof(small_memory));
    assert_int_equal(
        ph_route_rule_add(&table.route, &table.arena,
                          PH_STR("r method=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q "
                                 "currency=a,b,c,d,e,f,g -> a b c d e"),
                          &fault),
        PH_E_FULL);
    assert_int_equal(table.route.rule_count, 0);
}

static void
test_unknown_account(void **state)
{
    (void) state;
    one_rule("r -> a zed any");
    t_same(table.unknown, PH_STR("zed"));
    one_rule("r -> a channel:w");
    t_same(table.unknown, PH_STR("w"));
    one_rule("r -> any");
    assert_null(table.unknown.ptr);
    assert_int_equal(table.rules[0].seat_count, 5);
    one_rule("r -> b channel:x"); /* an account once */
    assert_int_equal(table.rules[0].seat_count, 4);
    assert_int_equal(table.rules[0].seats[0].account, 1);
}

static void
test_fee_texts(void **state)
{
    static const struct {
        struct ph_str in;
        enum ph_rc    rc;
        uint32_t      ppm;
        int64_t       fixed;
    } rows[] = {
        { S("6000ppm"), PH_OK, 6000, 0 },
        { S("6000ppm+30"), PH_OK, 6000, 30 },
        { S("+30"), PH_OK, 0, 30 },
        { S("0ppm"), PH_OK, 0, 0 },
        { S("1000001ppm"), PH_E_RANGE, 0, 0 },
        { S("1ppm+1000000000000000"), PH_E_RANGE, 0, 0 },
        { S(""), PH_E_SYNTAX, 0, 0 },
        { S("+"), PH_E_SYNTAX, 0, 0 },
        { S("0.6%"), PH_E_SYNTAX, 0, 0 },
        { S("6000ppm+"), PH_E_SYNTAX, 0, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        uint32_t ppm   = 0;
        int64_t  fixed = 0;

        assert_int_equal(ph_route_fee_parse(rows[i].in, &ppm, &fixed),
                         rows[i].rc);
        assert_true(ppm == rows[i].ppm && fixed == rows[i].fixed);
    }
}

/* ---- matching ---- */

static void
test_matches(void **state)
{
    static const struct {
        const char *rule;
        bool        want;
    } rows[] = {
        { "r -> a", true },
        { "r method=card -> a", true },
        { "r method=bar,card -> a", true },
        { "r method=bar -> a", false },
        { "r currency=CNY -> a", true },
        { "r currency=USD -> a", false },
        { "r app=shop merchant=acme -> a", true },
        { "r app=other -> a", false },
        { "r merchant=other -> a", false },
        { "r amount=1000-1000 -> a", true },
        { "r amount=1- -> a", true },
        { "r amount=-1000 -> a", true },
        { "r amount=1001- -> a", false },
        { "r amount=-999 -> a", false },
        { "r metadata.region=cn,hk -> a", true },
        { "r metadata.region=us -> a", false },
        { "r metadata.absent=x -> a", false },
        { "r  method=card   currency=CNY  ->  a ", true },
        { "r method=card currency=USD -> a", false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_route_ask ask = usual_ask();

        one_rule(rows[i].rule);
        for (size_t k = 0; k < table.route.key_count; k++) {
            if (ph_str_eq(table.route.keys[k], PH_STR("region"))) {
                ask.values[k] = PH_STR("cn");
            }
        }
        if (ph_route_rule_matches(&table.rules[0], &ask) != rows[i].want) {
            fail_msg("%s: expected %d", rows[i].rule, rows[i].want);
        }
    }
    struct ph_route_ask bare = { .has_amount = false };
    one_rule("r amount=0- -> a");
    assert_false(ph_route_rule_matches(&table.rules[0], &bare));
}

static void
test_first_rule_decides(void **state)
{
    static const char *const texts[]
        = { "one method=bar -> a", "two method=card -> b", "three -> c", NULL };
    struct ph_route_choice choice;

    (void) state;
    accounts_make();
    rules_add(texts);
    choice = choose(0);
    assert_string_equal(letters(&choice), "b");
    assert_true(choice.rule == &table.rules[1]);
    table.rules[1].methods = table.rules[0].methods;
    choice                 = choose(0);
    assert_string_equal(letters(&choice), "c");
    table.rules[2].methods = table.rules[0].methods;
    choice                 = choose(0);
    assert_int_equal(choice.verdict, PH_ROUTE_FREE);
    assert_int_equal(choice.count, 0);
}

/* ---- who is out ---- */

static struct ph_str only_bar[]   = { S("bar") };
static struct ph_str only_usd[]   = { S("USD") };
static struct ph_str only_other[] = { S("other") };

static void
test_out(void **state)
{
    struct ph_route_choice choice;

    (void) state;
    one_rule("r -> a b by=priority");
    table.accounts[0].is_drained = true;
    choice                       = choose(0);
    assert_string_equal(letters(&choice), "b");
    t_same(reason_of(&choice), PH_STR("rule=r by=priority b at=10 drained=a"));

    table.sights[1].breaker = PH_BREAKER_OPEN;
    choice                  = choose(0);
    assert_int_equal(choice.verdict, PH_ROUTE_OUT);
    t_same(reason_of(&choice), PH_STR("rule=r drained=a breaker_open=b"));
    table.sights[1].breaker = PH_BREAKER_PROBED;
    assert_int_equal(choose(0).verdict, PH_ROUTE_OUT);
    table.sights[1].breaker = PH_BREAKER_HALF_OPEN;
    assert_int_equal(choose(0).verdict, PH_ROUTE_CHOSEN);

    table.sights[1]                = (struct ph_route_sight){ .inflight = 7 };
    table.accounts[1].inflight_max = 8;
    assert_int_equal(choose(0).verdict, PH_ROUTE_CHOSEN);
    table.sights[1].inflight = 8;
    choice                   = choose(0);
    assert_int_equal(choice.verdict, PH_ROUTE_OUT);
    t_same(reason_of(&choice), PH_STR("rule=r drained=a full=b"));
}

static void
test_not_offered(void **state)
{
    struct ph_route_choice choice;

    (void) state;
    one_rule("r -> a b c d by=priority");
    table.accounts[0].methods    = (struct ph_route_list){ only_bar, 1 };
    table.accounts[1].currencies = (struct ph_route_list){ only_usd, 1 };
    table.accounts[2].apps       = (struct ph_route_list){ only_other, 1 };
    choice                       = choose(0);
    assert_string_equal(letters(&choice), "d");
    table.accounts[3].methods = (struct ph_route_list){ only_bar, 1 };
    choice                    = choose(0);
    assert_int_equal(choice.verdict, PH_ROUTE_NONE);
    t_same(reason_of(&choice), PH_STR("rule=r no account for it"));
}

/* ---- order ---- */

static void
test_order(void **state)
{
    static const struct {
        const char *rule;
        const char *want;
    } rows[] = {
        { "r -> a b c by=priority", "abc" },
        { "r -> a@3 b@1 c@2 by=priority", "bca" },
        { "r -> a@3 b@1 c@2", "bca" },
        { "r -> a:0 b c:0 by=priority", "bac" },
        { "r -> c fallback=a,b by=priority", "cab" },
        { "r -> channel:y a by=priority", "ea" },
        { "r -> any by=priority", "abcde" },
        { "r -> b fallback=channel:y", "be" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_route_choice choice;

        one_rule(rows[i].rule);
        choice = choose(0);
        if (strcmp(letters(&choice), rows[i].want) != 0) {
            fail_msg("%s: found %s, expected %s", rows[i].rule,
                     letters(&choice), rows[i].want);
        }
    }
}

static void
test_cost(void **state)
{
    struct ph_route_ask    ask = usual_ask();
    struct ph_route_choice choice;

    (void) state;
    one_rule("r -> a b c by=cost");
    table.accounts[0].fee_ppm   = 6000; /* 0.6 %: 6 of 1000 */
    table.accounts[1].fee_ppm   = 1000; /* 0.1 % + 5.2 */
    table.accounts[1].fee_fixed = 5;
    table.accounts[2].fee_fixed = 30;
    choice                      = choose(0);
    assert_string_equal(letters(&choice), "abc"); /* 6, 6, 30 */
    t_same(reason_of(&choice), PH_STR("rule=r by=cost a fee=6"));
    ask.amount = 1001;
    ph_route_choose(&table.route, &ask, &eyes, 0, &choice);
    assert_string_equal(letters(&choice), "bac"); /* 6.006, 6.001, 30 */
    t_same(reason_of(&choice), PH_STR("rule=r by=cost b fee=6.001"));
    ask.amount = 999999999999999;
    ph_route_choose(&table.route, &ask, &eyes, 0, &choice);
    assert_string_equal(letters(&choice), "cba");
    ask.amount                = INT64_MAX;
    table.accounts[0].fee_ppm = PH_ROUTE_FEE_PPM_MAX;
    assert_true(ph_route_fee(&table.accounts[0], INT64_MAX)
                == (unsigned __int128) INT64_MAX * 1000000);
}

static void
test_success(void **state)
{
    struct ph_route_choice choice;

    (void) state;
    one_rule("r -> a b c by=success explore=5%");
    table.sights[0] = (struct ph_route_sight){ .calls = 100, .good = 80 };
    table.sights[1] = (struct ph_route_sight){ .calls = 100, .good = 95 };
    choice          = choose(PH_ROUTE_DRAWS - 1); /* c has none: 90 % */
    assert_string_equal(letters(&choice), "bca");
    t_same(reason_of(&choice), PH_STR("rule=r by=success b 94.5454% of 100"));
    choice = choose(499 + 2 * PH_ROUTE_DRAWS);
    assert_string_equal(letters(&choice), "abc");
    t_same(reason_of(&choice),
           PH_STR("rule=r by=success a 80.909% of 100 explored"));
    choice = choose(500 + 2 * PH_ROUTE_DRAWS);
    assert_string_equal(letters(&choice), "bca");

    unsigned explored[5] = { 0 }, total = 0;
    for (uint32_t draw = 0; draw < 3 * PH_ROUTE_DRAWS; draw++) {
        choice = choose(draw);
        explored[choice.accounts[0]]++;
        total++;
    }
    assert_int_equal(explored[0], 500);
    assert_int_equal(explored[2], 500);
    assert_int_equal(explored[1], total - 1000);
}

/* ---- shares ---- */

static void
test_reason_fits(void **state)
{
    static struct ph_str   name = S("n2345678901234567890123456789012");
    struct ph_route_choice choice;

    (void) state;
    one_rule("n2345678901234567890123456789012 -> any by=cost");
    for (size_t i = 0; i < 5; i++) {
        table.accounts[i].id         = name;
        table.accounts[i].fee_ppm    = 999999;
        table.accounts[i].is_drained = i > 0;
    }
    choice = choose(0);
    assert_in_range(reason_of(&choice).len, 1, PH_ROUTE_REASON_MAX);
    t_same(reason_of(&choice),
           PH_STR("rule=n2345678901234567890123456789012 by=cost "
                  "n2345678901234567890123456789012 fee=999.999 more_out=4"));
    for (size_t i = 1; i < 5; i++) {
        table.accounts[i].id = PH_STR("z");
    }
    choice = choose(0);
    t_same(reason_of(&choice),
           PH_STR("rule=n2345678901234567890123456789012 by=cost "
                  "n2345678901234567890123456789012 fee=999.999 drained=z "
                  "drained=z more_out=2"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_unknown_account),
        cmocka_unit_test(test_fee_texts),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_first_rule_decides),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_not_offered),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_reason_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

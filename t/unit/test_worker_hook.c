/* What an answer to a webhook means, and how much a receiver gets at once. */
#include <stdio.h>

#include "t/unit/support.h"
#include "worker/hook_endpoint.h"
#include "worker/hook_rule.h"

#define NOW UINT64_C(1700000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

static struct ph_conf conf;

/* default schedule: 0s 15s 15s 30s 3m 10m 20m 30m 30m 30m 1h 3h 3h 3h 6h 6h */
static void
answers_mean(void **unused)
{
    static const struct {
        unsigned             status;
        int64_t              tries;
        const char          *retry_after;
        enum wk_hook_verdict verdict;
        bool                 is_slow;
        uint64_t             after_ms;
    } rows[] = {
        { 200, 0, NULL, WK_HOOK_TAKEN, false, 0 },
        { 204, 15, NULL, WK_HOOK_TAKEN, false, 0 },
        { 299, 0, "60", WK_HOOK_TAKEN, false, 0 },
        { 0, 0, NULL, WK_HOOK_LATER, true, 15000 },
        { 500, 0, NULL, WK_HOOK_LATER, false, 15000 },
        { 301, 1, NULL, WK_HOOK_LATER, false, 15000 },
        { 404, 2, NULL, WK_HOOK_LATER, false, 30000 },
        { 429, 0, NULL, WK_HOOK_LATER, true, 15000 },
        { 502, 0, NULL, WK_HOOK_LATER, true, 15000 },
        { 503, 0, NULL, WK_HOOK_LATER, true, 15000 },
        { 504, 14, NULL, WK_HOOK_LATER, true, 21600000 },
        { 504, 15, NULL, WK_HOOK_DEAD, true, 0 },
        { 410, 0, NULL, WK_HOOK_DEAD, false, 0 },
        { 410, 0, "60", WK_HOOK_DEAD, false, 0 },
        /* the longer of both counts, a day at most */
        { 429, 0, "60", WK_HOOK_LATER, true, 60000 },
        { 429, 0, "5", WK_HOOK_LATER, true, 15000 },
        { 503, 0, "86401", WK_HOOK_LATER, true, 86400000 },
        { 503, 0, "999999999999999999999", WK_HOOK_LATER, true, 15000 },
        { 503, 0, "Tue, 14 Nov 2023 22:14:20 GMT", WK_HOOK_LATER, true, 60000 },
        { 503, 0, "Tue, 14 Nov 2023 22:12:20 GMT", WK_HOOK_LATER, true, 15000 },
        { 503, 0, "-1", WK_HOOK_LATER, true, 15000 },
        { 503, 0, "soon", WK_HOOK_LATER, true, 15000 },
        { 503, 0, "", WK_HOOK_LATER, true, 15000 },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_channel_header headers[]
            = { { PH_STR("Content-Length"), PH_STR("3600") },
                { PH_STR("RETRY-After"), ph_str_z(rows[i].retry_after) } };
        const struct wk_hook_next next = wk_hook_judge(
            &conf, rows[i].status, headers, rows[i].retry_after != NULL ? 2 : 1,
            rows[i].tries, NOW);

        if (next.verdict != rows[i].verdict || next.is_slow != rows[i].is_slow)
        {
            fail_msg("row %zu: %d %d", i, next.verdict, next.is_slow);
        }
        if (rows[i].verdict == WK_HOOK_LATER) {
            assert_int_equal(next.due_ms, NOW + rows[i].after_ms);
        }
    }
}

static void
urls_split(void **unused)
{
    static const struct {
        const char *url, *origin, *target;
    } rows[] = {
        { "https://a.example/x?y=1", "https://a.example", "/x?y=1" },
        { "https://a.example:8443/", "https://a.example:8443", "/" },
        { "http://a.example", "http://a.example", "/" },
        { "http://a.example?q=/z", "http://a.example", "/?q=/z" },
        { "http://[::1]:80/a/b", "http://[::1]:80", "/a/b" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[128];
        struct ph_buf target = PH_BUF_INIT(memory);

        t_same(wk_hook_origin(ph_str_z(rows[i].url)), ph_str_z(rows[i].origin));
        wk_hook_target(&target, ph_str_z(rows[i].url));
        t_same(ph_buf_str(&target), ph_str_z(rows[i].target));
    }
}

static struct wk_endpoint *
hold(struct wk_endpoints *endpoints, const char *app, const char *origin,
     uint64_t now_ms)
{
    struct wk_endpoint *endpoint = wk_endpoint_hold(
        endpoints, ph_str_z(app), ph_str_z(origin), 4, now_ms);

    assert_non_null(endpoint);
    return endpoint;
}

static void
one_delivery(struct wk_endpoint *endpoint, bool is_taken, bool is_slow)
{
    assert_true(wk_endpoint_has_place(endpoint));
    wk_endpoint_begin(endpoint);
    wk_endpoint_end(endpoint, is_taken, is_slow, 100, 1000);
}

static void
shares_halve_and_grow(void **unused)
{
    struct wk_endpoints *endpoints = wk_endpoints_new();
    struct wk_endpoint  *a         = hold(endpoints, "app", "https://a", 1000);
    static const struct {
        bool     is_taken, is_slow;
        unsigned share;
    } steps[] = {
        { true, false, 4 }, { false, false, 4 }, { false, true, 2 },
        { false, true, 1 }, { false, true, 1 },  { true, false, 2 },
        { true, false, 2 }, { true, false, 3 },  { false, false, 3 },
        { false, true, 1 }, { true, false, 2 },  { true, false, 2 },
        { true, false, 3 }, { true, false, 3 },  { true, false, 3 },
        { true, false, 4 }, { true, false, 4 },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(steps); i++) {
        one_delivery(a, steps[i].is_taken, steps[i].is_slow);
        assert_int_equal(wk_endpoint_share(a), steps[i].share);
        assert_int_equal(wk_endpoint_is_slow(a), steps[i].share < 4);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_true(wk_endpoint_has_place(a));
        wk_endpoint_begin(a);
    }
    assert_false(wk_endpoint_has_place(a));
    assert_int_equal(wk_endpoints_slow_active(endpoints), 0);

    /* one end in trouble makes the three others slow ones */
    wk_endpoint_end(a, false, true, 100, 1000);
    assert_int_equal(wk_endpoints_slow_active(endpoints), 3);
    assert_false(wk_endpoint_has_place(a));
    for (unsigned i = 0; i < 3; i++) {
        wk_endpoint_end(a, false, false, 100, 1000);
    }
    assert_int_equal(wk_endpoints_slow_active(endpoints), 0);
    wk_endpoint_let_go(a, 1000);

    /* trouble is remembered, by app and origin, for a while */
    a = hold(endpoints, "app", "https://a", 2000);
    assert_int_equal(wk_endpoint_share(a), 2);
    wk_endpoint_let_go(a, 2000);
    a = hold(endpoints, "other", "https://a", 2000);
    assert_int_equal(wk_endpoint_share(a), 4);
    wk_endpoint_let_go(a, 2000);
    a = hold(endpoints, "app", "https://a", 2001 + WK_ENDPOINT_FORGET_MS);
    assert_int_equal(wk_endpoint_share(a), 4);
    wk_endpoint_let_go(a, 2001 + WK_ENDPOINT_FORGET_MS);
    wk_endpoints_free(endpoints);
}

static void
those_without_a_place_are_spread(void **unused)
{
    struct wk_endpoints *endpoints = wk_endpoints_new();
    struct wk_endpoint  *a         = hold(endpoints, "app", "https://a", 1000);
    uint64_t             before    = 1000;

    (void) unused;
    wk_endpoint_begin(a);
    wk_endpoint_end(a, false, true, 5000, 1000); /* share 2, 5 s each */
    for (unsigned i = 0; i < 10; i++) {
        uint64_t at_ms = wk_endpoint_pace_ms(a, 1000);

        assert_int_equal(at_ms, before + 2500);
        before = at_ms;
    }
    for (unsigned i = 0; i < 10000; i++) {
        assert_in_range(wk_endpoint_pace_ms(a, 1000), 1000, 1000 + 120000);
    }
    wk_endpoint_let_go(a, 1000);
    wk_endpoints_free(endpoints);
}

static void
the_table_is_bounded(void **unused)
{
    struct wk_endpoints *endpoints = wk_endpoints_new();
    struct wk_endpoint  *held[WK_ENDPOINTS_MAX];
    char                 origin[32];

    (void) unused;
    for (unsigned i = 0; i < WK_ENDPOINTS_MAX; i++) {
        (void) snprintf(origin, sizeof(origin), "https://%u", i);
        held[i] = hold(endpoints, "app", origin, 1000);
        one_delivery(held[i], false, true);
    }
    assert_null(wk_endpoint_hold(endpoints, PH_STR("app"), PH_STR("https://x"),
                                 4, 1000));
    wk_endpoint_let_go(held[7], 1000);
    struct wk_endpoint *more = hold(endpoints, "app", "https://x", 1000);
    wk_endpoint_let_go(more, 1000);
    for (unsigned i = 0; i < WK_ENDPOINTS_MAX; i++) {
        if (i != 7) {
            wk_endpoint_let_go(held[i], 1000);
        }
    }
    wk_endpoints_free(endpoints);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean),
        cmocka_unit_test(urls_split),
        cmocka_unit_test(shares_halve_and_grow),
        cmocka_unit_test(those_without_a_place_are_spread),
        cmocka_unit_test(the_table_is_bounded),
    };

    ph_conf_init(&conf);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

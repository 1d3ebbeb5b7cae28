/* Times, URLs, card numbers, the request's limits, the view. */
#include <string.h>

#include "t/unit/support.h"
#include "worker/payment_method.h"
#include "worker/payment_request.h"
#include "worker/payment_view.h"
#include "worker/time_text.h"

static void
times_both_ways(void **unused)
{
    static const struct {
        const char *text;
        uint64_t    ms;
    } rows[] = {
        { "1970-01-01 00:00:00.001", 1 },
        { "2026-01-02 03:04:05.678", UINT64_C(1767323045678) },
        { "2024-02-29 23:59:59.999", UINT64_C(1709251199999) },
        { "9999-12-31 23:59:59.999", UINT64_C(253402300799999) },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[32];
        struct ph_buf buf = PH_BUF_INIT(memory);
        uint64_t      ms;

        wk_time_sql(&buf, rows[i].ms);
        t_same(ph_buf_str(&buf), ph_str_z(rows[i].text));
        assert_true(wk_time_parse(ph_str_z(rows[i].text), &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void
times_that_are_none(void **unused)
{
    static const char *const rows[] = { "",
                                        "2026-01-02",
                                        "2026-01-02T03:04:05",
                                        "2026-01-02 03:04:05.",
                                        "2026-01-02 03:04:05.6789",
                                        "2026-01-02 03:04:0x",
                                        "1969-12-31 23:59:59" };
    uint64_t                 ms;

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_false(wk_time_parse(ph_str_z(rows[i]), &ms));
    }
    assert_true(wk_time_parse(PH_STR("2026-01-02 03:04:05"), &ms));
    assert_true(wk_time_parse(PH_STR("2026-01-02 03:04:05.6"), &ms));
    assert_int_equal(ms, UINT64_C(1767323045600));
}

static void
urls(void **unused)
{
    static const struct {
        const char *url;
        bool        is_good;
        bool        is_good_in_tests; /* loopback and ports allowed */
    } rows[] = {
        { "https://a.example", true, true },
        { "http://a.example/x?y=z", true, true },
        { "https://a.example:443/", true, true },
        { "https://a.example?x", true, true },
        { "https://8.8.8.8/", true, true },
        { "https://[2606:4700::1111]/", true, true },
        { "https://a.example:8443/", false, true },
        { "http://127.0.0.1:8080/", false, true },
        { "http://[::1]:80/", false, true },
        { "http://192.168.0.1/", false, false },
        { "http://[::ffff:127.0.0.1]/", false, false },
        { "http://127.1/", false, false },
        { "http://0177.0.0.1/", false, false },
        { "http://0x7f000001/", false, false },
        { "http://a.example:0/", false, false },
        { "http://a.example:65536/", false, false },
        { "http://a.example:/", false, false },
        { "http://a@b.example/", false, false },
        { "http://-a.example/", false, false },
        { "http://a..example/", false, false },
        { "http://[::1/", false, false },
        { "http://[::1]x/", false, false },
        { "HTTP://a.example/", false, false },
        { "javascript:alert(1)", false, false },
        { "http:///x", false, false },
        { "", false, false },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str url = ph_str_z(rows[i].url);

        if ((wk_url_check(url, false) == NULL) != rows[i].is_good
            || (wk_url_check(url, true) == NULL) != rows[i].is_good_in_tests)
        {
            fail_msg("%s", rows[i].url);
        }
    }
}

static void
card_numbers(void **unused)
{
    static const struct {
        const char *text;
        bool        has_card;
    } rows[] = {
        { "4111111111111111", true },
        { "4111 1111 1111 1111", true },
        { "4111-1111-1111-1111", true },
        { "pay 12 4111111111111111 now", true },
        { "4222222222222", true },       /* 13 */
        { "6304000000000000000", true }, /* 19 */
        { "4111111111111112", false },
        { "4111 1111 1111  1111", false }, /* parted, no longer a group */
        { "411111111111", false },
        { "41111111111111110000000", false }, /* a longer number */
        { "order 20261123", false },
        { "", false },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (wk_has_card_number(ph_str_z(rows[i].text)) != rows[i].has_card) {
            fail_msg("%s", rows[i].text);
        }
    }
}

/* what a channel that was loaded offers beside the API's own methods */
static const char *const amber_methods[] = { "amber_qr", "amber_bar", NULL };
static const struct ph_channel_extra amber_extra[]
    = { { "shelf", "amber_qr", false },
        { "auth_code", "amber_bar", true },
        { "till", NULL, true } };
static const struct ph_channel        amber      = { .name        = "amber",
                                                     .methods     = amber_methods,
                                                     .extra       = amber_extra,
                                                     .extra_count = 3 };
static const struct ph_channel *const loaded[]   = { &amber };
static const struct wk_methods        with_amber = { loaded, 1 };
static const struct wk_methods       *methods;

static bool
parse(const char *body, struct wk_payment_request *out,
      struct wk_request_fault *fault)
{
    static char                   memory[200000];
    static struct ph_arena        arena;
    const struct wk_request_rules rules = { 60, false, methods };

    ph_arena_init(&arena, memory, sizeof(memory));
    return wk_payment_request_parse(ph_str_z(body), &rules, &arena, out, fault);
}

static void
request_is_filled(void **unused)
{
    struct wk_payment_request request;
    struct wk_request_fault   fault;

    (void) unused;
    assert_true(parse("{\"order_no\":\"o\",\"amount\":999999999999999,"
                      "\"currency\":\"KWD\",\"method\":\"sandbox_bar\","
                      "\"subject\":\"\\u00e4\",\"extra\":{\"auth_code\":\"1\"},"
                      "\"metadata\":{ \"a\" : \"b\" },\"expires_in\":60}",
                      &request, &fault));
    assert_int_equal(request.amount, 999999999999999);
    assert_int_equal(request.expires_in_s, 60);
    t_same(request.subject, PH_STR("\xc3\xa4"));
    t_same(request.metadata, PH_STR("{\"a\":\"b\"}"));
    assert_null(request.description.ptr);
    assert_null(request.notify_url.ptr);

    assert_true(parse("{\"order_no\":\"o\",\"amount\":1,\"currency\":\"CNY\","
                      "\"method\":\"sandbox_qr\",\"subject\":\"x\"}",
                      &request, &fault));
    assert_int_equal(request.expires_in_s, 7200);
}

/* clang-format off */
static const struct {
    const char   *method, *extra;
    enum ph_error error, error_alone; /* with the loaded channel, without it */
} extra_rows[] = {
#define BOTH(error) PH_ERROR_##error, PH_ERROR_##error
    { "wechat_jsapi", "{\"openid\":\"o\"}", BOTH(NONE) },
    { "wechat_jsapi", "{\"sub_openid\":\"o\",\"sub_mch_id\":\"1\"}", BOTH(NONE) },
    { "wechat_jsapi", "{\"sub_mch_id\":\"1\"}", BOTH(MISSING) },
    { "wechat_jsapi", "{}", BOTH(MISSING) },
    { "wechat_mini", "{\"openid\":\"o\",\"appid\":\"a\"}", BOTH(NONE) },
    { "wechat_native", "{\"sub_openid\":\"o\"}", BOTH(NONE) },
    { "wechat_native", "{\"openid\":\"o\"}", BOTH(UNKNOWN_MEMBER) },
    { "alipay_jsapi", "{\"buyer_open_id\":\"b\"}", BOTH(NONE) },
    { "alipay_jsapi", "{\"sub_openid\":\"b\"}", BOTH(UNKNOWN_MEMBER) },
    { "card", "{\"confirm\":true}", BOTH(NONE) },
    { "card", "{\"confirm\":\"true\"}", BOTH(WRONG_TYPE) },
    { "card", "{\"till\":\"1\"}", BOTH(UNKNOWN_MEMBER) },
    { "bar", "{\"auth_code\":\"280000000000000001\"}", BOTH(NONE) },
    { "bar", "{\"auth_code\":\"28\"}", BOTH(VALUE) },
    { "amber_qr", "{\"till\":\"1\"}", PH_ERROR_NONE, PH_ERROR_VALUE },
    { "amber_qr", "{\"till\":\"1\",\"shelf\":\"2\"}", PH_ERROR_NONE, PH_ERROR_VALUE },
    { "amber_qr", "{\"shelf\":\"2\"}", PH_ERROR_MISSING, PH_ERROR_VALUE },
    { "amber_qr", "{\"till\":\"1\",\"openid\":\"2\"}", PH_ERROR_UNKNOWN_MEMBER, PH_ERROR_VALUE },
    { "amber_qr", "{\"till\":1}", PH_ERROR_WRONG_TYPE, PH_ERROR_VALUE },
    { "amber_bar", "{\"till\":\"1\",\"auth_code\":\"x\"}", PH_ERROR_NONE, PH_ERROR_VALUE },
    { "amber_bar", "{\"till\":\"1\"}", PH_ERROR_MISSING, PH_ERROR_VALUE },
    { "amber_bar", "{\"till\":\"1\",\"auth_code\":\"x\",\"shelf\":\"2\"}", PH_ERROR_UNKNOWN_MEMBER, PH_ERROR_VALUE },
    { "amber_app", "{}", BOTH(VALUE) },
    { "amber", "{}", BOTH(VALUE) },
#undef BOTH
};
/* clang-format on */

static void
each_method_takes_its_own_extra(void **unused)
{
    struct wk_payment_request request;
    struct wk_request_fault   fault;

    (void) unused;
    for (size_t i = 0; i < 2 * PH_COUNT(extra_rows); i++) {
        const size_t  row      = i / 2;
        const bool    is_alone = i % 2 != 0;
        char          memory[512];
        struct ph_buf body = PH_BUF_INIT(memory);

        ph_buf_add(&body, PH_STR("{\"order_no\":\"o\",\"amount\":1,"
                                 "\"currency\":\"CNY\",\"subject\":\"x\","
                                 "\"method\":\""));
        ph_buf_add(&body, ph_str_z(extra_rows[row].method));
        ph_buf_add(&body, PH_STR("\",\"extra\":"));
        ph_buf_add(&body, ph_str_z(extra_rows[row].extra));
        ph_buf_add(&body, PH_STR("}"));
        assert_non_null(ph_buf_z(&body));
        methods            = is_alone ? NULL : &with_amber;
        const bool is_good = parse(memory, &request, &fault);

        methods = NULL;
        if (fault.error
                != (is_alone ? extra_rows[row].error_alone
                             : extra_rows[row].error)
            || is_good != (fault.error == PH_ERROR_NONE))
        {
            fail_msg("%s%s: found %d", memory, is_alone ? " alone" : "",
                     (int) fault.error);
        }
    }
}

static void
all_faults_of_one_kind_are_listed(void **unused)
{
    struct wk_payment_request request;
    struct wk_request_fault   fault;

    (void) unused;
    assert_false(parse("{\"order_no\":1,\"amount\":\"x\"}", &request, &fault));
    assert_int_equal(fault.error, PH_ERROR_WRONG_TYPE);
    assert_int_equal(fault.place_count, 2);
    assert_false(parse("{}", &request, &fault));
    assert_int_equal(fault.error, PH_ERROR_MISSING);
    assert_int_equal(fault.place_count, 5);
    assert_false(parse("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,"
                       "\"g\":1,\"h\":1,\"i\":1,\"j\":1}",
                       &request, &fault));
    assert_int_equal(fault.place_count, PH_PROBLEM_PLACES_MAX);
}

/* 16 deep is read and refused for its members, 17 for its depth; brackets in
 * texts do not count. */
static void
depth_is_bounded(void **unused)
{
    static const struct {
        const char   *body;
        enum ph_error error;
    } rows[] = {
        { "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", PH_ERROR_UNKNOWN_MEMBER },
        { "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", PH_ERROR_NOT_JSON },
        { "{\"a\":\"[[[[[[[[[[[\\\"[[[[[[[[[[[[[[\"}",
          PH_ERROR_UNKNOWN_MEMBER },
    };
    struct wk_payment_request request;
    struct wk_request_fault   fault;

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_false(parse(rows[i].body, &request, &fault));
        assert_int_equal(fault.error, rows[i].error);
    }
}

static void
view_shows_closing_as_unknown(void **unused)
{
    char            memory[4096];
    struct ph_buf   buf   = PH_BUF_INIT(memory);
    struct wk_order order = { .attempt_count = 1 };

    (void) unused;
    order.payment.id             = PH_STR("P1");
    order.payment.status         = PH_PAYMENT_PAYING;
    order.payment.created_at_ms  = 1;
    order.attempt[0].status      = PH_ATTEMPT_CLOSING;
    order.attempt[0].action_type = PH_STR("qr_code");
    order.attempt[0].action_data = PH_STR("\"x\"");
    wk_payment_view(&buf, &order);
    (void) ph_buf_z(&buf);
    assert_false(buf.full);
    assert_non_null(strstr(memory, "\"status\":\"unknown\""));
    assert_non_null(
        strstr(memory, "\"action\":{\"type\":\"qr_code\",\"data\":\"x\"}"));
    assert_non_null(
        strstr(memory, "\"created_at\":\"1970-01-01T00:00:00.001Z\""));
    assert_non_null(strstr(memory, "\"paid_at\":null"));
    assert_non_null(strstr(memory, "\"error\":null"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_both_ways),
        cmocka_unit_test(times_that_are_none),
        cmocka_unit_test(urls),
        cmocka_unit_test(card_numbers),
        cmocka_unit_test(request_is_filled),
        cmocka_unit_test(each_method_takes_its_own_extra),
        cmocka_unit_test(all_faults_of_one_kind_are_listed),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(view_shows_closing_as_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

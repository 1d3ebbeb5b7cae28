/*
 * The sandbox adapter: what a notice must be, times, accounts, headers.
 */
#include "t/unit/channel_sandbox.h"

/* --- notices -------------------------------------------------------------- */

static enum ph_rc
notice_at(uint64_t now_ms, const char *sign, const char *body,
          struct ph_channel_notice_out *out)
{
    struct ph_channel_header headers[] = {
        { PH_STR("sandbox-timestamp"), PH_STR(NOW_TEXT) },
        { PH_STR("sandbox-signature"), ph_str_z(sign) },
    };
    struct ph_channel_notice in = {
        .body         = ph_str_z(body),
        .headers      = headers,
        .header_count = sign[0] != '\0' ? 2 : 1,
    };

    return channel->notice(&account, &in, now_ms, &arena, out);
}

#define PAID                                                                   \
    "{\"out_trade_no\":\"" NUMBER "\",\"trade_no\":\"SB1\",\"amount\":100,"    \
    "\"currency\":\"CNY\",\"status\":\"paid\","                                \
    "\"paid_at\":\"2026-01-02T03:00:00.123Z\",\"notice_id\":\"n-1\"}"

static void
a_genuine_notice_is_read(void **state)
{
    struct ph_channel_notice_out out = { 0 };

    (void) state;
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, PAID), PAID, &out),
                     PH_OK);
    assert_true(is(out.id, "n-1"));
    assert_true(is(out.result.number, NUMBER));
    assert_true(is(out.result.trade_no, "SB1"));
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    assert_true(out.result.amount == 100);
    assert_true(out.result.paid_at_ms == NOW_MS);
    assert_true(is(out.ack_body, "ok"));
    assert_true(is(out.ack_content_type, "text/plain"));
}

static void
a_notice_of_a_refund_names_both_numbers(void **state)
{
    static const char body[]
        = "{\"out_refund_no\":\"R1\",\"refund_no\":\"F1\",\"out_trade_no\":"
          "\"A1\",\"amount\":30,\"currency\":\"CNY\",\"status\":"
          "\"succeeded\",\"amount_refunded\":90,\"notice_id\":\"n-2\"}";
    struct ph_channel_notice_out out = { 0 };

    (void) state;
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, body), body, &out),
                     PH_OK);
    assert_true(out.is_refund);
    assert_true(is(out.order_number, "A1"));
    assert_true(is(out.result.number, "R1"));
    assert_true(is(out.result.trade_no, "F1"));
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    assert_true(out.result.amount == 30 && out.result.refunded_total == 90);
}

static void
a_notice_that_is_not_genuine_or_not_readable_is_refused(void **state)
{
    static const char bare[] = "{\"status\":\"paid\"}";
    static const char twice[]
        = "{\"notice_id\":\"n\",\"out_trade_no\":\"A\",\"amount\":1,"
          "\"amount\":100,\"status\":\"paid\"}";
    struct ph_channel_notice_out out;

    (void) state;
    assert_int_equal(notice_at(NOW_MS, signature("1", PAID), PAID, &out),
                     PH_E_SIGNATURE);
    assert_int_equal(notice_at(NOW_MS, "", PAID, &out), PH_E_MISSING);
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, bare), bare, &out),
                     PH_E_MISSING);
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, twice), twice, &out),
                     PH_E_SYNTAX);
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, "x"), "x", &out),
                     PH_E_SYNTAX);
}

static void
the_window_is_five_minutes_both_ways(void **state)
{
    const char                  *sign  = signature(NOW_TEXT, PAID);
    const uint64_t               at_ms = NOW_MS - NOW_MS % 1000;
    struct ph_channel_notice_out out;

    (void) state;
    assert_int_equal(notice_at(at_ms + 300000, sign, PAID, &out), PH_OK);
    assert_int_equal(notice_at(at_ms + 301000, sign, PAID, &out), PH_E_RANGE);
    assert_int_equal(notice_at(at_ms - 300000, sign, PAID, &out), PH_OK);
    assert_int_equal(notice_at(at_ms - 300001, sign, PAID, &out), PH_E_RANGE);
}

static void
a_genuine_notice_of_an_unknown_status_is_unknown(void **state)
{
    static const char body[] = "{\"out_trade_no\":\"A\",\"notice_id\":\"n\","
                               "\"status\":\"odd\"}";
    struct ph_channel_notice_out out;

    (void) state;
    assert_int_equal(notice_at(NOW_MS, signature(NOW_TEXT, body), body, &out),
                     PH_OK);
    assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
}

/* --- times and accounts --------------------------------------------------- */

static void
times_are_read_strictly(void **state)
{
    static const struct {
        const char *text;
        uint64_t    want;
    } rows[] = {
        { "2026-01-02T03:00:00.123Z", NOW_MS },
        { "1970-01-01T00:00:00.001Z", 1 },
        { "2024-02-29T23:59:59.999Z", UINT64_C(1709251199999) },
        { "2026-02-29T00:00:00.000Z", 0 },
        { "2026-13-01T00:00:00.000Z", 0 },
        { "2026-01-02T24:00:00.000Z", 0 },
        { "2026-01-02 03:00:00.123Z", 0 },
        { "2026-01-02T03:00:00.123", 0 },
        { "2026-01-02T03:00:00.12 Z", 0 },
        { "", 0 },
    };
    char text[32];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_buf buf = PH_BUF_INIT(text);

        assert_true(sandbox_time_parse(ph_str_z(rows[i].text)) == rows[i].want);
        if (rows[i].want != 0) {
            sandbox_time_format(&buf, rows[i].want);
            assert_true(is(ph_buf_str(&buf), rows[i].text));
        }
    }
}

static void
accounts_are_checked(void **state)
{
    static const struct {
        const char *url, *key;
        bool        ok;
    } rows[] = {
        { "https://sandbox.example", KEY, true },
        { "https://127.0.0.1:8443/", KEY, true },
        { "http://127.0.0.1:8080", KEY, true },
        { "http://127.0.0.1", KEY, true },
        { "http://[::1]:8080/x", KEY, true },
        { "http://127.0.0.1.example/", KEY, false },
        { "http://localhost/", KEY, true },
        { "http://sandbox.example/", KEY, false },
        { "ftp://127.0.0.1/", KEY, false },
        { "https://", KEY, false },
        { "https:///pay", KEY, false },
        { "https://a@b/", KEY, false },
        { "https://a b/", KEY, false },
        { "https://a\nb/", KEY, false },
        { "", KEY, false },
        { "https://a", "short", false },
        { "https://a", "", false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account given
            = { .channel = channel,
                .values  = { ph_str_z(rows[i].url), ph_str_z(rows[i].key) } };
        const char *why = NULL;
        bool ok = ph_channel_account_open(&given, NULL, NOW_MS, &arena, &why);

        if (ok != rows[i].ok) {
            fail_msg("%s: %s", rows[i].url, why != NULL ? why : "accepted");
        }
        if (!ok) {
            assert_non_null(strstr(why, "expected"));
            assert_null(strstr(why, KEY));
        }
        ph_channel_account_close(&given);
    }
}

static void
headers_are_found_in_any_case(void **state)
{
    const struct ph_channel_header headers[]
        = { { PH_STR("A-b"), PH_STR("1") }, { PH_STR("a-B"), PH_STR("2") } };

    (void) state;
    assert_true(is(ph_channel_header(headers, 2, PH_STR("a-b")), "1"));
    assert_null(ph_channel_header(headers, 2, PH_STR("a-")).ptr);
    assert_null(ph_channel_header(headers, 0, PH_STR("a-b")).ptr);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_genuine_notice_is_read),
        TEST(a_notice_of_a_refund_names_both_numbers),
        TEST(a_notice_that_is_not_genuine_or_not_readable_is_refused),
        TEST(the_window_is_five_minutes_both_ways),
        TEST(a_genuine_notice_of_an_unknown_status_is_unknown),
        TEST(headers_are_found_in_any_case),
        TEST(times_are_read_strictly),
        TEST(accounts_are_checked),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

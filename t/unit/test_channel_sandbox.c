/*
 * The sandbox adapter: what it sends, and what each answer proves.
 */
#include "t/unit/channel_sandbox.h"

/* --- tables --------------------------------------------------------------- */

static void
the_table_is_whole(void **state)
{
    (void) state;
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(struct ph_channel));
    assert_null(ph_channel_find(PH_STR("sandbo")));
    assert_null(ph_channel_find(PH_STR("")));
    assert_true(channel->field_count <= PH_CHANNEL_FIELDS_MAX);
    assert_true(channel->fields[1].secret);
}

static void
codes_ascend_and_none_says_succeeded(void **state)
{
    (void) state;
    for (size_t i = 0; i < channel->code_count; i++) {
        assert_int_not_equal(channel->codes[i].result, PH_RESULT_SUCCEEDED);
        if (i > 0) {
            assert_true(
                ph_str_cmp(channel->codes[i - 1].code, channel->codes[i].code)
                < 0);
        }
    }
}

/* --- requests ------------------------------------------------------------- */

static void
create_sends_all_that_the_order_says(void **state)
{
    struct ph_channel_call call = call_of(PH_OP_CREATE);
    struct ph_channel_out  out  = { 0 };
    static const char      want[]
        = "{\"out_trade_no\":\"" NUMBER "\",\"amount\":999999999999999,"
          "\"currency\":\"CNY\",\"method\":\"sandbox_bar\","
          "\"subject\":\"a \\\"quoted\\\"\\n\xe8\x8c\xb6\","
          "\"auth_code\":\"28763443825664394\","
          "\"notify_url\":\"http://127.0.0.1/notify/sandbox/acc\","
          "\"expires_at\":\"2026-01-02T05:00:00.123Z\"}";

    (void) state;
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_NEED_REQUEST);
    assert_true(is(out.request.method, "POST"));
    assert_true(is(out.request.url, "https://127.0.0.1:9/base/pay"));
    assert_int_equal(out.request.body.len, strlen(want));
    assert_memory_equal(out.request.body.ptr, want, strlen(want));
    assert_true(
        is(ph_channel_header(out.request.headers, out.request.header_count,
                             PH_STR("sandbox-timestamp")),
           NOW_TEXT));
    assert_true(
        is(ph_channel_header(out.request.headers, out.request.header_count,
                             PH_STR("sandbox-signature")),
           signature(NOW_TEXT, want)));
}

static void
query_and_close_send_the_number(void **state)
{
    static const struct {
        enum ph_channel_op op;
        const char        *url;
    } rows[] = { { PH_OP_QUERY, "https://127.0.0.1:9/base/query" },
                 { PH_OP_CLOSE, "https://127.0.0.1:9/base/close" },
                 { PH_OP_REVERSE, "https://127.0.0.1:9/base/close" } };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_call call = call_of(rows[i].op);
        struct ph_channel_out  out  = { 0 };

        assert_int_equal(channel->step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        assert_true(is(out.request.url, rows[i].url));
        assert_true(is(out.request.body, "{\"out_trade_no\":\"" NUMBER "\"}"));
    }
}

static void
refunds_send_both_numbers(void **state)
{
    static const struct {
        enum ph_channel_op op;
        const char        *url;
        const char        *body;
    } rows[] = {
        { PH_OP_REFUND, "https://127.0.0.1:9/base/refund",
          "{\"out_trade_no\":\"" NUMBER "\",\"out_refund_no\":\"" REFUND
          "\",\"amount\":700,\"currency\":\"CNY\","
          "\"reason\":\"too \\\"hot\\\"\"}" },
        { PH_OP_REFUND_QUERY, "https://127.0.0.1:9/base/refund_query",
          "{\"out_trade_no\":\"" NUMBER "\",\"out_refund_no\":\"" REFUND
          "\"}" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_call call = call_of(rows[i].op);
        struct ph_channel_out  out  = { 0 };

        assert_int_equal(channel->step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        assert_true(is(out.request.url, rows[i].url));
        assert_true(is(out.request.body, rows[i].body));
    }
}

static void
operations_without_capability_are_errors(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_ACCOUNT_REFRESH, (enum ph_channel_op) 0 };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        struct ph_channel_call call = call_of(ops[i]);
        struct ph_channel_out  out  = { 0 };

        assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_ERROR);
    }
}

static void
a_full_arena_is_an_error_at_every_size(void **state)
{
    (void) state;
    for (size_t size = 0; size < 1024; size++) {
        struct ph_channel_call call = call_of(PH_OP_CREATE);
        struct ph_channel_out  out  = { 0 };

        ph_arena_init(&arena, memory, size);
        if (channel->step(&call, NULL, &out) == PH_STEP_NEED_REQUEST) {
            assert_true(size > 300);
            assert_true(is(ph_channel_header(out.request.headers,
                                             out.request.header_count,
                                             PH_STR("sandbox-timestamp")),
                           NOW_TEXT));
            return;
        }
    }
    fail_msg("1024 bytes are not enough");
}

/* an answer is told whole or not at all */
static void
a_full_arena_makes_an_answer_unknown(void **state)
{
    static const char body[]
        = "{\"code\":\"ok\",\"status\":\"pending\",\"out_trade_no\":\"A1\","
          "\"trade_no\":\"SB7\",\"amount\":1,\"currency\":\"JPY\","
          "\"qr_code\":\"sandbox://pay/A1\"}";
    bool was_whole = false;

    (void) state;
    for (size_t size = 0; size < 512; size++) {
        ph_arena_init(&arena, memory, size);
        struct ph_channel_result result
            = signed_answer(PH_OP_CREATE, 200, body);

        if (result.class == PH_RESULT_WAIT_USER) {
            was_whole = true;
            assert_true(is(result.action_data, "\"sandbox://pay/A1\""));
            assert_true(is(result.number, "A1"));
        } else {
            assert_false(was_whole);
            assert_int_equal(result.class, PH_RESULT_UNKNOWN);
            assert_true(result.number.len == 0);
        }
    }
    assert_true(was_whole);
}

/* --- answers -------------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum ph_channel_op   op;
    unsigned             http;
    const char          *body;
    enum ph_result_class want;
    const char          *error_class;
} answers[] = {
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_SUCCEEDED, "" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"pending\"}", PH_RESULT_WAIT_USER, "" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"closed\"}", PH_RESULT_CLOSED, "" },
    { PH_OP_QUERY, 200, "{\"code\":\"ok\",\"status\":\"failed\"}", PH_RESULT_FAILED, "declined" },
    { PH_OP_QUERY, 200, "{\"code\":\"ok\",\"status\":\"closed\"}", PH_RESULT_CLOSED, "" },
    { PH_OP_CLOSE, 200, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_SUCCEEDED, "" },
    { PH_OP_CLOSE, 200, "{\"code\":\"ok\",\"status\":\"closed\"}", PH_RESULT_CLOSED, "" },
    { PH_OP_CREATE, 200, "{\"code\":\"declined\"}", PH_RESULT_FAILED, "declined" },
    { PH_OP_CREATE, 400, "{\"code\":\"auth_code_invalid\"}", PH_RESULT_FAILED, "auth_code" },
    { PH_OP_CREATE, 429, "{\"code\":\"rate_limited\"}", PH_RESULT_NOT_SENT, "rate_limited" },
    { PH_OP_QUERY, 404, "{\"code\":\"not_found\"}", PH_RESULT_NOT_FOUND, "not_found" },
    { PH_OP_CLOSE, 404, "{\"code\":\"not_found\"}", PH_RESULT_NOT_FOUND, "not_found" },
    { PH_OP_REVERSE, 200, "{\"code\":\"ok\",\"status\":\"closed\"}", PH_RESULT_CLOSED, "" },
    { PH_OP_REVERSE, 200, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_SUCCEEDED, "" },
    { PH_OP_REVERSE, 404, "{\"code\":\"not_found\"}", PH_RESULT_NOT_FOUND, "not_found" },
    /* refunds have words of their own */
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"succeeded\"}", PH_RESULT_SUCCEEDED, "" },
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"pending\"}", PH_RESULT_WAIT_USER, "" },
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"failed\"}", PH_RESULT_FAILED, "declined" },
    { PH_OP_REFUND, 200, "{\"code\":\"declined\",\"status\":\"failed\"}", PH_RESULT_FAILED, "declined" },
    { PH_OP_REFUND, 409, "{\"code\":\"over_refund\"}", PH_RESULT_FAILED, "over_refund" },
    { PH_OP_REFUND, 409, "{\"code\":\"not_paid\"}", PH_RESULT_FAILED, "not_paid" },
    { PH_OP_REFUND, 429, "{\"code\":\"rate_limited\"}", PH_RESULT_NOT_SENT, "rate_limited" },
    { PH_OP_REFUND, 409, "{\"code\":\"number_reused\"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_REFUND, 404, "{\"code\":\"not_found\"}", PH_RESULT_UNKNOWN, "not_found" },
    { PH_OP_REFUND, 200, "{\"code\":\"system_error\"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"closed\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_REFUND, 500, "{\"code\":\"ok\",\"status\":\"succeeded\"}", PH_RESULT_UNKNOWN, "channel_error" },
    { PH_OP_REFUND_QUERY, 200, "{\"code\":\"ok\",\"status\":\"succeeded\"}", PH_RESULT_SUCCEEDED, "" },
    { PH_OP_REFUND_QUERY, 200, "{\"code\":\"ok\",\"status\":\"pending\"}", PH_RESULT_WAIT_USER, "" },
    { PH_OP_REFUND_QUERY, 200, "{\"code\":\"ok\",\"status\":\"failed\"}", PH_RESULT_FAILED, "declined" },
    { PH_OP_REFUND_QUERY, 404, "{\"code\":\"not_found\"}", PH_RESULT_NOT_FOUND, "not_found" },
    { PH_OP_REFUND_QUERY, 409, "{\"code\":\"over_refund\"}", PH_RESULT_UNKNOWN, "over_refund" },
    { PH_OP_REFUND_QUERY, 200, "{\"code\":\"declined\"}", PH_RESULT_UNKNOWN, "declined" },
    { PH_OP_REFUND_QUERY, 200, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_QUERY, 200, "{\"code\":\"ok\",\"status\":\"succeeded\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_REFUND, 200, "{\"code\":\"ok\",\"status\":\"succeeded\",\"amount\":7.0}", PH_RESULT_UNKNOWN, "unreadable" },
    /* a refused query proves nothing about the payment */
    { PH_OP_QUERY, 429, "{\"code\":\"rate_limited\"}", PH_RESULT_UNKNOWN, "rate_limited" },
    { PH_OP_QUERY, 200, "{\"code\":\"declined\"}", PH_RESULT_UNKNOWN, "declined" },
    { PH_OP_CLOSE, 429, "{\"code\":\"rate_limited\"}", PH_RESULT_UNKNOWN, "rate_limited" },
    { PH_OP_CREATE, 404, "{\"code\":\"not_found\"}", PH_RESULT_UNKNOWN, "not_found" },
    /* what nobody explained is unknown */
    { PH_OP_CREATE, 200, "{\"code\":\"system_error\"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_CREATE, 200, "{\"code\":\"DECLINED\"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_CREATE, 200, "{\"code\":\"declined \"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"PAID\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"\"}", PH_RESULT_UNKNOWN, "" },
    { PH_OP_CREATE, 200, "{\"status\":\"paid\"}", PH_RESULT_UNKNOWN, "unknown_code" },
    { PH_OP_CREATE, 200, "{}", PH_RESULT_UNKNOWN, "no_number" },
    { PH_OP_CREATE, 500, "{\"code\":\"ok\",\"status\":\"paid\"}", PH_RESULT_UNKNOWN, "channel_error" },
    { PH_OP_CREATE, 503, "{\"code\":\"declined\"}", PH_RESULT_UNKNOWN, "channel_error" },
    /* what cannot be read is unknown */
    { PH_OP_CREATE, 200, "", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"pa", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "[]", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\"}x", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"failed\",\"status\":\"paid\"}", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":1}", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\",\"amount\":1.0}", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\",\"amount\":\"1\"}", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\",\"amount\":-1}", PH_RESULT_UNKNOWN, "unreadable" },
    { PH_OP_CREATE, 200, "{\"code\":\"ok\",\"status\":\"paid\",\"amount\":1e3}", PH_RESULT_UNKNOWN, "unreadable" },
};
/* clang-format on */

/* the body with the numbers as its first members, if it is an object */
static const char *
named(const char *body)
{
    static char text[512];

    if (body[0] != '{' || body[1] != '"') {
        return body;
    }
    snprintf(text, sizeof(text),
             "{\"out_trade_no\":\"" NUMBER "\",\"out_refund_no\":\"" REFUND
             "\",%s",
             body + 1);
    return text;
}

static void
every_answer_proves_what_its_row_says(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(answers); i++) {
        ph_arena_reset(&arena);
        struct ph_channel_result result = signed_answer(
            answers[i].op, answers[i].http, named(answers[i].body));

        if (result.class != answers[i].want
            || !is(result.error_class, answers[i].error_class))
        {
            fail_msg("row %zu %s: found %d %.*s, expected %d %s", i,
                     answers[i].body, (int) result.class,
                     (int) result.error_class.len, result.error_class.ptr,
                     (int) answers[i].want, answers[i].error_class);
        }
    }
}

/* Another call's answer on the same connection must not end this order. */
static void
an_answer_without_a_number_proves_nothing(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(answers); i++) {
        ph_arena_reset(&arena);
        assert_int_equal(
            signed_answer(answers[i].op, answers[i].http, answers[i].body)
                .class,
            PH_RESULT_UNKNOWN);
    }
}

static void
a_refund_told_of_another_order_proves_nothing(void **state)
{
    static const char *const bodies[] = {
        "{\"out_trade_no\":\"" NUMBER
        "\",\"code\":\"ok\",\"status\":\"succeeded\"}",
        "{\"out_refund_no\":\"" REFUND
        "\",\"code\":\"ok\",\"status\":\"succeeded\"}",
        "{\"out_trade_no\":\"A1\",\"out_refund_no\":\"" REFUND
        "\",\"code\":\"ok\",\"status\":\"failed\"}",
        "{\"out_trade_no\":\"A1\",\"out_refund_no\":\"" REFUND
        "\",\"code\":\"over_refund\"}",
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        struct ph_channel_result result
            = signed_answer(PH_OP_REFUND, 200, bodies[i]);

        assert_int_equal(result.class, PH_RESULT_UNKNOWN);
        assert_true(is(result.error_class, "no_number"));
    }
}

static void
refunds_echo_what_they_say(void **state)
{
    static const char body[]
        = "{\"code\":\"ok\",\"out_trade_no\":\"" NUMBER
          "\",\"out_refund_no\":\"" REFUND "\",\"refund_no\":\"SR7\","
          "\"amount\":700,\"currency\":\"CNY\",\"status\":\"succeeded\","
          "\"refunded_at\":\"2026-01-02T03:00:00.123Z\","
          "\"amount_refunded\":900}";
    struct ph_channel_result result
        = signed_answer(PH_OP_REFUND_QUERY, 200, body);

    (void) state;
    assert_int_equal(result.class, PH_RESULT_SUCCEEDED);
    assert_true(is(result.number, REFUND));
    assert_true(is(result.trade_no, "SR7"));
    assert_true(result.amount == 700);
    assert_true(is(result.currency, "CNY"));
    assert_true(result.paid_at_ms == NOW_MS);
    assert_true(result.refunded_total == 900);
    result = signed_answer(PH_OP_QUERY, 200,
                           "{\"code\":\"ok\",\"status\":\"paid\","
                           "\"out_trade_no\":\"A1\"}");
    assert_true(result.refunded_total == -1);
}

static void
every_code_of_the_table_is_found(void **state)
{
    char body[128];

    (void) state;
    for (size_t i = 0; i < channel->code_count; i++) {
        const struct ph_channel_code *row = &channel->codes[i];
        enum ph_channel_op            op
            = row->result == PH_RESULT_NOT_FOUND ? PH_OP_QUERY : PH_OP_CREATE;

        snprintf(body, sizeof(body), "{\"code\":\"%s\"}", row->code.ptr);
        ph_arena_reset(&arena);
        assert_int_equal(signed_answer(op, 200, named(body)).class,
                         row->result);
    }
}

static void
answers_echo_what_they_say(void **state)
{
    struct ph_channel_result result = signed_answer(
        PH_OP_CREATE, 200,
        "{\"code\":\"ok\",\"status\":\"pending\",\"out_trade_no\":\"A1\","
        "\"trade_no\":\"SB7\",\"amount\":999999999999999,\"currency\":\"JPY\","
        "\"qr_code\":\"sandbox://pay/A\\\"1\",\"later\":[1,{}]}");

    (void) state;
    assert_int_equal(result.class, PH_RESULT_WAIT_USER);
    assert_true(is(result.number, "A1"));
    assert_true(is(result.trade_no, "SB7"));
    assert_true(result.amount == 999999999999999);
    assert_true(is(result.currency, "JPY"));
    assert_int_equal(result.action, PH_ACTION_QR_CODE);
    assert_true(is(result.action_data, "\"sandbox://pay/A\\\"1\""));
    assert_true(is(result.channel_code, "ok"));
    assert_int_equal(result.paid_at_ms, 0);

    result = signed_answer(
        PH_OP_QUERY, 200,
        "{\"code\":\"ok\",\"status\":\"paid\","
        "\"out_trade_no\":\"A1\",\"paid_at\":\"2026-01-02T03:00:00.123Z\","
        "\"qr_code\":\"x\"}");
    assert_true(result.paid_at_ms == NOW_MS);
    assert_true(result.amount == -1);
    assert_int_equal(result.action, PH_ACTION_NONE);
}

static void
an_answer_that_is_not_genuine_is_unknown(void **state)
{
    static const char body[]
        = "{\"code\":\"ok\",\"status\":\"paid\",\"out_trade_no\":\"A1\"}";
    char other[64];
    char twisted[64];

    (void) state;
    snprintf(other, sizeof(other), "%s", signature(NOW_TEXT, "{}"));
    snprintf(twisted, sizeof(twisted), "%s", signature(NOW_TEXT, body));
    twisted[0] = twisted[0] == 'A' ? 'B' : 'A';
    const struct {
        const char *timestamp, *sign;
    } rows[] = {
        { NOW_TEXT, other },
        { NOW_TEXT, twisted },
        { NOW_TEXT, "" },
        { "1767322799", signature(NOW_TEXT, body) }, /* another time signed */
        { "", signature(NOW_TEXT, body) },
        { "0" NOW_TEXT, signature("0" NOW_TEXT, body) },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_result result
            = answer(PH_OP_CREATE, 200, rows[i].timestamp, rows[i].sign, body);

        assert_int_equal(result.class, PH_RESULT_UNKNOWN);
        assert_true(is(result.error_class, "signature"));
        assert_true(result.number.len == 0);
    }
    assert_int_equal(
        answer(PH_OP_CREATE, 200, NOW_TEXT, signature(NOW_TEXT, body), body)
            .class,
        PH_RESULT_SUCCEEDED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_whole),
        TEST(codes_ascend_and_none_says_succeeded),
        TEST(create_sends_all_that_the_order_says),
        TEST(query_and_close_send_the_number),
        TEST(refunds_send_both_numbers),
        TEST(operations_without_capability_are_errors),
        TEST(a_full_arena_is_an_error_at_every_size),
        TEST(a_full_arena_makes_an_answer_unknown),
        TEST(every_answer_proves_what_its_row_says),
        TEST(an_answer_without_a_number_proves_nothing),
        TEST(every_code_of_the_table_is_found),
        TEST(answers_echo_what_they_say),
        TEST(refunds_echo_what_they_say),
        TEST(a_refund_told_of_another_order_proves_nothing),
        TEST(an_answer_that_is_not_genuine_is_unknown),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

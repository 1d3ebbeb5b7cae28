/*
 * Alipay's adapter: what answers prove.  Every code for every operation, and
 * every word.  Answers that somebody bent: test_channel_alipay_bent.c.
 */
#include "t/unit/channel_alipay_told.h"

#include "channels/codes.h"

/* --- codes ---------------------------------------------------------------- */

/* Of create, query, close, reverse, refund, refund query:
 * U unknown, F failed, N not found, S not sent, Q a query follows. */
static const struct {
    const char *code, *sub_code, *classes;
    const char *word; /* of what is not unknown_code */
} codes[] = {
    { "20000", "isp.unknow-error", "UUUUUU", "channel_error" },
    { "20000", "aop.unknow-error", "UUUUUU", "channel_error" },
    { "20001", "aop.invalid-app-auth-token", "SUUUSU", "config" },
    { "40001", "isv.missing-method", "SUUUSU", "config" },
    { "40002", "isv.invalid-signature", "SUUUSU", "config" },
    { "40002", "isv.invalid-app-id", "SUUUSU", "config" },
    { "40003", "isv.code-invalid", "SUUUSU", "config" },
    { "40006", "isv.insufficient-isv-permissions", "SUUUSU", "config" },
    { "40005", "isv.app-call-limited", "SUUUUU", "rate_limited" },
    { "40004", "ACQ.SYSTEM_ERROR", "UUUUUU", "channel_error" },
    { "40004", "SYSTEM_ERROR", "UUUUUU", "channel_error" },
    { "40004", "aop.ACQ.SYSTEM_ERROR", "UUUUUU", "channel_error" },
    { "40004", "ACQ.TRADE_HAS_SUCCESS", "U-Q---", "paid" },
    { "40004", "ACQ.TRADE_HAS_CLOSE", "U---Q-", "closed" },
    { "40004", "ACQ.CONTEXT_INCONSISTENT", "U-----", "other_data" },
    { "40004", "ACQ.TRADE_NOT_EXIST", "-NNNFN", "not_found" },
    { "40004", "ACQ.PAYMENT_AUTH_CODE_INVALID", "F-----", "auth_code" },
    { "40004", "ACQ.BUYER_BALANCE_NOT_ENOUGH", "F-----", "insufficient_funds" },
    { "40004", "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", "F-----",
      "insufficient_funds" },
    { "40004", "ACQ.ERROR_BALANCE_PAYMENT_DISABLE", "F-----", "payer" },
    { "40004", "ACQ.TOTAL_FEE_EXCEED", "F-----", "limit" },
    { "40004", "ACQ.PAYMENT_FAIL", "F-----", "declined" },
    { "40004", "ACQ.DISCORDANT_REPEAT_REQUEST", "----U-", "other_data" },
    { "40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH", "----F-", "merchant_funds" },
    { "40004", "ACQ.TRADE_HAS_FINISHED", "----F-", "not_refundable" },
    { "40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "----F-", "over_refund" },
    { "40004", "ACQ.REASON_TRADE_REFUND_FEE_ERR", "----F-", "over_refund" },
    { "40004", "ACQ.TRADE_NOT_ALLOW_REFUND", "----F-", "not_refundable" },
    { "40004", "ACQ.TRADE_STATUS_ERROR", "--Q-.-", "paid" },
    { "40004", "ACQ.TRADE_STATUS_ERROR", "....Q.", "in_progress" },
    /* what nobody explained */
    { "40004", "ACQ.SOMETHING_NEW", "------", "" },
    { "40004", "acq.trade_not_exist", "------", "" },
    { "40004", "ACQ.TRADE_NOT_EXIST ", "------", "" },
    { "40004", "", "------", "" },
    { "40004", "40002", "SUUUSU", "config" },
    { "99999", "ACQ.TRADE_NOT_EXIST", "------", "" },
    { "50000", "ACQ.PAYMENT_FAIL", "------", "" },
    { "", "ACQ.PAYMENT_FAIL", "------", "" },
    { "10001", "", "------", "" },
};

static const enum ph_channel_op ops[]
    = { PH_OP_CREATE,  PH_OP_QUERY,  PH_OP_CLOSE,
        PH_OP_REVERSE, PH_OP_REFUND, PH_OP_REFUND_QUERY };

static void
code_proves(size_t row, size_t at)
{
    enum ph_result_class class = PH_RESULT_UNKNOWN;
    char letter                = codes[row].classes[at];
    char value[256];

    (void) snprintf(value, sizeof(value),
                    "{\"code\":\"%s\",\"msg\":\"m\",\"sub_code\":\"%s\","
                    "\"sub_msg\":\"s\"}",
                    codes[row].code, codes[row].sub_code);
    if (letter == '.') {
        return; /* told by another row */
    }
    begin(NULL);
    print_message("%s %s of %d\n", codes[row].code, codes[row].sub_code,
                  (int) ops[at]);
    enum ph_channel_step step = answered(ops[at], value);
    assert_int_equal(step, letter == 'Q' ? PH_STEP_NEED_REQUEST : PH_STEP_DONE);
    class = letter == 'F'   ? PH_RESULT_FAILED
            : letter == 'N' ? PH_RESULT_NOT_FOUND
            : letter == 'S' ? PH_RESULT_NOT_SENT
                            : PH_RESULT_UNKNOWN;
    proves(class, letter == '-' ? "unknown_code" : codes[row].word);
    assert_true(t_is(out.result.channel_code, codes[row].sub_code[0] != '\0'
                                                  ? codes[row].sub_code
                                                  : codes[row].code));
    assert_true(out.result.amount == -1);
}

static void
every_code_for_every_operation(void **unused)
{
    (void) unused;
    for (size_t row = 0; row < PH_COUNT(codes); row++) {
        for (size_t at = 0; at < PH_COUNT(ops); at++) {
            code_proves(row, at);
        }
    }
}

/* each row of the adapter's table is one of ours above */
static void
no_row_is_without_a_test(void **unused)
{
    size_t at;

    (void) unused;
    assert_int_equal(ph_codes_check(&ph_channel_alipay, &at), PH_CODES_OK);
    for (size_t i = 0; i < ph_channel_alipay.code_count; i++) {
        struct ph_str code = ph_channel_alipay.codes[i].code;
        size_t        row  = 0;

        assert_true(code.len != 0);
        while (row < PH_COUNT(codes) && !t_is(code, codes[row].code)
               && !t_is(code, codes[row].sub_code))
        {
            row++;
        }
        assert_true(row < PH_COUNT(codes));
    }
}

/* --- what went well ------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum ph_channel_op   op;
    const char          *method; /* NULL = alipay_qr */
    const char          *value;  /* behind code 10000 */
    enum ph_result_class want;
    const char          *word;
    int64_t              amount;
} good[] = {
    { PH_OP_CREATE, NULL, NUMBERED ",\"qr_code\":\"https:\\/\\/qr\"", PH_RESULT_WAIT_USER, "", -1 },
    { PH_OP_CREATE, NULL, NUMBERED, PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_CREATE, NULL, "\"qr_code\":\"https://qr\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_CREATE, "alipay_bar", NUMBERED ",\"trade_no\":\"2026\",\"total_amount\":\"88.88\"", PH_RESULT_SUCCEEDED, "", 8888 },
    { PH_OP_CREATE, "bar", NUMBERED ",\"trade_no\":\"2026\",\"total_amount\":\"88.88\"", PH_RESULT_SUCCEEDED, "", 8888 },
    { PH_OP_CREATE, "alipay_bar", "\"total_amount\":\"88.88\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_CREATE, "alipay_bar", NUMBERED, PH_RESULT_SUCCEEDED, "", -1 }, /* the core asks for an amount */
    { PH_OP_CREATE, "alipay_jsapi", NUMBERED ",\"trade_no\":\"2026\"", PH_RESULT_WAIT_USER, "", -1 },
    { PH_OP_CREATE, "alipay_jsapi", NUMBERED, PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.88\"", PH_RESULT_SUCCEEDED, "", 8888 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_FINISHED\",\"total_amount\":\"88.9\"", PH_RESULT_SUCCEEDED, "", 8890 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_CLOSED\",\"total_amount\":\"88\"", PH_RESULT_CLOSED, "", 8800 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"WAIT_BUYER_PAY\",\"total_amount\":\"88.88\"", PH_RESULT_WAIT_USER, "", 8888 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_PENDING\",\"total_amount\":\"88.88\"", PH_RESULT_UNKNOWN, "unknown_code", 8888 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"trade_success\"", PH_RESULT_UNKNOWN, "unknown_code", -1 },
    { PH_OP_QUERY, NULL, NUMBERED, PH_RESULT_UNKNOWN, "unknown_code", -1 },
    { PH_OP_QUERY, NULL, "\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.88\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_CLOSE, NULL, NUMBERED ",\"trade_no\":\"2026\"", PH_RESULT_CLOSED, "", -1 },
    { PH_OP_CLOSE, NULL, "\"trade_no\":\"2026\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_REVERSE, NULL, NUMBERED ",\"retry_flag\":\"N\",\"action\":\"close\"", PH_RESULT_CLOSED, "", -1 },
    { PH_OP_REVERSE, NULL, NUMBERED ",\"retry_flag\":\"N\",\"action\":\"refund\"", PH_RESULT_CLOSED, "", -1 },
    { PH_OP_REVERSE, NULL, NUMBERED ",\"retry_flag\":\"N\"", PH_RESULT_CLOSED, "", -1 },
    { PH_OP_REVERSE, NULL, NUMBERED ",\"retry_flag\":\"Y\"", PH_RESULT_UNKNOWN, "in_progress", -1 },
    { PH_OP_REVERSE, NULL, NUMBERED, PH_RESULT_UNKNOWN, "unknown_code", -1 },
    { PH_OP_REFUND, NULL, NUMBERED ",\"fund_change\":\"Y\",\"refund_fee\":\"7.00\"", PH_RESULT_SUCCEEDED, "", 700 },
    { PH_OP_REFUND, NULL, NUMBERED ",\"fund_change\":\"Y\",\"refund_fee\":\"17.00\"", PH_RESULT_SUCCEEDED, "", 700 },
    { PH_OP_REFUND, NULL, NUMBERED ",\"fund_change\":\"Y\",\"refund_fee\":\"6.99\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_REFUND, NULL, NUMBERED ",\"fund_change\":\"Y\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_REFUND, NULL, NUMBERED ",\"fund_change\":\"\",\"refund_fee\":\"7.00\"", PH_RESULT_UNKNOWN, "unknown_code", -1 },
    { PH_OP_REFUND, NULL, "\"fund_change\":\"Y\",\"refund_fee\":\"7.00\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_REFUND, NULL, "\"out_trade_no\":\"A1\",\"fund_change\":\"Y\",\"refund_fee\":\"7.00\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_REFUND_QUERY, NULL, NUMBERED ",\"out_request_no\":\"" REFUND "\",\"refund_status\":\"REFUND_SUCCESS\",\"refund_amount\":\"7.00\"", PH_RESULT_SUCCEEDED, "", 700 },
    { PH_OP_REFUND_QUERY, NULL, "\"out_trade_no\":\"A1\",\"refund_status\":\"REFUND_SUCCESS\",\"refund_amount\":\"7.00\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_REFUND_QUERY, NULL, "\"refund_status\":\"REFUND_SUCCESS\",\"refund_amount\":\"7.00\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    { PH_OP_REFUND_QUERY, NULL, NUMBERED ",\"refund_amount\":\"7.00\"", PH_RESULT_UNKNOWN, "unknown_code", 700 },
    { PH_OP_REFUND_QUERY, NULL, NUMBERED ",\"refund_status\":\"REFUND_PROCESSING\",\"refund_amount\":\"7.00\"", PH_RESULT_UNKNOWN, "unknown_code", 700 },
    { PH_OP_REFUND_QUERY, NULL, NUMBERED ",\"out_request_no\":\"" REFUND "\"", PH_RESULT_NOT_FOUND, "not_found", -1 },
    { PH_OP_REFUND_QUERY, NULL, "\"msg\":\"Success\"", PH_RESULT_NOT_FOUND, "not_found", -1 },
    { PH_OP_REFUND_QUERY, NULL, "\"out_trade_no\":\"A1\"", PH_RESULT_UNKNOWN, "no_number", -1 },
    /* money is a text of at most two decimals, and nothing else */
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":88.88", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":8888", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.880\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"8.888e1\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"-1\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"10000000000000000\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\" 88.88\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":1,\"total_amount\":\"88.88\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_CLOSED\",\"trade_status\":\"TRADE_SUCCESS\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"trade_status\":\"TRADE_SUCCESS\\u0000\"", PH_RESULT_UNKNOWN, "unreadable", -1 },
    { PH_OP_QUERY, NULL, NUMBERED ",\"subject\":\"\xc4\xe3\"", PH_RESULT_UNKNOWN, "unreadable", -1 }, /* GBK */
};
/* clang-format on */

static void
every_success_says_what_its_row_says(void **unused)
{
    char value[512];

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(good); i++) {
        begin(NULL);
        if (good[i].method != NULL) {
            order.method = ph_str_z(good[i].method);
        }
        (void) snprintf(value, sizeof(value), "{\"code\":\"10000\",%s}",
                        good[i].value);
        print_message("%s\n", value);
        assert_int_equal(answered(good[i].op, value), PH_STEP_DONE);
        proves(good[i].want, good[i].word);
        assert_true(out.result.amount == good[i].amount);
        assert_true((out.result.currency.len != 0) == (good[i].amount >= 0));
        /* none of these makes a request, or a payer's action, of its own */
        assert_true((out.result.action != PH_ACTION_NONE)
                    == (out.result.class == PH_RESULT_WAIT_USER
                        && good[i].op == PH_OP_CREATE));
    }
}

static void
answers_echo_what_they_say(void **unused)
{
    (void) unused;
    answered(PH_OP_QUERY,
             "{\"code\":\"10000\",\"out_trade_no\":\"A1\",\"trade_no\":"
             "\"2026112322001401000123456789\",\"trade_status\":"
             "\"TRADE_SUCCESS\",\"total_amount\":\"88.88\","
             "\"trans_currency\":\"USD\","
             "\"send_pay_date\":\"2026-11-23 10:20:30\"}");
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(t_is(out.result.number, "A1"));
    assert_true(t_is(out.result.trade_no, "2026112322001401000123456789"));
    assert_true(t_is(out.result.currency, "USD"));
    assert_true(out.result.paid_at_ms == UINT64_C(1795400430000));
    assert_true(t_is(out.result.channel_code, "10000"));
    assert_true(out.result.refunded_total == -1);

    begin(NULL);
    answered(PH_OP_CREATE, "{\"code\":\"10000\"," NUMBERED
                           ",\"qr_code\":\"https:\\/\\/qr.alipay.com\\/x\"}");
    assert_int_equal(out.result.action, PH_ACTION_QR_CODE);
    assert_true(t_is(out.result.action_data, "\"https://qr.alipay.com/x\""));

    begin(NULL);
    order.method = PH_STR("alipay_jsapi");
    answered(PH_OP_CREATE,
             "{\"code\":\"10000\"," NUMBERED ",\"trade_no\":\"2026\"}");
    assert_int_equal(out.result.action, PH_ACTION_JSAPI);
    assert_true(t_is(out.result.action_data, "{\"tradeNO\":\"2026\"}"));
    assert_true(t_is(out.result.trade_no, "2026"));

    begin(NULL);
    answered(PH_OP_REFUND,
             "{\"code\":\"10000\"," NUMBERED ",\"fund_change\":\"Y\","
             "\"trade_no\":\"2026\",\"refund_fee\":\"9.00\","
             "\"gmt_refund_pay\":\"2026-11-23 10:20:30\"}");
    assert_true(out.result.refunded_total == 900);
    assert_true(out.result.paid_at_ms == UINT64_C(1795400430000));
    assert_true(out.result.trade_no.len == 0); /* that is the payment's */
}

static void
waiting_is_of_a_bar_code_only(void **unused)
{
    static const char value[] = "{\"code\":\"10003\",\"msg\":\"in process\","
                                "\"out_trade_no\":\"A1\",\"total_amount\":"
                                "\"88.88\",\"trade_no\":\"2026\"}";

    (void) unused;
    answered(PH_OP_CREATE, value);
    proves(PH_RESULT_UNKNOWN, "unknown_code");
    answered(PH_OP_QUERY, value);
    proves(PH_RESULT_UNKNOWN, "unknown_code");
    order.method = PH_STR("alipay_bar");
    answered(PH_OP_CREATE, value);
    proves(PH_RESULT_WAIT_USER, "");
    assert_true(out.result.amount == 8888);
    assert_true(t_is(out.result.number, "A1"));
    assert_true(t_is(out.result.trade_no, "2026"));
    assert_int_equal(out.result.action, PH_ACTION_NONE);
}

/* A refusal that tells a number of another order is one of that. */
static void
refusals_are_of_the_order_that_they_name(void **unused)
{
    static const char value[] = "{\"code\":\"40004\",\"sub_code\":"
                                "\"ACQ.TRADE_NOT_EXIST\",\"out_trade_no\":"
                                "\"A1\"}";

    (void) unused;
    answered(PH_OP_QUERY, value);
    proves(PH_RESULT_NOT_FOUND, "not_found");
    assert_true(t_is(out.result.number, "A1"));
    answered(PH_OP_REFUND, value);
    proves(PH_RESULT_UNKNOWN, "no_number");
}

/* --- two steps ------------------------------------------------------------ */

static bool
url_has(const char *text)
{
    return memmem(out.request.url.ptr, out.request.url.len, text, strlen(text))
           != NULL;
}

static void
a_close_that_was_refused_asks(void **unused)
{
    static const char paid[]
        = "{\"code\":\"10000\"," NUMBERED
          ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.88\"}";
    static const char refused[]
        = "{\"code\":\"40004\",\"sub_code\":\"ACQ.TRADE_STATUS_ERROR\"}";

    (void) unused;
    assert_int_equal(answered(PH_OP_CLOSE, refused), PH_STEP_NEED_REQUEST);
    assert_true(url_has("method=alipay.trade.query&"));
    assert_int_equal(told(PH_OP_CLOSE, 2, 200,
                          body_of("alipay_trade_query_response", paid, "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.result.amount == 8888);
    /* the answer of the first step is none to the second */
    assert_int_equal(told(PH_OP_CLOSE, 2, 200,
                          body_of("alipay_trade_close_response", paid, "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "unreadable");
    /* and a query that is refused is no third step */
    assert_int_equal(told(PH_OP_CLOSE, 2, 200,
                          body_of("alipay_trade_query_response", refused, "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "unknown_code");
}

/* A cancel whose end is not known may give the money back yet. */
static void
what_is_taken_back_is_not_paid(void **unused)
{
    static const char paid[]
        = "{\"code\":\"10000\"," NUMBERED
          ",\"trade_status\":\"TRADE_SUCCESS\",\"total_amount\":\"88.88\"}";
    static const char shut[]
        = "{\"code\":\"10000\"," NUMBERED
          ",\"trade_status\":\"TRADE_CLOSED\",\"total_amount\":\"88.88\"}";
    static const char again[]
        = "{\"code\":\"10000\"," NUMBERED ",\"retry_flag\":\"Y\"}";
    struct ph_channel_call call;

    (void) unused;
    order.method = PH_STR("alipay_bar");
    call         = call_of(PH_OP_REVERSE, 0);
    out          = (struct ph_channel_out){ 0 };
    assert_int_equal(ph_channel_alipay.step(&call, NULL, &out),
                     PH_STEP_NEED_REQUEST);
    assert_int_equal(call.state_len, 9); /* kept although no answer comes */
    state_len = call.state_len;
    answered(PH_OP_REVERSE, again);
    proves(PH_RESULT_UNKNOWN, "in_progress");
    answered(PH_OP_QUERY, paid);
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(state_len, 9);
    answered(PH_OP_QUERY, shut);
    proves(PH_RESULT_CLOSED, "");
    state_len = 0;
    answered(PH_OP_QUERY, paid);
    proves(PH_RESULT_SUCCEEDED, "");
}

static void
a_refund_that_was_asked_for_again_asks(void **unused)
{
    static const char again[] = "{\"code\":\"10000\"," NUMBERED
                                ",\"fund_change\":\"N\",\"refund_fee\":"
                                "\"7.00\"}";
    static const char found[]
        = "{\"code\":\"10000\"," NUMBERED ",\"out_request_no\":\"" REFUND
          "\",\"refund_status\":\"REFUND_SUCCESS\",\"refund_amount\":\"7.00\"}";
    static const char none[] = "{\"code\":\"10000\",\"msg\":\"Success\"}";
    const char       *member = "alipay_trade_fastpay_refund_query_response";

    (void) unused;
    assert_int_equal(answered(PH_OP_REFUND, again), PH_STEP_NEED_REQUEST);
    assert_true(url_has("method=alipay.trade.fastpay.refund.query&"));
    told(PH_OP_REFUND, 2, 200, body_of(member, found, ""));
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.result.amount == 700);
    assert_true(t_is(out.result.number, REFUND));
    told(PH_OP_REFUND, 2, 200, body_of(member, none, ""));
    proves(PH_RESULT_UNKNOWN, "in_progress");
}

/* Paid, closed, and no refund of ours: all of it went back another way. */
static void
a_refund_of_a_closed_trade_fails_by_two_answers(void **unused)
{
    static const char refused[] = "{\"code\":\"40004\",\"sub_code\":"
                                  "\"ACQ.TRADE_HAS_CLOSE\"}";
    static const char none[]    = "{\"code\":\"10000\",\"msg\":\"Success\"}";
    static const char missing[] = "{\"code\":\"40004\",\"sub_code\":"
                                  "\"ACQ.TRADE_NOT_EXIST\"}";
    static const char found[]
        = "{\"code\":\"10000\"," NUMBERED ",\"out_request_no\":\"" REFUND
          "\",\"refund_status\":\"REFUND_SUCCESS\",\"refund_amount\":\"7.00\"}";
    const char *member = "alipay_trade_fastpay_refund_query_response";

    (void) unused;
    assert_int_equal(answered(PH_OP_REFUND, refused), PH_STEP_NEED_REQUEST);
    told(PH_OP_REFUND, 2, 200, body_of(member, none, ""));
    proves(PH_RESULT_FAILED, "closed");
    assert_true(out.result.refunded_total == 8888);
    told(PH_OP_REFUND, 2, 200, body_of(member, found, ""));
    proves(PH_RESULT_SUCCEEDED, "");
    told(PH_OP_REFUND, 2, 200, body_of(member, missing, ""));
    proves(PH_RESULT_UNKNOWN, "in_progress");
    told(PH_OP_REFUND, 2, 500, body_of(member, none, ""));
    proves(PH_RESULT_UNKNOWN, "channel_error");
    /* not yet, while the query may not see it */
    order.refund_ms = T_NOW_MS - 1;
    told(PH_OP_REFUND, 2, 200, body_of(member, none, ""));
    proves(PH_RESULT_UNKNOWN, "in_progress");
    order.refund_ms = T_NOW_MS - 60000;
    /* and not after another refusal */
    assert_int_equal(answered(PH_OP_REFUND, "{\"code\":\"40004\",\"sub_code\":"
                                            "\"ACQ.TRADE_STATUS_ERROR\"}"),
                     PH_STEP_NEED_REQUEST);
    told(PH_OP_REFUND, 2, 200, body_of(member, none, ""));
    proves(PH_RESULT_UNKNOWN, "in_progress");
}

/* A query within ten seconds of the refund knows nothing yet. */
static void
a_young_refund_is_not_missed(void **unused)
{
    static const char none[] = "{\"code\":\"10000\",\"msg\":\"Success\"}";

    (void) unused;
    order.refund_ms = T_NOW_MS - ALIPAY_SETTLES_MS + 1;
    answered(PH_OP_REFUND_QUERY, none);
    proves(PH_RESULT_UNKNOWN, "in_progress");
    order.refund_ms--;
    answered(PH_OP_REFUND_QUERY, none);
    proves(PH_RESULT_NOT_FOUND, "not_found");
}

/* Whoever wrote it is not known: it does not prove that nothing was done. */
static void
a_401_that_nobody_verified_begins_nothing_anew(void **unused)
{
    static const struct {
        enum ph_channel_op   op;
        const char          *method, *member;
        unsigned             status;
        enum ph_channel_step want;
    } asked[] = {
        { PH_OP_CREATE, "alipay_bar", "alipay_trade_pay_response", 401,
          PH_STEP_DONE },
        { PH_OP_REFUND, "alipay_qr", "alipay_trade_refund_response", 401,
          PH_STEP_DONE },
        { PH_OP_CLOSE, "alipay_qr", "alipay_trade_close_response", 401,
          PH_STEP_DONE },
        { PH_OP_REVERSE, "alipay_bar", "alipay_trade_cancel_response", 401,
          PH_STEP_DONE },
        { PH_OP_QUERY, "alipay_qr", "alipay_trade_query_response", 401,
          PH_STEP_NEED_REFRESH },
        /* the core ends it unknown when the certificate is there */
        { PH_OP_REFUND, "alipay_qr", "alipay_trade_refund_response", 200,
          PH_STEP_NEED_REFRESH },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(asked); i++) {
        const char *body = body_of(
            asked[i].member, "{\"code\":\"10000\"," NUMBERED "}",
            "\"alipay_cert_sn\":\"0123456789abcdef0123456789abcdef\",");

        order.method                       = ph_str_z(asked[i].method);
        struct ph_channel_call        call = call_of(asked[i].op, 1);
        const struct ph_channel_reply reply
            = { .status = asked[i].status, .body = ph_str_z(body) };

        call.account = &cert;
        out          = (struct ph_channel_out){ 0 };
        assert_int_equal(ph_channel_alipay.step(&call, &reply, &out),
                         asked[i].want);
        assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_code_for_every_operation),
        TEST(no_row_is_without_a_test),
        TEST(every_success_says_what_its_row_says),
        TEST(answers_echo_what_they_say),
        TEST(waiting_is_of_a_bar_code_only),
        TEST(refusals_are_of_the_order_that_they_name),
        TEST(a_close_that_was_refused_asks),
        TEST(what_is_taken_back_is_not_paid),
        TEST(a_refund_that_was_asked_for_again_asks),
        TEST(a_refund_of_a_closed_trade_fails_by_two_answers),
        TEST(a_young_refund_is_not_missed),
        TEST(a_401_that_nobody_verified_begins_nothing_anew),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * test_channel_wechatpay.c - what is asked of WeChat Pay, and what its answers
 * prove: every code by every operation, every state, and every bad answer.
 */
#include "t/unit/channel_wechatpay.h"

#include <jansson.h>

#define UNKNOWN PH_RESULT_UNKNOWN
#define SUCCEEDED PH_RESULT_SUCCEEDED
#define FAILED PH_RESULT_FAILED
#define WAIT PH_RESULT_WAIT_USER
#define CLOSED PH_RESULT_CLOSED
#define NOT_FOUND PH_RESULT_NOT_FOUND
#define NOT_SENT PH_RESULT_NOT_SENT

#define NAMED                                                                  \
    "\"appid\":\"" APPID "\",\"mchid\":\"" MCHID                               \
    "\",\"out_trade_no\":\"" ATTEMPT "\""
#define ORDER_WITH(state, amount)                                              \
    "{" NAMED ",\"trade_state\":\"" state "\",\"transaction_id\":\"42000\","   \
    "\"success_time\":\"2026-11-24T09:20:30+08:00\",\"amount\":" amount "}"
#define FEN(total)                                                             \
    "{\"total\":" total ",\"payer_total\":90,\"currency\":\"CNY\","            \
    "\"payer_currency\":\"CNY\"}"
#define ORDER(state) ORDER_WITH(state, FEN("100"))
#define REFUNDED_WITH(state, refund, of)                                       \
    "{\"refund_id\":\"50300\",\"out_refund_no\":\"" REFUND                     \
    "\",\"transaction_id\":\"42000\",\"out_trade_no\":\"" of                   \
    "\",\"status\":\"" state "\",\"success_time\":"                            \
    "\"2026-11-24T09:20:30+08:00\",\"amount\":{\"total\":100,"                 \
    "\"refund\":" refund                                                       \
    ",\"payer_total\":90,\"payer_refund\":6,\"currency\":\"CNY\"}}"
#define REFUNDED(state) REFUNDED_WITH(state, "7", ATTEMPT)
#define ERROR(code)                                                            \
    "{\"code\":\"" code "\",\"message\":\"it says why\",\"detail\":{}}"

static int
setup(void **state)
{
    (void) state;
    account_usual();
    order_usual("wechat_native");
    return 0;
}

static void
begins(enum ph_channel_op op)
{
    assert_int_equal(begin(op), PH_STEP_NEED_REQUEST);
}

static void
done(enum ph_channel_op op, unsigned status, const char *body)
{
    begins(op);
    assert_int_equal(answer(status, body), PH_STEP_DONE);
    assert_int_equal(call.state_len, 0);
}

/* ---- codes ---- */

/* What the documents say of a code, by operation: create, query, refund and
 * query of a refund.  Anything else is unknown. */
static const struct code_row {
    const char          *code;
    unsigned             status;
    enum ph_result_class create, query, refund, refund_query;
    const char          *words[4];
} code_rows[] = {
    /* clang-format off */
    { "PARAM_ERROR", 400, FAILED, UNKNOWN, FAILED, UNKNOWN,
      { "request", "request", "request", "request" } },
    { "APPID_MCHID_NOT_MATCH", 400, NOT_SENT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "config", "unknown_code", "unknown_code", "unknown_code" } },
    { "MCH_NOT_EXISTS", 400, NOT_SENT, UNKNOWN, NOT_SENT, UNKNOWN,
      { "config", "config", "config", "config" } },
    { "OPENID_MISMATCH", 400, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "request", "unknown_code", "unknown_code", "unknown_code" } },
    { "ORDER_CLOSED", 400, CLOSED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "closed", "unknown_code", "unknown_code", "unknown_code" } },
    { "ORDERCLOSED", 403, CLOSED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "closed", "unknown_code", "unknown_code", "unknown_code" } },
    { "ORDERPAID", 400, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "paid", "paid", "paid", "paid" } },
    { "ORDER_PAID", 403, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "paid", "paid", "paid", "paid" } },
    { "SIGN_ERROR", 401, NOT_SENT, UNKNOWN, NOT_SENT, UNKNOWN,
      { "config", "config", "config", "config" } },
    { "OUT_TRADE_NO_USED", 403, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "other_data", "other_data", "other_data", "other_data" } },
    { "NO_AUTH", 403, NOT_SENT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "config", "config", "config", "config" } },
    { "RULE_LIMIT", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "limit", "unknown_code", "unknown_code", "unknown_code" } },
    { "ACCOUNT_ERROR", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "payer", "unknown_code", "unknown_code", "unknown_code" } },
    { "NOT_ENOUGH", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "insufficient_funds", "unknown_code", "merchant_funds",
        "unknown_code" } },
    { "NOTENOUGH", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "insufficient_funds", "unknown_code", "merchant_funds",
        "unknown_code" } },
    { "TRADE_ERROR", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "declined", "unknown_code", "unknown_code", "unknown_code" } },
    { "USER_ACCOUNT_ABNORMAL", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "payer", "unknown_code", "unknown_code", "unknown_code" } },
    { "ORDER_NOT_EXIST", 404, UNKNOWN, NOT_FOUND, FAILED, NOT_FOUND,
      { "unknown_code", "not_found", "not_found", "not_found" } },
    { "ORDERNOTEXIST", 404, UNKNOWN, NOT_FOUND, FAILED, NOT_FOUND,
      { "unknown_code", "not_found", "not_found", "not_found" } },
    { "RESOURCE_NOT_EXISTS", 404, UNKNOWN, NOT_FOUND, FAILED, NOT_FOUND,
      { "unknown_code", "not_found", "not_found", "not_found" } },
    { "FREQUENCY_LIMITED", 429, NOT_SENT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "rate_limited", "rate_limited", "rate_limited", "rate_limited" } },
    { "RATELIMIT_EXCEEDED", 429, NOT_SENT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "rate_limited", "rate_limited", "rate_limited", "rate_limited" } },
    { "SYSTEM_ERROR", 500, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "channel_error", "channel_error", "channel_error", "channel_error" } },
    { "SYSTEMERROR", 400, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "channel_error", "channel_error", "channel_error", "channel_error" } },
    { "SERVICE_UNAVAILABLE", 503, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "channel_error", "channel_error", "channel_error", "channel_error" } },
    { "BANK_ERROR", 502, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "channel_error", "channel_error", "channel_error", "channel_error" } },
    { "BANKERROR", 403, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "channel_error", "channel_error", "channel_error", "channel_error" } },
    { "USERPAYING", 403, WAIT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "wait_user", "unknown_code", "unknown_code", "unknown_code" } },
    { "USER_PAYING", 403, WAIT, UNKNOWN, UNKNOWN, UNKNOWN,
      { "wait_user", "unknown_code", "unknown_code", "unknown_code" } },
    { "AUTH_CODE_EXPIRED", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "auth_code", "unknown_code", "unknown_code", "unknown_code" } },
    { "AUTH_CODE_INVALID", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "auth_code", "unknown_code", "unknown_code", "unknown_code" } },
    { "AUTHCODEEXPIRE", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "auth_code", "unknown_code", "unknown_code", "unknown_code" } },
    { "AUTHCODE_ERROR", 403, FAILED, UNKNOWN, UNKNOWN, UNKNOWN,
      { "auth_code", "unknown_code", "unknown_code", "unknown_code" } },
    { "NEVER_HEARD_OF", 400, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "unknown_code", "unknown_code", "unknown_code", "unknown_code" } },
    { "", 400, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
      { "unknown_code", "unknown_code", "unknown_code", "unknown_code" } },
    /* clang-format on */
};

/* the row of the adapter's table was met, by its name without underscores */
static bool was_met[128];

static void
row_meet(const char *code)
{
    const struct ph_channel *channel = &ph_channel_wechatpay;
    char                     plain[64];
    size_t                   len = 0;

    for (const char *at = code; *at != '\0'; at++) {
        if (*at != '_') {
            plain[len++] = *at;
        }
    }
    for (size_t i = 0; i < channel->code_count; i++) {
        was_met[i]
            = was_met[i]
              || ph_str_eq(channel->codes[i].code, ph_str_make(plain, len));
    }
}

static void
code_judged(const struct code_row *row, enum ph_channel_op op,
            enum ph_result_class class, const char *word, const char *method)
{
    char text[256];

    order_usual(method);
    (void) snprintf(text, sizeof(text),
                    "{\"code\":\"%s\",\"message\":\"it says why\"}", row->code);
    done(op, row->status, text);
    print_message("  %s by %d\n", row->code, (int) op);
    proves(class, word);
    assert_int_equal(out.result.amount, -1);
    assert_int_equal(out.result.action, PH_ACTION_NONE);
    if (row->status < 500) {
        same_text(out.result.channel_code, row->code);
        same_text(out.result.message, "it says why");
    }
}

static void
test_codes(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(code_rows); i++) {
        const struct code_row *row = &code_rows[i];

        code_judged(row, PH_OP_CREATE, row->create, row->words[0],
                    "wechat_native");
        code_judged(row, PH_OP_CREATE, row->create, row->words[0],
                    "wechat_bar");
        code_judged(row, PH_OP_QUERY, row->query, row->words[1],
                    "wechat_native");
        code_judged(row, PH_OP_REFUND, row->refund, row->words[2],
                    "wechat_native");
        code_judged(row, PH_OP_REFUND_QUERY, row->refund_query, row->words[3],
                    "wechat_native");
        row_meet(row->code);
    }
    row_meet("INVALID_REQUEST"); /* a test of its own */
    for (size_t i = 0; i < ph_channel_wechatpay.code_count; i++) {
        if (!was_met[i]) {
            fail_msg("%s: no test", ph_channel_wechatpay.codes[i].code.ptr);
        }
    }
}

static void
test_table(void **state)
{
    size_t              at;
    enum ph_codes_fault fault = ph_codes_check(&ph_channel_wechatpay, &at);

    (void) state;
    if (fault != PH_CODES_OK) {
        fail_msg("row %zu: %s", at, ph_codes_expected(fault));
    }
    assert_true(ph_channel_find(PH_STR("wechatpay")) == &ph_channel_wechatpay);
}

/* ---- states ---- */

static const struct state_row {
    const char *word;
    enum ph_result_class class;
    const char *error_class;
} order_rows[] = {
    { "SUCCESS", SUCCEEDED, "" },    { "REFUND", SUCCEEDED, "" },
    { "NOTPAY", WAIT, "" },          { "USERPAYING", WAIT, "" },
    { "ACCEPT", WAIT, "" },          { "CLOSED", CLOSED, "" },
    { "REVOKED", CLOSED, "" },       { "PAYERROR", FAILED, "declined" },
    { "success", UNKNOWN, "unknown_code" },
    { "SUCCESS ", UNKNOWN, "unknown_code" },
    { "PAID", UNKNOWN, "unknown_code" },
    { "", UNKNOWN, "no_number" },
}, refund_rows[] = {
    { "SUCCESS", SUCCEEDED, "" },
    { "PROCESSING", WAIT, "" },
    { "ABNORMAL", WAIT, "abnormal" },
    { "CLOSED", FAILED, "canceled" },
    { "REFUNDED", UNKNOWN, "unknown_code" },
    { "", UNKNOWN, "no_number" },
};

static void
test_order_states(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(order_rows); i++) {
        const struct state_row *row = &order_rows[i];
        char                    text[1024];

        (void) snprintf(text, sizeof(text), ORDER("%s"), row->word);
        for (size_t k = 0; k < 2; k++) { /* code pay answers the same */
            order_usual(k == 0 ? "wechat_native" : "wechat_bar");
            done(k == 0 ? PH_OP_QUERY : PH_OP_CREATE, 200, text);
            proves(row->class, row->error_class);
            if (row->word[0] == '\0') {
                continue;
            }
            same_text(out.result.number, ATTEMPT);
            same_text(out.result.trade_no, "42000");
            same_text(out.result.seller, MCHID);
            same_text(out.result.app, APPID);
            same_text(out.result.currency, "CNY");
            assert_int_equal(out.result.amount, 100); /* not what he paid */
            assert_true(out.result.paid_at_ms == UINT64_C(1795483230000));
            assert_int_equal(out.result.refunded_total, -1);
            assert_int_equal(out.result.action, PH_ACTION_NONE);
        }
    }
}

static void
test_refund_states(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(refund_rows); i++) {
        const struct state_row *row = &refund_rows[i];
        char                    text[1024];

        (void) snprintf(text, sizeof(text), REFUNDED("%s"), row->word);
        for (size_t k = 0; k < 2; k++) {
            done(k == 0 ? PH_OP_REFUND : PH_OP_REFUND_QUERY, 200, text);
            proves(row->class, row->error_class);
            if (row->word[0] == '\0') {
                continue;
            }
            same_text(out.result.number, REFUND);
            same_text(out.result.trade_no, "50300");
            assert_int_equal(out.result.amount, 7);
            same_text(out.result.seller, "");
            same_text(out.result.app, "");
        }
    }
    /* of another payment: nothing about this one */
    done(PH_OP_REFUND_QUERY, 200,
         REFUNDED_WITH("SUCCESS", "7", "A0K1M2N3P4Q7Z0123456789ABCX"));
    proves(UNKNOWN, "no_number");
}

/* an answer that has less than all of its members */
static void
test_partial(void **state)
{
    static const struct {
        const char *body;
        enum ph_result_class class;
        const char *error_class;
    } rows[] = {
        { "{\"trade_state\":\"USERPAYING\"}", WAIT, "" },
        { "{\"trade_state\":\"SUCCESS\"}", UNKNOWN, "no_number" },
        { "{\"trade_state\":\"CLOSED\"}", UNKNOWN, "no_number" },
        { "{\"trade_state\":\"PAYERROR\"}", UNKNOWN, "no_number" },
        { "{\"appid\":\"" APPID "\",\"mchid\":\"" MCHID
          "\",\"trade_state\":\"CLOSED\"}",
          UNKNOWN, "no_number" },
        { "{" NAMED "}", UNKNOWN, "no_number" },
        { "{" NAMED ",\"trade_state\":\"SUCCESS\"}", UNKNOWN, "no_number" },
        { "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{}}", UNKNOWN,
          "no_number" },
        { "{" NAMED ",\"trade_state\":\"CLOSED\"}", CLOSED, "" },
        { "{\"mchid\":\"" MCHID "\",\"out_trade_no\":\"" ATTEMPT
          "\",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100}}",
          UNKNOWN, "no_number" },
        { "{\"appid\":\"" APPID "\",\"out_trade_no\":\"" ATTEMPT
          "\",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100}}",
          UNKNOWN, "no_number" },
        { "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100}}",
          SUCCEEDED, "" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        done(PH_OP_QUERY, 200, rows[i].body);
        proves(rows[i].class, rows[i].error_class);
    }
}

/* What speaks of something else says so, and the core compares. */
static void
test_others(void **state)
{
    static const struct {
        const char *body, *number, *seller, *app, *currency;
    } rows[] = {
        { "{\"appid\":\"" APPID "\",\"mchid\":\"" MCHID
          "\",\"out_trade_no\":\"A0\",\"trade_state\":\"SUCCESS\","
          "\"amount\":{\"total\":100,\"currency\":\"CNY\"}}",
          "A0", MCHID, APPID, "CNY" },
        { "{\"appid\":\"wxother\",\"mchid\":\"1\",\"out_trade_no\":\"" ATTEMPT
          "\",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100,"
          "\"currency\":\"USD\"}}",
          ATTEMPT, "1", "wxother", "USD" },
        { "{\"sp_appid\":\"wxsp\",\"sp_mchid\":\"2\",\"sub_mchid\":\"3\","
          "\"out_trade_no\":\"" ATTEMPT
          "\",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100}}",
          ATTEMPT, "2/3", "wxsp", "" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        done(PH_OP_QUERY, 200, rows[i].body);
        proves(SUCCEEDED, "");
        same_text(out.result.number, rows[i].number);
        same_text(out.result.seller, rows[i].seller);
        same_text(out.result.app, rows[i].app);
        same_text(out.result.currency, rows[i].currency);
    }
    struct ph_channel_expected expected;
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.seller, MCHID);
    same_text(expected.app, APPID);
}

/* ---- amounts ---- */

static void
test_amounts(void **state)
{
    static const char *const bad[] = { "\"100\"",
                                       "100.0",
                                       "1e2",
                                       "-1",
                                       "10000000000000000",
                                       "\" 100\"",
                                       "true",
                                       "[100]",
                                       "{}",
                                       "99999999999999999999",
                                       "1000000000000000",
                                       "0x64",
                                       "1,\"total\":100" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bad); i++) {
        char text[1024];

        (void) snprintf(text, sizeof(text), ORDER_WITH("SUCCESS", FEN("%s")),
                        bad[i]);
        done(PH_OP_QUERY, 200, text);
        print_message("  %s\n", bad[i]);
        proves(UNKNOWN, "unreadable");
        (void) snprintf(text, sizeof(text),
                        REFUNDED_WITH("SUCCESS", "%s", ATTEMPT), bad[i]);
        done(PH_OP_REFUND_QUERY, 200, text);
        proves(UNKNOWN, "unreadable");
    }
    done(PH_OP_QUERY, 200, ORDER_WITH("SUCCESS", FEN("999999999999999")));
    proves(SUCCEEDED, "");
    assert_true(out.result.amount == INT64_C(999999999999999));
    done(PH_OP_QUERY, 200, ORDER_WITH("SUCCESS", FEN("null")));
    proves(UNKNOWN, "no_number");
}

/* ---- what a create shows ---- */

static void
action_is(const char *method, const char *body, enum ph_action_type action,
          const char *data)
{
    order_usual(method);
    done(PH_OP_CREATE, 200, body);
    proves(WAIT, "");
    assert_int_equal(out.result.action, action);
    if (data != NULL) {
        same_text(out.result.action_data, data);
    }
    same_text(out.result.number, "");
    assert_int_equal(out.result.amount, -1);
}

/* the members of what is handed over, and a signature that verifies */
static void
invoke_is(bool is_app, const char *appid, const char *partner)
{
    json_error_t error;
    json_t      *data = json_loadb(out.result.action_data.ptr,
                                   out.result.action_data.len, 0, &error);
    const char  *app
        = json_string_value(json_object_get(data, is_app ? "appid" : "appId"));
    const char *at = json_string_value(
        json_object_get(data, is_app ? "timestamp" : "timeStamp"));
    const char *nonce = json_string_value(
        json_object_get(data, is_app ? "noncestr" : "nonceStr"));
    const char *package = json_string_value(json_object_get(data, "package"));
    const char *sign
        = json_string_value(json_object_get(data, is_app ? "sign" : "paySign"));
    char          text[512];
    unsigned char raw[512];
    EVP_MD_CTX   *ctx = EVP_MD_CTX_new();

    assert_non_null(sign);
    assert_string_equal(app, appid);
    assert_string_equal(at, "1795500000");
    assert_int_equal(strlen(nonce), 32);
    assert_string_equal(package, is_app ? "Sign=WXPay" : "prepay_id=wx2014");
    if (is_app) {
        assert_int_equal(json_object_size(data), 7);
        assert_string_equal(
            json_string_value(json_object_get(data, "partnerid")), partner);
        assert_string_equal(
            json_string_value(json_object_get(data, "prepayid")), "wx2014");
    } else {
        assert_int_equal(json_object_size(data), 6);
        assert_string_equal(
            json_string_value(json_object_get(data, "signType")), "RSA");
    }
    (void) snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n", app, at, nonce,
                    is_app ? "wx2014" : package);
    int len = EVP_DecodeBlock(raw, (const unsigned char *) sign,
                              (int) strlen(sign));
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
                                          private_key("merchant_pkcs8.pem")),
                     1);
    assert_true(len > 256); /* the padding's bytes count */
    assert_int_equal(EVP_DigestVerify(ctx, raw, 256,
                                      (const unsigned char *) text,
                                      strlen(text)),
                     1);
    EVP_MD_CTX_free(ctx);
    json_decref(data);
}

static void
test_actions(void **state)
{
    static const char prepay[] = "{\"prepay_id\":\"wx2014\"}";

    (void) state;
    action_is("wechat_native", "{\"code_url\":\"weixin://wxpay/a?pr=\\u0026\"}",
              PH_ACTION_QR_CODE, "\"weixin://wxpay/a?pr=&\"");
    action_is("wechat_h5", "{\"h5_url\":\"https://wx.tenpay.com/x?a=1\"}",
              PH_ACTION_REDIRECT, "\"https://wx.tenpay.com/x?a=1\"");
    action_is("wechat_jsapi", prepay, PH_ACTION_JSAPI, NULL);
    invoke_is(false, APPID, MCHID);
    action_is("wechat_mini", prepay, PH_ACTION_JSAPI, NULL);
    invoke_is(false, APPID, MCHID);
    action_is("wechat_app", prepay, PH_ACTION_APP, NULL);
    invoke_is(true, APPID, MCHID);

    /* the app that the order names, in request and call alike */
    order_usual("wechat_app");
    order.extra = PH_STR("{\"appid\":\"wxother\"}");
    begins(PH_OP_CREATE);
    assert_non_null(memmem(out.request.body.ptr, out.request.body.len,
                           "\"appid\":\"wxother\"", 17));
    assert_int_equal(answer(200, prepay), PH_STEP_DONE);
    invoke_is(true, "wxother", MCHID);
    struct ph_channel_expected expected;
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.app, "wxother");
}

/* an answer that shows nothing, or another method's thing */
static void
test_no_action(void **state)
{
    static const struct {
        const char *method, *body;
    } rows[] = {
        { "wechat_native", "{}" },
        { "wechat_native", "{\"code_url\":\"\"}" },
        { "wechat_native", "{\"code_url\":7}" },
        { "wechat_native", "{\"prepay_id\":\"wx2014\"}" },
        { "wechat_h5", "{\"code_url\":\"weixin://a\"}" },
        { "wechat_h5", "{\"prepay_id\":\"wx2014\"}" },
        { "wechat_jsapi", "{\"h5_url\":\"https://a\"}" },
        { "wechat_app", "{\"prepay_id\":null}" },
        { "wechat_app", "[]" },
        { "wechat_app", "" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        order_usual(rows[i].method);
        done(PH_OP_CREATE, 200, rows[i].body);
        proves(UNKNOWN, "unreadable");
        assert_int_equal(out.result.action, PH_ACTION_NONE);
    }
}

/* ---- statuses ---- */

static void
test_statuses(void **state)
{
    static const struct {
        unsigned    status;
        const char *error_class;
    } rows[] = {
        { 100, "unreadable" },    { 201, "unreadable" },
        { 202, "in_progress" },   { 204, "unreadable" },
        { 301, "unreadable" },    { 302, "unreadable" },
        { 307, "unreadable" },    { 400, "unknown_code" },
        { 418, "unknown_code" },  { 499, "unknown_code" },
        { 500, "channel_error" }, { 502, "channel_error" },
        { 599, "channel_error" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        done(PH_OP_QUERY, rows[i].status, ORDER("SUCCESS"));
        proves(UNKNOWN, rows[i].error_class);
        done(PH_OP_REFUND, rows[i].status, REFUNDED("SUCCESS"));
        proves(UNKNOWN, rows[i].error_class);
        done(PH_OP_CREATE, rows[i].status, "{\"code_url\":\"weixin://a\"}");
        proves(UNKNOWN, rows[i].error_class);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_table, setup),
        cmocka_unit_test_setup(test_codes, setup),
        cmocka_unit_test_setup(test_order_states, setup),
        cmocka_unit_test_setup(test_refund_states, setup),
        cmocka_unit_test_setup(test_partial, setup),
        cmocka_unit_test_setup(test_others, setup),
        cmocka_unit_test_setup(test_amounts, setup),
        cmocka_unit_test_setup(test_actions, setup),
        cmocka_unit_test_setup(test_no_action, setup),
        cmocka_unit_test_setup(test_statuses, setup),
    };

    return cmocka_run_group_tests_name("channel_wechatpay", tests, group_begin,
                                       group_end);
}

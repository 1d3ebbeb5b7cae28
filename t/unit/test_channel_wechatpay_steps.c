/*
 * test_channel_wechatpay_steps.c - operations of more than one request, answers
 * that are not WeChat's, requests of partners.
 */
#include "t/unit/channel_wechatpay.h"

#define UNKNOWN PH_RESULT_UNKNOWN
#define SUCCEEDED PH_RESULT_SUCCEEDED
#define FAILED PH_RESULT_FAILED
#define WAIT PH_RESULT_WAIT_USER
#define CLOSED PH_RESULT_CLOSED
#define NOT_FOUND PH_RESULT_NOT_FOUND

#define ORDER(state)                                                           \
    "{\"appid\":\"" APPID "\",\"mchid\":\"" MCHID                              \
    "\",\"out_trade_no\":\"" ATTEMPT "\",\"trade_state\":\"" state             \
    "\",\"amount\":{\"total\":100,\"currency\":\"CNY\"}}"
#define REFUNDED(state)                                                        \
    "{\"refund_id\":\"50300\",\"out_refund_no\":\"" REFUND                     \
    "\",\"out_trade_no\":\"" ATTEMPT "\",\"status\":\"" state                  \
    "\",\"amount\":{\"total\":100,\"refund\":7,\"currency\":\"CNY\"}}"
#define ERROR(code) "{\"code\":\"" code "\",\"message\":\"it says why\"}"

#define QUERY_URL                                                              \
    BASE "/v3/pay/transactions/out-trade-no/" ATTEMPT "?mchid=" MCHID

static int
setup(void **state)
{
    (void) state;
    account_usual();
    order_usual("wechat_native");
    return 0;
}

static void
asked(const char *method, const char *url, const char *body)
{
    same_text(out.request.method, method);
    same_text(out.request.url, url);
    same_text(out.request.body, body);
}

/* ---- close, reverse, refund ---- */

/* the answer to the first request, then that to the query; 0 = there is none */
struct two_row {
    enum ph_channel_op op;
    unsigned           first;
    const char        *first_body;
    unsigned           second;
    const char        *second_body;
    enum ph_result_class class;
    const char *error_class;
};

static const struct two_row two_rows[] = {
    { PH_OP_CLOSE, 204, "", 0, "", CLOSED, "" },
    { PH_OP_CLOSE, 200, "{}", 0, "", UNKNOWN, "no_number" },
    { PH_OP_CLOSE, 202, "", 0, "", UNKNOWN, "in_progress" },
    { PH_OP_CLOSE, 500, ERROR("SYSTEM_ERROR"), 0, "", UNKNOWN,
      "channel_error" },
    { PH_OP_CLOSE, 400, ERROR("ORDERPAID"), 200, ORDER("SUCCESS"), SUCCEEDED,
      "" },
    { PH_OP_CLOSE, 400, ERROR("INVALID_REQUEST"), 200, ORDER("SUCCESS"),
      SUCCEEDED, "" },
    { PH_OP_CLOSE, 400, ERROR("ORDER_CLOSED"), 200, ORDER("CLOSED"), CLOSED,
      "" },
    { PH_OP_CLOSE, 400, ERROR("ORDER_CLOSED"), 200, ORDER("NOTPAY"), WAIT, "" },
    { PH_OP_CLOSE, 404, ERROR("ORDER_NOT_EXIST"), 404, ERROR("ORDER_NOT_EXIST"),
      NOT_FOUND, "not_found" },
    { PH_OP_CLOSE, 429, ERROR("FREQUENCY_LIMITED"), 429,
      ERROR("FREQUENCY_LIMITED"), UNKNOWN, "rate_limited" },
    { PH_OP_CLOSE, 401, ERROR("SIGN_ERROR"), 401, ERROR("SIGN_ERROR"), UNKNOWN,
      "config" },
    { PH_OP_CLOSE, 400, ERROR("PARAM_ERROR"), 400, ERROR("PARAM_ERROR"),
      UNKNOWN, "request" },
    { PH_OP_CLOSE, 404, "<html>", 200, ORDER("CLOSED"), CLOSED, "" },

    { PH_OP_REVERSE, 200, "{}", 200, ORDER("REVOKED"), CLOSED, "" },
    { PH_OP_REVERSE, 204, "", 200, ORDER("CLOSED"), CLOSED, "" },
    { PH_OP_REVERSE, 200, "{}", 200, ORDER("SUCCESS"), UNKNOWN, "in_progress" },
    { PH_OP_REVERSE, 200, "{}", 200, ORDER("REFUND"), UNKNOWN, "in_progress" },
    { PH_OP_REVERSE, 200, "{}", 200, ORDER("USERPAYING"), UNKNOWN,
      "in_progress" },
    { PH_OP_REVERSE, 200, "{}", 200, ORDER("NOTPAY"), UNKNOWN, "in_progress" },
    { PH_OP_REVERSE, 200, "{}", 200, ORDER("PAYERROR"), FAILED, "declined" },
    { PH_OP_REVERSE, 200, "{}", 500, ERROR("SYSTEM_ERROR"), UNKNOWN,
      "channel_error" },
    { PH_OP_REVERSE, 500, ERROR("SYSTEM_ERROR"), 200, ORDER("REVOKED"), CLOSED,
      "" },
    { PH_OP_REVERSE, 403, ERROR("TRADE_ERROR"), 200, ORDER("SUCCESS"), UNKNOWN,
      "in_progress" },
    { PH_OP_REVERSE, 404, ERROR("ORDER_NOT_EXIST"), 404,
      ERROR("ORDER_NOT_EXIST"), NOT_FOUND, "not_found" },

    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 200, REFUNDED("SUCCESS"),
      SUCCEEDED, "" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 200, REFUNDED("PROCESSING"),
      WAIT, "" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 200, REFUNDED("CLOSED"),
      FAILED, "canceled" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 404,
      ERROR("RESOURCE_NOT_EXISTS"), FAILED, "request" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 500, ERROR("SYSTEM_ERROR"),
      UNKNOWN, "channel_error" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 429,
      ERROR("FREQUENCY_LIMITED"), UNKNOWN, "rate_limited" },
    { PH_OP_REFUND, 400, ERROR("INVALID_REQUEST"), 400,
      ERROR("INVALID_REQUEST"), UNKNOWN, "request" },
    { PH_OP_REFUND, 403, ERROR("NOT_ENOUGH"), 0, "", UNKNOWN,
      "merchant_funds" },
};

static void
test_two_requests(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(two_rows); i++) {
        const struct two_row *row = &two_rows[i];

        print_message("  %zu: op %d, %u %s\n", i, (int) row->op, row->first,
                      row->first_body);
        order_usual(row->op == PH_OP_REVERSE ? "wechat_bar" : "wechat_native");
        assert_int_equal(begin(row->op), PH_STEP_NEED_REQUEST);
        const size_t kept_len = row->op == PH_OP_REVERSE ? 9 : 0;

        assert_int_equal(call.state_len, kept_len);
        if (row->second != 0) {
            assert_int_equal(answer(row->first, row->first_body),
                             PH_STEP_NEED_REQUEST);
            assert_int_equal(call.state_len, kept_len + 1);
            asked("GET",
                  row->op == PH_OP_REFUND ? BASE
                      "/v3/refund/domestic/refunds/" REFUND
                                          : QUERY_URL,
                  "");
            assert_int_equal(answer(row->second, row->second_body),
                             PH_STEP_DONE);
        } else {
            assert_int_equal(answer(row->first, row->first_body), PH_STEP_DONE);
        }
        assert_int_equal(call.state_len, kept_len);
        proves(row->class, row->error_class);
    }
}

/* What is taken back is not paid, as long as it may still go back. */
static void
test_reversed(void **state)
{
    static const struct {
        uint64_t    age_ms;
        const char *body;
        enum ph_result_class class;
    } rows[] = {
        { 0, ORDER("SUCCESS"), WAIT },
        { 1000, ORDER("REFUND"), WAIT },
        { 299999, ORDER("SUCCESS"), WAIT },
        { 300000, ORDER("SUCCESS"), SUCCEEDED },
        { 1000, ORDER("REVOKED"), CLOSED },
        { 1000, ORDER("NOTPAY"), WAIT },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        order_usual("wechat_bar");
        assert_int_equal(begin(PH_OP_REVERSE), PH_STEP_NEED_REQUEST);
        call.op   = PH_OP_QUERY; /* its answer was lost */
        call.step = 0;
        call.now_ms += 1;
        out = (struct ph_channel_out){ 0 };
        assert_int_equal(ph_channel_wechatpay.step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        same_text(out.request.method, "GET");
        assert_int_equal(call.state_len, 9);
        memset(state_bytes + 1, 0, 8); /* as if it was sent so long ago */
        for (int k = 0; k < 8; k++) {
            state_bytes[8 - k]
                = (uint8_t) ((NOW_MS - rows[i].age_ms) >> (8 * k));
        }
        call.now_ms = NOW_MS;
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        proves(rows[i].class, "");
    }
}

/* What stood in the row from another operation is not taken for our own. */
static void
test_old_state(void **state)
{
    (void) state;
    order_usual("wechat_bar");
    assert_int_equal(begin(PH_OP_REVERSE), PH_STEP_NEED_REQUEST);
    assert_int_equal(answer(200, "{}"), PH_STEP_NEED_REQUEST);
    out = (struct ph_channel_out){ 0 };
    assert_int_equal(ph_channel_wechatpay.step(&call, NULL, &out),
                     PH_STEP_NEED_REQUEST);
    same_text(out.request.method, "POST"); /* begun anew: the first again */
    assert_int_equal(call.state_len, 9);
}

/* ---- answers that are not WeChat's ---- */

enum harm {
    HARM_NONE,
    HARM_NO_HEADERS,
    HARM_NO_SIGNATURE,
    HARM_NO_TIME,
    HARM_NO_NONCE,
    HARM_NO_SERIAL,
    HARM_CUT,
    HARM_NOT_BASE64,
    HARM_LONG,
    HARM_BIT,
    HARM_BODY,
    HARM_NONCE,
    HARM_NONCE_LINE,
    HARM_MERCHANT_KEY,
    HARM_OTHER_KEY,
    HARM_OTHER_SERIAL,
    HARM_PROBE,
    HARM_SM2,
    HARM_OLD,
    HARM_AHEAD,
    HARM_TIME_TEXT,
    HARM_TIME_MINUS,
    HARM_UNKNOWN_PUBLIC,
    HARMS
};

/* the class of such an answer of status 200, 4xx being "config" */
static const char *const harm_words[HARMS] = {
    [HARM_NO_HEADERS]     = "signature",
    [HARM_NO_SIGNATURE]   = "signature",
    [HARM_NO_TIME]        = "signature",
    [HARM_NO_NONCE]       = "signature",
    [HARM_NO_SERIAL]      = "signature",
    [HARM_CUT]            = "signature",
    [HARM_NOT_BASE64]     = "signature",
    [HARM_LONG]           = "signature",
    [HARM_BIT]            = "signature",
    [HARM_BODY]           = "signature",
    [HARM_NONCE]          = "signature",
    [HARM_NONCE_LINE]     = "signature",
    [HARM_MERCHANT_KEY]   = "signature",
    [HARM_OTHER_KEY]      = "signature",
    [HARM_OTHER_SERIAL]   = "signature",
    [HARM_PROBE]          = "signature",
    [HARM_SM2]            = "signature",
    [HARM_OLD]            = "stale",
    [HARM_AHEAD]          = "stale",
    [HARM_TIME_TEXT]      = "signature",
    [HARM_TIME_MINUS]     = "signature",
    [HARM_UNKNOWN_PUBLIC] = "signature",
};

static struct ph_str
changed(struct ph_str text, size_t at)
{
    struct ph_str copy = ph_arena_dup(&texts, text);

    ((char *) (uintptr_t) copy.ptr)[at] = copy.ptr[at] == 'A' ? 'B' : 'A';
    return copy;
}

static struct ph_str
joined(const char *first, struct ph_str second)
{
    struct ph_buf buf;

    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, ph_str_z(first));
    ph_buf_add(&buf, second);
    return ph_arena_close(&texts, &buf);
}

static void
harm_signature(struct ph_str *text, enum harm harm)
{
    switch ((unsigned) harm) {
    case HARM_NO_SIGNATURE:
        *text = PH_STR("");
        break;
    case HARM_CUT:
        text->len -= 4;
        break;
    case HARM_NOT_BASE64:
        *text = joined("-", *text);
        break;
    case HARM_LONG:
        *text = ph_str_make(text_memory, sizeof(text_memory) / 2);
        break;
    case HARM_BIT:
        *text = changed(*text, 7);
        break;
    case HARM_PROBE:
        *text = joined("WECHATPAY/SIGNTEST/", *text);
        break;
    default:
        break;
    }
}

static void
harm_make(struct wire *wire, enum harm harm, struct ph_str body)
{
    static const struct {
        enum harm   harm;
        const char *serial, *key;
        int64_t     at;
    } made[] = {
        { HARM_MERCHANT_KEY, SERIAL_1, "merchant_pkcs8.pem", 0 },
        { HARM_OTHER_KEY, SERIAL_1, "platform2_pkcs8.pem", 0 },
        { HARM_OTHER_SERIAL, SERIAL_2, "platform1_pkcs8.pem", 0 },
        { HARM_OLD, SERIAL_1, "platform1_pkcs8.pem", -301 },
        { HARM_AHEAD, SERIAL_1, "platform1_pkcs8.pem", 301 },
        { HARM_UNKNOWN_PUBLIC, PUBLIC_ID "9", "wxpub_pkcs8.pem", 0 },
        { HARM_NONE, SERIAL_1, "platform1_pkcs8.pem", 0 },
    };
    struct ph_channel_header *headers = wire->headers;
    size_t                    at      = 0;

    while (made[at].harm != HARM_NONE && made[at].harm != harm) {
        at++;
    }
    wire_make(wire, made[at].serial, made[at].key,
              (uint64_t) ((int64_t) NOW_S + made[at].at),
              harm == HARM_BODY ? joined(" ", body) : body);
    harm_signature(&headers[H_SIGNATURE].value, harm);
    switch ((unsigned) harm) {
    case HARM_NO_HEADERS:
        wire->count = 0;
        break;
    case HARM_NO_TIME:
        headers[H_TIME].name = PH_STR("Wechatpay-Time");
        break;
    case HARM_NO_NONCE:
        headers[H_NONCE].value = PH_STR("");
        break;
    case HARM_NO_SERIAL:
        headers[H_SERIAL].value = PH_STR("");
        break;
    case HARM_NONCE:
        headers[H_NONCE].value = changed(headers[H_NONCE].value, 3);
        break;
    case HARM_NONCE_LINE:
        headers[H_NONCE].value = PH_STR("c5ac\n7061");
        break;
    case HARM_SM2:
        headers[H_TYPE].value = PH_STR("WECHATPAY2-SM2-WITH-SM3");
        break;
    case HARM_TIME_TEXT:
        headers[H_TIME].value = joined(" ", headers[H_TIME].value);
        break;
    case HARM_TIME_MINUS:
        headers[H_TIME].value = PH_STR("-1795500000");
        break;
    default:
        break;
    }
}

static const struct {
    enum ph_channel_op op;
    unsigned           status;
    const char        *body;
} good_answers[] = {
    { PH_OP_CREATE, 200, "{\"code_url\":\"weixin://a\"}" },
    { PH_OP_QUERY, 200, ORDER("SUCCESS") },
    { PH_OP_QUERY, 200, ORDER("CLOSED") },
    { PH_OP_CLOSE, 204, "" },
    { PH_OP_REFUND, 200, REFUNDED("SUCCESS") },
    { PH_OP_REFUND_QUERY, 200, REFUNDED("SUCCESS") },
    /* refusals, believed when they are signed */
    { PH_OP_CREATE, 400, ERROR("PARAM_ERROR") },
    { PH_OP_CREATE, 401, ERROR("SIGN_ERROR") },
    { PH_OP_QUERY, 404, ERROR("ORDER_NOT_EXIST") },
    { PH_OP_REFUND, 404, ERROR("RESOURCE_NOT_EXISTS") },
    { PH_OP_CREATE, 429, ERROR("FREQUENCY_LIMITED") },
    { PH_OP_CREATE, 500, ERROR("SYSTEM_ERROR") },
};

static void
test_harm(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(good_answers); i++) {
        unsigned      status = good_answers[i].status;
        struct ph_str body   = ph_str_z(good_answers[i].body);
        struct wire   wire;

        for (size_t harm = 0; harm < HARMS; harm++) {
            size_t mark = texts.len;

            assert_int_equal(begin(good_answers[i].op), PH_STEP_NEED_REQUEST);
            harm_make(&wire, (enum harm) harm, body);
            assert_int_equal(answer_by(status, body, &wire), PH_STEP_DONE);
            if (harm == HARM_NONE) {
                assert_true(out.result.class != UNKNOWN || status >= 500);
                texts.len = mark;
                continue;
            }
            proves(UNKNOWN, status >= 500   ? "channel_error"
                            : status == 429 ? "rate_limited"
                            : status >= 400 ? "config"
                                            : harm_words[harm]);
            assert_int_equal(out.result.amount, -1);
            assert_int_equal(out.result.action, PH_ACTION_NONE);
            assert_int_equal(out.result.number.len, 0);
            texts.len = mark; /* signatures need much room */
        }
    }
}

/* both edges of the window, one second beyond each, and the serial's case */
static void
test_window(void **state)
{
    static const struct {
        int64_t     at;
        const char *serial;
        bool        is_good;
    } rows[] = {
        { -300, SERIAL_1, true },
        { 300, SERIAL_1, true },
        { -301, SERIAL_1, false },
        { 301, SERIAL_1, false },
        { 0, "5260894f69c0d37b6e8d6136b6cfc5afd3893904", true },
        { -100000000, SERIAL_1, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str body = PH_STR(ORDER("SUCCESS"));
        struct wire   wire;

        wire_make(&wire, rows[i].serial, "platform1_pkcs8.pem",
                  (uint64_t) ((int64_t) NOW_S + rows[i].at), body);
        assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer_by(200, body, &wire), PH_STEP_DONE);
        proves(rows[i].is_good ? SUCCEEDED : UNKNOWN,
               rows[i].is_good ? "" : "stale");
    }
    /* without the type of the signature it is the one that we know */
    struct wire wire;
    wire_make(&wire, PUBLIC_ID, "wxpub_pkcs8.pem", NOW_S,
              PH_STR(ORDER("SUCCESS")));
    wire.count = H_TYPE;
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    assert_int_equal(answer_by(200, PH_STR(ORDER("SUCCESS")), &wire),
                     PH_STEP_DONE);
    proves(SUCCEEDED, "");
}

/* A certificate that is not here may be fetched.  The core begins anew after a
 * 401 of what moves money, so of such an answer nothing is asked. */
static void
test_unknown_serial(void **state)
{
    static const char serial[] = "0060894F69C0D37B6E8D6136B6CFC5AFD3893904";

    (void) state;
    for (size_t i = 0; i < PH_COUNT(good_answers); i++) {
        enum ph_channel_op op     = good_answers[i].op;
        unsigned           status = good_answers[i].status;
        struct ph_str      body   = ph_str_z(good_answers[i].body);
        struct wire        wire;

        wire_make(&wire, serial, "platform1_pkcs8.pem", NOW_S, body);
        assert_int_equal(begin(op), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer_by(status, body, &wire),
                         status == 401 || status == 500 ? PH_STEP_DONE
                                                        : PH_STEP_NEED_REFRESH);
        assert_int_equal(out.result.class, UNKNOWN);
        same_text(out.hint, serial);
    }
    /* a query may be asked twice */
    struct ph_str body = PH_STR(ERROR("SIGN_ERROR"));
    struct wire   wire;

    wire_make(&wire, serial, "platform1_pkcs8.pem", NOW_S, body);
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    assert_int_equal(answer_by(401, body, &wire), PH_STEP_NEED_REFRESH);
}

/* ---- contents ---- */

static char big[PH_CHANNEL_REPLY_MAX];

static size_t
deep_make(size_t depth)
{
    static const char level[5] = { '{', '"', 'a', '"', ':' };
    size_t            len      = 0;

    for (size_t i = 0; i < depth; i++) {
        memcpy(big + len, level, sizeof(level));
        len += sizeof(level);
    }
    big[len++] = '1';
    memset(big + len, '}', depth);
    return len + depth;
}

static void
unreadable(struct ph_str body)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_REFUND, PH_OP_REFUND_QUERY };
    static const unsigned statuses[] = { 200, 400 };

    for (size_t i = 0; i < PH_COUNT(ops) * PH_COUNT(statuses); i++) {
        struct wire wire;
        size_t      mark = texts.len;

        wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S, body);
        assert_int_equal(begin(ops[i / 2]), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer_by(statuses[i % 2], body, &wire), PH_STEP_DONE);
        proves(UNKNOWN, "unreadable");
        texts.len = mark;
    }
}

static void
test_contents(void **state)
{
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("<html><body>502</body></html>"),
        PH_STR_INIT("{\"trade_state\":\"SUCCESS\""),
        PH_STR_INIT("[]"),
        PH_STR_INIT("null"),
        PH_STR_INIT("\"SUCCESS\""),
        PH_STR_INIT("{\"trade_state\":\"SUC\0CESS\",\"code\":\"A\"}"),
        PH_STR_INIT("{\"a\":1}\0"),
        PH_STR_INIT("\xef\xbb\xbf{\"a\":1}"),
        PH_STR_INIT("{\"a\":1}{\"b\":2}"),
        PH_STR_INIT("{\"a\":1,\"a\":2}"),
        PH_STR_INIT("{\"a\":\"\xc3\x28\"}"),
        PH_STR_INIT("{\"a\":\"\xb8\xa3\"}"), /* GBK */
        PH_STR_INIT("{\"a\":\"\\ud800\"}"),
        PH_STR_INIT("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM "
                    "\"file:///etc/passwd\">]><a>&b;</a>"),
        PH_STR_INIT("{\"a\":NaN}"),
    };
    size_t len;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        unreadable(bodies[i]);
    }
    unreadable(ph_str_make(big, deep_make(100)));
    unreadable(ph_str_make(big, deep_make(100000)));
    len    = 1;
    big[0] = '{';
    for (size_t i = 0; i < 50000; i++) {
        len += (size_t) snprintf(big + len, sizeof(big) - len, "\"%zu\":1,", i);
    }
    big[len - 1] = '}';
    unreadable(ph_str_make(big, len));
    memset(big, ' ', sizeof(big));
    unreadable(ph_str_make(big, sizeof(big)));
}

/* a member that we know, of a type that it has not */
static void
test_types(void **state)
{
    static const char *const names[]
        = { "trade_state", "out_trade_no", "transaction_id",
            "appid",       "mchid",        "success_time" };
    static const char *const values[] = { "1", "true", "[]", "{}", "1.5" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(names) * PH_COUNT(values); i++) {
        char text[256];

        (void) snprintf(text, sizeof(text), "{\"%s\":%s}",
                        names[i / PH_COUNT(values)],
                        values[i % PH_COUNT(values)]);
        assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer(200, text), PH_STEP_DONE);
        proves(UNKNOWN, "unreadable");
    }
}

/* too little room makes no request, and of an answer nothing */
static void
test_no_room(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_CLOSE, PH_OP_REFUND };
    size_t failures = 0;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        for (size_t size = 0; size < 12000; size += 97) {
            begin(ops[i]);
            ph_arena_init(&arena, memory, size);
            out = (struct ph_channel_out){ 0 };
            enum ph_channel_step next
                = ph_channel_wechatpay.step(&call, NULL, &out);
            assert_true(next
                        == (arena.full ? PH_STEP_ERROR : PH_STEP_NEED_REQUEST));
            failures += next == PH_STEP_ERROR;
        }
    }
    assert_true(failures > 20);
    for (size_t size = 0; size < 600; size++) {
        size_t      mark = texts.len;
        struct wire wire;

        wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S,
                  PH_STR(ORDER("SUCCESS")));
        begin(PH_OP_QUERY);
        ph_arena_init(&arena, memory, size);
        assert_int_equal(answer_by(200, PH_STR(ORDER("SUCCESS")), &wire),
                         PH_STEP_DONE);
        if (arena.full) {
            proves(UNKNOWN, "no_room");
        } else {
            proves(SUCCEEDED, "");
        }
        texts.len = mark;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_two_requests, setup),
        cmocka_unit_test_setup(test_reversed, setup),
        cmocka_unit_test_setup(test_old_state, setup),
        cmocka_unit_test_setup(test_harm, setup),
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_unknown_serial, setup),
        cmocka_unit_test_setup(test_contents, setup),
        cmocka_unit_test_setup(test_types, setup),
        cmocka_unit_test_setup(test_no_room, setup),
    };

    return cmocka_run_group_tests_name("channel_wechatpay_steps", tests,
                                       group_begin, group_end);
}

/*
 * The sandbox adapter: what it sends, what each answer proves, what a notice
 * must be.  Answers are signed here by hand, so that a fault in the adapter's
 * own signing does not hide itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "channels/channel.h"
#include "channels/sandbox/message.h"
#include "libpayhub/domain/channel_fields.h"
#include "libpayhub/wire/digest.h"

#define NOW_MS UINT64_C(1767322800123) /* 2026-01-02T03:00:00.123Z */
#define NOW_TEXT "1767322800"
#define KEY "0123456789abcdef0123456789abcdef"
#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"

static char                     memory[256 * 1024];
static struct ph_arena          arena;
static const struct ph_channel *channel;

static const struct ph_channel_account account = {
    .id     = PH_STR_INIT("acc"),
    .values = { PH_STR_INIT("https://127.0.0.1:9/base/"), PH_STR_INIT(KEY) },
};

static const struct ph_channel_order order = {
    .attempt_id    = PH_STR_INIT(NUMBER),
    .method        = PH_STR_INIT("sandbox_bar"),
    .amount        = 999999999999999,
    .currency      = PH_STR_INIT("CNY"),
    .subject       = PH_STR_INIT("a \"quoted\"\n\xe8\x8c\xb6"),
    .notify_url    = PH_STR_INIT("http://127.0.0.1/notify/sandbox/acc"),
    .extra         = PH_STR_INIT("{\"auth_code\":\"28763443825664394\"}"),
    .expires_at_ms = NOW_MS + 7200000,
};

static int
setup(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    channel = ph_channel_find(PH_STR("sandbox"));
    assert_non_null(channel);
    return 0;
}

/* base64 of HMAC-SHA256(KEY, "timestamp LF body LF") by OpenSSL alone */
static const char *
signature(const char *timestamp, const char *body)
{
    static char   text[64];
    static char   signed_text[200 * 1024];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned      mac_len = 0;
    int len = snprintf(signed_text, sizeof(signed_text), "%s\n%s\n", timestamp,
                       body);

    assert_true(len > 0 && (size_t) len < sizeof(signed_text));
    assert_non_null(HMAC(EVP_sha256(), KEY, (int) strlen(KEY),
                         (const unsigned char *) signed_text, (size_t) len, mac,
                         &mac_len));
    EVP_EncodeBlock((unsigned char *) text, mac, (int) mac_len);
    return text;
}

static struct ph_channel_call
call_of(enum ph_channel_op op)
{
    static uint8_t state[PH_CHANNEL_STATE_MAX];
    static uint8_t random[32];

    return (struct ph_channel_call){
        .op      = op,
        .account = &account,
        .order   = &order,
        .arena   = &arena,
        .now_ms  = NOW_MS,
        .random  = random,
        .state   = state,
    };
}

static struct ph_channel_result
answer(enum ph_channel_op op, unsigned status, const char *timestamp,
       const char *sign, const char *body)
{
    struct ph_channel_call   call      = call_of(op);
    struct ph_channel_out    out       = { 0 };
    struct ph_channel_header headers[] = {
        { PH_STR("content-type"), PH_STR("application/json") },
        { PH_STR("sandbox-timestamp"), ph_str_z(timestamp) },
        { PH_STR("SANDBOX-SIGNATURE"), ph_str_z(sign) },
    };
    struct ph_channel_reply reply = {
        .status       = status,
        .body         = ph_str_z(body),
        .headers      = headers,
        .header_count = PH_COUNT(headers),
    };

    call.step = 1;
    assert_int_equal(channel->step(&call, &reply, &out), PH_STEP_DONE);
    return out.result;
}

static struct ph_channel_result
signed_answer(enum ph_channel_op op, unsigned status, const char *body)
{
    return answer(op, status, NOW_TEXT, signature(NOW_TEXT, body), body);
}

static bool
is(struct ph_str text, const char *want)
{
    return ph_str_eq(text, ph_str_z(want));
}

/* --- tables --------------------------------------------------------------- */

static void
the_table_is_whole(void **state)
{
    (void) state;
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(struct ph_channel));
    assert_ptr_equal(ph_channel_at(0), channel);
    assert_null(ph_channel_at(1));
    assert_null(ph_channel_find(PH_STR("sandbo")));
    assert_null(ph_channel_find(PH_STR("")));
    assert_true(channel->field_count <= PH_CHANNEL_FIELDS_MAX);
    assert_true(channel->fields[1].secret);
}

/* the CLI knows an account's keys from a table of its own */
static void
fields_are_those_that_the_cli_takes(void **state)
{
    const struct ph_channel_key *key = NULL;

    (void) state;
    for (size_t i = 0; i < channel->field_count; i++) {
        key = ph_channel_key_at(PH_STR("sandbox"), i);
        assert_non_null(key);
        assert_string_equal(key->key, channel->fields[i].key);
        assert_int_equal(key->required, channel->fields[i].required);
        assert_int_equal(key->secret, channel->fields[i].secret);
        assert_string_equal(key->meaning, channel->fields[i].meaning);
    }
    assert_null(ph_channel_key_at(PH_STR("sandbox"), channel->field_count));
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
                 { PH_OP_CLOSE, "https://127.0.0.1:9/base/close" } };

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
operations_without_capability_are_errors(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_REVERSE, PH_OP_REFUND, PH_OP_REFUND_QUERY,
            PH_OP_ACCOUNT_REFRESH };

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

/* the body with the order's number as its first member, if it is an object */
static const char *
named(const char *body)
{
    static char text[512];

    if (body[0] != '{' || body[1] != '"') {
        return body;
    }
    snprintf(text, sizeof(text), "{\"out_trade_no\":\"A1\",%s", body + 1);
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
            = { .values = { ph_str_z(rows[i].url), ph_str_z(rows[i].key) } };
        const char *why = channel->account_check(&given, &arena);

        if ((why == NULL) != rows[i].ok) {
            fail_msg("%s: %s", rows[i].url, why != NULL ? why : "accepted");
        }
        if (why != NULL) {
            assert_non_null(strstr(why, "expected"));
            assert_null(strstr(why, KEY));
        }
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

static int
begin(void **state)
{
    (void) state;
    return ph_digest_init() ? 0 : -1;
}

static int
end(void **state)
{
    (void) state;
    ph_digest_deinit();
    return 0;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup((name), setup)
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_whole),
        TEST(fields_are_those_that_the_cli_takes),
        TEST(codes_ascend_and_none_says_succeeded),
        TEST(headers_are_found_in_any_case),
        TEST(times_are_read_strictly),
        TEST(accounts_are_checked),
        TEST(create_sends_all_that_the_order_says),
        TEST(query_and_close_send_the_number),
        TEST(operations_without_capability_are_errors),
        TEST(a_full_arena_is_an_error_at_every_size),
        TEST(a_full_arena_makes_an_answer_unknown),
        TEST(every_answer_proves_what_its_row_says),
        TEST(an_answer_without_a_number_proves_nothing),
        TEST(every_code_of_the_table_is_found),
        TEST(answers_echo_what_they_say),
        TEST(an_answer_that_is_not_genuine_is_unknown),
        TEST(a_genuine_notice_is_read),
        TEST(a_notice_that_is_not_genuine_or_not_readable_is_refused),
        TEST(the_window_is_five_minutes_both_ways),
        TEST(a_genuine_notice_of_an_unknown_status_is_unknown),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

/*
 * Alipay's adapter: answers that somebody bent, forged, cut or blew up.  None
 * of them pays, none of them fails anything.
 */
#include "t/unit/channel_alipay_told.h"

#include <time.h>

static const char paid[]
    = "{\"code\":\"10000\"," NUMBERED
      ",\"trade_no\":\"2026\",\"trade_status\":\"TRADE_SUCCESS\","
      "\"total_amount\":\"88.88\"}";
static const char failed[] = "{\"code\":\"40004\",\"sub_code\":"
                             "\"ACQ.PAYMENT_FAIL\",\"sub_msg\":\"m\"}";

#define QUERY "alipay_trade_query_response"
#define CREATE "alipay_trade_precreate_response"

/* Nothing of an answer that is not genuine is shown, either. */
static void
proves_nothing(const char *word)
{
    proves(PH_RESULT_UNKNOWN, word);
    assert_true(out.result.number.len == 0 && out.result.amount == -1
                && out.result.channel_code.len == 0
                && out.result.message.len == 0);
}

static char text[700 * 1024];

__attribute__((format(printf, 1, 2))) static const char *
format(const char *pattern, ...)
{
    va_list list;

    va_start(list, pattern);
    assert_true((size_t) vsnprintf(text, sizeof(text), pattern, list)
                < sizeof(text));
    va_end(list);
    return text;
}

/* --- signatures ----------------------------------------------------------- */

static void
signatures_of_others_prove_nothing(void **unused)
{
    static const char *const signers[]
        = { T_APP, "keys/alipay/mid_pkcs8.pem", "keys/alipay/root1_pkcs8.pem" };

    (void) unused;
    told(PH_OP_QUERY, 1, 200, body_of(QUERY, paid, ""));
    proves(PH_RESULT_SUCCEEDED, "");
    for (size_t i = 0; i < PH_COUNT(signers); i++) {
        told(PH_OP_QUERY, 1, 200,
             format("{\"" QUERY "\":%s,\"sign\":\"%s\"}", paid,
                    t_sign(signers[i], PH_STR(paid))));
        proves_nothing("signature");
    }
    for (size_t i = 0; i < PH_COUNT(signers); i++) {
        told(PH_OP_CREATE, 1, 200,
             format("{\"" CREATE "\":%s,\"sign\":\"%s\"}", failed,
                    t_sign(signers[i], PH_STR(failed))));
        proves_nothing("signature");
    }
}

/* a body: @ is the signed text, # its signature, cut to `len` */
static const char *
filled(const char *pattern, const char *sign, size_t len)
{
    struct ph_buf buf = PH_BUF_INIT(text);

    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '@') {
            ph_buf_add(&buf, PH_STR(paid));
        } else if (*pattern == '#') {
            ph_buf_add(&buf, ph_str_make(sign, len));
        } else {
            ph_buf_byte(&buf, *pattern);
        }
    }
    ph_buf_byte(&buf, '\0');
    assert_false(buf.full);
    return text;
}

static void
signatures_that_were_bent_prove_nothing(void **unused)
{
    static const struct {
        const char *pattern;
        size_t      len;
        const char *word; /* NULL = right */
    } rows[] = {
        { "{\"" QUERY "\":@}", 344, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\"\"}", 344, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\"****\"}", 344, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\"#\"}", 340, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\"#\"}", 301, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\"#=\"}", 344, "signature" },
        { "{\"" QUERY "\":@,\"sign\":\" #\"}", 344, "signature" },
        { "{\"" QUERY "\":@,\"Sign\":\"#\"}", 344, "signature" },
        { "{\"" QUERY "\":@,\"sign\":[\"#\"]}", 344, "unreadable" },
        { "{\"" QUERY "\":@,\"sign\":null}", 344, "unreadable" },
        { "{\"" QUERY "\":@,\"sign\":1}", 344, "unreadable" },
        { "{\"" QUERY "\":@,\"sign\":\"#\\n\"}", 344, "unreadable" },
        { "{\"" QUERY "\":@,\"sign\":\"#\",\"sign\":\"\"}", 344, "unreadable" },
        { "{\"" QUERY "\": @ ,\"sign\":\"#\"}", 344, NULL },
        { "\n{\"sign_\":1,\"" QUERY "\":@,\"x\":{\"sign\":\"\"},"
          "\"sign\":\"#\"}\n",
          344, NULL },
    };
    char sign[512];

    (void) unused;
    (void) snprintf(sign, sizeof(sign), "%s", t_sign(T_PLATFORM, PH_STR(paid)));
    assert_int_equal(strlen(sign), 344);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        print_message("%s\n", rows[i].pattern);
        told(PH_OP_QUERY, 1, 200, filled(rows[i].pattern, sign, rows[i].len));
        if (rows[i].word == NULL) {
            proves(PH_RESULT_SUCCEEDED, "");
        } else {
            proves_nothing(rows[i].word);
        }
    }
}

/* no byte of what is signed may change */
static void
every_byte_of_an_answer_counts(void **unused)
{
    const size_t from = strlen("{\"" QUERY "\":");

    (void) unused;
    for (size_t at = 0; at < strlen(paid); at++) {
        char *body = (char *) (uintptr_t) body_of(QUERY, paid, "");

        t_arena_fresh();
        body[from + at] = (char) (body[from + at] ^ 1);
        told(PH_OP_QUERY, 1, 200, body);
        assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
        assert_true(out.result.number.len == 0 && out.result.amount == -1);
    }
}

/* Alipay's own library reads `\/` as `/` when the first check fails. */
static void
slashes_may_have_been_signed_plain(void **unused)
{
    static const char sent[]
        = "{\"code\":\"10000\"," NUMBERED ",\"qr_code\":\"https:\\/\\/qr\"}";
    static const char signed_text[]
        = "{\"code\":\"10000\"," NUMBERED ",\"qr_code\":\"https://qr\"}";
    const char *sign = t_sign(T_PLATFORM, PH_STR(signed_text));
    char        bent[1024];
    size_t      len = 0;

    (void) unused;
    told(PH_OP_CREATE, 1, 200,
         format("{\"" CREATE "\":%s,\"sign\":\"%s\"}", sent, sign));
    proves(PH_RESULT_WAIT_USER, "");
    assert_true(t_is(out.result.action_data, "\"https://qr\""));
    /* in the signature's text itself they are escaped, too */
    for (const char *at = sign; *at != '\0'; at++) {
        if (*at == '/') {
            bent[len++] = '\\';
        }
        bent[len++] = *at;
    }
    bent[len] = '\0';
    told(PH_OP_CREATE, 1, 200,
         format("{\"" CREATE "\":%s,\"sign\":\"%s\"}", sent, bent));
    proves(PH_RESULT_WAIT_USER, "");
    /* other escapes are not read */
    told(PH_OP_CREATE, 1, 200,
         format("{\"" CREATE "\":%s,\"sign\":\"\\u0041%s\"}", sent, sign + 1));
    proves_nothing("unreadable");
}

/* --- shapes --------------------------------------------------------------- */

static void
answers_to_something_else_prove_nothing(void **unused)
{
    const char *sign = t_sign(T_PLATFORM, PH_STR(paid));
    char        kept[512];

    (void) unused;
    (void) snprintf(kept, sizeof(kept), "%s", sign);
    /* another method's, and a refund's */
    told(PH_OP_QUERY, 1, 200, body_of("alipay_trade_pay_response", paid, ""));
    proves_nothing("unreadable");
    told(PH_OP_REFUND, 1, 200, body_of(QUERY, paid, ""));
    proves_nothing("unreadable");
    /* the member again, before and behind the signed one */
    told(PH_OP_QUERY, 1, 200,
         format("{\"" QUERY "\":%s,\"sign\":\"%s\",\"" QUERY "\":{}}", paid,
                kept));
    proves_nothing("unreadable");
    told(PH_OP_QUERY, 1, 200,
         format("{\"" QUERY "\":{},\"" QUERY "\":%s,\"sign\":\"%s\"}", paid,
                kept));
    proves_nothing("unreadable");
    /* inside something else */
    told(PH_OP_QUERY, 1, 200,
         format("[{\"" QUERY "\":%s,\"sign\":\"%s\"}]", paid, kept));
    proves_nothing("unreadable");
    told(PH_OP_QUERY, 1, 200,
         format("{\"x\":{\"" QUERY "\":%s,\"sign\":\"%s\"}}", paid, kept));
    proves_nothing("unreadable");
}

/* What the gateway says before it knows the app is not signed. */
static void
errors_of_the_gateway(void **unused)
{
    static const char refused[] = "{\"code\":\"40002\",\"sub_code\":"
                                  "\"isv.invalid-app-id\"}";

    (void) unused;
    told(PH_OP_CREATE, 1, 200, format("{\"error_response\":%s}", refused));
    proves_nothing("config");
    told(PH_OP_CREATE, 1, 200, body_of("error_response", refused, ""));
    proves(PH_RESULT_NOT_SENT, "config");
    told(PH_OP_QUERY, 1, 200, body_of("error_response", refused, ""));
    proves(PH_RESULT_UNKNOWN, "config");
    /* which is no way to tell a success */
    told(PH_OP_QUERY, 1, 200, body_of("error_response", paid, ""));
    proves(PH_RESULT_UNKNOWN, "unknown_code");
}

static void
the_status_line_counts(void **unused)
{
    static const struct {
        unsigned    status;
        bool        is_signed;
        const char *word;
    } rows[] = {
        { 500, true, "channel_error" },  { 502, true, "channel_error" },
        { 503, false, "channel_error" }, { 599, true, "channel_error" },
        { 400, false, "config" },        { 403, false, "config" },
        { 404, false, "config" },        { 429, false, "config" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        told(PH_OP_QUERY, 1, rows[i].status,
             rows[i].is_signed ? body_of(QUERY, paid, "") : "<html>no</html>");
        proves_nothing(rows[i].word);
        told(PH_OP_CREATE, 1, rows[i].status,
             rows[i].is_signed ? body_of(CREATE, failed, "") : "");
        proves_nothing(rows[i].word);
    }
    /* signed is signed */
    told(PH_OP_QUERY, 1, 400, body_of(QUERY, paid, ""));
    proves(PH_RESULT_SUCCEEDED, "");
}

static void
what_cannot_be_read_proves_nothing(void **unused)
{
    static const char *const bodies[] = {
        "",
        " ",
        "null",
        "{}",
        "[]",
        "\"" QUERY "\"",
        "<html><body>503</body></html>",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM "
        "\"file:///etc/passwd\">]><a>&x;</a>",
        "{\"" QUERY "\":",
        "{\"" QUERY "\":{\"code\":\"10000\"",
        "{'" QUERY "':{}}",
        "\xef\xbb\xbf{\"" QUERY "\":{},\"sign\":\"\"}",
        "code=10000&sign=",
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        for (enum ph_channel_op op = PH_OP_CREATE; op <= PH_OP_REFUND_QUERY;
             op++) {
            told(op, 1, 200, bodies[i]);
            proves_nothing("unreadable");
        }
    }
    /* a NUL ends nothing */
    struct ph_channel_call  call = call_of(PH_OP_QUERY, 1);
    struct ph_channel_reply reply
        = { .status = 200,
            .body   = ph_str_make(
                  text, (size_t) snprintf(text, sizeof(text), "%s%c{}",
                                          body_of(QUERY, paid, ""), '\0')) };
    out = (struct ph_channel_out){ 0 };
    assert_int_equal(ph_channel_alipay.step(&call, &reply, &out), PH_STEP_DONE);
    proves_nothing("unreadable");
}

/* cut anywhere it is no answer, whatever stands before the cut */
static void
every_truncation_proves_nothing(void **unused)
{
    const char *whole = body_of(QUERY, paid, "");

    (void) unused;
    for (size_t len = 0; len < strlen(whole); len++) {
        struct ph_channel_call        call = call_of(PH_OP_QUERY, 1);
        const struct ph_channel_reply reply
            = { .status = 200, .body = ph_str_make(whole, len) };

        t_arena_fresh();
        out = (struct ph_channel_out){ 0 };
        assert_int_equal(ph_channel_alipay.step(&call, &reply, &out),
                         PH_STEP_DONE);
        proves_nothing("unreadable");
    }
}

/* --- sizes ---------------------------------------------------------------- */

static int64_t
now_us(void)
{
    struct timespec at;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at), 0);
    return at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

#define SLOWEST_US 100000 /* with sanitizers; the aim is 5 ms without */

/* `value` where the signed object stands, right and wrong signed */
static void
blown_up(const char *value, const char *word)
{
    int64_t from = now_us();

    told(PH_OP_QUERY, 1, 200,
         format("{\"" QUERY "\":%s,\"sign\":\"\"}", value));
    assert_true(now_us() - from < SLOWEST_US);
    proves_nothing(word);
}

static char big[600 * 1024];

static void
repeated(const char *head, const char *piece, size_t times, const char *tail)
{
    struct ph_buf buf = PH_BUF_INIT(big);

    ph_buf_add(&buf, ph_str_z(head));
    for (size_t i = 0; i < times; i++) {
        ph_buf_add(&buf, ph_str_z(piece));
    }
    ph_buf_add(&buf, ph_str_z(tail));
    ph_buf_byte(&buf, '\0');
    assert_false(buf.full);
}

static void
big_and_deep_answers_prove_nothing(void **unused)
{
    int64_t from;

    (void) unused;
    repeated("{\"a\":", "[", 100, "");
    blown_up(big, "unreadable");
    repeated("{\"a\":", "{\"a\":", 100000, "");
    blown_up(big, "unreadable");
    repeated("{\"a\":\"", "0123456789", 30000, "\"}");
    blown_up(big, "unreadable");
    /* as long as is read, signed, of very many members */
    repeated("{\"code\":\"10000\"", ",\"a\":0", 40000, "}");
    from = now_us();
    told(PH_OP_QUERY, 1, 200, body_of(QUERY, big, ""));
    assert_true(now_us() - from < SLOWEST_US);
    proves_nothing("unreadable");
    repeated("{\"code\":\"10000\",\"a\":", "[", 31, "");
    /* its brackets are left open */
    told(PH_OP_QUERY, 1, 200, body_of(QUERY, big, ""));
    proves_nothing("unreadable");
}

/* An answer is told whole or not at all; what a payer is shown comes last. */
static void
a_full_arena_makes_an_answer_unknown(void **unused)
{
    static const struct {
        enum ph_channel_op op;
        const char        *member, *value;
        enum ph_result_class class;
    } rows[] = {
        { PH_OP_QUERY, QUERY, paid, PH_RESULT_SUCCEEDED },
        { PH_OP_CREATE, CREATE,
          "{\"code\":\"10000\"," NUMBERED
          ",\"qr_code\":\"https://qr.alipay.com/"
          "bax03206ug0kulveltqc80a8\"}",
          PH_RESULT_WAIT_USER },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        bool was_whole = false;

        for (size_t size = 0; size < 1024; size += 8) {
            ph_arena_init(&t_arena, t_memory, size);
            enum ph_channel_step step = told(
                rows[i].op, 1, 200, body_of(rows[i].member, rows[i].value, ""));

            assert_int_equal(step, PH_STEP_DONE);
            if (out.result.class == rows[i].class) {
                was_whole = true;
                assert_true(t_is(out.result.number, NUMBER));
                assert_true(rows[i].op == PH_OP_QUERY
                            || out.result.action_data.len != 0);
            } else {
                assert_false(was_whole);
                proves_nothing("no_room");
            }
        }
        assert_true(was_whole);
    }
}

/* --- certificates --------------------------------------------------------- */

#define SN "6e04c3526d3982fe27555f89ed1b7926"

static enum ph_channel_step
told_cert(enum ph_channel_op op, const char *more)
{
    struct ph_channel_call        call = call_of(op, 1);
    const struct ph_channel_reply reply
        = { .status = 200,
            .body   = ph_str_z(body_of(member_of(op), paid, more)) };

    call.account = &cert;
    out          = (struct ph_channel_out){ 0 };
    return ph_channel_alipay.step(&call, &reply, &out);
}

static void
an_answer_counts_under_its_certificate(void **unused)
{
    static const struct {
        const char *more;
        const char
            *word; /* NULL = right, "" = a certificate is to be fetched */
    } rows[] = {
        { "\"alipay_cert_sn\":\"" SN "\",", NULL },
        { "\"alipay_cert_sn\":\"00000000000000000000000000000000\",", "" },
        { "\"alipay_cert_sn\":\"6E04C3526D3982FE27555F89ED1B7926\",",
          "signature" },
        { "\"alipay_cert_sn\":\"" SN " \",", "signature" },
        { "\"alipay_cert_sn\":\"\",", "signature" },
        { "", "signature" },
        { "\"alipay_cert_sn\":1,", "unreadable" },
        { "\"alipay_cert_sn\":\"" SN "\",\"alipay_cert_sn\":\"" SN "\",",
          "unreadable" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_channel_step step;

        t_arena_fresh();
        print_message("%s\n", rows[i].more);
        step = told_cert(PH_OP_QUERY, rows[i].more);
        assert_int_equal(step, rows[i].word != NULL && rows[i].word[0] == '\0'
                                   ? PH_STEP_NEED_REFRESH
                                   : PH_STEP_DONE);
        if (rows[i].word == NULL) {
            proves(PH_RESULT_SUCCEEDED, "");
        } else if (step == PH_STEP_DONE) {
            proves_nothing(rows[i].word);
        } else {
            assert_true(t_is(out.hint, "00000000000000000000000000000000"));
        }
    }
}

/* --- contents that are encrypted ------------------------------------------ */

static void
told_aes(const char *value)
{
    struct ph_channel_call        call = call_of(PH_OP_QUERY, 1);
    const struct ph_channel_reply reply
        = { .status = 200, .body = ph_str_z(body_of(QUERY, value, "")) };

    call.account = &aes;
    out          = (struct ph_channel_out){ 0 };
    assert_int_equal(ph_channel_alipay.step(&call, &reply, &out), PH_STEP_DONE);
}

static void
encrypted_answers(void **unused)
{
    static char   memory[1024];
    char          value[1024];
    struct ph_buf secret = PH_BUF_INIT(memory);

    (void) unused;
    assert_int_equal(alipay_aes(true, &aes, PH_STR(paid), &secret), PH_OK);
    (void) snprintf(value, sizeof(value), "\"%.*s\"", (int) secret.len,
                    secret.ptr);
    told_aes(value);
    proves(PH_RESULT_SUCCEEDED, "");
    told_aes(paid); /* plain, and signed */
    proves(PH_RESULT_SUCCEEDED, "");
    told_aes("\"\"");
    proves_nothing("unreadable");
    told_aes("\"AAAA\"");
    proves_nothing("unreadable");
    told_aes("\"AAAAAAAAAAAAAAAAAAAAAA==\"");
    proves_nothing("unreadable");
    told_aes("\"no base64\"");
    proves_nothing("unreadable");
    told_aes("[]");
    proves_nothing("unreadable");
    told_aes("null");
    proves_nothing("unreadable");
    /* signed without its quotes: another text than was signed */
    value[strlen(value) - 1] = '\0';
    told(PH_OP_QUERY, 1, 200,
         format("{\"" QUERY "\":%s\",\"sign\":\"%s\"}", value,
                t_sign(T_PLATFORM, ph_str_z(value + 1))));
    proves_nothing("signature");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signatures_of_others_prove_nothing),
        TEST(signatures_that_were_bent_prove_nothing),
        TEST(every_byte_of_an_answer_counts),
        TEST(slashes_may_have_been_signed_plain),
        TEST(answers_to_something_else_prove_nothing),
        TEST(errors_of_the_gateway),
        TEST(the_status_line_counts),
        TEST(what_cannot_be_read_proves_nothing),
        TEST(every_truncation_proves_nothing),
        TEST(big_and_deep_answers_prove_nothing),
        TEST(a_full_arena_makes_an_answer_unknown),
        TEST(an_answer_counts_under_its_certificate),
        TEST(encrypted_answers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * Alipay's adapter: notices, genuine and bent, and keys that take turns.
 */
#include "t/unit/channel_alipay.h"

#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCE"
#define TRADE "2026112322001401000123456789"

static struct ph_channel_account    plain;
static struct ph_channel_notice_out out;

#define TEST(name) cmocka_unit_test_setup(name, begin)

static int
set_up(void **unused)
{
    (void) unused;
    assert_true(ph_digest_init());
    plain = t_values(T_PUBLIC);
    t_open(&plain);
    return 0;
}

static int
tear_down(void **unused)
{
    (void) unused;
    ph_channel_account_close(&plain);
    ph_digest_deinit();
    return 0;
}

/* --- notices that are signed ---------------------------------------------- */

/* in the order of the alphabet, as they are signed; NULL = left out */
enum {
    APP_ID,
    CHARSET,
    GMT_PAYMENT,
    GMT_REFUND,
    NOTIFY_ID,
    NOTIFY_TYPE,
    OUT_BIZ_NO,
    OUT_TRADE_NO,
    REFUND_FEE,
    SELLER_ID,
    SIGN_TYPE,
    SUBJECT,
    TOTAL_AMOUNT,
    TRADE_NO,
    TRADE_STATUS,
    MEMBERS
};

static const char *const names[MEMBERS]
    = { "app_id",       "charset",     "gmt_payment", "gmt_refund",
        "notify_id",    "notify_type", "out_biz_no",  "out_trade_no",
        "refund_fee",   "seller_id",   "sign_type",   "subject",
        "total_amount", "trade_no",    "trade_status" };

static const char *values[MEMBERS];
static const char *signer;
static char        body[64 * 1024];

static int
begin(void **unused)
{
    static const char *const usual[MEMBERS] = {
        [APP_ID]       = T_APP_ID,
        [CHARSET]      = "utf-8",
        [GMT_PAYMENT]  = "2026-11-23 10:20:30",
        [NOTIFY_ID]    = "2026112300222102030000000000000000",
        [NOTIFY_TYPE]  = "trade_status_sync",
        [OUT_TRADE_NO] = NUMBER,
        [SELLER_ID]    = T_SELLER,
        [SIGN_TYPE]    = "RSA2",
        [SUBJECT]      = "a+b & c=%d",
        [TOTAL_AMOUNT] = "88.88",
        [TRADE_NO]     = TRADE,
        [TRADE_STATUS] = "TRADE_SUCCESS",
    };

    (void) unused;
    t_arena_fresh();
    memcpy(values, usual, sizeof(values));
    signer = T_PLATFORM;
    return 0;
}

static void
signed_text(struct ph_buf *buf)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (values[i] == NULL || i == SIGN_TYPE) {
            continue;
        }
        ph_buf_add(buf, buf->len != 0 ? PH_STR("&") : PH_STR(""));
        ph_buf_add(buf, ph_str_z(names[i]));
        ph_buf_byte(buf, '=');
        ph_buf_add(buf, ph_str_z(values[i]));
    }
}

/* the form as it is posted; `more` stands at its end */
static struct ph_str
form(const char *more)
{
    static char   memory[64 * 1024];
    struct ph_buf text = PH_BUF_INIT(memory);
    struct ph_buf buf  = PH_BUF_INIT(body);

    signed_text(&text);
    ph_buf_add(&buf, PH_STR("sign="));
    ph_url_encode(&buf, ph_str_z(t_sign(signer, ph_buf_str(&text))),
                  PH_URL_SPACE_PLUS);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (values[i] != NULL) {
            const struct ph_pair pair
                = { ph_str_z(names[i]), ph_str_z(values[i]) };

            ph_buf_byte(&buf, '&');
            ph_form_encode(&buf, &pair, 1, PH_URL_SPACE_PLUS);
        }
    }
    ph_buf_add(&buf, ph_str_z(more));
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static enum ph_rc
put(const struct ph_channel_account *account, struct ph_str text)
{
    const struct ph_channel_notice in = { .body = text };

    return ph_channel_alipay.notice(account, &in, T_NOW_MS, &t_arena, &out);
}

static enum ph_rc
told(void)
{
    return put(&plain, form(""));
}

/* --- one text, two readings ----------------------------------------------- */

static struct ph_str
pairs_form(const struct ph_pair *pairs, size_t count, const char *sign)
{
    struct ph_buf        buf    = PH_BUF_INIT(body);
    const struct ph_pair last[] = { { PH_STR("sign_type"), PH_STR("RSA2") },
                                    { PH_STR("sign"), ph_str_z(sign) } };

    ph_form_encode(&buf, pairs, count, PH_URL_SPACE_PLUS);
    ph_buf_byte(&buf, '&');
    ph_form_encode(&buf, last, PH_COUNT(last), PH_URL_SPACE_PLUS);
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

/* A payer has words of his in the notice about his cheap order, and posts that
 * notice in other pieces: the text that is signed is the same. */
static void
a_text_that_can_be_read_in_two_ways_is_refused(void **unused)
{
    static const char rest[]
        = "1&charset=utf-8&notify_id=N2&out_trade_no=A2&total_amount=0.01"
          "&trade_no=T2&trade_status=TRADE_SUCCESS";
    static const struct ph_pair forged[]
        = { { PH_STR_INIT("app_id"), PH_STR_INIT(T_APP_ID) },
            { PH_STR_INIT("body"), PH_STR_INIT("x") },
            { PH_STR_INIT("notify_id"), PH_STR_INIT("N1") },
            { PH_STR_INIT("out_trade_no"), PH_STR_INIT(NUMBER) },
            { PH_STR_INIT("total_amount"), PH_STR_INIT("88.88") },
            { PH_STR_INIT("trade_status"), PH_STR_INIT("TRADE_SUCCESS") },
            { PH_STR_INIT("zz"), { rest, sizeof(rest) - 1 } } };
    static const struct ph_pair named[]
        = { { PH_STR_INIT("app_id"), PH_STR_INIT(T_APP_ID) },
            { PH_STR_INIT("notify_id"), PH_STR_INIT("N1") },
            { PH_STR_INIT("out_trade_no"), PH_STR_INIT(NUMBER) },
            { PH_STR_INIT("total_amount"), PH_STR_INIT("88.88") },
            { PH_STR_INIT("total_amount=0.01&x"), PH_STR_INIT("1") },
            { PH_STR_INIT("trade_status"), PH_STR_INIT("TRADE_SUCCESS") } };
    static const struct ph_pair plain_words[]
        = { { PH_STR_INIT("app_id"), PH_STR_INIT(T_APP_ID) },
            { PH_STR_INIT("body"), PH_STR_INIT("R&D=fun & no_trade_no=1&") },
            { PH_STR_INIT("notify_id"), PH_STR_INIT("N1") },
            { PH_STR_INIT("out_trade_no"), PH_STR_INIT(NUMBER) },
            { PH_STR_INIT("subject"), PH_STR_INIT("trade_no=1 &trade_no&") },
            { PH_STR_INIT("total_amount"), PH_STR_INIT("88.88") },
            { PH_STR_INIT("trade_status"), PH_STR_INIT("TRADE_SUCCESS") } };
    static const struct {
        const struct ph_pair *pairs;
        size_t                count;
        enum ph_rc            want;
    } rows[] = { { forged, PH_COUNT(forged), PH_E_SIGNATURE },
                 { named, PH_COUNT(named), PH_E_SIGNATURE },
                 { plain_words, PH_COUNT(plain_words), PH_OK } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[4096];
        struct ph_buf text = PH_BUF_INIT(memory);

        begin(NULL);
        ph_pairs_join(&text, rows[i].pairs, rows[i].count,
                      &(struct ph_join){ NULL, 0, false });
        const char *sign = t_sign(T_PLATFORM, ph_buf_str(&text));

        assert_int_equal(
            put(&plain, pairs_form(rows[i].pairs, rows[i].count, sign)),
            rows[i].want);
    }
}

/* --- what they tell ------------------------------------------------------- */

static void
words_prove_what_they_say(void **unused)
{
    static const struct {
        const char *word;
        enum ph_result_class class;
        bool is_hint;
    } rows[] = {
        { "TRADE_SUCCESS", PH_RESULT_SUCCEEDED, false },
        { "TRADE_FINISHED", PH_RESULT_SUCCEEDED, false },
        { "TRADE_CLOSED", PH_RESULT_CLOSED, false },
        { "WAIT_BUYER_PAY", PH_RESULT_WAIT_USER, false },
        { "TRADE_PENDING", PH_RESULT_WAIT_USER, true },
        { "trade_success", PH_RESULT_WAIT_USER, true },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        begin(NULL);
        values[TRADE_STATUS] = rows[i].word;
        assert_int_equal(told(), PH_OK);
        assert_int_equal(out.result.class, rows[i].class);
        assert_int_equal(out.result.is_hint, rows[i].is_hint);
        assert_true(t_is(out.result.number, NUMBER));
        assert_true(t_is(out.result.trade_no, TRADE));
        assert_true(out.result.amount == 8888);
        assert_true(t_is(out.result.currency, "CNY"));
        assert_true(t_is(out.result.app, T_APP_ID));
        assert_true(t_is(out.result.seller, T_SELLER));
        assert_true(out.result.paid_at_ms == UINT64_C(1795400430000));
        assert_true(out.result.refunded_total == -1);
        assert_true(t_is(out.ack_body, "success"));
        assert_true(t_is(out.ack_content_type, "text/plain"));
        assert_false(out.is_refund || out.is_ignored || out.needs_refresh);
        assert_int_equal(out.part_count, 0);
    }
}

/* the sum of all refunds proves one of ours as little as its failure */
static void
a_refund_of_ours_is_asked_about(void **unused)
{
    (void) unused;
    values[REFUND_FEE] = "7.00";
    values[OUT_BIZ_NO] = REFUND;
    values[GMT_REFUND] = "2026-11-23 10:20:31.123";
    assert_int_equal(told(), PH_OK);
    assert_int_equal(out.part_count, 2);
    assert_false(out.parts[0].is_refund);
    assert_int_equal(out.parts[0].result.class, PH_RESULT_SUCCEEDED);
    assert_true(t_is(out.parts[0].result.number, NUMBER));
    assert_true(out.parts[0].result.refunded_total == 700);
    assert_true(out.parts[1].is_refund);
    assert_int_equal(out.parts[1].result.class, PH_RESULT_WAIT_USER);
    assert_true(out.parts[1].result.is_hint);
    assert_true(t_is(out.parts[1].result.number, REFUND));
    assert_true(t_is(out.parts[1].order_number, NUMBER));
    assert_true(out.parts[1].result.amount == -1);
    assert_true(t_is(out.parts[1].result.app, T_APP_ID));
    assert_true(out.parts[1].result.paid_at_ms == UINT64_C(1795400431123));
}

static void
a_refund_of_others_is_told(void **unused)
{
    static const char *const biz[] = { "20261123-1", NUMBER, "", NULL };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(biz); i++) {
        begin(NULL);
        values[TRADE_STATUS] = "TRADE_CLOSED"; /* all went back */
        values[REFUND_FEE]   = "88.88";
        values[OUT_BIZ_NO]   = biz[i];
        assert_int_equal(told(), PH_OK);
        assert_int_equal(out.part_count, 2);
        assert_int_equal(out.parts[0].result.class, PH_RESULT_SUCCEEDED);
        assert_true(out.parts[0].result.amount == 8888);
        assert_int_equal(out.parts[1].result.class, PH_RESULT_SUCCEEDED);
        /* all refunds together, not this one's amount */
        assert_true(out.parts[1].result.amount == -1);
        assert_true(t_is(out.parts[1].result.currency, "CNY"));
        assert_true(out.parts[1].result.refunded_total == 8888);
        /* of the payment, too: one that had ended is not refunded again */
        assert_true(out.parts[0].result.refunded_total == 8888);
        assert_true(
            t_is(out.parts[1].result.number, biz[i] != NULL ? biz[i] : ""));
        assert_true(t_is(out.parts[1].order_number, NUMBER));
    }
    /* nothing went back */
    begin(NULL);
    values[REFUND_FEE]   = "0.00";
    values[TRADE_STATUS] = "TRADE_CLOSED";
    assert_int_equal(told(), PH_OK);
    assert_int_equal(out.part_count, 0);
    assert_int_equal(out.result.class, PH_RESULT_CLOSED);
}

static struct ph_str
id_of(const char *status, const char *fee, const char *biz)
{
    begin(NULL);
    values[TRADE_STATUS] = status;
    values[REFUND_FEE]   = fee;
    values[OUT_BIZ_NO]   = biz;
    assert_int_equal(told(), PH_OK);
    assert_true(ph_str_starts(out.id, ph_str_z(values[NOTIFY_ID])));
    assert_true(out.id.len <= 64);

    static char   memory[8][80];
    static size_t next;
    char         *to = memory[next++ % PH_COUNT(memory)];
    memcpy(to, out.id.ptr, out.id.len);
    return ph_str_make(to, out.id.len);
}

static void
each_state_and_refund_is_taken_once(void **unused)
{
    struct ph_str first = id_of("TRADE_SUCCESS", NULL, NULL);

    (void) unused;
    t_same(id_of("TRADE_SUCCESS", NULL, NULL), first);
    assert_false(ph_str_eq(id_of("TRADE_FINISHED", NULL, NULL), first));
    assert_false(ph_str_eq(id_of("TRADE_SUCCESS", "1.00", REFUND), first));
    assert_false(ph_str_eq(id_of("TRADE_SUCCESS", "1.00", REFUND),
                           id_of("TRADE_SUCCESS", "2.00", REFUND)));
    assert_false(ph_str_eq(id_of("TRADE_SUCCESS", "1.00", REFUND),
                           id_of("TRADE_SUCCESS", "1.00", "R1")));
}

static void
what_is_of_other_services_is_ignored(void **unused)
{
    (void) unused;
    values[NOTIFY_TYPE]  = "dut_user_sign";
    values[TRADE_STATUS] = NULL;
    values[OUT_TRADE_NO] = NULL;
    assert_int_equal(told(), PH_OK);
    assert_true(out.is_ignored);
    assert_true(t_is(out.ack_body, "success"));
    /* but not by who cannot sign */
    signer = T_APP;
    assert_int_equal(told(), PH_E_SIGNATURE);
}

/* --- what is refused ------------------------------------------------------ */

static void
what_lacks_something_is_refused(void **unused)
{
    static const struct {
        size_t      field;
        const char *value;
        enum ph_rc  want;
    } rows[] = {
        { NOTIFY_ID, NULL, PH_E_MISSING },
        { NOTIFY_ID, "", PH_E_MISSING },
        { OUT_TRADE_NO, NULL, PH_E_MISSING },
        { TRADE_STATUS, NULL, PH_E_MISSING },
        { TRADE_STATUS, "", PH_E_MISSING },
        { TOTAL_AMOUNT, NULL, PH_E_MISSING },
        { TOTAL_AMOUNT, "", PH_E_MISSING },
        { TOTAL_AMOUNT, "88.880", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "8.888e1", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "-1", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "+1", PH_E_SYNTAX },
        { TOTAL_AMOUNT, " 88.88", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "88.88 ", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "88,88", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "0x10", PH_E_SYNTAX },
        { TOTAL_AMOUNT, "10000000000000000", PH_E_SYNTAX },
        { REFUND_FEE, "1.000", PH_E_SYNTAX },
        { REFUND_FEE, "-1", PH_E_SYNTAX },
        { CHARSET, "GBK", PH_E_SYNTAX },
        { CHARSET, "UTF-8", PH_OK },
        { CHARSET, NULL, PH_OK },
        { SUBJECT, "\xc4\xe3", PH_E_SYNTAX }, /* GBK */
        { SUBJECT, "", PH_OK },
        { SIGN_TYPE, "RSA", PH_E_SIGNATURE },
        { SIGN_TYPE, "rsa2", PH_E_SIGNATURE },
        { SIGN_TYPE, "", PH_E_SIGNATURE },
        { SIGN_TYPE, NULL, PH_E_SIGNATURE },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        begin(NULL);
        print_message("%s=%s\n", names[rows[i].field],
                      rows[i].value != NULL ? rows[i].value : "(none)");
        values[rows[i].field] = rows[i].value;
        assert_int_equal(told(), rows[i].want);
    }
}

static void
notices_of_others_are_refused(void **unused)
{
    static const char *const signers[]
        = { T_APP, "keys/alipay/mid_pkcs8.pem", "keys/alipay/root1_pkcs8.pem" };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(signers); i++) {
        signer = signers[i];
        assert_int_equal(told(), PH_E_SIGNATURE);
        assert_false(out.needs_refresh);
    }
}

static void
bent_forms_are_refused(void **unused)
{
    static const struct {
        const char *text;
        enum ph_rc  want;
    } rows[] = {
        { "", PH_E_MISSING },
        { "a=1", PH_E_MISSING },
        { "{\"sign\":\"x\"}", PH_E_MISSING },
        { "<html></html>", PH_E_MISSING },
        { "<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"file:///x\"><a/>",
          PH_E_MISSING },
        { "sign=AAAA", PH_E_SIGNATURE },
        { "sign=AAAA&sign_type=RSA2", PH_E_SIGNATURE },
        { "sign=****&sign_type=RSA2", PH_E_SIGNATURE },
        { "sign=&sign_type=RSA2", PH_E_MISSING },
        { "sign=a&sign=b", PH_E_DUPLICATE },
        { "a=%", PH_E_SYNTAX },
        { "a=%00", PH_E_SYNTAX },
        { "&&", PH_E_SYNTAX },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        t_arena_fresh();
        print_message("%s\n", rows[i].text);
        assert_int_equal(put(&plain, ph_str_z(rows[i].text)), rows[i].want);
    }
    begin(NULL);
    assert_int_equal(put(&plain, form("&trade_status=TRADE_SUCCESS")),
                     PH_E_DUPLICATE);
    assert_int_equal(put(&plain, form("&more=1")), PH_E_SIGNATURE);
    assert_int_equal(put(&plain, form("&more=")), PH_OK); /* the third string */
    char   more[2048];
    size_t len = 0;
    for (size_t i = 0; i < ALIPAY_NOTICE_PAIRS_MAX; i++) {
        len += (size_t) snprintf(more + len, sizeof(more) - len, "&x%zu=", i);
    }
    assert_int_equal(put(&plain, form(more)), PH_E_FULL);
}

/* cut anywhere, and with any byte changed, it is no notice */
static void
every_byte_of_a_notice_counts(void **unused)
{
    (void) unused;
    struct ph_str whole = form("");
    for (size_t len = 0; len < whole.len; len++) {
        t_arena_fresh();
        assert_int_not_equal(put(&plain, ph_str_make(whole.ptr, len)), PH_OK);
    }
    for (size_t at = 0; at < whole.len; at++) {
        t_arena_fresh();
        body[at]      = (char) (body[at] ^ 1);
        enum ph_rc rc = put(&plain, whole);
        body[at]      = (char) (body[at] ^ 1);

        assert_true(rc != PH_OK);
    }
}

static void
a_full_arena_refuses_a_notice(void **unused)
{
    bool was_taken = false;

    (void) unused;
    values[REFUND_FEE] = "7.00";
    values[OUT_BIZ_NO] = REFUND;
    for (size_t size = 0; size < 8192; size += 16) {
        ph_arena_init(&t_arena, t_memory, size);
        enum ph_rc rc = told();

        assert_true(rc == PH_OK || (!was_taken && rc == PH_E_FULL));
        was_taken = rc == PH_OK;
    }
    assert_true(was_taken);
}

/* --- keys that take turns ------------------------------------------------- */

/* The new key and the one before it both count, no third one. */
static void
an_old_key_reads_old_notices(void **unused)
{
    struct ph_channel_account account = t_values(T_PUBLIC);

    (void) unused;
    account.values[ALIPAY_OLD_PUBLIC_KEY] = account.values[ALIPAY_PUBLIC_KEY];
    account.values[ALIPAY_PUBLIC_KEY]     = t_key("mid_public.pem");
    t_open(&account);
    assert_int_equal(put(&account, form("")), PH_OK);
    signer = "keys/alipay/mid_pkcs8.pem";
    assert_int_equal(put(&account, form("")), PH_OK);
    signer = "keys/alipay/root1_pkcs8.pem";
    assert_int_equal(put(&account, form("")), PH_E_SIGNATURE);
    ph_channel_account_close(&account);
    /* and when it is gone, it is gone */
    account                           = t_values(T_PUBLIC);
    account.values[ALIPAY_PUBLIC_KEY] = t_key("mid_public.pem");
    t_open(&account);
    signer = T_PLATFORM;
    assert_int_equal(put(&account, form("")), PH_E_SIGNATURE);
    ph_channel_account_close(&account);
}

/* From public keys to certificates: what was signed by the bare key before is
 * still read. */
static void
a_change_of_mode_keeps_the_old_key(void **unused)
{
    struct ph_channel_account account = t_values(T_CERT);

    (void) unused;
    account.values[ALIPAY_OLD_PUBLIC_KEY] = t_key("root2_public.pem");
    t_open(&account);
    assert_int_equal(put(&account, form("")), PH_OK);
    signer = "keys/alipay/root2_pkcs8.pem";
    assert_int_equal(put(&account, form("")), PH_OK);
    signer = T_APP;
    assert_int_equal(put(&account, form("")), PH_E_SIGNATURE);

    /* a notice that names a certificate counts under that one */
    signer                 = T_PLATFORM;
    static const char sn[] = "&alipay_cert_sn=";
    char              more[80];
    (void) snprintf(more, sizeof(more), "%s%s", sn,
                    "00000000000000000000000000000000");
    assert_int_equal(put(&account, form(more)), PH_E_UNKNOWN);
    assert_true(out.needs_refresh);
    assert_true(t_is(out.hint, "00000000000000000000000000000000"));
    (void) snprintf(more, sizeof(more), "%s%s", sn, "x");
    assert_int_equal(put(&account, form(more)), PH_E_SIGNATURE);
    assert_false(out.needs_refresh);
    ph_channel_account_close(&account);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_that_can_be_read_in_two_ways_is_refused),
        TEST(words_prove_what_they_say),
        TEST(a_refund_of_ours_is_asked_about),
        TEST(a_refund_of_others_is_told),
        TEST(each_state_and_refund_is_taken_once),
        TEST(what_is_of_other_services_is_ignored),
        TEST(what_lacks_something_is_refused),
        TEST(notices_of_others_are_refused),
        TEST(bent_forms_are_refused),
        TEST(every_byte_of_a_notice_counts),
        TEST(a_full_arena_refuses_a_notice),
        TEST(an_old_key_reads_old_notices),
        TEST(a_change_of_mode_keeps_the_old_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * test_channel_wechatpay_notice.c - notices, good and bad.
 */
#include "t/unit/channel_wechatpay.h"

#define NOTICE_MAX (128 * 1024)
#define NAMED                                                                  \
    "\"appid\":\"" APPID "\",\"mchid\":\"" MCHID                               \
    "\",\"out_trade_no\":\"" ATTEMPT "\""
#define PAID(state)                                                            \
    "{" NAMED ",\"trade_state\":\"" state "\",\"transaction_id\":\"42000\","   \
    "\"success_time\":\"2026-11-24T09:20:30+08:00\",\"amount\":{\"total\":100" \
    ",\"currency\":\"CNY\",\"payer_total\":90}}"
#define REFUNDED(state)                                                        \
    "{\"mchid\":\"" MCHID "\",\"out_trade_no\":\"" ATTEMPT                     \
    "\",\"out_refund_no\":\"" REFUND "\",\"refund_id\":\"50300\","             \
    "\"refund_status\":\"" state "\",\"amount\":{\"total\":100,\"refund\":7}}"

static struct ph_channel_notice_out told;

static int
setup(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    account_usual();
    order_usual("wechat_native");
    return 0;
}

/* ---- making one ---- */

struct event {
    const char *id, *type, *original, *algorithm, *nonce, *aad, *key;
    const char *plain;
};

static const struct event usual = {
    .id        = "EV-1",
    .type      = "TRANSACTION.SUCCESS",
    .original  = "transaction",
    .algorithm = "AEAD_AES_256_GCM",
    .nonce     = "EdFvCBTgoQlS",
    .aad       = "transaction",
    .key       = APIV3_KEY,
    .plain     = PAID("SUCCESS"),
};

static struct ph_str
event_make(const struct event *event)
{
    struct ph_buf buf;
    struct ph_str sealed = sealed_of(event->key, event->nonce, event->aad,
                                     ph_str_z(event->plain));
    const struct {
        const char *before, *value;
    } parts[] = {
        { "{\"id\":\"", event->id },
        { "\",\"create_time\":\"2026-11-24T09:20:31+08:00\",\"resource_type\":"
          "\"encrypt-resource\",\"event_type\":\"",
          event->type },
        { "\",\"summary\":\"x\",\"resource\":{\"original_type\":\"",
          event->original },
        { "\",\"algorithm\":\"", event->algorithm },
        { "\",\"nonce\":\"", event->nonce },
        { "\",\"associated_data\":\"", event->aad },
        { "\",\"ciphertext\":\"", NULL },
    };

    ph_arena_open(&texts, &buf);
    for (size_t i = 0; i < PH_COUNT(parts); i++) {
        ph_buf_add(&buf, ph_str_z(parts[i].before));
        ph_buf_add(&buf, ph_str_z(parts[i].value));
    }
    ph_buf_add(&buf, sealed);
    ph_buf_add(&buf, PH_STR("\"}}"));
    return ph_arena_close(&texts, &buf);
}

static enum ph_rc
notice_by(struct ph_str body, const struct wire *wire)
{
    const struct ph_channel_notice in = { .body         = body,
                                          .headers      = wire->headers,
                                          .header_count = wire->count };

    ph_arena_init(&arena, memory, sizeof(memory));
    return ph_channel_wechatpay.notice(&account, &in, NOW_MS, &arena, &told);
}

static enum ph_rc
notice(struct ph_str body)
{
    struct wire wire;

    wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S - 3, body);
    return notice_by(body, &wire);
}

static enum ph_rc
notice_of(const struct event *event)
{
    return notice(event_make(event));
}

/* ---- good ones ---- */

static const struct {
    const char *type, *original, *plain;
    enum ph_result_class class;
    const char *error_class;
} good_rows[] = {
    { "TRANSACTION.SUCCESS", "transaction", PAID("SUCCESS"),
      PH_RESULT_SUCCEEDED, "" },
    { "TRANSACTION.SUCCESS", "transaction", PAID("REFUND"), PH_RESULT_SUCCEEDED,
      "" },
    { "TRANSACTION.SUCCESS", "transaction", PAID("USERPAYING"),
      PH_RESULT_WAIT_USER, "" },
    { "TRANSACTION.CLOSED", "transaction", PAID("CLOSED"), PH_RESULT_CLOSED,
      "" },
    { "TRANSACTION.SUCCESS", "transaction", PAID("NEW_WORD"), PH_RESULT_UNKNOWN,
      "unknown_code" },
    { "REFUND.SUCCESS", "refund", REFUNDED("SUCCESS"), PH_RESULT_SUCCEEDED,
      "" },
    { "REFUND.ABNORMAL", "refund", REFUNDED("ABNORMAL"), PH_RESULT_WAIT_USER,
      "abnormal" },
    { "REFUND.CLOSED", "refund", REFUNDED("CLOSED"), PH_RESULT_FAILED,
      "canceled" },
    { "REFUND.NEW", "refund", REFUNDED("NEW_WORD"), PH_RESULT_UNKNOWN,
      "unknown_code" },
    { "REFUND.SUCCESS", "refund", REFUNDED("PROCESSING"), PH_RESULT_WAIT_USER,
      "" },
};

static void
test_good(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(good_rows); i++) {
        struct event event     = usual;
        bool         is_refund = good_rows[i].original[0] == 'r';

        event.type     = good_rows[i].type;
        event.original = good_rows[i].original;
        event.plain    = good_rows[i].plain;
        event.aad      = good_rows[i].original;
        assert_int_equal(notice_of(&event), PH_OK);
        out.result = told.result;
        proves(good_rows[i].class, good_rows[i].error_class);
        same_text(told.id, "EV-1");
        assert_int_equal(told.is_refund, is_refund);
        assert_int_equal(told.part_count, 0);
        assert_false(told.is_ignored);
        assert_false(told.needs_refresh);
        same_text(told.ack_body, "{\"code\":\"SUCCESS\",\"message\":\"成功\"}");
        same_text(told.ack_content_type, "application/json");
        same_text(told.result.number, is_refund ? REFUND : ATTEMPT);
        same_text(told.order_number, is_refund ? ATTEMPT : "");
        same_text(told.result.trade_no, is_refund ? "50300" : "42000");
        same_text(told.result.seller, MCHID);
        same_text(told.result.app, is_refund ? "" : APPID);
        assert_int_equal(told.result.amount, is_refund ? 7 : 100);
        /* a refund's notice names none; without it nobody else's would count */
        same_text(told.result.currency, "CNY");
        assert_int_equal(told.result.refunded_total, -1);
    }
}

/* genuine, and nothing to us */
static void
test_ignored(void **state)
{
    static const char *const types[][2]
        = { { "MCHTRANSFER.BILL.FINISHED", "mch_payment" },
            { "COUPON.USE", "coupon" },
            { "PAYSCORE.USER_PAID", "payscore" } };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(types); i++) {
        struct event event = usual;

        event.type     = types[i][0];
        event.original = types[i][1];
        event.plain    = "{}";
        assert_int_equal(notice_of(&event), PH_OK);
        assert_true(told.is_ignored);
        assert_true(told.ack_body.len != 0);
    }
    /* money by its name, and of a kind that we cannot read */
    struct event event = usual;
    event.original     = "combine-transaction";
    assert_int_equal(notice_of(&event), PH_E_SYNTAX);
    assert_false(told.needs_refresh);
    event.type = "REFUND.SUCCESS";
    assert_int_equal(notice_of(&event), PH_E_SYNTAX);
}

/* ---- bad ones ---- */

static const struct {
    const char *about;
    const char *plain;
    enum ph_rc  rc;
} plain_rows[] = {
    { "empty", "", PH_E_SYNTAX },
    { "no object", "[]", PH_E_SYNTAX },
    { "nothing inside", "{}", PH_E_MISSING },
    { "cut", "{\"trade_state\":\"SUCCESS\"", PH_E_SYNTAX },
    { "no state", "{" NAMED "}", PH_E_MISSING },
    { "no number",
      "{\"appid\":\"a\",\"mchid\":\"1\",\"trade_state\":\"USERPAYING\"}",
      PH_E_MISSING },
    { "no amount", "{" NAMED ",\"trade_state\":\"SUCCESS\"}", PH_E_MISSING },
    { "no seller",
      "{\"appid\":\"a\",\"out_trade_no\":\"" ATTEMPT
      "\",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100}}",
      PH_E_MISSING },
    { "amount as text",
      "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":\"100\"}}",
      PH_E_SYNTAX },
    { "real amount",
      "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":100.0}}",
      PH_E_SYNTAX },
    { "exponent",
      "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":1e2}}",
      PH_E_SYNTAX },
    { "less than nothing",
      "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":-1}}",
      PH_E_SYNTAX },
    { "too much",
      "{" NAMED ",\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":"
      "10000000000000000}}",
      PH_E_SYNTAX },
    { "twice",
      "{" NAMED ",\"trade_state\":\"NOTPAY\",\"trade_state\":\"SUCCESS\","
      "\"amount\":{\"total\":100}}",
      PH_E_SYNTAX },
    { "number of another type",
      "{\"out_trade_no\":7,\"trade_state\":\"SUCCESS\"}", PH_E_SYNTAX },
};

static void
test_plain(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(plain_rows); i++) {
        struct event event = usual;

        event.plain = plain_rows[i].plain;
        print_message("  %s\n", plain_rows[i].about);
        assert_int_equal(notice_of(&event), plain_rows[i].rc);
        assert_false(told.needs_refresh);
    }
    struct event event = usual;
    event.type         = "REFUND.SUCCESS";
    event.original     = "refund";
    event.plain        = PAID("SUCCESS"); /* a payment is no refund */
    assert_int_equal(notice_of(&event), PH_E_MISSING);
}

static void
test_sealed(void **state)
{
    static const char other_key[] = "payhubAPIv3key0123456789abcdefgX";
    struct event      event       = usual;
    struct ph_str     body;
    char             *at;

    (void) state;
    event.key = other_key;
    assert_int_equal(notice_of(&event), PH_E_CHECKSUM);
    event           = usual;
    event.algorithm = "AEAD_SM4_GCM";
    assert_int_equal(notice_of(&event), PH_E_SYNTAX);
    event    = usual;
    event.id = "";
    assert_int_equal(notice_of(&event), PH_E_MISSING);

    body = event_make(&usual);
    at   = memmem(body.ptr, body.len, "\"transaction\",\"ciphertext", 24);
    assert_non_null(at);
    at[1] = 'T';
    assert_int_equal(notice(body), PH_E_CHECKSUM);
    at[1] = 't';
    assert_int_equal(notice(body), PH_OK);
    at    = memmem(body.ptr, body.len, "EdFvCBTgoQlS", 12);
    at[0] = 'e';
    assert_int_equal(notice(body), PH_E_CHECKSUM);
    at[11] = '"'; /* eleven bytes, and no JSON behind */
    assert_int_equal(notice(body), PH_E_SYNTAX);
}

/* each way in which the outer body may be none, its signature being good */
static void
test_bodies(void **state)
{
    static char                big[NOTICE_MAX];
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("{}"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("<html></html>"),
        PH_STR_INIT("\xef\xbb\xbf{\"id\":\"a\",\"event_type\":\"b\"}"),
        PH_STR_INIT("{\"id\":\"a\0b\",\"event_type\":\"b\"}"),
        PH_STR_INIT("{\"id\":\"a\",\"id\":\"b\",\"event_type\":\"b\"}"),
        PH_STR_INIT("{\"id\":\"a\",\"event_type\":\"b\"}"),
        PH_STR_INIT("{\"id\":1,\"event_type\":\"b\",\"resource\":{}}"),
        PH_STR_INIT("{\"id\":\"a\",\"event_type\":\"b\",\"resource\":[]}"),
        PH_STR_INIT("{\"id\":\"a\",\"event_type\":\"b\",\"resource\":{"
                    "\"algorithm\":\"AEAD_AES_256_GCM\"}}"),
        PH_STR_INIT("{\"id\":\"a\",\"event_type\":\"b\",\"resource\":{"
                    "\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":"
                    "\"EdFvCBTgoQlS\",\"ciphertext\":\"AAAA\"}}"),
        PH_STR_INIT("{\"id\":\"a\",\"event_type\":\"b\",\"resource\":{"
                    "\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":"
                    "\"EdFvCBTgoQlS\",\"ciphertext\":\"?\"}}"),
        PH_STR_INIT(
            "{\"id\":\"a\",\"event_type\":\"b\",\"resource\":{"
            "\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":"
            "\"EdF\",\"ciphertext\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}}"),
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        assert_int_not_equal(notice(bodies[i]), PH_OK);
        assert_false(told.needs_refresh);
    }
    memset(big, '[', sizeof(big));
    assert_int_not_equal(notice(ph_str_make(big, sizeof(big))), PH_OK);
    memset(big, ' ', sizeof(big));
    assert_int_not_equal(notice(ph_str_make(big, sizeof(big))), PH_OK);
}

/* ---- signatures ---- */

static void
test_signatures(void **state)
{
    struct ph_str body = event_make(&usual);
    struct wire   wire;
    static const struct {
        const char *serial, *key;
        int64_t     at;
        enum ph_rc  rc;
    } rows[] = {
        { SERIAL_1, "platform1_pkcs8.pem", -300, PH_OK },
        { SERIAL_1, "platform1_pkcs8.pem", 300, PH_OK },
        { SERIAL_1, "platform1_pkcs8.pem", -301, PH_E_RANGE },
        { SERIAL_1, "platform1_pkcs8.pem", 301, PH_E_RANGE },
        { SERIAL_2, "platform2_pkcs8.pem", 0, PH_OK },
        { PUBLIC_ID, "wxpub_pkcs8.pem", 0, PH_OK },
        { SERIAL_1, "platform2_pkcs8.pem", 0, PH_E_SIGNATURE },
        { SERIAL_2, "platform1_pkcs8.pem", 0, PH_E_SIGNATURE },
        { SERIAL_1, "merchant_pkcs8.pem", 0, PH_E_SIGNATURE },
        { SERIAL_NO, "merchant_pkcs8.pem", 0, PH_E_UNKNOWN },
        { "PUB_KEY_ID_9", "wxpub_pkcs8.pem", 0, PH_E_UNKNOWN },
        { "pub_key_id_019000091912026112300001122", "wxpub_pkcs8.pem", 0,
          PH_E_UNKNOWN },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        wire_make(&wire, rows[i].serial, rows[i].key,
                  (uint64_t) ((int64_t) NOW_S + rows[i].at), body);
        assert_int_equal(notice_by(body, &wire), rows[i].rc);
        assert_int_equal(told.result.class, rows[i].rc == PH_OK
                                                ? PH_RESULT_SUCCEEDED
                                                : PH_RESULT_UNKNOWN);
        /* only a certificate may be fetched */
        assert_int_equal(told.needs_refresh,
                         strcmp(rows[i].serial, SERIAL_NO) == 0);
        same_text(told.hint, told.needs_refresh ? SERIAL_NO : "");
    }
    for (size_t missing = 0; missing <= H_SIGNATURE; missing++) {
        wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S, body);
        wire.headers[missing].name = PH_STR("X");
        assert_int_equal(notice_by(body, &wire), PH_E_MISSING);
    }
    /* A probe is no message, whatever certificate it names. */
    wire_make(&wire, SERIAL_NO, "platform1_pkcs8.pem", NOW_S, body);
    wire.headers[H_SIGNATURE].value = PH_STR("WECHATPAY/SIGNTEST/AAAA");
    assert_int_equal(notice_by(body, &wire), PH_E_SIGNATURE);
    assert_false(told.needs_refresh);
}

/* What was signed as nonce and body is not taken with the cut elsewhere. */
static void
test_cut_elsewhere(void **state)
{
    struct ph_str body  = event_make(&usual);
    struct ph_str nonce = PH_STR("c5ac7061fccab6bf3e254dcf98995b8c\nx");
    struct ph_buf buf;
    struct wire   wire;

    (void) state;
    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, PH_STR("x\n"));
    ph_buf_add(&buf, body);
    wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S,
              ph_arena_close(&texts, &buf));
    wire.headers[H_NONCE].value = nonce;
    assert_int_equal(notice_by(body, &wire), PH_E_SYNTAX);
}

/* every byte of a notice counts */
static void
test_each_byte(void **state)
{
    struct ph_str body = ph_arena_dup(&texts, event_make(&usual));
    struct wire   wire;
    char         *bytes = (char *) (uintptr_t) body.ptr;

    (void) state;
    wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S, body);
    assert_int_equal(notice_by(body, &wire), PH_OK);
    for (size_t i = 0; i < body.len; i++) {
        bytes[i] = (char) (bytes[i] ^ 1);
        assert_int_equal(notice_by(body, &wire), PH_E_SIGNATURE);
        bytes[i] = (char) (bytes[i] ^ 1);
        assert_int_equal(notice_by(ph_str_make(body.ptr, i), &wire),
                         PH_E_SIGNATURE);
    }
}

/* ---- service providers ---- */

#define SP "\"sp_appid\":\"" APPID "\",\"sp_mchid\":\"" MCHID "\""

static void
test_partner_notice(void **state)
{
    struct event  event = usual;
    struct wire   wire;
    struct ph_str body;

    (void) state;
    partner_set("yes", "1900000109", NULL);
    event.plain
        = "{" SP ",\"sub_mchid\":\"1900000109\",\"out_trade_no\":\"" ATTEMPT
          "\",\"trade_state\":\"SUCCESS\",\"amount\":{"
          "\"total\":100,\"currency\":\"CNY\"}}";
    body = event_make(&event);
    wire_make(&wire, PUBLIC_ID, "wxpub_pkcs8.pem", NOW_S, body);
    assert_int_equal(notice_by(body, &wire), PH_OK);
    same_text(told.result.seller, MCHID "/1900000109");
    same_text(told.result.app, APPID);

    event.original = "refund";
    event.type     = "REFUND.SUCCESS";
    event.plain    = "{\"sp_mchid\":\"" MCHID "\",\"sub_mchid\":\"1900000109\","
                     "\"out_trade_no\":\"" ATTEMPT "\",\"out_refund_no\":\"" REFUND
                  "\",\"refund_id\":\"5\",\"refund_status\":"
                  "\"SUCCESS\",\"amount\":{\"refund\":7,\"total\":100}}";
    body = event_make(&event);
    wire_make(&wire, PUBLIC_ID, "wxpub_pkcs8.pem", NOW_S, body);
    assert_int_equal(notice_by(body, &wire), PH_OK);
    same_text(told.result.seller, MCHID "/1900000109");
    same_text(told.result.app, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good, setup),
        cmocka_unit_test_setup(test_ignored, setup),
        cmocka_unit_test_setup(test_plain, setup),
        cmocka_unit_test_setup(test_sealed, setup),
        cmocka_unit_test_setup(test_bodies, setup),
        cmocka_unit_test_setup(test_signatures, setup),
        cmocka_unit_test_setup(test_cut_elsewhere, setup),
        cmocka_unit_test_setup(test_each_byte, setup),
        cmocka_unit_test_setup(test_partner_notice, setup),
    };

    return cmocka_run_group_tests_name("channel_wechatpay_notice", tests,
                                       group_begin, group_end);
}

/*
 * test_channel_wechatpay_keys.c - accounts and the keys that they believe:
 * values refused, certificates fetched, kept and replaced, partners.
 */
#include "t/unit/channel_wechatpay.h"

#define ORDER                                                                  \
    "{\"appid\":\"" APPID "\",\"mchid\":\"" MCHID                              \
    "\",\"out_trade_no\":\"" ATTEMPT "\",\"trade_state\":\"NOTPAY\"}"

static int
setup(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    account_usual();
    order_usual("wechat_native");
    return 0;
}

static struct ph_str
no_text(void)
{
    return ph_str_make(NULL, 0);
}

/* ---- values ---- */

/* by: openssl genpkey -algorithm SM2 | openssl pkey -pubout */
#define SM2_KEY                                                                \
    "-----BEGIN PUBLIC KEY-----\n"                                             \
    "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE7CfJy1inw5rxmxGhxOj2Lqmwk491\n"       \
    "6Um+a26TMMcbeMbHUv8qqyVZvPSr51pWgHOvMKKzOZRUR6vNgFAEJyAbSQ==\n"           \
    "-----END PUBLIC KEY-----\n"

/* one value changed; `why` = the beginning of what is said, NULL = it opens */
static const struct value_row {
    enum wechat_field field;
    const char       *value;
    bool              is_file;
    const char       *why;
} value_rows[] = {
    /* clang-format off */
    { WECHAT_BASE_URL, "ftp://a", false, "base_url: found ftp://a, expected" },
    { WECHAT_BASE_URL, "http://api.mch.weixin.qq.com", false, "base_url: found" },
    { WECHAT_BASE_URL, "", false, "base_url: found nothing" },
    { WECHAT_BASE_URL, "http://127.0.0.1:9/x", false, NULL },
    { WECHAT_MCHID, "", false, "mchid: found nothing" },
    { WECHAT_MCHID, "19000x", false, "mchid: found something else than digits" },
    { WECHAT_MCHID, "1\",a=\"", false, "mchid: found something else" },
    { WECHAT_APPID, "", false, "appid: found nothing" },
    { WECHAT_APPID, "wx d", false, "appid: found something else" },
    { WECHAT_PRIVATE_KEY, "", false, "private_key: found nothing" },
    { WECHAT_PRIVATE_KEY, "secret words", false, "private_key: found no private key" },
    { WECHAT_PRIVATE_KEY, "merchant_public.pem", true, "private_key: found no private key" },
    { WECHAT_PRIVATE_KEY, "merchant_pkcs1.pem", true, NULL },
    { WECHAT_SERIAL_NO, "", false, "serial_no: found no whole set of keys" },
    { WECHAT_SERIAL_NO, "594A-", false, "serial_no: found something else than hex" },
    { WECHAT_SERIAL_NO, "594ad8626c49935da207ae268186b30198a6c39f", false, NULL },
    { WECHAT_MERCHANT_CERT, "merchant_cert.pem", true, NULL },
    { WECHAT_MERCHANT_CERT, "platform1_cert.pem", true, "merchant_cert: found a certificate of another key" },
    { WECHAT_MERCHANT_CERT, "words", false, "merchant_cert: found no certificate" },
    { WECHAT_APIV3_KEY, "", false, "apiv3_key: found nothing" },
    { WECHAT_APIV3_KEY, "payhubAPIv3key0123456789abcdefg", false, "apiv3_key: found another length" },
    { WECHAT_APIV3_KEY, "payhubAPIv3key0123456789abcdefghi", false, "apiv3_key: found another length" },
    { WECHAT_OLD_APIV3_KEY, "short", false, "old_apiv3_key: found another length" },
    { WECHAT_PUBLIC_KEY_ID, "", false, "public_key_id: found public_key or its id" },
    { WECHAT_PUBLIC_KEY, "", false, "public_key_id: found public_key or its id" },
    { WECHAT_PUBLIC_KEY, "words", false, "public_key: found no RSA key" },
    { WECHAT_PUBLIC_KEY, SM2_KEY, false, "public_key: found no RSA key" },
    { WECHAT_PUBLIC_KEY_ID, "0190000919", false, "public_key_id: found something else" },
    { WECHAT_OLD_PUBLIC_KEY_ID, "PUB_KEY_ID_1", false, "old_public_key_id: found old_public_key" },
    { WECHAT_SERVICE_PROVIDER, "maybe", false, "service_provider: found maybe, expected yes or no" },
    { WECHAT_SERVICE_PROVIDER, "no", false, NULL },
    { WECHAT_SUB_MCHID, "sub", false, "sub_mchid: found something else than digits" },
    { WECHAT_SUB_MCHID, "1900009999", false, NULL },
    { WECHAT_SUB_APPID, "wx/", false, "sub_appid: found something else" },
    { WECHAT_STORE_ID, "123456789012345678901234567890123", false, "store_id: found more" },
    /* clang-format on */
};

static void
test_values(void **state)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(value_rows); i++) {
        const struct value_row *row = &value_rows[i];

        values_set(values);
        values[row->field]
            = row->is_file ? key_file(row->value) : ph_str_z(row->value);
        const char *why = account_set(values, no_text());
        print_message("  %s\n", row->why != NULL ? row->why : "(opens)");
        if (row->why == NULL) {
            assert_null(why);
            continue;
        }
        assert_non_null(why);
        assert_memory_equal(why, row->why, strlen(row->why));
        assert_null(account.context);
        assert_null(strstr(why, "secret words"));
    }
    values_set(values);
    values[WECHAT_OLD_PUBLIC_KEY_ID] = PH_STR(PUBLIC_ID);
    values[WECHAT_OLD_PUBLIC_KEY]    = key_file("wxpub_public.pem");
    const char *why                  = account_set(values, no_text());
    assert_non_null(why);
    assert_memory_equal(why, "old_public_key_id: found that of", 32);
    values_set(values);
    values[WECHAT_SERVICE_PROVIDER] = PH_STR("no");
    values[WECHAT_SUB_MCHID]        = PH_STR("1900009999");
    why                             = account_set(values, no_text());
    assert_non_null(why);
    assert_memory_equal(why, "service_provider: found no beside", 33);
}

/* The serial number stands in the certificate. */
static void
test_merchant_cert(void **state)
{
    struct ph_str                values[PH_CHANNEL_FIELDS_MAX];
    const struct wechat_account *opened;

    (void) state;
    values_set(values);
    values[WECHAT_SERIAL_NO]     = no_text();
    values[WECHAT_MERCHANT_CERT] = key_file("merchant_cert.pem");
    assert_null(account_set(values, no_text()));
    opened = account.context;
    same_text(ph_str_make(opened->serial_no, opened->serial_no_len), SERIAL_NO);
    values[WECHAT_SERIAL_NO] = PH_STR("00");
    const char *why          = account_set(values, no_text());
    assert_non_null(why);
    assert_memory_equal(why, "serial_no: found another one", 28);
}

/* ---- certificates ---- */

/* dates in seconds from now; `key` is the file of its private key */
static struct ph_str
cert_make(const char *serial, const char *key, int64_t from, int64_t until)
{
    X509      *cert   = X509_new();
    X509_NAME *name   = X509_NAME_new();
    BIGNUM    *number = NULL;
    BIO       *bio    = BIO_new(BIO_s_mem());
    char      *text;

    assert_true(BN_hex2bn(&number, serial) > 0);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) NOW_S + from));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) NOW_S + until));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *) serial,
                                                -1, -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(cert, name), 1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_int_equal(X509_set_pubkey(cert, private_key(key)), 1);
    assert_true(X509_sign(cert, private_key("ca_pkcs8.pem"), EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    long          len = BIO_get_mem_data(bio, &text);
    struct ph_str pem = ph_arena_dup(&texts, ph_str_make(text, (size_t) len));

    BIO_free(bio);
    BN_free(number);
    X509_NAME_free(name);
    X509_free(cert);
    return pem;
}

struct listed {
    const char   *serial; /* as the answer names it */
    struct ph_str pem;
    const char   *sealed_with;
};

/* the answer to GET /v3/certificates */
static struct ph_str
list_make(const struct listed *listed, size_t count)
{
    struct ph_buf buf;
    struct ph_str sealed[40];

    for (size_t i = 0; i < count; i++) {
        sealed[i] = sealed_of(listed[i].sealed_with, "61f9c719728a",
                              "certificate", listed[i].pem);
    }
    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, PH_STR("{\"data\":["));
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(&buf, i == 0 ? PH_STR("") : PH_STR(","));
        ph_buf_add(&buf, PH_STR("{\"serial_no\":\""));
        ph_buf_add(&buf, ph_str_z(listed[i].serial));
        ph_buf_add(&buf, PH_STR("\",\"effective_time\":\"2026-11-23T10:00:00"
                                "+08:00\",\"encrypt_certificate\":{"
                                "\"algorithm\":\"AEAD_AES_256_GCM\",\"nonce\":"
                                "\"61f9c719728a\",\"associated_data\":"
                                "\"certificate\",\"ciphertext\":\""));
        ph_buf_add(&buf, sealed[i]);
        ph_buf_add(&buf, PH_STR("\"}}"));
    }
    ph_buf_add(&buf, PH_STR("]}"));
    return ph_arena_close(&texts, &buf);
}

static enum ph_channel_step
refresh(unsigned status, struct ph_str body, const char *serial,
        const char *key, int64_t at)
{
    struct wire wire;

    wire_make(&wire, serial, key, (uint64_t) ((int64_t) NOW_S + at), body);
    assert_int_equal(begin(PH_OP_ACCOUNT_REFRESH), PH_STEP_NEED_REQUEST);
    same_text(out.request.method, "GET");
    same_text(out.request.url, BASE "/v3/certificates");
    return answer_by(status, body, &wire);
}

/* opens the account anew with what was kept, as the core does */
static void
kept_take(void)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    memcpy(values, account.values, sizeof(values));
    assert_null(account_set(values, ph_arena_dup(&texts, out.kept.value)));
}

static enum ph_channel_step
query_by(const char *serial, const char *key)
{
    struct wire wire;

    wire_make(&wire, serial, key, NOW_S, PH_STR(ORDER));
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    return answer_by(200, PH_STR(ORDER), &wire);
}

static void
believes(const char *serial, const char *key, bool shall)
{
    enum ph_channel_step next = query_by(serial, key);

    assert_int_equal(next, shall ? PH_STEP_DONE : PH_STEP_NEED_REFRESH);
    assert_int_equal(out.result.class,
                     shall ? PH_RESULT_WAIT_USER : PH_RESULT_UNKNOWN);
}

static void
certificates_only(void)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    values_set(values);
    values[WECHAT_PUBLIC_KEY_ID] = no_text();
    values[WECHAT_PUBLIC_KEY]    = no_text();
    assert_null(account_set(values, no_text()));
}

static struct ph_str
serial_header(void)
{
    return ph_channel_header(out.request.headers, out.request.header_count,
                             PH_STR("wechatpay-serial"));
}

/* Nothing is known: nothing is asked but the certificates, and the answer that
 * brings them is verified by one of them. */
static void
test_first(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE,  PH_OP_QUERY,  PH_OP_CLOSE,
            PH_OP_REVERSE, PH_OP_REFUND, PH_OP_REFUND_QUERY };
    const struct listed listed[] = {
        { SERIAL_1, key_file("platform1_cert.pem"), APIV3_KEY },
        { "530dcfc294199b439dbc6d5695d334f11b079db9",
          key_file("platform2_cert.pem"), APIV3_KEY },
    };

    (void) state;
    certificates_only();
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REFRESH);
        assert_int_equal(out.hint.len, 0);
    }
    assert_int_equal(begin(PH_OP_ACCOUNT_REFRESH), PH_STEP_NEED_REQUEST);
    same_text(serial_header(), "");
    assert_int_equal(
        refresh(200, list_make(listed, 2), SERIAL_2, "platform2_pkcs8.pem", -3),
        PH_STEP_DONE);
    assert_true(out.kept.refresh_at_ms == NOW_MS + WECHAT_REFRESH_MS);
    assert_true(out.kept.expires_at_ms > NOW_MS + 4 * 365 * DAY_S * 1000);
    kept_take();
    believes(SERIAL_1, "platform1_pkcs8.pem", true);
    believes(SERIAL_2, "platform2_pkcs8.pem", true);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    assert_int_equal(serial_header().len, strlen(SERIAL_1));
}

#define OLD "1111111111111111111111111111111111111111"
#define NEW "2222222222222222222222222222222222222222"
#define NEXT "3333333333333333333333333333333333333333"

/* The old one runs out while the new one is in use, and is believed a day
 * longer; one that begins later is asked for when it has begun. */
static void
test_rotation(void **state)
{
    struct listed listed[] = {
        { OLD, cert_make(OLD, "platform1_pkcs8.pem", -400 * 86400, -3600),
          APIV3_KEY },
        { NEW, cert_make(NEW, "platform2_pkcs8.pem", -86400, 400 * 86400),
          APIV3_KEY },
        { NEXT, cert_make(NEXT, "wxpub_pkcs8.pem", 3600, 500 * 86400),
          APIV3_KEY },
    };
    const struct wechat_account *opened;

    (void) state;
    certificates_only();
    assert_int_equal(
        refresh(200, list_make(listed, 3), NEW, "platform2_pkcs8.pem", 0),
        PH_STEP_DONE);
    kept_take();
    believes(OLD, "platform1_pkcs8.pem", true);
    believes(NEW, "platform2_pkcs8.pem", true);
    believes(NEXT, "wxpub_pkcs8.pem", true);
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    same_text(serial_header(), NEW);
    opened = account.context;
    same_text(
        ph_str_make(wechat_key_wanted(opened, NOW_MS + 3700000)->serial, 40),
        NEXT);

    /* to the millisecond, a day after its end */
    uint64_t end_ms = NOW_MS - 3600000;
    assert_non_null(wechat_key_find(opened->keys, opened->key_count,
                                    PH_STR(OLD), end_ms + WECHAT_LATE_MS));
    assert_null(wechat_key_find(opened->keys, opened->key_count, PH_STR(OLD),
                                end_ms + WECHAT_LATE_MS + 1));

    /* The channel lists it no more: it stays for the rest of its day. */
    assert_int_equal(
        refresh(200, list_make(&listed[1], 2), NEW, "platform2_pkcs8.pem", 0),
        PH_STEP_DONE);
    kept_take();
    believes(OLD, "platform1_pkcs8.pem", true);

    /* One that is within its dates and listed no more was taken back. */
    assert_int_equal(
        refresh(200, list_make(&listed[2], 1), NEXT, "wxpub_pkcs8.pem", 0),
        PH_STEP_DONE);
    kept_take();
    believes(NEW, "platform2_pkcs8.pem", false);
    same_text(out.hint, NEW);
    believes(OLD, "platform1_pkcs8.pem", true);
    believes(NEXT, "wxpub_pkcs8.pem", true);
}

/* One that ended long ago is listed, and not kept. */
static void
test_ended(void **state)
{
    struct listed listed[] = {
        { OLD, cert_make(OLD, "platform1_pkcs8.pem", -400 * 86400, -86401),
          APIV3_KEY },
        { NEW, cert_make(NEW, "platform2_pkcs8.pem", -86400, 86400),
          APIV3_KEY },
    };

    (void) state;
    certificates_only();
    assert_int_equal(
        refresh(200, list_make(listed, 2), NEW, "platform2_pkcs8.pem", 0),
        PH_STEP_DONE);
    kept_take();
    const struct wechat_account *opened = account.context;
    assert_int_equal(opened->key_count, 1);
}

/* all of them ran out: nothing is asked under keys that nobody has any more */
static void
test_all_expired(void **state)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    (void) state;
    certificates_only();
    memcpy(values, account.values, sizeof(values));
    assert_null(
        account_set(values, cert_make(OLD, "platform1_pkcs8.pem", -86400, -1)));
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REFRESH);
    /* what cannot be read is as nothing */
    assert_null(account_set(values, PH_STR("-----BEGIN CERTIFICATE-----\nA\n"
                                           "-----END CERTIFICATE-----\n")));
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REFRESH);
}

/* From certificates to the public key: both are live, then the certificates
 * are given out no more. */
static void
test_switch(void **state)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];
    struct wire   wire;

    (void) state;
    account_usual(); /* the public key, and certificates that are kept */
    believes(SERIAL_1, "platform1_pkcs8.pem", true);
    believes(PUBLIC_ID, "wxpub_pkcs8.pem", true);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    same_text(serial_header(), PUBLIC_ID);

    for (unsigned status = 403; status <= 404; status++) {
        assert_int_equal(refresh(status, PH_STR("{\"code\":\"NO_AUTH\"}"),
                                 PUBLIC_ID, "wxpub_pkcs8.pem", 0),
                         PH_STEP_DONE);
        assert_true(out.kept.refresh_at_ms
                    == NOW_MS + WECHAT_REFRESH_REFUSED_MS);
        kept_take();
        believes(SERIAL_1, "platform1_pkcs8.pem", true);
        believes(SERIAL_2, "platform2_pkcs8.pem", true);
    }

    /* never had one, and needs none */
    values_set(values);
    assert_null(account_set(values, no_text()));
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    assert_int_equal(refresh(404, PH_STR(""), PUBLIC_ID, "wxpub_pkcs8.pem", 0),
                     PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    same_text(out.kept.value, "none"); /* kept, so that it has its time */
    kept_take();
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    believes(SERIAL_1, "platform1_pkcs8.pem", false);
    assert_int_equal(refresh(404, PH_STR(""), PUBLIC_ID, "wxpub_pkcs8.pem", 0),
                     PH_STEP_DONE);
    same_text(out.kept.value, "none");

    /* one public key after another, both live */
    values[WECHAT_OLD_PUBLIC_KEY_ID] = PH_STR(PUBLIC_ID);
    values[WECHAT_OLD_PUBLIC_KEY]    = key_file("wxpub_public.pem");
    values[WECHAT_PUBLIC_KEY_ID]     = PH_STR("PUB_KEY_ID_2");
    values[WECHAT_PUBLIC_KEY]        = key_file("platform2_public.pem");
    assert_null(account_set(values, no_text()));
    believes(PUBLIC_ID, "wxpub_pkcs8.pem", true);
    believes("PUB_KEY_ID_2", "platform2_pkcs8.pem", true);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    same_text(serial_header(), "PUB_KEY_ID_2");
    wire_make(&wire, "PUB_KEY_ID_2", "wxpub_pkcs8.pem", NOW_S, PH_STR(ORDER));
    assert_int_equal(answer_by(200, PH_STR(ORDER), &wire), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "signature");

    /* without a public key a refusal is one */
    certificates_only();
    assert_int_equal(
        refresh(404, PH_STR(""), SERIAL_1, "platform1_pkcs8.pem", 0),
        PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "config");
}

static struct ph_str
replaced(struct ph_str text, const char *what, const char *with)
{
    const char   *at = memmem(text.ptr, text.len, what, strlen(what));
    struct ph_buf buf;

    assert_non_null(at);
    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, ph_str_make(text.ptr, (size_t) (at - text.ptr)));
    ph_buf_add(&buf, ph_str_z(with));
    at += strlen(what);
    ph_buf_add(&buf, ph_str_make(at, (size_t) (text.ptr + text.len - at)));
    return ph_arena_close(&texts, &buf);
}

static void
refused(struct ph_str body, const char *serial, const char *key, int64_t at,
        const char *error_class)
{
    assert_int_equal(refresh(200, body, serial, key, at), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, error_class);
    assert_int_equal(out.kept.value.len, 0);
}

/* all or nothing: one certificate at fault refuses the whole answer */
static void
test_refused(void **state)
{
    static const char other_key[] = "payhubAPIv3key0123456789abcdefgX";
    struct listed     good        = { NEW, { NULL, 0 }, APIV3_KEY };
    struct listed     many[33];
    struct listed     two[2];

    (void) state;
    certificates_only();
    good.pem           = cert_make(NEW, "platform2_pkcs8.pem", -86400, 86400);
    struct ph_str body = list_make(&good, 1);

    refused(body, NEW, "platform1_pkcs8.pem", 0, "signature");
    refused(body, OLD, "platform2_pkcs8.pem", 0, "signature");
    refused(body, NEW, "platform2_pkcs8.pem", -301, "stale");
    refused(replaced(body, "[{", "[{\"a\":1,"), NEW, "merchant_pkcs8.pem", 0,
            "signature");
    refused(PH_STR("{\"data\":[]}"), NEW, "platform2_pkcs8.pem", 0,
            "unreadable");
    refused(PH_STR("{}"), NEW, "platform2_pkcs8.pem", 0, "unreadable");
    refused(PH_STR(""), NEW, "platform2_pkcs8.pem", 0, "unreadable");
    refused(replaced(body, "AEAD_AES_256_GCM", "AEAD_SM4_GCM"), NEW,
            "platform2_pkcs8.pem", 0, "unreadable");
    refused(replaced(body, "\"61f9c719728a\"", "\"61f9c71972\""), NEW,
            "platform2_pkcs8.pem", 0, "unreadable");
    refused(replaced(body, "\"certificate\"", "\"Certificate\""), NEW,
            "platform2_pkcs8.pem", 0, "config");

    two[0]        = good;
    two[1]        = good;
    two[1].serial = OLD; /* not the certificate's */
    refused(list_make(two, 2), NEW, "platform2_pkcs8.pem", 0, "config");
    two[1].serial      = NEW;
    two[1].sealed_with = other_key;
    refused(list_make(two, 2), NEW, "platform2_pkcs8.pem", 0, "config");
    two[1].sealed_with = APIV3_KEY;
    two[1].pem         = PH_STR("no certificate");
    refused(list_make(two, 2), NEW, "platform2_pkcs8.pem", 0, "unreadable");

    two[0].pem = cert_make(NEW, "platform2_pkcs8.pem", -9 * 86400, -2 * 86400);
    refused(list_make(two, 1), NEW, "platform2_pkcs8.pem", 0, "signature");

    for (size_t i = 0; i < PH_COUNT(many); i++) {
        many[i] = good;
    }
    refused(list_make(many, 33), NEW, "platform2_pkcs8.pem", 0, "unreadable");
    assert_int_equal(refresh(500, body, NEW, "platform2_pkcs8.pem", 0),
                     PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "channel_error");
    assert_int_equal(refresh(200, body, NEW, "platform2_pkcs8.pem", 0),
                     PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
}

/* of more than there is room for the newest stay */
static void
test_many(void **state)
{
    struct listed listed[12];
    char          serials[12][41];

    (void) state;
    certificates_only();
    for (size_t i = 0; i < PH_COUNT(listed); i++) {
        (void) snprintf(serials[i], sizeof(serials[i]), "%040zX", i + 16);
        serials[i][0] = '7';
        listed[i]
            = (struct listed){ serials[i],
                               cert_make(serials[i], "platform2_pkcs8.pem",
                                         -1000 * 86400 + (int64_t) i * 3600,
                                         86400),
                               APIV3_KEY };
    }
    assert_int_equal(refresh(200, list_make(listed, 12), serials[0],
                             "platform2_pkcs8.pem", 0),
                     PH_STEP_DONE);
    assert_true(out.kept.value.len <= PH_CHANNEL_KEPT_MAX);
    kept_take();
    const struct wechat_account *opened = account.context;
    assert_int_equal(opened->key_count, WECHAT_CERTS_MAX);
    believes(serials[11], "platform2_pkcs8.pem", true);
    believes(serials[4], "platform2_pkcs8.pem", true);
    believes(serials[3], "platform2_pkcs8.pem", false);
}

/* the APIv3 key is changed: what is sealed with either is opened */
static void
test_old_apiv3(void **state)
{
    static const char other_key[] = "payhubAPIv3key0123456789abcdefgX";
    struct listed     listed[2]
        = { { NEW, { NULL, 0 }, APIV3_KEY }, { OLD, { NULL, 0 }, other_key } };
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    (void) state;
    certificates_only();
    memcpy(values, account.values, sizeof(values));
    values[WECHAT_APIV3_KEY]     = PH_STR("payhubAPIv3key0123456789abcdefgX");
    values[WECHAT_OLD_APIV3_KEY] = PH_STR(APIV3_KEY);
    assert_null(account_set(values, no_text()));
    listed[0].pem = cert_make(NEW, "platform2_pkcs8.pem", -86400, 86400);
    listed[1].pem = cert_make(OLD, "platform1_pkcs8.pem", -86400, 86400);
    assert_int_equal(
        refresh(200, list_make(listed, 2), NEW, "platform2_pkcs8.pem", 0),
        PH_STEP_DONE);
    kept_take();
    believes(OLD, "platform1_pkcs8.pem", true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_values, setup),
        cmocka_unit_test_setup(test_merchant_cert, setup),
        cmocka_unit_test_setup(test_first, setup),
        cmocka_unit_test_setup(test_rotation, setup),
        cmocka_unit_test_setup(test_ended, setup),
        cmocka_unit_test_setup(test_all_expired, setup),
        cmocka_unit_test_setup(test_switch, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_many, setup),
        cmocka_unit_test_setup(test_old_apiv3, setup),
    };

    return cmocka_run_group_tests_name("channel_wechatpay_keys", tests,
                                       group_begin, group_end);
}

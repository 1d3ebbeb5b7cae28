/*
 * test_channel_unionpay_signed.c - whose messages the unionpay adapter
 * believes: signatures, certificates, shared keys.
 */
#include "t/unit/channel_unionpay_messages.h"

#include <openssl/x509v3.h>

#define UNIONPAY_NAME                                                          \
    "\xe4\xb8\xad\xe5\x9b\xbd\xe9\x93\xb6\xe8\x81\x94\xe8\x82\xa1\xe4\xbb\xbd" \
    "\xe6\x9c\x89\xe9\x99\x90\xe5\x85\xac\xe5\x8f\xb8"

/* --- the good ones, so that the bad ones are bad for their reason --------- */

static void
test_genuine(void **state)
{
    struct ph_channel_notice_out out;

    (void) state;
    ph_arena_reset(&arena);
    paid("00");
    told_sign(KEYS "acpsign_pkcs8.pem");
    struct ph_channel_result result = answered(&account, told_answer(), 200);
    assert_int_equal(result.class, PH_RESULT_SUCCEEDED);
    t_same(result.number, PH_STR(ATTEMPT));
    t_same(result.trade_no, PH_STR(QUERY_ID));
    assert_int_equal(result.amount, 1000);
    t_same(result.currency, PH_STR("CNY"));
    t_same(result.seller, PH_STR(MER_ID));

    paid("01");
    told_sign(KEYS "acpsign_pkcs8.pem");
    assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_OK);
    assert_int_equal(out.part_count, 1);
    assert_int_equal(out.parts[0].result.class, PH_RESULT_SUCCEEDED);
    assert_false(out.parts[0].is_refund);
    assert_false(out.parts[0].result.is_hint);
    t_same(out.id, PH_STR("01-" QUERY_ID "-00"));
    t_same(out.ack_body, PH_STR("ok"));
    t_same(out.ack_content_type, PH_STR("text/plain"));
}

/* What is returned lives in the arena: not in the answer's buffer. */
static void
test_texts_are_copied(void **state)
{
    static char              body[64 * 1024];
    struct ph_channel_result result;

    (void) state;
    ph_arena_reset(&arena);
    paid("00");
    told_sign(KEYS "acpsign_pkcs8.pem");
    struct ph_str answer = told_answer();
    memcpy(body, answer.ptr, answer.len);
    result = answered(&account, ph_str_make(body, answer.len), 200);
    memset(body, 'x', sizeof(body));
    t_same(result.number, PH_STR(ATTEMPT));
    t_same(result.seller, PH_STR(MER_ID));
    t_same(result.channel_code, PH_STR("00"));
}

/* --- signatures ----------------------------------------------------------- */

static void
test_bad_signatures(void **state)
{
    static const struct {
        const char *about;
        const char *key;
        const char *cert; /* NULL = UnionPay's */
    } rows[] = {
        { "another key", KEYS "evil_pkcs8.pem", NULL },
        { "the merchant's own key", KEYS "merchant_pkcs8.pem", NULL },
        { "the merchant's own key and certificate", KEYS "merchant_pkcs8.pem",
          KEYS "merchant.cer" },
        { "another root, the right name", KEYS "evil_pkcs8.pem",
          KEYS "evil.cer" },
        { "the middle authority itself", KEYS "middle_pkcs8.pem",
          KEYS "middle.cer" },
        { "the root itself", KEYS "root_pkcs8.pem", KEYS "root.cer" },
        { "the encryption certificate", KEYS "enc_pkcs8.pem", KEYS "enc.cer" },
        { "a web host's certificate", KEYS "evil_pkcs8.pem",
          "t/data/vectors/keys/paypal/webhook_cert.pem" },
        { "no certificate", KEYS "acpsign_pkcs8.pem",
          KEYS "acpsign_public.pem" },
    };

    (void) state;
    for (size_t i = 0; i < 2 * PH_COUNT(rows); i++) {
        paid(i % 2 == 0 ? "00" : "01");
        if (rows[i / 2].cert != NULL) {
            pem_load(rows[i / 2].cert);
        }
        told_sign(rows[i / 2].key);
        not_believed(rows[i / 2].about, "signature");
    }
}

/* One field at a time, after it was signed. */
static void
test_tampered(void **state)
{
    static const struct told rows[] = {
        { "txnAmt", "1" },
        { "txnAmt", NULL },
        { "orderId", "A0K1M2N3P4Q7Z0123456789ABCE" },
        { "respCode", "01" },
        { "settleAmt", "1" },
        { "merId", "777290058110049" },
        { "currencyCode", "840" },
        { "added", "x" },
        { "signature", NULL },
        { "signature", "" },
        { "signature", "AAAA" },
        { "signature", "not base64!" },
        { "signPubKeyCert", NULL },
        { "signPubKeyCert", "" },
        { "signPubKeyCert", "x" },
        { "signMethod", "11" },
        { "signMethod", "02" },
        { "signMethod", NULL },
        { "version", "5.0.0" },
        { "version", NULL },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        paid("00");
        told_sign(KEYS "acpsign_pkcs8.pem");
        tell(rows[i].name, rows[i].value);
        not_believed(rows[i].name, "signature");
    }
}

/* Signed rightly by another version's or method's rules: still not ours. */
static void
test_other_methods(void **state)
{
    (void) state;
    paid("00");
    tell("version", "5.0.0");
    told_sign(KEYS "acpsign_pkcs8.pem");
    not_believed("version 5.0.0", "signature");
    paid("00");
    tell("signMethod", "11");
    told_hash(EVP_sha256());
    not_believed("method 11", "signature");
    paid("00");
    told_hash(EVP_sha256());
    not_believed("a hash by method 01", "signature");
}

static void
test_signature_bytes(void **state)
{
    static char text[1024];

    (void) state;
    paid("00");
    told_sign(KEYS "acpsign_pkcs8.pem");
    size_t at = told_count - 1;
    (void) snprintf(text, sizeof(text), "%s", told[at].value);
    told[at].value = text;
    for (size_t i = 0; i < strlen(text); i += 5) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        not_believed("a byte changed", "signature");
        text[i] = '\0';
        not_believed("cut", "signature");
        text[i] = kept;
    }
}

/* --- certificates made here ----------------------------------------------- */

/* A signer's certificate by the vectors' middle authority. */
static void
signer_make(const char *cn, long from_s, long until_s)
{
    EVP_PKEY  *key    = private_of(KEYS "acpsign_pkcs8.pem");
    EVP_PKEY  *middle = private_of(KEYS "middle_pkcs8.pem");
    FILE      *file   = fopen(KEYS "middle.cer", "rb");
    X509      *by     = PEM_read_X509(file, NULL, NULL, NULL);
    X509      *x509   = X509_new();
    BIO       *bio    = BIO_new(BIO_s_mem());
    X509_NAME *name   = X509_get_subject_name(x509);
    char      *text;

    assert_true(by != NULL && bio != NULL);
    (void) fclose(file);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 9), 1);
    assert_int_equal(
        X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                   (const unsigned char *) cn, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(by)), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509),
                                  (time_t) (NOW_MS / 1000) + from_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509),
                                  (time_t) (NOW_MS / 1000) + until_s));
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    assert_true(X509_sign(x509, middle, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    size_t len = (size_t) BIO_get_mem_data(bio, &text);
    assert_true(len < sizeof(signer_pem));
    memcpy(signer_pem, text, len);
    signer_pem[len] = '\0';
    BIO_free(bio);
    X509_free(x509);
    X509_free(by);
    EVP_PKEY_free(key);
    EVP_PKEY_free(middle);
}

/* who may sign: by the third part of the name, at the gateways where the
 * account has its own */
static void
test_signers(void **state)
{
    static const char production[] = "https://gateway.95516.com/gateway/api/";
    static const char test_gateway[]
        = "https://gateway.test.95516.com/gateway/api/";
    static const struct {
        const char *gateway;
        const char *cn;
        bool        is_believed;
    } rows[] = {
        { production, "041@8310000000083040@" UNIONPAY_NAME "@00016493", true },
        { test_gateway, "041@8310000000083040@" UNIONPAY_NAME "@00016493",
          true },
        { GATEWAY, "041@8310000000083040@" UNIONPAY_NAME "@00016493", true },
        { production, "041@Z12@00040000:SIGN@00000001", false },
        { test_gateway, "041@Z12@00040000:SIGN@00000001", true },
        { "http://127.1.2.3:81/x", "041@Z12@00040000:SIGN@00000001", true },
        { "https://[::1]:9443/", "041@Z12@00040000:SIGN@00000001", true },
        { "http://localhost/", "041@Z12@00040000:SIGN@00000001", true },
        { "https://gateway.test.95516.com.evil.example/",
          "041@Z12@00040000:SIGN@00000001", false },
        { "https://127.0.0.1.evil.example/", "041@Z12@00040000:SIGN@00000001",
          false },
        { "https://10.127.0.1/", "041@Z12@00040000:SIGN@00000001", false },
        { "https://128.0.0.1/", "041@Z12@00040000:SIGN@00000001", false },
        { "https://bank.example/127.0.0.1", "041@Z12@00040000:SIGN@00000001",
          false },
        { production, "041@" UNIONPAY_NAME "@8310000000083040@1", false },
        { production, "041@1@" UNIONPAY_NAME " @1", false },
        { production, "041@1@" UNIONPAY_NAME "x@1", false },
        { production, UNIONPAY_NAME, false },
        { production, "041@1", false },
        { production, "041@1@" UNIONPAY_NAME, true },
        { production, "041@1@" MER_ID "@1", false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account by = pem_account();

        ph_arena_reset(&arena);
        by.values[UNION_GATEWAY_URL] = ph_str_z(rows[i].gateway);
        account_open(&by);
        paid("00");
        signer_make(rows[i].cn, -86400, 86400);
        told_sign(KEYS "acpsign_pkcs8.pem");
        struct ph_channel_result result = answered(&by, told_answer(), 200);
        if ((result.class == PH_RESULT_SUCCEEDED) != rows[i].is_believed) {
            fail_msg("row %zu: class %d", i, (int) result.class);
        }
        ph_channel_account_close(&by);
    }
}

static void
test_signer_dates(void **state)
{
    static const struct {
        long from_s, until_s;
        bool is_believed;
    } rows[] = {
        { -60, 60, true }, { -60, 1, true }, { -60, -1, false },
        { 1, 60, false },  { -1, 60, true }, { 86400, 172800, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        paid("00");
        signer_make("041@Z12@00040000:SIGN@00000001", rows[i].from_s,
                    rows[i].until_s);
        told_sign(KEYS "acpsign_pkcs8.pem");
        ph_arena_reset(&arena);
        if (rows[i].is_believed) {
            assert_int_equal(answered(&account, told_answer(), 200).class,
                             PH_RESULT_SUCCEEDED);
        } else {
            not_believed("dates", "signature");
        }
    }
}

/* --- shared keys ---------------------------------------------------------- */

static void
test_shared_keys(void **state)
{
    static const struct {
        const char *method; /* the account's */
        const char *told;
        bool        is_sm3;
        bool        is_believed;
    } rows[] = {
        { "11", "11", false, true },  { "12", "12", true, true },
        { "11", "12", true, false },  { "12", "11", false, false },
        { "11", "11", true, false },  { "12", "12", false, false },
        { "11", "01", false, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_notice_out out;
        struct ph_channel_account    by = {
               .id      = PH_STR_INIT("acc"),
               .channel = &ph_channel_unionpay,
               .values  = { [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
                            [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
                            [UNION_SECURE_KEY]  = PH_STR_INIT(SECRET),
                            [UNION_SIGN_METHOD] = ph_str_z(rows[i].method) },
        };

        ph_arena_reset(&arena);
        account_open(&by);
        paid("01");
        tell("signMethod", rows[i].told);
        tell("signPubKeyCert", NULL);
        told_hash(rows[i].is_sm3 ? EVP_sm3() : EVP_sha256());
        enum ph_rc rc = noticed(&by, told_form(), NULL, &out);
        assert_int_equal(rc == PH_OK, rows[i].is_believed);
        ph_arena_reset(&arena);
        ph_channel_account_close(&by);
    }
    /* and a genuine certificate does not replace the key */
    struct ph_channel_account by = {
        .id      = PH_STR_INIT("acc"),
        .channel = &ph_channel_unionpay,
        .values  = { [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
                     [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
                     [UNION_SECURE_KEY]  = PH_STR_INIT(SECRET) },
    };
    struct ph_channel_notice_out out;

    account_open(&by);
    paid("01");
    told_sign(KEYS "acpsign_pkcs8.pem");
    assert_int_equal(noticed(&by, told_form(), NULL, &out), PH_E_SIGNATURE);
    ph_channel_account_close(&by);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),
        cmocka_unit_test(test_texts_are_copied),
        cmocka_unit_test(test_bad_signatures),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_other_methods),
        cmocka_unit_test(test_signature_bytes),
        cmocka_unit_test(test_signers),
        cmocka_unit_test(test_signer_dates),
        cmocka_unit_test(test_shared_keys),
    };

    return cmocka_run_group_tests_name("channel_unionpay_signed", tests, set_up,
                                       tear_down);
}

/*
 * Alipay's adapter: its next certificate.  Certificates are made here, signed
 * by the authority of t/data/vectors, whose key is known.
 */
#include "t/unit/channel_alipay.h"

#include <openssl/x509.h>

#include "libpayhub/wire/cert.h"

#define NAME "Alipay sim platform"            /* the configured one's */
#define NEW_KEY "keys/alipay/root2_pkcs8.pem" /* any key that is not in use */

static struct ph_channel_account cert;
static struct ph_channel_out     out;
static uint8_t                   state[PH_CHANNEL_STATE_MAX], random_bytes[32];

#define TEST(name) cmocka_unit_test_setup(name, begin)

static int
set_up(void **unused)
{
    (void) unused;
    assert_true(ph_digest_init());
    cert = t_values(T_CERT);
    t_open(&cert);
    return 0;
}

static int
tear_down(void **unused)
{
    (void) unused;
    ph_channel_account_close(&cert);
    ph_digest_deinit();
    return 0;
}

static int
begin(void **unused)
{
    (void) unused;
    t_arena_fresh();
    return 0;
}

/* --- certificates --------------------------------------------------------- */

static EVP_PKEY *
key_read(const char *name)
{
    struct ph_str pem = t_file(t_vector_path(name));
    BIO          *bio = BIO_new_mem_buf(pem.ptr, (int) pem.len);
    EVP_PKEY     *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(key);
    return key;
}

struct plan {
    const char *name;
    const char *issuer; /* file, without _pkcs8.pem or .crt */
    long        serial;
    int         from_day, until_day; /* from 2026-11-24 on */
    bool        is_der;
};

static const struct plan usual = { NAME, "mid", 4711, -1, 365, false };

struct made {
    char   sn[ALIPAY_SN_LEN + 1];
    char   b64[8192]; /* of the PEM, or of the DER */
    char   pem[4096];
    size_t pem_len;
};

static void
made_fill(struct made *made, X509 *x509, bool is_der)
{
    struct ph_cert *parsed = NULL;
    struct ph_buf   sn     = { made->sn, 0, ALIPAY_SN_LEN, false };
    BIO            *bio    = BIO_new(BIO_s_mem());
    char           *text;
    unsigned char  *der = NULL;
    int             len = i2d_X509(x509, &der);

    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    made->pem_len = (size_t) BIO_get_mem_data(bio, &text);
    assert_true(made->pem_len < sizeof(made->pem));
    memcpy(made->pem, text, made->pem_len);
    assert_int_equal(
        ph_cert_new(&parsed, ph_str_make(made->pem, made->pem_len)), PH_OK);
    assert_true(ph_cert_alipay_sn(parsed, &sn));
    made->sn[ALIPAY_SN_LEN] = '\0';
    struct ph_buf b64       = PH_BUF_INIT(made->b64);
    ph_b64_encode(&b64, is_der ? ph_str_make((const char *) der, (size_t) len)
                               : ph_str_make(made->pem, made->pem_len));
    ph_buf_byte(&b64, '\0');
    assert_false(b64.full);
    ph_cert_free(parsed);
    OPENSSL_free(der);
    BIO_free(bio);
}

static struct made *
make(struct plan plan)
{
    static struct made made[8];
    static size_t      next;
    char               path[64];
    struct made       *to = &made[next++ % PH_COUNT(made)];
    const time_t       at = (time_t) (T_NOW_MS / 1000);

    (void) snprintf(path, sizeof(path), "keys/alipay/%s_pkcs8.pem",
                    plan.issuer);
    EVP_PKEY *authority = key_read(path);
    EVP_PKEY *subject   = key_read(NEW_KEY);
    (void) snprintf(path, sizeof(path), "%s.crt", plan.issuer);
    struct ph_str issuer_pem = t_key(path);
    BIO          *bio = BIO_new_mem_buf(issuer_pem.ptr, (int) issuer_pem.len);
    X509         *issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509         *x509   = X509_new();

    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), plan.serial);
    X509_set_issuer_name(x509, X509_get_subject_name(issuer));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               (const unsigned char *) plan.name, -1, -1, 0);
    X509_time_adj_ex(X509_getm_notBefore(x509), plan.from_day, 0,
                     &(time_t){ at });
    X509_time_adj_ex(X509_getm_notAfter(x509), plan.until_day, 0,
                     &(time_t){ at });
    X509_set_pubkey(x509, subject);
    assert_true(X509_sign(x509, authority, EVP_sha256()) > 0);
    made_fill(to, x509, plan.is_der);
    X509_free(x509);
    X509_free(issuer);
    BIO_free(bio);
    EVP_PKEY_free(subject);
    EVP_PKEY_free(authority);
    return to;
}

/* --- the call ------------------------------------------------------------- */

static enum ph_channel_step
step(const struct ph_channel_account *account, const char *hint,
     const struct ph_channel_reply *last)
{
    struct ph_channel_call call = { .op      = PH_OP_ACCOUNT_REFRESH,
                                    .step    = last != NULL ? 1 : 0,
                                    .account = account,
                                    .arena   = &t_arena,
                                    .now_ms  = T_NOW_MS,
                                    .random  = random_bytes,
                                    .state   = state,
                                    .hint    = ph_str_z(hint) };

    out = (struct ph_channel_out){ 0 };
    return ph_channel_alipay.step(&call, last, &out);
}

/* What the gateway says; whoever signed it does not matter. */
static enum ph_result_class
brought(const struct ph_channel_account *account, const char *hint,
        const char *b64)
{
    static char body[16 * 1024];

    (void) snprintf(body, sizeof(body),
                    "{\"alipay_open_app_alipaycert_download_response\":"
                    "{\"code\":\"10000\",\"alipay_cert_content\":\"%s\"},"
                    "\"sign\":\"x\"}",
                    b64);
    const struct ph_channel_reply reply
        = { .status = 200, .body = ph_str_z(body) };

    assert_int_equal(step(account, hint, &reply), PH_STEP_DONE);
    return out.result.class;
}

static struct ph_channel_kept kept;

/* the account as it is opened with what was brought last */
static struct ph_channel_account
opened_with_kept(void)
{
    static char               memory[PH_CHANNEL_KEPT_MAX];
    struct ph_channel_account account = t_values(T_CERT);

    assert_true(out.kept.value.len <= sizeof(memory));
    memcpy(memory, out.kept.value.ptr, out.kept.value.len);
    kept         = out.kept;
    kept.value   = ph_str_make(memory, out.kept.value.len);
    account.kept = &kept;
    t_open(&account);
    return account;
}

/* PH_OK when an answer that the new key signed under this SN counts. */
static enum ph_rc
read_under(const struct ph_channel_account *account, const char *sn)
{
    static char          body[1024];
    struct alipay_answer answer;

    (void) snprintf(body, sizeof(body),
                    "{\"alipay_trade_query_response\":{},"
                    "\"alipay_cert_sn\":\"%s\",\"sign\":\"%s\"}",
                    sn, t_sign(NEW_KEY, PH_STR("{}")));
    return alipay_answer_open(account, PH_STR("alipay.trade.query"),
                              ph_str_z(body), &t_arena, &answer);
}

static void
it_is_asked_for_by_its_sn(void **unused)
{
    struct ph_pair pairs[16];
    size_t         count;
    struct ph_str  base, query;

    (void) unused;
    assert_int_equal(step(&cert, "0123456789abcdef0123456789abcdef", NULL),
                     PH_STEP_NEED_REQUEST);
    assert_true(ph_str_cut(out.request.url, '?', &base, &query));
    assert_int_equal(ph_form_decode(query, &t_arena, pairs, 16, &count), PH_OK);
    t_same(ph_pair_find(pairs, count, PH_STR("method")),
           PH_STR("alipay.open.app.alipaycert.download"));
    t_same(ph_pair_find(pairs, count, PH_STR("app_cert_sn")),
           PH_STR("8fa1c2a1b87d4c72da130327af8b04f4"));
    assert_int_equal(
        ph_form_decode(out.request.body, &t_arena, pairs, 16, &count), PH_OK);
    t_same(ph_pair_find(pairs, count, PH_STR("biz_content")),
           PH_STR("{\"alipay_cert_sn\":\"0123456789abcdef0123456789abcdef\"}"));
}

static void
what_came_is_read_from_then_on(void **unused)
{
    (void) unused;
    for (int is_der = 0; is_der < 2; is_der++) {
        struct plan plan = usual;

        plan.is_der       = is_der == 1;
        struct made *made = make(plan);
        assert_int_equal(read_under(&cert, made->sn), PH_E_UNKNOWN);
        assert_int_equal(brought(&cert, made->sn, made->b64),
                         PH_RESULT_SUCCEEDED);
        assert_true(out.kept.refresh_at_ms
                    == T_NOW_MS + UINT64_C(365) * 24 * 3600 * 1000);
        struct ph_channel_account account = opened_with_kept();
        assert_int_equal(read_under(&account, made->sn), PH_OK);
        /* under the configured one's name it is a wrong signature */
        assert_int_equal(
            read_under(&account, "6e04c3526d3982fe27555f89ed1b7926"),
            PH_E_SIGNATURE);
        ph_channel_account_close(&account);
    }
}

static void
what_is_not_alipays_is_not_kept(void **unused)
{
    static const struct plan plans[] = {
        { "payhub app 2021000000000000", "mid", 1, -1, 365, false },
        { "", "mid", 1, -1, 365, false },
        { NAME, "root2", 1, 1, 2, false }, /* dates */
        { NAME, "mid", 1, -2, -1, false },
        { NAME, "mid", 1, 1, 365, false },
        { NAME, "root2", 1, -1, 365, true }, /* right: an authority of ours */
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(plans); i++) {
        const struct made *made = make(plans[i]);
        bool               ok   = i + 1 == PH_COUNT(plans);

        assert_int_equal(brought(&cert, made->sn, made->b64),
                         ok ? PH_RESULT_SUCCEEDED : PH_RESULT_UNKNOWN);
        if (ok) {
            break;
        }
        assert_true(t_is(out.result.error_class, "refresh"));
        assert_null(out.kept.value.ptr);
    }
    /* the right one by another name, and others instead of it */
    const struct made *made = make(usual);
    assert_int_equal(
        brought(&cert, "0123456789abcdef0123456789abcdef", made->b64),
        PH_RESULT_UNKNOWN);
    static const char *const texts[]
        = { "", "x", "QUJD", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t" };
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        assert_int_equal(brought(&cert, made->sn, texts[i]), PH_RESULT_UNKNOWN);
    }
}

static void
answers_without_a_certificate_bring_nothing(void **unused)
{
    static const struct {
        unsigned    status;
        const char *body;
    } rows[] = {
        { 200, "" },
        { 200, "<html>" },
        { 200, "{\"error_response\":{\"code\":\"40002\"}}" },
        { 200, "{\"alipay_open_app_alipaycert_download_response\":"
               "{\"code\":\"40004\"},\"sign\":\"x\"}" },
        { 200, "{\"alipay_open_app_alipaycert_download_response\":"
               "{\"alipay_cert_content\":1},\"sign\":\"x\"}" },
        { 500, "{\"alipay_open_app_alipaycert_download_response\":"
               "{\"alipay_cert_content\":\"QUJD\"},\"sign\":\"x\"}" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_channel_reply reply
            = { .status = rows[i].status, .body = ph_str_z(rows[i].body) };

        assert_int_equal(
            step(&cert, "0123456789abcdef0123456789abcdef", &reply),
            PH_STEP_DONE);
        assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
    }
    /* a right one, but the gateway has a fault */
    const struct made *made = make(usual);
    char               body[16 * 1024];
    (void) snprintf(body, sizeof(body),
                    "{\"alipay_open_app_alipaycert_download_response\":"
                    "{\"alipay_cert_content\":\"%s\"}}",
                    made->b64);
    struct ph_channel_reply reply = { .status = 200, .body = ph_str_z(body) };
    assert_int_equal(step(&cert, made->sn, &reply), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    reply.status = 500;
    assert_int_equal(step(&cert, made->sn, &reply), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
    /* no SN at all */
    assert_int_equal(step(&cert, "x", NULL), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
}

/* The newest four stay, each once; what is over goes. */
static void
a_few_are_kept(void **unused)
{
    struct ph_channel_account account = cert;
    char                      sn[6][ALIPAY_SN_LEN + 1];

    (void) unused;
    for (long i = 0; i < 6; i++) {
        struct plan plan = usual;

        plan.serial             = 100 + i;
        const struct made *made = make(plan);
        memcpy(sn[i], made->sn, sizeof(sn[i]));
        assert_int_equal(brought(&account, made->sn, made->b64),
                         PH_RESULT_SUCCEEDED);
        if (i > 0) {
            ph_channel_account_close(&account);
        }
        account = opened_with_kept();
        /* again: no second copy */
        assert_int_equal(brought(&account, made->sn, made->b64),
                         PH_RESULT_SUCCEEDED);
        assert_int_equal(out.kept.value.len, account.kept->value.len);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(read_under(&account, sn[i]),
                         i < 2 ? PH_E_UNKNOWN : PH_OK);
    }
    size_t len = account.kept->value.len;
    /* without a hint: as they are */
    assert_int_equal(step(&account, "", NULL), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);
    assert_int_equal(out.kept.value.len, len);
    ph_channel_account_close(&account);
}

/* What was kept and is over, or was never Alipay's, is not believed again. */
static void
what_is_over_is_dropped(void **unused)
{
    struct plan        plan = usual;
    const struct made *made = make(usual);

    (void) unused;
    plan.until_day         = 0;
    plan.serial            = 1;
    const struct made *old = make(plan);
    plan                   = usual;
    plan.name              = "Mallory";
    plan.serial            = 2;
    const struct made *bad = make(plan);
    static char        memory[3 * 4096];
    (void) snprintf(memory, sizeof(memory), "%.*s%.*s%.*s", (int) old->pem_len,
                    old->pem, (int) bad->pem_len, bad->pem, (int) made->pem_len,
                    made->pem);
    out.kept = (struct ph_channel_kept){ .value = ph_str_z(memory) };
    struct ph_channel_account account = opened_with_kept();
    assert_int_equal(read_under(&account, made->sn), PH_OK);
    assert_int_equal(read_under(&account, old->sn), PH_E_UNKNOWN);
    assert_int_equal(read_under(&account, bad->sn), PH_E_UNKNOWN);
    assert_int_equal(step(&account, "", NULL), PH_STEP_DONE);
    assert_int_equal(out.kept.value.len, made->pem_len);
    ph_channel_account_close(&account);
    /* and what cannot be read takes nothing away */
    out.kept = (struct ph_channel_kept){ .value = PH_STR("no certificate") };
    account  = opened_with_kept();
    assert_int_equal(read_under(&account, made->sn), PH_E_UNKNOWN);
    ph_channel_account_close(&account);
}

static void
a_full_arena_keeps_nothing(void **unused)
{
    const struct made *made      = make(usual);
    bool               was_whole = false;

    (void) unused;
    for (size_t size = 0; size < 16384; size += 64) {
        ph_arena_init(&t_arena, t_memory, size);
        bool is_whole
            = brought(&cert, made->sn, made->b64) == PH_RESULT_SUCCEEDED;

        assert_true(is_whole || !was_whole);
        was_whole = is_whole;
        assert_true(!is_whole || out.kept.value.len == made->pem_len);
    }
    assert_true(was_whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_asked_for_by_its_sn),
        TEST(what_came_is_read_from_then_on),
        TEST(what_is_not_alipays_is_not_kept),
        TEST(answers_without_a_certificate_bring_nothing),
        TEST(a_few_are_kept),
        TEST(what_is_over_is_dropped),
        TEST(a_full_arena_keeps_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

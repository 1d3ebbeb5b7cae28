/*
 * test_verify.c - algorithms by name, which keys are taken, and which
 * signatures are not.  Right signatures of other implementations are checked
 * by test_auth_9421.c (RFC 9421) and t/differential.
 */
#include "t/unit/support.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "cli/signer.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/verify.h"

#define SECRET PH_STR("a secret of thirty-two bytes.....")

struct pair {
    enum ph_alg         alg;
    char                pem[8192]; /* private */
    char                pub[PH_PUBLIC_KEY_PEM_MAX];
    struct cli_signer  *signer;
    struct ph_verifier *verifier;
};

static struct pair pairs[6];

static EVP_PKEY *
key_make(enum ph_alg alg)
{
    switch (alg) {
    case PH_ALG_RSA_V15_SHA256:
    case PH_ALG_RSA_PSS_SHA512:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);
    case PH_ALG_ECDSA_P256_SHA256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    case PH_ALG_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case PH_ALG_SM2_SM3:
        return EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
    case PH_ALG_NONE:
    case PH_ALG_HMAC_SHA256:
    default:
        return NULL;
    }
}

/* PEM text of either half into `out` */
static void
pem_write(EVP_PKEY *key, bool is_private, char *out, size_t size)
{
    BIO  *bio = BIO_new(BIO_s_mem());
    char *text;

    assert_non_null(key);
    if (is_private) {
        assert_int_equal(
            PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    } else {
        assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    }
    size_t len = (size_t) BIO_get_mem_data(bio, &text);
    assert_true(len < size);
    memcpy(out, text, len);
    out[len] = '\0';
    BIO_free(bio);
}

static void
pair_make(struct pair *pair, enum ph_alg alg)
{
    char          memory[256];
    struct ph_buf why  = PH_BUF_INIT(memory);
    struct ph_str priv = SECRET, pub = SECRET;

    pair->alg = alg;
    if (ph_alg_is_public(alg)) {
        EVP_PKEY *key = key_make(alg);

        pem_write(key, true, pair->pem, sizeof(pair->pem));
        pem_write(key, false, pair->pub, sizeof(pair->pub));
        EVP_PKEY_free(key);
        priv = ph_str_z(pair->pem);
        pub  = ph_str_z(pair->pub);
    }
    assert_true(cli_signer_new(&pair->signer, alg, priv, &why));
    assert_int_equal(ph_verifier_new(&pair->verifier, alg, pub), PH_OK);
}

static int
group_setup(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        pair_make(&pairs[i], (enum ph_alg)(i + 1));
    }
    return 0;
}

static int
group_teardown(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        cli_signer_free(pairs[i].signer);
        ph_verifier_free(pairs[i].verifier);
    }
    ph_digest_deinit();
    return 0;
}

static enum ph_rc
check(struct pair *pair, struct ph_str message, struct ph_str signature)
{
    enum ph_rc rc = ph_verifier_check(pair->verifier, &message, 1, signature);

    assert_true(ERR_peek_error() == 0); /* nothing left for the next caller */
    return rc;
}

static struct ph_str
sign(const struct pair *pair, struct ph_str message, struct ph_buf *raw)
{
    raw->len = 0;
    assert_true(cli_signer_sign(pair->signer, &message, 1, raw));
    return ph_buf_str(raw);
}

static void
test_names(void **state)
{
    static const struct {
        const char *name;
        int         code;
        bool        is_public;
        unsigned    schemes;
    } rows[] = {
        { "hmac-sha256", 1, false, 6 },   { "rsa-v1_5-sha256", 2, true, 6 },
        { "rsa-pss-sha512", 3, true, 6 }, { "ecdsa-p256-sha256", 4, true, 6 },
        { "ed25519", 5, true, 6 },        { "sm2-sm3", 6, true, 2 },
        { "HMAC-SHA256", 0, false, 0 },   { "", 0, false, 0 },
        { "hmac-sha256 ", 0, false, 0 },  { "none", 0, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_alg alg = ph_alg_find(ph_str_z(rows[i].name));

        assert_int_equal(alg, rows[i].code);
        assert_int_equal(ph_alg_is_public(alg), rows[i].is_public);
        assert_int_equal(ph_alg_schemes(alg), rows[i].schemes);
        if (alg != PH_ALG_NONE) {
            t_same(ph_alg_name(alg), ph_str_z(rows[i].name));
        }
    }
    assert_int_equal(ph_scheme_find(PH_STR("payhub-v3")), PH_SCHEME_V3);
    assert_int_equal(ph_scheme_find(PH_STR("rfc9421")), PH_SCHEME_RFC9421);
    assert_int_equal(ph_scheme_find(PH_STR("jeepay")), 0);
    t_same(ph_scheme_name(PH_SCHEME_V3), PH_STR("payhub-v3"));
    t_same(ph_scheme_name(PH_SCHEME_RFC9421), PH_STR("rfc9421"));
}

/* every algorithm, several lengths, the message in any cut */
static void
test_right(void **state)
{
    static char   text[10000];
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    const size_t  sizes[] = { 0, 1, 342, 4096, 4097, sizeof(text) };

    (void) state;
    memset(text, 'm', sizeof(text));
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        for (size_t j = 0; j < PH_COUNT(sizes); j++) {
            struct ph_str message   = ph_str_make(text, sizes[j]);
            struct ph_str signature = sign(&pairs[i], message, &raw);
            size_t        cut       = sizes[j] / 3;
            struct ph_str pieces[]
                = { ph_str_make(text, cut), ph_str_make(NULL, 0),
                    ph_str_make(text, sizes[j] - cut) };

            assert_int_equal(check(&pairs[i], message, signature), PH_OK);
            assert_int_equal(
                ph_verifier_check(pairs[i].verifier, pieces, 3, signature),
                PH_OK);
        }
    }
}

/* no bit of signature or message may change, no byte come or go; and after a
 * refusal the right one is still taken */
static void
test_mutants(void **state)
{
    char          text[]  = "POST\n/v1/payments\n1700000000\nabcdefgh\n{}\n";
    struct ph_str message = PH_STR("POST\n/v1/payments\n1700000000\n"
                                   "abcdefgh\n{}\n");
    char          memory[PH_SIGNATURE_MAX], mutant[PH_SIGNATURE_MAX + 1];
    struct ph_buf raw = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        struct ph_str right = sign(&pairs[i], message, &raw);

        for (size_t bit = 0; bit < right.len * 8; bit++) {
            memcpy(mutant, right.ptr, right.len);
            mutant[bit / 8] = (char) (mutant[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(
                check(&pairs[i], message, ph_str_make(mutant, right.len)),
                PH_E_SIGNATURE);
        }
        for (size_t bit = 0; bit < message.len * 8; bit++) {
            text[bit / 8] = (char) (text[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(
                check(&pairs[i], ph_str_make(text, message.len), right),
                PH_E_SIGNATURE);
            text[bit / 8] = (char) (text[bit / 8] ^ (1 << bit % 8));
        }
        memcpy(mutant, right.ptr, right.len);
        mutant[right.len] = 0;
        for (size_t len = 0; len <= right.len + 1; len++) {
            assert_int_equal(
                check(&pairs[i], message, ph_str_make(mutant, len)),
                len == right.len ? PH_OK : PH_E_SIGNATURE);
        }
        assert_int_equal(check(&pairs[i], message, ph_str_make(NULL, 0)),
                         PH_E_SIGNATURE);
        assert_int_equal(check(&pairs[i], message, right), PH_OK);
    }
}

/* a signature of one algorithm or key is none of another's */
static void
test_crossed(void **state)
{
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    struct ph_str message = PH_STR("message");
    struct pair   other   = { .alg = PH_ALG_NONE };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        struct ph_str signature = sign(&pairs[i], message, &raw);

        for (size_t j = 0; j < PH_COUNT(pairs); j++) {
            assert_int_equal(check(&pairs[j], message, signature),
                             i == j ? PH_OK : PH_E_SIGNATURE);
        }
    }
    for (size_t i = 1; i < PH_COUNT(pairs); i++) {
        pair_make(&other, pairs[i].alg);
        assert_int_equal(check(&pairs[i], message, sign(&other, message, &raw)),
                         PH_E_SIGNATURE);
        cli_signer_free(other.signer);
        ph_verifier_free(other.verifier);
    }
}

/* group orders: r and s stand in 1 .. n-1 */
static const char p256_n[]
    = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
static const char ed25519_l[]
    = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

static void
test_ecdsa_ranges(void **state)
{
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    struct pair  *pair    = &pairs[PH_ALG_ECDSA_P256_SHA256 - 1];
    struct ph_str message = PH_STR("message");
    uint8_t       order[32], zero[32] = { 0 };
    char          mutant[64];

    (void) state;
    assert_int_equal(t_unhex(ph_str_z(p256_n), order, sizeof(order)), 32);
    struct ph_str  right  = sign(pair, message, &raw);
    const uint8_t *bad[2] = { zero, order };
    for (size_t i = 0; i < 4; i++) {
        memcpy(mutant, right.ptr, 64);
        memcpy(mutant + 32 * (i & 1), bad[i >> 1], 32);
        assert_int_equal(check(pair, message, ph_str_make(mutant, 64)),
                         PH_E_SIGNATURE);
    }
    memset(mutant, 0, 64);
    assert_int_equal(check(pair, message, ph_str_make(mutant, 64)),
                     PH_E_SIGNATURE);
    memset(mutant, 0xff, 64);
    assert_int_equal(check(pair, message, ph_str_make(mutant, 64)),
                     PH_E_SIGNATURE);
}

/* s + L says the same to a careless verifier */
static void
test_ed25519_malleable(void **state)
{
    char          memory[PH_SIGNATURE_MAX], mutant[64];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    struct pair  *pair    = &pairs[PH_ALG_ED25519 - 1];
    struct ph_str message = PH_STR("message");
    uint8_t       order[32];
    unsigned      carry = 0;

    (void) state;
    assert_int_equal(t_unhex(ph_str_z(ed25519_l), order, sizeof(order)), 32);
    memcpy(mutant, sign(pair, message, &raw).ptr, 64);
    for (size_t i = 0; i < 32; i++) {
        carry += (uint8_t) mutant[32 + i] + (unsigned) order[i];
        mutant[32 + i] = (char) carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(check(pair, message, ph_str_make(mutant, 64)),
                     PH_E_SIGNATURE);
}

/* the same two integers in another encoding */
static void
test_sm2_encodings(void **state)
{
    char          memory[PH_SIGNATURE_MAX], der[128];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    struct pair  *pair    = &pairs[PH_ALG_SM2_SM3 - 1];
    struct ph_str message = PH_STR("message");

    (void) state;
    struct ph_str right = sign(pair, message, &raw);
    size_t        r_len = (uint8_t) right.ptr[3];

    /* long form of the outer length */
    memcpy(der, "\x30\x81", 2);
    memcpy(der + 2, right.ptr + 1, right.len - 1);
    assert_int_equal(check(pair, message, ph_str_make(der, right.len + 1)),
                     PH_E_SIGNATURE);
    /* a needless zero before r */
    der[0] = 0x30;
    der[1] = (char) (right.ptr[1] + 1);
    der[2] = 0x02;
    der[3] = (char) (r_len + 1);
    der[4] = 0;
    memcpy(der + 5, right.ptr + 4, right.len - 4);
    assert_int_equal(check(pair, message, ph_str_make(der, right.len + 1)),
                     PH_E_SIGNATURE);
    /* indefinite length */
    memcpy(der, "\x30\x80", 2);
    memcpy(der + 2, right.ptr + 2, right.len - 2);
    memcpy(der + right.len, "\0\0", 2);
    assert_int_equal(check(pair, message, ph_str_make(der, right.len + 2)),
                     PH_E_SIGNATURE);
    assert_int_equal(check(pair, message, right), PH_OK);
}

static void
refused(enum ph_alg alg, const char *pem, enum ph_rc want)
{
    struct ph_verifier *verifier = NULL;

    assert_int_equal(ph_verifier_new(&verifier, alg, ph_str_z(pem)), want);
    assert_null(verifier);
    assert_true(ERR_peek_error() == 0);
}

/* what stands around a right PEM */
static void
test_pem_texts(void **state)
{
    static const struct {
        const char *before, *after;
        enum ph_rc  want;
    } rows[] = {
        { "", "", PH_OK },
        { "", "\n \t\r\n", PH_OK },
        { "\n", "", PH_E_SYNTAX },
        { "key\n", "", PH_E_SYNTAX },
        { "", "x", PH_E_SYNTAX },
        { "", "-----BEGIN PUBLIC KEY-----\n", PH_E_SYNTAX },
    };
    static char         text[2 * PH_PUBLIC_KEY_PEM_MAX];
    struct pair        *pair     = &pairs[PH_ALG_ED25519 - 1];
    struct ph_verifier *verifier = NULL;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        (void) snprintf(text, sizeof(text), "%s%s%s", rows[i].before, pair->pub,
                        rows[i].after);
        assert_int_equal(
            ph_verifier_new(&verifier, PH_ALG_ED25519, ph_str_z(text)),
            rows[i].want);
        ph_verifier_free(rows[i].want == PH_OK ? verifier : NULL);
        verifier = NULL;
    }
    (void) snprintf(text, sizeof(text), "%s%s", pair->pub, pair->pub);
    refused(PH_ALG_ED25519, text, PH_E_SYNTAX);
    refused(PH_ALG_ED25519, pair->pem, PH_E_SYNTAX); /* a private key */
    refused(PH_ALG_ED25519, "", PH_E_SYNTAX);
    /* too long, though right */
    (void) snprintf(text, sizeof(text), "%s%*s", pair->pub,
                    PH_PUBLIC_KEY_PEM_MAX, "");
    refused(PH_ALG_ED25519, text, PH_E_SYNTAX);
    /* every truncation */
    for (size_t len = 0; len + 1 < strlen(pair->pub); len++) {
        (void) snprintf(text, sizeof(text), "%.*s", (int) len, pair->pub);
        refused(PH_ALG_ED25519, text, PH_E_SYNTAX);
    }
    assert_int_equal(ph_verifier_new(&verifier, PH_ALG_HMAC_SHA256, PH_STR("")),
                     PH_E_RANGE);
    assert_int_equal(ph_verifier_new(&verifier, PH_ALG_NONE, PH_STR("x")),
                     PH_E_UNKNOWN);
}

/* each key under each algorithm: only its own kind is taken */
static void
test_kinds(void **state)
{
    (void) state;
    for (size_t i = 1; i < PH_COUNT(pairs); i++) {
        for (size_t j = 1; j < PH_COUNT(pairs); j++) {
            bool rsa = i <= 2 && j <= 2; /* v1.5 and PSS share a kind */

            if (i != j && !rsa) {
                refused(pairs[j].alg, pairs[i].pub, PH_E_UNKNOWN);
            }
        }
    }
}

static void
refused_key(enum ph_alg alg, EVP_PKEY *key, enum ph_rc want)
{
    char pub[PH_PUBLIC_KEY_PEM_MAX];

    pem_write(key, false, pub, sizeof(pub));
    EVP_PKEY_free(key);
    refused(alg, pub, want);
}

static EVP_PKEY *
rsa_with_exponent(unsigned long e)
{
    EVP_PKEY     *key = NULL;
    BIGNUM       *bn  = BN_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY     *any = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);
    BIGNUM       *n   = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(any, "n", &n), 1);
    BN_set_word(bn, e);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, "n", n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(bld, "e", bn), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params),
                     1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(any);
    BN_free(n);
    BN_free(bn);
    return key;
}

static void
test_weak_keys(void **state)
{
    (void) state;
    refused_key(PH_ALG_RSA_V15_SHA256,
                EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 1024),
                PH_E_RANGE);
    refused_key(PH_ALG_RSA_PSS_SHA512,
                EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2040),
                PH_E_RANGE);
    refused_key(PH_ALG_RSA_V15_SHA256, rsa_with_exponent(1), PH_E_RANGE);
    refused_key(PH_ALG_RSA_V15_SHA256, rsa_with_exponent(2), PH_E_RANGE);
    refused_key(PH_ALG_ECDSA_P256_SHA256,
                EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), PH_E_UNKNOWN);
    refused_key(PH_ALG_ECDSA_P256_SHA256,
                EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), PH_E_UNKNOWN);
    refused_key(PH_ALG_SM2_SM3, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                PH_E_UNKNOWN);
    refused_key(PH_ALG_ED25519, EVP_PKEY_Q_keygen(NULL, NULL, "ED448"),
                PH_E_UNKNOWN);
}

/* P-256 by spelt-out parameters: the same curve until somebody changes one */
static void
test_explicit_curve(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    (void) state;
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(key, "encoding", "explicit"), 1);
    refused_key(PH_ALG_ECDSA_P256_SHA256, key, PH_E_UNKNOWN);
}

static void
test_rekey(void **state)
{
    char                memory[64];
    struct ph_buf       raw      = PH_BUF_INIT(memory);
    struct ph_verifier *verifier = NULL;
    struct ph_str       message  = PH_STR("m");

    (void) state;
    struct ph_str right = sign(&pairs[0], message, &raw);
    assert_int_equal(
        ph_verifier_new(&verifier, PH_ALG_HMAC_SHA256, PH_STR("another")),
        PH_OK);
    assert_int_equal(ph_verifier_check(verifier, &message, 1, right),
                     PH_E_SIGNATURE);
    assert_int_equal(ph_verifier_rekey(verifier, SECRET), PH_OK);
    assert_int_equal(ph_verifier_check(verifier, &message, 1, right), PH_OK);
    assert_int_equal(ph_verifier_rekey(verifier, PH_STR("")), PH_E_RANGE);
    ph_verifier_free(verifier);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_ecdsa_ranges),
        cmocka_unit_test(test_ed25519_malleable),
        cmocka_unit_test(test_sm2_encodings),
        cmocka_unit_test(test_pem_texts),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_weak_keys),
        cmocka_unit_test(test_explicit_curve),
        cmocka_unit_test(test_rekey),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

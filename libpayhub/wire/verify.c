/*
 * verify.c - algorithms by name, and one key's ready contexts.
 *
 * RSA and ECDSA keep an EVP_PKEY_CTX that was initialised once and verifies
 * digests; making one anew costs as much as the RSA check itself.  Ed25519 and
 * SM2 sign the message, not its digest: they go through EVP_DigestVerify, whose
 * set-up is small beside them.
 *
 * OpenSSL is asked for a verdict only after length and encoding were found to
 * be the one form that is taken, and every answer but 1 is "not signed".
 */
#include "libpayhub/wire/verify.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/digest_md.h"
#include "libpayhub/wire/rsa_key.h"

#define P256_SIGNATURE_LEN 64
#define P256_INTEGER_LEN 32
#define P256_DER_MAX 72
#define ED25519_SIGNATURE_LEN 64
#define SM2_SIGNATURE_MIN 8 /* two integers of one byte */
#define SM2_SIGNATURE_MAX 72
/* a message in several pieces is joined here for Ed25519, else on the heap */
#define MESSAGE_STACK_LEN 4096

static const char pem_begin[] = "-----BEGIN PUBLIC KEY-----";
static const char pem_name[]  = "PUBLIC KEY";

struct ph_verifier {
    enum ph_alg     alg;
    size_t          signature_len; /* RSA */
    struct ph_hmac *mac;           /* hmac-sha256 */
    EVP_PKEY       *key;           /* all others */
    EVP_PKEY_CTX   *ready;         /* RSA, ECDSA */
    EVP_MD_CTX     *work;          /* the message at hand */
};

/* clang-format off */
static const struct {
    enum ph_alg   alg;
    struct ph_str name;
    bool          is_public;
    unsigned      schemes;
} algs[] = {
#define ALG(name, text, code, is_public, schemes)                              \
    { PH_ALG_##name, PH_STR_INIT(text), (is_public), (schemes) },
#include "libpayhub/wire/algs.def"
#undef ALG
};

static const struct {
    unsigned      bit;
    struct ph_str name;
} schemes[] = {
    { PH_SCHEME_V3, PH_STR_INIT("payhub-v3") },
    { PH_SCHEME_RFC9421, PH_STR_INIT("rfc9421") },
};
/* clang-format on */

enum ph_alg
ph_alg_find(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(algs); i++) {
        if (ph_str_eq(algs[i].name, name)) {
            return algs[i].alg;
        }
    }
    return PH_ALG_NONE;
}

static size_t
alg_row(enum ph_alg alg)
{
    size_t i = 0;

    while (i < PH_COUNT(algs) && algs[i].alg != alg) {
        i++;
    }
    return i;
}

struct ph_str
ph_alg_name(enum ph_alg alg)
{
    size_t i = alg_row(alg);

    return i < PH_COUNT(algs) ? algs[i].name : PH_STR("none");
}

bool
ph_alg_is_public(enum ph_alg alg)
{
    size_t i = alg_row(alg);

    return i < PH_COUNT(algs) && algs[i].is_public;
}

unsigned
ph_alg_schemes(enum ph_alg alg)
{
    size_t i = alg_row(alg);

    return i < PH_COUNT(algs) ? algs[i].schemes : 0;
}

unsigned
ph_scheme_find(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(schemes); i++) {
        if (ph_str_eq(schemes[i].name, name)) {
            return schemes[i].bit;
        }
    }
    return 0;
}

struct ph_str
ph_scheme_name(unsigned bit)
{
    for (size_t i = 0; i < PH_COUNT(schemes); i++) {
        if (schemes[i].bit == bit) {
            return schemes[i].name;
        }
    }
    return PH_STR("none");
}

/* white space up to the end */
static bool
pem_is_blank(const char *at, const char *end)
{
    while (at < end
           && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at == end;
}

/* The one key of a PEM SubjectPublicKeyInfo, NULL = anything else. */
static EVP_PKEY *
pem_key(struct ph_str pem)
{
    EVP_PKEY            *key    = NULL;
    BIO                 *bio    = NULL;
    char                *name   = NULL;
    char                *header = NULL;
    unsigned char       *der    = NULL;
    const unsigned char *at;
    char                *left;
    long                 len;

    if (pem.len > PH_PUBLIC_KEY_PEM_MAX
        || !ph_str_starts(pem, PH_STR(pem_begin))) {
        return NULL;
    }
    bio = BIO_new_mem_buf(pem.ptr, (int) pem.len);
    if (bio == NULL || PEM_read_bio(bio, &name, &header, &der, &len) != 1
        || strcmp(name, pem_name) != 0 || header[0] != '\0')
    {
        goto done;
    }
    long left_len = BIO_get_mem_data(bio, &left);
    if (left_len != 0 && !pem_is_blank(left, left + left_len)) {
        goto done;
    }
    at  = der;
    key = d2i_PUBKEY(NULL, &at, len);
    if (key != NULL && at != der + len) {
        EVP_PKEY_free(key);
        key = NULL;
    }

done:
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return key;
}

/* A curve by its name, not by parameters that only look like it. */
bool
ph_key_is_curve(EVP_PKEY *key, const char *kind, const char *curve)
{
    char   name[32];
    size_t len       = 0;
    int    spelt_out = 0;

    return EVP_PKEY_is_a(key, kind)
           && EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1
           && strcmp(name, curve) == 0
           && (EVP_PKEY_get_int_param(
                   key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                   &spelt_out)
                   != 1
               || spelt_out == 0);
}

/* Modulus and exponent that a signature may rest on. */
enum ph_rc
ph_key_judge_rsa(EVP_PKEY *key)
{
    enum ph_rc rc   = PH_E_RANGE;
    BIGNUM    *n    = NULL;
    BIGNUM    *e    = NULL;
    int        bits = EVP_PKEY_get_bits(key);

    if (bits < PH_RSA_BITS_MIN || bits > PH_RSA_BITS_MAX) {
        return PH_E_RANGE;
    }
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1
        || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
    {
        rc = PH_E_CRYPTO;
    } else if (BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e)) {
        rc = BN_num_bits(e) <= 64 ? PH_OK : PH_E_RANGE;
    }
    BN_free(n);
    BN_free(e);
    return rc;
}

/* Is this a key of the algorithm's kind, and strong enough? */
static enum ph_rc
key_judge(EVP_PKEY *key, enum ph_alg alg)
{
    switch (alg) {
    case PH_ALG_RSA_V15_SHA256:
    case PH_ALG_RSA_PSS_SHA512:
        return EVP_PKEY_is_a(key, "RSA") ? ph_key_judge_rsa(key) : PH_E_UNKNOWN;
    case PH_ALG_ECDSA_P256_SHA256:
        return ph_key_is_curve(key, "EC", "prime256v1") ? PH_OK : PH_E_UNKNOWN;
    case PH_ALG_ED25519:
        return EVP_PKEY_is_a(key, "ED25519") ? PH_OK : PH_E_UNKNOWN;
    case PH_ALG_SM2_SM3:
        return ph_key_is_curve(key, "SM2", "SM2") ? PH_OK : PH_E_UNKNOWN;
    case PH_ALG_NONE:
    case PH_ALG_HMAC_SHA256:
    default:
        return PH_E_UNKNOWN;
    }
}

static enum ph_digest_kind
alg_digest(enum ph_alg alg)
{
    return alg == PH_ALG_RSA_PSS_SHA512 ? PH_DIGEST_SHA512
           : alg == PH_ALG_SM2_SM3      ? PH_DIGEST_SM3
                                        : PH_DIGEST_SHA256;
}

/* The context that verifies digests, for RSA and ECDSA. */
static bool
verifier_make_ready(struct ph_verifier *verifier)
{
    const EVP_MD *md = ph_digest_md(alg_digest(verifier->alg));
    EVP_PKEY_CTX *ctx;

    ctx             = EVP_PKEY_CTX_new_from_pkey(NULL, verifier->key, NULL);
    verifier->ready = ctx;
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1) {
        return false;
    }
    if (verifier->alg == PH_ALG_RSA_V15_SHA256
        && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
    {
        return false;
    }
    if (verifier->alg == PH_ALG_RSA_PSS_SHA512
        && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1)
    {
        return false;
    }
    if (EVP_PKEY_CTX_set_signature_md(ctx, md) != 1) {
        return false;
    }
    return verifier->alg != PH_ALG_RSA_PSS_SHA512
           || (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST)
                      == 1);
}

static enum ph_rc
verifier_take_pem(struct ph_verifier *verifier, struct ph_str pem)
{
    verifier->key = pem_key(pem);
    if (verifier->key == NULL) {
        return PH_E_SYNTAX;
    }
    enum ph_rc rc = key_judge(verifier->key, verifier->alg);
    if (rc != PH_OK) {
        return rc;
    }
    verifier->work = EVP_MD_CTX_new();
    if (verifier->work == NULL
        || ph_digest_md(alg_digest(verifier->alg)) == NULL) {
        return PH_E_CRYPTO;
    }
    if (verifier->alg == PH_ALG_ED25519 || verifier->alg == PH_ALG_SM2_SM3) {
        return PH_OK;
    }
    verifier->signature_len = (size_t) EVP_PKEY_get_size(verifier->key);
    return verifier_make_ready(verifier) ? PH_OK : PH_E_CRYPTO;
}

enum ph_rc
ph_verifier_new(struct ph_verifier **out, enum ph_alg alg,
                struct ph_str material)
{
    enum ph_rc          rc       = PH_OK;
    struct ph_verifier *verifier = NULL;

    if (alg_row(alg) == PH_COUNT(algs)) {
        return PH_E_UNKNOWN;
    }
    if (!ph_alg_is_public(alg) && material.len == 0) {
        return PH_E_RANGE;
    }
    verifier = calloc(1, sizeof(*verifier));
    if (verifier == NULL) {
        return PH_E_CRYPTO;
    }
    verifier->alg = alg;
    if (ph_alg_is_public(alg)) {
        rc = verifier_take_pem(verifier, material);
    } else {
        verifier->mac = ph_hmac_new(material);
        rc            = verifier->mac != NULL ? PH_OK : PH_E_CRYPTO;
    }
    if (rc != PH_OK) {
        ERR_clear_error();
        ph_verifier_free(verifier);
        return rc;
    }
    *out = verifier;
    return PH_OK;
}

void
ph_verifier_free(struct ph_verifier *verifier)
{
    if (verifier != NULL) {
        ph_hmac_free(verifier->mac);
        EVP_MD_CTX_free(verifier->work);
        EVP_PKEY_CTX_free(verifier->ready);
        EVP_PKEY_free(verifier->key);
        free(verifier);
    }
}

enum ph_rc
ph_verifier_rekey(struct ph_verifier *verifier, struct ph_str secret)
{
    assert(verifier->alg == PH_ALG_HMAC_SHA256);

    if (secret.len == 0) {
        return PH_E_RANGE;
    }
    return ph_hmac_rekey(verifier->mac, secret) ? PH_OK : PH_E_CRYPTO;
}

static enum ph_rc
check_hmac(struct ph_verifier *verifier, const struct ph_str *pieces,
           size_t count, struct ph_str signature)
{
    uint8_t sum[PH_SHA256_LEN];
    bool    ok = ph_hmac_begin(verifier->mac);

    for (size_t i = 0; ok && i < count; i++) {
        ok = ph_hmac_add(verifier->mac, pieces[i]);
    }
    if (!ok || !ph_hmac_end(verifier->mac, sum)) {
        return PH_E_CRYPTO;
    }
    return ph_same_secret(signature,
                          ph_str_make((const char *) sum, sizeof(sum)))
               ? PH_OK
               : PH_E_SIGNATURE;
}

/* The least encoding of an unsigned integer, appended; its length. */
static size_t
der_add_integer(unsigned char *at, const char *bytes)
{
    const unsigned char *from = (const unsigned char *) bytes;
    size_t               len  = P256_INTEGER_LEN;

    while (len > 1 && *from == 0) {
        from++;
        len--;
    }
    size_t pad = *from >> 7; /* a set high bit would make it negative */
    at[0]      = 0x02;
    at[1]      = (unsigned char) (len + pad);
    at[2]      = 0;
    memcpy(at + 2 + pad, from, len);
    return 2 + pad + len;
}

/* r || s as OpenSSL wants it */
static size_t
der_of_pair(unsigned char der[P256_DER_MAX], struct ph_str pair)
{
    size_t len = 2;

    len += der_add_integer(der + len, pair.ptr);
    len += der_add_integer(der + len, pair.ptr + P256_INTEGER_LEN);
    der[0] = 0x30;
    der[1] = (unsigned char) (len - 2);
    return len;
}

/* RSA and ECDSA: the digest under the ready context. */
static enum ph_rc
check_digest(struct ph_verifier *verifier, const struct ph_str *pieces,
             size_t count, struct ph_str signature)
{
    unsigned char        sum[PH_SHA512_LEN], der[P256_DER_MAX];
    const unsigned char *given     = (const unsigned char *) signature.ptr;
    size_t               given_len = signature.len;

    if (verifier->alg == PH_ALG_ECDSA_P256_SHA256) {
        if (signature.len != P256_SIGNATURE_LEN) {
            return PH_E_SIGNATURE;
        }
        given_len = der_of_pair(der, signature);
        given     = der;
    } else if (signature.len != verifier->signature_len) {
        return PH_E_SIGNATURE;
    }
    bool   is_long = verifier->alg == PH_ALG_RSA_PSS_SHA512;
    size_t sum_len = is_long ? PH_SHA512_LEN : PH_SHA256_LEN;

    if (is_long ? !ph_sha512(pieces, count, sum)
                : !ph_sha256(pieces, count, sum)) {
        return PH_E_CRYPTO;
    }
    return EVP_PKEY_verify(verifier->ready, given, given_len, sum, sum_len) == 1
               ? PH_OK
               : PH_E_SIGNATURE;
}

/* Ed25519 reads the message twice, so it wants it in one piece. */
static enum ph_rc
check_ed25519(struct ph_verifier *verifier, const struct ph_str *pieces,
              size_t count, struct ph_str signature)
{
    unsigned char  stack[MESSAGE_STACK_LEN];
    unsigned char *message = stack;
    unsigned char *heap    = NULL;
    size_t         len     = 0;
    enum ph_rc     rc      = PH_E_CRYPTO;

    if (signature.len != ED25519_SIGNATURE_LEN) {
        return PH_E_SIGNATURE;
    }
    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    if (len > sizeof(stack)) {
        heap = malloc(len);
        if (heap == NULL) {
            return PH_E_CRYPTO;
        }
        message = heap;
    }
    len = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len != 0) {
            memcpy(message + len, pieces[i].ptr, pieces[i].len);
            len += pieces[i].len;
        }
    }
    if (EVP_DigestVerifyInit_ex(verifier->work, NULL, NULL, NULL, NULL,
                                verifier->key, NULL)
        == 1)
    {
        rc = EVP_DigestVerify(verifier->work,
                              (const unsigned char *) signature.ptr,
                              signature.len, message, len)
                     == 1
                 ? PH_OK
                 : PH_E_SIGNATURE;
    }
    free(heap);
    return rc;
}

bool
ph_der_is_canonical(struct ph_str der)
{
    const unsigned char *at    = (const unsigned char *) der.ptr;
    unsigned char       *again = NULL;

    if (der.len < SM2_SIGNATURE_MIN || der.len > SM2_SIGNATURE_MAX) {
        return false;
    }
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long) der.len);
    int        len  = pair != NULL ? i2d_ECDSA_SIG(pair, &again) : -1;
    bool       same = len > 0 && (size_t) len == der.len
                && memcmp(again, der.ptr, der.len) == 0;

    OPENSSL_free(again);
    ECDSA_SIG_free(pair);
    return same;
}

static enum ph_rc
check_sm2(struct ph_verifier *verifier, const struct ph_str *pieces,
          size_t count, struct ph_str signature)
{
    EVP_PKEY_CTX *ctx = NULL;
    const EVP_MD *md  = ph_digest_md(PH_DIGEST_SM3);

    if (!ph_der_is_canonical(signature)) {
        return PH_E_SIGNATURE;
    }
    /* the signer's id goes into the digest's first bytes: it is set between
     * making the context and starting the digest */
    (void) EVP_MD_CTX_reset(verifier->work);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, verifier->key, NULL);
    if (ctx == NULL
        || EVP_PKEY_CTX_set1_id(ctx, PH_SM2_ID, sizeof(PH_SM2_ID) - 1) != 1)
    {
        EVP_PKEY_CTX_free(ctx);
        return PH_E_CRYPTO;
    }
    EVP_MD_CTX_set_pkey_ctx(verifier->work, ctx);
    bool ok
        = EVP_DigestVerifyInit(verifier->work, NULL, md, NULL, verifier->key)
          == 1;
    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestVerifyUpdate(verifier->work, pieces[i].ptr,
                                    pieces[i].len)
             == 1;
    }
    enum ph_rc rc = PH_E_CRYPTO;
    if (ok) {
        rc = EVP_DigestVerifyFinal(verifier->work,
                                   (const unsigned char *) signature.ptr,
                                   signature.len)
                     == 1
                 ? PH_OK
                 : PH_E_SIGNATURE;
    }
    (void) EVP_MD_CTX_reset(verifier->work); /* it only borrows ctx */
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

size_t
ph_verifier_signature_len(const struct ph_verifier *verifier)
{
    switch (verifier->alg) {
    case PH_ALG_HMAC_SHA256:
        return PH_SHA256_LEN;
    case PH_ALG_RSA_V15_SHA256:
    case PH_ALG_RSA_PSS_SHA512:
        return verifier->signature_len;
    case PH_ALG_ECDSA_P256_SHA256:
    case PH_ALG_ED25519:
        return P256_SIGNATURE_LEN; /* both are two numbers of 32 bytes */
    case PH_ALG_SM2_SM3:
    case PH_ALG_NONE:
        break;
    }
    return 0;
}

enum ph_rc
ph_verifier_check(struct ph_verifier *verifier, const struct ph_str *pieces,
                  size_t count, struct ph_str signature)
{
    enum ph_rc rc;

    switch (verifier->alg) {
    case PH_ALG_HMAC_SHA256:
        return check_hmac(verifier, pieces, count, signature);
    case PH_ALG_ED25519:
        rc = check_ed25519(verifier, pieces, count, signature);
        break;
    case PH_ALG_SM2_SM3:
        rc = check_sm2(verifier, pieces, count, signature);
        break;
    case PH_ALG_RSA_V15_SHA256:
    case PH_ALG_RSA_PSS_SHA512:
    case PH_ALG_ECDSA_P256_SHA256:
        rc = check_digest(verifier, pieces, count, signature);
        break;
    case PH_ALG_NONE:
    default:
        return PH_E_CRYPTO;
    }
    if (rc != PH_OK) {
        ERR_clear_error(); /* or the next TLS call on this thread sees it */
    }
    return rc;
}

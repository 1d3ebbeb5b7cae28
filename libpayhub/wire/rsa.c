/*
 * rsa.c - keys of channels: parsed once, a context a call.
 *
 * Making an EVP context for each signature costs some microseconds beside the
 * 250 of an RSA signature, and lets any thread use a key at any time.
 */
#include "libpayhub/wire/rsa.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest_md.h"
#include "libpayhub/wire/rsa_key.h"
#include "libpayhub/wire/verify.h"

#define SUM_MAX 32 /* bytes of the longest digest here */

struct ph_private_key {
    EVP_PKEY *pkey;
};

struct ph_public_key {
    EVP_PKEY *pkey;
};

/* --- texts ---------------------------------------------------------------- */

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct ph_str
blanks_cut(struct ph_str text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool
has_text(struct ph_str in, const char *what)
{
    return in.len != 0 && memmem(in.ptr, in.len, what, strlen(what)) != NULL;
}

/* What lies in a key's text. */
struct key_der {
    unsigned char *bytes; /* of OpenSSL's memory */
    long           len;
    char          *label; /* of the PEM, NULL = there is none */
};

static void
der_free(struct key_der *der)
{
    if (der->bytes != NULL) {
        OPENSSL_clear_free(der->bytes, (size_t) der->len);
    }
    OPENSSL_free(der->label);
}

/* The first block; what stands around it counts for a certificate only. */
static bool
der_of_pem(struct key_der *der, struct ph_str text)
{
    char *header = NULL;
    char *left;
    BIO  *bio = BIO_new_mem_buf(text.ptr, (int) text.len);
    bool  ok  = bio != NULL
              && PEM_read_bio(bio, &der->label, &header, &der->bytes, &der->len)
                     == 1
              && header[0] == '\0';

    if (ok && strcmp(der->label, PEM_STRING_X509) != 0) {
        ok = BIO_get_mem_data(bio, &left) == 0
             && ph_str_starts(text, PH_STR("-----BEGIN "));
    }
    OPENSSL_free(header);
    BIO_free(bio);
    return ok;
}

static bool
der_of_b64(struct key_der *der, struct ph_str text)
{
    char          plain[PH_KEY_TEXT_MAX], raw[PH_KEY_TEXT_MAX];
    struct ph_buf digits = PH_BUF_INIT(plain);
    struct ph_buf bytes  = PH_BUF_INIT(raw);

    for (size_t i = 0; i < text.len; i++) {
        if (!is_blank(text.ptr[i])) {
            ph_buf_byte(&digits, text.ptr[i]);
        }
    }
    if (ph_b64_decode(&bytes, ph_buf_str(&digits)) == PH_OK && bytes.len != 0) {
        der->bytes = OPENSSL_memdup(bytes.ptr, bytes.len);
        der->len   = (long) bytes.len;
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    OPENSSL_cleanse(raw, sizeof(raw));
    return der->bytes != NULL;
}

static bool
der_read(struct key_der *der, struct ph_str text)
{
    text = blanks_cut(text);
    if (text.len == 0 || text.len > PH_KEY_TEXT_MAX) {
        return false;
    }
    return has_text(text, "-----BEGIN ") ? der_of_pem(der, text)
                                         : der_of_b64(der, text);
}

static bool
label_is(const struct key_der *der, const char *label)
{
    return der->label == NULL || strcmp(der->label, label) == 0;
}

/* --- keys ----------------------------------------------------------------- */

static EVP_PKEY *
private_of_der(const struct key_der *der)
{
    const unsigned char *at  = der->bytes;
    EVP_PKEY            *key = NULL;

    /* vendors' tools mix the labels up: what lies in it decides */
    if (label_is(der, PEM_STRING_PKCS8INF) || label_is(der, PEM_STRING_RSA)
        || label_is(der, PEM_STRING_ECPRIVATEKEY))
    {
        key = d2i_AutoPrivateKey(NULL, &at, der->len);
    }
    if (key != NULL && at != der->bytes + der->len) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static EVP_PKEY *
public_of_der(const struct key_der *der)
{
    const unsigned char *end = der->bytes + der->len;
    const unsigned char *at  = der->bytes;
    EVP_PKEY            *key = NULL;

    if (label_is(der, PEM_STRING_PUBLIC)) {
        key = d2i_PUBKEY(NULL, &at, der->len);
    }
    if (key == NULL && der->label != NULL
        && label_is(der, PEM_STRING_RSA_PUBLIC)) {
        at  = der->bytes;
        key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, der->len);
    }
    if (key == NULL && label_is(der, PEM_STRING_X509)) {
        at         = der->bytes;
        X509 *cert = d2i_X509(NULL, &at, der->len);
        key        = cert != NULL ? X509_get_pubkey(cert) : NULL;
        X509_free(cert);
    }
    if (key != NULL && at != end) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static enum ph_rc
key_judge(EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        return ph_key_judge_rsa(pkey);
    }
    return ph_key_is_curve(pkey, "SM2", "SM2") ? PH_OK : PH_E_UNKNOWN;
}

enum ph_rc
ph_private_key_of(struct ph_private_key **out, EVP_PKEY *pkey)
{
    enum ph_rc             rc  = key_judge(pkey);
    struct ph_private_key *key = rc == PH_OK ? calloc(1, sizeof(*key)) : NULL;

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return rc == PH_OK ? PH_E_CRYPTO : rc;
    }
    key->pkey = pkey;
    *out      = key;
    return PH_OK;
}

enum ph_rc
ph_public_key_of(struct ph_public_key **out, EVP_PKEY *pkey)
{
    enum ph_rc            rc  = key_judge(pkey);
    struct ph_public_key *key = rc == PH_OK ? calloc(1, sizeof(*key)) : NULL;

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return rc == PH_OK ? PH_E_CRYPTO : rc;
    }
    key->pkey = pkey;
    *out      = key;
    return PH_OK;
}

enum ph_rc
ph_private_key_new(struct ph_private_key **out, struct ph_str text)
{
    struct key_der der  = { 0 };
    EVP_PKEY      *pkey = der_read(&der, text) ? private_of_der(&der) : NULL;

    der_free(&der);
    ERR_clear_error();
    return pkey != NULL ? ph_private_key_of(out, pkey) : PH_E_SYNTAX;
}

enum ph_rc
ph_public_key_new(struct ph_public_key **out, struct ph_str text)
{
    struct key_der der  = { 0 };
    EVP_PKEY      *pkey = der_read(&der, text) ? public_of_der(&der) : NULL;

    der_free(&der);
    ERR_clear_error();
    return pkey != NULL ? ph_public_key_of(out, pkey) : PH_E_SYNTAX;
}

void
ph_private_key_free(struct ph_private_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

void
ph_public_key_free(struct ph_public_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

bool
ph_keys_match(const struct ph_private_key *key,
              const struct ph_public_key  *other)
{
    bool same = EVP_PKEY_eq(key->pkey, other->pkey) == 1;

    ERR_clear_error();
    return same;
}

/* --- signatures ----------------------------------------------------------- */

static const EVP_MD *
form_md(enum ph_rsa_form form)
{
    switch (form) {
    case PH_RSA_SHA256:
    case PH_RSA_PSS_SHA256:
        return ph_digest_md(PH_DIGEST_SHA256);
    case PH_RSA_SHA1:
        return EVP_sha1();
    case PH_SM2_SM3:
        return ph_digest_md(PH_DIGEST_SM3);
    case PH_RSA_RAW:
    default:
        return NULL;
    }
}

static bool
form_is_of(enum ph_rsa_form form, const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, form == PH_SM2_SM3 ? "SM2" : "RSA");
}

/* What is signed of an RSA form: the digest, or the bytes themselves. */
struct sum {
    unsigned char bytes[PH_RSA_LEN_MAX];
    size_t        len;
};

static bool
sum_raw(struct sum *sum, const struct ph_str *pieces, size_t count)
{
    sum->len = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > sizeof(sum->bytes) - sum->len) {
            return false;
        }
        if (pieces[i].len != 0) {
            memcpy(sum->bytes + sum->len, pieces[i].ptr, pieces[i].len);
            sum->len += pieces[i].len;
        }
    }
    return true;
}

static bool
sum_make(struct sum *sum, enum ph_rsa_form form, const struct ph_str *pieces,
         size_t count)
{
    const EVP_MD *md = form_md(form);
    EVP_MD_CTX   *ctx;
    unsigned      len = 0;

    if (form == PH_RSA_RAW) {
        return sum_raw(sum, pieces, count);
    }
    ctx     = md != NULL ? EVP_MD_CTX_new() : NULL;
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len) == 1;
    }
    ok       = ok && EVP_DigestFinal_ex(ctx, sum->bytes, &len) == 1;
    sum->len = len;
    EVP_MD_CTX_free(ctx);
    return ok && len <= SUM_MAX;
}

static bool
padding_set(EVP_PKEY_CTX *ctx, enum ph_rsa_form form)
{
    if (form == PH_RSA_PSS_SHA256) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1
               && EVP_PKEY_CTX_set_signature_md(ctx, form_md(form)) == 1
               && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, form_md(form)) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST)
                      == 1;
    }
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1
           && (form == PH_RSA_RAW
               || EVP_PKEY_CTX_set_signature_md(ctx, form_md(form)) == 1);
}

static bool
rsa_sign(EVP_PKEY *pkey, enum ph_rsa_form form, const struct ph_str *pieces,
         size_t count, unsigned char *out, size_t *len)
{
    struct sum    sum;
    EVP_PKEY_CTX *ctx = NULL;
    bool          ok  = sum_make(&sum, form, pieces, count);

    if (ok) {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        ok  = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1
             && padding_set(ctx, form)
             && EVP_PKEY_sign(ctx, out, len, sum.bytes, sum.len) == 1;
    }
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* A digest's context that has the signer's id, which is set between making it
 * and starting the digest.  Both are the caller's, ctx to be freed last. */
static EVP_MD_CTX *
sm2_begin(EVP_PKEY *pkey, EVP_PKEY_CTX **ctx)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();

    *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (work == NULL || *ctx == NULL || form_md(PH_SM2_SM3) == NULL
        || EVP_PKEY_CTX_set1_id(*ctx, PH_SM2_ID, sizeof(PH_SM2_ID) - 1) != 1)
    {
        EVP_MD_CTX_free(work);
        return NULL;
    }
    EVP_MD_CTX_set_pkey_ctx(work, *ctx);
    return work;
}

static bool
sm2_sign(EVP_PKEY *pkey, const struct ph_str *pieces, size_t count,
         unsigned char *out, size_t *len)
{
    EVP_PKEY_CTX *ctx  = NULL;
    EVP_MD_CTX   *work = sm2_begin(pkey, &ctx);
    bool          ok   = work != NULL
              && EVP_DigestSignInit(work, NULL, form_md(PH_SM2_SM3), NULL, pkey)
                     == 1;

    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestSignUpdate(work, pieces[i].ptr, pieces[i].len) == 1;
    }
    ok = ok && EVP_DigestSignFinal(work, out, len) == 1;
    EVP_MD_CTX_free(work);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

bool
ph_private_sign(const struct ph_private_key *key, enum ph_rsa_form form,
                const struct ph_str *pieces, size_t count, struct ph_buf *raw)
{
    unsigned char signature[PH_RSA_LEN_MAX];
    size_t        len = sizeof(signature);
    bool          ok  = form_is_of(form, key->pkey);

    if (ok && form == PH_SM2_SM3) {
        ok = sm2_sign(key->pkey, pieces, count, signature, &len);
    } else if (ok) {
        ok = rsa_sign(key->pkey, form, pieces, count, signature, &len);
    }
    if (!ok) {
        ERR_clear_error();
        return false;
    }
    ph_buf_add(raw, ph_str_make((const char *) signature, len));
    return !raw->full;
}

static enum ph_rc
rsa_check(EVP_PKEY *pkey, enum ph_rsa_form form, const struct ph_str *pieces,
          size_t count, struct ph_str signature)
{
    struct sum    sum;
    EVP_PKEY_CTX *ctx = NULL;
    enum ph_rc    rc  = PH_E_CRYPTO;

    if (signature.len != (size_t) EVP_PKEY_get_size(pkey)) {
        return PH_E_SIGNATURE;
    }
    if (!sum_make(&sum, form, pieces, count)) {
        /* more than fits into a block was signed by nobody */
        return form == PH_RSA_RAW ? PH_E_SIGNATURE : PH_E_CRYPTO;
    }
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && padding_set(ctx, form))
    {
        rc = EVP_PKEY_verify(ctx, (const unsigned char *) signature.ptr,
                             signature.len, sum.bytes, sum.len)
                     == 1
                 ? PH_OK
                 : PH_E_SIGNATURE;
    }
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

static enum ph_rc
sm2_check(EVP_PKEY *pkey, const struct ph_str *pieces, size_t count,
          struct ph_str signature)
{
    EVP_PKEY_CTX *ctx  = NULL;
    EVP_MD_CTX   *work = NULL;
    enum ph_rc    rc   = PH_E_CRYPTO;

    if (!ph_der_is_canonical(signature)) {
        return PH_E_SIGNATURE;
    }
    work = sm2_begin(pkey, &ctx);
    bool ok
        = work != NULL
          && EVP_DigestVerifyInit(work, NULL, form_md(PH_SM2_SM3), NULL, pkey)
                 == 1;
    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestVerifyUpdate(work, pieces[i].ptr, pieces[i].len) == 1;
    }
    if (ok) {
        rc = EVP_DigestVerifyFinal(work, (const unsigned char *) signature.ptr,
                                   signature.len)
                     == 1
                 ? PH_OK
                 : PH_E_SIGNATURE;
    }
    EVP_MD_CTX_free(work);
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

enum ph_rc
ph_public_check(const struct ph_public_key *key, enum ph_rsa_form form,
                const struct ph_str *pieces, size_t count,
                struct ph_str signature)
{
    enum ph_rc rc;

    if (!form_is_of(form, key->pkey)) {
        return PH_E_SIGNATURE;
    }
    rc = form == PH_SM2_SM3
             ? sm2_check(key->pkey, pieces, count, signature)
             : rsa_check(key->pkey, form, pieces, count, signature);
    if (rc != PH_OK) {
        ERR_clear_error(); /* or the next TLS call on this thread sees it */
    }
    return rc;
}

/* --- encryption ----------------------------------------------------------- */

static int
padding_of(enum ph_rsa_padding padding)
{
    return padding == PH_RSA_OAEP ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING;
}

enum ph_rc
ph_private_decrypt(const struct ph_private_key *key,
                   enum ph_rsa_padding padding, struct ph_str in,
                   struct ph_buf *out)
{
    unsigned char plain[PH_RSA_LEN_MAX];
    size_t        len = sizeof(plain);
    EVP_PKEY_CTX *ctx = NULL;
    bool          ok  = EVP_PKEY_is_a(key->pkey, "RSA");

    if (ok) {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        ok  = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1
             && EVP_PKEY_CTX_set_rsa_padding(ctx, padding_of(padding)) == 1
             && EVP_PKEY_decrypt(ctx, plain, &len,
                                 (const unsigned char *) in.ptr, in.len)
                    == 1;
    }
    EVP_PKEY_CTX_free(ctx);
    if (ok) {
        ph_buf_add(out, ph_str_make((const char *) plain, len));
    } else {
        ERR_clear_error();
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    return !ok ? PH_E_SYNTAX : out->full ? PH_E_FULL : PH_OK;
}

bool
ph_public_encrypt(const struct ph_public_key *key, enum ph_rsa_padding padding,
                  struct ph_str in, struct ph_buf *out)
{
    unsigned char block[PH_RSA_LEN_MAX];
    size_t        len = sizeof(block);
    EVP_PKEY_CTX *ctx = NULL;
    bool          ok  = EVP_PKEY_is_a(key->pkey, "RSA");

    if (ok) {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        ok  = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1
             && EVP_PKEY_CTX_set_rsa_padding(ctx, padding_of(padding)) == 1
             && EVP_PKEY_encrypt(ctx, block, &len,
                                 (const unsigned char *) in.ptr, in.len)
                    == 1;
    }
    EVP_PKEY_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        return false;
    }
    ph_buf_add(out, ph_str_make((const char *) block, len));
    return !out->full;
}

/*
 * signer.c - signatures made by OpenSSL's EVP, whole messages at a time.
 */
#include "cli/signer.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "libpayhub/wire/digest.h"

#define PAIR_HALF 32 /* bytes of r, of s */

struct cli_signer {
    enum ph_alg alg;
    EVP_PKEY   *key; /* public algorithms */
    size_t      secret_len;
    char        secret[CLI_PRIVATE_KEY_MAX]; /* hmac-sha256 */
};

/* A passphrase is never asked for: no key then. */
static int
no_passphrase(char *out, int size, int writing, void *data)
{
    (void) out;
    (void) size;
    (void) writing;
    (void) data;
    return 0;
}

bool
cli_signer_public(const struct cli_signer *signer, struct ph_buf *pem)
{
    BIO  *bio = BIO_new(BIO_s_mem());
    char *text;
    bool  ok = bio != NULL && signer->key != NULL
              && PEM_write_bio_PUBKEY(bio, signer->key) == 1;

    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        ph_buf_add(pem, ph_str_make(text, (size_t) len));
    }
    BIO_free(bio);
    return ok && !pem->full;
}

/* Would the server take the public half for this algorithm? */
static bool
signer_is_fit(const struct cli_signer *signer, struct ph_buf *why)
{
    char                memory[PH_PUBLIC_KEY_PEM_MAX];
    struct ph_buf       pem      = PH_BUF_INIT(memory);
    struct ph_verifier *verifier = NULL;

    enum ph_rc rc
        = cli_signer_public(signer, &pem)
              ? ph_verifier_new(&verifier, signer->alg, ph_buf_str(&pem))
              : PH_E_CRYPTO;
    ph_verifier_free(rc == PH_OK ? verifier : NULL);
    if (rc == PH_OK) {
        return true;
    }
    ph_buf_add(why, rc == PH_E_RANGE ? PH_STR("found a key too weak or too "
                                              "large, expected one for ")
                                     : PH_STR("found a key of another kind, "
                                              "expected one for "));
    ph_buf_add(why, ph_alg_name(signer->alg));
    return false;
}

static bool
signer_take(struct cli_signer *signer, struct ph_str material,
            struct ph_buf *why)
{
    if (!ph_alg_is_public(signer->alg)) {
        if (material.len == 0 || material.len > sizeof(signer->secret)) {
            ph_buf_add(why, PH_STR("found an empty or too long secret"));
            return false;
        }
        memcpy(signer->secret, material.ptr, material.len);
        signer->secret_len = material.len;
        return true;
    }
    BIO *bio    = BIO_new_mem_buf(material.ptr, (int) material.len);
    signer->key = bio != NULL
                      ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                      : NULL;
    BIO_free(bio);
    if (signer->key == NULL) {
        ERR_clear_error();
        ph_buf_add(why, PH_STR("found no private key, expected the PEM of one "
                               "without a passphrase"));
        return false;
    }
    return signer_is_fit(signer, why);
}

bool
cli_signer_new(struct cli_signer **out, enum ph_alg alg, struct ph_str material,
               struct ph_buf *why)
{
    struct cli_signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL) {
        ph_buf_add(why, PH_STR("no memory"));
        return false;
    }
    signer->alg = alg;
    if (!signer_take(signer, material, why)) {
        cli_signer_free(signer);
        return false;
    }
    *out = signer;
    return true;
}

void
cli_signer_free(struct cli_signer *signer)
{
    if (signer != NULL) {
        EVP_PKEY_free(signer->key);
        OPENSSL_cleanse(signer, sizeof(*signer));
        free(signer);
    }
}

enum ph_alg
cli_signer_alg(const struct cli_signer *signer)
{
    return signer->alg;
}

/* DER of ECDSA -> r || s */
static bool
pair_of_der(struct ph_buf *raw, const unsigned char *der, size_t len)
{
    unsigned char pair[2 * PAIR_HALF];
    ECDSA_SIG    *sig = d2i_ECDSA_SIG(NULL, &der, (long) len);
    bool          ok
        = sig != NULL
          && BN_bn2binpad(ECDSA_SIG_get0_r(sig), pair, PAIR_HALF) == PAIR_HALF
          && BN_bn2binpad(ECDSA_SIG_get0_s(sig), pair + PAIR_HALF, PAIR_HALF)
                 == PAIR_HALF;

    if (ok) {
        ph_buf_add(raw, ph_str_make((const char *) pair, sizeof(pair)));
    }
    ECDSA_SIG_free(sig);
    return ok;
}

static const char *
alg_digest_name(enum ph_alg alg)
{
    return alg == PH_ALG_ED25519          ? NULL
           : alg == PH_ALG_RSA_PSS_SHA512 ? "SHA512"
           : alg == PH_ALG_SM2_SM3        ? "SM3"
                                          : "SHA256";
}

static bool
sign_start(const struct cli_signer *signer, EVP_MD_CTX *work,
           EVP_PKEY_CTX **sm2)
{
    EVP_PKEY_CTX *ctx  = NULL;
    const char   *name = alg_digest_name(signer->alg);

    if (signer->alg == PH_ALG_SM2_SM3) {
        ctx  = EVP_PKEY_CTX_new_from_pkey(NULL, signer->key, NULL);
        *sm2 = ctx;
        if (ctx == NULL
            || EVP_PKEY_CTX_set1_id(ctx, PH_SM2_ID, sizeof(PH_SM2_ID) - 1) != 1)
        {
            return false;
        }
        EVP_MD_CTX_set_pkey_ctx(work, ctx);
    }
    if (EVP_DigestSignInit_ex(work, signer->alg == PH_ALG_SM2_SM3 ? NULL : &ctx,
                              name, NULL, NULL, signer->key, NULL)
        != 1)
    {
        return false;
    }
    return signer->alg != PH_ALG_RSA_PSS_SHA512
           || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST)
                      == 1);
}

static bool
sign_public(const struct cli_signer *signer, struct ph_str message,
            struct ph_buf *raw)
{
    unsigned char der[PH_SIGNATURE_MAX];
    size_t        len  = sizeof(der);
    EVP_MD_CTX   *work = EVP_MD_CTX_new();
    EVP_PKEY_CTX *sm2  = NULL;

    bool ok
        = work != NULL && sign_start(signer, work, &sm2)
          && EVP_DigestSign(work, der, &len,
                            (const unsigned char *) message.ptr, message.len)
                 == 1;
    if (ok && signer->alg == PH_ALG_ECDSA_P256_SHA256) {
        ok = pair_of_der(raw, der, len);
    } else if (ok) {
        ph_buf_add(raw, ph_str_make((const char *) der, len));
    }
    ERR_clear_error();
    EVP_MD_CTX_free(work);
    EVP_PKEY_CTX_free(sm2);
    return ok && !raw->full;
}

bool
cli_signer_sign(const struct cli_signer *signer, const struct ph_str *pieces,
                size_t count, struct ph_buf *raw)
{
    uint8_t mac[PH_SHA256_LEN];
    size_t  len = 0;

    if (signer->alg == PH_ALG_HMAC_SHA256) {
        if (!ph_hmac_once(ph_str_make(signer->secret, signer->secret_len),
                          pieces, count, mac))
        {
            return false;
        }
        ph_buf_add(raw, ph_str_make((const char *) mac, sizeof(mac)));
        return !raw->full;
    }
    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    char         *memory = malloc(len + 1);
    struct ph_buf message;

    if (memory == NULL) {
        return false;
    }
    ph_buf_init(&message, memory, len + 1);
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(&message, pieces[i]);
    }
    bool ok = sign_public(signer, ph_buf_str(&message), raw);
    free(memory);
    return ok;
}

/*
 * ed25519.c - the platform's signing key, by OpenSSL.
 */
#include "libpayhub/wire/ed25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "libpayhub/wire/digest.h"

#define KEY_ID_PREFIX "platform-"
#define KEY_ID_BYTES 8 /* of the SHA-256 of the public key */

struct ph_ed25519 {
    EVP_PKEY *key;
    uint8_t public[PH_ED25519_PUBLIC_LEN];
    char id[PH_ED25519_KEY_ID_LEN];
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

static enum ph_rc
key_read(struct ph_ed25519 *key, struct ph_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int) pem.len);

    if (bio == NULL) {
        return PH_E_CRYPTO;
    }
    key->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key->key == NULL) {
        return PH_E_SYNTAX;
    }
    return EVP_PKEY_get_id(key->key) == EVP_PKEY_ED25519 ? PH_OK : PH_E_UNKNOWN;
}

static bool
key_name(struct ph_ed25519 *key)
{
    struct ph_buf id  = PH_BUF_INIT(key->id);
    size_t        len = sizeof(key->public);
    uint8_t       sum[PH_SHA256_LEN];

    if (EVP_PKEY_get_raw_public_key(key->key, key->public, &len) != 1
        || len != sizeof(key->public))
    {
        return false;
    }
    const struct ph_str public = ph_ed25519_public(key);

    if (!ph_sha256(&public, 1, sum)) {
        return false;
    }
    ph_buf_add(&id, PH_STR(KEY_ID_PREFIX));
    ph_buf_hex(&id, ph_str_make((const char *) sum, KEY_ID_BYTES));
    return !id.full && id.len == sizeof(key->id);
}

enum ph_rc
ph_ed25519_new(struct ph_ed25519 **out, struct ph_str pem)
{
    struct ph_ed25519 *key = calloc(1, sizeof(*key));
    enum ph_rc         rc;

    *out = NULL;
    if (key == NULL) {
        return PH_E_CRYPTO;
    }
    rc = pem.len <= PH_ED25519_PEM_MAX ? key_read(key, pem) : PH_E_SYNTAX;
    if (rc == PH_OK && !key_name(key)) {
        rc = PH_E_CRYPTO;
    }
    ERR_clear_error();
    if (rc != PH_OK) {
        ph_ed25519_free(key);
        return rc;
    }
    *out = key;
    return PH_OK;
}

void
ph_ed25519_free(struct ph_ed25519 *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->key);
        free(key);
    }
}

struct ph_str
ph_ed25519_id(const struct ph_ed25519 *key)
{
    return ph_str_make(key->id, sizeof(key->id));
}

struct ph_str
ph_ed25519_public(const struct ph_ed25519 *key)
{
    return ph_str_make((const char *) key->public, sizeof(key->public));
}

bool
ph_ed25519_public_pem(const struct ph_ed25519 *key, struct ph_buf *pem)
{
    BIO  *bio = BIO_new(BIO_s_mem());
    char *text;
    bool  ok = bio != NULL && PEM_write_bio_PUBKEY(bio, key->key) == 1;

    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        ph_buf_add(pem, ph_str_make(text, (size_t) len));
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok && !pem->full;
}

bool
ph_ed25519_sign(const struct ph_ed25519 *key, struct ph_str message,
                uint8_t signature[PH_ED25519_SIGNATURE_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t      len = PH_ED25519_SIGNATURE_LEN;
    bool        ok;

    ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key) == 1
         && EVP_DigestSign(ctx, signature, &len, (const uint8_t *) message.ptr,
                           message.len)
                == 1
         && len == PH_ED25519_SIGNATURE_LEN;
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    return ok;
}

/*
 * cipher.c - AES in three modes and DES-EDE3, by OpenSSL's EVP.
 */
#include "libpayhub/wire/cipher.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

enum mode { MODE_CBC, MODE_ECB, MODE_GCM };

/* NULL: AES has no key of that length */
static const EVP_CIPHER *
aes_of(enum mode mode, size_t key_len)
{
    switch (key_len) {
    case 16:
        return mode == MODE_CBC   ? EVP_aes_128_cbc()
               : mode == MODE_ECB ? EVP_aes_128_ecb()
                                  : EVP_aes_128_gcm();
    case 24:
        return mode == MODE_CBC   ? EVP_aes_192_cbc()
               : mode == MODE_ECB ? EVP_aes_192_ecb()
                                  : EVP_aes_192_gcm();
    case 32:
        return mode == MODE_CBC   ? EVP_aes_256_cbc()
               : mode == MODE_ECB ? EVP_aes_256_ecb()
                                  : EVP_aes_256_gcm();
    default:
        return NULL;
    }
}

struct work {
    const EVP_CIPHER *cipher;
    struct ph_str     key;
    const uint8_t    *iv; /* NULL = none */
    struct ph_str     in;
    size_t            block;
    bool              enc;
    bool              pads;
};

/* Writes to `to`, which has room for all whole blocks and the padding. */
static enum ph_rc
work_run(const struct work *work, EVP_CIPHER_CTX *ctx, uint8_t *to, size_t *len)
{
    int some = 0, rest = 0;

    if (EVP_CipherInit_ex(ctx, work->cipher, NULL,
                          (const unsigned char *) work->key.ptr, work->iv,
                          work->enc)
            != 1
        || EVP_CIPHER_CTX_set_padding(ctx, work->pads) != 1
        || (work->in.len != 0
            && EVP_CipherUpdate(ctx, to, &some,
                                (const unsigned char *) work->in.ptr,
                                (int) work->in.len)
                   != 1))
    {
        return PH_E_CRYPTO;
    }
    if (EVP_CipherFinal_ex(ctx, to + some, &rest) != 1) {
        return work->enc ? PH_E_CRYPTO : PH_E_SYNTAX;
    }
    *len = (size_t) some + (size_t) rest;
    return PH_OK;
}

/* Both ways; `out` is untouched but on PH_OK. */
static enum ph_rc
work_do(const struct work *work, struct ph_buf *out)
{
    bool   grows = work->enc && work->pads;
    size_t room = grows ? work->in.len / work->block * work->block + work->block
                        : work->in.len;
    size_t len  = 0;

    if (work->cipher == NULL || work->in.len > PH_CIPHER_TEXT_MAX) {
        return PH_E_RANGE;
    }
    if (!grows && work->in.len % work->block != 0) {
        return PH_E_SYNTAX;
    }
    if (out->full || out->size - out->len < room) {
        return PH_E_FULL;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t        *to  = (uint8_t *) out->ptr + out->len;
    enum ph_rc rc = ctx != NULL ? work_run(work, ctx, to, &len) : PH_E_CRYPTO;

    EVP_CIPHER_CTX_free(ctx);
    if (rc != PH_OK) {
        ERR_clear_error();
        OPENSSL_cleanse(to, room);
        return rc;
    }
    assert(len <= room);
    out->len += len;
    return PH_OK;
}

enum ph_rc
ph_aes_cbc(bool enc, struct ph_str key, const uint8_t iv[PH_CIPHER_BLOCK],
           struct ph_str in, struct ph_buf *out)
{
    const struct work work = {
        .cipher = aes_of(MODE_CBC, key.len),
        .key    = key,
        .iv     = iv,
        .in     = in,
        .block  = PH_CIPHER_BLOCK,
        .enc    = enc,
        .pads   = true,
    };

    return work_do(&work, out);
}

enum ph_rc
ph_aes_ecb(bool enc, struct ph_str key, struct ph_str in, struct ph_buf *out)
{
    const struct work work = {
        .cipher = aes_of(MODE_ECB, key.len),
        .key    = key,
        .in     = in,
        .block  = PH_CIPHER_BLOCK,
        .enc    = enc,
        .pads   = true,
    };

    return work_do(&work, out);
}

enum ph_rc
ph_des3_ecb(bool enc, struct ph_str key, struct ph_str in, struct ph_buf *out)
{
    const struct work work = {
        .cipher = key.len == PH_DES3_KEY_LEN ? EVP_des_ede3_ecb() : NULL,
        .key    = key,
        .in     = in,
        .block  = PH_DES3_BLOCK,
        .enc    = enc,
    };

    return work_do(&work, out);
}

/* --- GCM ------------------------------------------------------------------ */

struct gcm {
    const EVP_CIPHER *cipher;
    struct ph_str     key;
    struct ph_str     nonce;
    struct ph_str     aad;
    struct ph_str     text;
    struct ph_str     tag;
};

/* The tag decides; what lies at `to` counts only on PH_OK. */
static enum ph_rc
gcm_run(const struct gcm *gcm, EVP_CIPHER_CTX *ctx, uint8_t *to)
{
    uint8_t tag[PH_GCM_TAG_LEN];
    int     len = 0, rest = 0;

    memcpy(tag, gcm->tag.ptr, sizeof(tag));
    if (EVP_CipherInit_ex(ctx, gcm->cipher, NULL,
                          (const unsigned char *) gcm->key.ptr,
                          (const unsigned char *) gcm->nonce.ptr, 0)
            != 1
        || (gcm->aad.len != 0
            && EVP_DecryptUpdate(ctx, NULL, &len,
                                 (const unsigned char *) gcm->aad.ptr,
                                 (int) gcm->aad.len)
                   != 1)
        || (gcm->text.len != 0
            && EVP_DecryptUpdate(ctx, to, &len,
                                 (const unsigned char *) gcm->text.ptr,
                                 (int) gcm->text.len)
                   != 1)
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PH_GCM_TAG_LEN, tag)
               != 1)
    {
        return PH_E_CRYPTO;
    }
    return EVP_DecryptFinal_ex(ctx, to + gcm->text.len, &rest) == 1
               ? PH_OK
               : PH_E_CHECKSUM;
}

enum ph_rc
ph_aes_gcm_open(struct ph_str key, struct ph_str nonce, struct ph_str aad,
                struct ph_str in, struct ph_buf *out)
{
    struct gcm gcm = {
        .cipher = aes_of(MODE_GCM, key.len),
        .key    = key,
        .nonce  = nonce,
        .aad    = aad,
    };

    if (gcm.cipher == NULL || nonce.len != PH_GCM_NONCE_LEN
        || in.len > PH_CIPHER_TEXT_MAX || aad.len > PH_CIPHER_TEXT_MAX)
    {
        return PH_E_RANGE;
    }
    if (in.len < PH_GCM_TAG_LEN) {
        return PH_E_SYNTAX;
    }
    gcm.text = ph_str_make(in.ptr, in.len - PH_GCM_TAG_LEN);
    gcm.tag  = ph_str_make(in.ptr + gcm.text.len, PH_GCM_TAG_LEN);
    if (out->full || out->size - out->len < gcm.text.len) {
        return PH_E_FULL;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t        *to  = (uint8_t *) out->ptr + out->len;
    enum ph_rc      rc  = ctx != NULL ? gcm_run(&gcm, ctx, to) : PH_E_CRYPTO;

    EVP_CIPHER_CTX_free(ctx);
    if (rc != PH_OK) {
        ERR_clear_error();
        OPENSSL_cleanse(to, gcm.text.len);
        return rc;
    }
    out->len += gcm.text.len;
    return PH_OK;
}

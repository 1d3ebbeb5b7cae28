/*
 * seal.c - AES-256-GCM over a secret, bound to the place it is kept in.
 */
#include "libpayhub/wire/seal.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "libpayhub/base/cur.h"

#define SEAL_VERSION 1

/* The additional data, in pieces: table LF owner LF column. */
static bool
seal_bind(EVP_CIPHER_CTX *ctx, const struct ph_seal_place *place)
{
    const struct ph_str pieces[] = { place->table, PH_STR("\n"), place->owner,
                                     PH_STR("\n"), place->column };

    for (size_t i = 0; i < PH_COUNT(pieces); i++) {
        int len = 0;

        assert(pieces[i].len <= PH_SEAL_PLACE_MAX);
        if (EVP_CipherUpdate(ctx, NULL, &len,
                             (const unsigned char *) pieces[i].ptr,
                             (int) pieces[i].len)
            != 1)
        {
            return false;
        }
    }
    return true;
}

/* A context ready for the text; NULL when OpenSSL refuses. */
static EVP_CIPHER_CTX *
seal_context(const struct ph_seal_key *key, const struct ph_seal_place *place,
             const uint8_t *nonce, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL
        || EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce,
                             encrypt)
               != 1
        || !seal_bind(ctx, place))
    {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* Ciphertext and tag to `to`, which has room for both. */
static bool
seal_text(EVP_CIPHER_CTX *ctx, struct ph_str plain, uint8_t *to)
{
    int len = 0, rest = 0;

    return EVP_EncryptUpdate(ctx, to, &len, (const unsigned char *) plain.ptr,
                             (int) plain.len)
               == 1
           && EVP_EncryptFinal_ex(ctx, to + len, &rest) == 1
           && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PH_SEAL_TAG_LEN,
                                  to + plain.len)
                  == 1;
}

enum ph_rc
ph_seal(struct ph_buf *out, const struct ph_seal_key *key,
        const struct ph_seal_place *place,
        const uint8_t nonce[PH_SEAL_NONCE_LEN], struct ph_str plain)
{
    size_t mark = out->len;

    assert(ph_str_is_token(key->id, PH_SEAL_KEY_ID_MAX));

    if (plain.len > PH_SEAL_PLAIN_MAX) {
        return PH_E_RANGE;
    }
    ph_buf_byte(out, SEAL_VERSION);
    ph_buf_byte(out, (char) key->id.len);
    ph_buf_add(out, key->id);
    ph_buf_add(out, ph_str_make((const char *) nonce, PH_SEAL_NONCE_LEN));
    if (out->full || out->size - out->len < plain.len + PH_SEAL_TAG_LEN) {
        ph_buf_cut(out, mark);
        return PH_E_FULL;
    }
    EVP_CIPHER_CTX *ctx = seal_context(key, place, nonce, 1);
    bool            ok
        = ctx != NULL && seal_text(ctx, plain, (uint8_t *) out->ptr + out->len);

    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        ph_buf_cut(out, mark);
        return PH_E_CRYPTO;
    }
    out->len += plain.len + PH_SEAL_TAG_LEN;
    return PH_OK;
}

static const struct ph_seal_key *
seal_key_find(const struct ph_seal_key *keys, size_t count, struct ph_str id)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(keys[i].id, id)) {
            return &keys[i];
        }
    }
    return NULL;
}

/* The tag decides; the text at `to` counts only on PH_OK. */
static enum ph_rc
unseal_text(EVP_CIPHER_CTX *ctx, struct ph_str text, struct ph_str tag,
            uint8_t *to)
{
    uint8_t expected[PH_SEAL_TAG_LEN];
    int     len = 0, rest = 0;

    memcpy(expected, tag.ptr, sizeof(expected));
    if (EVP_DecryptUpdate(ctx, to, &len, (const unsigned char *) text.ptr,
                          (int) text.len)
            != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PH_SEAL_TAG_LEN,
                               expected)
               != 1)
    {
        return PH_E_CRYPTO;
    }
    return EVP_DecryptFinal_ex(ctx, to + len, &rest) == 1 ? PH_OK
                                                          : PH_E_CHECKSUM;
}

struct seal_parts {
    struct ph_str key_id, nonce, text, tag;
};

static enum ph_rc
seal_split(struct ph_str sealed, struct seal_parts *parts)
{
    struct ph_cur cur;

    ph_cur_init(&cur, sealed);
    uint64_t version = ph_cur_le(&cur, 1);
    parts->key_id    = ph_cur_take(&cur, (size_t) ph_cur_le(&cur, 1));
    parts->nonce     = ph_cur_take(&cur, PH_SEAL_NONCE_LEN);
    size_t left      = ph_cur_left(&cur);
    parts->text      = ph_cur_take(
             &cur, left > PH_SEAL_TAG_LEN ? left - PH_SEAL_TAG_LEN : 0);
    parts->tag = ph_cur_take(&cur, PH_SEAL_TAG_LEN);
    if (cur.failed) {
        return PH_E_SYNTAX;
    }
    if (version != SEAL_VERSION) {
        return PH_E_UNKNOWN;
    }
    return parts->text.len <= PH_SEAL_PLAIN_MAX ? PH_OK : PH_E_RANGE;
}

enum ph_rc
ph_unseal(struct ph_buf *out, const struct ph_seal_key *keys, size_t count,
          const struct ph_seal_place *place, struct ph_str sealed)
{
    struct seal_parts parts;
    enum ph_rc        rc = seal_split(sealed, &parts);

    if (rc != PH_OK) {
        return rc;
    }
    const struct ph_seal_key *key = seal_key_find(keys, count, parts.key_id);
    if (key == NULL) {
        return PH_E_UNKNOWN;
    }
    if (out->full || out->size - out->len < parts.text.len) {
        return PH_E_FULL;
    }
    uint8_t        *to = (uint8_t *) out->ptr + out->len;
    EVP_CIPHER_CTX *ctx
        = seal_context(key, place, (const uint8_t *) parts.nonce.ptr, 0);

    rc = ctx != NULL ? unseal_text(ctx, parts.text, parts.tag, to)
                     : PH_E_CRYPTO;
    EVP_CIPHER_CTX_free(ctx);
    if (rc != PH_OK) {
        ERR_clear_error();
        OPENSSL_cleanse(to, parts.text.len);
        return rc;
    }
    out->len += parts.text.len;
    return PH_OK;
}

struct ph_str
ph_seal_key_id(struct ph_str sealed)
{
    struct seal_parts parts;

    return seal_split(sealed, &parts) == PH_OK
                   && ph_str_is_token(parts.key_id, PH_SEAL_KEY_ID_MAX)
               ? parts.key_id
               : ph_str_make(NULL, 0);
}

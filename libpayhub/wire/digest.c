/*
 * digest.c - SHA-256, SHA-512 and HMAC-SHA256 by OpenSSL's EVP.
 *
 * HMAC is RFC 2104 over two kept SHA-256 contexts, one that has taken the
 * inner pad and one that has taken the outer: a message costs two copies and
 * its own blocks.  OpenSSL's EVP_MAC does the same with more book-keeping per
 * message; docs/decisions/0005-hmac-contexts.md has the figures.
 *
 * The algorithm handles are fetched once, by ph_digest_init() before any other
 * thread runs, and only read afterwards.  They are this tier's one variable: a
 * fetch on every call costs more than the digest.  SM3 may be missing from an
 * OpenSSL; the others may not.
 */
#include "libpayhub/wire/digest.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "libpayhub/wire/digest_md.h"

#define SHA256_BLOCK_LEN 64
#define HMAC_INNER_PAD 0x36
#define HMAC_OUTER_PAD 0x5c

struct ph_hmac {
    EVP_MD_CTX *inner; /* has taken key ^ inner pad */
    EVP_MD_CTX *outer; /* has taken key ^ outer pad */
    EVP_MD_CTX *work;  /* the message at hand */
};

static const char *const digest_names[PH_DIGEST_KINDS] = {
    [PH_DIGEST_SHA256] = "SHA256",
    [PH_DIGEST_SHA512] = "SHA512",
    [PH_DIGEST_SM3]    = "SM3",
};

static EVP_MD *digest_mds[PH_DIGEST_KINDS];

bool
ph_digest_init(void)
{
    for (size_t i = 0; i < PH_DIGEST_KINDS; i++) {
        if (digest_mds[i] == NULL) {
            digest_mds[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        }
    }
    ERR_clear_error(); /* a missing SM3 is no error */
    return digest_mds[PH_DIGEST_SHA256] != NULL
           && digest_mds[PH_DIGEST_SHA512] != NULL;
}

bool
ph_digest_is_ready(void)
{
    return digest_mds[PH_DIGEST_SHA256] != NULL;
}

void
ph_digest_deinit(void)
{
    for (size_t i = 0; i < PH_DIGEST_KINDS; i++) {
        EVP_MD_free(digest_mds[i]);
        digest_mds[i] = NULL;
    }
}

const EVP_MD *
ph_digest_md(enum ph_digest_kind kind)
{
    return digest_mds[kind];
}

static bool
digest_whole(const EVP_MD *md, const struct ph_str *pieces, size_t count,
             uint8_t *out)
{
    bool        ok  = false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert(md != NULL);

    if (ctx == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1) {
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len) != 1) {
            goto done;
        }
    }
    ok = EVP_DigestFinal_ex(ctx, out, NULL) == 1;

done:
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
ph_sha256(const struct ph_str *pieces, size_t count, uint8_t out[PH_SHA256_LEN])
{
    return digest_whole(digest_mds[PH_DIGEST_SHA256], pieces, count, out);
}

bool
ph_sha512(const struct ph_str *pieces, size_t count, uint8_t out[PH_SHA512_LEN])
{
    return digest_whole(digest_mds[PH_DIGEST_SHA512], pieces, count, out);
}

struct ph_hmac *
ph_hmac_new(struct ph_str key)
{
    struct ph_hmac *mac = calloc(1, sizeof(*mac));

    if (mac == NULL) {
        return NULL;
    }
    mac->inner = EVP_MD_CTX_new();
    mac->outer = EVP_MD_CTX_new();
    mac->work  = EVP_MD_CTX_new();
    if (mac->inner == NULL || mac->outer == NULL || mac->work == NULL
        || !ph_hmac_rekey(mac, key))
    {
        ph_hmac_free(mac);
        return NULL;
    }
    return mac;
}

void
ph_hmac_free(struct ph_hmac *mac)
{
    if (mac != NULL) {
        EVP_MD_CTX_free(mac->inner); /* each wipes its state */
        EVP_MD_CTX_free(mac->outer);
        EVP_MD_CTX_free(mac->work);
        free(mac);
    }
}

/* A context that has taken one block: the key's, each byte with `pad`. */
static bool
hmac_take_pad(EVP_MD_CTX *ctx, const uint8_t key[SHA256_BLOCK_LEN], uint8_t pad)
{
    uint8_t block[SHA256_BLOCK_LEN];

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = key[i] ^ pad;
    }
    bool ok = EVP_DigestInit_ex2(ctx, digest_mds[PH_DIGEST_SHA256], NULL) == 1
              && EVP_DigestUpdate(ctx, block, sizeof(block)) == 1;

    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

bool
ph_hmac_rekey(struct ph_hmac *mac, struct ph_str key)
{
    uint8_t block[SHA256_BLOCK_LEN] = { 0 };
    bool    ok                      = true;

    assert(digest_mds[PH_DIGEST_SHA256] != NULL);

    if (key.len > sizeof(block)) {
        ok = ph_sha256(&key, 1, block);
    } else if (key.len != 0) {
        memcpy(block, key.ptr, key.len);
    }
    ok = ok && hmac_take_pad(mac->inner, block, HMAC_INNER_PAD)
         && hmac_take_pad(mac->outer, block, HMAC_OUTER_PAD);
    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

bool
ph_hmac_begin(struct ph_hmac *mac)
{
    return EVP_MD_CTX_copy_ex(mac->work, mac->inner) == 1;
}

bool
ph_hmac_add(struct ph_hmac *mac, struct ph_str piece)
{
    return EVP_DigestUpdate(mac->work, piece.ptr, piece.len) == 1;
}

bool
ph_hmac_end(struct ph_hmac *mac, uint8_t out[PH_SHA256_LEN])
{
    return EVP_DigestFinal_ex(mac->work, out, NULL) == 1
           && EVP_MD_CTX_copy_ex(mac->work, mac->outer) == 1
           && EVP_DigestUpdate(mac->work, out, PH_SHA256_LEN) == 1
           && EVP_DigestFinal_ex(mac->work, out, NULL) == 1;
}

bool
ph_hmac_once(struct ph_str key, const struct ph_str *pieces, size_t count,
             uint8_t out[PH_SHA256_LEN])
{
    struct ph_hmac *mac = ph_hmac_new(key);
    bool            ok  = mac != NULL && ph_hmac_begin(mac);

    for (size_t i = 0; ok && i < count; i++) {
        ok = ph_hmac_add(mac, pieces[i]);
    }
    ok = ok && ph_hmac_end(mac, out);
    ph_hmac_free(mac);
    return ok;
}

bool
ph_same_secret(struct ph_str a, struct ph_str b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
ph_shard_of(struct ph_str app_id, struct ph_str order_no, unsigned *shard)
{
    struct ph_str pieces[3] = { app_id, PH_STR("\n"), order_no };
    uint8_t       sum[PH_SHA256_LEN];

    if (!ph_sha256(pieces, PH_COUNT(pieces), sum)) {
        return false;
    }
    *shard = (unsigned) sum[0] << 2 | (unsigned) sum[1] >> 6;
    return true;
}

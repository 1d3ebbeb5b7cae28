/*
 * digest_old.c - digests by name, fetched for one use each.
 */
#include "libpayhub/wire/digest_old.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

static const char *const names[PH_OLD_DIGESTS] = {
    [PH_OLD_MD5] = "MD5",       [PH_OLD_SHA1] = "SHA1",
    [PH_OLD_SHA256] = "SHA256", [PH_OLD_SHA512] = "SHA512",
    [PH_OLD_SM3] = "SM3",
};

static bool
digest_make(const EVP_MD *md, const struct ph_str *pieces, size_t count,
            uint8_t *sum, size_t *len)
{
    EVP_MD_CTX  *ctx   = EVP_MD_CTX_new();
    unsigned int bytes = 0;
    bool         ok    = ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len) == 1;
    }
    ok   = ok && EVP_DigestFinal_ex(ctx, sum, &bytes) == 1;
    *len = bytes;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* the sum by itself: EVP_MAX_MD_SIZE is 64, as PH_OLD_DIGEST_MAX */
static bool
digest_sum(enum ph_digest_old kind, const struct ph_str *pieces, size_t count,
           uint8_t sum[EVP_MAX_MD_SIZE], size_t *len)
{
    EVP_MD *md = EVP_MD_fetch(NULL, names[kind], NULL);
    bool    ok = md != NULL && digest_make(md, pieces, count, sum, len);

    EVP_MD_free(md);
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

bool
ph_digest_raw(enum ph_digest_old kind, const struct ph_str *pieces,
              size_t count, struct ph_buf *out)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    size_t  len = 0;

    if (!digest_sum(kind, pieces, count, sum, &len)) {
        return false;
    }
    ph_buf_add(out, ph_str_make((const char *) sum, len));
    return !out->full;
}

bool
ph_digest_hex(enum ph_digest_old kind, const struct ph_str *pieces,
              size_t count, struct ph_buf *out)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    size_t  len = 0;

    if (!digest_sum(kind, pieces, count, sum, &len)) {
        return false;
    }
    ph_buf_hex(out, ph_str_make((const char *) sum, len));
    return !out->full;
}

static bool
hmac_begin(EVP_MAC_CTX *ctx, const char *name, struct ph_str key)
{
    char       digest[16];
    OSSL_PARAM params[2];

    /* the interface takes no const text, though it only reads */
    memcpy(digest, name, strlen(name) + 1);
    params[0]
        = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    /* a NULL key would mean: the one from before */
    return EVP_MAC_init(ctx,
                        key.len != 0 ? (const unsigned char *) key.ptr
                                     : (const unsigned char *) "",
                        key.len, params)
           == 1;
}

static bool
hmac_end(EVP_MAC_CTX *ctx, const struct ph_str *pieces, size_t count,
         uint8_t sum[EVP_MAX_MD_SIZE], size_t *len)
{
    for (size_t i = 0; i < count; i++) {
        if (EVP_MAC_update(ctx, (const unsigned char *) pieces[i].ptr,
                           pieces[i].len)
            != 1)
        {
            return false;
        }
    }
    return EVP_MAC_final(ctx, sum, len, EVP_MAX_MD_SIZE) == 1;
}

bool
ph_hmac_raw(enum ph_digest_old kind, struct ph_str key,
            const struct ph_str *pieces, size_t count, struct ph_buf *out)
{
    uint8_t      sum[EVP_MAX_MD_SIZE];
    size_t       len = 0;
    EVP_MAC     *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    bool         ok  = ctx != NULL && hmac_begin(ctx, names[kind], key)
              && hmac_end(ctx, pieces, count, sum, &len);

    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    if (!ok) {
        ERR_clear_error();
        return false;
    }
    ph_buf_add(out, ph_str_make((const char *) sum, len));
    return !out->full;
}

/*
 * digest.c - algorithms that OpenSSL's EVP offers, and what is made of digests;
 * sha256.c has SHA-256 and HMAC themselves.
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

#include "libpayhub/wire/digest_md.h"

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

bool
ph_sha512(const struct ph_str *pieces, size_t count, uint8_t out[PH_SHA512_LEN])
{
    bool        ok  = false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert(digest_mds[PH_DIGEST_SHA512] != NULL);

    if (ctx == NULL
        || EVP_DigestInit_ex2(ctx, digest_mds[PH_DIGEST_SHA512], NULL) != 1)
    {
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

/*
 * sha256.c - SHA-256, and HMAC-SHA256 (RFC 2104) over two kept states of it,
 * one that has taken the inner pad and one that has taken the outer: a message
 * costs its own blocks and one more.
 *
 * The states are OpenSSL's SHA256_CTX, which is copied as it lies.  Its EVP
 * contexts, and EVP_MAC, allocate and wipe memory for each copy, which takes as
 * many instructions again; docs/decisions/0005-hmac-contexts.md has the
 * figures. OpenSSL 3 calls these functions deprecated: they stand in this file
 * alone.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "libpayhub/wire/digest.h"

#define HMAC_INNER_PAD 0x36
#define HMAC_OUTER_PAD 0x5c

#define SHA256_LENGTH_LEN 8 /* of a message's length, in bits */

struct ph_hmac {
    SHA256_CTX inner; /* has taken key ^ inner pad */
    SHA256_CTX outer; /* has taken key ^ outer pad */
    SHA256_CTX work;  /* the message at hand */
};

bool
ph_sha256(const struct ph_str *pieces, size_t count, uint8_t out[PH_SHA256_LEN])
{
    SHA256_CTX state;
    bool       ok = SHA256_Init(&state) == 1;

    for (size_t i = 0; ok && i < count; i++) {
        ok = SHA256_Update(&state, pieces[i].ptr, pieces[i].len) == 1;
    }
    return ok && SHA256_Final(out, &state) == 1;
}

struct ph_hmac *
ph_hmac_new(struct ph_str key)
{
    struct ph_hmac *mac = calloc(1, sizeof(*mac));

    if (mac != NULL && !ph_hmac_rekey(mac, key)) {
        ph_hmac_free(mac);
        return NULL;
    }
    return mac;
}

void
ph_hmac_free(struct ph_hmac *mac)
{
    if (mac != NULL) {
        OPENSSL_cleanse(mac, sizeof(*mac));
        free(mac);
    }
}

/* A state that has taken one block: the key's, each byte with `pad`. */
static bool
hmac_take_pad(SHA256_CTX *state, const uint8_t key[SHA256_CBLOCK], uint8_t pad)
{
    uint8_t block[SHA256_CBLOCK];

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = key[i] ^ pad;
    }
    bool ok = SHA256_Init(state) == 1
              && SHA256_Update(state, block, sizeof(block)) == 1;

    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

bool
ph_hmac_rekey(struct ph_hmac *mac, struct ph_str key)
{
    uint8_t block[SHA256_CBLOCK] = { 0 };
    bool    ok                   = true;

    if (key.len > sizeof(block)) {
        ok = ph_sha256(&key, 1, block);
    } else if (key.len != 0) {
        memcpy(block, key.ptr, key.len);
    }
    ok = ok && hmac_take_pad(&mac->inner, block, HMAC_INNER_PAD)
         && hmac_take_pad(&mac->outer, block, HMAC_OUTER_PAD);
    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

bool
ph_hmac_begin(struct ph_hmac *mac)
{
    mac->work = mac->inner;
    return true;
}

bool
ph_hmac_add(struct ph_hmac *mac, struct ph_str piece)
{
    return SHA256_Update(&mac->work, piece.ptr, piece.len) == 1;
}

static void
sha256_sum(const SHA256_CTX *state, uint8_t out[PH_SHA256_LEN])
{
    for (size_t i = 0; i < PH_COUNT(state->h); i++) {
        uint32_t word = state->h[i];

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap32(word);
#endif
        memcpy(out + 4 * i, &word, sizeof(word));
    }
}

/* FIPS 180-4, 5.1.1: one bit, zeros, the length; `pad` of 1 to 64 bytes makes
 * whole blocks of a message of `len` and the length's eight. */
static size_t
sha256_pad_len(size_t len)
{
    return SHA256_CBLOCK - (len + SHA256_LENGTH_LEN) % SHA256_CBLOCK;
}

static void
sha256_pad(uint8_t *at, size_t pad, uint64_t bits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    memset(at, 0, pad);
    *at = 0x80;
    memcpy(at + pad, &bits, sizeof(bits));
}

/* `sum` is the inner hash. */
static bool
hmac_outer(struct ph_hmac *mac, uint8_t sum[SHA256_CBLOCK],
           uint8_t out[PH_SHA256_LEN])
{
    sha256_pad(sum + PH_SHA256_LEN, sha256_pad_len(PH_SHA256_LEN),
               (SHA256_CBLOCK + PH_SHA256_LEN) * 8);
    mac->work = mac->outer;
    if (SHA256_Update(&mac->work, sum, SHA256_CBLOCK) != 1) {
        return false;
    }
    sha256_sum(&mac->work, out);
    return true;
}

bool
ph_hmac_end(struct ph_hmac *mac, uint8_t out[PH_SHA256_LEN])
{
    uint8_t sum[SHA256_CBLOCK];

    return SHA256_Final(sum, &mac->work) == 1 && hmac_outer(mac, sum, out);
}

bool
ph_hmac_buf(struct ph_hmac *mac, struct ph_buf *message,
            uint8_t out[PH_SHA256_LEN])
{
    uint8_t  sum[SHA256_CBLOCK];
    size_t   pad  = sha256_pad_len(message->len);
    uint64_t bits = ((uint64_t) message->len + SHA256_CBLOCK) * 8;
    char    *at   = ph_buf_reserve(message, pad + SHA256_LENGTH_LEN);

    if (at == NULL) {
        return false;
    }
    sha256_pad((uint8_t *) at, pad, bits);
    mac->work = mac->inner;
    if (SHA256_Update(&mac->work, message->ptr, message->len) != 1) {
        return false;
    }
    sha256_sum(&mac->work, sum);
    return hmac_outer(mac, sum, out);
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

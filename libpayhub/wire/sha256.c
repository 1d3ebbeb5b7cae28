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

/* what the outer hash has taken at its end: the pad's block and a digest */
#define HMAC_OUTER_BITS ((SHA256_CBLOCK + PH_SHA256_LEN) * 8)

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

/* The outer hash has one block left: the digest, padded as FIPS 180 says. */
bool
ph_hmac_end(struct ph_hmac *mac, uint8_t out[PH_SHA256_LEN])
{
    uint8_t block[SHA256_CBLOCK]
        = { [PH_SHA256_LEN]     = 0x80,
            [SHA256_CBLOCK - 2] = (uint8_t) (HMAC_OUTER_BITS >> 8),
            [SHA256_CBLOCK - 1] = (uint8_t) (HMAC_OUTER_BITS & 0xff) };

    if (SHA256_Final(block, &mac->work) != 1) {
        return false;
    }
    mac->work = mac->outer;
    if (SHA256_Update(&mac->work, block, sizeof(block)) != 1) {
        return false;
    }
    for (size_t i = 0; i < PH_COUNT(mac->work.h); i++) {
        uint32_t word = mac->work.h[i];

        out[4 * i]     = (uint8_t) (word >> 24);
        out[4 * i + 1] = (uint8_t) (word >> 16);
        out[4 * i + 2] = (uint8_t) (word >> 8);
        out[4 * i + 3] = (uint8_t) word;
    }
    return true;
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

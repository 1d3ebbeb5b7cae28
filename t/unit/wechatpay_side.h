/*
 * wechatpay_side.h - WeChat's side for the tests of its adapter: the keys of
 * t/data/vectors, what it signs and seals.  Made by OpenSSL alone, so that a
 * fault of ours does not hide itself.
 */
#ifndef T_WECHATPAY_SIDE_H
#define T_WECHATPAY_SIDE_H

#include "t/unit/support.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "channels/exchange.h"

static char            text_memory[1024 * 1024]; /* of the program */
static struct ph_arena texts;

/* ---- files ---- */

/* of the folder PAYHUB_VECTORS where it has the file, else of ours */
static inline struct ph_str
vector_file(const char *name)
{
    static char path[4096];
    const char *given = getenv("PAYHUB_VECTORS");

    (void) snprintf(path, sizeof(path), "%s/%s", given != NULL ? given : "",
                    name);
    if (given == NULL || access(path, F_OK) != 0) {
        (void) snprintf(path, sizeof(path), "t/data/vectors/%s", name);
    }
    return ph_arena_dup(&texts, t_file(path));
}

static inline struct ph_str
key_file(const char *name)
{
    char path[128];

    (void) snprintf(path, sizeof(path), "keys/wechat/%s", name);
    return vector_file(path);
}

static inline EVP_PKEY *
private_key(const char *name)
{
    static struct {
        char      name[64];
        EVP_PKEY *key;
    } known[8];
    size_t at = 0;

    while (known[at].key != NULL && strcmp(known[at].name, name) != 0) {
        at++;
    }
    if (known[at].key == NULL) {
        struct ph_str text = key_file(name);
        BIO          *bio  = BIO_new_mem_buf(text.ptr, (int) text.len);

        (void) snprintf(known[at].name, sizeof(known[at].name), "%s", name);
        known[at].key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        assert_non_null(known[at].key);
    }
    return known[at].key;
}

/* ---- messages ---- */

static inline struct ph_str
base64(const unsigned char *bytes, size_t len)
{
    char *text = ph_arena_take(&texts, (len + 2) / 3 * 4 + 1);

    assert_non_null(text);
    return ph_str_make(text, (size_t) EVP_EncodeBlock((unsigned char *) text,
                                                      bytes, (int) len));
}

static inline struct ph_str
signature_of(const char *key, uint64_t at_s, const char *nonce,
             struct ph_str body)
{
    unsigned char raw[1024];
    size_t        len = sizeof(raw);
    char          head[256];
    EVP_MD_CTX   *ctx      = EVP_MD_CTX_new();
    int           head_len = snprintf(head, sizeof(head), "%llu\n%s\n",
                                      (unsigned long long) at_s, nonce);

    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, private_key(key)), 1);
    assert_int_equal(EVP_DigestSignUpdate(ctx, head, (size_t) head_len), 1);
    assert_int_equal(EVP_DigestSignUpdate(ctx, body.ptr, body.len), 1);
    assert_int_equal(EVP_DigestSignUpdate(ctx, "\n", 1), 1);
    assert_int_equal(EVP_DigestSignFinal(ctx, raw, &len), 1);
    EVP_MD_CTX_free(ctx);
    return base64(raw, len);
}

/* the headers of one message of WeChat's; a test changes what it likes */
struct wire {
    struct ph_channel_header headers[8];
    size_t                   count;
};

enum { H_TIME, H_NONCE, H_SERIAL, H_SIGNATURE, H_TYPE };

static inline void
wire_make(struct wire *wire, const char *serial, const char *key, uint64_t at_s,
          struct ph_str body)
{
    static const char nonce[] = "c5ac7061fccab6bf3e254dcf98995b8c";
    char              at[24];

    (void) snprintf(at, sizeof(at), "%llu", (unsigned long long) at_s);
    *wire = (struct wire){
        .headers = {
            [H_TIME] = { PH_STR("Wechatpay-Timestamp"),
                         ph_arena_dup(&texts, ph_str_z(at)) },
            [H_NONCE] = { PH_STR("wechatpay-nonce"), ph_str_z(nonce) },
            [H_SERIAL] = { PH_STR("Wechatpay-Serial"), ph_str_z(serial) },
            [H_SIGNATURE] = { PH_STR("Wechatpay-Signature"),
                              signature_of(key, at_s, nonce, body) },
            [H_TYPE] = { PH_STR("Wechatpay-Signature-Type"),
                         PH_STR("WECHATPAY2-SHA256-RSA2048") },
        },
        .count = 5,
    };
}

/* AEAD_AES_256_GCM: base64 of text and tag */
static inline struct ph_str
sealed_of(const char *key, const char *nonce, const char *aad,
          struct ph_str plain)
{
    unsigned char  *text = ph_arena_take(&texts, plain.len + 16);
    int             len = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    assert_non_null(text);
    assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                                        (const unsigned char *) key,
                                        (const unsigned char *) nonce),
                     1);
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &len,
                                       (const unsigned char *) aad,
                                       (int) strlen(aad)),
                     1);
    assert_int_equal(EVP_EncryptUpdate(ctx, text, &len,
                                       (const unsigned char *) plain.ptr,
                                       (int) plain.len),
                     1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, text + len, &rest), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, text + plain.len),
        1);
    EVP_CIPHER_CTX_free(ctx);
    return base64(text, plain.len + 16);
}

#endif

/*
 * channel_alipay.h - what the tests of Alipay's adapter share: accounts in both
 * modes by the keys of t/data/vectors, and answers and notices that are signed
 * by libcrypto directly, so that a fault in the adapter's own signing does not
 * hide itself.  The folder PAYHUB_VECTORS is looked into first.
 */
#ifndef T_CHANNEL_ALIPAY_H
#define T_CHANNEL_ALIPAY_H

#include "t/unit/support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "channels/alipay/alipay.h"
#include "channels/alipay/alipay_int.h"
#include "channels/fields.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define T_APP_ID "2021000122671080"
#define T_SELLER "2088101106499364"
#define T_AES_KEY "dfD8f690gQuRBLmdPjOWjg=="
/* within the dates of the certificates: 2026-11-24 00:00:00 UTC */
#define T_NOW_MS UINT64_C(1795478400000)
#define T_GATEWAY "https://openapi.example.com/gateway.do"

static _Alignas(16) char t_memory[1024 * 1024];
static struct ph_arena t_arena;

static inline const char *
t_vector_path(const char *name)
{
    static char path[4096];
    const char *given = getenv("PAYHUB_VECTORS");

    (void) snprintf(path, sizeof(path), "%s/%s", given != NULL ? given : "",
                    name);
    if (given == NULL || access(path, F_OK) != 0) {
        (void) snprintf(path, sizeof(path), "t/data/vectors/%s", name);
    }
    return path;
}

/* a key or certificate of one side; lives as long as the program */
static inline struct ph_str
t_key(const char *name)
{
    static char   memory[64 * 1024];
    static size_t used;
    char          path[128];

    (void) snprintf(path, sizeof(path), "keys/alipay/%s", name);
    struct ph_str text = t_file(t_vector_path(path));
    assert_true(text.len < sizeof(memory) - used);
    memcpy(memory + used, text.ptr, text.len);
    used += text.len;
    return ph_str_make(memory + used - text.len, text.len);
}

enum t_mode { T_PUBLIC, T_CERT };

/* Not opened yet: a test may change values before. */
static inline struct ph_channel_account
t_values(enum t_mode mode)
{
    static struct ph_str app_key, platform_key, app_cert, alipay_cert, roots;
    struct ph_channel_account account
        = { .id = PH_STR("acc"), .channel = &ph_channel_alipay };

    if (app_key.ptr == NULL) {
        app_key      = t_key("app_pkcs8.pem");
        platform_key = t_key("platform_public.pem");
        app_cert     = t_key("appCertPublicKey.crt");
        alipay_cert  = t_key("alipayCertPublicKey.crt");
        roots        = t_key("alipayRootCert.crt");
    }
    account.values[ALIPAY_GATEWAY_URL]     = PH_STR(T_GATEWAY);
    account.values[ALIPAY_APP_ID]          = PH_STR(T_APP_ID);
    account.values[ALIPAY_SELLER_ID]       = PH_STR(T_SELLER);
    account.values[ALIPAY_APP_PRIVATE_KEY] = app_key;
    if (mode == T_CERT) {
        account.values[ALIPAY_APP_CERT]  = app_cert;
        account.values[ALIPAY_CERT]      = alipay_cert;
        account.values[ALIPAY_ROOT_CERT] = roots;
    } else {
        account.values[ALIPAY_PUBLIC_KEY] = platform_key;
    }
    return account;
}

/* Opened, or the test fails with the reason. */
static inline void
t_open(struct ph_channel_account *account)
{
    const struct ph_channel_env env = { NULL };
    const char                 *why = NULL;

    ph_arena_init(&t_arena, t_memory, sizeof(t_memory));
    if (!ph_channel_account_open(account, &env, T_NOW_MS, &t_arena, &why)) {
        fail_msg("%s", why);
    }
}

static inline void
t_arena_fresh(void)
{
    ph_arena_init(&t_arena, t_memory, sizeof(t_memory));
}

/* base64 of RSASSA-PKCS1-v1_5 over SHA-256 by one of the key files */
static inline const char *
t_sign(const char *key_file, struct ph_str text)
{
    static char   out[512];
    unsigned char raw[512];
    size_t        len = sizeof(raw);
    struct ph_str pem = t_file(t_vector_path(key_file));
    BIO          *bio = BIO_new_mem_buf(pem.ptr, (int) pem.len);
    EVP_PKEY     *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_MD_CTX   *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &len,
                                    (const unsigned char *) text.ptr, text.len),
                     1);
    EVP_EncodeBlock((unsigned char *) out, raw, (int) len);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return out;
}

#define T_PLATFORM "keys/alipay/platform_pkcs8.pem"
#define T_APP "keys/alipay/app_pkcs8.pem"

static inline bool
t_is(struct ph_str text, const char *want)
{
    return ph_str_eq(text, ph_str_z(want));
}

#endif

/*
 * channel_unionpay.h - what the tests of the unionpay adapter share: accounts
 * of the vectors' keys, an order, and messages that UnionPay's side signs with
 * OpenSSL alone, so that a fault in the adapter's own signing does not hide
 * itself.
 */
#ifndef T_CHANNEL_UNIONPAY_H
#define T_CHANNEL_UNIONPAY_H

#include "t/unit/support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channels/fields.h"
#include "channels/unionpay/union_int.h"
#include "channels/unionpay/unionpay.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define KEYS "t/data/vectors/keys/unionpay/"
#define NOW_MS (UINT64_C(1795478400) * 1000) /* 2026-11-24 00:00:00 UTC */
#define TRADE_MS UINT64_C(1795400430000)     /* 2026-11-23 10:20:30 Beijing */
#define MER_ID "777290058110048"
#define GATEWAY "https://127.0.0.1:9/gateway/api/"

static char            memory[1024 * 1024];
static struct ph_arena arena;

/* A file's bytes that stay for the whole run. */
static inline struct ph_str
kept_file(const char *path)
{
    static char   room[256 * 1024];
    static size_t used;
    struct ph_str file = t_file(path);

    assert_true(used + file.len <= sizeof(room));
    memcpy(room + used, file.ptr, file.len);
    used += file.len;
    return ph_str_make(room + used - file.len, file.len);
}

/* the same in base64 */
static inline struct ph_str
kept_b64(const char *path)
{
    static char   room[4][16 * 1024];
    static size_t used;
    struct ph_str file = t_file(path);
    struct ph_buf buf;

    assert_true(used < PH_COUNT(room));
    ph_buf_init(&buf, room[used], sizeof(room[used]));
    used++;
    ph_b64_encode(&buf, file);
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static inline struct ph_channel_account
pem_account(void)
{
    static struct ph_str files[4];

    if (files[0].ptr == NULL) {
        files[0] = kept_file(KEYS "merchant.cer");
        files[1] = kept_file(KEYS "merchant_pkcs8.pem");
        files[2] = kept_file(KEYS "root.cer");
        files[3] = kept_file(KEYS "middle.cer");
    }
    return (struct ph_channel_account){
        .id      = PH_STR_INIT("acc"),
        .channel = &ph_channel_unionpay,
        .values  = {
            [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
            [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
            [UNION_SIGN_CERT]   = files[0],
            [UNION_SIGN_KEY]    = files[1],
            [UNION_ROOT_CERT]   = files[2],
            [UNION_MIDDLE_CERT] = files[3],
        },
    };
}

/* Opens it, or fails the test with the reason. */
static inline void
account_open(struct ph_channel_account *account)
{
    const char *why = NULL;

    if (!ph_channel_account_open(account, NULL, NOW_MS, &arena, &why)) {
        fail_msg("%s", why);
    }
}

/* Why it is not opened; NULL when it is. */
static inline const char *
account_why(struct ph_channel_account account)
{
    const char *why = NULL;

    if (ph_channel_account_open(&account, NULL, NOW_MS, &arena, &why)) {
        ph_channel_account_close(&account);
        return NULL;
    }
    assert_non_null(why);
    return why;
}

static inline EVP_PKEY *
private_of(const char *path)
{
    FILE     *file = fopen(path, "rb");
    EVP_PKEY *key;

    assert_non_null(file);
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void) fclose(file);
    assert_non_null(key);
    return key;
}

/* --- what UnionPay tells -------------------------------------------------- */

#define SECRET "979da4cfccbae7923641daa5dd7047c2"

struct told {
    const char *name;
    const char *value;
};

static struct told told[UNION_PAIRS_MAX];
static size_t      told_count;

/* NULL takes the name out. */
static inline void
tell(const char *name, const char *value)
{
    size_t i = 0;

    while (i < told_count && strcmp(told[i].name, name) != 0) {
        i++;
    }
    if (value == NULL) {
        if (i < told_count) {
            told[i] = told[--told_count];
        }
        return;
    }
    assert_true(i < UNION_PAIRS_MAX);
    told[i]    = (struct told){ name, value };
    told_count = i < told_count ? told_count : i + 1;
}

static inline int
told_order(const void *a, const void *b)
{
    return strcmp(((const struct told *) a)->name,
                  ((const struct told *) b)->name);
}

/* k=v&k=v of what is told, sorted, without signature and empty ones */
static inline size_t
told_text(char *text, size_t size)
{
    struct told sorted[UNION_PAIRS_MAX];
    size_t      len = 0;

    memcpy(sorted, told, told_count * sizeof(*told));
    qsort(sorted, told_count, sizeof(*sorted), told_order);
    for (size_t i = 0; i < told_count; i++) {
        if (sorted[i].value[0] != '\0'
            && strcmp(sorted[i].name, "signature") != 0) {
            len += (size_t) snprintf(text + len, size - len, "%s%s=%s",
                                     len == 0 ? "" : "&", sorted[i].name,
                                     sorted[i].value);
            assert_true(len < size);
        }
    }
    return len;
}

static inline void
hex_of(const EVP_MD *md, const char *text, size_t len, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned      sum_len = 0;

    assert_int_equal(EVP_Digest(text, len, sum, &sum_len, md, NULL), 1);
    for (unsigned i = 0; i < sum_len; i++) {
        (void) snprintf(hex + 2 * (size_t) i, 3, "%02x", sum[i]);
    }
}

/* by method 01: key = a PEM file of KEYS */
static inline void
told_sign(const char *key_file)
{
    static char   signature[1024];
    static char   text[16 * 1024];
    char          hex[65];
    unsigned char raw[512];
    size_t        raw_len = sizeof(raw);
    EVP_PKEY     *key     = private_of(key_file);
    EVP_MD_CTX   *ctx     = EVP_MD_CTX_new();

    hex_of(EVP_sha256(), text, told_text(text, sizeof(text)), hex);
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(ctx, raw, &raw_len, (unsigned char *) hex, 64), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    (void) EVP_EncodeBlock((unsigned char *) signature, raw, (int) raw_len);
    tell("signature", signature);
}

/* by method 11 or 12 with SECRET */
static inline void
told_hash(const EVP_MD *md)
{
    static char signature[65], text[16 * 1024];
    char        hex[65];
    size_t      len = told_text(text, sizeof(text));

    hex_of(md, SECRET, strlen(SECRET), hex);
    len += (size_t) snprintf(text + len, sizeof(text) - len, "&%s", hex);
    hex_of(md, text, len, signature);
    tell("signature", signature);
}

/* The message as an answer; lives until the next one. */
static inline struct ph_str
told_answer(void)
{
    static char body[128 * 1024];
    size_t      len = 0;

    for (size_t i = 0; i < told_count; i++) {
        len += (size_t) snprintf(body + len, sizeof(body) - len, "%s%s=%s",
                                 i == 0 ? "" : "&", told[i].name,
                                 told[i].value);
        assert_true(len < sizeof(body));
    }
    return ph_str_make(body, len);
}

/* and as a notice */
static inline struct ph_str
told_form(void)
{
    static char body[192 * 1024];
    size_t      len = 0;

    for (size_t i = 0; i < told_count; i++) {
        len += (size_t) snprintf(body + len, sizeof(body) - len,
                                 "%s%s=", i == 0 ? "" : "&", told[i].name);
        for (const char *at = told[i].value; *at != '\0'; at++) {
            len += (size_t) snprintf(body + len, sizeof(body) - len, "%%%02X",
                                     (unsigned char) *at);
            assert_true(len < sizeof(body));
        }
    }
    return ph_str_make(body, len);
}

#endif

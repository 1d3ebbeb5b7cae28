/*
 * channel_unionpay_told.h - messages that UnionPay's side signs with OpenSSL
 * alone, so that a fault in the adapter's own signing does not hide itself.
 */
#ifndef T_CHANNEL_UNIONPAY_TOLD_H
#define T_CHANNEL_UNIONPAY_TOLD_H

#include "t/unit/channel_unionpay.h"

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

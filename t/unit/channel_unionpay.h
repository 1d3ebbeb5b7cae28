/*
 * channel_unionpay.h - what the tests of the unionpay adapter share: accounts
 * of the vectors' keys.
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
#define TIMEOUT_MS (TRADE_MS + 900000)       /* 10:35:30 */
#define MER_ID "777290058110048"
#define SECRET "979da4cfccbae7923641daa5dd7047c2"
#define ATTEMPT "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define QUERY_ID "822611231020301234567"
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

/* with a shared key; method NULL = 11 */
static inline struct ph_channel_account
secret_account(const char *method)
{
    return (struct ph_channel_account){
        .id      = PH_STR_INIT("acc"),
        .channel = &ph_channel_unionpay,
        .values  = { [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
                     [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
                     [UNION_SECURE_KEY]  = PH_STR_INIT(SECRET),
                     [UNION_SIGN_METHOD] = ph_str_z(method) },
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

#endif

/*
 * channel_sandbox.h - what the tests of the sandbox adapter share: an account,
 * an order, and answers that are signed by hand, so that a fault in the
 * adapter's own signing does not hide itself.
 */
#ifndef T_CHANNEL_SANDBOX_H
#define T_CHANNEL_SANDBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "channels/channel.h"
#include "channels/fields.h"
#include "channels/sandbox/message.h"
#include "libpayhub/wire/digest.h"

#define NOW_MS UINT64_C(1767322800123) /* 2026-01-02T03:00:00.123Z */
#define NOW_TEXT "1767322800"
#define KEY "0123456789abcdef0123456789abcdef"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"

static char                     memory[256 * 1024];
static struct ph_arena          arena;
static const struct ph_channel *channel;

static struct ph_channel_account account = {
    .id     = PH_STR_INIT("acc"),
    .values = { PH_STR_INIT("https://127.0.0.1:9/base/"), PH_STR_INIT(KEY) },
};

static const struct ph_channel_order order = {
    .attempt_id    = PH_STR_INIT(NUMBER),
    .method        = PH_STR_INIT("sandbox_bar"),
    .amount        = 999999999999999,
    .currency      = PH_STR_INIT("CNY"),
    .subject       = PH_STR_INIT("a \"quoted\"\n\xe8\x8c\xb6"),
    .notify_url    = PH_STR_INIT("http://127.0.0.1/notify/sandbox/acc"),
    .extra         = PH_STR_INIT("{\"auth_code\":\"28763443825664394\"}"),
    .expires_at_ms = NOW_MS + 7200000,
    .refund_id     = PH_STR_INIT(REFUND),
    .refund_amount = 700,
    .refund_reason = PH_STR_INIT("too \"hot\""),
};

static inline int
setup(void **state)
{
    const char *why = "";

    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    channel = ph_channel_find(PH_STR("sandbox"));
    assert_non_null(channel);
    account.channel = channel;
    assert_true(ph_channel_account_open(&account, NULL, NOW_MS, &arena, &why));
    return 0;
}

static inline int
teardown(void **state)
{
    (void) state;
    ph_channel_account_close(&account);
    return 0;
}

/* base64 of HMAC-SHA256(KEY, "timestamp LF body LF") by OpenSSL alone */
static inline const char *
signature(const char *timestamp, const char *body)
{
    static char   text[64];
    static char   signed_text[200 * 1024];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned      mac_len = 0;
    int len = snprintf(signed_text, sizeof(signed_text), "%s\n%s\n", timestamp,
                       body);

    assert_true(len > 0 && (size_t) len < sizeof(signed_text));
    assert_non_null(HMAC(EVP_sha256(), KEY, (int) strlen(KEY),
                         (const unsigned char *) signed_text, (size_t) len, mac,
                         &mac_len));
    EVP_EncodeBlock((unsigned char *) text, mac, (int) mac_len);
    return text;
}

static inline struct ph_channel_call
call_of(enum ph_channel_op op)
{
    static uint8_t state[PH_CHANNEL_STATE_MAX];
    static uint8_t random[32];

    return (struct ph_channel_call){
        .op      = op,
        .account = &account,
        .order   = &order,
        .arena   = &arena,
        .now_ms  = NOW_MS,
        .random  = random,
        .state   = state,
    };
}

static inline struct ph_channel_result
answer(enum ph_channel_op op, unsigned status, const char *timestamp,
       const char *sign, const char *body)
{
    struct ph_channel_call   call      = call_of(op);
    struct ph_channel_out    out       = { 0 };
    struct ph_channel_header headers[] = {
        { PH_STR("content-type"), PH_STR("application/json") },
        { PH_STR("sandbox-timestamp"), ph_str_z(timestamp) },
        { PH_STR("SANDBOX-SIGNATURE"), ph_str_z(sign) },
    };
    struct ph_channel_reply reply = {
        .status       = status,
        .body         = ph_str_z(body),
        .headers      = headers,
        .header_count = PH_COUNT(headers),
    };

    call.step = 1;
    assert_int_equal(channel->step(&call, &reply, &out), PH_STEP_DONE);
    return out.result;
}

static inline struct ph_channel_result
signed_answer(enum ph_channel_op op, unsigned status, const char *body)
{
    return answer(op, status, NOW_TEXT, signature(NOW_TEXT, body), body);
}

static inline bool
is(struct ph_str text, const char *want)
{
    return ph_str_eq(text, ph_str_z(want));
}

static inline int
begin(void **state)
{
    (void) state;
    return ph_digest_init() ? 0 : -1;
}

static inline int
end(void **state)
{
    (void) state;
    ph_digest_deinit();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown((name), setup, teardown)

#endif

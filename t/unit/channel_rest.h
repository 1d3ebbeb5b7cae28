/*
 * channel_rest.h - what the tests of adapters without signatures on their
 * answers share: one account, one order, and steps that are answered by hand.
 */
#ifndef T_CHANNEL_REST_H
#define T_CHANNEL_REST_H

#include "t/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channel.h"
#include "channels/codes.h"
#include "channels/fields.h"
#include "channels/pick.h"
#include "libpayhub/base/money.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/form.h"

#define ATTEMPT "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define OTHER "A0K1M2N3P4Q7Z0123456789ABCX"
#define NOW_MS UINT64_C(1795500000000) /* 2026-11-24 */
#define HOUR_MS UINT64_C(3600000)

static char                      memory[1024 * 1024];
static struct ph_arena           arena;
static char                      account_memory[64 * 1024];
static struct ph_channel_account account;
static struct ph_channel_kept    kept;
static struct ph_channel_order   order;
static struct ph_channel_call    call;
static struct ph_channel_out     out;
static uint8_t                   kept_state[PH_CHANNEL_STATE_MAX];
static uint8_t                   salt[32];
static const struct ph_channel  *channel;

/* an order of 10.50 USD that was made just now */
static inline void
order_reset(const char *method)
{
    order = (struct ph_channel_order){ .attempt_id    = PH_STR(ATTEMPT),
                                       .method        = ph_str_z(method),
                                       .amount        = 1050,
                                       .currency      = PH_STR("USD"),
                                       .subject       = PH_STR("two cups"),
                                       .notify_url    = PH_STR("https://p/n"),
                                       .expires_at_ms = NOW_MS + 2 * HOUR_MS,
                                       .refund_id     = PH_STR(REFUND),
                                       .refund_amount = 700,
                                       .attempt_ms    = NOW_MS - 1000,
                                       .refund_ms     = NOW_MS - 1000 };
}

/* NULL, or why the account is refused */
static inline const char *
account_set(const struct ph_str *values, size_t count,
            const struct ph_channel_env *env)
{
    static struct ph_arena why_arena;
    const char            *why = NULL;

    ph_channel_account_close(&account);
    ph_arena_init(&why_arena, account_memory, sizeof(account_memory));
    account = (struct ph_channel_account){ .id      = PH_STR("acc"),
                                           .channel = channel };
    for (size_t i = 0; i < count; i++) {
        account.values[i] = values[i];
    }
    if (kept.value.len != 0) {
        account.kept = &kept;
    }
    return ph_channel_account_open(&account, env, NOW_MS, &why_arena, &why)
               ? NULL
               : why;
}

/* the first step of an operation, with what the row keeps */
static inline enum ph_channel_step
begin(enum ph_channel_op op)
{
    const size_t state_len = call.state_len;

    ph_arena_init(&arena, memory, sizeof(memory));
    call = (struct ph_channel_call){ .op        = op,
                                     .account   = &account,
                                     .order     = &order,
                                     .arena     = &arena,
                                     .now_ms    = NOW_MS,
                                     .random    = salt,
                                     .state     = kept_state,
                                     .state_len = state_len };
    out  = (struct ph_channel_out){ 0 };
    return channel->step(&call, NULL, &out);
}

static inline void
state_forget(void)
{
    call.state_len = 0;
    memset(kept_state, 0xee, sizeof(kept_state));
}

static inline enum ph_channel_step
answer_with(unsigned status, struct ph_str body,
            const struct ph_channel_header *headers, size_t count)
{
    const struct ph_channel_reply reply = { .status       = status,
                                            .body         = body,
                                            .headers      = headers,
                                            .header_count = count };

    call.step++;
    out = (struct ph_channel_out){ 0 };
    return channel->step(&call, &reply, &out);
}

static inline enum ph_channel_step
answer(unsigned status, const char *body)
{
    return answer_with(status, ph_str_z(body), NULL, 0);
}

/* `count` times `piece` between head and tail; lives until the next call */
static inline struct ph_str
long_text(const char *head, const char *piece, size_t count, const char *tail)
{
    static char   text[11 * 1024 * 1024];
    struct ph_buf buf = PH_BUF_INIT(text);

    ph_buf_add(&buf, ph_str_z(head));
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(&buf, ph_str_z(piece));
    }
    ph_buf_add(&buf, ph_str_z(tail));
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

/* ---- what was asked ---- */

static inline void
same_text(struct ph_str got, const char *want)
{
    t_same(got, ph_str_z(want));
}

static inline struct ph_str
header_of(const char *name)
{
    return ph_channel_header(out.request.headers, out.request.header_count,
                             ph_str_z(name));
}

static inline void
asked(const char *method, const char *url, const char *key_header,
      const char *key)
{
    same_text(out.request.method, method);
    same_text(out.request.url, url);
    same_text(header_of(key_header), key);
}

static inline bool
holds(struct ph_str text, const char *part)
{
    return text.len >= strlen(part)
           && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* ---- what it proved ---- */

static inline void
proves(enum ph_result_class class, const char *error_class)
{
    if (out.result.class != class
        || !ph_str_eq(out.result.error_class, ph_str_z(error_class)))
    {
        fail_msg("found %d %.*s, expected %d %s", (int) out.result.class,
                 (int) out.result.error_class.len, out.result.error_class.ptr,
                 (int) class, error_class);
    }
}

static inline int
group_begin(void **state)
{
    (void) state;
    return ph_digest_init() ? 0 : -1;
}

static inline int
group_end(void **state)
{
    (void) state;
    ph_channel_account_close(&account);
    ph_digest_deinit();
    return 0;
}

#endif

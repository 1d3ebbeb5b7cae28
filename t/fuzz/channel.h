/*
 * channel.h - what the targets of channels share: files of t/data, an account,
 * one operation whose answers are the input.
 */
#ifndef T_FUZZ_CHANNEL_H
#define T_FUZZ_CHANNEL_H

#include <stdio.h>
#include <string.h>

#include "channels/channel.h"
#include "channels/codes.h"
#include "channels/fields.h"
#include "libpayhub/wire/digest.h"
#include "t/fuzz/fuzz.h"

#define FUZZ_NOW_MS UINT64_C(1795500000000) /* 2026-11-24 */
#define FUZZ_ROOM (1024 * 1024)
#define FUZZ_ATTEMPT "A0K1M2N3P4Q7Z0123456789ABCD"
#define FUZZ_REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define FUZZ_NEXT 0x1e /* divides the answers of one operation */

static char            fuzz_room[FUZZ_ROOM] __attribute__((aligned(16)));
static struct ph_arena fuzz_arena;
static unsigned        fuzz_answers; /* that the last operation read */

/* of the tree; lives as long as the program */
static inline struct ph_str
fuzz_file(const char *path)
{
    static char   memory[256 * 1024];
    static size_t used;
    FILE         *file = fopen(path, "rb");

    FUZZ_HOLDS(file != NULL);
    size_t len = fread(memory + used, 1, sizeof(memory) - used, file);
    FUZZ_HOLDS(len > 0 && len < sizeof(memory) - used);
    (void) fclose(file);
    used += len;
    return ph_str_make(memory + used - len, len);
}

static inline struct ph_str
fuzz_key(const char *name)
{
    char path[128];

    (void) snprintf(path, sizeof(path), "t/data/vectors/keys/%s", name);
    return fuzz_file(path);
}

static inline void
fuzz_open(struct ph_channel_account *account, const struct ph_channel *channel)
{
    const char *why = NULL;

    FUZZ_HOLDS(ph_digest_init());
    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    account->id      = PH_STR("acc");
    account->channel = channel;
    if (!ph_channel_account_open(account, NULL, FUZZ_NOW_MS, &fuzz_arena, &why))
    {
        (void) fprintf(stderr, "fuzz: %s\n", why);
        abort();
    }
}

static inline void
fuzz_order(struct ph_channel_order *order, const char *method,
           const char *currency)
{
    *order = (struct ph_channel_order){
        .attempt_id    = PH_STR(FUZZ_ATTEMPT),
        .method        = ph_str_z(method),
        .amount        = 8888,
        .currency      = ph_str_z(currency),
        .subject       = PH_STR("tea"),
        .notify_url    = PH_STR("https://p.example/n"),
        .return_url    = PH_STR("https://p.example/r"),
        .client_ip     = PH_STR("192.0.2.1"),
        .extra         = PH_STR("{\"auth_code\":\"281234567890123456\"}"),
        .created_at_ms = FUZZ_NOW_MS - 60000,
        .expires_at_ms = FUZZ_NOW_MS + 7200000,
        .refund_id     = PH_STR(FUZZ_REFUND),
        .refund_amount = 700,
        .attempt_ms    = FUZZ_NOW_MS - 60000,
        .refund_ms     = FUZZ_NOW_MS - 30000,
    };
}

/* whatever was told: of these the core makes rows */
static inline void
fuzz_result_holds(const struct ph_channel_result *result)
{
    FUZZ_HOLDS(result->class >= PH_RESULT_UNKNOWN
               && result->class <= PH_RESULT_NOT_SENT);
    FUZZ_HOLDS(result->amount >= -1 && result->refunded_total >= -1);
    FUZZ_HOLDS(result->action >= PH_ACTION_NONE
               && result->action <= PH_ACTION_CLIENT_SECRET);
    FUZZ_HOLDS(!result->is_hint || result->class == PH_RESULT_WAIT_USER
               || result->class == PH_RESULT_UNKNOWN);
}

static inline void
fuzz_notice_holds(const struct ph_channel_notice_out *out)
{
    FUZZ_HOLDS(out->part_count <= PH_CHANNEL_PARTS_MAX);
    if (out->is_ignored) {
        return;
    }
    if (out->part_count == 0) {
        fuzz_result_holds(&out->result);
    }
    for (size_t i = 0; i < out->part_count; i++) {
        fuzz_result_holds(&out->parts[i].result);
    }
}

static inline enum ph_channel_op
fuzz_op(uint8_t byte)
{
    return (enum ph_channel_op)(1 + byte % (PH_OP_COUNT - 1));
}

static inline struct ph_channel_call
fuzz_call(const struct ph_channel_account *account,
          const struct ph_channel_order *order, enum ph_channel_op op,
          uint8_t *state)
{
    static const uint8_t random_bytes[32] = { 0x00, 0x11, 0x22, 0x33 };

    return (struct ph_channel_call){ .op      = op,
                                     .account = account,
                                     .order   = order,
                                     .arena   = &fuzz_arena,
                                     .now_ms  = FUZZ_NOW_MS,
                                     .random  = random_bytes,
                                     .state   = state };
}

static const unsigned fuzz_statuses[]
    = { 200, 201, 202, 204, 400, 401, 403, 404, 409, 422, 429, 500, 502 };

/*
 * One operation from its first step to its end; `texts` are the answers, one
 * after the other, the last for ever.  It ends within PH_CHANNEL_STEPS_MAX, and
 * what it tells is returned: out->result of DONE, UNKNOWN of all else.
 */
static inline struct ph_channel_result
fuzz_operation(const struct ph_channel_account *account,
               const struct ph_channel_order *order, enum ph_channel_op op,
               const struct ph_channel_reply *like, struct ph_str texts)
{
    uint8_t                 state[PH_CHANNEL_STATE_MAX] = { 0 };
    struct ph_channel_call  call  = fuzz_call(account, order, op, state);
    struct ph_channel_reply reply = *like;
    struct ph_channel_out   out   = { .hint = { NULL, 0 } };
    struct ph_str           rest  = texts;
    enum ph_channel_step    next;

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    fuzz_answers = 0;
    next         = account->channel->step(&call, NULL, &out);
    while (next == PH_STEP_NEED_REQUEST) {
        FUZZ_HOLDS(out.request.url.len != 0 && out.request.method.len != 0);
        FUZZ_HOLDS(out.request.header_count <= PH_CHANNEL_HEADERS_MAX);
        FUZZ_HOLDS(call.state_len <= PH_CHANNEL_STATE_MAX);
        reply.body = rest;
        if (ph_str_cut(rest, FUZZ_NEXT, &reply.body, &rest)) {
            texts = rest;
        } else {
            rest = reply.body = texts;
        }
        fuzz_answers++;
        call.step++;
        FUZZ_HOLDS(call.step <= PH_CHANNEL_STEPS_MAX);
        out  = (struct ph_channel_out){ .hint = { NULL, 0 } };
        next = account->channel->step(&call, &reply, &out);
    }
    if (next != PH_STEP_DONE) {
        return (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    }
    fuzz_result_holds(&out.result);
    return out.result;
}

#endif

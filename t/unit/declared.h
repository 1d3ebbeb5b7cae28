/*
 * declared.h - what the tests of declared channels share: files with one place
 * changed, an account, one call.
 */
#ifndef T_UNIT_DECLARED_H
#define T_UNIT_DECLARED_H

#include "t/unit/support.h"

#include <jansson.h>

#include "channels/declarative/declared.h"
#include "channels/fields.h"

#define NOW_MS UINT64_C(1795429230000) /* 2026-11-23 10:20:30 */
#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define BANK "t/data/channels/amberbank.json"

struct declared_case {
    struct ph_declared       *file;
    struct ph_channel_account account;
    struct ph_channel_order   order;
    struct ph_arena           arena;
    struct ph_channel_out     out;
    char                      why[PH_DECLARED_WHY_MAX + 1];
};

static inline json_t *
bank_json(void)
{
    struct ph_str text = t_file(BANK);
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(root);
    return root;
}

/* The file of `root`; NULL with c->why.  Takes the reference. */
static inline struct ph_declared *
file_open(struct declared_case *c, json_t *root)
{
    char         *text = json_dumps(root, JSON_COMPACT);
    struct ph_buf why;

    assert_non_null(text);
    ph_buf_init(&why, c->why, PH_DECLARED_WHY_MAX);
    c->file         = ph_declared_open(ph_str_z(text), &why);
    c->why[why.len] = '\0';
    free(text);
    json_decref(root);
    return c->file;
}

static inline void
order_set(struct declared_case *c)
{
    c->order = (struct ph_channel_order){
        .attempt_id    = PH_STR(NUMBER),
        .refund_id     = PH_STR(REFUND),
        .amount        = 8888,
        .refund_amount = 700,
        .currency      = PH_STR("CNY"),
        .subject       = PH_STR("tea"),
        .notify_url    = PH_STR("https://p.example/n"),
        .extra         = PH_STR("{\"auth_code\":\"AMB-1\"}"),
        .attempt_ms    = NOW_MS - 30000,
        .expires_at_ms = NOW_MS + 7200000,
    };
}

/* one step of one operation; `last` NULL = the first */
static inline enum ph_channel_step
op_step(struct declared_case *c, enum ph_channel_op op,
        const struct ph_channel_reply *last)
{
    static const uint8_t   random[32] = { 0x00, 0x11, 0x22, 0x33 };
    static uint8_t         state[PH_CHANNEL_STATE_MAX];
    struct ph_channel_call call = { .op      = op,
                                    .step    = last != NULL,
                                    .account = &c->account,
                                    .order   = &c->order,
                                    .arena   = &c->arena,
                                    .now_ms  = NOW_MS,
                                    .random  = random,
                                    .state   = state };

    c->out = (struct ph_channel_out){ .hint = { NULL, 0 } };
    return ph_declared_channel(c->file)->step(&call, last, &c->out);
}

#endif

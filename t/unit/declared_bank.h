/*
 * declared_bank.h - the bank of docs/channels.md with an account, and answers
 * as it would sign them.
 */
#ifndef T_UNIT_DECLARED_BANK_H
#define T_UNIT_DECLARED_BANK_H

#include "libpayhub/wire/digest.h"
#include "t/unit/declared.h"

#define BANK_ROOM (256 * 1024)
#define KEY "a key of the amber bank"

static char case_memory[BANK_ROOM] __attribute__((aligned(16)));
static char case_body[1200 * 1024];

static inline void
account_open(struct declared_case *c)
{
    const char *why = NULL;

    ph_arena_init(&c->arena, case_memory, sizeof(case_memory));
    order_set(c);
    c->order.method = PH_STR("amberbank_qr");
    c->account
        = (struct ph_channel_account){ .channel = ph_declared_channel(c->file),
                                       .values
                                       = { PH_STR("https://bank.example.com"),
                                           PH_STR("shop-7"), PH_STR(KEY) } };
    if (!ph_channel_account_open(&c->account, NULL, NOW_MS, &c->arena, &why)) {
        fail_msg("%s", why);
    }
}

static inline void
bank_open(struct declared_case *c)
{
    if (file_open(c, bank_json()) == NULL) {
        fail_msg("%s", c->why);
    }
    account_open(c);
}

static inline void
case_close(struct declared_case *c)
{
    ph_channel_account_close(&c->account);
    ph_declared_close(c->file);
}

/* the object with the bank's signature over its sorted members added */
static inline struct ph_str
signed_text(const char *text)
{
    json_t       *root = json_loads(text, 0, NULL);
    static char   joined[8192];
    struct ph_buf buf = PH_BUF_INIT(joined);
    uint8_t       mac[PH_SHA256_LEN];
    char          hex_text[80];
    struct ph_buf hex  = PH_BUF_INIT(hex_text);
    char         *dump = json_dumps(root, JSON_SORT_KEYS);
    json_t       *sorted;
    const char   *key;
    json_t       *value;

    assert_non_null(dump);
    sorted = json_loads(dump, 0, NULL);
    json_object_foreach(sorted, key, value)
    {
        ph_buf_add(&buf, buf.len != 0 ? PH_STR("&") : PH_STR(""));
        ph_buf_add(&buf, ph_str_z(key));
        ph_buf_byte(&buf, '=');
        if (json_is_integer(value)) {
            ph_buf_i64(&buf, json_integer_value(value));
        } else {
            ph_buf_add(&buf, ph_str_z(json_string_value(value)));
        }
    }
    struct ph_str message = ph_buf_str(&buf);

    assert_true(ph_hmac_once(PH_STR(KEY), &message, 1, mac));
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));
    (void) json_object_set_new(root, "sign", json_string(ph_buf_z(&hex)));
    free(dump);
    dump              = json_dumps(root, JSON_COMPACT);
    struct ph_str out = ph_str_make(case_body, strlen(dump));
    memcpy(case_body, dump, out.len);
    free(dump);
    json_decref(root);
    json_decref(sorted);
    return out;
}

#define TOLD(more)                                                             \
    "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER                       \
    "\",\"bank_no\":\"B\",\"sum\":\"88.88\",\"cur\":\"CNY\","                  \
    "\"shop\":\"shop-7\"" more "}"

static inline const struct ph_channel_result *
answer(struct declared_case *c, enum ph_channel_op op, unsigned status,
       struct ph_str text)
{
    struct ph_channel_reply reply = { .status = status, .body = text };

    ph_arena_reset(&c->arena);
    assert_int_equal(op_step(c, op, &reply), PH_STEP_DONE);
    return &c->out.result;
}

#endif

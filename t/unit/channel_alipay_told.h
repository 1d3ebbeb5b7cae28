/*
 * channel_alipay_told.h - answers that Alipay signed, put to the adapter.
 */
#ifndef T_CHANNEL_ALIPAY_TOLD_H
#define T_CHANNEL_ALIPAY_TOLD_H

#include "t/unit/channel_alipay.h"

#define TEST(name) cmocka_unit_test_setup(name, begin)
#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCE"
#define NUMBERED "\"out_trade_no\":\"" NUMBER "\""

static struct ph_channel_account plain, cert, aes;
static struct ph_channel_order   order;
static uint8_t                   state[PH_CHANNEL_STATE_MAX], random_bytes[32];
static size_t                    state_len; /* as the first step left it */

static inline int
set_up(void **unused)
{
    (void) unused;
    assert_true(ph_digest_init());
    plain                      = t_values(T_PUBLIC);
    cert                       = t_values(T_CERT);
    aes                        = t_values(T_PUBLIC);
    aes.values[ALIPAY_AES_KEY] = PH_STR(T_AES_KEY);
    t_open(&plain);
    t_open(&cert);
    t_open(&aes);
    return 0;
}

static inline int
tear_down(void **unused)
{
    (void) unused;
    ph_channel_account_close(&plain);
    ph_channel_account_close(&cert);
    ph_channel_account_close(&aes);
    ph_digest_deinit();
    return 0;
}

static inline int
begin(void **unused)
{
    (void) unused;
    t_arena_fresh();
    state_len = 0;
    order     = (struct ph_channel_order){ .attempt_id    = PH_STR(NUMBER),
                                           .method        = PH_STR("alipay_qr"),
                                           .amount        = 8888,
                                           .currency      = PH_STR("CNY"),
                                           .subject       = PH_STR("tea"),
                                           .refund_id     = PH_STR(REFUND),
                                           .refund_amount = 700,
                                           .refund_ms     = T_NOW_MS - 60000 };
    return 0;
}

/* --- signed answers ------------------------------------------------------- */

static inline const char *
member_of(enum ph_channel_op op)
{
    static char   memory[96];
    struct ph_str method = alipay_method(op, &order);

    (void) snprintf(memory, sizeof(memory), "%.*s_response", (int) method.len,
                    method.ptr);
    for (char *at = memory; *at != '\0'; at++) {
        *at = *at == '.' ? '_' : *at;
    }
    return memory;
}

/* {"MEMBER":VALUE,MORE"sign":"..."} by the platform's key */
static inline const char *
body_of(const char *member, const char *value, const char *more)
{
    static char   body[700 * 1024];
    struct ph_buf buf = PH_BUF_INIT(body);

    ph_buf_add(&buf, PH_STR("{\""));
    ph_buf_add(&buf, ph_str_z(member));
    ph_buf_add(&buf, PH_STR("\":"));
    ph_buf_add(&buf, ph_str_z(value));
    ph_buf_byte(&buf, ',');
    ph_buf_add(&buf, ph_str_z(more));
    ph_buf_add(&buf, PH_STR("\"sign\":\""));
    ph_buf_add(&buf, ph_str_z(t_sign(T_PLATFORM, ph_str_z(value))));
    ph_buf_add(&buf, PH_STR("\"}"));
    ph_buf_byte(&buf, '\0');
    assert_false(buf.full);
    return body;
}

static inline struct ph_channel_call
call_of(enum ph_channel_op op, unsigned step)
{
    return (struct ph_channel_call){ .op        = op,
                                     .step      = step,
                                     .account   = &plain,
                                     .order     = &order,
                                     .arena     = &t_arena,
                                     .now_ms    = T_NOW_MS,
                                     .random    = random_bytes,
                                     .state     = state,
                                     .state_len = state_len };
}

static struct ph_channel_out out;

static inline enum ph_channel_step
told(enum ph_channel_op op, unsigned step, unsigned status, const char *body)
{
    struct ph_channel_call        call = call_of(op, step);
    const struct ph_channel_reply reply
        = { .status = status, .body = ph_str_z(body) };

    out                       = (struct ph_channel_out){ 0 };
    enum ph_channel_step next = ph_channel_alipay.step(&call, &reply, &out);
    if (step == 1) {
        state_len = call.state_len;
    }
    return next;
}

/* the answer to the first request of `op`, signed */
static inline enum ph_channel_step
answered(enum ph_channel_op op, const char *value)
{
    return told(op, 1, 200, body_of(member_of(op), value, ""));
}

static inline void
proves(enum ph_result_class class, const char *error_class)
{
    if (out.result.class != class || !t_is(out.result.error_class, error_class))
    {
        fail_msg("found %d %.*s, expected %d %s", (int) out.result.class,
                 (int) out.result.error_class.len, out.result.error_class.ptr,
                 (int) class, error_class);
    }
}

#endif

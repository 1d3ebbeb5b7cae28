/*
 * channel_wechatpay.h - what the tests of the WeChat Pay adapter share: an
 * account with the keys of t/data/vectors, an order, and steps that are
 * answered by hand.
 */
#ifndef T_CHANNEL_WECHATPAY_H
#define T_CHANNEL_WECHATPAY_H

#include "t/unit/wechatpay_side.h"

#include "channels/codes.h"
#include "channels/fields.h"
#include "channels/wechatpay/wechatpay_int.h"
#include "libpayhub/wire/digest.h"

#define NOW_S UINT64_C(1795500000) /* 2026-11-24 */
#define NOW_MS (NOW_S * 1000)
#define DAY_S UINT64_C(86400)
#define BASE "https://api.mch.weixin.qq.com"
#define MCHID "1900009191"
#define APPID "wxd678efh567hg6787"
#define SERIAL_NO "594AD8626C49935DA207AE268186B30198A6C39F"
#define SERIAL_1 "5260894F69C0D37B6E8D6136B6CFC5AFD3893904"
#define SERIAL_2 "530DCFC294199B439DBC6D5695D334F11B079DB9"
#define PUBLIC_ID "PUB_KEY_ID_019000091912026112300001122"
#define APIV3_KEY "payhubAPIv3key0123456789abcdefgh"
#define ATTEMPT "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define BAR_CODE "{\"auth_code\":\"130061098828009406\"}"

static char                      memory[2 * 1024 * 1024];
static struct ph_arena           arena;
static struct ph_channel_account account;
static struct ph_channel_kept    kept;
static struct ph_channel_order   order;
static struct ph_channel_call    call;
static struct ph_channel_out     out;
static uint8_t                   state_bytes[PH_CHANNEL_STATE_MAX];
static uint8_t                   salt[32];

/* ---- the account ---- */

/* a plain account in public-key mode, with both certificates kept */
static inline void
values_set(struct ph_str values[PH_CHANNEL_FIELDS_MAX])
{
    memset(values, 0, sizeof(values[0]) * PH_CHANNEL_FIELDS_MAX);
    values[WECHAT_BASE_URL]      = PH_STR(BASE "/");
    values[WECHAT_MCHID]         = PH_STR(MCHID);
    values[WECHAT_APPID]         = PH_STR(APPID);
    values[WECHAT_PRIVATE_KEY]   = key_file("merchant_pkcs8.pem");
    values[WECHAT_SERIAL_NO]     = PH_STR(SERIAL_NO);
    values[WECHAT_APIV3_KEY]     = PH_STR(APIV3_KEY);
    values[WECHAT_PUBLIC_KEY_ID] = PH_STR(PUBLIC_ID);
    values[WECHAT_PUBLIC_KEY]    = key_file("wxpub_public.pem");
}

/* NULL, or why the account is refused */
static inline const char *
account_set(const struct ph_str *values, struct ph_str certificates)
{
    const char *why = NULL;

    ph_channel_account_close(&account);
    account = (struct ph_channel_account){ .id      = PH_STR("acc"),
                                           .channel = &ph_channel_wechatpay };
    memcpy(account.values, values, sizeof(account.values));
    kept         = (struct ph_channel_kept){ .value = certificates };
    account.kept = certificates.len != 0 ? &kept : NULL;
    return ph_channel_account_open(&account, NULL, NOW_MS, &texts, &why) ? NULL
                                                                         : why;
}

static inline struct ph_str
both_certificates(void)
{
    struct ph_buf buf;
    struct ph_str one = key_file("platform1_cert.pem");
    struct ph_str two = key_file("platform2_cert.pem");

    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, one);
    ph_buf_byte(&buf, '\n');
    ph_buf_add(&buf, two);
    return ph_arena_close(&texts, &buf);
}

static inline void
account_usual(void)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    values_set(values);
    assert_null(account_set(values, both_certificates()));
}

/* a service provider's */
static inline void
partner_set(const char *yes, const char *sub_mchid, const char *sub_appid)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];

    values_set(values);
    values[WECHAT_SERVICE_PROVIDER] = ph_str_z(yes);
    values[WECHAT_SUB_MCHID]        = ph_str_z(sub_mchid);
    values[WECHAT_SUB_APPID]        = ph_str_z(sub_appid);
    assert_null(account_set(values, ph_str_make(NULL, 0)));
}

static inline void
order_usual(const char *method)
{
    order = (struct ph_channel_order){
        .attempt_id    = PH_STR(ATTEMPT),
        .method        = ph_str_z(method),
        .amount        = 100,
        .currency      = PH_STR("CNY"),
        .subject       = PH_STR("two cups"),
        .notify_url    = PH_STR("https://pay.example.com/notify/wechatpay/acc"),
        .client_ip     = PH_STR("14.23.150.211"),
        .expires_at_ms = NOW_MS + 7200000,
        .refund_id     = PH_STR(REFUND),
        .refund_amount = 7,
    };
    if (strcmp(method, "wechat_bar") == 0 || strcmp(method, "bar") == 0) {
        order.extra = PH_STR(BAR_CODE);
    } else if (strcmp(method, "wechat_jsapi") == 0
               || strcmp(method, "wechat_mini") == 0)
    {
        order.extra = PH_STR("{\"openid\":\"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\"}");
    }
}

/* ---- the steps ---- */

static inline enum ph_channel_step
begin(enum ph_channel_op op)
{
    ph_arena_init(&arena, memory, sizeof(memory));
    for (size_t i = 0; i < sizeof(salt); i++) {
        salt[i] = (uint8_t) (i * 7 + 1);
    }
    memset(state_bytes, 0xee, sizeof(state_bytes));
    call = (struct ph_channel_call){ .op      = op,
                                     .account = &account,
                                     .order   = &order,
                                     .arena   = &arena,
                                     .now_ms  = NOW_MS,
                                     .random  = salt,
                                     .state   = state_bytes };
    out  = (struct ph_channel_out){ 0 };
    return ph_channel_wechatpay.step(&call, NULL, &out);
}

static inline enum ph_channel_step
answer_by(unsigned status, struct ph_str body, const struct wire *wire)
{
    const struct ph_channel_reply reply = { .status       = status,
                                            .body         = body,
                                            .headers      = wire->headers,
                                            .header_count = wire->count };

    call.step++;
    out = (struct ph_channel_out){ 0 };
    return ph_channel_wechatpay.step(&call, &reply, &out);
}

/* as WeChat answers: signed just now with its first certificate */
static inline enum ph_channel_step
answer(unsigned status, const char *body)
{
    struct wire wire;

    wire_make(&wire, SERIAL_1, "platform1_pkcs8.pem", NOW_S - 3,
              ph_str_z(body));
    return answer_by(status, ph_str_z(body), &wire);
}

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

static inline void
same_text(struct ph_str got, const char *want)
{
    t_same(got, ph_str_z(want));
}

static inline int
group_begin(void **state)
{
    (void) state;
    ph_arena_init(&texts, text_memory, sizeof(text_memory));
    return ph_digest_init() ? 0 : -1;
}

static inline int
group_end(void **state)
{
    (void) state;
    ph_channel_account_close(&account);
    ph_digest_deinit();
    return texts.full ? -1 : 0;
}

#endif

/* channel_paypal.h - answers of PayPal, for the tests of its adapter. */
#ifndef T_CHANNEL_PAYPAL_H
#define T_CHANNEL_PAYPAL_H

#include "channels/paypal/paypal.h"
#include "channels/paypal/paypal_int.h"
#include "t/unit/channel_rest.h"

#define KEYS "t/data/vectors/keys/paypal/"
#define BASE "https://api-m.sandbox.paypal.com"
#define ORDERS BASE "/v2/checkout/orders"
#define CAPTURES BASE "/v2/payments/captures"
#define HOOK_ID "8PT597110X687430LKGECATA"
#define CERT_URL                                                               \
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42"

/* an order of ours with a status and more members */
#define ORDER_OF(status, unit_more, more)                                      \
    "{\"id\":\"5O1\",\"status\":\"" status "\",\"intent\":\"CAPTURE\","        \
    "\"purchase_units\":[{\"reference_id\":\"default\",\"custom_id\":"         \
    "\"" ATTEMPT                                                               \
    "\",\"amount\":{\"currency_code\":\"USD\",\"value\":\"10.50\"}" unit_more  \
    "}]" more "}"
#define ORDER(status) ORDER_OF(status, "", "")
#define LINKED(status)                                                         \
    ORDER_OF(status, "",                                                       \
             ",\"links\":[{\"href\":\"https://a/self\",\"rel\":\"self\"},"     \
             "{\"href\":\"https://www.paypal.com/pay?token=5O1\","             \
             "\"rel\":\"payer-action\",\"method\":\"GET\"}]")
#define CAPTURE(id, status, more)                                              \
    "{\"id\":\"" id "\",\"status\":\"" status "\",\"custom_id\":\"" ATTEMPT    \
    "\",\"amount\":{\"currency_code\":\"USD\",\"value\":\"10.50\"},"           \
    "\"create_time\":\"2026-11-24T01:02:03Z\"" more "}"
#define COMPLETED(captures)                                                    \
    ORDER_OF("COMPLETED", ",\"payments\":{\"captures\":[" captures "]}", "")
#define PAID COMPLETED(CAPTURE("2GG", "COMPLETED", ""))
#define REFUNDED(status, more)                                                 \
    "{\"id\":\"1JU\",\"status\":\"" status "\",\"invoice_id\":\"" REFUND       \
    "\",\"amount\":{\"currency_code\":\"USD\",\"value\":\"7.00\"}" more "}"
#define UP(id)                                                                 \
    ",\"links\":[{\"rel\":\"self\",\"href\":\"https://a/v2/payments/refunds/"  \
    "1JU\"},{\"rel\":\"up\",\"href\":\"https://a/v2/payments/captures/" id     \
    "\"}]"
#define REFUSAL(name, issue)                                                   \
    "{\"name\":\"" name "\",\"message\":\"it says why\",\"details\":[{"        \
    "\"issue\":\"" issue "\",\"description\":\"more of it\"}]}"
#define UNPROCESSABLE(issue) REFUSAL("UNPROCESSABLE_ENTITY", issue)

static char root_pem[8192];
static char cert_pem[8192];

static inline struct ph_str
pem_of(const char *path, char *room, size_t size)
{
    struct ph_str text = t_file(path);

    assert_true(text.len < size);
    memcpy(room, text.ptr, text.len);
    return ph_str_make(room, text.len);
}

/* a token, and the certificate of the vectors under CERT_URL */
static inline struct ph_str
kept_text(const char *token)
{
    static char   text[16384];
    struct ph_buf buf = PH_BUF_INIT(text);

    if (token != NULL) {
        ph_buf_add(&buf, PH_STR("token "));
        ph_buf_add(&buf, ph_str_z(token));
        ph_buf_add(&buf, PH_STR("\nuntil "));
        ph_buf_u64(&buf, NOW_MS + HOUR_MS);
        ph_buf_byte(&buf, '\n');
    }
    ph_buf_add(&buf, PH_STR("cert " CERT_URL "\n"));
    ph_buf_add(&buf, ph_str_z(cert_pem));
    ph_buf_add(&buf, PH_STR(".\n"));
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static inline const char *
account_with(struct ph_str value)
{
    const struct ph_str values[PAYPAL_FIELDS]
        = { [PAYPAL_BASE_URL]      = PH_STR(BASE "/"),
            [PAYPAL_CLIENT_ID]     = PH_STR("AYclient"),
            [PAYPAL_CLIENT_SECRET] = PH_STR("ELsecret"),
            [PAYPAL_WEBHOOK_ID]    = PH_STR(HOOK_ID),
            [PAYPAL_WEBHOOK_CA]    = ph_str_z(root_pem) };

    kept = (struct ph_channel_kept){ value, NOW_MS + HOUR_MS / 2,
                                     NOW_MS + HOUR_MS };
    return account_set(values, PAYPAL_FIELDS, NULL);
}

static inline int
setup(void **state)
{
    (void) state;
    (void) pem_of(KEYS "root.pem", root_pem, sizeof(root_pem) - 1);
    (void) pem_of(KEYS "webhook_cert.pem", cert_pem, sizeof(cert_pem) - 1);
    channel = ph_channel_find(PH_STR("paypal"));
    assert_non_null(channel);
    assert_null(account_with(kept_text("A21AAtoken")));
    order_reset("paypal");
    state_forget();
    return 0;
}

/* an order that the row knows of, which the payer has not approved yet */
static inline void
known_order(void)
{
    state_forget();
    begin(PH_OP_CREATE);
    assert_int_equal(answer(201, LINKED("CREATED")), PH_STEP_DONE);
}

#define TEST(name) cmocka_unit_test_setup((name), setup)

#endif

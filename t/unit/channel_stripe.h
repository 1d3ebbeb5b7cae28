/* channel_stripe.h - answers of Stripe, for the tests of its adapter. */
#ifndef T_CHANNEL_STRIPE_H
#define T_CHANNEL_STRIPE_H

#include "channels/stripe/stripe.h"
#include "channels/stripe/stripe_int.h"
#include "t/unit/channel_rest.h"

#define KEY "sk_test_0123456789abcdef"
#define HOOK "whsec_0123456789abcdef"
#define BASE "https://api.stripe.com"
#define INTENTS BASE "/v1/payment_intents"

/* an intent of ours with a status and more members */
#define INTENT(status, more)                                                   \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1050,"          \
    "\"currency\":\"usd\",\"status\":\"" status "\",\"livemode\":false,"       \
    "\"client_secret\":\"pi_1_secret_x\","                                     \
    "\"metadata\":{\"out_trade_no\":\"" ATTEMPT "\"}" more "}"

#define PAID INTENT("succeeded", ",\"amount_received\":1050")

#define REFUNDED(status, more)                                                 \
    "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":700,"                   \
    "\"currency\":\"usd\",\"payment_intent\":\"pi_1\",\"status\":\"" status    \
    "\",\"metadata\":{\"out_refund_no\":\"" REFUND "\"}" more "}"

#define REFUSAL(type, code)                                                    \
    "{\"error\":{\"type\":\"" type "\",\"code\":\"" code                       \
    "\",\"message\":\"it says why\"}}"

static inline int
setup(void **state)
{
    const struct ph_str values[STRIPE_FIELDS]
        = { [STRIPE_SECRET_KEY]     = PH_STR(KEY),
            [STRIPE_WEBHOOK_SECRET] = PH_STR(HOOK) };

    (void) state;
    channel = ph_channel_find(PH_STR("stripe"));
    assert_non_null(channel);
    assert_null(account_set(values, STRIPE_FIELDS, NULL));
    order_reset("card");
    state_forget();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup((name), setup)

#endif

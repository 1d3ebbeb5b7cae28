/*
 * fuzz_stripe.c - Stripe's answers and events, by the first byte.  Answers have
 * no signature: what holds of them is what must hold of any server's words.
 */
#include "t/fuzz/channel.h"

#include "channels/stripe/stripe.h"
#include "channels/stripe/stripe_int.h"

#define SECRET "whsec_of_nobody_at_all"

static struct ph_channel_account account;
static struct ph_channel_order   order;

static void
make_ready(void)
{
    if (account.context != NULL) {
        return;
    }
    account.values[STRIPE_BASE_URL]       = PH_STR("https://s.example");
    account.values[STRIPE_SECRET_KEY]     = PH_STR("sk_test_0123456789abcdef");
    account.values[STRIPE_WEBHOOK_SECRET] = PH_STR(SECRET);
    fuzz_open(&account, &ph_channel_stripe);
}

/* the header, a line feed, the body */
static void
read_unsigned(struct ph_str text)
{
    struct ph_str head = text, body = PH_STR("");

    (void) ph_str_cut(text, '\n', &head, &body);
    FUZZ_HOLDS(stripe_webhook_check(PH_STR(SECRET), head, body, FUZZ_NOW_MS)
               != PH_OK);

    const struct ph_channel_header header
        = { PH_STR("Stripe-Signature"), head };
    const struct ph_channel_notice in
        = { .body = body, .headers = &header, .header_count = 1 };
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };

    FUZZ_HOLDS(stripe_notice(&account, &in, FUZZ_NOW_MS, &fuzz_arena, &out)
               != PH_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };
    struct ph_channel_result     result;

    if (size < 3) {
        return 0;
    }
    make_ready();
    const enum ph_channel_op      op = fuzz_op(data[1]);
    const struct ph_channel_reply reply
        = { .status = fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)] };
    const struct ph_str text = ph_str_make((const char *) data + 3, size - 3);

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 4) {
    case 0:
    case 1:
        fuzz_order(&order, "card", "USD");
        order.extra = PH_STR("{}");
        if (data[0] % 4 == 1) { /* an order that is known, confirmed by us */
            order.trade_no          = PH_STR("pi_1");
            order.channel_refund_no = PH_STR("re_1");
            order.extra
                = PH_STR("{\"confirm\":true,\"payment_method\":\"pm_1\"}");
        }
        result = fuzz_operation(&account, &order, op, &reply, text);
        FUZZ_HOLDS(reply.status < 500 || result.class == PH_RESULT_UNKNOWN);
        break;
    case 2:
        if (stripe_event_read(account.context, text, &fuzz_arena, &out)
            == PH_OK) {
            fuzz_notice_holds(&out);
        }
        break;
    default:
        read_unsigned(text);
        break;
    }
    return 0;
}

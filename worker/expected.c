/* expected.c - see expected.h. */
#include "worker/expected.h"

#include "worker/order_face.h"

struct ph_channel_expected
wk_expected(const struct wk_worker *worker, const struct wk_account *account,
            const struct wk_payment *payment, const struct wk_attempt *attempt,
            struct ph_arena *arena)
{
    const struct ph_channel   *channel  = account->channel;
    struct ph_channel_expected expected = { 0 };

    if (channel->expected != NULL) {
        const struct ph_channel_order order
            = wk_order_face(worker, payment, attempt, arena);

        channel->expected(&account->face, &order, arena, &expected);
    }
    return expected;
}

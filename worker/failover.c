/* failover.c - see failover.h. */
#include "worker/failover.h"

bool
wk_failover_fill(struct wk_next_attempt *next, const struct wk_order *order,
                 struct ph_str attempt_id, struct ph_str channel,
                 struct ph_str account_id, struct ph_arena *arena)
{
    const struct wk_payment *payment = &order->payment;
    struct ph_buf            ids;

    if (order->attempt_count == 0 || order->attempt_count >= WK_ATTEMPTS_MAX) {
        return false;
    }
    ph_arena_open(arena, &ids);
    ph_buf_add(&ids, payment->attempt_ids);
    ph_buf_byte(&ids, ',');
    ph_buf_add(&ids, attempt_id);
    *next
        = (struct wk_next_attempt){ .attempt
                                    = { .id           = attempt_id,
                                        .payment_id   = payment->id,
                                        .merchant_id  = payment->merchant_id,
                                        .app_id       = payment->app_id,
                                        .status       = PH_ATTEMPT_SENT,
                                        .channel      = channel,
                                        .account_id   = account_id,
                                        .method       = payment->method,
                                        .amount       = payment->amount,
                                        .currency     = payment->currency,
                                        .action_type  = PH_STR("none"),
                                        .proof_source = PH_STR("none") },
                                    .attempt_ids = ph_arena_close(arena, &ids),
                                    .count       = order->attempt_count };
    return !arena->full;
}

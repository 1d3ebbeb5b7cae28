/* refund_insert.c - see refund_insert.h. */
#include "worker/refund_insert.h"

static void
refund_fill(struct wk_refund *refund, const struct wk_refund_birth *birth,
            const struct wk_payment *payment, uint64_t now_ms)
{
    *refund = (struct wk_refund){
        .id            = birth->refund_id,
        .payment_id    = payment->id,
        .attempt_id    = birth->attempt->id,
        .prev_id       = payment->refund_id,
        .merchant_id   = payment->merchant_id,
        .app_id        = payment->app_id,
        .refund_no     = birth->asked->refund_no,
        .kind          = PH_STR(WK_REFUND_MERCHANT),
        .status        = PH_REFUND_PROCESSING,
        .channel       = birth->attempt->channel,
        .account_id    = birth->attempt->account_id,
        .method        = birth->attempt->method,
        .amount        = birth->asked->amount,
        .currency      = payment->currency,
        .reason        = birth->asked->reason,
        .proof_source  = PH_STR("none"),
        .fence         = birth->fence,
        .created_at_ms = now_ms,
        .sent_at_ms    = now_ms,
    };
}

bool
wk_refund_insert(struct wk_batch *batch, const struct wk_refund_birth *birth,
                 struct wk_payment *before, struct wk_refund_rows *rows)
{
    const uint64_t      now_ms  = wk_batch_now_ms(batch);
    struct wk_payment  *payment = &rows->order.payment;
    const struct ph_str none    = { NULL, 0 };
    const struct ph_str number[3]
        = { payment->app_id, birth->asked->refund_no, { NULL, 0 } };

    *before = *payment;
    refund_fill(&rows->refund, birth, payment, now_ms);
    payment->refund_id = rows->refund.id;
    payment->amount_refunding += rows->refund.amount;
    if (birth->fence > payment->fence) {
        payment->fence = birth->fence;
    }
    return wk_batch_unique(batch, WK_REFUND_NO, number, rows->refund.id,
                           birth->hash)
           && wk_batch_insert(batch, &wk_refund_table, &rows->refund)
           && wk_batch_move(batch, &wk_payment_table, before, payment, none,
                            birth->fence)
           && wk_batch_work_put(batch, rows->refund.id, WK_QUEUE_LOOK,
                                now_ms + (uint64_t) birth->first_look_ms);
}

/* refund_auto.c - see refund_auto.h. */
#include "worker/refund_auto.h"

#include "libpayhub/base/id.h"

void
wk_refund_auto_id(struct ph_str attempt_id, char id[27])
{
    const struct ph_id made = ph_id_retype(attempt_id, PH_ID_REFUND);

    memcpy(id, made.text, PH_ID_LEN);
}

void
wk_refund_auto_fill(struct wk_refund *refund, struct wk_payment *payment,
                    const struct wk_attempt *attempt, const char id[27],
                    const char *kind, uint64_t now_ms)
{
    *refund = (struct wk_refund){
        .id            = ph_str_make(id, PH_ID_LEN),
        .payment_id    = payment->id,
        .attempt_id    = attempt->id,
        .prev_id       = payment->refund_id,
        .merchant_id   = payment->merchant_id,
        .app_id        = payment->app_id,
        .kind          = ph_str_z(kind),
        .status        = PH_REFUND_CREATED,
        .channel       = attempt->channel,
        .account_id    = attempt->account_id,
        .method        = attempt->method,
        .amount        = refund->amount,
        .currency      = attempt->currency,
        .proof_source  = PH_STR("none"),
        .created_at_ms = now_ms,
    };
    payment->refund_id = refund->id;
    if (ph_str_eq(refund->kind, PH_STR(WK_REFUND_LATE))) {
        payment->amount_refunding += refund->amount;
    }
}

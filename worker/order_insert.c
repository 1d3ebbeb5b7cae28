/* order_insert.c - the four rows of a new order; see order_insert.h. */
#include "worker/order_insert.h"

static void
payment_fill(struct wk_payment *payment, const struct wk_order_birth *birth,
             uint64_t now_ms)
{
    const struct wk_payment_request *asked = birth->asked;

    *payment = (struct wk_payment){
        .id            = birth->payment_id,
        .merchant_id   = birth->merchant_id,
        .app_id        = birth->app_id,
        .order_no      = asked->order_no,
        .status        = PH_PAYMENT_PAYING,
        .amount        = asked->amount,
        .currency      = asked->currency,
        .method        = asked->method,
        .channel       = birth->channel,
        .account_id    = birth->account_id,
        .attempt_ids   = birth->attempt_id,
        .subject       = asked->subject,
        .description   = asked->description,
        .notify_url    = asked->notify_url,
        .return_url    = asked->return_url,
        .client_ip     = asked->client_ip,
        .extra         = asked->extra,
        .metadata      = asked->metadata,
        .proof_source  = PH_STR("none"),
        .fence         = birth->fence,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + (uint64_t) asked->expires_in_s * 1000,
        .sent_at_ms    = now_ms,
    };
}

static void
attempt_fill(struct wk_attempt *attempt, const struct wk_order_birth *birth,
             uint64_t now_ms)
{
    *attempt = (struct wk_attempt){
        .id            = birth->attempt_id,
        .payment_id    = birth->payment_id,
        .merchant_id   = birth->merchant_id,
        .app_id        = birth->app_id,
        .status        = PH_ATTEMPT_SENT,
        .channel       = birth->channel,
        .account_id    = birth->account_id,
        .method        = birth->asked->method,
        .amount        = birth->asked->amount,
        .currency      = birth->asked->currency,
        .action_type   = PH_STR("none"),
        .proof_source  = PH_STR("none"),
        .fence         = birth->fence,
        .created_at_ms = now_ms,
        .sent_at_ms    = now_ms,
    };
}

bool
wk_order_insert(struct wk_batch *batch, const struct wk_order_birth *birth,
                struct wk_order *order)
{
    const uint64_t      now_ms = wk_batch_now_ms(batch);
    const struct ph_str number[3]
        = { birth->app_id, birth->asked->order_no, { NULL, 0 } };
    const struct ph_str hash
        = ph_str_make((const char *) birth->hash, PH_SHA256_LEN);

    payment_fill(&order->payment, birth, now_ms);
    attempt_fill(&order->attempt[0], birth, now_ms);
    order->attempt_count = 1;
    return wk_batch_unique(batch, WK_PAYMENT_NO, number, birth->payment_id,
                           hash)
           && wk_batch_insert(batch, &wk_payment_table, &order->payment)
           && wk_batch_insert(batch, &wk_attempt_table, &order->attempt[0])
           && wk_batch_work_put(batch, birth->payment_id, WK_QUEUE_LOOK,
                                now_ms + (uint64_t) birth->first_look_ms);
}

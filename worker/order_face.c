/* order_face.c - see order_face.h. */
#include "worker/order_face.h"

static struct ph_str
notice_url(const struct wk_worker *worker, const struct wk_attempt *attempt,
           struct ph_arena *arena)
{
    struct ph_str base
        = ph_str_z(ph_conf_text(worker->conf, PH_CONF_pay_public_url));
    struct ph_buf url;

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    ph_arena_open(arena, &url);
    ph_buf_add(&url, base);
    ph_buf_add(&url, PH_STR("/notify/"));
    ph_buf_add(&url, attempt->channel);
    ph_buf_byte(&url, '/');
    ph_buf_add(&url, attempt->account_id);
    return ph_arena_close(arena, &url);
}

struct ph_channel_order
wk_order_face(const struct wk_worker *worker, const struct wk_payment *payment,
              const struct wk_attempt *attempt, struct ph_arena *arena)
{
    return (struct ph_channel_order){
        .attempt_id    = attempt->id,
        .trade_no      = attempt->channel_trade_no,
        .method        = attempt->method,
        .amount        = attempt->amount,
        .currency      = attempt->currency,
        .subject       = payment->subject,
        .description   = payment->description,
        .notify_url    = notice_url(worker, attempt, arena),
        .return_url    = payment->return_url,
        .client_ip     = payment->client_ip,
        .extra         = payment->extra,
        .created_at_ms = payment->created_at_ms,
        .expires_at_ms = payment->expires_at_ms,
        .attempt_ms    = ph_id_ms(attempt->id),
        .is_over       = ph_payment_is_final(payment->status)
                   || attempt->status == PH_ATTEMPT_CLOSING,
    };
}

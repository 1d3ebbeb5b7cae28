/* payment_view.c - rows to JSON; see payment_view.h. */
#include "worker/payment_view.h"

#include "worker/view.h"

static void
view_action(struct ph_buf *buf, const struct wk_attempt *attempt)
{
    bool has_action = attempt != NULL && attempt->action_type.len != 0;

    wk_view_key(buf, "action");
    ph_buf_byte(buf, '{');
    wk_view_text(buf, "type",
                 has_action ? attempt->action_type : PH_STR("none"));
    wk_view_json(buf, "data",
                 has_action ? attempt->action_data : ph_str_make(NULL, 0));
    ph_buf_byte(buf, '}');
}

/* `closing` is ours alone: for the outside its outcome is unknown */
static const char *
attempt_state_shown(enum ph_attempt_state state)
{
    return ph_attempt_state_text(
        state == PH_ATTEMPT_CLOSING ? PH_ATTEMPT_UNKNOWN : state);
}

static void
view_attempts(struct ph_buf *buf, const struct wk_order *order)
{
    wk_view_key(buf, "attempts");
    ph_buf_byte(buf, '[');
    for (size_t i = 0; i < order->attempt_count; i++) {
        const struct wk_attempt *attempt = &order->attempt[i];

        ph_buf_add(buf, i != 0 ? PH_STR(",{") : PH_STR("{"));
        wk_view_text(buf, "id", attempt->id);
        wk_view_text(buf, "channel", attempt->channel);
        wk_view_text(buf, "account", attempt->account_id);
        wk_view_text(buf, "status",
                     ph_str_z(attempt_state_shown(attempt->status)));
        wk_view_error(buf, attempt->error_code, attempt->error_message,
                      attempt->channel_code);
        ph_buf_byte(buf, '}');
    }
    ph_buf_byte(buf, ']');
}

void
wk_payment_view(struct ph_buf *buf, const struct wk_order *order)
{
    const struct wk_payment *payment = &order->payment;
    const struct wk_attempt *newest
        = order->attempt_count > 0 ? &order->attempt[order->attempt_count - 1]
                                   : NULL;

    ph_buf_byte(buf, '{');
    wk_view_text(buf, "id", payment->id);
    wk_view_text(buf, "order_no", payment->order_no);
    wk_view_text(buf, "app_id", payment->app_id);
    wk_view_text(buf, "merchant_id", payment->merchant_id);
    wk_view_text(buf, "status",
                 ph_str_z(ph_payment_state_text(payment->status)));
    wk_view_number(buf, "amount", payment->amount);
    wk_view_text(buf, "currency", payment->currency);
    wk_view_number(buf, "amount_refunded", payment->amount_refunded);
    wk_view_number(buf, "amount_refunding", payment->amount_refunding);
    wk_view_text(buf, "method", payment->method);
    wk_view_text(buf, "channel", payment->channel);
    wk_view_text(buf, "account", payment->account_id);
    wk_view_text(buf, "channel_trade_no", payment->channel_trade_no);
    view_action(buf, newest);
    view_attempts(buf, order);
    wk_view_error(buf, payment->error_code, payment->error_message,
                  payment->channel_code);
    wk_view_json(buf, "metadata", payment->metadata);
    wk_view_time(buf, "created_at", payment->created_at_ms);
    wk_view_time(buf, "expires_at", payment->expires_at_ms);
    wk_view_time(buf, "paid_at", payment->paid_at_ms);
    wk_view_time(buf, "closed_at", payment->closed_at_ms);
    ph_buf_byte(buf, '}');
}

void
wk_view_event_open(struct ph_buf *buf, const struct wk_event *event)
{
    ph_buf_byte(buf, '{');
    wk_view_text(buf, "id", event->id);
    wk_view_text(buf, "type", event->type);
    wk_view_time(buf, "timestamp", event->at_ms);
    wk_view_number(buf, "sequence", event->sequence);
    wk_view_key(buf, "data");
}

void
wk_event_view(struct ph_buf *buf, const struct wk_event *event,
              const struct wk_order *order)
{
    wk_view_event_open(buf, event);
    wk_payment_view(buf, order);
    ph_buf_byte(buf, '}');
}

/* payment_view.c - rows to JSON; see payment_view.h. */
#include "worker/payment_view.h"

#include "worker/time_text.h"

static void
view_key(struct ph_buf *buf, const char *key)
{
    char last = buf->len > 0 ? buf->ptr[buf->len - 1] : '{';

    if (last != '{' && last != '[') {
        ph_buf_byte(buf, ',');
    }
    ph_buf_byte(buf, '"');
    ph_buf_add(buf, ph_str_z(key));
    ph_buf_add(buf, PH_STR("\":"));
}

/* an absent or empty text is null */
static void
view_text(struct ph_buf *buf, const char *key, struct ph_str text)
{
    view_key(buf, key);
    if (text.len == 0) {
        ph_buf_add(buf, PH_STR("null"));
    } else {
        ph_buf_json(buf, text);
    }
}

/* already JSON */
static void
view_json(struct ph_buf *buf, const char *key, struct ph_str json)
{
    view_key(buf, key);
    ph_buf_add(buf, json.len != 0 ? json : PH_STR("null"));
}

static void
view_number(struct ph_buf *buf, const char *key, int64_t value)
{
    view_key(buf, key);
    ph_buf_i64(buf, value);
}

static void
view_time(struct ph_buf *buf, const char *key, uint64_t ms)
{
    view_key(buf, key);
    if (ms == 0) {
        ph_buf_add(buf, PH_STR("null"));
        return;
    }
    ph_buf_byte(buf, '"');
    wk_time_iso(buf, ms);
    ph_buf_byte(buf, '"');
}

static void
view_error(struct ph_buf *buf, struct ph_str code, struct ph_str message,
           struct ph_str channel_code)
{
    view_key(buf, "error");
    if (code.len == 0) {
        ph_buf_add(buf, PH_STR("null"));
        return;
    }
    ph_buf_byte(buf, '{');
    view_text(buf, "code", code);
    view_text(buf, "message", message);
    view_text(buf, "channel_code", channel_code);
    ph_buf_byte(buf, '}');
}

static void
view_action(struct ph_buf *buf, const struct wk_attempt *attempt)
{
    bool has_action = attempt != NULL && attempt->action_type.len != 0;

    view_key(buf, "action");
    ph_buf_byte(buf, '{');
    view_text(buf, "type", has_action ? attempt->action_type : PH_STR("none"));
    view_json(buf, "data",
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
    view_key(buf, "attempts");
    ph_buf_byte(buf, '[');
    for (size_t i = 0; i < order->attempt_count; i++) {
        const struct wk_attempt *attempt = &order->attempt[i];

        ph_buf_add(buf, i != 0 ? PH_STR(",{") : PH_STR("{"));
        view_text(buf, "id", attempt->id);
        view_text(buf, "channel", attempt->channel);
        view_text(buf, "account", attempt->account_id);
        view_text(buf, "status",
                  ph_str_z(attempt_state_shown(attempt->status)));
        view_error(buf, attempt->error_code, attempt->error_message,
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
    view_text(buf, "id", payment->id);
    view_text(buf, "order_no", payment->order_no);
    view_text(buf, "app_id", payment->app_id);
    view_text(buf, "merchant_id", payment->merchant_id);
    view_text(buf, "status", ph_str_z(ph_payment_state_text(payment->status)));
    view_number(buf, "amount", payment->amount);
    view_text(buf, "currency", payment->currency);
    view_number(buf, "amount_refunded", payment->amount_refunded);
    view_number(buf, "amount_refunding", payment->amount_refunding);
    view_text(buf, "method", payment->method);
    view_text(buf, "channel", payment->channel);
    view_text(buf, "account", payment->account_id);
    view_text(buf, "channel_trade_no", payment->channel_trade_no);
    view_action(buf, newest);
    view_attempts(buf, order);
    view_error(buf, payment->error_code, payment->error_message,
               payment->channel_code);
    view_json(buf, "metadata", payment->metadata);
    view_time(buf, "created_at", payment->created_at_ms);
    view_time(buf, "expires_at", payment->expires_at_ms);
    view_time(buf, "paid_at", payment->paid_at_ms);
    view_time(buf, "closed_at", payment->closed_at_ms);
    ph_buf_byte(buf, '}');
}

void
wk_event_view(struct ph_buf *buf, const struct wk_event *event,
              const struct wk_order *order)
{
    ph_buf_byte(buf, '{');
    view_text(buf, "id", event->id);
    view_text(buf, "type", event->type);
    view_time(buf, "timestamp", event->at_ms);
    view_number(buf, "sequence", event->sequence);
    view_key(buf, "data");
    wk_payment_view(buf, order);
    ph_buf_byte(buf, '}');
}

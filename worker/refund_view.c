/* refund_view.c - see refund_view.h. */
#include "worker/refund_view.h"

#include "worker/view.h"

void
wk_refund_view(struct ph_buf *buf, const struct wk_refund *refund)
{
    ph_buf_byte(buf, '{');
    wk_view_text(buf, "id", refund->id);
    wk_view_text(buf, "refund_no", refund->refund_no);
    wk_view_text(buf, "payment_id", refund->payment_id);
    wk_view_text(buf, "status", ph_str_z(ph_refund_state_text(refund->status)));
    wk_view_number(buf, "amount", refund->amount);
    wk_view_text(buf, "currency", refund->currency);
    wk_view_text(buf, "reason", refund->reason);
    wk_view_error(buf, refund->error_code, refund->error_message,
                  refund->channel_code);
    wk_view_time(buf, "created_at", refund->created_at_ms);
    wk_view_time(buf, "refunded_at", refund->refunded_at_ms);
    ph_buf_byte(buf, '}');
}

void
wk_refund_event_view(struct ph_buf *buf, const struct wk_event *event,
                     const struct wk_refund *refund)
{
    wk_view_event_open(buf, event);
    wk_refund_view(buf, refund);
    ph_buf_byte(buf, '}');
}

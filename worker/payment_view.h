/*
 * payment_view.h - a payment as the API and webhooks show it.
 *
 * Pure.  The same function renders answers, replays and webhook data, from
 * rows only, so that a crash before the first answer changes nothing.
 */
#ifndef WK_PAYMENT_VIEW_H
#define WK_PAYMENT_VIEW_H

#include "libpayhub/base/buf.h"
#include "worker/row.h"

void wk_payment_view(struct ph_buf *buf, const struct wk_order *order);

/* the event document of a webhook */
struct wk_event {
    struct ph_str id;
    struct ph_str type;
    uint64_t      at_ms;
    int64_t       sequence;
};

void wk_event_view(struct ph_buf *buf, const struct wk_event *event,
                   const struct wk_order *order);

/* up to its data, which the caller writes and closes with '}' */
void wk_view_event_open(struct ph_buf *buf, const struct wk_event *event);

#endif

/*
 * refund_view.h - a refund as the API and webhooks show it.
 *
 * Pure, from its row only.
 */
#ifndef WK_REFUND_VIEW_H
#define WK_REFUND_VIEW_H

#include "worker/payment_view.h"

void wk_refund_view(struct ph_buf *buf, const struct wk_refund *refund);

void wk_refund_event_view(struct ph_buf *buf, const struct wk_event *event,
                          const struct wk_refund *refund);

#endif

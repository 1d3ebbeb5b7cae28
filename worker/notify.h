/*
 * notify.h - delivers webhooks: Standard Webhooks, at least once, the same id
 * every time.
 *
 * The task stands in its table before the first try; a 2xx answer makes it
 * delivered, anything else counts a try, the last of notify.schedule makes it
 * dead.  @thread loop.
 */
#ifndef WK_NOTIFY_H
#define WK_NOTIFY_H

#include "worker/schedule.h"
#include "worker/settle.h"

struct wk_notify *wk_notify_new(struct wk_worker *worker) PH_MUST_CHECK;
void              wk_notify_free(struct wk_notify *notify); /* none under way */

/* Copies what it needs.  false = not tried: as many as notify.max_inflight are
 * under way, or this task is. */
bool wk_notify_deliver(struct wk_notify               *notify,
                       const struct wk_delivery_order *order);

#endif

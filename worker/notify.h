/*
 * notify.h - delivers webhooks: at least once, the same id and body every time.
 *
 * The task stands in its table before the first try; a 2xx answer makes it
 * delivered, 410 or the last of notify.schedule makes it dead, anything else
 * counts a try and leaves a row in `work` that says when the next one is due
 * (hook.h).  One receiver has few places at once (hook_endpoint.h); who finds
 * none waits here for a moment, then in `work`.  @thread loop.
 */
#ifndef WK_NOTIFY_H
#define WK_NOTIFY_H

#include "worker/schedule.h"
#include "worker/settle.h"

struct wk_notify *wk_notify_new(struct wk_worker *worker) PH_MUST_CHECK;
void              wk_notify_free(struct wk_notify *notify); /* none under way */

/* Copies what it needs.  false = not taken: no room, or this task is under way.
 * Then a row of the queue, or the look after the order, brings it again. */
bool wk_notify_deliver(struct wk_notify               *notify,
                       const struct wk_delivery_order *order);

/* The same for a task whose row of `work` is leased by us. */
bool wk_notify_deliver_row(struct wk_notify               *notify,
                           const struct wk_delivery_order *order);

/* how many more it would take */
size_t wk_notify_room(const struct wk_notify *notify);

/* Who waited for a place too long, or all with `everybody`, goes to `work`. */
void wk_notify_sweep(struct wk_notify *notify, bool everybody);

#endif

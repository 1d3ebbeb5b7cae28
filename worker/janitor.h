/*
 * janitor.h - looks after orders that are not at rest.
 *
 * Every such order has one row in `work`, found by the time when it is due and
 * taken by lease.  A look asks the channel about an attempt without proof,
 * delivers webhooks that wait, and either takes the row away or says when to
 * look again.  @thread loop.
 */
#ifndef WK_JANITOR_H
#define WK_JANITOR_H

#include "worker/worker.h"

struct wk_janitor *wk_janitor_new(struct wk_worker *worker) PH_MUST_CHECK;
void               wk_janitor_stop(struct wk_janitor *janitor);
void               wk_janitor_free(struct wk_janitor *janitor);

/* Begins the look after one order whose row is leased by us; look.c. */
void wk_look_start(struct wk_janitor *janitor, struct wk_worker *worker,
                   struct ph_str payment_id);

/* A look has ended; called by look.c. */
void wk_janitor_looked(struct wk_janitor *janitor);

#endif

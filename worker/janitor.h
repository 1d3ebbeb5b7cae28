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

#include "worker/row.h"
#include "worker/worker.h"

struct wk_janitor *wk_janitor_new(struct wk_worker *worker) PH_MUST_CHECK;
void               wk_janitor_stop(struct wk_janitor *janitor);
void               wk_janitor_free(struct wk_janitor *janitor);

/* Begins the look after one order whose row is leased by us; look.c. */
void wk_look_start(struct wk_janitor *janitor, struct wk_worker *worker,
                   struct ph_str payment_id);

/* A look has ended; called by look.c. */
void wk_janitor_looked(struct wk_janitor *janitor);

/* what is left to do for an order; pure, schedule.c */
struct wk_rest {
    bool     is_at_rest;
    uint64_t due_ms; /* else: when to look again */
};

struct wk_rest wk_rest_judge(const struct ph_conf  *conf,
                             const struct wk_order *order,
                             const struct wk_task *tasks, size_t task_count,
                             int64_t tries, uint64_t now_ms);

/* the attempt that a query should be made about; NULL = none */
struct wk_attempt *wk_rest_open_attempt(struct wk_order *order);

#endif

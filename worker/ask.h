/*
 * ask.h - asks a channel about one attempt and, when it is to end, ends it.
 *
 *   query -> rows -> [no proof yet]
 *     the code was never shown: create with the same number -> rows
 *     it shall end:             `closing` -> rows -> close or reverse -> rows
 *                               a reverse before its time waits for a later ask
 *
 * Under the order's lock, which the caller holds, or without one when there is
 * no Redis.  Only what the channel answered is taken for proof; when it does
 * not answer, or a commit does not stand, nothing further is tried: the next
 * ask begins with a query again.  @thread loop.
 */
#ifndef WK_ASK_H
#define WK_ASK_H

#include "worker/op.h"
#include "worker/settle.h"

struct wk_ask {
    /* set by the caller */
    struct wk_worker  *worker;
    struct wk_account *account; /* held and counted by the caller */
    struct ph_arena   *arena;
    struct wk_order   *order; /* rows as committed, also afterwards */
    struct ph_str      attempt_id;
    int64_t            fence;     /* of the lock, 0 = none is held */
    bool               shall_end; /* what the query leaves open is closed */
    bool               is_over;   /* the merchant closes it: nothing is taken */
    bool               may_repeat; /* a lost create whose code nobody saw */
    void (*done)(struct wk_ask *ask);
    void *data;

    /* set before done() */
    bool is_answered; /* the channel told something of the attempt */
    bool is_kept;     /* every commit stands */

    /* private */
    int              step;
    bool             is_due; /* the end, when `closing` was written */
    struct wk_op     op;
    struct wk_settle settle;
};

/* Webhooks that come of it are begun here. */
void wk_ask_start(struct wk_ask *ask);

#endif

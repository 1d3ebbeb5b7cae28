/*
 * settle.h - the one way in which evidence becomes rows.
 *
 * Answer, query and notice come here.  One commit holds what the judge
 * decided: payment and attempt moved by compare-and-set, the channel's trade
 * number made unique, the webhook's task, the notice itself.  When a row is
 * no longer as it was judged, it is read again and judged again.  A lock whose
 * fence is older than the rows' is as good as none: what came under it counts,
 * but as evidence without a lock.
 */
#ifndef WK_SETTLE_H
#define WK_SETTLE_H

#include "worker/account.h"
#include "worker/batch.h"
#include "worker/judge.h"
#include "worker/notice_row.h"
#include "worker/worker.h"

/* what there is to deliver after the commit */
struct wk_delivery_order {
    bool           is_due;
    struct wk_task task;
    struct ph_str  sealed_secret; /* app.webhook_secret; empty = no such app */
};

struct wk_settle {
    struct wk_store_job store; /* first */

    /* set by the caller */
    struct wk_worker  *worker;
    struct wk_account *account; /* whose evidence it is; held by the caller,
                                   NULL = nobody's */
    struct ph_arena   *arena;   /* ours until done() */
    struct ph_str      attempt_id;
    bool               is_fresh;  /* `order` holds the rows as committed */
    struct wk_order   *order;     /* in when fresh; out: as committed */
    struct wk_evidence evidence;  /* but for `expected`, which is of the rows */
    struct wk_notice_row *notice; /* NULL = none */
    void (*done)(struct wk_settle *settle);
    void *data;

    /* set before done(), when store.outcome is DONE */
    bool                     is_found;    /* such an attempt, of this account */
    bool                     is_repeated; /* the notice was here before */
    struct wk_verdict        verdict;
    struct wk_delivery_order delivery;

    /* private */
    struct wk_order  before;  /* what was judged: its ver guard the moves */
    struct wk_order  after;   /* what the commit writes */
    struct wk_task   task;    /* the event, when there is one */
    struct wk_refund refund;  /* the automatic one, when there is one */
    struct ph_id     task_id; /* one for all plans: the webhook's id */
    char             refund_id[PH_ID_LEN]; /* what `after` may point at */
    size_t           arena_mark;           /* each plan takes from here on */
    struct wk_want   rows, seen, app;
    bool             needs_rows;   /* a brief look at them was not enough */
    char             sources[128]; /* statuses that the payment may leave */
};

/*
 * false = the store is full: nothing will happen, done() is not called.
 *
 * Until done() the job belongs to a store thread: the loop may read *order,
 * which changes on the loop just before done(), and touches neither the arena
 * nor what is private.  An outcome other than DONE leaves the rows as they were
 * or nobody knows how; either way the evidence is not proof of anything that
 * may be told, and a query brings it again.
 */
bool wk_settle_start(struct wk_settle *settle) PH_MUST_CHECK;

#endif

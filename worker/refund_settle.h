/*
 * refund_settle.h - the one way in which evidence about a refund becomes rows.
 *
 * One commit holds what the judge decided: the refund and the sums of its
 * payment moved by compare-and-set, the webhook's task, a refund that the
 * channel tells and we did not make.  Rows that are no longer as they were
 * judged are read again and judged again.
 */
#ifndef WK_REFUND_SETTLE_H
#define WK_REFUND_SETTLE_H

#include "worker/batch.h"
#include "worker/refund_judge.h"
#include "worker/settle.h"

/* a refund with its payment and attempts */
struct wk_refund_rows {
    struct wk_refund refund;
    struct wk_order  order;
};

struct wk_refund_settle {
    struct wk_store_job store; /* first */

    /* set by the caller */
    struct wk_worker      *worker;
    struct wk_account     *account; /* as of settle.h */
    struct ph_arena       *arena;   /* ours until done() */
    struct wk_refund_rows *rows;    /* in: as committed; out: the same */
    struct wk_evidence     evidence;
    struct wk_notice_row  *notice; /* NULL = none; else of rows only the id of
                                      the refund is given, or, when that is not
                                      of our making, this instead: */
    struct ph_str foreign_of;      /* the attempt that it gave back, or: */
    struct ph_str foreign_trade;   /* the channel's number of that payment */
    const struct wk_refund_known *known; /* of that payment; NULL = not known */
    void (*done)(struct wk_refund_settle *settle);
    void *data;

    /* set before done(), when store.outcome is DONE */
    bool is_found;    /* such a refund, of this account; or it is recorded */
    bool is_repeated; /* the notice was here before */
    bool is_stale;    /* `known` is of another ver: nothing was done */
    struct wk_refund_verdict verdict; /* early: nothing, but a look is due */
    struct wk_delivery_order delivery;

    /* private */
    struct wk_refund_rows before; /* what was judged: its ver guard the moves */
    struct wk_refund_rows after;
    struct wk_refund      foreign;
    struct wk_want        want, seen;
    struct ph_str         task_id; /* one for all rounds, as the next */
    struct ph_str         foreign_id;
    size_t                arena_mark; /* each round takes from here on */
    bool                  is_read;    /* the rows given were no longer so */
    bool                  has_task;
};

/*
 * false = the store is full: nothing will happen, done() is not called.  Until
 * done() neither the arena nor what is private is touched.  Of an outcome other
 * than DONE nothing may be told; a query brings the evidence again.
 */
bool wk_refund_settle_start(struct wk_refund_settle *settle) PH_MUST_CHECK;

/* What is to be delivered at once, when this process delivers. */
void wk_refund_settle_deliver(const struct wk_refund_settle *settle);

#endif

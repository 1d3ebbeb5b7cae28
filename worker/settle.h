/*
 * settle.h - the one way in which evidence becomes rows.
 *
 * Answer, query and notice come here.  One commit holds what the judge
 * decided: payment and attempt moved by compare-and-set, the channel's trade
 * number made unique, the webhook's task, the notice itself.  When a row is
 * no longer as it was judged, everything is rolled back, read again and
 * judged again.
 */
#ifndef WK_SETTLE_H
#define WK_SETTLE_H

#include "worker/judge.h"
#include "worker/store.h"
#include "worker/worker.h"

/* a notice to be kept, and taken once, in the same commit */
struct wk_notice_row {
    struct ph_str id; /* E... */
    struct ph_str channel;
    struct ph_str account_id;
    struct ph_str notice_id; /* the channel's; plain, as judge.h says it */
    struct ph_str headers;   /* JSON object */
    struct ph_str body;
};

/* what there is to deliver after the commit */
struct wk_delivery_order {
    bool           is_due;
    struct wk_task task;
    struct ph_str  sealed_secret; /* app.webhook_secret; empty = no such app */
};

struct wk_settle {
    struct wk_store_job store; /* first */

    /* set by the caller */
    struct wk_worker     *worker;
    struct ph_arena      *arena; /* ours until done() */
    struct ph_str         attempt_id;
    bool                  is_fresh; /* `order` holds the rows as committed */
    struct wk_order      *order;    /* in when fresh; out: as committed */
    struct wk_evidence    evidence;
    struct wk_notice_row *notice; /* NULL = none */
    void (*done)(struct wk_settle *settle);
    void *data;

    /* set before done(), when store.outcome is DONE */
    bool                     is_found;    /* such an attempt, of this account */
    bool                     is_repeated; /* the notice was here before */
    struct wk_verdict        verdict;
    struct wk_delivery_order delivery;

    /* private */
    struct wk_order before;     /* what was judged: its ver guard the moves */
    struct wk_order after;      /* what the packet writes */
    struct ph_id    task_id;    /* one for all runs: the webhook's id */
    size_t          arena_mark; /* each run takes from here on */
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

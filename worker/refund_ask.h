/*
 * refund_ask.h - asks the channel about one refund, under its order's lock.
 *
 * A refund that payhub owes and has not begun is begun here: moved to
 * `processing` in a commit of its own, then called.  Any other is queried; one
 * of which the channel twice knew nothing is sent again, with the same number.
 * When that one is refused the first may be the cause: the refusal counts when
 * the channel, asked once more, still knows nothing of it.
 * @thread loop.
 */
#ifndef WK_REFUND_ASK_H
#define WK_REFUND_ASK_H

#include "worker/lock.h"
#include "worker/op.h"
#include "worker/refund_settle.h"

struct wk_refund_ask {
    /* set by the caller */
    struct wk_worker      *worker;
    struct ph_arena       *arena;
    struct wk_refund_rows *rows;         /* as committed, not final; updated */
    bool                   only_queries; /* begins and repeats nothing */
    uint64_t               lock_wait_ms;
    void (*done)(struct wk_refund_ask *ask);
    void *data;

    /* set before done() */
    bool was_asked;  /* the channel was, whatever it told */
    bool was_locked; /* somebody else works on the order */

    /* private */
    struct wk_account       *account;
    struct wk_lock           lock;
    struct wk_store_job      store;
    struct wk_want           want;
    struct wk_refund         before;
    bool                     has_begun; /* `processing` is committed by us */
    bool                     has_repeated;
    bool                     has_refusal; /* of the repeated one: */
    struct ph_channel_result refusal;
    struct wk_op             op;
    struct wk_refund_settle  settle;
};

void wk_refund_ask_start(struct wk_refund_ask *ask);

/* The order as adapters see it for REFUND and REFUND_QUERY; false = the rows
 * have no such attempt. */
bool wk_refund_face(const struct wk_worker *worker, struct wk_refund_rows *rows,
                    struct ph_arena         *arena,
                    struct ph_channel_order *face) PH_MUST_CHECK;

#endif

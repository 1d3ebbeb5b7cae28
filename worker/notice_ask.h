/*
 * notice_ask.h - what has to be known before one part of a notice is settled.
 *
 *   - What was only hinted at is asked of the channel here where no janitor
 *     would: of an attempt that ended unpaid, of a refund of ours that ended,
 *     of a refund that is not ours.  What is open the janitor asks about.
 *   - A refund that is told by a sum: which refunds our rows have.
 *
 * Without the order's lock: nothing is asked but questions, and of an order
 * that is over, so that no adapter takes money by one.  @thread loop.
 */
#ifndef WK_NOTICE_ASK_H
#define WK_NOTICE_ASK_H

#include "worker/op.h"
#include "worker/refund_settle.h"

enum wk_notice_answer {
    WK_NOTICE_AWAY = 0, /* database or channel did not tell: come again */
    WK_NOTICE_AS_TOLD,  /* nothing had to be asked */
    WK_NOTICE_ASKED     /* op.result is what counts, as of a query */
};

struct wk_notice_ask {
    struct wk_store_job store; /* first */

    /* set by the caller */
    struct wk_worker                    *worker;
    struct wk_account                   *account; /* held */
    struct ph_arena                     *arena;   /* ours until done() */
    const struct ph_channel_notice_part *part;
    struct ph_str                        notice_id;
    void (*done)(struct wk_notice_ask *ask);
    void *data;

    /* set before done() */
    enum wk_notice_answer  answer;
    bool                   has_known;
    struct wk_refund_known known;
    struct wk_op           op;

    /* private */
    size_t                arena_mark; /* each run takes from here on */
    bool                  was_here;   /* the notice, and did something */
    enum wk_found         found;      /* what the part is about */
    struct wk_refund_rows rows;
    struct wk_attempt    *attempt; /* in `rows` */
};

/* Is there anything to find out before this part is settled? */
bool wk_notice_ask_is_due(const struct ph_channel_notice_part *part);

void wk_notice_ask_start(struct wk_notice_ask *ask);

#endif

/*
 * refund_judge.h - what a piece of evidence about a refund does to it and to
 * the sums of its payment; and whether there is enough left for a new one.
 *
 * Pure.  Answer, query and notice are judged alike:
 *
 *   - Evidence of another number, amount, currency, seller or app moves
 *     nothing: it is told as a conflict, and the refund is asked about again.
 *   - UNKNOWN never fails anything, and neither does "no such refund": told
 *     twice of one that is old enough, it says that the refund may be sent
 *     again under its number, by which channels know it.
 *   - NOT_SENT fails a merchant's refund, by the answer to its first call.  One
 *     that payhub owes by itself is tried again instead.
 *   - Only `failed` gives back what was reserved.  A success that comes after
 *     it counts, even when the sum then passes what was paid.  One that fails
 *     after its success stays, and is told as a conflict.
 */
#ifndef WK_REFUND_JUDGE_H
#define WK_REFUND_JUDGE_H

#include "worker/judge.h"

#define WK_REFUND_MERCHANT "merchant"
#define WK_REFUND_FOREIGN "foreign"
#define WK_REFUNDS_KNOWN_MAX 64 /* of a payment, to compare a sum with */

enum wk_refund_leave {
    WK_REFUND_LEAVE_OK = 0,
    WK_REFUND_LEAVE_STATE, /* the payment is not paid */
    WK_REFUND_LEAVE_OVER   /* less than that is left */
};

/* May so much of the payment be refunded now? */
enum wk_refund_leave wk_refund_leave(const struct wk_payment *payment,
                                     int64_t                  amount);

struct wk_refund_verdict {
    bool          refund_moved; /* its row is to be written */
    bool          payment_moved;
    bool          is_conflict;
    bool          is_over;        /* more went back than was paid */
    bool          may_repeat;     /* the same number may be sent again */
    bool          is_early;       /* it cannot be told yet: nothing was done */
    int64_t       foreign_amount; /* went back without us, recorded now; or 0 */
    struct ph_str event;          /* webhook type, {NULL, 0} = none */
    int64_t       look_in_ms;     /* bring the look forward; 0 = no */
};

/* Of the evidence source, result, digest, state, expected, fence and
 * config_error count;
 * of the rules not_found_final_ms, unknown_first_ms and now_ms. */
void wk_refund_judge(struct wk_refund *refund, struct wk_payment *payment,
                     const struct wk_evidence    *evidence,
                     const struct wk_judge_rules *rules,
                     struct wk_refund_verdict    *verdict);

/* The refunds of a payment by our rows, when it stood at `ver`. */
struct wk_refund_known {
    struct {
        int64_t amount;
        bool    is_foreign;
        bool    is_open; /* on its way */
    } refunds[WK_REFUNDS_KNOWN_MAX];
    size_t        count;
    bool          is_whole; /* there are no more */
    int64_t       ver;
    struct ph_str open_id; /* the newest of ours on its way; empty = none */
};

/* Without room for it the list is not whole. */
void wk_refund_known_add(struct wk_refund_known *known, struct ph_str kind,
                         enum ph_refund_state status, int64_t amount);

/*
 * The same of a notice of a refund that is not ours: foreign_amount is what is
 * to be recorded and was added to the payment's sum.  0 when it is not proved
 * to be of this attempt, which paid the payment, or the channel's sum says that
 * we have counted it.  An amount of -1 is told by that sum alone.
 *
 * Of a sum that is told what cannot be ours is counted: `known` says what could
 * be, NULL or not whole = all.  So one that was told too late, or of which only
 * a later one was told, is in it.
 *
 * is_early: the attempt is not known to have been paid, or all that is told may
 * be a refund of ours that is on its way.
 */
void wk_refund_judge_foreign(struct wk_payment            *payment,
                             const struct wk_attempt      *attempt,
                             const struct wk_evidence     *evidence,
                             const struct wk_refund_known *known,
                             uint64_t                      now_ms,
                             struct wk_refund_verdict     *verdict);

#endif

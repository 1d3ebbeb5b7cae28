/*
 * refund_insert.h - the first commit of a merchant's refund: its number, its
 * row, what it reserves of the payment, and its work.
 *
 * In plan(), on a store thread.  The refund is born `processing`: after the
 * commit its call may leave at once.
 */
#ifndef WK_REFUND_INSERT_H
#define WK_REFUND_INSERT_H

#include "worker/batch.h"
#include "worker/refund_request.h"
#include "worker/refund_settle.h"

/* All texts live as long as the rows that are made of them. */
struct wk_refund_birth {
    const struct wk_refund_request *asked;
    struct ph_str                   refund_id;
    const struct wk_attempt        *attempt; /* that was paid */
    struct ph_str                   hash;
    int64_t                         fence; /* 0 = no lock is held */
    int64_t                         first_look_ms;
};

/*
 * `rows` holds the payment as read FOR UPDATE, and afterwards the refund too;
 * `before` is kept beside it.  The sum was judged by wk_refund_leave().
 */
bool wk_refund_insert(struct wk_batch              *batch,
                      const struct wk_refund_birth *birth,
                      struct wk_payment            *before,
                      struct wk_refund_rows        *rows) PH_MUST_CHECK;

#endif

/*
 * order_insert.h - the first commit of an order: its four rows, or its owner.
 *
 * In plan(), on a store thread.  The attempt is born `sent`: after the commit
 * its create may leave at once, and whoever finds the row later must believe
 * that it did.
 */
#ifndef WK_ORDER_INSERT_H
#define WK_ORDER_INSERT_H

#include "libpayhub/wire/digest.h"
#include "worker/batch.h"
#include "worker/payment_request.h"

/* All texts live as long as the order that is made of them. */
struct wk_order_birth {
    const struct wk_payment_request *asked;
    struct ph_str                    app_id;
    struct ph_str                    merchant_id;
    struct ph_str                    payment_id;
    struct ph_str                    attempt_id;
    struct ph_str                    channel;
    struct ph_str                    account_id;
    const uint8_t                   *hash;  /* PH_SHA256_LEN, of the raw body */
    int64_t                          fence; /* 0 = no lock is held */
    int64_t                          first_look_ms; /* the janitor's */
};

/*
 * Fills *order and plans its rows: the number, payment, attempt, work.  The
 * number that has another owner loses WK_PAYMENT_NO; nothing is written then.
 */
bool wk_order_insert(struct wk_batch *batch, const struct wk_order_birth *birth,
                     struct wk_order *order) PH_MUST_CHECK;

#endif

/*
 * schedule.h - what is left to do for an order, and when.
 *
 * Pure: rows and configuration in, a time out.
 */
#ifndef WK_SCHEDULE_H
#define WK_SCHEDULE_H

#include "libpayhub/base/conf.h"
#include "worker/row.h"

struct wk_rest {
    bool     is_at_rest;
    uint64_t due_ms; /* else: when to look again */
};

/* tries = queries made so far */
struct wk_rest wk_rest_judge(const struct ph_conf  *conf,
                             const struct wk_order *order, int64_t tries,
                             uint64_t now_ms);

/* the attempt that a query should be made about, also when another one has paid
 * the order; NULL = none */
struct wk_attempt *wk_rest_open_attempt(struct wk_order *order);

/* From when on the attempt is to be ended at the channel: the order's end, a
 * bar code's wait; 0 = at once. */
uint64_t wk_rest_end_ms(const struct ph_conf    *conf,
                        const struct wk_order   *order,
                        const struct wk_attempt *attempt);

/* its create takes money by itself, no payer has to act later */
bool wk_attempt_is_bar(const struct wk_attempt *attempt);

#endif

/*
 * till.h - a bar code waits for its payer, and the cashier's till for the
 * answer to its create.
 *
 *   WAITING --time, wake, the end--> LOADING --no longer open--> answered
 *      ^                                '--open--> ASKING (sync.h)
 *      '---------------------------------------------'
 *
 * While it waits it holds a request and its bytes: no lock, no room at the
 * account, no place among the requests under way, no rows.  So whoever wants
 * to close the order can, and what happens meanwhile, by whomever, is read from
 * the rows.  Nothing here decides: the janitor has the order in its table and
 * does not know of tills.
 *
 * The end of the wait is the first of pay.bar_wait, pay.request_deadline and
 * what the caller's frame says, or the drain of the process.  @thread loop.
 */
#ifndef WK_TILL_H
#define WK_TILL_H

#include "worker/row.h"
#include "worker/server.h"

struct wk_tills;

struct wk_tills *wk_tills_new(struct wk_worker *worker) PH_MUST_CHECK;
void             wk_tills_free(struct wk_tills *tills);

/* A bar code, and no end of it in the payment's row.  The attempt's may be
 * newer: they are read one after the other. */
bool wk_till_fits(const struct wk_order *order);

/* Takes over the request of a create whose payer acts; false = it does not wait
 * (not such an order, no place, no time left) and is still the caller's to
 * answer. */
bool wk_till_wait(struct wk_request     *request,
                  const struct wk_order *order) PH_MUST_CHECK;

/* The payment has come to an end, as committed. */
void wk_tills_wake(struct wk_tills *tills, struct ph_str payment_id);

/* Nobody waits any longer: all are answered by the rows as they are. */
void wk_tills_drain(struct wk_tills *tills);

#endif

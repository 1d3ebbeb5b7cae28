/*
 * expected.h - what evidence about an attempt has to name: the account's or
 * the sub-merchant's seller, and the app.
 *
 * @thread any: an account's face never changes while it is held.
 */
#ifndef WK_EXPECTED_H
#define WK_EXPECTED_H

#include "worker/account.h"
#include "worker/row.h"
#include "worker/worker.h"

/* {NULL, 0} of what the channel does not tell.  A payment without `extra`, as
 * a brief look reads it, is judged by the account alone. */
struct ph_channel_expected wk_expected(const struct wk_worker  *worker,
                                       const struct wk_account *account,
                                       const struct wk_payment *payment,
                                       const struct wk_attempt *attempt,
                                       struct ph_arena         *arena);

#endif

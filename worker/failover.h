/*
 * failover.h - the attempt at the next account, when nothing came of the last.
 *
 * Only the answer to a create may say so: that nothing left us, or that the
 * channel did nothing with it.  A refusal, a silence or a payer who was shown
 * something stays with its account.  Pure.
 */
#ifndef WK_FAILOVER_H
#define WK_FAILOVER_H

#include "libpayhub/base/arena.h"
#include "worker/judge.h"

/*
 * The attempt that follows the order's last, and the payment's list with it.
 * Texts given live as long as *next.  false = there are too many, or no room.
 */
bool wk_failover_fill(struct wk_next_attempt *next,
                      const struct wk_order *order, struct ph_str attempt_id,
                      struct ph_str channel, struct ph_str account_id,
                      struct ph_arena *arena) PH_MUST_CHECK;

#endif

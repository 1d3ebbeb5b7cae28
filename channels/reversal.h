/*
 * reversal.h - that a bar code is being taken back, in the attempt's state.
 *
 * A reverse whose answer was lost may be carried out a moment after a query
 * still said "paid".  So for PH_REVERSAL_MS after the first one "paid" is no
 * end: the core is told that the payer may act, and takes the code back again,
 * until the channel says that it is closed.  Later the query is believed.
 *
 * It stands behind what else the adapter keeps, which is at most
 * PH_CHANNEL_STATE_MAX - PH_REVERSAL_LEN bytes.
 */
#ifndef PH_CHANNEL_REVERSAL_H
#define PH_CHANNEL_REVERSAL_H

#include "channels/channel.h"

#define PH_REVERSAL_MS (5 * 60 * UINT64_C(1000))
#define PH_REVERSAL_LEN 9

/* Takes it out of call->state; a REVERSE without one begins it.  0 = none,
 * else when the first one was sent. */
uint64_t ph_reversal_take(struct ph_channel_call *call);

/* Puts it back behind call->state; 0 = nothing. */
void ph_reversal_put(struct ph_channel_call *call, uint64_t since_ms);

/* "Paid", told by a query, may be on its way back: it is asked for again. */
void ph_reversal_judge(const struct ph_channel_call *call, uint64_t since_ms,
                       struct ph_channel_result *result);

#endif

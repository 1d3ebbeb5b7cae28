/*
 * wire_log.h - `log.wire`: one line for each call of a channel and each notice.
 *
 * What stands in it: account, operation, numbers of ours, method and path,
 * status, time, lengths, and of the messages what wire_text.h shows.  Neither
 * headers, but the ids that channels ask for, nor queries, nor bodies.
 * @thread loop.
 */
#ifndef WK_WIRE_LOG_H
#define WK_WIRE_LOG_H

#include "worker/op.h"

/* "create", "refund_query" */
const char *wk_op_word(enum ph_channel_op kind);

/* A call of the operation that has ended; one that nobody answered is told, and
 * why, without log.wire too. */
void wk_wire_call(const struct wk_op *op, const struct wk_call *call);

/* rc: what the adapter said of it; of what is not genuine no member is shown */
void wk_wire_notice(struct wk_worker *worker, const struct wk_account *account,
                    const struct ph_channel_notice *in, enum ph_rc rc);

#endif

/*
 * health.h - what calls of channels told, for the edge that asked.
 *
 * A call's outcome goes out with the answer of the request that made it, as an
 * item of the HEALTH field; one whose request was answered already, or that
 * had none, waits for the next answer.  What does not fit is not told: the
 * edge counts samples, not money.  @thread loop.
 */
#ifndef WK_HEALTH_H
#define WK_HEALTH_H

#include "libpayhub/domain/health.h"
#include "worker/op.h"

#define WK_HEALTH_LEN 256 /* longest HEALTH field */
#define WK_HEALTH_ITEM 112

/* the class that an operation's end counts as */
enum ph_call_class wk_health_class(const struct wk_op *op);

/* The item of an operation that has ended; nothing when it ended by a lack of
 * our own, since a worker under load must not open breakers, or without a
 * call. */
void wk_health_item(struct ph_buf *out, const struct wk_op *op);

/* an item for the next answer, whoever's; none is none */
void wk_health_later(struct wk_worker *worker, struct ph_str item);

/* own items first, then those that wait and fit; waiting ones are taken */
void wk_health_take(struct wk_worker *worker, struct ph_str own,
                    struct ph_buf *out);

#endif

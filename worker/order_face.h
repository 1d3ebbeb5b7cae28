/*
 * order_face.h - an attempt's rows as the adapters see an order.
 */
#ifndef WK_ORDER_FACE_H
#define WK_ORDER_FACE_H

#include "channels/channel.h"
#include "worker/worker.h"
#include "worker/row.h"

/* Texts are views into the rows, but our notice address, which is made in the
 * arena: {pay.public_url}/notify/{channel}/{account}. */
struct ph_channel_order wk_order_face(const struct wk_worker  *worker,
                                      const struct wk_payment *payment,
                                      const struct wk_attempt *attempt,
                                      struct ph_arena         *arena);

#endif

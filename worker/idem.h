/*
 * idem.h - Idempotency-Key: the answer to a signed POST is kept and told again,
 * byte for byte, for pay.idempotency_ttl.
 *
 *   [key] -> kept? --yes: same body -> that answer; other body -> 422
 *               '--no--> the handler -> wk_reply -> kept -> the caller
 *
 * It stands around the handlers, which know nothing of it.  Only answers that
 * did something (2xx) are kept.  Of two with one key the first that is kept is
 * told to both.  The key guards an answer, order_no and refund_no guard the
 * money: without a row here, or a database to write it, those still do.
 * @thread loop.
 */
#ifndef WK_IDEM_H
#define WK_IDEM_H

#include "worker/server.h"

/* true = a signed POST with a key that nobody has looked up yet */
bool wk_idem_is_due(const struct wk_request *request);

/* Answers, or calls go() later: then the handler is next. */
void wk_idem_ask(struct wk_request *request,
                 void (*go)(struct wk_request *request));

/* Takes the reply to keep it first; it comes back as wk_reply().  false = it
 * is not one to keep. */
bool wk_idem_take(struct wk_request     *request,
                  const struct wk_reply *reply) PH_MUST_CHECK;

#endif

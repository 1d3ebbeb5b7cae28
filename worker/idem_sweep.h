/*
 * idem_sweep.h - a janitor's housekeeping of `idem`: answers that are older
 * than pay.idempotency_ttl are deleted, a thousand rows a commit.
 *
 * Eight times in that span, at least every minute; at once again while there is
 * more.  @thread loop.
 */
#ifndef WK_IDEM_SWEEP_H
#define WK_IDEM_SWEEP_H

#include "worker/worker.h"

/* NULL = no memory */
struct wk_idem_sweep *wk_idem_sweep_new(struct wk_worker *worker) PH_MUST_CHECK;
void                  wk_idem_sweep_stop(struct wk_idem_sweep *sweep);
void wk_idem_sweep_free(struct wk_idem_sweep *sweep); /* none under way */

#endif

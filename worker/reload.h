/*
 * reload.h - SIGHUP: payhub.conf read anew, taken whole or refused whole.
 *
 * Configuration is an immutable snapshot behind worker->conf.  A reload parses
 * and judges the file and the environment, then changes that one pointer; the
 * one before stays for RELOAD_KEEP_MS, so that whoever reads through it on a
 * store thread may finish.  A key that needs a restart keeps its value, and the
 * log names it.  @thread loop.
 */
#ifndef WK_RELOAD_H
#define WK_RELOAD_H

#include "worker/worker.h"

struct wk_reload;

/* `first` is worker->conf of the start and outlives this.  path: as for
 * ph_conf_load().  NULL = no memory.  @owns: caller, wk_reload_free(). */
struct wk_reload *wk_reload_new(struct wk_worker     *worker,
                                const struct ph_conf *first,
                                const char           *path) PH_MUST_CHECK;

/* Says in the log what came of it; the old values stay when it is refused. */
void wk_reload_now(struct wk_reload *reload);

void wk_reload_stop(struct wk_reload *reload); /* no timer is left */
void wk_reload_free(struct wk_reload *reload); /* nobody reads any more */

#endif

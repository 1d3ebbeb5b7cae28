/*
 * hook_look.h - takes due rows of the queue `hook` by lease and delivers their
 * tasks: the part of a process with the role notify that works without any
 * janitor, as the janitor works without it.  @thread loop.
 */
#ifndef WK_HOOK_LOOK_H
#define WK_HOOK_LOOK_H

#include "worker/worker.h"

struct wk_hooks *wk_hooks_new(struct wk_worker *worker) PH_MUST_CHECK;

/* No more is taken; who waits for a place goes back to `work`. */
void wk_hooks_stop(struct wk_hooks *hooks);
void wk_hooks_free(struct wk_hooks *hooks); /* nothing under way */

#endif

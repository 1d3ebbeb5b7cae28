/*
 * redis_wait.h - whether what was written on one link is at replicas, too.
 *
 * Redis counts for WAIT what this very connection wrote last, so it is asked
 * where the write was.  One WAIT is under way at a time and speaks for all who
 * wrote before it: a master whose replicas are away holds nobody up for longer
 * than two of them.  @thread loop.
 */
#ifndef WK_REDIS_WAIT_H
#define WK_REDIS_WAIT_H

#include "worker/redis_link.h"

#define WK_REDIS_WAIT_MS 50 /* or half of redis.timeout when that is less */

struct wk_redis_wait {
    /* set by the owner */
    struct wk_redis_link *link;
    int64_t               replicas; /* that must have it */

    /* private */
    struct wk_confirm *asked; /* the WAIT under way is theirs */
    struct wk_confirm *later; /* the next one will be */
};

/* From within an answer of this link; done() comes on a later turn.  False =
 * the link is down, nothing was asked. */
bool wk_redis_wait_ask(struct wk_redis_wait *wait,
                       struct wk_confirm    *confirm) PH_MUST_CHECK;

#endif

/*
 * redis_sub.h - who waits for what is published: one subscriber link, waiters
 * by channel.
 *
 * A wake-up may be lost (the link is down, the holder died), so a waiter looks
 * now and then by itself; it looks once more when listening has begun, since
 * what was told before that moment went past it.  Of those that wait in one
 * channel the first is woken.  @thread loop.
 */
#ifndef WK_REDIS_SUB_H
#define WK_REDIS_SUB_H

#include <uv.h>

#include "libpayhub/base/conf.h"

#define WK_WAITERS_MAX 4096
#define WK_CHANNEL_MAX 224

struct wk_redis;
struct wk_redis_sub;
struct wk_sub_channel;

struct wk_waiter {
    /* set by the caller */
    void (*wake)(struct wk_waiter *waiter);
    void *data;

    /* private */
    struct wk_sub_channel *channel; /* NULL = does not wait */
    struct wk_waiter      *prev, *next;
};

/* conf outlives it.  NULL = no memory.  @owns: caller, wk_redis_sub_free(). */
struct wk_redis_sub *wk_redis_sub_new(uv_loop_t            *loop,
                                      const struct ph_conf *conf,
                                      struct wk_redis *redis) PH_MUST_CHECK;

/* False = too many, or no memory: look by yourself. */
bool wk_redis_sub_join(struct wk_redis_sub *sub, struct wk_waiter *waiter,
                       struct ph_str channel) PH_MUST_CHECK;
void wk_redis_sub_leave(struct wk_redis_sub *sub, struct wk_waiter *waiter);

/* Whether what is published from now on will be heard. */
bool wk_redis_sub_hears(const struct wk_waiter *waiter);

void wk_redis_sub_stop(struct wk_redis_sub *sub);
void wk_redis_sub_free(struct wk_redis_sub *sub);

#endif

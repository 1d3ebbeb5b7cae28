/*
 * redis_link.h - one connection to one Redis: hiredis on our loop.
 *
 * hiredis 0.14 knows no timeouts, so this file has its own: a link on which
 * something was asked and nothing answered for that long is dead, and all who
 * wait on it are told so.  It does not come back by itself.  @thread loop.
 */
#ifndef WK_REDIS_LINK_H
#define WK_REDIS_LINK_H

#include <uv.h>

#include "libpayhub/base/redis_place.h"
#include "libpayhub/io/redis_login.h"
#include "worker/redis.h"

struct redisAsyncContext;

enum wk_link_state { WK_LINK_DOWN = 0, WK_LINK_CONNECTING, WK_LINK_OPEN };

struct wk_redis_link {
    /* set by the owner */
    uv_loop_t            *loop;
    uint64_t              timeout_ns;
    struct ph_redis_login login; /* goes ahead of the first question */
    void (*open)(struct wk_redis_link *link);
    void (*down)(struct wk_redis_link *link, const char *why);
    void (*message)(struct wk_redis_link    *link,
                    const struct redisReply *reply); /* of a listener */
    struct wk_redis *redis; /* handed to answers; may be NULL */
    void            *data;

    enum wk_link_state state;
    bool               is_refused; /* it does not let us in, or not do that */

    /* private */
    struct redisAsyncContext *context;
    uint64_t                  progress_ns; /* last answer, or first question */
    size_t                    asked;       /* questions without an answer */
};

/* Only when it is down; ends in open() or down(), perhaps at once. */
void wk_redis_link_connect(struct wk_redis_link        *link,
                           const struct ph_redis_place *place);

/* False = nothing was sent, answer is not called.  It may be NULL. */
bool wk_redis_link_ask(struct wk_redis_link *link, wk_redis_answer answer,
                       void *data, const struct ph_str *args,
                       size_t count) PH_MUST_CHECK;

/* SUBSCRIBE and UNSUBSCRIBE; what comes of them goes to message().  hiredis
 * 0.14 cannot bear a link that gave up its last channel: keep one. */
bool wk_redis_link_listen(struct wk_redis_link *link, const struct ph_str *args,
                          size_t count) PH_MUST_CHECK;

/* Now and then: ends a link that is silent. */
void wk_redis_link_tick(struct wk_redis_link *link, uint64_t now_ns);

/* Ends it; down() is called.  Accepts one that is down: nothing happens. */
void wk_redis_link_drop(struct wk_redis_link *link, const char *why);

/* The same for an error that was answered. */
void wk_redis_link_drop_for(struct wk_redis_link    *link,
                            const struct redisReply *error);

#endif

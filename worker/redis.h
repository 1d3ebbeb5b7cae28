/*
 * redis.h - the asynchronous link to Redis: one server, the master that
 * Sentinels name (redis.sentinels), or a Cluster (redis.cluster).
 *
 * Comes back by itself; on each connect it makes sure of the function library.
 * A link on which something was asked and nothing answered for redis.timeout
 * is dead, and all who wait on it are told so.  In a Cluster a question goes
 * to the master of its first key; all its keys must have one hash tag.
 * @thread loop.
 */
#ifndef WK_REDIS_H
#define WK_REDIS_H

#include <uv.h>

#include "libpayhub/base/conf.h"

struct redisReply;
struct wk_redis;

#define WK_REDIS_ARGS_MAX 144

/* reply NULL = away; exactly once for each wk_redis_ask() that returned true */
typedef void (*wk_redis_answer)(struct wk_redis         *redis,
                                const struct redisReply *reply, void *data);

/* conf outlives it.  NULL = no memory.  @owns: caller, wk_redis_free(). */
struct wk_redis *wk_redis_new(uv_loop_t            *loop,
                              const struct ph_conf *conf) PH_MUST_CHECK;

/* false = away: nothing was sent, answer is not called.  May be NULL. */
bool wk_redis_ask(struct wk_redis *redis, wk_redis_answer answer, void *data,
                  const struct ph_str *args, size_t count) PH_MUST_CHECK;

/* Who must know whether what he wrote is at replicas. */
struct wk_confirm {
    /* set by the caller */
    void (*done)(struct wk_confirm *confirm, bool is_there);
    void *data;

    /* private */
    struct wk_confirm *next;
};

/* redis.wait_replicas; 0 = nobody asks */
bool wk_redis_has_replicas(const struct wk_redis *redis);

/*
 * Whether what the question wrote whose answer is being looked at is at
 * redis.wait_replicas replicas: only from within that answer.  done() is called
 * on a later turn; false = the link is down, it is not.
 */
bool wk_redis_confirm(struct wk_redis   *redis,
                      struct wk_confirm *confirm) PH_MUST_CHECK;

/* The server refused one of our functions: connect anew, look for the library
 * and load it when it is gone. */
void wk_redis_distrust(struct wk_redis *redis);

/* In a Cluster: every master is there and every slot has one. */
bool wk_redis_is_up(const struct wk_redis *redis);

/* a server that is up, for who needs a link of his own; NULL = none.  Holds
 * until the loop turns. */
struct ph_redis_place;
const struct ph_redis_place *wk_redis_place(const struct wk_redis *redis);

void wk_redis_stop(struct wk_redis *redis); /* closes its handles */
void wk_redis_free(struct wk_redis *redis); /* after the loop has ended */

#endif

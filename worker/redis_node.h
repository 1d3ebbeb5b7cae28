/*
 * redis_node.h - a master that we use: a link that comes back by itself, and
 * is up only when its server has our function library.
 *
 *   DOWN --tick--> CONNECTING -> [AUTH] [ROLE] -> ph_version
 *    ^                                    -> [FUNCTION LOAD] -> UP
 *    '----------------- refused, closed, silent, not a master ------'
 * @thread loop.
 */
#ifndef WK_REDIS_NODE_H
#define WK_REDIS_NODE_H

#include "worker/redis_link.h"
#include "worker/redis_wait.h"

struct wk_redis_node {
    /* set by the owner, with link.login */
    struct ph_redis_place place;
    bool                  is_placed; /* place is known */
    bool                  asks_role; /* a server that is no master is bad */
    void (*gone)(struct wk_redis_node *node); /* it went down; may be NULL */

    bool                 is_up;
    struct wk_redis_link link;
    struct wk_redis_wait wait;

    /* private */
    uint64_t retry_ms;
    uint64_t retry_at_ns;
    bool     was_said;         /* that it is away */
    bool     was_refusal_said; /* that it does not let us in */
    bool     is_stopping;
};

void wk_redis_node_init(struct wk_redis_node *node, uv_loop_t *loop,
                        uint64_t timeout_ns, struct wk_redis *redis);

/* It listens there from now on: another place ends the link. */
void wk_redis_node_move(struct wk_redis_node        *node,
                        const struct ph_redis_place *place);

void wk_redis_node_tick(struct wk_redis_node *node, uint64_t now_ns);
void wk_redis_node_drop(struct wk_redis_node *node, const char *why);
void wk_redis_node_stop(struct wk_redis_node *node);

#endif

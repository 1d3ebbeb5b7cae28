/*
 * redis_int.h - what redis.c and redis_cluster.c share.
 */
#ifndef WK_REDIS_INT_H
#define WK_REDIS_INT_H

#include "libpayhub/base/crc16.h"
#include "worker/redis_node.h"
#include "worker/redis_where.h"

#define WK_REDIS_NODES_MAX 32
#define WK_REDIS_NO_NODE 0xff

struct wk_redis {
    uv_loop_t            *loop;
    uv_timer_t            tick;
    uint64_t              timeout_ns;
    int64_t               wait_replicas;
    struct ph_redis_login login; /* of the nodes */
    bool                  is_cluster;
    char master[PH_CONF_LINE_MAX]; /* its name at the Sentinels */

    /* one, or the masters of a Cluster; not moved while the process lives */
    struct wk_redis_node  node[WK_REDIS_NODES_MAX];
    size_t                node_count;
    struct wk_redis_node *answered; /* gave the answer that is looked at */
    struct wk_redis_where where;    /* count 0 = nobody to ask */

    /* of a Cluster */
    uint8_t owner[PH_REDIS_SLOTS]; /* index in node[] */
    size_t  slots_known;
};

/* redis_cluster.c */
bool wk_redis_cluster_ask(struct wk_redis *redis, wk_redis_answer answer,
                          void *data, const struct ph_str *args,
                          size_t count) PH_MUST_CHECK;
void wk_redis_cluster_init(struct wk_redis *redis);
bool wk_redis_cluster_is_up(const struct wk_redis *redis);

#endif

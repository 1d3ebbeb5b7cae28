/*
 * redis.c - Redis as the jobs see it: one server, the master that Sentinels
 * name, or a Cluster; see redis.h.
 */
#include "worker/redis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/redis_int.h"

#define TICK_MIN_MS 10
#define TICK_MAX_MS 50
#define NS_PER_MS UINT64_C(1000000)

/* ---- one server, or Sentinels ---- */

/* [host, port] of the master; nil = this one does not know the name */
static bool
sentinel_told(struct wk_redis_where *where, const redisReply *reply)
{
    struct wk_redis      *redis = where->data;
    struct ph_redis_place place;
    uint64_t              port;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING
        || !ph_str_u64(ph_str_z(reply->element[1]->str), UINT16_MAX, &port)
        || !ph_redis_place_make(ph_str_make(reply->element[0]->str,
                                            (size_t) reply->element[0]->len),
                                (int64_t) port, &place))
    {
        return false;
    }
    wk_redis_node_move(&redis->node[0], &place);
    return true;
}

/* It may have been told wrongly, or the master has changed meanwhile. */
static void
node_gone(struct wk_redis_node *node)
{
    wk_redis_where_hurry(&node->link.redis->where);
}

static void
one_init(struct wk_redis *redis, const struct ph_conf *conf)
{
    struct wk_redis_node  *node  = &redis->node[0];
    struct wk_redis_where *where = &redis->where;
    const char            *host  = ph_conf_text(conf, PH_CONF_redis_host);
    const char            *path  = ph_conf_text(conf, PH_CONF_redis_socket);

    redis->node_count = 1;
    wk_redis_node_init(node, redis->loop, redis->timeout_ns, redis);
    node->wait.replicas = redis->wait_replicas;
    node->link.login    = redis->login;
    if (where->count == 0) {
        node->is_placed
            = host[0] != '\0'
                  ? ph_redis_place_make(
                      ph_str_z(host), ph_conf_number(conf, PH_CONF_redis_port),
                      &node->place)
                  : ph_redis_place_make(ph_str_z(path), 0, &node->place);
        return;
    }
    node->asks_role    = true;
    node->gone         = node_gone;
    where->question[0] = PH_STR("SENTINEL");
    where->question[1] = PH_STR("get-master-addr-by-name");
    where->question[2] = ph_str_z(redis->master);
    where->words       = 3;
    where->told        = sentinel_told;
}

static void
redis_tick(uv_timer_t *timer)
{
    struct wk_redis *redis  = timer->data;
    uint64_t         now_ns = ph_monotonic_ns();

    wk_redis_where_tick(&redis->where, now_ns);
    for (size_t i = 0; i < redis->node_count; i++) {
        wk_redis_node_tick(&redis->node[i], now_ns);
    }
}

/* ---- the face ---- */

bool
wk_redis_ask(struct wk_redis *redis, wk_redis_answer answer, void *data,
             const struct ph_str *args, size_t count)
{
    if (redis->is_cluster) {
        return wk_redis_cluster_ask(redis, answer, data, args, count);
    }
    return redis->node[0].is_up
           && wk_redis_link_ask(&redis->node[0].link, answer, data, args,
                                count);
}

bool
wk_redis_has_replicas(const struct wk_redis *redis)
{
    return redis->wait_replicas != 0;
}

/* The node whose answer is being looked at. */
static struct wk_redis_node *
node_answered(struct wk_redis *redis)
{
    return redis->is_cluster ? redis->answered : &redis->node[0];
}

bool
wk_redis_confirm(struct wk_redis *redis, struct wk_confirm *confirm)
{
    struct wk_redis_node *node = node_answered(redis);

    return node != NULL && wk_redis_wait_ask(&node->wait, confirm);
}

void
wk_redis_distrust(struct wk_redis *redis)
{
    struct wk_redis_node *node = node_answered(redis);

    if (node != NULL && node->is_up) {
        wk_redis_node_drop(node, "a function was refused");
    }
}

bool
wk_redis_is_up(const struct wk_redis *redis)
{
    return redis->is_cluster ? wk_redis_cluster_is_up(redis)
                             : redis->node[0].is_up;
}

const struct ph_redis_place *
wk_redis_place(const struct wk_redis *redis)
{
    for (size_t i = 0; i < redis->node_count; i++) {
        if (redis->node[i].is_up) {
            return &redis->node[i].place;
        }
    }
    return NULL;
}

/* Found "both" or "neither", expected one of them with what it needs. */
static bool
conf_agrees(const struct ph_conf *conf)
{
    bool has_cluster   = ph_conf_text(conf, PH_CONF_redis_cluster)[0] != '\0';
    bool has_sentinels = ph_conf_text(conf, PH_CONF_redis_sentinels)[0] != '\0';
    bool has_master    = ph_conf_text(conf, PH_CONF_redis_master)[0] != '\0';

    if ((has_cluster && has_sentinels) || has_sentinels != has_master) {
        ph_log(PH_LOG_ERROR, "redis_conf",
               { "expected", PH_STR("redis.cluster, or redis.sentinels with "
                                    "redis.master, or neither") });
        return false;
    }
    return true;
}

static bool
redis_init(struct wk_redis *redis, const struct ph_conf *conf)
{
    const char   *cluster   = ph_conf_text(conf, PH_CONF_redis_cluster);
    const char   *sentinels = ph_conf_text(conf, PH_CONF_redis_sentinels);
    struct ph_buf master    = PH_BUF_INIT(redis->master);

    ph_buf_add(&master, ph_str_z(ph_conf_text(conf, PH_CONF_redis_master)));
    (void) ph_buf_z(&master);
    if (!conf_agrees(conf)) {
        return false;
    }
    if (!ph_redis_places_parse(
            ph_str_z(cluster[0] != '\0' ? cluster : sentinels),
            redis->where.places, &redis->where.count))
    {
        return false; /* conf_rules.c has refused it before */
    }
    redis->where.data = redis;
    wk_redis_where_init(&redis->where, redis->loop, redis->timeout_ns);
    redis->login            = ph_redis_login(conf, PH_REDIS_SERVER);
    redis->where.link.login = ph_redis_login(
        conf, cluster[0] != '\0' ? PH_REDIS_SERVER : PH_REDIS_SENTINEL);
    if (cluster[0] != '\0') {
        wk_redis_cluster_init(redis);
    } else {
        one_init(redis, conf);
    }
    return true;
}

struct wk_redis *
wk_redis_new(uv_loop_t *loop, const struct ph_conf *conf)
{
    struct wk_redis *redis      = calloc(1, sizeof(*redis));
    int64_t          timeout_ms = ph_conf_number(conf, PH_CONF_redis_timeout);
    int64_t          tick_ms    = timeout_ms / 4;

    if (redis == NULL) {
        return NULL;
    }
    redis->loop          = loop;
    redis->timeout_ns    = (uint64_t) timeout_ms * NS_PER_MS;
    redis->tick.data     = redis;
    redis->wait_replicas = ph_conf_number(conf, PH_CONF_redis_wait_replicas);
    if (!redis_init(redis, conf)) {
        free(redis);
        return NULL;
    }
    (void) uv_timer_init(loop, &redis->tick);
    if (tick_ms > TICK_MAX_MS) {
        tick_ms = TICK_MAX_MS;
    }
    if (tick_ms < TICK_MIN_MS) {
        tick_ms = TICK_MIN_MS;
    }
    (void) uv_timer_start(&redis->tick, redis_tick, 0, (uint64_t) tick_ms);
    return redis;
}

void
wk_redis_stop(struct wk_redis *redis)
{
    uv_close((uv_handle_t *) &redis->tick, NULL);
    wk_redis_where_stop(&redis->where);
    for (size_t i = 0; i < redis->node_count; i++) {
        wk_redis_node_stop(&redis->node[i]);
    }
}

void
wk_redis_free(struct wk_redis *redis)
{
    free(redis);
}

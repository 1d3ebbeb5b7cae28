/* redis_node.c - a master that we use; see redis_node.h. */
#include "worker/redis_node.h"

#include <hiredis/hiredis.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"

#define RECONNECT_MIN_MS 50
#define RECONNECT_MAX_MS 2000
#define NS_PER_MS UINT64_C(1000000)

static struct ph_str
place_text(const struct wk_redis_node *node, struct ph_buf *out)
{
    ph_redis_place_text(&node->place, out);
    return ph_buf_str(out);
}

static void
node_on_down(struct wk_redis_link *link, const char *why)
{
    struct wk_redis_node *node = link->data;
    char                  memory[PH_REDIS_HOST_MAX + 8];
    struct ph_buf         at = PH_BUF_INIT(memory);

    bool is_news
        = !node->was_said || (link->is_refused && !node->was_refusal_said);

    if (is_news && !node->is_stopping) {
        ph_log(PH_LOG_WARN, "redis_away", { "at", place_text(node, &at) },
               { "why", ph_str_z(why) });
        node->was_said         = true;
        node->was_refusal_said = link->is_refused;
    }
    node->is_up       = false;
    node->retry_at_ns = ph_monotonic_ns() + node->retry_ms * NS_PER_MS;
    node->retry_ms = node->retry_ms * 2 < RECONNECT_MAX_MS ? node->retry_ms * 2
                                                           : RECONNECT_MAX_MS;
    if (node->gone != NULL && !node->is_stopping) {
        node->gone(node);
    }
}

static void
node_set_up(struct wk_redis_node *node)
{
    char          memory[PH_REDIS_HOST_MAX + 8];
    struct ph_buf at = PH_BUF_INIT(memory);

    node->is_up            = true;
    node->retry_ms         = RECONNECT_MIN_MS;
    node->was_said         = false;
    node->was_refusal_said = false;
    ph_log(PH_LOG_INFO, "redis_up", { "at", place_text(node, &at) },
           { "library", ph_log_i64((int64_t) ph_redis_library_version) });
}

static bool
is_refusal(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR
           && ph_redis_is_refusal(ph_str_make(reply->str, (size_t) reply->len));
}

static void
node_on_load(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_node *node = data;

    (void) redis;
    if (reply == NULL) {
        return; /* the link died, and said so */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        node->retry_ms = RECONNECT_MAX_MS;
        wk_redis_link_drop_for(&node->link, reply);
        return;
    }
    node_set_up(node);
}

static void
node_on_version(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_node *node = data;

    (void) redis;
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0
        && (unsigned long) reply->integer >= ph_redis_library_version)
    {
        node_set_up(node);
        return;
    }
    if (is_refusal(reply)) {
        wk_redis_link_drop_for(&node->link, reply);
        return;
    }
    const struct ph_str load[]
        = { PH_STR("FUNCTION"), PH_STR("LOAD"), PH_STR("REPLACE"),
            ph_str_z(ph_redis_library) };
    if (!wk_redis_link_ask(&node->link, node_on_load, node, load,
                           PH_COUNT(load))) {
        wk_redis_link_drop(&node->link, "cannot ask");
    }
}

static void
node_check_library(struct wk_redis_node *node)
{
    static const struct ph_str version[]
        = { PH_STR_INIT("FCALL"), PH_STR_INIT("ph_version"), PH_STR_INIT("0") };

    if (!wk_redis_link_ask(&node->link, node_on_version, node, version,
                           PH_COUNT(version)))
    {
        wk_redis_link_drop(&node->link, "cannot ask");
    }
}

static void
node_on_role(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_node *node = data;

    (void) redis;
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_STRING
        && ph_str_eq(ph_str_make(reply->element[0]->str,
                                 (size_t) reply->element[0]->len),
                     PH_STR("master")))
    {
        node_check_library(node);
    } else if (is_refusal(reply)) {
        wk_redis_link_drop_for(&node->link, reply);
    } else {
        wk_redis_link_drop(&node->link, "it is not a master");
    }
}

static void
node_on_open(struct wk_redis_link *link)
{
    static const struct ph_str role[] = { PH_STR_INIT("ROLE") };
    struct wk_redis_node      *node   = link->data;

    if (!node->asks_role) {
        node_check_library(node);
    } else if (!wk_redis_link_ask(link, node_on_role, node, role, 1)) {
        wk_redis_link_drop(link, "cannot ask");
    }
}

void
wk_redis_node_tick(struct wk_redis_node *node, uint64_t now_ns)
{
    if (node->link.state != WK_LINK_DOWN) {
        wk_redis_link_tick(&node->link, now_ns);
    } else if (node->is_placed && now_ns >= node->retry_at_ns) {
        wk_redis_link_connect(&node->link, &node->place);
    }
}

void
wk_redis_node_move(struct wk_redis_node        *node,
                   const struct ph_redis_place *place)
{
    if (node->is_placed && ph_redis_place_same(&node->place, place)) {
        return;
    }
    wk_redis_link_drop(&node->link, "the master is elsewhere");
    node->place       = *place;
    node->is_placed   = true;
    node->retry_ms    = RECONNECT_MIN_MS;
    node->retry_at_ns = 0;
}

void
wk_redis_node_drop(struct wk_redis_node *node, const char *why)
{
    wk_redis_link_drop(&node->link, why);
}

void
wk_redis_node_stop(struct wk_redis_node *node)
{
    node->is_stopping = true;
    wk_redis_link_drop(&node->link, "stopping");
}

void
wk_redis_node_init(struct wk_redis_node *node, uv_loop_t *loop,
                   uint64_t timeout_ns, struct wk_redis *redis)
{
    *node                 = (struct wk_redis_node){ 0 };
    node->retry_ms        = RECONNECT_MIN_MS;
    node->link.loop       = loop;
    node->link.timeout_ns = timeout_ns;
    node->link.redis      = redis;
    node->link.data       = node;
    node->link.open       = node_on_open;
    node->link.down       = node_on_down;
    node->wait.link       = &node->link;
}

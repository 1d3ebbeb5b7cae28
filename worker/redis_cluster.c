/*
 * redis_cluster.c - which master of a Cluster has a key, and what to do when
 * it is another one.
 *
 * The map comes from CLUSTER SLOTS (redis_where.h).  MOVED corrects one slot
 * and asks for the map again, ASK sends one question elsewhere; the question
 * is sent again, at most five times, and then counts as not answered.  A key
 * whose master is away is away: nobody else may speak for it.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/log.h"
#include "worker/redis_int.h"

#define REDIRECTS_MAX 5

/* A question that may have to be sent again. */
struct routed {
    struct wk_redis      *redis;
    wk_redis_answer       answer;
    void                 *data;
    struct wk_redis_node *node; /* asked last */
    unsigned              redirects;
    size_t                count;
    struct ph_str         args[]; /* and their bytes */
};

/* ---- the map ---- */

static struct wk_redis_node *
node_find(struct wk_redis *redis, const struct ph_redis_place *place)
{
    for (size_t i = 0; i < redis->node_count; i++) {
        if (redis->node[i].is_placed
            && ph_redis_place_same(&redis->node[i].place, place))
        {
            return &redis->node[i];
        }
    }
    return NULL;
}

/* Its index, or WK_REDIS_NO_NODE when there are too many. */
static uint8_t
node_of(struct wk_redis *redis, const struct ph_redis_place *place)
{
    struct wk_redis_node *node = node_find(redis, place);

    for (size_t i = 0; node == NULL && i < redis->node_count; i++) {
        if (!redis->node[i].is_placed) {
            node = &redis->node[i]; /* of a master that is gone */
        }
    }
    if (node == NULL) {
        if (redis->node_count == WK_REDIS_NODES_MAX) {
            ph_log(PH_LOG_ERROR, "redis_cluster_large",
                   { "most", ph_log_i64(WK_REDIS_NODES_MAX) });
            return WK_REDIS_NO_NODE;
        }
        node = &redis->node[redis->node_count++];
        wk_redis_node_init(node, redis->loop, redis->timeout_ns, redis);
        node->asks_role     = true;
        node->link.login    = redis->login;
        node->wait.replicas = redis->wait_replicas;
    }
    if (!node->is_placed) {
        wk_redis_node_move(node, place);
        wk_redis_node_tick(node, UINT64_MAX); /* connect at once */
    }
    return (uint8_t) (node - redis->node);
}

static bool
reply_is(const redisReply *reply, int type)
{
    return reply != NULL && reply->type == type;
}

/* One row of CLUSTER SLOTS: first, last, master [host, port, ...], ... */
static bool
range_read(struct wk_redis *redis, const redisReply *row,
           uint8_t owner[PH_REDIS_SLOTS])
{
    struct ph_redis_place place;

    if (!reply_is(row, REDIS_REPLY_ARRAY) || row->elements < 3
        || !reply_is(row->element[0], REDIS_REPLY_INTEGER)
        || !reply_is(row->element[1], REDIS_REPLY_INTEGER)
        || !reply_is(row->element[2], REDIS_REPLY_ARRAY)
        || row->element[2]->elements < 2
        || !reply_is(row->element[2]->element[1], REDIS_REPLY_INTEGER))
    {
        return false;
    }
    const redisReply *host  = row->element[2]->element[0];
    long long         first = row->element[0]->integer;
    long long         last  = row->element[1]->integer;
    struct ph_str name = ph_str_z(wk_redis_where_place(&redis->where)->host);

    if (reply_is(host, REDIS_REPLY_STRING) && host->len != 0) {
        name = ph_str_make(host->str, (size_t) host->len);
    }
    if (first < 0 || last >= PH_REDIS_SLOTS || first > last
        || !ph_redis_place_make(name, row->element[2]->element[1]->integer,
                                &place))
    {
        return false;
    }
    uint8_t index = node_of(redis, &place);

    memset(owner + first, index, (size_t) (last - first + 1));
    return index != WK_REDIS_NO_NODE;
}

/* Masters that own nothing any more are left alone; their place is free. */
static void
nodes_prune(struct wk_redis *redis)
{
    bool used[WK_REDIS_NODES_MAX] = { false };

    redis->slots_known = 0;
    for (size_t slot = 0; slot < PH_REDIS_SLOTS; slot++) {
        if (redis->owner[slot] != WK_REDIS_NO_NODE) {
            used[redis->owner[slot]] = true;
            redis->slots_known++;
        }
    }
    for (size_t i = 0; i < redis->node_count; i++) {
        if (!used[i] && redis->node[i].is_placed) {
            redis->node[i].is_placed = false;
            redis->node[i].was_said  = true; /* it is not missed */
            wk_redis_node_drop(&redis->node[i], "it owns no slots any more");
        }
    }
}

static bool
cluster_on_slots(struct wk_redis_where *where, const redisReply *reply)
{
    struct wk_redis *redis = where->data;
    uint8_t          owner[PH_REDIS_SLOTS];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return false;
    }
    memset(owner, WK_REDIS_NO_NODE, sizeof(owner));
    for (size_t i = 0; i < reply->elements; i++) {
        if (!range_read(redis, reply->element[i], owner)) {
            return false;
        }
    }
    memcpy(redis->owner, owner, sizeof(owner));
    nodes_prune(redis);
    return true;
}

void
wk_redis_cluster_init(struct wk_redis *redis)
{
    struct wk_redis_where *where = &redis->where;

    redis->is_cluster = true;
    memset(redis->owner, WK_REDIS_NO_NODE, sizeof(redis->owner));
    where->question[0] = PH_STR("CLUSTER");
    where->question[1] = PH_STR("SLOTS");
    where->words       = 2;
    where->told        = cluster_on_slots;
}

bool
wk_redis_cluster_is_up(const struct wk_redis *redis)
{
    for (size_t i = 0; i < redis->node_count; i++) {
        if (redis->node[i].is_placed && !redis->node[i].is_up) {
            return false;
        }
    }
    return redis->slots_known == PH_REDIS_SLOTS;
}

/* ---- questions ---- */

/* {NULL, 0} = it has none, any master will do */
static struct ph_str
question_key(const struct ph_str *args, size_t count)
{
    bool is_call = count > 2
                   && (ph_str_eq(args[0], PH_STR("FCALL"))
                       || ph_str_eq(args[0], PH_STR("FCALL_RO")));

    if (is_call) {
        return count > 3 && !ph_str_eq(args[2], PH_STR("0"))
                   ? args[3]
                   : ph_str_make(NULL, 0);
    }
    return count > 1 ? args[1] : ph_str_make(NULL, 0);
}

static struct wk_redis_node *
node_at(struct wk_redis *redis, unsigned slot)
{
    uint8_t index = redis->owner[slot];

    return index != WK_REDIS_NO_NODE && redis->node[index].is_up
               ? &redis->node[index]
               : NULL;
}

static struct wk_redis_node *
node_for(struct wk_redis *redis, const struct ph_str *args, size_t count)
{
    struct ph_str         key = question_key(args, count);
    struct wk_redis_node *any = NULL;

    if (key.ptr != NULL) {
        return node_at(redis, ph_redis_slot(key));
    }
    for (size_t i = 0; any == NULL && i < redis->node_count; i++) {
        any = redis->node[i].is_up ? &redis->node[i] : NULL;
    }
    return any;
}

static void routed_on_answer(struct wk_redis *redis, const redisReply *reply,
                             void *data);

static bool
routed_send(struct routed *routed, struct wk_redis_node *node)
{
    routed->node = node;
    return node != NULL
           && wk_redis_link_ask(&node->link, routed_on_answer, routed,
                                routed->args, routed->count);
}

/* The node of "MOVED 3999 host:port" or "ASK ..."; its slot if it moved. */
static struct wk_redis_node *
redirect_read(struct routed *routed, struct ph_str text, bool *is_ask)
{
    struct wk_redis      *redis = routed->redis;
    struct ph_redis_place place;
    struct ph_str         word, slot_text, at;
    uint64_t              slot;

    if (!ph_str_cut(text, ' ', &word, &text)
        || !ph_str_cut(text, ' ', &slot_text, &at)
        || !ph_str_u64(slot_text, PH_REDIS_SLOTS - 1, &slot))
    {
        return NULL;
    }
    *is_ask = ph_str_eq(word, PH_STR("ASK"));
    if (at.len > 1 && at.ptr[0] == ':') { /* where the answer came from */
        uint64_t port;

        if (!ph_str_u64(ph_str_make(at.ptr + 1, at.len - 1), UINT16_MAX, &port)
            || !ph_redis_place_make(ph_str_z(routed->node->place.host),
                                    (int64_t) port, &place))
        {
            return NULL;
        }
    } else if (!ph_redis_place_parse(at, &place)) {
        return NULL;
    }
    uint8_t index = node_of(redis, &place);

    if (index == WK_REDIS_NO_NODE) {
        return NULL;
    }
    if (!*is_ask) {
        redis->owner[slot] = index;
        wk_redis_where_hurry(&redis->where);
    }
    return redis->node[index].is_up ? &redis->node[index] : NULL;
}

static bool
text_starts(const redisReply *reply, struct ph_str word)
{
    return ph_str_starts(ph_str_make(reply->str, (size_t) reply->len), word);
}

/* true = sent once more */
static bool
routed_again(struct routed *routed, const redisReply *reply)
{
    static const struct ph_str asking[] = { PH_STR_INIT("ASKING") };
    bool                       is_ask   = false;

    if (routed->redirects++ >= REDIRECTS_MAX) {
        return false;
    }
    struct wk_redis_node *node = redirect_read(
        routed, ph_str_make(reply->str, (size_t) reply->len), &is_ask);

    return node != NULL
           && (!is_ask || wk_redis_link_ask(&node->link, NULL, NULL, asking, 1))
           && routed_send(routed, node);
}

/* The Cluster is busy with itself: nothing was done, nobody answers. */
static bool
reply_is_no_answer(const redisReply *reply)
{
    return text_starts(reply, PH_STR("CLUSTERDOWN"))
           || text_starts(reply, PH_STR("TRYAGAIN"))
           || text_starts(reply, PH_STR("MASTERDOWN"))
           || text_starts(reply, PH_STR("LOADING"));
}

static void
routed_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct routed *routed = data;

    if (reply_is(reply, REDIS_REPLY_ERROR)) {
        if (text_starts(reply, PH_STR("MOVED "))
            || text_starts(reply, PH_STR("ASK "))) {
            if (routed_again(routed, reply)) {
                return;
            }
            reply = NULL;
        } else if (reply_is_no_answer(reply)) {
            wk_redis_where_hurry(&redis->where);
            reply = NULL;
        }
    }
    redis->answered = routed->node;
    if (routed->answer != NULL) {
        routed->answer(redis, reply, routed->data);
    }
    redis->answered = NULL;
    free(routed);
}

static struct routed *
routed_new(struct wk_redis *redis, wk_redis_answer answer, void *data,
           const struct ph_str *args, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += args[i].len;
    }
    size_t         head   = sizeof(struct routed) + count * sizeof(*args);
    struct routed *routed = malloc(head + bytes);

    if (routed == NULL) {
        return NULL;
    }
    char *to = (char *) routed + head;

    *routed = (struct routed){
        .redis = redis, .answer = answer, .data = data, .count = count
    };
    for (size_t i = 0; i < count; i++) {
        if (args[i].len != 0) {
            memcpy(to, args[i].ptr, args[i].len);
        }
        routed->args[i] = ph_str_make(to, args[i].len);
        to += args[i].len;
    }
    return routed;
}

bool
wk_redis_cluster_ask(struct wk_redis *redis, wk_redis_answer answer, void *data,
                     const struct ph_str *args, size_t count)
{
    struct wk_redis_node *node = node_for(redis, args, count);

    if (node == NULL || count > WK_REDIS_ARGS_MAX) {
        return false;
    }
    struct routed *routed = routed_new(redis, answer, data, args, count);

    if (routed == NULL || !routed_send(routed, node)) {
        free(routed);
        return false;
    }
    return true;
}

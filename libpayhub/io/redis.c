/*
 * redis.c - opening Redis connections, blocking: one server, the master that a
 * Sentinel names, or the master of a Cluster that has the key.
 */
#include <hiredis/hiredis.h>
#include <sys/time.h>

#include "libpayhub/base/crc16.h"
#include "libpayhub/base/redis_place.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/redis_login.h"

#define REDIS_LOAD_TRIES 3

/* "Redis WHERE: found ERROR, expected WHAT" */
static void
why_redis(struct ph_buf *why, const char *where, const char *found,
          const char *expected)
{
    ph_buf_add(why, PH_STR("Redis "));
    ph_buf_add(why, ph_str_z(where));
    ph_buf_add(why, PH_STR(": found \""));
    ph_buf_add(why, ph_str_z(found));
    ph_buf_add(why, PH_STR("\", expected "));
    ph_buf_add(why, ph_str_z(expected));
}

struct redisContext *
ph_redis_dial(const struct ph_redis_place *place, int64_t timeout_ms,
              struct ph_buf *why)
{
    struct timeval timeout = { (time_t) (timeout_ms / 1000),
                               (suseconds_t) (timeout_ms % 1000 * 1000) };
    redisContext  *redis
        = place->port == 0
              ? redisConnectUnixWithTimeout(place->host, timeout)
              : redisConnectWithTimeout(place->host, place->port, timeout);

    if (redis != NULL && redis->err == 0
        && redisSetTimeout(redis, timeout) == REDIS_OK)
    {
        return redis;
    }
    why_redis(why, place->host, redis != NULL ? redis->errstr : "no memory",
              "a running server; see [redis]");
    redisFree(redis);
    return NULL;
}

/* ---- logging in ---- */

static bool
words_append(redisContext *redis, const struct ph_str *word, size_t count)
{
    const char *texts[PH_REDIS_AUTH_WORDS];
    size_t      lens[PH_REDIS_AUTH_WORDS];

    for (size_t i = 0; i < count; i++) {
        texts[i] = word[i].ptr;
        lens[i]  = word[i].len;
    }
    return count == 0
           || redisAppendCommandArgv(redis, (int) count, texts, lens)
                  == REDIS_OK;
}

/* AUTH into what is sent first, when there is something to log in with. */
static bool
auth_append(redisContext *redis, const struct ph_redis_login *login, bool *asks,
            struct ph_buf *why)
{
    struct ph_redis_auth auth;
    bool                 ok = ph_redis_auth_read(login, &auth, why);

    *asks = ok && auth.count != 0;
    if (ok && !words_append(redis, auth.word, auth.count)) {
        why_redis(why, "AUTH", redis->errstr, "memory");
        ok = false;
    }
    ph_redis_auth_wipe(&auth);
    return ok;
}

/* NULL = it did not answer; an error is an answer too */
static redisReply *
reply_take(redisContext *redis, const char *what, struct ph_buf *why)
{
    void *reply = NULL;

    if (redisGetReply(redis, &reply) != REDIS_OK) {
        why_redis(why, what, redis->errstr, "an answer");
        return NULL;
    }
    return reply;
}

static bool
is_error(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR;
}

static void
why_refused(struct ph_buf *why, const char *what, const redisReply *reply,
            enum ph_redis_at at)
{
    why_redis(
        why, what, reply->str,
        ph_redis_expected(at, ph_str_make(reply->str, (size_t) reply->len)));
}

static bool
auth_take(redisContext *redis, enum ph_redis_at at, struct ph_buf *why)
{
    redisReply *reply = reply_take(redis, "AUTH", why);
    bool        ok    = reply != NULL && !is_error(reply);

    if (reply != NULL && !ok) {
        why_refused(why, "AUTH", reply, at);
    }
    freeReplyObject(reply);
    return ok;
}

bool
ph_redis_log_in(redisContext *redis, const struct ph_redis_login *login,
                struct ph_buf *why)
{
    bool asks;

    return auth_append(redis, login, &asks, why)
           && (!asks || auth_take(redis, login->at, why));
}

/*
 * The first question of a connection, behind AUTH in one write.  NULL = `why`
 * says what failed; an answer may be an error.
 */
static redisReply *
first_ask(redisContext *redis, const struct ph_redis_login *login,
          const struct ph_str *question, size_t words, struct ph_buf *why)
{
    bool asks;

    if (!auth_append(redis, login, &asks, why)) {
        return NULL;
    }
    if (!words_append(redis, question, words)) {
        why_redis(why, question[0].ptr, redis->errstr, "memory");
        return NULL;
    }
    return !asks || auth_take(redis, login->at, why)
               ? reply_take(redis, question[0].ptr, why)
               : NULL;
}

/* ---- who is the master ---- */

static bool
is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

static bool
sentinel_place(const redisReply *reply, struct ph_redis_place *place)
{
    uint64_t port;

    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
           && is_text(reply->element[0]) && is_text(reply->element[1])
           && ph_str_u64(ph_str_z(reply->element[1]->str), UINT16_MAX, &port)
           && ph_redis_place_make(ph_str_z(reply->element[0]->str),
                                  (int64_t) port, place);
}

/* Row [first, last, [host, port, ...], ...] that holds the slot. */
static bool
slots_place(const redisReply *reply, unsigned slot,
            struct ph_redis_place *place)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
         i++) {
        const redisReply *row = reply->element[i];

        if (row->type != REDIS_REPLY_ARRAY || row->elements < 3
            || row->element[0]->type != REDIS_REPLY_INTEGER
            || row->element[1]->type != REDIS_REPLY_INTEGER
            || row->element[0]->integer > (long long) slot
            || row->element[1]->integer < (long long) slot)
        {
            continue;
        }
        const redisReply *node = row->element[2];

        if (node->type != REDIS_REPLY_ARRAY || node->elements < 2
            || node->element[1]->type != REDIS_REPLY_INTEGER)
        {
            return false;
        }
        /* without a name it is the host that was asked */
        return ph_redis_place_make(is_text(node->element[0])
                                           && node->element[0]->len != 0
                                       ? ph_str_z(node->element[0]->str)
                                       : ph_str_z(place->host),
                                   node->element[1]->integer, place);
    }
    return false;
}

/* A dialled server is used only when it says that it is a master. */
static bool
master_log_in(redisContext *redis, const struct ph_redis_place *place,
              const struct ph_redis_login *login, struct ph_buf *why)
{
    const struct ph_str role  = PH_STR("ROLE");
    redisReply         *reply = first_ask(redis, login, &role, 1, why);
    bool                ok    = false;

    if (reply == NULL) {
        return false;
    }
    if (is_error(reply)) {
        why_refused(why, "ROLE", reply, login->at);
    } else {
        ok = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
             && is_text(reply->element[0])
             && strcmp(reply->element[0]->str, "master") == 0;
        if (!ok) {
            why_redis(why, place->host, "a server that is no master",
                      "the master; try again after the fail-over");
        }
    }
    freeReplyObject(reply);
    return ok;
}

/* What this one says about where to go; into *place, which was its own. */
static bool
place_ask(const char *name, unsigned slot, int64_t timeout_ms,
          const struct ph_redis_login *login, struct ph_redis_place *place,
          struct ph_buf *why)
{
    const struct ph_str sentinel[]
        = { PH_STR("SENTINEL"), PH_STR("get-master-addr-by-name"),
            ph_str_z(name) };
    const struct ph_str cluster[] = { PH_STR("CLUSTER"), PH_STR("SLOTS") };
    redisContext       *redis     = ph_redis_dial(place, timeout_ms, why);

    if (redis == NULL) {
        return false;
    }
    redisReply *reply
        = name != NULL
              ? first_ask(redis, login, sentinel, PH_COUNT(sentinel), why)
              : first_ask(redis, login, cluster, PH_COUNT(cluster), why);
    bool ok = reply != NULL
              && (name != NULL ? sentinel_place(reply, place)
                               : slots_place(reply, slot, place));

    if (reply != NULL && !ok) {
        bool is_refusal = is_error(reply)
                          && ph_redis_is_refusal(
                              ph_str_make(reply->str, (size_t) reply->len));

        if (is_refusal) {
            why_refused(why, place->host, reply, login->at);
        } else {
            why_redis(why, place->host,
                      is_error(reply) ? reply->str : "no such master",
                      name != NULL
                          ? "a Sentinel that watches redis.master"
                          : "a node of a Cluster that serves the slot");
        }
    }
    freeReplyObject(reply);
    redisFree(redis);
    return ok;
}

/* One after the other until one names a server that is a master. */
static redisContext *
master_open(const struct ph_conf *conf, const char *list, const char *name,
            unsigned slot, struct ph_buf *why)
{
    struct ph_redis_place place[PH_REDIS_PLACES_MAX];
    struct ph_redis_login login = ph_redis_login(conf, PH_REDIS_SERVER);
    struct ph_redis_login guide = ph_redis_login(
        conf, name != NULL ? PH_REDIS_SENTINEL : PH_REDIS_SERVER);
    int64_t ms    = ph_conf_number(conf, PH_CONF_redis_timeout);
    size_t  start = why->len, count;

    if (!ph_redis_places_parse(ph_str_z(list), place, &count)) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        ph_buf_cut(why, start);
        if (!place_ask(name, slot, ms, &guide, &place[i], why)) {
            continue;
        }
        redisContext *redis = ph_redis_dial(&place[i], ms, why);

        if (redis != NULL && master_log_in(redis, &place[i], &login, why)) {
            return redis;
        }
        redisFree(redis);
    }
    return NULL;
}

struct redisContext *
ph_redis_open_key(const struct ph_conf *conf, struct ph_str key,
                  struct ph_buf *why)
{
    const char *cluster   = ph_conf_text(conf, PH_CONF_redis_cluster);
    const char *sentinels = ph_conf_text(conf, PH_CONF_redis_sentinels);
    const char *host      = ph_conf_text(conf, PH_CONF_redis_host);
    const char *path      = ph_conf_text(conf, PH_CONF_redis_socket);
    struct ph_redis_place place;

    if (cluster[0] != '\0') {
        return master_open(conf, cluster, NULL, ph_redis_slot(key), why);
    }
    if (sentinels[0] != '\0') {
        return master_open(conf, sentinels,
                           ph_conf_text(conf, PH_CONF_redis_master), 0, why);
    }
    if (!ph_redis_place_make(
            ph_str_z(host[0] != '\0' ? host : path),
            host[0] != '\0' ? ph_conf_number(conf, PH_CONF_redis_port) : 0,
            &place))
    {
        why_redis(why, host[0] != '\0' ? host : path, "a name that is none",
                  "a host, or a path of at most 107 bytes; see [redis]");
        return NULL;
    }
    struct ph_redis_login login = ph_redis_login(conf, PH_REDIS_SERVER);
    redisContext         *redis = ph_redis_dial(
                &place, ph_conf_number(conf, PH_CONF_redis_timeout), why);

    if (redis != NULL && !ph_redis_log_in(redis, &login, why)) {
        redisFree(redis);
        redis = NULL;
    }
    return redis;
}

struct redisContext *
ph_redis_open(const struct ph_conf *conf, struct ph_buf *why)
{
    char          memory[PH_CONF_LINE_MAX + 8];
    struct ph_buf key = PH_BUF_INIT(memory);

    ph_buf_byte(&key, '{');
    ph_buf_add(&key, ph_str_z(ph_conf_text(conf, PH_CONF_redis_prefix)));
    ph_buf_add(&key, PH_STR(":c0}")); /* all of the counters have this tag */
    return ph_redis_open_key(conf, ph_buf_str(&key), why);
}

/* ---- the library ---- */

/* The server's library: its version, 0 when it has none, -1 when it does not
 * answer (then the context is dead). */
static long long
library_version(redisContext *redis)
{
    redisReply *reply   = redisCommand(redis, "FCALL_RO ph_version 0");
    long long   version = 0;

    if (reply == NULL) {
        return -1;
    }
    if (reply->type == REDIS_REPLY_INTEGER) {
        version = reply->integer;
    }
    freeReplyObject(reply);
    return version;
}

/* false only when the server refuses; `why` then says so */
static bool
library_load(redisContext *redis, struct ph_buf *why)
{
    redisReply *reply
        = redisCommand(redis, "FUNCTION LOAD REPLACE %s", ph_redis_library);
    bool ok = reply != NULL && reply->type == REDIS_REPLY_STRING;

    if (reply != NULL && is_error(reply)
        && ph_redis_is_refusal(ph_str_make(reply->str, (size_t) reply->len)))
    {
        why_refused(why, "FUNCTION LOAD", reply, PH_REDIS_SERVER);
    } else if (!ok) {
        why_redis(why, "FUNCTION LOAD",
                  reply != NULL ? reply->str : redis->errstr,
                  "Redis 7.0 or newer and leave to load functions");
    }
    freeReplyObject(reply);
    return ok;
}

bool
ph_redis_functions(struct redisContext *redis, struct ph_buf *why)
{
    /* a second process may load an older library between look and load */
    for (int i = 0; i < REDIS_LOAD_TRIES; i++) {
        long long version = library_version(redis);

        if (version < 0) {
            why_redis(why, "FCALL", redis->errstr, "an answer");
            return false;
        }
        if ((unsigned long long) version >= ph_redis_library_version) {
            return true;
        }
        if (!library_load(redis, why)) {
            return false;
        }
    }
    why_redis(why, "FUNCTION LOAD", "an older library again and again",
              "all payhub programs of one version");
    return false;
}

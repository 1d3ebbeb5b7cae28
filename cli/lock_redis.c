/*
 * lock_redis.c - the lock's calls to Redis, by the same functions as the
 * workers' locks, blocking.
 *
 * Redis by REDIS_URL, else REDIS_HOST and REDIS_PORT, else
 * PAYHUB_REDIS_SOCKET with PAYHUB_REDIS_USER and PAYHUB_REDIS_PASSWORD_FILE,
 * else [redis] of payhub.conf.
 */
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>

#include "cli/lock.h"
#include "libpayhub/base/redis_place.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/redis_login.h"

#define ANSWER_MS_MIN 20
#define ANSWER_MS_MAX 2000
#define REDIS_PORT 6379
#define REPLICAS_MS_MAX 50 /* as the workers give them */

/* what REDIS_URL or the others say */
struct where {
    struct ph_redis_place place;
    char                  login[256]; /* user:password, or password */
    uint64_t              database;
    struct ph_redis_login account; /* beside PAYHUB_REDIS_SOCKET */
    bool                  is_conf; /* payhub.conf says */
};

/* No answer may take so long that the lock could not be renewed in time. */
static int64_t
answer_ms(const struct cli_lock *lock)
{
    int64_t ms = lock->ttl_ms / 4;

    return ms < ANSWER_MS_MIN   ? ANSWER_MS_MIN
           : ms > ANSWER_MS_MAX ? ANSWER_MS_MAX
                                : ms;
}

static bool
url_refuse(struct cli_lock *lock, const char *found)
{
    ph_buf_add(&lock->why, PH_STR("REDIS_URL: found "));
    ph_buf_add(&lock->why, ph_str_z(found));
    ph_buf_add(&lock->why,
               PH_STR(", expected unix:/PATH or "
                      "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]"));
    return false;
}

/* behind redis:// */
static bool
url_parse_tcp(struct cli_lock *lock, struct ph_str text, struct where *where)
{
    struct ph_str login, host = text, database = { NULL, 0 };
    struct ph_buf out = PH_BUF_INIT(where->login);

    if (ph_str_cut(text, '@', &login, &host)) {
        if (memchr(login.ptr, '%', login.len) != NULL) {
            return url_refuse(lock, "an escaped password");
        }
        ph_buf_add(&out, login);
        (void) ph_buf_z(&out);
        text = host;
    }
    (void) ph_str_cut(text, '/', &host, &database);
    if (out.full
        || (database.len != 0
            && !ph_str_u64(database, UINT16_MAX, &where->database)))
    {
        return url_refuse(lock, "a database that is no number, or a password "
                                "that is too long");
    }
    if (!ph_redis_place_parse(host, &where->place)
        && !ph_redis_place_make(host, REDIS_PORT, &where->place))
    {
        return url_refuse(lock, "no host");
    }
    return true;
}

static bool
url_parse(struct cli_lock *lock, const char *url, struct where *where)
{
    struct ph_str text = ph_str_z(url);

    if (ph_str_starts(text, PH_STR("redis://"))) {
        return url_parse_tcp(lock, ph_str_z(url + 8), where);
    }
    if (ph_str_starts(text, PH_STR("unix:"))) {
        url += ph_str_starts(text, PH_STR("unix://")) ? 7 : 5;
        return ph_redis_place_make(ph_str_z(url), 0, &where->place)
               || url_refuse(lock, "no absolute path behind unix:");
    }
    return url_refuse(lock, "another scheme");
}

static bool
where_find(struct cli_lock *lock, struct where *where)
{
    const char *url  = getenv("REDIS_URL");
    const char *host = getenv("REDIS_HOST");
    const char *port = getenv("REDIS_PORT");
    const char *path = getenv("PAYHUB_REDIS_SOCKET");
    uint64_t    number;

    *where = (struct where){ 0 };
    if (url != NULL && url[0] != '\0') {
        return url_parse(lock, url, where);
    }
    if ((host != NULL && host[0] != '\0') || (port != NULL && port[0] != '\0'))
    {
        if (ph_str_u64(ph_str_z(port != NULL ? port : "6379"), UINT16_MAX,
                       &number)
            && ph_redis_place_make(
                ph_str_z(host != NULL && host[0] != '\0' ? host : "127.0.0.1"),
                (int64_t) number, &where->place)
            && where->place.port != 0)
        {
            return true;
        }
        ph_buf_add(&lock->why, PH_STR("REDIS_HOST, REDIS_PORT: expected a host "
                                      "and a number from 1 to 65535"));
        return false;
    }
    if (path != NULL && path[0] != '\0') {
        where->account.user          = getenv("PAYHUB_REDIS_USER");
        where->account.password_file = getenv("PAYHUB_REDIS_PASSWORD_FILE");
        if (ph_redis_place_make(ph_str_z(path), 0, &where->place)) {
            return true;
        }
        ph_buf_add(&lock->why, PH_STR("PAYHUB_REDIS_SOCKET: expected an "
                                      "absolute path"));
        return false;
    }
    where->is_conf = true;
    return cli_conf(lock->cli);
}

static bool
call_ok(struct cli_lock *lock, redisContext *redis, redisReply *reply,
        const char *what)
{
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (!ok) {
        ph_buf_add(&lock->why, PH_STR("Redis "));
        ph_buf_add(&lock->why, ph_str_z(what));
        ph_buf_add(&lock->why, PH_STR(": found \""));
        ph_buf_add(&lock->why,
                   ph_str_z(reply != NULL ? reply->str : redis->errstr));
        ph_buf_add(&lock->why, PH_STR("\", expected an answer"));
    }
    freeReplyObject(reply);
    return ok;
}

static bool
login(struct cli_lock *lock, redisContext *redis, const struct where *where)
{
    struct ph_str user, password, both = ph_str_z(where->login);

    if (!ph_redis_log_in(redis, &where->account, &lock->why)) {
        return false;
    }
    if (both.len != 0) {
        bool has_user
            = ph_str_cut(both, ':', &user, &password) && user.len != 0;
        redisReply *reply
            = has_user ? redisCommand(redis, "AUTH %b %b", user.ptr, user.len,
                                      password.ptr, password.len)
                       : redisCommand(redis, "AUTH %s",
                                      where->login + (both.ptr[0] == ':'));

        if (!call_ok(lock, redis, reply, "AUTH")) {
            return false;
        }
    }
    return where->database == 0
           || call_ok(lock, redis,
                      redisCommand(redis, "SELECT %llu",
                                   (unsigned long long) where->database),
                      "SELECT");
}

static redisContext *
dial(struct cli_lock *lock)
{
    int64_t        ms = answer_ms(lock);
    struct timeval timeout
        = { (time_t) (ms / 1000), (suseconds_t) (ms % 1000 * 1000) };
    struct where  where;
    redisContext *redis = NULL;

    lock->why.len = 0;
    if (where_find(lock, &where)) {
        redis = where.is_conf ? ph_redis_open_key(
                    &lock->cli->conf, ph_str_z(lock->key), &lock->why)
                              : ph_redis_dial(&where.place, ms, &lock->why);
    }
    if (redis == NULL) {
        return NULL;
    }
    lock->replicas = where.is_conf ? ph_conf_number(&lock->cli->conf,
                                                    PH_CONF_redis_wait_replicas)
                                   : 0;
    if (redisSetTimeout(redis, timeout) != REDIS_OK
        || fcntl(redis->fd, F_SETFD, FD_CLOEXEC) != 0
        || !login(lock, redis, &where))
    {
        redisFree(redis);
        return NULL;
    }
    return redis;
}

static void
link_drop(struct cli_lock *lock)
{
    redisFree(lock->redis);
    lock->redis = NULL;
}

static bool
connect_once(struct cli_lock *lock)
{
    if (lock->redis == NULL) {
        lock->redis = dial(lock);
        if (lock->redis != NULL && !ph_redis_functions(lock->redis, &lock->why))
        {
            link_drop(lock);
        }
    }
    return lock->redis != NULL;
}

/* FCALL name 1 key value [ttl] layout; NULL = away, and the link is dropped:
 * whatever is wrong with it, the next one is made anew. */
static redisReply *
call(struct cli_lock *lock, const char *name, bool has_ttl)
{
    const char *argv[] = { "FCALL",     name,           "1",         lock->key,
                           lock->value, lock->ttl_text, lock->layout };
    int         argc   = (int) PH_COUNT(argv);

    if (!has_ttl) {
        argv[5] = argv[6];
        argc--;
    }
    if (!connect_once(lock)) {
        return NULL;
    }
    redisReply *reply = redisCommandArgv(lock->redis, argc, argv, NULL);

    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        return reply;
    }
    lock->why.len = 0;
    (void) call_ok(lock, lock->redis, reply, name);
    link_drop(lock);
    return NULL;
}

/* Redis counts for WAIT what this connection wrote last. */
static bool
replicas_have_it(struct cli_lock *lock)
{
    int64_t ms = answer_ms(lock) / 2;

    if (lock->replicas == 0) {
        return true;
    }
    ms = ms < REPLICAS_MS_MAX ? ms : REPLICAS_MS_MAX;
    redisReply *reply
        = redisCommand(lock->redis, "WAIT %lld %lld",
                       (long long) lock->replicas, (long long) ms);

    lock->why.len = 0;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        (void) call_ok(lock, lock->redis, reply, "WAIT");
        link_drop(lock);
        return false;
    }
    bool ok = reply->integer >= lock->replicas;

    ph_buf_add(&lock->why, PH_STR("Redis WAIT: found "));
    ph_buf_i64(&lock->why, reply->integer);
    ph_buf_add(&lock->why, PH_STR(" replicas that have the lock, expected "
                                  "redis.wait_replicas = "));
    ph_buf_i64(&lock->why, lock->replicas);
    freeReplyObject(reply);
    return ok;
}

/* It was asked for, and may be ours: nobody should wait for its life's end. */
static void
take_back(struct cli_lock *lock)
{
    char   why[CLI_WHY_MAX];
    size_t len = lock->why.len;

    memcpy(why, lock->why_text, len);
    (void) cli_lock_drop(lock);
    lock->why.len = 0;
    ph_buf_add(&lock->why, ph_str_make(why, len));
}

enum cli_lock_answer
cli_lock_take(struct cli_lock *lock)
{
    uint64_t             asked_ns = ph_monotonic_ns();
    enum cli_lock_answer answer   = CLI_LOCK_AWAY;

    if (!connect_once(lock)) {
        return CLI_LOCK_AWAY;
    }
    redisReply *reply = call(lock, "ph_lock", true);

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_INTEGER
        && reply->element[1]->type == REDIS_REPLY_INTEGER)
    {
        answer = reply->element[0]->integer > 0 ? CLI_LOCK_YES : CLI_LOCK_NO;
        lock->left_ms = reply->element[1]->integer;
    }
    freeReplyObject(reply);
    if (answer == CLI_LOCK_YES && !replicas_have_it(lock)) {
        answer = CLI_LOCK_AWAY;
    }
    if (answer == CLI_LOCK_YES) {
        lock->granted_ns = asked_ns;
    } else if (answer == CLI_LOCK_AWAY) {
        take_back(lock);
    }
    return answer;
}

static enum cli_lock_answer
answer_of(redisReply *reply)
{
    enum cli_lock_answer answer = CLI_LOCK_AWAY;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        answer = reply->integer == 1 ? CLI_LOCK_YES : CLI_LOCK_NO;
    }
    freeReplyObject(reply);
    return answer;
}

enum cli_lock_answer
cli_lock_renew(struct cli_lock *lock)
{
    uint64_t             asked_ns = ph_monotonic_ns();
    enum cli_lock_answer answer   = answer_of(call(lock, "ph_renew", true));

    if (answer == CLI_LOCK_YES) {
        lock->granted_ns = asked_ns;
    }
    return answer;
}

enum cli_lock_answer
cli_lock_drop(struct cli_lock *lock)
{
    return answer_of(call(lock, "ph_unlock", false));
}

/* ---- being told ---- */

struct redisContext *
cli_lock_listen(struct cli_lock *lock)
{
    bool          is_redisson = strcmp(lock->layout, "redisson") == 0;
    bool          has_tag     = strchr(lock->key, '{') != NULL;
    redisContext *redis       = dial(lock);

    if (redis == NULL) {
        return NULL;
    }
    redisReply *reply
        = !is_redisson ? redisCommand(redis, "SUBSCRIBE %s:free", lock->key)
          : has_tag
              ? redisCommand(redis, "SUBSCRIBE redisson_lock__channel:%s",
                             lock->key)
              : redisCommand(redis, "SUBSCRIBE redisson_lock__channel:{%s}",
                             lock->key);

    if (!call_ok(lock, redis, reply, "SUBSCRIBE")) {
        redisFree(redis);
        return NULL;
    }
    return redis;
}

/* Everything that has come; the link ends when it is out of order. */
static void
told_read(struct redisContext **told)
{
    void *reply = NULL;
    bool  ok    = redisBufferRead(*told) == REDIS_OK;

    while (ok) {
        ok = redisGetReplyFromReader(*told, &reply) == REDIS_OK;
        if (!ok || reply == NULL) {
            break;
        }
        freeReplyObject(reply);
        reply = NULL;
    }
    if (!ok) {
        redisFree(*told);
        *told = NULL;
    }
}

bool
cli_lock_pause(struct cli_lock *lock, struct redisContext **told, int64_t ms)
{
    struct pollfd fds[]
        = { { .fd = lock->signals, .events = POLLIN },
            { .fd = *told != NULL ? (*told)->fd : -1, .events = POLLIN } };

    if (poll(fds, PH_COUNT(fds), (int) ms) <= 0) {
        return true;
    }
    if (fds[1].revents != 0) {
        told_read(told);
    }
    return fds[0].revents == 0;
}

/*
 * redis.c - the asynchronous link to Redis; see redis.h.
 *
 *   DOWN --timer--> CONNECTING --connected--> CHECKING --library is there--> UP
 *    ^------------------ refused, closed, silent
 * ------------------------------'
 */
#include "worker/redis.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"

#define REDIS_RECONNECT_MIN_MS 50
#define REDIS_RECONNECT_MAX_MS 2000
#define REDIS_TICK_MIN_MS 10
#define NS_PER_MS UINT64_C(1000000)

enum redis_state { REDIS_DOWN = 0, REDIS_CONNECTING, REDIS_CHECKING, REDIS_UP };

/* The poll handle outlives its context by one turn of the loop. */
struct redis_poll {
    uv_poll_t          handle;
    redisAsyncContext *context; /* NULL = the context is gone */
    int                events;
};

struct wk_redis {
    uv_loop_t            *loop;
    const struct ph_conf *conf;
    redisAsyncContext    *context;
    enum redis_state      state;
    uv_timer_t            tick;
    uint64_t              timeout_ns;
    uint64_t              progress_ns; /* last answer, or first question */
    size_t                asked;       /* questions without an answer */
    uint64_t              retry_ms;
    uint64_t              retry_at_ns;
    bool                  is_stopping;
    bool                  was_said; /* that it is away */
};

struct redis_question {
    struct wk_redis *redis;
    wk_redis_answer  answer;
    void            *data;
};

/* ---- hiredis on libuv ---- */

static void
poll_ready(uv_poll_t *handle, int status, int events)
{
    struct redis_poll *poll = handle->data;

    if (poll->context == NULL) {
        return;
    }
    if (status < 0) { /* let hiredis find the error by itself */
        events = poll->events;
    }
    if ((events & UV_READABLE) != 0) {
        redisAsyncHandleRead(poll->context);
    }
    if (poll->context != NULL && (events & UV_WRITABLE) != 0) {
        redisAsyncHandleWrite(poll->context);
    }
}

static void
poll_want(struct redis_poll *poll, int events)
{
    if (events == poll->events) {
        return;
    }
    poll->events = events;
    if (events == 0) {
        (void) uv_poll_stop(&poll->handle);
    } else {
        (void) uv_poll_start(&poll->handle, events, poll_ready);
    }
}

static void
poll_add_read(void *data)
{
    struct redis_poll *poll = data;

    poll_want(poll, poll->events | UV_READABLE);
}

static void
poll_del_read(void *data)
{
    struct redis_poll *poll = data;

    poll_want(poll, poll->events & ~UV_READABLE);
}

static void
poll_add_write(void *data)
{
    struct redis_poll *poll = data;

    poll_want(poll, poll->events | UV_WRITABLE);
}

static void
poll_del_write(void *data)
{
    struct redis_poll *poll = data;

    poll_want(poll, poll->events & ~UV_WRITABLE);
}

static void
poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
poll_cleanup(void *data)
{
    struct redis_poll *poll = data;

    poll->context = NULL;
    (void) uv_poll_stop(&poll->handle);
    uv_close((uv_handle_t *) &poll->handle, poll_closed);
}

static bool
poll_attach(struct wk_redis *redis, redisAsyncContext *context)
{
    struct redis_poll *poll = calloc(1, sizeof(*poll));

    if (poll == NULL) {
        return false;
    }
    if (uv_poll_init(redis->loop, &poll->handle, context->c.fd) != 0) {
        free(poll);
        return false;
    }
    poll->handle.data    = poll;
    poll->context        = context;
    context->ev.data     = poll;
    context->ev.addRead  = poll_add_read;
    context->ev.delRead  = poll_del_read;
    context->ev.addWrite = poll_add_write;
    context->ev.delWrite = poll_del_write;
    context->ev.cleanup  = poll_cleanup;
    return true;
}

/* ---- states ---- */

static void
redis_down(struct wk_redis *redis, const char *why)
{
    if (!redis->was_said && !redis->is_stopping) {
        ph_log(PH_LOG_WARN, "redis_away", { "why", ph_str_z(why) });
        redis->was_said = true;
    }
    redis->context     = NULL;
    redis->state       = REDIS_DOWN;
    redis->retry_at_ns = ph_monotonic_ns() + redis->retry_ms * NS_PER_MS;
    redis->retry_ms    = redis->retry_ms * 2 < REDIS_RECONNECT_MAX_MS
                             ? redis->retry_ms * 2
                             : REDIS_RECONNECT_MAX_MS;
}

/* Ends a link that hiredis still believes in. */
static void
redis_drop(struct wk_redis *redis, const char *why)
{
    redisAsyncContext *context = redis->context;

    redis_down(redis, why);
    if (context != NULL) {
        context->data = NULL; /* its callbacks must not count as a second end */
        redisAsyncFree(context);
    }
}

static void
redis_on_disconnect(const redisAsyncContext *context, int status)
{
    struct wk_redis *redis = context->data;

    if (redis != NULL && redis->context == context) {
        redis_down(redis, status == REDIS_OK ? "closed" : context->errstr);
    }
}

static void
redis_question_done(redisAsyncContext *context, void *reply, void *data)
{
    struct redis_question *question = data;
    struct wk_redis       *redis    = question->redis;

    (void) context;
    redis->asked--;
    redis->progress_ns = ph_monotonic_ns();
    if (question->answer != NULL) {
        question->answer(redis, reply, question->data);
    }
    free(question);
}

static bool
redis_send(struct wk_redis *redis, wk_redis_answer answer, void *data,
           const struct ph_str *args, size_t count)
{
    const char            *texts[WK_REDIS_ARGS_MAX];
    size_t                 lens[WK_REDIS_ARGS_MAX];
    struct redis_question *question = malloc(sizeof(*question));

    if (question == NULL || count > WK_REDIS_ARGS_MAX) {
        free(question);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = args[i].ptr != NULL ? args[i].ptr : "";
        lens[i]  = args[i].len;
    }
    *question = (struct redis_question){ redis, answer, data };
    if (redis->asked++ == 0) {
        redis->progress_ns = ph_monotonic_ns();
    }
    if (redisAsyncCommandArgv(redis->context, redis_question_done, question,
                              (int) count, texts, lens)
        != REDIS_OK)
    {
        redis->asked--;
        free(question);
        return false;
    }
    return true;
}

static void
redis_is_up(struct wk_redis *redis)
{
    redis->state    = REDIS_UP;
    redis->retry_ms = REDIS_RECONNECT_MIN_MS;
    redis->was_said = false;
    ph_log(PH_LOG_INFO, "redis_up",
           { "library", ph_log_i64((int64_t) ph_redis_library_version) });
}

static void
redis_on_load(struct wk_redis *redis, const redisReply *reply, void *data)
{
    (void) data;
    if (reply == NULL) {
        return; /* the link died, and said so */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        redis->retry_ms = REDIS_RECONNECT_MAX_MS;
        redis_drop(redis, reply->str);
        return;
    }
    redis_is_up(redis);
}

static void
redis_on_version(struct wk_redis *redis, const redisReply *reply, void *data)
{
    (void) data;
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0
        && (unsigned long) reply->integer >= ph_redis_library_version)
    {
        redis_is_up(redis);
        return;
    }
    const struct ph_str load[]
        = { PH_STR("FUNCTION"), PH_STR("LOAD"), PH_STR("REPLACE"),
            ph_str_z(ph_redis_library) };
    if (!redis_send(redis, redis_on_load, NULL, load, PH_COUNT(load))) {
        redis_drop(redis, "cannot ask");
    }
}

static void
redis_on_connect(const redisAsyncContext *context, int status)
{
    static const struct ph_str version[]
        = { PH_STR_INIT("FCALL"), PH_STR_INIT("ph_version"), PH_STR_INIT("0") };
    struct wk_redis *redis = context->data;

    if (redis == NULL) {
        return;
    }
    if (status != REDIS_OK) { /* hiredis frees the context after this */
        redis_down(redis, context->errstr);
        return;
    }
    redis->state = REDIS_CHECKING;
    if (!redis_send(redis, redis_on_version, NULL, version, PH_COUNT(version)))
    {
        redis_drop(redis, "cannot ask");
    }
}

static redisAsyncContext *
redis_open(const struct ph_conf *conf)
{
    const char *host = ph_conf_text(conf, PH_CONF_redis_host);

    if (host[0] == '\0') {
        return redisAsyncConnectUnix(ph_conf_text(conf, PH_CONF_redis_socket));
    }
    return redisAsyncConnect(host,
                             (int) ph_conf_number(conf, PH_CONF_redis_port));
}

static void
redis_connect(struct wk_redis *redis)
{
    redisAsyncContext *context = redis_open(redis->conf);

    if (context == NULL || context->err != 0) {
        redis_down(redis, context != NULL ? context->errstr : "no memory");
        if (context != NULL) {
            redisAsyncFree(context);
        }
        return;
    }
    redis->context     = context;
    redis->state       = REDIS_CONNECTING;
    redis->progress_ns = ph_monotonic_ns();
    context->data      = redis;
    if (!poll_attach(redis, context)
        || redisAsyncSetConnectCallback(context, redis_on_connect) != REDIS_OK
        || redisAsyncSetDisconnectCallback(context, redis_on_disconnect)
               != REDIS_OK)
    {
        redis_drop(redis, "cannot watch the socket");
    }
}

static void
redis_tick(uv_timer_t *timer)
{
    struct wk_redis *redis = timer->data;
    uint64_t         now   = ph_monotonic_ns();

    if (redis->state == REDIS_DOWN) {
        if (now >= redis->retry_at_ns) {
            redis_connect(redis);
        }
        return;
    }
    if ((redis->asked > 0 || redis->state == REDIS_CONNECTING)
        && now - redis->progress_ns > redis->timeout_ns)
    {
        redis_drop(redis, "no answer within redis.timeout");
    }
}

/* ---- the face ---- */

bool
wk_redis_ask(struct wk_redis *redis, wk_redis_answer answer, void *data,
             const struct ph_str *args, size_t count)
{
    return redis->state == REDIS_UP
           && redis_send(redis, answer, data, args, count);
}

void
wk_redis_distrust(struct wk_redis *redis)
{
    if (redis->state == REDIS_UP) {
        redis_drop(redis, "a function was refused");
    }
}

bool
wk_redis_is_up(const struct wk_redis *redis)
{
    return redis->state == REDIS_UP;
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
    redis->loop       = loop;
    redis->conf       = conf;
    redis->timeout_ns = (uint64_t) timeout_ms * NS_PER_MS;
    redis->retry_ms   = REDIS_RECONNECT_MIN_MS;
    redis->tick.data  = redis;
    (void) uv_timer_init(loop, &redis->tick);
    if (tick_ms > REDIS_RECONNECT_MIN_MS) {
        tick_ms = REDIS_RECONNECT_MIN_MS;
    }
    if (tick_ms < REDIS_TICK_MIN_MS) {
        tick_ms = REDIS_TICK_MIN_MS;
    }
    (void) uv_timer_start(&redis->tick, redis_tick, 0, (uint64_t) tick_ms);
    return redis;
}

void
wk_redis_stop(struct wk_redis *redis)
{
    redis->is_stopping = true;
    uv_close((uv_handle_t *) &redis->tick, NULL);
    redis_drop(redis, "stopping");
}

void
wk_redis_free(struct wk_redis *redis)
{
    free(redis);
}

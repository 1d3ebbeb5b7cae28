/* redis_link.c - one connection to one Redis; see redis_link.h. */
#include "worker/redis_link.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"

#define WHY_MAX 512

/* The poll handle outlives its context by one turn of the loop. */
struct redis_poll {
    uv_poll_t          handle;
    redisAsyncContext *context; /* NULL = the context is gone */
    int                events;
};

struct question {
    struct wk_redis_link *link;
    wk_redis_answer       answer;
    void                 *data;
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
poll_attach(struct wk_redis_link *link, redisAsyncContext *context)
{
    struct redis_poll *poll = calloc(1, sizeof(*poll));

    if (poll == NULL) {
        return false;
    }
    if (uv_poll_init(link->loop, &poll->handle, context->c.fd) != 0) {
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

/* ---- the link ---- */

static void
link_down(struct wk_redis_link *link, const char *why)
{
    link->context = NULL;
    link->state   = WK_LINK_DOWN;
    link->down(link, why);
}

void
wk_redis_link_drop(struct wk_redis_link *link, const char *why)
{
    redisAsyncContext *context = link->context;

    if (context == NULL) {
        return;
    }
    context->data = NULL; /* its callbacks must not count as a second end */
    link_down(link, why);
    redisAsyncFree(context);
}

/* "found ERROR, expected WHAT" when it is who we are that it does not take;
 * else the error as it stands */
static const char *
error_text(struct wk_redis_link *link, const char *error, struct ph_buf *why)
{
    if (!ph_redis_is_refusal(ph_str_z(error))) {
        return error;
    }
    link->is_refused = true;
    ph_buf_add(why, PH_STR("found \""));
    ph_buf_add(why, ph_str_z(error));
    ph_buf_add(why, PH_STR("\", expected "));
    ph_buf_add(why,
               ph_str_z(ph_redis_expected(link->login.at, ph_str_z(error))));
    return ph_buf_z(why);
}

void
wk_redis_link_drop_for(struct wk_redis_link *link, const redisReply *error)
{
    char          memory[WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    wk_redis_link_drop(link, error_text(link, error->str, &why));
}

static void
link_on_disconnect(const redisAsyncContext *context, int status)
{
    struct wk_redis_link *link = context->data;
    char                  memory[WHY_MAX];
    struct ph_buf         why = PH_BUF_INIT(memory);

    if (link != NULL && link->context == context) {
        link_down(link, status == REDIS_OK
                            ? "closed"
                            : error_text(link, context->errstr, &why));
    }
}

static void
link_on_connect(const redisAsyncContext *context, int status)
{
    struct wk_redis_link *link = context->data;

    if (link == NULL) {
        return;
    }
    if (status != REDIS_OK) { /* hiredis frees the context after this */
        link_down(link, context->errstr);
        return;
    }
    link->state = WK_LINK_OPEN;
    link->open(link);
}

void
wk_redis_link_tick(struct wk_redis_link *link, uint64_t now_ns)
{
    if ((link->asked > 0 || link->state == WK_LINK_CONNECTING)
        && link->context != NULL
        && now_ns - link->progress_ns > link->timeout_ns)
    {
        wk_redis_link_drop(link, "no answer within redis.timeout");
    }
}

/* ---- questions ---- */

static bool
link_send(struct wk_redis_link *link, redisCallbackFn *answered, void *data,
          const struct ph_str *args, size_t count)
{
    const char *texts[WK_REDIS_ARGS_MAX];
    size_t      lens[WK_REDIS_ARGS_MAX];

    if (count > WK_REDIS_ARGS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = args[i].ptr != NULL ? args[i].ptr : "";
        lens[i]  = args[i].len;
    }
    return redisAsyncCommandArgv(link->context, answered, data, (int) count,
                                 texts, lens)
           == REDIS_OK;
}

static void
question_done(redisAsyncContext *context, void *reply, void *data)
{
    struct question      *question = data;
    struct wk_redis_link *link     = question->link;

    /* those of a link that has ended must not count on the next one */
    if (context->data != NULL) {
        link->asked--;
        link->progress_ns = ph_monotonic_ns();
    }
    if (question->answer != NULL) {
        question->answer(link->redis, reply, question->data);
    }
    free(question);
}

static bool
question_send(struct wk_redis_link *link, wk_redis_answer answer, void *data,
              const struct ph_str *args, size_t count)
{
    struct question *question = malloc(sizeof(*question));

    if (question == NULL) {
        return false;
    }
    *question = (struct question){ link, answer, data };
    if (!link_send(link, question_done, question, args, count)) {
        free(question);
        return false;
    }
    if (link->asked++ == 0) {
        link->progress_ns = ph_monotonic_ns();
    }
    return true;
}

bool
wk_redis_link_ask(struct wk_redis_link *link, wk_redis_answer answer,
                  void *data, const struct ph_str *args, size_t count)
{
    return link->state == WK_LINK_OPEN
           && question_send(link, answer, data, args, count);
}

static void
link_message(redisAsyncContext *context, void *reply, void *data)
{
    struct wk_redis_link *link = data;

    if (reply != NULL && context->data != NULL) {
        link->message(link, reply);
    }
}

bool
wk_redis_link_listen(struct wk_redis_link *link, const struct ph_str *args,
                     size_t count)
{
    return link->state == WK_LINK_OPEN
           && link_send(link, link_message, link, args, count);
}

/* ---- connecting ---- */

static void
auth_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_link *link = data;

    (void) redis;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        wk_redis_link_drop_for(link, reply);
    }
}

static bool
link_watch(struct wk_redis_link *link, redisAsyncContext *context)
{
    return poll_attach(link, context)
           && redisAsyncSetConnectCallback(context, link_on_connect) == REDIS_OK
           && redisAsyncSetDisconnectCallback(context, link_on_disconnect)
                  == REDIS_OK;
}

static void
link_start(struct wk_redis_link *link, const struct ph_redis_place *place,
           const struct ph_redis_auth *auth)
{
    redisAsyncContext *context
        = place->port == 0 ? redisAsyncConnectUnix(place->host)
                           : redisAsyncConnect(place->host, place->port);

    if (context == NULL || context->err != 0) {
        link_down(link, context != NULL ? context->errstr : "no memory");
        if (context != NULL) {
            redisAsyncFree(context);
        }
        return;
    }
    link->context     = context;
    link->state       = WK_LINK_CONNECTING;
    link->asked       = 0;
    link->progress_ns = ph_monotonic_ns();
    context->data     = link;
    if (!link_watch(link, context)) {
        wk_redis_link_drop(link, "cannot watch the socket");
    } else if (auth->count != 0
               && !question_send(link, auth_on_answer, link, auth->word,
                                 auth->count)) /* leaves once it is open */
    {
        wk_redis_link_drop(link, "cannot ask");
    }
}

void
wk_redis_link_connect(struct wk_redis_link        *link,
                      const struct ph_redis_place *place)
{
    char                 memory[WHY_MAX];
    struct ph_buf        why = PH_BUF_INIT(memory);
    struct ph_redis_auth auth;

    link->is_refused = false;
    if (ph_redis_auth_read(&link->login, &auth, &why)) {
        link_start(link, place, &auth);
    } else {
        link->is_refused = true;
        link_down(link, ph_buf_z(&why));
    }
    ph_redis_auth_wipe(&auth);
}

/*
 * server.c - the frame server; see server.h.
 *
 *   READING --whole CALL--> BUSY --wk_reply--> WRITING --written--> READING
 *      |  HELLO, PING                             |
 *      '---> answered: WRITING                    '--> CLOSED when draining
 *
 * Invariants:
 *   1. While BUSY or WRITING nothing is read: the buffer's views stay.
 *   2. bytes_held is the sum of all buffers and never exceeds SERVER_BYTES_MAX.
 *   3. A frame that cannot be trusted ends its connection, unanswered; so does
 *      one that is not whole, or not taken, within SERVER_FRAME_MS: whoever
 *      hangs in the middle gives back its connection and its buffer.
 */
#include "worker/server.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "libpayhub/base/version.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/admin.h"
#include "worker/crash.h"
#include "worker/health.h"
#include "worker/route.h"
#include "worker/socket_path.h"

#define SERVER_BYTES_MAX (128u * 1024 * 1024)
#define SERVER_FRAME_MS 5000
#define CONN_BUFFER_FIRST 4096
#define CONN_BUFFER_KEEP (64 * 1024)
#define REPLY_META_MAX 1024

enum conn_state { CONN_READING = 0, CONN_BUSY, CONN_WRITING, CONN_CLOSING };

struct conn {
    struct wk_request request; /* first: a request is its connection */
    struct wk_server *server;
    struct conn      *prev, *next;
    uv_pipe_t         pipe;
    uv_write_t        write;
    enum conn_state   state;
    char             *in;
    size_t            in_len;
    size_t            in_size;
    size_t            frame_len; /* of the frame being read or answered */
    uint64_t          since_ms;  /* loop time of its first byte, read or
                                    written; 0 = idle, or a call at work */
    char  *out;
    size_t out_secret; /* bytes of it to wipe, or 0 */
};

struct wk_server {
    struct wk_worker *worker;
    uv_pipe_t         listener;
    uv_timer_t        sweep;
    struct conn      *conns;
    size_t            conn_count;
    size_t            conn_max;
    size_t            requests; /* CALLs not answered yet */
    size_t            bytes_held;
    bool              is_draining;
    char              path[sizeof(((struct sockaddr_un *) 0)->sun_path)];
    char              meta[REPLY_META_MAX];
    struct ph_buf     text;
    char              text_memory[WK_REPLY_BODY_MAX];
};

/* ---- connections ---- */

static void
conn_out_free(struct conn *conn)
{
    if (conn->out_secret != 0) {
        OPENSSL_cleanse(conn->out, conn->out_secret);
    }
    free(conn->out);
    conn->out        = NULL;
    conn->out_secret = 0;
}

static void
conn_closed(uv_handle_t *handle)
{
    struct conn      *conn   = handle->data;
    struct wk_server *server = conn->server;

    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        server->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    server->conn_count--;
    server->bytes_held -= conn->in_size;
    free(conn->in);
    conn_out_free(conn);
    free(conn);
}

static void
conn_close(struct conn *conn)
{
    if (conn->state != CONN_CLOSING) {
        conn->state = CONN_CLOSING;
        uv_close((uv_handle_t *) &conn->pipe, conn_closed);
    }
}

/* Room for `size` bytes; false = over what all buffers together may hold. */
static bool
conn_grow(struct conn *conn, size_t size)
{
    struct wk_server *server = conn->server;

    if (size <= conn->in_size) {
        return true;
    }
    if (server->bytes_held - conn->in_size + size > SERVER_BYTES_MAX) {
        return false;
    }
    char *grown = realloc(conn->in, size);

    if (grown == NULL) {
        return false;
    }
    server->bytes_held += size - conn->in_size;
    conn->in      = grown;
    conn->in_size = size;
    return true;
}

/* A buffer that one large frame needed is not kept for the small ones. */
static void
conn_shrink(struct conn *conn)
{
    if (conn->in_size > CONN_BUFFER_KEEP && conn->in_len <= CONN_BUFFER_FIRST) {
        char *shrunk = realloc(conn->in, CONN_BUFFER_FIRST);

        if (shrunk != NULL) {
            conn->server->bytes_held -= conn->in_size - CONN_BUFFER_FIRST;
            conn->in      = shrunk;
            conn->in_size = CONN_BUFFER_FIRST;
        }
    }
}

/* ---- writing ---- */

static void conn_resume(struct conn *conn);

static void
conn_written(uv_write_t *write, int status)
{
    struct conn *conn = write->data;

    conn_out_free(conn);
    if (status != 0 || conn->server->is_draining) {
        conn_close(conn);
        return;
    }
    if (conn->state == CONN_WRITING) {
        conn_resume(conn);
    }
}

/* One frame; the connection reads on once it is written. */
static void
conn_send(struct conn *conn, const struct ph_frame *frame)
{
    size_t size = PH_FRAME_HEAD_LEN + frame->meta.len + frame->body.len;
    char  *out  = malloc(size);

    conn->state    = CONN_WRITING;
    conn->since_ms = uv_now(conn->pipe.loop);
    if (out == NULL) {
        conn_close(conn);
        return;
    }
    struct ph_buf buf;

    ph_buf_init(&buf, out, size);
    if (ph_frame_write(&buf, frame) != PH_OK) {
        ph_log(PH_LOG_ERROR, "reply_too_large",
               { "bytes", ph_log_i64((int64_t) size) });
        free(out);
        conn_close(conn);
        return;
    }
    conn->out        = out;
    conn->out_secret = frame->type == PH_FRAME_SYNC_PUSH ? buf.len : 0;
    conn->write.data = conn;
    uv_buf_t piece   = uv_buf_init(out, (unsigned) buf.len);

    if (uv_write(&conn->write, (uv_stream_t *) &conn->pipe, &piece, 1,
                 conn_written)
        != 0)
    {
        conn_close(conn);
    }
}

static struct ph_frame
frame_reply(const struct conn *conn, enum ph_frame_type type)
{
    struct ph_frame frame = { .version = PH_FRAME_VERSION,
                              .type    = (uint8_t) type,
                              .attempt = conn->request.frame.attempt };

    memcpy(frame.id, conn->request.frame.id, sizeof(frame.id));
    return frame;
}

static void
meta_add(struct ph_buf *meta, enum ph_field field, struct ph_str value)
{
    if (value.len != 0) {
        ph_field_add(meta, field, value);
    }
}

static struct ph_str
reply_meta(struct wk_server *server, const struct wk_reply *reply)
{
    struct ph_buf meta = PH_BUF_INIT(server->meta);
    char          memory[16];
    struct ph_buf seconds = PH_BUF_INIT(memory);
    char          health_memory[WK_HEALTH_LEN];
    struct ph_buf health = PH_BUF_INIT(health_memory);

    if (reply->body.len != 0) {
        meta_add(&meta, PH_FIELD_CONTENT_TYPE,
                 reply->content_type.len != 0 ? reply->content_type
                                              : PH_STR("application/json"));
    }
    if (reply->retry_after_s != 0) {
        ph_buf_u64(&seconds, reply->retry_after_s);
        meta_add(&meta, PH_FIELD_RETRY_AFTER, ph_buf_str(&seconds));
    }
    if (reply->is_replay) {
        meta_add(&meta, PH_FIELD_REPLAYED, PH_STR("1"));
    }
    meta_add(&meta, PH_FIELD_ORDER_ID, reply->order_id);
    meta_add(&meta, PH_FIELD_CHANNEL, reply->channel);
    meta_add(&meta, PH_FIELD_OUTCOME, reply->outcome);
    if (reply->problem != PH_ERROR_NONE) {
        meta_add(&meta, PH_FIELD_PROBLEM, ph_error_info(reply->problem)->code);
    }
    meta_add(&meta, PH_FIELD_ALLOW, reply->allow);
    if (reply->type == PH_FRAME_RESULT) {
        wk_health_take(server->worker, reply->health, &health);
        meta_add(&meta, PH_FIELD_HEALTH, ph_buf_str(&health));
    }
    return ph_buf_str(&meta);
}

/* An edge that waits for news holds nothing up. */
static size_t
request_counts(const struct wk_request *request)
{
    return request->frame.type != PH_FRAME_SYNC_PULL;
}

static void
reply_log(const struct wk_request *request, const struct wk_reply *reply)
{
    uint64_t us = (ph_monotonic_ns() - request->arrived_ns) / 1000;

    if (reply->type == PH_FRAME_SYNC_PUSH) {
        return; /* several a second, all the time */
    }
    ph_log(PH_LOG_INFO, "answered", { "request", ph_str_z(request->id_text) },
           { "method", request->method }, { "path", request->path },
           { "type", ph_str_z(ph_frame_type_name(reply->type)) },
           { "status", ph_log_i64(reply->status) },
           { "problem", reply->problem != PH_ERROR_NONE
                            ? ph_error_info(reply->problem)->code
                            : PH_STR("") },
           { "order", reply->order_id }, { "outcome", reply->outcome },
           { "us", ph_log_i64((int64_t) us) });
}

void
wk_reply(struct wk_request *request, const struct wk_reply *reply)
{
    struct conn      *conn   = (struct conn *) request;
    struct wk_server *server = conn->server;
    struct ph_frame   frame  = frame_reply(conn, reply->type);

    reply_log(request, reply);
    if (request->method.ptr != NULL
        && ph_str_eq(request->method, PH_STR("POST"))) {
        wk_crash_point("before_reply");
    }
    frame.status = (uint16_t) reply->status;
    frame.meta   = reply_meta(server, reply);
    frame.body   = reply->body;
    server->requests -= request_counts(request);
    conn_send(conn, &frame);
    wk_job_end(server->worker);
}

void
wk_reply_problem(struct wk_request *request, enum ph_frame_type type,
                 const struct ph_problem *problem, const struct wk_reply *more)
{
    struct ph_problem document = *problem;
    char              memory[PH_PROBLEM_MAX];
    struct ph_buf     buf   = PH_BUF_INIT(memory);
    struct wk_reply   reply = more != NULL ? *more : (struct wk_reply){ 0 };

    document.request_id = ph_str_z(request->id_text);
    ph_problem_format(&buf, &document);
    reply.type         = type;
    reply.status       = document.status != 0 ? document.status
                                              : ph_error_info(document.error)->status;
    reply.body         = ph_buf_str(&buf);
    reply.content_type = PH_STR("application/problem+json");
    reply.problem      = document.error;
    wk_reply(request, &reply);
}

void
wk_reply_error(struct wk_request *request, enum ph_error error,
               const char *detail)
{
    const struct ph_problem problem
        = { .error = error, .detail = ph_str_z(detail) };

    wk_reply_problem(request, PH_FRAME_RESULT, &problem, NULL);
}

struct ph_buf *
wk_server_text(struct wk_worker *worker)
{
    struct wk_server *server = worker->server;

    ph_buf_init(&server->text, server->text_memory,
                sizeof(server->text_memory));
    return &server->text;
}

/* ---- frames ---- */

static void
request_id_text(struct wk_request *request)
{
    struct ph_buf text = PH_BUF_INIT(request->id_text);

    ph_buf_hex(&text,
               ph_str_make((const char *) request->frame.id, PH_FRAME_ID_LEN));
    (void) ph_buf_z(&text);
}

static bool
request_fill(struct wk_request *request)
{
    struct ph_str meta   = request->frame.meta;
    struct ph_str target = ph_field_find(meta, PH_FIELD_TARGET);

    request->method      = ph_field_find(meta, PH_FIELD_METHOD);
    request->key_id      = ph_field_find(meta, PH_FIELD_KEY_ID);
    request->app_id      = ph_field_find(meta, PH_FIELD_APP_ID);
    request->merchant_id = ph_field_find(meta, PH_FIELD_MERCHANT_ID);
    request->path        = target;
    request->query       = ph_str_make(NULL, 0);
    (void) ph_str_cut(target, '?', &request->path, &request->query);
    /* who is verified has an app and a merchant */
    return request->method.len != 0 && target.len != 0 && target.ptr[0] == '/'
           && (request->key_id.len == 0
               || (ph_str_is_token(request->app_id, 32)
                   && ph_str_is_token(request->merchant_id, 32)));
}

static void
request_refuse(struct wk_request *request, const char *detail)
{
    const struct ph_problem problem
        = { .error = PH_ERROR_BAD_REQUEST, .detail = ph_str_z(detail) };

    wk_reply_problem(request, PH_FRAME_REFUSED, &problem, NULL);
}

static void
request_begin(struct conn *conn)
{
    conn->state              = CONN_BUSY;
    conn->since_ms           = 0; /* the job's own deadlines hold */
    conn->request.worker     = conn->server->worker;
    conn->request.arrived_ns = ph_monotonic_ns();
    conn->request.method     = ph_str_make(NULL, 0);
    conn->request.path       = ph_str_make(NULL, 0);
    conn->request.nonce      = (struct wk_nonce){ 0 };
    request_id_text(&conn->request);
    conn->server->requests += request_counts(&conn->request);
    wk_job_begin(conn->server->worker);
}

static void
conn_hello(struct conn *conn)
{
    const char      version[1] = { PH_FRAME_VERSION };
    struct ph_buf   meta       = PH_BUF_INIT(conn->server->meta);
    struct ph_frame frame      = frame_reply(conn, PH_FRAME_HELLO);

    ph_field_add(&meta, PH_FIELD_VERSION_MIN, ph_str_make(version, 1));
    ph_field_add(&meta, PH_FIELD_VERSION_MAX, ph_str_make(version, 1));
    ph_field_add(&meta, PH_FIELD_ROLES,
                 ph_str_z(ph_conf_text(conn->server->worker->conf,
                                       PH_CONF_worker_roles)));
    ph_field_add(&meta, PH_FIELD_BUILD, PH_STR("payhub-worker " PH_VERSION));
    frame.meta = ph_buf_str(&meta);
    conn_send(conn, &frame);
}

static void
conn_frame(struct conn *conn)
{
    struct wk_request *request = &conn->request;

    switch ((enum ph_frame_type) request->frame.type) {
    case PH_FRAME_CALL:
        request_begin(conn);
        if (request_fill(request)) {
            wk_route(request);
        } else {
            request_refuse(request,
                           "expected method, target beginning with a "
                           "slash, and for a key its app and merchant");
        }
        return;
    case PH_FRAME_HELLO:
        conn_hello(conn);
        return;
    case PH_FRAME_PING: {
        const struct ph_frame pong = frame_reply(conn, PH_FRAME_PONG);

        conn_send(conn, &pong);
        return;
    }
    case PH_FRAME_SYNC_PULL:
        request_begin(conn);
        wk_admin_pull(request);
        return;
    case PH_FRAME_RESULT:
    case PH_FRAME_BUSY:
    case PH_FRAME_REFUSED:
    case PH_FRAME_UNKNOWN:
    case PH_FRAME_PONG:
    case PH_FRAME_SYNC_PUSH:
    case PH_FRAME_GOAWAY:
        break;
    }
    ph_log(PH_LOG_WARN, "frame_unexpected",
           { "type", ph_str_z(ph_frame_type_name(request->frame.type)) });
    conn_close(conn);
}

/* The head was sound but a field is unknown: only the call is refused. */
static void
conn_frame_unread(struct conn *conn, enum ph_rc rc)
{
    struct ph_frame *frame   = &conn->request.frame;
    bool             is_call = (uint8_t) conn->in[5] == PH_FRAME_CALL;

    if (!is_call
        || (rc != PH_E_UNKNOWN && rc != PH_E_RANGE && rc != PH_E_DUPLICATE))
    {
        ph_log(PH_LOG_WARN, "frame_broken", { "rc", ph_log_i64(rc) });
        conn_close(conn);
        return;
    }
    *frame = (struct ph_frame){ .version = PH_FRAME_VERSION, .attempt = 1 };
    memcpy(frame->id, conn->in + 8, PH_FRAME_ID_LEN);
    request_begin(conn);
    request_refuse(&conn->request, "a field is unknown here, too long, or "
                                   "stands twice");
}

/* Looks whether a whole frame is there. */
static void
conn_look(struct conn *conn)
{
    if (conn->in_len < PH_FRAME_HEAD_LEN) {
        return;
    }
    struct ph_str head = ph_str_make(conn->in, PH_FRAME_HEAD_LEN);

    if (ph_frame_length(head, &conn->frame_len) != PH_OK
        || !conn_grow(conn, conn->frame_len))
    {
        ph_log(PH_LOG_WARN, "frame_broken",
               { "why", PH_STR("no head of a frame, or no room for it") });
        conn_close(conn);
        return;
    }
    if (conn->in_len < conn->frame_len) {
        return;
    }
    (void) uv_read_stop((uv_stream_t *) &conn->pipe);
    enum ph_rc rc = ph_frame_read(ph_str_make(conn->in, conn->frame_len),
                                  &conn->request.frame);

    if (rc == PH_OK) {
        conn_frame(conn);
    } else {
        conn_frame_unread(conn, rc);
    }
}

/* ---- reading ---- */

static void
conn_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *conn = handle->data;
    size_t       want = conn->in_len + 1 > conn->frame_len ? conn->in_len + 1
                                                           : conn->frame_len;

    (void) suggested;
    if (want < CONN_BUFFER_FIRST) {
        want = CONN_BUFFER_FIRST;
    }
    if (want > PH_FRAME_MAX || !conn_grow(conn, want)) {
        *buf = uv_buf_init(NULL, 0); /* libuv reports UV_ENOBUFS */
        return;
    }
    *buf = uv_buf_init(conn->in + conn->in_len,
                       (unsigned) (conn->in_size - conn->in_len));
}

static void
conn_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;

    (void) buf;
    if (count < 0) {
        conn_close(conn);
        return;
    }
    if (conn->in_len == 0) {
        conn->since_ms = uv_now(stream->loop);
    }
    conn->in_len += (size_t) count;
    if (count > 0 && conn->state == CONN_READING) {
        conn_look(conn);
    }
}

/* After an answer: what came behind the frame is the next one's beginning. */
static void
conn_resume(struct conn *conn)
{
    size_t left = conn->in_len - conn->frame_len;

    memmove(conn->in, conn->in + conn->frame_len, left);
    conn->in_len    = left;
    conn->since_ms  = left != 0 ? uv_now(conn->pipe.loop) : 0;
    conn->frame_len = 0;
    conn->state     = CONN_READING;
    conn_shrink(conn);
    if (uv_read_start((uv_stream_t *) &conn->pipe, conn_alloc, conn_read) != 0)
    {
        conn_close(conn);
        return;
    }
    conn_look(conn);
}

static void
server_sweep(uv_timer_t *timer)
{
    struct wk_server *server = timer->data;
    uint64_t          now_ms = uv_now(timer->loop);

    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (conn->since_ms != 0 && now_ms - conn->since_ms > SERVER_FRAME_MS) {
            conn_close(conn);
        }
    }
}

static void
server_accept(uv_stream_t *listener, int status)
{
    struct wk_server *server = listener->data;
    struct conn      *conn   = calloc(1, sizeof(*conn));

    if (status != 0 || conn == NULL) {
        free(conn);
        return;
    }
    conn->server    = server;
    conn->pipe.data = conn;
    conn->next      = server->conns;
    if (server->conns != NULL) {
        server->conns->prev = conn;
    }
    server->conns = conn;
    server->conn_count++;
    (void) uv_pipe_init(&server->worker->loop, &conn->pipe, 0);
    if (uv_accept(listener, (uv_stream_t *) &conn->pipe) != 0
        || server->conn_count > server->conn_max
        || uv_read_start((uv_stream_t *) &conn->pipe, conn_alloc, conn_read)
               != 0)
    {
        conn_close(conn);
    }
}

/* ---- the face ---- */

struct wk_server *
wk_server_new(struct wk_worker *worker, const char *path)
{
    struct wk_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->worker   = worker;
    server->conn_max = (size_t) wk_conf(worker, PH_CONF_worker_max_connections);
    (void) snprintf(server->path, sizeof(server->path), "%s", path);
    (void) uv_pipe_init(&worker->loop, &server->listener, 0);
    server->listener.data = server;
    server->sweep.data    = server;
    (void) uv_timer_init(&worker->loop, &server->sweep);
    (void) uv_timer_start(&server->sweep, server_sweep, SERVER_FRAME_MS / 5,
                          SERVER_FRAME_MS / 5);
    int failed = wk_socket_listen(&server->listener, path, server_accept);

    if (failed != 0) {
        ph_log(PH_LOG_ERROR, "listen_failed", { "path", ph_str_z(path) },
               { "why", ph_str_z(uv_strerror(failed)) });
        uv_close((uv_handle_t *) &server->listener, NULL);
        return NULL; /* the process ends; the loop still owns the handle */
    }
    return server;
}

size_t
wk_server_requests(const struct wk_server *server)
{
    return server->requests;
}

static void
conn_goaway(struct conn *conn)
{
    const struct ph_frame goaway
        = { .version = PH_FRAME_VERSION, .type = PH_FRAME_GOAWAY };

    (void) uv_read_stop((uv_stream_t *) &conn->pipe);
    conn_send(conn, &goaway);
}

void
wk_server_drain(struct wk_server *server)
{
    server->is_draining = true;
    (void) unlink(server->path);
    uv_close((uv_handle_t *) &server->listener, NULL);
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (conn->state == CONN_READING) {
            conn_goaway(conn); /* a frame half read was not taken: not done */
        }
    }
}

void
wk_server_stop(struct wk_server *server)
{
    uv_close((uv_handle_t *) &server->sweep, NULL);
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->next) {
        conn_close(conn);
    }
}

void
wk_server_free(struct wk_server *server)
{
    free(server);
}

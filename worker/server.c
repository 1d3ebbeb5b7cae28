/*
 * server.c - the frame server: requests, replies, the listener; see server.h.
 *
 *   whole frame -> CALL, SYNC_PULL: a request, at work --wk_reply--> gone
 *              `-> HELLO, PING: answered at once
 *
 * Invariants:
 *   1. A request owns its bytes: its views stay until wk_reply(), and it may
 *      outlive its connection.
 *   2. A frame that cannot be trusted ends its connection, unanswered; those
 *      before it are answered.
 *   3. After GOAWAY nothing is executed: a CALL that crosses it is BUSY.  The
 *      process waits for its connections, so that it still finds somebody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/base/version.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/admin.h"
#include "worker/crash.h"
#include "worker/health.h"
#include "worker/idem.h"
#include "worker/platform.h"
#include "worker/route.h"
#include "worker/server_int.h"
#include "worker/socket_path.h"

#define PLATFORM_SIGNATURE_MAX 200 /* of the frame's field */

/* ---- replies ---- */

static struct ph_frame
frame_reply(const struct ph_frame *asked, enum ph_frame_type type)
{
    struct ph_frame frame = { .version = PH_FRAME_VERSION,
                              .type    = (uint8_t) type,
                              .attempt = asked->attempt };

    memcpy(frame.id, asked->id, sizeof(frame.id));
    return frame;
}

static void
meta_add(struct ph_buf *meta, enum ph_field field, struct ph_str value)
{
    if (value.len != 0) {
        ph_field_add(meta, field, value);
    }
}

/* The edge asks for it where it shares no secret with the caller. */
static void
meta_sign(struct ph_buf *meta, const struct wk_request *request,
          const struct wk_reply *reply)
{
    const struct wk_platform *platform = request->worker->platform;
    struct ph_str             asked    = request->frame.meta;
    char                      memory[PLATFORM_SIGNATURE_MAX];
    struct ph_buf             text = PH_BUF_INIT(memory);

    if (platform == NULL || request->method.ptr == NULL
        || ph_field_find(asked, PH_FIELD_PLATFORM_SIGNATURE).len == 0)
    {
        return;
    }
    /* signed is what the client gets, and that is no body for HEAD */
    struct ph_str body
        = ph_str_eq(request->method, PH_STR("HEAD")) ? PH_STR("") : reply->body;

    if (wk_platform_answer(platform, &text, ph_now_ms() / 1000,
                           ph_field_find(asked, PH_FIELD_NONCE), reply->status,
                           body))
    {
        meta_add(meta, PH_FIELD_PLATFORM_SIGNATURE, ph_buf_str(&text));
    } else {
        ph_log(PH_LOG_ERROR, "answer_not_signed",
               { "request", ph_str_z(request->id_text) });
    }
}

static struct ph_str
reply_meta(struct wk_server *server, const struct wk_request *request,
           const struct wk_reply *reply)
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
        meta_sign(&meta, request, reply);
    }
    return ph_buf_str(&meta);
}

/* An edge that waits for news holds nothing up, nor who waits for a payer. */
static size_t
request_counts(const struct wk_request *request)
{
    return request->frame.type != PH_FRAME_SYNC_PULL && !request->is_parked;
}

static void
place_give(struct wk_request *request)
{
    if (request->has_place) {
        struct wk_server *server = request->worker->server;

        server->callers.count[wk_share_slot(request->app_id)]--;
        request->has_place = false;
    }
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
    struct wk_worker *worker = request->worker;
    struct wk_server *server = worker->server;
    struct wk_box    *box    = (struct wk_box *) request;
    struct ph_frame   frame  = frame_reply(&request->frame, reply->type);

    if (wk_idem_take(request, reply)) {
        return; /* it comes back when it is kept */
    }
    reply_log(request, reply);
    if (request->method.ptr != NULL
        && ph_str_eq(request->method, PH_STR("POST"))) {
        wk_crash_point("before_reply");
    }
    frame.status = (uint16_t) reply->status;
    frame.meta   = reply_meta(server, request, reply);
    frame.body   = reply->body;
    server->requests -= request_counts(request);
    place_give(request);
    wk_conn_send(box->conn, &frame);
    wk_conn_done(box);
    wk_job_end(worker);
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
request_begin(struct wk_request *request)
{
    struct wk_worker *worker = request->worker;

    request->arrived_ns = ph_monotonic_ns();
    request_id_text(request);
    worker->server->requests += request_counts(request);
    wk_job_begin(worker);
}

/* Another worker takes it: of this one nothing has been done. */
static void
request_turn_away(struct wk_request *request)
{
    const struct ph_problem problem
        = { .error  = PH_ERROR_NOT_EXECUTED,
            .detail = PH_STR("this worker is ending") };
    const struct wk_reply more = { .retry_after_s = 1 };

    wk_reply_problem(request, PH_FRAME_BUSY, &problem, &more);
}

static void
take_call(struct wk_request *request)
{
    request_begin(request);
    if (!request_fill(request)) {
        request_refuse(request, "expected method, target beginning with a "
                                "slash, and for a key its app and merchant");
    } else if (request->worker->server->is_draining) {
        request_turn_away(request);
    } else {
        wk_route(request);
    }
}

static void
take_hello(struct wk_box *box)
{
    struct wk_worker *worker     = box->request.worker;
    const char        version[1] = { PH_FRAME_VERSION };
    struct ph_buf     meta       = PH_BUF_INIT(worker->server->meta);
    struct ph_frame   frame = frame_reply(&box->request.frame, PH_FRAME_HELLO);

    ph_field_add(&meta, PH_FIELD_VERSION_MIN, ph_str_make(version, 1));
    ph_field_add(&meta, PH_FIELD_VERSION_MAX, ph_str_make(version, 1));
    ph_field_add(&meta, PH_FIELD_ROLES,
                 ph_str_z(ph_conf_text(worker->conf, PH_CONF_worker_roles)));
    ph_field_add(&meta, PH_FIELD_BUILD, PH_STR("payhub-worker " PH_VERSION));
    frame.meta = ph_buf_str(&meta);
    wk_conn_send(box->conn, &frame);
    wk_conn_done(box);
}

static void
take_ping(struct wk_box *box)
{
    const struct ph_frame pong
        = frame_reply(&box->request.frame, PH_FRAME_PONG);

    wk_conn_send(box->conn, &pong);
    wk_conn_done(box);
}

static void
take_known(struct wk_box *box)
{
    struct wk_request *request = &box->request;

    switch ((enum ph_frame_type) request->frame.type) {
    case PH_FRAME_CALL:
        take_call(request);
        return;
    case PH_FRAME_HELLO:
        take_hello(box);
        return;
    case PH_FRAME_PING:
        take_ping(box);
        return;
    case PH_FRAME_SYNC_PULL:
        request_begin(request);
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
    wk_conn_end(box->conn);
    wk_conn_done(box);
}

/* The head was sound but a field is unknown: only the call is refused. */
static void
take_unread(struct wk_box *box, enum ph_rc rc)
{
    struct ph_frame *frame   = &box->request.frame;
    bool             is_call = (uint8_t) box->bytes[5] == PH_FRAME_CALL;

    if (!is_call
        || (rc != PH_E_UNKNOWN && rc != PH_E_RANGE && rc != PH_E_DUPLICATE))
    {
        ph_log(PH_LOG_WARN, "frame_broken", { "rc", ph_log_i64(rc) });
        wk_conn_end(box->conn);
        wk_conn_done(box);
        return;
    }
    *frame = (struct ph_frame){ .version = PH_FRAME_VERSION, .attempt = 1 };
    memcpy(frame->id, box->bytes + 8, PH_FRAME_ID_LEN);
    request_begin(&box->request);
    request_refuse(&box->request, "a field is unknown here, too long, or "
                                  "stands twice");
}

void
wk_server_take(struct wk_box *box)
{
    enum ph_rc rc
        = ph_frame_read(ph_str_make(box->bytes, box->len), &box->request.frame);

    if (rc == PH_OK) {
        take_known(box);
    } else {
        take_unread(box, rc);
    }
}

/* ---- the listener ---- */

static void
server_sweep(uv_timer_t *timer)
{
    wk_conns_sweep(timer->data);
}

static void
server_turn(uv_prepare_t *turn)
{
    wk_conns_turn(turn->data);
}

static void
server_accept(uv_stream_t *listener, int status)
{
    if (status == 0) {
        wk_conn_accept(listener->data);
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
    server->turn.data = server;
    (void) uv_prepare_init(&worker->loop, &server->turn);
    (void) uv_prepare_start(&server->turn, server_turn);
    int failed = wk_socket_listen(&server->listener, path, server_accept);

    if (failed != 0) {
        ph_log(PH_LOG_ERROR, "listen_failed", { "path", ph_str_z(path) },
               { "why", ph_str_z(uv_strerror(failed)) });
        uv_close((uv_handle_t *) &server->listener, NULL);
        return NULL; /* the process ends; the loop still owns the handle */
    }
    return server;
}

bool
wk_server_place(struct wk_request *request, size_t most)
{
    struct wk_server *server = request->worker->server;
    unsigned          slot   = wk_share_slot(request->app_id);

    if (!request->has_place
        && wk_share_fits(&server->callers, slot, server->requests - 1, most))
    {
        server->callers.count[slot]++;
        request->has_place = true;
    }
    return request->has_place;
}

void
wk_server_park(struct wk_request *request)
{
    struct wk_server *server = request->worker->server;

    place_give(request);
    server->requests -= request_counts(request);
    request->is_parked = true;
}

/* The connections are one job: the process ends when the last has closed. */
void
wk_server_drain(struct wk_server *server)
{
    server->is_draining = true;
    (void) unlink(server->path);
    uv_close((uv_handle_t *) &server->listener, NULL);
    if (server->conn_count != 0) {
        server->is_waiting = true;
        wk_job_begin(server->worker);
        wk_conns_goaway(server);
    }
}

void
wk_server_left(struct wk_server *server)
{
    server->conn_count--;
    if (server->is_waiting && server->conn_count == 0) {
        server->is_waiting = false;
        wk_job_end(server->worker);
    }
}

void
wk_server_stop(struct wk_server *server)
{
    uv_close((uv_handle_t *) &server->sweep, NULL);
    uv_close((uv_handle_t *) &server->turn, NULL);
    wk_conns_close(server);
}

void
wk_server_free(struct wk_server *server)
{
    wk_boxes_free(server);
    free(server);
}

/*
 * server.c - libmicrohttpd's callbacks around ops.c.
 *
 * One event thread of ours serves all connections; an answer that is held back
 * is suspended and woken by the clock thread.
 *
 * libmicrohttpd's own thread would wait in epoll_wait() a second time before it
 * serves anyone whenever a multiple of 128 events came at once, and then sleep
 * until somebody else comes (0.9.75 and 1.0 alike).  MHD_run() never waits.
 *
 *   request_begin -> request_feed* -> request_run -> queue
 *                                        | park            ^
 *                                        +--> suspended --- request_wake
 *
 * "answered" in the books is written when libmicrohttpd says that the whole
 * answer went out, in on_completed, and nowhere else.
 *
 * @thread the one of server_run(), but for request_wake (clock) and the starts
 * and stops (main)
 */
#include "sandbox/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "sandbox/listing.h"
#include "sandbox/text.h"

#define IDLE_TIMEOUT_S 300
#define CONNECTION_MEMORY (32 * 1024)
#define LISTING_BLOCK (32 * 1024)
#define SLEEP_MAX_MS 1000 /* a wake-up that got lost costs no more */

struct sb_server {
    struct MHD_Daemon *daemon;
    struct sb_world    world;
    uint32_t           connections; /* made so far: their names */
    pthread_t          thread;
    int                wake_fd; /* an eventfd: one was resumed, or the end */
    atomic_bool        is_ending;
};

struct request {
    struct sb_parked       parked; /* first: request_wake() casts back */
    struct sb_server      *server;
    struct MHD_Connection *connection;
    enum sb_op             op;
    bool                   is_too_large;
    bool                   is_run;
    bool                   is_queued;
    size_t                 body_len;
    struct sb_reply        reply;
    char                   body[SB_BODY_MAX];
};

/* --- helpers over the library --------------------------------------------- */

static uint32_t
connection_number(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? (uint32_t) (uintptr_t) info->socket_context : 0;
}

static struct ph_str
header_of(struct MHD_Connection *connection, const char *name)
{
    return ph_str_z(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static bool
response_sign(struct MHD_Response *response, struct ph_str key,
              struct ph_str body)
{
    char          timestamp[24], signature[SB_SIGNATURE_MAX];
    struct ph_buf when = PH_BUF_INIT(timestamp);
    struct ph_buf sign = PH_BUF_INIT(signature);

    ph_buf_u64(&when, ph_now_ms() / 1000);
    return sb_sign(&sign, key, ph_buf_str(&when), body)
           && MHD_add_response_header(response, "Content-Type",
                                      "application/json")
                  == MHD_YES
           && MHD_add_response_header(response, "Sandbox-Timestamp",
                                      ph_buf_z(&when))
                  == MHD_YES
           && MHD_add_response_header(response, "Sandbox-Signature",
                                      ph_buf_z(&sign))
                  == MHD_YES;
}

static enum MHD_Result
reply_queue(struct sb_server *server, struct request *request)
{
    struct sb_reply     *reply    = &request->reply;
    struct ph_str        body     = ph_buf_str(&reply->body);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, reply->text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued = MHD_NO;

    if (response == NULL) {
        return MHD_NO;
    }
    /* a signature of other bytes: well-formed, and wrong */
    if (reply->manner == SB_ANSWER_BAD_SIGNATURE) {
        body.len--;
    }
    if (response_sign(response, server->world.key, body)) {
        queued
            = MHD_queue_response(request->connection, reply->status, response);
    }
    request->is_queued = queued == MHD_YES;
    MHD_destroy_response(response);
    return queued;
}

/* --- the event thread ----------------------------------------------------- */

static void
server_wake(const struct sb_server *server)
{
    (void) eventfd_write(server->wake_fd, 1);
}

/* Until there is something to do.  The eventfd is emptied before the turn that
 * follows, so what comes during that turn ends the next sleep at once; the
 * library's own wake-up may be eaten by the turn that it comes into. */
static void
server_sleep(const struct sb_server *server, int epoll_fd)
{
    struct pollfd          fds[] = { { .fd = epoll_fd, .events = POLLIN },
                                     { .fd = server->wake_fd, .events = POLLIN } };
    MHD_UNSIGNED_LONG_LONG left_ms;
    eventfd_t              wakes;
    int                    sleep_ms = SLEEP_MAX_MS;

    if (MHD_get_timeout(server->daemon, &left_ms) == MHD_YES
        && left_ms < SLEEP_MAX_MS)
    {
        sleep_ms = (int) left_ms;
    }
    if (poll(fds, 2, sleep_ms) > 0 && fds[1].revents != 0) {
        (void) eventfd_read(server->wake_fd, &wakes);
    }
}

/* The last turn comes after the end was seen: who was resumed until then is
 * still served. */
static void *
server_run(void *data)
{
    struct sb_server *server = data;
    int epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
                       ->epoll_fd;
    bool is_ending;

    do {
        server_sleep(server, epoll_fd);
        is_ending = atomic_load(&server->is_ending);
        (void) MHD_run(server->daemon);
    } while (!is_ending);
    return NULL;
}

/* --- a request's life ----------------------------------------------------- */

static enum MHD_Result
reply_give(struct sb_server *server, struct request *request)
{
    if (request->reply.manner == SB_ANSWER_CLOSE
        || request->reply.manner == SB_ANSWER_HANG)
    {
        return MHD_NO; /* closes the connection without a byte */
    }
    return reply_queue(server, request);
}

static void
request_wake(struct sb_parked *parked)
{
    struct request         *request = (struct request *) parked;
    const struct sb_server *server  = request->server;

    MHD_resume_connection(request->connection); /* may end the request */
    server_wake(server);
}

/* Suspended and parked under one lock: a clock that has ended wakes nobody. */
static enum MHD_Result
request_park(struct sb_server *server, struct request *request)
{
    const struct sb_world *world = &server->world;
    struct sb_reply       *reply = &request->reply;
    bool                   is_parked;

    request->parked.due_ms     = ph_now_ms() + reply->delay_ms;
    request->parked.until_told = reply->until_told;
    request->parked.wake       = request_wake;
    sb_books_lock(world->books);
    is_parked = sb_clock_can_park(world->clock);
    if (is_parked) {
        MHD_suspend_connection(request->connection);
        sb_clock_park(world->clock, &request->parked);
    }
    sb_books_unlock(world->books);
    return is_parked ? MHD_YES : reply_give(server, request);
}

static void
request_judge(struct sb_server *server, struct request *request)
{
    const struct sb_world *world  = &server->world;
    uint32_t               number = connection_number(request->connection);
    struct ph_str          body = ph_str_make(request->body, request->body_len);

    if (request->is_too_large) {
        sb_op_refuse(world, request->op, number, 413, PH_STR("too_large"),
                     &request->reply);
        return;
    }
    /* the payer's phone has no key */
    if (request->op != SB_OP_PAYER
        && !sb_verify(world->key,
                      header_of(request->connection, "Sandbox-Timestamp"),
                      header_of(request->connection, "Sandbox-Signature"), body,
                      ph_now_ms()))
    {
        sb_op_refuse(world, request->op, number, 401, PH_STR("bad_signature"),
                     &request->reply);
        return;
    }
    sb_op_run(world, request->op, body, number, &request->reply);
}

static enum MHD_Result
request_run(struct sb_server *server, struct request *request)
{
    if (!request->is_run) {
        request->is_run = true;
        request_judge(server, request);
        if (request->reply.delay_ms != 0) {
            return request_park(server, request);
        }
    }
    return reply_give(server, request);
}

static void
request_feed(struct request *request, const char *bytes, size_t len)
{
    if (len > sizeof(request->body) - request->body_len) {
        request->is_too_large = true;
        return;
    }
    memcpy(request->body + request->body_len, bytes, len);
    request->body_len += len;
}

static struct request *
request_new(struct sb_server *server, struct MHD_Connection *connection,
            enum sb_op op)
{
    struct request *request = malloc(sizeof(*request));

    if (request == NULL) {
        return NULL;
    }
    /* the two large texts are written before they are read */
    memset(request, 0, offsetof(struct request, reply));
    request->reply.has_call = false;
    request->server         = server;
    request->connection     = connection;
    request->op             = op;
    return request;
}

/* a refusal of what is no operation: nothing is noted, nothing is signed */
static enum MHD_Result
refusal_give(struct MHD_Connection *connection, unsigned status,
             struct ph_str code)
{
    char          text[64];
    struct ph_buf body = PH_BUF_INIT(text);

    ph_buf_add(&body, PH_STR("{\"code\":"));
    ph_buf_json(&body, code);
    ph_buf_byte(&body, '}');
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, text, MHD_RESPMEM_MUST_COPY);

    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* --- GET /_books ---------------------------------------------------------- */

static ssize_t
on_listing(void *data, uint64_t position, char *out, size_t size)
{
    size_t len;

    (void) position;
    if (size < SB_LISTING_PIECE_MAX) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    len = sb_listing_fill(data, out, size);
    return len != 0 ? (ssize_t) len : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result
listing_give(struct sb_server *server, struct MHD_Connection *connection)
{
    const char *number = MHD_lookup_connection_value(
        connection, MHD_GET_ARGUMENT_KIND, "out_trade_no");
    const char *calls = MHD_lookup_connection_value(
        connection, MHD_GET_ARGUMENT_KIND, "calls");

    if ((number != NULL && !ph_str_is_token(ph_str_z(number), SB_NUMBER_MAX))
        || (calls != NULL && strcmp(calls, "0") != 0))
    {
        return refusal_give(connection, 400, PH_STR("bad_request"));
    }
    struct sb_listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        return MHD_NO;
    }
    listing->books         = server->world.books;
    listing->without_calls = calls != NULL;
    if (number != NULL) {
        memcpy(listing->number, number, strlen(number) + 1);
    }
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, LISTING_BLOCK, on_listing, listing, free);
    if (response == NULL) {
        free(listing);
        return MHD_NO;
    }
    (void) MHD_add_response_header(response, "Content-Type",
                                   "application/json");
    enum MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

/* --- the library's callbacks ---------------------------------------------- */

static enum MHD_Result
request_first(struct sb_server *server, struct MHD_Connection *connection,
              const char *path, const char *method, void **context)
{
    enum sb_op op = sb_op_find(path);

    if (op != SB_OP_NONE && strcmp(method, "POST") == 0) {
        *context = request_new(server, connection, op);
        return *context != NULL ? MHD_YES : MHD_NO;
    }
    if (strcmp(path, "/_books") == 0 && strcmp(method, "GET") == 0) {
        return listing_give(server, connection);
    }
    return refusal_give(connection, op != SB_OP_NONE ? 405 : 404,
                        PH_STR("no_such_operation"));
}

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): the library's callback shape */
on_request(void *data, struct MHD_Connection *connection, const char *path,
           const char *method, const char *version, const char *upload,
           size_t *upload_len, void **context)
{
    struct request *request = *context;

    (void) version;
    if (request == NULL) {
        return request_first(data, connection, path, method, context);
    }
    if (*upload_len != 0) {
        request_feed(request, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    return request_run(data, request);
}

static void
on_completed(void *data, struct MHD_Connection *connection, void **context,
             enum MHD_RequestTerminationCode how)
{
    struct sb_server *server  = data;
    struct request   *request = *context;

    (void) connection;
    if (request == NULL) {
        return;
    }
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->is_queued
        && request->reply.has_call)
    {
        sb_books_lock(server->world.books);
        sb_books_answered(server->world.books, request->reply.call_no);
        sb_books_unlock(server->world.books);
    }
    free(request);
    *context = NULL;
}

static void
on_connection(void *data, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode what)
{
    struct sb_server *server = data;

    (void) connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = (void *) (uintptr_t) ++server->connections;
    }
}

static void
on_library_log(void *data, const char *format, va_list args)
{
    char text[256];

    (void) data;
    (void) vsnprintf(text, sizeof(text), format, args);
    ph_log(PH_LOG_DEBUG, "microhttpd", { "says", ph_str_z(text) });
}

/* --- start and stop ------------------------------------------------------- */

static struct MHD_Daemon *
daemon_start(const struct sb_server_options *options, struct sb_server *server)
{
    struct sockaddr_in v4
        = { .sin_family = AF_INET, .sin_port = htons(options->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port   = htons(options->port),
                               .sin6_addr   = IN6ADDR_LOOPBACK_INIT };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME
                     | MHD_USE_ERROR_LOG | (options->is_v6 ? MHD_USE_IPv6 : 0);

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(
        flags, options->port, NULL, NULL, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_SOCK_ADDR,
        options->is_v6 ? (void *) &v6 : (void *) &v4, MHD_OPTION_HTTPS_MEM_CERT,
        options->cert_pem, MHD_OPTION_HTTPS_MEM_KEY, options->key_pem,
        MHD_OPTION_CONNECTION_LIMIT, SB_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

static bool
thread_start(struct sb_server *server)
{
    server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (server->wake_fd == -1) {
        ph_log(PH_LOG_ERROR, "eventfd_failed");
        return false;
    }
    if (pthread_create(&server->thread, NULL, server_run, server) != 0) {
        ph_log(PH_LOG_ERROR, "thread_failed");
        (void) close(server->wake_fd);
        return false;
    }
    return true;
}

struct sb_server *
sb_server_start(const struct sb_server_options *options,
                const struct sb_world          *world)
{
    struct sb_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->world  = *world;
    server->daemon = daemon_start(options, server);
    if (server->daemon == NULL) {
        ph_log(PH_LOG_ERROR, "listen_failed",
               { "port", ph_log_i64(options->port) },
               { "expected",
                 PH_STR("a free port, a certificate and its key in PEM") });
        free(server);
        return NULL;
    }
    if (!thread_start(server)) {
        MHD_stop_daemon(server->daemon);
        free(server);
        return NULL;
    }
    return server;
}

void
sb_server_quiesce(struct sb_server *server)
{
    (void) MHD_quiesce_daemon(server->daemon);
}

void
sb_server_stop(struct sb_server *server)
{
    if (server != NULL) {
        atomic_store(&server->is_ending, true);
        server_wake(server);
        (void) pthread_join(server->thread, NULL);
        MHD_stop_daemon(server->daemon);
        (void) close(server->wake_fd);
        free(server);
    }
}

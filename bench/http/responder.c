/*
 * responder.c - the least worker there can be: answers every CALL frame with
 * one fixed RESULT, so that a measurement sees the edge's hop and nothing else.
 *
 *   responder SOCKET
 *
 * One thread, epoll, unix socket; ends when its standard input closes.  All
 * frames of one read are answered by one write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libpayhub/wire/frame.h"

#define EVENTS_MAX 64
#define CONNECTIONS_MAX 256
#define IN_MAX 65536
#define OUT_MAX 65536
#define ANSWER_MAX 1024

struct conn {
    int    fd;
    size_t len;
    char   in[IN_MAX];
};

static const char answer[] = "{\"id\":\"P0000000000000000000000000\",\"order_no"
                             "\":\"bench\",\"status\":\"paid\",\"amount\":100}";

static struct conn *conns[CONNECTIONS_MAX];

static char   meta_memory[128];
static char   out_memory[OUT_MAX]; /* the answers of one read */
static size_t out_len;

static bool
out_write(int fd)
{
    for (size_t from = 0; from < out_len;) {
        ssize_t sent
            = send(fd, out_memory + from, out_len - from, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        from += (size_t) sent;
    }
    out_len = 0;
    return true;
}

static bool
frame_answer(int fd, const struct ph_frame *call, struct ph_str meta)
{
    struct ph_buf   out;
    struct ph_frame reply = { .version = PH_FRAME_VERSION,
                              .type    = PH_FRAME_RESULT,
                              .status  = 200,
                              .attempt = call->attempt,
                              .meta    = meta,
                              .body = ph_str_make(answer, sizeof(answer) - 1) };

    memcpy(reply.id, call->id, sizeof(reply.id));
    if (out_len + ANSWER_MAX > OUT_MAX && !out_write(fd)) {
        return false;
    }
    ph_buf_init(&out, out_memory + out_len, OUT_MAX - out_len);
    if (ph_frame_write(&out, &reply) != PH_OK) {
        return false;
    }
    out_len += out.len;
    return true;
}

/* answers the frames that are whole; false = the connection is done */
static bool
conn_read(struct conn *conn, struct ph_str meta)
{
    ssize_t got  = recv(conn->fd, conn->in + conn->len, IN_MAX - conn->len, 0);
    size_t  from = 0;

    if (got <= 0) {
        return false;
    }
    conn->len += (size_t) got;
    out_len = 0;
    for (;;) {
        struct ph_frame frame;
        enum ph_rc      rc = ph_frame_read(
                 ph_str_make(conn->in + from, conn->len - from), &frame);
        if (rc == PH_E_MORE) {
            break;
        }
        if (rc != PH_OK || !frame_answer(conn->fd, &frame, meta)) {
            return false;
        }
        from += PH_FRAME_HEAD_LEN + frame.meta.len + frame.body.len;
    }
    conn->len -= from;
    if (from != 0 && conn->len != 0) {
        memmove(conn->in, conn->in + from, conn->len);
    }
    return out_write(conn->fd) && conn->len < IN_MAX;
}

static void
conn_accept(int poll_fd, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

    for (size_t i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++) {
        if (conns[i] != NULL) {
            continue;
        }
        conns[i]              = calloc(1, sizeof(*conns[i]));
        struct epoll_event ev = { .events = EPOLLIN, .data = { .u64 = i + 2 } };
        if (conns[i] != NULL && epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
        {
            conns[i]->fd = fd;
            return;
        }
        break;
    }
    if (fd >= 0) {
        (void) close(fd);
    }
}

static void
serve(int poll_fd, int listen_fd)
{
    struct epoll_event events[EVENTS_MAX];
    struct ph_buf      meta = PH_BUF_INIT(meta_memory);

    ph_field_add(&meta, PH_FIELD_CONTENT_TYPE, PH_STR("application/json"));
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            uint64_t which = events[i].data.u64;
            if (which == 0) {
                return; /* standard input closed: our starter is gone */
            }
            if (which == 1) {
                conn_accept(poll_fd, listen_fd);
            } else if (!conn_read(conns[which - 2], ph_buf_str(&meta))) {
                (void) close(conns[which - 2]->fd);
                free(conns[which - 2]);
                conns[which - 2] = NULL;
            }
        }
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_un at    = { .sun_family = AF_UNIX };
    struct epoll_event in    = { .events = EPOLLIN, .data = { .u64 = 0 } };
    struct epoll_event fresh = { .events = EPOLLIN, .data = { .u64 = 1 } };

    if (argc != 2 || strlen(argv[1]) >= sizeof(at.sun_path)) {
        (void) fprintf(stderr, "usage: responder SOCKET\n");
        return 2;
    }
    int poll_fd   = epoll_create1(EPOLL_CLOEXEC);
    int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void) snprintf(at.sun_path, sizeof(at.sun_path), "%s", argv[1]);
    if (bind(listen_fd, (const struct sockaddr *) &at, sizeof(at)) != 0
        || listen(listen_fd, CONNECTIONS_MAX) != 0
        || epoll_ctl(poll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &in) != 0
        || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listen_fd, &fresh) != 0)
    {
        (void) fprintf(stderr, "responder: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    serve(poll_fd, listen_fd);
    return 0;
}

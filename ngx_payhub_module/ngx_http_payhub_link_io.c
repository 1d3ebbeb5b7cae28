
/*
 * The connection of a link, see ngx_http_payhub_link.h: what leaves, what
 * comes, the end.
 */


#include "ngx_http_payhub_link_int.h"


#define NGX_HTTP_PAYHUB_LINK_BUFFER     (64 * 1024)
#define NGX_HTTP_PAYHUB_LINK_READS_MAX  16


static u_char *ngx_http_payhub_link_log(ngx_log_t *log, u_char *buf,
    size_t len);
static void ngx_http_payhub_link_connected(ngx_http_payhub_link_t *link);
static ngx_int_t ngx_http_payhub_link_socket_error(ngx_connection_t *c);
static void ngx_http_payhub_link_write_handler(ngx_event_t *ev);
static void ngx_http_payhub_link_flush_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_payhub_link_flush(ngx_http_payhub_link_t *link);
static void ngx_http_payhub_link_mark(ngx_http_payhub_link_t *link);
static void ngx_http_payhub_link_read_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_payhub_link_frames(ngx_http_payhub_link_t *link);
static void ngx_http_payhub_link_frame(ngx_http_payhub_link_t *link,
    struct ph_frame *frame, struct ph_str bytes);
static void ngx_http_payhub_link_shed(ngx_http_payhub_link_t *link);
static ngx_int_t ngx_http_payhub_link_garbled(ngx_http_payhub_link_t *link,
    char *what);

static void ngx_http_payhub_link_trim(ngx_http_payhub_link_buf_t *b);
static void ngx_http_payhub_link_end(ngx_http_payhub_link_t *link,
    ngx_uint_t failed);


ngx_http_payhub_link_t *
ngx_http_payhub_link_create(ngx_peer_connection_t *pc)
{
    ngx_http_payhub_link_t  *link;

    link = ngx_calloc(sizeof(ngx_http_payhub_link_t), pc->log);
    if (link == NULL) {
        return NULL;
    }

    ngx_queue_init(&link->calls);
    ngx_queue_init(&link->waiting);

    link->socklen = pc->socklen;
    ngx_memcpy(&link->sockaddr, pc->sockaddr, pc->socklen);

    return link;
}


void
ngx_http_payhub_link_start(ngx_http_payhub_link_t *link, ngx_connection_t *c)
{
    link->log = *ngx_cycle->log;
    link->log.handler = ngx_http_payhub_link_log;
    link->log.data = link;

    c->log = &link->log;
    c->read->log = c->log;
    c->write->log = c->log;

    c->data = link;
    c->idle = 1;
    c->read->handler = ngx_http_payhub_link_read_handler;
    c->write->handler = ngx_http_payhub_link_write_handler;

    link->connection = c;
    link->heard = ngx_current_msec;

    link->flush.data = link;
    link->flush.handler = ngx_http_payhub_link_flush_handler;
    link->flush.log = c->log;

    if (!link->connecting && link->sockaddr.sockaddr.sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }
}


static u_char *
ngx_http_payhub_link_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                   text[NGX_SOCKADDR_STRLEN];
    size_t                   n;
    ngx_http_payhub_link_t  *link;

    link = log->data;

    n = ngx_sock_ntop(&link->sockaddr.sockaddr, link->socklen, text,
                      NGX_SOCKADDR_STRLEN, 1);

    return ngx_snprintf(buf, len, ", upstream: \"%*s\"", n, text);
}


static void
ngx_http_payhub_link_write_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_payhub_link_t  *link;

    c = ev->data;
    link = c->data;

    if (link->connecting) {

        if (ngx_http_payhub_link_socket_error(c) != NGX_OK) {
            ngx_http_payhub_link_end(link, 1);
            return;
        }

        ngx_http_payhub_link_connected(link);
    }

    ngx_post_event(&link->flush, &ngx_posted_events);
}


static ngx_int_t
ngx_http_payhub_link_socket_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "payhub link: connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* those who wait send now; each may end, and with it others */

static void
ngx_http_payhub_link_connected(ngx_http_payhub_link_t *link)
{
    ngx_uint_t               n;
    ngx_event_t             *rev;
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

    rev = link->connection->read;

    if (rev->ready) {
        /* it came together with the connection, and is not told again */
        ngx_post_event(rev, &ngx_posted_events);
    }

    link->connecting = 0;
    link->heard = ngx_current_msec;

    if (link->sockaddr.sockaddr.sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(link->connection);
    }

    for (n = link->calls_n; n; n--) {

        if (ngx_queue_empty(&link->calls)) {
            break;
        }

        q = ngx_queue_head(&link->calls);
        call = ngx_queue_data(q, ngx_http_payhub_call_t, queue);

        /* who was asked stands behind */
        ngx_queue_remove(&call->queue);
        ngx_queue_insert_tail(&link->calls, &call->queue);

        if (!call->queued && !call->sent) {
            call->write.handler(&call->write);
        }
    }
}


/* At the end of the turn: sends what came in it, closes what is not needed. */

static void
ngx_http_payhub_link_flush_handler(ngx_event_t *ev)
{
    ngx_http_payhub_link_t *link = ev->data;

    if (link->connecting) {

        if (link->calls_n == 0) {
            ngx_http_payhub_link_close(link);
        }

        return;
    }

    if (ngx_http_payhub_link_flush(link) != NGX_OK) {
        ngx_http_payhub_link_end(link, 1);
        return;
    }

    if (link->calls_n == 0
        && (link->leaving || link->extra || ngx_exiting)
        && link->out.pos == link->out.last)
    {
        ngx_http_payhub_link_close(link);
    }
}


static ngx_int_t
ngx_http_payhub_link_flush(ngx_http_payhub_link_t *link)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = link->connection;

    while (link->out.pos < link->out.last && c->write->ready) {

        n = c->send(c, link->out.pos, link->out.last - link->out.pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        link->out.pos += n;
        link->written += n;

        ngx_http_payhub_link_mark(link);
    }

    if (link->out.pos == link->out.last) {
        ngx_http_payhub_link_trim(&link->out);
    }

    return ngx_handle_write_event(c->write, 0);
}


static void
ngx_http_payhub_link_mark(ngx_http_payhub_link_t *link)
{
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

    while (!ngx_queue_empty(&link->waiting)) {

        q = ngx_queue_head(&link->waiting);
        call = ngx_queue_data(q, ngx_http_payhub_call_t, waiting);

        if (call->start >= link->written) {
            return;
        }

        ngx_queue_remove(&call->waiting);

        call->sent = 1;
        call->since = ngx_current_msec;
        call->leaves(call);
    }
}


static void
ngx_http_payhub_link_read_handler(ngx_event_t *ev)
{
    ssize_t                      n;
    ngx_uint_t                   i;
    ngx_connection_t            *c;
    ngx_http_payhub_link_t      *link;
    ngx_http_payhub_link_buf_t  *b;

    c = ev->data;
    link = c->data;
    b = &link->in;

    if (c->close) {

        /* the process exits; with calls it does so after them */

        if (link->calls_n == 0) {
            ngx_http_payhub_link_close(link);
            return;
        }
    }

    if (link->connecting) {
        return;
    }

    for (i = 0; ev->ready; i++) {

        if (i == NGX_HTTP_PAYHUB_LINK_READS_MAX) {
            ngx_post_event(ev, &ngx_posted_events);
            return;
        }

        if (ngx_http_payhub_link_room(b, 1) != NGX_OK) {
            ngx_http_payhub_link_end(link, 1);
            return;
        }

        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_payhub_link_end(link, n != 0);
            return;
        }

        b->last += n;
        link->heard = ngx_current_msec;

        if (ngx_http_payhub_link_frames(link) != NGX_OK) {
            ngx_http_payhub_link_end(link, 1);
            return;
        }
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_http_payhub_link_end(link, 1);
    }
}


static ngx_int_t
ngx_http_payhub_link_frames(ngx_http_payhub_link_t *link)
{
    size_t                       len, total;
    struct ph_str                bytes;
    struct ph_frame              frame;
    ngx_http_payhub_link_buf_t  *b;

    b = &link->in;

    for ( ;; ) {

        len = b->last - b->pos;

        if (len < PH_FRAME_HEAD_LEN) {
            break;
        }

        bytes = ph_str_make((char *) b->pos, PH_FRAME_HEAD_LEN);

        if (ph_frame_length(bytes, &total) != PH_OK) {
            return ngx_http_payhub_link_garbled(link, "no frame of ours");
        }

        if (len < total) {
            return ngx_http_payhub_link_room(b, total - len);
        }

        bytes = ph_str_make((char *) b->pos, total);

        if (ph_frame_read(bytes, &frame) != PH_OK) {
            return ngx_http_payhub_link_garbled(link, "a damaged frame");
        }

        b->pos += total;

        ngx_http_payhub_link_frame(link, &frame, bytes);
    }

    if (b->pos == b->last) {
        ngx_http_payhub_link_trim(b);
    }

    return NGX_OK;
}


static void
ngx_http_payhub_link_frame(ngx_http_payhub_link_t *link,
    struct ph_frame *frame, struct ph_str bytes)
{
    ngx_http_payhub_call_t  *call;

    if (frame->type == PH_FRAME_GOAWAY) {

        /* it answers what is in flight and takes nothing new */

        link->leaving = 1;
        ngx_http_payhub_link_shed(link);

        if (link->calls_n == 0) {
            ngx_post_event(&link->flush, &ngx_posted_events);
        }

        return;
    }

    for (call = *ngx_http_payhub_link_slot(link, frame->id);
         call;
         call = call->next)
    {
        if (call->sent
            && ngx_memcmp(call->id, frame->id, PH_FRAME_ID_LEN) == 0)
        {
            break;
        }
    }

    if (call == NULL) {
        ngx_log_error(NGX_LOG_INFO, link->connection->log, 0,
                      "payhub link: worker answered a call that nobody "
                      "waits for");
        return;
    }

    /* one answer a call; its client may take long to read it */
    ngx_http_payhub_link_leave(call);

    call->answer = frame;
    call->bytes = bytes;

    /* the memory of the call may be gone after it */
    call->read.handler(&call->read);
}


/* what has not left goes to another peer */

static void
ngx_http_payhub_link_shed(ngx_http_payhub_link_t *link)
{
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

    while (!ngx_queue_empty(&link->waiting)) {

        q = ngx_queue_head(&link->waiting);
        call = ngx_queue_data(q, ngx_http_payhub_call_t, waiting);

        ngx_http_payhub_link_leave(call);

        call->failed = 1;
        call->blameless = 1;

        call->read.handler(&call->read);
    }
}


static ngx_int_t
ngx_http_payhub_link_garbled(ngx_http_payhub_link_t *link, char *what)
{
    ngx_log_error(NGX_LOG_ERR, link->connection->log, 0,
                  "payhub link: worker sent %s", what);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_payhub_link_room(ngx_http_payhub_link_buf_t *b, size_t size)
{
    u_char  *p;
    size_t   len, want;

    if ((size_t) (b->end - b->last) >= size) {
        return NGX_OK;
    }

    len = b->last - b->pos;

    if ((size_t) (b->end - b->start) >= len + size && b->pos != b->start) {
        ngx_memmove(b->start, b->pos, len);
        b->pos = b->start;
        b->last = b->start + len;

        return NGX_OK;
    }

    want = ngx_max((size_t) NGX_HTTP_PAYHUB_LINK_BUFFER, 2 * len);
    want = ngx_max(want, len + size);

    p = ngx_alloc(want, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(p, b->pos, len);
    }

    if (b->start) {
        ngx_free(b->start);
    }

    b->start = p;
    b->pos = p;
    b->last = p + len;
    b->end = p + want;

    return NGX_OK;
}


/* empty: what one large frame needed is not kept */

static void
ngx_http_payhub_link_trim(ngx_http_payhub_link_buf_t *b)
{
    if (b->end - b->start > NGX_HTTP_PAYHUB_LINK_BUFFER) {
        ngx_free(b->start);
        ngx_memzero(b, sizeof(ngx_http_payhub_link_buf_t));
        return;
    }

    b->pos = b->start;
    b->last = b->start;
}


static void
ngx_http_payhub_link_end(ngx_http_payhub_link_t *link, ngx_uint_t failed)
{
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

    if (link->calls_n) {
        ngx_log_error(NGX_LOG_ERR, link->connection->log, 0,
                      "payhub link: ended with %ui calls", link->calls_n);
    }

    /* none of what follows may choose it again */

    link->leaving = 1;
    link->gone = 1;

    ngx_queue_remove(&link->queue);
    ngx_queue_init(&link->queue);

    while (!ngx_queue_empty(&link->calls)) {

        q = ngx_queue_head(&link->calls);
        call = ngx_queue_data(q, ngx_http_payhub_call_t, queue);

        ngx_http_payhub_link_leave(call);

        call->failed = failed;
        call->read.handler(&call->read);
    }

    ngx_http_payhub_link_close(link);
}


void
ngx_http_payhub_link_close(ngx_http_payhub_link_t *link)
{
    ngx_queue_remove(&link->queue);

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    ngx_close_connection(link->connection);

    if (link->out.start) {
        ngx_free(link->out.start);
    }

    if (link->in.start) {
        ngx_free(link->in.start);
    }

    ngx_free(link);
}


/*
 * Links to workers, see ngx_http_payhub_link.h.
 *
 *     CONNECTING --> OPEN --GOAWAY, silence--> LEAVING --last answer--> gone
 *          |           |
 *          '-----------'---error, end, a frame that is none---> gone
 *
 * A link that goes takes its calls along: those of which no byte was sent may
 * go to another peer, of all others the outcome is unknown.
 */


#include "ngx_http_payhub_link.h"


#define NGX_HTTP_PAYHUB_LINKS_PER_PEER  4
#define NGX_HTTP_PAYHUB_LINK_CALLS_MAX  2048
#define NGX_HTTP_PAYHUB_LINK_OUT_MAX    (8 * 1024 * 1024)
#define NGX_HTTP_PAYHUB_LINK_BUFFER     (64 * 1024)
#define NGX_HTTP_PAYHUB_LINK_HASH       1024
#define NGX_HTTP_PAYHUB_LINK_READS_MAX  16


typedef struct {
    u_char                  *start;
    u_char                  *pos;
    u_char                  *last;
    u_char                  *end;
} ngx_http_payhub_link_buf_t;


struct ngx_http_payhub_link_s {
    ngx_queue_t                  queue;     /* of this process */
    ngx_queue_t                  calls;
    ngx_queue_t                  waiting;   /* calls in the order of sending */
    ngx_uint_t                   calls_n;
    ngx_connection_t            *connection;

    ngx_http_payhub_link_buf_t   out;
    ngx_http_payhub_link_buf_t   in;
    uint64_t                     written;   /* bytes, ever */
    ngx_msec_t                   heard;     /* when it said something */

    ngx_event_t                  flush;     /* at the end of the turn */

    socklen_t                    socklen;
    ngx_sockaddr_t               sockaddr;

    unsigned                     connecting:1;
    unsigned                     leaving:1; /* takes no new call */

    ngx_http_payhub_call_t      *hash[NGX_HTTP_PAYHUB_LINK_HASH];
};


static ngx_int_t ngx_http_payhub_link_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_payhub_link_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static ngx_int_t ngx_http_payhub_link_choose(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp);
static ngx_int_t ngx_http_payhub_link_open(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp);
static void ngx_http_payhub_link_join(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call, ngx_log_t *log);
static void ngx_http_payhub_link_leave(ngx_http_payhub_call_t *call);
static void ngx_http_payhub_link_withdraw(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call);
static ngx_http_payhub_call_t **ngx_http_payhub_link_slot(
    ngx_http_payhub_link_t *link, const uint8_t *id);

static ssize_t ngx_http_payhub_link_recv(ngx_connection_t *c, u_char *buf,
    size_t size);

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
static ngx_int_t ngx_http_payhub_link_garbled(ngx_http_payhub_link_t *link,
    char *what);

static ngx_int_t ngx_http_payhub_link_room(ngx_http_payhub_link_buf_t *b,
    size_t size);
static void ngx_http_payhub_link_trim(ngx_http_payhub_link_buf_t *b);
static void ngx_http_payhub_link_end(ngx_http_payhub_link_t *link,
    ngx_uint_t failed);
static void ngx_http_payhub_link_close(ngx_http_payhub_link_t *link);


static ngx_queue_t  ngx_http_payhub_links;


ngx_int_t
ngx_http_payhub_link_init_process(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_http_payhub_links);

    return NGX_OK;
}


void
ngx_http_payhub_link_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t  *q;

    /* requests that are left end without an answer, with the process */

    while (!ngx_queue_empty(&ngx_http_payhub_links)) {
        q = ngx_queue_head(&ngx_http_payhub_links);
        ngx_http_payhub_link_close(ngx_queue_data(q, ngx_http_payhub_link_t,
                                                  queue));
    }
}


/* ---- what nginx's upstream sees ---- */


void
ngx_http_payhub_link_wrap(ngx_http_request_t *r, ngx_http_payhub_call_t *call)
{
    ngx_peer_connection_t  *pc;

    pc = &r->upstream->peer;

    call->request = r;
    call->get = pc->get;
    call->free = pc->free;
    call->data = pc->data;

    pc->get = ngx_http_payhub_link_get;
    pc->free = ngx_http_payhub_link_free;
    pc->data = call;

#if (NGX_HTTP_SSL)

    /* those of the balancer expect its own data; links have no TLS */

    pc->set_session = NULL;
    pc->save_session = NULL;

#endif
}


static ngx_int_t
ngx_http_payhub_link_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_payhub_call_t *call = data;

    ngx_int_t                rc;
    ngx_http_payhub_link_t  *link;

    rc = call->get(pc, call->data);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payhub_link_choose(pc, &link);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_payhub_link_join(link, call, pc->log);

    pc->connection = &call->connection;

    return link->connecting ? NGX_AGAIN : NGX_DONE;
}


static ngx_int_t
ngx_http_payhub_link_choose(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_payhub_link_t  *link;

    n = 0;

    for (q = ngx_queue_head(&ngx_http_payhub_links);
         q != ngx_queue_sentinel(&ngx_http_payhub_links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_payhub_link_t, queue);

        if (link->leaving
            || ngx_cmp_sockaddr(&link->sockaddr.sockaddr, link->socklen,
                                pc->sockaddr, pc->socklen, 1)
               != NGX_OK)
        {
            continue;
        }

        if (link->calls_n < NGX_HTTP_PAYHUB_LINK_CALLS_MAX
            && (size_t) (link->out.last - link->out.pos)
               < NGX_HTTP_PAYHUB_LINK_OUT_MAX)
        {
            /* it may have gone since: the same peer may be tried once more */
            pc->cached = !link->connecting;

            *linkp = link;
            return NGX_OK;
        }

        n++;
    }

    if (n >= NGX_HTTP_PAYHUB_LINKS_PER_PEER) {
        ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                      "payhub link: %ui links to \"%V\" are full", n,
                      pc->name);
        return NGX_BUSY;
    }

    pc->cached = 0;

    return ngx_http_payhub_link_open(pc, linkp);
}


static ngx_int_t
ngx_http_payhub_link_open(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_peer_connection_t    peer;
    ngx_http_payhub_link_t  *link;

    link = ngx_calloc(sizeof(ngx_http_payhub_link_t), pc->log);
    if (link == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = pc->sockaddr;
    peer.socklen = pc->socklen;
    peer.name = pc->name;
    peer.get = ngx_event_get_peer;
    peer.log = pc->log;
    peer.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (peer.connection) {
            ngx_close_connection(peer.connection);
        }

        ngx_free(link);
        return rc;
    }

    c = peer.connection;

    /* it outlives the request */

    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;

    c->data = link;
    c->idle = 1;
    c->read->handler = ngx_http_payhub_link_read_handler;
    c->write->handler = ngx_http_payhub_link_write_handler;

    link->connection = c;
    link->connecting = (rc == NGX_AGAIN);
    link->heard = ngx_current_msec;

    link->flush.data = link;
    link->flush.handler = ngx_http_payhub_link_flush_handler;
    link->flush.log = c->log;

    link->socklen = pc->socklen;
    ngx_memcpy(&link->sockaddr, pc->sockaddr, pc->socklen);

    ngx_queue_init(&link->calls);
    ngx_queue_init(&link->waiting);
    ngx_queue_insert_tail(&ngx_http_payhub_links, &link->queue);

    if (!link->connecting && pc->sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }

    *linkp = link;

    return NGX_OK;
}


static void
ngx_http_payhub_link_join(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call, ngx_log_t *log)
{
    ngx_connection_t         *c;
    ngx_http_payhub_call_t  **slot;

    c = &call->connection;

    ngx_memzero(c, sizeof(ngx_connection_t));
    ngx_memzero(&call->read, sizeof(ngx_event_t));
    ngx_memzero(&call->write, sizeof(ngx_event_t));

    c->fd = link->connection->fd;
    c->read = &call->read;
    c->write = &call->write;
    c->recv = ngx_http_payhub_link_recv;
    c->pool = call->request->pool;
    c->log = log;
    c->log_error = NGX_ERROR_ERR;
    c->start_time = ngx_current_msec;

    call->read.data = c;
    call->read.log = log;
    call->write.data = c;
    call->write.log = log;
    call->write.write = 1;

    /*
     * No event of the kernel's belongs to it: for ngx_handle_read_event() and
     * ngx_handle_write_event() it is added already, of either kind
     */

    call->read.active = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? 1 : 0;
    call->read.ready = !call->read.active;
    call->write.active = call->read.active;
    call->write.ready = 1;

    call->link = link;
    call->answer = NULL;
    call->queued = 0;
    call->sent = 0;
    call->failed = 0;

    slot = ngx_http_payhub_link_slot(link, call->id);
    call->next = *slot;
    *slot = call;

    ngx_queue_insert_tail(&link->calls, &call->queue);
    link->calls_n++;
    link->connection->idle = 0;
}


static void
ngx_http_payhub_link_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_payhub_call_t *call = data;

    ngx_http_payhub_link_t  *link;

    link = call->link;

    if (link) {

        if (link->connecting
            || (call->sent && call->read.timedout
                && (ngx_msec_int_t) (call->since - link->heard) > 0))
        {
            /* as good as dead, maybe: what comes next goes another way */
            link->leaving = 1;
        }

        ngx_http_payhub_link_leave(call);
    }

    if (call->read.timer_set) {
        ngx_del_timer(&call->read);
    }

    if (call->write.timer_set) {
        ngx_del_timer(&call->write);
    }

    if (call->read.posted) {
        ngx_delete_posted_event(&call->read);
    }

    if (call->write.posted) {
        ngx_delete_posted_event(&call->write);
    }

    pc->connection = NULL;

    call->free(pc, call->data, state);
}


static void
ngx_http_payhub_link_leave(ngx_http_payhub_call_t *call)
{
    ngx_http_payhub_link_t   *link;
    ngx_http_payhub_call_t  **slot;

    link = call->link;
    call->link = NULL;

    for (slot = ngx_http_payhub_link_slot(link, call->id);
         *slot != call;
         slot = &(*slot)->next)
    {
        /* void */
    }

    *slot = call->next;

    if (call->queued && !call->sent) {
        ngx_http_payhub_link_withdraw(link, call);
    }

    ngx_queue_remove(&call->queue);
    link->calls_n--;

    if (link->calls_n) {
        return;
    }

    link->connection->idle = 1;

    if (link->leaving || link->connecting || ngx_exiting) {
        /* not from here: the link may be reading */
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


/* Nothing of it has left, and nothing will. */

static void
ngx_http_payhub_link_withdraw(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call)
{
    u_char                  *p;
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *later;

    p = link->out.pos + (size_t) (call->start - link->written);

    ngx_memmove(p, p + call->len, link->out.last - (p + call->len));
    link->out.last -= call->len;

    for (q = ngx_queue_next(&call->waiting);
         q != ngx_queue_sentinel(&link->waiting);
         q = ngx_queue_next(q))
    {
        later = ngx_queue_data(q, ngx_http_payhub_call_t, waiting);
        later->start -= call->len;
    }

    ngx_queue_remove(&call->waiting);
    call->queued = 0;
}


static ngx_http_payhub_call_t **
ngx_http_payhub_link_slot(ngx_http_payhub_link_t *link, const uint8_t *id)
{
    /* the second half counts the requests of the process */

    return &link->hash[(id[8] | id[9] << 8) % NGX_HTTP_PAYHUB_LINK_HASH];
}


ngx_int_t
ngx_http_payhub_link_send(ngx_http_payhub_call_t *call, ngx_chain_t *in)
{
    size_t                   size;
    ngx_chain_t             *cl;
    ngx_http_payhub_link_t  *link;

    link = call->link;

    /* the upstream asks once more for what was taken before */

    if (in == NULL) {
        return NGX_OK;
    }

    if (link == NULL) {
        return NGX_ERROR;
    }

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += cl->buf->last - cl->buf->pos;
    }

    if (ngx_http_payhub_link_room(&link->out, size) != NGX_OK) {
        return NGX_ERROR;
    }

    call->start = link->written + (size_t) (link->out.last - link->out.pos);
    call->len = size;

    for (cl = in; cl; cl = cl->next) {
        link->out.last = ngx_cpymem(link->out.last, cl->buf->pos,
                                    cl->buf->last - cl->buf->pos);
        cl->buf->pos = cl->buf->last;
    }

    call->queued = 1;
    call->connection.sent += size;

    ngx_queue_insert_tail(&link->waiting, &call->waiting);
    ngx_post_event(&link->flush, &ngx_posted_events);

    return NGX_OK;
}


static ssize_t
ngx_http_payhub_link_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    ngx_http_payhub_call_t  *call;

    call = (ngx_http_payhub_call_t *)
               ((u_char *) c - offsetof(ngx_http_payhub_call_t, connection));

    if (call->link == NULL) {
        return call->failed ? NGX_ERROR : 0;
    }

    if (call->answer == NULL) {
        return NGX_AGAIN;
    }

    size = ngx_min(size, call->bytes.len);

    ngx_memcpy(buf, call->bytes.ptr, size);

    call->bytes.ptr += size;
    call->bytes.len -= size;

    return size ? (ssize_t) size : NGX_AGAIN;
}


/* ---- the connection ---- */


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
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

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

    if (link->calls_n == 0 && (link->leaving || ngx_exiting)
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

    call->answer = frame;
    call->bytes = bytes;

    /* the memory of the call may be gone after it */
    call->read.handler(&call->read);
}


static ngx_int_t
ngx_http_payhub_link_garbled(ngx_http_payhub_link_t *link, char *what)
{
    ngx_log_error(NGX_LOG_ERR, link->connection->log, 0,
                  "payhub pass: worker sent %s", what);

    return NGX_ERROR;
}


/* ---- buffers ---- */


static ngx_int_t
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


/* ---- the end ---- */


static void
ngx_http_payhub_link_end(ngx_http_payhub_link_t *link, ngx_uint_t failed)
{
    ngx_queue_t             *q;
    ngx_http_payhub_call_t  *call;

    /* none of what follows may choose it again */

    link->leaving = 1;
    ngx_queue_remove(&link->queue);
    ngx_queue_init(&link->queue);

    while (!ngx_queue_empty(&link->calls)) {

        q = ngx_queue_head(&link->calls);
        call = ngx_queue_data(q, ngx_http_payhub_call_t, queue);

        ngx_http_payhub_link_leave(call);

        call->failed = failed;

        /*
         * nginx looks for an error of the socket, which was this link's;
         * that of the client has none, and recv() tells
         */
        call->connection.fd = call->request->connection->fd;

        call->read.handler(&call->read);
    }

    ngx_http_payhub_link_close(link);
}


static void
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

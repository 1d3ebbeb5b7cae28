
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


#include "ngx_http_payhub_link_int.h"


/* of one peer: that take calls; with those that wait for their last answer */
#define NGX_HTTP_PAYHUB_LINKS_OPEN      4
#define NGX_HTTP_PAYHUB_LINKS_MAX       16

#define NGX_HTTP_PAYHUB_LINK_CALLS_MAX  2048
#define NGX_HTTP_PAYHUB_LINK_OUT_MAX    (8 * 1024 * 1024)


static ngx_int_t ngx_http_payhub_link_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_payhub_link_foreign(ngx_peer_connection_t *pc);
static void ngx_http_payhub_link_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_http_payhub_link_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
static ngx_int_t ngx_http_payhub_link_choose(ngx_peer_connection_t *pc,
    ngx_http_payhub_call_t *call, ngx_http_payhub_link_t **linkp);
static ngx_int_t ngx_http_payhub_link_open(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp);
static void ngx_http_payhub_link_join(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call, ngx_log_t *log);
static ngx_uint_t ngx_http_payhub_link_silent(ngx_http_payhub_call_t *call);
static void ngx_http_payhub_link_withdraw(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call);
static ssize_t ngx_http_payhub_link_recv(ngx_connection_t *c, u_char *buf,
    size_t size);


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


void
ngx_http_payhub_link_wrap(ngx_http_request_t *r, ngx_http_payhub_call_t *call)
{
    ngx_peer_connection_t  *pc;

    pc = &r->upstream->peer;

    call->request = r;
    call->get = pc->get;
    call->free = pc->free;
    call->notify = pc->notify;
    call->data = pc->data;

    pc->get = ngx_http_payhub_link_get;
    pc->free = ngx_http_payhub_link_free;
    pc->notify = pc->notify ? ngx_http_payhub_link_notify : NULL;
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

    call->blameless = 0;

    rc = call->get(pc, call->data);

    if (rc == NGX_DONE) {
        ngx_http_payhub_link_foreign(pc);

    } else if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payhub_link_choose(pc, call, &link);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_payhub_link_join(link, call, pc->log);

    pc->connection = &call->connection;

    return link->connecting ? NGX_AGAIN : NGX_DONE;
}


/* "keepalive" has kept one of another module, which shares this upstream */

static void
ngx_http_payhub_link_foreign(ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    pc->connection = NULL;
    pc->cached = 0;

    if (c == NULL) {
        return;
    }

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }

#endif

    if (c->pool) {
        ngx_destroy_pool(c->pool);
    }

    ngx_close_connection(c);
}


static ngx_int_t
ngx_http_payhub_link_choose(ngx_peer_connection_t *pc,
    ngx_http_payhub_call_t *call, ngx_http_payhub_link_t **linkp)
{
    ngx_int_t                rc;
    ngx_uint_t               all, open;
    ngx_queue_t             *q;
    ngx_http_payhub_link_t  *link;

    all = 0;
    open = 0;

    for (q = ngx_queue_head(&ngx_http_payhub_links);
         q != ngx_queue_sentinel(&ngx_http_payhub_links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_payhub_link_t, queue);

        if (ngx_cmp_sockaddr(&link->sockaddr.sockaddr, link->socklen,
                             pc->sockaddr, pc->socklen, 1)
            != NGX_OK)
        {
            continue;
        }

        all++;

        if (link->leaving) {
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

        open++;
    }

    pc->cached = 0;

    if (open >= NGX_HTTP_PAYHUB_LINKS_OPEN || all >= NGX_HTTP_PAYHUB_LINKS_MAX)
    {
        ngx_log_error(NGX_LOG_ERR, pc->log, 0,
                      "payhub link: %ui links to \"%V\", %ui of them full; "
                      "no more", all, pc->name, open);

        /* on to the next peer: this one has not failed */
        call->blameless = 1;

        return NGX_DECLINED;
    }

    rc = ngx_http_payhub_link_open(pc, linkp);

    if (rc == NGX_OK) {
        (*linkp)->extra = (open > 0);
    }

    return rc;
}


static ngx_int_t
ngx_http_payhub_link_open(ngx_peer_connection_t *pc,
    ngx_http_payhub_link_t **linkp)
{
    ngx_int_t                rc;
    ngx_peer_connection_t    peer;
    ngx_http_payhub_link_t  *link;

    link = ngx_http_payhub_link_create(pc);
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
        ngx_free(link);
        return rc;
    }

    link->connecting = (rc == NGX_AGAIN);

    ngx_http_payhub_link_start(link, peer.connection);
    ngx_queue_insert_tail(&ngx_http_payhub_links, &link->queue);

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

        if (ngx_http_payhub_link_silent(call)) {
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

    if (call->blameless && (state & NGX_PEER_FAILED)) {
        state = NGX_PEER_NEXT;
    }

    call->free(pc, call->data, state);
}


static void
ngx_http_payhub_link_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_payhub_call_t *call = data;

    call->notify(pc, call->data, type);
}


/* nothing has come since this call waits, and now its time is over */

static ngx_uint_t
ngx_http_payhub_link_silent(ngx_http_payhub_call_t *call)
{
    ngx_http_payhub_link_t  *link;

    link = call->link;

    if (link->connecting) {
        return call->write.timedout;
    }

    return call->queued
           && call->read.timedout
           && (ngx_msec_int_t) (call->since - link->heard) >= 0;
}


void
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

        if (!link->gone) {
            ngx_http_payhub_link_withdraw(link, call);
        }

        ngx_queue_remove(&call->waiting);
        call->queued = 0;
    }

    ngx_queue_remove(&call->queue);
    link->calls_n--;

    if (link->calls_n) {
        return;
    }

    link->connection->idle = 1;

    if (link->leaving || link->extra || link->connecting || ngx_exiting) {
        /* not from here: the link may be reading */
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


/*
 * Out of the middle of what waits to be sent; the shorter side moves.  What
 * stands before may be a frame of which a part has left.
 */

static void
ngx_http_payhub_link_withdraw(ngx_http_payhub_link_t *link,
    ngx_http_payhub_call_t *call)
{
    u_char                      *p;
    size_t                       before, behind;
    ngx_queue_t                 *q;
    ngx_http_payhub_call_t      *later;
    ngx_http_payhub_link_buf_t  *b;

    b = &link->out;
    p = b->pos + (size_t) (call->start - link->written);

    before = p - b->pos;
    behind = b->last - (p + call->len);

    if (before < behind) {
        ngx_memmove(b->pos + call->len, b->pos, before);
        b->pos += call->len;

    } else {
        ngx_memmove(p, p + call->len, behind);
        b->last -= call->len;
    }

    for (q = ngx_queue_next(&call->waiting);
         q != ngx_queue_sentinel(&link->waiting);
         q = ngx_queue_next(q))
    {
        later = ngx_queue_data(q, ngx_http_payhub_call_t, waiting);
        later->start -= call->len;
    }
}


ngx_http_payhub_call_t **
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
    call->since = ngx_current_msec;
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

    /* first what has come: its call is off the link already */

    if (call->answer) {
        size = ngx_min(size, call->bytes.len);

        ngx_memcpy(buf, call->bytes.ptr, size);

        call->bytes.ptr += size;
        call->bytes.len -= size;

        return size ? (ssize_t) size : NGX_AGAIN;
    }

    if (call->link) {
        return NGX_AGAIN;
    }

    c->read->ready = 0;

    if (!call->failed) {
        c->read->eof = 1;
        return 0;
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0, "payhub link: lost, the call was %s",
                  call->sent ? "sent" : "not sent");

    c->read->error = 1;
    return NGX_ERROR;
}

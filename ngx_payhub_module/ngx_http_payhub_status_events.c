
/*
 * payhub_status events: the status tree each second as server-sent events.
 *
 * One timer a process serves all streams with one text a second.  A stream
 * whose client reads too slowly misses seconds and never holds memory but one
 * buffer; one that takes nothing for a while is closed.  Streams end when the
 * process is to exit and at the end of their life, so that a browser comes
 * back by itself, to a new process after a reload.
 */


#include "ngx_http_payhub_status.h"


#define NGX_HTTP_PAYHUB_STREAMS_MAX     64      /* a process */
#define NGX_HTTP_PAYHUB_STREAM_STUCK    30000   /* ms without a byte taken */
#define NGX_HTTP_PAYHUB_STREAM_FIRST    120     /* seconds of history */


typedef struct {
    ngx_queue_t              queue;
    ngx_http_request_t      *request;
    ngx_chain_t              out;
    ngx_buf_t                buf;
    size_t                   size;          /* of the buffer */
    ngx_msec_t               end;
    ngx_msec_t               moved;         /* when a text was taken last */
    ngx_uint_t               turn;          /* of the timer, that it had */
    unsigned                 closing:1;
} ngx_http_payhub_stream_t;


static ngx_int_t ngx_http_payhub_events_head(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_events_open(ngx_http_payhub_stream_t *stream);
static void ngx_http_payhub_events_timer(ngx_event_t *ev);
static void ngx_http_payhub_events_tick(ngx_http_payhub_stream_t *stream,
    ngx_str_t *text);
static ngx_int_t ngx_http_payhub_events_send(ngx_http_payhub_stream_t *stream,
    ngx_http_payhub_text_t *text, ngx_str_t *flat, ngx_uint_t is_last);
static void ngx_http_payhub_events_write(ngx_http_request_t *r);
static void ngx_http_payhub_events_cleanup(void *data);


static ngx_queue_t       ngx_http_payhub_streams;
static ngx_uint_t        ngx_http_payhub_streams_n;
static ngx_uint_t        ngx_http_payhub_streams_turn;
static ngx_event_t       ngx_http_payhub_events_event;
static ngx_connection_t  ngx_http_payhub_events_connection;


ngx_int_t
ngx_http_payhub_events_handler(ngx_http_request_t *r, ngx_msec_t life)
{
    ngx_int_t                  rc;
    ngx_event_t               *ev;
    ngx_pool_cleanup_t        *cln;
    ngx_http_payhub_stream_t  *stream;

    /* a subrequest would hold its main request for as long as it lives */

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    ev = &ngx_http_payhub_events_event;

    if (ev->handler == NULL) {
        ngx_queue_init(&ngx_http_payhub_streams);
        ngx_http_payhub_events_connection.fd = (ngx_socket_t) -1;
        ev->handler = ngx_http_payhub_events_timer;
        ev->data = &ngx_http_payhub_events_connection;
    }

    ev->log = ngx_cycle->log;

    if (ngx_exiting
        || ngx_http_payhub_streams_n == NGX_HTTP_PAYHUB_STREAMS_MAX)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    rc = ngx_http_payhub_events_head(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_payhub_stream_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    stream = cln->data;
    ngx_memzero(stream, sizeof(ngx_http_payhub_stream_t));

    stream->request = r;
    stream->end = ngx_current_msec + life;
    stream->moved = ngx_current_msec;

    ngx_queue_insert_tail(&ngx_http_payhub_streams, &stream->queue);
    ngx_http_payhub_streams_n++;
    cln->handler = ngx_http_payhub_events_cleanup;

    /* the request is ours until it is finalized from the timer or by nginx */

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_payhub_events_write;
    ngx_http_set_ctx(r, stream, ngx_http_payhub_status_module);

    if (ngx_http_payhub_events_open(stream) != NGX_OK) {
        r->main->count--;
        return NGX_ERROR;
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, 1000);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_payhub_events_head(ngx_http_request_t *r)
{
    r->headers_out.status = NGX_HTTP_OK;
    ngx_http_clear_content_length(r);

    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_payhub_add_header(r, "Cache-Control", PH_STR("no-store"))
        != NGX_OK
        || ngx_http_payhub_add_header(r, "X-Accel-Buffering", PH_STR("no"))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


/* how soon to come back, and what was, so that a page has its bars at once */

static ngx_int_t
ngx_http_payhub_events_open(ngx_http_payhub_stream_t *stream)
{
    char                    *flat;
    json_t                  *tree;
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_http_payhub_text_t   text;

    pool = ngx_create_pool(4096, stream->request->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payhub_text_init(&text, pool);
    ngx_http_payhub_text_printf(&text, "retry: 2000\nevent: history\ndata: ");
    ngx_http_payhub_history_print(&text, 1, NGX_HTTP_PAYHUB_STREAM_FIRST);
    ngx_http_payhub_text_add(&text, "\n", 1);

    tree = ngx_http_payhub_status_tree();
    flat = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);

    if (flat) {
        ngx_http_payhub_text_add(&text, "data: ", 6);
        ngx_http_payhub_text_add(&text, flat, ngx_strlen(flat));
        ngx_http_payhub_text_add(&text, "\n\n", 2);
        free(flat);
    }

    rc = ngx_http_payhub_events_send(stream, &text, NULL, 0);

    ngx_destroy_pool(pool);

    return rc;
}


static void
ngx_http_payhub_events_timer(ngx_event_t *ev)
{
    char                      *flat;
    u_char                    *p;
    json_t                    *tree;
    ngx_str_t                  text;
    ngx_queue_t               *q;
    ngx_http_payhub_stream_t  *stream;

    if (ngx_queue_empty(&ngx_http_payhub_streams)) {
        return;
    }

    text.len = 0;
    text.data = NULL;

    tree = ngx_http_payhub_status_tree();
    flat = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);

    if (flat) {
        text.data = ngx_alloc(ngx_strlen(flat) + sizeof("data: \n\n"),
                              ngx_cycle->log);
    }

    if (text.data) {
        p = ngx_sprintf(text.data, "data: %s\n\n", flat);
        text.len = p - text.data;
    }

    free(flat);

    /* from the head each time: closing one may close others with it */

    ngx_http_payhub_streams_turn++;
    q = ngx_queue_head(&ngx_http_payhub_streams);

    while (q != ngx_queue_sentinel(&ngx_http_payhub_streams)) {

        stream = ngx_queue_data(q, ngx_http_payhub_stream_t, queue);

        if (stream->turn == ngx_http_payhub_streams_turn) {
            q = ngx_queue_next(q);
            continue;
        }

        stream->turn = ngx_http_payhub_streams_turn;
        ngx_http_payhub_events_tick(stream, &text);
        q = ngx_queue_head(&ngx_http_payhub_streams);
    }

    if (text.data) {
        ngx_free(text.data);
    }

    if (!ngx_queue_empty(&ngx_http_payhub_streams)) {
        ngx_add_timer(ev, 1000);
    }
}


static void
ngx_http_payhub_events_tick(ngx_http_payhub_stream_t *stream, ngx_str_t *text)
{
    ngx_int_t            rc;
    ngx_str_t            beat, bye;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (stream->closing) {
        return;
    }

    r = stream->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ngx_exiting || (ngx_msec_int_t) (ngx_current_msec - stream->end) >= 0)
    {
        ngx_str_set(&bye, "event: bye\ndata: {}\n\n");

        rc = (stream->buf.pos == stream->buf.last)
             ? ngx_http_payhub_events_send(stream, NULL, &bye, 1)
             : NGX_ERROR;

        stream->closing = 1;
        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
        return;
    }

    if (stream->buf.pos != stream->buf.last || r->buffered || c->buffered) {

        if (ngx_current_msec - stream->moved > NGX_HTTP_PAYHUB_STREAM_STUCK) {
            ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                          "payhub status: client reads no events");
            ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
            ngx_http_run_posted_requests(c);
        }

        return;
    }

    stream->moved = ngx_current_msec;

    /* without memory for the tree the stream still shows that it lives */

    ngx_str_set(&beat, ": alive\n\n");

    rc = ngx_http_payhub_events_send(stream, NULL, text->len ? text : &beat,
                                     0);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }
}


/* the stream's one buffer must be empty; a chain or a flat text */

static ngx_int_t
ngx_http_payhub_events_send(ngx_http_payhub_stream_t *stream,
    ngx_http_payhub_text_t *text, ngx_str_t *flat, ngx_uint_t is_last)
{
    size_t               size;
    u_char              *p;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    if (text && text->failed) {
        return NGX_ERROR;
    }

    r = stream->request;
    b = &stream->buf;
    size = text ? (size_t) text->len : flat->len;

    if (size > stream->size) {

        if (b->start) {
            ngx_pfree(r->pool, b->start);
        }

        /* large: not of the pool's own blocks, so that it can be freed */

        stream->size = ngx_max(2 * size, NGX_MAX_ALLOC_FROM_POOL + 1);
        b->start = ngx_palloc(r->pool, stream->size);
        b->pos = b->start;
        b->last = b->start;

        if (b->start == NULL) {
            stream->size = 0;
            return NGX_ERROR;
        }

        b->end = b->start + stream->size;
    }

    p = b->start;

    if (text) {
        for (cl = text->out; cl; cl = cl->next) {
            p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
        }

    } else {
        p = ngx_cpymem(p, flat->data, flat->len);
    }

    b->pos = b->start;
    b->last = p;
    b->temporary = 1;
    b->flush = 1;
    b->last_buf = is_last ? 1 : 0;
    b->last_in_chain = 1;
    b->tag = (ngx_buf_tag_t) &ngx_http_payhub_status_module;

    stream->out.buf = b;
    stream->out.next = NULL;

    rc = ngx_http_output_filter(r, &stream->out);

    if (rc == NGX_AGAIN && !is_last) {
        return ngx_handle_write_event(r->connection->write, 0) == NGX_OK
               ? NGX_OK : NGX_ERROR;
    }

    return rc;
}


static void
ngx_http_payhub_events_write(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_http_payhub_stream_t  *stream;

    c = r->connection;
    stream = ngx_http_get_module_ctx(r, ngx_http_payhub_status_module);

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    stream->moved = ngx_current_msec;

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static void
ngx_http_payhub_events_cleanup(void *data)
{
    ngx_http_payhub_stream_t  *stream = data;

    ngx_queue_remove(&stream->queue);
    ngx_http_payhub_streams_n--;
}


/*
 * payhub_sync: a link, one exchange after the other.
 *
 *   off --start--> connecting --> sending --> waiting --> taking --pause--.
 *                   ^    ^                                                |
 *                   |    '------------------------------------------------'
 *                   '-- backoff, another worker <-- refused, closed, silent
 *
 * The connection is kept between exchanges.  Whatever goes wrong closes it;
 * nothing that a worker sends can do more.
 */


#include "ngx_http_payhub_sync.h"
#include <openssl/rand.h>


static void ngx_http_payhub_sync_timer(ngx_event_t *ev);
static void ngx_http_payhub_sync_ask(ngx_http_payhub_sync_link_t *link);
static ngx_int_t ngx_http_payhub_sync_frame(ngx_http_payhub_sync_link_t *link);
static ngx_int_t ngx_http_payhub_sync_connect(
    ngx_http_payhub_sync_link_t *link);
static ngx_int_t ngx_http_payhub_sync_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_payhub_sync_write(ngx_event_t *ev);
static void ngx_http_payhub_sync_read(ngx_event_t *ev);
static ngx_int_t ngx_http_payhub_sync_recv(ngx_http_payhub_sync_link_t *link,
    ngx_connection_t *c);
static ngx_int_t ngx_http_payhub_sync_grow(ngx_http_payhub_sync_link_t *link,
    size_t size);
static void ngx_http_payhub_sync_answer(ngx_http_payhub_sync_link_t *link);
static void ngx_http_payhub_sync_fail(ngx_http_payhub_sync_link_t *link,
    const char *what);
static void ngx_http_payhub_sync_close(ngx_http_payhub_sync_link_t *link);
static void ngx_http_payhub_sync_wipe(ngx_http_payhub_sync_link_t *link);
static void ngx_http_payhub_sync_later(ngx_http_payhub_sync_link_t *link,
    ngx_msec_t ms);


void
ngx_http_payhub_sync_link_start(ngx_http_payhub_sync_link_t *link)
{
    link->on = 1;
    link->failures = 0;
    link->timer.handler = ngx_http_payhub_sync_timer;
    link->timer.data = link;
    link->timer.log = ngx_cycle->log;
    link->timer.cancelable = 1;

    ngx_http_payhub_sync_later(link, 1);
}


void
ngx_http_payhub_sync_link_stop(ngx_http_payhub_sync_link_t *link)
{
    link->on = 0;
    link->taking = 0;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_http_payhub_sync_close(link);
}


/* does not wait for the pause to end; one that is busy asks again by itself */

void
ngx_http_payhub_sync_link_now(ngx_http_payhub_sync_link_t *link)
{
    if (link->on && !link->waiting && !link->taking && link->failures == 0) {
        ngx_http_payhub_sync_later(link, 1);
    }
}


void
ngx_http_payhub_sync_done(ngx_http_payhub_sync_link_t *link)
{
    link->taking = 0;

    if (link->on) {
        ngx_http_payhub_sync_later(link, link->pause);
    }
}


static void
ngx_http_payhub_sync_timer(ngx_event_t *ev)
{
    ngx_http_payhub_sync_link_t *link = ev->data;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_payhub_sync_link_stop(link);
        return;
    }

    if (link->waiting) {
        ngx_http_payhub_sync_fail(link, "no answer in time");
        return;
    }

    ngx_http_payhub_sync_ask(link);
}


static void
ngx_http_payhub_sync_ask(ngx_http_payhub_sync_link_t *link)
{
    ngx_int_t  rc;

    rc = ngx_http_payhub_sync_frame(link);

    if (rc == NGX_DECLINED) {
        ngx_http_payhub_sync_later(link, NGX_HTTP_PAYHUB_SYNC_TICK);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_payhub_sync_fail(link, "no memory for a question");
        return;
    }

    if (link->pc.connection == NULL
        && ngx_http_payhub_sync_connect(link) != NGX_OK)
    {
        ngx_http_payhub_sync_fail(link, "no connection");
        return;
    }

    ngx_http_payhub_sync.sh->asked++;

    link->waiting = 1;
    link->in_len = 0;
    link->frame_len = 0;

    ngx_http_payhub_sync_later(link, ngx_http_payhub_sync.conf->interval
                                     + NGX_HTTP_PAYHUB_SYNC_TIMEOUT);

    ngx_http_payhub_sync_write(link->pc.connection->write);
}


/* the pull as bytes */

static ngx_int_t
ngx_http_payhub_sync_frame(ngx_http_payhub_sync_link_t *link)
{
    char             *text;
    u_char            host[2 * sizeof(uint64_t) + 1];
    size_t            size;
    json_t           *pull;
    ngx_int_t         rc;
    struct ph_buf     buf;
    struct ph_frame   frame;

    *ngx_sprintf(host, "%016xL", ngx_http_payhub_sync.sh->host) = '\0';

    pull = json_pack("{s:i, s:s, s:s}", "v", 1, "link",
                     link == &ngx_http_payhub_sync_share ? "share" : "watch",
                     "host", (char *) host);
    if (pull == NULL) {
        return NGX_ERROR;
    }

    rc = link->ask(link, pull);

    if (rc != NGX_OK) {
        json_decref(pull);
        return rc;
    }

    text = json_dumps(pull, JSON_COMPACT);
    json_decref(pull);

    if (text == NULL || RAND_bytes(link->id, PH_FRAME_ID_LEN) != 1) {
        free(text);
        return NGX_ERROR;
    }

    ngx_memzero(&frame, sizeof(struct ph_frame));
    frame.version = PH_FRAME_VERSION;
    frame.type = PH_FRAME_SYNC_PULL;
    frame.attempt = 1;
    frame.body = ph_str_z(text);
    ngx_memcpy(frame.id, link->id, PH_FRAME_ID_LEN);

    size = PH_FRAME_HEAD_LEN + frame.body.len;

    ngx_http_payhub_sync_wipe(link);

    link->out = ngx_alloc(size, ngx_cycle->log);
    if (link->out == NULL) {
        free(text);
        return NGX_ERROR;
    }

    ph_buf_init(&buf, (char *) link->out, size);

    rc = ph_frame_write(&buf, &frame) == PH_OK ? NGX_OK : NGX_ERROR;

    link->out_len = buf.len;
    link->out_sent = 0;

    free(text);

    return rc;
}


static ngx_int_t
ngx_http_payhub_sync_connect(ngx_http_payhub_sync_link_t *link)
{
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_http_payhub_sync_peer_t  *peer;

    static ngx_log_t  quiet;

    /* who is away for an hour is told of once, by sync_fail() */

    quiet = *ngx_cycle->log;
    quiet.log_level = ngx_min(quiet.log_level, NGX_LOG_ALERT);

    peer = ngx_http_payhub_sync.conf->peers.elts;
    peer += link->peer % ngx_http_payhub_sync.conf->peers.nelts;

    ngx_memzero(&link->pc, sizeof(ngx_peer_connection_t));

    link->pc.sockaddr = peer->sockaddr;
    link->pc.socklen = peer->socklen;
    link->pc.name = &peer->name;
    link->pc.get = ngx_http_payhub_sync_get_peer;
    link->pc.log = &quiet;
    link->pc.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&link->pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        link->pc.connection = NULL;
        return NGX_ERROR;
    }

    c = link->pc.connection;

    c->data = link;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_payhub_sync_read;
    c->write->handler = ngx_http_payhub_sync_write;

    /* a worker that exits gracefully closes idle connections first */

    c->idle = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_sync_get_peer(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_http_payhub_sync_write(ngx_event_t *ev)
{
    ssize_t                       n;
    ngx_connection_t             *c;
    ngx_http_payhub_sync_link_t  *link;

    c = ev->data;
    link = c->data;

    while (link->waiting && link->out_sent < link->out_len) {
        n = c->send(c, link->out + link->out_sent,
                    link->out_len - link->out_sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_payhub_sync_fail(link, "cannot send");
            return;
        }

        link->out_sent += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_http_payhub_sync_fail(link, "cannot wait for events");
    }
}


static void
ngx_http_payhub_sync_read(ngx_event_t *ev)
{
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_http_payhub_sync_link_t  *link;

    c = ev->data;
    link = c->data;

    if (c->close || ngx_exiting || ngx_terminate) {
        ngx_http_payhub_sync_link_stop(link);
        return;
    }

    if (!ngx_http_payhub_sync_holds()) {
        return;
    }

    rc = ngx_http_payhub_sync_recv(link, c);

    if (rc == NGX_AGAIN) {
        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            ngx_http_payhub_sync_fail(link, "cannot wait for events");
        }

        return;
    }

    if (rc == NGX_OK) {
        ngx_http_payhub_sync_answer(link);
        return;
    }

    if (!link->waiting) {

        /* an idle connection: the next question makes another one */

        ngx_http_payhub_sync_close(link);
        return;
    }

    ngx_http_payhub_sync_fail(link, rc == NGX_DONE ? "connection closed"
                                                   : "found no frame");
}


/* NGX_OK: a whole frame is there */

static ngx_int_t
ngx_http_payhub_sync_recv(ngx_http_payhub_sync_link_t *link,
    ngx_connection_t *c)
{
    size_t   want;
    ssize_t  n;

    for ( ;; ) {
        want = link->frame_len ? link->frame_len : PH_FRAME_HEAD_LEN;

        if (ngx_http_payhub_sync_grow(link, want) != NGX_OK) {
            return NGX_ERROR;
        }

        n = c->recv(c, link->in + link->in_len, want - link->in_len);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n == 0 || n == NGX_ERROR) {
            return NGX_DONE;
        }

        if (!link->waiting) {
            return NGX_ERROR;
        }

        link->in_len += n;

        if (link->in_len < want) {
            continue;
        }

        if (link->frame_len) {
            return NGX_OK;
        }

        if (ph_frame_length(ph_str_make((char *) link->in,
                                        PH_FRAME_HEAD_LEN),
                            &link->frame_len)
            != PH_OK)
        {
            return NGX_ERROR;
        }

        if (link->frame_len == PH_FRAME_HEAD_LEN) {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_http_payhub_sync_grow(ngx_http_payhub_sync_link_t *link, size_t size)
{
    u_char  *p;

    if (size <= link->in_size) {
        return NGX_OK;
    }

    size = ngx_max(size, 4096);

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (link->in) {
        ngx_memcpy(p, link->in, link->in_len);
        ngx_explicit_memzero(link->in, link->in_size);
        ngx_free(link->in);
    }

    link->in = p;
    link->in_size = size;

    return NGX_OK;
}


static void
ngx_http_payhub_sync_answer(ngx_http_payhub_sync_link_t *link)
{
    json_t           *push;
    ngx_int_t         rc;
    ngx_uint_t        goaway;
    struct ph_frame   frame;

    rc = ph_frame_read(ph_str_make((char *) link->in, link->frame_len),
                       &frame);

    if (rc != PH_OK) {
        ngx_http_payhub_sync_fail(link, "found a broken frame");
        return;
    }

    if (frame.type == PH_FRAME_GOAWAY) {
        ngx_http_payhub_sync_fail(link, "the worker ends");
        return;
    }

    if (ngx_memcmp(frame.id, link->id, PH_FRAME_ID_LEN) != 0) {
        ngx_http_payhub_sync_fail(link, "found an answer to something else");
        return;
    }

    if (frame.type != PH_FRAME_SYNC_PUSH) {
        goaway = (frame.type == PH_FRAME_BUSY);
        ngx_http_payhub_sync_fail(link, goaway ? "the worker is busy"
                                               : "the worker refuses: has it "
                                                 "the role admin?");
        return;
    }

    push = json_loadb(frame.body.ptr, frame.body.len, JSON_REJECT_DUPLICATES,
                      NULL);

    ngx_http_payhub_sync_wipe(link);

    if (push == NULL || json_integer_value(json_object_get(push, "v")) != 1) {
        json_decref(push);
        ngx_http_payhub_sync_fail(link, "found no JSON object with \"v\":1");
        return;
    }

    link->waiting = 0;
    link->taking = 1;
    link->failures = 0;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_SYNC_OK);

    rc = link->take(link, push);

    json_decref(push);

    if (rc != NGX_AGAIN) {
        ngx_http_payhub_sync_done(link);
    }
}


static void
ngx_http_payhub_sync_fail(ngx_http_payhub_sync_link_t *link, const char *what)
{
    ngx_str_t                    *name;
    ngx_uint_t                    n, wait, level;
    ngx_http_payhub_sync_peer_t  *peer;

    n = ngx_http_payhub_sync.conf->peers.nelts;
    peer = ngx_http_payhub_sync.conf->peers.elts;
    name = &peer[link->peer % n].name;

    /* the first of a row is told, the others show at the status */

    level = link->failures < n ? NGX_LOG_WARN : NGX_LOG_INFO;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "payhub sync: %s link to \"%V\": %s", link->name, name,
                  what);

    ngx_http_payhub_sync_error("%s link to %V: %s", link->name, name, what);
    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_SYNC_FAILED);
    ngx_http_payhub_sync.sh->failed++;

    if (link == &ngx_http_payhub_sync_watch) {
        ngx_http_payhub_sync.sh->linked = 0;
    }

    ngx_http_payhub_sync_close(link);
    link->taking = 0;

    if (!link->on) {
        return;
    }

    /* the next worker at once, the same one again after a while */

    link->peer = (link->peer + 1) % n;
    link->failures++;

    wait = NGX_HTTP_PAYHUB_SYNC_BACKOFF_MIN;

    if (link->failures % n == 0) {
        wait <<= ngx_min(link->failures / n, 6);
        wait = ngx_min(wait, NGX_HTTP_PAYHUB_SYNC_BACKOFF_MAX);
        wait = wait / 2 + ngx_random() % wait;
    }

    ngx_http_payhub_sync_later(link, wait);
}


static void
ngx_http_payhub_sync_close(ngx_http_payhub_sync_link_t *link)
{
    link->waiting = 0;

    if (link->pc.connection) {
        ngx_close_connection(link->pc.connection);
        link->pc.connection = NULL;
    }

    ngx_http_payhub_sync_wipe(link);
}


/* secrets were in it */

static void
ngx_http_payhub_sync_wipe(ngx_http_payhub_sync_link_t *link)
{
    if (link->in) {
        ngx_explicit_memzero(link->in, link->in_size);

        if (link->in_size > NGX_HTTP_PAYHUB_SYNC_KEPT) {
            ngx_free(link->in);
            link->in = NULL;
            link->in_size = 0;
        }
    }

    link->in_len = 0;
    link->frame_len = 0;

    if (link->out) {
        ngx_free(link->out);
        link->out = NULL;
    }

    link->out_len = 0;
    link->out_sent = 0;
}


static void
ngx_http_payhub_sync_later(ngx_http_payhub_sync_link_t *link, ngx_msec_t ms)
{
    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_add_timer(&link->timer, ngx_max(ms, 1));
}

/*
 * conn.c - one connection of the frame server: bytes to frames and back.
 *
 *   reading --no room for more--> stalled --room, at a turn's end--> reading
 *      |
 *      |  the peer's end, a broken frame, half a frame for too long
 *      '--> ended: what is at work is answered --> closed
 *
 * Invariants:
 *   1. A frame's bytes lie in a box of their own, so any number of requests
 *      is at work while the connection reads on.
 *   2. Every byte held is counted.  Over SERVER_READ_MAX, or over what one
 *      connection may have at work or unwritten, a connection is not read:
 *      nothing is lost, and its peer waits.  What a stalled connection keeps
 *      takes no room from the boxes, whose end makes room.
 *   3. Replies gather in `out` and are written once a turn of the loop.
 *   4. A frame that is not whole within SERVER_FRAME_MS ends the connection,
 *      replies that are not taken close it: whoever hangs in the middle gives
 *      back what it holds.  The time in which we do not read does not count.
 *   5. A connection that is gone stays in memory until its last request has
 *      ended; those go on, and their replies are dropped.
 */
#include <stdlib.h>

#include "libpayhub/io/log.h"
#include "worker/server_int.h"

/* ---- the end ---- */

static void
conn_rest_free(struct wk_conn *conn)
{
    conn->server->rest_held -= conn->rest.size;
    free(conn->rest.ptr);
    conn->rest = (struct wk_bytes){ 0 };
}

static void
conn_closed(uv_handle_t *handle)
{
    struct wk_conn   *conn   = handle->data;
    struct wk_server *server = conn->server;

    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        server->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    for (struct wk_conn **at = &server->dirty; conn->is_dirty && *at != NULL;
         at                  = &(*at)->next_dirty)
    {
        if (*at == conn) {
            *at            = conn->next_dirty;
            conn->is_dirty = false;
            break;
        }
    }
    if (conn->box != NULL) {
        wk_box_give(server, conn->box);
    }
    conn_rest_free(conn);
    wk_bytes_free(server, &conn->out);
    wk_bytes_free(server, &conn->writing);
    server->stalled -= conn->is_stalled;
    conn->is_closed = true;
    if (conn->requests == 0) {
        free(conn);
    }
    wk_server_left(server);
}

void
wk_conn_close(struct wk_conn *conn)
{
    if (!conn->is_closing) {
        conn->is_closing = true;
        uv_close((uv_handle_t *) &conn->pipe, conn_closed);
    }
}

static bool
conn_is_idle(const struct wk_conn *conn)
{
    return conn->requests == 0 && conn->out.len == 0 && conn->writing.len == 0;
}

void
wk_conn_look(struct wk_conn *conn)
{
    if (conn->is_ended && conn_is_idle(conn)) {
        wk_conn_close(conn);
    }
}

/* What is at work is answered; half a frame was not taken. */
void
wk_conn_end(struct wk_conn *conn)
{
    conn->is_ended = true;
    conn->read_ms  = 0;
    if (conn->box != NULL) {
        wk_box_give(conn->server, conn->box);
        conn->box = NULL;
        conn->cut = (struct wk_cut){ 0 };
    }
    (void) uv_read_stop((uv_stream_t *) &conn->pipe);
    wk_conn_look(conn);
}

void
wk_conn_done(struct wk_box *box)
{
    struct wk_conn *conn = box->conn;

    conn->requests--;
    conn->request_bytes -= box->size;
    wk_box_give(conn->server, box);
    if (conn->is_closed) {
        if (conn->requests == 0) {
            free(conn);
        }
    } else {
        wk_conn_look(conn);
    }
}

/* ---- reading ---- */

static bool
conn_has_room(const struct wk_conn *conn)
{
    return conn->requests < CONN_REQUESTS_MAX
           && conn->request_bytes < CONN_REQUEST_BYTES_MAX
           && conn->out.len + conn->writing.len < CONN_OUT_MAX;
}

/* Keeps what was read; the piece may be the rest of an earlier stall. */
static void
conn_stall(struct wk_conn *conn, struct ph_str piece)
{
    struct wk_server *server = conn->server;
    struct wk_bytes  *rest   = &conn->rest;

    if (rest->ptr != NULL) {
        rest->from = rest->len - piece.len;
    } else if (piece.len != 0) {
        rest->ptr = malloc(piece.len);
        if (rest->ptr == NULL) {
            wk_conn_close(conn);
            return;
        }
        memcpy(rest->ptr, piece.ptr, piece.len);
        rest->size = rest->len = piece.len;
        server->rest_held += piece.len;
    }
    conn->is_stalled = true;
    conn->read_ms    = 0;
    server->stalled++;
    (void) uv_read_stop((uv_stream_t *) &conn->pipe);
}

/* false = no room for it now */
static bool
conn_room(struct wk_conn *conn)
{
    conn->box = wk_box_take(conn, conn->server, conn->cut.frame_len);
    if (conn->box == NULL) {
        return false;
    }
    wk_cut_give(&conn->cut, conn->box->bytes);
    return true;
}

static void
conn_whole(struct wk_conn *conn)
{
    struct wk_box *box = conn->box;

    conn->box     = NULL;
    conn->read_ms = 0;
    conn->requests++;
    conn->request_bytes += box->size;
    conn->heard_ms = uv_now(conn->pipe.loop);
    wk_server_take(box);
}

/* Takes every frame that is whole. */
static void
conn_take(struct wk_conn *conn, struct ph_str piece)
{
    while (!conn->is_closing && !conn->is_ended) {
        if (!conn_has_room(conn)) {
            conn_stall(conn, piece);
            return;
        }
        switch (wk_cut_step(&conn->cut, &piece)) {
        case WK_CUT_MORE:
            if (conn->read_ms == 0 && conn->cut.have != 0) {
                conn->read_ms = uv_now(conn->pipe.loop);
            }
            return;
        case WK_CUT_ROOM:
            if (!conn_room(conn)) {
                conn_stall(conn, piece);
                return;
            }
            break;
        case WK_CUT_WHOLE:
            conn_whole(conn);
            break;
        case WK_CUT_BROKEN:
            ph_log(PH_LOG_WARN, "frame_broken",
                   { "why", PH_STR("no head of a frame") });
            wk_conn_end(conn);
            return;
        }
    }
}

static bool
server_is_full(const struct wk_server *server)
{
    return server->bytes_held + server->rest_held > SERVER_READ_MAX;
}

/* One buffer for all: what is read is taken before the next read.  None =
 * libuv reports UV_ENOBUFS. */
static void
conn_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct wk_server *server = ((struct wk_conn *) handle->data)->server;
    size_t            len = server_is_full(server) ? 0 : sizeof(server->piece);

    (void) suggested;
    *buf = uv_buf_init(server->piece, (unsigned) len);
}

static void
conn_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct wk_conn *conn = stream->data;

    if (count > 0) {
        conn_take(conn, ph_str_make(buf->base, (size_t) count));
    } else if (count == UV_EOF) {
        wk_conn_end(conn); /* it may still read */
    } else if (count == UV_ENOBUFS) {
        conn_stall(conn, ph_str_make(NULL, 0));
    } else if (count < 0) {
        wk_conn_close(conn);
    }
}

/* false = it waits on */
static bool
conn_resume(struct wk_conn *conn)
{
    struct wk_server *server = conn->server;
    struct wk_bytes  *rest   = &conn->rest;
    size_t            left   = rest->len - rest->from;
    size_t            had    = conn->cut.have;

    conn->is_stalled = false;
    server->stalled--;
    conn_take(conn, ph_str_make(rest->ptr + rest->from, left));
    if (conn->is_closing) {
        return true;
    }
    if (conn->is_stalled) {
        return rest->len - rest->from != left || conn->cut.have != had;
    }
    conn_rest_free(conn);
    if (!conn->is_ended
        && uv_read_start((uv_stream_t *) &conn->pipe, conn_alloc, conn_read)
               != 0)
    {
        wk_conn_close(conn);
    }
    return true;
}

/* ---- all of them ---- */

static bool
conns_resume(struct wk_server *server)
{
    bool is_moved = false;

    for (struct wk_conn *conn                       = server->conns;
         conn != NULL && server->stalled != 0; conn = conn->next)
    {
        bool is_worth = conn->rest.ptr != NULL || !server_is_full(server);

        if (conn->is_stalled && !conn->is_closing && is_worth
            && conn_has_room(conn)) {
            is_moved = conn_resume(conn) || is_moved;
        }
    }
    return is_moved;
}

/* Ends: every pass takes bytes of a rest, which nothing adds to. */
void
wk_conns_turn(struct wk_server *server)
{
    do {
        while (server->dirty != NULL) {
            struct wk_conn *conn = server->dirty;

            server->dirty  = conn->next_dirty;
            conn->is_dirty = false;
            wk_conn_flush(conn);
        }
    } while (server->stalled != 0 && conns_resume(server));
}

void
wk_conn_accept(struct wk_server *server)
{
    uv_stream_t    *listener = (uv_stream_t *) &server->listener;
    struct wk_conn *conn     = calloc(1, sizeof(*conn));

    if (conn == NULL) {
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
        wk_conn_close(conn);
    }
}

void
wk_conns_goaway(struct wk_server *server)
{
    const struct ph_frame goaway
        = { .version = PH_FRAME_VERSION, .type = PH_FRAME_GOAWAY };

    for (struct wk_conn *conn = server->conns; conn != NULL; conn = conn->next)
    {
        conn->heard_ms = uv_now(conn->pipe.loop);
        wk_conn_send(conn, &goaway);
    }
}

static bool
is_long_ago(uint64_t ms, uint64_t now_ms)
{
    return ms != 0 && now_ms - ms > SERVER_FRAME_MS;
}

/* A peer that reads slowly is no peer that hangs. */
static bool
conn_is_not_read(struct wk_conn *conn, uint64_t now_ms)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *) &conn->pipe);

    if (conn->write_ms != 0 && left != conn->write_left) {
        conn->write_left = left;
        conn->write_ms   = now_ms;
    }
    return is_long_ago(conn->write_ms, now_ms);
}

static void
conn_sweep(struct wk_conn *conn, uint64_t now_ms)
{
    if (conn_is_not_read(conn, now_ms)
        || (conn->server->is_draining && conn_is_idle(conn)
            && is_long_ago(conn->heard_ms, now_ms)))
    {
        wk_conn_close(conn);
    } else if (is_long_ago(conn->read_ms, now_ms)) {
        wk_conn_end(conn);
    }
}

void
wk_conns_sweep(struct wk_server *server)
{
    uint64_t now_ms = uv_now(&server->worker->loop);

    for (struct wk_conn *conn = server->conns; conn != NULL; conn = conn->next)
    {
        conn_sweep(conn, now_ms);
    }
}

void
wk_conns_close(struct wk_server *server)
{
    for (struct wk_conn *conn = server->conns; conn != NULL; conn = conn->next)
    {
        wk_conn_close(conn);
    }
}

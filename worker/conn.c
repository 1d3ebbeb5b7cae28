/*
 * conn.c - one connection of the frame server: bytes to frames and back.
 *
 *   reading --no room for more--> stalled --room, at a turn's end--> reading
 *      |  the peer's end                 |
 *      '--> ended: what is at work is answered --> closed
 *
 * Invariants:
 *   1. A frame's bytes lie in a box of their own, so any number of requests
 *      is at work while the connection reads on.
 *   2. Every byte held is counted in bytes_held.  Over SERVER_READ_MAX, or
 *      over what one connection may have at work or unwritten, a connection
 *      is not read: nothing is lost, and its peer waits.
 *   3. Replies gather in `out` and are written once a turn of the loop.
 *   4. A frame that is not whole, or bytes that are not taken, within
 *      SERVER_FRAME_MS end the connection: whoever hangs in the middle gives
 *      back what it holds.  The time in which we do not read does not count.
 *   5. A connection that is gone stays in memory until its last request has
 *      ended; those go on, and their replies are dropped.
 */
#include <stdlib.h>

#include "libpayhub/io/log.h"
#include "worker/server_int.h"

struct wk_conn {
    struct wk_server *server;
    struct wk_conn   *prev, *next;
    struct wk_conn   *next_dirty;
    uv_pipe_t         pipe;
    uv_write_t        write;
    struct wk_cut     cut;
    struct wk_box    *box;  /* of the frame that is being read */
    struct wk_bytes   rest; /* read, and not taken yet: while stalled */
    struct wk_bytes   out;
    struct wk_bytes   writing; /* what the peer did not take at once */
    size_t            requests;
    size_t            request_bytes;
    uint64_t          read_ms;  /* loop time at which a half frame began, or */
    uint64_t          write_ms; /* bytes began to wait for the peer; 0 = none */
    uint64_t          heard_ms;
    bool              is_dirty;
    bool              is_stalled;
    bool              is_ended;
    bool              is_closing;
    bool              is_closed;
};

/* ---- the end ---- */

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
    wk_bytes_free(server, &conn->rest);
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
    } else if (conn->is_ended && conn_is_idle(conn)) {
        wk_conn_close(conn);
    }
}

/* ---- writing ---- */

static void
conn_dirty(struct wk_conn *conn)
{
    if (!conn->is_dirty) {
        conn->is_dirty      = true;
        conn->next_dirty    = conn->server->dirty;
        conn->server->dirty = conn;
    }
}

void
wk_conn_send(struct wk_conn *conn, const struct ph_frame *frame)
{
    size_t size = PH_FRAME_HEAD_LEN + frame->meta.len + frame->body.len;
    struct wk_bytes *out = &conn->out;

    if (conn->is_closing) {
        return;
    }
    if (out->len + conn->writing.len + size > CONN_OUT_END
        || !wk_bytes_reserve(conn->server, out, size))
    {
        ph_log(
            PH_LOG_WARN, "replies_not_taken",
            { "bytes", ph_log_i64((int64_t) (out->len + conn->writing.len)) });
        wk_conn_close(conn);
        return;
    }
    struct ph_buf buf;

    ph_buf_init(&buf, out->ptr + out->len, out->size - out->len);
    if (ph_frame_write(&buf, frame) != PH_OK) {
        ph_log(PH_LOG_ERROR, "reply_too_large",
               { "bytes", ph_log_i64((int64_t) size) });
        wk_conn_close(conn);
        return;
    }
    out->len += buf.len;
    out->is_secret = out->is_secret || frame->type == PH_FRAME_SYNC_PUSH;
    conn_dirty(conn);
}

/* A buffer that one burst needed is not kept, and none when there are many. */
static void
conn_out_shrink(struct wk_conn *conn)
{
    if (conn->out.len == 0
        && (conn->out.size > CONN_OUT_KEEP
            || conn->server->bytes_held > SERVER_READ_MAX / 2))
    {
        wk_bytes_free(conn->server, &conn->out);
    }
}

static void
conn_written(uv_write_t *write, int status)
{
    struct wk_conn *conn = write->data;

    if (conn->out.ptr == NULL) {
        wk_bytes_wipe(&conn->writing);
        conn->out     = conn->writing;
        conn->writing = (struct wk_bytes){ 0 };
    } else {
        wk_bytes_free(conn->server, &conn->writing);
    }
    conn_out_shrink(conn);
    conn->write_ms = 0;
    if (status != 0 || (conn->is_ended && conn_is_idle(conn))) {
        wk_conn_close(conn);
    } else if (conn->out.len != 0) {
        conn_dirty(conn);
    }
}

static void
conn_flush(struct wk_conn *conn)
{
    struct wk_bytes *out = &conn->out;
    uv_stream_t     *to  = (uv_stream_t *) &conn->pipe;

    if (conn->is_closing || out->len == 0 || conn->writing.len != 0) {
        return; /* conn_written() comes back */
    }
    uv_buf_t piece = uv_buf_init(out->ptr, (unsigned) out->len);
    int      sent  = uv_try_write(to, &piece, 1);

    if (sent == (int) out->len) {
        wk_bytes_wipe(out);
        conn_out_shrink(conn);
        if (conn->is_ended && conn_is_idle(conn)) {
            wk_conn_close(conn);
        }
        return;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        wk_conn_close(conn);
        return;
    }
    conn->writing      = *out;
    conn->writing.from = sent > 0 ? (size_t) sent : 0;
    *out               = (struct wk_bytes){ 0 };
    conn->write.data   = conn;
    conn->write_ms     = uv_now(to->loop);
    piece              = uv_buf_init(conn->writing.ptr + conn->writing.from,
                                     (unsigned) (conn->writing.len - conn->writing.from));
    if (uv_write(&conn->write, to, &piece, 1, conn_written) != 0) {
        wk_conn_close(conn);
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
        server->bytes_held += piece.len;
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
    while (!conn->is_closing) {
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
            wk_conn_close(conn);
            return;
        }
    }
}

/* One buffer for all: what is read is taken before the next read. */
static void
conn_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct wk_server *server = ((struct wk_conn *) handle->data)->server;

    (void) suggested;
    *buf = uv_buf_init(server->piece, sizeof(server->piece));
}

/* The peer sends no more; it may still read. */
static void
conn_end(struct wk_conn *conn)
{
    conn->is_ended = true;
    conn->read_ms  = 0;
    if (conn->box != NULL) {
        wk_box_give(conn->server, conn->box); /* half a frame was not taken */
        conn->box = NULL;
        conn->cut = (struct wk_cut){ 0 };
    }
    (void) uv_read_stop((uv_stream_t *) &conn->pipe);
}

static void
conn_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct wk_conn *conn = stream->data;

    if (count > 0) {
        conn_take(conn, ph_str_make(buf->base, (size_t) count));
    } else if (count == UV_EOF && !conn_is_idle(conn)) {
        conn_end(conn);
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
    wk_bytes_free(server, rest);
    if (uv_read_start((uv_stream_t *) &conn->pipe, conn_alloc, conn_read) != 0)
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
        if (conn->is_stalled && !conn->is_closing && conn_has_room(conn)) {
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
            conn_flush(conn);
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
conn_is_late(const struct wk_conn *conn, uint64_t now_ms)
{
    uint64_t since_ms = now_ms > SERVER_FRAME_MS ? now_ms - SERVER_FRAME_MS : 0;

    return (conn->read_ms != 0 && conn->read_ms < since_ms)
           || (conn->write_ms != 0 && conn->write_ms < since_ms)
           || (conn->server->is_draining && conn_is_idle(conn)
               && conn->heard_ms < since_ms);
}

void
wk_conns_sweep(struct wk_server *server)
{
    uint64_t now_ms = uv_now(&server->worker->loop);

    for (struct wk_conn *conn = server->conns; conn != NULL; conn = conn->next)
    {
        if (conn_is_late(conn, now_ms)) {
            wk_conn_close(conn);
        }
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

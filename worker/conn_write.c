/*
 * conn_write.c - replies of one connection: gathered, and written once a turn.
 *
 *   out --all taken at once--> empty
 *    '--not all--> writing, by the loop; meanwhile the next ones gather in out
 */
#include "libpayhub/io/log.h"
#include "worker/server_int.h"

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
    if (status != 0) {
        wk_conn_close(conn);
    } else if (conn->out.len != 0) {
        conn_dirty(conn);
    } else {
        wk_conn_look(conn);
    }
}

void
wk_conn_flush(struct wk_conn *conn)
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
        wk_conn_look(conn);
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

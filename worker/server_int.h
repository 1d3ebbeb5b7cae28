/*
 * server_int.h - shared by server.c (requests, replies, the listener), conn.c
 * (one connection: bytes to frames), conn_write.c (and back), conn_memory.c.
 */
#ifndef WK_SERVER_INT_H
#define WK_SERVER_INT_H

#include <sys/un.h>

#include "worker/cut.h"
#include "worker/server.h"

#define SERVER_LARGE_MAX (64u * 1024 * 1024)  /* then large frames wait */
#define SERVER_READ_MAX (96u * 1024 * 1024)   /* then nothing is read */
#define SERVER_BYTES_MAX (128u * 1024 * 1024) /* then replies are lost, too */
#define SERVER_FRAME_MS 5000
#define SERVER_PIECE_LEN (64 * 1024) /* taken by one read */
#define SERVER_META_MAX 1024

#define CONN_REQUESTS_MAX 2048                    /* at work; then not read */
#define CONN_REQUEST_BYTES_MAX (16 * 1024 * 1024) /* likewise */
#define CONN_OUT_MAX (8 * 1024 * 1024)            /* not written; likewise */
#define CONN_OUT_END (32 * 1024 * 1024)           /* the connection is closed */
#define CONN_OUT_FIRST 4096
#define CONN_OUT_KEEP (64 * 1024)

/* most requests; the others have memory of their own */
#define BOX_SMALL_LEN 4096
#ifdef PH_TESTING
#define BOXES_KEPT 0 /* so that a use after the reply is found */
#else
#define BOXES_KEPT 256
#endif

struct wk_conn;

/* a request and the bytes of its frame */
struct wk_box {
    struct wk_request request; /* first: a request is its box */
    struct wk_conn   *conn;
    struct wk_box    *next; /* while free */
    size_t            size; /* of all of it */
    size_t            len;  /* of the frame */
    char              bytes[];
};

/* bytes that wait: to be written, or to be taken */
struct wk_bytes {
    char  *ptr;
    size_t size;
    size_t from; /* done up to here */
    size_t len;
    bool   is_secret;
};

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
    uint64_t          write_ms; /* the peer last took some of what waits for
                                   it; 0 = nothing waits */
    size_t   write_left;
    uint64_t heard_ms;
    bool     is_dirty;
    bool     is_stalled;
    bool     is_ended;
    bool     is_closing;
    bool     is_closed;
};

struct wk_server {
    struct wk_worker *worker;
    uv_pipe_t         listener;
    uv_timer_t        sweep;
    uv_prepare_t      turn;
    struct wk_conn   *conns;
    struct wk_conn   *dirty; /* with replies that are not written */
    struct wk_box    *boxes; /* free */
    size_t            boxes_free;
    size_t            conn_count;
    size_t            conn_max;
    size_t            stalled;    /* connections that wait for room */
    size_t            requests;   /* CALLs not answered yet */
    struct wk_shares  callers;    /* those of them that have a place, by app */
    size_t            bytes_held; /* by boxes and replies */
    size_t            rest_held;  /* by what was read before a stall */
    bool              is_draining;
    bool              is_waiting; /* for its connections: a job of the worker */
    char              path[sizeof(((struct sockaddr_un *) 0)->sun_path)];
    char              meta[SERVER_META_MAX];
    struct ph_buf     text;
    char              text_memory[WK_REPLY_BODY_MAX];
    char              piece[SERVER_PIECE_LEN];
};

/* ---- conn.c ---- */

void wk_conn_accept(struct wk_server *server);

/* A box is at work from wk_server_take() to its end here. */
void wk_conn_done(struct wk_box *box);

/* Reads no more, answers what is at work, then closes. */
void wk_conn_end(struct wk_conn *conn);

void wk_conn_close(struct wk_conn *conn);
void wk_conn_look(struct wk_conn *conn); /* has it ended by now? */

void wk_conns_goaway(struct wk_server *server);
void wk_conns_sweep(struct wk_server *server);
void wk_conns_close(struct wk_server *server);

/* The end of a turn: writes, then reads on where there is room again. */
void wk_conns_turn(struct wk_server *server);

/* ---- conn_write.c ---- */

/* Written by the end of this turn of the loop. */
void wk_conn_send(struct wk_conn *conn, const struct ph_frame *frame);
void wk_conn_flush(struct wk_conn *conn); /* the end of the turn */

/* ---- conn_memory.c ---- */

void wk_bytes_wipe(struct wk_bytes *bytes);
void wk_bytes_free(struct wk_server *server, struct wk_bytes *bytes);

/* Room for `more` bytes behind those that are there; false = over what all of
 * them together may be. */
bool wk_bytes_reserve(struct wk_server *server, struct wk_bytes *bytes,
                      size_t more) PH_MUST_CHECK;

/* NULL = over what may be held while frames are read */
struct wk_box *wk_box_take(struct wk_conn *conn, struct wk_server *server,
                           size_t len) PH_MUST_CHECK;
void           wk_box_give(struct wk_server *server, struct wk_box *box);
void           wk_boxes_free(struct wk_server *server);

/* ---- server.c ---- */

/* A whole frame, unchecked.  @owns: taken; wk_conn_done() is its end. */
void wk_server_take(struct wk_box *box);

/* One connection less. */
void wk_server_left(struct wk_server *server);

#endif

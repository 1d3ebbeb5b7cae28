/*
 * server.h - frames in, frames out: the unix socket that edge and CLI talk to.
 *
 * Any number of requests is at work on a connection, and their replies leave
 * in the order in which they are made.  A request owns the bytes of its frame,
 * so its views live until its reply.  Memory is taken only as a frame announces
 * itself; at the maxima of server_int.h connections are not read.
 * @thread loop.
 */
#ifndef WK_SERVER_H
#define WK_SERVER_H

#include "libpayhub/domain/error.h"
#include "libpayhub/wire/frame.h"
#include "worker/nonce.h"
#include "worker/share.h"
#include "worker/worker.h"

#define WK_REQUEST_ID_TEXT_LEN (PH_FRAME_ID_LEN * 2)
#define WK_REPLY_BODY_MAX (256 * 1024)

struct wk_idem;

/* a CALL; borrowed until it is answered */
struct wk_request {
    struct wk_worker *worker;
    struct ph_frame   frame;
    struct ph_str     method;
    struct ph_str     path;
    struct ph_str     query;  /* {NULL, 0} = no question mark */
    struct ph_str     key_id; /* {NULL, 0} = unverified */
    struct ph_str     app_id;
    struct ph_str     merchant_id;
    uint64_t          arrived_ns;
    char              id_text[WK_REQUEST_ID_TEXT_LEN + 1];
    struct wk_nonce   nonce;
    struct wk_idem   *idem; /* of its Idempotency-Key, until the reply */
    bool              idem_is_asked;
    bool              has_place; /* among the server's callers */
    bool              is_parked;
};

struct wk_reply {
    enum ph_frame_type type; /* RESULT, BUSY, REFUSED, UNKNOWN */
    unsigned           status;
    struct ph_str      body;
    struct ph_str      content_type; /* {NULL, 0} = application/json */
    struct ph_str      order_id;
    struct ph_str      channel;
    struct ph_str      outcome;
    struct ph_str      allow;
    struct ph_str      health;        /* of calls that the request made */
    unsigned           retry_after_s; /* 0 = none */
    bool               is_replay;
    enum ph_error      problem;
};

/* Listens; NULL = said why in the log.  @owns: caller, wk_server_free(). */
struct wk_server *wk_server_new(struct wk_worker *worker,
                                const char       *path) PH_MUST_CHECK;

/* Exactly once a request; the request is gone afterwards. */
void wk_reply(struct wk_request *request, const struct wk_reply *reply);

/* A problem document as the reply; type says what the edge may do with it. */
void wk_reply_problem(struct wk_request *request, enum ph_frame_type type,
                      const struct ph_problem *problem,
                      const struct wk_reply   *more);

/* the everyday form: RESULT with the error's own status and a detail */
void wk_reply_error(struct wk_request *request, enum ph_error error,
                    const char *detail);

/* scratch for a reply's body; any handler, until it returns to the loop */
struct ph_buf *wk_server_text(struct wk_worker *worker);

/* A place among `most` requests, until the reply; false = there is none for
 * this caller. */
bool wk_server_place(struct wk_request *request, size_t most) PH_MUST_CHECK;

/* It waits for somebody outside: from here on it is not counted among the
 * requests under way, and its place is free. */
void wk_server_park(struct wk_request *request);

/* GOAWAY on every connection and no new ones; a call that crosses it is BUSY.
 * A job of the worker, until every edge has gone or is quiet. */
void wk_server_drain(struct wk_server *server);

/* Closes everything; who still waits reads the end of the connection. */
void wk_server_stop(struct wk_server *server);
void wk_server_free(struct wk_server *server); /* after the loop has ended */

#endif

/*
 * nonce.h - whether a signed call was seen on any host.
 *
 * One `SET key <request id> NX GET` in Redis.  The same request id is the same
 * request, passed on by the edge after BUSY, and goes ahead; another id is a
 * replay.  With Redis away the edge's own guard and the unique keys stand,
 * unless the edge says that it cannot know.  A call whose timestamp is farther
 * from now than half of pay.nonce_ttl may be forgotten, and is not executed.
 * @thread loop.
 */
#ifndef WK_NONCE_H
#define WK_NONCE_H

#include "libpayhub/base/str.h"

struct wk_request;

enum wk_nonce_verdict {
    WK_NONCE_FRESH = 0, /* or not signed, or nobody to ask: go ahead */
    WK_NONCE_REPLAY,
    WK_NONCE_UNSURE /* only Redis could have known: it is away or forgot */
};

/* part of a request, which outlives the question */
struct wk_nonce {
    /* set by the caller */
    void (*done)(struct wk_nonce *nonce);
    void *data;

    /* set before done() */
    bool                  is_known;
    enum wk_nonce_verdict verdict;

    struct wk_request *request;
};

/*
 * Asks; done() is called once, on a later turn or at once.  shard = that of
 * the order, so that Redis has key and lock in one place; {NULL, 0} = one
 * made of the nonce.  What is asked of Redis next goes out with it.
 */
void wk_nonce_ask(struct wk_request *request, struct ph_str   shard,
                  void (*done)(struct wk_nonce *nonce), void *data);

/* Answers a call that must not go ahead; false = it may. */
bool wk_nonce_refuse(struct wk_request *request);

#endif

/*
 * store_link.h - the connection of a store thread and its transactions.
 *
 * Thread: the store thread that owns it.
 */
#ifndef WK_STORE_LINK_H
#define WK_STORE_LINK_H

#include "libpayhub/base/conf.h"
#include "worker/db.h"

#define WK_LINK_TRIES_MAX 5 /* of what may simply be run again */
#define WK_LINK_WAITS_MAX 2 /* lock waits that run out, of a job alone */

enum wk_commit {
    WK_COMMIT_UNKNOWN = 0, /* sent, and its answer lost: the rows may stand */
    WK_COMMIT_UNDONE,      /* proof: nothing stands */
    WK_COMMIT_DONE
};

struct wk_link {
    const struct ph_conf *conf;
    struct wk_db          db;
    uint64_t              connect_after_ns;
    uint64_t              used_ns;
    bool                  was_up; /* logs are written on a change */
};

/* false = not now, or soon again.  A connection that rested long is tried
 * first: the server may have ended it (wait_timeout). */
bool wk_link_connect(struct wk_link *link) PH_MUST_CHECK;
void wk_link_disconnect(struct wk_link *link);

/* Appends the begin and what wk_link_begun() reads: answers 0 and 1. */
void wk_link_begin(struct wk_link *link);
bool wk_link_begun(struct wk_link *link) PH_MUST_CHECK; /* sets db.now_ms */

/* Keeps the error that led here; when it fails the connection ends. */
void           wk_link_rollback(struct wk_link *link);
enum wk_commit wk_link_commit(struct wk_link *link);

/* Sleeps 5-10 ms, doubled by every try. */
void wk_link_pause(unsigned tries);

#endif

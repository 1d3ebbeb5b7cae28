/*
 * sync.h - asks the channel about an order at once, for whoever waits: under
 * the order's lock, on the rows as they are then.
 *
 *   [open attempt] -> lock -> rows -> ask (ask.h) -> done
 *
 * The job may outlive whoever waits; *order can be read on the loop at any
 * time and says what was committed last.  @thread loop.
 */
#ifndef WK_SYNC_H
#define WK_SYNC_H

#include "worker/ask.h"
#include "worker/lock.h"

enum wk_sync_end {
    WK_SYNC_FAILED = 0, /* the database did not answer, or no commit stands */
    WK_SYNC_BUSY,       /* somebody else works on the order: rows read anew */
    WK_SYNC_CANNOT,     /* its account is gone, or cannot be asked or closed */
    WK_SYNC_FULL,       /* too many calls of the account are under way */
    WK_SYNC_NOTHING,    /* nothing is open: the channel was not asked */
    WK_SYNC_ASKED
};

struct wk_sync {
    struct wk_store_job store; /* first */

    /* set by the caller */
    struct wk_worker *worker;
    struct ph_arena  *arena;   /* ours until done() */
    struct wk_order  *order;   /* in: as loaded; out: as committed last */
    bool              closes;  /* what the query leaves open is closed */
    uint64_t          wait_ms; /* for the lock */
    void (*done)(struct wk_sync *sync);
    void *data;

    /* set before done() */
    enum wk_sync_end end;

    /* private */
    bool               is_waiting; /* for the lock */
    enum wk_sync_end   after_load; /* BUSY, or NOTHING: go on */
    size_t             arena_mark;
    struct wk_account *account; /* held */
    struct wk_lock     lock;
    struct wk_order    fresh; /* while it is loaded: the store thread's */
    enum wk_found      found;
    struct wk_ask      ask;
};

void wk_sync_start(struct wk_sync *sync);

/* true while it waits for another's lock: nothing was begun */
bool wk_sync_is_waiting(const struct wk_sync *sync);

#endif

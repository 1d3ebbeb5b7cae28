/*
 * store.h - the database behind a bounded queue and a few threads.
 *
 * Jobs that write share commits: while one commit is under way the others
 * queue, and the next transaction takes all of them.  Whatever spoils a shared
 * transaction is run alone afterwards, so each job's outcome is its own.
 *
 *   run()   on a store thread, inside a transaction when `writes`; may be
 *           called several times and must begin from its inputs each time
 *   done()  on the loop, once
 *
 * UNKNOWN means that COMMIT was sent and its answer lost: the rows may stand.
 * It is never run again, and whoever asked for it neither calls a channel on
 * its strength nor says that nothing happened.
 *
 * Between submit and done() the job and whatever run() reaches belong to the
 * store thread.  A job that shares a transaction sees the rows that the others
 * wrote before it, also those that are rolled back with it later: so nobody is
 * told what a run found before done() says DONE.
 */
#ifndef WK_STORE_H
#define WK_STORE_H

#include <uv.h>

#include "libpayhub/base/conf.h"
#include "worker/db.h"

enum wk_run {
    WK_RUN_FAILED = 0, /* db->error_no says why */
    WK_RUN_DONE,
    WK_RUN_AGAIN /* roll back, run again alone: the job knows more now */
};

enum wk_store_outcome {
    WK_STORE_UNKNOWN = 0,
    WK_STORE_FAILED, /* proof: nothing was committed */
    WK_STORE_DONE
};

struct wk_store;

struct wk_store_job {
    /* set by the caller */
    bool writes;
    enum wk_run (*run)(struct wk_db *db, struct wk_store_job *job);
    void (*done)(struct wk_store_job *job);
    const char *crash_before; /* crash points around COMMIT, or NULL; only in
                                 builds with PH_TESTING */
    const char *crash_after;

    /* set by the store before done() */
    enum wk_store_outcome outcome;

    struct wk_store_job *next; /* private */
};

/* Starts the threads.  NULL = said why in the log.
 * @owns: caller, wk_store_free(). */
struct wk_store *wk_store_new(uv_loop_t            *loop,
                              const struct ph_conf *conf) PH_MUST_CHECK;

/* false = the queue is full or closing: nothing was done.  @thread loop */
bool wk_store_submit(struct wk_store     *store,
                     struct wk_store_job *job) PH_MUST_CHECK;

/* true while a new request should be told BUSY */
bool wk_store_is_full(const struct wk_store *store);

/* Waits for the threads; queued jobs are finished, their done() is called.
 * The handle closes on the loop's next turn. */
void wk_store_stop(struct wk_store *store);
void wk_store_free(struct wk_store *store); /* after the loop has ended */

#endif

/*
 * store.h - the database behind a bounded queue and a few threads.
 *
 * Jobs that write share commits: while one commit is under way the others
 * queue, and the next transaction takes all of them.  Each job's outcome is its
 * own.  There are two kinds:
 *
 *   plan()  and ask() before it say what is to be read and written; the store
 *           makes few statements of all of them (batch.h)
 *   run()   sends its own statements, inside a transaction when `writes`;
 *           whatever spoils a shared transaction is run alone afterwards
 *   done()  on the loop, once
 *
 * ask(), plan() and run() are called on a store thread, perhaps several times,
 * and begin from their inputs each time.
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

enum wk_plan {
    WK_PLAN_FAILED = 0, /* the job fails; the others go on */
    WK_PLAN_DONE,
    WK_PLAN_AGAIN /* ask again in the next transaction: it knows more now */
};

enum wk_store_outcome {
    WK_STORE_UNKNOWN = 0,
    WK_STORE_FAILED, /* proof: nothing was committed */
    WK_STORE_DONE
};

struct wk_store;
struct wk_batch;

struct wk_store_job {
    /* set by the caller: plan with or without ask, or run */
    void (*ask)(struct wk_batch *batch, struct wk_store_job *job);
    enum wk_plan (*plan)(struct wk_batch *batch, struct wk_store_job *job);
    bool writes; /* of run */
    enum wk_run (*run)(struct wk_db *db, struct wk_store_job *job);
    void (*done)(struct wk_store_job *job);
    const char *crash_before; /* crash points around COMMIT, or NULL; only in
                                 builds with PH_TESTING */
    const char *crash_after;

    /* set by the store before done() */
    enum wk_store_outcome outcome;

    /* set by the store before ask() */
    unsigned lost;  /* 1 << enum wk_unique: keys that have another owner */
    bool     raced; /* a row was not as `before` said: read it again */

    /* private */
    unsigned             rounds;
    unsigned             waits; /* for a lock, alone, that ran out */
    bool                 is_alone;
    struct wk_store_job *next;
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

/* true while no job waits or runs */
bool wk_store_is_quiet(const struct wk_store *store);

/* Waits for the threads; queued jobs are finished, their done() is called.
 * The handle closes on the loop's next turn. */
void wk_store_stop(struct wk_store *store);
void wk_store_free(struct wk_store *store); /* after the loop has ended */

#endif

/*
 * order_job.h - a request about one order that is there: its rows, the channel
 * when it shall be asked, the answer.
 *
 *   LOADING --not there, another app's--> END
 *      '--> [SYNCING (sync.h)] --> tell() --> END
 *
 * Another app's order is not there.  The request is answered exactly once, at
 * its deadline by the rows as they are then; the job may outlive it.
 */
#ifndef WK_ORDER_JOB_H
#define WK_ORDER_JOB_H

#include "worker/answer.h"
#include "worker/store.h"
#include "worker/sync.h"

struct wk_order_job;

/* what the requests of one kind want of the order */
struct wk_order_way {
    bool     syncs;        /* the channel is asked first, */
    bool     closes;       /* and told to close what it leaves open */
    uint64_t lock_wait_ms; /* for whoever has the order */
    /* Answers, unless the request has been; from job->order.  BUSY at the
     * deadline: nothing was begun, and nothing will be closed. */
    void (*tell)(struct wk_order_job *job, enum wk_sync_end end);
};

struct wk_order_job {
    struct wk_store_job        store; /* first */
    struct wk_worker          *worker;
    struct wk_request         *request; /* NULL = answered */
    struct wk_block           *block;
    struct ph_arena           *arena;
    size_t                     arena_mark; /* each run reads anew from here */
    const struct wk_order_way *way;
    struct ph_str              app_id;
    struct ph_str              payment_id; /* one of the two */
    struct ph_str              order_no;
    struct ph_str              hash;
    struct wk_order            order;
    enum wk_found              found;
    struct wk_timer           *deadline; /* of the request, not of the job */
    struct wk_sync             sync;
};

/* The block is the job's from here on; the texts live in it. */
void wk_order_job_start(struct wk_request *request, struct wk_block *block,
                        const struct wk_order_way *way,
                        struct ph_str payment_id, struct ph_str order_no);

/* the order's document as the answer */
void wk_order_job_show(struct wk_order_job *job, unsigned status);

#endif

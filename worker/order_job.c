/* order_job.c - see order_job.h. */
#include "worker/order_job.h"

#include "worker/rows.h"

static void
job_end(struct wk_order_job *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

void
wk_order_job_show(struct wk_order_job *job, unsigned status)
{
    const struct wk_reply more = { .status = status };

    wk_answer_order(&job->request, &job->order, &more);
}

/* ---- the channel ---- */

static void
job_on_sync(struct wk_sync *sync)
{
    struct wk_order_job *job = sync->data;

    job->way->tell(job, sync->end);
    job_end(job);
}

/* Who was told that nothing was begun must not find the order closed later. */
static void
job_on_deadline(void *data)
{
    struct wk_order_job *job = data;

    wk_timer_stop(&job->deadline);
    if (wk_sync_is_waiting(&job->sync)) {
        job->sync.closes = false;
        job->way->tell(job, WK_SYNC_BUSY);
    } else {
        job->way->tell(job, WK_SYNC_ASKED);
    }
}

static void
job_sync(struct wk_order_job *job)
{
    job->deadline = wk_timer_start(job->worker, wk_answer_wait_ms(job->request),
                                   job_on_deadline, job);
    job->sync     = (struct wk_sync){ .worker  = job->worker,
                                      .arena   = job->arena,
                                      .order   = &job->order,
                                      .closes  = job->way->closes,
                                      .wait_ms = job->way->lock_wait_ms,
                                      .done    = job_on_sync,
                                      .data    = job };
    wk_sync_start(&job->sync);
}

/* ---- rows ---- */

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *store)
{
    struct wk_order_job *job = (struct wk_order_job *) store;

    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    job->found
        = job->payment_id.len != 0
              ? wk_order_load(db, job->arena, job->payment_id, &job->order)
              : wk_order_load_by_no(db, job->arena, job->app_id, job->order_no,
                                    &job->order, &job->hash);
    return job->found == WK_FOUND_FAILED ? WK_RUN_FAILED : WK_RUN_DONE;
}

static void
load_done(struct wk_store_job *store)
{
    struct wk_order_job *job = (struct wk_order_job *) store;

    if (store->outcome != WK_STORE_DONE) {
        wk_answer_refuse(&job->request, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                         "the database is not to be reached");
    } else if (job->found != WK_FOUND_ROW
               || !ph_str_eq(job->order.payment.app_id, job->app_id))
    {
        wk_answer_refuse(&job->request, PH_FRAME_RESULT, PH_ERROR_NOT_FOUND,
                         "");
    } else if (job->way->syncs) {
        job_sync(job);
        return;
    } else {
        job->way->tell(job, WK_SYNC_NOTHING);
    }
    job_end(job);
}

void
wk_order_job_start(struct wk_request *request, struct wk_block *block,
                   const struct wk_order_way *way, struct ph_str payment_id,
                   struct ph_str order_no)
{
    struct wk_order_job *job
        = ph_arena_take(&block->arena, sizeof(*job)); /* always fits */

    job->store   = (struct wk_store_job){ .run = load_run, .done = load_done };
    job->worker  = request->worker;
    job->request = request;
    job->block   = block;
    job->arena   = &block->arena;
    job->way     = way;
    job->app_id  = ph_arena_dup(job->arena, request->app_id);
    job->payment_id = ph_arena_dup(job->arena, payment_id);
    job->order_no   = ph_arena_dup(job->arena, order_no);
    job->arena_mark = job->arena->len;
    wk_job_begin(job->worker);
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        load_done(&job->store);
    }
}

/*
 * read.c - GET /v1/payments/{id}, and GET /v1/payments?order_no= or a list.
 *
 *   LOADING --sync, not final--> ASKING (sync.h) -> END
 *      '------------------------------------------->'
 *
 * Another app's payment is not there.  With sync=true the request waits for
 * pay.request_deadline at most and is then told the rows as they are; the job
 * goes on without it.
 */
#include "worker/list.h"
#include "worker/payment_view.h"
#include "worker/route.h"
#include "worker/rows.h"
#include "worker/store.h"
#include "worker/sync.h"

#define SYNC_LOCK_MS 2000 /* whoever has the lock may be asking already */

struct read_job {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    struct wk_request  *request; /* NULL = answered */
    struct wk_block    *block;
    struct ph_str       app_id;
    struct ph_str       payment_id; /* one of the two */
    struct ph_str       order_no;
    struct ph_str       hash;
    struct wk_order     order;
    enum wk_found       found;
    size_t              arena_mark; /* each run reads anew from here */
    bool                is_sync;
    struct wk_timer    *deadline; /* of the request, not of the job */
    struct wk_sync      sync;
};

static enum wk_run
read_run(struct wk_db *db, struct wk_store_job *store)
{
    struct read_job *job   = (struct read_job *) store;
    struct ph_arena *arena = &job->block->arena;

    arena->len  = job->arena_mark;
    arena->full = false;

    job->found
        = job->payment_id.len != 0
              ? wk_order_load(db, arena, job->payment_id, &job->order)
              : wk_order_load_by_no(db, arena, job->app_id, job->order_no,
                                    &job->order, &job->hash);
    return job->found == WK_FOUND_FAILED ? WK_RUN_FAILED : WK_RUN_DONE;
}

static void
read_end(struct read_job *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

static void
read_answer(struct read_job *job)
{
    const struct wk_payment *payment = &job->order.payment;

    if (job->request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text(job->worker);

    wk_payment_view(text, &job->order);
    const struct wk_reply reply
        = { .type     = PH_FRAME_RESULT,
            .status   = 200,
            .body     = ph_buf_str(text),
            .order_id = payment->id,
            .channel  = payment->channel,
            .outcome  = ph_str_z(ph_payment_state_text(payment->status)) };

    wk_reply(job->request, &reply);
    job->request = NULL;
}

static void
read_unreachable(struct read_job *job)
{
    const struct ph_problem problem
        = { .error  = PH_ERROR_NOT_EXECUTED,
            .detail = PH_STR("the database is not to be reached") };
    const struct wk_reply more = { .retry_after_s = 1 };

    wk_reply_problem(job->request, PH_FRAME_BUSY, &problem, &more);
    job->request = NULL;
}

/* ---- sync=true ---- */

/* However it ended: the order as it is now. */
static void
read_on_sync(struct wk_sync *sync)
{
    struct read_job *job = sync->data;

    read_answer(job);
    read_end(job);
}

static void
read_on_deadline(void *data)
{
    struct read_job *job = data;

    wk_timer_stop(&job->deadline);
    read_answer(job);
}

static void
read_sync(struct read_job *job)
{
    uint64_t ms = (uint64_t) wk_conf(job->worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = job->request->frame.ms_left;

    if (left_ms != 0 && left_ms < ms) {
        ms = left_ms;
    }
    job->deadline = wk_timer_start(job->worker, ms, read_on_deadline, job);
    job->sync     = (struct wk_sync){ .worker  = job->worker,
                                      .arena   = &job->block->arena,
                                      .order   = &job->order,
                                      .wait_ms = SYNC_LOCK_MS,
                                      .done    = read_on_sync,
                                      .data    = job };
    wk_sync_start(&job->sync);
}

/* ---- rows ---- */

static void
read_done(struct wk_store_job *store)
{
    struct read_job *job = (struct read_job *) store;

    if (store->outcome != WK_STORE_DONE) {
        read_unreachable(job);
    } else if (job->found != WK_FOUND_ROW
               || !ph_str_eq(job->order.payment.app_id, job->app_id))
    {
        wk_reply_error(job->request, PH_ERROR_NOT_FOUND, "");
    } else if (job->is_sync) {
        read_sync(job);
        return;
    } else {
        read_answer(job);
    }
    read_end(job);
}

static void
read_start(struct wk_request *request, struct wk_block *block,
           struct ph_str payment_id, struct ph_str order_no, bool is_sync)
{
    struct read_job *job = ph_arena_take(&block->arena, sizeof(*job));

    job->store   = (struct wk_store_job){ .run = read_run, .done = read_done };
    job->worker  = request->worker;
    job->request = request;
    job->block   = block;
    job->app_id  = ph_arena_dup(&block->arena, request->app_id);
    job->payment_id = payment_id;
    job->order_no   = order_no;
    job->is_sync    = is_sync;
    job->arena_mark = block->arena.len;
    wk_job_begin(job->worker);
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        read_done(&job->store);
    }
}

static struct wk_block *
read_block(struct wk_request *request)
{
    struct wk_block *block = wk_block_take(request->worker);

    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
    }
    return block;
}

static void
read_refuse(struct wk_request *request, const struct wk_query_fault *fault)
{
    wk_reply_error(request, fault->error, fault->detail);
}

void
wk_payment_read(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    bool                  is_sync;

    if (!wk_sync_query_parse(request->query, &is_sync, &fault)) {
        read_refuse(request, &fault);
        return;
    }
    if (!ph_id_is(match->star[0], PH_ID_PAYMENT)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        return;
    }
    struct wk_block *block = read_block(request);

    if (block != NULL) { /* the id may not outlive the request otherwise */
        read_start(request, block, ph_arena_dup(&block->arena, match->star[0]),
                   ph_str_make(NULL, 0), is_sync);
    }
}

void
wk_payment_find(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    struct wk_block      *block = read_block(request);

    (void) match;
    if (block == NULL) {
        return;
    }
    struct wk_list_query *query = ph_arena_take(&block->arena, sizeof(*query));

    if (!wk_list_query_parse(request->query, request->app_id, query, &fault)) {
        struct wk_worker *worker = request->worker;

        read_refuse(request, &fault);
        wk_block_give(worker, block);
    } else if (query->order_no.ptr != NULL) {
        read_start(request, block, ph_str_make(NULL, 0), query->order_no,
                   query->is_sync);
    } else {
        wk_list_tell(request, block, query);
    }
}

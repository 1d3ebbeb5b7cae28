/*
 * refund_read.c - GET /v1/refunds/{id} and GET /v1/refunds?refund_no=, both
 * with sync=true, which asks the channel first.
 *
 * Another app's refund is not there.  Parameters that are not served are
 * refused, never ignored.
 */
#include "worker/answer.h"
#include "worker/list_query.h"
#include "worker/refund_ask.h"
#include "worker/refund_view.h"
#include "worker/route.h"

#define SYNC_LOCK_WAIT_MS 1000

struct refund_read {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    struct wk_request  *request; /* NULL = answered */
    struct wk_block    *block;
    struct ph_str       app_id;
    struct ph_str       refund_id; /* one of the two */
    struct ph_str       refund_no;
    bool                is_sync;
    struct wk_timer    *deadline;
    struct wk_refund_rows
        rows; /* what a late answer tells: not touched again */
    struct wk_refund_rows asked;
    struct wk_want        want;
    struct wk_refund_ask  ask;
    size_t                arena_mark;
};

static void
read_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_read *job   = (struct refund_read *) store;
    struct ph_arena    *arena = &job->block->arena;

    arena->len  = job->arena_mark;
    arena->full = false;
    job->want   = (struct wk_want){ .by     = WK_WANT_REFUND,
                                    .key    = { job->refund_id },
                                    .arena  = arena,
                                    .order  = &job->rows.order,
                                    .refund = &job->rows.refund };
    if (job->refund_no.len != 0) {
        job->want.by     = WK_WANT_REFUND_NO;
        job->want.key[0] = job->app_id;
        job->want.key[1] = job->refund_no;
    }
    wk_batch_want(batch, &job->want);
}

static enum wk_plan
read_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    const struct refund_read *job = (struct refund_read *) store;

    (void) batch;
    return job->want.found == WK_FOUND_FAILED ? WK_PLAN_FAILED : WK_PLAN_DONE;
}

static void
read_answer(struct refund_read *job, const struct wk_refund *refund)
{
    if (job->request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text(job->worker);

    wk_refund_view(text, refund);
    const struct wk_reply reply
        = { .type     = PH_FRAME_RESULT,
            .status   = 200,
            .body     = ph_buf_str(text),
            .order_id = refund->payment_id,
            .channel  = refund->channel,
            .outcome  = ph_str_z(ph_refund_state_text(refund->status)) };

    wk_reply(job->request, &reply);
    job->request = NULL;
}

static void
read_end(struct refund_read *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

static void
read_on_asked(struct wk_refund_ask *ask)
{
    struct refund_read *job = ask->data;

    read_answer(job, &job->asked.refund);
    read_end(job);
}

static void
read_on_deadline(void *data)
{
    struct refund_read *job = data;

    wk_timer_stop(&job->deadline);
    read_answer(job, &job->rows.refund);
}

static void
read_sync(struct refund_read *job)
{
    job->deadline = wk_timer_start(job->worker, wk_answer_wait_ms(job->request),
                                   read_on_deadline, job);
    job->asked    = job->rows;
    job->ask      = (struct wk_refund_ask){ .worker       = job->worker,
                                            .arena        = &job->block->arena,
                                            .rows         = &job->asked,
                                            .only_queries = true,
                                            .lock_wait_ms = SYNC_LOCK_WAIT_MS,
                                            .done         = read_on_asked,
                                            .data         = job };
    wk_refund_ask_start(&job->ask);
}

static void
read_done(struct wk_store_job *store)
{
    struct refund_read *job = (struct refund_read *) store;

    if (store->outcome != WK_STORE_DONE) {
        const struct ph_problem problem
            = { .error  = PH_ERROR_NOT_EXECUTED,
                .detail = PH_STR("the database is not to be reached") };
        const struct wk_reply more = { .retry_after_s = 1 };

        wk_reply_problem(job->request, PH_FRAME_BUSY, &problem, &more);
    } else if (job->want.found != WK_FOUND_ROW
               || !ph_str_eq(job->rows.refund.app_id, job->app_id))
    {
        wk_reply_error(job->request, PH_ERROR_NOT_FOUND, "");
    } else if (job->is_sync && !ph_refund_is_final(job->rows.refund.status)) {
        read_sync(job);
        return;
    } else {
        read_answer(job, &job->rows.refund);
    }
    read_end(job);
}

static void
read_start(struct wk_request *request, struct ph_str refund_id,
           struct ph_str refund_no, bool is_sync)
{
    struct wk_block *block = wk_block_take(request->worker);

    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct ph_arena    *arena = &block->arena;
    struct refund_read *job   = ph_arena_take(arena, sizeof(*job));

    job->worker     = request->worker;
    job->request    = request;
    job->block      = block;
    job->app_id     = ph_arena_dup(arena, request->app_id);
    job->refund_id  = ph_arena_dup(arena, refund_id);
    job->refund_no  = ph_arena_dup(arena, refund_no);
    job->is_sync    = is_sync;
    job->arena_mark = arena->len;
    job->store      = (struct wk_store_job){ .ask  = read_ask,
                                             .plan = read_plan,
                                             .done = read_done };
    wk_job_begin(job->worker);
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        read_done(&job->store);
    }
}

void
wk_refund_read(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    bool                  is_sync;

    if (!wk_sync_query_parse(request->query, &is_sync, &fault)) {
        wk_reply_error(request, fault.error, fault.detail);
    } else if (!ph_id_is(match->star[0], PH_ID_REFUND)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
    } else {
        read_start(request, match->star[0], ph_str_make(NULL, 0), is_sync);
    }
}

void
wk_refund_find(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    struct ph_str         refund_no;
    bool                  is_sync;

    (void) match;
    if (!wk_refund_query_parse(request->query, &refund_no, &is_sync, &fault)) {
        wk_reply_error(request, fault.error, fault.detail);
    } else {
        read_start(request, ph_str_make(NULL, 0), refund_no, is_sync);
    }
}

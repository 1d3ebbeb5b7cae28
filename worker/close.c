/*
 * close.c - POST /v1/payments/{id}/close as an explicit state machine.
 *
 *   LOADING --final--> END
 *      '---> SYNCING (sync.h: lock, query, `closing`, close) --> END
 *
 * Nothing is closed that the channel did not first say is unpaid, and the
 * payment is `closed` only when the channel said so: until then 202.  The
 * request is answered exactly once; the job may outlive it.
 */
#include <jansson.h>

#include "worker/payment_view.h"
#include "worker/request_body.h"
#include "worker/route.h"
#include "worker/rows.h"
#include "worker/store.h"
#include "worker/sync.h"

#define CLOSE_LOCK_MS 5000

struct close_job {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    struct wk_request  *request; /* NULL = answered */
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark;
    struct ph_str       app_id;
    struct ph_str       payment_id;
    struct wk_order     order;
    enum wk_found       found;
    struct wk_timer    *deadline; /* of the request, not of the job */
    struct wk_sync      sync;
};

/* ---- answers ---- */

static void
close_end(struct close_job *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

static void
close_refuse(struct close_job *job, enum ph_frame_type type,
             enum ph_error error, const char *detail)
{
    const struct ph_problem problem
        = { .error = error, .detail = ph_str_z(detail) };
    const bool again_soon
        = error == PH_ERROR_IN_PROGRESS || error == PH_ERROR_NOT_EXECUTED;
    const struct wk_reply more = { .retry_after_s = again_soon ? 1 : 0 };

    if (job->request != NULL) {
        wk_reply_problem(job->request, type, &problem, &more);
        job->request = NULL;
    }
}

static void
close_show(struct close_job *job, unsigned status)
{
    const struct wk_payment *payment = &job->order.payment;
    struct ph_buf           *text    = wk_server_text(job->worker);

    wk_payment_view(text, &job->order);
    const struct wk_reply reply
        = { .type     = PH_FRAME_RESULT,
            .status   = status,
            .body     = ph_buf_str(text),
            .order_id = payment->id,
            .channel  = payment->channel,
            .outcome  = ph_str_z(ph_payment_state_text(payment->status)) };

    wk_reply(job->request, &reply);
    job->request = NULL;
}

/* From the rows alone. */
static void
close_answer(struct close_job *job)
{
    if (job->request == NULL) {
        return;
    }
    switch (job->order.payment.status) {
    case PH_PAYMENT_CLOSED:
    case PH_PAYMENT_FAILED: /* it ended unpaid, which is what was asked for */
        close_show(job, 200);
        return;
    case PH_PAYMENT_PAID:
    case PH_PAYMENT_PAID_LATE:
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_STATE,
                     "the payment is paid; expected one that is not");
        return;
    case PH_PAYMENT_CONFLICT:
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_STATE,
                     "the payment is in conflict; a person decides");
        return;
    case PH_PAYMENT_NONE:
    case PH_PAYMENT_CREATED:
    case PH_PAYMENT_PAYING:
    case PH_PAYMENT_STATES:
        break;
    }
    close_show(job, 202);
}

static void
close_on_sync(struct wk_sync *sync)
{
    struct close_job *job     = sync->data;
    bool              is_open = !ph_payment_is_final(job->order.payment.status);

    if (is_open && sync->end == WK_SYNC_BUSY) {
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_IN_PROGRESS,
                     "another request works on this payment");
    } else if (is_open && sync->end == WK_SYNC_CANNOT) {
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_STATE,
                     "the payment's account cannot close it");
    } else if (is_open && sync->end == WK_SYNC_FULL) {
        close_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                     "too many calls of this account are under way");
    } else {
        close_answer(job);
    }
    close_end(job);
}

static void
close_on_deadline(void *data)
{
    struct close_job *job = data;

    wk_timer_stop(&job->deadline);
    if (wk_sync_is_waiting(&job->sync)) {
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_IN_PROGRESS,
                     "another request works on this payment");
    } else {
        close_answer(job);
    }
}

/* ---- rows ---- */

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *store)
{
    struct close_job *job = (struct close_job *) store;

    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    job->found = wk_order_load(db, job->arena, job->payment_id, &job->order);
    return job->found == WK_FOUND_FAILED ? WK_RUN_FAILED : WK_RUN_DONE;
}

static void
close_sync(struct close_job *job)
{
    uint64_t ms = (uint64_t) wk_conf(job->worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = job->request->frame.ms_left;

    if (left_ms != 0 && left_ms < ms) {
        ms = left_ms;
    }
    job->deadline = wk_timer_start(job->worker, ms, close_on_deadline, job);
    job->sync     = (struct wk_sync){ .worker  = job->worker,
                                      .arena   = job->arena,
                                      .order   = &job->order,
                                      .closes  = true,
                                      .wait_ms = CLOSE_LOCK_MS,
                                      .done    = close_on_sync,
                                      .data    = job };
    wk_sync_start(&job->sync);
}

static void
load_done(struct wk_store_job *store)
{
    struct close_job *job = (struct close_job *) store;

    if (store->outcome != WK_STORE_DONE) {
        close_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                     "the database is not to be reached");
    } else if (job->found != WK_FOUND_ROW
               || !ph_str_eq(job->order.payment.app_id, job->app_id))
    {
        close_refuse(job, PH_FRAME_RESULT, PH_ERROR_NOT_FOUND, "");
    } else {
        close_sync(job);
        return;
    }
    close_end(job);
}

/* ---- the beginning ---- */

/* Empty, or an empty object. */
static bool
body_is_empty(struct wk_request *request, struct ph_arena *arena)
{
    struct wk_request_fault fault = { 0 };
    struct ph_str           body  = request->frame.body;
    const char             *key;
    json_t                 *root, *value;

    if (body.len == 0) {
        return true;
    }
    root = wk_body_load(body, &fault);
    if (root != NULL) {
        json_object_foreach(root, key, value)
        {
            (void) value;
            wk_fault_add(&fault, arena, PH_ERROR_UNKNOWN_MEMBER, "", key,
                         "expected no members");
        }
        json_decref(root);
    }
    if (fault.error == PH_ERROR_NONE) {
        return true;
    }
    const struct ph_problem problem = { .error       = fault.error,
                                        .detail      = fault.detail,
                                        .places      = fault.places,
                                        .place_count = fault.place_count };

    wk_reply_problem(request, PH_FRAME_RESULT, &problem, NULL);
    return false;
}

static void
close_start(struct wk_request *request, struct wk_block *block,
            struct ph_str payment_id)
{
    struct close_job *job = ph_arena_take(&block->arena, sizeof(*job));

    job->store   = (struct wk_store_job){ .run = load_run, .done = load_done };
    job->worker  = request->worker;
    job->request = request;
    job->block   = block;
    job->arena   = &block->arena;
    job->app_id  = ph_arena_dup(job->arena, request->app_id);
    job->payment_id = ph_arena_dup(job->arena, payment_id);
    job->arena_mark = job->arena->len;
    wk_job_begin(job->worker);
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        load_done(&job->store);
    }
}

void
wk_payment_close(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_worker *worker = request->worker;
    struct wk_block  *block;

    if (request->query.ptr != NULL) {
        wk_reply_error(request, PH_ERROR_UNKNOWN_MEMBER,
                       "expected no query parameters");
        return;
    }
    if (request->frame.body.len != 0
        && !wk_media_type_is_json(
            ph_field_find(request->frame.meta, PH_FIELD_CONTENT_TYPE)))
    {
        wk_reply_error(request, PH_ERROR_MEDIA_TYPE,
                       "expected application/json");
        return;
    }
    block = wk_block_take(worker);
    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    if (!body_is_empty(request, &block->arena)) {
        wk_block_give(worker, block);
    } else if (!ph_id_is(match->star[0], PH_ID_PAYMENT)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        wk_block_give(worker, block);
    } else {
        close_start(request, block, match->star[0]);
    }
}

/*
 * read.c - GET /v1/payments/{id} and GET /v1/payments?order_no=.
 *
 * Another app's payment is not there.  Parameters that are not served are
 * refused, never ignored.
 */
#include "worker/payment_request.h"
#include "worker/payment_view.h"
#include "worker/route.h"
#include "worker/rows.h"
#include "worker/store.h"

struct read_job {
    struct wk_store_job store; /* first */
    struct wk_request  *request;
    struct wk_block    *block;
    struct ph_str       app_id;
    struct ph_str       payment_id; /* one of the two */
    struct ph_str       order_no;
    struct ph_str       hash;
    struct wk_order     order;
    enum wk_found       found;
    size_t              arena_mark; /* each run reads anew from here */
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
read_answer(struct read_job *job)
{
    const struct wk_payment *payment = &job->order.payment;
    struct ph_buf           *text    = wk_server_text(job->request->worker);

    wk_payment_view(text, &job->order);
    const struct wk_reply reply
        = { .type     = PH_FRAME_RESULT,
            .status   = 200,
            .body     = ph_buf_str(text),
            .order_id = payment->id,
            .channel  = payment->channel,
            .outcome  = ph_str_z(ph_payment_state_text(payment->status)) };

    wk_reply(job->request, &reply);
}

static void
read_done(struct wk_store_job *store)
{
    struct read_job  *job    = (struct read_job *) store;
    struct wk_worker *worker = job->request->worker;

    if (store->outcome != WK_STORE_DONE) {
        const struct ph_problem problem
            = { .error  = PH_ERROR_NOT_EXECUTED,
                .detail = PH_STR("the database is not to be reached") };
        const struct wk_reply more = { .retry_after_s = 1 };

        wk_reply_problem(job->request, PH_FRAME_BUSY, &problem, &more);
    } else if (job->found != WK_FOUND_ROW
               || !ph_str_eq(job->order.payment.app_id, job->app_id))
    {
        wk_reply_error(job->request, PH_ERROR_NOT_FOUND, "");
    } else {
        read_answer(job);
    }
    wk_block_give(worker, job->block);
}

static void
read_start(struct wk_request *request, struct ph_str payment_id,
           struct ph_str order_no)
{
    struct wk_block *block = wk_block_take(request->worker);

    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct read_job *job = ph_arena_take(&block->arena, sizeof(*job));

    *job = (struct read_job){ .store   = { .run = read_run, .done = read_done },
                              .request = request,
                              .block   = block,
                              .app_id  = request->app_id,
                              .payment_id = payment_id,
                              .order_no   = order_no,
                              .arena_mark = block->arena.len };
    if (!wk_store_submit(request->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        read_done(&job->store);
    }
}

void
wk_payment_read(struct wk_request *request, const struct wk_route_match *match)
{
    if (request->query.ptr != NULL) {
        wk_reply_error(request, PH_ERROR_UNKNOWN_MEMBER,
                       "expected no query parameters; sync is not served");
        return;
    }
    if (!ph_id_is(match->star[0], PH_ID_PAYMENT)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        return;
    }
    read_start(request, match->star[0], ph_str_make(NULL, 0));
}

void
wk_payment_find(struct wk_request *request, const struct wk_route_match *match)
{
    struct ph_str rest     = request->query, parameter, name, value;
    struct ph_str order_no = { NULL, 0 };

    (void) match;
    while (ph_str_next(&rest, '&', &parameter)) {
        name = parameter;
        (void) ph_str_cut(parameter, '=', &name, &value);
        if (!ph_str_eq(name, PH_STR("order_no")) || name.len == parameter.len) {
            wk_reply_error(request, PH_ERROR_UNKNOWN_MEMBER,
                           "expected order_no=... alone; lists and sync are "
                           "not served");
            return;
        }
        if (order_no.ptr != NULL) {
            wk_reply_error(request, PH_ERROR_DUPLICATE_KEY,
                           "order_no stands twice");
            return;
        }
        order_no = value;
    }
    if (order_no.ptr == NULL) {
        wk_reply_error(request, PH_ERROR_MISSING,
                       "expected order_no=...; lists are not served");
        return;
    }
    if (!ph_str_is_token(order_no, WK_ORDER_NO_MAX)) {
        wk_reply_error(request, PH_ERROR_VALUE,
                       "order_no: expected 1 to 64 of A-Z a-z 0-9 _ -");
        return;
    }
    read_start(request, ph_str_make(NULL, 0), order_no);
}

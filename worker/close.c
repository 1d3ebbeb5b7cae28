/*
 * close.c - POST /v1/payments/{id}/close.
 *
 * Nothing is closed that the channel did not first say is unpaid (order_job.h,
 * ask.h), and the payment is `closed` only when the channel said so: until then
 * 202.
 */
#include <jansson.h>

#include "worker/order_job.h"
#include "worker/request_body.h"
#include "worker/route.h"

#define CLOSE_LOCK_MS 5000

/* ---- answers ---- */

static void
close_refuse(struct wk_order_job *job, enum ph_error error, const char *detail)
{
    wk_answer_refuse(&job->request,
                     error == PH_ERROR_NOT_EXECUTED ? PH_FRAME_BUSY
                                                    : PH_FRAME_RESULT,
                     error, detail);
}

/* From the rows alone. */
static void
close_answer(struct wk_order_job *job)
{
    switch (job->order.payment.status) {
    case PH_PAYMENT_CLOSED:
    case PH_PAYMENT_FAILED: /* it ended unpaid, which is what was asked for */
        wk_order_job_show(job, 200);
        return;
    case PH_PAYMENT_PAID:
    case PH_PAYMENT_PAID_LATE:
        close_refuse(job, PH_ERROR_STATE,
                     "the payment is paid; expected one that is not");
        return;
    case PH_PAYMENT_CONFLICT:
        close_refuse(job, PH_ERROR_STATE,
                     "the payment is in conflict; a person decides");
        return;
    case PH_PAYMENT_NONE:
    case PH_PAYMENT_CREATED:
    case PH_PAYMENT_PAYING:
    case PH_PAYMENT_STATES:
        break;
    }
    wk_order_job_show(job, 202);
}

static void
close_tell(struct wk_order_job *job, enum wk_sync_end end)
{
    bool is_open = !ph_payment_is_final(job->order.payment.status);

    if (is_open && end == WK_SYNC_BUSY) {
        close_refuse(job, PH_ERROR_IN_PROGRESS,
                     "another request works on this payment");
    } else if (is_open && end == WK_SYNC_CANNOT) {
        close_refuse(job, PH_ERROR_STATE,
                     "the payment's account cannot close it");
    } else if (is_open && end == WK_SYNC_FULL) {
        close_refuse(job, PH_ERROR_NOT_EXECUTED,
                     "too many calls of this account are under way");
    } else {
        close_answer(job);
    }
}

static const struct wk_order_way close_way = { .syncs        = true,
                                               .closes       = true,
                                               .lock_wait_ms = CLOSE_LOCK_MS,
                                               .tell         = close_tell };

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
        wk_order_job_start(request, block, &close_way, match->star[0],
                           ph_str_make(NULL, 0));
    }
}

/* create_answer.c - what the caller of a create is told; see create_int.h. */
#include "worker/answer.h"
#include "worker/create_int.h"
#include "worker/payment_view.h"

static bool
order_is_unclear(const struct wk_order *order)
{
    const struct wk_attempt *newest = &order->attempt[order->attempt_count - 1];

    return order->payment.status == PH_PAYMENT_PAYING
           && (newest->status == PH_ATTEMPT_UNKNOWN
               || newest->status == PH_ATTEMPT_CLOSING /* shows as unknown */
               || newest->status == PH_ATTEMPT_SENT);
}

void
wk_create_answer(struct create *job)
{
    const struct wk_payment *payment = &job->order.payment;
    struct wk_reply          reply   = { .type = PH_FRAME_RESULT };

    if (job->request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text(job->worker);

    wk_payment_view(text, &job->order);
    reply.body      = ph_buf_str(text);
    reply.order_id  = payment->id;
    reply.channel   = payment->channel;
    reply.outcome   = ph_str_z(ph_payment_state_text(payment->status));
    reply.health    = ph_str_make(job->health, job->health_len);
    reply.is_replay = job->is_replay;
    reply.status    = job->is_replay                  ? 200
                      : order_is_unclear(&job->order) ? 202
                                                      : 201;
    wk_reply(job->request, &reply);
    job->request = NULL;
}

void
wk_create_refuse(struct create *job, enum ph_frame_type type,
                 enum ph_error error, const char *detail)
{
    wk_answer_refuse(&job->request, type, error, detail);
}

static void
account_give(const struct create *job, struct wk_account *account)
{
    if (account != NULL) {
        wk_account_leave(account, job->app_id);
    }
}

void
wk_create_end(struct create *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_lock_drop(&job->lock);
    account_give(job, job->account);
    account_give(job, job->next_account);
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

void
wk_create_replay(struct create *job)
{
    const struct ph_str ours
        = ph_str_make((const char *) job->hash, sizeof(job->hash));

    job->is_replay = true;
    if (ph_str_eq(job->owner_hash, ours)) {
        wk_create_answer(job);
    } else {
        wk_create_refuse(job, PH_FRAME_RESULT, PH_ERROR_MISMATCH,
                         "this order_no was used with another body");
    }
    wk_create_end(job);
}

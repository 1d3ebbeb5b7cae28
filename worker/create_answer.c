/* create_answer.c - what the caller of a create is told; see create_int.h. */
#include "worker/answer.h"
#include "worker/create_int.h"

void
wk_create_answer(struct create *job)
{
    const struct wk_reply more
        = { .status    = job->is_replay ? 200 : 0,
            .health    = ph_str_make(job->health, job->health_len),
            .is_replay = job->is_replay };

    wk_answer_order(&job->request, &job->order, &more);
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

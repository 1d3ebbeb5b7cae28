/*
 * create_call.c - from the commit of an attempt to its end; see create_int.h.
 *
 *   CALLING -> SETTLING --nothing came of it, another account--> CALLING
 *                  '-----------> answered, or the request waits on (till.h)
 */
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/create_int.h"
#include "worker/failover.h"
#include "worker/notify.h"
#include "worker/order_face.h"
#include "worker/till.h"

/* ids are made one after the other, as the attempts are */
static struct ph_str
newest_id(const struct create *job)
{
    return ph_str_z(job->attempt_ids[job->attempt_at].text);
}

/* ---- the next account ---- */

/* The request still waits, nothing of this attempt is under way, and nobody
 * forced the account. */
static bool
failover_may(const struct create *job)
{
    const struct wk_op *op = &job->op;
    size_t              attempts_max
        = (size_t) wk_conf(job->worker, PH_CONF_pay_attempts_max);

    return op->result.class == PH_RESULT_NOT_SENT && !op->is_our_lack
           && job->request != NULL && !job->is_overdue
           && job->asked.account.len == 0
           && job->order.attempt_count < attempts_max
           && (job->lock.fence == 0 || wk_lock_is_ours(&job->lock));
}

/* The room at the next account is taken before the commit that names it. */
static void
failover_prepare(struct create *job)
{
    struct wk_account *account
        = failover_may(job) ? wk_create_account(job) : NULL;

    if (account == NULL
        || !wk_account_has_room(
            account, job->app_id,
            (size_t) wk_conf(job->worker, PH_CONF_pay_max_inflight_account)))
    {
        return;
    }
    struct ph_id *id = &job->attempt_ids[job->attempt_at + 1];

    *id = wk_id_make(job->worker, PH_ID_ATTEMPT,
                     ph_id_shard(job->order.payment.id));
    if (wk_failover_fill(&job->next, &job->order, ph_str_z(id->text),
                         ph_str_z(account->channel->name), account->face.id,
                         job->arena))
    {
        job->next_account = wk_account_enter(account, job->app_id);
    }
}

static void
failover_go(struct create *job)
{
    ph_log(PH_LOG_WARN, "failed_over", { "order", job->order.payment.id },
           { "from", job->account->face.id },
           { "to", job->next_account->face.id },
           { "error_class", job->op.result.error_class });
    wk_account_leave(job->account, job->app_id);
    job->account      = job->next_account;
    job->next_account = NULL;
    job->attempt_at++;
    wk_create_call(job);
}

/* ---- settle ---- */

static void
settle_failed(struct create *job)
{
    ph_log(PH_LOG_ERROR, "settle_failed", { "order", job->order.payment.id },
           { "request", ph_str_z(job->request_id) });
    wk_create_refuse(job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                     "the channel was called; ask by order_no");
    wk_create_end(job);
}

static void
create_on_settled(struct wk_settle *settle)
{
    struct create *job = settle->data;

    if (settle->store.outcome != WK_STORE_DONE) {
        settle_failed(job);
        return;
    }
    if (settle->verdict.attempt_added) {
        failover_go(job);
        return;
    }
    if (job->request != NULL && wk_till_wait(job->request, &job->order)) {
        wk_health_later(job->worker, ph_str_make(job->health, job->health_len));
        job->request = NULL;
    }
    wk_create_answer(job);
    if (settle->delivery.is_due && (job->worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) wk_notify_deliver(job->worker->notify, &settle->delivery);
    }
    wk_create_end(job);
}

static void
create_settle(struct create *job)
{
    struct wk_op     *op     = &job->op;
    struct wk_settle *settle = &job->settle;

    job->state = CREATE_SETTLING;
    if (job->next_account != NULL) {
        job->insert_ns = ph_monotonic_ns();
    }
    *settle = (struct wk_settle){
        .worker     = job->worker,
        .account    = job->account,
        .arena      = job->arena,
        .attempt_id = newest_id(job),
        .is_fresh   = true,
        .order      = &job->order,
        .evidence
        = { .source       = WK_SOURCE_ANSWER,
            .result       = &op->result,
            .fence        = job->lock.fence,
            .config_error = op->config_error,
            .next         = job->next_account != NULL ? &job->next : NULL,
            .state = ph_str_make((const char *) op->state, op->state_len) },
        .done = create_on_settled,
        .data = job
    };
    if (op->has_digest) {
        settle->evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    if (!wk_settle_start(settle)) {
        settle_failed(job);
    }
}

/* ---- the call ---- */

static void
create_on_op(struct wk_op *op)
{
    struct create *job  = op->data;
    struct ph_buf  item = PH_BUF_INIT(job->health);

    wk_health_item(&item, op);
    failover_prepare(job);
    if (job->request != NULL && job->next_account == NULL) {
        job->health_len = item.len;
    } else {
        wk_health_later(job->worker, ph_buf_str(&item));
    }
    create_settle(job);
}

/* A commit that took too long, or a lock that was lost meanwhile: somebody
 * may already be asking the channel about this attempt, so it stays unsent,
 * which is proof enough. */
static bool
create_is_too_late(const struct create *job)
{
    uint64_t passed_ms = (ph_monotonic_ns() - job->insert_ns) / NS_PER_MS;

    return passed_ms
               >= (uint64_t) wk_conf(job->worker, PH_CONF_pay_channel_deadline)
           || (job->lock.fence != 0 && !wk_lock_is_ours(&job->lock));
}

void
wk_create_call(struct create *job)
{
    struct wk_op *op = &job->op;

    job->state = CREATE_CALLING;
    if (job->is_overdue) {
        wk_create_answer(job);
    }
    *op       = (struct wk_op){ .worker  = job->worker,
                                .account = job->account,
                                .kind    = PH_OP_CREATE,
                                .arena   = job->arena,
                                .done    = create_on_op,
                                .data    = job };
    op->order = wk_order_face(job->worker, &job->order.payment,
                              wk_order_attempt(&job->order, newest_id(job)),
                              job->arena);
    if (create_is_too_late(job)) {
        op->result = (struct ph_channel_result){
            .class          = PH_RESULT_NOT_SENT,
            .amount         = -1,
            .refunded_total = -1,
            .error_class    = PH_STR("too_late"),
            .message        = PH_STR("too late to call; nothing was sent")
        };
        create_settle(job);
        return;
    }
    wk_op_start(op);
}

/*
 * refund_settle.c - evidence about a refund to rows; see refund_settle.h.
 *
 *   ask: [rows when they were no longer so], app -> plan: judge, moves, task
 *           ^---------------- raced ----------------------'
 */
#include "worker/refund_settle.h"

#include <assert.h>
#include <string.h>

#include "libpayhub/io/log.h"
#include "worker/expected.h"
#include "worker/hook.h"
#include "worker/notify.h"
#include "worker/op.h"
#include "worker/refund_view.h"

/* ---- on a store thread ---- */

static bool
is_foreign(const struct wk_refund_settle *settle)
{
    return settle->foreign_of.len != 0 || settle->foreign_trade.len != 0;
}

static void
rows_want(struct wk_batch *batch, struct wk_refund_settle *settle)
{
    struct wk_want *want = &settle->want;

    if (settle->foreign_of.len != 0) {
        want->by     = WK_WANT_ATTEMPT;
        want->key[0] = settle->foreign_of;
    } else if (settle->foreign_trade.len != 0) {
        assert(settle->notice != NULL); /* nobody else tells such a number */
        want->by     = WK_WANT_TRADE;
        want->key[0] = settle->notice->account_id;
        want->key[1] = settle->foreign_trade;
        want->key[2] = settle->notice->channel;
    } else {
        want->by     = WK_WANT_REFUND;
        want->key[0] = settle->rows->refund.id;
        want->refund = &settle->before.refund;
    }
    want->is_locked = true;
    want->wants_app = true;
    want->order     = &settle->before.order;
    wk_batch_want(batch, want);
}

static void
settle_ask(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_refund_settle *settle  = (struct wk_refund_settle *) job;
    const struct wk_payment *payment = &settle->rows->order.payment;

    settle->arena->len  = settle->arena_mark;
    settle->arena->full = false;
    settle->want        = (struct wk_want){ .arena = settle->arena };
    settle->seen        = (struct wk_want){ .found = WK_FOUND_NONE };
    settle->is_read     = settle->is_read || job->raced;
    if (settle->notice != NULL) {
        wk_notice_want(batch, settle->notice, &settle->seen);
    }
    if (settle->is_read) {
        rows_want(batch, settle);
        return;
    }
    settle->before = *settle->rows;
    if (payment->notify_url.len != 0) {
        settle->want.by     = WK_WANT_APP;
        settle->want.key[0] = payment->app_id;
        wk_batch_want(batch, &settle->want);
    }
}

static struct wk_judge_rules
settle_rules(const struct wk_refund_settle *settle,
             const struct wk_evidence *evidence, uint64_t now_ms)
{
    const struct wk_worker *worker = settle->worker;
    int64_t                 times[PH_CONF_TIMES_MAX];
    struct wk_judge_rules   rules = { .now_ms = now_ms };

    rules.not_found_final_ms = wk_conf(worker, PH_CONF_janitor_not_found_final);
    if (evidence->fence == 0) { /* a first call may be on its way yet */
        rules.not_found_final_ms
            += (1 + WK_OP_DEADLINES)
               * wk_conf(worker, PH_CONF_pay_channel_deadline);
    }
    if (ph_conf_times(worker->conf, PH_CONF_janitor_unknown_schedule, times)
        > 0) {
        rules.unknown_first_ms = times[0];
    }
    return rules;
}

/* The id was made before the order was known: its shard is that of the order.
 */
static struct ph_str
foreign_id(struct wk_refund_settle *settle, struct ph_str attempt_id)
{
    char *text = ph_arena_take(settle->arena, PH_ID_LEN);

    if (text == NULL) {
        return settle->foreign_id; /* a full arena fails the plan */
    }
    memcpy(text, settle->foreign_id.ptr, PH_ID_LEN);
    ph_shard_text(ph_id_shard(attempt_id), text + PH_ID_SHARD_AT);
    return ph_str_make(text, PH_ID_LEN);
}

/* The refund of `amount` of this attempt that we did not make. */
static void
foreign_fill(struct wk_refund_settle *settle, const struct wk_attempt *attempt,
             int64_t amount, uint64_t now_ms)
{
    const struct wk_payment *payment = &settle->after.order.payment;
    struct wk_refund        *foreign = &settle->foreign;

    *foreign = (struct wk_refund){
        .id             = foreign_id(settle, attempt->id),
        .payment_id     = payment->id,
        .attempt_id     = attempt->id,
        .prev_id        = payment->refund_id,
        .merchant_id    = payment->merchant_id,
        .app_id         = payment->app_id,
        .kind           = PH_STR(WK_REFUND_FOREIGN),
        .status         = PH_REFUND_SUCCEEDED,
        .channel        = attempt->channel,
        .account_id     = attempt->account_id,
        .method         = attempt->method,
        .amount         = amount,
        .currency       = attempt->currency,
        .proof_source   = wk_source_text(settle->evidence.source),
        .proof_digest   = settle->evidence.digest,
        .fence          = settle->evidence.fence,
        .created_at_ms  = now_ms,
        .sent_at_ms     = now_ms,
        .refunded_at_ms = now_ms,
    };
    settle->after.order.payment.refund_id = foreign->id;
}

/* Counts in the payment's sequence, chains in the refund. */
static bool
task_make(struct wk_refund_settle *settle, uint64_t now_ms)
{
    struct wk_payment *payment = &settle->after.order.payment;
    struct wk_refund  *refund  = &settle->after.refund;
    struct wk_task    *task    = &settle->delivery.task;
    struct ph_buf      body;

    if (settle->verdict.event.len == 0 || payment->notify_url.len == 0) {
        return false;
    }
    payment->sequence++;
    *task = (struct wk_task){
        .id          = settle->task_id,
        .payment_id  = payment->id,
        .refund_id   = refund->id,
        .prev_id     = refund->notify_id,
        .merchant_id = refund->merchant_id,
        .app_id      = refund->app_id,
        .status      = PH_STR("pending"),
        .type        = settle->verdict.event,
        .sequence    = payment->sequence,
        .channel     = refund->channel,
        .account_id  = refund->account_id,
        .method      = refund->method,
        .amount      = refund->amount,
        .currency    = refund->currency,
        .error_class = refund->error_class,
        .url         = payment->notify_url,
        .form        = settle->want.app.is_there ? settle->want.app.webhook_form
                                                 : PH_STR("standard"),
        .created_at_ms = now_ms,
    };
    refund->notify_id             = task->id;
    settle->verdict.payment_moved = true;
    settle->verdict.refund_moved  = true;
    const struct wk_event event
        = { task->id, task->type, now_ms, task->sequence };

    ph_arena_open(settle->arena, &body);
    wk_refund_event_view(&body, &event, refund);
    task->body                     = ph_arena_close(settle->arena, &body);
    settle->delivery.sealed_secret = settle->want.app.sealed_secret;
    return true;
}

static bool
work_plan(struct wk_batch *batch, const struct wk_refund_settle *settle)
{
    struct ph_str id     = settle->after.refund.id;
    uint64_t      now_ms = wk_batch_now_ms(batch);
    uint64_t      first_ms
        = (uint64_t) wk_conf(settle->worker, PH_CONF_janitor_first_look);
    bool was_final = ph_refund_is_final(settle->before.refund.status);

    if (settle->has_task) {
        return was_final ? wk_batch_work_put(batch, id, WK_QUEUE_LOOK,
                                             now_ms + first_ms)
                         : wk_batch_work_forward(batch, id, now_ms + first_ms);
    }
    if (ph_refund_is_final(settle->after.refund.status)) {
        return was_final || wk_batch_work_rest(batch, id);
    }
    return settle->verdict.look_in_ms == 0
           || wk_batch_work_forward(
               batch, id, now_ms + (uint64_t) settle->verdict.look_in_ms);
}

static bool
rows_plan(struct wk_batch *batch, struct wk_refund_settle *settle,
          int64_t fence)
{
    const struct wk_refund_rows *before = &settle->before;
    const struct wk_refund_rows *after  = &settle->after;
    const struct ph_str          same   = { NULL, 0 };

    if (settle->verdict.payment_moved
        && !wk_batch_move(batch, &wk_payment_table, &before->order.payment,
                          &after->order.payment, same, fence))
    {
        return false;
    }
    if (settle->verdict.refund_moved
        && !wk_batch_move(batch, &wk_refund_table, &before->refund,
                          &after->refund, same, fence))
    {
        return false;
    }
    if (settle->verdict.foreign_amount != 0
        && !wk_batch_insert(batch, &wk_refund_table, &settle->foreign))
    {
        return false;
    }
    if (settle->has_task
        && (!wk_batch_insert(batch, &wk_task_table, &settle->delivery.task)
            || !wk_hook_plan(batch, settle->worker, &settle->delivery.task)))
    {
        return false;
    }
    return work_plan(batch, settle);
}

/* ---- the notice ---- */

static enum wk_notice_verdict
notice_verdict(const struct wk_refund_settle *settle)
{
    if (settle->is_repeated) {
        return WK_NOTICE_REPEATED;
    }
    if (settle->verdict.is_conflict) {
        return WK_NOTICE_CONFLICT;
    }
    return settle->verdict.payment_moved || settle->verdict.refund_moved
               ? WK_NOTICE_APPLIED
               : WK_NOTICE_IGNORED;
}

static struct ph_str
notice_about(const struct wk_refund_settle *settle)
{
    if (settle->foreign_of.len != 0) {
        return settle->foreign_of;
    }
    return settle->foreign_trade.len != 0 ? settle->want.attempt_id
                                          : settle->rows->refund.id;
}

static enum wk_plan
notice_plan(struct wk_batch *batch, struct wk_refund_settle *settle)
{
    return settle->notice == NULL
                   || wk_notice_plan(batch, settle->notice,
                                     notice_about(settle),
                                     notice_verdict(settle))
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

/* As of payments: an account's key speaks for that account alone. */
static bool
notice_may_speak(const struct wk_refund_settle *settle, struct ph_str channel,
                 struct ph_str account_id)
{
    return settle->notice == NULL
           || (ph_str_eq(account_id, settle->notice->account_id)
               && ph_str_eq(channel, settle->notice->channel));
}

/* ---- the plan ---- */

static struct ph_channel_expected
expected_of(struct wk_refund_settle *settle, const struct wk_attempt *attempt)
{
    return settle->account != NULL && attempt != NULL
               ? wk_expected(settle->worker, settle->account,
                             &settle->before.order.payment, attempt,
                             settle->arena)
               : (struct ph_channel_expected){ 0 };
}

static enum wk_plan
settle_judge(struct wk_batch *batch, struct wk_refund_settle *settle)
{
    const uint64_t     now_ms   = wk_batch_now_ms(batch);
    struct wk_evidence evidence = settle->evidence;

    if (evidence.fence < settle->before.order.payment.fence) {
        evidence.fence = 0; /* a lock that was lost before its evidence came */
    }
    const struct wk_judge_rules rules = settle_rules(settle, &evidence, now_ms);

    evidence.expected = expected_of(
        settle, wk_order_attempt(&settle->before.order,
                                 settle->before.refund.attempt_id));
    settle->is_found = true;
    settle->after    = settle->before;
    wk_refund_judge(&settle->after.refund, &settle->after.order.payment,
                    &evidence, &rules, &settle->verdict);
    if (settle->verdict.foreign_amount != 0) {
        const struct wk_attempt *attempt = wk_order_attempt(
            &settle->after.order, settle->after.refund.attempt_id);

        if (attempt == NULL) {
            return WK_PLAN_FAILED;
        }
        foreign_fill(settle, attempt, settle->verdict.foreign_amount, now_ms);
    }
    settle->has_task = task_make(settle, now_ms);
    if (settle->arena->full) {
        return WK_PLAN_FAILED;
    }
    return rows_plan(batch, settle, evidence.fence) ? notice_plan(batch, settle)
                                                    : WK_PLAN_AGAIN;
}

/* What it waits for is looked at at once. */
static bool
early_plan(struct wk_batch *batch, const struct wk_refund_settle *settle)
{
    const uint64_t now_ms = wk_batch_now_ms(batch);

    if (settle->known != NULL && settle->known->open_id.len != 0
        && !wk_batch_work_forward(batch, settle->known->open_id, now_ms))
    {
        return false;
    }
    return wk_batch_work_forward(batch, settle->before.order.payment.id,
                                 now_ms);
}

/* One that is not ours: recorded and counted once a number, by the notice that
 * says that it is done. */
static enum wk_plan
foreign_plan(struct wk_batch *batch, struct wk_refund_settle *settle)
{
    const uint64_t           now_ms   = wk_batch_now_ms(batch);
    const struct ph_str      same     = { NULL, 0 };
    const struct wk_payment *before   = &settle->before.order.payment;
    struct wk_payment       *after    = &settle->after.order.payment;
    const struct wk_attempt *attempt  = NULL;
    const struct ph_str      number   = settle->evidence.result->number;
    struct wk_evidence       evidence = settle->evidence;

    settle->after = settle->before;
    if (settle->want.found == WK_FOUND_ROW) {
        attempt = wk_order_attempt(&settle->after.order, notice_about(settle));
    }
    if (attempt != NULL
        && notice_may_speak(settle, attempt->channel, attempt->account_id))
    {
        evidence.expected = expected_of(settle, attempt);
        if (settle->known != NULL && settle->known->ver != before->ver) {
            settle->is_stale = true;
            return WK_PLAN_DONE;
        }
        wk_refund_judge_foreign(after, attempt, &evidence, settle->known,
                                now_ms, &settle->verdict);
    }
    if (settle->verdict.is_early) { /* told again: it is not kept */
        return early_plan(batch, settle) ? WK_PLAN_DONE : WK_PLAN_AGAIN;
    }
    if (attempt == NULL || settle->verdict.foreign_amount == 0) {
        return notice_plan(batch, settle);
    }
    settle->is_found = true;
    foreign_fill(settle, attempt, settle->verdict.foreign_amount, now_ms);
    if (settle->arena->full) {
        return WK_PLAN_FAILED;
    }
    if (wk_number_is_plain(number)) {
        settle->foreign.channel_refund_no = number;
    }
    return wk_batch_move(batch, &wk_payment_table, before, after, same, 0)
                   && wk_batch_insert(batch, &wk_refund_table, &settle->foreign)
               ? notice_plan(batch, settle)
               : WK_PLAN_AGAIN;
}

static enum wk_plan
settle_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_refund_settle *settle = (struct wk_refund_settle *) job;
    const struct wk_refund  *before = &settle->before.refund;

    settle->is_found    = false;
    settle->is_stale    = false;
    settle->has_task    = false;
    settle->delivery    = (struct wk_delivery_order){ 0 };
    settle->verdict     = (struct wk_refund_verdict){ 0 };
    settle->is_repeated = settle->seen.found == WK_FOUND_ROW
                          || (job->lost & (1u << WK_NOTICE_SEEN)) != 0;
    if (settle->is_repeated) {
        return notice_plan(batch, settle);
    }
    if (settle->arena->full
        || (settle->is_read && settle->want.found == WK_FOUND_FAILED))
    {
        return WK_PLAN_FAILED;
    }
    if (is_foreign(settle)) {
        return foreign_plan(batch, settle);
    }
    if ((settle->is_read && settle->want.found == WK_FOUND_NONE)
        || !notice_may_speak(settle, before->channel, before->account_id))
    {
        return notice_plan(batch, settle);
    }
    return settle_judge(batch, settle);
}

/* ---- on the loop ---- */

static void
settle_alarm(const struct wk_refund_settle *settle)
{
    const struct wk_refund         *refund  = &settle->after.refund;
    const struct wk_payment        *payment = &settle->after.order.payment;
    const struct ph_channel_result *result  = settle->evidence.result;

    if (settle->verdict.is_conflict) {
        ph_log(PH_LOG_ERROR, "refund_conflict", { "order", payment->id },
               { "refund", refund->id },
               { "told_amount", ph_log_i64(result->amount) },
               { "told_number", result->number });
    }
    if (settle->verdict.foreign_amount != 0) {
        ph_log(PH_LOG_ERROR, "refund_foreign", { "order", payment->id },
               { "refund", settle->foreign.id },
               { "amount", ph_log_i64(settle->verdict.foreign_amount) });
    }
    if (ph_str_eq(result->error_class, PH_STR("abnormal"))) {
        ph_log(PH_LOG_ERROR, "refund_abnormal", { "order", payment->id },
               { "refund", refund->id }, { "code", result->channel_code });
    }
    if (settle->verdict.is_over) {
        ph_log(PH_LOG_ERROR, "refund_over", { "order", payment->id },
               { "refund", refund->id },
               { "refunded", ph_log_i64(payment->amount_refunded) },
               { "refunding", ph_log_i64(payment->amount_refunding) });
    }
    if (settle->verdict.event.len != 0 && refund->status == PH_REFUND_FAILED
        && refund->refund_no.len == 0
        && result->refunded_total < refund->amount) /* else it went back */
    {
        ph_log(PH_LOG_ERROR, "refund_owed", { "order", payment->id },
               { "refund", refund->id }, { "kind", refund->kind },
               { "error_class", refund->error_class });
    }
}

static void
settle_log(const struct wk_refund_settle *settle)
{
    const struct wk_refund *refund = &settle->after.refund;

    settle_alarm(settle);
    if (settle->verdict.refund_moved) {
        ph_log(PH_LOG_INFO, "refund_settled", { "order", refund->payment_id },
               { "refund", refund->id },
               { "status", ph_str_z(ph_refund_state_text(refund->status)) },
               { "source", wk_source_text(settle->evidence.source) },
               { "error_class", refund->error_class });
    }
}

static void
settle_done(struct wk_store_job *job)
{
    struct wk_refund_settle *settle = (struct wk_refund_settle *) job;

    if (job->outcome == WK_STORE_DONE && settle->is_found) {
        *settle->rows = settle->after;
        settle->rows->refund.ver += settle->verdict.refund_moved;
        settle->rows->order.payment.ver += settle->verdict.payment_moved;
        settle->delivery.is_due = settle->has_task;
        settle_log(settle);
    }
    settle->done(settle);
}

void
wk_refund_settle_deliver(const struct wk_refund_settle *settle)
{
    if (settle->store.outcome == WK_STORE_DONE && settle->delivery.is_due
        && (settle->worker->roles & WK_ROLE_NOTIFY) != 0)
    {
        (void) wk_notify_deliver(settle->worker->notify, &settle->delivery);
    }
}

/* In the arena, since rows name it that may outlive the settling. */
static struct ph_str
id_keep(struct wk_refund_settle *settle, enum ph_id_type type)
{
    const struct ph_str about = settle->foreign_of.len != 0
                                    ? settle->foreign_of
                                    : settle->rows->refund.id;
    const struct ph_id  id    = wk_id_make(settle->worker, type,
                                       about.len != 0 ? ph_id_shard(about) : 0);

    return ph_arena_dup(settle->arena, ph_str_z(id.text));
}

bool
wk_refund_settle_start(struct wk_refund_settle *settle)
{
    settle->store
        = (struct wk_store_job){ .ask          = settle_ask,
                                 .plan         = settle_plan,
                                 .done         = settle_done,
                                 .crash_before = "refund_before_settle_commit",
                                 .crash_after  = "refund_after_settle_commit" };
    if (settle->notice != NULL) {
        settle->store.crash_before = "notice_before_commit";
        settle->store.crash_after  = "notice_after_commit";
    }
    settle->is_read    = settle->notice != NULL;
    settle->task_id    = id_keep(settle, PH_ID_NOTIFY);
    settle->foreign_id = id_keep(settle, PH_ID_REFUND);
    settle->arena_mark = settle->arena->len;
    return !settle->arena->full
           && wk_store_submit(settle->worker->store, &settle->store);
}

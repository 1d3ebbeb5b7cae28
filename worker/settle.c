/*
 * settle.c - evidence to rows, in one commit; see settle.h.
 *
 *   ask: the rows, unless they are fresh; was this notice here before?
 *   plan: wk_judge -> what moves, the event, the notice
 *          ^-- a row was not as believed, or the trade number is taken --'
 */
#include "worker/settle.h"

#include "libpayhub/io/log.h"
#include "worker/expected.h"
#include "worker/hook.h"
#include "worker/op.h"
#include "worker/payment_view.h"
#include "worker/refund_auto.h"
#include "worker/till.h"

/* ---- the notice ---- */

/* A notice is proved by the key of the account that it came to.  Whoever has
 * that key can say nothing about what runs over another account, whose payments
 * may be another app's. */
static bool
notice_may_speak(const struct wk_settle  *settle,
                 const struct wk_attempt *attempt)
{
    return settle->notice == NULL
           || (ph_str_eq(attempt->account_id, settle->notice->account_id)
               && ph_str_eq(attempt->channel, settle->notice->channel));
}

static enum wk_notice_verdict
notice_verdict(const struct wk_settle *settle)
{
    if (settle->is_repeated) {
        return WK_NOTICE_REPEATED;
    }
    if (settle->verdict.is_conflict) {
        return WK_NOTICE_CONFLICT;
    }
    return settle->verdict.payment_moved || settle->verdict.attempt_moved
               ? WK_NOTICE_APPLIED
               : WK_NOTICE_IGNORED;
}

static bool
plan_notice(struct wk_batch *batch, struct wk_settle *settle)
{
    return settle->notice == NULL
           || wk_notice_plan(batch, settle->notice, settle->attempt_id,
                             notice_verdict(settle));
}

/* ---- what the judge decided ---- */

static bool
plan_trade(struct wk_batch *batch, const struct wk_settle *settle,
           const struct wk_attempt *attempt)
{
    const struct ph_str key[3]
        = { attempt->channel, attempt->account_id, attempt->channel_trade_no };

    return !settle->verdict.records_trade
           || wk_batch_unique(batch, WK_CHANNEL_TRADE, key, attempt->id,
                              ph_str_make(NULL, 0));
}

static bool
plan_payment(struct wk_batch *batch, struct wk_settle *settle, int64_t fence)
{
    const struct wk_payment *before  = &settle->before.payment;
    const struct wk_payment *after   = &settle->after.payment;
    struct ph_buf            sources = PH_BUF_INIT(settle->sources);
    struct ph_str            text    = ph_str_make(NULL, 0);

    if (!settle->verdict.payment_moved) {
        return true;
    }
    if (after->status != before->status) {
        ph_payment_sources(&sources, after->status, PH_BY_PROVED);
        text = ph_buf_str(&sources);
    }
    return wk_batch_move(batch, &wk_payment_table, before, after, text, fence);
}

/* The judge may pass through `unknown` in one step, so the source is the state
 * that it saw. */
static bool
plan_attempts(struct wk_batch *batch, struct wk_settle *settle, size_t which,
              int64_t fence)
{
    const struct wk_order *after = &settle->after;

    return (!settle->verdict.attempt_moved
            || wk_batch_move(
                batch, &wk_attempt_table, &settle->before.attempt[which],
                &after->attempt[which], ph_str_make(NULL, 0), fence))
           && (!settle->verdict.attempt_added
               || wk_batch_insert(batch, &wk_attempt_table,
                                  &after->attempt[after->attempt_count - 1]));
}

/* The janitor calls for it; the id is the same however often this is told. */
static bool
plan_refund(struct wk_batch *batch, struct wk_settle *settle, size_t which)
{
    uint64_t now_ms = wk_batch_now_ms(batch);

    if (settle->verdict.refund_kind == NULL) {
        return true;
    }
    wk_refund_auto_id(settle->attempt_id, settle->refund_id);
    settle->refund.amount = settle->verdict.refund_amount;
    wk_refund_auto_fill(&settle->refund, &settle->after.payment,
                        &settle->after.attempt[which], settle->refund_id,
                        settle->verdict.refund_kind, now_ms);
    settle->verdict.payment_moved = true; /* its amounts, or only its ver */
    settle->store.crash_after     = "auto_refund_after_commit";
    return wk_batch_insert_once(batch, &wk_refund_table, &settle->refund)
           && wk_batch_work_put(batch, settle->refund.id, WK_QUEUE_LOOK,
                                now_ms);
}

static struct wk_app_row *
settle_app(struct wk_settle *settle)
{
    return settle->is_fresh ? &settle->app.app : &settle->rows.app;
}

static bool
task_make(struct wk_settle *settle, uint64_t now_ms)
{
    struct wk_payment       *payment = &settle->after.payment;
    struct wk_task          *task    = &settle->task;
    const struct wk_app_row *app     = settle_app(settle);
    struct ph_buf            body;

    if (settle->verdict.event.len == 0 || payment->notify_url.len == 0) {
        return false;
    }
    payment->sequence++;
    *task              = (struct wk_task){ .id            = ph_str_z(settle->task_id.text),
                                           .payment_id    = payment->id,
                                           .prev_id       = settle->before.payment.notify_id,
                                           .merchant_id   = payment->merchant_id,
                                           .app_id        = payment->app_id,
                                           .status        = PH_STR("pending"),
                                           .form          = app->is_there ? app->webhook_form
                                                                          : PH_STR("standard"),
                                           .type          = settle->verdict.event,
                                           .sequence      = payment->sequence,
                                           .channel       = payment->channel,
                                           .account_id    = payment->account_id,
                                           .method        = payment->method,
                                           .amount        = payment->amount,
                                           .currency      = payment->currency,
                                           .error_class   = payment->error_class,
                                           .url           = payment->notify_url,
                                           .created_at_ms = now_ms };
    payment->notify_id = task->id;
    const struct wk_event event
        = { task->id, task->type, now_ms, task->sequence };

    ph_arena_open(settle->arena, &body);
    wk_event_view(&body, &event, &settle->after);
    task->body       = ph_arena_close(settle->arena, &body);
    settle->delivery = (struct wk_delivery_order){ app->is_there, *task,
                                                   app->sealed_secret };
    return true;
}

/* The janitor's look is brought forward, never pushed back; an order that was
 * at rest comes back to work. */
static bool
plan_work(struct wk_batch *batch, struct wk_settle *settle, bool has_task)
{
    const struct wk_payment *payment = &settle->before.payment;
    int64_t                  look_ms = settle->verdict.look_in_ms;
    int64_t first_ms = wk_conf(settle->worker, PH_CONF_janitor_first_look);

    if (has_task && (look_ms == 0 || look_ms > first_ms)) {
        look_ms = first_ms;
    }
    if (look_ms == 0) {
        return true;
    }
    uint64_t due_ms = wk_batch_now_ms(batch) + (uint64_t) look_ms;

    if (ph_payment_is_final(payment->status)) {
        return wk_batch_work_put(batch, payment->id, WK_QUEUE_LOOK, due_ms);
    }
    /* the insert of the order has set an earlier one */
    return (settle->is_fresh && settle->evidence.source == WK_SOURCE_ANSWER
            && due_ms >= payment->created_at_ms + (uint64_t) first_ms)
           || wk_batch_work_forward(batch, payment->id, due_ms);
}

static enum wk_plan
settle_write(struct wk_batch *batch, struct wk_settle *settle, size_t which,
             int64_t fence)
{
    /* what adds to the payment's row comes before the row */
    bool is_planned = plan_trade(batch, settle, &settle->after.attempt[which])
                      && plan_refund(batch, settle, which);
    bool has_task = task_make(settle, wk_batch_now_ms(batch));

    if (settle->arena->full) {
        return WK_PLAN_FAILED;
    }
    return is_planned && plan_payment(batch, settle, fence)
                   && plan_attempts(batch, settle, which, fence)
                   && (!has_task
                       || (wk_batch_insert(batch, &wk_task_table, &settle->task)
                           && wk_hook_plan(batch, settle->worker,
                                           &settle->task)))
                   && plan_work(batch, settle, has_task)
                   && plan_notice(batch, settle)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

/* ---- the job ---- */

static void
order_copy(struct wk_order *to, const struct wk_order *from)
{
    to->payment       = from->payment;
    to->attempt_count = from->attempt_count;
    memcpy(to->attempt, from->attempt,
           from->attempt_count * sizeof(from->attempt[0]));
}

static size_t
attempt_index(const struct wk_order *order, struct ph_str id)
{
    size_t i = 0;

    while (i < order->attempt_count && !ph_str_eq(order->attempt[i].id, id)) {
        i++;
    }
    return i;
}

static struct wk_judge_rules
settle_rules(const struct wk_settle *settle, const struct wk_evidence *evidence,
             uint64_t now_ms)
{
    const struct wk_worker *worker = settle->worker;
    int64_t                 times[PH_CONF_TIMES_MAX];
    struct wk_judge_rules   rules = { .now_ms = now_ms };

    rules.not_found_final_ms = wk_conf(worker, PH_CONF_janitor_not_found_final);
    if (evidence->fence == 0) {
        /* Without a lock a create may still be under way somewhere: it begins
         * within one deadline of its rows, and op.h bounds what it does then.
         */
        rules.not_found_final_ms
            += (1 + WK_OP_DEADLINES)
               * wk_conf(worker, PH_CONF_pay_channel_deadline);
    }
    if (ph_conf_times(worker->conf, PH_CONF_janitor_unknown_schedule, times)
        > 0) {
        rules.unknown_first_ms = times[0];
    }
    if (ph_conf_times(worker->conf, PH_CONF_janitor_paying_schedule, times) > 0)
    {
        rules.paying_first_ms = times[0];
    }
    rules.refunds_late
        = strcmp(ph_conf_text(worker->conf, PH_CONF_pay_late), "refund") == 0;
    return rules;
}

static void
ask_rows(struct wk_batch *batch, struct wk_settle *settle)
{
    if (!settle->is_fresh) {
        settle->rows = (struct wk_want){ .by       = WK_WANT_ATTEMPT,
                                         .key      = { settle->attempt_id },
                                         .is_brief = settle->notice != NULL
                                                     && !settle->needs_rows,
                                         .wants_app = true,
                                         .arena     = settle->arena,
                                         .order     = &settle->before };
        wk_batch_want(batch, &settle->rows);
        return;
    }
    settle->app = (struct wk_want){ .by    = WK_WANT_APP,
                                    .key   = { settle->order->payment.app_id },
                                    .arena = settle->arena };
    if (settle->order->payment.notify_url.len != 0) {
        wk_batch_want(batch, &settle->app);
    }
}

static void
settle_ask(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_settle *settle = (struct wk_settle *) job;

    settle->arena->len = settle->arena_mark;
    settle->arena->full
        = false; /* what a plan before this one filled is free */
    settle->is_found    = false;
    settle->is_repeated = false;
    settle->delivery    = (struct wk_delivery_order){ 0 };
    settle->verdict     = (struct wk_verdict){ 0 };
    if (job->raced || job->lost != 0) {
        settle->is_fresh = false;
    }
    ask_rows(batch, settle);
    settle->seen = (struct wk_want){ .by = WK_WANT_NOTICE };
    if (settle->notice != NULL) {
        wk_notice_want(batch, settle->notice, &settle->seen);
    }
}

static enum wk_plan
notice_only(struct wk_batch *batch, struct wk_settle *settle)
{
    return plan_notice(batch, settle) ? WK_PLAN_DONE : WK_PLAN_AGAIN;
}

/* What the brief look shows is enough when it says that nothing happens. */
static bool
brief_is_enough(const struct wk_settle *settle)
{
    const struct wk_verdict *verdict = &settle->verdict;

    return settle->before.payment.attempt_ids.len == PH_ID_LEN
           && !verdict->payment_moved && !verdict->attempt_moved
           && !verdict->is_conflict && verdict->look_in_ms == 0;
}

static enum wk_plan
settle_judge(struct wk_batch *batch, struct wk_settle *settle, size_t which)
{
    struct wk_evidence evidence = settle->evidence;

    if (evidence.fence < settle->before.payment.fence) {
        evidence.fence = 0; /* a lock that was lost before its evidence came */
    }
    evidence.trade_is_taken
        = (settle->store.lost & (1u << WK_CHANNEL_TRADE)) != 0;
    if (settle->account != NULL) {
        evidence.expected = wk_expected(
            settle->worker, settle->account, &settle->before.payment,
            &settle->before.attempt[which], settle->arena);
    }
    const struct wk_judge_rules rules
        = settle_rules(settle, &evidence, wk_batch_now_ms(batch));

    settle->is_found = true;
    order_copy(&settle->after, &settle->before);
    wk_judge(&settle->after, which, &evidence, &rules, &settle->verdict);
    if (!settle->is_fresh && settle->rows.is_brief && !brief_is_enough(settle))
    {
        settle->needs_rows = true;
        return WK_PLAN_AGAIN;
    }
    return settle_write(batch, settle, which, evidence.fence);
}

static enum wk_plan
settle_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_settle *settle = (struct wk_settle *) job;

    settle->is_repeated = settle->seen.found == WK_FOUND_ROW
                          || (job->lost & (1u << WK_NOTICE_SEEN)) != 0;
    if (settle->is_repeated) {
        return notice_only(batch, settle);
    }
    if (settle->is_fresh) {
        order_copy(&settle->before, settle->order);
    } else if (settle->rows.found == WK_FOUND_FAILED) {
        return WK_PLAN_FAILED;
    }
    bool   is_there = settle->is_fresh || settle->rows.found == WK_FOUND_ROW;
    size_t which
        = is_there ? attempt_index(&settle->before, settle->attempt_id) : 0;

    if (!is_there || which == settle->before.attempt_count
        || !notice_may_speak(settle, &settle->before.attempt[which]))
    {
        return notice_only(batch, settle);
    }
    return settle_judge(batch, settle, which);
}

static void
settle_log(const struct wk_settle *settle)
{
    const struct wk_payment *payment = &settle->after.payment;
    const struct wk_attempt *attempt
        = wk_order_attempt(settle->order, settle->attempt_id);
    static const char *const sources[]
        = { "", "answer", "query", "notice", "closing" };

    if (!settle->is_found || attempt == NULL) {
        return;
    }
    if (settle->verdict.is_conflict) {
        ph_log(PH_LOG_ERROR, "payment_conflict", { "order", payment->id },
               { "attempt", attempt->id },
               { "told_amount", ph_log_i64(settle->evidence.result->amount) },
               { "told_number", settle->evidence.result->number });
    }
    if (settle->verdict.payment_moved || settle->verdict.attempt_moved) {
        ph_log(PH_LOG_INFO, "settled", { "order", payment->id },
               { "status", ph_str_z(ph_payment_state_text(payment->status)) },
               { "attempt", attempt->id },
               { "attempt_status",
                 ph_str_z(ph_attempt_state_text(attempt->status)) },
               { "source", ph_str_z(sources[settle->evidence.source]) },
               { "error_class", attempt->error_class });
    }
    if (settle->verdict.refund_kind != NULL) {
        ph_log(PH_LOG_WARN, "refunded_by_itself", { "order", payment->id },
               { "attempt", attempt->id }, { "refund", payment->refund_id },
               { "kind", ph_str_z(settle->verdict.refund_kind) });
    }
}

static void
settle_done(struct wk_store_job *job)
{
    struct wk_settle *settle = (struct wk_settle *) job;

    if (job->outcome == WK_STORE_DONE && settle->is_found) {
        order_copy(settle->order, &settle->after);
        settle->order->payment.ver += settle->verdict.payment_moved;
        struct wk_attempt *attempt
            = wk_order_attempt(settle->order, settle->attempt_id);
        attempt->ver += settle->verdict.attempt_moved;
        settle_log(settle);
        if (settle->verdict.payment_moved
            && ph_payment_is_final(settle->order->payment.status))
        {
            wk_tills_wake(settle->worker->tills, settle->order->payment.id);
        }
    }
    settle->done(settle);
}

/* crash points around the commit, by what it is about */
static void
crash_names(struct wk_settle *settle)
{
    struct wk_store_job *store = &settle->store;

    if (settle->notice != NULL) {
        store->crash_before = "notice_before_commit";
        store->crash_after  = "notice_after_commit";
    } else if (settle->evidence.source == WK_SOURCE_CLOSING) {
        store->crash_after = "closing_after_commit";
    } else if (settle->evidence.next != NULL) {
        store->crash_before = "failover_before_commit";
        store->crash_after  = "failover_after_commit";
    } else {
        store->crash_before = "before_settle_commit";
        store->crash_after  = "after_settle_commit";
    }
}

bool
wk_settle_start(struct wk_settle *settle)
{
    settle->store = (struct wk_store_job){ .ask  = settle_ask,
                                           .plan = settle_plan,
                                           .done = settle_done };
    crash_names(settle);
    settle->arena_mark = settle->arena->len;
    settle->task_id    = wk_id_make(settle->worker, PH_ID_NOTIFY,
                                 ph_id_is(settle->attempt_id, PH_ID_ATTEMPT)
                                        ? ph_id_shard(settle->attempt_id)
                                        : 0);
    return wk_store_submit(settle->worker->store, &settle->store);
}

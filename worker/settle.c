/*
 * settle.c - evidence to rows, in one commit; see settle.h.
 *
 *   settle_run: [notice once?] -> rows -> wk_judge -> one packet -> all moved?
 *                                  ^------ no: AGAIN, with fresh rows ------'
 */
#include "worker/settle.h"

#include "libpayhub/io/log.h"
#include "worker/payment_view.h"
#include "worker/rows.h"

/* where the answers of the packet stand; SIZE_MAX = not asked */
struct settle_asked {
    size_t trade_owner;
    size_t payment;
    size_t attempt;
    size_t secret;
};

static enum wk_run
settle_again(struct wk_settle *settle)
{
    settle->is_fresh = false;
    return WK_RUN_AGAIN;
}

/* ---- the notice ---- */

static bool
notice_is_new(struct wk_db *db, struct wk_settle *settle, bool *is_new)
{
    const struct wk_notice_row *notice = settle->notice;

    wk_db_clear(db);
    wk_sql(db, PH_STR("INSERT INTO notice_seen (account_id,notice_id,event_id,"
                      "ver) VALUES ("));
    wk_sql_text(db, notice->account_id);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, notice->notice_id);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, notice->id);
    wk_sql(db, PH_STR(",0) ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    *is_new = db->answer[0].affected == 1;
    return true;
}

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

static struct ph_str
notice_verdict(const struct wk_settle *settle)
{
    if (settle->is_repeated) {
        return PH_STR("repeated");
    }
    if (settle->verdict.is_conflict) {
        return PH_STR("conflict");
    }
    return settle->verdict.payment_moved || settle->verdict.attempt_moved
               ? PH_STR("applied")
               : PH_STR("ignored");
}

static void
sql_notice_in(struct wk_db *db, const struct wk_settle *settle)
{
    const struct wk_notice_row *notice = settle->notice;
    const struct ph_str         texts[]
        = { notice->id,        notice->channel,    notice->account_id,
            notice->notice_id, settle->attempt_id, notice_verdict(settle),
            notice->headers };

    wk_sql(db, PH_STR("INSERT INTO notice_in (id,channel,account_id,notice_id,"
                      "attempt_id,verdict,headers,body,created_at) VALUES ("));
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        wk_sql_text(db, texts[i]);
        wk_sql(db, PH_STR(","));
    }
    wk_sql_bytes(db, notice->body);
    wk_sql(db, PH_STR(","));
    wk_sql_time(db, db->now_ms);
    wk_sql(db, PH_STR(")"));
    wk_sql_end(db);
}

static enum wk_run
notice_only(struct wk_db *db, struct wk_settle *settle)
{
    wk_db_clear(db);
    sql_notice_in(db, settle);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

/* ---- the packet ---- */

static void
sql_trade(struct wk_db *db, const struct wk_attempt *attempt,
          struct settle_asked *asked)
{
    wk_sql(db, PH_STR("INSERT INTO channel_trade (channel,account_id,trade_no,"
                      "attempt_id,ver) VALUES ("));
    wk_sql_text(db, attempt->channel);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, attempt->account_id);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, attempt->channel_trade_no);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, attempt->id);
    wk_sql(db, PH_STR(",0) ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT attempt_id FROM channel_trade WHERE channel="));
    wk_sql_text(db, attempt->channel);
    wk_sql(db, PH_STR(" AND account_id="));
    wk_sql_text(db, attempt->account_id);
    wk_sql(db, PH_STR(" AND trade_no="));
    wk_sql_text(db, attempt->channel_trade_no);
    asked->trade_owner = db->statements;
    wk_sql_end(db);
}

static void
sql_payment(struct wk_db *db, const struct wk_payment *before,
            const struct wk_payment *after, struct settle_asked *asked)
{
    wk_sql_update(db, &wk_payment_table, after);
    wk_sql(db, PH_STR(" AND ver="));
    wk_sql_i64(db, before->ver);
    wk_sql(db, PH_STR(" AND status IN ("));
    if (after->status != before->status) {
        ph_payment_sources(&db->sql, after->status, PH_BY_PROVED);
    } else {
        wk_sql_text(db, ph_str_z(ph_payment_state_text(before->status)));
    }
    wk_sql(db, PH_STR(")"));
    asked->payment = db->statements;
    wk_sql_end(db);
}

static void
sql_attempt(struct wk_db *db, const struct wk_attempt *before,
            const struct wk_attempt *after, struct settle_asked *asked)
{
    wk_sql_update(db, &wk_attempt_table, after);
    wk_sql(db, PH_STR(" AND ver="));
    wk_sql_i64(db, before->ver);
    /* The judge may pass through `unknown` in one step, so the source is the
     * state that it saw. */
    wk_sql(db, PH_STR(" AND status IN ("));
    wk_sql_text(db, ph_str_z(ph_attempt_state_text(before->status)));
    wk_sql(db, PH_STR(")"));
    asked->attempt = db->statements;
    wk_sql_end(db);
}

static bool
task_make(struct wk_db *db, struct wk_settle *settle, struct wk_task *task)
{
    struct wk_payment *payment = &settle->after.payment;

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
                                           .type          = settle->verdict.event,
                                           .sequence      = payment->sequence,
                                           .channel       = payment->channel,
                                           .account_id    = payment->account_id,
                                           .method        = payment->method,
                                           .amount        = payment->amount,
                                           .currency      = payment->currency,
                                           .error_class   = payment->error_class,
                                           .url           = payment->notify_url,
                                           .created_at_ms = db->now_ms };
    payment->notify_id = task->id;
    const struct wk_event event
        = { task->id, task->type, db->now_ms, task->sequence };

    ph_buf_cut(&db->text, 0);
    wk_event_view(&db->text, &event, &settle->after);
    task->body = ph_buf_str(&db->text);
    return true;
}

/* The janitor's look is brought forward, never pushed back; an order that was
 * at rest comes back to work. */
static void
sql_work(struct wk_db *db, const struct wk_settle *settle, bool has_task)
{
    const struct wk_payment *payment = &settle->after.payment;
    int64_t                  look_ms = settle->verdict.look_in_ms;
    int64_t first_ms = wk_conf(settle->worker, PH_CONF_janitor_first_look);

    if (has_task && (look_ms == 0 || look_ms > first_ms)) {
        look_ms = first_ms;
    }
    if (look_ms == 0) {
        return;
    }
    uint64_t due_ms = db->now_ms + (uint64_t) look_ms;

    if (ph_payment_is_final(settle->before.payment.status)) {
        wk_sql(db, PH_STR("INSERT INTO work (payment_id,due_at) VALUES ("));
        wk_sql_text(db, payment->id);
        wk_sql(db, PH_STR(","));
        wk_sql_time(db, due_ms);
        wk_sql(db, PH_STR(") ON DUPLICATE KEY UPDATE ver=ver+1,due_at="));
        wk_sql_time(db, due_ms);
    } else {
        wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,due_at="));
        wk_sql_time(db, due_ms);
        wk_sql(db, PH_STR(" WHERE payment_id="));
        wk_sql_text(db, payment->id);
        wk_sql(db, PH_STR(" AND due_at>"));
        wk_sql_time(db, due_ms);
    }
    wk_sql_end(db);
}

static void
sql_secret(struct wk_db *db, struct ph_str app_id, struct settle_asked *asked)
{
    wk_sql(db, PH_STR("SELECT webhook_secret FROM app WHERE id="));
    wk_sql_text(db, app_id);
    asked->secret = db->statements;
    wk_sql_end(db);
}

static bool
settle_moved(const struct wk_db *db, size_t asked)
{
    return asked == SIZE_MAX || db->answer[asked].affected == 1;
}

static enum wk_run
settle_check(struct wk_db *db, struct wk_settle *settle,
             const struct settle_asked *asked)
{
    struct ph_str owner;

    if (!settle_moved(db, asked->payment) || !settle_moved(db, asked->attempt))
    {
        return settle_again(settle);
    }
    if (asked->trade_owner != SIZE_MAX
        && (!wk_db_fetch_texts(db, asked->trade_owner, settle->arena, &owner, 1)
            || !ph_str_eq(owner, settle->attempt_id)))
    {
        settle->evidence.trade_is_taken = true;
        return settle_again(settle);
    }
    return WK_RUN_DONE;
}

/* What is delivered at once lives in the arena; no room = the janitor's. */
static void
delivery_keep(struct wk_db *db, struct wk_settle *settle,
              const struct wk_task *task, const struct settle_asked *asked)
{
    struct wk_delivery_order *delivery = &settle->delivery;

    delivery->task      = *task;
    delivery->task.body = ph_arena_dup(settle->arena, task->body);
    delivery->is_due    = delivery->task.body.ptr != NULL
                       && wk_db_fetch_texts(db, asked->secret, settle->arena,
                                            &delivery->sealed_secret, 1);
}

static enum wk_run
settle_write(struct wk_db *db, struct wk_settle *settle, size_t which)
{
    struct settle_asked asked  = { SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX };
    struct wk_order    *before = &settle->before, *after = &settle->after;
    struct wk_task      task;
    bool                has_task = task_make(db, settle, &task);

    wk_db_clear(db);
    if (settle->verdict.records_trade) {
        sql_trade(db, &after->attempt[which], &asked);
    }
    if (settle->verdict.payment_moved) {
        sql_payment(db, &before->payment, &after->payment, &asked);
    }
    if (settle->verdict.attempt_moved) {
        sql_attempt(db, &before->attempt[which], &after->attempt[which],
                    &asked);
    }
    if (has_task) {
        wk_sql_insert(db, &wk_task_table, &task);
        wk_sql_end(db);
        sql_secret(db, task.app_id, &asked);
    }
    sql_work(db, settle, has_task);
    if (settle->notice != NULL) {
        sql_notice_in(db, settle);
    }
    if (db->statements == 0) {
        return WK_RUN_DONE;
    }
    if (db->text.full || !wk_db_run(db)) {
        return WK_RUN_FAILED;
    }
    enum wk_run run = settle_check(db, settle, &asked);

    if (run == WK_RUN_DONE && has_task) {
        delivery_keep(db, settle, &task, &asked);
    }
    return run;
}

/* ---- the job ---- */

static size_t
attempt_index(const struct wk_order *order, struct ph_str id)
{
    size_t i = 0;

    while (i < order->attempt_count && !ph_str_eq(order->attempt[i].id, id)) {
        i++;
    }
    return i;
}

static enum wk_found
settle_rows(struct wk_db *db, struct wk_settle *settle)
{
    if (settle->is_fresh) {
        settle->before = *settle->order;
        return WK_FOUND_ROW;
    }
    return wk_order_load_by_attempt(db, settle->arena, settle->attempt_id,
                                    &settle->before);
}

static struct wk_judge_rules
settle_rules(const struct wk_settle *settle, uint64_t now_ms)
{
    const struct wk_worker *worker = settle->worker;
    int64_t                 times[PH_CONF_TIMES_MAX];
    struct wk_judge_rules   rules = { .now_ms = now_ms };

    rules.not_found_final_ms = wk_conf(worker, PH_CONF_janitor_not_found_final);
    if (settle->evidence.fence == 0) {
        /* Without a lock a create may still be under way somewhere: it leaves
         * within one deadline of its rows and may arrive within another. */
        rules.not_found_final_ms
            += 2 * wk_conf(worker, PH_CONF_pay_channel_deadline);
    }
    if (ph_conf_times(worker->conf, PH_CONF_janitor_unknown_schedule, times)
        > 0) {
        rules.unknown_first_ms = times[0];
    }
    if (ph_conf_times(worker->conf, PH_CONF_janitor_paying_schedule, times) > 0)
    {
        rules.paying_first_ms = times[0];
    }
    return rules;
}

static enum wk_run
settle_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_settle *settle = (struct wk_settle *) job;

    settle->arena->len  = settle->arena_mark;
    settle->arena->full = false; /* what a run before this one filled is free */
    settle->is_found    = false;
    settle->is_repeated = false;
    settle->delivery    = (struct wk_delivery_order){ 0 };
    settle->verdict     = (struct wk_verdict){ 0 };
    if (settle->notice != NULL) {
        bool is_new;

        if (!notice_is_new(db, settle, &is_new)) {
            return WK_RUN_FAILED;
        }
        if (!is_new) {
            settle->is_repeated = true;
            return notice_only(db, settle);
        }
    }
    enum wk_found found = settle_rows(db, settle);

    if (found == WK_FOUND_FAILED) {
        return WK_RUN_FAILED;
    }
    size_t which = attempt_index(&settle->before, settle->attempt_id);

    if (found == WK_FOUND_NONE || which == settle->before.attempt_count
        || !notice_may_speak(settle, &settle->before.attempt[which]))
    {
        return settle->notice != NULL ? notice_only(db, settle) : WK_RUN_DONE;
    }
    const struct wk_judge_rules rules = settle_rules(settle, db->now_ms);

    settle->is_found = true;
    settle->after    = settle->before;
    wk_judge(&settle->after, which, &settle->evidence, &rules,
             &settle->verdict);
    return settle_write(db, settle, which);
}

static void
settle_log(const struct wk_settle *settle)
{
    const struct wk_payment *payment = &settle->after.payment;
    const struct wk_attempt *attempt
        = wk_order_attempt(settle->order, settle->attempt_id);
    static const char *const sources[] = { "", "answer", "query", "notice" };

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
}

static void
settle_done(struct wk_store_job *job)
{
    struct wk_settle *settle = (struct wk_settle *) job;

    if (job->outcome == WK_STORE_DONE && settle->is_found) {
        *settle->order = settle->after;
        settle->order->payment.ver += settle->verdict.payment_moved;
        struct wk_attempt *attempt
            = wk_order_attempt(settle->order, settle->attempt_id);
        attempt->ver += settle->verdict.attempt_moved;
        settle_log(settle);
    }
    settle->done(settle);
}

bool
wk_settle_start(struct wk_settle *settle)
{
    bool is_notice = settle->notice != NULL;

    settle->store = (struct wk_store_job){
        .writes = true,
        .run    = settle_run,
        .done   = settle_done,
        .crash_before
        = is_notice ? "notice_before_commit" : "before_settle_commit",
        .crash_after = is_notice ? "notice_after_commit" : "after_settle_commit"
    };
    settle->arena_mark = settle->arena->len;
    settle->task_id    = wk_id_make(settle->worker, PH_ID_NOTIFY,
                                    ph_id_shard(settle->attempt_id));
    return wk_store_submit(settle->worker->store, &settle->store);
}

/*
 * look.c - one look after one order, as an explicit state machine.
 *
 *   LOADING --attempt without proof--> LOCKING -> QUERYING -> SETTLING
 *      '-------------------------------------------.             |
 *                      FINISHING <--- DELIVERING <-'<------------'
 *
 * It only ever asks.  A create is never sent again from here: an attempt that
 * stands as `sent` because its worker died may have reached the channel.
 */
#include "libpayhub/io/log.h"
#include "worker/janitor.h"
#include "worker/lock.h"
#include "worker/notify.h"
#include "worker/op.h"
#include "worker/order_face.h"
#include "worker/rows.h"
#include "worker/schedule.h"
#include "worker/settle.h"
#include "worker/time_text.h"

#define LOCKED_LOOK_MS 1000 /* somebody else works on it: look again then */

struct look {
    struct wk_store_job store; /* first: load and finish */
    struct wk_worker   *worker;
    struct wk_janitor  *janitor;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark; /* behind what lives as long as the look */
    struct ph_str       payment_id;
    struct wk_account  *account;
    struct wk_lock      lock;
    struct wk_order     order;
    struct wk_attempt  *open; /* in `order`: the one to ask about, or NULL */
    struct wk_task      tasks[WK_TASKS_MAX]; /* newest first */
    size_t              task_count;
    struct ph_str       sealed_secret; /* of the app's webhooks, not opened */
    enum wk_found       found;
    int64_t             tries;
    bool                was_queried; /* counts as a try, whatever it told */
    bool                was_locked;  /* somebody else works on the order */
    uint64_t            now_ms;      /* the database's, at the load */
    struct wk_op        op;
    struct wk_settle    settle;
};

static void
look_end(struct look *look)
{
    struct wk_worker *worker = look->worker;

    wk_janitor_looked(look->janitor);
    if (look->account != NULL) {
        look->account->inflight--;
        wk_account_release(look->account);
    }
    wk_block_give(worker, look->block);
    wk_job_end(worker);
}

/* ---- finishing ---- */

static void
sql_mine(struct wk_db *db, const struct look *look)
{
    wk_sql(db, PH_STR(" WHERE payment_id="));
    wk_sql_text(db, look->payment_id);
    wk_sql(db, PH_STR(" AND lease_by="));
    wk_sql_text(db, ph_str_z(look->worker->lease_name));
    wk_sql_end(db);
}

static bool
look_rows(struct wk_db *db, struct look *look)
{
    look->found
        = wk_order_load(db, look->arena, look->payment_id, &look->order);
    return look->found != WK_FOUND_FAILED
           && (look->found == WK_FOUND_NONE
               || wk_tasks_load(db, look->arena, look->order.payment.notify_id,
                                look->tasks, &look->task_count));
}

/* Holds off whoever would bring the order back to work until we committed: the
 * row that we delete or move is the one that was there when we read the order.
 */
static bool
work_lock(struct wk_db *db, const struct look *look)
{
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT 1 FROM work WHERE payment_id="));
    wk_sql_text(db, look->payment_id);
    wk_sql(db, PH_STR(" FOR UPDATE"));
    wk_sql_end(db);
    return wk_db_run(db);
}

/* From rows as they are now: whatever came in meanwhile counts. */
static enum wk_run
finish_run(struct wk_db *db, struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    look->task_count = 0;
    look->arena->len = look->arena_mark; /* nothing loaded is needed any more */
    look->arena->full = false;
    if (!work_lock(db, look) || !look_rows(db, look)) {
        return WK_RUN_FAILED;
    }
    int64_t        tries = look->tries + (look->was_queried ? 1 : 0);
    struct wk_rest rest  = { .is_at_rest = true };

    if (look->found == WK_FOUND_ROW) {
        rest = wk_rest_judge(look->worker->conf, &look->order, look->tasks,
                             look->task_count, tries, db->now_ms);
    }
    if (look->was_locked && rest.due_ms > db->now_ms + LOCKED_LOOK_MS) {
        rest.due_ms = db->now_ms + LOCKED_LOOK_MS;
    }
    wk_db_clear(db);
    if (rest.is_at_rest) {
        wk_sql(db, PH_STR("DELETE FROM work"));
    } else {
        wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by='',tries="));
        wk_sql_i64(db, tries < UINT16_MAX ? tries : UINT16_MAX);
        wk_sql(db, PH_STR(",due_at="));
        wk_sql_time(db, rest.due_ms);
    }
    sql_mine(db, look);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
finish_done(struct wk_store_job *job)
{
    look_end((struct look *) job); /* failed: the lease ends by itself */
}

static void
look_finish(struct look *look)
{
    look->store = (struct wk_store_job){ .writes = true,
                                         .run    = finish_run,
                                         .done   = finish_done };
    if (!wk_store_submit(look->worker->store, &look->store)) {
        look_end(look);
    }
}

/* ---- delivering ---- */

static bool
task_is_due(const struct look *look, const struct wk_task *task)
{
    return ph_str_eq(task->status, PH_STR("pending"))
           && wk_notify_look_ms(look->worker->conf, task) <= look->now_ms;
}

/* The oldest that is due, one a look so that events keep their order.  Nobody
 * waits for it here: a receiver that hangs must not hold up the queries. */
static void
look_deliver(struct look *look)
{
    for (size_t i = look->task_count; i-- > 0;) {
        const struct wk_delivery_order delivery
            = { true, look->tasks[i], look->sealed_secret };

        if (task_is_due(look, &look->tasks[i])
            && (look->worker->roles & WK_ROLE_NOTIFY) != 0)
        {
            (void) wk_notify_deliver(look->worker->notify, &delivery);
            break;
        }
    }
    look_finish(look);
}

/* ---- asking ---- */

static void
look_on_settled(struct wk_settle *settle)
{
    struct look *look = settle->data;

    wk_lock_drop(&look->lock);
    if (settle->store.outcome == WK_STORE_DONE && settle->delivery.is_due
        && (look->worker->roles & WK_ROLE_NOTIFY) != 0)
    {
        (void) wk_notify_deliver(look->worker->notify, &settle->delivery);
    }
    look_deliver(look);
}

static void
look_on_op(struct wk_op *op)
{
    struct look      *look   = op->data;
    struct wk_settle *settle = &look->settle;

    look->was_queried = true;
    *settle           = (struct wk_settle){
                  .worker     = look->worker,
                  .arena      = look->arena,
                  .attempt_id = look->open->id,
                  .is_fresh   = true,
                  .order      = &look->order,
                  .evidence
                  = { .source = WK_SOURCE_QUERY,
                      .result = &op->result,
                      .fence  = look->lock.fence,
                      .state  = ph_str_make((const char *) op->state, op->state_len) },
                  .done = look_on_settled,
                  .data = look
    };
    if (op->has_digest) {
        settle->evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    if (!wk_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        look_on_settled(settle);
    }
}

static void
look_query(struct look *look)
{
    struct wk_op *op = &look->op;

    *op       = (struct wk_op){ .worker  = look->worker,
                                .account = look->account,
                                .kind    = PH_OP_QUERY,
                                .arena   = look->arena,
                                .done    = look_on_op,
                                .data    = look };
    op->order = wk_order_face(look->worker, &look->order.payment, look->open,
                              look->arena);
    if (look->open->state.len <= sizeof(op->state)) {
        op->state_len = look->open->state.len;
        memcpy(op->state, op->state_len != 0 ? look->open->state.ptr : "",
               op->state_len);
    }
    wk_op_start(op);
}

static void
look_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct look *look = lock->data;

    if (answer == WK_LOCK_BUSY) {
        look->was_locked = true;
        look_deliver(look);
    } else {
        look_query(look);
    }
}

static bool
look_can_ask(struct look *look)
{
    struct wk_account *account
        = look->open != NULL
              ? wk_account_find(look->worker->accounts, look->open->account_id)
              : NULL;

    if (look->open != NULL && account == NULL) {
        ph_log(PH_LOG_ERROR, "account_gone", { "order", look->payment_id },
               { "account", look->open->account_id });
    }
    if (account == NULL || (account->channel->caps & PH_CAP_QUERY) == 0) {
        return false;
    }
    look->account = wk_account_hold(account);
    look->account->inflight++;
    return true;
}

/* ---- loading ---- */

static bool
work_and_secret_read(struct wk_db *db, struct look *look)
{
    struct ph_str texts[2];
    uint64_t      tries = 0;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT tries,NOW(3) FROM work WHERE payment_id="));
    wk_sql_text(db, look->payment_id);
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT webhook_secret FROM app WHERE id="));
    wk_sql_text(db, look->order.payment.app_id);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    if (wk_db_fetch_texts(db, 0, look->arena, texts, 2)
        && ph_str_u64(texts[0], UINT16_MAX, &tries)
        && wk_time_parse(texts[1], &look->now_ms))
    {
        look->tries = (int64_t) tries;
    }
    if (!wk_db_fetch_texts(db, 1, look->arena, &look->sealed_secret, 1)) {
        look->sealed_secret = ph_str_make(NULL, 0); /* no such app */
    }
    return !look->arena->full;
}

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    look->task_count  = 0;
    look->arena->len  = look->arena_mark;
    look->arena->full = false;
    return look_rows(db, look) && work_and_secret_read(db, look)
               ? WK_RUN_DONE
               : WK_RUN_FAILED;
}

static void
load_done(struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    if (job->outcome != WK_STORE_DONE) {
        look_end(look);
        return;
    }
    look->open = look->found == WK_FOUND_ROW
                     ? wk_rest_open_attempt(&look->order)
                     : NULL;
    if (!look_can_ask(look)) {
        look_deliver(look);
        return;
    }
    look->lock.done = look_on_lock;
    look->lock.data = look;
    wk_lock_take(look->worker->locks, &look->lock, look->order.payment.app_id,
                 look->order.payment.order_no,
                 ph_str_make(look->payment_id.ptr + 11, 2),
                 look->order.payment.fence);
}

void
wk_look_start(struct wk_janitor *janitor, struct wk_worker *worker,
              struct ph_str payment_id)
{
    struct wk_block *block = wk_block_take(worker);

    if (block == NULL || payment_id.len != PH_ID_LEN) {
        if (block != NULL) {
            wk_block_give(worker, block);
        }
        wk_janitor_looked(janitor);
        return;
    }
    struct look *look = ph_arena_take(&block->arena, sizeof(*look));

    look->worker     = worker;
    look->janitor    = janitor;
    look->block      = block;
    look->arena      = &block->arena;
    look->payment_id = ph_arena_dup(look->arena, payment_id);
    look->arena_mark = look->arena->len;
    look->store = (struct wk_store_job){ .run = load_run, .done = load_done };
    wk_job_begin(worker);
    if (!wk_store_submit(worker->store, &look->store)) {
        look_end(look);
    }
}

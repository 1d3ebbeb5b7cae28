/*
 * look.c - one look after one order, as an explicit state machine.
 *
 *   LOADING --attempt without proof--> LOCKING --> ASKING (ask.c)
 *      |  ^----- it was another's, loaded anew --'     |
 *      '---------------------------------> FINISHING <-'
 *
 * It asks, and ends what is past its end.  A create that takes money is never
 * sent again from here: an attempt that stands as `sent` because its worker
 * died may have reached the channel.
 */
#include "libpayhub/io/log.h"
#include "worker/ask.h"
#include "worker/hook.h"
#include "worker/janitor.h"
#include "worker/lock.h"
#include "worker/look_row.h"
#include "worker/rows.h"
#include "worker/schedule.h"
#include "worker/time_text.h"

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
    enum wk_found       found;
    int64_t             tries;
    bool                was_queried; /* counts as a try, whatever it told */
    bool                was_locked;  /* somebody else works on the order */
    uint64_t            now_ms;      /* the database's, at the load */
    struct wk_ask       ask;
};

static void
look_end(struct look *look)
{
    struct wk_worker *worker = look->worker;

    wk_janitor_looked(look->janitor);
    if (look->account != NULL) {
        look->account->use->inflight--;
        wk_account_release(look->account);
    }
    wk_block_give(worker, look->block);
    wk_job_end(worker);
}

/* ---- finishing ---- */

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

/* From rows as they are now: whatever came in meanwhile counts. */
static enum wk_run
finish_run(struct wk_db *db, struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    look->task_count = 0;
    look->arena->len = look->arena_mark; /* nothing loaded is needed any more */
    look->arena->full = false;
    if (!wk_look_row_lock(db, look->payment_id) || !look_rows(db, look)) {
        return WK_RUN_FAILED;
    }
    int64_t        tries = look->tries + (look->was_queried ? 1 : 0);
    struct wk_rest rest  = { .is_at_rest = true };

    if (look->found == WK_FOUND_ROW) {
        rest = wk_rest_judge(look->worker->conf, &look->order, tries,
                             db->now_ms);
    }
    if (look->was_locked && rest.due_ms > db->now_ms + WK_LOCKED_LOOK_MS) {
        rest.due_ms = db->now_ms + WK_LOCKED_LOOK_MS;
    }
    wk_db_clear(db);
    /* webhooks that nobody delivers: their own rows, whoever works at those */
    wk_hook_sql_rows(db, look->worker->conf, look->tasks, look->task_count);
    wk_look_row_sql(db, look->payment_id, look->worker->lease_name, rest,
                    tries);
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
    look->store
        = (struct wk_store_job){ .writes       = true,
                                 .run          = finish_run,
                                 .done         = finish_done,
                                 .crash_before = "finish_before_commit" };
    if (!wk_store_submit(look->worker->store, &look->store)) {
        look_end(look);
    }
}

/* ---- asking ---- */

static void
look_on_asked(struct wk_ask *ask)
{
    struct look *look = ask->data;

    look->was_queried = true;
    wk_lock_drop(&look->lock);
    look_finish(look);
}

/* A code that may still be shown is worth showing until the order ends. */
static void
look_ask(struct look *look)
{
    const uint64_t end_ms
        = wk_rest_end_ms(look->worker->conf, &look->order, look->open);
    const bool shall_end = end_ms <= look->now_ms;

    look->ask = (struct wk_ask){ .worker     = look->worker,
                                 .account    = look->account,
                                 .arena      = look->arena,
                                 .order      = &look->order,
                                 .attempt_id = look->open->id,
                                 .fence      = look->lock.fence,
                                 .shall_end  = shall_end,
                                 .may_repeat = !shall_end,
                                 .done       = look_on_asked,
                                 .data       = look };
    wk_ask_start(&look->ask);
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
    look->account->use->inflight++;
    return true;
}

/* ---- loading ---- */

static bool
work_read(struct wk_db *db, struct look *look)
{
    struct ph_str texts[2];
    uint64_t      tries = 0;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT tries,NOW(3) FROM work WHERE id="));
    wk_sql_text(db, look->payment_id);
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
    return !look->arena->full;
}

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    look->arena->len  = look->arena_mark;
    look->arena->full = false;
    look->found
        = wk_order_load(db, look->arena, look->payment_id, &look->order);
    return look->found != WK_FOUND_FAILED && work_read(db, look)
               ? WK_RUN_DONE
               : WK_RUN_FAILED;
}

/* Whoever had the lock may have told what we would ask for. */
static void
reload_done(struct wk_store_job *job)
{
    struct look *look = (struct look *) job;

    look->open = job->outcome == WK_STORE_DONE && look->found == WK_FOUND_ROW
                     ? wk_rest_open_attempt(&look->order)
                     : NULL;
    if (look->open != NULL
        && ph_str_eq(look->open->account_id, look->account->face.id))
    {
        look_ask(look);
        return;
    }
    wk_lock_drop(&look->lock);
    look_finish(look);
}

static void
look_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct look *look = lock->data;

    if (answer == WK_LOCK_BUSY) {
        look->was_locked = true;
        look_finish(look);
    } else if (!lock->has_waited) {
        look_ask(look);
    } else {
        look->store
            = (struct wk_store_job){ .run = load_run, .done = reload_done };
        if (!wk_store_submit(look->worker->store, &look->store)) {
            look->store.outcome = WK_STORE_FAILED;
            reload_done(&look->store);
        }
    }
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
        look->was_queried = look->open != NULL; /* or it would be due at once */
        look_finish(look);
        return;
    }
    look->lock.done = look_on_lock;
    look->lock.data = look;
    wk_lock_wait(look->worker->locks, &look->lock, look->order.payment.app_id,
                 look->order.payment.order_no, look->order.payment.fence,
                 WK_LOCKED_WAIT_MS);
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

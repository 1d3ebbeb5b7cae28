/*
 * refund_look.c - one look after one refund, as an explicit state machine.
 *
 *   LOADING --not final--> ASKING (refund_ask.h) -> FINISHING
 *      '-------------------------------------------'
 *
 * FINISHING takes the refund's row out of `work`, or says when to look again,
 * and sees to it that a webhook that nobody delivers has its own row.
 */
#include "worker/refund_look.h"

#include "libpayhub/io/log.h"
#include "worker/hook.h"
#include "worker/look_row.h"
#include "worker/refund_ask.h"
#include "worker/time_text.h"

struct refund_look {
    struct wk_store_job store; /* first: load and finish */
    struct wk_worker   *worker;
    struct wk_janitor  *janitor;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark; /* behind what lives as long as the look */
    struct ph_str       refund_id;
    struct wk_refund_rows rows;
    bool                  is_there;
    int64_t               tries;
    struct wk_task        tasks[WK_TASKS_MAX]; /* newest first */
    size_t                task_count;
    struct wk_refund_ask  ask;
};

static void
look_end(struct refund_look *look)
{
    struct wk_worker *worker = look->worker;

    wk_janitor_looked(look->janitor);
    wk_block_give(worker, look->block);
    wk_job_end(worker);
}

/* ---- finishing ---- */

static bool
refund_read(struct wk_db *db, struct refund_look *look)
{
    wk_db_clear(db);
    wk_sql_select(db, &wk_refund_table);
    wk_sql(db, PH_STR(" WHERE id="));
    wk_sql_text(db, look->refund_id);
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT tries FROM work WHERE id="));
    wk_sql_text(db, look->refund_id);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    struct ph_str text;
    uint64_t      tries = 0;

    look->is_there
        = wk_db_fetch(db, 0, &wk_refund_table, look->arena, &look->rows.refund);
    if (wk_db_fetch_texts(db, 1, look->arena, &text, 1)
        && ph_str_u64(text, UINT16_MAX, &tries))
    {
        look->tries = (int64_t) tries;
    }
    return !look->arena->full && db->error_no == 0;
}

static uint64_t
due_ms(const struct refund_look *look, int64_t tries, uint64_t now_ms)
{
    int64_t  ms[PH_CONF_TIMES_MAX];
    size_t   count = ph_conf_times(look->worker->conf,
                                   PH_CONF_janitor_unknown_schedule, ms);
    size_t   at    = (size_t) tries;
    uint64_t due   = now_ms + WK_LOCKED_LOOK_MS;

    if (count == 0 || look->ask.was_locked) {
        return due;
    }
    return now_ms + (uint64_t) ms[at < count ? at : count - 1];
}

/* From rows as they are now: whatever came in meanwhile counts. */
static enum wk_run
finish_run(struct wk_db *db, struct wk_store_job *job)
{
    struct refund_look *look = (struct refund_look *) job;

    look->task_count  = 0;
    look->arena->len  = look->arena_mark;
    look->arena->full = false;
    if (!wk_look_row_lock(db, look->refund_id) || !refund_read(db, look)
        || (look->is_there
            && !wk_tasks_load(db, look->arena, look->rows.refund.notify_id,
                              look->tasks, &look->task_count)))
    {
        return WK_RUN_FAILED;
    }
    int64_t        tries = look->tries + (look->ask.was_asked ? 1 : 0);
    struct wk_rest rest  = { .due_ms = due_ms(look, tries, db->now_ms) };

    rest.is_at_rest
        = !look->is_there || ph_refund_is_final(look->rows.refund.status);
    wk_db_clear(db);
    wk_hook_sql_rows(db, look->worker->conf, look->tasks, look->task_count);
    wk_look_row_sql(db, look->refund_id, look->worker->lease_name, rest, tries);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
finish_done(struct wk_store_job *job)
{
    look_end((struct refund_look *) job); /* failed: the lease ends by itself */
}

static void
look_finish(struct refund_look *look)
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
look_on_asked(struct wk_refund_ask *ask)
{
    look_finish(ask->data);
}

/* ---- loading ---- */

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct refund_look *look = (struct refund_look *) job;

    look->arena->len  = look->arena_mark;
    look->arena->full = false;
    if (!refund_read(db, look)) {
        return WK_RUN_FAILED;
    }
    if (look->is_there && !ph_refund_is_final(look->rows.refund.status)) {
        enum wk_found found = wk_order_load(
            db, look->arena, look->rows.refund.payment_id, &look->rows.order);

        return found == WK_FOUND_ROW ? WK_RUN_DONE : WK_RUN_FAILED;
    }
    return WK_RUN_DONE;
}

static void
load_done(struct wk_store_job *job)
{
    struct refund_look *look = (struct refund_look *) job;

    if (job->outcome != WK_STORE_DONE) {
        look_end(look);
        return;
    }
    if (!look->is_there || ph_refund_is_final(look->rows.refund.status)) {
        look_finish(look);
        return;
    }
    look->ask = (struct wk_refund_ask){ .worker       = look->worker,
                                        .arena        = look->arena,
                                        .rows         = &look->rows,
                                        .lock_wait_ms = WK_LOCKED_WAIT_MS,
                                        .done         = look_on_asked,
                                        .data         = look };
    wk_refund_ask_start(&look->ask);
}

void
wk_refund_look_start(struct wk_janitor *janitor, struct wk_worker *worker,
                     struct ph_str refund_id)
{
    struct wk_block *block = wk_block_take(worker);

    if (block == NULL) {
        wk_janitor_looked(janitor); /* the lease ends by itself */
        return;
    }
    struct refund_look *look = ph_arena_take(&block->arena, sizeof(*look));

    look->worker     = worker;
    look->janitor    = janitor;
    look->block      = block;
    look->arena      = &block->arena;
    look->refund_id  = ph_arena_dup(look->arena, refund_id);
    look->arena_mark = look->arena->len;
    look->store = (struct wk_store_job){ .run = load_run, .done = load_done };
    wk_job_begin(worker);
    if (!wk_store_submit(worker->store, &look->store)) {
        look_end(look);
    }
}

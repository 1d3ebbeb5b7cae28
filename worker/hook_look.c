/*
 * hook_look.c - the queue of deliveries; see hook_look.h.
 *
 * One transaction takes up to TAKE_MAX rows: whatever is no longer pending
 * loses its row, the others are leased by pushing due_at ahead, so that a
 * worker that dies gives them back by doing nothing.
 */
#include "worker/hook_look.h"

#include <stdlib.h>

#include "worker/hook.h"
#include "worker/notify.h"
#include "worker/store.h"

#define TAKE_MAX 64
#define TAKE_MEMORY (1024 * 1024) /* their bodies; what does not fit waits */

struct hook_row {
    struct ph_str            id;
    bool                     is_loaded;
    bool                     is_over; /* no such task, or not pending */
    struct wk_delivery_order order;
};

struct wk_hooks {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    uv_timer_t          tick;
    bool                is_taking;
    bool                is_stopping;
    size_t              room; /* rows that this take may bring */
    size_t              count;
    struct hook_row     rows[TAKE_MAX];
    struct ph_arena     arena; /* while taking: the store thread's */
    char                memory[TAKE_MEMORY];
};

/* ---- on a store thread ---- */

static bool
due_read(struct wk_db *db, struct wk_hooks *hooks)
{
    wk_sql(db, PH_STR("SELECT id FROM work WHERE queue='hook' AND due_at<="));
    wk_sql_time(db, db->now_ms);
    wk_sql(db, PH_STR(" ORDER BY due_at LIMIT "));
    wk_sql_i64(db, (int64_t) hooks->room);
    wk_sql(db, PH_STR(" FOR UPDATE SKIP LOCKED"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    hooks->count = 0;
    while (hooks->count < hooks->room) {
        struct hook_row *row = &hooks->rows[hooks->count];

        *row = (struct hook_row){ .is_over = true };
        if (!wk_db_fetch_texts(db, 0, &hooks->arena, &row->id, 1)) {
            break;
        }
        hooks->count++;
    }
    return !hooks->arena.full;
}

/* The ids of what is or is not over, as a list for IN; how many.  Those that
 * found no room are in neither. */
static size_t
sql_ids(struct wk_db *db, const struct wk_hooks *hooks, bool is_over)
{
    size_t count = 0;

    wk_sql(db, PH_STR("("));
    for (size_t i = 0; i < hooks->count; i++) {
        const struct hook_row *row = &hooks->rows[i];

        if (row->is_over == is_over && (is_over || row->is_loaded)) {
            wk_sql(db, count++ != 0 ? PH_STR(",") : PH_STR(""));
            wk_sql_text(db, row->id);
        }
    }
    wk_sql(db, PH_STR(")"));
    return count;
}

static struct hook_row *
row_find(struct wk_hooks *hooks, struct ph_str id)
{
    for (size_t i = 0; i < hooks->count; i++) {
        if (ph_str_eq(hooks->rows[i].id, id)) {
            return &hooks->rows[i];
        }
    }
    return NULL;
}

static void
sql_all_ids(struct wk_db *db, const struct wk_hooks *hooks)
{
    (void) sql_ids(db, hooks, true); /* nothing is judged yet */
    wk_sql_end(db);
}

/* A task that finds no room in the memory stays as it is: the next take, which
 * has fewer before it, brings it. */
static void
tasks_fetch(struct wk_db *db, struct wk_hooks *hooks)
{
    struct wk_task task;
    size_t         mark = hooks->arena.len;

    while (wk_db_fetch(db, 0, &wk_task_table, &hooks->arena, &task)) {
        struct hook_row *row = row_find(hooks, task.id);

        if (row != NULL && ph_str_eq(task.status, PH_STR("pending"))) {
            row->is_over    = false;
            row->is_loaded  = true;
            row->order.task = task;
            mark            = hooks->arena.len;
        }
    }
    if (hooks->arena.full) {
        for (size_t i = 0; i < hooks->count; i++) {
            hooks->rows[i].is_over = false; /* nobody knows */
        }
        hooks->arena.full = false;
        hooks->arena.len  = mark;
    }
}

static bool
tasks_read(struct wk_db *db, struct wk_hooks *hooks)
{
    struct ph_str texts[2];

    wk_db_clear(db);
    wk_sql_select(db, &wk_task_table);
    wk_sql(db, PH_STR(" WHERE id IN "));
    sql_all_ids(db, hooks);
    wk_sql(db, PH_STR("SELECT t.id,a.webhook_secret FROM notify_task t JOIN "
                      "app a ON a.id=t.app_id WHERE t.id IN "));
    sql_all_ids(db, hooks);
    if (!wk_db_run(db)) {
        return false;
    }
    tasks_fetch(db, hooks);
    while (wk_db_fetch_texts(db, 1, &hooks->arena, texts, 2)) {
        struct hook_row *row = row_find(hooks, texts[0]);

        if (row != NULL) {
            row->order.sealed_secret = texts[1];
        }
    }
    for (size_t i = 0; i < hooks->count && hooks->arena.full; i++) {
        struct hook_row *row = &hooks->rows[i];

        row->is_loaded = row->is_loaded && row->order.sealed_secret.len != 0;
    }
    return db->error_no == 0;
}

static bool
rows_write(struct wk_db *db, struct wk_hooks *hooks)
{
    const struct wk_worker *worker   = hooks->worker;
    uint64_t                lease_ms = wk_hook_longest_ms(worker->conf)
                        + (uint64_t) wk_conf(worker, PH_CONF_janitor_lease);

    wk_db_clear(db);
    wk_sql(db, PH_STR("DELETE FROM work WHERE id IN "));
    if (sql_ids(db, hooks, true) != 0) {
        wk_sql_end(db);
    } else {
        ph_buf_cut(&db->sql, 0);
    }
    size_t mark = db->sql.len;
    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by="));
    wk_sql_text(db, ph_str_z(worker->lease_name));
    wk_sql(db, PH_STR(",due_at="));
    wk_sql_time(db, db->now_ms + lease_ms);
    wk_sql(db, PH_STR(" WHERE id IN "));
    if (sql_ids(db, hooks, false) != 0) {
        wk_sql_end(db);
    } else {
        ph_buf_cut(&db->sql, mark);
    }
    return db->statements == 0 || wk_db_run(db);
}

static enum wk_run
take_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_hooks *hooks = (struct wk_hooks *) job;

    ph_arena_reset(&hooks->arena);
    if (!due_read(db, hooks)) {
        return WK_RUN_FAILED;
    }
    if (hooks->count == 0) {
        return WK_RUN_DONE;
    }
    return tasks_read(db, hooks) && rows_write(db, hooks) ? WK_RUN_DONE
                                                          : WK_RUN_FAILED;
}

/* What was taken while the process was told to end is anybody's at once. */
static enum wk_run
give_back_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_hooks *hooks = (struct wk_hooks *) job;

    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by='',due_at="));
    wk_sql_time(db, db->now_ms);
    wk_sql(db, PH_STR(" WHERE lease_by="));
    wk_sql_text(db, ph_str_z(hooks->worker->lease_name));
    wk_sql(db, PH_STR(" AND id IN "));
    if (sql_ids(db, hooks, false) == 0) {
        return WK_RUN_DONE;
    }
    wk_sql_end(db);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

/* ---- on the loop ---- */

static void take_done(struct wk_store_job *job);

static void
take_start(struct wk_hooks *hooks)
{
    size_t room = wk_notify_room(hooks->worker->notify);

    if (hooks->is_taking || hooks->is_stopping || room == 0) {
        return;
    }
    hooks->room      = room < TAKE_MAX ? room : TAKE_MAX;
    hooks->count     = 0;
    hooks->store     = (struct wk_store_job){ .writes = true,
                                              .run    = take_run,
                                              .done   = take_done };
    hooks->is_taking = wk_store_submit(hooks->worker->store, &hooks->store);
    if (hooks->is_taking) {
        wk_job_begin(hooks->worker);
    }
}

static void
give_back_done(struct wk_store_job *job)
{
    wk_job_end(((struct wk_hooks *) job)->worker);
}

static bool
give_back_start(struct wk_hooks *hooks)
{
    hooks->store = (struct wk_store_job){ .writes = true,
                                          .run    = give_back_run,
                                          .done   = give_back_done };
    return wk_store_submit(hooks->worker->store, &hooks->store);
}

static void
take_done(struct wk_store_job *job)
{
    struct wk_hooks  *hooks  = (struct wk_hooks *) job;
    struct wk_worker *worker = hooks->worker;
    size_t            count  = hooks->count;

    hooks->is_taking = false;
    if (job->outcome == WK_STORE_DONE && hooks->is_stopping && count != 0
        && give_back_start(hooks))
    {
        return;
    }
    if (job->outcome == WK_STORE_DONE && !hooks->is_stopping) {
        for (size_t i = 0; i < count; i++) {
            if (hooks->rows[i].is_loaded) {
                (void) wk_notify_deliver_row(worker->notify,
                                             &hooks->rows[i].order);
            }
        }
        if (count == hooks->room) { /* there may be more */
            take_start(hooks);
        }
    }
    wk_job_end(worker);
}

static void
hooks_tick(uv_timer_t *timer)
{
    struct wk_hooks *hooks = timer->data;

    uv_timer_set_repeat(
        timer, (uint64_t) wk_conf(hooks->worker, PH_CONF_janitor_tick));
    wk_notify_sweep(hooks->worker->notify, false);
    take_start(hooks);
}

struct wk_hooks *
wk_hooks_new(struct wk_worker *worker)
{
    struct wk_hooks *hooks   = calloc(1, sizeof(*hooks));
    uint64_t         tick_ms = (uint64_t) wk_conf(worker, PH_CONF_janitor_tick);

    if (hooks == NULL) {
        return NULL;
    }
    hooks->worker = worker;
    ph_arena_init(&hooks->arena, hooks->memory, sizeof(hooks->memory));
    hooks->tick.data = hooks;
    (void) uv_timer_init(&worker->loop, &hooks->tick);
    if ((worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) uv_timer_start(&hooks->tick, hooks_tick, tick_ms, tick_ms);
    }
    return hooks;
}

void
wk_hooks_stop(struct wk_hooks *hooks)
{
    hooks->is_stopping = true;
    uv_close((uv_handle_t *) &hooks->tick, NULL);
    wk_notify_sweep(hooks->worker->notify, true);
}

void
wk_hooks_free(struct wk_hooks *hooks)
{
    free(hooks);
}

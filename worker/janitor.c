/*
 * janitor.c - takes due rows of `work` by lease; see janitor.h.
 *
 * One transaction takes up to a batch: orders at rest lose their rows in
 * bulk, the others are leased by pushing due_at ahead, so that a worker that
 * dies gives them back by doing nothing.
 */
#include "worker/janitor.h"

#include <stdlib.h>

#include "libpayhub/io/log.h"
#include "worker/refund_look.h"
#include "worker/store.h"

#define BATCH_MAX 256 /* the maximum of janitor.batch */
#define TAKE_MEMORY (64 * 1024)

struct wk_janitor {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    uv_timer_t          tick;
    bool                is_taking;
    bool                is_stopping;
    size_t              looks; /* under way */
    size_t              room;  /* rows that this take may bring */
    struct ph_arena     arena; /* while taking: the store thread's, as below */
    struct ph_str       ids[BATCH_MAX];
    bool                is_at_rest[BATCH_MAX];
    size_t              count;
    char                memory[TAKE_MEMORY];
};

/* ---- on a store thread ---- */

static bool
due_read(struct wk_db *db, struct wk_janitor *janitor)
{
    wk_sql(db, PH_STR("SELECT id FROM work WHERE queue='look' AND due_at<="));
    wk_sql_time(db, db->now_ms);
    wk_sql(db, PH_STR(" ORDER BY due_at LIMIT "));
    wk_sql_i64(db, (int64_t) janitor->room);
    wk_sql(db, PH_STR(" FOR UPDATE SKIP LOCKED"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    janitor->count = 0;
    while (janitor->count < janitor->room
           && wk_db_fetch_texts(db, 0, &janitor->arena,
                                &janitor->ids[janitor->count], 1))
    {
        janitor->is_at_rest[janitor->count++] = false;
    }
    return !janitor->arena.full;
}

/* the ids whose at-rest mark is `mark`, as a list for IN; how many */
static size_t
sql_ids(struct wk_db *db, const struct wk_janitor *janitor, bool mark)
{
    size_t count = 0;

    wk_sql(db, PH_STR("("));
    for (size_t i = 0; i < janitor->count; i++) {
        if (janitor->is_at_rest[i] == mark) {
            wk_sql(db, count++ != 0 ? PH_STR(",") : PH_STR(""));
            wk_sql_text(db, janitor->ids[i]);
        }
    }
    wk_sql(db, PH_STR(")"));
    return count;
}

static void
rest_mark(struct wk_janitor *janitor, struct ph_str id)
{
    for (size_t i = 0; i < janitor->count; i++) {
        if (ph_str_eq(janitor->ids[i], id)) {
            janitor->is_at_rest[i] = true;
        }
    }
}

/* The everyday rest: a final payment of one attempt, or a final refund, whose
 * only webhook is over.  Longer chains, and orders of several attempts, are
 * looked at one by one. */
static const char rest_payments[]
    = "SELECT r.id FROM payment r LEFT JOIN notify_task n ON n.id=r.notify_id "
      "WHERE r.status IN ('paid','paid_late','failed','closed','conflict') AND "
      "LOCATE(',',r.attempt_ids)=0";
static const char rest_refunds[]
    = "SELECT r.id FROM refund r LEFT JOIN notify_task n ON n.id=r.notify_id "
      "WHERE r.status IN ('succeeded','failed')";

static void
sql_rest(struct wk_db *db, const struct wk_janitor *janitor, const char *select)
{
    wk_sql(db, ph_str_z(select));
    wk_sql(db, PH_STR(" AND (r.notify_id='' OR (n.status IN ('delivered',"
                      "'dead') AND n.prev_id='')) AND r.id IN "));
    (void) sql_ids(db, janitor, false);
    wk_sql_end(db);
}

static bool
rest_read(struct wk_db *db, struct wk_janitor *janitor)
{
    struct ph_str id;

    wk_db_clear(db);
    sql_rest(db, janitor, rest_payments);
    sql_rest(db, janitor, rest_refunds);
    if (!wk_db_run(db)) {
        return false;
    }
    for (size_t i = 0; i < db->statements; i++) {
        while (wk_db_fetch_texts(db, i, &janitor->arena, &id, 1)) {
            rest_mark(janitor, id);
        }
    }
    return !janitor->arena.full;
}

static bool
rows_write(struct wk_db *db, struct wk_janitor *janitor)
{
    uint64_t lease_ms
        = (uint64_t) wk_conf(janitor->worker, PH_CONF_janitor_lease);
    size_t mark;

    wk_db_clear(db);
    wk_sql(db, PH_STR("DELETE FROM work WHERE id IN "));
    if (sql_ids(db, janitor, true) != 0) {
        wk_sql_end(db);
    } else {
        ph_buf_cut(&db->sql, 0);
    }
    mark = db->sql.len;
    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by="));
    wk_sql_text(db, ph_str_z(janitor->worker->lease_name));
    wk_sql(db, PH_STR(",due_at="));
    wk_sql_time(db, db->now_ms + lease_ms);
    wk_sql(db, PH_STR(" WHERE id IN "));
    if (sql_ids(db, janitor, false) != 0) {
        wk_sql_end(db);
    } else {
        ph_buf_cut(&db->sql, mark);
    }
    return wk_db_run(db);
}

static enum wk_run
take_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_janitor *janitor = (struct wk_janitor *) job;

    ph_arena_reset(&janitor->arena);
    if (!due_read(db, janitor)) {
        return WK_RUN_FAILED;
    }
    if (janitor->count == 0) {
        return WK_RUN_DONE;
    }
    job->crash_after = "take_after_commit";
    return rest_read(db, janitor) && rows_write(db, janitor) ? WK_RUN_DONE
                                                             : WK_RUN_FAILED;
}

/* What was taken while the process was told to end is anybody's at once. */
static enum wk_run
give_back_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_janitor *janitor = (struct wk_janitor *) job;

    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by='',due_at="));
    wk_sql_time(db, db->now_ms);
    wk_sql(db, PH_STR(" WHERE lease_by="));
    wk_sql_text(db, ph_str_z(janitor->worker->lease_name));
    wk_sql(db, PH_STR(" AND id IN "));
    if (sql_ids(db, janitor, false) == 0) {
        return WK_RUN_DONE;
    }
    wk_sql_end(db);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

/* ---- on the loop ---- */

static void janitor_tick(uv_timer_t *timer);

/* What an id is tells its letter.  What nobody here looks after keeps its lease
 * until it ends. */
static void
janitor_look(struct wk_janitor *janitor, struct ph_str id)
{
    janitor->looks++;
    if (ph_id_is(id, PH_ID_PAYMENT)) {
        wk_look_start(janitor, janitor->worker, id);
    } else if (ph_id_is(id, PH_ID_REFUND)) {
        wk_refund_look_start(janitor, janitor->worker, id);
    } else {
        wk_janitor_looked(janitor);
    }
}

static void
give_back_done(struct wk_store_job *job)
{
    wk_job_end(((struct wk_janitor *) job)->worker);
}

static bool
give_back_start(struct wk_janitor *janitor)
{
    janitor->store = (struct wk_store_job){ .writes = true,
                                            .run    = give_back_run,
                                            .done   = give_back_done };
    return wk_store_submit(janitor->worker->store, &janitor->store);
}

static void
take_done(struct wk_store_job *job)
{
    struct wk_janitor *janitor = (struct wk_janitor *) job;
    struct wk_worker  *worker  = janitor->worker;
    size_t             taken = janitor->count, room = janitor->room;

    janitor->is_taking = false;
    if (job->outcome == WK_STORE_DONE && janitor->is_stopping && taken != 0
        && give_back_start(janitor))
    {
        return;
    }
    if (job->outcome == WK_STORE_DONE && !janitor->is_stopping) {
        for (size_t i = 0; i < taken; i++) {
            if (!janitor->is_at_rest[i]) {
                janitor_look(janitor, janitor->ids[i]);
            }
        }
        if (taken == room) { /* there may be more */
            janitor_tick(&janitor->tick);
        }
    }
    wk_job_end(worker);
}

static void
janitor_tick(uv_timer_t *timer)
{
    struct wk_janitor *janitor = timer->data;
    size_t batch = (size_t) wk_conf(janitor->worker, PH_CONF_janitor_batch);

    uv_timer_set_repeat(
        timer, (uint64_t) wk_conf(janitor->worker, PH_CONF_janitor_tick));

    if (janitor->is_taking || janitor->is_stopping || janitor->looks >= batch) {
        return;
    }
    janitor->room  = batch - janitor->looks;
    janitor->store = (struct wk_store_job){ .writes = true,
                                            .run    = take_run,
                                            .done   = take_done };
    janitor->is_taking
        = wk_store_submit(janitor->worker->store, &janitor->store);
    if (janitor->is_taking) {
        wk_job_begin(janitor->worker);
    }
}

void
wk_janitor_looked(struct wk_janitor *janitor)
{
    janitor->looks--;
}

struct wk_janitor *
wk_janitor_new(struct wk_worker *worker)
{
    struct wk_janitor *janitor = calloc(1, sizeof(*janitor));
    uint64_t tick_ms = (uint64_t) wk_conf(worker, PH_CONF_janitor_tick);

    if (janitor == NULL) {
        return NULL;
    }
    janitor->worker = worker;
    ph_arena_init(&janitor->arena, janitor->memory, sizeof(janitor->memory));
    janitor->tick.data = janitor;
    (void) uv_timer_init(&worker->loop, &janitor->tick);
    if ((worker->roles & WK_ROLE_JANITOR) != 0) {
        (void) uv_timer_start(&janitor->tick, janitor_tick, tick_ms, tick_ms);
    }
    return janitor;
}

void
wk_janitor_stop(struct wk_janitor *janitor)
{
    janitor->is_stopping = true;
    uv_close((uv_handle_t *) &janitor->tick, NULL);
}

void
wk_janitor_free(struct wk_janitor *janitor)
{
    free(janitor);
}

/* idem_sweep.c - see idem_sweep.h. */
#include "worker/idem_sweep.h"

#include <stdlib.h>

#include "worker/store.h"

#define FIRST_MS 1000
#define EVERY_MAX_MS 60000
#define RUNS_A_TTL 8
#define SWEEP_ROWS 1000 /* deleted at once */

struct wk_idem_sweep {
    struct wk_store_job store; /* first */
    struct wk_worker   *worker;
    uv_timer_t          timer;
    bool                is_running;
    bool                is_stopping;
    bool                has_more; /* set by the run */
};

static enum wk_run
sweep_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_idem_sweep *sweep = (struct wk_idem_sweep *) job;

    wk_db_clear(db);
    wk_sql(db, PH_STR("DELETE FROM idem WHERE created_at<NOW(3)-INTERVAL "));
    wk_sql_i64(db, wk_conf(sweep->worker, PH_CONF_pay_idempotency_ttl) / 1000);
    wk_sql(db, PH_STR(" SECOND ORDER BY created_at LIMIT "));
    wk_sql_i64(db, SWEEP_ROWS);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_RUN_FAILED;
    }
    sweep->has_more = db->answer[0].affected == SWEEP_ROWS;
    return WK_RUN_DONE;
}

static void sweep_start(struct wk_idem_sweep *sweep);

static void
sweep_done(struct wk_store_job *job)
{
    struct wk_idem_sweep *sweep = (struct wk_idem_sweep *) job;

    sweep->is_running = false;
    if (job->outcome == WK_STORE_DONE && sweep->has_more && !sweep->is_stopping)
    {
        sweep_start(sweep);
    }
    wk_job_end(sweep->worker);
}

static void
sweep_start(struct wk_idem_sweep *sweep)
{
    sweep->store      = (struct wk_store_job){ .writes = true,
                                               .run    = sweep_run,
                                               .done   = sweep_done };
    sweep->is_running = wk_store_submit(sweep->worker->store, &sweep->store);
    if (sweep->is_running) {
        wk_job_begin(sweep->worker);
    }
}

static void
sweep_tick(uv_timer_t *timer)
{
    struct wk_idem_sweep *sweep = timer->data;
    uint64_t              every_ms
        = (uint64_t) wk_conf(sweep->worker, PH_CONF_pay_idempotency_ttl)
          / RUNS_A_TTL;

    (void) uv_timer_start(timer, sweep_tick,
                          every_ms < EVERY_MAX_MS ? every_ms : EVERY_MAX_MS, 0);
    if (!sweep->is_running) {
        sweep_start(sweep);
    }
}

struct wk_idem_sweep *
wk_idem_sweep_new(struct wk_worker *worker)
{
    struct wk_idem_sweep *sweep = calloc(1, sizeof(*sweep));

    if (sweep == NULL) {
        return NULL;
    }
    sweep->worker     = worker;
    sweep->timer.data = sweep;
    (void) uv_timer_init(&worker->loop, &sweep->timer);
    if ((worker->roles & WK_ROLE_JANITOR) != 0) {
        (void) uv_timer_start(&sweep->timer, sweep_tick, FIRST_MS, 0);
    }
    return sweep;
}

void
wk_idem_sweep_stop(struct wk_idem_sweep *sweep)
{
    sweep->is_stopping = true;
    uv_close((uv_handle_t *) &sweep->timer, NULL);
}

void
wk_idem_sweep_free(struct wk_idem_sweep *sweep)
{
    free(sweep);
}

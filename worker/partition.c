/* partition.c - partitions ahead and archive; see partition.h. */
#include "worker/partition.h"

#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "libpayhub/io/partitions.h"

#define FIRST_MS 1000
#define EVERY_MS (3600 * 1000)
#define WHY_MAX 512

struct wk_partitions {
    uv_work_t         work; /* first */
    struct wk_worker *worker;
    uv_timer_t        timer;
    bool              is_running;
    unsigned          keep_months; /* of this run */
    bool              is_done;     /* set by the run */
    char              why[WHY_MAX];
};

/* ---- on a thread of the pool ---- */

static void
tell_made(void *data, const char *table, unsigned month)
{
    (void) data;
    ph_log(PH_LOG_INFO, "partition_made", { "table", ph_str_z(table) },
           { "month", ph_log_i64(month) });
}

static void
tell_archived(void *data, const char *table, unsigned month)
{
    (void) data;
    ph_log(PH_LOG_INFO, "partition_archived", { "table", ph_str_z(table) },
           { "month", ph_log_i64(month) });
}

/* A statement that waits for a table makes everybody behind it wait: it gives
 * up soon, and the next run tries again. */
static bool
run_with(struct wk_partitions *partitions, MYSQL *db, struct ph_buf *why)
{
    static const struct ph_partition_told made     = { tell_made, NULL };
    static const struct ph_partition_told archived = { tell_archived, NULL };
    uint64_t                              now_ms   = ph_now_ms();

    if (mysql_query(db, "SET SESSION lock_wait_timeout=2") != 0) {
        ph_buf_add(why, ph_str_z(mysql_error(db)));
        return false;
    }
    if (!ph_schema_lock(db, 0, why)) {
        return why->len == 0; /* another one is at it */
    }
    return ph_partitions_make(db, now_ms, &made, why)
           && ph_partitions_archive(db, now_ms, partitions->keep_months,
                                    &archived, why);
}

static void
partitions_run(uv_work_t *work)
{
    struct wk_partitions *partitions = (struct wk_partitions *) work;
    struct ph_buf         why;

    ph_buf_init(&why, partitions->why, sizeof(partitions->why) - 1);
    partitions->is_done = false;
    if (mysql_thread_init() != 0) {
        return;
    }
    MYSQL *db = ph_mysql_open(partitions->worker->conf, PH_DB_OWNER, &why);

    if (db != NULL) {
        partitions->is_done = run_with(partitions, db, &why);
        mysql_close(db);
    }
    mysql_thread_end();
    partitions->why[why.len] = '\0';
}

/* ---- on the loop ---- */

static void
partitions_ran(uv_work_t *work, int status)
{
    struct wk_partitions *partitions = (struct wk_partitions *) work;

    (void) status; /* is_done says it */
    if (!partitions->is_done) {
        ph_log(PH_LOG_WARN, "partitions_failed",
               { "why", ph_str_z(partitions->why) });
    }
    partitions->is_running = false;
    wk_job_end(partitions->worker);
}

static void
partitions_tick(uv_timer_t *timer)
{
    struct wk_partitions *partitions = timer->data;
    struct wk_worker     *worker     = partitions->worker;

    if (partitions->is_running || worker->is_draining
        || wk_conf(worker, PH_CONF_janitor_partitions) == 0)
    {
        return;
    }
    partitions->keep_months
        = (unsigned) wk_conf(worker, PH_CONF_janitor_keep_months);
    partitions->why[0]     = '\0';
    partitions->is_running = uv_queue_work(&worker->loop, &partitions->work,
                                           partitions_run, partitions_ran)
                             == 0;
    if (partitions->is_running) {
        wk_job_begin(worker);
    }
}

struct wk_partitions *
wk_partitions_new(struct wk_worker *worker)
{
    struct wk_partitions *partitions = calloc(1, sizeof(*partitions));

    if (partitions == NULL) {
        return NULL;
    }
    partitions->worker     = worker;
    partitions->timer.data = partitions;
    (void) uv_timer_init(&worker->loop, &partitions->timer);
    if ((worker->roles & WK_ROLE_JANITOR) != 0) {
        (void) uv_timer_start(&partitions->timer, partitions_tick, FIRST_MS,
                              EVERY_MS);
    }
    return partitions;
}

void
wk_partitions_stop(struct wk_partitions *partitions)
{
    uv_close((uv_handle_t *) &partitions->timer, NULL);
}

void
wk_partitions_free(struct wk_partitions *partitions)
{
    free(partitions);
}

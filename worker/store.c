/*
 * store.c - store threads, shared commits, retries; see store.h.
 *
 * Invariants:
 *   1. A job is in exactly one place: the queue, one thread, the done list.
 *   2. A job is run again only after ROLLBACK or a lost connection before
 *      COMMIT was sent; never once COMMIT left.
 *   3. No thread touches the loop but by uv_async_send().
 */
#include "worker/store.h"

#include <stdlib.h>
#include <time.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "worker/crash.h"
#include "worker/time_text.h"

#define STORE_THREADS_MAX 16
#define STORE_GROUP_MAX 64 /* jobs that share a commit */
#define STORE_TRIES_MAX 5
#define STORE_BACKOFF_MS 10
#define STORE_RECONNECT_MS 250

struct store_queue {
    struct wk_store_job *head;
    struct wk_store_job *tail;
    size_t               count;
};

struct store_thread {
    struct wk_store *store;
    struct wk_db     db;
    uv_thread_t      thread;
    uint64_t         connect_after_ns;
    bool             was_up;
};

struct wk_store {
    const struct ph_conf *conf;
    uv_mutex_t            mutex;
    uv_cond_t             wake;
    uv_async_t            async;
    struct store_queue    queue;       /* under mutex */
    struct store_queue    done;        /* under mutex */
    bool                  is_stopping; /* under mutex */
    size_t                queue_max;
    size_t                waiting; /* loop's own count: submitted, not done */
    size_t                thread_count;
    struct store_thread   threads[STORE_THREADS_MAX];
};

static void
queue_push(struct store_queue *queue, struct wk_store_job *job)
{
    job->next = NULL;
    if (queue->tail != NULL) {
        queue->tail->next = job;
    } else {
        queue->head = job;
    }
    queue->tail = job;
    queue->count++;
}

static struct wk_store_job *
queue_pop(struct store_queue *queue)
{
    struct wk_store_job *job = queue->head;

    if (job != NULL) {
        queue->head = job->next;
        queue->count--;
        if (queue->head == NULL) {
            queue->tail = NULL;
        }
    }
    return job;
}

/* ---- one thread ---- */

static bool
thread_connect(struct store_thread *thread)
{
    char          text[256];
    struct ph_buf why = PH_BUF_INIT(text);

    if (thread->db.mysql != NULL) {
        return true;
    }
    if (ph_monotonic_ns() < thread->connect_after_ns) {
        return false;
    }
    thread->db.mysql = ph_mysql_open(thread->store->conf, PH_DB_WORKER, &why);
    if (thread->db.mysql == NULL) {
        thread->connect_after_ns
            = ph_monotonic_ns() + STORE_RECONNECT_MS * UINT64_C(1000000);
        if (thread->was_up) {
            ph_log(PH_LOG_WARN, "store_away", { "why", ph_buf_str(&why) });
        }
        thread->was_up = false;
        return false;
    }
    if (!thread->was_up) {
        ph_log(PH_LOG_INFO, "store_up",
               { "server", ph_str_z(mysql_get_server_info(thread->db.mysql)) });
    }
    thread->was_up = true;
    return true;
}

static void
thread_disconnect(struct store_thread *thread)
{
    wk_db_clear(&thread->db);
    if (thread->db.mysql != NULL) {
        mysql_close(thread->db.mysql);
        thread->db.mysql = NULL;
    }
}

static bool
thread_begin(struct wk_db *db)
{
    char            memory[64];
    struct ph_arena arena;
    struct ph_str   now;

    ph_arena_init(&arena, memory, sizeof(memory));
    wk_db_clear(db);
    wk_sql(db, PH_STR("START TRANSACTION"));
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT NOW(3)"));
    wk_sql_end(db);
    return wk_db_run(db) && wk_db_fetch_texts(db, 1, &arena, &now, 1)
           && wk_time_parse(now, &db->now_ms);
}

/* Keeps the error that led here; a rollback that fails ends the connection. */
static void
thread_rollback(struct store_thread *thread)
{
    struct wk_db *db       = &thread->db;
    unsigned      error_no = db->error_no;

    if (wk_db_is_lost(db) || db->mysql == NULL
        || mysql_rollback(db->mysql) != 0) {
        thread_disconnect(thread);
    }
    db->error_no = error_no;
}

enum commit_end { COMMIT_DONE, COMMIT_UNDONE, COMMIT_UNKNOWN };

static enum commit_end
thread_commit(struct store_thread *thread)
{
    struct wk_db *db = &thread->db;

    wk_db_clear(db);
    if (mysql_commit(db->mysql) == 0) {
        return COMMIT_DONE;
    }
    db->error_no = mysql_errno(db->mysql);
    if (wk_db_is_deadlock(db)) { /* a cluster may refuse at COMMIT */
        thread_rollback(thread);
        return COMMIT_UNDONE;
    }
    ph_log(PH_LOG_ERROR, "commit_unknown",
           { "why", ph_str_z(mysql_error(db->mysql)) });
    thread_disconnect(thread);
    return COMMIT_UNKNOWN;
}

/* Runs jobs in one transaction.  On UNDONE *spoiler is the job that did it,
 * or `count` when it was none of them. */
static enum commit_end
thread_try(struct store_thread *thread, struct wk_store_job **jobs,
           size_t count, size_t *spoiler, enum wk_run *how)
{
    *spoiler = count;
    *how     = WK_RUN_FAILED;
    if (!thread_connect(thread)) {
        return COMMIT_UNDONE;
    }
    if (!thread_begin(&thread->db)) {
        thread_rollback(thread);
        return COMMIT_UNDONE;
    }
    for (size_t i = 0; i < count; i++) {
        wk_db_clear(&thread->db);
        *how = jobs[i]->run(&thread->db, jobs[i]);
        if (*how != WK_RUN_DONE) {
            *spoiler = i;
            if (*how == WK_RUN_FAILED) {
                ph_log(PH_LOG_WARN, "store_job_failed",
                       { "why", ph_str_z(thread->db.error) });
            }
            thread_rollback(thread);
            return COMMIT_UNDONE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        wk_crash_point(jobs[i]->crash_before);
    }
    enum commit_end end = thread_commit(thread);
    for (size_t i = 0; i < count && end == COMMIT_DONE; i++) {
        wk_crash_point(jobs[i]->crash_after);
    }
    return end;
}

static void
thread_pause(unsigned tries)
{
    uint8_t random;

    ph_random(&random, sizeof(random));
    uint64_t ms = ((uint64_t) STORE_BACKOFF_MS << tries)
                  * (128 + (uint64_t) random) / 256;
    struct timespec pause
        = { (time_t) (ms / 1000), (long) (ms % 1000) * 1000000 };
    (void) nanosleep(&pause, NULL);
}

static void
thread_run_alone(struct store_thread *thread, struct wk_store_job *job)
{
    job->outcome = WK_STORE_FAILED;
    for (unsigned tries = 0; tries < STORE_TRIES_MAX; tries++) {
        size_t          spoiler;
        enum wk_run     how;
        enum commit_end end = thread_try(thread, &job, 1, &spoiler, &how);

        if (end != COMMIT_UNDONE) {
            job->outcome
                = end == COMMIT_DONE ? WK_STORE_DONE : WK_STORE_UNKNOWN;
            return;
        }
        if (how == WK_RUN_AGAIN) {
            continue;
        }
        if (thread->db.mysql != NULL && !wk_db_is_deadlock(&thread->db)) {
            return; /* the statement itself is refused: trying changes nothing
                     */
        }
        thread_pause(tries);
    }
}

static void
thread_run_group(struct store_thread *thread, struct wk_store_job **jobs,
                 size_t count)
{
    struct wk_store_job *alone[STORE_GROUP_MAX];
    size_t               alone_count = 0;

    while (count > 1) {
        size_t          spoiler;
        enum wk_run     how;
        enum commit_end end = thread_try(thread, jobs, count, &spoiler, &how);

        if (end != COMMIT_UNDONE) {
            for (size_t i = 0; i < count; i++) {
                jobs[i]->outcome
                    = end == COMMIT_DONE ? WK_STORE_DONE : WK_STORE_UNKNOWN;
            }
            count = 0;
        } else if (spoiler == count || how == WK_RUN_FAILED) {
            break; /* deadlock or away: row by row */
        } else {
            alone[alone_count++] = jobs[spoiler];
            jobs[spoiler]        = jobs[--count];
        }
    }
    for (size_t i = 0; i < count; i++) {
        thread_run_alone(thread, jobs[i]);
    }
    for (size_t i = 0; i < alone_count; i++) {
        thread_run_alone(thread, alone[i]);
    }
}

static void
thread_run_read(struct store_thread *thread, struct wk_store_job *job)
{
    job->outcome = WK_STORE_FAILED;
    for (unsigned tries = 0; tries < STORE_TRIES_MAX; tries++) {
        if (thread_connect(thread)) {
            wk_db_clear(&thread->db);
            enum wk_run how = job->run(&thread->db, job);

            if (how == WK_RUN_DONE) {
                job->outcome = WK_STORE_DONE;
                return;
            }
            if (how == WK_RUN_FAILED && !wk_db_is_lost(&thread->db)) {
                ph_log(PH_LOG_WARN, "store_job_failed",
                       { "why", ph_str_z(thread->db.error) });
                return;
            }
            if (how == WK_RUN_FAILED) {
                thread_disconnect(thread);
            }
        }
        thread_pause(tries);
    }
}

/* Blocks until there is work; 0 = stop. */
static size_t
thread_take(struct wk_store *store, struct wk_store_job **jobs)
{
    size_t count = 0;

    uv_mutex_lock(&store->mutex);
    while (store->queue.head == NULL && !store->is_stopping) {
        uv_cond_wait(&store->wake, &store->mutex);
    }
    while (store->queue.head != NULL && count < STORE_GROUP_MAX
           && (count == 0 || store->queue.head->writes))
    {
        jobs[count++] = queue_pop(&store->queue);
        if (!jobs[0]->writes) {
            break;
        }
    }
    uv_mutex_unlock(&store->mutex);
    return count;
}

static void
thread_main(void *arg)
{
    struct store_thread *thread = arg;
    struct wk_store     *store  = thread->store;
    struct wk_store_job *jobs[STORE_GROUP_MAX];
    size_t               count;

    (void) mysql_thread_init();
    while ((count = thread_take(store, jobs)) != 0) {
        struct wk_store_job *group[STORE_GROUP_MAX];

        for (size_t i = 0; i < count; i++) {
            group[i] = jobs[i];
        }
        if (jobs[0]->writes) {
            thread_run_group(thread, group, count);
        } else {
            thread_run_read(thread, jobs[0]);
        }
        uv_mutex_lock(&store->mutex);
        for (size_t i = 0; i < count; i++) {
            queue_push(&store->done, jobs[i]);
        }
        uv_mutex_unlock(&store->mutex);
        (void) uv_async_send(&store->async);
    }
    wk_db_deinit(&thread->db);
    mysql_thread_end();
}

/* ---- the loop's side ---- */

static void
store_deliver(struct wk_store *store)
{
    uv_mutex_lock(&store->mutex);
    struct store_queue done = store->done;
    store->done             = (struct store_queue){ 0 };
    uv_mutex_unlock(&store->mutex);

    for (struct wk_store_job *job; (job = queue_pop(&done)) != NULL;) {
        store->waiting--;
        job->done(job);
    }
}

static void
store_on_async(uv_async_t *async)
{
    store_deliver(async->data);
}

bool
wk_store_submit(struct wk_store *store, struct wk_store_job *job)
{
    if (store->waiting >= store->queue_max) {
        return false;
    }
    uv_mutex_lock(&store->mutex);
    bool is_open = !store->is_stopping;
    if (is_open) {
        queue_push(&store->queue, job);
        store->waiting++;
    }
    uv_cond_signal(&store->wake);
    uv_mutex_unlock(&store->mutex);
    return is_open;
}

bool
wk_store_is_full(const struct wk_store *store)
{
    /* a quarter stays free, so that what was begun can be settled */
    return store->waiting >= store->queue_max - store->queue_max / 4;
}

static bool
store_start_threads(struct wk_store *store, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_thread *thread = &store->threads[i];

        thread->store  = store;
        thread->was_up = true;
        if (!wk_db_init(&thread->db)) {
            return false;
        }
        if (uv_thread_create(&thread->thread, thread_main, thread) != 0) {
            wk_db_deinit(&thread->db);
            return false;
        }
        store->thread_count++;
    }
    return true;
}

struct wk_store *
wk_store_new(uv_loop_t *loop, const struct ph_conf *conf)
{
    struct wk_store *store = calloc(1, sizeof(*store));
    int64_t          count = ph_conf_number(conf, PH_CONF_store_connections);

    if (store == NULL || mysql_library_init(0, NULL, NULL) != 0
        || uv_mutex_init(&store->mutex) != 0)
    {
        free(store);
        ph_log(PH_LOG_ERROR, "store_start", { "why", PH_STR("no memory") });
        return NULL;
    }
    (void) uv_cond_init(&store->wake);
    (void) uv_async_init(loop, &store->async, store_on_async);
    store->async.data = store;
    store->conf       = conf;
    store->queue_max  = (size_t) ph_conf_number(conf, PH_CONF_store_queue);
    if (!store_start_threads(store, (size_t) count)) {
        ph_log(PH_LOG_ERROR, "store_start", { "why", PH_STR("no thread") });
        wk_store_stop(store);
        return NULL; /* the process ends; the loop still owns the handle */
    }
    return store;
}

void
wk_store_stop(struct wk_store *store)
{
    uv_mutex_lock(&store->mutex);
    store->is_stopping = true;
    uv_cond_broadcast(&store->wake);
    uv_mutex_unlock(&store->mutex);
    for (size_t i = 0; i < store->thread_count; i++) {
        (void) uv_thread_join(&store->threads[i].thread);
    }
    store->thread_count = 0;
    store_deliver(store);
    uv_close((uv_handle_t *) &store->async, NULL);
}

void
wk_store_free(struct wk_store *store)
{
    if (store == NULL) {
        return;
    }
    uv_cond_destroy(&store->wake);
    uv_mutex_destroy(&store->mutex);
    free(store);
}

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

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/batch.h"
#include "worker/crash.h"
#include "worker/store_link.h"

#define STORE_THREADS_MAX 16
#define STORE_GROUP_MAX 64  /* jobs of run() that share a commit */
#define STORE_BESIDE_MIN 32 /* jobs for a batch, for each that is under way */
#define STORE_BESIDE_NS                                                        \
    UINT64_C(50000000) /* then fewer do: what is under way hangs */

struct store_queue {
    struct wk_store_job *head;
    struct wk_store_job *tail;
    size_t               count;
};

struct store_thread {
    struct wk_store   *store;
    struct wk_link     link;
    struct wk_batch   *batch;
    struct store_queue ended; /* not yet told to the loop */
    bool               is_planning;
    bool               has_run; /* what it took last */
    uv_thread_t        thread;
};

struct wk_store {
    const struct ph_conf *conf;
    uv_mutex_t            mutex;
    uv_cond_t             wake;
    uv_async_t            async;
    uv_prepare_t          prepare;
    struct store_queue    planned;     /* under mutex: jobs with plan() */
    uint64_t              planned_ns;  /* under mutex: since then not empty */
    struct store_queue    queue;       /* under mutex: jobs with run() */
    struct store_queue    done;        /* under mutex */
    bool                  is_stopping; /* under mutex */
    size_t                planning;    /* under mutex: batches under way */
    struct store_queue    submitted;   /* the loop's: of this turn */
    size_t                queue_max;
    size_t                waiting;   /* loop's own count: submitted, not done */
    bool                  is_closed; /* the loop's own */
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

/* ---- jobs that send their own statements ---- */

static bool
thread_begin(struct wk_link *link)
{
    wk_db_clear(&link->db);
    wk_link_begin(link);
    return wk_db_run(&link->db) && wk_link_begun(link);
}

/* Runs jobs in one transaction.  On UNDONE *spoiler is the job that did it,
 * or `count` when it was none of them. */
static enum wk_commit
thread_try(struct store_thread *thread, struct wk_store_job **jobs,
           size_t count, size_t *spoiler, enum wk_run *how)
{
    *spoiler = count;
    *how     = WK_RUN_FAILED;
    if (!wk_link_connect(&thread->link)) {
        return WK_COMMIT_UNDONE;
    }
    if (!thread_begin(&thread->link)) {
        wk_link_rollback(&thread->link);
        return WK_COMMIT_UNDONE;
    }
    for (size_t i = 0; i < count; i++) {
        wk_db_clear(&thread->link.db);
        *how = jobs[i]->run(&thread->link.db, jobs[i]);
        if (*how != WK_RUN_DONE) {
            *spoiler = i;
            if (*how == WK_RUN_FAILED) {
                ph_log(PH_LOG_WARN, "store_job_failed",
                       { "why", ph_str_z(thread->link.db.error) });
            }
            wk_link_rollback(&thread->link);
            return WK_COMMIT_UNDONE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        wk_crash_point(jobs[i]->crash_before);
    }
    enum wk_commit end = wk_link_commit(&thread->link);
    for (size_t i = 0; i < count && end == WK_COMMIT_DONE; i++) {
        wk_crash_point(jobs[i]->crash_after);
    }
    return end;
}

static void
thread_run_alone(struct store_thread *thread, struct wk_store_job *job)
{
    job->outcome = WK_STORE_FAILED;
    for (unsigned tries = 0; tries < WK_LINK_TRIES_MAX; tries++) {
        size_t         spoiler;
        enum wk_run    how;
        enum wk_commit end = thread_try(thread, &job, 1, &spoiler, &how);

        if (end != WK_COMMIT_UNDONE) {
            job->outcome
                = end == WK_COMMIT_DONE ? WK_STORE_DONE : WK_STORE_UNKNOWN;
            return;
        }
        if (how == WK_RUN_AGAIN) {
            continue;
        }
        if (thread->link.db.mysql != NULL
            && !wk_db_is_deadlock(&thread->link.db)) {
            return; /* the statement itself is refused: trying changes nothing
                     */
        }
        if (wk_db_is_lock_wait(&thread->link.db)
            && tries + 1 >= WK_LINK_WAITS_MAX) {
            return; /* others wait behind it */
        }
        wk_link_pause(tries);
    }
}

static void
thread_run_group(struct store_thread *thread, struct wk_store_job **jobs,
                 size_t count)
{
    struct wk_store_job *alone[STORE_GROUP_MAX];
    size_t               alone_count = 0;

    while (count > 1) {
        size_t         spoiler;
        enum wk_run    how;
        enum wk_commit end = thread_try(thread, jobs, count, &spoiler, &how);

        if (end != WK_COMMIT_UNDONE) {
            for (size_t i = 0; i < count; i++) {
                jobs[i]->outcome
                    = end == WK_COMMIT_DONE ? WK_STORE_DONE : WK_STORE_UNKNOWN;
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
    for (unsigned tries = 0; tries < WK_LINK_TRIES_MAX; tries++) {
        if (wk_link_connect(&thread->link)) {
            wk_db_clear(&thread->link.db);
            enum wk_run how = job->run(&thread->link.db, job);

            if (how == WK_RUN_DONE) {
                job->outcome = WK_STORE_DONE;
                return;
            }
            if (how == WK_RUN_FAILED && !wk_db_is_lost(&thread->link.db)) {
                ph_log(PH_LOG_WARN, "store_job_failed",
                       { "why", ph_str_z(thread->link.db.error) });
                return;
            }
            if (how == WK_RUN_FAILED) {
                wk_link_disconnect(&thread->link);
            }
        }
        wk_link_pause(tries);
    }
}

/* ---- the threads ---- */

/* A batch beside others is begun only for a good many jobs: fewer are better
 * off in the next one of those, which is cheaper for all.  But they do not wait
 * behind one that waits for a row or for an answer that never comes. */
static bool
may_plan(const struct wk_store *store)
{
    return store->planned.count != 0
           && (store->planned.count >= STORE_BESIDE_MIN * store->planning
               || ph_monotonic_ns() - store->planned_ns >= STORE_BESIDE_NS
               || store->is_stopping);
}

/* One thread that is free watches over jobs that do not make a batch yet. */
static void
take_wait(struct wk_store *store)
{
    if (store->planned.count != 0) {
        (void) uv_cond_timedwait(&store->wake, &store->mutex, STORE_BESIDE_NS);
    } else {
        uv_cond_wait(&store->wake, &store->mutex);
    }
}

static size_t
take_planned(struct wk_store *store, struct wk_store_job **jobs)
{
    size_t count = 0;

    while (store->planned.head != NULL && count < WK_BATCH_JOBS_MAX) {
        jobs[count++] = queue_pop(&store->planned);
    }
    store->planning++;
    return count;
}

static size_t
take_run(struct store_queue *queue, struct wk_store_job **jobs)
{
    size_t count = 0;

    while (queue->head != NULL && count < STORE_GROUP_MAX
           && (count == 0 || (jobs[0]->writes && queue->head->writes)))
    {
        jobs[count++] = queue_pop(queue);
    }
    return count;
}

/* Blocks until there is work, of both kinds in turn; 0 = stop. */
static size_t
thread_take(struct store_thread *thread, struct wk_store_job **jobs)
{
    struct wk_store *store = thread->store;
    size_t           count = 0;

    uv_mutex_lock(&store->mutex);
    store->planning -= thread->is_planning;
    thread->is_planning = false;
    while (store->queue.head == NULL && !may_plan(store) && !store->is_stopping)
    {
        take_wait(store);
    }
    if (may_plan(store) && (store->queue.head == NULL || thread->has_run)) {
        count               = take_planned(store, jobs);
        thread->is_planning = true;
        thread->has_run     = false;
    } else if (store->queue.head != NULL) {
        count           = take_run(&store->queue, jobs);
        thread->has_run = true;
    }
    if (store->queue.head != NULL || store->planned.head != NULL) {
        uv_cond_signal(&store->wake); /* another may go on with the rest */
    }
    uv_mutex_unlock(&store->mutex);
    return count;
}

static void
thread_end_job(void *data, struct wk_store_job *job)
{
    struct store_thread *thread = data;
    struct wk_store     *store  = thread->store;

    if (job != NULL) {
        queue_push(&thread->ended, job);
        return;
    }
    uv_mutex_lock(&store->mutex);
    for (struct wk_store_job *ended;
         (ended = queue_pop(&thread->ended)) != NULL;) {
        queue_push(&store->done, ended);
    }
    uv_mutex_unlock(&store->mutex);
    (void) uv_async_send(&store->async);
}

static void
thread_run_jobs(struct store_thread *thread, struct wk_store_job **jobs,
                size_t count)
{
    struct wk_store_job *group[STORE_GROUP_MAX];

    for (size_t i = 0; i < count; i++) {
        group[i] = jobs[i];
    }
    if (jobs[0]->writes) {
        thread_run_group(thread, group, count);
    } else {
        thread_run_read(thread, jobs[0]);
    }
    for (size_t i = 0; i < count; i++) {
        thread_end_job(thread, jobs[i]);
    }
}

static void
thread_main(void *arg)
{
    struct store_thread *thread = arg;
    struct wk_store_job *jobs[WK_BATCH_JOBS_MAX];
    size_t               count;

    (void) mysql_thread_init();
    while ((count = thread_take(thread, jobs)) != 0) {
        if (jobs[0]->plan != NULL) {
            wk_batch_run(thread->batch, &thread->link, jobs, count,
                         thread_end_job, thread);
        } else {
            thread_run_jobs(thread, jobs, count);
        }
        thread_end_job(thread, NULL);
    }
    wk_db_deinit(&thread->link.db);
    wk_batch_free(thread->batch);
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

/* What a turn of the loop submitted goes to the threads at once, so that it may
 * share a commit. */
static void
store_hand_over(struct wk_store *store)
{
    if (store->submitted.head == NULL) {
        return;
    }
    uv_mutex_lock(&store->mutex);
    if (store->planned.head == NULL) {
        store->planned_ns = ph_monotonic_ns();
    }
    for (struct wk_store_job *job;
         (job = queue_pop(&store->submitted)) != NULL;) {
        queue_push(job->plan != NULL ? &store->planned : &store->queue, job);
    }
    uv_cond_signal(&store->wake);
    uv_mutex_unlock(&store->mutex);
}

static void
store_on_prepare(uv_prepare_t *prepare)
{
    store_hand_over(prepare->data);
}

bool
wk_store_submit(struct wk_store *store, struct wk_store_job *job)
{
    if (store->waiting >= store->queue_max || store->is_closed) {
        return false;
    }
    queue_push(&store->submitted, job);
    store->waiting++;
    return true;
}

bool
wk_store_is_full(const struct wk_store *store)
{
    /* a quarter stays free, so that what was begun can be settled */
    return store->waiting >= store->queue_max - store->queue_max / 4;
}

bool
wk_store_is_quiet(const struct wk_store *store)
{
    return store->waiting == 0;
}

static bool
store_start_threads(struct wk_store *store, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_thread *thread = &store->threads[i];

        thread->store       = store;
        thread->link.conf   = store->conf;
        thread->link.was_up = true;
        thread->batch       = wk_batch_new();
        if (thread->batch == NULL || !wk_db_init(&thread->link.db)) {
            wk_batch_free(thread->batch);
            return false;
        }
        if (uv_thread_create(&thread->thread, thread_main, thread) != 0) {
            wk_db_deinit(&thread->link.db);
            wk_batch_free(thread->batch);
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
    (void) uv_prepare_init(loop, &store->prepare);
    (void) uv_prepare_start(&store->prepare, store_on_prepare);
    uv_unref((uv_handle_t *) &store->prepare);
    store->prepare.data = store;
    store->conf         = conf;
    store->queue_max    = (size_t) ph_conf_number(conf, PH_CONF_store_queue);
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
    store_hand_over(store);
    store->is_closed = true;
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
    uv_close((uv_handle_t *) &store->prepare, NULL);
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

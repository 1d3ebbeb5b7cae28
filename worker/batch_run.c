/*
 * batch_run.c - rounds: a transaction of many jobs, tried until it commits.
 *
 *   try: ask, read, plan, uniques, rows, COMMIT
 *          |                  |       '- not all moved: who raced goes out,
 * again |                  '- a key has another owner: who lost goes out
 *          '- refused: the job that the server names runs alone, else halves
 *
 * Invariants:
 *   1. A round is tried again only after ROLLBACK or a lost connection before
 *      COMMIT was sent; never once COMMIT left.
 *   2. Who goes out of a round is planned again in a later one; each such
 *      return is counted, and the job fails after BATCH_ROUNDS_MAX.
 */
#include "libpayhub/io/log.h"
#include "worker/batch_int.h"
#include "worker/crash.h"

#define BATCH_ROUNDS_MAX 16 /* a job that loses every time */
#define BATCH_TRIES_MAX 16  /* of a round that others go out of */
#define BATCH_WAITS_MAX 8   /* lock waits that ran out, of one call */

enum round_end {
    ROUND_DONE,
    ROUND_UNKNOWN,
    ROUND_AGAIN,    /* with fewer, or with rows as they are now */
    ROUND_DEADLOCK, /* the same again */
    ROUND_AWAY,
    ROUND_REFUSED
};

struct batch_queue {
    struct wk_store_job *pending[WK_BATCH_JOBS_MAX];
    size_t               count;
    size_t               limit; /* jobs of a round */
    bool                 is_row_by_row;
    unsigned             tries; /* of this round */
    unsigned             waits;
};

static void
try_clear(struct wk_batch *batch)
{
    batch->want_count   = 0;
    batch->row_count    = 0;
    batch->unique_count = 0;
    batch->work_count   = 0;
    memset(batch->statement, 0, sizeof(batch->statement));
    for (size_t i = 0; i < batch->touched_count; i++) {
        batch->touched[batch->touched_slot[i]].id = ph_str_make(NULL, 0);
    }
    batch->touched_count = 0;
    for (size_t i = 0; i < batch->entry_count; i++) {
        struct batch_entry *entry = &batch->entry[i];

        if (entry->state == ENTRY_LATER) {
            entry->state = ENTRY_IN;
        }
        entry->uniques = 0;
        entry->planned = 0;
    }
}

static enum round_end
try_fail(struct wk_batch *batch)
{
    struct wk_db  *db  = batch->db;
    enum round_end end = wk_db_is_lost(db)       ? ROUND_AWAY
                         : wk_db_is_deadlock(db) ? ROUND_DEADLOCK
                                                 : ROUND_REFUSED;

    if (end == ROUND_REFUSED) {
        ph_log(PH_LOG_WARN, "store_job_failed", { "why", ph_str_z(db->error) });
    }
    wk_link_rollback(batch->link);
    return end;
}

static void
try_ask(struct wk_batch *batch)
{
    for (unsigned i = 0; i < batch->entry_count; i++) {
        struct batch_entry *entry = &batch->entry[i];

        batch->at = i;
        if (entry->state == ENTRY_IN && entry->job->ask != NULL) {
            entry->job->ask(batch, entry->job);
        }
    }
}

static void
try_plan(struct wk_batch *batch)
{
    for (unsigned i = 0; i < batch->entry_count; i++) {
        struct batch_entry *entry = &batch->entry[i];

        batch->at = i;
        if (entry->state != ENTRY_IN) {
            continue;
        }
        enum wk_plan plan = entry->job->plan(batch, entry->job);

        if (entry->state != ENTRY_IN) {
            continue; /* it was told that it cannot be in this one */
        }
        if (plan == WK_PLAN_AGAIN) {
            entry->state = ENTRY_OUT;
            entry->job->rounds++;
        } else if (plan == WK_PLAN_FAILED) {
            entry->state = ENTRY_FAILED;
        }
    }
}

static size_t
planned(const struct wk_batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->entry_count; i++) {
        if (batch->entry[i].state == ENTRY_IN) {
            count += batch->entry[i].planned;
        }
    }
    return count;
}

static void
try_crash_points(const struct wk_batch *batch, bool is_after)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct batch_entry *entry = &batch->entry[i];

        if (entry->state == ENTRY_IN) {
            wk_crash_point(is_after ? entry->job->crash_after
                                    : entry->job->crash_before);
        }
    }
}

static enum round_end
try_commit(struct wk_batch *batch)
{
    try_crash_points(batch, false);
    switch (wk_link_commit(batch->link)) {
    case WK_COMMIT_UNKNOWN:
        return ROUND_UNKNOWN;
    case WK_COMMIT_UNDONE:
        return ROUND_DEADLOCK;
    case WK_COMMIT_DONE:
        break;
    }
    try_crash_points(batch, true);
    return ROUND_DONE;
}

static enum round_end
round_try(struct wk_batch *batch)
{
    bool again;

    try_clear(batch);
    if (!wk_link_connect(batch->link)) {
        return ROUND_AWAY;
    }
    try_ask(batch);
    if (!batch_read(batch)) {
        return try_fail(batch);
    }
    try_plan(batch);
    if (planned(batch) == 0) { /* who only read has what it wants */
        wk_link_rollback(batch->link);
        return ROUND_DONE;
    }
    if (!batch_write_uniques(batch, &again)) {
        return try_fail(batch);
    }
    if (again) {
        wk_link_rollback(batch->link);
        return ROUND_AGAIN;
    }
    if (!batch_write_rows(batch)) {
        return try_fail(batch);
    }
    if (!batch_all_moved(batch)) {
        wk_link_rollback(batch->link);
        return batch_find_raced(batch) ? ROUND_AGAIN : try_fail(batch);
    }
    return try_commit(batch);
}

/* ---- jobs ---- */

struct batch_ended {
    void (*call)(void *data, struct wk_store_job *job);
    void *data;
};

static void
queue_end(struct batch_queue *queue, size_t i, enum wk_store_outcome outcome,
          const struct batch_ended *ended)
{
    struct wk_store_job *job = queue->pending[i];

    assert(job != NULL);
    queue->pending[i] = NULL;
    job->outcome      = outcome;
    ended->call(ended->data, job);
}

static void
queue_pack(struct batch_queue *queue)
{
    size_t kept = 0;

    for (size_t i = 0; i < queue->count; i++) {
        if (queue->pending[i] != NULL) {
            queue->pending[kept++] = queue->pending[i];
        }
    }
    queue->count = kept;
}

/* Those that the server named run alone, after the others. */
static void
round_begin(struct wk_batch *batch, struct batch_queue *queue)
{
    batch->entry_count = 0;
    queue->tries       = 0;
    for (size_t i = 0; i < queue->count && batch->entry_count < queue->limit;
         i++) {
        if (!queue->pending[i]->is_alone) {
            batch->entry[batch->entry_count++]
                = (struct batch_entry){ .job = queue->pending[i] };
        }
    }
    if (batch->entry_count == 0 && queue->count != 0) {
        batch->entry[batch->entry_count++]
            = (struct batch_entry){ .job = queue->pending[0] };
    }
}

static size_t
queue_find(const struct batch_queue *queue, const struct wk_store_job *job)
{
    size_t i = 0;

    while (queue->pending[i] != job) {
        i++;
    }
    return i;
}

static void
round_over(struct wk_batch *batch, struct batch_queue *queue,
           enum round_end end, const struct batch_ended *ended)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct batch_entry *entry = &batch->entry[i];
        size_t                    at    = queue_find(queue, entry->job);

        if (entry->state == ENTRY_IN) {
            queue_end(queue, at,
                      end == ROUND_DONE || entry->planned == 0
                          ? WK_STORE_DONE
                          : WK_STORE_UNKNOWN,
                      ended);
        } else if (entry->state == ENTRY_FAILED
                   || entry->job->rounds > BATCH_ROUNDS_MAX)
        {
            queue_end(queue, at, WK_STORE_FAILED, ended);
        }
    }
    ended->call(ended->data, NULL);
    queue_pack(queue);
    queue->limit = queue->is_row_by_row ? 1 : WK_BATCH_JOBS_MAX;
    round_begin(batch, queue);
}

/* Proof that nothing stands: every try was rolled back. */
static void
round_give_up(struct wk_batch *batch, struct batch_queue *queue,
              const struct batch_ended *ended)
{
    for (size_t i = 0; i < batch->entry_count; i++) {
        queue_end(queue, queue_find(queue, batch->entry[i].job),
                  WK_STORE_FAILED, ended);
    }
    queue_pack(queue);
    round_begin(batch, queue);
}

/* The same, of those that were not tried, too. */
static void
give_up_all(struct batch_queue *queue, const struct batch_ended *ended)
{
    for (size_t i = 0; i < queue->count; i++) {
        queue_end(queue, i, WK_STORE_FAILED, ended);
    }
    queue->count = 0;
}

static void
round_split(struct wk_batch *batch, struct batch_queue *queue, size_t limit,
            const struct batch_ended *ended)
{
    if (batch->entry_count == 1) {
        round_give_up(batch, queue, ended);
        return;
    }
    queue->limit = limit;
    round_begin(batch, queue);
}

static void
round_refused(struct wk_batch *batch, struct batch_queue *queue,
              const struct batch_ended *ended)
{
    unsigned named = batch_refused_entry(batch);

    if (named < batch->entry_count && batch->entry_count > 1
        && queue->tries++ < BATCH_TRIES_MAX)
    {
        batch->entry[named].state         = ENTRY_OUT;
        batch->entry[named].job->is_alone = true;
        return;
    }
    round_split(batch, queue, batch->entry_count / 2, ended);
}

static void
round_wait(struct wk_batch *batch, struct batch_queue *queue,
           const struct batch_ended *ended)
{
    struct wk_store_job *job = batch->entry[0].job;

    if (++queue->waits == BATCH_WAITS_MAX) {
        give_up_all(queue, ended);
        return;
    }
    if (batch->entry_count == 1) {
        if (++job->waits == WK_LINK_WAITS_MAX) {
            round_give_up(batch, queue, ended);
            return;
        }
        job->is_alone = true;
    }
    queue->is_row_by_row = true;
    queue->limit         = 1;
    round_begin(batch, queue);
}

static void
round_deadlock(struct wk_batch *batch, struct batch_queue *queue,
               const struct batch_ended *ended)
{
    /* who waits for one row must not hold up the others again */
    if (wk_db_is_lock_wait(batch->db)) {
        round_wait(batch, queue, ended);
        return;
    }
    if (++queue->tries < WK_LINK_TRIES_MAX) {
        wk_link_pause(queue->tries);
        return;
    }
    queue->is_row_by_row = true;
    round_split(batch, queue, 1, ended);
}

static void
round_away(struct wk_batch *batch, struct batch_queue *queue,
           const struct batch_ended *ended)
{
    wk_link_disconnect(batch->link);
    if (++queue->tries < WK_LINK_TRIES_MAX) {
        wk_link_pause(queue->tries);
        return;
    }
    give_up_all(queue, ended);
}

void
wk_batch_run(struct wk_batch *batch, struct wk_link *link,
             struct wk_store_job **jobs, size_t                         count,
             void (*ended)(void *data, struct wk_store_job *job), void *data)
{
    const struct batch_ended told = { ended, data };
    struct batch_queue queue = { .count = count, .limit = WK_BATCH_JOBS_MAX };

    batch->link = link;
    batch->db   = &link->db;
    for (size_t i = 0; i < count; i++) {
        queue.pending[i] = jobs[i];
    }
    round_begin(batch, &queue);
    while (queue.count != 0) {
        enum round_end end = round_try(batch);

        switch (end) {
        case ROUND_DONE:
        case ROUND_UNKNOWN:
            round_over(batch, &queue, end, &told);
            break;
        case ROUND_AGAIN:
            if (++queue.tries > BATCH_TRIES_MAX) {
                round_split(batch, &queue, batch->entry_count / 2, &told);
            }
            break;
        case ROUND_DEADLOCK:
            round_deadlock(batch, &queue, &told);
            break;
        case ROUND_AWAY:
            round_away(batch, &queue, &told);
            break;
        case ROUND_REFUSED:
            round_refused(batch, &queue, &told);
            break;
        }
    }
}

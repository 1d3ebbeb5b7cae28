/*
 * queue.c - handing batches over, with one lock held only to hand over.
 */
#include "sidecar/queue.h"

#include <time.h>

#include "libpayhub/io/daemon.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static bool
cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    return pthread_condattr_init(&attr) == 0
           && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0
           && pthread_cond_init(cond, &attr) == 0
           && pthread_condattr_destroy(&attr) == 0;
}

bool
bl_queue_init(struct bl_queue *queue, uint64_t batch, uint64_t batch_wait_ms)
{
    memset(queue, 0, sizeof(*queue));
    queue->batch         = batch;
    queue->batch_wait_ns = batch_wait_ms * NS_PER_MS;
    return pthread_mutex_init(&queue->lock, NULL) == 0
           && cond_init(&queue->work) && cond_init(&queue->room)
           && bl_sums_init(&queue->sums[0]) && bl_sums_init(&queue->sums[1]);
}

void
bl_queue_deinit(struct bl_queue *queue)
{
    bl_sums_deinit(&queue->sums[0]);
    bl_sums_deinit(&queue->sums[1]);
    (void) pthread_cond_destroy(&queue->work);
    (void) pthread_cond_destroy(&queue->room);
    (void) pthread_mutex_destroy(&queue->lock);
}

static void
lock(struct bl_queue *queue)
{
    (void) pthread_mutex_lock(&queue->lock);
}

static void
unlock(struct bl_queue *queue)
{
    (void) pthread_mutex_unlock(&queue->lock);
}

/* when the open batch is due: 0 = now, UINT64_MAX = there is none */
static uint64_t
due_ns(const struct bl_queue *queue)
{
    const struct bl_sums *sums = &queue->sums[queue->open];

    if (queue->in_transaction
        || (sums->transactions == 0 && !queue->is_touched)) {
        return UINT64_MAX;
    }
    if (queue->is_flushing || sums->transactions >= queue->batch) {
        return 0;
    }
    return sums->first_ns
           + (bl_sums_is_idle(sums) ? BL_IDLE_WAIT_MS * NS_PER_MS
                                    : queue->batch_wait_ns);
}

/* Wakes the applier when it would otherwise sleep past the due time. */
static void
applier_wake(struct bl_queue *queue)
{
    if (!queue->is_applying && due_ns(queue) < queue->wait_until_ns) {
        queue->wait_until_ns = 0;
        (void) pthread_cond_signal(&queue->work);
    }
}

struct bl_sums *
bl_queue_begin(struct bl_queue *queue, bool settled)
{
    struct bl_sums *sums;

    lock(queue);
    for (;;) {
        sums = &queue->sums[queue->open];
        if (queue->is_stopping || queue->has_failed) {
            sums = NULL;
            break;
        }
        bool full = sums->transactions >= queue->batch * BL_BATCH_GROWTH
                    || sums->cells.used >= BL_CELLS_MAX / 2
                    || sums->dims >= BL_DIMS_MAX / 2
                    || sums->xids >= BL_XIDS_MAX;
        if (!full && !(settled && sums->has_pending)) {
            queue->in_transaction = true;
            break;
        }
        queue->is_flushing = true;
        applier_wake(queue);
        (void) pthread_cond_wait(&queue->room, &queue->lock);
    }
    unlock(queue);
    return sums;
}

void
bl_queue_end(struct bl_queue *queue)
{
    lock(queue);
    struct bl_sums *sums = &queue->sums[queue->open];
    if (sums->first_ns == 0) {
        sums->first_ns = ph_monotonic_ns();
    }
    queue->in_transaction = false;
    applier_wake(queue);
    unlock(queue);
}

void
bl_queue_touch(struct bl_queue *queue, uint64_t at_ms)
{
    lock(queue);
    struct bl_sums *sums = &queue->sums[queue->open];
    if (!queue->in_transaction) {
        sums->at_ms = at_ms > sums->at_ms ? at_ms : sums->at_ms;
        if (sums->first_ns == 0) {
            sums->first_ns = ph_monotonic_ns();
        }
        queue->is_touched = true;
        applier_wake(queue);
    }
    unlock(queue);
}

void
bl_queue_rest(struct bl_queue *queue)
{
    lock(queue);
    queue->in_transaction = true; /* keeps the applier off the open batch */
    while (queue->is_applying) {
        (void) pthread_cond_wait(&queue->room, &queue->lock);
    }
    bl_sums_clear(&queue->sums[queue->open]);
    queue->is_touched     = false;
    queue->is_flushing    = false;
    queue->has_failed     = false;
    queue->in_transaction = false;
    unlock(queue);
}

void
bl_queue_start(struct bl_queue *queue, const struct bl_position *position)
{
    lock(queue);
    struct bl_sums *sums = &queue->sums[queue->open];
    sums->position       = *position;
    sums->at_ms          = 0;
    sums->hint[0]        = '\0';
    unlock(queue);
}

bool
bl_queue_flush(struct bl_queue *queue)
{
    lock(queue);
    while (
        !queue->is_stopping && !queue->has_failed
        && (queue->is_applying || queue->sums[queue->open].transactions != 0))
    {
        queue->is_flushing = true;
        applier_wake(queue);
        (void) pthread_cond_wait(&queue->room, &queue->lock);
    }
    bool ok = !queue->is_stopping && !queue->has_failed;
    unlock(queue);
    return ok;
}

bool
bl_queue_is_down(struct bl_queue *queue)
{
    lock(queue);
    bool down = queue->has_failed || queue->is_stopping;
    unlock(queue);
    return down;
}

static struct timespec
timespec_of(uint64_t ns)
{
    return (struct timespec){ (time_t) (ns / NS_PER_S),
                              (long) (ns % NS_PER_S) };
}

bool
bl_queue_pause(struct bl_queue *queue, uint64_t ms)
{
    uint64_t        until_ns = ph_monotonic_ns() + ms * NS_PER_MS;
    struct timespec until    = timespec_of(until_ns);

    lock(queue);
    while (!queue->is_stopping && ph_monotonic_ns() < until_ns) {
        (void) pthread_cond_timedwait(&queue->room, &queue->lock, &until);
    }
    bool go_on = !queue->is_stopping;
    unlock(queue);
    return go_on;
}

static void
work_wait(struct bl_queue *queue, uint64_t until_ns)
{
    queue->wait_until_ns = until_ns;
    if (until_ns == UINT64_MAX) {
        (void) pthread_cond_wait(&queue->work, &queue->lock);
    } else {
        struct timespec until
            = { (time_t) (until_ns / NS_PER_S), (long) (until_ns % NS_PER_S) };

        (void) pthread_cond_timedwait(&queue->work, &queue->lock, &until);
    }
    queue->wait_until_ns = 0;
}

/* The reader goes on in the other batch, from where this one ends. */
static struct bl_sums *
batches_swap(struct bl_queue *queue)
{
    struct bl_sums *taken = &queue->sums[queue->open];
    struct bl_sums *fresh = &queue->sums[queue->open ^ 1];

    queue->open ^= 1;
    queue->is_applying = true;
    queue->is_touched  = false;
    queue->is_flushing = false;
    bl_sums_clear(fresh);
    fresh->position = taken->position;
    fresh->at_ms    = taken->at_ms;
    memcpy(fresh->hint, taken->hint, sizeof(fresh->hint));
    (void) pthread_cond_signal(&queue->room);
    return taken;
}

struct bl_sums *
bl_queue_take(struct bl_queue *queue)
{
    struct bl_sums *taken = NULL;

    lock(queue);
    while (taken == NULL && !queue->is_stopping) {
        uint64_t due = queue->has_failed ? UINT64_MAX : due_ns(queue);

        if (due != UINT64_MAX && (due == 0 || due <= ph_monotonic_ns())) {
            taken = batches_swap(queue);
        } else {
            work_wait(queue, due);
        }
    }
    unlock(queue);
    return taken;
}

void
bl_queue_done(struct bl_queue *queue, bool ok)
{
    lock(queue);
    queue->is_applying = false;
    queue->has_failed |= !ok;
    (void) pthread_cond_signal(&queue->room);
    unlock(queue);
}

void
bl_queue_stop(struct bl_queue *queue)
{
    lock(queue);
    queue->is_stopping = true;
    (void) pthread_cond_broadcast(&queue->work);
    (void) pthread_cond_broadcast(&queue->room);
    unlock(queue);
}

void
bl_queue_tune(struct bl_queue *queue, uint64_t batch, uint64_t batch_wait_ms)
{
    lock(queue);
    queue->batch         = batch;
    queue->batch_wait_ns = batch_wait_ms * NS_PER_MS;
    unlock(queue);
}

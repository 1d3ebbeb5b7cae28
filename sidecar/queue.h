/*
 * queue.h - two batches between the reader and the applier.
 *
 * The reader adds transactions to the open batch while the applier has the
 * other one in Redis.  A batch is due at sidecar.batch transactions or
 * sidecar.batch_wait; while the applier is busy it may grow further, up to
 * BL_BATCH_GROWTH times as many, then the reader waits.  A transaction is
 * never split.  The applier cannot take a batch that has a transaction open.
 */
#ifndef SIDECAR_QUEUE_H
#define SIDECAR_QUEUE_H

#include <pthread.h>

#include "sidecar/sums.h"

#define BL_BATCH_GROWTH 16
#define BL_IDLE_WAIT_MS 1000 /* a batch that moves the position only */

struct bl_queue {
    pthread_mutex_t lock;
    pthread_cond_t  work; /* the applier waits for a due batch */
    pthread_cond_t  room; /* the reader waits for the applier */
    struct bl_sums  sums[2];
    unsigned        open;           /* which one the reader fills */
    bool            in_transaction; /* the reader is inside of one */
    bool            is_applying;    /* the applier has the other one */
    bool            is_touched;     /* at_ms alone is news */
    bool            is_flushing;    /* due at once */
    bool            has_failed;     /* the applier could not; see rest() */
    bool            is_stopping;
    uint64_t        wait_until_ns; /* of the waiting applier */
    uint64_t        batch;
    uint64_t        batch_wait_ns;
};

bool bl_queue_init(struct bl_queue *queue, uint64_t batch,
                   uint64_t batch_wait_ms);
void bl_queue_deinit(struct bl_queue *queue);

/* Reader. */

/* NULL = stopped or failed.  settled: not into a batch with pending XA rows */
struct bl_sums *bl_queue_begin(struct bl_queue *queue, bool settled);
void            bl_queue_end(struct bl_queue *queue);

/* Nothing was committed until at_ms that the counters lack. */
void bl_queue_touch(struct bl_queue *queue, uint64_t at_ms);

/*
 * Waits until the applier rests, throws the open batch away and clears a
 * failure: the reader then owns the sink until its next begin().
 */
void bl_queue_rest(struct bl_queue *queue);

/* Where the next batch starts; after rest(). */
void bl_queue_start(struct bl_queue *queue, const struct bl_position *position);

/* Waits until all that was read is applied; false = failed or stopped. */
bool bl_queue_flush(struct bl_queue *queue);

/* Nothing more can be read into it: stopped, or failed. */
bool bl_queue_is_down(struct bl_queue *queue);

/* Sleeps; false = stopped meanwhile. */
bool bl_queue_pause(struct bl_queue *queue, uint64_t ms);

/* Applier. */

/* the next due batch; NULL = stopped */
struct bl_sums *bl_queue_take(struct bl_queue *queue);
void            bl_queue_done(struct bl_queue *queue, bool ok);

/* Any thread. */
void bl_queue_stop(struct bl_queue *queue);
void bl_queue_tune(struct bl_queue *queue, uint64_t batch,
                   uint64_t batch_wait_ms);

#endif

/*
 * count.h - row changes of the table `payment` into the sums of a batch.
 *
 * Every happening (domain/counter.h) has its own time column.  A row counts
 * once in the bucket of each that is not NULL; so a change moves the sums by
 * the after image minus the before image, whatever statement made it.
 *
 * Columns are bound by name, once a table map.  What cannot be counted right
 * (no names in the log, a missing column, a partial image) ends the run.
 */
#ifndef SIDECAR_COUNT_H
#define SIDECAR_COUNT_H

#include "sidecar/decoder.h"
#include "sidecar/sums.h"

/* Where batches come from; the queue, or a test. */
struct bl_batches {
    void *context;
    /* sums to add a transaction to; `settled` = a batch with no pending XA
     * rows; NULL = the run ends (stop, or Redis failed) */
    struct bl_sums *(*begin)(void *context, bool settled);
    void (*end)(void *context); /* the transaction is whole */
};

/* what the transaction under way has added to a cell */
struct bl_undo {
    uint64_t key;
    int64_t  count;
    int64_t  amount;
};

#define BL_UNDO_MAX (1u << 20) /* beyond it a cut transaction is refused */

struct bl_count {
    struct bl_batches batches;
    struct ph_str     database;
    struct bl_sums   *sums; /* of the transaction under way */
    uint8_t           xa;   /* its number in sums->xid, 0 = counted now */
    uint64_t          rows_at_begin;
    size_t            xids_at_begin;
    bool              pending_at_begin;
    bool              was_cut; /* no end may come before the next begin */
    struct bl_undo   *undo;    /* grows to the largest transaction */
    size_t            undo_used;
    size_t            undo_size;
    bool              undo_lost; /* it was larger than BL_UNDO_MAX */
    const char       *unsure; /* found between transactions; the next tells */
    /* the counters may be wrong from here on; may be NULL */
    void (*alarm)(const struct bl_decoder *decoder, const char *what);
    /* a transaction without an end was left out; may be NULL */
    void (*cut)(const struct bl_decoder *decoder);
};

/* Gives its memory back; it starts zeroed but for what its owner sets. */
void bl_count_deinit(struct bl_count *count);

/* a visitor that counts; `count` outlives it */
struct bl_visitor bl_count_visitor(struct bl_count *count);

/* A statement that changes rows of DATABASE.payment without row events. */
bool bl_query_is_unsure(const struct bl_query *query, struct ph_str database);

#endif

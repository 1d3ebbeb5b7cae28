/*
 * batch.c - what jobs want and plan, kept until the packets are made.
 *
 * Invariant: an id that is moved or worked at belongs to one entry of a
 * transaction; who comes second is planned again in a later one.
 */
#include "worker/batch_int.h"

#include <stdlib.h>

struct wk_batch *
wk_batch_new(void)
{
    return calloc(1, sizeof(struct wk_batch));
}

void
wk_batch_free(struct wk_batch *batch)
{
    free(batch);
}

uint64_t
wk_batch_now_ms(const struct wk_batch *batch)
{
    return batch->db->now_ms;
}

void
wk_batch_want(struct wk_batch *batch, struct wk_want *want)
{
    want->entry      = batch->at;
    want->found      = WK_FOUND_NONE;
    want->hash       = ph_str_make(NULL, 0);
    want->app        = (struct wk_app_row){ 0 };
    want->payment_id = want->attempt_ids = want->refund_id = want->app_id
        = want->attempt_id = ph_str_make(NULL, 0);
    want->is_loaded        = false;
    if (batch->want_count == BATCH_WANTS_MAX) {
        batch->entry[batch->at].state = ENTRY_LATER;
        return;
    }
    batch->want[batch->want_count++] = want;
}

/* ---- who touches what ---- */

static unsigned
id_hash(struct ph_str id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < id.len; i++) {
        hash = (hash ^ (unsigned char) id.ptr[i]) * UINT64_C(1099511628211);
    }
    return (unsigned) (hash ^ (hash >> 32));
}

/* false = another entry of this transaction has it */
static bool
touch(struct wk_batch *batch, struct ph_str id)
{
    unsigned slot = id_hash(id) % BATCH_TOUCHED_SLOTS;

    while (batch->touched[slot].id.ptr != NULL) {
        if (ph_str_eq(batch->touched[slot].id, id)) {
            if (batch->touched[slot].entry == batch->at) {
                return true;
            }
            batch->entry[batch->at].state = ENTRY_LATER;
            return false;
        }
        slot = (slot + 1) % BATCH_TOUCHED_SLOTS;
    }
    if (batch->touched_count == PH_COUNT(batch->touched_slot)) {
        batch->entry[batch->at].state = ENTRY_LATER;
        return false;
    }
    batch->touched[slot].id                     = id;
    batch->touched[slot].entry                  = batch->at;
    batch->touched_slot[batch->touched_count++] = slot;
    return true;
}

/* ---- plans ---- */

static bool
has_room(struct wk_batch *batch, size_t count, size_t count_max)
{
    if (batch->entry[batch->at].state == ENTRY_IN && count < count_max) {
        return true;
    }
    batch->entry[batch->at].state = ENTRY_LATER;
    return false;
}

bool
wk_batch_unique(struct wk_batch *batch, enum wk_unique unique,
                const struct ph_str key[3], struct ph_str owner,
                struct ph_str hash)
{
    if (!has_room(batch, batch->unique_count, BATCH_UNIQUES_MAX)) {
        return false;
    }
    batch->unique[batch->unique_count++]
        = (struct batch_unique){ .row
                                 = { { key[0], key[1], key[2] }, owner, hash },
                                 .unique = unique,
                                 .entry  = batch->at };
    batch->entry[batch->at].uniques++;
    batch->entry[batch->at].planned++;
    return true;
}

/* The order in which tables are locked, the same on every connection. */
static unsigned
table_rank(const struct wk_table *table)
{
    const struct wk_table *const tables[]
        = { &wk_payment_table, &wk_attempt_table, &wk_refund_table,
            &wk_task_table };
    unsigned rank = 0;

    while (rank < PH_COUNT(tables) && tables[rank] != table) {
        rank++;
    }
    /* what is only inserted comes last, in any order that is always the same */
    return rank < PH_COUNT(tables)
               ? rank
               : rank + (unsigned) (unsigned char) table->name[0] * 256
                     + (unsigned) (unsigned char) table->name[1];
}

static bool
row_add(struct wk_batch *batch, enum row_kind kind,
        const struct wk_table *table, const void *before, const void *after)
{
    if (!has_room(batch, batch->row_count, BATCH_ROWS_MAX)) {
        return false;
    }
    struct ph_str id = wk_row_id(table, after);

    if (kind == ROW_MOVE && !touch(batch, id)) {
        return false;
    }
    batch->row[batch->row_count++]
        = (struct batch_row){ .kind  = kind,
                              .rank  = table_rank(table),
                              .entry = batch->at,
                              .table = table,
                              .move  = { before, after, 0 },
                              .id    = id };
    batch->entry[batch->at].planned++;
    return true;
}

bool
wk_batch_insert(struct wk_batch *batch, const struct wk_table *table,
                const void *row)
{
    return row_add(batch, ROW_INSERT, table, row, row);
}

bool
wk_batch_insert_once(struct wk_batch *batch, const struct wk_table *table,
                     const void *row)
{
    return row_add(batch, ROW_ONCE, table, row, row);
}

static struct ph_str
status_of(const struct wk_table *table, const void *row)
{
    const struct wk_column *column = wk_column_find(table, "status");

    return column != NULL ? wk_member_text(column, row) : PH_STR("");
}

bool
wk_batch_move(struct wk_batch *batch, const struct wk_table *table,
              const void *before, const void *after, struct ph_str sources,
              int64_t fence)
{
    if (!row_add(batch, ROW_MOVE, table, before, after)) {
        return false;
    }
    struct batch_row *row = &batch->row[batch->row_count - 1];

    row->is_one_source = sources.ptr == NULL;
    row->sources    = row->is_one_source ? status_of(table, before) : sources;
    row->move.fence = fence;
    return true;
}

static bool
work_add(struct wk_batch *batch, enum work_kind kind, struct ph_str id,
         enum wk_queue queue, uint64_t due_ms)
{
    if (!has_room(batch, batch->work_count, BATCH_WORKS_MAX)
        || !touch(batch, id)) {
        return false;
    }
    batch->work[batch->work_count++]
        = (struct batch_work){ kind, batch->at, id, queue, due_ms };
    batch->entry[batch->at].planned++;
    return true;
}

bool
wk_batch_work_put(struct wk_batch *batch, struct ph_str id, enum wk_queue queue,
                  uint64_t due_ms)
{
    return work_add(batch, WORK_PUT, id, queue, due_ms);
}

bool
wk_batch_work_forward(struct wk_batch *batch, struct ph_str id, uint64_t due_ms)
{
    return work_add(batch, WORK_FORWARD, id, WK_QUEUE_LOOK, due_ms);
}

bool
wk_batch_work_rest(struct wk_batch *batch, struct ph_str id)
{
    return work_add(batch, WORK_REST, id, WK_QUEUE_LOOK, 0);
}

/*
 * batch_write.c - the packets that write: keys that are taken once, then rows
 * and work; and what it was when they did not affect what they should.
 */
#include <stdlib.h>

#include "worker/batch_int.h"

#define WRITE_INSERT_ROWS_MAX 512 /* of one INSERT */
#define WRITE_SOURCES_MAX 64

static const struct wk_unique_table unique_tables[WK_UNIQUES] = {
    [WK_PAYMENT_NO]    = { "payment_no",
                           { "app_id", "order_no", NULL },
                           2,
                           "payment_id",
                           "request_hash" },
    [WK_REFUND_NO]     = { "refund_no",
                           { "app_id", "refund_no", NULL },
                           2,
                           "refund_id",
                           "request_hash" },
    [WK_CHANNEL_TRADE] = { "channel_trade",
                           { "channel", "account_id", "trade_no" },
                           3,
                           "attempt_id",
                           NULL },
    [WK_NOTICE_SEEN]   = { "notice_seen",
                           { "account_id", "notice_id", NULL },
                           2,
                           "event_id",
                           NULL },
};

static bool
is_in(const struct wk_batch *batch, unsigned entry)
{
    return batch->entry[entry].state == ENTRY_IN;
}

/* ---- uniques ---- */

static int
key_order(const struct wk_sql_unique *a, const struct wk_sql_unique *b)
{
    int order = ph_str_cmp(a->key[0], b->key[0]);

    order = order != 0 ? order : ph_str_cmp(a->key[1], b->key[1]);
    return order != 0 ? order : ph_str_cmp(a->key[2], b->key[2]);
}

static int
unique_order(const void *a, const void *b)
{
    const struct batch_unique *left  = *(const struct batch_unique *const *) a;
    const struct batch_unique *right = *(const struct batch_unique *const *) b;

    if (left->unique != right->unique) {
        return left->unique < right->unique ? -1 : 1;
    }
    int order = key_order(&left->row, &right->row);

    /* two of one batch: who came first has it */
    return order != 0 ? order : (left > right) - (left < right);
}

static size_t
uniques_sort(struct wk_batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->unique_count; i++) {
        if (is_in(batch, batch->unique[i].entry)) {
            batch->sorted_unique[count++] = &batch->unique[i];
        }
    }
    qsort(batch->sorted_unique, count, sizeof(batch->sorted_unique[0]),
          unique_order);
    return count;
}

/* The owner is another's.  Of this very batch: then nothing is decided yet, all
 * the less when that one has to go. */
static bool
unique_lose(struct wk_batch *batch, const struct batch_unique *loser,
            struct ph_str owner)
{
    struct batch_entry *entry    = &batch->entry[loser->entry];
    bool                is_local = false, has_more = entry->uniques > 1;

    for (size_t i = 0; i < batch->unique_count && !is_local; i++) {
        const struct batch_unique *other = &batch->unique[i];

        is_local = other->unique == loser->unique
                   && other->entry != loser->entry
                   && ph_str_eq(other->row.owner, owner)
                   && key_order(&other->row, &loser->row) == 0;
    }
    if (!is_local) {
        entry->job->lost |= 1u << loser->unique;
        entry->job->rounds++;
    }
    entry->state = is_local && !has_more ? ENTRY_LATER : ENTRY_OUT;
    return has_more; /* its other keys stand: the transaction has to go */
}

static bool
owners_read(struct wk_batch *batch, size_t answer, size_t keys,
            const struct batch_unique *const *rows, size_t count, bool *again)
{
    struct ph_str texts[4];
    size_t        known = 0;

    while (wk_db_next(batch->db, answer, texts, keys + 1)) {
        struct wk_sql_unique found = { .owner = texts[keys] };

        for (size_t k = 0; k < keys; k++) {
            found.key[k] = texts[k];
        }
        for (size_t i = 0; i < count; i++) {
            if (key_order(&rows[i]->row, &found) != 0) {
                continue;
            }
            known++;
            if (!ph_str_eq(rows[i]->row.owner, found.owner)
                && is_in(batch, rows[i]->entry)) {
                *again |= unique_lose(batch, rows[i], found.owner);
            }
        }
    }
    return known == count;
}

/* The rows of one table, from `from` on, whose INSERT affected fewer. */
static bool
losers_find(struct wk_batch *batch, enum wk_unique unique, size_t from,
            size_t count, bool *again)
{
    const struct wk_unique_table *table = &unique_tables[unique];
    const struct wk_sql_unique   *rows[BATCH_UNIQUES_MAX];

    for (size_t i = 0; i < count; i++) {
        rows[i] = &batch->sorted_unique[from + i]->row;
    }
    wk_db_clear(batch->db);
    wk_batch_sql_owners(&batch->db->sql, table, rows, count);
    wk_sql_end(batch->db);
    if (!wk_db_run(batch->db)) {
        return false;
    }
    if (!owners_read(batch, 0, table->key_count, &batch->sorted_unique[from],
                     count, again))
    {
        *again = true; /* went away while we looked */
    }
    return true;
}

bool
batch_write_uniques(struct wk_batch *batch, bool *again)
{
    struct wk_db *db    = batch->db;
    size_t        count = uniques_sort(batch), groups = 0;
    size_t        from[WK_UNIQUES + 1], affected[WK_UNIQUES];

    *again = false;
    wk_db_clear(db);
    for (size_t i = 0; i < count; groups++) {
        const struct wk_sql_unique *rows[BATCH_UNIQUES_MAX];
        enum wk_unique              unique = batch->sorted_unique[i]->unique;

        for (from[groups] = i;
             i < count && batch->sorted_unique[i]->unique == unique; i++)
        {
            rows[i - from[groups]] = &batch->sorted_unique[i]->row;
        }
        wk_batch_sql_unique(&db->sql, &unique_tables[unique], rows,
                            i - from[groups]);
        wk_sql_end(db);
    }
    from[groups] = count;
    if (groups == 0) {
        return true;
    }
    if (!wk_db_run(db)) {
        return false;
    }
    for (size_t i = 0; i < groups; i++) {
        affected[i] = (size_t) db->answer[i].affected;
    }
    for (size_t i = 0; i < groups; i++) {
        if (affected[i] < from[i + 1] - from[i]
            && !losers_find(batch, batch->sorted_unique[from[i]]->unique,
                            from[i], from[i + 1] - from[i], again))
        {
            return false;
        }
    }
    return true;
}

/* ---- rows ---- */

static int
row_group_order(const struct batch_row *a, const struct batch_row *b)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->kind != ROW_MOVE) {
        return 0;
    }
    if ((a->move.fence != 0) != (b->move.fence != 0)) {
        return a->move.fence != 0 ? 1 : -1;
    }
    return ph_str_cmp(a->sources, b->sources);
}

static int
row_order(const void *a, const void *b)
{
    const struct batch_row *left  = *(const struct batch_row *const *) a;
    const struct batch_row *right = *(const struct batch_row *const *) b;
    int                     order = row_group_order(left, right);

    return order != 0 ? order : ph_str_cmp(left->id, right->id);
}

static void
sql_inserts(struct wk_batch *batch, size_t from, size_t count)
{
    const struct batch_row *first = batch->sorted[from];

    for (size_t i = 0; i < count; i++) {
        batch->rows[i] = batch->sorted[from + i]->move.after;
    }
    wk_batch_sql_insert(&batch->db->sql, first->table, batch->rows, count,
                        first->kind == ROW_ONCE);
}

static void
sql_moves(struct wk_batch *batch, size_t from, size_t count)
{
    const struct batch_row *first = batch->sorted[from];
    char                    memory[WRITE_SOURCES_MAX];
    struct ph_buf           quoted  = PH_BUF_INIT(memory);
    struct ph_str           sources = first->sources;

    for (size_t i = 0; i < count; i++) {
        batch->moves[i] = batch->sorted[from + i]->move;
    }
    if (first->is_one_source) {
        wk_put_text(&quoted, first->sources);
        sources = ph_buf_str(&quoted);
    }
    wk_batch_sql_update(&batch->db->sql, first->table, batch->moves, count,
                        sources, first->move.fence != 0);
}

static bool
statement_add(struct wk_batch *batch, size_t from, size_t count)
{
    struct wk_db *db = batch->db;

    if (db->statements == WK_DB_STATEMENTS_MAX) {
        db->sql.full = true; /* wk_db_run() says so */
        return false;
    }
    batch->statement[db->statements]
        = (struct batch_statement){ from, count, false };
    return true;
}

static void
rows_write(struct wk_batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->row_count; i++) {
        if (is_in(batch, batch->row[i].entry)) {
            batch->sorted[count++] = &batch->row[i];
        }
    }
    qsort(batch->sorted, count, sizeof(batch->sorted[0]), row_order);
    for (size_t from = 0, to; from < count; from = to) {
        const struct batch_row *first = batch->sorted[from];
        size_t max = first->kind == ROW_MOVE ? WK_BATCH_ROWS_MAX
                                             : WRITE_INSERT_ROWS_MAX;

        for (to = from + 1; to < count && to - from < max
                            && row_group_order(first, batch->sorted[to]) == 0;
             to++)
        {
        }
        if (!statement_add(batch, from,
                           first->kind == ROW_ONCE ? 0 : to - from)) {
            return;
        }
        if (first->kind == ROW_MOVE) {
            sql_moves(batch, from, to - from);
        } else {
            sql_inserts(batch, from, to - from);
        }
        wk_sql_end(batch->db);
    }
}

/* ---- work ---- */

static int
work_order(const void *a, const void *b)
{
    const struct batch_work *left  = *(const struct batch_work *const *) a;
    const struct batch_work *right = *(const struct batch_work *const *) b;

    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return ph_str_cmp(left->id, right->id);
}

static void
sql_work_put(struct wk_db *db, const struct batch_work *const *rows,
             size_t count)
{
    wk_sql(db, PH_STR("INSERT INTO work (id,queue,due_at) VALUES "));
    for (size_t i = 0; i < count; i++) {
        wk_sql(db, i != 0 ? PH_STR(",(") : PH_STR("("));
        wk_sql_text(db, rows[i]->id);
        wk_sql(db, rows[i]->queue == WK_QUEUE_LOOK ? PH_STR(",'look',")
                                                   : PH_STR(",'hook',"));
        wk_sql_time(db, rows[i]->due_ms);
        wk_sql(db, PH_STR(")"));
    }
    wk_sql(db, PH_STR(" ON DUPLICATE KEY UPDATE ver=ver+1,"
                      "due_at=LEAST(due_at,VALUES(due_at))"));
}

static void
sql_work_ids(struct wk_db *db, const struct batch_work *const *rows,
             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wk_sql(db, i != 0 ? PH_STR(",") : PH_STR(" WHERE id IN ("));
        wk_sql_text(db, rows[i]->id);
    }
    wk_sql(db, PH_STR(")"));
}

static void
sql_work_dues(struct wk_db *db, const struct batch_work *const *rows,
              size_t count)
{
    wk_sql(db, PH_STR("CASE id"));
    for (size_t i = 0; i < count; i++) {
        wk_sql(db, PH_STR(" WHEN "));
        wk_sql_text(db, rows[i]->id);
        wk_sql(db, PH_STR(" THEN "));
        wk_sql_time(db, rows[i]->due_ms);
    }
    wk_sql(db, PH_STR(" END"));
}

static void
sql_work_forward(struct wk_db *db, const struct batch_work *const *rows,
                 size_t count)
{
    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,due_at="));
    sql_work_dues(db, rows, count);
    sql_work_ids(db, rows, count);
    wk_sql(db, PH_STR(" AND due_at>"));
    sql_work_dues(db, rows, count);
}

static void
works_write(struct wk_batch *batch)
{
    const struct batch_work **rows  = batch->sorted_work;
    struct wk_db             *db    = batch->db;
    size_t                    count = 0;

    for (size_t i = 0; i < batch->work_count; i++) {
        if (is_in(batch, batch->work[i].entry)) {
            rows[count++] = &batch->work[i];
        }
    }
    qsort(rows, count, sizeof(rows[0]), work_order);
    for (size_t from = 0, to; from < count; from = to) {
        enum work_kind kind = rows[from]->kind;
        size_t         max
            = kind == WORK_FORWARD ? WK_BATCH_ROWS_MAX : WRITE_INSERT_ROWS_MAX;

        for (to = from + 1;
             to < count && to - from < max && rows[to]->kind == kind; to++)
        {
        }
        if (!statement_add(batch, 0, 0)) {
            return;
        }
        if (kind == WORK_PUT) {
            sql_work_put(db, &rows[from], to - from);
        } else if (kind == WORK_FORWARD) {
            sql_work_forward(db, &rows[from], to - from);
        } else {
            wk_sql(db, PH_STR("DELETE FROM work"));
            sql_work_ids(db, &rows[from], to - from);
        }
        wk_sql_end(db);
    }
}

bool
batch_write_rows(struct wk_batch *batch)
{
    wk_db_clear(batch->db);
    rows_write(batch);
    works_write(batch);
    return batch->db->statements == 0 || wk_db_run(batch->db);
}

/* ---- what went wrong ---- */

bool
batch_all_moved(struct wk_batch *batch)
{
    const struct wk_db *db  = batch->db;
    bool                all = true;

    for (size_t i = 0; i < db->answers; i++) {
        struct batch_statement *statement = &batch->statement[i];

        statement->is_short = statement->count != 0
                              && db->answer[i].affected != statement->count;
        all = all && !statement->is_short;
    }
    return all;
}

static bool
text_holds(struct ph_str text, struct ph_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (memcmp(text.ptr + i, part.ptr, part.len) == 0) {
            return true;
        }
    }
    return false;
}

/* texts: id, ver, status, fence of the row as it is now */
static bool
row_is_as_believed(const struct batch_row *row, const struct ph_str texts[4])
{
    const struct wk_column *column = wk_column_find(row->table, "ver");
    uint64_t                ver, fence;

    return ph_str_u64(texts[1], UINT32_MAX, &ver)
           && ph_str_u64(texts[3], INT64_MAX, &fence)
           && (column == NULL
               || (int64_t) ver == wk_member_i64(column, row->move.before))
           && text_holds(row->sources, texts[2])
           && (row->move.fence == 0 || (int64_t) fence <= row->move.fence);
}

static void
raced_mark(struct wk_batch *batch, size_t answer,
           const struct batch_statement *statement)
{
    bool          as_believed[WRITE_INSERT_ROWS_MAX] = { false };
    struct ph_str texts[4];

    while (wk_db_next(batch->db, answer, texts, 4)) {
        for (size_t i = 0; i < statement->count; i++) {
            const struct batch_row *row = batch->sorted[statement->from + i];

            if (ph_str_eq(row->id, texts[0])) {
                as_believed[i] = row_is_as_believed(row, texts);
            }
        }
    }
    for (size_t i = 0; i < statement->count; i++) {
        struct batch_entry *entry
            = &batch->entry[batch->sorted[statement->from + i]->entry];

        if (!as_believed[i] && entry->state == ENTRY_IN) {
            entry->state      = ENTRY_OUT;
            entry->job->raced = true;
            entry->job->rounds++;
        }
    }
}

bool
batch_find_raced(struct wk_batch *batch)
{
    struct wk_db *db         = batch->db;
    size_t        statements = db->statements;
    size_t        asked[WK_DB_STATEMENTS_MAX], count = 0;

    wk_db_clear(db);
    for (size_t i = 0; i < statements; i++) {
        const struct batch_statement *statement = &batch->statement[i];

        if (!statement->is_short
            || batch->sorted[statement->from]->kind != ROW_MOVE) {
            continue;
        }
        for (size_t k = 0; k < statement->count; k++) {
            batch->moves[k] = batch->sorted[statement->from + k]->move;
        }
        wk_batch_sql_state(&db->sql, batch->sorted[statement->from]->table,
                           batch->moves, statement->count);
        wk_sql_end(db);
        asked[count++] = i;
    }
    if (count == 0) {
        return true;
    }
    if (!wk_db_run(db)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        raced_mark(batch, i, &batch->statement[asked[i]]);
    }
    return true;
}

/* "... at row 7": only a hint, which is why its job runs alone then. */
unsigned
batch_refused_entry(const struct wk_batch *batch)
{
    static const char   marker[] = " at row ";
    const struct wk_db *db       = batch->db;
    const char         *at       = strstr(db->error, marker);
    unsigned            none     = (unsigned) batch->entry_count;
    uint64_t            number;

    if (at == NULL || db->answers >= db->statements) {
        return none;
    }
    const struct batch_statement *statement = &batch->statement[db->answers];

    if (!ph_str_u64(ph_str_z(at + sizeof(marker) - 1), UINT32_MAX, &number)
        || number == 0 || number > statement->count)
    {
        return none;
    }
    return batch->sorted[statement->from + number - 1]->entry;
}

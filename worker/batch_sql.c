/* batch_sql.c - see batch_sql.h. */
#include "worker/batch_sql.h"

static void
put(struct ph_buf *sql, const char *text)
{
    ph_buf_add(sql, ph_str_z(text));
}

/* ---- inserts ---- */

static bool
is_unset(const struct wk_column *column, const void *const *rows, size_t count)
{
    size_t i = 0;

    while (i < count && wk_member_is_unset(column, rows[i])) {
        i++;
    }
    return i == count;
}

/* What all rows leave to the schema is not named: of a new payment and its
 * attempt that is half of all columns, which the server need not read. */
static size_t
insert_columns(const struct wk_table *table, const void *const *rows,
               size_t count, const struct wk_column **named)
{
    size_t many = 0;

    for (size_t k = 0; k < table->column_count; k++) {
        if (!is_unset(&table->columns[k], rows, count)) {
            named[many++] = &table->columns[k];
        }
    }
    return many;
}

void
wk_batch_sql_insert(struct ph_buf *sql, const struct wk_table *table,
                    const void *const *rows, size_t count, bool once)
{
    const struct wk_column *named[WK_COLUMNS_MAX];
    size_t                  many = insert_columns(table, rows, count, named);

    put(sql, "INSERT INTO ");
    put(sql, table->name);
    for (size_t k = 0; k < many; k++) {
        put(sql, k != 0 ? "," : " (");
        put(sql, named[k]->name);
    }
    put(sql, ") VALUES ");
    for (size_t i = 0; i < count; i++) {
        put(sql, i != 0 ? ",(" : "(");
        for (size_t k = 0; k < many; k++) {
            if (k != 0) {
                ph_buf_byte(sql, ',');
            }
            wk_put_member(sql, named[k], rows[i]);
        }
        ph_buf_byte(sql, ')');
    }
    if (once) {
        put(sql, " ON DUPLICATE KEY UPDATE ver=ver");
    }
}

void
wk_batch_sql_unique(struct ph_buf *sql, const struct wk_unique_table *table,
                    const struct wk_sql_unique *const *rows, size_t count)
{
    put(sql, "INSERT INTO ");
    put(sql, table->name);
    put(sql, " (");
    for (size_t k = 0; k < table->key_count; k++) {
        put(sql, table->keys[k]);
        ph_buf_byte(sql, ',');
    }
    put(sql, table->owner);
    if (table->hash != NULL) {
        ph_buf_byte(sql, ',');
        put(sql, table->hash);
    }
    put(sql, ",ver) VALUES ");
    for (size_t i = 0; i < count; i++) {
        put(sql, i != 0 ? ",(" : "(");
        for (size_t k = 0; k < table->key_count; k++) {
            wk_put_text(sql, rows[i]->key[k]);
            ph_buf_byte(sql, ',');
        }
        wk_put_text(sql, rows[i]->owner);
        if (table->hash != NULL) {
            ph_buf_byte(sql, ',');
            wk_put_bytes(sql, rows[i]->hash);
        }
        put(sql, ",0)");
    }
    put(sql, " ON DUPLICATE KEY UPDATE ver=ver");
}

/* OR of ANDs: both databases read it as ranges of the primary key. */
void
wk_batch_sql_owners(struct ph_buf *sql, const struct wk_unique_table *table,
                    const struct wk_sql_unique *const *rows, size_t count)
{
    put(sql, "SELECT ");
    for (size_t k = 0; k < table->key_count; k++) {
        put(sql, table->keys[k]);
        ph_buf_byte(sql, ',');
    }
    put(sql, table->owner);
    put(sql, " FROM ");
    put(sql, table->name);
    for (size_t i = 0; i < count; i++) {
        put(sql, i != 0 ? " OR (" : " WHERE (");
        for (size_t k = 0; k < table->key_count; k++) {
            put(sql, k != 0 ? " AND " : "");
            put(sql, table->keys[k]);
            ph_buf_byte(sql, '=');
            wk_put_text(sql, rows[i]->key[k]);
        }
        ph_buf_byte(sql, ')');
    }
}

/* ---- moves ---- */

static void
put_id(struct ph_buf *sql, const struct wk_table *table, const void *row)
{
    wk_put_text(sql, wk_row_id(table, row));
}

static void
put_ids(struct ph_buf *sql, const struct wk_table *table,
        const struct wk_sql_move *moves, size_t count)
{
    put(sql, " WHERE id IN (");
    for (size_t i = 0; i < count; i++) {
        if (i != 0) {
            ph_buf_byte(sql, ',');
        }
        put_id(sql, table, moves[i].before);
    }
    ph_buf_byte(sql, ')');
}

static bool
ends_alike(const struct wk_column *column, const struct wk_sql_move *moves,
           size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!wk_member_is_same(column, moves[0].after, moves[i].after)) {
            return false;
        }
    }
    return true;
}

static bool
changes(const struct wk_column *column, const struct wk_sql_move *moves,
        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!wk_member_is_same(column, moves[i].before, moves[i].after)) {
            return true;
        }
    }
    return false;
}

static void
put_column(struct ph_buf *sql, const struct wk_table *table,
           const struct wk_column *column, const struct wk_sql_move *moves,
           size_t count)
{
    put(sql, column->name);
    if (ends_alike(column, moves, count)) {
        ph_buf_byte(sql, '=');
        wk_put_member(sql, column, moves[0].after);
        return;
    }
    put(sql, "=CASE id");
    for (size_t i = 0; i < count; i++) {
        if (!wk_member_is_same(column, moves[i].before, moves[i].after)) {
            put(sql, " WHEN ");
            put_id(sql, table, moves[i].before);
            put(sql, " THEN ");
            wk_put_member(sql, column, moves[i].after);
        }
    }
    put(sql, " ELSE ");
    put(sql, column->name);
    put(sql, " END");
}

static bool
is_same_before(const struct wk_column *column, const struct wk_sql_move *moves,
               size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!wk_member_is_same(column, moves[0].before, moves[i].before)) {
            return false;
        }
    }
    return true;
}

static void
put_ver(struct ph_buf *sql, const struct wk_table *table,
        const struct wk_column *ver, const struct wk_sql_move *moves,
        size_t count)
{
    put(sql, " AND ver=");
    if (is_same_before(ver, moves, count)) {
        wk_put_member(sql, ver, moves[0].before);
        return;
    }
    put(sql, "CASE id");
    for (size_t i = 0; i < count; i++) {
        put(sql, " WHEN ");
        put_id(sql, table, moves[i].before);
        put(sql, " THEN ");
        wk_put_member(sql, ver, moves[i].before);
    }
    put(sql, " END");
}

static void
put_fence(struct ph_buf *sql, const struct wk_table *table,
          const struct wk_sql_move *moves, size_t count)
{
    size_t i = 1;

    while (i < count && moves[i].fence == moves[0].fence) {
        i++;
    }
    put(sql, " AND fence<=");
    if (i == count) {
        ph_buf_i64(sql, moves[0].fence);
        return;
    }
    put(sql, "CASE id");
    for (i = 0; i < count; i++) {
        put(sql, " WHEN ");
        put_id(sql, table, moves[i].before);
        put(sql, " THEN ");
        ph_buf_i64(sql, moves[i].fence);
    }
    put(sql, " END");
}

void
wk_batch_sql_update(struct ph_buf *sql, const struct wk_table *table,
                    const struct wk_sql_move *moves, size_t count,
                    struct ph_str sources, bool has_fence)
{
    const struct wk_column *ver = wk_column_find(table, "ver");

    put(sql, "UPDATE ");
    put(sql, table->name);
    put(sql, " SET ver=ver+1");
    for (size_t k = 0; k < table->column_count; k++) {
        if (table->columns[k].moves
            && changes(&table->columns[k], moves, count)) {
            ph_buf_byte(sql, ',');
            put_column(sql, table, &table->columns[k], moves, count);
        }
    }
    put_ids(sql, table, moves, count);
    if (ver != NULL) {
        put_ver(sql, table, ver, moves, count);
    }
    put(sql, " AND status IN (");
    ph_buf_add(sql, sources);
    ph_buf_byte(sql, ')');
    if (has_fence) {
        put_fence(sql, table, moves, count);
    }
}

void
wk_batch_sql_state(struct ph_buf *sql, const struct wk_table *table,
                   const struct wk_sql_move *moves, size_t count)
{
    put(sql, "SELECT id,");
    put(sql, wk_column_find(table, "ver") != NULL ? "ver" : "0");
    put(sql, ",status,");
    put(sql, wk_column_find(table, "fence") != NULL ? "fence" : "0");
    put(sql, " FROM ");
    put(sql, table->name);
    put_ids(sql, table, moves, count);
}

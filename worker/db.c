/* db.c - SQL packets and their answers; see db.h. */
#include "worker/db.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/sql_text.h"
#include "worker/time_text.h"

#define DB_ERROR_FULL 1 /* our own: the packet or an arena is full */

bool
wk_db_init(struct wk_db *db)
{
    *db        = (struct wk_db){ 0 };
    char *sql  = malloc(WK_DB_SQL_MAX);
    char *text = malloc(WK_DB_TEXT_MAX);

    ph_buf_init(&db->sql, sql, WK_DB_SQL_MAX);
    ph_buf_init(&db->text, text, WK_DB_TEXT_MAX);
    if (sql != NULL && text != NULL) {
        return true;
    }
    wk_db_deinit(db);
    return false;
}

void
wk_db_deinit(struct wk_db *db)
{
    wk_db_clear(db);
    if (db->mysql != NULL) {
        mysql_close(db->mysql);
        db->mysql = NULL;
    }
    free(db->sql.ptr);
    free(db->text.ptr);
    db->sql.ptr  = NULL;
    db->text.ptr = NULL;
}

void
wk_db_clear(struct wk_db *db)
{
    for (size_t i = 0; i < db->answers; i++) {
        if (db->answer[i].rows != NULL) {
            mysql_free_result(db->answer[i].rows);
        }
    }
    db->answers    = 0;
    db->statements = 0;
    db->error_no   = 0;
    db->error[0]   = '\0';
    ph_buf_cut(&db->sql, 0);
}

static bool
db_fail(struct wk_db *db, unsigned error_no, const char *text)
{
    db->error_no = error_no;
    (void) snprintf(db->error, sizeof(db->error), "%u: %s", error_no, text);
    return false;
}

static bool
db_fail_server(struct wk_db *db)
{
    return db_fail(db, mysql_errno(db->mysql), mysql_error(db->mysql));
}

static bool
db_take_answer(struct wk_db *db)
{
    struct wk_db_answer *answer = &db->answer[db->answers];

    answer->rows = mysql_store_result(db->mysql);
    if (answer->rows == NULL && mysql_field_count(db->mysql) != 0) {
        return db_fail_server(db);
    }
    answer->affected = mysql_affected_rows(db->mysql);
    db->answers++;
    return true;
}

bool
wk_db_run(struct wk_db *db)
{
    if (db->mysql == NULL) {
        return db_fail(db, CR_SERVER_GONE_ERROR, "not connected");
    }
    if (db->sql.full || db->statements > WK_DB_STATEMENTS_MAX) {
        return db_fail(db, DB_ERROR_FULL, "statements over their maximum");
    }
    if (mysql_real_query(db->mysql, db->sql.ptr, (unsigned long) db->sql.len)
        != 0) {
        return db_fail_server(db);
    }
    for (size_t i = 0; i < db->statements; i++) {
        if (i > 0) {
            int next = mysql_next_result(db->mysql);

            if (next > 0) {
                return db_fail_server(db);
            }
            if (next < 0) {
                return db_fail(db, CR_COMMANDS_OUT_OF_SYNC,
                               "fewer answers than statements");
            }
        }
        if (!db_take_answer(db)) {
            return false;
        }
    }
    return true;
}

void
wk_sql(struct wk_db *db, struct ph_str literal)
{
    ph_buf_add(&db->sql, literal);
}

void
wk_sql_i64(struct wk_db *db, int64_t value)
{
    ph_buf_i64(&db->sql, value);
}

void
wk_sql_text(struct wk_db *db, struct ph_str text)
{
    wk_put_text(&db->sql, text);
}

void
wk_sql_bytes(struct wk_db *db, struct ph_str bytes)
{
    wk_put_bytes(&db->sql, bytes);
}

void
wk_sql_time(struct wk_db *db, uint64_t ms)
{
    wk_put_time(&db->sql, ms);
}

void
wk_sql_end(struct wk_db *db)
{
    wk_sql(db, PH_STR(";"));
    db->statements++;
}

/* A member of a row as the type that its column's kind says. */
#define MEMBER(type, row, column)                                              \
    (*(const type *) ((const char *) (row) + (column)->offset))
#define MEMBER_SET(type, row, column)                                          \
    (*(type *) ((char *) (row) + (column)->offset))

void
wk_sql_insert(struct wk_db *db, const struct wk_table *table, const void *row)
{
    wk_sql(db, PH_STR("INSERT INTO "));
    wk_sql(db, ph_str_z(table->name));
    wk_sql(db, PH_STR(" ("));
    wk_put_names(&db->sql, table);
    wk_sql(db, PH_STR(") VALUES ("));
    for (size_t i = 0; i < table->column_count; i++) {
        wk_sql(db, i != 0 ? PH_STR(",") : PH_STR(""));
        wk_put_member(&db->sql, &table->columns[i], row);
    }
    wk_sql(db, PH_STR(")"));
}

void
wk_sql_update(struct wk_db *db, const struct wk_table *table, const void *row)
{
    wk_sql(db, PH_STR("UPDATE "));
    wk_sql(db, ph_str_z(table->name));
    wk_sql(db, PH_STR(" SET ver=ver+1"));
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].moves) {
            wk_sql(db, PH_STR(","));
            wk_sql(db, ph_str_z(table->columns[i].name));
            wk_sql(db, PH_STR("="));
            wk_put_member(&db->sql, &table->columns[i], row);
        }
    }
    wk_sql(db, PH_STR(" WHERE id="));
    wk_put_member(&db->sql, &table->columns[0], row); /* id stands first */
}

void
wk_sql_select(struct wk_db *db, const struct wk_table *table)
{
    wk_sql(db, PH_STR("SELECT "));
    wk_put_names(&db->sql, table);
    wk_sql(db, PH_STR(" FROM "));
    wk_sql(db, ph_str_z(table->name));
}

bool
wk_db_next(struct wk_db *db, size_t i, struct ph_str *texts, size_t count)
{
    if (i >= db->answers || db->answer[i].rows == NULL
        || mysql_num_fields(db->answer[i].rows) != count)
    {
        return false;
    }
    MYSQL_ROW      row = mysql_fetch_row(db->answer[i].rows);
    unsigned long *len = mysql_fetch_lengths(db->answer[i].rows);

    if (row == NULL || len == NULL) {
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        texts[k] = ph_str_make(row[k], row[k] != NULL ? len[k] : 0);
    }
    return true;
}

bool
wk_db_fetch_texts(struct wk_db *db, size_t i, struct ph_arena *arena,
                  struct ph_str *texts, size_t count)
{
    if (!wk_db_next(db, i, texts, count)) {
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        if (texts[k].ptr != NULL) {
            texts[k] = ph_arena_dup(arena, texts[k]);
        }
    }
    return !arena->full;
}

static bool
db_parse_i64(struct ph_str text, int64_t *out)
{
    bool     is_negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value;

    if (is_negative) {
        text = ph_str_make(text.ptr + 1, text.len - 1);
    }
    if (!ph_str_u64(text, INT64_MAX, &value)) {
        return false;
    }
    *out = is_negative ? -(int64_t) value : (int64_t) value;
    return true;
}

static bool
column_is_text(const struct wk_column *column)
{
    return column->kind == WK_COLUMN_TEXT || column->kind == WK_COLUMN_TEXT_OR
           || column->kind == WK_COLUMN_BYTES
           || column->kind == WK_COLUMN_BYTES_OR
           || column->kind == WK_COLUMN_BLOB;
}

static bool
db_member_set(const struct wk_column *column, struct ph_str text, void *row)
{
    switch (column->kind) {
    case WK_COLUMN_TEXT:
    case WK_COLUMN_TEXT_OR:
    case WK_COLUMN_BYTES:
    case WK_COLUMN_BYTES_OR:
    case WK_COLUMN_BLOB:
        MEMBER_SET(struct ph_str, row, column) = text;
        return true;
    case WK_COLUMN_I64:
        return db_parse_i64(text, &MEMBER_SET(int64_t, row, column));
    case WK_COLUMN_TIME:
        MEMBER_SET(uint64_t, row, column) = 0;
        return text.ptr == NULL
               || wk_time_parse(text, &MEMBER_SET(uint64_t, row, column));
    case WK_COLUMN_PAYMENT_STATE:
        MEMBER_SET(enum ph_payment_state, row, column)
            = ph_payment_state_of(text);
        return MEMBER(enum ph_payment_state, row, column) != PH_PAYMENT_NONE;
    case WK_COLUMN_ATTEMPT_STATE:
        MEMBER_SET(enum ph_attempt_state, row, column)
            = ph_attempt_state_of(text);
        return MEMBER(enum ph_attempt_state, row, column) != PH_ATTEMPT_NONE;
    case WK_COLUMN_REFUND_STATE:
        MEMBER_SET(enum ph_refund_state, row, column)
            = ph_refund_state_of(text);
        return MEMBER(enum ph_refund_state, row, column) != PH_REFUND_NONE;
    }
    return false;
}

bool
wk_db_fill(struct wk_db *db, const struct wk_table *table,
           const struct ph_str *texts, struct ph_arena *arena, void *row)
{
    for (size_t k = 0; k < table->column_count; k++) {
        struct ph_str text = texts[k];

        if (text.ptr != NULL && column_is_text(&table->columns[k])) {
            text = ph_arena_dup(arena, text);
        }
        if (arena->full || !db_member_set(&table->columns[k], text, row)) {
            return db_fail(db, DB_ERROR_FULL, table->columns[k].name);
        }
    }
    return true;
}

bool
wk_db_fetch(struct wk_db *db, size_t i, const struct wk_table *table,
            struct ph_arena *arena, void *row)
{
    struct ph_str texts[WK_COLUMNS_MAX];

    return table->column_count <= WK_COLUMNS_MAX
           && wk_db_next(db, i, texts, table->column_count)
           && wk_db_fill(db, table, texts, arena, row);
}

bool
wk_db_is_deadlock(const struct wk_db *db)
{
    return db->error_no == ER_LOCK_DEADLOCK || wk_db_is_lock_wait(db);
}

bool
wk_db_is_lock_wait(const struct wk_db *db)
{
    return db->error_no == ER_LOCK_WAIT_TIMEOUT;
}

bool
wk_db_is_lost(const struct wk_db *db)
{
    switch (db->error_no) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_COMMANDS_OUT_OF_SYNC:
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case ER_OPTION_PREVENTS_STATEMENT: /* --read-only: another is the master */
    case ER_READ_ONLY_MODE:
        return true;
    default:
        return false;
    }
}

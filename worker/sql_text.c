/* sql_text.c - see sql_text.h. */
#include "worker/sql_text.h"

#include "worker/time_text.h"

static char
escape_of(char byte)
{
    switch (byte) {
    case '\'':
    case '\\':
        return byte;
    case '\0':
        return '0';
    default:
        return '\0';
    }
}

/* Runs of what needs no escape are copied as they are. */
void
wk_put_text(struct ph_buf *sql, struct ph_str text)
{
    size_t from = 0;

    ph_buf_byte(sql, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char escape = escape_of(text.ptr[i]);

        if (escape != '\0') {
            ph_buf_add(sql, ph_str_make(text.ptr + from, i - from));
            ph_buf_byte(sql, '\\');
            ph_buf_byte(sql, escape);
            from = i + 1;
        }
    }
    if (from < text.len) {
        ph_buf_add(sql, ph_str_make(text.ptr + from, text.len - from));
    }
    ph_buf_byte(sql, '\'');
}

void
wk_put_bytes(struct ph_buf *sql, struct ph_str bytes)
{
    ph_buf_add(sql, PH_STR("x'"));
    ph_buf_hex(sql, bytes);
    ph_buf_byte(sql, '\'');
}

void
wk_put_time(struct ph_buf *sql, uint64_t ms)
{
    if (ms == 0) {
        ph_buf_add(sql, PH_STR("NULL"));
        return;
    }
    ph_buf_byte(sql, '\'');
    wk_time_sql(sql, ms);
    ph_buf_byte(sql, '\'');
}

void
wk_put_names(struct ph_buf *sql, const struct wk_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (i != 0) {
            ph_buf_byte(sql, ',');
        }
        ph_buf_add(sql, ph_str_z(table->columns[i].name));
    }
}

/* A member of a row as the type that its column's kind says. */
#define MEMBER(type, row, column)                                              \
    (*(const type *) ((const char *) (row) + (column)->offset))

static void
put_text_or_null(struct ph_buf *sql, struct ph_str text, bool is_binary)
{
    if (text.ptr == NULL) {
        ph_buf_add(sql, PH_STR("NULL"));
    } else if (is_binary) {
        wk_put_bytes(sql, text);
    } else {
        wk_put_text(sql, text);
    }
}

/* Half the bytes of hexadecimal digits, where the server takes it as text. */
static void
put_blob(struct ph_buf *sql, struct ph_str bytes)
{
    if (ph_str_utf8_count(bytes) != SIZE_MAX) {
        wk_put_text(sql, bytes);
    } else {
        wk_put_bytes(sql, bytes);
    }
}

struct ph_str
wk_member_text(const struct wk_column *column, const void *row)
{
    switch (column->kind) {
    case WK_COLUMN_PAYMENT_STATE:
        return ph_str_z(
            ph_payment_state_text(MEMBER(enum ph_payment_state, row, column)));
    case WK_COLUMN_ATTEMPT_STATE:
        return ph_str_z(
            ph_attempt_state_text(MEMBER(enum ph_attempt_state, row, column)));
    case WK_COLUMN_REFUND_STATE:
        return ph_str_z(
            ph_refund_state_text(MEMBER(enum ph_refund_state, row, column)));
    case WK_COLUMN_TEXT:
    case WK_COLUMN_TEXT_OR:
    case WK_COLUMN_BYTES:
    case WK_COLUMN_BYTES_OR:
    case WK_COLUMN_BLOB:
        return MEMBER(struct ph_str, row, column);
    case WK_COLUMN_I64:
    case WK_COLUMN_TIME:
        break;
    }
    return ph_str_make(NULL, 0);
}

void
wk_put_member(struct ph_buf *sql, const struct wk_column *column,
              const void *row)
{
    switch (column->kind) {
    case WK_COLUMN_TEXT:
        wk_put_text(sql, MEMBER(struct ph_str, row, column));
        return;
    case WK_COLUMN_TEXT_OR:
        put_text_or_null(sql, MEMBER(struct ph_str, row, column), false);
        return;
    case WK_COLUMN_BYTES:
        wk_put_bytes(sql, MEMBER(struct ph_str, row, column));
        return;
    case WK_COLUMN_BYTES_OR:
        put_text_or_null(sql, MEMBER(struct ph_str, row, column), true);
        return;
    case WK_COLUMN_BLOB:
        put_blob(sql, MEMBER(struct ph_str, row, column));
        return;
    case WK_COLUMN_I64:
        ph_buf_i64(sql, MEMBER(int64_t, row, column));
        return;
    case WK_COLUMN_TIME:
        wk_put_time(sql, MEMBER(uint64_t, row, column));
        return;
    case WK_COLUMN_PAYMENT_STATE:
    case WK_COLUMN_ATTEMPT_STATE:
    case WK_COLUMN_REFUND_STATE:
        wk_put_text(sql, wk_member_text(column, row));
        return;
    }
}

bool
wk_member_is_unset(const struct wk_column *column, const void *row)
{
    switch (column->kind) {
    case WK_COLUMN_TEXT:
    case WK_COLUMN_BYTES:
        return column->is_empty && MEMBER(struct ph_str, row, column).len == 0;
    case WK_COLUMN_I64:
        return column->is_empty && MEMBER(int64_t, row, column) == 0;
    case WK_COLUMN_TEXT_OR:
    case WK_COLUMN_BYTES_OR:
        return MEMBER(struct ph_str, row, column).ptr == NULL;
    case WK_COLUMN_TIME:
        return MEMBER(uint64_t, row, column) == 0;
    case WK_COLUMN_BLOB:
    case WK_COLUMN_PAYMENT_STATE:
    case WK_COLUMN_ATTEMPT_STATE:
    case WK_COLUMN_REFUND_STATE:
        break;
    }
    return false;
}

int64_t
wk_member_i64(const struct wk_column *column, const void *row)
{
    return MEMBER(int64_t, row, column);
}

bool
wk_member_is_same(const struct wk_column *column, const void *a, const void *b)
{
    switch (column->kind) {
    case WK_COLUMN_TEXT:
    case WK_COLUMN_BYTES:
    case WK_COLUMN_BLOB:
        return ph_str_eq(MEMBER(struct ph_str, a, column),
                         MEMBER(struct ph_str, b, column));
    case WK_COLUMN_TEXT_OR:
    case WK_COLUMN_BYTES_OR:
        return (MEMBER(struct ph_str, a, column).ptr == NULL)
                   == (MEMBER(struct ph_str, b, column).ptr == NULL)
               && ph_str_eq(MEMBER(struct ph_str, a, column),
                            MEMBER(struct ph_str, b, column));
    case WK_COLUMN_I64:
        return MEMBER(int64_t, a, column) == MEMBER(int64_t, b, column);
    case WK_COLUMN_TIME:
        return MEMBER(uint64_t, a, column) == MEMBER(uint64_t, b, column);
    case WK_COLUMN_PAYMENT_STATE:
        return MEMBER(enum ph_payment_state, a, column)
               == MEMBER(enum ph_payment_state, b, column);
    case WK_COLUMN_ATTEMPT_STATE:
        return MEMBER(enum ph_attempt_state, a, column)
               == MEMBER(enum ph_attempt_state, b, column);
    case WK_COLUMN_REFUND_STATE:
        return MEMBER(enum ph_refund_state, a, column)
               == MEMBER(enum ph_refund_state, b, column);
    }
    return false;
}

const struct wk_column *
wk_column_find(const struct wk_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

struct ph_str
wk_row_id(const struct wk_table *table, const void *row)
{
    return MEMBER(struct ph_str, row, &table->columns[0]); /* id stands first */
}

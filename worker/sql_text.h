/*
 * sql_text.h - values as SQL texts for a connection in utf8mb4 whose sql_mode
 * leaves backslash escapes on (libpayhub/io/db.c sets both).
 *
 * Pure.  A NUL byte, a quote and a backslash are escaped; every other byte
 * stands for itself, since no byte of a longer UTF-8 character is one of them.
 */
#ifndef WK_SQL_TEXT_H
#define WK_SQL_TEXT_H

#include "libpayhub/base/buf.h"
#include "worker/row.h"

void wk_put_text(struct ph_buf *sql, struct ph_str text);   /* quoted */
void wk_put_bytes(struct ph_buf *sql, struct ph_str bytes); /* x'..' */
void wk_put_time(struct ph_buf *sql, uint64_t ms);          /* 0 = NULL */

/* "a,b,c": the columns of a table */
void wk_put_names(struct ph_buf *sql, const struct wk_table *table);

/* one member of a row, as its column's kind says */
void wk_put_member(struct ph_buf *sql, const struct wk_column *column,
                   const void *row);

/* true when an INSERT that does not name the column writes the same */
bool wk_member_is_unset(const struct wk_column *column, const void *row);

/* a text or a state as a text; {NULL, 0} of other kinds */
struct ph_str wk_member_text(const struct wk_column *column, const void *row);

int64_t wk_member_i64(const struct wk_column *column, const void *row);

/* true when the two rows would be written alike in this column */
bool wk_member_is_same(const struct wk_column *column, const void *a,
                       const void *b);

/* The column of this name, NULL when the table has none. */
const struct wk_column *wk_column_find(const struct wk_table *table,
                                       const char            *name);

struct ph_str wk_row_id(const struct wk_table *table, const void *row);

#endif

/*
 * batch_sql.h - statements of many rows, from the column tables.  Pure.
 *
 * Nothing here ends a statement.  Rows of one statement come sorted by id, so
 * that every connection locks them in the same order.
 */
#ifndef WK_BATCH_SQL_H
#define WK_BATCH_SQL_H

#include "worker/sql_text.h"

/* one row of an UPDATE: as it was read and as it shall be */
struct wk_sql_move {
    const void *before;
    const void *after;
    int64_t     fence;
};

/* one row of a table whose key is taken once */
struct wk_sql_unique {
    struct ph_str key[3];
    struct ph_str owner;
    struct ph_str hash;
};

/* which columns such a table has */
struct wk_unique_table {
    const char *name;
    const char *keys[3]; /* up to `key_count` */
    size_t      key_count;
    const char *owner;
    const char *hash; /* NULL = none */
};

/* INSERT of rows; once = a row that is there stays as it is */
void wk_batch_sql_insert(struct ph_buf *sql, const struct wk_table *table,
                         const void *const *rows, size_t count, bool once);

/* INSERT ... ON DUPLICATE KEY UPDATE ver=ver: as many affected as were new */
void wk_batch_sql_unique(struct ph_buf                     *sql,
                         const struct wk_unique_table      *table,
                         const struct wk_sql_unique *const *rows, size_t count);

/* SELECT keys and owner of those rows */
void wk_batch_sql_owners(struct ph_buf                     *sql,
                         const struct wk_unique_table      *table,
                         const struct wk_sql_unique *const *rows, size_t count);

/*
 * UPDATE of many rows: a column that changes in none is left out, one that
 * ends alike in all is a literal, the rest a CASE over the id whose ELSE leaves
 * the others as they are.  sources: the statuses that may be left, quoted.
 */
void wk_batch_sql_update(struct ph_buf *sql, const struct wk_table *table,
                         const struct wk_sql_move *moves, size_t count,
                         struct ph_str sources, bool has_fence);

/* SELECT id,ver,status,fence of the rows: 0 for a column that is not there */
void wk_batch_sql_state(struct ph_buf *sql, const struct wk_table *table,
                        const struct wk_sql_move *moves, size_t count);

#endif

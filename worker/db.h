/*
 * db.h - one MySQL connection of a store thread: packets of statements made
 * from bounded buffers, and their answers.
 *
 * A packet is cleared, filled by wk_sql*() with each statement closed by
 * wk_sql_end(), and sent by wk_db_run(); answers are kept until the next
 * clear.  Nothing here retries or commits: that is store.c.
 * Thread: the store thread that owns the connection.
 */
#ifndef WK_DB_H
#define WK_DB_H

#include <mysql.h>

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"
#include "worker/row.h"

#define WK_DB_SQL_MAX (1024 * 1024) /* bytes of a packet */
#define WK_DB_TEXT_MAX (256 * 1024) /* bytes of a rendered document */
#define WK_DB_STATEMENTS_MAX 64     /* of a packet */

struct wk_db_answer {
    MYSQL_RES *rows; /* NULL for statements without any */
    uint64_t   affected;
};

struct wk_db {
    MYSQL              *mysql; /* NULL = not connected */
    struct ph_buf       sql;
    struct ph_buf       text;   /* scratch for rendering; any job may use it */
    uint64_t            now_ms; /* the database's clock at the begin */
    size_t              statements;
    size_t              answers;
    struct wk_db_answer answer[WK_DB_STATEMENTS_MAX];
    unsigned            error_no;
    char                error[160]; /* NUL-terminated, for logs */
};

bool wk_db_init(struct wk_db *db) PH_MUST_CHECK;
void wk_db_deinit(struct wk_db *db);

void wk_db_clear(struct wk_db *db);
bool wk_db_run(struct wk_db *db) PH_MUST_CHECK;

void wk_sql(struct wk_db *db, struct ph_str literal);
void wk_sql_i64(struct wk_db *db, int64_t value);
void wk_sql_text(struct wk_db *db, struct ph_str text);   /* quoted */
void wk_sql_bytes(struct wk_db *db, struct ph_str bytes); /* x'..' */
void wk_sql_time(struct wk_db *db, uint64_t ms);          /* 0 = NULL */
void wk_sql_end(struct wk_db *db);                        /* statement ends */

/* INSERT of all columns, without its end */
void wk_sql_insert(struct wk_db *db, const struct wk_table *table,
                   const void *row);

/* UPDATE t SET every moving column, ver=ver+1 WHERE id=..., without its end */
void wk_sql_update(struct wk_db *db, const struct wk_table *table,
                   const void *row);

/* SELECT all columns FROM t, without its end */
void wk_sql_select(struct wk_db *db, const struct wk_table *table);

/* The next row of answer i as views that live until the next clear; NULL as
 * {NULL, 0}. */
bool wk_db_next(struct wk_db *db, size_t i, struct ph_str *texts,
                size_t count) PH_MUST_CHECK;

/* The columns of a table, as read, to a row whose texts are in the arena. */
bool wk_db_fill(struct wk_db *db, const struct wk_table *table,
                const struct ph_str *texts, struct ph_arena *arena,
                void *row) PH_MUST_CHECK;

/* The next row of answer i; false when there is none or the arena is full. */
bool wk_db_fetch(struct wk_db *db, size_t i, const struct wk_table *table,
                 struct ph_arena *arena, void *row) PH_MUST_CHECK;

/* The next row of answer i as texts in the arena, NULL as {NULL, 0}. */
bool wk_db_fetch_texts(struct wk_db *db, size_t i, struct ph_arena *arena,
                       struct ph_str *texts, size_t count) PH_MUST_CHECK;

/* deadlock or lock wait timeout: the transaction may simply be run again */
bool wk_db_is_deadlock(const struct wk_db *db);

/* the second of these: somebody holds a row for long */
bool wk_db_is_lock_wait(const struct wk_db *db);

/* the connection is gone, or leads to a server that does not write */
bool wk_db_is_lost(const struct wk_db *db);

#endif

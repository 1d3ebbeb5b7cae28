/* batch_int.h - what batch.c, batch_read.c and batch_run.c share. */
#ifndef WK_BATCH_INT_H
#define WK_BATCH_INT_H

#include "worker/batch.h"
#include "worker/batch_sql.h"
#include "worker/store_link.h"

#define BATCH_WANTS_MAX (3 * WK_BATCH_JOBS_MAX)
#define BATCH_ROWS_MAX (8 * WK_BATCH_JOBS_MAX)
#define BATCH_UNIQUES_MAX (2 * WK_BATCH_JOBS_MAX)
#define BATCH_WORKS_MAX (2 * WK_BATCH_JOBS_MAX)
#define BATCH_TOUCHED_SLOTS (8 * BATCH_ROWS_MAX) /* a power of two */
#define BATCH_WANT_SLOTS 2048                    /* a power of two */

enum entry_state {
    ENTRY_IN,    /* of this transaction */
    ENTRY_LATER, /* not of this one: another touches its row, or it asks again
                  */
    ENTRY_OUT,   /* kept out until this round's commit */
    ENTRY_FAILED
};

struct batch_entry {
    struct wk_store_job *job;
    enum entry_state     state;
    size_t               uniques; /* planned in this try */
    size_t               planned; /* the same, of any kind */
};

enum row_kind { ROW_INSERT, ROW_ONCE, ROW_MOVE };

struct batch_row {
    enum row_kind          kind;
    unsigned               rank; /* of the table: the order of locks */
    unsigned               entry;
    const struct wk_table *table;
    struct wk_sql_move     move;    /* after = the row of an insert */
    struct ph_str          sources; /* quoted, or one status as it is */
    bool                   is_one_source;
    struct ph_str          id;
};

struct batch_unique {
    struct wk_sql_unique row; /* first */
    enum wk_unique       unique;
    unsigned             entry;
};

enum work_kind { WORK_PUT, WORK_FORWARD, WORK_REST };

struct batch_work {
    enum work_kind kind;
    unsigned       entry;
    struct ph_str  id;
    enum wk_queue  queue;
    uint64_t       due_ms;
};

/* a statement of a packet and what it has to affect */
struct batch_statement {
    size_t from, count; /* of `sorted`; count 0 = nothing to check */
    bool   is_short;    /* affected fewer */
};

struct wk_batch {
    struct wk_link *link;
    struct wk_db   *db;
    unsigned        at; /* the entry that asks or plans */

    struct batch_entry  entry[WK_BATCH_JOBS_MAX];
    size_t              entry_count;
    struct wk_want     *want[BATCH_WANTS_MAX];
    size_t              want_count;
    struct wk_want     *want_slot[BATCH_WANT_SLOTS];  /* by key */
    struct wk_want     *order_slot[BATCH_WANT_SLOTS]; /* by payment id */
    struct batch_row    row[BATCH_ROWS_MAX];
    size_t              row_count;
    struct batch_unique unique[BATCH_UNIQUES_MAX];
    size_t              unique_count;
    struct batch_work   work[BATCH_WORKS_MAX];
    size_t              work_count;

    /* ids that are moved or worked at, and by which entry */
    struct {
        struct ph_str id;
        unsigned      entry;
    } touched[BATCH_TOUCHED_SLOTS];
    unsigned touched_slot[BATCH_ROWS_MAX + BATCH_WORKS_MAX];
    size_t   touched_count;

    /* of the packet that is being made */
    const struct batch_row    *sorted[BATCH_ROWS_MAX];
    const struct batch_unique *sorted_unique[BATCH_UNIQUES_MAX];
    const struct batch_work   *sorted_work[BATCH_WORKS_MAX];
    struct batch_statement     statement[WK_DB_STATEMENTS_MAX];
    struct wk_sql_move         moves[WK_BATCH_ROWS_MAX];
    const void                *rows[BATCH_ROWS_MAX];
};

/* Begins the transaction and answers every want; false = db.error_no. */
bool batch_read(struct wk_batch *batch) PH_MUST_CHECK;

/* Packet C; false = db.error_no. */
bool batch_write_rows(struct wk_batch *batch) PH_MUST_CHECK;

/* Sends the uniques; marks losers.  *again = roll back, without them. */
bool batch_write_uniques(struct wk_batch *batch, bool *again) PH_MUST_CHECK;

/* true when every statement of the packet affected its rows */
bool batch_all_moved(struct wk_batch *batch);

/* After that said no and a rollback: marks the entries whose rows are not as
 * they believed. */
bool batch_find_raced(struct wk_batch *batch) PH_MUST_CHECK;

/* The entry whose row the server names in its error, entry_count = none. */
unsigned batch_refused_entry(const struct wk_batch *batch);

#endif

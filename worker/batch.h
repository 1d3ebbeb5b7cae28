/*
 * batch.h - what a job of the store says instead of sending SQL: what it wants
 * to know, and what the commit shall hold.
 *
 * A store thread takes up to WK_BATCH_JOBS_MAX jobs and makes one transaction
 * of few statements of many rows:
 *
 *   ask()   says what rows it wants           -> read, all jobs' together
 *   plan()  says what is to be written        -> uniques, rows, work, COMMIT
 *
 * Both may be called several times and begin from their inputs each time.  What
 * is planned is kept by reference: rows, keys and texts live until done().
 *
 * Outcomes are each job's own:
 *   - a unique key that has another owner: the others commit without the job,
 *     which is planned again with job->lost saying which key it was;
 *   - a row that is no longer as `before` says: the same, with job->raced;
 *   - a statement that is refused: its job alone fails.
 * A row has one planner in a transaction: a second job that would touch it is
 * planned in the next one, on rows as they are then.
 *
 * Thread: the store thread that calls ask() and plan().
 */
#ifndef WK_BATCH_H
#define WK_BATCH_H

#include "worker/rows.h"
#include "worker/store.h"

#define WK_BATCH_JOBS_MAX 256
#define WK_BATCH_ROWS_MAX                                                      \
    64 /* of one UPDATE: CASE is searched from its start */

struct wk_batch;

/* keys that are taken once and for ever */
enum wk_unique {
    WK_PAYMENT_NO,    /* app_id, order_no      -> payment id, hash */
    WK_REFUND_NO,     /* app_id, refund_no     -> refund id, hash */
    WK_CHANNEL_TRADE, /* channel, account, no  -> attempt id */
    WK_NOTICE_SEEN,   /* account, notice id    -> event id */
    WK_UNIQUES
};

enum wk_queue { WK_QUEUE_LOOK, WK_QUEUE_HOOK };

/* ---- ask() ---- */

enum wk_want_by {
    WK_WANT_PAYMENT = 1, /* key: payment id */
    WK_WANT_ATTEMPT,     /* key: attempt id */
    WK_WANT_ORDER_NO,    /* keys: app id, order number */
    WK_WANT_REFUND,      /* key: refund id */
    WK_WANT_REFUND_NO,   /* keys: app id, refund number */
    WK_WANT_NOTICE,      /* keys: account id, notice id; only `found` */
    WK_WANT_APP,         /* key: app id; only `app` */
    WK_WANT_TRADE        /* keys: account id, the channel's trade number, the
                            channel; the attempt that has it: attempt_id */
};

struct wk_app_row {
    bool          is_there;
    struct ph_str sealed_secret; /* app.webhook_secret */
    struct ph_str webhook_form;
};

struct wk_want {
    /* set by the job; lives until done() */
    enum wk_want_by   by;
    struct ph_str     key[3];
    bool              is_locked; /* the payment FOR UPDATE */
    bool              is_brief;  /* by ATTEMPT; see wk_batch_want() */
    bool              wants_app; /* of the order's app */
    struct ph_arena  *arena;     /* the job's; not touched meanwhile */
    struct wk_order  *order;
    struct wk_refund *refund; /* by REFUND and REFUND_NO */

    /* set before plan() */
    enum wk_found     found;      /* of `by`; FAILED = the arena is full */
    struct ph_str     hash;       /* request_hash, by ORDER_NO and REFUND_NO */
    struct ph_str     attempt_id; /* by TRADE */
    struct wk_app_row app;

    /* private */
    unsigned        entry;
    struct ph_str   payment_id;
    struct ph_str   attempt_ids;
    struct ph_str   refund_id;
    struct ph_str   app_id;
    bool            is_loaded;
    struct wk_want *next_same, *next_order;
};

/*
 * A brief want of an attempt that succeeded, whose payment is paid, stays brief
 * and fills, without reading the rows, of the attempt: id, payment_id, status,
 * amount, currency, channel, account_id, channel_trade_no, ver; of the payment:
 * id, app_id, status, attempt_ids, ver; and attempt_count = 1 whatever
 * attempt_ids names. Of others is_brief becomes false and all is read.
 */
void wk_batch_want(struct wk_batch *batch, struct wk_want *want);

/* ---- plan() ---- */

uint64_t wk_batch_now_ms(const struct wk_batch *batch); /* the database's */

/* The calls below give false when the job cannot be in this transaction: plan()
 * then returns at once, whatever it likes, and is called again in a later one.
 */

/* owner: an id; hash: 32 bytes, only of numbers */
bool wk_batch_unique(struct wk_batch *batch, enum wk_unique unique,
                     const struct ph_str key[3], struct ph_str owner,
                     struct ph_str hash) PH_MUST_CHECK;

bool wk_batch_insert(struct wk_batch *batch, const struct wk_table *table,
                     const void *row) PH_MUST_CHECK;

/* the same, but nothing happens when a row with this key is there */
bool wk_batch_insert_once(struct wk_batch *batch, const struct wk_table *table,
                          const void *row) PH_MUST_CHECK;

/*
 * All moving columns from `before` to `after` where ver and status are still
 * those of before.  sources: "'a','b'" to allow instead of before's status,
 * {NULL, 0} = that one.  fence: 0, or no row whose fence is higher is moved.
 */
bool wk_batch_move(struct wk_batch *batch, const struct wk_table *table,
                   const void *before, const void *after, struct ph_str sources,
                   int64_t fence) PH_MUST_CHECK;

/* A row in `work`, or, where there is one, its look brought forward. */
bool wk_batch_work_put(struct wk_batch *batch, struct ph_str id,
                       enum wk_queue queue, uint64_t due_ms) PH_MUST_CHECK;

/* Brought forward where there is one, never pushed back. */
bool wk_batch_work_forward(struct wk_batch *batch, struct ph_str id,
                           uint64_t due_ms) PH_MUST_CHECK;

/* Taken out of `work`, whoever has its lease. */
bool wk_batch_work_rest(struct wk_batch *batch, struct ph_str id) PH_MUST_CHECK;

/* ---- the store's side ---- */

struct wk_link;

/* NULL = no memory.  @owns: caller, wk_batch_free(). */
struct wk_batch *wk_batch_new(void) PH_MUST_CHECK;
void             wk_batch_free(struct wk_batch *batch);

/* Runs all jobs to their outcome; `ended` gets each as soon as it has one, and
 * NULL when those of one commit are all told. */
void wk_batch_run(struct wk_batch *batch, struct wk_link *link,
                  struct wk_store_job **jobs, size_t count,
                  void (*ended)(void *data, struct wk_store_job *job),
                  void *data);

#endif

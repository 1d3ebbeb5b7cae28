/*
 * rows.h - loading orders inside store jobs.  Thread: a store thread.
 */
#ifndef WK_ROWS_H
#define WK_ROWS_H

#include "worker/db.h"

enum wk_found {
    WK_FOUND_FAILED = 0, /* SQL, or the arena is full */
    WK_FOUND_NONE,
    WK_FOUND_ROW
};

/* one row of `count` texts of a SELECT that the caller has filled in */
enum wk_found wk_texts_load(struct wk_db *db, struct ph_arena *arena,
                            struct ph_str *texts, size_t count) PH_MUST_CHECK;

/* a payment and its attempts by the payment's id */
enum wk_found wk_order_load(struct wk_db *db, struct ph_arena *arena,
                            struct ph_str    payment_id,
                            struct wk_order *order) PH_MUST_CHECK;

/* the same by the id of one of its attempts */
enum wk_found wk_order_load_by_attempt(struct wk_db *db, struct ph_arena *arena,
                                       struct ph_str    attempt_id,
                                       struct wk_order *order) PH_MUST_CHECK;

/* the same by the caller's number; hash = that of the first request's body */
enum wk_found wk_order_load_by_no(struct wk_db *db, struct ph_arena *arena,
                                  struct ph_str app_id, struct ph_str order_no,
                                  struct wk_order *order,
                                  struct ph_str   *hash) PH_MUST_CHECK;

/* the notify tasks of a payment, newest first, by its notify_id chain */
bool wk_tasks_load(struct wk_db *db, struct ph_arena *arena,
                   struct ph_str newest_id, struct wk_task *tasks,
                   size_t *count) PH_MUST_CHECK;

#endif

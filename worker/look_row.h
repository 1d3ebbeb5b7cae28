/*
 * look_row.h - the row of `work` that a look is about, at its end.
 *
 * Thread: a store thread.
 */
#ifndef WK_LOOK_ROW_H
#define WK_LOOK_ROW_H

#include "worker/db.h"
#include "worker/schedule.h"

#define WK_LOCKED_WAIT_MS 250  /* somebody else works on it: wait so long, */
#define WK_LOCKED_LOOK_MS 1000 /* then look again later */

/* Holds off whoever would bring `id` back to work until we committed: the row
 * that we delete or move is the one that was there when we read what it is
 * about. */
bool wk_look_row_lock(struct wk_db *db, struct ph_str id) PH_MUST_CHECK;

/* Appends what `rest` says: the row goes, or is due again without a lease;
 * only while the lease is `lease_name`'s. */
void wk_look_row_sql(struct wk_db *db, struct ph_str id, const char *lease_name,
                     struct wk_rest rest, int64_t tries);

#endif

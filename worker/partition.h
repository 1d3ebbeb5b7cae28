/*
 * partition.h - a janitor's housekeeping of the traffic tables: partitions of
 * the months ahead, old months to the archive.
 *
 * Soon after the start and every hour, on a thread of its own with a connection
 * of store.owner; of several workers one does it.  Without that account's
 * rights the log says so and `payhub schema up` has to be run by hand: rows of
 * months that have no partition stand in p_open and are lost nowhere.
 * @thread loop.
 */
#ifndef WK_PARTITION_H
#define WK_PARTITION_H

#include "worker/worker.h"

struct wk_partitions *wk_partitions_new(struct wk_worker *worker) PH_MUST_CHECK;
void                  wk_partitions_stop(struct wk_partitions *partitions);
void wk_partitions_free(struct wk_partitions *partitions); /* none under way */

#endif

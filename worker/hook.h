/*
 * hook.h - the rows of `work` that stand for deliveries (queue `hook`, id
 * N...).
 *
 * Such a row is written only when it is needed: the first delivery failed or
 * found no place, the process that committed the event does not deliver, or a
 * look finds an event that nobody delivers (a crash).
 */
#ifndef WK_HOOK_H
#define WK_HOOK_H

#include "libpayhub/base/conf.h"
#include "worker/batch.h"
#include "worker/db.h"
#include "worker/worker.h"

#define WK_HOOK_WAITING_MS 2000 /* for a place; longer, and `work` keeps it */
#define WK_HOOK_MARGIN_MS 1000  /* for the commit */

/* The longest from taking a delivery to the end of its try: who waits is swept
 * once a janitor.tick.  Nobody else may send it so long. */
uint64_t wk_hook_longest_ms(const struct ph_conf *conf);

/*
 * Appends what makes sure that each pending task has a row: one statement, or
 * none.  A row that is there stays as it is.  A first delivery, which belongs
 * to whoever committed the event, is left the time that it may take.
 */
void wk_hook_sql_rows(struct wk_db *db, const struct ph_conf *conf,
                      const struct wk_task *tasks, size_t count);

/* The same for one task in a plan(). */
static inline bool
wk_hook_later(struct wk_batch *batch, const struct wk_task *task,
              uint64_t due_ms)
{
    return wk_batch_work_put(batch, task->id, WK_QUEUE_HOOK, due_ms);
}

/* In the commit of an event: its row, when this process delivers nothing. */
static inline bool
wk_hook_plan(struct wk_batch *batch, const struct wk_worker *worker,
             const struct wk_task *task)
{
    return (worker->roles & WK_ROLE_NOTIFY) != 0
           || wk_hook_later(batch, task, wk_batch_now_ms(batch));
}

#endif

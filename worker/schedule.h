/*
 * schedule.h - what is left to do for an order, and when.
 *
 * Pure: rows and configuration in, a time out.
 */
#ifndef WK_SCHEDULE_H
#define WK_SCHEDULE_H

#include "libpayhub/base/conf.h"
#include "worker/row.h"

struct wk_rest {
    bool     is_at_rest;
    uint64_t due_ms; /* else: when to look again */
};

/* tries = queries made so far */
struct wk_rest wk_rest_judge(const struct ph_conf  *conf,
                             const struct wk_order *order,
                             const struct wk_task *tasks, size_t task_count,
                             int64_t tries, uint64_t now_ms);

/* the attempt that a query should be made about; NULL = none */
struct wk_attempt *wk_rest_open_attempt(struct wk_order *order);

/* When a janitor may try it.  Its first delivery belongs to whoever committed
 * the event, and is left the time that it may take. */
uint64_t wk_notify_look_ms(const struct ph_conf *conf,
                           const struct wk_task *task);

/* When the task is to be tried next: the schedule counts from its birth. */
uint64_t wk_notify_due_ms(const struct ph_conf *conf,
                          const struct wk_task *task);

#endif

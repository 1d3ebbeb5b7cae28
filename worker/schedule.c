/* schedule.c - when an order is to be looked after again. */
#include "worker/schedule.h"

#define LOOK_MARGIN_MS 1000

struct wk_attempt *
wk_rest_open_attempt(struct wk_order *order)
{
    if (ph_payment_is_final(order->payment.status)) {
        return NULL;
    }
    for (size_t i = order->attempt_count; i-- > 0;) {
        if (!ph_attempt_is_proved(order->attempt[i].status)) {
            return &order->attempt[i];
        }
    }
    return NULL;
}

static uint64_t
query_due_ms(const struct ph_conf *conf, enum ph_attempt_state status,
             int64_t tries, uint64_t now_ms)
{
    int64_t          ms[PH_CONF_TIMES_MAX];
    enum ph_conf_key key   = status == PH_ATTEMPT_WAIT_USER
                                 ? PH_CONF_janitor_paying_schedule
                                 : PH_CONF_janitor_unknown_schedule;
    size_t           count = ph_conf_times(conf, key, ms);
    size_t           at    = (size_t) tries;

    if (count == 0) {
        return now_ms + LOOK_MARGIN_MS;
    }
    return now_ms + (uint64_t) ms[at < count ? at : count - 1];
}

/* the longest that one delivery may be under way */
static uint64_t
delivery_ms(const struct ph_conf *conf)
{
    return LOOK_MARGIN_MS
           + (uint64_t) ph_conf_number(conf, PH_CONF_notify_timeout);
}

/* What is due was just begun by the look that asks: not before it has ended. */
static uint64_t
task_due_ms(const struct ph_conf *conf, const struct wk_task *task,
            uint64_t now_ms)
{
    uint64_t due_ms = wk_notify_look_ms(conf, task);

    return due_ms > now_ms ? due_ms : now_ms + delivery_ms(conf);
}

static void
rest_bring_forward(struct wk_rest *rest, uint64_t due_ms)
{
    if (rest->is_at_rest || due_ms < rest->due_ms) {
        rest->due_ms = due_ms;
    }
    rest->is_at_rest = false;
}

struct wk_rest
wk_rest_judge(const struct ph_conf *conf, const struct wk_order *order,
              const struct wk_task *tasks, size_t task_count, int64_t tries,
              uint64_t now_ms)
{
    struct wk_rest           rest = { .is_at_rest = true };
    struct wk_order          copy = *order;
    const struct wk_attempt *open = wk_rest_open_attempt(&copy);

    if (open != NULL) {
        rest_bring_forward(&rest,
                           query_due_ms(conf, open->status, tries, now_ms));
    } else if (!ph_payment_is_final(order->payment.status)) {
        rest_bring_forward(
            &rest, query_due_ms(conf, PH_ATTEMPT_UNKNOWN, tries, now_ms));
    }
    for (size_t i = 0; i < task_count; i++) {
        if (ph_str_eq(tasks[i].status, PH_STR("pending"))) {
            rest_bring_forward(&rest, task_due_ms(conf, &tasks[i], now_ms));
        }
    }
    return rest;
}

uint64_t
wk_notify_due_ms(const struct ph_conf *conf, const struct wk_task *task)
{
    int64_t  ms[PH_CONF_TIMES_MAX];
    size_t   count  = ph_conf_times(conf, PH_CONF_notify_schedule, ms);
    uint64_t due_ms = task->created_at_ms;

    for (size_t i = 0; i < count && i <= (size_t) task->tries; i++) {
        due_ms += (uint64_t) ms[i];
    }
    return due_ms;
}

uint64_t
wk_notify_look_ms(const struct ph_conf *conf, const struct wk_task *task)
{
    uint64_t due_ms  = wk_notify_due_ms(conf, task);
    uint64_t over_ms = task->created_at_ms + delivery_ms(conf);

    return task->tries == 0 && over_ms > due_ms ? over_ms : due_ms;
}

/* schedule.c - when an order is to be looked after again. */
#include "worker/schedule.h"

#define LOOK_MARGIN_MS 1000

static bool
order_is_paid(const struct wk_order *order)
{
    return order->payment.status == PH_PAYMENT_PAID
           || order->payment.status == PH_PAYMENT_PAID_LATE;
}

/* What a person has decided is left alone. */
struct wk_attempt *
wk_rest_open_attempt(struct wk_order *order)
{
    if (ph_payment_is_final(order->payment.status)
        && (!order_is_paid(order)
            || ph_str_eq(order->payment.proof_source, PH_STR("person"))))
    {
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

bool
wk_attempt_is_bar(const struct wk_attempt *attempt)
{
    struct ph_str method = attempt->method;

    return ph_str_eq(method, PH_STR("bar"))
           || (method.len > 4
               && memcmp(method.ptr + method.len - 4, "_bar", 4) == 0);
}

static uint64_t
own_end_ms(const struct ph_conf *conf, const struct wk_order *order,
           const struct wk_attempt *attempt)
{
    uint64_t end_ms = order->payment.expires_at_ms;
    uint64_t bar_ms = attempt->sent_at_ms
                      + (uint64_t) ph_conf_number(conf, PH_CONF_pay_bar_wait);

    if (end_ms == 0) {
        end_ms = UINT64_MAX;
    }
    return wk_attempt_is_bar(attempt) && bar_ms < end_ms ? bar_ms : end_ms;
}

uint64_t
wk_rest_end_ms(const struct ph_conf *conf, const struct wk_order *order,
               const struct wk_attempt *attempt)
{
    return attempt->status == PH_ATTEMPT_CLOSING || order_is_paid(order)
               ? 0
               : own_end_ms(conf, order, attempt);
}

/* At the end, soon after it, and the more seldom the longer it is past: tries
 * made while there was time do not count. */
static uint64_t
end_due_ms(const struct ph_conf *conf, uint64_t end_ms, uint64_t now_ms)
{
    int64_t  ms[PH_CONF_TIMES_MAX];
    uint64_t pause_ms, least_ms, most_ms = LOOK_MARGIN_MS;
    size_t   count = ph_conf_times(conf, PH_CONF_janitor_unknown_schedule, ms);

    if (end_ms > now_ms) {
        return end_ms;
    }
    pause_ms = (now_ms - end_ms) / 2;
    least_ms = (uint64_t) ph_conf_number(conf, PH_CONF_janitor_expiry_tick);
    if (count != 0) {
        most_ms = (uint64_t) ms[count - 1];
    }
    pause_ms = pause_ms > most_ms ? most_ms : pause_ms;
    return now_ms + (pause_ms > least_ms ? pause_ms : least_ms);
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
              int64_t tries, uint64_t now_ms)
{
    struct wk_rest           rest = { .is_at_rest = true };
    struct wk_order          copy = *order;
    const struct wk_attempt *open = wk_rest_open_attempt(&copy);

    if (open != NULL) {
        rest_bring_forward(&rest,
                           query_due_ms(conf, open->status, tries, now_ms));
        rest_bring_forward(
            &rest, end_due_ms(conf, own_end_ms(conf, order, open), now_ms));
    } else if (!ph_payment_is_final(order->payment.status)) {
        rest_bring_forward(
            &rest, query_due_ms(conf, PH_ATTEMPT_UNKNOWN, tries, now_ms));
    }
    return rest;
}

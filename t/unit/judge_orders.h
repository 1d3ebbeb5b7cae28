/*
 * judge_orders.h - orders and results for the tests of the judge.
 */
#ifndef T_JUDGE_ORDERS_H
#define T_JUDGE_ORDERS_H

#include "t/unit/support.h"
#include "worker/judge.h"

#define ATTEMPT "A00000000000000000000000001"

static const struct wk_judge_rules rules = { .not_found_final_ms = 60000,
                                             .unknown_first_ms   = 1000,
                                             .paying_first_ms    = 5000,
                                             .now_ms             = 1000000 };

static inline struct wk_order
order_of(enum ph_payment_state payment, enum ph_attempt_state attempt)
{
    struct wk_order order = { .attempt_count = 1 };

    order.payment.status        = payment;
    order.payment.amount        = 1000;
    order.payment.currency      = PH_STR("CNY");
    order.attempt[0].id         = PH_STR(ATTEMPT);
    order.attempt[0].status     = attempt;
    order.attempt[0].amount     = 1000;
    order.attempt[0].currency   = PH_STR("CNY");
    order.attempt[0].sent_at_ms = rules.now_ms - 61000;
    return order;
}

static inline struct ph_channel_result result_of(enum ph_result_class class)
{
    return (struct ph_channel_result){ .class    = class,
                                       .number   = PH_STR(ATTEMPT),
                                       .trade_no = PH_STR("T1"),
                                       .amount   = 1000,
                                       .currency = PH_STR("CNY") };
}

static inline struct wk_verdict
judge(struct wk_order *order, enum wk_source source,
      const struct ph_channel_result *result)
{
    struct wk_evidence evidence = { .source = source, .result = result };
    struct wk_verdict  verdict;

    wk_judge(order, 0, &evidence, &rules, &verdict);
    return verdict;
}

#define P(state) PH_PAYMENT_##state
#define A(state) PH_ATTEMPT_##state
#define R(class) PH_RESULT_##class

#endif

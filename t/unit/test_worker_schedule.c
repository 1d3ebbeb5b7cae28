/* When an order is looked after again, and when it is at rest. */
#include "t/unit/support.h"
#include "worker/schedule.h"

#define NOW UINT64_C(1000000)

static struct ph_conf conf;

static struct wk_order
order_of(enum ph_payment_state payment, enum ph_attempt_state attempt)
{
    struct wk_order order = { .attempt_count = 1 };

    order.payment.status    = payment;
    order.attempt[0].status = attempt;
    return order;
}

/* defaults: unknown 1s 2s 4s ... 1h, paying 5s 30s ... 30m */
static void
queries_follow_their_schedule(void **unused)
{
    static const struct {
        enum ph_attempt_state attempt;
        int64_t               tries;
        uint64_t              after_ms;
    } rows[] = {
        { PH_ATTEMPT_SENT, 0, 1000 },
        { PH_ATTEMPT_UNKNOWN, 0, 1000 },
        { PH_ATTEMPT_UNKNOWN, 2, 4000 },
        { PH_ATTEMPT_UNKNOWN, 11, 3600000 },
        { PH_ATTEMPT_UNKNOWN, 65535, 3600000 },
        { PH_ATTEMPT_CLOSING, 0, 1000 },
        { PH_ATTEMPT_WAIT_USER, 0, 5000 },
        { PH_ATTEMPT_WAIT_USER, 1, 30000 },
        { PH_ATTEMPT_WAIT_USER, 99, 1800000 },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct wk_order order
            = order_of(PH_PAYMENT_PAYING, rows[i].attempt);
        const struct wk_rest rest
            = wk_rest_judge(&conf, &order, NULL, 0, rows[i].tries, NOW);

        assert_false(rest.is_at_rest);
        assert_int_equal(rest.due_ms, NOW + rows[i].after_ms);
    }
}

static void
final_payments_rest(void **unused)
{
    static const enum ph_payment_state finals[]
        = { PH_PAYMENT_PAID, PH_PAYMENT_PAID_LATE, PH_PAYMENT_FAILED,
            PH_PAYMENT_CLOSED, PH_PAYMENT_CONFLICT };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(finals); i++) {
        struct wk_order order = order_of(finals[i], PH_ATTEMPT_UNKNOWN);

        assert_true(wk_rest_judge(&conf, &order, NULL, 0, 0, NOW).is_at_rest);
        assert_null(wk_rest_open_attempt(&order));
    }
}

static void
a_waiting_webhook_keeps_the_order_at_work(void **unused)
{
    const struct wk_order order
        = order_of(PH_PAYMENT_PAID, PH_ATTEMPT_SUCCEEDED);
    struct wk_task tasks[2] = { { .status = PH_STR("delivered") },
                                { .status = PH_STR("pending") } };

    (void) unused;
    tasks[1].created_at_ms    = NOW;
    tasks[1].tries            = 1; /* 0s, 15s */
    const struct wk_rest rest = wk_rest_judge(&conf, &order, tasks, 2, 0, NOW);
    assert_false(rest.is_at_rest);
    assert_int_equal(rest.due_ms, NOW + 15000);

    tasks[1].tries = 0; /* due now: it may be under way */
    assert_int_equal(wk_rest_judge(&conf, &order, tasks, 2, 0, NOW).due_ms,
                     NOW + 6000);
    assert_int_equal(
        wk_rest_judge(&conf, &order, tasks, 2, 0, NOW + 2000).due_ms,
        NOW + 6000);
    tasks[1].status = PH_STR("dead");
    assert_true(wk_rest_judge(&conf, &order, tasks, 2, 0, NOW).is_at_rest);
}

static void
webhooks_count_from_their_birth(void **unused)
{
    struct wk_task task = { .created_at_ms = NOW };

    (void) unused;
    assert_int_equal(wk_notify_due_ms(&conf, &task), NOW);
    task.tries = 3; /* 0s 15s 15s 30s */
    assert_int_equal(wk_notify_due_ms(&conf, &task), NOW + 60000);
    task.tries = 9999; /* the whole schedule, no further */
    assert_int_equal(wk_notify_due_ms(&conf, &task),
                     NOW
                         + (15 + 15 + 30 + 180 + 600 + 1200 + 3 * 1800 + 3600
                            + 3 * 10800 + 2 * 21600)
                               * UINT64_C(1000));
}

/* Whoever committed the event delivers it at once; a janitor elsewhere that
 * does the same meanwhile would deliver it twice. */
static void
a_first_delivery_is_left_its_time(void **unused)
{
    struct wk_task task = { .created_at_ms = NOW };

    (void) unused;
    assert_int_equal(wk_notify_look_ms(&conf, &task), NOW + 6000);
    task.tries = 1;
    assert_int_equal(wk_notify_look_ms(&conf, &task), NOW + 15000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_follow_their_schedule),
        cmocka_unit_test(final_payments_rest),
        cmocka_unit_test(a_waiting_webhook_keeps_the_order_at_work),
        cmocka_unit_test(webhooks_count_from_their_birth),
        cmocka_unit_test(a_first_delivery_is_left_its_time),
    };

    ph_conf_init(&conf);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

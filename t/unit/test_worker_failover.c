/* The attempt that follows, and the refund that payhub makes by itself. */
#include "t/unit/support.h"
#include "worker/failover.h"
#include "worker/refund_auto.h"

#define FIRST "A01M8420KW2F8Q97J1VDRRY0Y8R"
#define SECOND "A01M8420KW2F8Q97J1VDRRY0Y8S"

static struct wk_order
order_make(void)
{
    struct wk_order order = { .attempt_count = 1 };

    order.payment.id            = PH_STR("P01M8420KW2F8X5721EE1W9SSB9");
    order.payment.app_id        = PH_STR("app");
    order.payment.merchant_id   = PH_STR("M1");
    order.payment.method        = PH_STR("sandbox_bar");
    order.payment.amount        = 1234;
    order.payment.currency      = PH_STR("CNY");
    order.payment.attempt_ids   = PH_STR(FIRST);
    order.attempt[0].id         = PH_STR(FIRST);
    order.attempt[0].channel    = PH_STR("sandbox");
    order.attempt[0].account_id = PH_STR("one");
    order.attempt[0].method     = PH_STR("sandbox_bar");
    order.attempt[0].amount     = 1234;
    order.attempt[0].currency   = PH_STR("CNY");
    return order;
}

static void
the_next_attempt_is_of_the_same_money(void **unused)
{
    struct wk_order        order = order_make();
    struct wk_next_attempt next;
    struct ph_arena        arena;
    char                   memory[512];

    (void) unused;
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_true(wk_failover_fill(&next, &order, PH_STR(SECOND),
                                 PH_STR("sandbox"), PH_STR("two"), &arena));
    t_same(next.attempt_ids, PH_STR(FIRST "," SECOND));
    assert_int_equal(next.count, 1);
    t_same(next.attempt.id, PH_STR(SECOND));
    t_same(next.attempt.payment_id, order.payment.id);
    t_same(next.attempt.app_id, PH_STR("app"));
    t_same(next.attempt.merchant_id, PH_STR("M1"));
    t_same(next.attempt.method, PH_STR("sandbox_bar"));
    t_same(next.attempt.account_id, PH_STR("two"));
    t_same(next.attempt.currency, PH_STR("CNY"));
    assert_int_equal(next.attempt.amount, 1234);
    assert_int_equal(next.attempt.status, PH_ATTEMPT_SENT);
}

static void
there_is_room_for_so_many(void **unused)
{
    struct wk_order        order = order_make();
    struct wk_next_attempt next;
    struct ph_arena        arena;
    char                   memory[512];

    (void) unused;
    ph_arena_init(&arena, memory, sizeof(memory));
    order.attempt_count = WK_ATTEMPTS_MAX;
    assert_false(wk_failover_fill(&next, &order, PH_STR(SECOND), PH_STR("s"),
                                  PH_STR("two"), &arena));
    order.attempt_count = 0;
    assert_false(wk_failover_fill(&next, &order, PH_STR(SECOND), PH_STR("s"),
                                  PH_STR("two"), &arena));
    order.attempt_count = 1;
    ph_arena_init(&arena, memory, 40); /* two ids need 55 */
    assert_false(wk_failover_fill(&next, &order, PH_STR(SECOND), PH_STR("s"),
                                  PH_STR("two"), &arena));
}

static void
an_automatic_refund_has_the_attempts_number(void **unused)
{
    struct wk_order  order = order_make();
    struct wk_refund refund;
    char             id[27];

    (void) unused;
    order.payment.refund_id = PH_STR("R0");
    wk_refund_auto_id(order.attempt[0].id, id);
    t_same(ph_str_make(id, 27), PH_STR("R01M8420KW2F8Q97J1VDRRY0Y8R"));

    refund.amount = order.attempt[0].amount;
    wk_refund_auto_fill(&refund, &order.payment, &order.attempt[0], id,
                        WK_REFUND_DUPLICATE, 99);
    t_same(refund.id, PH_STR("R01M8420KW2F8Q97J1VDRRY0Y8R"));
    t_same(refund.prev_id, PH_STR("R0"));
    t_same(order.payment.refund_id, refund.id);
    t_same(refund.attempt_id, PH_STR(FIRST));
    t_same(refund.account_id, PH_STR("one"));
    t_same(refund.kind, PH_STR("duplicate"));
    assert_int_equal(refund.status, PH_REFUND_CREATED);
    assert_int_equal(refund.amount, 1234);
    assert_int_equal(refund.created_at_ms, 99);
    assert_int_equal(order.payment.amount_refunding, 0);

    refund.amount = order.attempt[0].amount;
    wk_refund_auto_fill(&refund, &order.payment, &order.attempt[0], id,
                        WK_REFUND_LATE, 99);
    assert_int_equal(order.payment.amount_refunding, 1234);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_attempt_is_of_the_same_money),
        cmocka_unit_test(there_is_room_for_so_many),
        cmocka_unit_test(an_automatic_refund_has_the_attempts_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

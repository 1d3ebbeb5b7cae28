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
            = wk_rest_judge(&conf, &order, rows[i].tries, NOW);

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
        bool is_paid
            = finals[i] == PH_PAYMENT_PAID || finals[i] == PH_PAYMENT_PAID_LATE;
        struct wk_order order = order_of(
            finals[i], is_paid ? PH_ATTEMPT_SUCCEEDED : PH_ATTEMPT_UNKNOWN);

        assert_true(wk_rest_judge(&conf, &order, 0, NOW).is_at_rest);
        assert_null(wk_rest_open_attempt(&order));
    }
}

/* Another attempt has paid: this one is to be ended at once.  What a person has
 * called paid is left alone. */
static void
a_paid_order_with_an_open_attempt_is_at_work(void **unused)
{
    static const enum ph_attempt_state opens[]
        = { PH_ATTEMPT_SENT, PH_ATTEMPT_WAIT_USER, PH_ATTEMPT_UNKNOWN,
            PH_ATTEMPT_CLOSING };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(opens); i++) {
        struct wk_order order = order_of(PH_PAYMENT_PAID, opens[i]);

        order.payment.expires_at_ms = NOW + 7200000;
        assert_false(wk_rest_judge(&conf, &order, 0, NOW).is_at_rest);
        assert_ptr_equal(wk_rest_open_attempt(&order), &order.attempt[0]);
        assert_int_equal(wk_rest_end_ms(&conf, &order, &order.attempt[0]), 0);
        order.payment.proof_source = PH_STR("person");
        assert_true(wk_rest_judge(&conf, &order, 0, NOW).is_at_rest);
    }
}

/* bar_wait 30s, expiry_tick 1s, the last of the schedules 1h and 30m */
/* clang-format off */
static const struct {
    const char           *method;
    enum ph_attempt_state attempt;
    int64_t               tries;
    int64_t               sent_ms, expires_ms; /* from now */
    int64_t               end_ms;  /* from now; AT_ONCE */
    uint64_t              due_ms;  /* from now */
} ends[] = {
#define AT_ONCE (-(int64_t) NOW)
    { "sandbox_qr", PH_ATTEMPT_WAIT_USER, 9, -100000, 700, 700, 700 },
    { "sandbox_qr", PH_ATTEMPT_WAIT_USER, 0, -100, 60000, 60000, 5000 },
    { "sandbox_qr", PH_ATTEMPT_UNKNOWN, 11, -100000, 900, 900, 900 },
    { "sandbox_qr", PH_ATTEMPT_CLOSING, 3, -100000, 900000, AT_ONCE, 8000 },
    /* past it: half of what has passed, 1 s at least, 1 h at most */
    { "sandbox_qr", PH_ATTEMPT_WAIT_USER, 99, -900000, 0, 0, 1000 },
    { "sandbox_qr", PH_ATTEMPT_WAIT_USER, 99, -900000, -1500, -1500, 1000 },
    { "sandbox_qr", PH_ATTEMPT_WAIT_USER, 99, -900000, -8000, -8000, 4000 },
    { "sandbox_qr", PH_ATTEMPT_CLOSING, 99, -900000, -8000, AT_ONCE, 4000 },
    { "sandbox_qr", PH_ATTEMPT_UNKNOWN, 99, -900000, -900000, -900000, 450000 },
    { "sandbox_qr", PH_ATTEMPT_UNKNOWN, 99, -9000000, -8000000, -8000000, 3600000 },
    { "sandbox_qr", PH_ATTEMPT_UNKNOWN, 2, -9000000, -8000000, -8000000, 4000 },
    /* a bar code ends by its own wait, or with its order */
    { "sandbox_bar", PH_ATTEMPT_WAIT_USER, 9, -20000, 700000, 10000, 10000 },
    { "sandbox_bar", PH_ATTEMPT_WAIT_USER, 9, -20000, 3000, 3000, 3000 },
    { "bar", PH_ATTEMPT_UNKNOWN, 99, -40000, 700000, -10000, 5000 },
    { "sidebar", PH_ATTEMPT_WAIT_USER, 9, -40000, 700000, 700000, 700000 },
};
/* clang-format on */

static void
an_order_is_looked_after_at_its_end(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(ends); i++) {
        struct wk_order order = order_of(PH_PAYMENT_PAYING, ends[i].attempt);
        const int64_t   now   = (int64_t) NOW * 100;

        order.attempt[0].method     = ph_str_z(ends[i].method);
        order.attempt[0].sent_at_ms = (uint64_t) (now + ends[i].sent_ms);
        order.payment.expires_at_ms = (uint64_t) (now + ends[i].expires_ms);
        const uint64_t end_ms
            = wk_rest_end_ms(&conf, &order, &order.attempt[0]);
        const struct wk_rest rest
            = wk_rest_judge(&conf, &order, ends[i].tries, (uint64_t) now);
        uint64_t expected
            = ends[i].end_ms == AT_ONCE ? 0 : (uint64_t) (now + ends[i].end_ms);

        if (end_ms != expected
            || rest.due_ms != (uint64_t) now + ends[i].due_ms) {
            fail_msg("row %zu: end %ld, due %ld", i, (long) end_ms,
                     (long) rest.due_ms - (long) now);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_follow_their_schedule),
        cmocka_unit_test(final_payments_rest),
        cmocka_unit_test(a_paid_order_with_an_open_attempt_is_at_work),
        cmocka_unit_test(an_order_is_looked_after_at_its_end),
    };

    ph_conf_init(&conf);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

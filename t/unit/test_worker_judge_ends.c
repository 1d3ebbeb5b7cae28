/* What evidence does to orders of several attempts, to those that are being
 * closed, and to a create that was sent again. */
#include "t/unit/judge_orders.h"

/* What a close or a waiting answer does to an attempt that is being closed. */
/* clang-format off */
static const struct {
    enum ph_attempt_state attempt;
    enum ph_result_class  class;
    enum ph_payment_state payment_to;
    enum ph_attempt_state attempt_to;
} closings[] = {
    { A(CLOSING), R(CLOSED), P(CLOSED), A(CLOSED) },
    { A(CLOSING), R(SUCCEEDED), P(PAID), A(SUCCEEDED) },
    { A(CLOSING), R(FAILED), P(FAILED), A(FAILED) },
    { A(CLOSING), R(WAIT_USER), P(PAYING), A(CLOSING) },
    { A(CLOSING), R(UNKNOWN), P(PAYING), A(CLOSING) },
    { A(CLOSING), R(NOT_SENT), P(PAYING), A(CLOSING) },
    { A(CLOSING), R(NOT_FOUND), P(PAYING), A(CLOSING) }, /* told once */
};
/* clang-format on */

static void
closing_ends_by_proof_only(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(closings); i++) {
        struct wk_order order = order_of(P(PAYING), closings[i].attempt);
        const struct ph_channel_result result = result_of(closings[i].class);

        (void) judge(&order, WK_SOURCE_QUERY, &result);
        if (order.payment.status != closings[i].payment_to
            || order.attempt[0].status != closings[i].attempt_to)
        {
            fail_msg("row %zu: found %s, %s", i,
                     ph_payment_state_text(order.payment.status),
                     ph_attempt_state_text(order.attempt[0].status));
        }
    }
}

/* The intent to close: a move of its own, before the channel is told. */
static void
the_intent_to_close_moves_open_attempts(void **unused)
{
    static const struct {
        enum ph_payment_state payment;
        enum ph_attempt_state from, to;
    } rows[] = {
        { P(PAYING), A(SENT), A(CLOSING) },
        { P(PAYING), A(WAIT_USER), A(CLOSING) },
        { P(PAYING), A(UNKNOWN), A(CLOSING) },
        { P(PAYING), A(CLOSING), A(CLOSING) },
        { P(PAID), A(UNKNOWN), A(CLOSING) }, /* another one paid */
        { P(PAID_LATE), A(WAIT_USER), A(CLOSING) },
        { P(PAID), A(SUCCEEDED), A(SUCCEEDED) },
        { P(PAID), A(DUPLICATE), A(DUPLICATE) },
        { P(FAILED), A(FAILED), A(FAILED) },
        { P(CLOSED), A(CLOSED), A(CLOSED) },
        { P(CONFLICT), A(UNKNOWN), A(UNKNOWN) },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct wk_order         order = order_of(rows[i].payment, rows[i].from);
        const struct wk_verdict verdict
            = judge(&order, WK_SOURCE_CLOSING, NULL);

        assert_int_equal(order.attempt[0].status, rows[i].to);
        assert_int_equal(order.payment.status, rows[i].payment);
        assert_int_equal(verdict.attempt_moved, rows[i].from != rows[i].to);
        assert_int_equal(verdict.event.len, 0);
    }
}

/* ---- several attempts ---- */

static struct wk_order
order_of_two(enum ph_payment_state payment, enum ph_attempt_state first,
             enum ph_attempt_state second)
{
    struct wk_order order = order_of(payment, second);

    order.attempt[1]            = order.attempt[0];
    order.attempt[0].status     = first;
    order.attempt[0].id         = PH_STR("A00000000000000000000000000");
    order.attempt[1].channel    = PH_STR("sandbox");
    order.attempt[1].account_id = PH_STR("second");
    order.attempt_count         = 2;
    return order;
}

/* clang-format off */
static const struct {
    enum ph_payment_state payment;
    enum ph_attempt_state first, second;
    enum ph_result_class  class; /* told of the second */
    bool                  refunds_late;
    enum ph_payment_state payment_to;
    enum ph_attempt_state second_to;
    const char           *refund; /* NULL = none */
    const char           *event;
} seconds[] = {
    { P(PAID), A(SUCCEEDED), A(SENT), R(SUCCEEDED), true, P(PAID), A(DUPLICATE), "duplicate", NULL },
    { P(PAID), A(SUCCEEDED), A(UNKNOWN), R(SUCCEEDED), false, P(PAID), A(DUPLICATE), "duplicate", NULL },
    { P(PAID), A(SUCCEEDED), A(CLOSING), R(SUCCEEDED), true, P(PAID), A(DUPLICATE), "duplicate", NULL },
    { P(PAID), A(SUCCEEDED), A(FAILED), R(SUCCEEDED), true, P(PAID), A(DUPLICATE), "duplicate", NULL },
    { P(PAID), A(SUCCEEDED), A(DUPLICATE), R(SUCCEEDED), true, P(PAID), A(DUPLICATE), NULL, NULL },
    { P(PAID_LATE), A(SUCCEEDED), A(CLOSED), R(SUCCEEDED), true, P(PAID_LATE), A(DUPLICATE), "duplicate", NULL },
    { P(PAID), A(SUCCEEDED), A(SENT), R(FAILED), true, P(PAID), A(FAILED), NULL, NULL },
    { P(PAID), A(SUCCEEDED), A(CLOSING), R(CLOSED), true, P(PAID), A(CLOSED), NULL, NULL },
    { P(PAID), A(SUCCEEDED), A(SENT), R(UNKNOWN), true, P(PAID), A(UNKNOWN), NULL, NULL },
    { P(FAILED), A(FAILED), A(FAILED), R(SUCCEEDED), true, P(PAID_LATE), A(SUCCEEDED), "late", "payment.paid_late" },
    { P(CLOSED), A(FAILED), A(CLOSED), R(SUCCEEDED), true, P(PAID_LATE), A(SUCCEEDED), "late", "payment.paid_late" },
    { P(CLOSED), A(FAILED), A(CLOSED), R(SUCCEEDED), false, P(PAID_LATE), A(SUCCEEDED), NULL, "payment.paid_late" },
    { P(PAYING), A(FAILED), A(SENT), R(SUCCEEDED), true, P(PAID), A(SUCCEEDED), NULL, "payment.paid" },
    { P(PAYING), A(FAILED), A(SENT), R(FAILED), true, P(FAILED), A(FAILED), NULL, "payment.failed" },
    { P(CONFLICT), A(SUCCEEDED), A(SENT), R(SUCCEEDED), true, P(CONFLICT), A(SUCCEEDED), NULL, NULL },
    /* paid by a person's word: the first success is no second one */
    { P(PAID), A(FAILED), A(UNKNOWN), R(SUCCEEDED), true, P(PAID), A(SUCCEEDED), NULL, NULL },
};
/* clang-format on */

static void
a_second_success_is_refunded(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(seconds); i++) {
        struct wk_order order = order_of_two(
            seconds[i].payment, seconds[i].first, seconds[i].second);
        const struct ph_channel_result result = result_of(seconds[i].class);
        const struct wk_evidence       evidence
            = { .source = WK_SOURCE_NOTICE, .result = &result };
        struct wk_judge_rules own = rules;
        struct wk_verdict     verdict;

        own.refunds_late = seconds[i].refunds_late;
        wk_judge(&order, 1, &evidence, &own, &verdict);
        if (order.payment.status != seconds[i].payment_to
            || order.attempt[1].status != seconds[i].second_to)
        {
            fail_msg("row %zu: found %s, %s", i,
                     ph_payment_state_text(order.payment.status),
                     ph_attempt_state_text(order.attempt[1].status));
        }
        t_same(ph_str_z(verdict.refund_kind), ph_str_z(seconds[i].refund));
        t_same(verdict.event, ph_str_z(seconds[i].event));
        assert_int_equal(order.attempt[0].status, seconds[i].first);
        if (order.attempt[1].status == A(SUCCEEDED)
            && order.payment.status != seconds[i].payment)
        {
            t_same(order.payment.account_id, PH_STR("second"));
        }
        /* whose money moved is written down, refunded or not */
        if (seconds[i].class == R(SUCCEEDED)
            && seconds[i].second != A(DUPLICATE)) {
            assert_true(verdict.records_trade);
            assert_int_equal(order.attempt[1].paid_at_ms, rules.now_ms);
        }
    }
}

/* What the channel says went back whole is not sent back once more. */
static void
what_went_back_is_not_refunded_again(void **unused)
{
    static const struct {
        enum ph_payment_state payment;
        enum ph_attempt_state first, second;
        int64_t               total;
        const char           *refund;
    } rows[] = {
        { P(CLOSED), A(FAILED), A(CLOSED), 1000, NULL },
        { P(CLOSED), A(FAILED), A(CLOSED), 1001, NULL },
        { P(CLOSED), A(FAILED), A(CLOSED), 999, "late" },
        { P(CLOSED), A(FAILED), A(CLOSED), -1, "late" },
        { P(PAID), A(SUCCEEDED), A(CLOSED), 1000, NULL },
        { P(PAID), A(SUCCEEDED), A(CLOSED), 999, "duplicate" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct wk_order order
            = order_of_two(rows[i].payment, rows[i].first, rows[i].second);
        struct ph_channel_result result = result_of(R(SUCCEEDED));
        const struct wk_evidence evidence
            = { .source = WK_SOURCE_NOTICE, .result = &result };
        struct wk_judge_rules own = rules;
        struct wk_verdict     verdict;

        own.refunds_late      = true;
        result.refunded_total = rows[i].total;
        wk_judge(&order, 1, &evidence, &own, &verdict);
        t_same(ph_str_z(verdict.refund_kind), ph_str_z(rows[i].refund));
        assert_int_equal(order.attempt[1].status, rows[i].payment == P(PAID)
                                                      ? A(DUPLICATE)
                                                      : A(SUCCEEDED));
        assert_true(verdict.records_trade);
    }
}

/* The first attempt pays late while the second is open: that one is looked
 * after at once, before it is paid, too. */
static void
a_paid_order_with_an_open_attempt_is_soon_looked_after(void **unused)
{
    const struct ph_channel_result result = result_of(R(SUCCEEDED));
    struct wk_order order = order_of_two(P(PAYING), A(WAIT_USER), A(FAILED));
    const struct wk_evidence evidence
        = { .source = WK_SOURCE_NOTICE, .result = &result };
    struct wk_verdict verdict;

    (void) unused;
    wk_judge(&order, 1, &evidence, &rules, &verdict);
    assert_int_equal(order.payment.status, P(PAID));
    assert_int_equal(order.attempt[0].status, A(WAIT_USER));
    assert_int_equal(verdict.look_in_ms, rules.unknown_first_ms);
}

/* clang-format off */
static const struct {
    enum ph_payment_state payment;
    enum ph_attempt_state attempt;
    enum wk_source        source;
    enum ph_result_class  class;
    size_t                count; /* that the next one was made for */
    bool                  begins;
    enum ph_payment_state payment_to;
} nexts[] = {
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(NOT_SENT), 1, true, P(PAYING) },
    { P(PAYING), A(UNKNOWN), WK_SOURCE_ANSWER, R(NOT_SENT), 1, false, P(PAYING) }, /* may have been repeated */
    { P(PAYING), A(WAIT_USER), WK_SOURCE_ANSWER, R(NOT_SENT), 1, false, P(PAYING) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(NOT_SENT), 2, false, P(FAILED) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(NOT_SENT), WK_ATTEMPTS_MAX, false, P(FAILED) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(FAILED), 1, false, P(FAILED) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(UNKNOWN), 1, false, P(PAYING) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(WAIT_USER), 1, false, P(PAYING) },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(SUCCEEDED), 1, false, P(PAID) },
    { P(PAYING), A(SENT), WK_SOURCE_QUERY, R(NOT_SENT), 1, false, P(PAYING) },
    { P(PAYING), A(SENT), WK_SOURCE_QUERY, R(FAILED), 1, false, P(FAILED) },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_ANSWER, R(NOT_SENT), 1, false, P(PAID) },
    { P(CONFLICT), A(UNKNOWN), WK_SOURCE_ANSWER, R(NOT_SENT), 1, false, P(CONFLICT) },
};
/* clang-format on */

static void
the_next_attempt_begins_by_proof_only(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(nexts); i++) {
        struct wk_order order = order_of(nexts[i].payment, nexts[i].attempt);
        const struct ph_channel_result result = result_of(nexts[i].class);
        const struct wk_next_attempt   next
            = { .attempt     = { .id         = PH_STR("A2"),
                                 .status     = A(SENT),
                                 .account_id = PH_STR("next") },
                .attempt_ids = PH_STR("A1,A2"),
                .count       = nexts[i].count };
        const struct wk_evidence evidence = { .source = nexts[i].source,
                                              .result = &result,
                                              .next   = &next,
                                              .fence  = 7 };
        struct wk_verdict        verdict;

        wk_judge(&order, 0, &evidence, &rules, &verdict);
        if (verdict.attempt_added != nexts[i].begins
            || order.payment.status != nexts[i].payment_to)
        {
            fail_msg("row %zu: added %d, %s", i, verdict.attempt_added,
                     ph_payment_state_text(order.payment.status));
        }
        assert_int_equal(order.attempt_count, nexts[i].begins ? 2 : 1);
        if (!nexts[i].begins) {
            continue;
        }
        assert_true(verdict.payment_moved && verdict.attempt_moved);
        assert_int_equal(verdict.event.len, 0);
        assert_int_equal(order.attempt[0].status, A(FAILED));
        assert_int_equal(order.attempt[1].status, A(SENT));
        assert_int_equal(order.attempt[1].sent_at_ms, rules.now_ms);
        assert_int_equal(order.attempt[1].fence, 7);
        t_same(order.payment.attempt_ids, PH_STR("A1,A2"));
        t_same(order.payment.account_id, PH_STR("next"));
        assert_int_equal(order.payment.error_code.len, 0);
    }
}

static void
no_order_has_more_attempts_than_its_list_holds(void **unused)
{
    const struct ph_channel_result result = result_of(R(NOT_SENT));
    struct wk_order                order  = order_of(P(PAYING), A(SENT));
    const struct wk_next_attempt   next   = { .count = WK_ATTEMPTS_MAX };
    const struct wk_evidence       evidence
        = { .source = WK_SOURCE_ANSWER, .result = &result, .next = &next };
    struct wk_verdict verdict;

    (void) unused;
    for (size_t i = 1; i < WK_ATTEMPTS_MAX; i++) {
        order.attempt[i]        = order.attempt[0];
        order.attempt[i].status = A(FAILED);
    }
    order.attempt_count = WK_ATTEMPTS_MAX;
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_false(verdict.attempt_added);
    assert_int_equal(order.payment.status, P(FAILED));
}

/* ---- a create that was sent again ---- */

/* clang-format off */
static const struct {
    enum ph_result_class  class;
    enum ph_attempt_state to;
    int64_t               not_found; /* was 1 */
} repeats[] = {
    { R(WAIT_USER), A(WAIT_USER), 1 },
    { R(SUCCEEDED), A(SUCCEEDED), 1 },
    { R(CLOSED), A(CLOSED), 1 },
    { R(FAILED), A(UNKNOWN), 1 },
    { R(NOT_FOUND), A(UNKNOWN), 1 },
    { R(NOT_SENT), A(UNKNOWN), 1 },
    { R(UNKNOWN), A(UNKNOWN), 0 },
};
/* clang-format on */

static void
a_repeated_create_fails_nothing(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(repeats); i++) {
        const struct ph_channel_result result = result_of(repeats[i].class);
        struct wk_order                order  = order_of(P(PAYING), A(UNKNOWN));
        const struct wk_evidence       evidence = { .source = WK_SOURCE_QUERY,
                                                    .result = &result,
                                                    .is_repeat = true };
        struct wk_verdict              verdict;

        order.attempt[0].not_found = 1;
        wk_judge(&order, 0, &evidence, &rules, &verdict);
        assert_int_equal(order.attempt[0].status, repeats[i].to);
        assert_int_equal(order.attempt[0].not_found, repeats[i].not_found);
        assert_int_equal(verdict.attempt_moved,
                         repeats[i].to != A(UNKNOWN)
                             || repeats[i].not_found != 1);
    }
    const struct ph_channel_result unknown = result_of(R(UNKNOWN));
    struct wk_order                order   = order_of(P(PAYING), A(UNKNOWN));
    const struct wk_evidence       evidence
        = { .source = WK_SOURCE_QUERY, .result = &unknown, .is_repeat = true };
    struct wk_verdict verdict;

    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_false(verdict.attempt_moved);
}

/* ---- the answer of a create that somebody else has repeated ---- */

/* clang-format off */
static const struct {
    const char           *method;
    enum ph_attempt_state from;
    enum ph_result_class  class;
    enum ph_attempt_state to;
} late_answers[] = {
    { "sandbox_qr", A(SENT), R(FAILED), A(FAILED) },
    { "sandbox_qr", A(SENT), R(NOT_SENT), A(FAILED) },
    { "sandbox_qr", A(WAIT_USER), R(FAILED), A(WAIT_USER) },
    { "sandbox_qr", A(WAIT_USER), R(NOT_SENT), A(WAIT_USER) },
    { "sandbox_qr", A(UNKNOWN), R(FAILED), A(UNKNOWN) },
    { "sandbox_qr", A(UNKNOWN), R(NOT_SENT), A(UNKNOWN) },
    { "sandbox_qr", A(CLOSING), R(FAILED), A(CLOSING) },
    { "sandbox_qr", A(UNKNOWN), R(CLOSED), A(CLOSED) },
    { "sandbox_qr", A(UNKNOWN), R(SUCCEEDED), A(SUCCEEDED) },
    { "sandbox_bar", A(UNKNOWN), R(FAILED), A(FAILED) }, /* never repeated */
    { "sandbox_bar", A(UNKNOWN), R(NOT_SENT), A(FAILED) },
    { "sandbox_bar", A(CLOSING), R(FAILED), A(FAILED) },
};
/* clang-format on */

static void
an_answer_that_others_went_before_refuses_nothing(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(late_answers); i++) {
        const struct ph_channel_result result
            = result_of(late_answers[i].class);
        struct wk_order order = order_of(P(PAYING), late_answers[i].from);

        order.attempt[0].method   = ph_str_z(late_answers[i].method);
        struct wk_verdict verdict = judge(&order, WK_SOURCE_ANSWER, &result);

        assert_int_equal(order.attempt[0].status, late_answers[i].to);
        assert_true(ph_attempt_is_proved(late_answers[i].to)
                    || verdict.look_in_ms == rules.unknown_first_ms);
    }
}

/* ---- a bar code that is being taken back ---- */

/* clang-format off */
static const struct {
    const char           *method;
    enum wk_source        source;
    enum ph_attempt_state from;
    enum ph_result_class  class;
    enum ph_attempt_state to;
    int64_t               look_in_ms;
} reversals[] = {
    /* it had been paid, and may be on its way back: the query tells */
    { "sandbox_bar", WK_SOURCE_NOTICE, A(CLOSING), R(SUCCEEDED), A(CLOSING), 1 },
    { "bar", WK_SOURCE_NOTICE, A(CLOSING), R(SUCCEEDED), A(CLOSING), 1 },
    { "bar", WK_SOURCE_QUERY, A(CLOSING), R(SUCCEEDED), A(SUCCEEDED), 0 },
    { "bar", WK_SOURCE_ANSWER, A(CLOSING), R(SUCCEEDED), A(CLOSING), 1 },
    { "bar", WK_SOURCE_ANSWER, A(UNKNOWN), R(SUCCEEDED), A(SUCCEEDED), 0 },
    { "bar", WK_SOURCE_NOTICE, A(WAIT_USER), R(SUCCEEDED), A(SUCCEEDED), 0 },
    { "bar", WK_SOURCE_NOTICE, A(UNKNOWN), R(SUCCEEDED), A(SUCCEEDED), 0 },
    { "bar", WK_SOURCE_NOTICE, A(CLOSED), R(SUCCEEDED), A(SUCCEEDED), 0 },
    { "bar", WK_SOURCE_NOTICE, A(CLOSING), R(CLOSED), A(CLOSED), 0 },
    { "sandbox_qr", WK_SOURCE_NOTICE, A(CLOSING), R(SUCCEEDED), A(SUCCEEDED), 0 },
};
/* clang-format on */

static void
a_query_alone_pays_a_bar_code_that_is_taken_back(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(reversals); i++) {
        const struct ph_channel_result result  = result_of(reversals[i].class);
        const bool                     is_late = reversals[i].from == A(CLOSED);
        struct wk_order                order
            = order_of(is_late ? P(CLOSED) : P(PAYING), reversals[i].from);

        order.attempt[0].method = ph_str_z(reversals[i].method);
        const struct wk_verdict verdict
            = judge(&order, reversals[i].source, &result);

        assert_int_equal(order.attempt[0].status, reversals[i].to);
        assert_int_equal(verdict.look_in_ms, reversals[i].look_in_ms);
        assert_int_equal(verdict.payment_moved, reversals[i].to != A(CLOSING));
    }
}

/* ---- the seller and the app ---- */

static void
another_seller_or_app_is_a_conflict(void **unused)
{
    static const struct {
        struct ph_str expected, told;
        bool          is_conflict;
    } rows[] = {
        { PH_STR_INIT("2088"), PH_STR_INIT("2088"), false },
        { PH_STR_INIT("2088"), PH_STR_INIT("2089"), true },
        { PH_STR_INIT("2088"), PH_STR_INIT("20880"), true },
        { PH_STR_INIT("2088"), { NULL, 0 }, false }, /* not told */
        { { NULL, 0 }, PH_STR_INIT("2089"), false }, /* nothing to compare */
    };
    static const enum ph_result_class classes[]
        = { R(SUCCEEDED), R(FAILED), R(CLOSED), R(WAIT_USER), R(NOT_FOUND) };

    (void) unused;
    for (size_t i = 0; i < 2 * PH_COUNT(rows); i++) {
        const bool   is_app = i >= PH_COUNT(rows);
        const size_t row    = i % PH_COUNT(rows);

        for (size_t k = 0; k < PH_COUNT(classes); k++) {
            struct wk_order          order  = order_of(P(PAYING), A(UNKNOWN));
            struct ph_channel_result result = result_of(classes[k]);
            struct wk_evidence       evidence
                = { .source = WK_SOURCE_NOTICE, .result = &result };
            struct wk_verdict verdict;

            *(is_app ? &evidence.expected.app : &evidence.expected.seller)
                = rows[row].expected;
            *(is_app ? &result.app : &result.seller) = rows[row].told;
            wk_judge(&order, 0, &evidence, &rules, &verdict);
            assert_int_equal(verdict.is_conflict, rows[row].is_conflict);
            assert_int_equal(order.payment.status == P(CONFLICT),
                             rows[row].is_conflict);
        }
    }
}

static void
the_seller_is_not_compared_with_the_app(void **unused)
{
    struct wk_order          order  = order_of(P(PAYING), A(UNKNOWN));
    struct ph_channel_result result = result_of(R(SUCCEEDED));
    struct wk_evidence       evidence
        = { .source   = WK_SOURCE_NOTICE,
            .result   = &result,
            .expected = { PH_STR("2088"), PH_STR("app") } };
    struct wk_verdict verdict;

    (void) unused;
    result.seller = PH_STR("2088");
    result.app    = PH_STR("app");
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_int_equal(order.payment.status, P(PAID));
}

/* ---- a hint ---- */

/* clang-format off */
static const struct {
    enum ph_payment_state payment;
    enum ph_attempt_state attempt, to;
    bool                  is_hint;
    int64_t               look_in_ms; /* -1 = paying_first, -2 = unknown_first */
    bool                  is_unknown; /* else "the payer acts" */
} hints[] = {
    { P(PAYING), A(SENT),      A(SENT),      true,  1, false },
    { P(PAYING), A(UNKNOWN),   A(WAIT_USER), true,  1, false },
    { P(PAYING), A(WAIT_USER), A(WAIT_USER), true,  1, false },
    { P(PAYING), A(CLOSING),   A(CLOSING),   true,  1, false },
    { P(PAYING), A(WAIT_USER), A(WAIT_USER), false, -1, false },
    { P(PAYING), A(CLOSING),   A(CLOSING),   false, -2, false },
    { P(PAID),   A(SUCCEEDED), A(SUCCEEDED), true,  0, false },
    { P(FAILED), A(FAILED),    A(FAILED),    true,  0, false },
    { P(CLOSED), A(CLOSED),    A(CLOSED),    true,  0, false },
    { P(PAYING), A(SENT),      A(SENT),      true,  1, true },
    { P(PAYING), A(UNKNOWN),   A(UNKNOWN),   true,  1, true },
    { P(PAYING), A(WAIT_USER), A(WAIT_USER), true,  1, true },
    { P(PAYING), A(CLOSING),   A(CLOSING),   true,  1, true },
    { P(PAYING), A(WAIT_USER), A(WAIT_USER), false, -2, true },
    { P(PAID),   A(SUCCEEDED), A(SUCCEEDED), true,  0, true },
    { P(CLOSED), A(CLOSED),    A(CLOSED),    true,  0, true },
};
/* clang-format on */

static void
a_hint_asks_at_once_and_proves_nothing(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(hints); i++) {
        struct wk_order order = order_of(hints[i].payment, hints[i].attempt);
        struct ph_channel_result result
            = result_of(hints[i].is_unknown ? R(UNKNOWN) : R(WAIT_USER));

        result.is_hint = hints[i].is_hint;
        const struct wk_verdict verdict
            = judge(&order, WK_SOURCE_NOTICE, &result);
        const int64_t look_in_ms
            = hints[i].look_in_ms == -1   ? rules.paying_first_ms
              : hints[i].look_in_ms == -2 ? rules.unknown_first_ms
                                          : hints[i].look_in_ms;

        assert_int_equal(order.attempt[0].status, hints[i].to);
        assert_int_equal(order.payment.status, hints[i].payment);
        assert_int_equal(verdict.look_in_ms, look_in_ms);
        assert_int_equal(verdict.event.len, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_ends_by_proof_only),
        cmocka_unit_test(the_intent_to_close_moves_open_attempts),
        cmocka_unit_test(a_second_success_is_refunded),
        cmocka_unit_test(what_went_back_is_not_refunded_again),
        cmocka_unit_test(
            a_paid_order_with_an_open_attempt_is_soon_looked_after),
        cmocka_unit_test(the_next_attempt_begins_by_proof_only),
        cmocka_unit_test(no_order_has_more_attempts_than_its_list_holds),
        cmocka_unit_test(a_repeated_create_fails_nothing),
        cmocka_unit_test(an_answer_that_others_went_before_refuses_nothing),
        cmocka_unit_test(a_query_alone_pays_a_bar_code_that_is_taken_back),
        cmocka_unit_test(another_seller_or_app_is_a_conflict),
        cmocka_unit_test(the_seller_is_not_compared_with_the_app),
        cmocka_unit_test(a_hint_asks_at_once_and_proves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

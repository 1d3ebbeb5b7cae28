/* What evidence does to an order: every class from every state. */
#include "t/unit/judge_orders.h"

/* clang-format off */
static const struct {
    enum ph_payment_state payment;
    enum ph_attempt_state attempt;
    enum wk_source        source;
    enum ph_result_class  class;
    enum ph_payment_state payment_to;
    enum ph_attempt_state attempt_to;
    const char           *event; /* NULL = none */
} moves[] = {
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(SUCCEEDED), P(PAID), A(SUCCEEDED), "payment.paid" },
    { P(PAYING), A(SENT), WK_SOURCE_NOTICE, R(SUCCEEDED), P(PAID), A(SUCCEEDED), "payment.paid" },
    { P(PAYING), A(WAIT_USER), WK_SOURCE_QUERY, R(SUCCEEDED), P(PAID), A(SUCCEEDED), "payment.paid" },
    { P(PAYING), A(UNKNOWN), WK_SOURCE_QUERY, R(SUCCEEDED), P(PAID), A(SUCCEEDED), "payment.paid" },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_NOTICE, R(SUCCEEDED), P(PAID), A(SUCCEEDED), NULL },
    { P(FAILED), A(FAILED), WK_SOURCE_NOTICE, R(SUCCEEDED), P(PAID_LATE), A(SUCCEEDED), "payment.paid_late" },
    { P(CLOSED), A(CLOSED), WK_SOURCE_NOTICE, R(SUCCEEDED), P(PAID_LATE), A(SUCCEEDED), "payment.paid_late" },
    { P(CONFLICT), A(UNKNOWN), WK_SOURCE_NOTICE, R(SUCCEEDED), P(CONFLICT), A(SUCCEEDED), NULL },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(FAILED), P(FAILED), A(FAILED), "payment.failed" },
    { P(PAYING), A(WAIT_USER), WK_SOURCE_QUERY, R(FAILED), P(FAILED), A(FAILED), "payment.failed" },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_QUERY, R(FAILED), P(PAID), A(SUCCEEDED), NULL },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_NOTICE, R(CLOSED), P(PAID), A(SUCCEEDED), NULL },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(WAIT_USER), P(PAYING), A(WAIT_USER), NULL },
    { P(PAYING), A(UNKNOWN), WK_SOURCE_QUERY, R(WAIT_USER), P(PAYING), A(WAIT_USER), NULL },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_QUERY, R(WAIT_USER), P(PAID), A(SUCCEEDED), NULL },
    { P(PAYING), A(WAIT_USER), WK_SOURCE_QUERY, R(CLOSED), P(CLOSED), A(CLOSED), "payment.closed" },
    { P(PAYING), A(SENT), WK_SOURCE_QUERY, R(CLOSED), P(CLOSED), A(CLOSED), "payment.closed" },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(UNKNOWN), P(PAYING), A(UNKNOWN), NULL },
    { P(PAYING), A(WAIT_USER), WK_SOURCE_QUERY, R(UNKNOWN), P(PAYING), A(WAIT_USER), NULL },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_QUERY, R(UNKNOWN), P(PAID), A(SUCCEEDED), NULL },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(NOT_SENT), P(FAILED), A(FAILED), "payment.failed" },
    { P(PAYING), A(SENT), WK_SOURCE_QUERY, R(NOT_SENT), P(PAYING), A(SENT), NULL },
    { P(PAYING), A(UNKNOWN), WK_SOURCE_QUERY, R(NOT_SENT), P(PAYING), A(UNKNOWN), NULL },
    { P(PAYING), A(SENT), WK_SOURCE_QUERY, R(NOT_FOUND), P(PAYING), A(UNKNOWN), NULL },
    { P(PAYING), A(SENT), WK_SOURCE_ANSWER, R(NOT_FOUND), P(PAYING), A(SENT), NULL },
    { P(PAID), A(SUCCEEDED), WK_SOURCE_QUERY, R(NOT_FOUND), P(PAID), A(SUCCEEDED), NULL },
};
/* clang-format on */

static void
each_class_moves_as_the_table_says(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(moves); i++) {
        struct wk_order order = order_of(moves[i].payment, moves[i].attempt);
        const struct ph_channel_result result = result_of(moves[i].class);
        struct wk_verdict verdict = judge(&order, moves[i].source, &result);

        if (order.payment.status != moves[i].payment_to
            || order.attempt[0].status != moves[i].attempt_to)
        {
            fail_msg("row %zu: found %s, %s", i,
                     ph_payment_state_text(order.payment.status),
                     ph_attempt_state_text(order.attempt[0].status));
        }
        t_same(verdict.event, ph_str_z(moves[i].event));
        assert_int_equal(verdict.payment_moved,
                         moves[i].payment != moves[i].payment_to);
    }
}

/* Whatever is told, from wherever: only a success pays, and no money that was
 * seen is unseen. */
static void
no_cell_pays_or_unpays_wrongly(void **unused)
{
    (void) unused;
    for (int p = 1; p < PH_PAYMENT_STATES; p++) {
        for (int a = 1; a < PH_ATTEMPT_STATES; a++) {
            for (int c = 0; c <= PH_RESULT_NOT_SENT; c++) {
                struct wk_order order = order_of((enum ph_payment_state) p,
                                                 (enum ph_attempt_state) a);
                const struct ph_channel_result result
                    = result_of((enum ph_result_class) c);

                (void) judge(&order, WK_SOURCE_QUERY, &result);
                bool was_paid = p == P(PAID) || p == P(PAID_LATE);
                bool is_paid  = order.payment.status == P(PAID)
                               || order.payment.status == P(PAID_LATE);
                assert_true(!was_paid || is_paid);
                assert_true(was_paid || !is_paid || c == R(SUCCEEDED));
                if (c == R(UNKNOWN)) {
                    assert_int_equal(order.payment.status, p);
                    assert_true(order.attempt[0].status != A(FAILED)
                                || a == A(FAILED));
                }
            }
        }
    }
}

static void
not_found_needs_age_and_two_tellings(void **unused)
{
    const struct ph_channel_result result = result_of(R(NOT_FOUND));
    struct wk_order                order  = order_of(P(PAYING), A(UNKNOWN));

    (void) unused;
    (void) judge(&order, WK_SOURCE_QUERY, &result);
    assert_int_equal(order.attempt[0].status, A(UNKNOWN)); /* told once */
    (void) judge(&order, WK_SOURCE_QUERY, &result);
    assert_int_equal(order.attempt[0].status, A(FAILED));
    t_same(order.payment.error_code, PH_STR("PH-A403"));

    order                       = order_of(P(PAYING), A(UNKNOWN));
    order.attempt[0].sent_at_ms = rules.now_ms - 59999; /* too young */
    for (int i = 0; i < 5; i++) {
        (void) judge(&order, WK_SOURCE_QUERY, &result);
    }
    assert_int_equal(order.attempt[0].status, A(UNKNOWN));
}

/* A close that finds nothing is no second query. */
static void
not_found_by_a_close_is_no_telling(void **unused)
{
    const struct ph_channel_result result = result_of(R(NOT_FOUND));
    struct wk_order                order  = order_of(P(PAYING), A(UNKNOWN));
    const struct wk_evidence       evidence
        = { .source = WK_SOURCE_QUERY, .result = &result, .is_end = true };
    struct wk_verdict verdict;

    (void) unused;
    (void) judge(&order, WK_SOURCE_QUERY, &result);
    for (int i = 0; i < 3; i++) {
        wk_judge(&order, 0, &evidence, &rules, &verdict);
        assert_int_equal(order.attempt[0].status, A(UNKNOWN));
        assert_int_equal(order.attempt[0].not_found, 1);
        assert_int_equal(verdict.look_in_ms, rules.unknown_first_ms);
    }
    (void) judge(&order, WK_SOURCE_QUERY, &result);
    assert_int_equal(order.attempt[0].status, A(FAILED));
}

static void
another_payment_is_a_conflict(void **unused)
{
    struct ph_channel_result           wrong[4];
    static const enum ph_payment_state froms[]
        = { P(CREATED), P(PAYING), P(FAILED), P(CLOSED) };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(wrong); i++) {
        wrong[i] = result_of(R(SUCCEEDED));
    }
    wrong[0].amount   = 999;
    wrong[1].currency = PH_STR("USD");
    wrong[2].number   = PH_STR("A00000000000000000000000002");
    wrong[3].amount   = 0;
    for (size_t i = 0; i < PH_COUNT(wrong); i++) {
        for (size_t k = 0; k < PH_COUNT(froms); k++) {
            struct wk_order   order = order_of(froms[k], A(UNKNOWN));
            struct wk_verdict verdict
                = judge(&order, WK_SOURCE_NOTICE, &wrong[i]);

            assert_int_equal(order.payment.status, P(CONFLICT));
            assert_true(verdict.is_conflict);
            assert_int_equal(order.payment.paid_at_ms, 0);
            t_same(verdict.event, PH_STR("payment.conflict"));
        }
        struct wk_order paid = order_of(P(PAID), A(SUCCEEDED));

        (void) judge(&paid, WK_SOURCE_NOTICE, &wrong[i]);
        assert_int_equal(paid.payment.status, P(PAID));
    }
}

/* An answer about somebody else's order ends ours as little as it pays it. */
static void
another_order_ends_nothing(void **unused)
{
    static const enum ph_result_class classes[]
        = { R(FAILED), R(CLOSED), R(NOT_FOUND) };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(classes); i++) {
        struct ph_channel_result result = result_of(classes[i]);
        struct wk_order          order  = order_of(P(PAYING), A(UNKNOWN));

        order.attempt[0].not_found = WK_NOT_FOUND_TELLINGS;
        result.number              = PH_STR("A00000000000000000000000002");
        struct wk_verdict verdict  = judge(&order, WK_SOURCE_QUERY, &result);
        assert_true(verdict.is_conflict);
        assert_int_equal(order.payment.status, P(CONFLICT));
        assert_int_equal(order.attempt[0].status, A(UNKNOWN));
    }
}

/* Some channels know a code only once it was scanned: until it ends, "no such
 * order" about it proves nothing. */
static void
a_shown_code_is_not_gone_before_its_end(void **unused)
{
    const struct ph_channel_result result = result_of(R(NOT_FOUND));
    struct wk_order                order  = order_of(P(PAYING), A(WAIT_USER));

    (void) unused;
    order.payment.expires_at_ms = rules.now_ms - 59999;
    for (int i = 0; i < 5; i++) {
        (void) judge(&order, WK_SOURCE_QUERY, &result);
    }
    assert_int_equal(order.attempt[0].status, A(WAIT_USER));
    assert_int_equal(order.payment.status, P(PAYING));
    order.payment.expires_at_ms = rules.now_ms - 60000;
    struct wk_verdict verdict   = judge(&order, WK_SOURCE_QUERY, &result);
    /* nobody paid what was shown: an end, and no failure of anybody */
    assert_int_equal(order.attempt[0].status, A(CLOSED));
    assert_int_equal(order.payment.status, P(CLOSED));
    t_same(verdict.event, PH_STR("payment.closed"));
    t_same(order.attempt[0].proof_source, PH_STR("query"));
    assert_int_equal(order.payment.error_code.len, 0);

    /* nor while it is being closed, when it was shown */
    order                        = order_of(P(PAYING), A(CLOSING));
    order.attempt[0].action_type = PH_STR("qr_code");
    order.payment.expires_at_ms  = rules.now_ms - 59999;
    for (int i = 0; i < 5; i++) {
        (void) judge(&order, WK_SOURCE_QUERY, &result);
    }
    assert_int_equal(order.attempt[0].status, A(CLOSING));
    order.attempt[0].action_type = PH_STR("none");
    (void) judge(&order, WK_SOURCE_QUERY, &result);
    assert_int_equal(order.attempt[0].status, A(FAILED));
}

/* channel_trade is an ascii table: a number that it cannot hold must not keep
 * the money from being recorded. */
static void
a_trade_number_that_no_column_holds_is_left_out(void **unused)
{
    static const struct ph_str bad[]
        = { PH_STR_INIT("T\xc3\xa9"), PH_STR_INIT("T\n1"), PH_STR_INIT("T "),
            PH_STR_INIT("0123456789012345678901234567890123456789"
                        "0123456789012345678901234") };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(bad); i++) {
        struct ph_channel_result result = result_of(R(SUCCEEDED));
        struct wk_order          order  = order_of(P(PAYING), A(SENT));

        result.trade_no           = bad[i];
        struct wk_verdict verdict = judge(&order, WK_SOURCE_ANSWER, &result);
        assert_int_equal(order.payment.status, P(PAID));
        assert_int_equal(order.attempt[0].channel_trade_no.len, 0);
        assert_false(verdict.records_trade);
    }
}

static void
a_success_of_no_amount_proves_nothing(void **unused)
{
    struct ph_channel_result result = result_of(R(SUCCEEDED));
    struct wk_order          order  = order_of(P(PAYING), A(SENT));

    (void) unused;
    result.amount = -1;
    (void) judge(&order, WK_SOURCE_ANSWER, &result);
    assert_int_equal(order.payment.status, P(PAYING));
    assert_int_equal(order.attempt[0].status, A(UNKNOWN));
}

static void
a_taken_trade_number_is_a_conflict(void **unused)
{
    const struct ph_channel_result result   = result_of(R(SUCCEEDED));
    struct wk_order                order    = order_of(P(PAYING), A(SENT));
    struct wk_evidence             evidence = { .source = WK_SOURCE_ANSWER,
                                                .result = &result,
                                                .trade_is_taken = true };
    struct wk_verdict              verdict;

    (void) unused;
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_int_equal(order.payment.status, P(CONFLICT));
    assert_false(verdict.records_trade);
}

/* One attempt without proof keeps the payment open. */
static void
failed_needs_proof_of_every_attempt(void **unused)
{
    const struct ph_channel_result result = result_of(R(FAILED));
    struct wk_order                order  = order_of(P(PAYING), A(SENT));

    (void) unused;
    order.attempt[1]          = order.attempt[0];
    order.attempt[1].status   = A(UNKNOWN);
    order.attempt_count       = 2;
    struct wk_verdict verdict = judge(&order, WK_SOURCE_ANSWER, &result);
    assert_int_equal(order.attempt[0].status, A(FAILED));
    assert_int_equal(order.payment.status, P(PAYING));
    assert_true(verdict.payment_moved); /* its ver is the order's */
}

static void
columns_of_happenings_are_written_once(void **unused)
{
    const struct ph_channel_result result = result_of(R(SUCCEEDED));
    struct wk_order                order  = order_of(P(FAILED), A(FAILED));

    (void) unused;
    order.payment.failed_at_ms = 5;
    (void) judge(&order, WK_SOURCE_NOTICE, &result);
    assert_int_equal(order.payment.failed_at_ms, 5);
    assert_int_equal(order.payment.paid_at_ms, rules.now_ms);
}

/* ---- what is kept of an answer ---- */

static void
an_action_is_kept_as_it_was_first_shown(void **unused)
{
    static const struct {
        enum ph_action_type action;
        const char         *text;
    } rows[] = {
        { PH_ACTION_QR_CODE, "qr_code" },
        { PH_ACTION_REDIRECT, "redirect" },
        { PH_ACTION_FORM, "form" },
        { PH_ACTION_APP, "app" },
        { PH_ACTION_JSAPI, "jsapi" },
        { PH_ACTION_CLIENT_SECRET, "client_secret" },
        { (enum ph_action_type) 99, "none" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_result result = result_of(R(WAIT_USER));
        struct wk_order          order  = order_of(P(PAYING), A(SENT));

        result.action      = rows[i].action;
        result.action_data = PH_STR("\"first\"");
        (void) judge(&order, WK_SOURCE_ANSWER, &result);
        t_same(order.attempt[0].action_type, ph_str_z(rows[i].text));
        if (rows[i].action > PH_ACTION_CLIENT_SECRET) {
            continue;
        }
        result.action_data = PH_STR("\"second\"");
        const struct wk_verdict verdict
            = judge(&order, WK_SOURCE_QUERY, &result);
        t_same(order.attempt[0].action_data, PH_STR("\"first\""));
        assert_false(verdict.attempt_moved);
    }
    t_same(wk_action_text(PH_ACTION_NONE), PH_STR("none"));
}

/* What a column cannot hold is cut, never through a character. */
static void
long_texts_are_cut_between_characters(void **unused)
{
    char                     text[300];
    struct ph_channel_result result = result_of(R(FAILED));
    struct wk_order          order  = order_of(P(PAYING), A(SENT));

    (void) unused;
    memset(text, 'a', sizeof(text));
    /* one character, 253 to 255 */
    text[253] = '\xe4', text[254] = '\xb8', text[255] = '\xad';
    result.message = ph_str_make(text, sizeof(text));
    (void) judge(&order, WK_SOURCE_ANSWER, &result);
    assert_int_equal(order.attempt[0].error_message.len, 253);
    t_same(order.payment.error_message, order.attempt[0].error_message);

    order          = order_of(P(PAYING), A(SENT));
    result.message = PH_STR("\xff"); /* no text at all */
    (void) judge(&order, WK_SOURCE_ANSWER, &result);
    assert_int_equal(order.attempt[0].error_message.len, 0);
    assert_int_equal(order.payment.status, P(FAILED));
}

static void
a_fault_of_ours_is_called_so(void **unused)
{
    const struct ph_channel_result result = result_of(R(NOT_SENT));
    struct wk_order                order  = order_of(P(PAYING), A(SENT));
    const struct wk_evidence       evidence
        = { .source       = WK_SOURCE_ANSWER,
            .result       = &result,
            .config_error = PH_ERROR_CHANNEL_CONFIG };
    struct wk_verdict verdict;

    (void) unused;
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    t_same(order.payment.error_code,
           ph_error_info(PH_ERROR_CHANNEL_CONFIG)->code);
}

static void
the_adapters_bytes_and_the_highest_fence_are_kept(void **unused)
{
    const struct ph_channel_result result   = result_of(R(WAIT_USER));
    struct wk_order                order    = order_of(P(PAYING), A(WAIT_USER));
    struct wk_evidence             evidence = { .source = WK_SOURCE_QUERY,
                                                .result = &result,
                                                .state  = PH_STR("step 2"),
                                                .fence  = 5 };
    struct wk_verdict              verdict;

    (void) unused;
    order.attempt[0].channel_trade_no = PH_STR("T1");
    order.attempt[0].state            = PH_STR("step 1");
    order.attempt[0].fence            = 3;
    order.payment.fence               = 9;
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_true(verdict.attempt_moved);
    t_same(order.attempt[0].state, PH_STR("step 2"));
    assert_int_equal(order.attempt[0].fence, 5);
    assert_int_equal(order.payment.fence, 9);

    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_false(verdict.attempt_moved); /* all of it is there */
    evidence.fence = 10;
    wk_judge(&order, 0, &evidence, &rules, &verdict);
    assert_int_equal(order.payment.fence, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_moves_as_the_table_says),
        cmocka_unit_test(no_cell_pays_or_unpays_wrongly),
        cmocka_unit_test(not_found_needs_age_and_two_tellings),
        cmocka_unit_test(not_found_by_a_close_is_no_telling),
        cmocka_unit_test(another_payment_is_a_conflict),
        cmocka_unit_test(another_order_ends_nothing),
        cmocka_unit_test(a_shown_code_is_not_gone_before_its_end),
        cmocka_unit_test(a_trade_number_that_no_column_holds_is_left_out),
        cmocka_unit_test(a_success_of_no_amount_proves_nothing),
        cmocka_unit_test(a_taken_trade_number_is_a_conflict),
        cmocka_unit_test(failed_needs_proof_of_every_attempt),
        cmocka_unit_test(an_action_is_kept_as_it_was_first_shown),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(a_fault_of_ours_is_called_so),
        cmocka_unit_test(the_adapters_bytes_and_the_highest_fence_are_kept),
        cmocka_unit_test(columns_of_happenings_are_written_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

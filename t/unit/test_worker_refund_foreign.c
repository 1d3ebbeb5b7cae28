/* How much somebody else refunded, by what a notice tells and our own rows. */
#include "t/unit/support.h"

#include "worker/refund_auto.h"
#include "worker/refund_judge.h"

#define M WK_REFUND_MERCHANT
#define S(state) PH_REFUND_##state
#define C(class) PH_RESULT_##class

/* Paid 1000, of which 100 are known to be back, which others refunded unless
 * they are ours, and 200 of ours are on their way. */
static const struct {
    const char           *name;
    enum ph_attempt_state attempt;
    enum ph_payment_state payment;
    enum ph_result_class class;
    int64_t     amount;
    const char *currency;
    const char *seller; /* told; ours is "S1" */
    int64_t     total;  /* told, -1 = not */
    int64_t     counts; /* -1 = none, it is too early to tell */
    bool        is_ours;
} foreigners[] = {
    { "whole", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300, "CNY",
      "", -1, 300, false },
    { "late", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID_LATE, C(SUCCEEDED), 300,
      "CNY", "S1", -1, 300, false },
    { "over", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 1000, "CNY",
      "", -1, 1000, false },
    { "in the sum", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300,
      "CNY", "", 400, 300, false },
    { "and ours too", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300,
      "CNY", "", 600, 300, false },
    { "counted", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 100,
      "CNY", "", 100, 0, false },
    { "counted in part", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED),
      300, "CNY", "", 350, 250, false },
    { "an old sum", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 50,
      "CNY", "", 50, 0, false },
    { "more than paid", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED),
      1001, "CNY", "", -1, 0, false },
    { "nothing", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 0, "CNY",
      "", -1, 0, false },
    { "not told", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", -1, 0, false },
    /* by the sum alone, in which those on their way may be */
    { "sum", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1, "CNY", "",
      600, 300, false },
    { "sum of ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 300, -1, false },
    { "sum of less", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 150, 50, false },
    { "sum of what is counted", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), -1, "CNY", "", 100, 0, false },
    { "sum of less than ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), -1, "CNY", "", 99, 99, true },
    { "sum of ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 100, 0, true },
    { "sum of one of ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED),
      -1, "CNY", "", 200, -1, true },
    { "sum of both of ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), -1, "CNY", "", 300, -1, true },
    { "sum of ours and more", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), -1, "CNY", "", 150, 50, true },
    { "before ours", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 100,
      "CNY", "", 100, 100, true },
    { "one before it that nobody told", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), 200, "CNY", "", 450, 250, true },
    { "and ours before it", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED),
      200, "CNY", "", 1000, 700, true },
    { "a sum that does not hold it", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID,
      C(SUCCEEDED), 200, "CNY", "", 50, 100, false },
    { "sum of all", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 1000, 700, false },
    { "sum of more", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 1001, 0, false },
    { "sum of nothing", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), -1,
      "CNY", "", 0, 0, false },
    { "sum, no currency", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED),
      -1, "", "", 600, 0, false },
    { "currency", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300,
      "USD", "", -1, 0, false },
    { "no currency", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300,
      "", "", -1, 0, false },
    { "seller", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(SUCCEEDED), 300, "CNY",
      "S2", -1, 0, false },
    { "a second charge", PH_ATTEMPT_DUPLICATE, PH_PAYMENT_PAID, C(SUCCEEDED),
      300, "CNY", "", -1, 0, false },
    { "unclear", PH_ATTEMPT_UNKNOWN, PH_PAYMENT_PAYING, C(SUCCEEDED), 300,
      "CNY", "", -1, -1, false },
    { "waits", PH_ATTEMPT_WAIT_USER, PH_PAYMENT_PAYING, C(SUCCEEDED), 300,
      "CNY", "", -1, -1, false },
    { "waits, another currency", PH_ATTEMPT_WAIT_USER, PH_PAYMENT_PAYING,
      C(SUCCEEDED), 300, "USD", "", -1, 0, false },
    { "waits, not done yet", PH_ATTEMPT_WAIT_USER, PH_PAYMENT_PAYING,
      C(WAIT_USER), 300, "CNY", "", -1, 0, false },
    { "closing", PH_ATTEMPT_CLOSING, PH_PAYMENT_PAYING, C(SUCCEEDED), 300,
      "CNY", "", -1, -1, false },
    { "closed", PH_ATTEMPT_CLOSED, PH_PAYMENT_CLOSED, C(SUCCEEDED), 300, "CNY",
      "", -1, -1, false },
    { "failed", PH_ATTEMPT_FAILED, PH_PAYMENT_PAID, C(SUCCEEDED), 300, "CNY",
      "", -1, -1, false },
    { "unclear, paid by another", PH_ATTEMPT_UNKNOWN, PH_PAYMENT_PAID,
      C(SUCCEEDED), 300, "CNY", "", -1, -1, false },
    { "conflict", PH_ATTEMPT_UNKNOWN, PH_PAYMENT_CONFLICT, C(SUCCEEDED), 300,
      "CNY", "", -1, 0, false },
    { "pending", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(WAIT_USER), 300,
      "CNY", "", -1, 0, false },
    { "failed", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(FAILED), 300, "CNY",
      "", -1, 0, false },
    { "unknown", PH_ATTEMPT_SUCCEEDED, PH_PAYMENT_PAID, C(UNKNOWN), 300, "CNY",
      "", -1, 0, false },
};

static void
a_notice_of_a_foreign_refund_counts_what_it_proves(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(foreigners); i++) {
        struct wk_payment       payment = { .status = foreigners[i].payment,
                                            .amount = 1000,
                                            .amount_refunded  = 100,
                                            .amount_refunding = 200 };
        const struct wk_attempt attempt = { .status   = foreigners[i].attempt,
                                            .amount   = 1000,
                                            .currency = PH_STR("CNY") };
        const struct ph_channel_result result
            = { .class          = foreigners[i].class,
                .number         = PH_STR("by-hand"),
                .amount         = foreigners[i].amount,
                .currency       = ph_str_z(foreigners[i].currency),
                .seller         = ph_str_z(foreigners[i].seller),
                .refunded_total = foreigners[i].total };
        const struct wk_evidence evidence
            = { .source   = WK_SOURCE_NOTICE,
                .result   = &result,
                .expected = { PH_STR("S1"), PH_STR("A1") } };
        struct wk_refund_verdict verdict;
        struct wk_refund_known   known    = { .is_whole = true };
        const bool               is_early = foreigners[i].counts < 0;
        const int64_t            counts   = is_early ? 0 : foreigners[i].counts;

        wk_refund_known_add(&known, PH_STR(WK_REFUND_DUPLICATE), S(SUCCEEDED),
                            100);
        wk_refund_known_add(&known, PH_STR(M), S(FAILED), 100);
        wk_refund_known_add(
            &known, ph_str_z(foreigners[i].is_ours ? M : WK_REFUND_FOREIGN),
            S(SUCCEEDED), 100);
        wk_refund_known_add(&known, PH_STR(M), S(UNKNOWN), 200);
        wk_refund_judge_foreign(&payment, &attempt, &evidence, &known, 7,
                                &verdict);
        if (verdict.foreign_amount != counts || verdict.is_early != is_early
            || payment.amount_refunded != 100 + counts
            || payment.amount_refunding != 200
            || payment.refunded_at_ms != (counts != 0 ? 7 : 0)
            || verdict.payment_moved != (counts != 0) || verdict.refund_moved
            || verdict.is_over != (300 + counts > 1000))
        {
            fail_msg("%s: found %lld", foreigners[i].name,
                     (long long) verdict.foreign_amount);
        }
    }
}

/* Refunds of 100, 200 and 50 by hand and one of 70 of ours, told in each order:
 * each tells the sum at its own time. */
static void
foreign_refunds_are_counted_in_whatever_order_they_are_told(void **unused)
{
    static const struct {
        int64_t amount, total;
        bool    is_ours;
    } made[] = { { 100, 100, false },
                 { 70, 170, true },
                 { 200, 370, false },
                 { 50, 420, false } };

    (void) unused;
    for (unsigned order = 0; order < 256; order++) {
        struct wk_payment payment
            = { .status = PH_PAYMENT_PAID, .amount = 1000 };
        const struct wk_attempt attempt = { .status   = PH_ATTEMPT_SUCCEEDED,
                                            .amount   = 1000,
                                            .currency = PH_STR("CNY") };
        struct wk_refund_known  known   = { .is_whole = true };
        unsigned                told    = 0;

        wk_refund_known_add(&known, PH_STR(M), S(PROCESSING), made[1].amount);
        for (unsigned k = 0; k < 4; k++) { /* each number of base 4 */
            const unsigned at = order >> (2 * k) & 3;

            if ((told >> at & 1) != 0) {
                continue;
            }
            told |= 1u << at;
            if (made[at].is_ours) {
                known.refunds[0].is_open = false;
                payment.amount_refunded += made[at].amount;
                continue;
            }
            const struct ph_channel_result result
                = { .class          = C(SUCCEEDED),
                    .number         = PH_STR("by-hand"),
                    .amount         = made[at].amount,
                    .currency       = PH_STR("CNY"),
                    .refunded_total = made[at].total };
            const struct wk_evidence evidence
                = { .source = WK_SOURCE_NOTICE, .result = &result };
            struct wk_refund_verdict verdict;

            wk_refund_judge_foreign(&payment, &attempt, &evidence, &known, 7,
                                    &verdict);
            if (verdict.foreign_amount != 0) {
                wk_refund_known_add(&known, PH_STR(WK_REFUND_FOREIGN),
                                    S(SUCCEEDED), verdict.foreign_amount);
            }
            assert_true(payment.amount_refunded <= 420);
        }
        if (told == 15 && payment.amount_refunded != 420) {
            fail_msg("order %u: found %lld, expected 420", order,
                     (long long) payment.amount_refunded);
        }
    }
}

/* What is not known whole is taken for all that it may be. */
static void
more_refunds_than_are_looked_at_count_no_more_than_the_sums_say(void **unused)
{
    struct wk_payment              payment = { .status = PH_PAYMENT_PAID,
                                               .amount = 1000,
                                               .amount_refunded  = 100,
                                               .amount_refunding = 200 };
    const struct wk_attempt        attempt = { .status   = PH_ATTEMPT_SUCCEEDED,
                                               .amount   = 1000,
                                               .currency = PH_STR("CNY") };
    const struct ph_channel_result result  = { .class          = C(SUCCEEDED),
                                               .amount         = -1,
                                               .currency       = PH_STR("CNY"),
                                               .refunded_total = 350 };
    const struct wk_evidence       evidence
        = { .source = WK_SOURCE_NOTICE, .result = &result };
    struct wk_refund_known   known = { .is_whole = true };
    struct wk_refund_verdict verdict;

    (void) unused;
    for (size_t i = 0; i < WK_REFUNDS_KNOWN_MAX; i++) {
        wk_refund_known_add(&known, PH_STR(M), S(SUCCEEDED), 1);
    }
    assert_true(known.is_whole);
    /* of too many to try them all: any part of the sum may be theirs */
    wk_refund_judge_foreign(&payment, &attempt, &evidence, &known, 7, &verdict);
    assert_int_equal(verdict.foreign_amount, 350 - WK_REFUNDS_KNOWN_MAX);
    payment.amount_refunded = 100;
    wk_refund_known_add(&known, PH_STR(M), S(SUCCEEDED), 1);
    assert_false(known.is_whole);
    for (size_t i = 0; i < 2; i++) {
        payment.amount_refunded = 100;
        wk_refund_judge_foreign(&payment, &attempt, &evidence,
                                i == 0 ? &known : NULL, 7, &verdict);
        assert_int_equal(verdict.foreign_amount, 50);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_of_a_foreign_refund_counts_what_it_proves),
        cmocka_unit_test(
            foreign_refunds_are_counted_in_whatever_order_they_are_told),
        cmocka_unit_test(
            more_refunds_than_are_looked_at_count_no_more_than_the_sums_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

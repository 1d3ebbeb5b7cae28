/*
 * What Alipay tells, signed, put to the judges of the core step by step: a bar
 * code that was reversed when it had been paid, refunds made in Alipay's
 * console while one of ours is under way.
 */
#include "t/unit/channel_alipay_told.h"

#include "libpayhub/base/id.h"
#include "worker/refund_auto.h"
#include "worker/refund_judge.h"

#define TRADE "2026112322001401000123456789"
#define TOTAL 8888
#define LOCKED 1

static const struct wk_judge_rules rules = { .not_found_final_ms = 60000,
                                             .unknown_first_ms   = 1000,
                                             .paying_first_ms    = 5000,
                                             .now_ms             = T_NOW_MS,
                                             .refunds_late       = true };

static struct wk_order              rows;
static struct wk_refund             refund;
static struct ph_channel_notice_out said;
static bool                         is_early_expected;

static void
order_begin(enum ph_payment_state payment, enum ph_attempt_state attempt)
{
    begin(NULL);
    rows                       = (struct wk_order){ .attempt_count = 1 };
    refund                     = (struct wk_refund){ 0 };
    rows.payment.status        = payment;
    rows.payment.amount        = TOTAL;
    rows.payment.currency      = PH_STR("CNY");
    rows.attempt[0].id         = PH_STR(NUMBER);
    rows.attempt[0].method     = PH_STR("alipay_bar");
    rows.attempt[0].status     = attempt;
    rows.attempt[0].amount     = TOTAL;
    rows.attempt[0].currency   = PH_STR("CNY");
    rows.attempt[0].sent_at_ms = T_NOW_MS - 60000;
}

/* ---- notices ---- */

/* One member that may be left out, as it is signed. */
static void
pair_add(struct ph_pair *pairs, size_t *count, const char *name,
         const char *value)
{
    if (value != NULL) {
        pairs[(*count)++] = (struct ph_pair){ ph_str_z(name), ph_str_z(value) };
    }
}

/* what the rows say of refunds: ours, and the rest of what went back */
static struct wk_refund_known
known_of(void)
{
    struct wk_refund_known known  = { .is_whole = true };
    int64_t                others = rows.payment.amount_refunded;

    if (refund.id.len != 0) {
        wk_refund_known_add(&known, refund.kind, refund.status, refund.amount);
        others -= refund.status == PH_REFUND_SUCCEEDED ? refund.amount : 0;
    }
    if (others != 0) {
        wk_refund_known_add(&known, PH_STR(WK_REFUND_FOREIGN),
                            PH_REFUND_SUCCEEDED, others);
    }
    return known;
}

/* Sorted by name; all parts go to their judges, as notice.c does. */
static struct wk_verdict
noticed(const char *status, const char *refund_fee, const char *out_biz_no)
{
    static char    text_memory[4096], body_memory[8192];
    struct ph_buf  text = PH_BUF_INIT(text_memory);
    struct ph_buf  body = PH_BUF_INIT(body_memory);
    struct ph_pair pairs[16];
    size_t         count = 0;

    pair_add(pairs, &count, "app_id", T_APP_ID);
    pair_add(pairs, &count, "notify_id", "2026112300222102030000000000000000");
    pair_add(pairs, &count, "out_biz_no", out_biz_no);
    pair_add(pairs, &count, "out_trade_no", NUMBER);
    pair_add(pairs, &count, "refund_fee", refund_fee);
    pair_add(pairs, &count, "total_amount", "88.88");
    pair_add(pairs, &count, "trade_no", TRADE);
    pair_add(pairs, &count, "trade_status", status);
    ph_pairs_join(&text, pairs, count, &(struct ph_join){ NULL, 0, false });
    pair_add(pairs, &count, "sign_type", "RSA2");
    pair_add(pairs, &count, "sign", t_sign(T_PLATFORM, ph_buf_str(&text)));
    ph_form_encode(&body, pairs, count, PH_URL_SPACE_PLUS);

    const struct ph_channel_notice in       = { .body = ph_buf_str(&body) };
    struct wk_evidence             evidence = { .source = WK_SOURCE_NOTICE };
    struct wk_verdict              verdict;
    struct wk_refund_verdict       back;

    assert_int_equal(
        ph_channel_alipay.notice(&plain, &in, T_NOW_MS, &t_arena, &said),
        PH_OK);
    evidence.result
        = said.part_count != 0 ? &said.parts[0].result : &said.result;
    wk_judge(&rows, 0, &evidence, &rules, &verdict);
    assert_false(verdict.is_conflict);
    if (said.part_count == 2) {
        assert_false(ph_id_is(said.parts[1].result.number, PH_ID_REFUND));
        const struct wk_refund_known known = known_of();

        evidence.result = &said.parts[1].result;
        wk_refund_judge_foreign(&rows.payment, &rows.attempt[0], &evidence,
                                &known, T_NOW_MS, &back);
        assert_false(back.is_over);
        assert_int_equal(back.is_early, is_early_expected);
    }
    return verdict;
}

/* ---- refunds of ours ---- */

static void
refund_begin(int64_t amount)
{
    refund                        = (struct wk_refund){ .id         = PH_STR(REFUND),
                                                        .kind       = PH_STR(WK_REFUND_MERCHANT),
                                                        .status     = PH_REFUND_PROCESSING,
                                                        .amount     = amount,
                                                        .currency   = PH_STR("CNY"),
                                                        .sent_at_ms = T_NOW_MS - 60000 };
    rows.payment.amount_refunding = amount;
    order.refund_amount           = amount;
}

static struct wk_refund_verdict
refund_told(enum wk_source source)
{
    const struct wk_evidence evidence
        = { .source = source, .result = &out.result, .fence = LOCKED };
    struct wk_refund_verdict verdict;

    wk_refund_judge(&refund, &rows.payment, &evidence, &rules, &verdict);
    assert_false(verdict.is_conflict);
    assert_false(verdict.is_over);
    return verdict;
}

static void
sums_are(int64_t refunded, int64_t refunding)
{
    if (rows.payment.amount_refunded != refunded
        || rows.payment.amount_refunding != refunding)
    {
        fail_msg("found %lld, %lld", (long long) rows.payment.amount_refunded,
                 (long long) rows.payment.amount_refunding);
    }
}

/* ---- a bar code that was reversed ---- */

static void
one_that_was_paid_and_given_back_ends_closed(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_PAYING, PH_ATTEMPT_CLOSING);
    order.method = PH_STR("alipay_bar");

    /* "paid" comes between the reverse and its answer */
    struct wk_verdict verdict = noticed("TRADE_SUCCESS", NULL, NULL);
    assert_int_equal(rows.payment.status, PH_PAYMENT_PAYING);
    assert_int_equal(verdict.look_in_ms, 1);

    answered(PH_OP_REVERSE, "{\"code\":\"10000\"," NUMBERED
                            ",\"retry_flag\":\"N\",\"action\":\"refund\"}");
    const struct wk_evidence evidence
        = { .source = WK_SOURCE_QUERY, .result = &out.result, .is_end = true };
    wk_judge(&rows, 0, &evidence, &rules, &verdict);
    assert_int_equal(rows.payment.status, PH_PAYMENT_CLOSED);
    assert_null(verdict.refund_kind);
    sums_are(0, 0);
}

/* The notice of the money that went back is the first to tell of it. */
static void
what_went_back_is_counted_and_not_owed(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_CLOSED, PH_ATTEMPT_CLOSED);
    const struct wk_verdict verdict = noticed("TRADE_CLOSED", "88.88", NULL);

    assert_int_equal(rows.payment.status, PH_PAYMENT_PAID_LATE);
    assert_null(verdict.refund_kind);
    sums_are(TOTAL, 0);
    (void) noticed("TRADE_CLOSED", "88.88", "20261123-1"); /* once */
    sums_are(TOTAL, 0);
}

/* That it was paid is told first: a refund is owed, and turns out not to be. */
static void
a_late_payment_that_went_back_is_refunded_once(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_CLOSED, PH_ATTEMPT_CLOSED);
    const struct wk_verdict verdict = noticed("TRADE_SUCCESS", NULL, NULL);
    assert_int_equal(rows.payment.status, PH_PAYMENT_PAID_LATE);
    t_same(ph_str_z(verdict.refund_kind), PH_STR(WK_REFUND_LATE));
    refund.amount = verdict.refund_amount;
    wk_refund_auto_fill(&refund, &rows.payment, &rows.attempt[0], REFUND,
                        verdict.refund_kind, T_NOW_MS);
    refund.status       = PH_REFUND_PROCESSING;
    order.refund_amount = TOTAL;
    sums_are(0, TOTAL);

    is_early_expected = true; /* it may be ours */
    (void) noticed("TRADE_CLOSED", "88.88", NULL);
    is_early_expected = false;
    sums_are(0, TOTAL);

    assert_int_equal(answered(PH_OP_REFUND, "{\"code\":\"40004\",\"sub_code\":"
                                            "\"ACQ.TRADE_HAS_CLOSE\"}"),
                     PH_STEP_NEED_REQUEST);
    assert_int_equal(told(PH_OP_REFUND, 2, 200,
                          body_of("alipay_trade_fastpay_refund_query_response",
                                  "{\"code\":\"10000\"}", "")),
                     PH_STEP_DONE);
    const struct wk_refund_verdict back = refund_told(WK_SOURCE_ANSWER);
    assert_int_equal(refund.status, PH_REFUND_FAILED);
    assert_int_equal(back.foreign_amount, TOTAL);
    assert_true(out.result.refunded_total >= refund.amount); /* no alarm */
    sums_are(TOTAL, 0);
}

/* A part went back before we heard of it: the rest is owed. */
static void
a_late_payment_of_which_a_part_went_back_owes_the_rest(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_CLOSED, PH_ATTEMPT_CLOSED);
    const struct wk_verdict verdict
        = noticed("TRADE_SUCCESS", "30.00", "20261123-1");

    assert_int_equal(rows.payment.status, PH_PAYMENT_PAID_LATE);
    t_same(ph_str_z(verdict.refund_kind), PH_STR(WK_REFUND_LATE));
    assert_int_equal(verdict.refund_amount, TOTAL - 3000);
    sums_are(3000, 0); /* by the notice's second part */
}

/* ---- refunds that others made ---- */

/* Ours of 5.00 is under way; 3.00 go back in the console. */
static void
a_foreign_refund_is_counted_apart_from_ours(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_PAID, PH_ATTEMPT_SUCCEEDED);
    refund_begin(500);
    (void) noticed("TRADE_SUCCESS", "8.00", "20261123-1");
    sums_are(300, 500);
    answered(PH_OP_REFUND_QUERY,
             "{\"code\":\"10000\"," NUMBERED ",\"out_request_no\":\"" REFUND
             "\",\"refund_status\":\"REFUND_SUCCESS\","
             "\"refund_amount\":\"5.00\"}");
    (void) refund_told(WK_SOURCE_QUERY);
    assert_int_equal(refund.status, PH_REFUND_SUCCEEDED);
    sums_are(800, 0);
}

/* It comes first, smaller than ours: it cannot be ours, whatever tells of that.
 */
static void
one_that_cannot_be_ours_is_counted_at_once(void **unused)
{
    (void) unused;
    for (int is_query = 0; is_query < 2; is_query++) {
        order_begin(PH_PAYMENT_PAID, PH_ATTEMPT_SUCCEEDED);
        refund_begin(500);
        (void) noticed("TRADE_SUCCESS", "3.00", "20261123-1");
        sums_are(300, 500);
        if (is_query != 0) {
            answered(PH_OP_REFUND_QUERY,
                     "{\"code\":\"10000\"," NUMBERED
                     ",\"out_request_no\":\"" REFUND
                     "\",\"refund_status\":\"REFUND_SUCCESS\","
                     "\"refund_amount\":\"5.00\"}");
        } else {
            answered(PH_OP_REFUND,
                     "{\"code\":\"10000\"," NUMBERED ",\"fund_change\":\"Y\","
                     "\"refund_fee\":\"8.00\"}");
        }
        assert_int_equal(
            refund_told(is_query != 0 ? WK_SOURCE_QUERY : WK_SOURCE_ANSWER)
                .foreign_amount,
            0);
        sums_are(800, 0);
        /* told once more, and the sum of both */
        (void) noticed("TRADE_SUCCESS", "3.00", "20261123-1");
        (void) noticed("TRADE_SUCCESS", "8.00", "20261123-2");
        sums_are(800, 0);
    }
}

/* As large as ours: it is told again when it is known what came of ours. */
static void
one_that_may_be_ours_is_told_again(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_PAID, PH_ATTEMPT_SUCCEEDED);
    refund_begin(500);
    is_early_expected = true;
    (void) noticed("TRADE_SUCCESS", "5.00", "20261123-1");
    sums_are(0, 500);
    refund.status                 = PH_REFUND_FAILED;
    rows.payment.amount_refunding = 0;
    is_early_expected             = false;
    (void) noticed("TRADE_SUCCESS", "5.00", "20261123-1");
    sums_are(500, 0);
}

/* A notice of our own refund that does not name it. */
static void
ours_without_its_number_is_counted_once(void **unused)
{
    (void) unused;
    order_begin(PH_PAYMENT_PAID, PH_ATTEMPT_SUCCEEDED);
    refund_begin(500);
    is_early_expected = true;
    (void) noticed("TRADE_SUCCESS", "5.00", NULL);
    is_early_expected = false;
    sums_are(0, 500);
    answered(PH_OP_REFUND, "{\"code\":\"10000\"," NUMBERED
                           ",\"fund_change\":\"Y\",\"refund_fee\":\"5.00\"}");
    (void) refund_told(WK_SOURCE_ANSWER);
    (void) noticed("TRADE_SUCCESS", "5.00", "");
    sums_are(500, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_was_paid_and_given_back_ends_closed),
        TEST(what_went_back_is_counted_and_not_owed),
        TEST(a_late_payment_that_went_back_is_refunded_once),
        TEST(a_late_payment_of_which_a_part_went_back_owes_the_rest),
        TEST(a_foreign_refund_is_counted_apart_from_ours),
        TEST(one_that_cannot_be_ours_is_counted_at_once),
        TEST(one_that_may_be_ours_is_told_again),
        TEST(ours_without_its_number_is_counted_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* A refund's body, its judge in every state, its document. */
#include "t/unit/support.h"
#include "worker/refund_auto.h"
#include "worker/refund_judge.h"
#include "worker/refund_request.h"
#include "worker/refund_view.h"

#define REFUND "R00000000000000000000000001"
#define AMOUNT 400

static const struct wk_judge_rules rules = { .not_found_final_ms = 60000,
                                             .unknown_first_ms   = 1000,
                                             .now_ms             = 1000000 };

struct pair {
    struct wk_refund  refund;
    struct wk_payment payment;
};

static bool
is_open(enum ph_refund_state state)
{
    return state == PH_REFUND_CREATED || state == PH_REFUND_PROCESSING
           || state == PH_REFUND_UNKNOWN;
}

/* Paid 1000, of which 100 went back before and this refund holds its part. */
static struct pair
pair_of(enum ph_refund_state state, const char *kind)
{
    struct pair pair = {
        .refund  = { .id         = PH_STR(REFUND),
                     .kind       = ph_str_z(kind),
                     .status     = state,
                     .amount     = AMOUNT,
                     .currency   = PH_STR("CNY"),
                     .sent_at_ms = rules.now_ms - 61000 },
        .payment = { .status          = PH_PAYMENT_PAID,
                     .amount          = 1000,
                     .currency        = PH_STR("CNY"),
                     .amount_refunded = 100 },
    };

    if (strcmp(kind, WK_REFUND_DUPLICATE) != 0) {
        pair.payment.amount_refunding = is_open(state) ? AMOUNT : 0;
        pair.payment.amount_refunded
            += state == PH_REFUND_SUCCEEDED ? AMOUNT : 0;
    }
    return pair;
}

static struct ph_channel_result result_of(enum ph_result_class class)
{
    return (struct ph_channel_result){ .class          = class,
                                       .number         = PH_STR(REFUND),
                                       .trade_no       = PH_STR("F1"),
                                       .amount         = AMOUNT,
                                       .currency       = PH_STR("CNY"),
                                       .refunded_total = -1 };
}

static struct wk_refund_verdict
judge(struct pair *pair, enum wk_source source,
      const struct ph_channel_result *result, int64_t fence)
{
    struct wk_evidence evidence
        = { .source = source, .result = result, .fence = fence };
    struct wk_refund_verdict verdict;

    wk_refund_judge(&pair->refund, &pair->payment, &evidence, &rules, &verdict);
    return verdict;
}

#define S(state) PH_REFUND_##state
#define C(class) PH_RESULT_##class
#define M WK_REFUND_MERCHANT
#define ANSWER WK_SOURCE_ANSWER
#define QUERY WK_SOURCE_QUERY
#define NOTICE WK_SOURCE_NOTICE

/* clang-format off */
static const struct {
    enum ph_refund_state from;
    const char          *kind;
    enum wk_source       source;
    enum ph_result_class class;
    enum ph_refund_state to;
    int64_t              refunded;
    int64_t              refunding;
    const char          *event; /* NULL = none */
    const char          *code;  /* of the error */
} moves[] = {
    { S(PROCESSING), M, ANSWER, C(SUCCEEDED), S(SUCCEEDED), 500, 0, "refund.succeeded", NULL },
    { S(PROCESSING), M, NOTICE, C(SUCCEEDED), S(SUCCEEDED), 500, 0, "refund.succeeded", NULL },
    { S(UNKNOWN),    M, QUERY,  C(SUCCEEDED), S(SUCCEEDED), 500, 0, "refund.succeeded", NULL },
    { S(FAILED),     M, NOTICE, C(SUCCEEDED), S(SUCCEEDED), 500, 0, "refund.succeeded", NULL },
    { S(SUCCEEDED),  M, NOTICE, C(SUCCEEDED), S(SUCCEEDED), 500, 0, NULL, NULL },
    { S(PROCESSING), M, ANSWER, C(FAILED),    S(FAILED), 100, 0, "refund.failed", "PH-A401" },
    { S(PROCESSING), M, ANSWER, C(CLOSED),    S(FAILED), 100, 0, "refund.failed", "PH-A401" },
    { S(UNKNOWN),    M, QUERY,  C(FAILED),    S(FAILED), 100, 0, "refund.failed", "PH-A401" },
    { S(FAILED),     M, QUERY,  C(FAILED),    S(FAILED), 100, 0, NULL, NULL },
    { S(SUCCEEDED),  M, QUERY,  C(FAILED),    S(SUCCEEDED), 500, 0, NULL, NULL },
    { S(SUCCEEDED),  M, NOTICE, C(CLOSED),    S(SUCCEEDED), 500, 0, NULL, NULL },
    { S(PROCESSING), M, ANSWER, C(UNKNOWN),   S(UNKNOWN), 100, 400, NULL, "PH-A404" },
    { S(UNKNOWN),    M, QUERY,  C(UNKNOWN),   S(UNKNOWN), 100, 400, NULL, NULL },
    { S(SUCCEEDED),  M, QUERY,  C(UNKNOWN),   S(SUCCEEDED), 500, 0, NULL, NULL },
    { S(PROCESSING), M, ANSWER, C(WAIT_USER), S(PROCESSING), 100, 400, NULL, NULL },
    { S(UNKNOWN),    M, QUERY,  C(WAIT_USER), S(UNKNOWN), 100, 400, NULL, NULL },
    { S(PROCESSING), M, QUERY,  C(NOT_FOUND), S(UNKNOWN), 100, 400, NULL, "PH-A404" },
    { S(PROCESSING), M, ANSWER, C(NOT_FOUND), S(UNKNOWN), 100, 400, NULL, "PH-A404" },
    { S(UNKNOWN),    M, QUERY,  C(NOT_FOUND), S(UNKNOWN), 100, 400, NULL, NULL },
    { S(FAILED),     M, QUERY,  C(NOT_FOUND), S(FAILED), 100, 0, NULL, NULL },
    { S(PROCESSING), M, ANSWER, C(NOT_SENT),  S(FAILED), 100, 0, "refund.failed", "PH-A403" },
    { S(UNKNOWN),    M, ANSWER, C(NOT_SENT),  S(UNKNOWN), 100, 400, NULL, NULL },
    { S(PROCESSING), M, QUERY,  C(NOT_SENT),  S(PROCESSING), 100, 400, NULL, NULL },
    { S(UNKNOWN),    M, QUERY,  C(NOT_SENT),  S(UNKNOWN), 100, 400, NULL, NULL },
    { S(PROCESSING), WK_REFUND_LATE, ANSWER, C(SUCCEEDED), S(SUCCEEDED), 500, 0, "refund.succeeded", NULL },
    { S(PROCESSING), WK_REFUND_LATE, ANSWER, C(NOT_SENT), S(PROCESSING), 100, 400, NULL, "PH-A403" },
    { S(PROCESSING), WK_REFUND_LATE, ANSWER, C(FAILED), S(FAILED), 100, 0, "refund.failed", "PH-A401" },
    { S(PROCESSING), WK_REFUND_DUPLICATE, ANSWER, C(SUCCEEDED), S(SUCCEEDED), 100, 0, "refund.succeeded", NULL },
    { S(PROCESSING), WK_REFUND_DUPLICATE, ANSWER, C(NOT_SENT), S(PROCESSING), 100, 0, NULL, "PH-A403" },
    { S(UNKNOWN),    WK_REFUND_DUPLICATE, QUERY, C(FAILED), S(FAILED), 100, 0, "refund.failed", "PH-A401" },
};
/* clang-format on */

static void
each_class_moves_as_the_table_says(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(moves); i++) {
        struct pair pair = pair_of(moves[i].from, moves[i].kind);
        const struct ph_channel_result result = result_of(moves[i].class);
        struct wk_refund_verdict       verdict
            = judge(&pair, moves[i].source, &result, 0);

        if (pair.refund.status != moves[i].to
            || pair.payment.amount_refunded != moves[i].refunded
            || pair.payment.amount_refunding != moves[i].refunding)
        {
            fail_msg("row %zu: found %s, %lld, %lld", i,
                     ph_refund_state_text(pair.refund.status),
                     (long long) pair.payment.amount_refunded,
                     (long long) pair.payment.amount_refunding);
        }
        t_same(verdict.event, ph_str_z(moves[i].event));
        t_same(pair.refund.error_code, ph_str_z(moves[i].code));
        assert_false(verdict.is_over);
        /* the channel takes a success back: a person is to know */
        assert_int_equal(verdict.is_conflict,
                         moves[i].from == S(SUCCEEDED)
                             && (moves[i].class == C(FAILED)
                                 || moves[i].class == C(CLOSED)));
        if (moves[i].from != moves[i].to) {
            assert_true(verdict.refund_moved);
        }
        if (ph_refund_is_final(moves[i].to) && moves[i].from != moves[i].to) {
            assert_true(pair.refund.proof_source.len != 0);
        }
    }
}

/* What holds in every cell, whatever the table above forgot. */
static void
no_cell_invents_or_loses_money(void **unused)
{
    (void) unused;
    for (int from = S(CREATED); from < PH_REFUND_STATES; from++) {
        for (int class = C(UNKNOWN); class <= C(NOT_SENT); class ++) {
            for (int source = ANSWER; source <= NOTICE; source++) {
                struct pair pair = pair_of((enum ph_refund_state) from, M);
                const struct ph_channel_result result
                    = result_of((enum ph_result_class) class);

                (void) judge(&pair, (enum wk_source) source, &result, 0);
                const enum ph_refund_state to = pair.refund.status;

                assert_int_equal(pair.payment.amount_refunded,
                                 100 + (to == S(SUCCEEDED) ? AMOUNT : 0));
                assert_int_equal(pair.payment.amount_refunding,
                                 is_open(to) ? AMOUNT : 0);
                if (to == S(FAILED) && from != S(FAILED)) {
                    assert_true(class == C(FAILED) || class == C(CLOSED)
                                || (class == C(NOT_SENT) && source == ANSWER));
                }
                if (from == S(SUCCEEDED)) {
                    assert_int_equal(to, S(SUCCEEDED));
                }
            }
        }
    }
}

static void
another_refund_proves_nothing(void **unused)
{
    (void) unused;
    for (int which = 0; which < 4; which++) {
        struct pair              pair   = pair_of(S(PROCESSING), M);
        struct ph_channel_result result = result_of(C(SUCCEEDED));

        switch (which) {
        case 0:
            result.number = PH_STR("R2");
            break;
        case 1:
            result.amount = AMOUNT - 1;
            break;
        case 2:
            result.currency = PH_STR("USD");
            break;
        default:
            result.amount = -1; /* not told at all */
            break;
        }
        struct wk_refund_verdict verdict = judge(&pair, ANSWER, &result, 1);

        assert_int_equal(pair.refund.status, S(UNKNOWN));
        assert_int_equal(pair.payment.amount_refunding, AMOUNT);
        assert_int_equal(verdict.is_conflict, which != 3);
        assert_true(verdict.look_in_ms > 0);
    }
}

static void
a_late_success_counts_over_all(void **unused)
{
    struct pair                    pair   = pair_of(S(FAILED), M);
    const struct ph_channel_result result = result_of(C(SUCCEEDED));

    (void) unused;
    pair.payment.amount_refunding    = 900; /* given to another meanwhile */
    struct wk_refund_verdict verdict = judge(&pair, NOTICE, &result, 0);

    assert_int_equal(pair.payment.amount_refunded, 500);
    assert_int_equal(pair.payment.amount_refunding, 900);
    assert_true(verdict.is_over);
}

static void
silence_allows_the_same_number_again(void **unused)
{
    const struct ph_channel_result result = result_of(C(NOT_FOUND));
    const struct {
        int64_t  told; /* before */
        uint64_t sent_ms;
        bool     may_repeat;
    } rows[] = {
        { 0, 61000, false }, { 1, 61000, true }, { 1, 59999, false },
        { 1, 60000, true },  { 7, 61000, true },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct pair pair = pair_of(S(UNKNOWN), M);

        pair.refund.not_found            = rows[i].told;
        pair.refund.sent_at_ms           = rules.now_ms - rows[i].sent_ms;
        struct wk_refund_verdict verdict = judge(&pair, QUERY, &result, 0);

        assert_int_equal(verdict.may_repeat, rows[i].may_repeat);
        assert_int_equal(pair.refund.not_found, rows[i].told + 1);
        assert_int_equal(pair.refund.status, S(UNKNOWN));
    }
}

/* Another may have sent it again by then. */
static void
not_sent_counts_only_before_anybody_asked(void **unused)
{
    struct pair                    pair   = pair_of(S(PROCESSING), M);
    const struct ph_channel_result result = result_of(C(NOT_SENT));

    (void) unused;
    pair.refund.not_found = 1;
    (void) judge(&pair, ANSWER, &result, 0);
    assert_int_equal(pair.refund.status, S(PROCESSING));
    assert_int_equal(pair.payment.amount_refunding, AMOUNT);
}

static void
what_went_back_without_us_is_found(void **unused)
{
    const struct {
        const char *kind;
        int64_t     total;
        int64_t     fence;
        int64_t     foreign;
    } rows[] = {
        { M, 500, 1, 0 },    { M, 501, 1, 1 },
        { M, 501, 0, 0 },    { M, -1, 1, 0 },
        { M, 499, 1, 0 },    { WK_REFUND_DUPLICATE, 5000, 1, 0 },
        { M, 1200, 1, 700 },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct pair              pair   = pair_of(S(PROCESSING), rows[i].kind);
        struct ph_channel_result result = result_of(C(SUCCEEDED));
        int64_t own = strcmp(rows[i].kind, M) == 0 ? AMOUNT : 0;

        result.refunded_total = rows[i].total;
        struct wk_refund_verdict verdict
            = judge(&pair, ANSWER, &result, rows[i].fence);

        assert_int_equal(verdict.foreign_amount, rows[i].foreign);
        assert_int_equal(pair.payment.amount_refunded,
                         100 + own + rows[i].foreign);
        assert_int_equal(verdict.is_over, pair.payment.amount_refunded > 1000);
    }
}

static void
another_seller_or_app_moves_nothing(void **unused)
{
    static const struct {
        struct ph_str seller, app;
        bool          is_conflict;
    } told[] = { { PH_STR_INIT("S1"), PH_STR_INIT("A1"), false },
                 { { NULL, 0 }, { NULL, 0 }, false },
                 { PH_STR_INIT("S2"), PH_STR_INIT("A1"), true },
                 { PH_STR_INIT("S1"), PH_STR_INIT("A2"), true },
                 { PH_STR_INIT("A1"), PH_STR_INIT("S1"), true } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(told); i++) {
        struct pair              pair   = pair_of(S(PROCESSING), M);
        struct ph_channel_result result = result_of(C(SUCCEEDED));
        struct wk_evidence       evidence
            = { .source   = NOTICE,
                .result   = &result,
                .expected = { PH_STR("S1"), PH_STR("A1") } };
        struct wk_refund_verdict verdict;

        result.seller = told[i].seller;
        result.app    = told[i].app;
        wk_refund_judge(&pair.refund, &pair.payment, &evidence, &rules,
                        &verdict);
        assert_int_equal(verdict.is_conflict, told[i].is_conflict);
        assert_int_equal(pair.refund.status,
                         told[i].is_conflict ? S(UNKNOWN) : S(SUCCEEDED));
        assert_int_equal(pair.payment.amount_refunded,
                         told[i].is_conflict ? 100 : 100 + AMOUNT);
    }
}

static void
a_hint_about_a_refund_asks_at_once(void **unused)
{
    static const struct {
        enum ph_refund_state from;
        bool                 is_hint;
        int64_t              look_in_ms;
        enum ph_result_class class;
    } rows[] = { { S(PROCESSING), true, 1, C(WAIT_USER) },
                 { S(UNKNOWN), true, 1, C(WAIT_USER) },
                 { S(UNKNOWN), false, 1000, C(WAIT_USER) },
                 { S(SUCCEEDED), true, 0, C(WAIT_USER) },
                 { S(FAILED), true, 0, C(WAIT_USER) },
                 { S(UNKNOWN), true, 1, C(UNKNOWN) },
                 { S(UNKNOWN), false, 1000, C(UNKNOWN) },
                 { S(SUCCEEDED), true, 0, C(UNKNOWN) } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct pair              pair   = pair_of(rows[i].from, M);
        struct ph_channel_result result = result_of(rows[i].class);

        result.is_hint  = rows[i].is_hint;
        result.trade_no = PH_STR("F7");
        const struct wk_refund_verdict verdict
            = judge(&pair, NOTICE, &result, 0);

        assert_int_equal(verdict.look_in_ms, rows[i].look_in_ms);
        assert_int_equal(pair.refund.status, rows[i].from);
        /* a number that it was told by is no number that we know */
        if (rows[i].is_hint) {
            assert_int_equal(pair.refund.channel_refund_no.len, 0);
        }
    }
}

static void
texts_of_the_channel_are_cut_to_fit(void **unused)
{
    static char              text[600];
    struct pair              pair   = pair_of(S(PROCESSING), M);
    struct ph_channel_result result = result_of(C(FAILED));

    (void) unused;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = "\xe4\xb8\xad"[i % 3];
    }
    result.message      = ph_str_make(text, 600);
    result.channel_code = result.message;
    result.error_class  = PH_STR("a_class_that_is_longer_than_its_column");
    result.trade_no     = PH_STR("\xe4\xb8\xad");
    (void) judge(&pair, ANSWER, &result, 0);
    assert_int_equal(pair.refund.error_message.len, 255);
    assert_int_equal(pair.refund.channel_code.len, 63);
    assert_int_equal(pair.refund.error_class.len, 32);
    assert_int_equal(pair.refund.channel_refund_no.len, 0);
}

static void
rows_keep_state_and_fence(void **unused)
{
    struct pair                    pair = pair_of(S(PROCESSING), M);
    const struct ph_channel_result result
        = { .class = C(WAIT_USER), .amount = -1, .refunded_total = -1 };
    struct wk_evidence evidence = {
        .source = QUERY, .result = &result, .state = PH_STR("s1"), .fence = 7
    };
    struct wk_refund_verdict verdict;

    (void) unused;
    wk_refund_judge(&pair.refund, &pair.payment, &evidence, &rules, &verdict);
    assert_true(verdict.refund_moved);
    t_same(pair.refund.state, PH_STR("s1"));
    assert_int_equal(pair.refund.fence, 7);
    assert_int_equal(pair.payment.fence, 7);
    evidence.fence = 6; /* an older lock lowers nothing */
    wk_refund_judge(&pair.refund, &pair.payment, &evidence, &rules, &verdict);
    assert_false(verdict.refund_moved);
    assert_int_equal(pair.refund.fence, 7);
    assert_int_equal(pair.payment.fence, 7);
    pair.refund.sent_at_ms = rules.now_ms + 1; /* a clock that fell back */
    pair.refund.not_found  = 5;
    const struct ph_channel_result nobody = result_of(C(NOT_FOUND));

    assert_false(judge(&pair, QUERY, &nobody, 0).may_repeat);
}

static void
our_own_fault_is_named(void **unused)
{
    struct pair                    pair   = pair_of(S(PROCESSING), M);
    const struct ph_channel_result result = result_of(C(NOT_SENT));
    const struct wk_evidence       evidence
        = { .source       = ANSWER,
            .result       = &result,
            .config_error = PH_ERROR_CHANNEL_CONFIG };
    struct wk_refund_verdict verdict;

    (void) unused;
    wk_refund_judge(&pair.refund, &pair.payment, &evidence, &rules, &verdict);
    assert_int_equal(pair.refund.status, S(FAILED));
    t_same(pair.refund.error_code, PH_STR("PH-A406"));
}

static void
what_is_left_can_be_refunded(void **unused)
{
    struct wk_payment payment = { .status           = PH_PAYMENT_PAID,
                                  .amount           = 1000,
                                  .amount_refunded  = 300,
                                  .amount_refunding = 200 };

    (void) unused;
    assert_int_equal(wk_refund_leave(&payment, 500), WK_REFUND_LEAVE_OK);
    assert_int_equal(wk_refund_leave(&payment, 501), WK_REFUND_LEAVE_OVER);
    assert_int_equal(wk_refund_leave(&payment, INT64_MAX),
                     WK_REFUND_LEAVE_OVER);
    for (int state = PH_PAYMENT_CREATED; state < PH_PAYMENT_STATES; state++) {
        bool is_paid
            = state == PH_PAYMENT_PAID || state == PH_PAYMENT_PAID_LATE;

        payment.status = (enum ph_payment_state) state;
        assert_int_equal(wk_refund_leave(&payment, 1),
                         is_paid ? WK_REFUND_LEAVE_OK : WK_REFUND_LEAVE_STATE);
    }
}

/* ---- the body ---- */

static const struct {
    const char   *body;
    enum ph_error error;
    size_t        places;
} bodies[] = {
    { "{\"refund_no\":\"r\",\"amount\":1}", PH_ERROR_NONE, 0 },
    { "{\"refund_no\":\"r\",\"amount\":1,\"reason\":\"\"}", PH_ERROR_NONE, 0 },
    { "", PH_ERROR_NOT_JSON, 0 },
    { "null", PH_ERROR_NOT_JSON, 0 },
    { "{}", PH_ERROR_MISSING, 2 },
    { "{\"refund_no\":1,\"amount\":\"1\",\"reason\":1}", PH_ERROR_WRONG_TYPE,
      3 },
    { "{\"refund_no\":\"\",\"amount\":0,\"reason\":\"\\u0007\"}",
      PH_ERROR_VALUE, 3 },
    { "{\"refund_no\":\"r\",\"amount\":1,\"x\":1,\"y\":1}",
      PH_ERROR_UNKNOWN_MEMBER, 2 },
    { "{\"refund_no\":\"r\",\"amount\":1,\"amount\":1}", PH_ERROR_DUPLICATE_KEY,
      0 },
    { "{\"refund_no\":\"r\",\"amount\":1000000000000000}", PH_ERROR_VALUE, 1 },
    { "{\"refund_no\":\"r\",\"amount\":999999999999999}", PH_ERROR_NONE, 0 },
    { "{\"refund_no\":\"r\",\"amount\":1,\"reason\":\"4111111111111111\"}",
      PH_ERROR_CARD_NUMBER, 1 },
};

static void
bodies_are_read_or_their_faults_named(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        static char              memory[4096];
        struct ph_arena          arena;
        struct wk_refund_request asked;
        struct wk_request_fault  fault;

        ph_arena_init(&arena, memory, sizeof(memory));
        bool is_good = wk_refund_request_parse(ph_str_z(bodies[i].body), &arena,
                                               &asked, &fault);

        if (is_good != (bodies[i].error == PH_ERROR_NONE)
            || fault.error != bodies[i].error
            || fault.place_count != bodies[i].places)
        {
            fail_msg("%s: found %d, %zu places", bodies[i].body,
                     (int) fault.error, fault.place_count);
        }
    }
}

static void
a_body_without_room_is_refused(void **unused)
{
    char                     memory[16];
    struct ph_arena          arena;
    struct wk_refund_request asked;
    struct wk_request_fault  fault;

    (void) unused;
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_false(wk_refund_request_parse(
        PH_STR("{\"refund_no\":\"a-number-that-is-long\",\"amount\":1}"),
        &arena, &asked, &fault));
    assert_int_equal(fault.error, PH_ERROR_TOO_LARGE);
}

static void
documents_are_made_of_rows(void **unused)
{
    char                  memory[1024];
    struct ph_buf         buf  = PH_BUF_INIT(memory);
    struct pair           pair = pair_of(S(FAILED), M);
    const struct wk_event event
        = { PH_STR("N1"), PH_STR("refund.failed"), 0, 3 };

    (void) unused;
    pair.refund.payment_id    = PH_STR("P1");
    pair.refund.error_code    = PH_STR("PH-A401");
    pair.refund.error_message = PH_STR("no");
    pair.refund.created_at_ms = 1;
    wk_refund_event_view(&buf, &event, &pair.refund);
    t_same(
        ph_buf_str(&buf),
        PH_STR("{\"id\":\"N1\",\"type\":\"refund.failed\",\"timestamp\":null,"
               "\"sequence\":3,\"data\":{\"id\":\"" REFUND
               "\",\"refund_no\":null,\"payment_id\":\"P1\",\"status\":"
               "\"failed\",\"amount\":400,\"currency\":\"CNY\",\"reason\":"
               "null,\"error\":{\"code\":\"PH-A401\",\"message\":\"no\","
               "\"channel_code\":null},\"created_at\":"
               "\"1970-01-01T00:00:00.001Z\",\"refunded_at\":null}}"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_moves_as_the_table_says),
        cmocka_unit_test(no_cell_invents_or_loses_money),
        cmocka_unit_test(another_refund_proves_nothing),
        cmocka_unit_test(a_late_success_counts_over_all),
        cmocka_unit_test(silence_allows_the_same_number_again),
        cmocka_unit_test(not_sent_counts_only_before_anybody_asked),
        cmocka_unit_test(what_went_back_without_us_is_found),
        cmocka_unit_test(another_seller_or_app_moves_nothing),
        cmocka_unit_test(a_hint_about_a_refund_asks_at_once),
        cmocka_unit_test(texts_of_the_channel_are_cut_to_fit),
        cmocka_unit_test(rows_keep_state_and_fence),
        cmocka_unit_test(our_own_fault_is_named),
        cmocka_unit_test(what_is_left_can_be_refunded),
        cmocka_unit_test(bodies_are_read_or_their_faults_named),
        cmocka_unit_test(a_body_without_room_is_refused),
        cmocka_unit_test(documents_are_made_of_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The PayPal adapter: closing, refunds, and what each code proves of each
 * operation.
 */
#include "t/unit/channel_paypal.h"
#include "t/unit/channel_rest_bad.h"

/* ---- close ---- */

static void
what_nobody_approved_is_closed_by_not_capturing(void **state)
{
    static const char *const open[]
        = { LINKED("CREATED"), LINKED("SAVED"), LINKED("PAYER_ACTION_REQUIRED"),
            ORDER("VOIDED") };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(open); i++) {
        known_order();
        begin(PH_OP_CLOSE);
        assert_int_equal(answer(200, open[i]), PH_STEP_DONE);
        proves(PH_RESULT_CLOSED, "");
        same_text(out.result.number, ATTEMPT);
    }
    known_order();
    begin(PH_OP_CLOSE);
    answer(200, COMPLETED(CAPTURE("2GG", "PENDING", "")));
    proves(PH_RESULT_WAIT_USER, "");
    begin(PH_OP_CLOSE);
    answer(200, PAID);
    proves(PH_RESULT_SUCCEEDED, "");
    begin(PH_OP_CLOSE);
    answer(200, "");
    proves(PH_RESULT_UNKNOWN, "unreadable");
    begin(PH_OP_CLOSE);
    answer(500, "");
    proves(PH_RESULT_UNKNOWN, "channel_error");
    /* nobody was shown what nobody knows of */
    state_forget();
    assert_int_equal(begin(PH_OP_CLOSE), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");
    same_text(out.result.number, ATTEMPT);
}

/* Paid by another attempt, or closed: what the payer approved is not taken. */
static void
nothing_is_captured_for_what_is_over(void **state)
{
    (void) state;
    known_order();
    order.is_over = true;
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, LINKED("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_NONE);
    begin(PH_OP_CLOSE);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");
    begin(PH_OP_QUERY);
    answer(200, PAID); /* what was taken before is told */
    proves(PH_RESULT_SUCCEEDED, "");
}

/* Nobody is shown an order of it, so none is made. */
static void
what_is_over_and_not_known_is_closed_without_a_call(void **state)
{
    static const enum ph_channel_op ops[] = { PH_OP_QUERY, PH_OP_CLOSE };

    (void) state;
    order.is_over = true;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        state_forget();
        assert_int_equal(begin(ops[i]), PH_STEP_DONE);
        proves(PH_RESULT_CLOSED, "");
        same_text(out.result.number, ATTEMPT);
    }
}

/* Whoever asks to close: the payer's approval is no reason to take money. */
static void
a_close_captures_nothing(void **state)
{
    (void) state;
    known_order();
    assert_false(order.is_over);
    begin(PH_OP_CLOSE);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");
    begin(PH_OP_CLOSE);
    answer(200, PAID);
    proves(PH_RESULT_SUCCEEDED, "");
}

/* Of an approved order to which a capture was sent, and not answered. */
static void
what_a_close_proves_after_a_capture(uint64_t             later_ms,
                                    enum ph_result_class want)
{
    known_order();
    order.is_over = false;
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    asked("POST", ORDERS "/5O1/capture", "paypal-request-id", ATTEMPT "-cap");
    answer(500, "");
    order.is_over = true;
    begin(PH_OP_QUERY);
    call.now_ms += later_ms / 2;
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    begin(PH_OP_CLOSE);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    call.now_ms += later_ms;
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(want, "");
}

/* It may be on its way, for as long as PayPal may take. */
static void
a_capture_that_was_sent_is_waited_for(void **state)
{
    static const struct {
        uint64_t             later_ms;
        enum ph_result_class want;
    } rows[] = {
        { 0, PH_RESULT_WAIT_USER },
        { PAYPAL_CAPTURE_MS - 1, PH_RESULT_WAIT_USER },
        { PAYPAL_CAPTURE_MS, PH_RESULT_CLOSED },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        what_a_close_proves_after_a_capture(rows[i].later_ms, rows[i].want);
    }
    /* a row that was written before the time was kept: nobody knows when */
    order.is_over = true;
    call.state_len
        = (size_t) snprintf((char *) kept_state, sizeof(kept_state), "gy05O1");
    begin(PH_OP_CLOSE);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    answer(200, ORDER("APPROVED"));
    proves(PH_RESULT_WAIT_USER, "");
}

/* ---- refunds ---- */

static void
a_refund_names_amount_and_number(void **state)
{
    (void) state;
    order.trade_no      = PH_STR("2GG");
    order.refund_reason = PH_STR("too \"hot\"");
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_NEED_REQUEST);
    asked("POST", CAPTURES "/2GG/refund", "paypal-request-id", REFUND);
    same_text(out.request.body,
              "{\"amount\":{\"currency_code\":\"USD\",\"value\":\"7.00\"},"
              "\"invoice_id\":\"" REFUND
              "\",\"note_to_payer\":\"too \\\"hot\\\"\"}");
    assert_int_equal(answer(201, REFUNDED("COMPLETED", "")), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    same_text(out.result.number, REFUND);
    same_text(out.result.trade_no, "1JU");
    assert_true(out.result.amount == 700);
    assert_int_equal(call.state_len, 0);
    order.trade_no = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_ERROR);
}

static void
a_refund_is_asked_for_by_its_number_or_its_request_id(void **state)
{
    (void) state;
    order.trade_no          = PH_STR("2GG");
    order.channel_refund_no = PH_STR("1JU");
    order.refund_ms         = NOW_MS - 1000 * HOUR_MS;
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", BASE "/v2/payments/refunds/1JU", "paypal-request-id", NULL);
    answer(200, REFUNDED("PENDING", ""));
    proves(PH_RESULT_WAIT_USER, "");
    begin(PH_OP_REFUND_QUERY);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_UNKNOWN, "not_found");

    order.channel_refund_no = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "lost"); /* its request id may be forgotten */
    order.refund_ms = NOW_MS - 6 * HOUR_MS - 1;
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_DONE);
    order.refund_ms = NOW_MS - 6 * HOUR_MS;
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_NEED_REQUEST);
    asked("POST", CAPTURES "/2GG/refund", "paypal-request-id", REFUND);
    answer(200, REFUNDED("COMPLETED", ""));
    proves(PH_RESULT_SUCCEEDED, "");
}

#define BY_HAND(id, more)                                                      \
    "{\"id\":\"" id "\",\"status\":\"COMPLETED\",\"amount\":{"                 \
    "\"currency_code\":\"USD\",\"value\":\"3.00\"},"                           \
    "\"seller_payable_breakdown\":{\"total_refunded_amount\":{"                \
    "\"currency_code\":\"USD\",\"value\":\"10.00\"}}" more "}"

/* Of a webhook that names it: its capture says what it was of. */
static void
a_refund_that_is_not_ours_is_asked_for_by_its_number(void **state)
{
    static const struct {
        const char          *body;
        enum ph_result_class want;
        const char          *error_class;
    } rows[] = {
        { BY_HAND("1JX", UP("2GG")), PH_RESULT_SUCCEEDED, "" },
        { BY_HAND("1JX", UP("2GG") ",\"invoice_id\":\"" ATTEMPT "\""),
          PH_RESULT_SUCCEEDED, "" },
        { BY_HAND("1JX", UP("2GH")), PH_RESULT_UNKNOWN, "no_number" },
        { BY_HAND("1JX", ""), PH_RESULT_UNKNOWN, "no_number" },
        { BY_HAND("1JY", UP("2GG")), PH_RESULT_UNKNOWN, "no_number" },
        { BY_HAND("1JX", UP("2GG") ",\"invoice_id\":\"" REFUND "\""),
          PH_RESULT_UNKNOWN, "no_number" },
        { "{\"id\":1}", PH_RESULT_UNKNOWN, "unreadable" },
        { "", PH_RESULT_UNKNOWN, "unreadable" },
    };

    (void) state;
    order.trade_no          = PH_STR("2GG");
    order.refund_id         = ph_str_make(NULL, 0);
    order.channel_refund_no = PH_STR("1JX");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_NEED_REQUEST);
        asked("GET", BASE "/v2/payments/refunds/1JX", "paypal-request-id",
              NULL);
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        proves(rows[i].want, rows[i].error_class);
        if (rows[i].want == PH_RESULT_SUCCEEDED) {
            same_text(out.result.number, "1JX");
            assert_true(out.result.amount == 300);
            assert_true(out.result.refunded_total == 1000);
        }
    }
    begin(PH_OP_REFUND_QUERY);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_UNKNOWN, "not_found");
    /* without a number nothing is refunded in its place */
    order.channel_refund_no = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_ERROR);
}

/* A refusal of the repeated one may be because of the first. */
static void
a_refusal_of_a_repeated_refund_has_to_be_proved(void **state)
{
    static const struct {
        const char          *capture;
        enum ph_result_class want;
    } rows[] = {
        { CAPTURE("2GG", "COMPLETED", ""), PH_RESULT_FAILED },
        { CAPTURE("2GG", "PARTIALLY_REFUNDED", ""), PH_RESULT_UNKNOWN },
        { CAPTURE("2GG", "REFUNDED", ""), PH_RESULT_UNKNOWN },
        { CAPTURE("2GX", "COMPLETED", ""), PH_RESULT_UNKNOWN },
        { "", PH_RESULT_UNKNOWN },
    };

    (void) state;
    order.trade_no = PH_STR("2GG");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        begin(PH_OP_REFUND_QUERY);
        assert_int_equal(
            answer(422, UNPROCESSABLE("REFUND_FAILED_INSUFFICIENT_FUNDS")),
            PH_STEP_NEED_REQUEST);
        asked("GET", CAPTURES "/2GG", "paypal-request-id", NULL);
        assert_int_equal(answer(200, rows[i].capture), PH_STEP_DONE);
        assert_int_equal(out.result.class, rows[i].want);
    }
    begin(PH_OP_REFUND_QUERY);
    answer(422, UNPROCESSABLE("REFUND_FAILED_INSUFFICIENT_FUNDS"));
    answer(500, "");
    proves(PH_RESULT_UNKNOWN, "channel_error");
    begin(PH_OP_REFUND_QUERY);
    answer(422, UNPROCESSABLE("PENDING_CAPTURE"));
    assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
}

/* ---- codes by operations ---- */

/* What a refusal is of CREATE, QUERY (the order, its capture), CLOSE (the
 * order), REFUND and REFUND_QUERY (by number): U unknown, N not sent, F failed,
 * G no such order, W the payer may go on. */
static const struct refusal {
    unsigned    status;
    const char *name, *issue;
    const char *classes;
} refusals[] = {
    { 400, "INVALID_REQUEST", "X", "NUUUUU" },
    { 401, "AUTHENTICATION_FAILURE", "X", "RRRRRR" },
    { 403, "NOT_AUTHORIZED", "X", "NUUUUU" },
    { 403, "NOT_AUTHORIZED", "PERMISSION_DENIED", "NUUUUU" },
    { 404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", "UGUGUU" },
    { 409, "RESOURCE_CONFLICT", "X", "UUUUUU" },
    { 415, "UNSUPPORTED_MEDIA_TYPE", "X", "UUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "X", "NUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "CURRENCY_NOT_SUPPORTED", "NUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED", "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "DUPLICATE_INVOICE_ID", "UUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED", "NUWUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "MAX_NUMBER_OF_REFUNDS_EXCEEDED", "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED", "UUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "ORDER_COMPLETION_IN_PROGRESS", "UUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED", "NUWUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "PAYER_ACTION_REQUIRED", "NUWUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "PAYER_CANNOT_PAY", "NUWUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "PENDING_CAPTURE", "NUUUNU" },
    { 422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED", "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "REFUND_FAILED_INSUFFICIENT_FUNDS",
      "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "REFUND_TIME_LIMIT_EXCEEDED", "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "TRANSACTION_DISPUTED", "NUUUFU" },
    { 422, "UNPROCESSABLE_ENTITY", "TRANSACTION_REFUSED", "NUWUUU" },
    { 429, "RATE_LIMIT_REACHED", "X", "NUUUUU" },
    /* no rows */
    { 422, "BRAND_NEW", "BRAND_NEW", "UUUUUU" },
    { 422, "", "", "UUUUUU" },
    { 422, "", "INSTRUMENT_DECLINED", "UUUUUU" },
    { 422, "UNPROCESSABLE_ENTITY", "Instrument_declined", "NUUUUU" },
    { 500, "INTERNAL_SERVER_ERROR", "X", "UUUUUU" },
    { 503, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED", "UUUUUU" },
    { 301, "RESOURCE_NOT_FOUND", "X", "UUUUUU" },
};

enum {
    AT_CREATE,
    AT_QUERY,
    AT_CAPTURE,
    AT_CLOSE,
    AT_REFUND,
    AT_REFUND_QUERY,
    PLACES
};

static enum ph_channel_step
refuse(int place, unsigned status, const char *body)
{
    static const enum ph_channel_op ops[PLACES]
        = { PH_OP_CREATE, PH_OP_QUERY,  PH_OP_QUERY,
            PH_OP_CLOSE,  PH_OP_REFUND, PH_OP_REFUND_QUERY };
    enum ph_channel_step next;

    state_forget();
    order.trade_no          = PH_STR("2GG");
    order.channel_refund_no = PH_STR("1JU");
    if (place == AT_QUERY || place == AT_CAPTURE || place == AT_CLOSE) {
        known_order();
    }
    assert_int_equal(begin(ops[place]), PH_STEP_NEED_REQUEST);
    if (place == AT_CAPTURE) {
        assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    }
    next = answer(status, body);
    if (next == PH_STEP_NEED_REQUEST) { /* captured already: it looks */
        same_text(out.request.method, "GET");
        next = answer(503, "");
    }
    return next;
}

static void
every_refusal_proves_what_its_row_says(void **state)
{
    static const struct {
        char letter;
        enum ph_result_class class;
    } letters[] = {
        { 'U', PH_RESULT_UNKNOWN },   { 'N', PH_RESULT_NOT_SENT },
        { 'F', PH_RESULT_FAILED },    { 'G', PH_RESULT_NOT_FOUND },
        { 'W', PH_RESULT_WAIT_USER },
    };
    char body[512];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(refusals); i++) {
        const struct refusal *row = &refusals[i];

        snprintf(body, sizeof(body), REFUSAL("%s", "%s"), row->name,
                 row->issue);
        for (int place = 0; place < PLACES; place++) {
            enum ph_channel_step next = refuse(place, row->status, body);

            if (row->classes[place] == 'R') {
                assert_int_equal(next, PH_STEP_NEED_REFRESH);
                continue;
            }
            assert_int_equal(next, PH_STEP_DONE);
            for (size_t k = 0; k < PH_COUNT(letters); k++) {
                if (letters[k].letter == row->classes[place]
                    && letters[k].class != out.result.class)
                {
                    fail_msg("%s %s, place %d: found %d, expected %c",
                             row->name, row->issue, place,
                             (int) out.result.class, letters[k].letter);
                }
            }
            assert_true(out.result.error_class.len != 0);
        }
    }
}

static bool
is_listed(struct ph_str code)
{
    for (size_t i = 0; i < PH_COUNT(refusals); i++) {
        if (ph_str_eq(code, ph_str_z(refusals[i].name))
            || ph_str_eq(code, ph_str_z(refusals[i].issue)))
        {
            return true;
        }
    }
    return false;
}

static void
every_row_of_the_table_is_in_the_list(void **state)
{
    (void) state;
    codes_are_listed(is_listed);
}

/* A proxy's page is no word of PayPal's. */
static void
a_refusal_that_cannot_be_read_proves_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        "<html>403 Forbidden</html>",
        "{}",
        "[]",
        "{\"name\":1}",
        "{\"name\":\"UNPROCESSABLE_ENTITY\",\"details\":[{\"issue\":1}]}",
        "{\"name\":\"RESOURCE_NOT_FOUND\"",
    };
    static const unsigned statuses[] = { 400, 403, 404, 409, 422, 429 };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        for (size_t k = 0; k < PH_COUNT(statuses); k++) {
            for (int place = 0; place < PLACES; place++) {
                assert_int_equal(refuse(place, statuses[k], bodies[i]),
                                 PH_STEP_DONE);
                assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_approved_is_closed_by_not_capturing),
        TEST(nothing_is_captured_for_what_is_over),
        TEST(a_close_captures_nothing),
        TEST(what_is_over_and_not_known_is_closed_without_a_call),
        TEST(a_capture_that_was_sent_is_waited_for),
        TEST(a_refund_names_amount_and_number),
        TEST(a_refund_is_asked_for_by_its_number_or_its_request_id),
        TEST(a_refund_that_is_not_ours_is_asked_for_by_its_number),
        TEST(a_refusal_of_a_repeated_refund_has_to_be_proved),
        TEST(every_refusal_proves_what_its_row_says),
        TEST(every_row_of_the_table_is_in_the_list),
        TEST(a_refusal_that_cannot_be_read_proves_nothing),
    };

    return cmocka_run_group_tests_name("channel_paypal_end", tests, group_begin,
                                       group_end);
}

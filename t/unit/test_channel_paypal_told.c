/*
 * The PayPal adapter: what each answer proves, hostile ones among them.
 */
#include "t/unit/channel_paypal.h"
#include "t/unit/channel_rest_bad.h"

/* ---- statuses ---- */

static void
every_status_proves_what_its_row_says(void **state)
{
    static const struct {
        const char          *body;
        enum ph_result_class want;
        const char          *error_class;
    } rows[] = {
        { ORDER("CREATED"), PH_RESULT_WAIT_USER, "" },
        { ORDER("SAVED"), PH_RESULT_WAIT_USER, "" },
        { ORDER("PAYER_ACTION_REQUIRED"), PH_RESULT_WAIT_USER, "" },
        { ORDER("VOIDED"), PH_RESULT_CLOSED, "" },
        { ORDER("COMPLETED"), PH_RESULT_UNKNOWN, "unknown_code" },
        { ORDER("created"), PH_RESULT_UNKNOWN, "unknown_code" },
        { ORDER("PAID"), PH_RESULT_UNKNOWN, "unknown_code" },
        { ORDER(""), PH_RESULT_UNKNOWN, "unknown_code" },
        { PAID, PH_RESULT_SUCCEEDED, "" },
        { COMPLETED(CAPTURE("2GG", "PARTIALLY_REFUNDED", "")),
          PH_RESULT_SUCCEEDED, "" },
        { COMPLETED(CAPTURE("2GG", "REFUNDED", "")), PH_RESULT_SUCCEEDED, "" },
        { COMPLETED(CAPTURE("2GG", "PENDING", "")), PH_RESULT_WAIT_USER, "" },
        { COMPLETED(CAPTURE("2GG", "DECLINED", "")), PH_RESULT_FAILED,
          "declined" },
        { COMPLETED(CAPTURE("2GG", "FAILED", "")), PH_RESULT_FAILED,
          "declined" },
        { COMPLETED(CAPTURE("2GG", "Completed", "")), PH_RESULT_UNKNOWN,
          "unknown_code" },
        { COMPLETED(CAPTURE("2GG", "", "")), PH_RESULT_UNKNOWN,
          "unknown_code" },
        { COMPLETED("{\"status\":\"COMPLETED\"}"), PH_RESULT_UNKNOWN,
          "no_number" },
        /* of several the one that took the money tells */
        { COMPLETED(CAPTURE("2G1", "DECLINED",
                            "") "," CAPTURE("2GG", "COMPLETED", "")),
          PH_RESULT_SUCCEEDED, "" },
        { COMPLETED(
              CAPTURE("2G1", "DECLINED", "") "," CAPTURE("2GG", "PENDING", "")),
          PH_RESULT_WAIT_USER, "" },
        { COMPLETED(CAPTURE("2G1", "DECLINED", "") "," CAPTURE("2GG",
                                                               "NEW_WORD", "")),
          PH_RESULT_UNKNOWN, "unknown_code" },
        /* a capture beside an order that is not completed is none yet */
        { ORDER_OF("CREATED",
                   ",\"payments\":{\"captures\":[" CAPTURE("2GG", "COMPLETED",
                                                           "") "]}",
                   ""),
          PH_RESULT_WAIT_USER, "" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        known_order();
        begin(PH_OP_QUERY);
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        if (out.result.class != rows[i].want) {
            fail_msg("row %zu: %s", i, rows[i].body);
        }
        proves(rows[i].want, rows[i].error_class);
        if (out.result.class == PH_RESULT_SUCCEEDED) {
            same_text(out.result.trade_no, "2GG");
        }
    }
}

static void
every_refund_status_proves_what_its_row_says(void **state)
{
    static const struct {
        const char          *body;
        enum ph_result_class want;
        const char          *error_class;
    } rows[] = {
        { REFUNDED("PENDING", ""), PH_RESULT_WAIT_USER, "" },
        { REFUNDED("COMPLETED", ""), PH_RESULT_SUCCEEDED, "" },
        { REFUNDED("COMPLETED", UP("2GG")), PH_RESULT_SUCCEEDED, "" },
        { REFUNDED("FAILED", ""), PH_RESULT_FAILED, "declined" },
        { REFUNDED("CANCELLED", ""), PH_RESULT_FAILED, "canceled" },
        { REFUNDED("completed", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { REFUNDED("", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { REFUNDED("COMPLETED", UP("2GX")), PH_RESULT_UNKNOWN, "no_number" },
        { "{\"id\":\"1JU\",\"status\":\"COMPLETED\"}", PH_RESULT_UNKNOWN,
          "no_number" },
        { "{\"status\":\"COMPLETED\",\"invoice_id\":\"" REFUND "\"}",
          PH_RESULT_UNKNOWN, "no_number" },
    };
    static const enum ph_channel_op ops[]
        = { PH_OP_REFUND, PH_OP_REFUND_QUERY };

    (void) state;
    order.trade_no          = PH_STR("2GG");
    order.channel_refund_no = PH_STR("1JU");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        for (size_t k = 0; k < PH_COUNT(ops); k++) {
            begin(ops[k]);
            assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
            proves(rows[i].want, rows[i].error_class);
        }
    }
    begin(PH_OP_REFUND);
    answer(201,
           REFUNDED("COMPLETED", ",\"seller_payable_breakdown\":{"
                                 "\"total_refunded_amount\":{\"currency_code\":"
                                 "\"USD\",\"value\":\"9.00\"}}"));
    assert_true(out.result.refunded_total == 900);
}

/* ---- hostile answers ---- */

#define PAID_OF(value)                                                         \
    COMPLETED("{\"id\":\"2GG\",\"status\":\"COMPLETED\",\"custom_id\":"        \
              "\"" ATTEMPT "\",\"amount\":{\"currency_code\":\"USD\","         \
              "\"value\":" value "}}")

static void
hostile_answers_prove_nothing(void **state)
{
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("<html><body>OK</body></html>"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("\xef\xbb\xbf" PAID),
        PH_STR_INIT(PAID "x"),
        PH_STR_INIT(PAID "\0"),
        PH_STR_INIT(PAID PAID),
        PH_STR_INIT(ORDER("VOIDE\xd6\xd0")),
        PH_STR_INIT("{\"id\":\"5O1\",\"status\":\"VOIDED\""),
        PH_STR_INIT(ORDER_OF("COMPLETED", "", ",\"status\":\"VOIDED\"")),
        PH_STR_INIT(PAID_OF("\"10.500\"")),
        PH_STR_INIT(PAID_OF("\"1.05e1\"")),
        PH_STR_INIT(PAID_OF("\"-10.50\"")),
        PH_STR_INIT(PAID_OF("\" 10.50\"")),
        PH_STR_INIT(PAID_OF("\"\"")),
        PH_STR_INIT(PAID_OF("10.50")),
        PH_STR_INIT(PAID_OF("1050")),
        PH_STR_INIT(PAID_OF("\"10000000000000000\"")),
        PH_STR_INIT("{\"id\":5,\"status\":\"VOIDED\"}"),
        PH_STR_INIT("{\"id\":\"5O1/x\",\"status\":\"VOIDED\"}"),
        PH_STR_INIT("{\"id\":\"5O1\",\"status\":[]}"),
        PH_STR_INIT(ORDER_OF("VOIDED", ",\"payee\":{\"merchant_id\":7}", "")),
        PH_STR_INIT(ORDER_OF("VOIDED", ",\"payments\":{\"captures\":[7]}", "")),
        PH_STR_INIT(ORDER_OF("VOIDED", "", ",\"links\":[{\"rel\":7}]")),
        PH_STR_INIT("{}"),
        PH_STR_INIT("{\"status\":\"VOIDED\"}"),
        PH_STR_INIT("{\"id\":\"5O1\",\"status\":\"VOIDED\"}"),
        PH_STR_INIT("{\"id\":\"1JU\",\"status\":\"COMPLETED\",\"amount\":"
                    "\"7.00\",\"invoice_id\":\"" REFUND "\"}"),
        PH_STR_INIT("{\"id\":\"1JU\",\"status\":\"COMPLETED\",\"amount\":"
                    "{\"value\":\"7.00\"},\"invoice_id\":\"" REFUND "\"}"),
    };

    (void) state;
    order.trade_no          = PH_STR("2GG");
    order.channel_refund_no = PH_STR("1JU");
    bodies_prove_nothing(bodies, PH_COUNT(bodies), known_order);
}

static void
huge_answers_prove_nothing(void **state)
{
    static const struct huge own
        = { "{\"purchase_units\":[{\"payments\":{\"captures\":[{}", ",{}",
            "]}}]}", 8 };

    (void) state;
    huge_answers_of(&own, known_order);
}

/* The core compares: the adapter has to tell it. */
static void
other_amounts_and_payees_are_told(void **state)
{
    (void) state;
    known_order();
    begin(PH_OP_QUERY);
    answer(200, PAID_OF("\"10.49\""));
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.result.amount == 1049);
    begin(PH_OP_QUERY);
    answer(200, ORDER_OF("CREATED", ",\"payee\":{\"merchant_id\":\"M2\"}", ""));
    same_text(out.result.seller, "M2");
    begin(PH_OP_QUERY);
    answer(200, COMPLETED("{\"id\":\"2GG\",\"status\":\"COMPLETED\"}"));
    assert_true(out.result.amount == -1); /* a success of no amount */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_status_proves_what_its_row_says),
        TEST(every_refund_status_proves_what_its_row_says),
        TEST(hostile_answers_prove_nothing),
        TEST(huge_answers_prove_nothing),
        TEST(other_amounts_and_payees_are_told),
    };

    return cmocka_run_group_tests_name("channel_paypal_told", tests,
                                       group_begin, group_end);
}

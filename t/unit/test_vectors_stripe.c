/*
 * test_vectors_stripe.c - requests as Stripe's own client sends them, webhooks
 * as Stripe's own library judges them: t/data/vectors/stripe.json.
 */
#include "t/unit/vectors.h"

#include "channels/stripe/stripe_int.h"

#define BASE "https://api.stripe.com"

static json_t *vectors;

static int
set_up(void **state)
{
    (void) state;
    vectors = vector_read("stripe.json");
    return group_begin(state);
}

static int
tear_down(void **state)
{
    json_decref(vectors);
    return group_end(state);
}

static int
open_account(void **state)
{
    const struct ph_str values[STRIPE_FIELDS]
        = { [STRIPE_SECRET_KEY]     = member(vectors, "api_key"),
            [STRIPE_WEBHOOK_SECRET] = member(vectors, "webhook_secret") };

    (void) state;
    channel = ph_channel_find(PH_STR("stripe"));
    assert_non_null(channel);
    assert_null(account_set(values, STRIPE_FIELDS, NULL));
    order_reset("card");
    order.subject    = ph_str_make(NULL, 0);
    order.attempt_id = PH_STR("PH1");
    order.refund_id  = PH_STR("PH1R");
    state_forget();
    return 0;
}

/* ---- requests ---- */

#define NONE NULL
#define OF_TYPE "we write it where there is a body"
#define BY_NUMBER "the key of ours is the number, so that anybody can repeat it"
#define BY_CHANCE "made by chance; a cancel needs no key of its own"

/* clang-format off */
static struct difference known[] = {
    { 0, "header idempotency-key", "key-0001", "PH1", BY_NUMBER, false },
    { 0, "body metadata[note]", "\xe4\xb8\xad\xe6\x96\x87 & = +", NONE,
      "metadata of the payment stays with us", false },
    { 0, "body description", "", NONE,
      "an empty text unsets a member that a create has not set", false },
    { 1, "header idempotency-key", "key-0001b", "PH1", BY_NUMBER, false },
    { 1, "body payment_method_types[0]", "alipay", NONE,
      "wallets are methods of their own", false },
    { 1, "body payment_method_types[1]", "wechat_pay", NONE,
      "wallets are methods of their own", false },
    { 1, "body automatic_payment_methods[enabled]", NONE, "true",
      "as the account is set up", false },
    { 1, "body confirm", "true", NONE,
      "a create that confirms moves money; ours is a request of its own", false },
    { 1, "body return_url", "https://a.example/b?c=d&e=f", NONE,
      "goes with the confirm", false },
    { 1, "body metadata[out_trade_no]", NONE, "PH1",
      "the number that answers have to name", false },
    { 2, "header content-type", "application/x-www-form-urlencoded", NONE, OF_TYPE, false },
    { 3, "header idempotency-key", "key-0001c", "PH1-c", BY_NUMBER, false },
    { 5, "header idempotency-key",
      "stripe-node-retry-6d1a3f40-7cc2-465f-a1f9-6bf151f87949",
      "PH1-x0000000000000000", BY_CHANCE, false },
    { 6, "header idempotency-key", "key-0001r", "PH1R", BY_NUMBER, false },
    { 7, "header content-type", "application/x-www-form-urlencoded", NONE, OF_TYPE, false },
    { 8, "header content-type", "application/x-www-form-urlencoded", NONE, OF_TYPE, false },
    { 8, "query limit", "3", "100", "all refunds of a payment in one list", false },
};
/* clang-format on */

#define CAPTURE_ROW 4 /* we never ask for an authorisation alone */

static void
request_begin(size_t row)
{
    order.trade_no = row >= 2 ? PH_STR("pi_1") : PH_STR("");
    order.amount   = row == 0 ? 2000 : 500;
    switch (row) {
    case 0:
        begin(PH_OP_CREATE);
        return;
    case 1:
        order.currency   = PH_STR("CNY");
        order.return_url = PH_STR("https://a.example/b?c=d&e=f");
        order.extra
            = PH_STR("{\"confirm\":true,\"payment_method\":\"pm_card_visa\"}");
        begin(PH_OP_CREATE);
        return;
    case 2:
        begin(PH_OP_QUERY);
        return;
    case 3:
        order.extra
            = PH_STR("{\"confirm\":true,\"payment_method\":\"pm_card_visa\"}");
        begin(PH_OP_CREATE);
        answer(200, "{\"id\":\"pi_1\",\"status\":\"requires_confirmation\","
                    "\"amount\":500,\"currency\":\"usd\","
                    "\"metadata\":{\"out_trade_no\":\"PH1\"}}");
        return;
    case 5:
        begin(PH_OP_CLOSE);
        return;
    case 6:
        order.refund_amount = 1000;
        begin(PH_OP_REFUND);
        return;
    case 7:
        order.channel_refund_no = PH_STR("re_1");
        begin(PH_OP_REFUND_QUERY);
        return;
    default:
        begin(PH_OP_REFUND_QUERY);
        return;
    }
}

static void
test_requests(void **state)
{
    const json_t   *rows = json_object_get(vectors, "wire");
    static char     room[64 * 1024];
    struct ph_arena decoded;

    assert_int_equal(json_array_size(rows), 9);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const struct wire wire = { i, known, PH_COUNT(known), &decoded };

        ph_arena_init(&decoded, room, sizeof(room));
        if (i == CAPTURE_ROW) {
            assert_true(
                holds(member(json_array_get(rows, i), "target"), "/capture"));
            continue;
        }
        open_account(state);
        request_begin(i);
        wire_same(&wire, json_array_get(rows, i), BASE, false);
    }
    wire_all_met(known, PH_COUNT(known));
}

/* ---- webhooks ---- */

/* what an accepted one has to tell; others of the list are refused */
static const struct {
    const char *name;
    enum ph_result_class class;
    bool is_refund;
} tells[] = {
    { "payment_intent.processing", PH_RESULT_WAIT_USER, false },
    { "payment_intent.payment_failed", PH_RESULT_WAIT_USER, false },
    { "payment_intent.canceled", PH_RESULT_CLOSED, false },
    { "payment_intent.requires_action", PH_RESULT_WAIT_USER, false },
    { "payment_intent.amount_capturable_updated", PH_RESULT_UNKNOWN, false },
    { "refund.updated succeeded", PH_RESULT_SUCCEEDED, true },
    { "refund.failed failed", PH_RESULT_FAILED, true },
};

static void
tells_what_it_should(const json_t                       *row,
                     const struct ph_channel_notice_out *told)
{
    enum ph_result_class want      = PH_RESULT_SUCCEEDED;
    bool                 is_refund = false;

    for (size_t i = 0; i < PH_COUNT(tells); i++) {
        if (ph_str_eq(member(row, "name"), ph_str_z(tells[i].name))) {
            want      = tells[i].class;
            is_refund = tells[i].is_refund;
        }
    }
    assert_int_equal(told->result.class, want);
    assert_int_equal(told->is_refund, is_refund);
    same_text(told->result.number, is_refund ? "PH1R" : "PH1");
    same_text(told->result.trade_no, is_refund ? "re_1" : "pi_1");
    same_text(told->result.currency, "USD");
    if (want == PH_RESULT_SUCCEEDED) {
        assert_true(told->result.amount == (is_refund ? 1000 : 2000));
    }
}

static void
webhook_try(const json_t *row, const struct ph_channel_header *headers,
            size_t count)
{
    const struct ph_channel_notice in = { .body         = member(row, "body"),
                                          .headers      = headers,
                                          .header_count = count };
    const json_int_t now_s = json_integer_value(json_object_get(row, "now"));
    struct ph_channel_notice_out told = { 0 };
    const bool accepts = ph_str_eq(member(row, "expect"), PH_STR("accept"));
    enum ph_rc rc;

    assert_true(now_s > 0);
    ph_arena_init(&arena, memory, sizeof(memory));
    rc = channel->notice(&account, &in, (uint64_t) now_s * 1000, &arena, &told);
    print_message("  %s: %s\n", json_string_value(json_object_get(row, "name")),
                  rc == PH_OK ? "accepted" : "refused");
    /* "either" is no choice here: the strict way */
    assert_int_equal(rc == PH_OK, accepts);
    assert_int_equal(json_integer_value(json_object_get(row, "ack")),
                     accepts ? 200 : 400);
    if (rc == PH_OK) {
        same_text(told.ack_body, "ok");
        tells_what_it_should(row, &told);
    }
}

static void
test_webhooks(void **state)
{
    const json_t *rows = json_object_get(vectors, "webhooks");

    assert_int_equal(json_array_size(rows), 21);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t                  *row = json_array_get(rows, i);
        const struct ph_channel_header signature
            = { PH_STR("Stripe-Signature"), member(row, "header") };

        open_account(state);
        t_same(account.values[STRIPE_WEBHOOK_SECRET], member(row, "secret"));
        webhook_try(row, &signature, 1);
        assert_int_equal(
            stripe_webhook_check(
                member(row, "secret"), member(row, "header"),
                member(row, "body"),
                (uint64_t) json_integer_value(json_object_get(row, "now"))
                    * 1000)
                == PH_OK,
            json_is_true(json_object_get(row, "sdk_accepts")));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_requests, open_account),
        cmocka_unit_test_setup(test_webhooks, open_account),
    };

    return cmocka_run_group_tests_name("vectors_stripe", tests, set_up,
                                       tear_down);
}

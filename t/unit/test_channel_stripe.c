/*
 * The Stripe adapter: its tables, its requests, which follows which.
 */
#include "t/unit/channel_stripe.h"

/* ---- tables ---- */

static void
the_table_is_whole(void **state)
{
    size_t at = 0;

    (void) state;
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(struct ph_channel));
    assert_true(channel->fields[STRIPE_SECRET_KEY].secret);
    assert_true(channel->fields[STRIPE_WEBHOOK_SECRET].secret);
    if (ph_codes_check(channel, &at) != PH_CODES_OK) {
        fail_msg("row %zu: %s", at,
                 ph_codes_expected(ph_codes_check(channel, &at)));
    }
}

static void
accounts_that_cannot_work_are_refused(void **state)
{
    static const struct {
        const char *base, *key, *hook, *why;
    } rows[] = {
        { "", KEY, HOOK, NULL },
        { "", "rk_live_0123456789abcdef", HOOK, NULL },
        { "http://127.0.0.1:9/x/", KEY, HOOK, NULL },
        { "", KEY, HOOK " " HOOK " " HOOK " " HOOK, NULL },
        { "http://api.stripe.com", KEY, HOOK, "base_url: " },
        { "", "", HOOK, "secret_key: " },
        { "", "pk_test_0123456789abcdef", HOOK,
          "secret_key: found 24 bytes, expected a secret key" },
        { "", "sk_test_1", HOOK, "secret_key: found 9 bytes" },
        { "", "sk_test_01234567 89abcdef", HOOK, "secret_key: " },
        { "", KEY, "", "webhook_secret: " },
        { "", KEY, "whsec_1", "webhook_secret: found 7 bytes" },
        { "", KEY, HOOK "  " HOOK, "webhook_secret: " },
        { "", KEY, HOOK " " HOOK " " HOOK " " HOOK " " HOOK,
          "webhook_secret: " },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_str values[STRIPE_FIELDS]
            = { ph_str_z(rows[i].base), ph_str_z(rows[i].key),
                ph_str_z(rows[i].hook) };
        const char *why = account_set(values, STRIPE_FIELDS, NULL);

        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: found %s, expected %s", i,
                     why != NULL ? why : "no fault",
                     rows[i].why != NULL ? rows[i].why : "no fault");
        }
        assert_true(why == NULL || strstr(why, "0123456789") == NULL);
    }
}

/* ---- amounts ---- */

static void
amounts_are_in_the_units_of_stripe(void **state)
{
    static const struct {
        const char *currency;
        int64_t     minor;
        bool        ok;
        int64_t     want;
    } rows[] = {
        { "USD", 1050, true, 1050 },   { "CNY", 1, true, 1 },
        { "HUF", 1045, true, 1045 },   { "TWD", 100, true, 100 },
        { "JPY", 500, true, 500 },     { "KRW", 1, true, 1 },
        { "VND", 10000, true, 10000 }, { "UGX", 5, true, 500 },
        { "ISK", 5, true, 500 },       { "MGA", 100, true, 1 },
        { "MGA", 150, false, 0 },      { "KWD", 5120, true, 5120 },
        { "KWD", 5124, false, 0 },     { "BHD", 10, true, 10 },
        { "TND", 15, false, 0 },       { "IQD", 1000, false, 0 },
        { "LYD", 1000, false, 0 },     { "CLF", 10000, false, 0 },
        { "UYI", 1, false, 0 },        { "XAU", 1, false, 0 },
        { "usd", 1, false, 0 },        { "", 1, false, 0 },
        { "USD", -1, false, 0 },       { "UGX", PH_AMOUNT_MAX, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        int64_t got = 0, back = -1;

        if (stripe_amount(ph_str_z(rows[i].currency), rows[i].minor, &got)
                != rows[i].ok
            || (rows[i].ok && got != rows[i].want))
        {
            fail_msg("%s %ld: found %ld", rows[i].currency,
                     (long) rows[i].minor, (long) got);
        }
        if (rows[i].ok) {
            assert_true(
                stripe_amount_read(ph_str_z(rows[i].currency), got, &back));
            assert_true(back == rows[i].minor);
        }
        order.currency = ph_str_z(rows[i].currency);
        order.amount   = rows[i].minor;
        assert_int_equal(channel->order_check(&account, &order) == NULL,
                         rows[i].ok);
    }
    /* what no amount of ours can be */
    int64_t got;

    assert_false(stripe_amount_read(PH_STR("UGX"), 150, &got));
    assert_false(stripe_amount_read(PH_STR("USD"), -1, &got));
    assert_false(stripe_amount_read(PH_STR("USD"), INT64_MAX, &got));
}

static void
a_confirm_needs_a_payment_method(void **state)
{
    (void) state;
    order.extra = PH_STR("{\"confirm\":true}");
    assert_non_null(channel->order_check(&account, &order));
    order.extra = PH_STR("{\"confirm\":true,\"payment_method\":\"pm_1\"}");
    assert_null(channel->order_check(&account, &order));
    order.extra = PH_STR("{\"confirm\":false}");
    assert_null(channel->order_check(&account, &order));
}

/* ---- create ---- */

static void
a_create_tells_all_of_the_order_and_confirms_nothing(void **state)
{
    static const char want[]
        = "amount=1050&currency=usd&automatic_payment_methods%5Benabled%5D="
          "true&description=a%20%22quoted%22%20%E8%8C%B6"
          "&metadata%5Bout_trade_no%5D=" ATTEMPT "&customer=cus_1"
          "&payment_method=pm_1";

    (void) state;
    order.subject    = PH_STR("a \"quoted\" \xe8\x8c\xb6");
    order.return_url = PH_STR("https://shop/back");
    order.extra      = PH_STR("{\"customer\":\"cus_1\",\"payment_method\":"
                                   "\"pm_1\",\"confirm\":true}");
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS, "idempotency-key", ATTEMPT);
    same_text(out.request.body, want);
    same_text(header_of("authorization"), "Bearer " KEY);
    same_text(header_of("stripe-version"), "2026-10-28.endive");
    same_text(header_of("content-type"), "application/x-www-form-urlencoded");
    assert_false(holds(out.request.body, "confirm"));

    order.return_url = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    assert_true(holds(out.request.body, "allow_redirects%5D=never"));
}

static void
a_create_shows_the_client_secret(void **state)
{
    (void) state;
    begin(PH_OP_CREATE);
    assert_int_equal(answer(200, INTENT("requires_payment_method", "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    same_text(out.result.number, ATTEMPT);
    same_text(out.result.trade_no, "pi_1");
    same_text(out.result.currency, "USD");
    assert_true(out.result.amount == 1050);
    assert_int_equal(out.result.action, PH_ACTION_CLIENT_SECRET);
    same_text(out.result.action_data, "\"pi_1_secret_x\"");
    /* and the row knows of it, whatever else is told */
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", INTENTS "/pi_1?expand%5B0%5D=latest_charge", "idempotency-key",
          NULL);
}

static void
confirm_is_set(void)
{
    order.extra      = PH_STR("{\"confirm\":true,\"payment_method\":\"pm_1\"}");
    order.return_url = PH_STR("https://shop/back?a=b");
}

/* Paid by another attempt, or of another amount: nothing is taken for it. */
static void
what_is_over_or_of_another_amount_is_not_confirmed(void **state)
{
#define OPEN(amount, currency)                                                 \
    "{\"id\":\"pi_1\",\"amount\":" amount ",\"currency\":\"" currency          \
    "\",\"status\":\"requires_confirmation\",\"metadata\":{"                   \
    "\"out_trade_no\":\"" ATTEMPT "\"}}"
    static const char *const open[]
        = { OPEN("1051", "usd"), OPEN("1050", "eur"), OPEN("1050", "usd") };

    (void) state;
    confirm_is_set();
    for (size_t i = 0; i < PH_COUNT(open); i++) {
        order.is_over = i == 2;
        state_forget();
        begin(PH_OP_CREATE);
        assert_int_equal(answer(200, open[i]), PH_STEP_DONE);
    }
}

static void
a_confirm_is_a_second_request(void **state)
{
    (void) state;
    confirm_is_set();
    begin(PH_OP_CREATE);
    assert_int_equal(answer(200, INTENT("requires_confirmation", "")),
                     PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS "/pi_1/confirm", "idempotency-key", ATTEMPT "-c");
    same_text(out.request.body,
              "payment_method=pm_1&return_url=https%3A%2F%2Fshop%2Fback%3Fa%3D"
              "b");
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.result.amount == 1050);

    state_forget();
    begin(PH_OP_CREATE);
    answer(200, INTENT("requires_confirmation", ""));
    assert_int_equal(
        answer(200, INTENT("requires_action",
                           ",\"next_action\":{\"type\":\"redirect_to_url\","
                           "\"redirect_to_url\":{\"url\":\"https://3ds/x\"}}")),
        PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_REDIRECT);
    same_text(out.result.action_data, "\"https://3ds/x\"");
}

/* Money is not taken from another payment because an answer was mixed up. */
static void
nothing_is_done_with_the_intent_of_another(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_CLOSE };
    static const char other[]
        = "{\"id\":\"pi_2\",\"amount\":1050,\"currency\":\"usd\","
          "\"status\":\"requires_confirmation\","
          "\"metadata\":{\"out_trade_no\":\"" OTHER "\"}}";

    (void) state;
    confirm_is_set();
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        state_forget();
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer(200, other), PH_STEP_DONE);
        same_text(out.result.number, OTHER); /* the core sees: a conflict */
        assert_int_equal(out.result.class, PH_RESULT_WAIT_USER);

        state_forget();
        order.trade_no = PH_STR("pi_1");
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer(200, other), PH_STEP_DONE);
        proves(PH_RESULT_UNKNOWN, "no_number");
        order.trade_no = ph_str_make(NULL, 0);
    }
}

static void
a_declined_card_leaves_the_intent_to_the_payer(void **state)
{
    (void) state;
    confirm_is_set();
    begin(PH_OP_CREATE);
    answer(200, INTENT("requires_confirmation", ""));
    assert_int_equal(
        answer(402,
               "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\","
               "\"message\":\"Your card was "
               "declined.\",\"payment_intent\":" INTENT(
                   "requires_payment_method", "") "}}"),
        PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    same_text(out.result.channel_code, "card_declined");
    same_text(out.result.message, "Your card was declined.");
    assert_int_equal(out.result.action, PH_ACTION_CLIENT_SECRET);

    /* without the intent in it, the intent is asked for */
    state_forget();
    begin(PH_OP_CREATE);
    answer(200, INTENT("requires_confirmation", ""));
    assert_int_equal(answer(402, REFUSAL("card_error", "card_declined")),
                     PH_STEP_NEED_REQUEST);
    asked("GET", INTENTS "/pi_1?expand%5B0%5D=latest_charge", "idempotency-key",
          NULL);
    assert_int_equal(answer(200, INTENT("requires_confirmation", "")),
                     PH_STEP_DONE); /* not confirmed a second time */
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_NONE);
}

static void
a_refused_confirm_is_looked_after(void **state)
{
    static const unsigned looked[]       = { 400, 402, 404 };
    static const unsigned kept_unknown[] = { 401, 403, 409, 429, 500, 503 };

    (void) state;
    confirm_is_set();
    for (size_t i = 0; i < PH_COUNT(looked); i++) {
        state_forget();
        begin(PH_OP_CREATE);
        answer(200, INTENT("requires_confirmation", ""));
        assert_int_equal(
            answer(looked[i], REFUSAL("invalid_request_error",
                                      "payment_intent_unexpected_state")),
            PH_STEP_NEED_REQUEST);
        same_text(out.request.method, "GET");
        assert_int_equal(answer(200, PAID), PH_STEP_DONE);
        proves(PH_RESULT_SUCCEEDED, "");
    }
    for (size_t i = 0; i < PH_COUNT(kept_unknown); i++) {
        state_forget();
        begin(PH_OP_CREATE);
        answer(200, INTENT("requires_confirmation", ""));
        assert_int_equal(answer(kept_unknown[i], REFUSAL("api_error", "x")),
                         PH_STEP_DONE);
        assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
    }
}

/* ---- what was lost ---- */

/* The answer to the create never came: the same one, by the same key. */
static void
a_lost_create_is_sent_again_by_its_key(void **state)
{
    static const struct ph_channel_header replayed[]
        = { { PH_STR_INIT("idempotent-replayed"), PH_STR_INIT("true") } };
    struct ph_str first;
    char          copy[512];

    (void) state;
    begin(PH_OP_CREATE);
    first = out.request.body;
    assert_true(first.len < sizeof(copy));
    memcpy(copy, first.ptr, first.len);
    first.ptr = copy;

    state_forget();
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS, "idempotency-key", ATTEMPT);
    t_same(out.request.body, first);
    /* it had arrived: what is told is how it was then, so it is asked for */
    assert_int_equal(answer_with(200,
                                 PH_STR(INTENT("requires_payment_method", "")),
                                 replayed, 1),
                     PH_STEP_NEED_REQUEST);
    asked("GET", INTENTS "/pi_1?expand%5B0%5D=latest_charge", "idempotency-key",
          NULL);
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");

    /* it had not: this is the create */
    state_forget();
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, INTENT("requires_payment_method", "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
}

/* Stripe has forgotten the key: a second intent would come of it. */
static void
what_is_older_than_the_key_is_never_created_again(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_CLOSE };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        state_forget();
        order.attempt_ms = NOW_MS - 23 * HOUR_MS - 1;
        assert_int_equal(begin(ops[i]), PH_STEP_DONE);
        proves(PH_RESULT_UNKNOWN, "lost");
        order.attempt_ms = NOW_MS - 23 * HOUR_MS;
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REQUEST);

        /* by its id it goes on at any age */
        order.attempt_ms = NOW_MS - 1000 * HOUR_MS;
        order.trade_no   = PH_STR("pi_1");
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REQUEST);
        assert_true(holds(out.request.url, INTENTS "/pi_1"));
        order.trade_no = ph_str_make(NULL, 0);
    }
}

/* Dead between confirm and answer: the state knows the intent. */
static void
a_crash_at_the_confirm_leads_to_the_same_intent(void **state)
{
    (void) state;
    confirm_is_set();
    begin(PH_OP_CREATE);
    assert_int_equal(answer(200, INTENT("requires_confirmation", "")),
                     PH_STEP_NEED_REQUEST);
    /* the confirm was sent, no answer: what the row keeps is the state */
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", INTENTS "/pi_1?expand%5B0%5D=latest_charge", "idempotency-key",
          NULL);
    assert_int_equal(answer(200, INTENT("requires_confirmation", "")),
                     PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_NONE); /* so: repeated */

    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    asked("GET", INTENTS "/pi_1?expand%5B0%5D=latest_charge", "idempotency-key",
          NULL);
    assert_int_equal(answer(200, INTENT("requires_confirmation", "")),
                     PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS "/pi_1/confirm", "idempotency-key", ATTEMPT "-c");
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");

    /* or it had arrived */
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
}

/* ---- close ---- */

static void
a_close_cancels(void **state)
{
    (void) state;
    order.trade_no = PH_STR("pi_1");
    assert_int_equal(begin(PH_OP_CLOSE), PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS "/pi_1/cancel", "idempotency-key",
          ATTEMPT "-x0000000000000000");
    same_text(out.request.body, "cancellation_reason=abandoned");
    assert_int_equal(answer(200, INTENT("canceled", "")), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");

    /* too late: how things stand decides */
    static const struct {
        const char          *body;
        enum ph_result_class want;
    } rows[] = {
        { PAID, PH_RESULT_SUCCEEDED },
        { INTENT("canceled", ""), PH_RESULT_CLOSED },
        { INTENT("processing", ""), PH_RESULT_WAIT_USER },
        { INTENT("requires_capture", ""), PH_RESULT_UNKNOWN },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        begin(PH_OP_CLOSE);
        assert_int_equal(
            answer(400, REFUSAL("invalid_request_error",
                                "payment_intent_unexpected_state")),
            PH_STEP_NEED_REQUEST);
        same_text(out.request.method, "GET");
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        assert_int_equal(out.result.class, rows[i].want);
    }
    /* a close without a body where one must be is no close */
    begin(PH_OP_CLOSE);
    assert_int_equal(answer(200, ""), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "unreadable");
}

static void
a_close_of_a_lost_create_finds_it_first(void **state)
{
    (void) state;
    assert_int_equal(begin(PH_OP_CLOSE), PH_STEP_NEED_REQUEST);
    asked("POST", INTENTS, "idempotency-key", ATTEMPT);
    assert_int_equal(answer(200, INTENT("requires_payment_method", "")),
                     PH_STEP_NEED_REQUEST);
    assert_true(holds(out.request.url, "/pi_1/cancel"));
    assert_int_equal(answer(200, INTENT("canceled", "")), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");
}

/* ---- refunds ---- */

static void
a_refund_names_payment_amount_and_number(void **state)
{
    (void) state;
    order.trade_no = PH_STR("pi_1");
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_NEED_REQUEST);
    asked("POST", BASE "/v1/refunds", "idempotency-key", REFUND);
    same_text(out.request.body,
              "payment_intent=pi_1&amount=700&reason=requested_by_customer"
              "&metadata%5Bout_refund_no%5D=" REFUND);
    assert_int_equal(answer(200, REFUNDED("succeeded", "")), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    same_text(out.result.number, REFUND);
    same_text(out.result.trade_no, "re_1");
    same_text(out.result.currency, "USD");
    assert_true(out.result.amount == 700);
    assert_int_equal(call.state_len, 0);

    order.trade_no = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_ERROR);
}

#define LIST(rows, more) "{\"object\":\"list\",\"data\":[" rows "]," more "}"
#define OTHERS_REFUND                                                          \
    "{\"id\":\"re_0\",\"amount\":1,\"currency\":\"usd\",\"status\":"           \
    "\"succeeded\",\"payment_intent\":\"pi_1\",\"metadata\":{}}"

/* A refusal may be because an earlier one of this number was carried out. */
static void
a_refused_refund_is_looked_for_in_the_list(void **state)
{
    static const char refusal[]
        = REFUSAL("invalid_request_error", "charge_already_refunded");

    (void) state;
    order.trade_no = PH_STR("pi_1");
    begin(PH_OP_REFUND);
    assert_int_equal(answer(400, refusal), PH_STEP_NEED_REQUEST);
    asked("GET", BASE "/v1/refunds?payment_intent=pi_1&limit=100",
          "idempotency-key", NULL);
    assert_int_equal(
        answer(200, LIST(OTHERS_REFUND "," REFUNDED("succeeded", ""),
                         "\"has_more\":false")),
        PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    same_text(out.result.trade_no, "re_1");

    begin(PH_OP_REFUND);
    answer(400, refusal);
    assert_int_equal(answer(200, LIST(OTHERS_REFUND, "\"has_more\":false")),
                     PH_STEP_DONE);
    proves(PH_RESULT_FAILED, "over_refund");
    same_text(out.result.channel_code, "charge_already_refunded");

    static const char *const unclear[] = {
        LIST(OTHERS_REFUND, "\"has_more\":true"),
        LIST("", "\"x\":1"),
        LIST("1", "\"has_more\":false"),
        "{\"has_more\":false}",
        "",
        "[]",
    };

    for (size_t i = 0; i < PH_COUNT(unclear); i++) {
        begin(PH_OP_REFUND);
        answer(400, refusal);
        assert_int_equal(answer(200, unclear[i]), PH_STEP_DONE);
        proves(PH_RESULT_UNKNOWN, "unreadable");
    }
    begin(PH_OP_REFUND);
    answer(400, refusal);
    assert_int_equal(answer(503, ""), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "channel_error");
}

/* Its key may be forgotten, so it is looked for before it is sent. */
static void
an_old_refund_is_looked_for_before_it_is_sent(void **state)
{
    (void) state;
    order.trade_no  = PH_STR("pi_1");
    order.refund_ms = NOW_MS - 24 * HOUR_MS;
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_NEED_REQUEST);
    same_text(out.request.method, "GET");
    assert_int_equal(
        answer(200, LIST(REFUNDED("pending", ""), "\"has_more\":false")),
        PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");

    begin(PH_OP_REFUND);
    assert_int_equal(answer(200, LIST("", "\"has_more\":false")),
                     PH_STEP_NEED_REQUEST);
    asked("POST", BASE "/v1/refunds", "idempotency-key", REFUND);
    assert_int_equal(answer(200, REFUNDED("succeeded", "")), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
}

static void
a_refund_is_asked_for_by_its_number_or_found_in_the_list(void **state)
{
    (void) state;
    order.trade_no          = PH_STR("pi_1");
    order.channel_refund_no = PH_STR("re_1");
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", BASE "/v1/refunds/re_1", "idempotency-key", NULL);
    assert_int_equal(answer(200, REFUNDED("failed", ",\"failure_reason\":"
                                                    "\"expired_or_canceled_"
                                                    "card\"")),
                     PH_STEP_DONE);
    proves(PH_RESULT_FAILED, "declined");
    same_text(out.result.channel_code, "expired_or_canceled_card");

    order.channel_refund_no = ph_str_make(NULL, 0);
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", BASE "/v1/refunds?payment_intent=pi_1&limit=100",
          "idempotency-key", NULL);
    assert_int_equal(answer(200, LIST(OTHERS_REFUND, "\"has_more\":false")),
                     PH_STEP_DONE);
    proves(PH_RESULT_NOT_FOUND, "not_found");
    begin(PH_OP_REFUND_QUERY);
    assert_int_equal(
        answer(404, REFUSAL("invalid_request_error", "resource_missing")),
        PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "not_found");
}

/* ---- bounds ---- */

static void
operations_without_capability_are_errors(void **state)
{
    (void) state;
    assert_int_equal(begin(PH_OP_REVERSE), PH_STEP_ERROR);
    assert_int_equal(begin(PH_OP_ACCOUNT_REFRESH), PH_STEP_ERROR);
    assert_int_equal(begin((enum ph_channel_op) 0), PH_STEP_ERROR);
    state_forget();
    call.op = PH_OP_QUERY;
    assert_int_equal(answer(200, PAID), PH_STEP_ERROR); /* of no question */
}

/* Ids go into addresses: what is no id goes nowhere. */
static void
numbers_that_are_none_are_not_sent(void **state)
{
    static const char *const ids[] = { "pi_1/confirm", "../x", "pi 1", "a?b" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ids); i++) {
        order.trade_no = ph_str_z(ids[i]);
        assert_int_equal(begin(PH_OP_QUERY), PH_STEP_ERROR);
    }
    order.trade_no = ph_str_make(NULL, 0);
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, "{\"id\":\"pi_1/x\",\"metadata\":{}}"),
                     PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "unreadable");
}

static void
a_full_arena_is_an_error_or_unknown_at_every_size(void **state)
{
    bool was_asked = false, was_told = false;

    (void) state;
    for (size_t size = 0; size < 4096 && !was_told; size += 8) {
        state_forget();
        begin(PH_OP_CREATE);
        state_forget();
        call.state_len = 0;
        ph_arena_init(&arena, memory, size);
        if (channel->step(&call, NULL, &out) != PH_STEP_NEED_REQUEST) {
            assert_false(was_asked);
            continue;
        }
        was_asked = true;
        assert_int_equal(answer(200, INTENT("requires_payment_method", "")),
                         PH_STEP_DONE);
        was_told = out.result.class == PH_RESULT_WAIT_USER;
        assert_true(was_told || out.result.class == PH_RESULT_UNKNOWN);
        assert_true(was_told || out.result.number.len == 0);
    }
    assert_true(was_told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_whole),
        TEST(accounts_that_cannot_work_are_refused),
        TEST(amounts_are_in_the_units_of_stripe),
        TEST(a_confirm_needs_a_payment_method),
        TEST(a_create_tells_all_of_the_order_and_confirms_nothing),
        TEST(a_create_shows_the_client_secret),
        TEST(what_is_over_or_of_another_amount_is_not_confirmed),
        TEST(a_confirm_is_a_second_request),
        TEST(nothing_is_done_with_the_intent_of_another),
        TEST(a_declined_card_leaves_the_intent_to_the_payer),
        TEST(a_refused_confirm_is_looked_after),
        TEST(a_lost_create_is_sent_again_by_its_key),
        TEST(what_is_older_than_the_key_is_never_created_again),
        TEST(a_crash_at_the_confirm_leads_to_the_same_intent),
        TEST(a_close_cancels),
        TEST(a_close_of_a_lost_create_finds_it_first),
        TEST(a_refund_names_payment_amount_and_number),
        TEST(a_refused_refund_is_looked_for_in_the_list),
        TEST(an_old_refund_is_looked_for_before_it_is_sent),
        TEST(a_refund_is_asked_for_by_its_number_or_found_in_the_list),
        TEST(operations_without_capability_are_errors),
        TEST(numbers_that_are_none_are_not_sent),
        TEST(a_full_arena_is_an_error_or_unknown_at_every_size),
    };

    return cmocka_run_group_tests_name("channel_stripe", tests, group_begin,
                                       group_end);
}

/*
 * The PayPal adapter: its tables, its requests, which follows which.
 */
#include "t/unit/channel_paypal.h"

/* ---- tables ---- */

static void
the_table_is_whole(void **state)
{
    size_t at = 0;

    (void) state;
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(struct ph_channel));
    assert_true(channel->fields[PAYPAL_CLIENT_SECRET].secret);
    if (ph_codes_check(channel, &at) != PH_CODES_OK) {
        fail_msg("row %zu: %s", at,
                 ph_codes_expected(ph_codes_check(channel, &at)));
    }
    for (size_t i = 0; channel->currencies[i] != NULL; i++) {
        order.currency = ph_str_z(channel->currencies[i]);
        order.amount   = 100;
        assert_null(channel->order_check(&account, &order));
    }
}

static void
accounts_that_cannot_work_are_refused(void **state)
{
    static const struct {
        const char *base, *id, *secret, *hook, *ca, *why;
    } rows[] = {
        { "", "AYx", "ELx", "8PT", "", NULL },
        { "http://127.0.0.1:9/x/", "AYx", "ELx", "8PT", root_pem, NULL },
        { "http://api-m.paypal.com", "AYx", "ELx", "8PT", "", "base_url: " },
        { "", "", "ELx", "8PT", "", "client_id: " },
        { "", "AY:x", "ELx", "8PT", "",
          "client_id: found 4 bytes, expected 1 to 256 letters" },
        { "", "AYx", "", "8PT", "", "client_secret: " },
        { "", "AYx", "EL x", "8PT", "", "client_secret: found 4 bytes" },
        { "", "AYx", "ELx", "", "", "webhook_id: " },
        { "", "AYx", "ELx", "8P\tT", "", "webhook_id: " },
        { "", "AYx", "ELx", "8PT", "no PEM",
          "webhook_ca: found 6 bytes, expected certificates in PEM" },
    };

    (void) state;
    kept = (struct ph_channel_kept){ .refresh_at_ms = 0 };
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_str values[PAYPAL_FIELDS]
            = { ph_str_z(rows[i].base), ph_str_z(rows[i].id),
                ph_str_z(rows[i].secret), ph_str_z(rows[i].hook),
                ph_str_z(rows[i].ca) };
        const char *why = account_set(values, PAYPAL_FIELDS, NULL);

        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: found %s, expected %s", i,
                     why != NULL ? why : "no fault",
                     rows[i].why != NULL ? rows[i].why : "no fault");
        }
    }
}

static void
the_payee_is_compared_where_it_is_known(void **state)
{
    struct ph_channel_expected want;

    (void) state;
    channel->expected(&account, &order, &arena, &want);
    assert_true(want.seller.len == 0 && want.app.len == 0);
    account.values[PAYPAL_MERCHANT_ID] = PH_STR("M1");
    channel->expected(&account, &order, &arena, &want);
    same_text(want.seller, "M1");
    account.values[PAYPAL_MERCHANT_ID] = ph_str_make(NULL, 0);
}

/* ---- amounts ---- */

static void
amounts_are_as_paypal_writes_them(void **state)
{
    static const struct {
        const char *currency;
        int64_t     minor;
        const char *want; /* NULL = refused */
    } rows[] = {
        { "USD", 1050, "10.50" },     { "USD", 1, "0.01" },
        { "EUR", 100000, "1000.00" }, { "JPY", 500, "500" },
        { "HUF", 104500, "1045" },    { "HUF", 104550, NULL },
        { "TWD", 100, "1" },          { "TWD", 101, NULL },
        { "KWD", 1000, NULL },        { "KRW", 1, NULL },
        { "XAU", 1, NULL },           { "usd", 1, NULL },
        { "USD", -1, NULL },
    };
    static const struct {
        const char *currency, *value;
        int64_t     want; /* -1 = refused */
    } reads[] = {
        { "USD", "10.50", 1050 },  { "USD", "10.5", 1050 },
        { "USD", "10", 1000 },     { "JPY", "500", 500 },
        { "JPY", "500.00", 500 },  { "JPY", "500.50", -1 },
        { "HUF", "1045", 104500 }, { "USD", "88.880", -1 },
        { "USD", "8.888e1", -1 },  { "USD", "-1", -1 },
        { "USD", " 88.88", -1 },   { "USD", "88.88 ", -1 },
        { "USD", "10,50", -1 },    { "USD", "", -1 },
        { "USD", ".50", -1 },      { "USD", "10000000000000000", -1 },
        { "XXX", "1.00", -1 },     { "", "1.00", -1 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          text[32];
        struct ph_buf buf = PH_BUF_INIT(text);
        const bool    ok
            = paypal_amount(&buf, ph_str_z(rows[i].currency), rows[i].minor);

        if (ok != (rows[i].want != NULL)) {
            fail_msg("%s %ld", rows[i].currency, (long) rows[i].minor);
        }
        if (ok) {
            same_text(ph_buf_str(&buf), rows[i].want);
        }
        order.currency = ph_str_z(rows[i].currency);
        order.amount   = rows[i].minor;
        assert_int_equal(channel->order_check(&account, &order) == NULL, ok);
    }
    for (size_t i = 0; i < PH_COUNT(reads); i++) {
        int64_t got = -1;

        if (paypal_amount_read(ph_str_z(reads[i].currency),
                               ph_str_z(reads[i].value), &got)
                != (reads[i].want >= 0)
            || got != reads[i].want)
        {
            fail_msg("%s %s: found %ld", reads[i].currency, reads[i].value,
                     (long) got);
        }
    }
}

/* ---- create ---- */

static void
a_create_tells_all_of_the_order(void **state)
{
    static const char want[]
        = "{\"intent\":\"CAPTURE\",\"purchase_units\":[{\"reference_id\":"
          "\"default\",\"amount\":{\"currency_code\":\"USD\",\"value\":"
          "\"10.50\"},\"description\":\"a \\\"cup\\\" \xe8\x8c\xb6\","
          "\"custom_id\":\"" ATTEMPT "\",\"invoice_id\":\"" ATTEMPT "\"}],"
          "\"payment_source\":{\"paypal\":{\"experience_context\":{"
          "\"return_url\":\"https://shop/back\",\"cancel_url\":"
          "\"https://shop/no\",\"user_action\":\"PAY_NOW\"}}}}";

    (void) state;
    order.subject    = PH_STR("a \"cup\" \xe8\x8c\xb6");
    order.return_url = PH_STR("https://shop/back");
    order.extra      = PH_STR("{\"cancel_url\":\"https://shop/no\"}");
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    asked("POST", ORDERS, "paypal-request-id", ATTEMPT);
    same_text(out.request.body, want);
    same_text(header_of("authorization"), "Bearer A21AAtoken");
    same_text(header_of("prefer"), "return=representation");
    same_text(header_of("content-type"), "application/json");

    order.extra = ph_str_make(NULL, 0);
    begin(PH_OP_CREATE);
    assert_true(
        holds(out.request.body, "\"cancel_url\":\"https://shop/back\""));
    order.return_url = ph_str_make(NULL, 0);
    begin(PH_OP_CREATE);
    assert_true(
        holds(out.request.body, "\"experience_context\":{\"user_action\":"));
}

static void
long_texts_are_cut_between_characters(void **state)
{
    char          text[600];
    struct ph_buf buf = PH_BUF_INIT(text);
    struct ph_str subject;

    (void) state;
    for (size_t i = 0; i < 190; i++) {
        ph_buf_add(&buf, PH_STR("\xe8\x8c\xb6"));
    }
    subject = ph_str_make(text, 570);
    assert_int_equal(ph_rest_cut(subject, 127).len, 381);
    assert_int_equal(ph_rest_cut(subject, 190).len, 570);
    assert_int_equal(ph_rest_cut(ph_str_make(text, 569), 127).len, 0);
    order.subject = subject;
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
}

static void
a_create_shows_where_the_payer_goes(void **state)
{
    (void) state;
    begin(PH_OP_CREATE);
    assert_int_equal(answer(201, LINKED("PAYER_ACTION_REQUIRED")),
                     PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");
    same_text(out.result.number, ATTEMPT);
    assert_true(out.result.trade_no.len == 0); /* no capture yet */
    assert_true(out.result.amount == 1050);
    same_text(out.result.currency, "USD");
    assert_int_equal(out.result.action, PH_ACTION_REDIRECT);
    same_text(out.result.action_data,
              "\"https://www.paypal.com/pay?token=5O1\"");

    /* older ones call it "approve" */
    state_forget();
    begin(PH_OP_CREATE);
    answer(200, ORDER_OF("CREATED", "",
                         ",\"links\":[{\"rel\":\"approve\",\"href\":"
                         "\"https://www.paypal.com/x\"}]"));
    same_text(out.result.action_data, "\"https://www.paypal.com/x\"");

    /* shown again, whoever asks */
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    answer(200, LINKED("APPROVED"));
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_NONE);
}

/* ---- tokens ---- */

static void
without_a_token_it_is_refreshed_first(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_REFUND, PH_OP_REFUND_QUERY };

    (void) state;
    order.trade_no = PH_STR("2GG");
    assert_null(account_with(kept_text(NULL)));
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        state_forget();
        assert_int_equal(begin(ops[i]), PH_STEP_NEED_REFRESH);
        assert_true(out.hint.len == 0);
    }
    account.kept = NULL;
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REFRESH);
    /* one that has run out is none */
    assert_null(account_with(PH_STR("token x\nuntil 1795500000000\n")));
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REFRESH);
    assert_null(account_with(PH_STR("token x\nuntil 1795500000001\n")));
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
}

/* A 401 did nothing, in the middle of an operation as well. */
static void
a_401_is_a_reason_to_refresh(void **state)
{
    (void) state;
    begin(PH_OP_CREATE);
    assert_int_equal(answer(401, REFUSAL("AUTHENTICATION_FAILURE", "x")),
                     PH_STEP_NEED_REFRESH);
    state_forget();
    begin(PH_OP_QUERY);
    answer(200, LINKED("CREATED"));
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    assert_true(holds(out.request.url, "/capture"));
    assert_int_equal(answer(401, ""), PH_STEP_NEED_REFRESH);
    /* begun anew: the same order, looked at first */
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    /* and nothing was captured: its end is still an end */
    assert_int_equal(
        answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")),
        PH_STEP_DONE);
    proves(PH_RESULT_NOT_FOUND, "not_found");
    /* but for a capture before that one whose answer never came */
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    assert_int_equal(answer(401, ""), PH_STEP_NEED_REFRESH);
    begin(PH_OP_QUERY);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_UNKNOWN, "not_found");

    order.trade_no = PH_STR("2GG");
    begin(PH_OP_REFUND);
    assert_int_equal(answer(401, ""), PH_STEP_NEED_REFRESH);
}

static void
a_refresh_brings_the_token_and_keeps_the_certificates(void **state)
{
    struct paypal_kept known;

    (void) state;
    assert_int_equal(begin(PH_OP_ACCOUNT_REFRESH), PH_STEP_NEED_REQUEST);
    asked("POST", BASE "/v1/oauth2/token", "authorization",
          "Basic QVljbGllbnQ6RUxzZWNyZXQ=");
    same_text(out.request.body, "grant_type=client_credentials");
    assert_int_equal(answer(200, "{\"access_token\":\"A21new\",\"token_type\":"
                                 "\"Bearer\",\"expires_in\":32400}"),
                     PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.kept.refresh_at_ms == NOW_MS + 25920000);
    assert_true(out.kept.expires_at_ms == NOW_MS + 32400000);
    paypal_kept_read(&out.kept, &known);
    same_text(known.token, "A21new");
    assert_true(known.until_ms == NOW_MS + 32400000);
    assert_int_equal(known.cert_count, 1);
    same_text(known.certs[0].url, CERT_URL);
    /* the token of before, of which not much is left */
    begin(PH_OP_ACCOUNT_REFRESH);
    answer(200, "{\"access_token\":\"A21new\",\"token_type\":\"Bearer\","
                "\"expires_in\":7}");
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.kept.expires_at_ms == NOW_MS + 7000);
}

static void
a_refresh_that_brings_no_token_keeps_what_is_there(void **state)
{
    static const struct {
        unsigned    status;
        const char *body, *error_class;
    } rows[] = {
        { 401, "{}", "config" },
        { 403, "{}", "config" },
        { 400, "{}", "refresh" },
        { 500, "{}", "refresh" },
        { 200, "", "unreadable" },
        { 200, "<html>", "unreadable" },
        { 200, "{\"access_token\":\"x\",\"expires_in\":32400}", "unreadable" },
        { 200,
          "{\"access_token\":\"a b\",\"token_type\":\"Bearer\","
          "\"expires_in\":32400}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\\nuntil 9\",\"token_type\":\"Bearer\","
          "\"expires_in\":32400}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\",\"token_type\":\"mac\","
          "\"expires_in\":32400}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\",\"token_type\":\"Bearer\","
          "\"expires_in\":0}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\",\"token_type\":\"Bearer\","
          "\"expires_in\":-1}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\",\"token_type\":\"Bearer\","
          "\"expires_in\":99999999}",
          "unreadable" },
        { 200,
          "{\"access_token\":\"x\",\"token_type\":\"Bearer\","
          "\"expires_in\":3.5}",
          "unreadable" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        state_forget();
        begin(PH_OP_ACCOUNT_REFRESH);
        assert_int_equal(answer(rows[i].status, rows[i].body), PH_STEP_DONE);
        proves(PH_RESULT_UNKNOWN, rows[i].error_class);
        assert_true(out.kept.value.len == 0);
    }
}

/* ---- capture ---- */

static void
what_the_payer_approved_is_captured(void **state)
{
    (void) state;
    known_order();
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    asked("POST", ORDERS "/5O1/capture", "paypal-request-id", ATTEMPT "-cap");
    assert_int_equal(out.request.body.len, 0);
    same_text(header_of("content-type"), "application/json");
    assert_int_equal(answer(201, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    same_text(out.result.number, ATTEMPT);
    same_text(out.result.trade_no, "2GG");
    assert_true(out.result.amount == 1050);
    assert_true(out.result.paid_at_ms == UINT64_C(1795482123000));
}

static void
nothing_is_captured_that_is_not_ours_as_it_was_made(void **state)
{
    static const struct {
        const char *body;
        enum ph_result_class class, closed;
        const char *error_class;
    } rows[] = {
        /* another attempt's */
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{"
          "\"custom_id\":\"" OTHER "\",\"amount\":{\"currency_code\":\"USD\","
          "\"value\":\"10.50\"}}]}",
          PH_RESULT_WAIT_USER, PH_RESULT_WAIT_USER, "" },
        /* another amount, another currency, none */
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{"
          "\"custom_id\":\"" ATTEMPT "\",\"amount\":{\"currency_code\":\"USD\","
          "\"value\":\"10.51\"}}]}",
          PH_RESULT_WAIT_USER, PH_RESULT_CLOSED, "" },
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{"
          "\"custom_id\":\"" ATTEMPT "\",\"amount\":{\"currency_code\":\"EUR\","
          "\"value\":\"10.50\"}}]}",
          PH_RESULT_WAIT_USER, PH_RESULT_CLOSED, "" },
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{"
          "\"custom_id\":\"" ATTEMPT "\"}]}",
          PH_RESULT_WAIT_USER, PH_RESULT_CLOSED, "" },
        /* another order, nobody's, of two parts */
        { "{\"id\":\"5O2\",\"status\":\"APPROVED\",\"purchase_units\":[{"
          "\"custom_id\":\"" ATTEMPT "\"}]}",
          PH_RESULT_UNKNOWN, PH_RESULT_UNKNOWN, "no_number" },
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{}]}",
          PH_RESULT_UNKNOWN, PH_RESULT_UNKNOWN, "no_number" },
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\"}", PH_RESULT_UNKNOWN,
          PH_RESULT_UNKNOWN, "no_number" },
        { "{\"status\":\"APPROVED\"}", PH_RESULT_UNKNOWN, PH_RESULT_UNKNOWN,
          "no_number" },
        { "{\"id\":\"5O1\",\"status\":\"APPROVED\",\"purchase_units\":[{},{}]}",
          PH_RESULT_UNKNOWN, PH_RESULT_UNKNOWN, "unreadable" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        known_order();
        begin(PH_OP_QUERY);
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        proves(rows[i].class, rows[i].error_class);
        /* a close tells what it closed: the core sees that it is not ours */
        known_order();
        begin(PH_OP_CLOSE);
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        proves(rows[i].closed, rows[i].error_class);
        if (rows[i].closed == PH_RESULT_CLOSED) {
            assert_true(out.result.amount != 1050
                        || !ph_str_eq(out.result.currency, PH_STR("USD")));
        }
    }
}

/* The capture was sent and its answer lost: what the order says decides. */
static void
a_lost_capture_is_looked_for(void **state)
{
    (void) state;
    known_order();
    begin(PH_OP_QUERY);
    answer(200, ORDER("APPROVED"));
    /* no answer; what the row keeps is the state */
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");

    /* it had not arrived: the same request id */
    begin(PH_OP_QUERY);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_NEED_REQUEST);
    asked("POST", ORDERS "/5O1/capture", "paypal-request-id", ATTEMPT "-cap");
    assert_int_equal(answer(422, UNPROCESSABLE("ORDER_ALREADY_CAPTURED")),
                     PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    assert_int_equal(answer(200, PAID), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    /* and never two captures of one operation */
    begin(PH_OP_QUERY);
    answer(200, ORDER("APPROVED"));
    answer(422, UNPROCESSABLE("ORDER_ALREADY_CAPTURED"));
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "");

    /* since then "no such order" proves nothing */
    begin(PH_OP_QUERY);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_UNKNOWN, "not_found");
    begin(PH_OP_CLOSE);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_UNKNOWN, "not_found");
}

static void
a_short_answer_to_a_capture_is_asked_for_again(void **state)
{
    (void) state;
    known_order();
    begin(PH_OP_QUERY);
    answer(200, ORDER("APPROVED"));
    assert_int_equal(answer(201, "{\"id\":\"5O1\",\"status\":\"COMPLETED\"}"),
                     PH_STEP_NEED_REQUEST);
    asked("GET", ORDERS "/5O1", "paypal-request-id", NULL);
    answer(200, PAID);
    proves(PH_RESULT_SUCCEEDED, "");
    /* without a body where one must be */
    begin(PH_OP_QUERY);
    answer(200, ORDER("APPROVED"));
    answer(201, "");
    proves(PH_RESULT_UNKNOWN, "unreadable");
}

static void
a_declined_instrument_leaves_the_order_to_the_payer(void **state)
{
    (void) state;
    known_order();
    begin(PH_OP_QUERY);
    answer(200, ORDER("APPROVED"));
    assert_int_equal(answer(422, UNPROCESSABLE("INSTRUMENT_DECLINED")),
                     PH_STEP_DONE);
    proves(PH_RESULT_WAIT_USER, "declined");
    same_text(out.result.channel_code, "INSTRUMENT_DECLINED");
    same_text(out.result.message, "more of it");
    /* another instrument: another request, the old one is answered already */
    for (unsigned i = 1; i <= 10; i++) {
        char id[64];

        begin(PH_OP_QUERY);
        answer(200, ORDER("APPROVED"));
        snprintf(id, sizeof(id), ATTEMPT "-cap%u", i < 9 ? i : 9);
        asked("POST", ORDERS "/5O1/capture", "paypal-request-id", id);
        answer(422, UNPROCESSABLE("INSTRUMENT_DECLINED"));
    }
    /* at the end: nothing was captured, and nobody will */
    begin(PH_OP_CLOSE);
    assert_int_equal(answer(200, ORDER("APPROVED")), PH_STEP_DONE);
    proves(PH_RESULT_CLOSED, "");
    /* an order that was declined and lapsed is gone for good */
    begin(PH_OP_QUERY);
    answer(404, REFUSAL("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"));
    proves(PH_RESULT_NOT_FOUND, "not_found");
}

/* ---- what was lost ---- */

static void
a_lost_create_is_sent_again_by_its_request_id(void **state)
{
    struct ph_str first;
    char          copy[1024];

    (void) state;
    begin(PH_OP_CREATE);
    first = out.request.body;
    assert_true(first.len < sizeof(copy));
    memcpy(copy, first.ptr, first.len);
    first.ptr = copy;
    state_forget();
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    asked("POST", ORDERS, "paypal-request-id", ATTEMPT);
    t_same(out.request.body, first);
    answer(200, LINKED("PAYER_ACTION_REQUIRED"));
    proves(PH_RESULT_WAIT_USER, "");
    assert_int_equal(out.result.action, PH_ACTION_REDIRECT);

    /* a refusal may be because of the first one */
    static const char *const refusals[] = {
        UNPROCESSABLE("DUPLICATE_INVOICE_ID"),
        UNPROCESSABLE("X"),
        REFUSAL("INVALID_REQUEST", "X"),
        REFUSAL("NOT_AUTHORIZED", "X"),
        REFUSAL("RATE_LIMIT_REACHED", "X"),
        REFUSAL("RESOURCE_NOT_FOUND", "X"),
    };

    for (size_t i = 0; i < PH_COUNT(refusals); i++) {
        state_forget();
        begin(PH_OP_QUERY);
        assert_int_equal(answer(422, refusals[i]), PH_STEP_DONE);
        assert_int_equal(out.result.class, PH_RESULT_UNKNOWN);
    }
}

/* ---- bounds ---- */

static void
state_put(const char *text)
{
    call.state_len = strlen(text);
    memcpy(kept_state, text, call.state_len);
}

static void
operations_without_capability_are_errors(void **state)
{
    (void) state;
    assert_int_equal(begin(PH_OP_REVERSE), PH_STEP_ERROR);
    assert_int_equal(begin((enum ph_channel_op) 0), PH_STEP_ERROR);
    state_forget();
    call.op = PH_OP_QUERY;
    assert_int_equal(answer(200, PAID), PH_STEP_ERROR); /* of no question */
    order.trade_no = PH_STR("../x");
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_ERROR);
    order.channel_refund_no = PH_STR("a/b");
    assert_int_equal(begin(PH_OP_REFUND_QUERY), PH_STEP_ERROR);
    order.channel_refund_no = ph_str_make(NULL, 0);
    state_put("gn0a/b");
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_ERROR);
    state_put("gn~5O1");
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_ERROR);
}

static void
a_full_arena_is_an_error_or_unknown_at_every_size(void **state)
{
    bool was_asked = false, was_told = false;

    (void) state;
    for (size_t size = 0; size < 8192 && !was_told; size += 8) {
        state_forget();
        begin(PH_OP_CREATE);
        call.state_len = 0;
        ph_arena_init(&arena, memory, size);
        if (channel->step(&call, NULL, &out) != PH_STEP_NEED_REQUEST) {
            assert_false(was_asked);
            continue;
        }
        was_asked = true;
        assert_int_equal(answer(200, LINKED("CREATED")), PH_STEP_DONE);
        was_told = out.result.class == PH_RESULT_WAIT_USER;
        assert_true(was_told || out.result.class == PH_RESULT_UNKNOWN);
    }
    assert_true(was_told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_whole),
        TEST(accounts_that_cannot_work_are_refused),
        TEST(the_payee_is_compared_where_it_is_known),
        TEST(amounts_are_as_paypal_writes_them),
        TEST(a_create_tells_all_of_the_order),
        TEST(long_texts_are_cut_between_characters),
        TEST(a_create_shows_where_the_payer_goes),
        TEST(without_a_token_it_is_refreshed_first),
        TEST(a_401_is_a_reason_to_refresh),
        TEST(a_refresh_brings_the_token_and_keeps_the_certificates),
        TEST(a_refresh_that_brings_no_token_keeps_what_is_there),
        TEST(what_the_payer_approved_is_captured),
        TEST(nothing_is_captured_that_is_not_ours_as_it_was_made),
        TEST(a_lost_capture_is_looked_for),
        TEST(a_short_answer_to_a_capture_is_asked_for_again),
        TEST(a_declined_instrument_leaves_the_order_to_the_payer),
        TEST(a_lost_create_is_sent_again_by_its_request_id),
        TEST(operations_without_capability_are_errors),
        TEST(a_full_arena_is_an_error_or_unknown_at_every_size),
    };

    return cmocka_run_group_tests_name("channel_paypal", tests, group_begin,
                                       group_end);
}

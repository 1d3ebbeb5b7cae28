/*
 * The Stripe adapter: what each answer and each webhook proves, hostile ones
 * among them.
 */
#include "t/unit/channel_stripe.h"
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
        { INTENT("requires_payment_method", ""), PH_RESULT_WAIT_USER, "" },
        { INTENT("requires_confirmation", ""), PH_RESULT_WAIT_USER, "" },
        { INTENT("requires_action", ""), PH_RESULT_WAIT_USER, "" },
        { INTENT("processing", ""), PH_RESULT_WAIT_USER, "" },
        { INTENT("requires_capture", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { INTENT("canceled", ""), PH_RESULT_CLOSED, "" },
        { PAID, PH_RESULT_SUCCEEDED, "" },
        { INTENT("SUCCEEDED", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { INTENT("succeeded ", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { INTENT("paid", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { INTENT("", ""), PH_RESULT_UNKNOWN, "unknown_code" },
    };

    (void) state;
    order.trade_no = PH_STR("pi_1");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        begin(PH_OP_QUERY);
        assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
        proves(rows[i].want, rows[i].error_class);
        same_text(out.result.number, ATTEMPT);
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
        { REFUNDED("pending", ""), PH_RESULT_WAIT_USER, "" },
        { REFUNDED("requires_action", ""), PH_RESULT_WAIT_USER, "" },
        { REFUNDED("succeeded", ""), PH_RESULT_SUCCEEDED, "" },
        { REFUNDED("failed", ""), PH_RESULT_FAILED, "declined" },
        { REFUNDED("canceled", ""), PH_RESULT_FAILED, "canceled" },
        { REFUNDED("Failed", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { REFUNDED("", ""), PH_RESULT_UNKNOWN, "unknown_code" },
        { "{\"id\":\"re_1\",\"status\":\"succeeded\",\"payment_intent\":"
          "\"pi_2\",\"metadata\":{\"out_refund_no\":\"" REFUND "\"}}",
          PH_RESULT_UNKNOWN, "no_number" },
        { "{\"id\":\"re_1\",\"status\":\"succeeded\",\"payment_intent\":"
          "\"pi_1\",\"metadata\":{}}",
          PH_RESULT_UNKNOWN, "no_number" },
    };
    static const enum ph_channel_op ops[]
        = { PH_OP_REFUND, PH_OP_REFUND_QUERY };

    (void) state;
    order.trade_no          = PH_STR("pi_1");
    order.channel_refund_no = PH_STR("re_1");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        for (size_t k = 0; k < PH_COUNT(ops); k++) {
            begin(ops[k]);
            assert_int_equal(answer(200, rows[i].body), PH_STEP_DONE);
            proves(rows[i].want, rows[i].error_class);
        }
    }
}

/* ---- codes by operations ---- */

enum how { STATUS, CODE, TYPE };

/* What a refusal is of CREATE (the one that makes the intent), QUERY, CLOSE,
 * REFUND and REFUND_QUERY: U unknown, N not sent, F failed. */
static const struct refusal {
    enum how    how;
    const char *word;
    const char *classes;
} refusals[] = {
    { STATUS, "401", "NUUUU" },
    { STATUS, "403", "NUUUU" },
    { STATUS, "409", "UUUUU" },
    { STATUS, "429", "NUUUU" },
    { CODE, "amount_too_large", "FUUFU" },
    { CODE, "amount_too_small", "FUUFU" },
    { TYPE, "api_error", "UUUUU" },
    { CODE, "balance_insufficient", "UUUFU" },
    { TYPE, "card_error", "UUUUU" },
    { CODE, "charge_already_refunded", "UUUFU" },
    { CODE, "charge_disputed", "UUUFU" },
    { CODE, "charge_not_refundable", "UUUFU" },
    { TYPE, "idempotency_error", "UUUUU" },
    { CODE, "idempotency_key_in_use", "UUUUU" },
    { CODE, "insufficient_funds", "UUUFU" },
    { TYPE, "invalid_request_error", "NUUUU" },
    { CODE, "lock_timeout", "UUUUU" },
    { CODE, "payment_intent_unexpected_state", "UUUUU" },
    { CODE, "rate_limit", "UUUUU" },
    { CODE, "refund_disputed_payment", "UUUFU" },
    { CODE, "resource_missing", "NUUUU" },
    /* no rows */
    { CODE, "", "UUUUU" },
    { CODE, "card_declined", "UUUUU" },
    { CODE, "Amount_too_small", "UUUUU" },
    { TYPE, "brand_new_error", "UUUUU" },
    { STATUS, "402", "UUUUU" },
    { STATUS, "404", "UUUUU" },
    { STATUS, "418", "UUUUU" },
    { STATUS, "301", "UUUUU" },
    { STATUS, "500", "UUUUU" },
    { STATUS, "502", "UUUUU" },
};

static const enum ph_channel_op refused_ops[]
    = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_CLOSE, PH_OP_REFUND,
        PH_OP_REFUND_QUERY };

static enum ph_result_class
refuse(enum ph_channel_op op, unsigned status, const char *body)
{
    enum ph_channel_step next;

    state_forget();
    order.trade_no = PH_STR("pi_1");
    if (op == PH_OP_CREATE) {
        order.trade_no = ph_str_make(NULL, 0);
    }
    order.channel_refund_no = PH_STR("re_1");
    assert_int_equal(begin(op), PH_STEP_NEED_REQUEST);
    next = answer(status, body);
    if (next == PH_STEP_NEED_REQUEST) { /* it looks at how things stand */
        same_text(out.request.method, "GET");
        next = op == PH_OP_REFUND
                   ? answer(200, "{\"data\":[],\"has_more\":false}")
                   : answer(status, body);
    }
    assert_int_equal(next, PH_STEP_DONE);
    return out.result.class;
}

static void
every_refusal_proves_what_its_row_says(void **state)
{
    char body[256];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(refusals); i++) {
        const struct refusal *row    = &refusals[i];
        unsigned              status = 400;

        snprintf(body, sizeof(body),
                 row->how == CODE ? REFUSAL("none", "%s")
                                  : REFUSAL("%s", "none"),
                 row->how == STATUS ? "none" : row->word);
        if (row->how == STATUS) {
            status = (unsigned) strtoul(row->word, NULL, 10);
        }
        for (size_t op = 0; op < PH_COUNT(refused_ops); op++) {
            enum ph_result_class want
                = row->classes[op] == 'F'   ? PH_RESULT_FAILED
                  : row->classes[op] == 'N' ? PH_RESULT_NOT_SENT
                                            : PH_RESULT_UNKNOWN;

            if (refuse(refused_ops[op], status, body) != want) {
                fail_msg("%s, operation %d: found %d, expected %d", row->word,
                         (int) refused_ops[op], (int) out.result.class,
                         (int) want);
            }
            assert_true(out.result.error_class.len != 0);
        }
    }
}

/* a row that the table above forgot would be a row that nobody judged */
static bool
is_listed(struct ph_str code)
{
    for (size_t i = 0; i < PH_COUNT(refusals); i++) {
        if (ph_str_eq(code, ph_str_z(refusals[i].word))) {
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

/* A proxy's page is no word of Stripe's. */
static void
a_refusal_that_cannot_be_read_proves_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        "<html>403 Forbidden</html>",
        "{}",
        "{\"error\":\"no\"}",
        "{\"error\":{\"type\":1}}",
        "[]",
        "{\"error\":{\"type\":\"invalid_request_error\"",
    };
    static const unsigned statuses[] = { 400, 401, 403, 404, 409, 429 };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        for (size_t k = 0; k < PH_COUNT(statuses); k++) {
            for (size_t op = 0; op < PH_COUNT(refused_ops); op++) {
                assert_int_equal(
                    refuse(refused_ops[op], statuses[k], bodies[i]),
                    PH_RESULT_UNKNOWN);
            }
        }
    }
}

/* ---- hostile answers ---- */

#define PAID_OF(amount)                                                        \
    "{\"id\":\"pi_1\",\"currency\":\"usd\",\"status\":\"succeeded\","          \
    "\"metadata\":{\"out_trade_no\":\"" ATTEMPT "\"},\"amount\":1050,"         \
    "\"amount_received\":" amount "}"

static void
hostile_answers_prove_nothing(void **state)
{
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT(" "),
        PH_STR_INIT("<html><body>OK</body></html>"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("\xef\xbb\xbf" PAID),
        PH_STR_INIT(PAID "x"),
        PH_STR_INIT(PAID "\0"),
        PH_STR_INIT(PAID PAID),
        PH_STR_INIT(INTENT("succe\xd6\xd0", "")),
        PH_STR_INIT("{\"id\":\"pi_1\",\"status\":\"succeeded\""),
        PH_STR_INIT(INTENT("succeeded", ",\"status\":\"canceled\"")),
        PH_STR_INIT(INTENT("canceled", ",\"id\":\"pi_1\"")),
        PH_STR_INIT(PAID_OF("1050.0")),
        PH_STR_INIT(PAID_OF("1.05e3")),
        PH_STR_INIT(PAID_OF("\"1050\"")),
        PH_STR_INIT(PAID_OF("\"10.50\"")),
        PH_STR_INIT(PAID_OF("-1050")),
        PH_STR_INIT(PAID_OF("10000000000000000")),
        PH_STR_INIT(PAID_OF("99999999999999999999")),
        PH_STR_INIT(PAID_OF("true")),
        PH_STR_INIT(PAID_OF("[1050]")),
        PH_STR_INIT("{\"id\":[],\"status\":\"succeeded\"}"),
        PH_STR_INIT("{\"id\":\"pi_1\",\"status\":1,\"metadata\":{"
                    "\"out_trade_no\":\"" ATTEMPT "\"}}"),
        PH_STR_INIT("{\"id\":\"pi_1\",\"currency\":\"dollars\"}"),
        PH_STR_INIT("{\"id\":\"pi_1\",\"currency\":\"USD\"}"),
        PH_STR_INIT("{}"),
        PH_STR_INIT("{\"status\":\"succeeded\"}"),
        PH_STR_INIT("{\"id\":\"pi_1\",\"status\":\"succeeded\","
                    "\"metadata\":[]}"),
    };

    (void) state;
    order.trade_no          = PH_STR("pi_1");
    order.channel_refund_no = PH_STR("re_1");
    bodies_prove_nothing(bodies, PH_COUNT(bodies), state_forget);
}

static void
huge_answers_prove_nothing(void **state)
{
    static const struct huge own = { "{\"id\":\"pi_1\"", " ", "}", 300000 };

    (void) state;
    order.trade_no = PH_STR("pi_1");
    huge_answers_of(&own, state_forget);
}

/* The core compares: the adapter has to tell it. */
static void
other_amounts_and_currencies_are_told(void **state)
{
    (void) state;
    order.trade_no = PH_STR("pi_1");
    begin(PH_OP_QUERY);
    answer(200, PAID_OF("1049"));
    proves(PH_RESULT_SUCCEEDED, "");
    assert_true(out.result.amount == 1049);
    begin(PH_OP_QUERY);
    answer(200, "{\"id\":\"pi_1\",\"currency\":\"jpy\",\"status\":"
                "\"succeeded\",\"metadata\":{\"out_trade_no\":\"" ATTEMPT
                "\"},\"amount\":1050,\"amount_received\":1050}");
    same_text(out.result.currency, "JPY");
    /* a success of no amount: the core asks again */
    begin(PH_OP_QUERY);
    answer(200, INTENT("succeeded", ""));
    assert_true(out.result.amount == -1);
    /* when it was paid */
    begin(PH_OP_QUERY);
    answer(200,
           INTENT("succeeded", ",\"amount_received\":1050,\"latest_charge\":"
                               "{\"id\":\"ch_1\",\"created\":1795400000}"));
    assert_true(out.result.paid_at_ms == UINT64_C(1795400000000));
}

/* ---- webhooks ---- */

static char                         signature[256];
static struct ph_channel_notice_out told;

/* t=...,v1=... by a secret */
static const char *
sign(const char *secret, uint64_t at_s, struct ph_str body)
{
    char          memory_hex[2 * PH_SHA256_LEN];
    char          at[24];
    struct ph_buf hex = PH_BUF_INIT(memory_hex);
    uint8_t       mac[PH_SHA256_LEN];

    snprintf(at, sizeof(at), "%llu.", (unsigned long long) at_s);
    const struct ph_str pieces[] = { ph_str_z(at), body };

    assert_true(ph_hmac_once(ph_str_z(secret), pieces, 2, mac));
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));
    snprintf(signature, sizeof(signature), "t=%llu,v1=%.64s",
             (unsigned long long) at_s, memory_hex);
    return signature;
}

static enum ph_rc
tell_signed(const char *header, struct ph_str body)
{
    const struct ph_channel_header headers[]
        = { { PH_STR("host"), PH_STR("x") },
            { PH_STR("stripe-signature"), ph_str_z(header) } };
    const struct ph_channel_notice in = { .body         = body,
                                          .headers      = headers,
                                          .header_count = PH_COUNT(headers) };

    ph_arena_init(&arena, memory, sizeof(memory));
    told = (struct ph_channel_notice_out){ 0 };
    return channel->notice(&account, &in, NOW_MS, &arena, &told);
}

static enum ph_rc
tell(struct ph_str body)
{
    return tell_signed(sign(HOOK, NOW_MS / 1000, body), body);
}

#define EVENT(type, object)                                                    \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"created\":1795499999,"           \
    "\"livemode\":false,\"type\":\"" type "\",\"data\":{\"object\":" object    \
    "}}"

static void
every_event_tells_what_its_row_says(void **state)
{
    static const struct {
        const char          *body;
        enum ph_result_class want;
        bool                 is_hint;
    } rows[] = {
        { EVENT("payment_intent.succeeded", PAID), PH_RESULT_SUCCEEDED, false },
        { EVENT("payment_intent.canceled", INTENT("canceled", "")),
          PH_RESULT_CLOSED, false },
        { EVENT("payment_intent.payment_failed",
                INTENT("requires_payment_method", "")),
          PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.processing", INTENT("processing", "")),
          PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.requires_action",
                INTENT("requires_action", "")),
          PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.amount_capturable_updated",
                INTENT("requires_capture", "")),
          PH_RESULT_UNKNOWN, true },
        /* what type and object do not both say is only a reason to ask */
        { EVENT("payment_intent.succeeded", INTENT("canceled", "")),
          PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.canceled", PAID), PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.processing", PAID), PH_RESULT_WAIT_USER, true },
        { EVENT("payment_intent.succeeded", INTENT("new_word", "")),
          PH_RESULT_UNKNOWN, true },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(tell(ph_str_z(rows[i].body)), PH_OK);
        if (told.result.class != rows[i].want
            || told.result.is_hint != rows[i].is_hint) {
            fail_msg("%s: found %d", rows[i].body, (int) told.result.class);
        }
        assert_false(told.is_ignored || told.is_refund);
        assert_int_equal(told.result.action, PH_ACTION_NONE);
        same_text(told.id, "evt_1");
        same_text(told.result.number, ATTEMPT);
        same_text(told.result.trade_no, "pi_1");
        same_text(told.ack_body, "ok");
    }
    tell(ph_str_z(rows[0].body));
    assert_true(told.result.amount == 1050);
    assert_true(told.result.paid_at_ms == UINT64_C(1795499999000));
}

static void
refunds_are_told_of_ours_and_of_others(void **state)
{
    static const char *const types[]
        = { "refund.created", "refund.updated", "refund.failed",
            "charge.refund.updated" };
    char body[1024];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(types); i++) {
        snprintf(body, sizeof(body), EVENT("%s", REFUNDED("succeeded", "")),
                 types[i]);
        assert_int_equal(tell(ph_str_z(body)), PH_OK);
        assert_int_equal(told.part_count, 1);
        assert_true(told.parts[0].is_refund);
        same_text(told.parts[0].result.number, REFUND);
        same_text(told.parts[0].result.trade_no, "re_1");
        same_text(told.parts[0].order_trade_no, "pi_1");
        assert_int_equal(told.parts[0].result.class, PH_RESULT_SUCCEEDED);
        assert_true(told.parts[0].result.amount == 700);
    }
    /* made in the dashboard: by the payment's number, when it is done */
#define FOREIGN(status)                                                        \
    EVENT("refund.created",                                                    \
          "{\"id\":\"re_9\",\"amount\":300,\"currency\":\"usd\","              \
          "\"status\":\"" status "\",\"payment_intent\":\"pi_1\","             \
          "\"metadata\":{}}")
    assert_int_equal(tell(PH_STR(FOREIGN("succeeded"))), PH_OK);
    assert_int_equal(told.part_count, 1);
    same_text(told.parts[0].result.number, "re_9");
    same_text(told.parts[0].order_trade_no, "pi_1");
    assert_true(told.parts[0].order_number.len == 0);
    assert_true(told.parts[0].result.amount == 300);
    assert_int_equal(tell(PH_STR(FOREIGN("pending"))), PH_OK);
    assert_true(told.is_ignored && told.part_count == 0);
    /* by another system, which has numbers of its own */
#define NUMBERED(status)                                                       \
    EVENT("refund.updated",                                                    \
          "{\"id\":\"re_9\",\"amount\":300,\"currency\":\"usd\","              \
          "\"status\":\"" status "\",\"payment_intent\":\"pi_1\","             \
          "\"metadata\":{\"out_refund_no\":\"2026-7\"}}")
    assert_int_equal(tell(PH_STR(NUMBERED("pending"))), PH_OK);
    assert_true(told.is_ignored);
    assert_int_equal(tell(PH_STR(NUMBERED("succeeded"))), PH_OK);
    assert_false(told.is_ignored);
    same_text(told.parts[0].result.number, "re_9");
    same_text(told.parts[0].order_trade_no, "pi_1");
}

static void
what_is_nothing_to_us_is_acknowledged(void **state)
{
    static const char *const bodies[] = {
        EVENT("customer.created", "{}"),
        EVENT("charge.refunded", "{\"id\":\"ch_1\"}"),
        EVENT("charge.dispute.created", "{\"id\":\"dp_1\"}"),
        EVENT("payment_intent.created", "{\"id\":\"pi_1\"}"),
        /* of an intent that somebody else has made with this account */
        EVENT("payment_intent.succeeded",
              "{\"id\":\"pi_9\",\"amount\":1,\"currency\":\"usd\","
              "\"status\":\"succeeded\",\"metadata\":{}}"),
        /* in a currency that we do not take */
        EVENT("payment_intent.succeeded",
              "{\"id\":\"pi_9\",\"amount\":1000,\"currency\":\"iqd\","
              "\"status\":\"succeeded\",\"metadata\":{\"out_trade_no\":"
              "\"2026-7\"}}"),
        EVENT("refund.created",
              "{\"id\":\"re_9\",\"amount\":1000,\"currency\":\"iqd\","
              "\"status\":\"succeeded\",\"payment_intent\":\"pi_9\"}"),
        /* one that names its object by an address alone */
        "{\"id\":\"evt_1\",\"object\":\"v2.core.event\",\"livemode\":false,"
        "\"type\":\"v2.core.account.closed\"}",
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        assert_int_equal(tell(ph_str_z(bodies[i])), PH_OK);
        assert_true(told.is_ignored);
        same_text(told.ack_body, "ok");
    }
}

#define GOOD EVENT("payment_intent.succeeded", PAID)

static void
webhooks_that_are_not_genuine_are_refused(void **state)
{
    const uint64_t now_s = NOW_MS / 1000;
    char           text[1200];

    (void) state;
    assert_int_equal(tell(PH_STR(GOOD)), PH_OK);
    /* another's secret, the API key, another body, another time */
    assert_int_equal(
        tell_signed(sign("whsec_another_one_x", now_s, PH_STR(GOOD)),
                    PH_STR(GOOD)),
        PH_E_SIGNATURE);
    assert_int_equal(tell_signed(sign(KEY, now_s, PH_STR(GOOD)), PH_STR(GOOD)),
                     PH_E_SIGNATURE);
    assert_int_equal(
        tell_signed(sign(HOOK, now_s, PH_STR(GOOD " ")), PH_STR(GOOD)),
        PH_E_SIGNATURE);
    assert_int_equal(
        tell_signed(sign(HOOK, now_s - 301, PH_STR(GOOD)), PH_STR(GOOD)),
        PH_E_RANGE);
    assert_int_equal(
        tell_signed(sign(HOOK, now_s - 300, PH_STR(GOOD)), PH_STR(GOOD)),
        PH_OK);

    const char *good = sign(HOOK, now_s, PH_STR(GOOD));
    const char *v1   = strstr(good, ",v1=") + 4;
    const struct {
        const char *head, *tail;
        enum ph_rc  want;
    } rows[] = {
        { "", "", PH_E_SYNTAX },
        { "", v1, PH_E_SYNTAX },
        { "v1=", v1, PH_E_MISSING },
        { "t=1795500000,v0=", v1, PH_E_MISSING },
        { "t=1795500000,V1=", v1, PH_E_MISSING },
        { "t=1795500000, v1=", v1, PH_E_MISSING },
        { "t=1795500000,v1=", "", PH_E_SIGNATURE },
        { "t=1795500000,v1=0", v1, PH_E_SIGNATURE },
        { "t=1795500000,v1=", v1 + 1, PH_E_SIGNATURE },
        { "t=1795500000,v1=not-hex,v1=", v1, PH_OK },
        { "t=1795500001,v1=", v1, PH_E_SIGNATURE },
        { "t=1795500000,t=1795500000,v1=", v1, PH_E_DUPLICATE },
        { "t=01795500000,v1=", v1, PH_E_SYNTAX },
        { "t=-1,v1=", v1, PH_E_SYNTAX },
        { "t=,v1=", v1, PH_E_SYNTAX },
        { "t=999999999999,v1=", v1, PH_E_SYNTAX },
        { "t=1795500000,,v1=", v1, PH_E_SYNTAX },
        { "t=1795500000,v1", "", PH_E_SYNTAX },
        { "a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,a=,t=1795500000,v1=", v1,
          PH_E_RANGE },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_rc rc;

        snprintf(text, sizeof(text), "%s%s", rows[i].head, rows[i].tail);
        rc = tell_signed(text, PH_STR(GOOD));
        if (rc != rows[i].want) {
            fail_msg("%s: found %d, expected %d", text, (int) rc,
                     (int) rows[i].want);
        }
        assert_true(told.id.len == 0 || rc == PH_OK);
    }
}

static void
old_secrets_verify_until_they_are_taken_away(void **state)
{
    const struct ph_str values[STRIPE_FIELDS]
        = { [STRIPE_SECRET_KEY]     = PH_STR(KEY),
            [STRIPE_WEBHOOK_SECRET] = PH_STR("whsec_another_one_x " HOOK) };

    (void) state;
    assert_null(account_set(values, STRIPE_FIELDS, NULL));
    assert_int_equal(tell(PH_STR(GOOD)), PH_OK);
    assert_int_equal(
        tell_signed(sign("whsec_another_one_x", NOW_MS / 1000, PH_STR(GOOD)),
                    PH_STR(GOOD)),
        PH_OK);
    assert_int_equal(
        tell_signed(sign("whsec_a_third_one_x", NOW_MS / 1000, PH_STR(GOOD)),
                    PH_STR(GOOD)),
        PH_E_SIGNATURE);
}

static void
test_and_live_are_not_mixed(void **state)
{
    static const char live[]
        = "{\"id\":\"evt_1\",\"livemode\":true,\"type\":"
          "\"payment_intent.succeeded\",\"data\":{\"object\":" PAID "}}";
    static const char none[]
        = "{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"data\":{"
          "\"object\":" PAID "}}";
    const struct ph_str values[STRIPE_FIELDS]
        = { [STRIPE_SECRET_KEY]     = PH_STR("rk_live_0123456789abcdef"),
            [STRIPE_WEBHOOK_SECRET] = PH_STR(HOOK) };

    (void) state;
    assert_int_equal(tell(PH_STR(live)), PH_E_SYNTAX);
    assert_int_equal(tell(PH_STR(none)), PH_OK);
    assert_null(account_set(values, STRIPE_FIELDS, NULL));
    assert_int_equal(tell(PH_STR(live)), PH_OK);
    assert_int_equal(tell(PH_STR(GOOD)), PH_E_SYNTAX);
}

/* signed, and nothing that can be read */
static void
genuine_webhooks_that_make_no_sense_are_refused(void **state)
{
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("<html></html>"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("\xef\xbb\xbf" GOOD),
        PH_STR_INIT(GOOD "\0"),
        PH_STR_INIT(GOOD "x"),
        PH_STR_INIT("{}"),
        PH_STR_INIT("{\"id\":\"evt_1\"}"),
        PH_STR_INIT("{\"id\":1,\"type\":\"payment_intent.succeeded\"}"),
        PH_STR_INIT("{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\","
                    "\"data\":[]}"),
        PH_STR_INIT(EVENT("payment_intent.succeeded", "{}")),
        PH_STR_INIT(EVENT("payment_intent.succeeded", "7")),
        PH_STR_INIT(EVENT("payment_intent.succeeded", PAID_OF("10.50"))),
        PH_STR_INIT(EVENT("payment_intent.succeeded", PAID_OF("\"1050\""))),
        PH_STR_INIT(EVENT("payment_intent.succeeded", PAID_OF("1.05e3"))),
        PH_STR_INIT(EVENT("payment_intent.succeeded", PAID_OF("-1050"))),
        PH_STR_INIT(
            EVENT("payment_intent.succeeded", PAID_OF("10000000000000000"))),
        PH_STR_INIT(EVENT("refund.updated", "{}")),
        PH_STR_INIT(EVENT("refund.updated", REFUNDED("x", ",\"id\":\"y\""))),
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        if (tell(bodies[i]) == PH_OK) {
            fail_msg("taken: %s", bodies[i].ptr);
        }
    }
    assert_int_equal(tell(long_text("{\"a\":", "[", 100000, "")), PH_E_RANGE);
    assert_int_equal(tell(long_text("{\"a\":\"", "x", 300000, "\"}")),
                     PH_E_RANGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_status_proves_what_its_row_says),
        TEST(every_refund_status_proves_what_its_row_says),
        TEST(every_refusal_proves_what_its_row_says),
        TEST(every_row_of_the_table_is_in_the_list),
        TEST(a_refusal_that_cannot_be_read_proves_nothing),
        TEST(hostile_answers_prove_nothing),
        TEST(huge_answers_prove_nothing),
        TEST(other_amounts_and_currencies_are_told),
        TEST(every_event_tells_what_its_row_says),
        TEST(refunds_are_told_of_ours_and_of_others),
        TEST(what_is_nothing_to_us_is_acknowledged),
        TEST(webhooks_that_are_not_genuine_are_refused),
        TEST(old_secrets_verify_until_they_are_taken_away),
        TEST(test_and_live_are_not_mixed),
        TEST(genuine_webhooks_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests_name("channel_stripe_told", tests,
                                       group_begin, group_end);
}

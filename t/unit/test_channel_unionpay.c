/*
 * test_channel_unionpay.c - the unionpay adapter: what it sends.
 */
#include "t/unit/channel_unionpay_told.h"

/* of the usual order's subject: what ends a nested field is left out */
#define RISK_VALUE "value=\\\"{commodityName=\xe6\x9d\xaf  cox1}\\\""

static const struct ph_channel *const channel = &ph_channel_unionpay;

static struct ph_channel_account by_key;    /* 01, PEM */
static struct ph_channel_account by_secret; /* 11 */

static const struct ph_channel_order usual = {
    .attempt_id    = PH_STR_INIT(ATTEMPT),
    .trade_no      = PH_STR_INIT(QUERY_ID),
    .method        = PH_STR_INIT("unionpay_web"),
    .amount        = 1000,
    .currency      = PH_STR_INIT("CNY"),
    .subject       = PH_STR_INIT("\xe6\x9d\xaf & {\"co\"='x'}[1]"),
    .notify_url    = PH_STR_INIT("https://pay.example.com/notify/unionpay/acc"),
    .return_url    = PH_STR_INIT("https://shop.example.com/back?a=1"),
    .expires_at_ms = TIMEOUT_MS,
    .refund_id     = PH_STR_INIT(REFUND),
    .refund_amount = 500,
    .attempt_ms    = TRADE_MS,
    .refund_ms     = TRADE_MS + 5000,
};

static int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    by_key = pem_account();
    account_open(&by_key);
    by_secret = secret_account(NULL);
    account_open(&by_secret);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    ph_channel_account_close(&by_key);
    ph_channel_account_close(&by_secret);
    ph_digest_deinit();
    return 0;
}

static struct ph_channel_call
call_of(const struct ph_channel_account *account, enum ph_channel_op op,
        const struct ph_channel_order *order)
{
    ph_arena_reset(&arena);
    return (struct ph_channel_call){ .op      = op,
                                     .account = account,
                                     .order   = order,
                                     .arena   = &arena,
                                     .now_ms  = TRADE_MS + 10000 };
}

/* The request's fields, decoded; its signature is ours by the public half. */
static size_t
request_fields(const struct ph_channel_request *request, struct ph_pair *pairs)
{
    size_t count = 0;

    t_same(request->method, PH_STR("POST"));
    t_same(ph_channel_header(request->headers, request->header_count,
                             PH_STR("content-type")),
           PH_STR("application/x-www-form-urlencoded;charset=UTF-8"));
    assert_int_equal(
        ph_form_decode(request->body, &arena, pairs, UNION_PAIRS_MAX, &count),
        PH_OK);
    return count;
}

static void
fields_are(const struct ph_pair *pairs, size_t count, const struct told *want,
           size_t want_count)
{
    for (size_t i = 0; i < want_count; i++) {
        t_same(ph_pair_find(pairs, count, ph_str_z(want[i].name)),
               ph_str_z(want[i].value));
    }
    assert_int_equal(count, want_count + 1); /* and the signature */
    assert_true(ph_pair_find(pairs, count, PH_STR("signature")).len > 60);
}

#define HEAD                                                                   \
    { "version", "5.1.0" }, { "encoding", "UTF-8" }, { "signMethod", "11" },   \
        { "bizType", "000201" }, { "accessType", "0" },                        \
    {                                                                          \
        "merId", MER_ID                                                        \
    }

static void
test_app_request(void **state)
{
    static const struct told want[] = {
        HEAD,
        { "channelType", "08" },
        { "currencyCode", "156" },
        { "txnType", "01" },
        { "txnSubType", "01" },
        { "orderId", ATTEMPT },
        { "txnTime", "20261123102030" },
        { "txnAmt", "1000" },
        { "backUrl", "https://pay.example.com/notify/unionpay/acc" },
        { "payTimeout", "20261123103530" },
        { "orderDesc", "\xe6\x9d\xaf  cox1" },
    };
    struct ph_channel_order order = usual;
    struct ph_channel_call  call  = call_of(&by_secret, PH_OP_CREATE, &order);
    struct ph_channel_out   out   = { 0 };
    struct ph_pair          pairs[UNION_PAIRS_MAX];

    (void) state;
    order.method = PH_STR("unionpay_app");
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_NEED_REQUEST);
    t_same(out.request.url, PH_STR(GATEWAY "appTransReq.do"));
    fields_are(pairs, request_fields(&out.request, pairs), want,
               PH_COUNT(want));
}

/* A long subject is cut between characters: 32 bytes at most. */
static void
test_app_subject(void **state)
{
    static const struct {
        const char *subject;
        const char *want;
    } rows[] = {
        { "0123456789012345678901234567890123456789",
          "01234567890123456789012345678901" },
        { "012345678901234567890123456789\xe6\x9d\xaf",
          "012345678901234567890123456789" },
        { "01234567890123456789012345678\xe6\x9d\xaf",
          "01234567890123456789012345678\xe6\x9d\xaf" },
        { "&&{}", NULL },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_order order = usual;
        struct ph_channel_call call = call_of(&by_secret, PH_OP_CREATE, &order);
        struct ph_channel_out  out  = { 0 };
        struct ph_pair         pairs[UNION_PAIRS_MAX];

        order.method  = PH_STR("unionpay_app");
        order.subject = ph_str_z(rows[i].subject);
        assert_int_equal(channel->step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        size_t count = request_fields(&out.request, pairs);
        t_same(ph_pair_find(pairs, count, PH_STR("orderDesc")),
               ph_str_z(rows[i].want));
    }
}

static void
test_query_requests(void **state)
{
    static const struct told pay[] = {
        HEAD,
        { "txnType", "00" },
        { "txnSubType", "00" },
        { "orderId", ATTEMPT },
        { "txnTime", "20261123102030" },
    };
    static const struct told refund[] = {
        HEAD,
        { "txnType", "00" },
        { "txnSubType", "00" },
        { "orderId", REFUND },
        { "txnTime", "20261123102035" },
    };
    static const enum ph_channel_op ops[] = { PH_OP_QUERY, PH_OP_REFUND_QUERY };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        struct ph_channel_call call = call_of(&by_secret, ops[i], &usual);
        struct ph_channel_out  out  = { 0 };
        struct ph_pair         pairs[UNION_PAIRS_MAX];

        assert_int_equal(channel->step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        t_same(out.request.url, PH_STR(GATEWAY "queryTrans.do"));
        fields_are(pairs, request_fields(&out.request, pairs),
                   i == 0 ? pay : refund, PH_COUNT(pay));
    }
}

/* when a refund is sent as a revocation: times in Beijing */
static void
test_refund_requests(void **state)
{
    static const struct {
        const char *revoke;
        int64_t     amount;
        uint64_t    after_ms; /* since the payment at 10:20:30 */
        const char *type;
    } rows[] = {
        { NULL, 1000, 10000, "04" },     { "no", 1000, 10000, "04" },
        { "yes", 1000, 10000, "31" },    { "yes", 999, 10000, "04" },
        { "yes", 1000, 41969000, "31" }, /* 21:59:59 */
        { "yes", 1000, 41970000, "04" }, /* 22:00:00 */
        { "yes", 1000, 49169000, "04" }, /* 23:59:59 */
        { "yes", 1000, 49170000, "04" }, /* the next day */
        { "yes", 1000, 86400000, "04" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = secret_account("11");
        struct ph_channel_order   order   = usual;
        struct ph_pair            pairs[UNION_PAIRS_MAX];
        struct ph_channel_out     out    = { 0 };
        const struct told         want[] = {
                    HEAD,
                    { "channelType", "07" },
                    { "currencyCode", "156" },
                    { "txnType", rows[i].type },
                    { "txnSubType", "00" },
                    { "orderId", REFUND },
                    { "txnTime", "20261123102035" },
                    { "txnAmt", rows[i].amount == 1000 ? "1000" : "999" },
                    { "origQryId", QUERY_ID },
                    { "backUrl", "https://pay.example.com/notify/unionpay/acc" },
        };

        account.values[UNION_REVOKE] = ph_str_z(rows[i].revoke);
        account_open(&account);
        order.refund_amount         = rows[i].amount;
        struct ph_channel_call call = call_of(&account, PH_OP_REFUND, &order);
        call.now_ms                 = TRADE_MS + rows[i].after_ms;
        assert_int_equal(channel->step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        t_same(out.request.url, PH_STR(GATEWAY "backTransReq.do"));
        fields_are(pairs, request_fields(&out.request, pairs), want,
                   PH_COUNT(want));
        ph_channel_account_close(&account);
    }
}

/* The whole page, and the field that is not plain in it. */
static void
test_web_form(void **state)
{
    static const char *const parts[] = {
        "\"<!DOCTYPE html>",
        "action=\\\"https://127.0.0.1:9/gateway/api/frontTransReq.do\\\"",
        "name=\\\"frontUrl\\\" value=\\\"https://shop.example.com/back?a=1\\\"",
        "name=\\\"channelType\\\" value=\\\"07\\\"",
        "name=\\\"txnAmt\\\" value=\\\"1000\\\"",
        "name=\\\"payTimeout\\\" value=\\\"20261123103530\\\"",
        RISK_VALUE,
        "name=\\\"certId\\\" value=\\\"18051823068123974\\\"",
        "name=\\\"signature\\\" value=\\\"",
        "submit()",
    };
    struct ph_channel_call call = call_of(&by_key, PH_OP_CREATE, &usual);
    struct ph_channel_out  out  = { 0 };

    (void) state;
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_WAIT_USER);
    assert_int_equal(out.result.action, PH_ACTION_FORM);
    assert_int_equal(out.result.amount, -1);
    t_same(out.result.number, PH_STR(ATTEMPT));
    for (size_t i = 0; i < PH_COUNT(parts); i++) {
        if (memmem(out.result.action_data.ptr, out.result.action_data.len,
                   parts[i], strlen(parts[i]))
            == NULL)
        {
            fail_msg("%s is not in %.*s", parts[i],
                     (int) out.result.action_data.len,
                     out.result.action_data.ptr);
        }
    }
    /* the same trade whenever it is made */
    struct ph_str first = ph_str_z(strdup(out.result.action_data.ptr));
    call                = call_of(&by_key, PH_OP_CREATE, &usual);
    call.now_ms += 300000;
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_DONE);
    t_same(out.result.action_data,
           ph_str_make(first.ptr, out.result.action_data.len));
    free((void *) (uintptr_t) first.ptr);
}

static void
test_own_addresses(void **state)
{
    struct ph_channel_account account = secret_account("12");
    struct ph_channel_out     out     = { 0 };

    (void) state;
    account.values[UNION_BACK_URL]  = PH_STR("https://127.0.0.1:8/back");
    account.values[UNION_QUERY_URL] = PH_STR("https://127.0.0.1:7/ask");
    account_open(&account);
    struct ph_channel_call call = call_of(&account, PH_OP_QUERY, &usual);
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_NEED_REQUEST);
    t_same(out.request.url, PH_STR("https://127.0.0.1:7/ask"));
    call = call_of(&account, PH_OP_REFUND, &usual);
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_NEED_REQUEST);
    t_same(out.request.url, PH_STR("https://127.0.0.1:8/back"));
    ph_channel_account_close(&account);
}

static void
test_what_cannot_be_sent(void **state)
{
    static const enum ph_channel_op ops[]
        = { (enum ph_channel_op) 0, PH_OP_CLOSE, PH_OP_REVERSE,
            PH_OP_ACCOUNT_REFRESH };
    struct ph_channel_order order = usual;
    struct ph_channel_out   out   = { 0 };
    struct ph_channel_call  call;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        call = call_of(&by_key, ops[i], &usual);
        assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_ERROR);
    }
    order.trade_no = ph_str_make(NULL, 0); /* a refund of nothing known */
    call           = call_of(&by_key, PH_OP_REFUND, &order);
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_ERROR);
    order            = usual;
    order.attempt_ms = 0;
    call             = call_of(&by_key, PH_OP_QUERY, &order);
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_ERROR);
}

static void
test_a_full_arena(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_REFUND, PH_OP_REFUND_QUERY };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        size_t size = 0;

        for (;; size += 16) {
            struct ph_channel_call call = call_of(&by_secret, ops[i], &usual);
            struct ph_channel_out  out  = { 0 };

            ph_arena_init(&arena, memory, size);
            enum ph_channel_step step = channel->step(&call, NULL, &out);
            if (step != PH_STEP_ERROR) {
                break;
            }
            assert_true(size < 64 * 1024);
        }
        assert_true(size > 512);
        ph_arena_init(&arena, memory, sizeof(memory));
    }
}

static void
test_orders(void **state)
{
    struct ph_channel_order    order    = usual;
    struct ph_channel_expected expected = { 0 };

    (void) state;
    assert_null(channel->order_check(&by_key, &order));
    order.amount = INT64_C(999999999999);
    assert_null(channel->order_check(&by_key, &order));
    order.amount++;
    assert_non_null(channel->order_check(&by_key, &order));
    channel->expected(&by_key, &usual, &arena, &expected);
    t_same(expected.seller, PH_STR(MER_ID));
    assert_null(expected.app.ptr);
    assert_string_equal(channel->currencies[0], "CNY");
    assert_null(channel->currencies[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_request),
        cmocka_unit_test(test_app_subject),
        cmocka_unit_test(test_query_requests),
        cmocka_unit_test(test_refund_requests),
        cmocka_unit_test(test_web_form),
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_a_full_arena),
        cmocka_unit_test(test_orders),
    };

    return cmocka_run_group_tests_name("channel_unionpay", tests, set_up,
                                       tear_down);
}

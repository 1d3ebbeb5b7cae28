/*
 * test_channel_unionpay.c - the unionpay adapter: accounts, what it sends, and
 * what every code proves for every operation.
 */
#include "t/unit/channel_unionpay.h"

#include "channels/codes.h"

#define ATTEMPT "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCD"
#define QUERY_ID "822611231020301234567"
#define TIMEOUT_MS (TRADE_MS + 900000) /* 10:35:30 */

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

static struct ph_channel_account
secret_account(const char *method)
{
    return (struct ph_channel_account){
        .id      = PH_STR_INIT("acc"),
        .channel = &ph_channel_unionpay,
        .values  = { [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
                     [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
                     [UNION_SECURE_KEY]  = PH_STR_INIT(SECRET),
                     [UNION_SIGN_METHOD] = ph_str_z(method) },
    };
}

static int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    by_key    = pem_account();
    by_secret = secret_account(NULL);
    account_open(&by_key);
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

/* --- accounts ------------------------------------------------------------- */

static void
test_accounts(void **state)
{
    static const struct {
        const char *gateway;
        const char *mer_id;
        const char *method; /* NULL = none */
        bool        has_key, has_secret;
        const char *why; /* how it begins; NULL = opened */
    } rows[] = {
        { GATEWAY, MER_ID, NULL, true, false, NULL },
        { GATEWAY, MER_ID, "01", true, false, NULL },
        { GATEWAY, MER_ID, NULL, false, true, NULL },
        { GATEWAY, MER_ID, "11", false, true, NULL },
        { GATEWAY, MER_ID, "12", false, true, NULL },
        { GATEWAY, MER_ID, "11", true, true, NULL },
        { GATEWAY, "MER00000000000A", NULL, true, false, NULL },
        { GATEWAY, MER_ID, "01", false, true, "sign_method: found 01 without" },
        { GATEWAY, MER_ID, "11", true, false, "sign_method: found 11 or 12" },
        { GATEWAY, MER_ID, "02", true, false, "sign_method: found another" },
        { GATEWAY, "77729005811004", NULL, true, false, "mer_id: found" },
        { GATEWAY, "7772900581100480", NULL, true, false, "mer_id: found" },
        { GATEWAY, "77729005811004/", NULL, true, false, "mer_id: found" },
        { GATEWAY, NULL, NULL, true, false, "mer_id: found" },
        { "http://bank.example/", MER_ID, NULL, true, false,
          "gateway_url: found" },
        { GATEWAY, MER_ID, NULL, false, false, "sign_cert" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[UNION_GATEWAY_URL] = ph_str_z(rows[i].gateway);
        account.values[UNION_MER_ID]      = ph_str_z(rows[i].mer_id);
        account.values[UNION_SIGN_METHOD] = ph_str_z(rows[i].method);
        if (!rows[i].has_key) {
            account.values[UNION_SIGN_KEY] = ph_str_make(NULL, 0);
        }
        if (rows[i].has_secret) {
            account.values[UNION_SECURE_KEY] = PH_STR(SECRET);
        }
        const char *why = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

/* A key, certificate or file that does not fit is named. */
static void
test_account_keys(void **state)
{
    struct ph_str evil = kept_file(KEYS "evil.cer");
    const struct {
        enum union_field at;
        struct ph_str    value;
        const char      *why;
    } rows[] = {
        { UNION_SIGN_KEY, kept_file(KEYS "merchant_pkcs1.pem"), NULL },
        { UNION_SIGN_KEY, kept_file(KEYS "evil_pkcs8.pem"),
          "sign_key: found the key of another certificate" },
        { UNION_SIGN_KEY, kept_file(KEYS "merchant_public.pem"),
          "sign_key: found no private key" },
        { UNION_SIGN_CERT, PH_STR("none"), "sign_cert: found no certificate" },
        { UNION_SIGN_CERT, kept_file(KEYS "acpsign.cer"),
          "sign_key: found the key of another certificate" },
        { UNION_ROOT_CERT, PH_STR("none"), "root_cert: found no certificate" },
        { UNION_ROOT_CERT, evil, "middle_cert: found none" },
        { UNION_MIDDLE_CERT, PH_STR("none"), "middle_cert: found no cert" },
        { UNION_MIDDLE_CERT, evil, "middle_cert: found none" },
        { UNION_REVOKE, PH_STR("yes"), NULL },
        { UNION_REVOKE, PH_STR("maybe"), "revoke: found" },
        { UNION_BACK_URL, PH_STR("ftp://x/"), "back_url: found" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[rows[i].at] = rows[i].value;
        const char *why            = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

static void
test_account_pfx(void **state)
{
    struct ph_str aes = kept_b64(KEYS "merchant_aes.pfx");
    struct ph_str old = kept_b64(KEYS "merchant.pfx");
    const struct {
        struct ph_str pfx;
        const char   *password;
        const char   *why;
    } rows[] = {
        { aes, "000000", NULL },
        { old, "000000", NULL },
        { aes, "111111", "pfx_password: found another password" },
        { old, "111111", "pfx_password: found another password" },
        { aes, NULL, "sign_cert" },
        { PH_STR("AAAA"), "000000", "pfx: found no PKCS #12 file" },
        { PH_STR("?"), "000000", "pfx: found" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[UNION_SIGN_KEY]     = ph_str_make(NULL, 0);
        account.values[UNION_SIGN_CERT]    = ph_str_make(NULL, 0);
        account.values[UNION_PFX]          = rows[i].pfx;
        account.values[UNION_PFX_PASSWORD] = ph_str_z(rows[i].password);
        const char *why                    = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

/* Certificates out of date are told when the account is opened. */
static void
test_account_dates(void **state)
{
    static const uint64_t early_ms = UINT64_C(1795400508000);
    static const uint64_t late_ms  = 2110760509

    struct ph_channel_account account = pem_account();
    const char               *why     = NULL;

    (void) state;
    assert_false(
        ph_channel_account_open(&account, NULL, early_ms, &arena, &why));
    assert_non_null(strstr(why, "middle_cert: found none"));
    assert_true(ph_channel_account_open(&account, NULL, late_ms, &arena, &why));
    ph_channel_account_close(&account);
    assert_false(ph_channel_account_open(&account, NULL, late_ms + 1000,
                                         &arena, &why));
}

/* --- requests ------------------------------------------------------------- */

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
        "name=\\\"riskRateInfo\\\" value=\\\"{commodityName=\xe6\x9d\xaf  "
        "cox1}\\\"",
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

/* --- codes ---------------------------------------------------------------- */

/* an answer to `op` with `code`, by the shared key */
static struct ph_channel_result
judged(enum ph_channel_op op, const char *code, const char *orig_code,
       uint64_t now_ms)
{
    bool is_back = op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
    struct ph_channel_order order = usual;
    struct ph_channel_call  call  = call_of(&by_secret, op, &order);
    struct ph_channel_reply reply = { .status = 200 };
    struct ph_channel_out   out   = { 0 };

    told_count = 0;
    tell("version", "5.1.0");
    tell("encoding", "UTF-8");
    tell("signMethod", "11");
    tell("merId", MER_ID);
    tell("txnType", op == PH_OP_CREATE   ? "01"
                    : op == PH_OP_REFUND ? "04"
                                         : "00");
    tell("orderId", is_back ? REFUND : ATTEMPT);
    tell("queryId", QUERY_ID);
    tell("txnAmt", is_back ? "500" : "1000");
    tell("settleAmt", is_back ? "500" : "1000");
    tell("settleCurrencyCode", "156");
    tell("currencyCode", "156");
    tell("tn", "201612");
    tell("respCode", code);
    tell("respMsg", "m");
    if (orig_code != NULL) {
        tell("origRespCode", orig_code);
        tell("origRespMsg", "om");
    }
    told_hash(EVP_sha256());
    reply.body  = told_answer();
    call.now_ms = now_ms;
    assert_int_equal(channel->step(&call, &reply, &out), PH_STEP_DONE);
    return out.result;
}

struct want {
    const char          *code;
    enum ph_result_class create, query, refund, refund_query;
};

#define U PH_RESULT_UNKNOWN
#define F PH_RESULT_FAILED
#define N PH_RESULT_NOT_SENT
#define X PH_RESULT_NOT_FOUND
#define W PH_RESULT_WAIT_USER
#define S PH_RESULT_SUCCEEDED

/* by the channel's own list; any other code: UNKNOWN for all of them */
static const struct want wants[] = {
    { "10", N, U, F, U }, { "11", N, U, F, U }, { "13", N, U, F, U },
    { "31", N, U, F, U }, { "32", N, U, F, U }, { "34", U, X, U, X },
    { "35", U, U, F, U }, { "36", U, U, F, U }, { "39", N, U, F, U },
};

/* 00 to 99, A0 to A9, and what no table has */
static const char *
code_at(size_t i, char text[8])
{
    static const char *const odd[]
        = { "", "0", "000", "1", "0A", "A66", "PR05", " 00", "00 ", "zz" };

    if (i < 100) {
        (void) snprintf(text, 8, "%02zu", i);
        return text;
    }
    if (i < 110) {
        (void) snprintf(text, 8, "A%zu", i - 100);
        return text;
    }
    return i - 110 < PH_COUNT(odd) ? odd[i - 110] : NULL;
}

static enum ph_result_class
want_of(const char *code, enum ph_channel_op op)
{
    for (size_t i = 0; i < PH_COUNT(wants); i++) {
        if (strcmp(wants[i].code, code) == 0) {
            return op == PH_OP_CREATE   ? wants[i].create
                   : op == PH_OP_QUERY  ? wants[i].query
                   : op == PH_OP_REFUND ? wants[i].refund
                                        : wants[i].refund_query;
        }
    }
    return strcmp(code, "00") != 0 ? U
           : op == PH_OP_CREATE    ? W
           : op == PH_OP_REFUND    ? W
                                   : S; /* origRespCode 00 */
}

static void
test_codes_by_operation(void **state)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_REFUND, PH_OP_REFUND_QUERY };
    char        text[8];
    const char *code;

    (void) state;
    for (size_t o = 0; o < PH_COUNT(ops); o++) {
        for (size_t i = 0; (code = code_at(i, text)) != NULL; i++) {
            struct ph_channel_result result
                = judged(ops[o], code, "00", NOW_MS);

            if (result.class != want_of(code, ops[o])) {
                fail_msg("op %d code \"%s\": got %d, want %d", (int) ops[o],
                         code, (int) result.class, (int) want_of(code, ops[o]));
            }
            /* what is unclear says why */
            assert_true(result.class == W || result.class == S
                        || ph_error_class_is_known(result.error_class));
        }
    }
}

/* by the list of codes of trades: what they prove once nobody can pay, and of
 * refunds; before that a payer may still try another card */
static enum ph_result_class
orig_want(const char *code, bool is_refund, bool is_over)
{
    static const char pay[]
        = " 01 10 11 13 30 31 32 33 35 36 38 39 40 43 60 61 62 63 64 65 66 67"
          " 68 69 71 72 73 76 77 78 ";
    static const char back[] = " 01 10 11 13 31 32 33 35 36 39 ";
    char              padded[16];

    if (strcmp(code, "00") == 0 || strcmp(code, "A6") == 0) {
        return S;
    }
    (void) snprintf(padded, sizeof(padded), " %s ", code);
    if (strlen(code) != 2 || strstr(pay, padded) == NULL) {
        return U;
    }
    if (is_refund) {
        return strstr(back, padded) != NULL ? F : U;
    }
    return is_over ? F : W;
}

static void
test_codes_of_trades(void **state)
{
    static const struct {
        enum ph_channel_op op;
        uint64_t           now_ms;
        bool               is_over;
    } rows[] = {
        { PH_OP_QUERY, TRADE_MS + 60000, false },
        { PH_OP_QUERY, TIMEOUT_MS, false },
        { PH_OP_QUERY, TIMEOUT_MS + 300000, false },
        { PH_OP_QUERY, TIMEOUT_MS + 300001, true },
        { PH_OP_QUERY, NOW_MS, true },
        { PH_OP_REFUND_QUERY, TRADE_MS + 60000, false },
    };
    char        text[8];
    const char *code;

    (void) state;
    for (size_t r = 0; r < PH_COUNT(rows); r++) {
        for (size_t i = 0; (code = code_at(i, text)) != NULL; i++) {
            enum ph_result_class want = orig_want(
                code, rows[r].op == PH_OP_REFUND_QUERY, rows[r].is_over);
            struct ph_channel_result result
                = judged(rows[r].op, "00", code, rows[r].now_ms);

            if (result.class != want) {
                fail_msg("row %zu code \"%s\": got %d, want %d", r, code,
                         (int) result.class, (int) want);
            }
            t_same(result.channel_code, ph_str_z(code));
        }
    }
}

static void
test_tables(void **state)
{
    size_t                   at = 0;
    const struct union_orig *row, *before = NULL;

    (void) state;
    assert_int_equal(ph_codes_check(channel, &at), PH_CODES_OK);
    for (size_t i = 0; (row = union_orig_at(i)) != NULL; i++) {
        assert_true(before == NULL || ph_str_cmp(before->code, row->code) < 0);
        assert_true(ph_error_class_is_known(row->error_class));
        assert_true(row->is_refusal || !row->of_refunds);
        assert_ptr_equal(union_orig_find(row->code), row);
        before = row;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_account_keys),
        cmocka_unit_test(test_account_pfx),
        cmocka_unit_test(test_account_dates),
        cmocka_unit_test(test_app_request),
        cmocka_unit_test(test_app_subject),
        cmocka_unit_test(test_query_requests),
        cmocka_unit_test(test_refund_requests),
        cmocka_unit_test(test_web_form),
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_a_full_arena),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_codes_by_operation),
        cmocka_unit_test(test_codes_of_trades),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests_name("channel_unionpay", tests, set_up,
                                       tear_down);
}

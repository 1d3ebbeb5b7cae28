/*
 * test_channel_unionpay_codes.c - what every code of UnionPay proves for every
 * operation, and every code of a trade that was asked about.
 */
#include "t/unit/channel_unionpay_told.h"

#include "channels/codes.h"

static const struct ph_channel *const channel = &ph_channel_unionpay;

static struct ph_channel_account by_secret; /* 11 */

static struct ph_channel_order order = { .expires_at_ms = TIMEOUT_MS };

static int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    by_secret = secret_account(NULL);
    account_open(&by_secret);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    ph_channel_account_close(&by_secret);
    ph_digest_deinit();
    return 0;
}

/* an answer to `op` with `code`, by the shared key */
static const char *tn = "201612"; /* NULL = not told */

static struct ph_channel_result
judged(enum ph_channel_op op, const char *code, const char *orig_code,
       uint64_t now_ms)
{
    bool is_back = op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
    struct ph_channel_call  call  = { .op      = op,
                                      .account = &by_secret,
                                      .order   = &order,
                                      .arena   = &arena,
                                      .now_ms  = now_ms };
    struct ph_channel_reply reply = { .status = 200 };
    struct ph_channel_out   out   = { 0 };

    ph_arena_reset(&arena);
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
    tell("tn", tn);
    tell("respCode", code);
    tell("respMsg", "m");
    if (orig_code != NULL) {
        tell("origRespCode", orig_code);
        tell("origRespMsg", "om");
    }
    told_hash(EVP_sha256());
    reply.body = told_answer();
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
    if (is_refund && strcmp(code, "05") == 0) {
        return W; /* taken on, not done */
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

/* A payer may be at it until payTimeout, and the answer to him is a moment
 * late: "no such trade" proves nothing just then. */
static void
test_nothing_there(void **state)
{
    static const struct {
        enum ph_channel_op   op;
        uint64_t             now_ms;
        enum ph_result_class want;
    } rows[] = {
        { PH_OP_QUERY, TRADE_MS + 60000, X },
        { PH_OP_QUERY, TIMEOUT_MS, X },
        { PH_OP_QUERY, TIMEOUT_MS + 1, U },
        { PH_OP_QUERY, TIMEOUT_MS + 300000, U },
        { PH_OP_QUERY, TIMEOUT_MS + 300001, X },
        { PH_OP_REFUND_QUERY, TIMEOUT_MS + 1, X },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_result result
            = judged(rows[i].op, "34", NULL, rows[i].now_ms);

        assert_int_equal(result.class, rows[i].want);
        t_same(result.error_class,
               rows[i].want == U ? PH_STR("in_progress") : PH_STR("not_found"));
    }
    order.expires_at_ms             = 0;
    struct ph_channel_result result = judged(PH_OP_QUERY, "34", NULL, NOW_MS);
    order.expires_at_ms             = TIMEOUT_MS;
    assert_int_equal(result.class, X);
}

/* Accepted without the number that the phone needs: nothing can be shown. */
static void
test_app_number(void **state)
{
    struct ph_channel_result result = judged(PH_OP_CREATE, "00", NULL, NOW_MS);

    (void) state;
    assert_int_equal(result.class, W);
    assert_int_equal(result.action, PH_ACTION_APP);
    t_same(result.action_data, PH_STR("\"201612\""));
    tn     = NULL;
    result = judged(PH_OP_CREATE, "00", NULL, NOW_MS);
    tn     = "201612";
    assert_int_equal(result.class, U);
    assert_int_equal(result.action, PH_ACTION_NONE);
    t_same(result.error_class, PH_STR("unreadable"));
}

/* Without an end a payer may try for ever: a refused card fails nothing. */
static void
test_no_end(void **state)
{
    (void) state;
    order.expires_at_ms             = 0;
    struct ph_channel_result result = judged(PH_OP_QUERY, "00", "01", NOW_MS);
    order.expires_at_ms             = TIMEOUT_MS;
    assert_int_equal(result.class, W);
}

/* At every size of the arena: the number whole, or nothing is known. */
static void
test_app_number_full(void **state)
{
    bool was_whole = false;

    (void) state;
    (void) judged(PH_OP_CREATE, "00", NULL, NOW_MS);
    for (size_t size = 0; size < 8192; size += 8) {
        struct ph_arena         small;
        struct ph_channel_call  call = { .op      = PH_OP_CREATE,
                                         .account = &by_secret,
                                         .order   = &order,
                                         .arena   = &small,
                                         .now_ms  = NOW_MS };
        struct ph_channel_reply reply
            = { .status = 200, .body = told_answer() };
        struct ph_channel_out out = { 0 };

        ph_arena_init(&small, memory, size);
        assert_int_equal(channel->step(&call, &reply, &out), PH_STEP_DONE);
        if (out.result.class == W) {
            t_same(out.result.action_data, PH_STR("\"201612\""));
            was_whole = true;
        } else {
            assert_int_equal(out.result.class, U);
            assert_int_equal(out.result.action, PH_ACTION_NONE);
        }
    }
    assert_true(was_whole);
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
        cmocka_unit_test(test_codes_by_operation),
        cmocka_unit_test(test_codes_of_trades),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_app_number),
        cmocka_unit_test(test_app_number_full),
        cmocka_unit_test(test_no_end),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests_name("channel_unionpay_codes", tests, set_up,
                                       tear_down);
}

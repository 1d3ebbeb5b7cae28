/*
 * test_channel_unionpay_told.c - messages that cannot be read, are about
 * something else, or are genuine and odd.
 */
#include "t/unit/channel_unionpay_messages.h"

/* --- what cannot be read -------------------------------------------------- */

static void
test_unreadable_answers(void **state)
{
    static char big[PH_CHANNEL_REPLY_MAX];
    static char many[4096];
    static const struct {
        const char *body;
        size_t      len; /* 0 = strlen */
        const char *error_class;
    } rows[] = {
        { "", 0, "unreadable" },
        { "ok", 0, "unreadable" },
        { "<html><body class=\"x\">503</body></html>", 0, "unreadable" },
        { "{\"respCode\":\"00\"}", 0, "unreadable" },
        { "=1", 0, "unreadable" },
        { "a=1&=2", 0, "unreadable" },
        { "a=1&a=2", 0, "unreadable" },
        { "a=1&", 0, "unreadable" },
        { "&a=1", 0, "unreadable" },
        { "a=1&&b=2", 0, "unreadable" },
        { "a=1\0&b=2", 9, "unreadable" },
        { "\xef\xbb\xbfrespCode=00", 0, "unreadable" },
        { "a b=1", 0, "unreadable" },
        { "a={1&b=2", 0, "unreadable" },
        { "a=[[1]&b=2", 0, "unreadable" },
        { "a={{1}&b=2}", 0, "signature" },
        { "a={1&b=2}&c=3", 0, "signature" },
        { "respCode=00&origRespCode=00", 0, "signature" },
        { "a=", 0, "signature" },
    };
    struct ph_channel_result result;
    size_t                   len = 0;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        size_t body_len = rows[i].len != 0 ? rows[i].len : strlen(rows[i].body);

        ph_arena_reset(&arena);
        result = answered(&account, ph_str_make(rows[i].body, body_len), 200);
        assert_int_equal(result.class, PH_RESULT_UNKNOWN);
        if (!ph_str_eq(result.error_class, ph_str_z(rows[i].error_class))) {
            fail_msg("row %zu: %.*s", i, (int) result.error_class.len,
                     result.error_class.ptr);
        }
    }
    memset(big, 'a', sizeof(big));
    big[1] = '=';
    result = answered(&account, ph_str_make(big, sizeof(big)), 200);
    assert_int_equal(result.class, PH_RESULT_UNKNOWN);
    t_same(result.error_class, PH_STR("unreadable"));
    memset(big, '{', sizeof(big)); /* deep */
    big[0] = 'a';
    big[1] = '=';
    result = answered(&account, ph_str_make(big, UNION_BODY_MAX), 200);
    t_same(result.error_class, PH_STR("unreadable"));
    for (size_t i = 0; i <= UNION_PAIRS_MAX; i++) {
        len += (size_t) snprintf(many + len, sizeof(many) - len, "%sn%zu=1",
                                 i == 0 ? "" : "&", i);
    }
    result = answered(&account, ph_str_make(many, len), 200);
    t_same(result.error_class, PH_STR("unreadable"));
}

/* Every length of a genuine answer but the whole proves nothing. */
static void
test_cut_answers(void **state)
{
    (void) state;
    paid("00");
    told_sign(KEYS "acpsign_pkcs8.pem");
    struct ph_str body = told_answer();

    for (size_t len = 0; len < body.len; len += 3) {
        ph_arena_reset(&arena);
        assert_int_equal(
            answered(&account, ph_str_make(body.ptr, len), 200).class,
            PH_RESULT_UNKNOWN);
    }
}

static void
test_statuses(void **state)
{
    static const struct {
        unsigned    status;
        const char *body; /* NULL = genuine */
        const char *error_class;
    } rows[] = {
        { 500, NULL, "channel_error" },     { 503, "busy", "channel_error" },
        { 403, "<html></html>", "config" }, { 404, "a=1", "config" },
        { 302, "", "unreadable" },          { 200, "a=1", "signature" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        paid("00");
        told_sign(KEYS "acpsign_pkcs8.pem");
        ph_arena_reset(&arena);
        struct ph_channel_result result = answered(
            &account,
            rows[i].body == NULL ? told_answer() : ph_str_z(rows[i].body),
            rows[i].status);
        assert_int_equal(result.class, PH_RESULT_UNKNOWN);
        t_same(result.error_class, ph_str_z(rows[i].error_class));
    }
}

/* --- genuine, and odd ----------------------------------------------------- */

/* Signed by UnionPay, so only what they say is judged. */
static void
test_odd_values(void **state)
{
    static const struct {
        const char          *name;
        const char          *value; /* NULL = absent */
        enum ph_result_class want;
        const char          *error_class;
        int64_t              amount;
        bool                 is_noticed;
    } rows[] = {
        { "txnAmt", "1", PH_RESULT_SUCCEEDED, "", 1, true },
        { "txnAmt", "999999999999", PH_RESULT_SUCCEEDED, "", 999999999999,
          true },
        { "txnAmt", NULL, PH_RESULT_SUCCEEDED, "", -1, true },
        { "txnAmt", "", PH_RESULT_SUCCEEDED, "", -1, true },
        { "txnAmt", "1000000000000", PH_RESULT_UNKNOWN, "unreadable", -1,
          false },
        { "txnAmt", "10000000000000000", PH_RESULT_UNKNOWN, "unreadable", -1,
          false },
        { "txnAmt", "-1", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "txnAmt", "10.00", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "txnAmt", "1e3", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "txnAmt", " 1000", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "txnAmt", "01000", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "txnAmt", "0x10", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "settleAmt", "x", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "encoding", "GBK", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "respMsg", "\xff\xfe", PH_RESULT_UNKNOWN, "unreadable", -1, false },
        { "orderId", NULL, PH_RESULT_UNKNOWN, "no_number", 1000, false },
        { "merId", NULL, PH_RESULT_UNKNOWN, "no_number", 1000, false },
        { "respCode", NULL, PH_RESULT_UNKNOWN, "unknown_code", 1000, false },
        { "txnType", NULL, PH_RESULT_UNKNOWN, "unreadable", 1000, false },
        { "queryId", NULL, PH_RESULT_SUCCEEDED, "", 1000, true },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_notice_out out;

        paid("00");
        tell(rows[i].name, rows[i].value);
        told_sign(KEYS "acpsign_pkcs8.pem");
        ph_arena_reset(&arena);
        struct ph_channel_result result
            = answered(&account, told_answer(), 200);
        if (result.class != rows[i].want || result.amount != rows[i].amount) {
            fail_msg("row %zu: class %d", i, (int) result.class);
        }
        t_same(result.error_class, ph_str_z(rows[i].error_class));

        paid("01");
        tell(rows[i].name, rows[i].value);
        told_sign(KEYS "acpsign_pkcs8.pem");
        enum ph_rc rc = noticed(&account, told_form(), NULL, &out);
        if ((rc == PH_OK) != rows[i].is_noticed) {
            fail_msg("row %zu: notice %d", i, (int) rc);
        }
    }
}

/* Another order, merchant or currency is told as it came: the core compares. */
static void
test_echoes(void **state)
{
    (void) state;
    paid("00");
    tell("orderId", "A9999999999999999999999999Z");
    tell("merId", "777290058110099");
    tell("currencyCode", "840");
    told_sign(KEYS "acpsign_pkcs8.pem");
    ph_arena_reset(&arena);
    struct ph_channel_result result = answered(&account, told_answer(), 200);
    assert_int_equal(result.class, PH_RESULT_SUCCEEDED);
    t_same(result.number, PH_STR("A9999999999999999999999999Z"));
    t_same(result.seller, PH_STR("777290058110099"));
    t_same(result.currency, PH_STR("840"));
}

/* UnionPay signs for every merchant alike: whoever is one could have a notice
 * about a number of ours sent to our address. */
static void
test_notice_of_another_merchant(void **state)
{
    struct ph_channel_notice_out out;

    (void) state;
    paid("00");
    tell("merId", "777290058110099");
    told_sign(KEYS "acpsign_pkcs8.pem");
    ph_arena_reset(&arena);
    assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_E_RANGE);
    tell("merId", MER_ID);
    told_sign(KEYS "acpsign_pkcs8.pem");
    ph_arena_reset(&arena);
    assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_OK);
}

/* The answer to another kind of request is none to this one. */
static void
test_other_answers(void **state)
{
    static const char *const types[] = { "01", "02", "04", "31", "76", "zz" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(types); i++) {
        paid(types[i]);
        tell("origRespCode", "00");
        told_sign(KEYS "acpsign_pkcs8.pem");
        ph_arena_reset(&arena);
        struct ph_channel_result result
            = answered(&account, told_answer(), 200);
        assert_int_equal(result.class, PH_RESULT_UNKNOWN);
        t_same(result.error_class, PH_STR("unreadable"));
    }
}

/* "Success with a defect": only when the whole amount is settled in yuan. */
static void
test_defects(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        bool        is_paid;
    } rows[] = {
        { "reserved", "x", true },
        { "settleAmt", "999", false },
        { "settleAmt", NULL, false },
        { "settleAmt", "1001", false },
        { "txnAmt", NULL, false },
        { "settleCurrencyCode", "840", false },
        { "settleCurrencyCode", NULL, false },
        { "currencyCode", "840", false },
        { "currencyCode", NULL, true },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_notice_out out;

        paid("00");
        tell("origRespCode", "A6");
        tell(rows[i].name, rows[i].value);
        told_sign(KEYS "acpsign_pkcs8.pem");
        ph_arena_reset(&arena);
        struct ph_channel_result result
            = answered(&account, told_answer(), 200);
        assert_int_equal(result.class, rows[i].is_paid ? PH_RESULT_SUCCEEDED
                                                       : PH_RESULT_UNKNOWN);
        paid("01");
        tell("respCode", "A6");
        tell(rows[i].name, rows[i].value);
        told_sign(KEYS "acpsign_pkcs8.pem");
        assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_OK);
        assert_int_equal(out.parts[0].result.class, rows[i].is_paid
                                                        ? PH_RESULT_SUCCEEDED
                                                        : PH_RESULT_WAIT_USER);
        assert_int_equal(out.parts[0].result.is_hint, !rows[i].is_paid);
    }
}

/* --- notices -------------------------------------------------------------- */

static void
test_kinds_of_notices(void **state)
{
    static const struct {
        const char *type;
        const char *code;
        const char *order_id;
        bool        is_ignored, is_refund, is_hint;
        enum ph_result_class class;
        const char *id;
    } rows[] = {
        { "01", "00", ATTEMPT, false, false, false, PH_RESULT_SUCCEEDED,
          "01-" QUERY_ID "-00" },
        { "04", "00", REFUND, false, true, false, PH_RESULT_SUCCEEDED,
          "04-" QUERY_ID "-00" },
        { "31", "00", REFUND, false, true, false, PH_RESULT_SUCCEEDED,
          "31-" QUERY_ID "-00" },
        { "04", "00", "CONSOLE1", false, true, false, PH_RESULT_SUCCEEDED,
          "04-" QUERY_ID "-00" },
        { "01", "01", ATTEMPT, false, false, true, PH_RESULT_WAIT_USER,
          "01-" QUERY_ID "-01" },
        { "04", "05", REFUND, false, true, true, PH_RESULT_WAIT_USER,
          "04-" QUERY_ID "-05" },
        { "01", "??", ATTEMPT, false, false, true, PH_RESULT_WAIT_USER,
          "01-" QUERY_ID "-??" },
        { "02", "00", ATTEMPT, true, false, false, PH_RESULT_UNKNOWN,
          "02-" QUERY_ID "-00" },
        { "99", "00", ATTEMPT, true, false, false, PH_RESULT_UNKNOWN,
          "99-" QUERY_ID "-00" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_notice_out         out;
        const struct ph_channel_notice_part *part = &out.parts[0];

        paid("01");
        tell("txnType", rows[i].type);
        tell("respCode", rows[i].code);
        tell("orderId", rows[i].order_id);
        tell("origQryId", "822600000000000000001");
        told_sign(KEYS "acpsign_pkcs8.pem");
        assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_OK);
        assert_int_equal(out.is_ignored, rows[i].is_ignored);
        t_same(out.id, ph_str_z(rows[i].id));
        t_same(out.ack_body, PH_STR("ok"));
        assert_int_equal(out.part_count, rows[i].is_ignored ? 0 : 1);
        if (rows[i].is_ignored) {
            continue;
        }
        assert_int_equal(part->is_refund, rows[i].is_refund);
        assert_int_equal(part->result.class, rows[i].class);
        assert_int_equal(part->result.is_hint, rows[i].is_hint);
        assert_int_equal(part->result.refunded_total, -1);
        t_same(part->result.number, ph_str_z(rows[i].order_id));
        t_same(part->order_trade_no, rows[i].is_refund
                                         ? PH_STR("822600000000000000001")
                                         : ph_str_make(NULL, 0));
    }
}

/* Parameters of the address are none of the message's. */
static void
test_notice_address(void **state)
{
    static const struct {
        const char *query;
        enum ph_rc  want;
    } rows[] = {
        { NULL, PH_OK },
        { "", PH_OK },
        { "shop=7", PH_OK },
        { "shop=7&other=%41", PH_OK },
        { "txnAmt=1", PH_E_SIGNATURE },
        { "signature=x", PH_E_MISSING },
        { "%zz", PH_E_SYNTAX },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_notice_out out;

        paid("01");
        told_sign(KEYS "acpsign_pkcs8.pem");
        tell("shop", "7"); /* unsigned: as they come mixed by some servers */
        if (rows[i].query == NULL || rows[i].query[0] == '\0'
            || rows[i].want != PH_OK) {
            tell("shop", NULL);
        }
        assert_int_equal(noticed(&account, told_form(), rows[i].query, &out),
                         rows[i].want);
    }
}

static void
test_unreadable_notices(void **state)
{
    static char              big[UNION_BODY_MAX + 1];
    static const char *const rows[] = {
        "",
        "x",
        "<html></html>",
        "{\"respCode\":\"00\"}",
        "a=1&a=2",
        "a=%",
        "a=%00",
        "a=1&&b=2",
        "%61%3D=1",   /* a name with = */
        "a%26b=1",    /* and with & */
        "a=1%26b=2",  /* a value that could be two pairs */
        "a=x{1%26b}", /* brackets count only at its begin */
        "a={1}%26b=2",
        "a={1%26b=2",
    };
    struct ph_channel_notice_out out;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_rc rc = noticed(&account, ph_str_z(rows[i]), NULL, &out);

        if (rc == PH_OK) {
            fail_msg("row %zu was taken", i);
        }
    }
    memset(big, 'a', sizeof(big));
    assert_int_equal(
        noticed(&account, ph_str_make(big, sizeof(big)), NULL, &out),
        PH_E_RANGE);
}

/*
 * What was signed as one value may not be told as two, nor the other way: the
 * text that is signed is the same, its meaning is not.
 */
static void
test_one_reading(void **state)
{
    struct ph_channel_notice_out out;

    (void) state;
    paid("01");
    tell("respCode", "01");
    told_sign(KEYS "acpsign_pkcs8.pem");
    /* the code is hidden in the value before it */
    tell("respCode", NULL);
    tell("queryId", QUERY_ID "&respCode=01");
    assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_E_SYNTAX);

    /* a nested value is one, with its & */
    paid("01");
    tell("reserved", "{a=1&b={c=2&d=3}}");
    told_sign(KEYS "acpsign_pkcs8.pem");
    assert_int_equal(noticed(&account, told_form(), NULL, &out), PH_OK);
}

/* A small arena never makes half a proof. */
static void
test_full_arenas(void **state)
{
    bool was_whole = false;

    (void) state;
    paid("00");
    told_sign(KEYS "acpsign_pkcs8.pem");
    for (size_t size = 0; size < 16384; size += 64) {
        ph_arena_init(&arena, memory, size);
        struct ph_channel_result result
            = answered(&account, told_answer(), 200);

        assert_true(result.class == PH_RESULT_SUCCEEDED
                        ? result.number.len == strlen(ATTEMPT)
                              && result.amount == 1000
                        : result.class == PH_RESULT_UNKNOWN && !was_whole);
        was_whole = was_whole || result.class == PH_RESULT_SUCCEEDED;
    }
    assert_true(was_whole);
    ph_arena_init(&arena, memory, sizeof(memory));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unreadable_answers),
        cmocka_unit_test(test_cut_answers),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_echoes),
        cmocka_unit_test(test_notice_of_another_merchant),
        cmocka_unit_test(test_other_answers),
        cmocka_unit_test(test_defects),
        cmocka_unit_test(test_kinds_of_notices),
        cmocka_unit_test(test_notice_address),
        cmocka_unit_test(test_unreadable_notices),
        cmocka_unit_test(test_one_reading),
        cmocka_unit_test(test_full_arenas),
    };

    return cmocka_run_group_tests_name("channel_unionpay_told", tests, set_up,
                                       tear_down);
}

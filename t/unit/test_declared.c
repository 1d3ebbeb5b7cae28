/*
 * test_declared.c - a declared channel's answers and notices beyond what its
 * tapes hold: hostile ones, unsigned ones, codes, keys that change.
 */
#include "t/unit/declared_bank.h"

#include "channels/codes.h"
#include "channels/declarative/declared_int.h"

/* ---- the table ---- */

static void
the_table_is_whole(void **unused)
{
    struct declared_case     c;
    const struct ph_channel *channel;
    size_t                   at = 0;

    (void) unused;
    bank_open(&c);
    channel = ph_declared_channel(c.file);
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(*channel));
    assert_string_equal(channel->name, "amberbank");
    assert_string_equal(channel->methods[0], "amberbank_qr");
    assert_string_equal(channel->methods[1], "amberbank_bar");
    assert_null(channel->methods[2]);
    assert_int_equal(channel->caps, PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND
                                        | PH_CAP_NOTICE | PH_CAP_REPEAT);
    assert_int_equal(ph_codes_check(channel, &at), PH_CODES_OK);
    assert_int_equal(channel->code_count, 3);
    assert_int_equal(channel->field_count, 3);
    assert_true(channel->fields[2].secret);
    assert_false(channel->fields[1].secret);
    assert_int_equal(channel->extra_count, 1);
    assert_string_equal(channel->extra[0].key, "auth_code");
    assert_string_equal(channel->extra[0].methods, "amberbank_bar");
    assert_true(channel->extra[0].is_required);
    t_same(ph_declared_title(c.file, "en"), PH_STR("Amber Bank"));
    assert_null(channel->order_check(&c.account, &c.order));
    c.order.currency = PH_STR("JPY");
    assert_non_null(channel->order_check(&c.account, &c.order));
    struct ph_channel_expected expected;
    channel->expected(&c.account, &c.order, &c.arena, &expected);
    t_same(expected.seller, PH_STR("shop-7"));
    t_same(expected.app, PH_STR(""));
    case_close(&c);
}

static void
what_it_has_not_it_does_not_do(void **unused)
{
    struct declared_case c;

    (void) unused;
    bank_open(&c);
    assert_int_equal(op_step(&c, PH_OP_REVERSE, NULL), PH_STEP_ERROR);
    assert_int_equal(op_step(&c, PH_OP_ACCOUNT_REFRESH, NULL), PH_STEP_ERROR);
    case_close(&c);
}

/* ---- hostile answers ---- */

struct hostile {
    const char *about;
    const char *text;
    bool        is_signed;
    unsigned    status;
    enum ph_result_class class;
    const char *error_class;
};

/* clang-format off */
static const struct hostile hostiles[] = {
    { "paid", TOLD(",\"state\":\"PAID\""), true, 200, PH_RESULT_SUCCEEDED, "" },
    { "empty", "", false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "HTML", "<html></html>", false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "cut", "{\"no\":\"" NUMBER "\",\"sta", false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "byte order mark", "\xef\xbb\xbf{}", false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "a list", "[]", false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "no signature", TOLD(",\"state\":\"PAID\""), false, 200, PH_RESULT_UNKNOWN, "signature" },
    { "a short signature", TOLD(",\"state\":\"PAID\",\"sign\":\"00\""), false, 200,
      PH_RESULT_UNKNOWN, "signature" },
    { "no hex", TOLD(",\"state\":\"PAID\",\"sign\":\"zz\""), false, 200,
      PH_RESULT_UNKNOWN, "signature" },
    { "a signature that is a number", TOLD(",\"state\":\"PAID\",\"sign\":7"), false, 200,
      PH_RESULT_UNKNOWN, "signature" },
    { "a fault of theirs", TOLD(",\"state\":\"PAID\""), true, 503, PH_RESULT_UNKNOWN,
      "channel_error" },
    { "an unsigned fault", "busy", false, 502, PH_RESULT_UNKNOWN, "channel_error" },
    { "an unknown state", TOLD(",\"state\":\"LOST\""), true, 200, PH_RESULT_UNKNOWN,
      "unknown_code" },
    { "a state in small letters", TOLD(",\"state\":\"paid\""), true, 200, PH_RESULT_UNKNOWN,
      "unknown_code" },
    { "no state", TOLD(""), true, 200, PH_RESULT_UNKNOWN, "unknown_code" },
    { "a state that is a list", TOLD(",\"state\":[\"PAID\"]"), false, 200, PH_RESULT_UNKNOWN,
      "signature" },
    { "stale", "{\"at\":1795428929,\"code\":\"0\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\","
      "\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "stale" },
    { "at the edge", "{\"at\":1795428930,\"code\":\"0\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\","
      "\"state\":\"PAID\"}", true, 200, PH_RESULT_SUCCEEDED, "" },
    { "from the future", "{\"at\":1795429531,\"code\":\"0\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\","
      "\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "stale" },
    { "without a time", "{\"code\":\"0\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\"}",
      true, 200, PH_RESULT_UNKNOWN, "signature" },
    { "paid without a number", "{\"at\":1795429230,\"code\":\"0\",\"sum\":\"88.88\",\"state\":\"PAID\"}",
      true, 200, PH_RESULT_UNKNOWN, "no_number" },
    { "closed without a number", "{\"at\":1795429230,\"code\":\"0\",\"state\":\"SHUT\"}",
      true, 200, PH_RESULT_UNKNOWN, "no_number" },
    { "paid without an amount", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "no_number" },
    { "three decimals", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"sum\":\"88.880\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unreadable" },
    { "an exponent", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"sum\":\"8.888e1\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unreadable" },
    { "a minus", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"sum\":\"-88.88\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unreadable" },
    { "a blank", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"sum\":\" 88.88\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unreadable" },
    { "too much", "{\"at\":1795429230,\"code\":\"0\",\"no\":\"" NUMBER
      "\",\"sum\":\"10000000000000.00\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unreadable" },
    { "a code that nobody knows", "{\"at\":1795429230,\"code\":\"7\",\"no\":\"" NUMBER
      "\",\"sum\":\"88.88\",\"state\":\"PAID\"}", true, 200, PH_RESULT_UNKNOWN, "unknown_code" },
    { "a code of a create", "{\"at\":1795429230,\"code\":\"POOR\"}", true, 200, PH_RESULT_UNKNOWN,
      "unknown_code" },
    { "no such order", "{\"at\":1795429230,\"code\":\"NO_SUCH\"}", true, 200, PH_RESULT_NOT_FOUND,
      "not_found" },
};
/* clang-format on */

static void
hostile_answers_prove_nothing(void **unused)
{
    struct declared_case c;

    (void) unused;
    bank_open(&c);
    for (size_t i = 0; i < PH_COUNT(hostiles); i++) {
        const struct hostile *row = &hostiles[i];
        struct ph_str         text
            = row->is_signed ? signed_text(row->text) : ph_str_z(row->text);
        const struct ph_channel_result *result
            = answer(&c, PH_OP_QUERY, row->status, text);

        if (result->class != row->class
            || !ph_str_eq(result->error_class, ph_str_z(row->error_class)))
        {
            fail_msg("%s: class %d, %.*s", row->about, result->class,
                     (int) result->error_class.len, result->error_class.ptr);
        }
        if (result->class == PH_RESULT_UNKNOWN) {
            assert_int_equal(result->action, PH_ACTION_NONE);
        }
    }
    case_close(&c);
}

static struct ph_str
big_text(const char *head, const char *unit, size_t times, const char *tail)
{
    struct ph_buf buf = PH_BUF_INIT(case_body);

    ph_buf_add(&buf, ph_str_z(head));
    for (size_t i = 0; i < times; i++) {
        ph_buf_add(&buf, ph_str_z(unit));
    }
    ph_buf_add(&buf, ph_str_z(tail));
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static void
large_answers_prove_nothing(void **unused)
{
    static const struct {
        const char *head, *unit, *tail;
        size_t      times;
    } rows[] = {
        { "", "{\"a\":", "1", 100 },
        { "", "{\"a\":", "1", 100000 },
        { "{\"a\":", "[", "", 100000 },
        { "{\"a\":[1", ",1", "]}", 50000 },
        { "{\"a\":\"", "xxxxxxxxxx", "\"}", 100000 },
        { "{\"a\":\"", "xxxxxxxxxx", "\"}", 20000 },
        { "{\"sign\":\"", "0000000000", "\"}", 20000 },
    };
    struct declared_case c;

    (void) unused;
    bank_open(&c);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str text
            = big_text(rows[i].head, rows[i].unit, rows[i].times, rows[i].tail);

        assert_int_equal(answer(&c, PH_OP_QUERY, 200, text)->class,
                         PH_RESULT_UNKNOWN);
    }
    case_close(&c);
}

/* whatever room is left, a half result is none */
static void
a_full_arena_proves_nothing(void **unused)
{
    struct declared_case c;
    struct ph_str        text;
    bool                 was_unknown = false, was_paid = false;

    (void) unused;
    bank_open(&c);
    text = signed_text(TOLD(",\"state\":\"PAID\",\"qr\":\"x\""));
    for (size_t size = 0; size < 40000; size += 97) {
        struct ph_channel_reply reply = { .status = 200, .body = text };

        ph_arena_init(&c.arena, case_memory, size);
        assert_int_equal(op_step(&c, PH_OP_QUERY, &reply), PH_STEP_DONE);
        if (c.out.result.class == PH_RESULT_SUCCEEDED) {
            assert_int_equal(c.out.result.amount, 8888);
            t_same(c.out.result.currency, PH_STR("CNY"));
            t_same(c.out.result.seller, PH_STR("shop-7"));
            was_paid = true;
        } else {
            assert_int_equal(c.out.result.class, PH_RESULT_UNKNOWN);
            was_unknown = true;
        }
        ph_arena_init(&c.arena, case_memory, size);
        enum ph_channel_step step = op_step(&c, PH_OP_CREATE, NULL);
        assert_true(
            step == PH_STEP_ERROR
            || (step == PH_STEP_NEED_REQUEST && c.out.request.body.len > 200));
    }
    assert_true(was_unknown && was_paid);
    case_close(&c);
}

/* ---- codes, and answers of one operation ---- */

static void
set_at(json_t *root, const char *one, const char *other, const char *name,
       const char *value)
{
    json_t *at = json_object_get(json_object_get(root, one), other);

    assert_non_null(at);
    (void) json_object_set_new(at, name, json_loads(value, 0, NULL));
}

static void
a_code_judges_what_it_answers(void **unused)
{
    static const struct {
        enum ph_channel_op op;
        const char        *code;
        enum ph_result_class class;
        const char *error_class;
    } rows[] = {
        { PH_OP_CREATE, "SAD", PH_RESULT_FAILED, "declined" },
        { PH_OP_REFUND, "SAD", PH_RESULT_FAILED, "declined" },
        { PH_OP_QUERY, "SAD", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_REFUND_QUERY, "SAD", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_CLOSE, "SAD", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_CREATE, "BUSY", PH_RESULT_NOT_SENT, "rate_limited" },
        { PH_OP_QUERY, "BUSY", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_CREATE, "NONE", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_QUERY, "NONE", PH_RESULT_NOT_FOUND, "not_found" },
        { PH_OP_CLOSE, "OVER", PH_RESULT_CLOSED, "closed" },
        { PH_OP_CREATE, "OVER", PH_RESULT_UNKNOWN, "unknown_code" },
        { PH_OP_QUERY, "LATE", PH_RESULT_UNKNOWN, "in_progress" },
        { PH_OP_CREATE, "LATE", PH_RESULT_UNKNOWN, "in_progress" },
    };
    struct declared_case c;
    json_t              *root = bank_json();

    (void) unused;
    set_at(root, "answer", "error", "map",
           "{\"SAD\":[\"failed\",\"declined\"],"
           "\"BUSY\":[\"not_sent\",\"rate_limited\"],"
           "\"NONE\":[\"not_found\",\"not_found\"],"
           "\"OVER\":[\"closed\",\"closed\"],"
           "\"LATE\":[\"unknown\",\"in_progress\"]}");
    assert_non_null(file_open(&c, root));
    account_open(&c);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char text[128];

        (void) snprintf(text, sizeof(text),
                        "{\"at\":1795429230,\"code\":\"%s\"}", rows[i].code);
        const struct ph_channel_result *result
            = answer(&c, rows[i].op, 200, signed_text(text));

        if (result->class != rows[i].class) {
            fail_msg("row %zu: class %d", i, result->class);
        }
        t_same(result->error_class, ph_str_z(rows[i].error_class));
    }
    case_close(&c);
}

static void
an_operation_s_own_answer_stands_instead(void **unused)
{
    static const struct {
        enum ph_channel_op op;
        const char        *text;
        enum ph_result_class class;
        const char *error_class;
    } rows[] = {
        /* the general answer wants a number; these say that none is told */
        { PH_OP_CLOSE, "{\"at\":1795429230,\"code\":\"0\"}", PH_RESULT_CLOSED,
          "" },
        { PH_OP_QUERY, "{\"at\":1795429230,\"code\":\"0\",\"s\":\"open\"}",
          PH_RESULT_WAIT_USER, "" },
        { PH_OP_QUERY, "{\"at\":1795429230,\"code\":\"0\",\"s\":\"shut\"}",
          PH_RESULT_UNKNOWN, "no_number" },
        { PH_OP_QUERY, "{\"at\":1795429230,\"code\":\"0\",\"s\":\"dead\"}",
          PH_RESULT_UNKNOWN, "no_number" },
        { PH_OP_QUERY,
          "{\"at\":1795429230,\"code\":\"0\",\"s\":\"paid\",\"sum\":\"1\"}",
          PH_RESULT_UNKNOWN, "no_number" },
        { PH_OP_QUERY, "{\"at\":1795429230,\"code\":\"POOR\"}",
          PH_RESULT_FAILED, "declined" },
        { PH_OP_CREATE, "{\"at\":1795429230,\"code\":\"POOR\"}",
          PH_RESULT_FAILED, "insufficient_funds" },
    };
    struct declared_case c;
    json_t              *root = bank_json();

    (void) unused;
    set_at(root, "close", "*", "answer",
           "{\"number\":null,\"status\":{\"from\":\"{in.code}\",\"map\":"
           "{\"0\":\"closed\"}}}");
    set_at(root, "query", "*", "answer",
           "{\"number\":null,\"status\":{\"from\":\"{in.s}\",\"map\":{"
           "\"open\":\"wait_user\",\"shut\":\"closed\",\"dead\":\"failed\","
           "\"paid\":\"succeeded\"}},\"error\":{\"from\":\"{in.code}\","
           "\"map\":{\"POOR\":[\"failed\",\"declined\"]}}}");
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_channel_result *result
            = answer(&c, rows[i].op, 200, signed_text(rows[i].text));

        if (result->class != rows[i].class) {
            fail_msg("row %zu: class %d", i, result->class);
        }
        t_same(result->error_class, ph_str_z(rows[i].error_class));
    }
    case_close(&c);
}

/* ---- unsigned channels ---- */

static void
unsigned_answers_only_wait(void **unused)
{
    static const struct {
        const char *text;
        enum ph_result_class class;
    } rows[] = {
        { TOLD(",\"state\":\"PAID\""), PH_RESULT_UNKNOWN },
        { TOLD(",\"state\":\"DEAD\""), PH_RESULT_UNKNOWN },
        { TOLD(",\"state\":\"SHUT\""), PH_RESULT_UNKNOWN },
        { "{\"code\":\"NO_SUCH\"}", PH_RESULT_UNKNOWN },
        { TOLD(",\"state\":\"OPEN\""), PH_RESULT_WAIT_USER },
    };
    struct declared_case c;
    json_t              *root = bank_json();

    (void) unused;
    (void) json_object_set_new(json_object_get(root, "answer"), "verify",
                               json_string("none: the bank signs nothing"));
    assert_non_null(file_open(&c, root));
    account_open(&c);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(
            answer(&c, PH_OP_QUERY, 200, ph_str_z(rows[i].text))->class,
            rows[i].class);
    }
    case_close(&c);
}

/* ---- keys ---- */

static void
the_key_before_is_tried_next(void **unused)
{
    static const struct {
        struct ph_str key, old;
        enum ph_result_class class;
    } rows[] = {
        { PH_STR_INIT(KEY), PH_STR_INIT(""), PH_RESULT_SUCCEEDED },
        { PH_STR_INIT("the next key"), PH_STR_INIT(KEY), PH_RESULT_SUCCEEDED },
        { PH_STR_INIT("the next key"), PH_STR_INIT(""), PH_RESULT_UNKNOWN },
        { PH_STR_INIT("the next key"), PH_STR_INIT("x"), PH_RESULT_UNKNOWN },
    };
    struct declared_case c;
    json_t              *root = bank_json();
    struct ph_str        text;

    (void) unused;
    (void) json_object_set_new(
        json_object_get(root, "account"), "old_key",
        json_pack("{s:s, s:b}", "kind", "secret", "optional", 1));
    (void) json_object_set_new(
        json_object_get(json_object_get(root, "answer"), "verify"), "old_key",
        json_string("account.old_key"));
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    text = signed_text(TOLD(",\"state\":\"PAID\""));
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        c.account.values[2] = rows[i].key;
        c.account.values[3] = rows[i].old;
        assert_int_equal(answer(&c, PH_OP_QUERY, 200, text)->class,
                         rows[i].class);
    }
    case_close(&c);
}

/* ---- texts that can be cut ---- */

static bool
notice_is_taken(struct declared_case *c, struct ph_str text)
{
    struct ph_channel_notice     in = { .body = text };
    struct ph_channel_notice_out out;

    ph_arena_reset(&c->arena);
    return ph_declared_channel(c->file)->notice(&c->account, &in, NOW_MS,
                                                &c->arena, &out)
           == PH_OK;
}

/*
 * A payer's words come back in a genuine notice about a cheap order:
 *   title = "x&no=OTHER&state=PAID&sum=9.99&zz=1"
 * The same signed text, read in other pieces, would pay another order.
 */
static void
a_signed_text_is_cut_in_one_way(void **unused)
{
    static const char dear[]
        = "{\"at\":\"1795429230\",\"cur\":\"CNY\",\"event\":\"e\","
          "\"info\":\"x\",\"no\":\"OTHER\",\"state\":\"PAID\","
          "\"sum\":\"9.99\","
          "\"zz\":\"1&no=" NUMBER "&state=PAID&sum=0.01\"}";
    static const char cheap[]
        = "{\"at\":\"1795429230\",\"cur\":\"CNY\",\"event\":\"e\","
          "\"info\":\"x&no=OTHER&state=PAID&sum=9.99&zz=1\","
          "\"no\":\"" NUMBER "\",\"state\":\"PAID\",\"sum\":\"0.01\"}";
    static const char harmless[]
        = "{\"at\":\"1795429230\",\"cur\":\"CNY\",\"event\":\"e\","
          "\"info\":\"tea & cups&x=1&number=2&\","
          "\"no\":\"" NUMBER "\",\"state\":\"PAID\",\"sum\":\"0.01\"}";
    static const char name[]
        = "{\"at\":\"1795429230\",\"cur=CNY&x\":\"1\",\"event\":\"e\","
          "\"no\":\"" NUMBER "\",\"state\":\"PAID\",\"sum\":\"0.01\"}";
    static char          sign[80];
    struct declared_case c;
    struct ph_str        text;

    (void) unused;
    bank_open(&c);
    text        = signed_text(cheap);
    json_t *one = json_loadb(text.ptr, text.len, 0, NULL);
    (void) snprintf(sign, sizeof(sign), "%s",
                    json_string_value(json_object_get(one, "sign")));
    json_decref(one);
    text          = signed_text(dear);
    json_t *other = json_loadb(text.ptr, text.len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(other, "sign")),
                        sign); /* one text, two readings */
    json_decref(other);

    assert_false(notice_is_taken(&c, signed_text(dear)));
    assert_false(notice_is_taken(&c, signed_text(cheap)));
    assert_false(notice_is_taken(&c, signed_text(name)));
    assert_true(notice_is_taken(&c, signed_text(harmless)));

    const struct ph_channel *channel = ph_declared_channel(c.file);
    c.order.subject                  = PH_STR("tea & cups&x=1");
    assert_null(channel->order_check(&c.account, &c.order));
    c.order.subject = PH_STR("x&no=1");
    assert_non_null(channel->order_check(&c.account, &c.order));
    case_close(&c);
}

/* ---- notices ---- */

static void
a_strange_notice_is_asked_about(void **unused)
{
    struct declared_case         c;
    struct ph_channel_notice     in = { .body = { NULL, 0 } };
    struct ph_channel_notice_out out;

    (void) unused;
    bank_open(&c);
    in.body = signed_text(TOLD(",\"event\":\"e\",\"state\":\"FROZEN\""));
    assert_int_equal(ph_declared_channel(c.file)->notice(
                         &c.account, &in, NOW_MS, &c.arena, &out),
                     PH_OK);
    assert_int_equal(out.result.class, PH_RESULT_WAIT_USER);
    assert_true(out.result.is_hint);
    for (size_t i = 0; i < PH_COUNT(hostiles); i++) {
        if (hostiles[i].is_signed) {
            continue;
        }
        in.body = ph_str_z(hostiles[i].text);
        assert_int_not_equal(ph_declared_channel(c.file)->notice(
                                 &c.account, &in, NOW_MS, &c.arena, &out),
                             PH_OK);
    }
    in.body = signed_text(TOLD(",\"state\":\"PAID\"")); /* no event */
    assert_int_equal(ph_declared_channel(c.file)->notice(
                         &c.account, &in, NOW_MS, &c.arena, &out),
                     PH_E_MISSING);
    case_close(&c);
}

static int
digests(void **unused)
{
    (void) unused;
    return ph_digest_init() ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(what_it_has_not_it_does_not_do),
        cmocka_unit_test(hostile_answers_prove_nothing),
        cmocka_unit_test(large_answers_prove_nothing),
        cmocka_unit_test(a_full_arena_proves_nothing),
        cmocka_unit_test(a_code_judges_what_it_answers),
        cmocka_unit_test(an_operation_s_own_answer_stands_instead),
        cmocka_unit_test(unsigned_answers_only_wait),
        cmocka_unit_test(the_key_before_is_tried_next),
        cmocka_unit_test(a_signed_text_is_cut_in_one_way),
        cmocka_unit_test(a_strange_notice_is_asked_about),
    };

    return cmocka_run_group_tests(tests, digests, NULL);
}

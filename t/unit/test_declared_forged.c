/*
 * test_declared_forged.c - genuine messages of a declared channel that are read
 * otherwise than they were written, and what is on its way back.
 */
#include "t/unit/declared_bank.h"

/* ---- one signed text, cut in two ways ---- */

#define ALL                                                                    \
    "{in.at}|{in.memo}|{in.no}|{in.sum}|{in.cur}|{in.shop}|{in.code}|"         \
    "{in.state}|{in.bank_no}"

/*
 * verify.of, the text that the bank signed, and two messages that give it: the
 * one that it sent, and one that names its pieces anew.  The class of each;
 * s: succeeded, -: it is not believed.
 */
/* clang-format off */
static const struct {
    const char *of, *text, *sent, *forged, *classes;
} rows[] = {
    /* nothing to be cut */
    { ALL, "1795429230|tea|" NUMBER "|88.88|CNY|shop-7|0|PAID|77",
      "\"memo\":\"tea\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\",\"bank_no\":\"77\"",
      "\"memo\":\"tea\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"OPEN\",\"bank_no\":\"77\"", "s-" },
    /* a memo of the payer is cut; the end of the list takes the rest */
    { ALL, "1795429230|x|" NUMBER "|88.88|CNY|shop-7|0|PAID|A9|1.00|CNY|shop-7|0|OPEN|77",
      "\"memo\":\"x|" NUMBER "|88.88|CNY|shop-7|0|PAID\",\"no\":\"A9\",\"sum\":\"1.00\",\"state\":\"OPEN\",\"bank_no\":\"77\"",
      "\"memo\":\"x\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\",\"bank_no\":\"A9|1.00|CNY|shop-7|0|OPEN|77\"",
      "--" },
    /* what parts them is longer than a sign, and begins in a value */
    { "{in.at}||{in.cur}||{in.shop}||{in.code}||{in.state}||{in.sum}||{in.no}||{in.memo}",
      "1795429230||CNY||shop-7||0||PAID||88.88||" NUMBER "|||tea",
      "\"memo\":\"|tea\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\"",
      "\"memo\":\"tea\",\"no\":\"" NUMBER "|\",\"sum\":\"88.88\",\"state\":\"PAID\"", "--" },
    /* a key between parts them as well as a text */
    { "{in.at}/{in.cur}/{in.code}/{in.state}/{in.sum}/{in.no}{account.shop}{in.memo}/{in.shop}",
      "1795429230/CNY/0/PAID/88.88/" NUMBER "shop-7shop-7/shop-7",
      "\"memo\":\"shop-7\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\"",
      "\"memo\":\"\",\"no\":\"" NUMBER "shop-7\",\"sum\":\"88.88\",\"state\":\"PAID\"", "--" },
    /* in a text of its own that `of` names */
    { "{let.told}#{in.at}#{in.state}",
      "x|" NUMBER "|88.88|0|shop-7|CNY|A9|1.00|0|shop-7|CNY|77#1795429230#PAID",
      "\"memo\":\"x|" NUMBER "|88.88|0|shop-7|CNY\",\"no\":\"A9\",\"sum\":\"1.00\",\"state\":\"PAID\",\"bank_no\":\"77\"",
      "\"memo\":\"x\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\",\"bank_no\":\"A9|1.00|0|shop-7|CNY|77\"",
      "--" },
    { "{let.told}#{in.at}#{in.state}",
      "tea|" NUMBER "|88.88|0|shop-7|CNY|77#1795429230#PAID",
      "\"memo\":\"tea\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"PAID\",\"bank_no\":\"77\"",
      "\"memo\":\"tea\",\"no\":\"" NUMBER "\",\"sum\":\"88.88\",\"state\":\"OPEN\",\"bank_no\":\"77\"", "s-" },
};
/* clang-format on */

static char
class_of(struct declared_case *c, const char *text, const char *members)
{
    char          mac_text[80], memory[2048];
    uint8_t       mac[PH_SHA256_LEN];
    struct ph_str piece = ph_str_z(text);
    struct ph_buf hex = PH_BUF_INIT(mac_text), body = PH_BUF_INIT(memory);

    assert_true(ph_hmac_once(PH_STR(KEY), &piece, 1, mac));
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));
    ph_buf_add(&body, PH_STR("{\"at\":1795429230,\"code\":\"0\",\"cur\":"
                             "\"CNY\",\"shop\":\"shop-7\","));
    ph_buf_add(&body, ph_str_z(members));
    ph_buf_add(&body, PH_STR(",\"sign\":\""));
    ph_buf_add(&body, ph_buf_str(&hex));
    ph_buf_add(&body, PH_STR("\"}"));
    assert_false(body.full);
    const enum ph_result_class class = answer(c, PH_OP_QUERY, 200,
                                              ph_buf_str(&body))
                                           ->class;

    return class == PH_RESULT_SUCCEEDED ? 's'
           : class == PH_RESULT_UNKNOWN ? '-'
                                        : '?';
}

static void
a_signed_text_is_cut_in_one_way(void **unused)
{
    static struct declared_case c;

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        json_t *root = bank_json(), *answer = json_object_get(root, "answer");
        char    classes[3] = "";

        (void) json_object_set_new(
            answer, "let",
            json_pack("[[ss]]", "told",
                      "{in.memo}|{in.no}|{in.sum}|{in.code}|{in.shop}|"
                      "{in.cur}|{in.bank_no}"));
        (void) json_object_set_new(json_object_get(answer, "verify"), "of",
                                   json_string(rows[i].of));
        if (file_open(&c, root) == NULL) {
            fail_msg("row %zu: %s", i, c.why);
        }
        account_open(&c);
        classes[0] = class_of(&c, rows[i].text, rows[i].sent);
        classes[1] = class_of(&c, rows[i].text, rows[i].forged);
        if (strcmp(classes, rows[i].classes) != 0) {
            print_message("# row %zu\n", i);
        }
        assert_string_equal(classes, rows[i].classes);
        case_close(&c);
    }
}

/* Behind headers, which have no lines, the body as it came may hold some. */
static void
a_body_behind_headers_may_hold_lines(void **unused)
{
    static const char          *text = "{\"at\":1795429230,\n\"code\":\"0\",\n"
                                       "\"no\":\"" NUMBER "\",\n\"sum\":\"88.88\","
                                       "\"cur\":\"CNY\",\"shop\":\"shop-7\","
                                       "\"state\":\"PAID\"}\n";
    static struct declared_case c;
    json_t                     *root = bank_json(), *verify;
    char                        mac_text[80];
    uint8_t                     mac[PH_SHA256_LEN];
    struct ph_buf               hex      = PH_BUF_INIT(mac_text);
    const struct ph_str         pieces[] = { PH_STR("17\n"), ph_str_z(text) };

    (void) unused;
    verify = json_object_get(json_object_get(root, "answer"), "verify");
    (void) json_object_set_new(verify, "of",
                               json_string("{header.Time}\n{body}"));
    (void) json_object_set_new(verify, "signature",
                               json_string("{header.Sign|unhex}"));
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    assert_true(ph_hmac_once(PH_STR(KEY), pieces, 2, mac));
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));
    const struct ph_channel_header headers[]
        = { { PH_STR("Time"), PH_STR("17") },
            { PH_STR("Sign"), ph_buf_str(&hex) } };
    const struct ph_channel_reply reply = { .status       = 200,
                                            .body         = ph_str_z(text),
                                            .headers      = headers,
                                            .header_count = 2 };

    assert_int_equal(op_step(&c, PH_OP_QUERY, &reply), PH_STEP_DONE);
    assert_int_equal(c.out.result.class, PH_RESULT_SUCCEEDED);
    case_close(&c);
}

/* ---- a text of ours is no evidence ---- */

static void
a_let_of_ours_is_no_evidence(void **unused)
{
    static const char *const names[]
        = { "seller", "amount", "currency", "trade_no", "number" };
    static struct declared_case c;

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(names); i++) {
        json_t *root = bank_json(), *answer = json_object_get(root, "answer");
        char    why[160];

        (void) json_object_set_new(answer, "let",
                                   json_pack("[[ss],[ss]]", "one",
                                             "{account.shop}", "own",
                                             "{let.one}"));
        (void) json_object_set_new(answer, names[i], json_string("{let.own}"));
        (void) snprintf(why, sizeof(why),
                        "/answer/%s: found a text of ours, expected one that "
                        "names what was told",
                        names[i]);
        assert_null(file_open(&c, root));
        assert_string_equal(c.why, why);
    }
}

/* ---- what would not be believed when it comes back ---- */

/* clang-format off */
static const struct {
    const char *subject, *return_url, *extra;
    bool is_taken;
} orders[] = {
    { "tea & cups", "https://s.example/back?order=1", "{\"auth_code\":\"1\"}", true },
    { "tea&no=1", "https://s.example/back", "{\"auth_code\":\"1\"}", false },
    { "tea", "https://s.example/back?order=1&state=2", "{\"auth_code\":\"1\"}", false },
    { "tea", "https://s.example/back", "{\"auth_code\":\"1&sum=2\"}", false },
    { "tea", "https://s.example/back", "{\"auth_code\":\"1\\u0026sum=2\"}", false },
};
/* clang-format on */

static void
texts_that_come_back_are_refused_first(void **unused)
{
    static struct declared_case c;

    (void) unused;
    bank_open(&c);
    for (size_t i = 0; i < PH_COUNT(orders); i++) {
        c.order.subject    = ph_str_z(orders[i].subject);
        c.order.return_url = ph_str_z(orders[i].return_url);
        c.order.extra      = ph_str_z(orders[i].extra);
        assert_int_equal(c.account.channel->order_check(&c.account, &c.order)
                             == NULL,
                         orders[i].is_taken);
    }
    case_close(&c);
}

/* A refund does not fail for its reason: it goes without. */
static void
a_reason_that_would_be_cut_is_left_out(void **unused)
{
    static const struct {
        const char *reason, *sent;
    } reasons[] = { { "too cold", "\"why\":\"too cold\"" },
                    { "cold&state=DONE", "\"back\":" } };
    static struct declared_case c;

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(reasons); i++) {
        json_t *root = bank_json(), *row;

        row = json_object_get(json_object_get(root, "refund"), "*");
        (void) json_object_set_new(json_object_get(row, "fields"), "why",
                                   json_string("{refund.reason}"));
        if (file_open(&c, root) == NULL) {
            fail_msg("%s", c.why);
        }
        account_open(&c);
        c.order.refund_reason = ph_str_z(reasons[i].reason);
        assert_int_equal(op_step(&c, PH_OP_REFUND, NULL), PH_STEP_NEED_REQUEST);
        const struct ph_str body = c.out.request.body;

        assert_non_null(memmem(body.ptr, body.len, reasons[i].sent,
                               strlen(reasons[i].sent)));
        assert_int_equal(memmem(body.ptr, body.len, "why", 3) != NULL, i == 0);
        case_close(&c);
    }
}

/* ---- what is taken back ---- */

static uint8_t state[PH_CHANNEL_STATE_MAX];
static size_t  state_len;

static enum ph_result_class
told(struct declared_case *c, enum ph_channel_op op, uint64_t after_ms,
     const char *word)
{
    static const uint8_t    random[32];
    struct ph_channel_call  call  = { .op        = op,
                                      .step      = word != NULL,
                                      .account   = &c->account,
                                      .order     = &c->order,
                                      .arena     = &c->arena,
                                      .now_ms    = NOW_MS + after_ms,
                                      .random    = random,
                                      .state     = state,
                                      .state_len = state_len };
    struct ph_channel_reply reply = { .status = 200 };
    char                    text[256];

    ph_arena_reset(&c->arena);
    c->out = (struct ph_channel_out){ .hint = { NULL, 0 } };
    if (word != NULL) {
        (void) snprintf(text, sizeof(text),
                        "{\"at\":%llu,\"code\":\"0\",\"no\":\"" NUMBER
                        "\",\"bank_no\":\"B\",\"sum\":\"88.88\",\"cur\":"
                        "\"CNY\",\"shop\":\"shop-7\",\"state\":\"%s\"}",
                        (unsigned long long) call.now_ms / 1000, word);
        reply.body = signed_text(text);
    }
    assert_int_equal(
        c->account.channel->step(&call, word != NULL ? &reply : NULL, &c->out),
        word != NULL ? PH_STEP_DONE : PH_STEP_NEED_REQUEST);
    state_len = call.state_len;
    return c->out.result.class;
}

static void
bar_open(struct declared_case *c)
{
    json_t *root = bank_json();

    (void) json_object_set(root, "reverse", json_object_get(root, "close"));
    if (file_open(c, root) == NULL) {
        fail_msg("%s", c->why);
    }
    account_open(c);
    c->order.method = PH_STR("amberbank_bar");
    state_len       = 0;
}

static void
what_is_taken_back_is_paid_by_a_later_query_alone(void **unused)
{
    static struct declared_case c;

    (void) unused;
    bar_open(&c);
    /* the answer to the reverse is lost */
    (void) told(&c, PH_OP_REVERSE, 0, NULL);
    (void) told(&c, PH_OP_QUERY, 1000, NULL);
    assert_int_equal(told(&c, PH_OP_QUERY, 1000, "PAID"), PH_RESULT_WAIT_USER);
    assert_int_equal(told(&c, PH_OP_QUERY, 299000, "SHUT"), PH_RESULT_CLOSED);
    assert_int_equal(told(&c, PH_OP_QUERY, 299000, "PAID"),
                     PH_RESULT_WAIT_USER);
    assert_int_equal(told(&c, PH_OP_QUERY, 301000, "PAID"),
                     PH_RESULT_SUCCEEDED);
    case_close(&c);
    /* one that was never taken back is believed at once */
    bar_open(&c);
    assert_int_equal(told(&c, PH_OP_QUERY, 1000, "PAID"), PH_RESULT_SUCCEEDED);
    /* and what the answer to a reverse says of success is asked about */
    assert_int_equal(told(&c, PH_OP_REVERSE, 2000, "PAID"), PH_RESULT_UNKNOWN);
    assert_int_equal(told(&c, PH_OP_REVERSE, 2000, "SHUT"), PH_RESULT_CLOSED);
    case_close(&c);
}

static void
a_bar_code_is_known_by_its_name(void **unused)
{
    static struct declared_case c;
    json_t                     *root = bank_json();

    (void) unused;
    (void) json_object_set(root, "reverse", json_object_get(root, "close"));
    (void) json_object_set_new(root, "methods",
                               json_pack("{s:{}}", "amberbank_scan"));
    assert_null(file_open(&c, root));
    assert_string_equal(c.why, "/reverse: found no method of a bar code, "
                               "expected one whose name ends in _bar");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_text_is_cut_in_one_way),
        cmocka_unit_test(a_body_behind_headers_may_hold_lines),
        cmocka_unit_test(a_let_of_ours_is_no_evidence),
        cmocka_unit_test(texts_that_come_back_are_refused_first),
        cmocka_unit_test(a_reason_that_would_be_cut_is_left_out),
        cmocka_unit_test(what_is_taken_back_is_paid_by_a_later_query_alone),
        cmocka_unit_test(a_bar_code_is_known_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

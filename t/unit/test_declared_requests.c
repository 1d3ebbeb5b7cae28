/*
 * test_declared_requests.c - what a declared channel sends beyond its tapes:
 * pages of the payer, values that try to be more, repeats.
 */
#include "t/unit/declared_bank.h"

static void
a_payer_s_page_needs_no_call(void **unused)
{
    struct declared_case c;
    json_t              *root   = bank_json();
    json_t              *create = json_loads(
                     "{\"*\":{\"http\":\"GET\",\"url\":\"{account.base_url}/pay?v=1\","
                                  "\"body\":\"form\",\"fields\":{\"no\":\"{order.number}\","
                                  "\"t\":\"{order.subject}\",\"none\":\"{order.return_url}\"},"
                                  "\"sign\":{\"as\":\"field sign\",\"of\":\"ours\"},"
                                  "\"no_call\":true,\"action\":{\"type\":\"redirect\"}}}",
                     0, NULL);

    (void) unused;
    (void) json_object_set_new(root, "create", create);
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    c.order.subject = PH_STR("a b&c\xe8\x8c\xb6");
    assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_DONE);
    assert_int_equal(c.out.result.class, PH_RESULT_WAIT_USER);
    assert_int_equal(c.out.result.action, PH_ACTION_REDIRECT);
    t_same(c.out.result.number, PH_STR(NUMBER));
    static const struct ph_str head
        = PH_STR_INIT("\"https://bank.example.com/pay?v=1&no=" NUMBER
                      "&t=a%20b%26c%E8%8C%B6&sign=");
    assert_int_equal(c.out.result.action_data.len, head.len + 64 + 1);
    assert_memory_equal(c.out.result.action_data.ptr, head.ptr, head.len);
    case_close(&c);
}

static void
a_page_posts_the_fields(void **unused)
{
    struct declared_case c;
    json_t              *root = bank_json();
    json_t              *create
        = json_loads("{\"*\":{\"http\":\"POST\",\"url\":\"https://h/pay\","
                     "\"body\":\"form\",\"fields\":{\"t\":\"{order.subject}\"},"
                     "\"sign\":{\"as\":\"field sign\",\"of\":\"ours\"},"
                     "\"no_call\":true,\"action\":{\"type\":\"form\"}}}",
                     0, NULL);

    (void) unused;
    (void) json_object_set_new(root, "create", create);
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    c.order.subject = PH_STR("a b\"<");
    assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_DONE);
    assert_int_equal(c.out.result.action, PH_ACTION_FORM);
    json_t *page
        = json_loadb(c.out.result.action_data.ptr, c.out.result.action_data.len,
                     JSON_DECODE_ANY, NULL);
    assert_true(json_is_string(page));
    assert_non_null(strstr(json_string_value(page), "https://h/pay"));
    assert_non_null(strstr(json_string_value(page), "a b&quot;&lt;"));
    assert_non_null(strstr(json_string_value(page), "\"sign\""));
    json_decref(page);
    case_close(&c);
}

static json_t *
request_of(const char *text)
{
    json_t *root = bank_json();

    (void) json_object_set_new(root, "create", json_loads(text, 0, NULL));
    return root;
}

/* what values could do to headers, addresses and XML */
static const struct value_row {
    const char   *request;
    struct ph_str subject;
    const char   *url, *body; /* NULL = no request is made */
} value_rows[] = {
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"headers\":"
      "{\"X\":\"{order.subject}\"}}}",
      PH_STR_INIT("a\r\nEvil: 1"), NULL, NULL },
    { "{\"*\":{\"http\":\"GET\",\"url\":\"https://h/"
      "{order.subject|url}\"}}",
      PH_STR_INIT("../@evil?#"), "https://h/..%2F%40evil%3F%23", "" },
    /* a path that servers and proxies make shorter */
    { "{\"*\":{\"http\":\"GET\",\"url\":\"https://h/a/"
      "{order.subject|url}/b\"}}",
      PH_STR_INIT(".."), NULL, NULL },
    { "{\"*\":{\"http\":\"GET\",\"url\":\"https://h/a/"
      "{order.subject|url}\"}}",
      PH_STR_INIT("."), NULL, NULL },
    { "{\"*\":{\"http\":\"GET\",\"url\":\"https://h/a/"
      "{order.subject|url}?x=1\"}}",
      PH_STR_INIT(".."), NULL, NULL },
    { "{\"*\":{\"http\":\"GET\",\"url\":\"https://h/a?b="
      "{order.subject|url}\"}}",
      PH_STR_INIT(".."), "https://h/a?b=..", "" },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":\"xml\","
      "\"root\":\"r\",\"fields\":{\"a\":\"{order.subject}\",\"b\":{\"c\":"
      "\"{order.return_url}\"},\"d\":7,\"e\":{\"f\":true}}}}",
      PH_STR_INIT("<x>&"), "https://h/",
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r><a>&lt;x&gt;&amp;</a>"
      "<d>7</d><e><f>true</f></e></r>" },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":\"xml\","
      "\"fields\":{\"a\":\"{order.subject}\"}}}",
      PH_STR_INIT("\x01"), NULL, NULL },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":\"json\","
      "\"fields\":{\"a\":\"{order.subject}\",\"b\":{\"c\":\"{order.amount|"
      "number}\",\"d\":\"{order.amount}\"},\"e\":{\"f\":{\"g\":\""
      "{order.return_url}\"}}}}}",
      PH_STR_INIT("\"\\"), "https://h/",
      "{\"a\":\"\\\"\\\\\",\"b\":{\"c\":8888,\"d\":\"8888\"}}" },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":\"json\","
      "\"fields\":{\"a\":\"{order.subject}\"}}}",
      PH_STR_INIT("\xff"), NULL, NULL },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":\"form\","
      "\"fields\":{\"a\":\"{order.subject}\",\"b\":1}}}",
      PH_STR_INIT("x y&b=2"), "https://h/", "a=x+y%26b%3D2&b=1" },
    { "{\"*\":{\"http\":\"POST\",\"url\":\"https://h/\",\"body\":"
      "\"{{{order.subject|json}}}\"}}",
      PH_STR_INIT("{\"x}"), "https://h/", "{\"{\\\"x}\"}" },
};

static void
values_stay_values(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(value_rows); i++) {
        struct declared_case c;

        if (file_open(&c, request_of(value_rows[i].request)) == NULL) {
            fail_msg("%s", c.why);
        }
        account_open(&c);
        c.order.subject = value_rows[i].subject;
        if (value_rows[i].url == NULL) {
            assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_ERROR);
        } else {
            assert_int_equal(op_step(&c, PH_OP_CREATE, NULL),
                             PH_STEP_NEED_REQUEST);
            t_same(c.out.request.url, ph_str_z(value_rows[i].url));
            t_same(c.out.request.body, ph_str_z(value_rows[i].body));
        }
        case_close(&c);
    }
}

/* What gives no bytes costs something, too, or a file could hold the loop. */
static void
work_without_bytes_has_its_end(void **unused)
{
    struct declared_case c;
    json_t              *root = bank_json(), *headers = json_object();
    json_t              *sign = json_object();
    char          name[16], nothing_text[512], signs_text[640], text[2048];
    struct ph_buf nothing = PH_BUF_INIT(nothing_text);
    struct ph_buf signs   = PH_BUF_INIT(signs_text);
    struct ph_buf extra   = PH_BUF_INIT(text);

    (void) unused;
    for (int i = 0; i < 46; i++) {
        ph_buf_add(&nothing, PH_STR("{extra.a}"));
        ph_buf_add(&signs, PH_STR("{sign.mine}"));
    }
    (void) json_object_set_new(sign, "text", json_string(ph_buf_z(&nothing)));
    assert_non_null(ph_buf_z(&signs));
    (void) json_object_set_new(json_object_get(root, "sign"), "mine", sign);
    for (int i = 0; i < 14; i++) {
        (void) snprintf(name, sizeof(name), "H%d", i);
        (void) json_object_set_new(headers, name, json_string(signs_text));
    }
    (void) json_object_set_new(
        json_object_get(json_object_get(root, "create"), "*"), "headers",
        headers);
    if (file_open(&c, root) == NULL) {
        fail_msg("%s", c.why);
    }
    account_open(&c);
    ph_buf_add(&extra, PH_STR("{\"b\":\""));
    memset(ph_buf_reserve(&extra, 1000), 'x', 1000);
    ph_buf_add(&extra, PH_STR("\"}"));
    c.order.extra = ph_buf_str(&extra);
    assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_ERROR);
    case_close(&c);
}

/* the same call twice gives the same bytes: nothing is kept in between */
static void
a_repeat_is_the_same(void **unused)
{
    struct declared_case c;
    static char          first[4096];

    (void) unused;
    bank_open(&c);
    assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_NEED_REQUEST);
    size_t len = c.out.request.body.len;
    assert_true(len < sizeof(first));
    memcpy(first, c.out.request.body.ptr, len);
    assert_int_equal(op_step(&c, PH_OP_CREATE, NULL), PH_STEP_NEED_REQUEST);
    t_same(c.out.request.body, ph_str_make(first, len));
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
        cmocka_unit_test(a_payer_s_page_needs_no_call),
        cmocka_unit_test(a_page_posts_the_fields),
        cmocka_unit_test(values_stay_values),
        cmocka_unit_test(work_without_bytes_has_its_end),
        cmocka_unit_test(a_repeat_is_the_same),
    };

    return cmocka_run_group_tests(tests, digests, NULL);
}

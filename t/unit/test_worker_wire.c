/* What the wire log shows of a message, and what it never does. */
#include "t/unit/support.h"

#include <jansson.h>
#include <stdlib.h>

#include "worker/wire_text.h"

#define VECTORS "t/data/vectors/"

static char              memory[512 * 1024];
static struct ph_arena   arena;
static const char *const own[] = { "trade_no", "amount.total", NULL };

static struct ph_str
shown_but(struct ph_str body, size_t size, const char *extra)
{
    static char   text[4096];
    struct ph_buf out;

    ph_buf_init(&out, text, size);
    ph_arena_init(&arena, memory, sizeof(memory));
    wk_wire_body(&out, body, own, ph_str_z(extra), &arena);
    return ph_buf_str(&out);
}

static struct ph_str
shown(struct ph_str body, size_t size)
{
    return shown_but(body, size, "");
}

/* clang-format off */
static const struct {
    const char *body, *text;
} bodies[] = {
    { "{\"code\":\"10000\",\"msg\":\"Success\"}", "code=10000 -msg" },
    { "{\"a\":{\"trade_status\":\"WAIT\",\"buyer_id\":\"2088\"},\"sign\":\"xyz\"}",
      "a.trade_status=WAIT -a.buyer_id,sign" },
    { "{\"amount\":{\"total\":100,\"payer_total\":90,\"currency\":\"CNY\"}}",
      "amount.total=100 -amount.payer_total,amount.currency" },
    { "{\"total\":100}", "-total" },
    { "{\"amount\":-5,\"status\":true,\"code\":null}", "amount=-5 status=true -code" },
    { "{\"amount\":1.5}", "-amount" },
    { "{\"data\":[{\"status\":\"a\"},{\"status\":\"b\"}]}", "data.status=a data.status=b" },
    { "respCode=00&orderId=A1&signature=abc%2B", "respCode=00 -orderId,signature" },
    { "out_trade_no=A0K1&total_amount=88.88&sign=a", "out_trade_no=A0K1 total_amount=88.88 -sign" },
    { "trade_no=2026112322001400001234567890", "trade_no=*7890" },
    { "trade_no=4111111111111111", "trade_no=*1111" },
    { "trade_no=A411111111111111B22", "trade_no=A*1111B22" },
    { "trade_no=12345678901", "trade_no=12345678901" },
    { "{\"code\":\"a\\nb\"}", "-code" },
    { "{\"code\":\"0123456789a123456789a123456789a123456789a123456789a123456789a1234\"}", "-code" },
    { "{\"a b\":1,\"\xe4\xb8\xad\":2,\"code\":\"x\"}", "code=x -?,?" },
    { "{\"code\":\"x\"", "" },
    { "", "" },
    { "<xml><code>x</code></xml>", "-?" },
    { "null", "-null" },
    { "[1]", "-?" },
};
/* clang-format on */

static void
values_of_the_list_and_names_of_the_rest(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        t_same(shown(ph_str_z(bodies[i].body), 300), ph_str_z(bodies[i].text));
    }
}

/* A payer's code is shown under no name. */
static void
what_the_payer_gave_is_not_shown(void **unused)
{
    static const char extra[]
        = "{\"auth_code\":\"AMB-1\",\"n\":7,\"empty\":\"\",\"deep\":{\"a\":"
          "\"b\"}}";

    (void) unused;
    t_same(shown_but(PH_STR("{\"code\":\"AMB-1\",\"status\":\"OPEN\"}"), 300,
                     extra),
           PH_STR("status=OPEN -code"));
    t_same(shown_but(PH_STR("code=AMB-1&status=OPEN"), 300, extra),
           PH_STR("status=OPEN -code"));
    t_same(
        shown_but(PH_STR("{\"code\":\"x AMB-1\",\"status\":\"\"}"), 300, extra),
        PH_STR("status= -code"));
    t_same(shown_but(PH_STR("{\"code\":\"0\"}"), 300, "no JSON"),
           PH_STR("code=0"));
}

/* Whatever the room, no half of a value stands there. */
static void
a_short_line_cuts_whole_values(void **unused)
{
    const struct ph_str body
        = PH_STR("{\"code\":\"10000\",\"status\":\"PAID\",\"x\":\"y\"}");

    (void) unused;
    for (size_t size = 0; size < 40; size++) {
        const struct ph_str text = shown(body, size);
        const bool          has_code
            = text.len >= 10 && memcmp(text.ptr, "code=10000", 10) == 0;

        assert_true(text.len <= size);
        assert_int_equal(has_code, size >= 10);
        assert_int_equal(memmem(text.ptr, text.len, "status=", 7) != NULL,
                         memmem(text.ptr, text.len, "status=PAID", 11) != NULL);
    }
    t_same(shown(body, 40), PH_STR("code=10000 status=PAID -x"));
}

static void
many_members_are_bounded(void **unused)
{
    static char   text[64 * 1024];
    struct ph_buf body = PH_BUF_INIT(text);

    (void) unused;
    ph_buf_byte(&body, '{');
    for (unsigned i = 0; i < 2000; i++) {
        ph_buf_add(&body, i == 0 ? PH_STR("\"n") : PH_STR(",\"n"));
        ph_buf_u64(&body, i);
        ph_buf_add(&body, PH_STR("\":1"));
    }
    ph_buf_byte(&body, '}');
    assert_false(body.full);
    const struct ph_str line = shown(ph_buf_str(&body), 4096);

    assert_true(line.len < 300);
    assert_null(memmem(line.ptr, line.len, "n100", 4));
}

static void
paths_and_ids(void **unused)
{
    static const struct {
        const char *url, *path;
    } paths[] = {
        { "https://host:1/a/b?x=1", "/a/b" },
        { "https://host/v3/pay/123456789012?mchid=1", "/v3/pay/*9012" },
        { "https://host/v3/pay/A0K1#x", "/v3/pay/A0K1" },
        { "https://host", "" },
        { "https://host?a=/b", "" },
        { "host", "" },
    };
    const struct ph_channel_header headers[]
        = { { PH_STR("Set-Cookie"), PH_STR("secret") },
            { PH_STR("request-id"), PH_STR("08ABC") },
            { PH_STR("Wechatpay-Signature"), PH_STR("secret") },
            { PH_STR("TRACE_ID"), PH_STR("a\nb") } };
    char          text[100];
    struct ph_buf out = PH_BUF_INIT(text);

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(paths); i++) {
        out.len = 0;
        wk_wire_path(&out, ph_str_z(paths[i].url));
        t_same(ph_buf_str(&out), ph_str_z(paths[i].path));
    }
    out.len = 0;
    wk_wire_ids(&out, headers, PH_COUNT(headers));
    t_same(ph_buf_str(&out), PH_STR("Request-ID=08ABC"));
}

/* ---- the messages of the vectors ---- */

static bool
is_listed(const char *name)
{
    static const char *const names[]
        = { "code",          "sub_code",     "trade_status", "trade_state",
            "status",        "respCode",     "origRespCode", "out_trade_no",
            "out_refund_no", "total_amount", "amount",       "trade_no",
            "total" };

    for (size_t i = 0; i < PH_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t looked_at;

/* Names have no such sign. */
static bool
tells(struct ph_str line, const char *value, size_t len)
{
    char text[4096];

    text[0] = '=';
    len     = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
    memcpy(text + 1, value, len);
    return memmem(line.ptr, line.len, text, len + 1) != NULL;
}

/* A text of six bytes and more under another name stands nowhere. */
static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the vectors are */
no_secret(const json_t *value, const char *name, struct ph_str line)
{
    const char *key;
    json_t     *one;
    size_t      i;

    if (json_is_string(value) && json_string_length(value) >= 6
        && !is_listed(name)) {
        looked_at++;
        if (tells(line, json_string_value(value), json_string_length(value))) {
            fail_msg("%s: %.*s", name, (int) line.len, line.ptr);
        }
    }
    json_array_foreach(value, i, one)
    {
        no_secret(one, name, line);
    }
    if (json_is_object(value)) {
        json_object_foreach((json_t *) (uintptr_t) value, key, one)
        {
            no_secret(one, key, line);
        }
    }
}

static void
form_look(struct ph_str body, struct ph_str line)
{
    struct ph_str pair, name, value;

    while (ph_str_next(&body, '&', &pair)) {
        char text[64] = "";

        if (ph_str_cut(pair, '=', &name, &value) && value.len >= 6
            && name.len < sizeof(text))
        {
            memcpy(text, name.ptr, name.len);
            looked_at += !is_listed(text);
            assert_true(is_listed(text) || !tells(line, value.ptr, value.len));
        }
    }
}

static void
body_look(const json_t *body)
{
    const struct ph_str text
        = ph_str_make(json_string_value(body), json_string_length(body));
    const struct ph_str line = shown(text, 1000);
    json_t             *root = json_loadb(text.ptr, text.len, 0, NULL);

    if (root != NULL) {
        no_secret(root, "", line);
    } else {
        form_look(text, line);
    }
    json_decref(root);
}

/* Every text of a vector file under these names is a message. */
static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the vectors are */
bodies_find(const json_t *value, const char *name)
{
    static const char *const names[]
        = { "body", "sync_body", "notify_body", "orderstr_app", "plaintext" };
    const char *key;
    json_t     *one;
    size_t      i;

    for (i = 0; i < PH_COUNT(names) && json_is_string(value); i++) {
        if (strcmp(name, names[i]) == 0) {
            body_look(value);
        }
    }
    json_array_foreach(value, i, one)
    {
        bodies_find(one, name);
    }
    if (json_is_object(value)) {
        json_object_foreach((json_t *) (uintptr_t) value, key, one)
        {
            bodies_find(one, key);
        }
    }
}

static void
messages_of_channels_keep_their_secrets(void **unused)
{
    static const char *const files[]
        = { "alipay.json", "wechat.json", "unionpay.json", "stripe.json",
            "paypal.json" };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(files); i++) {
        char    path[128];
        json_t *root;

        (void) snprintf(path, sizeof(path), VECTORS "%s", files[i]);
        root = json_load_file(path, 0, NULL);
        assert_non_null(root);
        looked_at = 0;
        bodies_find(root, "");
        assert_true(looked_at > 20); /* there was something to find */
        json_decref(root);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_the_list_and_names_of_the_rest),
        cmocka_unit_test(what_the_payer_gave_is_not_shown),
        cmocka_unit_test(a_short_line_cuts_whole_values),
        cmocka_unit_test(many_members_are_bounded),
        cmocka_unit_test(paths_and_ids),
        cmocka_unit_test(messages_of_channels_keep_their_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

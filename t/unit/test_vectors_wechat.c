/*
 * test_vectors_wechat.c - what wechatpay-axios-plugin computed: requests,
 * answers, notices, certificates, what calls up the payer.
 *
 * Bills and transfers have no operation here: of their requests the signature
 * is compared.
 */
#include "t/unit/vectors_wechat.h"

#include "libpayhub/base/civil.h"

#define NUMBER "PH202611230002"

/* ---- reading ---- */

static struct ph_str
timestamp_of(const json_t *row)
{
    struct ph_buf buf;

    ph_arena_open(&texts, &buf);
    ph_buf_i64(&buf, json_integer_value(json_object_get(row, "timestamp")));
    return ph_arena_close(&texts, &buf);
}

static uint64_t
now_of(const json_t *row)
{
    return (uint64_t) json_integer_value(json_object_get(row, "now")) * 1000;
}

static size_t
headers_of(const json_t *row, struct ph_channel_header *headers, size_t most)
{
    const json_t *given = json_object_get(row, "headers");
    const char   *name;
    json_t       *value;
    size_t        count = 0;

    json_object_foreach((json_t *) (uintptr_t) given, name, value)
    {
        assert_true(count < most);
        headers[count++]
            = (struct ph_channel_header){ ph_str_z(name), text_of(value) };
    }
    return count;
}

/* The keys that the file names, as certificates kept and a public key. */
static void
account_of_file(bool has_certificates)
{
    const json_t *platform = json_object_get(root, "platform");
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];
    struct ph_buf pems;
    const char   *serial;
    json_t       *path;
    char          room[16384];

    values_set(values);
    ph_buf_init(&pems, room, sizeof(room));
    json_object_foreach((json_t *) (uintptr_t) platform, serial, path)
    {
        struct ph_str text = vector_file(json_string_value(path));

        if (strncmp(serial, "PUB_KEY_ID_", 11) == 0) {
            values[WECHAT_PUBLIC_KEY_ID] = ph_str_z(serial);
            values[WECHAT_PUBLIC_KEY]    = text;
        } else {
            ph_buf_add(&pems, text);
        }
    }
    if (!has_certificates) {
        values[WECHAT_PUBLIC_KEY_ID] = ph_str_make(NULL, 0);
        values[WECHAT_PUBLIC_KEY]    = ph_str_make(NULL, 0);
        ph_buf_cut(&pems, 0);
    }
    values[WECHAT_MCHID]       = member(root, "mchid");
    values[WECHAT_APPID]       = member(root, "appid");
    values[WECHAT_SERIAL_NO]   = member(root, "merchant_serial");
    values[WECHAT_APIV3_KEY]   = member(root, "apiv3_key");
    values[WECHAT_STORE_ID]    = PH_STR("1001");
    values[WECHAT_PRIVATE_KEY] = vector_file(
        json_string_value(json_object_get(root, "merchant_private")));
    assert_null(account_set(values, ph_arena_dup(&texts, ph_buf_str(&pems))));
}

static int
each_set_up(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    account_of_file(true);
    return 0;
}

/* ---- requests ---- */

static void
test_requests(void **state)
{
    const json_t *rows = rows_of("requests", 17);

    (void) state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t             *row = json_array_get(rows, i);
        const struct wechat_stamp stamp
            = { timestamp_of(row), member(row, "nonce_str") };
        char          text_room[8192], head_room[2048];
        struct ph_buf text = PH_BUF_INIT(text_room);
        struct ph_buf head = PH_BUF_INIT(head_room);

        print_message("  %s\n",
                      json_string_value(json_object_get(row, "name")));
        wechat_message(&text, member(row, "method"), member(row, "target"),
                       &stamp, member(row, "body"));
        t_same(ph_buf_str(&text), member(row, "message"));
        assert_true(wechat_authorization(&account, member(row, "method"),
                                         member(row, "target"), &stamp,
                                         member(row, "body"), &head));
        t_same(ph_buf_str(&head), member(row, "authorization"));
        assert_true(memmem(head.ptr, head.len, member(row, "signature").ptr,
                           member(row, "signature").len)
                    != NULL);
    }
}

static const struct ours {
    const char        *name, *method, *extra;
    enum ph_channel_op op;
    bool               has_attach; /* the SDK sends one, we have none */
} ours[] = {
    { "native", "wechat_native", NULL, PH_OP_CREATE, true },
    { "jsapi", "wechat_jsapi", "{\"openid\":\"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\"}",
      PH_OP_CREATE, true },
    { "jsapi", "wechat_mini", "{\"openid\":\"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\"}",
      PH_OP_CREATE, true },
    { "h5", "wechat_h5", NULL, PH_OP_CREATE, true },
    { "app", "wechat_app", NULL, PH_OP_CREATE, true },
    { "codepay", "wechat_bar", BAR_CODE, PH_OP_CREATE, false },
    { "codepay", "bar", BAR_CODE, PH_OP_CREATE, false },
    { "query_by_out_trade_no", "wechat_native", NULL, PH_OP_QUERY, false },
    { "close", "wechat_native", NULL, PH_OP_CLOSE, false },
    { "reverse", "wechat_bar", BAR_CODE, PH_OP_REVERSE, false },
    { "refund", "wechat_native", NULL, PH_OP_REFUND, false },
    { "refund_query", "wechat_native", NULL, PH_OP_REFUND_QUERY, false },
    { "certificates", "wechat_native", NULL, PH_OP_ACCOUNT_REFRESH, false },
};

static const json_t *
request_row(const char *name)
{
    const json_t *rows = rows_of("requests", 1);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
        {
            return row;
        }
    }
    fail_msg("%s: no such request", name);
    return NULL;
}

/* the body without its `attach` */
static struct ph_str
body_without(struct ph_str body, bool has_attach)
{
    static const char attach[] = "\"attach\":\"自定义数据\",";
    const char       *at;
    struct ph_buf     buf;

    if (!has_attach) {
        return body;
    }
    at = memmem(body.ptr, body.len, attach, strlen(attach));
    assert_non_null(at);
    ph_arena_open(&texts, &buf);
    ph_buf_add(&buf, ph_str_make(body.ptr, (size_t) (at - body.ptr)));
    at += strlen(attach);
    ph_buf_add(&buf, ph_str_make(at, (size_t) (body.ptr + body.len - at)));
    return ph_arena_close(&texts, &buf);
}

static struct ph_str
header_of(const char *name)
{
    return ph_channel_header(out.request.headers, out.request.header_count,
                             ph_str_z(name));
}

/* The adapter makes the same request of the same order, byte for byte. */
static void
request_same(const struct ours *our, const json_t *row)
{
    char     nonce[64];
    size_t   len = 0;
    uint64_t at_s;

    order_usual(our->method);
    order.attempt_id = PH_STR(NUMBER);
    order.subject    = PH_STR("深圳腾大-QQ公仔");
    order.notify_url
        = our->op == PH_OP_REFUND
              ? PH_STR("https://pay.example.com/notify/wechat/refund")
              : PH_STR("https://pay.example.com/notify/wechat");
    assert_int_equal(ph_civil_parse(PH_STR("2026-11-23T10:34:56+08:00"),
                                    PH_CIVIL_RFC3339, 0, &order.expires_at_ms),
                     PH_OK);
    order.extra         = ph_str_z(our->extra);
    order.refund_id     = PH_STR(NUMBER "-R1");
    order.refund_amount = 1;
    order.refund_reason = PH_STR("商品已售完");
    order.client_ip     = our->op != PH_OP_CREATE       ? order.client_ip
                          : wechat_is_bar(order.method) ? PH_STR("14.17.22.32")
                          : strcmp(our->name, "h5") == 0 ? PH_STR("14.23.150.211")
                                                         : ph_str_make(NULL, 0);
    assert_null(wechat_order_check(&account, &order));
    /* our nonce is the hex of the random bytes */
    assert_true(member(row, "nonce_str").len == 32);
    for (size_t i = 0; i < 32; i++) {
        char digit = member(row, "nonce_str").ptr[i];

        nonce[len++] = (char) (digit >= 'A' ? digit - 'A' + 'a' : digit);
    }
    assert_int_equal(begin(our->op), PH_STEP_NEED_REQUEST);
    assert_int_equal(t_unhex(ph_str_make(nonce, len), salt, sizeof(salt)), 16);
    assert_true(ph_str_u64(timestamp_of(row), UINT64_MAX / 1000, &at_s));
    call.now_ms = at_s * 1000;
    assert_int_equal(ph_channel_wechatpay.step(&call, NULL, &out),
                     PH_STEP_NEED_REQUEST);

    t_same(out.request.method, member(row, "method"));
    assert_true(ph_str_starts(out.request.url, PH_STR(BASE)));
    t_same(ph_str_make(out.request.url.ptr + strlen(BASE),
                       out.request.url.len - strlen(BASE)),
           member(row, "target"));
    t_same(out.request.body,
           body_without(member(row, "body"), our->has_attach));
    if (!our->has_attach) {
        t_same(header_of("Authorization"), member(row, "authorization"));
    }
    same_text(header_of("Wechatpay-Serial"), PUBLIC_ID);
    same_text(header_of("Accept"), "application/json");
    assert_true(header_of("User-Agent").len != 0);
    same_text(header_of("Content-Type"),
              out.request.body.len != 0 ? "application/json" : "");
}

static void
test_own_requests(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(ours); i++) {
        print_message("  %s by %s\n", ours[i].name, ours[i].method);
        request_same(&ours[i], request_row(ours[i].name));
    }
}

/* ---- answers ---- */

static bool
is_accepted(const json_t *row)
{
    return ph_str_eq(member(row, "expect"), PH_STR("accept"));
}

static void
test_responses(void **state)
{
    const json_t *rows = rows_of("responses", 16);

    (void) state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t            *row = json_array_get(rows, i);
        struct ph_channel_header headers[8];
        struct ph_channel_reply  reply = { .status = 200, .headers = headers };
        bool                     is_order;

        print_message("  %s\n",
                      json_string_value(json_object_get(row, "name")));
        reply.body         = member(row, "body");
        reply.header_count = headers_of(row, headers, PH_COUNT(headers));
        reply.status       = reply.body.len == 0 ? 204 : 200;
        is_order
            = memmem(reply.body.ptr, reply.body.len, "trade_state", 11) != NULL;
        assert_int_equal(wechat_answer_verify(&account, headers,
                                              reply.header_count, reply.body,
                                              now_of(row))
                             == PH_OK,
                         is_accepted(row));

        /* the same as an answer to what it would be an answer to */
        order_usual("wechat_native");
        order.attempt_id = PH_STR(NUMBER);
        assert_int_equal(begin(reply.body.len == 0 ? PH_OP_CLOSE
                               : is_order          ? PH_OP_QUERY
                                                   : PH_OP_CREATE),
                         PH_STEP_NEED_REQUEST);
        call.now_ms = now_of(row);
        out         = (struct ph_channel_out){ 0 };
        assert_int_equal(ph_channel_wechatpay.step(&call, &reply, &out),
                         strcmp(json_string_value(json_object_get(row, "name")),
                                "unknown serial")
                                 == 0
                             ? PH_STEP_NEED_REFRESH
                             : PH_STEP_DONE);
        assert_int_equal(out.result.class, !is_accepted(row) ? PH_RESULT_UNKNOWN
                                           : reply.body.len == 0
                                               ? PH_RESULT_CLOSED
                                           : is_order ? PH_RESULT_SUCCEEDED
                                                      : PH_RESULT_WAIT_USER);
        if (is_accepted(row) && is_order) {
            same_text(out.result.number, NUMBER);
            same_text(out.result.trade_no, "4200001234202611230123456789");
            assert_int_equal(out.result.amount, 100);
            same_text(out.result.currency, "CNY");
            same_text(out.result.seller, MCHID);
            same_text(out.result.app, APPID);
            assert_true(out.result.paid_at_ms == UINT64_C(1795400430000));
        }
    }
}

/* ---- notices ---- */

static void
notice_same(const json_t *row, const struct ph_channel_notice_out *told)
{
    bool is_refund = ph_str_starts(member(row, "name"), PH_STR("REFUND."));
    struct ph_channel_expected expected;

    assert_int_equal(told->is_refund, is_refund);
    same_text(told->id, "EV-20261123102030001");
    same_text(told->ack_body, "{\"code\":\"SUCCESS\",\"message\":\"成功\"}");
    order_usual("wechat_native");
    wechat_expected(&account, &order, &arena, &expected);
    if (is_refund) {
        same_text(told->order_number, NUMBER);
        same_text(told->result.number, NUMBER "-R1");
        same_text(told->result.trade_no, "50300001234202611230000000001");
        assert_int_equal(told->result.amount, 1);
        t_same(told->result.seller, expected.seller);
        assert_int_equal(
            told->result.class,
            ph_str_eq(member(row, "name"), PH_STR("REFUND.SUCCESS"))
                ? PH_RESULT_SUCCEEDED
            : ph_str_eq(member(row, "name"), PH_STR("REFUND.CLOSED"))
                ? PH_RESULT_FAILED
                : PH_RESULT_WAIT_USER);
        return;
    }
    same_text(told->result.number, NUMBER);
    assert_int_equal(told->result.class, PH_RESULT_SUCCEEDED);
    /* genuine, and refused by the core, which compares these */
    assert_int_equal(
        ph_str_eq(told->result.seller, expected.seller),
        !ph_str_eq(member(row, "expect"), PH_STR("reject: mchid is not ours")));
    assert_int_equal(told->result.amount == 100,
                     !ph_str_eq(member(row, "expect"),
                                PH_STR("reject: amount.total differs from the "
                                       "order")));
    t_same(told->result.app, expected.app);
}

static void
test_notifies(void **state)
{
    const json_t *rows     = rows_of("notifies", 14);
    size_t        accepted = 0;

    (void) state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t                *row   = json_array_get(rows, i);
        const json_t                *plain = json_object_get(row, "plaintext");
        struct ph_channel_header     headers[8];
        struct ph_channel_notice     in = { .headers = headers };
        struct ph_channel_notice_out told;
        struct ph_str                opened;

        print_message("  %s\n",
                      json_string_value(json_object_get(row, "name")));
        ph_arena_reset(&arena);
        in.body         = member(row, "body");
        in.header_count = headers_of(row, headers, PH_COUNT(headers));

        enum ph_rc rc = ph_channel_wechatpay.notice(&account, &in, now_of(row),
                                                    &arena, &told);
        if (ph_str_eq(member(row, "expect"), PH_STR("reject"))) {
            assert_int_not_equal(rc, PH_OK);
            assert_int_equal(told.result.class, PH_RESULT_UNKNOWN);
        } else {
            assert_int_equal(rc, PH_OK);
            notice_same(row, &told);
            accepted++;
        }
        rc = wechat_resource_open(&account, in.body, &arena, &opened);
        assert_int_equal(rc == PH_OK, json_is_string(plain));
        if (rc == PH_OK) {
            t_same(opened, text_of(plain));
        }
        assert_int_equal(
            wechat_answer_verify(&account, headers, in.header_count, in.body,
                                 now_of(row))
                == PH_OK,
            json_is_true(json_object_get(row, "sdk_signature_ok")));
    }
    assert_true(accepted >= 8);
}

/* ---- certificates ---- */

static void
test_certificates(void **state)
{
    const json_t            *row  = json_object_get(root, "certificates");
    const json_t            *want = json_object_get(row, "decrypted");
    struct ph_channel_header headers[8];
    struct ph_channel_reply  reply = { .status = 200, .headers = headers };
    struct ph_channel_kept   got;
    const char              *serial;
    json_t                  *pem;
    size_t                   found = 0;

    (void) state;
    account_of_file(false); /* nothing is known yet */
    reply.body         = member(row, "body");
    reply.header_count = headers_of(row, headers, PH_COUNT(headers));
    assert_int_equal(
        wechat_certificates_read(&account, &reply, now_of(row), &arena, &got),
        PH_OK);
    json_object_foreach((json_t *) (uintptr_t) want, serial, pem)
    {
        struct ph_str text = text_of(pem);

        while (text.ptr[text.len - 1] == '\n') {
            text.len--;
        }
        assert_non_null(
            memmem(got.value.ptr, got.value.len, text.ptr, text.len));
        found++;
    }
    assert_true(found >= 2);
    assert_true(got.refresh_at_ms == now_of(row) + WECHAT_REFRESH_MS);

    /* an account that has them believes what they sign */
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];
    memcpy(values, account.values, sizeof(values));
    assert_null(account_set(values, ph_arena_dup(&texts, got.value)));
    const struct wechat_account *opened = account.context;
    assert_int_equal(opened->key_count, found);
    json_object_foreach((json_t *) (uintptr_t) want, serial, pem)
    {
        assert_non_null(wechat_key_find(opened->keys, opened->key_count,
                                        ph_str_z(serial), now_of(row)));
    }
    assert_int_equal(wechat_answer_verify(&account, headers, reply.header_count,
                                          reply.body, now_of(row)),
                     PH_OK);
}

static void
test_invoke(void **state)
{
    const json_t *both    = json_object_get(root, "invoke");
    const char   *kinds[] = { "jsapi", "app" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(kinds); i++) {
        bool          is_app = i == 1;
        const json_t *result
            = json_object_get(json_object_get(both, kinds[i]), "result");
        struct wechat_invoke invoke = {
            .is_app    = is_app,
            .appid     = member(result, is_app ? "appid" : "appId"),
            .timestamp = member(result, is_app ? "timestamp" : "timeStamp"),
            .nonce     = member(result, is_app ? "noncestr" : "nonceStr"),
            .prepay_id = PH_STR("wx201410272009395522657a690389285100"),
            .partnerid = member(root, "mchid"),
        };
        struct ph_str text = wechat_invoke_make(&account, &invoke, &arena);
        json_error_t  error;
        json_t       *got = json_loadb(text.ptr, text.len, 0, &error);

        assert_non_null(got);
        assert_true(json_equal(got, result));
        json_decref(got);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_requests, each_set_up),
        cmocka_unit_test_setup(test_own_requests, each_set_up),
        cmocka_unit_test_setup(test_responses, each_set_up),
        cmocka_unit_test_setup(test_notifies, each_set_up),
        cmocka_unit_test_setup(test_certificates, each_set_up),
        cmocka_unit_test_setup(test_invoke, each_set_up),
    };

    return cmocka_run_group_tests_name("vectors_wechat", tests, set_up,
                                       tear_down);
}

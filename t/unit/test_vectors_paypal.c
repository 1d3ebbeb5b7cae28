/*
 * test_vectors_paypal.c - requests as PayPal's own client sends them, webhooks
 * signed by the documented rule: t/data/vectors/paypal.json.
 */
#include "t/unit/vectors.h"

#include <zlib.h>

#include "channels/paypal/paypal_int.h"

#define ORDER_ID "5O190127TN364715T"
#define CAPTURE_ID "2GG279541U471931P"
#define REFUND_ID "1JU08902781691411"

static json_t *vectors;
static char    root_pem[8192], cert_pem[8192];

/* of the folder of keys beside the vectors */
static struct ph_str
key_file(const char *name, char *room, size_t size)
{
    struct ph_str text
        = vector_file(json_string_value(json_object_get(vectors, name)));

    assert_true(text.len < size);
    memcpy(room, text.ptr, text.len);
    return ph_str_make(room, text.len);
}

static int
set_up(void **state)
{
    (void) state;
    vectors = vector_read("paypal.json");
    return group_begin(state);
}

static int
tear_down(void **state)
{
    json_decref(vectors);
    return group_end(state);
}

/* with a token, and a certificate when `url` is one */
static void
account_open_with(struct ph_str url)
{
    static char         text[PH_CHANNEL_KEPT_MAX];
    struct ph_buf       buf = PH_BUF_INIT(text);
    const struct ph_str root
        = key_file("webhook_ca", root_pem, sizeof(root_pem));
    const struct ph_str cert
        = key_file("webhook_cert", cert_pem, sizeof(cert_pem));
    const json_t       *base = json_object_get(vectors, "base");
    const struct ph_str values[PAYPAL_FIELDS] = {
        [PAYPAL_BASE_URL]      = member(base, "sandbox"),
        [PAYPAL_CLIENT_ID]     = member(vectors, "client_id"),
        [PAYPAL_CLIENT_SECRET] = member(vectors, "client_secret"),
        [PAYPAL_WEBHOOK_ID]    = PH_STR("8PT597110X687430LKGECATA"),
        [PAYPAL_WEBHOOK_CA]    = root,
    };

    ph_buf_add(&buf, PH_STR("token A21AAtoken\nuntil "));
    ph_buf_u64(&buf, NOW_MS + HOUR_MS);
    ph_buf_byte(&buf, '\n');
    if (url.len != 0) {
        ph_buf_add(&buf, PH_STR("cert "));
        ph_buf_add(&buf, url);
        ph_buf_byte(&buf, '\n');
        ph_buf_add(&buf, cert);
        ph_buf_add(&buf, PH_STR("\n.\n"));
    }
    assert_false(buf.full);
    channel = ph_channel_find(PH_STR("paypal"));
    assert_non_null(channel);
    kept = (struct ph_channel_kept){ ph_buf_str(&buf), NOW_MS + HOUR_MS,
                                     NOW_MS + HOUR_MS };
    assert_null(account_set(values, PAYPAL_FIELDS, NULL));
    order_reset("paypal");
    order.attempt_id = PH_STR("PH1");
    order.refund_id  = PH_STR("PH1R");
    state_forget();
}

/* ---- requests ---- */

#define NONE NULL
#define BY_NUMBER "the id of ours is the number, so that anybody can repeat it"

/* clang-format off */
static struct difference known[] = {
    { 1, "header paypal-request-id", "req-public", "PH1", BY_NUMBER, false },
    { 1, "body payment_source.paypal.experience_context.user_action", NONE,
      "PAY_NOW", "we say where the payer comes back to, and that he pays now",
      false },
    { 3, "header paypal-request-id", "cap-public", "PH1-cap", BY_NUMBER, false },
    { 4, "header paypal-request-id", "rf-public", "PH1R", BY_NUMBER, false },
};
/* clang-format on */

static const char ordered[]
    = "{\"id\":\"" ORDER_ID "\",\"status\":\"CREATED\",\"purchase_units\":[{"
      "\"custom_id\":\"PH1\"}]}";
static const char approved[]
    = "{\"id\":\"" ORDER_ID "\",\"status\":\"APPROVED\",\"purchase_units\":[{"
      "\"custom_id\":\"PH1\",\"amount\":{\"currency_code\":\"USD\","
      "\"value\":\"10.50\"}}]}";
static const char refused[]
    = "{\"name\":\"UNPROCESSABLE_ENTITY\",\"details\":[{\"issue\":"
      "\"TRANSACTION_DISPUTED\"}]}";

static void
request_begin(size_t row)
{
    order.subject  = PH_STR("\xe4\xb8\xad\xe6\x96\x87 \"q\"");
    order.trade_no = row >= 4 ? PH_STR(CAPTURE_ID) : PH_STR("");
    switch (row) {
    case 0:
        begin(PH_OP_ACCOUNT_REFRESH);
        return;
    case 1:
        begin(PH_OP_CREATE);
        return;
    case 2:
    case 3:
        begin(PH_OP_CREATE);
        answer(201, ordered);
        begin(PH_OP_QUERY);
        if (row == 3) {
            assert_int_equal(answer(200, approved), PH_STEP_NEED_REQUEST);
        }
        return;
    case 4:
        order.refund_amount = 100;
        order.refund_reason = PH_STR("\xe7\xbc\xba\xe8\xb4\xa7");
        begin(PH_OP_REFUND);
        return;
    case 5:
        order.channel_refund_no = PH_STR(REFUND_ID);
        begin(PH_OP_REFUND_QUERY);
        return;
    default:
        begin(PH_OP_REFUND_QUERY);
        assert_int_equal(answer(422, refused), PH_STEP_NEED_REQUEST);
        return;
    }
}

static void
test_requests(void **state)
{
    const json_t   *rows = json_object_get(vectors, "wire");
    static char     room[64 * 1024];
    struct ph_arena decoded;

    (void) state;
    assert_int_equal(json_array_size(rows), 7);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const struct wire wire = { i, known, PH_COUNT(known), &decoded };

        ph_arena_init(&decoded, room, sizeof(room));
        account_open_with(PH_STR(""));
        request_begin(i);
        wire_same(&wire, json_array_get(rows, i),
                  "https://api-m.sandbox.paypal.com", i != 0);
    }
    wire_all_met(known, PH_COUNT(known));
}

/* ---- webhooks ---- */

static size_t
headers_fill(const json_t *row, struct ph_channel_header *headers, size_t most)
{
    const char *name;
    json_t     *value;
    size_t      count = 0;

    json_object_foreach(json_object_get(row, "headers"), name, value)
    {
        assert_true(count < most);
        headers[count++]
            = (struct ph_channel_header){ ph_str_z(name),
                                          ph_str_z(json_string_value(value)) };
    }
    return count;
}

static void
test_webhooks(void **state)
{
    const json_t *rows = json_object_get(vectors, "webhooks");

    (void) state;
    assert_int_equal(json_array_size(rows), 7);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row  = json_array_get(rows, i);
        const bool accepts = ph_str_eq(member(row, "expect"), PH_STR("accept"));
        struct ph_channel_header       headers[8];
        struct ph_channel_notice_out   told  = { 0 };
        const size_t                   count = headers_fill(row, headers, 8);
        const struct ph_channel_notice in    = { .body    = member(row, "body"),
                                                 .headers = headers,
                                                 .header_count = count };
        enum ph_rc                     rc;

        /* the right certificate lies under whatever address it names */
        account_open_with(
            ph_channel_header(headers, count, PH_STR("PAYPAL-CERT-URL")));
        t_same(account.values[PAYPAL_WEBHOOK_ID], member(row, "webhook_id"));
        assert_int_equal(
            crc32(0, (const unsigned char *) in.body.ptr,
                  (unsigned) in.body.len),
            json_integer_value(json_object_get(row, "crc32_decimal")));
        ph_arena_init(&arena, memory, sizeof(memory));
        rc = channel->notice(&account, &in, NOW_MS, &arena, &told);
        print_message("  %s: %s\n",
                      json_string_value(json_object_get(row, "name")),
                      rc == PH_OK ? "accepted" : "refused");
        assert_int_equal(rc == PH_OK, accepts);
        assert_int_equal(
            paypal_webhook_check(&account, headers, count, in.body, NOW_MS)
                == PH_OK,
            accepts);
        assert_false(told.needs_refresh);
        if (accepts) {
            /* a sum of 32 bits under a signature proves nothing */
            assert_int_equal(told.result.class, PH_RESULT_WAIT_USER);
            assert_true(told.result.is_hint);
            same_text(told.id, "WH-1");
            same_text(told.result.number, "PH1");
        }
    }
}

/* The certificate is not there yet: it is fetched, kept, and then it verifies.
 */
static void
test_certificate_is_fetched(void **state)
{
    const json_t *row = json_array_get(json_object_get(vectors, "webhooks"), 0);
    struct ph_channel_header       headers[8];
    struct ph_channel_notice_out   told  = { 0 };
    const size_t                   count = headers_fill(row, headers, 8);
    const struct ph_channel_notice in    = { .body         = member(row, "body"),
                                             .headers      = headers,
                                             .header_count = count };
    static char                    text[PH_CHANNEL_KEPT_MAX];
    struct ph_str                  values[PAYPAL_FIELDS];

    (void) state;
    account_open_with(PH_STR(""));
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(channel->notice(&account, &in, NOW_MS, &arena, &told),
                     PH_E_UNKNOWN);
    assert_true(told.needs_refresh);

    call = (struct ph_channel_call){ .op      = PH_OP_ACCOUNT_REFRESH,
                                     .account = &account,
                                     .order   = &order,
                                     .arena   = &arena,
                                     .now_ms  = NOW_MS,
                                     .random  = salt,
                                     .state   = kept_state,
                                     .hint    = told.hint };
    assert_int_equal(channel->step(&call, NULL, &out), PH_STEP_NEED_REQUEST);
    t_same(out.request.url, told.hint);
    assert_int_equal(answer(200, cert_pem), PH_STEP_DONE);
    assert_int_equal(out.result.class, PH_RESULT_SUCCEEDED);

    memcpy(text, out.kept.value.ptr, out.kept.value.len);
    kept.value = ph_str_make(text, out.kept.value.len);
    memcpy(values, account.values, sizeof(values));
    assert_null(account_set(values, PAYPAL_FIELDS, NULL));
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(channel->notice(&account, &in, NOW_MS, &arena, &told),
                     PH_OK);
    assert_true(told.result.is_hint);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_webhooks),
        cmocka_unit_test(test_certificate_is_fetched),
    };

    return cmocka_run_group_tests_name("vectors_paypal", tests, set_up,
                                       tear_down);
}

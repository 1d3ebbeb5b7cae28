/*
 * test_channel_wechatpay_orders.c - orders that an account does not take, what
 * service providers ask, texts and addresses of requests.
 */
#include "t/unit/channel_wechatpay.h"

static bool
holds(struct ph_str text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static int
setup(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    account_usual();
    order_usual("wechat_native");
    return 0;
}

/* ---- orders ---- */

static const struct {
    const char *method, *currency, *client_ip, *extra, *why;
} order_rows[] = {
    { "wechat_native", "CNY", NULL, NULL, NULL },
    { "wechat_native", "USD", NULL, NULL, "currency: found another one" },
    { "wechat_h5", "CNY", "14.23.150.211", NULL, NULL },
    { "wechat_h5", "CNY", NULL, NULL, "client_ip: found nothing" },
    { "wechat_bar", "CNY", NULL, BAR_CODE, NULL },
    { "bar", "CNY", NULL, BAR_CODE, NULL },
    { "bar", "CNY", NULL, "{\"auth_code\":\"100000000000000000\"}", NULL },
    { "bar", "CNY", NULL, "{\"auth_code\":\"159999999999999999\"}", NULL },
    { "bar", "CNY", NULL, "{\"auth_code\":\"160000000000000000\"}",
      "auth_code: found a code of another wallet" },
    { "bar", "CNY", NULL, "{\"auth_code\":\"099999999999999999\"}",
      "auth_code: found" },
    { "bar", "CNY", NULL, "{\"auth_code\":\"28763443825664394\"}",
      "auth_code: found" },
    { "bar", "CNY", NULL, "{\"auth_code\":\"1300610988280094061\"}",
      "auth_code: found" },
    { "bar", "CNY", NULL, "{\"auth_code\":\"13006109882800940a\"}",
      "auth_code: found" },
    { "bar", "CNY", NULL, NULL, "auth_code: found" },
    { "wechat_app", "CNY", NULL, "{\"appid\":\"wx/\"}", "appid: found" },
    { "wechat_native", "CNY", NULL, "{\"sub_mch_id\":\"1\"}",
      "extra: found sub_mch_id" },
    { "wechat_native", "CNY", NULL, "{\"sub_appid\":\"1\"}",
      "extra: found sub_mch_id" },
    { "wechat_jsapi", "CNY", NULL, "{\"sub_openid\":\"1\"}",
      "extra: found sub_mch_id" },
};

static void
takes(const char *why)
{
    const char *got = wechat_order_check(&account, &order);

    if (why == NULL) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_memory_equal(got, why, strlen(why));
}

static void
test_order_check(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(order_rows); i++) {
        order_usual(order_rows[i].method);
        order.currency  = ph_str_z(order_rows[i].currency);
        order.client_ip = ph_str_z(order_rows[i].client_ip);
        order.extra     = ph_str_z(order_rows[i].extra);
        takes(order_rows[i].why);
    }
}

/* ---- service providers ---- */

static void
sent(enum ph_channel_op op, const char *method, const char *path,
     const char *body)
{
    char url[512];

    (void) snprintf(url, sizeof(url), BASE "%s", path);
    assert_int_equal(begin(op), PH_STEP_NEED_REQUEST);
    same_text(out.request.method, method);
    same_text(out.request.url, url);
    same_text(out.request.body, body);
}

#define PARTNER "/v3/pay/partner/transactions"
#define SP "\"sp_appid\":\"" APPID "\",\"sp_mchid\":\"" MCHID "\""
#define SUBS "\"sub_appid\":\"wxsub\",\"sub_mchid\":\"1900000109\""

static void
test_partner(void **state)
{
    struct ph_channel_expected expected;

    (void) state;
    partner_set(NULL, "1900000109", "wxsub");
    order_usual("wechat_native");
    order.client_ip     = ph_str_make(NULL, 0);
    order.expires_at_ms = 0;
    sent(PH_OP_CREATE, "POST", PARTNER "/native",
         "{" SP "," SUBS ",\"description\":\"two cups\",\"out_trade_no\":"
         "\"" ATTEMPT "\",\"notify_url\":\"https://pay.example.com/notify/"
         "wechatpay/acc\",\"amount\":{\"total\":100,\"currency\":\"CNY\"}}");
    sent(PH_OP_QUERY, "GET",
         PARTNER "/out-trade-no/" ATTEMPT "?sp_mchid=" MCHID
                 "&sub_mchid=1900000109",
         "");
    sent(PH_OP_CLOSE, "POST", PARTNER "/out-trade-no/" ATTEMPT "/close",
         "{\"sp_mchid\":\"" MCHID "\",\"sub_mchid\":\"1900000109\"}");
    sent(PH_OP_REVERSE, "POST", PARTNER "/out-trade-no/" ATTEMPT "/reverse",
         "{" SP "," SUBS "}");
    sent(PH_OP_REFUND, "POST", "/v3/refund/domestic/refunds",
         "{\"sub_mchid\":\"1900000109\",\"out_trade_no\":\"" ATTEMPT
         "\",\"out_refund_no\":\"" REFUND "\",\"notify_url\":"
         "\"https://pay.example.com/notify/wechatpay/acc\",\"amount\":{"
         "\"refund\":7,\"total\":100,\"currency\":\"CNY\"}}");
    sent(PH_OP_REFUND_QUERY, "GET",
         "/v3/refund/domestic/refunds/" REFUND "?sub_mchid=1900000109", "");
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.seller, MCHID "/1900000109");
    same_text(expected.app, APPID);
    takes(NULL);

    /* the order names another sub-merchant: the account's app is not its */
    order.extra = PH_STR("{\"sub_mch_id\":\"1900000777\"}");
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.seller, MCHID "/1900000777");
    sent(PH_OP_REVERSE, "POST", PARTNER "/out-trade-no/" ATTEMPT "/reverse",
         "{" SP ",\"sub_mchid\":\"1900000777\"}");

    /* by the account alone, before the order is at hand */
    order.extra = ph_str_make(NULL, 0);
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.seller, MCHID "/1900000109");
    partner_set("yes", NULL, NULL);
    wechat_expected(&account, &order, &arena, &expected);
    same_text(expected.seller, MCHID "/"); /* never taken for a whole one */
    takes("sub_mch_id: found no number");
    order.extra = PH_STR("{\"sub_mch_id\":\"1900000777\"}");
    takes(NULL);
    order.extra = PH_STR("{\"sub_mch_id\":\"1/a?b\"}");
    takes("sub_mch_id: found no number");
    order.extra
        = PH_STR("{\"sub_mch_id\":\"1900000777\",\"sub_openid\":\"o1\"}");
    takes("sub_appid: found sub_openid without it");
}

static void
test_partner_payers(void **state)
{
    static const struct {
        const char *method, *extra, *payer, *app, *partner;
    } rows[] = {
        { "wechat_jsapi", "{\"openid\":\"o1\"}",
          "\"payer\":{\"sp_openid\":\"o1\"}", "\"appId\":\"" APPID "\"", "" },
        { "wechat_mini", "{\"sub_openid\":\"o2\"}",
          "\"payer\":{\"sub_openid\":\"o2\"}", "\"appId\":\"wxsub\"", "" },
        { "wechat_app", NULL, "\"sub_appid\":\"wxsub\"", "\"appid\":\"wxsub\"",
          "\"partnerid\":\"1900000109\"" },
    };

    (void) state;
    partner_set("yes", "1900000109", "wxsub");
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str body = PH_STR("{\"prepay_id\":\"wx2014\"}");
        struct wire   wire;

        order_usual(rows[i].method);
        order.extra = ph_str_z(rows[i].extra);
        takes(NULL);
        assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
        assert_true(holds(out.request.body, rows[i].payer));
        wire_make(&wire, PUBLIC_ID, "wxpub_pkcs8.pem", NOW_S, body);
        assert_int_equal(answer_by(200, body, &wire), PH_STEP_DONE);
        proves(PH_RESULT_WAIT_USER, "");
        struct ph_str data = out.result.action_data;
        assert_true(holds(data, rows[i].app));
        assert_true(holds(data, rows[i].partner));
    }
}

/* ---- requests ---- */

/* a base address with a path: it is signed, too */
static void
test_base_path(void **state)
{
    struct ph_str values[PH_CHANNEL_FIELDS_MAX];
    char          message[1024];
    int           len;
    unsigned char raw[400];

    (void) state;
    values_set(values);
    values[WECHAT_BASE_URL] = PH_STR("http://127.0.0.1:9/x/y/");
    assert_null(account_set(values, ph_str_make(NULL, 0)));
    assert_int_equal(begin(PH_OP_QUERY), PH_STEP_NEED_REQUEST);
    same_text(out.request.url,
              "http://127.0.0.1:9/x/y/v3/pay/transactions/out-trade-no/" ATTEMPT
              "?mchid=" MCHID);
    struct ph_str head = ph_channel_header(
        out.request.headers, out.request.header_count, PH_STR("Authorization"));
    const char *nonce = memmem(head.ptr, head.len, "nonce_str=\"", 11);
    const char *sign  = memmem(head.ptr, head.len, "signature=\"", 11);
    assert_non_null(nonce);
    assert_non_null(sign);
    len = snprintf(message, sizeof(message),
                   "GET\n/x/y/v3/pay/transactions/out-trade-no/" ATTEMPT
                   "?mchid=" MCHID "\n1795500000\n%.32s\n\n",
                   nonce + 11);
    assert_int_equal(
        EVP_DecodeBlock(raw, (const unsigned char *) sign + 11, 344), 258);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
                                          private_key("merchant_pkcs8.pem")),
                     1);
    assert_int_equal(EVP_DigestVerify(ctx, raw, 256,
                                      (const unsigned char *) message,
                                      (size_t) len),
                     1);
    EVP_MD_CTX_free(ctx);
}

static void
tea_fill(char *to, size_t characters)
{
    static const char tea[3] = { '\xe8', '\x8c', '\xb6' };

    for (size_t i = 0; i < characters; i++) {
        memcpy(to + sizeof(tea) * i, tea, sizeof(tea));
    }
}

/* texts are cut between characters, and quoted */
static void
test_texts(void **state)
{
    char          subject[128 * 3 + 1], reason[64 * 3 + 1], want[512];
    struct ph_str body;

    (void) state;
    order_usual("wechat_native");
    tea_fill(subject, 128);
    tea_fill(reason, 64);
    order.subject       = ph_str_make(subject, 128 * 3);
    order.refund_reason = ph_str_make(reason, 64 * 3);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    body = out.request.body;
    (void) snprintf(want, sizeof(want), "\"description\":\"%.*s\"", 127 * 3,
                    subject);
    assert_true(holds(body, want));
    assert_int_equal(begin(PH_OP_REFUND), PH_STEP_NEED_REQUEST);
    body = out.request.body;
    (void) snprintf(want, sizeof(want), "\"reason\":\"%.*s\"", 26 * 3, reason);
    assert_true(holds(body, want));
    order.subject = PH_STR("a \"b\"\\");
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    body = out.request.body;
    assert_true(holds(body, "\"a \\\"b\\\"\\\\\""));

    /* the same order, the same body */
    struct ph_str first = ph_arena_dup(&texts, body);
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    t_same(out.request.body, first);
    order.method = PH_STR("wechat_unheard_of");
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_ERROR);

    order_usual("bar"); /* a store is always named */
    assert_int_equal(begin(PH_OP_CREATE), PH_STEP_NEED_REQUEST);
    body = out.request.body;
    assert_true(holds(body, "\"store_info\":{\"out_id\":\"acc\"}"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order_check, setup),
        cmocka_unit_test_setup(test_partner, setup),
        cmocka_unit_test_setup(test_partner_payers, setup),
        cmocka_unit_test_setup(test_base_path, setup),
        cmocka_unit_test_setup(test_texts, setup),
    };

    return cmocka_run_group_tests_name("channel_wechatpay_orders", tests,
                                       group_begin, group_end);
}

/*
 * Alipay's adapter: its table, its accounts and what it sends.
 */
#include "t/unit/channel_alipay.h"

#include <jansson.h>

#include "channels/codes.h"
#include "libpayhub/wire/rsa.h"

#define NUMBER "A0K1M2N3P4Q7Z0123456789ABCD"
#define REFUND "R0K1M2N3P4Q7Z0123456789ABCE"
#define NOTIFY "https://pay.example.com/notify/alipay/acc"
#define RETURN "https://shop.example.com/back?x=1&y=2"
#define PAIRS_MAX 32

static struct ph_channel_account plain, cert, aes, agent;
static struct ph_public_key     *app_public;
static struct ph_channel_order   order;
static struct ph_channel_out     out;
static uint8_t                   state[PH_CHANNEL_STATE_MAX], random_bytes[32];

#define TEST(name) cmocka_unit_test_setup(name, begin)

static int
set_up(void **unused)
{
    (void) unused;
    assert_true(ph_digest_init());
    plain                               = t_values(T_PUBLIC);
    cert                                = t_values(T_CERT);
    aes                                 = t_values(T_PUBLIC);
    agent                               = t_values(T_PUBLIC);
    aes.values[ALIPAY_AES_KEY]          = PH_STR(T_AES_KEY);
    agent.values[ALIPAY_APP_AUTH_TOKEN] = PH_STR("2026BBtoken");
    agent.values[ALIPAY_PROVIDER_ID]    = PH_STR("2088511833207846");
    t_open(&plain);
    t_open(&cert);
    t_open(&aes);
    t_open(&agent);
    assert_int_equal(ph_public_key_new(&app_public, t_key("app_public.pem")),
                     PH_OK);
    return 0;
}

static int
tear_down(void **unused)
{
    (void) unused;
    ph_channel_account_close(&plain);
    ph_channel_account_close(&cert);
    ph_channel_account_close(&aes);
    ph_channel_account_close(&agent);
    ph_public_key_free(app_public);
    ph_digest_deinit();
    return 0;
}

static int
begin(void **unused)
{
    (void) unused;
    t_arena_fresh();
    out   = (struct ph_channel_out){ 0 };
    order = (struct ph_channel_order){
        .attempt_id    = PH_STR(NUMBER),
        .method        = PH_STR("alipay_qr"),
        .amount        = 8888,
        .currency      = PH_STR("CNY"),
        .subject       = PH_STR("a&b=c+d %20?\"q\"\\/<x> \xe8\x8c\xb6"),
        .description   = PH_STR("green"),
        .notify_url    = PH_STR(NOTIFY),
        .return_url    = PH_STR(RETURN),
        .extra         = PH_STR("{}"),
        .expires_at_ms = T_NOW_MS + 7200123,
        .refund_id     = PH_STR(REFUND),
        .refund_amount = 1,
        .refund_reason = PH_STR("too hot"),
    };
    return 0;
}

/* --- tables --------------------------------------------------------------- */

static void
the_table_is_whole(void **unused)
{
    static const char *const keys[]
        = { "gateway_url",       "app_id",
            "seller_id",         "app_private_key",
            "alipay_public_key", "old_alipay_public_key",
            "app_cert",          "alipay_cert",
            "alipay_root_cert",  "aes_key",
            "app_auth_token",    "sys_service_provider_id" };
    const struct ph_channel *channel = &ph_channel_alipay;
    size_t                   at;

    (void) unused;
    assert_int_equal(channel->abi, PH_CHANNEL_ABI);
    assert_int_equal(channel->size, sizeof(struct ph_channel));
    assert_ptr_equal(ph_channel_find(PH_STR("alipay")), channel);
    assert_int_equal(channel->field_count, PH_COUNT(keys));
    assert_true(channel->field_count <= PH_CHANNEL_FIELDS_MAX);
    for (size_t i = 0; i < PH_COUNT(keys); i++) {
        assert_string_equal(channel->fields[i].key, keys[i]);
    }
    assert_true(channel->fields[ALIPAY_APP_PRIVATE_KEY].secret);
    assert_true(channel->fields[ALIPAY_AES_KEY].secret);
    assert_true(channel->fields[ALIPAY_APP_AUTH_TOKEN].secret);
    assert_int_equal(ph_codes_check(channel, &at), PH_CODES_OK);
    for (size_t i = 0; channel->methods[i] != NULL; i++) {
        order.method = ph_str_z(channel->methods[i]);
        assert_true(alipay_method(PH_OP_CREATE, &order).len != 0);
    }
}

/* --- accounts ------------------------------------------------------------- */

/* what is wrong with an account in which one value was changed */
static const char *
why(enum t_mode mode, size_t field, struct ph_str value)
{
    struct ph_channel_account   account = t_values(mode);
    const struct ph_channel_env env     = { NULL };
    const char                 *text    = "";

    t_arena_fresh();
    account.values[field] = value;
    bool ok
        = ph_channel_account_open(&account, &env, T_NOW_MS, &t_arena, &text);
    ph_channel_account_close(&account);
    return ok ? "" : text;
}

static void
refused(enum t_mode mode, size_t field, struct ph_str value, const char *want)
{
    const char *text = why(mode, field, value);

    if (strncmp(text, want, strlen(want)) != 0
        || strstr(text, ", expected ") == NULL)
    {
        fail_msg("found \"%s\", expected \"%s...\"", text, want);
    }
}

static struct ph_str
pem_of(const char *kind, int bits)
{
    static char memory[8192];
    EVP_PKEY   *key = bits != 0
                          ? EVP_PKEY_Q_keygen(NULL, NULL, kind, (size_t) bits)
                          : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    BIO        *bio = BIO_new(BIO_s_mem());
    char       *text;

    assert_non_null(key);
    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    size_t len = (size_t) BIO_get_mem_data(bio, &text);
    assert_true(len < sizeof(memory));
    memcpy(memory, text, len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return ph_str_make(memory, len);
}

static void
accounts_that_cannot_work_are_refused(void **unused)
{
    const struct ph_str none     = ph_str_make(NULL, 0);
    const struct ph_str platform = t_key("platform_public.pem");

    (void) unused;
    refused(T_PUBLIC, ALIPAY_GATEWAY_URL, PH_STR("ftp://x"), "gateway_url: ");
    refused(T_PUBLIC, ALIPAY_GATEWAY_URL, PH_STR("http://openapi.alipay.com/"),
            "gateway_url: ");
    refused(T_PUBLIC, ALIPAY_GATEWAY_URL, PH_STR(T_GATEWAY "?a=1"),
            "gateway_url: ");
    refused(T_PUBLIC, ALIPAY_APP_ID, none, "app_id: found nothing");
    refused(T_PUBLIC, ALIPAY_APP_ID, PH_STR("2021x"), "app_id: found ");
    refused(T_PUBLIC, ALIPAY_APP_ID,
            PH_STR("202100012267108020210001226710801"), "app_id: found ");
    refused(T_PUBLIC, ALIPAY_SELLER_ID, PH_STR("2088 "), "seller_id: found ");
    refused(T_PUBLIC, ALIPAY_PROVIDER_ID, PH_STR("x"),
            "sys_service_provider_id: found ");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, none,
            "app_private_key: found nothing");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, PH_STR("x"),
            "app_private_key: found nothing that can be read");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, platform,
            "app_private_key: found nothing that can be read");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, pem_of("RSA", 1024),
            "app_private_key: found a key too weak");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, pem_of("ED25519", 0),
            "app_private_key: found a key that is not RSA");
    refused(T_PUBLIC, ALIPAY_APP_PRIVATE_KEY, pem_of("SM2", 0),
            "app_private_key: found a key that is not RSA");
    refused(T_PUBLIC, ALIPAY_PUBLIC_KEY, none, "alipay_public_key: found ");
    refused(T_PUBLIC, ALIPAY_PUBLIC_KEY, PH_STR("x"),
            "alipay_public_key: found nothing that can be read");
    refused(T_PUBLIC, ALIPAY_PUBLIC_KEY, t_key("app_public.pem"),
            "alipay_public_key: found the app's own public key, expected "
            "Alipay's");
    refused(T_PUBLIC, ALIPAY_PUBLIC_KEY, t_key("appCertPublicKey.crt"),
            "alipay_public_key: found the app's own public key, expected "
            "Alipay's");
    refused(T_PUBLIC, ALIPAY_OLD_PUBLIC_KEY, t_key("app_public.pem"),
            "old_alipay_public_key: found the app's own public key");
    refused(T_PUBLIC, ALIPAY_PUBLIC_KEY, t_key("rootec.crt"),
            "alipay_public_key: found a key that is not RSA");
    refused(T_PUBLIC, ALIPAY_OLD_PUBLIC_KEY, PH_STR("x"),
            "old_alipay_public_key: found nothing that can be read");
    refused(T_PUBLIC, ALIPAY_AES_KEY, PH_STR("AAAA"), "aes_key: found ");
    refused(T_PUBLIC, ALIPAY_AES_KEY, PH_STR("not base64"), "aes_key: found ");
    refused(T_PUBLIC, ALIPAY_AES_KEY, PH_STR("dfD8f690gQuRBLmdPjOWjgAA"),
            "aes_key: found ");
    assert_string_equal(
        why(T_PUBLIC, ALIPAY_AES_KEY, PH_STR(" " T_AES_KEY "\n")), "");
    assert_string_equal(why(T_PUBLIC, ALIPAY_SELLER_ID, none), "");
}

static void
certificates_that_do_not_fit_are_refused(void **unused)
{
    const struct ph_str none = ph_str_make(NULL, 0);

    (void) unused;
    /* one of three */
    refused(T_PUBLIC, ALIPAY_APP_CERT, t_key("appCertPublicKey.crt"),
            "alipay_root_cert: found nothing");
    refused(T_CERT, ALIPAY_ROOT_CERT, none, "alipay_public_key: found ");
    refused(T_CERT, ALIPAY_APP_CERT, t_key("alipayCertPublicKey.crt"),
            "app_cert: found the certificate of another key");
    refused(T_CERT, ALIPAY_APP_CERT, t_key("app_public.pem"),
            "app_cert: found nothing that can be read");
    refused(T_CERT, ALIPAY_APP_PRIVATE_KEY, t_key("platform_pkcs8.pem"),
            "app_cert: found the certificate of another key");
    refused(T_CERT, ALIPAY_CERT, PH_STR("x"), "alipay_cert: found nothing");
    refused(T_CERT, ALIPAY_CERT, t_key("rootec.crt"), "alipay_cert: found ");
    /* without the one in the middle, and under other roots */
    struct ph_str whole = t_key("alipayCertPublicKey.crt");
    const char   *end   = strstr(whole.ptr, "-----END CERTIFICATE-----");
    refused(T_CERT, ALIPAY_CERT,
            ph_str_make(whole.ptr, (size_t) (end - whole.ptr) + 25),
            "alipay_cert: found a certificate without a chain");
    refused(T_CERT, ALIPAY_ROOT_CERT, t_key("root2.crt"),
            "alipay_cert: found a certificate without a chain");
    refused(T_CERT, ALIPAY_ROOT_CERT, t_key("rootec.crt"),
            "alipay_root_cert: found ");
    refused(T_CERT, ALIPAY_ROOT_CERT, PH_STR("x"), "alipay_root_cert: found ");
    assert_string_equal(
        why(T_CERT, ALIPAY_OLD_PUBLIC_KEY, t_key("mid_public.pem")), "");
}

/* What is configured is read beyond its last day, and before its first. */
static void
dates_do_not_lock_an_account(void **unused)
{
    static const uint64_t times[]
        = { UINT64_C(1600000000000), UINT64_C(4000000000000) };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(times); i++) {
        struct ph_channel_account   account = t_values(T_CERT);
        const struct ph_channel_env env     = { NULL };
        const char                 *text    = "";

        if (!ph_channel_account_open(&account, &env, times[i], &t_arena, &text))
        {
            fail_msg("%s", text);
        }
        ph_channel_account_close(&account);
    }
}

static void
accounts_say_which_orders_they_take(void **unused)
{
    static const struct {
        const char *method, *currency, *extra;
        int64_t     amount;
        bool        ok;
    } rows[] = {
        { "alipay_qr", "CNY", "{}", 1, true },
        { "alipay_qr", "CNY", "{}", 10000000000, true },
        { "alipay_qr", "CNY", "{}", 10000000001, false },
        { "alipay_qr", "CNY", "{}", 0, false },
        { "alipay_qr", "USD", "{}", 1, false },
        { "bar", "CNY", "{\"auth_code\":\"2434567890123456\"}", 1, false },
        { "bar", "CNY", "{\"auth_code\":\"2534567890123456\"}", 1, true },
        { "bar", "CNY", "{\"auth_code\":\"2934567890123456\"}", 1, true },
        { "bar", "CNY", "{\"auth_code\":\"3034567890123456\"}", 1, true },
        { "bar", "CNY", "{\"auth_code\":\"3134567890123456\"}", 1, false },
        { "bar", "CNY", "{\"auth_code\":\"1334567890123456\"}", 1, false },
        { "bar", "CNY", "{\"auth_code\":\"2\"}", 1, false },
        { "bar", "CNY", "{}", 1, false },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        order.method   = ph_str_z(rows[i].method);
        order.currency = ph_str_z(rows[i].currency);
        order.extra    = ph_str_z(rows[i].extra);
        order.amount   = rows[i].amount;
        assert_int_equal(ph_channel_alipay.order_check(&plain, &order) == NULL,
                         rows[i].ok);
    }
}

static void
evidence_has_to_name_app_and_seller(void **unused)
{
    struct ph_channel_expected expected;
    struct ph_channel_account  account = plain;

    (void) unused;
    ph_channel_alipay.expected(&account, &order, &t_arena, &expected);
    assert_true(t_is(expected.app, T_APP_ID));
    assert_true(t_is(expected.seller, T_SELLER));
    account.values[ALIPAY_SELLER_ID] = ph_str_make(NULL, 0);
    ph_channel_alipay.expected(&account, &order, &t_arena, &expected);
    assert_null(expected.seller.ptr);
}

/* --- requests ------------------------------------------------------------- */

static struct ph_pair params[PAIRS_MAX];
static size_t         param_count;

static void
param_is(const char *name, const char *want)
{
    t_same(ph_pair_find(params, param_count, ph_str_z(name)), ph_str_z(want));
}

/* Of an address, or a text with nothing before the `?`; verified. */
static void
params_take(struct ph_str query, struct ph_str body)
{
    static char   memory[64 * 1024];
    struct ph_buf text = PH_BUF_INIT(memory);
    char          raw_memory[512];
    struct ph_buf raw = PH_BUF_INIT(raw_memory);
    size_t        more;

    assert_int_equal(
        ph_form_decode(query, &t_arena, params, PAIRS_MAX, &param_count),
        PH_OK);
    assert_int_equal(ph_form_decode(body, &t_arena, params + param_count,
                                    PAIRS_MAX - param_count, &more),
                     PH_OK);
    param_count += more;
    alipay_sign_text(params, param_count, &text);
    struct ph_str joined = ph_buf_str(&text);
    assert_int_equal(
        ph_b64_decode(&raw, ph_pair_find(params, param_count, PH_STR("sign"))),
        PH_OK);
    assert_int_equal(ph_public_check(app_public, PH_RSA_SHA256, &joined, 1,
                                     ph_buf_str(&raw)),
                     PH_OK);
    for (size_t i = 0; i < param_count; i++) {
        assert_true(params[i].value.len != 0);
    }
}

static enum ph_channel_step
stepped(const struct ph_channel_account *account, enum ph_channel_op op)
{
    struct ph_channel_call call = { .op      = op,
                                    .account = account,
                                    .order   = &order,
                                    .arena   = &t_arena,
                                    .now_ms  = T_NOW_MS,
                                    .random  = random_bytes,
                                    .state   = state };

    return ph_channel_alipay.step(&call, NULL, &out);
}

static void
sends(const struct ph_channel_account *account, enum ph_channel_op op)
{
    struct ph_str base, query;

    assert_int_equal(stepped(account, op), PH_STEP_NEED_REQUEST);
    assert_true(t_is(out.request.method, "POST"));
    assert_true(ph_str_cut(out.request.url, '?', &base, &query));
    assert_true(t_is(base, T_GATEWAY));
    assert_int_equal(out.request.header_count, 1);
    assert_true(
        t_is(ph_channel_header(out.request.headers, 1, PH_STR("content-type")),
             "application/x-www-form-urlencoded;charset=utf-8"));
    assert_true(ph_str_starts(out.request.body, PH_STR("biz_content=")));
    params_take(query, out.request.body);
    param_is("app_id", T_APP_ID);
    param_is("charset", "utf-8");
    param_is("sign_type", "RSA2");
    param_is("version", "1.0");
    param_is("timestamp", "2026-11-24 08:00:00");
}

#define SUBJECT                                                                \
    "\"subject\":\"a&b=c+d %20?\\\"q\\\"\\\\/<x> \xe8\x8c\xb6\","              \
    "\"body\":\"green\","
#define EXPIRY "\"time_expire\":\"2026-11-24 10:00:00\""
#define HEAD "{\"out_trade_no\":\"" NUMBER "\""

/* clang-format off */
static const struct {
    const char        *method; /* ours */
    enum ph_channel_op op;
    const char        *api;
    const char        *extra;
    const char        *biz_content;
} sent[] = {
    { "alipay_qr", PH_OP_CREATE, "alipay.trade.precreate", "{}",
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT EXPIRY "}" },
    { "alipay_bar", PH_OP_CREATE, "alipay.trade.pay", "{\"auth_code\":\"28763443825664394\"}",
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"FACE_TO_FACE_PAYMENT\"," EXPIRY
      ",\"auth_code\":\"28763443825664394\",\"scene\":\"bar_code\"}" },
    { "bar", PH_OP_CREATE, "alipay.trade.pay", "{\"auth_code\":\"28763443825664394\"}",
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"FACE_TO_FACE_PAYMENT\"," EXPIRY
      ",\"auth_code\":\"28763443825664394\",\"scene\":\"bar_code\"}" },
    { "alipay_jsapi", PH_OP_CREATE, "alipay.trade.create", "{\"buyer_id\":\"2088102175864321\"}",
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"JSAPI_PAY\"," EXPIRY
      ",\"buyer_id\":\"2088102175864321\",\"op_app_id\":\"" T_APP_ID "\"}" },
    { "alipay_jsapi", PH_OP_CREATE, "alipay.trade.create", "{\"buyer_open_id\":\"074a1\"}",
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"JSAPI_PAY\"," EXPIRY
      ",\"buyer_open_id\":\"074a1\",\"op_app_id\":\"" T_APP_ID "\"}" },
    { "alipay_qr", PH_OP_QUERY, "alipay.trade.query", "{}", HEAD "}" },
    { "alipay_bar", PH_OP_QUERY, "alipay.trade.query", "", HEAD "}" },
    { "alipay_qr", PH_OP_CLOSE, "alipay.trade.close", "{}", HEAD "}" },
    { "alipay_bar", PH_OP_REVERSE, "alipay.trade.cancel", "{}", HEAD "}" },
    { "alipay_qr", PH_OP_REFUND, "alipay.trade.refund", "{}",
      HEAD ",\"refund_amount\":\"0.01\",\"out_request_no\":\"" REFUND "\",\"refund_reason\":\"too hot\"}" },
    { "alipay_qr", PH_OP_REFUND_QUERY, "alipay.trade.fastpay.refund.query", "{}",
      HEAD ",\"out_request_no\":\"" REFUND "\",\"query_options\":[\"gmt_refund_pay\"]}" },
};
/* clang-format on */

static void
every_operation_sends_what_it_has_to(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(sent); i++) {
        begin(NULL);
        order.method = ph_str_z(sent[i].method);
        order.extra  = ph_str_z(sent[i].extra);
        sends(&plain, sent[i].op);
        param_is("method", sent[i].api);
        param_is("biz_content", sent[i].biz_content);
        param_is("notify_url", sent[i].op == PH_OP_CREATE ? NOTIFY : "");
        param_is("return_url", "");
        param_is("app_cert_sn", "");
        param_is("app_auth_token", "");
        param_is("encrypt_type", "");
    }
}

static void
an_account_adds_what_it_is_for(void **unused)
{
    (void) unused;
    sends(&agent, PH_OP_CREATE);
    param_is("app_auth_token", "2026BBtoken");
    param_is("biz_content",
             HEAD ",\"total_amount\":\"88.88\"," SUBJECT EXPIRY
                  ",\"extend_params\":{\"sys_service_provider_id\":"
                  "\"2088511833207846\"}}");
    sends(&agent, PH_OP_QUERY);
    param_is("app_auth_token", "2026BBtoken");
    param_is("biz_content", HEAD "}");
    sends(&cert, PH_OP_QUERY);
    param_is("app_cert_sn", "8fa1c2a1b87d4c72da130327af8b04f4");
    param_is("alipay_root_cert_sn", "39508df51cf254757f42cff52d85f67f_"
                                    "33d58f46375b1e4e04f6d2dcb84210f2");
    sends(&aes, PH_OP_CLOSE);
    param_is("encrypt_type", "AES");

    char          memory[512];
    struct ph_buf text = PH_BUF_INIT(memory);
    assert_int_equal(
        alipay_aes(false, &aes,
                   ph_pair_find(params, param_count, PH_STR("biz_content")),
                   &text),
        PH_OK);
    t_same(ph_buf_str(&text), PH_STR(HEAD "}"));
}

static void
long_texts_are_cut_between_characters(void **unused)
{
    static char   text[256 * 3], want[128 * 3 + 64];
    struct ph_buf buf = PH_BUF_INIT(text);

    (void) unused;
    for (size_t i = 0; i < 256; i++) {
        ph_buf_add(&buf, PH_STR("\xe8\x8c\xb6"));
    }
    order.description   = ph_str_make(text, 129 * 3);
    order.subject       = PH_STR("s");
    order.expires_at_ms = 0;
    sends(&plain, PH_OP_CREATE);
    (void) snprintf(want, sizeof(want), ",\"body\":\"%.*s\"}", 128 * 3, text);
    struct ph_str content
        = ph_pair_find(params, param_count, PH_STR("biz_content"));
    assert_true(content.len > strlen(want));
    t_same(ph_str_make(content.ptr + content.len - strlen(want), strlen(want)),
           ph_str_z(want));
}

/* --- without a call ------------------------------------------------------- */

static struct ph_str
action_text(void)
{
    json_error_t error;
    json_t      *value
        = json_loadb(out.result.action_data.ptr, out.result.action_data.len,
                     JSON_DECODE_ANY, &error);

    assert_true(json_is_string(value));
    struct ph_str text
        = ph_arena_dup(&t_arena, ph_str_make(json_string_value(value),
                                             json_string_length(value)));
    json_decref(value);
    return text;
}

/* clang-format off */
static const struct {
    const char         *method, *api, *extra;
    enum ph_action_type action;
    const char         *biz_content;
} handed[] = {
    { "alipay_page", "alipay.trade.page.pay", "{}", PH_ACTION_REDIRECT,
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"FAST_INSTANT_TRADE_PAY\"," EXPIRY "}" },
    { "alipay_page", "alipay.trade.page.pay", "{\"qr_pay_mode\":\"4\"}", PH_ACTION_REDIRECT,
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"FAST_INSTANT_TRADE_PAY\"," EXPIRY ",\"qr_pay_mode\":\"4\"}" },
    { "alipay_wap", "alipay.trade.wap.pay", "{\"quit_url\":\"https://q\"}", PH_ACTION_REDIRECT,
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"QUICK_WAP_WAY\"," EXPIRY ",\"quit_url\":\"https://q\"}" },
    { "alipay_app", "alipay.trade.app.pay", "{}", PH_ACTION_APP,
      HEAD ",\"total_amount\":\"88.88\"," SUBJECT "\"product_code\":\"QUICK_MSECURITY_PAY\"," EXPIRY "}" },
};
/* clang-format on */

static void
the_payer_is_handed_what_is_signed(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(handed); i++) {
        bool          is_page = handed[i].action == PH_ACTION_REDIRECT;
        struct ph_str base    = PH_STR(T_GATEWAY), query;

        begin(NULL);
        order.method = ph_str_z(handed[i].method);
        order.extra  = ph_str_z(handed[i].extra);
        assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_DONE);
        assert_int_equal(out.result.class, PH_RESULT_WAIT_USER);
        assert_int_equal(out.result.action, handed[i].action);
        assert_true(out.result.amount == -1 && out.result.number.len == 0);
        query = action_text();
        if (is_page) {
            assert_true(ph_str_cut(query, '?', &base, &query));
        }
        assert_true(t_is(base, T_GATEWAY));
        params_take(query, PH_STR(""));
        param_is("method", handed[i].api);
        param_is("biz_content", handed[i].biz_content);
        param_is("notify_url", NOTIFY);
        param_is("return_url", is_page ? RETURN : "");
        /* no byte that an address may not have */
        assert_null(memchr(query.ptr, '+', query.len));
        assert_null(memchr(query.ptr, ' ', query.len));
    }
}

/* --- what is not sent ----------------------------------------------------- */

static void
what_cannot_be_sent_is_an_error(void **unused)
{
    (void) unused;
    order.method = PH_STR("wechat_native");
    assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_ERROR);
    order.method = PH_STR("alipay_bar");
    assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_ERROR);
    order.method = PH_STR("alipay_jsapi");
    assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_ERROR);
    begin(NULL);
    order.amount = 0;
    assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_ERROR);
    order.method = PH_STR("alipay_page");
    assert_int_equal(stepped(&plain, PH_OP_CREATE), PH_STEP_ERROR);
    begin(NULL);
    order.refund_amount = ALIPAY_AMOUNT_MAX + 1;
    assert_int_equal(stepped(&plain, PH_OP_REFUND), PH_STEP_ERROR);
    begin(NULL);
    order.refund_id = ph_str_make(NULL, 0);
    assert_int_equal(stepped(&plain, PH_OP_REFUND), PH_STEP_ERROR);
    assert_int_equal(stepped(&plain, PH_OP_REFUND_QUERY), PH_STEP_ERROR);
    begin(NULL);
    order.attempt_id = ph_str_make(NULL, 0);
    assert_int_equal(stepped(&plain, PH_OP_QUERY), PH_STEP_ERROR);
    assert_int_equal(stepped(&plain, (enum ph_channel_op) 0), PH_STEP_ERROR);
    assert_int_equal(stepped(&plain, PH_OP_ACCOUNT_REFRESH), PH_STEP_ERROR);
}

/* A request is whole or there is none; of both ways and when encrypted. */
static void
a_full_arena_is_an_error_at_every_size(void **unused)
{
    static const struct {
        const char                      *method;
        const struct ph_channel_account *account;
    } rows[] = { { "alipay_qr", &plain },
                 { "alipay_page", &plain },
                 { "alipay_qr", &aes },
                 { "alipay_app", &aes } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_channel_step step = PH_STEP_ERROR;
        size_t               size = 0;

        for (; size < 16384 && step == PH_STEP_ERROR; size += 64) {
            begin(NULL);
            order.method = ph_str_z(rows[i].method);
            ph_arena_init(&t_arena, t_memory, size);
            step = stepped(rows[i].account, PH_OP_CREATE);
        }
        assert_int_not_equal(step, PH_STEP_ERROR);
        assert_true(size > 1024);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_whole),
        TEST(accounts_that_cannot_work_are_refused),
        TEST(certificates_that_do_not_fit_are_refused),
        TEST(dates_do_not_lock_an_account),
        TEST(accounts_say_which_orders_they_take),
        TEST(evidence_has_to_name_app_and_seller),
        TEST(every_operation_sends_what_it_has_to),
        TEST(an_account_adds_what_it_is_for),
        TEST(long_texts_are_cut_between_characters),
        TEST(the_payer_is_handed_what_is_signed),
        TEST(what_cannot_be_sent_is_an_error),
        TEST(a_full_arena_is_an_error_at_every_size),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

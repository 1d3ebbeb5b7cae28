/*
 * test_vectors_alipay.c - every case of t/data/vectors/alipay.json: what we
 * sign is byte for byte what alipay-sdk signed, and what it signed, forged and
 * bent is taken or refused as the case says.
 */
#include "t/unit/channel_alipay.h"

#include <jansson.h>

#define PAIRS_MAX 64

static struct ph_channel_account plain, cert, aes;

static int
set_up(void **state)
{
    json_error_t error;

    assert_true(ph_digest_init());
    plain                      = t_values(T_PUBLIC);
    cert                       = t_values(T_CERT);
    aes                        = t_values(T_PUBLIC);
    aes.values[ALIPAY_AES_KEY] = PH_STR(T_AES_KEY);
    t_open(&plain);
    t_open(&cert);
    t_open(&aes);
    struct ph_str text = t_file(t_vector_path("alipay.json"));
    *state = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    return *state != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    json_decref(*state);
    ph_channel_account_close(&plain);
    ph_channel_account_close(&cert);
    ph_channel_account_close(&aes);
    ph_digest_deinit();
    return 0;
}

/* --- JSON ----------------------------------------------------------------- */

static struct ph_str
member(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    assert_true(json_is_string(value));
    return ph_str_make(json_string_value(value), json_string_length(value));
}

static bool
begins(const json_t *row, const char *name, const char *with)
{
    return ph_str_starts(member(row, name), ph_str_z(with));
}

static const json_t *
list(void **state, const char *name, size_t count)
{
    const json_t *rows = json_object_get(*state, name);

    assert_true(json_array_size(rows) >= count);
    return rows;
}

/* as many as there are, each a text */
static size_t
pairs_of(const json_t *object, struct ph_pair *pairs)
{
    const char *name;
    json_t     *value;
    size_t      count = 0;

    json_object_foreach((json_t *) (uintptr_t) object, name, value)
    {
        assert_true(count < PAIRS_MAX && json_is_string(value));
        pairs[count++]
            = (struct ph_pair){ ph_str_z(name),
                                ph_str_make(json_string_value(value),
                                            json_string_length(value)) };
    }
    return count;
}

static void
same_pairs(const struct ph_pair *got, size_t got_count,
           const struct ph_pair *want, size_t want_count)
{
    assert_int_equal(got_count, want_count);
    for (size_t i = 0; i < want_count; i++) {
        t_same(ph_pair_find(got, got_count, want[i].name), want[i].value);
    }
}

/* --- requests ------------------------------------------------------------- */

static void
request_is_signed_alike(const struct ph_channel_account *account,
                        const json_t *row, struct ph_str *sign)
{
    static char    memory[16 * 1024];
    struct ph_pair params[PAIRS_MAX];
    struct ph_buf  text  = PH_BUF_INIT(memory);
    size_t         count = pairs_of(json_object_get(row, "params"), params);

    t_arena_fresh();
    alipay_sign_text(params, count, &text);
    t_same(ph_buf_str(&text), member(row, "string_to_sign"));
    assert_true(alipay_params_sign(account, params, count, &t_arena, sign));
    t_same(*sign, member(row, "sign"));
}

/* The text for a phone, and what the other library has put on the wire: the
 * same names and values, and the signature that we make. */
static void
wire_holds_the_same(const json_t *row, struct ph_str sign)
{
    const json_t  *wire = json_object_get(row, "wire_from_sdk");
    struct ph_pair want[PAIRS_MAX], got[PAIRS_MAX];
    struct ph_str  path, query;
    size_t         got_count, form_count;
    size_t         count = pairs_of(json_object_get(row, "params"), want);

    want[count++] = (struct ph_pair){ PH_STR("sign"), sign };
    assert_int_equal(ph_form_decode(member(row, "orderstr_app"), &t_arena, got,
                                    PAIRS_MAX, &got_count),
                     PH_OK);
    same_pairs(got, got_count, want, count);
    assert_true(ph_str_cut(member(wire, "target"), '?', &path, &query));
    assert_int_equal(
        ph_form_decode(query, &t_arena, got, PAIRS_MAX, &got_count), PH_OK);
    assert_int_equal(ph_form_decode(member(wire, "body"), &t_arena,
                                    got + got_count, PAIRS_MAX - got_count,
                                    &form_count),
                     PH_OK);
    same_pairs(got, got_count + form_count, want, count);
}

static void
test_requests(void **state)
{
    const json_t *rows = list(state, "requests", 16);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct ph_str sign;

        request_is_signed_alike(&plain, row, &sign);
        wire_holds_the_same(row, sign);
    }
}

static void
test_cert_mode_requests(void **state)
{
    const json_t *rows = list(state, "cert_mode_requests", 3);
    const json_t *sns  = json_object_get(*state, "cert_sn");
    struct ph_str app, alipay, root;

    alipay_sns(&cert, &app, &alipay, &root);
    t_same(app, member(sns, "app_cert_sn"));
    t_same(alipay, member(sns, "alipay_cert_sn"));
    t_same(root, member(sns, "alipay_root_cert_sn"));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct ph_str sign;

        request_is_signed_alike(&cert, row, &sign);
        wire_holds_the_same(row, sign);
        t_same(member(json_object_get(row, "params"), "app_cert_sn"), app);
        t_same(member(json_object_get(row, "params"), "alipay_root_cert_sn"),
               root);
    }
}

static void
same_both_ways(struct ph_str text, struct ph_str secret)
{
    static char   memory[8192];
    struct ph_buf buf = PH_BUF_INIT(memory);

    assert_int_equal(alipay_aes(true, &aes, text, &buf), PH_OK);
    t_same(ph_buf_str(&buf), secret);
    ph_buf_init(&buf, memory, sizeof(memory));
    assert_int_equal(alipay_aes(false, &aes, secret, &buf), PH_OK);
    t_same(ph_buf_str(&buf), text);
}

static void
test_encrypted_requests(void **state)
{
    const json_t *rows = list(state, "encrypted_requests", 2);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char *text = json_dumps(json_object_get(row, "biz_content_object"),
                                JSON_COMPACT | JSON_PRESERVE_ORDER);
        struct ph_str sign;

        request_is_signed_alike(&aes, row, &sign);
        wire_holds_the_same(row, sign);
        same_both_ways(ph_str_z(text), member(row, "biz_content"));
        t_same(member(json_object_get(row, "params"), "encrypt_type"),
               PH_STR("AES"));
        free(text);
    }
}

static void
test_aes(void **state)
{
    const json_t *rows = list(state, "aes", 5);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        same_both_ways(member(row, "plaintext"), member(row, "ciphertext"));
    }
}

/* --- answers -------------------------------------------------------------- */

static const struct {
    const char        *key;
    const char        *method; /* of the API */
    enum ph_channel_op op;
    const char        *way; /* our method */
} keys[] = {
    { "alipay_trade_precreate_response", "alipay.trade.precreate", PH_OP_CREATE,
      "alipay_qr" },
    { "alipay_trade_query_response", "alipay.trade.query", PH_OP_QUERY,
      "alipay_qr" },
    { "alipay_trade_pay_response", "alipay.trade.pay", PH_OP_CREATE,
      "alipay_bar" },
    { "error_response", "alipay.trade.query", PH_OP_QUERY, "alipay_qr" },
};

static size_t
key_of(const json_t *row)
{
    size_t i = 0;

    while (!t_is(member(row, "response_key"), keys[i].key)) {
        i++;
        assert_true(i < PH_COUNT(keys));
    }
    return i;
}

static struct ph_channel_result
answered(const struct ph_channel_account *account, const json_t *row)
{
    static uint8_t                state[PH_CHANNEL_STATE_MAX], random[32];
    size_t                        key   = key_of(row);
    const struct ph_channel_order order = {
        .attempt_id = PH_STR("PH202611230001"),
        .method     = ph_str_z(keys[key].way),
        .amount     = 8888,
        .currency   = PH_STR("CNY"),
    };
    struct ph_channel_call        call = { .op      = keys[key].op,
                                           .step    = 1,
                                           .account = account,
                                           .order   = &order,
                                           .arena   = &t_arena,
                                           .now_ms  = T_NOW_MS,
                                           .random  = random,
                                           .state   = state };
    const struct ph_channel_reply reply
        = { .status = 200, .body = member(row, "body") };
    struct ph_channel_out out = { 0 };

    assert_int_equal(ph_channel_alipay.step(&call, &reply, &out), PH_STEP_DONE);
    return out.result;
}

/* what the good ones say, by name */
static const struct {
    const char *name;
    enum ph_result_class class;
    int64_t amount;
} good[] = {
    { "precreate ok, escaped slashes", PH_RESULT_WAIT_USER, -1 },
    { "precreate ok, plain slashes", PH_RESULT_WAIT_USER, -1 },
    { "query ok, Chinese", PH_RESULT_SUCCEEDED, 8888 },
    { "query ok, spaces and key order kept", PH_RESULT_WAIT_USER, -1 },
    { "query ok, the word sign and braces inside a value", PH_RESULT_SUCCEEDED,
      8888 },
    { "query ok with alipay_cert_sn (certificate mode)", PH_RESULT_SUCCEEDED,
      8888 },
    { "business failure 40004", PH_RESULT_NOT_FOUND, -1 },
    { "unknown 20000", PH_RESULT_UNKNOWN, -1 },
    { "pay in progress 10003", PH_RESULT_WAIT_USER, 8888 },
};

static void
good_says(const struct ph_channel_account *account, const json_t *row)
{
    struct ph_channel_result result = answered(account, row);

    for (size_t i = 0; i < PH_COUNT(good); i++) {
        if (t_is(member(row, "name"), good[i].name)) {
            assert_int_equal(result.class, good[i].class);
            assert_true(result.amount == good[i].amount);
            return;
        }
    }
    fail_msg("a new case: %s", member(row, "name").ptr);
}

static void
test_responses(void **state)
{
    const json_t *rows = list(state, "responses", 15);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t        *row = json_array_get(rows, i);
        struct alipay_answer answer;
        bool                 has_sn
            = strstr(member(row, "body").ptr, "\"alipay_cert_sn\"") != NULL;
        const struct ph_channel_account *account = has_sn ? &cert : &plain;

        t_arena_fresh();
        print_message("%s\n", member(row, "name").ptr);
        enum ph_rc rc
            = alipay_answer_open(account, ph_str_z(keys[key_of(row)].method),
                                 member(row, "body"), &t_arena, &answer);
        if (begins(row, "expect", "accept")) {
            assert_int_equal(rc, PH_OK);
            t_same(answer.content, member(row, "signed_content"));
            good_says(account, row);
        } else {
            assert_int_not_equal(rc, PH_OK);
            assert_null(answer.content.ptr);
            struct ph_channel_result result = answered(account, row);
            assert_int_equal(result.class, PH_RESULT_UNKNOWN);
            assert_true(result.number.len == 0 && result.amount == -1);
            assert_true(t_is(result.error_class, begins(row, "expect", "error")
                                                     ? "config"
                                                     : "signature"));
        }
    }
}

/* With certificates an answer has to name the one that it is signed by. */
static void
test_responses_need_their_certificate(void **state)
{
    const json_t *rows = list(state, "responses", 15);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t        *row = json_array_get(rows, i);
        struct alipay_answer answer;

        t_arena_fresh();
        if (strstr(member(row, "body").ptr, "\"alipay_cert_sn\"") == NULL) {
            assert_int_not_equal(
                alipay_answer_open(&cert, ph_str_z(keys[key_of(row)].method),
                                   member(row, "body"), &t_arena, &answer),
                PH_OK);
        }
    }
}

static void
test_encrypted_responses(void **state)
{
    const json_t *rows = list(state, "encrypted_responses", 1);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t        *row    = json_array_get(rows, i);
        struct ph_str        method = ph_str_z(keys[key_of(row)].method);
        struct alipay_answer answer;

        t_arena_fresh();
        assert_int_equal(alipay_answer_open(&aes, method, member(row, "body"),
                                            &t_arena, &answer),
                         PH_OK);
        t_same(answer.content, member(row, "plaintext"));
        struct ph_channel_result result = answered(&aes, row);
        assert_int_equal(result.class, PH_RESULT_WAIT_USER);
        assert_true(t_is(result.action_data, "\"https://qr.alipay.com/enc\""));
        /* without the key there is nothing to read */
        assert_int_equal(alipay_answer_open(&plain, method, member(row, "body"),
                                            &t_arena, &answer),
                         PH_E_SYNTAX);
    }
}

/* --- notices -------------------------------------------------------------- */

static const struct {
    const char *status;
    enum ph_result_class class;
} statuses[] = {
    { "TRADE_SUCCESS", PH_RESULT_SUCCEEDED },
    { "TRADE_FINISHED", PH_RESULT_SUCCEEDED },
    { "TRADE_CLOSED", PH_RESULT_CLOSED },
    { "WAIT_BUYER_PAY", PH_RESULT_WAIT_USER },
};

static enum ph_result_class
class_of(const json_t *params)
{
    for (size_t i = 0; i < PH_COUNT(statuses); i++) {
        if (t_is(member(params, "trade_status"), statuses[i].status)) {
            return json_object_get(params, "refund_fee") != NULL
                       ? PH_RESULT_SUCCEEDED
                       : statuses[i].class;
        }
    }
    return PH_RESULT_UNKNOWN;
}

static void
refund_is_told(const struct ph_channel_notice_out *out, const json_t *params)
{
    const struct ph_channel_notice_part *part = &out->parts[1];

    if (json_object_get(params, "refund_fee") == NULL) {
        assert_int_equal(out->part_count, 0);
        return;
    }
    assert_int_equal(out->part_count, 2);
    assert_false(out->parts[0].is_refund);
    assert_true(part->is_refund);
    t_same(part->result.number, member(params, "out_biz_no"));
    t_same(part->order_number, member(params, "out_trade_no"));
    int64_t sum;
    assert_int_equal(alipay_amount(member(params, "refund_fee"), &sum), PH_OK);
    assert_true(part->result.refunded_total == sum);
}

/* What is genuine is told as it stands; whether it is ours, and the right
 * amount, the core finds out. */
static void
notice_is_told(const json_t *row, const struct ph_channel_notice_out *out)
{
    const json_t              *params = json_object_get(row, "params");
    struct ph_channel_expected expected;

    alipay_expected(&plain, NULL, &t_arena, &expected);
    assert_int_equal(out->result.class, class_of(params));
    t_same(out->result.number, member(params, "out_trade_no"));
    t_same(out->result.trade_no, member(params, "trade_no"));
    t_same(out->result.app, member(params, "app_id"));
    t_same(out->result.seller, expected.seller);
    assert_true(t_is(out->result.currency, "CNY"));
    assert_int_equal(ph_str_eq(out->result.app, expected.app),
                     !begins(row, "expect", "reject: app_id"));
    assert_int_equal(out->result.amount == 8888,
                     !begins(row, "expect", "reject: total_amount"));
    assert_true(t_is(out->ack_body, "success"));
    refund_is_told(out, params);
}

static void
test_notifies(void **state)
{
    const json_t *rows = list(state, "notifies", 18);

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t                  *row    = json_array_get(rows, i);
        const json_t                  *params = json_object_get(row, "params");
        struct ph_pair                 got[PAIRS_MAX], want[PAIRS_MAX];
        size_t                         count;
        struct ph_channel_notice_out   out;
        const struct ph_channel_notice in = { .body = member(row, "body") };

        t_arena_fresh();
        print_message("%s\n", member(row, "name").ptr);
        assert_int_equal(
            ph_form_decode(in.body, &t_arena, got, PAIRS_MAX, &count), PH_OK);
        size_t wanted = pairs_of(params, want);
        assert_true(wanted <= count); /* some list no `sign` */
        for (size_t k = 0; k < wanted; k++) {
            t_same(ph_pair_find(got, count, want[k].name), want[k].value);
        }
        enum ph_rc rc = alipay_notice(&plain, &in, T_NOW_MS, &t_arena, &out);
        assert_int_equal(rc, alipay_notice_open(&plain, got, count));
        /* a plain "reject" is of the signature; the others are genuine */
        if (t_is(member(row, "expect"), "reject")) {
            bool has_sign = ph_pair_find(got, count, PH_STR("sign")).len != 0;
            assert_int_equal(rc, has_sign ? PH_E_SIGNATURE : PH_E_MISSING);
            assert_false(out.needs_refresh);
        } else {
            assert_int_equal(rc, PH_OK);
            notice_is_told(row, &out);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_cert_mode_requests),
        cmocka_unit_test(test_encrypted_requests),
        cmocka_unit_test(test_aes),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_responses_need_their_certificate),
        cmocka_unit_test(test_encrypted_responses),
        cmocka_unit_test(test_notifies),
    };

    return cmocka_run_group_tests_name("vectors_alipay", tests, set_up,
                                       tear_down);
}

/*
 * test_vectors_unionpay.c - requests, answers, notices, shared keys, encrypted
 * numbers and the bill file of unionpay.json: t/data/vectors/, or the folder
 * PAYHUB_VECTORS where it has the file.
 */
#include "t/unit/channel_unionpay.h"

#include <jansson.h>
#include <zlib.h>

#define PATH_LEN_MAX 4096

static struct ph_channel_account accounts[3]; /* PEM, old pfx, pfx with AES */
static struct ph_channel_account *const account = &accounts[0];

static struct ph_str
vectors(const char *name)
{
    static char path[PATH_LEN_MAX];
    const char *given = getenv("PAYHUB_VECTORS");

    (void) snprintf(path, sizeof(path), "%s/%s", given != NULL ? given : "",
                    name);
    if (given == NULL || access(path, F_OK) != 0) {
        (void) snprintf(path, sizeof(path), "t/data/vectors/%s", name);
    }
    print_message("vectors: %s\n", path);
    return t_file(path);
}

static int
set_up(void **state)
{
    struct ph_str text = vectors("unionpay.json");
    json_error_t  error;

    *state = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_true(*state != NULL && ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    for (size_t i = 0; i < PH_COUNT(accounts); i++) {
        accounts[i] = pem_account();
        if (i != 0) {
            struct ph_str *values      = accounts[i].values;
            values[UNION_SIGN_CERT]    = ph_str_make(NULL, 0);
            values[UNION_SIGN_KEY]     = ph_str_make(NULL, 0);
            values[UNION_PFX]          = kept_b64(i == 1 ? KEYS "merchant.pfx"
                                                         : KEYS "merchant_aes.pfx");
            values[UNION_PFX_PASSWORD] = PH_STR("000000");
        }
        account_open(&accounts[i]);
    }
    return 0;
}

static int
tear_down(void **state)
{
    for (size_t i = 0; i < PH_COUNT(accounts); i++) {
        ph_channel_account_close(&accounts[i]);
    }
    json_decref(*state);
    ph_digest_deinit();
    return 0;
}

static struct ph_str
member(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    assert_true(json_is_string(value));
    return ph_str_make(json_string_value(value), json_string_length(value));
}

static const json_t *
row_named(const json_t *rows, const char *name)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (ph_str_eq(member(json_array_get(rows, i), "name"), ph_str_z(name)))
        {
            return json_array_get(rows, i);
        }
    }
    fail_msg("no row \"%s\"", name);
    return NULL;
}

/* A JSON object as pairs, in its order. */
static size_t
pairs_of(json_t *object, bool keeps_empty, struct ph_pair *pairs)
{
    size_t      count = 0;
    const char *name;
    json_t     *value;

    json_object_foreach(object, name, value)
    {
        struct ph_str text
            = ph_str_make(json_string_value(value), json_string_length(value));

        if (keeps_empty || text.len != 0) {
            assert_true(count < UNION_PAIRS_MAX);
            pairs[count++] = (struct ph_pair){ ph_str_z(name), text };
        }
    }
    return count;
}

/* --- requests ------------------------------------------------------------- */

static struct ph_str
body_of(const struct ph_pair *pairs, size_t count)
{
    struct ph_buf buf;

    ph_arena_open(&arena, &buf);
    ph_form_encode(&buf, pairs, count, PH_URL_SPACE_PLUS);
    return ph_arena_close(&arena, &buf);
}

static void
request_is(const struct ph_channel_account *by, const json_t *row)
{
    const struct union_account *own = by->context;
    struct ph_pair              pairs[UNION_PAIRS_MAX];
    char                        hex_memory[64];
    struct ph_buf               hex = PH_BUF_INIT(hex_memory);
    struct ph_str               signature, text;
    size_t count = pairs_of(json_object_get(row, "input"), false, pairs);

    pairs[count++]
        = (struct ph_pair){ PH_STR("certId"),
                            ph_str_make(own->cert_id, own->cert_id_len) };
    text = union_text(pairs, count, &arena);
    t_same(text, member(row, "string_to_sign"));
    assert_true(union_digest(UNION_RSA, text, ph_str_make(NULL, 0), &hex));
    t_same(ph_buf_str(&hex), member(row, "sha256_hex"));
    assert_true(union_sign(by, pairs, count, &arena, &signature));
    t_same(signature, member(row, "signature"));
    pairs[count++] = (struct ph_pair){ PH_STR("signature"), signature };
    t_same(body_of(pairs, count), member(row, "body"));
}

static void
test_requests(void **state)
{
    const json_t *rows = json_object_get(*state, "requests");

    assert_int_equal(json_array_size(rows), 9);
    for (size_t by = 0; by < PH_COUNT(accounts); by++) {
        const struct union_account *own = accounts[by].context;

        t_same(ph_str_make(own->cert_id, own->cert_id_len),
               member(*state, "certId"));
        for (size_t i = 0; i < json_array_size(rows); i++) {
            ph_arena_reset(&arena);
            print_message("%s\n", member(json_array_get(rows, i), "name").ptr);
            request_is(&accounts[by], json_array_get(rows, i));
        }
    }
}

/* The adapter itself makes those that it has an operation for. */
static void
test_operations(void **state)
{
    static const struct {
        const char        *name;
        const char        *url;
        const char        *back_url;
        enum ph_channel_op op;
        int64_t            amount, refund_amount;
    } rows[] = {
        { "app_pay", GATEWAY "appTransReq.do", "https://pay.example.com/n",
          PH_OP_CREATE, 1000, 0 },
        { "query", GATEWAY "queryTrans.do", NULL, PH_OP_QUERY, 1000, 0 },
        { "refund", GATEWAY "backTransReq.do", "https://pay.example.com/n",
          PH_OP_REFUND, 1000, 500 },
        { "revoke", GATEWAY "backTransReq.do", "https://pay.example.com/n",
          PH_OP_REFUND, 1000, 1000 },
    };
    const json_t *vector = json_object_get(*state, "requests");

    account->values[UNION_REVOKE] = PH_STR("yes");
    ph_channel_account_close(account);
    account_open(account);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const json_t           *row     = row_named(vector, rows[i].name);
        const json_t           *input   = json_object_get(row, "input");
        bool                    is_back = rows[i].op == PH_OP_REFUND;
        struct ph_channel_order order   = {
              .attempt_id    = is_back ? PH_STR("A") : member(input, "orderId"),
              .refund_id     = is_back ? member(input, "orderId") : PH_STR(""),
              .trade_no      = is_back ? member(input, "origQryId") : PH_STR(""),
              .method        = rows[i].op == PH_OP_CREATE ? PH_STR("unionpay_app")
                                                          : PH_STR("unionpay_web"),
              .amount        = rows[i].amount,
              .refund_amount = rows[i].refund_amount,
              .currency      = PH_STR("CNY"),
              .notify_url    = ph_str_z(rows[i].back_url),
              .attempt_ms    = TRADE_MS,
              .refund_ms     = TRADE_MS,
        };
        struct ph_channel_call call = { .op      = rows[i].op,
                                        .account = account,
                                        .order   = &order,
                                        .arena   = &arena,
                                        .now_ms  = TRADE_MS + 60000 };
        struct ph_channel_out  out  = { 0 };

        ph_arena_reset(&arena);
        assert_int_equal(ph_channel_unionpay.step(&call, NULL, &out),
                         PH_STEP_NEED_REQUEST);
        t_same(out.request.url, ph_str_z(rows[i].url));
        t_same(out.request.body, member(row, "body"));
    }
}

/* --- answers and notices -------------------------------------------------- */

static void
same_pairs(const struct ph_pair *got, size_t count, const json_t *params)
{
    assert_int_equal(count, json_object_size(params));
    for (size_t i = 0; i < count; i++) {
        char name[UNION_NAME_MAX + 1];

        (void) snprintf(name, sizeof(name), "%.*s", (int) got[i].name.len,
                        got[i].name.ptr);
        t_same(got[i].value, member(params, name));
    }
}

/* What the SDK said of the signature by the certificate that came with it. */
static bool
fits_embedded(const struct ph_pair *pairs, size_t count)
{
    struct ph_cert *cert = NULL;
    char            hex_memory[64], raw_memory[512];
    struct ph_buf   hex  = PH_BUF_INIT(hex_memory);
    struct ph_buf   raw  = PH_BUF_INIT(raw_memory);
    struct ph_str   text = union_text(pairs, count, &arena);

    assert_int_equal(ph_cert_new(&cert, ph_pair_find(pairs, count,
                                                     PH_STR("signPubKeyCert"))),
                     PH_OK);
    assert_true(union_digest(UNION_RSA, text, ph_str_make(NULL, 0), &hex));
    assert_int_equal(
        ph_b64_decode(&raw, ph_pair_find(pairs, count, PH_STR("signature"))),
        PH_OK);
    struct ph_str digest = ph_buf_str(&hex);
    enum ph_rc rc = ph_public_check(ph_cert_key(cert), PH_RSA_SHA256, &digest,
                                    1, ph_buf_str(&raw));
    ph_cert_free(cert);
    return rc == PH_OK;
}

static void
test_messages(void **state)
{
    const json_t *rows = json_object_get(*state, "messages");

    assert_int_equal(json_array_size(rows), 14);
    for (size_t i = 0; i < 2 * json_array_size(rows); i++) {
        const json_t  *row       = json_array_get(rows, i / 2);
        bool           is_notice = i % 2 == 1;
        struct ph_pair pairs[UNION_PAIRS_MAX];
        size_t         count = 0;

        ph_arena_reset(&arena);
        print_message("%s %s\n", member(row, "name").ptr,
                      is_notice ? "(notice)" : "(answer)");
        assert_int_equal(
            is_notice
                ? union_notice_split(member(row, "notify_body"), PH_STR(""),
                                     &arena, pairs, UNION_PAIRS_MAX, &count)
                : union_answer_split(member(row, "sync_body"), pairs,
                                     UNION_PAIRS_MAX, &count),
            PH_OK);
        same_pairs(pairs, count, json_object_get(row, "params"));
        /* of the one that was tampered with the text is the genuine one's */
        assert_int_equal(
            ph_str_eq(union_text(pairs, count, &arena),
                      member(row, "string_to_sign")),
            !ph_str_eq(member(row, "name"), PH_STR("amount tampered")));
        assert_int_equal(fits_embedded(pairs, count),
                         json_is_true(json_object_get(
                             row, "signature_ok_with_embedded_cert")));
        assert_int_equal(
            union_verify(account, pairs, count, NOW_MS, &arena) == PH_OK,
            ph_str_starts(member(row, "expect"), PH_STR("accept")));
    }
}

/* what an answer of the vectors proves to the adapter */
static void
test_answers(void **state)
{
    static const struct {
        const char          *name;
        enum ph_channel_op   op;
        enum ph_result_class want;
        const char          *error_class;
        uint64_t             expires_ms;
    } rows[] = {
        { "query: paid", PH_OP_QUERY, PH_RESULT_SUCCEEDED, "", 0 },
        { "query: original still unclear (05)", PH_OP_QUERY, PH_RESULT_UNKNOWN,
          "in_progress", 1 },
        { "query: original failed", PH_OP_QUERY, PH_RESULT_WAIT_USER, "",
          NOW_MS + 1 },
        { "query: original failed", PH_OP_QUERY, PH_RESULT_FAILED, "declined",
          TRADE_MS },
        { "query: paid, certificate text with CRLF line ends", PH_OP_QUERY,
          PH_RESULT_SUCCEEDED, "", 0 },
        { "query: no such trade (34)", PH_OP_QUERY, PH_RESULT_NOT_FOUND,
          "not_found", 1 },
        { "query: paid", PH_OP_REFUND_QUERY, PH_RESULT_SUCCEEDED, "", 0 },
        { "refund accepted, not yet final", PH_OP_REFUND, PH_RESULT_WAIT_USER,
          "", 0 },
        { "amount tampered", PH_OP_QUERY, PH_RESULT_UNKNOWN, "signature", 0 },
        { "attacker certificate: right CN, not chained to the root",
          PH_OP_QUERY, PH_RESULT_UNKNOWN, "signature", 0 },
        { "merchant certificate used as the signer", PH_OP_QUERY,
          PH_RESULT_UNKNOWN, "signature", 0 },
        { "signed by another key than the embedded certificate", PH_OP_QUERY,
          PH_RESULT_UNKNOWN, "signature", 0 },
    };
    const json_t *messages = json_object_get(*state, "messages");

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const json_t           *row   = row_named(messages, rows[i].name);
        struct ph_channel_order order = { .expires_at_ms = rows[i].expires_ms };
        struct ph_channel_call  call  = { .op      = rows[i].op,
                                          .account = account,
                                          .order   = &order,
                                          .arena   = &arena,
                                          .now_ms  = NOW_MS };
        struct ph_channel_reply reply
            = { .status = 200, .body = member(row, "sync_body") };
        struct ph_channel_out out = { 0 };

        ph_arena_reset(&arena);
        assert_int_equal(ph_channel_unionpay.step(&call, &reply, &out),
                         PH_STEP_DONE);
        print_message("%s\n", rows[i].name);
        assert_int_equal(out.result.class, rows[i].want);
        t_same(out.result.error_class, ph_str_z(rows[i].error_class));
        if (rows[i].want == PH_RESULT_SUCCEEDED) {
            assert_int_equal(out.result.amount, 1000);
            t_same(out.result.number, PH_STR("PH20261123102030001"));
            t_same(out.result.trade_no, PH_STR("822611231020301234567"));
            t_same(out.result.currency, PH_STR("CNY"));
            t_same(out.result.seller, PH_STR(MER_ID));
        }
    }
}

static void
test_notices(void **state)
{
    static const struct {
        const char *name;
        const char *number;
        const char *order_trade_no;
        int64_t     amount;
        bool        is_refund;
    } rows[] = {
        { "notify: paid", "PH20261123102030001", "", 1000, false },
        { "notify: paid with A6", "PH20261123102030001", "", 1000, false },
        { "notify: refund done", "PH20261123102030001R1",
          "822611231020301234567", 500, true },
        { "value with braces and & (reserved)", "PH20261123102030001", "", 1000,
          false },
        { "amount tampered", NULL, NULL, 0, false },
        { "attacker certificate: right CN, not chained to the root", NULL, NULL,
          0, false },
        { "merchant certificate used as the signer", NULL, NULL, 0, false },
        { "signed by another key than the embedded certificate", NULL, NULL, 0,
          false },
    };
    const json_t *messages = json_object_get(*state, "messages");

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const json_t            *row = row_named(messages, rows[i].name);
        struct ph_channel_notice in  = { .body = member(row, "notify_body") };
        struct ph_channel_notice_out         out  = { 0 };
        const struct ph_channel_notice_part *part = &out.parts[0];

        ph_arena_reset(&arena);
        enum ph_rc rc
            = ph_channel_unionpay.notice(account, &in, NOW_MS, &arena, &out);
        if (rows[i].number == NULL) {
            assert_int_not_equal(rc, PH_OK);
            continue;
        }
        assert_int_equal(rc, PH_OK);
        assert_int_equal(out.part_count, 1);
        assert_int_equal(part->is_refund, rows[i].is_refund);
        assert_int_equal(part->result.class, PH_RESULT_SUCCEEDED);
        t_same(part->result.number, ph_str_z(rows[i].number));
        t_same(part->order_trade_no, ph_str_z(rows[i].order_trade_no));
        assert_int_equal(part->result.amount, rows[i].amount);
        t_same(part->result.seller, PH_STR(MER_ID));
        t_same(out.ack_body, PH_STR("ok"));
    }
}

/* --- shared keys ---------------------------------------------------------- */

static void
test_hash_mode(void **state)
{
    const json_t *rows = json_object_get(*state, "hash_mode");

    assert_int_equal(json_array_size(rows), 2);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t             *row = json_array_get(rows, i);
        struct ph_channel_account by  = {
             .id      = PH_STR_INIT("acc"),
             .channel = &ph_channel_unionpay,
             .values  = { [UNION_GATEWAY_URL] = PH_STR_INIT(GATEWAY),
                          [UNION_MER_ID]      = PH_STR_INIT(MER_ID),
                          [UNION_SECURE_KEY]  = member(row, "secureKey"),
                          [UNION_SIGN_METHOD] = member(row, "signMethod") },
        };
        struct ph_pair pairs[UNION_PAIRS_MAX];
        struct ph_str  signature;
        struct ph_buf  buf;
        size_t count = pairs_of(json_object_get(row, "params"), true, pairs);

        ph_arena_reset(&arena);
        account_open(&by);
        const struct union_account *own  = by.context;
        struct ph_str               text = union_text(pairs, count, &arena);
        ph_arena_open(&arena, &buf);
        ph_buf_add(&buf, text);
        ph_buf_byte(&buf, '&');
        ph_buf_add(&buf, ph_str_make(own->secure, sizeof(own->secure)));
        t_same(ph_arena_close(&arena, &buf), member(row, "string"));
        assert_true(union_sign(&by, pairs, count, &arena, &signature));
        t_same(signature, member(row, "signature"));
        /* and the other way: UnionPay signs alike */
        pairs[count++] = (struct ph_pair){ PH_STR("signature"), signature };
        assert_int_equal(union_verify(&by, pairs, count, NOW_MS, &arena),
                         PH_OK);
        ph_channel_account_close(&by);
    }
}

/* --- encrypted numbers ---------------------------------------------------- */

static void
test_sensitive(void **state)
{
    const json_t          *row  = json_object_get(*state, "sensitive");
    struct ph_private_key *key  = NULL;
    struct ph_cert        *cert = NULL;
    char                   room[3][1024];
    struct ph_buf          raw    = PH_BUF_INIT(room[0]);
    struct ph_buf          plain  = PH_BUF_INIT(room[1]);
    struct ph_buf          serial = PH_BUF_INIT(room[2]);

    assert_int_equal(ph_cert_new(&cert, t_file(KEYS "enc.cer")), PH_OK);
    assert_int_equal(ph_private_key_new(&key, t_file(KEYS "enc_pkcs8.pem")),
                     PH_OK);
    ph_cert_serial_decimal(cert, &serial);
    t_same(ph_buf_str(&serial), member(row, "encryptCertId"));
    assert_int_equal(ph_b64_decode(&raw, member(row, "ciphertext")), PH_OK);
    assert_int_equal(
        ph_private_decrypt(key, PH_RSA_V15, ph_buf_str(&raw), &plain), PH_OK);
    t_same(ph_buf_str(&plain), member(row, "plaintext"));

    ph_buf_cut(&raw, 0);
    ph_buf_cut(&plain, 0);
    assert_true(ph_public_encrypt(ph_cert_key(cert), PH_RSA_V15,
                                  member(row, "plaintext"), &raw));
    assert_int_equal(
        ph_private_decrypt(key, PH_RSA_V15, ph_buf_str(&raw), &plain), PH_OK);
    t_same(ph_buf_str(&plain), member(row, "plaintext"));
    ph_cert_free(cert);
    ph_private_key_free(key);
}

/* --- the bill file -------------------------------------------------------- */

static size_t
inflated(struct ph_str in, int window_bits, char *out, size_t size)
{
    z_stream stream = { .next_in   = (Bytef *) (uintptr_t) in.ptr,
                        .avail_in  = (uInt) in.len,
                        .next_out  = (Bytef *) out,
                        .avail_out = (uInt) size };

    assert_int_equal(inflateInit2(&stream, window_bits), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = stream.total_out;
    assert_int_equal(inflateEnd(&stream), Z_OK);
    return len;
}

static size_t
le(const char *at, size_t width)
{
    size_t value = 0;

    for (size_t i = width; i > 0; i--) {
        value = value << 8 | (unsigned char) at[i - 1];
    }
    return value;
}

/* The 1-based field of a line; one byte stands between two. */
static struct ph_str
zm_field(struct ph_str line, const json_t *widths, size_t number)
{
    size_t at = 0, width = 0;

    for (size_t i = 0; i < number; i++) {
        at += i == 0 ? 0 : width + 1;
        width = (size_t) json_integer_value(json_array_get(widths, i));
    }
    assert_true(at + width <= line.len);
    struct ph_str field = ph_str_make(line.ptr + at, width);
    return ph_str_trim(field);
}

static void
test_file(void **state)
{
    const json_t *file   = json_object_get(*state, "file");
    const json_t *widths = json_object_get(file, "zm_widths");
    static char raw_room[8192], zip_room[8192], want_room[8192], zm_room[8192];
    struct ph_buf raw  = PH_BUF_INIT(raw_room);
    struct ph_buf want = PH_BUF_INIT(want_room);

    assert_int_equal(
        ph_b64_decode(&raw,
                      member(json_object_get(file, "response"), "fileContent")),
        PH_OK);
    size_t zip_len
        = inflated(ph_buf_str(&raw), MAX_WBITS, zip_room, sizeof(zip_room));
    assert_int_equal(ph_b64_decode(&want, member(file, "zip_base64")), PH_OK);
    t_same(ph_str_make(zip_room, zip_len), ph_buf_str(&want));

    /* the one member of the zip: a local header, its name, deflated bytes */
    assert_true(zip_len > 30 && memcmp(zip_room, "PK\3\4", 4) == 0);
    assert_int_equal(le(zip_room + 8, 2), Z_DEFLATED);
    size_t packed = le(zip_room + 18, 4), name_len = le(zip_room + 26, 2);
    size_t begin = 30 + name_len + le(zip_room + 28, 2);
    t_same(ph_str_make(zip_room + 30, name_len), member(file, "zm_name"));
    assert_true(begin + packed <= zip_len);
    size_t zm_len = inflated(ph_str_make(zip_room + begin, packed), -MAX_WBITS,
                             zm_room, sizeof(zm_room));
    struct ph_str zm = ph_str_make(zm_room, zm_len);
    t_same(zm, member(file, "zm_text"));

    assert_int_equal(json_array_size(widths), 42);
    t_same(zm_field(zm, widths, 1), PH_STR("S22"));
    t_same(zm_field(zm, widths, 7), PH_STR("000000001000"));
    t_same(zm_field(zm, widths, 10), PH_STR("822611221020301234567"));
    t_same(zm_field(zm, widths, 12), PH_STR("PH20261123102030001"));
    t_same(zm_field(zm, widths, 19), PH_STR(MER_ID));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),  cmocka_unit_test(test_operations),
        cmocka_unit_test(test_messages),  cmocka_unit_test(test_answers),
        cmocka_unit_test(test_notices),   cmocka_unit_test(test_hash_mode),
        cmocka_unit_test(test_sensitive), cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests_name("vectors_unionpay", tests, set_up,
                                       tear_down);
}

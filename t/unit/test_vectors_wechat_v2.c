/*
 * test_vectors_wechat_v2.c - what wechatpay-axios-plugin computed of ciphers by
 * themselves, of version 2, which has no operation here, and of a bill's file.
 */
#include "t/unit/vectors_wechat.h"

#include <zlib.h>

#include "channels/xml.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/cipher.h"
#include "libpayhub/wire/digest_old.h"
#include "libpayhub/wire/form.h"

static int
each_set_up(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

/* ---- ciphers and signatures by themselves ---- */

static struct ph_str
decoded(struct ph_str text)
{
    struct ph_buf buf;

    ph_arena_open(&arena, &buf);
    assert_int_equal(ph_b64_decode(&buf, text), PH_OK);
    return ph_arena_close(&arena, &buf);
}

static void
test_aes_gcm(void **state)
{
    const json_t *rows = rows_of("aes_gcm", 4);

    (void) state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char          room[256];
        struct ph_buf buf = PH_BUF_INIT(room);

        assert_int_equal(
            ph_aes_gcm_open(member(row, "key"), member(row, "nonce"),
                            member(row, "associated_data"),
                            decoded(member(row, "ciphertext")), &buf),
            PH_OK);
        t_same(ph_buf_str(&buf), member(row, "plaintext"));
    }
}

static void
test_rsa_oaep(void **state)
{
    const json_t          *rows = rows_of("rsa_oaep", 2);
    struct ph_private_key *key;
    struct ph_public_key *public;

    (void) state;
    assert_int_equal(ph_private_key_new(&key, key_file("platform1_pkcs8.pem")),
                     PH_OK);
    assert_int_equal(ph_public_key_new(&public, key_file("platform1_cert.pem")),
                     PH_OK);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char          room[512], back_room[512];
        struct ph_buf buf = PH_BUF_INIT(room), back = PH_BUF_INIT(back_room);

        assert_int_equal(ph_private_decrypt(key, PH_RSA_OAEP,
                                            decoded(member(row, "ciphertext")),
                                            &buf),
                         PH_OK);
        t_same(ph_buf_str(&buf), member(row, "plaintext"));
        ph_buf_cut(&buf, 0);
        assert_true(ph_public_encrypt(public, PH_RSA_OAEP,
                                      member(row, "plaintext"), &buf));
        assert_int_equal(
            ph_private_decrypt(key, PH_RSA_OAEP, ph_buf_str(&buf), &back),
            PH_OK);
        t_same(ph_buf_str(&back), member(row, "plaintext"));
    }
    ph_private_key_free(key);
    ph_public_key_free(public);
}

/* ---- version 2, which we do not speak ---- */

static size_t
pairs_of(const json_t *params, struct ph_pair *pairs, size_t most)
{
    const char *name;
    json_t     *value;
    size_t      count = 0;

    json_object_foreach((json_t *) (uintptr_t) params, name, value)
    {
        assert_true(count < most);
        pairs[count++] = (struct ph_pair){ ph_str_z(name), text_of(value) };
    }
    ph_pairs_sort(pairs, count);
    return count;
}

static void
v2_sign(const json_t *params, bool is_hmac, struct ph_buf *upper)
{
    static const struct ph_str skip = PH_STR_INIT("sign");
    const struct ph_join       how  = { &skip, 1, true };
    struct ph_pair             pairs[32];
    char                       room[2048], sum_room[64], hex_room[128];
    struct ph_buf              text = PH_BUF_INIT(room);
    struct ph_buf sum = PH_BUF_INIT(sum_room), hex = PH_BUF_INIT(hex_room);
    struct ph_str key = member(root, "apiv2_key");

    ph_pairs_join(&text, pairs, pairs_of(params, pairs, PH_COUNT(pairs)), &how);
    ph_buf_add(&text, PH_STR("&key="));
    ph_buf_add(&text, key);
    const struct ph_str whole = ph_buf_str(&text);

    if (is_hmac) {
        assert_true(ph_hmac_raw(PH_OLD_SHA256, key, &whole, 1, &sum));
        ph_buf_hex(&hex, ph_buf_str(&sum));
    } else {
        assert_true(ph_digest_hex(PH_OLD_MD5, &whole, 1, &hex));
    }
    for (size_t i = 0; i < hex.len; i++) {
        char byte = hex.ptr[i];

        ph_buf_byte(upper, (char) (byte >= 'a' ? byte - 'a' + 'A' : byte));
    }
}

/* all of the texts that the XML is to hold, and no more */
static void
xml_same(struct ph_str xml, const json_t *want, size_t more)
{
    struct ph_doc *doc;
    const char    *name;
    json_t        *value;

    assert_int_equal(ph_doc_xml(&doc, xml, &arena), PH_OK);
    assert_int_equal(ph_doc_size(doc, ""), json_object_size(want) + more);
    json_object_foreach((json_t *) (uintptr_t) want, name, value)
    {
        struct ph_str text;

        assert_int_equal(ph_doc_text(doc, name, &arena, &text), PH_OK);
        t_same(text, text_of(value));
    }
    ph_doc_free(doc);
}

static void
test_v2_signatures(void **state)
{
    const json_t *rows = rows_of("v2_signatures", 2);

    (void) state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char          room[128];
        struct ph_buf sign = PH_BUF_INIT(room);

        v2_sign(json_object_get(row, "params"),
                ph_str_eq(member(row, "sign_type"), PH_STR("HMAC-SHA256")),
                &sign);
        t_same(ph_buf_str(&sign), member(row, "sign"));
        xml_same(member(row, "xml"), json_object_get(row, "params"), 1);
    }
}

static void
test_v2(void **state)
{
    const json_t *v2     = json_object_get(root, "v2");
    const json_t *notify = json_object_get(v2, "refund_notify");
    struct ph_str key    = member(root, "apiv2_key");
    char          room[1024], hex_room[64], plain_room[1024];
    struct ph_buf sign = PH_BUF_INIT(room), hex = PH_BUF_INIT(hex_room);
    struct ph_buf plain = PH_BUF_INIT(plain_room);

    (void) state;
    xml_same(member(v2, "response_xml"), json_object_get(v2, "response_fields"),
             1);
    v2_sign(json_object_get(v2, "response_fields"), false, &sign);
    t_same(ph_buf_str(&sign), member(v2, "response_sign"));

    assert_true(ph_digest_hex(PH_OLD_MD5, &key, 1, &hex));
    t_same(ph_buf_str(&hex), member(notify, "key"));
    assert_int_equal(ph_aes_ecb(false, ph_buf_str(&hex),
                                decoded(member(notify, "req_info")), &plain),
                     PH_OK);
    t_same(ph_buf_str(&plain), member(notify, "plaintext"));
}

/* The hash is of the file as it was before gzip. */
static void
test_tradebill(void **state)
{
    const json_t *bill   = json_object_get(root, "tradebill");
    struct ph_str zipped = decoded(member(bill, "gzip_base64"));
    static char   file[64 * 1024];
    z_stream      stream = { 0 };
    char          room[64];
    struct ph_buf hex = PH_BUF_INIT(room);

    (void) state;
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in   = (unsigned char *) (uintptr_t) zipped.ptr;
    stream.avail_in  = (unsigned) zipped.len;
    stream.next_out  = (unsigned char *) file;
    stream.avail_out = sizeof(file);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    struct ph_str text = ph_str_make(file, (size_t) stream.total_out);
    assert_int_equal(inflateEnd(&stream), Z_OK);

    t_same(text, member(bill, "csv"));
    assert_true(ph_digest_hex(PH_OLD_SHA1, &text, 1, &hex));
    t_same(ph_buf_str(&hex),
           member(json_object_get(bill, "apply_response"), "hash_value"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_aes_gcm, each_set_up),
        cmocka_unit_test_setup(test_rsa_oaep, each_set_up),
        cmocka_unit_test_setup(test_v2_signatures, each_set_up),
        cmocka_unit_test_setup(test_v2, each_set_up),
        cmocka_unit_test_setup(test_tradebill, each_set_up),
    };

    return cmocka_run_group_tests_name("vectors_wechat_v2", tests, set_up,
                                       tear_down);
}

/*
 * test_digest.c - SHA-256 and HMAC against RFC vectors and OpenSSL's own HMAC.
 */
#include "t/unit/support.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libpayhub/wire/digest.h"

static int
set_up(void **state)
{
    (void) state;
    if (!ph_digest_init()) {
        return -1;
    }
    return ph_digest_init() ? 0 : -1; /* twice is once */
}

static int
tear_down(void **state)
{
    (void) state;
    ph_digest_deinit();
    return 0;
}

static void
same_hex(const uint8_t sum[PH_SHA256_LEN], const char *hex)
{
    uint8_t want[PH_SHA256_LEN];

    assert_int_equal(t_unhex(ph_str_z(hex), want, sizeof(want)), sizeof(want));
    assert_memory_equal(sum, want, sizeof(want));
}

static void
test_sha256(void **state)
{
    const struct ph_str pieces[]
        = { PH_STR("a"), PH_STR(""), { NULL, 0 }, PH_STR("bc") };
    uint8_t sum[PH_SHA256_LEN];

    (void) state;
    assert_true(ph_sha256(NULL, 0, sum));
    same_hex(sum, "e3b0c44298fc1c149afbf4c8996fb924"
                  "27ae41e4649b934ca495991b7852b855");
    assert_true(ph_sha256(pieces, PH_COUNT(pieces), sum));
    same_hex(sum, "ba7816bf8f01cfea414140de5dae2223"
                  "b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 1-4, 6, 7 (5 truncates) */
static void
test_rfc4231(void **state)
{
    static const struct {
        const char   *key; /* hex */
        struct ph_str data;
        const char   *want;
    } rows[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", PH_STR_INIT("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b"
          "881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", PH_STR_INIT("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          PH_STR_INIT("\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
                      "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
                      "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
                      "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
                      "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"),
          "773ea91e36800e46854db8ebd09181a7"
          "2959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
          PH_STR_INIT("\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
                      "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
                      "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
                      "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
                      "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"),
          "82558a389a443c0ea4cc819899f2083a"
          "85f0faa3e578f8077a2e3ff46729665b" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        uint8_t key[32], sum[PH_SHA256_LEN];
        size_t  len = t_unhex(ph_str_z(rows[i].key), key, sizeof(key));

        assert_true(ph_hmac_once(ph_str_make((const char *) key, len),
                                 &rows[i].data, 1, sum));
        same_hex(sum, rows[i].want);
    }
}

static void
test_rfc4231_long_key(void **state)
{
    char          key[131];
    struct ph_str data
        = PH_STR("Test Using Larger Than Block-Size Key - Hash Key First");
    uint8_t sum[PH_SHA256_LEN];

    (void) state;
    memset(key, 0xaa, sizeof(key));
    assert_true(ph_hmac_once(ph_str_make(key, sizeof(key)), &data, 1, sum));
    same_hex(sum, "60e431591ee0b67f0d8a26aacbf5b77f"
                  "8e0bc6213728c5140546040f0ee37f54");
}

static void
kept_mac(struct ph_hmac *mac, struct ph_str message, size_t cut,
         uint8_t out[PH_SHA256_LEN])
{
    assert_true(ph_hmac_begin(mac));
    assert_true(ph_hmac_add(mac, ph_str_make(message.ptr, cut)));
    assert_true(
        ph_hmac_add(mac, ph_str_make(message.ptr + cut, message.len - cut)));
    assert_true(ph_hmac_end(mac, out));
}

/* Every key length around the block, one kept and re-keyed context, messages
 * in two pieces, against OpenSSL's own. */
static void
test_against_openssl(void **state)
{
    char            bytes[512];
    uint32_t        seed = 3;
    struct ph_hmac *mac  = ph_hmac_new(PH_STR(""));

    (void) state;
    assert_non_null(mac);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char) t_next(&seed);
    }
    for (size_t key_len = 0; key_len <= 130; key_len++) {
        struct ph_str key     = ph_str_make(bytes, key_len);
        struct ph_str message = ph_str_make(bytes + 131, t_next(&seed) % 381);
        uint8_t       want[PH_SHA256_LEN], got[PH_SHA256_LEN];

        assert_non_null(HMAC(EVP_sha256(), key.ptr, (int) key.len,
                             (const unsigned char *) message.ptr, message.len,
                             want, NULL));
        assert_true(ph_hmac_rekey(mac, key));
        for (int again = 0; again < 3; again++) {
            kept_mac(mac, message, message.len * (size_t) again / 2, got);
            assert_memory_equal(got, want, sizeof(want));
        }
    }
    ph_hmac_free(mac);
}

/* Every length of three blocks: what is appended depends on it alone. */
static void
test_buf(void **state)
{
    const struct ph_str key = PH_STR("a key of the table");
    struct ph_hmac     *mac = ph_hmac_new(key);

    (void) state;
    assert_non_null(mac);
    for (size_t len = 0; len <= 192; len++) {
        char          memory[192 + PH_HMAC_ROOM];
        uint8_t       want[PH_SHA256_LEN], got[PH_SHA256_LEN];
        size_t        blocks  = (len + 1 + 8 + 63) / 64; /* FIPS 180-4 */
        struct ph_buf message = PH_BUF_INIT(memory);

        for (size_t i = 0; i < len; i++) {
            ph_buf_byte(&message, (char) (i * 31 + len));
        }
        assert_non_null(HMAC(EVP_sha256(), key.ptr, (int) key.len,
                             (const unsigned char *) memory, len, want, NULL));
        message.size = blocks * 64 - 1;
        assert_false(ph_hmac_buf(mac, &message, got));
        ph_buf_cut(&message, len);
        message.size = blocks * 64;
        assert_true(ph_hmac_buf(mac, &message, got));
        assert_true(message.len <= len + PH_HMAC_ROOM);
        assert_memory_equal(got, want, sizeof(want));
    }
    ph_hmac_free(mac);
}

static void
test_begin_resets(void **state)
{
    struct ph_hmac *mac  = ph_hmac_new(PH_STR("key"));
    struct ph_str   text = PH_STR("text");
    uint8_t         want[PH_SHA256_LEN], got[PH_SHA256_LEN];

    (void) state;
    assert_non_null(mac);
    assert_true(ph_hmac_once(PH_STR("key"), &text, 1, want));
    assert_true(ph_hmac_begin(mac));
    assert_true(ph_hmac_add(mac, PH_STR("left over of a message given up")));
    kept_mac(mac, text, 1, got);
    assert_memory_equal(got, want, sizeof(want));
    ph_hmac_free(mac);
    ph_hmac_free(NULL);
}

static void
test_same_secret(void **state)
{
    (void) state;
    assert_true(ph_same_secret(PH_STR(""), ph_str_make(NULL, 0)));
    assert_true(ph_same_secret(PH_STR("abc"), PH_STR("abc")));
    assert_false(ph_same_secret(PH_STR("abc"), PH_STR("abd")));
    assert_false(ph_same_secret(PH_STR("bbc"), PH_STR("abc")));
    assert_false(ph_same_secret(PH_STR("abc"), PH_STR("ab")));
    assert_false(ph_same_secret(PH_STR(""), PH_STR("a")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_rfc4231),
        cmocka_unit_test(test_rfc4231_long_key),
        cmocka_unit_test(test_against_openssl),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_begin_resets),
        cmocka_unit_test(test_same_secret),
    };

    return cmocka_run_group_tests_name("digest", tests, set_up, tear_down);
}

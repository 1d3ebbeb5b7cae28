/*
 * test_cipher.c - published examples of each cipher, and whatever is not the
 * text of its key: refused, and nothing of it appended.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/cipher.h"

/* SP 800-38A, F.1 and F.2: key, iv and the first block of the examples */
#define KEY_128 "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY_192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY_256                                                                \
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define IV "000102030405060708090a0b0c0d0e0f"
#define BLOCK "6bc1bee22e409f96e93d7e117393172a"

struct bytes {
    uint8_t data[256];
    size_t  len;
};

static struct bytes
unhex(const char *text)
{
    struct bytes bytes;

    bytes.len = t_unhex(ph_str_z(text), bytes.data, sizeof(bytes.data));
    return bytes;
}

static struct ph_str
str(const struct bytes *bytes)
{
    return ph_str_make((const char *) bytes->data, bytes->len);
}

static void
test_known(void **state)
{
    static const struct {
        const char *key, *ecb, *cbc;
    } rows[] = {
        { KEY_128, "3ad77bb40d7a3660a89ecaf32466ef97",
          "7649abac8119b246cee98e9b12e9197d" },
        { KEY_192, "bd334f1d6e45f25ff712a214571fa5cc",
          "4f021db243bc633d7178183a9fa071e8" },
        { KEY_256, "f3eed1bdb5d2a03c064b5a7e3db181f8",
          "f58c4c04d6e5f1ba779eabfb5f7bfbd6" },
    };
    struct bytes iv = unhex(IV), block = unhex(BLOCK);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct bytes  key = unhex(rows[i].key);
        struct bytes  ecb = unhex(rows[i].ecb), cbc = unhex(rows[i].cbc);
        char          memory[32], back_memory[32];
        struct ph_buf out  = PH_BUF_INIT(memory),
                      back = PH_BUF_INIT(back_memory);

        assert_int_equal(ph_aes_ecb(true, str(&key), str(&block), &out), PH_OK);
        assert_int_equal(out.len, 32); /* a block of padding behind */
        t_same(ph_str_make(out.ptr, 16), str(&ecb));
        assert_int_equal(ph_aes_ecb(false, str(&key), ph_buf_str(&out), &back),
                         PH_OK);
        t_same(ph_buf_str(&back), str(&block));

        ph_buf_cut(&out, 0);
        ph_buf_cut(&back, 0);
        assert_int_equal(
            ph_aes_cbc(true, str(&key), iv.data, str(&block), &out), PH_OK);
        assert_int_equal(out.len, 32);
        t_same(ph_str_make(out.ptr, 16), str(&cbc));
        assert_int_equal(
            ph_aes_cbc(false, str(&key), iv.data, ph_buf_str(&out), &back),
            PH_OK);
        t_same(ph_buf_str(&back), str(&block));
    }
}

/* by: openssl enc -aes-NNN-MODE -K 000102.. -iv 101112.. (first bytes) */
static void
test_padding(void **state)
{
    struct bytes key  = unhex(IV),
                 want = unhex("32f6d6ea1ec8872debccea8596d9c3c3"
                              "5d8749e2af7531b2bf6661e9e5daf012");
    struct bytes iv   = unhex("101112131415161718191a1b1c1d1e1f");

    char          memory[32];
    struct ph_buf out = PH_BUF_INIT(memory);

    (void) state;
    assert_int_equal(
        ph_aes_cbc(true, str(&key), iv.data, PH_STR("hello"), &out), PH_OK);
    assert_int_equal(ph_aes_ecb(true, str(&key), PH_STR("hello"), &out), PH_OK);
    t_same(ph_buf_str(&out), str(&want));
}

/* every length round its blocks, both ways, and one byte of room too little */
static void
test_lengths(void **state)
{
    static const uint8_t iv[PH_CIPHER_BLOCK] = { 7 };
    struct bytes         key                 = unhex(KEY_256);
    char                 text[70];

    (void) state;
    memset(text, 'a', sizeof(text));
    for (size_t len = 0; len <= sizeof(text); len++) {
        char          memory[96], back_memory[96];
        struct ph_buf out   = PH_BUF_INIT(memory),
                      back  = PH_BUF_INIT(back_memory);
        struct ph_str in    = ph_str_make(text, len);
        size_t        whole = len / 16 * 16 + 16;

        assert_int_equal(ph_aes_cbc(true, str(&key), iv, in, &out), PH_OK);
        assert_int_equal(out.len, whole);
        assert_int_equal(
            ph_aes_cbc(false, str(&key), iv, ph_buf_str(&out), &back), PH_OK);
        t_same(ph_buf_str(&back), in);

        struct ph_buf small;
        ph_buf_init(&small, back_memory, whole - 1);
        assert_int_equal(ph_aes_cbc(true, str(&key), iv, in, &small),
                         PH_E_FULL);
        ph_buf_init(&small, back_memory, whole - 1);
        assert_int_equal(
            ph_aes_cbc(false, str(&key), iv, ph_buf_str(&out), &small),
            PH_E_FULL);
        assert_int_equal(small.len, 0);
    }
}

static void
test_refused(void **state)
{
    static const uint8_t iv[PH_CIPHER_BLOCK];
    static char          big[PH_CIPHER_TEXT_MAX + 16];
    struct bytes         key = unhex(KEY_128), other = unhex(IV);
    char                 memory[64], back_memory[64] = "kept";
    struct ph_buf out = PH_BUF_INIT(memory), back = PH_BUF_INIT(back_memory);

    (void) state;
    back.len = 4;
    assert_int_equal(ph_aes_cbc(true, str(&key), iv, PH_STR("secret"), &out),
                     PH_OK);
    /* the wrong key, cut short, one bit of the last block, no block at all */
    assert_int_equal(
        ph_aes_cbc(false, str(&other), iv, ph_buf_str(&out), &back),
        PH_E_SYNTAX);
    assert_int_equal(
        ph_aes_cbc(false, str(&key), iv, ph_str_make(out.ptr, 15), &back),
        PH_E_SYNTAX);
    out.ptr[15] = (char) (out.ptr[15] ^ 1);
    assert_int_equal(ph_aes_cbc(false, str(&key), iv, ph_buf_str(&out), &back),
                     PH_E_SYNTAX);
    assert_int_equal(ph_aes_cbc(false, str(&key), iv, PH_STR(""), &back),
                     PH_E_SYNTAX);
    assert_int_equal(ph_aes_ecb(false, str(&key), PH_STR(""), &back),
                     PH_E_SYNTAX);
    for (size_t len = 0; len <= 40; len++) {
        struct ph_str bad = ph_str_make((const char *) big, len);

        if (len != 16 && len != 24 && len != 32) {
            assert_int_equal(ph_aes_cbc(true, bad, iv, PH_STR("a"), &back),
                             PH_E_RANGE);
            assert_int_equal(ph_aes_ecb(true, bad, PH_STR("a"), &back),
                             PH_E_RANGE);
        }
        if (len != 24) {
            assert_int_equal(ph_des3_ecb(true, bad, PH_STR("12345678"), &back),
                             PH_E_RANGE);
        }
    }
    assert_int_equal(
        ph_aes_ecb(false, str(&key), ph_str_make(big, sizeof(big)), &back),
        PH_E_RANGE);
    t_same(ph_buf_str(&back), PH_STR("kept"));
}

/* what did not open is not left lying in the buffer */
static void
test_wiped(void **state)
{
    struct bytes  key = unhex(KEY_128);
    char          memory[48], back_memory[48], zeros[48] = { 0 };
    struct ph_buf out = PH_BUF_INIT(memory), back = PH_BUF_INIT(back_memory);

    (void) state;
    memset(back_memory, 0, sizeof(back_memory));
    assert_int_equal(ph_aes_ecb(true, str(&key),
                                PH_STR("two blocks of text, and more"), &out),
                     PH_OK);
    out.ptr[20] = (char) (out.ptr[20] ^ 1); /* the first block still opens */
    assert_int_equal(ph_aes_ecb(false, str(&key), ph_buf_str(&out), &back),
                     PH_E_SYNTAX);
    assert_int_equal(back.len, 0);
    assert_memory_equal(back_memory, zeros, sizeof(zeros));
}

/* SP 800-67, B.1: "The qufck brown fox jump" under three keys */
static void
test_des3(void **state)
{
    struct bytes  key  = unhex("0123456789abcdef23456789abcdef01"
                                 "456789abcdef0123");
    struct bytes  want = unhex("a826fd8ce53b855fcce21c8112256fe6"
                                "68d5c05dd9b6b900");
    char          memory[24], back_memory[24];
    struct ph_buf out = PH_BUF_INIT(memory), back = PH_BUF_INIT(back_memory);

    (void) state;
    assert_int_equal(
        ph_des3_ecb(true, str(&key), PH_STR("The qufck brown fox jump"), &out),
        PH_OK);
    t_same(ph_buf_str(&out), str(&want));
    assert_int_equal(ph_des3_ecb(false, str(&key), ph_buf_str(&out), &back),
                     PH_OK);
    t_same(ph_buf_str(&back), PH_STR("The qufck brown fox jump"));
    assert_int_equal(ph_des3_ecb(true, str(&key), PH_STR("1234567"), &back),
                     PH_E_SYNTAX);
    assert_int_equal(ph_des3_ecb(true, str(&key), PH_STR("12345678"), &back),
                     PH_E_FULL);
    ph_buf_cut(&back, 0);
    assert_int_equal(ph_des3_ecb(true, str(&key), PH_STR(""), &back), PH_OK);
    assert_int_equal(back.len, 0);
}

/* the GCM specification's test cases 4 and 16, and 13 (nothing inside) */
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_PLAIN                                                              \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"         \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

static const struct gcm_row {
    const char *key, *nonce, *aad, *sealed, *plain;
} gcm_rows[] = {
    { GCM_KEY, "cafebabefacedbaddecaf888", GCM_AAD,
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
      "5bc94fbc3221a5db94fae95ae7121a47",
      GCM_PLAIN },
    { GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888", GCM_AAD,
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b",
      GCM_PLAIN },
    { "00000000000000000000000000000000"
      "00000000000000000000000000000000",
      "000000000000000000000000", "", "530f8afbc74536b9a963b4f1c4cb738b", "" },
};

static void
test_gcm(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(gcm_rows); i++) {
        struct bytes  key    = unhex(gcm_rows[i].key);
        struct bytes  nonce  = unhex(gcm_rows[i].nonce);
        struct bytes  aad    = unhex(gcm_rows[i].aad);
        struct bytes  sealed = unhex(gcm_rows[i].sealed);
        struct bytes  plain  = unhex(gcm_rows[i].plain);
        char          memory[64];
        struct ph_buf out;

        ph_buf_init(&out, memory, plain.len); /* as much room as is needed */
        assert_int_equal(ph_aes_gcm_open(str(&key), str(&nonce), str(&aad),
                                         str(&sealed), &out),
                         PH_OK);
        t_same(ph_buf_str(&out), str(&plain));
    }
}

/* each bit of the sealed text, of nonce, key and additional data counts */
static void
test_gcm_refused(void **state)
{
    const struct gcm_row *row     = &gcm_rows[1];
    struct bytes          key     = unhex(row->key);
    struct bytes          nonce   = unhex(row->nonce);
    struct bytes          aad     = unhex(row->aad);
    struct bytes          sealed  = unhex(row->sealed);
    struct bytes *const   parts[] = { &key, &nonce, &aad, &sealed };
    char                  memory[80], zeros[80] = { 0 };
    struct ph_buf         out = PH_BUF_INIT(memory);

    (void) state;
    memset(memory, 0, sizeof(memory));
    for (size_t p = 0; p < PH_COUNT(parts); p++) {
        for (size_t bit = 0; bit < parts[p]->len * 8; bit++) {
            uint8_t *byte = &parts[p]->data[bit / 8];

            *byte = (uint8_t) (*byte ^ 1u << bit % 8);
            assert_int_equal(ph_aes_gcm_open(str(&key), str(&nonce), str(&aad),
                                             str(&sealed), &out),
                             PH_E_CHECKSUM);
            assert_int_equal(out.len, 0);
            assert_memory_equal(memory, zeros, sizeof(zeros));
            *byte = (uint8_t) (*byte ^ 1u << bit % 8);
        }
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_int_equal(
            ph_aes_gcm_open(str(&key), str(&nonce), str(&aad),
                            ph_str_make((const char *) sealed.data, len), &out),
            len < PH_GCM_TAG_LEN ? PH_E_SYNTAX : PH_E_CHECKSUM);
    }
    for (size_t len = 0; len <= 16; len++) {
        nonce.len = len;
        assert_int_equal(ph_aes_gcm_open(str(&key), str(&nonce), str(&aad),
                                         str(&sealed), &out),
                         len == PH_GCM_NONCE_LEN ? PH_OK : PH_E_RANGE);
        ph_buf_cut(&out, 0);
    }
    nonce.len = PH_GCM_NONCE_LEN;
    key.len   = 31;
    assert_int_equal(
        ph_aes_gcm_open(str(&key), str(&nonce), str(&aad), str(&sealed), &out),
        PH_E_RANGE);
    key.len = 32;
    ph_buf_init(&out, memory, sealed.len - PH_GCM_TAG_LEN - 1);
    assert_int_equal(
        ph_aes_gcm_open(str(&key), str(&nonce), str(&aad), str(&sealed), &out),
        PH_E_FULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_padding),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_wiped),   cmocka_unit_test(test_des3),
        cmocka_unit_test(test_gcm),     cmocka_unit_test(test_gcm_refused),
    };

    return cmocka_run_group_tests_name("cipher", tests, NULL, NULL);
}

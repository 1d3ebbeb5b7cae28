/*
 * test_seal.c - what is sealed opens in its place with its key, and only so.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/seal.h"

static const uint8_t nonce[PH_SEAL_NONCE_LEN]
    = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static const struct ph_seal_place place
    = { PH_STR_INIT("app_key"), PH_STR_INIT("k1"), PH_STR_INIT("secret") };

static const struct ph_seal_key keys[2] = {
    { PH_STR_INIT("new"), { 1, 2, 3 } },
    { PH_STR_INIT("old"), { 4, 5, 6 } },
};

static struct ph_str
seal(struct ph_buf *out, const struct ph_seal_key *key, struct ph_str plain)
{
    assert_int_equal(ph_seal(out, key, &place, nonce, plain), PH_OK);
    return ph_buf_str(out);
}

static enum ph_rc
unseal(const struct ph_seal_place *where, struct ph_str sealed)
{
    char          memory[64];
    struct ph_buf out = PH_BUF_INIT(memory);

    enum ph_rc rc = ph_unseal(&out, keys, 2, where, sealed);
    assert_true(rc == PH_OK || out.len == 0);
    return rc;
}

static void
test_round_trip(void **state)
{
    static const struct ph_str plains[]
        = { PH_STR_INIT(""), PH_STR_INIT("a"), PH_STR_INIT("sk_0123456789"),
            PH_STR_INIT("with\0NUL") };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(plains); i++) {
        for (size_t k = 0; k < 2; k++) {
            char          memory[128], back[32];
            struct ph_buf out = PH_BUF_INIT(memory), plain = PH_BUF_INIT(back);
            struct ph_str sealed = seal(&out, &keys[k], plains[i]);

            assert_int_equal(sealed.len, 2 + 3 + 12 + 16 + plains[i].len);
            assert_int_equal(ph_unseal(&plain, keys, 2, &place, sealed), PH_OK);
            t_same(ph_buf_str(&plain), plains[i]);
        }
    }
}

/* python3 -c: AESGCM(bytes([1,2,3]) + bytes(29)).encrypt(nonce, b"secret",
 * b"app_key\nk1\nsecret") by the cryptography package */
static void
test_known(void **state)
{
    char          memory[128];
    uint8_t       want[128];
    struct ph_buf out    = PH_BUF_INIT(memory);
    struct ph_str sealed = seal(&out, &keys[0], PH_STR("secret"));
    size_t        len = t_unhex(PH_STR("0103 6e6577 0102030405060708090a0b0c "
                                              "d7897af977712a14d5335422da8f3314ad4ae6ec8f7c"),
                                want, sizeof(want));

    (void) state;
    assert_int_equal(sealed.len, len);
    assert_memory_equal(sealed.ptr, want, len);
}

/* each single bit, each length */
static void
test_tampered(void **state)
{
    char          memory[128];
    struct ph_buf out    = PH_BUF_INIT(memory);
    struct ph_str sealed = seal(&out, &keys[0], PH_STR("secret"));

    (void) state;
    assert_int_equal(unseal(&place, sealed), PH_OK);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        memory[bit / 8] = (char) (memory[bit / 8] ^ (1 << bit % 8));
        assert_int_not_equal(unseal(&place, sealed), PH_OK);
        memory[bit / 8] = (char) (memory[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_int_not_equal(unseal(&place, ph_str_make(memory, len)), PH_OK);
    }
    memory[sealed.len] = 0;
    assert_int_equal(unseal(&place, ph_str_make(memory, sealed.len + 1)),
                     PH_E_CHECKSUM);
}

static void
test_other_place(void **state)
{
    static const struct ph_seal_place others[] = {
        { PH_STR_INIT("app"), PH_STR_INIT("k1"), PH_STR_INIT("secret") },
        { PH_STR_INIT("app_key"), PH_STR_INIT("k2"), PH_STR_INIT("secret") },
        { PH_STR_INIT("app_key"), PH_STR_INIT("k1"), PH_STR_INIT("secrets") },
        { PH_STR_INIT("app_key"), PH_STR_INIT(""), PH_STR_INIT("k1\nsecret") },
    };
    char          memory[128];
    struct ph_buf out    = PH_BUF_INIT(memory);
    struct ph_str sealed = seal(&out, &keys[0], PH_STR("secret"));

    (void) state;
    for (size_t i = 0; i < PH_COUNT(others); i++) {
        assert_int_equal(unseal(&others[i], sealed), PH_E_CHECKSUM);
    }
}

static void
test_other_key(void **state)
{
    static const struct ph_seal_key third  = { PH_STR_INIT("third"), { 1 } };
    static const struct ph_seal_key forged = { PH_STR_INIT("new"), { 9 } };
    char                            memory[128], back[32];
    struct ph_buf                   out   = PH_BUF_INIT(memory);
    struct ph_buf                   plain = PH_BUF_INIT(back);
    struct ph_str sealed = seal(&out, &third, PH_STR("secret"));

    (void) state;
    assert_int_equal(unseal(&place, sealed), PH_E_UNKNOWN);
    assert_int_equal(ph_unseal(&plain, NULL, 0, &place, sealed), PH_E_UNKNOWN);
    assert_true(ph_str_eq(ph_seal_key_id(sealed), PH_STR("third")));
    ph_buf_cut(&out, 0);
    sealed = seal(&out, &forged, PH_STR("secret"));
    assert_int_equal(unseal(&place, sealed), PH_E_CHECKSUM);
    assert_true(ph_str_eq(ph_seal_key_id(sealed), PH_STR("new")));
    /* nonce and tag have to be there, and the version is ours */
    for (size_t len = 0; len < 33; len++) {
        assert_int_equal(ph_seal_key_id(ph_str_make(sealed.ptr, len)).len, 0);
    }
    memory[0] = 2;
    assert_int_equal(ph_seal_key_id(sealed).len, 0);
}

static void
test_bounds(void **state)
{
    static char   plain[PH_SEAL_PLAIN_MAX + 1], memory[16384];
    struct ph_buf out = PH_BUF_INIT(memory);

    (void) state;
    assert_int_equal(ph_seal(&out, &keys[0], &place, nonce,
                             ph_str_make(plain, PH_SEAL_PLAIN_MAX + 1)),
                     PH_E_RANGE);
    assert_int_equal(ph_seal(&out, &keys[0], &place, nonce,
                             ph_str_make(plain, PH_SEAL_PLAIN_MAX)),
                     PH_OK);
    for (size_t size = 0; size < 39; size++) {
        ph_buf_init(&out, memory, size);
        assert_int_equal(
            ph_seal(&out, &keys[0], &place, nonce, PH_STR("secret")),
            PH_E_FULL);
        assert_int_equal(out.len, 0);
    }
    ph_buf_init(&out, memory, 39);
    struct ph_str sealed = seal(&out, &keys[0], PH_STR("secret"));
    struct ph_buf back;
    ph_buf_init(&back, plain, 5);
    assert_int_equal(ph_unseal(&back, keys, 2, &place, sealed), PH_E_FULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_known),
        cmocka_unit_test(test_tampered),   cmocka_unit_test(test_other_place),
        cmocka_unit_test(test_other_key),  cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}

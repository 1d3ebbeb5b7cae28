/*
 * test_digest_old.c - published digests and HMACs, in one piece and in many.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/digest_old.h"

#define KINDS PH_OLD_DIGESTS

/* RFC 1321, FIPS 180-4, GB/T 32905: of "abc" */
static const char *const abc[KINDS] = {
    [PH_OLD_MD5]  = "900150983cd24fb0d6963f7d28e17f72",
    [PH_OLD_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
    [PH_OLD_SHA256]
    = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    [PH_OLD_SHA512]
    = ("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    [PH_OLD_SM3]
    = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
};

/* RFC 2202 and 4231, case 2: key "Jefe"; SM3 by Python's hmac */
static const char *const jefe[KINDS] = {
    [PH_OLD_MD5]  = "750c783e6ab0b503eaa86e310a5db738",
    [PH_OLD_SHA1] = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    [PH_OLD_SHA256]
    = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    [PH_OLD_SHA512]
    = ("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
       "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"),
    [PH_OLD_SM3]
    = "2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882",
};

/* of nothing under no key, by Python's hmac; the rest by one kind */
static const char no_key[] = "74e6f7298a9c2d168935f58c001bad88";

static void
hex_is(struct ph_str raw, const char *want)
{
    char          memory[2 * PH_OLD_DIGEST_MAX];
    struct ph_buf hex = PH_BUF_INIT(memory);

    ph_buf_hex(&hex, raw);
    t_same(ph_buf_str(&hex), ph_str_z(want));
}

static void
test_known(void **state)
{
    static const struct ph_str whole[] = { PH_STR_INIT("abc") };
    static const struct ph_str parts[]
        = { PH_STR_INIT("a"), PH_STR_INIT(""), { NULL, 0 }, PH_STR_INIT("bc") };

    (void) state;
    for (size_t i = 0; i < KINDS; i++) {
        enum ph_digest_old kind = (enum ph_digest_old) i;
        char               memory[2 * PH_OLD_DIGEST_MAX];
        struct ph_buf      out = PH_BUF_INIT(memory);

        assert_true(ph_digest_hex(kind, whole, 1, &out));
        t_same(ph_buf_str(&out), ph_str_z(abc[i]));
        ph_buf_cut(&out, 0);
        assert_true(ph_digest_hex(kind, parts, PH_COUNT(parts), &out));
        t_same(ph_buf_str(&out), ph_str_z(abc[i]));
        ph_buf_cut(&out, 0);
        assert_true(ph_digest_raw(kind, parts, PH_COUNT(parts), &out));
        hex_is(ph_buf_str(&out), abc[i]);
    }
}

static void
test_hmac(void **state)
{
    static const struct ph_str whole[]
        = { PH_STR_INIT("what do ya want for nothing?") };
    static const struct ph_str parts[]
        = { PH_STR_INIT("what do ya "), PH_STR_INIT("want for nothing?") };
    char          memory[PH_OLD_DIGEST_MAX];
    struct ph_buf out = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < KINDS; i++) {
        enum ph_digest_old kind = (enum ph_digest_old) i;

        ph_buf_cut(&out, 0);
        assert_true(ph_hmac_raw(kind, PH_STR("Jefe"), whole, 1, &out));
        hex_is(ph_buf_str(&out), jefe[i]);
        ph_buf_cut(&out, 0);
        assert_true(ph_hmac_raw(kind, PH_STR("Jefe"), parts, 2, &out));
        hex_is(ph_buf_str(&out), jefe[i]);
    }
    ph_buf_cut(&out, 0);
    assert_true(ph_hmac_raw(PH_OLD_MD5, ph_str_make(NULL, 0), NULL, 0, &out));
    hex_is(ph_buf_str(&out), no_key);
}

static void
test_no_room(void **state)
{
    static const struct ph_str whole[] = { PH_STR_INIT("abc") };
    char                       memory[32];
    struct ph_buf              out;

    (void) state;
    ph_buf_init(&out, memory, 31);
    assert_false(ph_digest_hex(PH_OLD_MD5, whole, 1, &out));
    assert_int_equal(out.len, 0);
    ph_buf_init(&out, memory, 15);
    assert_false(ph_digest_raw(PH_OLD_MD5, whole, 1, &out));
    assert_int_equal(out.len, 0);
    ph_buf_init(&out, memory, 15);
    assert_false(ph_hmac_raw(PH_OLD_MD5, PH_STR("k"), whole, 1, &out));
    assert_int_equal(out.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests_name("digest_old", tests, NULL, NULL);
}

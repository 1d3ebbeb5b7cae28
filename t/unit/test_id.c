/*
 * test_id.c - ids: shape, order in time, shard.
 */
#include "t/unit/support.h"

#include "libpayhub/base/id.h"

static const uint8_t ones[PH_ID_RANDOM_LEN]
    = { 255, 255, 255, 255, 255, 255, 255, 255, 255 };

static void
test_make(void **state)
{
    static const uint8_t bytes[PH_ID_RANDOM_LEN]
        = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35 };
    struct ph_id_maker maker = { 0 };

    (void) state;
    /* digits by hand: bytes are 00000 00001 00010 00011 ... 01101 and 01 */
    assert_string_equal(
        ph_id_make(&maker, PH_ID_PAYMENT, 1700000000000, 1023, bytes).text,
        "P01HF7YAT00ZZ0123456789ABCD");
    assert_string_equal(
        ph_id_make(&maker, PH_ID_EVENT, (UINT64_C(1) << 48) - 1, 0, ones).text,
        "E7ZZZZZZZZZ00ZZZZZZZZZZZZZZ");
}

static void
test_clock_going_back(void **state)
{
    struct ph_id_maker    maker               = { 0 };
    char                  last[PH_ID_LEN + 1] = "";
    static const uint64_t clock_ms[] = { 1000, 1001, 5, 0, 1001, 1002, 999 };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(clock_ms); i++) {
        struct ph_id id
            = ph_id_make(&maker, PH_ID_ATTEMPT, clock_ms[i], 0, ones);

        assert_true(strcmp(last, id.text) <= 0);
        memcpy(last, id.text, sizeof(last));
    }
    assert_int_equal(ph_id_ms(ph_str_z(last)), 1002);
}

static void
test_parts_come_back(void **state)
{
    struct ph_id_maker maker = { 0 };

    (void) state;
    for (unsigned shard = 0; shard < PH_ID_SHARDS; shard++) {
        uint64_t      ms = UINT64_C(1700000000000) + shard * UINT64_C(86400001);
        struct ph_id  id = ph_id_make(&maker, PH_ID_REFUND, ms, shard, ones);
        struct ph_str text = ph_str_z(id.text);
        char          shard_text[PH_SHARD_TEXT_LEN];

        ph_shard_text(shard, shard_text);
        t_same(ph_str_make(shard_text, sizeof(shard_text)),
               ph_str_make(id.text + 11, PH_SHARD_TEXT_LEN));
        assert_true(ph_id_is(text, PH_ID_REFUND));
        assert_int_equal(ph_id_shard(text), shard);
        assert_true(ph_id_ms(text) == ms);
    }
}

static void
test_is(void **state)
{
    static const struct {
        struct ph_str in;
        bool          want;
    } rows[] = {
        { PH_STR_INIT("P01HF7YAT00ZZ0123456789ABCD"), true },
        { PH_STR_INIT("P7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), true },
        { PH_STR_INIT("P8000000000ZZ0123456789ABCD"), false }, /* 49 bits */
        { PH_STR_INIT("A01HF7YAT00ZZ0123456789ABCD"), false }, /* letter */
        { PH_STR_INIT("p01HF7YAT00ZZ0123456789ABCD"), false },
        { PH_STR_INIT("P01hF7YAT00ZZ0123456789ABCD"), false }, /* case */
        { PH_STR_INIT("P01IF7YAT00ZZ0123456789ABCD"), false },
        { PH_STR_INIT("P01LF7YAT00ZZ0123456789ABCD"), false },
        { PH_STR_INIT("P01OF7YAT00ZZ0123456789ABCD"), false },
        { PH_STR_INIT("P01UF7YAT00ZZ0123456789ABCD"), false },
        { PH_STR_INIT("P01HF7YAT00ZZ0123456789ABC\0"), false },
        { PH_STR_INIT("P01HF7YAT00ZZ0123456789ABC"), false },
        { PH_STR_INIT("P01HF7YAT00ZZ0123456789ABCDE"), false },
        { PH_STR_INIT(""), false },
        { { NULL, 0 }, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_id_is(rows[i].in, PH_ID_PAYMENT), rows[i].want);
    }
}

static void
test_retype_and_floor(void **state)
{
    struct ph_id_maker maker                   = { 0 };
    uint8_t            zeros[PH_ID_RANDOM_LEN] = { 0 };

    (void) state;
    assert_string_equal(
        ph_id_retype(PH_STR("A01HF7YAT00ZZ0123456789ABCD"), PH_ID_REFUND).text,
        "R01HF7YAT00ZZ0123456789ABCD");
    struct ph_id floor = ph_id_floor(PH_ID_PAYMENT, 1700000000000);
    assert_string_equal(floor.text, "P01HF7YAT000000000000000000");
    struct ph_id before
        = ph_id_make(&maker, PH_ID_PAYMENT, 1699999999999, 1023, ones);
    struct ph_id after
        = ph_id_make(&maker, PH_ID_PAYMENT, 1700000000000, 0, zeros);
    assert_true(strcmp(before.text, floor.text) < 0);
    assert_true(strcmp(after.text, floor.text) >= 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_clock_going_back),
        cmocka_unit_test(test_parts_come_back),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_retype_and_floor),
    };

    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}

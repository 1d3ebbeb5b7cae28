/*
 * test_crc32c.c - RFC 3720 B.4 vectors; instruction and table agree.
 */
#include "t/unit/support.h"

#include "libpayhub/base/crc32c.h"

static void
test_vectors(void **state)
{
    uint8_t up[32], down[32], zeros[32] = { 0 }, ones[32];

    (void) state;
    for (size_t i = 0; i < 32; i++) {
        up[i]   = (uint8_t) i;
        down[i] = (uint8_t) (31 - i);
        ones[i] = 0xff;
    }
    const struct {
        struct ph_str in;
        uint32_t      want;
    } rows[] = {
        { PH_STR(""), 0 },
        { PH_STR("123456789"), 0xe3069283 },
        { ph_str_make((const char *) zeros, 32), 0x8a9136aa },
        { ph_str_make((const char *) ones, 32), 0x62a8ab43 },
        { ph_str_make((const char *) up, 32), 0x46dd794e },
        { ph_str_make((const char *) down, 32), 0x113fdb5c },
    };
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_crc32c(0, rows[i].in), rows[i].want);
        assert_int_equal(ph_crc32c_table(0, rows[i].in), rows[i].want);
    }
}

/* every length and alignment, whole and in two pieces at every place */
static void
test_both_ways_agree(void **state)
{
    char     bytes[96];
    uint32_t seed = 1;

    (void) state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char) t_next(&seed);
    }
    for (size_t from = 0; from < 8; from++) {
        for (size_t len = 0; len + from <= sizeof(bytes); len++) {
            struct ph_str whole = ph_str_make(bytes + from, len);
            uint32_t      want  = ph_crc32c_table(0, whole);
            size_t        at    = len / 3;

            assert_int_equal(ph_crc32c(0, whole), want);
            uint32_t head = ph_crc32c(0, ph_str_make(whole.ptr, at));
            assert_int_equal(
                ph_crc32c(head, ph_str_make(whole.ptr + at, len - at)), want);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_both_ways_agree),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}

/*
 * test_money.c - exact amounts and the currency table.
 */
#include "t/unit/support.h"

#include "libpayhub/base/money.h"

static void
test_parse(void **state)
{
    static const struct {
        struct ph_str in;
        int           exponent;
        enum ph_rc    rc;
        int64_t       want;
    } rows[] = {
        { PH_STR_INIT("0"), 2, PH_OK, 0 },
        { PH_STR_INIT("1"), 2, PH_OK, 100 },
        { PH_STR_INIT("0.29"), 2, PH_OK, 29 }, /* 28 by floating point */
        { PH_STR_INIT("12.3"), 2, PH_OK, 1230 },
        { PH_STR_INIT("12.34"), 2, PH_OK, 1234 },
        { PH_STR_INIT("12.345"), 3, PH_OK, 12345 },
        { PH_STR_INIT("12"), 0, PH_OK, 12 },
        { PH_STR_INIT("1.2345"), 4, PH_OK, 12345 },
        { PH_STR_INIT("9999999999999.99"), 2, PH_OK, PH_AMOUNT_MAX },
        { PH_STR_INIT("999999999999999"), 0, PH_OK, PH_AMOUNT_MAX },
        { PH_STR_INIT("10000000000000.00"), 2, PH_E_RANGE, 0 },
        { PH_STR_INIT("10000000000000"), 2, PH_E_RANGE, 0 },
        { PH_STR_INIT("1000000000000000"), 0, PH_E_RANGE, 0 },
        { PH_STR_INIT("99999999999999999999999"), 0, PH_E_RANGE, 0 },
        { PH_STR_INIT("99999999999999999999999x"), 0, PH_E_SYNTAX, 0 },
        { PH_STR_INIT(""), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("."), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1."), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT(".1"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1..1"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1.2.3"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1.234"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1.0"), 0, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("-1"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+1"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT(" 1"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1 "), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1e9"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("12abc"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1,00"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("0x10"), 2, PH_E_SYNTAX, 0 },
        { PH_STR_INIT("1\0"), 2, PH_E_SYNTAX, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        int64_t got = 0;

        assert_int_equal(ph_money_parse(rows[i].in, rows[i].exponent, &got),
                         rows[i].rc);
        assert_true(got == rows[i].want);
    }
}

static void
test_format(void **state)
{
    static const struct {
        int64_t       minor;
        int           exponent;
        struct ph_str want;
    } rows[] = {
        { 0, 0, PH_STR_INIT("0") },
        { 0, 2, PH_STR_INIT("0.00") },
        { 5, 2, PH_STR_INIT("0.05") },
        { 1234, 2, PH_STR_INIT("12.34") },
        { 1234, 3, PH_STR_INIT("1.234") },
        { 1234, 4, PH_STR_INIT("0.1234") },
        { 1234, 0, PH_STR_INIT("1234") },
        { INT64_MAX, 2, PH_STR_INIT("92233720368547758.07") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        for (size_t size = 0; size <= rows[i].want.len; size++) {
            char          memory[32];
            struct ph_buf buf;

            ph_buf_init(&buf, memory, size);
            ph_money_format(&buf, rows[i].minor, rows[i].exponent);
            assert_int_equal(buf.full, size < rows[i].want.len);
            t_same(ph_buf_str(&buf), buf.full ? PH_STR("") : rows[i].want);
        }
    }
}

static void
test_round_trip(void **state)
{
    uint32_t seed = 7;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        char          memory[32];
        struct ph_buf buf      = PH_BUF_INIT(memory);
        int           exponent = round % 5;
        int64_t       got      = -1;
        int64_t       minor
            = ((int64_t) t_next(&seed) << 24 | (int64_t) t_next(&seed))
              % (PH_AMOUNT_MAX + 1);

        minor >>= round % 48;
        ph_money_format(&buf, minor, exponent);
        assert_int_equal(ph_money_parse(ph_buf_str(&buf), exponent, &got),
                         PH_OK);
        assert_true(got == minor);
    }
}

static void
test_currencies(void **state)
{
    static const struct {
        struct ph_str code;
        int           want;
    } rows[] = {
        { PH_STR_INIT("AED"), 2 },   { PH_STR_INIT("ZWG"), 2 },
        { PH_STR_INIT("CNY"), 2 },   { PH_STR_INIT("USD"), 2 },
        { PH_STR_INIT("EUR"), 2 },   { PH_STR_INIT("JPY"), 0 },
        { PH_STR_INIT("KRW"), 0 },   { PH_STR_INIT("VND"), 0 },
        { PH_STR_INIT("CLP"), 0 },   { PH_STR_INIT("UYI"), 0 },
        { PH_STR_INIT("KWD"), 3 },   { PH_STR_INIT("BHD"), 3 },
        { PH_STR_INIT("OMR"), 3 },   { PH_STR_INIT("TND"), 3 },
        { PH_STR_INIT("CLF"), 4 },   { PH_STR_INIT("UYW"), 4 },
        { PH_STR_INIT("XAU"), -1 },  { PH_STR_INIT("XXX"), -1 },
        { PH_STR_INIT("XTS"), -1 },  { PH_STR_INIT("XAF"), -1 },
        { PH_STR_INIT("cny"), -1 },  { PH_STR_INIT("CN"), -1 },
        { PH_STR_INIT("CNYX"), -1 }, { PH_STR_INIT("CNH"), -1 },
        { PH_STR_INIT("HRK"), -1 },  { PH_STR_INIT("ZWL"), -1 },
        { PH_STR_INIT("USD2"), -1 }, { PH_STR_INIT(""), -1 },
        { { NULL, 0 }, -1 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_currency_exponent(rows[i].code), rows[i].want);
    }
}

/* Every three capital letters: the search finds each row of the table, so the
 * table is in order; none begins with X. */
static void
test_currency_search(void **state)
{
    unsigned found[5] = { 0 };

    (void) state;
    for (unsigned i = 0; i < 26 * 26 * 26; i++) {
        char code[3]  = { (char) ('A' + i / 676), (char) ('A' + i / 26 % 26),
                          (char) ('A' + i % 26) };
        int  exponent = ph_currency_exponent(ph_str_make(code, 3));

        assert_true(exponent == -1 || (exponent >= 0 && exponent <= 4));
        assert_false(exponent >= 0 && code[0] == 'X');
        if (exponent >= 0) {
            found[exponent]++;
        }
    }
    assert_int_equal(found[0], 14);
    assert_int_equal(found[1], 0);
    assert_int_equal(found[3], 7);
    assert_int_equal(found[4], 2);
    assert_int_equal(found[0] + found[2] + found[3] + found[4], 159);
}

static void
test_add(void **state)
{
    int64_t sum = 1;

    (void) state;
    assert_true(ph_money_add(2, 3, &sum));
    assert_int_equal(sum, 5);
    assert_false(ph_money_add(INT64_MAX, 1, &sum));
    assert_false(ph_money_add(INT64_MIN, -1, &sum));
    assert_int_equal(sum, 5);
    assert_true(ph_money_add(INT64_MAX, 0, &sum));
}

static void
test_rescale(void **state)
{
    static const struct {
        int64_t minor;
        int     from, to;
        bool    ok;
        int64_t want;
    } rows[] = {
        { 0, 2, 0, true, 0 },
        { 1050, 2, 2, true, 1050 },
        { 1050, 2, 3, true, 10500 },
        { 1050, 0, 4, true, 10500000 },
        { 10500, 3, 2, true, 1050 },
        { 10501, 3, 2, false, 0 },
        { 100, 2, 0, true, 1 },
        { 110, 2, 0, false, 0 },
        { 101, 2, 0, false, 0 },
        { 1, 2, 0, false, 0 },
        { -100, 2, 0, false, 0 },
        { -1, 2, 2, false, 0 },
        { INT64_MIN, 2, 0, false, 0 },
        { PH_AMOUNT_MAX, 2, 2, true, PH_AMOUNT_MAX },
        { PH_AMOUNT_MAX, 2, 3, false, 0 },
        { PH_AMOUNT_MAX + 1, 2, 2, false, 0 },
        { (PH_AMOUNT_MAX + 1) * 10, 3, 2, false, 0 },
        { INT64_MAX, 4, 0, false, 0 },
        { 99999999999999, 2, 3, true, 999999999999990 },
        { 100000000000000, 2, 3, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        int64_t got = 0;

        assert_int_equal(
            ph_money_rescale(rows[i].minor, rows[i].from, rows[i].to, &got),
            rows[i].ok);
        assert_true(got == rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_currencies),
        cmocka_unit_test(test_currency_search),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_rescale),
    };

    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}

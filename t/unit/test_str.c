/*
 * test_str.c - comparing, splitting, strict numbers, UTF-8.
 */
#include "t/unit/support.h"

static void
test_cmp(void **state)
{
    static const struct {
        struct ph_str a, b;
        int           want;
    } rows[] = {
        { PH_STR_INIT(""), PH_STR_INIT(""), 0 },
        { { NULL, 0 }, PH_STR_INIT(""), 0 },
        { PH_STR_INIT("a"), PH_STR_INIT("a"), 0 },
        { PH_STR_INIT("a"), PH_STR_INIT("b"), -1 },
        { PH_STR_INIT("b"), PH_STR_INIT("a"), 1 },
        { PH_STR_INIT("a"), PH_STR_INIT("ab"), -1 },
        { PH_STR_INIT("\xff"), PH_STR_INIT("a"), 1 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        int got = ph_str_cmp(rows[i].a, rows[i].b);

        assert_int_equal((got > 0) - (got < 0), rows[i].want);
        assert_int_equal(ph_str_eq(rows[i].a, rows[i].b), rows[i].want == 0);
    }
}

static void
test_next(void **state)
{
    static const struct {
        struct ph_str in;
        const char   *pieces; /* each followed by / */
    } rows[] = {
        { { NULL, 0 }, "" },          { PH_STR_INIT(""), "/" },
        { PH_STR_INIT("a"), "a/" },   { PH_STR_INIT("a,,b"), "a//b/" },
        { PH_STR_INIT(","), "//" },   { PH_STR_INIT("a,"), "a//" },
        { PH_STR_INIT(",a"), "/a/" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[32];
        struct ph_buf got = PH_BUF_INIT(memory);
        struct ph_str in  = rows[i].in, piece;

        while (ph_str_next(&in, ',', &piece)) {
            ph_buf_add(&got, piece);
            ph_buf_byte(&got, '/');
        }
        t_same(ph_buf_str(&got), ph_str_z(rows[i].pieces));
    }
}

static void
test_cut_and_trim(void **state)
{
    struct ph_str head = PH_STR("kept"), tail = PH_STR("kept");

    (void) state;
    assert_false(ph_str_cut(PH_STR("abc"), '=', &head, &tail));
    t_same(head, PH_STR("kept"));
    assert_true(ph_str_cut(PH_STR("a=b=c"), '=', &head, &tail));
    t_same(head, PH_STR("a"));
    t_same(tail, PH_STR("b=c"));
    t_same(ph_str_trim(PH_STR(" \t a b\t ")), PH_STR("a b"));
    t_same(ph_str_trim(PH_STR(" \t")), PH_STR(""));
    t_same(ph_str_trim(ph_str_make(NULL, 0)), PH_STR(""));
    assert_true(ph_str_starts(PH_STR("abc"), PH_STR("ab")));
    assert_true(ph_str_starts(PH_STR("abc"), PH_STR("")));
    assert_false(ph_str_starts(PH_STR("a"), PH_STR("ab")));
}

static void
test_u64(void **state)
{
    static const struct {
        struct ph_str in;
        uint64_t      max;
        bool          ok;
        uint64_t      want;
    } rows[] = {
        { PH_STR_INIT("0"), 9, true, 0 },
        { PH_STR_INIT("9"), 9, true, 9 },
        { PH_STR_INIT("10"), 9, false, 0 },
        { PH_STR_INIT(""), 9, false, 0 },
        { PH_STR_INIT("00"), 9, false, 0 },
        { PH_STR_INIT("01"), 9, false, 0 },
        { PH_STR_INIT("+1"), 9, false, 0 },
        { PH_STR_INIT("-1"), 9, false, 0 },
        { PH_STR_INIT(" 1"), 9, false, 0 },
        { PH_STR_INIT("1 "), 9, false, 0 },
        { PH_STR_INIT("1e3"), UINT64_MAX, false, 0 },
        { PH_STR_INIT("1\0"), 9, false, 0 },
        { PH_STR_INIT("18446744073709551615"), UINT64_MAX, true, UINT64_MAX },
        { PH_STR_INIT("18446744073709551616"), UINT64_MAX, false, 0 },
        { PH_STR_INIT("99999999999999999999"), UINT64_MAX, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        uint64_t got = 0;

        assert_int_equal(ph_str_u64(rows[i].in, rows[i].max, &got), rows[i].ok);
        assert_true(got == rows[i].want);
    }
}

static void
test_token_and_control(void **state)
{
    (void) state;
    for (unsigned ch = 0; ch < 256; ch++) {
        char byte = (char) (unsigned char) ch;
        bool want = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                    || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';

        assert_int_equal(ph_str_is_token(ph_str_make(&byte, 1), 1), want);
        assert_int_equal(ph_str_has_control(ph_str_make(&byte, 1)),
                         ch < 0x20 || ch == 0x7f);
    }
    for (size_t at = 0; at < 20; at++) { /* at every place of a long text */
        char text[] = "plain \xe5\xbe\xae text \xff\x80 ~~~";

        assert_false(ph_str_has_control(ph_str_make(text, 20)));
        text[at] = at % 2 != 0 ? '\x7f' : '\x1f';
        assert_true(ph_str_has_control(ph_str_make(text, 20)));
    }
    assert_false(ph_str_has_control(ph_str_make(NULL, 0)));
    assert_false(ph_str_is_token(PH_STR(""), 4));
    assert_true(ph_str_is_token(PH_STR("abcd"), 4));
    assert_false(ph_str_is_token(PH_STR("abcde"), 4));
}

static void
test_utf8(void **state)
{
    static const struct {
        struct ph_str in;
        size_t        want;
    } rows[] = {
        { PH_STR_INIT(""), 0 },
        { PH_STR_INIT("abc"), 3 },
        { PH_STR_INIT("\xc2\x80"), 1 },
        { PH_STR_INIT("\xe5\xbe\xae\xe4\xbf\xa1"), 2 },
        { PH_STR_INIT("\xf0\x9f\x98\x80"), 1 },
        { PH_STR_INIT("\xf4\x8f\xbf\xbf"), 1 },
        { PH_STR_INIT("\x80"), SIZE_MAX },             /* lone tail */
        { PH_STR_INIT("\xc2"), SIZE_MAX },             /* cut */
        { PH_STR_INIT("\xc0\xaf"), SIZE_MAX },         /* overlong 2 */
        { PH_STR_INIT("\xe0\x9f\xbf"), SIZE_MAX },     /* overlong 3 */
        { PH_STR_INIT("\xf0\x8f\xbf\xbf"), SIZE_MAX }, /* overlong 4 */
        { PH_STR_INIT("\xed\xa0\x80"), SIZE_MAX },     /* surrogate */
        { PH_STR_INIT("\xf4\x90\x80\x80"), SIZE_MAX }, /* > U+10FFFF */
        { PH_STR_INIT("\xf5\x80\x80\x80"), SIZE_MAX },
        { PH_STR_INIT("\xe5\xbe"), SIZE_MAX },
        { PH_STR_INIT("a\xe5\x41\xae"), SIZE_MAX },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_true(ph_str_utf8_count(rows[i].in) == rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cmp),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_cut_and_trim),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_token_and_control),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}

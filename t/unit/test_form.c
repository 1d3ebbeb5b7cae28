/* test_form.c - forms, and the sorted texts that are signed.  What is encoded
 * was compared with Python's urllib.parse.quote and quote_plus. */
#include "t/unit/support.h"

#include "libpayhub/wire/form.h"

static void
is_encoded(void **unused)
{
    static const struct {
        struct ph_str text;
        const char   *hex;
        const char   *plus;
    } rows[] = {
        { PH_STR_INIT(""), "", "" },
        { PH_STR_INIT("azAZ09-._~"), "azAZ09-._~", "azAZ09-._~" },
        { PH_STR_INIT("a b"), "a%20b", "a+b" },
        { PH_STR_INIT("a+b=c&d"), "a%2Bb%3Dc%26d", "a%2Bb%3Dc%26d" },
        { PH_STR_INIT("!*'()/:?"), "%21%2A%27%28%29%2F%3A%3F",
          "%21%2A%27%28%29%2F%3A%3F" },
        { PH_STR_INIT("\xe4\xb8\xad"), "%E4%B8%AD", "%E4%B8%AD" },
        { PH_STR_INIT("\x00\xff%"), "%00%FF%25", "%00%FF%25" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[128];
        struct ph_buf hex = PH_BUF_INIT(memory), plus;

        ph_url_encode(&hex, rows[i].text, PH_URL_SPACE_HEX);
        t_same(ph_buf_str(&hex), ph_str_z(rows[i].hex));
        ph_buf_init(&plus, memory, sizeof(memory));
        ph_url_encode(&plus, rows[i].text, PH_URL_SPACE_PLUS);
        t_same(ph_buf_str(&plus), ph_str_z(rows[i].plus));
    }
}

static void
is_decoded_once(void **unused)
{
    static const struct {
        struct ph_str  text;
        size_t         count;
        struct ph_pair pairs[3];
    } rows[] = {
        { PH_STR_INIT(""), 0, { { { NULL, 0 }, { NULL, 0 } } } },
        { PH_STR_INIT("a=1"), 1, { { PH_STR_INIT("a"), PH_STR_INIT("1") } } },
        { PH_STR_INIT("a"), 1, { { PH_STR_INIT("a"), PH_STR_INIT("") } } },
        { PH_STR_INIT("a=&b=2=3"),
          2,
          { { PH_STR_INIT("a"), PH_STR_INIT("") },
            { PH_STR_INIT("b"), PH_STR_INIT("2=3") } } },
        { PH_STR_INIT("a%20b=c+d&e=%2B%252B"),
          2,
          { { PH_STR_INIT("a b"), PH_STR_INIT("c d") },
            { PH_STR_INIT("e"), PH_STR_INIT("+%2B") } } },
        { PH_STR_INIT("x=%e4%B8%aD&A=1&a=2"),
          3,
          { { PH_STR_INIT("x"), PH_STR_INIT("\xe4\xb8\xad") },
            { PH_STR_INIT("A"), PH_STR_INIT("1") },
            { PH_STR_INIT("a"), PH_STR_INIT("2") } } },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        _Alignas(16) char memory[256];
        struct ph_arena   arena;
        struct ph_pair    pairs[3];
        size_t            count;

        ph_arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(ph_form_decode(rows[i].text, &arena, pairs, 3, &count),
                         PH_OK);
        assert_int_equal(count, rows[i].count);
        for (size_t k = 0; k < count; k++) {
            t_same(pairs[k].name, rows[i].pairs[k].name);
            t_same(pairs[k].value, rows[i].pairs[k].value);
        }
    }
}

static void
is_refused(void **unused)
{
    static const struct {
        struct ph_str text;
        enum ph_rc    rc;
    } rows[] = {
        { PH_STR_INIT("a=%"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%4"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%4g"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%g4"), PH_E_SYNTAX },
        { PH_STR_INIT("%=1"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%00"), PH_E_SYNTAX },
        { PH_STR_INIT("a=\0"), PH_E_SYNTAX },
        { PH_STR_INIT("a=+\0"), PH_E_SYNTAX },
        { PH_STR_INIT("=1"), PH_E_SYNTAX },
        { PH_STR_INIT("&"), PH_E_SYNTAX },
        { PH_STR_INIT("a=1&"), PH_E_SYNTAX },
        { PH_STR_INIT("&a=1"), PH_E_SYNTAX },
        { PH_STR_INIT("a=1&&b=2"), PH_E_SYNTAX },
        { PH_STR_INIT("a=1&a=1"), PH_E_DUPLICATE },
        { PH_STR_INIT("a=1&b=2&%61="), PH_E_DUPLICATE },
        { PH_STR_INIT("a&a"), PH_E_DUPLICATE },
        { PH_STR_INIT("a=1&b=2&c=3&d=4"), PH_E_FULL },
        { PH_STR_INIT("a=%31234567890123456789012345678901"), PH_E_FULL },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        _Alignas(16) char memory[16];
        struct ph_arena   arena;
        struct ph_pair    pairs[3];
        size_t            count = 9;

        ph_arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(ph_form_decode(rows[i].text, &arena, pairs, 3, &count),
                         rows[i].rc);
        assert_int_equal(count, 0);
    }
}

static void
is_sorted_and_joined(void **unused)
{
    static const struct ph_str skip[]
        = { PH_STR_INIT("sign"), PH_STR_INIT("sign_type") };
    struct ph_pair pairs[] = {
        { PH_STR_INIT("sign_type"), PH_STR_INIT("RSA2") },
        { PH_STR_INIT("b"), PH_STR_INIT("2") },
        { PH_STR_INIT("sign"), PH_STR_INIT("x") },
        { PH_STR_INIT("ab"), PH_STR_INIT("a b&c") },
        { PH_STR_INIT("e"), PH_STR_INIT("") },
        { PH_STR_INIT("a"), PH_STR_INIT("1") },
        { PH_STR_INIT("B"), PH_STR_INIT("0") },
        { PH_STR_INIT("\xe4"), PH_STR_INIT("last") },
    };
    static const struct {
        struct ph_join how;
        const char    *text;
    } rows[] = {
        { { NULL, 0, false },
          "B=0&a=1&ab=a b&c&b=2&e=&sign=x&sign_type=RSA2&\xe4=last" },
        { { skip, 2, false }, "B=0&a=1&ab=a b&c&b=2&e=&\xe4=last" },
        { { skip, 1, true }, "B=0&a=1&ab=a b&c&b=2&sign_type=RSA2&\xe4=last" },
    };
    char memory[256];

    (void) unused;
    ph_pairs_sort(pairs, PH_COUNT(pairs));
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_pairs_join(&buf, pairs, PH_COUNT(pairs), &rows[i].how);
        t_same(ph_buf_str(&buf), ph_str_z(rows[i].text));
    }
    t_same(ph_pair_find(pairs, PH_COUNT(pairs), PH_STR("ab")), PH_STR("a b&c"));
    assert_non_null(ph_pair_find(pairs, PH_COUNT(pairs), PH_STR("e")).ptr);
    assert_null(ph_pair_find(pairs, PH_COUNT(pairs), PH_STR("E")).ptr);
}

/* every byte, as name and as value, by both kinds of blank */
static void
what_is_encoded_is_decoded_again(void **unused)
{
    (void) unused;
    for (unsigned byte = 1; byte < 256; byte++) {
        _Alignas(16) char memory[64];
        char              text[3] = { 'x', (char) byte, 'y' }, wire[64];
        struct ph_str     both    = ph_str_make(text, sizeof(text));

        for (int space = 0; space < 2; space++) {
            const struct ph_pair pair = { both, both };
            struct ph_pair       back[1];
            struct ph_arena      arena;
            struct ph_buf        buf = PH_BUF_INIT(wire);
            size_t               count;

            ph_form_encode(&buf, &pair, 1, (enum ph_url_space) space);
            ph_arena_init(&arena, memory, sizeof(memory));
            assert_int_equal(
                ph_form_decode(ph_buf_str(&buf), &arena, back, 1, &count),
                PH_OK);
            assert_int_equal(count, 1);
            t_same(back[0].name, both);
            t_same(back[0].value, both);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_encoded),
        cmocka_unit_test(is_decoded_once),
        cmocka_unit_test(is_refused),
        cmocka_unit_test(is_sorted_and_joined),
        cmocka_unit_test(what_is_encoded_is_decoded_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_json_member.c - the bytes of a member, as they were sent. */
#include "t/unit/support.h"

#include <stdlib.h>

#include "libpayhub/wire/json_member.h"

static void
is_found_as_it_stands(void **unused)
{
    static const struct {
        const char *text;
        const char *exact;
    } rows[] = {
        { "{\"a\":1}", "1" },
        { "{\"a\":-1.5e+3 }", "-1.5e+3" },
        { "{\"a\":null,\"b\":2}", "null" },
        { "{\"b\":{\"a\":2},\"a\":true}", "true" },
        { " {\r\n\t\"a\" : { \"x\" : [1, 2] } , \"sign\":\"s\"}\n",
          "{ \"x\" : [1, 2] }" },
        { "{\"a\":\"with \\\" and } and \\\\\"}",
          "\"with \\\" and } and \\\\\"" },
        { "{\"a\":{\"msg\":\"}\\\"]\",\"u\":\"\\u4e2d\\/\"},\"s\":1}",
          "{\"msg\":\"}\\\"]\",\"u\":\"\\u4e2d\\/\"}" },
        { "{\"a\":\"\"}", "\"\"" },
        { "{\"a\":[]}", "[]" },
        { "{\"\":1,\"A\":2,\"aa\":3,\"a\":4}", "4" },
        /* another one's value that looks like the member */
        { "{\"x\":\",\\\"a\\\":1\",\"a\":2}", "2" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str exact = { NULL, 0 };

        assert_int_equal(
            ph_json_member(ph_str_z(rows[i].text), PH_STR("a"), &exact), PH_OK);
        t_same(exact, ph_str_z(rows[i].exact));
    }
}

static void
is_refused(void **unused)
{
    static const struct {
        const char *text;
        enum ph_rc  rc;
    } rows[] = {
        { "{}", PH_E_MISSING },
        { "{\"b\":1}", PH_E_MISSING },
        { "{\"b\":{\"a\":1}}", PH_E_MISSING },
        { "{\"a\":1,\"a\":1}", PH_E_DUPLICATE },
        { "{\"a\":{\"x\":1},\"b\":2,\"a\":{}}", PH_E_DUPLICATE },
        { "{\"a\":1,\"\\u0061\":2}", PH_E_SYNTAX },
        { "{\"b\\n\":1,\"a\":2}", PH_E_SYNTAX },
        { "", PH_E_SYNTAX },
        { "  ", PH_E_SYNTAX },
        { "[]", PH_E_SYNTAX },
        { "\"a\"", PH_E_SYNTAX },
        { "<html>", PH_E_SYNTAX },
        { "{", PH_E_SYNTAX },
        { "{\"a", PH_E_SYNTAX },
        { "{\"a\\", PH_E_SYNTAX },
        { "{\"a\"", PH_E_SYNTAX },
        { "{\"a\":", PH_E_SYNTAX },
        { "{\"a\":}", PH_E_SYNTAX },
        { "{\"a\":,\"b\":1}", PH_E_SYNTAX },
        { "{\"a\":1", PH_E_SYNTAX },
        { "{\"a\":1,", PH_E_SYNTAX },
        { "{\"a\":1,}", PH_E_SYNTAX },
        { "{,\"a\":1}", PH_E_SYNTAX },
        { "{\"a\":1 2}", PH_E_SYNTAX },
        { "{\"a\" 1}", PH_E_SYNTAX },
        { "{a:1}", PH_E_SYNTAX },
        { "{\"a\":[1}}", PH_E_SYNTAX },
        { "{\"a\":{]}", PH_E_SYNTAX },
        { "{\"a\":{\"x\":1}", PH_E_SYNTAX },
        { "{\"a\":1}x", PH_E_SYNTAX },
        { "{\"a\":1}{\"a\":2}", PH_E_SYNTAX },
        { "{}x", PH_E_SYNTAX },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str exact = PH_STR("untouched");

        assert_int_equal(
            ph_json_member(ph_str_z(rows[i].text), PH_STR("a"), &exact),
            rows[i].rc);
        t_same(exact, PH_STR("untouched"));
    }
}

/* {"a":[[...]]} with so many brackets in all */
static struct ph_str
nest(char *text, size_t depth)
{
    struct ph_buf buf;

    ph_buf_init(&buf, text, 4096);
    ph_buf_add(&buf, PH_STR("{\"a\":"));
    for (size_t i = 1; i < depth; i++) {
        ph_buf_byte(&buf, '[');
    }
    for (size_t i = 1; i < depth; i++) {
        ph_buf_byte(&buf, ']');
    }
    ph_buf_byte(&buf, '}');
    return ph_buf_str(&buf);
}

static void
depth_has_a_maximum(void **unused)
{
    char          text[4096];
    struct ph_str exact;

    (void) unused;
    assert_int_equal(
        ph_json_member(nest(text, PH_JSON_DEPTH_MAX), PH_STR("a"), &exact),
        PH_OK);
    assert_int_equal(
        ph_json_member(nest(text, PH_JSON_DEPTH_MAX + 1), PH_STR("a"), &exact),
        PH_E_RANGE);
    assert_int_equal(ph_json_depth(nest(text, 5), 5), PH_OK);
    assert_int_equal(ph_json_depth(nest(text, 6), 5), PH_E_RANGE);
    assert_int_equal(ph_json_depth(nest(text, 1000), PH_JSON_DEPTH_MAX),
                     PH_E_RANGE);
    assert_int_equal(ph_json_depth(PH_STR("\"no brackets\" "), 1), PH_OK);
    assert_int_equal(ph_json_depth(PH_STR("[1]]"), 3), PH_E_SYNTAX);
    assert_int_equal(ph_json_depth(PH_STR("[[\"]\""), 3), PH_E_SYNTAX);
}

/* No byte behind the end is read: each length is a block of its own for the
 * sanitizer. */
static void
every_cut_is_refused(void **unused)
{
    static const char whole[]
        = "{\"b\":[1,{\"c\":\"\\\"\"}],\"a\":{\"d\":\"x\\\\\"},\"e\":1.5}";

    (void) unused;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        char         *copy = malloc(len + 1);
        struct ph_str exact;

        assert_non_null(copy);
        memcpy(copy + 1, whole, len);
        assert_int_equal(
            ph_json_member(ph_str_make(copy + 1, len), PH_STR("a"), &exact),
            PH_E_SYNTAX);
        free(copy);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found_as_it_stands),
        cmocka_unit_test(is_refused),
        cmocka_unit_test(depth_has_a_maximum),
        cmocka_unit_test(every_cut_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

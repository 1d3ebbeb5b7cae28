/*
 * test_pick.c - documents of channels: what is read, what is refused, what is
 * picked.
 */
#include "t/unit/support.h"

#include <stdio.h>
#include <string.h>

#include "channels/pick.h"

static char            memory[512 * 1024];
static struct ph_arena arena;

static int
set_up(void **state)
{
    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static enum ph_rc
read_json(struct ph_str text)
{
    struct ph_doc *doc = NULL;
    enum ph_rc     rc  = ph_doc_json(&doc, text);

    assert_int_equal(doc != NULL, rc == PH_OK);
    ph_doc_free(doc);
    return rc;
}

/* ---- reading ---- */

static void
test_json_taken_and_refused(void **state)
{
    static const struct {
        struct ph_str text;
        enum ph_rc    want;
    } rows[] = {
        { PH_STR_INIT("{}"), PH_OK },
        { PH_STR_INIT(" {\"a\":[1,{\"b\":null}],\"c\":1.5} \n"), PH_OK },
        { PH_STR_INIT("{\"a\":\"}{][,\\\"\"}"), PH_OK },
        { PH_STR_INIT(""), PH_E_SYNTAX },
        { PH_STR_INIT("[]"), PH_E_SYNTAX },
        { PH_STR_INIT("1"), PH_E_SYNTAX },
        { PH_STR_INIT("\"a\""), PH_E_SYNTAX },
        { PH_STR_INIT("{"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1}x"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1}{}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1,}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1,\"a\":1}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"b\":{\"a\":1,\"a\":1}}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":NaN}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":01}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":99999999999999999999}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":\"\\u0000\"}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":\"\0\"}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1}\0"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":\"\xff\"}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":\"\xd6\xd0\"}"), PH_E_SYNTAX }, /* GBK */
        { PH_STR_INIT("\xef\xbb\xbf{}"), PH_E_SYNTAX },       /* BOM */
        { PH_STR_INIT("<html><body>502</body></html>"), PH_E_SYNTAX },
        { PH_STR_INIT("{'a':1}"), PH_E_SYNTAX },
        { PH_STR_INIT("{\"a\":1/* */}"), PH_E_SYNTAX },
        { { NULL, 0 }, PH_E_SYNTAX },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_rc rc = read_json(rows[i].text);

        if (rc != rows[i].want) {
            fail_msg("%.*s: found %d, expected %d", (int) rows[i].text.len,
                     rows[i].text.ptr, (int) rc, (int) rows[i].want);
        }
    }
}

/* `count` times `piece` between head and tail */
static struct ph_str
many(const char *head, const char *piece, size_t count, const char *tail)
{
    static char   text[2 * 1024 * 1024];
    struct ph_buf buf = PH_BUF_INIT(text);

    ph_buf_add(&buf, ph_str_z(head));
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(&buf, ph_str_z(piece));
    }
    ph_buf_add(&buf, ph_str_z(tail));
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static void
test_json_bounds(void **state)
{
    char tail[PH_CHANNEL_DEPTH_MAX + 2];

    (void) state;
    memset(tail, ']', sizeof(tail));
    tail[PH_CHANNEL_DEPTH_MAX - 1] = '}';
    tail[PH_CHANNEL_DEPTH_MAX]     = '\0';
    assert_int_equal(
        read_json(many("{\"a\":", "[", PH_CHANNEL_DEPTH_MAX - 1, tail)), PH_OK);
    tail[PH_CHANNEL_DEPTH_MAX - 1] = ']';
    tail[PH_CHANNEL_DEPTH_MAX]     = '}';
    tail[PH_CHANNEL_DEPTH_MAX + 1] = '\0';
    assert_int_equal(
        read_json(many("{\"a\":", "[", PH_CHANNEL_DEPTH_MAX, tail)),
        PH_E_RANGE);
    assert_int_equal(read_json(many("{\"a\":", "[", 10000, "")), PH_E_RANGE);
    assert_int_equal(read_json(many("{\"a\":", "[", 100000, "")), PH_E_RANGE);

    assert_int_equal(
        read_json(many("{\"a\":[1", ",1", PH_DOC_VALUES_MAX - 3, "]}")), PH_OK);
    assert_int_equal(
        read_json(many("{\"a\":[1", ",1", PH_DOC_VALUES_MAX - 2, "]}")),
        PH_E_RANGE);
    /* what stands in a text is no value */
    assert_int_equal(read_json(many("{\"a\":\"\\\"", ",[{", 50000, "\"}")),
                     PH_OK);

    assert_int_equal(
        read_json(many("{\"a\":\"", "x", PH_CHANNEL_JSON_MAX - 8, "\"}")),
        PH_OK);
    assert_int_equal(
        read_json(many("{\"a\":\"", "x", PH_CHANNEL_JSON_MAX - 7, "\"}")),
        PH_E_RANGE);
}

static void
test_form(void **state)
{
    static const struct {
        struct ph_str text;
        enum ph_rc    want;
    } rows[] = {
        { PH_STR_INIT("a=1&b=%E4%B8%AD+x"), PH_OK },
        { PH_STR_INIT(""), PH_OK },
        { PH_STR_INIT("a=1&a=2"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%zz"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%00"), PH_E_SYNTAX },
        { PH_STR_INIT("a=%ff"), PH_E_SYNTAX }, /* not UTF-8 */
        { PH_STR_INIT("=1"), PH_E_SYNTAX },
    };
    struct ph_doc *doc;
    struct ph_str  text;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_doc_form(&doc, rows[i].text, &arena), rows[i].want);
        ph_doc_free(doc);
    }
    assert_int_equal(ph_doc_form(&doc, rows[0].text, &arena), PH_OK);
    assert_int_equal(ph_doc_text(doc, "b", &arena, &text), PH_OK);
    t_same(text, PH_STR("\xe4\xb8\xad x"));
    assert_int_equal(ph_doc_size(doc, ""), 2);
    ph_doc_free(doc);

    assert_int_equal(
        ph_doc_form(&doc, many("a=", "x", PH_CHANNEL_JSON_MAX - 1, ""), &arena),
        PH_E_RANGE);
    ph_arena_init(&arena, memory, 64);
    assert_int_equal(ph_doc_form(&doc, rows[0].text, &arena), PH_E_FULL);
    assert_null(doc);
}

/* ---- picking ---- */

static void
test_paths(void **state)
{
    static const char body[]
        = "{\"t\":\"x\",\"e\":\"\",\"n\":7,\"neg\":-7,\"r\":1.5,\"x\":1e3,"
          "\"yes\":true,\"no\":false,\"nil\":null,\"o\":{\"t\":\"in\"},"
          "\"a\":[{\"t\":\"first\"},\"second\",3],\"big\":9223372036854775807}";
    static const struct {
        const char *path;
        enum ph_rc  text, whole, truth;
        const char *want;
        int64_t     number;
    } rows[] = {
        { "t", PH_OK, PH_E_SYNTAX, PH_E_SYNTAX, "x", 0 },
        { "e", PH_OK, PH_E_SYNTAX, PH_E_SYNTAX, "", 0 },
        { "n", PH_E_SYNTAX, PH_OK, PH_E_SYNTAX, NULL, 7 },
        { "neg", PH_E_SYNTAX, PH_OK, PH_E_SYNTAX, NULL, -7 },
        { "big", PH_E_SYNTAX, PH_OK, PH_E_SYNTAX, NULL, INT64_MAX },
        { "r", PH_E_SYNTAX, PH_E_SYNTAX, PH_E_SYNTAX, NULL, 0 },
        { "x", PH_E_SYNTAX, PH_E_SYNTAX, PH_E_SYNTAX, NULL, 0 },
        { "yes", PH_E_SYNTAX, PH_E_SYNTAX, PH_OK, NULL, 1 },
        { "no", PH_E_SYNTAX, PH_E_SYNTAX, PH_OK, NULL, 0 },
        { "nil", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "nil.a", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "gone", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "t.t", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "o", PH_E_SYNTAX, PH_E_SYNTAX, PH_E_SYNTAX, NULL, 0 },
        { "o.t", PH_OK, PH_E_SYNTAX, PH_E_SYNTAX, "in", 0 },
        { "a.0.t", PH_OK, PH_E_SYNTAX, PH_E_SYNTAX, "first", 0 },
        { "a.1", PH_OK, PH_E_SYNTAX, PH_E_SYNTAX, "second", 0 },
        { "a.2", PH_E_SYNTAX, PH_OK, PH_E_SYNTAX, NULL, 3 },
        { "a.3", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "a.00", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "a.-1", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "a.x", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "o..t", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
        { "o.", PH_E_MISSING, PH_E_MISSING, PH_E_MISSING, NULL, 0 },
    };
    struct ph_doc *doc;

    (void) state;
    assert_int_equal(ph_doc_json(&doc, PH_STR(body)), PH_OK);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str text   = PH_STR("?");
        int64_t       number = 0;
        bool          truth  = false;

        assert_int_equal(ph_doc_text(doc, rows[i].path, &arena, &text),
                         rows[i].text);
        t_same(text, ph_str_z(rows[i].want));
        assert_int_equal(text.ptr != NULL, rows[i].text == PH_OK);
        assert_int_equal(ph_doc_int(doc, rows[i].path, &number), rows[i].whole);
        assert_int_equal(ph_doc_bool(doc, rows[i].path, &truth), rows[i].truth);
        assert_true((rows[i].truth == PH_OK ? truth : number)
                    == rows[i].number);
    }
    assert_non_null(ph_doc_at(doc, "a.0"));
    assert_int_equal(ph_doc_size(ph_doc_at(doc, "a"), ""), 3);
    assert_null(ph_doc_at(doc, "t"));
    assert_null(ph_doc_at(doc, "nil"));
    assert_null(ph_doc_at(doc, "gone.a"));
    assert_int_equal(ph_doc_size(doc, ""), 12);
    assert_int_equal(ph_doc_size(doc, "a"), 3);
    assert_int_equal(ph_doc_size(doc, "o"), 1);
    assert_int_equal(ph_doc_size(doc, "t"), 0);
    assert_int_equal(ph_doc_size(doc, "gone"), 0);
    ph_doc_free(doc);
}

/* what is picked outlives the document; a full arena gives nothing */
static void
test_memory(void **state)
{
    struct ph_doc *doc;
    struct ph_str  text;

    (void) state;
    assert_int_equal(ph_doc_json(&doc, PH_STR("{\"a\":\"lasting\"}")), PH_OK);
    assert_int_equal(ph_doc_text(doc, "a", &arena, &text), PH_OK);
    ph_doc_free(doc);
    t_same(text, PH_STR("lasting"));

    assert_int_equal(ph_doc_json(&doc, PH_STR("{\"a\":\"lasting\"}")), PH_OK);
    ph_arena_init(&arena, memory, 4);
    assert_int_equal(ph_doc_text(doc, "a", &arena, &text), PH_E_FULL);
    assert_null(text.ptr);
    ph_doc_free(doc);
    ph_doc_free(NULL);
}

static void
test_extra(void **state)
{
    static const struct {
        const char *extra, *key, *want;
    } rows[] = {
        { "{\"openid\":\"o-1\"}", "openid", "o-1" },
        { "{\"confirm\":true}", "confirm", "true" },
        { "{\"confirm\":false}", "confirm", "false" },
        { "{\"n\":12}", "n", "12" },
        { "{\"n\":-12}", "n", "-12" },
        { "{\"n\":1.5}", "n", NULL },
        { "{\"a.b\":\"x\"}", "a.b", "x" },
        { "{\"a\":{\"b\":\"x\"}}", "a.b", NULL },
        { "{\"a\":{}}", "a", NULL },
        { "{\"a\":null}", "a", NULL },
        { "{}", "openid", NULL },
        { "", "openid", NULL },
        { "no json", "openid", NULL },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_order order = { .extra = ph_str_z(rows[i].extra) };
        struct ph_str text = ph_channel_extra_text(&order, rows[i].key, &arena);

        t_same(text, ph_str_z(rows[i].want));
        assert_int_equal(text.ptr == NULL, rows[i].want == NULL);
    }
    assert_false(arena.full);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_json_taken_and_refused, set_up),
        cmocka_unit_test_setup(test_json_bounds, set_up),
        cmocka_unit_test_setup(test_form, set_up),
        cmocka_unit_test_setup(test_paths, set_up),
        cmocka_unit_test_setup(test_memory, set_up),
        cmocka_unit_test_setup(test_extra, set_up),
    };

    return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}

/* test_xml.c - the XML of channels: what becomes a document, what is refused,
 * and that nothing is fetched or expanded. */
#include "t/unit/support.h"

#include "channels/pick_int.h"
#include "channels/xml.h"

#define ROOM (512 * 1024)

static char room[ROOM] __attribute__((aligned(16)));

static enum ph_rc
read_text(struct ph_str text, struct ph_doc **doc)
{
    struct ph_arena arena;

    ph_arena_init(&arena, room, sizeof(room));
    enum ph_rc rc = ph_doc_xml(doc, text, &arena);

    assert_int_equal(arena.len, 0); /* given back, whatever came of it */
    return rc;
}

static void
is_read(void **unused)
{
    static const struct {
        struct ph_str text;
        const char   *path;
        const char   *want;
    } rows[] = {
        { PH_STR_INIT("<a><b>1</b></a>"), "b", "1" },
        { PH_STR_INIT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>\n "
                      "<b>1</b>\n <c><d> x </d></c>\n</a>\n"),
          "c.d", " x " },
        { PH_STR_INIT("<a><b/></a>"), "b", "" },
        { PH_STR_INIT(
              "<a><b>&lt;&amp;&gt;&quot;&apos;&#20013;&#x4e2d;</b></a>"),
          "b", "<&>\"'\xe4\xb8\xad\xe4\xb8\xad" },
        { PH_STR_INIT("<a><b><![CDATA[<x>&amp;]]>z</b></a>"), "b",
          "<x>&amp;z" },
        { PH_STR_INIT("<a><b>1</b><c>2</c><d><e>3</e><f>4</f></d><g>5</g></a>"),
          "d.f", "4" },
        { PH_STR_INIT("<a><b>one\r\ntwo</b></a>"), "b", "one\ntwo" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_doc    *doc;
        struct ph_arena   arena;
        _Alignas(16) char memory[256];
        struct ph_str     got;

        assert_int_equal(read_text(rows[i].text, &doc), PH_OK);
        ph_arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(ph_doc_text(doc, rows[i].path, &arena, &got), PH_OK);
        t_same(got, ph_str_z(rows[i].want));
        ph_doc_free(doc);
    }
}

static void
is_refused(void **unused)
{
    static const struct ph_str rows[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("x"),
        PH_STR_INIT("<a>"),
        PH_STR_INIT("<a><b>1</b>"),
        PH_STR_INIT("<a><b>1</a></b>"),
        PH_STR_INIT("<a><b>1</b></a><a/>"),
        PH_STR_INIT("<a><b>1</b></a>x"),
        PH_STR_INIT("<a>1</a>"), /* no members */
        PH_STR_INIT("<a/>"),
        PH_STR_INIT(" <a><b>1</b></a>"),
        PH_STR_INIT("\xef\xbb\xbf<a><b>1</b></a>"), /* byte order mark */
        PH_STR_INIT("<a><b>\xff</b></a>"),
        PH_STR_INIT("<a><b>1\0</b></a>"),
        PH_STR_INIT("<?xml version=\"1.0\" encoding=\"GBK\"?><a><b>1</b></a>"),
        PH_STR_INIT("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a><b/></a>"),
        PH_STR_INIT("<!DOCTYPE a><a><b>1</b></a>"),
        PH_STR_INIT(
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a><b>1</b></a>"),
        PH_STR_INIT("<!DOCTYPE a [<!ENTITY x \"y\">]><a><b>&x;</b></a>"),
        PH_STR_INIT("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                    "<a><b>&x;</b></a>"),
        PH_STR_INIT("<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://127.0.0.1/\">"
                    " %x;]><a><b>1</b></a>"),
        PH_STR_INIT("<a><b>&x;</b></a>"),
        PH_STR_INIT("<a><b>&#0;</b></a>"),
        PH_STR_INIT("<a><?php x?><b>1</b></a>"),
        PH_STR_INIT("<?go?><a><b>1</b></a>"),
        PH_STR_INIT("<a><!-- --><b>1</b></a>"),
        PH_STR_INIT("<a><b>1<!-- -->2</b></a>"),
        PH_STR_INIT("<a c=\"1\"><b>1</b></a>"),
        PH_STR_INIT("<a xmlns=\"x\"><b>1</b></a>"),
        PH_STR_INIT("<a><b>1</b><b>2</b></a>"),
        PH_STR_INIT("<a>x<b>1</b></a>"),
        PH_STR_INIT("<a><b>1</b>x</a>"),
        PH_STR_INIT("<a><b>1</b>x<c>2</c></a>"),
        PH_STR_INIT("<html><body><p>504</body></html>"),
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_doc *doc = (struct ph_doc *) room;

        assert_int_equal(read_text(rows[i], &doc), PH_E_SYNTAX);
        assert_null(doc);
    }
}

/* `depth` elements within each other, `width` in the outermost */
static struct ph_str
big(char *memory, size_t size, size_t depth, size_t width, size_t text)
{
    struct ph_buf buf;

    ph_buf_init(&buf, memory, size);
    for (size_t i = 0; i < depth; i++) {
        ph_buf_add(&buf, PH_STR("<a>"));
    }
    for (size_t i = 0; i < width; i++) {
        ph_buf_add(&buf, PH_STR("<b"));
        ph_buf_u64(&buf, i);
        ph_buf_add(&buf, PH_STR("/>"));
    }
    for (size_t i = 0; i < text; i++) {
        ph_buf_byte(&buf, 'x');
    }
    for (size_t i = 0; i < depth; i++) {
        ph_buf_add(&buf, PH_STR("</a>"));
    }
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static void
is_bounded(void **unused)
{
    static char memory[2 * PH_CHANNEL_JSON_MAX];
    static const struct {
        size_t     depth, width, text;
        enum ph_rc want;
    } rows[] = {
        { PH_CHANNEL_DEPTH_MAX, 0, 1, PH_OK },
        { PH_CHANNEL_DEPTH_MAX + 1, 0, 1, PH_E_RANGE },
        { 20000, 0, 0, PH_E_RANGE },
        { 1, PH_XML_ELEMENTS_MAX - 1, 0, PH_OK },
        { 1, PH_XML_ELEMENTS_MAX, 0, PH_E_RANGE },
        { 2, 0, PH_CHANNEL_JSON_MAX - 14, PH_OK },
        { 2, 0, PH_CHANNEL_JSON_MAX - 13, PH_E_RANGE },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_doc *doc;
        struct ph_str  text = big(memory, sizeof(memory), rows[i].depth,
                                  rows[i].width, rows[i].text);

        assert_int_equal(read_text(text, &doc), rows[i].want);
        ph_doc_free(doc);
    }
}

static void
a_small_arena_is_told(void **unused)
{
    _Alignas(16) char memory[8];
    struct ph_arena   arena;
    struct ph_doc    *doc;

    (void) unused;
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(ph_doc_xml(&doc, PH_STR("<a><b>1</b></a>"), &arena),
                     PH_E_FULL);
    assert_null(doc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read),
        cmocka_unit_test(is_refused),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(a_small_arena_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

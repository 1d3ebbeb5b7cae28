/*
 * test_html.c - pages that post a form: what is put in comes out of a browser
 * as it was, and nothing else does.
 */
#include "t/unit/support.h"

#include "channels/html.h"

static void
test_escapes(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "", "" },
        { "plain \xe6\x9d\xaf", "plain \xe6\x9d\xaf" },
        { "a&b", "a&amp;b" },
        { "&amp;", "&amp;amp;" },
        { "<script>", "&lt;script&gt;" },
        { "\"'", "&quot;&#39;" },
        { "a\r\nb", "a&#13;&#10;b" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[64];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_html_escape(&buf, ph_str_z(rows[i].text));
        t_same(ph_buf_str(&buf), ph_str_z(rows[i].want));
    }
}

static void
test_form(void **state)
{
    static const struct ph_pair pairs[] = {
        { PH_STR_INIT("a"), PH_STR_INIT("1") },
        { PH_STR_INIT("b\"><x"), PH_STR_INIT("</form><script>alert(1)//") },
    };
    static const char want[]
        = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
          "<title>Payment</title></head><body>\n"
          "<form id=\"payhub\" method=\"post\" accept-charset=\"utf-8\" "
          "action=\"https://bank.example/pay?x=1&amp;y=2\">\n"
          "<input type=\"hidden\" name=\"a\" value=\"1\">\n"
          "<input type=\"hidden\" name=\"b&quot;&gt;&lt;x\" "
          "value=\"&lt;/form&gt;&lt;script&gt;alert(1)//\">\n"
          "<button>OK</button>\n</form>\n"
          "<script>document.getElementById(\"payhub\").submit()</script>\n"
          "</body></html>\n";
    char          memory[1024];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    ph_html_form(&buf, PH_STR("https://bank.example/pay?x=1&y=2"), pairs,
                 PH_COUNT(pairs));
    t_same(ph_buf_str(&buf), ph_str_z(want));
    for (size_t size = 0; size < sizeof(want) - 1; size++) {
        ph_buf_init(&buf, memory, size);
        ph_html_form(&buf, PH_STR("https://bank.example/pay?x=1&y=2"), pairs,
                     PH_COUNT(pairs));
        assert_true(buf.full);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_form),
    };

    return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}

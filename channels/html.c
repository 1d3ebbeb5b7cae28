/* html.c - see html.h. */
#include "channels/html.h"

static struct ph_str
escape_of(char ch)
{
    switch (ch) {
    case '&':
        return PH_STR("&amp;");
    case '<':
        return PH_STR("&lt;");
    case '>':
        return PH_STR("&gt;");
    case '"':
        return PH_STR("&quot;");
    case '\'':
        return PH_STR("&#39;");
    case '\r': /* a browser would send it as a line feed */
        return PH_STR("&#13;");
    case '\n':
        return PH_STR("&#10;");
    default:
        return ph_str_make(NULL, 0);
    }
}

void
ph_html_escape(struct ph_buf *buf, struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct ph_str escape = escape_of(text.ptr[i]);

        if (escape.ptr != NULL) {
            ph_buf_add(buf, escape);
        } else {
            ph_buf_byte(buf, text.ptr[i]);
        }
    }
}

void
ph_html_form(struct ph_buf *buf, struct ph_str url, const struct ph_pair *pairs,
             size_t count)
{
    ph_buf_add(buf,
               PH_STR("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
                      "<title>Payment</title></head><body>\n"
                      "<form id=\"payhub\" method=\"post\" "
                      "accept-charset=\"utf-8\" action=\""));
    ph_html_escape(buf, url);
    ph_buf_add(buf, PH_STR("\">\n"));
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(buf, PH_STR("<input type=\"hidden\" name=\""));
        ph_html_escape(buf, pairs[i].name);
        ph_buf_add(buf, PH_STR("\" value=\""));
        ph_html_escape(buf, pairs[i].value);
        ph_buf_add(buf, PH_STR("\">\n"));
    }
    ph_buf_add(buf, PH_STR("<button>OK</button>\n</form>\n"
                           "<script>document.getElementById(\"payhub\")"
                           ".submit()</script>\n</body></html>\n"));
}

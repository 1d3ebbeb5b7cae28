/*
 * fuzz_xml.c - XML of answers and notices: what is taken is written again and
 * read as the same; of what an XML parser is attacked with nothing is taken.
 */
#include <string.h>

#include "t/fuzz/fuzz.h"

#include "channels/pick_int.h"
#include "channels/xml.h"

static char room[2 * 1024 * 1024];
static char text_memory[2 * 1024 * 1024];

static void
write_text(struct ph_buf *buf, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            ph_buf_add(buf, PH_STR("&amp;"));
            break;
        case '<':
            ph_buf_add(buf, PH_STR("&lt;"));
            break;
        case '>':
            ph_buf_add(buf, PH_STR("&gt;"));
            break;
        case '\r':
            ph_buf_add(buf, PH_STR("&#13;"));
            break;
        default:
            ph_buf_byte(buf, text[i]);
            break;
        }
    }
}

static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as PH_CHANNEL_DEPTH_MAX */
write_members(struct ph_buf *buf, const json_t *object)
{
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *) (uintptr_t) object, name, value)
    {
        ph_buf_byte(buf, '<');
        ph_buf_add(buf, ph_str_z(name));
        ph_buf_byte(buf, '>');
        if (json_is_object(value)) {
            write_members(buf, value);
        } else {
            FUZZ_HOLDS(json_is_string(value));
            write_text(buf, json_string_value(value),
                       json_string_length(value));
        }
        ph_buf_add(buf, PH_STR("</"));
        ph_buf_add(buf, ph_str_z(name));
        ph_buf_byte(buf, '>');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_arena arena;
    struct ph_doc  *doc, *again;
    struct ph_buf   buf = PH_BUF_INIT(text_memory);
    struct ph_str   in  = ph_str_make((const char *) data, size);

    ph_arena_init(&arena, room, sizeof(room));
    if (ph_doc_xml(&doc, in, &arena) != PH_OK) {
        FUZZ_HOLDS(doc == NULL);
        return 0;
    }
    FUZZ_HOLDS(json_is_object(ph_doc_root(doc)));
    FUZZ_HOLDS(memmem(data, size, "<!DOCTYPE", 9) == NULL
               || memmem(data, size, "<![CDATA[", 9) != NULL);
    ph_buf_add(&buf, PH_STR("<xml>"));
    write_members(&buf, ph_doc_root(doc));
    ph_buf_add(&buf, PH_STR("</xml>"));
    if (!buf.full && buf.len <= PH_CHANNEL_JSON_MAX) {
        FUZZ_HOLDS(ph_doc_xml(&again, ph_buf_str(&buf), &arena) == PH_OK);
        FUZZ_HOLDS(json_equal(ph_doc_root(doc), ph_doc_root(again)));
        ph_doc_free(again);
    }
    ph_doc_free(doc);
    return 0;
}

/*
 * test_docs.c - the generated pages are those of the tables, and the enums of
 * the schema are those of the state tables.
 */
#include "t/unit/support.h"

#include <stdio.h>

#include "libpayhub/domain/states.h"
#include "scripts/docs/docs.h"

static void
test_pages(void **state)
{
    static char memory[DOCS_MAX];

    (void) state;
    for (size_t i = 0; i < docs_page_count; i++) {
        struct ph_buf buf = PH_BUF_INIT(memory);
        char          path[64];

        docs_pages[i].write(&buf);
        assert_false(buf.full);
        (void) snprintf(path, sizeof(path), "docs/%s", docs_pages[i].name);
        if (!ph_str_eq(ph_buf_str(&buf), t_file(path))) {
            fail_msg("%s differs from its table: run make docs", path);
        }
    }
}

/* docs/protocol.md is written by hand: each type and each field has its line,
 * with the right number and longest value. */
static void
test_protocol(void **state)
{
    static const struct {
        unsigned    number;
        size_t      len_max; /* 0 = a type */
        const char *name;
    } rows[] = {
#define FRAME(name, number, meaning) { (number), 0, #name },
#include "libpayhub/wire/frame_types.def"
#undef FRAME
#define FIELD(name, number, len_max, meaning) { (number), (len_max), #name },
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
    };
    struct ph_str page = t_file("docs/protocol.md");

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char line[96];
        bool is_far = rows[i].number >= 0x8000;
        int  len    = snprintf(line, sizeof(line), "\n| %s%.*u%.*x | %s | ",
                           is_far ? "0x" : "", is_far ? 0 : 1,
                           is_far ? 0 : rows[i].number, is_far ? 1 : 0,
                           is_far ? rows[i].number : 0, rows[i].name);

        if (rows[i].len_max != 0) {
            (void) snprintf(line + len, sizeof(line) - (size_t) len, "%zu | ",
                            rows[i].len_max);
        }
        if (memmem(page.ptr, page.len, line, strlen(line)) == NULL) {
            fail_msg("docs/protocol.md: no line \"%s\"", line + 1);
        }
    }
}

/* What stands after `from` in `text`, up to `until`; fails when absent. */
static struct ph_str
between(struct ph_str text, const char *from, const char *until)
{
    const char *begin
        = text.len != 0 ? memmem(text.ptr, text.len, from, strlen(from)) : NULL;

    if (begin == NULL) {
        fail_msg("schema: no \"%s\"", from);
        return ph_str_make(NULL, 0);
    }
    begin += strlen(from);
    const char *close = memmem(begin, (size_t) (text.ptr + text.len - begin),
                               until, strlen(until));
    assert_non_null(close);
    return ph_str_make(begin, (size_t) (close - begin));
}

static struct ph_str
status_enum(const char *table)
{
    char head[64];

    (void) snprintf(head, sizeof(head), "CREATE TABLE %s (", table);
    struct ph_str body = between(t_file("schema/0001_core.sql"), head, ";");
    struct ph_str line = between(body, "\n  status ", "\n");

    return between(line, "ENUM(", ")");
}

static void
add_quoted(struct ph_buf *buf, const char *text)
{
    ph_buf_add(buf, buf->len != 0 ? PH_STR(",'") : PH_STR("'"));
    ph_buf_add(buf, ph_str_z(text));
    ph_buf_byte(buf, '\'');
}

static void
test_payment_enum(void **state)
{
    char          memory[256];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    for (unsigned i = 1; i < PH_PAYMENT_STATES; i++) {
        add_quoted(&buf, ph_payment_state_text((enum ph_payment_state) i));
    }
    t_same(status_enum("payment"), ph_buf_str(&buf));
}

static void
test_attempt_enum(void **state)
{
    char          memory[256];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    for (unsigned i = 1; i < PH_ATTEMPT_STATES; i++) {
        add_quoted(&buf, ph_attempt_state_text((enum ph_attempt_state) i));
    }
    t_same(status_enum("attempt"), ph_buf_str(&buf));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_payment_enum),
        cmocka_unit_test(test_attempt_enum),
    };

    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}

/*
 * test_field_scan.c - the scanner's answers as a table; jansson is the judge
 * in t/fuzz/fuzz_scan.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "t/unit/support.h"

#include "libpayhub/wire/field_scan.h"

struct scan_row {
    const char  *body;
    enum ph_scan want;
    const char  *method;   /* NULL = absent */
    const char  *amount;   /* as decimal text; NULL = absent */
    const char  *currency; /* NULL = absent */
    const char  *region;   /* of metadata; NULL = absent */
};

/* clang-format off */
static const struct scan_row rows[] = {
    { "{}", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },
    { " \t\r\n{ } \n", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },
    { "{\"method\":\"card\"}", PH_SCAN_CLEAR, "card", NULL, NULL, NULL },
    { "{\"method\":\"\"}", PH_SCAN_CLEAR, "", NULL, NULL, NULL },
    { "{\"method\" : \"card\" , \"amount\" : 12 }", PH_SCAN_CLEAR, "card", "12", NULL, NULL },
    { "{\"amount\":0}", PH_SCAN_CLEAR, NULL, "0", NULL, NULL },
    { "{\"amount\":-0}", PH_SCAN_CLEAR, NULL, "0", NULL, NULL },
    { "{\"amount\":-17}", PH_SCAN_CLEAR, NULL, "-17", NULL, NULL },
    { "{\"amount\":9223372036854775807}", PH_SCAN_CLEAR, NULL, "9223372036854775807", NULL, NULL },
    { "{\"amount\":-9223372036854775808}", PH_SCAN_CLEAR, NULL, "-9223372036854775808", NULL, NULL },
    { "{\"metadata\":{\"region\":\"cn\"}}", PH_SCAN_CLEAR, NULL, NULL, NULL, "cn" },
    { "{\"metadata\":{\"region\":\"\xe4\xb8\xad\"}}", PH_SCAN_CLEAR, NULL, NULL, NULL, "\xe4\xb8\xad" },
    { "{\"metadata\":{}}", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },
    { "{\"metadata\":{\"a\":{\"region\":\"x\"},\"region\":\"y\"},\"region\":\"z\"}", PH_SCAN_CLEAR, NULL, NULL, NULL, "y" },
    { "{\"extra\":{\"method\":\"x\",\"metadata\":{\"region\":\"q\"}},\"method\":\"card\"}", PH_SCAN_CLEAR, "card", NULL, NULL, NULL },
    { "{\"metadata\":{\"method\":\"x\"},\"currency\":\"CNY\"}", PH_SCAN_CLEAR, NULL, NULL, "CNY", NULL },
    { "{\"a\":[1,2.5,-1e+9,true,false,null,\"\\u00e9\\n\",[],{}],\"method\":\"m\"}", PH_SCAN_CLEAR, "m", NULL, NULL, NULL },
    { "{\"subject\":\"\\\"method\\\":\\\"x\\\"\",\"method\":\"m\"}", PH_SCAN_CLEAR, "m", NULL, NULL, NULL },
    { "{\"metod\":1,\"methods\":2}", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },
    { "{\"a\":{\"\\u006d\":1}}", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },
    { "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", PH_SCAN_CLEAR, NULL, NULL, NULL, NULL },

    { "", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "  ", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\":\"card\"", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\":\"card\"}}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\":\"card\"} x", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\":\"card\",}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{,}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\"}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"method\":}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{method:\"card\"}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{'method':'card'}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":[1,]}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":[}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":{]", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":[1 2]}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":01}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":-}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":1.}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":1e}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":+1}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":nul}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":\"\x01\"}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":\"\\x\"}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":\"\\u12g4\"}", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "{\"a\":\"\\", PH_SCAN_BROKEN, NULL, NULL, NULL, NULL },
    { "\xef\xbb\xbf{}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },

    { "{\"method\":\"a\",\"method\":\"b\"}", PH_SCAN_DUPLICATE, NULL, NULL, NULL, NULL },
    { "{\"amount\":1,\"x\":2,\"amount\":1}", PH_SCAN_DUPLICATE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":{},\"metadata\":{\"region\":\"a\"}}", PH_SCAN_DUPLICATE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":{\"region\":\"a\",\"region\":\"a\"}}", PH_SCAN_DUPLICATE, NULL, NULL, NULL, NULL },

    { "{\"m\\u0065thod\":\"a\"}", PH_SCAN_ESCAPE, NULL, NULL, NULL, NULL },
    { "{\"method\":\"a\\u0062\"}", PH_SCAN_ESCAPE, NULL, NULL, NULL, NULL },
    { "{\"met\\u0061data\":{}}", PH_SCAN_ESCAPE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":{\"regio\\u006e\":\"a\"}}", PH_SCAN_ESCAPE, NULL, NULL, NULL, NULL },

    { "[]", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "\"method\"", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"method\":1}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"method\":null}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"method\":{}}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"method\":[\"card\"]}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"amount\":\"1\"}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"amount\":1.0}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"amount\":1e3}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"amount\":true}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":\"x\"}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":[]}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },
    { "{\"metadata\":{\"region\":1}}", PH_SCAN_TYPE, NULL, NULL, NULL, NULL },

    { "{\"amount\":9223372036854775808}", PH_SCAN_RANGE, NULL, NULL, NULL, NULL },
    { "{\"amount\":-9223372036854775809}", PH_SCAN_RANGE, NULL, NULL, NULL, NULL },
    { "{\"amount\":99999999999999999999999999}", PH_SCAN_RANGE, NULL, NULL, NULL, NULL },
    { "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", PH_SCAN_DEPTH, NULL, NULL, NULL, NULL },
    { "{\"method\":\"\xff\"}", PH_SCAN_ENCODING, NULL, NULL, NULL, NULL },
    { "{\"method\":\"\xc0\xaf\"}", PH_SCAN_ENCODING, NULL, NULL, NULL, NULL },
};
/* clang-format on */

enum { METHOD, AMOUNT, CURRENCY, REGION, FIELDS };

static void
fields_make(struct ph_scan_field fields[FIELDS])
{
    fields[METHOD]   = (struct ph_scan_field){ .name = PH_STR("method") };
    fields[AMOUNT]   = (struct ph_scan_field){ .name       = PH_STR("amount"),
                                               .is_integer = true };
    fields[CURRENCY] = (struct ph_scan_field){ .name = PH_STR("currency") };
    fields[REGION]   = (struct ph_scan_field){ .name        = PH_STR("region"),
                                               .in_metadata = true };
}

static void
text_is(const struct ph_scan_field *field, const char *want)
{
    assert_int_equal(field->found, want != NULL);
    if (want != NULL) {
        t_same(field->text, ph_str_z(want));
    }
}

static void
row_check(const struct scan_row *row)
{
    struct ph_scan_field fields[FIELDS];
    char                 memory[32];
    struct ph_buf        amount = PH_BUF_INIT(memory);

    fields_make(fields);
    enum ph_scan got = ph_field_scan(ph_str_z(row->body), fields, FIELDS);
    if (got != row->want) {
        fail_msg("%s: found %s, expected %s", row->body, ph_scan_word(got),
                 ph_scan_word(row->want));
    }
    if (got != PH_SCAN_CLEAR) {
        return;
    }
    text_is(&fields[METHOD], row->method);
    text_is(&fields[CURRENCY], row->currency);
    text_is(&fields[REGION], row->region);
    assert_int_equal(fields[AMOUNT].found, row->amount != NULL);
    if (row->amount != NULL) {
        ph_buf_i64(&amount, fields[AMOUNT].integer);
        t_same(ph_buf_str(&amount), ph_str_z(row->amount));
    }
}

static void
test_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        row_check(&rows[i]);
    }
}

/* the same with so many blanks around that sixteen bytes are looked at a time,
 * whatever place they begin at */
static void
test_rows_among_blanks(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        for (int before = 0; before < 17; before++) {
            char            body[256];
            struct scan_row row = rows[i];

            if (rows[i].body[0] == '\xef') {
                continue; /* of no type only when it stands first */
            }
            int len = snprintf(body, sizeof(body), "%*s%s%40s", before, "",
                               rows[i].body, "");
            assert_in_range(len, 40, sizeof(body) - 1);
            row.body = body;
            row_check(&row);
        }
    }
}

/* the same with one more member, so that a comma is behind the one that counts
 * and room behind that */
static void
test_rows_with_more(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct scan_row row = rows[i];
        int             len = (int) strlen(row.body);
        char            body[256];

        if (len < 3 || row.body[1] != '"' || row.body[len - 1] != '}') {
            continue;
        }
        len = snprintf(body, sizeof(body), "%.*s,\"more\":[\"%20s\"]}", len - 1,
                       row.body, "");
        assert_in_range(len, 30, sizeof(body) - 1);
        row.body = body;
        row_check(&row);
    }
}

/* long texts, and one byte at each place that may not stand there */
static void
test_long_texts(void **state)
{
    struct ph_scan_field fields[FIELDS];
    char                 body[128];

    (void) state;
    for (int len = 0; len < 64; len++) {
        int all = snprintf(body, sizeof(body), "{\"method\":\"%.*s\"}", len,
                           "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLM"
                           "NOPQRSTUVWXYZ~");
        fields_make(fields);
        assert_int_equal(
            ph_field_scan(ph_str_make(body, (size_t) all), fields, FIELDS),
            PH_SCAN_CLEAR);
        assert_int_equal(fields[METHOD].text.len, (size_t) len);
        for (int at = 0; at < len; at++) {
            static const struct {
                char         ch;
                enum ph_scan want;
            } odd[]  = { { '\x1f', PH_SCAN_BROKEN },
                         { '\n', PH_SCAN_BROKEN },
                         { '"', PH_SCAN_BROKEN },
                         { '\xff', PH_SCAN_ENCODING },
                         { '\x7f', PH_SCAN_CLEAR } };
            char was = body[11 + at];

            for (size_t i = 0; i < PH_COUNT(odd); i++) {
                body[11 + at] = odd[i].ch;
                assert_int_equal(ph_field_scan(ph_str_make(body, (size_t) all),
                                               fields, FIELDS),
                                 odd[i].want);
            }
            body[11 + at] = was;
        }
    }
}

/* every cut of a good document is broken, and nothing behind it is read */
static void
test_cuts(void **state)
{
    static const char body[]
        = "{\"method\":\"card\",\"amount\":-12,\"a\":[1.5e3,{\"\\u0041\":null}]"
          ",\"metadata\":{\"region\":\"cn\"},\"t\":true}";
    struct ph_scan_field fields[FIELDS];

    (void) state;
    fields_make(fields);
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        char *copy = malloc(len + 1);

        assert_non_null(copy);
        memcpy(copy, body, len);
        assert_int_equal(ph_field_scan(ph_str_make(copy, len), fields, FIELDS),
                         PH_SCAN_BROKEN);
        free(copy);
    }
    assert_int_equal(ph_field_scan(PH_STR(body), fields, FIELDS),
                     PH_SCAN_CLEAR);
}

/* metadata that nobody asks for may be anything */
static void
test_unasked(void **state)
{
    struct ph_scan_field fields[FIELDS];

    (void) state;
    fields_make(fields);
    assert_int_equal(
        ph_field_scan(PH_STR("{\"metadata\":[1],\"metadata\":2}"), fields, 1),
        PH_SCAN_CLEAR);
    assert_int_equal(ph_field_scan(PH_STR("{}"), NULL, 0), PH_SCAN_CLEAR);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_among_blanks),
        cmocka_unit_test(test_rows_with_more),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_unasked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

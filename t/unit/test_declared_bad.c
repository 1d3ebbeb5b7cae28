/*
 * test_declared_bad.c - files that are refused, each by pointer, what was found
 * and what was expected; and the bounds of a file.
 */
#include "t/unit/declared.h"

#include "channels/declarative/declared_int.h"

#define BAD "t/data/channels/bad.json"

/* root with the member at `pointer` set, or taken away when value is NULL */
static void
change(json_t *root, const char *pointer, json_t *value)
{
    json_t       *at   = root;
    struct ph_str rest = ph_str_z(pointer + 1), name;

    assert_true(ph_str_next(&rest, '/', &name));
    while (rest.ptr != NULL) {
        json_t *next = json_object_getn(at, name.ptr, name.len);

        if (next == NULL) {
            next = json_object();
            (void) json_object_setn_new(at, name.ptr, name.len, next);
        }
        at = next;
        assert_true(ph_str_next(&rest, '/', &name));
    }
    if (value == NULL) {
        assert_int_equal(json_object_deln(at, name.ptr, name.len), 0);
    } else {
        assert_int_equal(json_object_setn(at, name.ptr, name.len, value), 0);
    }
}

/* a list at the end may be left out, but for its beginning */
static void
why_is(const char *got, const char *want)
{
    static const struct ph_str dots = PH_STR_INIT(" ...");
    struct ph_str              text = ph_str_z(want);
    bool                       is_cut
        = text.len > dots.len
          && ph_str_eq(ph_str_make(text.ptr + text.len - dots.len, dots.len),
                       dots);

    if (!is_cut) {
        assert_string_equal(got, want);
        return;
    }
    text.len -= dots.len;
    assert_true(strlen(got) > text.len);
    t_same(ph_str_make(got, text.len), text);
}

static void
each_is_refused_by_name(void **unused)
{
    struct ph_str text = t_file(BAD);
    json_t       *rows = json_loadb(text.ptr, text.len, 0, NULL);
    size_t        i;
    json_t       *row;

    (void) unused;
    assert_true(json_array_size(rows) >= 60);
    json_array_foreach(rows, i, row)
    {
        static struct declared_case c;
        json_t                     *root = bank_json();
        const char *at  = json_string_value(json_object_get(row, "at"));
        const char *why = json_string_value(json_object_get(row, "why"));

        change(root, at, json_object_get(row, "is"));
        if (file_open(&c, root) != NULL) {
            fail_msg("row %zu: %s was taken", i, at);
        }
        why_is(c.why, why);
    }
    json_decref(rows);
}

static void
no_json_is_refused(void **unused)
{
    static const struct ph_str rows[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("{"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("{\"payhub\":1,\"payhub\":1}"),
        PH_STR_INIT("{\"name\":\"\xff\"}"),
        PH_STR_INIT("{\"name\":\"a\\u0000\"}"),
        PH_STR_INIT("{} x"),
        PH_STR_INIT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
    };
    char          memory[PH_DECLARED_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_null(ph_declared_open(rows[i], &why));
        t_same(ph_buf_str(&why),
               PH_STR("/: found no JSON object, or a member twice, expected "
                      "one JSON object in UTF-8"));
    }
}

static void
names_of_ours_are_kept(void **unused)
{
    static const struct {
        const char *name, *method, *why;
    } rows[] = {
        { "sandbox", "sandbox_new",
          "/name: found sandbox, expected a name that no built-in channel "
          "has" },
        { "sandbox", "sandbox_qr",
          "/methods/sandbox_qr: found sandbox_qr, expected a method that no "
          "other channel has" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        static struct declared_case c;
        json_t                     *root = bank_json();

        (void) json_object_set_new(root, "name", json_string(rows[i].name));
        (void) json_object_set_new(root, "methods",
                                   json_pack("{s:{}}", rows[i].method));
        assert_null(file_open(&c, root));
        assert_string_equal(c.why, rows[i].why);
    }
}

/* ---- bounds ---- */

static json_t *
many(size_t count, char first, const char *value)
{
    json_t *object = json_object();
    char    name[32];

    for (size_t i = 0; i < count; i++) {
        (void) snprintf(name, sizeof(name), "%c%zu", first, i);
        (void) json_object_set_new(object, name,
                                   json_loads(value, JSON_DECODE_ANY, NULL));
    }
    return object;
}

static json_t *
nested(size_t depth)
{
    json_t *object = json_pack("{s:s}", "x", "y");

    for (size_t i = 1; i < depth; i++) {
        object = json_pack("{s:o}", "x", object);
    }
    return object;
}

static json_t *
lets(size_t count)
{
    json_t *list = json_array();
    char    name[32];

    for (size_t i = 0; i < count; i++) {
        (void) snprintf(name, sizeof(name), "l%zu", i);
        (void) json_array_append_new(list, json_pack("[s, s]", name, "x"));
    }
    return list;
}

static void
the_bounds_hold(void **unused)
{
    char *big = calloc(1, 70000);
    struct {
        const char *at;
        json_t     *fits, *over;
        const char *why;
    } rows[] = {
        { "/create/*/fields", many(128, 'f', "\"{order.number}\""),
          many(129, 'f', "\"{order.number}\""),
          "/create/*/fields: found an object, expected an object of 1 to 128 "
          "fields" },
        { "/create/*/fields", nested(8), nested(9),
          "/create/*/fields/x/x/x/x/x/x/x/x: found an object, expected fields "
          "at most 8 deep" },
        { "/create/*/let", lets(64), lets(65),
          "/create/*/let: found a list, expected a list of at most 64 pairs" },
        { "/answer/status/map", many(256, 'W', "\"closed\""),
          many(257, 'W', "\"closed\""),
          "/answer/status/map: found an object, expected an object of 1 to 256 "
          "words and their classes" },
        { "/create/*/headers", many(14, 'H', "\"x\""), many(15, 'H', "\"x\""),
          "/create/*/headers: found an object, expected an object of 1 to 14 "
          "headers" },
        { "/account", NULL, many(25, 'k', "{\"kind\":\"text\"}"),
          "/account: found an object, expected at most 24 keys" },
        { "/title/en", NULL, NULL,
          "/title/en: found " /* 64 of them */
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, "
          "expected at most 4096 bytes" },
    };

    (void) unused;
    assert_non_null(big);
    memset(big, 'x', 4097);
    rows[6].over = json_string(big);
    rows[6].fits = json_stringn(big, 4096);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        static struct declared_case c;
        json_t                     *root = bank_json();

        if (rows[i].fits != NULL) {
            change(root, rows[i].at, rows[i].fits);
            if (file_open(&c, root) == NULL) {
                fail_msg("%s", c.why);
            }
            ph_declared_close(c.file);
            root = bank_json();
        }
        change(root, rows[i].at, rows[i].over);
        assert_null(file_open(&c, root));
        assert_string_equal(c.why, rows[i].why);
        json_decref(rows[i].fits);
        json_decref(rows[i].over);
    }
    memset(big, ' ', PH_DECLARED_FILE_MAX + 1);
    struct ph_buf why;
    char          memory[PH_DECLARED_WHY_MAX];
    ph_buf_init(&why, memory, sizeof(memory));
    assert_null(
        ph_declared_open(ph_str_make(big, PH_DECLARED_FILE_MAX + 1), &why));
    t_same(ph_buf_str(&why), PH_STR("/: found a longer file, expected at most "
                                    "65536 bytes"));
    free(big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_refused_by_name),
        cmocka_unit_test(no_json_is_refused),
        cmocka_unit_test(names_of_ours_are_kept),
        cmocka_unit_test(the_bounds_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

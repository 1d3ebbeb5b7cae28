/* The command's walk of books: entries cut out of JSON, records sorted. */
#include "t/unit/support.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/books_cut.h"
#include "cli/cli.h"
#include "cli/spool.h"

static char said[256];

void
cli_say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void) vsnprintf(said, sizeof(said), format, list);
    va_end(list);
}

/* --- cutting --------------------------------------------------------------
 */

static char   seen[8192];
static size_t items_max;

static bool
item_note(void *data, enum cli_books_list list, const char *text, size_t len)
{
    size_t used = strlen(seen);

    (void) data;
    (void) snprintf(seen + used, sizeof(seen) - used, "%c%.*s;",
                    list == CLI_BOOKS_CHARGES ? 'c' : 'r', (int) len, text);
    return items_max-- > 0;
}

static const struct {
    const char *text;
    const char *items; /* NULL = refused, or not whole */
} books[] = {
    { "{\"charges\":[],\"refunds\":[],\"calls\":[]}\n", "" },
    { "{\"charges\":[{}],\"refunds\":[{\"a\":1}]}", "c{};r{\"a\":1};" },
    { " { \"charges\" : [ {\"a\": 1} , {\"b\":2} ] , \"refunds\" : [ ] } ",
      "c{\"a\": 1};c{\"b\":2};" },
    { "{\"refunds\":[{\"x\":[{}]}],\"calls\":[{\"y\":1}],\"charges\":[]}",
      "r{\"x\":[{}]};" },
    { "{\"charges\":[{\"a\":\"]}\\\"{\\\\\"}],\"refunds\":[]}",
      "c{\"a\":\"]}\\\"{\\\\\"};" },
    { "{\"n\":\"charges\",\"m\":[\"refunds\",{\"charges\":[{}]}],"
      "\"charges\":[],\"refunds\":[],\"t\":1}",
      "" },
    { "", NULL },
    { "x", NULL },
    { "[]", NULL },
    { "{}", NULL },
    { "{\"charges\":[]}", NULL },
    { "{\"refunds\":[]}", NULL },
    { "{\"charges\":[{}],\"refunds\":[", NULL },
    { "{\"charges\":[{}],\"refunds\":[]", NULL },
    { "{\"charges\":[{],\"refunds\":[]}", NULL },
    { "{\"charges\":[1],\"refunds\":[]}", NULL },
    { "{\"charges\":[\"x\"],\"refunds\":[]}", NULL },
    { "{\"charges\":[[]],\"refunds\":[]}", NULL },
    { "{\"charges\":{},\"refunds\":[]}", NULL },
    { "{\"charges\":null,\"refunds\":[]}", NULL },
    { "{\"charges\":\"\",\"refunds\":[]}", NULL },
    { "{\"charges\":[],\"charges\":[],\"refunds\":[]}", NULL },
    { "{\"charges\":[],\"refunds\":[]}x", NULL },
    { "{\"charges\":[],\"refunds\":[]}{}", NULL },
    { "{\"charges\":[],\"refunds\":[]}}", NULL },
    { "{\"x\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],\"charges\":[],"
      "\"refunds\":[]}",
      NULL },
};

/* every length of the pieces, so every border lies everywhere once */
static void
items_are_cut(void **state)
{
    static struct cli_books_cut cut;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(books); i++) {
        size_t len = strlen(books[i].text);
        for (size_t piece = 1; piece <= len + 1; piece++) {
            bool ok   = true;
            cut       = (struct cli_books_cut){ .on_item = item_note };
            seen[0]   = '\0';
            items_max = 100;
            for (size_t at = 0; ok && at < len; at += piece) {
                ok = cli_books_cut(&cut, books[i].text + at,
                                   len - at < piece ? len - at : piece);
            }
            ok = ok && cli_books_cut_whole(&cut);
            if (ok != (books[i].items != NULL)) {
                fail_msg("%s in pieces of %zu: %s", books[i].text, piece,
                         ok ? "taken" : cut.why);
            }
            if (ok) {
                assert_string_equal(seen, books[i].items);
            } else {
                assert_non_null(cut.why);
            }
        }
    }
}

static void
items_have_a_maximum(void **state)
{
    static struct cli_books_cut cut;
    static char                 text[CLI_BOOKS_ITEM_MAX + 64];

    (void) state;
    for (int over = 0; over <= 1; over++) {
        cut       = (struct cli_books_cut){ .on_item = item_note };
        seen[0]   = '\0';
        items_max = 100;
        (void) snprintf(text, sizeof(text),
                        "{\"charges\":[{\"\":\"%0*d\"}],\"refunds\":[]}",
                        CLI_BOOKS_ITEM_MAX - 7 + over, 0);
        assert_int_equal(cli_books_cut(&cut, text, strlen(text)), over == 0);
    }
    assert_string_equal(cut.why, "found an item or a name of over 4096 bytes");
}

static void
the_taker_ends_it(void **state)
{
    static struct cli_books_cut cut = { .on_item = item_note };
    const char *text                = "{\"charges\":[{},{},{}],\"refunds\":[]}";

    (void) state;
    seen[0]   = '\0';
    items_max = 1;
    assert_false(cli_books_cut(&cut, text, strlen(text)));
    assert_string_equal(seen, "c{};c{};");
    assert_null(cut.why);
}

/* --- sorting --------------------------------------------------------------
 */

struct entry {
    uint32_t key;
    uint32_t place;
};

static int
entry_cmp(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->key != right->key) {
        return left->key < right->key ? -1 : 1;
    }
    return (left->place > right->place) - (left->place < right->place);
}

#define ENTRIES_MEMORY 16 /* in memory at once */

/* every count around the borders of runs and of their slices */
static void
records_are_sorted(void **state)
{
    struct cli_spool spool;

    (void) state;
    for (uint32_t count = 0; count <= ENTRIES_MEMORY * ENTRIES_MEMORY; count++)
    {
        struct entry last = { 0 };
        const void  *record;
        uint32_t     found = 0, sum = 0;

        assert_true(cli_spool_open(&spool, sizeof(struct entry), entry_cmp,
                                   ENTRIES_MEMORY * sizeof(struct entry)));
        for (uint32_t i = 0; i < count; i++) {
            struct entry one = { .key = i * 7919 % 101, .place = i };
            sum += i;
            assert_true(cli_spool_add(&spool, &one));
        }
        assert_true(cli_spool_sort(&spool));
        while (cli_spool_next(&spool, &record) && record != NULL) {
            struct entry one;
            memcpy(&one, record, sizeof(one));
            assert_true(found == 0 || entry_cmp(&last, &one) < 0);
            assert_int_equal(one.key, one.place * 7919 % 101);
            last = one;
            sum -= one.place;
            found++;
        }
        assert_int_equal(found, count);
        assert_int_equal(sum, 0);
        assert_true(cli_spool_next(&spool, &record) && record == NULL);
        assert_int_equal(spool.fd == -1, count <= ENTRIES_MEMORY);
        cli_spool_close(&spool);
    }
}

static void
too_many_are_refused(void **state)
{
    struct cli_spool spool;
    struct entry     one  = { 0 };
    uint64_t         room = CLI_SPOOL_RUNS_MAX * 2;

    (void) state;
    assert_true(
        cli_spool_open(&spool, sizeof(one), entry_cmp, 2 * sizeof(one)));
    for (uint64_t i = 0; i < room + 2; i++) {
        assert_true(cli_spool_add(&spool, &one));
    }
    assert_false(cli_spool_add(&spool, &one));
    assert_non_null(strstr(said, "to sort, expected at most"));
    cli_spool_close(&spool);
}

static void
no_place_for_a_file(void **state)
{
    struct cli_spool spool;
    struct entry     one    = { 0 };
    const char      *folder = getenv("TMPDIR");
    char             kept[512];

    (void) state;
    (void) snprintf(kept, sizeof(kept), "%s", folder != NULL ? folder : "");
    assert_int_equal(setenv("TMPDIR", "/nowhere", 1), 0);
    assert_true(cli_spool_open(&spool, sizeof(one), entry_cmp, sizeof(one)));
    assert_true(cli_spool_add(&spool, &one));
    assert_false(cli_spool_add(&spool, &one));
    assert_non_null(strstr(said, "/nowhere"));
    cli_spool_close(&spool);
    assert_int_equal(
        kept[0] != '\0' ? setenv("TMPDIR", kept, 1) : unsetenv("TMPDIR"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_cut),
        cmocka_unit_test(items_have_a_maximum),
        cmocka_unit_test(the_taker_ends_it),
        cmocka_unit_test(records_are_sorted),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(no_place_for_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The command's readers of text: migrations, months, GTID lists, times. */
#include "t/unit/support.h"

#include "cli/gtid.h"
#include "cli/sql_split.h"
#include "cli/when.h"
#include "libpayhub/base/month.h"

#define STATEMENTS_MAX 4

static const struct {
    const char *text;
    const char *want[STATEMENTS_MAX]; /* NULL ends */
    enum ph_rc  end;
} files[] = {
    { "", { NULL }, PH_E_MISSING },
    { " ;; \n;", { NULL }, PH_E_MISSING },
    { "a", { "a", NULL }, PH_E_MISSING },
    { "a;b;", { "a", "b", NULL }, PH_E_MISSING },
    { "-- x;\n a -- ;\n;b", { "a -- ;\n", "b", NULL }, PH_E_MISSING },
    { "--x;b", { "--x", "b", NULL }, PH_E_MISSING },
    { "# x;\na", { "a", NULL }, PH_E_MISSING },
    { "/* ; */ a /* ; */;", { "a /* ; */", NULL }, PH_E_MISSING },
    { "a ';' \";\" `;`;b", { "a ';' \";\" `;`", "b", NULL }, PH_E_MISSING },
    { "'it''s;';b", { "'it''s;'", "b", NULL }, PH_E_MISSING },
    { "'\\';';b", { "'\\';'", "b", NULL }, PH_E_MISSING },
    { "`\\`;b", { "`\\`", "b", NULL }, PH_E_MISSING },
    { "a;'b", { "a", NULL }, PH_E_SYNTAX },
    { "a;'b\\", { "a", NULL }, PH_E_SYNTAX },
    { "a;/* b", { "a", NULL }, PH_E_SYNTAX },
    { "a;b /* c", { "a", NULL }, PH_E_SYNTAX },
    { "/*", { NULL }, PH_E_SYNTAX },
    { "--", { NULL }, PH_E_MISSING },
};

static void
statements_are_cut(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(files); i++) {
        struct ph_str text = ph_str_z(files[i].text), found;
        for (size_t s = 0; files[i].want[s] != NULL; s++) {
            assert_int_equal(cli_sql_next(&text, &found), PH_OK);
            assert_true(ph_str_eq(found, ph_str_z(files[i].want[s])));
        }
        assert_int_equal(cli_sql_next(&text, &found), files[i].end);
    }
}

static void
migration_names(void **state)
{
    static const char *const bad[]
        = { "",           "1_a.sql",     "0001.sql",   "0001_.sql",
            "0001_a.txt", "0001-a.sql",  "000a_a.sql", "00001_a.sql",
            "README.md",  "0001_a b.sql" };
    struct ph_str name;
    unsigned      version = 0;

    (void) state;
    assert_true(cli_migration_name(PH_STR("0042_core-2.sql"), &version, &name));
    assert_int_equal(version, 42);
    assert_true(ph_str_eq(name, PH_STR("core-2")));
    for (size_t i = 0; i < PH_COUNT(bad); i++) {
        assert_false(cli_migration_name(ph_str_z(bad[i]), &version, &name));
    }
}

static void
months_follow(void **state)
{
    /* 2026-12-31T23:59:59.999Z */
    const uint64_t at_ms = UINT64_C(1798761599999);

    (void) state;
    assert_int_equal(ph_month_number(at_ms), 202612);
    assert_int_equal(ph_month_number(at_ms + 1), 202701);
    assert_int_equal(ph_month_start_ms(at_ms, 1), at_ms + 1);
    assert_int_equal(ph_month_number(ph_month_start_ms(at_ms, 0)), 202612);
    assert_int_equal(ph_month_number(ph_month_start_ms(at_ms, 3)), 202703);
    assert_int_equal(ph_month_number(ph_month_start_ms(at_ms, 3) - 1), 202702);
}

static const struct {
    const char *have, *goal;
    bool        reached, same;
} gtids[] = {
    { "", "", true, true },
    { "0-1-5", "", true, false },
    { "", "0-1-5", false, false },
    { "0-1-5", "0-1-5", true, true },
    { "0-2-5", "0-1-5", true, true }, /* another server wrote the same place */
    { "0-1-6", "0-1-5", true, false },
    { "0-1-4", "0-1-5", false, false },
    { "0-1-5,7-1-1", "7-1-1,0-1-5", true, true },
    { "0-1-9", "0-1-5,7-1-1", false, false },
    { "0-1-9,7-1-1", "0-1-5", true, false },
};

static void
gtids_compare(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(gtids); i++) {
        struct cli_gtid have, goal;
        assert_int_equal(cli_gtid_parse(&have, ph_str_z(gtids[i].have)), PH_OK);
        assert_int_equal(cli_gtid_parse(&goal, ph_str_z(gtids[i].goal)), PH_OK);
        assert_int_equal(cli_gtid_reached(&have, &goal), gtids[i].reached);
        assert_int_equal(cli_gtid_same(&have, &goal), gtids[i].same);
    }
}

static void
gtids_refuse(void **state)
{
    static const char *const bad[] = { "0-1",
                                       "0-1-",
                                       "0-1-x",
                                       "a-1-1",
                                       "0-1-1,",
                                       "0-1-1,0-2-2",
                                       "4294967296-1-1",
                                       "0-1--1",
                                       "3E11FA47-71CA-11E1-9E33:1-5" };
    struct cli_gtid          out;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bad); i++) {
        assert_int_not_equal(cli_gtid_parse(&out, ph_str_z(bad[i])), PH_OK);
    }
}

#define NOW_MS UINT64_C(1700000000000)

static const struct {
    const char *text;
    int         offset_min;
    uint64_t    want_ms; /* 0 = refused */
} times[] = {
    { "1700000000", 0, NOW_MS },
    { "2023-11-14T22:13:20Z", 480, NOW_MS },
    { "2023-11-14T22:13:20.000Z", 0, NOW_MS },
    { "2023-11-15T06:13:20+08:00", 0, NOW_MS },
    { "2023-11-14", 0, UINT64_C(1699920000000) },
    { "2023-11-14", 480, UINT64_C(1699891200000) },
    { "2024-02-29", 0, UINT64_C(1709164800000) },
    { "10m", 0, NOW_MS - 600000 },
    { "2h", 0, NOW_MS - 7200000 },
    { "3d", 0, NOW_MS - 259200000 },
    { "", 0, 0 },
    { "m", 0, 0 },
    { "-5m", 0, 0 },
    { "10x", 0, 0 },
    { "2023-02-29", 0, 0 },
    { "2023-13-01", 0, 0 },
    { "2023-00-01", 0, 0 },
    { "1969-12-31", 0, 0 },
    { "2023-11-14T22:13:20", 0, 0 },
    { "2023-11-14T24:00:00Z", 0, 0 },
    { "2023-11-14T22:13:20Zx", 0, 0 },
    { "2023-11-14T22:13:20+15:00", 0, 0 },
    { "2023-11-14 ", 0, 0 },
    { "1000000d", 0, 0 },
};

static void
times_are_read(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(times); i++) {
        uint64_t   found = 0;
        enum ph_rc rc    = cli_when_parse(ph_str_z(times[i].text), NOW_MS,
                                          times[i].offset_min, &found);
        assert_int_equal(rc == PH_OK, times[i].want_ms != 0);
        if (rc == PH_OK) {
            assert_int_equal(found, times[i].want_ms);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_cut), cmocka_unit_test(migration_names),
        cmocka_unit_test(months_follow),      cmocka_unit_test(gtids_compare),
        cmocka_unit_test(gtids_refuse),       cmocka_unit_test(times_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

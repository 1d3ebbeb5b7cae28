/*
 * test_civil.c - calendar times of channels.  The instants are date(1)'s:
 * date -u -d '2026-11-23 10:20:30+08:00' +%s
 */
#include "t/unit/support.h"

#include "libpayhub/base/civil.h"

#define AT_MS UINT64_C(1795400430000) /* 2026-11-23 02:20:30 UTC */

static void
is_written_in_each_shape(void **unused)
{
    static const struct {
        enum ph_civil_shape shape;
        uint64_t            at_ms;
        int                 offset_min;
        const char         *text;
    } rows[] = {
        { PH_CIVIL_COMPACT, AT_MS, PH_BEIJING_MIN, "20261123102030" },
        { PH_CIVIL_COMPACT, AT_MS, 0, "20261123022030" },
        { PH_CIVIL_PLAIN, AT_MS + 999, PH_BEIJING_MIN, "2026-11-23 10:20:30" },
        { PH_CIVIL_RFC3339, AT_MS, PH_BEIJING_MIN,
          "2026-11-23T10:20:30+08:00" },
        { PH_CIVIL_RFC3339, AT_MS, 0, "2026-11-23T02:20:30Z" },
        { PH_CIVIL_RFC3339, AT_MS, -570, "2026-11-22T16:50:30-09:30" },
        { PH_CIVIL_PLAIN, 0, 0, "1970-01-01 00:00:00" },
        /* midnight in Beijing is another day in UTC */
        { PH_CIVIL_COMPACT, UINT64_C(1798732800000), PH_BEIJING_MIN,
          "20270101000000" },
        { PH_CIVIL_PLAIN, UINT64_C(1709164800000), 0, "2024-02-29 00:00:00" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[64];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_civil_add(&buf, rows[i].shape, rows[i].at_ms, rows[i].offset_min);
        t_same(ph_buf_str(&buf), ph_str_z(rows[i].text));
    }
}

static void
a_buffer_that_is_too_small_is_full(void **unused)
{
    char          memory[10];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) unused;
    ph_civil_add(&buf, PH_CIVIL_COMPACT, AT_MS, 0);
    assert_true(buf.full);
}

static void
is_read_or_refused(void **unused)
{
    static const struct {
        const char         *text;
        enum ph_civil_shape shape;
        int                 offset_min;
        enum ph_rc          rc;
        uint64_t            at_ms;
    } rows[] = {
        { "20261123102030", PH_CIVIL_COMPACT, PH_BEIJING_MIN, PH_OK, AT_MS },
        { "2026-11-23 10:20:30", PH_CIVIL_PLAIN, PH_BEIJING_MIN, PH_OK, AT_MS },
        { "2026-11-23 10:20:30.123", PH_CIVIL_PLAIN, PH_BEIJING_MIN, PH_OK,
          AT_MS + 123 },
        { "2026-11-23T10:20:30+08:00", PH_CIVIL_RFC3339, 0, PH_OK, AT_MS },
        { "2026-11-23T02:20:30Z", PH_CIVIL_RFC3339, PH_BEIJING_MIN, PH_OK,
          AT_MS },
        { "2026-11-22T16:50:30.5-09:30", PH_CIVIL_RFC3339, 0, PH_OK,
          AT_MS + 500 },
        { "2026-11-23T02:20:30.123456789Z", PH_CIVIL_RFC3339, 0, PH_OK,
          AT_MS + 123 },
        { "20240229000000", PH_CIVIL_COMPACT, 0, PH_OK,
          UINT64_C(1709164800000) },
        { "19700101000000", PH_CIVIL_COMPACT, 0, PH_OK, 0 },

        { "19700101000000", PH_CIVIL_COMPACT, PH_BEIJING_MIN, PH_E_RANGE, 0 },
        { "20260229000000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20261301000000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20260001000000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20260100000000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20260101240000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20260101006000", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "20260101000060", PH_CIVIL_COMPACT, 0, PH_E_RANGE, 0 },
        { "2026-11-23T10:20:30+24:00", PH_CIVIL_RFC3339, 0, PH_E_RANGE, 0 },
        { "2026-11-23T10:20:30+08:60", PH_CIVIL_RFC3339, 0, PH_E_RANGE, 0 },

        { "", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { "2026112310203", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { "202611231020300", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { "20261123102030.1", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { "2026112310203x", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { " 0261123102030", PH_CIVIL_COMPACT, 0, PH_E_SYNTAX, 0 },
        { "-026-11-23 10:20:30", PH_CIVIL_PLAIN, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23T10:20:30", PH_CIVIL_PLAIN, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23 10:20:30.", PH_CIVIL_PLAIN, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23 10:20:30.1234567890", PH_CIVIL_PLAIN, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23 10:20:30 ", PH_CIVIL_PLAIN, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23T10:20:30", PH_CIVIL_RFC3339, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23 10:20:30Z", PH_CIVIL_RFC3339, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23T10:20:30z", PH_CIVIL_RFC3339, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23T10:20:30+0800", PH_CIVIL_RFC3339, 0, PH_E_SYNTAX, 0 },
        { "2026-11-23T10:20:30+08", PH_CIVIL_RFC3339, 0, PH_E_SYNTAX, 0 },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        uint64_t at_ms = 0;

        assert_int_equal(ph_civil_parse(ph_str_z(rows[i].text), rows[i].shape,
                                        rows[i].offset_min, &at_ms),
                         rows[i].rc);
        assert_true(at_ms == rows[i].at_ms);
    }
}

/* each hour of ten years, there and back */
static void
what_is_written_is_read_again(void **unused)
{
    (void) unused;
    for (uint64_t at_ms = AT_MS; at_ms < AT_MS + UINT64_C(315360000000);
         at_ms += 3599000)
    {
        char          memory[64];
        struct ph_buf buf  = PH_BUF_INIT(memory);
        uint64_t      back = 0;

        ph_civil_add(&buf, PH_CIVIL_PLAIN, at_ms, PH_BEIJING_MIN);
        assert_int_equal(ph_civil_parse(ph_buf_str(&buf), PH_CIVIL_PLAIN,
                                        PH_BEIJING_MIN, &back),
                         PH_OK);
        assert_true(back == at_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_in_each_shape),
        cmocka_unit_test(a_buffer_that_is_too_small_is_full),
        cmocka_unit_test(is_read_or_refused),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_counter.c - names of counters and their SQL twins.
 */
#include "t/unit/support.h"

#include "libpayhub/domain/counter.h"

static void
test_names(void **state)
{
    char          memory[512];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    ph_counter_epoch_key(&buf, PH_STR("ph"));
    ph_buf_byte(&buf, ' ');
    ph_counter_position_key(&buf, PH_STR("ph"), 7);
    ph_buf_byte(&buf, ' ');
    ph_counter_field(&buf, PH_STR("sandbox"), PH_STR("sandbox_qr"),
                     PH_STR("paid"), PH_STR("CNY"));
    t_same(ph_buf_str(&buf),
           PH_STR("{ph:c0}:epoch {ph:c0}:7:pos sandbox|sandbox_qr|paid|CNY"));
    ph_buf_cut(&buf, 0);
    ph_counter_account_field(&buf, PH_STR("acc1"), PH_STR("closed"));
    t_same(ph_buf_str(&buf), PH_STR("acc1|closed|n"));
}

static void
test_account_fields(void **state)
{
    static const struct {
        struct ph_str in;
        bool          ok;
        struct ph_str account, state;
    } rows[] = {
        { PH_STR_INIT("acc1|paid|n"), true, PH_STR_INIT("acc1"),
          PH_STR_INIT("paid") },
        { PH_STR_INIT("|paid|n"), true, PH_STR_INIT(""), PH_STR_INIT("paid") },
        { PH_STR_INIT("acc1|paid"), false, { 0 }, { 0 } },
        { PH_STR_INIT("acc1|paid|"), false, { 0 }, { 0 } },
        { PH_STR_INIT("acc1|paid|CNY"), false, { 0 }, { 0 } },
        { PH_STR_INIT("sandbox|sandbox_qr|paid|n"), false, { 0 }, { 0 } },
        { PH_STR_INIT(""), false, { 0 }, { 0 } },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str account, word;

        assert_int_equal(ph_counter_account_parse(rows[i].in, &account, &word),
                         rows[i].ok);
        if (rows[i].ok) {
            t_same(account, rows[i].account);
            t_same(word, rows[i].state);
        }
    }
}

static void
test_buckets(void **state)
{
    static const struct {
        enum ph_counter_grain grain;
        uint64_t              at_ms;
        int                   offset_min;
        struct ph_str         want;
    } rows[] = {
        { PH_COUNTER_MINUTE, 59999, 480, PH_STR_INIT("{p:c0}:1:m:0") },
        { PH_COUNTER_MINUTE, 60000, 480, PH_STR_INIT("{p:c0}:1:m:1") },
        { PH_COUNTER_ACCOUNT, 60000, 480, PH_STR_INIT("{p:c0}:1:a:1") },
        { PH_COUNTER_DAY, 0, 0, PH_STR_INIT("{p:c0}:1:d:19700101") },
        { PH_COUNTER_DAY, 0, -60, PH_STR_INIT("{p:c0}:1:d:19691231") },
        /* 2026-02-28T15:59:59.999Z and one ms later, at +08:00 */
        { PH_COUNTER_DAY, 1772294399999, 480,
          PH_STR_INIT("{p:c0}:1:d:20260228") },
        { PH_COUNTER_DAY, 1772294400000, 480,
          PH_STR_INIT("{p:c0}:1:d:20260301") },
        { PH_COUNTER_DAY, 1772294400000, 0,
          PH_STR_INIT("{p:c0}:1:d:20260228") },
        /* leap day */
        { PH_COUNTER_DAY, 1709164800000, 0,
          PH_STR_INIT("{p:c0}:1:d:20240229") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[PH_COUNTER_KEY_MAX];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_counter_bucket_key(&buf, PH_STR("p"), 1, rows[i].grain,
                              rows[i].at_ms, rows[i].offset_min);
        t_same(ph_buf_str(&buf), rows[i].want);
    }
}

static void
test_sql(void **state)
{
    static const struct {
        size_t                what;
        enum ph_counter_grain grain;
        uint64_t              from_ms;
        struct ph_str         want;
    } rows[] = {
        { 2, PH_COUNTER_MINUTE, 1772294459999,
          PH_STR_INIT(
              "SELECT TIMESTAMPDIFF(SECOND,'1970-01-01 00:00:00',paid_at) "
              "DIV 60 AS bucket,channel,method,currency,COUNT(*) AS n,"
              "SUM(amount) AS amount FROM payment WHERE paid_at >= "
              "'2026-02-28 16:00:00' GROUP BY bucket,channel,method,"
              "currency") },
        { 0, PH_COUNTER_DAY, 1772294399999,
          PH_STR_INIT(
              "SELECT DATE_FORMAT(created_at + INTERVAL 480 MINUTE,"
              "'%Y%m%d') AS bucket,channel,method,currency,COUNT(*) AS n,"
              "SUM(amount) AS amount FROM payment WHERE created_at >= "
              "'2026-02-27 16:00:00' GROUP BY bucket,channel,method,"
              "currency") },
        { 4, PH_COUNTER_ACCOUNT, 1772294459999,
          PH_STR_INIT(
              "SELECT TIMESTAMPDIFF(SECOND,'1970-01-01 00:00:00',closed_at) "
              "DIV 60 AS bucket,account_id,COUNT(*) AS n FROM payment WHERE "
              "closed_at >= '2026-02-28 16:00:00' GROUP BY bucket,"
              "account_id") },
        { 5, PH_COUNTER_DAY, 0,
          PH_STR_INIT(
              "SELECT DATE_FORMAT(conflict_at + INTERVAL 480 MINUTE,"
              "'%Y%m%d') AS bucket,channel,method,currency,COUNT(*) AS n,"
              "SUM(amount) AS amount FROM payment WHERE conflict_at >= "
              "'1970-01-01 00:00:00' GROUP BY bucket,channel,method,"
              "currency") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[1024];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_counter_sql(&buf, &ph_counter_happenings[rows[i].what],
                       rows[i].grain, rows[i].from_ms, 480);
        t_same(ph_buf_str(&buf), rows[i].want);
    }
}

/* Each happening's column stands in the table that is counted. */
static void
test_happenings(void **state)
{
    struct ph_str sql = t_file("schema/0001_core.sql");
    const char *table = memmem(sql.ptr, sql.len, "CREATE TABLE payment (", 22);

    (void) state;
    assert_non_null(table);
    const char *close = strstr(table, "PARTITION BY");
    assert_non_null(close);
    assert_int_equal(ph_counter_happening_count, 6);
    for (size_t i = 0; i < ph_counter_happening_count; i++) {
        const struct ph_counter_happening *what = &ph_counter_happenings[i];

        assert_non_null(memmem(table, (size_t) (close - table), what->column,
                               strlen(what->column)));
        assert_memory_equal(what->column, what->state, strlen(what->state));
        assert_int_equal(what->is_end,
                         strstr("paid failed closed conflict", what->state)
                             != NULL);
    }
}

static void
test_day_offset(void **state)
{
    static const struct {
        struct ph_str in;
        enum ph_rc    rc;
        int           want;
    } rows[] = {
        { PH_STR_INIT("+08:00"), PH_OK, 480 },
        { PH_STR_INIT("-09:30"), PH_OK, -570 },
        { PH_STR_INIT("+00:00"), PH_OK, 0 },
        { PH_STR_INIT("+14:00"), PH_OK, 840 },
        { PH_STR_INIT("-14:00"), PH_OK, -840 },
        { PH_STR_INIT("+14:01"), PH_E_RANGE, 0 },
        { PH_STR_INIT("+99:59"), PH_E_RANGE, 0 },
        { PH_STR_INIT("+05:60"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("08:00"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+8:00"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+08:0"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+08-00"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+0a:00"), PH_E_SYNTAX, 0 },
        { PH_STR_INIT("+08:00 "), PH_E_SYNTAX, 0 },
        { PH_STR_INIT(""), PH_E_SYNTAX, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        int got = 0;

        assert_int_equal(ph_day_offset(rows[i].in, &got), rows[i].rc);
        assert_int_equal(got, rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_account_fields),
        cmocka_unit_test(test_sql),
        cmocka_unit_test(test_happenings),
        cmocka_unit_test(test_day_offset),
    };

    return cmocka_run_group_tests_name("counter", tests, NULL, NULL);
}

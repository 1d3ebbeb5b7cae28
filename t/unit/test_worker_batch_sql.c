/*
 * test_worker_batch_sql.c - statements of many rows, letter by letter.
 */
#include "t/unit/support.h"

#include "worker/batch_sql.h"

struct thing {
    struct ph_str         id;
    enum ph_payment_state status;
    struct ph_str         note;
    struct ph_str         digest;
    struct ph_str         body;
    int64_t               count;
    int64_t               fence;
    int64_t               ver;
    uint64_t              made_ms;
    uint64_t              done_ms;
};

/* clang-format off */
#define C(member, kind, moves)                                                 \
    { #member, WK_COLUMN_##kind, moves, offsetof(struct thing, member), false }
/* DEFAULT '' or 0 */
#define CE(member, kind, moves)                                                \
    { #member, WK_COLUMN_##kind, moves, offsetof(struct thing, member), true }

static const struct wk_column columns[] = {
    C(id,      TEXT,          false),
    C(status,  PAYMENT_STATE, true),
    C(note,    TEXT_OR,       true),
    C(digest,  BYTES_OR,      true),
    C(body,    BLOB,          false),
    CE(count,  I64,           true),
    C(fence,   I64,           true),
    CE(ver,    I64,           false),
    C(made_ms, TIME,          false),
    C(done_ms, TIME,          true),
};

/* a table without ver and fence */
static const struct wk_column bare_columns[] = {
    C(id,     TEXT,          false),
    C(status, PAYMENT_STATE, true),
};
/* clang-format on */

static const struct wk_table things = { "thing", columns, PH_COUNT(columns) };
static const struct wk_table bares
    = { "bare", bare_columns, PH_COUNT(bare_columns) };

static const struct thing a = { .id      = PH_STR_INIT("a"),
                                .status  = PH_PAYMENT_PAYING,
                                .body    = PH_STR_INIT("{}"),
                                .fence   = 7,
                                .ver     = 1,
                                .made_ms = 1767323045678 };
static const struct thing b = { .id      = PH_STR_INIT("b"),
                                .status  = PH_PAYMENT_PAYING,
                                .note    = PH_STR_INIT("it's a \\ and \x1a"),
                                .digest  = PH_STR_INIT("\x01\xff"),
                                .body    = PH_STR_INIT("\xff"),
                                .count   = -3,
                                .ver     = 1,
                                .made_ms = 1767323045678 };

static char          memory[4096];
static struct ph_buf sql;

static void
clear(void)
{
    ph_buf_init(&sql, memory, sizeof(memory));
}

static void
same(const char *want)
{
    assert_false(sql.full);
    t_same(ph_buf_str(&sql), ph_str_z(want));
    clear();
}

static void
test_texts(void **state)
{
    static const struct {
        struct ph_str text;
        const char   *want;
    } rows[] = {
        { PH_STR_INIT(""), "''" },
        { PH_STR_INIT("plain"), "'plain'" },
        { PH_STR_INIT("'"), "'\\''" },
        { PH_STR_INIT("\\'"), "'\\\\\\''" },
        { PH_STR_INIT("x'; DROP TABLE payment;-- "),
          "'x\\'; DROP TABLE payment;-- '" },
        { PH_STR_INIT("a\0b"), "'a\\0b'" },
        { PH_STR_INIT("\xe8\x8c\xb6\n\t\""), "'\xe8\x8c\xb6\n\t\"'" },
        { PH_STR_INIT("\xe8'"), "'\xe8\\''" }, /* half a character */
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        wk_put_text(&sql, rows[i].text);
        same(rows[i].want);
    }
    for (size_t size = 0; size < 12; size++) { /* never over its end */
        char          few[12];
        struct ph_buf buf;

        memset(few, '#', sizeof(few));
        ph_buf_init(&buf, few, size);
        wk_put_text(&buf, PH_STR("ab'cd\\ef"));
        assert_true(buf.full);
        assert_true(size == sizeof(few) || few[size] == '#');
    }
}

static void
test_insert(void **state)
{
    const struct thing c = { .id = PH_STR_INIT("c"), .body = PH_STR_INIT("") };
    const void        *rows[] = { &a, &b, &c };

    (void) state;
    /* what no row has is left to the schema; fence is 0 but has no default */
    wk_batch_sql_insert(&sql, &things, rows, 1, false);
    same("INSERT INTO thing (id,status,body,fence,ver,made_ms) VALUES "
         "('a','paying','{}',7,1,'2026-01-02 03:04:05.678')");
    wk_batch_sql_insert(&sql, &things, rows, 2, true);
    same("INSERT INTO thing (id,status,note,digest,body,count,fence,ver,"
         "made_ms) VALUES ('a','paying',NULL,NULL,'{}',0,7,1,"
         "'2026-01-02 03:04:05.678'),('b','paying','it\\'s a \\\\ and "
         "\x1a',x'01ff',x'ff',-3,0,1,'2026-01-02 03:04:05.678') ON "
         "DUPLICATE KEY UPDATE ver=ver");
    wk_batch_sql_insert(&sql, &things, &rows[2], 1, false);
    same("INSERT INTO thing (id,status,body,fence) VALUES ('c','none','',"
         "0)");
}

static void
test_unique(void **state)
{
    static const struct wk_unique_table number
        = { "number", { "app", "no", NULL }, 2, "owner", "hash" };
    static const struct wk_unique_table trade
        = { "trade", { "c", "a", "t" }, 3, "owner", NULL };
    static const struct wk_sql_unique one
        = { { PH_STR_INIT("A"), PH_STR_INIT("1"), PH_STR_INIT("z") },
            PH_STR_INIT("P1"),
            PH_STR_INIT("\xab\xcd") };
    static const struct wk_sql_unique two
        = { { PH_STR_INIT("A"), PH_STR_INIT("2'"), PH_STR_INIT("y") },
            PH_STR_INIT("P2"),
            PH_STR_INIT("\x00\x01") };
    const struct wk_sql_unique *const rows[] = { &one, &two };

    (void) state;
    wk_batch_sql_unique(&sql, &number, rows, 2);
    same("INSERT INTO number (app,no,owner,hash,ver) VALUES ('A','1','P1',"
         "x'abcd',0),('A','2\\'','P2',x'0001',0) ON DUPLICATE KEY UPDATE "
         "ver=ver");
    wk_batch_sql_unique(&sql, &trade, rows, 1);
    same("INSERT INTO trade (c,a,t,owner,ver) VALUES ('A','1','z','P1',0) ON "
         "DUPLICATE KEY UPDATE ver=ver");
    wk_batch_sql_owners(&sql, &number, rows, 2);
    same("SELECT app,no,owner FROM number WHERE (app='A' AND no='1') OR "
         "(app='A' AND no='2\\'')");
}

static void
test_update(void **state)
{
    struct thing a_after = a, b_after = b, c = a, c_after;

    (void) state;
    a_after.status  = PH_PAYMENT_PAID;
    a_after.done_ms = 1767323046000;
    b_after.status  = PH_PAYMENT_PAID;
    b_after.done_ms = 1767323046000;
    b_after.note    = ph_str_make(NULL, 0);
    struct wk_sql_move moves[]
        = { { &a, &a_after, 7 }, { &b, &b_after, 7 }, { &c, &c_after, 9 } };

    wk_batch_sql_update(&sql, &things, moves, 1, PH_STR("'created','paying'"),
                        false);
    same("UPDATE thing SET ver=ver+1,status='paid',done_ms="
         "'2026-01-02 03:04:06.000' WHERE id IN ('a') AND ver=1 AND status IN "
         "('created','paying')");

    /* a column that ends alike is a literal, whoever changes it */
    wk_batch_sql_update(&sql, &things, moves, 2, PH_STR("'paying'"), true);
    same("UPDATE thing SET ver=ver+1,status='paid',note=NULL,done_ms="
         "'2026-01-02 03:04:06.000' WHERE id IN ('a','b') AND ver=1 AND status "
         "IN ('paying') AND fence<=7");

    /* one that does not is a CASE of those that change it */
    c.id           = PH_STR("c");
    c.ver          = 4;
    c_after        = c;
    c_after.status = PH_PAYMENT_FAILED;
    c_after.count  = 12;
    wk_batch_sql_update(&sql, &things, moves, 3, PH_STR("'paying'"), true);
    same("UPDATE thing SET ver=ver+1,status=CASE id WHEN 'a' THEN 'paid' WHEN "
         "'b' THEN 'paid' WHEN 'c' THEN 'failed' ELSE status END,note=NULL,"
         "count=CASE id WHEN 'c' THEN 12 ELSE count END,done_ms=CASE id WHEN "
         "'a' THEN '2026-01-02 03:04:06.000' WHEN 'b' THEN "
         "'2026-01-02 03:04:06.000' ELSE done_ms END WHERE id IN ('a','b','c') "
         "AND ver=CASE id WHEN 'a' THEN 1 WHEN 'b' THEN 1 WHEN 'c' THEN 4 END "
         "AND status IN ('paying') AND fence<=CASE id WHEN 'a' THEN 7 WHEN 'b' "
         "THEN 7 WHEN 'c' THEN 9 END");

    /* nothing to change still moves ver: who else read the row has lost */
    moves[0].after = &a;
    wk_batch_sql_update(&sql, &things, moves, 1, PH_STR("'paying'"), false);
    same("UPDATE thing SET ver=ver+1 WHERE id IN ('a') AND ver=1 AND status IN "
         "('paying')");
    moves[0].after = &a_after;
    wk_batch_sql_update(&sql, &bares, moves, 1, PH_STR("'paying'"), false);
    same("UPDATE bare SET ver=ver+1,status='paid' WHERE id IN ('a') AND status "
         "IN ('paying')");
}

static void
test_state(void **state)
{
    const struct wk_sql_move moves[] = { { &a, &a, 0 }, { &b, &b, 0 } };

    (void) state;
    wk_batch_sql_state(&sql, &things, moves, 2);
    same("SELECT id,ver,status,fence FROM thing WHERE id IN ('a','b')");
    wk_batch_sql_state(&sql, &bares, moves, 1);
    same("SELECT id,0,status,0 FROM bare WHERE id IN ('a')");
}

/* Every column of every table is put, compared and named without a hole. */
static void
test_tables(void **state)
{
    static const struct wk_table *const tables[]
        = { &wk_payment_table, &wk_attempt_table, &wk_refund_table,
            &wk_task_table };
    static const union {
        struct wk_payment payment;
        struct wk_attempt attempt;
        struct wk_refund  refund;
        struct wk_task    task;
    } none;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(tables); i++) {
        assert_string_equal(tables[i]->columns[0].name, "id");
        assert_non_null(wk_column_find(tables[i], "status"));
        for (size_t k = 0; k < tables[i]->column_count; k++) {
            const struct wk_column *column = &tables[i]->columns[k];

            assert_true(wk_member_is_same(column, &none, &none));
            clear();
            wk_put_member(&sql, column, &none);
            assert_true(sql.len != 0 && !sql.full);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_insert),
        cmocka_unit_test(test_unique), cmocka_unit_test(test_update),
        cmocka_unit_test(test_state),  cmocka_unit_test(test_tables),
    };

    clear();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

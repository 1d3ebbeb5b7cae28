/*
 * test_worker_list.c - the query of a list, its cursor, sync=true.
 */
#include <stdio.h>

#include "t/unit/support.h"

#include "libpayhub/wire/digest.h"
#include "worker/list_query.h"

#define APP PH_STR("app_1")
#define ID PH_STR("P0123456789AB00000000000000")

static struct wk_list_query  query;
static struct wk_query_fault fault;

static bool
parse(const char *text)
{
    return wk_list_query_parse(ph_str_z(text), APP, NULL, &query, &fault);
}

static void
test_empty(void **state)
{
    (void) state;
    assert_true(parse(NULL));
    assert_true(parse(""));
    assert_int_equal(query.limit, WK_LIST_LIMIT_DEFAULT);
    assert_int_equal(query.statuses.count, 0);
    assert_null(query.order_no.ptr);
    assert_null(query.before_id.ptr);
    assert_int_equal(query.from_ms, 0);
    assert_int_equal(query.to_ms, 0);
}

static void
test_filters(void **state)
{
    (void) state;
    assert_true(parse("status=paid,paid_late&method=sandbox%5Fbar"
                      "&channel=sandbox&account=a%2cb&limit=100"
                      "&created_from=2026-01-02T03%3A04:05Z"
                      "&created_to=2026-01-02T03:04:05.678Z"));
    assert_int_equal(query.statuses.count, 2);
    assert_true(ph_str_eq(query.statuses.value[1], PH_STR("paid_late")));
    assert_true(ph_str_eq(query.methods.value[0], PH_STR("sandbox_bar")));
    assert_int_equal(query.accounts.count, 2);
    assert_int_equal(query.limit, 100);
    assert_int_equal(query.from_ms, UINT64_C(1767323045000));
    assert_int_equal(query.to_ms, UINT64_C(1767323045678));
}

static void
test_faults(void **state)
{
    static const struct {
        const char   *text;
        enum ph_error error;
    } rows[] = {
        { "&", PH_ERROR_UNKNOWN_MEMBER },
        { "limit", PH_ERROR_UNKNOWN_MEMBER },
        { "a=b", PH_ERROR_UNKNOWN_MEMBER },
        { "limit=1&", PH_ERROR_UNKNOWN_MEMBER },
        { "Limit=1", PH_ERROR_UNKNOWN_MEMBER },
        { "%6cimit=1", PH_ERROR_UNKNOWN_MEMBER },
        { "sync=true", PH_ERROR_UNKNOWN_MEMBER },
        { "order_no=a&limit=1", PH_ERROR_UNKNOWN_MEMBER },
        { "limit=1&limit=1", PH_ERROR_DUPLICATE_KEY },
        { "order_no=a&sync=true&sync=true", PH_ERROR_DUPLICATE_KEY },
        { "limit=0", PH_ERROR_VALUE },
        { "limit=101", PH_ERROR_VALUE },
        { "limit=-1", PH_ERROR_VALUE },
        { "limit=01", PH_ERROR_VALUE },
        { "limit=", PH_ERROR_VALUE },
        { "limit=%", PH_ERROR_VALUE },
        { "limit=%3", PH_ERROR_VALUE },
        { "limit=%3g", PH_ERROR_VALUE },
        { "status=", PH_ERROR_VALUE },
        { "status=,paid", PH_ERROR_VALUE },
        { "status=PAID", PH_ERROR_VALUE },
        { "method=cash", PH_ERROR_VALUE },
        { "channel=a%00b", PH_ERROR_VALUE },
        { "account=a'b", PH_ERROR_VALUE },
        { "account=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", PH_ERROR_VALUE },
        { "created_from=2026-01-02", PH_ERROR_VALUE },
        { "created_from=2026-02-30T00:00:00Z", PH_ERROR_VALUE },
        { "created_from=2026-01-02T03:04:05", PH_ERROR_VALUE },
        { "created_from=2026-01-02t03:04:05z", PH_ERROR_VALUE },
        { "created_from=2026-01-02T24:00:00Z", PH_ERROR_VALUE },
        { "created_from=1970-01-01T00:00:00Z", PH_ERROR_VALUE },
        { "order_no=", PH_ERROR_VALUE },
        { "order_no=a b", PH_ERROR_VALUE },
        { "order_no=a&sync=1", PH_ERROR_VALUE },
        { "cursor=", PH_ERROR_CURSOR },
        { "cursor=AAAA", PH_ERROR_CURSOR },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        bool is_good = parse(rows[i].text);

        if (is_good || fault.error != rows[i].error) {
            fail_msg("%s: %d, %s", rows[i].text, fault.error, fault.detail);
        }
        assert_true(fault.detail[0] != '\0');
    }
}

/* Whatever a caller sends is shown back only where JSON can hold it. */
static void
test_fault_texts(void **state)
{
    static const char long_name[]
        = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn=1";

    (void) state;
    assert_false(parse("a\xff=1"));
    assert_string_equal(fault.detail, "a parameter: is not a parameter here");
    assert_false(parse(long_name));
    assert_string_equal(fault.detail, "a parameter: is not a parameter here");
    assert_false(parse("status=p\xff"));
    assert_string_equal(fault.detail, "status: expected states of payments");
    assert_false(parse("status=payed"));
    assert_string_equal(fault.detail,
                        "status: found 'payed', expected states of payments");
}

static void
test_cursor(void **state)
{
    char          memory[64], text[256];
    struct ph_buf cursor = PH_BUF_INIT(memory);

    (void) state;
    assert_true(parse("status=paid&limit=5"));
    wk_list_cursor(&cursor, &query, ID);
    assert_int_equal(cursor.len, WK_LIST_CURSOR_LEN);
    (void) ph_buf_z(&cursor);

    (void) snprintf(text, sizeof(text), "limit=9&cursor=%s&status=paid",
                    memory);
    assert_true(parse(text));
    assert_true(ph_str_eq(query.before_id, ID));
    (void) snprintf(text, sizeof(text), "cursor=%s&status=failed", memory);
    assert_false(parse(text));
    assert_int_equal(fault.error, PH_ERROR_CURSOR);
    (void) snprintf(text, sizeof(text), "cursor=%s&status=paid", memory);
    assert_false(wk_list_query_parse(ph_str_z(text), PH_STR("app_2"), NULL,
                                     &query, &fault));
    assert_int_equal(fault.error, PH_ERROR_CURSOR);
    for (size_t i = 0; i < WK_LIST_CURSOR_LEN; i++) {
        char kept = text[7 + i];

        text[7 + i] = kept == 'A' ? 'B' : 'A';
        assert_false(parse(text) && ph_str_eq(query.before_id, ID));
        text[7 + i] = kept;
    }
}

static void
test_sync(void **state)
{
    static const struct {
        const char   *text;
        enum ph_error error; /* NONE = good */
        bool          is_sync;
    } rows[] = {
        { NULL, PH_ERROR_NONE, false },
        { "", PH_ERROR_NONE, false },
        { "sync=true", PH_ERROR_NONE, true },
        { "sync=false", PH_ERROR_NONE, false },
        { "sync=TRUE", PH_ERROR_VALUE, false },
        { "sync=", PH_ERROR_VALUE, false },
        { "sync", PH_ERROR_UNKNOWN_MEMBER, false },
        { "x=true", PH_ERROR_UNKNOWN_MEMBER, false },
        { "sync=true&sync=true", PH_ERROR_DUPLICATE_KEY, false },
        { "sync=true&", PH_ERROR_UNKNOWN_MEMBER, false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        bool is_sync = !rows[i].is_sync;
        bool is_good
            = wk_sync_query_parse(ph_str_z(rows[i].text), &is_sync, &fault);

        assert_int_equal(is_good, rows[i].error == PH_ERROR_NONE);
        assert_int_equal(fault.error, rows[i].error);
        assert_true(!is_good || is_sync == rows[i].is_sync);
    }
}

static void
test_refund(void **unused)
{
    static const struct {
        const char   *text, *number;
        bool          is_sync;
        enum ph_error error;
        const char   *detail;
    } rows[] = {
        { "refund_no=r-1", "r-1", false, PH_ERROR_NONE, "" },
        { "refund_no=r-1&sync=true", "r-1", true, PH_ERROR_NONE, "" },
        { "sync=false&refund_no=r-1", "r-1", false, PH_ERROR_NONE, "" },
        { "", "", false, PH_ERROR_MISSING, "refund_no: is required" },
        { "sync=true", "", false, PH_ERROR_MISSING, "refund_no: is required" },
        { "refund_no", "", false, PH_ERROR_UNKNOWN_MEMBER,
          "refund_no: expected a value behind =" },
        { "refund_no=", "", false, PH_ERROR_VALUE,
          "refund_no: found '', expected 1 to 64 of A-Z a-z 0-9 _ -" },
        { "refund_no=a%20b", "", false, PH_ERROR_VALUE,
          "refund_no: found 'a%20b', expected 1 to 64 of A-Z a-z 0-9 _ -" },
        { "refund_no=r&refund_no=r", "", false, PH_ERROR_DUPLICATE_KEY,
          "refund_no: stands twice" },
        { "refund_no=r&sync=yes", "", false, PH_ERROR_VALUE,
          "sync: found 'yes', expected true or false" },
        { "refund_no=r&limit=1", "", false, PH_ERROR_UNKNOWN_MEMBER,
          "limit: is not a parameter here" },
        { "refund_no=r&", "", false, PH_ERROR_UNKNOWN_MEMBER,
          "a parameter: is not a parameter here" },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str number;
        bool          is_sync = !rows[i].is_sync;
        bool is_good = wk_refund_query_parse(ph_str_z(rows[i].text), &number,
                                             &is_sync, &fault);

        assert_int_equal(is_good, rows[i].error == PH_ERROR_NONE);
        assert_int_equal(fault.error, rows[i].error);
        assert_string_equal(fault.detail, rows[i].detail);
        assert_true(!is_good
                    || (is_sync == rows[i].is_sync
                        && ph_str_eq(number, ph_str_z(rows[i].number))));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),  cmocka_unit_test(test_filters),
        cmocka_unit_test(test_faults), cmocka_unit_test(test_fault_texts),
        cmocka_unit_test(test_cursor), cmocka_unit_test(test_sync),
        cmocka_unit_test(test_refund),
    };

    if (!ph_digest_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_error.c - every row of the error table; problem documents as JSON.
 */
#include "t/unit/support.h"

#include "libpayhub/domain/error.h"

/* PH-A101: letters, group, three digits */
static bool
is_code(struct ph_str code)
{
    return code.len == 7 && ph_str_starts(code, PH_STR("PH-"))
           && (code.ptr[3] == 'A' || code.ptr[3] == 'C') && code.ptr[4] >= '1'
           && code.ptr[4] <= '4' && code.ptr[5] >= '0' && code.ptr[5] <= '9'
           && code.ptr[6] >= '0' && code.ptr[6] <= '9';
}

static void
test_rows(void **state)
{
    (void) state;
    for (unsigned i = 1; i < PH_ERRORS; i++) {
        const struct ph_error_info *info = ph_error_info((enum ph_error) i);

        assert_true(is_code(info->code));
        assert_true(info->title.len != 0);
        /* 0 where there is no HTTP answer, or where it is not ours */
        assert_true(info->status == 0
                    || (info->status >= 400 && info->status <= 503));
        assert_true(info->code.ptr[3] == 'A' || info->status == 0);
        for (unsigned j = 1; j < i; j++) {
            assert_false(
                ph_str_eq(info->code, ph_error_info((enum ph_error) j)->code));
        }
    }
}

static void
test_retryable_means_not_done(void **state)
{
    (void) state;
    for (unsigned i = 1; i < PH_ERRORS; i++) {
        const struct ph_error_info *info = ph_error_info((enum ph_error) i);

        if (info->retryable) {
            assert_true(info->status == 409 || info->status == 429
                        || info->status == 503);
        }
        if (info->status == 502) {
            assert_false(info->retryable); /* it may have happened: ask */
        }
    }
}

static void
test_outside_the_enum(void **state)
{
    const struct ph_error_info *internal = ph_error_info(PH_ERROR_INTERNAL);

    (void) state;
    assert_ptr_equal(ph_error_info(PH_ERROR_NONE), internal);
    assert_ptr_equal(ph_error_info(PH_ERRORS), internal);
    assert_ptr_equal(ph_error_info((enum ph_error) 9999), internal);
}

static void
test_of_status(void **state)
{
    static const struct {
        unsigned      status;
        enum ph_error want;
    } rows[] = {
        { 400, PH_ERROR_BAD_REQUEST },
        { 401, PH_ERROR_AUTH },
        { 403, PH_ERROR_FORBIDDEN },
        { 404, PH_ERROR_NOT_FOUND },
        { 405, PH_ERROR_METHOD },
        { 413, PH_ERROR_TOO_LARGE },
        { 415, PH_ERROR_MEDIA_TYPE },
        { 422, PH_ERROR_VALUE },
        { 429, PH_ERROR_LIMITED },
        { 500, PH_ERROR_INTERNAL },
        { 502, PH_ERROR_OUTCOME_UNKNOWN },
        { 503, PH_ERROR_NOT_EXECUTED },
        { 504, PH_ERROR_OUTCOME_UNKNOWN },
        { 414, PH_ERROR_HTTP },
        { 418, PH_ERROR_HTTP },
        { 0, PH_ERROR_HTTP },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_error_of_status(rows[i].status), rows[i].want);
    }
}

static void
test_problem(void **state)
{
    static const struct ph_problem_place places[] = {
        { PH_STR_INIT("/amount"), PH_STR_INIT("found -1") },
        { PH_STR_INIT("/a\"b"), PH_STR_INIT("x\n") },
    };
    static const struct {
        struct ph_problem problem;
        struct ph_str     want;
    } rows[] = {
        { { PH_ERROR_AUTH, 0, { NULL, 0 }, PH_STR_INIT("r1"), NULL, 0 },
          PH_STR_INIT(
              "{\"type\":\"urn:payhub:problem:PH-A101\","
              "\"title\":\"Authentication failed\",\"status\":401,"
              "\"detail\":\"\",\"code\":\"PH-A101\",\"request_id\":\"r1\","
              "\"retryable\":false}") },
        { { PH_ERROR_VALUE, 0, PH_STR_INIT("two"), PH_STR_INIT("r2"), places,
            2 },
          PH_STR_INIT(
              "{\"type\":\"urn:payhub:problem:PH-A211\","
              "\"title\":\"A value is not acceptable\",\"status\":422,"
              "\"detail\":\"two\",\"code\":\"PH-A211\",\"request_id\":\"r2\","
              "\"retryable\":false,\"errors\":["
              "{\"pointer\":\"/amount\",\"detail\":\"found -1\"},"
              "{\"pointer\":\"/a\\\"b\",\"detail\":\"x\\n\"}]}") },
        /* the status of nginx, and bytes that are no UTF-8 */
        { { PH_ERROR_HTTP, 414, PH_STR_INIT("\xff"), { NULL, 0 }, NULL, 0 },
          PH_STR_INIT("{\"type\":\"urn:payhub:problem:PH-A291\","
                      "\"title\":\"Request refused\",\"status\":414,"
                      "\"detail\":\"\",\"code\":\"PH-A291\","
                      "\"request_id\":\"\",\"retryable\":false}") },
        { { PH_ERROR_HTTP, 0, { NULL, 0 }, { NULL, 0 }, NULL, 0 },
          PH_STR_INIT("{\"type\":\"urn:payhub:problem:PH-A291\","
                      "\"title\":\"Request refused\",\"status\":500,"
                      "\"detail\":\"\",\"code\":\"PH-A291\","
                      "\"request_id\":\"\",\"retryable\":false}") },
        { { PH_ERROR_NOT_EXECUTED, 0, { NULL, 0 }, { NULL, 0 }, NULL, 0 },
          PH_STR_INIT("{\"type\":\"urn:payhub:problem:PH-A304\","
                      "\"title\":\"Not executed, try again\",\"status\":503,"
                      "\"detail\":\"\",\"code\":\"PH-A304\","
                      "\"request_id\":\"\",\"retryable\":true}") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[PH_PROBLEM_MAX];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_problem_format(&buf, &rows[i].problem);
        t_same(ph_buf_str(&buf), rows[i].want);
    }
}

static void
test_places_are_bounded(void **state)
{
    struct ph_problem_place places[PH_PROBLEM_PLACES_MAX + 1];
    struct ph_problem       problem = { .error       = PH_ERROR_VALUE,
                                        .places      = places,
                                        .place_count = PH_COUNT(places) };
    char                    memory[PH_PROBLEM_MAX];
    struct ph_buf           buf  = PH_BUF_INIT(memory);
    size_t                  seen = 0;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(places); i++) {
        places[i] = (struct ph_problem_place){ PH_STR("/p"), PH_STR("") };
    }
    ph_problem_format(&buf, &problem);
    for (size_t i = 0; i + 2 <= buf.len; i++) {
        seen += memcmp(buf.ptr + i, "/p", 2) == 0;
    }
    assert_int_equal(seen, PH_PROBLEM_PLACES_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_retryable_means_not_done),
        cmocka_unit_test(test_outside_the_enum),
        cmocka_unit_test(test_of_status),
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_places_are_bounded),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}

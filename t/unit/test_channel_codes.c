/* What codes prove: the words of error classes, every row of every adapter. */
#include "t/unit/support.h"

#include "channels/codes.h"

#define ROW(code, result, word, ops)                                           \
    {                                                                          \
        PH_STR_INIT(code), PH_RESULT_##result, PH_STR_INIT(word), (ops)        \
    }

static void
words_ascend(void **state)
{
    const char *word, *meaning, *before = "";
    size_t      count = 0;

    (void) state;
    for (; (word = ph_error_class_at(count, &meaning)) != NULL; count++) {
        if (strcmp(before, word) >= 0) {
            fail_msg("%s after %s", word, before);
        }
        assert_true(strlen(word) <= 32); /* the column's width */
        assert_true(strlen(meaning) > 5);
        assert_true(ph_error_class_is_known(ph_str_z(word)));
        before = word;
    }
    assert_true(count > 20);
    assert_false(ph_error_class_is_known(PH_STR("")));
    assert_false(ph_error_class_is_known(PH_STR("declin")));
    assert_false(ph_error_class_is_known(PH_STR("declinedd")));
    assert_false(ph_error_class_is_known(PH_STR("zzz")));
}

static void
every_table_is_sound(void **state)
{
    const struct ph_channel *channel;
    const char              *before = "";

    (void) state;
    for (size_t i = 0; (channel = ph_channel_at(i)) != NULL; i++) {
        size_t              at    = 0;
        enum ph_codes_fault fault = ph_codes_check(channel, &at);

        if (fault != PH_CODES_OK) {
            fail_msg("%s, row %zu %.*s: %s", channel->name, at,
                     (int) channel->codes[at].code.len,
                     channel->codes[at].code.ptr, ph_codes_expected(fault));
        }
        for (at = 0; at < channel->code_count; at++) {
            const struct ph_channel_code *row = &channel->codes[at];

            for (unsigned op = PH_OP_CREATE; op < PH_OP_COUNT; op++) {
                if (row->ops == 0 || (row->ops & PH_OP_BIT(op)) != 0) {
                    const struct ph_channel_code *found = ph_code_find(
                        channel, row->code, (enum ph_channel_op) op);

                    assert_non_null(found);
                    assert_true(ph_str_eq(found->code, row->code));
                    assert_true(row->ops == 0 || found == row);
                }
            }
        }
        assert_true(channel->field_count <= PH_CHANNEL_FIELDS_MAX);
        assert_int_equal(channel->abi, PH_CHANNEL_ABI);
        assert_int_equal(channel->size, sizeof(*channel));
        assert_true(strcmp(before, channel->name) < 0);
        assert_ptr_equal(ph_channel_find(ph_str_z(channel->name)), channel);
        before = channel->name;
    }
}

static const struct ph_channel_code good[] = {
    ROW("A", FAILED, "declined", PH_OP_BIT(PH_OP_CREATE)),
    ROW("A", NOT_FOUND, "not_found", PH_OP_BIT(PH_OP_QUERY)),
    ROW("A", UNKNOWN, "channel_error", 0),
    ROW("B", WAIT_USER, "", 0),
    ROW("C", FAILED, "declined", PH_OP_BIT(PH_OP_REFUND)),
};

static void
a_row_is_found_by_its_operation(void **state)
{
    const struct ph_channel channel
        = { .codes = good, .code_count = PH_COUNT(good) };
    size_t at = 99;

    (void) state;
    assert_int_equal(ph_codes_check(&channel, &at), PH_CODES_OK);
    assert_ptr_equal(ph_code_find(&channel, PH_STR("A"), PH_OP_CREATE),
                     &good[0]);
    assert_ptr_equal(ph_code_find(&channel, PH_STR("A"), PH_OP_QUERY),
                     &good[1]);
    assert_ptr_equal(ph_code_find(&channel, PH_STR("A"), PH_OP_CLOSE),
                     &good[2]);
    assert_ptr_equal(ph_code_find(&channel, PH_STR("B"), PH_OP_REFUND),
                     &good[3]);
    assert_ptr_equal(ph_code_find(&channel, PH_STR("C"), PH_OP_REFUND),
                     &good[4]);
    assert_null(ph_code_find(&channel, PH_STR("C"), PH_OP_CREATE));
    assert_null(ph_code_find(&channel, PH_STR(""), PH_OP_CREATE));
    assert_null(ph_code_find(&channel, PH_STR("AA"), PH_OP_CREATE));
    assert_null(ph_code_find(&channel, PH_STR("D"), PH_OP_CREATE));
}

static void
bad_tables_are_told(void **state)
{
    static const struct {
        struct ph_channel_code codes[2];
        enum ph_codes_fault    fault;
        size_t                 at;
    } rows[] = {
        { { ROW("B", FAILED, "declined", 0), ROW("A", FAILED, "declined", 0) },
          PH_CODES_UNSORTED,
          1 },
        { { ROW("", FAILED, "declined", 0), ROW("A", FAILED, "declined", 0) },
          PH_CODES_UNSORTED,
          0 },
        { { ROW("A", FAILED, "declined", 0), ROW("A", FAILED, "declined", 0) },
          PH_CODES_TWICE,
          1 },
        { { ROW("A", FAILED, "declined", 6), ROW("A", FAILED, "declined", 4) },
          PH_CODES_TWICE,
          1 },
        { { ROW("A", FAILED, "declined", 1), ROW("B", FAILED, "declined", 0) },
          PH_CODES_OPS,
          0 },
        { { ROW("A", FAILED, "declined", 256),
            ROW("B", FAILED, "declined", 0) },
          PH_CODES_OPS,
          0 },
        { { ROW("A", FAILED, "declined", 0),
            { PH_STR_INIT("B"), (enum ph_result_class) 7,
              PH_STR_INIT("declined"), 0 } },
          PH_CODES_RESULT,
          1 },
        { { ROW("A", FAILED, "declined", 0), ROW("B", FAILED, "nonesuch", 0) },
          PH_CODES_WORD,
          1 },
        { { ROW("A", FAILED, "", 0), ROW("B", FAILED, "declined", 0) },
          PH_CODES_WORD,
          0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct ph_channel channel
            = { .codes = rows[i].codes, .code_count = 2 };
        size_t at = 99;

        if (ph_codes_check(&channel, &at) != rows[i].fault || at != rows[i].at)
        {
            fail_msg("row %zu: row %zu, %s", i, at,
                     ph_codes_expected(ph_codes_check(&channel, &at)));
        }
        assert_true(strlen(ph_codes_expected(rows[i].fault)) > 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_ascend),
        cmocka_unit_test(every_table_is_sound),
        cmocka_unit_test(a_row_is_found_by_its_operation),
        cmocka_unit_test(bad_tables_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* That a bar code is being taken back: kept in the state, and what it does to
 * "paid", at the channels that have bar codes of their own. */
#include "t/unit/support.h"

#include "channels/reversal.h"

#define NOW_MS UINT64_C(1795478400000)
#define NO_MARK 0

static uint8_t                state[PH_CHANNEL_STATE_MAX];
static struct ph_channel_call call;

static void
begin(enum ph_channel_op op, size_t state_len)
{
    call = (struct ph_channel_call){
        .op = op, .now_ms = NOW_MS, .state = state, .state_len = state_len
    };
}

static void
a_reverse_is_remembered_from_the_first_on(void **unused)
{
    (void) unused;
    begin(PH_OP_REVERSE, 0);
    assert_true(ph_reversal_take(&call) == NOW_MS);
    call.state[0]  = 'x'; /* the adapter's own */
    call.state_len = 1;
    ph_reversal_put(&call, NOW_MS);
    assert_int_equal(call.state_len, 1 + PH_REVERSAL_LEN);

    begin(PH_OP_REVERSE, call.state_len);
    call.now_ms += 60000;
    assert_true(ph_reversal_take(&call) == NOW_MS); /* not the second */
    assert_int_equal(call.state_len, 1);
    assert_int_equal(call.state[0], 'x');

    begin(PH_OP_QUERY, 1 + PH_REVERSAL_LEN);
    assert_true(ph_reversal_take(&call) == NOW_MS);
    ph_reversal_put(&call, NOW_MS);
    assert_int_equal(call.state_len, 1 + PH_REVERSAL_LEN);
}

static void
other_operations_begin_none(void **unused)
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY,        PH_OP_CLOSE,
            PH_OP_REFUND, PH_OP_REFUND_QUERY, PH_OP_ACCOUNT_REFRESH };

    (void) unused;
    memset(state, 0, sizeof(state));
    for (size_t i = 0; i < PH_COUNT(ops); i++) {
        for (size_t len = 0; len <= PH_REVERSAL_LEN + 1; len++) {
            begin(ops[i], len);
            assert_true(ph_reversal_take(&call) == NO_MARK);
            ph_reversal_put(&call, NO_MARK);
            assert_int_equal(call.state_len, len);
        }
    }
}

static void
a_state_without_room_is_left_alone(void **unused)
{
    (void) unused;
    begin(PH_OP_REVERSE, PH_CHANNEL_STATE_MAX - PH_REVERSAL_LEN);
    ph_reversal_put(&call, NOW_MS);
    assert_int_equal(call.state_len, PH_CHANNEL_STATE_MAX);
    begin(PH_OP_REVERSE, PH_CHANNEL_STATE_MAX - PH_REVERSAL_LEN + 1);
    ph_reversal_put(&call, NOW_MS);
    assert_int_equal(call.state_len,
                     PH_CHANNEL_STATE_MAX - PH_REVERSAL_LEN + 1);
}

static void
paid_is_no_end_for_a_while(void **unused)
{
    static const struct {
        enum ph_channel_op   op;
        enum ph_result_class from;
        uint64_t             since_ms;
        enum ph_result_class to;
    } rows[] = {
        { PH_OP_QUERY, PH_RESULT_SUCCEEDED, NOW_MS, PH_RESULT_WAIT_USER },
        { PH_OP_QUERY, PH_RESULT_SUCCEEDED, NOW_MS - PH_REVERSAL_MS + 1,
          PH_RESULT_WAIT_USER },
        { PH_OP_QUERY, PH_RESULT_SUCCEEDED, NOW_MS - PH_REVERSAL_MS,
          PH_RESULT_SUCCEEDED },
        { PH_OP_QUERY, PH_RESULT_SUCCEEDED, NO_MARK, PH_RESULT_SUCCEEDED },
        { PH_OP_QUERY, PH_RESULT_CLOSED, NOW_MS, PH_RESULT_CLOSED },
        { PH_OP_QUERY, PH_RESULT_FAILED, NOW_MS, PH_RESULT_FAILED },
        { PH_OP_QUERY, PH_RESULT_UNKNOWN, NOW_MS, PH_RESULT_UNKNOWN },
        { PH_OP_QUERY, PH_RESULT_NOT_FOUND, NOW_MS, PH_RESULT_NOT_FOUND },
        { PH_OP_REVERSE, PH_RESULT_CLOSED, NOW_MS, PH_RESULT_CLOSED },
        { PH_OP_REFUND, PH_RESULT_SUCCEEDED, NOW_MS, PH_RESULT_SUCCEEDED },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_result result = { .class = rows[i].from };

        begin(rows[i].op, 0);
        ph_reversal_judge(&call, rows[i].since_ms, &result);
        assert_int_equal(result.class, rows[i].to);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reverse_is_remembered_from_the_first_on),
        cmocka_unit_test(other_operations_begin_none),
        cmocka_unit_test(a_state_without_room_is_left_alone),
        cmocka_unit_test(paid_is_no_end_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* reversal.c - see reversal.h. */
#include "channels/reversal.h"

#define MARK 'r'

uint64_t
ph_reversal_take(struct ph_channel_call *call)
{
    uint64_t since_ms = 0;

    if (call->state_len >= PH_REVERSAL_LEN
        && call->state[call->state_len - PH_REVERSAL_LEN] == MARK)
    {
        for (size_t i = call->state_len - PH_REVERSAL_LEN + 1;
             i < call->state_len; i++) {
            since_ms = since_ms << 8 | call->state[i];
        }
        call->state_len -= PH_REVERSAL_LEN;
    }
    return since_ms == 0 && call->op == PH_OP_REVERSE ? call->now_ms : since_ms;
}

void
ph_reversal_put(struct ph_channel_call *call, uint64_t since_ms)
{
    if (since_ms == 0
        || call->state_len > PH_CHANNEL_STATE_MAX - PH_REVERSAL_LEN) {
        return;
    }
    call->state[call->state_len++] = MARK;
    for (int shift = 56; shift >= 0; shift -= 8) {
        call->state[call->state_len++] = (uint8_t) (since_ms >> shift);
    }
}

void
ph_reversal_judge(const struct ph_channel_call *call, uint64_t since_ms,
                  struct ph_channel_result *result)
{
    if (call->op == PH_OP_QUERY && result->class == PH_RESULT_SUCCEEDED
        && since_ms != 0 && call->now_ms < since_ms + PH_REVERSAL_MS)
    {
        result->class = PH_RESULT_WAIT_USER;
    }
}

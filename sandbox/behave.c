/*
 * behave.c - the table of magic amounts; docs/sandbox.md tells it in prose.
 */
#include "sandbox/behave.h"

#include <stddef.h>

#include "libpayhub/base/rc.h"

/* clang-format off */
static const struct sb_behaviour behaviours[] = {
    { .tail = 9001, .take = SB_TAKE_DECLINE },
    { .tail = 9002, .delay_ms = 3000 },
    { .tail = 9003, .answer = SB_ANSWER_HANG, .delay_ms = SB_HANG_MS },
    { .tail = 9004, .answer = SB_ANSWER_CLOSE },
    { .tail = 9005, .take = SB_TAKE_NOTHING, .answer = SB_ANSWER_CLOSE },
    { .tail = 9006, .answer = SB_ANSWER_ERROR },
    { .tail = 9007, .answer = SB_ANSWER_BAD_SIGNATURE },
    { .tail = 9008, .answer = SB_ANSWER_OTHER_AMOUNT },
    { .tail = 9009, .take = SB_TAKE_DECLINE, .answer = SB_ANSWER_UNCLEAR },
    { .tail = 9010, .take = SB_TAKE_WAIT, .late_ms = 1000 },
    { .tail = 9011, .notice = SB_NOTICE_TWICE },
    { .tail = 9012, .take = SB_TAKE_AT_ONCE, .answer = SB_ANSWER_PENDING,
      .delay_ms = SB_NOTICE_FIRST_WAIT_MS, .notice = SB_NOTICE_FIRST },
    { .tail = 9013, .notice = SB_NOTICE_NEVER },
    { .tail = 9014, .refund = SB_REFUND_LATE },
    { .tail = 9015, .refund = SB_REFUND_FAIL },
    { .tail = 9016, .answer = SB_ANSWER_MALFORMED },
    { .tail = 9017, .take = SB_TAKE_NOTHING,
      .answer = SB_ANSWER_RATE_LIMITED },
};
/* clang-format on */

static const struct sb_behaviour ordinary;

const struct sb_behaviour *
sb_behaviour_of(int64_t amount)
{
    for (size_t i = 0; i < PH_COUNT(behaviours); i++) {
        if (amount % 10000 == (int64_t) behaviours[i].tail) {
            return &behaviours[i];
        }
    }
    return &ordinary;
}

enum sb_refunding
sb_refunding_of(int64_t amount, int64_t charge_amount)
{
    enum sb_refunding own = sb_behaviour_of(amount)->refund;

    return own != SB_REFUND_NORMAL ? own
                                   : sb_behaviour_of(charge_amount)->refund;
}

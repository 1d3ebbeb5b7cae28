/*
 * tables.c - what Alipay's codes and status words prove, per operation; and its
 * texts of money and time.
 *
 * 40004 is judged by its sub_code, every other code by itself.  A code that is
 * not here proves nothing.  What a gateway refuses before it looks at the order
 * (40001 and its like) counts as not sent only for what makes or returns money;
 * a query that was refused says nothing.
 */
#include "channels/alipay/alipay_int.h"
#include "libpayhub/base/civil.h"
#include "libpayhub/base/money.h"

#define YUAN_DECIMALS 2

#define CREATE PH_OP_BIT(PH_OP_CREATE)
#define QUERY PH_OP_BIT(PH_OP_QUERY)
#define CLOSE PH_OP_BIT(PH_OP_CLOSE)
#define REVERSE PH_OP_BIT(PH_OP_REVERSE)
#define REFUND PH_OP_BIT(PH_OP_REFUND)
#define REFUND_QUERY PH_OP_BIT(PH_OP_REFUND_QUERY)

/* clang-format off */
#define ROW(code, result, error_class, ops)                                    \
    { PH_STR_INIT(code), PH_RESULT_##result, PH_STR_INIT(error_class), (ops) }

const struct ph_channel_code alipay_codes[ALIPAY_CODES] = {
    ROW("20000", UNKNOWN, "channel_error", 0),
    ROW("20001", NOT_SENT, "config", CREATE | REFUND),
    ROW("20001", UNKNOWN, "config", 0),
    ROW("40001", NOT_SENT, "config", CREATE | REFUND),
    ROW("40001", UNKNOWN, "config", 0),
    ROW("40002", NOT_SENT, "config", CREATE | REFUND),
    ROW("40002", UNKNOWN, "config", 0),
    ROW("40003", NOT_SENT, "config", CREATE | REFUND),
    ROW("40003", UNKNOWN, "config", 0),
    ROW("40005", NOT_SENT, "rate_limited", CREATE),
    ROW("40005", UNKNOWN, "rate_limited", 0),
    ROW("40006", NOT_SENT, "config", CREATE | REFUND),
    ROW("40006", UNKNOWN, "config", 0),
    ROW("ACQ.BUYER_BALANCE_NOT_ENOUGH", FAILED, "insufficient_funds", CREATE),
    ROW("ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", FAILED, "insufficient_funds",
        CREATE),
    ROW("ACQ.CONTEXT_INCONSISTENT", UNKNOWN, "other_data", CREATE),
    ROW("ACQ.DISCORDANT_REPEAT_REQUEST", UNKNOWN, "other_data", REFUND),
    ROW("ACQ.ERROR_BALANCE_PAYMENT_DISABLE", FAILED, "payer", CREATE),
    ROW("ACQ.PAYMENT_AUTH_CODE_INVALID", FAILED, "auth_code", CREATE),
    ROW("ACQ.PAYMENT_FAIL", FAILED, "declined", CREATE),
    ROW("ACQ.REASON_TRADE_REFUND_FEE_ERR", FAILED, "over_refund", REFUND),
    ROW("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", FAILED, "over_refund", REFUND),
    ROW("ACQ.SELLER_BALANCE_NOT_ENOUGH", FAILED, "merchant_funds", REFUND),
    ROW("ACQ.SYSTEM_ERROR", UNKNOWN, "channel_error", 0),
    ROW("ACQ.TOTAL_FEE_EXCEED", FAILED, "limit", CREATE),
    ROW("ACQ.TRADE_HAS_CLOSE", UNKNOWN, "closed", CREATE | REFUND),
    ROW("ACQ.TRADE_HAS_FINISHED", FAILED, "not_refundable", REFUND),
    ROW("ACQ.TRADE_HAS_SUCCESS", UNKNOWN, "paid", CREATE | CLOSE),
    ROW("ACQ.TRADE_NOT_ALLOW_REFUND", FAILED, "not_refundable", REFUND),
    ROW("ACQ.TRADE_NOT_EXIST", NOT_FOUND, "not_found",
        QUERY | CLOSE | REVERSE | REFUND_QUERY),
    ROW("ACQ.TRADE_NOT_EXIST", FAILED, "not_found", REFUND),
    ROW("ACQ.TRADE_STATUS_ERROR", UNKNOWN, "paid", CLOSE),
    ROW("ACQ.TRADE_STATUS_ERROR", UNKNOWN, "in_progress", REFUND),
    ROW("SYSTEM_ERROR", UNKNOWN, "channel_error", 0),
    ROW("aop.ACQ.SYSTEM_ERROR", UNKNOWN, "channel_error", 0),
};

/* after these a query within the same operation tells how it stands */
static const struct {
    enum ph_channel_op op;
    struct ph_str      code;
} asked_after[] = {
    { PH_OP_CLOSE, PH_STR_INIT("ACQ.TRADE_HAS_SUCCESS") },
    { PH_OP_CLOSE, PH_STR_INIT("ACQ.TRADE_STATUS_ERROR") },
    { PH_OP_REFUND, PH_STR_INIT("ACQ.TRADE_HAS_CLOSE") },
    { PH_OP_REFUND, PH_STR_INIT("ACQ.TRADE_STATUS_ERROR") },
};

/* TRADE_CLOSED: never paid, or all of it went back.  Which of them it is, the
 * core's own record tells: what is paid stays paid. */
static const struct {
    struct ph_str        word;
    enum ph_result_class result;
} statuses[] = {
    { PH_STR_INIT("TRADE_CLOSED"), PH_RESULT_CLOSED },
    { PH_STR_INIT("TRADE_FINISHED"), PH_RESULT_SUCCEEDED },
    { PH_STR_INIT("TRADE_SUCCESS"), PH_RESULT_SUCCEEDED },
    { PH_STR_INIT("WAIT_BUYER_PAY"), PH_RESULT_WAIT_USER },
};
/* clang-format on */

bool
alipay_is_asked_after(enum ph_channel_op op, struct ph_str code)
{
    for (size_t i = 0; i < PH_COUNT(asked_after); i++) {
        if (asked_after[i].op == op && ph_str_eq(asked_after[i].code, code)) {
            return true;
        }
    }
    return false;
}

enum ph_result_class
alipay_status(struct ph_str word)
{
    for (size_t i = 0; i < PH_COUNT(statuses); i++) {
        if (ph_str_eq(statuses[i].word, word)) {
            return statuses[i].result;
        }
    }
    return PH_RESULT_UNKNOWN;
}

enum ph_rc
alipay_amount(struct ph_str text, int64_t *out)
{
    *out = -1;
    return text.ptr == NULL ? PH_OK : ph_money_parse(text, YUAN_DECIMALS, out);
}

uint64_t
alipay_time(struct ph_str text)
{
    uint64_t at_ms;

    return ph_civil_parse(text, PH_CIVIL_PLAIN, PH_BEIJING_MIN, &at_ms) == PH_OK
               ? at_ms
               : 0;
}

/*
 * alipay.c - the adapter of Alipay's open platform: its table and its steps.
 *
 * One request and one answer an operation, but for these:
 *   page, wap, app   no request: an address or a text for the payer
 *   close, refund    a code that tells "not as you think", or a refund that was
 *                    asked for again, is followed by a query
 * A certificate that is not known yet is fetched by ACCOUNT_REFRESH.  A bar
 * code that is being taken back is asked about by reversal.h's rule.
 */
#include "channels/alipay/alipay.h"

#include "channels/alipay/alipay_int.h"
#include "channels/reversal.h"

#define QUERY_DEADLINE_MS 5000
#define STATE_CLOSED 'c' /* a refund was refused by ACQ.TRADE_HAS_CLOSE */

static const char *const methods[]
    = { "alipay_qr",  "alipay_bar",   "alipay_page", "alipay_wap",
        "alipay_app", "alipay_jsapi", "bar",         NULL };

static const char *const currencies[] = { "CNY", NULL };

static const char *const wire_fields[]
    = { "app_id",       "auth_app_id",  "method",         "code",
        "sub_code",     "out_trade_no", "trade_no",       "trade_status",
        "total_amount", "refund_fee",   "refund_amount",  "refund_status",
        "fund_change",  "retry_flag",   "action",         "out_request_no",
        "out_biz_no",   "notify_id",    "alipay_cert_sn", NULL };

/* the query that tells more than a refusal of `op` does */
static enum ph_channel_op
query_of(enum ph_channel_op op)
{
    return op == PH_OP_REFUND ? PH_OP_REFUND_QUERY : PH_OP_QUERY;
}

static enum ph_channel_step
request_make(struct ph_channel_call *call, enum ph_channel_op op,
             struct ph_channel_out *out)
{
    return alipay_request(call, op, &out->request) ? PH_STEP_NEED_REQUEST
                                                   : PH_STEP_ERROR;
}

static enum ph_channel_step
hand_over(struct ph_channel_call *call, struct ph_channel_out *out)
{
    out->result
        = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    return alipay_hand_over(call, &out->result) ? PH_STEP_DONE : PH_STEP_ERROR;
}

/*
 * A refund that was refused or asked for again, and then "no such refund".  Of
 * a trade that Alipay calls closed both together are proof: it was paid, so all
 * of it went back another way, and this refund is none of that.  Otherwise the
 * two came too close.
 */
static void
second_judge(const struct ph_channel_call *call, bool was_closed,
             struct ph_channel_result *result)
{
    if (call->op != PH_OP_REFUND || result->class != PH_RESULT_NOT_FOUND) {
        return;
    }
    if (was_closed && ph_str_eq(result->channel_code, PH_STR("10000"))) {
        result->class          = PH_RESULT_FAILED;
        result->error_class    = PH_STR("closed");
        result->refunded_total = call->order->amount;
    } else {
        result->class       = PH_RESULT_UNKNOWN;
        result->error_class = PH_STR("in_progress");
    }
}

/* The core believes 401 to have done nothing, and begins anew after a refresh:
 * what moves money not after one that nobody could verify. */
static bool
may_refresh(enum ph_channel_op op, const struct ph_channel_reply *reply)
{
    return op == PH_OP_QUERY || op == PH_OP_REFUND_QUERY
           || reply->status != 401;
}

static enum ph_channel_step
first_take(struct ph_channel_call *call, const struct ph_channel_reply *last,
           struct ph_channel_out *out)
{
    bool needs_refresh, ask;

    alipay_answer_read(call, call->op, last, out, &needs_refresh, &ask);
    if (needs_refresh) {
        return may_refresh(call->op, last) ? PH_STEP_NEED_REFRESH
                                           : PH_STEP_DONE;
    }
    /* an operation that cannot go on has still been answered */
    if (!ask || !alipay_request(call, query_of(call->op), &out->request)) {
        return PH_STEP_DONE;
    }
    if (ph_str_eq(out->result.channel_code, PH_STR("ACQ.TRADE_HAS_CLOSE"))) {
        call->state[0]  = STATE_CLOSED;
        call->state_len = 1;
    }
    return PH_STEP_NEED_REQUEST;
}

static enum ph_channel_step
second_take(struct ph_channel_call *call, const struct ph_channel_reply *last,
            bool was_closed, struct ph_channel_out *out)
{
    bool needs_refresh, ask;

    alipay_answer_read(call, query_of(call->op), last, out, &needs_refresh,
                       &ask);
    second_judge(call, was_closed, &out->result);
    return needs_refresh && may_refresh(call->op, last) ? PH_STEP_NEED_REFRESH
                                                        : PH_STEP_DONE;
}

static enum ph_channel_step
step_take(struct ph_channel_call *call, const struct ph_channel_reply *last,
          struct ph_channel_out *out)
{
    bool was_closed = call->step > 1 && call->state_len == 1
                      && call->state[0] == STATE_CLOSED;

    call->state_len = 0; /* every operation can begin anew anywhere */
    switch (call->op) {
    case PH_OP_ACCOUNT_REFRESH:
        return alipay_refresh(call, last, out);
    case PH_OP_CREATE:
    case PH_OP_QUERY:
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
    case PH_OP_REFUND:
    case PH_OP_REFUND_QUERY:
        break;
    default:
        return PH_STEP_ERROR;
    }
    if (last != NULL) {
        return call->step > 1 ? second_take(call, last, was_closed, out)
                              : first_take(call, last, out);
    }
    return call->op == PH_OP_CREATE
                   && alipay_is_handed_over(call->order->method)
               ? hand_over(call, out)
               : request_make(call, call->op, out);
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    const uint64_t             since_ms = ph_reversal_take(call);
    const enum ph_channel_step next     = step_take(call, last, out);

    if (next == PH_STEP_DONE) {
        ph_reversal_judge(call, since_ms, &out->result);
    }
    ph_reversal_put(call, since_ms);
    return next;
}

static const char *const identity[] = { "app_id", NULL };

const struct ph_channel ph_channel_alipay = {
    .abi  = PH_CHANNEL_ABI,
    .size = sizeof(struct ph_channel),
    .name = "alipay",
    .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
            | PH_CAP_REVERSE | PH_CAP_REPEAT,
    .methods       = methods,
    .fields        = alipay_fields,
    .field_count   = ALIPAY_FIELDS,
    .codes         = alipay_codes,
    .code_count    = ALIPAY_CODES,
    .step          = step,
    .notice        = alipay_notice,
    .currencies    = currencies,
    .deadline_ms   = { [PH_OP_QUERY] = QUERY_DEADLINE_MS },
    .wire_fields   = wire_fields,
    .identity      = identity,
    .account_open  = alipay_account_open,
    .account_close = alipay_account_close,
    .order_check   = alipay_order_check,
    .expected      = alipay_expected,
};

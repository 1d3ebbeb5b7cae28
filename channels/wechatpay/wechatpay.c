/*
 * wechatpay.c - WeChat Pay, API v3: the steps of its operations, its notices,
 * its table.
 *
 *   CLOSE    close -> 204: closed; refused: -> query, which decides
 *   REVERSE  reverse -> query, which decides (and later ones: reversal.h)
 *   REFUND   refund -> refused by the rules of business: -> query of the refund
 *
 * An answer that is signed with a certificate that is not here asks for a
 * refresh.  A query then begins anew; what may have moved money stays unknown,
 * and the query that follows finds the certificate.
 */
#include "channels/reversal.h"
#include "channels/wechatpay/wechatpay_int.h"

#define STATE_SECOND 'q' /* the query after the first request is under way */

/* clang-format off */
static const char *const methods[] = {
    "wechat_native", "wechat_jsapi", "wechat_mini", "wechat_app", "wechat_h5",
    "wechat_bar", "bar", NULL,
};

static const char *const currencies[] = { "CNY", NULL };

static const char *const wire_fields[] = {
    "event_type", "mchid", "original_type", "out_refund_no", "out_trade_no",
    "refund_id", "refund_status", "serial_no", "sp_mchid", "sub_mchid",
    "trade_state", "trade_type", "transaction_id", NULL,
};

#define CREATE PH_OP_BIT(PH_OP_CREATE)
#define REFUND PH_OP_BIT(PH_OP_REFUND)
#define QUERIES (PH_OP_BIT(PH_OP_QUERY) | PH_OP_BIT(PH_OP_REFUND_QUERY))

#define ROW(code, result, error_class, ops)                                    \
    { PH_STR_INIT(code), PH_RESULT_##result, PH_STR_INIT(error_class), (ops) }

/* without underscores; ascending.  Of a refund only what says that it was not
 * accepted: too little money is asked again under the same number. */
static const struct ph_channel_code codes[] = {
    ROW("ACCOUNTERROR",       FAILED,    "payer", CREATE),
    ROW("APPIDMCHIDNOTMATCH", NOT_SENT,  "config", CREATE),
    ROW("AUTHCODEERROR",      FAILED,    "auth_code", CREATE),
    ROW("AUTHCODEEXPIRE",     FAILED,    "auth_code", CREATE),
    ROW("AUTHCODEEXPIRED",    FAILED,    "auth_code", CREATE),
    ROW("AUTHCODEINVALID",    FAILED,    "auth_code", CREATE),
    ROW("BANKERROR",          UNKNOWN,   "channel_error", 0),
    ROW("FREQUENCYLIMITED",   NOT_SENT,  "rate_limited", CREATE),
    ROW("FREQUENCYLIMITED",   UNKNOWN,   "rate_limited", 0),
    ROW("INVALIDREQUEST",     FAILED,    "request", CREATE),
    ROW("INVALIDREQUEST",     UNKNOWN,   "request", 0),
    ROW("MCHNOTEXISTS",       NOT_SENT,  "config", CREATE | REFUND),
    ROW("MCHNOTEXISTS",       UNKNOWN,   "config", 0),
    ROW("NOAUTH",             NOT_SENT,  "config", CREATE),
    ROW("NOAUTH",             UNKNOWN,   "config", 0),
    ROW("NOTENOUGH",          FAILED,    "insufficient_funds", CREATE),
    ROW("NOTENOUGH",          UNKNOWN,   "merchant_funds", REFUND),
    ROW("OPENIDMISMATCH",     FAILED,    "request", CREATE),
    ROW("ORDERCLOSED",        CLOSED,    "closed", CREATE),
    ROW("ORDERNOTEXIST",      FAILED,    "not_found", REFUND),
    ROW("ORDERNOTEXIST",      NOT_FOUND, "not_found", QUERIES),
    ROW("ORDERPAID",          UNKNOWN,   "paid", 0),
    ROW("OUTTRADENOUSED",     UNKNOWN,   "other_data", 0),
    ROW("PARAMERROR",         FAILED,    "request", CREATE | REFUND),
    ROW("PARAMERROR",         UNKNOWN,   "request", 0),
    ROW("RATELIMITEXCEEDED",  NOT_SENT,  "rate_limited", CREATE),
    ROW("RATELIMITEXCEEDED",  UNKNOWN,   "rate_limited", 0),
    ROW("RESOURCENOTEXISTS",  FAILED,    "not_found", REFUND),
    ROW("RESOURCENOTEXISTS",  NOT_FOUND, "not_found", QUERIES),
    ROW("RULELIMIT",          FAILED,    "limit", CREATE),
    ROW("SERVICEUNAVAILABLE", UNKNOWN,   "channel_error", 0),
    ROW("SIGNERROR",          NOT_SENT,  "config", CREATE | REFUND),
    ROW("SIGNERROR",          UNKNOWN,   "config", 0),
    ROW("SYSTEMERROR",        UNKNOWN,   "channel_error", 0),
    ROW("TRADEERROR",         FAILED,    "declined", CREATE),
    ROW("USERACCOUNTABNORMAL", FAILED,   "payer", CREATE),
    ROW("USERPAYING",         WAIT_USER, "wait_user", CREATE),
};
/* clang-format on */

/* --- answers -------------------------------------------------------------- */

static struct ph_str
doubt_class(const struct ph_channel_reply *reply, enum ph_rc rc)
{
    if (reply->status >= 500) {
        return PH_STR("channel_error");
    }
    if (reply->status == 429) {
        return PH_STR("rate_limited");
    }
    if (reply->status >= 400) {
        return PH_STR("config");
    }
    return rc == PH_E_RANGE     ? PH_STR("stale")
           : rc == PH_E_UNKNOWN ? PH_STR("refresh")
                                : PH_STR("signature");
}

/* The serial of a certificate that a refresh may bring; empty = none may. */
static struct ph_str
missing_serial(const struct ph_channel_header *headers, size_t count,
               struct ph_arena *arena)
{
    struct ph_str serial
        = ph_channel_header(headers, count, PH_STR("Wechatpay-Serial"));

    return wechat_serial_is_hex(serial) ? ph_arena_dup(arena, serial)
                                        : ph_str_make(NULL, 0);
}

/* The core begins anew after a refresh only what may be asked twice; of the
 * rest it believes 401 to have done nothing, which an answer that cannot be
 * verified does not prove. */
static bool
may_refresh(enum ph_channel_op op, unsigned status)
{
    bool is_query = op == PH_OP_QUERY || op == PH_OP_REFUND_QUERY;

    return status < 500 && (is_query || status != 401);
}

/* false: out has what comes of an answer that is not WeChat's */
static bool
answer_is_genuine(const struct ph_channel_call  *call,
                  const struct ph_channel_reply *reply,
                  struct ph_channel_out *out, enum ph_channel_step *next)
{
    enum ph_rc rc
        = wechat_answer_verify(call->account, reply->headers,
                               reply->header_count, reply->body, call->now_ms);

    *next = PH_STEP_DONE;
    if (rc == PH_OK) {
        return true;
    }
    if (rc == PH_E_UNKNOWN) {
        out->hint
            = missing_serial(reply->headers, reply->header_count, call->arena);
        rc = out->hint.len != 0 ? rc : PH_E_SIGNATURE;
    }
    wechat_result_clear(&out->result, doubt_class(reply, rc));
    if (rc == PH_E_UNKNOWN && may_refresh(call->op, reply->status)) {
        *next = PH_STEP_NEED_REFRESH;
    }
    return false;
}

static enum ph_channel_step
request_step(struct ph_channel_call *call, enum ph_channel_op op,
             bool is_second, struct ph_channel_out *out)
{
    call->state[0]  = STATE_SECOND;
    call->state_len = is_second ? 1 : 0;
    return wechat_request_make(call, op, &out->request) ? PH_STEP_NEED_REQUEST
                                                        : PH_STEP_ERROR;
}

/* --- second requests ------------------------------------------------------ */

/* A reversal that may still be under way is told from a payment by its end
 * alone: what is paid now may be taken back in a moment. */
static void
reversal_judge(struct ph_channel_result *result)
{
    if (result->class == PH_RESULT_SUCCEEDED
        || result->class == PH_RESULT_WAIT_USER)
    {
        wechat_result_clear(result, PH_STR("in_progress"));
    }
}

/* It was refused, and it is not there: it will not be. */
static void
refusal_judge(struct ph_channel_result *result)
{
    if (result->class == PH_RESULT_NOT_FOUND) {
        wechat_result_clear(result, PH_STR("request"));
        result->class        = PH_RESULT_FAILED;
        result->channel_code = PH_STR("INVALID_REQUEST");
    }
}

static enum ph_channel_step
second_take(struct ph_channel_call *call, const struct ph_channel_reply *reply,
            struct ph_channel_out *out)
{
    enum ph_channel_step next;
    enum ph_channel_op   op
        = call->op == PH_OP_REFUND ? PH_OP_REFUND_QUERY : PH_OP_QUERY;

    if (!answer_is_genuine(call, reply, out, &next)) {
        return next;
    }
    wechat_answer_judge(call, op, reply, &out->result);
    if (call->op == PH_OP_REVERSE) {
        reversal_judge(&out->result);
    } else if (call->op == PH_OP_REFUND) {
        refusal_judge(&out->result);
    }
    return next;
}

static bool
refund_was_refused(const struct ph_channel_call   *call,
                   const struct ph_channel_result *result)
{
    return call->op == PH_OP_REFUND && result->class == PH_RESULT_UNKNOWN
           && ph_str_eq(result->error_class, PH_STR("request"));
}

static enum ph_channel_step
first_take(struct ph_channel_call *call, const struct ph_channel_reply *reply,
           struct ph_channel_out *out)
{
    enum ph_channel_step next;

    if (call->op == PH_OP_REVERSE
        || (call->op == PH_OP_CLOSE && reply->status >= 400
            && reply->status < 500))
    {
        return request_step(call, PH_OP_QUERY, true, out);
    }
    if (!answer_is_genuine(call, reply, out, &next)) {
        return next;
    }
    wechat_answer_judge(call, call->op, reply, &out->result);
    return refund_was_refused(call, &out->result)
               ? request_step(call, PH_OP_REFUND_QUERY, true, out)
               : next;
}

static enum ph_channel_step
step_take(struct ph_channel_call *call, const struct ph_channel_reply *last,
          struct ph_channel_out *out)
{
    const struct wechat_account *opened = call->account->context;
    bool is_second                      = last != NULL && call->state_len == 1
                     && call->state[0] == STATE_SECOND;

    call->state_len = 0; /* every operation can begin anew anywhere */
    if (call->op == PH_OP_ACCOUNT_REFRESH) {
        return wechat_refresh_step(call, last, out);
    }
    if (last == NULL) {
        /* an answer that nobody can verify is not asked for */
        return wechat_key_wanted(opened, call->now_ms) == NULL
                   ? PH_STEP_NEED_REFRESH
                   : request_step(call, call->op, false, out);
    }
    return is_second ? second_take(call, last, out)
                     : first_take(call, last, out);
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

/* --- notices -------------------------------------------------------------- */

static enum ph_rc
notice(const struct ph_channel_account *account,
       const struct ph_channel_notice *in, uint64_t now_ms,
       struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    enum ph_rc rc = wechat_answer_verify(account, in->headers, in->header_count,
                                         in->body, now_ms);

    *out = (struct ph_channel_notice_out){ 0 };
    if (rc == PH_OK) {
        rc = wechat_notice_read(account, in->body, arena, out);
        /* "not known" is a word about keys only */
        return rc == PH_E_UNKNOWN ? PH_E_SYNTAX : rc;
    }
    if (rc == PH_E_UNKNOWN) {
        out->hint = missing_serial(in->headers, in->header_count, arena);
        out->needs_refresh = out->hint.len != 0;
    }
    return rc;
}

static const char *const identity[] = { "mchid", "sub_mchid", NULL };

const struct ph_channel ph_channel_wechatpay = {
    .abi  = PH_CHANNEL_ABI,
    .size = sizeof(struct ph_channel),
    .name = "wechatpay",
    .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
            | PH_CAP_REVERSE | PH_CAP_REPEAT,
    .methods          = methods,
    .fields           = wechat_fields,
    .field_count      = WECHAT_FIELDS,
    .codes            = codes,
    .code_count       = PH_COUNT(codes),
    .step             = step,
    .notice           = notice,
    .currencies       = currencies,
    .reverse_after_ms = 15000, /* by the channel's rules */
    .wire_fields      = wire_fields,
    .identity         = identity,
    .account_open     = wechat_account_open,
    .account_close    = wechat_account_close,
    .order_check      = wechat_order_check,
    .expected         = wechat_expected,
};

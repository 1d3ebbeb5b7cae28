/*
 * unionpay.c - the adapter of UnionPay's online gateway, version 5.1.0.
 *
 * A payment on the web is a form that the payer's browser posts, one in an app
 * a number that the phone's SDK takes; both end at payTimeout by themselves, so
 * nothing is ever closed.  Refunds are trades of their own, asked about by
 * their own number.
 *
 * Nothing of an answer counts before its signature, and nothing that is in none
 * of the tables proves anything.
 */
#include "channels/unionpay/unionpay.h"

#include "channels/unionpay/union_int.h"

#define AMOUNT_MAX INT64_C(999999999999) /* txnAmt has 12 digits */
#define HTTP_CLIENT_ERROR 400
#define HTTP_SERVER_ERROR 500

static const char *const methods[] = { "unionpay_web", "unionpay_app", NULL };
static const char *const currencies[] = { "CNY", NULL };

/* no card number, no text of the payer's */
static const char *const wire_fields[]
    = { "merId",   "orderId",  "origQryId", "origRespCode",
        "queryId", "respCode", "settleAmt", "txnAmt",
        "txnTime", "txnType",  NULL };

/* clang-format off */
static const struct ph_channel_field fields[UNION_FIELDS] = {
    [UNION_GATEWAY_URL] = { "gateway_url", true, false,
        "address that ends in /gateway/api", PH_VALUE_URL, NULL },
    [UNION_BACK_URL] = { "back_url", false, false,
        "address of refunds, when it is not gateway_url/backTransReq.do",
        PH_VALUE_URL, NULL },
    [UNION_QUERY_URL] = { "query_url", false, false,
        "address of queries, when it is not gateway_url/queryTrans.do",
        PH_VALUE_URL, NULL },
    [UNION_MER_ID] = { "mer_id", true, false,
        "UnionPay's number of the merchant, 15 characters", PH_VALUE_TEXT,
        NULL },
    [UNION_SIGN_CERT] = { "sign_cert", false, false,
        "the merchant's signing certificate, PEM", PH_VALUE_CERT, "pem" },
    [UNION_SIGN_KEY] = { "sign_key", false, true,
        "its private key, PEM", PH_VALUE_PRIVATE_KEY, "pem" },
    [UNION_PFX] = { "pfx", false, true,
        "both in the file that UnionPay hands out, in base64", PH_VALUE_PFX,
        "pfx" },
    [UNION_PFX_PASSWORD] = { "pfx_password", false, true,
        "its password", PH_VALUE_SECRET, "pfx" },
    [UNION_SECURE_KEY] = { "secure_key", false, true,
        "a shared key instead of certificates", PH_VALUE_SECRET, "shared" },
    [UNION_SIGN_METHOD] = { "sign_method", false, false,
        "01 with a certificate, 11 or 12 with secure_key", PH_VALUE_TEXT,
        NULL },
    [UNION_ROOT_CERT] = { "root_cert", false, false,
        "the root of UnionPay's certificates, PEM", PH_VALUE_CERTS,
        "pem pfx" },
    [UNION_MIDDLE_CERT] = { "middle_cert", false, false,
        "those between it and the signer's, PEM", PH_VALUE_CERTS, "pem pfx" },
    [UNION_REVOKE] = { "revoke", false, false,
        "yes: a whole refund of the same day revokes the payment",
        PH_VALUE_YESNO, NULL },
};

#define MAKE PH_OP_BIT(PH_OP_CREATE)
#define BACK PH_OP_BIT(PH_OP_REFUND)
#define ASK (PH_OP_BIT(PH_OP_QUERY) | PH_OP_BIT(PH_OP_REFUND_QUERY))

/*
 * Ascending by code; a code that is not here proves nothing.  A refused query
 * proves nothing either, but for "no such trade".  A create that was refused
 * gave nobody a number to pay with.
 */
static const struct ph_channel_code codes[] = {
    { PH_STR_INIT("02"), PH_RESULT_UNKNOWN, PH_STR_INIT("channel_error"), 0 },
    { PH_STR_INIT("03"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("04"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("05"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("06"), PH_RESULT_UNKNOWN, PH_STR_INIT("channel_error"), 0 },
    { PH_STR_INIT("10"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), MAKE },
    { PH_STR_INIT("10"), PH_RESULT_FAILED, PH_STR_INIT("request"), BACK },
    { PH_STR_INIT("10"), PH_RESULT_UNKNOWN, PH_STR_INIT("request"), ASK },
    { PH_STR_INIT("11"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), MAKE },
    { PH_STR_INIT("11"), PH_RESULT_FAILED, PH_STR_INIT("config"), BACK },
    { PH_STR_INIT("11"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), ASK },
    { PH_STR_INIT("12"), PH_RESULT_UNKNOWN, PH_STR_INIT("duplicate"),
      MAKE | BACK },
    { PH_STR_INIT("13"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), MAKE },
    { PH_STR_INIT("13"), PH_RESULT_FAILED, PH_STR_INIT("request"), BACK },
    { PH_STR_INIT("13"), PH_RESULT_UNKNOWN, PH_STR_INIT("request"), ASK },
    { PH_STR_INIT("31"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), MAKE },
    { PH_STR_INIT("31"), PH_RESULT_FAILED, PH_STR_INIT("config"), BACK },
    { PH_STR_INIT("31"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), ASK },
    { PH_STR_INIT("32"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), MAKE },
    { PH_STR_INIT("32"), PH_RESULT_FAILED, PH_STR_INIT("config"), BACK },
    { PH_STR_INIT("32"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), ASK },
    { PH_STR_INIT("34"), PH_RESULT_NOT_FOUND, PH_STR_INIT("not_found"), ASK },
    { PH_STR_INIT("35"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"),
      BACK },
    { PH_STR_INIT("36"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"),
      BACK },
    { PH_STR_INIT("37"), PH_RESULT_UNKNOWN, PH_STR_INIT("rate_limited"), ASK },
    { PH_STR_INIT("39"), PH_RESULT_NOT_SENT, PH_STR_INIT("too_late"), MAKE },
    { PH_STR_INIT("39"), PH_RESULT_FAILED, PH_STR_INIT("too_late"), BACK },
};
/* clang-format on */

/* --- answers -------------------------------------------------------------- */

static void
unknown_set(struct ph_channel_result *result, struct ph_str error_class)
{
    *result = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    result->error_class = error_class;
}

/* What is not believed: the error class says why. */
static struct ph_str
distrust_class(enum ph_rc rc, bool is_split, unsigned status)
{
    if (rc == PH_E_FULL && is_split) {
        return PH_STR("no_room");
    }
    if (status >= HTTP_CLIENT_ERROR) {
        return PH_STR("config");
    }
    return is_split ? PH_STR("signature") : PH_STR("unreadable");
}

static void
answer_read(const struct ph_channel_call  *call,
            const struct ph_channel_reply *reply,
            struct ph_channel_result      *result)
{
    struct ph_pair    pairs[UNION_PAIRS_MAX];
    struct union_said said;
    size_t            count = 0;

    unknown_set(result, PH_STR("unreadable"));
    if (reply->status >= HTTP_SERVER_ERROR) {
        result->error_class = PH_STR("channel_error");
        return;
    }
    enum ph_rc rc
        = union_answer_split(reply->body, pairs, PH_COUNT(pairs), &count);
    bool is_split = rc == PH_OK;

    if (is_split) {
        rc = union_verify(call->account, pairs, count, call->now_ms,
                          call->arena);
    }
    if (rc != PH_OK) {
        result->error_class = distrust_class(rc, is_split, reply->status);
        return;
    }
    if (union_said_read(pairs, count, call->arena, &said) == PH_OK) {
        union_answer_judge(call, &said, result);
    }
    if (call->arena->full) {
        unknown_set(result, PH_STR("no_room"));
    }
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    call->state_len = 0; /* every operation can begin anew anywhere */
    if (last == NULL) {
        return union_request_make(call, out);
    }
    answer_read(call, last, &out->result);
    return PH_STEP_DONE;
}

/* --- notices -------------------------------------------------------------- */

static enum ph_rc
notice(const struct ph_channel_account *account,
       const struct ph_channel_notice *in, uint64_t now_ms,
       struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct ph_pair    pairs[UNION_PAIRS_MAX];
    struct union_said said;
    size_t            count = 0;
    enum ph_rc        rc = union_notice_split(in->body, in->query, arena, pairs,
                                              PH_COUNT(pairs), &count);

    if (rc == PH_OK) {
        rc = union_verify(account, pairs, count, now_ms, arena);
    }
    if (rc == PH_OK) {
        rc = union_said_read(pairs, count, arena, &said);
    }
    if (rc != PH_OK) {
        return rc;
    }
    /* UnionPay signs for every merchant: another one's says nothing here */
    if (said.mer_id.len != 0
        && !ph_str_eq(said.mer_id, account->values[UNION_MER_ID]))
    {
        return PH_E_RANGE;
    }
    *out = (struct ph_channel_notice_out){ 0 };
    return union_notice_judge(&said, arena, out);
}

/* --- orders --------------------------------------------------------------- */

static const char *
order_check(const struct ph_channel_account *account,
            const struct ph_channel_order   *order)
{
    (void) account;
    return order->amount > AMOUNT_MAX
               ? "unionpay takes at most 9999999999.99 CNY a payment"
               : NULL;
}

static void
expected(const struct ph_channel_account *account,
         const struct ph_channel_order *order, struct ph_arena *arena,
         struct ph_channel_expected *out)
{
    (void) order;
    (void) arena;
    out->seller = account->values[UNION_MER_ID];
    out->app    = ph_str_make(NULL, 0);
}

static const char *const identity[] = { "mer_id", NULL };

const struct ph_channel ph_channel_unionpay = {
    .abi           = PH_CHANNEL_ABI,
    .size          = sizeof(struct ph_channel),
    .name          = "unionpay",
    .caps          = PH_CAP_QUERY | PH_CAP_REFUND | PH_CAP_NOTICE,
    .methods       = methods,
    .fields        = fields,
    .field_count   = PH_COUNT(fields),
    .codes         = codes,
    .code_count    = PH_COUNT(codes),
    .step          = step,
    .notice        = notice,
    .currencies    = currencies,
    .wire_fields   = wire_fields,
    .identity      = identity,
    .account_open  = union_account_open,
    .account_close = union_account_close,
    .order_check   = order_check,
    .expected      = expected,
};

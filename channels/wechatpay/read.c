/*
 * read.c - what WeChat Pay's answers and notices prove.
 *
 * Everything here was verified before.  What is not in one of the tables, or
 * lacks what such a message has, proves nothing.  Nothing is compared with the
 * order but the number that a refund is of; the core compares what is echoed.
 */
#include "channels/codes.h"
#include "channels/wechatpay/wechatpay_int.h"
#include "libpayhub/base/civil.h"
#include "libpayhub/base/money.h"

#define CODE_MAX 64
#define STATUS_OK 200
#define STATUS_ACCEPTED 202
#define STATUS_NO_CONTENT 204

struct proof {
    struct ph_str        word;
    enum ph_result_class result;
    struct ph_str        error_class;
};

/* clang-format off */
static const struct proof trade_states[] = {
    { PH_STR_INIT("ACCEPT"), PH_RESULT_WAIT_USER, { NULL, 0 } },
    { PH_STR_INIT("CLOSED"), PH_RESULT_CLOSED, { NULL, 0 } },
    { PH_STR_INIT("NOTPAY"), PH_RESULT_WAIT_USER, { NULL, 0 } },
    { PH_STR_INIT("PAYERROR"), PH_RESULT_FAILED, PH_STR_INIT("declined") },
    { PH_STR_INIT("REFUND"), PH_RESULT_SUCCEEDED, { NULL, 0 } },
    { PH_STR_INIT("REVOKED"), PH_RESULT_CLOSED, { NULL, 0 } },
    { PH_STR_INIT("SUCCESS"), PH_RESULT_SUCCEEDED, { NULL, 0 } },
    { PH_STR_INIT("USERPAYING"), PH_RESULT_WAIT_USER, { NULL, 0 } },
};

/* ABNORMAL: the money did not reach the payer yet; a person sees to it. */
static const struct proof refund_states[] = {
    { PH_STR_INIT("ABNORMAL"), PH_RESULT_WAIT_USER, PH_STR_INIT("abnormal") },
    { PH_STR_INIT("CLOSED"), PH_RESULT_FAILED, PH_STR_INIT("canceled") },
    { PH_STR_INIT("PROCESSING"), PH_RESULT_WAIT_USER, { NULL, 0 } },
    { PH_STR_INIT("SUCCESS"), PH_RESULT_SUCCEEDED, { NULL, 0 } },
};
/* clang-format on */

void
wechat_result_clear(struct ph_channel_result *result, struct ph_str error_class)
{
    *result = (struct ph_channel_result){ .class          = PH_RESULT_UNKNOWN,
                                          .amount         = -1,
                                          .refunded_total = -1,
                                          .error_class    = error_class };
}

static void
word_judge(struct ph_channel_result *result, const struct proof *rows,
           size_t count, struct ph_str word)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(rows[i].word, word)) {
            result->class       = rows[i].result;
            result->error_class = rows[i].error_class;
            return;
        }
    }
    result->class       = PH_RESULT_UNKNOWN;
    result->error_class = PH_STR("unknown_code");
}

/* --- members -------------------------------------------------------------- */

struct text {
    const char    *path;
    struct ph_str *to; /* {NULL, 0} when there is none */
};

static enum ph_rc
texts_take(const struct ph_doc *doc, const struct text *texts, size_t count,
           struct ph_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        enum ph_rc rc = ph_doc_text(doc, texts[i].path, arena, texts[i].to);

        if (rc == PH_E_MISSING) {
            *texts[i].to = ph_str_make(NULL, 0);
        } else if (rc != PH_OK) {
            return rc;
        }
    }
    return PH_OK;
}

static enum ph_rc
fen_take(const struct ph_doc *doc, const char *path, int64_t *out)
{
    enum ph_rc rc = ph_doc_int(doc, path, out);

    if (rc == PH_E_MISSING) {
        *out = -1;
        return PH_OK;
    }
    if (rc != PH_OK) {
        return rc;
    }
    return *out >= 0 && *out <= PH_AMOUNT_MAX ? PH_OK : PH_E_SYNTAX;
}

/* A time that cannot be read is as one that was not told: no money is in it. */
static uint64_t
time_of(struct ph_str text)
{
    uint64_t at_ms = 0;

    return text.len != 0
                   && ph_civil_parse(text, PH_CIVIL_RFC3339, 0, &at_ms) == PH_OK
               ? at_ms
               : 0;
}

struct named {
    struct ph_str mchid, appid, sp_mchid, sp_appid, sub_mchid;
};

/* "mchid", or "sp_mchid/sub_mchid": as wechat_expected() has them. */
static void
seller_set(struct ph_channel_result *result, const struct named *named,
           struct ph_arena *arena)
{
    struct ph_buf buf;

    if (named->sp_mchid.len == 0) {
        result->seller = named->mchid;
        result->app    = named->appid;
        return;
    }
    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, named->sp_mchid);
    ph_buf_byte(&buf, '/');
    ph_buf_add(&buf, named->sub_mchid);
    result->seller = ph_arena_close(arena, &buf);
    result->app    = named->sp_appid;
}

static bool
is_proof(const struct ph_channel_result *result)
{
    return result->class == PH_RESULT_SUCCEEDED
           || result->class == PH_RESULT_FAILED
           || result->class == PH_RESULT_CLOSED;
}

/* --- orders and refunds --------------------------------------------------- */

enum ph_rc
wechat_order_read(const struct ph_doc *doc, struct ph_arena *arena,
                  struct ph_channel_result *result)
{
    struct named      named;
    struct ph_str     state, paid_at, about;
    const struct text texts[] = {
        { "trade_state", &state },
        { "out_trade_no", &result->number },
        { "transaction_id", &result->trade_no },
        { "appid", &named.appid },
        { "mchid", &named.mchid },
        { "sp_appid", &named.sp_appid },
        { "sp_mchid", &named.sp_mchid },
        { "sub_mchid", &named.sub_mchid },
        { "success_time", &paid_at },
        { "trade_state_desc", &about },
        { "amount.currency", &result->currency },
    };
    enum ph_rc rc = texts_take(doc, texts, PH_COUNT(texts), arena);

    if (rc == PH_OK) {
        rc = fen_take(doc, "amount.total", &result->amount);
    }
    if (rc != PH_OK || state.len == 0) {
        return rc != PH_OK ? rc : PH_E_MISSING;
    }
    seller_set(result, &named, arena);
    result->paid_at_ms = time_of(paid_at);
    word_judge(result, trade_states, PH_COUNT(trade_states), state);
    if (result->class == PH_RESULT_FAILED || result->class == PH_RESULT_UNKNOWN)
    {
        result->channel_code = state;
        result->message      = about;
    }
    if (is_proof(result)
        && (result->number.len == 0 || result->seller.len == 0
            || result->app.len == 0
            || (result->class == PH_RESULT_SUCCEEDED && result->amount < 0)))
    {
        return PH_E_MISSING;
    }
    return arena->full ? PH_E_FULL : PH_OK;
}

enum ph_rc
wechat_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                   struct ph_str            *order_number,
                   struct ph_channel_result *result)
{
    struct named      named = { 0 };
    struct ph_str     state, told, paid_at;
    const struct text texts[] = {
        { "status", &state },       /* of answers */
        { "refund_status", &told }, /* of notices */
        { "out_refund_no", &result->number },
        { "refund_id", &result->trade_no },
        { "out_trade_no", order_number },
        { "mchid", &named.mchid },
        { "sp_mchid", &named.sp_mchid },
        { "sub_mchid", &named.sub_mchid },
        { "success_time", &paid_at },
        { "amount.currency", &result->currency },
    };
    enum ph_rc rc = texts_take(doc, texts, PH_COUNT(texts), arena);

    if (rc == PH_OK) {
        rc = fen_take(doc, "amount.refund", &result->amount);
    }
    state = state.len != 0 ? state : told;
    if (rc != PH_OK || state.len == 0 || result->number.len == 0
        || order_number->len == 0)
    {
        return rc != PH_OK ? rc : PH_E_MISSING;
    }
    if (result->currency.len == 0 && result->amount >= 0) {
        result->currency = PH_STR("CNY"); /* notices tell none: it has one */
    }
    seller_set(result, &named, arena);
    result->paid_at_ms   = time_of(paid_at);
    result->channel_code = state;
    word_judge(result, refund_states, PH_COUNT(refund_states), state);
    if (result->class == PH_RESULT_SUCCEEDED && result->amount < 0) {
        return PH_E_MISSING;
    }
    return arena->full ? PH_E_FULL : PH_OK;
}

/* --- what a create shows -------------------------------------------------- */

static struct ph_str
json_text(struct ph_str text, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_json(&buf, text);
    return ph_arena_close(arena, &buf);
}

static void
invoke_set(const struct ph_channel_call *call, struct ph_str prepay_id,
           struct ph_channel_result *result)
{
    bool is_app = ph_str_eq(call->order->method, PH_STR("wechat_app"));
    struct wechat_parties parties;
    struct wechat_stamp   stamp;
    struct wechat_invoke  invoke = { .is_app = is_app, .prepay_id = prepay_id };

    wechat_parties(call->account, call->order, call->arena, &parties);
    wechat_stamp_make(call->now_ms, call->random, call->arena, &stamp);
    invoke.appid     = parties.appid;
    invoke.partnerid = parties.is_partner ? parties.sub_mchid : parties.mchid;
    invoke.timestamp = stamp.timestamp;
    invoke.nonce     = stamp.nonce;
    /* the sub-merchant's app calls up what was ordered for it */
    if (parties.sub_appid.len != 0
        && (is_app
            || ph_channel_extra_text(call->order, "sub_openid", call->arena).len
                   != 0))
    {
        invoke.appid = parties.sub_appid;
    }
    result->action = is_app ? PH_ACTION_APP : PH_ACTION_JSAPI;
    result->action_data
        = wechat_invoke_make(call->account, &invoke, call->arena);
}

static enum ph_rc
prepay_read(const struct ph_channel_call *call, const struct ph_doc *doc,
            struct ph_channel_result *result)
{
    struct ph_str     code_url, h5_url, prepay_id;
    const struct text texts[] = {
        { "code_url", &code_url },
        { "h5_url", &h5_url },
        { "prepay_id", &prepay_id },
    };
    struct ph_str method = call->order->method;
    enum ph_rc    rc     = texts_take(doc, texts, PH_COUNT(texts), call->arena);

    if (rc != PH_OK) {
        return rc;
    }
    if (ph_str_eq(method, PH_STR("wechat_native")) && code_url.len != 0) {
        result->action      = PH_ACTION_QR_CODE;
        result->action_data = json_text(code_url, call->arena);
    } else if (ph_str_eq(method, PH_STR("wechat_h5")) && h5_url.len != 0) {
        result->action      = PH_ACTION_REDIRECT;
        result->action_data = json_text(h5_url, call->arena);
    } else if (!ph_str_eq(method, PH_STR("wechat_native"))
               && !ph_str_eq(method, PH_STR("wechat_h5")) && prepay_id.len != 0)
    {
        invoke_set(call, prepay_id, result);
    } else {
        return PH_E_SYNTAX;
    }
    result->class = PH_RESULT_WAIT_USER;
    return call->arena->full || result->action_data.len == 0 ? PH_E_FULL
                                                             : PH_OK;
}

/* --- whole answers -------------------------------------------------------- */

/* Spellings differ with an interface's age in the underscores only. */
static struct ph_str
code_squeeze(struct ph_str code, char memory[CODE_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < code.len; i++) {
        if (code.ptr[i] != '_') {
            if (len == CODE_MAX) {
                return ph_str_make(NULL, 0);
            }
            memory[len++] = code.ptr[i];
        }
    }
    return ph_str_make(memory, len);
}

static enum ph_rc
code_judge(const struct ph_channel_call *call, enum ph_channel_op op,
           const struct ph_doc *doc, struct ph_channel_result *result)
{
    char                          memory[CODE_MAX];
    const struct ph_channel_code *row;
    const struct text             texts[] = {
                    { "code", &result->channel_code },
                    { "message", &result->message },
    };
    enum ph_rc rc = texts_take(doc, texts, PH_COUNT(texts), call->arena);

    if (rc != PH_OK) {
        return rc;
    }
    row           = ph_code_find(&ph_channel_wechatpay,
                                 code_squeeze(result->channel_code, memory), op);
    result->class = row != NULL ? row->result : PH_RESULT_UNKNOWN;
    result->error_class
        = row != NULL ? row->error_class : PH_STR("unknown_code");
    return PH_OK;
}

static bool
is_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

static enum ph_rc
content_judge(const struct ph_channel_call *call, enum ph_channel_op op,
              const struct ph_doc *doc, struct ph_channel_result *result)
{
    struct ph_str order_number;
    enum ph_rc    rc;

    if (op == PH_OP_CREATE && !wechat_is_bar(call->order->method)) {
        return prepay_read(call, doc, result);
    }
    if (!is_refund(op)) {
        return wechat_order_read(doc, call->arena, result);
    }
    rc = wechat_refund_read(doc, call->arena, &order_number, result);
    return rc == PH_OK && !ph_str_eq(order_number, call->order->attempt_id)
               ? PH_E_MISSING
               : rc;
}

static struct ph_str
fault_class(enum ph_rc rc)
{
    return rc == PH_E_MISSING ? PH_STR("no_number")
           : rc == PH_E_FULL  ? PH_STR("no_room")
                              : PH_STR("unreadable");
}

void
wechat_answer_judge(const struct ph_channel_call *call, enum ph_channel_op op,
                    const struct ph_channel_reply *reply,
                    struct ph_channel_result      *result)
{
    struct ph_doc *doc;
    enum ph_rc     rc;

    wechat_result_clear(result, ph_str_make(NULL, 0));
    if (reply->status == STATUS_NO_CONTENT && op == PH_OP_CLOSE) {
        result->class = PH_RESULT_CLOSED;
        return;
    }
    if (reply->status >= 500) {
        result->error_class = PH_STR("channel_error");
        return;
    }
    if (reply->status == STATUS_ACCEPTED) {
        result->error_class = PH_STR("in_progress");
        return;
    }
    rc = ph_doc_json(&doc, reply->body);
    if (rc == PH_OK) {
        rc = reply->status == STATUS_OK ? content_judge(call, op, doc, result)
             : reply->status >= 400     ? code_judge(call, op, doc, result)
                                        : PH_E_SYNTAX;
    }
    ph_doc_free(doc);
    if (rc != PH_OK) {
        wechat_result_clear(result, fault_class(rc));
    }
}

/* --- notices -------------------------------------------------------------- */

struct event {
    struct ph_str id, type, original, plain;
};

static enum ph_rc
event_read(const struct ph_channel_account *account, struct ph_str body,
           struct ph_arena *arena, struct event *event)
{
    const struct text texts[] = {
        { "id", &event->id },
        { "event_type", &event->type },
        { "resource.original_type", &event->original },
    };
    struct ph_doc *doc;
    enum ph_rc     rc = ph_doc_json(&doc, body);

    if (rc == PH_OK) {
        rc = texts_take(doc, texts, PH_COUNT(texts), arena);
    }
    if (rc == PH_OK && (event->id.len == 0 || event->type.len == 0)) {
        rc = PH_E_MISSING;
    }
    if (rc == PH_OK) {
        rc = wechat_sealed_open(account, doc, "resource", arena, &event->plain);
    }
    ph_doc_free(doc);
    return rc;
}

/* Of the sealed text; an unknown word is no fault: the core asks. */
static enum ph_rc
told_read(const struct event *event, struct ph_arena *arena,
          struct ph_channel_notice_out *out)
{
    struct ph_doc *doc;
    enum ph_rc     rc = ph_doc_json(&doc, event->plain);

    if (rc == PH_OK) {
        rc = out->is_refund ? wechat_refund_read(doc, arena, &out->order_number,
                                                 &out->result)
                            : wechat_order_read(doc, arena, &out->result);
    }
    ph_doc_free(doc);
    return rc == PH_OK && out->result.number.len == 0 ? PH_E_MISSING : rc;
}

enum ph_rc
wechat_notice_read(const struct ph_channel_account *account, struct ph_str body,
                   struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct event event = { 0 };
    enum ph_rc   rc;

    *out = (struct ph_channel_notice_out){
        .ack_body = PH_STR("{\"code\":\"SUCCESS\",\"message\":\"成功\"}"),
        .ack_content_type = PH_STR("application/json")
    };
    wechat_result_clear(&out->result, ph_str_make(NULL, 0));
    rc = event_read(account, body, arena, &event);
    if (rc != PH_OK) {
        return rc;
    }
    out->id        = event.id;
    out->is_refund = ph_str_eq(event.original, PH_STR("refund"));
    if (!out->is_refund && !ph_str_eq(event.original, PH_STR("transaction"))) {
        /* what is called a payment or refund, and is of neither kind, is not
         * put aside */
        if (ph_str_starts(event.type, PH_STR("TRANSACTION."))
            || ph_str_starts(event.type, PH_STR("REFUND.")))
        {
            return PH_E_UNKNOWN;
        }
        out->is_ignored = true;
        return PH_OK;
    }
    return told_read(&event, arena, out);
}

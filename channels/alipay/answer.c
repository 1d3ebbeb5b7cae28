/*
 * answer.c - what an answer of Alipay's proves.
 *
 * {"alipay_trade_query_response": VALUE, "alipay_cert_sn": "...", "sign":
 * "..."}
 *
 * The signature is over VALUE byte for byte; it is found by a scanner and
 * verified before anything is parsed.  Encrypted, VALUE is a text, and its
 * quotes are signed with it.
 */
#include "channels/alipay/alipay.h"
#include "channels/alipay/alipay_int.h"
#include "channels/codes.h"
#include "channels/pick.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/json_member.h"
#include "libpayhub/wire/rsa.h"

#define MEMBER_MAX 96 /* "alipay_..._response" */
#define HTTP_SERVER_ERROR 500
#define HTTP_CLIENT_ERROR 400

/* --- signed --------------------------------------------------------------- */

static struct ph_str
member_name(struct ph_str method, char memory[MEMBER_MAX])
{
    struct ph_buf buf;

    ph_buf_init(&buf, memory, MEMBER_MAX);
    for (size_t i = 0; i < method.len; i++) {
        ph_buf_byte(&buf, method.ptr[i] == '.' ? '_' : method.ptr[i]);
    }
    ph_buf_add(&buf, PH_STR("_response"));
    return buf.full ? ph_str_make(NULL, 0) : ph_buf_str(&buf);
}

/* `\/` as `/`; nothing else changes */
static struct ph_str
slashes_plain(struct ph_str text, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\' || i + 1 == text.len || text.ptr[i + 1] != '/')
        {
            ph_buf_byte(&buf, text.ptr[i]);
        }
    }
    return ph_arena_close(arena, &buf);
}

/* A JSON text that holds nothing but base64 or hex, without its quotes. */
static enum ph_rc
plain_text(struct ph_str exact, struct ph_arena *arena, struct ph_str *out)
{
    if (exact.len < 2 || exact.ptr[0] != '"') {
        return PH_E_SYNTAX;
    }
    *out = ph_str_make(exact.ptr + 1, exact.len - 2);
    if (memchr(out->ptr, '\\', out->len) == NULL) {
        return PH_OK;
    }
    *out = slashes_plain(*out, arena);
    if (out->ptr == NULL) {
        return PH_E_FULL;
    }
    return memchr(out->ptr, '\\', out->len) == NULL ? PH_OK : PH_E_SYNTAX;
}

/* Where everything stands in a body, nothing of it believed yet. */
struct parts {
    struct ph_str value;
    struct ph_str sign;
    struct ph_str cert_sn; /* {NULL, 0} = not told */
    bool          is_error;
};

static enum ph_rc
parts_find(struct ph_str method, struct ph_str body, struct ph_arena *arena,
           struct parts *out)
{
    char          memory[MEMBER_MAX];
    struct ph_str exact;
    enum ph_rc    rc;

    *out = (struct parts){ 0 };
    if (body.len > PH_CHANNEL_JSON_MAX) {
        return PH_E_RANGE;
    }
    rc = ph_json_member(body, member_name(method, memory), &out->value);
    if (rc == PH_E_MISSING) {
        out->is_error = true;
        rc = ph_json_member(body, PH_STR("error_response"), &out->value);
        rc = rc == PH_E_MISSING ? PH_E_SYNTAX : rc;
    }
    if (rc != PH_OK) {
        return rc == PH_E_DUPLICATE ? PH_E_SYNTAX : rc;
    }
    rc = ph_json_member(body, PH_STR("alipay_cert_sn"), &exact);
    if (rc == PH_OK) {
        rc = plain_text(exact, arena, &out->cert_sn);
    }
    if (rc != PH_OK && rc != PH_E_MISSING) {
        return rc == PH_E_DUPLICATE ? PH_E_SYNTAX : rc;
    }
    rc = ph_json_member(body, PH_STR("sign"), &exact);
    if (rc == PH_OK) {
        rc = plain_text(exact, arena, &out->sign);
    }
    return rc == PH_E_DUPLICATE ? PH_E_SYNTAX : rc;
}

static enum ph_rc
signature_check(const struct ph_public_key *key, struct ph_str value,
                struct ph_str sign, struct ph_arena *arena)
{
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf raw  = PH_BUF_INIT(memory);
    size_t        mark = arena->len;
    enum ph_rc    rc;

    if (ph_b64_decode(&raw, sign) != PH_OK) {
        return PH_E_SIGNATURE;
    }
    rc = ph_public_check(key, PH_RSA_SHA256, &value, 1, ph_buf_str(&raw));
    if (rc != PH_E_SIGNATURE || memmem(value.ptr, value.len, "\\/", 2) == NULL)
    {
        return rc;
    }
    /* Alipay's own library tries this, so something must have needed it */
    struct ph_str plain = slashes_plain(value, arena);
    if (plain.ptr == NULL) {
        return PH_E_FULL;
    }
    rc = ph_public_check(key, PH_RSA_SHA256, &plain, 1, ph_buf_str(&raw));
    arena->len = mark;
    return rc;
}

/* Which of our keys may have signed this. */
static bool
key_counts(const struct alipay_account *opened, const struct alipay_key *key,
           struct ph_str cert_sn)
{
    if (!opened->is_cert_mode) {
        return true;
    }
    /* without an SN: from before there were certificates */
    return cert_sn.ptr == NULL ? key->cert == NULL
                               : alipay_key_is(key, cert_sn);
}

static enum ph_rc
keys_check(const struct alipay_account *opened, const struct parts *parts,
           struct ph_arena *arena)
{
    enum ph_rc rc = opened->is_cert_mode && alipay_is_sn(parts->cert_sn)
                        ? PH_E_UNKNOWN
                        : PH_E_SIGNATURE;

    for (size_t i = 0; i < opened->key_count; i++) {
        if (!key_counts(opened, &opened->keys[i], parts->cert_sn)) {
            continue;
        }
        rc = signature_check(opened->keys[i].key, parts->value, parts->sign,
                             arena);
        if (rc != PH_E_SIGNATURE) {
            return rc;
        }
    }
    return rc;
}

/* --- opened --------------------------------------------------------------- */

/* A plain object is taken although we encrypted: errors come so. */
static enum ph_rc
content_open(const struct ph_channel_account *account, struct ph_str value,
             struct ph_arena *arena, struct ph_str *content)
{
    struct ph_str text;
    struct ph_buf buf;
    enum ph_rc    rc;

    if (value.len != 0 && value.ptr[0] == '{') {
        *content = value;
        return PH_OK;
    }
    rc = plain_text(value, arena, &text);
    if (rc != PH_OK || !alipay_opened(account)->has_aes) {
        return rc == PH_E_FULL ? rc : PH_E_SYNTAX;
    }
    ph_arena_open(arena, &buf);
    rc       = alipay_aes(false, account, text, &buf);
    *content = ph_arena_close(arena, &buf);
    return rc == PH_OK || rc == PH_E_FULL ? rc : PH_E_SYNTAX;
}

enum ph_rc
alipay_answer_open(const struct ph_channel_account *account,
                   struct ph_str method, struct ph_str body,
                   struct ph_arena *arena, struct alipay_answer *out)
{
    struct parts parts;
    enum ph_rc   rc = parts_find(method, body, arena, &parts);

    *out = (struct alipay_answer){ .cert_sn  = parts.cert_sn,
                                   .is_error = parts.is_error };
    if (rc == PH_OK) {
        rc = keys_check(alipay_opened(account), &parts, arena);
    }
    return rc == PH_OK
               ? content_open(account, parts.value, arena, &out->content)
               : rc;
}

bool
alipay_certificate_find(struct ph_str body, struct ph_arena *arena,
                        struct ph_str *b64)
{
    char          memory[MEMBER_MAX];
    struct ph_str value, exact;
    struct ph_str method = alipay_method(PH_OP_ACCOUNT_REFRESH, NULL);

    return body.len <= PH_CHANNEL_JSON_MAX
           && ph_json_member(body, member_name(method, memory), &value) == PH_OK
           && ph_json_member(value, PH_STR("alipay_cert_content"), &exact)
                  == PH_OK
           && plain_text(exact, arena, b64) == PH_OK;
}

/* --- read ----------------------------------------------------------------- */

/* what an answer says; absent texts are {NULL, 0}, absent amounts -1 */
struct said {
    struct ph_str code, sub_code, msg, sub_msg;
    struct ph_str out_trade_no, trade_no, trade_status;
    struct ph_str qr_code, retry_flag, fund_change;
    struct ph_str out_request_no, refund_status, currency;
    int64_t       total_amount, refund_fee, refund_amount;
    uint64_t      paid_at_ms, refunded_at_ms;
};

static enum ph_rc
texts_read(const struct ph_doc *doc, struct ph_arena *arena, struct said *out)
{
    struct ph_str total, fee, back, paid, sent, refunded;
    const struct {
        const char    *name;
        struct ph_str *text;
    } texts[] = {
        { "code", &out->code },
        { "sub_code", &out->sub_code },
        { "msg", &out->msg },
        { "sub_msg", &out->sub_msg },
        { "out_trade_no", &out->out_trade_no },
        { "trade_no", &out->trade_no },
        { "trade_status", &out->trade_status },
        { "qr_code", &out->qr_code },
        { "retry_flag", &out->retry_flag },
        { "fund_change", &out->fund_change },
        { "out_request_no", &out->out_request_no },
        { "refund_status", &out->refund_status },
        { "trans_currency", &out->currency },
        { "total_amount", &total },
        { "refund_fee", &fee },
        { "refund_amount", &back },
        { "gmt_payment", &paid },
        { "send_pay_date", &sent },
        { "gmt_refund_pay", &refunded },
    };

    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        enum ph_rc rc = ph_doc_text(doc, texts[i].name, arena, texts[i].text);

        if (rc != PH_OK && rc != PH_E_MISSING) {
            return rc;
        }
    }
    out->paid_at_ms     = alipay_time(paid.len != 0 ? paid : sent);
    out->refunded_at_ms = alipay_time(refunded);
    return alipay_amount(total, &out->total_amount) == PH_OK
                   && alipay_amount(fee, &out->refund_fee) == PH_OK
                   && alipay_amount(back, &out->refund_amount) == PH_OK
               ? PH_OK
               : PH_E_SYNTAX;
}

static enum ph_rc
said_read(struct ph_str content, struct ph_arena *arena, struct said *out)
{
    struct ph_doc *doc;
    enum ph_rc     rc = ph_doc_json(&doc, content);

    *out = (struct said){ 0 };
    if (rc == PH_OK) {
        rc = texts_read(doc, arena, out);
    }
    ph_doc_free(doc);
    return rc;
}

/* --- judged --------------------------------------------------------------- */

struct reading {
    const struct ph_channel_call *call;
    enum ph_channel_op            op;
    const struct said            *said;
    struct ph_channel_result     *result;
    bool                          ask;
};

static void
class_set(struct reading *it, enum ph_result_class class,
          struct ph_str   error_class)
{
    it->result->class       = class;
    it->result->error_class = error_class;
}

static void
unknown_set(struct ph_channel_result *result, struct ph_str error_class)
{
    *result = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    result->error_class = error_class;
}

static struct ph_str
currency_of(const struct said *said)
{
    return said->currency.len != 0 ? said->currency : PH_STR("CNY");
}

static void
payment_echo(struct reading *it)
{
    it->result->number     = it->said->out_trade_no;
    it->result->trade_no   = it->said->trade_no;
    it->result->paid_at_ms = it->said->paid_at_ms;
    if (it->said->total_amount >= 0) {
        it->result->amount   = it->said->total_amount;
        it->result->currency = currency_of(it->said);
    }
}

static void
action_set(struct reading *it, enum ph_action_type action, const char *name,
           struct ph_str text)
{
    struct ph_buf buf;

    if (text.len == 0) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("unreadable"));
        return;
    }
    ph_arena_open(it->call->arena, &buf);
    if (name != NULL) {
        ph_buf_byte(&buf, '{');
        ph_buf_json(&buf, ph_str_z(name));
        ph_buf_byte(&buf, ':');
    }
    ph_buf_json(&buf, text);
    if (name != NULL) {
        ph_buf_byte(&buf, '}');
    }
    it->result->action_data = ph_arena_close(it->call->arena, &buf);
    it->result->action      = action;
    it->result->class       = PH_RESULT_WAIT_USER;
}

static void
create_judge(struct reading *it)
{
    struct ph_str api = alipay_method(PH_OP_CREATE, it->call->order);

    if (ph_str_eq(api, PH_STR("alipay.trade.pay"))) {
        it->result->class = PH_RESULT_SUCCEEDED;
    } else if (ph_str_eq(api, PH_STR("alipay.trade.create"))) {
        action_set(it, PH_ACTION_JSAPI, "tradeNO", it->said->trade_no);
    } else {
        action_set(it, PH_ACTION_QR_CODE, NULL, it->said->qr_code);
    }
}

static void
query_judge(struct reading *it)
{
    it->result->class = alipay_status(it->said->trade_status);
    if (it->result->class == PH_RESULT_UNKNOWN) {
        it->result->error_class = PH_STR("unknown_code");
    }
}

/* `action` does not matter: closed, or paid and given back. */
static void
reverse_judge(struct reading *it)
{
    if (ph_str_eq(it->said->retry_flag, PH_STR("N"))) {
        it->result->class = PH_RESULT_CLOSED;
    } else {
        class_set(it, PH_RESULT_UNKNOWN,
                  ph_str_eq(it->said->retry_flag, PH_STR("Y"))
                      ? PH_STR("in_progress")
                      : PH_STR("unknown_code"));
    }
}

/*
 * fund_change=Y is Alipay's word that this refund moved money.  The answer
 * tells the sum of all refunds and not this one's amount: the amount is the one
 * that was asked for, when that sum has room for it.
 */
static void
refund_judge(struct reading *it)
{
    int64_t asked = it->call->order->refund_amount;

    if (ph_str_eq(it->said->fund_change, PH_STR("N"))) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("in_progress"));
        it->ask = true;
    } else if (!ph_str_eq(it->said->fund_change, PH_STR("Y"))) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("unknown_code"));
    } else if (it->said->refund_fee < asked) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("unreadable"));
    } else {
        it->result->class          = PH_RESULT_SUCCEEDED;
        it->result->amount         = asked;
        it->result->currency       = currency_of(it->said);
        it->result->refunded_total = it->said->refund_fee;
    }
    it->result->paid_at_ms = it->said->refunded_at_ms;
}

/* 10000 without a status: no such refund, or not one yet. */
static void
refund_query_judge(struct reading *it)
{
    const struct said *said = it->said;
    uint64_t           settles_ms
        = it->call->order->refund_ms + (uint64_t) ALIPAY_SETTLES_MS;

    it->result->number     = said->out_request_no;
    it->result->paid_at_ms = said->refunded_at_ms;
    if (said->refund_amount >= 0) {
        it->result->amount   = said->refund_amount;
        it->result->currency = currency_of(said);
    }
    if (ph_str_eq(said->refund_status, PH_STR("REFUND_SUCCESS"))) {
        it->result->class = PH_RESULT_SUCCEEDED;
    } else if (said->refund_status.len != 0 || said->refund_amount >= 0) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("unknown_code"));
    } else if (it->call->now_ms < settles_ms) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("in_progress"));
    } else {
        class_set(it, PH_RESULT_NOT_FOUND, PH_STR("not_found"));
    }
}

static bool
is_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

/* What is told of another order, or of none, proves nothing about a refund of
 * ours.  Only a refund that is not there is told without any number. */
static bool
is_named(const struct reading *it)
{
    struct ph_str told = it->said->out_trade_no;

    if (it->op == PH_OP_REFUND_QUERY && it->said->refund_status.len == 0
        && it->said->refund_amount < 0)
    {
        return told.len == 0 || ph_str_eq(told, it->call->order->attempt_id);
    }
    return is_refund(it->op) ? ph_str_eq(told, it->call->order->attempt_id)
                             : told.len != 0;
}

static void
success_judge(struct reading *it)
{
    if (!is_named(it)) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("no_number"));
        return;
    }
    if (!is_refund(it->op)) {
        payment_echo(it);
    }
    switch (it->op) {
    case PH_OP_CREATE:
        create_judge(it);
        break;
    case PH_OP_QUERY:
        query_judge(it);
        break;
    case PH_OP_CLOSE:
        it->result->class = PH_RESULT_CLOSED;
        break;
    case PH_OP_REVERSE:
        reverse_judge(it);
        break;
    case PH_OP_REFUND:
        refund_judge(it);
        break;
    case PH_OP_REFUND_QUERY:
        refund_query_judge(it);
        break;
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
}

static bool
is_waiting(const struct reading *it)
{
    return it->op == PH_OP_CREATE && ph_str_eq(it->said->code, PH_STR("10003"))
           && ph_str_eq(alipay_method(it->op, it->call->order),
                        PH_STR("alipay.trade.pay"));
}

/* Most refusals tell no number; one that does is echoed. */
static bool
refusal_is_ours(struct reading *it)
{
    struct ph_str told = it->said->out_trade_no;

    if (!is_refund(it->op)) {
        it->result->number = told;
        return true;
    }
    return told.len == 0 || ph_str_eq(told, it->call->order->attempt_id);
}

static void
code_judge(struct reading *it, bool is_error)
{
    const struct said            *said = it->said;
    const struct ph_channel_code *row;
    struct ph_str                 key
        = ph_str_eq(said->code, PH_STR("40004")) ? said->sub_code : said->code;

    it->result->channel_code
        = said->sub_code.len != 0 ? said->sub_code : said->code;
    it->result->message = said->sub_msg.len != 0 ? said->sub_msg : said->msg;
    if (!is_error && ph_str_eq(said->code, PH_STR("10000"))) {
        success_judge(it);
        return;
    }
    if (!is_error && is_waiting(it)) {
        payment_echo(it);
        it->result->class = PH_RESULT_WAIT_USER;
        return;
    }
    if (!refusal_is_ours(it)) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("no_number"));
        return;
    }
    row = ph_code_find(&ph_channel_alipay, key, it->op);
    if (row == NULL) {
        class_set(it, PH_RESULT_UNKNOWN, PH_STR("unknown_code"));
        return;
    }
    class_set(it, row->result, row->error_class);
    it->ask = alipay_is_asked_after(it->op, key);
}

static struct ph_str
fault_word(enum ph_rc rc, const struct alipay_answer *answer, unsigned status)
{
    if (rc == PH_E_FULL) {
        return PH_STR("no_room");
    }
    if (status >= HTTP_CLIENT_ERROR || (rc == PH_E_MISSING && answer->is_error))
    {
        return PH_STR("config");
    }
    return rc == PH_E_SYNTAX || rc == PH_E_RANGE ? PH_STR("unreadable")
                                                 : PH_STR("signature");
}

void
alipay_answer_read(const struct ph_channel_call *call, enum ph_channel_op op,
                   const struct ph_channel_reply *reply,
                   struct ph_channel_out *out, bool *needs_refresh, bool *ask)
{
    struct alipay_answer answer;
    struct said          said;
    struct reading       it
        = { .call = call, .op = op, .said = &said, .result = &out->result };
    enum ph_rc rc;

    *needs_refresh = *ask = false;
    unknown_set(&out->result, ph_str_make(NULL, 0));
    if (reply->status >= HTTP_SERVER_ERROR) {
        out->result.error_class = PH_STR("channel_error");
        return;
    }
    rc = alipay_answer_open(call->account, alipay_method(op, call->order),
                            reply->body, call->arena, &answer);
    if (rc != PH_OK) {
        out->result.error_class = fault_word(rc, &answer, reply->status);
        if (rc == PH_E_UNKNOWN) {
            out->hint      = ph_arena_dup(call->arena, answer.cert_sn);
            *needs_refresh = true;
        }
        return;
    }
    rc = said_read(answer.content, call->arena, &said);
    if (rc != PH_OK) {
        out->result.error_class
            = rc == PH_E_FULL ? PH_STR("no_room") : PH_STR("unreadable");
        return;
    }
    code_judge(&it, answer.is_error);
    *ask = it.ask;
    if (call->arena->full) {
        unknown_set(&out->result, PH_STR("no_room"));
        *ask = false;
    }
}

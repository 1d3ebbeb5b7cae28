/*
 * request.c - messages to UnionPay.
 *
 * Number and time of a trade are those of its id, so that whoever asks about it
 * later needs to know nothing else, and a repeat is the same trade.
 */
#include "channels/html.h"
#include "channels/unionpay/union_int.h"
#include "libpayhub/base/civil.h"

#define FIELDS_MAX 32
#define ORDER_DESC_MAX 32 /* bytes */
#define DAY_MS (24 * 60 * 60 * UINT64_C(1000))
#define BEIJING_MS (PH_BEIJING_MIN * UINT64_C(60000))
/* A day is settled at about 23:00; later a revocation would be refused. */
#define REVOKE_UNTIL_MS (22 * 60 * 60 * UINT64_C(1000))

struct fields {
    struct ph_pair   pairs[FIELDS_MAX];
    size_t           count;
    struct ph_arena *arena;
};

/* Empty ones are not sent. */
static void
add(struct fields *fields, const char *name, struct ph_str value)
{
    if (value.len != 0) {
        assert(fields->count < FIELDS_MAX);
        fields->pairs[fields->count++]
            = (struct ph_pair){ ph_str_z(name), value };
    }
}

static void
add_number(struct fields *fields, const char *name, int64_t value)
{
    struct ph_buf buf;

    ph_arena_open(fields->arena, &buf);
    ph_buf_i64(&buf, value);
    add(fields, name, ph_arena_close(fields->arena, &buf));
}

static void
add_time(struct fields *fields, const char *name, uint64_t at_ms)
{
    struct ph_buf buf;

    if (at_ms != 0) {
        ph_arena_open(fields->arena, &buf);
        ph_civil_add(&buf, PH_CIVIL_COMPACT, at_ms, PH_BEIJING_MIN);
        add(fields, name, ph_arena_close(fields->arena, &buf));
    }
}

/* what would end a nested field */
static const char unwanted[] = { '&', '=', '{', '}', '[', ']', '"', '\'' };

static struct ph_str
plain_subject(struct ph_str subject, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    for (size_t i = 0; i < subject.len; i++) {
        if (memchr(unwanted, subject.ptr[i], sizeof(unwanted)) == NULL) {
            ph_buf_byte(&buf, subject.ptr[i]);
        }
    }
    return ph_arena_close(arena, &buf);
}

static void
add_risk(struct fields *fields, struct ph_str subject)
{
    struct ph_str name = plain_subject(subject, fields->arena);
    struct ph_buf buf;

    if (name.len != 0) {
        ph_arena_open(fields->arena, &buf);
        ph_buf_add(&buf, PH_STR("{commodityName="));
        ph_buf_add(&buf, name);
        ph_buf_byte(&buf, '}');
        add(fields, "riskRateInfo", ph_arena_close(fields->arena, &buf));
    }
}

/* The front of a text, whole characters only. */
static struct ph_str
text_cut(struct ph_str text, size_t most)
{
    size_t len = text.len < most ? text.len : most;

    while (len < text.len && len > 0 && (text.ptr[len] & 0xC0) == 0x80) {
        len--;
    }
    return ph_str_make(text.ptr, len);
}

/* --- kinds of messages ---------------------------------------------------- */

static bool
is_app(const struct ph_channel_order *order)
{
    return ph_str_eq(order->method, PH_STR("unionpay_app"));
}

static void
head_add(struct fields *fields, const struct ph_channel_account *account)
{
    const struct union_account *own = account->context;

    add(fields, "version", PH_STR("5.1.0"));
    add(fields, "encoding", PH_STR("UTF-8"));
    add(fields, "signMethod", union_method_text(own->method));
    add(fields, "bizType", PH_STR("000201"));
    add(fields, "accessType", PH_STR("0"));
    add(fields, "merId", account->values[UNION_MER_ID]);
}

/* channel and currency of what moves money */
static void
money_add(struct fields *fields, const struct ph_channel_order *order)
{
    add(fields, "channelType", is_app(order) ? PH_STR("08") : PH_STR("07"));
    add(fields, "currencyCode", PH_STR("156"));
}

static void
trade_add(struct fields *fields, struct ph_str type, struct ph_str sub_type,
          struct ph_str number, uint64_t born_ms)
{
    add(fields, "txnType", type);
    add(fields, "txnSubType", sub_type);
    add(fields, "orderId", number);
    add_time(fields, "txnTime", born_ms);
}

static void
create_add(struct fields *fields, const struct ph_channel_order *order)
{
    money_add(fields, order);
    trade_add(fields, PH_STR("01"), PH_STR("01"), order->attempt_id,
              order->attempt_ms);
    add_number(fields, "txnAmt", order->amount);
    if (!is_app(order)) {
        add(fields, "frontUrl", order->return_url);
    }
    add(fields, "backUrl", order->notify_url);
    add_time(fields, "payTimeout", order->expires_at_ms);
    if (is_app(order)) {
        add(fields, "orderDesc",
            text_cut(plain_subject(order->subject, fields->arena),
                     ORDER_DESC_MAX));
    } else {
        add_risk(fields, order->subject);
    }
}

/* A whole refund on the payment's day, well before that is settled. */
static bool
is_revocation(const struct ph_channel_call *call)
{
    const struct union_account    *own   = call->account->context;
    const struct ph_channel_order *order = call->order;
    uint64_t                       now   = call->now_ms + BEIJING_MS;
    uint64_t                       born  = order->attempt_ms + BEIJING_MS;

    return own->revokes && order->refund_amount == order->amount
           && now / DAY_MS == born / DAY_MS && now % DAY_MS < REVOKE_UNTIL_MS;
}

static void
refund_add(struct fields *fields, const struct ph_channel_call *call)
{
    const struct ph_channel_order *order = call->order;

    money_add(fields, order);
    trade_add(fields, is_revocation(call) ? PH_STR("31") : PH_STR("04"),
              PH_STR("00"), order->refund_id, order->refund_ms);
    add_number(fields, "txnAmt", order->refund_amount);
    add(fields, "origQryId", order->trade_no);
    add(fields, "backUrl", order->notify_url);
}

/* false = no such operation, or one that lacks what it is about */
static bool
fields_fill(struct fields *fields, const struct ph_channel_call *call)
{
    const struct ph_channel_order *order = call->order;
    bool is_back = call->op == PH_OP_REFUND || call->op == PH_OP_REFUND_QUERY;
    struct ph_str number  = is_back ? order->refund_id : order->attempt_id;
    uint64_t      born_ms = is_back ? order->refund_ms : order->attempt_ms;

    if (number.len == 0 || born_ms == 0) {
        return false;
    }
    head_add(fields, call->account);
    switch (call->op) {
    case PH_OP_CREATE:
        create_add(fields, order);
        return true;
    case PH_OP_QUERY:
    case PH_OP_REFUND_QUERY:
        trade_add(fields, PH_STR("00"), PH_STR("00"), number, born_ms);
        return true;
    case PH_OP_REFUND:
        refund_add(fields, call);
        return order->trade_no.len != 0;
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return false;
}

/* --- where to ------------------------------------------------------------- */

static struct ph_str
url_of(const struct ph_channel_call *call)
{
    const struct ph_str *values = call->account->values;
    struct ph_str        base   = values[UNION_GATEWAY_URL];
    struct ph_str        own    = { NULL, 0 }, path;
    struct ph_buf        buf;

    switch ((int) call->op) {
    case PH_OP_CREATE:
        path = is_app(call->order) ? PH_STR("/appTransReq.do")
                                   : PH_STR("/frontTransReq.do");
        break;
    case PH_OP_REFUND:
        path = PH_STR("/backTransReq.do");
        own  = values[UNION_BACK_URL];
        break;
    default:
        path = PH_STR("/queryTrans.do");
        own  = values[UNION_QUERY_URL];
        break;
    }
    if (own.len != 0) {
        return ph_arena_dup(call->arena, own);
    }
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, base);
    ph_buf_add(&buf, path);
    return ph_arena_close(call->arena, &buf);
}

static void
post_make(const struct fields *fields, struct ph_str url,
          struct ph_channel_request *request)
{
    struct ph_buf buf;

    ph_arena_open(fields->arena, &buf);
    ph_form_encode(&buf, fields->pairs, fields->count, PH_URL_SPACE_PLUS);
    request->method     = PH_STR("POST");
    request->url        = url;
    request->body       = ph_arena_close(fields->arena, &buf);
    request->headers[0] = (struct ph_channel_header){
        PH_STR("Content-Type"),
        PH_STR("application/x-www-form-urlencoded;charset=UTF-8")
    };
    request->header_count = 1;
}

/* The payer's browser sends it: nothing is asked of UnionPay yet. */
static void
page_make(const struct fields *fields, struct ph_str url,
          const struct ph_channel_order *order,
          struct ph_channel_result      *result)
{
    struct ph_buf buf;

    ph_arena_open(fields->arena, &buf);
    ph_html_form(&buf, url, fields->pairs, fields->count);
    struct ph_str html = ph_arena_close(fields->arena, &buf);

    ph_arena_open(fields->arena, &buf);
    ph_buf_json(&buf, html);
    *result = (struct ph_channel_result){
        .class          = PH_RESULT_WAIT_USER,
        .number         = order->attempt_id,
        .amount         = -1,
        .refunded_total = -1,
        .action         = PH_ACTION_FORM,
        .action_data    = ph_arena_close(fields->arena, &buf),
    };
}

enum ph_channel_step
union_request_make(const struct ph_channel_call *call,
                   struct ph_channel_out        *out)
{
    const struct union_account *own    = call->account->context;
    struct fields               fields = { .arena = call->arena };
    struct ph_str               url    = url_of(call), signature;

    if (!fields_fill(&fields, call)) {
        return PH_STEP_ERROR;
    }
    add(&fields, "certId", ph_str_make(own->cert_id, own->cert_id_len));
    if (call->arena->full
        || !union_sign(call->account, fields.pairs, fields.count, call->arena,
                       &signature))
    {
        return PH_STEP_ERROR;
    }
    add(&fields, "signature", signature);
    bool is_page = call->op == PH_OP_CREATE && !is_app(call->order);

    if (is_page) {
        page_make(&fields, url, call->order, &out->result);
    } else {
        post_make(&fields, url, &out->request);
    }
    if (call->arena->full) {
        return PH_STEP_ERROR;
    }
    return is_page ? PH_STEP_DONE : PH_STEP_NEED_REQUEST;
}

/*
 * sandbox.c - the adapter of the sandbox channel.
 *
 * One request and one answer an operation.  What an answer proves is decided
 * by two tables, codes[] and statuses[]; whatever is in neither, is not signed,
 * cannot be read or does not say which order it speaks of is UNKNOWN.
 *
 * It does not compare amount, currency or number: it echoes them, the core
 * compares.
 */
#include "channels/sandbox/sandbox.h"

#include "channels/codes.h"
#include "channels/context.h"
#include "channels/sandbox/message.h"

enum { FIELD_BASE_URL, FIELD_KEY, FIELDS };

#define KEY_LEN_MIN 16

static const char *const methods[] = { "sandbox_qr", "sandbox_bar", NULL };

/* clang-format off */
static const struct ph_channel_field fields[FIELDS] = {
    [FIELD_BASE_URL] = { "base_url", true, false, "address of the sandbox",
                         PH_VALUE_URL, NULL },
    [FIELD_KEY]      = { "key", true, true, "key that signs both ways",
                         PH_VALUE_SECRET, NULL },
};

/* ascending by code; a code that is not here proves nothing */
static const struct ph_channel_code codes[] = {
    { PH_STR_INIT("auth_code_invalid"), PH_RESULT_FAILED,
      PH_STR_INIT("auth_code"), 0 },
    { PH_STR_INIT("declined"), PH_RESULT_FAILED, PH_STR_INIT("declined"), 0 },
    { PH_STR_INIT("not_found"), PH_RESULT_NOT_FOUND,
      PH_STR_INIT("not_found"), 0 },
    { PH_STR_INIT("not_paid"), PH_RESULT_FAILED, PH_STR_INIT("not_paid"), 0 },
    { PH_STR_INIT("over_refund"), PH_RESULT_FAILED,
      PH_STR_INIT("over_refund"), 0 },
    { PH_STR_INIT("rate_limited"), PH_RESULT_NOT_SENT,
      PH_STR_INIT("rate_limited"), 0 },
};

/* what the status of an order, and of a refund, proves when the code is "ok" */
struct proof {
    struct ph_str        status;
    enum ph_result_class result;
};

static const struct proof statuses[] = {
    { PH_STR_INIT("closed"), PH_RESULT_CLOSED },
    { PH_STR_INIT("failed"), PH_RESULT_FAILED },
    { PH_STR_INIT("paid"), PH_RESULT_SUCCEEDED },
    { PH_STR_INIT("pending"), PH_RESULT_WAIT_USER },
    { PH_STR_INIT(""), PH_RESULT_UNKNOWN },
};

static const struct proof refund_statuses[] = {
    { PH_STR_INIT("failed"), PH_RESULT_FAILED },
    { PH_STR_INIT("pending"), PH_RESULT_WAIT_USER },
    { PH_STR_INIT("succeeded"), PH_RESULT_SUCCEEDED },
    { PH_STR_INIT(""), PH_RESULT_UNKNOWN },
};
/* clang-format on */

/* --- the account ---------------------------------------------------------- */

struct sandbox_account {
    struct ph_str base; /* without a slash at its end */
};

static void *
account_open(const struct ph_channel_account *account,
             const struct ph_channel_env *env, uint64_t now_ms,
             struct ph_arena *arena, const char **why)
{
    struct sandbox_account *opened;
    struct ph_str           base = account->values[FIELD_BASE_URL];

    (void) env;
    (void) now_ms;
    (void) arena;
    if (account->values[FIELD_KEY].len < KEY_LEN_MIN) {
        *why = "key: found fewer than 16 bytes, expected the key that the "
               "sandbox was started with";
        return NULL;
    }
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    opened = ph_context_new(sizeof(*opened));
    if (opened == NULL) {
        *why = "no memory";
        return NULL;
    }
    opened->base = base;
    return opened;
}

/* --- requests ------------------------------------------------------------- */

static void
member_add(struct ph_buf *buf, struct ph_str name, struct ph_str text)
{
    if (text.len == 0) {
        return;
    }
    ph_buf_byte(buf, ',');
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
}

static void
create_members_add(struct ph_buf *buf, const struct ph_channel_order *order,
                   struct ph_str auth_code)
{
    char          text[32];
    struct ph_buf expires = PH_BUF_INIT(text);

    ph_buf_add(buf, PH_STR(",\"amount\":"));
    ph_buf_i64(buf, order->amount);
    member_add(buf, PH_STR("currency"), order->currency);
    member_add(buf, PH_STR("method"), order->method);
    member_add(buf, PH_STR("subject"), order->subject);
    member_add(buf, PH_STR("auth_code"), auth_code);
    member_add(buf, PH_STR("notify_url"), order->notify_url);
    if (order->expires_at_ms != 0) {
        sandbox_time_format(&expires, order->expires_at_ms);
        member_add(buf, PH_STR("expires_at"), ph_buf_str(&expires));
    }
}

static void
refund_members_add(struct ph_buf *buf, const struct ph_channel_order *order)
{
    ph_buf_add(buf, PH_STR(",\"amount\":"));
    ph_buf_i64(buf, order->refund_amount);
    member_add(buf, PH_STR("currency"), order->currency);
    member_add(buf, PH_STR("reason"), order->refund_reason);
}

static bool
is_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

/* {NULL, 0} = no such operation */
static struct ph_str
path_of(enum ph_channel_op op)
{
    switch (op) {
    case PH_OP_CREATE:
        return PH_STR("/pay");
    case PH_OP_QUERY:
        return PH_STR("/query");
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
        return PH_STR("/close");
    case PH_OP_REFUND:
        return PH_STR("/refund");
    case PH_OP_REFUND_QUERY:
        return PH_STR("/refund_query");
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return ph_str_make(NULL, 0);
}

static void
url_make(const struct ph_channel_call *call, struct ph_str path,
         struct ph_channel_request *request)
{
    const struct sandbox_account *account = call->account->context;
    struct ph_buf                 buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, account->base);
    ph_buf_add(&buf, path);
    request->url = ph_arena_close(call->arena, &buf);
}

static enum ph_channel_step
request_make(struct ph_channel_call *call, struct ph_channel_request *request)
{
    const struct ph_channel_order *order     = call->order;
    struct ph_str                  path      = path_of(call->op);
    struct ph_str                  auth_code = { NULL, 0 };
    struct ph_buf                  buf;

    if (path.ptr == NULL) {
        return PH_STEP_ERROR;
    }
    if (call->op == PH_OP_CREATE && order->extra.len != 0) {
        auth_code = sandbox_member(order->extra, "auth_code", call->arena);
    }
    url_make(call, path, request);

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, PH_STR("{\"out_trade_no\":"));
    ph_buf_json(&buf, order->attempt_id);
    if (call->op == PH_OP_CREATE) {
        create_members_add(&buf, order, auth_code);
    }
    if (is_refund(call->op)) {
        member_add(&buf, PH_STR("out_refund_no"), order->refund_id);
    }
    if (call->op == PH_OP_REFUND) {
        refund_members_add(&buf, order);
    }
    ph_buf_byte(&buf, '}');
    request->body = ph_arena_close(call->arena, &buf);

    return sandbox_request_sign(request, call->account->values[FIELD_KEY],
                                call->now_ms, call->arena)
               ? PH_STEP_NEED_REQUEST
               : PH_STEP_ERROR;
}

/* --- what a message proves ------------------------------------------------ */

static enum ph_result_class
status_judge(const struct proof *row, struct ph_str status)
{
    while (row->status.len != 0 && !ph_str_eq(row->status, status)) {
        row++;
    }
    return row->result;
}

static void
action_set(struct ph_channel_result *result, struct ph_str qr_code,
           struct ph_arena *arena)
{
    struct ph_buf buf;

    if (result->class != PH_RESULT_WAIT_USER || qr_code.len == 0) {
        return;
    }
    ph_arena_open(arena, &buf);
    ph_buf_json(&buf, qr_code);
    result->action      = PH_ACTION_QR_CODE;
    result->action_data = ph_arena_close(arena, &buf);
}

static void
echo_set(struct ph_channel_result *result, const struct sandbox_message *said)
{
    result->number         = said->out_trade_no;
    result->trade_no       = said->trade_no;
    result->amount         = said->amount;
    result->currency       = said->currency;
    result->paid_at_ms     = said->paid_at_ms;
    result->message        = said->message;
    result->channel_code   = said->code;
    result->refunded_total = said->amount_refunded;
}

static void
refund_echo_set(struct ph_channel_result     *result,
                const struct sandbox_message *said)
{
    echo_set(result, said);
    result->number     = said->out_refund_no;
    result->trade_no   = said->refund_no;
    result->paid_at_ms = said->refunded_at_ms;
}

static void
unknown_set(struct ph_channel_result *result, struct ph_str error_class)
{
    result->class       = PH_RESULT_UNKNOWN;
    result->error_class = error_class;
}

/* A failed order carries the reason as its code beside the status. */
static void
failure_name(struct ph_channel_result *result)
{
    if (result->class == PH_RESULT_FAILED && result->error_class.len == 0) {
        result->error_class = PH_STR("declined");
    }
}

/*
 * A refusal by code speaks of the request that it answers.  Only of a CREATE or
 * a REFUND is that the money itself; a query that was refused proves nothing.
 */
static bool
code_proves(const struct ph_channel_code *row, enum ph_channel_op op)
{
    bool moves_money = op == PH_OP_CREATE || op == PH_OP_REFUND;

    return row != NULL && (row->result == PH_RESULT_NOT_FOUND) != moves_money;
}

static void
code_judge(struct ph_channel_result *result, const struct sandbox_message *said,
           enum ph_channel_op op)
{
    const struct ph_channel_code *row
        = ph_code_find(&ph_channel_sandbox, said->code, op);

    if (ph_str_eq(said->code, PH_STR("ok"))) {
        result->class = status_judge(is_refund(op) ? refund_statuses : statuses,
                                     said->status);
        failure_name(result);
        return;
    }
    if (!code_proves(row, op)) {
        unknown_set(result,
                    row != NULL ? row->error_class : PH_STR("unknown_code"));
        return;
    }
    result->class       = row->result;
    result->error_class = row->error_class;
}

/* What is told of another order, or of none, proves nothing about ours. */
static bool
is_named(const struct ph_channel_call *call, const struct sandbox_message *said)
{
    if (is_refund(call->op)) {
        return said->out_refund_no.len != 0
               && ph_str_eq(said->out_trade_no, call->order->attempt_id);
    }
    return said->out_trade_no.len != 0;
}

static void
no_answer_set(struct ph_channel_result *result, struct ph_str error_class)
{
    *result = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    unknown_set(result, error_class);
}

static void
answer_read(const struct ph_channel_call  *call,
            const struct ph_channel_reply *reply,
            struct ph_channel_result      *result)
{
    struct sandbox_message said = { 0 };

    no_answer_set(result, ph_str_make(NULL, 0));
    if (sandbox_verify(reply->headers, reply->header_count, reply->body,
                       call->account->values[FIELD_KEY], call->now_ms)
        != PH_OK)
    {
        unknown_set(result, reply->status >= 500 ? PH_STR("channel_error")
                                                 : PH_STR("signature"));
        return;
    }
    if (reply->status >= 500) {
        unknown_set(result, PH_STR("channel_error"));
        return;
    }
    if (sandbox_read(reply->body, call->arena, &said) != PH_OK) {
        unknown_set(result, PH_STR("unreadable"));
        return;
    }
    if (is_refund(call->op)) {
        refund_echo_set(result, &said);
    } else {
        echo_set(result, &said);
    }
    if (!is_named(call, &said)) {
        unknown_set(result, PH_STR("no_number"));
        return;
    }
    code_judge(result, &said, call->op);
    action_set(result, said.qr_code, call->arena);
    if (call->arena->full) {
        no_answer_set(result, PH_STR("no_room"));
    }
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    call->state_len = 0; /* every operation can begin anew anywhere */
    if (last == NULL) {
        return request_make(call, &out->request);
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
    struct sandbox_message said = { 0 };
    enum ph_rc rc = sandbox_verify(in->headers, in->header_count, in->body,
                                   account->values[FIELD_KEY], now_ms);

    if (rc != PH_OK) {
        return rc;
    }
    rc = sandbox_read(in->body, arena, &said);
    if (rc != PH_OK) {
        return rc;
    }
    if (said.notice_id.len == 0 || said.out_trade_no.len == 0) {
        return PH_E_MISSING;
    }
    *out = (struct ph_channel_notice_out){ .id = said.notice_id,
                                           .is_refund
                                           = said.out_refund_no.len != 0 };
    no_answer_set(&out->result, ph_str_make(NULL, 0));
    if (out->is_refund) {
        out->order_number = said.out_trade_no;
        refund_echo_set(&out->result, &said);
    } else {
        echo_set(&out->result, &said);
    }
    out->result.class = status_judge(
        out->is_refund ? refund_statuses : statuses, said.status);
    failure_name(&out->result);
    out->ack_body         = PH_STR("ok");
    out->ack_content_type = PH_STR("text/plain");
    return PH_OK;
}

const struct ph_channel ph_channel_sandbox = {
    .abi  = PH_CHANNEL_ABI,
    .size = sizeof(struct ph_channel),
    .name = "sandbox",
    .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
            | PH_CAP_REVERSE | PH_CAP_REPEAT,
    .methods       = methods,
    .fields        = fields,
    .field_count   = PH_COUNT(fields),
    .codes         = codes,
    .code_count    = PH_COUNT(codes),
    .step          = step,
    .notice        = notice,
    .account_open  = account_open,
    .account_close = ph_context_free,
};

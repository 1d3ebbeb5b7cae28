/*
 * script.c - a channel whose every answer the test scripts, as a shared object.
 *
 * A request is POST BASE/OP with what the core told, as JSON.  The answer is a
 * JSON object that says what comes of it: see answer_read().  A notice is the
 * same with an id.
 */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "channels/context.h"
#include "channels/load.h"

enum { URL, KEY, OLD_KEY, SELLER, APP, TOKEN, OPEN_US, FIELDS };

/* clang-format off */
static const struct ph_channel_field fields[FIELDS] = {
    [URL]     = { "base_url", true, false, "its address", PH_VALUE_URL, NULL },
    [KEY]     = { "key", true, true, "its key", PH_VALUE_SECRET, NULL },
    [OLD_KEY] = { "old_key", false, true, "the key before", PH_VALUE_SECRET, NULL },
    [SELLER]  = { "seller", false, false, "who sells", PH_VALUE_TEXT, NULL },
    [APP]     = { "app", false, false, "its app", PH_VALUE_TEXT, NULL },
    [TOKEN]   = { "token", false, false, "needs one", PH_VALUE_YESNO, NULL },
    [OPEN_US] = { "open_us", false, false, "to open it", PH_VALUE_TEXT, NULL },
};
/* clang-format on */

struct script_account {
    char kept[PH_CHANNEL_KEPT_MAX + 1]; /* "" = nothing */
};

static void *
account_open(const struct ph_channel_account *account,
             const struct ph_channel_env *env, uint64_t now_ms,
             struct ph_arena *arena, const char **why)
{
    struct script_account *opened = ph_context_new(sizeof(*opened));
    uint64_t               us     = 0;

    (void) now_ms;
    (void) arena;
    if (env == NULL || opened == NULL) {
        *why = "env: found none, expected one";
        ph_context_free(opened);
        return NULL;
    }
    if (ph_str_eq(account->values[KEY], PH_STR("unreadable"))
        || (account->kept != NULL
            && ph_str_eq(account->kept->value, PH_STR("unreadable"))))
    {
        *why = "key: found 10 bytes, expected a key that can be read";
        ph_context_free(opened);
        return NULL;
    }
    (void) ph_str_u64(account->values[OPEN_US], 1000000, &us);
    (void) usleep((useconds_t) us);
    if (account->kept != NULL) {
        memcpy(opened->kept, account->kept->value.ptr,
               account->kept->value.len);
    }
    return opened;
}

/* ---- requests ---- */

static const char *
op_name(enum ph_channel_op op)
{
    static const char *const names[PH_OP_COUNT]
        = { "none",    "create", "query",        "close",
            "reverse", "refund", "refund_query", "refresh" };

    return names[op];
}

static json_t *
text_of(struct ph_str text)
{
    return json_stringn(text.ptr != NULL ? text.ptr : "", text.len);
}

static enum ph_channel_step
request_make(struct ph_channel_call *call, struct ph_channel_request *request)
{
    const struct ph_channel_account *account = call->account;
    const struct script_account     *own     = account->context;
    const struct ph_channel_order   *order   = call->order;
    struct ph_buf                    url;
    json_t *said = json_pack("{s:s,s:i,s:s}", "op", op_name(call->op), "step",
                             (int) call->step, "token", own->kept);

    (void) json_object_set_new(said, "account", text_of(account->id));
    (void) json_object_set_new(said, "key", text_of(account->values[KEY]));
    (void) json_object_set_new(said, "hint", text_of(call->hint));
    (void) json_object_set_new(said, "number", text_of(order->attempt_id));
    (void) json_object_set_new(said, "refund", text_of(order->refund_id));
    (void) json_object_set_new(said, "refund_no",
                               text_of(order->channel_refund_no));
    (void) json_object_set_new(said, "method", text_of(order->method));
    (void) json_object_set_new(said, "currency", text_of(order->currency));
    (void) json_object_set_new(said, "extra", text_of(order->extra));
    (void) json_object_set_new(said, "is_over", json_boolean(order->is_over));
    (void) json_object_set_new(said, "amount", json_integer(order->amount));
    (void) json_object_set_new(said, "back",
                               json_integer(order->refund_amount));
    char *text = json_dumps(said, JSON_COMPACT);

    json_decref(said);
    if (text == NULL) {
        return PH_STEP_ERROR;
    }
    ph_arena_open(call->arena, &url);
    ph_buf_add(&url, account->values[URL]);
    ph_buf_byte(&url, '/');
    ph_buf_add(&url, ph_str_z(op_name(call->op)));
    request->url    = ph_arena_close(call->arena, &url);
    request->method = PH_STR("POST");
    request->body   = ph_arena_dup(call->arena, ph_str_z(text));
    request->headers[0]
        = (struct ph_channel_header){ PH_STR("Content-Type"),
                                      PH_STR("application/json") };
    request->header_count = 1;
    free(text);
    return PH_STEP_NEED_REQUEST;
}

/* ---- what is said ---- */

static struct ph_str
member(const json_t *said, const char *name, struct ph_arena *arena)
{
    const json_t *value = json_object_get(said, name);

    return json_is_string(value)
               ? ph_arena_dup(arena, ph_str_make(json_string_value(value),
                                                 json_string_length(value)))
               : ph_str_make(NULL, 0);
}

static int64_t
number_of(const json_t *said, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(said, name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static enum ph_result_class
class_of(const json_t *said)
{
    static const struct {
        const char *word;
        enum ph_result_class class;
    } rows[] = {
        { "succeeded", PH_RESULT_SUCCEEDED },
        { "failed", PH_RESULT_FAILED },
        { "wait_user", PH_RESULT_WAIT_USER },
        { "closed", PH_RESULT_CLOSED },
        { "not_found", PH_RESULT_NOT_FOUND },
        { "not_sent", PH_RESULT_NOT_SENT },
    };
    const char *word = json_string_value(json_object_get(said, "class"));

    for (size_t i = 0; word != NULL && i < PH_COUNT(rows); i++) {
        if (strcmp(rows[i].word, word) == 0) {
            return rows[i].class;
        }
    }
    return PH_RESULT_UNKNOWN;
}

static void
result_read(const json_t *said, struct ph_arena *arena,
            struct ph_channel_result *result)
{
    struct ph_str shown = member(said, "qr", arena);
    struct ph_buf qr;

    *result = (struct ph_channel_result){
        .class          = class_of(said),
        .number         = member(said, "number", arena),
        .trade_no       = member(said, "trade_no", arena),
        .amount         = number_of(said, "amount", -1),
        .currency       = member(said, "currency", arena),
        .seller         = member(said, "seller", arena),
        .app            = member(said, "app", arena),
        .error_class    = member(said, "error_class", arena),
        .channel_code   = member(said, "code", arena),
        .message        = member(said, "message", arena),
        .refunded_total = number_of(said, "refunded_total", -1)
    };
    result->is_hint = json_is_true(json_object_get(said, "is_hint"));
    if (shown.len != 0) {
        ph_arena_open(arena, &qr);
        ph_buf_json(&qr, shown);
        result->action      = PH_ACTION_QR_CODE;
        result->action_data = ph_arena_close(arena, &qr);
    }
}

static void
kept_read(const json_t *said, struct ph_channel_call *call,
          struct ph_channel_kept *kept)
{
    kept->value = member(said, "kept", call->arena);
    kept->refresh_at_ms
        = call->now_ms + (uint64_t) number_of(said, "refresh_in", 3600000);
    kept->expires_at_ms
        = call->now_ms + (uint64_t) number_of(said, "expires_in", 7200000);
}

static enum ph_channel_step
answer_read(struct ph_channel_call *call, const struct ph_channel_reply *reply,
            struct ph_channel_out *out)
{
    json_t              *said = json_loadb(reply->body.ptr, reply->body.len,
                                           JSON_REJECT_DUPLICATES, NULL);
    enum ph_channel_step next = PH_STEP_DONE;

    out->result
        = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    if (reply->status == 401 || json_object_get(said, "refresh") != NULL) {
        out->hint = member(said, "refresh", call->arena);
        next      = PH_STEP_NEED_REFRESH;
    } else if (json_is_true(json_object_get(said, "again"))) {
        next = request_make(call, &out->request);
    } else if (reply->status != 200 || said == NULL) {
        out->result.error_class = PH_STR("unreadable");
    } else {
        result_read(said, call->arena, &out->result);
        if (call->op == PH_OP_ACCOUNT_REFRESH) {
            kept_read(said, call, &out->kept);
        }
    }
    json_decref(said);
    return next;
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    const struct script_account *own = call->account->context;

    call->state_len = 0;
    if (last != NULL) {
        return answer_read(call, last, out);
    }
    if (ph_str_eq(call->account->values[TOKEN], PH_STR("yes"))
        && own->kept[0] == '\0' && call->op != PH_OP_ACCOUNT_REFRESH)
    {
        return PH_STEP_NEED_REFRESH;
    }
    if (call->op == PH_OP_CREATE
        && ph_str_eq(call->order->method, PH_STR("script_app")))
    {
        out->result = (struct ph_channel_result){
            .class          = PH_RESULT_WAIT_USER,
            .number         = call->order->attempt_id,
            .amount         = call->order->amount,
            .currency       = call->order->currency,
            .refunded_total = -1,
            .action         = PH_ACTION_APP,
            .action_data    = PH_STR("\"made here\""),
        };
        return PH_STEP_DONE;
    }
    return request_make(call, &out->request);
}

/* ---- notices ---- */

static bool
is_genuine(const struct ph_channel_account *account, const json_t *said,
           struct ph_arena *arena)
{
    struct ph_str key = member(said, "key", arena);

    return key.len != 0
           && (ph_str_eq(key, account->values[KEY])
               || ph_str_eq(key, account->values[OLD_KEY]));
}

static void
part_read(const json_t *said, struct ph_arena *arena,
          struct ph_channel_notice_part *part)
{
    result_read(said, arena, &part->result);
    part->is_refund      = json_is_true(json_object_get(said, "is_refund"));
    part->order_number   = member(said, "order", arena);
    part->order_trade_no = member(said, "order_trade_no", arena);
}

static enum ph_rc
notice_read(const struct ph_channel_account *account, const json_t *said,
            struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    const struct script_account  *own   = account->context;
    const json_t                 *parts = json_object_get(said, "parts");
    struct ph_str                 cert  = member(said, "cert", arena);
    struct ph_channel_notice_part single;

    *out = (struct ph_channel_notice_out){ .id = member(said, "id", arena) };
    if (cert.len != 0 && strstr(own->kept, cert.ptr) == NULL) {
        out->needs_refresh = true;
        if (!json_is_true(json_object_get(said, "no_hint"))) {
            out->hint = cert;
        }
        return PH_E_UNKNOWN;
    }
    if (!is_genuine(account, said, arena)) {
        return PH_E_SIGNATURE;
    }
    out->is_ignored       = json_is_true(json_object_get(said, "is_ignored"));
    out->ack_body         = PH_STR("ok");
    out->ack_content_type = PH_STR("text/plain");
    for (size_t i = 0; i < json_array_size(parts) && i < PH_CHANNEL_PARTS_MAX;
         i++) {
        part_read(json_array_get(parts, i), arena, &out->parts[i]);
        out->part_count++;
    }
    part_read(said, arena, &single);
    out->result       = single.result;
    out->is_refund    = single.is_refund;
    out->order_number = single.order_number;
    return arena->full ? PH_E_FULL : PH_OK;
}

static enum ph_rc
notice(const struct ph_channel_account *account,
       const struct ph_channel_notice *in, uint64_t now_ms,
       struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    json_t *said
        = json_loadb(in->body.ptr, in->body.len, JSON_REJECT_DUPLICATES, NULL);
    enum ph_rc rc = PH_E_SYNTAX;

    (void) now_ms;
    if (json_is_object(said)) {
        rc = notice_read(account, said, arena, out);
    }
    json_decref(said);
    return rc;
}

/* ---- orders ---- */

static const char *
order_check(const struct ph_channel_account *account,
            const struct ph_channel_order   *order)
{
    (void) account;
    return order->amount > 500000
               ? "amount: found more than 5000.00, expected no more"
               : NULL;
}

static void
expected(const struct ph_channel_account *account,
         const struct ph_channel_order *order, struct ph_arena *arena,
         struct ph_channel_expected *out)
{
    json_t *extra = json_loadb(order->extra.ptr != NULL ? order->extra.ptr : "",
                               order->extra.len, JSON_REJECT_DUPLICATES, NULL);
    struct ph_str sub = member(extra, "sub_app", arena);

    json_decref(extra);
    out->seller = account->values[SELLER];
    out->app    = sub.len != 0 ? sub : account->values[APP];
}

static bool
init(void)
{
    return getenv("PAYHUB_SCRIPT_REFUSES") == NULL;
}

static const char *const methods[]
    = { "script_qr", "script_bar", "script_app", NULL };
static const char *const currencies[]  = { "CNY", "USD", NULL };
static const char *const wire_fields[] = { "number", "class", NULL };

/* clang-format off */
static const struct ph_channel_code codes[] = {
    { PH_STR_INIT("BAD_CODE"), PH_RESULT_FAILED, PH_STR_INIT("auth_code"), 0 },
    { PH_STR_INIT("NO"), PH_RESULT_FAILED, PH_STR_INIT("declined"), 0 },
};

static const struct ph_channel_extra extra[] = {
    { "auth_code", "script_bar", true },
    { "sub_app", NULL, false },
};
/* clang-format on */

#ifndef SCRIPT_NAME
#define SCRIPT_NAME "script"
#endif

extern const struct ph_channel payhub_channel_v1;
__attribute__((visibility("default"))) const struct ph_channel payhub_channel_v1
    = {
          .abi  = PH_CHANNEL_ABI,
          .size = sizeof(struct ph_channel),
          .name = SCRIPT_NAME,
          .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
                  | PH_CAP_REVERSE | PH_CAP_REPEAT | PH_CAP_REFUND_BY_NO,
          .methods       = methods,
          .fields        = fields,
          .field_count   = PH_COUNT(fields),
          .codes         = codes,
          .code_count    = PH_COUNT(codes),
          .step          = step,
          .notice        = notice,
          .init          = init,
          .currencies    = currencies,
          .deadline_ms   = { [PH_OP_QUERY] = 700 },
          .wire_fields   = wire_fields,
          .extra         = extra,
          .extra_count   = PH_COUNT(extra),
          .account_open  = account_open,
          .account_close = ph_context_free,
          .order_check   = order_check,
          .expected      = expected,
      };

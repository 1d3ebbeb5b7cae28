/*
 * tape.c - see tape.h.
 */
#include "cli/tape.h"

#include <jansson.h>
#include <stdlib.h>

#include "channels/fields.h"
#include "channels/pick.h"

#define ARENA_MAX (256 * 1024) /* as a worker has it */
#define SHOWN_MAX 2048         /* bytes of a text that differs */
#define NONCE_LEN 16

struct tape {
    const struct ph_channel  *channel;
    const json_t             *root;
    struct ph_arena           arena;
    struct ph_buf            *told;
    struct ph_channel_account account;
    struct ph_channel_order   order;
    uint64_t                  now_ms;
    uint8_t                   random[32];
    uint8_t                   state[PH_CHANNEL_STATE_MAX];
    struct ph_channel_header  headers[PH_CHANNEL_HEADERS_MAX * 4];
    bool                      differs;
};

/* ---- what differs ---- */

static void
shown_add(struct ph_buf *buf, struct ph_str text)
{
    if (text.ptr == NULL) {
        ph_buf_add(buf, PH_STR("nothing"));
        return;
    }
    ph_buf_byte(buf, '\'');
    ph_buf_add(buf, ph_str_make(text.ptr,
                                text.len < SHOWN_MAX ? text.len : SHOWN_MAX));
    ph_buf_byte(buf, '\'');
}

static void
differs(struct tape *tape, const char *what, struct ph_str found,
        struct ph_str expected)
{
    tape->differs = true;
    ph_buf_add(tape->told, ph_str_z(what));
    ph_buf_add(tape->told, PH_STR(": found "));
    shown_add(tape->told, found);
    ph_buf_add(tape->told, PH_STR(", expected "));
    shown_add(tape->told, expected);
    ph_buf_byte(tape->told, '\n');
}

static void
same(struct tape *tape, const char *what, struct ph_str found,
     struct ph_str expected)
{
    if (!ph_str_eq(found, expected)) {
        differs(tape, what, found, expected);
    }
}

static enum cli_tape_end
bad(struct tape *tape, const char *what)
{
    ph_buf_cut(tape->told, 0);
    ph_buf_add(tape->told, ph_str_z(what));
    ph_buf_byte(tape->told, '\n');
    return CLI_TAPE_BAD;
}

/* ---- reading ---- */

static struct ph_str
text_of(const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);

    return json_is_string(value) ? ph_str_make(json_string_value(value),
                                               json_string_length(value))
                                 : ph_str_make(NULL, 0);
}

static int64_t
whole_of(const json_t *from, const char *name, int64_t without)
{
    const json_t *value = json_object_get(from, name);

    return json_is_integer(value) ? json_integer_value(value) : without;
}

static uint64_t
time_of(const json_t *from, const char *name)
{
    return (uint64_t) whole_of(from, name, 0) * 1000;
}

static struct ph_str
json_of(struct tape *tape, const json_t *value)
{
    struct ph_str text = { NULL, 0 };
    char         *dump
        = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    if (dump != NULL) {
        text = ph_arena_dup(&tape->arena, ph_str_z(dump));
    }
    free(dump);
    return text;
}

static void
order_read(struct tape *tape)
{
    const json_t *order  = json_object_get(tape->root, "order");
    const json_t *refund = json_object_get(tape->root, "refund");
    const json_t *extra  = json_object_get(order, "extra");

    tape->order = (struct ph_channel_order){
        .attempt_id        = text_of(order, "number"),
        .trade_no          = text_of(order, "trade_no"),
        .method            = text_of(order, "method"),
        .amount            = whole_of(order, "amount", 0),
        .currency          = text_of(order, "currency"),
        .subject           = text_of(order, "subject"),
        .description       = text_of(order, "description"),
        .notify_url        = text_of(order, "notify_url"),
        .return_url        = text_of(order, "return_url"),
        .client_ip         = text_of(order, "client_ip"),
        .extra             = json_of(tape, extra),
        .created_at_ms     = time_of(order, "created"),
        .attempt_ms        = time_of(order, "created"),
        .expires_at_ms     = time_of(order, "expires"),
        .refund_id         = text_of(refund, "number"),
        .channel_refund_no = text_of(refund, "trade_no"),
        .refund_reason     = text_of(refund, "reason"),
        .refund_amount     = whole_of(refund, "amount", 0),
        .refund_ms         = time_of(refund, "created"),
    };
}

static bool
nonce_read(struct tape *tape)
{
    struct ph_str hex = text_of(tape->root, "nonce");

    for (size_t i = 0; i < hex.len; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit
            = hex.ptr[i] != '\0' ? strchr(digits, hex.ptr[i]) : NULL;
        unsigned value;

        if (digit == NULL || i / 2 >= sizeof(tape->random)) {
            return false;
        }
        value = (unsigned) (digit - digits);
        tape->random[i / 2]
            = (uint8_t) (i % 2 == 0 ? value << 4 : tape->random[i / 2] | value);
    }
    return hex.len == 0 || hex.len >= 2 * NONCE_LEN;
}

static bool
account_read(struct tape *tape, const struct ph_channel_env *env,
             const char **why)
{
    const json_t *values = json_object_get(tape->root, "account");
    const char   *key;
    json_t       *value;
    size_t        at;

    tape->account = (struct ph_channel_account){ .id      = PH_STR("tape"),
                                                 .channel = tape->channel };
    json_object_foreach((json_t *) (uintptr_t) values, key, value)
    {
        if (!ph_channel_field_find(tape->channel, ph_str_z(key), &at)
            || !json_is_string(value))
        {
            *why = "account: found a key that the channel has not, or no text";
            return false;
        }
        tape->account.values[at]
            = ph_str_make(json_string_value(value), json_string_length(value));
    }
    return ph_channel_account_open(&tape->account, env, tape->now_ms,
                                   &tape->arena, why);
}

static size_t
headers_read(struct tape *tape, const json_t *from)
{
    const char *name;
    json_t     *value;
    size_t      count = 0;

    json_object_foreach((json_t *) (uintptr_t) from, name, value)
    {
        if (count < PH_COUNT(tape->headers) && json_is_string(value)) {
            tape->headers[count++] = (struct ph_channel_header){
                ph_str_z(name),
                ph_str_make(json_string_value(value), json_string_length(value))
            };
        }
    }
    return count;
}

/* ---- comparing ---- */

static void
headers_same(struct tape *tape, const struct ph_channel_request *request,
             const json_t *expected)
{
    char        what[128];
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *) (uintptr_t) expected, name, value)
    {
        struct ph_buf buf = PH_BUF_INIT(what);

        ph_buf_add(&buf, PH_STR("request header "));
        ph_buf_add(&buf, ph_str_make(name, strnlen(name, 64)));
        same(tape, ph_buf_z(&buf),
             ph_channel_header(request->headers, request->header_count,
                               ph_str_z(name)),
             text_of(expected, name));
    }
    for (size_t i = 0; i < request->header_count; i++) {
        struct ph_str given = request->headers[i].name;
        struct ph_str copy  = ph_arena_dup(&tape->arena, given);

        if (copy.ptr != NULL && json_object_get(expected, copy.ptr) == NULL) {
            differs(tape, "request headers", given, ph_str_make(NULL, 0));
        }
    }
}

static void
request_same(struct tape *tape, const struct ph_channel_request *request)
{
    const json_t *expected = json_object_get(tape->root, "request");

    same(tape, "request method", request->method, text_of(expected, "method"));
    same(tape, "request url", request->url, text_of(expected, "url"));
    same(tape, "request body", request->body, text_of(expected, "body"));
    headers_same(tape, request, json_object_get(expected, "headers"));
}

static const char *const classes[]
    = { "unknown", "succeeded", "failed",  "wait_user",
        "closed",  "not_found", "not_sent" };
static const char *const actions[] = { "none",         "qr_code", "redirect",
                                       "form",         "app",     "jsapi",
                                       "client_secret" };

static void
whole_same(struct tape *tape, const char *what, int64_t found, int64_t expected)
{
    char          left[24], right[24];
    struct ph_buf one = PH_BUF_INIT(left), other = PH_BUF_INIT(right);

    ph_buf_i64(&one, found);
    ph_buf_i64(&other, expected);
    same(tape, what, ph_buf_str(&one), ph_buf_str(&other));
}

/* every text that the result has must stand in the tape, and the reverse */
static void
result_same(struct tape *tape, const struct ph_channel_result *result)
{
    const json_t *expected = json_object_get(tape->root, "result");
    const struct {
        const char   *name;
        struct ph_str found;
    } texts[] = {
        { "number", result->number },
        { "trade_no", result->trade_no },
        { "currency", result->currency },
        { "seller", result->seller },
        { "app", result->app },
        { "error_class", result->error_class },
        { "channel_code", result->channel_code },
        { "message", result->message },
    };

    same(tape, "result class", ph_str_z(classes[result->class]),
         text_of(expected, "class"));
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        same(tape, texts[i].name, texts[i].found,
             text_of(expected, texts[i].name));
    }
    whole_same(tape, "amount", result->amount,
               whole_of(expected, "amount", -1));
    whole_same(tape, "paid_at", (int64_t) (result->paid_at_ms / 1000),
               whole_of(expected, "paid_at", 0));
    whole_same(tape, "hint", result->is_hint,
               json_is_true(json_object_get(expected, "hint")));
}

static void
action_same(struct tape *tape, const struct ph_channel_result *result)
{
    const json_t *expected = json_object_get(tape->root, "action");
    json_t       *found
        = result->action_data.len == 0
              ? NULL
              : json_loadb(result->action_data.ptr, result->action_data.len,
                           JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    same(tape, "action type", ph_str_z(actions[result->action]),
         expected != NULL ? text_of(expected, "type") : PH_STR("none"));
    if (!json_equal(found, json_object_get(expected, "data"))
        && (found != NULL || expected != NULL))
    {
        differs(tape, "action data", result->action_data,
                json_of(tape, json_object_get(expected, "data")));
    }
    json_decref(found);
}

/* ---- playing ---- */

static enum ph_channel_op
op_of(const json_t *root)
{
    static const char *const names[] = {
        "", "create", "query", "close", "reverse", "refund", "refund_query"
    };
    struct ph_str op = text_of(root, "op");

    for (size_t i = 1; i < PH_COUNT(names); i++) {
        if (ph_str_eq(ph_str_z(names[i]), op)) {
            return (enum ph_channel_op) i;
        }
    }
    return (enum ph_channel_op) 0;
}

static void
answer_play(struct tape *tape, struct ph_channel_call *call)
{
    const json_t           *answer = json_object_get(tape->root, "answer");
    struct ph_channel_out   out    = { .hint = { NULL, 0 } };
    struct ph_channel_reply reply
        = { .status  = (unsigned) whole_of(answer, "status", 200),
            .body    = text_of(answer, "body"),
            .headers = tape->headers };

    reply.header_count = headers_read(tape, json_object_get(answer, "headers"));
    call->step         = 1;
    if (tape->channel->step(call, &reply, &out) != PH_STEP_DONE) {
        differs(tape, "answer", PH_STR("another step than done"),
                PH_STR("done"));
        return;
    }
    result_same(tape, &out.result);
    action_same(tape, &out.result);
}

static enum cli_tape_end
op_play(struct tape *tape)
{
    const json_t          *request = json_object_get(tape->root, "request");
    struct ph_channel_out  out     = { .hint = { NULL, 0 } };
    struct ph_channel_call call    = { .op      = op_of(tape->root),
                                       .account = &tape->account,
                                       .order   = &tape->order,
                                       .arena   = &tape->arena,
                                       .now_ms  = tape->now_ms,
                                       .random  = tape->random,
                                       .state   = tape->state };

    if (call.op == 0) {
        return bad(tape, "op: expected an operation's name, or `notice`");
    }
    enum ph_channel_step step = tape->channel->step(&call, NULL, &out);

    if (json_is_string(request)) { /* "none": the payer's page calls */
        if (step != PH_STEP_DONE) {
            differs(tape, "step", PH_STR("a request"), PH_STR("none"));
            return CLI_TAPE_DIFFERS;
        }
        result_same(tape, &out.result);
        action_same(tape, &out.result);
        return CLI_TAPE_SAME;
    }
    if (step != PH_STEP_NEED_REQUEST) {
        differs(tape, "step", PH_STR("no request"), PH_STR("a request"));
        return CLI_TAPE_DIFFERS;
    }
    request_same(tape, &out.request);
    if (json_object_get(tape->root, "answer") != NULL) {
        answer_play(tape, &call);
    }
    return CLI_TAPE_SAME;
}

static enum cli_tape_end
notice_play(struct tape *tape)
{
    const json_t *told     = json_object_get(tape->root, "notice");
    const json_t *expected = json_object_get(tape->root, "result");
    bool is_refused = json_is_true(json_object_get(tape->root, "refused"));
    struct ph_channel_notice_out out = { .is_refund = false };
    struct ph_channel_notice     in
        = { .body = text_of(told, "body"), .headers = tape->headers };

    if (tape->channel->notice == NULL) {
        return bad(tape, "notice: the channel reads none");
    }
    in.header_count = headers_read(tape, json_object_get(told, "headers"));
    if (tape->channel->notice(&tape->account, &in, tape->now_ms, &tape->arena,
                              &out)
        != PH_OK)
    {
        if (!is_refused) {
            differs(tape, "notice", PH_STR("refused"), PH_STR("taken"));
        }
        return CLI_TAPE_SAME;
    }
    if (is_refused) {
        differs(tape, "notice", PH_STR("taken"), PH_STR("refused"));
        return CLI_TAPE_SAME;
    }
    same(tape, "id", out.id, text_of(expected, "id"));
    same(tape, "order_number", out.order_number,
         text_of(expected, "order_number"));
    same(tape, "ack", out.ack_body, text_of(expected, "ack"));
    whole_same(tape, "refund", out.is_refund,
               json_is_true(json_object_get(expected, "refund")));
    whole_same(tape, "ignored", out.is_ignored,
               json_is_true(json_object_get(expected, "ignored")));
    result_same(tape, &out.result);
    return CLI_TAPE_SAME;
}

static enum cli_tape_end
tape_play(struct tape *tape, const struct ph_channel_env *env)
{
    const char       *why = "account: it cannot be opened";
    enum cli_tape_end end;

    tape->now_ms = time_of(tape->root, "now");
    if (!nonce_read(tape)) {
        return bad(tape, "nonce: expected at least 32 hex digits");
    }
    if (!account_read(tape, env, &why)) {
        return bad(tape, why);
    }
    order_read(tape);
    end = json_object_get(tape->root, "notice") != NULL ? notice_play(tape)
                                                        : op_play(tape);
    ph_channel_account_close(&tape->account);
    return end == CLI_TAPE_SAME && tape->differs ? CLI_TAPE_DIFFERS : end;
}

/* a member that nobody reads would be an assertion that never runs */
static const char *
root_fault(const json_t *root)
{
    static const char *const known[]
        = { "about",  "account", "now",     "nonce",  "op",
            "order",  "refund",  "request", "answer", "notice",
            "result", "refused", "action" };
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *) (uintptr_t) root, name, value)
    {
        bool found = false;

        for (size_t i = 0; i < PH_COUNT(known); i++) {
            found |= strcmp(known[i], name) == 0;
        }
        if (!found) {
            return "a member of it is not known";
        }
    }
    if (json_object_get(root, "answer") != NULL
        && json_object_get(root, "result") == NULL)
    {
        return "result: expected what the answer proves";
    }
    return json_object_get(root, "account") == NULL
               ? "account: expected its keys"
               : NULL;
}

enum cli_tape_end
cli_tape_play(const struct ph_channel     *channel,
              const struct ph_channel_env *env, struct ph_str tape,
              struct ph_buf *about, struct ph_buf *told)
{
    static struct tape playing;
    static char        memory[ARENA_MAX];
    json_t *root = json_loadb(tape.ptr, tape.len, JSON_REJECT_DUPLICATES, NULL);
    enum cli_tape_end end;

    playing = (struct tape){ .channel = channel, .root = root, .told = told };
    ph_arena_init(&playing.arena, memory, sizeof(memory));
    if (!json_is_object(root)) {
        end = bad(&playing, "expected one JSON object");
    } else if (root_fault(root) != NULL) {
        end = bad(&playing, root_fault(root));
    } else {
        ph_buf_add(about, text_of(root, "about"));
        end = tape_play(&playing, env);
    }
    json_decref(root);
    return end;
}

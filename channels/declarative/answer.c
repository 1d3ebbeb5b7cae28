/*
 * answer.c - operations and notices of a declared channel: what is sent, and
 * what each message that comes proves.
 *
 * Unsigned answers prove nothing but that the payer has to act.  A code or a
 * status that is in no map proves nothing.  Nothing is compared here but the
 * names that make an answer one about our order.
 */
#include <stdlib.h>

#include "channels/codes.h"
#include "channels/declarative/apart.h"
#include "channels/declarative/run.h"
#include "channels/reversal.h"
#include "libpayhub/base/money.h"

#define TIME_MS_MAX UINT64_C(253402300799999)
#define EXTRA_TEXT_MAX 4096 /* bytes of one; the core takes 256 */

static const struct ph_declared *
file_of(const struct ph_channel_account *account)
{
    return account->channel->self;
}

static bool
is_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

/* of this method, else of all others; NULL = the file has not the operation */
static const struct declared_request *
request_find(const struct ph_declared *file, enum ph_channel_op op,
             struct ph_str method)
{
    const struct declared_op      *rows = &file->ops[op];
    const struct declared_request *any  = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        if (ph_str_eq(rows->items[i].method, method)) {
            return &rows->items[i];
        }
        if (ph_str_eq(rows->items[i].method, PH_STR("*"))) {
            any = &rows->items[i];
        }
    }
    return any;
}

/* ---- what a message tells ---- */

static void
result_clear(struct ph_channel_result *result, struct ph_str error_class)
{
    *result = (struct ph_channel_result){ .amount         = -1,
                                          .refunded_total = -1,
                                          .error_class    = error_class };
}

static bool
amount_take(struct declared_run *run, const struct declared_template *from,
            int64_t *amount)
{
    struct ph_str text;
    uint64_t      value;

    if (!declared_text(run, from, &text)) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    if (!ph_str_u64(text, PH_AMOUNT_MAX, &value)) {
        return declared_fault(run, FAULT_UNREADABLE);
    }
    *amount = (int64_t) value;
    return true;
}

static bool
time_take(struct declared_run *run, const struct declared_template *from,
          uint64_t *at_ms)
{
    struct ph_str text;

    if (!declared_text(run, from, &text)) {
        return false;
    }
    return text.len == 0 || ph_str_u64(text, TIME_MS_MAX, at_ms)
           || declared_fault(run, FAULT_UNREADABLE);
}

static bool
echo_take(struct declared_run *run, const struct declared_told *told,
          struct ph_channel_result *result)
{
    return declared_text(run, &told->number, &result->number)
           && declared_text(run, &told->trade_no, &result->trade_no)
           && amount_take(run, &told->amount, &result->amount)
           && declared_text(run, &told->currency, &result->currency)
           && declared_text(run, &told->seller, &result->seller)
           && declared_text(run, &told->app, &result->app)
           && declared_text(run, &told->message, &result->message)
           && time_take(run, &told->paid_at, &result->paid_at_ms);
}

static int
word_compare(const void *a, const void *b)
{
    return ph_str_cmp(((const struct declared_word *) a)->word,
                      ((const struct declared_word *) b)->word);
}

/* false: a fault; *is_known: the word is in the map */
static bool
status_judge(struct declared_run *run, const struct declared_told *told,
             enum ph_result_class *class, bool                    *is_known)
{
    struct declared_word key = { { NULL, 0 }, 0 };

    *is_known = false;
    if (told->status == NULL) {
        return true;
    }
    if (!declared_text(run, &told->status->from, &key.word)) {
        return false;
    }
    const struct declared_word *row
        = bsearch(&key, told->status->items, told->status->count, sizeof(key),
                  word_compare);

    if (row != NULL) {
        *is_known = true;
        *class    = (enum ph_result_class) row->class;
    }
    return true;
}

static bool
among_judge(struct declared_run *run, const struct declared_among *among,
            bool *is_in, struct ph_str *text)
{
    *is_in = false;
    if (!declared_text(run, &among->from, text)) {
        return false;
    }
    for (size_t i = 0; i < among->is.count; i++) {
        *is_in |= ph_str_eq(among->is.items[i], *text);
    }
    return true;
}

/* ---- answers ---- */

static void
unknown_set(struct ph_channel_result *result, struct ph_str error_class)
{
    result->class       = PH_RESULT_UNKNOWN;
    result->error_class = error_class;
}

/* What ends a payment and names none may be about another.  Only where the file
 * says that no number is told: that the payer acts, and the answer to a close,
 * such as a 204 without a body. */
static bool
is_named(const struct ph_channel_result *result,
         const struct declared_told *told, enum ph_channel_op op)
{
    bool closes = op == PH_OP_CLOSE || op == PH_OP_REVERSE;

    if (result->number.len != 0) {
        return true;
    }
    return !told->number.is_set && result->class != PH_RESULT_SUCCEEDED
           && result->class != PH_RESULT_FAILED
           && (result->class != PH_RESULT_CLOSED || closes);
}

static void
failure_name(struct ph_channel_result *result)
{
    if (result->class == PH_RESULT_FAILED && result->error_class.len == 0) {
        result->error_class = PH_STR("declined");
    } else if (result->class == PH_RESULT_NOT_FOUND
               && result->error_class.len == 0) {
        result->error_class = PH_STR("not_found");
    }
}

static void
by_status(const struct declared_told *told, struct ph_channel_result *result,
          bool is_known, enum ph_result_class class, enum ph_channel_op op)
{
    if (!is_known) {
        unknown_set(result, PH_STR("unknown_code"));
        return;
    }
    result->class = class;
    if (!is_named(result, told, op)
        || (class == PH_RESULT_SUCCEEDED && result->amount < 0))
    {
        unknown_set(result, PH_STR("no_number"));
        return;
    }
    failure_name(result);
}

/* false: a fault */
static bool
answer_judge(struct declared_run *run, enum ph_channel_op op,
             const struct declared_told *told, const struct declared_told *part,
             struct ph_channel_result *result)
{
    enum ph_result_class class = PH_RESULT_UNKNOWN;
    bool          is_known = false, is_ok = told->code == NULL;
    struct ph_str code = { NULL, 0 }, error = { NULL, 0 };

    if ((told->code != NULL && !among_judge(run, told->code, &is_ok, &code))
        || !declared_text(run, &told->error, &error)
        || !status_judge(run, part, &class, &is_known))
    {
        return false;
    }
    result->channel_code = error.len != 0 ? error : code;
    const struct ph_channel_code *row
        = error.len != 0 ? ph_code_find(run->account->channel, error, op)
                         : NULL;

    if (row != NULL && (!is_ok || !is_known)) {
        result->class       = row->result;
        result->error_class = row->error_class;
        return true;
    }
    if (!is_ok) {
        unknown_set(result, PH_STR("unknown_code"));
        return true;
    }
    by_status(part, result, is_known, class, op);
    return true;
}

static struct ph_str
fault_word(const struct declared_run *run)
{
    return run->arena->full || run->fault == FAULT_ROOM ? PH_STR("no_room")
                                                        : PH_STR("unreadable");
}

/* An answer of the wrong order of a refund tells nothing of ours. */
static bool
order_is_ours(struct declared_run *run, const struct declared_told *part,
              bool *is_ours)
{
    struct ph_str number;

    if (!declared_text(run, &part->order_number, &number)) {
        return false;
    }
    *is_ours = number.len == 0 || ph_str_eq(number, run->order->attempt_id);
    return true;
}

/* unsigned: neither money nor an end is believed */
static void
unsigned_judge(struct ph_channel_result *result)
{
    if (result->class != PH_RESULT_WAIT_USER
        && result->class != PH_RESULT_UNKNOWN) {
        unknown_set(result, PH_STR("signature"));
    }
}

static bool
told_take(struct declared_run *run, enum ph_channel_op op,
          const struct declared_told *told, struct ph_channel_result *result)
{
    const struct declared_told *part
        = is_refund(op) && told->refund != NULL ? told->refund : told;
    bool is_ours = true;

    if (!echo_take(run, part, result)
        || (result->message.len == 0
            && !declared_text(run, &told->message, &result->message))
        || !answer_judge(run, op, told, part, result)
        || !order_is_ours(run, part, &is_ours))
    {
        return false;
    }
    if (!is_ours) {
        unknown_set(result, PH_STR("no_number"));
    }
    if (run->message->verify->is_none) {
        unsigned_judge(result);
    }
    if (result->class == PH_RESULT_WAIT_USER && told->action != NULL
        && op == PH_OP_CREATE)
    {
        return declared_action_make(run, told->action, result);
    }
    return true;
}

static void
answer_read(struct declared_run *run, enum ph_channel_op op,
            const struct declared_request *request,
            const struct ph_channel_reply *reply,
            struct ph_channel_result      *result)
{
    const struct declared_message *message = &run->file->answer;
    const struct declared_told    *told
        = request->told != NULL ? request->told : &message->told;

    result_clear(result, ph_str_make(NULL, 0));
    run->message      = message;
    run->lets         = &message->lets;
    run->status       = reply->status;
    run->body         = reply->body;
    run->headers      = reply->headers;
    run->header_count = reply->header_count;
    if (!message->verify->is_none) {
        enum ph_rc rc = declared_verify(run, message->verify);

        if (rc != PH_OK) {
            unknown_set(result, reply->status >= 500 ? PH_STR("channel_error")
                                : rc == PH_E_RANGE   ? PH_STR("stale")
                                                     : PH_STR("signature"));
            return;
        }
    }
    if (reply->status >= 500) {
        unknown_set(result, PH_STR("channel_error"));
        return;
    }
    if (!told_take(run, op, told, result) || run->arena->full) {
        result_clear(result, fault_word(run));
    }
}

/* ---- operations ---- */

static void
run_init(struct declared_run *run, const struct ph_channel_call *call)
{
    *run = (struct declared_run){ .file    = file_of(call->account),
                                  .account = call->account,
                                  .keys    = call->account->context,
                                  .order   = call->order,
                                  .arena   = call->arena,
                                  .now_ms  = call->now_ms,
                                  .random  = call->random,
                                  .fuel    = DECLARED_FUEL };
}

/* The payer's page or app calls the channel, we do not. */
static enum ph_channel_step
no_call_make(struct declared_run *run, const struct declared_request *request,
             struct ph_channel_out *out)
{
    struct ph_channel_request unsent;

    result_clear(&out->result, ph_str_make(NULL, 0));
    if (declared_request_make(run, request, &unsent) != PH_STEP_NEED_REQUEST
        || !declared_action_make(run, request->action, &out->result)
        || run->arena->full)
    {
        return PH_STEP_ERROR;
    }
    out->result.class  = PH_RESULT_WAIT_USER;
    out->result.number = run->order->attempt_id;
    return PH_STEP_DONE;
}

/* What was paid when it was taken back is on its way to the payer, or not: a
 * query tells. */
static void
reverse_judge(enum ph_channel_op op, struct ph_channel_result *result)
{
    if (op == PH_OP_REVERSE && result->class == PH_RESULT_SUCCEEDED) {
        unknown_set(result, PH_STR("unknown_code"));
    }
}

enum ph_channel_step
declared_step(struct ph_channel_call *call, const struct ph_channel_reply *last,
              struct ph_channel_out *out)
{
    const struct declared_request *request;
    struct declared_run            run;
    enum ph_channel_step           step = PH_STEP_DONE;

    const uint64_t since_ms = ph_reversal_take(call);

    call->state_len = 0; /* every operation can begin anew anywhere */
    run_init(&run, call);
    request = (size_t) call->op < PH_OP_COUNT
                  ? request_find(run.file, call->op, call->order->method)
                  : NULL;
    if (request == NULL || run.keys == NULL) {
        return PH_STEP_ERROR;
    }
    if (last != NULL) {
        answer_read(&run, call->op, request, last, &out->result);
        reverse_judge(call->op, &out->result);
        ph_reversal_judge(call, since_ms, &out->result);
    } else if (request->is_no_call) {
        step = no_call_make(&run, request, out);
    } else {
        step = declared_request_make(&run, request, &out->request);
    }
    declared_run_free(&run);
    ph_reversal_put(call, since_ms);
    return step;
}

/* ---- notices ---- */

static bool notice_may_say(enum ph_result_class class)
{
    return class == PH_RESULT_SUCCEEDED || class == PH_RESULT_FAILED
           || class == PH_RESULT_CLOSED || class == PH_RESULT_WAIT_USER;
}

static bool
notice_judge(struct declared_run *run, const struct declared_told *part,
             struct ph_channel_result *result)
{
    enum ph_result_class class = PH_RESULT_UNKNOWN;
    bool is_known              = false;

    if (!status_judge(run, part, &class, &is_known)) {
        return false;
    }
    if (is_known && notice_may_say(class)
        && (class != PH_RESULT_SUCCEEDED || result->amount >= 0))
    {
        result->class = class;
        failure_name(result);
        return true;
    }
    /* genuine, and not understood: what is true is asked for */
    result->class       = PH_RESULT_WAIT_USER;
    result->is_hint     = true;
    result->error_class = PH_STR("unknown_code");
    return true;
}

static bool
notice_take(struct declared_run *run, const struct declared_message *message,
            struct ph_channel_notice_out *out)
{
    const struct declared_told *part = &message->told;
    struct ph_str               word;

    if (!declared_text(run, &message->id, &out->id)
        || (message->ignore != NULL
            && !among_judge(run, message->ignore, &out->is_ignored, &word))
        || (message->refund_when != NULL
            && !among_judge(run, message->refund_when, &out->is_refund, &word)))
    {
        return false;
    }
    if (out->is_ignored) {
        return true;
    }
    if (out->is_refund) {
        part = message->told.refund;
        if (!declared_text(run, &part->order_number, &out->order_number)) {
            return false;
        }
    }
    return echo_take(run, part, &out->result)
           && notice_judge(run, part, &out->result);
}

static enum ph_rc
notice_read(struct declared_run *run, struct ph_channel_notice_out *out)
{
    enum ph_rc rc = declared_verify(run, run->message->verify);

    if (rc != PH_OK) {
        return rc;
    }
    if (!notice_take(run, run->message, out)) {
        return run->fault == FAULT_ROOM ? PH_E_FULL : PH_E_SYNTAX;
    }
    if (run->arena->full) {
        return PH_E_FULL;
    }
    bool is_named = out->result.number.len != 0
                    && (!out->is_refund || out->order_number.len != 0);

    return out->id.len != 0 && (out->is_ignored || is_named) ? PH_OK
                                                             : PH_E_MISSING;
}

enum ph_rc
declared_notice(const struct ph_channel_account *account,
                const struct ph_channel_notice *in, uint64_t now_ms,
                struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    const struct ph_declared *file = file_of(account);
    struct declared_run       run  = { .file         = file,
                                       .account      = account,
                                       .keys         = account->context,
                                       .arena        = arena,
                                       .now_ms       = now_ms,
                                       .body         = in->body,
                                       .headers      = in->headers,
                                       .header_count = in->header_count,
                                       .fuel         = DECLARED_FUEL };

    *out = (struct ph_channel_notice_out){ .is_refund = false };
    result_clear(&out->result, ph_str_make(NULL, 0));
    if (file->notice == NULL || account->context == NULL) {
        return PH_E_MISSING;
    }
    run.message           = file->notice;
    run.lets              = &file->notice->lets;
    out->ack_body         = file->notice->ack_body;
    out->ack_content_type = file->notice->ack_type;

    enum ph_rc rc = notice_read(&run, out);

    declared_run_free(&run);
    return rc;
}

/* ---- what evidence has to name ---- */

void
declared_expected(const struct ph_channel_account *account,
                  const struct ph_channel_order *order, struct ph_arena *arena,
                  struct ph_channel_expected *out)
{
    const struct ph_declared *file = file_of(account);
    struct declared_run       run  = { .file    = file,
                                       .account = account,
                                       .keys    = account->context,
                                       .order   = order,
                                       .arena   = arena,
                                       .fuel    = DECLARED_FUEL };

    *out = (struct ph_channel_expected){ { NULL, 0 }, { NULL, 0 } };
    /* they have no filters: nothing but a full arena can be at fault */
    if (!declared_text(&run, &file->seller, &out->seller)
        || !declared_text(&run, &file->app, &out->app))
    {
        arena->full = true;
    }
}

static bool
message_splits(const struct declared_message *message, struct ph_str text)
{
    return message != NULL && message->verify != NULL
           && apart_splits(&message->verify->text, text);
}

bool
declared_is_unsignable(const struct ph_declared *file, struct ph_str text)
{
    for (size_t i = 0; i < file->sign_count; i++) {
        const struct declared_sign *sign = &file->signs[i];

        if (((sign->join == JOIN_IN || sign->join == JOIN_INNER)
             && declared_can_be_cut(file, sign, text))
            || apart_splits(&sign->text, text)
            || apart_splits(&sign->head, text))
        {
            return true;
        }
    }
    return message_splits(&file->answer, text)
           || message_splits(file->notice, text);
}

static bool
extra_is_unsignable(const struct ph_declared      *file,
                    const struct ph_channel_order *order)
{
    char memory[EXTRA_TEXT_MAX];

    for (size_t i = 0; order->extra.len != 0 && i < file->channel.extra_count;
         i++) {
        struct ph_arena arena;

        ph_arena_init(&arena, memory, sizeof(memory));
        const struct ph_str text
            = ph_channel_extra_text(order, file->channel.extra[i].key, &arena);

        if (arena.full || declared_is_unsignable(file, text)) {
            return true;
        }
    }
    return false;
}

const char *
declared_order_check(const struct ph_channel_account *account,
                     const struct ph_channel_order   *order)
{
    const struct ph_channel  *channel = account->channel;
    const struct ph_declared *file    = file_of(account);

    if (declared_is_unsignable(file, order->subject)
        || declared_is_unsignable(file, order->description)
        || declared_is_unsignable(file, order->return_url)
        || extra_is_unsignable(file, order))
    {
        return "the channel's signature cannot hold a text with the name of "
               "one of its members, or what parts them, in it: subject, "
               "description, return_url or extra";
    }
    if (channel->currencies == NULL || order->currency.len == 0) {
        return NULL;
    }
    for (size_t i = 0; channel->currencies[i] != NULL; i++) {
        if (ph_str_eq(ph_str_z(channel->currencies[i]), order->currency)) {
            return NULL;
        }
    }
    return "the channel does not take this currency";
}

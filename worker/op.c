/*
 * op.c - runs the steps of one channel operation; see op.h.
 *
 *   op_step -> adapter: NEED_REQUEST -> wk_call -> op_on_call -> op_step
 *      ^                NEED_REFRESH -> op_on_refresh -.
 *      '---------------- from its first step ----------'
 *                       DONE, ERROR  -> done()
 */
#include "worker/op.h"

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/crash.h"
#include "worker/random.h"
#include "worker/wire_log.h"

#define NS_PER_MS UINT64_C(1000000)
#define HTTP_UNAUTHORIZED 401
#define CONFIG_AGAIN_NS UINT64_C(60000000000) /* it is said again */

/* crash points around the call of an operation; NULL = none */
struct op_points {
    const char *before, *sent, *answered;
};

static struct op_points
op_points(enum ph_channel_op kind)
{
    switch (kind) {
    case PH_OP_CREATE:
        return (struct op_points){ "before_call", "call_sent",
                                   "call_answered" };
    case PH_OP_QUERY:
        return (struct op_points){ "before_query", NULL, "query_answered" };
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
        return (struct op_points){ "before_close", "close_sent",
                                   "close_answered" };
    case PH_OP_REFUND:
        return (struct op_points){ "refund_before_call", "refund_sent",
                                   "refund_answered" };
    case PH_OP_ACCOUNT_REFRESH:
        return (struct op_points){ "before_refresh", NULL, "refresh_answered" };
    case PH_OP_REFUND_QUERY:
        break;
    }
    return (struct op_points){ 0 };
}

/* What an adapter took from the refreshed account goes with it. */
static void
result_keep(struct wk_op *op)
{
    struct ph_channel_result *result = &op->result;
    struct ph_str *const      texts[]
        = { &result->number,       &result->trade_no,    &result->currency,
            &result->seller,       &result->action_data, &result->error_class,
            &result->channel_code, &result->message,     &result->app };

    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        if (texts[i]->ptr != NULL) {
            *texts[i] = ph_arena_dup(op->arena, *texts[i]);
        }
    }
}

/* What goes on as it is until a person does something. */
static void
op_alarm(const struct wk_op *op)
{
    const struct ph_channel_result *result = &op->result;
    const bool     is_config = ph_str_eq(result->error_class, PH_STR("config"));
    const uint64_t now_ns    = ph_monotonic_ns();

    if (is_config ? op->account->config_told_ns + CONFIG_AGAIN_NS > now_ns
                        && op->account->config_told_ns != 0
                  : !ph_str_eq(result->error_class, PH_STR("lost")))
    {
        return;
    }
    if (is_config) {
        op->account->config_told_ns = now_ns;
    }
    ph_log(PH_LOG_ERROR, is_config ? "channel_config" : "channel_lost",
           { "account", op->account->face.id },
           { "op", ph_str_z(wk_op_word(op->kind)) },
           { "attempt", op->order.attempt_id },
           { "refund", op->order.refund_id }, { "code", result->channel_code });
}

static void
op_end(struct wk_op *op)
{
    op_alarm(op);
    if (op->fresh != NULL) {
        result_keep(op);
        wk_account_release(op->fresh);
        op->fresh = NULL;
        if (op->arena->full)
        { /* a text that is missing compares with nothing */
            op->result.class = PH_RESULT_UNKNOWN;
        }
    }
    op->done(op);
}

/* Nothing came of it: a proof when nothing left us, else unknown. */
static void
op_fail(struct wk_op *op, const char *error_class, const char *message)
{
    op->result
        = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    op->result.class       = op->may_have_arrived ? PH_RESULT_UNKNOWN
                                                  : PH_RESULT_NOT_SENT;
    op->result.error_class = ph_str_z(error_class);
    op->result.message     = ph_arena_dup(op->arena, ph_str_z(message));
    op_end(op);
}

static void op_step(struct wk_op *op, const struct ph_channel_reply *last);

/* ---- calls ---- */

static void
times_note(struct wk_op *op, const struct wk_call *call)
{
    if (op->times.is_known) {
        return;
    }
    op->times
        = (struct wk_op_times){ .is_known          = true,
                                .is_new_connection = call->is_new_connection,
                                .is_tls            = call->tls_us != 0,
                                .connect_us        = call->connect_us,
                                .tls_us            = call->tls_us,
                                .first_byte_us     = call->first_byte_us };
}

static void
op_on_call(struct wk_call *call)
{
    struct wk_op *op = call->data;

    ph_log(PH_LOG_DEBUG, "channel_called", { "attempt", op->order.attempt_id },
           { "outcome", ph_log_i64(call->outcome) },
           { "us", ph_log_i64((int64_t) call->total_us) });
    wk_wire_call(op, call);
    switch (call->outcome) {
    case WK_CALL_NOT_SENT:
        op_fail(op, "not_sent", call->error);
        return;
    case WK_CALL_ANSWERED:
        op->may_have_arrived = true;
        times_note(op, call);
        wk_crash_point(op_points(op->kind).answered);
        op->has_digest = ph_sha256(&call->reply.body, 1, op->digest);
        op_step(op, &call->reply);
        return;
    case WK_CALL_UNKNOWN:
        break;
    }
    op->may_have_arrived = true;
    op_fail(op, "no_answer", call->error);
}

static uint64_t
op_left_ms(const struct wk_op *op)
{
    uint64_t now = ph_monotonic_ns();

    return op->deadline_ns > now ? (op->deadline_ns - now) / NS_PER_MS : 0;
}

/* A further request of a query may take money that the payer has agreed to. */
static const char *
sent_point(const struct wk_op *op)
{
    return op->kind == PH_OP_QUERY && op->step.step > 1
               ? "capture_sent"
               : op_points(op->kind).sent;
}

static void
op_send(struct wk_op *op)
{
    uint64_t left_ms = op_left_ms(op);

    if (left_ms == 0) {
        op_fail(op, "timeout", "the operation took too long");
        return;
    }
    op->call
        = (struct wk_call){ .kind    = WK_CALL_CHANNEL,
                            .request = &op->out.request,
                            .timeout_ms
                            = left_ms < op->call_ms ? left_ms : op->call_ms,
                            .done = op_on_call,
                            .data = op };
    op->requests++;
    op->had_arrived = op->may_have_arrived;
    wk_crash_point(op_points(op->kind).before);
    if (!wk_call_start(op->worker->calls, &op->call)) {
        op->is_our_lack = true;
        op_fail(op, "engine_full", "too many calls under way");
        return;
    }
    wk_crash_point(sent_point(op));
}

/* ---- refresh ---- */

static bool
moves_money(enum ph_channel_op kind)
{
    return kind == PH_OP_CREATE || kind == PH_OP_CLOSE || kind == PH_OP_REVERSE
           || kind == PH_OP_REFUND;
}

/* May the operation begin anew after this answer, NULL = before any? */
static bool
may_begin_anew(const struct wk_op *op, const struct ph_channel_reply *last)
{
    return last == NULL || !moves_money(op->kind)
           || last->status == HTTP_UNAUTHORIZED;
}

static void
op_begin(struct wk_op *op, const struct wk_account *account)
{
    op->step.step    = 0;
    op->step.account = &account->face;
    op_step(op, NULL);
}

static void
op_on_refresh(struct wk_refresh *refresh, enum wk_refresh_answer answer)
{
    struct wk_op *op = refresh->data;

    if (answer != WK_REFRESHED || refresh->fresh == NULL) {
        op_fail(op, "refresh", "the account could not be refreshed");
        return;
    }
    op->fresh = refresh->fresh;
    if (op->is_doubtful) {
        op_fail(op, "refresh", "its answer could not be read then");
        return;
    }
    op_begin(op, op->fresh);
}

/* Once an operation: what a refresh did not mend a second one does not. */
static void
op_refresh(struct wk_op *op, const struct ph_channel_reply *last)
{
    if (op->was_refreshed || op->kind == PH_OP_ACCOUNT_REFRESH) {
        op_fail(op, "refresh", "the account lacks something yet");
        return;
    }
    op->was_refreshed = true;
    op->is_doubtful   = !may_begin_anew(op, last);
    if (last != NULL && !op->is_doubtful) {
        op->may_have_arrived = op->had_arrived;
        op->undone++;
    }
    op->refresh = (struct wk_refresh){ .account     = op->account,
                                       .hint        = op->out.hint,
                                       .deadline_ms = op_left_ms(op),
                                       .done        = op_on_refresh,
                                       .data        = op };
    wk_refresh_start(op->worker, &op->refresh);
}

/* ---- steps ---- */

static void
op_done(struct wk_op *op)
{
    op->result      = op->out.result;
    op->is_uncalled = op->requests == 0;
    /* it speaks of the last one */
    if (op->result.class == PH_RESULT_NOT_SENT && op->requests - op->undone > 1)
    {
        op->result.class = PH_RESULT_UNKNOWN;
    }
    op_end(op);
}

static void
op_step(struct wk_op *op, const struct ph_channel_reply *last)
{
    if (op->step.step >= PH_CHANNEL_STEPS_MAX) {
        op_fail(op, "steps", "the adapter takes too many steps");
        return;
    }
    wk_random(op->random, sizeof(op->random));
    op->out         = (struct ph_channel_out){ 0 };
    op->step.now_ms = ph_now_ms();

    enum ph_channel_step next
        = op->account->channel->step(&op->step, last, &op->out);

    op->step.step++;
    op->state_len = op->step.state_len < sizeof(op->state) ? op->step.state_len
                                                           : sizeof(op->state);
    if (op->arena->full) {
        next = PH_STEP_ERROR;
    }
    switch (next) {
    case PH_STEP_NEED_REQUEST:
        op_send(op);
        return;
    case PH_STEP_DONE:
        op_done(op);
        return;
    case PH_STEP_NEED_REFRESH:
        op_refresh(op, last);
        return;
    case PH_STEP_ERROR:
        break;
    }
    if (!op->may_have_arrived) {
        op->config_error = PH_ERROR_CHANNEL_CONFIG;
    }
    op_fail(op, "adapter", "the adapter cannot make this request");
}

/* The channel's own bound, where it has one, and never more than ours. */
static uint64_t
call_ms(const struct wk_op *op)
{
    uint64_t ours
        = (uint64_t) wk_conf(op->worker, PH_CONF_pay_channel_deadline);
    uint64_t own = op->account->channel->deadline_ms[op->kind];

    return own != 0 && own < ours ? own : ours;
}

void
wk_op_start(struct wk_op *op)
{
    op->call_ms    = call_ms(op);
    op->started_ns = ph_monotonic_ns();
    op->deadline_ns
        = op->started_ns + op->call_ms * WK_OP_DEADLINES * NS_PER_MS;
    op->has_digest       = false;
    op->config_error     = PH_ERROR_NONE;
    op->is_our_lack      = false;
    op->is_uncalled      = false;
    op->times            = (struct wk_op_times){ 0 };
    op->may_have_arrived = false;
    op->had_arrived      = false;
    op->was_refreshed    = false;
    op->is_doubtful      = false;
    op->fresh            = NULL;
    op->requests         = 0;
    op->undone           = 0;
    op->step             = (struct ph_channel_call){ .op        = op->kind,
                                                     .account   = &op->account->face,
                                                     .order     = &op->order,
                                                     .arena     = op->arena,
                                                     .random    = op->random,
                                                     .state     = op->state,
                                                     .state_len = op->state_len,
                                                     .hint      = op->hint };
    op_step(op, NULL);
}

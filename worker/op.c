/*
 * op.c - runs the steps of one channel operation; see op.h.
 *
 *   op_step -> adapter: NEED_REQUEST -> wk_call -> op_on_call -> op_step
 *                       DONE, ERROR  -> done()
 */
#include "worker/op.h"

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/crash.h"
#include "worker/random.h"

#define NS_PER_MS UINT64_C(1000000)
#define OP_DEADLINES 3 /* all calls of an operation, in those of one */

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
    case PH_OP_REFUND_QUERY:
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return (struct op_points){ 0 };
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
    op->done(op);
}

static void op_step(struct wk_op *op, const struct ph_channel_reply *last);

static void
op_on_call(struct wk_call *call)
{
    struct wk_op *op = call->data;

    ph_log(PH_LOG_DEBUG, "channel_called", { "attempt", op->order.attempt_id },
           { "outcome", ph_log_i64(call->outcome) },
           { "us", ph_log_i64((int64_t) call->total_us) });
    switch (call->outcome) {
    case WK_CALL_NOT_SENT:
        op_fail(op, "not_sent", call->error);
        return;
    case WK_CALL_ANSWERED:
        op->may_have_arrived = true;
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

static void
op_send(struct wk_op *op)
{
    uint64_t deadline_ms
        = (uint64_t) wk_conf(op->worker, PH_CONF_pay_channel_deadline);
    uint64_t left_ms = op_left_ms(op);

    if (left_ms == 0) {
        op_fail(op, "timeout", "the operation took too long");
        return;
    }
    op->call
        = (struct wk_call){ .kind    = WK_CALL_CHANNEL,
                            .request = &op->out.request,
                            .timeout_ms
                            = left_ms < deadline_ms ? left_ms : deadline_ms,
                            .done = op_on_call,
                            .data = op };
    op->requests++;
    wk_crash_point(op_points(op->kind).before);
    if (!wk_call_start(op->worker->calls, &op->call)) {
        op->is_our_lack = true;
        op_fail(op, "engine_full", "too many calls under way");
        return;
    }
    wk_crash_point(op_points(op->kind).sent);
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
        op->result = op->out.result;
        if (op->result.class == PH_RESULT_NOT_SENT && op->requests > 1) {
            op->result.class = PH_RESULT_UNKNOWN; /* speaks of the last one */
        }
        op->done(op);
        return;
    case PH_STEP_NEED_REFRESH: /* no account has anything to refresh yet */
    case PH_STEP_ERROR:
        break;
    }
    if (!op->may_have_arrived) {
        op->config_error = PH_ERROR_CHANNEL_CONFIG;
    }
    op_fail(op, "adapter", "the adapter cannot make this request");
}

void
wk_op_start(struct wk_op *op)
{
    uint64_t whole_ms
        = (uint64_t) wk_conf(op->worker, PH_CONF_pay_channel_deadline)
          * OP_DEADLINES;

    op->started_ns       = ph_monotonic_ns();
    op->deadline_ns      = op->started_ns + whole_ms * NS_PER_MS;
    op->has_digest       = false;
    op->config_error     = PH_ERROR_NONE;
    op->is_our_lack      = false;
    op->may_have_arrived = false;
    op->requests         = 0;
    op->step             = (struct ph_channel_call){ .op        = op->kind,
                                                     .account   = &op->account->face,
                                                     .order     = &op->order,
                                                     .arena     = op->arena,
                                                     .random    = op->random,
                                                     .state     = op->state,
                                                     .state_len = op->state_len };
    op_step(op, NULL);
}

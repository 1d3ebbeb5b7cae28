/* ask.c - query, repeat, close; see ask.h. */
#include "worker/ask.h"

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/notify.h"
#include "worker/order_face.h"
#include "worker/schedule.h"

enum ask_step { ASK_QUERY = 1, ASK_REPEAT, ASK_CLOSING, ASK_CLOSE };

static void ask_on_settled(struct wk_settle *settle);

static void
ask_end(struct wk_ask *ask, bool is_kept)
{
    ask->is_kept = is_kept;
    ask->done(ask);
}

/* ---- rows ---- */

static void
ask_settle(struct wk_ask *ask, const struct wk_evidence *evidence)
{
    struct wk_settle *settle = &ask->settle;

    *settle                = (struct wk_settle){ .worker     = ask->worker,
                                                 .account    = ask->account,
                                                 .arena      = ask->arena,
                                                 .attempt_id = ask->attempt_id,
                                                 .is_fresh   = true,
                                                 .order      = ask->order,
                                                 .evidence   = *evidence,
                                                 .done       = ask_on_settled,
                                                 .data       = ask };
    settle->evidence.fence = ask->fence;
    if (!wk_settle_start(settle)) {
        ask_end(ask, false);
    }
}

static void
ask_on_op(struct wk_op *op)
{
    struct wk_ask     *ask = op->data;
    struct wk_evidence evidence
        = { .source    = WK_SOURCE_QUERY,
            .result    = &op->result,
            .is_repeat = ask->step == ASK_REPEAT,
            .is_end    = ask->step == ASK_CLOSE,
            /* the row outlives the operation: the next one takes its place */
            .state
            = ph_arena_dup(ask->arena, ph_str_make((const char *) op->state,
                                                   op->state_len)) };

    if (op->has_digest) {
        evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    ask->is_answered = ask->is_answered
                       || (op->result.class != PH_RESULT_UNKNOWN
                           && op->result.class != PH_RESULT_NOT_SENT);
    ask_settle(ask, &evidence);
}

/* ---- calls ---- */

static void
ask_call(struct wk_ask *ask, enum ask_step step, enum ph_channel_op kind)
{
    const struct wk_attempt *attempt
        = wk_order_attempt(ask->order, ask->attempt_id);
    struct wk_op *op = &ask->op;

    ask->step = step;
    *op       = (struct wk_op){ .worker  = ask->worker,
                                .account = ask->account,
                                .kind    = kind,
                                .arena   = ask->arena,
                                .done    = ask_on_op,
                                .data    = ask };
    op->order
        = wk_order_face(ask->worker, &ask->order->payment, attempt, ask->arena);
    op->order.is_over = op->order.is_over || ask->is_over;
    if (attempt->state.len != 0 && attempt->state.len <= sizeof(op->state)) {
        op->state_len = attempt->state.len;
        memcpy(op->state, attempt->state.ptr, op->state_len);
    }
    wk_op_start(op);
}

/* A bar code is taken back where the channel has a way for it. */
static bool
end_op(const struct wk_ask *ask, const struct wk_attempt *attempt,
       enum ph_channel_op *op)
{
    unsigned caps = ask->account->channel->caps;

    if (wk_attempt_is_bar(attempt) && (caps & PH_CAP_REVERSE) != 0) {
        *op = PH_OP_REVERSE;
        return true;
    }
    *op = PH_OP_CLOSE;
    return (caps & PH_CAP_CLOSE) != 0;
}

/* The payer may be at it: a code that was sent just now is not taken back. */
static bool
end_is_due(const struct wk_ask *ask, const struct wk_attempt *attempt,
           enum ph_channel_op op)
{
    return op != PH_OP_REVERSE
           || ph_now_ms() >= attempt->sent_at_ms
                                 + ask->account->channel->reverse_after_ms;
}

/* Its create was lost and with it the code: the same number shows it again.  A
 * bar code's create takes money, so it is never sent again. */
static bool
repeat_is_due(const struct wk_ask *ask, const struct wk_attempt *attempt)
{
    return ask->may_repeat && !ask->shall_end
           && (ask->account->channel->caps & PH_CAP_REPEAT) != 0
           && !wk_attempt_is_bar(attempt)
           && (attempt->status == PH_ATTEMPT_UNKNOWN
               || attempt->status == PH_ATTEMPT_WAIT_USER)
           && (attempt->action_type.len == 0
               || ph_str_eq(attempt->action_type, PH_STR("none")));
}

/* What the adapter keeps of a reverse, by its first step, which sends nothing.
 * It is written down before the reverse leaves: "paid" is doubtful after it,
 * also when nobody saw its answer. */
static struct ph_str
reverse_state(struct wk_ask *ask, const struct wk_attempt *attempt)
{
    static const uint8_t          no_random[32];
    const struct ph_channel_order order
        = wk_order_face(ask->worker, &ask->order->payment, attempt, ask->arena);
    uint8_t     *state = ph_arena_take(ask->arena, PH_CHANNEL_STATE_MAX);
    const size_t mark  = ask->arena->len;
    struct ph_channel_out  out  = { 0 };
    struct ph_channel_call call = { .op        = PH_OP_REVERSE,
                                    .account   = &ask->account->face,
                                    .order     = &order,
                                    .arena     = ask->arena,
                                    .now_ms    = ph_now_ms(),
                                    .random    = no_random,
                                    .state     = state,
                                    .state_len = attempt->state.len };

    if (state == NULL || attempt->state.len > PH_CHANNEL_STATE_MAX) {
        return ph_str_make(NULL, 0); /* as it is */
    }
    if (attempt->state.len != 0) {
        memcpy(state, attempt->state.ptr, attempt->state.len);
    }
    (void) ask->account->channel->step(&call, NULL, &out);
    ask->arena->len  = mark;
    ask->arena->full = false;
    return ph_str_make((const char *) state, call.state_len);
}

/* ---- what comes next ---- */

static void
ask_after_query(struct wk_ask *ask, const struct wk_attempt *attempt)
{
    enum ph_result_class class = ask->op.result.class;
    enum ph_channel_op op;
    /* other answers tell nothing that we may build upon */
    bool is_open = class == PH_RESULT_WAIT_USER || class == PH_RESULT_NOT_FOUND;

    if (is_open && repeat_is_due(ask, attempt)) {
        ph_log(PH_LOG_INFO, "create_repeated", { "attempt", attempt->id });
        ask_call(ask, ASK_REPEAT, PH_OP_CREATE);
    } else if (is_open && ask->shall_end && end_op(ask, attempt, &op)) {
        struct wk_evidence closing = { .source = WK_SOURCE_CLOSING };

        ask->is_due = end_is_due(ask, attempt, op);
        if (op == PH_OP_REVERSE && ask->is_due) {
            closing.state = reverse_state(ask, attempt);
        }
        ask->step = ASK_CLOSING;
        ask_settle(ask, &closing);
    } else {
        ask_end(ask, true);
    }
}

static void
ask_next(struct wk_ask *ask)
{
    const struct wk_attempt *attempt
        = wk_order_attempt(ask->order, ask->attempt_id);
    enum ph_channel_op op;

    if (ask->step == ASK_QUERY) {
        ask_after_query(ask, attempt);
    } else if (ask->step == ASK_CLOSING && end_op(ask, attempt, &op)
               && attempt->status == PH_ATTEMPT_CLOSING && ask->is_due)
    {
        ask_call(ask, ASK_CLOSE, op);
    } else {
        ask_end(ask, true);
    }
}

static void
ask_on_settled(struct wk_settle *settle)
{
    struct wk_ask           *ask = settle->data;
    const struct wk_attempt *attempt;

    if (settle->store.outcome != WK_STORE_DONE || !settle->is_found) {
        ask_end(ask, false);
        return;
    }
    if (settle->delivery.is_due && (ask->worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) wk_notify_deliver(ask->worker->notify, &settle->delivery);
    }
    attempt = wk_order_attempt(ask->order, ask->attempt_id);
    if (attempt == NULL || ph_attempt_is_proved(attempt->status)
        || ask->order->payment.status == PH_PAYMENT_CONFLICT)
    {
        ask_end(ask, true);
        return;
    }
    ask_next(ask);
}

void
wk_ask_start(struct wk_ask *ask)
{
    ask->is_answered = false;
    ask->is_kept     = false;
    ask_call(ask, ASK_QUERY, PH_OP_QUERY);
}

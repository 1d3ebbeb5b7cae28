/*
 * refund_ask.c - see refund_ask.h.
 *
 *   LOCKING --was another's--> RELOADING --final--> END
 *      | '--------------------------. | not final
 *      | created                    v v
 *      '-> BEGINNING -> CALLING   QUERYING -> SETTLING --may repeat--> CALLING
 *                          '--------> SETTLING -> END <-----------------'
 */
#include "worker/refund_ask.h"

#include <stddef.h>

#include "libpayhub/io/log.h"
#include "worker/order_face.h"

bool
wk_refund_face(const struct wk_worker *worker, struct wk_refund_rows *rows,
               struct ph_arena *arena, struct ph_channel_order *face)
{
    const struct wk_refund  *refund = &rows->refund;
    const struct wk_attempt *attempt
        = wk_order_attempt(&rows->order, refund->attempt_id);

    if (attempt == NULL) {
        return false;
    }
    *face = wk_order_face(worker, &rows->order.payment, attempt, arena);
    face->refund_id         = refund->id;
    face->channel_refund_no = refund->channel_refund_no;
    face->refund_reason     = refund->reason;
    face->refund_amount     = refund->amount;
    face->refund_ms         = ph_id_ms(refund->id);
    return true;
}

static void
ask_end(struct wk_refund_ask *ask)
{
    wk_lock_drop(&ask->lock);
    if (ask->account != NULL) {
        ask->account->use->inflight--;
        wk_account_release(ask->account);
    }
    ask->done(ask);
}

/* ---- the channel ---- */

static void ask_call(struct wk_refund_ask *ask, enum ph_channel_op kind);

static void
ask_on_settled(struct wk_refund_settle *settle)
{
    struct wk_refund_ask *ask = settle->data;

    wk_refund_settle_deliver(settle);
    if (settle->store.outcome == WK_STORE_DONE && settle->verdict.may_repeat
        && !ask->only_queries && !ask->has_repeated)
    {
        ask->has_repeated = true;
        ph_log(PH_LOG_WARN, "refund_repeated",
               { "order", ask->rows->order.payment.id },
               { "refund", ask->rows->refund.id });
        ask_call(ask, PH_OP_REFUND);
        return;
    }
    ask_end(ask);
}

/* What to judge by after a question: it, or the refusal that it bears out. */
static const struct ph_channel_result *
result_of(const struct wk_refund_ask *ask)
{
    return ask->has_refusal && ask->op.result.class == PH_RESULT_NOT_FOUND
               ? &ask->refusal
               : &ask->op.result;
}

/* Only the answer to the first call may say that nothing was sent. */
static void
ask_on_op(struct wk_op *op)
{
    struct wk_refund_ask    *ask    = op->data;
    struct wk_refund_settle *settle = &ask->settle;

    ask->was_asked = true;
    if (op->kind == PH_OP_REFUND && ask->has_repeated
        && (op->result.class == PH_RESULT_FAILED
            || op->result.class == PH_RESULT_CLOSED))
    {
        ask->has_refusal = true;
        ask->refusal     = op->result;
        ask_call(ask, PH_OP_REFUND_QUERY);
        return;
    }
    *settle = (struct wk_refund_settle){
        .worker   = ask->worker,
        .account  = ask->account,
        .arena    = ask->arena,
        .rows     = ask->rows,
        .evidence = { .source = op->kind == PH_OP_REFUND && !ask->has_repeated
                                    ? WK_SOURCE_ANSWER
                                    : WK_SOURCE_QUERY,
                      .result = result_of(ask),
                      .fence  = ask->lock.fence,
                      .config_error = op->config_error,
                      /* the row outlives the operation */
                      .state = ph_arena_dup(
                          ask->arena, ph_str_make((const char *) op->state,
                                                  op->state_len)) },
        .done     = ask_on_settled,
        .data     = ask
    };
    if (op->has_digest) {
        settle->evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    if (!wk_refund_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        ask_on_settled(settle);
    }
}

static void
ask_call(struct wk_refund_ask *ask, enum ph_channel_op kind)
{
    struct wk_op        *op    = &ask->op;
    const struct ph_str *state = &ask->rows->refund.state;

    *op = (struct wk_op){ .worker  = ask->worker,
                          .account = ask->account,
                          .kind    = kind,
                          .arena   = ask->arena,
                          .done    = ask_on_op,
                          .data    = ask };
    if (!wk_refund_face(ask->worker, ask->rows, ask->arena, &op->order)) {
        ask_end(ask);
        return;
    }
    if (state->len != 0 && state->len <= sizeof(op->state)) {
        memcpy(op->state, state->ptr, state->len);
        op->state_len = state->len;
    }
    wk_op_start(op);
}

/* ---- the beginning of one that is owed ---- */

static struct wk_refund_ask *
ask_of(struct wk_store_job *job)
{
    return (struct wk_refund_ask *) (void *) ((char *) job
                                              - offsetof(struct wk_refund_ask,
                                                         store));
}

static enum wk_plan
begin_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_refund_ask *ask    = ask_of(job);
    struct wk_refund     *refund = &ask->rows->refund;
    const struct ph_str   same   = { NULL, 0 };

    *refund        = ask->before;
    ask->has_begun = !job->raced;
    if (job->raced) {
        return WK_PLAN_DONE; /* somebody else has begun it */
    }
    refund->status     = PH_REFUND_PROCESSING;
    refund->sent_at_ms = wk_batch_now_ms(batch);
    if (ask->lock.fence > refund->fence) {
        refund->fence = ask->lock.fence;
    }
    return wk_batch_move(batch, &wk_refund_table, &ask->before, refund, same, 0)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static void
begin_done(struct wk_store_job *job)
{
    struct wk_refund_ask *ask = ask_of(job);

    if (job->outcome != WK_STORE_DONE || !ask->has_begun) {
        ask->rows->refund = ask->before;
        ask_end(ask);
        return;
    }
    ask->rows->refund.ver++;
    ask_call(ask, PH_OP_REFUND);
}

static void
ask_begin(struct wk_refund_ask *ask)
{
    ask->before = ask->rows->refund;
    ask->store
        = (struct wk_store_job){ .plan = begin_plan, .done = begin_done };
    if (!wk_store_submit(ask->worker->store, &ask->store)) {
        ask_end(ask);
    }
}

static void
ask_go(struct wk_refund_ask *ask)
{
    if (ask->rows->refund.status != PH_REFUND_CREATED) {
        ask_call(ask, PH_OP_REFUND_QUERY);
    } else if (ask->only_queries) {
        ask_end(ask);
    } else {
        ask_begin(ask);
    }
}

/* ---- whoever had the lock may have told what we would ask for ---- */

static void
reload_ask(struct wk_batch *batch, struct wk_store_job *job)
{
    struct wk_refund_ask *ask = ask_of(job);

    ask->want = (struct wk_want){ .by     = WK_WANT_REFUND,
                                  .key    = { ask->before.id },
                                  .arena  = ask->arena,
                                  .order  = &ask->rows->order,
                                  .refund = &ask->rows->refund };
    wk_batch_want(batch, &ask->want);
}

static enum wk_plan
reload_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    (void) batch;
    return ask_of(job)->want.found == WK_FOUND_ROW ? WK_PLAN_DONE
                                                   : WK_PLAN_FAILED;
}

static void
reload_done(struct wk_store_job *job)
{
    struct wk_refund_ask *ask = ask_of(job);

    if (job->outcome != WK_STORE_DONE
        || ph_refund_is_final(ask->rows->refund.status))
    {
        ask_end(ask);
        return;
    }
    ask_go(ask);
}

static void
ask_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct wk_refund_ask *ask = lock->data;

    if (answer == WK_LOCK_BUSY) {
        ask->was_locked = true;
        ask_end(ask);
    } else if (!lock->has_waited) {
        ask_go(ask);
    } else {
        ask->before = ask->rows->refund;
        ask->store  = (struct wk_store_job){ .ask  = reload_ask,
                                             .plan = reload_plan,
                                             .done = reload_done };
        if (!wk_store_submit(ask->worker->store, &ask->store)) {
            ask_end(ask);
        }
    }
}

/* ---- the beginning ---- */

static bool
account_hold(struct wk_refund_ask *ask)
{
    const struct wk_refund *refund = &ask->rows->refund;
    struct wk_account      *account
        = wk_account_find(ask->worker->accounts, refund->account_id);

    if (account == NULL) {
        ph_log(PH_LOG_ERROR, "account_gone", { "refund", refund->id },
               { "account", refund->account_id });
        return false;
    }
    if ((account->channel->caps & PH_CAP_REFUND) == 0) {
        return false;
    }
    ask->account = wk_account_hold(account);
    ask->account->use->inflight++;
    return true;
}

void
wk_refund_ask_start(struct wk_refund_ask *ask)
{
    const struct wk_payment *payment = &ask->rows->order.payment;

    if (!account_hold(ask)) {
        ask_end(ask);
        return;
    }
    ask->lock.done = ask_on_lock;
    ask->lock.data = ask;
    wk_lock_wait(ask->worker->locks, &ask->lock, payment->app_id,
                 payment->order_no, payment->fence, ask->lock_wait_ms);
}

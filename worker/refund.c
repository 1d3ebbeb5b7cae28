/*
 * refund.c - POST /v1/payments/{id}/refunds as an explicit state machine.
 *
 *   LOADING -> LOCKING --held, away--> INSERTING -> CALLING -> SETTLING -> END
 *      |          | busy for 2 s          | refused, or the number is another's
 *      |          v                       v                              ^
 *      |       LOOKING for the number's owner: replayed, or refused -----'
 *      '-- not there, replayed, refused (looked for once more) --> END
 *
 * Invariants, beside those of create.c:
 *   1. What is reserved and what is left are judged on the payment's row, read
 *      FOR UPDATE in the commit that reserves.
 *   2. A number that has an owner is told as it is before anything else is
 *      refused, so that a repeat never reads "no more is left".
 *   3. The refund's id is its number at the channel: sending it twice is one
 *      refund, so neither a lost lock nor a late commit holds the call back.
 */
#include "libpayhub/io/log.h"
#include "worker/answer.h"
#include "worker/crash.h"
#include "worker/refund_ask.h"
#include "worker/refund_insert.h"
#include "worker/refund_view.h"
#include "worker/route.h"

#define LOCK_WAIT_MS 2000

struct refund_job {
    struct wk_store_job store; /* first: load, insert, look */
    struct wk_worker   *worker;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark; /* behind what lives as long as the job */
    struct wk_request  *request;    /* NULL = answered */
    bool               is_telling; /* the call is under way: rows may be told */
    struct wk_account *account;
    struct wk_lock     lock;
    struct wk_timer   *deadline; /* of the request, not of the job */
    bool               is_overdue;
    char               request_id[WK_REQUEST_ID_TEXT_LEN + 1];

    struct wk_refund_request asked;
    struct ph_str            app_id;
    struct ph_str            payment_id;
    uint8_t                  hash[PH_SHA256_LEN];
    struct ph_id             refund_id;

    struct wk_refund_rows rows;   /* the payment; then our refund too */
    struct wk_payment     before; /* as the insert read it */
    struct wk_want        want;   /* the payment */
    struct wk_refund_rows owner;  /* of the number, when it has one */
    struct wk_want        want_owner;
    bool                  is_replay;

    bool          is_refused; /* by what follows, unless it is a replay */
    enum ph_error refusal;
    const char   *refusal_detail;

    struct wk_op            op;
    struct wk_refund_settle settle;
};

/* ---- answers ---- */

/* The one place that makes a refund's answer of a row. */
static void
refund_answer(struct refund_job *job, const struct wk_refund *refund)
{
    const bool is_unclear
        = refund->status == PH_REFUND_UNKNOWN
          || (refund->status == PH_REFUND_PROCESSING && job->is_overdue);
    struct wk_reply reply = { .type = PH_FRAME_RESULT };

    if (job->request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text(job->worker);

    wk_refund_view(text, refund);
    reply.body      = ph_buf_str(text);
    reply.order_id  = refund->payment_id;
    reply.channel   = refund->channel;
    reply.outcome   = ph_str_z(ph_refund_state_text(refund->status));
    reply.is_replay = job->is_replay;
    reply.status    = job->is_replay ? 200 : is_unclear ? 202 : 201;
    wk_crash_point("refund_before_reply");
    wk_reply(job->request, &reply);
    job->request = NULL;
}

static void
refund_refuse(struct refund_job *job, enum ph_frame_type type,
              enum ph_error error, const char *detail)
{
    wk_answer_refuse(&job->request, type, error, detail);
}

static void
refund_end(struct refund_job *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_lock_drop(&job->lock);
    if (job->account != NULL) {
        job->account->use->inflight--;
        wk_account_release(job->account);
    }
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

static void
refund_refuse_end(struct refund_job *job, enum ph_frame_type type,
                  enum ph_error error, const char *detail)
{
    refund_refuse(job, type, error, detail);
    refund_end(job);
}

/* The number had an owner before us: its refund as it is now, or 422. */
static void
refund_replay(struct refund_job *job)
{
    const struct wk_refund *owner = &job->owner.refund;
    const struct ph_str     ours
        = ph_str_make((const char *) job->hash, sizeof(job->hash));

    job->is_replay = true;
    if (ph_str_eq(job->want_owner.hash, ours)) {
        refund_answer(job, owner);
    } else if (owner->amount != job->asked.amount
               || !ph_str_eq(owner->payment_id, job->payment_id))
    {
        refund_refuse(job, PH_FRAME_RESULT, PH_ERROR_REFUND_MISMATCH,
                      "this refund_no belongs to another amount or payment");
    } else {
        refund_refuse(job, PH_FRAME_RESULT, PH_ERROR_MISMATCH,
                      "this refund_no was used with another body");
    }
    refund_end(job);
}

/* ---- settle ---- */

static void
refund_on_settled(struct wk_refund_settle *settle)
{
    struct refund_job *job = settle->data;

    if (settle->store.outcome != WK_STORE_DONE) {
        ph_log(PH_LOG_ERROR, "settle_failed", { "refund", job->rows.refund.id },
               { "request", ph_str_z(job->request_id) });
        refund_refuse_end(job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                          "the channel was called; ask by refund_no");
        return;
    }
    refund_answer(job, &job->rows.refund);
    wk_refund_settle_deliver(settle);
    refund_end(job);
}

static void
refund_on_op(struct wk_op *op)
{
    struct refund_job       *job    = op->data;
    struct wk_refund_settle *settle = &job->settle;

    *settle = (struct wk_refund_settle){
        .worker  = job->worker,
        .account = job->account,
        .arena   = job->arena,
        .rows    = &job->rows,
        .evidence
        = { .source       = WK_SOURCE_ANSWER,
            .result       = &op->result,
            .fence        = job->lock.fence,
            .config_error = op->config_error,
            .state = ph_str_make((const char *) op->state, op->state_len) },
        .done = refund_on_settled,
        .data = job
    };
    if (op->has_digest) {
        settle->evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    if (!wk_refund_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        refund_on_settled(settle);
    }
}

/* ---- the call ---- */

static void
refund_call(struct refund_job *job)
{
    struct wk_op *op = &job->op;

    job->is_telling = true;
    if (job->is_overdue) {
        refund_answer(job, &job->rows.refund);
    }
    *op = (struct wk_op){ .worker  = job->worker,
                          .account = job->account,
                          .kind    = PH_OP_REFUND,
                          .arena   = job->arena,
                          .done    = refund_on_op,
                          .data    = job };
    if (!wk_refund_face(job->worker, &job->rows, job->arena, &op->order)) {
        refund_refuse_end(job, PH_FRAME_RESULT, PH_ERROR_INTERNAL, "");
        return;
    }
    wk_op_start(op);
}

/* The caller waits no longer; the job goes on without it. */
static void
refund_on_deadline(void *data)
{
    struct refund_job *job = data;

    wk_timer_stop(&job->deadline);
    job->is_overdue = true;
    if (job->is_telling) {
        refund_answer(job, &job->rows.refund);
    }
}

/* ---- looking for the number's owner ---- */

static void
owner_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    job->want_owner
        = (struct wk_want){ .by     = WK_WANT_REFUND_NO,
                            .key    = { job->app_id, job->asked.refund_no },
                            .arena  = job->arena,
                            .order  = &job->owner.order,
                            .refund = &job->owner.refund };
    wk_batch_want(batch, &job->want_owner);
}

static void
rows_ask(struct wk_batch *batch, struct wk_store_job *store, bool is_locked)
{
    struct refund_job *job = (struct refund_job *) store;

    job->want = (struct wk_want){ .by        = WK_WANT_PAYMENT,
                                  .key       = { job->payment_id },
                                  .is_locked = is_locked,
                                  .arena     = job->arena,
                                  .order     = &job->rows.order };
    wk_batch_want(batch, &job->want);
}

static enum wk_plan
look_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    const struct refund_job *job = (struct refund_job *) store;

    (void) batch;
    return job->want_owner.found == WK_FOUND_FAILED ? WK_PLAN_FAILED
                                                    : WK_PLAN_DONE;
}

static void
look_done(struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    if (store->outcome != WK_STORE_DONE) {
        refund_refuse_end(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                          "the database is not to be reached");
    } else if (job->want_owner.found == WK_FOUND_ROW) {
        refund_replay(job);
    } else {
        refund_refuse_end(job, PH_FRAME_RESULT, job->refusal,
                          job->refusal_detail);
    }
}

static void
refund_submit(struct refund_job *job)
{
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        job->store.done(&job->store);
    }
}

/* Refused, unless the number has got an owner meanwhile. */
static void
refund_look(struct refund_job *job, enum ph_error refusal, const char *detail)
{
    job->refusal        = refusal;
    job->refusal_detail = detail;
    job->store          = (struct wk_store_job){ .ask  = owner_ask,
                                                 .plan = look_plan,
                                                 .done = look_done };
    refund_submit(job);
}

static void
leave_refuse(struct refund_job *job, enum wk_refund_leave leave)
{
    if (leave == WK_REFUND_LEAVE_OVER) {
        refund_look(job, PH_ERROR_OVER_REFUND,
                    "amount: expected at most what is paid and neither "
                    "refunded nor being refunded");
    } else {
        refund_look(job, PH_ERROR_STATE,
                    "expected a payment that is paid or paid_late");
    }
}

/* ---- the insert ---- */

/* That was paid; of a conflict that a person called paid, the one that the
 * channel told otherwise. */
static const struct wk_attempt *
paid_attempt(const struct wk_order *order)
{
    const struct wk_attempt *told = NULL;

    for (size_t i = 0; i < order->attempt_count; i++) {
        if (order->attempt[i].status == PH_ATTEMPT_SUCCEEDED) {
            return &order->attempt[i];
        }
        if (order->attempt[i].conflict_at_ms != 0) {
            told = &order->attempt[i];
        }
    }
    return ph_str_eq(order->payment.proof_source, PH_STR("person")) ? told
                                                                    : NULL;
}

static void
insert_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    job->is_replay   = job->is_replay || store->lost != 0;
    if (job->is_replay) {
        owner_ask(batch, store);
    } else {
        rows_ask(batch, store, true);
    }
}

static enum wk_plan
insert_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    if (job->is_replay) {
        return job->want_owner.found != WK_FOUND_FAILED ? WK_PLAN_DONE
                                                        : WK_PLAN_FAILED;
    }
    if (job->want.found != WK_FOUND_ROW) {
        return WK_PLAN_FAILED;
    }
    const struct wk_attempt *attempt = paid_attempt(&job->rows.order);
    enum wk_refund_leave     leave
        = wk_refund_leave(&job->rows.order.payment, job->asked.amount);

    job->is_refused = attempt == NULL || leave != WK_REFUND_LEAVE_OK;
    if (job->is_refused) {
        return WK_PLAN_DONE;
    }
    const struct wk_refund_birth birth
        = { .asked     = &job->asked,
            .refund_id = ph_str_z(job->refund_id.text),
            .attempt   = attempt,
            .hash  = ph_str_make((const char *) job->hash, sizeof(job->hash)),
            .fence = store->raced ? 0 : job->lock.fence,
            .first_look_ms = wk_conf(job->worker, PH_CONF_janitor_first_look) };

    return wk_refund_insert(batch, &birth, &job->before, &job->rows)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static void
insert_done(struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    if (store->outcome == WK_STORE_FAILED) {
        refund_refuse_end(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                          "the database is not to be reached");
        return;
    }
    if (store->outcome == WK_STORE_UNKNOWN) {
        refund_refuse_end(
            job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
            "the database did not confirm; no channel was called");
        return;
    }
    if (job->is_replay && job->want_owner.found == WK_FOUND_NONE) {
        refund_refuse_end(job, PH_FRAME_RESULT, PH_ERROR_REFUND_MISMATCH,
                          "this refund_no is of a refund that was archived");
        return;
    }
    if (job->is_replay) {
        refund_replay(job);
        return;
    }
    if (job->is_refused) {
        leave_refuse(
            job, wk_refund_leave(&job->rows.order.payment, job->asked.amount));
        return;
    }
    job->rows.order.payment.ver++;
    ph_log(PH_LOG_INFO, "refund_created",
           { "order", job->rows.order.payment.id },
           { "refund", job->rows.refund.id },
           { "request", ph_str_z(job->request_id) });
    refund_call(job);
}

static void
refund_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct refund_job *job = lock->data;

    if (answer == WK_LOCK_BUSY) {
        refund_look(job, PH_ERROR_IN_PROGRESS,
                    "another request works on this payment");
        return;
    }
    job->store
        = (struct wk_store_job){ .ask         = insert_ask,
                                 .plan        = insert_plan,
                                 .done        = insert_done,
                                 .crash_after = "refund_after_insert_commit" };
    refund_submit(job);
}

/* ---- the load ---- */

static void
load_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    owner_ask(batch, store);
    rows_ask(batch, store, false);
}

static enum wk_plan
load_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    const struct refund_job *job = (struct refund_job *) store;

    (void) batch;
    return job->want_owner.found == WK_FOUND_FAILED
                   || job->want.found == WK_FOUND_FAILED
               ? WK_PLAN_FAILED
               : WK_PLAN_DONE;
}

/* NULL, or why the account cannot be called now; BUSY when it only is full. */
static const char *
account_hold(struct refund_job *job, enum ph_error *error)
{
    const struct wk_attempt *attempt = paid_attempt(&job->rows.order);

    if (attempt == NULL) {
        *error = PH_ERROR_STATE;
        return "no attempt of this payment was paid";
    }
    struct wk_account *account
        = wk_account_find(job->worker->accounts, attempt->account_id);

    *error = PH_ERROR_NOT_EXECUTED;
    if (account == NULL) {
        return "the account of this payment is not usable now";
    }
    if ((account->channel->caps & PH_CAP_REFUND) == 0) {
        *error = PH_ERROR_STATE;
        return "this channel takes no refunds";
    }
    if (account->use->inflight
        >= (size_t) wk_conf(job->worker, PH_CONF_pay_max_inflight_account))
    {
        return "too many calls of this account are under way";
    }
    job->account = wk_account_hold(account);
    job->account->use->inflight++;
    return NULL;
}

static void
refund_lock(struct refund_job *job)
{
    const struct wk_payment *payment = &job->rows.order.payment;
    enum ph_error            error;
    const char              *why = account_hold(job, &error);

    if (why != NULL) {
        refund_refuse_end(
            job, error == PH_ERROR_STATE ? PH_FRAME_RESULT : PH_FRAME_BUSY,
            error, why);
        return;
    }
    job->lock.done = refund_on_lock;
    job->lock.data = job;
    wk_lock_wait(job->worker->locks, &job->lock, payment->app_id,
                 payment->order_no, payment->fence, LOCK_WAIT_MS);
}

static void
load_done(struct wk_store_job *store)
{
    struct refund_job       *job     = (struct refund_job *) store;
    const struct wk_payment *payment = &job->rows.order.payment;

    if (store->outcome != WK_STORE_DONE) {
        refund_refuse_end(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                          "the database is not to be reached");
        return;
    }
    if (job->want.found != WK_FOUND_ROW
        || !ph_str_eq(payment->app_id, job->app_id)) {
        refund_refuse_end(job, PH_FRAME_RESULT, PH_ERROR_NOT_FOUND, "");
        return;
    }
    if (job->want_owner.found == WK_FOUND_ROW) {
        refund_replay(job);
        return;
    }
    enum wk_refund_leave leave = wk_refund_leave(payment, job->asked.amount);

    if (leave != WK_REFUND_LEAVE_OK) {
        leave_refuse(job, leave);
        return;
    }
    refund_lock(job);
}

/* ---- the beginning ---- */

static void
refund_deadline_start(struct refund_job *job)
{
    job->deadline = wk_timer_start(job->worker, wk_answer_wait_ms(job->request),
                                   refund_on_deadline, job);
}

static bool
refund_parse(struct refund_job *job)
{
    struct wk_request_fault fault;

    if (wk_refund_request_parse(job->request->frame.body, job->arena,
                                &job->asked, &fault))
    {
        return true;
    }
    const struct ph_problem problem = { .error       = fault.error,
                                        .detail      = fault.detail,
                                        .places      = fault.places,
                                        .place_count = fault.place_count };

    wk_reply_problem(job->request, PH_FRAME_RESULT, &problem, NULL);
    job->request = NULL;
    return false;
}

static struct refund_job *
refund_new(struct wk_request *request, struct wk_block *block,
           struct ph_str payment_id)
{
    struct refund_job *job
        = ph_arena_take(&block->arena, sizeof(*job)); /* always fits */

    job->worker     = request->worker;
    job->block      = block;
    job->arena      = &block->arena;
    job->request    = request;
    job->app_id     = ph_arena_dup(job->arena, request->app_id);
    job->payment_id = ph_arena_dup(job->arena, payment_id);
    memcpy(job->request_id, request->id_text, sizeof(job->request_id));
    wk_job_begin(job->worker);
    return job;
}

void
wk_refund_create(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_block    *block;
    const struct ph_str hashed[]
        = { match->star[0], PH_STR("\n"), request->frame.body };

    if (!wk_media_type_is_json(
            ph_field_find(request->frame.meta, PH_FIELD_CONTENT_TYPE)))
    {
        wk_reply_error(request, PH_ERROR_MEDIA_TYPE,
                       "expected application/json");
        return;
    }
    if (request->query.ptr != NULL) {
        wk_reply_error(request, PH_ERROR_UNKNOWN_MEMBER,
                       "expected no query parameters");
        return;
    }
    if (!ph_id_is(match->star[0], PH_ID_PAYMENT)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        return;
    }
    block = wk_block_take(request->worker);
    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct refund_job *job = refund_new(request, block, match->star[0]);

    if (!refund_parse(job)) {
        refund_end(job);
        return;
    }
    if (!ph_sha256(hashed, PH_COUNT(hashed), job->hash)) {
        refund_refuse_end(job, PH_FRAME_RESULT, PH_ERROR_INTERNAL, "");
        return;
    }
    job->refund_id
        = wk_id_make(job->worker, PH_ID_REFUND, ph_id_shard(job->payment_id));
    job->arena_mark = job->arena->len;
    refund_deadline_start(job);
    job->store = (struct wk_store_job){ .ask  = load_ask,
                                        .plan = load_plan,
                                        .done = load_done };
    refund_submit(job);
}

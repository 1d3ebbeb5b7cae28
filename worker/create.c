/*
 * create.c - POST /v1/payments as an explicit state machine.
 *
 *   LOCKING --held, away--> INSERTING --ours--> CALLING --> SETTLING --> END
 *      |  ^                     '--another's--> (replayed)                ^
 *      | busy                                                             |
 *      v  | no row yet, 50 ms                                             |
 *   LOOKING ------- row: (replayed), 2 s: 409 ----------------------------'
 *
 * Invariants:
 *   1. The attempt is committed as `sent` before the first byte leaves; what
 *      cannot be committed is never called.
 *   2. After the call only rows tell what happened: if they cannot be written
 *      the answer is UNKNOWN and the attempt stays `sent`.
 *   3. The request is answered exactly once; the job may outlive it.
 *   4. The lock is given back after the last commit.
 *   5. LOCKING asks, before the lock and on the same link, whether the call was
 *      seen on any host; a replay is refused, having done nothing.
 */
#include <strings.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/lock.h"
#include "worker/notify.h"
#include "worker/health.h"
#include "worker/offer.h"
#include "worker/op.h"
#include "worker/order_face.h"
#include "worker/order_insert.h"
#include "worker/payment_request.h"
#include "worker/payment_view.h"
#include "worker/route.h"
#include "worker/rows.h"
#include "worker/settle.h"

#define LOOK_EVERY_MS 50
#define LOOK_FOR_MS 2000
#define NS_PER_MS UINT64_C(1000000)

enum create_state {
    CREATE_LOCKING = 1,
    CREATE_LOOKING,
    CREATE_INSERTING,
    CREATE_CALLING,
    CREATE_SETTLING
};

struct create {
    struct wk_store_job store; /* first: insert and look */
    struct wk_worker   *worker;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark; /* behind what lives as long as the job */
    struct wk_request  *request;    /* NULL = answered */
    enum create_state   state;
    struct wk_account  *account; /* NULL = none: only a replay is possible */
    enum ph_frame_type  no_account_type;
    enum ph_error       no_account;
    const char         *no_account_detail;
    struct wk_lock      lock; /* until after the last commit, if granted */
    enum wk_lock_answer lock_answer;
    bool                lock_is_known;
    bool                nonce_is_known;
    struct wk_timer    *deadline; /* of the request, not of the job */
    bool                is_overdue;
    struct wk_timer    *pause;
    uint64_t            arrived_ns;
    uint64_t            insert_ns; /* when the insert was handed over */
    char                request_id[WK_REQUEST_ID_TEXT_LEN + 1];

    struct wk_payment_request asked;
    struct ph_str             app_id;
    struct ph_str             merchant_id;
    uint8_t                   hash[PH_SHA256_LEN]; /* of the raw body */
    struct ph_id              payment_id;
    struct ph_id              attempt_id;
    struct ph_str             shard; /* characters of the id */

    struct wk_order order;     /* ours, or the one that was here before */
    bool            is_replay; /* the number has another owner */
    struct ph_str   owner_hash;
    enum wk_found   looked;

    enum wk_offer offer;
    char          health[WK_HEALTH_ITEM];
    size_t        health_len;

    struct wk_op     op;     /* while CALLING */
    struct wk_settle settle; /* while SETTLING: the store thread's */
};

static void create_lock(struct create *job);

/* ---- answers ---- */

static bool
order_is_unclear(const struct wk_order *order)
{
    const struct wk_attempt *newest = &order->attempt[order->attempt_count - 1];

    return order->payment.status == PH_PAYMENT_PAYING
           && (newest->status == PH_ATTEMPT_UNKNOWN
               || newest->status == PH_ATTEMPT_SENT);
}

static void
create_answer(struct create *job)
{
    const struct wk_payment *payment = &job->order.payment;
    struct wk_reply          reply   = { .type = PH_FRAME_RESULT };

    if (job->request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text(job->worker);

    wk_payment_view(text, &job->order);
    reply.body      = ph_buf_str(text);
    reply.order_id  = payment->id;
    reply.channel   = payment->channel;
    reply.outcome   = ph_str_z(ph_payment_state_text(payment->status));
    reply.health    = ph_str_make(job->health, job->health_len);
    reply.is_replay = job->is_replay;
    reply.status    = job->is_replay                  ? 200
                      : order_is_unclear(&job->order) ? 202
                                                      : 201;
    wk_reply(job->request, &reply);
    job->request = NULL;
}

static void
create_refuse(struct create *job, enum ph_frame_type type, enum ph_error error,
              const char *detail)
{
    const struct ph_problem problem
        = { .error = error, .detail = ph_str_z(detail) };
    const bool again_soon
        = error == PH_ERROR_IN_PROGRESS || error == PH_ERROR_NOT_EXECUTED;
    const struct wk_reply more = { .retry_after_s = again_soon ? 1 : 0 };

    if (job->request != NULL) {
        wk_reply_problem(job->request, type, &problem, &more);
        job->request = NULL;
    }
}

static void
create_end(struct create *job)
{
    struct wk_worker *worker = job->worker;

    wk_timer_stop(&job->deadline);
    wk_timer_stop(&job->pause);
    wk_lock_drop(&job->lock);
    if (job->account != NULL) {
        job->account->inflight--;
        wk_account_release(job->account);
    }
    wk_block_give(worker, job->block);
    wk_job_end(worker);
}

/* The number had an owner before us: its payment as it is now, or 422. */
static void
create_replay(struct create *job)
{
    const struct ph_str ours
        = ph_str_make((const char *) job->hash, sizeof(job->hash));

    job->is_replay = true;
    if (ph_str_eq(job->owner_hash, ours)) {
        create_answer(job);
    } else {
        create_refuse(job, PH_FRAME_RESULT, PH_ERROR_MISMATCH,
                      "this order_no was used with another body");
    }
    create_end(job);
}

/* ---- settle ---- */

static void
create_on_settled(struct wk_settle *settle)
{
    struct create *job = settle->data;

    if (settle->store.outcome != WK_STORE_DONE) {
        ph_log(PH_LOG_ERROR, "settle_failed",
               { "order", job->order.payment.id },
               { "request", ph_str_z(job->request_id) });
        create_refuse(job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                      "the channel was called; ask by order_no");
        create_end(job);
        return;
    }
    create_answer(job);
    if (settle->delivery.is_due && (job->worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) wk_notify_deliver(job->worker->notify, &settle->delivery);
    }
    create_end(job);
}

static void
create_settle(struct create *job)
{
    struct wk_op     *op     = &job->op;
    struct wk_settle *settle = &job->settle;

    job->state = CREATE_SETTLING;
    *settle    = (struct wk_settle){
           .worker     = job->worker,
           .arena      = job->arena,
           .attempt_id = ph_str_z(job->attempt_id.text),
           .is_fresh   = true,
           .order      = &job->order,
           .evidence
           = { .source       = WK_SOURCE_ANSWER,
               .result       = &op->result,
               .fence        = job->lock.fence,
               .config_error = op->config_error,
               .state = ph_str_make((const char *) op->state, op->state_len) },
           .done = create_on_settled,
           .data = job
    };
    if (op->has_digest) {
        settle->evidence.digest
            = ph_str_make((const char *) op->digest, sizeof(op->digest));
    }
    if (!wk_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        create_on_settled(settle);
    }
}

/* ---- the call ---- */

static void
create_on_op(struct wk_op *op)
{
    struct create *job  = op->data;
    struct ph_buf  item = PH_BUF_INIT(job->health);

    wk_health_item(&item, op);
    if (job->request != NULL) {
        job->health_len = item.len;
    } else {
        wk_health_later(job->worker, ph_buf_str(&item));
    }
    create_settle(job);
}

/* A commit that took too long, or a lock that was lost meanwhile: somebody
 * may already be asking the channel about this attempt, so it stays unsent,
 * which is proof enough. */
static bool
create_is_too_late(const struct create *job)
{
    uint64_t passed_ms = (ph_monotonic_ns() - job->insert_ns) / NS_PER_MS;

    return passed_ms
               >= (uint64_t) wk_conf(job->worker, PH_CONF_pay_channel_deadline)
           || (job->lock.fence != 0 && !wk_lock_is_ours(&job->lock));
}

static void
create_call(struct create *job)
{
    struct wk_op *op = &job->op;

    job->state = CREATE_CALLING;
    if (job->is_overdue) {
        create_answer(job);
    }
    *op       = (struct wk_op){ .worker  = job->worker,
                                .account = job->account,
                                .kind    = PH_OP_CREATE,
                                .arena   = job->arena,
                                .done    = create_on_op,
                                .data    = job };
    op->order = wk_order_face(job->worker, &job->order.payment,
                              &job->order.attempt[0], job->arena);
    if (create_is_too_late(job)) {
        op->result = (struct ph_channel_result){
            .class       = PH_RESULT_NOT_SENT,
            .amount      = -1,
            .error_class = PH_STR("too_late"),
            .message     = PH_STR("too late to call; nothing was sent")
        };
        create_settle(job);
        return;
    }
    wk_op_start(op);
}

/* The caller waits no longer; the job goes on without it.  Before the rows
 * stand there is nothing to tell: then the answer comes with them. */
static void
create_on_deadline(void *data)
{
    struct create *job = data;

    wk_timer_stop(&job->deadline);
    job->is_overdue = true;
    if (job->state == CREATE_CALLING || job->state == CREATE_SETTLING) {
        create_answer(job);
    }
}

/* ---- the insert ---- */

/* The payment that has the number, from rows as they are now.  A run before
 * this one may have left half of it in the arena. */
static enum wk_found
owner_load(struct wk_db *db, struct create *job)
{
    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    return wk_order_load_by_no(db, job->arena, job->app_id, job->asked.order_no,
                               &job->order, &job->owner_hash);
}

/* When the number turns out to have an owner everything is rolled back, and the
 * second run only reads. */
static enum wk_run
insert_run(struct wk_db *db, struct wk_store_job *store)
{
    struct create              *job = (struct create *) store;
    const struct wk_order_birth birth
        = { .asked         = &job->asked,
            .app_id        = job->app_id,
            .merchant_id   = job->merchant_id,
            .payment_id    = ph_str_z(job->payment_id.text),
            .attempt_id    = ph_str_z(job->attempt_id.text),
            .channel       = ph_str_z(job->account->channel->name),
            .account_id    = job->account->face.id,
            .hash          = job->hash,
            .fence         = job->lock.fence,
            .first_look_ms = wk_conf(job->worker, PH_CONF_janitor_first_look) };
    bool is_ours;

    if (job->is_replay) {
        job->looked = owner_load(db, job);
        return job->looked == WK_FOUND_ROW ? WK_RUN_DONE : WK_RUN_FAILED;
    }
    if (!wk_order_insert(db, &birth, &job->order, &is_ours)) {
        return WK_RUN_FAILED;
    }
    job->is_replay = !is_ours;
    return is_ours ? WK_RUN_DONE : WK_RUN_AGAIN;
}

static void
insert_done(struct wk_store_job *store)
{
    struct create *job = (struct create *) store;

    switch (store->outcome) {
    case WK_STORE_FAILED:
        create_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                      "the database is not to be reached");
        create_end(job);
        return;
    case WK_STORE_UNKNOWN:
        create_refuse(job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                      "the database did not confirm; no channel was called");
        create_end(job);
        return;
    case WK_STORE_DONE:
        break;
    }
    if (job->is_replay) {
        create_replay(job);
        return;
    }
    ph_log(PH_LOG_INFO, "payment_created", { "order", job->order.payment.id },
           { "attempt", job->order.attempt[0].id },
           { "request", ph_str_z(job->request_id) },
           { "account", job->account->face.id });
    create_call(job);
}

static void
create_insert(struct create *job)
{
    job->state     = CREATE_INSERTING;
    job->insert_ns = ph_monotonic_ns();
    job->store     = (struct wk_store_job){ .writes      = true,
                                            .run         = insert_run,
                                            .done        = insert_done,
                                            .crash_after = "after_insert_commit" };
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        insert_done(&job->store);
    }
}

/* ---- the lock is somebody else's ---- */

static enum wk_run
look_run(struct wk_db *db, struct wk_store_job *store)
{
    struct create *job = (struct create *) store;

    job->looked = owner_load(db, job);
    return job->looked == WK_FOUND_FAILED ? WK_RUN_FAILED : WK_RUN_DONE;
}

static void
look_again(void *data)
{
    struct create *job = data;

    wk_timer_stop(&job->pause);
    create_lock(job);
}

static void
look_done(struct wk_store_job *store)
{
    struct create *job = (struct create *) store;
    uint64_t passed_ms = (ph_monotonic_ns() - job->arrived_ns) / NS_PER_MS;

    if (store->outcome != WK_STORE_DONE) {
        create_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                      "the database is not to be reached");
        create_end(job);
        return;
    }
    if (job->looked == WK_FOUND_ROW) {
        create_replay(job);
        return;
    }
    if (job->account == NULL) {
        create_refuse(job, job->no_account_type, job->no_account,
                      job->no_account_detail);
        create_end(job);
        return;
    }
    if (passed_ms < LOOK_FOR_MS) {
        job->pause
            = wk_timer_start(job->worker, LOOK_EVERY_MS, look_again, job);
        if (job->pause != NULL) {
            return;
        }
    }
    create_refuse(job, PH_FRAME_RESULT, PH_ERROR_IN_PROGRESS, "");
    create_end(job);
}

static void
create_look(struct create *job)
{
    job->state = CREATE_LOOKING;
    job->store = (struct wk_store_job){ .run = look_run, .done = look_done };
    if (!wk_store_submit(job->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        look_done(&job->store);
    }
}

/* Lock and nonce are asked together; the later answer goes on. */
static void
create_go(struct create *job)
{
    if (!job->lock_is_known || !job->nonce_is_known) {
        return;
    }
    if (wk_nonce_refuse(job->request)) {
        job->request = NULL;
        create_end(job);
    } else if (job->lock_answer == WK_LOCK_BUSY) {
        create_look(job);
    } else {
        create_insert(job);
    }
}

static void
create_on_nonce(struct wk_nonce *nonce)
{
    struct create *job = nonce->data;

    job->nonce_is_known = true;
    create_go(job);
}

static void
create_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct create *job = lock->data;

    job->lock_is_known = true;
    job->lock_answer   = answer;
    create_go(job);
}

static void
create_lock(struct create *job)
{
    job->state         = CREATE_LOCKING;
    job->lock_is_known = false;
    job->lock.done     = create_on_lock;
    job->lock.data     = job;
    wk_lock_take(job->worker->locks, &job->lock, job->app_id,
                 job->asked.order_no, job->shard, 0);
}

/* ---- the beginning ---- */

static bool
create_ids_make(struct create *job)
{
    unsigned shard;

    if (!ph_shard_of(job->app_id, job->asked.order_no, &shard)) {
        return false;
    }
    job->payment_id = wk_id_make(job->worker, PH_ID_PAYMENT, shard);
    job->attempt_id = wk_id_make(job->worker, PH_ID_ATTEMPT, shard);
    job->shard      = ph_str_make(job->payment_id.text + 11, 2);
    return true;
}

static void
create_deadline_start(struct create *job)
{
    uint64_t ms = (uint64_t) wk_conf(job->worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = job->request->frame.ms_left;

    if (left_ms != 0 && left_ms < ms) {
        ms = left_ms;
    }
    job->deadline = wk_timer_start(job->worker, ms, create_on_deadline, job);
}

static bool
media_type_is_json(struct ph_str type)
{
    struct ph_str name = type, rest;

    (void) ph_str_cut(type, ';', &name, &rest);
    name = ph_str_trim(name);
    return type.ptr == NULL
           || (name.len == 16
               && strncasecmp(name.ptr, "application/json", 16) == 0);
}

static struct create *
create_new(struct wk_request *request, struct wk_block *block)
{
    struct create *job
        = ph_arena_take(&block->arena, sizeof(*job)); /* always fits */

    job->worker      = request->worker;
    job->block       = block;
    job->arena       = &block->arena;
    job->request     = request;
    job->arrived_ns  = request->arrived_ns;
    job->app_id      = ph_arena_dup(job->arena, request->app_id);
    job->merchant_id = ph_arena_dup(job->arena, request->merchant_id);
    memcpy(job->request_id, request->id_text, sizeof(job->request_id));
    wk_job_begin(job->worker);
    return job;
}

static bool
create_parse(struct create *job)
{
    const struct wk_request_rules rules
        = { .expires_min_s
            = wk_conf(job->worker, PH_CONF_pay_expires_min) / 1000,
            .allow_loopback
            = wk_conf(job->worker, PH_CONF_notify_allow_loopback) != 0 };
    struct wk_request_fault fault;

    if (wk_payment_request_parse(job->request->frame.body, &rules, job->arena,
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

static void
create_choose(struct create *job)
{
    const struct wk_choice choice
        = { .app_id     = job->app_id,
            .method     = job->asked.method,
            .forced     = job->asked.account,
            .frame_meta = job->request->frame.meta,
            .is_routed  = job->offer != WK_OFFER_NONE,
            .inflight_max
            = (size_t) wk_conf(job->worker, PH_CONF_pay_max_inflight_account) };
    struct wk_account *account
        = wk_account_choose(job->worker->accounts, &choice);

    job->no_account_type = PH_FRAME_RESULT;
    if (ph_str_eq(job->asked.method, PH_STR("qr"))) {
        job->no_account        = PH_ERROR_NOT_FOUND;
        job->no_account_detail = "the cashier's method qr is not there yet";
    } else if (account == NULL && job->offer == WK_OFFER_OUT) {
        job->no_account = PH_ERROR_NOT_EXECUTED;
        job->no_account_detail
            = "no account of the rule can take a payment now";
    } else if (account == NULL) {
        job->no_account = PH_ERROR_NO_ACCOUNT;
        job->no_account_detail
            = "no active account of this app offers the method";
    } else if (account->inflight >= choice.inflight_max) {
        job->no_account_type   = PH_FRAME_BUSY;
        job->no_account        = PH_ERROR_NOT_EXECUTED;
        job->no_account_detail = "too many calls of this account are under way";
    } else {
        job->account = wk_account_hold(account);
        job->account->inflight++;
    }
}

void
wk_payment_create(struct wk_request           *request,
                  const struct wk_route_match *match)
{
    struct wk_block    *block;
    const struct ph_str body = request->frame.body;

    (void) match;
    if (!media_type_is_json(
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
    block = wk_block_take(request->worker);
    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct create *job = create_new(request, block);

    if (!create_parse(job)) {
        create_end(job);
        return;
    }
    job->offer = wk_offer_read(request->frame.meta, &job->asked);
    if (job->offer == WK_OFFER_DIFFERS) {
        create_refuse(job, PH_FRAME_RESULT, PH_ERROR_BAD_REQUEST,
                      "expected method, currency, amount, account and what a "
                      "route reads of metadata without escapes");
        create_end(job);
        return;
    }
    create_choose(job);
    if (!ph_sha256(&body, 1, job->hash) || !create_ids_make(job)) {
        create_refuse(job, PH_FRAME_RESULT, PH_ERROR_INTERNAL, "");
        create_end(job);
        return;
    }
    job->arena_mark = job->arena->len;
    create_deadline_start(job);
    if (job->account == NULL) { /* nothing is done without the lock, either */
        job->lock_answer   = WK_LOCK_BUSY;
        job->lock_is_known = true;
        wk_nonce_ask(request, job->shard, create_on_nonce, job);
    } else {
        wk_nonce_ask(request, job->shard, create_on_nonce, job);
        create_lock(job);
    }
}

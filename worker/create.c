/*
 * create.c - POST /v1/payments as an explicit state machine.
 *
 *   LOCKING --held, away--> INSERTING --ours--> CALLING <-> SETTLING --> END
 *      |  ^                     '--another's--> (replayed)                ^
 *      | busy                                                             |
 *      v  | no row yet: until it is free, 500 ms                          |
 *   LOOKING ------- row: (replayed), 2 s: 409 ----------------------------'
 *
 * Invariants:
 *   1. The attempt is committed as `sent` before the first byte leaves; what
 *      cannot be committed is never called.  So is each further attempt, in the
 *      commit that says that nothing came of the one before.
 *   2. After the call only rows tell what happened: if they cannot be written
 *      the answer is UNKNOWN and the attempt stays `sent`.
 *   3. The request is answered exactly once; the job may outlive it.
 *   4. The lock is given back after the last commit.
 *   5. LOCKING asks, before the lock and on the same link, whether the call was
 *      seen on any host; a replay is refused, having done nothing.
 */
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/answer.h"
#include "worker/create_int.h"
#include "worker/methods.h"
#include "worker/order_insert.h"
#include "worker/rows.h"

/* While the lock is another's: the first look soon, since its insert is a
 * matter of milliseconds; later ones seldom, the release wakes us. */
#define LOOK_FIRST_MS 20
#define LOOK_EVERY_MS 500
#define LOOK_FOR_MS 2000
#define MS_PER_S 1000

static void create_lock(struct create *job, uint64_t wait_ms);

/* ---- deadline ---- */

/* The caller waits no longer; the job goes on without it.  Before the rows
 * stand there is nothing to tell: then the answer comes with them. */
static void
create_on_deadline(void *data)
{
    struct create *job = data;

    wk_timer_stop(&job->deadline);
    job->is_overdue = true;
    if (job->state == CREATE_CALLING || job->state == CREATE_SETTLING) {
        wk_create_answer(job);
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

/* Once the number turned out to have an owner its rows are all we want. */
static void
insert_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct create *job = (struct create *) store;

    job->is_replay   = (store->lost & (1u << WK_PAYMENT_NO)) != 0;
    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    job->want        = (struct wk_want){ .by    = WK_WANT_ORDER_NO,
                                         .key   = { job->app_id, job->asked.order_no },
                                         .arena = job->arena,
                                         .order = &job->order };
    if (job->is_replay) {
        wk_batch_want(batch, &job->want);
    }
}

static enum wk_plan
insert_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    struct create              *job = (struct create *) store;
    const struct wk_order_birth birth
        = { .asked         = &job->asked,
            .app_id        = job->app_id,
            .merchant_id   = job->merchant_id,
            .payment_id    = ph_str_z(job->payment_id.text),
            .attempt_id    = ph_str_z(job->attempt_ids[0].text),
            .channel       = ph_str_z(job->account->channel->name),
            .account_id    = job->account->face.id,
            .hash          = job->hash,
            .fence         = job->lock.fence,
            .first_look_ms = wk_conf(job->worker, PH_CONF_janitor_first_look) };

    if (job->is_replay) {
        job->looked     = job->want.found;
        job->owner_hash = job->want.hash;
        return job->looked != WK_FOUND_FAILED ? WK_PLAN_DONE : WK_PLAN_FAILED;
    }
    return wk_order_insert(batch, &birth, &job->order) ? WK_PLAN_DONE
                                                       : WK_PLAN_AGAIN;
}

static void
insert_done(struct wk_store_job *store)
{
    struct create *job = (struct create *) store;

    switch (store->outcome) {
    case WK_STORE_FAILED:
        wk_create_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                         "the database is not to be reached");
        wk_create_end(job);
        return;
    case WK_STORE_UNKNOWN:
        wk_create_refuse(job, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                         "the database did not confirm; no channel was called");
        wk_create_end(job);
        return;
    case WK_STORE_DONE:
        break;
    }
    if (job->is_replay && job->looked == WK_FOUND_NONE) {
        wk_create_refuse(job, PH_FRAME_RESULT, PH_ERROR_STATE,
                         "this order_no is of a payment that was archived");
        wk_create_end(job);
        return;
    }
    if (job->is_replay) {
        wk_create_replay(job);
        return;
    }
    ph_log(PH_LOG_INFO, "payment_created", { "order", job->order.payment.id },
           { "attempt", job->order.attempt[0].id },
           { "request", ph_str_z(job->request_id) },
           { "account", job->account->face.id });
    wk_create_call(job);
}

static void
create_insert(struct create *job)
{
    job->state     = CREATE_INSERTING;
    job->insert_ns = ph_monotonic_ns();
    job->store     = (struct wk_store_job){ .ask         = insert_ask,
                                            .plan        = insert_plan,
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

static uint64_t
look_wait_ms(uint64_t passed_ms)
{
    uint64_t left_ms = LOOK_FOR_MS - passed_ms;

    if (passed_ms < LOOK_FIRST_MS) {
        return LOOK_FIRST_MS;
    }
    return left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS;
}

static void
look_done(struct wk_store_job *store)
{
    struct create *job = (struct create *) store;
    uint64_t passed_ms = (ph_monotonic_ns() - job->arrived_ns) / NS_PER_MS;

    if (store->outcome != WK_STORE_DONE) {
        wk_create_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                         "the database is not to be reached");
        wk_create_end(job);
        return;
    }
    if (job->looked == WK_FOUND_ROW) {
        wk_create_replay(job);
        return;
    }
    if (job->account == NULL) {
        wk_create_refuse(job, job->no_account_type, job->no_account,
                         job->no_account_detail);
        wk_create_end(job);
        return;
    }
    if (passed_ms < LOOK_FOR_MS) {
        create_lock(job, look_wait_ms(passed_ms));
        return;
    }
    wk_create_refuse(job, PH_FRAME_RESULT, PH_ERROR_IN_PROGRESS, "");
    wk_create_end(job);
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
        wk_create_end(job);
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
create_lock(struct create *job, uint64_t wait_ms)
{
    job->state         = CREATE_LOCKING;
    job->lock_is_known = false;
    job->lock.done     = create_on_lock;
    job->lock.data     = job;
    wk_lock_wait(job->worker->locks, &job->lock, job->app_id,
                 job->asked.order_no, 0, wait_ms);
}

/* ---- the beginning ---- */

static bool
create_ids_make(struct create *job)
{
    unsigned shard;

    if (!ph_shard_of(job->app_id, job->asked.order_no, &shard)) {
        return false;
    }
    job->payment_id     = wk_id_make(job->worker, PH_ID_PAYMENT, shard);
    job->attempt_ids[0] = wk_id_make(job->worker, PH_ID_ATTEMPT, shard);
    job->shard          = ph_str_make(job->payment_id.text + 11, 2);
    return true;
}

static void
create_deadline_start(struct create *job)
{
    job->deadline = wk_timer_start(job->worker, wk_answer_wait_ms(job->request),
                                   create_on_deadline, job);
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
    struct wk_methods_now         now;
    const struct wk_request_rules rules
        = { .expires_min_s
            = wk_conf(job->worker, PH_CONF_pay_expires_min) / 1000,
            .allow_loopback
            = wk_conf(job->worker, PH_CONF_notify_allow_loopback) != 0,
            .methods = wk_methods_read(job->worker, &now) };
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

struct wk_account *
wk_create_account(struct create *job)
{
    const uint64_t                now_ms = ph_now_ms();
    const struct ph_channel_order order
        = { .method        = job->asked.method,
            .amount        = job->asked.amount,
            .currency      = job->asked.currency,
            .subject       = job->asked.subject,
            .description   = job->asked.description,
            .return_url    = job->asked.return_url,
            .client_ip     = job->asked.client_ip,
            .extra         = job->asked.extra,
            .created_at_ms = now_ms,
            .expires_at_ms
            = now_ms + (uint64_t) job->asked.expires_in_s * MS_PER_S };
    const struct wk_choice choice
        = { .app_id     = job->app_id,
            .method     = job->asked.method,
            .forced     = job->asked.account,
            .frame_meta = job->request->frame.meta,
            .is_routed  = job->offer != WK_OFFER_NONE,
            .inflight_max
            = (size_t) wk_conf(job->worker, PH_CONF_pay_max_inflight_account),
            .tried       = job->order.attempt,
            .tried_count = job->order.attempt_count,
            .order       = &order,
            .why         = &job->no_account_detail };

    return wk_account_choose(job->worker->accounts, &choice);
}

/* false = refused: all that fit are full.  Not even a look at the rows is
 * taken then, or those who are refused would take the room of those who pay. */
static bool
create_choose(struct create *job)
{
    struct wk_account *account;
    size_t             inflight_max
        = (size_t) wk_conf(job->worker, PH_CONF_pay_max_inflight_account);

    job->no_account_type   = PH_FRAME_RESULT;
    job->no_account_detail = "no active account of this app offers the method";
    account                = wk_create_account(job);
    if (ph_str_eq(job->asked.method, PH_STR("qr"))) {
        job->no_account        = PH_ERROR_NOT_FOUND;
        job->no_account_detail = "the cashier's method qr is not there yet";
    } else if (account == NULL && job->offer == WK_OFFER_OUT) {
        job->no_account = PH_ERROR_NOT_EXECUTED;
        job->no_account_detail
            = "no account of the rule can take a payment now";
    } else if (account == NULL && !wk_accounts_are_fresh(job->worker->accounts))
    {
        job->no_account_type   = PH_FRAME_BUSY;
        job->no_account        = PH_ERROR_NOT_EXECUTED;
        job->no_account_detail = "the accounts are not read yet";
    } else if (account == NULL) {
        job->no_account = PH_ERROR_NO_ACCOUNT;
    } else if (!wk_account_has_room(account, job->app_id, inflight_max)) {
        wk_create_refuse(job, PH_FRAME_BUSY, PH_ERROR_NOT_EXECUTED,
                         "too many calls of this account are under way");
        return false;
    } else {
        job->account = wk_account_enter(account, job->app_id);
    }
    return true;
}

void
wk_payment_create(struct wk_request           *request,
                  const struct wk_route_match *match)
{
    struct wk_block    *block;
    const struct ph_str body = request->frame.body;

    (void) match;
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
    block = wk_block_take(request->worker);
    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct create *job = create_new(request, block);

    if (!create_parse(job)) {
        wk_create_end(job);
        return;
    }
    job->offer = wk_offer_read(request->frame.meta, &job->asked);
    if (job->offer == WK_OFFER_DIFFERS) {
        wk_create_refuse(
            job, PH_FRAME_RESULT, PH_ERROR_BAD_REQUEST,
            "expected method, currency, amount, account and what a "
            "route reads of metadata without escapes");
        wk_create_end(job);
        return;
    }
    if (!create_choose(job)) {
        wk_create_end(job);
        return;
    }
    if (!ph_sha256(&body, 1, job->hash) || !create_ids_make(job)) {
        wk_create_refuse(job, PH_FRAME_RESULT, PH_ERROR_INTERNAL, "");
        wk_create_end(job);
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
        create_lock(job, 0);
    }
}

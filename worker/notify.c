/*
 * notify.c - one delivery: a place, sign, call, commit what came of it.
 *
 *   (waiting) -> [key of payhub-v3] -> CALL -> STORE -> end
 *       '--- no place for a while: a row in `work` ---'
 *
 * The body is the one that was written with the event and never changes; only
 * the timestamp and with it the signature are of this try.  A delivery that is
 * not written down (no room in the store, a crash) is made again with the same
 * id: at least once, never less.
 */
#include "worker/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/call.h"
#include "worker/crash.h"
#include "worker/hook.h"
#include "worker/hook_endpoint.h"
#include "worker/hook_rule.h"
#include "worker/hook_sign.h"

#define DELIVERY_MEMORY_MIN 6144 /* texts beside url and body */
#define LAST_ERROR_MAX 200
#define WAITING_MAX 1024        /* deliveries that wait for a place */
#define WAITING_ENDPOINT_MAX 64 /* of one receiver */

struct delivery {
    struct wk_store_job       store;       /* first */
    struct delivery          *prev, *next; /* in notify->waiting */
    UT_hash_handle            hh;
    struct wk_notify         *notify;
    struct wk_endpoint       *endpoint;
    struct wk_task            task;  /* as read; its texts in our memory */
    struct wk_task            after; /* as this try leaves it */
    struct wk_hook_secret     secret;
    struct wk_call            call; /* the engine's until delivery_on_call() */
    struct ph_channel_request request;
    struct wk_hook_next       verdict;
    bool                      has_row;  /* in `work`, leased by us */
    bool                      is_tried; /* a try to be counted */
    unsigned                  status;   /* HTTP, 0 = none */
    uint64_t                  began_ms; /* waiting, then the call */
    char                      error[LAST_ERROR_MAX];
    struct ph_arena           arena;
    char                      memory[];
};

struct wk_notify {
    struct wk_worker    *worker;
    struct delivery     *by_id;
    struct delivery     *waiting; /* oldest first */
    struct wk_endpoints *endpoints;
    size_t               active; /* deliveries that have a place */
};

static void waiting_start(struct wk_notify *notify);

static uint64_t
now_ms(void)
{
    return ph_monotonic_ns() / 1000000;
}

static void
delivery_end(struct delivery *delivery)
{
    struct wk_notify *notify = delivery->notify;
    struct wk_worker *worker = notify->worker;

    HASH_DEL(notify->by_id, delivery);
    if (delivery->endpoint != NULL) {
        wk_endpoint_let_go(delivery->endpoint, now_ms());
    }
    free(delivery);
    wk_job_end(worker);
}

/* ---- the outcome's commit ---- */

static void
sql_row(struct wk_db *db, const struct delivery *delivery)
{
    struct ph_str id = delivery->task.id;

    if (delivery->verdict.verdict != WK_HOOK_LATER) {
        if (delivery->has_row) {
            wk_sql(db, PH_STR("DELETE FROM work WHERE id="));
            wk_sql_text(db, id);
            wk_sql_end(db);
        }
        return;
    }
    wk_sql(db, PH_STR("INSERT INTO work (id,queue,due_at) VALUES ("));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(",'hook',"));
    wk_sql_time(db, delivery->verdict.due_ms);
    wk_sql(db, PH_STR(") ON DUPLICATE KEY UPDATE ver=ver+1,lease_by='',"
                      "due_at="));
    wk_sql_time(db, delivery->verdict.due_ms);
    wk_sql_end(db);
}

/* The task as this try leaves it. */
static struct wk_task
task_tried(const struct delivery *delivery, uint64_t at_ms)
{
    struct wk_task task = delivery->task;

    task.tries++;
    task.last_status = delivery->status;
    task.last_error  = ph_str_z(delivery->error);
    task.sent_at_ms  = task.sent_at_ms != 0 ? task.sent_at_ms : at_ms;
    if (delivery->verdict.verdict == WK_HOOK_TAKEN) {
        task.status          = PH_STR("delivered");
        task.delivered_at_ms = at_ms;
    } else if (delivery->verdict.verdict == WK_HOOK_DEAD) {
        task.status     = PH_STR("dead");
        task.dead_at_ms = task.dead_at_ms != 0 ? task.dead_at_ms : at_ms;
    }
    return task;
}

/* Taken, as nearly all are: shares its statements with others. */
static enum wk_plan
delivery_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    struct delivery *delivery = (struct delivery *) job;

    if (job->raced) { /* another host has written down the end of it */
        return WK_PLAN_DONE;
    }
    delivery->after = task_tried(delivery, wk_batch_now_ms(batch));
    return wk_batch_move(batch, &wk_task_table, &delivery->task,
                         &delivery->after, PH_STR("'pending'"), 0)
                   && (!delivery->has_row
                       || wk_batch_work_rest(batch, delivery->task.id))
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static void
sql_task(struct wk_db *db, const struct delivery *delivery)
{
    struct wk_task task = task_tried(delivery, db->now_ms);

    wk_sql_update(db, &wk_task_table, &task);
    wk_sql(db, PH_STR(" AND status IN ('pending')"));
    wk_sql_end(db);
}

static enum wk_run
delivery_run(struct wk_db *db, struct wk_store_job *job)
{
    struct delivery *delivery = (struct delivery *) job;

    if (delivery->is_tried) {
        sql_task(db, delivery);
        if (!wk_db_run(db)) {
            return WK_RUN_FAILED;
        }
        if (db->answer[0].affected == 0) {
            /* another host has written down the end of it */
            return WK_RUN_DONE;
        }
        wk_db_clear(db);
    }
    sql_row(db, delivery);
    return db->statements == 0 || wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
delivery_stored(struct wk_store_job *job)
{
    struct delivery         *delivery = (struct delivery *) job;
    static const char *const names[]  = { [WK_HOOK_LATER] = "webhook_refused",
                                          [WK_HOOK_TAKEN] = "webhook_delivered",
                                          [WK_HOOK_DEAD]  = "webhook_dead" };

    if (job->outcome != WK_STORE_DONE) {
        ph_log(PH_LOG_WARN, "webhook_not_noted", { "task", delivery->task.id },
               { "status", ph_log_i64(delivery->status) });
    } else if (delivery->is_tried) {
        ph_log(delivery->verdict.verdict == WK_HOOK_TAKEN ? PH_LOG_INFO
                                                          : PH_LOG_WARN,
               names[delivery->verdict.verdict],
               { "order", delivery->task.payment_id },
               { "task", delivery->task.id }, { "type", delivery->task.type },
               { "status", ph_log_i64(delivery->status) },
               { "why", ph_str_z(delivery->error) });
    }
    delivery_end(delivery);
}

static void
delivery_store(struct delivery *delivery)
{
    bool is_plain
        = delivery->is_tried && delivery->verdict.verdict == WK_HOOK_TAKEN;

    delivery->store = (struct wk_store_job){
        .writes       = true,
        .run          = is_plain ? NULL : delivery_run,
        .plan         = is_plain ? delivery_plan : NULL,
        .done         = delivery_stored,
        .crash_before = delivery->is_tried ? "notify_before_commit" : NULL,
        .crash_after  = delivery->is_tried ? "notify_after_commit" : NULL
    };
    if (!wk_store_submit(delivery->notify->worker->store, &delivery->store)) {
        delivery_end(delivery); /* its lease or its order brings it again */
    }
}

/* No place: `work` keeps it, at the pace that the receiver takes them. */
static void
delivery_defer(struct delivery *delivery)
{
    uint64_t at_ms = now_ms();

    delivery->verdict = (struct wk_hook_next){
        .verdict = WK_HOOK_LATER,
        .due_ms
        = ph_now_ms() + wk_endpoint_pace_ms(delivery->endpoint, at_ms) - at_ms
    };
    delivery_store(delivery);
}

/* ---- the call ---- */

/* The try is over, the place is free. */
static void
delivery_judge(struct delivery                *delivery,
               const struct ph_channel_header *headers, size_t header_count)
{
    struct wk_notify *notify = delivery->notify;
    uint64_t          at_ms  = now_ms();

    delivery->is_tried = true;
    delivery->verdict
        = wk_hook_judge(notify->worker->conf, delivery->status, headers,
                        header_count, delivery->task.tries, ph_now_ms());
    wk_endpoint_end(
        delivery->endpoint, delivery->verdict.verdict == WK_HOOK_TAKEN,
        delivery->verdict.is_slow, at_ms - delivery->began_ms, at_ms);
    notify->active--;
    delivery_store(delivery);
}

/* Without an answer this try is over.  The reason may hold what the receiver
 * named itself: only plain bytes of it go into the row. */
static void
delivery_fail(struct delivery *delivery, const char *why)
{
    (void) snprintf(delivery->error, sizeof(delivery->error), "%s", why);
    for (char *at = delivery->error; *at != '\0'; at++) {
        *at = *at >= ' ' && *at < 0x7f ? *at : '?';
    }
    delivery_judge(delivery, NULL, 0);
}

/* It was our own trouble, not the receiver's: no try. */
static void
delivery_give_back(struct delivery *delivery, const char *why)
{
    uint64_t at_ms = now_ms();

    ph_log(PH_LOG_WARN, "webhook_not_tried", { "task", delivery->task.id },
           { "why", ph_str_z(why) });
    wk_endpoint_end(delivery->endpoint, false, false,
                    at_ms - delivery->began_ms, at_ms);
    delivery->notify->active--;
    delivery_defer(delivery);
}

static void
delivery_on_call(struct wk_call *call)
{
    struct delivery  *delivery = call->data;
    struct wk_notify *notify   = delivery->notify;

    if (call->outcome == WK_CALL_ANSWERED) {
        wk_crash_point("notify_sent");
        delivery->status = call->reply.status;
        if (delivery->status / 100 != 2) {
            (void) snprintf(delivery->error, sizeof(delivery->error),
                            "answered %u", call->reply.status);
        }
        delivery_judge(delivery, call->reply.headers, call->reply.header_count);
    } else {
        delivery_fail(delivery, call->error);
    }
    waiting_start(notify);
}

static void
delivery_call(struct delivery *delivery)
{
    struct wk_worker *worker = delivery->notify->worker;
    const char       *why
        = wk_hook_request(worker, &delivery->task, &delivery->secret,
                          ph_now_ms(), &delivery->arena, &delivery->request);

    delivery->began_ms = now_ms();
    if (why != NULL) {
        delivery_fail(delivery, why);
        return;
    }
    delivery->call = (struct wk_call){ .kind       = WK_CALL_WEBHOOK,
                                       .request    = &delivery->request,
                                       .timeout_ms = (uint64_t) wk_conf(
                                           worker, PH_CONF_notify_timeout),
                                       .done = delivery_on_call,
                                       .data = delivery };
    wk_crash_point("notify_before_send");
    if (!wk_call_start(worker->calls, &delivery->call)) {
        delivery_give_back(delivery, "too many deliveries are under way");
    }
}

/* ---- the key of payhub-v3 ---- */

static enum wk_run
key_run(struct wk_db *db, struct wk_store_job *job)
{
    struct delivery *delivery = (struct delivery *) job;
    struct ph_str    texts[2];

    delivery->secret.key_id = delivery->secret.key = ph_str_make(NULL, 0);
    wk_sql(db, PH_STR("SELECT id,secret FROM app_key WHERE app_id="));
    wk_sql_text(db, delivery->task.app_id);
    wk_sql(db, PH_STR(" AND alg='hmac-sha256' AND "
                      "FIND_IN_SET('payhub-v3',schemes)<>0 AND revoked_at IS "
                      "NULL AND (not_before IS NULL OR not_before<=NOW(3)) AND "
                      "(not_after IS NULL OR not_after>NOW(3)) ORDER BY "
                      "created_at DESC,id DESC LIMIT 1"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_RUN_FAILED;
    }
    if (wk_db_fetch_texts(db, 0, &delivery->arena, texts, 2)) {
        delivery->secret.key_id = texts[0];
        delivery->secret.key    = texts[1];
    }
    return WK_RUN_DONE;
}

static void
key_done(struct wk_store_job *job)
{
    struct delivery  *delivery = (struct delivery *) job;
    struct wk_notify *notify   = delivery->notify;

    if (job->outcome == WK_STORE_DONE) {
        delivery_call(delivery);
    } else {
        delivery_give_back(delivery, "the app's keys cannot be read");
    }
    waiting_start(notify);
}

/* It has its place. */
static void
delivery_start(struct delivery *delivery)
{
    struct wk_notify *notify = delivery->notify;

    notify->active++;
    wk_endpoint_begin(delivery->endpoint);
    delivery->began_ms = now_ms();
    if (!ph_str_eq(delivery->task.form, PH_STR("payhub-v3"))) {
        delivery_call(delivery);
        return;
    }
    delivery->store = (struct wk_store_job){ .run = key_run, .done = key_done };
    if (!wk_store_submit(notify->worker->store, &delivery->store)) {
        delivery_give_back(delivery, "the app's keys cannot be read");
    }
}

/* ---- places ---- */

/* Receivers in trouble together get half of all places: the others need not
 * wait behind their timeouts. */
static bool
has_place(const struct wk_notify *notify, const struct wk_endpoint *endpoint)
{
    size_t most = (size_t) wk_conf(notify->worker, PH_CONF_notify_max_inflight);
    size_t slow_most = most > 1 ? most / 2 : 1;

    return notify->active < most && wk_endpoint_has_place(endpoint)
           && (!wk_endpoint_is_slow(endpoint)
               || wk_endpoints_slow_active(notify->endpoints) < slow_most);
}

static void
waiting_leave(struct wk_notify *notify, struct delivery *delivery)
{
    DL_DELETE(notify->waiting, delivery);
}

/* Called when places became free, never from what begins a delivery. */
static void
waiting_start(struct wk_notify *notify)
{
    struct delivery *at, *next;

    DL_FOREACH_SAFE(notify->waiting, at, next)
    {
        if (has_place(notify, at->endpoint)) {
            waiting_leave(notify, at);
            delivery_start(at);
        }
    }
}

static size_t
waiting_of(const struct wk_notify *notify, const struct wk_endpoint *endpoint)
{
    const struct delivery *at;
    size_t                 count = 0;

    DL_FOREACH(notify->waiting, at)
    {
        count += at->endpoint == endpoint;
    }
    return count;
}

void
wk_notify_sweep(struct wk_notify *notify, bool everybody)
{
    struct delivery *at, *next;
    uint64_t         at_ms = now_ms();

    DL_FOREACH_SAFE(notify->waiting, at, next)
    {
        if (everybody || at_ms >= at->began_ms + WK_HOOK_WAITING_MS) {
            waiting_leave(notify, at);
            delivery_defer(at);
        }
    }
    waiting_start(notify); /* a reload may have made more places */
}

/* ---- taking one ---- */

/* A copy whose texts live in the delivery's own memory. */
static bool
task_copy(struct delivery *delivery, const struct wk_delivery_order *order)
{
    const struct wk_table *table = &wk_task_table;

    delivery->task = order->task;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].kind == WK_COLUMN_TEXT) {
            struct ph_str *text
                = (struct ph_str *) (void *) ((char *) &delivery->task
                                              + table->columns[i].offset);
            *text = ph_arena_dup(&delivery->arena, *text);
        }
    }
    delivery->secret.webhook
        = ph_arena_dup(&delivery->arena, order->sealed_secret);
    return !delivery->arena.full;
}

static struct delivery *
delivery_new(struct wk_notify *notify, const struct wk_delivery_order *order)
{
    size_t len
        = DELIVERY_MEMORY_MIN + order->task.body.len + order->task.url.len;
    struct delivery *delivery = calloc(1, sizeof(*delivery) + len);

    if (delivery == NULL) {
        return NULL;
    }
    ph_arena_init(&delivery->arena, delivery->memory, len);
    delivery->notify   = notify;
    delivery->began_ms = now_ms();
    if (task_copy(delivery, order)) {
        delivery->endpoint = wk_endpoint_hold(
            notify->endpoints, delivery->task.app_id,
            wk_hook_origin(delivery->task.url),
            (unsigned) wk_conf(notify->worker, PH_CONF_notify_max_per_endpoint),
            delivery->began_ms);
    }
    if (delivery->endpoint == NULL) {
        free(delivery);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, notify->by_id, delivery->task.id.ptr,
                    (unsigned) delivery->task.id.len, delivery);
    wk_job_begin(notify->worker);
    return delivery;
}

static bool
deliver(struct wk_notify *notify, const struct wk_delivery_order *order,
        bool has_row)
{
    struct ph_str    id = order->task.id;
    struct delivery *delivery;

    HASH_FIND(hh, notify->by_id, id.ptr, (unsigned) id.len, delivery);
    if (delivery != NULL || wk_notify_room(notify) == 0) {
        return false;
    }
    delivery = delivery_new(notify, order);
    if (delivery == NULL) {
        return false;
    }
    delivery->has_row = has_row;
    if (has_place(notify, delivery->endpoint)) {
        delivery_start(delivery);
    } else if (!notify->worker->is_draining
               && waiting_of(notify, delivery->endpoint) < WAITING_ENDPOINT_MAX)
    {
        DL_APPEND(notify->waiting, delivery);
    } else {
        delivery_defer(delivery);
    }
    return true;
}

bool
wk_notify_deliver(struct wk_notify               *notify,
                  const struct wk_delivery_order *order)
{
    return deliver(notify, order, false);
}

bool
wk_notify_deliver_row(struct wk_notify               *notify,
                      const struct wk_delivery_order *order)
{
    return deliver(notify, order, true);
}

size_t
wk_notify_room(const struct wk_notify *notify)
{
    size_t most
        = WAITING_MAX
          + (size_t) wk_conf(notify->worker, PH_CONF_notify_max_inflight);
    size_t count = HASH_COUNT(notify->by_id);

    return count < most ? most - count : 0;
}

struct wk_notify *
wk_notify_new(struct wk_worker *worker)
{
    struct wk_notify *notify = calloc(1, sizeof(*notify));

    if (notify == NULL) {
        return NULL;
    }
    notify->worker    = worker;
    notify->endpoints = wk_endpoints_new();
    if (notify->endpoints == NULL) {
        free(notify);
        return NULL;
    }
    return notify;
}

void
wk_notify_free(struct wk_notify *notify)
{
    if (notify != NULL) {
        wk_endpoints_free(notify->endpoints);
        free(notify);
    }
}

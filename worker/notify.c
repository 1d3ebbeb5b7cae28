/*
 * notify.c - one delivery: sign, call, commit what came of it.
 *
 * The body is the one that was written with the event and never changes; only
 * the timestamp and with it the signature are of this try.  A delivery that is
 * not written down (no room in the store, a crash) is made again with the same
 * id: at least once, never less.  The secret is opened on the stack, wiped, and
 * never stands in the delivery.
 */
#include "worker/notify.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/webhook.h"
#include "worker/call.h"
#include "worker/crash.h"

#define DELIVERY_MEMORY_MIN 4096 /* texts beside url and body */
#define LAST_ERROR_MAX 200

struct delivery {
    struct wk_store_job       store; /* first */
    struct delivery          *prev, *next;
    struct wk_notify         *notify;
    struct wk_task            task; /* as read; its texts in our memory */
    struct wk_call            call; /* the engine's until delivery_on_call() */
    struct ph_channel_request request;
    unsigned                  status;   /* HTTP, 0 = none */
    bool                      is_taken; /* 2xx */
    char                      error[LAST_ERROR_MAX];
    struct ph_arena           arena;
    char                      memory[];
};

struct wk_notify {
    struct wk_worker *worker;
    struct delivery  *list;
    size_t            count;
};

static size_t
schedule(const struct ph_conf *conf, int64_t ms[PH_CONF_TIMES_MAX])
{
    return ph_conf_times(conf, PH_CONF_notify_schedule, ms);
}

static void
delivery_end(struct delivery *delivery)
{
    struct wk_notify *notify = delivery->notify;
    struct wk_worker *worker = notify->worker;

    if (delivery->prev != NULL) {
        delivery->prev->next = delivery->next;
    } else {
        notify->list = delivery->next;
    }
    if (delivery->next != NULL) {
        delivery->next->prev = delivery->prev;
    }
    notify->count--;
    free(delivery);
    wk_job_end(worker);
}

/* ---- the outcome's commit ---- */

static void
sql_work_forward(struct wk_db *db, const struct delivery *delivery)
{
    struct wk_task task = delivery->task;

    task.tries++;
    uint64_t due_ms = wk_notify_due_ms(delivery->notify->worker->conf, &task);

    wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,due_at="));
    wk_sql_time(db, due_ms);
    wk_sql(db, PH_STR(" WHERE payment_id="));
    wk_sql_text(db, task.payment_id);
    wk_sql(db, PH_STR(" AND due_at>"));
    wk_sql_time(db, due_ms);
    wk_sql_end(db);
}

static enum wk_run
delivery_run(struct wk_db *db, struct wk_store_job *job)
{
    struct delivery *delivery = (struct delivery *) job;
    struct wk_task   task     = delivery->task;
    int64_t          ms[PH_CONF_TIMES_MAX];

    task.tries++;
    task.last_status = delivery->status;
    task.last_error  = ph_str_z(delivery->error);
    task.sent_at_ms  = task.sent_at_ms != 0 ? task.sent_at_ms : db->now_ms;
    if (delivery->is_taken) {
        task.status          = PH_STR("delivered");
        task.delivered_at_ms = db->now_ms;
    } else if ((size_t) task.tries
               >= schedule(delivery->notify->worker->conf, ms)) {
        task.status     = PH_STR("dead");
        task.dead_at_ms = db->now_ms;
    }
    wk_sql_update(db, &wk_task_table, &task);
    wk_sql(db, PH_STR(" AND status IN ('pending')"));
    wk_sql_end(db);
    if (!delivery->is_taken) {
        sql_work_forward(db, delivery);
    }
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
delivery_stored(struct wk_store_job *job)
{
    struct delivery *delivery = (struct delivery *) job;

    ph_log(delivery->is_taken ? PH_LOG_INFO : PH_LOG_WARN,
           delivery->is_taken ? "webhook_delivered" : "webhook_refused",
           { "order", delivery->task.payment_id },
           { "task", delivery->task.id }, { "type", delivery->task.type },
           { "status", ph_log_i64(delivery->status) },
           { "why", ph_str_z(delivery->error) });
    delivery_end(delivery);
}

static void
delivery_store(struct delivery *delivery)
{
    delivery->store = (struct wk_store_job){ .writes = true,
                                             .run    = delivery_run,
                                             .done   = delivery_stored };
    if (!wk_store_submit(delivery->notify->worker->store, &delivery->store)) {
        delivery_end(delivery); /* the janitor delivers it again */
    }
}

/* ---- the call ---- */

static void
delivery_on_call(struct wk_call *call)
{
    struct delivery *delivery = call->data;

    if (call->outcome == WK_CALL_ANSWERED) {
        wk_crash_point("notify_sent");
        delivery->status   = call->reply.status;
        delivery->is_taken = call->reply.status / 100 == 2;
        if (!delivery->is_taken) {
            (void) snprintf(delivery->error, sizeof(delivery->error),
                            "answered %u", call->reply.status);
        }
    } else {
        (void) snprintf(delivery->error, sizeof(delivery->error), "%s",
                        call->error);
    }
    delivery_store(delivery);
}

static bool
delivery_sign(struct delivery *delivery, struct ph_str sealed,
              uint64_t timestamp, struct ph_buf *signature)
{
    const struct wk_worker *worker = delivery->notify->worker;
    struct ph_seal_place    place
        = { PH_STR("app"), delivery->task.app_id, PH_STR("webhook_secret") };
    char          text_memory[512], key_memory[64];
    struct ph_buf text = PH_BUF_INIT(text_memory);
    struct ph_buf key  = PH_BUF_INIT(key_memory);

    bool is_signed
        = ph_unseal(&text, worker->seal_keys, worker->seal_key_count, &place,
                    sealed)
              == PH_OK
          && ph_webhook_secret(&key, ph_buf_str(&text)) == PH_OK
          && ph_webhook_sign(signature, ph_buf_str(&key), delivery->task.id,
                             timestamp, delivery->task.body);
    OPENSSL_cleanse(text_memory, sizeof(text_memory));
    OPENSSL_cleanse(key_memory, sizeof(key_memory));
    return is_signed;
}

static bool
delivery_load(struct delivery *delivery, struct ph_str sealed)
{
    struct ph_arena           *arena     = &delivery->arena;
    struct ph_channel_request *request   = &delivery->request;
    uint64_t                   timestamp = ph_now_ms() / 1000;
    struct ph_buf              text, signature;

    ph_arena_open(arena, &text);
    ph_buf_u64(&text, timestamp);
    struct ph_str timestamp_text = ph_arena_close(arena, &text);

    ph_arena_open(arena, &signature);
    if (!delivery_sign(delivery, sealed, timestamp, &signature)) {
        (void) snprintf(delivery->error, sizeof(delivery->error),
                        "the app's webhook secret does not open");
        return false;
    }
    struct ph_str signature_text = ph_arena_close(arena, &signature);

    request->method = PH_STR("POST");
    request->url    = delivery->task.url;
    request->body   = delivery->task.body;
    request->headers[0]
        = (struct ph_channel_header){ PH_STR("Content-Type"),
                                      PH_STR("application/json") };
    request->headers[1]
        = (struct ph_channel_header){ PH_STR("webhook-id"), delivery->task.id };
    request->headers[2]
        = (struct ph_channel_header){ PH_STR("webhook-timestamp"),
                                      timestamp_text };
    request->headers[3]
        = (struct ph_channel_header){ PH_STR("webhook-signature"),
                                      signature_text };
    request->header_count = 4;
    return !arena->full;
}

static bool
is_under_way(const struct wk_notify *notify, struct ph_str id)
{
    for (const struct delivery *at = notify->list; at != NULL; at = at->next) {
        if (ph_str_eq(at->task.id, id)) {
            return true;
        }
    }
    return false;
}

/* A copy whose texts live in the delivery's own memory. */
static bool
task_copy(struct delivery *delivery, const struct wk_task *task)
{
    const struct wk_table *table = &wk_task_table;

    delivery->task = *task;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].kind == WK_COLUMN_TEXT) {
            struct ph_str *text
                = (struct ph_str *) (void *) ((char *) &delivery->task
                                              + table->columns[i].offset);
            *text = ph_arena_dup(&delivery->arena, *text);
        }
    }
    return !delivery->arena.full;
}

static struct delivery *
delivery_new(struct wk_notify *notify, const struct wk_task *task)
{
    size_t           len = DELIVERY_MEMORY_MIN + task->body.len + task->url.len;
    struct delivery *delivery = calloc(1, sizeof(*delivery) + len);

    if (delivery == NULL) {
        return NULL;
    }
    ph_arena_init(&delivery->arena, delivery->memory, len);
    delivery->notify = notify;
    delivery->next   = notify->list;
    if (notify->list != NULL) {
        notify->list->prev = delivery;
    }
    notify->list = delivery;
    notify->count++;
    wk_job_begin(notify->worker);
    return delivery;
}

bool
wk_notify_deliver(struct wk_notify               *notify,
                  const struct wk_delivery_order *order)
{
    struct wk_worker *worker = notify->worker;

    if (notify->count >= (size_t) wk_conf(worker, PH_CONF_notify_max_inflight)
        || is_under_way(notify, order->task.id))
    {
        return false;
    }
    struct delivery *delivery = delivery_new(notify, &order->task);

    if (delivery == NULL) {
        return false;
    }
    if (!task_copy(delivery, &order->task)) {
        delivery_end(delivery);
        return false;
    }
    if (!delivery_load(delivery, order->sealed_secret)) {
        delivery_store(delivery);
        return true;
    }
    delivery->call = (struct wk_call){ .kind       = WK_CALL_WEBHOOK,
                                       .request    = &delivery->request,
                                       .timeout_ms = (uint64_t) wk_conf(
                                           worker, PH_CONF_notify_timeout),
                                       .done = delivery_on_call,
                                       .data = delivery };
    if (!wk_call_start(worker->calls, &delivery->call)) {
        delivery_end(delivery);
        return false;
    }
    return true;
}

struct wk_notify *
wk_notify_new(struct wk_worker *worker)
{
    struct wk_notify *notify = calloc(1, sizeof(*notify));

    if (notify != NULL) {
        notify->worker = worker;
    }
    return notify;
}

void
wk_notify_free(struct wk_notify *notify)
{
    free(notify);
}

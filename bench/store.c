/*
 * store.c - the load program of scripts/bench.d/store: the database writes of a
 * payment, its insert and its settlement with a webhook, ours and a peer's.
 *
 *   store CONF ours IN_FLIGHT PAYMENTS    worker/store.h, shared commits
 *   store CONF step IN_FLIGHT PAYMENTS    one commit a step, a connection each
 *
 * Both write the same rows in the same columns; the peer sends each step with
 * its BEGIN and COMMIT as one packet.  Prints "payments/s p50_ms p99_ms"; a
 * payment's time is that of both its steps.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/base/id.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "worker/batch.h"
#include "worker/batch_sql.h"
#include "worker/time_text.h"

#define IN_FLIGHT_MAX 1024
#define BODY_LEN 640

struct pay {
    struct wk_store_job store; /* first */
    struct bench       *bench;
    bool                is_settling;
    uint64_t            begun_ns;
    char                ids[3][PH_ID_LEN + 1]; /* payment, attempt, task */
    char                number[32];
    char                trade_no[32];
    struct wk_order     before, after;
    struct wk_task      task;
};

struct bench {
    const struct ph_conf *conf;
    struct wk_store      *store;
    unsigned              run; /* makes numbers of every run others */
    size_t                in_flight, count;
    atomic_size_t         begun, ended;
    uint64_t             *took_ns; /* of each payment */
    char                  body[BODY_LEN];
    uint8_t               digest[32];
    struct pay            pays[IN_FLIGHT_MAX];
};

static void
die(const char *what, const char *why)
{
    (void) fprintf(stderr, "store bench: %s: %s\n", what, why);
    exit(1);
}

static void
pay_new(struct pay *pay, size_t number)
{
    static const char types[] = "PAN";
    struct bench     *bench   = pay->bench;

    for (size_t i = 0; i < 3; i++) {
        (void) snprintf(pay->ids[i], sizeof(pay->ids[i]), "%c%010u%016zu",
                        types[i], bench->run, number);
    }
    (void) snprintf(pay->number, sizeof(pay->number), "o-%u-%zu", bench->run,
                    number * 2654435761u % 4294967291u);
    (void) snprintf(pay->trade_no, sizeof(pay->trade_no), "T-%u-%zu",
                    bench->run, number * 2654435761u % 4294967291u);
    pay->begun_ns = ph_monotonic_ns();
}

static void
order_fill(struct pay *pay, uint64_t now_ms)
{
    struct wk_order *order = &pay->before;

    order->payment = (struct wk_payment){
        .id            = ph_str_z(pay->ids[0]),
        .merchant_id   = PH_STR("M1"),
        .app_id        = PH_STR("app-1"),
        .order_no      = ph_str_z(pay->number),
        .status        = PH_PAYMENT_PAYING,
        .amount        = 10000,
        .currency      = PH_STR("CNY"),
        .method        = PH_STR("sandbox_bar"),
        .channel       = PH_STR("sandbox"),
        .account_id    = PH_STR("account-1"),
        .attempt_ids   = ph_str_z(pay->ids[1]),
        .subject       = PH_STR("bench"),
        .notify_url    = PH_STR("https://shop.example/payhub"),
        .extra         = PH_STR("{\"auth_code\":\"280000000000000000\"}"),
        .proof_source  = PH_STR("none"),
        .fence         = 1,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + 1800000,
        .sent_at_ms    = now_ms,
    };
    order->attempt[0] = (struct wk_attempt){
        .id            = ph_str_z(pay->ids[1]),
        .payment_id    = ph_str_z(pay->ids[0]),
        .merchant_id   = PH_STR("M1"),
        .app_id        = PH_STR("app-1"),
        .status        = PH_ATTEMPT_SENT,
        .channel       = PH_STR("sandbox"),
        .account_id    = PH_STR("account-1"),
        .method        = PH_STR("sandbox_bar"),
        .amount        = 10000,
        .currency      = PH_STR("CNY"),
        .action_type   = PH_STR("none"),
        .proof_source  = PH_STR("none"),
        .fence         = 1,
        .created_at_ms = now_ms,
        .sent_at_ms    = now_ms,
    };
}

static void
settled_fill(struct pay *pay, uint64_t now_ms)
{
    const struct bench *bench = pay->bench;
    const struct ph_str digest
        = ph_str_make((const char *) bench->digest, sizeof(bench->digest));
    struct wk_payment *payment = &pay->after.payment;
    struct wk_attempt *attempt = &pay->after.attempt[0];

    *payment                  = pay->before.payment;
    *attempt                  = pay->before.attempt[0];
    payment->status           = PH_PAYMENT_PAID;
    payment->channel_trade_no = ph_str_z(pay->trade_no);
    payment->proof_source     = PH_STR("answer");
    payment->proof_digest     = digest;
    payment->paid_at_ms       = now_ms;
    payment->sequence         = 1;
    payment->notify_id        = ph_str_z(pay->ids[2]);
    attempt->status           = PH_ATTEMPT_SUCCEEDED;
    attempt->channel_trade_no = ph_str_z(pay->trade_no);
    attempt->proof_source     = PH_STR("answer");
    attempt->proof_digest     = digest;
    attempt->paid_at_ms       = now_ms;
    pay->task                 = (struct wk_task){ .id          = ph_str_z(pay->ids[2]),
                                                  .payment_id  = payment->id,
                                                  .merchant_id = payment->merchant_id,
                                                  .app_id      = payment->app_id,
                                                  .status      = PH_STR("pending"),
                                                  .type        = PH_STR("payment.paid"),
                                                  .sequence    = 1,
                                                  .channel     = payment->channel,
                                                  .account_id  = payment->account_id,
                                                  .method      = payment->method,
                                                  .amount      = payment->amount,
                                                  .currency    = payment->currency,
                                                  .url         = payment->notify_url,
                                                  .form        = PH_STR("standard"),
                                                  .body = ph_str_make(bench->body, BODY_LEN),
                                                  .created_at_ms = now_ms };
}

static struct ph_str
digest_of(const struct pay *pay)
{
    return ph_str_make((const char *) pay->bench->digest, 32);
}

static int
time_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *) a, right = *(const uint64_t *) b;

    return (left > right) - (left < right);
}

static void
tell(const struct bench *bench, uint64_t took_ns)
{
    const size_t middle = bench->count / 2;
    const size_t tail   = bench->count - 1 - bench->count / 100;

    qsort(bench->took_ns, bench->count, sizeof(bench->took_ns[0]), time_order);
    printf("%.0f %.2f %.2f\n", (double) bench->count * 1e9 / (double) took_ns,
           (double) bench->took_ns[middle] / 1e6,
           (double) bench->took_ns[tail] / 1e6);
}

/* ---- ours ---- */

static enum wk_plan
pay_insert(struct wk_batch *batch, struct pay *pay)
{
    const uint64_t      now_ms = wk_batch_now_ms(batch);
    const struct ph_str key[3]
        = { PH_STR("app-1"), ph_str_z(pay->number), { NULL, 0 } };

    order_fill(pay, now_ms);
    return wk_batch_unique(batch, WK_PAYMENT_NO, key, ph_str_z(pay->ids[0]),
                           digest_of(pay))
                   && wk_batch_insert(batch, &wk_payment_table,
                                      &pay->before.payment)
                   && wk_batch_insert(batch, &wk_attempt_table,
                                      &pay->before.attempt[0])
                   && wk_batch_work_put(batch, ph_str_z(pay->ids[0]),
                                        WK_QUEUE_LOOK, now_ms + 15000)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static enum wk_plan
pay_settle(struct wk_batch *batch, struct pay *pay)
{
    const struct ph_str key[3]
        = { PH_STR("sandbox"), PH_STR("account-1"), ph_str_z(pay->trade_no) };

    settled_fill(pay, wk_batch_now_ms(batch));
    return wk_batch_unique(batch, WK_CHANNEL_TRADE, key, ph_str_z(pay->ids[1]),
                           ph_str_make(NULL, 0))
                   && wk_batch_move(batch, &wk_payment_table,
                                    &pay->before.payment, &pay->after.payment,
                                    PH_STR("'created','paying'"), 1)
                   && wk_batch_move(
                       batch, &wk_attempt_table, &pay->before.attempt[0],
                       &pay->after.attempt[0], ph_str_make(NULL, 0), 1)
                   && wk_batch_insert(batch, &wk_task_table, &pay->task)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static enum wk_plan
pay_plan(struct wk_batch *batch, struct wk_store_job *job)
{
    struct pay *pay = (struct pay *) job;

    return pay->is_settling ? pay_settle(batch, pay) : pay_insert(batch, pay);
}

static void pay_next(struct pay *pay);

static void pay_submit(struct pay *pay, bool is_settling);

static void
pay_done(struct wk_store_job *job)
{
    struct pay   *pay   = (struct pay *) job;
    struct bench *bench = pay->bench;

    if (job->outcome != WK_STORE_DONE || job->raced || job->lost != 0) {
        die(pay->number, "not done");
    }
    if (!pay->is_settling) {
        pay_submit(pay, true);
        return;
    }
    bench->took_ns[bench->ended++] = ph_monotonic_ns() - pay->begun_ns;
    pay_next(pay);
}

static void
pay_submit(struct pay *pay, bool is_settling)
{
    pay->is_settling = is_settling;
    pay->store = (struct wk_store_job){ .plan = pay_plan, .done = pay_done };
    if (!wk_store_submit(pay->bench->store, &pay->store)) {
        die(pay->number, "the queue is full");
    }
}

static void
pay_next(struct pay *pay)
{
    struct bench *bench = pay->bench;

    if (bench->begun == bench->count) {
        return;
    }
    pay_new(pay, bench->begun++);
    pay_submit(pay, false);
}

static void
ours(struct bench *bench)
{
    uv_loop_t loop;

    (void) uv_loop_init(&loop);
    bench->store = wk_store_new(&loop, bench->conf);
    if (bench->store == NULL) {
        die("store", "did not start");
    }
    uint64_t begun_ns = ph_monotonic_ns();

    for (size_t i = 0; i < bench->in_flight; i++) {
        bench->pays[i].bench = bench;
        pay_next(&bench->pays[i]);
    }
    while (bench->ended < bench->count) {
        (void) uv_run(&loop, UV_RUN_ONCE);
    }
    tell(bench, ph_monotonic_ns() - begun_ns);
    wk_store_stop(bench->store);
    (void) uv_run(&loop, UV_RUN_DEFAULT);
    wk_store_free(bench->store);
}

/* ---- the peer: a connection each, a statement a row, a commit a step ---- */

static void
step_unique(struct wk_db *db, const char *head, struct ph_str a,
            struct ph_str b, struct ph_str c)
{
    wk_sql(db, ph_str_z(head));
    wk_sql_text(db, a);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, b);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, c);
}

static void
step_literal(struct wk_db *db, const char *sql)
{
    wk_sql(db, ph_str_z(sql));
    wk_sql_end(db);
}

static void
step_insert(struct wk_db *db, struct pay *pay)
{
    order_fill(pay, ph_now_ms());
    step_unique(db,
                "INSERT INTO payment_no (app_id,order_no,payment_id,"
                "request_hash,ver) VALUES (",
                PH_STR("app-1"), ph_str_z(pay->number), ph_str_z(pay->ids[0]));
    wk_sql(db, PH_STR(","));
    wk_sql_bytes(db, digest_of(pay));
    step_literal(db, ",0)");
    wk_sql_insert(db, &wk_payment_table, &pay->before.payment);
    wk_sql_end(db);
    wk_sql_insert(db, &wk_attempt_table, &pay->before.attempt[0]);
    wk_sql_end(db);
    wk_sql(db, PH_STR("INSERT INTO work (id,due_at) VALUES ("));
    wk_sql_text(db, ph_str_z(pay->ids[0]));
    wk_sql(db, PH_STR(","));
    wk_sql_time(db, ph_now_ms() + 15000);
    step_literal(db, ")");
}

static void
step_settle(struct wk_db *db, struct pay *pay)
{
    settled_fill(pay, ph_now_ms());
    step_unique(db,
                "INSERT INTO channel_trade (channel,account_id,trade_no,"
                "attempt_id,ver) VALUES (",
                PH_STR("sandbox"), PH_STR("account-1"),
                ph_str_z(pay->trade_no));
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, ph_str_z(pay->ids[1]));
    step_literal(db, ",0)");
    const struct wk_sql_move payment
        = { &pay->before.payment, &pay->after.payment, 0 };
    const struct wk_sql_move attempt
        = { &pay->before.attempt[0], &pay->after.attempt[0], 0 };

    wk_batch_sql_update(&db->sql, &wk_payment_table, &payment, 1,
                        PH_STR("'created','paying'"), false);
    wk_sql_end(db);
    wk_batch_sql_update(&db->sql, &wk_attempt_table, &attempt, 1,
                        PH_STR("'sent'"), false);
    wk_sql_end(db);
    wk_sql_insert(db, &wk_task_table, &pay->task);
    wk_sql_end(db);
}

static void
step_commit(struct wk_db *db, struct pay *pay,
            void (*fill)(struct wk_db *db, struct pay *pay))
{
    wk_db_clear(db);
    step_literal(db, "START TRANSACTION");
    fill(db, pay);
    step_literal(db, "COMMIT");
    if (!wk_db_run(db)) {
        die(pay->number, db->error);
    }
}

static void *
step_thread(void *arg)
{
    struct pay   *pay   = arg;
    struct bench *bench = pay->bench;
    struct wk_db  db;
    char          text[256];
    struct ph_buf why = PH_BUF_INIT(text);

    if (!wk_db_init(&db)) {
        die("memory", "none");
    }
    db.mysql = ph_mysql_open(bench->conf, PH_DB_WORKER, &why);
    if (db.mysql == NULL) {
        die("connect", ph_buf_z(&why));
    }
    for (;;) {
        size_t number = atomic_fetch_add(&bench->begun, 1);

        if (number >= bench->count) {
            break;
        }
        pay_new(pay, number);
        step_commit(&db, pay, step_insert);
        step_commit(&db, pay, step_settle);
        bench->took_ns[number] = ph_monotonic_ns() - pay->begun_ns;
    }
    wk_db_deinit(&db);
    return NULL;
}

static void
steps(struct bench *bench)
{
    static pthread_t threads[IN_FLIGHT_MAX];
    uint64_t         begun_ns = ph_monotonic_ns();

    for (size_t i = 0; i < bench->in_flight; i++) {
        bench->pays[i].bench = bench;
        if (pthread_create(&threads[i], NULL, step_thread, &bench->pays[i])
            != 0) {
            die("thread", "none");
        }
    }
    for (size_t i = 0; i < bench->in_flight; i++) {
        (void) pthread_join(threads[i], NULL);
    }
    tell(bench, ph_monotonic_ns() - begun_ns);
}

int
main(int argc, char **argv)
{
    static struct ph_conf conf;
    static struct bench   bench;
    char                  text[512];
    struct ph_buf         why = PH_BUF_INIT(text);

    if (argc != 5) {
        die("usage", "store CONF ours|step IN_FLIGHT PAYMENTS");
    }
    if (!ph_conf_load(&conf, argv[1], &why)) {
        die(argv[1], ph_buf_z(&why));
    }
    bench.conf      = &conf;
    bench.run       = (unsigned) (ph_now_ms() / 10 % 1000000000);
    bench.in_flight = strtoul(argv[3], NULL, 10);
    bench.count     = strtoul(argv[4], NULL, 10);
    if (bench.in_flight == 0 || bench.in_flight > IN_FLIGHT_MAX
        || bench.count == 0) {
        die(argv[3], "expected 1 to 1024");
    }
    bench.took_ns = calloc(bench.count, sizeof(bench.took_ns[0]));
    if (bench.took_ns == NULL) {
        die("memory", "none");
    }
    memset(bench.body, '{', sizeof(bench.body));
    ph_random(bench.digest, sizeof(bench.digest));
    (void) mysql_library_init(0, NULL, NULL);
    if (strcmp(argv[2], "ours") == 0) {
        ours(&bench);
    } else {
        steps(&bench);
    }
    free(bench.took_ns);
    return 0;
}

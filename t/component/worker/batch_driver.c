/*
 * batch_driver.c - the batch engine against a database, for 71-batch.test.
 *
 *   batch-driver SOCKET outcomes        jobs of every ending in one batch
 *   batch-driver SOCKET uniques         a key whose taker goes out of the batch
 *   batch-driver SOCKET cross SEED      two processes, the same numbers crossed
 *   batch-driver SOCKET refunds         refunds of few payments, then wanted
 *
 * It prints what came of it, one "name value" a line; the test judges.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpayhub/base/id.h"
#include "t/component/worker/batch_driver.h"

#define ROUNDS 40
#define ROUND_JOBS 64

enum job_kind { JOB_CREATE, JOB_MOVE, JOB_TRADE };

struct job {
    struct wk_store_job store; /* first */
    enum job_kind       kind;
    char                id[PH_ID_LEN + 1];
    char                number[65];
    struct ph_str       subject;
    struct wk_order     order; /* as believed */
    struct wk_order     after;
    struct wk_want      want;
    int64_t             fence;
    bool                is_fresh;
    bool                is_replay;
    bool                has_trade; /* takes "t-1" as well */
    unsigned            plans;
    bool                is_ended;
    struct ph_arena     arena;
    char                memory[ARENA_LEN];
};

static struct {
    size_t ended, flushes, ended_first; /* by the first flush */
} told;

void
die(const char *what, const char *why)
{
    fprintf(stderr, "batch-driver: %s: %s\n", what, why);
    exit(1);
}

static void
run_sql(MYSQL *mysql, const char *sql)
{
    if (mysql_query(mysql, sql) != 0) {
        die(sql, mysql_error(mysql));
    }
}

static long
number_of(MYSQL *mysql, const char *sql)
{
    run_sql(mysql, sql);
    MYSQL_RES *rows = mysql_store_result(mysql);
    MYSQL_ROW  row  = rows != NULL ? mysql_fetch_row(rows) : NULL;

    if (row == NULL) {
        die(sql, "no row");
    }
    long value = strtol(row[mysql_num_fields(rows) - 1], NULL, 10);

    mysql_free_result(rows);
    return value;
}

void
link_open(struct wk_link *link, const char *socket)
{
    *link = (struct wk_link){ 0 };
    if (!wk_db_init(&link->db)) {
        die("memory", "none");
    }
    link->db.mysql = mysql_init(NULL);
    if (link->db.mysql == NULL
        || mysql_options(link->db.mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") != 0
        || mysql_real_connect(link->db.mysql, NULL, "w", "", "payhub", 0,
                              socket, CLIENT_MULTI_STATEMENTS)
               == NULL)
    {
        die(socket, mysql_error(link->db.mysql));
    }
    run_sql(link->db.mysql,
            "SET time_zone='+00:00',sql_mode='STRICT_ALL_TABLES'");
    run_sql(link->db.mysql,
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
}

/* ---- jobs ---- */

static void
job_order(struct job *job, uint64_t now_ms)
{
    job->order.payment = (struct wk_payment){
        .id            = ph_str_z(job->id),
        .merchant_id   = PH_STR("M1"),
        .app_id        = PH_STR("app"),
        .order_no      = ph_str_z(job->number),
        .status        = PH_PAYMENT_PAYING,
        .amount        = 100,
        .currency      = PH_STR("CNY"),
        .method        = PH_STR("bar"),
        .channel       = PH_STR("sandbox"),
        .account_id    = PH_STR("acc"),
        .attempt_ids   = PH_STR("-"),
        .subject       = job->subject,
        .proof_source  = PH_STR("none"),
        .fence         = job->fence,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + 1000,
    };
}

static void
job_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct job *job = (struct job *) store;

    ph_arena_reset(&job->arena);
    job->is_replay = (store->lost & (1u << WK_PAYMENT_NO)) != 0;
    job->is_fresh  = job->is_fresh && !store->raced;
    job->want      = (struct wk_want){ .by    = WK_WANT_PAYMENT,
                                       .key   = { ph_str_z(job->id) },
                                       .arena = &job->arena,
                                       .order = &job->order };
    if (job->is_replay) {
        job->want.by     = WK_WANT_ORDER_NO;
        job->want.key[0] = PH_STR("app");
        job->want.key[1] = ph_str_z(job->number);
    }
    if (job->is_replay || (job->kind == JOB_MOVE && !job->is_fresh)) {
        wk_batch_want(batch, &job->want);
    }
}

static bool
trade_take(struct wk_batch *batch, struct job *job)
{
    const struct ph_str key[3]
        = { PH_STR("sandbox"), PH_STR("acc"), PH_STR("t-1") };

    return wk_batch_unique(batch, WK_CHANNEL_TRADE, key, ph_str_z(job->id),
                           ph_str_make(NULL, 0));
}

static enum wk_plan
job_create(struct wk_batch *batch, struct job *job)
{
    static const char   hash[32] = { 1 };
    const struct ph_str key[3]
        = { PH_STR("app"), ph_str_z(job->number), { NULL, 0 } };

    if (job->is_replay) {
        return job->want.found == WK_FOUND_ROW ? WK_PLAN_DONE : WK_PLAN_FAILED;
    }
    job_order(job, wk_batch_now_ms(batch));
    return wk_batch_unique(batch, WK_PAYMENT_NO, key, ph_str_z(job->id),
                           ph_str_make(hash, sizeof(hash)))
                   && (!job->has_trade || trade_take(batch, job))
                   && wk_batch_insert(batch, &wk_payment_table,
                                      &job->order.payment)
                   && wk_batch_work_put(batch, ph_str_z(job->id), WK_QUEUE_LOOK,
                                        wk_batch_now_ms(batch))
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static enum wk_plan
job_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    struct job *job = (struct job *) store;

    job->plans++;
    if (job->kind == JOB_CREATE) {
        return job_create(batch, job);
    }
    if (job->kind == JOB_TRADE) {
        return store->lost == 0 && trade_take(batch, job) ? WK_PLAN_DONE
                                                          : WK_PLAN_AGAIN;
    }
    if (!job->is_fresh && job->want.found != WK_FOUND_ROW) {
        return WK_PLAN_FAILED;
    }
    const struct wk_payment *before = &job->order.payment;
    int64_t fence = job->fence < before->fence ? 0 : job->fence;

    if (job->is_fresh) { /* believes in its lock */
        fence = job->fence;
    }
    job->after.payment = *before;
    job->after.payment.sequence++;
    return wk_batch_move(batch, &wk_payment_table, before, &job->after.payment,
                         ph_str_make(NULL, 0), fence)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static void
job_ended(void *data, struct wk_store_job *store)
{
    (void) data;
    if (store == NULL) {
        told.flushes++;
        if (told.flushes == 1) {
            told.ended_first = told.ended;
        }
        return;
    }
    struct job *job = (struct job *) store;

    if (job->is_ended) {
        die(job->id, "ended twice");
    }
    job->is_ended = true;
    told.ended++;
}

static struct job *
jobs_new(size_t count)
{
    struct job *jobs = calloc(count, sizeof(*jobs));

    for (size_t i = 0; jobs != NULL && i < count; i++) {
        ph_arena_init(&jobs[i].arena, jobs[i].memory, ARENA_LEN);
        jobs[i].store
            = (struct wk_store_job){ .ask = job_ask, .plan = job_plan };
        jobs[i].subject = PH_STR("tea");
    }
    if (jobs == NULL) {
        die("memory", "none");
    }
    return jobs;
}

static void
jobs_run(struct wk_batch *batch, struct wk_link *link, struct job *jobs,
         size_t count)
{
    struct wk_store_job *list[WK_BATCH_JOBS_MAX];

    for (size_t i = 0; i < count; i++) {
        list[i] = &jobs[i].store;
    }
    wk_batch_run(batch, link, list, count, job_ended, NULL);
}

/* ---- one batch of every ending ---- */

void
id_of(char id[PH_ID_LEN + 1], unsigned process, unsigned round, unsigned i)
{
    (void) snprintf(id, PH_ID_LEN + 1, "P%06u%06u%06u00000000", process % 1000,
                    round % 1000000, i % 1000000);
}

enum { DUPLICATE = 10, TOO_LONG = 20, RACED = 30, STALE = 40, TWIN = 50 };

static void
outcomes_prepare(struct wk_link *link, struct wk_batch *batch, struct job *jobs)
{
    struct job *before = jobs_new(3);

    for (unsigned i = 0; i < 3; i++) {
        id_of(before[i].id, 9, 0, i);
        (void) snprintf(before[i].number, sizeof(before[i].number), "old-%u",
                        i);
        before[i].fence = 5;
    }
    jobs_run(batch, link, before, 3);
    for (unsigned i = 0; i < 3; i++) {
        if (before[i].store.outcome != WK_STORE_DONE) {
            die(before[i].id, "not inserted");
        }
    }
    /* what these two believe is not so any more, or was overtaken by a fence */
    for (unsigned i = 1; i < 3; i++) {
        struct job *job = &jobs[i == 1 ? RACED : STALE];

        job->kind     = JOB_MOVE;
        job->is_fresh = true;
        job->fence    = i == 1 ? 9 : 3;
        (void) snprintf(job->id, sizeof(job->id), "%s", before[i].id);
        (void) snprintf(job->number, sizeof(job->number), "old-%u", i);
        job_order(job, 1767323045678);
        job->order.payment.ver   = i == 1 ? 4 : 0;
        job->order.payment.fence = 3;
    }
    free(before);
}

static void
outcomes(const char *socket)
{
    static char      subject[200];
    struct wk_link   link;
    struct wk_batch *batch = wk_batch_new();
    struct job      *jobs  = jobs_new(WK_BATCH_JOBS_MAX);
    size_t           done = 0, failed = 0;

    link_open(&link, socket);
    if (batch == NULL) {
        die("memory", "none");
    }
    for (unsigned i = 0; i < WK_BATCH_JOBS_MAX; i++) {
        id_of(jobs[i].id, 1, 1, i);
        (void) snprintf(jobs[i].number, sizeof(jobs[i].number), "new-%u", i);
    }
    outcomes_prepare(&link, batch, jobs);
    (void) snprintf(jobs[DUPLICATE].number, 65, "old-0");
    (void) snprintf(jobs[TWIN].number, 65, "new-%d", TWIN + 1);
    memset(subject, 's', sizeof(subject));
    jobs[TOO_LONG].subject = ph_str_make(subject, sizeof(subject));

    long commits = number_of(link.db.mysql, "SHOW STATUS LIKE 'Com_commit'");

    memset(&told, 0, sizeof(told));
    jobs_run(batch, &link, jobs, WK_BATCH_JOBS_MAX);
    for (size_t i = 0; i < WK_BATCH_JOBS_MAX; i++) {
        done += jobs[i].store.outcome == WK_STORE_DONE;
        failed += jobs[i].store.outcome == WK_STORE_FAILED;
    }
    printf("ended %zu\nfirst %zu\ndone %zu\nfailed %zu\n", told.ended,
           told.ended_first, done, failed);
    printf("commits %ld\n",
           number_of(link.db.mysql, "SHOW STATUS LIKE 'Com_commit'") - commits);
    printf(
        "duplicate %d %d\n", jobs[DUPLICATE].store.outcome == WK_STORE_DONE,
        jobs[DUPLICATE].is_replay
            && strcmp(jobs[DUPLICATE].order.payment.id.ptr, jobs[DUPLICATE].id)
                   != 0);
    /* one of the two; the other reads it */
    printf("twins %d %d\n", jobs[TWIN].is_replay, jobs[TWIN + 1].is_replay);
    printf("too_long %d\n", jobs[TOO_LONG].store.outcome == WK_STORE_FAILED);
    printf("raced %d %d\n", jobs[RACED].store.outcome == WK_STORE_DONE,
           jobs[RACED].store.raced);
    printf("stale %d %d\n", jobs[STALE].store.outcome == WK_STORE_DONE,
           jobs[STALE].store.raced);
    free(jobs);
    wk_batch_free(batch);
    wk_db_deinit(&link.db);
}

/* ---- a key whose taker goes out ---- */

/* The first takes the key but has to go, since its number is another's: then
 * nobody has the key yet, and the second has not lost it. */
static void
uniques(const char *socket)
{
    struct wk_link   link;
    struct wk_batch *batch  = wk_batch_new();
    struct job      *before = jobs_new(1), *jobs = jobs_new(2);

    link_open(&link, socket);
    if (batch == NULL) {
        die("memory", "none");
    }
    id_of(before->id, 8, 0, 0);
    (void) snprintf(before->number, sizeof(before->number), "taken");
    jobs_run(batch, &link, before, 1);
    for (unsigned i = 0; i < 2; i++) {
        id_of(jobs[i].id, 8, 1, i);
        (void) snprintf(jobs[i].number, sizeof(jobs[i].number), "taken");
    }
    jobs[0].has_trade = true;
    jobs[1].kind      = JOB_TRADE;
    jobs_run(batch, &link, jobs, 2);
    printf("first %d %u\n", jobs[0].store.outcome == WK_STORE_DONE,
           jobs[0].store.lost);
    printf("second %d %u\n", jobs[1].store.outcome == WK_STORE_DONE,
           jobs[1].store.lost);
    free(before);
    free(jobs);
    wk_batch_free(batch);
    wk_db_deinit(&link.db);
}

/* ---- two processes, crossed ---- */

static void
cross_process(const char *socket, unsigned process, unsigned seed)
{
    struct wk_link   link;
    struct wk_batch *batch = wk_batch_new();
    size_t           done = 0, other = 0, replays = 0;

    link_open(&link, socket);
    for (unsigned round = 0; round < ROUNDS && batch != NULL; round++) {
        struct job *jobs = jobs_new(ROUND_JOBS);

        for (unsigned i = 0; i < ROUND_JOBS; i++) {
            struct job *job = &jobs[i];
            unsigned    at  = process == 0 ? i : ROUND_JOBS - 1 - i;

            if (i % 4 == 3) { /* a row that both move */
                job->kind = JOB_MOVE;
                id_of(job->id, 9, 0, at / 4 % 3);
            } else {
                id_of(job->id, process + 1, seed % 1000 * 1000 + round, i);
                (void) snprintf(job->number, 65, "x-%u-%u-%u", seed, round, at);
            }
        }
        jobs_run(batch, &link, jobs, ROUND_JOBS);
        for (unsigned i = 0; i < ROUND_JOBS; i++) {
            done += jobs[i].store.outcome == WK_STORE_DONE;
            other += jobs[i].store.outcome != WK_STORE_DONE;
            replays += jobs[i].is_replay;
        }
        free(jobs);
    }
    printf("done%u %zu\nother%u %zu\nreplays%u %zu\n", process, done, process,
           other, process, replays);
    fflush(stdout);
    wk_batch_free(batch);
    wk_db_deinit(&link.db);
}

static void
cross(const char *socket, unsigned seed)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        cross_process(socket, 1, seed);
        exit(0);
    }
    cross_process(socket, 0, seed);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) {
        die("child", "failed");
    }
    printf("moves %d\n", 2 * ROUNDS * ROUND_JOBS / 4);
}

void
payments_make(struct wk_batch *batch, struct wk_link *link, unsigned count)
{
    struct job *jobs = jobs_new(count);

    for (unsigned i = 0; i < count; i++) {
        id_of(jobs[i].id, 7, 1, i);
        (void) snprintf(jobs[i].number, sizeof(jobs[i].number), "paid-%u", i);
    }
    jobs_run(batch, link, jobs, count);
    free(jobs);
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "uniques") == 0) {
        uniques(argv[1]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[2], "outcomes") == 0) {
        outcomes(argv[1]);
    } else if (argc == 3 && strcmp(argv[2], "refunds") == 0) {
        refunds(argv[1]);
    } else if (argc == 4 && strcmp(argv[2], "cross") == 0) {
        cross(argv[1], (unsigned) strtoul(argv[3], NULL, 10));
    } else {
        die("usage",
            "batch-driver SOCKET outcomes | SOCKET cross SEED | SOCKET "
            "refunds");
    }
    return 0;
}

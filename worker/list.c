/*
 * list.c - GET /v1/payments: an app's payments, newest first, a page at a time.
 *
 *   ids of the page -> orders in small groups -> text
 *
 * The index (app_id, id) is walked from the cursor down, SCAN_MAX ids a page
 * at most, whatever the filters let through: a page may hold less than `limit`
 * and still name a cursor.  So does one whose text grew to PAGE_TEXT_MAX.
 */
#include "worker/list.h"

#include "worker/list_query.h"
#include "worker/payment_view.h"
#include "worker/rows.h"
#include "worker/store.h"

#define SCAN_MAX 2000
#define GROUP_MAX 16 /* orders in memory at once; fewer when they are large */
#define PAGE_TEXT_MAX (200 * 1024)
#define CLOCK_SLACK_MS 300000 /* ids are of the workers' clocks */

struct list_job {
    struct wk_store_job  store; /* first */
    struct wk_request   *request;
    struct wk_block     *block;
    struct ph_arena     *arena;
    size_t               arena_mark;
    struct ph_str        app_id;
    struct wk_list_query query;
    char                 id_memory[WK_LIST_LIMIT_MAX + 1][PH_ID_LEN];
    size_t               id_count; /* at most limit + 1 */
    char                 last_memory[PH_ID_LEN];
    bool                 is_cut; /* the scan ended at SCAN_MAX, here: */
    struct ph_str        body;
};

/* ---- the page's ids ---- */

static void
sql_values(struct wk_db *db, const char *column,
           const struct wk_list_values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        wk_sql(db, i == 0 ? PH_STR(" AND ") : PH_STR(","));
        if (i == 0) {
            wk_sql(db, ph_str_z(column));
            wk_sql(db, PH_STR(" IN ("));
        }
        wk_sql_text(db, values->value[i]);
    }
    wk_sql(db, values->count != 0 ? PH_STR(")") : PH_STR(""));
}

/* "(SELECT id ... LIMIT n) k": what is walked through for this page */
static void
sql_walk(struct wk_db *db, const struct list_job *job)
{
    const struct wk_list_query *query = &job->query;
    struct ph_id                bound;

    wk_sql(db, PH_STR("(SELECT id FROM payment WHERE app_id="));
    wk_sql_text(db, job->app_id);
    if (query->before_id.len != 0) {
        wk_sql(db, PH_STR(" AND id<"));
        wk_sql_text(db, query->before_id);
    }
    if (query->to_ms != 0) {
        bound = ph_id_floor(PH_ID_PAYMENT, query->to_ms + CLOCK_SLACK_MS);
        wk_sql(db, PH_STR(" AND id<"));
        wk_sql_text(db, ph_str_z(bound.text));
    }
    if (query->from_ms > CLOCK_SLACK_MS) {
        bound = ph_id_floor(PH_ID_PAYMENT, query->from_ms - CLOCK_SLACK_MS);
        wk_sql(db, PH_STR(" AND id>="));
        wk_sql_text(db, ph_str_z(bound.text));
    }
    wk_sql(db, PH_STR(" ORDER BY id DESC LIMIT "));
    wk_sql_i64(db, SCAN_MAX);
    wk_sql(db, PH_STR(") k"));
}

static void
sql_filters(struct wk_db *db, const struct wk_list_query *query)
{
    wk_sql(db, PH_STR(" WHERE 1=1"));
    sql_values(db, "p.status", &query->statuses);
    sql_values(db, "p.method", &query->methods);
    sql_values(db, "p.channel", &query->channels);
    sql_values(db, "p.account_id", &query->accounts);
    if (query->from_ms != 0) {
        wk_sql(db, PH_STR(" AND p.created_at>="));
        wk_sql_time(db, query->from_ms);
    }
    if (query->to_ms != 0) {
        wk_sql(db, PH_STR(" AND p.created_at<"));
        wk_sql_time(db, query->to_ms);
    }
}

/* What came in between the two statements is newer than all that they share:
 * then the walk seems to end a little early, and is walked again from there. */
static bool
ids_read(struct wk_db *db, struct list_job *job)
{
    struct ph_str texts[2];
    uint64_t      walked = 0;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT p.id FROM payment p JOIN "));
    sql_walk(db, job);
    wk_sql(db, PH_STR(" ON p.id=k.id"));
    sql_filters(db, &job->query);
    wk_sql(db, PH_STR(" ORDER BY p.id DESC LIMIT "));
    wk_sql_i64(db, (int64_t) job->query.limit + 1);
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT COUNT(*),MIN(id) FROM "));
    sql_walk(db, job);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    job->id_count = 0;
    while (job->id_count <= job->query.limit && wk_db_next(db, 0, texts, 1)
           && texts[0].len == PH_ID_LEN)
    {
        memcpy(job->id_memory[job->id_count++], texts[0].ptr, PH_ID_LEN);
    }
    job->is_cut = wk_db_next(db, 1, texts, 2)
                  && ph_str_u64(texts[0], SCAN_MAX, &walked)
                  && walked == SCAN_MAX && texts[1].len == PH_ID_LEN;
    if (job->is_cut) {
        memcpy(job->last_memory, texts[1].ptr, PH_ID_LEN);
    }
    return db->error_no == 0;
}

static struct ph_str
id_at(const struct list_job *job, size_t i)
{
    return ph_str_make(job->id_memory[i], PH_ID_LEN);
}

/* ---- orders to text ---- */

/* Orders that share memory; `count` falls when they do not fit together. */
struct group {
    struct wk_payment *payments;
    struct wk_attempt *attempts; /* of all of them */
    size_t             payment_count;
    size_t             attempt_count;
};

static bool
group_payments(struct wk_db *db, struct list_job *job, size_t from,
               size_t count, struct group *group)
{
    wk_db_clear(db);
    wk_sql_select(db, &wk_payment_table);
    wk_sql(db, PH_STR(" WHERE id IN ("));
    for (size_t i = 0; i < count; i++) {
        wk_sql(db, i != 0 ? PH_STR(",") : PH_STR(""));
        wk_sql_text(db, id_at(job, from + i));
    }
    wk_sql(db, PH_STR(") ORDER BY id DESC"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    group->payment_count = 0;
    while (group->payment_count < count
           && wk_db_fetch(db, 0, &wk_payment_table, job->arena,
                          &group->payments[group->payment_count]))
    {
        group->payment_count++;
    }
    return db->error_no == 0;
}

static bool
group_attempts(struct wk_db *db, struct list_job *job, struct group *group)
{
    bool is_first = true;

    wk_db_clear(db);
    wk_sql_select(db, &wk_attempt_table);
    wk_sql(db, PH_STR(" WHERE id IN ("));
    for (size_t i = 0; i < group->payment_count; i++) {
        struct ph_str ids = group->payments[i].attempt_ids, id;

        while (ph_str_next(&ids, ',', &id)) {
            wk_sql(db, is_first ? PH_STR("") : PH_STR(","));
            wk_sql_text(db, id);
            is_first = false;
        }
    }
    wk_sql(db, PH_STR(") ORDER BY id"));
    wk_sql_end(db);
    group->attempt_count = 0;
    if (is_first) {
        return true;
    }
    if (!wk_db_run(db)) {
        return false;
    }
    while (group->attempt_count < group->payment_count * WK_ATTEMPTS_MAX
           && wk_db_fetch(db, 0, &wk_attempt_table, job->arena,
                          &group->attempts[group->attempt_count]))
    {
        group->attempt_count++;
    }
    return db->error_no == 0;
}

static bool
group_load(struct wk_db *db, struct list_job *job, size_t from, size_t count,
           struct group *group)
{
    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    group->payments
        = ph_arena_take(job->arena, count * sizeof(*group->payments));
    group->attempts = ph_arena_take(job->arena, count * WK_ATTEMPTS_MAX
                                                    * sizeof(*group->attempts));
    return group->payments != NULL && group->attempts != NULL
           && group_payments(db, job, from, count, group)
           && group_attempts(db, job, group);
}

static void
group_view(struct ph_buf *text, const struct group *group, size_t which)
{
    struct wk_order order = { .payment = group->payments[which] };

    for (size_t i = 0; i < group->attempt_count; i++) {
        if (ph_str_eq(group->attempts[i].payment_id, order.payment.id)
            && order.attempt_count < WK_ATTEMPTS_MAX)
        {
            order.attempt[order.attempt_count++] = group->attempts[i];
        }
    }
    wk_payment_view(text, &order);
}

enum page_step { PAGE_FAILED = 0, PAGE_ON, PAGE_FULL };

/* Moves *next past the orders that were written. */
static enum page_step
page_add(struct wk_db *db, struct list_job *job, size_t *next, size_t end)
{
    size_t       count = end - *next < GROUP_MAX ? end - *next : GROUP_MAX;
    struct group group;

    while (!group_load(db, job, *next, count, &group) || job->arena->full) {
        if (!job->arena->full || count == 1) {
            return PAGE_FAILED;
        }
        count /= 2;
    }
    for (size_t i = 0; i < group.payment_count; i++) {
        size_t mark = db->text.len;

        ph_buf_add(&db->text, *next + i != 0 ? PH_STR(",") : PH_STR(""));
        group_view(&db->text, &group, i);
        if (db->text.full || db->text.len > PAGE_TEXT_MAX) {
            ph_buf_cut(&db->text, mark);
            *next += i;
            return *next != 0 ? PAGE_FULL : PAGE_FAILED;
        }
    }
    *next += count;
    return PAGE_ON;
}

/* Where the next page begins, from what this one holds. */
static void
page_close(struct wk_db *db, const struct list_job *job, size_t shown)
{
    struct ph_str after = { NULL, 0 };

    if (shown < job->id_count) {
        after = id_at(job, shown - 1);
    } else if (job->is_cut) {
        after = ph_str_make(job->last_memory, PH_ID_LEN);
        if (shown != 0 && ph_str_cmp(id_at(job, shown - 1), after) < 0) {
            after = id_at(job, shown - 1);
        }
    }
    ph_buf_add(&db->text, PH_STR("],\"next_cursor\":"));
    if (after.len == 0) {
        ph_buf_add(&db->text, PH_STR("null}"));
        return;
    }
    ph_buf_byte(&db->text, '"');
    wk_list_cursor(&db->text, &job->query, after);
    ph_buf_add(&db->text, PH_STR("\"}"));
}

static enum wk_run
list_run(struct wk_db *db, struct wk_store_job *store)
{
    struct list_job *job  = (struct list_job *) store;
    enum page_step   step = PAGE_ON;
    size_t           next = 0;

    ph_buf_cut(&db->text, 0);
    if (!ids_read(db, job)) {
        return WK_RUN_FAILED;
    }
    size_t end
        = job->id_count < job->query.limit ? job->id_count : job->query.limit;

    ph_buf_add(&db->text, PH_STR("{\"data\":["));
    while (next < end && step == PAGE_ON) {
        step = page_add(db, job, &next, end);
    }
    if (step == PAGE_FAILED) {
        return WK_RUN_FAILED;
    }
    page_close(db, job, next);
    job->arena->len  = job->arena_mark;
    job->arena->full = false;
    job->body        = ph_arena_dup(job->arena, ph_buf_str(&db->text));
    return db->text.full || job->body.ptr == NULL ? WK_RUN_FAILED : WK_RUN_DONE;
}

/* ---- on the loop ---- */

static void
list_done(struct wk_store_job *store)
{
    struct list_job  *job    = (struct list_job *) store;
    struct wk_worker *worker = job->request->worker;

    if (store->outcome == WK_STORE_DONE) {
        const struct wk_reply reply
            = { .type = PH_FRAME_RESULT, .status = 200, .body = job->body };

        wk_reply(job->request, &reply);
    } else {
        const struct ph_problem problem
            = { .error  = PH_ERROR_NOT_EXECUTED,
                .detail = PH_STR("the database is not to be reached") };
        const struct wk_reply more = { .retry_after_s = 1 };

        wk_reply_problem(job->request, PH_FRAME_BUSY, &problem, &more);
    }
    wk_block_give(worker, job->block);
}

void
wk_list_tell(struct wk_request *request, struct wk_block *block,
             const struct wk_list_query *query)
{
    struct list_job *job = ph_arena_take(&block->arena, sizeof(*job));

    *job       = (struct list_job){ .request = request,
                                    .block   = block,
                                    .arena   = &block->arena,
                                    .app_id  = request->app_id };
    job->store = (struct wk_store_job){ .run = list_run, .done = list_done };
    job->query = *query; /* its texts are views of the original, */
    job->arena_mark = block->arena.len; /* which lies in the same block */
    if (!wk_store_submit(request->worker->store, &job->store)) {
        job->store.outcome = WK_STORE_FAILED;
        list_done(&job->store);
    }
}

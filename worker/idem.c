/* idem.c - answers of idempotency keys; see idem.h. */
#include "worker/idem.h"

#include "libpayhub/io/log.h"
#include "libpayhub/wire/digest.h"
#include "worker/store.h"

/* one a request with a key; gone with its reply */
struct wk_idem {
    struct wk_store_job store; /* first */
    struct wk_request  *request;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark;
    void (*go)(struct wk_request *request);
    uint8_t         key_hash[PH_SHA256_LEN];
    uint8_t         body_hash[PH_SHA256_LEN];
    struct wk_reply reply; /* to keep; its texts are in the arena */

    /* read on the store thread */
    bool          is_found;
    struct ph_str found_hash;
    uint64_t      found_status;
    struct ph_str found_body;
    struct ph_str found_id;
};

static struct ph_str
digest_text(const uint8_t digest[PH_SHA256_LEN])
{
    return ph_str_make((const char *) digest, PH_SHA256_LEN);
}

static void
idem_end(struct wk_idem *idem)
{
    struct wk_request *request = idem->request;

    request->idem = NULL;
    wk_block_give(request->worker, idem->block);
}

/* ---- rows ---- */

static void
sql_where(struct wk_db *db, const struct wk_idem *idem)
{
    wk_sql(db, PH_STR(" WHERE app_id="));
    wk_sql_text(db, idem->request->app_id);
    wk_sql(db, PH_STR(" AND key_hash="));
    wk_sql_bytes(db, digest_text(idem->key_hash));
}

static void
sql_age(struct wk_db *db, const struct wk_worker *worker, const char *sign)
{
    wk_sql(db, PH_STR("created_at"));
    wk_sql(db, ph_str_z(sign));
    wk_sql(db, PH_STR("NOW(3)-INTERVAL "));
    wk_sql_i64(db, wk_conf(worker, PH_CONF_pay_idempotency_ttl) / 1000);
    wk_sql(db, PH_STR(" SECOND"));
}

static bool
row_read(struct wk_db *db, struct wk_idem *idem)
{
    struct ph_str texts[4];

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT request_hash,status,body,payment_id FROM idem"));
    sql_where(db, idem);
    wk_sql(db, PH_STR(" AND "));
    sql_age(db, idem->request->worker, ">=");
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    idem->is_found = wk_db_fetch_texts(db, 0, idem->arena, texts, 4)
                     && ph_str_u64(texts[1], 599, &idem->found_status);
    idem->found_hash = texts[0];
    idem->found_body = texts[2];
    idem->found_id   = texts[3];
    return db->error_no == 0 && !idem->arena->full;
}

static enum wk_run
ask_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_idem *idem = (struct wk_idem *) job;

    idem->arena->len  = idem->arena_mark;
    idem->arena->full = false;
    idem->is_found    = false;
    return row_read(db, idem) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static enum wk_run
keep_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_idem *idem = (struct wk_idem *) job;

    idem->arena->len  = idem->arena_mark;
    idem->arena->full = false;
    idem->is_found    = false;
    wk_db_clear(db);
    wk_sql(db, PH_STR("DELETE FROM idem"));
    sql_where(db, idem);
    wk_sql(db, PH_STR(" AND "));
    sql_age(db, idem->request->worker, "<");
    wk_sql_end(db);
    wk_sql(db, PH_STR("INSERT INTO idem (app_id,key_hash,request_hash,status,"
                      "body,payment_id,created_at,ver) VALUES ("));
    wk_sql_text(db, idem->request->app_id);
    wk_sql(db, PH_STR(","));
    wk_sql_bytes(db, digest_text(idem->key_hash));
    wk_sql(db, PH_STR(","));
    wk_sql_bytes(db, digest_text(idem->body_hash));
    wk_sql(db, PH_STR(","));
    wk_sql_i64(db, idem->reply.status);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, idem->reply.body);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, idem->reply.order_id);
    wk_sql(db, PH_STR(",NOW(3),0) ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_RUN_FAILED;
    }
    return db->answer[1].affected == 1 || row_read(db, idem) ? WK_RUN_DONE
                                                             : WK_RUN_FAILED;
}

/* ---- before the handler ---- */

static void
idem_tell(struct wk_idem *idem)
{
    struct wk_request    *request = idem->request;
    const struct wk_reply reply   = { .type      = PH_FRAME_RESULT,
                                      .status    = (unsigned) idem->found_status,
                                      .body      = idem->found_body,
                                      .order_id  = idem->found_id,
                                      .is_replay = true };

    request->idem = NULL;
    wk_reply(request, &reply);
}

static void
ask_done(struct wk_store_job *job)
{
    struct wk_idem    *idem    = (struct wk_idem *) job;
    struct wk_request *request = idem->request;
    struct wk_worker  *worker  = request->worker;

    if (job->outcome != WK_STORE_DONE) {
        const struct ph_problem problem
            = { .error  = PH_ERROR_NOT_EXECUTED,
                .detail = PH_STR("the database is not to be reached") };
        const struct wk_reply more = { .retry_after_s = 1 };

        request->idem = NULL;
        wk_reply_problem(request, PH_FRAME_BUSY, &problem, &more);
    } else if (!idem->is_found) {
        idem->go(request); /* `idem` waits for the reply */
        return;
    } else if (ph_str_eq(idem->found_hash, digest_text(idem->body_hash))) {
        idem_tell(idem);
    } else {
        request->idem = NULL;
        wk_reply_error(request, PH_ERROR_MISMATCH,
                       "this Idempotency-Key was used with another body");
    }
    wk_block_give(worker, idem->block);
}

bool
wk_idem_is_due(const struct wk_request *request)
{
    return request->idem == NULL && !request->idem_is_asked
           && request->key_id.len != 0
           && ph_str_eq(request->method, PH_STR("POST"))
           && ph_field_find(request->frame.meta, PH_FIELD_IDEMPOTENCY_KEY).len
                  != 0;
}

void
wk_idem_ask(struct wk_request *request, void (*go)(struct wk_request *request))
{
    struct wk_block    *block    = wk_block_take(request->worker);
    const struct ph_str hashed[] = {
        request->method,
        PH_STR("\n"),
        request->path,
        PH_STR("\n"),
        ph_field_find(request->frame.meta, PH_FIELD_IDEMPOTENCY_KEY),
    };

    request->idem_is_asked = true;
    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct wk_idem *idem = ph_arena_take(&block->arena, sizeof(*idem));

    idem->store   = (struct wk_store_job){ .run = ask_run, .done = ask_done };
    idem->request = request;
    idem->block   = block;
    idem->arena   = &block->arena;
    idem->go      = go;
    idem->arena_mark = block->arena.len;
    if (!ph_sha256(hashed, PH_COUNT(hashed), idem->key_hash)
        || !ph_sha256(&request->frame.body, 1, idem->body_hash)
        || !wk_store_submit(request->worker->store, &idem->store))
    {
        idem->store.outcome = WK_STORE_FAILED;
        request->idem       = idem;
        ask_done(&idem->store);
        return;
    }
    request->idem = idem;
}

/* ---- behind the handler ---- */

static void
keep_done(struct wk_store_job *job)
{
    struct wk_idem    *idem    = (struct wk_idem *) job;
    struct wk_request *request = idem->request;
    struct wk_worker  *worker  = request->worker;
    struct wk_block   *block   = idem->block;

    if (job->outcome != WK_STORE_DONE) {
        ph_log(PH_LOG_WARN, "answer_not_kept",
               { "request", ph_str_z(request->id_text) },
               { "order", idem->reply.order_id });
    }
    if (job->outcome == WK_STORE_DONE && idem->is_found
        && ph_str_eq(idem->found_hash, digest_text(idem->body_hash)))
    {
        idem_tell(idem);
    } else {
        request->idem = NULL;
        wk_reply(request, &idem->reply);
    }
    wk_block_give(worker, block);
}

/* Of a number that was used before, and still moves: the first request's own
 * answer is to be kept, which may come yet. */
static bool
reply_may_change(const struct wk_reply *reply)
{
    static const struct ph_str open[]
        = { PH_STR_INIT("created"), PH_STR_INIT("paying"),
            PH_STR_INIT("processing"), PH_STR_INIT("unknown") };

    for (size_t i = 0; i < PH_COUNT(open); i++) {
        if (ph_str_eq(reply->outcome, open[i])) {
            return reply->is_replay;
        }
    }
    return false;
}

static bool
reply_copy(struct wk_idem *idem, const struct wk_reply *reply)
{
    struct wk_reply *copy = &idem->reply;

    *copy              = *reply;
    copy->body         = ph_arena_dup(idem->arena, reply->body);
    copy->content_type = ph_arena_dup(idem->arena, reply->content_type);
    copy->order_id     = ph_arena_dup(idem->arena, reply->order_id);
    copy->channel      = ph_arena_dup(idem->arena, reply->channel);
    copy->outcome      = ph_arena_dup(idem->arena, reply->outcome);
    copy->allow        = ph_arena_dup(idem->arena, reply->allow);
    copy->health       = ph_arena_dup(idem->arena, reply->health);
    idem->arena_mark   = idem->arena->len;
    return !idem->arena->full;
}

bool
wk_idem_take(struct wk_request *request, const struct wk_reply *reply)
{
    struct wk_idem *idem = request->idem;

    if (idem == NULL) {
        return false;
    }
    if (reply->type != PH_FRAME_RESULT || reply->status < 200
        || reply->status > 299 || !reply_copy(idem, reply))
    {
        idem_end(idem);
        return false;
    }
    idem->store = (struct wk_store_job){ .writes      = true,
                                         .run         = keep_run,
                                         .done        = keep_done,
                                         .crash_after = "idem_after_commit" };
    if (reply_may_change(reply)) {
        idem->store
            = (struct wk_store_job){ .run = ask_run, .done = keep_done };
    }
    if (!wk_store_submit(request->worker->store, &idem->store)) {
        idem_end(idem);
        return false;
    }
    return true;
}

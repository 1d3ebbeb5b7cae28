/*
 * admin_live.c - the live changes of the cluster, kept in Redis.
 *
 * This process holds what Redis said last, as the very text that edges get;
 * another version makes it read anew.  A change is made by one call of the
 * function ph_config_set, once however often it is told; then its audit row
 * is written, and then it is answered: a worker that dies in between is told
 * again, finds the change made and looks whether the row is there.  With Redis
 * away edges keep what they have and tell again.
 */
#include "worker/admin_int.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/redis.h"

#define POLL_EVERY_NS UINT64_C(200000000)
#define FRESH_NS UINT64_C(5000000000)
#define LIVE_LEN (300 * 1024)
#define NAME_LEN 256
#define SEED_LEN 16
#define ID_LEN_MAX 64
#define AUDIT_TEXT ADMIN_MARK_LEN
#define AUDIT_LOOK 2000 /* youngest rows among which one is looked for */

struct admin_live {
    struct wk_admin *admin;
    bool             is_asking;
    uint64_t         asked_ns;
    uint64_t         known_ns; /* when Redis answered last */
    uint64_t         heard_ns; /* when that was asked for */
    char             at[ADMIN_MARK_LEN];
    struct ph_buf    items; /* {...},{...} */
    char             memory[LIVE_LEN];
};

/* one change on its way */
struct live_tell {
    struct wk_store_job store; /* first; its audit row */
    struct admin_pull  *pull;
    char                act[AUDIT_TEXT];
    char                who[AUDIT_TEXT];
    char                subject[AUDIT_TEXT];
    char               *text;     /* jansson's */
    bool                is_again; /* no act of a person: Redis lost it */
    bool                is_made;  /* by this telling */
};

/* ---- names in Redis ---- */

enum { NAME_AT, NAME_NOW, NAME_STREAM, NAME_DONE, NAMES };

struct live_names {
    char          memory[NAMES][NAME_LEN];
    struct ph_str name[NAMES];
};

static void
names_make(const struct admin_live *live, struct live_names *names)
{
    static const char *const ends[NAMES]
        = { ":config:at", ":config:now", ":config", ":config:done" };
    struct ph_str prefix = ph_str_z(
        ph_conf_text(live->admin->worker->conf, PH_CONF_redis_prefix));

    for (size_t i = 0; i < NAMES; i++) {
        struct ph_buf buf;

        ph_buf_init(&buf, names->memory[i], NAME_LEN);
        ph_buf_byte(&buf, '{');
        ph_buf_add(&buf, prefix);
        ph_buf_byte(&buf, '}');
        ph_buf_add(&buf, ph_str_z(ends[i]));
        names->name[i] = ph_buf_str(&buf);
    }
}

/* ---- reading ---- */

static bool
items_fill(struct admin_live *live, const redisReply *reply)
{
    ph_buf_cut(&live->items, 0);
    for (size_t i = 1; i < reply->elements; i++) {
        const redisReply *item = reply->element[i];

        if (item->type != REDIS_REPLY_STRING) {
            return false;
        }
        ph_buf_add(&live->items, i > 1 ? PH_STR(",") : PH_STR(""));
        ph_buf_add(&live->items, ph_str_make(item->str, item->len));
    }
    return !live->items.full;
}

static void
live_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct admin_live *live = data;

    live->is_asking = false;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        wk_redis_distrust(redis);
        return;
    }
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements == 0 || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[0]->len >= ADMIN_MARK_LEN)
    {
        return;
    }
    const char *at = reply->element[0]->str;

    if (live->known_ns == 0 || strcmp(at, live->at) != 0) {
        if (!items_fill(live, reply)) {
            ph_log(PH_LOG_ERROR, "live_changes_refused",
                   { "why", PH_STR("found more than fits, or no texts") });
            return;
        }
        memcpy(live->at, at, strlen(at) + 1);
    }
    live->known_ns = ph_monotonic_ns();
    live->heard_ns = live->asked_ns;
    wk_admin_look(live->admin);
}

void
wk_admin_live_poll(struct admin_live *live)
{
    uint64_t          now_ns = ph_monotonic_ns();
    struct live_names names  = { 0 };

    if (live->is_asking || now_ns - live->asked_ns < POLL_EVERY_NS) {
        return;
    }
    live->asked_ns = now_ns;
    names_make(live, &names);
    const struct ph_str args[]
        = { PH_STR("FCALL_RO"),
            PH_STR("ph_config_read"),
            PH_STR("2"),
            names.name[NAME_AT],
            names.name[NAME_NOW],
            live->known_ns != 0 ? ph_str_z(live->at) : PH_STR("-") };

    live->is_asking = wk_redis_ask(live->admin->worker->redis, live_answer,
                                   live, args, PH_COUNT(args));
}

/* A table that nobody ever wrote has a mark too: an edge that has changes of
 * its own must see that they are not in it. */
void
wk_admin_live_mark(const struct admin_live *live, struct ph_buf *out)
{
    if (live->known_ns != 0 && ph_monotonic_ns() - live->known_ns < FRESH_NS) {
        ph_buf_add(out,
                   live->at[0] != '\0' ? ph_str_z(live->at) : PH_STR("none:0"));
    }
}

uint64_t
wk_admin_live_heard_ns(const struct admin_live *live)
{
    return live->heard_ns;
}

void
wk_admin_live_write(const struct admin_live *live, struct ph_buf *out)
{
    ph_buf_add(out, PH_STR(",\"items\":["));
    ph_buf_add(out, ph_buf_str(&live->items));
    ph_buf_byte(out, ']');
}

/* ---- telling ---- */

static void
audit_text(struct wk_db *db, struct ph_str before, const char *text)
{
    wk_sql(db, before);
    wk_sql_text(db, ph_str_z(text));
}

/* A change that was made by an earlier telling has its row, unless the worker
 * died before it. */
static enum wk_run
audit_run(struct wk_db *db, struct wk_store_job *job)
{
    struct live_tell *tell = (struct live_tell *) job;

    wk_sql(db, PH_STR("INSERT INTO audit (at,who,act,subject,detail) SELECT "
                      "UTC_TIMESTAMP(3)"));
    audit_text(db, PH_STR(","), tell->who);
    audit_text(db, PH_STR(","), tell->act);
    audit_text(db, PH_STR(","), tell->subject);
    audit_text(db, PH_STR(","), tell->text);
    wk_sql(db, PH_STR(" FROM DUAL"));
    if (!tell->is_made) {
        wk_sql(db,
               PH_STR(" WHERE NOT EXISTS (SELECT 1 FROM (SELECT act,subject,"
                      "detail FROM audit ORDER BY id DESC LIMIT "));
        wk_sql_i64(db, AUDIT_LOOK);
        audit_text(db, PH_STR(") young WHERE act="), tell->act);
        audit_text(db, PH_STR(" AND subject="), tell->subject);
        audit_text(db, PH_STR(" AND detail="), tell->text);
        wk_sql(db, PH_STR(")"));
    }
    wk_sql_end(db);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
tell_free(struct live_tell *tell)
{
    free(tell->text);
    free(tell);
}

static void
tell_end(struct admin_pull *pull)
{
    if (--pull->telling != 0) {
        return;
    }
    pull->after_ns = ph_monotonic_ns();
    wk_admin_told(pull);
}

static void
tell_done(struct live_tell *tell)
{
    struct admin_pull *pull = tell->pull;

    pull->told++;
    tell_free(tell);
    tell_end(pull);
}

static void
audit_done(struct wk_store_job *job)
{
    struct live_tell *tell = (struct live_tell *) job;

    if (job->outcome != WK_STORE_DONE) {
        /* the change holds all the same: it must not be told for ever */
        ph_log(PH_LOG_ERROR, "audit_row_lost", { "who", ph_str_z(tell->who) },
               { "act", ph_str_z(tell->act) },
               { "detail", ph_str_z(tell->text) });
    }
    tell_done(tell);
}

static void
tell_audit(struct live_tell *tell)
{
    struct wk_worker *worker = tell->pull->admin->worker;

    if (tell->is_made) {
        ph_log(PH_LOG_INFO, "live_change", { "who", ph_str_z(tell->who) },
               { "act", ph_str_z(tell->act) },
               { "detail", ph_str_z(tell->text) });
    }
    if (tell->is_again) {
        tell_done(tell);
        return;
    }
    tell->store = (struct wk_store_job){ .writes = true,
                                         .run    = audit_run,
                                         .done   = audit_done };
    if (!wk_store_submit(worker->store, &tell->store)) {
        tell->store.outcome = WK_STORE_FAILED;
        audit_done(&tell->store);
    }
}

static void
text_copy(char out[AUDIT_TEXT], const char *first, struct ph_str text)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, AUDIT_TEXT - 1);
    ph_buf_add(&buf, ph_str_z(first));
    size_t left = buf.size - buf.len;
    ph_buf_add(&buf, ph_str_make(text.ptr, text.len < left ? text.len : left));
    out[buf.len] = '\0';
    for (size_t i = 0; i < buf.len; i++) {
        /* ASCII columns, and no half of a character at the cut */
        out[i] = out[i] < ' ' || out[i] > '~' ? '?' : out[i];
    }
}

static void
tell_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct live_tell  *tell = data;
    struct admin_pull *pull = tell->pull;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING)
    {
        text_copy(pull->told_at, "",
                  ph_str_make(reply->element[0]->str, reply->element[0]->len));
        tell->is_made = reply->element[1]->integer == 1;
        tell_audit(tell);
        return;
    }
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR
        && strncmp(reply->str, "FULL", 4) == 0)
    {
        pull->fault = "the cluster has as many live changes as it takes: take "
                      "some away";
    } else {
        pull->fault = "Redis is away";
    }
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR
        && strncmp(reply->str, "FULL", 4) != 0)
    {
        wk_redis_distrust(redis);
    }
    tell_free(tell);
    tell_end(pull);
}

/* what a later change takes the place of; no name has an LF */
static bool
ident_make(const json_t *change, struct ph_buf *out)
{
    static const char *const members[] = { "kind", "name", "id", "key" };

    for (size_t i = 0; i < PH_COUNT(members); i++) {
        struct ph_str text = wk_admin_text(change, members[i]);

        if (text.len > 0) {
            ph_buf_add(out, out->len != 0 ? PH_STR("\n") : PH_STR(""));
            ph_buf_add(out, text);
        }
    }
    return out->len != 0 && !out->full;
}

static bool
tell_send(struct admin_live *live, struct live_tell *tell, const json_t *item,
          const json_t *change)
{
    bool              is_away = json_is_true(json_object_get(item, "away"));
    struct ph_str     id      = wk_admin_text(item, "id");
    char              ident_memory[NAME_LEN * 2], now_memory[24];
    char              seed_memory[SEED_LEN + 1], at_memory[24];
    struct ph_buf     ident = PH_BUF_INIT(ident_memory);
    struct ph_buf     now   = PH_BUF_INIT(now_memory);
    struct ph_buf     seed  = PH_BUF_INIT(seed_memory);
    struct ph_buf     at    = PH_BUF_INIT(at_memory);
    uint8_t           random[SEED_LEN / 2];
    struct live_names names = { 0 };

    if (!ident_make(change, &ident) || !ph_str_is_token(id, ID_LEN_MAX)) {
        return false;
    }
    ph_random(random, sizeof(random));
    ph_buf_hex(&seed, ph_str_make((const char *) random, sizeof(random)));
    ph_buf_u64(&now, ph_now_ms() / 1000);
    if (tell->is_again) {
        ph_buf_i64(&at, json_integer_value(json_object_get(change, "at")));
    }
    names_make(live, &names);
    const struct ph_str args[] = { PH_STR("FCALL"),
                                   PH_STR("ph_config_set"),
                                   PH_STR("4"),
                                   names.name[NAME_AT],
                                   names.name[NAME_NOW],
                                   names.name[NAME_STREAM],
                                   names.name[NAME_DONE],
                                   ph_buf_str(&seed),
                                   id,
                                   ph_buf_str(&ident),
                                   is_away ? PH_STR("") : ph_str_z(tell->text),
                                   ph_buf_str(&now),
                                   ph_buf_str(&at) };

    return wk_redis_ask(live->admin->worker->redis, tell_answer, tell, args,
                        PH_COUNT(args));
}

/* item: {"id":ID,"change":{...}[,"away":true][,"again":true]} */
static void
tell_one(struct admin_live *live, struct admin_pull *pull, const json_t *item)
{
    struct live_tell *tell    = calloc(1, sizeof(*tell));
    const json_t     *change  = json_object_get(item, "change");
    bool              is_away = json_is_true(json_object_get(item, "away"));

    pull->telling++;
    if (tell != NULL) {
        tell->pull     = pull;
        tell->is_again = json_is_true(json_object_get(item, "again"));
        tell->text     = json_dumps(change, JSON_COMPACT | JSON_SORT_KEYS);
        text_copy(tell->who, "", wk_admin_text(change, "by"));
        text_copy(tell->act, is_away ? "live.remove." : "live.set.",
                  wk_admin_text(change, "kind"));
        text_copy(tell->subject, "",
                  wk_admin_text(change, json_object_get(change, "name") != NULL
                                            ? "name"
                                            : "id"));
    }
    if (tell != NULL && tell->text != NULL
        && strlen(tell->text) <= ADMIN_CHANGE_LEN
        && tell_send(live, tell, item, change))
    {
        return;
    }
    pull->fault = tell == NULL || tell->text == NULL
                      ? "a change is no JSON object"
                      : "Redis is away, or a change or its id is too long";
    if (tell != NULL) {
        tell_free(tell);
    }
    tell_end(pull);
}

void
wk_admin_live_tell(struct admin_live *live, struct admin_pull *pull,
                   const json_t *changes)
{
    size_t count = json_array_size(changes);

    if (count > ADMIN_CHANGES_MAX) {
        wk_admin_refuse(pull, PH_FRAME_REFUSED,
                        "expected at most 1024 changes");
        return;
    }
    pull->telling = 1; /* held by this loop: one that fails at once ends none */
    for (size_t i = 0; i < count; i++) {
        tell_one(live, pull, json_array_get(changes, i));
    }
    tell_end(pull);
}

/* ---- the face ---- */

struct admin_live *
wk_admin_live_new(struct wk_admin *admin)
{
    struct admin_live *live = calloc(1, sizeof(*live));

    if (live != NULL) {
        live->admin = admin;
        ph_buf_init(&live->items, live->memory, sizeof(live->memory));
    }
    return live;
}

void
wk_admin_live_free(struct admin_live *live)
{
    free(live);
}

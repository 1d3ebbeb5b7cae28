/*
 * admin_keys.c - callers' keys for edges, out of app and app_key.
 *
 * Whether anything changed is one indexed read of the rows that changed since
 * a fixed moment; the moment moves on now and then.  What changed is read by
 * each edge's own cursor, in pages:
 *
 *   f:T0:0:ID    everything, by id; T0 is when it began
 *   c:T0:AT:ID   what changed, by time; T0 is when this series began
 *   i:T0:AT:     at rest: all is known until T0, ask again from AT, which lies
 *                ADMIN_OVERLAP_MS before it: a row's time is that of its
 *                statement, and it shows at its commit
 *
 * An edge reads some rows twice and takes them as they are then.  Secrets are
 * unsealed here, on the loop, and wiped once they are sent.
 */
#include "worker/admin_int.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/b64.h"
#include "worker/time_text.h"

#define POLL_EVERY_NS UINT64_C(200000000)
#define FRESH_NS UINT64_C(5000000000)
#define SINCE_MOVES_MS 20000
#define CURSOR_AGE_MS UINT64_C(2592000000) /* 30 days */
#define CLOCK_BACK_MS 5000
#define PAGE_MEMORY (3 * 1024 * 1024)
#define SECRET_MAX 4096
#define STAMP_LEN 64

enum {
    KEY_ID,
    KEY_APP,
    KEY_MERCHANT,
    KEY_ALG,
    KEY_SCHEMES,
    KEY_ROLE,
    KEY_SECRET,
    KEY_PEM,
    KEY_NOT_BEFORE,
    KEY_NOT_AFTER,
    KEY_IS_OFF,
    KEY_CHANGED,
    KEY_TEXTS
};

struct key_cursor {
    char     mode; /* f, c, i */
    uint64_t t0_ms;
    uint64_t at_ms;
    char     id[PH_ID_LEN + 8];
};

struct keys_poll {
    struct wk_store_job store; /* first */
    struct admin_keys  *keys;
    uint64_t            since_ms;
    uint64_t            now_ms;
    char                stamp[STAMP_LEN];     /* since since_ms */
    char                stamp_new[STAMP_LEN]; /* since now - overlap */
};

struct admin_keys {
    struct wk_admin *admin;
    struct keys_poll poll;
    bool             is_polling;
    uint64_t         polled_ns; /* begin of the last poll that went well */
    uint64_t         begun_ns;
    uint64_t         since_ms; /* 0 = not known */
    char             stamp[STAMP_LEN];
    uint64_t         version;
};

struct keys_page {
    struct wk_store_job store; /* first */
    struct admin_pull  *pull;
    struct key_cursor   cursor;
    bool                is_begin; /* of everything */
    uint64_t            now_ms;
    char                mark[ADMIN_MARK_LEN];
    struct ph_arena     arena;
    struct ph_str (*rows)[KEY_TEXTS];
    size_t count;
    char   memory[PAGE_MEMORY];
};

/* ---- has anything changed ---- */

static void
stamp_join(char out[STAMP_LEN], struct ph_str count, struct ph_str sum)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, STAMP_LEN);
    ph_buf_add(&buf, count);
    ph_buf_byte(&buf, ' ');
    ph_buf_add(&buf, sum);
    (void) ph_buf_z(&buf);
}

/* Jobs that only read run outside of a transaction: nobody has asked. */
static bool
now_read(struct wk_db *db, uint64_t *now_ms)
{
    char            memory[64];
    struct ph_arena arena;
    struct ph_str   now;

    ph_arena_init(&arena, memory, sizeof(memory));
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT UTC_TIMESTAMP(3)"));
    wk_sql_end(db);
    bool ok = wk_db_run(db) && wk_db_fetch_texts(db, 0, &arena, &now, 1)
              && wk_time_parse(now, now_ms);

    wk_db_clear(db);
    return ok;
}

static enum wk_run
poll_run(struct wk_db *db, struct wk_store_job *job)
{
    struct keys_poll *poll = (struct keys_poll *) job;
    char              memory[512];
    struct ph_arena   arena;
    struct ph_str     texts[4];

    if (!now_read(db, &poll->now_ms)) {
        return WK_RUN_FAILED;
    }
    uint64_t newer_ms = poll->now_ms - ADMIN_OVERLAP_MS;
    uint64_t since_ms = poll->since_ms != 0 ? poll->since_ms : newer_ms;

    ph_arena_init(&arena, memory, sizeof(memory));
    wk_sql(db, PH_STR("SELECT COUNT(*),COALESCE(SUM(ver+"
                      "1000*UNIX_TIMESTAMP(changed_at)),0),"
                      "COALESCE(SUM(changed_at>="));
    wk_sql_time(db, newer_ms);
    wk_sql(db, PH_STR("),0),COALESCE(SUM(IF(changed_at>="));
    wk_sql_time(db, newer_ms);
    wk_sql(db, PH_STR(",ver+1000*UNIX_TIMESTAMP(changed_at),0)),0) FROM "
                      "app_key WHERE changed_at>="));
    wk_sql_time(db, since_ms);
    wk_sql_end(db);
    if (!wk_db_run(db) || !wk_db_fetch_texts(db, 0, &arena, texts, 4)) {
        return WK_RUN_FAILED;
    }
    stamp_join(poll->stamp, texts[0], texts[1]);
    stamp_join(poll->stamp_new, texts[2], texts[3]);
    return WK_RUN_DONE;
}

static void
poll_done(struct wk_store_job *job)
{
    struct keys_poll  *poll = (struct keys_poll *) job;
    struct admin_keys *keys = poll->keys;

    keys->is_polling = false;
    if (job->outcome != WK_STORE_DONE) {
        return;
    }
    bool was_fresh = keys->begun_ns - keys->polled_ns < FRESH_NS;

    /* after a pause nobody knows what happened in it */
    if (!was_fresh || keys->since_ms == 0
        || strcmp(poll->stamp, keys->stamp) != 0) {
        keys->version++;
    }
    memcpy(keys->stamp, poll->stamp, STAMP_LEN);
    if (keys->since_ms == 0
        || poll->now_ms - keys->since_ms > SINCE_MOVES_MS + ADMIN_OVERLAP_MS)
    {
        keys->since_ms = poll->now_ms - ADMIN_OVERLAP_MS;
        memcpy(keys->stamp, poll->stamp_new, STAMP_LEN);
    }
    keys->polled_ns = keys->begun_ns;
    wk_admin_look(keys->admin);
}

void
wk_admin_keys_poll(struct admin_keys *keys)
{
    uint64_t now_ns = ph_monotonic_ns();

    if (keys->is_polling || now_ns - keys->begun_ns < POLL_EVERY_NS) {
        return;
    }
    keys->begun_ns      = now_ns;
    keys->poll.keys     = keys;
    keys->poll.since_ms = keys->since_ms;
    keys->poll.store
        = (struct wk_store_job){ .run = poll_run, .done = poll_done };
    keys->is_polling
        = wk_store_submit(keys->admin->worker->store, &keys->poll.store);
}

void
wk_admin_keys_mark(const struct admin_keys *keys, struct ph_buf *out)
{
    if (keys->polled_ns != 0 && ph_monotonic_ns() - keys->polled_ns < FRESH_NS)
    {
        ph_buf_add(out, ph_str_z(keys->admin->boot));
        ph_buf_byte(out, ':');
        ph_buf_u64(out, keys->version);
    }
}

/* ---- cursors ---- */

static void
cursor_read(struct ph_str text, struct key_cursor *cursor)
{
    struct ph_str mode, t0, at;

    *cursor = (struct key_cursor){ .mode = '\0' };
    if (!ph_str_next(&text, ':', &mode) || !ph_str_next(&text, ':', &t0)
        || !ph_str_next(&text, ':', &at) || mode.len != 1
        || (mode.ptr[0] != 'f' && mode.ptr[0] != 'c' && mode.ptr[0] != 'i')
        || !ph_str_u64(t0, INT64_MAX, &cursor->t0_ms)
        || !ph_str_u64(at, INT64_MAX, &cursor->at_ms)
        || (text.len != 0 && !ph_str_is_token(text, 32)))
    {
        return;
    }
    cursor->mode = mode.ptr[0];
    memcpy(cursor->id, text.len != 0 ? text.ptr : "", text.len);
}

static void
cursor_write(struct ph_buf *out, const struct key_cursor *cursor)
{
    ph_buf_add(out, PH_STR("\""));
    ph_buf_byte(out, cursor->mode);
    ph_buf_byte(out, ':');
    ph_buf_u64(out, cursor->t0_ms);
    ph_buf_byte(out, ':');
    ph_buf_u64(out, cursor->at_ms);
    ph_buf_byte(out, ':');
    ph_buf_add(out, ph_str_z(cursor->id));
    ph_buf_byte(out, '"');
}

/* Where to read from, judged by the database's clock. */
static void
cursor_begin(struct keys_page *page, uint64_t now_ms)
{
    struct key_cursor *cursor = &page->cursor;

    page->is_begin = cursor->mode == '\0'
                     || cursor->t0_ms > now_ms + CLOCK_BACK_MS
                     || now_ms - cursor->t0_ms > CURSOR_AGE_MS;
    if (page->is_begin) {
        *cursor = (struct key_cursor){ .mode = 'f', .t0_ms = now_ms };
    } else if (cursor->mode == 'i') {
        cursor->mode  = 'c';
        cursor->t0_ms = now_ms;
    }
}

/* ---- a page ---- */

static void
page_sql(struct wk_db *db, const struct key_cursor *cursor)
{
    wk_sql(db,
           PH_STR("SELECT k.id,k.app_id,a.merchant_id,k.alg,k.schemes,k.role,"
                  "k.secret,k.public_key,"
                  /* UNIX_TIMESTAMP() ends in 2038 and is NULL then */
                  "TIMESTAMPDIFF(SECOND,'1970-01-01',k.not_before)"
                  "+(MICROSECOND(k.not_before)>0),"
                  "TIMESTAMPDIFF(SECOND,'1970-01-01',k.not_after),"
                  "k.revoked_at IS NOT NULL OR a.status<>'active',k.changed_at"
                  " FROM app_key k JOIN app a ON a.id=k.app_id WHERE "));
    if (cursor->mode == 'f') {
        wk_sql(db, PH_STR("k.id>"));
        wk_sql_text(db, ph_str_z(cursor->id));
        wk_sql(db, PH_STR(" ORDER BY k.id LIMIT "));
    } else {
        wk_sql(db, PH_STR("k.changed_at>="));
        wk_sql_time(db, cursor->at_ms);
        wk_sql(db, PH_STR(" AND (k.changed_at>"));
        wk_sql_time(db, cursor->at_ms);
        wk_sql(db, PH_STR(" OR k.id>"));
        wk_sql_text(db, ph_str_z(cursor->id));
        wk_sql(db, PH_STR(") ORDER BY k.changed_at,k.id LIMIT "));
    }
    wk_sql_i64(db, ADMIN_PAGE_KEYS + 1);
    wk_sql_end(db);
}

static enum wk_run
page_run(struct wk_db *db, struct wk_store_job *job)
{
    struct keys_page *page  = (struct keys_page *) job;
    struct ph_arena  *arena = &page->arena;
    struct key_cursor begun = page->cursor;

    ph_arena_init(arena, page->memory, sizeof(page->memory));
    page->count = 0;
    if (!now_read(db, &page->now_ms)) {
        return WK_RUN_FAILED;
    }
    cursor_begin(page, page->now_ms);
    page->rows
        = ph_arena_take(arena, (ADMIN_PAGE_KEYS + 1) * sizeof(page->rows[0]));
    page_sql(db, &page->cursor);
    if (page->rows == NULL || !wk_db_run(db)) {
        page->cursor = begun;
        return WK_RUN_FAILED;
    }
    /* rows that do not fit are left for the next page */
    while (
        page->count <= ADMIN_PAGE_KEYS
        && wk_db_fetch_texts(db, 0, arena, page->rows[page->count], KEY_TEXTS))
    {
        page->count++;
    }
    return WK_RUN_DONE;
}

static bool
key_secret(const struct wk_worker *worker, const struct ph_str *row,
           struct ph_buf *out)
{
    char                 memory[SECRET_MAX];
    struct ph_buf        plain = PH_BUF_INIT(memory);
    struct ph_seal_place place
        = { PH_STR("app_key"), row[KEY_ID], PH_STR("secret") };
    bool ok = ph_unseal(&plain, worker->seal_keys, worker->seal_key_count,
                        &place, row[KEY_SECRET])
              == PH_OK;

    if (ok) {
        ph_buf_byte(out, '"');
        ph_b64_encode(out, ph_buf_str(&plain));
        ph_buf_byte(out, '"');
    } else {
        ph_log(PH_LOG_ERROR, "key_refused", { "key", row[KEY_ID] },
               { "why", PH_STR("its secret does not open with the keys of "
                               "[seal]") });
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return ok;
}

static void
member_add(struct ph_buf *out, struct ph_str name, struct ph_str value)
{
    ph_buf_add(out, name);
    ph_buf_json(out, value);
}

/* A key that may not be used, or cannot be, is told as one that is off. */
static void
key_write(const struct wk_worker *worker, const struct ph_str *row,
          struct ph_buf *out)
{
    size_t mark = out->len;
    bool   ok   = !ph_str_eq(row[KEY_IS_OFF], PH_STR("1"));

    member_add(out, PH_STR("{\"id\":"), row[KEY_ID]);
    if (ok) {
        member_add(out, PH_STR(",\"app\":"), row[KEY_APP]);
        member_add(out, PH_STR(",\"mch\":"), row[KEY_MERCHANT]);
        member_add(out, PH_STR(",\"alg\":"), row[KEY_ALG]);
        member_add(out, PH_STR(",\"schemes\":"), row[KEY_SCHEMES]);
        member_add(out, PH_STR(",\"role\":"), row[KEY_ROLE]);
        ph_buf_add(out, PH_STR(",\"nb\":"));
        ph_buf_add(out, row[KEY_NOT_BEFORE].len != 0 ? row[KEY_NOT_BEFORE]
                                                     : PH_STR("0"));
        ph_buf_add(out, PH_STR(",\"na\":"));
        ph_buf_add(out, row[KEY_NOT_AFTER].len != 0 ? row[KEY_NOT_AFTER]
                                                    : PH_STR("0"));
        if (row[KEY_PEM].len != 0) {
            member_add(out, PH_STR(",\"pem\":"), row[KEY_PEM]);
        } else {
            ph_buf_add(out, PH_STR(",\"secret\":"));
            ok = key_secret(worker, row, out);
        }
    }
    if (!ok) {
        ph_buf_cut(out, mark);
        member_add(out, PH_STR("{\"id\":"), row[KEY_ID]);
        ph_buf_add(out, PH_STR(",\"off\":true"));
    }
    ph_buf_byte(out, '}');
}

static void
cursor_step(struct key_cursor *cursor, const struct ph_str *row)
{
    (void) wk_time_parse(row[KEY_CHANGED], &cursor->at_ms);
    cursor->at_ms = cursor->mode == 'f' ? 0 : cursor->at_ms;
    memset(cursor->id, 0, sizeof(cursor->id));
    memcpy(cursor->id, row[KEY_ID].ptr,
           row[KEY_ID].len < 32 ? row[KEY_ID].len : 32);
}

/* false = there is more behind what was written */
static bool
items_write(struct keys_page *page, struct ph_buf *out)
{
    const struct wk_worker *worker = page->pull->admin->worker;

    for (size_t i = 0; i < page->count; i++) {
        size_t mark = out->len;

        if (i == ADMIN_PAGE_KEYS) {
            return false;
        }
        ph_buf_add(out, i != 0 ? PH_STR(",") : PH_STR(""));
        key_write(worker, page->rows[i], out);
        if (out->full) {
            ph_buf_cut(out, mark);
            return false;
        }
        cursor_step(&page->cursor, page->rows[i]);
    }
    return !page->arena.full;
}

static void
page_write(struct keys_page *page, struct ph_buf *out)
{
    struct key_cursor *cursor = &page->cursor;

    ph_buf_add(out, page->is_begin ? PH_STR("{\"full\":true,\"items\":[")
                                   : PH_STR("{\"items\":["));
    out->size -= ADMIN_CURSOR_LEN + ADMIN_MARK_LEN + 64; /* for the end */
    bool is_whole = items_write(page, out);
    out->size += ADMIN_CURSOR_LEN + ADMIN_MARK_LEN + 64;
    if (is_whole) {
        cursor->mode  = 'i';
        cursor->at_ms = cursor->t0_ms - ADMIN_OVERLAP_MS;
        memset(cursor->id, 0, sizeof(cursor->id));
    }
    ph_buf_add(out, PH_STR("],\"cursor\":"));
    cursor_write(out, cursor);
    /* who has not got all asks again at once: its mark is never the one */
    ph_buf_add(out, is_whole ? PH_STR(",\"mark\":")
                             : PH_STR(",\"more\":true,\"mark\":"));
    ph_buf_json(out, is_whole ? ph_str_z(page->mark) : PH_STR("more"));
    ph_buf_byte(out, '}');
}

static void
page_done(struct wk_store_job *job)
{
    struct keys_page *page = (struct keys_page *) job;
    char             *text = malloc(ADMIN_PAGE_LEN);
    struct ph_buf     out;

    if (job->outcome != WK_STORE_DONE || text == NULL) {
        wk_admin_answer(page->pull, NULL);
    } else {
        ph_buf_init(&out, text, ADMIN_PAGE_LEN);
        page_write(page, &out);
        wk_admin_answer(page->pull, &out);
        OPENSSL_cleanse(text, ADMIN_PAGE_LEN); /* what was cut off, too */
    }
    free(text);
    free(page);
}

bool
wk_admin_keys_page(struct admin_keys *keys, struct admin_pull *pull,
                   struct ph_str cursor, struct ph_str mark)
{
    struct keys_page *page = malloc(sizeof(*page));

    if (page == NULL) {
        return false;
    }
    page->pull  = pull;
    page->store = (struct wk_store_job){ .run = page_run, .done = page_done };
    cursor_read(cursor, &page->cursor);
    memcpy(page->mark, mark.ptr, mark.len);
    page->mark[mark.len] = '\0';
    if (!wk_store_submit(keys->admin->worker->store, &page->store)) {
        free(page);
        return false;
    }
    return true;
}

/* ---- the face ---- */

struct admin_keys *
wk_admin_keys_new(struct wk_admin *admin)
{
    struct admin_keys *keys = calloc(1, sizeof(*keys));

    if (keys != NULL) {
        keys->admin = admin;
    }
    return keys;
}

void
wk_admin_keys_free(struct admin_keys *keys)
{
    free(keys);
}

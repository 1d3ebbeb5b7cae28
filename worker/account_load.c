/*
 * account_load.c - accounts from the tables, on a store thread.
 *
 * What has not changed since the last look is taken over as it is; what has is
 * read, unsealed and opened by its adapter here, so that the loop waits for no
 * private key to be parsed.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "channels/fields.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/account_int.h"
#include "worker/time_text.h"

#define SCRATCH_LEN (256 * 1024) /* in which adapters read keys */
#define SECRETS_LEN_MAX 16384
#define ROWS_MAX 64 /* of one statement */
#define VALUE_OVERHEAD 64

enum {
    ROW_ID,
    ROW_APP,
    ROW_WEIGHT,
    ROW_STATUS,
    ROW_SETTINGS,
    ROW_SECRETS,
    ROW_VER,
    ROW_KEPT,
    ROW_KEPT_VER,
    ROW_KEPT_OWN_VER,
    ROW_REFRESH_AT,
    ROW_EXPIRES_AT,
    ROW_TEXTS
};

/* ---- what the tables say in a line ---- */

static bool
stamp_add(struct wk_db *db, size_t answer, size_t columns, struct ph_buf *stamp)
{
    struct ph_str texts[3];

    if (!wk_db_next(db, answer, texts, columns)) {
        return false;
    }
    for (size_t i = 0; i < columns; i++) {
        ph_buf_add(stamp, texts[i]);
        ph_buf_byte(stamp, ' ');
    }
    return !stamp->full;
}

static bool
stamps_read(struct wk_db *db, struct accounts_load *load)
{
    struct ph_buf stamp = PH_BUF_INIT(load->stamp);
    struct ph_buf files = PH_BUF_INIT(load->files_stamp);

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT COUNT(*),COALESCE(SUM(ver),0),"
                      "COALESCE(MAX(updated_at),'') FROM channel_account"));
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT COUNT(*),COALESCE(SUM(value_ver),0) "
                      "FROM channel_kept"));
    wk_sql_end(db);
    wk_sql(db, PH_STR("SELECT COUNT(*),COALESCE(SUM(ver),0),"
                      "COALESCE(MAX(updated_at),'') FROM channel_file"));
    wk_sql_end(db);
    /* the traffic tables as well: READY means that they are there */
    wk_sql(db, PH_STR("SELECT 1 FROM payment_no,payment,attempt,work,"
                      "notify_task LIMIT 0"));
    wk_sql_end(db);
    if (!wk_db_run(db) || !stamp_add(db, 0, 3, &stamp)
        || !stamp_add(db, 1, 2, &stamp) || !stamp_add(db, 2, 3, &files))
    {
        return false;
    }
    (void) ph_buf_z(&stamp);
    (void) ph_buf_z(&files);
    return !stamp.full && !files.full;
}

/* ---- slots ---- */

static int
slot_compare(const void *key, const void *element)
{
    const struct ph_str       *id   = key;
    const struct account_slot *slot = element;

    return ph_str_cmp(*id, ph_str_z(slot->id));
}

struct account_slot *
wk_account_slot_find(const struct account_slots *slots, struct ph_str id)
{
    return slots->count == 0 ? NULL
                             : bsearch(&id, slots->list, slots->count,
                                       sizeof(slots->list[0]), slot_compare);
}

static void
text_keep(char *out, size_t size, struct ph_str text)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, size);
    ph_buf_add(&buf, text);
    (void) ph_buf_z(&buf);
}

/* texts: id, channel, ver, kept_ver */
static void
slot_fill(const struct accounts_load *load, const struct ph_str *texts,
          struct account_slot *slot)
{
    struct wk_channels          *channels = load->accounts->worker->channels;
    const struct wk_channel_set *set
        = load->has_set ? &load->set : wk_channels_set(channels);

    *slot = (struct account_slot){ .account = NULL };
    text_keep(slot->id, sizeof(slot->id), texts[0]);
    text_keep(slot->channel_name, sizeof(slot->channel_name), texts[1]);
    slot->channel = wk_channel_find(channels, set, texts[1]);
    (void) ph_str_u64(texts[2], UINT32_MAX, &slot->ver);
    (void) ph_str_u64(texts[3], UINT32_MAX, &slot->kept_ver);
}

static bool
slot_is_same(const struct account_slot *before, const struct account_slot *now)
{
    return before != NULL && before->channel == now->channel
           && before->ver == now->ver && before->kept_ver == now->kept_ver;
}

/* Every account's slot; those to be opened have is_new. */
static bool
slots_read(struct wk_db *db, struct accounts_load *load)
{
    const struct account_slots *before = &load->accounts->slots;
    struct ph_str               texts[4];
    size_t                      opens = 0;

    load->slots.list = calloc(WK_ACCOUNTS_MAX, sizeof(load->slots.list[0]));
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT a.id,a.channel,a.ver,COALESCE(k.value_ver,0) "
                      "FROM channel_account a LEFT JOIN channel_kept k "
                      "ON k.account_id=a.id ORDER BY a.id LIMIT "));
    wk_sql_i64(db, WK_ACCOUNTS_MAX);
    wk_sql_end(db);
    if (load->slots.list == NULL || !wk_db_run(db)) {
        return false;
    }
    while (load->slots.count < WK_ACCOUNTS_MAX
           && wk_db_next(db, 0, texts, PH_COUNT(texts)))
    {
        struct account_slot *slot = &load->slots.list[load->slots.count];
        struct account_slot *old  = wk_account_slot_find(before, texts[0]);

        slot_fill(load, texts, slot);
        if (slot_is_same(old, slot)) {
            *slot        = *old;
            slot->is_new = false;
        } else if (opens < ACCOUNT_OPEN_MAX) {
            slot->is_new = true;
            slot->use    = calloc(1, sizeof(*slot->use));
            if (slot->use == NULL) {
                return false;
            }
            opens++;
        } else {
            load->is_cut = true;
            if (old == NULL) {
                continue;
            }
            *slot        = *old;
            slot->is_new = false;
        }
        load->slots.count++;
    }
    return true;
}

/* ---- an account from its row ---- */

static struct ph_str
value_of(const json_t *settings, const json_t *secrets,
         const struct ph_channel_field *field)
{
    const json_t *value
        = json_object_get(field->secret ? secrets : settings, field->key);

    return ph_str_make(json_string_value(value), json_string_length(value));
}

static bool
values_fill(struct wk_account *account, struct ph_arena *arena,
            const json_t *settings, const json_t *secrets)
{
    const struct ph_channel *channel = account->channel;

    for (size_t i = 0; i < channel->field_count && i < PH_CHANNEL_FIELDS_MAX;
         i++) {
        struct ph_str value = value_of(settings, secrets, &channel->fields[i]);

        if (value.ptr != NULL) {
            account->face.values[i] = ph_arena_dup(arena, value);
        }
    }
    return !arena->full;
}

/* the secrets' JSON object, or NULL */
static json_t *
secrets_open(const struct wk_worker *worker, const struct ph_str *row)
{
    char                 memory[SECRETS_LEN_MAX];
    struct ph_buf        plain = PH_BUF_INIT(memory);
    struct ph_seal_place place
        = { PH_STR("channel_account"), row[ROW_ID], PH_STR("secrets") };
    json_t *secrets = NULL;

    if (ph_unseal(&plain, worker->seal_keys, worker->seal_key_count, &place,
                  row[ROW_SECRETS])
        == PH_OK)
    {
        secrets
            = json_loadb(plain.ptr, plain.len, JSON_REJECT_DUPLICATES, NULL);
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return secrets;
}

/* What was fetched for it.  What does not open is as if it were not there: it
 * is fetched again. */
static void
kept_fill(const struct wk_worker *worker, struct wk_account *account,
          const struct ph_str *row, struct ph_arena *arena)
{
    struct ph_seal_place place
        = { PH_STR("channel_kept"), row[ROW_ID], PH_STR("value") };
    struct ph_buf plain;

    if (row[ROW_KEPT].len == 0) {
        return;
    }
    ph_arena_open(arena, &plain);
    if (ph_unseal(&plain, worker->seal_keys, worker->seal_key_count, &place,
                  row[ROW_KEPT])
            != PH_OK
        || !wk_time_parse(row[ROW_REFRESH_AT], &account->kept.refresh_at_ms)
        || !wk_time_parse(row[ROW_EXPIRES_AT], &account->kept.expires_at_ms))
    {
        ph_log(PH_LOG_ERROR, "kept_refused", { "account", row[ROW_ID] },
               { "why", PH_STR("it does not open with the keys of [seal]") });
        return;
    }
    account->kept.value = ph_arena_close(arena, &plain);
    account->face.kept  = &account->kept;
}

/* What was fetched must not keep an account from being used: the adapter asks
 * for it anew. */
static const char *
face_open(const struct accounts_load *load, struct wk_account *account,
          struct ph_arena *scratch)
{
    const struct ph_channel_env *env = &load->accounts->env;
    const char                  *why = NULL;

    if (ph_channel_account_open(&account->face, env, ph_now_ms(), scratch,
                                &why)) {
        return NULL;
    }
    if (account->face.kept == NULL) {
        return why;
    }
    ph_log(PH_LOG_ERROR, "kept_refused", { "account", account->face.id },
           { "why", ph_str_z(why) });
    account->face.kept = NULL;
    ph_arena_reset(scratch);
    return ph_channel_account_open(&account->face, env, ph_now_ms(), scratch,
                                   &why)
               ? NULL
               : why;
}

static const char *
account_fill(const struct accounts_load *load, struct wk_account *account,
             const struct ph_str *row, struct ph_arena *arena,
             struct ph_arena *scratch)
{
    const struct wk_worker *worker  = load->accounts->worker;
    json_t                 *secrets = secrets_open(worker, row);
    json_t *settings = json_loadb(row[ROW_SETTINGS].ptr, row[ROW_SETTINGS].len,
                                  JSON_REJECT_DUPLICATES, NULL);
    const char *why  = NULL;

    kept_fill(worker, account, row, arena);
    if (secrets == NULL) {
        why = "its secrets do not open with the keys of [seal]";
    } else if (settings == NULL) {
        why = "its settings are no JSON object";
    } else if (!values_fill(account, arena, settings, secrets)) {
        why = "its values are too long";
    } else {
        why = face_open(load, account, scratch);
    }
    json_decref(settings);
    json_decref(secrets);
    return why;
}

/* All texts of an account, as long as they can become. */
static size_t
memory_needed(const struct ph_str *row)
{
    size_t need = VALUE_OVERHEAD * (PH_CHANNEL_FIELDS_MAX + ROW_TEXTS);

    for (size_t i = 0; i < ROW_TEXTS; i++) {
        need += row[i].len;
    }
    return need;
}

static struct wk_account *
account_bare(const struct account_slot *slot, const struct ph_str *row,
             struct ph_arena *arena)
{
    struct wk_account *account = calloc(1, sizeof(*account));
    size_t             need    = memory_needed(row);
    char              *memory  = malloc(need);
    uint64_t           weight  = 0;

    if (account == NULL || memory == NULL) {
        free(account);
        free(memory);
        return NULL;
    }
    ph_arena_init(arena, memory, need);
    account->memory       = memory;
    account->memory_len   = need;
    account->home         = slot->channel;
    account->channel      = slot->channel->face;
    account->face.channel = account->channel;
    account->face.id      = ph_arena_dup(arena, row[ROW_ID]);
    account->app_id       = ph_arena_dup(arena, row[ROW_APP]);
    account->is_active    = ph_str_eq(row[ROW_STATUS], PH_STR("active"));
    (void) ph_str_u64(row[ROW_WEIGHT], UINT32_MAX, &weight);
    account->weight = (int64_t) weight;
    return account;
}

static void
slot_open(const struct accounts_load *load, struct account_slot *slot,
          const struct ph_str *row, struct ph_arena *scratch)
{
    struct wk_account *account = NULL;
    const char        *why     = "no memory";
    struct ph_arena    arena;

    /* the row may be newer than the list of rows */
    (void) ph_str_u64(row[ROW_VER], UINT32_MAX, &slot->ver);
    slot->kept_ver = 0;
    (void) ph_str_u64(row[ROW_KEPT_VER], UINT32_MAX, &slot->kept_ver);
    if (slot->channel == NULL) {
        why = "there is no channel of its name";
    } else {
        account = account_bare(slot, row, &arena);
    }
    if (account != NULL) {
        account->ver      = (int64_t) slot->ver;
        account->kept_ver = slot->kept_ver;
        (void) ph_str_u64(row[ROW_KEPT_OWN_VER], UINT32_MAX,
                          &account->kept_own_ver);
        why = account_fill(load, account, row, &arena, scratch);
    }
    if (account != NULL && why != NULL) {
        wk_account_free(account);
        account = NULL;
    }
    if (account == NULL) {
        ph_log(PH_LOG_ERROR, "account_refused", { "account", row[ROW_ID] },
               { "channel", ph_str_z(slot->channel_name) },
               { "why", ph_str_z(why) });
    }
    slot->account = account;
}

/* ---- rows, some at a time ---- */

static void
rows_ask(struct wk_db *db, const struct accounts_load *load, size_t *from)
{
    size_t asked = 0;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT a.id,a.app_id,a.weight,a.status,a.settings,"
                      "a.secrets,a.ver,COALESCE(k.value,''),"
                      "COALESCE(k.value_ver,0),COALESCE(k.own_ver,0),"
                      "k.refresh_at,k.expires_at "
                      "FROM channel_account a LEFT JOIN channel_kept k "
                      "ON k.account_id=a.id WHERE a.id IN ("));
    for (; *from < load->slots.count && asked < ROWS_MAX; ++*from) {
        const struct account_slot *slot = &load->slots.list[*from];

        if (slot->is_new) {
            wk_sql(db, asked++ != 0 ? PH_STR(",") : PH_STR(""));
            wk_sql_text(db, ph_str_z(slot->id));
        }
    }
    wk_sql(db, asked == 0 ? PH_STR("'')") : PH_STR(")"));
    wk_sql_end(db);
}

static bool
rows_open(struct wk_db *db, struct accounts_load *load)
{
    char           *memory = malloc(SCRATCH_LEN);
    struct ph_str   row[ROW_TEXTS];
    struct ph_arena scratch;
    size_t          from = 0;
    bool            ok   = memory != NULL;

    while (ok && from < load->slots.count) {
        rows_ask(db, load, &from);
        ok = wk_db_run(db);
        while (ok && wk_db_next(db, 0, row, PH_COUNT(row))) {
            struct account_slot *slot
                = wk_account_slot_find(&load->slots, row[ROW_ID]);

            if (slot != NULL && slot->is_new && slot->account == NULL) {
                ph_arena_init(&scratch, memory, SCRATCH_LEN);
                slot_open(load, slot, row, &scratch);
            }
        }
    }
    if (memory != NULL) {
        OPENSSL_cleanse(memory, SCRATCH_LEN);
    }
    free(memory);
    return ok;
}

/* ---- the job ---- */

void
wk_accounts_load_drop(struct accounts_load *load)
{
    for (size_t i = 0; i < load->slots.count; i++) {
        if (load->slots.list[i].is_new) {
            wk_account_free(load->slots.list[i].account);
            free(load->slots.list[i].use);
        }
    }
    free(load->slots.list);
    load->slots = (struct account_slots){ NULL, 0 };
    if (load->has_set) {
        wk_channel_set_drop(&load->set);
        load->has_set = false;
    }
}

enum wk_run
wk_accounts_read(struct wk_db *db, struct wk_store_job *job)
{
    struct accounts_load     *load = (struct accounts_load *) job;
    const struct wk_accounts *now  = load->accounts;

    wk_accounts_load_drop(load); /* of a run before */
    load->is_cut     = false;
    load->is_changed = false;
    if (!stamps_read(db, load)) {
        return WK_RUN_FAILED;
    }
    /* what stands now is compared here: nobody writes it while we run */
    bool files
        = !now->is_loaded || strcmp(load->files_stamp, now->files_stamp) != 0;
    load->is_changed = files || strcmp(load->stamp, now->stamp) != 0;
    if (!load->is_changed) {
        return WK_RUN_DONE;
    }
    if (files) {
        if (!wk_channel_set_read(db, now->worker->channels, &load->set)) {
            return WK_RUN_FAILED;
        }
        load->has_set = true;
    }
    return slots_read(db, load) && rows_open(db, load) ? WK_RUN_DONE
                                                       : WK_RUN_FAILED;
}

/* account.c - the cache of channel accounts; see account.h. */
#include "worker/account.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/frame.h"
#include "worker/store.h"

#define LOAD_MEMORY_LEN (4 * 1024 * 1024) /* rows of one read */
#define LOAD_EVERY_MS 500
#define FRESH_NS UINT64_C(5000000000)
#define VALUES_LEN_MAX (64 * 1024) /* all values of one account */
#define SECRETS_LEN_MAX 16384
#define STAMP_LEN_MAX 96

enum {
    ROW_ID,
    ROW_CHANNEL,
    ROW_APP,
    ROW_WEIGHT,
    ROW_STATUS,
    ROW_SETTINGS,
    ROW_SECRETS,
    ROW_VER,
    ROW_TEXTS
};

struct account_row {
    struct ph_str text[ROW_TEXTS];
};

struct accounts_load {
    struct wk_store_job store;
    struct wk_accounts *accounts;
    struct ph_arena     arena;
    char                stamp[STAMP_LEN_MAX];
    bool                is_changed;
    struct account_row *rows;
    size_t              row_count;
};

struct wk_accounts {
    struct wk_worker    *worker;
    uv_timer_t           tick;
    struct accounts_load load;
    bool                 is_loading;
    bool                 is_loaded;
    uint64_t             loaded_ns;
    char                 stamp[STAMP_LEN_MAX];
    struct wk_account  **list; /* heaviest first, then by id */
    size_t               count;
    size_t               bad;
    uint64_t             generation;
};

/* ---- on a store thread ---- */

static bool
stamp_read(struct wk_db *db, struct accounts_load *load)
{
    struct ph_str texts[3];
    struct ph_buf stamp = PH_BUF_INIT(load->stamp);

    wk_sql(db, PH_STR("SELECT COUNT(*),COALESCE(SUM(ver),0),"
                      "COALESCE(MAX(updated_at),'') FROM channel_account"));
    wk_sql_end(db);
    /* the traffic tables as well: READY means that they are there */
    wk_sql(db, PH_STR("SELECT 1 FROM payment_no,payment,attempt,work,"
                      "notify_task LIMIT 0"));
    wk_sql_end(db);
    if (!wk_db_run(db)
        || !wk_db_fetch_texts(db, 0, &load->arena, texts, PH_COUNT(texts)))
    {
        return false;
    }
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        ph_buf_add(&stamp, texts[i]);
        ph_buf_byte(&stamp, ' ');
    }
    (void) ph_buf_z(&stamp);
    return !stamp.full;
}

static bool
rows_read(struct wk_db *db, struct accounts_load *load)
{
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT id,channel,app_id,weight,status,settings,"
                      "secrets,ver FROM channel_account "
                      "ORDER BY weight DESC,id LIMIT "));
    wk_sql_i64(db, WK_ACCOUNTS_MAX);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    load->rows
        = ph_arena_take(&load->arena, WK_ACCOUNTS_MAX * sizeof(load->rows[0]));
    load->row_count = 0;
    while (load->rows != NULL && load->row_count < WK_ACCOUNTS_MAX
           && wk_db_fetch_texts(db, 0, &load->arena,
                                load->rows[load->row_count].text, ROW_TEXTS))
    {
        load->row_count++;
    }
    return !load->arena.full;
}

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct accounts_load *load = (struct accounts_load *) job;

    ph_arena_reset(&load->arena);
    load->is_changed = false;
    if (!stamp_read(db, load)) {
        return WK_RUN_FAILED;
    }
    /* the stamp of now is compared here: nobody writes it while we run */
    load->is_changed = !load->accounts->is_loaded
                       || strcmp(load->stamp, load->accounts->stamp) != 0;
    if (!load->is_changed) {
        return WK_RUN_DONE;
    }
    return rows_read(db, load) ? WK_RUN_DONE : WK_RUN_FAILED;
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

static void
account_free(struct wk_account *account)
{
    if (account == NULL) {
        return;
    }
    if (account->memory != NULL) {
        OPENSSL_cleanse(account->memory, account->memory_len);
    }
    free(account->memory);
    free(account);
}

/* the secrets' JSON object, or NULL */
static json_t *
secrets_open(const struct wk_worker *worker, const struct account_row *row)
{
    char                 memory[SECRETS_LEN_MAX];
    struct ph_buf        plain = PH_BUF_INIT(memory);
    struct ph_seal_place place
        = { PH_STR("channel_account"), row->text[ROW_ID], PH_STR("secrets") };
    json_t *secrets = NULL;

    if (ph_unseal(&plain, worker->seal_keys, worker->seal_key_count, &place,
                  row->text[ROW_SECRETS])
        == PH_OK)
    {
        secrets
            = json_loadb(plain.ptr, plain.len, JSON_REJECT_DUPLICATES, NULL);
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return secrets;
}

static const char *
account_fill(const struct wk_worker *worker, struct wk_account *account,
             const struct account_row *row, struct ph_arena *arena)
{
    json_t *settings
        = json_loadb(row->text[ROW_SETTINGS].ptr, row->text[ROW_SETTINGS].len,
                     JSON_REJECT_DUPLICATES, NULL);
    json_t     *secrets = secrets_open(worker, row);
    const char *why     = NULL;

    if (secrets == NULL) {
        why = "its secrets do not open with the keys of [seal]";
    } else if (settings == NULL) {
        why = "its settings are no JSON object";
    } else if (!values_fill(account, arena, settings, secrets)) {
        why = "its values are too long";
    } else if (account->channel->account_check != NULL) {
        why = account->channel->account_check(&account->face, arena);
    }
    json_decref(settings);
    json_decref(secrets);
    return why;
}

static struct wk_account *
account_new(const struct wk_worker *worker, const struct account_row *row)
{
    struct wk_account *account = calloc(1, sizeof(*account));
    char              *memory  = malloc(VALUES_LEN_MAX);
    const char        *why     = "no memory";
    uint64_t           weight = 0, ver = 0;
    struct ph_arena    arena;

    if (account == NULL || memory == NULL) {
        free(memory);
        goto done;
    }
    ph_arena_init(&arena, memory, VALUES_LEN_MAX);
    account->memory     = memory;
    account->memory_len = VALUES_LEN_MAX;
    account->refs       = 1;
    account->face.id    = ph_arena_dup(&arena, row->text[ROW_ID]);
    account->app_id     = ph_arena_dup(&arena, row->text[ROW_APP]);
    account->channel    = ph_channel_find(row->text[ROW_CHANNEL]);
    account->is_active  = ph_str_eq(row->text[ROW_STATUS], PH_STR("active"));
    (void) ph_str_u64(row->text[ROW_WEIGHT], UINT32_MAX, &weight);
    (void) ph_str_u64(row->text[ROW_VER], UINT32_MAX, &ver);
    account->weight = (int64_t) weight;
    account->ver    = (int64_t) ver;
    why             = account->channel == NULL ? "its channel is not built in"
                                               : account_fill(worker, account, row, &arena);

done:
    if (why == NULL) {
        return account;
    }
    ph_log(PH_LOG_ERROR, "account_refused", { "account", row->text[ROW_ID] },
           { "why", ph_str_z(why) });
    account_free(account);
    return NULL;
}

/* ---- the list ---- */

struct wk_account *
wk_account_hold(struct wk_account *account)
{
    account->refs++;
    return account;
}

void
wk_account_release(struct wk_account *account)
{
    if (account != NULL && --account->refs == 0) {
        account_free(account);
    }
}

static void
list_release(struct wk_account **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wk_account_release(list[i]);
    }
    free(list);
}

static bool
list_replace(struct wk_accounts *accounts, const struct accounts_load *load)
{
    struct wk_account **list  = calloc(load->row_count + 1, sizeof(*list));
    size_t              count = 0;

    if (list == NULL) {
        return false; /* the old list stands; the next tick tries again */
    }
    for (size_t i = 0; i < load->row_count; i++) {
        struct wk_account *account
            = account_new(accounts->worker, &load->rows[i]);

        if (account != NULL) {
            list[count++] = account;
        }
    }
    list_release(accounts->list, accounts->count);
    accounts->list  = list;
    accounts->count = count;
    accounts->bad   = load->row_count - count;
    accounts->generation++;
    ph_log(PH_LOG_INFO, "accounts_loaded",
           { "good", ph_log_i64((int64_t) count) },
           { "bad", ph_log_i64((int64_t) accounts->bad) });
    return true;
}

static void
load_done(struct wk_store_job *job)
{
    struct accounts_load *load     = (struct accounts_load *) job;
    struct wk_accounts   *accounts = load->accounts;

    accounts->is_loading = false;
    if (job->outcome != WK_STORE_DONE) {
        return;
    }
    if (load->is_changed && list_replace(accounts, load)) {
        memcpy(accounts->stamp, load->stamp, sizeof(accounts->stamp));
        OPENSSL_cleanse(load->arena.ptr, load->arena.len);
    }
    accounts->is_loaded = true;
    accounts->loaded_ns = ph_monotonic_ns();
}

static void
accounts_tick(uv_timer_t *timer)
{
    struct wk_accounts *accounts = timer->data;

    if (accounts->is_loading) {
        return;
    }
    accounts->load.store
        = (struct wk_store_job){ .run = load_run, .done = load_done };
    accounts->is_loading
        = wk_store_submit(accounts->worker->store, &accounts->load.store);
}

/* ---- the face ---- */

struct wk_accounts *
wk_accounts_new(struct wk_worker *worker)
{
    struct wk_accounts *accounts = calloc(1, sizeof(*accounts));
    char               *memory   = malloc(LOAD_MEMORY_LEN);

    if (accounts == NULL || memory == NULL) {
        free(accounts);
        free(memory);
        return NULL;
    }
    accounts->worker        = worker;
    accounts->load.accounts = accounts;
    ph_arena_init(&accounts->load.arena, memory, LOAD_MEMORY_LEN);
    accounts->tick.data = accounts;
    (void) uv_timer_init(&worker->loop, &accounts->tick);
    (void) uv_timer_start(&accounts->tick, accounts_tick, 0, LOAD_EVERY_MS);
    return accounts;
}

void
wk_accounts_stop(struct wk_accounts *accounts)
{
    uv_close((uv_handle_t *) &accounts->tick, NULL);
}

void
wk_accounts_free(struct wk_accounts *accounts)
{
    if (accounts == NULL) {
        return;
    }
    list_release(accounts->list, accounts->count);
    free(accounts->load.arena.ptr);
    free(accounts);
}

struct wk_account *
wk_account_find(struct wk_accounts *accounts, struct ph_str id)
{
    for (size_t i = 0; i < accounts->count; i++) {
        if (ph_str_eq(accounts->list[i]->face.id, id)) {
            return accounts->list[i];
        }
    }
    return NULL;
}

struct ph_str
wk_account_seller(const struct wk_account *account)
{
    const struct ph_channel *channel = account->channel;
    const size_t             end = offsetof(struct ph_channel, expected_seller)
                       + sizeof(channel->expected_seller);

    return channel->size >= end && channel->expected_seller != NULL
               ? channel->expected_seller(&account->face)
               : ph_str_make(NULL, 0);
}

bool
wk_account_has_room(const struct wk_account *account, struct ph_str app_id,
                    size_t inflight_max)
{
    return wk_share_fits(&account->callers, wk_share_slot(app_id),
                         account->inflight, inflight_max);
}

struct wk_account *
wk_account_enter(struct wk_account *account, struct ph_str app_id)
{
    account->inflight++;
    account->callers.count[wk_share_slot(app_id)]++;
    return wk_account_hold(account);
}

void
wk_account_leave(struct wk_account *account, struct ph_str app_id)
{
    account->inflight--;
    account->callers.count[wk_share_slot(app_id)]--;
    wk_account_release(account);
}

static bool
account_was_tried(const struct wk_account *account,
                  const struct wk_choice  *choice)
{
    for (size_t i = 0; i < choice->tried_count; i++) {
        if (ph_str_eq(choice->tried[i].account_id, account->face.id)) {
            return true;
        }
    }
    return false;
}

static bool
account_fits(const struct wk_account *account, const struct wk_choice *choice)
{
    if (account == NULL || !account->is_active
        || account_was_tried(account, choice)
        || (account->app_id.len != 0
            && !ph_str_eq(account->app_id, choice->app_id)))
    {
        return false;
    }
    for (size_t i = 0; account->channel->methods[i] != NULL; i++) {
        if (ph_str_eq(ph_str_z(account->channel->methods[i]), choice->method)) {
            return true;
        }
    }
    return false;
}

struct wk_account *
wk_account_choose(struct wk_accounts *accounts, const struct wk_choice *choice)
{
    struct ph_str      meta = choice->frame_meta, value;
    struct wk_account *full = NULL;
    unsigned           type;

    if (choice->forced.len != 0) {
        struct wk_account *forced = wk_account_find(accounts, choice->forced);

        return account_fits(forced, choice) ? forced : NULL;
    }
    while (ph_field_next(&meta, &type, &value)) {
        struct wk_account *offered = type == PH_FIELD_CANDIDATE
                                         ? wk_account_find(accounts, value)
                                         : NULL;

        if (offered == NULL || !account_fits(offered, choice)) {
            continue;
        }
        if (wk_account_has_room(offered, choice->app_id, choice->inflight_max))
        {
            return offered;
        }
        full = full != NULL ? full : offered;
    }
    for (size_t i = 0; i < accounts->count && !choice->is_routed; i++) {
        if (!account_fits(accounts->list[i], choice)) {
            continue;
        }
        if (wk_account_has_room(accounts->list[i], choice->app_id,
                                choice->inflight_max))
        {
            return accounts->list[i];
        }
        full = full != NULL ? full : accounts->list[i];
    }
    return full;
}

uint64_t
wk_accounts_generation(const struct wk_accounts *accounts)
{
    return accounts->generation;
}

const struct wk_account *
wk_accounts_at(const struct wk_accounts *accounts, size_t i)
{
    return accounts->list[i];
}

size_t
wk_accounts_count(const struct wk_accounts *accounts)
{
    return accounts->count;
}

size_t
wk_accounts_bad(const struct wk_accounts *accounts)
{
    return accounts->bad;
}

bool
wk_accounts_are_fresh(const struct wk_accounts *accounts)
{
    return accounts->is_loaded
           && ph_monotonic_ns() - accounts->loaded_ns < FRESH_NS;
}


/*
 * payhub_sync: the watch, and keys into the zone.
 *
 * Keys come in pages and go in by small batches, a turn of the event loop
 * each, so that no request waits for many.  The cursor moves when its page is
 * in: a holder that dies in the middle leaves the page to the next one.  A
 * full exchange puts every key anew; those whose version is older than its
 * first are in no table any more, and go.
 */


#include "ngx_http_payhub_sync.h"


static ngx_int_t ngx_http_payhub_sync_watch_ask(
    ngx_http_payhub_sync_link_t *link, json_t *pull);
static ngx_int_t ngx_http_payhub_sync_watch_take(
    ngx_http_payhub_sync_link_t *link, json_t *push);
static void ngx_http_payhub_sync_keys(ngx_event_t *ev);
static ngx_uint_t ngx_http_payhub_sync_keys_batch(void);
static void ngx_http_payhub_sync_key(json_t *item);
static ngx_int_t ngx_http_payhub_sync_record(json_t *item,
    struct ph_key_record *record, struct ph_buf *material);
static ngx_uint_t ngx_http_payhub_sync_name(json_t *item, const char *member,
    char *to, uint8_t *len, size_t max);
static ngx_uint_t ngx_http_payhub_sync_known(struct ph_key_record *record,
    struct ph_buf *material);
static ngx_uint_t ngx_http_payhub_sync_sweep(void);
static void ngx_http_payhub_sync_keys_end(void);


ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_watch = {
    .name = "watch",
    .ask = ngx_http_payhub_sync_watch_ask,
    .take = ngx_http_payhub_sync_watch_take,
    .pause = 20
};


/* the page that goes in now */

static struct {
    json_t                  *keys;          /* NULL: none */
    size_t                   at;
    size_t                   sweep;         /* place in the table of keys */
    ngx_uint_t               sweeping;
    ngx_event_t              timer;
} ngx_http_payhub_sync_page;


static ngx_int_t
ngx_http_payhub_sync_watch_ask(ngx_http_payhub_sync_link_t *link,
    json_t *pull)
{
    json_t                         *parts;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;

    parts = json_pack("{s:I, s:{s:s, s:s}, s:{s:s}, s:{s:s}}",
                      "wait_ms",
                      (json_int_t) ngx_http_payhub_sync.conf->interval,
                      "keys", "cursor", (char *) sh->cursor,
                      "mark", (char *) sh->keys_mark,
                      "accounts", "mark", (char *) sh->accounts_mark,
                      "live", "mark", (char *) sh->live_mark);

    if (parts == NULL || json_object_update(pull, parts) != 0) {
        json_decref(parts);
        return NGX_ERROR;
    }

    json_decref(parts);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_sync_watch_take(ngx_http_payhub_sync_link_t *link,
    json_t *push)
{
    json_t                         *keys, *accounts, *items;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;

    sh->linked = 1;
    sh->heard_at = ngx_time();

    ngx_http_payhub_sync_text(sh->peer, sizeof(sh->peer),
                              (char *) link->pc.name->data,
                              link->pc.name->len);

    ngx_http_payhub_sync_live(json_object_get(push, "live"));

    accounts = json_object_get(push, "accounts");
    items = json_object_get(accounts, "items");

    if (json_is_array(items)) {

        if (ngx_http_payhub_route_accounts_set(items) != NGX_OK) {
            ngx_http_payhub_sync_error("the accounts do not fit this host");
        }

        /* also then: the same ones would not fit any better */

        sh->accounts = json_array_size(items);
        (void) ngx_http_payhub_sync_mark(accounts, sh->accounts_mark);
    }

    keys = json_object_get(push, "keys");

    if (!json_is_array(json_object_get(keys, "items"))) {
        return NGX_OK;
    }

    ngx_http_payhub_sync_page.keys = json_incref(keys);
    ngx_http_payhub_sync_page.at = 0;
    ngx_http_payhub_sync_page.sweep = 0;
    ngx_http_payhub_sync_page.sweeping = 0;
    ngx_http_payhub_sync_page.timer.handler = ngx_http_payhub_sync_keys;
    ngx_http_payhub_sync_page.timer.data = link;
    ngx_http_payhub_sync_page.timer.log = ngx_cycle->log;
    ngx_http_payhub_sync_page.timer.cancelable = 1;

    if (json_is_true(json_object_get(keys, "full"))) {
        sh->keys_begin = 0;
        sh->keys_sweep = 1;
    }

    ngx_http_payhub_sync_keys(&ngx_http_payhub_sync_page.timer);

    return NGX_AGAIN;
}


void
ngx_http_payhub_sync_watch_stop(void)
{
    if (ngx_http_payhub_sync_page.timer.timer_set) {
        ngx_del_timer(&ngx_http_payhub_sync_page.timer);
    }

    json_decref(ngx_http_payhub_sync_page.keys);
    ngx_http_payhub_sync_page.keys = NULL;
}


/* a turn of the event loop */

static void
ngx_http_payhub_sync_keys(ngx_event_t *ev)
{
    ngx_uint_t                    more;
    ngx_http_payhub_sync_link_t  *link = ev->data;

    if (ngx_exiting || ngx_terminate || !ngx_http_payhub_sync_holds()) {
        ngx_http_payhub_sync_watch_stop();
        return;
    }

    more = 1;

    if (ngx_http_payhub_zone_lock()) {
        more = ngx_http_payhub_sync_page.sweeping
               ? ngx_http_payhub_sync_sweep()
               : ngx_http_payhub_sync_keys_batch();

        ngx_http_payhub_zone_unlock();
    }

    if (more) {
        ngx_add_timer(ev, 1);
        return;
    }

    ngx_http_payhub_sync_keys_end();
    ngx_http_payhub_sync_done(link);
}


static ngx_uint_t
ngx_http_payhub_sync_keys_batch(void)
{
    size_t       n;
    json_t      *items;
    const char  *cursor;

    items = json_object_get(ngx_http_payhub_sync_page.keys, "items");

    for (n = 0; n < NGX_HTTP_PAYHUB_SYNC_BATCH; n++) {

        if (ngx_http_payhub_sync_page.at == json_array_size(items)) {
            break;
        }

        ngx_http_payhub_sync_key(json_array_get(items,
                                            ngx_http_payhub_sync_page.at++));
    }

    if (ngx_http_payhub_sync_page.at < json_array_size(items)) {
        return 1;
    }

    cursor = json_string_value(json_object_get(ngx_http_payhub_sync_page.keys,
                                               "cursor"));

    if (ngx_http_payhub_sync.sh->keys_sweep && cursor && cursor[0] == 'i') {
        ngx_http_payhub_sync_page.sweeping = 1;
        return 1;
    }

    return 0;
}


/* one key, as the table says; the mutex is held */

static void
ngx_http_payhub_sync_key(json_t *item)
{
    ngx_int_t                       rc;
    struct ph_str                   id;
    struct ph_buf                   material;
    struct ph_key_record            record;
    ngx_http_payhub_sync_shared_t  *sh;
    u_char                          memory[PH_KEY_MATERIAL_MAX];

    sh = ngx_http_payhub_sync.sh;

    id = ph_str_make(json_string_value(json_object_get(item, "id")),
                     json_string_length(json_object_get(item, "id")));

    if (!ph_str_is_token(id, PH_KEY_NAME_MAX)) {
        sh->keys_refused++;
        return;
    }

    if (json_is_true(json_object_get(item, "off"))) {
        sh->keys_off += ph_key_remove(ngx_http_payhub_sync.keys, id);
        return;
    }

    ph_buf_init(&material, (char *) memory, sizeof(memory));

    rc = ngx_http_payhub_sync_record(item, &record, &material);

    if (rc == NGX_OK
        && (sh->keys_sweep || !ngx_http_payhub_sync_known(&record, &material)))
    {
        if (ph_key_put(ngx_http_payhub_sync.keys, &record,
                       ph_buf_str(&material))
            == PH_OK)
        {
            sh->keys_put++;

            if (sh->keys_sweep && sh->keys_begin == 0
                && ph_key_find(ngx_http_payhub_sync.keys, id, &record))
            {
                sh->keys_begin = record.version;
            }

        } else {
            ngx_http_payhub_sync_error("no room for key %*s: payhub_zone is "
                                       "too small", id.len, id.ptr);
            sh->keys_refused++;
        }

    } else if (rc != NGX_OK) {

        /* what this edge cannot use must not go on as it was before */

        (void) ph_key_remove(ngx_http_payhub_sync.keys, id);
        ngx_http_payhub_sync_error("key %*s cannot be used here", id.len,
                                   id.ptr);
        sh->keys_refused++;
    }

    ngx_explicit_memzero(memory, sizeof(memory));
}


static ngx_int_t
ngx_http_payhub_sync_record(json_t *item, struct ph_key_record *record,
    struct ph_buf *material)
{
    json_t         *secret, *pem;
    enum ph_rc      rc;
    struct ph_str   list, piece, text;

    ngx_memzero(record, sizeof(struct ph_key_record));

    if (!ngx_http_payhub_sync_name(item, "id", record->id, &record->id_len,
                                   PH_KEY_NAME_MAX)
        || !ngx_http_payhub_sync_name(item, "app", record->app,
                                      &record->app_len, PH_KEY_NAME_MAX)
        || !ngx_http_payhub_sync_name(item, "mch", record->merchant,
                                      &record->merchant_len, PH_KEY_NAME_MAX))
    {
        return NGX_ERROR;
    }

    (void) ngx_http_payhub_sync_name(item, "role", record->role,
                                     &record->role_len, PH_KEY_ROLE_MAX);

    text = ph_str_z(json_string_value(json_object_get(item, "alg")));
    record->alg = ph_alg_find(text);

    list = ph_str_z(json_string_value(json_object_get(item, "schemes")));

    while (ph_str_next(&list, ',', &piece)) {
        record->schemes |= ph_scheme_find(piece);
    }

    record->schemes &= ph_alg_schemes(record->alg);
    record->not_before = json_integer_value(json_object_get(item, "nb"));
    record->not_after = json_integer_value(json_object_get(item, "na"));

    secret = json_object_get(item, "secret");
    pem = json_object_get(item, "pem");

    if (record->alg == PH_ALG_NONE || record->schemes == 0
        || (ph_alg_is_public(record->alg) ? pem : secret) == NULL)
    {
        return NGX_ERROR;
    }

    if (ph_alg_is_public(record->alg)) {
        ph_buf_add(material, ph_str_make(json_string_value(pem),
                                         json_string_length(pem)));
        rc = PH_OK;

    } else {
        rc = ph_b64_decode(material, ph_str_make(json_string_value(secret),
                                                json_string_length(secret)));

        ngx_explicit_memzero((u_char *) (uintptr_t) json_string_value(secret),
                             json_string_length(secret));
    }

    if (rc != PH_OK || material->full || material->len == 0) {
        return NGX_ERROR;
    }

    record->material_len = material->len;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payhub_sync_name(json_t *item, const char *member, char *to,
    uint8_t *len, size_t max)
{
    json_t  *value;

    value = json_object_get(item, member);

    if (!ph_str_is_token(ph_str_make(json_string_value(value),
                                     json_string_length(value)),
                         max))
    {
        return 0;
    }

    *len = json_string_length(value);
    ngx_memcpy(to, json_string_value(value), *len);

    return 1;
}


/* another version would cost each process a context */

static ngx_uint_t
ngx_http_payhub_sync_known(struct ph_key_record *record,
    struct ph_buf *material)
{
    ngx_uint_t            known;
    struct ph_key_record  old;
    u_char                memory[PH_KEY_MATERIAL_MAX];

    if (!ph_key_find(ngx_http_payhub_sync.keys,
                     ph_str_make(record->id, record->id_len), &old)
        || !ph_key_material(ngx_http_payhub_sync.keys,
                            ph_str_make(record->id, record->id_len),
                            old.version, memory))
    {
        return 0;
    }

    known = old.not_before == record->not_before
            && old.not_after == record->not_after
            && old.schemes == record->schemes
            && old.alg == record->alg
            && !old.is_revoked
            && old.app_len == record->app_len
            && old.merchant_len == record->merchant_len
            && old.role_len == record->role_len
            && ngx_memcmp(old.app, record->app, old.app_len) == 0
            && ngx_memcmp(old.merchant, record->merchant, old.merchant_len)
               == 0
            && ngx_memcmp(old.role, record->role, old.role_len) == 0
            && old.material_len == material->len
            && ngx_memcmp(memory, material->ptr, material->len) == 0;

    ngx_explicit_memzero(memory, sizeof(memory));

    return known;
}


/* the mutex is held; true: there is more to look at */

static ngx_uint_t
ngx_http_payhub_sync_sweep(void)
{
    ngx_uint_t                      n;
    struct ph_key_record            record;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;

    for (n = 0; n < NGX_HTTP_PAYHUB_SYNC_SWEEP; n++) {

        if (!ph_key_next(ngx_http_payhub_sync.keys,
                         &ngx_http_payhub_sync_page.sweep, &record))
        {
            sh->keys_sweep = 0;
            sh->keys_full++;
            return 0;
        }

        if (sh->keys_begin == 0 || record.version < sh->keys_begin) {
            sh->keys_off += ph_key_remove(ngx_http_payhub_sync.keys,
                                          ph_str_make(record.id,
                                                      record.id_len));
        }
    }

    return 1;
}


static void
ngx_http_payhub_sync_keys_end(void)
{
    json_t                         *cursor;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;
    cursor = json_object_get(ngx_http_payhub_sync_page.keys, "cursor");

    ngx_http_payhub_sync_text(sh->cursor, sizeof(sh->cursor),
                              json_string_value(cursor),
                              json_string_length(cursor));

    (void) ngx_http_payhub_sync_mark(ngx_http_payhub_sync_page.keys,
                                     sh->keys_mark);

    json_decref(ngx_http_payhub_sync_page.keys);
    ngx_http_payhub_sync_page.keys = NULL;
}

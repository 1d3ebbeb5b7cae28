
/*
 * payhub_sync: what a worker tells, into the zone; what was changed here, to
 * a worker.
 *
 * Keys come in pages and go in by small batches, a turn of the event loop
 * each, so that no request waits for many.  The cursor moves when its page is
 * in: a holder that dies in the middle leaves the page to the next one.  A
 * full exchange puts every key anew; those whose version is older than its
 * first are in no table any more, and go.
 *
 * The table of live changes comes whole.  What was changed here and not told
 * yet stands; all else becomes as the table says.
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
static void ngx_http_payhub_sync_live(json_t *live);
static void ngx_http_payhub_sync_live_take(json_t *local, uint64_t told,
    json_t *table);
static ngx_int_t ngx_http_payhub_sync_tell_ask(
    ngx_http_payhub_sync_link_t *link, json_t *pull);
static ngx_int_t ngx_http_payhub_sync_tell_take(
    ngx_http_payhub_sync_link_t *link, json_t *push);


ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_watch = {
    .name = "watch",
    .ask = ngx_http_payhub_sync_watch_ask,
    .take = ngx_http_payhub_sync_watch_take,
    .pause = 20
};


ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_tell = {
    .name = "tell",
    .ask = ngx_http_payhub_sync_tell_ask,
    .take = ngx_http_payhub_sync_tell_take,
    .pause = NGX_HTTP_PAYHUB_SYNC_TICK
};


/* the page that goes in now */

static struct {
    json_t                  *keys;          /* NULL: none */
    size_t                   at;
    size_t                   sweep;         /* place in the table of keys */
    ngx_uint_t               sweeping;
    ngx_event_t              timer;
} ngx_http_payhub_sync_page;


/* what the tell link has sent */

static uint64_t    ngx_http_payhub_sync_tell_gen;
static json_int_t  ngx_http_payhub_sync_tell_n;


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

    if (ngx_exiting || ngx_terminate || !ngx_http_payhub_sync.holds) {
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


/* ---- live changes ---- */


/* the table of this host as an array; NULL: no memory */

static json_t *
ngx_http_payhub_sync_local(uint64_t *generation)
{
    u_char   *text;
    json_t   *local;
    ssize_t   len;

    text = ngx_alloc(NGX_HTTP_PAYHUB_LIVE_MAX, ngx_cycle->log);
    if (text == NULL) {
        return NULL;
    }

    len = ngx_http_payhub_live_read(text, NGX_HTTP_PAYHUB_LIVE_MAX,
                                    generation);

    local = len > 0 ? json_loadb((char *) text, len, 0, NULL)
                    : len == 0 ? json_array() : NULL;

    ngx_free(text);

    return local;
}


static ngx_uint_t
ngx_http_payhub_sync_is_untold(json_t *change, uint64_t told)
{
    return !json_is_true(json_object_get(change, "sync"))
           && (uint64_t) json_integer_value(json_object_get(change, "gen"))
              > told;
}


/* whether the cluster should know of some */

static ngx_uint_t
ngx_http_payhub_sync_any_told(json_t *local, uint64_t told)
{
    size_t   i;
    json_t  *change;

    json_array_foreach(local, i, change) {
        if (!json_is_true(json_object_get(change, "removed"))
            && !ngx_http_payhub_sync_is_untold(change, told))
        {
            return 1;
        }
    }

    return 0;
}


/* the change of `list` that `change` is about, or NULL */

static json_t *
ngx_http_payhub_sync_same(json_t *list, json_t *change)
{
    size_t       i;
    json_t      *other, *a, *b;
    ngx_uint_t   n;

    static const char  *names[] = { "kind", "name", "id", "key", NULL };

    json_array_foreach(list, i, other) {

        for (n = 0; names[n]; n++) {
            a = json_object_get(change, names[n]);
            b = json_object_get(other, names[n]);

            a = json_is_null(a) ? NULL : a;
            b = json_is_null(b) ? NULL : b;

            if (a != b && !json_equal(a, b)) {
                break;
            }
        }

        if (names[n] == NULL) {
            return other;
        }
    }

    return NULL;
}


/* what all hosts see alike */

static json_t *
ngx_http_payhub_sync_bare(json_t *change)
{
    json_t      *bare;
    ngx_uint_t   n;

    static const char  *marks[] = { "gen", "sync", "base", "removed", NULL };

    bare = json_copy(change);

    for (n = 0; bare && marks[n]; n++) {
        (void) json_object_del(bare, marks[n]);
    }

    return bare;
}


static ngx_uint_t
ngx_http_payhub_sync_equal(json_t *a, json_t *b)
{
    json_t      *x, *y;
    ngx_uint_t   equal;

    x = ngx_http_payhub_sync_bare(a);
    y = ngx_http_payhub_sync_bare(b);

    equal = x && y && json_equal(x, y);

    json_decref(x);
    json_decref(y);

    return equal;
}


/* "EPOCH:VERSION" */

static ngx_uint_t
ngx_http_payhub_sync_epoch(u_char *mark, struct ph_str *epoch,
    uint64_t *version)
{
    struct ph_str  text;

    return ph_str_cut(ph_str_z((char *) mark), ':', epoch, &text)
           && ph_str_u64(text, INT64_MAX, version);
}


static void
ngx_http_payhub_sync_live(json_t *live)
{
    json_t                         *table, *local;
    uint64_t                        generation, told, version, last;
    struct ph_str                   epoch, before;
    ngx_http_payhub_sync_shared_t  *sh;
    u_char                          mark[NGX_HTTP_PAYHUB_SYNC_MARK];

    sh = ngx_http_payhub_sync.sh;
    table = json_object_get(live, "items");

    if (!json_is_array(table)
        || !ngx_http_payhub_sync_mark(live, mark)
        || !ngx_http_payhub_sync_epoch(mark, &epoch, &version))
    {
        return;
    }

    /* a table from before our own change would take that back */

    if (ngx_http_payhub_sync_epoch(sh->told_mark, &before, &last)
        && ph_str_eq(before, epoch) && version < last)
    {
        return;
    }

    /* told first: what is told after it may not be in this table */

    told = ngx_http_payhub_live_told_until();
    local = ngx_http_payhub_sync_local(&generation);

    if (local == NULL) {
        return;
    }

    if (ngx_http_payhub_sync_any_told(local, told)
        && (ph_str_eq(epoch, PH_STR("none"))
            || (ngx_http_payhub_sync_epoch(sh->live_mark, &before, &last)
                && !ph_str_eq(before, PH_STR("none"))
                && !ph_str_eq(before, epoch))))
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payhub sync: the cluster has lost its live changes; "
                      "those of this host are told again");
        sh->retell = 1;
    }

    ngx_http_payhub_sync_live_take(local, told, table);

    ngx_http_payhub_sync_text(sh->live_mark, sizeof(sh->live_mark),
                              (char *) mark, ngx_strlen(mark));
    json_decref(local);
}


static void
ngx_http_payhub_sync_apply(ngx_pool_t *pool, json_t *changes)
{
    char        *rv;
    json_t      *one, *change;
    size_t       i;
    uint64_t     generation;

    static ngx_str_t  by = ngx_string("sync");

    if (json_array_size(changes) == 0) {
        return;
    }

    rv = ngx_http_payhub_live_apply(pool, changes, &by, 1, &generation);

    if (rv == NULL) {
        return;
    }

    /* those that fit this host's nginx.conf, one by one */

    json_array_foreach(changes, i, change) {

        one = json_pack("[O]", change);
        rv = one ? ngx_http_payhub_live_apply(pool, one, &by, 1, &generation)
                 : "no memory";
        json_decref(one);

        if (rv) {
            ngx_http_payhub_sync.sh->live_refused++;
            ngx_http_payhub_sync_error("a live change of the cluster does not "
                                       "fit this host: %s", rv);
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "payhub sync: a live change of the cluster does "
                          "not fit this host: %s", rv);
        }
    }
}


static void
ngx_http_payhub_sync_live_take(json_t *local, uint64_t told, json_t *table)
{
    size_t       i;
    json_t      *change, *mine, *fresh;
    uint64_t     generation;
    ngx_pool_t  *pool;

    static ngx_str_t  by = ngx_string("sync");

    pool = ngx_create_pool(4096, ngx_cycle->log);
    fresh = json_array();

    if (pool == NULL || fresh == NULL) {
        goto done;
    }

    json_array_foreach(table, i, change) {

        if (json_integer_value(json_object_get(change, "until"))
            && json_integer_value(json_object_get(change, "until"))
               <= (json_int_t) ngx_time())
        {
            continue;
        }

        mine = ngx_http_payhub_sync_same(local, change);

        if (mine && (ngx_http_payhub_sync_is_untold(mine, told)
                     || ngx_http_payhub_sync_equal(mine, change)))
        {
            continue;
        }

        (void) json_array_append_new(fresh,
                                     ngx_http_payhub_sync_bare(change));
    }

    ngx_http_payhub_sync_apply(pool, fresh);

    if (ngx_http_payhub_sync.sh->retell) {
        goto done;
    }

    json_array_foreach(local, i, change) {

        if (json_is_true(json_object_get(change, "removed"))
            || ngx_http_payhub_sync_is_untold(change, told)
            || ngx_http_payhub_sync_same(table, change))
        {
            continue;
        }

        mine = json_pack("{s:O, s:O*, s:O*, s:O*}",
                         "kind", json_object_get(change, "kind"),
                         "name", json_object_get(change, "name"),
                         "id", json_object_get(change, "id"),
                         "key", json_object_get(change, "key"));

        if (mine) {
            (void) ngx_http_payhub_live_remove(pool, mine, &by, 1,
                                               &generation);
            json_decref(mine);
        }
    }

done:

    json_decref(fresh);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


/* ---- telling ---- */


/* whether there is something to tell; cheap when nothing has changed */

ngx_uint_t
ngx_http_payhub_sync_untold(void)
{
    size_t       i;
    u_char       none[1];
    json_t      *local, *change;
    uint64_t     generation, told;
    ngx_uint_t   found;

    if (ngx_http_payhub_sync.sh->retell) {
        return 1;
    }

    generation = 0;
    (void) ngx_http_payhub_live_read(none, 0, &generation);
    told = ngx_http_payhub_live_told_until();

    if (generation <= told) {
        return 0;
    }

    local = ngx_http_payhub_sync_local(&generation);
    if (local == NULL) {
        return 0;
    }

    found = 0;

    json_array_foreach(local, i, change) {
        found |= ngx_http_payhub_sync_is_untold(change, told);
    }

    json_decref(local);

    if (!found) {
        ngx_http_payhub_live_told(generation);
    }

    return found;
}


/* {"id":,"change":,"away":,"again":}: one id, however often it is told */

static json_t *
ngx_http_payhub_sync_item(json_t *change, ngx_uint_t again)
{
    char      *text;
    json_t    *bare;
    u_char     id[NGX_HTTP_PAYHUB_SYNC_MARK];
    uint32_t   crc;

    bare = ngx_http_payhub_sync_bare(change);
    text = bare ? json_dumps(bare, JSON_COMPACT|JSON_SORT_KEYS) : NULL;

    if (text == NULL) {
        json_decref(bare);
        return NULL;
    }

    crc = ngx_crc32_long((u_char *) text, ngx_strlen(text));
    free(text);

    *ngx_sprintf(id, "%016xL-%L-%08xD", ngx_http_payhub_sync.sh->host,
                 (int64_t) json_integer_value(json_object_get(change, "gen")),
                 crc)
        = '\0';

    return json_pack("{s:s, s:o, s:b, s:b}", "id", (char *) id,
                     "change", bare, "away",
                     (int) json_is_true(json_object_get(change, "removed")),
                     "again", (int) again);
}


static ngx_int_t
ngx_http_payhub_sync_tell_ask(ngx_http_payhub_sync_link_t *link, json_t *pull)
{
    size_t       i;
    json_t      *local, *change, *changes;
    uint64_t     told;
    ngx_uint_t   again, removed;

    if (!ngx_http_payhub_sync_untold()) {
        return NGX_DECLINED;
    }

    told = ngx_http_payhub_live_told_until();
    local = ngx_http_payhub_sync_local(&ngx_http_payhub_sync_tell_gen);
    changes = json_array();

    if (local == NULL || changes == NULL) {
        json_decref(local);
        json_decref(changes);
        return NGX_ERROR;
    }

    json_array_foreach(local, i, change) {

        again = !ngx_http_payhub_sync_is_untold(change, told);
        removed = json_is_true(json_object_get(change, "removed"));

        if (again && (removed || !ngx_http_payhub_sync.sh->retell)) {
            continue;
        }

        (void) json_array_append_new(changes,
                                   ngx_http_payhub_sync_item(change, again));
    }

    json_decref(local);

    ngx_http_payhub_sync_tell_n = json_array_size(changes);

    if (ngx_http_payhub_sync_tell_n == 0) {
        ngx_http_payhub_sync.sh->retell = 0;
        json_decref(changes);
        return NGX_DECLINED;
    }

    return json_object_set_new(pull, "changes", changes) == 0 ? NGX_OK
                                                              : NGX_ERROR;
}


static ngx_int_t
ngx_http_payhub_sync_tell_take(ngx_http_payhub_sync_link_t *link,
    json_t *push)
{
    const char                     *fault;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;

    if (json_integer_value(json_object_get(push, "told"))
        >= ngx_http_payhub_sync_tell_n)
    {
        sh->retell = 0;
        (void) ngx_http_payhub_sync_mark(json_object_get(push, "tell"),
                                         sh->told_mark);
        ngx_http_payhub_live_told(ngx_http_payhub_sync_tell_gen);
        return NGX_OK;
    }

    fault = json_string_value(json_object_get(push, "fault"));

    ngx_http_payhub_sync_error("changes of this host are not told: %s",
                               fault ? fault : "no reason given");

    return NGX_OK;
}


/*
 * payhub_sync: live changes of the cluster into the zone, those of this host
 * to a worker.
 *
 * The cluster's table comes whole.  What was changed here and not told yet
 * stands; all else becomes as the table says.
 */


#include "ngx_http_payhub_sync.h"


static void ngx_http_payhub_sync_live_take(json_t *local, uint64_t told,
    json_t *table);
static ngx_int_t ngx_http_payhub_sync_tell_ask(
    ngx_http_payhub_sync_link_t *link, json_t *pull);
static ngx_int_t ngx_http_payhub_sync_tell_take(
    ngx_http_payhub_sync_link_t *link, json_t *push);


ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_tell = {
    .name = "tell",
    .ask = ngx_http_payhub_sync_tell_ask,
    .take = ngx_http_payhub_sync_tell_take,
    .pause = NGX_HTTP_PAYHUB_SYNC_TICK
};


/* what the tell link has sent */

static uint64_t    ngx_http_payhub_sync_tell_gen;
static json_int_t  ngx_http_payhub_sync_tell_n;


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


void
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
    ngx_uint_t   level;

    static ngx_str_t  by = ngx_string("sync");

    if (json_array_size(changes) == 0) {
        return;
    }

    rv = ngx_http_payhub_live_apply(pool, changes, &by, 1, &generation);

    if (rv == NULL) {
        return;
    }

    /* those that fit this host's nginx.conf, one by one; the first that does
       not is told, the others are counted */

    level = NGX_LOG_WARN;

    json_array_foreach(changes, i, change) {

        one = json_pack("[O]", change);
        rv = one ? ngx_http_payhub_live_apply(pool, one, &by, 1, &generation)
                 : "no memory";
        json_decref(one);

        if (rv) {
            ngx_http_payhub_sync.sh->live_refused++;
            ngx_http_payhub_sync_error("a live change of the cluster does not "
                                       "fit this host: %s", rv);
            ngx_log_error(level, ngx_cycle->log, 0,
                          "payhub sync: a live change of the cluster does "
                          "not fit this host: %s", rv);
            level = NGX_LOG_INFO;
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

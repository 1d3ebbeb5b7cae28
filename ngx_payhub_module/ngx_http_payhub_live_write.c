
/*
 * Live changes: the one writer at a time that takes changes in.
 */


#include "ngx_http_payhub_live_int.h"


#define NGX_HTTP_PAYHUB_LIVE_SYNC    1
#define NGX_HTTP_PAYHUB_LIVE_REMOVE  2


static char *ngx_http_payhub_live_write(ngx_pool_t *pool, json_t *fresh,
    ngx_str_t *by, ngx_uint_t flags, uint64_t *generation);


char  ngx_http_payhub_live_busy[] =
    "found the zone of changes taken, expected it free: try again";


/* whether this process keeps what was taken away until it was told */

static ngx_uint_t  ngx_http_payhub_live_tombs;


static ngx_uint_t
ngx_http_payhub_live_same(json_t *a, json_t *b)
{
    json_t      *x, *y;
    ngx_uint_t   i;

    static const char  *names[] = { "kind", "name", "id", "key" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        x = json_object_get(a, names[i]);
        y = json_object_get(b, names[i]);

        if (json_is_null(x)) {
            x = NULL;
        }

        if (json_is_null(y)) {
            y = NULL;
        }

        if (x != y && !json_equal(x, y)) {
            return 0;
        }
    }

    return 1;
}


/* the line for people: what it was and what it became, without our marks */

void
ngx_http_payhub_live_audit(ngx_str_t *by, const char *what, json_t *from,
    json_t *to, uint64_t generation)
{
    char        *texts[2];
    json_t      *copy, *sides[2];
    ngx_uint_t   i, n;

    static const char  *marks[] = { "by", "at", "base", "gen", "sync" };

    sides[0] = from;
    sides[1] = to;

    for (i = 0; i < 2; i++) {
        texts[i] = NULL;
        copy = sides[i] ? json_copy(sides[i]) : NULL;

        if (copy) {
            for (n = 0; n < sizeof(marks) / sizeof(marks[0]); n++) {
                (void) json_object_del(copy, marks[n]);
            }

            texts[i] = json_dumps(copy, JSON_COMPACT|JSON_ENSURE_ASCII);
            json_decref(copy);
        }
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "payhub audit: by %V %s from %s to %s generation %uL",
                  by, what, texts[0] ? texts[0] : "nginx.conf",
                  texts[1] ? texts[1] : "nginx.conf", generation);

    free(texts[0]);
    free(texts[1]);
}


/* made at this host and not told yet: no table of the cluster has it */

static ngx_uint_t
ngx_http_payhub_live_untold(json_t *change, uint64_t told)
{
    return !json_is_true(json_object_get(change, "sync"))
           && (uint64_t) json_integer_value(json_object_get(change, "gen"))
              > told;
}


/*
 * Over the table as it is, `now`, which it changes; the mutex is held.  NULL
 * or what was found and expected; `was` gets what each took the place of.
 * What comes from the cluster gives way to what was made here meanwhile:
 * then `was` gets the change itself.
 */

static char *
ngx_http_payhub_live_merge(ngx_pool_t *pool, json_t *now, json_t *fresh,
    json_t *was, ngx_uint_t flags, uint64_t generation, uint64_t told)
{
    json_t  *change, *old, *tomb;
    size_t   i, n;

    /* what has ended, and what was told of */

    for (n = json_array_size(now); n > 0; n--) {
        old = json_array_get(now, n - 1);

        if ((ngx_http_payhub_live_until(old)
             && ngx_http_payhub_live_until(old) <= ngx_time())
            || (json_is_true(json_object_get(old, "removed"))
                && (!ngx_http_payhub_live_tombs
                    || (uint64_t) json_integer_value(json_object_get(old,
                                                                     "gen"))
                       <= told)))
        {
            (void) json_array_remove(now, n - 1);
        }
    }

    json_array_foreach(fresh, i, change) {

        old = NULL;

        for (n = json_array_size(now); n > 0; n--) {
            if (ngx_http_payhub_live_same(json_array_get(now, n - 1), change))
            {
                old = json_incref(json_array_get(now, n - 1));
                (void) json_array_remove(now, n - 1);
                break;
            }
        }

        if (old && (flags & NGX_HTTP_PAYHUB_LIVE_SYNC)
            && ngx_http_payhub_live_tombs
            && ngx_http_payhub_live_untold(old, told))
        {
            (void) json_array_append_new(now, old);
            (void) json_array_append(was, change);
            continue;
        }

        if (old && json_is_true(json_object_get(old, "removed"))) {
            json_decref(old);
            old = NULL;
        }

        if (!(flags & NGX_HTTP_PAYHUB_LIVE_REMOVE)) {
            (void) json_object_set_new(change, "gen",
                                       json_integer(generation));
            (void) json_array_append(now, change);

        } else if (old == NULL && !(flags & NGX_HTTP_PAYHUB_LIVE_SYNC)) {
            return ngx_http_payhub_live_say(pool, "/%uz: found no such "
                                            "change, expected one to take "
                                            "away", i);

        } else if (old && ngx_http_payhub_live_tombs
                   && !(flags & NGX_HTTP_PAYHUB_LIVE_SYNC))
        {
            tomb = json_copy(change);
            (void) json_object_set_new(tomb, "removed", json_true());
            (void) json_object_set_new(tomb, "gen", json_integer(generation));
            (void) json_array_append_new(now, tomb);
        }

        (void) json_array_append_new(was, old ? old : json_null());
    }

    if (json_array_size(now) > NGX_HTTP_PAYHUB_CHANGES_MAX) {
        return ngx_http_payhub_live_say(pool, "found %uz changes, expected "
                                        "at most %d", json_array_size(now),
                                        NGX_HTTP_PAYHUB_CHANGES_MAX);
    }

    return NULL;
}


ngx_uint_t
ngx_http_payhub_live_lock(ngx_http_payhub_live_head_t *head)
{
    if (!ngx_http_payhub_zone_lock()) {
        return 0;
    }

    if (head->closed) {
        ngx_http_payhub_zone_unlock();
        return 0;
    }

    return 1;
}


/* into the buffer that nobody reads, and one store; the mutex is held */

char *
ngx_http_payhub_live_publish(ngx_pool_t *pool,
    ngx_http_payhub_live_head_t *head, json_t *now, uint64_t generation)
{
    size_t  len;

    len = json_dumpb(now, (char *) head->texts[generation & 1],
                     NGX_HTTP_PAYHUB_LIVE_MAX, JSON_COMPACT);

    if (len == 0) {
        return ngx_http_payhub_live_busy;
    }

    if (len > NGX_HTTP_PAYHUB_LIVE_MAX) {
        return ngx_http_payhub_live_say(pool, "found %uz bytes of changes, "
                                        "expected at most %d", len,
                                        NGX_HTTP_PAYHUB_LIVE_MAX);
    }

    __atomic_store_n(&head->word,
                     generation << NGX_HTTP_PAYHUB_LIVE_LEN_BITS | len,
                     __ATOMIC_RELEASE);

    return NULL;
}


static char *
ngx_http_payhub_live_write(ngx_pool_t *pool, json_t *fresh, ngx_str_t *by,
    ngx_uint_t flags, uint64_t *generation)
{
    char                         *rv;
    json_t                       *now, *was, *old;
    size_t                        i;
    uint64_t                      word, next;
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();
    was = json_array();

    if (was == NULL || !ngx_http_payhub_live_lock(head)) {
        json_decref(was);
        return ngx_http_payhub_live_busy;
    }

    word = head->word;
    next = (word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS) + 1;

    now = ngx_http_payhub_live_parse(head->texts[(next - 1) & 1],
                                     word & NGX_HTTP_PAYHUB_LIVE_LEN_MASK);

    rv = ngx_http_payhub_live_busy;

    if (now) {
        rv = ngx_http_payhub_live_merge(pool, now, fresh, was, flags, next,
                                        head->told);
        if (rv == NULL) {
            rv = ngx_http_payhub_live_publish(pool, head, now, next);
        }
    }

    ngx_http_payhub_zone_unlock();

    for (i = 0; rv == NULL && i < json_array_size(fresh); i++) {
        old = json_array_get(was, i);

        if (old == json_array_get(fresh, i)) {
            continue;
        }

        ngx_http_payhub_live_audit(by, flags & NGX_HTTP_PAYHUB_LIVE_REMOVE
                                       ? "removed" : "changed",
                                   json_is_null(old) ? NULL : old,
                                   flags & NGX_HTTP_PAYHUB_LIVE_REMOVE
                                   ? NULL : json_array_get(fresh, i), next);

        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_LIVE_CHANGES);
    }

    json_decref(now);
    json_decref(was);

    *generation = next;

    return rv;
}


/* a checked copy with our marks; NULL: rv says why not */

static json_t *
ngx_http_payhub_live_fresh(ngx_pool_t *pool, json_t *changes, ngx_str_t *by,
    ngx_uint_t flags, char **rv)
{
    size_t   i;
    json_t  *fresh, *change;

    fresh = json_deep_copy(changes);
    if (fresh == NULL) {
        *rv = ngx_http_payhub_live_busy;
        return NULL;
    }

    json_array_foreach(fresh, i, change) {

        *rv = ngx_http_payhub_live_members(pool, i, change,
                                        flags & NGX_HTTP_PAYHUB_LIVE_SYNC,
                                        flags & NGX_HTTP_PAYHUB_LIVE_REMOVE);
        if (*rv) {
            json_decref(fresh);
            return NULL;
        }

        if (json_object_get(change, "by") == NULL) {
            (void) json_object_set_new(change, "by",
                        json_stringn_nocheck((char *) by->data, by->len));
        }

        if (json_object_get(change, "at") == NULL) {
            (void) json_object_set_new(change, "at",
                                       json_integer(ngx_time()));
        }

        (void) json_object_del(change, "sync");

        if (flags & NGX_HTTP_PAYHUB_LIVE_SYNC) {
            (void) json_object_set_new(change, "sync", json_true());
        }
    }

    return fresh;
}


static char *
ngx_http_payhub_live_do(ngx_pool_t *pool, json_t *changes, ngx_str_t *by,
    ngx_uint_t flags, uint64_t *generation)
{
    char    *rv;
    json_t  *fresh;

    if (ngx_http_payhub_live_head() == NULL) {
        return "found no payhub_zone, expected one in http {}";
    }

    if (!json_is_array(changes) || json_array_size(changes) == 0
        || json_array_size(changes) > NGX_HTTP_PAYHUB_CHANGES_MAX)
    {
        return ngx_http_payhub_live_say(pool, "found %s, expected 1 to %d "
                                        "changes",
                                        ngx_http_payhub_live_shown(pool,
                                                                   changes),
                                        NGX_HTTP_PAYHUB_CHANGES_MAX);
    }

    fresh = ngx_http_payhub_live_fresh(pool, changes, by, flags, &rv);
    if (fresh == NULL) {
        return rv;
    }

    rv = ngx_http_payhub_live_write(pool, fresh, by, flags, generation);

    json_decref(fresh);

    return rv;
}


char *
ngx_http_payhub_live_apply(ngx_pool_t *pool, json_t *changes, ngx_str_t *by,
    ngx_uint_t from_sync, uint64_t *generation)
{
    return ngx_http_payhub_live_do(pool, changes, by,
                                   from_sync ? NGX_HTTP_PAYHUB_LIVE_SYNC : 0,
                                   generation);
}


char *
ngx_http_payhub_live_remove(ngx_pool_t *pool, json_t *change, ngx_str_t *by,
    ngx_uint_t from_sync, uint64_t *generation)
{
    char    *rv;
    json_t  *one;

    one = json_array();
    if (one == NULL || json_array_append(one, change) != 0) {
        json_decref(one);
        return ngx_http_payhub_live_busy;
    }

    rv = ngx_http_payhub_live_do(pool, one, by,
                                 NGX_HTTP_PAYHUB_LIVE_REMOVE
                                 | (from_sync ? NGX_HTTP_PAYHUB_LIVE_SYNC : 0),
                                 generation);
    json_decref(one);

    return rv;
}


void
ngx_http_payhub_live_outbox(ngx_uint_t on)
{
    ngx_http_payhub_live_tombs = on;
}


void
ngx_http_payhub_live_told(uint64_t generation)
{
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    if (head && head->told < generation) {
        __atomic_store_n(&head->told, generation, __ATOMIC_RELEASE);
    }
}


uint64_t
ngx_http_payhub_live_told_until(void)
{
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    return head ? __atomic_load_n(&head->told, __ATOMIC_ACQUIRE) : 0;
}


/*
 * Live changes: what a change may say, and the one writer at a time that
 * takes changes in.
 */


#include "ngx_http_payhub_live_int.h"


#define NGX_HTTP_PAYHUB_LIVE_NAME_MAX    128
#define NGX_HTTP_PAYHUB_LIVE_KEY_MAX     256
#define NGX_HTTP_PAYHUB_LIVE_RULES_MAX   64
#define NGX_HTTP_PAYHUB_LIVE_RULE_MAX    512
#define NGX_HTTP_PAYHUB_LIVE_BY_MAX      64
#define NGX_HTTP_PAYHUB_LIVE_TIMES_MAX   1000
#define NGX_HTTP_PAYHUB_LIVE_WEIGHT_MAX  10000

#define NGX_HTTP_PAYHUB_LIVE_SYNC    1
#define NGX_HTTP_PAYHUB_LIVE_REMOVE  2


typedef struct {
    const char                   *kind;
    const char                   *name;
    unsigned                      type;     /* of the value */
} ngx_http_payhub_member_t;


#define NGX_HTTP_PAYHUB_TEXT     0x01
#define NGX_HTTP_PAYHUB_NULL     0x02
#define NGX_HTTP_PAYHUB_NUMBER   0x04
#define NGX_HTTP_PAYHUB_BOOL     0x08
#define NGX_HTTP_PAYHUB_TEXTS    0x10
#define NGX_HTTP_PAYHUB_TIME     0x20
#define NGX_HTTP_PAYHUB_ID       0x40       /* says which one is changed */
#define NGX_HTTP_PAYHUB_SYNCED   0x80       /* only from a worker */
#define NGX_HTTP_PAYHUB_REMOVED  0x100      /* never from outside */


static char *ngx_http_payhub_live_member(ngx_pool_t *pool, ngx_uint_t i,
    json_t *change, const char *name, json_t *value, ngx_uint_t from_sync,
    ngx_uint_t removing);
static char *ngx_http_payhub_live_members(ngx_pool_t *pool, ngx_uint_t i,
    json_t *change, ngx_uint_t from_sync, ngx_uint_t removing);
static char *ngx_http_payhub_live_write(ngx_pool_t *pool, json_t *fresh,
    ngx_str_t *by, ngx_uint_t flags, uint64_t *generation);


static ngx_http_payhub_member_t  ngx_http_payhub_live_table[] = {

    { "limit", "name", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_ID },
    { "limit", "key",
      NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_NULL|NGX_HTTP_PAYHUB_ID },
    { "limit", "rate", NGX_HTTP_PAYHUB_TEXT },
    { "limit", "burst", NGX_HTTP_PAYHUB_TEXT },
    { "limit", "times", NGX_HTTP_PAYHUB_NUMBER },
    { "limit", "until", NGX_HTTP_PAYHUB_TIME },

    { "account", "id", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_ID },
    { "account", "weight", NGX_HTTP_PAYHUB_NUMBER },
    { "account", "drained", NGX_HTTP_PAYHUB_BOOL },

    { "route", "name", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_ID },
    { "route", "rules", NGX_HTTP_PAYHUB_TEXTS },

    { "key", "id", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_ID },
    { "key", "revoked", NGX_HTTP_PAYHUB_BOOL },

    { NULL, "kind", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_ID },
    { NULL, "by", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_SYNCED },
    { NULL, "at", NGX_HTTP_PAYHUB_NUMBER|NGX_HTTP_PAYHUB_SYNCED },
    { NULL, "base", NGX_HTTP_PAYHUB_TEXT|NGX_HTTP_PAYHUB_SYNCED },
    { NULL, "gen", NGX_HTTP_PAYHUB_NUMBER|NGX_HTTP_PAYHUB_SYNCED },
    { NULL, "sync", NGX_HTTP_PAYHUB_BOOL|NGX_HTTP_PAYHUB_SYNCED },

    { NULL, NULL, 0 }
};


char  ngx_http_payhub_live_busy[] =
    "found the zone of changes taken, expected it free: try again";


/* whether this process keeps what was taken away until it was told */

static ngx_uint_t  ngx_http_payhub_live_tombs;


char *
ngx_http_payhub_live_say(ngx_pool_t *pool, const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    p = ngx_pnalloc(pool, 512);
    if (p == NULL) {
        return ngx_http_payhub_live_busy;
    }

    va_start(args, fmt);
    last = ngx_vslprintf(p, p + 511, fmt, args);
    va_end(args);

    *last = '\0';

    return (char *) p;
}


/* a JSON value as people write it, at most 64 bytes of ASCII */

char *
ngx_http_payhub_live_shown(ngx_pool_t *pool, json_t *value)
{
    char    *text, *shown;
    size_t   len;

    text = json_dumps(value, JSON_COMPACT|JSON_ENCODE_ANY|JSON_ENSURE_ASCII);
    if (text == NULL) {
        return "a value";
    }

    len = ngx_strlen(text);
    shown = ngx_http_payhub_live_say(pool, "%*s%s", ngx_min(len, 60), text,
                                     len > 60 ? "..." : "");
    free(text);

    return shown;
}


static ngx_http_payhub_member_t *
ngx_http_payhub_live_known(const char *kind, const char *name)
{
    ngx_http_payhub_member_t  *m;

    for (m = ngx_http_payhub_live_table; m->name; m++) {
        if ((m->kind == NULL || ngx_strcmp(m->kind, kind) == 0)
            && ngx_strcmp(m->name, name) == 0)
        {
            return m;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_payhub_live_is_text(json_t *value, size_t max)
{
    return json_is_string(value)
           && json_string_length(value) > 0
           && json_string_length(value) <= max
           && !ph_str_has_control(ph_str_make(json_string_value(value),
                                              json_string_length(value)));
}


static ngx_uint_t
ngx_http_payhub_live_are_texts(json_t *value)
{
    size_t   i;
    json_t  *item;

    if (!json_is_array(value)
        || json_array_size(value) == 0
        || json_array_size(value) > NGX_HTTP_PAYHUB_LIVE_RULES_MAX)
    {
        return 0;
    }

    json_array_foreach(value, i, item) {
        if (!ngx_http_payhub_live_is_text(item, NGX_HTTP_PAYHUB_LIVE_RULE_MAX))
        {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_http_payhub_live_member(ngx_pool_t *pool, ngx_uint_t i, json_t *change,
    const char *name, json_t *value, ngx_uint_t from_sync,
    ngx_uint_t removing)
{
    char                      *expected;
    json_t                    *text;
    double                     number;
    ngx_http_payhub_member_t  *m;

    m = ngx_http_payhub_live_known(
                     json_string_value(json_object_get(change, "kind")), name);

    if (m == NULL
        || ((m->type & NGX_HTTP_PAYHUB_SYNCED) && !from_sync)
        || (removing && !(m->type & (NGX_HTTP_PAYHUB_ID
                                     |NGX_HTTP_PAYHUB_SYNCED))))
    {
        text = json_string(name);
        expected = ngx_http_payhub_live_say(pool, "/%ui: found a member %s, "
                                            "expected only those of its kind",
                                            i,
                                            ngx_http_payhub_live_shown(pool,
                                                                       text));
        json_decref(text);

        return expected;
    }

    if (m->type & NGX_HTTP_PAYHUB_SYNCED) {
        return NULL;
    }

    if ((m->type & NGX_HTTP_PAYHUB_NULL) && json_is_null(value)) {
        return NULL;
    }

    if (m->type & NGX_HTTP_PAYHUB_TEXT) {
        expected = "a text without control characters, of 1 to 128 bytes";

        if (ngx_http_payhub_live_is_text(value, m->type & NGX_HTTP_PAYHUB_NULL
                                         ? NGX_HTTP_PAYHUB_LIVE_KEY_MAX
                                         : NGX_HTTP_PAYHUB_LIVE_NAME_MAX))
        {
            return NULL;
        }

        if (m->type & NGX_HTTP_PAYHUB_NULL) {
            expected = "null or a text without control characters, of 1 to "
                       "256 bytes";
        }

    } else if (m->type & NGX_HTTP_PAYHUB_TEXTS) {
        expected = "1 to 64 texts of 1 to 512 bytes";

        if (ngx_http_payhub_live_are_texts(value)) {
            return NULL;
        }

    } else if (m->type & NGX_HTTP_PAYHUB_BOOL) {
        expected = "true or false";

        if (json_is_boolean(value)) {
            return NULL;
        }

    } else if (m->type & NGX_HTTP_PAYHUB_TIME) {
        expected = "unix seconds after now, or 0";

        if (json_is_integer(value)
            && (json_integer_value(value) == 0
                || json_integer_value(value) > (json_int_t) ngx_time()))
        {
            return NULL;
        }

    } else {
        number = json_number_value(value);

        if (name[0] == 'w') {
            expected = "an integer from 0 to 10000";

            if (json_is_integer(value) && number >= 0
                && number <= NGX_HTTP_PAYHUB_LIVE_WEIGHT_MAX)
            {
                return NULL;
            }

        } else {
            expected = "a number above 0, at most 1000";

            if (json_is_number(value) && number > 0
                && number <= NGX_HTTP_PAYHUB_LIVE_TIMES_MAX)
            {
                return NULL;
            }
        }
    }

    return ngx_http_payhub_live_say(pool, "/%ui/%s: found %s, expected %s", i,
                                    name,
                                    ngx_http_payhub_live_shown(pool, value),
                                    expected);
}


/* of the change at `i` in its array; NULL, or what was found and expected */

static char *
ngx_http_payhub_live_members(ngx_pool_t *pool, ngx_uint_t i, json_t *change,
    ngx_uint_t from_sync, ngx_uint_t removing)
{
    char                         *rv;
    json_t                       *value;
    const char                   *name, *kind;
    ngx_http_payhub_member_t     *m;
    ngx_http_payhub_live_kind_t  *known;

    if (!json_is_object(change)) {
        return ngx_http_payhub_live_say(pool, "/%ui: found %s, expected an "
                                        "object", i,
                                        ngx_http_payhub_live_shown(pool,
                                                                   change));
    }

    value = json_object_get(change, "kind");
    kind = json_string_value(value);
    known = ngx_http_payhub_live_kind(kind);

    if (known == NULL) {
        return ngx_http_payhub_live_say(pool, "/%ui/kind: found %s, expected "
                                        "limit, account, route or key", i,
                                        value
                                        ? ngx_http_payhub_live_shown(pool,
                                                                     value)
                                        : "none");
    }

    json_object_foreach(change, name, value) {
        rv = ngx_http_payhub_live_member(pool, i, change, name, value,
                                         from_sync, removing);
        if (rv) {
            return rv;
        }
    }

    for (m = ngx_http_payhub_live_table; m->name; m++) {
        if (m->kind == NULL || ngx_strcmp(m->kind, kind) != 0) {
            continue;
        }

        if ((m->type & NGX_HTTP_PAYHUB_ID)
            && !(m->type & NGX_HTTP_PAYHUB_NULL)
            && json_object_get(change, m->name) == NULL)
        {
            return ngx_http_payhub_live_say(pool, "/%ui/%s: found none, "
                                            "expected which %s", i, m->name,
                                            kind);
        }
    }

    if (removing) {
        return NULL;
    }

    rv = known->check(pool, change);

    if (rv == NULL || rv == ngx_http_payhub_live_busy) {
        return rv;
    }

    return ngx_http_payhub_live_say(pool, "/%ui: %s", i, rv);
}


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

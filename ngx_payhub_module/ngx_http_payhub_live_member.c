
/*
 * Live changes: what one may say.
 */


#include "ngx_http_payhub_live_int.h"


#define NGX_HTTP_PAYHUB_LIVE_NAME_MAX    128
#define NGX_HTTP_PAYHUB_LIVE_KEY_MAX     256
#define NGX_HTTP_PAYHUB_LIVE_RULES_MAX   64
#define NGX_HTTP_PAYHUB_LIVE_RULE_MAX    512
#define NGX_HTTP_PAYHUB_LIVE_TIMES_MAX   1000
#define NGX_HTTP_PAYHUB_LIVE_WEIGHT_MAX  10000


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


static char *ngx_http_payhub_live_member(ngx_pool_t *pool, ngx_uint_t i,
    json_t *change, const char *name, json_t *value, ngx_uint_t from_sync,
    ngx_uint_t removing);


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


char *
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

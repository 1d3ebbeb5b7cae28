
/*
 * The key= of payhub_limit_zone: what it says, and when such a key is known.
 */


#include "ngx_http_payhub_limit_shared.h"


static void ngx_http_payhub_limit_stage(ngx_http_payhub_limit_zone_t *zone,
    ngx_str_t *key);
static ngx_uint_t ngx_http_payhub_limit_names(ngx_str_t *text, char **names);


/* short names of keys */

static struct {
    ngx_str_t                   name;
    ngx_str_t                   text;
    ngx_http_payhub_limit_by_e  by;
    size_t                      key_field;
} ngx_http_payhub_limit_keys[] = {

    { ngx_string("address"), ngx_string("$binary_remote_addr"),
      NGX_HTTP_PAYHUB_LIMIT_BY_ADDRESS, 0 },

    { ngx_string("key"), ngx_string("$payhub_key_id"),
      NGX_HTTP_PAYHUB_LIMIT_BY_VALUE,
      1 + offsetof(ngx_http_payhub_key_t, id) },

    { ngx_string("app"), ngx_string("$payhub_app"),
      NGX_HTTP_PAYHUB_LIMIT_BY_VALUE,
      1 + offsetof(ngx_http_payhub_key_t, app) },

    { ngx_string("merchant"), ngx_string("$payhub_merchant"),
      NGX_HTTP_PAYHUB_LIMIT_BY_VALUE,
      1 + offsetof(ngx_http_payhub_key_t, merchant) },

    { ngx_string("method"), ngx_null_string,
      NGX_HTTP_PAYHUB_LIMIT_BY_METHOD, 0 },

    { ngx_string("channel"), ngx_string("$payhub_channel"),
      NGX_HTTP_PAYHUB_LIMIT_BY_VALUE, 0 },

    { ngx_null_string, ngx_null_string, NGX_HTTP_PAYHUB_LIMIT_BY_VALUE, 0 }
};


/* variables that are empty until the signature is proven */

static char  *ngx_http_payhub_limit_identity[] = {
    "payhub_app", "payhub_key_id", "payhub_merchant", NULL
};


/* variables that are empty until the request is routed */

static char  *ngx_http_payhub_limit_routed[] = {
    "payhub_channel", "payhub_route_reason", NULL
};


char *
ngx_http_payhub_limit_zone_key(ngx_conf_t *cf,
    ngx_http_payhub_limit_zone_t *zone, ngx_str_t *value)
{
    ngx_str_t                         text;
    ngx_uint_t                        i;
    ngx_http_compile_complex_value_t  ccv;

    zone->key_text = *value;
    text = *value;

    for (i = 0; ngx_http_payhub_limit_keys[i].name.len; i++) {

        if (text.len == ngx_http_payhub_limit_keys[i].name.len
            && ngx_strncmp(text.data, ngx_http_payhub_limit_keys[i].name.data,
                           text.len)
               == 0)
        {
            text = ngx_http_payhub_limit_keys[i].text;
            zone->by = ngx_http_payhub_limit_keys[i].by;
            zone->key_field = ngx_http_payhub_limit_keys[i].key_field;
            break;
        }
    }

    if (zone->by != NGX_HTTP_PAYHUB_LIMIT_BY_METHOD
        && ngx_http_script_variables_count(&text) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found key \"%V\", "
                           "expected address, key, app, merchant, method, "
                           "channel, or a text with variables", value);
        return NGX_CONF_ERROR;
    }

    ngx_http_payhub_limit_stage(zone, &text);

    if (zone->by != NGX_HTTP_PAYHUB_LIMIT_BY_VALUE) {
        return NGX_CONF_OK;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &text;
    ccv.complex_value = &zone->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * When a key is known.  The method stands in the body, which is read for its
 * signature, so it waits for the proof as an identity does.
 */

static void
ngx_http_payhub_limit_stage(ngx_http_payhub_limit_zone_t *zone, ngx_str_t *key)
{
    zone->stage = NGX_HTTP_PAYHUB_LIMIT_ADDRESS;

    if (zone->by == NGX_HTTP_PAYHUB_LIMIT_BY_METHOD
        || ngx_http_payhub_limit_names(key, ngx_http_payhub_limit_identity))
    {
        zone->by_identity = 1;
        zone->stage = NGX_HTTP_PAYHUB_LIMIT_IDENTITY;
    }

    if (ngx_http_payhub_limit_names(key, ngx_http_payhub_limit_routed)) {
        zone->stage = NGX_HTTP_PAYHUB_LIMIT_ROUTE;
    }
}


static ngx_uint_t
ngx_http_payhub_limit_names(ngx_str_t *text, char **names)
{
    size_t       len;
    u_char      *p, *last, *start;
    ngx_uint_t   i;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p++ != '$') {
            continue;
        }

        if (p < last && *p == '{') {
            p++;
        }

        start = p;

        while (p < last
               && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                   || (*p >= '0' && *p <= '9') || *p == '_'))
        {
            p++;
        }

        len = p - start;

        for (i = 0; names[i]; i++) {
            if (len == ngx_strlen(names[i])
                && ngx_strncasecmp(start, (u_char *) names[i], len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}

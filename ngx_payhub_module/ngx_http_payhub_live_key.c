
/*
 * Live changes: revoked keys.
 */


#include "ngx_http_payhub_live_int.h"


static char *ngx_http_payhub_live_check_key(ngx_pool_t *pool,
    json_t *change);
static ngx_int_t ngx_http_payhub_live_build_keys(ngx_http_payhub_live_t *live);


ngx_http_payhub_live_kind_t  ngx_http_payhub_live_keys = {
    ngx_string("key"),
    ngx_http_payhub_live_check_key,
    ngx_http_payhub_live_build_keys
};


/* A revocation does not depend on the file: only a person takes it back. */

static char *
ngx_http_payhub_live_check_key(ngx_pool_t *pool, json_t *change)
{
    json_t         *id;
    struct ph_str   text;

    id = json_object_get(change, "id");
    text = ph_str_make(json_string_value(id), json_string_length(id));

    if (!ph_str_is_token(text, PH_KEY_ID_LEN_MAX)) {
        return ngx_http_payhub_live_say(pool, "found id %s, expected 1 to %d "
                                        "of [A-Za-z0-9_-]",
                                        ngx_http_payhub_live_shown(pool, id),
                                        PH_KEY_ID_LEN_MAX);
    }

    if (!json_is_true(json_object_get(change, "revoked"))) {
        return "found no \"revoked\":true, expected it: DELETE takes a "
               "revocation back";
    }

    if (json_object_set_new(change, "base", json_string("-")) != 0) {
        return ngx_http_payhub_live_busy;
    }

    return NULL;
}


static int ngx_libc_cdecl
ngx_http_payhub_live_cmp(const void *a, const void *b)
{
    return ph_str_cmp(*(const struct ph_str *) a, *(const struct ph_str *) b);
}


static ngx_int_t
ngx_http_payhub_live_build_keys(ngx_http_payhub_live_t *live)
{
    size_t       i;
    json_t      *change, *id;
    ngx_uint_t   n;

    if (json_array_size(live->changes) == 0) {
        return NGX_OK;
    }

    live->revoked = ngx_palloc(live->pool, json_array_size(live->changes)
                                           * sizeof(struct ph_str));
    if (live->revoked == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    json_array_foreach(live->changes, i, change) {
        if (json_is_true(json_object_get(change, "revoked"))) {
            id = json_object_get(change, "id");
            live->revoked[n++] = ph_str_make(json_string_value(id),
                                             json_string_length(id));
        }
    }

    live->revoked_n = n;

    ngx_qsort(live->revoked, n, sizeof(struct ph_str),
              ngx_http_payhub_live_cmp);

    return NGX_OK;
}


ngx_uint_t
ngx_http_payhub_live_revoked(ngx_http_payhub_live_t *live, struct ph_str id)
{
    int         rc;
    ngx_uint_t  first, last, middle;

    first = 0;
    last = live->revoked_n;

    while (first < last) {
        middle = first + (last - first) / 2;
        rc = ph_str_cmp(id, live->revoked[middle]);

        if (rc == 0) {
            return 1;
        }

        if (rc < 0) {
            last = middle;

        } else {
            first = middle + 1;
        }
    }

    return 0;
}

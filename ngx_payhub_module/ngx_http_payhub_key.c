
/*
 * Keys by their ids: those of nginx.conf in a table of the configuration,
 * those that were added live in the zone.
 *
 * A key of nginx.conf hides one of the same id in the zone.  A revoked key is
 * like none.
 */


#include "ngx_http_payhub_verify.h"
#include "ngx_http_payhub_live.h"
#include "ngx_http_payhub_state.h"
#include <openssl/rand.h>


static ngx_http_payhub_key_t *ngx_http_payhub_key_copy(ngx_http_request_t *r,
    struct ph_key_table *table, struct ph_str id, uint32_t hash);
static struct ph_key_table *ngx_http_payhub_key_zone(void);


ngx_int_t
ngx_http_payhub_keys_init(ngx_conf_t *cf, ngx_http_payhub_main_conf_t *pmcf)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_payhub_contexts_cleanup;
    cln->data = pmcf;

    pmcf->keys_mask = NGX_HTTP_PAYHUB_KEY_BUCKETS - 1;

    pmcf->keys = ngx_pcalloc(cf->pool, NGX_HTTP_PAYHUB_KEY_BUCKETS
                                       * sizeof(ngx_http_payhub_key_t *));
    if (pmcf->keys == NULL) {
        return NGX_ERROR;
    }

    /* one for all processes, or a caller could compare them */

    if (RAND_bytes((u_char *) &pmcf->salt, sizeof(pmcf->salt)) != 1) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NULL: no such key, or it was revoked */

ngx_http_payhub_key_t *
ngx_http_payhub_key_find(ngx_http_request_t *r, ngx_http_payhub_request_t *pr,
    struct ph_str id)
{
    uint32_t                      hash;
    struct ph_key_table          *table;
    ngx_http_payhub_key_t        *key;
    ngx_http_payhub_live_t       *live;
    ngx_http_payhub_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);

    hash = ngx_murmur_hash2((u_char *) id.ptr, id.len);

    key = ngx_http_payhub_key_static(pmcf, id, hash);

    table = ngx_http_payhub_key_zone();

    if (table == NULL) {
        return key;
    }

    if (key == NULL) {
        key = ngx_http_payhub_key_copy(r, table, id, hash);
    }

    if (key) {
        /* not the request's snapshot: what was revoked since counts */
        live = ngx_http_payhub_live_now();

        if (live == NULL
            || (live->revoked_n && ngx_http_payhub_live_revoked(live, id)))
        {
            return NULL;
        }
    }

    return key;
}


ngx_http_payhub_key_t *
ngx_http_payhub_key_static(ngx_http_payhub_main_conf_t *pmcf, struct ph_str id,
    uint32_t hash)
{
    ngx_http_payhub_key_t  *key;

    key = pmcf->keys[hash & pmcf->keys_mask];

    for ( /* void */ ; key; key = key->next) {

        if (key->hash == hash
            && key->id.len == id.len
            && ngx_memcmp(key->id.data, id.ptr, id.len) == 0)
        {
            return key;
        }
    }

    return NULL;
}


static ngx_http_payhub_key_t *
ngx_http_payhub_key_copy(ngx_http_request_t *r, struct ph_key_table *table,
    struct ph_str id, uint32_t hash)
{
    struct ph_key_record    record, *copy;
    ngx_http_payhub_key_t  *key;

    if (!ph_key_find(table, id, &record) || record.is_revoked) {
        return NULL;
    }

    key = ngx_pcalloc(r->main->pool, sizeof(ngx_http_payhub_key_t)
                                     + sizeof(struct ph_key_record));
    if (key == NULL) {
        return NULL;
    }

    copy = (struct ph_key_record *) (key + 1);
    *copy = record;

    key->id.data = (u_char *) copy->id;
    key->id.len = copy->id_len;
    key->app.data = (u_char *) copy->app;
    key->app.len = copy->app_len;
    key->merchant.data = (u_char *) copy->merchant;
    key->merchant.len = copy->merchant_len;
    key->role.data = (u_char *) copy->role;
    key->role.len = copy->role_len;

    key->alg = (enum ph_alg) copy->alg;
    key->schemes = copy->schemes & ph_alg_schemes(key->alg);
    key->not_before = (time_t) copy->not_before;
    key->not_after = (time_t) copy->not_after;

    key->version = copy->version;
    key->material_len = copy->material_len;
    key->hash = hash ^ ((uint32_t) copy->version * 2654435761u);

    return key;
}


/* of a key in the zone; false: its record has changed since it was found */

ngx_uint_t
ngx_http_payhub_key_material(ngx_http_payhub_key_t *key, u_char *out)
{
    struct ph_key_table  *table;

    table = ngx_http_payhub_key_zone();

    return table
           && ph_key_material(table, ngx_http_payhub_view(&key->id),
                              key->version, out);
}


/* algorithms that some key may have, bits */

ngx_uint_t
ngx_http_payhub_key_algs(ngx_http_payhub_main_conf_t *pmcf)
{
    return ngx_http_payhub_key_zone() ? (ngx_uint_t) -1 : pmcf->algs;
}


/* the same while nginx.conf is read, behind the last line of http {} */

ngx_uint_t
ngx_http_payhub_key_conf_algs(ngx_conf_t *cf)
{
    ngx_http_payhub_main_conf_t  *pmcf;
    ngx_http_payhub_zone_conf_t  *zcf;

    zcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_zone_module);

    if (zcf->shm_zone) {
        return (ngx_uint_t) -1;
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_module);

    return pmcf->algs;
}


static struct ph_key_table *
ngx_http_payhub_key_zone(void)
{
    size_t  size;

    return ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
}

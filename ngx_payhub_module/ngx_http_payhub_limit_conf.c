
/*
 * payhub_limit: what it says.
 */


#include "ngx_http_payhub_limit_shared.h"


static char *ngx_http_payhub_limit_off(ngx_conf_t *cf,
    ngx_http_payhub_limit_loc_conf_t *llcf);
static char *ngx_http_payhub_limit_param(ngx_conf_t *cf,
    ngx_http_payhub_limit_t *limit, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_cost(ngx_conf_t *cf,
    ngx_http_payhub_limit_t *limit, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_wait(ngx_conf_t *cf,
    ngx_http_payhub_limit_t *limit, ngx_str_t *value);


char *
ngx_http_payhub_limit_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_limit_loc_conf_t  *llcf = conf;

    char                               *rv;
    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_payhub_limit_t            *limit, *limits;
    ngx_http_payhub_limit_zone_t       *zone;
    ngx_http_payhub_limit_main_conf_t  *lmcf;

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        return ngx_http_payhub_limit_off(cf, llcf);
    }

    if (llcf->off) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found \"%V\" behind off, "
                           "expected one of them in a block", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]),
                         NGX_HTTP_PAYHUB_NAME_MAX))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found \"%V\", expected the "
                           "name of a payhub_limit_zone, or off", &value[1]);
        return NGX_CONF_ERROR;
    }

    lmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_payhub_limit_module);

    zone = ngx_http_payhub_limit_named(cf, lmcf, &value[1]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (llcf->limits == NULL) {
        llcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_payhub_limit_t));
        if (llcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limits = llcf->limits->elts;

    for (i = 0; i < llcf->limits->nelts; i++) {
        if (limits[i].zone == zone) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C302 payhub_limit: found \"%V\" twice, "
                               "expected a zone once in a block", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (llcf->limits->nelts == NGX_HTTP_PAYHUB_LIMITS_LOC_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found more than %d, "
                           "expected at most %d in a block",
                           NGX_HTTP_PAYHUB_LIMITS_LOC_MAX,
                           NGX_HTTP_PAYHUB_LIMITS_LOC_MAX);
        return NGX_CONF_ERROR;
    }

    limit = ngx_array_push(llcf->limits);
    if (limit == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(limit, sizeof(ngx_http_payhub_limit_t));

    limit->zone = zone;
    limit->file_name = cf->conf_file->file.name.data;
    limit->line = cf->conf_file->line;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_payhub_limit_param(cf, limit, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (limit->tokens == 0) {
        limit->tokens = 1;
    }

    if (limit->shadow && limit->wait) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found wait= with shadow, "
                           "expected one of them: a shadow delays nobody");
        return NGX_CONF_ERROR;
    }

    ngx_http_payhub_mark_server(cf);

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_off(ngx_conf_t *cf,
    ngx_http_payhub_limit_loc_conf_t *llcf)
{
    if (cf->args->nelts != 2 || llcf->limits || llcf->off) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found off with something "
                           "else, expected it alone in a block");
        return NGX_CONF_ERROR;
    }

    llcf->off = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_param(ngx_conf_t *cf, ngx_http_payhub_limit_t *limit,
    ngx_str_t *value)
{
    ngx_str_t   rest;
    ngx_uint_t  twice;

    twice = 0;

    rest.data = value->data + 5;
    rest.len = value->len - 5;

    if (value->len > 5 && ngx_strncmp(value->data, "cost=", 5) == 0) {

        if (limit->tokens == 0 && limit->cost == NULL) {
            return ngx_http_payhub_limit_param_cost(cf, limit, &rest);
        }

        twice = 1;

    } else if (value->len > 5 && ngx_strncmp(value->data, "wait=", 5) == 0) {

        if (limit->wait == 0) {
            return ngx_http_payhub_limit_param_wait(cf, limit, &rest);
        }

        twice = 1;

    } else if (value->len == 6 && ngx_strncmp(value->data, "shadow", 6) == 0) {

        if (!limit->shadow) {
            limit->shadow = 1;
            return NGX_CONF_OK;
        }

        twice = 1;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C302 payhub_limit: found \"%V\"%s, expected cost=, "
                       "wait= or shadow", value, twice ? " twice" : "");
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_limit_param_cost(ngx_conf_t *cf,
    ngx_http_payhub_limit_t *limit, ngx_str_t *value)
{
    uint64_t                           tokens;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_http_script_variables_count(value)) {

        limit->cost = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (limit->cost == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = value;
        ccv.complex_value = limit->cost;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (!ph_str_u64(ngx_http_payhub_view(value), PH_COST_MAX, &tokens)
        || tokens == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found cost \"%V\", expected "
                           "1 to %uL, or a text with variables", value,
                           PH_COST_MAX);
        return NGX_CONF_ERROR;
    }

    limit->tokens = tokens;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_param_wait(ngx_conf_t *cf,
    ngx_http_payhub_limit_t *limit, ngx_str_t *value)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR || ms < 1 || ms > NGX_HTTP_PAYHUB_LIMIT_WAIT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C302 payhub_limit: found wait \"%V\", expected "
                           "a time of 1ms to %dms", value,
                           NGX_HTTP_PAYHUB_LIMIT_WAIT_MAX);
        return NGX_CONF_ERROR;
    }

    limit->wait = ms;

    return NGX_CONF_OK;
}


/* a zone may be defined behind the first block that uses it */

char *
ngx_http_payhub_limit_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_payhub_limit_main_conf_t  *lmcf = conf;

    ngx_uint_t                      i;
    ngx_http_payhub_limit_zone_t  **zones;

    zones = lmcf->zones.elts;

    for (i = 0; i < lmcf->zones.nelts; i++) {
        if (zones[i]->shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "PH-C302 payhub_limit: found \"%V\", expected the "
                          "name of a payhub_limit_zone in %s:%ui",
                          &zones[i]->name, zones[i]->file_name,
                          zones[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payhub_limit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_payhub_limit_loc_conf_t  *prev = parent;
    ngx_http_payhub_limit_loc_conf_t  *conf = child;

    ngx_uint_t                 i;
    ngx_http_payhub_limit_t   *limits;
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->limits == NULL && !conf->off) {
        conf->limits = prev->limits;
        conf->off = prev->off;
    }

    if (conf->limits == NULL) {
        return NGX_CONF_OK;
    }

    /* a server's own block serves requests that have no location yet */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    limits = conf->limits->elts;

    for (i = 0; i < conf->limits->nelts; i++) {

        conf->stages |= 1 << limits[i].zone->stage;

        if (limits[i].zone->by_identity
            && (clcf->name.len || clcf->noname)
            && !ngx_http_payhub_verify_conf_skew(cf))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "PH-C302 payhub_limit: found \"%V\", which counts "
                          "proven requests, in location \"%V\" with "
                          "payhub_verify off, expected payhub_verify on or "
                          "payhub_limit off there, in %s:%ui",
                          &limits[i].zone->name, &clcf->name,
                          limits[i].file_name, limits[i].line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}

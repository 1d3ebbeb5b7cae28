
/*
 * payhub_limit_zone, payhub_limit: token buckets.
 */


#include "ngx_http_payhub_limit_shared.h"


static ngx_int_t ngx_http_payhub_limit_add_variables(ngx_conf_t *cf);
static void *ngx_http_payhub_limit_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_payhub_limit_create_loc_conf(ngx_conf_t *cf);


static ngx_command_t  ngx_http_payhub_limit_commands[] = {

    { ngx_string("payhub_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_payhub_limit_zone_line,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_payhub_limit_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_limit_module_ctx = {
    ngx_http_payhub_limit_add_variables,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_payhub_limit_create_main_conf,
                                           /* create main configuration */
    ngx_http_payhub_limit_init_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_limit_create_loc_conf, /* create location configuration */
    ngx_http_payhub_limit_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_limit_module_ctx,     /* module context */
    ngx_http_payhub_limit_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_payhub_limit_init_module,     /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_payhub_limit_vars[] = {

    { ngx_string("payhub_limit"), NULL, ngx_http_payhub_limit_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


const struct ph_hash128  ngx_http_payhub_limit_everybody = { 0, 0 };


ngx_uint_t
ngx_http_payhub_limit_on(ngx_http_request_t *r)
{
    ngx_http_payhub_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_limit_module);

    return llcf->stages != 0;
}


static ngx_int_t
ngx_http_payhub_limit_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_payhub_limit_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_payhub_limit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_limit_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_limit_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lmcf->zones, cf->pool, 4,
                       sizeof(ngx_http_payhub_limit_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return lmcf;
}


static void *
ngx_http_payhub_limit_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_limit_loc_conf_t));
}


ngx_http_payhub_limit_zone_t *
ngx_http_payhub_limit_zone(ngx_uint_t n)
{
    ngx_http_payhub_limit_zone_t       **zones;
    ngx_http_payhub_limit_main_conf_t   *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_payhub_limit_module);

    if (lmcf == NULL || n >= lmcf->zones.nelts) {
        return NULL;
    }

    zones = lmcf->zones.elts;

    return zones[n];
}


ngx_http_payhub_limit_zone_t *
ngx_http_payhub_limit_zone_by_name(ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_payhub_limit_zone_t  *zone;

    for (i = 0; /* void */ ; i++) {
        zone = ngx_http_payhub_limit_zone(i);

        if (zone == NULL
            || (zone->name.len == name->len
                && ngx_strncmp(zone->name.data, name->data, name->len) == 0))
        {
            return zone;
        }
    }
}

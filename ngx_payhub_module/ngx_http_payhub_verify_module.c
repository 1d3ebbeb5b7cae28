
/*
 * payhub_verify: what it says, and the module.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_WINDOW      300
#define NGX_HTTP_PAYHUB_WINDOW_MAX  3600


static char *ngx_http_payhub_verify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_verify_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_verify_threads(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static void *ngx_http_payhub_verify_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_verify_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);


static ngx_command_t  ngx_http_payhub_verify_commands[] = {

    { ngx_string("payhub_verify"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_payhub_verify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_verify_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payhub_verify_window,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_verify_threads"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payhub_verify_threads,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_verify_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_verify_create_loc_conf,
                                           /* create location configuration */
    ngx_http_payhub_verify_merge_loc_conf  /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_verify_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_verify_module_ctx,    /* module context */
    ngx_http_payhub_verify_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t
ngx_http_payhub_verify_on(ngx_http_request_t *r)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    return vlcf->schemes != 0;
}


time_t
ngx_http_payhub_verify_skew(ngx_http_request_t *r)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    return vlcf->window;
}


time_t
ngx_http_payhub_verify_conf_skew(ngx_conf_t *cf)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_conf_get_module_loc_conf(cf,
                                             ngx_http_payhub_verify_module);

    return vlcf->schemes ? vlcf->window : 0;
}


static char *
ngx_http_payhub_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, scheme;

    if (vlcf->schemes != NGX_CONF_UNSET_UINT) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C201");
    }

    value = cf->args->elts;
    vlcf->schemes = 0;

    if (cf->args->nelts == 2
        && value[1].len == sizeof("off") - 1
        && ngx_strcmp(value[1].data, "off") == 0)
    {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        scheme = ph_scheme_find(ngx_http_payhub_view(&value[i]));

        if (scheme == 0 || (vlcf->schemes & scheme)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C201 payhub_verify: found \"%V\"%s, "
                               "expected payhub-v3, rfc9421, or off alone",
                               &value[i],
                               scheme ? " twice" : "");
            return NGX_CONF_ERROR;
        }

        vlcf->schemes |= scheme;
    }

    ngx_http_payhub_mark_server(cf);

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_verify_window(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->window != NGX_CONF_UNSET) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C201");
    }

    value = cf->args->elts;

    vlcf->window = ngx_parse_time(&value[1], 1);

    if (vlcf->window == (time_t) NGX_ERROR
        || vlcf->window < 1
        || vlcf->window > NGX_HTTP_PAYHUB_WINDOW_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C201 payhub_verify_window: found \"%V\", "
                           "expected a time of 1s to %ds",
                           &value[1], NGX_HTTP_PAYHUB_WINDOW_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_verify_threads(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->pool.data) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C202");
    }

    value = cf->args->elts;

    if (value[1].len <= sizeof("pool=") - 1
        || ngx_strncmp(value[1].data, "pool=", sizeof("pool=") - 1) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C202 payhub_verify_threads: found \"%V\", "
                           "expected pool=NAME", &value[1]);
        return NGX_CONF_ERROR;
    }

    vlcf->pool.data = value[1].data + sizeof("pool=") - 1;
    vlcf->pool.len = value[1].len - (sizeof("pool=") - 1);

#if (NGX_THREADS)

    vlcf->threads = ngx_thread_pool_add(cf, &vlcf->pool);

    return vlcf->threads ? NGX_CONF_OK : NGX_CONF_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C202 payhub_verify_threads: found an nginx without "
                       "threads, expected one built with them");
    return NGX_CONF_ERROR;

#endif
}


static void *
ngx_http_payhub_verify_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_verify_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_verify_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->pool = { 0, NULL };
     *     conf->threads = NULL;
     */

    conf->schemes = NGX_CONF_UNSET_UINT;
    conf->window = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_payhub_verify_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_payhub_verify_loc_conf_t  *prev = parent;
    ngx_http_payhub_verify_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->schemes, prev->schemes, 0);
    ngx_conf_merge_sec_value(conf->window, prev->window,
                             NGX_HTTP_PAYHUB_WINDOW);
    ngx_conf_merge_str_value(conf->pool, prev->pool, "");

#if (NGX_THREADS)

    if (conf->threads == NULL) {
        conf->threads = prev->threads;
    }

    /* nginx's pool "default" is there without a line of its own; threads are
       started only where a key may need them */

    if (conf->threads == NULL
        && (conf->schemes & PH_SCHEME_V3)
        && (ngx_http_payhub_key_conf_algs(cf)
            & NGX_HTTP_PAYHUB_ALG(PH_ALG_SM2_SM3)))
    {
        conf->threads = ngx_thread_pool_add(cf, NULL);

        if (conf->threads == NULL) {
            return NGX_CONF_ERROR;
        }
    }

#endif

    return NGX_CONF_OK;
}

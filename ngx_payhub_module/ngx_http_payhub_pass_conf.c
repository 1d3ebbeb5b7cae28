
/*
 * payhub_pass, payhub_pass_timeout: what they say.
 */


#include "ngx_http_payhub_pass.h"


#define NGX_HTTP_PAYHUB_PASS_TIMEOUT      20000
#define NGX_HTTP_PAYHUB_PASS_TIMEOUT_MIN  100
#define NGX_HTTP_PAYHUB_PASS_TIMEOUT_MAX  600000
#define NGX_HTTP_PAYHUB_CONNECT_TIMEOUT   2000
#define NGX_HTTP_PAYHUB_TRIES_MAX         16
#define NGX_HTTP_PAYHUB_BUFFER_SIZE       1024


static ngx_int_t ngx_http_payhub_pass_add_peers(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf);


char *
ngx_http_payhub_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_pass_loc_conf_t  *plcf = conf;

    ngx_str_t                 *value;
    ngx_url_t                  url;
    ngx_http_core_loc_conf_t  *clcf;

    if (plcf->upstream.upstream) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C401");
    }

    value = cf->args->elts;

    if (ngx_strchr(value[1].data, '$')
        || ((ngx_strchr(value[1].data, '/')
             || ngx_strncmp(value[1].data, "unix:", sizeof("unix:") - 1) == 0)
            && ngx_strncmp(value[1].data, "unix:/", sizeof("unix:/") - 1)
               != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C401 payhub_pass: found \"%V\", expected the "
                           "name of an upstream or unix:/PATH", &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&url, sizeof(ngx_url_t));

    url.url = value[1];
    url.no_resolve = 1;

    plcf->upstream.upstream = ngx_http_upstream_add(cf, &url, 0);
    if (plcf->upstream.upstream == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payhub_pass_add_peers(cf, plcf->upstream.upstream)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_payhub_pass_handler;

    ngx_http_payhub_mark_server(cf);

    return NGX_CONF_OK;
}


char *
ngx_http_payhub_pass_timeout(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_pass_loc_conf_t  *plcf = conf;

    ngx_str_t  *value;

    if (plcf->timeout != NGX_CONF_UNSET_MSEC) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C401");
    }

    value = cf->args->elts;

    plcf->timeout = ngx_parse_time(&value[1], 0);

    if (plcf->timeout == (ngx_msec_t) NGX_ERROR
        || plcf->timeout < NGX_HTTP_PAYHUB_PASS_TIMEOUT_MIN
        || plcf->timeout > NGX_HTTP_PAYHUB_PASS_TIMEOUT_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C401 payhub_pass_timeout: found \"%V\", "
                           "expected a time of %dms to %dms", &value[1],
                           NGX_HTTP_PAYHUB_PASS_TIMEOUT_MIN,
                           NGX_HTTP_PAYHUB_PASS_TIMEOUT_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_pass_add_peers(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_uint_t                         i;
    ngx_http_payhub_pass_peers_t      *peers;
    ngx_http_payhub_pass_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_pass_module);

    peers = pmcf->peers.elts;

    for (i = 0; i < pmcf->peers.nelts; i++) {
        if (peers[i].upstream == uscf) {
            return NGX_OK;
        }
    }

    peers = ngx_array_push(&pmcf->peers);
    if (peers == NULL) {
        return NGX_ERROR;
    }

    peers->upstream = uscf;
    peers->init = NULL;

    return NGX_OK;
}


void *
ngx_http_payhub_pass_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_pass_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_pass_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pmcf->peers, cf->pool, 2,
                       sizeof(ngx_http_payhub_pass_peers_t))
        != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


void *
ngx_http_payhub_pass_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_pass_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_pass_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->upstream.buffering = 0;
     *     conf->upstream.cyclic_temp_file = 0;
     *     conf->upstream.intercept_404 = 0;
     *     conf->upstream.intercept_errors = 0;
     *     conf->upstream.local = NULL;
     *     conf->upstream.send_lowat = 0;
     *     conf->upstream.store = 0;
     *     conf->upstream.upstream = NULL;
     */

    conf->timeout = NGX_CONF_UNSET_MSEC;

    /* a call that is out is waited for: its answer belongs in the log */
    conf->upstream.ignore_client_abort = 1;

    conf->upstream.buffer_size = NGX_HTTP_PAYHUB_BUFFER_SIZE;
    conf->upstream.next_upstream_tries = NGX_HTTP_PAYHUB_TRIES_MAX;

    ngx_str_set(&conf->upstream.module, "payhub_pass");

    return conf;
}


char *
ngx_http_payhub_pass_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_payhub_pass_loc_conf_t  *prev = parent;
    ngx_http_payhub_pass_loc_conf_t  *conf = child;

    ngx_http_upstream_conf_t  *ucf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" blocks go on with what surrounds them */

    if (clcf->noname && conf->upstream.upstream == NULL) {
        conf->upstream.upstream = prev->upstream.upstream;
    }

    if (clcf->lmt_excpt && clcf->handler == NULL && conf->upstream.upstream) {
        clcf->handler = ngx_http_payhub_pass_handler;
    }

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout,
                              NGX_HTTP_PAYHUB_PASS_TIMEOUT);

    ucf = &conf->upstream;

    ucf->connect_timeout = ngx_min(conf->timeout,
                                   NGX_HTTP_PAYHUB_CONNECT_TIMEOUT);
    ucf->send_timeout = conf->timeout;
    ucf->read_timeout = conf->timeout;
    ucf->next_upstream_timeout = conf->timeout;

    /*
     * u->request_sent is set as soon as the link has the frame: for nginx a
     * POST is out then, though it may still wait; pr->sent knows
     */

    ucf->next_upstream = NGX_CONF_BITMASK_SET
                         |NGX_HTTP_UPSTREAM_FT_ERROR
                         |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                         |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;

    conf->out = *ucf;
    conf->out.next_upstream = NGX_CONF_BITMASK_SET
                              |NGX_HTTP_UPSTREAM_FT_OFF;

    conf->busy = *ucf;
    conf->busy.next_upstream |= NGX_HTTP_UPSTREAM_FT_HTTP_404;
    conf->busy.next_upstream_timeout = 0;

    return NGX_CONF_OK;
}

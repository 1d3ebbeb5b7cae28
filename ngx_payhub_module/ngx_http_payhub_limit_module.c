
/*
 * payhub_limit_zone, payhub_limit: token buckets.
 */


#include "ngx_http_payhub_limit.h"


static ngx_command_t  ngx_http_payhub_limit_commands[] = {

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_limit_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_limit_module_ctx, /* module context */
    ngx_http_payhub_limit_commands, /* module directives */
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


ngx_int_t
ngx_http_payhub_limit_address_step(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payhub_limit_identity_step(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}


/*
 * What a request has to tell other directives: identity, verdict, answer.
 */


#include "ngx_http_payhub.h"


static ngx_int_t ngx_http_payhub_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payhub_verify_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payhub_answer_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payhub_upstream_us_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payhub_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* nothing is cached: before verification there is nothing to know */

static ngx_http_variable_t  ngx_http_payhub_vars[] = {

    { ngx_string("payhub_app"), NULL, ngx_http_payhub_key_variable,
      offsetof(ngx_http_payhub_key_t, app), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_merchant"), NULL, ngx_http_payhub_key_variable,
      offsetof(ngx_http_payhub_key_t, merchant), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_key_id"), NULL, ngx_http_payhub_key_variable,
      offsetof(ngx_http_payhub_key_t, id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_verify"), NULL, ngx_http_payhub_verify_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_channel"), NULL, ngx_http_payhub_answer_variable,
      offsetof(ngx_http_payhub_request_t, channel),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_order_id"), NULL, ngx_http_payhub_answer_variable,
      offsetof(ngx_http_payhub_request_t, order_id),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_outcome"), NULL, ngx_http_payhub_answer_variable,
      offsetof(ngx_http_payhub_request_t, outcome),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_upstream_us"), NULL,
      ngx_http_payhub_upstream_us_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("payhub_request_id"), NULL,
      ngx_http_payhub_request_id_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_payhub_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  *s;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);

    if (!ngx_http_payhub_proven(r, pr)) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) pr->key + data);

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (s->len == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_verify_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                     *p;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (ngx_http_payhub_proven(r, pr)) {
        v->len = 2;
        v->data = (u_char *) "ok";

        return NGX_OK;
    }

    if (pr && pr->verdict == NGX_HTTP_PAYHUB_REFUSED) {

        p = ngx_pnalloc(r->pool, sizeof("refused:") - 1
                                 + ngx_strlen(pr->reason));
        if (p == NULL) {
            return NGX_ERROR;
        }

        v->data = p;
        v->len = ngx_sprintf(p, "refused:%s", pr->reason) - p;

        return NGX_OK;
    }

    if (ngx_http_payhub_verify_on(r)) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = 3;
    v->data = (u_char *) "off";

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_answer_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  *s;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);

    if (pr == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) pr + data);

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (s->len == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_upstream_us_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                     *p;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);

    if (pr == NULL || !pr->answered) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%uL", pr->upstream_us) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_ERROR;
    }

    v->len = sizeof(pr->id_text);
    v->data = pr->id_text;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_payhub_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_payhub_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/*
 * Refusals as problem documents, and X-Request-Id, where payhub_verify,
 * payhub_limit or payhub_pass is on; the fields of limits.
 *
 * Touched are only the pages that nginx makes itself: what an error_page or a
 * backend answers passes as it is.  nginx marks its pages and error pages
 * alike by r->err_status; the second have entered the phases again, which
 * pr->error_run tells.
 */


#include "ngx_http_payhub_limit.h"


/* in the request's context while nginx's own page is being replaced */

typedef struct {
    ngx_str_t                  doc;
    unsigned                   sent:1;
} ngx_http_payhub_problem_ctx_t;


static ngx_uint_t ngx_http_payhub_problem_on(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payhub_problem_own_page(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_int_t ngx_http_payhub_problem_replace(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static enum ph_error ngx_http_payhub_problem_error(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_problem_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_problem_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_payhub_problem_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_payhub_problem_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_payhub_problem_init,          /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_problem_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_problem_filter_module_ctx,  /* module context */
    NULL,                                  /* module directives */
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


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_payhub_problem_header_filter(ngx_http_request_t *r)
{
    ngx_table_elt_t            *h;
    ngx_http_payhub_request_t  *pr;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (!ngx_http_payhub_problem_on(r)) {
        pr = ngx_http_payhub_find(r);

        if (pr && ngx_http_payhub_limit_headers(r, pr) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_ERROR;
    }

    h = ngx_http_payhub_push_header(r, "X-Request-Id");
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.len = sizeof(pr->id_text);
    h->value.data = pr->id_text;
    h->hash = 1;

    if (ngx_http_payhub_limit_headers(r, pr) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_payhub_problem_own_page(r, pr)
        && ngx_http_payhub_problem_replace(r, pr) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * A request that has not found its location yet, or finds none, belongs to a
 * server: one that uses payhub anywhere answers such requests like the rest.
 * A call that is out is answered for wherever its error page ends.
 */

static ngx_uint_t
ngx_http_payhub_problem_on(ngx_http_request_t *r)
{
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_payhub_request_t   *pr;
    ngx_http_payhub_srv_conf_t  *pscf;

    if (ngx_http_payhub_verify_on(r) || ngx_http_payhub_pass_on(r)
        || ngx_http_payhub_limit_on(r) || ngx_http_payhub_control_on(r)
        || ngx_http_payhub_route_on(r))
    {
        return 1;
    }

    if (r->err_status) {
        pr = ngx_http_payhub_find(r);

        if (pr && pr->sent) {
            return 1;
        }
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (r->loc_conf != cscf->ctx->loc_conf) {
        return 0;
    }

    pscf = ngx_http_get_module_srv_conf(r, ngx_http_payhub_module);

    return pscf->used;
}


static ngx_uint_t
ngx_http_payhub_problem_own_page(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    return r->err_status >= NGX_HTTP_BAD_REQUEST
           && r->err_status != pr->error_run;
}


static ngx_int_t
ngx_http_payhub_problem_replace(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    char                           *detail;
    ngx_uint_t                      status;
    enum ph_error                   error;
    ngx_http_payhub_problem_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_payhub_problem_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    status = r->err_status;

    if (pr->sent) {

        /* whatever failed since, an unknown outcome is not called a failure */

        error = PH_ERROR_OUTCOME_UNKNOWN;
        detail = (pr->error == error) ? pr->detail : NULL;
        status = ph_error_info(error)->status;

    } else if (pr->error && pr->raised == status) {
        error = pr->error;
        detail = pr->detail;
        status = ph_error_info(error)->status;

        if (error == PH_ERROR_NOT_EXECUTED && !pr->retry_after
            && ngx_http_payhub_add_header(r, "Retry-After", PH_STR("1"))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else {
        error = ngx_http_payhub_problem_error(r);
        detail = NULL;
    }

    if (ngx_http_payhub_problem(r, pr, error, status, detail, &ctx->doc)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* both: the status line goes by the first, $status by the second */
    r->headers_out.status = status;
    r->err_status = status;

    r->headers_out.content_length_n = ctx->doc.len;
    ngx_http_payhub_set_problem_type(r);

    ngx_http_set_ctx(r, ctx, ngx_http_payhub_problem_filter_module);

    return NGX_OK;
}


static enum ph_error
ngx_http_payhub_problem_error(ngx_http_request_t *r)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->err_status != NGX_HTTP_BAD_REQUEST
        || r->headers_in.authorization == NULL)
    {
        return ph_error_of_status((unsigned) r->err_status);
    }

    /* nginx refuses a second Authorization while it reads the headers */

    n = 0;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("authorization") - 1
            && ngx_strncmp(h[i].lowcase_key, "authorization", h[i].key.len)
               == 0)
        {
            n++;
        }
    }

    return (n > 1) ? PH_ERROR_AUTH_TWICE : PH_ERROR_BAD_REQUEST;
}


static ngx_int_t
ngx_http_payhub_problem_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                      *b;
    ngx_chain_t                    *cl, out;
    ngx_http_payhub_problem_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_problem_filter_module);

    if (ctx == NULL || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->sent) {
        return ngx_http_next_body_filter(r, NULL);
    }

    ctx->sent = 1;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->doc.data;
    b->last = ctx->doc.data + ctx->doc.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


static ngx_int_t
ngx_http_payhub_problem_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_payhub_problem_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_payhub_problem_body_filter;

    return NGX_OK;
}

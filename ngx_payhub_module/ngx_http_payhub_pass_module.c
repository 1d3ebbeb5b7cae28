
/*
 * payhub_pass: calls of workers through nginx's upstream.
 *
 * What may have happened is never sent again.  Before the first byte leaves
 * the link (ngx_http_payhub_link.c), another peer may be tried; at the first
 * byte u->conf changes to one that knows no next peer, and reinit_request()
 * vetoes a second sending whatever the configuration says.  Only BUSY, by
 * which a worker proves that it did nothing, lifts the veto.
 *
 *     pr->sent == 0    nothing was executed: 503
 *     pr->sent == 1    outcome unknown until a worker's answer: 502
 */


#include "ngx_http_payhub_pass.h"


static ngx_int_t ngx_http_payhub_pass_check(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static void ngx_http_payhub_pass_body_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_payhub_pass_create_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_pass_reinit_request(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_pass_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_payhub_pass_output(void *data, ngx_chain_t *in);
static void ngx_http_payhub_pass_leaves(ngx_http_payhub_call_t *call);
static ngx_int_t ngx_http_payhub_pass_process_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_pass_busy(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);
static ngx_int_t ngx_http_payhub_pass_filter_init(void *data);
static void ngx_http_payhub_pass_abort_request(ngx_http_request_t *r);
static void ngx_http_payhub_pass_finalize_request(ngx_http_request_t *r,
    ngx_int_t rc);
static uint64_t ngx_http_payhub_pass_now_us(void);

static ngx_int_t ngx_http_payhub_pass_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_payhub_pass_commands[] = {

    { ngx_string("payhub_pass"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payhub_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_pass_timeout"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payhub_pass_timeout,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_pass_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_payhub_pass_init,             /* postconfiguration */

    ngx_http_payhub_pass_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_pass_create_loc_conf,  /* create location configuration */
    ngx_http_payhub_pass_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_pass_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_pass_module_ctx,      /* module context */
    ngx_http_payhub_pass_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_payhub_link_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_payhub_link_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t
ngx_http_payhub_pass_on(ngx_http_request_t *r)
{
    ngx_http_payhub_pass_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_pass_module);

    return plcf->upstream.upstream != NULL;
}


ngx_int_t
ngx_http_payhub_pass_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_upstream_t              *u;
    ngx_http_payhub_request_t        *pr;
    ngx_http_payhub_pass_ctx_t       *ctx;
    ngx_http_payhub_pass_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_pass_module);

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payhub_pass_check(r, pr);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_upstream_create(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_payhub_pass_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->pr = pr;
    ctx->attempt = 1;
    ctx->timeout = plcf->timeout;
    ctx->verified = ngx_http_payhub_verify_on(r);

    ngx_http_set_ctx(r, ctx, ngx_http_payhub_pass_module);

    u = r->upstream;

    ngx_str_set(&u->schema, "payhub://");
    u->output.tag = (ngx_buf_tag_t) &ngx_http_payhub_pass_module;
    u->output.output_filter = ngx_http_payhub_pass_output;
    u->output.filter_ctx = r;

    u->conf = &plcf->upstream;

    u->create_request = ngx_http_payhub_pass_create_request;
    u->reinit_request = ngx_http_payhub_pass_reinit_request;
    u->process_header = ngx_http_payhub_pass_process_header;
    u->abort_request = ngx_http_payhub_pass_abort_request;
    u->finalize_request = ngx_http_payhub_pass_finalize_request;

    u->input_filter_init = ngx_http_payhub_pass_filter_init;
    u->input_filter = ngx_http_upstream_non_buffered_filter;
    u->input_filter_ctx = r;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_payhub_pass_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_payhub_pass_check(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_str_t  method, target;

    /* mirror, auth_request, slice and SSI would send the same call twice */

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub pass: subrequest \"%V\"; a worker is called "
                      "once, by the request itself", &r->uri);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_payhub_verify_on(r) && !ngx_http_payhub_proven(r, pr)) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub pass: request without a verdict");
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_INTERNAL, NULL);
    }

    if (pr->sent) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub pass: \"%V\" after the request had been sent; "
                      "what may have happened is not sent again", &r->uri);
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_OUTCOME_UNKNOWN, NULL);
    }

    pr->error = PH_ERROR_NONE;
    pr->raised = 0;

    if (ngx_http_payhub_target(r, &method, &target) != NGX_OK) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_TARGET, NULL);
    }

    if (method.len > NGX_HTTP_PAYHUB_METHOD_MAX) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_METHOD, NULL);
    }

    if (target.len > NGX_HTTP_PAYHUB_TARGET_MAX) {
        return NGX_HTTP_REQUEST_URI_TOO_LARGE;
    }

    if (r->headers_in.content_length_n > PH_FRAME_BODY_MAX) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_TOO_LARGE, NULL);
    }

    return NGX_OK;
}


static void
ngx_http_payhub_pass_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_payhub_pass_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);
    ctx->start = ngx_current_msec;

    rc = ngx_http_payhub_pass_take_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_payhub_pass_build(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_upstream_init(r);
}


static ngx_int_t
ngx_http_payhub_pass_create_request(ngx_http_request_t *r)
{
    ngx_http_payhub_pass_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);

    r->upstream->request_bufs = ctx->out;

    return NGX_OK;
}


/*
 * nginx asks before it sends a request once more.  The bytes of a call leave
 * twice only when a worker has said that the first ones did nothing.
 */

static ngx_int_t
ngx_http_payhub_pass_reinit_request(ngx_http_request_t *r)
{
    ngx_http_upstream_t              *u;
    ngx_http_payhub_pass_ctx_t       *ctx;
    ngx_http_payhub_pass_loc_conf_t  *plcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);

    if (ctx->pr->sent) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub pass: second sending vetoed");
        return NGX_ERROR;
    }

    if (ngx_http_payhub_pass_build(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_pass_module);

    u = r->upstream;
    u->request_bufs = ctx->out;
    u->conf = &plcf->upstream;

    return NGX_OK;
}


/* in place of the balancer's own, which goes before */

static ngx_int_t
ngx_http_payhub_pass_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_payhub_pass_ctx_t        *ctx;
    ngx_http_payhub_pass_peers_t      *peers;
    ngx_http_payhub_pass_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_pass_module);

    for (peers = pmcf->peers.elts; peers->upstream != us; peers++) {
        /* void: it is there, or this were not its init */
    }

    if (peers->init(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    /* another module may call the same upstream, in its own language */

    if (r->upstream->create_request != ngx_http_payhub_pass_create_request) {
        return NGX_OK;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);

    ctx->call.id = ctx->pr->id;
    ctx->call.leaves = ngx_http_payhub_pass_leaves;

    ngx_http_payhub_link_wrap(r, &ctx->call);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_output(void *data, ngx_chain_t *in)
{
    ngx_http_request_t *r = data;

    ngx_http_payhub_pass_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);

    return ngx_http_payhub_link_send(&ctx->call, in);
}


/* the first byte is out */

static void
ngx_http_payhub_pass_leaves(ngx_http_payhub_call_t *call)
{
    ngx_http_request_t               *r;
    ngx_http_payhub_pass_ctx_t       *ctx;
    ngx_http_payhub_pass_loc_conf_t  *plcf;

    r = call->request;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);
    plcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_pass_module);

    r->upstream->conf = &plcf->out;

    ctx->pr->sent = 1;
    ctx->pr->sent_us = ngx_http_payhub_pass_now_us();
}


static ngx_int_t
ngx_http_payhub_pass_process_header(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    struct ph_frame              frame;
    ngx_http_upstream_t         *u;
    ngx_http_payhub_request_t   *pr;
    ngx_http_payhub_pass_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);

    rc = ngx_http_payhub_pass_read(r, ctx, &frame);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    pr = ctx->pr;

    switch (frame.type) {

    case PH_FRAME_RESULT:
        pr->answered = 1;
        rc = ngx_http_payhub_pass_result(r, ctx, &frame);
        break;

    case PH_FRAME_BUSY:
        rc = ngx_http_payhub_pass_busy(r, ctx);
        break;

    case PH_FRAME_REFUSED:
        pr->sent = 0;
        rc = ngx_http_payhub_pass_local(r, ctx, PH_ERROR_NOT_EXECUTED,
                                        "a worker refused the call, nothing "
                                        "was executed");
        break;

    case PH_FRAME_UNKNOWN:
        rc = ngx_http_payhub_pass_local(r, ctx, PH_ERROR_OUTCOME_UNKNOWN,
                                        "the worker does not know the "
                                        "outcome");
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub pass: worker sent a frame of type %ui in "
                      "answer to a call", (ngx_uint_t) frame.type);
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    pr->upstream_us = ngx_http_payhub_pass_now_us() - pr->sent_us;

    if (rc == NGX_OK && u->state->status == 0) {
        u->state->status = u->headers_in.status_n;
    }

    return NGX_OK;
}


/*
 * To the next peer without blame: nginx moves on from a 404 that is listed in
 * next_upstream without counting a failure and without closing the connection.
 * NGX_DECLINED when it will, NGX_OK when there is an answer instead.
 */

static ngx_int_t
ngx_http_payhub_pass_busy(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx)
{
    ngx_http_upstream_t              *u;
    ngx_http_payhub_pass_loc_conf_t  *plcf;

    u = r->upstream;
    plcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_pass_module);

    ctx->pr->sent = 0;

    if (u->peer.tries <= 1
        || ngx_current_msec - ctx->start >= ctx->timeout)
    {
        return ngx_http_payhub_pass_local(r, ctx, PH_ERROR_NOT_EXECUTED,
                                          "every worker is busy, nothing was "
                                          "executed");
    }

    ctx->attempt++;

    u->conf = &plcf->busy;
    u->headers_in.status_n = NGX_HTTP_NOT_FOUND;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payhub_pass_filter_init(void *data)
{
    ngx_http_request_t *r = data;

    ngx_http_upstream_t  *u;

    u = r->upstream;
    u->length = u->headers_in.content_length_n;

    return NGX_OK;
}


static void
ngx_http_payhub_pass_abort_request(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "abort payhub call");
}


/* nginx is about to answer 500, 502 or 504: say what that means for money */

static void
ngx_http_payhub_pass_finalize_request(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_payhub_request_t   *pr;
    ngx_http_payhub_pass_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payhub_pass_module);
    pr = ctx->pr;

    ngx_http_payhub_count(pr->answered ? NGX_HTTP_PAYHUB_COUNT_PASS_RESULT
                          : pr->sent ? NGX_HTTP_PAYHUB_COUNT_PASS_UNKNOWN
                          : NGX_HTTP_PAYHUB_COUNT_PASS_NOT_EXECUTED);

    if (rc < NGX_HTTP_SPECIAL_RESPONSE
        || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST
        || r->upstream->header_sent)
    {
        return;
    }

    pr->raised = rc;
    pr->error_run = 0;

    if (pr->sent) {
        pr->error = PH_ERROR_OUTCOME_UNKNOWN;
        pr->detail = "the call was sent and no clear answer came";

    } else {
        pr->error = PH_ERROR_NOT_EXECUTED;
        pr->detail = "no worker took the call, nothing was executed";
    }
}


static uint64_t
ngx_http_payhub_pass_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


/* the balancers have been chosen */

static ngx_int_t
ngx_http_payhub_pass_init(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_payhub_pass_peers_t      *peers;
    ngx_http_payhub_pass_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_pass_module);

    peers = pmcf->peers.elts;

    for (i = 0; i < pmcf->peers.nelts; i++) {
        peers[i].init = peers[i].upstream->peer.init;
        peers[i].upstream->peer.init = ngx_http_payhub_pass_init_peer;
    }

    return NGX_OK;
}

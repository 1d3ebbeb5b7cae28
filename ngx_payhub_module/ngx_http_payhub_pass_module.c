
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


#define NGX_HTTP_PAYHUB_PASS_TIMEOUT      20000
#define NGX_HTTP_PAYHUB_PASS_TIMEOUT_MIN  100
#define NGX_HTTP_PAYHUB_PASS_TIMEOUT_MAX  600000
#define NGX_HTTP_PAYHUB_CONNECT_TIMEOUT   2000
#define NGX_HTTP_PAYHUB_TRIES_MAX         16
#define NGX_HTTP_PAYHUB_BUFFER_SIZE       1024


/* one an upstream that payhub_pass names */

typedef struct {
    ngx_http_upstream_srv_conf_t    *upstream;
    ngx_http_upstream_init_peer_pt   init;  /* of its balancer */
} ngx_http_payhub_pass_peers_t;


typedef struct {
    ngx_array_t                      peers; /* of the above */
} ngx_http_payhub_pass_main_conf_t;


typedef struct {
    ngx_http_upstream_conf_t         upstream;  /* nothing is out */
    ngx_http_upstream_conf_t         out;       /* a byte may be out */
    ngx_http_upstream_conf_t         busy;      /* a worker has said BUSY */
    ngx_msec_t                       timeout;
} ngx_http_payhub_pass_loc_conf_t;


static ngx_int_t ngx_http_payhub_pass_handler(ngx_http_request_t *r);
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

static char *ngx_http_payhub_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_pass_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_payhub_pass_add_peers(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_int_t ngx_http_payhub_pass_init(ngx_conf_t *cf);
static void *ngx_http_payhub_pass_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_payhub_pass_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_pass_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);


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


static ngx_int_t
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


static char *
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


static char *
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


static void *
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


static void *
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


static char *
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

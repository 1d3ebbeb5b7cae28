
/*
 * The module that the others stand on: payhub_key, the record of a request,
 * problem documents.
 */


#include "ngx_http_payhub.h"
#include <openssl/rand.h>


static void ngx_http_payhub_cleanup(void *data);
static void ngx_http_payhub_make_id(ngx_http_payhub_request_t *pr);

static ngx_int_t ngx_http_payhub_error_run(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_run_steps(ngx_http_request_t *r);

static ngx_int_t ngx_http_payhub_init(ngx_conf_t *cf);
static void *ngx_http_payhub_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_payhub_create_srv_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_payhub_init_process(ngx_cycle_t *cycle);
static void ngx_http_payhub_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_payhub_commands[] = {

    { ngx_string("payhub_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_payhub_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_module_ctx = {
    ngx_http_payhub_add_variables,         /* preconfiguration */
    ngx_http_payhub_init,                  /* postconfiguration */

    ngx_http_payhub_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_payhub_create_srv_conf,       /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_module_ctx,           /* module context */
    ngx_http_payhub_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_payhub_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_payhub_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * Request ids are unique, not secret: 64 random bits of the process, set after
 * the fork, and a counter that starts at a random value.
 */

static u_char    ngx_http_payhub_id_prefix[8];
static u_char    ngx_http_payhub_id_prefix_text[16];
static uint64_t  ngx_http_payhub_id_next;
static u_char    ngx_http_payhub_id_hex[256][2];


ngx_http_payhub_request_t *
ngx_http_payhub_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_payhub_request_t  *pr;

    r = r->main;

    pr = ngx_http_get_module_ctx(r, ngx_http_payhub_module);
    if (pr) {
        return pr;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_payhub_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_payhub_module);
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_payhub_request_t *
ngx_http_payhub_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);
    if (pr) {
        return pr;
    }

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_payhub_request_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_payhub_cleanup;

    pr = cln->data;
    ngx_memzero(pr, sizeof(ngx_http_payhub_request_t));

    ngx_http_payhub_make_id(pr);

    ngx_http_set_ctx(r, pr, ngx_http_payhub_module);
    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_REQUESTS);

    return pr;
}


/* the record is found by this address */

static void
ngx_http_payhub_cleanup(void *data)
{
    ngx_http_payhub_request_t *pr = data;

    ngx_http_payhub_route_end(pr->route);
    ngx_http_payhub_live_end(pr->live);
}


static void
ngx_http_payhub_make_id(ngx_http_payhub_request_t *pr)
{
    uint64_t     n;
    ngx_uint_t   i;

    n = ngx_http_payhub_id_next++;

    ngx_memcpy(pr->id, ngx_http_payhub_id_prefix, 8);
    ngx_memcpy(pr->id + 8, &n, 8);

    ngx_memcpy(pr->id_text, ngx_http_payhub_id_prefix_text, 16);

    for (i = 0; i < 8; i++) {
        ngx_memcpy(pr->id_text + 16 + 2 * i,
                   ngx_http_payhub_id_hex[pr->id[8 + i]], 2);
    }
}


ngx_uint_t
ngx_http_payhub_proven(ngx_http_request_t *r, ngx_http_payhub_request_t *pr)
{
    ngx_str_t  *line;

    line = &r->main->request_line;

    return pr != NULL
           && pr->verdict == NGX_HTTP_PAYHUB_OK
           && pr->line.data == line->data
           && pr->line.len == line->len;
}


/* Returns the status to answer with; the problem filter renders it. */

ngx_int_t
ngx_http_payhub_refuse(ngx_http_request_t *r, ngx_http_payhub_request_t *pr,
    enum ph_error error, char *detail)
{
    pr->error = error;
    pr->detail = detail;
    pr->raised = ph_error_info(error)->status;
    pr->error_run = 0;

    if (error == PH_ERROR_AUTH && r->headers_out.www_authenticate == NULL) {

        if (ngx_http_payhub_add_header(r, "WWW-Authenticate",
                                       PH_STR("PAYHUB-V3 realm=\"payhub\""))
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return pr->raised;
}


/*
 * Method and target as received: error_page and X-Accel-Redirect change
 * r->method_name and r->uri, never these.  NGX_DECLINED when the target is
 * not in origin-form, or holds a fragment.
 */

ngx_int_t
ngx_http_payhub_target(ngx_http_request_t *r, ngx_str_t *method,
    ngx_str_t *target)
{
    u_char  *p, *last;

    r = r->main;

    p = r->request_line.data;
    last = p + r->request_line.len;

    method->data = p;

    p = memchr(p, ' ', r->request_line.len);
    if (p == NULL) {
        p = last;
    }

    method->len = p - method->data;

    while (p < last && *p == ' ') {
        p++;
    }

    *target = r->unparsed_uri;

    if (p == last || *p != '/' || target->len == 0 || target->data[0] != '/') {
        return NGX_DECLINED;
    }

    if (memchr(target->data, '#', target->len)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payhub_add_header(ngx_http_request_t *r, char *name,
    struct ph_str value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_payhub_push_header(r, name);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.len = value.len;
    h->value.data = ngx_pnalloc(r->pool, value.len + 1);
    if (h->value.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpymem(h->value.data, value.ptr, value.len);
    h->hash = 1;

    if (h->key.len == sizeof("WWW-Authenticate") - 1
        && ngx_strcmp(name, "WWW-Authenticate") == 0)
    {
        r->headers_out.www_authenticate = h;
    }

    return NGX_OK;
}


/* not sent before its value and its hash are set */

ngx_table_elt_t *
ngx_http_payhub_push_header(ngx_http_request_t *r, char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 0;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;

    return h;
}


void
ngx_http_payhub_set_problem_type(ngx_http_request_t *r)
{
    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
}


ngx_int_t
ngx_http_payhub_problem(ngx_http_request_t *r, ngx_http_payhub_request_t *pr,
    enum ph_error error, ngx_uint_t status, char *detail, ngx_str_t *doc)
{
    struct ph_buf      buf;
    struct ph_problem  problem;

    doc->data = ngx_pnalloc(r->pool, PH_PROBLEM_MAX);
    if (doc->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&problem, sizeof(struct ph_problem));

    problem.error = error;
    problem.status = (unsigned) status;
    problem.detail = ph_str_z(detail);
    problem.request_id = ph_str_make((char *) pr->id_text,
                                     sizeof(pr->id_text));

    ph_buf_init(&buf, (char *) doc->data, PH_PROBLEM_MAX);
    ph_problem_format(&buf, &problem);

    if (buf.full) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub: problem document does not fit");
        return NGX_ERROR;
    }

    doc->len = buf.len;

    return NGX_OK;
}


void
ngx_http_payhub_mark_server(ngx_conf_t *cf)
{
    ngx_http_payhub_srv_conf_t  *pscf;

    pscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_payhub_module);
    pscf->used = 1;
}


char *
ngx_http_payhub_duplicate(ngx_conf_t *cf, ngx_command_t *cmd, char *code)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s %V: found it twice, expected it once in a block",
                       code, &cmd->name);
    return NGX_CONF_ERROR;
}


/*
 * An error page begins: what it answers is the user's text, not nginx's page,
 * though both carry r->err_status.  A failure of ours gets its own status
 * here, so that the page is sent with it.
 */

static ngx_int_t
ngx_http_payhub_error_run(ngx_http_request_t *r)
{
    ngx_http_payhub_request_t  *pr;

    if (r->err_status == 0 || r != r->main) {
        return NGX_DECLINED;
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pr->error && pr->raised == r->err_status) {
        r->err_status = ph_error_info(pr->error)->status;
        pr->raised = r->err_status;
    }

    pr->error_run = r->err_status;

    return NGX_DECLINED;
}


/*
 * The order of a request.  It stands at the head of the rewrite phase, since
 * "return" answers in that phase, and again in PREACCESS, for locations that
 * are entered behind the rewrite phase; neither is subject to "satisfy any".
 */

static ngx_http_payhub_step_pt  ngx_http_payhub_steps[] = {
    ngx_http_payhub_limit_address_step,
    ngx_http_payhub_verify_step,
    ngx_http_payhub_nonce_step,
    ngx_http_payhub_limit_identity_step,
    ngx_http_payhub_route_step,
    ngx_http_payhub_limit_route_step
};


static ngx_int_t
ngx_http_payhub_run_steps(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0;
         i < sizeof(ngx_http_payhub_steps) / sizeof(ngx_http_payhub_steps[0]);
         i++)
    {
        rc = ngx_http_payhub_steps[i](r);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


static void *
ngx_http_payhub_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_http_payhub_keys_init(cf, pmcf) != NGX_OK) {
        return NULL;
    }

    return pmcf;
}


static void *
ngx_http_payhub_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_srv_conf_t));
}


static ngx_int_t
ngx_http_payhub_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    /*
     * URIs of error pages enter at the first phase, names at the second; of
     * one phase the handler that was pushed last runs first
     */

    static struct {
        ngx_http_phases      phase;
        ngx_http_handler_pt  handler;
    } handlers[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_payhub_error_run },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_payhub_error_run },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_payhub_run_steps },
        { NGX_HTTP_PREACCESS_PHASE, ngx_http_payhub_run_steps }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_init_process(ngx_cycle_t *cycle)
{
    u_char      byte;
    ngx_uint_t  i;

    for (i = 0; i < 256; i++) {
        byte = (u_char) i;
        (void) ngx_hex_dump(ngx_http_payhub_id_hex[i], &byte, 1);
    }

    if (RAND_bytes(ngx_http_payhub_id_prefix, 8) != 1
        || RAND_bytes((u_char *) &ngx_http_payhub_id_next, 8) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "payhub: RAND_bytes() failed");
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(ngx_http_payhub_id_prefix_text,
                        ngx_http_payhub_id_prefix, 8);

    if (!ph_digest_init()) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "payhub: OpenSSL offers no SHA-256 or HMAC");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_payhub_exit_process(ngx_cycle_t *cycle)
{
    ph_digest_deinit();
}


/*
 * payhub_status: what the edge counts, as JSON, Prometheus text, Open-Falcon's
 * push form, server-sent events and a page.
 *
 * The forms render one tree.  "?as=" chooses another form than that of the
 * directive, so that one location serves the page and what it asks for.
 */


#include "ngx_http_payhub_status.h"


#define NGX_HTTP_PAYHUB_STATUS_OFF      NGX_MAX_UINT32_VALUE
#define NGX_HTTP_PAYHUB_STREAM_LIFE     600000  /* ms */
#define NGX_HTTP_PAYHUB_STREAM_LIFE_MIN 1000
#define NGX_HTTP_PAYHUB_STREAM_LIFE_MAX 86400000
#define NGX_HTTP_PAYHUB_TEXT_BLOCK      16384


typedef struct {
    ngx_uint_t               as;            /* ngx_http_payhub_as_e, or OFF */
    ngx_msec_t               life;
} ngx_http_payhub_status_loc_conf_t;


static ngx_int_t ngx_http_payhub_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_status_form(ngx_http_request_t *r,
    ngx_uint_t *as);
static ngx_int_t ngx_http_payhub_status_number(ngx_http_request_t *r,
    char *name, ngx_int_t fallback);
static void ngx_http_payhub_status_render(ngx_http_request_t *r,
    ngx_uint_t as, ngx_http_payhub_text_t *text);
static ngx_int_t ngx_http_payhub_status_policy(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_status_send(ngx_http_request_t *r,
    ngx_uint_t as, ngx_http_payhub_text_t *text);

static char *ngx_http_payhub_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_payhub_status_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_status_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_payhub_status_init_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_payhub_status_commands[] = {

    { ngx_string("payhub_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_payhub_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_status_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_status_create_loc_conf,
                                           /* create location configuration */
    ngx_http_payhub_status_merge_loc_conf  /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_status_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_status_module_ctx,    /* module context */
    ngx_http_payhub_status_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_payhub_status_init_process,   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* in the order of ngx_http_payhub_as_e */

static struct {
    ngx_str_t  name;
    ngx_str_t  type;
} ngx_http_payhub_forms[] = {
    { ngx_string("json"), ngx_string("application/json") },
    { ngx_string("prometheus"),
      ngx_string("text/plain; version=0.0.4; charset=utf-8") },
    { ngx_string("falcon"), ngx_string("application/json") },
    { ngx_string("events"), ngx_string("text/event-stream") },
    { ngx_string("html"), ngx_string("text/html; charset=utf-8") },
    { ngx_string("history"), ngx_string("application/json") },
    { ngx_null_string, ngx_null_string }
};


static ngx_uint_t
ngx_http_payhub_form(ngx_str_t *name)
{
    ngx_uint_t  as;

    for (as = 0; ngx_http_payhub_forms[as].name.len; as++) {
        if (name->len == ngx_http_payhub_forms[as].name.len
            && ngx_strncmp(name->data, ngx_http_payhub_forms[as].name.data,
                           name->len)
               == 0)
        {
            return as;
        }
    }

    return NGX_HTTP_PAYHUB_STATUS_OFF;
}


static ngx_int_t
ngx_http_payhub_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                           rc;
    ngx_uint_t                          as;
    ngx_http_payhub_text_t              text;
    ngx_http_payhub_status_loc_conf_t  *slcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payhub_status_form(r, &as);
    if (rc != NGX_OK) {
        return rc;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_status_module);

    if (as == NGX_HTTP_PAYHUB_AS_EVENTS) {
        return ngx_http_payhub_events_handler(r, slcf->life);
    }

    ngx_http_payhub_text_init(&text, r->pool);
    ngx_http_payhub_status_render(r, as, &text);

    if (text.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payhub_status_send(r, as, &text);
}


static ngx_int_t
ngx_http_payhub_status_form(ngx_http_request_t *r, ngx_uint_t *as)
{
    ngx_str_t                           value;
    ngx_http_payhub_status_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_status_module);

    *as = slcf->as;

    if (ngx_http_arg(r, (u_char *) "as", 2, &value) == NGX_OK) {
        *as = ngx_http_payhub_form(&value);
    }

    return (*as == NGX_HTTP_PAYHUB_STATUS_OFF) ? NGX_HTTP_BAD_REQUEST
                                               : NGX_OK;
}


static ngx_int_t
ngx_http_payhub_status_number(ngx_http_request_t *r, char *name,
    ngx_int_t fallback)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        return fallback;
    }

    n = ngx_atoi(value.data, value.len);

    return (n == NGX_ERROR || n == 0) ? fallback : n;
}


static void
ngx_http_payhub_status_render(ngx_http_request_t *r, ngx_uint_t as,
    ngx_http_payhub_text_t *text)
{
    char    *flat;
    json_t  *tree;

    if (as == NGX_HTTP_PAYHUB_AS_HTML) {
        ngx_http_payhub_text_add(text, ngx_http_payhub_status_page,
                                 ngx_strlen(ngx_http_payhub_status_page));
        return;
    }

    if (as == NGX_HTTP_PAYHUB_AS_HISTORY) {
        ngx_http_payhub_history_print(text,
            ngx_http_payhub_status_number(r, "step", 1) >= 60 ? 60 : 1,
            ngx_http_payhub_status_number(r, "last", 120));
        return;
    }

    tree = ngx_http_payhub_status_tree();
    if (tree == NULL) {
        text->failed = 1;
        return;
    }

    switch (as) {

    case NGX_HTTP_PAYHUB_AS_PROMETHEUS:
        ngx_http_payhub_status_prometheus(text, tree);
        break;

    case NGX_HTTP_PAYHUB_AS_FALCON:
        ngx_http_payhub_status_falcon(text, tree);
        break;

    default:
        flat = json_dumps(tree, JSON_INDENT(1));

        if (flat) {
            ngx_http_payhub_text_add(text, flat, ngx_strlen(flat));
            ngx_http_payhub_text_add(text, "\n", 1);
            free(flat);

        } else {
            text->failed = 1;
        }
    }

    json_decref(tree);
}


static ngx_int_t
ngx_http_payhub_status_send(ngx_http_request_t *r, ngx_uint_t as,
    ngx_http_payhub_text_t *text)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->len;
    r->headers_out.content_type = ngx_http_payhub_forms[as].type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_payhub_add_header(r, "Cache-Control", PH_STR("no-store"))
        != NGX_OK
        || (as == NGX_HTTP_PAYHUB_AS_HTML
            && ngx_http_payhub_status_policy(r) != NGX_OK))
    {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = text->out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main) ? 1 : 0;
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, text->out);
}


/* nothing runs in the page but its own script */

static ngx_int_t
ngx_http_payhub_status_policy(ngx_http_request_t *r)
{
    char                memory[512], text[2][PH_B64_LEN(PH_SHA256_LEN)];
    uint8_t             sum[PH_SHA256_LEN];
    ngx_uint_t          i;
    struct ph_buf       buf;
    struct ph_str       part;

    static struct {
        const char  *begin;
        const char  *end;
    } parts[] = {
        { "<style>", "</style>" },
        { "<script>", "</script>" }
    };

    for (i = 0; i < 2; i++) {

        part.ptr = ngx_strstr(ngx_http_payhub_status_page, parts[i].begin)
                   + ngx_strlen(parts[i].begin);
        part.len = ngx_strstr(part.ptr, parts[i].end) - part.ptr;

        if (!ph_sha256(&part, 1, sum)) {
            return NGX_ERROR;
        }

        ph_buf_init(&buf, text[i], sizeof(text[i]));
        ph_b64_encode(&buf, ph_str_make((char *) sum, sizeof(sum)));
    }

    ph_buf_init(&buf, memory, sizeof(memory));
    ph_buf_add(&buf, PH_STR("default-src 'none'; connect-src 'self'; "
                            "img-src data:; base-uri 'none'; "
                            "form-action 'none'; "
                            "style-src 'sha256-"));
    ph_buf_add(&buf, ph_str_make(text[0], sizeof(text[0])));
    ph_buf_add(&buf, PH_STR("'; script-src 'sha256-"));
    ph_buf_add(&buf, ph_str_make(text[1], sizeof(text[1])));
    ph_buf_add(&buf, PH_STR("'"));

    return ngx_http_payhub_add_header(r, "Content-Security-Policy",
                                      ph_buf_str(&buf));
}


void
ngx_http_payhub_text_init(ngx_http_payhub_text_t *text, ngx_pool_t *pool)
{
    ngx_memzero(text, sizeof(ngx_http_payhub_text_t));

    text->pool = pool;
    text->last = &text->out;
}


void
ngx_http_payhub_text_add(ngx_http_payhub_text_t *text, const void *p,
    size_t len)
{
    size_t        n;
    ngx_chain_t  *cl;

    while (len && !text->failed) {

        if (text->buf == NULL || text->buf->last == text->buf->end) {

            text->buf = ngx_create_temp_buf(text->pool,
                                            NGX_HTTP_PAYHUB_TEXT_BLOCK);
            cl = ngx_alloc_chain_link(text->pool);

            if (text->buf == NULL || cl == NULL
                || text->len > NGX_HTTP_PAYHUB_STATUS_MAX)
            {
                text->failed = 1;
                return;
            }

            cl->buf = text->buf;
            cl->next = NULL;
            *text->last = cl;
            text->last = &cl->next;
        }

        n = ngx_min(len, (size_t) (text->buf->end - text->buf->last));
        text->buf->last = ngx_cpymem(text->buf->last, p, n);
        text->len += n;

        p = (const u_char *) p + n;
        len -= n;
    }
}


void ngx_cdecl
ngx_http_payhub_text_printf(ngx_http_payhub_text_t *text, const char *fmt, ...)
{
    u_char   line[1024], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(line, line + sizeof(line), fmt, args);
    va_end(args);

    ngx_http_payhub_text_add(text, line, p - line);
}


static char *
ngx_http_payhub_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_status_loc_conf_t  *slcf = conf;

    ngx_int_t                  life;
    ngx_str_t                 *value, time;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (slcf->as != NGX_CONF_UNSET_UINT) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C107");
    }

    value = cf->args->elts;
    slcf->as = NGX_HTTP_PAYHUB_AS_JSON;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len > sizeof("life=") - 1
            && ngx_strncmp(value[i].data, "life=", sizeof("life=") - 1) == 0)
        {
            time.data = value[i].data + sizeof("life=") - 1;
            time.len = value[i].len - (sizeof("life=") - 1);
            life = ngx_parse_time(&time, 0);

            if (slcf->life != NGX_CONF_UNSET_MSEC
                || life < NGX_HTTP_PAYHUB_STREAM_LIFE_MIN
                || life > NGX_HTTP_PAYHUB_STREAM_LIFE_MAX)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "PH-C107 payhub_status: found \"%V\", "
                                   "expected life= once, 1s to 1d",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }

            slcf->life = (ngx_msec_t) life;
            continue;
        }

        slcf->as = ngx_http_payhub_form(&value[i]);

        if (slcf->as >= NGX_HTTP_PAYHUB_AS_HISTORY || i != 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C107 payhub_status: found \"%V\", expected "
                               "json, prometheus, falcon, events or html, "
                               "then life=", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C107 payhub_status: found another content "
                           "handler in this location, expected it alone");
        return NGX_CONF_ERROR;
    }

    clcf->handler = ngx_http_payhub_status_handler;

    return NGX_CONF_OK;
}


static void *
ngx_http_payhub_status_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_status_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_payhub_status_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->as = NGX_CONF_UNSET_UINT;
    conf->life = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_payhub_status_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_payhub_status_loc_conf_t  *prev = parent;
    ngx_http_payhub_status_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->as, prev->as, NGX_HTTP_PAYHUB_STATUS_OFF);
    ngx_conf_merge_msec_value(conf->life, prev->life,
                              NGX_HTTP_PAYHUB_STREAM_LIFE);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_status_init_process(ngx_cycle_t *cycle)
{
    ngx_http_payhub_history_start(cycle);

    return NGX_OK;
}

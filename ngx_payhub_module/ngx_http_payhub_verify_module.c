
/*
 * payhub_verify: a request goes on only when its signature is proven.
 *
 * It stands at the head of the rewrite phase, since "return" answers in that
 * phase, and again in PREACCESS; neither is subject to "satisfy any".  One
 * verification a main request: its verdict serves internal redirects and
 * subrequests.  Every cause of 401 gives the same answer; the error log has
 * the reason.
 *
 * Cheap checks come before the body is read.  Whether a key exists shows only
 * after it, when an unknown key has cost what a known one costs.
 */


#include "ngx_http_payhub.h"


#define NGX_HTTP_PAYHUB_WINDOW      300
#define NGX_HTTP_PAYHUB_WINDOW_MAX  3600
#define NGX_HTTP_PAYHUB_READ_SIZE   16384


typedef struct {
    ngx_uint_t                 schemes;     /* bits, 0: off */
    time_t                     window;      /* seconds, either side */
} ngx_http_payhub_verify_loc_conf_t;


static ngx_int_t ngx_http_payhub_verify_known(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_uint_t ngx_http_payhub_verify_body_left(ngx_http_request_t *r);
static void ngx_http_payhub_verify_body_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_payhub_verify_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_uint_t ngx_http_payhub_verify_has_header(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_int_t ngx_http_payhub_verify_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static char *ngx_http_payhub_verify_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_int_t ngx_http_payhub_verify_sum(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, u_char *text);
static ngx_int_t ngx_http_payhub_verify_add_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_hmac *mac);
static ngx_int_t ngx_http_payhub_verify_add_body(ngx_http_request_t *r,
    struct ph_hmac *mac);
static ngx_int_t ngx_http_payhub_verify_add_file(ngx_http_request_t *r,
    struct ph_hmac *mac, ngx_buf_t *b);
static ngx_uint_t ngx_http_payhub_verify_plain_path(ngx_str_t *target);
static ngx_int_t ngx_http_payhub_verify_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, char *reason);

static char *ngx_http_payhub_verify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_verify_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
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


static ngx_str_t  ngx_http_payhub_content_encoding =
    ngx_string("content-encoding");


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

    vlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_payhub_verify_module);

    return vlcf->schemes ? vlcf->window : 0;
}


ngx_int_t
ngx_http_payhub_verify_step(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payhub_request_t  *pr;

    if (!ngx_http_payhub_verify_on(r)) {
        return NGX_DECLINED;
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pr->verdict != NGX_HTTP_PAYHUB_NONE) {
        return ngx_http_payhub_verify_known(r, pr);
    }

    /* an internal redirect clears the context, and with it a broken read */

    if (ngx_http_get_module_ctx(r, ngx_http_payhub_verify_module)) {
        return NGX_DONE;
    }

    if (r != r->main && ngx_http_payhub_verify_body_left(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub verify: subrequest \"%V\" before the body of "
                      "its request has been read; put payhub_verify into the "
                      "location of the request itself", &r->uri);
        return NGX_HTTP_UNAUTHORIZED;
    }

    rc = ngx_http_payhub_verify_head(r, pr);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r != r->main) {
        rc = ngx_http_payhub_verify_all(r, pr);
        return (rc == NGX_OK) ? NGX_DECLINED : rc;
    }

    ngx_http_set_ctx(r, pr, ngx_http_payhub_verify_module);

    /* an error page may be served by a location that looks at the body */
    r->preserve_body = 1;

    rc = ngx_http_read_client_request_body(r,
                                          ngx_http_payhub_verify_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_payhub_verify_known(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    if (pr->verdict == NGX_HTTP_PAYHUB_REFUSED) {
        return ngx_http_payhub_refuse(r, pr, pr->error, NULL);
    }

    if (!ngx_http_payhub_proven(r, pr) || !(pr->scheme & vlcf->schemes)) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "scheme");
    }

    return NGX_DECLINED;
}


/* chunked stands for HTTP/2 and HTTP/3 bodies of unknown length as well */

static ngx_uint_t
ngx_http_payhub_verify_body_left(ngx_http_request_t *r)
{
    r = r->main;

    if (r->request_body) {
        return 0;
    }

    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}


static void
ngx_http_payhub_verify_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_get_module_ctx(r, ngx_http_payhub_verify_module);

    rc = ngx_http_payhub_verify_all(r, pr);

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        pr->verdict = NGX_HTTP_PAYHUB_REFUSED;
        pr->error = PH_ERROR_INTERNAL;
        pr->reason = "internal";
    }

    /* the phases come back to the handler, which reads the verdict */

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* what can be said without the body and without the key */

static ngx_int_t
ngx_http_payhub_verify_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    time_t                              now, sent;
    ngx_str_t                           method, target;
    ngx_table_elt_t                    *h;
    ngx_http_payhub_main_conf_t        *pmcf;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    if (ngx_http_payhub_target(r, &method, &target) != NGX_OK) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_TARGET,
                                             "target");
    }

    if (ngx_http_payhub_verify_has_header(r,
                                          &ngx_http_payhub_content_encoding))
    {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_MEDIA_TYPE,
                                             "encoding");
    }

    /* nginx itself refuses a second one */
    h = r->main->headers_in.authorization;

    if (h == NULL) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "absent");
    }

    if (ph_auth_v3_parse(ngx_http_payhub_view(&h->value), &pr->auth)
        != PH_OK)
    {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "header");
    }

    pr->claim = ngx_http_payhub_key_find(pmcf, pr->auth.key_id);

    now = ngx_time();
    sent = (time_t) pr->auth.timestamp;

    if (sent < now - vlcf->window || sent > now + vlcf->window) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "window");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payhub_verify_has_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->main->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name->len
            && ngx_strncmp(h[i].lowcase_key, name->data, name->len) == 0)
        {
            return 1;
        }
    }
}


/* NGX_OK, or the status to refuse with; the body has been read */

static ngx_int_t
ngx_http_payhub_verify_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    char       *reason;
    u_char      text[PH_B64_LEN(PH_SHA256_LEN)];
    ngx_str_t   method, target;

    if (ngx_http_payhub_verify_sum(r, pr, text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* strict: one text for one value, so the texts are compared */

    reason = "signature";

    if (ph_same_secret(ph_str_make((char *) text, sizeof(text)),
                       pr->auth.signature))
    {
        reason = NULL;
    }

    if (ngx_http_payhub_verify_key(r, pr)) {
        reason = ngx_http_payhub_verify_key(r, pr);
    }

    if (reason) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, reason);
    }

    (void) ngx_http_payhub_target(r, &method, &target);

    if (!ngx_http_payhub_verify_plain_path(&target)) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_NOT_FOUND,
                                             "path");
    }

    pr->verdict = NGX_HTTP_PAYHUB_OK;
    pr->scheme = PH_SCHEME_V3;
    pr->line = r->main->request_line;
    pr->key = pr->claim;

    return NGX_OK;
}


/* NULL, or why this key may not be used */

static char *
ngx_http_payhub_verify_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    time_t                              now;
    ngx_http_payhub_key_t              *key;
    ngx_http_payhub_main_conf_t        *pmcf;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    key = pr->claim;
    now = ngx_time();

    if (key == pmcf->dummy) {
        return "key";
    }

    if (!(key->schemes & vlcf->schemes & PH_SCHEME_V3)) {
        return "scheme";
    }

    if ((key->not_before && now < key->not_before)
        || (key->not_after && now > key->not_after))
    {
        return "key_time";
    }

    return NULL;
}


static ngx_int_t
ngx_http_payhub_verify_sum(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, u_char *text)
{
    u_char                        sum[PH_SHA256_LEN];
    struct ph_buf                 buf;
    struct ph_hmac               *mac;
    ngx_http_payhub_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);

    mac = ngx_http_payhub_key_mac(pmcf, pr->claim);

    if (mac == NULL
        || !ph_hmac_begin(mac)
        || ngx_http_payhub_verify_add_head(r, pr, mac) != NGX_OK
        || ngx_http_payhub_verify_add_body(r, mac) != NGX_OK
        || !ph_hmac_add(mac, PH_STR("\n"))
        || !ph_hmac_end(mac, sum))
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub verify: HMAC could not be computed");
        return NGX_ERROR;
    }

    ph_buf_init(&buf, (char *) text, PH_B64_LEN(PH_SHA256_LEN));
    ph_b64_encode(&buf, ph_str_make((char *) sum, sizeof(sum)));

    return buf.full ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_payhub_verify_add_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_hmac *mac)
{
    char           *p;
    size_t          size;
    ngx_str_t       method, target;
    struct ph_buf   buf;

    (void) ngx_http_payhub_target(r, &method, &target);

    size = method.len + target.len + pr->auth.timestamp_text.len
           + pr->auth.nonce.len + 4;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ph_buf_init(&buf, p, size);
    ph_auth_v3_prefix(&buf, ngx_http_payhub_view(&method),
                      ngx_http_payhub_view(&target), pr->auth.timestamp_text,
                      pr->auth.nonce);

    if (buf.full || !ph_hmac_add(mac, ph_buf_str(&buf))) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Every buffer: in memory, in the temporary file, or some of each.  The main
 * request has the body; auth_request gives its subrequest an empty one.
 */

static ngx_int_t
ngx_http_payhub_verify_add_body(ngx_http_request_t *r, struct ph_hmac *mac)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    r = r->main;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {

            if (!ph_hmac_add(mac, ph_str_make((char *) b->pos,
                                              b->last - b->pos)))
            {
                return NGX_ERROR;
            }

        } else if (b->in_file) {

            if (ngx_http_payhub_verify_add_file(r, mac, b) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_verify_add_file(ngx_http_request_t *r, struct ph_hmac *mac,
    ngx_buf_t *b)
{
    off_t     offset;
    size_t    size;
    u_char   *p;
    ssize_t   n;

    p = ngx_palloc(r->pool, NGX_HTTP_PAYHUB_READ_SIZE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        size = (size_t) ngx_min(b->file_last - offset,
                                NGX_HTTP_PAYHUB_READ_SIZE);

        n = ngx_read_file(b->file, p, size, offset);

        if (n <= 0 || !ph_hmac_add(mac, ph_str_make((char *) p, n))) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Routing and signing must see the same bytes: a path that nginx would decode
 * or merge into another one is not served.
 */

static ngx_uint_t
ngx_http_payhub_verify_plain_path(ngx_str_t *target)
{
    u_char  *p, *end, *last, *segment;

    last = target->data + target->len;

    end = ngx_strlchr(target->data, last, '?');
    if (end == NULL) {
        end = last;
    }

    segment = target->data;

    for (p = target->data; p < end; p++) {

        switch (*p) {

        case '%':
        case ';':
        case '\\':
            return 0;

        case '/':
            segment = p + 1;

            if (segment < end && *segment == '/') {
                return 0;
            }

            break;

        case '.':
            if (p == segment
                && (p + 1 == end || p[1] == '/'
                    || (p[1] == '.' && (p + 2 == end || p[2] == '/'))))
            {
                return 0;
            }

            break;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_payhub_verify_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, char *reason)
{
    struct ph_str  id;

    pr->verdict = NGX_HTTP_PAYHUB_REFUSED;
    pr->reason = reason;

    id = pr->claim ? pr->auth.key_id : PH_STR("");

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "payhub verify refused: %s, key \"%*s\", request %*s",
                  reason, id.len, id.ptr, sizeof(pr->id_text), pr->id_text);

    return ngx_http_payhub_refuse(r, pr, error, NULL);
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

        scheme = ngx_http_payhub_scheme(&value[i]);

        if (scheme == 0 || (vlcf->schemes & scheme)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C201 payhub_verify: found \"%V\"%s, "
                               "expected payhub-v3, or off alone", &value[i],
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


static void *
ngx_http_payhub_verify_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_verify_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_payhub_verify_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

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

    return NGX_CONF_OK;
}


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


#include "ngx_http_payhub_verify.h"


/* of a key that is being replaced: a batch of payhub_sync may do so often */
#define NGX_HTTP_PAYHUB_FINDS_MAX   256


static ngx_int_t ngx_http_payhub_verify_read(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_int_t ngx_http_payhub_verify_known(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static ngx_uint_t ngx_http_payhub_verify_body_left(ngx_http_request_t *r);
static void ngx_http_payhub_verify_body_handler(ngx_http_request_t *r);

static ngx_int_t ngx_http_payhub_verify_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static void ngx_http_payhub_verify_scan(ngx_http_request_t *r,
    ngx_uint_t *encoded, ngx_uint_t *input);

static ngx_int_t ngx_http_payhub_verify_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static size_t ngx_http_payhub_verify_raw_len(struct ph_str text);
static char *ngx_http_payhub_verify_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_uint_t scheme);
static ngx_uint_t ngx_http_payhub_verify_plain_path(ngx_str_t *target);
static ngx_uint_t ngx_http_payhub_verify_dots(u_char *p, u_char *last);


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

    if (r == r->main) {
        rc = ngx_http_payhub_verify_read(r, pr);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_payhub_verify_all(r, pr);

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


/* NGX_OK: the body is here, and the phases go on where they stand */

static ngx_int_t
ngx_http_payhub_verify_read(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_int_t  rc;

    ngx_http_set_ctx(r, pr, ngx_http_payhub_verify_module);

    /* an error page may be served by a location that looks at the body */
    r->preserve_body = 1;

    pr->reading = 1;

    rc = ngx_http_read_client_request_body(r,
                                          ngx_http_payhub_verify_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    if (!pr->reading) {
        r->main->count--;
        r->write_event_handler = ngx_http_core_run_phases;

        return NGX_OK;
    }

    pr->reading = 0;

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
        return ngx_http_payhub_refuse(r, pr, pr->error, pr->detail);
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
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_get_module_ctx(r, ngx_http_payhub_verify_module);

    if (pr->reading) {
        pr->reading = 0;
        return;
    }

    /* the body came late: the key may have been revoked or replaced */

    if (pr->claim) {
        pr->claim = ngx_http_payhub_key_find(r, pr, pr->auth.key_id);
    }

    if (ngx_http_payhub_verify_all(r, pr) == NGX_DONE) {
        return;
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
    ngx_uint_t                          encoded, input, v3;
    ngx_table_elt_t                    *h;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    if (ngx_http_payhub_target(r, &pr->method, &pr->target) != NGX_OK) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_TARGET,
                                             "target");
    }

    ngx_http_payhub_verify_scan(r->main, &encoded, &input);

    if (encoded) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_MEDIA_TYPE,
                                             "encoding");
    }

    if (!(vlcf->schemes & PH_SCHEME_RFC9421)) {
        return ngx_http_payhub_v3_head(r, pr);
    }

    h = r->main->headers_in.authorization;

    v3 = (vlcf->schemes & PH_SCHEME_V3)
         && h && ph_str_starts(ngx_http_payhub_view(&h->value),
                               PH_STR("PAYHUB-V3 "));

    if (v3 && input) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_SIGNATURES,
                                             "schemes");
    }

    if (input) {
        return ngx_http_payhub_9421_head(r, pr);
    }

    if (vlcf->schemes & PH_SCHEME_V3) {
        return ngx_http_payhub_v3_head(r, pr);
    }

    return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "absent");
}


static void
ngx_http_payhub_verify_scan(ngx_http_request_t *r, ngx_uint_t *encoded,
    ngx_uint_t *input)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    *encoded = 0;
    *input = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            switch (h[i].key.len) {

            case sizeof("content-encoding") - 1:
                if (ngx_memcmp(h[i].lowcase_key, "content-encoding",
                               sizeof("content-encoding") - 1) == 0)
                {
                    *encoded = 1;
                }

                break;

            case sizeof("signature-input") - 1:
                if (ngx_memcmp(h[i].lowcase_key, "signature-input",
                               sizeof("signature-input") - 1) == 0)
                {
                    *input = 1;
                }

                break;
            }
        }
    }
}


ngx_uint_t
ngx_http_payhub_verify_in_window(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    time_t                              now, sent;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    now = ngx_time();
    sent = (time_t) pr->auth.timestamp;

    return sent >= now - vlcf->window && sent <= now + vlcf->window;
}


/*
 * The body has been read.  NGX_OK, NGX_DONE while a thread works, or the
 * status to refuse with; the record has the verdict in each case but NGX_DONE.
 */

static ngx_int_t
ngx_http_payhub_verify_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_int_t  rc;

    rc = pr->proof ? ngx_http_payhub_9421_all(r, pr)
                   : ngx_http_payhub_v3_all(r, pr);

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_http_payhub_verify_failed(r, pr);
    }

    return rc;
}


/* neither proven nor refused: a failure of ours, which is no verdict on it */

void
ngx_http_payhub_verify_failed(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    pr->verdict = NGX_HTTP_PAYHUB_REFUSED;
    pr->error = PH_ERROR_INTERNAL;
    pr->reason = "internal";
}


/*
 * Which context judges the signature: the key's, or a dummy's where there is
 * no such key or its signatures have another length; NGX_DECLINED when there
 * is nothing to be compared with.
 */

ngx_int_t
ngx_http_payhub_verify_context(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task)
{
    size_t                        len;
    ngx_uint_t                    n;
    ngx_http_payhub_key_t        *dummy;
    ngx_http_payhub_main_conf_t  *pmcf;

    len = ngx_http_payhub_verify_raw_len(pr->auth.signature);

    for (n = 0; pr->claim; n++) {
        task->context = ngx_http_payhub_context(r, pr->claim);

        if (task->context || !pr->claim->stale
            || n == NGX_HTTP_PAYHUB_FINDS_MAX)
        {
            break;
        }

        pr->claim = ngx_http_payhub_key_find(r, pr, pr->auth.key_id);
    }

    /* nothing can be verified by it: like no key */

    if (pr->claim && pr->claim->unfit) {
        pr->claim = NULL;
    }

    if (pr->claim) {

        if (task->context == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_payhub_context_fits(task->context, len)) {
            task->key = pr->claim;
            task->known = 1;

            return NGX_OK;
        }
    }

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);

    dummy = ngx_http_payhub_dummy(pmcf, ngx_http_payhub_key_algs(pmcf),
                                  pr->auth.key_id, len);
    if (dummy == NULL) {
        return NGX_DECLINED;
    }

    task->context = ngx_http_payhub_context(r, dummy);
    task->key = dummy;
    task->known = 0;

    return task->context ? NGX_OK : NGX_ERROR;
}


/* NGX_DECLINED: not base64 in its one form */

ngx_int_t
ngx_http_payhub_verify_decode(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task)
{
    char           *p;
    struct ph_buf   buf;

    p = ngx_pnalloc(r->main->pool, pr->auth.signature.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ph_buf_init(&buf, p, pr->auth.signature.len);

    if (ph_b64_decode(&buf, pr->auth.signature) != PH_OK || buf.full) {
        return NGX_DECLINED;
    }

    task->signature = ph_buf_str(&buf);

    return NGX_OK;
}


/* the verdict, once the signature has been judged; reason NULL: it is good */

ngx_int_t
ngx_http_payhub_verify_conclude(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_uint_t scheme, char *reason)
{
    char  *unfit;

    unfit = ngx_http_payhub_verify_key(r, pr, scheme);

    /* the body may have taken its time */

    if (unfit == NULL && !ngx_http_payhub_verify_in_window(r, pr)) {
        unfit = "window";
    }

    if (unfit) {
        reason = unfit;
    }

    if (reason) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, reason);
    }

    if (!ngx_http_payhub_verify_plain_path(&pr->target)) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_NOT_FOUND,
                                             "path");
    }

    pr->verdict = NGX_HTTP_PAYHUB_OK;
    pr->scheme = scheme;
    pr->line = r->main->request_line;
    pr->key = pr->claim;

    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_VERIFY_OK);

    return NGX_OK;
}


/* bytes that a base64 text stands for */

static size_t
ngx_http_payhub_verify_raw_len(struct ph_str text)
{
    size_t  len;

    len = text.len / 4 * 3;

    if (len && text.ptr[text.len - 1] == '=') {
        len -= (text.ptr[text.len - 2] == '=') ? 2 : 1;
    }

    return len;
}


/* NULL, or why this key may not be used */

static char *
ngx_http_payhub_verify_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_uint_t scheme)
{
    time_t                              now;
    ngx_http_payhub_key_t              *key;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    key = pr->claim;

    if (key == NULL) {
        return "key";
    }

    if (!(key->schemes & vlcf->schemes & scheme)) {
        return "scheme";
    }

    now = ngx_time();

    if ((key->not_before && now < key->not_before)
        || (key->not_after && now > key->not_after))
    {
        return "key_time";
    }

    return NULL;
}


/*
 * Routing and signing must see the same bytes: a path that nginx would decode
 * or merge into another one is not served.
 */

static ngx_uint_t
ngx_http_payhub_verify_plain_path(ngx_str_t *target)
{
    u_char  *p, *last, *segment;

    last = target->data + target->len;
    segment = target->data;

    for (p = target->data; p < last; p++) {

        /* letters first: most bytes are */

        if (*p > '?' ? *p != '\\' : *p > '/' && *p < ';') {
            continue;
        }

        switch (*p) {

        case '?':
            return 1;

        case '%':
        case ';':
        case '\\':
            return 0;

        case '/':
            segment = p + 1;

            if (segment < last && *segment == '/') {
                return 0;
            }

            break;

        case '.':
            if (p == segment && ngx_http_payhub_verify_dots(p, last)) {
                return 0;
            }

            break;
        }
    }

    return 1;
}


/* "." or ".." up to the end of a segment */

static ngx_uint_t
ngx_http_payhub_verify_dots(u_char *p, u_char *last)
{
    p++;

    if (p < last && *p == '.') {
        p++;
    }

    return p == last || *p == '/' || *p == '?';
}


ngx_int_t
ngx_http_payhub_verify_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, char *reason)
{
    struct ph_str  id;

    pr->verdict = NGX_HTTP_PAYHUB_REFUSED;
    pr->reason = reason;

    id = pr->auth.key_id;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "payhub verify refused: %s, key \"%*s\", request %*s",
                  reason, id.len, id.ptr, sizeof(pr->id_text), pr->id_text);

    if (error != PH_ERROR_NOT_EXECUTED) {
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_VERIFY_REFUSED);
    }

    return ngx_http_payhub_refuse(r, pr, error, NULL);
}

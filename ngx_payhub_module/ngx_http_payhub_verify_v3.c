
/*
 * Scheme payhub-v3: one Authorization header over the raw body.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_V3_SMALL  1024


static ngx_int_t ngx_http_payhub_v3_mac(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_hmac *mac, char **reason);
static ngx_int_t ngx_http_payhub_v3_public(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *from);
static ngx_int_t ngx_http_payhub_v3_small(ngx_http_payhub_request_t *pr,
    struct ph_hmac *mac, struct ph_str body, u_char *sum);
static ngx_int_t ngx_http_payhub_v3_large(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_hmac *mac, u_char *sum);
static ngx_int_t ngx_http_payhub_v3_head_text(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_str *text);
static size_t ngx_http_payhub_v3_text_len(ngx_http_payhub_request_t *pr);
static void ngx_http_payhub_v3_text(ngx_http_payhub_request_t *pr,
    struct ph_buf *buf);


/* what can be said without the body */

ngx_int_t
ngx_http_payhub_v3_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_table_elt_t  *h;

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

    pr->claim = ngx_http_payhub_key_find(r, pr, pr->auth.key_id);

    if (!ngx_http_payhub_verify_in_window(r, pr)) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "window");
    }

    return NGX_OK;
}


/* the body has been read; what ngx_http_payhub_verify_all() returns */

ngx_int_t
ngx_http_payhub_v3_all(ngx_http_request_t *r, ngx_http_payhub_request_t *pr)
{
    char                    *reason;
    ngx_int_t                rc;
    struct ph_hmac          *mac;
    ngx_http_payhub_task_t   task;

    ngx_memzero(&task, sizeof(ngx_http_payhub_task_t));

    rc = ngx_http_payhub_verify_context(r, pr, &task);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_V3,
                                               "signature");
    }

    mac = ngx_http_payhub_context_mac(task.context);

    if (mac == NULL) {
        return ngx_http_payhub_v3_public(r, pr, &task);
    }

    reason = NULL;

    if (ngx_http_payhub_v3_mac(r, pr, mac, &reason) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub verify: HMAC could not be computed");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!task.known) {
        reason = "signature";
    }

    return ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_V3, reason);
}


/* strict: one text for one value */

static ngx_int_t
ngx_http_payhub_v3_mac(ngx_http_request_t *r, ngx_http_payhub_request_t *pr,
    struct ph_hmac *mac, char **reason)
{
    u_char         sum[PH_SHA256_LEN];
    size_t         size;
    ngx_int_t      rc;
    struct ph_str  body;

    size = ngx_http_payhub_v3_text_len(pr);

    if (ngx_http_payhub_body_plain(r, &body)
        && size + body.len < NGX_HTTP_PAYHUB_V3_SMALL)
    {
        rc = ngx_http_payhub_v3_small(pr, mac, body, sum);

    } else {
        rc = ngx_http_payhub_v3_large(r, pr, mac, sum);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ph_b64_same_secret(pr->auth.signature,
                            ph_str_make((char *) sum, sizeof(sum))))
    {
        *reason = "signature";
    }

    return NGX_OK;
}


/* a usual request is one piece: the copy of a few hundred bytes costs less
   than what a digest does for each of several */

static ngx_int_t
ngx_http_payhub_v3_small(ngx_http_payhub_request_t *pr, struct ph_hmac *mac,
    struct ph_str body, u_char *sum)
{
    char            memory[NGX_HTTP_PAYHUB_V3_SMALL + PH_HMAC_ROOM];
    struct ph_buf   buf;

    ph_buf_init(&buf, memory, sizeof(memory));

    ngx_http_payhub_v3_text(pr, &buf);
    ph_buf_add(&buf, body);
    ph_buf_byte(&buf, LF);

    return (!buf.full && ph_hmac_buf(mac, &buf, sum)) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_payhub_v3_large(ngx_http_request_t *r, ngx_http_payhub_request_t *pr,
    struct ph_hmac *mac, u_char *sum)
{
    struct ph_str  text;

    if (ngx_http_payhub_v3_head_text(r, pr, &text) != NGX_OK
        || !ph_hmac_begin(mac)
        || !ph_hmac_add(mac, text)
        || ngx_http_payhub_body_mac(r, mac) != NGX_OK
        || !ph_hmac_add(mac, PH_STR("\n"))
        || !ph_hmac_end(mac, sum))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_v3_public(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *from)
{
    ngx_int_t                     rc;
    ngx_http_payhub_task_t       *task;

    task = ngx_palloc(r->main->pool, sizeof(ngx_http_payhub_task_t));
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *task = *from;

    task->request = r;
    task->pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);
    task->running = 0;

    rc = ngx_http_payhub_body_pieces(r, &task->pieces, &task->count);

    if (rc == NGX_DECLINED) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_TOO_LARGE,
                                             "body");
    }

    if (rc != NGX_OK
        || ngx_http_payhub_v3_head_text(r, pr, &task->pieces[0])
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    task->pieces[1 + task->count] = PH_STR("\n");
    task->count += 2;

    if (ngx_http_payhub_verify_decode(r, pr, task) != NGX_OK) {
        return ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_V3,
                                               "signature");
    }

    if (task->key->alg != PH_ALG_SM2_SM3) {
        task->rc = ngx_http_payhub_context_check(task->context, task->pieces,
                                                 task->count, task->signature);
        return ngx_http_payhub_v3_judged(r, pr, task);
    }

    switch (ngx_http_payhub_task_post(r, pr, task)) {

    case NGX_DONE:
        return NGX_DONE;

    case NGX_DECLINED:
        return ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_V3,
                                               "signature");

    case NGX_BUSY:
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_VERIFY_BUSY);
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_NOT_EXECUTED,
                                             "busy");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* behind a check of payhub-v3 */

ngx_int_t
ngx_http_payhub_v3_judged(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task)
{
    if (task->rc == PH_E_CRYPTO) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub verify: OpenSSL could not verify");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_V3,
                                           (task->rc == PH_OK && task->known)
                                           ? NULL : "signature");
}


/* what is signed before the body */

static ngx_int_t
ngx_http_payhub_v3_head_text(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_str *text)
{
    char           *p;
    size_t          size;
    struct ph_buf   buf;

    size = ngx_http_payhub_v3_text_len(pr);

    p = ngx_pnalloc(r->main->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ph_buf_init(&buf, p, size);
    ngx_http_payhub_v3_text(pr, &buf);

    *text = ph_buf_str(&buf);

    return buf.full ? NGX_ERROR : NGX_OK;
}


static size_t
ngx_http_payhub_v3_text_len(ngx_http_payhub_request_t *pr)
{
    return pr->method.len + pr->target.len + pr->auth.timestamp_text.len
           + pr->auth.nonce.len + 4;
}


static void
ngx_http_payhub_v3_text(ngx_http_payhub_request_t *pr, struct ph_buf *buf)
{
    ph_auth_v3_prefix(buf, ngx_http_payhub_view(&pr->method),
                      ngx_http_payhub_view(&pr->target),
                      pr->auth.timestamp_text, pr->auth.nonce);
}


/*
 * The signature of a worker's answer: by the key that signed the request where
 * that is a shared secret, else by the platform's key, which is the workers'.
 */


#include "ngx_http_payhub_pass.h"


#define NGX_HTTP_PAYHUB_ANSWER_SMALL  1024


static ngx_int_t ngx_http_payhub_pass_answer_sum(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_str head, struct ph_str body,
    u_char *sum);
static ngx_int_t ngx_http_payhub_pass_sign_platform(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);
static ngx_int_t ngx_http_payhub_pass_header_out(ngx_http_request_t *r,
    char *name, struct ph_str value);


ngx_int_t
ngx_http_payhub_pass_sign(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_uint_t status, struct ph_str body)
{
    char                        head[NGX_TIME_T_LEN + PH_NONCE_LEN_MAX + 8];
    char                       *p;
    u_char                      sum[PH_SHA256_LEN];
    struct ph_buf               buf, when, b64;
    ngx_http_payhub_request_t  *pr;

    pr = ctx->pr;

    if (pr->key->alg != PH_ALG_HMAC_SHA256) {
        return ngx_http_payhub_pass_sign_platform(r, ctx);
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + PH_B64_LEN(PH_SHA256_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ph_buf_init(&when, p, NGX_TIME_T_LEN);
    ph_buf_u64(&when, (uint64_t) ngx_time());

    ph_buf_init(&buf, head, sizeof(head));
    ph_answer_v3_prefix(&buf, ph_buf_str(&when), pr->auth.nonce,
                        (unsigned) status);

    if (buf.full
        || ngx_http_payhub_pass_answer_sum(r, ctx, ph_buf_str(&buf), body, sum)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ph_buf_init(&b64, p + NGX_TIME_T_LEN, PH_B64_LEN(PH_SHA256_LEN));
    ph_b64_encode(&b64, ph_str_make((char *) sum, sizeof(sum)));

    if (b64.full
        || ngx_http_payhub_pass_header_out(r, "Payhub-Key-Id",
                                   ngx_http_payhub_view(&pr->key->id))
           != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Timestamp",
                                           ph_buf_str(&when))
           != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Nonce", pr->auth.nonce)
           != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Signature",
                                           ph_buf_str(&b64))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the worker signed what the client gets; without a key it did not */

static ngx_int_t
ngx_http_payhub_pass_sign_platform(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx)
{
    struct ph_str  key_id, when, rest, signature;

    if (ctx->platform.len == 0) {
        return NGX_OK;
    }

    if (!ph_str_cut(ngx_http_payhub_view(&ctx->platform), ' ', &key_id, &rest)
        || !ph_str_cut(rest, ' ', &when, &signature)
        || !ph_str_is_token(key_id, PH_KEY_ID_LEN_MAX))
    {
        return NGX_ERROR;
    }

    if (ngx_http_payhub_pass_header_out(r, "Payhub-Key-Id", key_id) != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Timestamp", when)
           != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Nonce",
                                           ctx->pr->auth.nonce)
           != NGX_OK
        || ngx_http_payhub_pass_header_out(r, "Payhub-Signature", signature)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* of a value that stays as long as the request */

static ngx_int_t
ngx_http_payhub_pass_header_out(ngx_http_request_t *r, char *name,
    struct ph_str value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_payhub_push_header(r, name);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.data = (u_char *) value.ptr;
    h->value.len = value.len;
    h->hash = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_answer_sum(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_str head, struct ph_str body,
    u_char *sum)
{
    char             memory[NGX_HTTP_PAYHUB_ANSWER_SMALL];
    struct ph_buf    all;
    struct ph_hmac  *mac;

    mac = ngx_http_payhub_key_mac(r, ctx->pr->key);

    if (mac == NULL) {
        return NGX_ERROR;
    }

    /* an update of the digest costs more than the copy of a small answer */

    if (head.len + body.len + PH_HMAC_ROOM < sizeof(memory)) {
        ph_buf_init(&all, memory, sizeof(memory));

        ph_buf_add(&all, head);
        ph_buf_add(&all, body);
        ph_buf_byte(&all, LF);

        return ph_hmac_buf(mac, &all, sum) ? NGX_OK : NGX_ERROR;
    }

    if (!ph_hmac_begin(mac)) {
        return NGX_ERROR;
    }

    return (ph_hmac_add(mac, head)
            && ph_hmac_add(mac, body)
            && ph_hmac_add(mac, PH_STR("\n"))
            && ph_hmac_end(mac, sum))
           ? NGX_OK : NGX_ERROR;
}

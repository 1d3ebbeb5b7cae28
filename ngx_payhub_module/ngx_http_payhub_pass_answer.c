
/*
 * payhub_pass: a worker's reply as the answer to the client.
 */


#include "ngx_http_payhub_pass.h"
#include "ngx_http_payhub_route.h"


static ngx_int_t ngx_http_payhub_pass_grow(ngx_http_request_t *r, size_t len);
static ngx_int_t ngx_http_payhub_pass_garbled(ngx_http_request_t *r,
    char *what);

static ngx_int_t ngx_http_payhub_pass_fields(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame);
static ngx_int_t ngx_http_payhub_pass_field(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_uint_t type, struct ph_str value);
static ngx_int_t ngx_http_payhub_pass_dup(ngx_http_request_t *r,
    ngx_str_t *dst, struct ph_str value);


/* The link has checked the frame; here are its bytes, piece by piece. */

ngx_int_t
ngx_http_payhub_pass_read(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame)
{
    size_t      len, total;
    ngx_buf_t  *b;

    b = &r->upstream->buffer;

    *frame = *ctx->call.answer;

    len = b->last - b->pos;
    total = PH_FRAME_HEAD_LEN + frame->meta.len + frame->body.len;

    if (len < total) {
        return ngx_http_payhub_pass_grow(r, total);
    }

    frame->meta.ptr = (char *) b->pos + PH_FRAME_HEAD_LEN;
    frame->body.ptr = frame->meta.ptr + frame->meta.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_grow(ngx_http_request_t *r, size_t len)
{
    u_char     *p;
    size_t      have;
    ngx_buf_t  *b;

    b = &r->upstream->buffer;

    if ((size_t) (b->end - b->pos) >= len) {
        return NGX_AGAIN;
    }

    p = ngx_palloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    have = b->last - b->pos;
    ngx_memcpy(p, b->pos, have);

    b->start = p;
    b->pos = p;
    b->last = p + have;
    b->end = p + len;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_payhub_pass_garbled(ngx_http_request_t *r, char *what)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "payhub pass: worker sent %s", what);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_payhub_pass_result(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame)
{
    ngx_buf_t            *b;
    struct ph_str         body;
    ngx_http_upstream_t  *u;

    if (frame->status < NGX_HTTP_OK || frame->status > 599) {
        return ngx_http_payhub_pass_garbled(r, "a status that is none");
    }

    if (ngx_http_payhub_pass_fields(r, ctx, frame) != NGX_OK) {
        return NGX_ERROR;
    }

    u = r->upstream;
    b = &u->buffer;

    body = frame->body;

    if (frame->status == NGX_HTTP_NO_CONTENT
        || frame->status == NGX_HTTP_NOT_MODIFIED)
    {
        body.len = 0;
    }

    /* signed is what the client gets, and that is no body for HEAD */

    if (ctx->verified
        && ngx_http_payhub_pass_sign(r, ctx, frame->status,
                                     r->method == NGX_HTTP_HEAD ? PH_STR("")
                                                                : body)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub pass: answer could not be signed");
        return NGX_ERROR;
    }

    if (body.len) {
        b->pos = (u_char *) body.ptr;
        b->last = b->pos + body.len;

    } else {
        b->pos = b->last;
    }

    /* nothing more is read into this buffer */
    b->end = b->last;

    u->headers_in.status_n = frame->status;
    u->headers_in.content_length_n = body.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_fields(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame)
{
    unsigned       type;
    struct ph_str  meta, value;

    meta = frame->meta;

    while (ph_field_next(&meta, &type, &value)) {

        if (type < PH_FIELD_OPTIONAL && ph_str_has_control(value)) {
            return ngx_http_payhub_pass_garbled(r, "a control character");
        }
    }

    /* headers only now: those of a refused answer would stay in the 502 */

    meta = frame->meta;

    while (ph_field_next(&meta, &type, &value)) {

        if (ngx_http_payhub_pass_field(r, ctx, type, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_field(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_uint_t type, struct ph_str value)
{
    ngx_int_t  rc;

    switch (type) {

    case PH_FIELD_CONTENT_TYPE:
        rc = ngx_http_payhub_pass_dup(r, &r->headers_out.content_type, value);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
        return rc;

    case PH_FIELD_RETRY_AFTER:
        return ngx_http_payhub_add_header(r, "Retry-After", value);

    case PH_FIELD_ALLOW:
        return ngx_http_payhub_add_header(r, "Allow", value);

    case PH_FIELD_REPLAYED:
        if (!ph_str_eq(value, PH_STR("1"))) {
            return NGX_OK;
        }

        return ngx_http_payhub_add_header(r, "Idempotent-Replayed",
                                          PH_STR("true"));

    case PH_FIELD_HEALTH:
        ngx_http_payhub_health_take(ctx->pr, value);
        return NGX_OK;

    case PH_FIELD_ORDER_ID:
        return ngx_http_payhub_pass_dup(r, &ctx->pr->order_id, value);

    case PH_FIELD_CHANNEL:
        return ngx_http_payhub_pass_dup(r, &ctx->pr->channel, value);

    case PH_FIELD_OUTCOME:
        return ngx_http_payhub_pass_dup(r, &ctx->pr->outcome, value);

    case PH_FIELD_PLATFORM_SIGNATURE:
        return ngx_http_payhub_pass_dup(r, &ctx->platform, value);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_dup(ngx_http_request_t *r, ngx_str_t *dst,
    struct ph_str value)
{
    dst->data = ngx_pnalloc(r->pool, value.len + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpymem(dst->data, value.ptr, value.len);
    dst->len = value.len;

    return NGX_OK;
}


ngx_int_t
ngx_http_payhub_pass_local(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, enum ph_error error, char *detail)
{
    ngx_str_t             doc;
    ngx_uint_t            status;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    status = ph_error_info(error)->status;

    if (ngx_http_payhub_problem(r, ctx->pr, error, status, detail, &doc)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error == PH_ERROR_NOT_EXECUTED
        && ngx_http_payhub_add_header(r, "Retry-After", PH_STR("1"))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payhub_set_problem_type(r);

    u->headers_in.status_n = status;
    u->headers_in.content_length_n = doc.len;

    u->buffer.start = doc.data;
    u->buffer.pos = doc.data;
    u->buffer.last = doc.data + doc.len;
    u->buffer.end = u->buffer.last;

    return NGX_OK;
}

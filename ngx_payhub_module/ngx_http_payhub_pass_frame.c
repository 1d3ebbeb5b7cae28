
/*
 * payhub_pass: a request as the frame of a CALL.
 *
 * Identity comes from the verdict alone and travels in fields of its own;
 * bytes of the caller never mix with it.
 */


#include "ngx_http_payhub_pass.h"
#include "ngx_http_payhub_route.h"


#define NGX_HTTP_PAYHUB_META_FIXED   2048
#define NGX_HTTP_PAYHUB_HEADER_MAX   4096


static ngx_int_t ngx_http_payhub_pass_collapse(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);
static ngx_int_t ngx_http_payhub_pass_read_file(ngx_buf_t *b, u_char *p,
    size_t size);
static size_t ngx_http_payhub_pass_meta_size(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_str_t *target);
static void ngx_http_payhub_pass_add(struct ph_buf *meta, enum ph_field field,
    ngx_str_t *value);
static void ngx_http_payhub_pass_add_optional(struct ph_buf *meta,
    enum ph_field field, ngx_table_elt_t *h, size_t max);
static void ngx_http_payhub_pass_add_identity(ngx_http_payhub_pass_ctx_t *ctx,
    struct ph_buf *meta);
static void ngx_http_payhub_pass_add_route(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_buf *meta);
static void ngx_http_payhub_pass_add_headers(ngx_http_request_t *r,
    struct ph_buf *meta);
static ngx_table_elt_t *ngx_http_payhub_pass_header(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payhub_pass_skip(ngx_table_elt_t *h);
static void ngx_http_payhub_pass_seal(ngx_http_payhub_pass_ctx_t *ctx,
    u_char *head, struct ph_frame *frame, uint32_t crc);


static ngx_str_t  ngx_http_payhub_traceparent = ngx_string("traceparent");
static ngx_str_t  ngx_http_payhub_content_type = ngx_string("content-type");


/* headers of unverified calls that stay here: credentials and hop-by-hop */

static ngx_str_t  ngx_http_payhub_skipped[] = {
    ngx_string("authorization"),
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("cookie"),
    ngx_string("expect"),
    ngx_string("keep-alive"),
    ngx_string("proxy-authenticate"),
    ngx_string("proxy-authorization"),
    ngx_string("proxy-connection"),
    ngx_string("te"),
    ngx_string("traceparent"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


ngx_int_t
ngx_http_payhub_pass_take_body(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx)
{
    off_t         len;
    ngx_buf_t    *b;
    ngx_uint_t    in_file;
    ngx_chain_t  *cl, *ln, **ll;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    len = 0;
    in_file = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);

        if (!ngx_buf_in_memory(cl->buf)) {
            in_file |= cl->buf->in_file;
        }
    }

    if (len > PH_FRAME_BODY_MAX) {
        return ngx_http_payhub_refuse(r, ctx->pr, PH_ERROR_TOO_LARGE, NULL);
    }

    ctx->body_len = (size_t) len;

    if (len == 0) {
        return NGX_OK;
    }

    if (in_file) {
        return ngx_http_payhub_pass_collapse(r, ctx);
    }

    /* own buffers: the body itself stays whole for whoever comes later */

    ll = &ctx->body;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (ngx_buf_size(cl->buf) == 0) {
            continue;
        }

        ln = ngx_alloc_chain_link(r->pool);
        b = ngx_calloc_buf(r->pool);
        if (ln == NULL || b == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->start = cl->buf->pos;
        b->pos = cl->buf->pos;
        b->last = cl->buf->last;
        b->end = cl->buf->last;
        b->memory = 1;

        ln->buf = b;
        ln->next = NULL;
        *ll = ln;
        ll = &ln->next;
    }

    return NGX_OK;
}


/* The checksum needs every byte before the first is sent. */

static ngx_int_t
ngx_http_payhub_pass_collapse(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_create_temp_buf(r->pool, ctx->body_len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        size = (size_t) ngx_buf_size(cl->buf);

        if (ngx_buf_in_memory(cl->buf)) {
            ngx_memcpy(b->last, cl->buf->pos, size);

        } else if (ngx_http_payhub_pass_read_file(cl->buf, b->last, size)
                   != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        b->last += size;
    }

    ctx->body = ngx_alloc_chain_link(r->pool);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body->buf = b;
    ctx->body->next = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_pass_read_file(ngx_buf_t *b, u_char *p, size_t size)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < size; done += n) {
        n = ngx_read_file(b->file, p + done, size - done,
                          b->file_pos + (off_t) done);

        if (n <= 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payhub_pass_build(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx)
{
    size_t            size;
    uint32_t          crc;
    ngx_buf_t        *b;
    ngx_str_t         method, target;
    ngx_msec_t        elapsed;
    ngx_chain_t      *cl;
    struct ph_buf     meta;
    struct ph_frame   frame;

    (void) ngx_http_payhub_target(r, &method, &target);

    size = ngx_http_payhub_pass_meta_size(r, ctx, &target);

    b = ngx_create_temp_buf(r->pool, PH_FRAME_HEAD_LEN + size);
    cl = ngx_alloc_chain_link(r->pool);
    if (b == NULL || cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ph_buf_init(&meta, (char *) b->pos + PH_FRAME_HEAD_LEN, size);

    ngx_http_payhub_pass_add(&meta, PH_FIELD_METHOD, &method);
    ngx_http_payhub_pass_add(&meta, PH_FIELD_TARGET, &target);
    ngx_http_payhub_pass_add(&meta, PH_FIELD_CLIENT_ADDR,
                             &r->connection->addr_text);
    ngx_http_payhub_pass_add_optional(&meta, PH_FIELD_CONTENT_TYPE,
            ngx_http_payhub_pass_header(r, &ngx_http_payhub_content_type),
            256);
    ngx_http_payhub_pass_add_optional(&meta, PH_FIELD_TRACEPARENT,
            ngx_http_payhub_pass_header(r, &ngx_http_payhub_traceparent), 64);

    if (ctx->verified) {
        ngx_http_payhub_pass_add_identity(ctx, &meta);
        ngx_http_payhub_pass_add_route(r, ctx, &meta);

    } else {
        ngx_http_payhub_pass_add_headers(r, &meta);
    }

    if (meta.full) {
        return ngx_http_payhub_refuse(r, ctx->pr, PH_ERROR_BAD_REQUEST,
                                      "request headers are larger than a "
                                      "worker takes");
    }

    elapsed = ngx_current_msec - ctx->start;

    ngx_memzero(&frame, sizeof(struct ph_frame));

    frame.version = PH_FRAME_VERSION;
    frame.type = PH_FRAME_CALL;
    ngx_memcpy(frame.id, ctx->pr->id, PH_FRAME_ID_LEN);
    frame.ms_left = (elapsed < ctx->timeout)
                    ? (uint32_t) (ctx->timeout - elapsed) : 1;
    frame.attempt = (uint16_t) ctx->attempt;
    frame.meta = ph_buf_str(&meta);

    if (ph_frame_open(b->pos, &frame, ctx->body_len, &crc) != PH_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub pass: frame could not be made");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payhub_pass_seal(ctx, b->pos, &frame, crc);

    b->last = b->pos + PH_FRAME_HEAD_LEN + meta.len;

    cl->buf = b;
    cl->next = ctx->body;
    ctx->out = cl;

    return NGX_OK;
}


static size_t
ngx_http_payhub_pass_meta_size(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_str_t *target)
{
    size_t            size;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    size = NGX_HTTP_PAYHUB_META_FIXED + target->len;

    if (ctx->verified) {
        return size;
    }

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

        /* type, length, NUL between name and value */
        size += h[i].key.len + h[i].value.len + 5;
    }

    return ngx_min(size, PH_FRAME_META_MAX);
}


static void
ngx_http_payhub_pass_add(struct ph_buf *meta, enum ph_field field,
    ngx_str_t *value)
{
    if (value->len) {
        ph_field_add(meta, field, ngx_http_payhub_view(value));
    }
}


/* what cannot be carried is left out: the worker does not depend on it */

static void
ngx_http_payhub_pass_add_optional(struct ph_buf *meta, enum ph_field field,
    ngx_table_elt_t *h, size_t max)
{
    if (h && h->value.len <= max
        && !ph_str_has_control(ngx_http_payhub_view(&h->value)))
    {
        ngx_http_payhub_pass_add(meta, field, &h->value);
    }
}


static void
ngx_http_payhub_pass_add_identity(ngx_http_payhub_pass_ctx_t *ctx,
    struct ph_buf *meta)
{
    ngx_http_payhub_key_t  *key;

    key = ctx->pr->key;

    ngx_http_payhub_pass_add(meta, PH_FIELD_KEY_ID, &key->id);
    ngx_http_payhub_pass_add(meta, PH_FIELD_APP_ID, &key->app);
    ngx_http_payhub_pass_add(meta, PH_FIELD_MERCHANT_ID, &key->merchant);
    ngx_http_payhub_pass_add(meta, PH_FIELD_ROLE, &key->role);
    ph_field_add(meta, PH_FIELD_NONCE, ctx->pr->auth.nonce);
    ph_field_add(meta, PH_FIELD_TIMESTAMP, ctx->pr->auth.timestamp_text);

    if (ctx->pr->nonce_cold) {
        ph_field_add(meta, PH_FIELD_NONCE_COLD, PH_STR("1"));
    }

    if (key->alg != PH_ALG_HMAC_SHA256) {
        ph_field_add(meta, PH_FIELD_PLATFORM_SIGNATURE, PH_STR("1"));
    }

    ph_field_add(meta, PH_FIELD_SCHEME, ph_scheme_name(ctx->pr->scheme));
    ngx_http_payhub_pass_add(meta, PH_FIELD_IDEMPOTENCY_KEY,
                             &ctx->pr->idempotency);
}


static void
ngx_http_payhub_pass_add_route(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_buf *meta)
{
    ngx_uint_t                 i;
    struct ph_buf              reason, view;
    ngx_http_payhub_choice_t  *choice;
    char                       words[2][NGX_HTTP_PAYHUB_CHOICE_TEXT];

    choice = ngx_http_payhub_route_choice(r, ctx->pr);
    if (choice == NULL) {
        return;
    }

    for (i = 0; i < choice->n; i++) {
        ngx_http_payhub_pass_add(meta, PH_FIELD_CANDIDATE,
                                 &choice->candidates[i]);
    }

    ph_buf_init(&reason, words[0], sizeof(words[0]));
    ph_buf_init(&view, words[1], sizeof(words[1]));

    ngx_http_payhub_route_reason(choice, &reason);
    ngx_http_payhub_route_view(choice, &view);

    if (reason.len) {
        ph_field_add(meta, PH_FIELD_ROUTE_REASON, ph_buf_str(&reason));
    }

    ph_field_add(meta, PH_FIELD_ROUTE_VIEW, ph_buf_str(&view));

    meta->full |= view.full;
}


static void
ngx_http_payhub_pass_add_headers(ngx_http_request_t *r, struct ph_buf *meta)
{
    ngx_uint_t        i;
    struct ph_buf     pair;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;
    char              memory[NGX_HTTP_PAYHUB_HEADER_MAX];

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

        if (ngx_http_payhub_pass_skip(&h[i])) {
            continue;
        }

        ph_buf_init(&pair, memory, sizeof(memory));
        ph_buf_add(&pair, ph_str_make((char *) h[i].lowcase_key,
                                      h[i].key.len));
        ph_buf_byte(&pair, '\0');
        ph_buf_add(&pair, ngx_http_payhub_view(&h[i].value));

        if (pair.full) {
            meta->full = true;
            return;
        }

        ph_field_add(meta, PH_FIELD_HEADER, ph_buf_str(&pair));
    }
}


static ngx_table_elt_t *
ngx_http_payhub_pass_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == name->len
            && ngx_strncmp(h[i].lowcase_key, name->data, name->len) == 0)
        {
            return &h[i];
        }
    }
}


static ngx_uint_t
ngx_http_payhub_pass_skip(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_http_payhub_skipped; name->len; name++) {

        if (name->len == h->key.len
            && ngx_strncmp(name->data, h->lowcase_key, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_payhub_pass_seal(ngx_http_payhub_pass_ctx_t *ctx, u_char *head,
    struct ph_frame *frame, uint32_t crc)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    crc = ph_crc32c(crc, frame->meta);

    for (cl = ctx->body; cl; cl = cl->next) {
        b = cl->buf;
        crc = ph_crc32c(crc, ph_str_make((char *) b->start,
                                         b->last - b->start));
    }

    ph_frame_close(head, crc);
}

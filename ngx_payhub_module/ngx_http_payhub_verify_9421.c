
/*
 * Scheme rfc9421: HTTP Message Signatures over the request as received, with
 * the body's Content-Digest.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_IDEMPOTENCY_MAX  255


typedef struct {
    struct ph_9421_request           request;
    struct ph_9421                   all;
    const struct ph_9421_signature  *signature;
    unsigned                         several:1;     /* by known keys */
} ngx_http_payhub_9421_t;


typedef struct {
    ngx_http_request_t              *request;
    ngx_http_payhub_request_t       *pr;
} ngx_http_payhub_9421_known_t;


static ngx_int_t ngx_http_payhub_9421_fields(ngx_http_request_t *r,
    struct ph_9421_request *request);
static bool ngx_http_payhub_9421_known(void *data, struct ph_str keyid);
static ngx_int_t ngx_http_payhub_9421_fault(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_9421_fault fault);
static char *ngx_http_payhub_9421_judge(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_9421_t *ctx,
    struct ph_str *pieces, size_t count);
static char *ngx_http_payhub_9421_reason(enum ph_9421_fault fault);


/* what can be said without the body */

ngx_int_t
ngx_http_payhub_9421_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    enum ph_9421_fault               fault;
    ngx_http_payhub_9421_t          *ctx;
    ngx_http_payhub_9421_known_t     known;
    const struct ph_9421_signature  *signature;

    ctx = ngx_pcalloc(r->main->pool, sizeof(ngx_http_payhub_9421_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pr->proof = ctx;

    ctx->request.method = ngx_http_payhub_view(&pr->method);
    ctx->request.target = ngx_http_payhub_view(&pr->target);
    ctx->request.scheme = PH_STR("http");

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        ctx->request.scheme = PH_STR("https");
    }

#endif

    if (r->main->headers_in.host) {
        ctx->request.authority =
                   ngx_http_payhub_view(&r->main->headers_in.host->value);
    }

    if (ngx_http_payhub_9421_fields(r->main, &ctx->request) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fault = ph_9421_read(&ctx->request, &ctx->all);

    if (fault != PH_9421_OK) {
        return ngx_http_payhub_9421_fault(r, pr, fault);
    }

    known.request = r;
    known.pr = pr;

    fault = ph_9421_choose(&ctx->all, ngx_http_payhub_9421_known, &known,
                           &signature);

    ctx->signature = signature;
    ctx->several = (fault == PH_9421_SEVERAL);

    /*
     * Where there are several, the keys that exist decide which one is judged:
     * what is wrong with it is told behind the body, and as any 401.
     */

    if (ctx->all.count == 1
        && (!signature->has_created || signature->params_unfit))
    {
        return ngx_http_payhub_9421_fault(r, pr, PH_9421_PARAMETER);
    }

    pr->auth.key_id = signature->keyid;
    pr->auth.timestamp_text = signature->created_text;
    pr->auth.timestamp = signature->created;
    pr->auth.nonce = signature->nonce;
    pr->auth.signature = signature->signature;

    if (ctx->all.count == 1 && !ngx_http_payhub_verify_in_window(r, pr)) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, "window");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_9421_fields(ngx_http_request_t *r,
    struct ph_9421_request *request)
{
    size_t                 n;
    ngx_uint_t             i;
    ngx_list_part_t       *part;
    ngx_table_elt_t       *h;
    struct ph_9421_field  *fields;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    fields = ngx_palloc(r->pool, (n + 1) * sizeof(struct ph_9421_field));
    if (fields == NULL) {
        return NGX_ERROR;
    }

    request->fields = fields;
    request->field_count = n;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            fields->name = ngx_http_payhub_view(&h[i].key);
            fields->value = ngx_http_payhub_view(&h[i].value);
            fields++;
        }
    }

    return NGX_OK;
}


static bool
ngx_http_payhub_9421_known(void *data, struct ph_str keyid)
{
    ngx_http_payhub_key_t         *key;
    ngx_http_payhub_9421_known_t  *known = data;

    key = ngx_http_payhub_key_find(known->request, known->pr, keyid);

    if (key == NULL) {
        return false;
    }

    if (known->pr->claim == NULL) {
        known->pr->claim = key;
    }

    return true;
}


static ngx_int_t
ngx_http_payhub_9421_fault(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_9421_fault fault)
{
    char      *reason;
    ngx_int_t  rc;

    reason = ngx_http_payhub_9421_reason(fault);

    if (ph_9421_status(fault) == NGX_HTTP_UNAUTHORIZED) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_AUTH, reason);
    }

    rc = ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_SIGNATURES, reason);

    /* texts end in NUL */
    pr->detail = (char *) ph_9421_text(fault).ptr;

    return rc;
}


/* the body has been read; what ngx_http_payhub_verify_all() returns */

ngx_int_t
ngx_http_payhub_9421_all(ngx_http_request_t *r, ngx_http_payhub_request_t *pr)
{
    char                    *reason;
    size_t                   count;
    ngx_int_t                rc;
    struct ph_str           *pieces;
    enum ph_9421_fault       fault;
    ngx_http_payhub_9421_t  *ctx;

    ctx = pr->proof;

    rc = ngx_http_payhub_body_pieces(r, &pieces, &count);

    if (rc == NGX_DECLINED) {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_TOO_LARGE,
                                             "body");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request.has_body = (count != 0);

    fault = ph_9421_check(&ctx->all, ctx->signature, &ctx->request,
                          pr->claim ? pr->claim->alg : PH_ALG_NONE,
                          (uint64_t) ngx_time());

    /* of another algorithm: told after the same work as for a right one */

    if (fault != PH_9421_OK && fault != PH_9421_ALG && ctx->all.count == 1) {
        return ngx_http_payhub_9421_fault(r, pr, fault);
    }

    reason = ngx_http_payhub_9421_judge(r, pr, ctx, pieces, count);

    if (reason == NULL && fault != PH_9421_OK) {
        reason = ngx_http_payhub_9421_reason(fault);
    }

    if (reason == NULL && ctx->all.count > 1
        && !ngx_http_payhub_verify_in_window(r, pr))
    {
        reason = "window";
    }

    if (reason && *reason == '\0') {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payhub_verify_conclude(r, pr, PH_SCHEME_RFC9421, reason);

    if (rc == NGX_OK && ctx->several) {
        return ngx_http_payhub_9421_fault(r, pr, PH_9421_SEVERAL);
    }

    if (ctx->all.idempotency_key.len > NGX_HTTP_PAYHUB_IDEMPOTENCY_MAX
        && rc == NGX_OK)
    {
        return ngx_http_payhub_verify_refuse(r, pr, PH_ERROR_BAD_REQUEST,
                                             "idempotency_key");
    }

    if (rc == NGX_OK && ctx->all.idempotency_key.ptr) {
        pr->idempotency.data = (u_char *) ctx->all.idempotency_key.ptr;
        pr->idempotency.len = ctx->all.idempotency_key.len;
    }

    return rc;
}


/* NULL when the signature is proven, else a reason; "" is a failure of ours */

static char *
ngx_http_payhub_9421_judge(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_9421_t *ctx,
    struct ph_str *pieces, size_t count)
{
    char                     base[PH_9421_BASE_MAX];
    char                    *reason;
    ngx_int_t                rc;
    struct ph_buf            buf;
    struct ph_str            piece;
    enum ph_9421_fault       fault;
    ngx_http_payhub_task_t   task;

    ph_buf_init(&buf, base, sizeof(base));

    reason = NULL;

    fault = ph_9421_base(ctx->signature, &ctx->request, &buf);

    if (fault != PH_9421_OK) {
        reason = ngx_http_payhub_9421_reason(fault);

        if (ctx->all.count == 1) {
            return reason;
        }
    }

    if (ctx->all.content_digest.ptr) {

        switch (ph_content_digest_check(ctx->all.content_digest, &pieces[1],
                                        count))
        {
        case PH_OK:
            break;

        case PH_E_CRYPTO:
            return "";

        default:
            reason = "digest";
        }
    }

    piece = ph_buf_str(&buf);

    ngx_memzero(&task, sizeof(ngx_http_payhub_task_t));

    task.pieces = &piece;
    task.count = 1;

    rc = ngx_http_payhub_verify_context(r, pr, &task);

    if (rc == NGX_OK) {
        rc = ngx_http_payhub_verify_decode(r, pr, &task);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? "signature" : "";
    }

    if (task.key->alg == PH_ALG_SM2_SM3) {

        /* no key of this scheme signs so */
        return "signature";
    }

    task.rc = ngx_http_payhub_context_check(task.context, task.pieces,
                                            task.count, task.signature);

    if (task.rc == PH_E_CRYPTO) {
        return "";
    }

    if (task.rc != PH_OK || !task.known) {
        return "signature";
    }

    return reason;
}


static char *
ngx_http_payhub_9421_reason(enum ph_9421_fault fault)
{
    static char  *reasons[] = {
        [PH_9421_SYNTAX] = "header",
        [PH_9421_LABELS] = "labels",
        [PH_9421_PARAMETER] = "parameter",
        [PH_9421_ALG] = "alg",
        [PH_9421_EXPIRED] = "expired",
        [PH_9421_NOT_COVERED] = "not_covered",
        [PH_9421_COMPONENT] = "component",
        [PH_9421_UNKNOWN] = "key",
        [PH_9421_COMPONENT_PARAMS] = "component_params",
        [PH_9421_SEVERAL] = "several",
        [PH_9421_TWICE] = "twice",
        [PH_9421_TOO_LONG] = "too_long"
    };

    return reasons[fault];
}

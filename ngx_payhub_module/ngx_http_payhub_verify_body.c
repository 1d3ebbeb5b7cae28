
/*
 * The raw body of a request for its signature: every buffer, in memory, in the
 * temporary file, or some of each.  The main request has it; auth_request
 * gives its subrequest an empty one.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_READ_SIZE  16384
#define NGX_HTTP_PAYHUB_FILE_MAX   (16 * 1024 * 1024)


static ngx_int_t ngx_http_payhub_body_mac_file(ngx_http_request_t *r,
    struct ph_hmac *mac, ngx_buf_t *b);
static ngx_int_t ngx_http_payhub_body_load(ngx_http_request_t *r,
    ngx_buf_t *b, struct ph_str *piece);


/* false: it lies in more than one buffer of memory */

ngx_uint_t
ngx_http_payhub_body_plain(ngx_http_request_t *r, struct ph_str *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    r = r->main;
    cl = r->request_body ? r->request_body->bufs : NULL;

    if (cl == NULL) {
        *body = ph_str_make(NULL, 0);
        return 1;
    }

    b = cl->buf;

    if (cl->next || !ngx_buf_in_memory(b)) {
        return 0;
    }

    *body = ph_str_make((char *) b->pos, b->last - b->pos);

    return 1;
}


/* a body of any length, from its file piece by piece */

ngx_int_t
ngx_http_payhub_body_mac(ngx_http_request_t *r, struct ph_hmac *mac)
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

            if (ngx_http_payhub_body_mac_file(r, mac, b) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_body_mac_file(ngx_http_request_t *r, struct ph_hmac *mac,
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
 * The whole body as pieces, with a place before the first and one behind the
 * last; *count does not have those two.  What lies in a file is read into
 * memory: NGX_DECLINED when that is more than NGX_HTTP_PAYHUB_FILE_MAX bytes.
 */

ngx_int_t
ngx_http_payhub_body_pieces(ngx_http_request_t *r, struct ph_str **pieces,
    size_t *count)
{
    off_t           in_file;
    size_t          n;
    ngx_buf_t      *b;
    ngx_int_t       rc;
    ngx_chain_t    *cl, *bufs;
    struct ph_str  *piece;

    r = r->main;
    bufs = r->request_body ? r->request_body->bufs : NULL;

    n = 0;
    in_file = 0;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;
        n++;

        if (!ngx_buf_in_memory(b) && b->in_file) {
            in_file += b->file_last - b->file_pos;
        }
    }

    if (in_file > NGX_HTTP_PAYHUB_FILE_MAX) {
        return NGX_DECLINED;
    }

    piece = ngx_palloc(r->pool, (n + 2) * sizeof(struct ph_str));
    if (piece == NULL) {
        return NGX_ERROR;
    }

    *pieces = piece;
    *count = 0;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            piece[1 + *count] = ph_str_make((char *) b->pos, b->last - b->pos);

        } else if (b->in_file) {
            rc = ngx_http_payhub_body_load(r, b, &piece[1 + *count]);
            if (rc != NGX_OK) {
                return rc;
            }

        } else {
            continue;
        }

        if (piece[1 + *count].len) {
            (*count)++;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_body_load(ngx_http_request_t *r, ngx_buf_t *b,
    struct ph_str *piece)
{
    size_t    size, done;
    u_char   *p;
    ssize_t   n;

    size = (size_t) (b->file_last - b->file_pos);

    p = ngx_palloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (done = 0; done < size; done += n) {
        n = ngx_read_file(b->file, p + done, size - done,
                          b->file_pos + (off_t) done);

        if (n <= 0) {
            return NGX_ERROR;
        }
    }

    *piece = ph_str_make((char *) p, size);

    return NGX_OK;
}

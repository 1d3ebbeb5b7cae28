
/*
 * What a request counts as: the key of a limit and its cost.
 */


#include "ngx_http_payhub_limit_shared.h"
#include "libpayhub/wire/field_scan.h"


static ngx_int_t ngx_http_payhub_limit_method(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_int_t ngx_http_payhub_limit_body(ngx_http_request_t *r,
    ngx_str_t *body);


ngx_int_t
ngx_http_payhub_limit_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_zone_t *zone,
    ngx_str_t *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (zone->by == NGX_HTTP_PAYHUB_LIMIT_BY_METHOD) {
        return ngx_http_payhub_limit_method(r, key);
    }

    if (zone->by == NGX_HTTP_PAYHUB_LIMIT_BY_VALUE) {

        /* one variable of the proven key needs no script */

        if (zone->key_field) {

            if (ngx_http_payhub_proven(r, pr)) {
                *key = *(ngx_str_t *) ((u_char *) pr->key
                                       + zone->key_field - 1);

            } else {
                ngx_str_null(key);
            }

            return NGX_OK;
        }

        if (ngx_http_complex_value(r, &zone->key, key) != NGX_OK) {
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    switch (r->connection->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;
        key->data = sin6->sin6_addr.s6_addr;
        key->len = sizeof(struct in6_addr);
        break;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        key->data = (u_char *) &sin->sin_addr;
        key->len = sizeof(in_addr_t);
        break;

    default:
        *key = r->connection->addr_text;
        break;
    }

    return NGX_OK;
}


/*
 * The member "method" of a JSON body.  A body that two readers might read in
 * two ways has the key "?", so that it escapes no limit.
 */

static ngx_int_t
ngx_http_payhub_limit_method(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_int_t             rc;
    ngx_str_t             body;
    struct ph_scan_field  field;

    ngx_str_null(key);

    rc = ngx_http_payhub_limit_body(r, &body);

    if (rc == NGX_ERROR || (rc == NGX_OK && body.len == 0)) {
        return rc;
    }

    ngx_memzero(&field, sizeof(struct ph_scan_field));

    field.name = PH_STR("method");

    if (rc == NGX_DECLINED
        || ph_field_scan(ngx_http_payhub_view(&body), &field, 1)
           != PH_SCAN_CLEAR)
    {
        ngx_str_set(key, "?");
        return NGX_OK;
    }

    if (field.found) {
        key->data = (u_char *) field.text.ptr;
        key->len = field.text.len;
    }

    return NGX_OK;
}


/* the body in one piece; NGX_DECLINED: it is in a file */

static ngx_int_t
ngx_http_payhub_limit_body(ngx_http_request_t *r, ngx_str_t *body)
{
    size_t        len;
    u_char       *p;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (!ngx_buf_in_memory(cl->buf)) {
            return ngx_buf_special(cl->buf) ? NGX_OK : NGX_DECLINED;
        }

        len += cl->buf->last - cl->buf->pos;
    }

    cl = r->request_body->bufs;
    body->len = len;

    if (cl->next == NULL) {
        body->data = cl->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for ( /* void */ ; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}


/*
 * The keyed hash is most of what a limit costs.  Where a key is kept is chosen
 * by no secret: who brings other keys to the same place makes them be hashed
 * again, as all were.
 */

struct ph_hash128
ngx_http_payhub_limit_hash_of(ngx_http_payhub_limit_zone_t *zone,
    ngx_str_t *key)
{
    size_t                          len;
    uint64_t                        head, tail;
    ngx_uint_t                      n;
    ngx_http_payhub_limit_known_t  *known;

    len = key->len;
    tail = 0;

    if (len >= 8 && len <= 16) {
        ngx_memcpy(&head, key->data, 8);
        ngx_memcpy(&tail, key->data + len - 8, 8);

    } else if (len >= 4 && len < 8) {
        head = 0;
        ngx_memcpy(&head, key->data, 4);
        ngx_memcpy(&tail, key->data + len - 4, 4);

    } else if (len && len < 4) {
        head = (uint64_t) key->data[0] << 16 | key->data[len / 2] << 8
               | key->data[len - 1];

    } else {
        return ph_limit_hash(zone->table, ngx_http_payhub_view(key));
    }

    n = ((head ^ tail >> 3) * 0x9e3779b97f4a7c15ull >> 32)
        & (NGX_HTTP_PAYHUB_LIMIT_KNOWN - 1);
    known = &zone->known[n];

    if (known->text[0] != head || known->text[1] != tail || known->len != len)
    {
        known->hash = ph_limit_hash(zone->table, ngx_http_payhub_view(key));
        known->text[0] = head;
        known->text[1] = tail;
        known->len = len;
    }

    return known->hash;
}


/* what is no number, or 0, costs one token */

ngx_int_t
ngx_http_payhub_limit_cost(ngx_http_request_t *r,
    ngx_http_payhub_limit_t *limit, uint64_t *cost)
{
    ngx_str_t  value;

    *cost = limit->tokens;

    if (limit->cost == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->cost, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ph_str_u64(ngx_http_payhub_view(&value), UINT64_MAX, cost)
        && *cost > 0)
    {
        *cost = ngx_min(*cost, PH_COST_MAX);
        return NGX_OK;
    }

    *cost = 1;

    return NGX_OK;
}

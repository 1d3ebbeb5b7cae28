
/*
 * Between the two halves of payhub_pass: nginx's upstream on one side, frames
 * on the other.
 */


#ifndef _NGX_HTTP_PAYHUB_PASS_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_PASS_H_INCLUDED_


#include "ngx_http_payhub_link.h"


/* one a call, in the request's context */

typedef struct {
    ngx_http_payhub_request_t  *pr;
    ngx_chain_t                *out;        /* the frame */
    ngx_chain_t                *body;       /* all of it in memory */
    size_t                      body_len;
    ngx_msec_t                  start;      /* ngx_current_msec */
    ngx_msec_t                  timeout;
    ngx_uint_t                  attempt;    /* from 1 */
    ngx_str_t                   platform;   /* its signature of the answer */
    unsigned                    verified:1;

    ngx_http_payhub_call_t      call;
} ngx_http_payhub_pass_ctx_t;


/* NGX_OK, or the status to refuse with */

ngx_int_t ngx_http_payhub_pass_take_body(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);
ngx_int_t ngx_http_payhub_pass_build(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);

/* NGX_OK with a whole frame, NGX_AGAIN, or NGX_ERROR: not to be trusted */

ngx_int_t ngx_http_payhub_pass_read(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame);

/* both leave in r->upstream what is to be sent to the client */

ngx_int_t ngx_http_payhub_pass_result(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, struct ph_frame *frame);
ngx_int_t ngx_http_payhub_pass_local(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, enum ph_error error, char *detail);

/* ngx_http_payhub_pass_sign.c: fields that sign the answer */

ngx_int_t ngx_http_payhub_pass_sign(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx, ngx_uint_t status, struct ph_str body);


#endif /* _NGX_HTTP_PAYHUB_PASS_H_INCLUDED_ */

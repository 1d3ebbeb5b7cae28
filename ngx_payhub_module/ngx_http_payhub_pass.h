
/*
 * Between the files of payhub_pass: nginx's upstream on one side, frames on
 * the other.
 */


#ifndef _NGX_HTTP_PAYHUB_PASS_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_PASS_H_INCLUDED_


#include "ngx_http_payhub_link.h"


/* one an upstream that payhub_pass names */

typedef struct {
    ngx_http_upstream_srv_conf_t    *upstream;
    ngx_http_upstream_init_peer_pt   init;  /* of its balancer */
} ngx_http_payhub_pass_peers_t;


typedef struct {
    ngx_array_t                      peers; /* of the above */
} ngx_http_payhub_pass_main_conf_t;


typedef struct {
    ngx_http_upstream_conf_t         upstream;  /* nothing is out */
    ngx_http_upstream_conf_t         out;       /* a byte may be out */
    ngx_http_upstream_conf_t         busy;      /* a worker has said BUSY */
    ngx_msec_t                       timeout;
} ngx_http_payhub_pass_loc_conf_t;


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


/* ngx_http_payhub_pass_module.c */

ngx_int_t ngx_http_payhub_pass_handler(ngx_http_request_t *r);

/* ngx_http_payhub_pass_conf.c */

char *ngx_http_payhub_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payhub_pass_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void *ngx_http_payhub_pass_create_main_conf(ngx_conf_t *cf);
void *ngx_http_payhub_pass_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_payhub_pass_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* ngx_http_payhub_pass_frame.c: NGX_OK, or the status to refuse with */

ngx_int_t ngx_http_payhub_pass_take_body(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);
ngx_int_t ngx_http_payhub_pass_build(ngx_http_request_t *r,
    ngx_http_payhub_pass_ctx_t *ctx);

/* ngx_http_payhub_pass_answer.c: NGX_OK with a whole frame, NGX_AGAIN, or
   NGX_ERROR: not to be trusted */

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


/*
 * Routing and the health of accounts, as other modules see them.
 */


#ifndef _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_


#include "ngx_http_payhub_live.h"


#define NGX_HTTP_PAYHUB_ACCOUNTS_MAX    1024
#define NGX_HTTP_PAYHUB_CANDIDATES_MAX  8


/* what a request was given; in the request's pool */

typedef struct {
    ngx_str_t                candidates[NGX_HTTP_PAYHUB_CANDIDATES_MAX];
    ngx_uint_t               n;
    ngx_str_t                reason;        /* at most 128 bytes */
} ngx_http_payhub_choice_t;


/* NULL: nothing was routed; asked by payhub_pass and by variables */

ngx_http_payhub_choice_t *ngx_http_payhub_route_choice(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

/* a HEALTH field of a worker's reply */

void ngx_http_payhub_health_take(struct ph_str field);

/* JSON for status: every account with state, in-flight, rates, breaker */

json_t *ngx_http_payhub_health_json(void);

extern ngx_http_payhub_live_kind_t  ngx_http_payhub_route_live;
extern ngx_http_payhub_live_kind_t  ngx_http_payhub_account_live;


#endif /* _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_ */

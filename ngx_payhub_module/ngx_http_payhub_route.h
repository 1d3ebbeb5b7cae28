
/*
 * Routing and the health of accounts, as other modules see them.
 */


#ifndef _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_


#include "ngx_http_payhub_live.h"
#include "libpayhub/domain/route.h"


#define NGX_HTTP_PAYHUB_ACCOUNTS_MAX    1024
#define NGX_HTTP_PAYHUB_CANDIDATES_MAX  8


/* what a request was given; in the main request's pool */

typedef struct {
    ngx_str_t                candidates[NGX_HTTP_PAYHUB_CANDIDATES_MAX];
    ngx_uint_t               n;
    const char              *word;          /* "chosen", "free", ... */
    struct ph_str            text;          /* of "forced" and "unclear" */
    struct ph_str            method;        /* views into the body */
    struct ph_str            currency;
    int64_t                  amount;
    struct ph_route         *route;
    struct ph_route_note     note;
    void                    *routes;        /* held, since all points there */
    void                    *health;        /* of the account counted as in
                                               flight, or NULL */
    unsigned                 has_amount:1;
    unsigned                 probe:1;       /* of a half-open breaker */
} ngx_http_payhub_choice_t;


/* reason and view, as words: at most so many bytes each */

#define NGX_HTTP_PAYHUB_CHOICE_TEXT     PH_ROUTE_REASON_MAX


/* NULL: nothing was routed; asked by payhub_pass and by variables */

ngx_http_payhub_choice_t *ngx_http_payhub_route_choice(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

void ngx_http_payhub_route_reason(ngx_http_payhub_choice_t *choice,
    struct ph_buf *buf);

/* ROUTE_VIEW of the frame */

void ngx_http_payhub_route_view(ngx_http_payhub_choice_t *choice,
    struct ph_buf *buf);

/* a HEALTH field of a worker's reply to this request */

void ngx_http_payhub_health_take(ngx_http_payhub_request_t *pr,
    struct ph_str field);

/* JSON for status: every account with state, in-flight, rates, breaker */

json_t *ngx_http_payhub_health_json(void);

/*
 * What would be chosen for a body, without choosing: route, rule, every
 * account of the rule with its figures and what speaks against it.  Names may
 * be NULL: route "default", no app, no merchant.  NULL: no memory.
 */

json_t *ngx_http_payhub_route_explain_json(struct ph_str body,
    const char *route, const char *app, const char *merchant);

/*
 * The accounts that workers know, for all processes of this host: an array of
 * {"id","channel","app","weight","drained","methods":[...]}, and, where known,
 * "ended", "paid", "as_of": payments that ended in the last hour, those paid,
 * up to which unix second.  What payhub_channel says of the same account goes
 * before.
 */

ngx_int_t ngx_http_payhub_route_accounts_set(json_t *items);

extern ngx_http_payhub_live_kind_t  ngx_http_payhub_route_live;
extern ngx_http_payhub_live_kind_t  ngx_http_payhub_account_live;
extern ngx_http_payhub_area_t       ngx_http_payhub_health_area;


#endif /* _NGX_HTTP_PAYHUB_ROUTE_H_INCLUDED_ */

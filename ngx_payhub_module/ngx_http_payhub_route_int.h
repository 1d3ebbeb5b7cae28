
/*
 * Between the files of routing.
 */


#ifndef _NGX_HTTP_PAYHUB_ROUTE_INT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_ROUTE_INT_H_INCLUDED_


#include "ngx_http_payhub_route.h"
#include "libpayhub/domain/route.h"
#include "libpayhub/wire/field_scan.h"


#define NGX_HTTP_PAYHUB_ROUTES_MAX      16
#define NGX_HTTP_PAYHUB_ROUTE_FAULT     512

/* an item of two bytes of text takes its copy, 16-aligned, and a target */
#define NGX_HTTP_PAYHUB_ROUTE_SPREAD    48


/* payhub_channel; len 0 and -1: not given */

typedef struct {
    ngx_str_t                line;
    struct ph_route_account  account;
    struct ph_breaker_spec   breaker;
    unsigned                 weight_set:1;
    unsigned                 breaker_set:1;
} ngx_http_payhub_channel_t;


typedef struct {
    ngx_str_t                name;
    ngx_array_t              rules;         /* ngx_str_t */
    ngx_str_t                file;
    ngx_uint_t               line;
} ngx_http_payhub_route_conf_t;


typedef struct {
    ngx_array_t              channels;      /* ngx_http_payhub_channel_t */
    ngx_array_t              routes;        /* ngx_http_payhub_route_conf_t */
} ngx_http_payhub_route_main_conf_t;


typedef struct {
    ngx_flag_t               on;
    ngx_str_t                name;
} ngx_http_payhub_route_loc_conf_t;


/* in shared memory, one an account, named once and for ever */

typedef struct {
    uint64_t                 len;           /* of id; 0: free */
    u_char                   id[PH_ROUTE_NAME_MAX];
    struct ph_health         health;
    struct ph_success        success;       /* as workers tell it */
    uint32_t                 inflight[NGX_HTTP_PAYHUB_SLOTS_MAX];
    struct ph_phases         phases;
} ngx_http_payhub_health_t;


/* beside ph_route_account, of a snapshot */

typedef struct {
    ngx_http_payhub_health_t *health;       /* NULL: the table is full */
    struct ph_breaker_spec   breaker;
} ngx_http_payhub_face_t;


typedef struct {
    ngx_pool_t              *pool;
    ngx_uint_t               refs;
    uint64_t                 generation;    /* of live changes */
    uint64_t                 epoch;
    uint64_t                 told;          /* of accounts by sync */
    uint64_t                 renewed;       /* of shares */
    ngx_uint_t               shared;        /* seats that found their place */
    ngx_uint_t               unshared;
    struct ph_arena          arena;

    struct ph_route_account *accounts;
    ngx_http_payhub_face_t  *faces;
    ngx_uint_t               accounts_n;

    struct ph_route         *routes;
    ngx_uint_t               routes_n;
} ngx_http_payhub_routes_t;


/* ngx_http_payhub_route_table.c */

ngx_http_payhub_route_main_conf_t *ngx_http_payhub_route_conf(void);
struct ph_str ngx_http_payhub_route_text(json_t *object, const char *name);
ngx_uint_t ngx_http_payhub_route_account_find(
    ngx_http_payhub_routes_t *routes, struct ph_str id);

/* NULL: the one that was built last, which may be none */

ngx_http_payhub_routes_t *ngx_http_payhub_routes(
    ngx_http_payhub_live_t *live);
void ngx_http_payhub_routes_release(void *data);
void ngx_http_payhub_routes_forget(void);

/* ngx_http_payhub_route_live.c */

char *ngx_http_payhub_route_rules_check(ngx_pool_t *pool, ngx_str_t *rules,
    ngx_uint_t n, ngx_http_payhub_route_main_conf_t *rmcf);

/* ngx_http_payhub_route_step.c */

ngx_int_t ngx_http_payhub_route_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* ngx_http_payhub_route_ask.c */

struct ph_route *ngx_http_payhub_routes_find(ngx_http_payhub_routes_t *routes,
    struct ph_str name);
enum ph_scan ngx_http_payhub_route_ask(struct ph_route *route,
    struct ph_str body, struct ph_route_ask *ask, struct ph_str *account);

/* ngx_http_payhub_health.c */

ngx_http_payhub_health_t *ngx_http_payhub_health_find(struct ph_str id);
uint64_t *ngx_http_payhub_health_share(uint64_t key);
uint64_t ngx_http_payhub_health_renewed(void);
ngx_uint_t ngx_http_payhub_health_renew(ngx_uint_t wanted);
ngx_uint_t ngx_http_payhub_health_inflight(ngx_http_payhub_health_t *health);
void ngx_http_payhub_health_begin(ngx_http_payhub_health_t *health);
void ngx_http_payhub_health_end(ngx_http_payhub_health_t *health);
uint64_t ngx_http_payhub_health_told(void);
json_t *ngx_http_payhub_health_accounts(uint64_t *told);
void ngx_http_payhub_health_look(void *data, size_t account,
    struct ph_route_sight *out);
void ngx_http_payhub_health_init_process(void);

/* ngx_http_payhub_route_success.c */

json_t *ngx_http_payhub_success_bare(json_t *items);
void ngx_http_payhub_success_set(json_t *items);
void ngx_http_payhub_success_look(ngx_http_payhub_health_t *health,
    struct ph_success_view *view);


#endif /* _NGX_HTTP_PAYHUB_ROUTE_INT_H_INCLUDED_ */

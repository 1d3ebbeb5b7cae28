
/*
 * What the edge shows: sums, buckets, accounts and their history.
 */


#ifndef _NGX_HTTP_PAYHUB_STATUS_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_STATUS_H_INCLUDED_


#include "ngx_http_payhub_limit.h"
#include "ngx_http_payhub_nonce.h"
#include "ngx_http_payhub_route.h"
#include "ngx_http_payhub_sync.h"


#define NGX_HTTP_PAYHUB_SECONDS        3600     /* an hour at 1 s */
#define NGX_HTTP_PAYHUB_MINUTES        1440     /* a day at 1 min */
#define NGX_HTTP_PAYHUB_SERIES_NAME    56
#define NGX_HTTP_PAYHUB_STATUS_MAX     (4 * 1024 * 1024)    /* one answer */


typedef enum {
    NGX_HTTP_PAYHUB_AS_JSON = 0,
    NGX_HTTP_PAYHUB_AS_PROMETHEUS,
    NGX_HTTP_PAYHUB_AS_FALCON,
    NGX_HTTP_PAYHUB_AS_EVENTS,
    NGX_HTTP_PAYHUB_AS_HTML,
    NGX_HTTP_PAYHUB_AS_HISTORY
} ngx_http_payhub_as_e;


/* a text that grows in a pool: a chain of buffers */

typedef struct {
    ngx_pool_t              *pool;
    ngx_chain_t             *out;
    ngx_chain_t            **last;
    ngx_buf_t               *buf;
    off_t                    len;
    unsigned                 failed:1;      /* no memory, or too long */
} ngx_http_payhub_text_t;


/* ngx_http_payhub_status_module.c */

void ngx_http_payhub_text_init(ngx_http_payhub_text_t *text,
    ngx_pool_t *pool);
void ngx_http_payhub_text_add(ngx_http_payhub_text_t *text, const void *p,
    size_t len);
void ngx_cdecl ngx_http_payhub_text_printf(ngx_http_payhub_text_t *text,
    const char *fmt, ...);      /* at most 1024 bytes, longer is cut */

/* ngx_http_payhub_status_tree.c: everything as one tree; NULL: no memory.
   @new reference */

json_t *ngx_http_payhub_status_tree(void);

/* accounts with calls_sum, bad_sum and open beside what routing tells */

json_t *ngx_http_payhub_status_accounts(void);

/* ngx_http_payhub_status_text.c */

void ngx_http_payhub_status_prometheus(ngx_http_payhub_text_t *text,
    json_t *tree);
void ngx_http_payhub_status_falcon(ngx_http_payhub_text_t *text,
    json_t *tree);

/* ngx_http_payhub_status_events.c */

ngx_int_t ngx_http_payhub_events_handler(ngx_http_request_t *r,
    ngx_msec_t life);

/* status.html as a C text, made by `config` */

extern const char  ngx_http_payhub_status_page[];

/*
 * ngx_http_payhub_history.c: one process of the host samples each second; a
 * sample is what was added to a sum since the one before.
 */

extern ngx_http_payhub_area_t  ngx_http_payhub_history_area;

void ngx_http_payhub_history_start(ngx_cycle_t *cycle);

/* {"step":, "to":, "series":{name:[...]}}, oldest first, null: not sampled */

void ngx_http_payhub_history_print(ngx_http_payhub_text_t *text,
    ngx_uint_t step, ngx_uint_t count);

/* the last whole second's value, 0 when there is none */

uint64_t ngx_http_payhub_history_last(const char *name);


extern ngx_module_t  ngx_http_payhub_status_module;


#endif /* _NGX_HTTP_PAYHUB_STATUS_H_INCLUDED_ */

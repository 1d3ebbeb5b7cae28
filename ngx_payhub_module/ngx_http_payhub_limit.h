
/*
 * Limits, as other modules see them: the step of a request and the zones for
 * status, control and sync.
 */


#ifndef _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_


#include "ngx_http_payhub_live.h"
#include "libpayhub/domain/limit_table.h"


#define NGX_HTTP_PAYHUB_LIMITS_MAX  64      /* payhub_limit_zone lines */


typedef struct {
    ngx_str_t                name;
    ngx_shm_zone_t          *shm_zone;
    ngx_http_complex_value_t key;
    struct ph_bucket_spec    base;          /* as in nginx.conf */
    struct ph_limit_table   *table;
    unsigned                 by_identity:1; /* key uses a proven identity */
    unsigned                 cluster:1;
} ngx_http_payhub_limit_zone_t;


/* in order of nginx.conf; NULL behind the last */

ngx_http_payhub_limit_zone_t *ngx_http_payhub_limit_zone(ngx_uint_t n);

extern ngx_http_payhub_live_kind_t  ngx_http_payhub_limit_live;


#endif /* _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_ */


/*
 * Replay guards, as other modules see them: the zones for status.
 */


#ifndef _NGX_HTTP_PAYHUB_NONCE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_NONCE_H_INCLUDED_


#include "ngx_http_payhub.h"
#include "libpayhub/domain/nonce_table.h"


#define NGX_HTTP_PAYHUB_NONCES_MAX  16      /* zones of payhub_nonce */


typedef struct {
    ngx_str_t                name;
    size_t                   size;
    time_t                   keep;          /* 2 x the largest window */
    ngx_shm_zone_t          *shm_zone;
    struct ph_nonce_table   *table;
} ngx_http_payhub_nonce_zone_t;


/* in order of nginx.conf; NULL behind the last */

ngx_http_payhub_nonce_zone_t *ngx_http_payhub_nonce_zone(ngx_uint_t n);


#endif /* _NGX_HTTP_PAYHUB_NONCE_H_INCLUDED_ */

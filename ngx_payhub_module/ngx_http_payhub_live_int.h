
/*
 * Between the files of live changes.
 */


#ifndef _NGX_HTTP_PAYHUB_LIVE_INT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIVE_INT_H_INCLUDED_


#include "ngx_http_payhub_live.h"
#include "ngx_http_payhub_state.h"


#define NGX_HTTP_PAYHUB_LIVE_LEN_BITS    20
#define NGX_HTTP_PAYHUB_LIVE_LEN_MASK    0xfffffu


typedef struct {
    uint64_t                      word;     /* generation << 20 | length */
    uint64_t                      told;
    uint64_t                      keeper;   /* who writes the state file */
    ngx_http_payhub_state_info_t  info[2];  /* changes, keys */
    uint64_t                      closed;   /* carried to other memory */
    uint64_t                      seal;     /* of the configuration of now */
    uint64_t                      sealed[2]; /* what each file has */
    uint64_t                      spare[1];
    u_char                        texts[2][NGX_HTTP_PAYHUB_LIVE_MAX];
} ngx_http_payhub_live_head_t;


/* ngx_http_payhub_live.c */

ngx_http_payhub_live_head_t *ngx_http_payhub_live_head(void);
json_t *ngx_http_payhub_live_parse(u_char *text, size_t len);
ngx_http_payhub_live_kind_t *ngx_http_payhub_live_kind(const char *name);
time_t ngx_http_payhub_live_until(json_t *change);
void ngx_http_payhub_live_forget(void);

/* whether a change was made to a directive that stands otherwise by now */

ngx_uint_t ngx_http_payhub_live_stale(ngx_pool_t *pool, json_t *change);

/* ngx_http_payhub_live_key.c */

extern ngx_http_payhub_live_kind_t  ngx_http_payhub_live_keys;

/* ngx_http_payhub_live_member.c: of the change at `i` in its array; NULL, or
   what was found and expected */

char *ngx_http_payhub_live_members(ngx_pool_t *pool, ngx_uint_t i,
    json_t *change, ngx_uint_t from_sync, ngx_uint_t removing);
char *ngx_http_payhub_live_shown(ngx_pool_t *pool, json_t *value);

/* ngx_http_payhub_live_write.c */

/* the zone's mutex; false: not to be had, or this memory is left behind */

ngx_uint_t ngx_http_payhub_live_lock(ngx_http_payhub_live_head_t *head);

/* NULL, or what was found and expected; the mutex is held */

char *ngx_http_payhub_live_publish(ngx_pool_t *pool,
    ngx_http_payhub_live_head_t *head, json_t *now, uint64_t generation);

void ngx_http_payhub_live_audit(ngx_str_t *by, const char *what,
    json_t *from, json_t *to, uint64_t generation);


#endif /* _NGX_HTTP_PAYHUB_LIVE_INT_H_INCLUDED_ */

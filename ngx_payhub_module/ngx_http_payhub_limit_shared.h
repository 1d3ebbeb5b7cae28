
/*
 * What lies in a payhub_limit_zone and beside a request, for the files of the
 * limits alone.
 */


#ifndef _NGX_HTTP_PAYHUB_LIMIT_SHARED_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIMIT_SHARED_H_INCLUDED_


#include "ngx_http_payhub_limit.h"


/* usage of a key, lock-free */

typedef struct {
    uint64_t                 tag;           /* 0: free */
    struct ph_hash128        key;
    uint64_t                 tokens;
    uint32_t                 len;           /* of text, 0: not yet */
    uint32_t                 idle;          /* reads without use */
    u_char                   text[NGX_HTTP_PAYHUB_LIMIT_TEXT_MAX];
} ngx_http_payhub_limit_use_t;


/* a key with settings by a live change */

typedef struct {
    struct ph_hash128        key;
    uint64_t                 print;         /* of the settings, 0: not yet */
} ngx_http_payhub_limit_live_t;


/* A key is in `live` from before its settings are in the table until after
   they have left it, so that a process killed in between leaves nothing that
   the next one does not find. */

struct ngx_http_payhub_limit_shared_s {
    void                    *memory;        /* of the table */
    size_t                   size;
    enum ph_bucket_kind      kind;
    struct ph_limit_table   *table;

    ngx_http_payhub_limit_use_t  *used;     /* NULL: not the cluster's */

    /* under the mutex */

    struct ph_bucket_spec    base;          /* of the latest nginx.conf */
    struct ph_bucket_spec    whole;         /* base, or a lasting change */
    struct ph_bucket_spec    over;          /* a change with an end */
    time_t                   over_until;    /* 0: none */
    ngx_uint_t               parts;         /* of both, for this host */

    struct ph_bucket_spec    lasting;       /* as the table has them */
    uint64_t                 ending;        /* over it, 0: none; as print */
    uint64_t                 generation;    /* of live changes, applied */
    ngx_uint_t               stale;         /* apply whatever generation */
    ngx_uint_t               live_n;
    ngx_http_payhub_limit_live_t  *live;    /* NGX_HTTP_PAYHUB_CHANGES_MAX */
};


typedef enum {
    NGX_HTTP_PAYHUB_LIMIT_GRANTED = 0,
    NGX_HTTP_PAYHUB_LIMIT_DELAYED,
    NGX_HTTP_PAYHUB_LIMIT_DENIED,
    NGX_HTTP_PAYHUB_LIMIT_SHADOWED,
    NGX_HTTP_PAYHUB_LIMIT_FULL,
    NGX_HTTP_PAYHUB_LIMIT_PEEKED
} ngx_http_payhub_limit_result_e;


/* one limit of a request */

typedef struct ngx_http_payhub_limit_entry_s  ngx_http_payhub_limit_entry_t;

struct ngx_http_payhub_limit_entry_s {
    ngx_http_payhub_limit_entry_t  *next;
    ngx_http_payhub_limit_t        *limit;
    ngx_str_t                       key;
    struct ph_limit_ask             ask;
    struct ph_bucket_answer         answer;
    ngx_http_payhub_limit_result_e  result;
};


#define NGX_HTTP_PAYHUB_LIMIT_FEW  2    /* that most requests meet */


/* all limits of a request; pr->limits */

typedef struct {
    ngx_http_payhub_limit_entry_t      *first;
    ngx_http_payhub_limit_entry_t     **last;
    ngx_http_payhub_limit_entry_t      *refused;    /* the one told of */
    ngx_http_payhub_limit_entry_t      *shadow;
    ngx_http_payhub_limit_entry_t      *delayed;

    /* one clock read for all that is decided in a turn of the loop */
    uint64_t                            now_ns;
    ngx_msec_t                          turn;

    /* blocks whose limits have been dealt with, by stage */
    ngx_http_payhub_limit_loc_conf_t   *done[NGX_HTTP_PAYHUB_LIMIT_STAGES];

    /* whose limits by identity were looked at, and the first of them */
    ngx_http_payhub_limit_loc_conf_t   *looked;
    ngx_http_payhub_limit_entry_t      *looked_first;

    ngx_uint_t                          entries_n;

    unsigned                            waiting:1;
    unsigned                            told:1;     /* fields are there */

    /* the first ones; not zeroed */
    ngx_http_payhub_limit_entry_t       entries[NGX_HTTP_PAYHUB_LIMIT_FEW];
} ngx_http_payhub_limit_ctx_t;


extern const struct ph_hash128  ngx_http_payhub_limit_everybody;

ngx_uint_t ngx_http_payhub_limit_same_spec(struct ph_bucket_spec *one,
    struct ph_bucket_spec *two);

/* under the mutex: settings of everybody as the table should have them */

void ngx_http_payhub_limit_everybody_hold(ngx_http_payhub_limit_zone_t *zone);

/* ngx_http_payhub_limit_zone_conf.c */

ngx_http_payhub_limit_zone_t *ngx_http_payhub_limit_named(ngx_conf_t *cf,
    ngx_http_payhub_limit_main_conf_t *lmcf, ngx_str_t *name);

/* ngx_http_payhub_limit_key_conf.c */

char *ngx_http_payhub_limit_zone_key(ngx_conf_t *cf,
    ngx_http_payhub_limit_zone_t *zone, ngx_str_t *value);

/* ngx_http_payhub_limit_key.c */

ngx_int_t ngx_http_payhub_limit_key(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_zone_t *zone,
    ngx_str_t *key);
struct ph_hash128 ngx_http_payhub_limit_hash_of(
    ngx_http_payhub_limit_zone_t *zone, ngx_str_t *key);
ngx_int_t ngx_http_payhub_limit_cost(ngx_http_request_t *r,
    ngx_http_payhub_limit_t *limit, uint64_t *cost);

/* ngx_http_payhub_limit_fields.c */

ngx_int_t ngx_http_payhub_limit_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* _NGX_HTTP_PAYHUB_LIMIT_SHARED_H_INCLUDED_ */

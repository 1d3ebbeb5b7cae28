
/*
 * Limits, as other modules see them: the steps of a request and the zones for
 * status, control and sync.
 *
 * A payhub_limit_zone is a shared memory zone of its own.  Behind nginx's slab
 * header lie a page that says what the zone is, the keys that live changes
 * were applied to, a table of usage where the zone is the cluster's, and the
 * buckets.  Requests take no lock; live changes hold the slab mutex, which
 * the master releases when a worker dies.
 */


#ifndef _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_


#include "ngx_http_payhub_live.h"
#include "libpayhub/domain/limit_table.h"


#define NGX_HTTP_PAYHUB_LIMITS_MAX      64      /* payhub_limit_zone lines */
#define NGX_HTTP_PAYHUB_LIMITS_LOC_MAX  16      /* payhub_limit a block */
#define NGX_HTTP_PAYHUB_LIMIT_SIZE_MIN  (64 * 1024)
#define NGX_HTTP_PAYHUB_LIMIT_SIZE_CLUSTER_MIN  (256 * 1024)
#define NGX_HTTP_PAYHUB_LIMIT_WAIT_MAX  60000   /* ms */
#define NGX_HTTP_PAYHUB_LIMIT_TIMES_MAX 1000    /* of a boost */
#define NGX_HTTP_PAYHUB_LIMIT_HASH_LEN  32      /* hex, of a directive */

/* of a cluster's zone: keys whose usage is kept, and the key texts told */
#define NGX_HTTP_PAYHUB_LIMIT_USED_MAX  512
#define NGX_HTTP_PAYHUB_LIMIT_PARTS     10000   /* the whole, as in Redis */
#define NGX_HTTP_PAYHUB_LIMIT_KNOWN          64      /* a power of two */
#define NGX_HTTP_PAYHUB_LIMIT_TEXT_MAX  64


/* when a limit is checked */

typedef enum {
    NGX_HTTP_PAYHUB_LIMIT_ADDRESS = 0,          /* before verification */
    NGX_HTTP_PAYHUB_LIMIT_IDENTITY,             /* behind the proof */
    NGX_HTTP_PAYHUB_LIMIT_ROUTE,                /* behind routing */
    NGX_HTTP_PAYHUB_LIMIT_STAGES
} ngx_http_payhub_limit_stage_e;


typedef enum {
    NGX_HTTP_PAYHUB_LIMIT_BY_VALUE = 0,
    NGX_HTTP_PAYHUB_LIMIT_BY_ADDRESS,
    NGX_HTTP_PAYHUB_LIMIT_BY_METHOD
} ngx_http_payhub_limit_by_e;


typedef struct ngx_http_payhub_limit_shared_s  ngx_http_payhub_limit_shared_t;


/* a short key and its hash, kept since callers come back: its first bytes and
   its last, which may be the same ones */

typedef struct {
    uint64_t                 text[2];
    uint64_t                 len;           /* 0: free */
    struct ph_hash128        hash;
} ngx_http_payhub_limit_known_t;


typedef struct {
    ngx_str_t                name;
    ngx_str_t                key_text;      /* as in nginx.conf */
    ngx_shm_zone_t          *shm_zone;      /* NULL: named, not defined */
    ngx_http_complex_value_t key;
    size_t                   key_field;     /* 1 + offset in a proven key, when
                                               `key` is that alone; or 0 */
    struct ph_bucket_spec    base;          /* as in nginx.conf */
    struct ph_limit_table   *table;

    ngx_http_payhub_limit_shared_t  *sh;
    ngx_slab_pool_t         *shpool;

    u_char                   hash[NGX_HTTP_PAYHUB_LIMIT_HASH_LEN];
                                            /* "base" of live changes */

    u_char                  *file_name;     /* where it was named first */
    ngx_uint_t               line;

    ngx_uint_t               use_next;      /* of usage, to be read */

    /* RateLimit-Policy of the settings that were shown last */
    struct ph_bucket_spec    shown;
    uint64_t                 shown_number;  /* as everybody's, 0: not known */
    ngx_str_t                policy;

    ngx_http_payhub_limit_by_e     by;
    ngx_http_payhub_limit_stage_e  stage;

    unsigned                 by_identity:1; /* key uses a proven identity */
    unsigned                 cluster:1;

    /* of this process */
    ngx_http_payhub_limit_known_t  known[NGX_HTTP_PAYHUB_LIMIT_KNOWN];
} ngx_http_payhub_limit_zone_t;


typedef struct {
    ngx_http_payhub_limit_zone_t  *zone;
    ngx_http_complex_value_t      *cost;    /* NULL: `tokens` */
    ngx_uint_t               tokens;
    ngx_msec_t               wait;          /* ms, 0: now or never */
    u_char                  *file_name;
    ngx_uint_t               line;
    unsigned                 shadow:1;
} ngx_http_payhub_limit_t;


typedef struct {
    ngx_array_t              zones;         /* of ..._limit_zone_t * */
} ngx_http_payhub_limit_main_conf_t;


typedef struct {
    ngx_array_t             *limits;        /* NULL: of the block around */
    unsigned                 stages:3;      /* bit a stage with limits */
    unsigned                 off:1;
} ngx_http_payhub_limit_loc_conf_t;


/* tokens of a key since its usage was read last; a hint of demand */

typedef struct {
    struct ph_hash128        key;
    uint64_t                 tokens;
    ngx_uint_t               len;
    u_char                   text[NGX_HTTP_PAYHUB_LIMIT_TEXT_MAX];
                                            /* longer keys: SHA-256, hex */
} ngx_http_payhub_limit_used_t;


/* in order of nginx.conf; NULL behind the last */

ngx_http_payhub_limit_zone_t *ngx_http_payhub_limit_zone(ngx_uint_t n);
ngx_http_payhub_limit_zone_t *ngx_http_payhub_limit_zone_by_name(
    ngx_str_t *name);

/* all zones for status and control: settings, live settings, usage */

json_t *ngx_http_payhub_limits_json(void);

/*
 * Before the nonce of a proven request is spent: NGX_OK when its limits by
 * identity would let it in now, nothing is taken; else it is refused.  So who
 * floods with good signatures does not fill the replay memory of everybody.
 */

ngx_int_t ngx_http_payhub_limit_look(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

/* whether any limit is on here: problem documents, X-Request-Id */

ngx_uint_t ngx_http_payhub_limit_on(ngx_http_request_t *r);

/* RateLimit, RateLimit-Policy, Retry-After; called before headers leave */

ngx_int_t ngx_http_payhub_limit_headers(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

/*
 * For sync.  usage: reads and clears, at most `max` keys a call; 0 for a zone
 * that is not the cluster's.  share: how many parts of what everybody's
 * settings say, nginx.conf's or a live change's, this host may use of any key;
 * it stays until another is told, also over reloads, while there is
 * payhub_sync.  lease: what this host may use of one key until `until` (unix
 * seconds); before and behind it the share holds.  PH_E_FULL: no room.
 * part: so many parts of settings, a token a day at least.
 */

ngx_uint_t ngx_http_payhub_limit_usage(ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_used_t *used, ngx_uint_t max);
enum ph_rc ngx_http_payhub_limit_lease(ngx_http_payhub_limit_zone_t *zone,
    struct ph_hash128 key, struct ph_bucket_spec *spec, time_t until);
void ngx_http_payhub_limit_part(struct ph_bucket_spec *spec,
    ngx_uint_t parts);
void ngx_http_payhub_limit_share(ngx_http_payhub_limit_zone_t *zone,
    ngx_uint_t parts);


/* ngx_http_payhub_limit_zone_conf.c */

char *ngx_http_payhub_limit_zone_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payhub_limit_spec(struct ph_bucket_spec *spec,
    struct ph_str rate, struct ph_str burst);

/* ngx_http_payhub_limit_conf.c */

char *ngx_http_payhub_limit_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payhub_limit_init_conf(ngx_conf_t *cf, void *conf);
char *ngx_http_payhub_limit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* ngx_http_payhub_limit_zone.c */

ngx_int_t ngx_http_payhub_limit_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
ngx_int_t ngx_http_payhub_limit_init_module(ngx_cycle_t *cycle);
void ngx_http_payhub_limit_use(ngx_http_payhub_limit_zone_t *zone,
    struct ph_hash128 key, ngx_str_t *text, uint64_t tokens);
uint64_t ngx_http_payhub_limit_now(void);

/* ngx_http_payhub_limit_live.c */

extern ngx_http_payhub_live_kind_t  ngx_http_payhub_limit_live;


#endif /* _NGX_HTTP_PAYHUB_LIMIT_H_INCLUDED_ */


/*
 * payhub_sync: one process of the host keeps links to a worker with the role
 * admin, and brings what it tells into the zone.
 *
 * Three links, each with one exchange at a time: "watch" asks for what is new
 * and is held by the worker until there is something; "tell" brings changes
 * that were made at this host; "share" goes only where limits are the
 * cluster's.  No request ever waits for any of them.
 *
 * The process that holds the links is the one whose word stands in the area.
 * What was read so far stands there as well, so that a later holder goes on
 * where the one before stood.
 */


#ifndef _NGX_HTTP_PAYHUB_SYNC_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_SYNC_H_INCLUDED_


#include "ngx_http_payhub_limit.h"
#include "ngx_http_payhub_route.h"
#include "libpayhub/domain/key_table.h"


#define NGX_HTTP_PAYHUB_SYNC_PEERS_MAX      64
#define NGX_HTTP_PAYHUB_SYNC_TICK           250     /* ms */
#define NGX_HTTP_PAYHUB_SYNC_LEASE          3000    /* ms without a tick */
#define NGX_HTTP_PAYHUB_SYNC_INTERVAL_MIN   100     /* ms */
#define NGX_HTTP_PAYHUB_SYNC_INTERVAL_MAX   30000
#define NGX_HTTP_PAYHUB_SYNC_TIMEOUT        5000    /* ms, for one exchange */
#define NGX_HTTP_PAYHUB_SYNC_BACKOFF_MIN    100
#define NGX_HTTP_PAYHUB_SYNC_BACKOFF_MAX    5000
#define NGX_HTTP_PAYHUB_SYNC_BATCH          32      /* keys a turn */
#define NGX_HTTP_PAYHUB_SYNC_SWEEP          512     /* keys looked at a turn */
#define NGX_HTTP_PAYHUB_SYNC_KEPT           (64 * 1024) /* of a buffer */
#define NGX_HTTP_PAYHUB_SYNC_CURSOR         128
#define NGX_HTTP_PAYHUB_SYNC_MARK           64
#define NGX_HTTP_PAYHUB_SYNC_TEXT           160


/* in the zone; written by the holder alone, read by whoever shows it */

typedef struct {
    ngx_atomic_t             holder;        /* ngx_http_payhub_owner(), or 0 */
    ngx_atomic_t             until;         /* ms, of the monotonic clock */

    uint64_t                 host;          /* random, of this memory */
    uint64_t                 upstream;      /* which workers these marks are */

    uint64_t                 linked;        /* the watch is answered */
    uint64_t                 heard_at;      /* unix seconds, 0: never */
    uint64_t                 asked;         /* exchanges begun */
    uint64_t                 failed;
    uint64_t                 taken;         /* times a process took over */
    uint64_t                 keys_put;
    uint64_t                 keys_off;
    uint64_t                 keys_refused;
    uint64_t                 keys_full;     /* full exchanges that ended */
    uint64_t                 keys_begin;    /* version of the first key of the
                                               full exchange under way */
    uint64_t                 keys_sweep;    /* 1: those before it have to go */
    uint64_t                 accounts;
    uint64_t                 live_refused;  /* changes that fit not here */
    uint64_t                 retell;        /* the cluster lost its changes */
    uint64_t                 hosts;         /* that share limits */

    u_char                   cursor[NGX_HTTP_PAYHUB_SYNC_CURSOR];
    u_char                   keys_mark[NGX_HTTP_PAYHUB_SYNC_MARK];
    u_char                   accounts_mark[NGX_HTTP_PAYHUB_SYNC_MARK];
    u_char                   live_mark[NGX_HTTP_PAYHUB_SYNC_MARK];
    u_char                   told_mark[NGX_HTTP_PAYHUB_SYNC_MARK];
    u_char                   peer[NGX_HTTP_PAYHUB_SYNC_TEXT];
    u_char                   error[NGX_HTTP_PAYHUB_SYNC_TEXT];
    uint64_t                 error_at;
} ngx_http_payhub_sync_shared_t;


typedef struct {
    struct sockaddr         *sockaddr;
    socklen_t                socklen;
    ngx_str_t                name;
} ngx_http_payhub_sync_peer_t;


typedef struct {
    ngx_http_upstream_srv_conf_t  *upstream;
    ngx_str_t                name;          /* as in nginx.conf */
    ngx_msec_t               interval;
    ngx_array_t              peers;         /* of ..._sync_peer_t */
    uint64_t                 hash;          /* of the peers' names */
} ngx_http_payhub_sync_conf_t;


typedef struct ngx_http_payhub_sync_link_s  ngx_http_payhub_sync_link_t;

/* ask: writes the body of a pull; NGX_DECLINED: nothing to ask for now.
   take: the answer, borrowed; NGX_AGAIN: it is kept (json_incref) and
   ngx_http_payhub_sync_done() follows. */

struct ngx_http_payhub_sync_link_s {
    char                    *name;
    ngx_int_t              (*ask)(ngx_http_payhub_sync_link_t *link,
                                  json_t *pull);
    ngx_int_t              (*take)(ngx_http_payhub_sync_link_t *link,
                                   json_t *push);
    ngx_msec_t               pause;         /* ms, between exchanges */

    ngx_peer_connection_t    pc;
    ngx_event_t              timer;         /* pause, backoff, timeout */
    ngx_uint_t               peer;
    ngx_uint_t               failures;      /* in a row */

    u_char                  *in;
    size_t                   in_size;
    size_t                   in_len;
    size_t                   frame_len;

    u_char                  *out;
    size_t                   out_len;
    size_t                   out_sent;

    u_char                   id[PH_FRAME_ID_LEN];

    unsigned                 on:1;
    unsigned                 waiting:1;     /* for an answer */
    unsigned                 taking:1;
};


/* what this process knows; NULL pointers: no zone, no directive */

typedef struct {
    ngx_http_payhub_sync_conf_t    *conf;
    ngx_http_payhub_sync_shared_t  *sh;
    struct ph_key_table            *keys;
    ngx_uint_t                      holds;
} ngx_http_payhub_sync_t;


extern ngx_http_payhub_sync_t  ngx_http_payhub_sync;
extern ngx_http_payhub_area_t  ngx_http_payhub_sync_area;


/* for payhub_status: state, age, last error.  NULL: no memory */

json_t *ngx_http_payhub_sync_json(void);

/* texts of the area: cut to what fits, always ended */

void ngx_http_payhub_sync_text(u_char *to, size_t size, const char *text,
    size_t len);
ngx_uint_t ngx_http_payhub_sync_mark(json_t *part, u_char *to);
void ngx_cdecl ngx_http_payhub_sync_error(const char *fmt, ...);

/* whether this process holds the links; one that lost them stops them here */

ngx_uint_t ngx_http_payhub_sync_holds(void);


/* ngx_http_payhub_sync_link.c */

void ngx_http_payhub_sync_link_start(ngx_http_payhub_sync_link_t *link);
void ngx_http_payhub_sync_link_stop(ngx_http_payhub_sync_link_t *link);
void ngx_http_payhub_sync_link_now(ngx_http_payhub_sync_link_t *link);
void ngx_http_payhub_sync_done(ngx_http_payhub_sync_link_t *link);

/* ngx_http_payhub_sync_watch.c */

extern ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_watch;

void ngx_http_payhub_sync_watch_stop(void);

/* ngx_http_payhub_sync_live.c */

extern ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_tell;

void ngx_http_payhub_sync_live(json_t *live);
ngx_uint_t ngx_http_payhub_sync_untold(void);

/* ngx_http_payhub_sync_share.c */

extern ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_share;

ngx_uint_t ngx_http_payhub_sync_shares(void);
void ngx_http_payhub_sync_share_away(void);


extern ngx_module_t  ngx_http_payhub_sync_module;


#endif /* _NGX_HTTP_PAYHUB_SYNC_H_INCLUDED_ */

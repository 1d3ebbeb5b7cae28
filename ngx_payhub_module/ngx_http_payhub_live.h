
/*
 * Live changes: nginx.conf is the base, changes made while it runs lie over
 * it.
 *
 * The zone holds all changes as one JSON text and a generation, published by
 * one store.  Each process builds from it a private, immutable snapshot when
 * it sees another generation; a request holds the snapshot that it began
 * with, so a whole request sees one version.  References are the process's
 * own: a killed process leaves none behind.
 *
 * A change, as JSON (payhub_control, frames, state file and CLI use this one
 * form; members that a kind does not know are refused):
 *
 *   {"kind":"limit","name":N,"key":K|null,"rate":"100/s","burst":"200"|"2s",
 *    "until":unix|0}
 *   {"kind":"limit","name":N,"key":K|null,"times":3,"until":unix}    a boost
 *   {"kind":"account","id":A,"weight":N,"drained":bool}    either or both
 *   {"kind":"route","name":N,"rules":["rule words ...", ...]}
 *   {"kind":"key","id":K,"revoked":true}
 *
 * and, added by the edge that took it: "by" (who), "at" (unix s), "base" (hash
 * of the directive it changes: on a reload with another hash the file wins).
 * Kind, name and key say which change it is; a later one takes its place.
 *
 * In the zone a change also has "gen", the generation that brought it, and
 * "sync":true when payhub_sync did.  With ngx_http_payhub_live_outbox() a
 * change that was taken away stays as {"kind":...,"removed":true,"gen":...}
 * until ngx_http_payhub_live_told() covers it; snapshots do not hold those.
 */


#ifndef _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_


#include <jansson.h>
#include "ngx_http_payhub.h"


#define NGX_HTTP_PAYHUB_LIVE_MAX      (256 * 1024)  /* bytes of JSON */
#define NGX_HTTP_PAYHUB_CHANGES_MAX   1024
#define NGX_HTTP_PAYHUB_LIVE_MS       250   /* between looks of a process */


typedef struct ngx_http_payhub_live_s  ngx_http_payhub_live_t;

struct ngx_http_payhub_live_s {
    uint64_t                 generation;    /* 0: nginx.conf alone */
    uint64_t                 epoch;         /* of the configuration */
    ngx_uint_t               refs;
    ngx_pool_t              *pool;          /* everything below lies there */
    json_t                  *changes;       /* array; borrowed */
    void                    *limits;        /* ngx_http_payhub_limit_build() */
    void                    *routes;        /* ngx_http_payhub_route_build() */

    struct ph_str           *revoked;       /* ids of keys, sorted */
    ngx_uint_t               revoked_n;
    time_t                   next_until;    /* the first to end, 0: none */
    unsigned                 stale:1;       /* the file won over some */
};


/* What each kind of change is checked and applied by.  check: NULL when the
   change can be applied, else what was found and expected (in `pool`); it
   fills in "base".  Members are known to the kind and of the right JSON type
   by then.  build makes the part of a snapshot, from all of live->changes.
   Both are called in any process. */

typedef struct {
    ngx_str_t                kind;
    char                  *(*check)(ngx_pool_t *pool, json_t *change);
    ngx_int_t              (*build)(ngx_http_payhub_live_t *live);
} ngx_http_payhub_live_kind_t;


/* the latest snapshot, held by the request until it ends; NULL: no memory */

ngx_http_payhub_live_t *ngx_http_payhub_live(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

/* the latest snapshot without a request; borrowed until back in the loop */

ngx_http_payhub_live_t *ngx_http_payhub_live_now(void);

/* whether a change revoked the key of that id; NULL: no */

ngx_uint_t ngx_http_payhub_live_revoked(ngx_http_payhub_live_t *live,
    struct ph_str id);

/* Applies changes on this host, all or none: one new generation.  `by` is for
   the audit line.  `from_sync` changes are not told to the worker again.
   NULL, or what was found and expected. */

char *ngx_http_payhub_live_apply(ngx_pool_t *pool, json_t *changes,
    ngx_str_t *by, ngx_uint_t from_sync, uint64_t *generation);

/* takes a change away: {"kind":..., "name":..., "key":...} */

char *ngx_http_payhub_live_remove(ngx_pool_t *pool, json_t *change,
    ngx_str_t *by, ngx_uint_t from_sync, uint64_t *generation);


/* the answer of both when the zone cannot be written now */

extern char  ngx_http_payhub_live_busy[];

/* a text of at most 511 bytes in the pool, for what was found and expected */

char *ngx_http_payhub_live_say(ngx_pool_t *pool, const char *fmt, ...);

/* All changes as JSON text, with those told of above; -1: no zone or no room.
   NGX_HTTP_PAYHUB_LIVE_MAX bytes are always enough. */

ssize_t ngx_http_payhub_live_read(u_char *to, size_t size,
    uint64_t *generation);


/* for payhub_sync: whether removals are kept until told; up to which
   generation all was told */

void ngx_http_payhub_live_outbox(ngx_uint_t on);
void ngx_http_payhub_live_told(uint64_t generation);
uint64_t ngx_http_payhub_live_told_until(void);


/* for payhub_zone and the state file */

extern ngx_http_payhub_area_t  ngx_http_payhub_live_area;

void ngx_http_payhub_live_close(void);
void ngx_http_payhub_live_carry(void *old);
void ngx_http_payhub_live_start(ngx_cycle_t *cycle);
void ngx_http_payhub_live_stop(void);
ngx_int_t ngx_http_payhub_live_restore(u_char *text, size_t len,
    uint64_t generation);
void *ngx_http_payhub_live_info(void);


#endif /* _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_ */

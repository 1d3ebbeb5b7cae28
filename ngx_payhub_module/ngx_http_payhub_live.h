
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
 */


#ifndef _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_


#include <jansson.h>
#include "ngx_http_payhub.h"


#define NGX_HTTP_PAYHUB_LIVE_MAX      (256 * 1024)  /* bytes of JSON */
#define NGX_HTTP_PAYHUB_CHANGES_MAX   1024


typedef struct ngx_http_payhub_live_s  ngx_http_payhub_live_t;

struct ngx_http_payhub_live_s {
    uint64_t                 generation;    /* 0: nginx.conf alone */
    ngx_uint_t               refs;
    ngx_pool_t              *pool;          /* everything below lies there */
    json_t                  *changes;       /* array; borrowed */
    void                    *limits;        /* ngx_http_payhub_limit_build() */
    void                    *routes;        /* ngx_http_payhub_route_build() */
};


/* What each kind of change is checked and applied by.  check: NULL when the
   change can be applied, else what was found and expected (in `pool`); it
   fills in "base".  build makes the part of a snapshot.  Both are called in
   any process, never during a request's own step. */

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

/* Applies changes on this host, all or none: one new generation.  `by` is for
   the audit line.  `from_sync` changes are not told to the worker again.
   NULL, or what was found and expected. */

char *ngx_http_payhub_live_apply(ngx_pool_t *pool, json_t *changes,
    ngx_str_t *by, ngx_uint_t from_sync, uint64_t *generation);

/* takes a change away: {"kind":..., "name":..., "key":...} */

char *ngx_http_payhub_live_remove(ngx_pool_t *pool, json_t *change,
    ngx_str_t *by, ngx_uint_t from_sync, uint64_t *generation);


#endif /* _NGX_HTTP_PAYHUB_LIVE_H_INCLUDED_ */

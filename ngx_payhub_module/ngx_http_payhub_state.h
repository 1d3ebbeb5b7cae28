
/*
 * The state file: live changes and dynamic keys, sealed, for the start of a
 * host whose worker is away.  Two files, PATH and PATH.keys, each replaced
 * whole and refused whole.
 */


#ifndef _NGX_HTTP_PAYHUB_STATE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_STATE_H_INCLUDED_


#include "ngx_http_payhub.h"
#include "libpayhub/domain/key_table.h"
#include "libpayhub/wire/seal.h"


typedef struct {
    ngx_str_t                path;          /* len 0: no state file */
    ngx_str_t                keys_path;
    struct ph_seal_key       key;
} ngx_http_payhub_state_conf_t;


typedef enum {
    NGX_HTTP_PAYHUB_STATE_OFF = 0,          /* none is configured */
    NGX_HTTP_PAYHUB_STATE_NONE,             /* no file was there */
    NGX_HTTP_PAYHUB_STATE_TAKEN,
    NGX_HTTP_PAYHUB_STATE_REFUSED,
    NGX_HTTP_PAYHUB_STATE_KEPT              /* memory was there already */
} ngx_http_payhub_state_e;


/* payhub_zone, of a configuration */

typedef struct {
    ngx_shm_zone_t              *shm_zone;  /* NULL: none */
    ngx_http_payhub_state_conf_t state;
} ngx_http_payhub_zone_conf_t;


/* what a start made of a file, and the last writing; lies in the zone */

typedef struct {
    uint64_t                 loaded;        /* ngx_http_payhub_state_e */
    uint64_t                 saved;         /* generation in the file */
    uint64_t                 saved_at;      /* unix seconds, 0: never */
    uint64_t                 failed;        /* writings that failed */
} ngx_http_payhub_state_info_t;


/*
 * For directives with state=PATH and seal=file:PATH, which stand together:
 * takes both, reads the seal.  `code` and `directive` begin messages.  One
 * state file for a configuration.
 */

char *ngx_http_payhub_state_set(ngx_conf_t *cf, char *code,
    ngx_str_t *directive, ngx_str_t *state, ngx_str_t *seal);

/* in the master, over fresh memory: the keys of the memory before it, NULL:
   none; then what the files have and memory had not */

void ngx_http_payhub_state_carry(ngx_cycle_t *cycle,
    struct ph_key_table *from);
void ngx_http_payhub_state_load(ngx_cycle_t *cycle,
    ngx_http_payhub_state_conf_t *state);

/* in the master, at a start and a reload: files of another seal are written
   anew, and who stays with the one before writes none any more */

void ngx_http_payhub_state_seal(ngx_http_payhub_state_conf_t *state);

/* In one process, now and then: writes a slice when there is something to
   write; true: there is more.  All of it when `all` (the process ends). */

ngx_uint_t ngx_http_payhub_state_tick(ngx_http_payhub_state_conf_t *state,
    ngx_uint_t all);
void ngx_http_payhub_state_stop(void);

/* false: no zone */

ngx_uint_t ngx_http_payhub_state_info(ngx_http_payhub_state_info_t *changes,
    ngx_http_payhub_state_info_t *keys);

ngx_http_payhub_state_conf_t *ngx_http_payhub_state_conf(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_PAYHUB_STATE_H_INCLUDED_ */

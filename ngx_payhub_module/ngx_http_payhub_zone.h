
/*
 * payhub_zone: the shared memory of a host's nginx.
 *
 * It is cut into areas, laid out once by the table in
 * ngx_http_payhub_zone_module.c; each area belongs to one file, which gives
 * its size and what to do with fresh memory.  Everything that requests touch
 * is lock-free; rare writers (control, sync) hold the slab mutex, which the
 * master releases when a worker dies.  A zone outlives reloads when name,
 * size and layout version are the same.
 */


#ifndef _NGX_HTTP_PAYHUB_ZONE_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_PAYHUB_SLOTS_MAX  256      /* processes that count */
#define NGX_HTTP_PAYHUB_LOCK_MS    1000     /* of waiting for the mutex */


typedef enum {
    NGX_HTTP_PAYHUB_AREA_COUNTERS = 0,
    NGX_HTTP_PAYHUB_AREA_HEALTH,
    NGX_HTTP_PAYHUB_AREA_HISTORY,
    NGX_HTTP_PAYHUB_AREA_LIVE,
    NGX_HTTP_PAYHUB_AREA_SYNC,
    NGX_HTTP_PAYHUB_AREA_KEYS,              /* the rest of the memory */
    NGX_HTTP_PAYHUB_AREAS
} ngx_http_payhub_area_e;


/*
 * What an area's owner gives to the table in ngx_http_payhub_zone_module.c.
 * size: bytes wanted when `left` bytes are left, never below size(0), which is
 * the least that works.  init: over zeroed memory that begins at a page; runs
 * in the master, before any process sees the memory.
 */

typedef struct {
    size_t                 (*size)(size_t left);
    ngx_int_t              (*init)(void *area, size_t size, ngx_log_t *log);
} ngx_http_payhub_area_t;


/* NULL without payhub_zone; size may be NULL; fixed from configuration to exit
   of a process, known from the init_process of modules behind the zone's on */

void *ngx_http_payhub_area(ngx_http_payhub_area_e area, size_t *size);

/* "NAME:SIZE" of shared memory for the directive `cmd`, whose refusals have
   `code`; NULL or NGX_CONF_ERROR, told */

char *ngx_http_payhub_name_size(ngx_conf_t *cf, ngx_command_t *cmd,
    char *code, ngx_str_t *value, size_t min, ngx_str_t *name, size_t *size);

/* For rare writers, held for less than a millisecond.  False: no zone, or
   not to be had within NGX_HTTP_PAYHUB_LOCK_MS. */

ngx_uint_t ngx_http_payhub_zone_lock(void);
void ngx_http_payhub_zone_unlock(void);

/* This process's slot: no other living process has it.  A slot of a process
   that died is taken over by a later one, which keeps its sums; who keeps
   gauges by slot zeroes them in init_process.  When all are taken, the last is
   shared.  Without payhub_zone: 0. */

ngx_uint_t ngx_http_payhub_slot(void);


typedef struct {
    ngx_pid_t                pid;
    uint64_t                 generation;    /* of live changes it serves */
    uint64_t                 epoch;         /* of its configuration */
} ngx_http_payhub_slot_info_t;


/* false: no living process has it */

ngx_uint_t ngx_http_payhub_slot_info(ngx_uint_t slot,
    ngx_http_payhub_slot_info_t *info);

/* times a process has taken a slot: another number, other processes */

uint64_t ngx_http_payhub_slot_claims(void);

/* tells which generation this process serves */

void ngx_http_payhub_slot_serves(uint64_t generation);

/* for the zone's module: at the start of a process and at its end */

void ngx_http_payhub_slot_claim(ngx_log_t *log);
void ngx_http_payhub_slot_release(void);

/* A process as a word that no later process of the same pid has; for leases
   kept in shared memory, taken by compare-and-swap. */

uint64_t ngx_http_payhub_owner(void);
ngx_uint_t ngx_http_payhub_owner_alive(uint64_t owner);

/* Configurations are counted from 1 as the master takes them into use; this
   process's, and whether there is no later one. */

uint64_t ngx_http_payhub_epoch(void);
ngx_uint_t ngx_http_payhub_epoch_latest(void);

/* unix seconds at which the memory was fresh */

time_t ngx_http_payhub_zone_born(void);


/* Sums of all processes: plain increments in the slot of each. */

typedef enum {
#define COUNTER(name, text, labels, help)  NGX_HTTP_PAYHUB_COUNT_##name,
#include "ngx_http_payhub_counters.def"
#undef COUNTER
    NGX_HTTP_PAYHUB_COUNTERS
} ngx_http_payhub_counter_e;


extern uint64_t  *ngx_http_payhub_counts;   /* of this slot, or a sink */


static ngx_inline void
ngx_http_payhub_count(ngx_http_payhub_counter_e counter)
{
    ngx_http_payhub_counts[counter]++;
}


extern ngx_http_payhub_area_t  ngx_http_payhub_counters_area;

/* sum over all slots */

uint64_t ngx_http_payhub_count_read(ngx_http_payhub_counter_e counter);


#endif /* _NGX_HTTP_PAYHUB_ZONE_H_INCLUDED_ */


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


typedef enum {
    NGX_HTTP_PAYHUB_AREA_COUNTERS = 0,
    NGX_HTTP_PAYHUB_AREA_HEALTH,
    NGX_HTTP_PAYHUB_AREA_HISTORY,
    NGX_HTTP_PAYHUB_AREA_LIVE,
    NGX_HTTP_PAYHUB_AREA_SYNC,
    NGX_HTTP_PAYHUB_AREA_KEYS,              /* the rest of the memory */
    NGX_HTTP_PAYHUB_AREAS
} ngx_http_payhub_area_e;


/* NULL without payhub_zone; fixed from configuration to exit of a process */

void *ngx_http_payhub_area(ngx_http_payhub_area_e area, size_t *size);

/* for rare writers; false: no zone */

ngx_uint_t ngx_http_payhub_zone_lock(void);
void ngx_http_payhub_zone_unlock(void);

/* This process's slot: no other living process has it.  A slot of a process
   that died is taken over by a later one, its gauges zeroed, its sums kept. */

ngx_uint_t ngx_http_payhub_slot(void);

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


/* sum over all slots */

uint64_t ngx_http_payhub_count_read(ngx_http_payhub_counter_e counter);


#endif /* _NGX_HTTP_PAYHUB_ZONE_H_INCLUDED_ */

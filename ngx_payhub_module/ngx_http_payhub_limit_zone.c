
/*
 * payhub_limit_zone: the shared memory of limits, usage of the cluster's
 * zones, leases.
 */


#include "ngx_http_payhub_limit_shared.h"
#include "ngx_http_payhub_sync.h"
#include <openssl/rand.h>


/* probes of a key in the table of usage, and reads without use until a place
   is given to another key */
#define NGX_HTTP_PAYHUB_LIMIT_USE_PROBES  8
#define NGX_HTTP_PAYHUB_LIMIT_USE_IDLE    32


static size_t ngx_http_payhub_limit_room(ngx_slab_pool_t *shpool);
static ngx_int_t ngx_http_payhub_limit_zone_again(
    ngx_http_payhub_limit_zone_t *zone, ngx_log_t *log);
static void ngx_http_payhub_limit_use_text(
    ngx_http_payhub_limit_use_t *use, ngx_str_t *text);


/*
 * A reload finds the memory of the cycle before when name and size are equal;
 * another size is a new memory, in which every bucket is full.  What cannot be
 * changed in memory that workers are using stops the reload.
 */

ngx_int_t
ngx_http_payhub_limit_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t                           size;
    uint8_t                          secret[PH_SIPHASH_KEY_LEN];
    u_char                          *memory;
    enum ph_rc                       rc;
    ngx_slab_pool_t                 *shpool;
    ngx_http_payhub_limit_zone_t    *zone;
    ngx_http_payhub_limit_shared_t  *sh;

    zone = shm_zone->data;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone->shpool = shpool;

    if (data || shm_zone->shm.exists) {
        return ngx_http_payhub_limit_zone_again(zone, shm_zone->shm.log);
    }

    shpool->log_nomem = 0;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_payhub_limit_shared_t));
    if (sh == NULL) {
        goto failed;
    }

    sh->live = ngx_slab_calloc(shpool, NGX_HTTP_PAYHUB_CHANGES_MAX
                                       * sizeof(ngx_http_payhub_limit_live_t));
    if (sh->live == NULL) {
        goto failed;
    }

    if (zone->cluster) {
        sh->used = ngx_slab_calloc(shpool,
                                   NGX_HTTP_PAYHUB_LIMIT_USED_MAX
                                   * sizeof(ngx_http_payhub_limit_use_t));
        if (sh->used == NULL) {
            goto failed;
        }
    }

    size = ngx_http_payhub_limit_room(shpool);

    memory = ngx_slab_alloc(shpool, size);
    if (memory == NULL) {
        goto failed;
    }

#if (NGX_DEBUG_MALLOC)
    /* else it is as the kernel gave it, and pages nobody uses stay away */
    ngx_memzero(memory, size);
#endif

    if (RAND_bytes(secret, sizeof(secret)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "payhub_limit_zone: RAND_bytes() failed");
        return NGX_ERROR;
    }

    sh->memory = memory;
    sh->size = size;
    sh->kind = zone->base.kind;
    sh->base = zone->base;
    sh->whole = zone->base;
    sh->lasting = zone->base;
    sh->parts = NGX_HTTP_PAYHUB_LIMIT_PARTS;

    sh->table = ph_limit_table_make(memory, size, zone->base.kind, secret);

    ngx_explicit_memzero(secret, sizeof(secret));

    if (sh->table == NULL) {
        goto failed;
    }

    rc = ph_limit_set(sh->table, ngx_http_payhub_limit_everybody,
                      &zone->base, 0, ngx_http_payhub_limit_now());

    if (rc != PH_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "PH-C301 payhub_limit_zone: found settings of \"%V\" "
                      "that its table does not take, expected a smaller rate, "
                      "burst or warmup", &zone->name);
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->table = sh->table;
    shpool->data = sh;

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "PH-C301 payhub_limit_zone: found size %uz for \"%V\", "
                  "expected more", shm_zone->shm.size, &zone->name);

    return NGX_ERROR;
}


/* the bytes of the longest run of pages that is left */

static size_t
ngx_http_payhub_limit_room(ngx_slab_pool_t *shpool)
{
    ngx_uint_t        pages;
    ngx_slab_page_t  *page;

    pages = 0;

    for (page = shpool->free.next; page != &shpool->free; page = page->next) {
        if (page->slab > pages) {
            pages = page->slab;
        }
    }

    return pages * ngx_pagesize;
}


static ngx_int_t
ngx_http_payhub_limit_zone_again(ngx_http_payhub_limit_zone_t *zone,
    ngx_log_t *log)
{
    ngx_http_payhub_limit_shared_t  *sh;

    sh = zone->shpool->data;

    if (sh->kind != zone->base.kind
        || (sh->used != NULL) != (zone->cluster == 1))
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "PH-C301 payhub_limit_zone: found another algorithm, or "
                      "\"cluster\" changed, in zone \"%V\" that is in use, "
                      "expected another name or size with it", &zone->name);
        return NGX_ERROR;
    }

    if (ph_limit_table_open(sh->memory, sh->size, sh->kind) == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "PH-C301 payhub_limit_zone: found memory of zone \"%V\" "
                      "laid out by another version, expected a restart, or "
                      "another name or size", &zone->name);
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->table = sh->table;

    return NGX_OK;
}


/*
 * Settings changed in the file take effect when nothing can stop the new
 * configuration any more.  Where the file's settings hold now they are put in
 * here; where a live change stands over them, the processes that start judge.
 */

ngx_int_t
ngx_http_payhub_limit_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                            i, synced;
    ngx_http_payhub_sync_conf_t          *pscf;
    ngx_http_payhub_limit_zone_t        **zones, *zone;
    ngx_http_payhub_limit_shared_t       *sh;
    ngx_http_payhub_limit_main_conf_t    *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_payhub_limit_module);
    if (lmcf == NULL) {
        return NGX_OK;
    }

    pscf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_payhub_sync_module);
    synced = (pscf && pscf->upstream);

    zones = lmcf->zones.elts;

    for (i = 0; i < lmcf->zones.nelts; i++) {
        zone = zones[i];
        sh = zone->sh;

        ngx_shmtx_lock(&zone->shpool->mutex);

        sh->stale = 1;

        if (!ngx_http_payhub_limit_same_spec(&sh->base, &zone->base)) {
            sh->base = zone->base;
            sh->whole = zone->base;
        }

        if (!synced) {
            sh->parts = NGX_HTTP_PAYHUB_LIMIT_PARTS;
        }

        ngx_http_payhub_limit_everybody_hold(zone);

        ngx_shmtx_unlock(&zone->shpool->mutex);
    }

    return NGX_OK;
}


uint64_t
ngx_http_payhub_limit_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


ngx_uint_t
ngx_http_payhub_limit_same_spec(struct ph_bucket_spec *one,
    struct ph_bucket_spec *two)
{
    return one->kind == two->kind
           && one->rate.tokens == two->rate.tokens
           && one->rate.per_ns == two->rate.per_ns
           && one->burst_tokens == two->burst_tokens
           && one->burst_ns == two->burst_ns
           && one->warmup_ns == two->warmup_ns;
}


/*
 * A place is claimed by one compare-and-swap of its tag.  A reader that frees
 * a place at the moment in which a request adds to it hands those tokens to
 * the next key there: usage is a hint of demand, never an account.  A request
 * that finds no place is not told of.
 */

void
ngx_http_payhub_limit_use(ngx_http_payhub_limit_zone_t *zone,
    struct ph_hash128 key, ngx_str_t *text, uint64_t tokens)
{
    uint64_t                      tag, seen;
    ngx_uint_t                    i;
    ngx_http_payhub_limit_use_t  *use;

    if (zone->sh->used == NULL) {
        return;
    }

    tag = key.hi | 1;

    for (i = 0; i < NGX_HTTP_PAYHUB_LIMIT_USE_PROBES; i++) {
        use = &zone->sh->used[(key.lo + i) % NGX_HTTP_PAYHUB_LIMIT_USED_MAX];

        seen = __atomic_load_n(&use->tag, __ATOMIC_ACQUIRE);

        if (seen == 0
            && __atomic_compare_exchange_n(&use->tag, &seen, tag, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            use->key = key;
            ngx_http_payhub_limit_use_text(use, text);
            seen = tag;
        }

        if (seen == tag) {
            (void) __atomic_fetch_add(&use->tokens, tokens, __ATOMIC_RELAXED);
            return;
        }
    }
}


static void
ngx_http_payhub_limit_use_text(ngx_http_payhub_limit_use_t *use,
    ngx_str_t *text)
{
    size_t         len;
    uint8_t        sum[PH_SHA256_LEN];
    struct ph_str  piece;

    len = text->len;

    if (len <= NGX_HTTP_PAYHUB_LIMIT_TEXT_MAX) {
        ngx_memcpy(use->text, text->data, len);

    } else {
        piece = ngx_http_payhub_view(text);

        if (!ph_sha256(&piece, 1, sum)) {
            return;
        }

        (void) ngx_hex_dump(use->text, sum, sizeof(sum));
        len = 2 * sizeof(sum);
    }

    /* a text of length 0 is one that is not whole yet */
    __atomic_store_n(&use->len, (uint32_t) len, __ATOMIC_RELEASE);
}


ngx_uint_t
ngx_http_payhub_limit_usage(ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_used_t *used, ngx_uint_t max)
{
    uint32_t                      len;
    uint64_t                      tokens;
    ngx_uint_t                    i, n;
    ngx_http_payhub_limit_use_t  *use;

    if (zone->sh->used == NULL) {
        return 0;
    }

    n = 0;

    /* on from where the last call ended: all have their turn */

    for (i = 0; i < NGX_HTTP_PAYHUB_LIMIT_USED_MAX && n < max; i++) {
        use = &zone->sh->used[zone->use_next++
                              % NGX_HTTP_PAYHUB_LIMIT_USED_MAX];

        if (__atomic_load_n(&use->tag, __ATOMIC_ACQUIRE) == 0) {
            continue;
        }

        len = __atomic_load_n(&use->len, __ATOMIC_ACQUIRE);
        tokens = 0;

        if (len) {
            tokens = __atomic_exchange_n(&use->tokens, 0, __ATOMIC_RELAXED);
        }

        if (tokens == 0) {
            /* also for a place whose claimer died before it had a text */

            if (++use->idle >= NGX_HTTP_PAYHUB_LIMIT_USE_IDLE) {
                use->idle = 0;
                __atomic_store_n(&use->len, 0, __ATOMIC_RELEASE);
                __atomic_store_n(&use->tag, 0, __ATOMIC_RELEASE);
            }

            continue;
        }

        use->idle = 0;

        used[n].key = use->key;
        used[n].tokens = tokens;
        used[n].len = ngx_min(len, NGX_HTTP_PAYHUB_LIMIT_TEXT_MAX);
        ngx_memcpy(used[n].text, use->text, used[n].len);
        n++;
    }

    return n;
}


enum ph_rc
ngx_http_payhub_limit_lease(ngx_http_payhub_limit_zone_t *zone,
    struct ph_hash128 key, struct ph_bucket_spec *spec, time_t until)
{
    enum ph_rc  rc;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = ph_limit_set(zone->table, key, spec, until,
                      ngx_http_payhub_limit_now());

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_http_payhub_limit_part(struct ph_bucket_spec *spec, ngx_uint_t parts)
{
    if (ph_bucket_spec_times(spec, parts, NGX_HTTP_PAYHUB_LIMIT_PARTS)
        != PH_OK)
    {
        spec->rate.tokens = 1;
        spec->rate.per_ns = PH_RATE_PER_NS_MAX;
        spec->burst_tokens = ngx_min(spec->burst_tokens, 1);
    }
}


void
ngx_http_payhub_limit_share(ngx_http_payhub_limit_zone_t *zone,
    ngx_uint_t parts)
{
    if (zone->sh->parts == parts || parts == 0
        || parts > NGX_HTTP_PAYHUB_LIMIT_PARTS)
    {
        return;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    zone->sh->parts = parts;
    ngx_http_payhub_limit_everybody_hold(zone);

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * payhub_nonce: a signed request is served once.
 *
 * The nonce is inserted behind the proof, once a main request, and kept for
 * twice the window.  It stays spent whatever becomes of the request.  The
 * memory outlives reloads; what was seen before its birth is not known, so a
 * request that is older than that goes to a worker, which asks Redis, or is
 * refused.
 *
 * A body may come in long after its header was judged, so the timestamp is
 * compared with the clock once more: no entry is forgotten while its request
 * could be inserted again.
 */


#include "ngx_http_payhub_limit.h"
#include "ngx_http_payhub_nonce.h"

#include <openssl/rand.h>


#define NGX_HTTP_PAYHUB_NONCE_PAGES_MIN  8
#define NGX_HTTP_PAYHUB_AHEAD_MAX        3600


typedef struct {
    ngx_array_t                    zones;   /* of pointers to them */
} ngx_http_payhub_nonce_main_conf_t;


typedef struct {
    ngx_http_payhub_nonce_zone_t  *zone;    /* NULL: off */
    time_t                         ahead;   /* of callers' clocks, seconds */
    unsigned                       accept:1;       /* what is cold */
    unsigned                       location:1;     /* named in a location */
} ngx_http_payhub_nonce_loc_conf_t;


static ngx_int_t ngx_http_payhub_nonce_spend(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_nonce_loc_conf_t *nlcf);
static ngx_int_t ngx_http_payhub_nonce_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, char *reason);

static ngx_int_t ngx_http_payhub_nonce_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);

static char *ngx_http_payhub_nonce(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_nonce_option(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_payhub_nonce_loc_conf_t *nlcf, ngx_str_t *value);
static char *ngx_http_payhub_nonce_zone_option(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_payhub_nonce_loc_conf_t *nlcf,
    ngx_str_t *value);
static char *ngx_http_payhub_nonce_add_zone(ngx_conf_t *cf,
    ngx_http_payhub_nonce_loc_conf_t *nlcf, ngx_str_t *name, size_t size);
static ngx_shm_zone_t *ngx_http_payhub_nonce_known(ngx_conf_t *cf,
    ngx_str_t *name);
static void *ngx_http_payhub_nonce_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_payhub_nonce_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_nonce_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_payhub_nonce_postconfiguration(ngx_conf_t *cf);


static ngx_command_t  ngx_http_payhub_nonce_commands[] = {

    { ngx_string("payhub_nonce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_payhub_nonce,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_nonce_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_payhub_nonce_postconfiguration,
                                           /* postconfiguration */

    ngx_http_payhub_nonce_create_main_conf,
                                           /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_nonce_create_loc_conf, /* create location configuration */
    ngx_http_payhub_nonce_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_nonce_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_nonce_module_ctx,     /* module context */
    ngx_http_payhub_nonce_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_http_payhub_nonce_step(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_payhub_request_t         *pr;
    ngx_http_payhub_nonce_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_nonce_module);

    if (nlcf->zone == NULL || !ngx_http_payhub_verify_on(r)) {
        return NGX_DECLINED;
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_payhub_proven(r, pr)) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payhub nonce: request without a verdict");
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_INTERNAL, NULL);
    }

    if (!pr->nonce_new) {
        rc = ngx_http_payhub_nonce_spend(r, pr, nlcf);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* decided anew in each location: one may pass what another could not */

    pr->nonce_cold = pr->nonce_old && !nlcf->accept;

    if (pr->nonce_cold && !ngx_http_payhub_pass_on(r)) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_NOT_EXECUTED,
                                      "signed before the replay guard of "
                                      "this server began; sign again");
    }

    return NGX_DECLINED;
}


/* NGX_OK: it was new and is spent now */

static ngx_int_t
ngx_http_payhub_nonce_spend(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_nonce_loc_conf_t *nlcf)
{
    time_t                         now, sent, window;
    ngx_int_t                      rc;
    ngx_http_payhub_nonce_zone_t  *zone;

    zone = nlcf->zone;

    now = ngx_time();
    sent = (time_t) pr->auth.timestamp;
    window = ngx_http_payhub_verify_skew(r);

    if (sent < now - window || sent > now + window) {
        return ngx_http_payhub_nonce_refuse(r, pr, "window");
    }

    rc = ngx_http_payhub_limit_look(r, pr);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (ph_nonce_insert(zone->table, pr->auth.key_id, pr->auth.nonce, now,
                            (uint32_t) zone->keep))
    {

    case PH_NONCE_NEW:
        break;

    case PH_NONCE_SEEN:
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_NONCE_SEEN);
        return ngx_http_payhub_nonce_refuse(r, pr, "replay");

    default: /* PH_NONCE_NO_ROOM */
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_NONCE_FULL);
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub nonce: no room in zone \"%V\"; it keeps a nonce "
                      "for %T seconds, make it larger", &zone->name,
                      zone->keep);
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_NOT_EXECUTED, NULL);
    }

    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_NONCE_NEW);

    pr->nonce_new = 1;

    /* behind the insert: what it may have missed is known by then */

    if (ph_nonce_is_cold(zone->table, sent, window, nlcf->ahead)) {
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_NONCE_COLD);
        pr->nonce_old = 1;
    }

    return NGX_OK;
}


/* as any request that is not proven: one answer for every cause */

static ngx_int_t
ngx_http_payhub_nonce_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, char *reason)
{
    struct ph_str  id;

    pr->verdict = NGX_HTTP_PAYHUB_REFUSED;
    pr->reason = reason;

    id = pr->auth.key_id;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "payhub verify refused: %s, key \"%*s\", request %*s",
                  reason, id.len, id.ptr, sizeof(pr->id_text), pr->id_text);

    return ngx_http_payhub_refuse(r, pr, PH_ERROR_AUTH, NULL);
}


ngx_http_payhub_nonce_zone_t *
ngx_http_payhub_nonce_zone(ngx_uint_t n)
{
    ngx_http_payhub_nonce_zone_t       **zones;
    ngx_http_payhub_nonce_main_conf_t   *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_payhub_nonce_module);

    if (nmcf == NULL || n >= nmcf->zones.nelts) {
        return NULL;
    }

    zones = nmcf->zones.elts;

    return zones[n];
}


/* All of the pages in one piece; the slab pool stays as the lid on it. */

static ngx_int_t
ngx_http_payhub_nonce_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char                         secret[PH_SIPHASH_KEY_LEN];
    size_t                         size;
    ngx_slab_pool_t               *shpool;
    ngx_http_payhub_nonce_zone_t  *zone;

    zone = shm_zone->data;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    size = (shpool->last - shpool->pages) * ngx_pagesize;

    if (data || shm_zone->shm.exists) {

        /* made by the binary that ran before, and still used by it */

        zone->table = ph_nonce_table_open(shpool->data, size);

        if (zone->table == NULL) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "PH-C203 payhub_nonce: zone \"%V\": found memory "
                          "of another version, expected this one; give the "
                          "zone another name", &zone->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (RAND_bytes(secret, sizeof(secret)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "payhub: RAND_bytes() failed");
        return NGX_ERROR;
    }

    shpool->data = ngx_slab_alloc(shpool, size);
    if (shpool->data == NULL) {
        return NGX_ERROR;
    }

    /* fresh pages are zero; those that are not used yet stay untouched */

#if (NGX_DEBUG_MALLOC || NGX_HAVE_DEBUG_MALLOC)
    ngx_memzero(shpool->data, size);
#endif

    /* reading a large configuration takes its time */
    ngx_time_update();

    zone->table = ph_nonce_table_make(shpool->data, size, ngx_time(), secret);

    return zone->table ? NGX_OK : NGX_ERROR;
}


static char *
ngx_http_payhub_nonce(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_nonce_loc_conf_t  *nlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (nlcf->zone != NGX_CONF_UNSET_PTR) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C203");
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        nlcf->zone = NULL;
        return NGX_CONF_OK;
    }

    nlcf->ahead = NGX_CONF_UNSET;
    nlcf->location = (cf->cmd_type == NGX_HTTP_LOC_CONF);

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_payhub_nonce_option(cf, cmd, nlcf, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (nlcf->zone == NGX_CONF_UNSET_PTR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C203 payhub_nonce: found no zone=name:size, "
                           "expected one, or off alone");
        return NGX_CONF_ERROR;
    }

    if (nlcf->ahead == NGX_CONF_UNSET) {
        nlcf->ahead = 0;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_nonce_option(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_payhub_nonce_loc_conf_t *nlcf, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "zone=", 5) == 0
        && nlcf->zone == NGX_CONF_UNSET_PTR)
    {
        return ngx_http_payhub_nonce_zone_option(cf, cmd, nlcf, value);
    }

    if (ngx_strcmp(value->data, "cold=accept") == 0 && !nlcf->accept) {
        nlcf->accept = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "ahead=", 6) == 0
        && nlcf->ahead == NGX_CONF_UNSET)
    {
        s.data = value->data + 6;
        s.len = value->len - 6;

        nlcf->ahead = ngx_parse_time(&s, 1);

        if (nlcf->ahead >= 0 && nlcf->ahead <= NGX_HTTP_PAYHUB_AHEAD_MAX) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C203 payhub_nonce: found \"%V\", expected "
                           "ahead= a time of 0s to %ds", value,
                           NGX_HTTP_PAYHUB_AHEAD_MAX);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C203 payhub_nonce: found \"%V\", expected "
                       "zone=name:size, cold=accept and ahead=time, each "
                       "once, or off alone", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_nonce_zone_option(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_payhub_nonce_loc_conf_t *nlcf, ngx_str_t *value)
{
    char       *rv;
    size_t      size;
    ngx_str_t   name, rest;

    rest.data = value->data + 5;
    rest.len = value->len - 5;

    rv = ngx_http_payhub_name_size(cf, cmd, "PH-C203", &rest,
                                   NGX_HTTP_PAYHUB_NONCE_PAGES_MIN
                                   * ngx_pagesize, &name, &size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_payhub_nonce_add_zone(cf, nlcf, &name, size);
}


static char *
ngx_http_payhub_nonce_add_zone(ngx_conf_t *cf,
    ngx_http_payhub_nonce_loc_conf_t *nlcf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t                      *shm_zone;
    ngx_http_payhub_nonce_zone_t        *zone, **slot;
    ngx_http_payhub_nonce_main_conf_t   *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_payhub_nonce_module);

    shm_zone = ngx_http_payhub_nonce_known(cf, name);

    if (shm_zone && shm_zone->tag != &ngx_http_payhub_nonce_module) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C203 payhub_nonce: found zone \"%V\" in use "
                           "by another directive, expected a name of its own",
                           name);
        return NGX_CONF_ERROR;
    }

    if (shm_zone) {
        nlcf->zone = shm_zone->data;

        if (nlcf->zone->size != size) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C203 payhub_nonce: zone \"%V\": found the "
                               "size %uz, expected %uz as before", name, size,
                               nlcf->zone->size);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (nmcf->zones.nelts == NGX_HTTP_PAYHUB_NONCES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C203 payhub_nonce: found one zone more, "
                           "expected at most %d", NGX_HTTP_PAYHUB_NONCES_MAX);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_nonce_zone_t));
    slot = ngx_array_push(&nmcf->zones);
    if (zone == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->name = *name;
    zone->size = size;

    zone->shm_zone = ngx_shared_memory_add(cf, name, size,
                                           &ngx_http_payhub_nonce_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_payhub_nonce_init_zone;
    zone->shm_zone->data = zone;

    *slot = zone;
    nlcf->zone = zone;

    return NGX_CONF_OK;
}


/* of this configuration, under any tag; NULL: none */

static ngx_shm_zone_t *
ngx_http_payhub_nonce_known(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *shm_zone;
    ngx_list_part_t  *part;

    part = &cf->cycle->shared_memory.part;
    shm_zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            shm_zone = part->elts;
            i = 0;
        }

        if (shm_zone[i].shm.name.len == name->len
            && ngx_strncmp(shm_zone[i].shm.name.data, name->data, name->len)
               == 0)
        {
            return &shm_zone[i];
        }
    }
}


static void *
ngx_http_payhub_nonce_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_nonce_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_nonce_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->zones, cf->pool, 1,
                       sizeof(ngx_http_payhub_nonce_zone_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_payhub_nonce_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_nonce_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_nonce_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->zone = NGX_CONF_UNSET_PTR;

    return conf;
}


/* payhub_verify of the same block has been merged: its module stands before */

static char *
ngx_http_payhub_nonce_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_payhub_nonce_loc_conf_t  *prev = parent;
    ngx_http_payhub_nonce_loc_conf_t  *conf = child;

    time_t                     window;
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->zone == NGX_CONF_UNSET_PTR) {

        if (prev->zone == NGX_CONF_UNSET_PTR) {
            prev->zone = NULL;
        }

        *conf = *prev;
        conf->location = 0;
    }

    if (conf->zone == NULL) {
        return NGX_CONF_OK;
    }

    window = ngx_http_payhub_verify_conf_skew(cf);

    if (window) {
        conf->zone->keep = ngx_max(conf->zone->keep, 2 * window);
        return NGX_CONF_OK;
    }

    if (conf->location) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C203 payhub_nonce: found no payhub_verify for "
                           "location \"%V\", expected one: a nonce that "
                           "nobody signed says nothing", &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_nonce_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                           i;
    ngx_http_payhub_nonce_zone_t       **zones;
    ngx_http_payhub_nonce_main_conf_t   *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_payhub_nonce_module);

    zones = nmcf->zones.elts;

    for (i = 0; i < nmcf->zones.nelts; i++) {

        if (zones[i]->keep == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C203 payhub_nonce: found no payhub_verify "
                               "where zone \"%V\" is used, expected one: a "
                               "nonce that nobody signed says nothing",
                               &zones[i]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

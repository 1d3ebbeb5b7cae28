
/*
 * payhub_zone: the shared memory and its areas.
 */


#include <sys/mman.h>
#include "ngx_http_payhub_live.h"
#include "ngx_http_payhub_status.h"
#include "ngx_http_payhub_route.h"
#include "ngx_http_payhub_state.h"
#include "ngx_http_payhub_sync.h"
#include "libpayhub/domain/key_table.h"
#include <openssl/rand.h>


#define NGX_HTTP_PAYHUB_ZONE_MAGIC    0x31454e4f5a485001ull
#define NGX_HTTP_PAYHUB_ZONE_LAYOUT   3     /* raise when any area changes */
#define NGX_HTTP_PAYHUB_KEYS_MIN      (256 * 1024)


typedef struct {
    uint64_t                 offset;        /* from the head */
    uint64_t                 size;
} ngx_http_payhub_place_t;


typedef struct {
    uint64_t                 magic;
    uint64_t                 layout;
    uint64_t                 born;          /* unix seconds */
    uint64_t                 epoch;         /* configurations so far */
    ngx_http_payhub_place_t  places[NGX_HTTP_PAYHUB_AREAS];
} ngx_http_payhub_zone_head_t;


static size_t ngx_http_payhub_keys_size(size_t left);
static ngx_int_t ngx_http_payhub_keys_make(void *area, size_t size,
    ngx_log_t *log);

static size_t ngx_http_payhub_zone_min(void);
static ngx_int_t ngx_http_payhub_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_payhub_zone_lay(ngx_shm_zone_t *shm_zone,
    ngx_slab_pool_t *shpool);
static void *ngx_http_payhub_zone_place(ngx_http_payhub_zone_head_t *head,
    ngx_http_payhub_area_e area, size_t *size);

static char *ngx_http_payhub_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_payhub_zone_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_payhub_zone_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_payhub_zone_init_process(ngx_cycle_t *cycle);
static void ngx_http_payhub_zone_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_payhub_zone_commands[] = {

    { ngx_string("payhub_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_payhub_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_zone_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_payhub_zone_create_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_zone_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_zone_module_ctx,      /* module context */
    ngx_http_payhub_zone_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_payhub_zone_init_module,      /* init module */
    ngx_http_payhub_zone_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_payhub_zone_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * In the order of ngx_http_payhub_area_e.  size NULL: nothing yet.  The last
 * takes what is left.
 */

static ngx_http_payhub_area_t  ngx_http_payhub_keys_area = {
    ngx_http_payhub_keys_size, ngx_http_payhub_keys_make
};

static ngx_http_payhub_area_t  *ngx_http_payhub_areas[] = {
    &ngx_http_payhub_counters_area,
    &ngx_http_payhub_health_area,
    &ngx_http_payhub_history_area,
    &ngx_http_payhub_live_area,
    &ngx_http_payhub_sync_area,
    &ngx_http_payhub_keys_area
};


/*
 * Of the configuration in use: set when the master has taken it into use, not
 * while it is being tried, so that processes forked after a reload that failed
 * find the memory that they should.
 */

static ngx_http_payhub_zone_head_t  *ngx_http_payhub_head;
static ngx_slab_pool_t              *ngx_http_payhub_shpool;
static uint64_t                      ngx_http_payhub_epoch_n;


void *
ngx_http_payhub_area(ngx_http_payhub_area_e area, size_t *size)
{
    if (ngx_http_payhub_head == NULL) {

        if (size) {
            *size = 0;
        }

        return NULL;
    }

    return ngx_http_payhub_zone_place(ngx_http_payhub_head, area, size);
}


static void *
ngx_http_payhub_zone_place(ngx_http_payhub_zone_head_t *head,
    ngx_http_payhub_area_e area, size_t *size)
{
    uint64_t  len;

    len = head->places[area].size;

    if (size) {
        *size = len;
    }

    return len ? (u_char *) head + head->places[area].offset : NULL;
}


/*
 * Not ngx_shmtx_lock(): that sleeps for as long as it takes, also when the
 * holder was killed together with the master that would have released it.
 */

ngx_uint_t
ngx_http_payhub_zone_lock(void)
{
    ngx_pid_t    pid;
    ngx_uint_t   i;
    ngx_shmtx_t  *mutex;

    if (ngx_http_payhub_head == NULL) {
        return 0;
    }

    mutex = &ngx_http_payhub_shpool->mutex;

    for (i = 0; i < NGX_HTTP_PAYHUB_LOCK_MS; i++) {

        if (ngx_shmtx_trylock(mutex)) {
            return 1;
        }

        pid = (ngx_pid_t) *mutex->lock;

        if (pid && kill(pid, 0) == -1 && ngx_errno == ESRCH) {
            (void) ngx_shmtx_force_unlock(mutex, pid);
            continue;
        }

        ngx_msleep(1);
    }

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "payhub: the zone's mutex is not to be had");

    return 0;
}


void
ngx_http_payhub_zone_unlock(void)
{
    ngx_shmtx_unlock(&ngx_http_payhub_shpool->mutex);
}


time_t
ngx_http_payhub_zone_born(void)
{
    return ngx_http_payhub_head ? (time_t) ngx_http_payhub_head->born : 0;
}


uint64_t
ngx_http_payhub_epoch(void)
{
    return ngx_http_payhub_epoch_n;
}


ngx_uint_t
ngx_http_payhub_epoch_latest(void)
{
    return ngx_http_payhub_head == NULL
           || __atomic_load_n(&ngx_http_payhub_head->epoch, __ATOMIC_ACQUIRE)
              == ngx_http_payhub_epoch_n;
}


static size_t
ngx_http_payhub_keys_size(size_t left)
{
    return ngx_max(left, NGX_HTTP_PAYHUB_KEYS_MIN);
}


/* secrets: in no core dump of any process that maps them */

static ngx_int_t
ngx_http_payhub_keys_make(void *area, size_t size, ngx_log_t *log)
{
    u_char  secret[PH_SIPHASH_KEY_LEN];

#ifdef MADV_DONTDUMP
    if (madvise(area, size & ~(ngx_pagesize - 1), MADV_DONTDUMP) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "payhub: madvise(MADV_DONTDUMP) failed");
    }
#endif

    if (RAND_bytes(secret, sizeof(secret)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "payhub: RAND_bytes() failed");
        return NGX_ERROR;
    }

    if (ph_key_table_make(area, size, secret) == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "payhub: %uz bytes hold no table of keys", size);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what the areas need at least, and the slab pool around them */

static size_t
ngx_http_payhub_zone_min(void)
{
    size_t      size;
    ngx_uint_t  i;

    size = ngx_pagesize;

    for (i = 0; i < NGX_HTTP_PAYHUB_AREAS; i++) {
        if (ngx_http_payhub_areas[i]) {
            size += ngx_align(ngx_http_payhub_areas[i]->size(0),
                              ngx_pagesize);
        }
    }

    /* the pool's head and its 24 bytes a page */

    return ngx_align(size + size / 128 + 4 * ngx_pagesize, 64 * 1024);
}


static ngx_int_t
ngx_http_payhub_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t              *shpool;
    ngx_http_payhub_zone_head_t  *head;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL && !shm_zone->shm.exists) {
        return ngx_http_payhub_zone_lay(shm_zone, shpool);
    }

    head = shpool->data;

    if (head == NULL
        || head->magic != NGX_HTTP_PAYHUB_ZONE_MAGIC
        || head->layout != NGX_HTTP_PAYHUB_ZONE_LAYOUT)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "PH-C104 payhub_zone: found \"%V\" laid out by another "
                      "version of the module, expected layout %d: start "
                      "nginx anew (USR2 or restart)", &shm_zone->shm.name,
                      NGX_HTTP_PAYHUB_ZONE_LAYOUT);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_zone_lay(ngx_shm_zone_t *shm_zone, ngx_slab_pool_t *shpool)
{
    size_t                        size, left, offset;
    ngx_uint_t                    i;
    ngx_http_payhub_area_t       *area;
    ngx_http_payhub_zone_head_t  *head;

    left = shpool->pfree * ngx_pagesize;

    head = ngx_slab_alloc(shpool, left);
    if (head == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "PH-C104 payhub_zone: found no %uz bytes in \"%V\"",
                      left, &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_memzero(head, left);

    offset = ngx_align(sizeof(ngx_http_payhub_zone_head_t), ngx_pagesize);
    left -= offset;

    for (i = 0; i < NGX_HTTP_PAYHUB_AREAS; i++) {
        area = ngx_http_payhub_areas[i];

        if (area == NULL) {
            continue;
        }

        size = ngx_align(area->size(left), ngx_pagesize);

        if (size > left) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "PH-C104 payhub_zone: found %uz bytes left for area "
                          "%ui of \"%V\", expected %uz", left, i,
                          &shm_zone->shm.name, size);
            return NGX_ERROR;
        }

        head->places[i].offset = offset;
        head->places[i].size = size;

        if (area->init((u_char *) head + offset, size, shm_zone->shm.log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        offset += size;
        left -= size;
    }

    head->born = (uint64_t) ngx_time();
    head->layout = NGX_HTTP_PAYHUB_ZONE_LAYOUT;
    head->magic = NGX_HTTP_PAYHUB_ZONE_MAGIC;

    shpool->data = head;

    return NGX_OK;
}


char *
ngx_http_payhub_name_size(ngx_conf_t *cf, ngx_command_t *cmd, char *code,
    ngx_str_t *value, size_t min, ngx_str_t *name, size_t *size)
{
    u_char     *p;
    ssize_t     n;
    ngx_str_t   s;

    p = ngx_strlchr(value->data, value->data + value->len, ':');

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found \"%V\", expected name:size", code,
                           &cmd->name, value);
        return NGX_CONF_ERROR;
    }

    name->data = value->data;
    name->len = p - value->data;

    if (!ph_str_is_token(ngx_http_payhub_view(name), NGX_HTTP_PAYHUB_NAME_MAX)
        || (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found name \"%V\", expected 1 to %d of "
                           "[A-Za-z0-9_-], not off", code, &cmd->name, name,
                           NGX_HTTP_PAYHUB_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    n = ngx_parse_size(&s);

    if (n == NGX_ERROR || (size_t) n < min) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found size \"%V\", expected at least %uzk",
                           code, &cmd->name, &s, min / 1024);
        return NGX_CONF_ERROR;
    }

    *size = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_zone_conf_t *zcf = conf;

    char        *rv;
    size_t       size;
    ngx_str_t   *value, name, s, state, seal, *to;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (zcf->shm_zone) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C104");
    }

    rv = ngx_http_payhub_name_size(cf, cmd, "PH-C104", &value[1],
                                   ngx_http_payhub_zone_min(), &name, &size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_str_null(&state);
    ngx_str_null(&seal);

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "state=", 6) == 0) {
            to = &state;
            s.data = value[i].data + 6;

        } else if (ngx_strncmp(value[i].data, "seal=", 5) == 0) {
            to = &seal;
            s.data = value[i].data + 5;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C104 payhub_zone: found \"%V\", expected "
                               "state=PATH or seal=file:PATH", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (to->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C104 payhub_zone: found \"%V\" as well, "
                               "expected the parameter once", &value[i]);
            return NGX_CONF_ERROR;
        }

        to->data = s.data;
        to->len = value[i].data + value[i].len - s.data;
    }

    zcf->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                          &ngx_http_payhub_zone_module);
    if (zcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zcf->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C104 payhub_zone: found \"%V\" twice, expected "
                           "a name of its own", &name);
        return NGX_CONF_ERROR;
    }

    zcf->shm_zone->init = ngx_http_payhub_zone_init;
    zcf->shm_zone->data = zcf;

    if (state.data == NULL && seal.data == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_payhub_state_set(cf, "PH-C104", &cmd->name, &state, &seal);
}


static void *
ngx_http_payhub_zone_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_zone_conf_t));
}


static ngx_http_payhub_zone_conf_t *
ngx_http_payhub_zone_conf(ngx_cycle_t *cycle)
{
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_payhub_zone_module);
}


ngx_http_payhub_state_conf_t *
ngx_http_payhub_state_conf(ngx_cycle_t *cycle)
{
    ngx_http_payhub_zone_conf_t  *zcf;

    zcf = ngx_http_payhub_zone_conf(cycle);

    return zcf && zcf->shm_zone && zcf->state.path.len ? &zcf->state : NULL;
}


/*
 * The configuration is in use from here on; old memory is still there.  With
 * master_process off this is also the only sign of a reload.
 */

static ngx_int_t
ngx_http_payhub_zone_init_module(ngx_cycle_t *cycle)
{
    void                         *old, *keys;
    size_t                        size;
    ngx_slab_pool_t              *shpool;
    ngx_http_payhub_zone_conf_t  *zcf;
    ngx_http_payhub_zone_head_t  *head;

    zcf = ngx_http_payhub_zone_conf(cycle);

    old = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_LIVE, NULL);
    keys = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
    shpool = NULL;
    head = NULL;

    if (zcf && zcf->shm_zone) {
        shpool = (ngx_slab_pool_t *) zcf->shm_zone->shm.addr;
        head = shpool->data;
    }

    if (ngx_http_payhub_head && ngx_http_payhub_head != head) {

        /* who stays with the old memory changes nothing any more, and writes
           no state file */

        ngx_http_payhub_live_close();

        (void) __atomic_add_fetch(&ngx_http_payhub_head->epoch, 1,
                                  __ATOMIC_ACQ_REL);
    }

    ngx_http_payhub_shpool = shpool;

    if (head && head != ngx_http_payhub_head && !ngx_test_config) {

        ngx_http_payhub_head = head;

        if (zcf->state.path.len) {
            ngx_http_payhub_state_seal(&zcf->state);
        }

        if (old) {
            ngx_http_payhub_live_carry(old);
            ngx_http_payhub_state_carry(cycle, ph_key_table_open(keys, size));
        }

        if (zcf->state.path.len) {
            ngx_http_payhub_state_load(cycle, &zcf->state);
        }

    } else if (head && zcf->state.path.len && !ngx_test_config) {
        ngx_http_payhub_state_seal(&zcf->state);
    }

    ngx_http_payhub_head = head;
    ngx_http_payhub_epoch_n++;

    if (head) {
        ngx_http_payhub_epoch_n = __atomic_add_fetch(&head->epoch, 1,
                                                     __ATOMIC_ACQ_REL);
    }

    if (ngx_http_payhub_owner()) {
        ngx_http_payhub_slot_claim(cycle->log);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_zone_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_http_payhub_slot_claim(cycle->log);

    ngx_http_payhub_live_start(cycle);

    return NGX_OK;
}


static void
ngx_http_payhub_zone_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_http_payhub_owner() == 0) {
        return;
    }

    ngx_http_payhub_live_stop();
    ngx_http_payhub_slot_release();
}


/*
 * Live changes: the text in the zone, and the snapshots that each process
 * builds from it.
 *
 * Two buffers take turns.  Generation g lies in buffer g & 1; while its word
 * stands only the other buffer is written, so who finds the same word before
 * and after copying has a whole text.  A writer that is killed leaves the
 * word, and with it the text, as it was.
 */


#include "ngx_http_payhub_limit.h"
#include "ngx_http_payhub_live_int.h"
#include "ngx_http_payhub_route.h"


#define NGX_HTTP_PAYHUB_LIVE_TRIES       100


static size_t ngx_http_payhub_live_size(size_t left);
static ngx_int_t ngx_http_payhub_live_init(void *area, size_t size,
    ngx_log_t *log);
static ngx_http_payhub_live_t *ngx_http_payhub_live_build(void);
static ngx_int_t ngx_http_payhub_live_fill(ngx_http_payhub_live_t *live,
    json_t *all);
static void ngx_http_payhub_live_unref(ngx_http_payhub_live_t *live);


static ngx_http_payhub_live_kind_t  *ngx_http_payhub_live_kinds[] = {
    &ngx_http_payhub_limit_live,
    &ngx_http_payhub_account_live,
    &ngx_http_payhub_route_live,
    &ngx_http_payhub_live_keys
};

#define NGX_HTTP_PAYHUB_LIVE_KINDS                                            \
    (sizeof(ngx_http_payhub_live_kinds)                                       \
     / sizeof(ngx_http_payhub_live_kinds[0]))


ngx_http_payhub_area_t  ngx_http_payhub_live_area = {
    ngx_http_payhub_live_size, ngx_http_payhub_live_init
};

/* of this process */

static ngx_http_payhub_live_t  *ngx_http_payhub_live_current;
static time_t                   ngx_http_payhub_live_failed;


static size_t
ngx_http_payhub_live_size(size_t left)
{
    return sizeof(ngx_http_payhub_live_head_t);
}


static ngx_int_t
ngx_http_payhub_live_init(void *area, size_t size, ngx_log_t *log)
{
    ngx_http_payhub_live_head_t  *head = area;

    head->word = sizeof("[]") - 1;
    ngx_memcpy(head->texts[0], "[]", sizeof("[]") - 1);

    return NGX_OK;
}


ngx_http_payhub_live_head_t *
ngx_http_payhub_live_head(void)
{
    size_t  size;

    return ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_LIVE, &size);
}


void *
ngx_http_payhub_live_info(void)
{
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    return head ? head->info : NULL;
}


/*
 * In the master, before another zone takes the place of this one.  Processes
 * of the old configuration go on for a while: what they took in would be lost.
 */

void
ngx_http_payhub_live_close(void)
{
    ngx_uint_t                    locked;
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    if (head) {
        locked = ngx_http_payhub_zone_lock();

        __atomic_store_n(&head->closed, 1, __ATOMIC_RELEASE);

        if (locked) {
            ngx_http_payhub_zone_unlock();
        }
    }
}


/* a zone of another size takes its place: what was changed stays */

void
ngx_http_payhub_live_carry(void *old)
{
    ngx_http_payhub_live_head_t  *from = old, *head;

    head = ngx_http_payhub_live_head();

    ngx_memcpy(head->texts, from->texts, sizeof(head->texts));
    head->told = from->told;
    head->word = from->word;
}


ssize_t
ngx_http_payhub_live_read(u_char *to, size_t size, uint64_t *generation)
{
    size_t                        len;
    uint64_t                      word;
    ngx_uint_t                    i;
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    if (head == NULL) {
        return -1;
    }

    for (i = 0; i < NGX_HTTP_PAYHUB_LIVE_TRIES; i++) {
        word = __atomic_load_n(&head->word, __ATOMIC_ACQUIRE);

        len = word & NGX_HTTP_PAYHUB_LIVE_LEN_MASK;
        *generation = word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS;

        if (len > size || len > NGX_HTTP_PAYHUB_LIVE_MAX) {
            return -1;
        }

        ngx_memcpy(to, head->texts[*generation & 1], len);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (__atomic_load_n(&head->word, __ATOMIC_RELAXED) == word) {
            return len;
        }
    }

    return -1;
}


json_t *
ngx_http_payhub_live_parse(u_char *text, size_t len)
{
    json_t        *all;
    json_error_t   error;

    all = json_loadb((char *) text, len, JSON_REJECT_DUPLICATES, &error);

    if (all && !json_is_array(all)) {
        json_decref(all);
        return NULL;
    }

    return all;
}


/* in the master, of a state file; false: not such a text */

ngx_int_t
ngx_http_payhub_live_restore(u_char *text, size_t len, uint64_t generation)
{
    json_t                       *all;
    ngx_http_payhub_live_head_t  *head;

    if (len > NGX_HTTP_PAYHUB_LIVE_MAX) {
        return NGX_ERROR;
    }

    all = ngx_http_payhub_live_parse(text, len);
    if (all == NULL) {
        return NGX_ERROR;
    }

    json_decref(all);

    head = ngx_http_payhub_live_head();

    ngx_memcpy(head->texts[generation & 1], text, len);
    head->word = generation << NGX_HTTP_PAYHUB_LIVE_LEN_BITS | len;

    return NGX_OK;
}


ngx_http_payhub_live_t *
ngx_http_payhub_live(ngx_http_request_t *r, ngx_http_payhub_request_t *pr)
{
    ngx_http_payhub_live_t  *live;

    if (pr->live) {
        return pr->live;
    }

    live = ngx_http_payhub_live_now();
    if (live == NULL) {
        return NULL;
    }

    live->refs++;
    pr->live = live;

    return live;
}


/* with the record of the request */

void
ngx_http_payhub_live_end(void *live)
{
    if (live) {
        ngx_http_payhub_live_unref(live);
    }
}


ngx_http_payhub_live_t *
ngx_http_payhub_live_now(void)
{
    uint64_t                      generation;
    ngx_http_payhub_live_t       *live, *next;
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();
    live = ngx_http_payhub_live_current;

    generation = head ? __atomic_load_n(&head->word, __ATOMIC_ACQUIRE)
                        >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS : 0;

    if (live && live->epoch != ngx_http_payhub_epoch()) {
        live = NULL;
    }

    if (live && live->generation == generation) {
        return live;
    }

    /* once a second: a build that fails costs more than a request */

    if (ngx_http_payhub_live_failed == ngx_time()) {
        return live;
    }

    next = ngx_http_payhub_live_build();

    if (next == NULL) {
        ngx_http_payhub_live_failed = ngx_time();
        return live;
    }

    if (ngx_http_payhub_live_current) {
        ngx_http_payhub_live_unref(ngx_http_payhub_live_current);
    }

    ngx_http_payhub_live_current = next;
    ngx_http_payhub_slot_serves(next->generation);

    return next;
}


static ngx_http_payhub_live_t *
ngx_http_payhub_live_build(void)
{
    u_char                  *text;
    json_t                  *all;
    ssize_t                  len;
    ngx_pool_t              *pool;
    ngx_http_payhub_live_t  *live;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    live = ngx_pcalloc(pool, sizeof(ngx_http_payhub_live_t));
    text = ngx_alloc(NGX_HTTP_PAYHUB_LIVE_MAX, ngx_cycle->log);

    if (live == NULL || text == NULL) {
        ngx_destroy_pool(pool);
        ngx_free(text);
        return NULL;
    }

    live->pool = pool;
    live->refs = 1;
    live->epoch = ngx_http_payhub_epoch();
    live->changes = json_array();
    all = NULL;

    if (ngx_http_payhub_live_head() == NULL) {
        all = json_array();

    } else {
        len = ngx_http_payhub_live_read(text, NGX_HTTP_PAYHUB_LIVE_MAX,
                                        &live->generation);
        if (len >= 0) {
            all = ngx_http_payhub_live_parse(text, len);
        }
    }

    ngx_free(text);

    if (all == NULL || live->changes == NULL
        || ngx_http_payhub_live_fill(live, all) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "payhub: live changes of generation %uL cannot be "
                      "applied", live->generation);

        json_decref(all);
        ngx_http_payhub_live_unref(live);

        return NULL;
    }

    json_decref(all);

    return live;
}


ngx_http_payhub_live_kind_t *
ngx_http_payhub_live_kind(const char *name)
{
    ngx_uint_t                    i;
    ngx_http_payhub_live_kind_t  *kind;

    for (i = 0; name && i < NGX_HTTP_PAYHUB_LIVE_KINDS; i++) {
        kind = ngx_http_payhub_live_kinds[i];

        if (ngx_strcmp(kind->kind.data, name) == 0) {
            return kind;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_payhub_live_stale(ngx_pool_t *pool, json_t *change)
{
    char                         *rv;
    json_t                       *copy;
    ngx_uint_t                    stale;
    const char                   *base, *now;
    ngx_http_payhub_live_kind_t  *kind;

    kind = ngx_http_payhub_live_kind(
                               json_string_value(json_object_get(change,
                                                                 "kind")));
    base = json_string_value(json_object_get(change, "base"));
    copy = json_copy(change);

    if (kind == NULL || base == NULL) {
        json_decref(copy);
        return 1;
    }

    if (copy == NULL) {
        return 0;
    }

    (void) json_object_del(copy, "base");

    rv = kind->check(pool, copy);

    if (rv == NULL) {
        now = json_string_value(json_object_get(copy, "base"));
        stale = now == NULL || ngx_strcmp(now, base) != 0;

    } else {
        stale = rv != ngx_http_payhub_live_busy;
    }

    json_decref(copy);

    return stale;
}


time_t
ngx_http_payhub_live_until(json_t *change)
{
    return (time_t) json_integer_value(json_object_get(change, "until"));
}


static ngx_int_t
ngx_http_payhub_live_fill(ngx_http_payhub_live_t *live, json_t *all)
{
    size_t       i;
    json_t      *change;
    time_t       until;
    ngx_uint_t   n;

    json_array_foreach(all, i, change) {

        if (json_is_true(json_object_get(change, "removed"))) {
            continue;
        }

        until = ngx_http_payhub_live_until(change);

        if (until && (live->next_until == 0 || until < live->next_until)) {
            live->next_until = until;
        }

        if (until && until <= ngx_time()) {
            continue;
        }

        if (ngx_http_payhub_live_stale(live->pool, change)) {
            live->stale = 1;
            continue;
        }

        if (json_array_append(live->changes, change) != 0) {
            return NGX_ERROR;
        }
    }

    for (n = 0; n < NGX_HTTP_PAYHUB_LIVE_KINDS; n++) {
        if (ngx_http_payhub_live_kinds[n]->build(live) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_payhub_live_unref(ngx_http_payhub_live_t *live)
{
    if (--live->refs) {
        return;
    }

    json_decref(live->changes);

    /* the log that it was made with may have gone with its cycle */

    live->pool->log = ngx_cycle->log;
    ngx_destroy_pool(live->pool);
}


void
ngx_http_payhub_live_forget(void)
{
    if (ngx_http_payhub_live_current) {
        ngx_http_payhub_live_unref(ngx_http_payhub_live_current);
        ngx_http_payhub_live_current = NULL;
    }
}

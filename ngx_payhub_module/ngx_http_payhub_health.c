
/*
 * What this host knows of accounts, in the zone: how their calls went, how
 * many are under way, what rules have given them, and the list of accounts
 * that came by sync.
 *
 * In-flight counts are kept by process.  A process that was killed takes its
 * counts along: only slots of living processes are summed up.
 */


#include "ngx_http_payhub_route_int.h"


#define NGX_HTTP_PAYHUB_TOLD_BITS    20
#define NGX_HTTP_PAYHUB_TOLD_MASK    0xfffffu
#define NGX_HTTP_PAYHUB_TOLD_TRIES   100
#define NGX_HTTP_PAYHUB_SHARES       8      /* places an account */
#define NGX_HTTP_PAYHUB_SHARE_PROBES 64
#define NGX_HTTP_PAYHUB_RENEW_TIME   60     /* s, the least between two */


typedef struct {
    uint64_t                 key;           /* 0: free */
    uint64_t                 given;
} ngx_http_payhub_share_t;


typedef struct {
    uint64_t                 accounts;      /* places */
    uint64_t                 text_size;
    uint64_t                 told;          /* generation << 20 | length */
    uint64_t                 renewed;       /* times shares were emptied */
    uint64_t                 renewed_at;
    uint64_t                 spare[3];
} ngx_http_payhub_health_head_t;


static size_t ngx_http_payhub_health_size(size_t left);
static ngx_int_t ngx_http_payhub_health_init(void *area, size_t size,
    ngx_log_t *log);
static ngx_http_payhub_health_head_t *ngx_http_payhub_health_head(void);
static void ngx_http_payhub_health_living(void);


ngx_http_payhub_area_t  ngx_http_payhub_health_area = {
    ngx_http_payhub_health_size, ngx_http_payhub_health_init
};

/* by what is left of the zone: accounts, bytes of a list of accounts */

static struct {
    size_t                   left;
    size_t                   accounts;
    size_t                   text_size;
} ngx_http_payhub_health_tiers[] = {
    { 16 * 1024 * 1024, NGX_HTTP_PAYHUB_ACCOUNTS_MAX, 256 * 1024 },
    { 4 * 1024 * 1024, 256, 64 * 1024 },
    { 0, 32, 8 * 1024 }
};

/* of this process */

static ngx_http_payhub_health_head_t  *ngx_http_payhub_health_private;
static ngx_uint_t                      ngx_http_payhub_health_slots_n;
static time_t                          ngx_http_payhub_health_slots_at;
static uint64_t                        ngx_http_payhub_health_slots_claims;
static uint16_t
    ngx_http_payhub_health_slots[NGX_HTTP_PAYHUB_SLOTS_MAX];


static size_t
ngx_http_payhub_health_size(size_t left)
{
    size_t      n;
    ngx_uint_t  i;

    for (i = 0; ngx_http_payhub_health_tiers[i].left > left; i++) {
        /* void */
    }

    n = ngx_http_payhub_health_tiers[i].accounts;

    return sizeof(ngx_http_payhub_health_head_t)
           + n * sizeof(ngx_http_payhub_health_t)
           + n * NGX_HTTP_PAYHUB_SHARES * sizeof(ngx_http_payhub_share_t)
           + 2 * ngx_http_payhub_health_tiers[i].text_size;
}


static ngx_int_t
ngx_http_payhub_health_init(void *area, size_t size, ngx_log_t *log)
{
    ngx_uint_t                      i;
    ngx_http_payhub_health_head_t  *head = area;

    for (i = 0;
         ngx_http_payhub_health_size(ngx_http_payhub_health_tiers[i].left)
         > size;
         i++)
    {
        /* the last fits */
    }

    head->accounts = ngx_http_payhub_health_tiers[i].accounts;
    head->text_size = ngx_http_payhub_health_tiers[i].text_size;
    head->told = 0;

    return NGX_OK;
}


/* without payhub_zone each process knows what it saw itself */

static ngx_http_payhub_health_head_t *
ngx_http_payhub_health_head(void)
{
    size_t                          size;
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HEALTH, &size);

    if (head) {
        return head;
    }

    if (ngx_http_payhub_health_private == NULL) {
        size = ngx_http_payhub_health_size(0);

        head = ngx_calloc(size, ngx_cycle->log);
        if (head == NULL) {
            return NULL;
        }

        (void) ngx_http_payhub_health_init(head, size, ngx_cycle->log);
        ngx_http_payhub_health_private = head;
    }

    return ngx_http_payhub_health_private;
}


static ngx_http_payhub_health_t *
ngx_http_payhub_health_records(ngx_http_payhub_health_head_t *head)
{
    return (ngx_http_payhub_health_t *) (head + 1);
}


static ngx_http_payhub_share_t *
ngx_http_payhub_health_shares(ngx_http_payhub_health_head_t *head)
{
    return (ngx_http_payhub_share_t *)
               (ngx_http_payhub_health_records(head) + head->accounts);
}


static u_char *
ngx_http_payhub_health_text(ngx_http_payhub_health_head_t *head,
    uint64_t generation)
{
    return (u_char *) (ngx_http_payhub_health_shares(head)
                       + head->accounts * NGX_HTTP_PAYHUB_SHARES)
           + (generation & 1) * head->text_size;
}


static ngx_http_payhub_health_t *
ngx_http_payhub_health_lookup(ngx_http_payhub_health_head_t *head,
    struct ph_str id, ngx_http_payhub_health_t **vacant)
{
    uint64_t                   len;
    ngx_uint_t                 i;
    ngx_http_payhub_health_t  *health;

    health = ngx_http_payhub_health_records(head);
    *vacant = NULL;

    for (i = 0; i < head->accounts; i++) {
        len = __atomic_load_n(&health[i].len, __ATOMIC_ACQUIRE);

        if (len == 0) {
            *vacant = &health[i];
            return NULL;
        }

        if (len == id.len && ngx_memcmp(health[i].id, id.ptr, len) == 0) {
            return &health[i];
        }
    }

    return NULL;
}


ngx_http_payhub_health_t *
ngx_http_payhub_health_find(struct ph_str id)
{
    ngx_uint_t                      locked;
    ngx_http_payhub_health_t       *health, *vacant;
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();

    if (head == NULL || id.len == 0 || id.len > PH_ROUTE_NAME_MAX) {
        return NULL;
    }

    health = ngx_http_payhub_health_lookup(head, id, &vacant);

    if (health || vacant == NULL) {
        return health;
    }

    locked = ngx_http_payhub_zone_lock();

    if (!locked && head != ngx_http_payhub_health_private) {
        return NULL;
    }

    health = ngx_http_payhub_health_lookup(head, id, &vacant);

    if (health == NULL && vacant) {
        health = vacant;
        ngx_memcpy(health->id, id.ptr, id.len);
        __atomic_store_n(&health->len, id.len, __ATOMIC_RELEASE);
    }

    if (locked) {
        ngx_http_payhub_zone_unlock();
    }

    return health;
}


/* where a rule counts what it gave to an account; NULL: the table is full */

uint64_t *
ngx_http_payhub_health_share(uint64_t key)
{
    uint64_t                        n, found;
    ngx_uint_t                      i;
    ngx_http_payhub_share_t        *share;
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();
    if (head == NULL) {
        return NULL;
    }

    n = head->accounts * NGX_HTTP_PAYHUB_SHARES;
    key = key ? key : 1;

    for (i = 0; i < NGX_HTTP_PAYHUB_SHARE_PROBES; i++) {
        share = &ngx_http_payhub_health_shares(head)[(key + i) % n];

        found = __sync_val_compare_and_swap(&share->key, 0, key);

        if (found == 0 || found == key) {
            return &share->given;
        }
    }

    return NULL;
}


uint64_t
ngx_http_payhub_health_renewed(void)
{
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();

    return head ? __atomic_load_n(&head->renewed, __ATOMIC_ACQUIRE) : 0;
}


/*
 * Weights that changed leave places that nobody counts in any more.  When a
 * table finds no room all are emptied, and turns begin anew; tables built
 * before the number moved are built again.  Not for one that would not fit.
 */

ngx_uint_t
ngx_http_payhub_health_renew(ngx_uint_t wanted)
{
    uint64_t                        i, n;
    ngx_uint_t                      locked, done;
    ngx_http_payhub_share_t        *share;
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();
    if (head == NULL) {
        return 0;
    }

    n = head->accounts * NGX_HTTP_PAYHUB_SHARES;

    if (wanted > n / 2) {
        return 0;
    }

    locked = ngx_http_payhub_zone_lock();

    if (!locked && head != ngx_http_payhub_health_private) {
        return 0;
    }

    done = (uint64_t) ngx_time() >= head->renewed_at
                                    + NGX_HTTP_PAYHUB_RENEW_TIME;

    if (done) {
        share = ngx_http_payhub_health_shares(head);

        for (i = 0; i < n; i++) {
            __atomic_store_n(&share[i].given, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&share[i].key, 0, __ATOMIC_RELEASE);
        }

        head->renewed_at = (uint64_t) ngx_time();
        (void) __atomic_add_fetch(&head->renewed, 1, __ATOMIC_ACQ_REL);
    }

    if (locked) {
        ngx_http_payhub_zone_unlock();
    }

    return done;
}


/*
 * Which slots have living processes, once a second, and when one has started:
 * the cap of an account holds for its calls from the first on.
 */

static void
ngx_http_payhub_health_living(void)
{
    uint64_t                     claims;
    ngx_uint_t                   i, n;
    ngx_http_payhub_slot_info_t  info;

    claims = ngx_http_payhub_slot_claims();

    if (ngx_http_payhub_health_slots_at == ngx_time()
        && ngx_http_payhub_health_slots_claims == claims)
    {
        return;
    }

    ngx_http_payhub_health_slots_at = ngx_time();
    ngx_http_payhub_health_slots_claims = claims;

    n = 0;

    for (i = 0; i < NGX_HTTP_PAYHUB_SLOTS_MAX; i++) {
        if (i == ngx_http_payhub_slot()
            || ngx_http_payhub_slot_info(i, &info))
        {
            ngx_http_payhub_health_slots[n++] = (uint16_t) i;
        }
    }

    ngx_http_payhub_health_slots_n = n;
}


ngx_uint_t
ngx_http_payhub_health_inflight(ngx_http_payhub_health_t *health)
{
    ngx_uint_t  i, sum;

    ngx_http_payhub_health_living();

    sum = 0;

    for (i = 0; i < ngx_http_payhub_health_slots_n; i++) {
        sum += __atomic_load_n(
                       &health->inflight[ngx_http_payhub_health_slots[i]],
                       __ATOMIC_RELAXED);
    }

    return sum;
}


void
ngx_http_payhub_health_begin(ngx_http_payhub_health_t *health)
{
    (void) __atomic_fetch_add(&health->inflight[ngx_http_payhub_slot()], 1,
                              __ATOMIC_RELAXED);
}


void
ngx_http_payhub_health_end(ngx_http_payhub_health_t *health)
{
    (void) __atomic_fetch_sub(&health->inflight[ngx_http_payhub_slot()], 1,
                              __ATOMIC_RELAXED);
}


void
ngx_http_payhub_health_init_process(void)
{
    size_t                          size;
    ngx_uint_t                      i;
    ngx_http_payhub_health_t       *health;
    ngx_http_payhub_health_head_t  *head;

    ngx_http_payhub_health_slots_at = 0;

    head = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HEALTH, &size);
    if (head == NULL) {
        return;
    }

    health = ngx_http_payhub_health_records(head);

    for (i = 0; i < head->accounts; i++) {
        health[i].inflight[ngx_http_payhub_slot()] = 0;
    }
}


void
ngx_http_payhub_health_look(void *data, size_t account,
    struct ph_route_sight *out)
{
    ngx_http_payhub_routes_t *routes = data;

    ngx_http_payhub_face_t   *face;
    struct ph_success_view    view;

    face = &routes->faces[account];

    if (face->health == NULL) {
        return;
    }

    if (routes->accounts[account].inflight_max) {
        out->inflight = ngx_http_payhub_health_inflight(face->health);
    }

    out->breaker = ph_health_state(&face->health->health, &face->breaker,
                                   ngx_current_msec);

    if (!out->wants_calls) {
        return;
    }

    ngx_http_payhub_success_look(face->health, &view);

    out->calls = view.calls;
    out->good = view.good;
}


/* ---- accounts by sync ---- */


uint64_t
ngx_http_payhub_health_told(void)
{
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();

    return head ? __atomic_load_n(&head->told, __ATOMIC_ACQUIRE) : 0;
}


/* the list and its word; NULL: there is none, or no memory */

json_t *
ngx_http_payhub_health_accounts(uint64_t *told)
{
    u_char                         *text;
    size_t                          len;
    json_t                         *items;
    ngx_uint_t                      i;
    ngx_http_payhub_health_head_t  *head;

    *told = 0;

    head = ngx_http_payhub_health_head();

    if (head == NULL || ngx_http_payhub_health_told() == 0) {
        return NULL;
    }

    text = ngx_alloc(head->text_size, ngx_cycle->log);
    if (text == NULL) {
        return NULL;
    }

    items = NULL;

    for (i = 0; i < NGX_HTTP_PAYHUB_TOLD_TRIES; i++) {
        *told = ngx_http_payhub_health_told();
        len = *told & NGX_HTTP_PAYHUB_TOLD_MASK;

        if (len > head->text_size) {
            break;
        }

        ngx_memcpy(text, ngx_http_payhub_health_text(head,
                                     *told >> NGX_HTTP_PAYHUB_TOLD_BITS), len);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (*told == ngx_http_payhub_health_told()) {
            items = json_loadb((char *) text, len, 0, NULL);
            break;
        }
    }

    ngx_free(text);

    return items;
}


ngx_int_t
ngx_http_payhub_route_accounts_set(json_t *items)
{
    char                           *text;
    size_t                          len, n;
    json_t                         *cut;
    uint64_t                        was, next;
    ngx_int_t                       rc;
    ngx_uint_t                      locked;
    ngx_http_payhub_health_head_t  *head;

    head = ngx_http_payhub_health_head();

    if (head == NULL || !json_is_array(items)) {
        return NGX_ERROR;
    }

    cut = ngx_http_payhub_success_bare(items);
    text = ngx_alloc(head->text_size, ngx_cycle->log);

    if (cut == NULL || text == NULL) {
        json_decref(cut);
        ngx_free(text);
        return NGX_ERROR;
    }

    n = json_array_size(cut);

    /* halves at a time: a list that does not fit is rare, and told */

    while ((len = json_dumpb(cut, text, head->text_size,
                             JSON_COMPACT|JSON_SORT_KEYS))
           > head->text_size
           || json_array_size(cut) > head->accounts)
    {
        size_t  half = json_array_size(cut) / 2;

        while (json_array_size(cut) > half) {
            (void) json_array_remove(cut, json_array_size(cut) - 1);
        }
    }

    if (json_array_size(cut) != n) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payhub route: found %uz accounts by sync, kept %uz; "
                      "make payhub_zone larger", n, json_array_size(cut));
    }

    json_decref(cut);

    rc = NGX_ERROR;
    locked = ngx_http_payhub_zone_lock();

    if (len && (locked || head == ngx_http_payhub_health_private)) {
        was = head->told;

        if ((was & NGX_HTTP_PAYHUB_TOLD_MASK) != len
            || ngx_memcmp(ngx_http_payhub_health_text(head,
                                         was >> NGX_HTTP_PAYHUB_TOLD_BITS),
                          text, len)
               != 0)
        {
            next = (was >> NGX_HTTP_PAYHUB_TOLD_BITS) + 1;

            ngx_memcpy(ngx_http_payhub_health_text(head, next), text, len);
            __atomic_store_n(&head->told,
                             next << NGX_HTTP_PAYHUB_TOLD_BITS | len,
                             __ATOMIC_RELEASE);
        }

        rc = NGX_OK;
    }

    if (locked) {
        ngx_http_payhub_zone_unlock();
    }

    ngx_free(text);

    if (rc == NGX_OK) {
        ngx_http_payhub_success_set(items);
    }

    return rc;
}


/* ---- what workers tell ---- */


/* an item that does not read as ph_call_item is passed over */

void
ngx_http_payhub_health_take(ngx_http_payhub_request_t *pr, struct ph_str field)
{
    size_t                     i;
    struct ph_str              item;
    struct ph_call_item        call;
    struct ph_breaker_spec     spec = PH_BREAKER_DEFAULT;
    ngx_http_payhub_health_t  *health;
    ngx_http_payhub_choice_t  *choice;
    ngx_http_payhub_routes_t  *routes;

    routes = ngx_http_payhub_routes(ngx_http_payhub_live_now());
    choice = pr->route;

    while (ph_str_next(&field, ' ', &item)) {

        if (!ph_call_item_read(item, &call)) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "payhub health: passed over \"%*s\"", item.len,
                           item.ptr);
            continue;
        }

        health = NULL;

        for (i = 0; routes && i < routes->accounts_n; i++) {
            if (ph_str_eq(routes->accounts[i].id, call.account)) {
                health = routes->faces[i].health;
                spec = routes->faces[i].breaker;
                break;
            }
        }

        /* no records for names that nobody has configured */

        if (health == NULL) {
            continue;
        }

        ph_health_add(&health->health, &spec, ngx_current_msec, call.class,
                      call.ms);
        ph_phases_add(&health->phases, &call);

        if (choice && choice->health == health) {
            choice->probe = 0;
        }
    }
}

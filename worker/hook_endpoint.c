/* hook_endpoint.c - shares of receivers; see hook_endpoint.h. */
#include "worker/hook_endpoint.h"

#include <stdlib.h>

#define KEY_MAX (32 + 1 + 512)
#define BUCKETS 1024
#define PACE_MIN_MS 50     /* between two that come back */
#define PACE_MAX_MS 120000 /* never pushed further ahead than this */
#define TIME_WEIGHT 8      /* of the old average against one delivery */

struct wk_endpoint {
    struct wk_endpoint  *next; /* in its bucket */
    struct wk_endpoints *endpoints;
    unsigned             holds;
    unsigned             active;
    unsigned             share;
    unsigned             most;
    unsigned             taken; /* since the share last moved */
    bool     is_slow;           /* from trouble until the whole share is back */
    uint64_t mean_ms;           /* of one delivery, 0 = none yet */
    uint64_t paced_ms;          /* the last time that pace_ms() gave */
    uint64_t used_ms;
    size_t   key_len;
    char     key[KEY_MAX];
};

struct wk_endpoints {
    struct wk_endpoint *bucket[BUCKETS];
    size_t              count;
    size_t              slow_active;
};

struct wk_endpoints *
wk_endpoints_new(void)
{
    return calloc(1, sizeof(struct wk_endpoints));
}

/* Frees what nobody holds, or everything. */
static void
table_sweep(struct wk_endpoints *endpoints, bool everything)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct wk_endpoint **at = &endpoints->bucket[i];

        while (*at != NULL) {
            struct wk_endpoint *endpoint = *at;

            if (!everything && endpoint->holds != 0) {
                at = &endpoint->next;
                continue;
            }
            *at = endpoint->next;
            endpoints->count--;
            free(endpoint);
        }
    }
}

void
wk_endpoints_free(struct wk_endpoints *endpoints)
{
    if (endpoints != NULL) {
        table_sweep(endpoints, true);
        free(endpoints);
    }
}

static struct wk_endpoint **
bucket_of(struct wk_endpoints *endpoints, const char *key, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) key[i]) * UINT64_C(1099511628211);
    }
    return &endpoints->bucket[(hash ^ (hash >> 32)) % BUCKETS];
}

static void
endpoint_drop(struct wk_endpoint *endpoint)
{
    struct wk_endpoints *endpoints = endpoint->endpoints;
    struct wk_endpoint **at
        = bucket_of(endpoints, endpoint->key, endpoint->key_len);

    while (*at != NULL && *at != endpoint) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = endpoint->next;
        endpoints->count--;
        free(endpoint);
    }
}

static struct wk_endpoint *
endpoint_find(struct wk_endpoints *endpoints, const char *key, size_t len)
{
    struct wk_endpoint *at = *bucket_of(endpoints, key, len);

    while (at != NULL && (at->key_len != len || memcmp(at->key, key, len) != 0))
    {
        at = at->next;
    }
    return at;
}

static struct wk_endpoint *
endpoint_new(struct wk_endpoints *endpoints, const char *key, size_t len,
             unsigned most)
{
    struct wk_endpoint **bucket = bucket_of(endpoints, key, len);

    if (endpoints->count >= WK_ENDPOINTS_MAX) {
        table_sweep(endpoints, false);
    }
    struct wk_endpoint *endpoint = endpoints->count < WK_ENDPOINTS_MAX
                                       ? calloc(1, sizeof(*endpoint))
                                       : NULL;

    if (endpoint == NULL) {
        return NULL;
    }
    memcpy(endpoint->key, key, len);
    endpoint->key_len   = len;
    endpoint->endpoints = endpoints;
    endpoint->share = endpoint->most = most;
    endpoint->next                   = *bucket;
    *bucket                          = endpoint;
    endpoints->count++;
    return endpoint;
}

/* Places count as slow while the endpoint is: they move when it changes. */
static void
share_set(struct wk_endpoint *endpoint, unsigned share, bool is_slow)
{
    if (endpoint->is_slow && !is_slow) {
        endpoint->endpoints->slow_active -= endpoint->active;
    } else if (!endpoint->is_slow && is_slow) {
        endpoint->endpoints->slow_active += endpoint->active;
    }
    endpoint->share   = share < endpoint->most ? share : endpoint->most;
    endpoint->taken   = 0;
    endpoint->is_slow = is_slow;
}

struct wk_endpoint *
wk_endpoint_hold(struct wk_endpoints *endpoints, struct ph_str app_id,
                 struct ph_str origin, unsigned most, uint64_t now_ms)
{
    char                key[KEY_MAX];
    struct wk_endpoint *endpoint;
    size_t              len = app_id.len + 1 + origin.len;

    if (len > sizeof(key) || app_id.len == 0) {
        return NULL;
    }
    memcpy(key, app_id.ptr, app_id.len);
    key[app_id.len] = '\n';
    if (origin.len != 0) {
        memcpy(key + app_id.len + 1, origin.ptr, origin.len);
    }
    endpoint = endpoint_find(endpoints, key, len);
    if (endpoint == NULL) {
        endpoint = endpoint_new(endpoints, key, len, most);
    } else if (endpoint->most != most) { /* a reload */
        endpoint->most = most;
        share_set(endpoint, endpoint->is_slow ? endpoint->share : most,
                  endpoint->is_slow);
    }
    if (endpoint != NULL) {
        if (endpoint->active == 0
            && now_ms > endpoint->used_ms + WK_ENDPOINT_FORGET_MS) {
            share_set(endpoint, most, false);
        }
        endpoint->holds++;
        endpoint->used_ms = now_ms;
    }
    return endpoint;
}

void
wk_endpoint_let_go(struct wk_endpoint *endpoint, uint64_t now_ms)
{
    endpoint->holds--;
    if (endpoint->holds == 0 && !endpoint->is_slow
        && endpoint->paced_ms <= now_ms) {
        endpoint_drop(endpoint);
    }
}

bool
wk_endpoint_has_place(const struct wk_endpoint *endpoint)
{
    return endpoint->active < endpoint->share;
}

bool
wk_endpoint_is_slow(const struct wk_endpoint *endpoint)
{
    return endpoint->is_slow;
}

void
wk_endpoint_begin(struct wk_endpoint *endpoint)
{
    endpoint->active++;
    endpoint->endpoints->slow_active += endpoint->is_slow;
}

void
wk_endpoint_end(struct wk_endpoint *endpoint, bool is_taken, bool slow,
                uint64_t ms, uint64_t now_ms)
{
    endpoint->active--;
    endpoint->endpoints->slow_active -= endpoint->is_slow;
    endpoint->used_ms = now_ms;
    endpoint->mean_ms
        = endpoint->mean_ms == 0
              ? ms
              : (endpoint->mean_ms * (TIME_WEIGHT - 1) + ms) / TIME_WEIGHT;
    if (slow) {
        share_set(endpoint, endpoint->share > 1 ? endpoint->share / 2 : 1,
                  true);
    } else if (is_taken && endpoint->is_slow
               && ++endpoint->taken >= endpoint->share)
    {
        share_set(endpoint, endpoint->share + 1,
                  endpoint->share + 1 < endpoint->most);
    }
}

uint64_t
wk_endpoint_pace_ms(struct wk_endpoint *endpoint, uint64_t now_ms)
{
    uint64_t step_ms = endpoint->mean_ms / endpoint->share;

    if (endpoint->paced_ms < now_ms) {
        endpoint->paced_ms = now_ms;
    }
    endpoint->paced_ms += step_ms > PACE_MIN_MS ? step_ms : PACE_MIN_MS;
    if (endpoint->paced_ms > now_ms + PACE_MAX_MS) {
        endpoint->paced_ms = now_ms + PACE_MAX_MS;
    }
    return endpoint->paced_ms;
}

size_t
wk_endpoints_slow_active(const struct wk_endpoints *endpoints)
{
    return endpoints->slow_active;
}

unsigned
wk_endpoint_share(const struct wk_endpoint *endpoint)
{
    return endpoint->share;
}

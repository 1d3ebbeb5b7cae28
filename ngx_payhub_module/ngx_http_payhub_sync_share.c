
/*
 * payhub_sync: this host's share of limits that are the cluster's.
 *
 * Redis divides each key among the hosts that use it, by what was asked for;
 * a host that has no share of a key may use its floor, half of an equal part.
 * All shares and floors of a key are never more than the whole, but for the
 * moment in which a host comes new: then the others hear of it at their next
 * exchange.  A share is a rate and a burst of its own in this host's table.
 *
 * With the worker or Redis away nothing is divided anew: an equal part of
 * every key, by the hosts that there were, is this host's last share.
 */


#include "ngx_http_payhub_sync.h"


#define NGX_HTTP_PAYHUB_SHARE_KEYS   64         /* of a zone, an exchange */
#define NGX_HTTP_PAYHUB_SHARE_LIFE   3          /* s, of a key's share */
#define NGX_HTTP_PAYHUB_SHARE_LONG   (365 * 24 * 3600)


static ngx_int_t ngx_http_payhub_sync_share_ask(
    ngx_http_payhub_sync_link_t *link, json_t *pull);
static ngx_int_t ngx_http_payhub_sync_share_take(
    ngx_http_payhub_sync_link_t *link, json_t *push);
static ngx_int_t ngx_http_payhub_sync_share_name(
    ngx_http_payhub_limit_used_t *used, u_char *hex);
static void ngx_http_payhub_sync_share_zone(ngx_uint_t n, json_t *answer);
static void ngx_http_payhub_sync_share_changes(
    ngx_http_payhub_limit_zone_t *zone);
static ngx_uint_t ngx_http_payhub_sync_share_whole(
    ngx_http_payhub_limit_zone_t *zone, struct ph_str key,
    struct ph_bucket_spec *spec, time_t *until);


ngx_http_payhub_sync_link_t  ngx_http_payhub_sync_share = {
    .name = "share",
    .ask = ngx_http_payhub_sync_share_ask,
    .take = ngx_http_payhub_sync_share_take,
    .pause = NGX_HTTP_PAYHUB_SYNC_TICK
};


/* what was asked for, until its answer */

typedef struct {
    ngx_http_payhub_limit_used_t  used[NGX_HTTP_PAYHUB_SHARE_KEYS];
    ngx_uint_t               n;
    ngx_uint_t               hosts;         /* 0: not heard of any */
    time_t                   heard;
} ngx_http_payhub_sync_zone_t;


static ngx_http_payhub_sync_zone_t
    ngx_http_payhub_sync_zones[NGX_HTTP_PAYHUB_LIMITS_MAX];


/* the live changes about one zone; borrowed until back in the loop */

typedef struct {
    json_t                  *everybody;     /* or NULL */
    json_t                  *change[NGX_HTTP_PAYHUB_CHANGES_MAX];
    struct ph_str            key[NGX_HTTP_PAYHUB_CHANGES_MAX];
    ngx_uint_t               n;
} ngx_http_payhub_sync_changes_t;


static ngx_http_payhub_sync_changes_t  ngx_http_payhub_sync_changes;


/* whether any limit is the cluster's */

ngx_uint_t
ngx_http_payhub_sync_shares(void)
{
    ngx_uint_t                     n;
    ngx_http_payhub_limit_zone_t  *zone;

    for (n = 0; n < NGX_HTTP_PAYHUB_LIMITS_MAX; n++) {
        zone = ngx_http_payhub_limit_zone(n);

        if (zone == NULL) {
            break;
        }

        if (zone->cluster) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_payhub_sync_share_ask(ngx_http_payhub_sync_link_t *link,
    json_t *pull)
{
    time_t                         until;
    json_t                        *zones, *keys;
    u_char                         hex[2 * sizeof(struct ph_hash128) + 1];
    uint64_t                       most;
    ngx_uint_t                     n, i;
    struct ph_bucket_spec          spec;
    ngx_http_payhub_sync_zone_t   *sz;
    ngx_http_payhub_limit_zone_t  *zone;
    ngx_http_payhub_limit_used_t  *used;

    zones = json_array();

    for (n = 0; zones && n < NGX_HTTP_PAYHUB_LIMITS_MAX; n++) {
        zone = ngx_http_payhub_limit_zone(n);

        if (zone == NULL) {
            break;
        }

        if (!zone->cluster) {
            continue;
        }

        sz = &ngx_http_payhub_sync_zones[n];
        sz->n = ngx_http_payhub_limit_usage(zone, sz->used,
                                            NGX_HTTP_PAYHUB_SHARE_KEYS);
        keys = json_array();

        ngx_http_payhub_sync_share_changes(zone);

        for (i = 0; i < sz->n; i++) {
            used = &sz->used[i];

            /* hosts have secrets of their own: the text is the same to all */

            if (ngx_http_payhub_sync_share_name(used, hex) != NGX_OK) {
                break;
            }

            /* nobody's demand is more than twice the whole: a flood at one
               host does not starve the others */

            (void) ngx_http_payhub_sync_share_whole(zone,
                                       ph_str_make((char *) used->text,
                                                   used->len),
                                       &spec, &until);

            most = 1 + (uint64_t) (2.0 * spec.rate.tokens
                                   * NGX_HTTP_PAYHUB_SYNC_TICK * 1000000
                                   / spec.rate.per_ns);

            (void) json_array_append_new(keys,
                       json_pack("{s:s, s:I}", "k", (char *) hex, "used",
                                 (json_int_t) ngx_min(used->tokens, most)));
        }

        sz->n = i;

        (void) json_array_append_new(zones,
                   json_pack("{s:s%, s:o}", "zone", (char *) zone->name.data,
                             zone->name.len, "keys", keys));
    }

    if (zones == NULL) {
        return NGX_ERROR;
    }

    return json_object_set_new(pull, "zones", zones) == 0 ? NGX_OK
                                                          : NGX_ERROR;
}


/* hex of half a SHA-256 */

static ngx_int_t
ngx_http_payhub_sync_share_name(ngx_http_payhub_limit_used_t *used,
    u_char *hex)
{
    u_char         digest[PH_SHA256_LEN];
    struct ph_str  text;

    text = ph_str_make((char *) used->text, used->len);

    if (!ph_sha256(&text, 1, digest)) {
        return NGX_ERROR;
    }

    *ngx_hex_dump(hex, digest, sizeof(struct ph_hash128)) = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_sync_share_take(ngx_http_payhub_sync_link_t *link,
    json_t *push)
{
    json_t                        *answer, *found;
    size_t                         i;
    ngx_uint_t                     n;
    const char                    *name;
    ngx_http_payhub_sync_zone_t   *sz;
    ngx_http_payhub_limit_zone_t  *zone;

    for (n = 0; n < NGX_HTTP_PAYHUB_LIMITS_MAX; n++) {
        zone = ngx_http_payhub_limit_zone(n);

        if (zone == NULL) {
            break;
        }

        if (!zone->cluster) {
            continue;
        }

        found = NULL;

        json_array_foreach(json_object_get(push, "zones"), i, answer) {
            name = json_string_value(json_object_get(answer, "zone"));

            if (name && ngx_strlen(name) == zone->name.len
                && ngx_memcmp(name, zone->name.data, zone->name.len) == 0)
            {
                found = answer;
            }
        }

        sz = &ngx_http_payhub_sync_zones[n];

        if (found) {
            ngx_http_payhub_sync_share_zone(n, found);

        } else if (sz->hosts
                   && ngx_time() - sz->heard > NGX_HTTP_PAYHUB_SHARE_LIFE)
        {
            ngx_http_payhub_limit_share(zone, NGX_HTTP_PAYHUB_LIMIT_PARTS
                                              / sz->hosts);
        }
    }

    return NGX_OK;
}


static void
ngx_http_payhub_sync_share_zone(ngx_uint_t n, json_t *answer)
{
    time_t                         until;
    json_t                        *shares;
    json_int_t                     hosts, parts;
    ngx_uint_t                     i;
    struct ph_bucket_spec          spec;
    ngx_http_payhub_sync_zone_t   *sz;
    ngx_http_payhub_limit_zone_t  *zone;
    ngx_http_payhub_limit_used_t  *used;

    sz = &ngx_http_payhub_sync_zones[n];
    zone = ngx_http_payhub_limit_zone(n);

    hosts = json_integer_value(json_object_get(answer, "hosts"));
    shares = json_object_get(answer, "shares");

    if (hosts < 1 || hosts > NGX_HTTP_PAYHUB_LIMIT_PARTS / 2
        || json_array_size(shares) != sz->n)
    {
        return;
    }

    sz->hosts = hosts;
    sz->heard = ngx_time();
    ngx_http_payhub_sync.sh->hosts = hosts;

    ngx_http_payhub_limit_share(zone,
                                hosts == 1
                                ? NGX_HTTP_PAYHUB_LIMIT_PARTS
                                : NGX_HTTP_PAYHUB_LIMIT_PARTS / (2 * hosts));

    ngx_http_payhub_sync_share_changes(zone);

    for (i = 0; i < sz->n; i++) {
        used = &sz->used[i];
        parts = json_integer_value(json_array_get(shares, i));

        if (parts < 1 || parts > NGX_HTTP_PAYHUB_LIMIT_PARTS) {
            continue;
        }

        if (!ngx_http_payhub_sync_share_whole(zone,
                                       ph_str_make((char *) used->text,
                                                   used->len),
                                       &spec, &until))
        {
            if (hosts == 1) {
                continue;
            }

            /* behind its end everybody's floor holds again */

            until = ngx_time() + NGX_HTTP_PAYHUB_SHARE_LIFE;
        }

        ngx_http_payhub_limit_part(&spec, parts);
        (void) ngx_http_payhub_limit_lease(zone, used->key, &spec, until);
    }
}


/* for the holder when no worker has answered for a while */

void
ngx_http_payhub_sync_share_away(void)
{
    ngx_uint_t                     n;
    ngx_http_payhub_sync_zone_t   *sz;
    ngx_http_payhub_limit_zone_t  *zone;

    if (!ngx_http_payhub_sync_shares()) {
        return;
    }

    for (n = 0; n < NGX_HTTP_PAYHUB_LIMITS_MAX; n++) {
        zone = ngx_http_payhub_limit_zone(n);

        if (zone == NULL) {
            break;
        }

        sz = &ngx_http_payhub_sync_zones[n];

        if (zone->cluster && sz->hosts > 1) {
            ngx_http_payhub_limit_share(zone, NGX_HTTP_PAYHUB_LIMIT_PARTS
                                              / sz->hosts);
        }
    }
}


/* a live change over what was there; false: it says nothing that we know */

static ngx_uint_t
ngx_http_payhub_sync_share_change(json_t *change, struct ph_bucket_spec *spec)
{
    double                 times;
    json_t                *rate, *burst;
    struct ph_bucket_spec  fresh;

    times = json_number_value(json_object_get(change, "times"));

    if (times > 0) {
        return ph_bucket_spec_times(spec, (uint64_t) (times * 1000 + 0.5),
                                    1000)
               == PH_OK;
    }

    rate = json_object_get(change, "rate");
    burst = json_object_get(change, "burst");
    fresh = *spec;

    if (ngx_http_payhub_limit_spec(&fresh,
                                   ph_str_make(json_string_value(rate),
                                               json_string_length(rate)),
                                   ph_str_make(json_string_value(burst),
                                               json_string_length(burst)))
        != NULL)
    {
        return 0;
    }

    *spec = fresh;

    return 1;
}


static ngx_uint_t
ngx_http_payhub_sync_share_about(json_t *change,
    ngx_http_payhub_limit_zone_t *zone)
{
    json_int_t   ends;
    const char  *kind, *name;

    kind = json_string_value(json_object_get(change, "kind"));
    name = json_string_value(json_object_get(change, "name"));
    ends = json_integer_value(json_object_get(change, "until"));

    return kind && name
           && ngx_strcmp(kind, "limit") == 0
           && ngx_strlen(name) == zone->name.len
           && ngx_memcmp(name, zone->name.data, zone->name.len) == 0
           && (ends == 0 || ends > (json_int_t) ngx_time());
}


/* looks through all changes once, for many keys of the zone */

static void
ngx_http_payhub_sync_share_changes(ngx_http_payhub_limit_zone_t *zone)
{
    size_t                           i;
    json_t                          *change, *key;
    ngx_http_payhub_live_t          *live;
    ngx_http_payhub_sync_changes_t  *all;

    all = &ngx_http_payhub_sync_changes;
    all->everybody = NULL;
    all->n = 0;

    live = ngx_http_payhub_live_now();

    if (live == NULL) {
        return;
    }

    json_array_foreach(live->changes, i, change) {

        if (!ngx_http_payhub_sync_share_about(change, zone)) {
            continue;
        }

        key = json_object_get(change, "key");

        if (!json_is_string(key)) {
            all->everybody = change;

        } else if (all->n < NGX_HTTP_PAYHUB_CHANGES_MAX) {
            all->change[all->n] = change;
            all->key[all->n++] = ph_str_make(json_string_value(key),
                                             json_string_length(key));
        }
    }
}


/*
 * What the cluster may use of a key: nginx.conf and the live changes over it,
 * as share_changes() found them.  True: a live change is about just this key,
 * and ends at `until`.
 */

static ngx_uint_t
ngx_http_payhub_sync_share_whole(ngx_http_payhub_limit_zone_t *zone,
    struct ph_str key, struct ph_bucket_spec *spec, time_t *until)
{
    json_int_t                       ends;
    ngx_uint_t                       i;
    ngx_http_payhub_sync_changes_t  *all;

    all = &ngx_http_payhub_sync_changes;

    *spec = zone->base;
    *until = ngx_time() + NGX_HTTP_PAYHUB_SHARE_LONG;

    if (all->everybody) {
        (void) ngx_http_payhub_sync_share_change(all->everybody, spec);
    }

    for (i = 0; i < all->n; i++) {

        if (!ph_str_eq(all->key[i], key)
            || !ngx_http_payhub_sync_share_change(all->change[i], spec))
        {
            continue;
        }

        ends = json_integer_value(json_object_get(all->change[i], "until"));
        *until = ends ? (time_t) ends : *until;

        return 1;
    }

    return 0;
}

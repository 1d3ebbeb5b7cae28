
/*
 * Limits while nginx runs: live changes of settings, and boosts.
 *
 * Every process builds every generation of live changes; the table of a zone
 * takes each generation once, from the first that comes.  What is said twice
 * changes nothing, so a process that is killed halfway is made good by the
 * next.  What a change does not name is as in nginx.conf.
 */


#include "ngx_http_payhub_limit_shared.h"


#define NGX_HTTP_PAYHUB_LIMIT_LIVE_KEY_MAX  256     /* bytes */


/* a live change, as the table takes it */

typedef struct {
    ngx_http_payhub_limit_zone_t  *zone;
    ngx_str_t                      key;     /* empty: everybody */
    struct ph_hash128              hash;    /* of the key, once built */
    struct ph_bucket_spec          spec;
    time_t                         until;   /* 0: for good */
} ngx_http_payhub_limit_change_t;


static char *ngx_http_payhub_limit_live_check(ngx_pool_t *pool,
    json_t *change);
static char *ngx_http_payhub_limit_live_read(ngx_pool_t *pool,
    json_t *change, ngx_http_payhub_limit_change_t *out);
static char *ngx_http_payhub_limit_live_spec(ngx_pool_t *pool,
    json_t *change, struct ph_bucket_spec *spec);
static char *ngx_http_payhub_limit_live_boost(ngx_pool_t *pool,
    double times, struct ph_bucket_spec *spec);

static ngx_int_t ngx_http_payhub_limit_live_build(
    ngx_http_payhub_live_t *live);
static void ngx_http_payhub_limit_live_zone(
    ngx_http_payhub_limit_zone_t *zone, uint64_t generation,
    ngx_http_payhub_limit_change_t *changes, ngx_uint_t n);
static void ngx_http_payhub_limit_live_everybody(
    ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *change);
static void ngx_http_payhub_limit_live_key(
    ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *change, uint64_t now);
static void ngx_http_payhub_limit_live_sweep(
    ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *changes, ngx_uint_t n, uint64_t now);
static struct ph_hash128 ngx_http_payhub_limit_live_hash(
    ngx_http_payhub_limit_zone_t *zone, ngx_str_t *key);
static uint64_t ngx_http_payhub_limit_live_print(struct ph_bucket_spec *spec,
    time_t until);


ngx_http_payhub_live_kind_t  ngx_http_payhub_limit_live = {
    ngx_string("limit"),
    ngx_http_payhub_limit_live_check,
    ngx_http_payhub_limit_live_build
};


static char *
ngx_http_payhub_limit_live_check(ngx_pool_t *pool, json_t *change)
{
    char                            *rv;
    json_t                          *base;
    ngx_http_payhub_limit_change_t   out;

    rv = ngx_http_payhub_limit_live_read(pool, change, &out);
    if (rv) {
        return rv;
    }

    base = json_stringn((char *) out.zone->hash,
                        NGX_HTTP_PAYHUB_LIMIT_HASH_LEN);

    if (base == NULL || json_object_set_new(change, "base", base) != 0) {
        return ngx_http_payhub_live_busy;
    }

    return NULL;
}


static char *
ngx_http_payhub_limit_live_read(ngx_pool_t *pool, json_t *change,
    ngx_http_payhub_limit_change_t *out)
{
    json_t      *value;
    ngx_str_t    name;
    json_int_t   until;

    ngx_memzero(out, sizeof(ngx_http_payhub_limit_change_t));

    value = json_object_get(change, "name");

    if (!json_is_string(value)) {
        return "found no text in name, expected a payhub_limit_zone";
    }

    name.data = (u_char *) json_string_value(value);
    name.len = json_string_length(value);

    out->zone = ngx_http_payhub_limit_zone_by_name(&name);

    if (out->zone == NULL) {
        return ngx_http_payhub_live_say(pool, "found name \"%V\", expected "
                                        "a payhub_limit_zone", &name);
    }

    value = json_object_get(change, "key");

    if (value && !json_is_null(value)) {

        if (!json_is_string(value)
            || json_string_length(value) < 1
            || json_string_length(value) > NGX_HTTP_PAYHUB_LIMIT_LIVE_KEY_MAX)
        {
            return "found another key, expected null or 1 to 256 bytes";
        }

        out->key.data = (u_char *) json_string_value(value);
        out->key.len = json_string_length(value);
    }

    value = json_object_get(change, "until");
    until = 0;

    if (value && !json_is_null(value)) {

        if (!json_is_integer(value)) {
            return "found another until, expected unix seconds or 0";
        }

        until = json_integer_value(value);

        if (until < 0 || (until && until <= ngx_time())) {
            return ngx_http_payhub_live_say(pool, "found until %L, expected "
                                            "a time to come, or 0",
                                            (int64_t) until);
        }
    }

    out->until = until;
    out->spec = out->zone->base;

    value = json_object_get(change, "times");

    if (value == NULL || json_is_null(value)) {
        return ngx_http_payhub_limit_live_spec(pool, change, &out->spec);
    }

    if (json_object_get(change, "rate") || json_object_get(change, "burst")) {
        return "found times with rate or burst, expected one or the other";
    }

    if (until == 0) {
        return "found times without an end, expected until";
    }

    if (!json_is_number(value)) {
        return "found another times, expected a number of 0.001 to 1000";
    }

    return ngx_http_payhub_limit_live_boost(pool, json_number_value(value),
                                            &out->spec);
}


static char *
ngx_http_payhub_limit_live_spec(ngx_pool_t *pool, json_t *change,
    struct ph_bucket_spec *spec)
{
    char                  *rv;
    json_t                *rate, *burst;
    struct ph_str          texts[2];
    struct ph_bucket_rule  rule;

    rate = json_object_get(change, "rate");
    burst = json_object_get(change, "burst");

    if (rate == NULL && burst == NULL) {
        return "found no rate, burst or times, expected one of them";
    }

    if ((rate && (!json_is_string(rate) || json_string_length(rate) == 0))
        || (burst && (!json_is_string(burst)
                      || json_string_length(burst) == 0)))
    {
        return "found another rate or burst, expected texts like \"100/s\" "
               "and \"200\" or \"2s\"";
    }

    if (burst && spec->kind == PH_BUCKET_WARMUP) {
        return "found a burst for a warm-up, expected rate alone";
    }

    texts[0] = ph_str_make(json_string_value(rate),
                           rate ? json_string_length(rate) : 0);
    texts[1] = ph_str_make(json_string_value(burst),
                           burst ? json_string_length(burst) : 0);

    rv = ngx_http_payhub_limit_spec(spec, texts[0], texts[1]);
    if (rv) {
        return ngx_http_payhub_live_say(pool, "found rate \"%*s\", burst "
                                        "\"%*s\", expected %s",
                                        texts[0].len, texts[0].ptr,
                                        texts[1].len, texts[1].ptr, rv);
    }

    if (ph_bucket_rule_make(&rule, spec) != PH_OK) {
        return "found a rate with a burst or warmup that cannot be counted, "
               "expected smaller ones";
    }

    return NULL;
}


/* in thousandths; a burst given as a time grows with the rate by itself */

static char *
ngx_http_payhub_limit_live_boost(ngx_pool_t *pool, double times,
    struct ph_bucket_spec *spec)
{
    struct ph_bucket_rule  rule;

    if (!(times >= 0.001 && times <= NGX_HTTP_PAYHUB_LIMIT_TIMES_MAX)) {
        return "found another times, expected a number of 0.001 to 1000";
    }

    if (ph_bucket_spec_times(spec, (uint64_t) (times * 1000 + 0.5), 1000)
        != PH_OK
        || ph_bucket_rule_make(&rule, spec) != PH_OK)
    {
        return "found times that cannot be counted for this limit, expected "
               "others";
    }

    return NULL;
}


/*
 * A process of an older configuration leaves the tables alone: they are the
 * later one's by now.
 */

static ngx_int_t
ngx_http_payhub_limit_live_build(ngx_http_payhub_live_t *live)
{
    size_t                           i;
    json_t                          *change;
    ngx_uint_t                       n, z;
    ngx_http_payhub_limit_zone_t    *zone;
    ngx_http_payhub_limit_change_t  *changes;

    if (ngx_http_payhub_limit_zone(0) == NULL
        || !ngx_http_payhub_epoch_latest())
    {
        return NGX_OK;
    }

    changes = ngx_palloc(live->pool, (json_array_size(live->changes) + 1)
                                   * sizeof(ngx_http_payhub_limit_change_t));
    if (changes == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    json_array_foreach(live->changes, i, change) {

        if (ngx_strcmp(json_string_value(json_object_get(change, "kind")),
                       "limit")
            != 0)
        {
            continue;
        }

        /* one whose end has come since is as one taken away */

        if (ngx_http_payhub_limit_live_read(live->pool, change, &changes[n])
            == NULL)
        {
            changes[n].hash = ngx_http_payhub_limit_live_hash(changes[n].zone,
                                                              &changes[n].key);
            n++;
        }
    }

    for (z = 0; /* void */ ; z++) {

        zone = ngx_http_payhub_limit_zone(z);
        if (zone == NULL) {
            return NGX_OK;
        }

        ngx_shmtx_lock(&zone->shpool->mutex);

        ngx_http_payhub_limit_live_zone(zone, live->generation, changes, n);

        ngx_shmtx_unlock(&zone->shpool->mutex);
    }
}


static void
ngx_http_payhub_limit_live_zone(ngx_http_payhub_limit_zone_t *zone,
    uint64_t generation, ngx_http_payhub_limit_change_t *changes,
    ngx_uint_t n)
{
    uint64_t                         now;
    ngx_uint_t                       i;
    ngx_http_payhub_limit_shared_t  *sh;
    ngx_http_payhub_limit_change_t  *everybody;

    sh = zone->sh;

    if (!sh->stale && sh->generation >= generation) {
        return;
    }

    now = ngx_http_payhub_limit_now();
    everybody = NULL;

    for (i = 0; i < n; i++) {

        if (changes[i].zone != zone) {
            continue;
        }

        if (changes[i].key.len == 0) {
            everybody = &changes[i];
            continue;
        }

        ngx_http_payhub_limit_live_key(zone, &changes[i], now);
    }

    ngx_http_payhub_limit_live_everybody(zone, everybody);
    ngx_http_payhub_limit_live_sweep(zone, changes, n, now);

    sh->generation = generation;
    sh->stale = 0;
}


/* a change with an end lies over the lasting settings, one without is them */

static void
ngx_http_payhub_limit_live_everybody(ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *change)
{
    ngx_http_payhub_limit_shared_t  *sh;

    sh = zone->sh;

    sh->whole = (change && change->until == 0) ? change->spec : zone->base;

    if (change && change->until) {
        sh->over = change->spec;
        sh->over_until = change->until;

    } else {
        sh->over_until = 0;
    }

    ngx_http_payhub_limit_everybody_hold(zone);
}


void
ngx_http_payhub_limit_everybody_hold(ngx_http_payhub_limit_zone_t *zone)
{
    uint64_t                         now, print;
    struct ph_bucket_spec            spec;
    ngx_http_payhub_limit_shared_t  *sh;

    sh = zone->sh;
    now = ngx_http_payhub_limit_now();

    spec = sh->whole;
    ngx_http_payhub_limit_part(&spec, sh->parts);

    if (!ngx_http_payhub_limit_same_spec(&sh->lasting, &spec)) {

        if (ph_limit_set(zone->table, ngx_http_payhub_limit_everybody, &spec,
                         0, now)
            == PH_OK)
        {
            sh->lasting = spec;

        } else {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payhub: settings of limit zone \"%V\" were not "
                          "taken, the ones before stay", &zone->name);
        }
    }

    if (sh->over_until == 0) {

        if (sh->ending) {
            ph_limit_unset(zone->table, ngx_http_payhub_limit_everybody, now);
            sh->ending = 0;
        }

        return;
    }

    spec = sh->over;
    ngx_http_payhub_limit_part(&spec, sh->parts);

    print = ngx_http_payhub_limit_live_print(&spec, sh->over_until);

    if (sh->ending == print) {
        return;
    }

    /* any other value than 0 has it set again, or taken away */
    sh->ending = 1;

    if (ph_limit_set(zone->table, ngx_http_payhub_limit_everybody, &spec,
                     sh->over_until, now)
        == PH_OK)
    {
        sh->ending = print;
    }
}


static void
ngx_http_payhub_limit_live_key(ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *change, uint64_t now)
{
    uint64_t                         print;
    ngx_uint_t                       i;
    struct ph_hash128                hash;
    ngx_http_payhub_limit_live_t    *known;
    ngx_http_payhub_limit_shared_t  *sh;

    sh = zone->sh;

    hash = change->hash;
    print = ngx_http_payhub_limit_live_print(&change->spec, change->until);

    for (i = 0; i < sh->live_n; i++) {
        known = &sh->live[i];

        if (known->key.lo == hash.lo && known->key.hi == hash.hi) {
            break;
        }
    }

    known = &sh->live[i];

    if (i == sh->live_n) {

        if (i == NGX_HTTP_PAYHUB_CHANGES_MAX) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payhub limit \"%V\": more than %d live changes of "
                          "keys, \"%V\" is not applied", &zone->name,
                          NGX_HTTP_PAYHUB_CHANGES_MAX, &change->key);
            return;
        }

        known->key = hash;
        known->print = 0;
        sh->live_n++;
    }

    if (known->print == print) {
        return;
    }

    known->print = 0;

    if (ph_limit_set(zone->table, hash, &change->spec, change->until, now)
        != PH_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payhub limit \"%V\" has no room for settings of its "
                      "own for \"%V\"", &zone->name, &change->key);
        return;
    }

    known->print = print;
}


/* keys whose changes are gone go back to what holds for everybody */

static void
ngx_http_payhub_limit_live_sweep(ngx_http_payhub_limit_zone_t *zone,
    ngx_http_payhub_limit_change_t *changes, ngx_uint_t n, uint64_t now)
{
    ngx_uint_t                       i, k;
    ngx_http_payhub_limit_shared_t  *sh;

    sh = zone->sh;

    for (i = sh->live_n; i > 0; i--) {

        for (k = 0; k < n; k++) {

            if (changes[k].zone != zone || changes[k].key.len == 0) {
                continue;
            }

            if (changes[k].hash.lo == sh->live[i - 1].key.lo
                && changes[k].hash.hi == sh->live[i - 1].key.hi)
            {
                break;
            }
        }

        if (k < n) {
            continue;
        }

        ph_limit_unset(zone->table, sh->live[i - 1].key, now);

        sh->live[i - 1] = sh->live[sh->live_n - 1];
        sh->live_n--;
    }
}


/* a key of addresses is written as people write them */

static struct ph_hash128
ngx_http_payhub_limit_live_hash(ngx_http_payhub_limit_zone_t *zone,
    ngx_str_t *key)
{
    u_char     memory[16];
    in_addr_t  inaddr;

    if (zone->by == NGX_HTTP_PAYHUB_LIMIT_BY_ADDRESS) {

        inaddr = ngx_inet_addr(key->data, key->len);

        if (inaddr != INADDR_NONE) {
            ngx_memcpy(memory, &inaddr, sizeof(in_addr_t));

            return ph_limit_hash(zone->table,
                                 ph_str_make((char *) memory,
                                             sizeof(in_addr_t)));
        }

#if (NGX_HAVE_INET6)
        if (ngx_inet6_addr(key->data, key->len, memory) == NGX_OK) {
            return ph_limit_hash(zone->table,
                                 ph_str_make((char *) memory, 16));
        }
#endif
    }

    return ph_limit_hash(zone->table, ngx_http_payhub_view(key));
}


/* of settings and their end; never 0 or 1 */

static uint64_t
ngx_http_payhub_limit_live_print(struct ph_bucket_spec *spec, time_t until)
{
    uint64_t           words[6];
    struct ph_hash128  hash;

    static const uint8_t  key[PH_SIPHASH_KEY_LEN];

    words[0] = spec->rate.tokens;
    words[1] = spec->rate.per_ns;
    words[2] = spec->burst_tokens;
    words[3] = spec->burst_ns;
    words[4] = spec->warmup_ns;
    words[5] = (uint64_t) until;

    hash = ph_siphash(key, ph_str_make((char *) words, sizeof(words)));

    return hash.lo | 2;
}

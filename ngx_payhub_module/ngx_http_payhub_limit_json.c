
/*
 * What status and control show of limits.
 */


#include "ngx_http_payhub_limit_shared.h"


static json_t *ngx_http_payhub_limit_json(ngx_http_payhub_limit_zone_t *zone);
static json_t *ngx_http_payhub_limit_spec_json(struct ph_bucket_spec *spec);
static json_t *ngx_http_payhub_limit_time_json(uint64_t ns);


json_t *
ngx_http_payhub_limits_json(void)
{
    json_t                        *all;
    ngx_uint_t                     i;
    ngx_http_payhub_limit_zone_t  *zone;

    all = json_array();

    for (i = 0; /* void */ ; i++) {
        zone = ngx_http_payhub_limit_zone(i);

        if (zone == NULL || all == NULL) {
            return all;
        }

        if (json_array_append_new(all, ngx_http_payhub_limit_json(zone)) != 0)
        {
            json_decref(all);
            return NULL;
        }
    }
}


static json_t *
ngx_http_payhub_limit_json(ngx_http_payhub_limit_zone_t *zone)
{
    json_t                *key;
    struct ph_bucket_spec  now;
    struct ph_limit_usage  usage;

    /* a text of nginx.conf may be in any encoding */

    key = json_stringn((char *) zone->key_text.data, zone->key_text.len);
    if (key == NULL) {
        key = json_string("?");
    }

    ph_limit_settings(zone->table, ngx_http_payhub_limit_everybody,
                      ngx_time(), &now);
    ph_limit_usage_read(zone->table, ngx_http_payhub_limit_now(), &usage);

    return json_pack("{s:s%, s:o, s:s, s:b, s:o, s:o, s:b, s:f,"
                     " s:I, s:I, s:I, s:I, s:I, s:I}",
                     "name", zone->name.data, zone->name.len,
                     "key", key,
                     "algorithm", zone->base.kind == PH_BUCKET_WARMUP
                                  ? "warmup" : "bursty",
                     "cluster", (int) zone->cluster,
                     "base", ngx_http_payhub_limit_spec_json(&zone->base),
                     "now", ngx_http_payhub_limit_spec_json(&now),
                     "live", !ngx_http_payhub_limit_same_spec(&zone->base,
                                                              &now),
                     "per_second", (double) now.rate.tokens * 1000000000
                                   / (double) now.rate.per_ns,
                     "cells", (json_int_t) usage.cells,
                     "busy", (json_int_t) usage.busy,
                     "overrides", (json_int_t) usage.overrides,
                     "granted", (json_int_t) usage.granted,
                     "denied", (json_int_t) usage.denied,
                     "full", (json_int_t) usage.no_room);
}


/* as they are written in nginx.conf and in changes */

static json_t *
ngx_http_payhub_limit_spec_json(struct ph_bucket_spec *spec)
{
    u_char      rate[2 * NGX_INT64_LEN + 8], burst[NGX_INT64_LEN + 1];
    ngx_uint_t  i;

    static struct {
        uint64_t     ns;
        const char  *unit;
    } units[] = {
        { UINT64_C(1000000000), "s" },
        { UINT64_C(60000000000), "m" },
        { UINT64_C(3600000000000), "h" },
        { UINT64_C(86400000000000), "d" }
    };

    for (i = 0; i < 4; i++) {
        if (units[i].ns == spec->rate.per_ns) {
            break;
        }
    }

    if (i < 4) {
        *ngx_sprintf(rate, "%uL/%s", spec->rate.tokens, units[i].unit) = '\0';

    } else {
        *ngx_sprintf(rate, "%uL/%uLns", spec->rate.tokens, spec->rate.per_ns)
                                                                       = '\0';
    }

    if (spec->kind == PH_BUCKET_WARMUP) {
        return json_pack("{s:s, s:o}", "rate", rate,
                         "warmup",
                         ngx_http_payhub_limit_time_json(spec->warmup_ns));
    }

    if (spec->burst_tokens == 0) {
        return json_pack("{s:s, s:o}", "rate", rate,
                         "burst",
                         ngx_http_payhub_limit_time_json(spec->burst_ns));
    }

    *ngx_sprintf(burst, "%uL", spec->burst_tokens) = '\0';

    return json_pack("{s:s, s:s}", "rate", rate, "burst", burst);
}


static json_t *
ngx_http_payhub_limit_time_json(uint64_t ns)
{
    u_char      text[NGX_INT64_LEN + sizeof("ms")];
    ngx_uint_t  whole;

    whole = (ns % 1000000000 == 0);

    *ngx_sprintf(text, "%uL%s", whole ? ns / 1000000000 : ns / 1000000,
                 whole ? "s" : "ms") = '\0';

    return json_string((char *) text);
}


/*
 * What status shows of accounts: calls, breakers, times, payments.
 */


#include "ngx_http_payhub_route_int.h"


static json_t *ngx_http_payhub_health_account(ngx_http_payhub_routes_t *routes,
    ngx_uint_t i);
static json_t *ngx_http_payhub_health_times(struct ph_health *health);
static void ngx_http_payhub_health_phases(json_t *one,
    ngx_http_payhub_health_t *health);


json_t *
ngx_http_payhub_health_json(void)
{
    json_t                    *all;
    ngx_uint_t                 i;
    ngx_http_payhub_routes_t  *routes;

    all = json_array();
    routes = ngx_http_payhub_routes(ngx_http_payhub_live_now());

    for (i = 0; all && routes && i < routes->accounts_n; i++) {
        (void) json_array_append_new(all,
                              ngx_http_payhub_health_account(routes, i));
    }

    return all;
}


static json_t *
ngx_http_payhub_health_account(ngx_http_payhub_routes_t *routes, ngx_uint_t i)
{
    json_t                   *one, *sums;
    ngx_uint_t                n;
    struct ph_health          none, *health;
    struct ph_health_window   window;
    struct ph_success_view    view;
    struct ph_route_account  *account;

    account = &routes->accounts[i];

    ngx_memzero(&none, sizeof(struct ph_health));
    health = routes->faces[i].health ? &routes->faces[i].health->health
                                     : &none;

    ph_health_look(health, ngx_current_msec, &window);

    sums = json_object();

    for (n = 0; n < PH_CALL_CLASSES; n++) {
        (void) json_object_set_new(sums, ph_call_class_word(n),
                              json_integer((json_int_t) health->sums[n]));
    }

    one = json_pack("{s:s%, s:s%, s:i, s:i, s:b, s:i, s:i}",
                    "id", account->id.ptr, account->id.len,
                    "channel", account->channel.ptr, account->channel.len,
                    "weight", (int) account->weight,
                    "priority", (int) account->priority,
                    "drained", (int) account->is_drained,
                    "inflight", routes->faces[i].health
                        ? (int) ngx_http_payhub_health_inflight(
                                                   routes->faces[i].health)
                        : 0,
                    "inflight_max", (int) account->inflight_max);
    if (one == NULL) {
        json_decref(sums);
        return NULL;
    }

    (void) json_object_set_new(one, "breaker",
               json_string(ph_breaker_word(ph_health_state(health,
                                                &routes->faces[i].breaker,
                                                ngx_current_msec))));
    (void) json_object_set_new(one, "open_ms",
               json_integer((json_int_t) ph_health_open_ms(health,
                                                       ngx_current_msec)));
    (void) json_object_set_new(one, "window",
               json_pack("{s:i, s:i, s:i, s:i, s:i}",
                         "seconds", PH_HEALTH_SECONDS,
                         "calls", (int) window.calls,
                         "refused", (int) window.refused,
                         "failed", (int) window.failed,
                         "unknown", (int) window.unknown));
    ngx_http_payhub_success_look(routes->faces[i].health, &view);

    (void) json_object_set_new(one, "success",
               json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}",
                         "source", view.is_counted ? "cluster" : "host",
                         "calls", (json_int_t) view.calls,
                         "good", (json_int_t) view.good,
                         "ended", (json_int_t) view.ended,
                         "paid", (json_int_t) view.paid,
                         "as_of", (json_int_t) view.as_of_s));
    (void) json_object_set_new(one, "calls", sums);
    (void) json_object_set_new(one, "ms",
                               ngx_http_payhub_health_times(health));
    ngx_http_payhub_health_phases(one, routes->faces[i].health);

    return one;
}


static json_t *
ngx_http_payhub_health_times(struct ph_health *health)
{
    json_t      *ms;
    uint64_t     all, sum;
    ngx_uint_t   i, p;

    static struct {
        char        *name;
        ngx_uint_t   percent;
    } quantiles[] = { { "p50", 50 }, { "p90", 90 }, { "p99", 99 } };

    all = 0;

    for (i = 0; i < PH_HEALTH_TIMES; i++) {
        all += health->times[i];
    }

    ms = json_object();
    (void) json_object_set_new(ms, "sum",
                               json_integer((json_int_t) health->ms_sum));

    for (p = 0; p < sizeof(quantiles) / sizeof(quantiles[0]); p++) {
        sum = 0;

        for (i = 0; i < PH_HEALTH_TIMES - 1; i++) {
            sum += health->times[i];

            if (sum * 100 >= all * quantiles[p].percent) {
                break;
            }
        }

        /* the upper end of the bucket */

        (void) json_object_set_new(ms, quantiles[p].name,
                             json_integer(all ? (json_int_t) 1 << i : 0));
    }

    return ms;
}


/* times of connections, handshakes, first bytes: how many, microseconds */

static void
ngx_http_payhub_health_phases(json_t *one, ngx_http_payhub_health_t *health)
{
    ngx_uint_t  i;

    static struct {
        char  *count;
        char  *us;
    } names[PH_PHASES] = {
        { "connects", "connect_us" },
        { "handshakes", "tls_us" },
        { "first_bytes", "first_byte_us" }
    };

    for (i = 0; i < PH_PHASES; i++) {
        (void) json_object_set_new(one, names[i].count,
              json_integer(health ? (json_int_t) health->phases.count[i] : 0));
        (void) json_object_set_new(one, names[i].us,
              json_integer(health ? (json_int_t) health->phases.us[i] : 0));
    }
}

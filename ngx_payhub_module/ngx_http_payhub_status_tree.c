
/*
 * payhub_status: the tree that its forms render.
 */


#include "ngx_http_payhub_status.h"
#include "libpayhub/base/version.h"
#include "libpayhub/domain/key_table.h"


static void ngx_http_payhub_status_counters(json_t *tree);
static void ngx_http_payhub_status_limits(json_t *tree);
static json_t *ngx_http_payhub_status_nonces(void);
static void ngx_http_payhub_status_processes(json_t *tree);


json_t *
ngx_http_payhub_status_tree(void)
{
    json_t                  *tree, *part;
    const char              *state;
    struct ph_key_table     *keys;
    ngx_http_payhub_live_t  *live;

    tree = json_pack("{s:s, s:s, s:s%, s:I, s:I}",
                     "payhub", PH_VERSION, "nginx", NGINX_VERSION,
                     "host", (char *) ngx_cycle->hostname.data,
                     ngx_cycle->hostname.len,
                     "time", (json_int_t) ngx_time(),
                     "pid", (json_int_t) ngx_pid);
    if (tree == NULL) {
        return NULL;
    }

    keys = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, NULL);

    if (keys) {
        (void) json_object_set_new(tree, "born",
                         json_integer(ngx_http_payhub_zone_born()));
        (void) json_object_set_new(tree, "keys",
                         json_integer((json_int_t) ph_key_count(keys)));
    }

    live = ngx_http_payhub_live_now();

    if (live) {
        (void) json_object_set_new(tree, "generation",
                         json_integer((json_int_t) live->generation));
        (void) json_object_set_new(tree, "changes",
                         json_integer((json_int_t)
                                      json_array_size(live->changes)));
    }

    ngx_http_payhub_status_processes(tree);
    ngx_http_payhub_status_counters(tree);
    ngx_http_payhub_status_limits(tree);

    (void) json_object_set_new(tree, "nonces",
                               ngx_http_payhub_status_nonces());
    (void) json_object_set_new(tree, "accounts",
                               ngx_http_payhub_status_accounts());

    part = ngx_http_payhub_sync_json();

    state = json_string_value(json_object_get(part, "state"));

    if (part) {
        (void) json_object_set_new(tree, "sync_up",
            json_integer(state != NULL && ngx_strcmp(state, "linked") == 0));
        (void) json_object_set_new(tree, "sync", part);
    }

    return tree;
}


static void
ngx_http_payhub_status_processes(json_t *tree)
{
    json_t                       *list;
    uint64_t                      latest;
    ngx_uint_t                    i, behind;
    ngx_http_payhub_slot_info_t   info;

    list = json_array();
    behind = 0;
    latest = (uint64_t) json_integer_value(json_object_get(tree,
                                                           "generation"));

    for (i = 0; i < NGX_HTTP_PAYHUB_SLOTS_MAX; i++) {

        if (!ngx_http_payhub_slot_info(i, &info)) {
            continue;
        }

        behind += (info.generation < latest);
        (void) json_array_append_new(list,
                   json_pack("{s:I, s:I, s:I}", "slot", (json_int_t) i,
                             "pid", (json_int_t) info.pid,
                             "generation", (json_int_t) info.generation));
    }

    (void) json_object_set_new(tree, "processes", list);
    (void) json_object_set_new(tree, "processes_behind",
                               json_integer((json_int_t) behind));
}


static void
ngx_http_payhub_status_counters(json_t *tree)
{
    char         name[64], *p;
    json_t      *counters;
    ngx_uint_t   i;

    static const char  *names[] = {
#define COUNTER(name, metric, labels, help)  #name,
#include "ngx_http_payhub_counters.def"
#undef COUNTER
    };

    counters = json_object();

    for (i = 0; i < NGX_HTTP_PAYHUB_COUNTERS; i++) {

        ngx_cpystrn((u_char *) name, (u_char *) names[i], sizeof(name));

        for (p = name; *p; p++) {
            *p = (char) ngx_tolower(*p);
        }

        (void) json_object_set_new(counters, name,
                   json_integer((json_int_t) ngx_http_payhub_count_read(i)));
    }

    (void) json_object_set_new(tree, "counters", counters);
}


static void
ngx_http_payhub_status_limits(json_t *tree)
{
    char         series[NGX_HTTP_PAYHUB_SERIES_NAME];
    json_t      *list, *row;
    size_t       i;
    ngx_uint_t   k;

    static struct {
        const char  *series;
        const char  *member;
    } flows[] = {
        { "granted", "granted_1s" },
        { "denied", "denied_1s" }
    };

    list = ngx_http_payhub_limits_json();

    json_array_foreach(list, i, row) {

        for (k = 0; k < 2; k++) {
            *ngx_slprintf((u_char *) series,
                          (u_char *) series + sizeof(series) - 1,
                          "limit:%s:%s",
                          json_string_value(json_object_get(row, "name")),
                          flows[k].series) = '\0';

            (void) json_object_set_new(row, flows[k].member,
                       json_integer((json_int_t)
                                    ngx_http_payhub_history_last(series)));
        }
    }

    (void) json_object_set_new(tree, "limits", list ? list : json_array());
}


static json_t *
ngx_http_payhub_status_nonces(void)
{
    json_t                        *list;
    ngx_uint_t                     i;
    struct ph_nonce_usage          usage;
    ngx_http_payhub_nonce_zone_t  *zone;

    list = json_array();

    for (i = 0; (zone = ngx_http_payhub_nonce_zone(i)) != NULL; i++) {

        ph_nonce_usage_read(zone->table, ngx_time(), &usage);

        (void) json_array_append_new(list,
                   json_pack("{s:s%, s:I, s:I, s:I, s:I, s:I, s:I}",
                             "zone", (char *) zone->name.data, zone->name.len,
                             "born", (json_int_t)
                                     ph_nonce_table_born(zone->table),
                             "places", (json_int_t) usage.places,
                             "live", (json_int_t) usage.live,
                             "new", (json_int_t) usage.inserted,
                             "seen", (json_int_t) usage.seen,
                             "no_room", (json_int_t) usage.no_room));
    }

    return list;
}


json_t *
ngx_http_payhub_status_accounts(void)
{
    json_t       *list, *account, *calls, *one;
    size_t        i;
    json_int_t    sum, good;
    const char   *name, *breaker;

    list = ngx_http_payhub_health_json();

    json_array_foreach(list, i, account) {

        calls = json_object_get(account, "calls");
        good = json_integer_value(json_object_get(calls, "succeeded"))
               + json_integer_value(json_object_get(calls, "failed"));
        sum = 0;

        json_object_foreach(calls, name, one) {
            sum += json_integer_value(one);
        }

        breaker = json_string_value(json_object_get(account, "breaker"));

        (void) json_object_set_new(account, "calls_sum", json_integer(sum));
        (void) json_object_set_new(account, "bad_sum",
                                   json_integer(sum - good));
        (void) json_object_set_new(account, "open",
                   json_boolean(breaker && ngx_strcmp(breaker, "closed") != 0
                                && ngx_strcmp(breaker, "off") != 0));
    }

    return list ? list : json_array();
}


/*
 * What live changes of routes and accounts may say.
 */


#include "ngx_http_payhub_route_int.h"


static char *ngx_http_payhub_route_check(ngx_pool_t *pool, json_t *change);
static char *ngx_http_payhub_account_check(ngx_pool_t *pool,
    json_t *change);
static ngx_int_t ngx_http_payhub_route_build(ngx_http_payhub_live_t *live);


ngx_http_payhub_live_kind_t  ngx_http_payhub_route_live = {
    ngx_string("route"),
    ngx_http_payhub_route_check,
    ngx_http_payhub_route_build
};


ngx_http_payhub_live_kind_t  ngx_http_payhub_account_live = {
    ngx_string("account"),
    ngx_http_payhub_account_check,
    ngx_http_payhub_route_build
};


static char *
ngx_http_payhub_route_say(ngx_pool_t *pool, const char *what,
    struct ph_str found, const char *expected)
{
    u_char  *p;
    size_t   size;

    size = ngx_strlen(what) + found.len + ngx_strlen(expected) + 32;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return ngx_http_payhub_live_busy;
    }

    *ngx_snprintf(p, size - 1, "%s: found \"%*s\", expected %s", what,
                  found.len, found.ptr, expected) = '\0';

    return (char *) p;
}


static char *
ngx_http_payhub_route_base(ngx_pool_t *pool, json_t *change, ngx_str_t *text,
    ngx_uint_t n)
{
    char        base[9];
    uint32_t    crc;
    ngx_uint_t  i;

    if (n == 0) {
        return json_object_set_new(change, "base", json_string("-"))
               ? ngx_http_payhub_live_busy : NULL;
    }

    crc = 0;

    for (i = 0; i < n; i++) {
        crc = ph_crc32c(crc, ngx_http_payhub_view(&text[i]));
        crc = ph_crc32c(crc, PH_STR("\n"));
    }

    *ngx_sprintf((u_char *) base, "%08xD", crc) = '\0';

    return json_object_set_new(change, "base", json_string(base))
           ? ngx_http_payhub_live_busy : NULL;
}


static char *
ngx_http_payhub_account_check(ngx_pool_t *pool, json_t *change)
{
    json_t                             *weight, *drained;
    ngx_uint_t                          i;
    struct ph_str                       id;
    ngx_http_payhub_routes_t           *routes;
    ngx_http_payhub_channel_t          *channel;
    ngx_http_payhub_route_main_conf_t  *rmcf;

    rmcf = ngx_http_payhub_route_conf();
    if (rmcf == NULL) {
        return ngx_http_payhub_live_busy;
    }

    id = ngx_http_payhub_route_text(change, "id");

    if (!ph_str_is_token(id, PH_ROUTE_NAME_MAX)) {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "an id of 1 to 32 of [A-Za-z0-9_-]");
    }

    weight = json_object_get(change, "weight");
    drained = json_object_get(change, "drained");

    if (weight == NULL && drained == NULL) {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "weight, drained or both with it");
    }

    if (weight
        && (!json_is_integer(weight) || json_integer_value(weight) < 0
            || json_integer_value(weight) > PH_ROUTE_WEIGHT_MAX))
    {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "a weight of 0 to 1000");
    }

    if (drained && !json_is_boolean(drained)) {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "drained true or false");
    }

    channel = rmcf->channels.elts;

    for (i = 0; i < rmcf->channels.nelts; i++) {
        if (ph_str_eq(channel[i].account.id, id)) {
            return ngx_http_payhub_route_base(pool, change, &channel[i].line,
                                              1);
        }
    }

    /* before the first word from a worker nobody knows its accounts */

    routes = ngx_http_payhub_routes(NULL);

    if (ngx_http_payhub_health_told() && routes
        && routes->epoch == ngx_http_payhub_epoch()
        && routes->told == ngx_http_payhub_health_told()
        && ngx_http_payhub_route_account_find(routes, id)
           == routes->accounts_n)
    {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "an account that is known here");
    }

    if (ngx_http_payhub_health_told() == 0 && rmcf->channels.nelts) {
        return ngx_http_payhub_route_say(pool, "account", id,
                                         "an account of payhub_channel");
    }

    return ngx_http_payhub_route_base(pool, change, NULL, 0);
}


/* NULL, or what was found and expected */

char *
ngx_http_payhub_route_rules_check(ngx_pool_t *pool, ngx_str_t *rules,
    ngx_uint_t n, ngx_http_payhub_route_main_conf_t *rmcf)
{
    char                       *p, fault[NGX_HTTP_PAYHUB_ROUTE_FAULT];
    size_t                      size;
    ngx_uint_t                  i;
    struct ph_buf               buf;
    struct ph_str               unknown;
    struct ph_arena             arena;
    struct ph_route             route;
    struct ph_route_account    *accounts;
    ngx_http_payhub_channel_t  *channel;

    size = 4096;

    for (i = 0; i < n; i++) {
        size += (rules[i].len + PH_ROUTE_NAME_MAX)
                * NGX_HTTP_PAYHUB_ROUTE_SPREAD
                + (rmcf->channels.nelts + 2) * sizeof(struct ph_route_seat);
    }

    p = ngx_palloc(pool, size);

    ngx_memzero(&route, sizeof(struct ph_route));
    route.rules = ngx_pcalloc(pool,
                              PH_ROUTE_RULES_MAX
                              * sizeof(struct ph_route_rule));
    accounts = ngx_palloc(pool, (rmcf->channels.nelts + 1)
                                * sizeof(struct ph_route_account));

    if (p == NULL || route.rules == NULL || accounts == NULL) {
        return ngx_http_payhub_live_busy;
    }

    ph_arena_init(&arena, p, size);

    for (i = 0; i < n; i++) {
        ph_buf_init(&buf, fault, sizeof(fault) - 1);

        if (ph_route_rule_add(&route, &arena, ngx_http_payhub_view(&rules[i]),
                              &buf)
            != PH_OK)
        {
            p = ngx_pnalloc(pool, buf.len + 1);
            if (p == NULL) {
                return ngx_http_payhub_live_busy;
            }

            *ngx_cpymem(p, buf.ptr, buf.len) = '\0';

            return p;
        }
    }

    channel = rmcf->channels.elts;

    for (i = 0; i < rmcf->channels.nelts; i++) {
        accounts[i] = channel[i].account;
    }

    if (!ph_route_link(&route, &arena, accounts, i, &unknown)) {
        return ngx_http_payhub_live_busy;
    }

    /* where accounts come by sync, a name may be known later */

    if (unknown.ptr && rmcf->channels.nelts
        && ngx_http_payhub_health_told() == 0)
    {
        return ngx_http_payhub_route_say(pool, "target", unknown,
                                         "an account or channel of "
                                         "payhub_channel");
    }

    return NULL;
}


static char *
ngx_http_payhub_route_check(ngx_pool_t *pool, json_t *change)
{
    char                               *rv;
    size_t                              n;
    json_t                             *rules, *rule;
    ngx_str_t                           texts[PH_ROUTE_RULES_MAX];
    ngx_uint_t                          i;
    struct ph_str                       name;
    ngx_http_payhub_route_conf_t       *conf;
    ngx_http_payhub_route_main_conf_t  *rmcf;

    rmcf = ngx_http_payhub_route_conf();
    if (rmcf == NULL) {
        return ngx_http_payhub_live_busy;
    }

    name = ngx_http_payhub_route_text(change, "name");
    rules = json_object_get(change, "rules");

    if (!ph_str_is_token(name, PH_ROUTE_NAME_MAX)) {
        return ngx_http_payhub_route_say(pool, "route", name,
                                         "a name of 1 to 32 of "
                                         "[A-Za-z0-9_-]");
    }

    if (!json_is_array(rules) || json_array_size(rules) > PH_ROUTE_RULES_MAX) {
        return ngx_http_payhub_route_say(pool, "route", name,
                                         "rules, an array of at most 64 "
                                         "texts");
    }

    json_array_foreach(rules, n, rule) {
        if (!json_is_string(rule)) {
            return ngx_http_payhub_route_say(pool, "route", name,
                                             "rules, an array of texts");
        }

        texts[n].data = (u_char *) json_string_value(rule);
        texts[n].len = json_string_length(rule);
    }

    rv = ngx_http_payhub_route_rules_check(pool, texts, n, rmcf);
    if (rv) {
        return rv;
    }

    conf = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        if (ph_str_eq(ngx_http_payhub_view(&conf[i].name), name)) {
            return ngx_http_payhub_route_base(pool, change,
                                              conf[i].rules.elts,
                                              conf[i].rules.nelts);
        }
    }

    return ngx_http_payhub_route_base(pool, change, NULL, 0);
}


/* the table is made when the first request wants it */

static ngx_int_t
ngx_http_payhub_route_build(ngx_http_payhub_live_t *live)
{
    return NGX_OK;
}

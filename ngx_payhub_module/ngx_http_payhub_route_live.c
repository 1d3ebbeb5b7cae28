
/*
 * The table that requests are routed by: accounts of payhub_channel and of
 * sync, routes of payhub_route, live changes over both.  Each process builds
 * it anew when one of them is another; requests hold the one they began with.
 */


#include "ngx_http_payhub_route_int.h"
#include "libpayhub/base/siphash.h"


#define NGX_HTTP_PAYHUB_ROUTE_FAULT  512

/* an item of two bytes of text takes its copy, 16-aligned, and a target */
#define NGX_HTTP_PAYHUB_ROUTE_SPREAD 48


static ngx_http_payhub_routes_t *ngx_http_payhub_routes_build(
    ngx_http_payhub_live_t *live);
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


static ngx_http_payhub_routes_t  *ngx_http_payhub_routes_current;


static ngx_http_payhub_route_main_conf_t *
ngx_http_payhub_route_conf(void)
{
    if (ngx_get_conf(ngx_cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_payhub_route_module);
}


void
ngx_http_payhub_routes_release(void *data)
{
    ngx_http_payhub_routes_t *routes = data;

    if (--routes->refs == 0) {
        ngx_destroy_pool(routes->pool);
    }
}


/*
 * Where one process serves one configuration after the other, a table points
 * into its own: requests that hold it keep that alive by their connections,
 * nothing keeps it for the next.
 */

void
ngx_http_payhub_routes_forget(void)
{
    if (ngx_http_payhub_routes_current) {
        ngx_http_payhub_routes_release(ngx_http_payhub_routes_current);
        ngx_http_payhub_routes_current = NULL;
    }
}


ngx_http_payhub_routes_t *
ngx_http_payhub_routes(ngx_http_payhub_live_t *live)
{
    ngx_http_payhub_routes_t  *now, *next;

    now = ngx_http_payhub_routes_current;

    if (live == NULL) {
        return now;
    }

    if (now
        && now->generation == live->generation
        && now->epoch == ngx_http_payhub_epoch()
        && now->told == ngx_http_payhub_health_told()
        && now->renewed == ngx_http_payhub_health_renewed())
    {
        return now;
    }

    next = ngx_http_payhub_routes_build(live);

    if (next && next->unshared
        && ngx_http_payhub_health_renew(next->shared + next->unshared))
    {
        ngx_http_payhub_routes_release(next);
        next = ngx_http_payhub_routes_build(live);
    }

    if (next == NULL) {
        return now;
    }

    if (now) {
        ngx_http_payhub_routes_release(now);
    }

    ngx_http_payhub_routes_current = next;

    return next;
}


/* ---- accounts ---- */


static struct ph_str
ngx_http_payhub_route_text(json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return ph_str_make(json_string_value(value), json_string_length(value));
}


static ngx_uint_t
ngx_http_payhub_route_account_find(ngx_http_payhub_routes_t *routes,
    struct ph_str id)
{
    ngx_uint_t  i;

    for (i = 0; i < routes->accounts_n; i++) {
        if (ph_str_eq(routes->accounts[i].id, id)) {
            break;
        }
    }

    return i;
}


static void
ngx_http_payhub_route_methods(ngx_http_payhub_routes_t *routes,
    struct ph_route_list *list, json_t *methods)
{
    size_t          n;
    struct ph_str  *items;

    n = ngx_min(json_array_size(methods), PH_ROUTE_LIST_MAX);

    items = ph_arena_take(&routes->arena, (n + 1) * sizeof(struct ph_str));
    if (items == NULL) {
        return;
    }

    for (list->count = 0; list->count < n; list->count++) {
        json_t  *item = json_array_get(methods, list->count);

        items[list->count] = ph_arena_dup(&routes->arena,
                                     ph_str_make(json_string_value(item),
                                                 json_string_length(item)));
    }

    list->items = items;
}


/* payhub_channel goes before in what both say */

static void
ngx_http_payhub_route_account_told(ngx_http_payhub_routes_t *routes,
    json_t *item, ngx_http_payhub_route_main_conf_t *rmcf)
{
    json_t                    *number;
    ngx_uint_t                 i;
    struct ph_str              id, app, *apps;
    ngx_http_payhub_face_t    *face;
    ngx_http_payhub_channel_t *channel;
    struct ph_route_account   *account;
    static struct ph_breaker_spec  usual = PH_BREAKER_DEFAULT;

    id = ngx_http_payhub_route_text(item, "id");

    if (!ph_str_is_token(id, PH_ROUTE_NAME_MAX)) {
        return;
    }

    i = ngx_http_payhub_route_account_find(routes, id);

    if (i == NGX_HTTP_PAYHUB_ACCOUNTS_MAX) {
        return;
    }

    account = &routes->accounts[i];
    face = &routes->faces[i];

    channel = (i < rmcf->channels.nelts)
              ? (ngx_http_payhub_channel_t *) rmcf->channels.elts + i : NULL;

    if (i == routes->accounts_n) {
        routes->accounts_n++;
        account->id = ph_arena_dup(&routes->arena, id);
        account->channel = ph_arena_dup(&routes->arena,
                              ngx_http_payhub_route_text(item, "channel"));
        account->priority = PH_ROUTE_PRIORITY;
        account->weight = 1;
        face->breaker = usual;
    }

    number = json_object_get(item, "weight");

    if (json_is_integer(number) && (channel == NULL || !channel->weight_set)) {
        account->weight = (unsigned) ngx_max(0,
                                     ngx_min(json_integer_value(number),
                                             PH_ROUTE_WEIGHT_MAX));
    }

    app = ngx_http_payhub_route_text(item, "app");

    if (app.len && account->apps.count == 0) {
        apps = ph_arena_take(&routes->arena, sizeof(struct ph_str));
        if (apps) {
            *apps = ph_arena_dup(&routes->arena, app);
            account->apps.items = apps;
            account->apps.count = 1;
        }
    }

    if (account->methods.count == 0) {
        ngx_http_payhub_route_methods(routes, &account->methods,
                                      json_object_get(item, "methods"));
    }

    account->is_drained |= json_is_true(json_object_get(item, "drained"));

    face->ended = (uint64_t) json_integer_value(json_object_get(item,
                                                                "ended"));
    face->paid = (uint64_t) json_integer_value(json_object_get(item, "paid"));
    face->paid = ngx_min(face->paid, face->ended);
    face->as_of = (time_t) json_integer_value(json_object_get(item, "as_of"));
}


static void
ngx_http_payhub_route_account_change(ngx_http_payhub_routes_t *routes,
    json_t *change)
{
    json_t      *value;
    ngx_uint_t   i;

    i = ngx_http_payhub_route_account_find(routes,
                                    ngx_http_payhub_route_text(change, "id"));

    if (i == routes->accounts_n) {
        return;
    }

    value = json_object_get(change, "weight");

    if (json_is_integer(value)) {
        routes->accounts[i].weight = (unsigned) json_integer_value(value);
    }

    value = json_object_get(change, "drained");

    if (json_is_boolean(value)) {
        routes->accounts[i].is_drained = json_is_true(value);
    }
}


static ngx_int_t
ngx_http_payhub_route_accounts(ngx_http_payhub_routes_t *routes,
    ngx_http_payhub_live_t *live, json_t *told,
    ngx_http_payhub_route_main_conf_t *rmcf)
{
    size_t                      n;
    json_t                     *item;
    ngx_uint_t                  i;
    ngx_http_payhub_channel_t  *channel;

    n = ngx_min(rmcf->channels.nelts + json_array_size(told),
                NGX_HTTP_PAYHUB_ACCOUNTS_MAX) + 1;

    routes->accounts = ngx_pcalloc(routes->pool,
                                   n * sizeof(struct ph_route_account));
    routes->faces = ngx_pcalloc(routes->pool,
                                n * sizeof(ngx_http_payhub_face_t));

    if (routes->accounts == NULL || routes->faces == NULL) {
        return NGX_ERROR;
    }

    channel = rmcf->channels.elts;

    for (i = 0; i < rmcf->channels.nelts; i++) {
        routes->accounts[i] = channel[i].account;
        routes->faces[i].breaker = channel[i].breaker;
    }

    routes->accounts_n = i;

    json_array_foreach(told, i, item) {
        ngx_http_payhub_route_account_told(routes, item, rmcf);
    }

    json_array_foreach(live->changes, i, item) {
        if (ph_str_eq(ngx_http_payhub_route_text(item, "kind"),
                      PH_STR("account")))
        {
            ngx_http_payhub_route_account_change(routes, item);
        }
    }

    for (i = 0; i < routes->accounts_n; i++) {
        routes->faces[i].health =
                       ngx_http_payhub_health_find(routes->accounts[i].id);
    }

    return NGX_OK;
}


/* ---- routes ---- */


/* one word for a rule with its accounts and weights: another set, other
   shares */

static void
ngx_http_payhub_route_shares(ngx_http_payhub_routes_t *routes,
    struct ph_route *route, struct ph_route_rule *rule)
{
    char                   memory[PH_ROUTE_SEATS_MAX * 48];
    size_t                 i;
    uint64_t              *share;
    struct ph_buf          buf;
    struct ph_hash128      hash;
    static const uint8_t   key[PH_SIPHASH_KEY_LEN];

    ph_buf_init(&buf, memory, sizeof(memory));
    ph_buf_add(&buf, route->name);
    ph_buf_byte(&buf, '\n');
    ph_buf_add(&buf, rule->name);
    ph_buf_byte(&buf, '0' + (char) rule->by);

    for (i = 0; i < rule->seat_count; i++) {
        ph_buf_byte(&buf, '\n');
        ph_buf_add(&buf, routes->accounts[rule->seats[i].account].id);
        ph_buf_byte(&buf, ':');
        ph_buf_u64(&buf, rule->seats[i].weight);
    }

    hash = ph_siphash(key, ph_buf_str(&buf));

    for (i = 0; i < rule->seat_count; i++) {
        share = ngx_http_payhub_health_share((hash.lo ^ hash.hi) + i);
        if (share == NULL) {
            routes->unshared++;
            continue;
        }

        rule->seats[i].share = share;
        routes->shared++;
    }
}


static ngx_int_t
ngx_http_payhub_route_make(ngx_http_payhub_routes_t *routes,
    struct ph_str name, struct ph_str *texts, ngx_uint_t n)
{
    char              fault[NGX_HTTP_PAYHUB_ROUTE_FAULT];
    ngx_uint_t        i;
    struct ph_buf     buf;
    struct ph_str     unknown;
    struct ph_route  *route;

    route = ngx_http_payhub_routes_find(routes, name);

    if (route == NULL) {
        if (routes->routes_n == 2 * NGX_HTTP_PAYHUB_ROUTES_MAX) {
            return NGX_OK;
        }

        route = &routes->routes[routes->routes_n++];
        route->name = ph_arena_dup(&routes->arena, name);
    }

    route->rule_count = 0;
    route->key_count = 0;
    route->rules = ph_arena_take(&routes->arena,
                                 (n + 1) * sizeof(struct ph_route_rule));
    if (route->rules == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        ph_buf_init(&buf, fault, sizeof(fault));

        if (ph_route_rule_add(route, &routes->arena, texts[i], &buf)
            != PH_OK)
        {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "payhub route \"%*s\": %*s", name.len, name.ptr,
                          buf.len, buf.ptr);
            return NGX_ERROR;
        }
    }

    if (!ph_route_link(route, &routes->arena, routes->accounts,
                       routes->accounts_n, &unknown))
    {
        return NGX_ERROR;
    }

    for (i = 0; i < route->rule_count; i++) {
        ngx_http_payhub_route_shares(routes, route, &route->rules[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_route_rules(ngx_http_payhub_routes_t *routes,
    ngx_http_payhub_live_t *live, ngx_http_payhub_route_main_conf_t *rmcf)
{
    size_t                         i, n;
    json_t                        *change, *rules, *rule;
    ngx_str_t                     *text;
    struct ph_str                  texts[PH_ROUTE_RULES_MAX];
    ngx_http_payhub_route_conf_t  *conf;

    routes->routes = ngx_pcalloc(routes->pool,
                                 2 * NGX_HTTP_PAYHUB_ROUTES_MAX
                                 * sizeof(struct ph_route));
    if (routes->routes == NULL) {
        return NGX_ERROR;
    }

    conf = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        text = conf[i].rules.elts;

        for (n = 0; n < conf[i].rules.nelts; n++) {
            texts[n] = ngx_http_payhub_view(&text[n]);
        }

        if (ngx_http_payhub_route_make(routes,
                                       ngx_http_payhub_view(&conf[i].name),
                                       texts, n)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    json_array_foreach(live->changes, i, change) {

        if (!ph_str_eq(ngx_http_payhub_route_text(change, "kind"),
                       PH_STR("route")))
        {
            continue;
        }

        rules = json_object_get(change, "rules");

        json_array_foreach(rules, n, rule) {
            if (n == PH_ROUTE_RULES_MAX) {
                break;
            }

            texts[n] = ph_str_make(json_string_value(rule),
                                   json_string_length(rule));
        }

        if (ngx_http_payhub_route_make(routes,
                                   ngx_http_payhub_route_text(change, "name"),
                                   texts, ngx_min(json_array_size(rules),
                                                  PH_ROUTE_RULES_MAX))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what the arena may need, from what is to be read */

static size_t
ngx_http_payhub_route_room(ngx_http_payhub_live_t *live, json_t *told,
    ngx_http_payhub_route_main_conf_t *rmcf)
{
    size_t                         i, n, text, rules;
    json_t                        *change, *rule;
    ngx_str_t                     *t;
    ngx_http_payhub_route_conf_t  *conf;

    text = 0;
    rules = 0;

    conf = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        t = conf[i].rules.elts;

        for (n = 0; n < conf[i].rules.nelts; n++) {
            text += t[n].len + PH_ROUTE_NAME_MAX;
            rules++;
        }

        rules++;
    }

    json_array_foreach(live->changes, i, change) {
        json_array_foreach(json_object_get(change, "rules"), n, rule) {
            text += json_string_length(rule) + PH_ROUTE_NAME_MAX;
            rules++;
        }

        rules++;
    }

    n = ngx_min(rmcf->channels.nelts + json_array_size(told),
                PH_ROUTE_SEATS_MAX) + 1;

    return text * NGX_HTTP_PAYHUB_ROUTE_SPREAD
           + rules * (sizeof(struct ph_route_rule) + 64
                      + n * sizeof(struct ph_route_seat))
           + json_array_size(told) * (PH_ROUTE_LIST_MAX + 4)
             * (sizeof(struct ph_str) + PH_ROUTE_NAME_MAX + 16)
           + 4096;
}


static ngx_http_payhub_routes_t *
ngx_http_payhub_routes_build(ngx_http_payhub_live_t *live)
{
    u_char                             *p;
    size_t                              size;
    json_t                             *told;
    uint64_t                            word;
    ngx_int_t                           rc;
    ngx_pool_t                         *pool;
    ngx_http_payhub_routes_t           *routes;
    ngx_http_payhub_route_main_conf_t  *rmcf;

    rmcf = ngx_http_payhub_route_conf();
    if (rmcf == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    told = ngx_http_payhub_health_accounts(&word);
    size = ngx_http_payhub_route_room(live, told, rmcf);

    routes = ngx_pcalloc(pool, sizeof(ngx_http_payhub_routes_t));
    p = ngx_palloc(pool, size);

    rc = NGX_ERROR;

    if (routes && p) {
        ph_arena_init(&routes->arena, (char *) p, size);

        routes->pool = pool;
        routes->refs = 1;
        routes->renewed = ngx_http_payhub_health_renewed();
        routes->generation = live->generation;
        routes->epoch = ngx_http_payhub_epoch();
        routes->told = word;

        rc = ngx_http_payhub_route_accounts(routes, live, told, rmcf);

        if (rc == NGX_OK) {
            rc = ngx_http_payhub_route_rules(routes, live, rmcf);
        }
    }

    json_decref(told);

    if (rc != NGX_OK || routes->arena.full) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "payhub route: the table cannot be built");
        ngx_destroy_pool(pool);
        return NULL;
    }

    return routes;
}


/* ---- live changes ---- */


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

    routes = ngx_http_payhub_routes_current;

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

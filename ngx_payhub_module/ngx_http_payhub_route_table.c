
/*
 * The table that requests are routed by: accounts of payhub_channel and of
 * sync, routes of payhub_route, live changes over both.  Each process builds
 * it anew when one of them is another; requests hold the one they began with.
 */


#include "ngx_http_payhub_route_int.h"
#include "libpayhub/base/siphash.h"


static ngx_http_payhub_routes_t *ngx_http_payhub_routes_build(
    ngx_http_payhub_live_t *live);


static ngx_http_payhub_routes_t  *ngx_http_payhub_routes_current;


ngx_http_payhub_route_main_conf_t *
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


struct ph_str
ngx_http_payhub_route_text(json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return ph_str_make(json_string_value(value), json_string_length(value));
}


ngx_uint_t
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
ngx_http_payhub_route_list(ngx_http_payhub_routes_t *routes,
    struct ph_route_list *list, json_t *told)
{
    size_t          n;
    struct ph_str  *items;

    n = ngx_min(json_array_size(told), PH_ROUTE_LIST_MAX);

    items = ph_arena_take(&routes->arena, (n + 1) * sizeof(struct ph_str));
    if (items == NULL) {
        return;
    }

    for (list->count = 0; list->count < n; list->count++) {
        json_t  *item = json_array_get(told, list->count);

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
    struct ph_breaker_spec     told;
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

    if ((channel == NULL || !channel->breaker_set)
        && ph_breaker_parse(ngx_http_payhub_route_text(item, "breaker"), &told)
           == PH_OK)
    {
        face->breaker = told;
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
        ngx_http_payhub_route_list(routes, &account->methods,
                                   json_object_get(item, "methods"));
    }

    if (account->currencies.count == 0) {
        ngx_http_payhub_route_list(routes, &account->currencies,
                                   json_object_get(item, "currencies"));
    }

    account->is_drained |= json_is_true(json_object_get(item, "drained"));
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

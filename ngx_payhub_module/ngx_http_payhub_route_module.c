
/*
 * payhub_channel, payhub_route: which accounts a payment may go to.
 */


#include "ngx_http_payhub_route_int.h"


#define NGX_HTTP_PAYHUB_ROUTE_ARENA     16384   /* lists of one account */


static char *ngx_http_payhub_channel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_route_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_route_rule(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_payhub_route_by(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_payhub_route_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_payhub_route_init(ngx_conf_t *cf);
static void *ngx_http_payhub_route_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_payhub_route_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_route_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_payhub_route_init_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_payhub_route_commands[] = {

    { ngx_string("payhub_channel"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_payhub_channel,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_route"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_payhub_route_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payhub_route_by"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payhub_route_by,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_route_module_ctx = {
    ngx_http_payhub_route_add_variables,   /* preconfiguration */
    ngx_http_payhub_route_init,            /* postconfiguration */

    ngx_http_payhub_route_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_route_create_loc_conf, /* create location configuration */
    ngx_http_payhub_route_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_route_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_route_module_ctx,     /* module context */
    ngx_http_payhub_route_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_payhub_route_init_process,    /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_payhub_route_vars[] = {

    { ngx_string("payhub_route_reason"), NULL,
      ngx_http_payhub_route_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_payhub_route_default = ngx_string("default");


static char *
ngx_http_payhub_channel_fault(ngx_conf_t *cf, ngx_str_t *found,
    const char *expected)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C402 payhub_channel: found \"%V\", expected %s",
                       found, expected);
    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_payhub_channel_number(struct ph_str value, uint64_t max,
    unsigned *out)
{
    uint64_t  n;

    if (!ph_str_u64(value, max, &n)) {
        return 0;
    }

    *out = (unsigned) n;

    return 1;
}


/* NULL, or what was expected */

static const char *
ngx_http_payhub_channel_option(struct ph_arena *arena,
    ngx_http_payhub_channel_t *channel, struct ph_str name,
    struct ph_str value)
{
    struct ph_route_account  *a = &channel->account;

    if (ph_str_eq(name, PH_STR("channel"))) {
        a->channel = value;
        return ph_str_is_token(value, PH_ROUTE_NAME_MAX)
               ? NULL : "channel=NAME of 1 to 32 of [A-Za-z0-9_-]";
    }

    if (ph_str_eq(name, PH_STR("methods"))) {
        return ph_route_list_parse(arena, value, &a->methods) == PH_OK
               ? NULL : "methods=A,B,... at most 32";
    }

    if (ph_str_eq(name, PH_STR("currencies"))) {
        return ph_route_list_parse(arena, value, &a->currencies) == PH_OK
               ? NULL : "currencies=A,B,... at most 32";
    }

    if (ph_str_eq(name, PH_STR("apps"))) {
        return ph_route_list_parse(arena, value, &a->apps) == PH_OK
               ? NULL : "apps=A,B,... at most 32";
    }

    if (ph_str_eq(name, PH_STR("priority"))) {
        return ngx_http_payhub_channel_number(value, PH_ROUTE_PRIORITY_MAX,
                                              &a->priority)
               ? NULL : "priority=0 to 255";
    }

    if (ph_str_eq(name, PH_STR("weight"))) {
        channel->weight_set = 1;
        return ngx_http_payhub_channel_number(value, PH_ROUTE_WEIGHT_MAX,
                                              &a->weight)
               ? NULL : "weight=0 to 1000";
    }

    if (ph_str_eq(name, PH_STR("inflight"))) {
        return ngx_http_payhub_channel_number(value, 65535, &a->inflight_max)
               && a->inflight_max
               ? NULL : "inflight=1 to 65535";
    }

    if (ph_str_eq(name, PH_STR("fee"))) {
        return ph_route_fee_parse(value, &a->fee_ppm, &a->fee_fixed) == PH_OK
               ? NULL : "fee=PPMppm, PPMppm+FIXED or +FIXED, at most "
                        "1000000ppm";
    }

    if (ph_str_eq(name, PH_STR("breaker"))) {
        channel->breaker_set = 1;
        return ph_breaker_parse(value, &channel->breaker) == PH_OK
               ? NULL : "breaker=off or PERCENT%/CALLS/OPEN/PROBES as "
                        "50%/20/5s/3";
    }

    return "channel=, methods=, currencies=, apps=, priority=, weight=, "
           "fee=, inflight=, breaker= or drained";
}


static char *
ngx_http_payhub_channel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_route_main_conf_t *rmcf = conf;

    char                       *p;
    u_char                     *last;
    size_t                      len;
    ngx_str_t                  *value;
    ngx_uint_t                  i, n;
    const char                 *expected;
    struct ph_str               name, rest;
    struct ph_arena             arena;
    ngx_http_payhub_channel_t  *channel;
    static struct ph_breaker_spec  usual = PH_BREAKER_DEFAULT;

    value = cf->args->elts;

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]), PH_ROUTE_NAME_MAX)
        || ngx_strcmp(value[1].data, "any") == 0)
    {
        return ngx_http_payhub_channel_fault(cf, &value[1],
                           "an account's id, 1 to 32 of [A-Za-z0-9_-], not "
                           "\"any\"");
    }

    channel = rmcf->channels.elts;

    for (i = 0; i < rmcf->channels.nelts; i++) {
        if (ph_str_eq(channel[i].account.id,
                      ngx_http_payhub_view(&value[1])))
        {
            return ngx_http_payhub_channel_fault(cf, &value[1],
                                                 "an id of its own for each");
        }
    }

    if (i == NGX_HTTP_PAYHUB_ACCOUNTS_MAX) {
        return ngx_http_payhub_channel_fault(cf, &value[1],
                                             "at most 1024 accounts");
    }

    channel = ngx_array_push(&rmcf->channels);
    p = ngx_palloc(cf->pool, NGX_HTTP_PAYHUB_ROUTE_ARENA);

    if (channel == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    ph_arena_init(&arena, p, NGX_HTTP_PAYHUB_ROUTE_ARENA);
    ngx_memzero(channel, sizeof(ngx_http_payhub_channel_t));

    channel->account.id = ngx_http_payhub_view(&value[1]);
    channel->account.priority = PH_ROUTE_PRIORITY;
    channel->account.weight = 1;
    channel->breaker = usual;

    len = value[1].len;

    for (i = 2; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
        rest = ngx_http_payhub_view(&value[i]);

        if (ph_str_eq(rest, PH_STR("drained"))) {
            channel->account.is_drained = 1;
            continue;
        }

        name = rest;

        if (!ph_str_cut(ngx_http_payhub_view(&value[i]), '=', &name, &rest)) {
            name = PH_STR("");
        }

        for (n = 2; n < i; n++) {
            if (ph_str_starts(ngx_http_payhub_view(&value[n]), name)
                && name.len && value[n].data[name.len] == '=')
            {
                return ngx_http_payhub_channel_fault(cf, &value[i],
                                                     "each option once");
            }
        }

        expected = ngx_http_payhub_channel_option(&arena, channel, name, rest);
        if (expected) {
            return ngx_http_payhub_channel_fault(cf, &value[i], expected);
        }
    }

    if (channel->account.channel.len == 0) {
        return ngx_http_payhub_channel_fault(cf, &value[1],
                                             "channel=NAME with it");
    }

    channel->line.data = ngx_pnalloc(cf->pool, len + 1);
    if (channel->line.data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = channel->line.data;

    for (i = 1; i < cf->args->nelts; i++) {
        last = ngx_cpymem(last, value[i].data, value[i].len);
        *last++ = ' ';
    }

    channel->line.len = last - channel->line.data;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_route_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_route_main_conf_t *rmcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_conf_t                     save;
    ngx_uint_t                     i;
    ngx_http_payhub_route_conf_t  *route;

    value = cf->args->elts;

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]), PH_ROUTE_NAME_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C403 payhub_route: found \"%V\", expected a "
                           "name, 1 to 32 of [A-Za-z0-9_-]", &value[1]);
        return NGX_CONF_ERROR;
    }

    route = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        if (route[i].name.len == value[1].len
            && ngx_strncmp(route[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C403 payhub_route: found \"%V\" twice, "
                               "expected a name of its own for each",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (i == NGX_HTTP_PAYHUB_ROUTES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C403 payhub_route: found \"%V\" behind %d "
                           "others, expected at most that many", &value[1],
                           NGX_HTTP_PAYHUB_ROUTES_MAX);
        return NGX_CONF_ERROR;
    }

    route = ngx_array_push(&rmcf->routes);
    if (route == NULL) {
        return NGX_CONF_ERROR;
    }

    route->name = value[1];
    route->file = cf->conf_file->file.name;
    route->line = cf->conf_file->line;

    if (ngx_array_init(&route->rules, cf->pool, 8, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_payhub_route_rule;
    cf->handler_conf = (char *) route;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_payhub_route_rule(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    u_char                             *last;
    char                               *fault;
    size_t                              len;
    ngx_str_t                          *value, *rule;
    ngx_uint_t                          i;
    ngx_http_payhub_route_conf_t       *route;
    ngx_http_payhub_route_main_conf_t   none;

    value = cf->args->elts;
    route = (ngx_http_payhub_route_conf_t *) cf->handler_conf;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    if (ngx_strcmp(value[0].data, "rule") != 0 || cf->args->nelts < 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C403 payhub_route \"%V\": found \"%V\", "
                           "expected rule NAME CONDITIONS -> TARGETS;",
                           &route->name, &value[0]);
        return NGX_CONF_ERROR;
    }

    len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
    }

    rule = ngx_array_push(&route->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    rule->data = ngx_pnalloc(cf->pool, len);
    if (rule->data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = rule->data;

    for (i = 1; i < cf->args->nelts; i++) {
        last = ngx_cpymem(last, value[i].data, value[i].len);
        *last++ = ' ';
    }

    rule->len = last - rule->data - 1;

    /* the words now, with the line; the accounts when all are known */

    ngx_memzero(&none, sizeof(ngx_http_payhub_route_main_conf_t));

    fault = ngx_http_payhub_route_rules_check(cf->temp_pool,
                                              route->rules.elts,
                                              route->rules.nelts, &none);
    if (fault) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C403 payhub_route \"%V\": %s", &route->name,
                           fault);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_route_by(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_route_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->name.data) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C403");
    }

    value = cf->args->elts;

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]), PH_ROUTE_NAME_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C403 payhub_route_by: found \"%V\", expected "
                           "the name of a payhub_route, or off", &value[1]);
        return NGX_CONF_ERROR;
    }

    rlcf->name = value[1];
    rlcf->on = ngx_strcmp(value[1].data, "off") != 0;

    if (rlcf->on) {
        ngx_http_payhub_mark_server(cf);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_route_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_payhub_route_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_route_init(ngx_conf_t *cf)
{
    char                               *fault;
    ngx_uint_t                          i;
    ngx_http_payhub_route_conf_t       *route;
    ngx_http_payhub_route_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_payhub_route_module);
    route = rmcf->routes.elts;

    for (i = 0; i < rmcf->routes.nelts; i++) {
        fault = ngx_http_payhub_route_rules_check(cf->temp_pool,
                                                  route[i].rules.elts,
                                                  route[i].rules.nelts, rmcf);
        if (fault) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "PH-C403 payhub_route \"%V\": %s in %V:%ui",
                          &route[i].name, fault, &route[i].file,
                          route[i].line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void *
ngx_http_payhub_route_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_route_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_route_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->channels, cf->pool, 8,
                       sizeof(ngx_http_payhub_channel_t))
        != NGX_OK
        || ngx_array_init(&conf->routes, cf->pool, 2,
                          sizeof(ngx_http_payhub_route_conf_t))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_payhub_route_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_route_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_route_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->name = { 0, NULL };
     */

    conf->on = NGX_CONF_UNSET;

    return conf;
}


/* where none is named and payhub_pass stands, it is the route "default" */

static char *
ngx_http_payhub_route_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_payhub_route_loc_conf_t *prev = parent;
    ngx_http_payhub_route_loc_conf_t *conf = child;

    if (conf->on == NGX_CONF_UNSET) {
        conf->on = prev->on;
    }

    ngx_conf_merge_str_value(conf->name, prev->name, "");

    if (conf->name.len == 0) {
        conf->name = ngx_http_payhub_route_default;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_route_init_process(ngx_cycle_t *cycle)
{
    ngx_http_payhub_routes_forget();
    ngx_http_payhub_health_init_process();

    return NGX_OK;
}


/*
 * payhub_limit_zone: what it says.
 */


#include "ngx_http_payhub_limit_shared.h"


#define NGX_HTTP_PAYHUB_LIMIT_BURST_MS_MAX   86400000
#define NGX_HTTP_PAYHUB_LIMIT_WARMUP_MS_MAX  86400000


/* parameters of payhub_limit_zone, as bits of what has been seen */

#define NGX_HTTP_PAYHUB_LIMIT_P_KEY        0x01
#define NGX_HTTP_PAYHUB_LIMIT_P_RATE       0x02
#define NGX_HTTP_PAYHUB_LIMIT_P_BURST      0x04
#define NGX_HTTP_PAYHUB_LIMIT_P_ALGORITHM  0x08
#define NGX_HTTP_PAYHUB_LIMIT_P_WARMUP     0x10
#define NGX_HTTP_PAYHUB_LIMIT_P_CLUSTER    0x20


typedef struct {
    ngx_http_payhub_limit_zone_t  *zone;
    ngx_str_t                      burst;
    ngx_uint_t                     seen;
} ngx_http_payhub_limit_parse_t;


typedef char *(*ngx_http_payhub_limit_param_pt)(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);


static char *ngx_http_payhub_limit_zone_name(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_payhub_limit_main_conf_t *lmcf,
    ngx_str_t *value, ngx_http_payhub_limit_parse_t *parse, size_t *size);
static char *ngx_http_payhub_limit_zone_param(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_key(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_rate(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_burst(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_algorithm(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_warmup(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_param_cluster(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value);
static char *ngx_http_payhub_limit_zone_whole(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse);
static ngx_int_t ngx_http_payhub_limit_hash(ngx_conf_t *cf, u_char *hash);


static struct {
    ngx_str_t                       name;
    ngx_uint_t                      bit;
    ngx_http_payhub_limit_param_pt  handler;
} ngx_http_payhub_limit_params[] = {

    { ngx_string("key="), NGX_HTTP_PAYHUB_LIMIT_P_KEY,
      ngx_http_payhub_limit_param_key },

    { ngx_string("rate="), NGX_HTTP_PAYHUB_LIMIT_P_RATE,
      ngx_http_payhub_limit_param_rate },

    { ngx_string("burst="), NGX_HTTP_PAYHUB_LIMIT_P_BURST,
      ngx_http_payhub_limit_param_burst },

    { ngx_string("algorithm="), NGX_HTTP_PAYHUB_LIMIT_P_ALGORITHM,
      ngx_http_payhub_limit_param_algorithm },

    { ngx_string("warmup="), NGX_HTTP_PAYHUB_LIMIT_P_WARMUP,
      ngx_http_payhub_limit_param_warmup },

    { ngx_string("cluster"), NGX_HTTP_PAYHUB_LIMIT_P_CLUSTER,
      ngx_http_payhub_limit_param_cluster },

    { ngx_null_string, 0, NULL }
};


char *
ngx_http_payhub_limit_zone_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_payhub_limit_main_conf_t  *lmcf = conf;

    char                           *rv;
    size_t                          size;
    u_char                         *p;
    ngx_str_t                      *value, name;
    ngx_uint_t                      i;
    ngx_http_payhub_limit_zone_t   *zone;
    ngx_http_payhub_limit_parse_t   parse;

    value = cf->args->elts;

    ngx_memzero(&parse, sizeof(ngx_http_payhub_limit_parse_t));

    rv = ngx_http_payhub_limit_zone_name(cf, cmd, lmcf, &value[1], &parse,
                                         &size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    zone = parse.zone;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_payhub_limit_zone_param(cf, &parse, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_payhub_limit_zone_whole(cf, &parse);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (zone->cluster && size < NGX_HTTP_PAYHUB_LIMIT_SIZE_CLUSTER_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found size %uz for a "
                           "cluster's zone, expected %dk or more", size,
                           NGX_HTTP_PAYHUB_LIMIT_SIZE_CLUSTER_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payhub_limit_hash(cf, zone->hash) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    zone->policy.data = ngx_pnalloc(cf->pool, zone->name.len
                                              + sizeof("\"\";q=;w=")
                                              + 2 * NGX_INT64_LEN);
    if (zone->policy.data == NULL) {
        return NGX_CONF_ERROR;
    }

    /* a name of its own: limits and nonces may be called alike */

    name.len = sizeof("payhub_limit:") - 1 + zone->name.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(name.data, "payhub_limit:", sizeof("payhub_limit:") - 1);
    ngx_memcpy(p, zone->name.data, zone->name.len);

    zone->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                           &ngx_http_payhub_limit_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_payhub_limit_zone_init;
    zone->shm_zone->data = zone;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_zone_name(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_payhub_limit_main_conf_t *lmcf,
    ngx_str_t *value, ngx_http_payhub_limit_parse_t *parse, size_t *size)
{
    char       *rv;
    ngx_str_t   name;

    rv = ngx_http_payhub_name_size(cf, cmd, "PH-C301", value,
                                   NGX_HTTP_PAYHUB_LIMIT_SIZE_MIN, &name,
                                   size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    parse->zone = ngx_http_payhub_limit_named(cf, lmcf, &name);
    if (parse->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (parse->zone->shm_zone) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found \"%V\" twice, "
                           "expected each zone once", &name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the record of a zone, made when it is named first, defined or not */

ngx_http_payhub_limit_zone_t *
ngx_http_payhub_limit_named(ngx_conf_t *cf,
    ngx_http_payhub_limit_main_conf_t *lmcf, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_http_payhub_limit_zone_t  **zones, **slot, *zone;

    zones = lmcf->zones.elts;

    for (i = 0; i < lmcf->zones.nelts; i++) {
        if (zones[i]->name.len == name->len
            && ngx_strncmp(zones[i]->name.data, name->data, name->len) == 0)
        {
            return zones[i];
        }
    }

    if (lmcf->zones.nelts == NGX_HTTP_PAYHUB_LIMITS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found more than %d "
                           "zones, expected at most %d",
                           NGX_HTTP_PAYHUB_LIMITS_MAX,
                           NGX_HTTP_PAYHUB_LIMITS_MAX);
        return NULL;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_limit_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    zone->name = *name;
    zone->file_name = cf->conf_file->file.name.data;
    zone->line = cf->conf_file->line;

    slot = ngx_array_push(&lmcf->zones);
    if (slot == NULL) {
        return NULL;
    }

    *slot = zone;

    return zone;
}


static char *
ngx_http_payhub_limit_zone_param(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    ngx_str_t   rest, *name;
    ngx_uint_t  i, bit;

    for (i = 0; ngx_http_payhub_limit_params[i].bit; i++) {

        name = &ngx_http_payhub_limit_params[i].name;
        bit = ngx_http_payhub_limit_params[i].bit;

        if (value->len < name->len
            || ngx_strncmp(value->data, name->data, name->len) != 0)
        {
            continue;
        }

        rest.data = value->data + name->len;
        rest.len = value->len - name->len;

        /* a word alone, or a name with a value */

        if ((name->data[name->len - 1] == '=') == (rest.len == 0)) {
            break;
        }

        if (parse->seen & bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C301 payhub_limit_zone: found \"%V\" "
                               "twice, expected it once", name);
            return NGX_CONF_ERROR;
        }

        parse->seen |= bit;

        return ngx_http_payhub_limit_params[i].handler(cf, parse, &rest);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C301 payhub_limit_zone: found \"%V\", expected "
                       "key=, rate=, burst=, algorithm=, warmup= or cluster",
                       value);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_limit_param_key(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    return ngx_http_payhub_limit_zone_key(cf, parse->zone, value);
}


static char *
ngx_http_payhub_limit_param_rate(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    if (ph_rate_parse(ngx_http_payhub_view(value), &parse->zone->base.rate)
        != PH_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found rate \"%V\", "
                           "expected a number of 1 to %uL and /s, /m, /h or "
                           "/d", value, PH_RATE_TOKENS_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what it means shows when the algorithm is known */

static char *
ngx_http_payhub_limit_param_burst(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    parse->burst = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_param_algorithm(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    if (value->len == 6 && ngx_strncmp(value->data, "bursty", 6) == 0) {
        parse->zone->base.kind = PH_BUCKET_BURSTY;
        return NGX_CONF_OK;
    }

    if (value->len == 6 && ngx_strncmp(value->data, "warmup", 6) == 0) {
        parse->zone->base.kind = PH_BUCKET_WARMUP;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C301 payhub_limit_zone: found algorithm \"%V\", "
                       "expected bursty or warmup", value);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_limit_param_warmup(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR || ms < 1 || ms > NGX_HTTP_PAYHUB_LIMIT_WARMUP_MS_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found warmup \"%V\", "
                           "expected a time of 1ms to 1d", value);
        return NGX_CONF_ERROR;
    }

    parse->zone->base.warmup_ns = (uint64_t) ms * 1000000;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_limit_param_cluster(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse, ngx_str_t *value)
{
    parse->zone->cluster = 1;

    return NGX_CONF_OK;
}


/* the parameters together */

static char *
ngx_http_payhub_limit_zone_whole(ngx_conf_t *cf,
    ngx_http_payhub_limit_parse_t *parse)
{
    char                          *rv, *missing;
    ngx_uint_t                     warmup;
    struct ph_bucket_rule          rule;
    ngx_http_payhub_limit_zone_t  *zone;

    zone = parse->zone;
    warmup = (zone->base.kind == PH_BUCKET_WARMUP);
    missing = NULL;

    if (!(parse->seen & NGX_HTTP_PAYHUB_LIMIT_P_KEY)) {
        missing = "key=";

    } else if (!(parse->seen & NGX_HTTP_PAYHUB_LIMIT_P_RATE)) {
        missing = "rate=";

    } else if (!warmup && !(parse->seen & NGX_HTTP_PAYHUB_LIMIT_P_BURST)) {
        missing = "burst=";

    } else if (warmup && !(parse->seen & NGX_HTTP_PAYHUB_LIMIT_P_WARMUP)) {
        missing = "warmup=";
    }

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found no %s for "
                           "\"%V\", expected it", missing, &zone->name);
        return NGX_CONF_ERROR;
    }

    if (!warmup && (parse->seen & NGX_HTTP_PAYHUB_LIMIT_P_WARMUP)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found warmup= without "
                           "algorithm=warmup, expected both");
        return NGX_CONF_ERROR;
    }

    if (parse->burst.len) {
        rv = ngx_http_payhub_limit_spec(&zone->base, PH_STR(""),
                                        ngx_http_payhub_view(&parse->burst));
        if (rv) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C301 payhub_limit_zone: found burst "
                               "\"%V\", expected %s", &parse->burst, rv);
            return NGX_CONF_ERROR;
        }
    }

    if (ph_bucket_rule_make(&rule, &zone->base) != PH_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C301 payhub_limit_zone: found a rate with a "
                           "burst or warmup that cannot be counted for "
                           "\"%V\", expected smaller ones", &zone->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Texts of a rate and a burst, empty: as it is in `spec`.  NULL, or what was
 * expected.  Stored tokens of a warm-up follow from its rate and time, so a
 * burst is checked there and has no meaning.
 */

char *
ngx_http_payhub_limit_spec(struct ph_bucket_spec *spec, struct ph_str rate,
    struct ph_str burst)
{
    uint64_t   tokens;
    ngx_int_t  ms;
    ngx_str_t  s;

    if (rate.len && ph_rate_parse(rate, &spec->rate) != PH_OK) {
        return "a rate like 100/s, 7/m, 1/h or 1000/d";
    }

    if (burst.len == 0) {
        return NULL;
    }

    tokens = 0;
    ms = 0;

    if (!ph_str_u64(burst, PH_BURST_TOKENS_MAX, &tokens)) {
        s.data = (u_char *) burst.ptr;
        s.len = burst.len;

        /* digits alone are tokens, and these were too many of them */

        if (burst.ptr[burst.len - 1] < '0' || burst.ptr[burst.len - 1] > '9') {
            ms = ngx_parse_time(&s, 0);
        }
    }

    if (tokens == 0
        && (ms < 1 || ms > NGX_HTTP_PAYHUB_LIMIT_BURST_MS_MAX))
    {
        return "1 to 1000000000 tokens, or a time of 1ms to 1d";
    }

    if (spec->kind == PH_BUCKET_BURSTY) {
        spec->burst_tokens = tokens;
        spec->burst_ns = (uint64_t) ms * 1000000;
    }

    return NULL;
}


/* tells one directive from another, also after a restart: no secret in it */

static ngx_int_t
ngx_http_payhub_limit_hash(ngx_conf_t *cf, u_char *hash)
{
    size_t             len;
    u_char            *text, *p;
    ngx_str_t         *value;
    ngx_uint_t         i;
    struct ph_hash128  sum;

    static const uint8_t  key[PH_SIPHASH_KEY_LEN];

    value = cf->args->elts;
    len = 0;

    for (i = 0; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
    }

    text = ngx_pnalloc(cf->temp_pool, len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = text;

    for (i = 0; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    sum = ph_siphash(key, ph_str_make((char *) text, len));

    (void) ngx_sprintf(hash, "%016xL%016xL", sum.lo, sum.hi);

    return NGX_OK;
}

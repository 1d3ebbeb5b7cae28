
/*
 * What callers and logs are told of limits: RateLimit, RateLimit-Policy,
 * Retry-After, $payhub_limit.
 *
 * The policy of a bucket is told as a window: the time in which it fills from
 * empty, at least a second and at least one token's, and the tokens of the
 * rate in that time.
 */


#include "ngx_http_payhub_limit_shared.h"


/* the largest Integer of structured fields */
#define NGX_HTTP_PAYHUB_LIMIT_INT_MAX     999999999999999
#define NGX_HTTP_PAYHUB_LIMIT_WINDOW_MAX  1000000000    /* s */


static ngx_uint_t ngx_http_payhub_limit_shown(
    ngx_http_payhub_limit_entry_t *entry);
static void ngx_http_payhub_limit_policy(
    ngx_http_payhub_limit_entry_t *entry);
static uint64_t ngx_http_payhub_limit_fill(struct ph_bucket_spec *spec);
static u_char *ngx_http_payhub_limit_state(u_char *p,
    ngx_http_payhub_limit_entry_t *entry);
static u_char *ngx_http_payhub_limit_number(u_char *p, uint64_t n);
static uint64_t ngx_http_payhub_limit_seconds(uint64_t ns);
static ngx_int_t ngx_http_payhub_limit_retry_after(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_entry_t *refused);
static void ngx_http_payhub_limit_drop(ngx_http_request_t *r, char *name);
static ngx_int_t ngx_http_payhub_limit_field(ngx_http_request_t *r,
    char *name, u_char *value, u_char *last);


/*
 * The fields list every limit that was taken or that refused, in the order of
 * checks.  Fields of the same names from a backend are dropped: they would
 * speak of other limits in our place.
 */

ngx_int_t
ngx_http_payhub_limit_headers(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    size_t                          len;
    u_char                         *policy, *p, *state, *t;
    ngx_str_t                      *s;
    ngx_http_payhub_limit_ctx_t    *ctx;
    ngx_http_payhub_limit_entry_t  *entry;

    ctx = pr->limits;
    pr->retry_after = 0;

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (ctx->refused && r->headers_out.status >= NGX_HTTP_BAD_REQUEST
        && ngx_http_payhub_limit_retry_after(r, pr, ctx->refused) != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = 0;

    for (entry = ctx->first; entry; entry = entry->next) {

        if (ngx_http_payhub_limit_shown(entry)) {
            ngx_http_payhub_limit_policy(entry);

            len += sizeof("\"\";r=;t=, ") + 2 * NGX_INT64_LEN
                   + entry->limit->zone->name.len;
        }
    }

    if (len == 0) {
        return NGX_OK;
    }

    /* a policy is as long as a state at most */

    policy = ngx_pnalloc(r->pool, 2 * len);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    state = policy + len;

    p = policy;
    t = state;

    for (entry = ctx->first; entry; entry = entry->next) {

        if (!ngx_http_payhub_limit_shown(entry)) {
            continue;
        }

        if (p != policy) {
            p = ngx_cpymem(p, ", ", 2);
            t = ngx_cpymem(t, ", ", 2);
        }

        s = &entry->limit->zone->policy;
        p = ngx_cpymem(p, s->data, s->len);

        t = ngx_http_payhub_limit_state(t, entry);
    }

    if (r->upstream || ctx->told) {
        ngx_http_payhub_limit_drop(r, "RateLimit-Policy");
        ngx_http_payhub_limit_drop(r, "RateLimit");
    }

    ctx->told = 1;

    if (ngx_http_payhub_limit_field(r, "RateLimit-Policy", policy, p)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payhub_limit_field(r, "RateLimit", state, t);
}


/* shadows are the operator's, callers do not see them */

static ngx_uint_t
ngx_http_payhub_limit_shown(ngx_http_payhub_limit_entry_t *entry)
{
    return !entry->limit->shadow
           && (entry->result == NGX_HTTP_PAYHUB_LIMIT_GRANTED
               || entry->result == NGX_HTTP_PAYHUB_LIMIT_DELAYED
               || entry->result == NGX_HTTP_PAYHUB_LIMIT_DENIED);
}


/* the text of the settings that hold for the key; kept while they stay */

static void
ngx_http_payhub_limit_policy(ngx_http_payhub_limit_entry_t *entry)
{
    u_char                        *p;
    double                         tokens;
    uint64_t                       window, quota, number;
    struct ph_bucket_spec          spec;
    ngx_http_payhub_limit_zone_t  *zone;

    zone = entry->limit->zone;

    number = ph_limit_settings_number(zone->table);

    if (number && number == zone->shown_number) {
        return;
    }

    ph_limit_settings(zone->table, entry->ask.key, entry->ask.now_s, &spec);

    /* settings that changed meanwhile have another number */
    zone->shown_number = number;

    if (zone->policy.len && ngx_http_payhub_limit_same_spec(&zone->shown,
                                                            &spec))
    {
        return;
    }

    window = ngx_http_payhub_limit_fill(&spec);

    tokens = (double) spec.rate.tokens * (double) window * 1e9
             / (double) spec.rate.per_ns;

    quota = (tokens < (double) NGX_HTTP_PAYHUB_LIMIT_INT_MAX)
            ? (uint64_t) tokens : NGX_HTTP_PAYHUB_LIMIT_INT_MAX;

    p = ngx_sprintf(zone->policy.data, "\"%V\";q=%uL;w=%uL", &zone->name,
                    ngx_max(quota, 1), window);

    zone->policy.len = p - zone->policy.data;
    zone->shown = spec;
}


/* seconds, rounded up */

static uint64_t
ngx_http_payhub_limit_fill(struct ph_bucket_spec *spec)
{
    double    one, ns;
    uint64_t  window;

    one = (double) spec->rate.per_ns / (double) spec->rate.tokens;

    ns = (double) spec->burst_ns;

    if (spec->burst_tokens) {
        ns = one * (double) spec->burst_tokens;
    }

    if (spec->kind == PH_BUCKET_WARMUP) {
        ns = (double) spec->warmup_ns;
    }

    ns = ngx_max(ns, one);

    if (ns >= (double) NGX_HTTP_PAYHUB_LIMIT_WINDOW_MAX * 1e9) {
        return NGX_HTTP_PAYHUB_LIMIT_WINDOW_MAX;
    }

    /* half a nanosecond of rounding makes no second */
    window = (uint64_t) ((ns + 999999999.5) / 1e9);

    return ngx_max(window, 1);
}


static u_char *
ngx_http_payhub_limit_state(u_char *p, ngx_http_payhub_limit_entry_t *entry)
{
    uint64_t                       remaining, ns;
    ngx_http_payhub_limit_zone_t  *zone;

    zone = entry->limit->zone;

    if (entry->result == NGX_HTTP_PAYHUB_LIMIT_DENIED) {

        /* the same moment as Retry-After */
        remaining = 0;
        ns = entry->answer.wait_ns;

    } else {
        remaining = ngx_min(entry->answer.remaining,
                            NGX_HTTP_PAYHUB_LIMIT_INT_MAX);
        ns = entry->answer.full_ns;
    }

    /* the policy begins with the quoted name */

    p = ngx_cpymem(p, zone->policy.data,
                   zone->name.len + sizeof("\"\";") - 1);
    p = ngx_cpymem(p, "r=", 2);
    p = ngx_http_payhub_limit_number(p, remaining);
    p = ngx_cpymem(p, ";t=", 3);

    return ngx_http_payhub_limit_number(p, ngx_http_payhub_limit_seconds(ns));
}


/* decimal, two digits a turn; ngx_sprintf() costs ten times as much */

static u_char *
ngx_http_payhub_limit_number(u_char *p, uint64_t n)
{
    size_t     len;
    u_char    *last;
    uint64_t   next, rest;

    static u_char  digits[] =
        "00010203040506070809101112131415161718192021222324"
        "25262728293031323334353637383940414243444546474849"
        "50515253545556575859606162636465666768697071727374"
        "75767778798081828384858687888990919293949596979899";

    if (n < 10) {
        *p = (u_char) ('0' + n);
        return p + 1;
    }

    len = 1;

    for (next = 10; n >= next && len < NGX_INT64_LEN - 1; next *= 10) {
        len++;
    }

    last = p + len;
    p = last;

    while (n > 9) {
        rest = n % 100;
        n /= 100;

        p -= 2;
        p[0] = digits[2 * rest];
        p[1] = digits[2 * rest + 1];
    }

    if (p != last - len) {
        *--p = (u_char) ('0' + n);
    }

    return last;
}


static uint64_t
ngx_http_payhub_limit_seconds(uint64_t ns)
{
    uint64_t  s;

    s = ns / 1000000000;
    s += (s * 1000000000 != ns);

    return ngx_max(s, 1);
}


static ngx_int_t
ngx_http_payhub_limit_retry_after(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_entry_t *refused)
{
    u_char    *p;
    uint64_t   s;

    s = 1;

    if (refused->result == NGX_HTTP_PAYHUB_LIMIT_DENIED) {
        s = ngx_http_payhub_limit_seconds(refused->answer.wait_ns);
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payhub_limit_drop(r, "Retry-After");
    pr->retry_after = 1;

    return ngx_http_payhub_limit_field(r, "Retry-After", p,
                                       ngx_sprintf(p, "%uL", s));
}


static void
ngx_http_payhub_limit_drop(ngx_http_request_t *r, char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            h[i].hash = 0;
        }
    }
}


static ngx_int_t
ngx_http_payhub_limit_field(ngx_http_request_t *r, char *name, u_char *value,
    u_char *last)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.data = value;
    h->value.len = last - value;

    return NGX_OK;
}


/*
 * granted, delayed:NAME:MS, denied:NAME, full:NAME, or shadow:NAME when all
 * granted but a shadow would have refused; empty when nothing was limited.
 */

ngx_int_t
ngx_http_payhub_limit_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                           *word;
    u_char                         *p;
    ngx_http_payhub_request_t      *pr;
    ngx_http_payhub_limit_ctx_t    *ctx;
    ngx_http_payhub_limit_entry_t  *entry;

    pr = ngx_http_payhub_find(r);
    ctx = pr ? pr->limits : NULL;

    if (ctx == NULL || ctx->first == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (ctx->refused) {
        entry = ctx->refused;
        word = (entry->result == NGX_HTTP_PAYHUB_LIMIT_FULL) ? "full"
                                                             : "denied";

    } else if (ctx->delayed) {
        entry = ctx->delayed;
        word = "delayed";

    } else if (ctx->shadow) {
        entry = ctx->shadow;
        word = "shadow";

    } else {
        v->len = sizeof("granted") - 1;
        v->data = (u_char *) "granted";

        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, sizeof("delayed::") + NGX_INT64_LEN
                             + entry->limit->zone->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    p = ngx_sprintf(p, "%s:%V", word, &entry->limit->zone->name);

    if (entry == ctx->delayed && !ctx->refused) {
        p = ngx_sprintf(p, ":%uL", (entry->answer.wait_ns + 999999) / 1000000);
    }

    v->len = p - v->data;

    return NGX_OK;
}


/*
 * The steps of a request through its limits.
 *
 * Limits are checked in three stages: before verification those whose key
 * anybody can claim, behind the proof those by identity, behind routing those
 * by channel.  Of one stage all are checked, then all are taken: a refused
 * request takes nothing.  A main request takes a limit once, whatever error
 * pages and redirects it goes through; subrequests take nothing.
 *
 * What was decided lives beside the record of the request.
 */


#include "ngx_http_payhub_limit_shared.h"


static ngx_int_t ngx_http_payhub_limit_step(ngx_http_request_t *r,
    ngx_http_payhub_limit_stage_e stage);
static ngx_http_payhub_limit_ctx_t *ngx_http_payhub_limit_ctx(
    ngx_http_request_t *r, ngx_http_payhub_request_t *pr);
static ngx_int_t ngx_http_payhub_limit_gather(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_loc_conf_t *llcf,
    ngx_http_payhub_limit_stage_e stage,
    ngx_http_payhub_limit_entry_t **first);
static ngx_int_t ngx_http_payhub_limit_decide(
    ngx_http_payhub_limit_ctx_t *ctx, ngx_http_payhub_limit_entry_t *first,
    uint64_t *wait_ns);
static void ngx_http_payhub_limit_peek(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry);
static void ngx_http_payhub_limit_give(
    ngx_http_payhub_limit_entry_t *first, ngx_http_payhub_limit_entry_t *end);
static void ngx_http_payhub_limit_blame(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry, enum ph_limit_verdict verdict);
static uint64_t ngx_http_payhub_limit_taken(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *first);
static void ngx_http_payhub_limit_shade(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry);
static ngx_int_t ngx_http_payhub_limit_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_ctx_t *ctx);

static ngx_int_t ngx_http_payhub_limit_wait(ngx_http_request_t *r,
    ngx_http_payhub_limit_ctx_t *ctx, uint64_t wait_ns);
static void ngx_http_payhub_limit_wait_over(ngx_http_request_t *r);


ngx_int_t
ngx_http_payhub_limit_address_step(ngx_http_request_t *r)
{
    return ngx_http_payhub_limit_step(r, NGX_HTTP_PAYHUB_LIMIT_ADDRESS);
}


ngx_int_t
ngx_http_payhub_limit_identity_step(ngx_http_request_t *r)
{
    return ngx_http_payhub_limit_step(r, NGX_HTTP_PAYHUB_LIMIT_IDENTITY);
}


ngx_int_t
ngx_http_payhub_limit_route_step(ngx_http_request_t *r)
{
    return ngx_http_payhub_limit_step(r, NGX_HTTP_PAYHUB_LIMIT_ROUTE);
}


static ngx_int_t
ngx_http_payhub_limit_step(ngx_http_request_t *r,
    ngx_http_payhub_limit_stage_e stage)
{
    uint64_t                           wait_ns;
    ngx_http_payhub_request_t         *pr;
    ngx_http_payhub_limit_ctx_t       *ctx;
    ngx_http_payhub_limit_entry_t     *first;
    ngx_http_payhub_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_limit_module);

    if (!(llcf->stages & (1 << stage)) || r != r->main) {
        return NGX_DECLINED;
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_payhub_limit_ctx(r, pr);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->waiting) {
        return NGX_DONE;
    }

    /* an error page of a refusal is not refused again */

    if (ctx->done[stage] == llcf || ctx->refused) {
        return NGX_DECLINED;
    }

    if (stage == NGX_HTTP_PAYHUB_LIMIT_IDENTITY
        && !ngx_http_payhub_proven(r, pr))
    {
        return NGX_DECLINED;
    }

    ctx->done[stage] = llcf;

    if (stage == NGX_HTTP_PAYHUB_LIMIT_IDENTITY && ctx->looked == llcf) {
        first = ctx->looked_first;

    } else if (ngx_http_payhub_limit_gather(r, pr, llcf, stage, &first)
               != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (first == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_payhub_limit_decide(ctx, first, &wait_ns) != NGX_OK) {
        return ngx_http_payhub_limit_refuse(r, pr, ctx);
    }

    if (wait_ns) {
        return ngx_http_payhub_limit_wait(r, ctx, wait_ns);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payhub_limit_look(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_http_payhub_limit_ctx_t       *ctx;
    ngx_http_payhub_limit_entry_t     *entry;
    ngx_http_payhub_limit_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_limit_module);

    if (!(llcf->stages & (1 << NGX_HTTP_PAYHUB_LIMIT_IDENTITY))
        || r != r->main)
    {
        return NGX_OK;
    }

    ctx = ngx_http_payhub_limit_ctx(r, pr);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused || ctx->looked == llcf) {
        return NGX_OK;
    }

    if (ngx_http_payhub_limit_gather(r, pr, llcf,
                                     NGX_HTTP_PAYHUB_LIMIT_IDENTITY,
                                     &ctx->looked_first)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->looked = llcf;

    for (entry = ctx->looked_first; entry; entry = entry->next) {
        ngx_http_payhub_limit_peek(ctx, entry);
    }

    if (ctx->refused == NULL) {
        return NGX_OK;
    }

    ctx->done[NGX_HTTP_PAYHUB_LIMIT_IDENTITY] = llcf;

    return ngx_http_payhub_limit_refuse(r, pr, ctx);
}


static ngx_http_payhub_limit_ctx_t *
ngx_http_payhub_limit_ctx(ngx_http_request_t *r, ngx_http_payhub_request_t *pr)
{
    ngx_http_payhub_limit_ctx_t  *ctx;

    ctx = pr->limits;

    if (ctx) {
        return ctx;
    }

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_payhub_limit_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ngx_memzero(ctx, offsetof(ngx_http_payhub_limit_ctx_t, entries));

    ctx->last = &ctx->first;
    pr->limits = ctx;

    return ctx;
}


/* the limits of this block and stage that the request has not met yet */

static ngx_int_t
ngx_http_payhub_limit_gather(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_loc_conf_t *llcf,
    ngx_http_payhub_limit_stage_e stage,
    ngx_http_payhub_limit_entry_t **first)
{
    ngx_str_t                       key;
    ngx_uint_t                      i;
    ngx_http_payhub_limit_t        *limit;
    ngx_http_payhub_limit_ctx_t    *ctx;
    ngx_http_payhub_limit_zone_t   *zone;
    ngx_http_payhub_limit_entry_t  *entry, **begin;

    limit = llcf->limits->elts;
    ctx = pr->limits;
    begin = ctx->last;

    if (ctx->now_ns == 0 || ctx->turn != ngx_current_msec) {
        ctx->now_ns = ngx_http_payhub_limit_now();
        ctx->turn = ngx_current_msec;
    }

    for (i = 0; i < llcf->limits->nelts; i++) {

        zone = limit[i].zone;

        if (zone->stage != stage) {
            continue;
        }

        for (entry = ctx->first; entry; entry = entry->next) {
            if (entry->limit->zone == zone) {
                break;
            }
        }

        if (entry) {
            continue;
        }

        if (ngx_http_payhub_limit_key(r, pr, zone, &key) != NGX_OK) {
            return NGX_ERROR;
        }

        if (key.len == 0) {
            continue;
        }

        if (ctx->entries_n < NGX_HTTP_PAYHUB_LIMIT_FEW) {
            entry = &ctx->entries[ctx->entries_n++];

        } else {
            entry = ngx_palloc(r->pool, sizeof(ngx_http_payhub_limit_entry_t));
            if (entry == NULL) {
                return NGX_ERROR;
            }
        }

        entry->next = NULL;
        entry->limit = &limit[i];
        entry->key = key;
        entry->result = NGX_HTTP_PAYHUB_LIMIT_PEEKED;

        entry->ask.key = ngx_http_payhub_limit_hash_of(zone, &key);
        entry->ask.now_ns = ctx->now_ns;
        entry->ask.now_s = ngx_time();
        entry->ask.shard = (uint32_t) ngx_process_slot;
        entry->ask.wait_max_ns = (uint64_t) limit[i].wait * 1000000;

        if (ngx_http_payhub_limit_cost(r, &limit[i], &entry->ask.cost)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        *ctx->last = entry;
        ctx->last = &entry->next;
    }

    *first = *begin;

    return NGX_OK;
}


/* NGX_OK: all were taken; NGX_BUSY: none was, and ctx->refused says why */

static ngx_int_t
ngx_http_payhub_limit_decide(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *first, uint64_t *wait_ns)
{
    enum ph_limit_verdict           verdict;
    ngx_http_payhub_limit_entry_t  *entry, *head;

    head = first;

    while (head && head->limit->shadow) {
        head = head->next;
    }

    /* the first is looked at by being taken, when the others would grant */

    for (entry = head ? head->next : NULL; entry; entry = entry->next) {
        ngx_http_payhub_limit_peek(ctx, entry);
    }

    if (ctx->refused) {
        ngx_http_payhub_limit_peek(ctx, head);
        return NGX_BUSY;
    }

    for (entry = first; entry; entry = entry->next) {

        if (entry->limit->shadow) {
            continue;
        }

        verdict = ph_limit_take(entry->limit->zone->table, &entry->ask,
                                &entry->answer);

        if (verdict == PH_LIMIT_GRANTED) {
            entry->result = entry->answer.wait_ns
                            ? NGX_HTTP_PAYHUB_LIMIT_DELAYED
                            : NGX_HTTP_PAYHUB_LIMIT_GRANTED;
            continue;
        }

        /* it is the only one, or another process was faster */

        ngx_http_payhub_limit_give(first, entry);
        ngx_http_payhub_limit_blame(ctx, entry, verdict);

        return NGX_BUSY;
    }

    *wait_ns = ngx_http_payhub_limit_taken(ctx, first);

    return NGX_OK;
}


static void
ngx_http_payhub_limit_peek(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry)
{
    enum ph_limit_verdict  verdict;

    if (entry->limit->shadow) {
        return;
    }

    verdict = ph_limit_peek(entry->limit->zone->table, &entry->ask,
                            &entry->answer);

    if (verdict != PH_LIMIT_GRANTED) {
        ngx_http_payhub_limit_blame(ctx, entry, verdict);
    }
}


static void
ngx_http_payhub_limit_give(ngx_http_payhub_limit_entry_t *first,
    ngx_http_payhub_limit_entry_t *end)
{
    ngx_http_payhub_limit_entry_t  *entry;

    for (entry = first; entry != end; entry = entry->next) {

        if (!entry->limit->shadow) {
            ph_limit_give(entry->limit->zone->table, &entry->ask);
            entry->result = NGX_HTTP_PAYHUB_LIMIT_PEEKED;
        }
    }
}


/* told of is the longest wait; a limit that refuses, not one without room */

static void
ngx_http_payhub_limit_blame(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry, enum ph_limit_verdict verdict)
{
    ngx_http_payhub_limit_entry_t  *known;

    known = ctx->refused;

    if (verdict == PH_LIMIT_NO_ROOM) {
        entry->result = NGX_HTTP_PAYHUB_LIMIT_FULL;
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_LIMIT_FULL);

        if (known == NULL) {
            ctx->refused = entry;
        }

        return;
    }

    entry->result = NGX_HTTP_PAYHUB_LIMIT_DENIED;
    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_LIMIT_DENIED);

    /* demand all the same: who is refused more gets a larger share */

    if (entry->limit->zone->cluster) {
        ngx_http_payhub_limit_use(entry->limit->zone, entry->ask.key,
                                  &entry->key, entry->ask.cost);
    }

    if (known == NULL
        || known->result == NGX_HTTP_PAYHUB_LIMIT_FULL
        || known->answer.wait_ns < entry->answer.wait_ns)
    {
        ctx->refused = entry;
    }
}


/*
 * All that can refuse have been taken: shadows, counts, usage.  Returns the
 * longest time to wait.
 */

static uint64_t
ngx_http_payhub_limit_taken(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *first)
{
    uint64_t                        wait_ns;
    ngx_http_payhub_limit_zone_t   *zone;
    ngx_http_payhub_limit_entry_t  *entry;

    wait_ns = 0;

    for (entry = first; entry; entry = entry->next) {

        if (entry->limit->shadow) {
            ngx_http_payhub_limit_shade(ctx, entry);
        }

        if (entry->result == NGX_HTTP_PAYHUB_LIMIT_SHADOWED) {
            continue;
        }

        zone = entry->limit->zone;

        if (zone->cluster) {
            ngx_http_payhub_limit_use(zone, entry->ask.key, &entry->key,
                                      entry->ask.cost);
        }

        if (entry->result == NGX_HTTP_PAYHUB_LIMIT_GRANTED) {
            ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_LIMIT_GRANTED);
            continue;
        }

        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_LIMIT_DELAYED);

        wait_ns = ngx_max(wait_ns, entry->answer.wait_ns);

        if (ctx->delayed == NULL
            || ctx->delayed->answer.wait_ns < entry->answer.wait_ns)
        {
            ctx->delayed = entry;
        }
    }

    return wait_ns;
}


static void
ngx_http_payhub_limit_shade(ngx_http_payhub_limit_ctx_t *ctx,
    ngx_http_payhub_limit_entry_t *entry)
{
    enum ph_limit_verdict  verdict;

    verdict = ph_limit_take(entry->limit->zone->table, &entry->ask,
                            &entry->answer);

    if (verdict == PH_LIMIT_GRANTED) {
        entry->result = NGX_HTTP_PAYHUB_LIMIT_GRANTED;
        return;
    }

    entry->result = NGX_HTTP_PAYHUB_LIMIT_SHADOWED;

    ngx_http_payhub_count(verdict == PH_LIMIT_NO_ROOM
                          ? NGX_HTTP_PAYHUB_COUNT_LIMIT_FULL
                          : NGX_HTTP_PAYHUB_COUNT_LIMIT_SHADOW);

    if (ctx->shadow == NULL) {
        ctx->shadow = entry;
    }
}


static ngx_int_t
ngx_http_payhub_limit_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_limit_ctx_t *ctx)
{
    ngx_http_payhub_limit_entry_t  *entry;

    entry = ctx->refused;

    if (entry->result == NGX_HTTP_PAYHUB_LIMIT_FULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub limit \"%V\" has no room for another key, "
                      "request %*s", &entry->limit->zone->name,
                      sizeof(pr->id_text), pr->id_text);

        return ngx_http_payhub_refuse(r, pr, PH_ERROR_NOT_EXECUTED,
                                      "a limit has no room for another key");
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "payhub limit \"%V\" refused, %uLms too early, request %*s",
                  &entry->limit->zone->name, entry->answer.wait_ns / 1000000,
                  sizeof(pr->id_text), pr->id_text);

    return ngx_http_payhub_refuse(r, pr, PH_ERROR_LIMITED, NULL);
}


/*
 * The tokens are taken: whoever hangs up while waiting has used them, since
 * those behind are waiting for the time after.
 */

static ngx_int_t
ngx_http_payhub_limit_wait(ngx_http_request_t *r,
    ngx_http_payhub_limit_ctx_t *ctx, uint64_t wait_ns)
{
    uint64_t     now;
    ngx_msec_t   delay;
    ngx_event_t  *wev;

    wev = r->connection->write;

    /* timers count from the turn's time, which is behind the clock */

    ngx_time_update();

    now = ngx_http_payhub_limit_now();
    wait_ns += ctx->now_ns;

    if (wait_ns <= now) {
        return NGX_DECLINED;
    }

    delay = (ngx_msec_t) ((wait_ns - now + 999999) / 1000000);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "payhub limit: delay %M", delay);

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->waiting = 1;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_payhub_limit_wait_over;

    wev->delayed = 1;
    ngx_add_timer(wev, delay);

    return NGX_DONE;
}


static void
ngx_http_payhub_limit_wait_over(ngx_http_request_t *r)
{
    ngx_event_t                  *wev;
    ngx_http_payhub_request_t    *pr;
    ngx_http_payhub_limit_ctx_t  *ctx;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    pr = ngx_http_payhub_find(r);
    ctx = pr->limits;
    ctx->waiting = 0;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}

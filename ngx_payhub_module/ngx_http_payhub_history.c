
/*
 * The last hour at one second and the last day at one minute, in the zone.
 *
 * Each process has a timer; the first to find that a second has passed takes
 * its sample.  `sampler` keeps a second one off a sample that takes long, and
 * is nobody's when its process has died, so that no process is elected and
 * none is missed.  A row is written whole before its stamp; a reader that
 * finds another stamp than it looks for shows a gap.
 */


#include "ngx_http_payhub_status.h"


#define NGX_HTTP_PAYHUB_SERIES_LEAST   48
#define NGX_HTTP_PAYHUB_SERIES_MOST    512


typedef struct {
    u_char                   name[NGX_HTTP_PAYHUB_SERIES_NAME];
    uint64_t                 sum;           /* at the last sample */
} ngx_http_payhub_series_t;


typedef struct {
    uint64_t                 sampler;       /* owner, 0: nobody */
    uint64_t                 second;        /* sampled last, unix */
    uint64_t                 series;        /* places */
    uint64_t                 used;
    uint64_t                 second_at[NGX_HTTP_PAYHUB_SECONDS];
    uint64_t                 minute_at[NGX_HTTP_PAYHUB_MINUTES];

    /* behind it: series[], uint32_t seconds[][series], minutes[][series] */
} ngx_http_payhub_history_t;


static size_t ngx_http_payhub_history_size(size_t left);
static ngx_int_t ngx_http_payhub_history_init(void *area, size_t size,
    ngx_log_t *log);
static void ngx_http_payhub_history_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_payhub_history_claim(
    ngx_http_payhub_history_t *history);
static void ngx_http_payhub_history_sample(ngx_http_payhub_history_t *history,
    uint64_t now);
static void ngx_http_payhub_history_take(ngx_http_payhub_history_t *history,
    uint64_t now, const u_char *name, uint64_t sum);


ngx_http_payhub_area_t  ngx_http_payhub_history_area = {
    ngx_http_payhub_history_size, ngx_http_payhub_history_init
};


static ngx_event_t       ngx_http_payhub_history_event;
static ngx_connection_t  ngx_http_payhub_history_connection;


/* the counters of ngx_http_payhub_counters.def, as names of series */

static const char  *ngx_http_payhub_counter_names[] = {
#define COUNTER(name, text, labels, help)  #name,
#include "ngx_http_payhub_counters.def"
#undef COUNTER
};


static ngx_inline size_t
ngx_http_payhub_history_bytes(size_t series)
{
    return sizeof(ngx_http_payhub_history_t)
           + series * (sizeof(ngx_http_payhub_series_t)
                       + (NGX_HTTP_PAYHUB_SECONDS + NGX_HTTP_PAYHUB_MINUTES)
                         * sizeof(uint32_t));
}


static ngx_inline ngx_http_payhub_series_t *
ngx_http_payhub_history_series(ngx_http_payhub_history_t *history)
{
    return (ngx_http_payhub_series_t *) (history + 1);
}


static ngx_inline uint32_t *
ngx_http_payhub_history_second(ngx_http_payhub_history_t *history,
    uint64_t second)
{
    uint32_t  *rows;

    rows = (uint32_t *) (ngx_http_payhub_history_series(history)
                         + history->series);

    return rows + (second % NGX_HTTP_PAYHUB_SECONDS) * history->series;
}


static ngx_inline uint32_t *
ngx_http_payhub_history_minute(ngx_http_payhub_history_t *history,
    uint64_t minute)
{
    uint32_t  *rows;

    rows = (uint32_t *) (ngx_http_payhub_history_series(history)
                         + history->series);

    return rows + (NGX_HTTP_PAYHUB_SECONDS + minute % NGX_HTTP_PAYHUB_MINUTES)
                  * history->series;
}


/* a sixteenth of the memory, between the least and the most series */

static size_t
ngx_http_payhub_history_size(size_t left)
{
    size_t  one, series;

    one = ngx_http_payhub_history_bytes(1) - ngx_http_payhub_history_bytes(0);
    series = left / 16 / one;

    series = ngx_max(series, NGX_HTTP_PAYHUB_SERIES_LEAST);
    series = ngx_min(series, NGX_HTTP_PAYHUB_SERIES_MOST);

    return ngx_http_payhub_history_bytes(series);
}


static ngx_int_t
ngx_http_payhub_history_init(void *area, size_t size, ngx_log_t *log)
{
    size_t                      one;
    ngx_http_payhub_history_t  *history;

    one = ngx_http_payhub_history_bytes(1) - ngx_http_payhub_history_bytes(0);

    history = area;
    history->series = (size - ngx_http_payhub_history_bytes(0)) / one;

    return NGX_OK;
}


/* cancelable: a process that is to end does not wait for it */

void
ngx_http_payhub_history_start(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    if (ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HISTORY, NULL) == NULL) {
        return;
    }

    ev = &ngx_http_payhub_history_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_http_payhub_history_connection.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_payhub_history_timer;
    ev->log = cycle->log;
    ev->data = &ngx_http_payhub_history_connection;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1000 - ngx_cached_time->msec);
}


static void
ngx_http_payhub_history_timer(ngx_event_t *ev)
{
    uint64_t                    now, last;
    ngx_http_payhub_history_t  *history;

    ev->log = ngx_cycle->log;

    history = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HISTORY, NULL);
    now = (uint64_t) ngx_time();

    if (history && ngx_http_payhub_history_claim(history)) {

        last = history->second;

        /* a clock set back by more than a row or two begins anew */

        if (now > last || now + 5 < last) {
            __atomic_store_n(&history->second, now, __ATOMIC_RELEASE);
            ngx_http_payhub_history_sample(history, now);
        }

        __atomic_store_n(&history->sampler, 0, __ATOMIC_RELEASE);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, 1000 - ngx_cached_time->msec);
    }
}


static ngx_uint_t
ngx_http_payhub_history_claim(ngx_http_payhub_history_t *history)
{
    uint64_t  owner;

    owner = __atomic_load_n(&history->sampler, __ATOMIC_ACQUIRE);

    if (owner && ngx_http_payhub_owner_alive(owner)) {
        return 0;
    }

    return __sync_bool_compare_and_swap(&history->sampler, owner,
                                        ngx_http_payhub_owner());
}


static void
ngx_http_payhub_history_sample(ngx_http_payhub_history_t *history,
    uint64_t now)
{
    u_char                         name[NGX_HTTP_PAYHUB_SERIES_NAME], *last;
    json_t                        *accounts, *account;
    size_t                         n;
    uint32_t                      *row;
    uint64_t                       minute;
    ngx_uint_t                     i;
    const char                    *id;
    struct ph_limit_usage          usage;
    ngx_http_payhub_limit_zone_t  *zone;

    minute = now / 60;
    last = name + sizeof(name) - 1;

    row = ngx_http_payhub_history_second(history, now);
    history->second_at[now % NGX_HTTP_PAYHUB_SECONDS] = 0;
    ngx_memzero(row, history->series * sizeof(uint32_t));

    if (history->minute_at[minute % NGX_HTTP_PAYHUB_MINUTES] != minute) {
        row = ngx_http_payhub_history_minute(history, minute);
        ngx_memzero(row, history->series * sizeof(uint32_t));
        history->minute_at[minute % NGX_HTTP_PAYHUB_MINUTES] = minute;
    }

    for (i = 0; i < NGX_HTTP_PAYHUB_COUNTERS; i++) {
        *ngx_slprintf(name, last, "%s", ngx_http_payhub_counter_names[i])
            = '\0';
        ngx_strlow(name, name, ngx_strlen(name));
        ngx_http_payhub_history_take(history, now, name,
                                     ngx_http_payhub_count_read(i));
    }

    for (i = 0; (zone = ngx_http_payhub_limit_zone(i)) != NULL; i++) {
        ph_limit_usage_read(zone->table, 0, &usage);

        *ngx_slprintf(name, last, "limit:%V:granted", &zone->name) = '\0';
        ngx_http_payhub_history_take(history, now, name, usage.granted);

        *ngx_slprintf(name, last, "limit:%V:denied", &zone->name) = '\0';
        ngx_http_payhub_history_take(history, now, name,
                                     usage.denied + usage.no_room);
    }

    accounts = ngx_http_payhub_status_accounts();

    json_array_foreach(accounts, n, account) {
        id = json_string_value(json_object_get(account, "id"));

        *ngx_slprintf(name, last, "account:%s:calls", id) = '\0';
        ngx_http_payhub_history_take(history, now, name,
            json_integer_value(json_object_get(account, "calls_sum")));

        *ngx_slprintf(name, last, "account:%s:bad", id) = '\0';
        ngx_http_payhub_history_take(history, now, name,
            json_integer_value(json_object_get(account, "bad_sum")));
    }

    json_decref(accounts);

    ngx_memory_barrier();
    history->second_at[now % NGX_HTTP_PAYHUB_SECONDS] = now;
}


/* A sum that fell is that of memory which began anew. */

static void
ngx_http_payhub_history_take(ngx_http_payhub_history_t *history,
    uint64_t now, const u_char *name, uint64_t sum)
{
    uint32_t                  *row;
    uint64_t                   i, more;
    ngx_http_payhub_series_t  *series;

    series = ngx_http_payhub_history_series(history);

    for (i = 0; i < history->used; i++) {
        if (ngx_strcmp(series[i].name, name) == 0) {
            break;
        }
    }

    if (i == history->used) {

        if (i == history->series) {
            return;
        }

        /* what was counted before is nobody's second */

        ngx_cpystrn(series[i].name, (u_char *) name,
                    NGX_HTTP_PAYHUB_SERIES_NAME);
        series[i].sum = sum;
        ngx_memory_barrier();
        history->used = i + 1;
        return;
    }

    more = (sum >= series[i].sum) ? sum - series[i].sum : sum;
    more = ngx_min(more, NGX_MAX_UINT32_VALUE);
    series[i].sum = sum;

    row = ngx_http_payhub_history_second(history, now);
    row[i] = (uint32_t) more;

    row = ngx_http_payhub_history_minute(history, now / 60);
    row[i] += (uint32_t) more;
}


void
ngx_http_payhub_history_print(ngx_http_payhub_text_t *text, ngx_uint_t step,
    ngx_uint_t count)
{
    uint32_t                   *row;
    uint64_t                    at, to, n, *stamps, max;
    ngx_uint_t                  i;
    ngx_http_payhub_series_t   *series;
    ngx_http_payhub_history_t  *history;

    history = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HISTORY, NULL);

    if (history == NULL) {
        ngx_http_payhub_text_printf(text, "{\"step\":%ui,\"to\":0,"
                                    "\"series\":{}}\n", step);
        return;
    }

    series = ngx_http_payhub_history_series(history);

    max = (step == 1) ? NGX_HTTP_PAYHUB_SECONDS : NGX_HTTP_PAYHUB_MINUTES;
    stamps = (step == 1) ? history->second_at : history->minute_at;
    n = ngx_min(count, max);
    to = history->second / step;

    ngx_http_payhub_text_printf(text, "{\"step\":%ui,\"to\":%uL,"
                                "\"series\":{", step, to * step);

    for (i = 0; i < history->used; i++) {

        ngx_http_payhub_text_printf(text, "%s\"%s\":[", i ? "," : "",
                                    series[i].name);

        for (at = (to < n) ? 0 : to - n + 1; at <= to; at++) {

            row = (step == 1) ? ngx_http_payhub_history_second(history, at)
                              : ngx_http_payhub_history_minute(history, at);

            if (at + n > to + 1) {
                ngx_http_payhub_text_add(text, ",", 1);
            }

            if (stamps[at % max] != at) {
                ngx_http_payhub_text_add(text, "null", 4);
                continue;
            }

            ngx_http_payhub_text_printf(text, "%uD", row[i]);
        }

        ngx_http_payhub_text_add(text, "]", 1);
    }

    ngx_http_payhub_text_add(text, "}}\n", 3);
}


uint64_t
ngx_http_payhub_history_last(const char *name)
{
    uint64_t                    i, at;
    ngx_http_payhub_series_t   *series;
    ngx_http_payhub_history_t  *history;

    history = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_HISTORY, NULL);

    if (history == NULL) {
        return 0;
    }

    at = history->second;

    /* one that is being written, or was missed: the one before */

    if (history->second_at[at % NGX_HTTP_PAYHUB_SECONDS] != at) {
        at--;

        if (history->second_at[at % NGX_HTTP_PAYHUB_SECONDS] != at) {
            return 0;
        }
    }

    series = ngx_http_payhub_history_series(history);

    for (i = 0; i < history->used; i++) {
        if (ngx_strcmp(series[i].name, name) == 0) {
            return ngx_http_payhub_history_second(history, at)[i];
        }
    }

    return 0;
}

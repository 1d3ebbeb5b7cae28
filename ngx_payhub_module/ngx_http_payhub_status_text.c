
/*
 * The status tree as Prometheus text and as Open-Falcon's push form.
 *
 * Both walk the same tables of metrics, so that what one system shows the
 * other shows under the like name.
 */


#include "ngx_http_payhub_status.h"


#define NGX_HTTP_PAYHUB_FALCON_STEP  10


/* an array of the tree, whose members have a name and numbers */

typedef struct {
    const char              *array;         /* member of the tree */
    const char              *id;            /* member that names a row */
    const char              *tag;           /* label of that name */
    const char              *member;        /* the number */
    const char              *metric;        /* behind payhub_edge_ */
    const char              *label;         /* further label, or "" */
    const char              *help;
    ngx_uint_t               is_sum;        /* counter, else gauge */
} ngx_http_payhub_metric_t;


static int64_t ngx_http_payhub_number(json_t *value);
static void ngx_http_payhub_prometheus_head(ngx_http_payhub_text_t *text,
    const char *metric, const char *help, ngx_uint_t is_sum);
static void ngx_http_payhub_prometheus_counters(ngx_http_payhub_text_t *text);
static void ngx_http_payhub_prometheus_summaries(ngx_http_payhub_text_t *text,
    json_t *accounts);
static void ngx_http_payhub_falcon_summaries(ngx_http_payhub_text_t *text,
    ngx_uint_t *n, json_t *accounts);
static void ngx_http_payhub_falcon_point(ngx_http_payhub_text_t *text,
    ngx_uint_t *n, const char *metric, const char *tags, json_t *value,
    ngx_uint_t is_sum);


static struct {
    const char  *metric;
    const char  *labels;
    const char  *help;
} ngx_http_payhub_counter_texts[] = {
#define COUNTER(name, metric, labels, help)  { metric, labels, help },
#include "ngx_http_payhub_counters.def"
#undef COUNTER
};


/* rows of one metric stand together, as the text format wants them */

static ngx_http_payhub_metric_t  ngx_http_payhub_metrics[] = {

    { "limits", "name", "limit", "granted", "limit_decisions",
      "result=\"granted\"", "Decisions of a limit by result", 1 },
    { "limits", "name", "limit", "denied", "limit_decisions",
      "result=\"denied\"", "Decisions of a limit by result", 1 },
    { "limits", "name", "limit", "full", "limit_decisions",
      "result=\"no_room\"", "Decisions of a limit by result", 1 },
    { "limits", "name", "limit", "cells", "limit_cells", "",
      "Keys that the zone of a limit has room for", 0 },
    { "limits", "name", "limit", "busy", "limit_busy_cells", "",
      "Keys whose bucket is not full", 0 },
    { "limits", "name", "limit", "overrides", "limit_overrides", "",
      "Keys with settings of their own", 0 },

    { "nonces", "zone", "zone", "places", "nonce_places", "",
      "Nonces that a zone has room for", 0 },
    { "nonces", "zone", "zone", "live", "nonce_live", "",
      "Nonces that are remembered", 0 },

    { "accounts", "id", "account", "inflight", "account_in_flight", "",
      "Calls of a channel account under way", 0 },
    { "accounts", "id", "account", "open", "account_breaker_open", "",
      "1 while the breaker of an account is not closed", 0 },
    { "accounts", "id", "account", "drained", "account_drained", "",
      "1 while an account takes no new payments", 0 },
    { "accounts", "id", "account", "calls_sum", "account_calls", "",
      "Calls of a channel account as workers told them", 1 },
    { "accounts", "id", "account", "bad_sum", "account_bad_calls", "",
      "Of them those that the channel did not answer or not do", 1 },

    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 }
};


/* times of accounts: sums of microseconds, told in seconds, and counts */

static struct {
    const char  *sum;
    const char  *count;
    const char  *metric;
    const char  *help;
} ngx_http_payhub_summaries[] = {
    { "connect_us", "connects", "account_connect",
      "Time to a new connection to the channel of an account" },
    { "tls_us", "handshakes", "account_tls",
      "Time of TLS on a new connection to the channel of an account" },
    { "first_byte_us", "first_bytes", "account_first_byte",
      "Time from a request to the first byte of its answer" },
    { NULL, NULL, NULL, NULL }
};


/* numbers of the tree itself */

static struct {
    const char  *member;
    const char  *metric;
    const char  *help;
} ngx_http_payhub_gauges[] = {
    { "generation", "generation", "Generation of live changes" },
    { "keys", "keys", "Keys in shared memory" },
    { "changes", "live_changes_standing", "Live changes that stand" },
    { "processes_behind", "processes_behind",
      "nginx processes that serve an older generation" },
    { "sync_up", "sync_up", "1 while the link to a worker stands" },
    { NULL, NULL, NULL }
};


static int64_t
ngx_http_payhub_number(json_t *value)
{
    return json_is_integer(value) ? (int64_t) json_integer_value(value)
                                  : json_is_true(value);
}


void
ngx_http_payhub_status_prometheus(ngx_http_payhub_text_t *text, json_t *tree)
{
    json_t                    *array, *row, *value;
    size_t                     i;
    ngx_uint_t                 n;
    const char                *last, *id;
    ngx_http_payhub_metric_t  *m;

    ngx_http_payhub_prometheus_counters(text);

    last = "";

    for (m = ngx_http_payhub_metrics; m->array; m++) {

        array = json_object_get(tree, m->array);

        if (json_array_size(array) == 0) {
            continue;
        }

        if (ngx_strcmp(last, m->metric) != 0) {
            ngx_http_payhub_prometheus_head(text, m->metric, m->help,
                                            m->is_sum);
            last = m->metric;
        }

        json_array_foreach(array, i, row) {

            id = json_string_value(json_object_get(row, m->id));
            value = json_object_get(row, m->member);

            if (id == NULL || value == NULL) {
                continue;
            }

            ngx_http_payhub_text_printf(text,
                            "payhub_edge_%s%s{%s=\"%s\"%s%s} %L\n", m->metric,
                            m->is_sum ? "_total" : "", m->tag, id,
                            m->label[0] ? "," : "", m->label,
                            ngx_http_payhub_number(value));
        }
    }

    ngx_http_payhub_prometheus_summaries(text,
                                         json_object_get(tree, "accounts"));

    for (n = 0; ngx_http_payhub_gauges[n].member; n++) {

        value = json_object_get(tree, ngx_http_payhub_gauges[n].member);
        if (value == NULL) {
            continue;
        }

        ngx_http_payhub_prometheus_head(text,
                                        ngx_http_payhub_gauges[n].metric,
                                        ngx_http_payhub_gauges[n].help, 0);
        ngx_http_payhub_text_printf(text, "payhub_edge_%s %L\n",
                                    ngx_http_payhub_gauges[n].metric,
                                    ngx_http_payhub_number(value));
    }
}


static void
ngx_http_payhub_prometheus_head(ngx_http_payhub_text_t *text,
    const char *metric, const char *help, ngx_uint_t is_sum)
{
    const char  *suffix;

    suffix = is_sum ? "_total" : "";

    ngx_http_payhub_text_printf(text, "# HELP payhub_edge_%s%s %s.\n"
                                "# TYPE payhub_edge_%s%s %s\n",
                                metric, suffix, help, metric, suffix,
                                is_sum ? "counter" : "gauge");
}


static void
ngx_http_payhub_prometheus_counters(ngx_http_payhub_text_t *text)
{
    ngx_uint_t   i;
    const char  *last, *metric, *labels;

    last = "";

    for (i = 0; i < NGX_HTTP_PAYHUB_COUNTERS; i++) {

        metric = ngx_http_payhub_counter_texts[i].metric;
        labels = ngx_http_payhub_counter_texts[i].labels;

        if (ngx_strcmp(last, metric) != 0) {
            ngx_http_payhub_prometheus_head(text, metric,
                                    ngx_http_payhub_counter_texts[i].help, 1);
            last = metric;
        }

        ngx_http_payhub_text_printf(text, "payhub_edge_%s_total%s%s%s %uL\n",
                                    metric, labels[0] ? "{" : "", labels,
                                    labels[0] ? "}" : "",
                                    ngx_http_payhub_count_read(i));
    }
}


static void
ngx_http_payhub_prometheus_summaries(ngx_http_payhub_text_t *text,
    json_t *accounts)
{
    json_t      *row;
    size_t       i;
    int64_t      us;
    ngx_uint_t   n;
    const char  *id, *metric;

    for (n = 0; ngx_http_payhub_summaries[n].sum; n++) {

        metric = ngx_http_payhub_summaries[n].metric;

        if (json_array_size(accounts)) {
            ngx_http_payhub_text_printf(text,
                        "# HELP payhub_edge_%s_seconds %s.\n"
                        "# TYPE payhub_edge_%s_seconds summary\n",
                        metric, ngx_http_payhub_summaries[n].help, metric);
        }

        json_array_foreach(accounts, i, row) {

            id = json_string_value(json_object_get(row, "id"));
            us = ngx_http_payhub_number(json_object_get(row,
                                           ngx_http_payhub_summaries[n].sum));

            ngx_http_payhub_text_printf(text,
                        "payhub_edge_%s_seconds_sum{account=\"%s\"}"
                        " %L.%06L\n"
                        "payhub_edge_%s_seconds_count{account=\"%s\"} %L\n",
                        metric, id, us / 1000000, us % 1000000, metric, id,
                        ngx_http_payhub_number(json_object_get(row,
                                       ngx_http_payhub_summaries[n].count)));
        }
    }
}


/*
 * The array that an agent's /v1/push takes.  Sums are COUNTER, of which
 * Falcon makes a rate; tags are "name=value,name=value".
 */

void
ngx_http_payhub_status_falcon(ngx_http_payhub_text_t *text, json_t *tree)
{
    char                       tags[256];
    u_char                    *p;
    json_t                    *array, *row, *value;
    size_t                     i;
    ngx_uint_t                 n, k;
    const char                *id, *labels;
    ngx_http_payhub_metric_t  *m;

    n = 0;
    ngx_http_payhub_text_add(text, "[", 1);

    for (k = 0; k < NGX_HTTP_PAYHUB_COUNTERS; k++) {

        p = (u_char *) tags;

        for (labels = ngx_http_payhub_counter_texts[k].labels; *labels;
             labels++)
        {
            if (*labels != '"') {
                *p++ = *labels;
            }
        }

        *p = '\0';

        value = json_integer((json_int_t) ngx_http_payhub_count_read(k));
        ngx_http_payhub_falcon_point(text, &n,
                                    ngx_http_payhub_counter_texts[k].metric,
                                    tags, value, 1);
        json_decref(value);
    }

    for (m = ngx_http_payhub_metrics; m->array; m++) {

        array = json_object_get(tree, m->array);

        json_array_foreach(array, i, row) {

            id = json_string_value(json_object_get(row, m->id));
            value = json_object_get(row, m->member);

            if (id == NULL || value == NULL) {
                continue;
            }

            p = ngx_slprintf((u_char *) tags,
                             (u_char *) tags + sizeof(tags) - 1, "%s=%s%s",
                             m->tag, id, m->label[0] ? "," : "");

            for (labels = m->label;
                 *labels && p < (u_char *) tags + sizeof(tags) - 1;
                 labels++)
            {
                if (*labels != '"') {
                    *p++ = *labels;
                }
            }

            *p = '\0';

            ngx_http_payhub_falcon_point(text, &n, m->metric, tags, value,
                                         m->is_sum);
        }
    }

    ngx_http_payhub_falcon_summaries(text, &n,
                                     json_object_get(tree, "accounts"));

    for (k = 0; ngx_http_payhub_gauges[k].member; k++) {

        value = json_object_get(tree, ngx_http_payhub_gauges[k].member);

        if (value) {
            ngx_http_payhub_falcon_point(text, &n,
                                         ngx_http_payhub_gauges[k].metric,
                                         "", value, 0);
        }
    }

    ngx_http_payhub_text_add(text, "]\n", 2);
}


static void
ngx_http_payhub_falcon_summaries(ngx_http_payhub_text_t *text, ngx_uint_t *n,
    json_t *accounts)
{
    char         tags[64], metric[64];
    json_t      *row;
    size_t       i;
    ngx_uint_t   k;
    const char  *id;

    for (k = 0; ngx_http_payhub_summaries[k].sum; k++) {

        json_array_foreach(accounts, i, row) {

            id = json_string_value(json_object_get(row, "id"));

            *ngx_slprintf((u_char *) tags, (u_char *) tags + sizeof(tags) - 1,
                          "account=%s", id) = '\0';

            *ngx_slprintf((u_char *) metric,
                          (u_char *) metric + sizeof(metric) - 1, "%s_us",
                          ngx_http_payhub_summaries[k].metric) = '\0';
            ngx_http_payhub_falcon_point(text, n, metric, tags,
                json_object_get(row, ngx_http_payhub_summaries[k].sum), 1);

            *ngx_slprintf((u_char *) metric,
                          (u_char *) metric + sizeof(metric) - 1, "%s_count",
                          ngx_http_payhub_summaries[k].metric) = '\0';
            ngx_http_payhub_falcon_point(text, n, metric, tags,
                json_object_get(row, ngx_http_payhub_summaries[k].count), 1);
        }
    }
}


static void
ngx_http_payhub_falcon_point(ngx_http_payhub_text_t *text, ngx_uint_t *n,
    const char *metric, const char *tags, json_t *value, ngx_uint_t is_sum)
{
    ngx_http_payhub_text_printf(text,
                    "%s{\"endpoint\":\"%V\",\"metric\":\"payhub.edge.%s\","
                    "\"timestamp\":%T,\"step\":%d,\"value\":%L,"
                    "\"counterType\":\"%s\",\"tags\":\"%s\"}",
                    *n ? "," : "", &ngx_cycle->hostname, metric,
                    ngx_time(), NGX_HTTP_PAYHUB_FALCON_STEP,
                    ngx_http_payhub_number(value),
                    is_sum ? "COUNTER" : "GAUGE", tags);
    (*n)++;
}

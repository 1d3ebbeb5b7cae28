
/*
 * payhub_sync: the directive, who holds the links, what is shown of them.
 *
 * Each worker process looks four times a second whether the holder lives; the
 * first to find it dead takes its place.  A process of an older configuration
 * gives up by itself.
 */


#include "ngx_http_payhub_sync.h"
#include "ngx_http_payhub_state.h"
#include <malloc.h>
#include <openssl/rand.h>


static void *ngx_http_payhub_sync_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_payhub_sync_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_payhub_sync_interval(ngx_conf_t *cf,
    ngx_http_payhub_sync_conf_t *pscf, ngx_str_t *text);
static ngx_int_t ngx_http_payhub_sync_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_payhub_sync_peers(ngx_conf_t *cf,
    ngx_http_payhub_sync_conf_t *pscf);
static ngx_int_t ngx_http_payhub_sync_init_process(ngx_cycle_t *cycle);
static void ngx_http_payhub_sync_exit_process(ngx_cycle_t *cycle);
static void ngx_http_payhub_sync_tick(ngx_event_t *ev);
static ngx_uint_t ngx_http_payhub_sync_hold(void);
static void ngx_http_payhub_sync_give_up(void);
static void ngx_http_payhub_sync_json_wiped(void);
static void ngx_http_payhub_sync_free(void *p);
static size_t ngx_http_payhub_sync_size(size_t left);
static ngx_int_t ngx_http_payhub_sync_area_init(void *area, size_t size,
    ngx_log_t *log);


static ngx_command_t  ngx_http_payhub_sync_commands[] = {

    { ngx_string("payhub_sync"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1234,
      ngx_http_payhub_sync_line,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_sync_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_payhub_sync_init,             /* postconfiguration */

    ngx_http_payhub_sync_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_sync_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_sync_module_ctx,      /* module context */
    ngx_http_payhub_sync_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_payhub_sync_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_payhub_sync_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_http_payhub_sync_t  ngx_http_payhub_sync;

ngx_http_payhub_area_t  ngx_http_payhub_sync_area = {
    ngx_http_payhub_sync_size,
    ngx_http_payhub_sync_area_init
};


static ngx_event_t       ngx_http_payhub_sync_event;
static ngx_connection_t  ngx_http_payhub_sync_dumb;


static void *
ngx_http_payhub_sync_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payhub_sync_conf_t  *pscf;

    pscf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_sync_conf_t));
    if (pscf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pscf->peers, cf->pool, 4,
                       sizeof(ngx_http_payhub_sync_peer_t))
        != NGX_OK)
    {
        return NULL;
    }

    return pscf;
}


/* payhub_sync upstream [interval=time] [state=file seal=file:path] */

static char *
ngx_http_payhub_sync_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_sync_conf_t  *pscf = conf;

    ngx_str_t   *value, *at, rest, interval, state, seal;
    ngx_url_t    url;
    ngx_uint_t   i, n;

    static struct {
        ngx_str_t  name;
    } params[] = {
        { ngx_string("interval=") },
        { ngx_string("state=") },
        { ngx_string("seal=") }
    };

    if (pscf->upstream) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C105");
    }

    value = cf->args->elts;

    ngx_str_null(&interval);
    ngx_str_null(&state);
    ngx_str_null(&seal);

    for (i = 2; i < cf->args->nelts; i++) {

        for (n = 0; n < 3; n++) {
            if (ngx_strncmp(value[i].data, params[n].name.data,
                            params[n].name.len)
                == 0)
            {
                break;
            }
        }

        if (n == 3) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C105 payhub_sync: found \"%V\", expected "
                               "interval=, state= or seal=", &value[i]);
            return NGX_CONF_ERROR;
        }

        rest.data = value[i].data + params[n].name.len;
        rest.len = value[i].len - params[n].name.len;

        at = (n == 0) ? &interval : (n == 1) ? &state : &seal;

        if (at->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C105 payhub_sync: found \"%V\" twice, "
                               "expected it once", &params[n].name);
            return NGX_CONF_ERROR;
        }

        *at = rest;
    }

    if (ngx_strchr(value[1].data, '$') || ngx_strchr(value[1].data, '/')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C105 payhub_sync: found \"%V\", expected the "
                           "name of an upstream", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payhub_sync_interval(cf, pscf, &interval) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (state.data || seal.data) {
        if (ngx_http_payhub_state_set(cf, "PH-C105", &cmd->name, &state,
                                      &seal)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    ngx_memzero(&url, sizeof(ngx_url_t));

    url.url = value[1];
    url.no_resolve = 1;

    pscf->name = value[1];
    pscf->upstream = ngx_http_upstream_add(cf, &url, 0);

    return pscf->upstream ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_sync_interval(ngx_conf_t *cf,
    ngx_http_payhub_sync_conf_t *pscf, ngx_str_t *text)
{
    ngx_int_t  ms;

    pscf->interval = 1000;

    if (text->data == NULL) {
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(text, 0);

    if (ms == NGX_ERROR || ms < NGX_HTTP_PAYHUB_SYNC_INTERVAL_MIN
        || ms > NGX_HTTP_PAYHUB_SYNC_INTERVAL_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C105 payhub_sync: found interval=%V, expected "
                           "%dms to %dms", text,
                           NGX_HTTP_PAYHUB_SYNC_INTERVAL_MIN,
                           NGX_HTTP_PAYHUB_SYNC_INTERVAL_MAX);
        return NGX_CONF_ERROR;
    }

    pscf->interval = ms;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_sync_init(ngx_conf_t *cf)
{
    ngx_http_payhub_zone_conf_t  *pzcf;
    ngx_http_payhub_sync_conf_t  *pscf;

    pscf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_sync_module);

    if (pscf->upstream == NULL) {
        return NGX_OK;
    }

    pzcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_zone_module);

    if (pzcf == NULL || pzcf->shm_zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "PH-C105 payhub_sync: found no payhub_zone, expected "
                      "one beside it");
        return NGX_ERROR;
    }

    return ngx_http_payhub_sync_peers(cf, pscf);
}


/* secrets of callers travel on these links: they do not leave the host */

static ngx_int_t
ngx_http_payhub_sync_peers(ngx_conf_t *cf, ngx_http_payhub_sync_conf_t *pscf)
{
    u_char                       *p;
    ngx_uint_t                    i, n;
    ngx_http_upstream_server_t   *server;
    ngx_http_payhub_sync_peer_t  *peer;

    if (pscf->upstream->servers == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "PH-C105 payhub_sync: found no upstream \"%V\", "
                      "expected one in http {}", &pscf->name);
        return NGX_ERROR;
    }

    server = pscf->upstream->servers->elts;

    for (i = 0; i < pscf->upstream->servers->nelts; i++) {

        for (n = 0; n < server[i].naddrs && !server[i].down; n++) {

            if (server[i].addrs[n].sockaddr->sa_family != AF_UNIX) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "PH-C105 payhub_sync: found the server \"%V\", "
                              "expected unix: sockets only, since secrets "
                              "travel there", &server[i].addrs[n].name);
                return NGX_ERROR;
            }

            if (pscf->peers.nelts == NGX_HTTP_PAYHUB_SYNC_PEERS_MAX) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "PH-C105 payhub_sync: found more than %d "
                              "servers, expected at most that many",
                              NGX_HTTP_PAYHUB_SYNC_PEERS_MAX);
                return NGX_ERROR;
            }

            peer = ngx_array_push(&pscf->peers);
            if (peer == NULL) {
                return NGX_ERROR;
            }

            peer->sockaddr = server[i].addrs[n].sockaddr;
            peer->socklen = server[i].addrs[n].socklen;
            peer->name = server[i].addrs[n].name;

            for (p = peer->name.data; p < peer->name.data + peer->name.len;
                 p++)
            {
                pscf->hash = pscf->hash * 31 + *p;
            }
        }
    }

    if (pscf->peers.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "PH-C105 payhub_sync: found no server of \"%V\" in use, "
                      "expected at least one", &pscf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* ---- who holds the links ---- */


static ngx_int_t
ngx_http_payhub_sync_init_process(ngx_cycle_t *cycle)
{
    void                         *keys;
    size_t                        size;
    ngx_event_t                  *ev;
    ngx_http_payhub_sync_conf_t  *pscf;

    /* the cache manager and loader come by here as well */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    pscf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_payhub_sync_module);

    if (pscf == NULL || pscf->upstream == NULL) {
        return NGX_OK;
    }

    ngx_http_payhub_sync.sh = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_SYNC,
                                                   &size);
    keys = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);

    if (ngx_http_payhub_sync.sh == NULL || keys == NULL) {
        return NGX_OK;
    }

    ngx_http_payhub_sync.keys = ph_key_table_open(keys, size);

    if (ngx_http_payhub_sync.keys == NULL) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "payhub sync: found no table of keys in the zone");
        return NGX_OK;
    }

    ngx_http_payhub_sync.conf = pscf;
    ngx_http_payhub_live_outbox(1);
    ngx_http_payhub_sync_json_wiped();

    ngx_http_payhub_sync_dumb.fd = (ngx_socket_t) -1;

    ev = &ngx_http_payhub_sync_event;
    ev->handler = ngx_http_payhub_sync_tick;
    ev->data = &ngx_http_payhub_sync_dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1 + ngx_random() % 20);

    return NGX_OK;
}


static void
ngx_http_payhub_sync_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_payhub_sync_give_up();
}


static void
ngx_http_payhub_sync_tick(ngx_event_t *ev)
{
    ngx_uint_t  holds;

    if (ngx_exiting || ngx_terminate || !ngx_http_payhub_epoch_latest()) {
        ngx_http_payhub_sync_give_up();

        if (!ngx_exiting && !ngx_terminate) {
            ngx_add_timer(ev, NGX_HTTP_PAYHUB_SYNC_TICK);
        }

        return;
    }

    holds = ngx_http_payhub_sync_hold();

    if (holds && !ngx_http_payhub_sync.holds) {
        ngx_http_payhub_sync.holds = 1;
        ngx_http_payhub_sync_link_start(&ngx_http_payhub_sync_watch);
        ngx_http_payhub_sync_link_start(&ngx_http_payhub_sync_tell);

        if (ngx_http_payhub_sync_shares()) {
            ngx_http_payhub_sync_link_start(&ngx_http_payhub_sync_share);
        }

    } else if (!holds && ngx_http_payhub_sync.holds) {
        ngx_http_payhub_sync_give_up();

    } else if (holds && ngx_http_payhub_sync_untold()) {
        ngx_http_payhub_sync_link_now(&ngx_http_payhub_sync_tell);
    }

    if (holds && ngx_http_payhub_sync.sh->heard_at
        && ngx_time() - (time_t) ngx_http_payhub_sync.sh->heard_at > 2
           + (time_t) (ngx_http_payhub_sync.conf->interval / 1000))
    {
        ngx_http_payhub_sync_share_away();
    }

    ngx_add_timer(ev, NGX_HTTP_PAYHUB_SYNC_TICK);
}


/* takes the word, or keeps it */

static ngx_uint_t
ngx_http_payhub_sync_hold(void)
{
    ngx_msec_t                      now;
    ngx_atomic_uint_t               holder, me;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;
    me = ngx_http_payhub_owner();
    holder = sh->holder;
    now = ngx_current_msec;

    if (holder != me) {

        if (holder && (ngx_msec_int_t) (sh->until - now) > 0
            && ngx_http_payhub_owner_alive(holder))
        {
            return 0;
        }

        if (!ngx_atomic_cmp_set(&sh->holder, holder, me)) {
            return 0;
        }

        sh->taken++;
        sh->linked = 0;

        if (sh->upstream != ngx_http_payhub_sync.conf->hash) {

            /* other workers, maybe of another cluster: their marks are new */

            sh->upstream = ngx_http_payhub_sync.conf->hash;
            sh->cursor[0] = '\0';
            sh->keys_mark[0] = '\0';
            sh->accounts_mark[0] = '\0';
            sh->live_mark[0] = '\0';
            sh->told_mark[0] = '\0';
        }

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "payhub sync: this process holds the links");
    }

    sh->until = now + NGX_HTTP_PAYHUB_SYNC_LEASE;

    return 1;
}


static void
ngx_http_payhub_sync_give_up(void)
{
    if (!ngx_http_payhub_sync.holds) {
        return;
    }

    ngx_http_payhub_sync.holds = 0;

    ngx_http_payhub_sync_link_stop(&ngx_http_payhub_sync_watch);
    ngx_http_payhub_sync_link_stop(&ngx_http_payhub_sync_tell);
    ngx_http_payhub_sync_link_stop(&ngx_http_payhub_sync_share);
    ngx_http_payhub_sync_watch_stop();

    (void) ngx_atomic_cmp_set(&ngx_http_payhub_sync.sh->holder,
                              ngx_http_payhub_owner(), 0);
}


/* a process that was stopped for longer than its word stands for takes in
   nothing any more: another one may have read on */

ngx_uint_t
ngx_http_payhub_sync_holds(void)
{
    if (ngx_http_payhub_sync.holds
        && ngx_http_payhub_sync.sh->holder != ngx_http_payhub_owner())
    {
        ngx_http_payhub_sync_give_up();
    }

    return ngx_http_payhub_sync.holds;
}


/* jansson copies what it parses, secrets too, and frees as it goes */

static void
ngx_http_payhub_sync_json_wiped(void)
{
    json_free_t    free_fn;
    json_malloc_t  malloc_fn;

    json_get_alloc_funcs(&malloc_fn, &free_fn);

    /* another module with functions of its own keeps them */

    if (malloc_fn == malloc && free_fn == free) {
        json_set_alloc_funcs(malloc, ngx_http_payhub_sync_free);
    }
}


static void
ngx_http_payhub_sync_free(void *p)
{
    if (p) {
        ngx_explicit_memzero(p, malloc_usable_size(p));
        free(p);
    }
}


/* ---- the area ---- */


static size_t
ngx_http_payhub_sync_size(size_t left)
{
    return sizeof(ngx_http_payhub_sync_shared_t);
}


static ngx_int_t
ngx_http_payhub_sync_area_init(void *area, size_t size, ngx_log_t *log)
{
    ngx_http_payhub_sync_shared_t  *sh = area;

    if (RAND_bytes((u_char *) &sh->host, sizeof(sh->host)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "payhub sync: RAND_bytes() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* they become JSON again: a character that is cut in its middle is none */

void
ngx_http_payhub_sync_text(u_char *to, size_t size, const char *text,
    size_t len)
{
    size_t  i;

    len = ngx_min(len, size - 1);

    for (i = 0; i < len; i++) {
        to[i] = (text[i] < 0x20 || text[i] > 0x7e) ? '?' : text[i];
    }

    to[len] = '\0';
}


/* the "mark" of a part; false: there is none, or too long a one */

ngx_uint_t
ngx_http_payhub_sync_mark(json_t *part, u_char *to)
{
    json_t  *mark;

    mark = json_object_get(part, "mark");

    if (!json_is_string(mark)
        || json_string_length(mark) >= NGX_HTTP_PAYHUB_SYNC_MARK)
    {
        return 0;
    }

    ngx_http_payhub_sync_text(to, NGX_HTTP_PAYHUB_SYNC_MARK,
                              json_string_value(mark),
                              json_string_length(mark));
    return 1;
}


void
ngx_http_payhub_sync_error(const char *fmt, ...)
{
    u_char                         *last;
    va_list                         args;
    ngx_http_payhub_sync_shared_t  *sh;
    u_char                          text[NGX_HTTP_PAYHUB_SYNC_TEXT];

    sh = ngx_http_payhub_sync.sh;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text) - 1, fmt, args);
    va_end(args);

    ngx_http_payhub_sync_text(sh->error, sizeof(sh->error), (char *) text,
                              last - text);
    sh->error_at = ngx_time();
}


json_t *
ngx_http_payhub_sync_json(void)
{
    json_t                         *live, *keys;
    ngx_http_payhub_sync_shared_t  *sh;

    sh = ngx_http_payhub_sync.sh;

    if (sh == NULL) {
        return json_pack("{s:s}", "state", "off");
    }

    keys = json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}",
                     "count", (json_int_t)
                              ph_key_count(ngx_http_payhub_sync.keys),
                     "put", (json_int_t) sh->keys_put,
                     "off", (json_int_t) sh->keys_off,
                     "refused", (json_int_t) sh->keys_refused,
                     "full_exchanges", (json_int_t) sh->keys_full,
                     "whole", sh->cursor[0] == 'i');

    live = json_pack("{s:s, s:b, s:I}",
                     "version", (char *) sh->live_mark,
                     "untold", (int) ngx_http_payhub_sync_untold(),
                     "refused", (json_int_t) sh->live_refused);

    return json_pack("{s:s, s:s, s:o*, s:I, s:I, s:I, s:I, s:s, s:o*, s:I,"
                     " s:o*, s:o*, s:I, s:s}",
                     "state", sh->linked ? "linked" : "away",
                     "worker", (char *) sh->peer,
                     "age_s", sh->heard_at
                              ? json_integer(ngx_time()
                                             - (time_t) sh->heard_at) : NULL,
                     "asked", (json_int_t) sh->asked,
                     "failed", (json_int_t) sh->failed,
                     "takeovers", (json_int_t) sh->taken,
                     "interval_ms",
                     (json_int_t) ngx_http_payhub_sync.conf->interval,
                     "error", (char *) sh->error,
                     "error_age_s", sh->error_at
                              ? json_integer(ngx_time()
                                             - (time_t) sh->error_at) : NULL,
                     "accounts", (json_int_t) sh->accounts,
                     "keys", keys, "live", live,
                     "hosts", (json_int_t) sh->hosts,
                     "limits", sh->hosts == 0 ? "local"
                               : sh->linked ? "shared" : "last share");
}

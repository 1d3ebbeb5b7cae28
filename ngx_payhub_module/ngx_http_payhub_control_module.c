
/*
 * payhub_control: live changes, for people and programs of this host.  What it
 * answers and takes is told in docs/live.md.
 */


#include "ngx_http_payhub_limit.h"
#include "ngx_http_payhub_live.h"
#include "ngx_http_payhub_route.h"
#include "ngx_http_payhub_state.h"
#include "ngx_http_payhub_sync.h"
#include "libpayhub/domain/key_table.h"


#define NGX_HTTP_PAYHUB_CONTROL_BODY_MAX  (64 * 1024)
#define NGX_HTTP_PAYHUB_CONTROL_BY_MAX    64


typedef struct {
    ngx_flag_t               on;
} ngx_http_payhub_control_loc_conf_t;


static ngx_int_t ngx_http_payhub_control_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payhub_control_allowed(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
static void ngx_http_payhub_control_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_control_change(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_control_explain(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, json_t *doc);
static ngx_int_t ngx_http_payhub_control_show(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_control_answer(ngx_http_request_t *r,
    json_t *doc);

static char *ngx_http_payhub_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_payhub_control_create_conf(ngx_conf_t *cf);


static ngx_command_t  ngx_http_payhub_control_commands[] = {

    { ngx_string("payhub_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payhub_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payhub_control_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payhub_control_create_conf,   /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_payhub_control_module = {
    NGX_MODULE_V1,
    &ngx_http_payhub_control_module_ctx,   /* module context */
    ngx_http_payhub_control_commands,      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t
ngx_http_payhub_control_on(ngx_http_request_t *r)
{
    ngx_http_payhub_control_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_control_module);

    return clcf->on;
}


static ngx_int_t
ngx_http_payhub_control_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r != r->main || !ngx_http_payhub_control_allowed(r, pr)) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_FORBIDDEN,
                                      "found another caller, expected one on "
                                      "a unix socket or a key with the role "
                                      "admin");
    }

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        rc = ngx_http_discard_request_body(r);

        return rc == NGX_OK ? ngx_http_payhub_control_show(r) : rc;
    }

    if (!(r->method & (NGX_HTTP_POST|NGX_HTTP_DELETE))) {

        if (ngx_http_payhub_add_header(r, "Allow",
                                       PH_STR("GET, HEAD, POST, DELETE"))
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_payhub_refuse(r, pr, PH_ERROR_METHOD, NULL);
    }

    if (r->headers_in.content_length_n > NGX_HTTP_PAYHUB_CONTROL_BODY_MAX) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_TOO_LARGE,
                                      "found a longer body, expected at most "
                                      "65536 bytes");
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r,
                                         ngx_http_payhub_control_body_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/*
 * By the socket that was listened on, not by the peer's address: that can be
 * what a header or PROXY protocol said.
 */

static ngx_uint_t
ngx_http_payhub_control_allowed(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    ngx_str_t  *role;

    if (r->connection->listening
        && r->connection->listening->sockaddr->sa_family == AF_UNIX)
    {
        return 1;
    }

    if (!ngx_http_payhub_proven(r, pr)) {
        return 0;
    }

    role = &pr->key->role;

    return role->len == sizeof("admin") - 1
           && ngx_strncmp(role->data, "admin", role->len) == 0;
}


/* who it is, for the audit line: the proven key, else the peer's user */

static void
ngx_http_payhub_control_by(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_str_t *by)
{
    u_char  *p, *last;
#ifdef SO_PEERCRED
    socklen_t     len;
    struct ucred  peer;
#endif

    p = by->data;
    last = p + NGX_HTTP_PAYHUB_CONTROL_BY_MAX;

    if (ngx_http_payhub_proven(r, pr)) {
        p = ngx_slprintf(p, last, "key:%V", &pr->key->id);

    } else {
        p = ngx_slprintf(p, last, "unix");

#ifdef SO_PEERCRED
        len = sizeof(peer);

        if (getsockopt(r->connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)
            == 0)
        {
            p = ngx_slprintf(p, last, ":%ui", (ngx_uint_t) peer.uid);
        }
#endif
    }

    by->len = p - by->data;
}


static void
ngx_http_payhub_control_body_handler(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_payhub_control_change(r));
}


/* the whole body; NULL: too long, or it cannot be read */

static u_char *
ngx_http_payhub_control_body(ngx_http_request_t *r, size_t *len)
{
    u_char       *body, *p;
    size_t        size, n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *len = 0;
    size = 0;

    if (r->request_body == NULL) {
        return NULL;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);

        if (size > NGX_HTTP_PAYHUB_CONTROL_BODY_MAX) {
            *len = size;
            return NULL;
        }
    }

    body = ngx_pnalloc(r->pool, size + 1);
    if (body == NULL) {
        return NULL;
    }

    p = body;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        n = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(p, b->pos, n);

        } else if (n && ngx_read_file(b->file, p, n, b->file_pos)
                        != (ssize_t) n)
        {
            return NULL;
        }

        p += n;
    }

    *len = p - body;

    return body;
}


static ngx_int_t
ngx_http_payhub_control_change(ngx_http_request_t *r)
{
    char                       *rv;
    u_char                     *body, memory[NGX_HTTP_PAYHUB_CONTROL_BY_MAX];
    size_t                      len;
    json_t                     *doc, *list;
    uint64_t                    generation;
    ngx_str_t                   by;
    json_error_t                error;
    ngx_http_payhub_request_t  *pr;

    pr = ngx_http_payhub_find(r);

    body = ngx_http_payhub_control_body(r, &len);

    if (body == NULL) {
        return len ? ngx_http_payhub_refuse(r, pr, PH_ERROR_TOO_LARGE,
                                            "found a longer body, expected "
                                            "at most 65536 bytes")
                   : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    doc = json_loadb((char *) body, len, JSON_REJECT_DUPLICATES, &error);

    if (doc == NULL) {
        rv = ngx_http_payhub_live_say(r->pool, "found at line %d, column %d "
                                      "what is not JSON, or a member twice; "
                                      "expected a change or an array of them",
                                      error.line, error.column);

        return ngx_http_payhub_refuse(r, pr, PH_ERROR_NOT_JSON, rv);
    }

    if (r->method == NGX_HTTP_POST && json_object_get(doc, "explain")) {
        return ngx_http_payhub_control_explain(r, pr, doc);
    }

    by.data = memory;
    ngx_http_payhub_control_by(r, pr, &by);

    if (r->method == NGX_HTTP_DELETE) {
        rv = ngx_http_payhub_live_remove(r->pool, doc, &by, 0, &generation);

    } else if (json_is_array(doc)) {
        rv = ngx_http_payhub_live_apply(r->pool, doc, &by, 0, &generation);

    } else {
        list = json_pack("[O]", doc);
        rv = ngx_http_payhub_live_busy;

        if (list) {
            rv = ngx_http_payhub_live_apply(r->pool, list, &by, 0,
                                            &generation);
        }

        json_decref(list);
    }

    json_decref(doc);

    if (rv) {
        return ngx_http_payhub_refuse(r, pr, rv == ngx_http_payhub_live_busy
                                             ? PH_ERROR_NOT_EXECUTED
                                             : PH_ERROR_VALUE, rv);
    }

    /* whoever asks this process next sees it */

    (void) ngx_http_payhub_live_now();

    return ngx_http_payhub_control_answer(r, json_pack("{s:I}", "generation",
                                                  (json_int_t) generation));
}


/*
 * {"explain": body of a payment, as text or as JSON, "route", "app",
 * "merchant"}: which account would be chosen, and why.  Takes `doc`.
 */

static ngx_int_t
ngx_http_payhub_control_explain(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, json_t *doc)
{
    char        *text, *route, *app, *merchant;
    size_t       len;
    json_t      *body, *answer;
    ngx_int_t    rc;

    route = NULL;
    app = NULL;
    merchant = NULL;

    if (json_unpack(doc, "{s:o, s?s, s?s, s?s !}", "explain", &body,
                    "route", &route, "app", &app, "merchant", &merchant)
        != 0)
    {
        json_decref(doc);

        return ngx_http_payhub_refuse(r, pr, PH_ERROR_VALUE,
                                      "found other members, expected explain "
                                      "and the texts route, app, merchant");
    }

    if (json_is_string(body)) {
        len = json_string_length(body);
        answer = ngx_http_payhub_route_explain_json(
                                     ph_str_make(json_string_value(body), len),
                                     route, app, merchant);

    } else {
        text = json_dumps(body, JSON_COMPACT|JSON_ENCODE_ANY);
        answer = text ? ngx_http_payhub_route_explain_json(ph_str_z(text),
                                                           route, app,
                                                           merchant)
                      : NULL;
        free(text);
    }

    rc = ngx_http_payhub_control_answer(r, answer);

    json_decref(doc);

    return rc;
}


static json_t *
ngx_http_payhub_control_processes(void)
{
    json_t                       *list;
    ngx_uint_t                    i;
    ngx_http_payhub_slot_info_t   info;

    list = json_array();

    for (i = 0; i < NGX_HTTP_PAYHUB_SLOTS_MAX; i++) {
        if (ngx_http_payhub_slot_info(i, &info)) {
            (void) json_array_append_new(list,
                json_pack("{s:I, s:I, s:I, s:I}",
                          "slot", (json_int_t) i,
                          "pid", (json_int_t) info.pid,
                          "generation", (json_int_t) info.generation,
                          "configuration", (json_int_t) info.epoch));
        }
    }

    return list;
}


static json_t *
ngx_http_payhub_control_state_of(ngx_http_payhub_state_info_t *info)
{
    static const char  *names[] = { "off", "none", "taken", "refused",
                                    "kept" };

    return json_pack("{s:s, s:I, s:I, s:I}",
                     "start", names[ngx_min(info->loaded, 4)],
                     "saved", (json_int_t) info->saved,
                     "saved_at", (json_int_t) info->saved_at,
                     "failed", (json_int_t) info->failed);
}


static ngx_int_t
ngx_http_payhub_control_show(ngx_http_request_t *r)
{
    json_t                        *doc;
    size_t                         size;
    struct ph_key_table           *table;
    ngx_http_payhub_live_t        *live;
    ngx_http_payhub_state_info_t   changes, keys;

    live = ngx_http_payhub_live_now();
    if (live == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    doc = json_pack("{s:I, s:I, s:o, s:O}",
                    "generation", (json_int_t) live->generation,
                    "born", (json_int_t) ngx_http_payhub_zone_born(),
                    "processes", ngx_http_payhub_control_processes(),
                    "changes", live->changes);

    if (doc) {
        (void) json_object_set_new(doc, "limits",
                                   ngx_http_payhub_limits_json());
        (void) json_object_set_new(doc, "accounts",
                                   ngx_http_payhub_health_json());
    }

    if (doc) {
        (void) json_object_set_new(doc, "sync", ngx_http_payhub_sync_json());
    }

    if (doc && ngx_http_payhub_state_info(&changes, &keys)) {

        (void) json_object_set_new(doc, "state",
                     json_pack("{s:o, s:o}",
                               "changes",
                               ngx_http_payhub_control_state_of(&changes),
                               "keys",
                               ngx_http_payhub_control_state_of(&keys)));

        table = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
        table = ph_key_table_open(table, size);

        if (table) {
            (void) json_object_set_new(doc, "keys",
                                       json_integer(ph_key_count(table)));
        }
    }

    return ngx_http_payhub_control_answer(r, doc);
}


/* takes `doc`; NULL: there was no memory for it */

static ngx_int_t
ngx_http_payhub_control_answer(ngx_http_request_t *r, json_t *doc)
{
    char         *text;
    size_t        len;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(text);
    b = ngx_create_temp_buf(r->pool, len + 1);

    if (b) {
        b->last = ngx_cpymem(b->last, text, len);
        *b->last++ = LF;
        b->last_buf = 1;
        b->last_in_chain = 1;
    }

    free(text);

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len + 1;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_payhub_add_header(r, "Cache-Control", PH_STR("no-store"))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static char *
ngx_http_payhub_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_control_loc_conf_t *plcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (plcf->on) {
        return ngx_http_payhub_duplicate(cf, cmd, "PH-C106");
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C106 payhub_control: found another content "
                           "handler in this location, expected it alone");
        return NGX_CONF_ERROR;
    }

    clcf->handler = ngx_http_payhub_control_handler;
    plcf->on = 1;

    ngx_http_payhub_mark_server(cf);

    return NGX_CONF_OK;
}


static void *
ngx_http_payhub_control_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_payhub_control_loc_conf_t));
}


/*
 * The step of a request: its body scanned, a rule found, an account chosen and
 * counted.
 */


#include "ngx_http_payhub_route_int.h"


#define NGX_HTTP_PAYHUB_ROUTE_BODY_MAX  (64 * 1024)     /* the worker's own */
#define NGX_HTTP_PAYHUB_ROUTE_TRIES     4       /* of probes others took */


static ngx_int_t ngx_http_payhub_route_take(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_route_loc_conf_t *rlcf);
static ngx_int_t ngx_http_payhub_route_body(ngx_http_request_t *r,
    struct ph_str *body);
static void ngx_http_payhub_route_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payhub_route_choose(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_routes_t *routes,
    struct ph_route *route, ngx_http_payhub_choice_t *choice);


ngx_uint_t
ngx_http_payhub_route_on(ngx_http_request_t *r)
{
    ngx_http_payhub_route_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_route_module);

    return rlcf->on == 1;
}


ngx_http_payhub_choice_t *
ngx_http_payhub_route_choice(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr)
{
    return pr ? pr->route : NULL;
}


/*
 * Once a request: what was chosen stays, whatever locations it goes through.
 * Unproven requests are routed only where nobody asks for a proof, and never
 * on their way to a worker, which takes no payment from them.
 */

ngx_int_t
ngx_http_payhub_route_step(ngx_http_request_t *r)
{
    ngx_str_t                          method, target;
    ngx_http_payhub_request_t         *pr;
    ngx_http_payhub_route_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_route_module);

    if (r != r->main
        || !rlcf->on
        || (rlcf->on == NGX_CONF_UNSET && !ngx_http_payhub_pass_on(r)))
    {
        return NGX_DECLINED;
    }

    pr = ngx_http_payhub_get(r);
    if (pr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pr->route || pr->sent) {
        return NGX_DECLINED;
    }

    if (ngx_http_payhub_verify_on(r) || ngx_http_payhub_pass_on(r)) {
        if (!ngx_http_payhub_proven(r, pr)) {
            return NGX_DECLINED;
        }
    }

    if (ngx_http_payhub_proven(r, pr)) {
        method = pr->method;

    } else if (ngx_http_payhub_target(r, &method, &target) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (method.len != 4 || ngx_strncmp(method.data, "POST", 4) != 0)
    {
        return NGX_DECLINED;
    }

    return ngx_http_payhub_route_take(r, pr, rlcf);
}


static ngx_int_t
ngx_http_payhub_route_take(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_route_loc_conf_t *rlcf)
{
    ngx_int_t                  rc;
    struct ph_route           *route;
    ngx_http_payhub_live_t    *live;
    ngx_http_payhub_choice_t  *choice;
    ngx_http_payhub_routes_t  *routes;

    live = ngx_http_payhub_live(r, pr);
    routes = live ? ngx_http_payhub_routes(live) : NULL;

    if (routes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    route = ngx_http_payhub_routes_find(routes,
                                        ngx_http_payhub_view(&rlcf->name));
    /* who knows no account, since no worker told one yet, is no judge */

    if (route == NULL || routes->accounts_n == 0) {
        return NGX_DECLINED;
    }

    if (r->request_body == NULL) {
        r->preserve_body = 1;

        rc = ngx_http_read_client_request_body(r,
                                          ngx_http_payhub_route_body_handler);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        ngx_http_finalize_request(r, NGX_DONE);

        return NGX_DONE;
    }

    choice = ngx_palloc(r->pool, sizeof(ngx_http_payhub_choice_t));
    if (choice == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* of candidates and note only what was written is looked at */

    ngx_memzero(&choice->n, sizeof(ngx_http_payhub_choice_t)
                            - offsetof(ngx_http_payhub_choice_t, n));

    return ngx_http_payhub_route_choose(r, pr, routes, route, choice);
}


static void
ngx_http_payhub_route_body_handler(ngx_http_request_t *r)
{
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* in one piece; NGX_DECLINED: larger than a payment may be */

static ngx_int_t
ngx_http_payhub_route_body(ngx_http_request_t *r, struct ph_str *body)
{
    off_t         len;
    u_char       *p;
    size_t        size, done;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    *body = ph_str_make("", 0);

    if (len > NGX_HTTP_PAYHUB_ROUTE_BODY_MAX) {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl == NULL) {
        return NGX_OK;
    }

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        *body = ph_str_make((char *) cl->buf->pos, (size_t) len);
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *body = ph_str_make((char *) p, (size_t) len);

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;
        size = (size_t) ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        for (done = 0; done < size; done += n, p += n) {
            n = ngx_read_file(b->file, p, size - done,
                              b->file_pos + (off_t) done);
            if (n <= 0) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Written for those who read them: most requests are answered unread. */

void
ngx_http_payhub_route_reason(ngx_http_payhub_choice_t *choice,
    struct ph_buf *buf)
{
    if (choice->text.len == 0) {
        ph_route_reason(choice->route, &choice->note, buf);
        return;
    }

    ph_buf_add(buf, ph_str_z(choice->word));
    ph_buf_byte(buf, '=');
    ph_buf_add(buf, choice->text);
}


/* "WORD METHOD CURRENCY AMOUNT": what the worker holds its own reading to */

void
ngx_http_payhub_route_view(ngx_http_payhub_choice_t *choice,
    struct ph_buf *buf)
{
    ph_buf_add(buf, ph_str_z(choice->word));
    ph_buf_byte(buf, ' ');
    ph_buf_add(buf, choice->method.len ? choice->method : PH_STR("-"));
    ph_buf_byte(buf, ' ');
    ph_buf_add(buf, choice->currency.len ? choice->currency : PH_STR("-"));
    ph_buf_byte(buf, ' ');

    if (choice->has_amount) {
        ph_buf_i64(buf, choice->amount);

    } else {
        ph_buf_byte(buf, '-');
    }
}


/* the account is one more call's, until ngx_http_payhub_route_end() */

static void
ngx_http_payhub_route_count(ngx_http_payhub_request_t *pr,
    ngx_http_payhub_choice_t *choice, ngx_http_payhub_routes_t *routes,
    size_t account)
{
    struct ph_str             *channel;
    ngx_http_payhub_health_t  *health;

    channel = &routes->accounts[account].channel;

    if (pr->channel.len == 0) {
        pr->channel.data = (u_char *) channel->ptr;
        pr->channel.len = channel->len;
    }

    health = routes->faces[account].health;

    if (health) {
        choice->health = health;
        ngx_http_payhub_health_begin(health);
    }
}


/* with the record of the request; NULL: nothing was routed */

void
ngx_http_payhub_route_end(void *data)
{
    ngx_http_payhub_choice_t *choice = data;

    ngx_http_payhub_health_t  *health;

    if (choice == NULL) {
        return;
    }

    health = choice->health;

    if (health) {
        ngx_http_payhub_health_end(health);

        if (choice->probe) {
            ph_health_leave(&health->health);
        }
    }

    ngx_http_payhub_routes_release(choice->routes);
}


/* a body that forces an account goes there, whatever rules and health say */

static void
ngx_http_payhub_route_forced(ngx_http_payhub_request_t *pr,
    ngx_http_payhub_routes_t *routes, struct ph_str account,
    ngx_http_payhub_choice_t *choice)
{
    ngx_uint_t  i;

    choice->n = 1;
    choice->candidates[0].data = (u_char *) account.ptr;
    choice->candidates[0].len = account.len;
    choice->text = account;

    for (i = 0; i < routes->accounts_n; i++) {
        if (ph_str_eq(routes->accounts[i].id, account)) {
            ngx_http_payhub_route_count(pr, choice, routes, i);
            return;
        }
    }
}


static const char *
ngx_http_payhub_route_rules(ngx_http_payhub_request_t *pr,
    ngx_http_payhub_routes_t *routes, struct ph_route *route,
    struct ph_route_ask *ask, ngx_http_payhub_choice_t *choice)
{
    bool                     probe;
    size_t                   i;
    ngx_uint_t               tries;
    struct ph_str            id;
    struct ph_route_eyes     eyes;
    struct ph_route_choice   c;
    ngx_http_payhub_face_t  *face;

    probe = 0;
    eyes.look = ngx_http_payhub_health_look;
    eyes.data = routes;

    for (tries = 0; tries < NGX_HTTP_PAYHUB_ROUTE_TRIES; tries++) {
        ph_route_choose(route, ask, &eyes, (uint32_t) ngx_random(), &c);

        if (c.verdict != PH_ROUTE_CHOSEN) {
            break;
        }

        face = &routes->faces[c.accounts[0]];

        if (face->health == NULL
            || ph_health_enter(&face->health->health, &face->breaker,
                               ngx_current_msec, &probe))
        {
            break;
        }
    }

    choice->note = c.note;

    if (c.verdict == PH_ROUTE_FREE) {
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_ROUTE_NONE);
        return "free";
    }

    if (c.verdict == PH_ROUTE_NONE) {
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_ROUTE_NONE);
        return "none";
    }

    if (c.verdict == PH_ROUTE_OUT || tries == NGX_HTTP_PAYHUB_ROUTE_TRIES) {
        ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_ROUTE_NONE);
        return "out";
    }

    ngx_http_payhub_count(NGX_HTTP_PAYHUB_COUNT_ROUTE_CHOSEN);

    for (i = 0; i < c.count; i++) {
        id = routes->accounts[c.accounts[i]].id;
        choice->candidates[i].data = (u_char *) id.ptr;
        choice->candidates[i].len = id.len;
    }

    choice->n = c.count;

    ngx_http_payhub_route_count(pr, choice, routes, c.accounts[0]);

    choice->probe = probe;

    return "chosen";
}


static ngx_int_t
ngx_http_payhub_route_choose(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_routes_t *routes,
    struct ph_route *route, ngx_http_payhub_choice_t *choice)
{
    ngx_int_t            rc;
    const char          *word;
    enum ph_scan         verdict;
    struct ph_str        body, account;
    struct ph_route_ask  ask;

    rc = ngx_http_payhub_route_body(r, &body);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&ask, sizeof(struct ph_route_ask));

    verdict = (rc == NGX_OK)
              ? ngx_http_payhub_route_ask(route, body, &ask, &account)
              : PH_SCAN_RANGE;

    if (verdict != PH_SCAN_CLEAR) {
        word = "unclear";
        choice->text = ph_str_z(ph_scan_word(verdict));

    } else if (ask.method.len == 0) {
        return NGX_DECLINED;            /* no payment */

    } else if (account.ptr) {
        word = "forced";
        ngx_http_payhub_route_forced(pr, routes, account, choice);

    } else {
        if (pr->key && ngx_http_payhub_proven(r, pr)) {
            ask.app = ngx_http_payhub_view(&pr->key->app);
            ask.merchant = ngx_http_payhub_view(&pr->key->merchant);
        }

        word = ngx_http_payhub_route_rules(pr, routes, route, &ask, choice);
    }

    /* names and figures point into the table */

    choice->routes = routes;
    routes->refs++;

    choice->word = word;
    choice->route = route;
    choice->method = ask.method;
    choice->currency = ask.currency;
    choice->amount = ask.amount;
    choice->has_amount = ask.has_amount;

    pr->route = choice;

    /* a worker looks first whether the payment is there already */

    if (ngx_strcmp(word, "out") == 0 && !ngx_http_payhub_pass_on(r)) {
        return ngx_http_payhub_refuse(r, pr, PH_ERROR_NOT_EXECUTED,
                                      "no account of the rule can take a "
                                      "payment now");
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payhub_route_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                      *p;
    struct ph_buf              buf;
    ngx_http_payhub_choice_t  *choice;

    choice = ngx_http_payhub_route_choice(r, ngx_http_payhub_find(r));

    if (choice == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_PAYHUB_CHOICE_TEXT);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ph_buf_init(&buf, p, NGX_HTTP_PAYHUB_CHOICE_TEXT);
    ngx_http_payhub_route_reason(choice, &buf);

    if (buf.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = buf.len;
    v->data = (u_char *) p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}

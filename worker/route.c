/*
 * route.c - the table of methods and paths.
 *
 * Under /v1 an unproven caller reads 401 before anything about the path is
 * told.  A path that is there for other methods is 405 with Allow.
 */
#include "worker/route.h"

#include "worker/idem.h"
#include "worker/store.h"

typedef void (*route_handler)(struct wk_request           *request,
                              const struct wk_route_match *match);

struct route {
    const char   *method;
    const char   *path; /* a star matches one segment of token characters */
    bool          is_proven; /* needs a verified caller */
    unsigned      role;      /* of enum wk_role; 0 = any */
    route_handler handler;
};

/* clang-format off */
static const struct route routes[] = {
    { "POST", "/v1/payments",   true,  WK_ROLE_PAY, wk_payment_create },
    { "GET",  "/v1/payments",   true,  WK_ROLE_PAY, wk_payment_find },
    { "GET",  "/v1/payments/*", true,  WK_ROLE_PAY, wk_payment_read },
    { "POST", "/v1/payments/*/refunds", true, WK_ROLE_PAY, wk_refund_create },
    { "GET",  "/v1/refunds",    true,  WK_ROLE_PAY, wk_refund_find },
    { "GET",  "/v1/refunds/*",  true,  WK_ROLE_PAY, wk_refund_read },
    { "POST", "/v1/payments/*/close", true, WK_ROLE_PAY, wk_payment_close },
    { "GET",  "/v1/keys",       true,  0,           wk_keys_tell },
    { "POST", "/notify/*/*",    false, WK_ROLE_PAY, wk_notice_take },
    { "GET",  "/readyz",        false, 0,           wk_ready_tell },
};
/* clang-format on */

#define SEGMENT_LEN_MAX 64

static bool
path_matches(struct ph_str pattern, struct ph_str path,
             struct wk_route_match *match)
{
    struct ph_str want, have;
    size_t        stars = 0;

    while (ph_str_next(&pattern, '/', &want)) {
        if (!ph_str_next(&path, '/', &have)) {
            return false;
        }
        if (!ph_str_eq(want, PH_STR("*"))) {
            if (!ph_str_eq(want, have)) {
                return false;
            }
        } else if (!ph_str_is_token(have, SEGMENT_LEN_MAX)
                   || stars == PH_COUNT(match->star))
        {
            return false;
        } else {
            match->star[stars++] = have;
        }
    }
    return path.ptr == NULL; /* used up */
}

static void
allow_add(struct ph_buf *allow, const char *method)
{
    if (allow->len > 0) {
        ph_buf_add(allow, PH_STR(", "));
    }
    ph_buf_add(allow, ph_str_z(method));
}

static void
route_refuse_method(struct wk_request *request, struct ph_str allow)
{
    const struct ph_problem problem = { .error = PH_ERROR_METHOD };
    const struct wk_reply   more    = { .allow = allow };

    wk_reply_problem(request, PH_FRAME_RESULT, &problem, &more);
}

static bool
route_is_busy(struct wk_request *request, const struct route *route)
{
    struct wk_worker *worker = request->worker;
    size_t            most = (size_t) wk_conf(worker, PH_CONF_pay_max_inflight);

    if (route->handler == wk_ready_tell) {
        return false;
    }
    if (!worker->is_draining && (route->role & ~worker->roles) == 0
        && !wk_store_is_full(worker->store) && wk_server_place(request, most))
    {
        return false;
    }
    const struct ph_problem problem
        = { .error  = PH_ERROR_NOT_EXECUTED,
            .detail = PH_STR("this worker takes no more work now") };
    const struct wk_reply more = { .retry_after_s = 1 };

    wk_reply_problem(request, PH_FRAME_BUSY, &problem, &more);
    return true;
}

static void
route_on_nonce(struct wk_nonce *nonce)
{
    if (!wk_nonce_refuse(nonce->request)) {
        wk_route(nonce->request);
    }
}

/* A nonce is asked before an Idempotency-Key: a replay is told nothing.  The
 * create asks it by itself, together with its lock. */
static void
route_run(struct wk_request *request, const struct route *route,
          const struct wk_route_match *match)
{
    bool has_key = wk_idem_is_due(request);

    if (!request->nonce.is_known
        && (has_key || route->handler != wk_payment_create))
    {
        wk_nonce_ask(request, ph_str_make(NULL, 0), route_on_nonce, NULL);
    } else if (has_key) {
        wk_idem_ask(request, wk_route);
    } else {
        route->handler(request, match);
    }
}

void
wk_route(struct wk_request *request)
{
    char                  memory[64];
    struct ph_buf         allow = PH_BUF_INIT(memory);
    struct wk_route_match match = { 0 };

    if (request->key_id.len == 0
        && ph_str_starts(request->path, PH_STR("/v1/"))) {
        wk_reply_error(request, PH_ERROR_AUTH, "");
        return;
    }
    for (size_t i = 0; i < PH_COUNT(routes); i++) {
        const struct route *route = &routes[i];

        if (!path_matches(ph_str_z(route->path), request->path, &match)) {
            continue;
        }
        if (!ph_str_eq(ph_str_z(route->method), request->method)) {
            allow_add(&allow, route->method);
            continue;
        }
        if (!route_is_busy(request, route)) {
            route_run(request, route, &match);
        }
        return;
    }
    if (allow.len > 0) {
        route_refuse_method(request, ph_buf_str(&allow));
    } else {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
    }
}

/*
 * hook_endpoint.h - how much of us one receiver gets: deliveries at once to
 * one origin of one app, fewer while it is in trouble.
 *
 * The share begins at notify.max_per_endpoint, halves with each sign of trouble
 * (never below 1) and grows by one after as many deliveries that it took.  Only
 * endpoints that have something under way, waiting or lost are remembered.
 * @thread loop.  Pure: times are arguments.
 */
#ifndef WK_HOOK_ENDPOINT_H
#define WK_HOOK_ENDPOINT_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define WK_ENDPOINTS_MAX 4096
#define WK_ENDPOINT_FORGET_MS 600000 /* trouble that is this old is over */

struct wk_endpoints;
struct wk_endpoint;

struct wk_endpoints *wk_endpoints_new(void) PH_MUST_CHECK;
void                 wk_endpoints_free(struct wk_endpoints *endpoints);

/* NULL = no memory, or WK_ENDPOINTS_MAX are in use.  Held until let go. */
struct wk_endpoint *wk_endpoint_hold(struct wk_endpoints *endpoints,
                                     struct ph_str app_id, struct ph_str origin,
                                     unsigned most,
                                     uint64_t now_ms) PH_MUST_CHECK;
void wk_endpoint_let_go(struct wk_endpoint *endpoint, uint64_t now_ms);

bool wk_endpoint_has_place(const struct wk_endpoint *endpoint);
bool wk_endpoint_is_slow(const struct wk_endpoint *endpoint);

/* One delivery begins; has_place() said yes. */
void wk_endpoint_begin(struct wk_endpoint *endpoint);

/* It ended after ms. */
void wk_endpoint_end(struct wk_endpoint *endpoint, bool is_taken, bool is_slow,
                     uint64_t ms, uint64_t now_ms);

/* When one that found no place may come back: each call gives a later time,
 * as fast as the endpoint has been taking them. */
uint64_t wk_endpoint_pace_ms(struct wk_endpoint *endpoint, uint64_t now_ms);

/* all places that slow endpoints hold */
size_t wk_endpoints_slow_active(const struct wk_endpoints *endpoints);

unsigned wk_endpoint_share(const struct wk_endpoint *endpoint); /* for tests */

#endif

/*
 * route.h - which handler answers which method and path.
 */
#ifndef WK_ROUTE_H
#define WK_ROUTE_H

#include "worker/server.h"

/* Answers, now or later, exactly once. */
void wk_route(struct wk_request *request);

/* handlers, one a file; `tail` is what the pattern's stars matched */
struct wk_route_match {
    struct ph_str star[2];
};

void wk_payment_create(struct wk_request           *request,
                       const struct wk_route_match *match);
void wk_payment_read(struct wk_request           *request,
                     const struct wk_route_match *match);
void wk_payment_find(struct wk_request           *request,
                     const struct wk_route_match *match);
void wk_payment_close(struct wk_request           *request,
                      const struct wk_route_match *match);
void wk_keys_tell(struct wk_request           *request,
                  const struct wk_route_match *match);
void wk_refund_create(struct wk_request           *request,
                      const struct wk_route_match *match);
void wk_refund_read(struct wk_request           *request,
                    const struct wk_route_match *match);
void wk_refund_find(struct wk_request           *request,
                    const struct wk_route_match *match);
void wk_notice_take(struct wk_request           *request,
                    const struct wk_route_match *match);
void wk_ready_tell(struct wk_request           *request,
                   const struct wk_route_match *match);

#endif

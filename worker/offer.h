/*
 * offer.h - what the edge's route says of a payment, beside the worker's own
 * reading of it.
 *
 * The edge scans the body, the worker parses it.  A rule must not be got
 * around by a body that the two read in two ways, so the edge tells what it
 * read (field ROUTE_VIEW) and the worker takes the payment only when it read
 * the same.  Pure.
 */
#ifndef WK_OFFER_H
#define WK_OFFER_H

#include "worker/payment_request.h"

enum wk_offer {
    WK_OFFER_NONE = 0, /* the edge routes nothing, or no rule matches */
    WK_OFFER_LIST,     /* the candidates and no other account */
    WK_OFFER_OUT,      /* accounts could, but not now: try again */
    WK_OFFER_NOBODY,   /* the rule has no account for such a payment */
    WK_OFFER_DIFFERS   /* the edge read another payment than we do */
};

enum wk_offer wk_offer_read(struct ph_str                    frame_meta,
                            const struct wk_payment_request *asked);

#endif

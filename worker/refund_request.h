/*
 * refund_request.h - the body of POST /v1/payments/{id}/refunds as a checked
 * value.
 *
 * Pure, with the faults and their order as in payment_request.h.
 */
#ifndef WK_REFUND_REQUEST_H
#define WK_REFUND_REQUEST_H

#include "worker/request_body.h"

#define WK_REFUND_NO_MAX 64
#define WK_REFUND_REASON_MAX 256 /* characters */

struct wk_refund_request {
    struct ph_str refund_no;
    int64_t       amount; /* minor units of the payment's currency */
    struct ph_str reason; /* {NULL, 0} = none */
};

/* true = *out is filled; else *fault says which members and why */
bool wk_refund_request_parse(struct ph_str body, struct ph_arena *arena,
                             struct wk_refund_request *out,
                             struct wk_request_fault  *fault) PH_MUST_CHECK;

#endif

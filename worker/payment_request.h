/*
 * payment_request.h - the body of POST /v1/payments as a checked value.
 *
 * Pure: bytes in, a struct or a list of faulty members out.  Structure faults
 * (not JSON, twice, unknown, missing, wrong type) come before value faults;
 * all members with the first kind of fault are listed.  Texts are copies in
 * the arena.
 */
#ifndef WK_PAYMENT_REQUEST_H
#define WK_PAYMENT_REQUEST_H

#include "worker/request_body.h"

#define WK_ORDER_NO_MAX 64
#define WK_EXPIRES_S_MAX 604800
#define WK_EXPIRES_S_DEFAULT 7200

struct wk_payment_request {
    struct ph_str order_no;
    int64_t       amount;
    struct ph_str currency;
    struct ph_str method;
    struct ph_str subject;
    struct ph_str description; /* absent texts are {NULL, 0} */
    struct ph_str notify_url;
    struct ph_str return_url;
    struct ph_str client_ip;
    int64_t       expires_in_s;
    struct ph_str account;
    struct ph_str extra;    /* compact JSON object */
    struct ph_str metadata; /* compact JSON object */
};

struct wk_methods;

struct wk_request_rules {
    int64_t expires_min_s;
    bool    allow_loopback;           /* URLs may name loopback, any port */
    const struct wk_methods *methods; /* of loaded channels; NULL = none */
};

/* true = *out is filled; else *fault says which members and why */
bool wk_payment_request_parse(struct ph_str                  body,
                              const struct wk_request_rules *rules,
                              struct ph_arena               *arena,
                              struct wk_payment_request     *out,
                              struct wk_request_fault *fault) PH_MUST_CHECK;

/* exported for their unit tests */
const char *wk_url_check(struct ph_str url, bool allow_loopback);
bool        wk_has_card_number(struct ph_str text);

#endif

/*
 * list_query.h - the query of GET /v1/payments as a checked value, and those
 * of what is asked for by its number.
 *
 * Pure.  Values may be percent-encoded, names may not.  A cursor says where
 * the page before ended and of which list: eight bytes of the SHA-256 of app
 * and filters, so that it is not carried over to another list by mistake.
 */
#ifndef WK_LIST_QUERY_H
#define WK_LIST_QUERY_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/id.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/domain/error.h"

#define WK_LIST_LIMIT_MAX 100
#define WK_LIST_LIMIT_DEFAULT 20
#define WK_LIST_VALUES_MAX 16 /* of one filter */
#define WK_LIST_QUERY_MAX 4096
#define WK_LIST_CURSOR_LEN 47 /* characters */
#define WK_LIST_MARK_LEN 8    /* bytes of the filters' digest */

struct wk_list_values {
    struct ph_str value[WK_LIST_VALUES_MAX];
    size_t        count; /* 0 = all */
};

struct wk_list_query {
    struct ph_str         order_no; /* {NULL, 0} = a list */
    bool                  is_sync;  /* only with order_no */
    struct wk_list_values statuses;
    struct wk_list_values methods;
    struct wk_list_values channels;
    struct wk_list_values accounts;
    uint64_t              from_ms; /* 0 = since ever; inclusive */
    uint64_t              to_ms;   /* 0 = until now; exclusive */
    size_t                limit;
    struct ph_str         before_id; /* {NULL, 0} = from the newest */

    uint8_t mark[WK_LIST_MARK_LEN];
    char    cursor_id[PH_ID_LEN];
    char    memory[WK_LIST_QUERY_MAX]; /* what the texts are views of */
    size_t  memory_len;
};

struct wk_query_fault {
    enum ph_error error;
    char          detail[192]; /* NUL-terminated */
};

struct wk_methods; /* of loaded channels; NULL = none */

/* true = *out is filled; else *fault says which parameter and why */
bool wk_list_query_parse(struct ph_str query, struct ph_str app_id,
                         const struct wk_methods *methods,
                         struct wk_list_query    *out,
                         struct wk_query_fault   *fault) PH_MUST_CHECK;

/* Appends the cursor of a page that ended with this id. */
void wk_list_cursor(struct ph_buf *buf, const struct wk_list_query *query,
                    struct ph_str id);

/* "sync=true" alone, or nothing; false = *fault */
bool wk_sync_query_parse(struct ph_str query, bool *is_sync,
                         struct wk_query_fault *fault) PH_MUST_CHECK;

/* "refund_no=..." with or without sync; *refund_no is a view of the query */
bool wk_refund_query_parse(struct ph_str query, struct ph_str *refund_no,
                           bool                  *is_sync,
                           struct wk_query_fault *fault) PH_MUST_CHECK;

#endif

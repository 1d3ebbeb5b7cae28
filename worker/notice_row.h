/*
 * notice_row.h - a channel's notice as it is kept, and taken once, in the
 * commit of what it did.
 */
#ifndef WK_NOTICE_ROW_H
#define WK_NOTICE_ROW_H

#include "worker/batch.h"

struct wk_notice_row {
    struct ph_str id; /* E... */
    struct ph_str channel;
    struct ph_str account_id;
    struct ph_str notice_id; /* the channel's; plain, as judge.h says it */
    struct ph_str headers;   /* JSON object */
    struct ph_str body;

    /* private */
    struct ph_str attempt_id;
    struct ph_str verdict;
    uint64_t      created_at_ms;
};

enum wk_notice_verdict {
    WK_NOTICE_IGNORED = 0, /* it did nothing, and may do so again */
    WK_NOTICE_REPEATED,
    WK_NOTICE_APPLIED,
    WK_NOTICE_CONFLICT
};

/* Asks whether it was here before and did something. */
void wk_notice_want(struct wk_batch *batch, const struct wk_notice_row *notice,
                    struct wk_want *want);

/* about: the attempt or refund that it names, as an id */
bool wk_notice_plan(struct wk_batch *batch, struct wk_notice_row *notice,
                    struct ph_str          about,
                    enum wk_notice_verdict verdict) PH_MUST_CHECK;

#endif

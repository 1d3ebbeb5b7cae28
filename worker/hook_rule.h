/*
 * hook_rule.h - what an answer to a webhook means and when the next try is due;
 * the parts of a notify URL.  Pure.
 */
#ifndef WK_HOOK_RULE_H
#define WK_HOOK_RULE_H

#include "channels/channel.h"
#include "libpayhub/base/conf.h"

#define WK_HOOK_RETRY_AFTER_MAX_MS (24 * 3600 * 1000) /* longer is cut */

enum wk_hook_verdict {
    WK_HOOK_LATER = 0, /* again at due_ms */
    WK_HOOK_TAKEN,     /* 2xx */
    WK_HOOK_DEAD       /* 410, or the schedule is used up */
};

struct wk_hook_next {
    enum wk_hook_verdict verdict;
    uint64_t             due_ms;  /* of LATER */
    bool                 is_slow; /* the receiver is in trouble: less at once */
};

/*
 * status: of HTTP, 0 = no whole answer; tries: deliveries before this one;
 * headers: the answer's.  The longer of schedule and Retry-After counts.
 */
struct wk_hook_next wk_hook_judge(const struct ph_conf *conf, unsigned status,
                                  const struct ph_channel_header *headers,
                                  size_t header_count, int64_t tries,
                                  uint64_t now_ms);

/* Seconds or an HTTP date to ms from now, 0 = none that can be read. */
uint64_t wk_hook_retry_after_ms(struct ph_str value, uint64_t now_ms);

/* "https://host:port" of a checked URL, as its text begins */
struct ph_str wk_hook_origin(struct ph_str url);

/* Appends what stands in the request line: path and query, at least "/". */
void wk_hook_target(struct ph_buf *buf, struct ph_str url);

#endif

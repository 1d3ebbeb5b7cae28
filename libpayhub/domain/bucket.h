/*
 * bucket.h - token buckets by the formulas of Guava's RateLimiter.
 *
 * SmoothBursty is one 64-bit word, SmoothWarmingUp is 16 bytes; both are kept
 * by compare-and-swap, so that no lock is held and a process that dies in the
 * middle leaves either the old state or the new one.  As in Guava the debt of
 * a large request is paid by those who come after it.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, given by the caller: one clock
 * read serves all buckets of a request.  A state of all zero bits is a bucket
 * that has been idle for ever.  Any thread, any process.
 */
#ifndef PH_DOMAIN_BUCKET_H
#define PH_DOMAIN_BUCKET_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define PH_RATE_TOKENS_MAX UINT64_C(1000000000) /* a second */
#define PH_RATE_PER_NS_MAX UINT64_C(86400000000000) /* a day */
#define PH_BURST_TOKENS_MAX UINT64_C(1000000000)
#define PH_COST_MAX UINT64_C(1000000)

enum ph_bucket_kind { PH_BUCKET_BURSTY, PH_BUCKET_WARMUP };

/* `tokens` in every `per_ns`: 100/s, 7/m, 1/h, 1000/d */
struct ph_rate {
    uint64_t tokens;
    uint64_t per_ns;
};

/* what a person writes */
struct ph_bucket_spec {
    enum ph_bucket_kind kind;
    struct ph_rate      rate;
    uint64_t            burst_tokens; /* 0: burst_ns counts */
    uint64_t            burst_ns;     /* tokens of so long; Guava's maxBurst */
    uint64_t            warmup_ns;    /* of PH_BUCKET_WARMUP */
};

/* what the arithmetic needs, made once a change; opaque to callers */
struct ph_bucket_rule {
    struct ph_bucket_spec spec;
    uint64_t              words[14];
};

struct ph_bucket_answer {
    uint64_t wait_ns;   /* until the tokens could be had; 0 = at once */
    uint64_t remaining; /* whole tokens left at once, after a grant */
    uint64_t full_ns;   /* until the bucket is full again if nobody asks */
};

/* "100/s", "7r/m", "1/h"; also "100" = a second.  PH_E_SYNTAX, PH_E_RANGE */
enum ph_rc ph_rate_parse(struct ph_str text, struct ph_rate *out) PH_MUST_CHECK;

enum ph_rc ph_bucket_rule_make(struct ph_bucket_rule       *rule,
                               const struct ph_bucket_spec *spec) PH_MUST_CHECK;

#endif

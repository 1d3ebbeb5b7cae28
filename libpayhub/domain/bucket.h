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
 * that has been idle for ever, hence full; Guava's own bursty limiter starts
 * empty when it is made.  Any thread, any process.
 *
 * Arithmetic.  Inside, time runs in ticks of which a token is exactly
 * 2^token_bits, 8 to 16 of them a ns.  So grants are whole numbers and never
 * rounded; only the clock is converted, and that from its absolute value each
 * time, so that no error adds up however long a bucket lives.  See
 * docs/decisions/0051.
 */
#ifndef PH_DOMAIN_BUCKET_H
#define PH_DOMAIN_BUCKET_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define PH_RATE_TOKENS_MAX UINT64_C(1000000000)     /* a second */
#define PH_RATE_PER_NS_MAX UINT64_C(86400000000000) /* a day */
#define PH_BURST_TOKENS_MAX UINT64_C(1000000000)
#define PH_COST_MAX UINT64_C(1000000)
#define PH_WARMUP_NS_MIN UINT64_C(1000)
#define PH_WARMUP_NS_MAX PH_RATE_PER_NS_MAX
/* the longest burst, wait and uptime: 9 years; debts end at 18 */
#define PH_BUCKET_NS_MAX (UINT64_C(1) << 58)

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

    uint64_t ticks_q60; /* ticks in a ns, 60 bits of fraction; [8, 16) */
    uint64_t ns_q66;    /* ns in a tick, 66 bits of fraction */
    uint64_t span;      /* stored when full; warm-up: in fine ticks */
    uint64_t inverse;   /* warm-up: 2^120 / (span / 2) */
    uint32_t token_bits;
    uint32_t fine_bits; /* warm-up: a tick is 2^fine_bits fine ones */
};

/* bursty: `lack` is not used, `at` = next free time - stored */
struct ph_bucket_state {
    uint64_t at;   /* warm-up: next free time + what being cold still costs */
    uint64_t lack; /* warm-up: fine ticks of stored tokens that are missing,
                      then the part of `at` below a tick;
                      < 2^PH_BUCKET_LACK_BITS */
};

#define PH_BUCKET_LACK_BITS 59

struct ph_bucket_answer {
    uint64_t wait_ns;   /* until the tokens could be had; 0 = at once */
    uint64_t remaining; /* requests for one token that would be granted at
                           once, after this one; a bucket full of n tokens
                           grants n + 1, the last on credit, as Guava's */
    uint64_t full_ns;   /* until the bucket is full again if nobody asks */
};

/* "100/s", "7r/m", "1/h"; also "100" = a second.  PH_E_SYNTAX, PH_E_RANGE */
enum ph_rc ph_rate_parse(struct ph_str text, struct ph_rate *out) PH_MUST_CHECK;

/*
 * The rate, and a burst of tokens (at least one), by / of times what they are;
 * both 1..PH_BUCKET_TIMES_MAX.  The rate is exact where that can be written,
 * else less by a ns a day at most.  PH_E_RANGE: less than a token a day, or
 * more than ph_bucket_rule_make() takes.
 */
#define PH_BUCKET_TIMES_MAX UINT64_C(1000000)
enum ph_rc ph_bucket_spec_times(struct ph_bucket_spec *spec, uint64_t by,
                                uint64_t of) PH_MUST_CHECK;

/*
 * PH_E_RANGE: a rate of no tokens or above PH_RATE_TOKENS_MAX a second, a
 * period above PH_RATE_PER_NS_MAX, a burst above PH_BURST_TOKENS_MAX or
 * PH_BUCKET_NS_MAX, a warm-up outside its bounds.  Burst 0 = none: tokens
 * are never stored.
 */
enum ph_rc ph_bucket_rule_make(struct ph_bucket_rule       *rule,
                               const struct ph_bucket_spec *spec) PH_MUST_CHECK;

/*
 * Takes `cost` tokens when they can be had within wait_max_ns, and is true;
 * else leaves *state alone.  cost 1..PH_COST_MAX, beyond is cut.
 */
bool ph_bucket_take(const struct ph_bucket_rule *rule,
                    struct ph_bucket_state *state, uint64_t cost,
                    uint64_t now_ns, uint64_t wait_max_ns,
                    struct ph_bucket_answer *answer);

/* Gives a grant back.  Warm-up: tokens that had emptied the store stay lost. */
void ph_bucket_give(const struct ph_bucket_rule *rule,
                    struct ph_bucket_state *state, uint64_t cost);

/* no different from a state of zero bits */
bool ph_bucket_is_full(const struct ph_bucket_rule *rule,
                       struct ph_bucket_state state, uint64_t now_ns);

/*
 * Guava's setRate at `at_ns`: stored tokens grow or shrink with the most that
 * can be stored, a debt stays.  Both rules are of one kind.
 */
struct ph_bucket_state ph_bucket_convert(const struct ph_bucket_rule *from,
                                         const struct ph_bucket_rule *to,
                                         struct ph_bucket_state       state,
                                         uint64_t                     at_ns);

/* nothing stored, no debt: what stands for a state that cannot be read */
struct ph_bucket_state ph_bucket_drained(const struct ph_bucket_rule *rule,
                                         uint64_t                     now_ns);

#endif

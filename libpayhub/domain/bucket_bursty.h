/*
 * bucket_bursty.h - inside bucket and limit_table: ticks, and the take of a
 * SmoothBursty bucket, which is one decision's whole arithmetic and therefore
 * stands in its caller.
 */
#ifndef PH_DOMAIN_BUCKET_BURSTY_H
#define PH_DOMAIN_BUCKET_BURSTY_H

#include "libpayhub/domain/bucket.h"

__extension__ typedef unsigned __int128 ph_bucket_u128;

/* So that a state of zero bits lies a whole PH_BUCKET_NS_MAX back at boot. */
#define PH_BUCKET_EPOCH_NS PH_BUCKET_NS_MAX
/* half a ns at most, more than what conversion of a time may be off */
#define PH_BUCKET_SLACK_TICKS 4

static inline uint64_t
ph_bucket_ticks_at(const struct ph_bucket_rule *rule, uint64_t now_ns)
{
    uint64_t ns = now_ns < PH_BUCKET_NS_MAX ? now_ns : PH_BUCKET_NS_MAX;

    return (
        uint64_t) (((ph_bucket_u128) (ns + PH_BUCKET_EPOCH_NS) * rule->ticks_q60
                    + ((ph_bucket_u128) 1 << 59))
                   >> 60);
}

/* to the nearest: what is less than half a ns is no wait */
static inline uint64_t
ph_bucket_ticks_to_ns(const struct ph_bucket_rule *rule, uint64_t ticks)
{
    return (uint64_t) (((ph_bucket_u128) ticks * rule->ns_q66
                        + ((ph_bucket_u128) 1 << 65))
                       >> 66);
}

static inline uint64_t
ph_bucket_add(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t
ph_bucket_cost(const struct ph_bucket_rule *rule, uint64_t cost)
{
    uint64_t tokens = cost < PH_COST_MAX ? cost : PH_COST_MAX;

    return tokens > UINT64_MAX >> rule->token_bits ? UINT64_MAX
                                                   : tokens << rule->token_bits;
}

static inline __attribute__((always_inline)) bool
ph_bucket_take_bursty(const struct ph_bucket_rule *rule,
                      struct ph_bucket_state *state, uint64_t cost,
                      uint64_t now_ns, uint64_t wait_max_ns,
                      struct ph_bucket_answer *answer)
{
    uint64_t now   = ph_bucket_ticks_at(rule, now_ns);
    uint64_t floor = now - rule->span; /* PH_BUCKET_EPOCH_NS keeps it above 0 */
    uint64_t at    = state->at;

    answer->wait_ns   = 0;
    answer->remaining = 0;
    if (at > now) {
        answer->wait_ns = ph_bucket_ticks_to_ns(rule, at - now);
        if (answer->wait_ns > wait_max_ns) {
            answer->full_ns = ph_bucket_ticks_to_ns(rule, at - floor);
            return false;
        }
    }
    at = ph_bucket_add(at > floor ? at : floor, ph_bucket_cost(rule, cost));
    if (at <= now + PH_BUCKET_SLACK_TICKS) {
        answer->remaining
            = ((now + PH_BUCKET_SLACK_TICKS - at) >> rule->token_bits) + 1;
    }
    answer->full_ns = ph_bucket_ticks_to_ns(rule, at - floor);
    state->at       = at;
    return true;
}

#endif

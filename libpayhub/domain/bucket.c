/*
 * bucket.c
 *
 * Warm-up with Guava's cold factor 3.  A span of stored tokens worth the
 * warm-up time; the upper half of it is cold: taking v of it down to v - a
 * costs G(v) - G(v-a) beyond the usual interval a token, G(v) = 2v^2/span.
 * The state holds not the next free time F but H = F + G(v): a take of n
 * tokens then is H + n and v - n, whole numbers, whatever is cold.  H is kept
 * to an eighth of a tick, in bits that the word of the store has to spare.
 */
#include "libpayhub/domain/bucket_bursty.h"

typedef ph_bucket_u128         u128;
__extension__ typedef __int128 s128;

#define TICKS_PER_NS_MIN 8
#define PART_BITS 3 /* of H, below a tick; the store's are fewer by so many */
#define SPAN_BITS (PH_BUCKET_LACK_BITS - PART_BITS)

/* -- rates as texts ---------------------------------------------------------
 */

enum ph_rc
ph_rate_parse(struct ph_str text, struct ph_rate *out)
{
    static const struct {
        struct ph_str unit;
        uint64_t      ns;
    } units[] = {
        { PH_STR_INIT("s"), UINT64_C(1000000000) },
        { PH_STR_INIT("m"), UINT64_C(60000000000) },
        { PH_STR_INIT("h"), UINT64_C(3600000000000) },
        { PH_STR_INIT("d"), UINT64_C(86400000000000) },
    };
    struct ph_str  number = text, unit = PH_STR("s");
    struct ph_rate rate = { 0, 0 };

    if (ph_str_cut(text, '/', &number, &unit) && number.len > 0
        && number.ptr[number.len - 1] == 'r')
    {
        number.len--;
    }
    for (size_t i = 0; i < PH_COUNT(units); i++) {
        if (ph_str_eq(unit, units[i].unit)) {
            rate.per_ns = units[i].ns;
        }
    }
    if (rate.per_ns == 0) {
        return PH_E_SYNTAX;
    }
    if (!ph_str_u64(number, UINT64_MAX, &rate.tokens)) {
        return PH_E_SYNTAX;
    }
    /* a token a ns at most, so the product below cannot overflow */
    if (rate.tokens == 0 || rate.tokens > rate.per_ns) {
        return PH_E_RANGE;
    }
    *out = rate;
    return PH_OK;
}

/* Both without what divides both. */
static void
reduce(uint64_t *a, uint64_t *b)
{
    uint64_t x = *a, y = *b;

    while (y != 0) {
        uint64_t rest = x % y;

        x = y;
        y = rest;
    }
    *a /= x;
    *b /= x;
}

enum ph_rc
ph_bucket_spec_times(struct ph_bucket_spec *spec, uint64_t by, uint64_t of)
{
    uint64_t tokens = spec->rate.tokens, per = spec->rate.per_ns;
    uint64_t more = by, less = of;

    if (by == 0 || of == 0 || by > PH_BUCKET_TIMES_MAX
        || of > PH_BUCKET_TIMES_MAX || tokens == 0 || tokens > per
        || per > PH_RATE_PER_NS_MAX)
    {
        return PH_E_RANGE;
    }
    reduce(&more, &less);
    reduce(&tokens, &less);
    if ((u128) per * less > PH_RATE_PER_NS_MAX) {
        reduce(&more, &per); /* else people keep the time that they wrote */
    }
    u128 top = (u128) tokens * more, base = (u128) per * less;
    if (base > PH_RATE_PER_NS_MAX) {
        /* as many whole tokens as a day gives, in their time, rounded up */
        u128 whole = top * PH_RATE_PER_NS_MAX / base;

        if (whole == 0) {
            return PH_E_RANGE;
        }
        base = (base * whole + top - 1) / top;
        top  = whole;
    }
    if (top > base) {
        return PH_E_RANGE;
    }
    u128 burst = (u128) spec->burst_tokens * by / of;
    if (burst > PH_BURST_TOKENS_MAX) {
        return PH_E_RANGE;
    }
    spec->rate = (struct ph_rate){ (uint64_t) top, (uint64_t) base };
    if (spec->burst_tokens != 0) {
        spec->burst_tokens = burst != 0 ? (uint64_t) burst : 1;
    }
    return PH_OK;
}

/* -- rules -------------------------------------------------------------------
 */

/* ns * ticks a ns, to the nearest */
static uint64_t
rule_ticks(const struct ph_bucket_rule *rule, uint64_t ns, uint32_t fine_bits)
{
    uint64_t per = rule->spec.rate.per_ns;
    u128     top = (u128) rule->spec.rate.tokens << rule->token_bits;

    return (uint64_t) ((((u128) ns * top << fine_bits) + per / 2) / per);
}

static enum ph_rc
rule_make_burst(struct ph_bucket_rule *rule)
{
    const struct ph_bucket_spec *spec = &rule->spec;
    uint64_t                     most = rule_ticks(rule, PH_BUCKET_NS_MAX, 0);

    if (spec->burst_tokens > PH_BURST_TOKENS_MAX
        || spec->burst_ns > PH_BUCKET_NS_MAX)
    {
        return PH_E_RANGE;
    }
    if (spec->burst_tokens == 0) {
        rule->span = rule_ticks(rule, spec->burst_ns, 0);
        if (rule->span > most - 1) {
            rule->span = most - 1; /* rounded beyond the epoch */
        }
        return PH_OK;
    }
    u128 span = (u128) spec->burst_tokens << rule->token_bits;
    if (span > most) {
        return PH_E_RANGE;
    }
    rule->span = (uint64_t) span;
    return PH_OK;
}

static enum ph_rc
rule_make_warmup(struct ph_bucket_rule *rule)
{
    uint64_t ns = rule->spec.warmup_ns;

    if (ns < PH_WARMUP_NS_MIN || ns > PH_WARMUP_NS_MAX) {
        return PH_E_RANGE;
    }
    /* a span of SPAN_BITS bits, whatever its length: fine ticks */
    uint64_t ticks  = rule_ticks(rule, ns, 0);
    rule->fine_bits = (uint32_t) (__builtin_clzll(ticks) - (64 - SPAN_BITS));
    rule->span      = rule_ticks(rule, ns, rule->fine_bits);
    if (rule->span >> SPAN_BITS != 0) {
        rule->span--; /* rounded up to a power of two */
    }
    rule->inverse
        = (uint64_t) (((u128) 1 << (SPAN_BITS + 61)) / (rule->span / 2));
    return PH_OK;
}

enum ph_rc
ph_bucket_rule_make(struct ph_bucket_rule       *rule,
                    const struct ph_bucket_spec *spec)
{
    uint64_t per = spec->rate.per_ns;

    if (spec->rate.tokens == 0 || spec->rate.tokens > per
        || per > PH_RATE_PER_NS_MAX)
    {
        return PH_E_RANGE;
    }
    *rule = (struct ph_bucket_rule){ .spec = *spec };
    while (spec->rate.tokens << rule->token_bits < TICKS_PER_NS_MIN * per) {
        rule->token_bits++;
    }
    u128 top        = (u128) spec->rate.tokens << rule->token_bits;
    rule->ticks_q60 = (uint64_t) (((top << 60) + per / 2) / per);
    rule->ns_q66    = (uint64_t) ((((u128) per << 66) + top / 2) / top);
    return spec->kind == PH_BUCKET_WARMUP ? rule_make_warmup(rule)
                                          : rule_make_burst(rule);
}

/* -- time --------------------------------------------------------------------
 */

/* A time in the ticks of another rule, to the nearest. */
static uint64_t
debt_ticks(const struct ph_bucket_rule *from, const struct ph_bucket_rule *to,
           uint64_t ticks)
{
    /* 2^60 ticks are at most 2^57 ns: six bits of fraction fit */
    uint32_t bits = ticks >> 60 != 0 ? 2 : 6;
    u128     ns   = ((u128) ticks * from->ns_q66 + ((u128) 1 << (65 - bits)))
              >> (66 - bits);
    u128 there
        = (ns * to->ticks_q60 + ((u128) 1 << (59 + bits))) >> (60 + bits);

    return there > UINT64_MAX ? UINT64_MAX : (uint64_t) there;
}

/* -- bursty ------------------------------------------------------------------
 */

static struct ph_bucket_state
bursty_convert(const struct ph_bucket_rule *from,
               const struct ph_bucket_rule *to, struct ph_bucket_state state,
               uint64_t at_ns)
{
    uint64_t now  = ph_bucket_ticks_at(from, at_ns),
             then = ph_bucket_ticks_at(to, at_ns);

    if (state.at > now) {
        return (struct ph_bucket_state){
            ph_bucket_add(then, debt_ticks(from, to, state.at - now)), 0
        };
    }
    uint64_t stored = now - state.at;
    if (stored >= from->span) {
        /* Guava: of no room at all nothing is stored */
        stored = from->span == 0 ? 0 : to->span;
    } else {
        stored = (uint64_t) (((u128) stored * to->span + from->span / 2)
                             / from->span);
    }
    return (struct ph_bucket_state){ then - stored, 0 };
}

/* -- warm-up -----------------------------------------------------------------
 */

/* Stored tokens and the next free time, in fine ticks. */
struct warm {
    s128     free;
    uint64_t stored;
};

static inline u128
warm_ticks_at(const struct ph_bucket_rule *rule, uint64_t now_ns)
{
    uint64_t ns   = now_ns < PH_BUCKET_NS_MAX ? now_ns : PH_BUCKET_NS_MAX;
    uint32_t bits = 60 - rule->fine_bits;

    return ((u128) (ns + PH_BUCKET_EPOCH_NS) * rule->ticks_q60
            + ((u128) 1 << (bits - 1)))
           >> bits;
}

static inline uint64_t
warm_lack(struct ph_bucket_state state)
{
    return state.lack >> PART_BITS;
}

/* with the part of H that is there */
static inline uint64_t
warm_lack_set(struct ph_bucket_state state, uint64_t lack)
{
    return lack << PART_BITS | (state.lack & ((1U << PART_BITS) - 1));
}

static inline uint64_t
warm_cold(const struct ph_bucket_rule *rule, uint64_t stored)
{
    uint64_t half = rule->span / 2, warm = rule->span - half;

    return stored > warm ? stored - warm : 0;
}

/* cold / half, 62 bits of fraction */
static inline uint64_t
warm_share(const struct ph_bucket_rule *rule, uint64_t cold)
{
    return (uint64_t) ((u128) (cold << (65 - SPAN_BITS)) * rule->inverse >> 64);
}

/* what taking all that is cold costs beyond the tokens' intervals */
static inline uint64_t
warm_extra(const struct ph_bucket_rule *rule, uint64_t cold)
{
    return (uint64_t) ((u128) cold * warm_share(rule, cold) >> 62);
}

static struct warm
warm_read(const struct ph_bucket_rule *rule, struct ph_bucket_state state)
{
    struct warm warm;
    uint64_t    lack = warm_lack(state);
    uint64_t    part = state.lack & ((1U << PART_BITS) - 1);

    warm.stored = lack < rule->span ? rule->span - lack : 0;
    warm.free   = (s128) (((u128) state.at << rule->fine_bits)
                        + (part << (rule->fine_bits - PART_BITS)))
                - warm_extra(rule, warm_cold(rule, warm.stored));
    return warm;
}

/* Guava's resync(): time past the next free one becomes stored tokens. */
static bool
warm_refill(const struct ph_bucket_rule *rule, struct warm *warm, s128 now)
{
    if (warm->free >= now) {
        return false;
    }
    s128 stored  = warm->stored + (now - warm->free);
    warm->stored = stored < rule->span ? (uint64_t) stored : rule->span;
    warm->free   = now;
    return true;
}

/*
 * H must be whole eighths of a tick.  What is cut off it is taken off the free
 * time and off the stored tokens alike, so that their difference, on which all
 * that follows depends, stays: cold' + G(cold') = cold + G(cold) - cut, by one
 * step of Newton's.
 */
static struct ph_bucket_state
warm_write(const struct ph_bucket_rule *rule, struct warm warm)
{
    uint64_t cold = warm_cold(rule, warm.stored);
    u128     h    = (u128) warm.free + warm_extra(rule, cold);
    uint32_t bits = rule->fine_bits - PART_BITS;
    uint64_t cut  = (uint64_t) h & ((UINT64_C(1) << bits) - 1);
    uint64_t part = (uint64_t) (h >> bits) & ((1U << PART_BITS) - 1);

    if (cold > 0 && cut > 0) {
        uint32_t spare = bits > 34 ? bits - 34 : 0;
        uint64_t slope = (UINT64_C(1) << 30) + (warm_share(rule, cold) >> 31);
        uint64_t step  = ((cut >> spare << 30) + slope / 2) / slope << spare;

        warm.stored -= step < cold ? step : cold;
    }
    return (struct ph_bucket_state){ h >> rule->fine_bits > UINT64_MAX
                                         ? UINT64_MAX
                                         : (uint64_t) (h >> rule->fine_bits),
                                     (rule->span - warm.stored) << PART_BITS
                                         | part };
}

static bool
warm_take(const struct ph_bucket_rule *rule, struct ph_bucket_state *state,
          uint64_t cost, uint64_t now_ns, uint64_t wait_max_ns,
          struct ph_bucket_answer *answer)
{
    u128        now  = warm_ticks_at(rule, now_ns);
    u128        half = ((u128) 1 << rule->fine_bits) / 2;
    struct warm warm = warm_read(rule, *state);
    uint64_t    debt = 0;

    answer->wait_ns   = 0;
    answer->remaining = 0;
    if (warm.free > (s128) now) {
        debt = (uint64_t) (((u128) warm.free - now + half) >> rule->fine_bits);
        answer->wait_ns = ph_bucket_ticks_to_ns(rule, debt);
        if (answer->wait_ns > wait_max_ns) {
            answer->full_ns = ph_bucket_ticks_to_ns(
                rule, ph_bucket_add(debt, (rule->span - warm.stored)
                                              >> rule->fine_bits));
            return false;
        }
    }
    if (warm_refill(rule, &warm, (s128) now)) {
        *state      = warm_write(rule, warm);
        warm.stored = rule->span - warm_lack(*state);
    }

    uint64_t ticks = ph_bucket_cost(rule, cost);
    u128     fine  = (u128) ticks << rule->fine_bits;
    warm.stored    = warm.stored > fine ? warm.stored - (uint64_t) fine : 0;
    state->at      = ph_bucket_add(state->at, ticks);
    state->lack    = warm_lack_set(*state, rule->span - warm.stored);

    warm            = warm_read(rule, *state);
    debt            = warm.free > (s128) now
                          ? (uint64_t) (((u128) warm.free - now) >> rule->fine_bits)
                          : 0;
    answer->full_ns = ph_bucket_ticks_to_ns(
        rule, ph_bucket_add(debt, warm_lack(*state) >> rule->fine_bits));
    return true;
}

static struct ph_bucket_state
warm_convert(const struct ph_bucket_rule *from, const struct ph_bucket_rule *to,
             struct ph_bucket_state state, uint64_t at_ns)
{
    s128        now  = (s128) warm_ticks_at(from, at_ns);
    u128        then = warm_ticks_at(to, at_ns);
    u128        half = ((u128) 1 << from->fine_bits) / 2;
    struct warm warm = warm_read(from, state);

    (void) warm_refill(from, &warm, now);
    u128 debt   = ((u128) (warm.free - now) + half) >> from->fine_bits;
    warm.free   = (s128) (then
                        + ((u128) debt_ticks(from, to, (uint64_t) debt)
                           << to->fine_bits));
    warm.stored = warm.stored == from->span
                      ? to->span
                      : (uint64_t) ((u128) warm.stored * to->span / from->span);
    return warm_write(to, warm);
}

/* -- either ------------------------------------------------------------------
 */

bool
ph_bucket_take(const struct ph_bucket_rule *rule, struct ph_bucket_state *state,
               uint64_t cost, uint64_t now_ns, uint64_t wait_max_ns,
               struct ph_bucket_answer *answer)
{
    return rule->spec.kind == PH_BUCKET_BURSTY
               ? ph_bucket_take_bursty(rule, state, cost, now_ns, wait_max_ns,
                                       answer)
               : warm_take(rule, state, cost, now_ns, wait_max_ns, answer);
}

void
ph_bucket_give(const struct ph_bucket_rule *rule, struct ph_bucket_state *state,
               uint64_t cost)
{
    uint64_t ticks = ph_bucket_cost(rule, cost);

    state->at -= ticks < state->at ? ticks : state->at;
    if (rule->spec.kind == PH_BUCKET_WARMUP && warm_lack(*state) < rule->span) {
        uint64_t lack = warm_lack(*state);
        u128     fine = (u128) ticks << rule->fine_bits;

        state->lack
            = warm_lack_set(*state, fine < lack ? lack - (uint64_t) fine : 0);
    }
}

bool
ph_bucket_is_full(const struct ph_bucket_rule *rule,
                  struct ph_bucket_state state, uint64_t now_ns)
{
    if (rule->spec.kind == PH_BUCKET_BURSTY) {
        return state.at <= ph_bucket_ticks_at(rule, now_ns) - rule->span;
    }
    struct warm warm = warm_read(rule, state);
    return warm.free + (s128) warm_lack(state)
           <= (s128) warm_ticks_at(rule, now_ns);
}

struct ph_bucket_state
ph_bucket_convert(const struct ph_bucket_rule *from,
                  const struct ph_bucket_rule *to, struct ph_bucket_state state,
                  uint64_t at_ns)
{
    return from->spec.kind == PH_BUCKET_BURSTY
               ? bursty_convert(from, to, state, at_ns)
               : warm_convert(from, to, state, at_ns);
}

struct ph_bucket_state
ph_bucket_drained(const struct ph_bucket_rule *rule, uint64_t now_ns)
{
    return (struct ph_bucket_state){ ph_bucket_ticks_at(rule, now_ns),
                                     rule->spec.kind == PH_BUCKET_WARMUP
                                         ? rule->span << PART_BITS
                                         : 0 };
}

/*
 * limit_rules.c - which settings hold for a key, and what becomes of a state
 * that was kept under others.
 *
 * The last PH_LIMIT_RULES base settings stay, each with its beginning; a
 * temporary one is followed at once by the lasting one with a beginning by the
 * wall clock, so that it ends with nobody there to end it.
 */
#include "libpayhub/domain/limit_cell.h"

#define NS_PER_S UINT64_C(1000000000)

/* A wall-clock second on the scale of the monotonic clock, 0 at the lowest. */
static uint64_t
moment_ns(struct ph_limit_moment moment, int64_t at_s)
{
    if (at_s >= moment.now_s) {
        uint64_t ahead = (uint64_t) at_s - (uint64_t) moment.now_s;

        return ahead < PH_BUCKET_NS_MAX / NS_PER_S
                   ? moment.now_ns + ahead * NS_PER_S
                   : UINT64_MAX;
    }
    uint64_t ago = (uint64_t) moment.now_s - (uint64_t) at_s;
    return ago < moment.now_ns / NS_PER_S ? moment.now_ns - ago * NS_PER_S : 0;
}

static inline const struct ph_limit_base *
base_of(const struct ph_limit_table *table, uint64_t number)
{
    return &table->bases[number % PH_LIMIT_RULES];
}

static uint64_t
base_begin(const struct ph_limit_table *table, uint64_t number,
           struct ph_limit_moment moment)
{
    const struct ph_limit_base *base = base_of(table, number);
    uint64_t at = base->starts_s == 0 ? 0 : moment_ns(moment, base->starts_s);

    return at > base->since_ns ? at : base->since_ns;
}

struct ph_limit_own *
ph_limit_own_find(const struct ph_limit_table *table, uint64_t tag)
{
    struct ph_limit_own *owns = ph_limit_owns(table);

    for (uint64_t i = 0; i < PH_LIMIT_PROBES && i < table->owns; i++) {
        struct ph_limit_own *own = &owns[((tag >> 20) + i) & (table->owns - 1)];
        uint64_t             hi  = __atomic_load_n(&own->hi, __ATOMIC_ACQUIRE);

        if (hi == 0) {
            return NULL;
        }
        if ((hi & ~PH_LIMIT_GEN) == tag) {
            return own;
        }
    }
    return NULL;
}

bool
ph_limit_want(const struct ph_limit_table *table, uint64_t tag,
              struct ph_limit_moment moment, struct ph_limit_want *want)
{
    want->top = __atomic_load_n(&table->top, __ATOMIC_ACQUIRE);
    want->own = NULL;
    if (want->top == 0) {
        return false;
    }
    want->base = want->top;
    if (base_of(table, want->top)->starts_s > moment.now_s) {
        want->base--;
    }
    want->rule = &base_of(table, want->base)->rule;
    want->gen  = (uint32_t) (want->base % PH_LIMIT_RULES);
    if (tag == 0 || __atomic_load_n(&table->own_any, __ATOMIC_ACQUIRE) == 0) {
        return true;
    }
    struct ph_limit_own *own = ph_limit_own_find(table, tag);
    if (own == NULL) {
        return true;
    }
    want->own     = own;
    want->own_hi  = __atomic_load_n(&own->hi, __ATOMIC_ACQUIRE);
    want->version = __atomic_load_n(&own->version, __ATOMIC_ACQUIRE);
    int64_t until = own->sides[want->version & 1].until_s;
    if (until == 0 || until > moment.now_s) {
        want->rule = &own->sides[want->version & 1].rule;
        want->gen  = (uint32_t) (PH_LIMIT_OWN | (want->version & 15));
    }
    return true;
}

bool
ph_limit_want_holds(const struct ph_limit_table *table,
                    const struct ph_limit_want  *want)
{
    /* settings are plain words: they were read before, on every CPU */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&table->top, __ATOMIC_ACQUIRE) != want->top) {
        return false;
    }
    return want->own == NULL
           || (__atomic_load_n(&want->own->version, __ATOMIC_ACQUIRE)
                   == want->version
               && __atomic_load_n(&want->own->hi, __ATOMIC_ACQUIRE)
                      == want->own_hi);
}

/* From the base settings `number` on, through all that began before `end_ns`;
 * *number becomes the last of them. */
static struct ph_bucket_state
settle_bases(const struct ph_limit_table *table, uint64_t *number,
             uint64_t last, uint64_t end_ns, struct ph_bucket_state state,
             struct ph_limit_moment moment)
{
    uint64_t from = *number, at = 0;

    for (uint64_t next = from + 1; next <= last; next++) {
        uint64_t begin = base_begin(table, next, moment);

        /* one that would have begun when the next one had already */
        if (next < last && base_begin(table, next + 1, moment) <= begin) {
            continue;
        }
        if (begin > end_ns) {
            break;
        }
        at    = begin > at ? begin : at;
        state = ph_bucket_convert(&base_of(table, from)->rule,
                                  &base_of(table, next)->rule, state, at);
        from  = next;
    }
    *number = from;
    return state;
}

/* The state of a key's own settings that have ended, under the base. */
static struct ph_bucket_state
settle_ended(const struct ph_limit_table *table,
             const struct ph_limit_want *want, uint32_t gen,
             struct ph_bucket_state state, struct ph_limit_moment moment)
{
    const struct ph_limit_own *own   = want->own;
    uint64_t                   now   = want->version & 1, side;
    int64_t                    until = own->sides[now].until_s;
    uint64_t                   end;

    if (until == -1 && gen == (PH_LIMIT_OWN | ((want->version - 1) & 15))) {
        side = now ^ 1;
        end  = own->sides[now].since_ns;
    } else if (until > 0 && gen == (PH_LIMIT_OWN | (want->version & 15))) {
        side = now;
        end  = moment_ns(moment, until);
        if (end < own->sides[now].since_ns) {
            end = own->sides[now].since_ns;
        }
    } else {
        return ph_bucket_drained(want->rule, moment.now_ns);
    }
    /* the base settings of that moment, as far as they are still known */
    uint64_t number = want->base;
    for (unsigned i = 1; i < PH_LIMIT_SWEEP_AGE && number > 1
                         && base_begin(table, number, moment) > end;
         i++)
    {
        number--;
    }
    state = ph_bucket_convert(&own->sides[side].rule,
                              &base_of(table, number)->rule, state, end);
    return settle_bases(table, &number, want->base, UINT64_MAX, state, moment);
}

struct ph_bucket_state
ph_limit_settle(const struct ph_limit_table *table,
                const struct ph_limit_want *want, struct ph_bucket_state state,
                uint32_t gen, struct ph_limit_moment moment)
{
    if (state.at == 0 && state.lack == 0) {
        return state; /* idle for ever, under any settings */
    }
    if (want->gen == gen) {
        return state;
    }
    if ((gen & PH_LIMIT_OWN) == 0) {
        uint64_t number = want->top - ((want->top - gen) % PH_LIMIT_RULES);

        if ((want->gen & PH_LIMIT_OWN) == 0) {
            if (number > want->base) {
                /* its settings are those after a boost that has come back
                 * meanwhile by a clock set back */
                return ph_bucket_convert(&base_of(table, number)->rule,
                                         want->rule, state, moment.now_ns);
            }
            return settle_bases(table, &number, want->base, UINT64_MAX, state,
                                moment);
        }
        uint64_t since = want->own->sides[want->version & 1].since_ns;
        state = settle_bases(table, &number, want->base, since, state, moment);
        return ph_bucket_convert(&base_of(table, number)->rule, want->rule,
                                 state, since);
    }
    if (want->own == NULL) {
        return ph_bucket_drained(want->rule, moment.now_ns);
    }
    if ((want->gen & PH_LIMIT_OWN) == 0) {
        return settle_ended(table, want, gen, state, moment);
    }
    if (gen != (PH_LIMIT_OWN | ((want->version - 1) & 15))) {
        return ph_bucket_drained(want->rule, moment.now_ns);
    }
    return ph_bucket_convert(&want->own->sides[(want->version - 1) & 1].rule,
                             want->rule, state,
                             want->own->sides[want->version & 1].since_ns);
}

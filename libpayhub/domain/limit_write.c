/*
 * limit_write.c - settings of everybody and of one key, by one writer while
 * readers run.
 *
 * What is overwritten is what no cell stands under any more: cells under old
 * settings are converted first.  A writer killed anywhere has either published
 * (one store) or not; the next one does the same work again.
 */
#include "libpayhub/domain/limit_cell.h"

struct ph_limit_moment
ph_limit_guess(const struct ph_limit_table *table, uint64_t now_ns)
{
    uint64_t seen_ns = __atomic_load_n(&table->seen_ns, __ATOMIC_RELAXED);
    int64_t  seen_s  = __atomic_load_n(&table->seen_s, __ATOMIC_RELAXED);
    uint64_t later   = now_ns > seen_ns ? now_ns - seen_ns : 0;

    return (struct ph_limit_moment){ now_ns,
                                     seen_s + (int64_t) (later / 1000000000) };
}

static bool
same_spec(const struct ph_bucket_spec *a, const struct ph_bucket_spec *b)
{
    return a->kind == b->kind && a->rate.tokens == b->rate.tokens
           && a->rate.per_ns == b->rate.per_ns
           && a->burst_tokens == b->burst_tokens && a->burst_ns == b->burst_ns
           && a->warmup_ns == b->warmup_ns;
}

/* The cell as it is under the settings that hold now. */
static void
refresh(struct ph_limit_table *table, void *cell, uint64_t tag,
        struct ph_limit_moment moment)
{
    for (unsigned i = 0; i < PH_LIMIT_TRIES_MAX; i++) {
        struct ph_limit_want want;
        struct ph_limit_seen seen;

        ph_limit_read(table, cell, &seen);
        if (seen.owner != tag || seen.is_closed
            || !ph_limit_want(table, tag, moment, &want) || seen.gen == want.gen
            || ph_limit_swap(
                table, &seen, want.gen,
                ph_limit_settle(table, &want, seen.state, seen.gen, moment)))
        {
            return;
        }
    }
}

static void
refresh_key(struct ph_limit_table *table, struct ph_hash128 key,
            struct ph_limit_moment moment)
{
    struct ph_limit_seen seen;

    if (ph_limit_find(table, key, &seen) != PH_LIMIT_PLACES) {
        refresh(table, seen.cell, ph_limit_tag(key), moment);
    }
}

/* -- everybody's -------------------------------------------------------------
 */

/* Cells that stand under settings whose place is wanted soon. */
static void
sweep(struct ph_limit_table *table, struct ph_limit_moment moment)
{
    uint64_t cells = table->sets * PH_LIMIT_SET_CELLS;
    size_t   size  = table->kind == PH_BUCKET_BURSTY
                         ? sizeof(struct ph_limit_bursty)
                         : sizeof(struct ph_limit_warm);

    if (table->top < PH_LIMIT_SWEEP_AGE) {
        return;
    }
    for (uint64_t i = 0; i < cells; i++) {
        struct ph_limit_seen seen;

        ph_limit_read(table, (char *) ph_limit_cells(table) + i * size, &seen);
        if (seen.owner != 0 && !seen.is_closed && seen.gen < PH_LIMIT_OWN
            && (table->top - seen.gen) % PH_LIMIT_RULES >= PH_LIMIT_SWEEP_AGE)
        {
            refresh(table, seen.cell, seen.owner, moment);
        }
    }
}

static void
put_base(struct ph_limit_table *table, uint64_t number,
         const struct ph_bucket_rule *rule, uint64_t since_ns, int64_t starts_s)
{
    table->bases[number % PH_LIMIT_RULES] = (struct ph_limit_base){
        .rule = *rule, .since_ns = since_ns, .starts_s = starts_s
    };
}

/* `now` from now on; with starts_s, `then` from there on. */
static void
push_bases(struct ph_limit_table *table, const struct ph_bucket_rule *now,
           const struct ph_bucket_rule *then, int64_t starts_s, uint64_t now_ns)
{
    struct ph_bucket_rule first = *now, second = *then;
    uint64_t              top = table->top + 1;

    sweep(table, ph_limit_guess(table, now_ns));
    put_base(table, top, &first, now_ns, 0);
    if (starts_s != 0) {
        put_base(table, ++top, &second, now_ns, starts_s);
    }
    __atomic_store_n(&table->top, top, __ATOMIC_RELEASE);
}

static enum ph_rc
set_base(struct ph_limit_table *table, const struct ph_bucket_rule *rule,
         int64_t until_s, uint64_t now_ns)
{
    /* the last one is what lasts; before it stands what lies over it */
    const struct ph_limit_base *last
        = &table->bases[table->top % PH_LIMIT_RULES];
    const struct ph_limit_base *over
        = &table->bases[(table->top - 1) % PH_LIMIT_RULES];

    if (until_s != 0) {
        if (table->top == 0) {
            return PH_E_MISSING;
        }
        if (last->starts_s != until_s
            || !same_spec(&over->rule.spec, &rule->spec)) {
            push_bases(table, rule, &last->rule, until_s, now_ns);
        }
        return PH_OK;
    }
    if (table->top > 0 && same_spec(&last->rule.spec, &rule->spec)) {
        return PH_OK;
    }
    if (table->top > 0 && last->starts_s != 0
        && last->starts_s > ph_limit_guess(table, now_ns).now_s)
    {
        push_bases(table, &over->rule, rule, last->starts_s, now_ns);
    } else {
        push_bases(table, rule, rule, 0, now_ns);
    }
    return PH_OK;
}

/* -- one key's ---------------------------------------------------------------
 */

static void
publish_own(struct ph_limit_own *own, const struct ph_bucket_rule *rule,
            int64_t until_s, uint64_t now_ns)
{
    uint64_t next = own->version + 1;

    own->sides[next & 1].rule     = *rule;
    own->sides[next & 1].since_ns = now_ns;
    own->sides[next & 1].until_s  = until_s;
    __atomic_store_n(&own->version, next, __ATOMIC_RELEASE);
}

/* A place that is free, or whose settings have ended; NULL: none. */
static struct ph_limit_own *
own_place(struct ph_limit_table *table, uint64_t tag,
          struct ph_limit_moment moment)
{
    struct ph_limit_own *owns = ph_limit_owns(table);

    for (uint64_t i = 0; i < PH_LIMIT_PROBES && i < table->owns; i++) {
        struct ph_limit_own *own = &owns[((tag >> 20) + i) & (table->owns - 1)];
        int64_t              until = own->sides[own->version & 1].until_s;

        if (own->hi <= 1) {
            return own;
        }
        if (until == -1 || (until > 0 && until <= moment.now_s)) {
            refresh_key(table, (struct ph_hash128){ own->lo, own->hi }, moment);
            if (until != -1) {
                __atomic_store_n(&table->own_live, table->own_live - 1,
                                 __ATOMIC_RELAXED);
            }
            __atomic_store_n(&own->hi, 1, __ATOMIC_RELEASE);
            return own;
        }
    }
    return NULL;
}

static enum ph_rc
set_own(struct ph_limit_table *table, struct ph_hash128 key,
        const struct ph_bucket_rule *rule, int64_t until_s, uint64_t now_ns)
{
    struct ph_limit_moment moment = ph_limit_guess(table, now_ns);
    uint64_t               tag    = ph_limit_tag(key);
    struct ph_limit_own   *own    = ph_limit_own_find(table, tag);
    bool                   is_new = own == NULL;

    if (is_new) {
        if (table->own_live >= PH_LIMIT_OVERRIDES_MAX
            || table->own_live >= table->owns / 4 * 3
            || (own = own_place(table, tag, moment)) == NULL)
        {
            return PH_E_FULL;
        }
    } else {
        int64_t until = own->sides[own->version & 1].until_s;

        if (until == until_s
            && same_spec(&own->sides[own->version & 1].rule.spec, &rule->spec))
        {
            return PH_OK;
        }
        is_new = until == -1;
        /* nothing may stand under the side that is written now */
        refresh_key(table, key, moment);
    }
    publish_own(own, rule, until_s, now_ns);
    __atomic_store_n(&own->lo, key.lo, __ATOMIC_RELEASE);
    __atomic_store_n(&own->hi, tag | (key.hi & PH_LIMIT_GEN), __ATOMIC_RELEASE);
    if (is_new) {
        __atomic_store_n(&table->own_live, table->own_live + 1,
                         __ATOMIC_RELAXED);
    }
    __atomic_store_n(&table->own_any, 1, __ATOMIC_RELEASE);
    return PH_OK;
}

enum ph_rc
ph_limit_set(struct ph_limit_table *table, struct ph_hash128 key,
             const struct ph_bucket_spec *spec, int64_t until_s,
             uint64_t now_ns)
{
    struct ph_bucket_rule rule;

    if (spec->kind != (enum ph_bucket_kind) table->kind || until_s < 0) {
        return PH_E_RANGE;
    }
    enum ph_rc rc = ph_bucket_rule_make(&rule, spec);
    if (rc != PH_OK) {
        return rc;
    }
    return key.lo == 0 && key.hi == 0
               ? set_base(table, &rule, until_s, now_ns)
               : set_own(table, key, &rule, until_s, now_ns);
}

void
ph_limit_unset(struct ph_limit_table *table, struct ph_hash128 key,
               uint64_t now_ns)
{
    struct ph_limit_moment moment = ph_limit_guess(table, now_ns);

    if (key.lo == 0 && key.hi == 0) {
        const struct ph_limit_base *last
            = &table->bases[table->top % PH_LIMIT_RULES];

        if (table->top > 0 && last->starts_s != 0) {
            push_bases(table, &last->rule, &last->rule, 0, now_ns);
        }
        return;
    }
    struct ph_limit_own *own = ph_limit_own_find(table, ph_limit_tag(key));
    if (own == NULL || own->sides[own->version & 1].until_s == -1) {
        return;
    }
    struct ph_bucket_rule rule = own->sides[own->version & 1].rule;
    refresh_key(table, key, moment);
    publish_own(own, &rule, -1, now_ns);
    refresh_key(table, key, moment);
    __atomic_store_n(&table->own_live, table->own_live - 1, __ATOMIC_RELAXED);
}

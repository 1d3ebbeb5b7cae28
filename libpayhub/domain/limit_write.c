/*
 * limit_write.c - settings of everybody and of one key, by one writer while
 * readers run.
 *
 * What is overwritten is what no cell stands under any more: cells under old
 * settings are converted first.  A writer killed anywhere has either published
 * (one store) or not; the next one does the same work again.
 */
#include "libpayhub/domain/limit_cell.h"

#define NS_PER_S UINT64_C(1000000000)

struct ph_limit_moment
ph_limit_guess(const struct ph_limit_table *table, uint64_t now_ns)
{
    int64_t ahead_s = __atomic_load_n(&table->ahead_s, __ATOMIC_RELAXED);

    return (struct ph_limit_moment){ now_ns,
                                     ahead_s + (int64_t) (now_ns / NS_PER_S) };
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
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
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

    /* who still reads the side that is written now sees the version before */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    own->sides[next & 1].rule     = *rule;
    own->sides[next & 1].since_ns = now_ns;
    own->sides[next & 1].until_s  = until_s;
    __atomic_store_n(&own->version, next, __ATOMIC_RELEASE);
}

/*
 * A writer that dies leaves the number too small, never too large: so nobody is
 * refused for it, and what bounds the entries is the room of a key's probes.
 */
static void
own_count_less(struct ph_limit_table *table)
{
    if (table->own_live > 0) {
        __atomic_store_n(&table->own_live, table->own_live - 1,
                         __ATOMIC_RELAXED);
    }
}

/* Removed, or ended by every clock of those who ask. */
static bool
own_is_over(const struct ph_limit_own *own, struct ph_limit_moment moment)
{
    int64_t until = own->sides[own->version & 1].until_s;

    return until == -1
           || (until > 0 && until + PH_LIMIT_OVER_S <= moment.now_s);
}

/* The cell goes to the base settings, the place to whoever wants it.  Places
 * that were used and have none in use behind them are as never used, so that
 * keys without settings of their own are not looked for there. */
static void
own_free(struct ph_limit_table *table, struct ph_limit_own *own,
         struct ph_limit_moment moment)
{
    struct ph_limit_own *owns = ph_limit_owns(table);
    uint64_t             at   = (uint64_t) (own - owns);

    refresh_key(table, (struct ph_hash128){ own->lo, own->hi }, moment);
    if (own->sides[own->version & 1].until_s != -1) {
        own_count_less(table);
    }
    __atomic_store_n(&own->hi, 1, __ATOMIC_RELEASE);
    if (owns[(at + 1) & (table->owns - 1)].hi != 0) {
        return;
    }
    for (unsigned i = 0; i < PH_LIMIT_PROBES && owns[at].hi == 1; i++) {
        __atomic_store_n(&owns[at].hi, 0, __ATOMIC_RELEASE);
        at = (at - 1) & (table->owns - 1);
    }
}

/* The next few places: each new entry pays for what others left behind. */
static void
own_tidy(struct ph_limit_table *table, struct ph_limit_moment moment)
{
    struct ph_limit_own *owns = ph_limit_owns(table);

    for (uint64_t i = 0; i < PH_LIMIT_PROBES && i < table->owns; i++) {
        struct ph_limit_own *own = &owns[table->own_hand++ & (table->owns - 1)];

        if (own->hi > 1 && own_is_over(own, moment)) {
            own_free(table, own, moment);
        }
    }
}

/* A place that is free, or whose settings have ended; NULL: none. */
static struct ph_limit_own *
own_place(struct ph_limit_table *table, uint64_t tag,
          struct ph_limit_moment moment)
{
    struct ph_limit_own *owns = ph_limit_owns(table);

    own_tidy(table, moment);
    if (table->own_live >= PH_LIMIT_OVERRIDES_MAX
        || table->own_live >= table->owns / 4 * 3)
    {
        return NULL;
    }
    for (uint64_t i = 0; i < PH_LIMIT_PROBES && i < table->owns; i++) {
        struct ph_limit_own *own = &owns[((tag >> 20) + i) & (table->owns - 1)];

        if (own->hi > 1 && own_is_over(own, moment)) {
            own_free(table, own, moment);
        }
        if (own->hi <= 1) {
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
        own = own_place(table, tag, moment);
        if (own == NULL) {
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
    own_count_less(table);
    publish_own(own, &rule, -1, now_ns);
    refresh_key(table, key, moment);
}

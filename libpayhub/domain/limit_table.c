/*
 * limit_table.c - the memory, and decisions; settings are written in
 * limit_write.c.
 */
#include "libpayhub/domain/bucket_bursty.h"
#include "libpayhub/domain/limit_cell.h"

#define MAGIC UINT64_C(0x324d494c50504850)
#define NS_PER_S UINT64_C(1000000000)
#define OWNS_SHARE 8 /* an eighth of the memory is for overrides */
#define OWNS_MIN 4
#define OWNS_MAX (2 * PH_LIMIT_OVERRIDES_MAX)

static size_t
set_size(enum ph_bucket_kind kind)
{
    return PH_LIMIT_SET_CELLS
           * (kind == PH_BUCKET_BURSTY ? sizeof(struct ph_limit_bursty)
                                       : sizeof(struct ph_limit_warm));
}

static size_t
owns_in(size_t size)
{
    size_t owns = OWNS_MIN;

    while (owns < OWNS_MAX
           && 2 * owns * sizeof(struct ph_limit_own) <= size / OWNS_SHARE)
    {
        owns *= 2;
    }
    return owns;
}

size_t
ph_limit_table_size(enum ph_bucket_kind kind, size_t keys, size_t overrides)
{
    size_t sets = keys / PH_LIMIT_SET_CELLS + 1, owns = OWNS_MIN;

    /* a set is full now and then long before all are */
    sets += sets / 4;
    while (owns < OWNS_MAX && owns / 4 * 3 < overrides) {
        owns *= 2;
    }
    size_t own_size = owns * sizeof(struct ph_limit_own);
    size_t size
        = sizeof(struct ph_limit_table) + sets * set_size(kind) + own_size;
    size += size / (OWNS_SHARE - 1);
    return size > own_size * OWNS_SHARE ? size : own_size * OWNS_SHARE;
}

static bool
table_lay(struct ph_limit_table *table, size_t size, enum ph_bucket_kind kind)
{
    size_t owns = owns_in(size);
    size_t head = sizeof(*table) + owns * sizeof(struct ph_limit_own);

    if (size < head + set_size(kind)) {
        return false;
    }
    table->size = size;
    table->kind = kind;
    table->owns = owns;
    table->sets = (size - head) / set_size(kind);
    return true;
}

struct ph_limit_table *
ph_limit_table_make(void *memory, size_t size, enum ph_bucket_kind kind,
                    const uint8_t secret[PH_SIPHASH_KEY_LEN])
{
    struct ph_limit_table *table = memory;

    if (size < sizeof(*table) || !table_lay(table, size, kind)) {
        return NULL;
    }
    memcpy(table->secret, secret, PH_SIPHASH_KEY_LEN);
    __atomic_store_n(&table->magic, MAGIC, __ATOMIC_RELEASE);
    return table;
}

struct ph_limit_table *
ph_limit_table_open(void *memory, size_t size, enum ph_bucket_kind kind)
{
    struct ph_limit_table *table = memory;

    if (size < sizeof(*table)
        || __atomic_load_n(&table->magic, __ATOMIC_ACQUIRE) != MAGIC
        || table->size != size || table->kind != (uint32_t) kind)
    {
        return NULL;
    }
    return table;
}

struct ph_hash128
ph_limit_hash(const struct ph_limit_table *table, struct ph_str key)
{
    struct ph_hash128 hash = ph_siphash(table->secret, key);

    hash.lo += hash.lo == 0 && hash.hi == 0; /* which stands for everybody */
    return hash;
}

/* -- decisions ---------------------------------------------------------------
 */

/* Of one process each, so that nobody waits for a line: no locked add. */
static inline void
count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + more,
                     __ATOMIC_RELAXED);
}

/* The writer is told the time by one clock only. */
static void
note_moment(struct ph_limit_table *table, struct ph_limit_moment moment)
{
    int64_t ahead_s = moment.now_s - (int64_t) (moment.now_ns / NS_PER_S);

    if (__atomic_load_n(&table->ahead_s, __ATOMIC_RELAXED) != ahead_s) {
        __atomic_store_n(&table->ahead_s, ahead_s, __ATOMIC_RELAXED);
    }
}

/* A place for a key that has none, PH_LIMIT_PLACES when all are busy. */
static unsigned
find_room(const struct ph_limit_table *table, const struct ph_limit_ask *ask,
          struct ph_limit_moment moment, struct ph_limit_seen *seen)
{
    for (unsigned place = 0; place < PH_LIMIT_PLACES; place++) {
        void *cell = ph_limit_place(table, ask->key, place);

        if (cell == NULL) {
            break;
        }
        ph_limit_read(table, cell, seen);
        if (ph_limit_is_idle(table, seen, moment)) {
            return place;
        }
    }
    return PH_LIMIT_PLACES;
}

/* Tokens that are gone from a bucket. */
static uint64_t
spent_tokens(const struct ph_bucket_rule *rule, struct ph_bucket_state state,
             uint64_t now_ns)
{
    struct ph_bucket_answer answer;

    (void) ph_bucket_take(rule, &state, 1, now_ns, UINT64_MAX, &answer);
    uint64_t per_ns = rule->spec.rate.per_ns / rule->spec.rate.tokens;
    uint64_t tokens = answer.full_ns / (per_ns > 0 ? per_ns : 1);
    return tokens > 1 ? tokens - 1 : 0; /* that one was not wanted */
}

/* Takes what a second cell of the key had spent from the first. */
static void
charge(struct ph_limit_table *table, const struct ph_limit_ask *ask,
       uint64_t tokens, struct ph_limit_moment moment)
{
    for (unsigned i = 0; i < PH_LIMIT_TRIES_MAX && tokens > 0; i++) {
        struct ph_limit_want    want;
        struct ph_limit_seen    seen;
        struct ph_bucket_answer answer;

        if (!ph_limit_want(table, ph_limit_tag(ask->key), moment, &want)
            || ph_limit_find(table, ask->key, &seen) == PH_LIMIT_PLACES)
        {
            return;
        }
        struct ph_bucket_state state
            = ph_limit_settle(table, &want, seen.state, seen.gen, moment);
        (void) ph_bucket_take(want.rule, &state, tokens, ask->now_ns,
                              UINT64_MAX, &answer);
        if (ph_limit_want_holds(table, &want)
            && ph_limit_swap(table, &seen, want.gen, state))
        {
            return;
        }
    }
}

/*
 * Two processes may give one key two cells, when a cell between became idle
 * while they looked.  Who claims looks once more: of two the later place is
 * cleared and charged to the earlier, which is where everybody looks first.
 */
static void
heal(struct ph_limit_table *table, const struct ph_limit_ask *ask,
     const struct ph_limit_want *want, struct ph_limit_moment moment)
{
    struct ph_limit_seen seen;
    uint64_t             tag   = ph_limit_tag(ask->key);
    unsigned             first = ph_limit_find(table, ask->key, &seen);

    unsigned tries = 0;

    for (unsigned place = first + 1; place < PH_LIMIT_PLACES; place++) {
        void *cell = ph_limit_place(table, ask->key, place);

        if (cell == NULL || tries++ == PH_LIMIT_TRIES_MAX) {
            return;
        }
        ph_limit_read(table, cell, &seen);
        if (seen.owner != tag || seen.is_closed || seen.gen != want->gen) {
            continue;
        }
        if (ph_limit_clear(table, &seen)) {
            charge(table, ask,
                   spent_tokens(want->rule, seen.state, ask->now_ns), moment);
        } else {
            place--; /* somebody took from it: again */
        }
    }
}

enum step { STEP_AGAIN, STEP_GRANTED, STEP_DENIED, STEP_NO_ROOM };

/* One try; `is_take` false changes nothing. */
static inline enum step
limit_step(struct ph_limit_table *table, const struct ph_limit_ask *ask,
           bool is_take, struct ph_bucket_answer *answer)
{
    struct ph_limit_moment moment = { ask->now_ns, ask->now_s };
    struct ph_limit_want   want;
    struct ph_limit_seen   seen;
    struct ph_bucket_state state = { 0, 0 };
    uint64_t               tag   = ph_limit_tag(ask->key);

    if (!ph_limit_want(table, tag, moment, &want)) {
        return STEP_NO_ROOM;
    }
    bool is_known = ph_limit_find(table, ask->key, &seen) != PH_LIMIT_PLACES;
    if (is_known) {
        state = seen.state;
        if (seen.gen != want.gen) {
            state = ph_limit_settle(table, &want, state, seen.gen, moment);
        }
    } else if (find_room(table, ask, moment, &seen) == PH_LIMIT_PLACES) {
        return STEP_NO_ROOM;
    }
    if (!ph_bucket_take(want.rule, &state, ask->cost, ask->now_ns,
                        ask->wait_max_ns, answer))
    {
        return ph_limit_same(table, &seen) && ph_limit_want_holds(table, &want)
                   ? STEP_DENIED
                   : STEP_AGAIN;
    }
    if (!ph_limit_want_holds(table, &want)) {
        return STEP_AGAIN;
    }
    if (!is_take) {
        return STEP_GRANTED;
    }
    if (is_known) {
        return ph_limit_swap(table, &seen, want.gen, state) ? STEP_GRANTED
                                                            : STEP_AGAIN;
    }
    if (!ph_limit_claim(table, &seen, tag, want.gen, state)) {
        return STEP_AGAIN;
    }
    note_moment(table, moment);
    heal(table, ask, &want, moment);
    return STEP_GRANTED;
}

/*
 * What nearly every request meets: a bursty bucket in its first place, under
 * the base settings, where no key has others.  The same as limit_step(), in one
 * piece.
 */
static inline __attribute__((always_inline)) enum step
limit_step_quick(struct ph_limit_table *table, const struct ph_limit_ask *ask,
                 bool is_take, struct ph_bucket_answer *answer)
{
    uint64_t top = __atomic_load_n(&table->top, __ATOMIC_ACQUIRE);
    const struct ph_limit_base *base = &table->bases[top % PH_LIMIT_RULES];

    if (table->kind != PH_BUCKET_BURSTY || base->starts_s != 0
        || __atomic_load_n(&table->own_any, __ATOMIC_ACQUIRE) != 0)
    {
        return STEP_AGAIN;
    }
    uint64_t set
        = (uint64_t) ((ph_bucket_u128) ask->key.lo * table->sets >> 64);
    struct ph_limit_bursty *cell
        = (struct ph_limit_bursty *) ph_limit_cells(table)
          + set * PH_LIMIT_SET_CELLS + (ask->key.lo & (PH_LIMIT_SET_CELLS - 1));
    struct ph_cas16        word  = ph_cas16_guess(&cell->word);
    struct ph_bucket_state state = { word.hi, 0 };

    if (word.lo != (ph_limit_tag(ask->key) | top % PH_LIMIT_RULES)) {
        return STEP_AGAIN;
    }
    bool is_granted = ph_bucket_take_bursty(
        &base->rule, &state, ask->cost, ask->now_ns, ask->wait_max_ns, answer);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&table->top, __ATOMIC_ACQUIRE) != top) {
        return STEP_AGAIN;
    }
    if (!is_granted) {
        return __atomic_load_n(&cell->word.hi, __ATOMIC_ACQUIRE) == word.hi
                   ? STEP_DENIED
                   : STEP_AGAIN;
    }
    return !is_take || ph_limit_swap_bursty(cell, word, word.lo, state.at)
               ? STEP_GRANTED
               : STEP_AGAIN;
}

static __attribute__((noinline)) enum step
limit_steps(struct ph_limit_table *table, const struct ph_limit_ask *ask,
            bool is_take, struct ph_bucket_answer *answer)
{
    enum step step = STEP_AGAIN;

    for (unsigned i = 0; step == STEP_AGAIN && i < PH_LIMIT_TRIES_MAX; i++) {
        step = limit_step(table, ask, is_take, answer);
    }
    if (step != STEP_AGAIN) {
        return step;
    }
    /* so many others were quicker: as one that came too late */
    *answer = (struct ph_bucket_answer){ 1, 0, 1 };
    return STEP_DENIED;
}

static inline __attribute__((always_inline)) enum step
limit_decide(struct ph_limit_table *table, const struct ph_limit_ask *ask,
             bool is_take, struct ph_bucket_answer *answer)
{
    enum step step = limit_step_quick(table, ask, is_take, answer);

    return step != STEP_AGAIN ? step : limit_steps(table, ask, is_take, answer);
}

static inline enum ph_limit_verdict
limit_verdict(enum step step, struct ph_bucket_answer *answer)
{
    if (step == STEP_NO_ROOM) {
        *answer = (struct ph_bucket_answer){ 0, 0, 0 };
        return PH_LIMIT_NO_ROOM;
    }
    return step == STEP_GRANTED ? PH_LIMIT_GRANTED : PH_LIMIT_DENIED;
}

enum ph_limit_verdict
ph_limit_peek(struct ph_limit_table *table, const struct ph_limit_ask *ask,
              struct ph_bucket_answer *answer)
{
    return limit_verdict(limit_decide(table, ask, false, answer), answer);
}

enum ph_limit_verdict
ph_limit_take(struct ph_limit_table *table, const struct ph_limit_ask *ask,
              struct ph_bucket_answer *answer)
{
    struct ph_limit_counts *counts
        = &table->counts[ask->shard % PH_LIMIT_SHARDS];
    enum step step = limit_decide(table, ask, true, answer);

    if (step == STEP_GRANTED) {
        count(&counts->granted, 1);
    } else {
        count(step == STEP_DENIED ? &counts->denied : &counts->no_room, 1);
    }
    return limit_verdict(step, answer);
}

void
ph_limit_give(struct ph_limit_table *table, const struct ph_limit_ask *ask)
{
    struct ph_limit_moment moment = { ask->now_ns, ask->now_s };

    /* what was taken back was never granted */
    count(&table->counts[ask->shard % PH_LIMIT_SHARDS].granted, UINT64_MAX);
    for (unsigned i = 0; i < PH_LIMIT_TRIES_MAX; i++) {
        struct ph_limit_want want;
        struct ph_limit_seen seen;

        if (!ph_limit_want(table, ph_limit_tag(ask->key), moment, &want)
            || ph_limit_find(table, ask->key, &seen) == PH_LIMIT_PLACES
            || seen.is_closed)
        {
            return; /* full already */
        }
        struct ph_bucket_state state
            = ph_limit_settle(table, &want, seen.state, seen.gen, moment);
        ph_bucket_give(want.rule, &state, ask->cost);
        if (ph_limit_want_holds(table, &want)
            && ph_limit_swap(table, &seen, want.gen, state))
        {
            return;
        }
    }
}

/* -- what people look at -----------------------------------------------------
 */

void
ph_limit_settings(const struct ph_limit_table *table, struct ph_hash128 key,
                  int64_t now_s, struct ph_bucket_spec *spec)
{
    struct ph_limit_moment moment = { 0, now_s };
    /* no key has the tag 0 */
    uint64_t tag = key.lo == 0 && key.hi == 0 ? 0 : ph_limit_tag(key);

    *spec
        = (struct ph_bucket_spec){ .kind = (enum ph_bucket_kind) table->kind };
    for (unsigned i = 0; i < PH_LIMIT_TRIES_MAX; i++) {
        struct ph_limit_want want;

        if (!ph_limit_want(table, tag, moment, &want)) {
            return;
        }
        *spec = want.rule->spec;
        if (ph_limit_want_holds(table, &want)) {
            return;
        }
    }
}

uint64_t
ph_limit_settings_number(const struct ph_limit_table *table)
{
    uint64_t top = __atomic_load_n(&table->top, __ATOMIC_ACQUIRE);

    if (table->bases[top % PH_LIMIT_RULES].starts_s != 0
        || __atomic_load_n(&table->own_any, __ATOMIC_ACQUIRE) != 0)
    {
        return 0;
    }
    return top;
}

static uint64_t
count_busy(const struct ph_limit_table *table, struct ph_limit_moment moment)
{
    uint64_t cells = table->sets * PH_LIMIT_SET_CELLS, busy = 0, looked = 0;
    uint64_t stride = cells / PH_LIMIT_SAMPLE_MAX + 1;
    size_t   size
        = set_size((enum ph_bucket_kind) table->kind) / PH_LIMIT_SET_CELLS;

    for (uint64_t i = 0; i < cells; i += stride) {
        struct ph_limit_seen seen;

        ph_limit_read(table, (char *) ph_limit_cells(table) + i * size, &seen);
        busy += !ph_limit_is_idle(table, &seen, moment);
        looked++;
    }
    return stride == 1 ? busy : busy * cells / looked;
}

void
ph_limit_usage_read(const struct ph_limit_table *table, uint64_t now_ns,
                    struct ph_limit_usage *usage)
{
    *usage = (struct ph_limit_usage){
        .cells     = table->sets * PH_LIMIT_SET_CELLS,
        .overrides = __atomic_load_n(&table->own_live, __ATOMIC_RELAXED),
    };
    for (size_t i = 0; i < PH_LIMIT_SHARDS; i++) {
        const struct ph_limit_counts *counts = &table->counts[i];

        usage->granted += __atomic_load_n(&counts->granted, __ATOMIC_RELAXED);
        usage->denied += __atomic_load_n(&counts->denied, __ATOMIC_RELAXED);
        usage->no_room += __atomic_load_n(&counts->no_room, __ATOMIC_RELAXED);
    }
    if (now_ns != 0) {
        usage->busy = count_busy(table, ph_limit_guess(table, now_ns));
    }
}

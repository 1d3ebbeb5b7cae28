/*
 * limit_cell.c
 *
 * Why no exchange can hit a cell that has changed hands meanwhile, though it
 * compares the state alone: a cell is given away only when its bucket is full,
 * and the first state of the next key lies behind every state that a full
 * bucket may have (`at` <= the beginning of what can be stored; a grant to a
 * key that was absent moves it beyond).  So a state that was read does not come
 * back in other hands.  What converts a state changes the settings' bits with
 * it; where `at` stays the same number by that, the ticks are the same ones,
 * and a request that had begun before pays the old price.
 */
#include "libpayhub/domain/limit_cell.h"

#define LACK_MASK ((UINT64_C(1) << PH_BUCKET_LACK_BITS) - 1)

static inline bool
is_bursty(const struct ph_limit_table *table)
{
    return table->kind == PH_BUCKET_BURSTY;
}

void *
ph_limit_place(const struct ph_limit_table *table, struct ph_hash128 key,
               unsigned place)
{
    __extension__ typedef unsigned __int128 u128;
    uint64_t set = (uint64_t) ((u128) key.lo * table->sets >> 64);

    if (place >= PH_LIMIT_SET_CELLS) {
        uint64_t other = key.lo * UINT64_C(0x9e3779b97f4a7c15);
        uint64_t next  = (uint64_t) ((u128) other * table->sets >> 64);

        if (next == set) {
            return NULL;
        }
        set = next;
    }
    /* the first look goes where others of the set do not begin */
    uint64_t cell = set * PH_LIMIT_SET_CELLS
                    + ((place + key.lo) & (PH_LIMIT_SET_CELLS - 1));
    return is_bursty(table)
               ? (void *) ((struct ph_limit_bursty *) ph_limit_cells(table)
                           + cell)
               : (void *) ((struct ph_limit_warm *) ph_limit_cells(table)
                           + cell);
}

static inline void
read_bursty(struct ph_limit_bursty *cell, struct ph_limit_seen *seen)
{
    seen->cell      = cell;
    seen->word      = ph_cas16_guess(&cell->word);
    seen->owner     = seen->word.lo & ~PH_LIMIT_GEN;
    seen->gen       = (uint32_t) (seen->word.lo & PH_LIMIT_GEN);
    seen->state     = (struct ph_bucket_state){ seen->word.hi, 0 };
    seen->is_closed = false;
}

static inline void
read_warm(struct ph_limit_warm *cell, struct ph_limit_seen *seen)
{
    seen->cell      = cell;
    seen->word      = ph_cas16_load(&cell->word);
    seen->is_closed = seen->word.lo == PH_LIMIT_CLOSED;
    if (seen->is_closed) {
        seen->owner = seen->word.hi & ~PH_LIMIT_GEN;
        seen->gen   = 0;
        seen->state = (struct ph_bucket_state){ 0, 0 };
        return;
    }
    /* after the state: see ph_limit_warm */
    seen->owner = __atomic_load_n(&cell->tag, __ATOMIC_ACQUIRE) & ~PH_LIMIT_GEN;
    seen->gen   = (uint32_t) (seen->word.hi >> PH_BUCKET_LACK_BITS);
    seen->state
        = (struct ph_bucket_state){ seen->word.lo, seen->word.hi & LACK_MASK };
}

void
ph_limit_read(const struct ph_limit_table *table, void *cell,
              struct ph_limit_seen *seen)
{
    if (is_bursty(table)) {
        read_bursty(cell, seen);
    } else {
        read_warm(cell, seen);
    }
}

unsigned
ph_limit_find(const struct ph_limit_table *table, struct ph_hash128 key,
              struct ph_limit_seen *seen)
{
    uint64_t tag = ph_limit_tag(key);

    for (unsigned place = 0; place < PH_LIMIT_PLACES; place++) {
        void *cell = ph_limit_place(table, key, place);

        if (cell == NULL) {
            break;
        }
        ph_limit_read(table, cell, seen);
        if (seen->owner == tag) {
            return place;
        }
    }
    return PH_LIMIT_PLACES;
}

bool
ph_limit_same(const struct ph_limit_table *table,
              const struct ph_limit_seen  *seen)
{
    struct ph_limit_seen now;

    ph_limit_read(table, seen->cell, &now);
    return now.word.lo == seen->word.lo && now.word.hi == seen->word.hi
           && now.owner == seen->owner;
}

static inline struct ph_cas16
pack_warm(uint32_t gen, struct ph_bucket_state state)
{
    return (struct ph_cas16){
        state.at != PH_LIMIT_CLOSED ? state.at : PH_LIMIT_CLOSED - 1,
        (uint64_t) gen << PH_BUCKET_LACK_BITS | state.lack
    };
}

/* A closed cell gets its next key's tag, then opens with its first state. */
static bool
open_warm(struct ph_limit_warm *cell, uint64_t tag, struct ph_cas16 first)
{
    struct ph_cas16 closed = { PH_LIMIT_CLOSED, tag };

    for (unsigned i = 0; i < PH_LIMIT_TRIES_MAX; i++) {
        uint64_t old = __atomic_load_n(&cell->tag, __ATOMIC_ACQUIRE);

        if (old == tag) {
            return ph_cas16(&cell->word, closed, first);
        }
        struct ph_cas16 word = ph_cas16_load(&cell->word);
        if (word.lo != closed.lo || word.hi != closed.hi) {
            return false;
        }
        (void) __atomic_compare_exchange_n(&cell->tag, &old, tag, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    return false;
}

bool
ph_limit_swap(const struct ph_limit_table *table,
              const struct ph_limit_seen *seen, uint32_t gen,
              struct ph_bucket_state state)
{
    if (is_bursty(table)) {
        return ph_limit_swap_bursty(seen->cell, seen->word, seen->owner | gen,
                                    state.at);
    }
    struct ph_limit_warm *cell = seen->cell;

    if (seen->is_closed) {
        return open_warm(cell, seen->word.hi, pack_warm(gen, state));
    }
    return ph_cas16(&cell->word, seen->word, pack_warm(gen, state));
}

bool
ph_limit_claim(const struct ph_limit_table *table,
               const struct ph_limit_seen *seen, uint64_t tag, uint32_t gen,
               struct ph_bucket_state state)
{
    if (is_bursty(table)) {
        struct ph_limit_bursty *cell = seen->cell;

        return ph_cas16(&cell->word, seen->word,
                        (struct ph_cas16){ tag | gen, state.at });
    }
    struct ph_limit_warm *cell = seen->cell;
    uint64_t              old  = __atomic_load_n(&cell->tag, __ATOMIC_ACQUIRE);
    uint64_t              next = tag | ((old + 1) & PH_LIMIT_GEN);

    return ph_cas16(&cell->word, seen->word,
                    (struct ph_cas16){ PH_LIMIT_CLOSED, next })
           && open_warm(cell, next, pack_warm(gen, state));
}

bool
ph_limit_clear(const struct ph_limit_table *table,
               const struct ph_limit_seen  *seen)
{
    if (is_bursty(table)) {
        struct ph_limit_bursty *cell = seen->cell;

        return ph_cas16(&cell->word, seen->word, (struct ph_cas16){ 0, 0 });
    }
    struct ph_limit_warm *cell = seen->cell;

    return ph_cas16(&cell->word, seen->word,
                    (struct ph_cas16){ PH_LIMIT_CLOSED, 0 });
}

bool
ph_limit_is_idle(const struct ph_limit_table *table,
                 const struct ph_limit_seen  *seen,
                 struct ph_limit_moment       moment)
{
    struct ph_limit_want want;

    if (seen->owner == 0 || seen->is_closed) {
        return true;
    }
    if (!ph_limit_want(table, seen->owner, moment, &want)) {
        return false;
    }
    struct ph_bucket_state state = seen->state;
    if (seen->gen != want.gen) {
        state = ph_limit_settle(table, &want, state, seen->gen, moment);
    }
    return ph_bucket_is_full(want.rule, state, moment.now_ns)
           && ph_limit_want_holds(table, &want);
}

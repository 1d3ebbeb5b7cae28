/*
 * limit_cell.h - inside limit_table: how the memory is laid out, which
 * settings hold for a key, and cells.  Not for others.
 */
#ifndef PH_DOMAIN_LIMIT_CELL_H
#define PH_DOMAIN_LIMIT_CELL_H

#include "libpayhub/base/cas16.h"
#include "libpayhub/domain/limit_table.h"

#define PH_LIMIT_SET_CELLS 8
#define PH_LIMIT_PLACES (2 * PH_LIMIT_SET_CELLS) /* that a key may have */
#define PH_LIMIT_RULES 16                        /* last base settings */
#define PH_LIMIT_SWEEP_AGE 10 /* a cell under older ones is converted first */
#define PH_LIMIT_PROBES 64    /* of the overrides */
#define PH_LIMIT_OVER_S 2     /* behind its end an override may be replaced */
#define PH_LIMIT_TRIES_MAX 1000

/*
 * A cell's state is kept under some settings; five bits tell which: the number
 * of the base settings modulo 16, or, with PH_LIMIT_OWN, the version of the
 * key's override modulo 16.
 */
#define PH_LIMIT_OWN UINT32_C(16)
#define PH_LIMIT_GEN UINT64_C(31)

struct ph_limit_base {
    struct ph_bucket_rule rule;
    uint64_t              since_ns;
    int64_t               starts_s; /* unix; 0 = at since_ns */
} __attribute__((aligned(64)));

/* key.hi 0 = never used, 1 = between two keys.  sides[version & 1] holds, the
 * other one is what held before it, while there may be cells under it. */
struct ph_limit_own {
    uint64_t hi, lo;
    uint64_t version;
    struct {
        struct ph_bucket_rule rule;
        uint64_t              since_ns;
        int64_t               until_s; /* 0 = for good, -1 = ended */
    } sides[2];
} __attribute__((aligned(64)));

/* {tag | gen, at}: a 16-byte exchange changes key and settings, one of `at`
 * alone takes tokens; see limit_cell.c */
struct ph_limit_bursty {
    struct ph_cas16 word;
};

/*
 * {at, gen << 59 | lack} and the key apart.  A cell changes its key only while
 * `at` is PH_LIMIT_CLOSED and `lack` is the tag of the next key; anybody may
 * take a closed cell, so one whose taker died is not lost.  The tag's five low
 * bits count its changes.
 */
struct ph_limit_warm {
    struct ph_cas16 word;
    uint64_t        tag;
    uint64_t        unused;
};

#define PH_LIMIT_CLOSED UINT64_MAX

struct ph_limit_counts {
    uint64_t granted, denied, no_room;
} __attribute__((aligned(64)));

struct ph_limit_table {
    uint64_t magic;
    uint64_t size;
    uint64_t sets;
    uint64_t owns; /* places for overrides, a power of two */
    uint32_t kind;
    uint8_t  secret[PH_SIPHASH_KEY_LEN];

    /* written by the one writer, read by all */
    uint64_t top __attribute__((aligned(64))); /* number of base settings; the
                                                  last may start later */
    uint64_t own_any;  /* 0: no key was ever given settings of its own */
    uint64_t own_live; /* not removed */
    uint64_t own_hand; /* the place that is looked at next */

    /* unix seconds less monotonic ones, for the writer, who is told one of
     * them; 0 (nothing has ended) before the first request.  A second may be
     * missing: each of the two is cut to whole ones. */
    int64_t ahead_s __attribute__((aligned(64)));

    struct ph_limit_base   bases[PH_LIMIT_RULES];
    struct ph_limit_counts counts[PH_LIMIT_SHARDS];
    /* then owns, then sets */
};

static inline struct ph_limit_own *
ph_limit_owns(const struct ph_limit_table *table)
{
    return (struct ph_limit_own *) (uintptr_t) (table + 1);
}

static inline void *
ph_limit_cells(const struct ph_limit_table *table)
{
    return ph_limit_owns(table) + table->owns;
}

/* both clocks at the moment of a request */
struct ph_limit_moment {
    uint64_t now_ns;
    int64_t  now_s;
};

/* The settings that hold for a key, and what proves that they still do. */
struct ph_limit_want {
    const struct ph_bucket_rule *rule;
    const struct ph_limit_own   *own; /* NULL: none was ever set */
    uint64_t                     top, base, version, own_hi;
    uint32_t                     gen;
};

/* A cell as it was read. */
struct ph_limit_seen {
    void                  *cell;
    struct ph_cas16        word;
    uint64_t               owner; /* tag of its key, 0 = nobody's */
    struct ph_bucket_state state;
    uint32_t               gen;
    bool                   is_closed; /* warm-up: full, whoever's it is */
};

/* -- settings (limit_rules.c) ------------------------------------------------
 */

/* the bits of a key's hash that cells keep; never 0 */
static inline uint64_t
ph_limit_tag(struct ph_hash128 key)
{
    uint64_t tag = key.hi & ~PH_LIMIT_GEN;

    return tag != 0 ? tag : PH_LIMIT_GEN + 1;
}

struct ph_limit_own *ph_limit_own_find(const struct ph_limit_table *table,
                                       uint64_t                     tag);

/* tag 0: of everybody.  false: no settings yet */
bool ph_limit_want(const struct ph_limit_table *table, uint64_t tag,
                   struct ph_limit_moment moment, struct ph_limit_want *want);
bool ph_limit_want_holds(const struct ph_limit_table *table,
                         const struct ph_limit_want  *want);

/* The state under the settings of `gen` as it is under those wanted. */
struct ph_bucket_state ph_limit_settle(const struct ph_limit_table *table,
                                       const struct ph_limit_want  *want,
                                       struct ph_bucket_state       state,
                                       uint32_t                     gen,
                                       struct ph_limit_moment       moment);

/* Both clocks by one, as requests last told them (limit_write.c). */
struct ph_limit_moment ph_limit_guess(const struct ph_limit_table *table,
                                      uint64_t                     now_ns);

/* -- cells (limit_cell.c) -----------------------------------------------------
 */

/* Place 0..PH_LIMIT_PLACES-1 of a key; NULL: the second set is the first. */
void *ph_limit_place(const struct ph_limit_table *table, struct ph_hash128 key,
                     unsigned place);

void ph_limit_read(const struct ph_limit_table *table, void *cell,
                   struct ph_limit_seen *seen);

/* Where the key is: its place, or PH_LIMIT_PLACES. */
unsigned ph_limit_find(const struct ph_limit_table *table,
                       struct ph_hash128 key, struct ph_limit_seen *seen);

/* false: the cell has changed since it was read */
bool ph_limit_same(const struct ph_limit_table *table,
                   const struct ph_limit_seen  *seen);
bool ph_limit_swap(const struct ph_limit_table *table,
                   const struct ph_limit_seen *seen, uint32_t gen,
                   struct ph_bucket_state state);

static inline bool
ph_limit_swap_bursty(struct ph_limit_bursty *cell, struct ph_cas16 seen,
                     uint64_t tag_gen, uint64_t at)
{
    if (seen.lo != tag_gen) {
        return ph_cas16(&cell->word, seen, (struct ph_cas16){ tag_gen, at });
    }
    /* not __atomic: that takes seen's address, and its caller gets a canary */
    return __sync_bool_compare_and_swap(&cell->word.hi, seen.hi, at);
}

/* Gives the cell to another key. */
bool ph_limit_claim(const struct ph_limit_table *table,
                    const struct ph_limit_seen *seen, uint64_t tag,
                    uint32_t gen, struct ph_bucket_state state);
/* Gives it to nobody. */
bool ph_limit_clear(const struct ph_limit_table *table,
                    const struct ph_limit_seen  *seen);

/* Nobody's, or full: may be claimed. */
bool ph_limit_is_idle(const struct ph_limit_table *table,
                      const struct ph_limit_seen  *seen,
                      struct ph_limit_moment       moment);

#endif

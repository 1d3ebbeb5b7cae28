/*
 * limit_table.h - buckets of many keys in memory that processes share.
 *
 * Sets of cells, chosen by a keyed hash; no lists, no allocation, no lock.  A
 * key that is absent is a key idle for ever, so a cell whose bucket is full
 * may be given to another key and nothing is lost.  When every cell that a
 * key may have is busy the answer is PH_LIMIT_NO_ROOM; nothing is evicted.
 *
 * Rates change while requests run: each cell knows the settings that its
 * state was kept under and is converted when it is next touched, as Guava's
 * setRate converts.  A process killed anywhere leaves whole cells.
 */
#ifndef PH_DOMAIN_LIMIT_TABLE_H
#define PH_DOMAIN_LIMIT_TABLE_H

#include "libpayhub/base/siphash.h"
#include "libpayhub/domain/bucket.h"

#define PH_LIMIT_OVERRIDES_MAX 65536
#define PH_LIMIT_SHARDS 64
#define PH_LIMIT_SAMPLE_MAX 65536

enum ph_limit_verdict { PH_LIMIT_GRANTED, PH_LIMIT_DENIED, PH_LIMIT_NO_ROOM };

struct ph_limit_table; /* lies at the start of the memory */

/*
 * Bytes for the wanted number of keys and overrides; memory must be 64-byte
 * aligned.  An eighth of the memory is kept for overrides, so many of either
 * may bring room for more of the other.
 */
size_t ph_limit_table_size(enum ph_bucket_kind kind, size_t keys,
                           size_t overrides);

/*
 * Lays a table over `size` zeroed bytes: as many cells as fit.  NULL when too
 * small for one set.  ph_limit_table_open() is for memory that holds one
 * already (reload): NULL when layout, kind or size differ.
 */
struct ph_limit_table *
ph_limit_table_make(void *memory, size_t size, enum ph_bucket_kind kind,
                    const uint8_t secret[PH_SIPHASH_KEY_LEN]) PH_MUST_CHECK;
struct ph_limit_table *
ph_limit_table_open(void *memory, size_t size,
                    enum ph_bucket_kind kind) PH_MUST_CHECK;

struct ph_hash128 ph_limit_hash(const struct ph_limit_table *table,
                                struct ph_str                key);

/*
 * The settings for everybody (key.lo == key.hi == 0) or for one key; `until`
 * is wall-clock unix seconds, 0 = for good (judged by who reads: pass now_s).
 * For everybody there are two: one that lasts (until_s == 0, set before the
 * first ask) and one with an end that lies over it; when that one is over, the
 * lasting one holds again.  ph_limit_unset() of everybody takes only the one
 * with an end.
 * One writer at a time (the zone's mutex); readers run meanwhile.
 * Setting what holds already changes nothing.
 * PH_E_FULL: no room for another override.  PH_E_RANGE: as
 * ph_bucket_rule_make(), and a spec of another kind than the table's.
 */
enum ph_rc ph_limit_set(struct ph_limit_table *table, struct ph_hash128 key,
                        const struct ph_bucket_spec *spec, int64_t until_s,
                        uint64_t now_ns) PH_MUST_CHECK;
void       ph_limit_unset(struct ph_limit_table *table, struct ph_hash128 key,
                          uint64_t now_ns);

/*
 * A decision in two steps, so that of several limits all are checked, then
 * all are taken.  peek changes nothing; take grants or not; give takes a
 * grant back when a later limit refused.  A single limit needs take alone.
 * Before the first ph_limit_set() of everybody: PH_LIMIT_NO_ROOM.
 */
struct ph_limit_ask {
    struct ph_hash128 key;
    uint64_t          cost;        /* tokens, >= 1 */
    uint64_t          now_ns;      /* CLOCK_MONOTONIC */
    int64_t           now_s;       /* unix, for overrides that end */
    uint64_t          wait_max_ns; /* 0 = now or never */
    uint32_t          shard;       /* of the counts: any number that differs
                                      between processes that run at once
                                      (ngx_process_slot) */
};

enum ph_limit_verdict ph_limit_peek(struct ph_limit_table     *table,
                                    const struct ph_limit_ask *ask,
                                    struct ph_bucket_answer   *answer);
enum ph_limit_verdict ph_limit_take(struct ph_limit_table     *table,
                                    const struct ph_limit_ask *ask,
                                    struct ph_bucket_answer   *answer);
void                  ph_limit_give(struct ph_limit_table     *table,
                                    const struct ph_limit_ask *ask);

/* What holds for a key now: its override while it lasts, else the base. */
void ph_limit_settings(const struct ph_limit_table *table,
                       struct ph_hash128 key, int64_t now_s,
                       struct ph_bucket_spec *spec);

/*
 * A number of the settings that hold for every key alike: as long as it is the
 * same, so is what ph_limit_settings() says.  0: some keys have others, or they
 * end by the clock, or there are none.
 */
uint64_t ph_limit_settings_number(const struct ph_limit_table *table);

/*
 * Counts a person looks at; relaxed reads.  busy (not full) is not looked for
 * when now_ns is 0, and is judged by PH_LIMIT_SAMPLE_MAX cells spread evenly
 * when there are more.  overrides: entries in use, those that have ended but
 * were not removed among them.
 */
struct ph_limit_usage {
    uint64_t cells, busy, overrides;
    uint64_t granted, denied, no_room; /* since the table was made */
};
void ph_limit_usage_read(const struct ph_limit_table *table, uint64_t now_ns,
                         struct ph_limit_usage *usage);

#endif

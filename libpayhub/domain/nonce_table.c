/*
 * nonce_table.c - rings of places, filled by compare-and-swap; see the header.
 *
 * A place: 64 + 24 bits of a keyed hash, the low bits of the lap in which its
 * ring was there, the second of its arrival.  Invariants:
 *
 *   1. `count` of a bucket is advanced only past a place that was filled in
 *      the lap of `count`; so at most one filled place lies at the cursor, left
 *      by a process that died or is about to advance it, and the next comer
 *      tells it by its lap and advances for it.
 *   2. Seconds never fall from one place to the next in a ring: a clock that
 *      went back stamps with the second of its neighbour.  So behind the first
 *      expired place all are expired.
 *   3. Who finds nothing and then fills the place at the cursor that it read
 *      before it looked, has looked at all: an insert of the same nonce in
 *      between has filled that very place, and the exchange fails.
 */
#include "libpayhub/domain/nonce_table.h"

#include "libpayhub/base/cas16.h"

#define TABLE_MAGIC UINT64_C(0x31434e4f4e484850) /* "PHHNONC1" */
#define BUCKET_PLACES 127
#define BUCKETS_MAX UINT32_MAX
#define INSERT_TRIES_MAX 10000 /* each lost to another's success */
#define USAGE_BUCKETS_MAX 1024

#define STAMP_BITS 32
#define LAP_BITS 8
#define LAP_MASK ((UINT64_C(1) << LAP_BITS) - 1)
#define PRINT_SHIFT (STAMP_BITS + LAP_BITS)

/* 2 KiB, whole cache lines */
struct bucket {
    uint64_t        count; /* inserts so far; the cursor is count mod places */
    uint64_t        unused;
    struct ph_cas16 places[BUCKET_PLACES];
};

struct ph_nonce_table {
    uint64_t magic; /* written last */
    uint64_t size;
    uint64_t buckets;
    int64_t  born_s;
    uint8_t  secret[PH_SIPHASH_KEY_LEN];
    uint32_t keep_s;   /* the longest asked for */
    uint32_t forgot_s; /* the youngest second that was overwritten */
    uint64_t unused[1];

    /* counted by whoever refuses; a line of their own */
    uint64_t seen;
    uint64_t no_room;
    uint64_t unused_too[6];

    struct bucket bucket[];
};

_Static_assert(sizeof(struct bucket) == 2048, "bucket is whole lines");
_Static_assert(sizeof(struct ph_nonce_table) == 128, "head is whole lines");

struct name {
    struct bucket *bucket;
    uint64_t       hi;    /* of the hash */
    uint64_t       print; /* 24 more bits, in their place in `lo` */
};

/* ---- making ---- */

static uint64_t
buckets_in(size_t size)
{
    uint64_t fit
        = size > sizeof(struct ph_nonce_table)
              ? (size - sizeof(struct ph_nonce_table)) / sizeof(struct bucket)
              : 0;

    return fit < BUCKETS_MAX ? fit : BUCKETS_MAX;
}

struct ph_nonce_table *
ph_nonce_table_make(void *memory, size_t size, int64_t born_s,
                    const uint8_t secret[PH_SIPHASH_KEY_LEN])
{
    struct ph_nonce_table *table = memory;

    if (buckets_in(size) == 0) {
        return NULL;
    }
    table->size    = size;
    table->buckets = buckets_in(size);
    table->born_s  = born_s;
    memcpy(table->secret, secret, sizeof(table->secret));
    __atomic_store_n(&table->magic, TABLE_MAGIC, __ATOMIC_RELEASE);
    return table;
}

struct ph_nonce_table *
ph_nonce_table_open(void *memory, size_t size)
{
    struct ph_nonce_table *table = memory;

    if (buckets_in(size) == 0
        || __atomic_load_n(&table->magic, __ATOMIC_ACQUIRE) != TABLE_MAGIC
        || table->size != size || table->buckets != buckets_in(size))
    {
        return NULL;
    }
    return table;
}

int64_t
ph_nonce_table_born(const struct ph_nonce_table *table)
{
    return table->born_s;
}

/* ---- words ---- */

static uint32_t
seconds(int64_t s)
{
    return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t) s;
}

static void
raise(uint32_t *at, uint32_t least)
{
    uint32_t have = __atomic_load_n(at, __ATOMIC_RELAXED);

    while (have < least
           && !__atomic_compare_exchange_n(at, &have, least, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    {
        /* `have` was read anew: it only ever rises */
    }
}

static uint64_t
word_load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static uint32_t
place_stamp(uint64_t lo)
{
    return (uint32_t) lo;
}

static bool
place_is_dead(uint64_t lo, uint32_t now_s, uint32_t keep_s)
{
    return lo == 0 || (uint64_t) place_stamp(lo) + keep_s < now_s;
}

/* laps begin at 1: a place of zeros belongs to none that is under way */
static uint64_t
lap_of(uint64_t count)
{
    return ((count / BUCKET_PLACES + 1) & LAP_MASK) << STAMP_BITS;
}

static bool
place_is_of_lap(uint64_t lo, uint64_t lap)
{
    return lo != 0 && (lo & LAP_MASK << STAMP_BITS) == lap;
}

/* ---- inserting ---- */

/* The length of the first stands before both, so that no two pairs are one. */
static bool
name_make(struct ph_nonce_table *table, struct ph_str key_id,
          struct ph_str nonce, struct name *name)
{
    char   bytes[1 + 2 * PH_NONCE_NAME_MAX];
    size_t len = 1 + key_id.len + nonce.len;

    if (key_id.len > PH_NONCE_NAME_MAX || nonce.len > PH_NONCE_NAME_MAX) {
        return false;
    }
    bytes[0] = (char) key_id.len;
    memcpy(bytes + 1, key_id.len != 0 ? key_id.ptr : "", key_id.len);
    memcpy(bytes + 1 + key_id.len, nonce.len != 0 ? nonce.ptr : "", nonce.len);

    struct ph_hash128 hash = ph_siphash(table->secret, ph_str_make(bytes, len));
    uint64_t          at   = ((hash.lo & UINT32_MAX) * table->buckets) >> 32;

    name->bucket = &table->bucket[at];
    name->hi     = hash.hi;
    name->print  = hash.lo >> PRINT_SHIFT << PRINT_SHIFT;
    return true;
}

/* From the youngest before `count` to the first that is expired. */
static bool
bucket_knows(const struct name *name, uint64_t count, uint32_t now_s,
             uint32_t keep_s)
{
    const struct bucket *bucket = name->bucket;
    size_t               at     = count % BUCKET_PLACES;
    size_t left = count < BUCKET_PLACES ? (size_t) count : BUCKET_PLACES;

    for (; left > 0; left--) {
        at = at != 0 ? at - 1 : BUCKET_PLACES - 1;

        const struct ph_cas16 *place = &bucket->places[at];
        uint64_t               lo    = word_load(&place->lo);

        if (place_is_dead(lo, now_s, keep_s)) {
            return false;
        }
        if (word_load(&place->hi) == name->hi
            && lo >> PRINT_SHIFT == name->print >> PRINT_SHIFT)
        {
            return true;
        }
    }
    return false;
}

static void
bucket_advance(struct bucket *bucket, uint64_t count)
{
    (void) __atomic_compare_exchange_n(&bucket->count, &count, count + 1, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static uint32_t
stamp_after(const struct bucket *bucket, uint64_t count, uint32_t now_s)
{
    uint32_t before = 0;

    if (count != 0) {
        before = place_stamp(
            word_load(&bucket->places[(count - 1) % BUCKET_PLACES].lo));
    }
    return before > now_s ? before : now_s;
}

/* One try; false: another process was quicker, look again. */
static bool
bucket_try(struct ph_nonce_table *table, const struct name *name,
           uint32_t now_s, uint32_t keep_s, enum ph_nonce_verdict *verdict)
{
    struct bucket   *bucket = name->bucket;
    uint64_t         count  = word_load(&bucket->count);
    uint64_t         lap    = lap_of(count);
    struct ph_cas16 *place  = &bucket->places[count % BUCKET_PLACES];
    struct ph_cas16  old    = ph_cas16_guess(place);

    if (word_load(&bucket->count) != count) {
        return false; /* the place may be one of a later lap */
    }
    if (place_is_of_lap(old.lo, lap)) {
        bucket_advance(bucket, count);
        return false;
    }
    if (bucket_knows(name, count, now_s, keep_s)) {
        *verdict = PH_NONCE_SEEN;
        return true;
    }
    if (!place_is_dead(old.lo, now_s, keep_s)) {
        *verdict = PH_NONCE_NO_ROOM;
        /* full only if it was so all the while */
        return word_load(&bucket->count) == count;
    }
    const struct ph_cas16 next
        = { .hi = name->hi,
            .lo = name->print | lap | stamp_after(bucket, count, now_s) };

    if (old.lo != 0) {
        raise(&table->forgot_s, place_stamp(old.lo));
    }
    if (!ph_cas16(place, old, next)) {
        return false;
    }
    bucket_advance(bucket, count);
    *verdict = PH_NONCE_NEW;
    return true;
}

enum ph_nonce_verdict
ph_nonce_insert(struct ph_nonce_table *table, struct ph_str key_id,
                struct ph_str nonce, int64_t now_s, uint32_t keep_s)
{
    enum ph_nonce_verdict verdict = PH_NONCE_NO_ROOM;
    struct name           name;

    raise(&table->keep_s, keep_s);
    keep_s = __atomic_load_n(&table->keep_s, __ATOMIC_RELAXED);

    if (name_make(table, key_id, nonce, &name)) {
        bool is_done = false;

        for (unsigned i = 0; !is_done && i < INSERT_TRIES_MAX; i++) {
            is_done
                = bucket_try(table, &name, seconds(now_s), keep_s, &verdict);
        }
        if (!is_done) {
            verdict = PH_NONCE_NO_ROOM;
        }
    }
    if (verdict != PH_NONCE_NEW) {
        (void) __atomic_fetch_add(verdict == PH_NONCE_SEEN ? &table->seen
                                                           : &table->no_room,
                                  1, __ATOMIC_RELAXED);
    }
    return verdict;
}

bool
ph_nonce_is_cold(const struct ph_nonce_table *table, int64_t timestamp_s,
                 int64_t window_s, int64_t ahead_s)
{
    int64_t forgot_s = __atomic_load_n(&table->forgot_s, __ATOMIC_SEQ_CST);

    return timestamp_s <= table->born_s + ahead_s
           || (forgot_s != 0 && timestamp_s - window_s <= forgot_s);
}

/* ---- looking ---- */

/* How many of the youngest are not expired: they lie together, see 2. */
static size_t
bucket_live(const struct bucket *bucket, uint32_t now_s, uint32_t keep_s)
{
    uint64_t count = word_load(&bucket->count);
    size_t   low   = 0;
    size_t   high  = count < BUCKET_PLACES ? (size_t) count : BUCKET_PLACES;

    while (low < high) {
        size_t   mid = (low + high) / 2;
        uint64_t at  = (count - mid - 1) % BUCKET_PLACES;

        if (place_is_dead(word_load(&bucket->places[at].lo), now_s, keep_s)) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low;
}

void
ph_nonce_usage_read(const struct ph_nonce_table *table, int64_t now_s,
                    struct ph_nonce_usage *usage)
{
    uint32_t keep_s = __atomic_load_n(&table->keep_s, __ATOMIC_RELAXED);
    uint64_t step   = table->buckets / USAGE_BUCKETS_MAX + 1;
    uint64_t looked = 0;

    *usage = (struct ph_nonce_usage){
        .places  = table->buckets * BUCKET_PLACES,
        .seen    = __atomic_load_n(&table->seen, __ATOMIC_RELAXED),
        .no_room = __atomic_load_n(&table->no_room, __ATOMIC_RELAXED)
    };
    for (uint64_t i = 0; i < table->buckets; i += step) {
        usage->live += bucket_live(&table->bucket[i], seconds(now_s), keep_s);
        usage->inserted += word_load(&table->bucket[i].count);
        looked++;
    }
    if (looked != 0) {
        usage->live     = usage->live * table->buckets / looked;
        usage->inserted = usage->inserted * table->buckets / looked;
    }
}

/*
 * key_table.c - an index of words, and blocks of several sizes in pages.
 *
 * Each key may stand in either of two sets of eight index words, chosen by
 * its keyed hash: a look-up reads two cache lines at most, whoever asks and
 * however often keys came and went.  A word is 24 bits of the hash and the
 * block's number; the one store of a word is what makes a change.
 *
 * A block is never changed while a word leads to it.  A reader that is slower
 * than a change may still copy a block that is being given to another key:
 * the block's sequence, odd while it is written, tells.
 *
 * Which blocks are free is the writer's business alone.  It marks the table
 * before it touches that; who finds the mark standing was preceded by a killed
 * writer, and counts anew what the index leads to.
 */
#include "libpayhub/domain/key_table.h"

#define MAGIC UINT64_C(0x5048204b45590001)
#define SET_WORDS 8u
#define PAGE_SIZE 16384u
#define UNIT 32u /* sizes of blocks are multiples */
#define CLASSES_MAX 40u
#define PAGE_BLOCKS_MAX (PAGE_SIZE / 64u)
#define MAP_WORDS (PAGE_BLOCKS_MAX / 64u)
#define BYTES_PER_WORD 112u /* of memory, for one index word */
#define RETRIES_MAX 10000u
#define BLOCK_MASK ((UINT64_C(1) << 40) - 1)
#define NO_PAGE UINT32_MAX

/* what stands in a block, behind its sequence: then id, app, merchant, role,
 * material, without gaps */
struct entry {
    uint64_t version;
    int64_t  not_before, not_after;
    uint16_t schemes, material_len;
    uint8_t  alg, is_revoked;
    uint8_t  id_len, app_len, merchant_len, role_len;
    uint8_t  zero[6];
};

#define TEXTS_MAX (3 * PH_KEY_NAME_MAX + PH_KEY_ROLE_MAX)
#define HEAD_MAX (sizeof(struct entry) + TEXTS_MAX)
#define ENTRY_MAX (HEAD_MAX + PH_KEY_MATERIAL_MAX)
#define WORDS(bytes) (((bytes) + 7) / 8)

_Static_assert(sizeof(struct entry) % 8 == 0, "texts begin at a word");

struct page {
    uint16_t klass; /* 1 + class, 0 = of none */
    uint16_t used;
    uint32_t spare;
    uint64_t map[MAP_WORDS]; /* 1 = taken */
};

struct ph_key_table {
    uint64_t magic, size;
    uint8_t  secret[PH_SIPHASH_KEY_LEN];
    uint64_t sets, pages;
    uint64_t index_at, table_at, pages_at; /* offsets */
    uint64_t page_size;

    /* written by the writer, read by all */
    _Alignas(64) uint64_t changes;
    uint64_t count;

    /* the writer's */
    uint64_t dirty, version;
    uint64_t pages_free;          /* of no class */
    uint32_t page_next;           /* where to look for one */
    uint32_t hint[CLASSES_MAX];   /* page to look at first */
    uint64_t vacant[CLASSES_MAX]; /* blocks in pages of the class */
};

#define load(word) __atomic_load_n((word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n((word), (value), __ATOMIC_RELEASE)

static uint64_t *
index_of(const struct ph_key_table *table)
{
    return (uint64_t *) (void *) ((uint8_t *) (uintptr_t) table
                                  + table->index_at);
}

static struct page *
pages_of(const struct ph_key_table *table)
{
    return (struct page *) (void *) ((uint8_t *) (uintptr_t) table
                                     + table->table_at);
}

/* The sequence word of the block that begins at that unit of the pages. */
static uint64_t *
block_of(const struct ph_key_table *table, uint64_t unit)
{
    return (uint64_t *) (void *) ((uint8_t *) (uintptr_t) table
                                  + table->pages_at + unit * UNIT);
}

/* 96, 128 ... 512, then eight sizes each time it doubles, as far as a page
 * goes */
static size_t
class_size(size_t klass)
{
    if (klass < 14) {
        return 96 + klass * UNIT;
    }
    if (klass >= CLASSES_MAX) {
        return PAGE_SIZE;
    }
    size_t step = (klass - 14) / 8, rest = (klass - 14) % 8 + 1;
    size_t base = (size_t) 512 << step;

    return base + base / 8 * rest;
}

static size_t
class_for(size_t bytes)
{
    size_t klass = 0;

    while (class_size(klass) < bytes) {
        klass++;
    }
    return klass;
}

static size_t
class_blocks(size_t klass)
{
    return PAGE_SIZE / class_size(klass);
}

struct ph_key_table *
ph_key_table_open(void *memory, size_t size)
{
    struct ph_key_table *table = memory;

    return size >= sizeof(*table) && table->magic == MAGIC
                   && table->size == size && table->page_size == PAGE_SIZE
               ? table
               : NULL;
}

struct ph_key_table *
ph_key_table_make(void *memory, size_t size,
                  const uint8_t secret[PH_SIPHASH_KEY_LEN])
{
    struct ph_key_table *table = memory;
    size_t               head  = (sizeof(*table) + 63) / 64 * 64;
    size_t               set   = SET_WORDS * sizeof(uint64_t);

    if (size < head + set + sizeof(struct page) + 64 + PAGE_SIZE) {
        return NULL;
    }
    memset(table, 0, sizeof(*table));
    memcpy(table->secret, secret, PH_SIPHASH_KEY_LEN);
    table->size      = size;
    table->page_size = PAGE_SIZE;
    table->sets      = (size - head) / BYTES_PER_WORD / SET_WORDS;
    if (table->sets == 0) {
        table->sets = 1;
    } else if (table->sets > UINT32_MAX) {
        table->sets = UINT32_MAX;
    }
    table->index_at = head;
    table->table_at = head + table->sets * set;

    size_t left  = size - table->table_at;
    table->pages = (left - 64) / (PAGE_SIZE + sizeof(struct page));
    if (left < 64 || table->pages == 0) {
        return NULL;
    }
    if (table->pages >= NO_PAGE) {
        table->pages = NO_PAGE - 1;
    }
    table->pages_at
        = (table->table_at + table->pages * sizeof(struct page) + 63) / 64 * 64;
    for (size_t i = 0; i < CLASSES_MAX; i++) {
        table->hint[i] = NO_PAGE;
    }
    table->pages_free = table->pages;
    /* kept contexts of an earlier table's versions must not match */
    table->version = ph_siphash(secret, PH_STR("version")).lo >> 2;
    store(&table->magic, MAGIC);
    return table;
}

/* --- reading */

struct place {
    uint64_t *set[2];
    uint64_t  tag; /* in the upper 24 bits, never all zero */
};

static struct place
place_of(const struct ph_key_table *table, struct ph_str id)
{
    struct ph_hash128 hash  = ph_siphash(table->secret, id);
    uint64_t         *index = index_of(table);
    uint64_t          a     = (hash.lo & UINT32_MAX) * table->sets >> 32;
    uint64_t          b     = (hash.lo >> 32) * table->sets >> 32;
    struct place place = { { index + a * SET_WORDS, index + b * SET_WORDS },
                           hash.hi & ~BLOCK_MASK };

    if (place.tag == 0) {
        place.tag = BLOCK_MASK + 1;
    }
    return place;
}

static void
words_get(uint64_t *to, const uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    }
}

union entry_words {
    struct entry entry;
    uint64_t     words[WORDS(HEAD_MAX)];
    char         bytes[WORDS(HEAD_MAX) * 8];
};

static size_t
texts_len(const struct entry *entry)
{
    return (size_t) entry->id_len + entry->app_len + entry->merchant_len
           + entry->role_len;
}

static bool
entry_sane(const struct entry *entry)
{
    return entry->id_len > 0 && entry->id_len <= PH_KEY_NAME_MAX
           && entry->app_len <= PH_KEY_NAME_MAX
           && entry->merchant_len <= PH_KEY_NAME_MAX
           && entry->role_len <= PH_KEY_ROLE_MAX
           && entry->material_len <= PH_KEY_MATERIAL_MAX;
}

/* The head of a block; false when it was written meanwhile. */
static bool
head_get(const uint64_t *block, union entry_words *out, uint64_t *seq)
{
    *seq = load(block);
    if (*seq & 1) {
        return false;
    }
    words_get(out->words, block + 1, WORDS(sizeof(struct entry)));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(block, __ATOMIC_RELAXED) != *seq
        || !entry_sane(&out->entry))
    {
        return false;
    }
    size_t at = WORDS(sizeof(struct entry));

    words_get(out->words + at, block + 1 + at, WORDS(texts_len(&out->entry)));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(block, __ATOMIC_RELAXED) == *seq;
}

/* The block of a key, with its head: NULL = there is none.  `at` is the word
 * that led there; a key keeps its word while it is there at all. */
static const uint64_t *
find(const struct ph_key_table *table, struct ph_str id, union entry_words *out,
     uint64_t *seq, uint64_t **at)
{
    if (id.len == 0 || id.len > PH_KEY_NAME_MAX) {
        return NULL;
    }
    struct place place = place_of(table, id);

    for (size_t tries = 0; tries < RETRIES_MAX; tries++) {
        bool again = false;

        for (size_t i = 0; i < 2 * SET_WORDS; i++) {
            uint64_t *word  = &place.set[i / SET_WORDS][i % SET_WORDS];
            uint64_t  value = load(word);

            if ((value & ~BLOCK_MASK) != place.tag) {
                continue;
            }
            const uint64_t *block = block_of(table, value & BLOCK_MASK);

            if (!head_get(block, out, seq) || load(word) != value) {
                again = true;
                break;
            }
            if (ph_str_eq(ph_str_make(out->bytes + sizeof(struct entry),
                                      out->entry.id_len),
                          id))
            {
                *at = word;
                return block;
            }
        }
        if (!again) {
            return NULL;
        }
    }
    return NULL;
}

static void
record_of(const union entry_words *from, struct ph_key_record *out)
{
    const struct entry *entry = &from->entry;
    const char         *text  = from->bytes + sizeof(*entry);

    memset(out, 0, sizeof(*out));
    out->version      = entry->version;
    out->not_before   = entry->not_before;
    out->not_after    = entry->not_after;
    out->schemes      = entry->schemes;
    out->material_len = entry->material_len;
    out->alg          = entry->alg;
    out->is_revoked   = entry->is_revoked;
    out->id_len       = entry->id_len;
    out->app_len      = entry->app_len;
    out->merchant_len = entry->merchant_len;
    out->role_len     = entry->role_len;
    memcpy(out->id, text, entry->id_len);
    text += entry->id_len;
    memcpy(out->app, text, entry->app_len);
    text += entry->app_len;
    memcpy(out->merchant, text, entry->merchant_len);
    text += entry->merchant_len;
    memcpy(out->role, text, entry->role_len);
}

bool
ph_key_find(const struct ph_key_table *table, struct ph_str id,
            struct ph_key_record *out)
{
    union entry_words entry;
    uint64_t          seq, *at;

    if (find(table, id, &entry, &seq, &at) == NULL) {
        return false;
    }
    record_of(&entry, out);
    return true;
}

bool
ph_key_material(const struct ph_key_table *table, struct ph_str id,
                uint64_t version, uint8_t out[PH_KEY_MATERIAL_MAX])
{
    union entry_words entry;
    uint64_t          seq, *at;
    const uint64_t   *block = find(table, id, &entry, &seq, &at);

    if (block == NULL || entry.entry.version != version) {
        return false;
    }
    uint64_t led  = load(at);
    size_t   skip = sizeof(struct entry) + texts_len(&entry.entry);
    size_t   len  = entry.entry.material_len;

    for (size_t done = 0; done < len;) {
        size_t   word = (skip + done) / 8, from = (skip + done) % 8;
        size_t   part  = 8 - from < len - done ? 8 - from : len - done;
        uint64_t value = __atomic_load_n(block + 1 + word, __ATOMIC_RELAXED);

        memcpy(out + done, (const uint8_t *) &value + from, part);
        done += part;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    /* the sequence alone does not tell when the page was cut anew meanwhile */
    return __atomic_load_n(block, __ATOMIC_RELAXED) == seq && load(at) == led
           && block_of(table, led & BLOCK_MASK) == block;
}

bool
ph_key_next(const struct ph_key_table *table, size_t *at,
            struct ph_key_record *out)
{
    const uint64_t *index = index_of(table);

    for (; *at < table->sets * SET_WORDS; (*at)++) {
        for (size_t tries = 0; tries < RETRIES_MAX; tries++) {
            uint64_t          value = load(index + *at), seq;
            union entry_words entry;

            if (value == 0) {
                break;
            }
            if (head_get(block_of(table, value & BLOCK_MASK), &entry, &seq)
                && load(index + *at) == value)
            {
                record_of(&entry, out);
                (*at)++;
                return true;
            }
        }
    }
    return false;
}

size_t
ph_key_count(const struct ph_key_table *table)
{
    return (size_t) load(&table->count);
}

uint64_t
ph_key_changes(const struct ph_key_table *table)
{
    return load(&table->changes);
}

/* --- writing */

/* page and number within it of a block */
static struct page *
block_page(const struct ph_key_table *table, uint64_t unit, size_t *number)
{
    struct page *page = pages_of(table) + unit * UNIT / PAGE_SIZE;

    *number = unit * UNIT % PAGE_SIZE / class_size(page->klass - 1u);
    return page;
}

static void
block_mark(struct ph_key_table *table, uint64_t unit)
{
    size_t       number;
    struct page *page = block_page(table, unit, &number);

    page->map[number / 64] |= UINT64_C(1) << number % 64;
    page->used++;
    table->vacant[page->klass - 1]--;
}

static void
block_write(uint64_t *block, const uint64_t *words, size_t count)
{
    uint64_t seq = load(block) | 1;

    __atomic_store_n(block, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (size_t i = 0; i < count; i++) {
        __atomic_store_n(block + 1 + i, words[i], __ATOMIC_RELAXED);
    }
    store(block, seq + 1);
}

/* No word leads there any more: the secret goes, then the block is vacant. */
static void
block_free(struct ph_key_table *table, uint64_t unit)
{
    static const uint64_t zero[WORDS(ENTRY_MAX) + 64];
    size_t                number;
    struct page          *page  = block_page(table, unit, &number);
    size_t                klass = page->klass - 1u;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    block_write(block_of(table, unit), zero, class_size(klass) / 8 - 1);
    page->map[number / 64] &= ~(UINT64_C(1) << number % 64);
    page->used--;
    table->vacant[klass]++;
    if (page->used == 0) {
        table->vacant[klass] -= class_blocks(klass);
        page->klass = 0;
        table->pages_free++;
    }
}

/* After a killed writer: what the index leads to is taken, all else free. */
static void
count_anew(struct ph_key_table *table)
{
    struct page *pages = pages_of(table);
    uint64_t    *index = index_of(table);

    memset(table->vacant, 0, sizeof(table->vacant));
    table->pages_free = table->pages;
    for (size_t i = 0; i < table->pages; i++) {
        pages[i].used = 0;
        memset(pages[i].map, 0, sizeof(pages[i].map));
    }
    table->count = 0;
    for (size_t i = 0; i < table->sets * SET_WORDS; i++) {
        struct page *page = pages + (index[i] & BLOCK_MASK) * UNIT / PAGE_SIZE;

        if (index[i] == 0 || page->klass == 0) {
            continue;
        }
        if (page->used == 0) {
            table->vacant[page->klass - 1] += class_blocks(page->klass - 1u);
            table->pages_free--;
        }
        block_mark(table, index[i] & BLOCK_MASK);
        table->count++;
    }
    for (size_t i = 0; i < table->pages; i++) {
        if (pages[i].used == 0) {
            pages[i].klass = 0;
        }
    }
}

static void
write_begin(struct ph_key_table *table)
{
    if (load(&table->dirty)) {
        count_anew(table);
    }
    store(&table->dirty, 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void
write_end(struct ph_key_table *table)
{
    store(&table->changes, table->changes + 1);
    store(&table->dirty, 0);
}

/* A page of the class with a vacant block; NO_PAGE = the memory is full. */
static uint32_t
page_for(struct ph_key_table *table, size_t klass)
{
    struct page *pages = pages_of(table);
    uint32_t     n     = table->hint[klass];

    if (table->vacant[klass] > 0) {
        for (size_t i = 0; i <= table->pages; i++, n++) {
            n = n < table->pages ? n : 0;
            if (pages[n].klass == klass + 1
                && pages[n].used < class_blocks(klass)) {
                return table->hint[klass] = n;
            }
        }
    }
    if (table->pages_free == 0) {
        return NO_PAGE;
    }
    n = table->page_next;
    for (size_t i = 0; i <= table->pages; i++, n++) {
        n = n < table->pages ? n : 0;
        if (pages[n].klass == 0) {
            memset(pages[n].map, 0, sizeof(pages[n].map));
            pages[n].used  = 0;
            pages[n].klass = (uint16_t) (klass + 1);
            table->pages_free--;
            table->vacant[klass] += class_blocks(klass);
            table->page_next          = n;
            return table->hint[klass] = n;
        }
    }
    return NO_PAGE;
}

/* A vacant block for so many bytes, marked as taken; false = none. */
static bool
block_take(struct ph_key_table *table, size_t bytes, uint64_t *unit)
{
    size_t   klass = class_for(bytes);
    uint32_t n     = page_for(table, klass);

    if (n == NO_PAGE) {
        return false;
    }
    const struct page *page   = pages_of(table) + n;
    size_t             blocks = class_blocks(klass), number = 0;

    while (number < blocks && (page->map[number / 64] >> number % 64 & 1)) {
        number++;
    }
    *unit = ((uint64_t) n * PAGE_SIZE + number * class_size(klass)) / UNIT;
    block_mark(table, *unit);
    return true;
}

/* The vacant word in the emptier of both sets; NULL = none. */
static uint64_t *
vacant_word(const struct place *place)
{
    uint64_t *best[2]   = { NULL, NULL };
    size_t    vacant[2] = { 0, 0 };

    for (size_t i = 0; i < 2 * SET_WORDS; i++) {
        uint64_t *word = &place->set[i / SET_WORDS][i % SET_WORDS];

        if (*word == 0) {
            best[i / SET_WORDS] = word;
            vacant[i / SET_WORDS]++;
        }
    }
    return vacant[1] > vacant[0] ? best[1] : best[0];
}

static size_t
entry_make(uint8_t *to, const struct ph_key_record *record, uint64_t version,
           struct ph_str material)
{
    struct entry        entry = { .version      = version,
                                  .not_before   = record->not_before,
                                  .not_after    = record->not_after,
                                  .schemes      = record->schemes,
                                  .material_len = (uint16_t) material.len,
                                  .alg          = record->alg,
                                  .is_revoked   = record->is_revoked,
                                  .id_len       = record->id_len,
                                  .app_len      = record->app_len,
                                  .merchant_len = record->merchant_len,
                                  .role_len     = record->role_len };
    const struct ph_str pieces[]
        = { ph_str_make((const char *) &entry, sizeof(entry)),
            ph_str_make(record->id, record->id_len),
            ph_str_make(record->app, record->app_len),
            ph_str_make(record->merchant, record->merchant_len),
            ph_str_make(record->role, record->role_len),
            material };
    size_t len = 0;

    for (size_t i = 0; i < PH_COUNT(pieces); i++) {
        if (pieces[i].len > 0) {
            memcpy(to + len, pieces[i].ptr, pieces[i].len);
            len += pieces[i].len;
        }
    }
    return len;
}

enum ph_rc
ph_key_put(struct ph_key_table *table, const struct ph_key_record *record,
           struct ph_str material)
{
    static const struct ph_key_record none = { 0 };
    union {
        uint64_t words[WORDS(ENTRY_MAX)];
        uint8_t  bytes[WORDS(ENTRY_MAX) * 8];
    } made;
    union entry_words old;
    uint64_t          seq, unit, *word = NULL;

    if (material.len > PH_KEY_MATERIAL_MAX || record->id_len == 0
        || record->id_len > sizeof(none.id)
        || record->app_len > sizeof(none.app)
        || record->merchant_len > sizeof(none.merchant)
        || record->role_len > sizeof(none.role))
    {
        return PH_E_RANGE;
    }
    struct ph_str id    = ph_str_make(record->id, record->id_len);
    struct place  place = place_of(table, id);
    enum ph_rc    rc    = PH_E_FULL;

    write_begin(table);
    const uint64_t *had = find(table, id, &old, &seq, &word);

    if (had == NULL) {
        word = vacant_word(&place);
    }
    size_t len = entry_make(made.bytes, record, table->version + 1, material);

    memset(made.bytes + len, 0, WORDS(len) * 8 - len);
    if (word != NULL && block_take(table, len + sizeof(uint64_t), &unit)) {
        uint64_t before = *word;

        table->version++;
        block_write(block_of(table, unit), made.words, WORDS(len));
        store(word, place.tag | unit);
        if (had != NULL) {
            block_free(table, before & BLOCK_MASK);
        } else {
            store(&table->count, table->count + 1);
        }
        rc = PH_OK;
    }
    write_end(table);
    memset(made.bytes, 0, len); /* a secret */
    __asm__ __volatile__("" : : "r"(made.bytes) : "memory");
    return rc;
}

bool
ph_key_remove(struct ph_key_table *table, struct ph_str id)
{
    union entry_words old;
    uint64_t          seq, *word = NULL;

    write_begin(table);
    bool had = find(table, id, &old, &seq, &word) != NULL;

    if (had) {
        uint64_t before = *word;

        store(word, 0);
        block_free(table, before & BLOCK_MASK);
        store(&table->count, table->count - 1);
    }
    write_end(table);
    return had;
}

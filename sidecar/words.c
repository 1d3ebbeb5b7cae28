/*
 * words.c - a batch's cells as keys, fields and increments.
 *
 * Cells are sorted by bucket, so that each Redis hash is one key of the call.
 * Day sums are made here, from the minutes: what is in one is in the other.
 */
#include "sidecar/words.h"

#include <assert.h>
#include <stdlib.h>

#include "libpayhub/domain/counter.h"

#define MINUTES_PER_DAY 1440
#define MS_PER_MINUTE 60000
#define DAY_BIAS 1 /* so that the day before 1970-01-01 has a number too */
#define TEXT_STEP 8192
#define ROOM_STEP 512
#define XA_DAY 255 /* in place of an XA number: the cell is a day's */
#define XA_PARTS 7
#define XA_ACCOUNT_PARTS 4

void
bl_words_clear(struct bl_words *words)
{
    words->len    = 0;
    words->count  = 0;
    words->failed = false;
}

void
bl_words_deinit(struct bl_words *words)
{
    free(words->text);
    free(words->from);
    *words = (struct bl_words){ 0 };
}

static bool
text_room(struct bl_words *words, size_t need)
{
    if (words->size - words->len >= need) {
        return true;
    }
    size_t size = words->size * 2 + need + TEXT_STEP;
    char  *text = realloc(words->text, size);

    if (text == NULL) {
        return false;
    }
    words->text = text;
    words->size = size;
    return true;
}

/* one more than the words: the end of the last */
static bool
word_room(struct bl_words *words)
{
    if (words->count + 1 < words->room) {
        return true;
    }
    size_t  room = words->room * 2 + ROOM_STEP;
    size_t *from = realloc(words->from, room * sizeof(*from));

    if (from == NULL) {
        return false;
    }
    words->from = from;
    words->room = room;
    return true;
}

void
bl_words_add(struct bl_words *words, struct ph_str word)
{
    if (words->failed || !text_room(words, word.len) || !word_room(words)) {
        words->failed = true;
        return;
    }
    if (word.len != 0) {
        assert(word.ptr != NULL);
        memcpy(words->text + words->len, word.ptr, word.len);
    }
    words->from[words->count++] = words->len;
    words->len += word.len;
    words->from[words->count] = words->len;
}

void
bl_words_i64(struct bl_words *words, int64_t number)
{
    char          memory[24];
    struct ph_buf text = PH_BUF_INIT(memory);

    ph_buf_i64(&text, number);
    bl_words_add(words, ph_buf_str(&text));
}

void
bl_xa_key(const struct bl_sink *sink, const char *xid, struct ph_buf *key)
{
    ph_buf_byte(key, '{');
    ph_buf_add(key, sink->prefix);
    ph_buf_add(key, PH_STR(":c0}:"));
    ph_buf_u64(key, sink->epoch);
    ph_buf_add(key, PH_STR(":xa:"));
    ph_buf_add(key, ph_str_z(xid));
}

/* by hash: minutes, then prepared transactions, then days */
static int
cell_order(const void *a, const void *b)
{
    uint64_t x  = (*(const struct bl_cell *const *) a)->key;
    uint64_t y  = (*(const struct bl_cell *const *) b)->key;
    uint8_t  xa = bl_cell_xa(x);
    uint8_t  ya = bl_cell_xa(y);

    return xa != ya ? (xa > ya) - (xa < ya) : (x > y) - (x < y);
}

static bool
has_news(const struct bl_cell *cell)
{
    return cell->key != 0 && (cell->count != 0 || cell->amount != 0);
}

static bool
days_make(struct bl_sink *sink, const struct bl_cells *minutes)
{
    bl_cells_clear(&sink->days);
    for (size_t i = 0; i < minutes->size && minutes->used != 0; i++) {
        const struct bl_cell *cell = &minutes->cell[i];

        if (!has_news(cell) || bl_cell_xa(cell->key) != 0
            || bl_cell_is_account(cell->key))
        {
            continue;
        }
        int64_t minute
            = (int64_t) bl_cell_bucket(cell->key) + sink->day_offset_min;
        uint32_t day = (uint32_t) (minute / MINUTES_PER_DAY + DAY_BIAS);
        if (minute < 0) {
            day = DAY_BIAS - 1; /* west of UTC, 1970 begins in 1969 */
        }
        uint64_t key = bl_cell_key(day, bl_cell_happening(cell->key), XA_DAY,
                                   bl_cell_dim(cell->key));
        if (bl_cells_add(&sink->days, key, cell->count, cell->amount) != PH_OK)
        {
            return false;
        }
    }
    return true;
}

static void
cells_gather(struct bl_sink *sink, const struct bl_cells *cells)
{
    for (size_t i = 0; i < cells->size && cells->used != 0; i++) {
        if (has_news(&cells->cell[i])) {
            sink->sorted[sink->sorted_count++] = &cells->cell[i];
        }
    }
}

/* sink->sorted: the cells of both grains that move something, by hash */
static bool
cells_sort(struct bl_sink *sink, const struct bl_cells *minutes)
{
    size_t need = minutes->used + sink->days.used;

    if (need > sink->sorted_size) {
        const struct bl_cell **more
            = realloc(sink->sorted, need * 2 * sizeof(*more));

        if (more == NULL) {
            return false;
        }
        sink->sorted      = more;
        sink->sorted_size = need * 2;
    }
    sink->sorted_count = 0;
    cells_gather(sink, minutes);
    cells_gather(sink, &sink->days);
    if (sink->sorted_count > 1) {
        qsort(sink->sorted, sink->sorted_count, sizeof(*sink->sorted),
              cell_order);
    }
    return true;
}

/* the end of the run of cells from `from` on that share one hash */
static size_t
hash_end(const struct bl_sink *sink, size_t from)
{
    uint64_t first = sink->sorted[from]->key;
    uint8_t  xa    = bl_cell_xa(first);
    size_t   end   = from + 1;

    while (end < sink->sorted_count) {
        uint64_t key = sink->sorted[end]->key;

        if (bl_cell_xa(key) != xa
            || ((xa == 0 || xa == XA_DAY)
                && (bl_cell_bucket(key) != bl_cell_bucket(first)
                    || bl_cell_is_account(key) != bl_cell_is_account(first))))
        {
            break;
        }
        end++;
    }
    return end;
}

static void
key_add(struct bl_sink *sink, const struct bl_sums *sums, uint64_t cell_key)
{
    char          memory[PH_CONF_LINE_MAX + BL_XID_TEXT_MAX + 64];
    struct ph_buf key    = PH_BUF_INIT(memory);
    uint8_t       xa     = bl_cell_xa(cell_key);
    int64_t       minute = bl_cell_bucket(cell_key);
    bool          is_day = xa == XA_DAY;

    if (is_day) { /* its first minute from 1970 on */
        minute = (minute - DAY_BIAS) * MINUTES_PER_DAY - sink->day_offset_min;
        minute = minute > 0 ? minute : 0;
    }
    if (xa == 0 || is_day) {
        ph_counter_bucket_key(
            &key, sink->prefix, sink->epoch,
            is_day                         ? PH_COUNTER_DAY
            : bl_cell_is_account(cell_key) ? PH_COUNTER_ACCOUNT
                                           : PH_COUNTER_MINUTE,
            (uint64_t) minute * MS_PER_MINUTE, sink->day_offset_min);
    } else {
        bl_xa_key(sink, sums->xid[xa - 1].text, &key);
    }
    bl_words_add(&sink->words, ph_buf_str(&key));
}

/* the same of an account; of a prepared row, MINUTE|... */
static void
account_field_add(struct bl_sink *sink, const struct bl_dim *dim,
                  const struct bl_cell *cell)
{
    char          memory[PH_COUNTER_FIELD_MAX + 32];
    struct ph_buf field = PH_BUF_INIT(memory);

    if (bl_cell_xa(cell->key) != 0) {
        ph_buf_u64(&field, bl_cell_bucket(cell->key));
        ph_buf_byte(&field, '|');
    }
    ph_counter_account_field(
        &field, ph_str_make(dim->channel, dim->channel_len),
        ph_str_z(ph_counter_happenings[bl_cell_happening(cell->key)].state));
    bl_words_add(&sink->words, ph_buf_str(&field));
    bl_words_i64(&sink->words, cell->count);
}

/* a field and its increment; of a prepared row, MINUTE|CUR|n or a|... */
static void
field_add(struct bl_sink *sink, const struct bl_sums *sums,
          const struct bl_cell *cell, bool is_count)
{
    char                 memory[PH_COUNTER_FIELD_MAX + 32];
    struct ph_buf        field    = PH_BUF_INIT(memory);
    const struct bl_dim *dim      = &sums->dim[bl_cell_dim(cell->key)];
    uint8_t              xa       = bl_cell_xa(cell->key);
    struct ph_str        currency = ph_str_make(dim->currency, BL_CURRENCY_LEN);

    if (dim->is_account) {
        account_field_add(sink, dim, cell);
        return;
    }
    if (xa != 0 && xa != XA_DAY) {
        ph_buf_u64(&field, bl_cell_bucket(cell->key));
        ph_buf_byte(&field, '|');
        ph_buf_add(&field, currency);
        ph_buf_add(&field, is_count ? PH_STR("|n|") : PH_STR("|a|"));
    }
    ph_counter_field(
        &field, ph_str_make(dim->channel, dim->channel_len),
        ph_str_make(dim->method, dim->method_len),
        ph_str_z(ph_counter_happenings[bl_cell_happening(cell->key)].state),
        is_count ? PH_STR("n") : currency);
    bl_words_add(&sink->words, ph_buf_str(&field));
    bl_words_i64(&sink->words, is_count ? cell->count : cell->amount);
}

static void
hash_add(struct bl_sink *sink, const struct bl_sums *sums, size_t from,
         size_t end)
{
    uint8_t xa     = bl_cell_xa(sink->sorted[from]->key);
    int64_t ttl_s  = xa == 0        ? PH_COUNTER_MINUTE_TTL_S
                     : xa == XA_DAY ? PH_COUNTER_DAY_TTL_S
                                    : 0;
    int64_t fields = 0;

    for (size_t i = from; i < end; i++) {
        const struct bl_cell *cell = sink->sorted[i];
        fields += (cell->count != 0) + (cell->amount != 0);
    }
    bl_words_i64(&sink->words, ttl_s);
    bl_words_i64(&sink->words, fields);
    for (size_t i = from; i < end; i++) {
        if (sink->sorted[i]->count != 0) {
            field_add(sink, sums, sink->sorted[i], true);
        }
        if (sink->sorted[i]->amount != 0) {
            field_add(sink, sums, sink->sorted[i], false);
        }
    }
}

static void
position_add(struct bl_sink *sink, const struct bl_sums *sums)
{
    char          memory[BL_POSITION_TEXT_MAX];
    struct ph_buf text = PH_BUF_INIT(memory);

    bl_position_format(&sums->position, &text);
    bl_words_add(&sink->words, ph_str_z(sink->stored));
    bl_words_add(&sink->words, ph_buf_str(&text));
    bl_words_i64(&sink->words, (int64_t) sums->at_ms);
    bl_words_add(&sink->words, ph_str_z(sums->hint));
    bl_words_add(&sink->words, ph_str_z(sums->unsure));
}

bool
bl_apply_words(struct bl_sink *sink, const struct bl_sums *sums)
{
    struct bl_words *words = &sink->words;
    char             memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf    position = PH_BUF_INIT(memory);
    int64_t          hashes   = 0;

    bl_words_clear(words);
    if (!days_make(sink, &sums->cells) || !cells_sort(sink, &sums->cells)) {
        return false;
    }
    for (size_t i = 0; i < sink->sorted_count; i = hash_end(sink, i)) {
        hashes++;
    }
    bl_words_add(words, PH_STR("FCALL"));
    bl_words_add(words, PH_STR("ph_apply"));
    bl_words_i64(words, hashes + 1);
    ph_counter_position_key(&position, sink->prefix, sink->epoch);
    bl_words_add(words, ph_buf_str(&position));
    for (size_t i = 0; i < sink->sorted_count; i = hash_end(sink, i)) {
        key_add(sink, sums, sink->sorted[i]->key);
    }
    position_add(sink, sums);
    for (size_t i = 0; i < sink->sorted_count; i = hash_end(sink, i)) {
        hash_add(sink, sums, i, hash_end(sink, i));
    }
    return !words->failed;
}

static unsigned
happening_find(struct ph_str state)
{
    unsigned i = 0;

    while (i < ph_counter_happening_count
           && !ph_str_eq(state, ph_str_z(ph_counter_happenings[i].state)))
    {
        i++;
    }
    return i;
}

static bool
number_parse(struct ph_str text, int64_t *number)
{
    bool     negative = text.len != 0 && text.ptr[0] == '-';
    uint64_t value;

    if (negative) {
        text = ph_str_make(text.ptr + 1, text.len - 1);
    }
    if (!ph_str_u64(text, INT64_MAX, &value)) {
        return false;
    }
    *number = negative ? -(int64_t) value : (int64_t) value;
    return true;
}

/* takes a prepared sum out of the pending ones, and counts it if committed */
static bool
pending_settle(struct bl_sums *sums, uint8_t xa, uint64_t pending,
               uint64_t counted, int64_t count, int64_t amount)
{
    return bl_cells_add(&sums->cells, pending, -count, -amount) == PH_OK
           && (!sums->xid[xa - 1].is_committed
               || bl_cells_add(&sums->cells, counted, count, amount) == PH_OK);
}

bool
bl_xa_resolve(struct bl_sums *sums, uint8_t xa, struct ph_str field,
              struct ph_str value)
{
    struct ph_str part[XA_PARTS];
    size_t        parts = 0;
    uint64_t      minute;
    int64_t       delta;
    uint16_t      dim;

    while (parts < XA_PARTS && ph_str_next(&field, '|', &part[parts])) {
        parts++;
    }
    bool is_account = parts == XA_ACCOUNT_PARTS;

    if ((parts != XA_PARTS && !is_account)
        || !ph_str_u64(part[0], UINT32_MAX, &minute)
        || !number_parse(value, &delta)
        || (is_account ? bl_sums_account(sums, part[1], &dim)
                       : bl_sums_dim(sums, part[3], part[4], part[1], &dim))
               != PH_OK)
    {
        return false;
    }
    unsigned happening = happening_find(part[is_account ? 2 : 5]);
    uint64_t kind      = is_account ? BL_CELL_ACCOUNT : 0;
    bool     is_count  = is_account || ph_str_eq(part[2], PH_STR("n"));
    uint32_t bucket    = (uint32_t) minute;

    return happening < ph_counter_happening_count
           && pending_settle(sums, xa,
                             bl_cell_key(bucket, happening, xa, dim) | kind,
                             bl_cell_key(bucket, happening, 0, dim) | kind,
                             is_count ? delta : 0, is_count ? 0 : delta);
}

/*
 * rows.c - row events of all versions, down to raw column bytes.
 *
 * An image is: a bitmap of NULLs with one bit for each column that stands in
 * it, then the values one after another, with no index: the only way to a
 * column is over all before it.  That walk is the sidecar's hot loop.
 */
#include "sidecar/rows.h"

#define V2_EXTRA_MIN 2 /* its own length */

const char bl_value_absent[1] = "";

/* clang-format off */
static const struct {
    uint8_t        type;
    enum bl_change change;
    bool           is_v2;
    bool           is_packed;
} kinds[] = {
    { BL_WRITE_V1, BL_INSERT, false, false },
    { BL_UPDATE_V1, BL_UPDATE, false, false },
    { BL_DELETE_V1, BL_DELETE, false, false },
    { BL_WRITE_V2, BL_INSERT, true, false },
    { BL_UPDATE_V2, BL_UPDATE, true, false },
    { BL_DELETE_V2, BL_DELETE, true, false },
    { BL_PARTIAL_UPDATE, BL_UPDATE, true, false },
    { BL_WRITE_PACKED, BL_INSERT, false, true },
    { BL_UPDATE_PACKED, BL_UPDATE, false, true },
    { BL_DELETE_PACKED, BL_DELETE, false, true },
    { BL_WRITE_V2_PACKED, BL_INSERT, true, true },
    { BL_UPDATE_V2_PACKED, BL_UPDATE, true, true },
    { BL_DELETE_V2_PACKED, BL_DELETE, true, true },
};
/* clang-format on */

bool
bl_type_is_rows(uint8_t type)
{
    for (size_t i = 0; i < PH_COUNT(kinds); i++) {
        if (kinds[i].type == type) {
            return true;
        }
    }
    return false;
}

static inline bool
bit_is_set(const uint8_t *map, size_t bit)
{
    return (map[bit / 8] >> bit % 8 & 1) != 0;
}

/* every bit of the first `count` */
static bool
map_is_full(struct ph_str map, size_t count)
{
    const uint8_t *bytes = (const uint8_t *) map.ptr;
    uint8_t        tail  = (uint8_t) ((1u << count % 8) - 1);

    for (size_t i = 0; i < count / 8; i++) {
        if (bytes[i] != 0xff) {
            return false;
        }
    }
    return tail == 0 || (bytes[count / 8] & tail) == tail;
}

static size_t
bits_set(struct ph_str map, size_t count)
{
    size_t set = 0;

    for (size_t i = 0; i < count; i++) {
        set += bit_is_set((const uint8_t *) map.ptr, i);
    }
    return set;
}

bool
bl_rows_read(const struct bl_format *format, uint8_t type, struct ph_cur body,
             struct bl_rows *rows)
{
    size_t kind = 0;

    while (kind + 1 < PH_COUNT(kinds) && kinds[kind].type != type) {
        kind++;
    }
    *rows            = (struct bl_rows){ 0 };
    rows->change     = kinds[kind].change;
    rows->is_packed  = kinds[kind].is_packed;
    rows->is_partial = type == BL_PARTIAL_UPDATE;
    rows->table_id   = ph_cur_le(&body, format->post_len[type] == 6 ? 4 : 6);
    (void) ph_cur_le(&body, 2); /* flags: end of statement, checks off */
    if (kinds[kind].is_v2) {
        uint64_t extra = ph_cur_le(&body, 2);

        if (extra < V2_EXTRA_MIN) {
            return false;
        }
        (void) ph_cur_take(&body, extra - V2_EXTRA_MIN);
    }
    rows->columns = bl_lenenc(&body);
    if (body.failed || rows->columns > BL_COLUMNS_MAX) {
        return false;
    }
    rows->before_map = ph_cur_take(&body, (rows->columns + 7) / 8);
    rows->after_map  = rows->before_map;
    if (rows->change == BL_UPDATE) {
        rows->after_map = ph_cur_take(&body, (rows->columns + 7) / 8);
    }
    rows->data = ph_cur_take(&body, ph_cur_left(&body));
    if (body.failed) {
        return false;
    }
    rows->is_full = map_is_full(rows->before_map, rows->columns)
                    && map_is_full(rows->after_map, rows->columns);
    return true;
}

/*
 * A partial update has an options number before the after image and, if its
 * first bit is set, a bitmap of the JSON columns that carry differences.
 */
static void
partial_skip(struct ph_cur *cur, const struct bl_table *table)
{
    size_t json = 0;

    if ((bl_lenenc(cur) & 1) == 0) {
        return;
    }
    for (size_t i = 0; i < table->columns; i++) {
        json += table->column[i].type == BL_COL_JSON;
    }
    (void) ph_cur_take(cur, (json + 7) / 8);
}

/* length bytes before a value; SIZE_MAX when it does not fit into `left` */
static inline size_t
value_len(const uint8_t *at, size_t left, const struct bl_step *step)
{
    if (left < step->prefix_len) {
        return SIZE_MAX;
    }
    size_t len = at[0];
    for (unsigned i = 1; i < step->prefix_len; i++) {
        len |= (size_t) at[i] << (8 * i);
    }
    return len > left - step->prefix_len ? SIZE_MAX : len;
}

/* the value at *cur; the caller tests cur->failed */
static struct ph_str
value_take(struct ph_cur *cur, const struct bl_step *step)
{
    if (step->prefix_len == 0) {
        return ph_cur_take(cur, step->width);
    }
    size_t len = value_len(cur->ptr, ph_cur_left(cur), step);
    (void) ph_cur_take(cur, step->prefix_len);
    return ph_cur_take(cur, len);
}

/*
 * All columns present: bit i of the NULLs is column i.  The same as
 * some_image_read() with everything in registers.
 */
static bool
full_image_read(struct ph_cur *cur, const struct bl_table *table,
                struct bl_image *image)
{
    const struct bl_step *step  = table->step;
    const struct bl_step *last  = step + table->columns;
    const uint8_t        *nulls = cur->ptr;
    const uint8_t        *at    = nulls + (table->columns + 7) / 8;

    if (ph_cur_left(cur) < (table->columns + 7) / 8) {
        return false;
    }
    for (size_t bit = 0; step < last; step++, bit++) {
        if (bit_is_set(nulls, bit)) {
            if (step->slot != BL_SLOT_NONE) {
                image->value[step->slot] = ph_str_make(BL_VALUE_NULL, 0);
            }
            continue;
        }
        size_t left = (size_t) (cur->end - at);
        size_t len  = step->width;
        if (step->prefix_len != 0) {
            len = value_len(at, left, step);
            at += len != SIZE_MAX ? step->prefix_len : 0;
        }
        if (len > left) {
            return false;
        }
        if (step->slot != BL_SLOT_NONE) {
            image->value[step->slot] = ph_str_make((const char *) at, len);
        }
        at += len;
    }
    cur->ptr = at;
    return true;
}

static bool
some_image_read(struct ph_cur *cur, const struct bl_table *table,
                struct ph_str map, struct bl_image *image)
{
    size_t        count = bits_set(map, table->columns);
    struct ph_str nulls = ph_cur_take(cur, (count + 7) / 8);
    size_t        bit   = 0; /* among the columns present */

    for (size_t i = 0; i < table->columns && !cur->failed; i++) {
        const struct bl_step *step  = &table->step[i];
        struct ph_str         value = { bl_value_absent, 0 };

        if (bit_is_set((const uint8_t *) map.ptr, i)) {
            value = bit_is_set((const uint8_t *) nulls.ptr, bit)
                        ? ph_str_make(BL_VALUE_NULL, 0)
                        : value_take(cur, step);
            bit++;
        }
        if (step->slot != BL_SLOT_NONE) {
            image->value[step->slot] = value;
        }
    }
    return !cur->failed;
}

bool
bl_image_read(struct ph_cur *cur, const struct bl_table *table,
              const struct bl_rows *rows, struct ph_str map,
              struct bl_image *image)
{
    if (rows->is_partial && map.ptr == rows->after_map.ptr) {
        partial_skip(cur, table);
    }
    return rows->is_full ? full_image_read(cur, table, image)
                         : some_image_read(cur, table, map, image);
}

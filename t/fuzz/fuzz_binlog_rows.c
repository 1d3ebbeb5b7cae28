/*
 * fuzz_binlog_rows.c - one table map and one row event on it.
 *
 * Input: type of the row event, length of the map's body (2 bytes, little
 * end first), the map, the rows.  Walked with every column wanted and printed,
 * so that each value is read, then with none wanted.
 */
#include "t/fuzz/fuzz.h"

#include "sidecar/print.h"

#define FRAME_MAX (1u << 20)

static char frame[FRAME_MAX + BL_HEAD_LEN];

static bool
table_skip(void *context, struct bl_decoder *decoder, struct bl_table *table)
{
    (void) context;
    (void) decoder;
    table->wanted = false;
    return true;
}

static bool
event_decode(struct bl_decoder *decoder, uint8_t type, struct ph_str body)
{
    struct ph_buf event;

    ph_buf_init(&event, frame, sizeof(frame));
    ph_buf_le(&event, 0, 4);
    ph_buf_le(&event, type, 1);
    ph_buf_le(&event, 1, 4);
    ph_buf_le(&event, BL_HEAD_LEN + body.len, 4);
    ph_buf_le(&event, 0, 4);
    ph_buf_le(&event, 0, 2);
    ph_buf_add(&event, body);
    bool ok = bl_decode(decoder, ph_buf_str(&event));
    FUZZ_HOLDS(ok || decoder->why.len != 0);
    return ok;
}

static uint64_t
rows_walk(const struct bl_visitor *visitor, uint8_t type, struct ph_str map,
          struct ph_str rows)
{
    static struct bl_decoder decoder;

    FUZZ_HOLDS(bl_decoder_init(&decoder, visitor, 0));
    if (event_decode(&decoder, BL_TABLE_MAP, map)) {
        (void) event_decode(&decoder, type, rows);
    }
    uint64_t changes = decoder.row_changes;
    bl_decoder_deinit(&decoder);
    return changes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bl_print print;
    struct ph_cur          cur;

    ph_cur_init(&cur, ph_str_make((const char *) data, size));
    uint8_t       type = (uint8_t) ph_cur_le(&cur, 1);
    size_t        len  = (size_t) ph_cur_le(&cur, 2);
    struct ph_str map  = ph_cur_take(&cur, len);
    struct ph_str rows = ph_cur_take(&cur, ph_cur_left(&cur));
    if (cur.failed || size > FRAME_MAX / 2) {
        return 0;
    }
    print.style = size % 2 == 0 ? BL_STYLE_TEXT : BL_STYLE_JSON;
    bl_out_init(&print.out, -1);
    struct bl_visitor visitor = bl_print_visitor(&print);
    (void) rows_walk(&visitor, type, map, rows);
    visitor.table = table_skip;
    FUZZ_HOLDS(rows_walk(&visitor, type, map, rows) == 0);
    return 0;
}

/*
 * fuzz_binlog_event.c - the small events of a binlog, each by itself.
 *
 * The first byte chooses the reader; views stay inside of the input.
 */
#include "t/fuzz/fuzz.h"

#include "sidecar/event.h"
#include "sidecar/position.h"

static void
inside(struct ph_str view, struct ph_str bytes)
{
    FUZZ_HOLDS(view.len == 0
               || (view.ptr >= bytes.ptr
                   && view.ptr + view.len <= bytes.ptr + bytes.len));
}

static void
gtid_hold(struct ph_cur body, struct ph_str bytes)
{
    struct bl_gtid gtid;

    if (bl_gtid_read(body, 1, &gtid)) {
        inside(gtid.xid, bytes);
        FUZZ_HOLDS(gtid.xid.len <= BL_XID_MAX);
        FUZZ_HOLDS(gtid.xid_gtrid_len <= gtid.xid.len || gtid.xid.len == 0);
    }
}

/* what is taken is written again and taken as the same */
static void
position_hold(struct ph_str text)
{
    struct bl_position position, again;
    char               memory[2][BL_POSITION_TEXT_MAX];
    struct ph_buf      first  = PH_BUF_INIT(memory[0]);
    struct ph_buf      second = PH_BUF_INIT(memory[1]);

    if (bl_position_parse(text, &position) == PH_OK) {
        bl_position_format(&position, &first);
        FUZZ_HOLDS(!first.full
                   && bl_position_parse(ph_buf_str(&first), &again) == PH_OK);
        bl_position_format(&again, &second);
        FUZZ_HOLDS(ph_str_eq(ph_buf_str(&first), ph_buf_str(&second)));
    }
}

static void
format_hold(struct ph_str bytes)
{
    struct bl_format format;

    if (bl_format_read(&format, bytes)) {
        FUZZ_HOLDS(format.version == 4 && format.head_len >= BL_HEAD_LEN);
        FUZZ_HOLDS(format.checksum <= 1);
    }
}

static void
query_hold(struct ph_cur body, struct ph_str bytes, uint8_t type)
{
    struct bl_format format;
    struct bl_query  query;

    bl_format_init(&format);
    if (bl_query_read(body, &format, type, &query)) {
        inside(query.db, bytes);
        inside(query.text, bytes);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_cur  body;
    struct bl_head head;
    struct ph_str  file;
    uint64_t       pos;

    if (size == 0) {
        return 0;
    }
    struct ph_str bytes = ph_str_make((const char *) data + 1, size - 1);
    ph_cur_init(&body, bytes);
    switch (data[0] % 7) {
    case 0:
        if (bl_head_read(&body, &head)) {
            FUZZ_HOLDS(head.len >= BL_HEAD_LEN && head.len <= BL_EVENT_MAX);
        }
        (void) bl_checksum_is_right(bytes, head.flags);
        break;
    case 1:
        gtid_hold(body, bytes);
        break;
    case 2:
        position_hold(bytes);
        break;
    case 3:
        format_hold(bytes);
        break;
    case 4:
        query_hold(body, bytes, BL_QUERY);
        break;
    case 5:
        query_hold(body, bytes, BL_EXECUTE_LOAD);
        break;
    default:
        if (bl_rotate_read(body, &file, &pos)) {
            inside(file, bytes);
        }
    }
    return 0;
}

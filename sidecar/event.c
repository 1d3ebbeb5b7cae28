/*
 * event.c - headers, format description, checksum, framing events.
 *
 * Every read goes through a ph_cur, whose failure sticks: a structure is read
 * whole, then asked once.  Nothing here allocates or keeps state.
 */
#include "sidecar/event.h"

#define ZLIB_CONST
#include <zlib.h>

#define FORMAT_VERSION_LEN 50
#define FLAGS_AT 17 /* of the header flags in an event */
#define GTID_GROUP_COMMIT 0x02
#define QUERY_HEAD_V3_LEN 11 /* before status variables came */
#define LOAD_EXTRA_LEN 13    /* file id, two offsets, duplicate handling */

/* clang-format off */
static const struct {
    uint8_t     type;
    bool        quiet;
    const char *name;
} types[] = {
    { BL_START_V3, true, "START_V3" },
    { BL_QUERY, false, "QUERY" },
    { BL_STOP, true, "STOP" },
    { BL_ROTATE, false, "ROTATE" },
    { 5, true, "INTVAR" },
    { 6, true, "LOAD" },
    { 7, true, "SLAVE" },
    { 8, true, "CREATE_FILE" },
    { 9, true, "APPEND_BLOCK" },
    { 10, true, "EXEC_LOAD" },
    { 11, true, "DELETE_FILE" },
    { 12, true, "NEW_LOAD" },
    { 13, true, "RAND" },
    { 14, true, "USER_VAR" },
    { BL_FORMAT, false, "FORMAT_DESCRIPTION" },
    { BL_XID, false, "XID" },
    { 17, true, "BEGIN_LOAD_QUERY" },
    { BL_EXECUTE_LOAD, false, "EXECUTE_LOAD_QUERY" },
    { BL_TABLE_MAP, false, "TABLE_MAP" },
    { BL_WRITE_V0, false, "PRE_GA_WRITE_ROWS" },
    { 21, false, "PRE_GA_UPDATE_ROWS" },
    { BL_DELETE_V0, false, "PRE_GA_DELETE_ROWS" },
    { BL_WRITE_V1, false, "WRITE_ROWS_V1" },
    { BL_UPDATE_V1, false, "UPDATE_ROWS_V1" },
    { BL_DELETE_V1, false, "DELETE_ROWS_V1" },
    { BL_INCIDENT, false, "INCIDENT" },
    { BL_HEARTBEAT, false, "HEARTBEAT" },
    { 28, true, "IGNORABLE" },
    { 29, true, "ROWS_QUERY" },
    { BL_WRITE_V2, false, "WRITE_ROWS" },
    { BL_UPDATE_V2, false, "UPDATE_ROWS" },
    { BL_DELETE_V2, false, "DELETE_ROWS" },
    { 33, true, "MYSQL_GTID" },
    { 34, true, "ANONYMOUS_GTID" },
    { 35, true, "PREVIOUS_GTIDS" },
    { 36, true, "TRANSACTION_CONTEXT" },
    { 37, true, "VIEW_CHANGE" },
    { BL_XA_PREPARE, false, "XA_PREPARE" },
    { BL_PARTIAL_UPDATE, false, "PARTIAL_UPDATE_ROWS" },
    { BL_TRANSACTION_PAYLOAD, false, "TRANSACTION_PAYLOAD" },
    { BL_HEARTBEAT_V2, false, "HEARTBEAT_V2" },
    { 42, true, "GTID_TAGGED" },
    { 160, true, "ANNOTATE_ROWS" },
    { 161, true, "BINLOG_CHECKPOINT" },
    { BL_GTID, false, "GTID" },
    { BL_GTID_LIST, true, "GTID_LIST" },
    { BL_ENCRYPTION, false, "START_ENCRYPTION" },
    { BL_QUERY_PACKED, false, "QUERY_COMPRESSED" },
    { BL_WRITE_PACKED, false, "WRITE_ROWS_COMPRESSED_V1" },
    { BL_UPDATE_PACKED, false, "UPDATE_ROWS_COMPRESSED_V1" },
    { BL_DELETE_PACKED, false, "DELETE_ROWS_COMPRESSED_V1" },
    { BL_WRITE_V2_PACKED, false, "WRITE_ROWS_COMPRESSED" },
    { BL_UPDATE_V2_PACKED, false, "UPDATE_ROWS_COMPRESSED" },
    { BL_DELETE_V2_PACKED, false, "DELETE_ROWS_COMPRESSED" },
};
/* clang-format on */

bool
bl_type_is_quiet(uint8_t type)
{
    for (size_t i = 0; i < PH_COUNT(types); i++) {
        if (types[i].type == type) {
            return types[i].quiet;
        }
    }
    return false;
}

const char *
bl_type_name(uint8_t type)
{
    for (size_t i = 0; i < PH_COUNT(types); i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return "unknown";
}

bool
bl_head_read(struct ph_cur *cur, struct bl_head *head)
{
    head->time_s    = (uint32_t) ph_cur_le(cur, 4);
    head->type      = (uint8_t) ph_cur_le(cur, 1);
    head->server_id = (uint32_t) ph_cur_le(cur, 4);
    head->len       = (uint32_t) ph_cur_le(cur, 4);
    head->end_pos   = (uint32_t) ph_cur_le(cur, 4);
    head->flags     = (uint16_t) ph_cur_le(cur, 2);
    return !cur->failed && head->len >= BL_HEAD_LEN
           && head->len <= BL_EVENT_MAX;
}

/*
 * A server that still writes a file has its in-use bit set in the first event,
 * and leaves that bit out of the sum.
 */
bool
bl_checksum_is_right(struct ph_str event, uint16_t flags)
{
    const uint8_t *bytes = (const uint8_t *) event.ptr;
    struct ph_cur  tail;

    if (event.len < BL_HEAD_LEN + BL_CHECKSUM_LEN) {
        return false;
    }
    size_t len = event.len - BL_CHECKSUM_LEN;
    uLong  sum;
    if ((flags & BL_HEAD_IN_USE) == 0) {
        sum = crc32(0, bytes, (uInt) len);
    } else {
        uint8_t low = (uint8_t) (flags & 0xff & ~BL_HEAD_IN_USE);
        sum         = crc32(0, bytes, FLAGS_AT);
        sum         = crc32(sum, &low, 1);
        sum = crc32(sum, bytes + FLAGS_AT + 1, (uInt) (len - FLAGS_AT - 1));
    }
    ph_cur_init(&tail, ph_str_make(event.ptr + len, BL_CHECKSUM_LEN));
    return ph_cur_le(&tail, BL_CHECKSUM_LEN) == sum;
}

void
bl_format_init(struct bl_format *format)
{
    *format          = (struct bl_format){ 0 };
    format->version  = 4;
    format->head_len = BL_HEAD_LEN;
}

/* the number at the front of *text, which moves past it and one dot */
static unsigned
version_part(struct ph_str *text)
{
    unsigned part = 0;

    while (text->len != 0 && text->ptr[0] >= '0' && text->ptr[0] <= '9'
           && part < 1000)
    {
        part = part * 10 + (unsigned) (text->ptr[0] - '0');
        text->ptr++;
        text->len--;
    }
    if (text->len != 0 && text->ptr[0] == '.') {
        text->ptr++;
        text->len--;
    }
    return part;
}

static bool
text_holds(struct ph_str text, struct ph_str piece)
{
    return text.len >= piece.len
           && memmem(text.ptr, text.len, piece.ptr, piece.len) != NULL;
}

/* Checksums came with MySQL 5.6.1 and MariaDB 5.3.0. */
static void
server_read(struct bl_format *format, struct ph_str name)
{
    unsigned first = 0, second = 0, third = 0;
    size_t   len = 0;

    for (; len < name.len && name.ptr[len] != '\0'; len++) {
        format->server[len] = name.ptr[len];
    }
    format->server[len] = '\0';
    name                = ph_str_make(name.ptr, len);
    format->is_mariadb  = text_holds(name, PH_STR("MariaDB"));
    first               = version_part(&name);
    second              = version_part(&name);
    third               = version_part(&name);

    unsigned version = first * 1000000 + second * 1000 + third;
    format->has_checksum
        = version >= (format->is_mariadb ? 5003000u : 5006001u);
}

bool
bl_format_read(struct bl_format *format, struct ph_str event)
{
    struct ph_cur  cur;
    struct bl_head head;

    bl_format_init(format);
    ph_cur_init(&cur, event);
    if (!bl_head_read(&cur, &head)) {
        return false;
    }
    format->version    = (uint16_t) ph_cur_le(&cur, 2);
    struct ph_str name = ph_cur_take(&cur, FORMAT_VERSION_LEN);
    (void) ph_cur_le(&cur, 4); /* time of creation */
    format->head_len = (uint8_t) ph_cur_le(&cur, 1);
    if (cur.failed || format->version != 4 || format->head_len < BL_HEAD_LEN) {
        return false;
    }
    server_read(format, name);
    if (format->has_checksum) {
        if (ph_cur_left(&cur) < 1 + BL_CHECKSUM_LEN) {
            return false;
        }
        cur.end -= BL_CHECKSUM_LEN + 1;
        format->checksum = cur.end[0];
    }
    struct ph_str lens = ph_cur_take(&cur, ph_cur_left(&cur));
    for (size_t i = 0; i < lens.len && i + 1 < BL_EVENT_TYPES; i++) {
        format->post_len[i + 1] = (uint8_t) lens.ptr[i];
    }
    return format->checksum <= 1;
}

bool
bl_gtid_read(struct ph_cur body, uint32_t server_id, struct bl_gtid *gtid)
{
    *gtid           = (struct bl_gtid){ 0 };
    gtid->server_id = server_id;
    gtid->seq       = ph_cur_le(&body, 8);
    gtid->domain    = (uint32_t) ph_cur_le(&body, 4);
    gtid->flags     = (uint8_t) ph_cur_le(&body, 1);
    if (gtid->flags & GTID_GROUP_COMMIT) {
        (void) ph_cur_le(&body, 8);
    }
    if (gtid->flags & (BL_GTID_PREPARED_XA | BL_GTID_COMPLETED_XA)) {
        gtid->xid_format    = (uint32_t) ph_cur_le(&body, 4);
        gtid->xid_gtrid_len = (uint8_t) ph_cur_le(&body, 1);
        size_t bqual_len    = (size_t) ph_cur_le(&body, 1);
        gtid->xid = ph_cur_take(&body, gtid->xid_gtrid_len + bqual_len);
    }
    return !body.failed && gtid->xid.len <= BL_XID_MAX;
}

bool
bl_query_read(struct ph_cur body, const struct bl_format *format, uint8_t type,
              struct bl_query *query)
{
    (void) ph_cur_le(&body, 8); /* thread, seconds */
    size_t db_len = (size_t) ph_cur_le(&body, 1);
    (void) ph_cur_le(&body, 2); /* error code */
    size_t vars_len = 0;
    size_t head_len = format->post_len[BL_QUERY];

    if (head_len == 0 || head_len > QUERY_HEAD_V3_LEN) {
        vars_len = (size_t) ph_cur_le(&body, 2);
    }
    if (type == BL_EXECUTE_LOAD) {
        (void) ph_cur_take(&body, LOAD_EXTRA_LEN);
    }
    (void) ph_cur_take(&body, vars_len);
    query->db = ph_cur_take(&body, db_len);
    (void) ph_cur_le(&body, 1); /* NUL after the name */
    query->text = ph_cur_take(&body, ph_cur_left(&body));
    return !body.failed;
}

bool
bl_rotate_read(struct ph_cur body, struct ph_str *file, uint64_t *pos)
{
    *pos  = ph_cur_le(&body, 8);
    *file = ph_cur_take(&body, ph_cur_left(&body));
    return !body.failed;
}

uint64_t
bl_lenenc(struct ph_cur *cur)
{
    uint64_t first = ph_cur_le(cur, 1);

    switch (first) {
    case 252:
        return ph_cur_le(cur, 2);
    case 253:
        return ph_cur_le(cur, 3);
    case 254:
        return ph_cur_le(cur, 8);
    case 251:
    case 255:
        cur->failed = true;
        return 0;
    default:
        return first;
    }
}

/*
 * decoder.c - from events to visitor calls.
 *
 * A transaction of MariaDB begins with its GTID event.  It ends with XID,
 * with the statement COMMIT or ROLLBACK (engines without transactions), with
 * XA_PREPARE, or, when the GTID says standalone, with its one statement.
 * A transaction never goes on in another file: one that is open when a file
 * begins was cut off by a crash, and recovery has rolled it back.
 */
#include "sidecar/decoder.h"

#include <stdlib.h>
#include <strings.h>

bool
bl_decoder_init(struct bl_decoder *decoder, const struct bl_visitor *visitor,
                uint8_t checksum)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->visitor = *visitor;
    decoder->before  = calloc(BL_COLUMNS_MAX, sizeof(*decoder->before));
    decoder->after   = calloc(BL_COLUMNS_MAX, sizeof(*decoder->after));
    bl_tables_init(&decoder->tables);
    ph_buf_init(&decoder->why, decoder->why_memory,
                sizeof(decoder->why_memory));
    bl_decoder_reset(decoder, checksum);
    return decoder->before != NULL && decoder->after != NULL;
}

void
bl_decoder_deinit(struct bl_decoder *decoder)
{
    bl_tables_clear(&decoder->tables);
    bl_unpacker_deinit(&decoder->unpacker);
    bl_payload_deinit(&decoder->payload);
    free(decoder->before);
    free(decoder->after);
}

void
bl_decoder_reset(struct bl_decoder *decoder, uint8_t checksum)
{
    bl_tables_clear(&decoder->tables);
    bl_format_init(&decoder->format);
    decoder->format.checksum = checksum;
    decoder->has_format      = false;
    decoder->is_old_format   = false;
    decoder->in_transaction  = false;
    decoder->file[0]         = '\0';
    ph_buf_cut(&decoder->why, 0);
}

bool
bl_refuse(struct bl_decoder *decoder, const char *text)
{
    struct ph_buf *why = &decoder->why;

    ph_buf_cut(why, 0);
    ph_buf_add(why, decoder->file[0] != '\0' ? ph_str_z(decoder->file)
                                             : PH_STR("binlog"));
    ph_buf_add(why, PH_STR(" up to position "));
    ph_buf_u64(why, decoder->head.end_pos);
    ph_buf_add(why, PH_STR(", event "));
    ph_buf_add(why, ph_str_z(bl_type_name(decoder->head.type)));
    ph_buf_add(why, PH_STR(" ("));
    ph_buf_u64(why, decoder->head.type);
    ph_buf_add(why, PH_STR("): "));
    ph_buf_add(why, ph_str_z(text));
    return false;
}

static bool
transaction_end(struct bl_decoder *decoder, enum bl_end how)
{
    decoder->in_transaction = false;
    bl_tables_trim(&decoder->tables);
    return decoder->visitor.end(decoder->visitor.context, decoder, how);
}

static bool
transaction_abort(struct bl_decoder *decoder)
{
    const struct bl_visitor *visitor = &decoder->visitor;

    decoder->in_transaction = false;
    return visitor->abort == NULL || visitor->abort(visitor->context, decoder);
}

static bool
format_take(struct bl_decoder *decoder, struct ph_str event)
{
    struct bl_format format;

    if (!bl_format_read(&format, event)) {
        return bl_refuse(decoder,
                         "found a format that is malformed or not version 4, "
                         "expected a binlog of MySQL 5.0 or later or MariaDB");
    }
    if (format.has_checksum && format.checksum != 0
        && !bl_checksum_is_right(event, decoder->head.flags))
    {
        return bl_refuse(decoder, "its checksum is wrong");
    }
    decoder->format     = format;
    decoder->has_format = true;
    bl_tables_clear(&decoder->tables);
    return !decoder->in_transaction || transaction_abort(decoder);
}

static bool
gtid_take(struct bl_decoder *decoder, struct ph_cur body)
{
    struct bl_gtid *gtid = &decoder->gtid;

    if (!bl_gtid_read(body, decoder->head.server_id, gtid)) {
        return bl_refuse(decoder, "it is malformed");
    }
    if (decoder->in_transaction) {
        return bl_refuse(decoder, "a transaction begins before the end of the "
                                  "one before it");
    }
    if (gtid->xid.len != 0) {
        memcpy(decoder->xid, gtid->xid.ptr, gtid->xid.len);
        gtid->xid.ptr = decoder->xid;
    }
    decoder->in_transaction = true;
    return decoder->visitor.begin(decoder->visitor.context, decoder, gtid);
}

static bool
text_begins(struct ph_str text, struct ph_str words)
{
    return text.len >= words.len
           && strncasecmp(text.ptr, words.ptr, words.len) == 0;
}

static bool
text_is(struct ph_str text, struct ph_str words)
{
    return text.len == words.len && text_begins(text, words);
}

static bool
query_take(struct bl_decoder *decoder, struct ph_cur body)
{
    const struct bl_visitor *visitor = &decoder->visitor;
    struct bl_query          query;

    if (!bl_query_read(body, &decoder->format, decoder->head.type, &query)
        || (decoder->head.type == BL_QUERY_PACKED
            && !bl_unpack(&decoder->unpacker, query.text, &query.text)))
    {
        return bl_refuse(decoder, "it is malformed");
    }
    if (decoder->gtid.flags & BL_GTID_COMPLETED_XA && decoder->in_transaction) {
        if (text_begins(query.text, PH_STR("XA COMMIT"))) {
            return transaction_end(decoder, BL_END_XA_COMMIT);
        }
        if (text_begins(query.text, PH_STR("XA ROLLBACK"))) {
            return transaction_end(decoder, BL_END_XA_ROLLBACK);
        }
        return bl_refuse(decoder, "expected XA COMMIT or XA ROLLBACK");
    }
    if (text_is(query.text, PH_STR("BEGIN"))) {
        return true;
    }
    if (text_is(query.text, PH_STR("COMMIT"))
        || text_is(query.text, PH_STR("ROLLBACK")))
    {
        /* rows before a logged ROLLBACK are of engines that cannot */
        return transaction_end(decoder, BL_END_COMMIT);
    }
    if (visitor->query != NULL
        && !visitor->query(visitor->context, decoder, &query))
    {
        return false;
    }
    if (decoder->in_transaction && decoder->gtid.flags & BL_GTID_STANDALONE) {
        return transaction_end(decoder, BL_END_COMMIT);
    }
    return true;
}

static bool
rotate_take(struct bl_decoder *decoder, struct ph_cur body)
{
    struct ph_str file;
    uint64_t      pos;

    if (!bl_rotate_read(body, &file, &pos) || file.len > BL_FILE_NAME_MAX) {
        return bl_refuse(decoder, "it is malformed");
    }
    if (file.len != 0) {
        memcpy(decoder->file, file.ptr, file.len);
    }
    decoder->file[file.len] = '\0';
    return true;
}

static bool
map_take(struct bl_decoder *decoder, struct ph_cur body)
{
    const struct bl_visitor *visitor = &decoder->visitor;
    const char              *why     = NULL;
    bool                     fresh   = false;
    struct ph_str            bytes   = ph_cur_take(&body, ph_cur_left(&body));
    struct bl_table *table = bl_tables_take(&decoder->tables, &decoder->format,
                                            bytes, &fresh, &why);

    if (table == NULL) {
        return bl_refuse(decoder, why);
    }
    if (fresh) {
        if (!visitor->table(visitor->context, decoder, table)) {
            return false;
        }
        bl_table_plan(table);
    }
    return true;
}

static bool
rows_walk(struct bl_decoder *decoder, const struct bl_table *table,
          const struct bl_rows *rows)
{
    const struct bl_visitor *visitor = &decoder->visitor;
    struct bl_row            row     = { .change = rows->change,
                                         .table  = table,
                                         .before = { decoder->before },
                                         .after  = { decoder->after } };
    struct ph_cur            cur;

    ph_cur_init(&cur, rows->data);
    while (ph_cur_left(&cur) != 0) {
        const uint8_t *from = cur.ptr;

        if ((rows->change != BL_INSERT
             && !bl_image_read(&cur, table, rows, rows->before_map,
                               &row.before))
            || (rows->change != BL_DELETE
                && !bl_image_read(&cur, table, rows, rows->after_map,
                                  &row.after))
            || cur.ptr == from)
        {
            return bl_refuse(decoder, "its rows do not fit its table map");
        }
        decoder->row_changes++;
        if (!visitor->row(visitor->context, decoder, &row)) {
            return false;
        }
    }
    return true;
}

/* MySQL ends a statement that changed nothing by an event for no table. */
static bool
id_is_dummy(uint64_t table_id)
{
    return table_id == 0xffffff || table_id == 0xffffffff
           || table_id == UINT64_C(0xffffffffffff);
}

static bool
rows_take(struct bl_decoder *decoder, struct ph_cur body)
{
    const struct bl_visitor *visitor = &decoder->visitor;
    struct bl_rows           rows;

    if (!bl_rows_read(&decoder->format, decoder->head.type, body, &rows)) {
        return bl_refuse(decoder, "it is malformed");
    }
    const struct bl_table *table
        = bl_tables_find(&decoder->tables, rows.table_id);
    if (table == NULL) {
        if (id_is_dummy(rows.table_id)) {
            return true;
        }
        return bl_refuse(decoder, "no table map came before it");
    }
    if (table->columns != rows.columns) {
        return bl_refuse(decoder, "its column count is not its table map's");
    }
    if (!table->wanted) {
        return true;
    }
    if (rows.is_packed && !bl_unpack(&decoder->unpacker, rows.data, &rows.data))
    {
        return bl_refuse(decoder, "its compressed rows are malformed");
    }
    if (visitor->rows != NULL
        && !visitor->rows(visitor->context, decoder, table, &rows))
    {
        return false;
    }
    return rows_walk(decoder, table, &rows);
}

static bool
refuse_type(struct bl_decoder *decoder)
{
    switch (decoder->head.type) {
    case BL_ENCRYPTION: /* a server that decrypts marks it as ignorable */
        return decoder->head.flags & BL_HEAD_IGNORABLE
               || bl_refuse(decoder,
                            "the file is encrypted; a server decrypts it "
                            "for a replica: read it with --live");
    case BL_WRITE_V0:
    case BL_WRITE_V0 + 1:
    case BL_DELETE_V0:
        return bl_refuse(decoder, "row events of MySQL 5.1 betas are not read");
    default:
        if (decoder->head.flags & BL_HEAD_IGNORABLE
            || bl_type_is_quiet(decoder->head.type))
        {
            return true;
        }
        return bl_refuse(decoder, "its type is not known and not ignorable");
    }
}

/* The server lost events and says so: number 1, and a message. */
static bool
incident_take(struct bl_decoder *decoder, struct ph_cur body)
{
    const struct bl_visitor *visitor = &decoder->visitor;
    uint64_t                 number  = ph_cur_le(&body, 2);

    (void) ph_cur_take(&body, (size_t) ph_cur_le(&body, 1));
    if (body.failed || number > 1) {
        return bl_refuse(decoder, "it is malformed");
    }
    return visitor->incident == NULL
           || visitor->incident(visitor->context, decoder);
}

static bool payload_take(struct bl_decoder *decoder, struct ph_cur body);

static bool
event_take(struct bl_decoder *decoder, struct ph_cur body)
{
    switch (decoder->head.type) {
    case BL_TRANSACTION_PAYLOAD:
        return payload_take(decoder, body);
    case BL_GTID:
        return gtid_take(decoder, body);
    case BL_TABLE_MAP:
        return map_take(decoder, body);
    case BL_XID:
        return transaction_end(decoder, BL_END_COMMIT);
    case BL_XA_PREPARE:
        return transaction_end(decoder, BL_END_XA_PREPARE);
    case BL_QUERY:
    case BL_QUERY_PACKED:
    case BL_EXECUTE_LOAD:
        return query_take(decoder, body);
    case BL_ROTATE:
        return rotate_take(decoder, body);
    case BL_HEARTBEAT:
    case BL_HEARTBEAT_V2:
        decoder->heartbeats++;
        return true;
    case BL_INCIDENT:
        return incident_take(decoder, body);
    default:
        return bl_type_is_rows(decoder->head.type) ? rows_take(decoder, body)
                                                   : refuse_type(decoder);
    }
}

/* What frames files and transactions stands outside of payloads. */
static bool
type_is_packable(uint8_t type)
{
    switch (type) {
    case BL_START_V3:
    case BL_ROTATE:
    case BL_FORMAT:
    case BL_GTID:
    case BL_TRANSACTION_PAYLOAD:
        return false;
    default:
        return true;
    }
}

/* An event of a payload: no checksum, and an end position of nowhere. */
static bool
inner_take(void *context, struct ph_str event)
{
    struct bl_decoder *decoder = context;
    struct bl_head    *head    = &decoder->head;
    uint32_t           end_pos = head->end_pos;
    struct ph_cur      cur;

    ph_cur_init(&cur, event);
    if (!bl_head_read(&cur, head)) {
        return bl_refuse(decoder, "its length is impossible");
    }
    head->end_pos = end_pos;
    decoder->events++;
    if (!type_is_packable(head->type)) {
        return bl_refuse(decoder, "it cannot be part of a payload");
    }
    if (ph_cur_left(&cur) < (size_t) decoder->format.head_len - BL_HEAD_LEN) {
        return bl_refuse(decoder, "its length is impossible");
    }
    cur.ptr += decoder->format.head_len - BL_HEAD_LEN;
    return event_take(decoder, cur);
}

static bool
payload_take(struct bl_decoder *decoder, struct ph_cur body)
{
    struct bl_head head = decoder->head;
    const char    *why  = NULL;

    bool ok
        = bl_payload_walk(&decoder->payload, body, inner_take, decoder, &why);
    if (!ok && why == NULL) {
        return false; /* the event that was refused has said so */
    }
    decoder->head = head;
    return ok || bl_refuse(decoder, why);
}

bool
bl_decode(struct bl_decoder *decoder, struct ph_str event)
{
    struct bl_head *head = &decoder->head;
    struct ph_cur   cur;

    ph_cur_init(&cur, event);
    if (!bl_head_read(&cur, head) || head->len != event.len) {
        return bl_refuse(decoder, "its length is impossible");
    }
    decoder->events++;
    if (head->type == BL_FORMAT) {
        return format_take(decoder, event);
    }
    if (head->type == BL_START_V3 && !decoder->has_format) {
        decoder->is_old_format = true;
    }
    if (decoder->is_old_format) {
        return true; /* statements only, in a layout of their own */
    }
    if (decoder->format.checksum != 0) {
        if (!bl_checksum_is_right(event, head->flags)) {
            return bl_refuse(decoder, "its checksum is wrong");
        }
        cur.end -= BL_CHECKSUM_LEN;
    }
    if (ph_cur_left(&cur) < (size_t) decoder->format.head_len - BL_HEAD_LEN) {
        return bl_refuse(decoder, "its length is impossible");
    }
    cur.ptr += decoder->format.head_len - BL_HEAD_LEN;
    return event_take(decoder, cur);
}

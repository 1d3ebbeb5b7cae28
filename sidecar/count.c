/*
 * count.c - binds table maps, turns row changes into cells, frames batches.
 *
 * The reader's hot path: per row only the wanted columns are looked at, and
 * an update that moves no happening costs a few comparisons.
 */
#include "sidecar/count.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "libpayhub/domain/counter.h"
#include "sidecar/value.h"
#include "sidecar/when.h"

#define TABLE PH_STR("payment")
#define UNDO_FIRST 1024

enum slot {
    SLOT_CHANNEL,
    SLOT_METHOD,
    SLOT_ACCOUNT,
    SLOT_CURRENCY,
    SLOT_AMOUNT,
    SLOT_HAPPENINGS /* the first of them */
};

static const struct bl_column amount_column = { .type = BL_COL_LONGLONG };

static bool
type_fits(enum slot slot, const struct bl_column *column)
{
    switch (slot) {
    case SLOT_CHANNEL:
    case SLOT_METHOD:
    case SLOT_ACCOUNT:
        return column->type == BL_COL_VARCHAR;
    case SLOT_CURRENCY:
        return column->type == BL_COL_STRING;
    case SLOT_AMOUNT:
        return column->type == BL_COL_LONGLONG && !column->is_unsigned;
    case SLOT_HAPPENINGS:
    default:
        return column->type == BL_COL_DATETIME2;
    }
}

static bool
column_bind(struct bl_decoder *decoder, struct bl_table *table, unsigned slot,
            const char *name)
{
    char          memory[160];
    struct ph_buf why = PH_BUF_INIT(memory);
    int           at  = bl_table_column(table, ph_str_z(name));

    if (at >= 0 && type_fits(slot, &table->column[at])) {
        table->column[at].slot = (uint16_t) slot;
        return true;
    }
    ph_buf_add(&why, PH_STR("table payment: found "));
    ph_buf_add(&why, at < 0 ? PH_STR("no") : PH_STR("another type of"));
    ph_buf_add(&why, PH_STR(" column "));
    ph_buf_add(&why, ph_str_z(name));
    ph_buf_add(&why, PH_STR(", expected the one of schema/0001_core.sql"));
    return bl_refuse(decoder, ph_buf_z(&why));
}

static bool
count_table(void *context, struct bl_decoder *decoder, struct bl_table *table)
{
    static const char *const names[SLOT_HAPPENINGS]
        = { "channel", "method", "account_id", "currency", "amount" };
    const struct bl_count *count = context;

    table->wanted = ph_str_eq(table->name, TABLE)
                    && ph_str_eq(table->db, count->database);
    if (!table->wanted) {
        return true;
    }
    if (!table->has_names) {
        return bl_refuse(decoder,
                         "found no column names in the log, expected them; "
                         "SET GLOBAL binlog_row_metadata = FULL");
    }
    for (unsigned i = 0; i < SLOT_HAPPENINGS; i++) {
        if (!column_bind(decoder, table, i, names[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < ph_counter_happening_count; i++) {
        if (!column_bind(decoder, table, SLOT_HAPPENINGS + i,
                         ph_counter_happenings[i].column))
        {
            return false;
        }
    }
    return true;
}

/* "FORMAT-GTRID-BQUAL" in hex: the name of a prepared transaction */
static void
xid_text(const struct bl_gtid *gtid, struct ph_buf *text)
{
    size_t gtrid_len = gtid->xid_gtrid_len;

    ph_buf_u64(text, gtid->xid_format);
    ph_buf_byte(text, '-');
    ph_buf_hex(text, ph_str_make(gtid->xid.ptr, gtrid_len));
    ph_buf_byte(text, '-');
    ph_buf_hex(text, ph_str_make(gtid->xid.ptr + gtrid_len,
                                 gtid->xid.len - gtrid_len));
}

static void
unsure_note(struct bl_sums *sums, const char *what)
{
    struct ph_buf text;

    if (sums->unsure[0] == '\0') {
        ph_buf_init(&text, sums->unsure, sizeof(sums->unsure));
        ph_buf_add(&text, ph_str_z(what));
        (void) ph_buf_z(&text);
    }
}

static bool
count_begin(void *context, struct bl_decoder *decoder,
            const struct bl_gtid *gtid)
{
    struct bl_count *count     = context;
    bool             prepared  = gtid->flags & BL_GTID_PREPARED_XA;
    bool             completed = gtid->flags & BL_GTID_COMPLETED_XA;

    count->sums = count->batches.begin(count->batches.context, completed);
    count->xa   = 0;
    count->rows_at_begin = decoder->row_changes;
    if (count->sums == NULL) {
        return bl_refuse(decoder, "stopped");
    }
    count->xids_at_begin    = count->sums->xids;
    count->pending_at_begin = count->sums->has_pending;
    count->undo_used        = 0;
    count->undo_lost        = false;
    count->was_cut          = false;
    if (count->unsure != NULL) {
        unsure_note(count->sums, count->unsure);
        count->unsure = NULL;
    }
    if (prepared || completed) {
        char          memory[BL_XID_TEXT_MAX];
        struct ph_buf text = PH_BUF_INIT(memory);

        xid_text(gtid, &text);
        count->xa = bl_sums_xid(count->sums, ph_buf_str(&text));
        if (count->xa == 0) {
            return bl_refuse(decoder, "too many XA transactions in a batch");
        }
        count->sums->has_pending |= prepared;
    }
    return true;
}

static bool
rc_refuse(struct bl_decoder *decoder, enum ph_rc rc)
{
    return bl_refuse(decoder,
                     rc == PH_E_FULL
                         ? "one transaction touches more counters than fit; "
                           "the counters must be rebuilt from SQL"
                         : "table payment: a value is beyond its column in "
                           "schema/0001_core.sql, or a sum beyond 64 bits");
}

static void
undo_note(struct bl_count *count, struct bl_undo entry)
{
    if (count->undo_used == count->undo_size) {
        size_t size = count->undo_size == 0 ? UNDO_FIRST : count->undo_size * 2;
        struct bl_undo *more
            = size > BL_UNDO_MAX
                  ? NULL
                  : realloc(count->undo, size * sizeof(*count->undo));

        if (more == NULL) {
            count->undo_lost = true;
            return;
        }
        count->undo      = more;
        count->undo_size = size;
    }
    count->undo[count->undo_used++] = entry;
}

static enum ph_rc
cell_add(struct bl_count *count, uint64_t key, int64_t n, int64_t amount)
{
    enum ph_rc rc = bl_cells_add(&count->sums->cells, key, n, amount);

    if (rc == PH_OK) {
        undo_note(count, (struct bl_undo){ key, n, amount });
    }
    return rc;
}

static enum ph_rc
account_add(struct bl_count *count, struct ph_str account, uint32_t minute,
            unsigned which, int64_t sign)
{
    uint16_t   dim;
    enum ph_rc rc = bl_sums_account(count->sums, account, &dim);

    return rc != PH_OK ? rc
                       : cell_add(count,
                                  bl_cell_key(minute, which, count->xa, dim)
                                      | BL_CELL_ACCOUNT,
                                  sign, 0);
}

/* Adds the happening `which` of an image, times `sign`. */
static bool
happening_add(struct bl_count *count, struct bl_decoder *decoder,
              const struct bl_image *image, unsigned which, int64_t sign)
{
    const struct ph_str *value = image->value;
    struct ph_str        at    = value[SLOT_HAPPENINGS + which];
    uint32_t             minute;
    uint16_t             dim;

    if (at.ptr == BL_VALUE_NULL) {
        return true;
    }
    if (!bl_datetime_minute(at, &minute)) {
        return bl_refuse(decoder, "table payment: found a time that is none or "
                                  "before 1970");
    }
    enum ph_rc rc = bl_sums_dim(count->sums, value[SLOT_CHANNEL],
                                value[SLOT_METHOD], value[SLOT_CURRENCY], &dim);
    if (rc == PH_OK) {
        int64_t amount = bl_integer(&amount_column, value[SLOT_AMOUNT]);

        /* -INT64_MIN does not fit; no amount comes near it */
        rc = amount == INT64_MIN
                 ? PH_E_RANGE
                 : cell_add(count, bl_cell_key(minute, which, count->xa, dim),
                            sign, sign * amount);
    }
    if (rc == PH_OK && ph_counter_happenings[which].is_end) {
        rc = account_add(count, value[SLOT_ACCOUNT], minute, which, sign);
    }
    return rc == PH_OK || rc_refuse(decoder, rc);
}

static bool
image_add(struct bl_count *count, struct bl_decoder *decoder,
          const struct bl_image *image, int64_t sign)
{
    for (unsigned i = 0; i < ph_counter_happening_count; i++) {
        if (!happening_add(count, decoder, image, i, sign)) {
            return false;
        }
    }
    return true;
}

static inline bool
value_same(struct ph_str a, struct ph_str b)
{
    if (a.ptr == NULL || b.ptr == NULL) {
        return a.ptr == b.ptr;
    }
    return ph_str_eq(a, b);
}

static bool
update_add(struct bl_count *count, struct bl_decoder *decoder,
           const struct bl_row *row)
{
    const struct ph_str *before = row->before.value;
    const struct ph_str *after  = row->after.value;

    for (unsigned i = 0; i < SLOT_HAPPENINGS; i++) {
        if (!value_same(before[i], after[i])) {
            return image_add(count, decoder, &row->before, -1)
                   && image_add(count, decoder, &row->after, 1);
        }
    }
    for (unsigned i = 0; i < ph_counter_happening_count; i++) {
        if (!value_same(before[SLOT_HAPPENINGS + i], after[SLOT_HAPPENINGS + i])
            && (!happening_add(count, decoder, &row->before, i, -1)
                || !happening_add(count, decoder, &row->after, i, 1)))
        {
            return false;
        }
    }
    return true;
}

static bool
count_rows(void *context, struct bl_decoder *decoder,
           const struct bl_table *table, const struct bl_rows *rows)
{
    const struct bl_count *count = context;

    (void) table;
    if (count->sums == NULL || !decoder->in_transaction) {
        return bl_refuse(decoder, "rows of payment outside of a transaction "
                                  "that has a GTID");
    }
    if (!rows->is_full || rows->is_partial) {
        return bl_refuse(decoder, "found a partial row image, expected all "
                                  "columns; SET GLOBAL binlog_row_image = "
                                  "FULL, also in sessions that changed it");
    }
    return true;
}

static bool
count_row(void *context, struct bl_decoder *decoder, const struct bl_row *row)
{
    struct bl_count *count = context;

    for (unsigned i = 0; i < SLOT_HAPPENINGS; i++) {
        if ((row->change != BL_INSERT && row->before.value[i].ptr == NULL)
            || (row->change != BL_DELETE && row->after.value[i].ptr == NULL))
        {
            return bl_refuse(decoder, "table payment: found NULL in channel, "
                                      "method, account_id, currency or amount");
        }
    }
    switch (row->change) {
    case BL_INSERT:
        return image_add(count, decoder, &row->after, 1);
    case BL_DELETE:
        return image_add(count, decoder, &row->before, -1);
    case BL_UPDATE:
    default:
        return update_add(count, decoder, row);
    }
}

/* `word` in `text`, as a whole identifier, in any case */
static bool
text_names(struct ph_str text, struct ph_str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        bool begins = i == 0
                      || (!isalnum((uint8_t) text.ptr[i - 1])
                          && text.ptr[i - 1] != '_');
        bool ends = i + word.len == text.len
                    || (!isalnum((uint8_t) text.ptr[i + word.len])
                        && text.ptr[i + word.len] != '_');

        if (begins && ends
            && strncasecmp(text.ptr + i, word.ptr, word.len) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * DDL and framing begin with words of their own; whatever else may change
 * rows (WITH, CALL, a comment before INSERT) is taken as if it did: a false
 * alarm costs a look, a missed one the truth of the counters.
 */
bool
bl_query_is_unsure(const struct bl_query *query, struct ph_str database)
{
    static const struct ph_str harmless[]
        = { PH_STR_INIT("CREATE"),    PH_STR_INIT("ALTER"),
            PH_STR_INIT("DROP"),      PH_STR_INIT("RENAME"),
            PH_STR_INIT("GRANT"),     PH_STR_INIT("REVOKE"),
            PH_STR_INIT("ANALYZE"),   PH_STR_INIT("OPTIMIZE"),
            PH_STR_INIT("REPAIR"),    PH_STR_INIT("FLUSH"),
            PH_STR_INIT("SAVEPOINT"), PH_STR_INIT("ROLLBACK TO"),
            PH_STR_INIT("XA ") };

    for (size_t i = 0; i < PH_COUNT(harmless); i++) {
        if (query->text.len >= harmless[i].len
            && strncasecmp(query->text.ptr, harmless[i].ptr, harmless[i].len)
                   == 0)
        {
            return false;
        }
    }
    return text_names(query->text, TABLE)
           && (ph_str_eq(query->db, database)
               || text_names(query->text, database));
}

static void
unsure_set(struct bl_count *count, const struct bl_decoder *decoder,
           const char *what)
{
    if (count->sums != NULL) {
        unsure_note(count->sums, what);
    } else {
        count->unsure = what;
    }
    if (count->alarm != NULL) {
        count->alarm(decoder, what);
    }
}

static bool
count_query(void *context, struct bl_decoder *decoder,
            const struct bl_query *query)
{
    struct bl_count *count = context;

    if (bl_query_is_unsure(query, count->database)) {
        unsure_set(count, decoder,
                   "a statement changed payment without row events");
    }
    return true;
}

static bool
count_incident(void *context, struct bl_decoder *decoder)
{
    unsure_set(context, decoder, "the server lost events of its log");
    return true;
}

static void
hint_set(struct bl_sums *sums, const struct bl_decoder *decoder)
{
    struct ph_buf hint;

    ph_buf_init(&hint, sums->hint, sizeof(sums->hint));
    ph_buf_add(&hint, ph_str_z(decoder->file));
    ph_buf_byte(&hint, ':');
    ph_buf_u64(&hint, decoder->head.end_pos);
    (void) ph_buf_z(&hint);
}

static bool
count_end(void *context, struct bl_decoder *decoder, enum bl_end how)
{
    struct bl_count      *count = context;
    struct bl_sums       *sums  = count->sums;
    const struct bl_gtid *gtid  = &decoder->gtid;
    uint64_t              at_ms = (uint64_t) decoder->head.time_s * 1000;

    if (sums == NULL) {
        /* what a file began with may end; what was left out may not */
        return !count->was_cut
               || bl_refuse(decoder, "a transaction that was taken as cut off "
                                     "ends after all");
    }
    if (how == BL_END_XA_COMMIT || how == BL_END_XA_ROLLBACK) {
        sums->xid[count->xa - 1].is_resolved  = true;
        sums->xid[count->xa - 1].is_committed = how == BL_END_XA_COMMIT;
    }
    if (!bl_position_advance(
            &sums->position,
            (struct bl_place){ gtid->domain, gtid->server_id, gtid->seq }))
    {
        return bl_refuse(decoder, "the log has too many replication domains");
    }
    sums->transactions++;
    sums->row_changes += decoder->row_changes - count->rows_at_begin;
    sums->at_ms = at_ms > sums->at_ms ? at_ms : sums->at_ms;
    hint_set(sums, decoder);
    count->sums = NULL;
    count->batches.end(count->batches.context);
    return true;
}

/*
 * Takes back what the transaction has added: the batch holds whole ones
 * before it, and the position does not move.
 */
static bool
count_abort(void *context, struct bl_decoder *decoder)
{
    struct bl_count *count = context;
    struct bl_sums  *sums  = count->sums;

    if (sums == NULL) {
        return true;
    }
    if (count->undo_lost) {
        return bl_refuse(decoder, "the transaction before it was cut off by a "
                                  "crash and is too large to be left out");
    }
    for (size_t i = count->undo_used; i-- != 0;) {
        const struct bl_undo *undo = &count->undo[i];

        if (bl_cells_add(&sums->cells, undo->key, -undo->count, -undo->amount)
            != PH_OK) {
            return bl_refuse(decoder, "a sum went beyond 64 bits");
        }
    }
    sums->xids        = count->xids_at_begin;
    sums->has_pending = count->pending_at_begin;
    count->sums       = NULL;
    count->was_cut    = true;
    if (count->cut != NULL) {
        count->cut(decoder);
    }
    count->batches.end(count->batches.context);
    return true;
}

void
bl_count_deinit(struct bl_count *count)
{
    free(count->undo);
    count->undo      = NULL;
    count->undo_size = 0;
}

struct bl_visitor
bl_count_visitor(struct bl_count *count)
{
    return (struct bl_visitor){ .context  = count,
                                .begin    = count_begin,
                                .table    = count_table,
                                .rows     = count_rows,
                                .row      = count_row,
                                .query    = count_query,
                                .end      = count_end,
                                .abort    = count_abort,
                                .incident = count_incident };
}

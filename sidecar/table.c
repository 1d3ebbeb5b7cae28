/*
 * table.c - parses TABLE_MAP events and keeps them by table id.
 *
 * Layout of a map: id, flags, database, table, column types, a block of type
 * metadata, a bitmap of nullable columns, then optional (type, length, value)
 * fields that binlog_row_metadata=FULL fills in.  Unknown column types are
 * refused: their width cannot be known, and so nothing after them.
 */
#include "sidecar/table.h"

#include <stdlib.h>

enum optional_field {
    FIELD_SIGNEDNESS      = 1,
    FIELD_DEFAULT_CHARSET = 2,
    FIELD_COLUMN_CHARSET  = 3,
    FIELD_NAMES           = 4,
    FIELD_SET_TEXTS       = 5,
    FIELD_ENUM_TEXTS      = 6
};

void
bl_tables_init(struct bl_tables *tables)
{
    *tables = (struct bl_tables){ 0 };
}

static void
table_free(struct bl_table *table)
{
    if (table != NULL) {
        free(table->body);
        free(table->column);
        free(table->step);
        free(table);
    }
}

void
bl_tables_clear(struct bl_tables *tables)
{
    struct bl_table *table = tables->by_id;

    HASH_CLEAR(hh, tables->by_id); /* the list of all outlives the hash */
    while (table != NULL) {
        struct bl_table *next = table->hh.next;

        table_free(table);
        table = next;
    }
    tables->last  = NULL;
    tables->count = 0;
}

void
bl_tables_trim(struct bl_tables *tables)
{
    if (tables->count > BL_TABLES_MAX / 2) {
        bl_tables_clear(tables);
    }
}

struct bl_table *
bl_tables_find(struct bl_tables *tables, uint64_t id)
{
    struct bl_table *table = tables->last;

    if (table != NULL && table->id == id) {
        return table;
    }
    HASH_FIND(hh, tables->by_id, &id, sizeof(id), table);
    if (table != NULL) {
        tables->last = table;
    }
    return table;
}

/* bytes of metadata that a column type has in the map; -1 = unknown type */
static int
metadata_len(uint8_t type)
{
    switch (type) {
    case BL_COL_FLOAT:
    case BL_COL_DOUBLE:
    case BL_COL_TIMESTAMP2:
    case BL_COL_DATETIME2:
    case BL_COL_TIME2:
    case BL_COL_BLOB_PACKED:
    case BL_COL_VECTOR:
    case BL_COL_JSON:
    case BL_COL_TINY_BLOB:
    case BL_COL_MEDIUM_BLOB:
    case BL_COL_LONG_BLOB:
    case BL_COL_BLOB:
    case BL_COL_GEOMETRY:
        return 1;
    case BL_COL_VARCHAR:
    case BL_COL_BIT:
    case BL_COL_VARCHAR_PACKED:
    case BL_COL_DECIMAL:
    case BL_COL_ENUM:
    case BL_COL_SET:
    case BL_COL_VAR_STRING:
    case BL_COL_STRING:
        return 2;
    case BL_COL_TINY:
    case BL_COL_SHORT:
    case BL_COL_INT24:
    case BL_COL_LONG:
    case BL_COL_LONGLONG:
    case BL_COL_NULL:
    case BL_COL_TIMESTAMP:
    case BL_COL_DATE:
    case BL_COL_NEWDATE:
    case BL_COL_TIME:
    case BL_COL_DATETIME:
    case BL_COL_YEAR:
        return 0;
    default:
        return -1;
    }
}

static uint32_t
plain_width(uint8_t type)
{
    switch (type) {
    case BL_COL_TINY:
    case BL_COL_YEAR:
        return 1;
    case BL_COL_SHORT:
        return 2;
    case BL_COL_INT24:
    case BL_COL_DATE:
    case BL_COL_NEWDATE:
    case BL_COL_TIME:
        return 3;
    case BL_COL_LONG:
    case BL_COL_TIMESTAMP:
        return 4;
    case BL_COL_LONGLONG:
    case BL_COL_DATETIME:
        return 8;
    default:
        return 0; /* NULL */
    }
}

/* bytes that `digits` decimal digits take: 4 for each nine, less for the rest
 */
static uint32_t
digits_width(uint32_t digits)
{
    static const uint8_t rest[9] = { 0, 1, 1, 2, 2, 3, 3, 4, 4 };

    return digits / 9 * 4 + rest[digits % 9];
}

static bool
temporal_set(struct bl_column *column, uint32_t whole_width, uint8_t scale)
{
    column->scale = scale;
    column->width = whole_width + (uint32_t) (scale + 1) / 2;
    return scale <= 6;
}

/*
 * STRING carries its real type in the first byte.  A CHAR longer than 255
 * bytes keeps two bits of its length there, inverted, in the 0x30 that all
 * real types have set.
 */
static bool
string_set(struct bl_column *column, uint8_t first, uint8_t second)
{
    uint32_t folded = (uint32_t) ((first & 0x30) ^ 0x30) << 4;

    column->type = (uint8_t) (first | 0x30);
    if (column->type == BL_COL_ENUM || column->type == BL_COL_SET) {
        column->width = second;
        return folded == 0 && second >= 1 && second <= 8;
    }
    column->type       = BL_COL_STRING;
    column->width      = second | folded;
    column->prefix_len = column->width > 255 ? 2 : 1;
    return true;
}

static bool
column_set(struct bl_column *column, struct ph_str meta)
{
    uint8_t first  = meta.len > 0 ? (uint8_t) meta.ptr[0] : 0;
    uint8_t second = meta.len > 1 ? (uint8_t) meta.ptr[1] : 0;

    switch (column->type) {
    case BL_COL_FLOAT:
    case BL_COL_DOUBLE:
        column->width = first;
        return first == (column->type == BL_COL_FLOAT ? 4 : 8);
    case BL_COL_TIMESTAMP2:
        return temporal_set(column, 4, first);
    case BL_COL_DATETIME2:
        return temporal_set(column, 5, first);
    case BL_COL_TIME2:
        return temporal_set(column, 3, first);
    case BL_COL_BIT:
        column->bits  = (uint32_t) second * 8 + first;
        column->width = (column->bits + 7) / 8;
        return first < 8 && column->width <= 8;
    case BL_COL_DECIMAL:
        column->precision = first;
        column->scale     = second;
        column->width
            = digits_width(second) + digits_width((uint32_t) first - second);
        return second <= first && first <= 65;
    case BL_COL_VARCHAR:
    case BL_COL_VAR_STRING:
    case BL_COL_VARCHAR_PACKED:
        column->width      = first | (uint32_t) second << 8;
        column->prefix_len = column->width > 255 ? 2 : 1;
        return true;
    case BL_COL_STRING:
    case BL_COL_ENUM:
    case BL_COL_SET:
        return string_set(column,
                          column->type == BL_COL_STRING ? first : column->type,
                          second);
    default:
        if (meta.len == 1) { /* the BLOB family */
            column->prefix_len = first;
            column->width      = UINT32_MAX;
            return first >= 1 && first <= 4;
        }
        column->width = plain_width(column->type);
        return true;
    }
}

static bool
has_sign_bit(uint8_t type)
{
    switch (type) {
    case BL_COL_TINY:
    case BL_COL_SHORT:
    case BL_COL_INT24:
    case BL_COL_LONG:
    case BL_COL_LONGLONG:
    case BL_COL_FLOAT:
    case BL_COL_DOUBLE:
    case BL_COL_DECIMAL:
    case BL_COL_YEAR:
        return true;
    default:
        return false;
    }
}

static void
signs_read(struct bl_table *table, struct ph_cur *cur)
{
    size_t  at   = 0;
    uint8_t bits = 0;

    for (size_t i = 0; i < table->columns; i++) {
        struct bl_column *column = &table->column[i];

        if (!has_sign_bit(column->type)) {
            continue;
        }
        if (at % 8 == 0) {
            bits = (uint8_t) ph_cur_le(cur, 1);
        }
        column->is_unsigned = (bits & (0x80u >> at % 8)) != 0;
        column->has_sign    = !cur->failed;
        at++;
    }
}

static bool
has_charset(uint8_t type)
{
    switch (type) {
    case BL_COL_STRING:
    case BL_COL_VAR_STRING:
    case BL_COL_VARCHAR:
    case BL_COL_BLOB:
    case BL_COL_VARCHAR_PACKED:
    case BL_COL_BLOB_PACKED:
        return true;
    default:
        return false;
    }
}

/* One charset for all, then exceptions: (number among texts, charset). */
static void
default_charset_read(struct bl_table *table, struct ph_cur *cur)
{
    uint32_t common = (uint32_t) bl_lenenc(cur);
    uint64_t at     = 0;
    bool     more   = ph_cur_left(cur) != 0;
    uint64_t except = more ? bl_lenenc(cur) : UINT64_MAX;

    for (size_t i = 0; i < table->columns; i++) {
        if (!has_charset(table->column[i].type)) {
            continue;
        }
        table->column[i].charset = common;
        if (at == except) {
            table->column[i].charset = (uint32_t) bl_lenenc(cur);
            except = ph_cur_left(cur) != 0 ? bl_lenenc(cur) : UINT64_MAX;
        }
        at++;
    }
}

static void
charsets_read(struct bl_table *table, struct ph_cur *cur)
{
    for (size_t i = 0; i < table->columns && ph_cur_left(cur) != 0; i++) {
        if (has_charset(table->column[i].type)) {
            table->column[i].charset = (uint32_t) bl_lenenc(cur);
        }
    }
}

static void
names_read(struct bl_table *table, struct ph_cur *cur)
{
    for (size_t i = 0; i < table->columns; i++) {
        table->column[i].name = ph_cur_take(cur, bl_lenenc(cur));
    }
    table->has_names = !cur->failed;
}

/* For each column of that type: count, then so many texts. */
static void
texts_read(struct bl_table *table, struct ph_cur *cur, uint8_t type)
{
    for (size_t i = 0; i < table->columns && !cur->failed; i++) {
        if (table->column[i].type != type) {
            continue;
        }
        uint64_t    count = bl_lenenc(cur);
        const char *from  = (const char *) cur->ptr;

        while (count-- != 0 && !cur->failed) {
            (void) ph_cur_take(cur, bl_lenenc(cur));
        }
        if (!cur->failed) {
            table->column[i].texts
                = ph_str_make(from, (size_t) ((const char *) cur->ptr - from));
        }
    }
}

static bool
optional_read(struct bl_table *table, struct ph_cur *cur)
{
    while (ph_cur_left(cur) != 0) {
        uint8_t       field = (uint8_t) ph_cur_le(cur, 1);
        struct ph_cur in;

        ph_cur_init(&in, ph_cur_take(cur, bl_lenenc(cur)));
        if (cur->failed) {
            return false;
        }
        switch (field) {
        case FIELD_SIGNEDNESS:
            signs_read(table, &in);
            break;
        case FIELD_DEFAULT_CHARSET:
            default_charset_read(table, &in);
            break;
        case FIELD_COLUMN_CHARSET:
            charsets_read(table, &in);
            break;
        case FIELD_NAMES:
            names_read(table, &in);
            break;
        case FIELD_SET_TEXTS:
            texts_read(table, &in, BL_COL_SET);
            break;
        case FIELD_ENUM_TEXTS:
            texts_read(table, &in, BL_COL_ENUM);
            break;
        default:
            break; /* keys, visibility, geometry: of no use here */
        }
        if (in.failed) {
            return false;
        }
    }
    return true;
}

static const char *
columns_read(struct bl_table *table, struct ph_cur *cur)
{
    uint64_t count = bl_lenenc(cur);

    if (cur->failed || count > BL_COLUMNS_MAX) {
        return "its table map has more columns than any server allows";
    }
    struct ph_str types = ph_cur_take(cur, count);
    struct ph_cur meta;

    ph_cur_init(&meta, ph_cur_take(cur, bl_lenenc(cur)));
    (void) ph_cur_take(cur, (count + 7) / 8); /* which may be NULL */
    if (cur->failed || types.ptr == NULL) {
        return "its table map is cut short";
    }
    table->columns = count;
    table->column  = calloc(count + 1, sizeof(*table->column));
    table->step    = calloc(count + 1, sizeof(*table->step));
    if (table->column == NULL || table->step == NULL) {
        return "out of memory";
    }
    for (size_t i = 0; i < count; i++) {
        struct bl_column *column = &table->column[i];
        int               len    = metadata_len((uint8_t) types.ptr[i]);

        if (len < 0) {
            return "its table has a column of a type that is not known";
        }
        column->type        = (uint8_t) types.ptr[i];
        column->slot        = BL_SLOT_NONE;
        struct ph_str bytes = ph_cur_take(&meta, (size_t) len);
        if (meta.failed || !column_set(column, bytes)) {
            return "its table map has impossible column metadata";
        }
    }
    return optional_read(table, cur) ? NULL
                                     : "its optional metadata is malformed";
}

static struct ph_str
name_take(struct ph_cur *cur)
{
    struct ph_str name = ph_cur_take(cur, (size_t) ph_cur_le(cur, 1));

    (void) ph_cur_le(cur, 1); /* NUL */
    return name;
}

/* Parses table->body, which is a copy that the views may point into. */
static const char *
table_parse(struct bl_table *table, size_t id_len)
{
    struct ph_cur cur;

    ph_cur_init(&cur, ph_str_make(table->body, table->body_len));
    (void) ph_cur_take(&cur, id_len + 2);
    table->db   = name_take(&cur);
    table->name = name_take(&cur);
    return columns_read(table, &cur);
}

static struct bl_table *
table_new(uint64_t id, size_t id_len, struct ph_str body, const char **why)
{
    struct bl_table *table = calloc(1, sizeof(*table));
    char            *copy  = malloc(body.len + 1);

    if (table == NULL || copy == NULL) {
        *why = "out of memory";
        free(copy);
        free(table);
        return NULL;
    }
    memcpy(copy, body.ptr, body.len);
    table->id       = id;
    table->body     = copy;
    table->body_len = body.len;
    *why            = table_parse(table, id_len);
    if (*why != NULL) {
        table_free(table);
        return NULL;
    }
    return table;
}

struct bl_table *
bl_tables_take(struct bl_tables *tables, const struct bl_format *format,
               struct ph_str body, bool *fresh, const char **why)
{
    size_t        id_len = format->post_len[BL_TABLE_MAP] == 6 ? 4 : 6;
    struct ph_cur cur;

    ph_cur_init(&cur, body);
    uint64_t id = ph_cur_le(&cur, id_len);
    if (cur.failed || body.len > BL_TABLE_MAP_MAX) {
        *why = "its length is impossible";
        return NULL;
    }
    struct bl_table *table = bl_tables_find(tables, id);
    *fresh                 = false;
    if (table != NULL && table->body_len == body.len
        && memcmp(table->body, body.ptr, body.len) == 0)
    {
        return table;
    }
    if (table != NULL) {
        HASH_DEL(tables->by_id, table);
        table_free(table);
        tables->last = NULL;
        tables->count--;
    }
    if (tables->count >= BL_TABLES_MAX) {
        *why = "one transaction maps too many tables";
        return NULL;
    }
    table = table_new(id, id_len, body, why);
    if (table != NULL) {
        HASH_ADD(hh, tables->by_id, id, sizeof(table->id), table);
        tables->count++;
        tables->last = table;
        *fresh       = true;
    }
    return table;
}

void
bl_table_plan(struct bl_table *table)
{
    for (size_t i = 0; i < table->columns; i++) {
        const struct bl_column *column = &table->column[i];

        table->step[i] = (struct bl_step){ column->width, column->slot,
                                           column->prefix_len };
    }
}

int
bl_table_column(const struct bl_table *table, struct ph_str name)
{
    for (size_t i = 0; i < table->columns; i++) {
        if (ph_str_eq(table->column[i].name, name)) {
            return (int) i;
        }
    }
    return -1;
}

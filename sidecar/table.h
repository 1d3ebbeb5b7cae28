/*
 * table.h - TABLE_MAP events: how the rows that follow are laid out.
 *
 * A table id means something only inside one log file of one server run, so
 * all maps are dropped at every FORMAT_DESCRIPTION.  The same map comes before
 * every statement; an equal body finds the table parsed (and bound by its
 * consumer) already.  Bounded: at most BL_TABLES_MAX maps live, and all are
 * dropped between transactions once there are half as many.
 */
#ifndef SIDECAR_TABLE_H
#define SIDECAR_TABLE_H

#include <uthash.h>

#include "sidecar/event.h"

#define BL_TABLES_MAX 4096
#define BL_COLUMNS_MAX 4096
#define BL_TABLE_MAP_MAX (4u << 20) /* bytes of a map: names and enum texts */
#define BL_SLOT_NONE UINT16_MAX
#define BL_CHARSET_BINARY 63

enum bl_column_type {
    BL_COL_DECIMAL_OLD    = 0,
    BL_COL_TINY           = 1,
    BL_COL_SHORT          = 2,
    BL_COL_LONG           = 3,
    BL_COL_FLOAT          = 4,
    BL_COL_DOUBLE         = 5,
    BL_COL_NULL           = 6,
    BL_COL_TIMESTAMP      = 7,
    BL_COL_LONGLONG       = 8,
    BL_COL_INT24          = 9,
    BL_COL_DATE           = 10,
    BL_COL_TIME           = 11,
    BL_COL_DATETIME       = 12,
    BL_COL_YEAR           = 13,
    BL_COL_NEWDATE        = 14,
    BL_COL_VARCHAR        = 15,
    BL_COL_BIT            = 16,
    BL_COL_TIMESTAMP2     = 17,
    BL_COL_DATETIME2      = 18,
    BL_COL_TIME2          = 19,
    BL_COL_BLOB_PACKED    = 140, /* MariaDB COMPRESSED */
    BL_COL_VARCHAR_PACKED = 141,
    BL_COL_VECTOR         = 242,
    BL_COL_JSON           = 245,
    BL_COL_DECIMAL        = 246,
    BL_COL_ENUM           = 247,
    BL_COL_SET            = 248,
    BL_COL_TINY_BLOB      = 249,
    BL_COL_MEDIUM_BLOB    = 250,
    BL_COL_LONG_BLOB      = 251,
    BL_COL_BLOB           = 252,
    BL_COL_VAR_STRING     = 253,
    BL_COL_STRING         = 254,
    BL_COL_GEOMETRY       = 255
};

struct bl_column {
    uint8_t       type;       /* the real one: ENUM and SET unwrapped */
    uint8_t       prefix_len; /* of the length before the value; 0 = fixed */
    uint8_t       scale;      /* DECIMAL decimals, temporal fraction digits */
    uint8_t       precision;  /* DECIMAL digits */
    bool          is_unsigned;
    bool          has_sign; /* is_unsigned is told, not a guess */
    uint16_t      slot;     /* where the consumer wants it, or BL_SLOT_NONE */
    uint32_t      width;    /* bytes of a fixed value; longest of others */
    uint32_t      bits;     /* of a BIT */
    uint32_t      charset;  /* 0 = not told */
    struct ph_str name;     /* empty = not told */
    struct ph_str texts;    /* of ENUM, SET: lenenc strings, one after other */
};

/* what the walk over a whole image needs of a column, packed */
struct bl_step {
    uint32_t width;
    uint16_t slot;
    uint8_t  prefix_len;
};

struct bl_table {
    uint64_t          id;
    struct ph_str     db;
    struct ph_str     name;
    size_t            columns;
    bool              has_names;
    bool              wanted; /* by the consumer; rows are skipped if not */
    char             *body;   /* the map as it came; all views point here */
    size_t            body_len;
    struct bl_column *column;
    struct bl_step   *step; /* one a column; made by bl_table_plan() */
    UT_hash_handle    hh;
};

struct bl_tables {
    struct bl_table *by_id;
    struct bl_table *last; /* the one found last */
    size_t           count;
};

void bl_tables_init(struct bl_tables *tables);
void bl_tables_clear(struct bl_tables *tables);

/* Drops all when there are many; only between transactions. */
void bl_tables_trim(struct bl_tables *tables);

/* NULL when no map with that id came */
struct bl_table *bl_tables_find(struct bl_tables *tables, uint64_t id);

/*
 * Takes a TABLE_MAP (bytes after the header).  *table is the one of this map;
 * *fresh tells that it is new or changed, so that it must be bound.  NULL
 * and a text in *why: malformed, of an unknown type, or too many.
 */
struct bl_table *bl_tables_take(struct bl_tables       *tables,
                                const struct bl_format *format,
                                struct ph_str body, bool *fresh,
                                const char **why);

/* Makes the steps, once the consumer has given out the slots. */
void bl_table_plan(struct bl_table *table);

/* column number of a name, or -1 */
int bl_table_column(const struct bl_table *table, struct ph_str name);

#endif

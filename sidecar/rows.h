/*
 * rows.h - row events: walks the images of the rows in one event.
 *
 * Only columns that have a slot are handed out, as views of their raw bytes;
 * all others are stepped over.  Pure, no allocation.
 */
#ifndef SIDECAR_ROWS_H
#define SIDECAR_ROWS_H

#include "sidecar/table.h"

enum bl_change { BL_INSERT, BL_UPDATE, BL_DELETE };

/* a row event taken apart, up to its first row */
struct bl_rows {
    uint64_t       table_id;
    enum bl_change change;
    bool           is_packed;  /* the rows are compressed: bl_unpack() */
    bool           is_partial; /* after images carry JSON differences */
    bool           is_full;    /* all columns stand in every image */
    uint64_t       columns;
    struct ph_str  before_map; /* bit a column: stands in the before image */
    struct ph_str  after_map;
    struct ph_str  data;
};

/* values of the wanted columns, by slot */
struct bl_image {
    struct ph_str *value; /* raw bytes without length prefix; see below */
};

/* value.ptr of a column that is NULL, or not in the image at all */
#define BL_VALUE_NULL NULL
extern const char bl_value_absent[];

bool bl_type_is_rows(uint8_t type);

/* body: after the header, without checksum */
bool bl_rows_read(const struct bl_format *format, uint8_t type,
                  struct ph_cur body, struct bl_rows *rows);

/* One image at *cur; `map` is rows->before_map or rows->after_map. */
bool bl_image_read(struct ph_cur *cur, const struct bl_table *table,
                   const struct bl_rows *rows, struct ph_str map,
                   struct bl_image *image);

#endif

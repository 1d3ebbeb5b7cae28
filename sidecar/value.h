/*
 * value.h - column values as text, for people and for comparisons with SQL.
 *
 * Numbers and temporals read as SQL prints them (TIMESTAMP in UTC); texts are
 * the bytes as stored when those are UTF-8 without odd control bytes, else
 * hex; ENUM and SET by their texts when the log has them, else by number.
 */
#ifndef SIDECAR_VALUE_H
#define SIDECAR_VALUE_H

#include "sidecar/out.h"
#include "sidecar/table.h"
#include "sidecar/unpack.h"

#define BL_NUMBER_TEXT_MAX 96 /* a DECIMAL of 65 digits, sign and dot fit */

enum bl_style { BL_STYLE_TEXT, BL_STYLE_JSON };

void bl_value_write(struct bl_out *out, enum bl_style style,
                    const struct bl_column *column, struct ph_str raw,
                    struct bl_unpacker *unpacker);

/* an integer column of 1..8 bytes, sign extended unless it is unsigned */
int64_t bl_integer(const struct bl_column *column, struct ph_str raw);

#endif

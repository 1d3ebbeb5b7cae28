/*
 * print.h - --print and --live: every row change as one line of text.
 *
 *   2026-01-02T03:04:05Z 0-1-17 insert shop.payment id='P0...' amount=100
 *   2026-01-02T03:04:06Z 0-1-18 update shop.payment id='P0...' => amount=200
 *   rows=2 events=11
 *
 * An update names the columns of the before image, then the after image.
 * Columns without names in the log are @1, @2, ...
 */
#ifndef SIDECAR_PRINT_H
#define SIDECAR_PRINT_H

#include "sidecar/decoder.h"
#include "sidecar/value.h"

struct bl_print {
    struct bl_out out;
    enum bl_style style;
};

/* a visitor that prints; `print` outlives it */
struct bl_visitor bl_print_visitor(struct bl_print *print);

/* the closing count line */
void bl_print_count(struct bl_print *print, const struct bl_decoder *decoder);

/*
 * Feeds a whole binlog file's bytes; false = stopped, decoder->why.  A file
 * that ends within an event was cut short: that is a refusal too.
 */
bool bl_bytes_decode(struct bl_decoder *decoder, struct ph_str bytes);

/* Prints a file; the exit status of the program. */
int bl_print_file(const char *path, enum bl_style style);

#endif

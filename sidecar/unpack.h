/*
 * unpack.h - MariaDB's zlib envelopes: compressed events and columns.
 *
 * Both begin with one byte 0x80 | n, then n bytes of the raw length, most
 * significant first.  Bit 3 says that the zlib wrapper is left out.
 */
#ifndef SIDECAR_UNPACK_H
#define SIDECAR_UNPACK_H

#define ZLIB_CONST
#include <zlib.h>

#include "libpayhub/base/str.h"

#define BL_UNPACK_MAX (256u << 20) /* raw bytes of one event or column */

/* Starts zeroed; keeps its room from event to event. */
struct bl_unpacker {
    z_stream zlib;
    bool     is_ready;
    char    *room;
    size_t   size;
};

/* *raw lives until the next call.  False: malformed, too large, no memory. */
bool bl_unpack(struct bl_unpacker *unpacker, struct ph_str packed,
               struct ph_str *raw);

void bl_unpacker_deinit(struct bl_unpacker *unpacker);

#endif

/*
 * unpack.c - inflates compressed events and columns into one reused room.
 *
 * The raw length is the sender's word: it is held against what zlib could
 * make of the packed bytes at best before anything is allocated for it.
 */
#include "sidecar/unpack.h"

#include <stdlib.h>

#include "libpayhub/base/cur.h"

#define PACKED 0x80
#define ALGORITHM 0x70 /* 0 = zlib, the only one there is */
#define UNWRAPPED 0x08
#define LENGTH_BYTES 0x07
#define ZLIB_RATIO_MAX 1040 /* deflate cannot do better than 1032 to 1 */
#define ROOM_STEP 4096

static bool
room_make(struct bl_unpacker *unpacker, size_t need)
{
    if (need <= unpacker->size) {
        return true;
    }
    size_t size = (need + ROOM_STEP) / ROOM_STEP * ROOM_STEP;
    char  *room = realloc(unpacker->room, size);

    if (room == NULL) {
        return false;
    }
    unpacker->room = room;
    unpacker->size = size;
    return true;
}

static bool
zlib_ready(struct bl_unpacker *unpacker, int window_bits)
{
    if (unpacker->is_ready) {
        return inflateReset2(&unpacker->zlib, window_bits) == Z_OK;
    }
    unpacker->is_ready = inflateInit2(&unpacker->zlib, window_bits) == Z_OK;
    return unpacker->is_ready;
}

bool
bl_unpack(struct bl_unpacker *unpacker, struct ph_str packed,
          struct ph_str *raw)
{
    struct ph_cur cur;
    z_stream     *zlib = &unpacker->zlib;

    ph_cur_init(&cur, packed);
    unsigned head = (unsigned) ph_cur_le(&cur, 1);
    uint64_t len  = ph_cur_be(&cur, head & LENGTH_BYTES);
    if (cur.failed || (head & PACKED) == 0 || (head & ALGORITHM) != 0
        || len > BL_UNPACK_MAX || len > (uint64_t) packed.len * ZLIB_RATIO_MAX
        || !room_make(unpacker, len + 1)
        || !zlib_ready(unpacker, head & UNWRAPPED ? -MAX_WBITS : MAX_WBITS))
    {
        return false;
    }
    zlib->next_in   = cur.ptr;
    zlib->avail_in  = (uInt) ph_cur_left(&cur);
    zlib->next_out  = (Bytef *) unpacker->room;
    zlib->avail_out = (uInt) len;
    if (inflate(zlib, Z_FINISH) != Z_STREAM_END || zlib->avail_out != 0) {
        return false;
    }
    *raw = ph_str_make(unpacker->room, len);
    return true;
}

void
bl_unpacker_deinit(struct bl_unpacker *unpacker)
{
    if (unpacker->is_ready) {
        (void) inflateEnd(&unpacker->zlib);
    }
    free(unpacker->room);
    *unpacker = (struct bl_unpacker){ 0 };
}

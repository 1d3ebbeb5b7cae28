/*
 * cur.h - a reading position in bytes that somebody else sent.
 *
 * A failed read sets `failed`, returns zeros, and so does every later read:
 * read a whole structure, then ask once.  Never reads past `end`.
 */
#ifndef PH_BASE_CUR_H
#define PH_BASE_CUR_H

#include "libpayhub/base/str.h"

struct ph_cur {
    const uint8_t *ptr;
    const uint8_t *end;
    bool           failed;
};

static inline void
ph_cur_init(struct ph_cur *cur, struct ph_str bytes)
{
    cur->ptr    = (const uint8_t *) bytes.ptr;
    cur->end    = bytes.len != 0 ? cur->ptr + bytes.len : cur->ptr;
    cur->failed = false;
}

static inline size_t
ph_cur_left(const struct ph_cur *cur)
{
    return (size_t) (cur->end - cur->ptr);
}

/* `len` bytes as a view; {NULL, 0} and failed when fewer are left */
static inline struct ph_str
ph_cur_take(struct ph_cur *cur, size_t len)
{
    if (cur->failed || len > ph_cur_left(cur)) {
        cur->failed = true;
        return ph_str_make(NULL, 0);
    }
    const char *at = (const char *) cur->ptr;
    cur->ptr += len;
    return ph_str_make(at, len);
}

/* an unsigned integer of `width` 1..8 bytes, least significant byte first */
static inline uint64_t
ph_cur_le(struct ph_cur *cur, size_t width)
{
    struct ph_str bytes = ph_cur_take(cur, width);
    uint64_t      value = 0;

    for (size_t i = bytes.len; i-- > 0;) {
        value = value << 8 | (uint8_t) bytes.ptr[i];
    }
    return value;
}

/* the same, most significant byte first */
static inline uint64_t
ph_cur_be(struct ph_cur *cur, size_t width)
{
    struct ph_str bytes = ph_cur_take(cur, width);
    uint64_t      value = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | (uint8_t) bytes.ptr[i];
    }
    return value;
}

#endif

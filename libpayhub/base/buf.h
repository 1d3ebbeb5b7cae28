/*
 * buf.h - an append-only buffer over memory that the caller owns.
 *
 * Nothing is ever allocated or overrun: an append that does not fit sets
 * `full`, writes nothing, and so does every later append until ph_buf_cut().
 * Append freely, then test `full` once.
 */
#ifndef PH_BASE_BUF_H
#define PH_BASE_BUF_H

#include <assert.h>

#include "libpayhub/base/str.h"

struct ph_buf {
    char  *ptr;
    size_t len;  /* bytes used */
    size_t size; /* bytes available in all */
    bool   full; /* an append did not fit; sticks */
};

#define PH_BUF_INIT(memory)                                                    \
    {                                                                          \
        (memory), 0, sizeof(memory), false                                     \
    }

static inline void
ph_buf_init(struct ph_buf *buf, char *memory, size_t size)
{
    *buf = (struct ph_buf){ memory, 0, size, false };
}

static inline struct ph_str
ph_buf_str(const struct ph_buf *buf)
{
    return ph_str_make(buf->ptr, buf->len);
}

/* Room for exactly `need` more bytes, counted as used: fill all of them.
 * NULL with `full` set when it does not fit. */
static inline char *
ph_buf_reserve(struct ph_buf *buf, size_t need)
{
    if (buf->full || need > buf->size - buf->len) {
        buf->full = true;
        return NULL;
    }
    char *at = buf->ptr + buf->len;
    buf->len += need;
    return at;
}

static inline void
ph_buf_add(struct ph_buf *buf, struct ph_str bytes)
{
    char *at = ph_buf_reserve(buf, bytes.len);

    if (at != NULL && bytes.len != 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
}

static inline void
ph_buf_byte(struct ph_buf *buf, char byte)
{
    char *at = ph_buf_reserve(buf, 1);

    if (at != NULL) {
        *at = byte;
    }
}

/* the lowest 1..8 bytes, least significant first */
static inline void
ph_buf_le(struct ph_buf *buf, uint64_t value, size_t width)
{
    assert(width >= 1 && width <= 8);

    char *at = ph_buf_reserve(buf, width);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (at != NULL) {
        memcpy(at, &value, width);
    }
#else
    for (size_t i = 0; at != NULL && i < width; i++) {
        at[i] = (char) (unsigned char) (value >> (8 * i));
    }
#endif
}

void ph_buf_u64(struct ph_buf *buf, uint64_t value);      /* decimal */
void ph_buf_i64(struct ph_buf *buf, int64_t value);       /* decimal */
void ph_buf_hex(struct ph_buf *buf, struct ph_str bytes); /* lower case */

/* The bytes as a JSON string with its quotes; the input must be UTF-8. */
void ph_buf_json(struct ph_buf *buf, struct ph_str text);

/* Appends a NUL that is not counted in len, for C calls. */
const char *ph_buf_z(struct ph_buf *buf);

/* Back to an earlier length: undoes a half-written item, clears `full`. */
void ph_buf_cut(struct ph_buf *buf, size_t len);

#endif

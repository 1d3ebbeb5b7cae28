/*
 * buf.c - bounded appends.
 */
#include "libpayhub/base/buf.h"

#include <assert.h>

static const char hex_digits[] = "0123456789abcdef";

void
ph_buf_u64(struct ph_buf *buf, uint64_t value)
{
    char   digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value != 0);
    ph_buf_add(buf, ph_str_make(digits + at, sizeof(digits) - at));
}

void
ph_buf_i64(struct ph_buf *buf, int64_t value)
{
    size_t   mark      = buf->len;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;

    if (value < 0) {
        ph_buf_byte(buf, '-');
    }
    ph_buf_u64(buf, magnitude);
    if (buf->full) {
        buf->len = mark;
    }
}

void
ph_buf_hex(struct ph_buf *buf, struct ph_str bytes)
{
    char *at = ph_buf_reserve(buf, bytes.len * 2);

    for (size_t i = 0; at != NULL && i < bytes.len; i++) {
        unsigned char byte = (unsigned char) bytes.ptr[i];

        *at++ = hex_digits[byte >> 4];
        *at++ = hex_digits[byte & 15];
    }
}

static void
buf_json_escape(struct ph_buf *buf, unsigned char ch)
{
    /* style: two-letter escapes where JSON has them, \u00XX for the rest */
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
        if ((unsigned char) letters[i] == ch) {
            ph_buf_byte(buf, '\\');
            ph_buf_byte(buf, letters[i + 1]);
            return;
        }
    }
    ph_buf_add(buf, PH_STR("\\u00"));
    ph_buf_byte(buf, hex_digits[ch >> 4]);
    ph_buf_byte(buf, hex_digits[ch & 15]);
}

void
ph_buf_json(struct ph_buf *buf, struct ph_str text)
{
    size_t mark = buf->len;
    size_t from = 0;

    ph_buf_byte(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char ch = (unsigned char) text.ptr[i];

        if (ch >= 0x20 && ch != '"' && ch != '\\' && ch != 0x7f) {
            continue;
        }
        ph_buf_add(buf, ph_str_make(text.ptr + from, i - from));
        buf_json_escape(buf, ch);
        from = i + 1;
    }
    if (from < text.len) {
        ph_buf_add(buf, ph_str_make(text.ptr + from, text.len - from));
    }
    ph_buf_byte(buf, '"');
    if (buf->full) {
        buf->len = mark;
    }
}

const char *
ph_buf_z(struct ph_buf *buf)
{
    if (buf->len < buf->size) {
        buf->ptr[buf->len] = '\0';
        return buf->ptr;
    }
    buf->full = true;
    return "";
}

void
ph_buf_cut(struct ph_buf *buf, size_t len)
{
    assert(len <= buf->len);

    buf->len  = len;
    buf->full = false;
}

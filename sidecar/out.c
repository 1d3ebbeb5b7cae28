/*
 * out.c - a bounded buffer before write(2).
 *
 * Values may be far larger than the buffer, so long texts go through it in
 * pieces.  A failed write sticks; the caller asks at the end.
 */
#include "sidecar/out.h"

#include <errno.h>
#include <unistd.h>

#define NUMBER_MAX 24

static const char hex_digits[] = "0123456789abcdef";

void
bl_out_init(struct bl_out *out, int fd)
{
    out->fd     = fd;
    out->failed = false;
    ph_buf_init(&out->buf, out->memory, sizeof(out->memory));
}

static void
bytes_write(struct bl_out *out, struct ph_str bytes)
{
    while (bytes.len != 0 && !out->failed && out->fd >= 0) {
        ssize_t done = write(out->fd, bytes.ptr, bytes.len);

        if (done < 0 && errno != EINTR) {
            out->failed = true;
        } else if (done > 0) {
            bytes.ptr += done;
            bytes.len -= (size_t) done;
        }
    }
}

bool
bl_out_flush(struct bl_out *out)
{
    bytes_write(out, ph_buf_str(&out->buf));
    ph_buf_cut(&out->buf, 0);
    return !out->failed;
}

/* room for `need` more bytes, which are far fewer than the buffer has */
static void
room_make(struct bl_out *out, size_t need)
{
    if (need > out->buf.size - out->buf.len) {
        (void) bl_out_flush(out);
    }
}

void
bl_out_add(struct bl_out *out, struct ph_str bytes)
{
    room_make(out, bytes.len);
    if (bytes.len > out->buf.size) {
        bytes_write(out, bytes);
        return;
    }
    ph_buf_add(&out->buf, bytes);
}

void
bl_out_byte(struct bl_out *out, char byte)
{
    room_make(out, 1);
    ph_buf_byte(&out->buf, byte);
}

void
bl_out_u64(struct bl_out *out, uint64_t value)
{
    room_make(out, NUMBER_MAX);
    ph_buf_u64(&out->buf, value);
}

void
bl_out_hex(struct bl_out *out, struct ph_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t) bytes.ptr[i];

        bl_out_byte(out, hex_digits[byte >> 4]);
        bl_out_byte(out, hex_digits[byte & 15]);
    }
}

static void
json_escape(struct bl_out *out, char byte)
{
    switch (byte) {
    case '\n':
        bl_out_add(out, PH_STR("\\n"));
        return;
    case '\r':
        bl_out_add(out, PH_STR("\\r"));
        return;
    case '\t':
        bl_out_add(out, PH_STR("\\t"));
        return;
    case '"':
    case '\\':
        bl_out_byte(out, '\\');
        bl_out_byte(out, byte);
        return;
    default:
        bl_out_add(out, PH_STR("\\u00"));
        bl_out_hex(out, ph_str_make(&byte, 1));
    }
}

void
bl_out_json(struct bl_out *out, struct ph_str text)
{
    bl_out_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '"' || byte == '\\' || (uint8_t) byte < ' ' || byte == 0x7f)
        {
            json_escape(out, byte);
        } else {
            bl_out_byte(out, byte);
        }
    }
    bl_out_byte(out, '"');
}

void
bl_out_quoted(struct bl_out *out, struct ph_str text)
{
    bl_out_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '\'' || byte == '\\') {
            bl_out_byte(out, '\\');
            bl_out_byte(out, byte);
        } else if ((uint8_t) byte < ' ' || byte == 0x7f) {
            json_escape(out, byte);
        } else {
            bl_out_byte(out, byte);
        }
    }
    bl_out_byte(out, '\'');
}

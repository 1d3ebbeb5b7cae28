/*
 * b64.c - strict base64.
 */
#include "libpayhub/wire/b64.h"

static const char b64_digits[]
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
ph_b64_encode(struct ph_buf *buf, struct ph_str raw)
{
    const uint8_t *from = (const uint8_t *) raw.ptr;
    char          *to   = ph_buf_reserve(buf, PH_B64_LEN(raw.len));

    if (to == NULL) {
        return;
    }
    const uint8_t *last = from + raw.len / 3 * 3;

    for (; from < last; from += 3, to += 4) {
        uint32_t bits
            = (uint32_t) from[0] << 16 | (uint32_t) from[1] << 8 | from[2];

        to[0] = b64_digits[bits >> 18];
        to[1] = b64_digits[bits >> 12 & 63];
        to[2] = b64_digits[bits >> 6 & 63];
        to[3] = b64_digits[bits & 63];
    }
    if (raw.len % 3 != 0) {
        bool     two = raw.len % 3 == 2;
        uint32_t bits
            = (uint32_t) from[0] << 16 | (two ? (uint32_t) from[1] << 8 : 0);

        to[0] = b64_digits[bits >> 18];
        to[1] = b64_digits[bits >> 12 & 63];
        to[2] = two ? b64_digits[bits >> 6 & 63] : '=';
        to[3] = '=';
    }
}

/* 0..63, or -1 */
static int
b64_value(char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }
    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }
    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

/* One group of four, of which the last `padding` are '='; false = refused. */
static bool
b64_group(struct ph_buf *buf, const char *group, size_t padding)
{
    uint32_t bits   = 0;
    size_t   digits = 4 - padding;

    for (size_t i = 0; i < 4; i++) {
        int value = i < digits ? b64_value(group[i]) : 0;

        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t) value;
    }
    char raw[3] = { (char) (bits >> 16), (char) (bits >> 8), (char) bits };
    if ((padding > 0 && raw[2] != 0) || (padding > 1 && raw[1] != 0)) {
        return false; /* unused bits are set: a second text for one value */
    }
    ph_buf_add(buf, ph_str_make(raw, 3 - padding));
    return true;
}

static size_t
b64_padding(struct ph_str text)
{
    if (text.len < 4 || text.ptr[text.len - 1] != '=') {
        return 0;
    }
    return text.ptr[text.len - 2] == '=' ? 2 : 1;
}

enum ph_rc
ph_b64_decode(struct ph_buf *buf, struct ph_str text)
{
    size_t mark    = buf->len;
    size_t padding = b64_padding(text);

    if (text.len % 4 != 0) {
        return PH_E_SYNTAX;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;

        if (!b64_group(buf, text.ptr + i, last ? padding : 0)) {
            buf->len = mark;
            return PH_E_SYNTAX;
        }
    }
    if (buf->full) {
        buf->len = mark;
        return PH_E_FULL;
    }
    return PH_OK;
}

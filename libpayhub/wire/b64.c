/*
 * b64.c - strict base64.
 */
#include "libpayhub/wire/b64.h"

#define B64_NONE 0x80 /* no digit */

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

/* clang-format off */
#define NO B64_NONE
static const uint8_t b64_values[128] = { /* of ASCII */
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
    NO,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
};
#undef NO
/* clang-format on */

/* 0..63, or B64_NONE and perhaps more bits */
static inline uint32_t
b64_value(char ch)
{
    unsigned char byte = (unsigned char) ch;

    return b64_values[byte & 127] | (byte & B64_NONE);
}

/* One group of four, of which the last `padding` are '='; false = refused. */
static bool
b64_group(struct ph_buf *buf, const char *group, size_t padding)
{
    uint32_t bits   = 0;
    size_t   digits = 4 - padding;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < digits ? b64_value(group[i]) : 0;

        if ((value & B64_NONE) != 0) {
            return false;
        }
        bits = bits << 6 | value;
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

/* Four digits against three bytes: 0 = the same.  No branch, and no address
 * that depends on `raw`. */
static inline uint32_t
b64_differ(const char *digits, uint32_t bits)
{
    uint32_t a = b64_value(digits[0]), b = b64_value(digits[1]);
    uint32_t c = b64_value(digits[2]), d = b64_value(digits[3]);

    return ((a << 18 | b << 12 | c << 6 | d) ^ bits)
           | ((a | b | c | d) & B64_NONE);
}

bool
ph_b64_same_secret(struct ph_str text, struct ph_str raw)
{
    const uint8_t *from   = (const uint8_t *) raw.ptr;
    const char    *digits = text.ptr;
    size_t         left   = raw.len;
    uint32_t       differ = 0;

    if (text.len != PH_B64_LEN(raw.len)) {
        return false;
    }
    for (; left >= 3; left -= 3, from += 3, digits += 4) {
        differ |= b64_differ(digits, (uint32_t) from[0] << 16
                                         | (uint32_t) from[1] << 8 | from[2]);
        /* or the compiler might leave at the first that differs */
        __asm__ volatile("" : "+r"(differ));
    }
    if (left != 0) {
        char     whole[4] = { digits[0], digits[1], digits[2], 'A' };
        uint32_t bits     = (uint32_t) from[0] << 16;

        if (left == 2) {
            bits |= (uint32_t) from[1] << 8;
        } else {
            differ |= digits[2] != '=';
            whole[2] = 'A';
        }
        differ |= digits[3] != '=';
        differ |= b64_differ(whole, bits);
    }
    return differ == 0;
}

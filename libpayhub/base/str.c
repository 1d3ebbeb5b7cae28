/*
 * str.c - searching, splitting and classifying borrowed strings.
 */
#include "libpayhub/base/str.h"

#include "libpayhub/base/span.h"

int
ph_str_cmp(struct ph_str a, struct ph_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int    order  = common != 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool
ph_str_cut(struct ph_str in, char sep, struct ph_str *head, struct ph_str *tail)
{
    const char *hit = in.len != 0 ? memchr(in.ptr, sep, in.len) : NULL;

    if (hit == NULL) {
        return false;
    }
    size_t at = (size_t) (hit - in.ptr);
    *head     = ph_str_make(in.ptr, at);
    *tail     = ph_str_make(hit + 1, in.len - at - 1);
    return true;
}

bool
ph_str_next(struct ph_str *in, char sep, struct ph_str *piece)
{
    struct ph_str head, tail;

    if (in->ptr == NULL) {
        return false;
    }
    if (ph_str_cut(*in, sep, &head, &tail)) {
        *piece = head;
        *in    = tail;
        return true;
    }
    *piece = *in;
    *in    = ph_str_make(NULL, 0); /* NULL marks "used up" */
    return true;
}

struct ph_str
ph_str_trim(struct ph_str in)
{
    while (in.len != 0 && (in.ptr[0] == ' ' || in.ptr[0] == '\t')) {
        in.ptr++;
        in.len--;
    }
    while (in.len != 0
           && (in.ptr[in.len - 1] == ' ' || in.ptr[in.len - 1] == '\t')) {
        in.len--;
    }
    return in;
}

bool
ph_str_u64(struct ph_str in, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (in.len == 0 || (in.len > 1 && in.ptr[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < in.len; i++) {
        char ch = in.ptr[i];

        if (ch < '0' || ch > '9' || __builtin_mul_overflow(value, 10, &value)
            || __builtin_add_overflow(value, (uint64_t) (ch - '0'), &value))
        {
            return false;
        }
    }
    if (value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool
ph_str_is_token(struct ph_str in, size_t len_max)
{
    if (in.len == 0 || in.len > len_max) {
        return false;
    }
    return ph_span_all(in, '_', '-');
}

/* sets a byte's top bit where the byte is below 0x20 or 0x7f; a top bit that
 * was set (UTF-8) is no control.  Eight bytes a word, no carry between them. */
static uint64_t
word_controls(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;
    const uint64_t low  = word & ~tops;

    uint64_t from_space = low + ones * (0x80 - 0x20);
    uint64_t is_delete  = low + ones;
    return (~from_space | is_delete) & ~word & tops;
}

bool
ph_str_has_control(struct ph_str in)
{
    uint64_t word, found = 0;
    size_t   at = 0;

    for (; in.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, in.ptr + at, sizeof(word));
        found |= word_controls(word);
    }
    for (; at < in.len; at++) {
        found |= word_controls(UINT64_C(0x2020202020202000)
                               | (unsigned char) in.ptr[at]);
    }
    return found != 0;
}

/* Length of the well-formed sequence at ptr, 0 when ill-formed (Unicode 3.9,
 * table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t
utf8_sequence(const unsigned char *ptr, size_t left)
{
    unsigned char lead = ptr[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t        len;

    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        len = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        len  = 3;
        low  = lead == 0xe0 ? 0xa0 : 0x80;
        high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        len  = 4;
        low  = lead == 0xf0 ? 0x90 : 0x80;
        high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < len || ptr[1] < low || ptr[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (ptr[i] < 0x80 || ptr[i] > 0xbf) {
            return 0;
        }
    }
    return len;
}

size_t
ph_str_utf8_count(struct ph_str in)
{
    const unsigned char *bytes = (const unsigned char *) in.ptr;
    size_t               count = 0;
    uint64_t             word;

    for (size_t at = 0; at < in.len; count++) {
        while (in.len - at >= sizeof(word)) { /* mostly ASCII */
            memcpy(&word, bytes + at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) != 0) {
                break;
            }
            at += sizeof(word);
            count += sizeof(word);
        }
        if (at == in.len) {
            break;
        }
        size_t len = utf8_sequence(bytes + at, in.len - at);

        if (len == 0) {
            return SIZE_MAX;
        }
        at += len;
    }
    return count;
}

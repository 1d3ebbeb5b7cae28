/*
 * str.h - a borrowed run of bytes with its length.
 *
 * A ph_str owns nothing and need not end in NUL.  It is passed by value.
 * Every function here is pure, safe on {NULL, 0} and usable on any thread.
 */
#ifndef PH_BASE_STR_H
#define PH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ph_str {
    const char *ptr;
    size_t      len; /* bytes */
};

#define PH_STR_INIT(literal)                                                   \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define PH_STR(literal) ((struct ph_str) PH_STR_INIT(literal))

static inline struct ph_str
ph_str_make(const char *ptr, size_t len)
{
    return (struct ph_str){ ptr, len };
}

/* a NUL-terminated text; NULL gives the empty string */
static inline struct ph_str
ph_str_z(const char *text)
{
    return (struct ph_str){ text, text != NULL ? strlen(text) : 0 };
}

static inline bool
ph_str_eq(struct ph_str a, struct ph_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* memcmp() == 0 in line, for names: mostly short ones */
static inline bool
ph_str_same(const char *a, const char *b, size_t len)
{
    uint64_t first[2], last[2];

    if (len < 4 || len > 16) {
        for (size_t i = 0; i < len && len < 4; i++) {
            if (a[i] != b[i]) {
                return false;
            }
        }
        return len < 4 || memcmp(a, b, len) == 0;
    }
    if (len >= 8) {
        memcpy(&first[0], a, 8);
        memcpy(&first[1], b, 8);
        memcpy(&last[0], a + len - 8, 8);
        memcpy(&last[1], b + len - 8, 8);
    } else {
        first[0] = first[1] = last[0] = last[1] = 0;
        memcpy(&first[0], a, 4);
        memcpy(&first[1], b, 4);
        memcpy(&last[0], a + len - 4, 4);
        memcpy(&last[1], b + len - 4, 4);
    }
    return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

static inline bool
ph_str_starts(struct ph_str in, struct ph_str prefix)
{
    return in.len >= prefix.len
           && (prefix.len == 0 || memcmp(in.ptr, prefix.ptr, prefix.len) == 0);
}

/* memcmp order, shorter first when one is a prefix of the other */
int ph_str_cmp(struct ph_str a, struct ph_str b);

/* Splits at the first `sep`; false (and nothing written) when there is none. */
bool ph_str_cut(struct ph_str in, char sep, struct ph_str *head,
                struct ph_str *tail);

/*
 * Takes the next piece before `sep` off the front of *in; the last piece ends
 * at the end.  False when *in is used up (its ptr is NULL then).  "a,,b"
 * gives "a", "", "b"; "" gives one empty piece; {NULL, 0} gives nothing.
 */
bool ph_str_next(struct ph_str *in, char sep, struct ph_str *piece);

/* blanks and tabs off both ends */
struct ph_str ph_str_trim(struct ph_str in);

/* Strict decimal: digits only, no sign, no leading zero but "0", <= max. */
bool ph_str_u64(struct ph_str in, uint64_t max, uint64_t *out);

/* 1..len_max bytes, all of [A-Za-z0-9_-]: order numbers, nonces, ids */
bool ph_str_is_token(struct ph_str in, size_t len_max);

/* true when some byte is < 0x20 or == 0x7f */
bool ph_str_has_control(struct ph_str in);

/* Number of code points, or SIZE_MAX when the bytes are not valid UTF-8. */
size_t ph_str_utf8_count(struct ph_str in);

#endif

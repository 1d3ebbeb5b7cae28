/*
 * b64.c - strict base64.
 */
#include "libpayhub/wire/b64.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define B64_NONE 0x80 /* no digit */

#define B64_STEP 6 /* bytes that are eight digits */
#define B64_WORD 8

/*
 * Eight digits of 48 bits, the first in the lowest byte.  All at once and by
 * arithmetic: what is encoded may be a secret, and a table's cache lines would
 * tell of it.
 */
static inline uint64_t
b64_eight(uint64_t bits)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    bits = (bits & UINT64_C(0xffffff000000)) << 8
           | (bits & UINT64_C(0x000000ffffff));
    bits = (bits & UINT64_C(0x00fff00000fff000)) << 4
           | (bits & UINT64_C(0x00000fff00000fff));
    bits = (bits & UINT64_C(0x0fc00fc00fc00fc0)) << 2
           | (bits & UINT64_C(0x003f003f003f003f));

    /* A-Z, a-z, 0-9, + and / begin at 0, 26, 52, 62 and 63 */
    uint64_t small = (bits + ones * (128 - 26)) >> 7 & ones;
    uint64_t digit = (bits + ones * (128 - 52)) >> 7 & ones;
    uint64_t plus  = (bits + ones * (128 - 62)) >> 7 & ones;
    uint64_t slash = (bits + ones * (128 - 63)) >> 7 & ones;

    bits += ones * 'A' + small * ('a' - 26 - 'A')
            - digit * ('a' - 26 - ('0' - 52)) - plus * ('0' - 52 - ('+' - 62))
            + slash * ('/' - 63 - ('+' - 62));
    return __builtin_bswap64(bits);
}

/* eight bytes, the first in the highest */
static inline uint64_t
b64_load(const uint8_t *from)
{
    uint64_t bits;

    memcpy(&bits, from, sizeof(bits));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    return bits;
}

/* The last bytes of `len`, of which `left` < 8 are left, in the highest. */
static inline uint64_t
b64_load_rest(const uint8_t *from, size_t left, size_t len)
{
    uint64_t bits = 0;

    if (len >= sizeof(bits)) {
        return b64_load(from + left - sizeof(bits)) << 8 * (8 - left);
    }
    for (size_t i = 0; i < left; i++) {
        bits |= (uint64_t) from[i] << 8 * (7 - i);
    }
    return bits;
}

/* As many of up to six bytes as are left of `len`, and its digits with their
 * padding; the length of the text. */
static inline size_t
b64_step(const uint8_t *from, size_t left, size_t len, uint64_t *word)
{
    if (left >= B64_WORD) {
        *word = b64_eight(b64_load(from) >> 16);
        return B64_WORD;
    }
    *word = b64_eight(b64_load_rest(from, left, len) >> 16);
    if (left < B64_STEP) {
        uint64_t padding = ~UINT64_C(0) << (left * 8 + 5) / 6 * 8;

        *word = (*word & ~padding)
                | (UINT64_C(0x0101010101010101) * '=' & padding);
    }
    return left <= 3 ? B64_WORD / 2 : B64_WORD;
}

static inline void
b64_put(char *to, uint64_t word, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    if (len == B64_WORD) {
        memcpy(to, &word, B64_WORD);
    } else {
        memcpy(to, &word, B64_WORD / 2);
    }
}

#ifdef __SSE2__

#define B64_WIDE 16      /* digits at once */
#define B64_WIDE_STEP 12 /* bytes that they are */
#define B64_WIDE_READ 14 /* bytes that are looked at for it */

static inline __m128i
b64_part(__m128i bits, uint64_t mask)
{
    return _mm_and_si128(bits, _mm_set1_epi64x((long long) mask));
}

/* `bits` and `step` where a value is `from` or more */
static inline __m128i
b64_shift(__m128i bits, __m128i values, char from, int step)
{
    __m128i is_there = _mm_cmpgt_epi8(values, _mm_set1_epi8((char) (from - 1)));

    return _mm_add_epi8(bits,
                        _mm_and_si128(is_there, _mm_set1_epi8((char) step)));
}

/* b64_eight() twice, in the order of a text */
static inline __m128i
b64_sixteen(const uint8_t *from)
{
    __m128i bits = _mm_set_epi64x((long long) (b64_load(from + B64_STEP) >> 16),
                                  (long long) (b64_load(from) >> 16));

    bits = _mm_or_si128(
        _mm_slli_epi64(b64_part(bits, UINT64_C(0xffffff000000)), 8),
        b64_part(bits, UINT64_C(0x000000ffffff)));
    bits = _mm_or_si128(
        _mm_slli_epi64(b64_part(bits, UINT64_C(0x00fff00000fff000)), 4),
        b64_part(bits, UINT64_C(0x00000fff00000fff)));
    bits = _mm_or_si128(
        _mm_slli_epi64(b64_part(bits, UINT64_C(0x0fc00fc00fc00fc0)), 2),
        b64_part(bits, UINT64_C(0x003f003f003f003f)));

    __m128i text = _mm_add_epi8(bits, _mm_set1_epi8('A'));

    text = b64_shift(text, bits, 26, 'a' - 26 - 'A');
    text = b64_shift(text, bits, 52, '0' - 52 - ('a' - 26));
    text = b64_shift(text, bits, 62, '+' - 62 - ('0' - 52));
    text = b64_shift(text, bits, 63, '/' - 63 - ('+' - 62));

    /* the first digit of each half into its lowest byte */
    text = _mm_or_si128(_mm_slli_epi16(text, 8), _mm_srli_epi16(text, 8));
    text = _mm_shufflelo_epi16(text, _MM_SHUFFLE(0, 1, 2, 3));
    return _mm_shufflehi_epi16(text, _MM_SHUFFLE(0, 1, 2, 3));
}

#endif

void
ph_b64_encode(struct ph_buf *buf, struct ph_str raw)
{
    const uint8_t *from = (const uint8_t *) raw.ptr;
    size_t         left = raw.len;
    char          *to   = ph_buf_reserve(buf, PH_B64_LEN(raw.len));

    if (to == NULL) {
        return;
    }
#ifdef __SSE2__
    for (; left >= B64_WIDE_READ; left -= B64_WIDE_STEP) {
        _mm_storeu_si128((__m128i *) (void *) to, b64_sixteen(from));
        from += B64_WIDE_STEP;
        to += B64_WIDE;
    }
#endif
    for (; left > 0; from += B64_STEP) {
        uint64_t word;
        size_t   len = b64_step(from, left, raw.len, &word);

        b64_put(to, word, len);
        to += len;
        left -= left < B64_STEP ? left : B64_STEP;
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

bool
ph_b64_same_secret(struct ph_str text, struct ph_str raw)
{
    const uint8_t *from   = (const uint8_t *) raw.ptr;
    const char    *at     = text.ptr;
    size_t         left   = raw.len;
    uint64_t       differ = 0;

    if (text.len != PH_B64_LEN(raw.len)) {
        return false;
    }
#ifdef __SSE2__
    __m128i wide = _mm_setzero_si128();

    for (; left >= B64_WIDE_READ; left -= B64_WIDE_STEP) {
        __m128i have = _mm_loadu_si128((const __m128i *) (const void *) at);

        wide = _mm_or_si128(wide, _mm_xor_si128(have, b64_sixteen(from)));
        /* or the compiler might leave at the first that differs */
        __asm__ volatile("" : "+x"(wide));
        from += B64_WIDE_STEP;
        at += B64_WIDE;
    }
    wide   = _mm_or_si128(wide, _mm_unpackhi_epi64(wide, wide));
    differ = (uint64_t) _mm_cvtsi128_si64(wide);
#endif
    for (; left > 0; from += B64_STEP) {
        uint64_t word, have = 0;
        char     want[B64_WORD] = { 0 };
        size_t   len            = b64_step(from, left, raw.len, &word);

        b64_put(want, word, len);
        memcpy(&word, want, B64_WORD);
        memcpy(&have, at, len == B64_WORD ? B64_WORD : B64_WORD / 2);
        differ |= word ^ have;
        /* or the compiler might leave at the first that differs */
        __asm__ volatile("" : "+r"(differ));
        at += len;
        left -= left < B64_STEP ? left : B64_STEP;
    }
    return differ == 0;
}

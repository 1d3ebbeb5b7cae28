/*
 * span.h - how far bytes of one class reach, sixteen at a time where the
 * machine can.  For what runs on every request; inline, so that the class is
 * known when it is compiled.
 */
#ifndef PH_BASE_SPAN_H
#define PH_BASE_SPAN_H

#include "libpayhub/base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool
ph_span_takes(char ch, char extra, char other)
{
    unsigned char letter = (unsigned char) ((ch | 0x20) - 'a');
    unsigned char digit  = (unsigned char) (ch - '0');

    return letter < 26 || digit < 10 || ch == extra || ch == other;
}

#ifdef __SSE2__

#define PH_SPAN_LANES 16

/* all bits of each byte in [lowest, lowest + range) */
static inline __m128i
ph_span_within(__m128i bytes, char lowest, char range)
{
    __m128i from = _mm_sub_epi8(bytes, _mm_set1_epi8(lowest));

    return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8((char) (range - 1))),
                          from);
}

static inline __attribute__((always_inline)) unsigned
ph_span_strange(const char *at, char extra, char other)
{
    __m128i bytes  = _mm_loadu_si128((const __m128i *) (const void *) at);
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    __m128i taken  = ph_span_within(folded, 'a', 26);

    taken = _mm_or_si128(taken, ph_span_within(bytes, '0', 10));
    taken = _mm_or_si128(taken, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(extra)));
    taken = _mm_or_si128(taken, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(other)));
    return (unsigned) _mm_movemask_epi8(taken) ^ 0xffffu;
}

#endif

/*
 * The first byte from `at` on, or `end`, that is no letter, no digit, not
 * `extra` and not `other`.  `begin` is where the text begins that `at` stands
 * in: nothing before it is read.
 */
static inline __attribute__((always_inline)) const char *
ph_span_alnum(const char *begin, const char *at, const char *end, char extra,
              char other)
{
#ifdef __SSE2__
    while (end - at >= PH_SPAN_LANES) {
        unsigned strange = ph_span_strange(at, extra, other);

        if (strange != 0) {
            return at + __builtin_ctz(strange);
        }
        at += PH_SPAN_LANES;
    }
    if (end - begin >= PH_SPAN_LANES) { /* the rest, by the last sixteen */
        unsigned seen = (unsigned) (PH_SPAN_LANES - (end - at));
        unsigned strange
            = ph_span_strange(end - PH_SPAN_LANES, extra, other) >> seen;

        return strange != 0 ? at + __builtin_ctz(strange) : end;
    }
#endif
    while (at < end && ph_span_takes(*at, extra, other)) {
        at++;
    }
    (void) begin;
    return at;
}

/* Whether all bytes are of the class; at least one. */
static inline __attribute__((always_inline)) bool
ph_span_all(struct ph_str in, char extra, char other)
{
#ifdef __SSE2__
    char bytes[PH_SPAN_LANES];

    /* the first and the last of them, which may be the same ones */
    if (in.len < PH_SPAN_LANES && in.len >= 4) {
        size_t half = in.len >= 8 ? 8 : 4;

        memset(bytes, *in.ptr, sizeof(bytes));
        memcpy(bytes, in.ptr, half);
        memcpy(bytes + 8, in.ptr + in.len - half, half);
        return ph_span_strange(bytes, extra, other) == 0;
    }
#endif
    return ph_span_alnum(in.ptr, in.ptr, in.ptr + in.len, extra, other)
           == in.ptr + in.len;
}

/* ---- JSON ---- */

static inline bool
ph_span_is_blank(char ch)
{
    return ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t';
}

/* not a quote, no backslash, no control character */
static inline bool
ph_span_is_text(char ch)
{
    return (unsigned char) ch >= 0x20 && ch != '"' && ch != '\\';
}

/* The first byte from `at` on, or `end`, that is no blank of JSON. */
static inline const char *
ph_span_blanks(const char *at, const char *end)
{
#ifdef __SSE2__
    const char *begin = at;

    while (end - at >= PH_SPAN_LANES) {
        __m128i bytes  = _mm_loadu_si128((const __m128i *) (const void *) at);
        __m128i blanks = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));

        if (_mm_movemask_epi8(blanks) == 0xffff) {
            at += PH_SPAN_LANES;
            continue;
        }
        blanks
            = _mm_or_si128(blanks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
        blanks
            = _mm_or_si128(blanks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
        blanks
            = _mm_or_si128(blanks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')));
        unsigned strange = (unsigned) _mm_movemask_epi8(blanks) ^ 0xffffu;

        if (strange != 0) {
            return at + __builtin_ctz(strange);
        }
        at += PH_SPAN_LANES;
    }
    if (at != begin && at != end) { /* the rest, by the last sixteen */
        __m128i bytes = _mm_loadu_si128(
            (const __m128i *) (const void *) (end - PH_SPAN_LANES));

        if (_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')))
            == 0xffff) {
            return end;
        }
    }
#endif
    while (at < end && ph_span_is_blank(*at)) {
        at++;
    }
    return at;
}

/* The first byte from `at` on, or `end`, that may not stand for itself in a
 * string of JSON.  *high: whether bytes that were looked at, be they behind
 * it, are beyond ASCII; it is never taken back. */
static inline const char *
ph_span_text(const char *at, const char *end, bool *high)
{
#ifdef __SSE2__
    while (end - at >= PH_SPAN_LANES) {
        __m128i bytes = _mm_loadu_si128((const __m128i *) (const void *) at);
        __m128i stops = ph_span_within(bytes, 0, 0x20);

        stops = _mm_or_si128(stops, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
        stops = _mm_or_si128(stops, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        unsigned found = (unsigned) _mm_movemask_epi8(stops);

        *high |= _mm_movemask_epi8(bytes) != 0;
        if (found != 0) {
            return at + __builtin_ctz(found);
        }
        at += PH_SPAN_LANES;
    }
#endif
    while (at < end && ph_span_is_text(*at)) {
        *high |= (unsigned char) *at >= 0x80;
        at++;
    }
    return at;
}

/* From `at` on to the quote that ends a string, when all before it is ASCII
 * that stands for itself; else NULL, as where `end` is nearer than sixteen
 * bytes beyond the string: then somebody has to look more closely. */
static inline __attribute__((always_inline)) const char *
ph_span_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    while (end - at >= PH_SPAN_LANES) {
        __m128i bytes = _mm_loadu_si128((const __m128i *) (const void *) at);
        /* signed: controls and all beyond ASCII */
        __m128i stops = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));

        stops = _mm_or_si128(stops, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
        stops = _mm_or_si128(stops, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        unsigned found = (unsigned) _mm_movemask_epi8(stops);

        if (found != 0) {
            at += __builtin_ctz(found);
            return *at == '"' ? at : NULL;
        }
        at += PH_SPAN_LANES;
    }
#endif
    (void) at;
    (void) end;
    return NULL;
}

#endif

/*
 * filter.c - the filters that change texts; those with keys are in cipher.c.
 *
 * Every one gives a text of its own or a view of what it was given.  A value
 * that is not what the filter takes is a fault, never a guess.
 */
#include "channels/declarative/filter.h"

#include "libpayhub/base/civil.h"
#include "libpayhub/base/money.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/form.h"

#define BYTES_32 4

/* clang-format off */
const struct declared_filter_row declared_filters[] = {
#define FILTER(name, arg, sees_empty, function, about)                         \
    { (name), (arg), (sees_empty), declared_##function, (about) },
#include "channels/declarative/filters.def"
#undef FILTER
};
const size_t declared_filter_count = PH_COUNT(declared_filters);

const char *const declared_shapes[SHAPES] = {
    [SHAPE_UNIX]    = "unix",
    [SHAPE_MS]      = "ms",
    [SHAPE_COMPACT] = "compact",
    [SHAPE_PLAIN]   = "plain",
    [SHAPE_RFC3339] = "rfc3339",
};
/* clang-format on */

/* closes what a filter wrote into the rest of the arena */
bool
declared_filter_end(struct declared_run *run, struct ph_buf *buf,
                    struct ph_str *out)
{
    *out = ph_arena_close(run->arena, buf);
    return !run->arena->full ? declared_burn(run, out->len)
                             : declared_fault(run, FAULT_ROOM);
}

/* ---- letters and lengths ---- */

static bool
letters_map(struct declared_run *run, struct ph_str in, char from, int by,
            struct ph_str *out)
{
    struct ph_buf buf;

    ph_arena_open(run->arena, &buf);
    for (size_t i = 0; i < in.len; i++) {
        char ch       = in.ptr[i];
        bool is_other = ch >= from && ch <= from + ('z' - 'a');

        ph_buf_byte(&buf, (char) (is_other ? ch + by : ch));
    }
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(upper)
{
    (void) filter;
    return letters_map(run, in, 'a', 'A' - 'a', out);
}

FILTER_FN(lower)
{
    (void) filter;
    return letters_map(run, in, 'A', 'a' - 'A', out);
}

static bool
is_space(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

FILTER_FN(trim)
{
    (void) filter;
    (void) run;
    while (in.len != 0 && is_space(in.ptr[0])) {
        in.ptr++;
        in.len--;
    }
    while (in.len != 0 && is_space(in.ptr[in.len - 1])) {
        in.len--;
    }
    *out = in;
    return true;
}

FILTER_FN(cut)
{
    int64_t left = filter->number;
    size_t  at   = 0;

    if (ph_str_utf8_count(in) == SIZE_MAX) {
        return declared_fault(run, FAULT_VALUE);
    }
    while (at < in.len) {
        bool begins = ((unsigned char) in.ptr[at] & 0xc0) != 0x80;

        if (begins && left-- == 0) {
            break;
        }
        at++;
    }
    *out = ph_str_make(in.ptr, at);
    return true;
}

FILTER_FN(or_text)
{
    (void) run;
    *out = in.len != 0 ? in : filter->text;
    return true;
}

FILTER_FN(squeeze)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    for (size_t i = 0; i < in.len; i++) {
        size_t end = i + 1;

        ph_buf_byte(&buf, in.ptr[i]);
        if (in.ptr[i] != '>') {
            continue;
        }
        while (end < in.len && is_space(in.ptr[end])) {
            end++;
        }
        if (end == in.len || in.ptr[end] == '<') {
            i = end - 1;
        }
    }
    return declared_filter_end(run, &buf, out);
}

/* the place of `needle` at or behind `from`; in.len = it is not there */
static size_t
place_of(struct ph_str in, struct ph_str needle, size_t from)
{
    for (size_t i = from; i + needle.len <= in.len; i++) {
        if (memcmp(in.ptr + i, needle.ptr, needle.len) == 0) {
            return i;
        }
    }
    return in.len;
}

/* <NAME>...</NAME>: exactly one of them, or it is not known what was signed */
FILTER_FN(without)
{
    char          memory[DECLARED_NAME_MAX * 2 + 8];
    struct ph_buf buf = PH_BUF_INIT(memory);

    ph_buf_byte(&buf, '<');
    ph_buf_add(&buf, filter->text);
    ph_buf_byte(&buf, '>');
    size_t split = buf.len;

    ph_buf_add(&buf, PH_STR("</"));
    ph_buf_add(&buf, filter->text);
    ph_buf_byte(&buf, '>');
    struct ph_str open  = ph_str_make(memory, split);
    struct ph_str close = ph_str_make(memory + split, buf.len - split);
    size_t        from  = place_of(in, open, 0);
    size_t        to    = place_of(in, close, from);

    if (buf.full || from == in.len || to == in.len
        || place_of(in, open, from + open.len) != in.len
        || place_of(in, close, to + close.len) != in.len)
    {
        return declared_fault(run, FAULT_VALUE);
    }
    struct ph_buf rest;

    ph_arena_open(run->arena, &rest);
    ph_buf_add(&rest, ph_str_make(in.ptr, from));
    ph_buf_add(&rest,
               ph_str_make(in.ptr + to + close.len, in.len - to - close.len));
    return declared_filter_end(run, &rest, out);
}

FILTER_FN(len32)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    for (int shift = 24; shift >= 0; shift -= 8) {
        ph_buf_byte(&buf, (char) (unsigned char) (in.len >> shift));
    }
    ph_buf_add(&buf, in);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(unlen32)
{
    size_t len = 0;

    (void) filter;
    for (size_t i = 0; i < BYTES_32 && in.len >= BYTES_32; i++) {
        len = len << 8 | (unsigned char) in.ptr[i];
    }
    if (in.len < BYTES_32 || len > in.len - BYTES_32) {
        return declared_fault(run, FAULT_VALUE);
    }
    for (size_t i = BYTES_32 + len; i < in.len; i++) {
        if (in.ptr[i] != '\0') {
            return declared_fault(run, FAULT_VALUE);
        }
    }
    *out = ph_str_make(in.ptr + BYTES_32, len);
    return true;
}

FILTER_FN(pad8)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    ph_buf_add(&buf, in);
    while (buf.len % 8 != 0 && !buf.full) {
        ph_buf_byte(&buf, '\0');
    }
    return declared_filter_end(run, &buf, out);
}

/* ---- money and numbers ---- */

static bool
is_whole(struct ph_str in)
{
    uint64_t value;

    return ph_str_u64(in, PH_AMOUNT_MAX, &value);
}

FILTER_FN(minor)
{
    (void) filter;
    *out = in;
    return is_whole(in) || declared_fault(run, FAULT_VALUE);
}

FILTER_FN(number)
{
    struct ph_str digits = in;

    (void) filter;
    if (in.len != 0 && in.ptr[0] == '-') {
        digits = ph_str_make(in.ptr + 1, in.len - 1);
    }
    *out = in;
    return is_whole(digits) || declared_fault(run, FAULT_VALUE);
}

/* of the order's currency, or of all in the file */
static int
places_of(const struct declared_run *run)
{
    return run->order != NULL ? ph_currency_exponent(run->order->currency)
                              : run->file->places;
}

/* N says how the amount is written, never how much it is. */
FILTER_FN(decimal)
{
    int           own    = places_of(run);
    int           places = filter->number >= 0 ? (int) filter->number : own;
    uint64_t      value;
    int64_t       scaled;
    struct ph_buf buf;

    if (own < 0 || !ph_str_u64(in, PH_AMOUNT_MAX, &value)
        || !ph_money_rescale((int64_t) value, own, places, &scaled))
    {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_money_format(&buf, scaled, places);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(parse_decimal)
{
    int           own    = places_of(run);
    int           places = filter->number >= 0 ? (int) filter->number : own;
    int64_t       written, value;
    struct ph_buf buf;

    if (own < 0 || ph_money_parse(in, places, &written) != PH_OK
        || !ph_money_rescale(written, places, own, &value))
    {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_i64(&buf, value);
    return declared_filter_end(run, &buf, out);
}

/* ---- times: milliseconds in digits inside ---- */

#define TIME_MS_MAX UINT64_C(253402300799999) /* the end of 9999 */

static enum ph_civil_shape
civil_of(int shape)
{
    return shape == SHAPE_COMPACT ? PH_CIVIL_COMPACT
           : shape == SHAPE_PLAIN ? PH_CIVIL_PLAIN
                                  : PH_CIVIL_RFC3339;
}

FILTER_FN(time_text)
{
    uint64_t      at_ms;
    struct ph_buf buf;

    if (!ph_str_u64(in, TIME_MS_MAX, &at_ms)) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    if (filter->shape == SHAPE_UNIX || filter->shape == SHAPE_MS) {
        ph_buf_u64(&buf, filter->shape == SHAPE_MS ? at_ms : at_ms / 1000);
    } else {
        ph_civil_add(&buf, civil_of(filter->shape), at_ms, filter->offset_min);
    }
    return declared_filter_end(run, &buf, out);
}

/* one that lies before it is a fault: no channel takes a negative time */
FILTER_FN(after)
{
    struct ph_str other;
    uint64_t      to_ms, from_ms;
    struct ph_buf buf;

    if (!declared_source_text(run, &filter->args[1], &other)) {
        return false;
    }
    if (!ph_str_u64(in, TIME_MS_MAX, &to_ms)
        || !ph_str_u64(other, TIME_MS_MAX, &from_ms) || to_ms < from_ms)
    {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_u64(&buf, (to_ms - from_ms) / 1000);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(parse_time)
{
    uint64_t      at_ms = 0;
    struct ph_buf buf;
    bool          ok;

    if (filter->shape == SHAPE_UNIX) {
        ok    = ph_str_u64(in, TIME_MS_MAX / 1000, &at_ms);
        at_ms = at_ms * 1000;
    } else if (filter->shape == SHAPE_MS) {
        ok = ph_str_u64(in, TIME_MS_MAX, &at_ms);
    } else {
        ok = ph_civil_parse(in, civil_of(filter->shape), filter->offset_min,
                            &at_ms)
             == PH_OK;
    }
    if (!ok) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_u64(&buf, at_ms);
    return declared_filter_end(run, &buf, out);
}

/* ---- encodings ---- */

FILTER_FN(url)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    ph_url_encode(&buf, in, PH_URL_SPACE_HEX);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(form)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    ph_url_encode(&buf, in, PH_URL_SPACE_PLUS);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(json)
{
    struct ph_buf buf;

    (void) filter;
    if (in.len != 0 && ph_str_utf8_count(in) == SIZE_MAX) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_json(&buf, in);
    return declared_filter_end(run, &buf, out);
}

static struct ph_str
entity_of(char ch, bool with_quotes)
{
    switch (ch) {
    case '&':
        return PH_STR("&amp;");
    case '<':
        return PH_STR("&lt;");
    case '>':
        return PH_STR("&gt;");
    case '"':
        return with_quotes ? PH_STR("&quot;") : ph_str_make(NULL, 0);
    case '\'':
        return with_quotes ? PH_STR("&#39;") : ph_str_make(NULL, 0);
    default:
        return ph_str_make(NULL, 0);
    }
}

void
declared_escape(struct ph_buf *buf, struct ph_str text, bool with_quotes)
{
    for (size_t i = 0; i < text.len; i++) {
        struct ph_str entity = entity_of(text.ptr[i], with_quotes);

        if (entity.ptr != NULL) {
            ph_buf_add(buf, entity);
        } else {
            ph_buf_byte(buf, text.ptr[i]);
        }
    }
}

FILTER_FN(html)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    declared_escape(&buf, in, true);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(xml)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    declared_escape(&buf, in, false);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(b64)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    ph_b64_encode(&buf, in);
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(unb64)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    if (ph_b64_decode(&buf, in) != PH_OK) {
        return declared_fault(run, buf.full ? FAULT_ROOM : FAULT_VALUE);
    }
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(hex)
{
    struct ph_buf buf;

    (void) filter;
    ph_arena_open(run->arena, &buf);
    ph_buf_hex(&buf, in);
    return declared_filter_end(run, &buf, out);
}

static int
digit_of(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

FILTER_FN(unhex)
{
    struct ph_buf buf;

    (void) filter;
    if (in.len % 2 != 0) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    for (size_t i = 0; i < in.len; i += 2) {
        int high = digit_of(in.ptr[i]), low = digit_of(in.ptr[i + 1]);

        if (high < 0 || low < 0) {
            return declared_fault(run, FAULT_VALUE);
        }
        ph_buf_byte(&buf, (char) (unsigned char) (high << 4 | low));
    }
    return declared_filter_end(run, &buf, out);
}

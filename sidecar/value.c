/*
 * value.c - raw column bytes to text.
 *
 * One function a family of types; none reads beyond `raw`, whose length the
 * row walk took from the table map.  Not on the counting path.
 */
#include "sidecar/value.h"

#include <stdio.h>
#include <stdlib.h>

#include "sidecar/when.h"

#define DIGITS_PER_GROUP 9
#define DECIMAL_BYTES_MAX 36
#define FLOAT_DIGITS_MIN 6
#define DOUBLE_DIGITS_MIN 15

int64_t
bl_integer(const struct bl_column *column, struct ph_str raw)
{
    struct ph_cur cur;

    ph_cur_init(&cur, raw);
    uint64_t value = ph_cur_le(&cur, raw.len);
    unsigned spare = 64 - 8 * (unsigned) raw.len;

    if (column->is_unsigned || raw.len == 0) {
        return (int64_t) value;
    }
    return (int64_t) (value << spare) >> spare;
}

static void
integer_text(struct ph_buf *text, const struct bl_column *column,
             struct ph_str raw)
{
    int64_t value = bl_integer(column, raw);

    if (column->is_unsigned) {
        ph_buf_u64(text, (uint64_t) value);
    } else {
        ph_buf_i64(text, value);
    }
}

static void
padded(struct ph_buf *text, uint64_t value, unsigned digits)
{
    uint64_t power = 1;

    for (unsigned i = 1; i < digits; i++) {
        power *= 10;
    }
    for (; power != 0; power /= 10) {
        ph_buf_byte(text, (char) ('0' + value / power % 10));
    }
}

/* the shortest text that reads back as the same number */
static void
real_text(struct ph_buf *text, struct ph_str raw)
{
    char   out[BL_NUMBER_TEXT_MAX];
    float  single = 0;
    double value  = 0;
    bool   same   = false;

    if (raw.len == sizeof(single)) {
        memcpy(&single, raw.ptr, sizeof(single));
        value = (double) single;
    } else {
        memcpy(&value, raw.ptr, sizeof(value));
    }
    int digits
        = raw.len == sizeof(single) ? FLOAT_DIGITS_MIN : DOUBLE_DIGITS_MIN;
    for (int more = 0; more < 4 && !same; more++) {
        (void) snprintf(out, sizeof(out), "%.*g", digits + more, value);
        double back = strtod(out, NULL);
        same        = raw.len == sizeof(single) ? (float) back == single
                                                : back == value;
    }
    ph_buf_add(text, ph_str_z(out));
}

/* `digits` decimal digits from their 1..4 bytes at *cur */
static void
group_text(struct ph_buf *text, struct ph_cur *cur, unsigned digits)
{
    static const uint8_t width[DIGITS_PER_GROUP + 1]
        = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };

    if (digits != 0) {
        padded(text, ph_cur_be(cur, width[digits]), digits);
    }
}

/*
 * Big-endian groups of nine digits in four bytes, the odd digits outermost;
 * the top bit set for positive, all bits inverted for negative.
 */
static void
decimal_text(struct ph_buf *text, const struct bl_column *column,
             struct ph_str raw)
{
    char          bytes[DECIMAL_BYTES_MAX];
    char          memory[BL_NUMBER_TEXT_MAX];
    struct ph_buf digits = PH_BUF_INIT(memory);
    struct ph_cur cur;
    unsigned      whole = column->precision - column->scale;

    if (raw.len == 0 || raw.len > sizeof(bytes)) {
        return;
    }
    memcpy(bytes, raw.ptr, raw.len);
    bool negative = ((uint8_t) bytes[0] & 0x80) == 0;
    bytes[0]      = (char) ((uint8_t) bytes[0] ^ 0x80);
    for (size_t i = 0; negative && i < raw.len; i++) {
        bytes[i] = (char) ~bytes[i];
    }
    ph_cur_init(&cur, ph_str_make(bytes, raw.len));
    group_text(&digits, &cur, whole % DIGITS_PER_GROUP);
    for (unsigned i = 0; i < whole / DIGITS_PER_GROUP; i++) {
        group_text(&digits, &cur, DIGITS_PER_GROUP);
    }
    size_t skip = 0;
    while (skip < digits.len && memory[skip] == '0') {
        skip++;
    }
    if (skip == digits.len) { /* also when there are no whole digits */
        ph_buf_cut(&digits, 0);
        ph_buf_byte(&digits, '0');
        skip = 0;
    }
    if (column->scale != 0) {
        ph_buf_byte(&digits, '.');
        for (unsigned i = 0; i < column->scale / DIGITS_PER_GROUP; i++) {
            group_text(&digits, &cur, DIGITS_PER_GROUP);
        }
        group_text(&digits, &cur, column->scale % DIGITS_PER_GROUP);
    }
    if (negative) {
        ph_buf_byte(text, '-');
    }
    ph_buf_add(text, ph_str_make(memory + skip, digits.len - skip));
}

static void
date_text(struct ph_buf *text, const struct bl_when *when)
{
    padded(text, when->year, 4);
    ph_buf_byte(text, '-');
    padded(text, when->month, 2);
    ph_buf_byte(text, '-');
    padded(text, when->day, 2);
}

static void
clock_text(struct ph_buf *text, const struct bl_when *when, unsigned scale)
{
    static const uint32_t unit[7]
        = { 1000000, 100000, 10000, 1000, 100, 10, 1 };

    padded(text, when->hour, when->hour > 99 ? 3 : 2);
    ph_buf_byte(text, ':');
    padded(text, when->minute, 2);
    ph_buf_byte(text, ':');
    padded(text, when->second, 2);
    if (scale != 0 && scale < PH_COUNT(unit)) {
        ph_buf_byte(text, '.');
        padded(text, when->micros / unit[scale], scale);
    }
}

static void
both_text(struct ph_buf *text, const struct bl_when *when, unsigned scale)
{
    date_text(text, when);
    ph_buf_byte(text, ' ');
    clock_text(text, when, scale);
}

/* DATETIME and TIME before MySQL 5.6: decimal digits YYYYMMDDhhmmss */
static struct bl_when
digits_split(uint64_t value)
{
    struct bl_when when = { 0 };

    when.second = (uint32_t) (value % 100);
    when.minute = (uint32_t) (value / 100 % 100);
    when.hour   = (uint32_t) (value / 10000 % 100);
    when.day    = (uint32_t) (value / 1000000 % 100);
    when.month  = (uint32_t) (value / 100000000 % 100);
    when.year   = (uint32_t) (value / UINT64_C(10000000000) % 10000);
    return when;
}

static void
old_time_text(struct ph_buf *text, struct ph_str raw)
{
    struct bl_column plain = { 0 };
    int64_t          value = bl_integer(&plain, raw);

    if (value < 0) {
        ph_buf_byte(text, '-');
        value = -value;
    }
    struct bl_when when = digits_split((uint64_t) value);
    when.hour           = (uint32_t) (value / 10000); /* up to 838 */
    clock_text(text, &when, 0);
}

static void
timestamp_text(struct ph_buf *text, const struct bl_column *column,
               struct ph_str raw)
{
    struct ph_cur  cur;
    struct bl_when when = { 0 };

    ph_cur_init(&cur, raw);
    uint64_t seconds = column->type == BL_COL_TIMESTAMP ? ph_cur_le(&cur, 4)
                                                        : ph_cur_be(&cur, 4);
    size_t   rest    = ph_cur_left(&cur);
    uint32_t micros  = bl_fraction_micros(ph_cur_be(&cur, rest), rest);

    if (seconds != 0 || micros != 0) {
        when        = bl_epoch_split(seconds);
        when.micros = micros;
    }
    both_text(text, &when, column->scale);
}

static void
date_column_text(struct ph_buf *text, struct ph_str raw)
{
    struct bl_when when = { 0 };
    struct ph_cur  cur;

    ph_cur_init(&cur, raw);
    uint64_t bits = ph_cur_le(&cur, raw.len);
    when.day      = (uint32_t) (bits & 0x1f);
    when.month    = (uint32_t) (bits >> 5 & 0x0f);
    when.year     = (uint32_t) (bits >> 9);
    date_text(text, &when);
}

static void
temporal_text(struct ph_buf *text, const struct bl_column *column,
              struct ph_str raw)
{
    struct bl_when when;
    struct ph_cur  cur;

    ph_cur_init(&cur, raw);
    switch (column->type) {
    case BL_COL_DATE:
    case BL_COL_NEWDATE:
        date_column_text(text, raw);
        return;
    case BL_COL_TIME:
        old_time_text(text, raw);
        return;
    case BL_COL_DATETIME:
        when = digits_split(ph_cur_le(&cur, raw.len));
        both_text(text, &when, 0);
        return;
    case BL_COL_DATETIME2:
        when = bl_datetime_split(raw);
        both_text(text, &when, column->scale);
        return;
    case BL_COL_TIME2:
        when = bl_time_split(raw);
        if (when.is_negative) {
            ph_buf_byte(text, '-');
        }
        clock_text(text, &when, column->scale);
        return;
    default:
        timestamp_text(text, column, raw);
    }
}

/* printable here: UTF-8 whose only control bytes end lines or indent */
static bool
is_plain(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (((uint8_t) byte < ' ' && byte != '\n' && byte != '\r'
             && byte != '\t')
            || byte == 0x7f)
        {
            return false;
        }
    }
    return ph_str_utf8_count(text) != SIZE_MAX;
}

static void
text_write(struct bl_out *out, enum bl_style style, struct ph_str text)
{
    if (style == BL_STYLE_JSON) {
        bl_out_json(out, text);
    } else {
        bl_out_quoted(out, text);
    }
}

/* bytes, and as many zeros after them as BINARY(n) had cut off */
static void
hex_write(struct bl_out *out, enum bl_style style, struct ph_str bytes,
          size_t zeros)
{
    bl_out_add(out,
               style == BL_STYLE_JSON ? PH_STR("{\"hex\":\"") : PH_STR("0x"));
    bl_out_hex(out, bytes);
    for (size_t i = 0; i < zeros; i++) {
        bl_out_add(out, PH_STR("00"));
    }
    if (style == BL_STYLE_JSON) {
        bl_out_add(out, PH_STR("\"}"));
    }
}

static void
bytes_write(struct bl_out *out, enum bl_style style,
            const struct bl_column *column, struct ph_str bytes)
{
    size_t zeros = 0;

    if (column->type == BL_COL_STRING && column->charset == BL_CHARSET_BINARY
        && bytes.len < column->width)
    {
        zeros = column->width - bytes.len;
    }
    if (zeros == 0 && is_plain(bytes)) {
        text_write(out, style, bytes);
    } else {
        hex_write(out, style, bytes, zeros);
    }
}

/* the text number `index` (from 0) of an ENUM or SET; false if not told */
static bool
member_find(const struct bl_column *column, uint64_t index,
            struct ph_str *member)
{
    struct ph_cur cur;

    ph_cur_init(&cur, column->texts);
    for (uint64_t i = 0; ph_cur_left(&cur) != 0 && !cur.failed; i++) {
        *member = ph_cur_take(&cur, bl_lenenc(&cur));
        if (i == index && !cur.failed) {
            return true;
        }
    }
    return false;
}

static void
members_write(struct bl_out *out, enum bl_style style,
              const struct bl_column *column, struct ph_str raw)
{
    char          memory[8192]; /* 64 members of a SET, all but absurd ones */
    struct ph_buf text = PH_BUF_INIT(memory);
    struct ph_str member;
    struct ph_cur cur;

    ph_cur_init(&cur, raw);
    uint64_t value   = ph_cur_le(&cur, raw.len);
    bool     unknown = column->texts.len == 0 && value != 0;
    if (column->type == BL_COL_ENUM && value != 0 && !unknown) {
        unknown = !member_find(column, value - 1, &member);
        if (!unknown) {
            ph_buf_add(&text, member);
        }
    }
    for (unsigned bit = 0; column->type == BL_COL_SET && bit < 64; bit++) {
        if ((value >> bit & 1) == 0 || unknown) {
            continue;
        }
        unknown = !member_find(column, bit, &member);
        if (text.len != 0) {
            ph_buf_byte(&text, ',');
        }
        ph_buf_add(&text, member);
    }
    if (unknown || text.full) {
        bl_out_u64(out, value);
    } else {
        bytes_write(out, style, column, ph_buf_str(&text));
    }
}

/* A first byte of 0 means that compressing was not worth it. */
static void
packed_write(struct bl_out *out, enum bl_style style,
             const struct bl_column *column, struct ph_str raw,
             struct bl_unpacker *unpacker)
{
    struct ph_str bytes = raw;

    if (raw.len != 0 && raw.ptr[0] == 0) {
        bytes = ph_str_make(raw.ptr + 1, raw.len - 1);
    } else if (raw.len != 0 && !bl_unpack(unpacker, raw, &bytes)) {
        hex_write(out, style, raw, 0); /* as it stands, not a guess */
        return;
    }
    bytes_write(out, style, column, bytes);
}

static void
bit_text(struct ph_buf *text, const struct bl_column *column, struct ph_str raw,
         enum bl_style style)
{
    struct ph_cur cur;

    ph_cur_init(&cur, raw);
    uint64_t value = ph_cur_be(&cur, raw.len);
    if (style == BL_STYLE_JSON) {
        ph_buf_u64(text, value);
        return;
    }
    ph_buf_add(text, PH_STR("b'"));
    for (unsigned bit = column->bits; bit-- > 0;) {
        ph_buf_byte(text, value >> bit & 1 ? '1' : '0');
    }
    ph_buf_byte(text, '\'');
}

/* true: a number or temporal, formatted into *text; *bare = without quotes */
static bool
short_text(struct ph_buf *text, enum bl_style style,
           const struct bl_column *column, struct ph_str raw, bool *bare)
{
    *bare = true;
    switch (column->type) {
    case BL_COL_TINY:
    case BL_COL_SHORT:
    case BL_COL_INT24:
    case BL_COL_LONG:
    case BL_COL_LONGLONG:
        integer_text(text, column, raw);
        return true;
    case BL_COL_FLOAT:
    case BL_COL_DOUBLE:
        real_text(text, raw);
        return true;
    case BL_COL_DECIMAL: /* not a JSON number: readers would round it */
        *bare = style == BL_STYLE_TEXT;
        decimal_text(text, column, raw);
        return true;
    case BL_COL_YEAR: {
        uint8_t year = (uint8_t) raw.ptr[0];
        padded(text, year == 0 ? 0 : 1900u + year, 4);
        *bare = style == BL_STYLE_TEXT;
        return true;
    }
    case BL_COL_BIT:
        bit_text(text, column, raw, style);
        return true;
    case BL_COL_DATE:
    case BL_COL_NEWDATE:
    case BL_COL_TIME:
    case BL_COL_TIME2:
    case BL_COL_DATETIME:
    case BL_COL_DATETIME2:
    case BL_COL_TIMESTAMP:
    case BL_COL_TIMESTAMP2:
        *bare = false;
        temporal_text(text, column, raw);
        return true;
    default:
        return false;
    }
}

void
bl_value_write(struct bl_out *out, enum bl_style style,
               const struct bl_column *column, struct ph_str raw,
               struct bl_unpacker *unpacker)
{
    char          memory[BL_NUMBER_TEXT_MAX];
    struct ph_buf text = PH_BUF_INIT(memory);
    bool          bare = true;

    if (raw.ptr == NULL || column->type == BL_COL_NULL) {
        bl_out_add(out,
                   style == BL_STYLE_JSON ? PH_STR("null") : PH_STR("NULL"));
        return;
    }
    if (short_text(&text, style, column, raw, &bare)) {
        if (bare) {
            bl_out_add(out, ph_buf_str(&text));
        } else {
            text_write(out, style, ph_buf_str(&text));
        }
        return;
    }
    switch (column->type) {
    case BL_COL_ENUM:
    case BL_COL_SET:
        members_write(out, style, column, raw);
        return;
    case BL_COL_BLOB_PACKED:
    case BL_COL_VARCHAR_PACKED:
        packed_write(out, style, column, raw, unpacker);
        return;
    case BL_COL_GEOMETRY:
    case BL_COL_JSON: /* MySQL's binary form; MariaDB's JSON is a text */
    case BL_COL_VECTOR:
        hex_write(out, style, raw, 0);
        return;
    default:
        bytes_write(out, style, column, raw);
    }
}

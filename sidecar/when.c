/*
 * when.c - the packed temporal formats.
 *
 * DATETIME: 40 bits, biased by 2^39: year * 13 + month (17), day (5), hour
 * (5), minute (6), second (6).  TIME: 24 bits biased by 2^23, negative values
 * complemented together with their fraction.  Both are followed by a fraction
 * in hundredths, ten-thousandths or millionths in 1, 2 or 3 bytes.
 */
#include "sidecar/when.h"

#define DATETIME_WHOLE 5
#define TIME_WHOLE 3
#define YEAR_FIRST 1970

uint32_t
bl_fraction_micros(uint64_t fraction, size_t bytes)
{
    static const uint32_t unit[4] = { 0, 10000, 100, 1 };

    return (uint32_t) fraction * unit[bytes < 4 ? bytes : 0];
}

struct bl_when
bl_datetime_split(struct ph_str raw)
{
    struct bl_when when = { 0 };
    struct ph_cur  cur;

    ph_cur_init(&cur, raw);
    uint64_t bits     = ph_cur_be(&cur, DATETIME_WHOLE);
    size_t   rest     = ph_cur_left(&cur);
    uint64_t fraction = ph_cur_be(&cur, rest);
    uint64_t months   = bits >> 22 & 0x1ffff;

    when.year   = (uint32_t) (months / 13);
    when.month  = (uint32_t) (months % 13);
    when.day    = (uint32_t) (bits >> 17 & 0x1f);
    when.hour   = (uint32_t) (bits >> 12 & 0x1f);
    when.minute = (uint32_t) (bits >> 6 & 0x3f);
    when.second = (uint32_t) (bits & 0x3f);
    when.micros = bl_fraction_micros(fraction, rest);
    return when;
}

struct bl_when
bl_time_split(struct ph_str raw)
{
    struct bl_when when = { 0 };
    struct ph_cur  cur;

    if (raw.len < TIME_WHOLE || raw.len > TIME_WHOLE + 3) {
        return when;
    }
    ph_cur_init(&cur, raw);
    size_t  rest  = raw.len - TIME_WHOLE;
    int64_t zero  = INT64_C(1) << (8 * raw.len - 1);
    int64_t value = (int64_t) ph_cur_be(&cur, raw.len) - zero;

    when.is_negative = value < 0;
    uint64_t bits    = (uint64_t) (value < 0 ? -value : value);
    uint64_t whole   = bits >> (8 * rest);
    uint64_t mask    = (UINT64_C(1) << (8 * rest)) - 1;
    when.hour        = (uint32_t) (whole >> 12 & 0x3ff);
    when.minute      = (uint32_t) (whole >> 6 & 0x3f);
    when.second      = (uint32_t) (whole & 0x3f);
    when.micros      = bl_fraction_micros(bits & mask, rest);
    return when;
}

/* years from March on, so that the leap day ends its year */
struct bl_when
bl_epoch_split(uint64_t seconds)
{
    struct bl_when when  = { 0 };
    uint64_t       days  = seconds / 86400 + 719468; /* since 0000-03-01 */
    uint64_t       cycle = days / 146097;
    uint64_t       in    = days % 146097;
    uint64_t       year  = (in - in / 1460 + in / 36524 - in / 146096) / 365;
    uint64_t       day   = in - (365 * year + year / 4 - year / 100);
    uint64_t       month = (5 * day + 2) / 153;

    when.day    = (uint32_t) (day - (153 * month + 2) / 5 + 1);
    when.month  = (uint32_t) (month < 10 ? month + 3 : month - 9);
    when.year   = (uint32_t) (year + 400 * cycle + (when.month <= 2 ? 1 : 0));
    when.hour   = (uint32_t) (seconds / 3600 % 24);
    when.minute = (uint32_t) (seconds / 60 % 60);
    when.second = (uint32_t) (seconds % 60);
    return when;
}

bool
bl_datetime_minute(struct ph_str raw, uint32_t *minute)
{
    struct bl_when when = bl_datetime_split(raw);

    if (when.year < YEAR_FIRST || when.year > 9999 || when.month < 1
        || when.month > 12 || when.day < 1 || when.hour > 23
        || when.minute > 59)
    {
        return false;
    }
    uint64_t year  = when.month > 2 ? when.year : when.year - 1;
    uint64_t month = when.month > 2 ? when.month - 3 : when.month + 9;
    uint64_t days  = 365 * year + year / 4 - year / 100 + year / 400
                    + (153 * month + 2) / 5 + when.day - 1 - 719468;

    *minute = (uint32_t) ((days * 24 + when.hour) * 60 + when.minute);
    return true;
}

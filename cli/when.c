/*
 * when.c - see when.h.
 */
#include "cli/when.h"

#include <time.h>

#define YEAR_MIN 1970
#define UNIX_S_MAX UINT64_C(253402300799) /* the end of 9999 */
#define OFFSET_MIN_MAX (14 * 60)

/* exactly `width` digits off the front */
static bool
digits_take(struct ph_str *in, size_t width, unsigned max, unsigned *out)
{
    *out = 0;
    if (in->len < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        if (in->ptr[i] < '0' || in->ptr[i] > '9') {
            return false;
        }
        *out = *out * 10 + (unsigned) (in->ptr[i] - '0');
    }
    in->ptr += width;
    in->len -= width;
    return *out <= max;
}

static bool
byte_take(struct ph_str *in, const char *one_of)
{
    if (in->len == 0 || strchr(one_of, in->ptr[0]) == NULL) {
        return false;
    }
    in->ptr++;
    in->len--;
    return true;
}

static bool
date_take(struct ph_str *in, struct tm *tm)
{
    unsigned year, month, day;

    if (!digits_take(in, 4, 9999, &year) || !byte_take(in, "-")
        || !digits_take(in, 2, 12, &month) || !byte_take(in, "-")
        || !digits_take(in, 2, 31, &day) || year < YEAR_MIN || month == 0
        || day == 0)
    {
        return false;
    }
    tm->tm_year    = (int) year - 1900;
    tm->tm_mon     = (int) month - 1;
    tm->tm_mday    = (int) day;
    struct tm same = *tm;
    (void) timegm(&same);
    return same.tm_mday == tm->tm_mday; /* no 30th of February */
}

static bool
zone_take(struct ph_str *in, int *offset_min)
{
    unsigned hour, minute;
    bool     west = in->len != 0 && in->ptr[0] == '-';

    if (byte_take(in, "Zz")) {
        *offset_min = 0;
        return in->len == 0;
    }
    if (!byte_take(in, "+-") || !digits_take(in, 2, 14, &hour)
        || !byte_take(in, ":") || !digits_take(in, 2, 59, &minute)
        || in->len != 0 || hour * 60 + minute > OFFSET_MIN_MAX)
    {
        return false;
    }
    *offset_min = (int) (hour * 60 + minute) * (west ? -1 : 1);
    return true;
}

static bool
clock_take(struct ph_str *in, struct tm *tm, unsigned *ms)
{
    unsigned hour, minute, second;

    if (!byte_take(in, "Tt ") || !digits_take(in, 2, 23, &hour)
        || !byte_take(in, ":") || !digits_take(in, 2, 59, &minute)
        || !byte_take(in, ":") || !digits_take(in, 2, 59, &second))
    {
        return false;
    }
    tm->tm_hour = (int) hour;
    tm->tm_min  = (int) minute;
    tm->tm_sec  = (int) second;
    return !byte_take(in, ".") || digits_take(in, 3, 999, ms);
}

static enum ph_rc
calendar_parse(struct ph_str in, int offset_min, uint64_t *out_ms)
{
    struct tm tm = { 0 };
    unsigned  ms = 0;

    if (!date_take(&in, &tm)) {
        return PH_E_SYNTAX;
    }
    if (in.len != 0
        && (!clock_take(&in, &tm, &ms) || !zone_take(&in, &offset_min))) {
        return PH_E_SYNTAX;
    }
    int64_t seconds = (int64_t) timegm(&tm) - (int64_t) offset_min * 60;
    if (seconds < 0) {
        return PH_E_RANGE;
    }
    *out_ms = (uint64_t) seconds * 1000 + ms;
    return PH_OK;
}

static enum ph_rc
ago_parse(struct ph_str in, uint64_t now_ms, uint64_t *out_ms)
{
    static const struct {
        char     unit;
        uint64_t ms;
    } units[] = {
        { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 }
    };
    uint64_t number = 0;

    for (size_t i = 0; i < PH_COUNT(units); i++) {
        if (in.ptr[in.len - 1] == units[i].unit
            && ph_str_u64(ph_str_make(in.ptr, in.len - 1), 1000000, &number))
        {
            number *= units[i].ms;
            *out_ms = now_ms - number;
            return number <= now_ms ? PH_OK : PH_E_RANGE;
        }
    }
    return PH_E_SYNTAX;
}

enum ph_rc
cli_when_parse(struct ph_str text, uint64_t now_ms, int offset_min,
               uint64_t *out_ms)
{
    uint64_t seconds;

    if (text.len == 0) {
        return PH_E_SYNTAX;
    }
    if (ph_str_u64(text, UNIX_S_MAX, &seconds)) {
        *out_ms = seconds * 1000;
        return PH_OK;
    }
    if (text.len > 4 && text.ptr[4] == '-') {
        return calendar_parse(text, offset_min, out_ms);
    }
    return ago_parse(text, now_ms, out_ms);
}

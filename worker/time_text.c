/* time_text.c - calendar texts; see time_text.h. */
#include "worker/time_text.h"

#include <time.h>

#include "libpayhub/base/rc.h"

#define TIME_MS_MAX UINT64_C(253402300799999) /* end of year 9999 */

static void
time_digits(struct ph_buf *buf, unsigned value, unsigned width)
{
    char digits[4];

    for (unsigned i = width; i-- > 0; value /= 10) {
        digits[i] = (char) ('0' + value % 10);
    }
    ph_buf_add(buf, ph_str_make(digits, width));
}

static void
time_write(struct ph_buf *buf, uint64_t ms, char between)
{
    struct tm tm;
    uint64_t  bounded = ms < TIME_MS_MAX ? ms : TIME_MS_MAX;
    time_t    seconds = (time_t) (bounded / 1000);

    (void) gmtime_r(&seconds, &tm);
    time_digits(buf, (unsigned) tm.tm_year + 1900, 4);
    ph_buf_byte(buf, '-');
    time_digits(buf, (unsigned) tm.tm_mon + 1, 2);
    ph_buf_byte(buf, '-');
    time_digits(buf, (unsigned) tm.tm_mday, 2);
    ph_buf_byte(buf, between);
    time_digits(buf, (unsigned) tm.tm_hour, 2);
    ph_buf_byte(buf, ':');
    time_digits(buf, (unsigned) tm.tm_min, 2);
    ph_buf_byte(buf, ':');
    time_digits(buf, (unsigned) tm.tm_sec, 2);
    ph_buf_byte(buf, '.');
    time_digits(buf, (unsigned) (bounded % 1000), 3);
}

void
wk_time_sql(struct ph_buf *buf, uint64_t ms)
{
    time_write(buf, ms, ' ');
}

void
wk_time_iso(struct ph_buf *buf, uint64_t ms)
{
    time_write(buf, ms, 'T');
    ph_buf_byte(buf, 'Z');
}

static bool
time_number(struct ph_str text, size_t at, size_t len, int *out)
{
    int value = 0;

    for (size_t i = at; i < at + len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (text.ptr[i] - '0');
    }
    *out = value;
    return true;
}

bool
wk_time_parse(struct ph_str text, uint64_t *ms)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    static const int  scale[] = { 0, 100, 10, 1 };
    static const struct {
        size_t at, len;
    } parts[]
        = { { 0, 4 }, { 5, 2 }, { 8, 2 }, { 11, 2 }, { 14, 2 }, { 17, 2 } };
    int    value[PH_COUNT(parts)];
    int    fraction = 0;
    size_t digits   = 0;

    if (text.len < sizeof(shape) - 1 || text.len > sizeof(shape) + 3) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] != 'd' && text.ptr[i] != shape[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < PH_COUNT(parts); i++) {
        if (!time_number(text, parts[i].at, parts[i].len, &value[i])) {
            return false;
        }
    }
    if (text.len > sizeof(shape) - 1) {
        digits = text.len - sizeof(shape);
        if (digits == 0 || text.ptr[sizeof(shape) - 1] != '.'
            || !time_number(text, sizeof(shape), digits, &fraction))
        {
            return false;
        }
    }
    struct tm tm      = { .tm_year = value[0] - 1900,
                          .tm_mon  = value[1] - 1,
                          .tm_mday = value[2],
                          .tm_hour = value[3],
                          .tm_min  = value[4],
                          .tm_sec  = value[5] };
    time_t    seconds = timegm(&tm);

    if (seconds < 0) {
        return false;
    }
    *ms = (uint64_t) seconds * 1000 + (uint64_t) (fraction * scale[digits]);
    return true;
}

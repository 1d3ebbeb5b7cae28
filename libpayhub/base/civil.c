/* civil.c - see civil.h. */
#include "libpayhub/base/civil.h"

#include <stdio.h>
#include <time.h>

#define MINUTE_MS INT64_C(60000)
#define FRACTION_DIGITS_MAX 9

/* ---- writing ---- */

static void
offset_add(struct ph_buf *buf, int offset_min)
{
    char     text[16];
    unsigned min = (unsigned) (offset_min < 0 ? -offset_min : offset_min);

    if (offset_min == 0) {
        ph_buf_byte(buf, 'Z');
        return;
    }
    int len = snprintf(text, sizeof(text), "%c%02u:%02u",
                       offset_min < 0 ? '-' : '+', min / 60, min % 60);

    ph_buf_add(buf, ph_str_make(text, (size_t) len));
}

static size_t
shape_write(char *text, size_t size, enum ph_civil_shape shape,
            const struct tm *tm)
{
    switch (shape) {
    case PH_CIVIL_COMPACT:
        return strftime(text, size, "%Y%m%d%H%M%S", tm);
    case PH_CIVIL_PLAIN:
        return strftime(text, size, "%Y-%m-%d %H:%M:%S", tm);
    case PH_CIVIL_RFC3339:
        break;
    }
    return strftime(text, size, "%Y-%m-%dT%H:%M:%S", tm);
}

void
ph_civil_add(struct ph_buf *buf, enum ph_civil_shape shape, uint64_t at_ms,
             int offset_min)
{
    char      text[32];
    time_t    at = (time_t) (at_ms / 1000) + offset_min * 60;
    struct tm tm = { 0 };

    assert(offset_min > -1440 && offset_min < 1440);
    (void) gmtime_r(&at, &tm);
    ph_buf_add(buf,
               ph_str_make(text, shape_write(text, sizeof(text), shape, &tm)));
    if (shape == PH_CIVIL_RFC3339) {
        offset_add(buf, offset_min);
    }
}

/* ---- reading ---- */

struct civil {
    struct ph_str left;
    struct tm     tm;
    int64_t       fraction_ms;
    bool          is_bad;
};

static int
digits(struct civil *civil, size_t count)
{
    int value = 0;

    if (civil->left.len < count) {
        civil->is_bad = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        char digit = civil->left.ptr[i];

        civil->is_bad = civil->is_bad || digit < '0' || digit > '9';
        value         = value * 10 + (digit - '0');
    }
    civil->left.ptr += count;
    civil->left.len -= count;
    return civil->is_bad ? 0 : value;
}

static bool
is_next(const struct civil *civil, char mark)
{
    return civil->left.len != 0 && civil->left.ptr[0] == mark;
}

static void
mark(struct civil *civil, char expected)
{
    if (!is_next(civil, expected)) {
        civil->is_bad = true;
        return;
    }
    civil->left.ptr++;
    civil->left.len--;
}

static void
date_time(struct civil *civil, enum ph_civil_shape shape)
{
    bool is_marked = shape != PH_CIVIL_COMPACT;

    civil->tm.tm_year = digits(civil, 4) - 1900;
    if (is_marked) {
        mark(civil, '-');
    }
    civil->tm.tm_mon = digits(civil, 2) - 1;
    if (is_marked) {
        mark(civil, '-');
    }
    civil->tm.tm_mday = digits(civil, 2);
    if (is_marked) {
        mark(civil, shape == PH_CIVIL_PLAIN ? ' ' : 'T');
    }
    civil->tm.tm_hour = digits(civil, 2);
    if (is_marked) {
        mark(civil, ':');
    }
    civil->tm.tm_min = digits(civil, 2);
    if (is_marked) {
        mark(civil, ':');
    }
    civil->tm.tm_sec = digits(civil, 2);
}

static void
fraction(struct civil *civil)
{
    int64_t unit_ms = 100;
    size_t  count   = 0;

    if (civil->is_bad || !is_next(civil, '.')) {
        return;
    }
    mark(civil, '.');
    while (civil->left.len != 0 && civil->left.ptr[0] >= '0'
           && civil->left.ptr[0] <= '9')
    {
        civil->fraction_ms += unit_ms * digits(civil, 1);
        unit_ms /= 10;
        count++;
    }
    civil->is_bad = count == 0 || count > FRACTION_DIGITS_MAX;
}

/* minutes; INT16_MAX: no such offset */
static int
offset(struct civil *civil)
{
    bool is_west = is_next(civil, '-');

    if (is_next(civil, 'Z')) {
        mark(civil, 'Z');
        return 0;
    }
    mark(civil, is_west ? '-' : '+');
    int hours = digits(civil, 2);

    mark(civil, ':');
    int minutes = digits(civil, 2);

    if (hours > 23 || minutes > 59) {
        return INT16_MAX;
    }
    return (is_west ? -1 : 1) * (hours * 60 + minutes);
}

/* timegm() carries what overflows, so a day that is not there comes back as
 * another one. */
static bool
instant(const struct civil *civil, int offset_min, uint64_t *at_ms)
{
    struct tm tm = civil->tm;
    time_t    at = timegm(&tm);
    int64_t   ms
        = (int64_t) at * 1000 + civil->fraction_ms - offset_min * MINUTE_MS;

    if (tm.tm_mday != civil->tm.tm_mday || tm.tm_mon != civil->tm.tm_mon
        || tm.tm_hour != civil->tm.tm_hour || tm.tm_min != civil->tm.tm_min
        || tm.tm_sec != civil->tm.tm_sec || ms < 0)
    {
        return false;
    }
    *at_ms = (uint64_t) ms;
    return true;
}

enum ph_rc
ph_civil_parse(struct ph_str in, enum ph_civil_shape shape, int offset_min,
               uint64_t *at_ms)
{
    struct civil civil = { .left = in };

    assert(offset_min > -1440 && offset_min < 1440);
    date_time(&civil, shape);
    if (shape != PH_CIVIL_COMPACT) {
        fraction(&civil);
    }
    if (shape == PH_CIVIL_RFC3339) {
        offset_min = offset(&civil);
    }
    if (civil.is_bad || civil.left.len != 0) {
        return PH_E_SYNTAX;
    }
    return offset_min != INT16_MAX && instant(&civil, offset_min, at_ms)
               ? PH_OK
               : PH_E_RANGE;
}

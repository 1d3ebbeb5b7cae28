/* month.c - see month.h. */
#include "libpayhub/base/month.h"

#include <time.h>

static struct tm
utc(uint64_t at_ms)
{
    time_t    at = (time_t) (at_ms / 1000);
    struct tm tm = { 0 };

    (void) gmtime_r(&at, &tm);
    return tm;
}

uint64_t
ph_month_start_ms(uint64_t now_ms, int ahead)
{
    struct tm now   = utc(now_ms);
    struct tm start = { .tm_year = now.tm_year,
                        .tm_mon  = now.tm_mon + ahead,
                        .tm_mday = 1 };
    time_t    at    = timegm(&start);

    return at > 0 ? (uint64_t) at * 1000 : 0;
}

unsigned
ph_month_number(uint64_t at_ms)
{
    struct tm tm = utc(at_ms);

    return (unsigned) (tm.tm_year + 1900) * 100 + (unsigned) (tm.tm_mon + 1);
}

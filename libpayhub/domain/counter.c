/*
 * counter.c - names of counters, and the SQL that recounts them.
 *
 * Key, field and SQL of a counter stand side by side so that they cannot drift
 * apart.  Not here: adding up (sidecar/), comparing (cli/).  Pure.
 */
#include "libpayhub/domain/counter.h"

#include <assert.h>

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS UINT64_C(86400000)
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define DAYS_PER_ERA 146097 /* 400 years */
#define DAY_OFFSET_MAX_MIN (14 * 60)
#define COUNTER_MS_MAX UINT64_C(253402300799999) /* 9999-12-31T23:59:59.999 */

const struct ph_counter_happening ph_counter_happenings[] = {
    { "created", "created_at", false }, { "sent", "sent_at", false },
    { "paid", "paid_at", true },        { "failed", "failed_at", true },
    { "closed", "closed_at", true },    { "conflict", "conflict_at", true },
};

const size_t ph_counter_happening_count = PH_COUNT(ph_counter_happenings);

static void
counter_tag(struct ph_buf *buf, struct ph_str prefix)
{
    ph_buf_byte(buf, '{');
    ph_buf_add(buf, prefix);
    ph_buf_add(buf, PH_STR(":c0}:"));
}

void
ph_counter_epoch_key(struct ph_buf *buf, struct ph_str prefix)
{
    counter_tag(buf, prefix);
    ph_buf_add(buf, PH_STR("epoch"));
}

void
ph_counter_position_key(struct ph_buf *buf, struct ph_str prefix,
                        uint64_t epoch)
{
    counter_tag(buf, prefix);
    ph_buf_u64(buf, epoch);
    ph_buf_add(buf, PH_STR(":pos"));
}

/* value in decimal, with zeros in front up to `width` digits */
static void
counter_digits(struct ph_buf *buf, unsigned value, unsigned width)
{
    unsigned limit = 1;

    for (unsigned i = 1; i < width; i++) {
        limit *= 10;
        if (value < limit) {
            ph_buf_byte(buf, '0');
        }
    }
    ph_buf_u64(buf, value);
}

struct counter_day {
    unsigned year, month, day;
    unsigned second; /* of the day */
};

/*
 * The calendar of unix time at_ms, in a zone `offset_min` east of UTC.  Years
 * are counted from March, so that a leap day is the last of its year.
 */
static struct counter_day
counter_calendar(uint64_t at_ms, int offset_min)
{
    assert(at_ms <= COUNTER_MS_MAX);
    assert(offset_min >= -DAY_OFFSET_MAX_MIN
           && offset_min <= DAY_OFFSET_MAX_MIN);

    uint64_t since = DAYS_TO_1970 * UINT64_C(86400) + at_ms / 1000
                     + (uint64_t) ((int64_t) offset_min * 60);
    unsigned days  = (unsigned) (since / 86400);
    unsigned in    = days % DAYS_PER_ERA;
    unsigned year  = (in - in / 1460 + in / 36524 - in / 146096) / 365;
    unsigned day   = in - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day + 2) / 153; /* 0 = March */

    return (struct counter_day){
        .year   = year + 400 * (days / DAYS_PER_ERA) + (month >= 10),
        .month  = month < 10 ? month + 3 : month - 9,
        .day    = day - (153 * month + 2) / 5 + 1,
        .second = (unsigned) (since % 86400),
    };
}

static void
counter_date(struct ph_buf *buf, const struct counter_day *day,
             struct ph_str sep)
{
    counter_digits(buf, day->year, 4);
    ph_buf_add(buf, sep);
    counter_digits(buf, day->month, 2);
    ph_buf_add(buf, sep);
    counter_digits(buf, day->day, 2);
}

void
ph_counter_bucket_key(struct ph_buf *buf, struct ph_str prefix, uint64_t epoch,
                      enum ph_counter_grain grain, uint64_t at_ms,
                      int day_offset_min)
{
    counter_tag(buf, prefix);
    ph_buf_u64(buf, epoch);
    if (grain != PH_COUNTER_DAY) {
        ph_buf_add(buf,
                   grain == PH_COUNTER_MINUTE ? PH_STR(":m:") : PH_STR(":a:"));
        ph_buf_u64(buf, at_ms / MINUTE_MS);
        return;
    }
    struct counter_day day = counter_calendar(at_ms, day_offset_min);

    ph_buf_add(buf, PH_STR(":d:"));
    counter_date(buf, &day, PH_STR(""));
}

void
ph_counter_field(struct ph_buf *buf, struct ph_str channel,
                 struct ph_str method, struct ph_str state,
                 struct ph_str measure)
{
    ph_buf_add(buf, channel);
    ph_buf_byte(buf, '|');
    ph_buf_add(buf, method);
    ph_buf_byte(buf, '|');
    ph_buf_add(buf, state);
    ph_buf_byte(buf, '|');
    ph_buf_add(buf, measure);
}

void
ph_counter_account_field(struct ph_buf *buf, struct ph_str account,
                         struct ph_str state)
{
    ph_buf_add(buf, account);
    ph_buf_byte(buf, '|');
    ph_buf_add(buf, state);
    ph_buf_add(buf, PH_STR("|n"));
}

bool
ph_counter_account_parse(struct ph_str field, struct ph_str *account,
                         struct ph_str *state)
{
    struct ph_str rest, measure;

    return ph_str_cut(field, '|', account, &rest)
           && ph_str_cut(rest, '|', state, &measure)
           && ph_str_eq(measure, PH_STR("n"));
}

/* start of the bucket that holds from_ms, in unix ms */
static uint64_t
counter_bucket_start(enum ph_counter_grain grain, uint64_t from_ms,
                     int day_offset_min)
{
    if (grain != PH_COUNTER_DAY) {
        return from_ms - from_ms % MINUTE_MS;
    }
    int64_t shift = (int64_t) day_offset_min * (int64_t) MINUTE_MS;
    int64_t local = (int64_t) from_ms + shift;
    int64_t start = local - local % (int64_t) DAY_MS - shift;

    return start > 0 ? (uint64_t) start : 0;
}

/* the bucket's name, computed without the session's time zone */
static void
counter_sql_bucket(struct ph_buf *buf, struct ph_str column,
                   enum ph_counter_grain grain, int day_offset_min)
{
    if (grain != PH_COUNTER_DAY) {
        ph_buf_add(buf, PH_STR("TIMESTAMPDIFF(SECOND,'1970-01-01 00:00:00',"));
        ph_buf_add(buf, column);
        ph_buf_add(buf, PH_STR(") DIV 60"));
        return;
    }
    ph_buf_add(buf, PH_STR("DATE_FORMAT("));
    ph_buf_add(buf, column);
    ph_buf_add(buf, PH_STR(" + INTERVAL "));
    ph_buf_i64(buf, day_offset_min);
    ph_buf_add(buf, PH_STR(" MINUTE,'%Y%m%d')"));
}

static void
counter_sql_time(struct ph_buf *buf, uint64_t at_ms)
{
    struct counter_day day = counter_calendar(at_ms, 0);

    ph_buf_byte(buf, '\'');
    counter_date(buf, &day, PH_STR("-"));
    ph_buf_byte(buf, ' ');
    counter_digits(buf, day.second / 3600, 2);
    ph_buf_byte(buf, ':');
    counter_digits(buf, day.second / 60 % 60, 2);
    ph_buf_byte(buf, ':');
    counter_digits(buf, day.second % 60, 2);
    ph_buf_byte(buf, '\'');
}

void
ph_counter_sql(struct ph_buf *buf, const struct ph_counter_happening *what,
               enum ph_counter_grain grain, uint64_t from_ms,
               int day_offset_min)
{
    struct ph_str column     = ph_str_z(what->column);
    bool          by_account = grain == PH_COUNTER_ACCOUNT;

    ph_buf_add(buf, PH_STR("SELECT "));
    counter_sql_bucket(buf, column, grain, day_offset_min);
    ph_buf_add(buf, by_account ? PH_STR(" AS bucket,account_id,COUNT(*) AS n")
                               : PH_STR(" AS bucket,channel,method,currency,"
                                        "COUNT(*) AS n,SUM(amount) AS amount"));
    ph_buf_add(buf, PH_STR(" FROM payment WHERE "));
    ph_buf_add(buf, column);
    ph_buf_add(buf, PH_STR(" >= "));
    counter_sql_time(buf, counter_bucket_start(grain, from_ms, day_offset_min));
    ph_buf_add(buf, by_account
                        ? PH_STR(" GROUP BY bucket,account_id")
                        : PH_STR(" GROUP BY bucket,channel,method,currency"));
}

/* two digits at `at`, or -1 */
static int
offset_pair(struct ph_str text, size_t at)
{
    char tens = text.ptr[at], ones = text.ptr[at + 1];

    if (tens < '0' || tens > '9' || ones < '0' || ones > '9') {
        return -1;
    }
    return (tens - '0') * 10 + (ones - '0');
}

enum ph_rc
ph_day_offset(struct ph_str text, int *minutes)
{
    if (text.len != sizeof("+00:00") - 1 || text.ptr[3] != ':'
        || (text.ptr[0] != '+' && text.ptr[0] != '-'))
    {
        return PH_E_SYNTAX;
    }
    int hour   = offset_pair(text, 1);
    int minute = offset_pair(text, 4);

    if (hour < 0 || minute < 0 || minute > 59) {
        return PH_E_SYNTAX;
    }
    if (hour * 60 + minute > DAY_OFFSET_MAX_MIN) {
        return PH_E_RANGE;
    }
    *minutes = (hour * 60 + minute) * (text.ptr[0] == '-' ? -1 : 1);
    return PH_OK;
}

/*
 * log.c - logfmt lines to stderr.
 *
 * A line is built on the stack and written whole, so that lines of several
 * threads and processes do not mix: at once, or with those of its thread that
 * ph_log_gather() keeps.
 */
#include "libpayhub/io/log.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define LOG_NUMBERS 8
#define LOG_NUMBER_LEN 20
#define LOG_CUT " cut=yes\n"
#define LOG_GATHER_MAX 16384 /* bytes; more than a line may have */

static const char *const log_levels[] = { "error", "warn", "info", "debug" };

static _Atomic int log_level = PH_LOG_INFO;

bool
ph_log_level_set(const char *level)
{
    for (size_t i = 0; i < PH_COUNT(log_levels); i++) {
        if (strcmp(level, log_levels[i]) == 0) {
            atomic_store(&log_level, (int) i);
            return true;
        }
    }
    return false;
}

bool
ph_log_is_on(enum ph_log_level level)
{
    return (int) level
           <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* value to `width` digits, zeros in front */
static void
log_digits(struct ph_buf *line, long value, int width)
{
    char digits[8];

    for (int i = width; i-- > 0; value /= 10) {
        digits[i] = (char) ('0' + value % 10);
    }
    ph_buf_add(line, ph_str_make(digits, (size_t) width));
}

static void
log_time(struct ph_buf *line)
{
    struct timespec now = { 0, 0 };
    struct tm       tm  = { 0 };

    (void) clock_gettime(CLOCK_REALTIME, &now);
    (void) gmtime_r(&now.tv_sec, &tm);
    log_digits(line, tm.tm_year + 1900, 4);
    ph_buf_byte(line, '-');
    log_digits(line, tm.tm_mon + 1, 2);
    ph_buf_byte(line, '-');
    log_digits(line, tm.tm_mday, 2);
    ph_buf_byte(line, 'T');
    log_digits(line, tm.tm_hour, 2);
    ph_buf_byte(line, ':');
    log_digits(line, tm.tm_min, 2);
    ph_buf_byte(line, ':');
    log_digits(line, tm.tm_sec, 2);
    ph_buf_byte(line, '.');
    log_digits(line, now.tv_nsec / 1000000, 3);
    ph_buf_add(line, PH_STR("Z "));
}

/* true when the value can stand without quotes */
static bool
log_is_plain(struct ph_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char ch = (unsigned char) value.ptr[i];

        if (ch <= ' ' || ch >= 0x7f || ch == '"' || ch == '\\' || ch == '=') {
            return false;
        }
    }
    return value.len != 0;
}

static void
log_value(struct ph_buf *line, struct ph_str value)
{
    if (log_is_plain(value)) {
        ph_buf_add(line, value);
    } else if (ph_str_utf8_count(value) != SIZE_MAX) {
        ph_buf_json(line, value);
    } else {
        ph_buf_add(line, PH_STR("hex:"));
        ph_buf_hex(line, value);
    }
}

/* A pair that does not fit is left out whole; false then. */
static bool
log_pair(struct ph_buf *line, const struct ph_log_pair *pair)
{
    size_t mark = line->len;

    ph_buf_byte(line, ' ');
    ph_buf_add(line, ph_str_z(pair->key));
    ph_buf_byte(line, '=');
    log_value(line, pair->value);
    if (line->full) {
        ph_buf_cut(line, mark);
        return false;
    }
    return true;
}

static void
log_put(struct ph_str lines)
{
    /* a log that nobody can read is no reason to stop */
    ssize_t written = write(STDERR_FILENO, lines.ptr, lines.len);
    (void) written;
}

/* Lines of this thread that wait for ph_log_flush(). */
static _Thread_local struct {
    bool   is_on;
    size_t len;
    char   lines[LOG_GATHER_MAX];
} log_gathered;

void
ph_log_gather(bool is_on)
{
    ph_log_flush();
    log_gathered.is_on = is_on;
}

void
ph_log_flush(void)
{
    if (log_gathered.len != 0) {
        log_put(ph_str_make(log_gathered.lines, log_gathered.len));
        log_gathered.len = 0;
    }
}

static bool
log_gather(struct ph_str line)
{
    if (!log_gathered.is_on) {
        return false;
    }
    if (line.len > sizeof(log_gathered.lines) - log_gathered.len) {
        ph_log_flush();
    }
    assert(line.ptr != NULL);
    memcpy(log_gathered.lines + log_gathered.len, line.ptr, line.len);
    log_gathered.len += line.len;
    return true;
}

void
ph_log_write(enum ph_log_level level, const char *event,
             const struct ph_log_pair *pairs, size_t count)
{
    char          memory[PH_LOG_LINE_MAX];
    struct ph_buf line;
    bool          whole = true;

    if (!ph_log_is_on(level)) {
        return;
    }
    ph_buf_init(&line, memory, sizeof(memory) - (sizeof(LOG_CUT) - 1));
    log_time(&line);
    ph_buf_add(&line, ph_str_z(log_levels[level]));
    ph_buf_add(&line, PH_STR(" ev="));
    ph_buf_add(&line, ph_str_z(event));
    for (size_t i = 0; i < count; i++) {
        whole = log_pair(&line, &pairs[i]) && whole;
    }
    line.size = sizeof(memory);
    line.full = false;
    ph_buf_add(&line, whole ? PH_STR("\n") : PH_STR(LOG_CUT));

    if (level >= PH_LOG_INFO && log_gather(ph_buf_str(&line))) {
        return;
    }
    ph_log_flush();
    log_put(ph_buf_str(&line));
}

struct ph_str
ph_log_i64(int64_t value)
{
    static _Thread_local char     texts[LOG_NUMBERS][LOG_NUMBER_LEN];
    static _Thread_local unsigned next;
    char                         *text = texts[next++ % LOG_NUMBERS];
    struct ph_buf                 buf;

    ph_buf_init(&buf, text, LOG_NUMBER_LEN);
    ph_buf_i64(&buf, value);
    return ph_buf_str(&buf);
}

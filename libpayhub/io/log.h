/*
 * log.h - one line an event to stderr, logfmt.
 *
 *   2026-01-02T03:04:05.678Z info ev=payment_settled order=P... status=paid
 *
 * The event name is a literal; values are quoted when they need it, control
 * bytes escaped, a line never exceeds PH_LOG_LINE_MAX.  ERROR = a human must
 * act, WARN = we coped, INFO = one line a state change, DEBUG = off.
 * Never pass a secret.  Any thread; one write(2) a line.
 */
#ifndef PH_IO_LOG_H
#define PH_IO_LOG_H

#include "libpayhub/base/str.h"

#define PH_LOG_LINE_MAX 1024

enum ph_log_level { PH_LOG_ERROR, PH_LOG_WARN, PH_LOG_INFO, PH_LOG_DEBUG };

struct ph_log_pair {
    const char   *key;
    struct ph_str value;
};

/* "error" ... "debug"; false for another text */
bool ph_log_level_set(const char *level);
bool ph_log_is_on(enum ph_log_level level);

/*
 * While on, lines of this thread below a warning are kept until the next flush,
 * a warning, or the end of their room: a loop flushes once a turn.
 */
void ph_log_gather(bool is_on);
void ph_log_flush(void);

void ph_log_write(enum ph_log_level level, const char *event,
                  const struct ph_log_pair *pairs, size_t count);

/* ph_log(PH_LOG_INFO, "ready", { "listen", ph_str_z(path) }, ...) */
#define ph_log(level, event, ...)                                              \
    ph_log_write((level), (event), (struct ph_log_pair[]){ __VA_ARGS__ },      \
                 sizeof((struct ph_log_pair[]){ __VA_ARGS__ })                 \
                     / sizeof(struct ph_log_pair))

/* a number as a value: the text lives in this thread until 8 calls later */
struct ph_str ph_log_i64(int64_t value);

#endif

/*
 * conf.h - payhub.conf: one table of keys, one strict reader.
 *
 * Lines are "[section]", "key = value", blank, or a comment that begins with
 * ; or #.  inih reads them, behind a line reader that refuses what inih would
 * bend: lines over 190 bytes, leading blanks, duplicate or unknown keys, inline
 * continuation.  Pure: the text and the environment are arguments; files are
 * read by io/daemon.h.  Owner of all texts: the ph_conf itself.
 */
#ifndef PH_BASE_CONF_H
#define PH_BASE_CONF_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_CONF_LINE_MAX 190
#define PH_CONF_TIMES_MAX 24
#define PH_CONF_TEXT_MAX 16384 /* bytes of a configuration file */

enum ph_conf_key {
#define CONF(section, key, type, value, min, max, reload, meaning)             \
    PH_CONF_##section##_##key,
#include "libpayhub/base/conf_keys.def"
#undef CONF
    PH_CONF_KEYS
};

enum ph_conf_type {
    PH_CONF_TEXT,
    PH_CONF_PATH,
    PH_CONF_NUMBER,
    PH_CONF_TIME,
    PH_CONF_BOOL,
    PH_CONF_TIMES
};

struct ph_conf_row {
    const char       *section;
    const char       *key;
    enum ph_conf_type type;
    const char       *value; /* default as text */
    int64_t           min;
    int64_t           max;
    bool              reloadable;
    const char       *meaning;
};

struct ph_conf {
    char     text[PH_CONF_KEYS][PH_CONF_LINE_MAX + 1];
    int64_t  number[PH_CONF_KEYS]; /* NUMBER, TIME in ms, BOOL as 0 or 1 */
    uint32_t line[PH_CONF_KEYS];   /* 0 = default or environment */
};

const struct ph_conf_row *ph_conf_row(enum ph_conf_key key);

/* Fills in the defaults. */
void ph_conf_init(struct ph_conf *conf);

/*
 * Reads a whole file's text over the defaults.  On failure `why` holds one
 * line: "FILE:LINE: found ..., expected ...".
 */
enum ph_rc ph_conf_parse(struct ph_conf *conf, const char *file,
                         struct ph_str text, struct ph_buf *why) PH_MUST_CHECK;

/*
 * Applies one environment entry "PAYHUB_SECTION_KEY=value".  Entries of
 * other names that begin with PAYHUB_ and are not in the closed list of
 * docs/configuration.md are PH_E_UNKNOWN; names not ours are PH_OK.
 */
enum ph_rc ph_conf_env(struct ph_conf *conf, struct ph_str entry,
                       struct ph_buf *why) PH_MUST_CHECK;

static inline const char *
ph_conf_text(const struct ph_conf *conf, enum ph_conf_key key)
{
    return conf->text[key];
}

/* NUMBER, BOOL, or TIME in ms */
static inline int64_t
ph_conf_number(const struct ph_conf *conf, enum ph_conf_key key)
{
    return conf->number[key];
}

/* TIMES in ms; returns how many, at most PH_CONF_TIMES_MAX */
size_t ph_conf_times(const struct ph_conf *conf, enum ph_conf_key key,
                     int64_t ms[PH_CONF_TIMES_MAX]);

#endif

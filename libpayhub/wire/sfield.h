/*
 * sfield.h - the pieces of RFC 8941 structured fields that signatures use:
 * keys, bare items, parameters' separators, byte sequences.
 *
 * A reader stands at `at`; each function takes its item off the front or says
 * false, and the whole field is refused then.  Stricter than the RFC where two
 * texts would mean one value: numbers have no sign of zero and no needless
 * digit, booleans are ?0 (a true one is written by its name alone).
 */
#ifndef PH_WIRE_SFIELD_H
#define PH_WIRE_SFIELD_H

#include "libpayhub/base/str.h"

#define PH_SF_INTEGER_DIGITS_MAX 15
#define PH_SF_FRACTION_DIGITS_MAX 3
#define PH_SF_WHOLE_DIGITS_MAX 12 /* before a decimal point */

struct ph_sf {
    const char *at, *end;
};

enum ph_sf_kind {
    PH_SF_NONE = 0,
    PH_SF_INTEGER,
    PH_SF_DECIMAL,
    PH_SF_STRING, /* text without its quotes, escapes as they stand */
    PH_SF_TOKEN,
    PH_SF_BYTES, /* base64 text without its colons */
    PH_SF_BOOLEAN
};

struct ph_sf_item {
    enum ph_sf_kind kind;
    struct ph_str   text; /* as written, with quotes or colons */
    struct ph_str   value;
    bool            escaped; /* a string that holds a backslash */
};

static inline struct ph_sf
ph_sf_make(struct ph_str text)
{
    struct ph_str trimmed = ph_str_trim(text);

    return (struct ph_sf){ trimmed.ptr, trimmed.len != 0
                                            ? trimmed.ptr + trimmed.len
                                            : trimmed.ptr };
}

static inline bool
ph_sf_at_end(const struct ph_sf *sf)
{
    return sf->at == sf->end;
}

/* takes this byte when it is the next one */
static inline bool
ph_sf_byte(struct ph_sf *sf, char byte)
{
    if (sf->at == sf->end || *sf->at != byte) {
        return false;
    }
    sf->at++;
    return true;
}

void ph_sf_spaces(struct ph_sf *sf); /* any number of SP */

/* blanks, a comma, blanks, and something after them; else nothing is taken */
bool ph_sf_comma(struct ph_sf *sf);

bool ph_sf_key(struct ph_sf *sf, struct ph_str *key);
bool ph_sf_item(struct ph_sf *sf, struct ph_sf_item *item);

#endif

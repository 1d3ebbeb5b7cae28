/*
 * codes.h - what a channel's code proves: the adapters' tables, and the words
 * for it that are the same at every channel (error_classes.def).
 */
#ifndef PH_CHANNEL_CODES_H
#define PH_CHANNEL_CODES_H

#include "channels/channel.h"

/*
 * The row of `code` that judges answers to `op`: one that names the operation,
 * else one for every operation.  NULL = no row: it proves nothing.
 */
const struct ph_channel_code *ph_code_find(const struct ph_channel *channel,
                                           struct ph_str            code,
                                           enum ph_channel_op       op);

/* a row of error_classes.def */
bool ph_error_class_is_known(struct ph_str word);

/* the i-th word and what it means; NULL after the last */
const char *ph_error_class_at(size_t i, const char **meaning);

enum ph_codes_fault {
    PH_CODES_OK = 0,
    PH_CODES_UNSORTED, /* a code before its forerunner */
    PH_CODES_TWICE,    /* two rows of a code for one operation */
    PH_CODES_OPS,      /* a bit that is no operation */
    PH_CODES_RESULT,   /* a class that no code may prove, or none at all */
    PH_CODES_WORD      /* an error class that error_classes.def lacks */
};

/* Judges a whole table; *at = the row at fault. */
enum ph_codes_fault ph_codes_check(const struct ph_channel *channel,
                                   size_t                  *at);

const char *ph_codes_expected(enum ph_codes_fault fault);

#endif

/*
 * args.h - the one option parser of the payhub command, and its typo hints.
 *
 * Strict on purpose: an unknown option, an option given twice that may stand
 * once, a missing value or a surplus word is refused with what was expected.
 * Pure; the texts belong to argv.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define CLI_GIVEN_MAX 96 /* options on one command line */
#define CLI_WORDS_MAX 48 /* words that are no options */
#define CLI_NEAR_MAX 2   /* edits that still count as a typo */

struct cli_option {
    const char *name;  /* without the dashes; NULL ends a list */
    const char *value; /* name of its value in help; NULL = a flag */
    bool        repeats;
    const char *help;
};

struct cli_given {
    const struct cli_option *option;
    const char              *value; /* NULL for a flag */
};

struct cli_args {
    struct cli_given given[CLI_GIVEN_MAX];
    size_t           given_count;
    const char      *words[CLI_WORDS_MAX];
    size_t           word_count;

    /* set by the caller: what stands behind -- is no word of ours */
    bool               keeps_rest;
    const char *const *rest; /* to the end of argv, with its NULL */
    size_t             rest_count;
};

/*
 * Parses argv[0..argc) against `own` and `common` (lists that end in a NULL
 * name).  On anything but PH_OK `why` holds one line for the user.
 */
enum ph_rc cli_args_parse(struct cli_args *args, int argc,
                          const char *const *argv, const struct cli_option *own,
                          const struct cli_option *common,
                          struct ph_buf           *why) PH_MUST_CHECK;

bool cli_args_has(const struct cli_args *args, const char *name);

/* the value of an option that stands once; NULL when absent */
const char *cli_args_value(const struct cli_args *args, const char *name);

/* the next value of a repeating option; *at starts at 0; NULL at the end */
const char *cli_args_next(const struct cli_args *args, const char *name,
                          size_t *at);

/* edits (insert, drop, change, swap) between two short words; capped at 9 */
unsigned cli_edits(const char *a, const char *b);

#endif

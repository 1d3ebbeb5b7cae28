/*
 * options.h - the command line, and the configuration checked as a whole.
 */
#ifndef WK_OPTIONS_H
#define WK_OPTIONS_H

#include "libpayhub/wire/seal.h"
#include "worker/worker.h"

struct wk_options {
    const char *config_path; /* NULL = the default places */
    bool        check_only;
    bool        tells;       /* --help, --version: said, nothing to run */
    const char *socket_path; /* of worker.listen, without "unix:" */
    unsigned    roles;
};

/* false = said on stderr what was found and expected: exit status 2 */
bool wk_options_read(struct wk_options *options, int argc,
                     char **argv) PH_MUST_CHECK;
bool wk_options_check(struct wk_options *options, const struct ph_conf *conf,
                      struct ph_seal_key keys[2],
                      size_t            *key_count) PH_MUST_CHECK;

/* Also at a reload: NULL, or what pay.breaker was expected to be. */
const char *wk_breaker_fault(const struct ph_conf *conf);

#endif

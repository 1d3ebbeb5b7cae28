/*
 * gtid.h - MariaDB's positions: "0-1-42,7-2-9" is the last transaction seen
 * of each domain.  Pure.
 */
#ifndef CLI_GTID_H
#define CLI_GTID_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define CLI_GTID_DOMAINS_MAX 32

struct cli_gtid {
    size_t count;
    struct {
        uint64_t domain;
        uint64_t sequence;
    } at[CLI_GTID_DOMAINS_MAX];
};

/* "" is the empty position; a domain that stands twice is PH_E_DUPLICATE */
enum ph_rc cli_gtid_parse(struct cli_gtid *out,
                          struct ph_str    text) PH_MUST_CHECK;

/* every domain of `goal` is reached or passed in `have` */
bool cli_gtid_reached(const struct cli_gtid *have, const struct cli_gtid *goal);

/* the same transactions of every domain */
bool cli_gtid_same(const struct cli_gtid *a, const struct cli_gtid *b);

#endif

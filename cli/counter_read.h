/*
 * counter_read.h - counters out of Redis and, for comparison, out of SQL.
 */
#ifndef CLI_COUNTER_READ_H
#define CLI_COUNTER_READ_H

#include "cli/cells.h"
#include "cli/cli.h"
#include "cli/gtid.h"

struct redisContext;

#define CLI_POSITION_MAX 2048

struct cli_counts { /* where counters are, and how they are cut */
    struct redisContext *redis;
    MYSQL               *db; /* NULL when SQL is not asked */
    struct ph_str        prefix;
    uint64_t             epoch;
    int                  day_offset_min;
    uint64_t             accounts_from_ms; /* UINT64_MAX: nobody counts them */
    enum cli_exit        failure;          /* what to exit with after a false */
};

struct cli_position {
    struct cli_gtid gtid;
    char            text[CLI_POSITION_MAX];
};

/* Connects; Redis only, or both.  False = said why, failure is set. */
bool cli_counts_open(struct cli *cli, struct cli_counts *counts,
                     bool with_sql) PH_MUST_CHECK;
void cli_counts_close(struct cli_counts *counts);

/* The sidecar's position. */
bool cli_counts_position(struct cli_counts   *counts,
                         struct cli_position *out) PH_MUST_CHECK;

/* Names of all bucket keys of the epoch, as cells ("key", "") = 1. */
bool cli_counts_keys(struct cli_counts *counts,
                     struct cli_cells  *keys) PH_MUST_CHECK;

/* The fields of those keys, not at one instant. */
bool cli_counts_read(struct cli_counts *counts, const struct cli_cells *keys,
                     struct cli_cells *out) PH_MUST_CHECK;

/* Position and fields at one instant (MULTI); for a few keys. */
bool cli_counts_capture(struct cli_counts *counts, const struct cli_cells *keys,
                        struct cli_position *position,
                        struct cli_cells    *out) PH_MUST_CHECK;

/* where buckets of a grain are whole and kept, when minutes and days are from
 * these times on; UINT64_MAX = nowhere */
uint64_t cli_counts_from(const struct cli_counts *counts,
                         enum ph_counter_grain grain, uint64_t minute_from_ms,
                         uint64_t day_from_ms);

/* The SQL twins of all buckets of events at or after those times. */
bool cli_counts_sql(struct cli_counts *counts, uint64_t minute_from_ms,
                    uint64_t day_from_ms, struct cli_cells *out) PH_MUST_CHECK;

#endif

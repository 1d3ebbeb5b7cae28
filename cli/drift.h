/*
 * drift.h - are the counters in Redis those that SQL gives?
 */
#ifndef CLI_DRIFT_H
#define CLI_DRIFT_H

#include "cli/counter_read.h"

struct cli_drift {
    char    gtid[CLI_POSITION_MAX]; /* the noted position */
    size_t  compared;               /* counters */
    json_t *differences; /* [{key, field, redis, sql}], @owns: caller */
    size_t  moving;      /* counters that never stood still */
};

/*
 * CLI_OK all equal, CLI_DIFFERS, CLI_NOT_READY, CLI_FAILED.  Waits at most
 * wait_ms for the sidecar and as long again for a common position.
 */
enum cli_exit cli_drift_measure(struct cli *cli, uint64_t wait_ms,
                                struct cli_drift *out);

#endif

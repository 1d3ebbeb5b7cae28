/*
 * partitions.h - monthly partitions of the traffic tables, made ahead.
 */
#ifndef CLI_PARTITIONS_H
#define CLI_PARTITIONS_H

#include "cli/cli.h"

/*
 * Splits this month and the next ones off p_open where they are not yet; the
 * names of what was made go to `made`.  The caller holds the
 * schema lock.  False = said why.
 */
bool cli_partitions_make(MYSQL *db, uint64_t now_ms,
                         json_t *made) PH_MUST_CHECK;

#endif

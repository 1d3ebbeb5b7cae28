/*
 * partitions.h - the monthly partitions of the traffic tables: made ahead, and
 * after a while taken out into tables of their own.
 *
 * A partition p_YYYYMM holds the ids born in that month (UTC) and, the first
 * one of a table, everything before.  Boundaries are ids, because the id is the
 * primary key and begins with its time.  p_open takes what comes after the last
 * month, so a missed run loses nothing.  DDL: a connection of the owner, which
 * holds the lock of the schema.
 */
#ifndef PH_IO_PARTITIONS_H
#define PH_IO_PARTITIONS_H

#include <mysql.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_MONTHS_AHEAD 3
#define PH_MONTHS_ARCHIVED_MAX 24 /* of one table in one run */

/* what was made or taken out, one call each */
struct ph_partition_told {
    void (*tell)(void *data, const char *table, unsigned month);
    void *data;
};

/* The lock that `payhub schema up` takes as well; it ends with the connection.
 * false = it is not ours within wait_s, or `why` says what failed. */
bool ph_schema_lock(MYSQL *db, unsigned wait_s,
                    struct ph_buf *why) PH_MUST_CHECK;

/* Splits this month and the next PH_MONTHS_AHEAD off p_open where they are not
 * yet.  false = `why`. */
bool ph_partitions_make(MYSQL *db, uint64_t now_ms,
                        const struct ph_partition_told *told,
                        struct ph_buf                  *why) PH_MUST_CHECK;

/*
 * Takes every month that is over `keep_months` old out of its table: its rows
 * become archive_TABLE_YYYYMM by EXCHANGE PARTITION, the partition goes.  A
 * month in which something is not at rest (a row of `work` was born in it or
 * before, or is about a payment that was) waits, and so do the months after it,
 * in all tables.  A run that was cut goes on where it stood.  false = `why`.
 */
bool ph_partitions_archive(MYSQL *db, uint64_t now_ms, unsigned keep_months,
                           const struct ph_partition_told *told,
                           struct ph_buf                  *why) PH_MUST_CHECK;

#endif

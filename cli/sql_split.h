/*
 * sql_split.h - the statements of a migration file, and the months of its
 * partitions.  Pure.
 */
#ifndef CLI_SQL_SPLIT_H
#define CLI_SQL_SPLIT_H

#include "libpayhub/base/id.h"
#include "libpayhub/base/rc.h"

/*
 * The next statement of *text without its semicolon and the blanks and
 * comments before it.  PH_E_MISSING at the end; PH_E_SYNTAX when a quote or
 * comment does not end.  Semicolons inside '..', "..", `..`, "-- .." and
 * slash-star comments end nothing.  DELIMITER is not known.
 */
enum ph_rc cli_sql_next(struct ph_str *text,
                        struct ph_str *statement) PH_MUST_CHECK;

/* "0001_core.sql" to 1 and "core"; false for another form */
bool cli_migration_name(struct ph_str file, unsigned *version,
                        struct ph_str *name);

/* unix ms of the first instant (UTC) of the month `ahead` after now's */
uint64_t cli_month_start_ms(uint64_t now_ms, unsigned ahead);

/* 202601 for any instant of January 2026 */
unsigned cli_month_number(uint64_t at_ms);

#endif

/*
 * sql_split.h - the statements of a migration file.  Pure.
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

#endif

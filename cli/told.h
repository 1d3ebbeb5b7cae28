/*
 * told.h - what clients were told is still true: I8.
 *
 * The file has a JSON object a line, as a client noted them:
 *   {"order_no": "...", "status": "paid", "at": "..."}
 *   {"refund_no": "...", "status": "succeeded", "at": "..."}
 * with an "app_id" where numbers of several apps meet.  Other members are not
 * looked at.
 */
#ifndef CLI_TOLD_H
#define CLI_TOLD_H

#include <stdio.h>

#include "cli/books.h"

struct cli_told {
    const char *path;
    FILE       *file; /* NULL = there is none to judge */
    uint64_t    size; /* when it was opened: later lines are not read */
};

/* Before the snapshot, so that every line is older than it.  path may be NULL;
 * false = said why. */
bool cli_told_open(struct cli_told *told, const char *path) PH_MUST_CHECK;

/*
 * Judges the lines against the rows of the snapshot that is open.  *lines
 * counts them; CLI_USAGE = a line that cannot be read, said which.
 */
enum cli_exit cli_told_judge(struct cli_told *told, MYSQL *db,
                             struct cli_breaches *breaches,
                             size_t              *lines) PH_MUST_CHECK;

void cli_told_close(struct cli_told *told);

#endif

/*
 * check.h - the server settings that the sidecar depends on.
 */
#ifndef SIDECAR_CHECK_H
#define SIDECAR_CHECK_H

#include <mysql.h>

#include "libpayhub/base/buf.h"
#include "sidecar/position.h"

#define BL_FINDINGS_MAX 16
#define BL_FOUND_MAX 64

struct bl_finding {
    const char *name;
    const char *wanted;
    const char *mend;        /* SQL, or what to do where there is none */
    bool        is_required; /* counting is wrong or impossible without it */
    char        found[BL_FOUND_MAX];
};

struct bl_findings {
    size_t            count;
    size_t            required;
    struct bl_finding finding[BL_FINDINGS_MAX];
};

/* False: the server could not be asked, or is not MariaDB; see `why`. */
bool bl_check(MYSQL *mysql, struct bl_findings *findings, struct ph_buf *why);

/*
 * Every domain of the position stands in the server's log: a domain that the
 * server does not know would silently start at its oldest file.
 */
bool bl_check_position(MYSQL *mysql, const struct bl_position *position,
                       struct ph_buf *why);

/* "NAME: found X, expected Y; MEND" */
void bl_finding_text(const struct bl_finding *finding, struct ph_buf *text);

/* one value of one row; false when there is none or it does not fit */
bool bl_sql_value(MYSQL *mysql, const char *sql, struct ph_buf *value);

#endif

/*
 * time_text.h - unix milliseconds to and from the two texts that we use.
 *
 * Pure; UTC only; years 1970 to 9999.
 */
#ifndef WK_TIME_TEXT_H
#define WK_TIME_TEXT_H

#include "libpayhub/base/buf.h"

#define WK_TIME_TEXT_LEN 24 /* the longer of the two */

/* DATETIME(3) of the database: "2026-01-02 03:04:05.678" */
void wk_time_sql(struct ph_buf *buf, uint64_t ms);

/* ISO 8601 of the API: "2026-01-02T03:04:05.678Z" */
void wk_time_iso(struct ph_buf *buf, uint64_t ms);

/* The database's text, with or without a fraction of up to 3 digits. */
bool wk_time_parse(struct ph_str text, uint64_t *ms);

#endif

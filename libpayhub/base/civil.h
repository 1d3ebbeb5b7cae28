/*
 * civil.h - calendar times as channels write them, to and from unix ms.  Pure.
 *
 * Years 1970 to 9999.  Times without a zone are of the offset that the caller
 * names, minutes east of UTC: channels say which, our machine's zone never.
 */
#ifndef PH_BASE_CIVIL_H
#define PH_BASE_CIVIL_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_BEIJING_MIN 480 /* UTC+8, no summer time */

enum ph_civil_shape {
    PH_CIVIL_COMPACT, /* 20261123102030 */
    PH_CIVIL_PLAIN,   /* 2026-11-23 10:20:30; a fraction is read, not written */
    PH_CIVIL_RFC3339  /* 2026-11-23T10:20:30+08:00, Z when the offset is 0 */
};

/* Whole seconds; what is below is cut.  offset_min: -1439 to 1439. */
void ph_civil_add(struct ph_buf *buf, enum ph_civil_shape shape, uint64_t at_ms,
                  int offset_min);

/* PH_E_SYNTAX: not of the shape; PH_E_RANGE: no such day or hour, or before
 * 1970.  Of RFC3339 the text tells the offset.  Fractions have 1 to 9 digits,
 * of which three count; second 60 is no time. */
enum ph_rc ph_civil_parse(struct ph_str in, enum ph_civil_shape shape,
                          int offset_min, uint64_t *at_ms) PH_MUST_CHECK;

#endif

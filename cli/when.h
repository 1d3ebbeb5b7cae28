/*
 * when.h - times as people write them on a command line.  Pure.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

/*
 * "2026-01-02" (midnight at offset_min east of UTC), "2026-01-02T03:04:05Z"
 * (also with .mmm, and +HH:MM for Z), unix seconds, or "10m" "2h" "3d" before
 * now.
 */
enum ph_rc cli_when_parse(struct ph_str text, uint64_t now_ms, int offset_min,
                          uint64_t *out_ms) PH_MUST_CHECK;

#endif

/*
 * json_member.h - where the value of a member stands in a JSON text, byte for
 * byte as it was sent: what a channel signed is that, not what a parser would
 * write again.
 *
 * One pass, nothing allocated, on any bytes.  It finds brackets, strings and
 * commas; whether all of it is JSON is a parser's to say (the caller's, before
 * or after).  What two readers might read in two ways is refused: a name with
 * an escape in it, a member that stands twice.  Pure.
 */
#ifndef PH_WIRE_JSON_MEMBER_H
#define PH_WIRE_JSON_MEMBER_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define PH_JSON_DEPTH_MAX 32

/*
 * *exact: a view of the value, a text with its quotes.  PH_E_MISSING, and
 * PH_E_DUPLICATE, of the outermost object's members; PH_E_SYNTAX: no object,
 * or something stands behind it; PH_E_RANGE: deeper than PH_JSON_DEPTH_MAX.
 */
enum ph_rc ph_json_member(struct ph_str object, struct ph_str name,
                          struct ph_str *exact) PH_MUST_CHECK;

/* PH_OK: brackets match and are at most `most` deep (<= PH_JSON_DEPTH_MAX), so
 * that a parser may be called; otherwise as above. */
enum ph_rc ph_json_depth(struct ph_str text, unsigned most) PH_MUST_CHECK;

#endif

/*
 * field_scan.h - a few members of a JSON object, without parsing all of it.
 *
 * One pass, nothing allocated.  The document is checked as a whole - grammar,
 * depth, members that are asked for twice - but for what only a parser can
 * know: UTF-8, duplicates among the other members, the range of other
 * numbers.  A caller that acts on the values must be followed by one that
 * parses and compares: the scanner refuses whatever two readers might read in
 * two ways.
 */
#ifndef PH_WIRE_FIELD_SCAN_H
#define PH_WIRE_FIELD_SCAN_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define PH_SCAN_DEPTH_MAX 16 /* the worker's own limit */
#define PH_SCAN_FIELDS_MAX 16

enum ph_scan {
    PH_SCAN_CLEAR = 0,
    PH_SCAN_BROKEN,    /* not JSON */
    PH_SCAN_DUPLICATE, /* a wanted member stands twice */
    PH_SCAN_ESCAPE,    /* in a name beside wanted ones, or in a wanted value */
    PH_SCAN_TYPE,      /* a wanted member, or the whole, is of another type */
    PH_SCAN_RANGE,     /* a wanted integer does not fit in 64 bits */
    PH_SCAN_DEPTH,     /* deeper than PH_SCAN_DEPTH_MAX */
    PH_SCAN_ENCODING   /* a wanted text is not UTF-8 */
};

struct ph_scan_field {
    struct ph_str name;
    bool          in_metadata; /* a member of "metadata", else of the root */
    bool          is_integer;  /* else a text */

    /* out; of a verdict other than CLEAR nothing here may be used */
    bool          found;
    struct ph_str text; /* a view into the body */
    int64_t       integer;
};

/*
 * Fills in `found` and the value of each field.  Names are plain and at most
 * PH_SCAN_FIELDS_MAX.  With a field of metadata the member "metadata" itself
 * has to be an object and to stand once.
 */
enum ph_scan ph_field_scan(struct ph_str body, struct ph_scan_field *fields,
                           size_t count) PH_MUST_CHECK;

/* "clear", "broken", "duplicate", ... */
const char *ph_scan_word(enum ph_scan verdict);

#endif

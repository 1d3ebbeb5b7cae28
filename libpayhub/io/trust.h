/*
 * trust.h - the certificate authorities that messages may be signed under: the
 * system's and those of a file.
 */
#ifndef PH_IO_TRUST_H
#define PH_IO_TRUST_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

struct ph_trust; /* wire/cert.h */

/*
 * extra_file: "" = none.  A system without authorities is no fault: *trust may
 * come out NULL.  False = `why` says what cannot be read.
 * @owns: caller, ph_trust_free().
 */
bool ph_trust_read(struct ph_trust **trust, const char *extra_file,
                   struct ph_buf *why) PH_MUST_CHECK;

#endif

/*
 * content_digest.h - the Content-Digest field of RFC 9530.
 *
 * A dictionary of byte sequences by algorithm.  sha-256 and sha-512 are known;
 * every known one that is present must match, at least one must be, and others
 * are passed over.
 */
#ifndef PH_WIRE_CONTENT_DIGEST_H
#define PH_WIRE_CONTENT_DIGEST_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_CONTENT_DIGEST_MAX 1024 /* bytes of the field's value */
#define PH_CONTENT_DIGEST_MEMBERS_MAX 8
#define PH_CONTENT_DIGEST_FORMAT_MAX                                           \
    64 /* what ph_content_digest_format adds                                   \
        */

/*
 * The body is the concatenation of the pieces.  PH_OK, PH_E_SYNTAX not such a
 * dictionary, PH_E_DUPLICATE an algorithm twice, PH_E_RANGE too long or too
 * many, PH_E_UNKNOWN no known algorithm, PH_E_SIGNATURE another body,
 * PH_E_CRYPTO the library failed.
 */
enum ph_rc ph_content_digest_check(struct ph_str        field,
                                   const struct ph_str *pieces,
                                   size_t               count) PH_MUST_CHECK;

/* Appends sha-256=:...: of the body; for clients.  False = no crypto. */
bool ph_content_digest_format(struct ph_buf *buf, const struct ph_str *pieces,
                              size_t count) PH_MUST_CHECK;

#endif

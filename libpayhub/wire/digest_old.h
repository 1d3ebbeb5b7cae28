/*
 * digest_old.h - any digest that some channel asks for, of a text now and then:
 * MD5 and SHA-1 are kept out of digest.h, so that nothing of our own uses them.
 *
 * Pure, any thread, no ph_digest_init() needed.  Appended on true only; false:
 * this OpenSSL has it not (SM3, or MD5 in a FIPS build), or no room.
 */
#ifndef PH_WIRE_DIGEST_OLD_H
#define PH_WIRE_DIGEST_OLD_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

enum ph_digest_old {
    PH_OLD_MD5,
    PH_OLD_SHA1,
    PH_OLD_SHA256,
    PH_OLD_SHA512,
    PH_OLD_SM3
};

#define PH_OLD_DIGESTS 5
#define PH_OLD_DIGEST_MAX 64 /* bytes, raw */

/* over the concatenation of the pieces: the raw bytes */
bool ph_digest_raw(enum ph_digest_old kind, const struct ph_str *pieces,
                   size_t count, struct ph_buf *out) PH_MUST_CHECK;

/* the same in lower-case hex */
bool ph_digest_hex(enum ph_digest_old kind, const struct ph_str *pieces,
                   size_t count, struct ph_buf *out) PH_MUST_CHECK;

/* HMAC, raw; an empty key is allowed, as by RFC 2104 */
bool ph_hmac_raw(enum ph_digest_old kind, struct ph_str key,
                 const struct ph_str *pieces, size_t count,
                 struct ph_buf *out) PH_MUST_CHECK;

#endif

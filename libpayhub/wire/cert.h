/*
 * cert.h - X.509 certificates of channels: their names, serial numbers, keys
 * and chains, and the key files (.pfx) in which banks hand them out.
 *
 * All of it is read-only once made: any number of threads may use it.  Times
 * are arguments; nothing is looked up anywhere, no list of revoked ones either.
 */
#ifndef PH_WIRE_CERT_H
#define PH_WIRE_CERT_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"

#define PH_CERT_TEXT_MAX (16 * 1024) /* bytes of one certificate */
#define PH_CERTS_TEXT_MAX (2 * 1024 * 1024)
#define PH_TRUST_MAX 1024 /* certificates of a ph_trust */
#define PH_CHAIN_MIDDLE_MAX 8
#define PH_PFX_MAX (64 * 1024)

struct ph_private_key; /* rsa.h */
struct ph_public_key;
struct ph_cert;  /* one certificate and its key */
struct ph_trust; /* authorities that end a chain */

/*
 * The first certificate of a PEM, or a whole DER, or that in base64 without
 * lines around it.  PH_E_SYNTAX: none of these; PH_E_RANGE: too long.
 * @owns: caller, ph_cert_free().
 */
enum ph_rc ph_cert_new(struct ph_cert **out, struct ph_str text) PH_MUST_CHECK;
void       ph_cert_free(struct ph_cert *cert); /* accepts NULL */

/*
 * Every certificate of a bundle of PEMs, in order, other text is skipped; or
 * the one of another shape.  All or none.  PH_E_MISSING: it holds none;
 * PH_E_FULL: more than `most`; PH_E_SYNTAX: one cannot be read.
 */
enum ph_rc ph_certs_new(struct ph_cert **out, size_t most, size_t *count,
                        struct ph_str text) PH_MUST_CHECK;
void       ph_certs_free(struct ph_cert *const *certs, size_t count);

/* Of an even number of digits, upper case: as WeChat Pay writes serials. */
void ph_cert_serial_hex(const struct ph_cert *cert, struct ph_buf *buf);
void ph_cert_serial_decimal(const struct ph_cert *cert, struct ph_buf *buf);

/* Alipay's "SN": MD5 in hex of the issuer by RFC 2253 and the serial. */
bool ph_cert_alipay_sn(const struct ph_cert *cert,
                       struct ph_buf        *buf) PH_MUST_CHECK;

/* Signed with RSA: of a root bundle Alipay counts only these. */
bool ph_cert_is_rsa_signed(const struct ph_cert *cert);

/* The subject's common name in UTF-8; {NULL, 0} when there is none, more than
 * one, one with a NUL, or no room. */
struct ph_str ph_cert_cn(const struct ph_cert *cert, struct ph_arena *arena);

/* Lives as long as the certificate; NULL: a key that rsa.h does not take. */
const struct ph_public_key *ph_cert_key(const struct ph_cert *cert);

/* Valid from the first on and before the second; 0 = before 1970. */
void ph_cert_dates(const struct ph_cert *cert, uint64_t *from_ms,
                   uint64_t *until_ms);

bool ph_cert_same(const struct ph_cert *a, const struct ph_cert *b);

/* The weakest digest that a signature in a chain may have. */
enum ph_chain_digest {
    PH_CHAIN_SHA2,
    PH_CHAIN_SHA1 /* an authority of a channel's own that still uses it */
};

/*
 * leaf <- some of middle[] <- an authority of `roots`: every signature right,
 * every certificate within its dates at now_ms.  A middle one has to be an
 * authority, and is never trusted by itself; the authority's own signature does
 * not count.  PH_E_RANGE: dates; PH_E_SIGNATURE: no such chain, or a weak
 * digest; PH_E_CRYPTO: the library failed.
 */
enum ph_rc ph_chain_check(const struct ph_cert        *leaf,
                          const struct ph_cert *const *middle, size_t count,
                          const struct ph_trust *roots, uint64_t now_ms,
                          enum ph_chain_digest least) PH_MUST_CHECK;

/*
 * All certificates of some bundles.  PH_E_MISSING: they hold none; PH_E_RANGE:
 * too many; PH_E_SYNTAX: one cannot be read.  @owns: caller, ph_trust_free().
 */
enum ph_rc ph_trust_new(struct ph_trust **out, const struct ph_str *texts,
                        size_t count) PH_MUST_CHECK;
void       ph_trust_free(struct ph_trust *trust); /* accepts NULL */

/*
 * The private key and its certificate from a PKCS #12 file; old ciphers (RC2,
 * 3DES) too, where OpenSSL's provider for them is installed.  PH_E_SYNTAX: no
 * such file; PH_E_SIGNATURE: another password; PH_E_MISSING: no key, or no
 * certificate of it; PH_E_UNKNOWN: a cipher that is not there, or a key that
 * rsa.h does not take.  @owns: caller, both.
 */
enum ph_rc ph_pfx_open(struct ph_str der, struct ph_str password,
                       struct ph_private_key **key,
                       struct ph_cert        **cert) PH_MUST_CHECK;

#endif

/*
 * verify.h - signature algorithms, and keys ready to verify with.
 *
 * A key's record names its algorithm; a caller never chooses it.  A verifier
 * holds one key's ready contexts: a PEM is parsed once, when it is made.
 * ph_digest_init() comes first.  One thread at a time may use a verifier, and
 * while a check runs nobody may free it: a caller that hands one to a thread
 * holds a count on it, or gives the thread one of its own.
 */
#ifndef PH_WIRE_VERIFY_H
#define PH_WIRE_VERIFY_H

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

/* schemes, as bits */
#define PH_SCHEME_V3 0x0002u
#define PH_SCHEME_RFC9421 0x0004u

enum ph_alg {
    PH_ALG_NONE = 0,
#define ALG(name, text, code, is_public, schemes) PH_ALG_##name = (code),
#include "libpayhub/wire/algs.def"
#undef ALG
};

#define PH_PUBLIC_KEY_PEM_MAX 4096
#define PH_SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */
#define PH_RSA_BITS_MIN 2048
#define PH_RSA_BITS_MAX 8192
#define PH_SM2_ID "1234567812345678"

/* PH_ALG_NONE when there is none of that name */
enum ph_alg   ph_alg_find(struct ph_str name);
struct ph_str ph_alg_name(enum ph_alg alg);
bool          ph_alg_is_public(enum ph_alg alg);
unsigned      ph_alg_schemes(enum ph_alg alg); /* that it may serve */

/* "payhub-v3" | "rfc9421" -> bit, 0 = none of that name */
unsigned      ph_scheme_find(struct ph_str name);
struct ph_str ph_scheme_name(unsigned bit);

struct ph_verifier; /* opaque */

/*
 * `material`: the HMAC secret's bytes, or a PEM SubjectPublicKeyInfo and
 * nothing after it but white space.  PH_E_SYNTAX not such a PEM, PH_E_RANGE
 * too weak or too large (RSA < 2048 bits, HMAC secret empty), PH_E_UNKNOWN a
 * key of another kind than the algorithm's, PH_E_CRYPTO the library failed.
 * @owns: caller, ph_verifier_free().
 */
enum ph_rc ph_verifier_new(struct ph_verifier **out, enum ph_alg alg,
                           struct ph_str material) PH_MUST_CHECK;
void       ph_verifier_free(struct ph_verifier *verifier); /* accepts NULL */

/* hmac-sha256 only: another secret into the same contexts.  On anything but
 * PH_OK it may only be freed. */
enum ph_rc ph_verifier_rekey(struct ph_verifier *verifier,
                             struct ph_str       secret) PH_MUST_CHECK;

/* Bytes of this key's signatures; 0 = they vary (SM2). */
size_t ph_verifier_signature_len(const struct ph_verifier *verifier);

/*
 * Verifies `signature` (raw bytes: HMAC 32; RSA the modulus' length; ECDSA
 * r || s, 64; Ed25519 64; SM2 DER, refused unless it is its own canonical
 * encoding) over the concatenation of the pieces.  PH_OK, PH_E_SIGNATURE, or
 * PH_E_CRYPTO when the library failed.
 */
enum ph_rc ph_verifier_check(struct ph_verifier  *verifier,
                             const struct ph_str *pieces, size_t count,
                             struct ph_str signature) PH_MUST_CHECK;

#endif

/*
 * ed25519.h - the platform's own signing key: answers and webhooks for whoever
 * shares no secret with us.
 *
 * A key is read once and signs whole messages.  Its id is made of the public
 * key, so that every worker calls it the same.  One thread at a time.
 */
#ifndef PH_WIRE_ED25519_H
#define PH_WIRE_ED25519_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_ED25519_PEM_MAX 1024 /* bytes of a private key's file */
#define PH_ED25519_PUBLIC_LEN 32
#define PH_ED25519_SIGNATURE_LEN 64
#define PH_ED25519_KEY_ID_LEN 25 /* "platform-" and 16 hex digits */

struct ph_ed25519; /* opaque */

/*
 * pem: a PKCS #8 private key without a passphrase.  PH_E_SYNTAX not such a
 * PEM, PH_E_UNKNOWN a key of another kind, PH_E_CRYPTO the library failed.
 * @owns: caller, ph_ed25519_free().
 */
enum ph_rc ph_ed25519_new(struct ph_ed25519 **out,
                          struct ph_str       pem) PH_MUST_CHECK;
void       ph_ed25519_free(struct ph_ed25519 *key); /* accepts NULL */

/* Views that live as long as the key. */
struct ph_str ph_ed25519_id(const struct ph_ed25519 *key);
struct ph_str ph_ed25519_public(const struct ph_ed25519 *key); /* 32 bytes */

/* Appends a PEM SubjectPublicKeyInfo. */
bool ph_ed25519_public_pem(const struct ph_ed25519 *key,
                           struct ph_buf           *pem) PH_MUST_CHECK;

bool ph_ed25519_sign(const struct ph_ed25519 *key, struct ph_str message,
                     uint8_t signature[PH_ED25519_SIGNATURE_LEN]) PH_MUST_CHECK;

#endif

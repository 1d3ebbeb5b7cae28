/*
 * signer.h - the signing side of every algorithm: a secret or a private key,
 * for clients only.  The edge holds no private key and links none of this.
 */
#ifndef CLI_SIGNER_H
#define CLI_SIGNER_H

#include "libpayhub/base/buf.h"
#include "libpayhub/wire/verify.h"

#define CLI_PRIVATE_KEY_MAX 16384 /* bytes of a PEM file */

struct cli_signer; /* opaque; wiped when freed */

/*
 * `material`: the HMAC secret, or the PEM of a private key without a
 * passphrase, of the algorithm's kind.  False = `why`.
 * @owns: caller, cli_signer_free().
 */
bool cli_signer_new(struct cli_signer **out, enum ph_alg alg,
                    struct ph_str material, struct ph_buf *why) PH_MUST_CHECK;
void cli_signer_free(struct cli_signer *signer); /* accepts NULL */

enum ph_alg cli_signer_alg(const struct cli_signer *signer);

/* The raw signature over the pieces' concatenation; false = no crypto. */
bool cli_signer_sign(const struct cli_signer *signer,
                     const struct ph_str *pieces, size_t count,
                     struct ph_buf *raw) PH_MUST_CHECK;

/* The PEM SubjectPublicKeyInfo of a private key; false for a secret. */
bool cli_signer_public(const struct cli_signer *signer,
                       struct ph_buf           *pem) PH_MUST_CHECK;

#endif

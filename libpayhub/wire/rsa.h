/*
 * rsa.h - keys of channels, as the vendors hand them out: signing, checking,
 * decrypting.  RSA, and SM2 where a channel has it.
 *
 * A key is parsed once and immutable from then on: any thread, any number at a
 * time.  ph_digest_init() comes first.  verify.h is for the keys of our own
 * callers, whose records name an algorithm.
 */
#ifndef PH_WIRE_RSA_H
#define PH_WIRE_RSA_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_KEY_TEXT_MAX (16 * 1024)
#define PH_RSA_LEN_MAX 1024 /* bytes of a signature: RSA of 8192 bits */

struct ph_private_key; /* opaque */
struct ph_public_key;  /* opaque */

enum ph_rsa_form {
    PH_RSA_SHA256,     /* PKCS#1 v1.5 over SHA-256 */
    PH_RSA_SHA1,       /* PKCS#1 v1.5 over SHA-1, for old channels */
    PH_RSA_RAW,        /* PKCS#1 v1.5 over the bytes themselves, no digest */
    PH_SM2_SM3,        /* DER, signer's id PH_SM2_ID of verify.h */
    PH_RSA_PSS_SHA256, /* salt as long as the digest */
};

/*
 * PEM (PKCS#1 or PKCS#8, white space around it), or its base64 alone, in one
 * line or several.  PH_E_SYNTAX no such text, or a passphrase is needed;
 * PH_E_RANGE RSA below 2048 or above 8192 bits; PH_E_UNKNOWN neither RSA nor
 * SM2; PH_E_CRYPTO the library failed.  @owns: caller, ph_private_key_free().
 */
enum ph_rc ph_private_key_new(struct ph_private_key **out,
                              struct ph_str           text) PH_MUST_CHECK;
void       ph_private_key_free(struct ph_private_key *key); /* accepts NULL */

/* The same of a public key: PEM (SPKI or PKCS#1), a certificate (the first of
 * its file), or the base64 of SPKI or certificate alone. */
enum ph_rc ph_public_key_new(struct ph_public_key **out,
                             struct ph_str          text) PH_MUST_CHECK;
void       ph_public_key_free(struct ph_public_key *key); /* accepts NULL */

/* whether they are the halves of one pair */
bool ph_keys_match(const struct ph_private_key *key,
                   const struct ph_public_key  *other);

/* Appends the raw signature over the concatenation of the pieces.  false: the
 * key is of another kind than the form, the library failed, or no room. */
bool ph_private_sign(const struct ph_private_key *key, enum ph_rsa_form form,
                     const struct ph_str *pieces, size_t count,
                     struct ph_buf *raw) PH_MUST_CHECK;

/* PH_OK, PH_E_SIGNATURE, or PH_E_CRYPTO when the library failed.  A key of
 * another kind than the form signs nothing: PH_E_SIGNATURE. */
enum ph_rc ph_public_check(const struct ph_public_key *key,
                           enum ph_rsa_form form, const struct ph_str *pieces,
                           size_t count, struct ph_str signature) PH_MUST_CHECK;

enum ph_rsa_padding {
    PH_RSA_V15,
    PH_RSA_OAEP /* SHA-1 in both places, what WeChat calls OAEP */
};

/* One block.  PH_E_SYNTAX: nothing that this key opens; PH_E_FULL: no room. */
enum ph_rc ph_private_decrypt(const struct ph_private_key *key,
                              enum ph_rsa_padding padding, struct ph_str in,
                              struct ph_buf *out) PH_MUST_CHECK;
bool       ph_public_encrypt(const struct ph_public_key *key,
                             enum ph_rsa_padding padding, struct ph_str in,
                             struct ph_buf *out) PH_MUST_CHECK;

#endif

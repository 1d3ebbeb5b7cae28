/*
 * rsa_key.h - keys that were parsed elsewhere, for the files of this folder
 * that call OpenSSL themselves.
 */
#ifndef PH_WIRE_RSA_KEY_H
#define PH_WIRE_RSA_KEY_H

#include <openssl/evp.h>

#include "libpayhub/wire/rsa.h"

/* Takes `pkey` over, whatever comes of it; as the functions of rsa.h. */
enum ph_rc ph_private_key_of(struct ph_private_key **out,
                             EVP_PKEY               *pkey) PH_MUST_CHECK;
enum ph_rc ph_public_key_of(struct ph_public_key **out,
                            EVP_PKEY              *pkey) PH_MUST_CHECK;

/* verify.c's rules: of every key that signs for or to us */
enum ph_rc ph_key_judge_rsa(EVP_PKEY *key) PH_MUST_CHECK;
bool       ph_key_is_curve(EVP_PKEY *key, const char *kind, const char *curve);

/* Two integers in their one DER form; OpenSSL's reader also takes others. */
bool ph_der_is_canonical(struct ph_str der);

#endif

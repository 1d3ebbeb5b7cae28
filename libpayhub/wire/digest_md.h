/*
 * digest_md.h - the fetched algorithms, for the files of this folder that
 * call OpenSSL themselves.
 */
#ifndef PH_WIRE_DIGEST_MD_H
#define PH_WIRE_DIGEST_MD_H

#include <openssl/evp.h>

enum ph_digest_kind { PH_DIGEST_SHA256, PH_DIGEST_SHA512, PH_DIGEST_SM3 };

#define PH_DIGEST_KINDS 3

/* NULL when this OpenSSL has none of it, or before ph_digest_init().
 * @borrows until ph_digest_deinit() */
const EVP_MD *ph_digest_md(enum ph_digest_kind kind);

#endif

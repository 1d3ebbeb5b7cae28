/*
 * cert_x509.h - certificates that were parsed elsewhere, for the files of this
 * folder that call OpenSSL themselves.
 */
#ifndef PH_WIRE_CERT_X509_H
#define PH_WIRE_CERT_X509_H

#include <openssl/x509.h>

#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/rsa_key.h"

/* Takes `x509` over, whatever comes of it; as ph_cert_new(). */
enum ph_rc ph_cert_of(struct ph_cert **out, X509 *x509) PH_MUST_CHECK;

#endif

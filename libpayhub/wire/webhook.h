/*
 * webhook.h - Standard Webhooks signatures, symmetric form v1.
 *
 * Signed: webhook-id "." webhook-timestamp "." body.  Secret text: "whsec_"
 * and base64 of 32 bytes.  Header: "v1," and base64 of HMAC-SHA256.
 * Source: standard-webhooks specification.
 */
#ifndef PH_WIRE_WEBHOOK_H
#define PH_WIRE_WEBHOOK_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_WEBHOOK_SECRET_RAW 32
#define PH_WEBHOOK_SIGNATURE_MAX 64 /* "v1," + 44 characters, rounded up */

/* "whsec_..." to its key bytes; 24..64 bytes are taken */
enum ph_rc ph_webhook_secret(struct ph_buf *raw,
                             struct ph_str  text) PH_MUST_CHECK;

/* Appends the value of webhook-signature. */
bool ph_webhook_sign(struct ph_buf *buf, struct ph_str key, struct ph_str id,
                     uint64_t timestamp, struct ph_str body) PH_MUST_CHECK;

#endif

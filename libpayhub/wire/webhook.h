/*
 * webhook.h - Standard Webhooks signatures: v1 by a shared secret, v1a by an
 * Ed25519 key.
 *
 * Signed: webhook-id "." webhook-timestamp "." body.  Secret text: "whsec_"
 * and base64 of 32 bytes; public key text: "whpk_" and base64 of 32 bytes.
 * Header: "v1," and base64 of HMAC-SHA256, "v1a," and base64 of the Ed25519
 * signature, with a blank between.
 * Source: standard-webhooks specification.
 */
#ifndef PH_WIRE_WEBHOOK_H
#define PH_WIRE_WEBHOOK_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_WEBHOOK_SECRET_RAW 32
#define PH_WEBHOOK_SIGNATURE_MAX 64 /* "v1," + 44 characters, rounded up */
#define PH_WEBHOOK_V1A "v1a,"
#define PH_WEBHOOK_PUBLIC_LEN 32
#define PH_WEBHOOK_PUBLIC_MAX 64 /* "whpk_" + 44 characters, rounded up */
#define PH_WEBHOOK_PIECES 5      /* of what is signed */

/* "whsec_..." to its key bytes; 24..64 bytes are taken */
enum ph_rc ph_webhook_secret(struct ph_buf *raw,
                             struct ph_str  text) PH_MUST_CHECK;

/* Appends the value of webhook-signature. */
bool ph_webhook_sign(struct ph_buf *buf, struct ph_str key, struct ph_str id,
                     uint64_t timestamp, struct ph_str body) PH_MUST_CHECK;

/* What both forms sign, as pieces that are views. */
void ph_webhook_pieces(struct ph_str pieces[PH_WEBHOOK_PIECES],
                       struct ph_str id, struct ph_str timestamp,
                       struct ph_str body);

/* Appends "whpk_..." of a raw public key. */
void ph_webhook_public(struct ph_buf *buf,
                       const uint8_t  raw[PH_WEBHOOK_PUBLIC_LEN]);

#endif

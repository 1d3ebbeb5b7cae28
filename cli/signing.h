/*
 * signing.h - scheme payhub-v3 as a client: sign a request, check an answer.
 */
#ifndef CLI_SIGNING_H
#define CLI_SIGNING_H

#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/digest.h"

#define CLI_SIGNATURE_LEN 44 /* characters of a base64 SHA-256 */
#define CLI_BODY_MAX (1024 * 1024)
#define CLI_TARGET_MAX 8192

struct cli_signed {
    char   timestamp[24];
    char   nonce[PH_NONCE_LEN_MAX + 1];
    char   prefix[CLI_TARGET_MAX + 256]; /* what is signed, before the body */
    size_t prefix_len;
    char   signature[CLI_SIGNATURE_LEN + 1];
    char   header[PH_AUTH_V3_HEADER_MAX]; /* value of Authorization */
};

/* fills in timestamp and nonce where they are empty; false = no crypto */
bool cli_sign_make(struct cli_signed *out, struct ph_str key_id,
                   struct ph_str secret, struct ph_str method,
                   struct ph_str target, struct ph_str body) PH_MUST_CHECK;

/* base64 of HMAC-SHA256(secret, prefix body LF); false = no crypto */
bool cli_sign_text(char out[CLI_SIGNATURE_LEN + 1], struct ph_str secret,
                   struct ph_str prefix, struct ph_str body) PH_MUST_CHECK;

/* an HTTP method and a target that may stand in a request line */
bool cli_request_ok(const char *method, const char *target);

#endif

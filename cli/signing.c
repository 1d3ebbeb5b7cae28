/*
 * signing.c - see signing.h.
 */
#include "cli/signing.h"

#include <stdio.h>

#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/b64.h"

#define NONCE_LEN 22 /* 132 random bits */

bool
cli_request_ok(const char *method, const char *target)
{
    size_t len = strlen(method);

    for (size_t i = 0; i < len; i++) {
        if (method[i] < 'A' || method[i] > 'Z') {
            return false;
        }
    }
    for (const char *at = target; *at != '\0'; at++) {
        if ((unsigned char) *at <= ' ' || (unsigned char) *at >= 0x7f
            || *at == '#') {
            return false;
        }
    }
    return len != 0 && len <= 16 && target[0] == '/'
           && strlen(target) <= CLI_TARGET_MAX;
}

bool
cli_sign_text(char out[CLI_SIGNATURE_LEN + 1], struct ph_str secret,
              struct ph_str prefix, struct ph_str body)
{
    const struct ph_str pieces[] = { prefix, body, PH_STR("\n") };
    uint8_t             mac[PH_SHA256_LEN];
    struct ph_buf       text;

    if (!ph_hmac_once(secret, pieces, PH_COUNT(pieces), mac)) {
        cli_say("HMAC-SHA256 failed");
        return false;
    }
    ph_buf_init(&text, out, CLI_SIGNATURE_LEN + 1);
    ph_b64_encode(&text, ph_str_make((const char *) mac, sizeof(mac)));
    (void) ph_buf_z(&text);
    return true;
}

bool
cli_sign_make(struct cli_signed *out, struct ph_str key_id,
              struct ph_str secret, struct ph_str method, struct ph_str target,
              struct ph_str body)
{
    struct ph_buf     prefix, header;
    struct ph_auth_v3 auth = { .key_id = key_id };

    if (out->timestamp[0] == '\0') {
        (void) snprintf(out->timestamp, sizeof(out->timestamp), "%llu",
                        (unsigned long long) (ph_now_ms() / 1000));
    }
    if (out->nonce[0] == '\0') {
        cli_token(out->nonce, sizeof(out->nonce), "", NONCE_LEN);
    }
    auth.timestamp_text = ph_str_z(out->timestamp);
    auth.nonce          = ph_str_z(out->nonce);
    ph_buf_init(&prefix, out->prefix, sizeof(out->prefix));
    ph_auth_v3_prefix(&prefix, method, target, auth.timestamp_text, auth.nonce);
    out->prefix_len = prefix.len;
    if (prefix.full
        || !cli_sign_text(out->signature, secret, ph_buf_str(&prefix), body))
    {
        return false;
    }
    auth.signature = ph_str_z(out->signature);
    ph_buf_init(&header, out->header, sizeof(out->header));
    ph_auth_v3_format(&header, &auth);
    (void) ph_buf_z(&header);
    return !header.full;
}

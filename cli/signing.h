/*
 * signing.h - requests signed by payhub-v3 or rfc9421, as a client.
 */
#ifndef CLI_SIGNING_H
#define CLI_SIGNING_H

#include "cli/cli.h"
#include "cli/signer.h"
#include "libpayhub/wire/auth_9421.h"
#include "libpayhub/wire/digest.h"

#define CLI_HMAC_LEN 44 /* characters of a base64 SHA-256 */
#define CLI_BODY_MAX (1024 * 1024)
#define CLI_TARGET_MAX 8192
#define CLI_SIGN_HEADERS_MAX 4
#define CLI_HEADER_MAX (PH_9421_HEADER_MAX + 32) /* "Name: value" */
#define CLI_IDEMPOTENCY_KEY_MAX 255

struct cli_request {
    struct ph_str method, target, body;
    /* rfc9421 only */
    struct ph_str url_scheme, authority;
    struct ph_str idempotency_key; /* {NULL, 0} = none */
};

struct cli_signed {
    char   timestamp[24];
    char   nonce[PH_NONCE_LEN_MAX + 1];
    char   prefix[PH_9421_BASE_MAX]; /* what is signed; for payhub-v3 the */
    size_t prefix_len;               /* body and LF follow it */
    bool   body_follows;
    char   signature[PH_SIGNATURE_TEXT_MAX + 1]; /* base64 */
    char   headers[CLI_SIGN_HEADERS_MAX][CLI_HEADER_MAX];
    size_t header_count;
};

/* Fills in timestamp and nonce where they are empty; false = said why. */
bool cli_sign_make(struct cli_signed *out, unsigned scheme,
                   const struct cli_signer *signer, struct ph_str key_id,
                   const struct cli_request *request) PH_MUST_CHECK;

/* base64 of HMAC-SHA256(secret, prefix body LF); false = no crypto */
bool cli_sign_text(char out[CLI_HMAC_LEN + 1], struct ph_str secret,
                   struct ph_str prefix, struct ph_str body) PH_MUST_CHECK;

/* an HTTP method and a target that may stand in a request line */
bool cli_request_ok(const char *method, const char *target);

/* cli/signing_args.c: options that sign, verify and call share ----------- */

/* --scheme and --alg; anything but CLI_OK = said why */
enum cli_exit cli_scheme(const struct cli *cli, enum ph_alg *alg,
                         unsigned *scheme) PH_MUST_CHECK;

/* --private-key FILE, or --secret-file for hmac-sha256.
 * @owns: caller, cli_signer_free() */
enum cli_exit cli_signer_load(const struct cli *cli, enum ph_alg alg,
                              struct cli_signer **out) PH_MUST_CHECK;

/* --public-key FILE, or --secret-file for hmac-sha256.
 * @owns: caller, ph_verifier_free() */
enum cli_exit cli_verifier_load(const struct cli *cli, enum ph_alg alg,
                                struct ph_verifier **out) PH_MUST_CHECK;

/* http://host:port/... apart; false = not such an address */
bool cli_url_split(struct ph_str url, struct ph_str *url_scheme,
                   struct ph_str *authority);

/* --idempotency-key, which only rfc9421 covers */
enum cli_exit cli_idempotency_key(const struct cli *cli, unsigned scheme,
                                  struct ph_str *out) PH_MUST_CHECK;

#endif

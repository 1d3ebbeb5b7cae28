/*
 * sign.c - `payhub sign` and `payhub verify`: the scheme, shown.
 */
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/secrets.h"
#include "cli/signing.h"

static char body_memory[CLI_BODY_MAX + 1];

static enum cli_exit
test_values(const struct cli *cli, struct cli_signed *s)
{
    const char *timestamp = cli_args_value(&cli->args, "timestamp");
    const char *nonce     = cli_args_value(&cli->args, "nonce");
    uint64_t    seconds;

    if (timestamp != NULL) {
        if (!ph_str_u64(ph_str_z(timestamp), INT64_MAX, &seconds)) {
            return cli_usage("--timestamp: found %s, expected unix seconds",
                             timestamp);
        }
        (void) snprintf(s->timestamp, sizeof(s->timestamp), "%s", timestamp);
    }
    if (nonce != NULL) {
        if (!ph_str_is_token(ph_str_z(nonce), PH_NONCE_LEN_MAX)
            || strlen(nonce) < PH_NONCE_LEN_MIN)
        {
            return cli_usage("--nonce: found %s, expected %d-%d of "
                             "[A-Za-z0-9_-]",
                             nonce, PH_NONCE_LEN_MIN, PH_NONCE_LEN_MAX);
        }
        (void) snprintf(s->nonce, sizeof(s->nonce), "%s", nonce);
    }
    return CLI_OK;
}

static void
signed_print(const struct cli *cli, const struct cli_signed *s,
             struct ph_str body)
{
    if (cli->json) {
        size_t  len  = s->prefix_len;
        json_t *text = NULL;
        if (ph_str_utf8_count(body) != SIZE_MAX) {
            char *whole = malloc(len + body.len + 1);
            if (whole != NULL) {
                memcpy(whole, s->prefix, len);
                if (body.len != 0) {
                    memcpy(whole + len, body.ptr, body.len);
                }
                whole[len + body.len] = '\n';
                text                  = json_stringn(whole, len + body.len + 1);
                free(whole);
            }
        }
        cli_out(cli, json_pack("{s:s, s:s, s:s, s:s, s:o}", "authorization",
                               s->header, "timestamp", s->timestamp, "nonce",
                               s->nonce, "signature", s->signature, "signed",
                               text != NULL ? text : json_null()));
        return;
    }
    (void) printf("Authorization: %s\n\nsigned:\n", s->header);
    (void) fwrite(s->prefix, 1, s->prefix_len, stdout);
    (void) fwrite(body.ptr, 1, body.len, stdout);
    (void) fputc('\n', stdout);
}

enum cli_exit
cli_sign(struct cli *cli)
{
    static struct cli_signed s;
    char                     key[CLI_SECRET_MAX];
    struct ph_buf            secret = PH_BUF_INIT(key);
    struct ph_buf            body   = PH_BUF_INIT(body_memory);
    const char *const       *words  = cli->args.words;
    enum cli_exit            code   = test_values(cli, &s);

    if (code != CLI_OK) {
        return code;
    }
    if (!cli_request_ok(words[0], words[1])) {
        return cli_usage("expected METHOD in capitals and a TARGET that begins "
                         "with /, without blanks and #");
    }
    const char *key_id = cli_key_id(cli);
    if (key_id == NULL || cli_secret_path(cli) == NULL) {
        return CLI_USAGE;
    }
    code = CLI_FAILED;
    if (cli_key_secret(cli, &secret) && cli_body(cli, &body)
        && cli_sign_make(&s, ph_str_z(key_id), ph_buf_str(&secret),
                         ph_str_z(words[0]), ph_str_z(words[1]),
                         ph_buf_str(&body)))
    {
        signed_print(cli, &s, ph_buf_str(&body));
        code = CLI_OK;
    }
    OPENSSL_cleanse(key, sizeof(key));
    return code;
}

static enum cli_exit
verdict_print(const struct cli *cli, const struct cli_signed *s,
              struct ph_str given, struct ph_str body)
{
    bool same = ph_same_secret(given, ph_str_z(s->signature));

    if (cli->json) {
        cli_out(cli, json_pack("{s:b}", "valid", same));
    } else if (same) {
        (void) printf("valid\n");
    } else {
        (void) printf(
            "not valid: found %.*s, expected another signature over\n",
            (int) given.len, given.ptr);
        (void) fwrite(s->prefix, 1, s->prefix_len, stdout);
        (void) fwrite(body.ptr, 1, body.len, stdout);
        (void) fputc('\n', stdout);
    }
    return same ? CLI_OK : CLI_DIFFERS;
}

enum cli_exit
cli_verify(struct cli *cli)
{
    static struct cli_signed s;
    char                     key[CLI_SECRET_MAX];
    struct ph_buf            secret = PH_BUF_INIT(key);
    struct ph_buf            body   = PH_BUF_INIT(body_memory);
    struct ph_auth_v3        auth;
    const char *const       *words = cli->args.words;
    const char *value = cli_args_value(&cli->args, "authorization");

    if (value == NULL || !cli_request_ok(words[0], words[1])) {
        return cli_usage("expected METHOD TARGET --authorization 'PAYHUB-V3 "
                         "...'");
    }
    enum ph_rc rc = ph_auth_v3_parse(ph_str_z(value), &auth);
    if (rc != PH_OK) {
        cli_say("found an Authorization value that is not payhub-v3 (%d), "
                "expected PAYHUB-V3 key_id=\"..\",timestamp=\"..\",nonce=\"..\""
                ",signature=\"..\"",
                (int) rc);
        return CLI_DIFFERS;
    }
    const char *key_id = cli_args_value(&cli->args, "key-id");
    if (key_id != NULL && !ph_str_eq(ph_str_z(key_id), auth.key_id)) {
        cli_say("found a signature of key %.*s, expected %s",
                (int) auth.key_id.len, auth.key_id.ptr, key_id);
        return CLI_DIFFERS;
    }
    if (cli_secret_path(cli) == NULL) {
        return CLI_USAGE;
    }
    (void) snprintf(s.timestamp, sizeof(s.timestamp), "%.*s",
                    (int) auth.timestamp_text.len, auth.timestamp_text.ptr);
    (void) snprintf(s.nonce, sizeof(s.nonce), "%.*s", (int) auth.nonce.len,
                    auth.nonce.ptr);
    enum cli_exit code = CLI_FAILED;
    if (cli_key_secret(cli, &secret) && cli_body(cli, &body)
        && cli_sign_make(&s, auth.key_id, ph_buf_str(&secret),
                         ph_str_z(words[0]), ph_str_z(words[1]),
                         ph_buf_str(&body)))
    {
        code = verdict_print(cli, &s, auth.signature, ph_buf_str(&body));
    }
    OPENSSL_cleanse(key, sizeof(key));
    return code;
}

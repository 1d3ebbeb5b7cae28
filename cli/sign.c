/*
 * sign.c - `payhub sign`: a scheme, shown.
 */
#include "cli/cli.h"

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
        if (!ph_str_u64(ph_str_z(timestamp), PH_TIMESTAMP_MAX, &seconds)) {
            return cli_usage("--timestamp: found %s, expected unix seconds "
                             "of at most 11 digits",
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

/* what was signed as JSON text; null when it is not UTF-8 */
static json_t *
signed_text(const struct cli_signed *s, struct ph_str body)
{
    json_t *text  = NULL;
    size_t  len   = s->prefix_len;
    char   *whole = malloc(len + body.len + 1);

    if (whole != NULL) {
        memcpy(whole, s->prefix, len);
        if (s->body_follows) {
            if (body.len != 0) {
                memcpy(whole + len, body.ptr, body.len);
            }
            len += body.len;
            whole[len++] = '\n';
        }
        text = json_stringn(whole, len);
        free(whole);
    }
    return text != NULL ? text : json_null();
}

static void
signed_json(const struct cli *cli, const struct cli_signed *s,
            struct ph_str body)
{
    json_t *object = json_object();

    for (size_t i = 0; i < s->header_count; i++) {
        char          name[32] = { 0 };
        struct ph_str key, value;

        (void) ph_str_cut(ph_str_z(s->headers[i]), ':', &key, &value);
        for (size_t j = 0; j < key.len && j + 1 < sizeof(name); j++) {
            char ch = key.ptr[j];
            name[j] = (char) (ch >= 'A' && ch <= 'Z' ? ch | 0x20
                              : ch == '-'            ? '_'
                                                     : ch);
        }
        value = ph_str_trim(value);
        (void) json_object_set_new(object, name,
                                   json_stringn(value.ptr, value.len));
    }
    (void) json_object_set_new(object, "timestamp", json_string(s->timestamp));
    (void) json_object_set_new(object, "nonce", json_string(s->nonce));
    (void) json_object_set_new(object, "signature", json_string(s->signature));
    (void) json_object_set_new(object, "signed", signed_text(s, body));
    cli_out(cli, object);
}

static void
signed_print(const struct cli_signed *s, struct ph_str body)
{
    for (size_t i = 0; i < s->header_count; i++) {
        (void) printf("%s\n", s->headers[i]);
    }
    (void) printf("\nsigned:\n");
    (void) fwrite(s->prefix, 1, s->prefix_len, stdout);
    if (s->body_follows) {
        (void) fwrite(body.ptr, 1, body.len, stdout);
    }
    (void) fputc('\n', stdout);
}

/* --host, else the address of --url or $PAYHUB_URL */
static enum cli_exit
host_find(const struct cli *cli, struct cli_request *request)
{
    const char *host = cli_args_value(&cli->args, "host");
    const char *url  = cli_args_value(&cli->args, "url");

    url                 = url != NULL ? url : getenv("PAYHUB_URL");
    request->url_scheme = PH_STR("https");
    if (host != NULL) {
        request->authority = ph_str_z(host);
        return CLI_OK;
    }
    if (url == NULL
        || !cli_url_split(ph_str_z(url), &request->url_scheme,
                          &request->authority))
    {
        return cli_usage("found no host, expected --host HOST, --url or "
                         "PAYHUB_URL: rfc9421 signs it");
    }
    return CLI_OK;
}

enum cli_exit
cli_sign(struct cli *cli)
{
    static struct cli_signed s;
    struct cli_signer       *signer = NULL;
    struct ph_buf            body   = PH_BUF_INIT(body_memory);
    const char *const       *words  = cli->args.words;
    enum ph_alg              alg    = PH_ALG_NONE;
    unsigned                 scheme = 0;
    struct cli_request       request
        = { .method = ph_str_z(words[0]), .target = ph_str_z(words[1]) };
    enum cli_exit code = test_values(cli, &s);

    if (code != CLI_OK || (code = cli_scheme(cli, &alg, &scheme)) != CLI_OK
        || (code = cli_idempotency_key(cli, scheme, &request.idempotency_key))
               != CLI_OK)
    {
        return code;
    }
    if (!cli_request_ok(words[0], words[1])) {
        return cli_usage("expected METHOD in capitals and a TARGET that begins "
                         "with /, without blanks and #");
    }
    const char *key_id = cli_key_id(cli);
    if (key_id == NULL) {
        return CLI_USAGE;
    }
    if (scheme == PH_SCHEME_RFC9421
        && (code = host_find(cli, &request)) != CLI_OK) {
        return code;
    }
    code = cli_signer_load(cli, alg, &signer);
    if (code != CLI_OK) {
        return code;
    }
    code = CLI_FAILED;
    if (cli_body(cli, &body)) {
        request.body = ph_buf_str(&body);
        if (cli_sign_make(&s, scheme, signer, ph_str_z(key_id), &request)) {
            if (cli->json) {
                signed_json(cli, &s, request.body);
            } else {
                signed_print(&s, request.body);
            }
            code = CLI_OK;
        }
    }
    cli_signer_free(signer);
    return code;
}

/*
 * call.c - `payhub call`: one signed request, its answer checked.
 */
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/http.h"
#include "cli/secrets.h"
#include "cli/signing.h"

#define ANSWER_MAX (2 * 1024 * 1024)
#define TIMEOUT_S_MAX 600
#define TIMEOUT_S 60

static char body_memory[CLI_BODY_MAX + 1];

/* --url, else $PAYHUB_URL, else admin.api_url */
static enum cli_exit
url_find(struct cli *cli, const char **out)
{
    const char *url = cli_args_value(&cli->args, "url");

    url = url != NULL ? url : getenv("PAYHUB_URL");
    if (url == NULL) {
        if (!cli_conf(cli)) {
            return CLI_FAILED;
        }
        url = ph_conf_text(&cli->conf, PH_CONF_admin_api_url);
    }
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return cli_usage("found address '%s', expected http:// or https://",
                         url);
    }
    *out = url;
    return CLI_OK;
}

/* What an answer's signature is checked with: HMAC keys sign both ways. */
struct call_key {
    const char   *id;
    enum ph_alg   alg;
    struct ph_str secret; /* hmac-sha256 */
};

static const char *
answer_judge(const struct cli_http *http, const struct cli_signed *s,
             const struct call_key *key, bool *wrong)
{
    char          memory[256], expected[CLI_HMAC_LEN + 1];
    struct ph_buf prefix = PH_BUF_INIT(memory);

    if (http->signature[0] == '\0') {
        return "not signed";
    }
    *wrong = true;
    if (strcmp(http->nonce, s->nonce) != 0
        || (key->alg == PH_ALG_HMAC_SHA256
            && strcmp(http->key_id, key->id) != 0))
    {
        return "signed for another request";
    }
    if (key->alg != PH_ALG_HMAC_SHA256) {
        *wrong = false; /* by the platform's key, which is not at hand */
        return "signature not checked";
    }
    ph_answer_v3_prefix(&prefix, ph_str_z(http->timestamp),
                        ph_str_z(http->nonce), (unsigned) http->status);
    if (prefix.full
        || !cli_sign_text(expected, key->secret, ph_buf_str(&prefix),
                          ph_str_make(http->answer, http->answer_len)))
    {
        return "signature not checked";
    }
    *wrong = !ph_same_secret(ph_str_z(expected), ph_str_z(http->signature));
    return *wrong ? "SIGNATURE WRONG" : "signature verified";
}

static enum cli_exit
code_of(long status)
{
    if (status >= 200 && status < 300) {
        return CLI_OK;
    }
    return (status >= 400 && status < 500) || status == 503 ? CLI_REFUSED
                                                            : CLI_FAILED;
}

static enum cli_exit
answer_print(const struct cli_http *http, const struct cli_signed *s,
             const struct call_key *key)
{
    bool        wrong = false;
    const char *said  = answer_judge(http, s, key, &wrong);

    (void) fprintf(stderr, "HTTP %ld, %s\n", http->status, said);
    if (http->answer_len != 0) {
        (void) fwrite(http->answer, 1, http->answer_len, stdout);
        if (http->answer[http->answer_len - 1] != '\n') {
            (void) fputc('\n', stdout);
        }
    }
    return wrong ? CLI_FAILED : code_of(http->status);
}

static enum cli_exit
request_send(struct cli_http *http, const struct cli_signed *s,
             const struct call_key *key)
{
    for (size_t i = 0; i < s->header_count; i++) {
        http->headers[http->header_count++] = s->headers[i];
    }
    if (http->has_body) {
        http->headers[http->header_count++] = "Content-Type: application/json";
    }
    switch (cli_http_send(http)) {
    case CLI_HTTP_ANSWERED:
        return answer_print(http, s, key);
    case CLI_HTTP_NOT_SENT:
        cli_say("not sent: %s", http->error);
        return CLI_NOT_READY;
    case CLI_HTTP_UNKNOWN:
    default:
        cli_say("outcome unknown: %s; ask by order_no before you try again",
                http->too_long ? "the answer is too long" : http->error);
        return CLI_NOT_READY;
    }
}

/* --timeout, the request line, --scheme, --alg, --idempotency-key */
static enum cli_exit
words_check(const struct cli *cli, uint64_t *seconds, struct call_key *key,
            unsigned *scheme, struct ph_str *idempotency_key)
{
    const char *timeout = cli_args_value(&cli->args, "timeout");

    if (!cli_request_ok(cli->args.words[0], cli->args.words[1])) {
        return cli_usage("expected METHOD in capitals and a TARGET that begins "
                         "with /, without blanks and #");
    }
    if (timeout != NULL
        && (!ph_str_u64(ph_str_z(timeout), TIMEOUT_S_MAX, seconds)
            || *seconds == 0))
    {
        return cli_usage("--timeout: found %s, expected 1-%d", timeout,
                         TIMEOUT_S_MAX);
    }
    enum cli_exit code = cli_scheme(cli, &key->alg, scheme);
    if (code != CLI_OK) {
        return code;
    }
    key->id = cli_key_id(cli);
    return key->id == NULL ? CLI_USAGE
                           : cli_idempotency_key(cli, *scheme, idempotency_key);
}

/* the answer of an HMAC key is checked with the secret */
static enum cli_exit
secret_load(const struct cli *cli, struct call_key *key, struct ph_buf *secret)
{
    if (key->alg != PH_ALG_HMAC_SHA256) {
        return CLI_OK;
    }
    if (cli_secret_path(cli) == NULL) {
        return CLI_USAGE;
    }
    if (!cli_key_secret(cli, secret)) {
        return CLI_FAILED;
    }
    key->secret = ph_buf_str(secret);
    return CLI_OK;
}

enum cli_exit
cli_call(struct cli *cli)
{
    static struct cli_signed s;
    static char              memory[CLI_SECRET_MAX];
    struct ph_buf            secret  = PH_BUF_INIT(memory);
    struct ph_buf            body    = PH_BUF_INIT(body_memory);
    struct cli_signer       *signer  = NULL;
    uint64_t                 seconds = TIMEOUT_S;
    struct call_key          key     = { .id = NULL };
    unsigned                 scheme  = 0;
    const char *const       *words   = cli->args.words;
    struct cli_request       request
        = { .method = ph_str_z(words[0]), .target = ph_str_z(words[1]) };
    struct cli_http http = { .target     = words[1],
                             .method     = words[0],
                             .ca_file    = getenv("PAYHUB_CA_FILE"),
                             .has_body   = cli_args_has(&cli->args, "body"),
                             .answer_max = ANSWER_MAX };

    enum cli_exit code
        = words_check(cli, &seconds, &key, &scheme, &request.idempotency_key);
    if (code != CLI_OK || (code = secret_load(cli, &key, &secret)) != CLI_OK
        || (code = cli_signer_load(cli, key.alg, &signer)) != CLI_OK
        || (code = url_find(cli, &http.base)) != CLI_OK)
    {
        goto done;
    }
    http.timeout_s = (long) seconds;
    code           = CLI_FAILED;
    if (cli_body(cli, &body)
        && cli_url_split(ph_str_z(http.base), &request.url_scheme,
                         &request.authority))
    {
        http.body    = ph_buf_str(&body);
        request.body = http.body;
        if (cli_sign_make(&s, scheme, signer, ph_str_z(key.id), &request)) {
            code = request_send(&http, &s, &key);
        }
    }

done:
    OPENSSL_cleanse(memory, sizeof(memory));
    cli_signer_free(signer);
    cli_http_free(&http);
    return code;
}

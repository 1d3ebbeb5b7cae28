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

static const char *
answer_judge(const struct cli_http *http, const struct cli_signed *s,
             const char *key_id, struct ph_str secret, bool *wrong)
{
    char          memory[256], expected[CLI_SIGNATURE_LEN + 1];
    struct ph_buf prefix = PH_BUF_INIT(memory);

    if (http->signature[0] == '\0') {
        return "not signed";
    }
    *wrong = true;
    if (strcmp(http->nonce, s->nonce) != 0 || strcmp(http->key_id, key_id) != 0)
    {
        return "signed for another request";
    }
    ph_answer_v3_prefix(&prefix, ph_str_z(http->timestamp),
                        ph_str_z(http->nonce), (unsigned) http->status);
    if (prefix.full
        || !cli_sign_text(expected, secret, ph_buf_str(&prefix),
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
             const char *key_id, struct ph_str secret)
{
    bool        wrong = false;
    const char *said  = answer_judge(http, s, key_id, secret, &wrong);

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
             const char *key_id, struct ph_str secret)
{
    static char header[PH_AUTH_V3_HEADER_MAX + 32];

    (void) snprintf(header, sizeof(header), "Authorization: %s", s->header);
    http->headers[http->header_count++] = header;
    if (http->has_body) {
        http->headers[http->header_count++] = "Content-Type: application/json";
    }
    switch (cli_http_send(http)) {
    case CLI_HTTP_ANSWERED:
        return answer_print(http, s, key_id, secret);
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

enum cli_exit
cli_call(struct cli *cli)
{
    static struct cli_signed s;
    static char              key[CLI_SECRET_MAX];
    struct ph_buf            secret  = PH_BUF_INIT(key);
    struct ph_buf            body    = PH_BUF_INIT(body_memory);
    const char *const       *words   = cli->args.words;
    const char              *timeout = cli_args_value(&cli->args, "timeout");
    uint64_t                 seconds = TIMEOUT_S;

    if (!cli_request_ok(words[0], words[1])) {
        return cli_usage("expected METHOD in capitals and a TARGET that begins "
                         "with /, without blanks and #");
    }
    if (timeout != NULL
        && (!ph_str_u64(ph_str_z(timeout), TIMEOUT_S_MAX, &seconds)
            || seconds == 0))
    {
        return cli_usage("--timeout: found %s, expected 1-%d", timeout,
                         TIMEOUT_S_MAX);
    }
    const char *key_id = cli_key_id(cli);
    if (key_id == NULL || cli_secret_path(cli) == NULL) {
        return CLI_USAGE;
    }
    struct cli_http http = { .target     = words[1],
                             .method     = words[0],
                             .ca_file    = getenv("PAYHUB_CA_FILE"),
                             .has_body   = cli_args_has(&cli->args, "body"),
                             .timeout_s  = (long) seconds,
                             .answer_max = ANSWER_MAX };
    enum cli_exit   code = url_find(cli, &http.base);
    if (code != CLI_OK) {
        return code;
    }
    code = CLI_FAILED;
    if (cli_key_secret(cli, &secret) && cli_body(cli, &body)) {
        http.body = ph_buf_str(&body);
        if (cli_sign_make(&s, ph_str_z(key_id), ph_buf_str(&secret),
                          ph_str_z(words[0]), ph_str_z(words[1]), http.body))
        {
            code = request_send(&http, &s, key_id, ph_buf_str(&secret));
        }
    }
    OPENSSL_cleanse(key, sizeof(key));
    cli_http_free(&http);
    return code;
}

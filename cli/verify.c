/*
 * verify.c - `payhub verify`: are these headers a right signature of these
 * bytes.  The clock is not looked at.
 */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/secrets.h"
#include "cli/signing.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/content_digest.h"

#define VERIFY_FIELDS_MAX 32

static char body_memory[CLI_BODY_MAX + 1];

struct verify {
    const struct cli   *cli;
    struct ph_verifier *verifier;
    enum ph_alg         alg;
    struct ph_str       method, target, body;
    struct ph_str       signature; /* base64 */
    char                text[PH_9421_BASE_MAX];
    struct ph_buf       signed_text; /* in `text`: what is signed, but for the
                                        body of payhub-v3 */
    bool body_follows;
};

static enum cli_exit
verdict_print(const struct verify *v)
{
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory);
    struct ph_str pieces[]
        = { ph_buf_str(&v->signed_text), v->body, PH_STR("\n") };
    bool same = ph_b64_decode(&raw, v->signature) == PH_OK
                && ph_verifier_check(v->verifier, pieces,
                                     v->body_follows ? 3 : 1, ph_buf_str(&raw))
                       == PH_OK;

    if (v->cli->json) {
        cli_out(v->cli, json_pack("{s:b}", "valid", same));
    } else if (same) {
        (void) printf("valid\n");
    } else {
        (void) printf("not valid: found %.*s, expected another signature "
                      "over\n",
                      (int) v->signature.len, v->signature.ptr);
        (void) fwrite(v->text, 1, v->signed_text.len, stdout);
        if (v->body_follows) {
            (void) fwrite(v->body.ptr, 1, v->body.len, stdout);
        }
        (void) fputc('\n', stdout);
    }
    return same ? CLI_OK : CLI_DIFFERS;
}

static enum cli_exit
key_id_check(const struct verify *v, struct ph_str found)
{
    const char *wanted = cli_args_value(&v->cli->args, "key-id");

    if (wanted != NULL && !ph_str_eq(ph_str_z(wanted), found)) {
        cli_say("found a signature of key %.*s, expected %s", (int) found.len,
                found.ptr, wanted);
        return CLI_DIFFERS;
    }
    return CLI_OK;
}

static enum cli_exit
verify_v3(struct verify *v)
{
    const char       *value = cli_args_value(&v->cli->args, "authorization");
    struct ph_auth_v3 auth;

    if (value == NULL) {
        return cli_usage("expected METHOD TARGET --authorization 'PAYHUB-V3 "
                         "...'");
    }
    enum ph_rc rc = ph_auth_v3_parse(ph_str_z(value), &auth);
    if (rc != PH_OK) {
        cli_say("found an Authorization value that is not payhub-v3 (%d), "
                "expected PAYHUB-V3 key_id=\"..\",timestamp=\"..\",nonce="
                "\"..\",signature=\"..\"",
                (int) rc);
        return CLI_DIFFERS;
    }
    v->signature    = auth.signature;
    v->body_follows = true;
    ph_auth_v3_prefix(&v->signed_text, v->method, v->target,
                      auth.timestamp_text, auth.nonce);
    return key_id_check(v, auth.key_id);
}

/* --header 'Name: value', repeated */
static enum cli_exit
fields_take(const struct verify *v, struct ph_9421_field *fields, size_t *count)
{
    const char *line;
    size_t      at = 0;

    *count = 0;
    while ((line = cli_args_next(&v->cli->args, "header", &at)) != NULL) {
        struct ph_9421_field field;

        if (*count == VERIFY_FIELDS_MAX
            || !ph_str_cut(ph_str_z(line), ':', &field.name, &field.value))
        {
            return cli_usage("--header: found %s, expected at most %d of "
                             "'Name: value'",
                             line, VERIFY_FIELDS_MAX);
        }
        fields[(*count)++] = field;
    }
    return CLI_OK;
}

static bool
keyid_is(void *data, struct ph_str keyid)
{
    const char *wanted = data;

    return wanted == NULL || ph_str_eq(ph_str_z(wanted), keyid);
}

static enum ph_9421_fault
judge_9421(struct verify *v, const struct ph_9421_request *request,
           const struct ph_9421 *all)
{
    const struct ph_9421_signature *chosen = NULL;
    void *wanted = (void *) (uintptr_t) cli_args_value(&v->cli->args, "key-id");

    enum ph_9421_fault fault = ph_9421_choose(all, keyid_is, wanted, &chosen);
    if (fault == PH_9421_OK) {
        fault = ph_9421_check(all, chosen, request, v->alg, 0);
    }
    if (fault == PH_9421_OK) {
        v->signature = chosen->signature;
        fault        = ph_9421_base(chosen, request, &v->signed_text);
    }
    return fault;
}

static enum cli_exit
verify_9421(struct verify *v)
{
    static struct ph_9421  all;
    struct ph_9421_field   fields[VERIFY_FIELDS_MAX];
    const char            *host    = cli_args_value(&v->cli->args, "host");
    struct ph_9421_request request = { .method    = v->method,
                                       .target    = v->target,
                                       .scheme    = PH_STR("https"),
                                       .authority = ph_str_z(host),
                                       .fields    = fields,
                                       .has_body  = v->body.len != 0 };

    if (host == NULL) {
        return cli_usage("expected METHOD TARGET --host HOST --header "
                         "'Signature-Input: ...' --header 'Signature: ...'");
    }
    enum cli_exit code = fields_take(v, fields, &request.field_count);
    if (code != CLI_OK) {
        return code;
    }
    enum ph_9421_fault fault = ph_9421_read(&request, &all);
    if (fault == PH_9421_OK) {
        fault = judge_9421(v, &request, &all);
    }
    if (fault != PH_9421_OK) {
        struct ph_str why = ph_9421_text(fault);

        cli_say("found %.*s, expected one signature of RFC 9421 that covers "
                "@method, @authority, @path, @query and the body's digest",
                (int) why.len, why.ptr);
        return CLI_DIFFERS;
    }
    if (all.content_digest.ptr != NULL
        && ph_content_digest_check(all.content_digest, &v->body, 1) != PH_OK)
    {
        cli_say("found a Content-Digest of another body");
        return CLI_DIFFERS;
    }
    return CLI_OK;
}

enum cli_exit
cli_verify(struct cli *cli)
{
    static struct verify v;
    struct ph_buf        body   = PH_BUF_INIT(body_memory);
    const char *const   *words  = cli->args.words;
    unsigned             scheme = 0;
    enum cli_exit        code;

    v.cli    = cli;
    v.method = ph_str_z(words[0]);
    v.target = ph_str_z(words[1]);
    ph_buf_init(&v.signed_text, v.text, sizeof(v.text));
    if (!cli_request_ok(words[0], words[1])) {
        return cli_usage("expected METHOD in capitals and a TARGET that begins "
                         "with /, without blanks and #");
    }
    code = cli_scheme(cli, &v.alg, &scheme);
    if (code != CLI_OK) {
        return code;
    }
    if (!cli_body(cli, &body)) {
        return CLI_FAILED;
    }
    v.body = ph_buf_str(&body);
    code   = scheme == PH_SCHEME_RFC9421 ? verify_9421(&v) : verify_v3(&v);
    if (code == CLI_OK) {
        code = cli_verifier_load(cli, v.alg, &v.verifier);
    }
    if (code == CLI_OK) {
        code = verdict_print(&v);
    }
    ph_verifier_free(v.verifier);
    return code;
}

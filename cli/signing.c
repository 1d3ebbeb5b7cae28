/*
 * signing.c - see signing.h.
 */
#include "cli/signing.h"

#include <stdio.h>

#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/content_digest.h"

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
cli_sign_text(char out[CLI_HMAC_LEN + 1], struct ph_str secret,
              struct ph_str prefix, struct ph_str body)
{
    const struct ph_str pieces[] = { prefix, body, PH_STR("\n") };
    uint8_t             mac[PH_SHA256_LEN];
    struct ph_buf       text;

    if (!ph_hmac_once(secret, pieces, PH_COUNT(pieces), mac)) {
        cli_say("HMAC-SHA256 failed");
        return false;
    }
    ph_buf_init(&text, out, CLI_HMAC_LEN + 1);
    ph_b64_encode(&text, ph_str_make((const char *) mac, sizeof(mac)));
    (void) ph_buf_z(&text);
    return true;
}

/* the signature over the pieces as base64 in out->signature */
static bool
sign_pieces(struct cli_signed *out, const struct cli_signer *signer,
            const struct ph_str *pieces, size_t count)
{
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory);
    struct ph_buf text;

    if (!cli_signer_sign(signer, pieces, count, &raw)) {
        cli_say("the crypto library did not sign");
        return false;
    }
    ph_buf_init(&text, out->signature, sizeof(out->signature));
    ph_b64_encode(&text, ph_buf_str(&raw));
    (void) ph_buf_z(&text);
    return !text.full;
}

/* the next header line, begun with its name; its value is yet to come */
static struct ph_buf
header_begin(struct cli_signed *out, struct ph_str name)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out->headers[out->header_count++], CLI_HEADER_MAX);
    ph_buf_add(&buf, name);
    ph_buf_add(&buf, PH_STR(": "));
    return buf;
}

static bool
make_v3(struct cli_signed *out, const struct cli_signer *signer,
        struct ph_str key_id, const struct cli_request *request)
{
    struct ph_buf     prefix;
    struct ph_auth_v3 auth = { .key_id         = key_id,
                               .timestamp_text = ph_str_z(out->timestamp),
                               .nonce          = ph_str_z(out->nonce) };

    ph_buf_init(&prefix, out->prefix, sizeof(out->prefix));
    ph_auth_v3_prefix(&prefix, request->method, request->target,
                      auth.timestamp_text, auth.nonce);
    out->prefix_len   = prefix.len;
    out->body_follows = true;
    struct ph_str pieces[3]
        = { ph_buf_str(&prefix), request->body, PH_STR("\n") };
    if (prefix.full || !sign_pieces(out, signer, pieces, PH_COUNT(pieces))) {
        return false;
    }
    auth.signature       = ph_str_z(out->signature);
    struct ph_buf header = header_begin(out, PH_STR("Authorization"));
    ph_auth_v3_format(&header, &auth);
    (void) ph_buf_z(&header);
    return !header.full;
}

/* a header line that was made already, as a field of the request */
static struct ph_9421_field
header_field(const char *line)
{
    struct ph_9421_field field;

    (void) ph_str_cut(ph_str_z(line), ':', &field.name, &field.value);
    return field;
}

/* ;created=T;keyid="K";nonce="N";alg="A" */
static void
params_fill(struct ph_9421_signature *signature, struct ph_buf *texts,
            const struct cli_signed *out, struct ph_str key_id, enum ph_alg alg)
{
    const struct ph_9421_param rows[]
        = { { PH_STR("created"), ph_str_z(out->timestamp) },
            { PH_STR("keyid"), key_id },
            { PH_STR("nonce"), ph_str_z(out->nonce) },
            { PH_STR("alg"), ph_alg_name(alg) } };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        size_t from = texts->len;

        if (i != 0) { /* the first is a number, the others are strings */
            ph_buf_byte(texts, '"');
        }
        ph_buf_add(texts, rows[i].value);
        if (i != 0) {
            ph_buf_byte(texts, '"');
        }
        signature->params[signature->param_count++] = (struct ph_9421_param){
            rows[i].key, ph_str_make(texts->ptr + from, texts->len - from)
        };
    }
}

static bool
digest_header(struct cli_signed *out, struct ph_str body)
{
    struct ph_buf header = header_begin(out, PH_STR("Content-Digest"));
    bool          ok     = ph_content_digest_format(&header, &body, 1);

    (void) ph_buf_z(&header);
    return ok && !header.full;
}

static bool
make_9421(struct cli_signed *out, const struct cli_signer *signer,
          struct ph_str key_id, const struct cli_request *request)
{
    char                     memory[256];
    struct ph_buf            texts     = PH_BUF_INIT(memory);
    struct ph_9421_field     fields[2] = { { { NULL, 0 }, { NULL, 0 } } };
    struct ph_9421_signature signature
        = { .components      = { PH_STR("@method"), PH_STR("@authority"),
                                 PH_STR("@path"), PH_STR("@query") },
            .component_count = 4 };
    struct ph_9421_request http = { .method    = request->method,
                                    .target    = request->target,
                                    .scheme    = request->url_scheme,
                                    .authority = request->authority,
                                    .fields    = fields };
    struct ph_buf          base, header;

    if (request->body.len != 0) {
        if (!digest_header(out, request->body)) {
            return false;
        }
        fields[http.field_count++] = header_field(out->headers[0]);
        signature.components[signature.component_count++]
            = PH_STR("content-digest");
    }
    if (request->idempotency_key.ptr != NULL) {
        header = header_begin(out, PH_STR("Idempotency-Key"));
        ph_buf_add(&header, request->idempotency_key);
        fields[http.field_count++] = header_field(ph_buf_z(&header));
        signature.components[signature.component_count++]
            = PH_STR("idempotency-key");
    }
    params_fill(&signature, &texts, out, key_id, cli_signer_alg(signer));
    ph_buf_init(&base, out->prefix, sizeof(out->prefix));
    enum ph_9421_fault fault = ph_9421_base(&signature, &http, &base);
    if (fault != PH_9421_OK) {
        struct ph_str why = ph_9421_text(fault);
        cli_say("not signed: %.*s", (int) why.len, why.ptr);
        return false;
    }
    struct ph_str pieces[] = { ph_buf_str(&base) };
    out->prefix_len        = base.len;
    if (!sign_pieces(out, signer, pieces, 1)) {
        return false;
    }
    header = header_begin(out, PH_STR("Signature-Input"));
    ph_buf_add(&header, PH_STR("payhub="));
    ph_9421_params_format(&signature, &header);
    (void) ph_buf_z(&header);
    header = header_begin(out, PH_STR("Signature"));
    ph_buf_add(&header, PH_STR("payhub=:"));
    ph_buf_add(&header, ph_str_z(out->signature));
    ph_buf_byte(&header, ':');
    (void) ph_buf_z(&header);
    return !header.full;
}

bool
cli_sign_make(struct cli_signed *out, unsigned scheme,
              const struct cli_signer *signer, struct ph_str key_id,
              const struct cli_request *request)
{
    if (out->timestamp[0] == '\0') {
        (void) snprintf(out->timestamp, sizeof(out->timestamp), "%llu",
                        (unsigned long long) (ph_now_ms() / 1000));
    }
    if (out->nonce[0] == '\0') {
        cli_token(out->nonce, sizeof(out->nonce), "", NONCE_LEN);
    }
    out->header_count = 0;
    return scheme == PH_SCHEME_RFC9421 ? make_9421(out, signer, key_id, request)
                                       : make_v3(out, signer, key_id, request);
}

/*
 * signing_args.c - the options that sign, verify and call share.
 */
#include <openssl/crypto.h>

#include "cli/secrets.h"
#include "cli/signing.h"
#include "libpayhub/io/daemon.h"

enum cli_exit
cli_scheme(const struct cli *cli, enum ph_alg *alg, unsigned *scheme)
{
    const char *name = cli_args_value(&cli->args, "alg");
    const char *way  = cli_args_value(&cli->args, "scheme");

    *alg = name != NULL ? ph_alg_find(ph_str_z(name)) : PH_ALG_HMAC_SHA256;
    if (*alg == PH_ALG_NONE) {
        return cli_usage("--alg: found %s, expected hmac-sha256, "
                         "rsa-v1_5-sha256, rsa-pss-sha512, ecdsa-p256-sha256, "
                         "ed25519 or sm2-sm3",
                         name);
    }
    *scheme = way != NULL ? ph_scheme_find(ph_str_z(way)) : PH_SCHEME_V3;
    if (*scheme == 0) {
        return cli_usage("--scheme: found %s, expected payhub-v3 or rfc9421",
                         way);
    }
    if ((ph_alg_schemes(*alg) & *scheme) == 0) {
        return cli_usage("--scheme: found %s with %s, expected payhub-v3", way,
                         name);
    }
    return CLI_OK;
}

/* The bytes of the key that this algorithm wants. */
static enum cli_exit
material_read(const struct cli *cli, enum ph_alg alg, const char *option,
              struct ph_buf *out)
{
    const char   *path = cli_args_value(&cli->args, option);
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!ph_alg_is_public(alg)) {
        if (path != NULL) {
            return cli_usage("--%s: found with hmac-sha256, expected "
                             "--secret-file, or another --alg",
                             option);
        }
        if (cli_secret_path(cli) == NULL) {
            return CLI_USAGE;
        }
        return cli_key_secret(cli, out) ? CLI_OK : CLI_FAILED;
    }
    if (path == NULL) {
        struct ph_str name = ph_alg_name(alg);

        return cli_usage("found no key, expected --%s FILE for %.*s", option,
                         (int) name.len, name.ptr);
    }
    if (!ph_file_read(path, out, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return CLI_FAILED;
    }
    return CLI_OK;
}

enum cli_exit
cli_signer_load(const struct cli *cli, enum ph_alg alg, struct cli_signer **out)
{
    static char   key[CLI_PRIVATE_KEY_MAX];
    char          memory[CLI_WHY_MAX];
    struct ph_buf why      = PH_BUF_INIT(memory);
    struct ph_buf material = PH_BUF_INIT(key);
    enum cli_exit code     = material_read(cli, alg, "private-key", &material);

    if (code == CLI_OK
        && !cli_signer_new(out, alg, ph_buf_str(&material), &why)) {
        code = cli_usage("key: %.*s", (int) why.len, why.ptr);
    }
    OPENSSL_cleanse(key, sizeof(key));
    return code;
}

enum cli_exit
cli_verifier_load(const struct cli *cli, enum ph_alg alg,
                  struct ph_verifier **out)
{
    char          key[CLI_SECRET_MAX];
    struct ph_buf material = PH_BUF_INIT(key);
    enum cli_exit code     = material_read(cli, alg, "public-key", &material);

    if (code == CLI_OK
        && ph_verifier_new(out, alg, ph_buf_str(&material)) != PH_OK) {
        struct ph_str name = ph_alg_name(alg);

        code = cli_usage("found a key that is none for %.*s, expected a PEM "
                         "SubjectPublicKeyInfo of that kind",
                         (int) name.len, name.ptr);
    }
    OPENSSL_cleanse(key, sizeof(key));
    return code;
}

bool
cli_url_split(struct ph_str url, struct ph_str *url_scheme,
              struct ph_str *authority)
{
    struct ph_str rest, path;

    if (!ph_str_cut(url, ':', url_scheme, &rest)
        || !ph_str_starts(rest, PH_STR("//")))
    {
        return false;
    }
    *authority = ph_str_make(rest.ptr + 2, rest.len - 2);
    (void) ph_str_cut(*authority, '/', authority, &path);
    return authority->len != 0
           && (ph_str_eq(*url_scheme, PH_STR("http"))
               || ph_str_eq(*url_scheme, PH_STR("https")));
}

enum cli_exit
cli_idempotency_key(const struct cli *cli, unsigned scheme, struct ph_str *out)
{
    const char *key = cli_args_value(&cli->args, "idempotency-key");

    *out = ph_str_z(key);
    if (key == NULL) {
        return CLI_OK;
    }
    if (scheme != PH_SCHEME_RFC9421) {
        return cli_usage("--idempotency-key: found with payhub-v3, expected "
                         "--scheme rfc9421: only there it is signed");
    }
    if (out->len == 0 || out->len > CLI_IDEMPOTENCY_KEY_MAX
        || ph_str_has_control(*out))
    {
        return cli_usage("--idempotency-key: found %zu bytes, expected 1-%d "
                         "without control characters",
                         out->len, CLI_IDEMPOTENCY_KEY_MAX);
    }
    return CLI_OK;
}

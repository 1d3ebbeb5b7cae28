/* new_key.c - see new_key.h. */
#include "cli/new_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/when.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/digest.h"

#define RANDOM_LEN 16 /* characters in an id: 96 bits */
#define SQL_MAX 16384
#define SEALED_MAX 512

static const char *
pem_fault(enum ph_rc rc)
{
    switch ((int) rc) {
    case PH_E_RANGE:
        return "found a key too weak or too large, expected RSA of 2048 to "
               "8192 bits";
    case PH_E_UNKNOWN:
        return "found a key of another kind than --alg";
    case PH_E_SYNTAX:
        return "found no PEM SubjectPublicKeyInfo, expected -----BEGIN PUBLIC "
               "KEY----- and nothing behind its end";
    default:
        return "found a key that OpenSSL does not take";
    }
}

/* the file of --public-key, tried as an edge will use it */
static enum cli_exit
pem_take(const struct cli *cli, struct cli_new_key *key)
{
    const char         *path = cli_args_value(&cli->args, "public-key");
    char                memory[CLI_WHY_MAX];
    struct ph_buf       why      = PH_BUF_INIT(memory);
    struct ph_verifier *verifier = NULL;
    struct ph_buf       pem;

    if (path == NULL) {
        return cli_usage("--public-key: found none, expected the PEM file of "
                         "the caller's public key for --alg %s",
                         cli_args_value(&cli->args, "alg"));
    }
    ph_buf_init(&pem, key->pem, PH_PUBLIC_KEY_PEM_MAX);
    if (!ph_file_read(path, &pem, &why)) {
        return cli_usage("--public-key: %.*s", (int) why.len, why.ptr);
    }
    if (memchr(pem.ptr, '\0', pem.len) != NULL) {
        return cli_usage("--public-key: %s", pem_fault(PH_E_SYNTAX));
    }
    if (!ph_digest_init()) {
        cli_say("found no usable OpenSSL");
        return CLI_FAILED;
    }
    enum ph_rc rc = ph_verifier_new(&verifier, key->alg, ph_buf_str(&pem));

    if (rc != PH_OK) {
        return cli_usage("--public-key: %s", pem_fault(rc));
    }
    ph_verifier_free(verifier);
    return CLI_OK;
}

static enum cli_exit
alg_take(const struct cli *cli, struct cli_new_key *key)
{
    const char *alg = cli_args_value(&cli->args, "alg");

    key->alg = alg != NULL ? ph_alg_find(ph_str_z(alg)) : PH_ALG_HMAC_SHA256;
    if (key->alg == PH_ALG_NONE) {
        return cli_usage("--alg: found %s, expected hmac-sha256, "
                         "rsa-v1_5-sha256, rsa-pss-sha512, ecdsa-p256-sha256, "
                         "ed25519 or sm2-sm3",
                         alg);
    }
    if (ph_alg_is_public(key->alg)) {
        return pem_take(cli, key);
    }
    if (cli_args_has(&cli->args, "public-key")) {
        return cli_usage("--public-key: found one for hmac-sha256, expected "
                         "--alg with the public key's algorithm");
    }
    cli_token(key->secret, sizeof(key->secret), "", CLI_HMAC_TEXT_LEN);
    return CLI_OK;
}

static enum cli_exit
schemes_take(const struct cli *cli, struct cli_new_key *key)
{
    unsigned      serves = ph_alg_schemes(key->alg);
    const char   *name;
    size_t        at = 0;
    struct ph_buf text;

    while ((name = cli_args_next(&cli->args, "scheme", &at)) != NULL) {
        unsigned bit = ph_scheme_find(ph_str_z(name));

        if (bit == 0) {
            return cli_usage("--scheme: found %s, expected payhub-v3 or "
                             "rfc9421",
                             name);
        }
        if ((bit & serves) == 0) {
            return cli_usage("--scheme: found %s, which is not for this "
                             "algorithm",
                             name);
        }
        key->schemes |= bit;
    }
    key->schemes = key->schemes != 0 ? key->schemes : serves;
    ph_buf_init(&text, key->schemes_text, CLI_SCHEMES_MAX - 1);
    for (unsigned bit = 1; bit != 0 && bit <= key->schemes; bit <<= 1) {
        if ((key->schemes & bit) != 0) {
            ph_buf_add(&text, text.len != 0 ? PH_STR(",") : PH_STR(""));
            ph_buf_add(&text, ph_scheme_name(bit));
        }
    }
    (void) ph_buf_z(&text);
    return CLI_OK;
}

static enum cli_exit
time_take(const struct cli *cli, const char *name, uint64_t *out_ms)
{
    const char *text = cli_args_value(&cli->args, name);

    if (text != NULL
        && cli_when_parse(ph_str_z(text), ph_now_ms(), 0, out_ms) != PH_OK)
    {
        return cli_usage("--%s: found %s, expected 2026-01-02, RFC 3339 or "
                         "unix seconds",
                         name, text);
    }
    return CLI_OK;
}

enum cli_exit
cli_new_key_take(const struct cli *cli, struct cli_new_key *key)
{
    enum cli_exit code = alg_take(cli, key);

    code = code != CLI_OK ? code : schemes_take(cli, key);
    code = code != CLI_OK ? code
                          : time_take(cli, "not-before", &key->not_before_ms);
    code = code != CLI_OK ? code
                          : time_take(cli, "not-after", &key->not_after_ms);
    if (code == CLI_OK && key->not_after_ms != 0
        && key->not_after_ms <= key->not_before_ms)
    {
        return cli_usage("--not-after: found a time that is not after "
                         "--not-before");
    }
    cli_token(key->id, sizeof(key->id), "key_", RANDOM_LEN);
    return code;
}

/* ---- the row ---- */

static void
time_add(struct ph_buf *sql, uint64_t ms)
{
    if (ms == 0) {
        ph_buf_add(sql, PH_STR(",NULL"));
        return;
    }
    /* FROM_UNIXTIME() ends in 2038 and is NULL then: no bound at all */
    ph_buf_add(sql, PH_STR(",TIMESTAMPADD(SECOND,"));
    ph_buf_u64(sql, ms / 1000);
    ph_buf_add(sql, PH_STR(",'1970-01-01')"));
}

bool
cli_new_key_insert(struct cli *cli, MYSQL *db, struct cli_new_key *key,
                   const char *app_id)
{
    static char   memory[SQL_MAX];
    char          sealed[SEALED_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf box = PH_BUF_INIT(sealed);

    if (key->secret[0] != '\0'
        && !cli_seal(cli, &box, "app_key", key->id, "secret",
                     ph_str_z(key->secret)))
    {
        return false;
    }
    ph_buf_add(&sql, PH_STR("INSERT INTO app_key (id,app_id,alg,schemes,secret,"
                            "public_key,not_before,not_after,created_at,"
                            "changed_at) VALUES ("));
    cli_sql_quote(db, &sql, ph_str_z(key->id));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(app_id));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_alg_name(key->alg));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(key->schemes_text));
    ph_buf_byte(&sql, ',');
    if (key->secret[0] != '\0') {
        cli_sql_bytes(&sql, ph_buf_str(&box));
        ph_buf_add(&sql, PH_STR(",NULL"));
    } else {
        ph_buf_add(&sql, PH_STR("NULL,"));
        cli_sql_quote(db, &sql, ph_str_z(key->pem));
    }
    time_add(&sql, key->not_before_ms);
    time_add(&sql, key->not_after_ms);
    ph_buf_add(&sql, PH_STR(",UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))"));
    if (sql.full) {
        cli_say("found values over %d bytes", SQL_MAX);
        return false;
    }
    return cli_sql_run(db, ph_buf_str(&sql));
}

/* ---- the secret's file ---- */

bool
cli_new_key_stage(const struct cli *cli, struct cli_new_key *key)
{
    const char   *path = cli_args_value(&cli->args, "secret-out");
    char          memory[CLI_WHY_MAX], text[CLI_HMAC_TEXT_LEN + 2];
    struct ph_buf why = PH_BUF_INIT(memory);
    struct stat   st;

    if (path == NULL || key->secret[0] == '\0') {
        return true;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        cli_say("--secret-out: found %s, which is no file", path);
        return false;
    }
    if (snprintf(key->staged, sizeof(key->staged), "%s.new", path)
        >= (int) sizeof(key->staged))
    {
        key->staged[0] = '\0';
        cli_say("--secret-out: found too long a path");
        return false;
    }
    (void) snprintf(text, sizeof(text), "%s\n", key->secret);
    bool ok = ph_file_replace(key->staged, ph_str_z(text), 0600, &why);
    OPENSSL_cleanse(text, sizeof(text));
    if (!ok) {
        cli_say("%.*s", (int) why.len, why.ptr);
        key->staged[0] = '\0';
    }
    return ok;
}

bool
cli_new_key_place(const struct cli *cli, const struct cli_new_key *key)
{
    const char *path = cli_args_value(&cli->args, "secret-out");

    if (key->staged[0] == '\0' || rename(key->staged, path) == 0) {
        return true;
    }
    cli_say("the key is made, its secret stands in %s: %s: %s", key->staged,
            path, strerror(errno));
    return false;
}

void
cli_new_key_unstage(const struct cli_new_key *key)
{
    if (key->staged[0] != '\0' && unlink(key->staged) != 0) {
        cli_say("left behind, remove it by hand: %s", key->staged);
    }
}

/*
 * secrets.c - see secrets.h.  A secret never comes from argv and never goes
 * to a log; buffers that held one are wiped by their owner.
 */
#include "cli/secrets.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"

void
cli_token(char *out, size_t size, const char *prefix, size_t count)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789_-";
    uint8_t           random[64];
    struct ph_buf     buf;

    ph_buf_init(&buf, out, size);
    ph_buf_add(&buf, ph_str_z(prefix));
    ph_random(random, sizeof(random));
    for (size_t i = 0; i < count && i < sizeof(random); i++) {
        ph_buf_byte(&buf, alphabet[random[i] & 63]);
    }
    (void) ph_buf_z(&buf);
    OPENSSL_cleanse(random, sizeof(random));
}

static struct ph_seal_place
place_of(const char *table, const char *owner, const char *column)
{
    return (struct ph_seal_place){ ph_str_z(table), ph_str_z(owner),
                                   ph_str_z(column) };
}

bool
cli_seal_keys(struct cli *cli, struct ph_seal_key keys[2], size_t *count)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!cli_conf(cli)) {
        return false;
    }
    if (!ph_seal_keys_load(&cli->conf, keys, count, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return false;
    }
    if (*count == 0) {
        cli_say("seal.key_file: found nothing, expected a file of 64 hex "
                "digits; secrets are only stored sealed");
    }
    return *count != 0;
}

bool
cli_seal(struct cli *cli, struct ph_buf *out, const char *table,
         const char *owner, const char *column, struct ph_str plain)
{
    struct ph_seal_key   keys[2];
    struct ph_seal_place place = place_of(table, owner, column);
    uint8_t              nonce[PH_SEAL_NONCE_LEN];
    size_t               count = 0;

    if (!cli_seal_keys(cli, keys, &count)) {
        return false;
    }
    ph_random(nonce, sizeof(nonce));
    enum ph_rc rc = ph_seal(out, &keys[0], &place, nonce, plain);
    OPENSSL_cleanse(keys, sizeof(keys));
    if (rc != PH_OK) {
        cli_say("sealing %s.%s failed (%d)", table, column, (int) rc);
    }
    return rc == PH_OK;
}

bool
cli_unseal(struct cli *cli, struct ph_buf *out, const char *table,
           const char *owner, const char *column, struct ph_str sealed)
{
    struct ph_seal_key   keys[2];
    struct ph_seal_place place = place_of(table, owner, column);
    size_t               count = 0;

    if (!cli_seal_keys(cli, keys, &count)) {
        return false;
    }
    enum ph_rc rc = ph_unseal(out, keys, count, &place, sealed);
    OPENSSL_cleanse(keys, sizeof(keys));
    if (rc != PH_OK) {
        cli_say("%s.%s of %s does not open with the keys of [seal] (%d)", table,
                column, owner, (int) rc);
    }
    return rc == PH_OK;
}

const char *
cli_key_id(const struct cli *cli)
{
    const char *id = cli_args_value(&cli->args, "key-id");

    id = id != NULL ? id : getenv("PAYHUB_KEY_ID");
    if (id == NULL || !ph_str_is_token(ph_str_z(id), 32)) {
        cli_say("found %s, expected --key-id ID or PAYHUB_KEY_ID: 1-32 of "
                "[A-Za-z0-9_-]",
                id != NULL ? id : "no key id");
        return NULL;
    }
    return id;
}

const char *
cli_secret_path(const struct cli *cli)
{
    const char *path = cli_args_value(&cli->args, "secret-file");

    path = path != NULL ? path : getenv("PAYHUB_SECRET_FILE");
    if (path == NULL) {
        cli_say("found no secret, expected --secret-file FILE or "
                "PAYHUB_SECRET_FILE");
    }
    return path;
}

/* The caller's own file, so told and not refused; what the daemons read is
 * another matter. */
bool
cli_secret_file(const char *path, struct ph_buf *out, struct ph_buf *why)
{
    struct stat facts;
    size_t      mark = out->len;

    if (!ph_file_read(path, out, why)) {
        return false;
    }
    if (out->len > mark && out->ptr[out->len - 1] == '\n') {
        out->len--;
    }
    if (stat(path, &facts) == 0 && (facts.st_mode & 077) != 0) {
        cli_say("%s: found mode 0%o, expected 0600: others may read this "
                "secret",
                path, facts.st_mode & 0777);
    }
    return true;
}

bool
cli_key_secret(const struct cli *cli, struct ph_buf *out)
{
    const char   *path = cli_secret_path(cli);
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (path == NULL) {
        return false;
    }
    if (!cli_secret_file(path, out, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return false;
    }
    if (out->len == 0) {
        cli_say("%s: found no bytes, expected a key", path);
    }
    return out->len != 0;
}

bool
cli_stdin(struct ph_buf *out)
{
    while (out->len < out->size) {
        ssize_t got
            = read(STDIN_FILENO, out->ptr + out->len, out->size - out->len);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            cli_say("stdin: %s", strerror(errno));
            return false;
        }
        out->len += got > 0 ? (size_t) got : 0;
    }
    cli_say("stdin: found %zu bytes or more, expected less", out->size);
    return false;
}

bool
cli_body(const struct cli *cli, struct ph_buf *out)
{
    const char   *path = cli_args_value(&cli->args, "body");
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (path == NULL) {
        return true;
    }
    if (strcmp(path, "-") == 0) {
        return cli_stdin(out);
    }
    if (!ph_file_read(path, out, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return false;
    }
    return true;
}

/*
 * secrets.h - values that come from files or fresh randomness, and sealing.
 */
#ifndef CLI_SECRETS_H
#define CLI_SECRETS_H

#include "cli/cli.h"
#include "libpayhub/wire/seal.h"

#define CLI_TOKEN_MAX 33               /* an id of 32 characters and its NUL */
#define CLI_HMAC_TEXT_LEN 43           /* 32 random bytes, 6 bits a character */
#define CLI_VALUE_FILE_MAX (16 * 1024) /* one value of an account */

/* prefix and `count` random characters of [A-Za-z0-9_-], NUL-terminated */
void cli_token(char *out, size_t size, const char *prefix, size_t count);

/* The keys of [seal], the one that seals first, at least one; false = said
 * why.  @owns: the caller wipes them. */
bool cli_seal_keys(struct cli *cli, struct ph_seal_key keys[2],
                   size_t *count) PH_MUST_CHECK;

/*
 * Seals `plain` with the configured key for table/owner/column and appends
 * the bytes.  False = said why.
 */
bool cli_seal(struct cli *cli, struct ph_buf *out, const char *table,
              const char *owner, const char *column,
              struct ph_str plain) PH_MUST_CHECK;

/* Opens what cli_seal() made; false = said why. */
bool cli_unseal(struct cli *cli, struct ph_buf *out, const char *table,
                const char *owner, const char *column,
                struct ph_str sealed) PH_MUST_CHECK;

/* --key-id or $PAYHUB_KEY_ID; NULL = said what is missing */
const char *cli_key_id(const struct cli *cli);

/* --secret-file or $PAYHUB_SECRET_FILE; NULL = said what is missing */
const char *cli_secret_path(const struct cli *cli);

/* the key of that file; false = said why */
bool cli_key_secret(const struct cli *cli, struct ph_buf *out) PH_MUST_CHECK;

/* A secret's file less one LF at its end; warns when others may read it.
 * False = `why` says what failed. */
bool cli_secret_file(const char *path, struct ph_buf *out,
                     struct ph_buf *why) PH_MUST_CHECK;

/* --body FILE or - for stdin; empty without it; false = said why */
bool cli_body(const struct cli *cli, struct ph_buf *out) PH_MUST_CHECK;

/* all of stdin; false = said why */
bool cli_stdin(struct ph_buf *out) PH_MUST_CHECK;

#endif

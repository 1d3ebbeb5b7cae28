/*
 * new_key.h - a key in the making: its options, its row, its secret's file.
 */
#ifndef CLI_NEW_KEY_H
#define CLI_NEW_KEY_H

#include <limits.h>

#include "cli/cli.h"
#include "cli/secrets.h"
#include "libpayhub/wire/verify.h"

#define CLI_SCHEMES_MAX 64 /* bytes of the comma list */

struct cli_new_key {
    enum ph_alg alg;
    unsigned    schemes; /* bits */
    char        schemes_text[CLI_SCHEMES_MAX];
    char        id[CLI_TOKEN_MAX];
    char        secret[CLI_HMAC_TEXT_LEN + 1]; /* "" for a public key */
    char        pem[PH_PUBLIC_KEY_PEM_MAX + 1];
    uint64_t    not_before_ms; /* 0 = none */
    uint64_t    not_after_ms;
    char        staged[PATH_MAX]; /* --secret-out until the commit, or "" */
};

/* --alg, --public-key, --scheme, --not-before, --not-after; what is wrong with
 * them is said.  Draws id and secret. */
enum cli_exit cli_new_key_take(const struct cli   *cli,
                               struct cli_new_key *key) PH_MUST_CHECK;

/* The row of app_key, in the open transaction; false = said why. */
bool cli_new_key_insert(struct cli *cli, MYSQL *db, struct cli_new_key *key,
                        const char *app_id) PH_MUST_CHECK;

/*
 * --secret-out, written beside its place before the commit like everything
 * that may fail: a secret that stands there already is lost by no failure.
 * place: the key stands by now, what fails is said, not taken back.
 */
bool cli_new_key_stage(const struct cli   *cli,
                       struct cli_new_key *key) PH_MUST_CHECK;
bool cli_new_key_place(const struct cli         *cli,
                       const struct cli_new_key *key) PH_MUST_CHECK;
void cli_new_key_unstage(const struct cli_new_key *key);

#endif

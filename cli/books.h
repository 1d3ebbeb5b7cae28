/*
 * books.h - the sandbox's own books against ours: I1 and I2.
 *
 * Order matters: cli_books_fetch() first, then the SQL snapshot, then
 * cli_books_judge() inside it.  Every charge in books read earlier was
 * committed as `sent` here before, so whatever is missing is lost.
 */
#ifndef CLI_BOOKS_H
#define CLI_BOOKS_H

#include "cli/cli.h"

#define CLI_BOOKS_MAX 16       /* sandboxes */
#define CLI_BOOKS_ASK_MAX 1000 /* numbers asked for one by one */

struct cli_books {
    size_t  count;
    char   *base_url[CLI_BOOKS_MAX];
    json_t *books[CLI_BOOKS_MAX];
    char    ca_file[PH_CONF_LINE_MAX + 1];
};

/* a breach: appended to `breaches` as {invariant, says, subject, detail} */
void cli_breach(json_t *breaches, const char *invariant, const char *says,
                const char *subject, const char *detail);

/* CLI_OK, CLI_FAILED, or CLI_NOT_READY when a sandbox does not answer */
enum cli_exit cli_books_fetch(struct cli *cli, MYSQL *db,
                              struct cli_books *out);

/* *charges counts what was compared; false = said why */
bool cli_books_judge(struct cli_books *books, MYSQL *db, json_t *breaches,
                     size_t *charges) PH_MUST_CHECK;

/* The same of refunds, books_refund.c; *refunds counts those in the books. */
bool cli_books_judge_refunds(struct cli_books *books, MYSQL *db,
                             json_t *breaches, size_t *refunds) PH_MUST_CHECK;

/* The i-th sandbox's books of one out-trade-no as they are now; NULL = said
 * why.  @owns: caller. */
json_t *cli_books_ask(const struct cli_books *books, size_t i,
                      const char *number);

void cli_books_free(struct cli_books *books);

#endif

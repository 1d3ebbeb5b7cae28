/*
 * books.h - the sandbox's own books against ours: I1 and I2.
 *
 * Order matters: cli_books_fetch() first, then the SQL snapshot, then
 * cli_books_judge() inside it.  Every charge in books read earlier was
 * committed as `sent` here before, so whatever is missing is lost.
 *
 * Books may have millions of entries and so may our tables: both are walked in
 * the order of their numbers, side by side.  What is held in memory does not
 * grow with them.
 */
#ifndef CLI_BOOKS_H
#define CLI_BOOKS_H

#include "cli/cli.h"
#include "cli/spool.h"
#include "libpayhub/base/id.h"

#define CLI_BOOKS_MAX 16        /* sandboxes */
#define CLI_BOOKS_ASK_MAX 1000  /* numbers asked for one by one */
#define CLI_BREACHES_MAX 10000  /* named; more are counted */
#define CLI_BOOKS_NUMBER_MAX 64 /* bytes */

struct cli_breaches {
    json_t *list;
    size_t  left_out;
};

/* money that moved under the number of a charge: it, or a refund of it */
struct cli_books_move {
    char     number[CLI_BOOKS_NUMBER_MAX + 1];
    char     currency[8]; /* of a charge */
    bool     is_charge;   /* behind the refunds of the same book */
    bool     is_done;     /* paid, succeeded */
    unsigned book;
    uint64_t place;
    int64_t  times;
    int64_t  amount;
};

struct cli_books_refund {
    char     number[CLI_BOOKS_NUMBER_MAX + 1]; /* its own */
    char     of[CLI_BOOKS_NUMBER_MAX + 1];
    bool     is_done;
    uint64_t place;
    int64_t  times;
    int64_t  amount;
};

struct cli_books {
    size_t           count;
    char            *base_url[CLI_BOOKS_MAX];
    char             ca_file[PH_CONF_LINE_MAX + 1];
    struct cli_spool moves;   /* cli_books_move */
    struct cli_spool refunds; /* cli_books_refund */
    size_t           charge_count;
    size_t           refund_count;
    size_t           unasked; /* see cli_books_asks */
    bool             is_away; /* a sandbox did not answer when asked */
};

/* rows that are done here and not in the books as they were read: asked for by
 * number once the walk is over */
struct cli_books_asks {
    size_t count;
    char   id[CLI_BOOKS_ASK_MAX][PH_ID_LEN + 1];
    char   of[CLI_BOOKS_ASK_MAX][PH_ID_LEN + 1]; /* a refund's attempt */
    size_t unasked;                              /* there was no place for */
};

/* a breach: appended as {invariant, says, subject, detail} */
void cli_breach(struct cli_breaches *breaches, const char *invariant,
                const char *says, const char *subject, const char *detail);

/* CLI_OK, CLI_FAILED, or CLI_NOT_READY when a sandbox does not answer whole */
enum cli_exit cli_books_fetch(struct cli *cli, MYSQL *db,
                              struct cli_books *out);

/* false = said why */
bool cli_books_judge(struct cli_books *books, MYSQL *db,
                     struct cli_breaches *breaches) PH_MUST_CHECK;

/* The same of refunds, books_refund.c. */
bool cli_books_judge_refunds(struct cli_books *books, MYSQL *db,
                             struct cli_breaches *breaches) PH_MUST_CHECK;

void cli_books_ask_later(struct cli_books_asks *asks, const char *id,
                         const char *of);

/* The i-th sandbox's books of one out-trade-no as they are now; NULL = said
 * why.  @owns: caller. */
json_t *cli_books_ask(const struct cli_books *books, size_t i,
                      const char *number);

void cli_books_free(struct cli_books *books);

#endif

/*
 * invariants.c - `payhub invariants`: what must hold at every moment.
 *
 * I1-I5, I7 over SQL in one snapshot and the sandbox's books read just before
 * it; I6 by the drift meter; I8 by a client's own log, when one is given.  I4
 * has no table of its own: the legs are rows that prove each other.  Waits at
 * most WAIT_MS for the counters and as long for webhooks.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/books.h"
#include "cli/drift.h"
#include "cli/told.h"
#include "libpayhub/io/daemon.h"

#define WAIT_MS 5000
#define RETRY_US 200000
#define SHOWN_MAX 100   /* rows of one check */
#define BOOKS_CHECKS 11 /* those of the books, the counters and the log */

static const struct {
    const char *invariant;
    const char *says;
    const char *sql;
} checks[] = {
#define CHECK(invariant, says, sql) { (invariant), (says), (sql) },
#include "cli/invariants.def"
#include "cli/invariants_refund.def"
#undef CHECK
};

/* what was looked at, for the answer */
struct looked {
    size_t charges;
    size_t refunds;
    size_t told;
};

static bool
check_run(MYSQL *db, size_t which, json_t *breaches)
{
    char          memory[2048];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, ph_str_z(checks[which].sql));
    ph_buf_add(&sql, PH_STR(" LIMIT "));
    ph_buf_u64(&sql, SHOWN_MAX);
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        cli_breach(breaches, checks[which].invariant, checks[which].says,
                   row[0] != NULL ? row[0] : "-",
                   row[1] != NULL ? row[1] : "-");
    }
    mysql_free_result(rows);
    return true;
}

static bool
is_webhook(size_t which)
{
    return strcmp(checks[which].invariant, "I7") == 0;
}

static bool
checks_run(MYSQL *db, bool webhooks, json_t *breaches)
{
    for (size_t i = 0; i < PH_COUNT(checks); i++) {
        if (is_webhook(i) == webhooks && !check_run(db, i, breaches)) {
            return false;
        }
    }
    return true;
}

static bool
snapshot(MYSQL *db)
{
    return cli_sql_run(db, PH_STR("SET TRANSACTION ISOLATION LEVEL "
                                  "REPEATABLE READ"))
           && cli_sql_run(db, PH_STR("START TRANSACTION WITH CONSISTENT "
                                     "SNAPSHOT, READ ONLY"));
}

/* Webhook rows may settle yet: looked at again until they hold or time ends. */
static bool
webhooks_run(MYSQL *db, json_t *breaches)
{
    uint64_t until_ms = ph_monotonic_ns() / 1000000 + WAIT_MS;

    for (;;) {
        json_t *now = json_array();
        bool    ok  = snapshot(db) && checks_run(db, true, now)
                  && cli_sql_run(db, PH_STR("ROLLBACK"));
        bool last = !ok || json_array_size(now) == 0
                    || ph_monotonic_ns() / 1000000 >= until_ms;
        if (last) {
            ok = json_array_extend(breaches, now) == 0 && ok;
        }
        json_decref(now);
        if (last) {
            return ok;
        }
        (void) usleep(RETRY_US);
    }
}

static void
drift_name(const struct cli_drift *drift, json_t *breaches)
{
    size_t  i;
    json_t *one;
    char    detail[256];

    json_array_foreach(drift->differences, i, one)
    {
        (void) snprintf(
            detail, sizeof(detail), "%.150s: Redis %lld, SQL %lld",
            json_string_value(json_object_get(one, "field")),
            (long long) json_integer_value(json_object_get(one, "redis")),
            (long long) json_integer_value(json_object_get(one, "sql")));
        cli_breach(breaches, "I6", "counters equal SQL",
                   json_string_value(json_object_get(one, "key")), detail);
    }
}

static enum cli_exit
all_run(struct cli *cli, MYSQL *db, struct cli_told *told, json_t *breaches,
        struct looked *looked)
{
    struct cli_books books;
    struct cli_drift drift = { 0 };
    enum cli_exit    code  = cli_books_fetch(cli, db, &books);

    if (code == CLI_OK
        && (!snapshot(db) || !checks_run(db, false, breaches)
            || !cli_books_judge(&books, db, breaches, &looked->charges)
            || !cli_books_judge_refunds(&books, db, breaches,
                                        &looked->refunds)))
    {
        code = CLI_FAILED;
    }
    cli_books_free(&books);
    if (code == CLI_OK) {
        code = cli_told_judge(told, db, breaches, &looked->told);
    }
    if (code == CLI_OK
        && (!cli_sql_run(db, PH_STR("ROLLBACK"))
            || !webhooks_run(db, breaches)))
    {
        code = CLI_FAILED;
    }
    if (code == CLI_OK) {
        code = cli_drift_measure(cli, WAIT_MS, &drift);
        drift_name(&drift, breaches);
        json_decref(drift.differences);
    }
    return code;
}

enum cli_exit
cli_invariants(struct cli *cli)
{
    json_t         *breaches = json_array();
    struct looked   looked   = { 0 };
    MYSQL          *db       = cli_sql_open(cli);
    enum cli_exit   code     = CLI_FAILED;
    struct cli_told told;

    if (!cli_told_open(&told, cli_args_value(&cli->args, "told"))) {
        code = CLI_USAGE;
    } else if (db != NULL) {
        code = all_run(cli, db, &told, breaches, &looked);
    }
    if (db != NULL) {
        mysql_close(db);
    }
    cli_told_close(&told);
    if (json_array_size(breaches) != 0 && code != CLI_FAILED
        && code != CLI_USAGE) {
        code = CLI_DIFFERS;
    }
    if (code == CLI_OK || code == CLI_DIFFERS) {
        cli_out(cli, json_pack("{s:b, s:i, s:I, s:I, s:I, s:s, s:O}", "holds",
                               code == CLI_OK, "checks",
                               (int) PH_COUNT(checks) + BOOKS_CHECKS, "charges",
                               (json_int_t) looked.charges, "refunds",
                               (json_int_t) looked.refunds, "told",
                               (json_int_t) looked.told, "not_checked",
                               looked.told != 0 ? "" : "I8 (--told FILE)",
                               "breaches", breaches));
    }
    json_decref(breaches);
    return code;
}

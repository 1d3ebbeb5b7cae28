/*
 * invariants.c - `payhub invariants`: what must hold at every moment.
 *
 * I1-I3, I5, I7 over SQL in one snapshot and the sandbox's books read just
 * before it; I6 by the drift meter.  I4 (ledger) has no tables yet and I8
 * (what clients were told) needs a client's own log: both are said to be not
 * checked.  Waits at most WAIT_MS for the counters and as long for webhooks.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/books.h"
#include "cli/drift.h"
#include "libpayhub/io/daemon.h"

#define WAIT_MS 5000
#define RETRY_US 200000
#define SHOWN_MAX 100 /* rows of one check */

static const struct {
    const char *invariant;
    const char *says;
    const char *sql;
} checks[] = {
#define CHECK(invariant, says, sql) { (invariant), (says), (sql) },
#include "cli/invariants.def"
#undef CHECK
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
all_run(struct cli *cli, MYSQL *db, json_t *breaches, size_t *charges)
{
    struct cli_books books;
    struct cli_drift drift = { 0 };
    enum cli_exit    code  = cli_books_fetch(cli, db, &books);

    if (code == CLI_OK
        && (!snapshot(db) || !checks_run(db, false, breaches)
            || !cli_books_judge(&books, db, breaches, charges)
            || !cli_sql_run(db, PH_STR("ROLLBACK"))
            || !webhooks_run(db, breaches)))
    {
        code = CLI_FAILED;
    }
    cli_books_free(&books);
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
    json_t       *breaches = json_array();
    size_t        charges  = 0;
    MYSQL        *db       = cli_sql_open(cli);
    enum cli_exit code     = CLI_FAILED;

    if (db != NULL) {
        code = all_run(cli, db, breaches, &charges);
        mysql_close(db);
    }
    if (json_array_size(breaches) != 0 && code != CLI_FAILED) {
        code = CLI_DIFFERS;
    }
    if (code == CLI_OK || code == CLI_DIFFERS) {
        cli_out(cli,
                json_pack("{s:b, s:i, s:I, s:s, s:O}", "holds", code == CLI_OK,
                          "checks", (int) PH_COUNT(checks) + 5, "charges",
                          (json_int_t) charges, "not_checked",
                          "I4 (no ledger yet), I8 (needs a client's log)",
                          "breaches", breaches));
    }
    json_decref(breaches);
    return code;
}

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
#include "cli/progress.h"
#include "cli/told.h"
#include "libpayhub/io/daemon.h"

#define WAIT_MS 5000
#define RETRY_US 200000
#define SHOWN_MAX 100     /* rows of one check */
#define QUESTION_MAX 8192 /* bytes of one statement */
#define BOOKS_CHECKS 11   /* those of the books, the counters and the log */

struct check {
    const char *invariant;
    const char *says;
    const char *sql;
    const char *from;  /* of ROWS, else NULL */
    const char *where; /* of ROWS */
    const char *guard; /* of GUARDED, else NULL */
};

static const struct check checks[] = {
#define CHECK(invariant, says, sql)                                            \
    { (invariant), (says), (sql), NULL, NULL, NULL },
#define ROWS(invariant, says, from, what, where)                               \
    { (invariant), (says),  "SELECT " what " FROM " from " WHERE " where,      \
      (from),      (where), NULL },
#define GUARDED(invariant, says, guard, sql)                                   \
    { (invariant), (says), (sql), NULL, NULL, (guard) },
#include "cli/invariants.def"
#include "cli/invariants_refund.def"
#undef CHECK
#undef ROWS
#undef GUARDED
};

/* what was looked at, for the answer */
struct looked {
    size_t charges;
    size_t refunds;
    size_t told;
    size_t unasked;
};

static bool
check_run(MYSQL *db, size_t which, struct cli_breaches *breaches)
{
    char          memory[QUESTION_MAX];
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
is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* asked with one statement; a check alone is its own fellow only */
static bool
are_fellows(size_t a, size_t b)
{
    return a == b
           || (is_webhook(a) == is_webhook(b)
               && (is_same(checks[a].from, checks[b].from)
                   || is_same(checks[a].guard, checks[b].guard)));
}

static size_t
leader_of(size_t which)
{
    size_t leader = 0;

    while (!are_fellows(leader, which)) {
        leader++;
    }
    return leader;
}

/* "is there any row that breaks one of them?"; "" = the check is alone */
static void
question_make(struct ph_buf *sql, size_t leader)
{
    size_t mark = sql->len;
    size_t n    = 0;

    if (checks[leader].guard != NULL) {
        ph_buf_add(sql, ph_str_z(checks[leader].guard));
        return;
    }
    for (size_t i = leader; i < PH_COUNT(checks); i++) {
        if (checks[i].from != NULL && are_fellows(leader, i)) {
            if (n++ == 0) {
                ph_buf_add(sql, PH_STR("SELECT 1 FROM "));
                ph_buf_add(sql, ph_str_z(checks[i].from));
                ph_buf_add(sql, PH_STR(" WHERE ("));
            } else {
                ph_buf_add(sql, PH_STR(") OR ("));
            }
            ph_buf_add(sql, ph_str_z(checks[i].where));
        }
    }
    if (n > 1) {
        ph_buf_add(sql, PH_STR(") LIMIT 1"));
    } else {
        ph_buf_cut(sql, mark);
    }
}

/* *broken = a row may break one of the leader's fellows */
static bool
question_ask(MYSQL *db, size_t leader, bool *broken)
{
    char          memory[QUESTION_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    *broken = true;
    question_make(&sql, leader);
    if (sql.len == 0 || sql.full) {
        return true; /* each for itself */
    }
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows == NULL) {
        return false;
    }
    *broken = mysql_num_rows(rows) != 0;
    mysql_free_result(rows);
    return true;
}

static bool
checks_run(MYSQL *db, bool webhooks, struct cli_breaches *breaches)
{
    bool broken[PH_COUNT(checks)] = { false };

    for (size_t i = 0; i < PH_COUNT(checks); i++) {
        size_t leader = leader_of(i);

        if (is_webhook(i) != webhooks) {
            continue;
        }
        cli_progress("check %zu of %zu: %s", i + 1, PH_COUNT(checks),
                     checks[i].says);
        if ((leader == i && !question_ask(db, i, &broken[i]))
            || (broken[leader] && !check_run(db, i, breaches)))
        {
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
webhooks_run(MYSQL *db, struct cli_breaches *breaches)
{
    uint64_t until_ms = ph_monotonic_ns() / 1000000 + WAIT_MS;
    size_t   mark     = json_array_size(breaches->list);
    size_t   left_out = breaches->left_out;

    for (;;) {
        bool ok = snapshot(db) && checks_run(db, true, breaches)
                  && cli_sql_run(db, PH_STR("ROLLBACK"));
        if (!ok
            || (json_array_size(breaches->list) == mark
                && breaches->left_out == left_out)
            || ph_monotonic_ns() / 1000000 >= until_ms)
        {
            return ok;
        }
        while (json_array_size(breaches->list) > mark) {
            (void) json_array_remove(breaches->list,
                                     json_array_size(breaches->list) - 1);
        }
        breaches->left_out = left_out;
        (void) usleep(RETRY_US);
    }
}

static void
drift_name(const struct cli_drift *drift, struct cli_breaches *breaches)
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
all_run(struct cli *cli, MYSQL *db, struct cli_told *told,
        struct cli_breaches *breaches, struct looked *looked)
{
    struct cli_books books;
    struct cli_drift drift = { 0 };
    enum cli_exit    code  = cli_books_fetch(cli, db, &books);

    if (code == CLI_OK
        && (!snapshot(db) || !checks_run(db, false, breaches)
            || !cli_books_judge(&books, db, breaches)
            || !cli_books_judge_refunds(&books, db, breaches)))
    {
        code = CLI_FAILED;
    }
    looked->charges = books.charge_count;
    looked->refunds = books.refund_count;
    looked->unasked = books.unasked;
    cli_books_free(&books);
    if (code == CLI_OK && books.is_away) {
        code = CLI_NOT_READY;
    }
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

static void
not_checked_make(struct ph_buf *text, const struct looked *looked)
{
    if (looked->told == 0) {
        ph_buf_add(text, PH_STR("I8 (--told FILE)"));
    }
    if (looked->unasked != 0) {
        ph_buf_add(text, text->len != 0 ? PH_STR("; ") : PH_STR(""));
        ph_buf_add(text, PH_STR("I1 of "));
        ph_buf_u64(text, looked->unasked);
        ph_buf_add(text, PH_STR(" that are newer than the books or missing "
                                "there, after the first "));
        ph_buf_u64(text, CLI_BOOKS_ASK_MAX);
    }
}

static void
result_out(struct cli *cli, const struct cli_breaches *breaches,
           const struct looked *looked, bool holds)
{
    char          memory[256];
    struct ph_buf not_checked = PH_BUF_INIT(memory);

    not_checked_make(&not_checked, looked);
    if (breaches->left_out != 0) {
        cli_say("found %zu breaches more than the %d that are named",
                breaches->left_out, CLI_BREACHES_MAX);
    }
    cli_out(cli,
            json_pack("{s:b, s:i, s:I, s:I, s:I, s:s, s:O}", "holds", holds,
                      "checks", (int) PH_COUNT(checks) + BOOKS_CHECKS,
                      "charges", (json_int_t) looked->charges, "refunds",
                      (json_int_t) looked->refunds, "told",
                      (json_int_t) looked->told, "not_checked",
                      ph_buf_z(&not_checked), "breaches", breaches->list));
}

enum cli_exit
cli_invariants(struct cli *cli)
{
    struct cli_breaches breaches = { .list = json_array() };
    struct looked       looked   = { 0 };
    MYSQL              *db       = cli_sql_open(cli);
    enum cli_exit       code     = CLI_FAILED;
    struct cli_told     told;

    if (!cli_told_open(&told, cli_args_value(&cli->args, "told"))) {
        code = CLI_USAGE;
    } else if (db != NULL) {
        code = all_run(cli, db, &told, &breaches, &looked);
    }
    if (db != NULL) {
        mysql_close(db);
    }
    cli_told_close(&told);
    if (json_array_size(breaches.list) != 0 && code != CLI_FAILED
        && code != CLI_USAGE)
    {
        code = CLI_DIFFERS;
    }
    if (code == CLI_OK || code == CLI_DIFFERS) {
        result_out(cli, &breaches, &looked, code == CLI_OK);
    }
    json_decref(breaches.list);
    return code;
}

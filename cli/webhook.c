/*
 * webhook.c - `payhub webhook list` and `resend`, and `payhub app set`: what
 * merchants are told, and how.
 *
 * A resend is a person's act: one transaction with its audit row.  A dead
 * webhook begins its schedule anew; one that is still pending is only brought
 * forward; one that was delivered is left alone.
 */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/when.h"
#include "libpayhub/base/id.h"
#include "libpayhub/io/daemon.h"

#define SQL_MAX 4096
#define LIST_DEFAULT 100
#define LIST_MAX 1000
#define FROM_DEFAULT "7d" /* the table is read from there on */
#define CHAIN_MAX 10000   /* webhooks of one payment */

/* the columns of a list, in order; the name is that of --json, too */
static const char *const columns[]
    = { "id",         "created_at", "app_id", "payment_id", "refund_id",
        "type",       "sequence",   "status", "tries",      "last_status",
        "last_error", "due_at",     "url" };

/*
 * All webhooks of a payment by its chains: the payment's own, and those of each
 * of its refunds, which are a chain themselves.
 */
static void
chain_add(MYSQL *db, struct ph_buf *sql, struct ph_str payment_id)
{
    ph_buf_add(sql, PH_STR("WITH RECURSIVE r AS (SELECT f.id,f.prev_id,"
                           "f.notify_id FROM payment p JOIN refund f ON "
                           "f.id=p.refund_id WHERE p.id="));
    cli_sql_quote(db, sql, payment_id);
    ph_buf_add(sql,
               PH_STR(" UNION ALL SELECT f.id,f.prev_id,f.notify_id FROM r "
                      "JOIN refund f ON f.id=r.prev_id WHERE r.prev_id<>''),"
                      "c AS (SELECT t.id,t.prev_id FROM payment p JOIN "
                      "notify_task t ON t.id=p.notify_id WHERE p.id="));
    cli_sql_quote(db, sql, payment_id);
    ph_buf_add(sql, PH_STR(" UNION ALL SELECT t.id,t.prev_id FROM r JOIN "
                           "notify_task t ON t.id=r.notify_id UNION ALL SELECT "
                           "t.id,t.prev_id FROM c JOIN notify_task t ON "
                           "t.id=c.prev_id WHERE c.prev_id<>'') "));
}

static void
select_add(struct ph_buf *sql)
{
    ph_buf_add(sql, PH_STR("SELECT t.id,t.created_at,t.app_id,t.payment_id,"
                           "t.refund_id,t.type,t.sequence,t.status,t.tries,"
                           "t.last_status,t.last_error,w.due_at,t.url FROM "));
}

static enum cli_exit
number_take(const struct cli_args *args, uint64_t *number)
{
    const char *text = cli_args_value(args, "limit");

    *number = LIST_DEFAULT;
    if (text != NULL
        && (!ph_str_u64(ph_str_z(text), LIST_MAX, number) || *number == 0))
    {
        return cli_usage("--limit: found '%s', expected 1 to %d", text,
                         LIST_MAX);
    }
    return CLI_OK;
}

/* The id that everything since --from is at or behind. */
static enum cli_exit
from_take(const struct cli_args *args, struct ph_id *floor)
{
    const char *text = cli_args_value(args, "from");
    uint64_t    at_ms;

    if (text == NULL) {
        text = FROM_DEFAULT;
    }
    if (cli_when_parse(ph_str_z(text), ph_now_ms(), 0, &at_ms) != PH_OK) {
        return cli_usage("--from: found '%s', expected 2026-01-02, RFC 3339, "
                         "unix s, or 10m 2h 3d ago",
                         text);
    }
    *floor = ph_id_floor(PH_ID_NOTIFY, at_ms);
    return CLI_OK;
}

static bool
payment_take(const struct cli_args *args, struct ph_str *payment_id)
{
    *payment_id = ph_str_z(cli_args_value(args, "payment"));
    return payment_id->len == 0 || ph_id_is(*payment_id, PH_ID_PAYMENT);
}

static void
where_add(const struct cli *cli, MYSQL *db, struct ph_buf *sql)
{
    const char *app = cli_args_value(&cli->args, "app");

    if (cli_args_has(&cli->args, "dead")) {
        ph_buf_add(sql, PH_STR(" AND t.status='dead'"));
    }
    if (cli_args_has(&cli->args, "pending")) {
        ph_buf_add(sql, PH_STR(" AND t.status='pending'"));
    }
    if (app != NULL) {
        ph_buf_add(sql, PH_STR(" AND t.app_id="));
        cli_sql_quote(db, sql, ph_str_z(app));
    }
}

static json_t *
rows_json(MYSQL_RES *rows)
{
    json_t   *list = json_array();
    MYSQL_ROW row;

    while ((row = mysql_fetch_row(rows)) != NULL) {
        json_t *object = json_object();

        for (size_t i = 0; i < PH_COUNT(columns); i++) {
            (void) json_object_set_new(object, columns[i],
                                       row[i] != NULL ? json_string(row[i])
                                                      : json_null());
        }
        (void) json_array_append_new(list, object);
    }
    return list;
}

static bool
list_run(struct cli *cli, MYSQL *db, struct ph_str payment_id,
         const struct ph_id *floor, uint64_t limit)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    if (payment_id.len != 0) {
        chain_add(db, &sql, payment_id);
        select_add(&sql);
        ph_buf_add(&sql, PH_STR("c JOIN notify_task t ON t.id=c.id LEFT JOIN "
                                "work w ON w.id=t.id WHERE 1=1"));
    } else {
        select_add(&sql);
        ph_buf_add(&sql, PH_STR("notify_task t LEFT JOIN work w ON w.id=t.id "
                                "WHERE t.id>="));
        cli_sql_quote(db, &sql, ph_str_z(floor->text));
    }
    where_add(cli, db, &sql);
    ph_buf_add(&sql, PH_STR(" ORDER BY t.id DESC LIMIT "));
    ph_buf_u64(&sql, limit);
    MYSQL_RES *rows = sql.full ? NULL : cli_sql_rows(db, ph_buf_str(&sql));

    if (rows == NULL) {
        return false;
    }
    cli_out(cli, rows_json(rows));
    mysql_free_result(rows);
    return true;
}

enum cli_exit
cli_webhook_list(struct cli *cli)
{
    struct ph_str payment_id;
    struct ph_id  floor;
    uint64_t      limit;

    if (!payment_take(&cli->args, &payment_id)) {
        return cli_usage("--payment: expected the id of a payment, P...");
    }
    if (number_take(&cli->args, &limit) != CLI_OK
        || from_take(&cli->args, &floor) != CLI_OK)
    {
        return CLI_USAGE;
    }
    MYSQL *db = cli_sql_open(cli);
    bool   ok = db != NULL && list_run(cli, db, payment_id, &floor, limit);

    if (db != NULL) {
        mysql_close(db);
    }
    return ok ? CLI_OK : CLI_FAILED;
}

/* ---- resend ---- */

/* "id, status" of what may be sent again; NULL = said why */
static MYSQL_RES *
tasks_find(MYSQL *db, struct ph_str id, struct ph_str payment_id)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    if (payment_id.len != 0) {
        chain_add(db, &sql, payment_id);
        ph_buf_add(&sql, PH_STR("SELECT t.id,t.status FROM c JOIN notify_task "
                                "t ON t.id=c.id WHERE t.status<>'delivered' "
                                "ORDER BY t.id LIMIT "));
        ph_buf_u64(&sql, CHAIN_MAX);
    } else {
        ph_buf_add(&sql, PH_STR("SELECT id,status FROM notify_task WHERE id="));
        cli_sql_quote(db, &sql, id);
    }
    return sql.full ? NULL : cli_sql_rows(db, ph_buf_str(&sql));
}

/* The state is judged by the UPDATE itself: a worker may end it meanwhile. */
static bool
task_resend(MYSQL *db, struct ph_str id, bool *is_sent)
{
    char          memory[SQL_MAX], count[24];
    struct ph_buf sql = PH_BUF_INIT(memory), out = PH_BUF_INIT(count);

    ph_buf_add(&sql, PH_STR("UPDATE notify_task SET ver=ver+1,"
                            "tries=IF(status='dead',0,tries),status='pending' "
                            "WHERE status IN ('dead','pending') AND id="));
    cli_sql_quote(db, &sql, id);
    if (!cli_sql_run(db, ph_buf_str(&sql))
        || !cli_sql_text(db, PH_STR("SELECT ROW_COUNT()"), &out))
    {
        return false;
    }
    *is_sent = ph_str_eq(ph_buf_str(&out), PH_STR("1"));
    if (!*is_sent) {
        return true;
    }
    ph_buf_cut(&sql, 0);
    ph_buf_add(&sql, PH_STR("INSERT INTO work (id,queue,due_at) VALUES ("));
    cli_sql_quote(db, &sql, id);
    ph_buf_add(&sql, PH_STR(",'hook',UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE "
                            "ver=ver+1,lease_by='',due_at=UTC_TIMESTAMP(3)"));
    return cli_sql_run(db, ph_buf_str(&sql))
           && cli_sql_audit(db, "webhook.resend", id, PH_STR("{}"));
}

static enum cli_exit
resend_run(struct cli *cli, MYSQL *db, struct ph_str id,
           struct ph_str payment_id)
{
    json_t    *sent = json_array();
    MYSQL_ROW  row;
    bool       ok   = cli_sql_run(db, PH_STR("START TRANSACTION"));
    MYSQL_RES *rows = ok ? tasks_find(db, id, payment_id) : NULL;

    ok = rows != NULL;
    while (ok && (row = mysql_fetch_row(rows)) != NULL) {
        bool is_sent = false;

        ok = task_resend(db, ph_str_z(row[0]), &is_sent);
        if (is_sent) {
            (void) json_array_append_new(sent, json_string(row[0]));
        } else if (ok) {
            cli_say("%s was delivered and is left alone", row[0]);
        }
    }
    if (rows != NULL) {
        mysql_free_result(rows);
    }
    ok           = ok && cli_sql_run(db, PH_STR("COMMIT"));
    size_t count = json_array_size(sent);
    if (ok && count != 0) {
        cli_out(cli, json_pack("{s:o}", "resent", sent));
        return CLI_OK;
    }
    json_decref(sent);
    if (!ok) {
        return CLI_FAILED;
    }
    cli_say("found no webhook to send again; `payhub webhook list` shows them");
    return CLI_REFUSED;
}

enum cli_exit
cli_webhook_resend(struct cli *cli)
{
    struct ph_str id
        = ph_str_z(cli->args.word_count != 0 ? cli->args.words[0] : NULL);
    struct ph_str payment_id;

    if (!payment_take(&cli->args, &payment_id)
        || (id.len == 0) == (payment_id.len == 0)
        || (id.len != 0 && !ph_id_is(id, PH_ID_NOTIFY)))
    {
        return cli_usage("expected the id of a webhook, N..., or --payment and "
                         "the id of a payment, P...");
    }
    MYSQL *db = cli_sql_open(cli);

    if (db == NULL) {
        return CLI_FAILED;
    }
    enum cli_exit code = resend_run(cli, db, id, payment_id);

    mysql_close(db);
    return code;
}

/* ---- app set ---- */

static bool
form_set(MYSQL *db, struct ph_str app, struct ph_str form, bool *is_there)
{
    char          memory[SQL_MAX], count[24];
    struct ph_buf sql = PH_BUF_INIT(memory), out = PH_BUF_INIT(count);

    ph_buf_add(&sql, PH_STR("UPDATE app SET ver=ver+1,webhook_form="));
    cli_sql_quote(db, &sql, form);
    ph_buf_add(&sql, PH_STR(" WHERE id="));
    cli_sql_quote(db, &sql, app);
    if (!cli_sql_run(db, PH_STR("START TRANSACTION"))
        || !cli_sql_run(db, ph_buf_str(&sql))
        || !cli_sql_text(db, PH_STR("SELECT ROW_COUNT()"), &out))
    {
        return false;
    }
    *is_there = ph_str_eq(ph_buf_str(&out), PH_STR("1"));
    return cli_sql_audit(db, "app.set", app, form)
           && cli_sql_run(db,
                          *is_there ? PH_STR("COMMIT") : PH_STR("ROLLBACK"));
}

enum cli_exit
cli_app_set(struct cli *cli)
{
    struct ph_str app  = ph_str_z(cli->args.words[0]);
    const char   *form = cli_args_value(&cli->args, "webhook-form");
    bool          is_there;

    if (!ph_str_is_token(app, 32)) {
        return cli_usage("expected the id of an app");
    }
    if (form == NULL
        || (strcmp(form, "standard") != 0 && strcmp(form, "payhub-v3") != 0))
    {
        return cli_usage("--webhook-form: found '%s', expected standard or "
                         "payhub-v3",
                         form != NULL ? form : "");
    }
    MYSQL *db = cli_sql_open(cli);
    bool   ok = db != NULL && form_set(db, app, ph_str_z(form), &is_there);

    if (db != NULL) {
        mysql_close(db);
    }
    if (!ok) {
        return CLI_FAILED;
    }
    if (!is_there) {
        cli_say("found no app %s", app.ptr);
        return CLI_REFUSED;
    }
    cli_out(cli,
            json_pack("{s:s, s:s}", "app_id", app.ptr, "webhook_form", form));
    return CLI_OK;
}

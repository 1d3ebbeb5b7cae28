/*
 * channel_list.c - `payhub channel list|remove|schema`.
 */
#include <stdio.h>

#include "channels/declarative/declared.h"
#include "channels/load.h"
#include "cli/channels.h"

#define SCHEMA_MAX (128 * 1024)

/* ---- list ---- */

static json_t *
row_of(const char *name, const char *kind, const char *status,
       const char *accounts)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "channel", name, "kind", kind,
                     "status", status, "accounts", accounts);
}

static bool
accounts_count(MYSQL *db, const char *name, struct ph_buf *count)
{
    char          memory[512];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql,
               PH_STR("SELECT COUNT(*) FROM channel_account WHERE channel="));
    cli_sql_quote(db, &sql, ph_str_z(name));
    return cli_sql_text(db, ph_buf_str(&sql), count) && ph_buf_z(count) != NULL;
}

static bool
built_in_list(struct cli *cli, MYSQL *db, json_t *list)
{
    const struct ph_channel *channel;

    for (size_t i = 0; (channel = cli_channel_at(cli, i)) != NULL; i++) {
        char          memory[24];
        struct ph_buf count = PH_BUF_INIT(memory);
        bool is_built_in    = ph_channel_find(ph_str_z(channel->name)) != NULL;

        if (!accounts_count(db, channel->name, &count)) {
            return false;
        }
        (void) json_array_append_new(
            list, row_of(channel->name, is_built_in ? "built in" : "loaded",
                         "active", memory));
    }
    return true;
}

static bool
declared_list(MYSQL *db, json_t *list)
{
    MYSQL_RES *rows = cli_sql_rows(
        db, PH_STR("SELECT f.name,f.status,(SELECT COUNT(*) FROM "
                   "channel_account a WHERE a.channel=f.name) FROM "
                   "channel_file f ORDER BY f.name LIMIT 1000"));

    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        (void) json_array_append_new(
            list, row_of(row[0], "declared", row[1], row[2]));
    }
    mysql_free_result(rows);
    return true;
}

enum cli_exit
cli_channel_list(struct cli *cli)
{
    MYSQL  *db   = cli_sql_open(cli);
    json_t *list = json_array();
    bool    ok
        = db != NULL && built_in_list(cli, db, list) && declared_list(db, list);

    if (ok) {
        cli_out(cli, json_incref(list));
    }
    json_decref(list);
    if (db != NULL) {
        mysql_close(db);
    }
    return ok ? CLI_OK : CLI_FAILED;
}

/* ---- remove ---- */

/* Who adds an account keeps the row as it is until he has: so the accounts are
 * counted behind the row's change. */
static enum cli_exit
withdraw(MYSQL *db, const char *name)
{
    char          memory[512], number[24];
    struct ph_buf sql = PH_BUF_INIT(memory), count = PH_BUF_INIT(number);

    ph_buf_add(&sql, PH_STR("UPDATE channel_file SET status='withdrawn',"
                            "updated_at=UTC_TIMESTAMP(3),ver=ver+1 WHERE "
                            "status='active' AND name="));
    cli_sql_quote(db, &sql, ph_str_z(name));
    if (!cli_sql_run(db, PH_STR("START TRANSACTION"))
        || mysql_real_query(db, sql.ptr, sql.len) != 0)
    {
        cli_say("MySQL error %u: %s", mysql_errno(db), mysql_error(db));
        return CLI_FAILED;
    }
    if (mysql_affected_rows(db) != 1) {
        cli_say("found no declared channel %s that is active", name);
        return CLI_REFUSED;
    }
    if (!accounts_count(db, name, &count)) {
        return CLI_FAILED;
    }
    if (!ph_str_eq(ph_str_z(number), PH_STR("0"))) {
        cli_say("channel %s has accounts: %s; drained ones too answer notices "
                "and refunds by it",
                name, number);
        return CLI_REFUSED;
    }
    return cli_sql_audit(db, "channel.remove", ph_str_z(name), PH_STR(""))
                   && cli_sql_run(db, PH_STR("COMMIT"))
               ? CLI_OK
               : CLI_FAILED;
}

enum cli_exit
cli_channel_remove(struct cli *cli)
{
    const char   *name = cli->args.words[0];
    enum cli_exit code;
    MYSQL        *db;

    if (!ph_channel_name_ok(ph_str_z(name))) {
        return cli_usage("found %s, expected the name of a channel", name);
    }
    db = cli_sql_open(cli);
    if (db == NULL) {
        return CLI_FAILED;
    }
    code = withdraw(db, name);
    mysql_close(db);
    if (code == CLI_OK) {
        cli_out(cli, json_pack("{s:s, s:s}", "channel", name, "status",
                               "withdrawn"));
    }
    return code;
}

/* ---- schema ---- */

enum cli_exit
cli_channel_schema(struct cli *cli)
{
    static char   memory[SCHEMA_MAX];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) cli; /* it is JSON with and without --json */
    ph_declared_schema(&buf);
    return !buf.full && fwrite(buf.ptr, 1, buf.len, stdout) == buf.len
               ? CLI_OK
               : CLI_FAILED;
}

/*
 * account_list.c - `payhub channel account list|drain|resume`.
 */
#include <stdio.h>

#include "cli/channels.h"

/* ---- list ---- */

static json_t *
account_row(MYSQL_ROW row)
{
    uint64_t weight = 0;

    (void) ph_str_u64(ph_str_z(row[4]), UINT32_MAX, &weight);
    json_t *settings = json_loads(row[6], JSON_REJECT_DUPLICATES, NULL);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o}", "account_id",
                     row[0], "channel", row[1], "name", row[2], "app_id",
                     row[3], "weight", (json_int_t) weight, "status", row[5],
                     "settings", settings != NULL ? settings : json_null());
}

enum cli_exit
cli_account_list(struct cli *cli)
{
    MYSQL  *db   = cli_sql_open(cli);
    json_t *list = json_array();

    MYSQL_RES *rows
        = db == NULL
              ? NULL
              : cli_sql_rows(db, PH_STR("SELECT id,channel,name,app_id,weight,"
                                        "status,settings FROM channel_account "
                                        "ORDER BY channel,created_at,id "
                                        "LIMIT 10000"));
    if (rows != NULL) {
        for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
            (void) json_array_append_new(list, account_row(row));
        }
        cli_out(cli, json_incref(list));
    }
    mysql_free_result(rows);
    json_decref(list);
    if (db != NULL) {
        mysql_close(db);
    }
    return rows != NULL ? CLI_OK : CLI_FAILED;
}

/* ---- drain, resume ---- */

static bool
status_update(MYSQL *db, const char *id, const char *status, uint64_t *matched)
{
    char          memory[1024], act[32];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, PH_STR("UPDATE channel_account SET ver=ver+1,"
                            "updated_at=UTC_TIMESTAMP(3),status="));
    cli_sql_quote(db, &sql, ph_str_z(status));
    ph_buf_add(&sql, PH_STR(" WHERE id="));
    cli_sql_quote(db, &sql, ph_str_z(id));
    (void) snprintf(act, sizeof(act), "account.%s", status);
    if (!cli_sql_run(db, PH_STR("START TRANSACTION"))
        || mysql_real_query(db, sql.ptr, sql.len) != 0)
    {
        cli_say("MySQL error %u: %s", mysql_errno(db), mysql_error(db));
        return false;
    }
    *matched = mysql_affected_rows(db);
    return cli_sql_audit(db, act, ph_str_z(id), PH_STR(""))
           && cli_sql_run(db, *matched == 1 ? PH_STR("COMMIT")
                                            : PH_STR("ROLLBACK"));
}

static enum cli_exit
status_set(struct cli *cli, const char *status)
{
    const char *id      = cli->args.words[0];
    uint64_t    matched = 0;
    MYSQL      *db      = cli_sql_open(cli);
    bool        ok      = db != NULL && status_update(db, id, status, &matched);

    if (db != NULL) {
        mysql_close(db);
    }
    if (!ok) {
        return CLI_FAILED;
    }
    if (matched != 1) {
        cli_say("found no account %s; `payhub channel account list` shows them",
                id);
        return CLI_REFUSED;
    }
    cli_out(cli, json_pack("{s:s, s:s}", "account_id", id, "status", status));
    return CLI_OK;
}

enum cli_exit
cli_account_drain(struct cli *cli)
{
    return status_set(cli, "drained");
}

enum cli_exit
cli_account_resume(struct cli *cli)
{
    return status_set(cli, "active");
}

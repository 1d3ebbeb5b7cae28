/*
 * sql.c - the owner's connection and small statements over it.
 *
 * Every failure is said once, here, with the server's own words.  Statements
 * are sent one at a time even though the connection would take several.
 */
#include "cli/cli.h"

#include <pwd.h>
#include <unistd.h>

#include "libpayhub/io/db.h"

#define AUDIT_SQL_MAX 4096
#define SQL_TIMEOUT_MS 600000 /* the most that store.timeout takes */

MYSQL *
cli_sql_open(struct cli *cli)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!cli_conf(cli)) {
        return NULL;
    }
    /* checks read whole tables and DDL moves them: not a daemon's pace */
    cli->conf.number[PH_CONF_store_timeout] = SQL_TIMEOUT_MS;
    MYSQL *db = ph_mysql_open(&cli->conf, PH_DB_OWNER, &why);
    if (db == NULL) {
        cli_say("%.*s", (int) why.len, why.ptr);
    }
    return db;
}

static bool
say_sql(MYSQL *db, struct ph_str sql)
{
    cli_say("MySQL error %u: %s; in: %.*s", mysql_errno(db), mysql_error(db),
            (int) (sql.len < 200 ? sql.len : 200), sql.ptr);
    return false;
}

bool
cli_sql_run(MYSQL *db, struct ph_str sql)
{
    if (mysql_real_query(db, sql.ptr, sql.len) != 0) {
        return say_sql(db, sql);
    }
    int more = 0;
    do {
        MYSQL_RES *rows = mysql_store_result(db);
        if (rows == NULL && mysql_errno(db) != 0) {
            return say_sql(db, sql);
        }
        mysql_free_result(rows);
        more = mysql_next_result(db); /* 0 = another, -1 = none, > 0 = error */
        if (more > 0) {
            return say_sql(db, sql);
        }
    } while (more == 0);
    return true;
}

MYSQL_RES *
cli_sql_rows(MYSQL *db, struct ph_str sql)
{
    if (mysql_real_query(db, sql.ptr, sql.len) != 0) {
        say_sql(db, sql);
        return NULL;
    }
    MYSQL_RES *rows = mysql_store_result(db);
    if (rows == NULL) {
        say_sql(db, sql);
    }
    return rows;
}

bool
cli_sql_each(MYSQL *db, struct ph_str                         sql,
             bool (*on_row)(void *data, MYSQL_ROW row), void *data)
{
    bool       ok   = true;
    MYSQL_RES *rows = cli_sql_rows(db, sql);

    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; ok && (row = mysql_fetch_row(rows)) != NULL;) {
        ok = on_row(data, row);
    }
    mysql_free_result(rows);
    return ok;
}

bool
cli_sql_stream(MYSQL *db, struct ph_str                         sql,
               bool (*on_row)(void *data, MYSQL_ROW row), void *data)
{
    MYSQL_RES *rows = NULL;
    bool       ok   = true;

    if (mysql_real_query(db, sql.ptr, sql.len) != 0
        || (rows = mysql_use_result(db)) == NULL)
    {
        return say_sql(db, sql);
    }
    for (MYSQL_ROW row; ok && (row = mysql_fetch_row(rows)) != NULL;) {
        ok = on_row(data, row);
    }
    if (ok && mysql_errno(db) != 0) {
        ok = say_sql(db, sql); /* cut off: those seen are not all */
    }
    mysql_free_result(rows);
    return ok;
}

bool
cli_sql_text(MYSQL *db, struct ph_str sql, struct ph_buf *out)
{
    MYSQL_RES *rows = cli_sql_rows(db, sql);

    if (rows == NULL) {
        return false;
    }
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row != NULL && row[0] != NULL) {
        ph_buf_add(out, ph_str_make(row[0], mysql_fetch_lengths(rows)[0]));
    }
    mysql_free_result(rows);
    return true;
}

void
cli_sql_quote(MYSQL *db, struct ph_buf *sql, struct ph_str text)
{
    size_t room = sql->size - sql->len;

    /* the escaper needs room for every byte doubled, its NUL, two quotes */
    if (sql->full || text.len > PH_CONF_TEXT_MAX * 4 || text.len * 2 + 3 > room)
    {
        sql->full = true;
        return;
    }
    ph_buf_byte(sql, '\'');
    unsigned long len = mysql_real_escape_string(db, sql->ptr + sql->len,
                                                 text.len != 0 ? text.ptr : "",
                                                 (unsigned long) text.len);
    sql->len += len;
    ph_buf_byte(sql, '\'');
}

void
cli_sql_bytes(struct ph_buf *sql, struct ph_str bytes)
{
    ph_buf_add(sql, PH_STR("X'"));
    ph_buf_hex(sql, bytes);
    ph_buf_byte(sql, '\'');
}

/* the operating system's name of who runs the command; in `memory` */
static struct ph_str
who(char *memory, size_t size)
{
    struct passwd  user;
    struct passwd *found = NULL;

    if (getpwuid_r(getuid(), &user, memory, size, &found) != 0 || found == NULL)
    {
        return PH_STR("?");
    }
    return ph_str_z(user.pw_name);
}

bool
cli_sql_audit(MYSQL *db, const char *act, struct ph_str subject,
              struct ph_str detail)
{
    char          memory[AUDIT_SQL_MAX], user[AUDIT_SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, PH_STR("INSERT INTO audit (at,who,act,subject,detail) "
                            "VALUES (UTC_TIMESTAMP(3),"));
    cli_sql_quote(db, &sql, who(user, sizeof(user)));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(act));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, subject);
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, detail);
    ph_buf_byte(&sql, ')');
    if (sql.full) {
        cli_say("audit: found a detail over %d bytes", AUDIT_SQL_MAX);
        return false;
    }
    return cli_sql_run(db, ph_buf_str(&sql));
}

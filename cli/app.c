/*
 * app.c - `payhub app add`, `key add`, `key list`, `key revoke`.
 *
 * All or nothing, in this order: the rows are inserted but not committed; the
 * secret's file and the edge's line are written and synced; the commit comes
 * last; only then is the secret shown.  A failure before the commit rolls the
 * rows back and takes file and line back under the same lock.  A crash between
 * line and commit leaves a key whose secret nobody was told, which is
 * harmless; the other order would leave an app whose secret was shown and
 * whose key no edge knows.
 */
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/keys_file.h"
#include "cli/new_key.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/webhook.h"

#define NAME_LEN_MAX 128 /* code points */
#define SQL_MAX 8192
#define RANDOM_LEN 16 /* characters in an id: 96 bits */
#define SEALED_MAX 512

struct new_app {
    struct ph_str      merchant_id;
    struct ph_str      name;
    char               app_id[CLI_TOKEN_MAX];
    char               webhook[64];
    struct cli_new_key key;
};

static enum cli_exit
options_check(struct cli *cli, struct new_app *app)
{
    const struct cli_args *args = &cli->args;

    app->merchant_id = ph_str_z(cli_args_value(args, "merchant"));
    app->name        = ph_str_z(cli_args_value(args, "name"));
    if (!ph_str_is_token(app->merchant_id, 32)) {
        return cli_usage("--merchant: found '%s', expected 1-32 of "
                         "[A-Za-z0-9_-]",
                         app->merchant_id.ptr != NULL ? app->merchant_id.ptr
                                                      : "");
    }
    size_t count = ph_str_utf8_count(app->name);
    if (count == 0 || count > NAME_LEN_MAX || ph_str_has_control(app->name)) {
        return cli_usage("--name: expected 1-%d characters of UTF-8 without "
                         "control characters",
                         NAME_LEN_MAX);
    }
    return cli_new_key_take(cli, &app->key);
}

static void
secrets_make(struct new_app *app)
{
    uint8_t       raw[PH_WEBHOOK_SECRET_RAW];
    struct ph_buf text;

    cli_token(app->app_id, sizeof(app->app_id), "app_", RANDOM_LEN);
    ph_random(raw, sizeof(raw));
    ph_buf_init(&text, app->webhook, sizeof(app->webhook));
    ph_buf_add(&text, PH_STR("whsec_"));
    ph_b64_encode(&text, ph_str_make((const char *) raw, sizeof(raw)));
    (void) ph_buf_z(&text);
    OPENSSL_cleanse(raw, sizeof(raw));
}

static bool
sql_done(MYSQL *db, const struct ph_buf *sql)
{
    if (sql->full) {
        cli_say("found values over %d bytes", SQL_MAX);
        return false;
    }
    return cli_sql_run(db, ph_buf_str(sql));
}

static bool
merchant_insert(MYSQL *db, const struct new_app *app)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, PH_STR("INSERT INTO merchant (id,name,created_at) VALUES "
                            "("));
    cli_sql_quote(db, &sql, app->merchant_id);
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, app->merchant_id);
    ph_buf_add(&sql, PH_STR(",UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE "
                            "name=name"));
    return sql_done(db, &sql);
}

static bool
app_insert(struct cli *cli, MYSQL *db, const struct new_app *app)
{
    char          memory[SQL_MAX], sealed[SEALED_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf box = PH_BUF_INIT(sealed);

    if (!cli_seal(cli, &box, "app", app->app_id, "webhook_secret",
                  ph_str_z(app->webhook)))
    {
        return false;
    }
    ph_buf_add(&sql, PH_STR("INSERT INTO app (id,merchant_id,name,"
                            "webhook_secret,status,created_at) VALUES ("));
    cli_sql_quote(db, &sql, ph_str_z(app->app_id));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, app->merchant_id);
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, app->name);
    ph_buf_byte(&sql, ',');
    cli_sql_bytes(&sql, ph_buf_str(&box));
    ph_buf_add(&sql, PH_STR(",'active',UTC_TIMESTAMP(3))"));
    return sql_done(db, &sql);
}

static bool
rows_insert(struct cli *cli, MYSQL *db, struct new_app *app)
{
    char detail[128];

    (void) snprintf(
        detail, sizeof(detail), "{\"merchant_id\":\"%.*s\",\"key_id\":\"%s\"}",
        (int) app->merchant_id.len, app->merchant_id.ptr, app->key.id);
    return cli_sql_run(db, PH_STR("START TRANSACTION"))
           && merchant_insert(db, app) && app_insert(cli, db, app)
           && cli_new_key_insert(cli, db, &app->key, app->app_id)
           && cli_sql_audit(db, "app.add", ph_str_z(app->app_id),
                            ph_str_z(detail));
}

static bool
edge_tell(struct cli *cli, const struct cli_new_key *key, struct ph_str app_id,
          struct ph_str merchant_id, struct cli_keys_file *file)
{
    const char   *path = ph_conf_text(&cli->conf, PH_CONF_admin_keys_file);
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (path[0] == '\0') {
        return true; /* edges hear of it by payhub_sync */
    }
    const bool                 is_public = key->secret[0] == '\0';
    const struct cli_keys_line line
        = { .key_id      = ph_str_z(key->id),
            .app_id      = app_id,
            .merchant_id = merchant_id,
            .alg         = ph_alg_name(key->alg),
            .schemes     = key->schemes == ph_alg_schemes(key->alg)
                               ? PH_STR("")
                               : ph_str_z(key->schemes_text),
            .material    = ph_str_z(is_public ? key->pem : key->secret),
            .is_public   = is_public,
            .not_before  = key->not_before_ms / 1000,
            .not_after   = key->not_after_ms / 1000 };

    if (cli_keys_open(file, path, &why) && cli_keys_add(file, &line, &why)) {
        return true;
    }
    cli_say("%.*s", (int) why.len, why.ptr);
    return false;
}

static void
edge_untell(const struct cli_new_key *key, struct cli_keys_file *file)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    cli_new_key_unstage(key);
    if (!cli_keys_undo(file, &why)) {
        cli_say("left behind, remove it by hand: %.*s", (int) why.len, why.ptr);
    }
}

static json_t *
text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : NULL;
}

enum cli_exit
cli_app_add(struct cli *cli)
{
    struct new_app       app  = { 0 };
    struct cli_keys_file file = { .fd = -1, .length = -1 };
    enum cli_exit        code = options_check(cli, &app);

    if (code != CLI_OK) {
        return code;
    }
    MYSQL *db = cli_sql_open(cli);
    if (db == NULL) {
        return CLI_FAILED;
    }
    secrets_make(&app);
    if (rows_insert(cli, db, &app) && cli_new_key_stage(cli, &app.key)
        && edge_tell(cli, &app.key, ph_str_z(app.app_id), app.merchant_id,
                     &file)
        && cli_sql_run(db, PH_STR("COMMIT")))
    {
        code = cli_new_key_place(cli, &app.key) ? CLI_OK : CLI_FAILED;
        cli_out(cli,
                json_pack("{s:s, s:s, s:s, s:o*, s:s}", "merchant_id",
                          app.merchant_id.ptr, "app_id", app.app_id, "key_id",
                          app.key.id, "secret", text_or_null(app.key.secret),
                          "webhook_secret", app.webhook));
        cli_control_look(cli);
    } else {
        code = CLI_FAILED; /* closing the connection rolls back */
        edge_untell(&app.key, &file);
    }
    cli_keys_close(&file);
    mysql_close(db);
    OPENSSL_cleanse(&app, sizeof(app));
    return code;
}

static json_t *
key_row(MYSQL_ROW row)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?}",
                     "key_id", row[0], "app_id", row[1], "merchant_id", row[2],
                     "alg", row[3], "schemes", row[4], "created_at", row[5],
                     "not_before", row[6], "not_after", row[7], "revoked_at",
                     row[8]);
}

enum cli_exit
cli_key_list(struct cli *cli)
{
    char          memory[SQL_MAX];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    const char   *app  = cli_args_value(&cli->args, "app");
    json_t       *list = json_array();
    enum cli_exit code = CLI_FAILED;
    MYSQL        *db   = cli_sql_open(cli);
    MYSQL_RES    *rows = NULL;

    if (db == NULL) {
        goto done;
    }
    ph_buf_add(&sql,
               PH_STR("SELECT k.id,k.app_id,a.merchant_id,k.alg,k.schemes,"
                      "DATE_FORMAT(k.created_at,'%Y-%m-%dT%H:%i:%sZ'),"
                      "DATE_FORMAT(k.not_before,'%Y-%m-%dT%H:%i:%sZ'),"
                      "DATE_FORMAT(k.not_after,'%Y-%m-%dT%H:%i:%sZ'),"
                      "DATE_FORMAT(k.revoked_at,'%Y-%m-%dT%H:%i:%sZ') "
                      "FROM app_key k JOIN app a ON a.id=k.app_id"));
    if (app != NULL) {
        ph_buf_add(&sql, PH_STR(" WHERE k.app_id="));
        cli_sql_quote(db, &sql, ph_str_z(app));
    }
    ph_buf_add(&sql, PH_STR(" ORDER BY k.created_at,k.id LIMIT 10000"));
    rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows == NULL) {
        goto done;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        (void) json_array_append_new(list, key_row(row));
    }
    code = CLI_OK;
    cli_out(cli, json_incref(list));

done:
    mysql_free_result(rows);
    json_decref(list);
    if (db != NULL) {
        mysql_close(db);
    }
    return code;
}

/* ---- key add, key revoke ---- */

/* the app's merchant; REFUSED when there is no such app, or it is disabled */
static enum cli_exit
app_merchant(MYSQL *db, const char *app, struct ph_buf *out)
{
    char          memory[512];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    enum cli_exit code = CLI_FAILED;

    ph_buf_add(&sql, PH_STR("SELECT merchant_id FROM app WHERE "
                            "status='active' AND id="));
    cli_sql_quote(db, &sql, ph_str_z(app));
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));

    if (rows != NULL) {
        MYSQL_ROW row = mysql_fetch_row(rows);

        code = row != NULL ? CLI_OK : CLI_REFUSED;
        if (row != NULL) {
            ph_buf_add(out, ph_str_z(row[0]));
            (void) ph_buf_z(out);
        } else {
            cli_say("--app: found %s, expected the id of an active app", app);
        }
    }
    mysql_free_result(rows);
    return code;
}

static enum cli_exit
key_add(struct cli *cli, MYSQL *db, struct cli_new_key *key, const char *app)
{
    struct cli_keys_file file = { .fd = -1, .length = -1 };
    char                 memory[CLI_TOKEN_MAX];
    struct ph_buf        merchant = PH_BUF_INIT(memory);
    enum cli_exit        code     = app_merchant(db, app, &merchant);

    if (code != CLI_OK) {
        return code;
    }
    if (cli_sql_run(db, PH_STR("START TRANSACTION"))
        && cli_new_key_insert(cli, db, key, app)
        && cli_sql_audit(db, "key.add", ph_str_z(key->id), ph_str_z(app))
        && cli_new_key_stage(cli, key)
        && edge_tell(cli, key, ph_str_z(app), ph_buf_str(&merchant), &file)
        && cli_sql_run(db, PH_STR("COMMIT")))
    {
        code = cli_new_key_place(cli, key) ? CLI_OK : CLI_FAILED;
        cli_out(cli, json_pack("{s:s, s:s, s:o*}", "app_id", app, "key_id",
                               key->id, "secret", text_or_null(key->secret)));
        cli_control_look(cli);
    } else {
        code = CLI_FAILED;
        edge_untell(key, &file);
    }
    cli_keys_close(&file);
    return code;
}

enum cli_exit
cli_key_add(struct cli *cli)
{
    static struct cli_new_key key;
    const char               *app = cli_args_value(&cli->args, "app");

    if (!ph_str_is_token(ph_str_z(app), 32)) {
        return cli_usage("--app: expected the id of an app");
    }
    enum cli_exit code = cli_new_key_take(cli, &key);

    if (code == CLI_OK) {
        MYSQL *db = cli_sql_open(cli);

        code = db != NULL ? key_add(cli, db, &key, app) : CLI_FAILED;
        if (db != NULL) {
            mysql_close(db);
        }
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return code;
}

static bool
key_revoke(MYSQL *db, const char *app, const char *key, bool *is_there)
{
    char          memory[1024], count[24];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf out = PH_BUF_INIT(count);

    /* a key that is revoked stays revoked since then */
    ph_buf_add(&sql, PH_STR("UPDATE app_key SET revoked_at=COALESCE("
                            "revoked_at,UTC_TIMESTAMP(3)),changed_at="
                            "UTC_TIMESTAMP(3),ver=ver+1 WHERE id="));
    cli_sql_quote(db, &sql, ph_str_z(key));
    ph_buf_add(&sql, PH_STR(" AND app_id="));
    cli_sql_quote(db, &sql, ph_str_z(app));
    if (sql.full || !cli_sql_run(db, PH_STR("START TRANSACTION"))
        || !cli_sql_run(db, ph_buf_str(&sql))
        || !cli_sql_text(db, PH_STR("SELECT ROW_COUNT()"), &out))
    {
        return false;
    }
    *is_there = ph_str_eq(ph_buf_str(&out), PH_STR("1"));
    return cli_sql_audit(db, "key.revoke", ph_str_z(key), ph_str_z(app))
           && cli_sql_run(db,
                          *is_there ? PH_STR("COMMIT") : PH_STR("ROLLBACK"));
}

enum cli_exit
cli_key_revoke(struct cli *cli)
{
    const char *app      = cli_args_value(&cli->args, "app");
    const char *key      = cli_args_value(&cli->args, "key");
    bool        is_there = false;

    if (!ph_str_is_token(ph_str_z(app), 32)
        || !ph_str_is_token(ph_str_z(key), 32)) {
        return cli_usage("expected --app and --key, both ids");
    }
    MYSQL *db = cli_sql_open(cli);
    bool   ok = db != NULL && key_revoke(db, app, key, &is_there);

    if (db != NULL) {
        mysql_close(db);
    }
    if (!ok) {
        return CLI_FAILED;
    }
    if (!is_there) {
        cli_say("found no key %s of app %s; `payhub key list` shows them", key,
                app);
        return CLI_REFUSED;
    }
    if (ph_conf_text(&cli->conf, PH_CONF_admin_keys_file)[0] != '\0') {
        cli_say("a line of it in %s stands until it is taken out and nginx "
                "reloads",
                ph_conf_text(&cli->conf, PH_CONF_admin_keys_file));
    }
    cli_out(cli, json_pack("{s:s, s:s, s:b}", "app_id", app, "key_id", key,
                           "revoked", 1));
    cli_control_look(cli);
    return CLI_OK;
}

/*
 * app.c - `payhub app add` and `key list`.
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

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/keys_file.h"
#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/seal.h"
#include "libpayhub/wire/webhook.h"

#define NAME_LEN_MAX 128 /* code points */
#define SQL_MAX 8192
#define RANDOM_LEN 16 /* characters in an id: 96 bits */
#define SEALED_MAX 512

struct new_app {
    struct ph_str merchant_id;
    struct ph_str name;
    char          app_id[CLI_TOKEN_MAX];
    char          key_id[CLI_TOKEN_MAX];
    char          secret[CLI_HMAC_TEXT_LEN + 1];
    char          webhook[64];
    char          staged[PATH_MAX]; /* --secret-out until the commit, or "" */
};

static enum cli_exit
options_check(struct cli *cli, struct new_app *app)
{
    const struct cli_args *args   = &cli->args;
    const char            *alg    = cli_args_value(args, "alg");
    const char            *scheme = NULL;
    size_t                 at     = 0;

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
    if (alg != NULL && strcmp(alg, "hmac-sha256") != 0) {
        return cli_usage("--alg: not available yet: found %s, expected "
                         "hmac-sha256",
                         alg);
    }
    if (cli_args_has(args, "public-key")) {
        return cli_usage("--public-key: not available yet: found a public key, "
                         "expected hmac-sha256");
    }
    while ((scheme = cli_args_next(args, "scheme", &at)) != NULL) {
        if (strcmp(scheme, "payhub-v3") != 0) {
            return cli_usage("--scheme: not available yet: found %s, expected "
                             "payhub-v3 (with hmac-sha256)",
                             scheme);
        }
    }
    return CLI_OK;
}

static void
secrets_make(struct new_app *app)
{
    uint8_t       raw[PH_WEBHOOK_SECRET_RAW];
    struct ph_buf text;

    cli_token(app->app_id, sizeof(app->app_id), "app_", RANDOM_LEN);
    cli_token(app->key_id, sizeof(app->key_id), "key_", RANDOM_LEN);
    cli_token(app->secret, sizeof(app->secret), "", CLI_HMAC_TEXT_LEN);
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
key_insert(struct cli *cli, MYSQL *db, const struct new_app *app)
{
    char          memory[SQL_MAX], sealed[SEALED_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf box = PH_BUF_INIT(sealed);

    if (!cli_seal(cli, &box, "app_key", app->key_id, "secret",
                  ph_str_z(app->secret)))
    {
        return false;
    }
    ph_buf_add(&sql, PH_STR("INSERT INTO app_key (id,app_id,alg,schemes,secret,"
                            "created_at) VALUES ("));
    cli_sql_quote(db, &sql, ph_str_z(app->key_id));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(app->app_id));
    ph_buf_add(&sql, PH_STR(",'hmac-sha256','payhub-v3',"));
    cli_sql_bytes(&sql, ph_buf_str(&box));
    ph_buf_add(&sql, PH_STR(",UTC_TIMESTAMP(3))"));
    return sql_done(db, &sql);
}

static bool
rows_insert(struct cli *cli, MYSQL *db, const struct new_app *app)
{
    char detail[128];

    (void) snprintf(
        detail, sizeof(detail), "{\"merchant_id\":\"%.*s\",\"key_id\":\"%s\"}",
        (int) app->merchant_id.len, app->merchant_id.ptr, app->key_id);
    return cli_sql_run(db, PH_STR("START TRANSACTION"))
           && merchant_insert(db, app) && app_insert(cli, db, app)
           && key_insert(cli, db, app)
           && cli_sql_audit(db, "app.add", ph_str_z(app->app_id),
                            ph_str_z(detail));
}

/*
 * --secret-out, written beside its place before the commit like everything
 * that may fail: a secret that stands there already is lost by no failure.
 */
static bool
secret_stage(const struct cli *cli, struct new_app *app)
{
    const char   *path = cli_args_value(&cli->args, "secret-out");
    char          memory[CLI_WHY_MAX], text[CLI_HMAC_TEXT_LEN + 2];
    struct ph_buf why = PH_BUF_INIT(memory);
    struct stat   st;

    if (path == NULL) {
        return true;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        cli_say("--secret-out: found %s, which is no file", path);
        return false;
    }
    if (snprintf(app->staged, sizeof(app->staged), "%s.new", path)
        >= (int) sizeof(app->staged))
    {
        app->staged[0] = '\0';
        cli_say("--secret-out: found too long a path");
        return false;
    }
    (void) snprintf(text, sizeof(text), "%s\n", app->secret);
    bool ok = ph_file_replace(app->staged, ph_str_z(text), 0600, &why);
    OPENSSL_cleanse(text, sizeof(text));
    if (!ok) {
        cli_say("%.*s", (int) why.len, why.ptr);
        app->staged[0] = '\0';
    }
    return ok;
}

/* the app stands by now: what fails here is said, not taken back */
static bool
secret_place(const struct cli *cli, const struct new_app *app)
{
    const char *path = cli_args_value(&cli->args, "secret-out");

    if (path == NULL || rename(app->staged, path) == 0) {
        return true;
    }
    cli_say("the app is made, its secret stands in %s: %s: %s", app->staged,
            path, strerror(errno));
    return false;
}

static bool
edge_tell(struct cli *cli, const struct new_app *app,
          struct cli_keys_file *file)
{
    const char   *path = ph_conf_text(&cli->conf, PH_CONF_admin_keys_file);
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (path[0] == '\0') {
        cli_say("admin.keys_file is not set: no payhub_key line was written");
        return true;
    }
    if (cli_keys_open(file, path, &why)
        && cli_keys_add(file, ph_str_z(app->key_id), ph_str_z(app->app_id),
                        app->merchant_id, ph_str_z(app->secret), &why))
    {
        return true;
    }
    cli_say("%.*s", (int) why.len, why.ptr);
    return false;
}

static void
edge_untell(const struct new_app *app, struct cli_keys_file *file)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (app->staged[0] != '\0' && unlink(app->staged) != 0) {
        cli_say("left behind, remove it by hand: %s", app->staged);
    }
    if (!cli_keys_undo(file, &why)) {
        cli_say("left behind, remove it by hand: %.*s", (int) why.len, why.ptr);
    }
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
    if (rows_insert(cli, db, &app) && secret_stage(cli, &app)
        && edge_tell(cli, &app, &file) && cli_sql_run(db, PH_STR("COMMIT")))
    {
        code = secret_place(cli, &app) ? CLI_OK : CLI_FAILED;
        cli_out(cli, json_pack("{s:s, s:s, s:s, s:s, s:s}", "merchant_id",
                               app.merchant_id.ptr, "app_id", app.app_id,
                               "key_id", app.key_id, "secret", app.secret,
                               "webhook_secret", app.webhook));
    } else {
        code = CLI_FAILED; /* closing the connection rolls back */
        edge_untell(&app, &file);
    }
    cli_keys_close(&file);
    mysql_close(db);
    OPENSSL_cleanse(&app, sizeof(app));
    return code;
}

static json_t *
key_row(MYSQL_ROW row)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "key_id", row[0],
                     "app_id", row[1], "merchant_id", row[2], "alg", row[3],
                     "schemes", row[4], "created_at", row[5], "revoked_at",
                     row[6]);
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

/*
 * channel_add.c - `payhub channel add FILE`: a declared channel, live.
 *
 * The file is compiled and its tapes are played before a row is written.
 * Accounts that the channel has already must be whole and readable by the new
 * file.
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "channels/fields.h"
#include "cli/channel_file.h"
#include "cli/channels.h"
#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/digest.h"

#define SECRETS_MAX 16000
#define READ_MAX (256 * 1024) /* for the channel to read keys in */
#define SQL_MAX (4 * PH_DECLARED_FILE_MAX)

/* ---- accounts that there are ---- */

static struct ph_str
value_of(const json_t *settings, const json_t *secrets,
         const struct ph_channel_field *field)
{
    const json_t *value
        = json_object_get(field->secret ? secrets : settings, field->key);

    return ph_str_make(json_string_value(value), json_string_length(value));
}

/* Whether the channel reads what the account has, as workers will. */
static enum cli_exit
values_read(struct cli *cli, const struct ph_channel *channel, const char *id,
            const json_t *settings, const json_t *secrets)
{
    static char               memory[READ_MAX];
    struct ph_channel_account face = { .id = ph_str_z(id), .channel = channel };
    const struct ph_channel_env *env = cli_channel_env(cli);
    const char                  *why = NULL;
    struct ph_arena              arena;

    if (env == NULL) {
        return CLI_FAILED;
    }
    for (size_t i = 0; i < channel->field_count; i++) {
        face.values[i] = value_of(settings, secrets, &channel->fields[i]);
        if (channel->fields[i].required && face.values[i].ptr == NULL) {
            return cli_usage("account %s has no %s, which the file asks for: "
                             "set it first, or make it optional",
                             id, channel->fields[i].key);
        }
    }
    ph_arena_init(&arena, memory, sizeof(memory));
    why = ph_channel_values_check(channel, face.values, &arena);
    if (why == NULL
        && ph_channel_account_open(&face, env, ph_now_ms(), &arena, &why))
    {
        ph_channel_account_close(&face);
        why = NULL;
    }
    enum cli_exit code
        = why == NULL ? CLI_OK : cli_usage("account %s: %s", id, why);

    OPENSSL_cleanse(memory, sizeof(memory));
    return code;
}

static enum cli_exit
account_check(struct cli *cli, const struct ph_channel *channel, MYSQL_ROW row,
              const unsigned long *lengths)
{
    static char   plain[SECRETS_MAX];
    struct ph_buf text = PH_BUF_INIT(plain);
    json_t       *settings, *secrets;
    enum cli_exit code;

    if (!cli_unseal(cli, &text, "channel_account", row[0], "secrets",
                    ph_str_make(row[2], lengths[2])))
    {
        return CLI_FAILED;
    }
    settings = json_loads(row[1], JSON_REJECT_DUPLICATES, NULL);
    secrets  = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    OPENSSL_cleanse(plain, sizeof(plain));
    code = values_read(cli, channel, row[0], settings, secrets);
    json_decref(settings);
    json_decref(secrets);
    return code;
}

static enum cli_exit
accounts_check(struct cli *cli, MYSQL *db, const struct ph_channel *channel)
{
    char          memory[512];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    enum cli_exit code = CLI_OK;

    ph_buf_add(&sql, PH_STR("SELECT id,settings,secrets FROM channel_account "
                            "WHERE channel="));
    cli_sql_quote(db, &sql, ph_str_z(channel->name));
    ph_buf_add(&sql, PH_STR(" ORDER BY id LIMIT 10000"));
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));

    if (rows == NULL) {
        return CLI_FAILED;
    }
    for (MYSQL_ROW row;
         code == CLI_OK && (row = mysql_fetch_row(rows)) != NULL;) {
        code = account_check(cli, channel, row, mysql_fetch_lengths(rows));
    }
    mysql_free_result(rows);
    return code;
}

/* ---- the row ---- */

/* in a transaction that is left open */
static bool
row_write(MYSQL *db, const struct ph_channel *channel, struct ph_str body)
{
    static char   memory[SQL_MAX];
    uint8_t       digest[PH_SHA256_LEN];
    struct ph_buf sql = PH_BUF_INIT(memory);

    if (!ph_sha256(&body, 1, digest)) {
        return false;
    }
    ph_buf_add(&sql, PH_STR("INSERT INTO channel_file (name,body,digest,status,"
                            "created_at,updated_at) VALUES ("));
    cli_sql_quote(db, &sql, ph_str_z(channel->name));
    /* as hexadecimal: it is longer than a quoted text may be */
    ph_buf_add(&sql, PH_STR(",CONVERT("));
    cli_sql_bytes(&sql, body);
    ph_buf_add(&sql, PH_STR(" USING utf8mb4),"));
    cli_sql_bytes(&sql, ph_str_make((const char *) digest, sizeof(digest)));
    ph_buf_add(&sql, PH_STR(",'active',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3)) ON "
                            "DUPLICATE KEY UPDATE body=VALUES(body),"
                            "digest=VALUES(digest),status='active',"
                            "updated_at=UTC_TIMESTAMP(3),ver=ver+1"));
    if (sql.full) {
        cli_say("found a file that makes too long a statement");
        return false;
    }
    return cli_sql_run(db, PH_STR("START TRANSACTION"))
           && cli_sql_run(db, ph_buf_str(&sql))
           && cli_sql_audit(db, "channel.add", ph_str_z(channel->name),
                            PH_STR(""));
}

/* ---- names and methods of others ---- */

static enum cli_exit
methods_check(const struct ph_channel *channel, const struct ph_channel *other)
{
    for (size_t i = 0; other->methods[i] != NULL; i++) {
        for (size_t k = 0; channel->methods[k] != NULL; k++) {
            if (strcmp(other->methods[i], channel->methods[k]) == 0) {
                return cli_usage("found the method %s, which is %s's",
                                 channel->methods[k], other->name);
            }
        }
    }
    return CLI_OK;
}

/* a shared object of pay.channel_dir may have the name or a method */
static enum cli_exit
loaded_check(struct cli *cli, const struct ph_channel *channel)
{
    const struct ph_channel *other;
    enum cli_exit            code = CLI_OK;

    for (size_t i = 0;
         code == CLI_OK && (other = cli_channel_at(cli, i)) != NULL; i++)
    {
        code = strcmp(other->name, channel->name) == 0
                   ? cli_usage("found the name %s, expected one that no "
                               "channel of this installation has",
                               channel->name)
                   : methods_check(channel, other);
    }
    return code;
}

/* "a_b_c" may be a method of channel "a" and of channel "a_b" */
static enum cli_exit
declared_check(MYSQL *db, const struct ph_channel *channel)
{
    char          memory[512], says[PH_DECLARED_WHY_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory), why = PH_BUF_INIT(says);
    enum cli_exit code = CLI_OK;

    ph_buf_add(&sql, PH_STR("SELECT body FROM channel_file WHERE name<>"));
    cli_sql_quote(db, &sql, ph_str_z(channel->name));
    ph_buf_add(&sql, PH_STR(" ORDER BY name LIMIT 1000"));
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));

    if (rows == NULL) {
        return CLI_FAILED;
    }
    for (MYSQL_ROW row;
         code == CLI_OK && (row = mysql_fetch_row(rows)) != NULL;) {
        struct ph_declared *other = ph_declared_open(
            ph_str_make(row[0], mysql_fetch_lengths(rows)[0]), &why);

        if (other != NULL) { /* a bad one offers nothing */
            code = methods_check(channel, ph_declared_channel(other));
            ph_declared_close(other);
        }
    }
    mysql_free_result(rows);
    return code;
}

/* Workers take so many, with those of pay.channel_dir, and no more. */
static enum cli_exit
room_check(struct cli *cli, MYSQL *db, const struct ph_channel *channel)
{
    char          memory[256];
    struct ph_buf sql    = PH_BUF_INIT(memory);
    size_t        loaded = 0;
    MYSQL_RES    *rows;
    MYSQL_ROW     row;
    uint64_t      count = PH_CHANNEL_LOADED_MAX;

    while (cli_channel_at(cli, loaded) != NULL) {
        loaded++;
    }
    for (size_t i = 0; ph_channel_at(i) != NULL; i++) {
        loaded--; /* those that are built in are listed, too */
    }
    ph_buf_add(&sql, PH_STR("SELECT COUNT(*) FROM channel_file WHERE "
                            "status='active' AND name<>"));
    cli_sql_quote(db, &sql, ph_str_z(channel->name));
    rows = cli_sql_rows(db, ph_buf_str(&sql));
    row  = rows != NULL ? mysql_fetch_row(rows) : NULL;
    if (row == NULL || !ph_str_u64(ph_str_z(row[0]), UINT32_MAX, &count)) {
        mysql_free_result(rows);
        return CLI_FAILED;
    }
    mysql_free_result(rows);
    return count + loaded < PH_CHANNEL_LOADED_MAX
               ? CLI_OK
               : cli_usage("found %d channels of files and shared objects, "
                           "expected room for one more; `payhub channel "
                           "remove` makes some",
                           (int) (count + loaded));
}

static enum cli_exit
file_add(struct cli *cli, const struct cli_channel_file *file)
{
    const struct ph_channel *channel = ph_declared_channel(file->declared);
    enum cli_exit            code    = loaded_check(cli, channel);
    MYSQL                   *db;

    if (code != CLI_OK) {
        return code;
    }
    db = cli_sql_open(cli);
    if (db == NULL) {
        return CLI_FAILED;
    }
    code = declared_check(db, channel);
    code = code == CLI_OK ? room_check(cli, db, channel) : code;
    if (code == CLI_OK && !row_write(db, channel, file->body)) {
        code = CLI_FAILED;
    }
    /* behind the row: who changes an account keeps that until he has */
    code = code == CLI_OK ? accounts_check(cli, db, channel) : code;
    if (code == CLI_OK && !cli_sql_run(db, PH_STR("COMMIT"))) {
        code = CLI_FAILED;
    }
    mysql_close(db);
    return code;
}

static json_t *
methods_list(const struct ph_channel *channel)
{
    json_t *list = json_array();

    for (size_t i = 0; channel->methods[i] != NULL; i++) {
        (void) json_array_append_new(list, json_string(channel->methods[i]));
    }
    return list;
}

enum cli_exit
cli_channel_add(struct cli *cli)
{
    static struct cli_channel_file file;
    const char                    *path  = cli->args.words[0];
    json_t                        *tapes = json_array();
    enum cli_exit                  code  = cli_channel_file_open(&file, path);

    if (code != CLI_OK) {
        json_decref(tapes);
        return code;
    }
    if (!cli_args_has(&cli->args, "no-tapes")) {
        code = cli_channel_tapes(cli, &file, path, tapes);
        if (code == CLI_DIFFERS
            || (code == CLI_USAGE && json_array_size(tapes) != 0)) {
            cli_say("%s: its tapes do not play; `payhub channel test` shows "
                    "where",
                    path);
        }
    }
    code = code == CLI_OK ? file_add(cli, &file) : code;
    if (code == CLI_OK) {
        const struct ph_channel *channel = ph_declared_channel(file.declared);

        cli_out(cli, json_pack("{s:s, s:o, s:I}", "channel", channel->name,
                               "methods", methods_list(channel), "tapes",
                               (json_int_t) json_array_size(tapes)));
    }
    ph_declared_close(file.declared);
    json_decref(tapes);
    return code;
}

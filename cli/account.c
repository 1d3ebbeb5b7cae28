/*
 * account.c - `payhub channel account add|set`.
 *
 * Keys are those of the adapter's fields[], and the adapter reads the values
 * before they are stored.  Settings are stored as one JSON object, secrets as
 * another, sealed for the row.  A secret comes from a file only: argv is
 * visible to every process of the host.
 */
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "channels/fields.h"
#include "cli/channels.h"
#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/b64.h"

#define KEY_LEN_MAX 64
#define NAME_LEN_MAX 128
#define WEIGHT_MAX 1000
#define JSON_MAX 16000 /* of settings, of secrets */
#define SQL_MAX (8 * JSON_MAX)
#define RANDOM_LEN 16
#define DER_SEQUENCE 0x30
#define READ_MAX (256 * 1024) /* for the adapter to read keys in */

struct account {
    char          id[CLI_TOKEN_MAX];
    struct ph_str channel;
    json_t       *settings;
    json_t       *secrets;
    uint64_t      weight;

    const struct ph_channel    *face; /* the adapter */
    struct cli_channel_file_row file; /* that it was read from */
    bool                        has_new_values;
};

/* The value of a file, less one LF at its end.  A bank's key file is kept as
 * base64. */
static enum cli_exit
file_take(const struct ph_channel_field *row, const char *path,
          struct ph_buf *out)
{
    char          memory[CLI_VALUE_FILE_MAX], says[CLI_WHY_MAX];
    struct ph_buf file = PH_BUF_INIT(memory);
    struct ph_buf why  = PH_BUF_INIT(says);
    bool          ok   = row->secret ? cli_secret_file(path, &file, &why)
                                     : ph_file_read(path, &file, &why);

    if (ok && row->kind == PH_VALUE_PFX && file.len > 0
        && file.ptr[0] == DER_SEQUENCE)
    {
        ph_buf_cut(&file, 0); /* whole: an LF at its end is one of its bytes */
        ok = ph_file_read(path, &file, &why);
        ph_b64_encode(out, ph_buf_str(&file));
    } else {
        if (file.len > 0 && file.ptr[file.len - 1] == '\n' && !row->secret) {
            file.len--; /* a secret has lost it already */
        }
        ph_buf_add(out, ph_buf_str(&file));
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return ok ? CLI_OK
              : cli_usage("%s: %.*s", row->key, (int) why.len, why.ptr);
}

/* the field that "key=..." names, given as a secret or not; NULL = said why */
static const struct ph_channel_field *
field_of(const struct account *account, struct ph_str key, bool secret_option)
{
    size_t at = 0;

    if (!ph_channel_field_find(account->face, key, &at)) {
        (void) cli_usage("found the unknown key %.*s for channel %.*s",
                         (int) key.len, key.ptr, (int) account->channel.len,
                         account->channel.ptr);
        return NULL;
    }
    const struct ph_channel_field *row = &account->face->fields[at];

    if (row->secret != secret_option) {
        (void) cli_usage("%s is %s: expected %s", row->key,
                         row->secret ? "a secret" : "no secret",
                         row->secret ? "--secret KEY=@FILE"
                                     : "--set KEY=VALUE");
        return NULL;
    }
    return row;
}

static enum cli_exit
value_store(struct account *account, const struct ph_channel_field *row,
            struct ph_str value)
{
    json_t *object = row->secret ? account->secrets : account->settings;

    if (value.len == 0 || ph_str_utf8_count(value) == SIZE_MAX
        || memchr(value.ptr, '\0', value.len) != NULL)
    {
        return cli_usage("%s: expected a value of UTF-8 text", row->key);
    }
    if (json_object_get(object, row->key) != NULL) {
        return cli_usage("found %s twice, expected it once", row->key);
    }
    return json_object_set_new(object, row->key,
                               json_stringn(value.ptr, value.len))
                   == 0
               ? CLI_OK
               : CLI_FAILED;
}

/* reads "key=value" or "key=@FILE" into one of the two objects */
static enum cli_exit
pair_take(struct account *account, const char *text, bool secret_option)
{
    char          memory[PH_B64_LEN(CLI_VALUE_FILE_MAX)];
    struct ph_buf file = PH_BUF_INIT(memory);
    struct ph_str key, value;
    enum cli_exit code = CLI_OK;

    if (!ph_str_cut(ph_str_z(text), '=', &key, &value) || key.len > KEY_LEN_MAX)
    {
        return cli_usage("found '%.*s', expected KEY=VALUE",
                         secret_option ? 0 : 64, text);
    }
    const struct ph_channel_field *row = field_of(account, key, secret_option);

    if (row == NULL) {
        return CLI_USAGE;
    }
    if (ph_str_starts(value, PH_STR("@"))) {
        code  = file_take(row, value.ptr + 1, &file);
        value = ph_buf_str(&file);
    } else if (row->secret) {
        return cli_usage("%s: a secret in the command line is seen by every "
                         "process of this host; put it in a file (0600) and "
                         "say %s=@FILE",
                         row->key, row->key);
    }
    code = code != CLI_OK ? code : value_store(account, row, value);
    OPENSSL_cleanse(memory, sizeof(memory));
    return code;
}

static enum cli_exit
pairs_take(const struct cli *cli, struct account *account, const char *option)
{
    bool        secret = strcmp(option, "secret") == 0;
    size_t      at     = 0;
    const char *text;

    while ((text = cli_args_next(&cli->args, option, &at)) != NULL) {
        enum cli_exit code = pair_take(account, text, secret);
        if (code != CLI_OK) {
            return code;
        }
    }
    return CLI_OK;
}

static enum cli_exit
missing_check(const struct account *account)
{
    for (size_t i = 0; i < account->face->field_count; i++) {
        const struct ph_channel_field *row = &account->face->fields[i];

        if (row->required && row->one_of == NULL
            && json_object_get(account->settings, row->key) == NULL
            && json_object_get(account->secrets, row->key) == NULL)
        {
            return cli_usage("%s is missing: expected --%s %s=%s (%s)",
                             row->key, row->secret ? "secret" : "set", row->key,
                             row->secret ? "@FILE" : "VALUE", row->meaning);
        }
    }
    return CLI_OK;
}

/* What of one object is too long to be stored. */
static enum cli_exit
size_check(json_t *object)
{
    char       *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    size_t      len = text != NULL ? strlen(text) : 0, longest = 0;
    const char *key, *at                                       = "";
    json_t     *value;

    json_object_foreach(object, key, value)
    {
        if (json_string_length(value) > longest) {
            longest = json_string_length(value);
            at      = key;
        }
    }
    if (text != NULL) {
        OPENSSL_cleanse(text, len);
    }
    free(text);
    return len <= JSON_MAX
               ? CLI_OK
               : cli_usage(
                   "%s: found %zu bytes, and %zu with the values beside "
                   "it; expected at most %d in all",
                   at, longest, len, JSON_MAX);
}

/* Whether the adapter can read what is to be stored. */
static enum cli_exit
values_check(struct cli *cli, const struct account *account)
{
    static char               memory[READ_MAX];
    struct ph_arena           arena;
    struct ph_channel_account face
        = { .id = ph_str_z(account->id), .channel = account->face };
    const char   *why  = NULL;
    enum cli_exit code = missing_check(account);

    code = code != CLI_OK ? code : size_check(account->settings);
    code = code != CLI_OK ? code : size_check(account->secrets);
    if (code != CLI_OK) {
        return code;
    }
    for (size_t i = 0; i < account->face->field_count; i++) {
        const struct ph_channel_field *row   = &account->face->fields[i];
        const json_t                  *value = json_object_get(
                             row->secret ? account->secrets : account->settings, row->key);

        face.values[i]
            = ph_str_make(json_string_value(value), json_string_length(value));
    }
    ph_arena_init(&arena, memory, sizeof(memory));
    why = ph_channel_values_check(face.channel, face.values, &arena);
    if (why != NULL) {
        code = cli_usage("%s", why);
    } else {
        const struct ph_channel_env *env = cli_channel_env(cli);

        if (env == NULL) {
            code = CLI_FAILED;
        } else if (ph_channel_account_open(&face, env, ph_now_ms(), &arena,
                                           &why)) {
            ph_channel_account_close(&face);
        } else {
            code = cli_usage("%s", why);
        }
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return code;
}

static enum cli_exit
weight_take(const struct cli *cli, struct account *account)
{
    const char *text = cli_args_value(&cli->args, "weight");

    if (text != NULL
        && !ph_str_u64(ph_str_z(text), WEIGHT_MAX, &account->weight)) {
        return cli_usage("--weight: found %s, expected 0-%d", text, WEIGHT_MAX);
    }
    return CLI_OK;
}

static enum cli_exit
name_check(const struct cli *cli)
{
    struct ph_str name  = ph_str_z(cli_args_value(&cli->args, "name"));
    size_t        count = ph_str_utf8_count(name);

    if (count == 0 || count > NAME_LEN_MAX || ph_str_has_control(name)) {
        return cli_usage("--name: expected 1-%d characters of UTF-8 without "
                         "control characters",
                         NAME_LEN_MAX);
    }
    return CLI_OK;
}

/* the secrets' object, sealed for this row */
static bool
secrets_seal(struct cli *cli, const struct account *account,
             struct ph_buf *sealed)
{
    char *text = json_dumps(account->secrets, JSON_COMPACT | JSON_SORT_KEYS);
    bool  ok   = text != NULL
              && cli_seal(cli, sealed, "channel_account", account->id,
                          "secrets", ph_str_z(text));

    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
    return ok;
}

static bool
settings_add(MYSQL *db, struct ph_buf *sql, const struct account *account)
{
    char *text = json_dumps(account->settings, JSON_COMPACT | JSON_SORT_KEYS);

    if (text == NULL) {
        return false;
    }
    cli_sql_quote(db, sql, ph_str_z(text));
    free(text);
    return true;
}

static bool
app_exists(MYSQL *db, const char *app)
{
    char          memory[512], count[24];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf out = PH_BUF_INIT(count);

    ph_buf_add(&sql, PH_STR("SELECT COUNT(*) FROM app WHERE id="));
    cli_sql_quote(db, &sql, ph_str_z(app));
    if (sql.full || !cli_sql_text(db, ph_buf_str(&sql), &out)
        || !ph_str_eq(ph_buf_str(&out), PH_STR("1")))
    {
        cli_say("--app: found %s, expected the id of an app", app);
        return false;
    }
    return true;
}

static bool
sql_done(MYSQL *db, const struct ph_buf *sql)
{
    if (sql->full) {
        cli_say("found settings and secrets over %d bytes", JSON_MAX);
        return false;
    }
    return cli_sql_run(db, ph_buf_str(sql));
}

/* Workers read so many, drained ones too, and none beyond. */
static enum cli_exit
room_check(MYSQL *db)
{
    char          text[24];
    struct ph_buf out   = PH_BUF_INIT(text);
    uint64_t      count = 0;

    if (!cli_sql_text(db, PH_STR("SELECT COUNT(*) FROM channel_account"), &out)
        || !ph_str_u64(ph_buf_str(&out), UINT32_MAX, &count))
    {
        return CLI_FAILED;
    }
    return count < PH_CHANNEL_ACCOUNTS_MAX
               ? CLI_OK
               : cli_usage("found %d accounts, drained ones too, expected "
                           "room for one more of %d",
                           (int) count, PH_CHANNEL_ACCOUNTS_MAX);
}

static enum cli_exit
account_insert(struct cli *cli, MYSQL *db, const struct account *account)
{
    static char   memory[SQL_MAX], box[JSON_MAX];
    struct ph_buf sql    = PH_BUF_INIT(memory);
    struct ph_buf sealed = PH_BUF_INIT(box);
    const char   *app    = cli_args_value(&cli->args, "app");
    enum cli_exit code;

    if ((app != NULL && !app_exists(db, app))
        || !secrets_seal(cli, account, &sealed))
    {
        return CLI_FAILED;
    }
    ph_buf_add(&sql, PH_STR("INSERT INTO channel_account (id,channel,name,"
                            "app_id,weight,status,settings,secrets,created_at,"
                            "updated_at) VALUES ("));
    cli_sql_quote(db, &sql, ph_str_z(account->id));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, account->channel);
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(cli_args_value(&cli->args, "name")));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(app != NULL ? app : ""));
    ph_buf_byte(&sql, ',');
    ph_buf_u64(&sql, account->weight);
    ph_buf_add(&sql, PH_STR(",'active',"));
    if (!settings_add(db, &sql, account)
        || !cli_sql_run(db, PH_STR("START TRANSACTION")))
    {
        return CLI_FAILED;
    }
    code = room_check(db);
    code = code == CLI_OK
               ? cli_channel_keep(db, account->channel, &account->file)
               : code;
    ph_buf_byte(&sql, ',');
    cli_sql_bytes(&sql, ph_buf_str(&sealed));
    ph_buf_add(&sql, PH_STR(",UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))"));
    return code != CLI_OK ? code
           : sql_done(db, &sql)
                   && cli_sql_audit(db, "account.add", ph_str_z(account->id),
                                    account->channel)
                   && cli_sql_run(db, PH_STR("COMMIT"))
               ? CLI_OK
               : CLI_FAILED;
}

enum cli_exit
cli_account_add(struct cli *cli)
{
    struct account account = { .channel  = ph_str_z(cli->args.words[0]),
                               .settings = json_object(),
                               .secrets  = json_object(),
                               .weight   = 1 };
    enum cli_exit  code
        = cli_channel_find(cli, account.channel, &account.face, &account.file);

    if (code == CLI_OK && account.file.is_withdrawn) {
        code = cli_usage("channel %s is withdrawn: expected one that takes "
                         "accounts",
                         cli->args.words[0]);
    }

    code = code != CLI_OK ? code : name_check(cli);
    code = code != CLI_OK ? code : weight_take(cli, &account);
    code = code != CLI_OK ? code : pairs_take(cli, &account, "set");
    code = code != CLI_OK ? code : pairs_take(cli, &account, "secret");
    code = code != CLI_OK ? code : values_check(cli, &account);
    if (code == CLI_OK) {
        MYSQL *db = cli_sql_open(cli);
        code      = CLI_FAILED;
        cli_token(account.id, sizeof(account.id), "acc_", RANDOM_LEN);
        if (db != NULL) {
            code = account_insert(cli, db, &account);
        }
        if (code == CLI_OK) {
            cli_out(cli, json_pack("{s:s}", "account_id", account.id));
        }
        if (db != NULL) {
            mysql_close(db);
        }
    }
    json_decref(account.settings);
    json_decref(account.secrets);
    return code;
}

/* locks and reads the row into `account`; the texts stay in *rows */
static enum cli_exit
account_load(struct cli *cli, MYSQL *db, struct account *account,
             MYSQL_RES **rows)
{
    static char   memory[1024], plain[JSON_MAX];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    struct ph_buf text = PH_BUF_INIT(plain);
    const char   *id   = cli->args.words[0];

    if (!ph_str_is_token(ph_str_z(id), 32)) {
        return cli_usage("found %s, expected an account id", id);
    }
    struct ph_buf copy;
    ph_buf_init(&copy, account->id, sizeof(account->id));
    ph_buf_add(&copy, ph_str_z(id));
    (void) ph_buf_z(&copy);
    ph_buf_add(&sql, PH_STR("SELECT channel,weight,settings,secrets FROM "
                            "channel_account WHERE id="));
    cli_sql_quote(db, &sql, ph_str_z(id));
    ph_buf_add(&sql, PH_STR(" FOR UPDATE"));
    if (!cli_sql_run(db, PH_STR("START TRANSACTION"))) {
        return CLI_FAILED;
    }
    *rows         = cli_sql_rows(db, ph_buf_str(&sql));
    MYSQL_ROW row = *rows != NULL ? mysql_fetch_row(*rows) : NULL;
    if (row == NULL) {
        cli_say("found no account %s; `payhub channel account list` shows them",
                id);
        return CLI_REFUSED;
    }
    unsigned long *lengths = mysql_fetch_lengths(*rows);
    account->channel       = ph_str_z(row[0]);
    (void) ph_str_u64(ph_str_z(row[1]), UINT32_MAX, &account->weight);
    account->settings = json_loads(row[2], JSON_REJECT_DUPLICATES, NULL);
    if (!cli_unseal(cli, &text, "channel_account", id, "secrets",
                    ph_str_make(row[3], lengths[3])))
    {
        return CLI_FAILED;
    }
    account->secrets
        = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    OPENSSL_cleanse(plain, sizeof(plain));
    if (account->settings == NULL || account->secrets == NULL) {
        cli_say("account %s: found settings that are no JSON object", id);
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* --unset KEY: out of the stored ones */
static enum cli_exit
unset_take(const struct cli *cli, struct account *account)
{
    size_t      at = 0, row = 0;
    const char *key;

    while ((key = cli_args_next(&cli->args, "unset", &at)) != NULL) {
        json_t *object = account->settings;

        if (!ph_channel_field_find(account->face, ph_str_z(key), &row)) {
            return cli_usage("--unset: found %s, expected a key of channel %s",
                             key, account->face->name);
        }
        if (account->face->fields[row].secret) {
            object = account->secrets;
        }
        if (json_object_del(object, key) != 0) {
            return cli_usage("--unset: found %s, expected a key that the "
                             "account has",
                             key);
        }
        account->has_new_values = true;
    }
    return CLI_OK;
}

/* the options' pairs over the stored ones: a key may be given once */
static enum cli_exit
changes_take(const struct cli *cli, struct account *account)
{
    struct account change = { .channel  = account->channel,
                              .face     = account->face,
                              .settings = json_object(),
                              .secrets  = json_object(),
                              .weight   = account->weight };
    enum cli_exit  code   = weight_take(cli, &change);

    for (size_t i = 1; code == CLI_OK && i < cli->args.word_count; i++) {
        code = pair_take(&change, cli->args.words[i], false);
    }
    code = code != CLI_OK ? code : pairs_take(cli, &change, "set");
    code = code != CLI_OK ? code : pairs_take(cli, &change, "secret");
    if (code == CLI_OK
        && (json_object_update(account->settings, change.settings) != 0
            || json_object_update(account->secrets, change.secrets) != 0))
    {
        code = CLI_FAILED;
    }
    account->weight         = change.weight;
    account->has_new_values = json_object_size(change.settings) != 0
                              || json_object_size(change.secrets) != 0;
    json_decref(change.settings);
    json_decref(change.secrets);
    return code;
}

static bool
account_update(struct cli *cli, MYSQL *db, const struct account *account)
{
    static char   memory[SQL_MAX], box[JSON_MAX];
    struct ph_buf sql    = PH_BUF_INIT(memory);
    struct ph_buf sealed = PH_BUF_INIT(box);

    if (!secrets_seal(cli, account, &sealed)) {
        return false;
    }
    ph_buf_add(&sql, PH_STR("UPDATE channel_account SET ver=ver+1,"
                            "updated_at=UTC_TIMESTAMP(3),weight="));
    ph_buf_u64(&sql, account->weight);
    ph_buf_add(&sql, PH_STR(",settings="));
    if (!settings_add(db, &sql, account)) {
        return false;
    }
    ph_buf_add(&sql, PH_STR(",secrets="));
    cli_sql_bytes(&sql, ph_buf_str(&sealed));
    ph_buf_add(&sql, PH_STR(" WHERE id="));
    cli_sql_quote(db, &sql, ph_str_z(account->id));
    return sql_done(db, &sql)
           && cli_sql_audit(db, "account.set", ph_str_z(account->id),
                            account->channel)
           && cli_sql_run(db, PH_STR("COMMIT"));
}

/* ---- who an account is ---- */

static bool
is_same(const json_t *one, const json_t *other)
{
    return one == other || json_equal(one, other) != 0;
}

static bool
has_same(const struct account *account, const struct account *before,
         const char *key)
{
    return is_same(json_object_get(account->settings, key),
                   json_object_get(before->settings, key))
           && is_same(json_object_get(account->secrets, key),
                      json_object_get(before->secrets, key));
}

/* the first key of its identity that is changed; NULL = none */
static const char *
identity_changed(const struct account *account, const struct account *before)
{
    for (const char *const *key = account->face->identity;
         key != NULL && *key != NULL; key++)
    {
        if (!has_same(account, before, *key)) {
            return *key;
        }
    }
    return NULL;
}

/* false = said why; *has: one that was paid, or one that is open */
static bool
payments_look(MYSQL *db, const struct account *account, bool *has)
{
    char          memory[1024], text[24];
    struct ph_buf sql = PH_BUF_INIT(memory), out = PH_BUF_INIT(text);

    ph_buf_add(&sql, PH_STR("SELECT EXISTS(SELECT 1 FROM channel_trade WHERE "
                            "channel="));
    cli_sql_quote(db, &sql, account->channel);
    ph_buf_add(&sql, PH_STR(" AND account_id="));
    cli_sql_quote(db, &sql, ph_str_z(account->id));
    ph_buf_add(&sql, PH_STR(") OR EXISTS(SELECT 1 FROM work w JOIN payment p "
                            "ON p.id=w.id WHERE w.queue='look' AND "
                            "p.account_id="));
    cli_sql_quote(db, &sql, ph_str_z(account->id));
    ph_buf_byte(&sql, ')');
    if (sql.full || !cli_sql_text(db, ph_buf_str(&sql), &out)) {
        return false;
    }
    *has = !ph_str_eq(ph_buf_str(&out), PH_STR("0"));
    return true;
}

/* Another merchant's honest "no such order" would end payments of this one. */
static enum cli_exit
identity_check(MYSQL *db, const struct account *account,
               const struct account *before)
{
    const char *key = identity_changed(account, before);
    bool        has = true;

    if (key == NULL) {
        return CLI_OK;
    }
    if (!payments_look(db, account, &has)) {
        return CLI_FAILED;
    }
    return has ? cli_usage("%s: found another, expected the one that payments "
                           "of this account were made with; add an account "
                           "for it and drain this one",
                           key)
               : CLI_OK;
}

enum cli_exit
cli_account_set(struct cli *cli)
{
    struct account account = { 0 }, before = { 0 };
    MYSQL         *db   = cli_sql_open(cli);
    MYSQL_RES     *rows = NULL;
    enum cli_exit  code = CLI_FAILED;

    if (db == NULL) {
        return CLI_FAILED;
    }
    code            = account_load(cli, db, &account, &rows);
    code            = code != CLI_OK ? code
                                     : cli_channel_find(cli, account.channel,
                                                        &account.face, &account.file);
    before.settings = json_deep_copy(account.settings);
    before.secrets  = json_deep_copy(account.secrets);
    code            = code != CLI_OK ? code : changes_take(cli, &account);
    code            = code != CLI_OK ? code : unset_take(cli, &account);
    if (code == CLI_OK && account.has_new_values) {
        code = values_check(cli, &account);
    }
    code = code != CLI_OK ? code : identity_check(db, &account, &before);
    code = code != CLI_OK
               ? code
               : cli_channel_keep(db, account.channel, &account.file);
    if (code == CLI_OK && !account_update(cli, db, &account)) {
        code = CLI_FAILED;
    }
    if (code == CLI_OK) {
        cli_out(cli, json_pack("{s:s, s:I, s:O}", "account_id", account.id,
                               "weight", (json_int_t) account.weight,
                               "settings", account.settings));
    }
    mysql_free_result(rows);
    mysql_close(db);
    json_decref(account.settings);
    json_decref(account.secrets);
    json_decref(before.settings);
    json_decref(before.secrets);
    return code;
}

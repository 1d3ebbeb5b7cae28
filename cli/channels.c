/* channels.c - see channels.h. */
#include "cli/channels.h"

#include <unistd.h>

#include "channels/declarative/declared.h"
#include "channels/load.h"
#include "libpayhub/io/trust.h"

#define NAMES_MAX 4096 /* bytes of a list of channels */

static void
file_refused(void *data, const char *file, const struct ph_channel_fault *fault)
{
    (void) data;
    cli_say("pay.channel_dir: %s: found %s, expected %s", file, fault->found,
            fault->expected);
}

const struct ph_channel *
cli_channel_at(struct cli *cli, size_t i)
{
    static const struct ph_channel *loaded[PH_CHANNEL_LOADED_MAX];
    static size_t                   loaded_count, refused;
    static bool                     is_loaded;
    size_t                          built_in_count = 0;

    while (ph_channel_at(built_in_count) != NULL) {
        built_in_count++;
    }
    if (i < built_in_count) { /* whatever is configured */
        return ph_channel_at(i);
    }
    if (!is_loaded && cli_conf(cli)) {
        const struct ph_channel_load load
            = { .folder  = ph_conf_text(&cli->conf, PH_CONF_pay_channel_dir),
                .owner   = geteuid(),
                .refused = file_refused };

        if (load.folder[0] != '\0') {
            loaded_count
                = ph_channels_load(&load, loaded, PH_COUNT(loaded), &refused);
        }
        is_loaded = true;
    }
    i -= built_in_count;
    return i < loaded_count ? loaded[i] : NULL;
}

static enum cli_exit
unknown_say(struct cli *cli, struct ph_str name)
{
    char          memory[NAMES_MAX];
    struct ph_buf list = PH_BUF_INIT(memory);

    for (size_t i = 0; cli_channel_at(cli, i) != NULL; i++) {
        ph_buf_add(&list, i != 0 ? PH_STR(", ") : PH_STR(""));
        ph_buf_add(&list, ph_str_z(cli_channel_at(cli, i)->name));
    }
    return cli_usage("found channel %.*s, expected one of: %.*s, or one that "
                     "`payhub channel list` shows",
                     (int) name.len, name.ptr, (int) list.len, list.ptr);
}

static enum cli_exit
declared_open(struct ph_str name, struct ph_str body,
              const struct ph_channel **channel)
{
    static struct ph_declared *declared; /* the one that a command needs */
    char                       memory[PH_DECLARED_WHY_MAX];
    struct ph_buf              why = PH_BUF_INIT(memory);

    ph_declared_close(declared);
    declared = ph_declared_open(body, &why);
    if (declared == NULL) {
        cli_say("channel %.*s: %.*s", (int) name.len, name.ptr, (int) why.len,
                why.ptr);
        return CLI_FAILED;
    }
    *channel = ph_declared_channel(declared);
    return CLI_OK;
}

static enum cli_exit
declared_find(struct cli *cli, struct ph_str name,
              const struct ph_channel    **channel,
              struct cli_channel_file_row *found)
{
    char          memory[512];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    MYSQL        *db   = cli_sql_open(cli);
    MYSQL_RES    *rows = NULL;
    enum cli_exit code = CLI_FAILED;

    if (db == NULL) {
        return CLI_FAILED;
    }
    ph_buf_add(&sql,
               PH_STR("SELECT body,status,ver FROM channel_file WHERE name="));
    cli_sql_quote(db, &sql, name);
    rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows != NULL) {
        MYSQL_ROW      row     = mysql_fetch_row(rows);
        unsigned long *lengths = mysql_fetch_lengths(rows);

        if (row == NULL) {
            code = unknown_say(cli, name);
        } else {
            code
                = declared_open(name, ph_str_make(row[0], lengths[0]), channel);
            found->is_declared  = true;
            found->is_withdrawn = strcmp(row[1], "withdrawn") == 0;
            (void) ph_str_u64(ph_str_z(row[2]), UINT32_MAX, &found->ver);
        }
    }
    mysql_free_result(rows);
    mysql_close(db);
    return code;
}

enum cli_exit
cli_channel_find(struct cli *cli, struct ph_str name,
                 const struct ph_channel    **channel,
                 struct cli_channel_file_row *row)
{
    *row = (struct cli_channel_file_row){ .ver = 0 };
    for (size_t i = 0; (*channel = cli_channel_at(cli, i)) != NULL; i++) {
        if (ph_str_eq(ph_str_z((*channel)->name), name)) {
            return CLI_OK;
        }
    }
    if (!ph_channel_name_ok(name)) {
        return unknown_say(cli, name);
    }
    return cli_conf(cli) ? declared_find(cli, name, channel, row) : CLI_FAILED;
}

enum cli_exit
cli_channel_keep(MYSQL *db, struct ph_str name,
                 const struct cli_channel_file_row *row)
{
    char          memory[512];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    MYSQL_RES    *rows = NULL;
    MYSQL_ROW     now  = NULL;
    uint64_t      ver  = 0;
    bool          is_same;

    if (!row->is_declared) {
        return CLI_OK;
    }
    ph_buf_add(&sql, PH_STR("SELECT ver FROM channel_file WHERE name="));
    cli_sql_quote(db, &sql, name);
    ph_buf_add(&sql, PH_STR(" LOCK IN SHARE MODE"));
    rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows == NULL) {
        return CLI_FAILED;
    }
    now     = mysql_fetch_row(rows);
    is_same = now != NULL && ph_str_u64(ph_str_z(now[0]), UINT32_MAX, &ver)
              && ver == row->ver;
    mysql_free_result(rows);
    if (!is_same) {
        cli_say("channel %.*s was changed or withdrawn meanwhile; nothing is "
                "stored: try again",
                (int) name.len, name.ptr);
    }
    return is_same ? CLI_OK : CLI_REFUSED;
}

const struct ph_channel_env *
cli_channel_env(struct cli *cli)
{
    static struct ph_channel_env env;
    static struct ph_trust      *trust;
    char                         memory[CLI_WHY_MAX];
    struct ph_buf                why = PH_BUF_INIT(memory);

    if (env.trust != NULL) {
        return &env;
    }
    if (!cli_conf(cli)) {
        return NULL;
    }
    if (!ph_trust_read(&trust, ph_conf_text(&cli->conf, PH_CONF_pay_ca_file),
                       &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return NULL;
    }
    env.trust = trust;
    return &env;
}

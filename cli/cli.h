/*
 * cli.h - what the commands of `payhub` share: exit codes, the command table,
 * configuration, output.
 *
 * Data goes to stdout, talk to stderr.  With --json stdout is one JSON value
 * and nothing else.  One thread; a command runs once and the process ends, so
 * what a command takes from the heap it may leave to the end of the process
 * only where its comment says so.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <mysql.h>

#include "cli/args.h"
#include "libpayhub/base/conf.h"

#define CLI_SECRET_MAX 4096 /* bytes of a signing key file */
#define CLI_WHY_MAX 1024    /* one line of explanation */
#define CLI_COMMAND_WORDS 3 /* "channel account add" */

enum cli_exit {
    CLI_OK        = 0,
    CLI_FAILED    = 1,
    CLI_USAGE     = 2,
    CLI_DIFFERS   = 3, /* a check found a difference */
    CLI_NOT_READY = 4, /* not there, or not in time */
    CLI_REFUSED   = 5, /* the server refused */
    CLI_LOST      = 76 /* the lock, while its command ran */
};

struct cli {
    bool                      json;
    const char               *config_path; /* NULL = the usual places */
    const struct cli_command *command;
    unsigned                  umask_before; /* as we were started */
    struct cli_args           args;
    bool                      conf_loaded;
    struct ph_conf            conf;
};

struct cli_command {
    const char *words[CLI_COMMAND_WORDS]; /* "app", "add", NULL */
    const char *operands;                 /* "CHANNEL", for usage; behind
                                             a " -- " another program's words */
    size_t                   words_min, words_max; /* operands taken */
    const struct cli_option *options;
    const char              *summary;
    const char              *help; /* NULL, or more lines */
    enum cli_exit (*run)(struct cli *cli);
};

/* cli/commands.c: the one table; ends in words[0] == NULL */
extern const struct cli_command cli_commands[];
extern const struct cli_option  cli_common_options[];

/* "payhub: ..." and LF to stderr */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* the same, and the exit code for a usage mistake */
enum cli_exit cli_usage(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* reads payhub.conf once; false = said why */
bool cli_conf(struct cli *cli) PH_MUST_CHECK;

/*
 * Prints and frees `value`.  --json: one line.  Else an object as "name value"
 * lines and an array of objects as a table.
 */
void cli_out(const struct cli *cli, json_t *value);

/* cli/sql.c ------------------------------------------------------------- */

/* the owner's connection; NULL = said why.  @owns: caller, mysql_close(). */
MYSQL *cli_sql_open(struct cli *cli) PH_MUST_CHECK;

/* Runs one statement, results dropped; false = said why. */
bool cli_sql_run(MYSQL *db, struct ph_str sql) PH_MUST_CHECK;

/* NULL = said why.  @owns: caller, mysql_free_result(). */
MYSQL_RES *cli_sql_rows(MYSQL *db, struct ph_str sql) PH_MUST_CHECK;

/* Hands every row to on_row() until it says false; false = that, or said why.
 */
bool cli_sql_each(MYSQL *db, struct ph_str sql,
                  bool (*on_row)(void *data, MYSQL_ROW row),
                  void *data) PH_MUST_CHECK;

/* The same with rows as they come, however many: nothing else may be asked of
 * `db` meanwhile. */
bool cli_sql_stream(MYSQL *db, struct ph_str sql,
                    bool (*on_row)(void *data, MYSQL_ROW row),
                    void *data) PH_MUST_CHECK;

/* The first column of the first row into `out`; false = said why. */
bool cli_sql_text(MYSQL *db, struct ph_str sql,
                  struct ph_buf *out) PH_MUST_CHECK;

/* 'text' with the connection's own escapes; X'..' for bytes */
void cli_sql_quote(MYSQL *db, struct ph_buf *sql, struct ph_str text);
void cli_sql_bytes(struct ph_buf *sql, struct ph_str bytes);

/* one audit row: who = the operating system's user; false = said why */
bool cli_sql_audit(MYSQL *db, const char *act, struct ph_str subject,
                   struct ph_str detail) PH_MUST_CHECK;

/* the commands, one file each ------------------------------------------- */
enum cli_exit cli_schema_up(struct cli *cli);
enum cli_exit cli_schema_status(struct cli *cli);
enum cli_exit cli_app_add(struct cli *cli);
enum cli_exit cli_app_set(struct cli *cli);
enum cli_exit cli_key_add(struct cli *cli);
enum cli_exit cli_key_list(struct cli *cli);
enum cli_exit cli_key_revoke(struct cli *cli);
enum cli_exit cli_limit_list(struct cli *cli);
enum cli_exit cli_limit_set(struct cli *cli);
enum cli_exit cli_limit_boost(struct cli *cli);
enum cli_exit cli_limit_reset(struct cli *cli);
enum cli_exit cli_route_explain(struct cli *cli);
enum cli_exit cli_channel_add(struct cli *cli);
enum cli_exit cli_channel_test(struct cli *cli);
enum cli_exit cli_channel_list(struct cli *cli);
enum cli_exit cli_channel_remove(struct cli *cli);
enum cli_exit cli_channel_schema(struct cli *cli);
enum cli_exit cli_account_add(struct cli *cli);
enum cli_exit cli_account_list(struct cli *cli);
enum cli_exit cli_account_set(struct cli *cli);
enum cli_exit cli_account_drain(struct cli *cli);
enum cli_exit cli_account_resume(struct cli *cli);
enum cli_exit cli_seal_status(struct cli *cli);
enum cli_exit cli_seal_rotate(struct cli *cli);
enum cli_exit cli_sign(struct cli *cli);
enum cli_exit cli_verify(struct cli *cli);
enum cli_exit cli_call(struct cli *cli);
enum cli_exit cli_counters(struct cli *cli);
enum cli_exit cli_drift(struct cli *cli);
enum cli_exit cli_invariants(struct cli *cli);
enum cli_exit cli_lock(struct cli *cli);
enum cli_exit cli_webhook_list(struct cli *cli);
enum cli_exit cli_webhook_resend(struct cli *cli);
enum cli_exit cli_payment_resolve(struct cli *cli);
enum cli_exit cli_frame_decode(struct cli *cli);

#endif

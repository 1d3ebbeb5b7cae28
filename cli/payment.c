/*
 * payment.c - `payhub payment resolve`: a person ends a conflict.
 *
 * Only a conflict is left by a person, and only to paid, failed or closed; the
 * UPDATE judges that itself.  It moves our row and nothing else: no channel is
 * called and no webhook is made, since what the merchant was told of a conflict
 * he has to agree with a person anyway.
 */
#include "cli/cli.h"

#include <stdlib.h>

#include "libpayhub/base/id.h"

#define SQL_MAX 1024
#define WHY_CHARS_MAX 200

/* the word and the time that goes with it */
static const struct {
    const char *to;
    const char *time;
} ends[] = {
    { "paid", "paid_at" },
    { "failed", "failed_at" },
    { "closed", "closed_at" },
};

static const char *
time_of(const char *to)
{
    for (size_t i = 0; to != NULL && i < PH_COUNT(ends); i++) {
        if (strcmp(ends[i].to, to) == 0) {
            return ends[i].time;
        }
    }
    return NULL;
}

/* false = said why */
static bool
row_move(MYSQL *db, struct ph_str id, const char *to, bool *is_moved)
{
    char          memory[SQL_MAX], count[24];
    struct ph_buf sql = PH_BUF_INIT(memory), out = PH_BUF_INIT(count);

    ph_buf_add(&sql, PH_STR("UPDATE payment SET ver=ver+1,"
                            "proof_source='person',status="));
    cli_sql_quote(db, &sql, ph_str_z(to));
    ph_buf_byte(&sql, ',');
    ph_buf_add(&sql, ph_str_z(time_of(to)));
    ph_buf_add(&sql, PH_STR("=COALESCE("));
    ph_buf_add(&sql, ph_str_z(time_of(to)));
    ph_buf_add(&sql, PH_STR(",UTC_TIMESTAMP(3)) WHERE status='conflict' "
                            "AND id="));
    cli_sql_quote(db, &sql, id);
    if (sql.full || !cli_sql_run(db, ph_buf_str(&sql))
        || !cli_sql_text(db, PH_STR("SELECT ROW_COUNT()"), &out))
    {
        return false;
    }
    *is_moved = ph_str_eq(ph_buf_str(&out), PH_STR("1"));
    return true;
}

static bool
audit_add(MYSQL *db, struct ph_str id, const char *to, const char *why)
{
    json_t *detail = json_pack("{s:s, s:s}", "to", to, "why", why);
    char   *text   = json_dumps(detail, JSON_COMPACT);
    bool    ok     = text != NULL
              && cli_sql_audit(db, "payment.resolve", id, ph_str_z(text));

    free(text);
    json_decref(detail);
    return ok;
}

static enum cli_exit
refuse(MYSQL *db, struct ph_str id)
{
    char          memory[SQL_MAX], status[32];
    struct ph_buf sql = PH_BUF_INIT(memory), out = PH_BUF_INIT(status);

    ph_buf_add(&sql, PH_STR("SELECT status FROM payment WHERE id="));
    cli_sql_quote(db, &sql, id);
    if (!cli_sql_text(db, ph_buf_str(&sql), &out)) {
        return CLI_FAILED;
    }
    cli_say("found %.*s %s, expected a payment in conflict", (int) id.len,
            id.ptr, out.len != 0 ? ph_buf_z(&out) : "nowhere");
    return CLI_REFUSED;
}

static enum cli_exit
resolve_run(struct cli *cli, MYSQL *db, struct ph_str id)
{
    const char *to       = cli_args_value(&cli->args, "to");
    const char *why      = cli_args_value(&cli->args, "why");
    bool        is_moved = false;

    if (!cli_sql_run(db, PH_STR("START TRANSACTION"))
        || !row_move(db, id, to, &is_moved))
    {
        return CLI_FAILED;
    }
    if (!is_moved) {
        return refuse(db, id);
    }
    if (!audit_add(db, id, to, why) || !cli_sql_run(db, PH_STR("COMMIT"))) {
        return CLI_FAILED;
    }
    cli_out(cli, json_pack("{s:s#, s:s}", "id", id.ptr, id.len, "status", to));
    return CLI_OK;
}

enum cli_exit
cli_payment_resolve(struct cli *cli)
{
    struct ph_str id  = ph_str_z(cli->args.words[0]);
    const char   *to  = cli_args_value(&cli->args, "to");
    struct ph_str why = ph_str_z(cli_args_value(&cli->args, "why"));

    if (!ph_id_is(id, PH_ID_PAYMENT)) {
        return cli_usage("found '%s', expected the id of a payment, P...",
                         cli->args.words[0]);
    }
    if (time_of(to) == NULL) {
        return cli_usage("--to: found '%s', expected paid, failed or closed",
                         to != NULL ? to : "");
    }
    if (why.len == 0 || ph_str_utf8_count(why) > WHY_CHARS_MAX
        || ph_str_has_control(why))
    {
        return cli_usage("--why: expected 1 to %d characters of one line: what "
                         "was found out, and by whom",
                         WHY_CHARS_MAX);
    }
    MYSQL *db = cli_sql_open(cli);

    if (db == NULL) {
        return CLI_FAILED;
    }
    enum cli_exit code = resolve_run(cli, db, id);

    mysql_close(db);
    return code;
}

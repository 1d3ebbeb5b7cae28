/*
 * check.c - asks the server for its settings and says what is lacking.
 *
 * The rules are one table.  Required ones stop the stream; advice is for what
 * makes a later loss possible.  Only SQL that needs no more rights than
 * REPLICATION SLAVE.
 */
#include "sidecar/check.h"

#include <string.h>
#include <strings.h>

#define RETENTION_MIN_S 86400
#define VALUE_MAX 4096

static bool
is_same(struct ph_str value, const char *wanted)
{
    return value.len == strlen(wanted)
           && strncasecmp(value.ptr, wanted, value.len) == 0;
}

static bool
is_long(struct ph_str value, const char *wanted)
{
    uint64_t seconds;

    (void) wanted;
    return ph_str_u64(value, UINT32_MAX, &seconds)
           && (seconds == 0 || seconds >= RETENTION_MIN_S);
}

static bool
is_set(struct ph_str value, const char *wanted)
{
    (void) wanted;
    return !ph_str_eq(value, PH_STR("0"));
}

/* clang-format off */
static const struct {
    const char *name; /* a global variable */
    const char *wanted;
    bool (*fits)(struct ph_str value, const char *wanted);
    bool        is_required;
    const char *mend;
} settings[] = {
    { "log_bin", "1", is_same, true,
      "no SQL mends it: set log_bin in the server's configuration, restart it" },
    { "server_id", "not 0", is_set, true, "SET GLOBAL server_id = 1;" },
    { "binlog_format", "ROW", is_same, true,
      "SET GLOBAL binlog_format = 'ROW';" },
    { "binlog_row_image", "FULL", is_same, true,
      "SET GLOBAL binlog_row_image = 'FULL';" },
    { "binlog_row_metadata", "FULL", is_same, true,
      "SET GLOBAL binlog_row_metadata = 'FULL';" },
    { "binlog_checksum", "CRC32", is_same, false,
      "SET GLOBAL binlog_checksum = 'CRC32';" },
    { "gtid_strict_mode", "1", is_same, false,
      "SET GLOBAL gtid_strict_mode = ON;" },
    { "sync_binlog", "1", is_same, false, "SET GLOBAL sync_binlog = 1;" },
    { "innodb_flush_log_at_trx_commit", "1", is_same, false,
      "SET GLOBAL innodb_flush_log_at_trx_commit = 1;" },
    { "binlog_expire_logs_seconds", "0 or at least 86400", is_long, false,
      "SET GLOBAL binlog_expire_logs_seconds = 604800;" },
};

static const struct {
    const char *right;
    bool        is_required;
    const char *mend;
} grants[] = {
    { "REPLICATION SLAVE", true,
      "GRANT REPLICATION SLAVE ON *.* TO CURRENT_USER; (as root, by name)" },
    { "BINLOG MONITOR", false,
      "GRANT BINLOG MONITOR ON *.* TO CURRENT_USER; (as root, by name)" },
};
/* clang-format on */

/* false when there is no row, or the value does not fit */
static bool
row_value(MYSQL_RES *result, struct ph_buf *value)
{
    MYSQL_ROW row = mysql_fetch_row(result);

    if (row == NULL || row[0] == NULL) {
        return false;
    }
    ph_buf_add(value, ph_str_make(row[0], mysql_fetch_lengths(result)[0]));
    return !value->full;
}

bool
bl_sql_value(MYSQL *mysql, const char *sql, struct ph_buf *value)
{
    if (mysql_query(mysql, sql) != 0) {
        return false;
    }
    MYSQL_RES *result = mysql_store_result(mysql);
    bool       ok     = result != NULL && row_value(result, value);

    if (result != NULL) {
        mysql_free_result(result);
    }
    return ok;
}

static void
finding_add(struct bl_findings *findings, const char *name, const char *wanted,
            const char *mend, bool is_required, struct ph_str found)
{
    struct ph_buf text;

    if (findings->count == BL_FINDINGS_MAX) {
        return;
    }
    struct bl_finding *finding = &findings->finding[findings->count++];
    *finding                   = (struct bl_finding){
                          .name = name, .wanted = wanted, .mend = mend, .is_required = is_required
    };
    ph_buf_init(&text, finding->found, sizeof(finding->found) - 1);
    ph_buf_add(&text,
               ph_str_make(found.ptr,
                           found.len < text.size ? found.len : text.size - 1));
    findings->required += is_required;
}

static bool
why_mysql(MYSQL *mysql, struct ph_buf *why)
{
    ph_buf_add(why, PH_STR("MySQL: "));
    ph_buf_add(why, mysql_errno(mysql) != 0 ? ph_str_z(mysql_error(mysql))
                                            : PH_STR("found no value"));
    return false;
}

static bool
settings_check(MYSQL *mysql, struct bl_findings *findings, struct ph_buf *why)
{
    for (size_t i = 0; i < PH_COUNT(settings); i++) {
        char          memory[VALUE_MAX];
        char          words[128];
        struct ph_buf value = PH_BUF_INIT(memory);
        struct ph_buf sql   = PH_BUF_INIT(words);

        ph_buf_add(&sql, PH_STR("SELECT @@global."));
        ph_buf_add(&sql, ph_str_z(settings[i].name));
        if (!bl_sql_value(mysql, ph_buf_z(&sql), &value)) {
            return why_mysql(mysql, why);
        }
        if (!settings[i].fits(ph_buf_str(&value), settings[i].wanted)) {
            finding_add(findings, settings[i].name, settings[i].wanted,
                        settings[i].mend, settings[i].is_required,
                        ph_buf_str(&value));
        }
    }
    return true;
}

static bool
text_holds(struct ph_str text, const char *piece)
{
    return memmem(text.ptr, text.len, piece, strlen(piece)) != NULL;
}

/* the first line of SHOW GRANTS: the rights on *.* */
static bool
grants_check(MYSQL *mysql, struct bl_findings *findings, struct ph_buf *why)
{
    char          memory[VALUE_MAX];
    struct ph_buf value = PH_BUF_INIT(memory);

    if (!bl_sql_value(mysql, "SHOW GRANTS", &value)) {
        return why_mysql(mysql, why);
    }
    struct ph_str rights = ph_buf_str(&value);
    for (size_t i = 0; i < PH_COUNT(grants); i++) {
        if (!text_holds(rights, grants[i].right)
            && !text_holds(rights, "ALL PRIVILEGES ON *.*"))
        {
            finding_add(findings, "grants", grants[i].right, grants[i].mend,
                        grants[i].is_required, PH_STR("none"));
        }
    }
    return true;
}

bool
bl_check(MYSQL *mysql, struct bl_findings *findings, struct ph_buf *why)
{
    char          memory[VALUE_MAX];
    struct ph_buf version = PH_BUF_INIT(memory);

    findings->count    = 0;
    findings->required = 0;
    if (!bl_sql_value(mysql, "SELECT VERSION()", &version)) {
        return why_mysql(mysql, why);
    }
    if (!text_holds(ph_buf_str(&version), "MariaDB")) {
        ph_buf_add(why, PH_STR("found server "));
        ph_buf_add(why, ph_buf_str(&version));
        ph_buf_add(why, PH_STR(", expected MariaDB 10.5 or later: the GTIDs of "
                               "MySQL are not followed"));
        return false;
    }
    return settings_check(mysql, findings, why)
           && grants_check(mysql, findings, why);
}

bool
bl_check_position(MYSQL *mysql, const struct bl_position *position,
                  struct ph_buf *why)
{
    char               memory[VALUE_MAX];
    struct ph_buf      state = PH_BUF_INIT(memory);
    struct ph_str      rest, piece, head, tail;
    struct bl_position known = { 0 };

    if (!bl_sql_value(mysql, "SELECT @@global.gtid_binlog_state", &state)) {
        return why_mysql(mysql, why);
    }
    rest = ph_buf_str(&state);
    while (state.len != 0 && ph_str_next(&rest, ',', &piece)) {
        struct bl_place place = { 0 };
        uint64_t        domain;

        if (!ph_str_cut(piece, '-', &head, &tail)
            || !ph_str_u64(head, UINT32_MAX, &domain))
        {
            continue;
        }
        place.domain = (uint32_t) domain;
        if (!bl_position_advance(&known, place)) {
            ph_buf_add(why, PH_STR("the server has too many GTID domains"));
            return false;
        }
    }
    for (size_t i = 0; i < position->count; i++) {
        if (bl_position_find(&known, position->place[i].domain) == NULL) {
            ph_buf_add(why, PH_STR("found no GTID of domain "));
            ph_buf_u64(why, position->place[i].domain);
            ph_buf_add(why,
                       PH_STR(" in the server's log, expected the one that "
                              "the counters were made from: this is "
                              "another server, or its logs were reset"));
            return false;
        }
    }
    return true;
}

void
bl_finding_text(const struct bl_finding *finding, struct ph_buf *text)
{
    ph_buf_add(text, ph_str_z(finding->name));
    ph_buf_add(text, PH_STR(": found "));
    ph_buf_add(text, ph_str_z(finding->found));
    ph_buf_add(text, PH_STR(", expected "));
    ph_buf_add(text, ph_str_z(finding->wanted));
    ph_buf_add(text, PH_STR("; "));
    ph_buf_add(text, ph_str_z(finding->mend));
}

/*
 * partitions.c - see partitions.h.
 *
 * A partition p_YYYYMM holds the ids born in that month (UTC) and, the first
 * one of a table, everything before.  Boundaries are ids, because the id is
 * the primary key and begins with its time.  p_open takes what comes after
 * the last month, so a missed run loses nothing.
 */
#include "cli/partitions.h"

#include <stdio.h>

#include "cli/sql_split.h"
#include "libpayhub/base/id.h"

#define SQL_MAX 2048

static const struct {
    const char     *name;
    enum ph_id_type type;
} tables[] = {
    { "payment", PH_ID_PAYMENT },
    { "attempt", PH_ID_ATTEMPT },
    { "notify_task", PH_ID_NOTIFY },
    { "notice_in", PH_ID_EVENT },
};

/* the newest month that has a partition; 0 = none has */
static bool
newest_month(MYSQL *db, const char *table, uint64_t *month)
{
    char          memory[SQL_MAX], text[24];
    struct ph_buf sql = PH_BUF_INIT(memory);
    struct ph_buf out = PH_BUF_INIT(text);

    ph_buf_add(&sql,
               PH_STR("SELECT COALESCE(MAX(SUBSTRING(partition_name,3)),'0') "
                      "FROM information_schema.partitions WHERE table_schema="
                      "DATABASE() AND partition_name<>'p_open' AND "
                      "table_name="));
    cli_sql_quote(db, &sql, ph_str_z(table));
    if (!cli_sql_text(db, ph_buf_str(&sql), &out)) {
        return false;
    }
    if (!ph_str_u64(ph_buf_str(&out), 999912, month)) {
        cli_say("%s: found partition p_%.*s, expected p_YYYYMM", table,
                (int) out.len, out.ptr);
        return false;
    }
    return true;
}

static void
month_add(struct ph_buf *sql, enum ph_id_type type, unsigned month,
          uint64_t end_ms)
{
    struct ph_id end = ph_id_floor(type, end_ms);

    ph_buf_add(sql, PH_STR("PARTITION p_"));
    ph_buf_u64(sql, month);
    ph_buf_add(sql, PH_STR(" VALUES LESS THAN ('"));
    ph_buf_add(sql, ph_str_z(end.text));
    ph_buf_add(sql, PH_STR("'), "));
}

static bool
table_split(MYSQL *db, size_t which, uint64_t now_ms, json_t *made)
{
    char          memory[SQL_MAX];
    struct ph_buf sql    = PH_BUF_INIT(memory);
    const char   *table  = tables[which].name;
    uint64_t      newest = 0;
    unsigned      count  = 0;

    if (!newest_month(db, table, &newest)) {
        return false;
    }
    ph_buf_add(&sql, PH_STR("ALTER TABLE "));
    ph_buf_add(&sql, ph_str_z(table));
    ph_buf_add(&sql, PH_STR(" REORGANIZE PARTITION p_open INTO ("));
    for (unsigned ahead = 0; ahead <= CLI_MONTHS_AHEAD; ahead++) {
        char     name[64];
        unsigned month = cli_month_number(cli_month_start_ms(now_ms, ahead));
        if (month <= newest) {
            continue;
        }
        month_add(&sql, tables[which].type, month,
                  cli_month_start_ms(now_ms, ahead + 1));
        (void) snprintf(name, sizeof(name), "%s.p_%u", table, month);
        (void) json_array_append_new(made, json_string(name));
        count++;
    }
    if (count == 0) {
        return true;
    }
    ph_buf_add(&sql, PH_STR("PARTITION p_open VALUES LESS THAN (MAXVALUE))"));
    return cli_sql_run(db, ph_buf_str(&sql));
}

bool
cli_partitions_make(MYSQL *db, uint64_t now_ms, json_t *made)
{
    for (size_t i = 0; i < PH_COUNT(tables); i++) {
        if (!table_split(db, i, now_ms, made)) {
            return false;
        }
    }
    return true;
}

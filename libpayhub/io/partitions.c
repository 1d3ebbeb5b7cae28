/* partitions.c - monthly partitions; see partitions.h. */
#include "libpayhub/io/partitions.h"

#include "libpayhub/base/id.h"
#include "libpayhub/base/month.h"

#define SQL_MAX 2048

static const struct traffic_table {
    const char     *name;
    enum ph_id_type type;
} tables[] = {
    { "payment", PH_ID_PAYMENT }, { "attempt", PH_ID_ATTEMPT },
    { "refund", PH_ID_REFUND },   { "notify_task", PH_ID_NOTIFY },
    { "notice_in", PH_ID_EVENT },
};

/* one run's means: every statement is made in `sql` */
struct run {
    MYSQL                          *db;
    const struct ph_partition_told *told;
    struct ph_buf                  *why;
    uint64_t                        waits; /* month that is not at rest yet */
    struct ph_buf                   sql;
    char                            memory[SQL_MAX];
};

static void
run_open(struct run *run, MYSQL *db, const struct ph_partition_told *told,
         struct ph_buf *why)
{
    run->db    = db;
    run->told  = told;
    run->why   = why;
    run->waits = UINT64_MAX;
    ph_buf_init(&run->sql, run->memory, sizeof(run->memory));
}

static void
add(struct run *run, const char *text)
{
    ph_buf_add(&run->sql, ph_str_z(text));
}

static bool
run_failed(struct run *run)
{
    ph_buf_add(run->why, ph_str_z(mysql_error(run->db)));
    ph_buf_add(run->why, PH_STR(" at: "));
    ph_buf_add(run->why, ph_str_make(run->memory, run->sql.len));
    ph_buf_cut(&run->sql, 0);
    return false;
}

static bool
run_send(struct run *run)
{
    if (run->sql.full
        || mysql_real_query(run->db, run->sql.ptr, run->sql.len) != 0) {
        return run_failed(run);
    }
    ph_buf_cut(&run->sql, 0);
    return true;
}

/* The first column of up to `max` rows as numbers; NULL and no row are none. */
static bool
run_numbers(struct run *run, uint64_t *numbers, size_t max, size_t *count)
{
    MYSQL_ROW row;

    *count = 0;
    if (run->sql.full
        || mysql_real_query(run->db, run->sql.ptr, run->sql.len) != 0) {
        return run_failed(run);
    }
    MYSQL_RES *rows = mysql_store_result(run->db);

    if (rows == NULL) {
        return run_failed(run);
    }
    while (*count < max && (row = mysql_fetch_row(rows)) != NULL) {
        if (row[0] != NULL
            && ph_str_u64(ph_str_z(row[0]), UINT64_MAX / 2, &numbers[*count]))
        {
            (*count)++;
        }
    }
    mysql_free_result(rows);
    ph_buf_cut(&run->sql, 0);
    return true;
}

bool
ph_schema_lock(MYSQL *db, unsigned wait_s, struct ph_buf *why)
{
    struct run run;
    uint64_t   got;
    size_t     count;

    run_open(&run, db, NULL, why);
    add(&run, "SELECT GET_LOCK(CONCAT('payhub_schema.',DATABASE()),");
    ph_buf_u64(&run.sql, wait_s);
    add(&run, ")");
    return run_numbers(&run, &got, 1, &count) && count == 1 && got == 1;
}

/* ---- ahead ---- */

/* the newest month that has a partition; 0 = none has */
static bool
newest_month(struct run *run, const char *table, uint64_t *month)
{
    size_t count;

    *month = 0;
    add(run, "SELECT MAX(SUBSTRING(partition_name,3)) FROM "
             "information_schema.partitions WHERE table_schema=DATABASE() AND "
             "partition_name<>'p_open' AND table_name='");
    add(run, table);
    add(run, "'");
    return run_numbers(run, month, 1, &count);
}

static void
month_add(struct run *run, enum ph_id_type type, unsigned month,
          uint64_t end_ms)
{
    struct ph_id end = ph_id_floor(type, end_ms);

    add(run, "PARTITION p_");
    ph_buf_u64(&run->sql, month);
    add(run, " VALUES LESS THAN ('");
    add(run, end.text);
    add(run, "'), ");
}

static bool
table_split(struct run *run, const struct traffic_table *table, uint64_t now_ms)
{
    unsigned made[PH_MONTHS_AHEAD + 1];
    unsigned count = 0;
    uint64_t newest;

    if (!newest_month(run, table->name, &newest)) {
        return false;
    }
    add(run, "ALTER TABLE ");
    add(run, table->name);
    add(run, " REORGANIZE PARTITION p_open INTO (");
    for (int ahead = 0; ahead <= PH_MONTHS_AHEAD; ahead++) {
        unsigned month = ph_month_number(ph_month_start_ms(now_ms, ahead));

        if (month > newest) {
            month_add(run, table->type, month,
                      ph_month_start_ms(now_ms, ahead + 1));
            made[count++] = month;
        }
    }
    if (count == 0) {
        ph_buf_cut(&run->sql, 0);
        return true;
    }
    add(run, "PARTITION p_open VALUES LESS THAN (MAXVALUE))");
    if (!run_send(run)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        run->told->tell(run->told->data, table->name, made[i]);
    }
    return true;
}

bool
ph_partitions_make(MYSQL *db, uint64_t now_ms,
                   const struct ph_partition_told *told, struct ph_buf *why)
{
    struct run run;

    run_open(&run, db, told, why);
    for (size_t i = 0; i < PH_COUNT(tables); i++) {
        if (!table_split(&run, &tables[i], now_ms)) {
            return false;
        }
    }
    return true;
}

/* ---- archive ---- */

/* Is anything under way that was born before end_ms, or that is about a payment
 * of then? */
static bool
month_is_at_rest(struct run *run, uint64_t end_ms, bool *is_at_rest)
{
    static const char *const born[]
        = { " WHERE SUBSTRING(w.id,2)<'", " OR SUBSTRING(r.payment_id,2)<'",
            " OR SUBSTRING(n.payment_id,2)<'" };
    struct ph_id end = ph_id_floor(PH_ID_PAYMENT, end_ms);
    uint64_t     open;
    size_t       count;

    add(run, "SELECT COUNT(*) FROM work w LEFT JOIN refund r ON r.id=w.id LEFT "
             "JOIN notify_task n ON n.id=w.id");
    for (size_t i = 0; i < PH_COUNT(born); i++) {
        add(run, born[i]);
        add(run, end.text + 1);
        add(run, "'");
    }
    bool ok     = run_numbers(run, &open, 1, &count);
    *is_at_rest = ok && count == 1 && open == 0;
    return ok;
}

static void
archive_name(struct run *run, const char *table, uint64_t month)
{
    add(run, "archive_");
    add(run, table);
    add(run, "_");
    ph_buf_u64(&run->sql, month);
}

static void
partition_name(struct run *run, uint64_t month)
{
    add(run, "p_");
    ph_buf_u64(&run->sql, month);
}

static bool
has_rows(struct run *run, bool *has)
{
    uint64_t one;
    size_t   count;
    bool     ok = run_numbers(run, &one, 1, &count);

    *has = ok && count != 0;
    return ok;
}

static bool
archive_has_partitions(struct run *run, const char *table, uint64_t month,
                       bool *has)
{
    add(run, "SELECT 1 FROM information_schema.partitions WHERE "
             "table_schema=DATABASE() AND partition_name IS NOT NULL AND "
             "table_name='");
    archive_name(run, table, month);
    add(run, "' LIMIT 1");
    return has_rows(run, has);
}

/* An empty table of the same columns, without partitions. */
static bool
archive_make(struct run *run, const char *table, uint64_t month)
{
    bool has;

    add(run, "CREATE TABLE IF NOT EXISTS ");
    archive_name(run, table, month);
    add(run, " LIKE ");
    add(run, table);
    if (!run_send(run) || !archive_has_partitions(run, table, month, &has)) {
        return false;
    }
    if (!has) {
        return true;
    }
    add(run, "ALTER TABLE ");
    archive_name(run, table, month);
    add(run, " REMOVE PARTITIONING");
    return run_send(run);
}

static bool
month_exchange(struct run *run, const char *table, uint64_t month)
{
    add(run, "ALTER TABLE ");
    add(run, table);
    add(run, " EXCHANGE PARTITION ");
    partition_name(run, month);
    add(run, " WITH TABLE ");
    archive_name(run, table, month);
    return run_send(run);
}

/* Which of both places have rows; both is for a person to look at. */
static bool
month_look(struct run *run, const char *table, uint64_t month, bool *has_left)
{
    bool is_filled;

    add(run, "SELECT 1 FROM ");
    archive_name(run, table, month);
    add(run, " LIMIT 1");
    if (!has_rows(run, &is_filled)) {
        return false;
    }
    add(run, "SELECT 1 FROM ");
    add(run, table);
    add(run, " PARTITION (");
    partition_name(run, month);
    add(run, ") LIMIT 1");
    if (!has_rows(run, has_left)) {
        return false;
    }
    if (is_filled && *has_left) {
        archive_name(run, table, month);
        ph_buf_add(run->why, ph_str_make(run->memory, run->sql.len));
        ph_buf_add(run->why, PH_STR(": found rows, expected none while the "
                                    "month has rows in its table"));
        ph_buf_cut(&run->sql, 0);
        return false;
    }
    return true;
}

/*
 * Each step leaves all rows in exactly one of both places.  A run that was cut
 * behind the exchange finds the archive filled and the partition empty, and
 * drops it.  The exchange waits for whoever is at the table: if one of them has
 * begun a refund since we looked, the rows go back.
 */
static bool
month_archive(struct run *run, const char *table, uint64_t month,
              uint64_t end_ms)
{
    bool has_left, is_at_rest;

    if (!archive_make(run, table, month)
        || !month_look(run, table, month, &has_left)
        || (has_left && !month_exchange(run, table, month))
        || !month_is_at_rest(run, end_ms, &is_at_rest))
    {
        return false;
    }
    if (!is_at_rest) {
        run->waits = month;
        return !has_left || month_exchange(run, table, month);
    }
    add(run, "ALTER TABLE ");
    add(run, table);
    add(run, " DROP PARTITION ");
    partition_name(run, month);
    if (!run_send(run)) {
        return false;
    }
    run->told->tell(run->told->data, table, (unsigned) month);
    return true;
}

/* the end of month YYYYMM */
static uint64_t
month_end_ms(uint64_t month, uint64_t now_ms)
{
    unsigned today = ph_month_number(now_ms);
    int      apart = ((int) (month / 100) - (int) (today / 100)) * 12
                + (int) (month % 100) - (int) (today % 100);

    return ph_month_start_ms(now_ms, apart + 1);
}

static bool
table_archive(struct run *run, const struct traffic_table *table,
              uint64_t now_ms, unsigned keep_months)
{
    uint64_t months[PH_MONTHS_ARCHIVED_MAX];
    size_t   count;
    unsigned oldest
        = ph_month_number(ph_month_start_ms(now_ms, -(int) keep_months));

    add(run, "SELECT SUBSTRING(partition_name,3)+0 FROM "
             "information_schema.partitions WHERE table_schema=DATABASE() AND "
             "partition_name<>'p_open' AND table_name='");
    add(run, table->name);
    add(run, "' AND SUBSTRING(partition_name,3)+0<");
    ph_buf_u64(&run->sql, oldest);
    add(run, " ORDER BY 1");
    if (!run_numbers(run, months, PH_COUNT(months), &count)) {
        return false;
    }
    for (size_t i = 0; i < count && months[i] < run->waits; i++) {
        uint64_t end_ms = month_end_ms(months[i], now_ms);
        bool     is_at_rest;

        if (!month_is_at_rest(run, end_ms, &is_at_rest)) {
            return false;
        }
        if (!is_at_rest) {
            run->waits = months[i]; /* in the other tables, too */
        } else if (!month_archive(run, table->name, months[i], end_ms)) {
            return false;
        }
    }
    return true;
}

bool
ph_partitions_archive(MYSQL *db, uint64_t now_ms, unsigned keep_months,
                      const struct ph_partition_told *told, struct ph_buf *why)
{
    struct run run;

    run_open(&run, db, told, why);
    for (size_t i = 0; i < PH_COUNT(tables) && keep_months != 0; i++) {
        if (!table_archive(&run, &tables[i], now_ms, keep_months)) {
            return false;
        }
    }
    return true;
}

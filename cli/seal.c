/*
 * seal.c - `payhub seal status|rotate`: every sealed secret under the key that
 * seals now.
 *
 * A row moves by a compare-and-set on its sealed bytes, which a fresh nonce
 * makes unlike any before, in commits of at most BATCH_ROWS rows: a run that
 * was killed leaves whole rows of either key, and the next one goes on.  Both
 * keys open until the old one is taken out of [seal], so nobody who reads has
 * to know of it.  `ver` and changed_at stay: nothing that an edge or a worker
 * knows has changed, and nobody loads anew what he may not be able to open.
 */
#include <inttypes.h>
#include <mysqld_error.h>
#include <openssl/crypto.h>

#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"

#define BATCH_ROWS 64
#define BATCH_TRIES 5 /* of a deadlock or a lock not had in time */
#define PASSES_MAX 5  /* rows that others write while we go through */
#define SAID_MAX 20   /* rows named that do not open */
#define SAY_EVERY_NS UINT64_C(5000000000)
#define ID_MAX 33
#define SQL_MAX (4 * (PH_SEAL_PLAIN_MAX + PH_SEAL_OVERHEAD_MAX) + 512)

/* clang-format off */
static const struct sealed_column {
    const char *table, *id, *column;
    const char *keep; /* a column that would move by itself, or "" */
} columns[] = {
    { "app", "id", "webhook_secret", "" },
    { "app_key", "id", "secret", ",changed_at=changed_at" },
    { "channel_account", "id", "secrets", ",updated_at=updated_at" },
    { "channel_kept", "account_id", "value", "" },
};
/* clang-format on */

struct seal_count {
    uint64_t now;  /* open by the key that seals */
    uint64_t old;  /* open by the key before */
    uint64_t shut; /* open by neither */
};

struct seal_run {
    MYSQL             *db;
    struct ph_seal_key keys[2];
    size_t             key_count;
    unsigned           said;
    uint64_t           said_ns;
    uint64_t           resealed[PH_COUNT(columns)];
    struct seal_count  count[PH_COUNT(columns)];
};

struct sealed_row {
    struct ph_str id, bytes;
};

static char seal_sql[SQL_MAX], seal_plain[PH_SEAL_PLAIN_MAX],
    seal_box[PH_SEAL_PLAIN_MAX + PH_SEAL_OVERHEAD_MAX];

static struct ph_seal_place
place_of(const struct sealed_column *at, const struct sealed_row *row)
{
    return (struct ph_seal_place){ ph_str_z(at->table), row->id,
                                   ph_str_z(at->column) };
}

/* the rows behind `after`, at most BATCH_ROWS of them */
static MYSQL_RES *
rows_read(struct seal_run *run, const struct sealed_column *at,
          const char *after)
{
    struct ph_buf sql = PH_BUF_INIT(seal_sql);

    ph_buf_add(&sql, PH_STR("SELECT "));
    ph_buf_add(&sql, ph_str_z(at->id));
    ph_buf_byte(&sql, ',');
    ph_buf_add(&sql, ph_str_z(at->column));
    ph_buf_add(&sql, PH_STR(" FROM "));
    ph_buf_add(&sql, ph_str_z(at->table));
    ph_buf_add(&sql, PH_STR(" WHERE "));
    ph_buf_add(&sql, ph_str_z(at->id));
    ph_buf_byte(&sql, '>');
    cli_sql_quote(run->db, &sql, ph_str_z(after));
    ph_buf_add(&sql, PH_STR(" AND "));
    ph_buf_add(&sql, ph_str_z(at->column));
    ph_buf_add(&sql, PH_STR("<>'' ORDER BY "));
    ph_buf_add(&sql, ph_str_z(at->id));
    ph_buf_add(&sql, PH_STR(" LIMIT "));
    ph_buf_u64(&sql, BATCH_ROWS);
    return cli_sql_rows(run->db, ph_buf_str(&sql));
}

static bool
row_next(MYSQL_RES *rows, struct sealed_row *row)
{
    MYSQL_ROW texts = mysql_fetch_row(rows);

    if (texts == NULL) {
        return false;
    }
    unsigned long *lengths = mysql_fetch_lengths(rows);

    row->id    = ph_str_make(texts[0], lengths[0]);
    row->bytes = ph_str_make(texts[1], lengths[1]);
    return true;
}

static void
say_shut(struct seal_run *run, const struct sealed_column *at,
         const struct sealed_row *row)
{
    struct ph_str id = ph_seal_key_id(row->bytes);

    if (run->said++ >= SAID_MAX) {
        return;
    }
    cli_say("%s.%s of %.*s: found %s%.*s, expected what a key of [seal] opens",
            at->table, at->column, (int) row->id.len, row->id.ptr,
            id.len != 0 ? "a seal of the key " : "no seal", (int) id.len,
            id.len != 0 ? id.ptr : "");
}

/* The secret into `plain`; which key opened it is counted.  False = none. */
static bool
row_open(struct seal_run *run, size_t column, const struct sealed_row *row,
         struct ph_buf *plain)
{
    struct ph_seal_place place = place_of(&columns[column], row);
    struct seal_count   *count = &run->count[column];

    if (ph_unseal(plain, run->keys, run->key_count, &place, row->bytes)
        != PH_OK) {
        count->shut++;
        say_shut(run, &columns[column], row);
        return false;
    }
    if (ph_str_eq(ph_seal_key_id(row->bytes), run->keys[0].id)) {
        count->now++;
    } else {
        count->old++;
    }
    return true;
}

static void
say_progress(struct seal_run *run, const struct sealed_column *at)
{
    uint64_t now_ns = ph_monotonic_ns();
    size_t   column = (size_t) (at - columns);

    if (now_ns - run->said_ns > SAY_EVERY_NS) {
        const struct seal_count *count = &run->count[column];

        run->said_ns = now_ns;
        cli_say("%s: %" PRIu64 " secrets opened, %" PRIu64 " sealed anew",
                at->table, count->now + count->old + count->shut,
                run->resealed[column]);
    }
}

static bool
update_add(struct seal_run *run, const struct sealed_column *at,
           const struct sealed_row *row, struct ph_str sealed)
{
    struct ph_buf sql = PH_BUF_INIT(seal_sql);

    ph_buf_add(&sql, PH_STR("UPDATE "));
    ph_buf_add(&sql, ph_str_z(at->table));
    ph_buf_add(&sql, PH_STR(" SET "));
    ph_buf_add(&sql, ph_str_z(at->column));
    ph_buf_byte(&sql, '=');
    cli_sql_bytes(&sql, sealed);
    ph_buf_add(&sql, ph_str_z(at->keep));
    ph_buf_add(&sql, PH_STR(" WHERE "));
    ph_buf_add(&sql, ph_str_z(at->id));
    ph_buf_byte(&sql, '=');
    cli_sql_quote(run->db, &sql, row->id);
    ph_buf_add(&sql, PH_STR(" AND "));
    ph_buf_add(&sql, ph_str_z(at->column));
    ph_buf_byte(&sql, '=');
    cli_sql_bytes(&sql, row->bytes);
    return !sql.full && mysql_real_query(run->db, sql.ptr, sql.len) == 0;
}

/* One row under the key that seals; 0 rows matched = another was faster. */
static bool
row_reseal(struct seal_run *run, const struct sealed_column *at,
           const struct sealed_row *row, struct ph_str plain, uint64_t *moved)
{
    struct ph_buf        box   = PH_BUF_INIT(seal_box);
    struct ph_seal_place place = place_of(at, row);
    uint8_t              nonce[PH_SEAL_NONCE_LEN];

    ph_random(nonce, sizeof(nonce));
    if (ph_seal(&box, &run->keys[0], &place, nonce, plain) != PH_OK) {
        cli_say("sealing %s.%s of %.*s failed", at->table, at->column,
                (int) row->id.len, row->id.ptr);
        return false;
    }
    bool ok = update_add(run, at, row, ph_buf_str(&box));

    *moved += ok ? mysql_affected_rows(run->db) : 0;
    return ok;
}

static bool
batch_audit(struct seal_run *run, const struct sealed_column *at,
            uint64_t moved)
{
    char detail[128];

    (void) snprintf(detail, sizeof(detail), "%s.%s: %" PRIu64 " rows",
                    at->table, at->column, moved);
    return cli_sql_audit(run->db, "seal.rotate", run->keys[0].id,
                         ph_str_z(detail));
}

/* Those of the rows that the old key opens, and what audit says of it: sent,
 * not committed. */
static bool
batch_send(struct seal_run *run, size_t column, MYSQL_RES *rows,
           uint64_t *moved)
{
    const struct sealed_column *at = &columns[column];
    struct sealed_row           row;
    bool ok = mysql_query(run->db, "START TRANSACTION") == 0;

    *moved = 0;
    mysql_data_seek(rows, 0);
    while (ok && row_next(rows, &row)) {
        struct ph_buf plain = PH_BUF_INIT(seal_plain);

        if (!ph_str_eq(ph_seal_key_id(row.bytes), run->keys[0].id)
            && row_open(run, column, &row, &plain))
        {
            ok = row_reseal(run, at, &row, ph_buf_str(&plain), moved);
        }
    }
    OPENSSL_cleanse(seal_plain, sizeof(seal_plain));
    return ok && (*moved == 0 || batch_audit(run, at, *moved));
}

static bool
is_worth_again(unsigned error)
{
    return error == ER_LOCK_DEADLOCK || error == ER_LOCK_WAIT_TIMEOUT;
}

/* One commit. */
static bool
batch_reseal(struct seal_run *run, size_t column, MYSQL_RES *rows)
{
    const struct seal_count before = run->count[column];
    uint64_t                moved  = 0;

    for (unsigned tries = 1;; tries++) {
        run->count[column] = before;
        if (batch_send(run, column, rows, &moved)
            && mysql_query(run->db, "COMMIT") == 0)
        {
            run->resealed[column] += moved;
            return true;
        }
        unsigned error = mysql_errno(run->db);
        if (error != 0) {
            cli_say("%s: MySQL error %u: %s", columns[column].table, error,
                    mysql_error(run->db));
        }
        if (!is_worth_again(error) || tries == BATCH_TRIES
            || mysql_query(run->db, "ROLLBACK") != 0)
        {
            return false;
        }
    }
}

static void
batch_look(struct seal_run *run, size_t column, MYSQL_RES *rows)
{
    struct sealed_row row;

    while (row_next(rows, &row)) {
        struct ph_buf plain = PH_BUF_INIT(seal_plain);

        (void) row_open(run, column, &row, &plain);
    }
    OPENSSL_cleanse(seal_plain, sizeof(seal_plain));
}

/* All rows of a column, in the order of their ids. */
static bool
column_walk(struct seal_run *run, size_t column, bool is_resealing)
{
    const struct sealed_column *at            = &columns[column];
    char                        after[ID_MAX] = "";
    bool                        ok            = true;
    size_t                      count         = BATCH_ROWS;

    run->count[column] = (struct seal_count){ 0 };
    while (ok && count == BATCH_ROWS) {
        MYSQL_RES *rows = rows_read(run, at, after);

        if (rows == NULL) {
            return false;
        }
        count = (size_t) mysql_num_rows(rows);
        if (is_resealing) {
            ok = batch_reseal(run, column, rows);
        } else {
            batch_look(run, column, rows);
        }
        if (count != 0) {
            mysql_data_seek(rows, count - 1);
            (void) snprintf(after, sizeof(after), "%s",
                            mysql_fetch_row(rows)[0]);
        }
        mysql_free_result(rows);
        say_progress(run, at);
    }
    return ok;
}

static bool
all_walk(struct seal_run *run, bool is_resealing)
{
    bool ok = true;

    run->said = is_resealing ? SAID_MAX : 0; /* each is named by the look */
    for (size_t i = 0; ok && i < PH_COUNT(columns); i++) {
        ok = column_walk(run, i, is_resealing);
    }
    return ok;
}

static struct seal_count
sum_of(const struct seal_run *run)
{
    struct seal_count sum = { 0 };

    for (size_t i = 0; i < PH_COUNT(columns); i++) {
        sum.now += run->count[i].now;
        sum.old += run->count[i].old;
        sum.shut += run->count[i].shut;
    }
    return sum;
}

static void
counts_print(const struct cli *cli, const struct seal_run *run)
{
    json_t *list = json_array();

    for (size_t i = 0; i < PH_COUNT(columns); i++) {
        const struct seal_count *count = &run->count[i];

        (void) json_array_append_new(
            list, json_pack("{s:s, s:s, s:s%, s:I, s:I, s:I, s:I}", "table",
                            columns[i].table, "column", columns[i].column,
                            "key_id", run->keys[0].id.ptr, run->keys[0].id.len,
                            "sealed_by_it", (json_int_t) count->now,
                            "by_the_old", (json_int_t) count->old, "unreadable",
                            (json_int_t) count->shut, "resealed",
                            (json_int_t) run->resealed[i]));
    }
    cli_out(cli, list);
}

/* keys and connection; false = said why */
static bool
run_begin(struct cli *cli, struct seal_run *run)
{
    *run = (struct seal_run){ .said_ns = ph_monotonic_ns() };
    if (!cli_seal_keys(cli, run->keys, &run->key_count)) {
        return false;
    }
    if (ph_conf_text(&cli->conf, PH_CONF_seal_key_file)[0] == '\0') {
        cli_say("seal.key_file: found nothing beside seal.old_key_file, "
                "expected the key that seals from now on");
        return false;
    }
    run->db = cli_sql_open(cli);
    return run->db != NULL;
}

static void
run_end(struct seal_run *run)
{
    OPENSSL_cleanse(run->keys, sizeof(run->keys));
    if (run->db != NULL) {
        mysql_close(run->db);
    }
}

enum cli_exit
cli_seal_status(struct cli *cli)
{
    static struct seal_run run;
    enum cli_exit          code = CLI_FAILED;

    if (run_begin(cli, &run) && all_walk(&run, false)) {
        counts_print(cli, &run);
        code = sum_of(&run).shut == 0 ? CLI_OK : CLI_DIFFERS;
    }
    run_end(&run);
    return code;
}

enum cli_exit
cli_seal_rotate(struct cli *cli)
{
    static struct seal_run run;
    enum cli_exit          code = CLI_FAILED;
    bool                   ok   = run_begin(cli, &run);

    /* a row that another program sealed by the old key behind our back is
     * found by the look, and the next pass takes it */
    for (unsigned pass = 0; ok && pass < PASSES_MAX; pass++) {
        ok = all_walk(&run, true) && all_walk(&run, false);
        if (ok && sum_of(&run).old == 0) {
            break;
        }
    }
    if (ok) {
        struct seal_count left = sum_of(&run);

        counts_print(cli, &run);
        code = left.old + left.shut == 0 ? CLI_OK : CLI_DIFFERS;
        cli_say(code == CLI_OK
                    ? "every secret is sealed by %.*s: the key before may "
                      "leave [seal]"
                    : "not every secret is sealed by %.*s: keep the key before",
                (int) run.keys[0].id.len, run.keys[0].id.ptr);
    }
    run_end(&run);
    return code;
}

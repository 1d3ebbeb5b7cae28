/*
 * schema.c - `payhub schema up` and `status`: numbered migrations and monthly
 * partitions.
 *
 * Invariants: (1) one run at a time, by GET_LOCK; (2) a file that was applied
 * never changes, by its SHA-256; (3) versions have no gap; (4) every statement
 * is noted when it is done, because DDL commits by itself: a run that was cut
 * goes on with the next one, also after the rest of its file was mended.  The
 * step between a statement and its note may
 * repeat that one statement, so "exists already" is taken for done there and
 * nowhere else.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <limits.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/partitions.h"
#include "cli/sql_split.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/digest.h"

#define FILES_MAX 999
#define FILE_MAX (1024 * 1024)
#define LOCK_WAIT_S 60
#define SQL_MAX 2048

struct migration {
    char     file[64];
    char     name[49];
    char     checksum[2 * PH_SHA256_LEN + 1];
    unsigned version;
};

struct migrations {
    char             dir[PATH_MAX];
    size_t           count;
    struct migration list[FILES_MAX];
};

/* what schema_version says of one version */
struct applied {
    bool     known;
    bool     whole;
    unsigned done; /* statements */
};

static char file_text[FILE_MAX]; /* one migration at a time */

static int
migration_cmp(const void *a, const void *b)
{
    const struct migration *left = a, *right = b;

    return (left->version > right->version) - (left->version < right->version);
}

static bool
has_migrations(const char *dir)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/0001_core.sql", dir)
               < (int) sizeof(path)
           && access(path, R_OK) == 0;
}

/* --dir, else beside the binary, else ./schema */
static bool
dir_find(const struct cli *cli, char out[PATH_MAX])
{
    static const char *const places[]
        = { "/../schema", "/../../schema", "/../share/payhub/schema" };
    const char *given = cli_args_value(&cli->args, "dir");
    char        self[PATH_MAX];

    if (given != NULL) {
        return snprintf(out, PATH_MAX, "%s", given) < PATH_MAX;
    }
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len > 0) {
        self[len]   = '\0';
        char *slash = strrchr(self, '/');
        *slash      = '\0';
        for (size_t i = 0; i < PH_COUNT(places); i++) {
            struct ph_buf buf;
            ph_buf_init(&buf, out, PATH_MAX);
            ph_buf_add(&buf, ph_str_z(self));
            ph_buf_add(&buf, ph_str_z(places[i]));
            if (ph_buf_z(&buf) != NULL && !buf.full && has_migrations(out)) {
                return true;
            }
        }
    }
    (void) snprintf(out, PATH_MAX, "./schema");
    if (has_migrations(out)) {
        return true;
    }
    cli_say("found no schema folder beside the program nor ./schema; expected "
            "--dir DIR");
    return false;
}

static bool
file_load(const struct migrations *all, const char *file, struct ph_buf *text)
{
    char          path[PATH_MAX + 80], memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    (void) snprintf(path, sizeof(path), "%s/%s", all->dir, file);
    ph_buf_init(text, file_text, sizeof(file_text));
    if (!ph_file_read(path, text, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return false;
    }
    return true;
}

static void
text_copy(char *out, size_t size, struct ph_str text)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, size);
    ph_buf_add(&buf, text);
    (void) ph_buf_z(&buf);
}

static bool
migration_add(struct migrations *all, const char *file)
{
    struct migration *m = &all->list[all->count];
    struct ph_str     name, pieces[1];
    struct ph_buf     text, hex;
    uint8_t           sum[PH_SHA256_LEN];

    if (!cli_migration_name(ph_str_z(file), &m->version, &name)) {
        return true; /* README.md, redis/ and the like */
    }
    if (all->count == FILES_MAX - 1 || strlen(file) >= sizeof(m->file)) {
        cli_say("%s: found more or longer migrations than expected", file);
        return false;
    }
    text_copy(m->file, sizeof(m->file), ph_str_z(file));
    text_copy(m->name, sizeof(m->name), name);
    if (!file_load(all, file, &text)) {
        return false;
    }
    pieces[0] = ph_buf_str(&text);
    if (!ph_sha256(pieces, 1, sum)) {
        cli_say("SHA-256 is not available");
        return false;
    }
    ph_buf_init(&hex, m->checksum, sizeof(m->checksum));
    ph_buf_hex(&hex, ph_str_make((const char *) sum, sizeof(sum)));
    (void) ph_buf_z(&hex);
    all->count++;
    return true;
}

static bool
migrations_read(const struct cli *cli, struct migrations *all)
{
    bool ok = true;

    if (!dir_find(cli, all->dir)) {
        return false;
    }
    DIR *dir = opendir(all->dir);
    if (dir == NULL) {
        cli_say("%s: found no readable folder, expected migrations", all->dir);
        return false;
    }
    for (struct dirent *e = readdir(dir); ok && e != NULL; e = readdir(dir)) {
        ok = migration_add(all, e->d_name);
    }
    (void) closedir(dir);
    if (!ok) {
        return false;
    }
    qsort(all->list, all->count, sizeof(all->list[0]), migration_cmp);
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].version != i + 1) {
            cli_say("%s: found version %u, expected %zu: numbers have no gap "
                    "and no twin",
                    all->list[i].file, all->list[i].version, i + 1);
            return false;
        }
    }
    if (all->count == 0) {
        cli_say("%s: found no NNNN_name.sql, expected at least one", all->dir);
    }
    return all->count != 0;
}

static bool
table_make(MYSQL *db)
{
    return cli_sql_run(db,
                       PH_STR("CREATE TABLE IF NOT EXISTS schema_version ("
                              "version INT UNSIGNED NOT NULL,"
                              "name VARCHAR(48) CHARACTER SET ascii NOT NULL,"
                              "checksum CHAR(64) CHARACTER SET ascii NOT NULL,"
                              "statements INT UNSIGNED NOT NULL DEFAULT 0,"
                              "applied_at DATETIME(3) NULL,"
                              "PRIMARY KEY (version)) ENGINE=InnoDB"));
}

static bool
table_exists(MYSQL *db, bool *exists)
{
    char          memory[8];
    struct ph_buf out = PH_BUF_INIT(memory);

    if (!cli_sql_text(db,
                      PH_STR("SELECT COUNT(*) FROM information_schema.tables "
                             "WHERE table_schema=DATABASE() AND "
                             "table_name='schema_version'"),
                      &out))
    {
        return false;
    }
    *exists = ph_str_eq(ph_buf_str(&out), PH_STR("1"));
    return true;
}

/* false = said why: SQL failed, or the applied file was another one */
static bool
applied_find(MYSQL *db, const struct migration *m, struct applied *out)
{
    char          memory[SQL_MAX];
    struct ph_buf sql  = PH_BUF_INIT(memory);
    uint64_t      done = 0;

    *out = (struct applied){ false, false, 0 };
    ph_buf_add(&sql, PH_STR("SELECT checksum,statements,applied_at IS NOT NULL "
                            "FROM schema_version WHERE version="));
    ph_buf_u64(&sql, m->version);
    MYSQL_RES *rows = cli_sql_rows(db, ph_buf_str(&sql));
    if (rows == NULL) {
        return false;
    }
    MYSQL_ROW row = mysql_fetch_row(rows);
    bool      ok  = true;
    if (row != NULL) {
        *out = (struct applied){ true, row[2][0] == '1', 0 };
        ok   = !out->whole || strcmp(row[0], m->checksum) == 0;
        if (ph_str_u64(ph_str_z(row[1]), UINT32_MAX, &done)) {
            out->done = (unsigned) done;
        }
        if (!ok) {
            cli_say("%s: found SHA-256 %.12s..., expected %.12s... as applied; "
                    "put the file back and write a new migration",
                    m->file, m->checksum, row[0]);
        }
    }
    mysql_free_result(rows);
    return ok;
}

/* a version in the table that the folder does not have */
static bool
newest_check(MYSQL *db, const struct migrations *all)
{
    char          memory[24];
    struct ph_buf out  = PH_BUF_INIT(memory);
    uint64_t      most = 0;

    if (!cli_sql_text(
            db, PH_STR("SELECT COALESCE(MAX(version),0) FROM schema_version"),
            &out))
    {
        return false;
    }
    if (!ph_str_u64(ph_buf_str(&out), UINT32_MAX, &most) || most > all->count) {
        cli_say("the database has version %.*s, %s has %zu: this program is "
                "older than the schema",
                (int) out.len, out.ptr, all->dir, all->count);
        return false;
    }
    return true;
}

static bool
note(MYSQL *db, const struct migration *m, size_t done, bool whole)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, PH_STR("INSERT INTO schema_version (version,name,checksum,"
                            "statements,applied_at) VALUES ("));
    ph_buf_u64(&sql, m->version);
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(m->name));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(m->checksum));
    ph_buf_byte(&sql, ',');
    ph_buf_u64(&sql, done);
    ph_buf_add(&sql, whole ? PH_STR(",UTC_TIMESTAMP(3))") : PH_STR(",NULL)"));
    ph_buf_add(&sql, PH_STR(" ON DUPLICATE KEY UPDATE statements="));
    ph_buf_u64(&sql, done);
    ph_buf_add(&sql, PH_STR(",checksum="));
    cli_sql_quote(db, &sql, ph_str_z(m->checksum));
    ph_buf_add(&sql, whole ? PH_STR(",applied_at=UTC_TIMESTAMP(3)")
                           : PH_STR(",applied_at=NULL"));
    return cli_sql_run(db, ph_buf_str(&sql));
}

static bool
is_there_already(unsigned error)
{
    return error == ER_TABLE_EXISTS_ERROR || error == ER_DUP_FIELDNAME
           || error == ER_DUP_KEYNAME || error == ER_CANT_DROP_FIELD_OR_KEY;
}

static bool
statement_run(MYSQL *db, struct ph_str sql, bool again)
{
    if (!again) {
        return cli_sql_run(db, sql);
    }
    if (mysql_real_query(db, sql.ptr, sql.len) == 0) {
        mysql_free_result(mysql_store_result(db));
        return true;
    }
    if (is_there_already(mysql_errno(db))) {
        return true;
    }
    cli_say("MySQL error %u: %s", mysql_errno(db), mysql_error(db));
    return false;
}

static bool
migration_apply(MYSQL *db, const struct migrations *all,
                const struct migration *m, const struct applied *before)
{
    struct ph_buf buf;
    struct ph_str statement;
    size_t        number = 0;
    enum ph_rc    rc;

    if (!file_load(all, m->file, &buf) || !note(db, m, before->done, false)) {
        return false;
    }
    struct ph_str text = ph_buf_str(&buf);
    while ((rc = cli_sql_next(&text, &statement)) == PH_OK) {
        number++;
        if (number <= before->done) {
            continue;
        }
        bool again = before->known && number == before->done + 1;
        if (!statement_run(db, statement, again) || !note(db, m, number, false))
        {
            cli_say("%s: statement %zu failed; mend what it says and run "
                    "schema up again",
                    m->file, number);
            return false;
        }
    }
    if (rc != PH_E_MISSING) {
        cli_say("%s: found a quote or comment without its end", m->file);
        return false;
    }
    return note(db, m, number, true);
}

static bool
lock_take(MYSQL *db)
{
    char          memory[8], text[128];
    struct ph_buf out = PH_BUF_INIT(memory);

    (void) snprintf(text, sizeof(text),
                    "SELECT GET_LOCK(CONCAT('payhub_schema.',DATABASE()),%d)",
                    LOCK_WAIT_S);
    if (!cli_sql_text(db, ph_str_z(text), &out)) {
        return false;
    }
    if (!ph_str_eq(ph_buf_str(&out), PH_STR("1"))) {
        cli_say("another `schema up` holds the lock for over %d s",
                LOCK_WAIT_S);
        return false;
    }
    return true; /* the server drops it with the connection */
}

static bool
migrations_apply(MYSQL *db, const struct migrations *all, json_t *applied)
{
    if (!table_make(db) || !newest_check(db, all)) {
        return false;
    }
    for (size_t i = 0; i < all->count; i++) {
        const struct migration *m = &all->list[i];
        struct applied          before;
        if (!applied_find(db, m, &before)) {
            return false;
        }
        if (before.whole) {
            continue;
        }
        if (!migration_apply(db, all, m, &before)) {
            return false;
        }
        cli_say("applied %s", m->file);
        (void) json_array_append_new(applied, json_string(m->file));
    }
    return true;
}

enum cli_exit
cli_schema_up(struct cli *cli)
{
    static struct migrations all;
    enum cli_exit            code       = CLI_FAILED;
    json_t                  *applied    = json_array();
    json_t                  *partitions = json_array();

    MYSQL *db = migrations_read(cli, &all) ? cli_sql_open(cli) : NULL;
    if (db != NULL && lock_take(db) && migrations_apply(db, &all, applied)
        && cli_partitions_make(db, ph_now_ms(), partitions))
    {
        code = CLI_OK;
        cli_out(cli, json_pack("{s:i, s:O, s:O}", "version", (int) all.count,
                               "applied", applied, "partitions", partitions));
    }
    if (db != NULL) {
        mysql_close(db);
    }
    json_decref(applied);
    json_decref(partitions);
    return code;
}

/* one row a file: applied, cut, waiting, changed */
static bool
status_row(MYSQL *db, const struct migration *m, bool exists, json_t *rows)
{
    struct applied at = { false, false, 0 };

    if (exists && !applied_find(db, m, &at)) {
        return false;
    }
    json_t *row = json_pack("{s:i, s:s, s:s, s:i}", "version", (int) m->version,
                            "name", m->name, "state",
                            at.whole   ? "applied"
                            : at.known ? "cut"
                                       : "waiting",
                            "statements", (int) at.done);
    return json_array_append_new(rows, row) == 0;
}

enum cli_exit
cli_schema_status(struct cli *cli)
{
    static struct migrations all;
    enum cli_exit            code   = CLI_FAILED;
    json_t                  *rows   = json_array();
    bool                     exists = false, ok = true;

    MYSQL *db = migrations_read(cli, &all) ? cli_sql_open(cli) : NULL;
    if (db == NULL || !table_exists(db, &exists)) {
        goto done;
    }
    for (size_t i = 0; ok && i < all.count; i++) {
        ok = status_row(db, &all.list[i], exists, rows);
    }
    if (ok) {
        code = CLI_OK;
        cli_out(cli, json_incref(rows));
    }
done:
    if (db != NULL) {
        mysql_close(db);
    }
    json_decref(rows);
    return code;
}

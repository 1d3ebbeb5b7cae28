/*
 * told.c - see told.h.
 *
 * Lines are gathered and looked up ROUND at a time, so a long file costs few
 * statements and little memory.
 */
#include "cli/told.h"

#include "cli/progress.h"

#include <errno.h>
#include <sys/stat.h>

#define ROUND 200
#define LINE_MAX_BYTES 4096
#define NUMBER_MAX 64
#define APP_MAX 32
#define STATUS_MAX 16
#define APPS_MAX 64
#define APPS_TEXT_MAX (APPS_MAX * (2 * APP_MAX + 3) + 128)

struct line {
    char number[NUMBER_MAX + 1];
    char app[APP_MAX + 1]; /* "" = any */
    char status[STATUS_MAX + 1];
    bool is_refund;
    bool is_found;
    char now[STATUS_MAX + 1];
};

struct telling {
    MYSQL               *db;
    struct cli_breaches *breaches;
    struct ph_str        apps[2]; /* of payments, of refunds */
    size_t               count;
    struct line          lines[ROUND];
};

/*
 * What may stand here after somebody was told the first word.  A conflict is
 * left by a person, to anything; a refund that failed may succeed by late
 * proof.  Words that promise nothing are not in the list.
 */
static const struct {
    bool        is_refund;
    const char *told;
    const char *now; /* blank-separated */
} holds[] = {
    { false, "paid", " paid " },
    { false, "paid_late", " paid_late " },
    { false, "failed", " failed paid_late conflict " },
    { false, "closed", " closed paid_late conflict " },
    { true, "succeeded", " succeeded " },
    { true, "failed", " failed succeeded " },
};

static bool
is_true_still(const struct line *line)
{
    char          memory[STATUS_MAX + 3];
    struct ph_buf word = PH_BUF_INIT(memory);

    ph_buf_byte(&word, ' ');
    ph_buf_add(&word, ph_str_z(line->now));
    ph_buf_byte(&word, ' ');
    for (size_t i = 0; i < PH_COUNT(holds); i++) {
        if (holds[i].is_refund == line->is_refund
            && strcmp(holds[i].told, line->status) == 0)
        {
            return strstr(holds[i].now, ph_buf_z(&word)) != NULL;
        }
    }
    return true;
}

/* --- a round of lines ------------------------------------------------------
 */

static bool
is_same(const struct line *line, bool is_refund, MYSQL_ROW row)
{
    return line->is_refund == is_refund && strcmp(line->number, row[0]) == 0
           && (line->app[0] == '\0' || strcmp(line->app, row[1]) == 0);
}

/*
 * "n.app_id IN(...) AND " with all that have numbers: the tables' keys begin
 * with it.  Of more than APPS_MAX nothing is said, and each round reads the
 * table.
 */
static bool
apps_read(MYSQL *db, struct ph_str sql, char memory[APPS_TEXT_MAX],
          struct ph_str *out)
{
    struct ph_buf text;
    size_t        n    = 0;
    MYSQL_RES    *rows = cli_sql_rows(db, sql);

    if (rows == NULL) {
        return false;
    }
    ph_buf_init(&text, memory, APPS_TEXT_MAX);
    ph_buf_add(&text, PH_STR("n.app_id IN("));
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        if (n++ != 0) {
            ph_buf_byte(&text, ',');
        }
        cli_sql_quote(db, &text, ph_str_z(row[0]));
    }
    ph_buf_add(&text, PH_STR(") AND "));
    mysql_free_result(rows);
    *out = n == 0 || n > APPS_MAX || text.full ? PH_STR("") : ph_buf_str(&text);
    return true;
}

/* numbers are tokens: nothing in them to escape */
static bool
round_read(struct telling *it, bool is_refund)
{
    char          memory[ROUND * (NUMBER_MAX + 4) + APPS_TEXT_MAX + 512];
    struct ph_buf sql = PH_BUF_INIT(memory);
    size_t        n   = 0;

    ph_buf_add(&sql, is_refund
                         ? PH_STR("SELECT n.refund_no,n.app_id,r.status "
                                  "FROM refund_no n STRAIGHT_JOIN refund r ON "
                                  "r.id=n.refund_id WHERE ")
                         : PH_STR("SELECT n.order_no,n.app_id,p.status "
                                  "FROM payment_no n STRAIGHT_JOIN payment p "
                                  "ON p.id=n.payment_id WHERE "));
    ph_buf_add(&sql, it->apps[is_refund]);
    ph_buf_add(&sql, is_refund ? PH_STR("n.refund_no IN(")
                               : PH_STR("n.order_no IN("));
    for (size_t i = 0; i < it->count; i++) {
        if (it->lines[i].is_refund == is_refund) {
            ph_buf_add(&sql, n++ == 0 ? PH_STR("'") : PH_STR(",'"));
            ph_buf_add(&sql, ph_str_z(it->lines[i].number));
            ph_buf_byte(&sql, '\'');
        }
    }
    ph_buf_byte(&sql, ')');
    if (n == 0) {
        return true;
    }
    MYSQL_RES *rows = cli_sql_rows(it->db, ph_buf_str(&sql));
    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        for (size_t i = 0; i < it->count; i++) {
            struct line *line = &it->lines[i];

            if (is_same(line, is_refund, row)) {
                line->is_found = true;
                (void) snprintf(line->now, sizeof(line->now), "%s", row[2]);
            }
        }
    }
    mysql_free_result(rows);
    return true;
}

static bool
round_judge(struct telling *it)
{
    char detail[96];

    if (!round_read(it, false) || !round_read(it, true)) {
        return false;
    }
    for (size_t i = 0; i < it->count; i++) {
        const struct line *line = &it->lines[i];

        if (!line->is_found) {
            (void) snprintf(detail, sizeof(detail), "told %s; there is no row",
                            line->status);
        } else if (!is_true_still(line)) {
            (void) snprintf(detail, sizeof(detail), "told %s, is %s",
                            line->status, line->now);
        } else {
            continue;
        }
        cli_breach(it->breaches, "I8", "what a client was told is still true",
                   line->number, detail);
    }
    it->count = 0;
    return true;
}

/* --- the file --------------------------------------------------------------
 */

static bool
member_read(const json_t *root, const char *name, char *out, size_t size)
{
    const json_t *value = json_object_get(root, name);
    struct ph_str text
        = ph_str_make(json_string_value(value), json_string_length(value));

    if (!ph_str_is_token(text, size - 1)) {
        return false;
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool
line_read(struct line *line, const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    *line           = (struct line){ 0 };
    line->is_refund = json_object_get(root, "refund_no") != NULL;
    bool ok = member_read(root, line->is_refund ? "refund_no" : "order_no",
                          line->number, sizeof(line->number))
              && member_read(root, "status", line->status, sizeof(line->status))
              && (json_object_get(root, "app_id") == NULL
                  || member_read(root, "app_id", line->app, sizeof(line->app)));
    json_decref(root);
    return ok;
}

bool
cli_told_open(struct cli_told *told, const char *path)
{
    struct stat info;

    *told = (struct cli_told){ .path = path };
    if (path == NULL) {
        return true;
    }
    told->file = fopen(path, "re");
    if (told->file == NULL || fstat(fileno(told->file), &info) != 0) {
        cli_say("%s: %s", path, strerror(errno));
        cli_told_close(told);
        return false;
    }
    told->size = (uint64_t) info.st_size;
    return true;
}

void
cli_told_close(struct cli_told *told)
{
    if (told->file != NULL) {
        (void) fclose(told->file); /* was only read */
        told->file = NULL;
    }
}

enum cli_exit
cli_told_judge(struct cli_told *told, MYSQL *db, struct cli_breaches *breaches,
               size_t *lines)
{
    static struct telling it;
    static char           text[LINE_MAX_BYTES];
    static char           apps[2][APPS_TEXT_MAX];
    uint64_t              left = told->size;

    it.db       = db;
    it.breaches = breaches;
    it.count    = 0;
    *lines      = 0;
    if (told->file != NULL
        && (!apps_read(db,
                       PH_STR("SELECT DISTINCT app_id FROM payment_no "
                              "LIMIT 65"),
                       apps[0], &it.apps[0])
            || !apps_read(db,
                          PH_STR("SELECT DISTINCT app_id FROM refund_no "
                                 "LIMIT 65"),
                          apps[1], &it.apps[1])))
    {
        return CLI_FAILED;
    }
    while (told->file != NULL && left != 0
           && fgets(text, sizeof(text), told->file) != NULL)
    {
        size_t len = strlen(text);

        left = len < left ? left - len : 0;
        ++*lines;
        cli_progress("told: %zu lines compared", *lines);
        if (!line_read(&it.lines[it.count], text, len)) {
            cli_say("%s: line %zu: found no object with order_no or refund_no, "
                    "and status; expected one a line, of at most %d bytes",
                    told->path, *lines, LINE_MAX_BYTES - 1);
            return CLI_USAGE;
        }
        it.count++;
        if (it.count == ROUND && !round_judge(&it)) {
            return CLI_FAILED;
        }
    }
    return it.count == 0 || round_judge(&it) ? CLI_OK : CLI_FAILED;
}

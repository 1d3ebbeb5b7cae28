/*
 * drift.c - `payhub drift`.
 *
 * A difference counts only where both sides are known at one position.
 *  - Redis is read (A), then SQL in one snapshot whose GTID G is known, then
 *    Redis again (B), with A at or before G and B at or past it.  A counter
 *    that is the same in A and B had that value at G: compared, for good.
 *  - A counter that moved in between is compared again: Redis is captured
 *    many times around a new snapshot, position and fields in one MULTI, until
 *    one capture stands exactly at the snapshot's G.
 * So live load never makes a difference and never hides one.  G comes from
 * Binlog_snapshot_file and _position, which MariaDB sets together with START
 * TRANSACTION WITH CONSISTENT SNAPSHOT.
 */
#include "cli/drift.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/counter_read.h"
#include "libpayhub/io/daemon.h"

#define ROUNDS_MAX 400
#define CAPTURES_MAX 64    /* distinct positions around one snapshot */
#define CAPTURE_SPAN_MS 15 /* captures go on for so long at least */
#define CAPTURE_PAUSE_US 300
#define POLL_US 5000
#define EXPIRY_MARGIN_MS 300000 /* minute buckets about to expire are left */
#define SHOWN_MAX 1000          /* differences named one by one */
#define MINUTE_MS UINT64_C(60000)
#define DAY_MS UINT64_C(86400000)
#define SQL_MAX (CLI_POSITION_MAX + 256)

struct drift {
    struct cli_counts counts;
    uint64_t          deadline_ms;
    uint64_t          minute_from_ms;
    uint64_t          day_from_ms;
    struct cli_drift *out;
};

/* one comparison: the sides, and the counters still to be judged */
struct round {
    struct drift           *drift;
    struct cli_cells        before, sql, after;
    struct cli_cells        moving; /* (key, field) */
    const struct cli_cells *only;   /* NULL = every counter */
    bool                    exact;  /* before == after by construction */
};

static void
round_free(struct round *r)
{
    cli_cells_free(&r->before);
    cli_cells_free(&r->sql);
    cli_cells_free(&r->after);
    cli_cells_free(&r->moving);
}

/* @@gtid_binlog_pos as text and parsed */
static bool
server_position(MYSQL *db, const char *sql, struct cli_position *out)
{
    struct ph_buf text;

    ph_buf_init(&text, out->text, sizeof(out->text) - 1);
    if (!cli_sql_text(db, ph_str_z(sql), &text)) {
        return false;
    }
    out->text[text.len] = '\0';
    if (text.full || cli_gtid_parse(&out->gtid, ph_buf_str(&text)) != PH_OK) {
        cli_say("found server position '%s', expected MariaDB's GTID list",
                out->text);
        return false;
    }
    return true;
}

/* until Redis is at or past `goal`, or the deadline */
static enum cli_exit
wait_for(struct drift *drift, const struct cli_position *goal)
{
    struct cli_position at;

    for (;;) {
        if (!cli_counts_position(&drift->counts, &at)) {
            return drift->counts.failure;
        }
        if (cli_gtid_reached(&at.gtid, &goal->gtid)) {
            return CLI_OK;
        }
        if (ph_monotonic_ns() / 1000000 >= drift->deadline_ms) {
            cli_say("not caught up: found the sidecar at '%s', expected '%s'; "
                    "is payhub-sidecar running?",
                    at.text, goal->text);
            return CLI_NOT_READY;
        }
        (void) usleep(POLL_US);
    }
}

struct snapshot_place {
    char file[256];
    char offset[32];
};

/* begins the snapshot; its place in the binlog is told by status variables */
static bool
snapshot_begin(MYSQL *db, struct snapshot_place *place)
{
    bool ok = cli_sql_run(db, PH_STR("SET TRANSACTION ISOLATION LEVEL "
                                     "REPEATABLE READ"))
              && cli_sql_run(db, PH_STR("START TRANSACTION WITH CONSISTENT "
                                        "SNAPSHOT, READ ONLY"));
    MYSQL_RES *rows = ok ? cli_sql_rows(db, PH_STR("SHOW STATUS LIKE "
                                                   "'binlog_snapshot_%'"))
                         : NULL;

    *place = (struct snapshot_place){ 0 };
    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        if (strcasecmp(row[0], "Binlog_snapshot_file") == 0) {
            (void) snprintf(place->file, sizeof(place->file), "%s", row[1]);
        } else if (strcasecmp(row[0], "Binlog_snapshot_position") == 0) {
            (void) snprintf(place->offset, sizeof(place->offset), "%s", row[1]);
        }
    }
    mysql_free_result(rows);
    if (place->file[0] == '\0' || place->offset[0] == '\0') {
        cli_say("found no Binlog_snapshot_position, expected MariaDB with its "
                "binlog on");
        return false;
    }
    return true;
}

static bool
snapshot_gtid(MYSQL *db, const struct snapshot_place *place,
              struct cli_position *out)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);

    ph_buf_add(&sql, PH_STR("SELECT BINLOG_GTID_POS("));
    cli_sql_quote(db, &sql, ph_str_z(place->file));
    ph_buf_byte(&sql, ',');
    cli_sql_quote(db, &sql, ph_str_z(place->offset));
    ph_buf_byte(&sql, ')');
    return server_position(db, ph_buf_z(&sql), out);
}

static bool
snapshot_end(MYSQL *db)
{
    return cli_sql_run(db, PH_STR("ROLLBACK"));
}

/* a name from Redis, which takes any bytes: those that are no text as hex */
static json_t *
name_json(struct ph_str name)
{
    char          memory[2 * CLI_CELL_NAME_MAX + 2];
    struct ph_buf hex = PH_BUF_INIT(memory);

    if (ph_str_utf8_count(name) != SIZE_MAX) {
        return json_stringn(name.ptr, name.len);
    }
    ph_buf_add(&hex, PH_STR("0x"));
    ph_buf_hex(&hex, name);
    return json_stringn(hex.ptr, hex.len);
}

static bool
difference_add(struct drift *drift, struct ph_str key, struct ph_str field,
               int64_t redis, int64_t sql)
{
    json_t *list = drift->out->differences;

    if (json_array_size(list) == SHOWN_MAX) {
        return true; /* enough to see; the verdict stands already */
    }
    return json_array_append_new(
               list, json_pack("{s:o, s:o, s:I, s:I}", "key", name_json(key),
                               "field", name_json(field), "redis",
                               (json_int_t) redis, "sql", (json_int_t) sql))
           == 0;
}

/* `key` is a bucket before the one of from_ms, whose key differs in its number
 * at the end alone */
static bool
is_before(const struct drift *drift, struct ph_str key,
          enum ph_counter_grain grain, uint64_t from_ms)
{
    char          memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf oldest = PH_BUF_INIT(memory);
    uint64_t      number, first;

    ph_counter_bucket_key(&oldest, drift->counts.prefix, drift->counts.epoch,
                          grain, from_ms, drift->counts.day_offset_min);
    struct ph_str head = ph_buf_str(&oldest);
    while (head.len != 0 && head.ptr[head.len - 1] != ':') {
        head.len--;
    }
    return ph_str_starts(key, head)
           && ph_str_u64(ph_str_make(key.ptr + head.len, key.len - head.len),
                         UINT64_MAX, &number)
           && ph_str_u64(
               ph_str_make(oldest.ptr + head.len, oldest.len - head.len),
               UINT64_MAX, &first)
           && number < first;
}

/* a bucket that may already have expired on one side, or that was begun when
 * nobody counted such, is left alone */
static bool
is_too_old(const struct drift *drift, struct ph_str key)
{
    static const enum ph_counter_grain grains[]
        = { PH_COUNTER_MINUTE, PH_COUNTER_DAY, PH_COUNTER_ACCOUNT };

    for (size_t i = 0; i < PH_COUNT(grains); i++) {
        uint64_t from_ms
            = cli_counts_from(&drift->counts, grains[i], drift->minute_from_ms,
                              drift->day_from_ms);

        if (is_before(drift, key, grains[i], from_ms)) {
            return true;
        }
    }
    return false;
}

static bool
cell_judge(struct round *r, struct ph_str key, struct ph_str field)
{
    int64_t before = cli_cells_get(&r->before, key, field);
    int64_t after  = cli_cells_get(&r->after, key, field);
    int64_t sql    = cli_cells_get(&r->sql, key, field);

    if (is_too_old(r->drift, key)) {
        return true;
    }
    if (!r->exact && before != after) {
        return cli_cells_add(&r->moving, key, field, 1);
    }
    r->drift->out->compared++;
    return after == sql || difference_add(r->drift, key, field, after, sql);
}

static bool
judge_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    (void) value;
    return cell_judge(data, key, field);
}

/* what Redis lacks altogether, or had and has no more */
static bool
judge_rest_visit(void *data, struct ph_str key, struct ph_str field,
                 int64_t value)
{
    struct round *r = data;

    (void) value;
    return cli_cells_get(&r->after, key, field) != 0
           || cell_judge(r, key, field);
}

static bool
before_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    struct round *r = data;

    (void) value;
    return cli_cells_get(&r->after, key, field) != 0
           || cli_cells_get(&r->sql, key, field) != 0
           || cell_judge(r, key, field);
}

static bool
nonzero_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    return value == 0 || judge_visit(data, key, field, value);
}

static bool
round_judge(struct round *r)
{
    if (r->only != NULL) {
        return cli_cells_each(r->only, judge_visit, r);
    }
    return cli_cells_each(&r->after, nonzero_visit, r)
           && cli_cells_each(&r->sql, judge_rest_visit, r)
           && cli_cells_each(&r->before, before_visit, r);
}

static bool
key_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    (void) field;
    (void) value;
    return cli_cells_add(data, key, PH_STR(""), 0);
}

static bool
read_all(struct drift *drift, struct cli_cells *out)
{
    struct cli_cells keys = { 0 };
    bool             ok   = cli_counts_keys(&drift->counts, &keys)
              && cli_counts_read(&drift->counts, &keys, out);

    cli_cells_free(&keys);
    return ok;
}

/*
 * Reads Redis into `before`, then opens a snapshot at or past it.  Redis may
 * be a commit ahead of the snapshot for a moment, because the server sends a
 * transaction before it shows it; for longer it is another server's.
 */
static enum cli_exit
snapshot_after(struct drift *drift, struct cli_cells *before,
               struct cli_position *snapshot)
{
    struct cli_counts    *counts = &drift->counts;
    struct snapshot_place place;
    struct cli_position   at;

    for (;;) {
        cli_cells_free(before);
        if (!read_all(drift, before) || !cli_counts_position(counts, &at)) {
            return counts->failure;
        }
        if (!snapshot_begin(counts->db, &place)
            || !snapshot_gtid(counts->db, &place, snapshot))
        {
            return CLI_FAILED;
        }
        if (cli_gtid_reached(&snapshot->gtid, &at.gtid)) {
            return CLI_OK;
        }
        if (!snapshot_end(counts->db)) {
            return CLI_FAILED;
        }
        if (ph_monotonic_ns() / 1000000 >= drift->deadline_ms) {
            cli_say("found the sidecar at '%s', past the server's '%s': "
                    "another server's counters?",
                    at.text, snapshot->text);
            return CLI_NOT_READY;
        }
        (void) usleep(POLL_US);
    }
}

/* A, snapshot, B */
static enum cli_exit
first_sides(struct drift *drift, struct round *r)
{
    struct cli_counts  *counts = &drift->counts;
    struct cli_position snapshot;
    enum cli_exit       code = snapshot_after(drift, &r->before, &snapshot);

    if (code != CLI_OK) {
        return code;
    }
    if (!cli_counts_sql(counts, drift->minute_from_ms, drift->day_from_ms,
                        &r->sql)
        || !snapshot_end(counts->db))
    {
        return CLI_FAILED;
    }
    code = wait_for(drift, &snapshot);
    if (code == CLI_OK && !read_all(drift, &r->after)) {
        code = counts->failure;
    }
    return code;
}

struct capture {
    struct cli_position position;
    struct cli_cells    cells;
};

struct captures {
    struct capture list[CAPTURES_MAX];
    size_t         next;  /* where the next goes; the oldest is overwritten */
    size_t         count; /* in use */
};

static bool
capture_take(struct drift *drift, const struct cli_cells *keys,
             struct captures *all)
{
    struct capture *slot = &all->list[all->next];

    cli_cells_free(&slot->cells);
    if (!cli_counts_capture(&drift->counts, keys, &slot->position,
                            &slot->cells)) {
        return false;
    }
    size_t last = (all->next + CAPTURES_MAX - 1) % CAPTURES_MAX;
    if (all->count != 0
        && strcmp(all->list[last].position.text, slot->position.text) == 0)
    {
        return true; /* the same position: the slot is used again */
    }
    all->next = (all->next + 1) % CAPTURES_MAX;
    all->count += all->count < CAPTURES_MAX;
    return true;
}

static const struct cli_position *
captures_last(const struct captures *all)
{
    return &all->list[(all->next + CAPTURES_MAX - 1) % CAPTURES_MAX].position;
}

static void
captures_free(struct captures *all)
{
    for (size_t i = 0; i < CAPTURES_MAX; i++) {
        cli_cells_free(&all->list[i].cells);
    }
    *all = (struct captures){ 0 };
}

/* captures around a snapshot that is left open; true = none failed */
static bool
captures_make(struct drift *drift, const struct cli_cells *keys,
              struct captures *all, struct cli_position *snapshot)
{
    struct snapshot_place place;
    MYSQL                *db = drift->counts.db;

    if (!capture_take(drift, keys, all) || !snapshot_begin(db, &place)) {
        return false;
    }
    uint64_t until_ms = ph_monotonic_ns() / 1000000 + CAPTURE_SPAN_MS;
    while (ph_monotonic_ns() / 1000000 < until_ms) {
        if (!capture_take(drift, keys, all)) {
            return false;
        }
        (void) usleep(CAPTURE_PAUSE_US);
    }
    if (!snapshot_gtid(db, &place, snapshot)) {
        return false;
    }
    while (!cli_gtid_reached(&captures_last(all)->gtid, &snapshot->gtid)
           && ph_monotonic_ns() / 1000000 < drift->deadline_ms)
    {
        if (!capture_take(drift, keys, all)) {
            return false;
        }
        (void) usleep(CAPTURE_PAUSE_US);
    }
    return true;
}

/* the capture that stands exactly at the snapshot */
static struct capture *
captures_find(struct captures *all, const struct cli_position *snapshot)
{
    for (size_t i = 0; i < CAPTURES_MAX; i++) {
        struct capture *c = &all->list[i];
        if (c->position.text[0] != '\0'
            && cli_gtid_same(&c->position.gtid, &snapshot->gtid))
        {
            return c;
        }
    }
    return NULL;
}

/* one try to judge `moving` at a common position; *judged tells if it was */
static bool
meet_once(struct drift *drift, const struct cli_cells *moving, bool *judged)
{
    static struct captures all;
    struct cli_cells       keys = { 0 };
    struct round        r = { .drift = drift, .only = moving, .exact = true };
    struct cli_position snapshot;
    struct capture     *hit = NULL;
    bool                ok  = cli_cells_each(moving, key_visit, &keys)
              && captures_make(drift, &keys, &all, &snapshot);

    hit = ok ? captures_find(&all, &snapshot) : NULL;
    if (hit != NULL) {
        r.after    = hit->cells;
        hit->cells = (struct cli_cells){ 0 };
        *judged    = true;
        ok         = cli_counts_sql(&drift->counts, drift->minute_from_ms,
                                    drift->day_from_ms, &r.sql)
             && round_judge(&r);
    }
    ok = snapshot_end(drift->counts.db) && ok;
    round_free(&r);
    cli_cells_free(&keys);
    captures_free(&all);
    return ok;
}

static enum cli_exit
moving_judge(struct drift *drift, const struct cli_cells *moving)
{
    bool judged = moving->count == 0;

    for (unsigned i = 0; !judged && i < ROUNDS_MAX; i++) {
        if (!meet_once(drift, moving, &judged)) {
            return drift->counts.failure;
        }
        if (!judged && ph_monotonic_ns() / 1000000 >= drift->deadline_ms) {
            break;
        }
    }
    if (!judged) {
        drift->out->moving = moving->count;
        cli_say("%zu counters kept moving and never stood at a position of "
                "the server; try again with less load",
                moving->count);
        return CLI_NOT_READY;
    }
    return CLI_OK;
}

static enum cli_exit
measure(struct drift *drift, uint64_t wait_ms)
{
    struct cli_position noted;
    struct round        r = { .drift = drift };

    if (!server_position(drift->counts.db, "SELECT @@global.gtid_binlog_pos",
                         &noted))
    {
        return CLI_FAILED;
    }
    (void) snprintf(drift->out->gtid, sizeof(drift->out->gtid), "%s",
                    noted.text);
    enum cli_exit code = wait_for(drift, &noted);
    /* a common position gets its own time, and never less than a second */
    drift->deadline_ms
        = ph_monotonic_ns() / 1000000 + (wait_ms > 1000 ? wait_ms : 1000);
    code = code != CLI_OK ? code : first_sides(drift, &r);
    if (code == CLI_OK && !round_judge(&r)) {
        code = CLI_FAILED;
    }
    code = code != CLI_OK ? code : moving_judge(drift, &r.moving);
    round_free(&r);
    if (json_array_size(drift->out->differences) != 0) {
        return CLI_DIFFERS;
    }
    return code;
}

enum cli_exit
cli_drift_measure(struct cli *cli, uint64_t wait_ms, struct cli_drift *out)
{
    struct drift  drift  = { .out = out };
    enum cli_exit code   = CLI_FAILED;
    uint64_t      now_ms = ph_now_ms();

    *out              = (struct cli_drift){ .differences = json_array() };
    drift.deadline_ms = ph_monotonic_ns() / 1000000 + wait_ms;
    drift.minute_from_ms
        = now_ms - PH_COUNTER_MINUTE_TTL_S * UINT64_C(1000) + EXPIRY_MARGIN_MS;
    drift.minute_from_ms -= drift.minute_from_ms % MINUTE_MS;
    drift.day_from_ms = now_ms - PH_COUNTER_DAY_TTL_S * UINT64_C(1000) + DAY_MS;
    code = cli_counts_open(cli, &drift.counts, true) ? measure(&drift, wait_ms)
                                                     : drift.counts.failure;
    cli_counts_close(&drift.counts);
    return code;
}

enum cli_exit
cli_drift(struct cli *cli)
{
    const char      *wait    = cli_args_value(&cli->args, "wait");
    uint64_t         seconds = 10;
    struct cli_drift drift;

    if (wait != NULL && !ph_str_u64(ph_str_z(wait), 600, &seconds)) {
        return cli_usage("--wait: found %s, expected 0-600 seconds", wait);
    }
    enum cli_exit code = cli_drift_measure(cli, seconds * 1000, &drift);
    if (code != CLI_FAILED) {
        cli_out(cli, json_pack("{s:b, s:s, s:I, s:I, s:O}", "equal",
                               code == CLI_OK, "gtid", drift.gtid, "compared",
                               (json_int_t) drift.compared, "moving",
                               (json_int_t) drift.moving, "differences",
                               drift.differences));
    }
    json_decref(drift.differences);
    return code;
}

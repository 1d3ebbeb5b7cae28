/*
 * counter_read.c - see counter_read.h.
 */
#include "cli/counter_read.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/io/db.h"
#include "libpayhub/io/redis_login.h"

#define PIPELINE_MAX 64 /* HGETALLs on the way at once */
#define SCAN_ROUNDS_MAX 1000000
#define CAPTURE_KEYS_MAX 512
#define SQL_MAX 1024
#define MINUTE_MS UINT64_C(60000)
#define TIME_MAX_MS UINT64_C(253370764800000) /* 9999-01-01 */

static bool
redis_refuse(struct cli_counts *counts, const char *what,
             const redisReply *reply)
{
    bool          is_error = reply != NULL && reply->type == REDIS_REPLY_ERROR;
    struct ph_str error    = ph_str_z(is_error ? reply->str : NULL);

    if (ph_redis_is_refusal(error)) {
        cli_say("Redis %s: found \"%s\", expected %s", what, error.ptr,
                ph_redis_expected(PH_REDIS_SERVER, error));
        counts->failure = CLI_NOT_READY;
        return false;
    }
    cli_say("Redis: %s: %s", what,
            is_error                  ? reply->str
            : counts->redis->err != 0 ? counts->redis->errstr
                                      : "found an answer of another type");
    counts->failure = CLI_FAILED;
    return false;
}

static struct ph_str
text_of(const redisReply *reply)
{
    return ph_str_make(reply->str, reply->len);
}

static bool
epoch_read(struct cli_counts *counts)
{
    char          memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf key   = PH_BUF_INIT(memory);
    bool          ok    = false;
    redisReply   *reply = NULL;

    ph_counter_epoch_key(&key, counts->prefix);
    reply = redisCommand(counts->redis, "GET %b", key.ptr, key.len);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ok = redis_refuse(counts, "GET epoch", reply);
    } else if (reply->type == REDIS_REPLY_NIL) {
        cli_say("found no counters in Redis (%.*s is absent), expected those "
                "of a running sidecar",
                (int) key.len, key.ptr);
        counts->failure = CLI_NOT_READY;
    } else if (reply->type != REDIS_REPLY_STRING
               || !ph_str_u64(text_of(reply), UINT64_MAX, &counts->epoch))
    {
        ok = redis_refuse(counts, "the epoch is no number", reply);
    } else {
        ok = true;
    }
    freeReplyObject(reply);
    return ok;
}

/* The calendar day is fixed for an epoch: what the sidecar noted beside the
 * position outweighs our configuration. */
static bool
day_offset_read(struct cli_counts *counts)
{
    char          memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf key = PH_BUF_INIT(memory);
    bool          ok  = true;

    ph_counter_position_key(&key, counts->prefix, counts->epoch);
    redisReply *reply
        = redisCommand(counts->redis, "HGET %b day_offset", key.ptr, key.len);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ok = redis_refuse(counts, "HGET day_offset", reply);
    } else if (reply->type == REDIS_REPLY_STRING
               && ph_day_offset(text_of(reply), &counts->day_offset_min)
                      != PH_OK)
    {
        ok = redis_refuse(counts, "the epoch's day_offset is none", reply);
    }
    freeReplyObject(reply);
    return ok;
}

/* From when on ends by account are whole.  Where nobody noted it they are not
 * counted, or by a hand. */
static bool
accounts_from_read(struct cli_counts *counts)
{
    char          memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf key = PH_BUF_INIT(memory);
    bool          ok  = true;

    counts->accounts_from_ms = UINT64_MAX;
    ph_counter_position_key(&key, counts->prefix, counts->epoch);
    redisReply *reply = redisCommand(
        counts->redis, "HGET %b " PH_COUNTER_ACCOUNTS_FROM, key.ptr, key.len);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ok = redis_refuse(counts, "HGET " PH_COUNTER_ACCOUNTS_FROM, reply);
    } else if (reply->type == REDIS_REPLY_STRING
               && !ph_str_u64(text_of(reply), TIME_MAX_MS,
                              &counts->accounts_from_ms))
    {
        ok = redis_refuse(counts, "the epoch's accounts_from is no time",
                          reply);
    }
    freeReplyObject(reply);
    return ok;
}

bool
cli_counts_open(struct cli *cli, struct cli_counts *counts, bool with_sql)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    *counts = (struct cli_counts){ .failure = CLI_FAILED };
    if (!cli_conf(cli)) {
        return false;
    }
    counts->prefix = ph_str_z(ph_conf_text(&cli->conf, PH_CONF_redis_prefix));
    if (ph_day_offset(
            ph_str_z(ph_conf_text(&cli->conf, PH_CONF_sidecar_day_offset)),
            &counts->day_offset_min)
        != PH_OK)
    {
        cli_say("sidecar.day_offset: expected +HH:MM or -HH:MM");
        return false;
    }
    counts->redis = ph_redis_open(&cli->conf, &why);
    if (counts->redis == NULL) {
        cli_say("%.*s", (int) why.len, why.ptr);
        counts->failure = CLI_NOT_READY;
        return false;
    }
    if (with_sql) {
        counts->db = cli_sql_open(cli);
        if (counts->db == NULL) {
            return false;
        }
    }
    return epoch_read(counts) && day_offset_read(counts)
           && accounts_from_read(counts);
}

void
cli_counts_close(struct cli_counts *counts)
{
    if (counts->redis != NULL) {
        redisFree(counts->redis);
    }
    if (counts->db != NULL) {
        mysql_close(counts->db);
    }
    counts->redis = NULL;
    counts->db    = NULL;
}

static bool
position_take(struct cli_counts *counts, const redisReply *reply,
              struct cli_position *out)
{
    out->text[0]    = '\0';
    out->gtid.count = 0;
    if (reply->type == REDIS_REPLY_NIL) {
        return true; /* nothing applied yet: the empty position */
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len >= CLI_POSITION_MAX
        || cli_gtid_parse(&out->gtid, text_of(reply)) != PH_OK)
    {
        return redis_refuse(counts, "the position is no GTID list", reply);
    }
    (void) snprintf(out->text, sizeof(out->text), "%s", reply->str);
    return true;
}

static void
position_ask(struct ph_buf *key, const struct cli_counts *counts)
{
    ph_counter_position_key(key, counts->prefix, counts->epoch);
}

bool
cli_counts_position(struct cli_counts *counts, struct cli_position *out)
{
    char          memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf key = PH_BUF_INIT(memory);

    position_ask(&key, counts);
    redisReply *reply
        = redisCommand(counts->redis, "HGET %b gtid", key.ptr, key.len);
    bool ok = reply != NULL ? position_take(counts, reply, out)
                            : redis_refuse(counts, "HGET position", reply);
    freeReplyObject(reply);
    return ok;
}

/* the epoch's keys begin so; glob bytes of the prefix are escaped */
static void
pattern_make(struct ph_buf *buf, const struct cli_counts *counts, char grain)
{
    ph_buf_byte(buf, '{');
    for (size_t i = 0; i < counts->prefix.len; i++) {
        if (strchr("*?[]\\^", counts->prefix.ptr[i]) != NULL) {
            ph_buf_byte(buf, '\\');
        }
        ph_buf_byte(buf, counts->prefix.ptr[i]);
    }
    ph_buf_add(buf, PH_STR(":c0}:"));
    ph_buf_u64(buf, counts->epoch);
    ph_buf_byte(buf, ':');
    ph_buf_byte(buf, grain);
    ph_buf_add(buf, PH_STR(":*"));
}

static bool
scan_page(struct cli_counts *counts, struct ph_str pattern, uint64_t *cursor,
          struct cli_cells *keys)
{
    redisReply *reply
        = redisCommand(counts->redis, "SCAN %llu MATCH %b COUNT 2000",
                       (unsigned long long) *cursor, pattern.ptr, pattern.len);
    bool ok = reply != NULL && reply->type == REDIS_REPLY_ARRAY
              && reply->elements == 2
              && ph_str_u64(text_of(reply->element[0]), UINT64_MAX, cursor)
              && reply->element[1]->type == REDIS_REPLY_ARRAY;

    for (size_t i = 0; ok && i < reply->element[1]->elements; i++) {
        ok = cli_cells_add(keys, text_of(reply->element[1]->element[i]),
                           PH_STR(""), 1);
    }
    ok = ok || redis_refuse(counts, "SCAN", reply);
    freeReplyObject(reply);
    return ok;
}

bool
cli_counts_keys(struct cli_counts *counts, struct cli_cells *keys)
{
    for (const char *grain = "mda"; *grain != '\0'; grain++) {
        char          memory[2 * PH_COUNTER_KEY_MAX];
        struct ph_buf pattern = PH_BUF_INIT(memory);
        uint64_t      cursor  = 0;
        unsigned      rounds  = 0;
        pattern_make(&pattern, counts, *grain);
        do {
            if (!scan_page(counts, ph_buf_str(&pattern), &cursor, keys)) {
                return false;
            }
        } while (cursor != 0 && ++rounds < SCAN_ROUNDS_MAX);
    }
    return true;
}

/*
 * A hash's fields.  What a hand has spoiled is read as a counter that SQL has
 * not, so that drift names it: a value that is no integer, a key that is no
 * hash, the head of a name longer than any of ours.
 */
static bool
fields_take(struct cli_counts *counts, struct ph_str key,
            const redisReply *reply, struct cli_cells *out)
{
    if (reply->type == REDIS_REPLY_ERROR
        && ph_str_starts(text_of(reply), PH_STR("WRONGTYPE")))
    {
        return cli_cells_add(out, key, PH_STR("(no hash)"), INT64_MAX);
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        return redis_refuse(counts, "HGETALL of a bucket", reply);
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct ph_str field    = text_of(reply->element[i]);
        struct ph_str text     = text_of(reply->element[i + 1]);
        bool          negative = ph_str_starts(text, PH_STR("-"));
        uint64_t      value    = 0;
        struct ph_str digits
            = negative ? ph_str_make(text.ptr + 1, text.len - 1) : text;
        if (!ph_str_u64(digits, INT64_MAX, &value)) {
            value = INT64_MAX;
        }
        if (field.len > PH_COUNTER_FIELD_MAX) {
            field.len = PH_COUNTER_FIELD_MAX;
        }
        if (!cli_cells_add(out, key, field,
                           negative ? -(int64_t) value : (int64_t) value))
        {
            cli_say("found more than %d counters", CLI_CELLS_MAX);
            return false;
        }
    }
    return true;
}

struct reading {
    struct cli_counts *counts;
    struct cli_cells  *out;
    size_t             waiting;
    size_t             key_count;
    struct ph_str      keys[CAPTURE_KEYS_MAX];
};

static bool
pipeline_drain(struct reading *r)
{
    bool ok = true;

    for (size_t i = 0; i < r->waiting; i++) {
        void *reply = NULL;
        if (redisGetReply(r->counts->redis, &reply) != REDIS_OK) {
            return redis_refuse(r->counts, "HGETALL", NULL);
        }
        ok = ok && fields_take(r->counts, r->keys[i], reply, r->out);
        freeReplyObject(reply);
    }
    r->waiting = 0;
    return ok;
}

static bool
read_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    struct reading *r = data;

    (void) field;
    (void) value;
    if (redisAppendCommand(r->counts->redis, "HGETALL %b", key.ptr, key.len)
        != REDIS_OK)
    {
        return redis_refuse(r->counts, "HGETALL", NULL);
    }
    r->keys[r->waiting++] = key;
    return r->waiting < PIPELINE_MAX || pipeline_drain(r);
}

bool
cli_counts_read(struct cli_counts *counts, const struct cli_cells *keys,
                struct cli_cells *out)
{
    struct reading r = { .counts = counts, .out = out };

    return cli_cells_each(keys, read_visit, &r) && pipeline_drain(&r);
}

static bool
capture_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    struct reading *r = data;

    (void) field;
    (void) value;
    if (r->key_count == CAPTURE_KEYS_MAX) {
        cli_say("found more than %d buckets that move", CAPTURE_KEYS_MAX);
        r->counts->failure = CLI_NOT_READY;
        return false;
    }
    r->keys[r->key_count++] = key;
    return redisAppendCommand(r->counts->redis, "HGETALL %b", key.ptr, key.len)
               == REDIS_OK
           || redis_refuse(r->counts, "HGETALL", NULL);
}

static bool
exec_take(struct reading *r, const redisReply *reply,
          struct cli_position *position)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != r->key_count + 1)
    {
        return redis_refuse(r->counts, "EXEC", reply);
    }
    if (!position_take(r->counts, reply->element[0], position)) {
        return false;
    }
    for (size_t i = 0; i < r->key_count; i++) {
        if (!fields_take(r->counts, r->keys[i], reply->element[i + 1], r->out))
        {
            return false;
        }
    }
    return true;
}

bool
cli_counts_capture(struct cli_counts *counts, const struct cli_cells *keys,
                   struct cli_position *position, struct cli_cells *out)
{
    char           memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf  key  = PH_BUF_INIT(memory);
    struct reading r    = { .counts = counts, .out = out };
    redisContext  *link = counts->redis;
    bool           ok   = true;

    position_ask(&key, counts);
    if (redisAppendCommand(link, "MULTI") != REDIS_OK
        || redisAppendCommand(link, "HGET %b gtid", key.ptr, key.len)
               != REDIS_OK
        || !cli_cells_each(keys, capture_visit, &r)
        || redisAppendCommand(link, "EXEC") != REDIS_OK)
    {
        return false;
    }
    /* OK, QUEUED for each, and the array that counts */
    for (size_t i = 0; i < r.key_count + 3; i++) {
        void *reply = NULL;
        if (redisGetReply(link, &reply) != REDIS_OK) {
            return redis_refuse(counts, "EXEC", NULL);
        }
        if (ok && i + 1 == r.key_count + 3) {
            ok = exec_take(&r, reply, position);
        }
        freeReplyObject(reply);
    }
    return ok;
}

static bool
sum_refuse(void)
{
    cli_say("found a sum of payments beyond 64 bits");
    return false;
}

/* bucket, account, n */
static bool
sql_account_take(struct ph_str key, const char *state, MYSQL_ROW row,
                 struct cli_cells *out)
{
    char          memory[PH_COUNTER_FIELD_MAX + 1];
    struct ph_buf field = PH_BUF_INIT(memory);
    uint64_t      n     = 0;

    if (!ph_str_u64(ph_str_z(row[2]), INT64_MAX, &n)) {
        return sum_refuse();
    }
    ph_counter_account_field(&field, ph_str_z(row[1]), ph_str_z(state));
    return cli_cells_add(out, key, ph_buf_str(&field), (int64_t) n);
}

/* bucket, channel, method, currency, n, amount */
static bool
sql_sums_take(struct ph_str key, const char *state, MYSQL_ROW row,
              struct cli_cells *out)
{
    char          memory[PH_COUNTER_FIELD_MAX + 1];
    struct ph_buf field = PH_BUF_INIT(memory);
    uint64_t      n = 0, amount = 0;

    if (!ph_str_u64(ph_str_z(row[4]), INT64_MAX, &n)
        || !ph_str_u64(ph_str_z(row[5]), INT64_MAX, &amount))
    {
        return sum_refuse();
    }
    ph_counter_field(&field, ph_str_z(row[1]), ph_str_z(row[2]),
                     ph_str_z(state), PH_STR("n"));
    if (!cli_cells_add(out, key, ph_buf_str(&field), (int64_t) n)) {
        return false;
    }
    ph_buf_cut(&field, 0);
    ph_counter_field(&field, ph_str_z(row[1]), ph_str_z(row[2]),
                     ph_str_z(state), ph_str_z(row[3]));
    return cli_cells_add(out, key, ph_buf_str(&field), (int64_t) amount);
}

static bool
sql_row_take(struct cli_counts *counts, const char *state,
             enum ph_counter_grain grain, MYSQL_ROW row, struct cli_cells *out)
{
    static const char letters[] = { [PH_COUNTER_MINUTE]  = 'm',
                                    [PH_COUNTER_DAY]     = 'd',
                                    [PH_COUNTER_ACCOUNT] = 'a' };
    char              memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf     key = PH_BUF_INIT(memory);

    if (row[0] == NULL) {
        cli_say("found a payment %s at a time that is no calendar day, "
                "expected one of the years 1970 to 9999",
                state);
        return false;
    }
    ph_buf_byte(&key, '{');
    ph_buf_add(&key, counts->prefix);
    ph_buf_add(&key, PH_STR(":c0}:"));
    ph_buf_u64(&key, counts->epoch);
    ph_buf_byte(&key, ':');
    ph_buf_byte(&key, letters[grain]);
    ph_buf_byte(&key, ':');
    ph_buf_add(&key, ph_str_z(row[0]));
    return grain == PH_COUNTER_ACCOUNT
               ? sql_account_take(ph_buf_str(&key), state, row, out)
               : sql_sums_take(ph_buf_str(&key), state, row, out);
}

static bool
sql_one(struct cli_counts *counts, const struct ph_counter_happening *what,
        enum ph_counter_grain grain, uint64_t from_ms, struct cli_cells *out)
{
    char          memory[SQL_MAX];
    struct ph_buf sql = PH_BUF_INIT(memory);
    bool          ok  = true;

    ph_counter_sql(&sql, what, grain, from_ms, counts->day_offset_min);
    MYSQL_RES *rows = cli_sql_rows(counts->db, ph_buf_str(&sql));
    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; ok && (row = mysql_fetch_row(rows)) != NULL;) {
        ok = sql_row_take(counts, what->state, grain, row, out);
    }
    mysql_free_result(rows);
    return ok;
}

uint64_t
cli_counts_from(const struct cli_counts *counts, enum ph_counter_grain grain,
                uint64_t minute_from_ms, uint64_t day_from_ms)
{
    if (grain == PH_COUNTER_DAY) {
        return day_from_ms;
    }
    if (grain == PH_COUNTER_MINUTE
        || counts->accounts_from_ms <= minute_from_ms) {
        return minute_from_ms;
    }
    if (counts->accounts_from_ms == UINT64_MAX) {
        return UINT64_MAX;
    }
    return (counts->accounts_from_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS;
}

bool
cli_counts_sql(struct cli_counts *counts, uint64_t minute_from_ms,
               uint64_t day_from_ms, struct cli_cells *out)
{
    static const enum ph_counter_grain grains[]
        = { PH_COUNTER_MINUTE, PH_COUNTER_DAY, PH_COUNTER_ACCOUNT };

    for (size_t i = 0; i < ph_counter_happening_count * PH_COUNT(grains); i++) {
        enum ph_counter_grain              grain = grains[i % PH_COUNT(grains)];
        const struct ph_counter_happening *what
            = &ph_counter_happenings[i / PH_COUNT(grains)];
        uint64_t from_ms
            = cli_counts_from(counts, grain, minute_from_ms, day_from_ms);

        if ((grain == PH_COUNTER_ACCOUNT && !what->is_end)
            || from_ms == UINT64_MAX) {
            continue;
        }
        if (!sql_one(counts, what, grain, from_ms, out)) {
            counts->failure = CLI_FAILED;
            return false;
        }
    }
    return true;
}

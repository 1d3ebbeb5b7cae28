/*
 * counters.c - `payhub counters`: what Redis counts, summed and grouped.
 *
 * Bucket keys are computed, not searched, so a look costs the buckets of its
 * range and nothing else.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <time.h>

#include "cli/counter_read.h"
#include "cli/when.h"
#include "libpayhub/base/money.h"
#include "libpayhub/io/daemon.h"

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS UINT64_C(86400000)
#define MINUTES_MAX (48 * 60)
#define DAYS_MAX 732
#define GROUP_MAX 256

enum {
    BY_TIME    = 1,
    BY_CHANNEL = 2,
    BY_METHOD  = 4,
    BY_STATE   = 8,
    BY_ACCOUNT = 16
};

static const struct {
    const char *name;
    unsigned    bit;
} groups[] = { { "time", BY_TIME },
               { "channel", BY_CHANNEL },
               { "method", BY_METHOD },
               { "state", BY_STATE },
               { "account", BY_ACCOUNT } };

struct parts { /* of a field, in the order of groups[] */
    struct ph_str name[PH_COUNT(groups)];
    struct ph_str measure;
};

struct look {
    struct cli_counts     counts;
    enum ph_counter_grain grain;
    uint64_t              from_ms, to_ms; /* whole buckets, to not included */
    unsigned              by;
    struct cli_cells      sums; /* ("time|channel|..", measure) -> value */
    json_t               *rows;
};

static uint64_t
day_floor(uint64_t at_ms, int offset_min)
{
    int64_t shift = (int64_t) offset_min * (int64_t) MINUTE_MS;
    int64_t local = (int64_t) at_ms + shift;

    return (uint64_t) (local - local % (int64_t) DAY_MS - shift);
}

static enum cli_exit
by_take(const struct cli *cli, struct look *look)
{
    struct ph_str list = ph_str_z(cli_args_value(&cli->args, "by"));
    struct ph_str name;

    look->by = list.ptr == NULL ? BY_CHANNEL | BY_METHOD | BY_STATE : 0;
    while (ph_str_next(&list, ',', &name)) {
        size_t i = 0;
        while (i < PH_COUNT(groups)
               && !ph_str_eq(ph_str_z(groups[i].name), name)) {
            i++;
        }
        if (i == PH_COUNT(groups)) {
            return cli_usage("--by: found %.*s, expected a comma list of time, "
                             "channel, method, state, account",
                             (int) name.len, name.ptr);
        }
        look->by |= groups[i].bit;
    }
    if (look->by & BY_ACCOUNT && look->by & (BY_CHANNEL | BY_METHOD)) {
        return cli_usage("--by: found account beside channel or method, "
                         "expected it with time and state at most: ends of "
                         "payments are counted by account, and no more");
    }
    return CLI_OK;
}

static enum cli_exit
range_take(const struct cli *cli, struct look *look)
{
    const char *from   = cli_args_value(&cli->args, "from");
    const char *to     = cli_args_value(&cli->args, "to");
    const char *grain  = cli_args_value(&cli->args, "grain");
    int         offset = look->counts.day_offset_min;
    uint64_t    now_ms = ph_now_ms();

    look->from_ms = day_floor(now_ms, offset);
    look->to_ms   = day_floor(now_ms, offset) + DAY_MS;
    if (from != NULL
        && cli_when_parse(ph_str_z(from), now_ms, offset, &look->from_ms)
               != PH_OK)
    {
        return cli_usage("--from: found %s, expected 2026-01-02, RFC 3339, "
                         "unix seconds, or 10m, 2h, 3d",
                         from);
    }
    if (to != NULL
        && cli_when_parse(ph_str_z(to), now_ms, offset, &look->to_ms) != PH_OK)
    {
        return cli_usage("--to: found %s, expected a time as for --from", to);
    }
    bool whole = day_floor(look->from_ms, offset) == look->from_ms
                 && day_floor(look->to_ms, offset) == look->to_ms;
    if (grain != NULL && strcmp(grain, "day") != 0
        && strcmp(grain, "minute") != 0) {
        return cli_usage("--grain: found %s, expected minute or day", grain);
    }
    bool by_account = (look->by & BY_ACCOUNT) != 0;
    bool days
        = grain != NULL ? strcmp(grain, "day") == 0 : whole && !by_account;
    if (days && by_account) {
        return cli_usage("--grain: found day, expected minute: ends by account "
                         "are counted in minutes only");
    }
    look->grain = by_account ? PH_COUNTER_ACCOUNT
                  : days     ? PH_COUNTER_DAY
                             : PH_COUNTER_MINUTE;
    if (days) {
        look->from_ms = day_floor(look->from_ms, offset);
        look->to_ms   = day_floor(look->to_ms + DAY_MS - 1, offset);
    } else {
        look->from_ms -= look->from_ms % MINUTE_MS;
        look->to_ms = (to == NULL ? now_ms : look->to_ms) + MINUTE_MS - 1;
        look->to_ms -= look->to_ms % MINUTE_MS;
    }
    uint64_t step = days ? DAY_MS : MINUTE_MS;
    uint64_t max  = days ? DAYS_MAX : MINUTES_MAX;
    if (look->to_ms <= look->from_ms
        || (look->to_ms - look->from_ms) / step > max) {
        return cli_usage("found a range that ends before it begins or is over "
                         "%d %s, expected less (minutes are kept 48 h)",
                         (int) max, days ? "days" : "minutes");
    }
    return CLI_OK;
}

static void
time_text(const struct look *look, uint64_t at_ms, char out[24])
{
    bool   days = look->grain == PH_COUNTER_DAY;
    time_t at   = (time_t) (at_ms / 1000)
                + (days ? (time_t) look->counts.day_offset_min * 60 : 0);
    struct tm tm = { 0 };

    (void) gmtime_r(&at, &tm);
    (void) strftime(out, 24, days ? "%Y-%m-%d" : "%Y-%m-%dT%H:%MZ", &tm);
}

struct bucket {
    struct look *look;
    uint64_t     at_ms;
};

/* false: not one of ours */
static bool
field_parse(struct ph_str field, struct parts *parts)
{
    struct ph_str *name = parts->name;

    return ph_str_next(&field, '|', &name[1])
           && ph_str_next(&field, '|', &name[2])
           && ph_str_next(&field, '|', &name[3])
           && ph_str_next(&field, '|', &parts->measure);
}

/* a field of the look's grain into its group's sum */
static bool
field_visit(void *data, struct ph_str key, struct ph_str field, int64_t value)
{
    struct bucket *bucket = data;
    struct look   *look   = bucket->look;
    char           memory[GROUP_MAX], time[24];
    struct ph_buf  group = PH_BUF_INIT(memory);
    struct parts   parts = { .measure = PH_STR("n") };

    (void) key;
    if (look->grain == PH_COUNTER_ACCOUNT
            ? !ph_counter_account_parse(field, &parts.name[4], &parts.name[3])
            : !field_parse(field, &parts))
    {
        return true;
    }
    time_text(look, bucket->at_ms, time);
    parts.name[0] = ph_str_z(time);
    for (size_t i = 0; i < PH_COUNT(groups); i++) {
        ph_buf_add(&group,
                   look->by & groups[i].bit ? parts.name[i] : PH_STR(""));
        ph_buf_byte(&group, '|');
    }
    return cli_cells_add(&look->sums, ph_buf_str(&group), parts.measure, value);
}

static bool
bucket_sum(struct look *look, uint64_t at_ms)
{
    char             memory[PH_COUNTER_KEY_MAX + 1];
    struct ph_buf    key  = PH_BUF_INIT(memory);
    struct cli_cells keys = { 0 }, cells = { 0 };
    struct bucket    bucket = { look, at_ms };

    ph_counter_bucket_key(&key, look->counts.prefix, look->counts.epoch,
                          look->grain, at_ms, look->counts.day_offset_min);
    bool ok = cli_cells_add(&keys, ph_buf_str(&key), PH_STR(""), 0)
              && cli_counts_read(&look->counts, &keys, &cells)
              && cli_cells_each(&cells, field_visit, &bucket);
    cli_cells_free(&keys);
    cli_cells_free(&cells);
    return ok;
}

/* "12.34 CNY" for people, minor units in JSON */
static json_t *
amount_json(const struct cli *cli, struct ph_str currency, int64_t value)
{
    char          memory[64];
    struct ph_buf text     = PH_BUF_INIT(memory);
    int           exponent = ph_currency_exponent(currency);

    if (cli->json || exponent < 0 || value < 0) {
        return json_integer((json_int_t) value);
    }
    ph_money_format(&text, value, exponent);
    ph_buf_byte(&text, ' ');
    ph_buf_add(&text, currency);
    return json_stringn(text.ptr, text.len);
}

struct printing {
    const struct cli *cli;
    struct look      *look;
    char              group[GROUP_MAX];
    json_t           *row, *amounts;
};

static void
row_begin(struct printing *p, struct ph_str group)
{
    struct ph_str part, rest = group;

    (void) snprintf(p->group, sizeof(p->group), "%.*s", (int) group.len,
                    group.ptr);
    p->row     = json_object();
    p->amounts = NULL;
    for (size_t i = 0; i < PH_COUNT(groups) && ph_str_next(&rest, '|', &part);
         i++) {
        if (p->look->by & groups[i].bit) {
            (void) json_object_set_new(p->row, groups[i].name,
                                       json_stringn(part.ptr, part.len));
        }
    }
    (void) json_object_set_new(p->row, "n", json_integer(0));
    if (p->look->grain != PH_COUNTER_ACCOUNT) {
        p->amounts = json_object();
        (void) json_object_set_new(p->row, "amounts", p->amounts);
    }
    (void) json_array_append_new(p->look->rows, p->row);
}

static bool
print_visit(void *data, struct ph_str group, struct ph_str measure,
            int64_t value)
{
    struct printing *p = data;
    char             name[16];

    if (p->row == NULL || !ph_str_eq(ph_str_z(p->group), group)) {
        row_begin(p, group);
    }
    if (ph_str_eq(measure, PH_STR("n"))) {
        (void) json_object_set_new(p->row, "n",
                                   json_integer((json_int_t) value));
    } else {
        (void) snprintf(name, sizeof(name), "%.*s",
                        (int) (measure.len < 15 ? measure.len : 15),
                        measure.ptr);
        (void) json_object_set_new(p->amounts, name,
                                   amount_json(p->cli, measure, value));
    }
    return true;
}

/* a table has no room for objects: "12.34 CNY, 5 JPY" */
static void
amounts_flatten(json_t *rows)
{
    size_t      i;
    json_t     *row, *value;
    const char *name;

    json_array_foreach(rows, i, row)
    {
        char          memory[512];
        struct ph_buf text    = PH_BUF_INIT(memory);
        json_t       *amounts = json_object_get(row, "amounts");

        if (amounts == NULL) {
            continue;
        }
        json_object_foreach(amounts, name, value)
        {
            ph_buf_add(&text, text.len != 0 ? PH_STR(", ") : PH_STR(""));
            if (json_is_string(value)) {
                ph_buf_add(&text, ph_str_z(json_string_value(value)));
            } else {
                ph_buf_i64(&text, json_integer_value(value));
                ph_buf_add(&text, PH_STR(" minor "));
                ph_buf_add(&text, ph_str_z(name));
            }
        }
        (void) json_object_set_new(row, "amounts",
                                   json_stringn(text.ptr, text.len));
    }
}

static enum cli_exit
look_print(struct cli *cli, struct look *look)
{
    struct printing     p  = { .cli = cli, .look = look };
    struct cli_position at = { 0 };

    if (!cli_counts_position(&look->counts, &at)) {
        return look->counts.failure;
    }
    look->rows = json_array();
    cli_cells_sort(&look->sums);
    (void) cli_cells_each(&look->sums, print_visit, &p);
    if (!cli->json) {
        amounts_flatten(look->rows);
        cli_out(cli, json_incref(look->rows));
    } else {
        cli_out(cli, json_pack("{s:s, s:I, s:I, s:s, s:O}", "grain",
                               look->grain == PH_COUNTER_DAY ? "day" : "minute",
                               "from_ms", (json_int_t) look->from_ms, "to_ms",
                               (json_int_t) look->to_ms, "gtid", at.text,
                               "counters", look->rows));
    }
    json_decref(look->rows);
    return CLI_OK;
}

/* what was counted before somebody began to count by account is not there */
static enum cli_exit
accounts_check(const struct look *look)
{
    char text[24];

    if (look->grain != PH_COUNTER_ACCOUNT) {
        return CLI_OK;
    }
    if (look->counts.accounts_from_ms == UINT64_MAX) {
        cli_say("found no ends by account, expected a sidecar that counts "
                "them");
        return CLI_NOT_READY;
    }
    if (look->from_ms < look->counts.accounts_from_ms) {
        time_text(look, look->counts.accounts_from_ms, text);
        cli_say("by account there are counts from %s on", text);
    }
    return CLI_OK;
}

enum cli_exit
cli_counters(struct cli *cli)
{
    struct look   look = { 0 };
    enum cli_exit code = by_take(cli, &look);

    if (code != CLI_OK) {
        return code;
    }
    if (!cli_counts_open(cli, &look.counts, false)) {
        code = look.counts.failure;
    }
    code          = code != CLI_OK ? code : range_take(cli, &look);
    code          = code != CLI_OK ? code : accounts_check(&look);
    uint64_t step = look.grain == PH_COUNTER_DAY ? DAY_MS : MINUTE_MS;
    for (uint64_t at = look.from_ms; code == CLI_OK && at < look.to_ms;
         at += step) {
        code = bucket_sum(&look, at) ? CLI_OK : CLI_FAILED;
    }
    code = code != CLI_OK ? code : look_print(cli, &look);
    cli_cells_free(&look.sums);
    cli_counts_close(&look.counts);
    return code;
}

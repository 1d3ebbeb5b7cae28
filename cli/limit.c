/*
 * limit.c - `payhub limit list|set|boost|reset`: live limits, by the control
 * location of an edge.  What is set at one edge reaches the others by sync.
 */
#include <stdlib.h>
#include <time.h>

#include "cli/control.h"
#include "cli/when.h"
#include "libpayhub/io/daemon.h"

#define KEY_LEN_MAX 256
#define FOR_S_MAX UINT64_C(31536000) /* a year */
#define TIMES_MAX 1000

/* {"kind":"limit","name":N[,"key":K]} */
static json_t *
change_new(const struct cli *cli)
{
    const char *key = cli_args_value(&cli->args, "key");

    return json_pack("{s:s, s:s, s:o*}", "kind", "limit", "name",
                     cli->args.words[0], "key",
                     key != NULL ? json_string(key) : NULL);
}

static enum cli_exit
change_send(struct cli *cli, const char *method, json_t *change)
{
    json_t       *answer;
    enum cli_exit code = cli_control_call(cli, method, change, &answer);

    if (code == CLI_OK) {
        cli_out(cli, answer);
    }
    return code;
}

/* unix seconds of --until */
static enum cli_exit
until_take(const struct cli *cli, json_t *change)
{
    const char *text = cli_args_value(&cli->args, "until");
    uint64_t    ms   = 0;

    if (text == NULL) {
        return CLI_OK;
    }
    if (cli_when_parse(ph_str_z(text), ph_now_ms(), 0, &ms) != PH_OK
        || ms <= ph_now_ms())
    {
        return cli_usage("--until: found %s, expected a time to come: "
                         "2026-01-02, RFC 3339 or unix seconds",
                         text);
    }
    (void) json_object_set_new(change, "until",
                               json_integer((json_int_t) (ms / 1000)));
    return CLI_OK;
}

static enum cli_exit
setting_take(const char *word, json_t *change)
{
    struct ph_str name, value;

    if (!ph_str_cut(ph_str_z(word), '=', &name, &value) || value.len == 0
        || (!ph_str_eq(name, PH_STR("rate"))
            && !ph_str_eq(name, PH_STR("burst"))))
    {
        return cli_usage("found '%s', expected rate=100/s or burst=200 or "
                         "burst=2s",
                         word);
    }
    const char *member = name.ptr[0] == 'r' ? "rate" : "burst";

    if (json_object_get(change, member) != NULL) {
        return cli_usage("found %s twice, expected it once", member);
    }
    (void) json_object_set_new(change, member, json_string(value.ptr));
    return CLI_OK;
}

enum cli_exit
cli_limit_set(struct cli *cli)
{
    json_t       *change = change_new(cli);
    enum cli_exit code   = until_take(cli, change);

    for (size_t i = 1; code == CLI_OK && i < cli->args.word_count; i++) {
        code = setting_take(cli->args.words[i], change);
    }
    if (code != CLI_OK) {
        json_decref(change);
        return code;
    }
    return change_send(cli, "POST", change);
}

/* "30m" -> seconds; 0 = not such a text */
static uint64_t
duration_parse(struct ph_str text)
{
    static const struct {
        char     unit;
        uint64_t seconds;
    } units[]      = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    uint64_t count = 0;

    for (size_t i = 0; text.len > 1 && i < PH_COUNT(units); i++) {
        if (text.ptr[text.len - 1] == units[i].unit
            && ph_str_u64(ph_str_make(text.ptr, text.len - 1), FOR_S_MAX,
                          &count)
            && count <= FOR_S_MAX / units[i].seconds)
        {
            return count * units[i].seconds;
        }
    }
    return 0;
}

enum cli_exit
cli_limit_boost(struct cli *cli)
{
    const char *times_text = cli_args_value(&cli->args, "times");
    const char *for_text   = cli_args_value(&cli->args, "for");
    char       *end        = NULL;
    double      times
        = times_text != NULL && times_text[0] >= '0' && times_text[0] <= '9'
              ? strtod(times_text, &end)
              : 0;
    uint64_t seconds
        = for_text != NULL ? duration_parse(ph_str_z(for_text)) : 0;

    if (!(times > 0 && times <= TIMES_MAX) || end == NULL || *end != '\0') {
        return cli_usage("--times: found %s, expected a number above 0, at "
                         "most %d",
                         times_text != NULL ? times_text : "none", TIMES_MAX);
    }
    if (seconds == 0) {
        return cli_usage("--for: found %s, expected a time like 90s, 30m, 2h "
                         "or 1d",
                         for_text != NULL ? for_text : "none");
    }
    json_t *change = change_new(cli);

    (void) json_object_set_new(change, "times", json_real(times));
    uint64_t until = ph_now_ms() / 1000 + seconds;

    (void) json_object_set_new(change, "until",
                               json_integer((json_int_t) until));
    return change_send(cli, "POST", change);
}

enum cli_exit
cli_limit_reset(struct cli *cli)
{
    return change_send(cli, "DELETE", change_new(cli));
}

/* ---- list ---- */

static json_t *
member_or_null(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return value != NULL ? json_incref(value) : json_null();
}

static json_t *
until_text(const json_t *change)
{
    time_t    until = json_integer_value(json_object_get(change, "until"));
    char      text[32];
    struct tm tm;

    if (until == 0 || gmtime_r(&until, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        return json_null();
    }
    return json_string(text);
}

static bool
is_about(const json_t *change, const char *name)
{
    const char *kind  = json_string_value(json_object_get(change, "kind"));
    const char *about = json_string_value(json_object_get(change, "name"));

    return kind != NULL && about != NULL && strcmp(kind, "limit") == 0
           && strcmp(about, name) == 0;
}

/* One row for everybody, and one for each key with settings of its own. */
static json_t *
row_new(const json_t *limit, const json_t *change)
{
    const json_t *base  = json_object_get(limit, "base");
    const json_t *now   = json_object_get(limit, "now");
    bool          alone = json_is_string(json_object_get(change, "key"));

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                     member_or_null(limit, "name"), "key",
                     member_or_null(change, "key"), "base_rate",
                     member_or_null(base, "rate"), "base_burst",
                     member_or_null(base, "burst"), "rate",
                     member_or_null(alone ? change : now, "rate"), "burst",
                     member_or_null(alone ? change : now, "burst"), "times",
                     member_or_null(change, "times"), "by",
                     member_or_null(change, "by"), "until", until_text(change));
}

static void
rows_add(json_t *rows, const json_t *limit, const json_t *changes)
{
    const char   *name = json_string_value(json_object_get(limit, "name"));
    const json_t *all  = NULL;
    json_t       *change;
    size_t        i;

    json_array_foreach(changes, i, change)
    {
        if (name != NULL && is_about(change, name)
            && !json_is_string(json_object_get(change, "key")))
        {
            all = change;
        }
    }
    (void) json_array_append_new(rows, row_new(limit, all));
    json_array_foreach(changes, i, change)
    {
        if (name != NULL && is_about(change, name)
            && json_is_string(json_object_get(change, "key")))
        {
            (void) json_array_append_new(rows, row_new(limit, change));
        }
    }
}

enum cli_exit
cli_limit_list(struct cli *cli)
{
    json_t       *answer, *limit;
    json_t       *rows = json_array();
    enum cli_exit code = cli_control_call(cli, "GET", NULL, &answer);
    size_t        i;

    if (code != CLI_OK) {
        json_decref(rows);
        return code;
    }
    json_array_foreach(json_object_get(answer, "limits"), i, limit)
    {
        rows_add(rows, limit, json_object_get(answer, "changes"));
    }
    json_decref(answer);
    cli_out(cli, rows);
    return CLI_OK;
}

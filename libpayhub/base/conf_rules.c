/*
 * conf_rules.c - the types of payhub.conf, and the texts with a form of their
 * own.  Pure judgement: nothing is stored here.
 */
#include "libpayhub/base/conf_rules.h"

#include "libpayhub/base/redis_place.h"

#define TIME_MS_MAX (INT64_C(366) * 86400 * 1000)

/* ascending by length of the unit; "ms" stands before "s" */
static const struct {
    struct ph_str unit;
    int64_t       ms;
} time_units[] = {
    { PH_STR_INIT("ms"), 1 },
    { PH_STR_INIT("s"), 1000 },
    { PH_STR_INIT("m"), 60000 },
    { PH_STR_INIT("h"), 3600000 },
};

bool
ph_conf_time(struct ph_str text, int64_t *ms)
{
    size_t   digits = 0;
    uint64_t count;

    while (digits < text.len && text.ptr[digits] >= '0'
           && text.ptr[digits] <= '9') {
        digits++;
    }
    struct ph_str unit = ph_str_make(text.ptr + digits, text.len - digits);

    for (size_t i = 0; i < PH_COUNT(time_units); i++) {
        uint64_t max = (uint64_t) (TIME_MS_MAX / time_units[i].ms);

        if (ph_str_eq(unit, time_units[i].unit)) {
            bool ok = ph_str_u64(ph_str_make(text.ptr, digits), max, &count);

            *ms = ok ? (int64_t) count * time_units[i].ms : 0;
            return ok;
        }
    }
    return false;
}

void
ph_conf_add_time(struct ph_buf *buf, int64_t ms)
{
    size_t i = PH_COUNT(time_units) - 1;

    while (i > 0 && (ms == 0 || ms % time_units[i].ms != 0)) {
        i--;
    }
    if (ms == 0) {
        i = 1; /* 0s reads better than 0ms */
    }
    ph_buf_i64(buf, ms / time_units[i].ms);
    ph_buf_add(buf, time_units[i].unit);
}

bool
ph_conf_split_times(struct ph_str text, int64_t ms[PH_CONF_TIMES_MAX],
                    size_t *count)
{
    struct ph_str piece;

    *count = 0;
    while (ph_str_next(&text, ' ', &piece)) {
        if (*count == PH_CONF_TIMES_MAX || !ph_conf_time(piece, &ms[*count])) {
            return false;
        }
        ++*count;
    }
    return *count > 0;
}

/* clang-format off */
static bool text_is_listen(struct ph_str text);
static bool text_is_roles(struct ph_str text);
static bool text_is_tls(struct ph_str text);
static bool text_is_prefix(struct ph_str text);
static bool text_is_name(struct ph_str text);
static bool text_is_offset(struct ph_str text);
static bool text_is_level(struct ph_str text);
static bool text_is_late(struct ph_str text);
static bool text_is_layout(struct ph_str text);
static bool text_is_places(struct ph_str text);
static bool text_is_word(struct ph_str text);
static bool text_is_url(struct ph_str text);
static bool text_is_proxy(struct ph_str text);

static const struct text_rule {
    enum ph_conf_key key;
    bool (*judge)(struct ph_str text);
    const char *expected;
} text_rules[] = {
    { PH_CONF_worker_listen, text_is_listen, "unix:/PATH of at most 107 bytes" },
    { PH_CONF_worker_roles, text_is_roles,
      "a comma list of pay, notify, janitor, admin, each once" },
    { PH_CONF_store_tls, text_is_tls, "off, on or verify" },
    { PH_CONF_redis_user, text_is_word, "a name without blanks" },
    { PH_CONF_redis_prefix, text_is_prefix, "1 to 16 of [A-Za-z0-9_-]" },
    { PH_CONF_redis_lock_layout, text_is_layout, "string or redisson" },
    { PH_CONF_redis_sentinels, text_is_places, "1 to 16 HOST:PORT or /PATH, between blanks" },
    { PH_CONF_redis_master, text_is_word, "a name without blanks" },
    { PH_CONF_redis_sentinel_user, text_is_word, "a name without blanks" },
    { PH_CONF_redis_cluster, text_is_places, "1 to 16 HOST:PORT or /PATH, between blanks" },
    { PH_CONF_sidecar_day_offset, text_is_offset,
      "+HH:MM or -HH:MM up to 14:00" },
    { PH_CONF_admin_api_url, text_is_url, "http://HOST or https://HOST, no / at the end" },
    { PH_CONF_seal_key_id, text_is_name, "1 to 32 of [A-Za-z0-9_-]" },
    { PH_CONF_seal_old_key_id, text_is_name, "1 to 32 of [A-Za-z0-9_-]" },
    { PH_CONF_log_level, text_is_level, "error, warn, info or debug" },
    { PH_CONF_pay_late, text_is_late, "accept or refund" },
    { PH_CONF_pay_public_url, text_is_url, "http://HOST or https://HOST, no / at the end" },
    { PH_CONF_pay_proxy, text_is_proxy, "http://HOST:PORT or socks5h://HOST:PORT" },
};
/* clang-format on */

static const struct text_rule *
text_rule_find(enum ph_conf_key key)
{
    for (size_t i = 0; i < PH_COUNT(text_rules); i++) {
        if (text_rules[i].key == key) {
            return &text_rules[i];
        }
    }
    return NULL;
}

/* index of the text among `count` words, `count` when it is none of them */
static size_t
text_choice(struct ph_str text, const char *const *words, size_t count)
{
    size_t i = 0;

    while (i < count && !ph_str_eq(text, ph_str_z(words[i]))) {
        i++;
    }
    return i;
}

static bool
text_is_listen(struct ph_str text)
{
    static const struct ph_str scheme = PH_STR_INIT("unix:/");

    /* 107: sun_path less its NUL */
    return ph_str_starts(text, scheme) && text.len > scheme.len
           && text.len - (scheme.len - 1) <= 107;
}

static bool
text_is_roles(struct ph_str text)
{
    static const char *const roles[] = { "pay", "notify", "janitor", "admin" };
    struct ph_str            role;
    unsigned                 seen = 0;

    while (ph_str_next(&text, ',', &role)) {
        size_t i = text_choice(role, roles, PH_COUNT(roles));

        if (i == PH_COUNT(roles) || (seen & 1u << i) != 0) {
            return false;
        }
        seen |= 1u << i;
    }
    return seen != 0;
}

static bool
text_is_tls(struct ph_str text)
{
    static const char *const words[] = { "off", "on", "verify" };

    return text_choice(text, words, PH_COUNT(words)) < PH_COUNT(words);
}

static bool
text_is_prefix(struct ph_str text)
{
    return ph_str_is_token(text, 16);
}

static bool
text_is_name(struct ph_str text)
{
    return ph_str_is_token(text, 32);
}

static bool
text_is_offset(struct ph_str text)
{
    uint64_t hour = 0, minute = 0;

    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-')
        || text.ptr[3] != ':')
    {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        char ten = text.ptr[1 + i], unit = text.ptr[4 + i];

        if (ten < '0' || ten > '9' || unit < '0' || unit > '9') {
            return false;
        }
        hour   = hour * 10 + (uint64_t) (ten - '0');
        minute = minute * 10 + (uint64_t) (unit - '0');
    }
    return minute <= 59 && hour * 60 + minute <= UINT64_C(14) * 60;
}

static bool
text_is_level(struct ph_str text)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };

    return text_choice(text, levels, PH_COUNT(levels)) < PH_COUNT(levels);
}

static bool
text_is_late(struct ph_str text)
{
    static const char *const words[] = { "accept", "refund" };

    return text_choice(text, words, PH_COUNT(words)) < PH_COUNT(words);
}

static bool
text_is_layout(struct ph_str text)
{
    static const char *const words[] = { "string", "redisson" };

    return text_choice(text, words, PH_COUNT(words)) < PH_COUNT(words);
}

static bool
text_is_places(struct ph_str text)
{
    struct ph_redis_place places[PH_REDIS_PLACES_MAX];
    size_t                count;

    return ph_redis_places_parse(text, places, &count) && count > 0;
}

static bool
text_is_word(struct ph_str text)
{
    return memchr(text.ptr, ' ', text.len) == NULL;
}

static bool
text_is_url(struct ph_str text)
{
    struct ph_str scheme, host;

    if (!ph_str_cut(text, ':', &scheme, &host)
        || !ph_str_starts(host, PH_STR("//")) || host.len < 3
        || host.ptr[2] == '/' || host.ptr[2] == ':'
        || text.ptr[text.len - 1] == '/')
    {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\"'<>\\#?@", text.ptr[i]) != NULL) {
            return false;
        }
    }
    return ph_str_eq(scheme, PH_STR("http"))
           || ph_str_eq(scheme, PH_STR("https"));
}

/* The host is a name, an IPv4 address, or an IPv6 one in brackets. */
static bool
text_is_proxy(struct ph_str text)
{
    struct ph_str scheme, host;
    size_t        colon = text.len;
    uint64_t      port;

    if (!ph_str_cut(text, ':', &scheme, &host)
        || (!ph_str_eq(scheme, PH_STR("http"))
            && !ph_str_eq(scheme, PH_STR("socks5h")))
        || !ph_str_starts(host, PH_STR("//")))
    {
        return false;
    }
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    host = ph_str_make(host.ptr + 2, (size_t) (text.ptr + colon - host.ptr));
    if (host.len < 4
        || !ph_str_u64(ph_str_make(text.ptr + colon, text.len - colon), 65535,
                       &port)
        || port == 0)
    {
        return false;
    }
    host.len -= 3; /* "//" and ":" */
    const bool is_v6 = host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    for (size_t i = 0; i < host.len; i++) {
        const char byte = host.ptr[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
              || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-'
              || (is_v6 && (byte == ':' || byte == '[' || byte == ']'))))
        {
            return false;
        }
    }
    return true;
}

static bool
judge_times(const struct ph_conf_row *row, struct ph_str text, int64_t *number)
{
    int64_t ms[PH_CONF_TIMES_MAX];
    size_t  count;

    if (!ph_conf_split_times(text, ms, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (ms[i] < row->min || ms[i] > row->max) {
            return false;
        }
    }
    *number = (int64_t) count;
    return true;
}

static bool
judge_number(const struct ph_conf_row *row, struct ph_str text, int64_t *number)
{
    uint64_t value;

    if (!ph_str_u64(text, (uint64_t) row->max, &value)) {
        return false;
    }
    *number = (int64_t) value;
    return *number >= row->min;
}

static bool
judge_text(enum ph_conf_key key, const struct ph_conf_row *row,
           struct ph_str text)
{
    const struct text_rule *rule = text_rule_find(key);

    if (ph_str_has_control(text) || ph_str_utf8_count(text) == SIZE_MAX) {
        return false;
    }
    if (text.len == 0) {
        return row->value[0] == '\0'; /* not set; else it takes a value */
    }
    return rule == NULL || rule->judge(text);
}

bool
ph_conf_judge(enum ph_conf_key key, struct ph_str text, int64_t *number)
{
    const struct ph_conf_row *row = ph_conf_row(key);

    switch (row->type) {
    case PH_CONF_TEXT:
        return judge_text(key, row, text);
    case PH_CONF_PATH:
        return judge_text(key, row, text)
               && (text.len == 0 || text.ptr[0] == '/');
    case PH_CONF_NUMBER:
        return judge_number(row, text, number);
    case PH_CONF_TIME:
        return ph_conf_time(text, number) && *number >= row->min
               && *number <= row->max;
    case PH_CONF_BOOL:
        *number = ph_str_eq(text, PH_STR("yes"));
        return *number == 1 || ph_str_eq(text, PH_STR("no"));
    case PH_CONF_TIMES:
        return judge_times(row, text, number);
    default:
        return false;
    }
}

static void
expected_times(struct ph_buf *buf, const struct ph_conf_row *row,
               struct ph_str what)
{
    ph_buf_add(buf, what);
    ph_conf_add_time(buf, row->min);
    ph_buf_add(buf, PH_STR(" to "));
    ph_conf_add_time(buf, row->max);
}

void
ph_conf_expected(struct ph_buf *buf, enum ph_conf_key key)
{
    const struct ph_conf_row *row  = ph_conf_row(key);
    const struct text_rule   *rule = text_rule_find(key);

    switch (row->type) {
    case PH_CONF_TEXT:
        ph_buf_add(buf, ph_str_z(rule != NULL ? rule->expected : "text"));
        break;
    case PH_CONF_PATH:
        ph_buf_add(buf, PH_STR("an absolute path"));
        break;
    case PH_CONF_NUMBER:
        ph_buf_add(buf, PH_STR("a number from "));
        ph_buf_i64(buf, row->min);
        ph_buf_add(buf, PH_STR(" to "));
        ph_buf_i64(buf, row->max);
        break;
    case PH_CONF_TIME:
        expected_times(buf, row, PH_STR("a time (ms, s, m, h) from "));
        break;
    case PH_CONF_BOOL:
        ph_buf_add(buf, PH_STR("yes or no"));
        break;
    case PH_CONF_TIMES:
        expected_times(buf, row,
                       PH_STR("1 to 24 times (ms, s, m, h) between single "
                              "blanks, each from "));
        break;
    default:
        break;
    }
}

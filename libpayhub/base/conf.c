/*
 * conf.c - the strict reader of payhub.conf.
 *
 * Two steps, each with its own refusals.  line_read() stands between the text
 * and inih and lets through only lines that inih reads as they look.  What
 * inih then hands over is judged by value_set() against the table of keys; an
 * environment entry goes the same way.  Nothing is kept but ph_conf itself.
 */
#include "libpayhub/base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <ini.h>

#include "libpayhub/base/conf_rules.h"

/* clang-format off */
static const struct ph_conf_row conf_rows[PH_CONF_KEYS] = {
#define CONF(section, key, type, value, min, max, reload, meaning)             \
    [PH_CONF_##section##_##key] = { #section, #key, PH_CONF_##type, (value),   \
                                    (min), (max), (reload), (meaning) },
#include "libpayhub/base/conf_keys.def"
#undef CONF
};
/* clang-format on */

/* PAYHUB_ names that are no keys: addresses and accounts of a stack, and the
 * switches of tests.  A name that ends in _ stands for all that begin so. */
const char *const ph_conf_other_names[] = {
    "URL",        "TLS_URL",      "SANDBOX_URL",  "ADMIN_URL",
    "CA_FILE",    "ADMIN_SOCKET", "CONFIG",       "MYSQL_SOCKET",
    "MYSQL_USER", "MYSQL_DB",     "REDIS_SOCKET", "MERCHANT_ID",
    "APP_ID",     "KEY_ID",       "SECRET_FILE",  "WEBHOOK_SECRET",
    "PID_",       "VECTORS",      "BINLOGS",      "CRASH_AT",
};

const size_t ph_conf_other_name_count = PH_COUNT(ph_conf_other_names);

/* where a value stands, for messages: file and line, or an environment name */
struct conf_place {
    const char   *file;
    uint32_t      line;
    struct ph_str name;
};

/* one reading of a file's text */
struct conf_reader {
    struct ph_conf   *conf;
    struct ph_str     rest; /* not read yet; ptr NULL when used up */
    struct conf_place place;
    struct ph_buf    *why;
    enum ph_rc        rc;
};

static void
why_place(struct ph_buf *why, const struct conf_place *place)
{
    if (place->file == NULL) {
        ph_buf_add(why, PH_STR("environment: "));
        ph_buf_add(why, place->name);
        ph_buf_add(why, PH_STR(": "));
        return;
    }
    ph_buf_add(why, ph_str_z(place->file));
    ph_buf_byte(why, ':');
    ph_buf_u64(why, place->line);
    ph_buf_add(why, PH_STR(": "));
}

/* "PLACE: found WHAT "TEXT", expected EXPECTED" */
static void
why_write(struct ph_buf *why, const struct conf_place *place, const char *what,
          struct ph_str text, const char *expected)
{
    why_place(why, place);
    ph_buf_add(why, PH_STR("found "));
    ph_buf_add(why, ph_str_z(what));
    if (text.ptr != NULL) {
        ph_buf_add(why, what[0] != '\0' ? PH_STR(" ") : PH_STR(""));
        ph_buf_json(why, text);
    }
    ph_buf_add(why, PH_STR(", expected "));
    ph_buf_add(why, ph_str_z(expected));
}

const struct ph_conf_row *
ph_conf_row(enum ph_conf_key key)
{
    assert((unsigned) key < PH_CONF_KEYS);

    return &conf_rows[key];
}

static void
value_store(struct ph_conf *conf, size_t key, struct ph_str text,
            int64_t number, uint32_t line)
{
    memcpy(conf->text[key], text.ptr, text.len);
    conf->text[key][text.len] = '\0';
    conf->number[key]         = number;
    conf->line[key]           = line;
}

/* Judges one value and stores it. */
static enum ph_rc
value_set(struct ph_conf *conf, size_t key, struct ph_str text,
          const struct conf_place *place, struct ph_buf *why)
{
    char          memory[160];
    struct ph_buf expected = PH_BUF_INIT(memory);
    int64_t       number   = 0;

    if (text.len > PH_CONF_LINE_MAX) {
        why_write(why, place, "a value over 190 bytes", ph_str_make(NULL, 0),
                  "at most 190");
        return PH_E_RANGE;
    }
    if (!ph_conf_judge((enum ph_conf_key) key, text, &number)) {
        ph_conf_expected(&expected, (enum ph_conf_key) key);
        why_write(why, place, "", text, ph_buf_z(&expected));
        return PH_E_RANGE;
    }
    value_store(conf, key, text, number, place->line);
    return PH_OK;
}

void
ph_conf_init(struct ph_conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    for (size_t key = 0; key < PH_CONF_KEYS; key++) {
        struct ph_str text   = ph_str_z(conf_rows[key].value);
        int64_t       number = 0;
        bool          ok = ph_conf_judge((enum ph_conf_key) key, text, &number);

        assert(ok); /* a default breaks its own row's rule */
        (void) ok;
        value_store(conf, key, text, number, 0);
    }
}

/* index, PH_CONF_KEYS when unknown; *section_known tells which part it was */
static size_t
key_find(struct ph_str section, struct ph_str name, bool *section_known)
{
    *section_known = false;
    for (size_t key = 0; key < PH_CONF_KEYS; key++) {
        if (!ph_str_eq(section, ph_str_z(conf_rows[key].section))) {
            continue;
        }
        *section_known = true;
        if (ph_str_eq(name, ph_str_z(conf_rows[key].key))) {
            return key;
        }
    }
    return PH_CONF_KEYS;
}

/* why_write() and the reader's verdict */
static bool
line_refuse(struct conf_reader *reader, enum ph_rc rc, const char *what,
            struct ph_str text, const char *expected)
{
    why_write(reader->why, &reader->place, what, text, expected);
    reader->rc = rc;
    return false;
}

static bool
line_has_bytes(struct conf_reader *reader, struct ph_str line)
{
    static const struct ph_str none = { NULL, 0 };

    if (line.len > PH_CONF_LINE_MAX) {
        return line_refuse(reader, PH_E_RANGE, "a line over 190 bytes", none,
                           "at most 190; put long texts into files");
    }
    if (line.len != 0 && line.ptr[line.len - 1] == '\r') {
        return line_refuse(reader, PH_E_SYNTAX, "a carriage return", none,
                           "lines that end in LF alone");
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char ch = (unsigned char) line.ptr[i];

        if ((ch < 0x20 && ch != '\t') || ch == 0x7f) {
            return line_refuse(reader, PH_E_SYNTAX, "a control byte in", line,
                               "printable UTF-8");
        }
    }
    if (ph_str_utf8_count(line) == SIZE_MAX
        || ph_str_starts(line, PH_STR("\xef\xbb\xbf")))
    {
        return line_refuse(reader, PH_E_SYNTAX,
                           "bytes that are not plain UTF-8", none,
                           "UTF-8 without a byte order mark");
    }
    return true;
}

/* length of the leading [a-z0-9_]+ */
static size_t
word_len(struct ph_str in)
{
    size_t len = 0;

    while (len < in.len
           && (islower((unsigned char) in.ptr[len])
               || isdigit((unsigned char) in.ptr[len]) || in.ptr[len] == '_'))
    {
        len++;
    }
    return len;
}

static bool
line_is_section(struct conf_reader *reader, struct ph_str line)
{
    struct ph_str name = ph_str_make(line.ptr + 1, line.len - 1);
    size_t        len  = word_len(name);
    bool          known;

    if (len == 0 || len + 1 != name.len || name.ptr[len] != ']') {
        return line_refuse(reader, PH_E_SYNTAX, "", line,
                           "[section] and nothing after it");
    }
    name.len = len;
    (void) key_find(name, PH_STR(""), &known);
    if (!known) {
        return line_refuse(reader, PH_E_UNKNOWN, "section", name,
                           "a section of docs/configuration.md");
    }
    return true;
}

/* inih ends a value at a ; after a blank; people also mean # so */
static bool
value_has_comment(struct ph_str value)
{
    bool blank = true;

    for (size_t i = 0; i < value.len; i++) {
        if (blank && (value.ptr[i] == ';' || value.ptr[i] == '#')) {
            return true;
        }
        blank = value.ptr[i] == ' ' || value.ptr[i] == '\t';
    }
    return false;
}

static bool
line_is_pair(struct conf_reader *reader, struct ph_str line)
{
    size_t        len = word_len(line);
    struct ph_str after
        = ph_str_trim(ph_str_make(line.ptr + len, line.len - len));

    if (len == 0 || after.len == 0 || after.ptr[0] != '=') {
        return line_refuse(reader, PH_E_SYNTAX, "", line,
                           "[section], key = value, a comment, or nothing");
    }
    if (value_has_comment(ph_str_make(after.ptr + 1, after.len - 1))) {
        return line_refuse(reader, PH_E_SYNTAX, "a comment behind a value in",
                           line, "comments on lines of their own");
    }
    return true;
}

/* true for a line that inih will read as it looks */
static bool
line_check(struct conf_reader *reader, struct ph_str line)
{
    if (!line_has_bytes(reader, line)) {
        return false;
    }
    if (ph_str_trim(line).len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#')
    {
        return true;
    }
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return line_refuse(reader, PH_E_SYNTAX, "a blank at the start of", line,
                           "every line to begin in column 1");
    }
    return line.ptr[0] == '[' ? line_is_section(reader, line)
                              : line_is_pair(reader, line);
}

/* inih's reader: the next line as a C string; NULL at the end or on a fault */
static char *
line_read(char *out, int size, void *stream)
{
    struct conf_reader *reader = stream;
    struct ph_str       line;

    if (reader->rc != PH_OK || reader->rest.len == 0
        || !ph_str_next(&reader->rest, '\n', &line))
    {
        return NULL;
    }
    reader->place.line++;
    if (!line_check(reader, line)) {
        return NULL;
    }
    if (size < 0 || line.len + 1 > (size_t) size) {
        (void) line_refuse(reader, PH_E_FULL, "a line that inih cannot hold",
                           line, "an inih built with 200-byte lines");
        return NULL;
    }
    memcpy(out, line.ptr, line.len);
    out[line.len] = '\0';
    return out;
}

/* inih's handler: 1 = go on.  After a fault line_read() ends the reading. */
static int
pair_take(void *user, const char *section, const char *name, const char *value)
{
    struct conf_reader *reader = user;
    bool                section_known;
    size_t key = key_find(ph_str_z(section), ph_str_z(name), &section_known);

    if (section[0] == '\0') {
        return line_refuse(reader, PH_E_SYNTAX, "key", ph_str_z(name),
                           "a [section] before the first key");
    }
    if (key == PH_CONF_KEYS) {
        return line_refuse(reader, PH_E_UNKNOWN, "key", ph_str_z(name),
                           "a key of this section in docs/configuration.md");
    }
    if (reader->conf->line[key] != 0) {
        return line_refuse(reader, PH_E_DUPLICATE, "a second", ph_str_z(name),
                           "each key once");
    }
    reader->rc = value_set(reader->conf, key, ph_str_z(value), &reader->place,
                           reader->why);
    return reader->rc == PH_OK;
}

enum ph_rc
ph_conf_parse(struct ph_conf *conf, const char *file, struct ph_str text,
              struct ph_buf *why)
{
    struct conf_reader reader
        = { conf, text, { file, 0, { NULL, 0 } }, why, PH_OK };

    if (text.len > PH_CONF_TEXT_MAX) {
        why_write(why, &reader.place, "more than 16384 bytes",
                  ph_str_make(NULL, 0), "a file of at most so many");
        return PH_E_RANGE;
    }
    int line = ini_parse_stream(line_read, &reader, pair_take, &reader);

    if (line != 0 && reader.rc == PH_OK) {
        (void) line_refuse(&reader, PH_E_SYNTAX, "what inih refuses",
                           ph_str_make(NULL, 0), "key = value");
    }
    return reader.rc;
}

/* true when `name` is `text` in upper case */
static bool
name_is_upper_of(struct ph_str name, const char *text)
{
    size_t i = 0;

    while (i < name.len && text[i] != '\0'
           && name.ptr[i] == (char) toupper((unsigned char) text[i]))
    {
        i++;
    }
    return i == name.len && text[i] == '\0';
}

/* SECTION_KEY to the row's index, PH_CONF_KEYS when there is none */
static size_t
name_find(struct ph_str name)
{
    struct ph_str section, key;

    if (!ph_str_cut(name, '_', &section, &key)) {
        return PH_CONF_KEYS;
    }
    for (size_t i = 0; i < PH_CONF_KEYS; i++) {
        if (name_is_upper_of(section, conf_rows[i].section)
            && name_is_upper_of(key, conf_rows[i].key))
        {
            return i;
        }
    }
    return PH_CONF_KEYS;
}

static bool
name_is_other(struct ph_str name)
{
    for (size_t i = 0; i < ph_conf_other_name_count; i++) {
        struct ph_str other = ph_str_z(ph_conf_other_names[i]);
        bool          stem  = other.ptr[other.len - 1] == '_';

        if (stem ? ph_str_starts(name, other) : ph_str_eq(name, other)) {
            return true;
        }
    }
    return false;
}

enum ph_rc
ph_conf_env(struct ph_conf *conf, struct ph_str entry, struct ph_buf *why)
{
    static const struct ph_str prefix = PH_STR_INIT("PAYHUB_");
    struct conf_place          place  = { NULL, 0, { NULL, 0 } };
    struct ph_str              value;

    if (!ph_str_starts(entry, prefix)
        || !ph_str_cut(entry, '=', &place.name, &value))
    {
        return PH_OK;
    }
    struct ph_str name
        = ph_str_make(place.name.ptr + prefix.len, place.name.len - prefix.len);
    size_t key = name_find(name);

    if (key < PH_CONF_KEYS) {
        return value_set(conf, key, value, &place, why);
    }
    if (name_is_other(name)) {
        return PH_OK;
    }
    why_write(why, &place, "a name", name,
              "PAYHUB_SECTION_KEY or a name of docs/configuration.md");
    return PH_E_UNKNOWN;
}

size_t
ph_conf_times(const struct ph_conf *conf, enum ph_conf_key key,
              int64_t ms[PH_CONF_TIMES_MAX])
{
    size_t count = 0;
    bool   ok    = ph_conf_split_times(ph_str_z(conf->text[key]), ms, &count);

    assert(ok); /* judged when it was set */
    (void) ok;
    return count;
}

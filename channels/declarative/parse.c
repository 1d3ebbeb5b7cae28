/*
 * parse.c - templates: text with {SOURCE|filter|filter:argument} in it.
 */
#include "channels/declarative/compile.h"
#include "libpayhub/base/money.h"

#define COUNT_MAX 4096
#define PLACES_MAX 4
#define OFFSET_H_MAX 14

struct source_row {
    struct ph_str text;
    bool          has_rest;
    uint32_t      bit;
};

/* clang-format off */
static const struct source_row sources[SOURCES] = {
#define SOURCE(id, text, rest, bit, about)                                     \
    [SOURCE_##id] = { PH_STR_INIT(text), (rest), (bit) },
#include "channels/declarative/sources.def"
#undef SOURCE
};
/* clang-format on */

/* ---- sources ---- */

static bool
source_fault(struct compile *c, struct ph_str found)
{
    compile_expected(c, found);
    ph_buf_add(c->why, PH_STR("one of:"));
    for (size_t i = 1; i < SOURCES; i++) {
        if ((sources[i].bit & c->where) != 0) {
            ph_buf_byte(c->why, ' ');
            ph_buf_add(c->why, sources[i].text);
            ph_buf_add(c->why, sources[i].has_rest ? PH_STR("*") : PH_STR(""));
        }
    }
    return false;
}

static bool
account_key_find(struct compile *c, struct ph_str name, size_t *index)
{
    const struct ph_channel *channel = &c->file->channel;

    for (size_t i = 0; i < channel->field_count; i++) {
        if (ph_str_eq(ph_str_z(channel->fields[i].key), name)) {
            *index = i;
            return true;
        }
    }
    return compile_fault(c, name, "a key of account");
}

static bool
let_find(struct compile *c, struct ph_str name)
{
    for (size_t i = 0; i < c->lets->count; i++) {
        if (ph_str_eq(c->lets->items[i].name, name)) {
            return true;
        }
    }
    return compile_fault(c, name, "a name that `let` gave above");
}

bool
compile_sign_find(struct compile *c, struct ph_str name, uint32_t where,
                  size_t *index)
{
    for (size_t i = 0; i < c->file->sign_count; i++) {
        if (!ph_str_eq(c->file->signs[i].name, name)) {
            continue;
        }
        *index = i;
        return (c->file->signs[i].uses & ~where) == 0
               || compile_fault(c, name,
                                "a recipe of what is known here: this one "
                                "names or joins something else");
    }
    return compile_fault(c, name, "the name of a recipe in sign");
}

/* our fields are there where our address is */
static uint32_t
known_to_sign(uint32_t where)
{
    return where | ((where & ON_TARGET) != 0 ? (uint32_t) ON_FIELDS : 0);
}

/* the member that a path begins with, for whoever checks joined texts */
static bool
read_note(struct compile *c, struct ph_str path)
{
    struct ph_str name;

    if (!ph_str_next(&path, '.', &name)) {
        return false;
    }
    for (size_t i = 0; i < c->read_count; i++) {
        if (ph_str_eq(c->reads[i], name)) {
            return true;
        }
    }
    if (c->read_count == DECLARED_READS_MAX) {
        return compile_fault(c, name, "at most 128 members that are read");
    }
    c->reads[c->read_count++] = name;
    return true;
}

static bool
source_finish(struct compile *c, struct declared_source *out)
{
    switch ((int) out->kind) {
    case SOURCE_ACCOUNT:
        return account_key_find(c, out->name, &out->index);
    case SOURCE_LET:
        return let_find(c, out->name);
    case SOURCE_SIGN:
        return compile_sign_find(c, out->name, known_to_sign(c->where),
                                 &out->index);
    case SOURCE_IN:
        return read_note(c, out->name);
    case SOURCE_INNER:
        return c->has_inner
                   ? read_note(c, out->name)
                   : compile_fault(c, out->name, "`open`, which makes it");
    case SOURCE_EXTRA:
        return compile_name(c, out->name, &grammar_names_plain);
    default:
        return true;
    }
}

static bool
source_parse(struct compile *c, struct ph_str text, struct declared_source *out,
             uint32_t *uses)
{
    for (size_t i = 1; i < SOURCES; i++) {
        const struct source_row *row = &sources[i];
        struct ph_str            rest;

        if (row->has_rest ? !ph_str_starts(text, row->text)
                          : !ph_str_eq(text, row->text))
        {
            continue;
        }
        rest = ph_str_make(text.ptr + row->text.len, text.len - row->text.len);
        if ((row->bit & c->where) == 0
            || (row->has_rest
                && (rest.len == 0 || rest.len > DECLARED_NAME_MAX)))
        {
            return source_fault(c, text);
        }
        *out
            = (struct declared_source){ .kind = (enum declared_source_kind) i };
        out->name = ph_arena_dup(c->arena, rest);
        *uses |= row->bit;
        return source_finish(c, out);
    }
    return source_fault(c, text);
}

/* ---- filters ---- */

static bool
key_kind_fits(enum ph_channel_value kind, enum declared_arg arg)
{
    switch (arg) {
    case ARG_PRIVATE:
        return kind == PH_VALUE_PRIVATE_KEY;
    case ARG_PUBLIC:
        return kind == PH_VALUE_PUBLIC_KEY || kind == PH_VALUE_CERT;
    case ARG_SECRET:
    case ARG_GCM:
        return kind == PH_VALUE_SECRET || kind == PH_VALUE_BASE64;
    case ARG_NONE:
    case ARG_COUNT:
    case ARG_TEXT:
    case ARG_PLACES:
    case ARG_TIME:
    case ARG_SOURCE:
        break;
    }
    return false;
}

bool
compile_key(struct compile *c, struct ph_str text, enum declared_arg arg,
            size_t *index)
{
    const struct ph_str prefix = PH_STR("account.");

    if (!ph_str_starts(text, prefix)) {
        return compile_fault(c, text, "account.KEY");
    }
    if (!account_key_find(
            c, ph_str_make(text.ptr + prefix.len, text.len - prefix.len),
            index))
    {
        return false;
    }
    if (key_kind_fits(c->file->channel.fields[*index].kind, arg)) {
        return true;
    }
    return compile_fault(c, text,
                         arg == ARG_PRIVATE ? "a key of kind private_key"
                         : arg == ARG_PUBLIC
                             ? "a key of kind public_key or cert"
                             : "a key of kind secret or base64");
}

static bool
count_parse(struct compile *c, struct ph_str text, uint64_t most,
            const char *expected, int64_t *out)
{
    uint64_t value;

    if (!ph_str_u64(text, most, &value)) {
        return compile_fault(c, text, expected);
    }
    *out = (int64_t) value;
    return true;
}

/* "compact+8": the shape, then whole hours east of UTC */
static bool
shape_parse(struct compile *c, struct ph_str text, struct declared_filter *out)
{
    static const char expected[]
        = "unix, ms, compact, plain or rfc3339, the last three with +H or -H";
    size_t   split = 0;
    uint64_t hours = 0;

    while (split < text.len && text.ptr[split] != '+' && text.ptr[split] != '-')
    {
        split++;
    }
    struct ph_str name = ph_str_make(text.ptr, split);

    for (out->shape = 0; out->shape < SHAPES; out->shape++) {
        if (ph_str_eq(ph_str_z(declared_shapes[out->shape]), name)) {
            break;
        }
    }
    if (out->shape == SHAPES
        || (split != text.len
            && (out->shape < SHAPE_COMPACT
                || !ph_str_u64(
                    ph_str_make(text.ptr + split + 1, text.len - split - 1),
                    OFFSET_H_MAX, &hours))))
    {
        return compile_fault(c, text, expected);
    }
    out->offset_min = (int) hours * 60;
    if (split != text.len && text.ptr[split] == '-') {
        out->offset_min = -out->offset_min;
    }
    return true;
}

static bool
gcm_parse(struct compile *c, struct ph_str text, struct declared_filter *out,
          uint32_t *uses)
{
    struct ph_str rest = text, key, nonce, aad;

    if (!ph_str_next(&rest, ':', &key) || !ph_str_next(&rest, ':', &nonce)
        || !ph_str_next(&rest, ':', &aad) || rest.ptr != NULL)
    {
        return compile_fault(c, text, "account.KEY:SOURCE:SOURCE");
    }
    return compile_key(c, key, ARG_GCM, &out->args[0].index)
           && source_parse(c, nonce, &out->args[1], uses)
           && source_parse(c, aad, &out->args[2], uses);
}

static bool
arg_parse(struct compile *c, struct ph_str text, bool is_given,
          struct declared_filter *out, uint32_t *uses)
{
    switch (out->row->arg) {
    case ARG_NONE:
        return !is_given || compile_fault(c, text, "no argument");
    case ARG_COUNT:
        return count_parse(c, text, COUNT_MAX, "a number up to 4096",
                           &out->number);
    case ARG_TEXT:
        out->text = ph_arena_dup(c->arena, text);
        return is_given || compile_fault(c, text, "a text behind a colon");
    case ARG_PLACES:
        out->number = -1;
        if (c->file->places < 0 && (c->where & ON_ORDER) == 0) {
            return compile_fault(c, text,
                                 "currencies of one number of places in the "
                                 "file, or |minor: theirs differ");
        }
        return !is_given
               || count_parse(c, text, PLACES_MAX, "0 to 4 places",
                              &out->number);
    case ARG_TIME:
        return shape_parse(c, text, out);
    case ARG_SECRET:
    case ARG_PRIVATE:
    case ARG_PUBLIC:
        *uses |= ON_ACCOUNT;
        return compile_key(c, text, out->row->arg, &out->args[0].index);
    case ARG_SOURCE:
        return source_parse(c, text, &out->args[1], uses);
    case ARG_GCM:
        *uses |= ON_ACCOUNT;
        return gcm_parse(c, text, out, uses);
    }
    return false;
}

bool
compile_filter(struct compile *c, struct ph_str text,
               struct declared_filter *out, uint32_t *uses)
{
    struct ph_str name = text, arg = { "", 0 };
    bool          is_given = ph_str_cut(text, ':', &name, &arg);

    *out = (struct declared_filter){ .row = NULL };
    for (size_t i = 0; i < declared_filter_count; i++) {
        if (ph_str_eq(ph_str_z(declared_filters[i].name), name)) {
            out->row = &declared_filters[i];
            return arg_parse(c, arg, is_given, out, uses);
        }
    }
    compile_expected(c, name);
    ph_buf_add(c->why, PH_STR("one of:"));
    for (size_t i = 0; i < declared_filter_count; i++) {
        ph_buf_byte(c->why, ' ');
        ph_buf_add(c->why, ph_str_z(declared_filters[i].name));
    }
    return false;
}

/* ---- templates ---- */

static bool
piece_parse(struct compile *c, struct ph_str text, struct declared_piece *piece,
            uint32_t *uses)
{
    struct declared_filter filters[DECLARED_FILTERS_MAX];
    struct ph_str          rest  = text, part;
    size_t                 count = 0;

    if (!ph_str_next(&rest, '|', &part)
        || !source_parse(c, part, &piece->source, uses))
    {
        return false;
    }
    while (ph_str_next(&rest, '|', &part)) {
        if (count == DECLARED_FILTERS_MAX) {
            return compile_fault(c, text, "at most 8 filters");
        }
        if (!compile_filter(c, part, &filters[count++], uses)) {
            return false;
        }
    }
    piece->filters = compile_take(c, count, sizeof(filters[0]));
    if (piece->filters == NULL) {
        return false;
    }
    memcpy(piece->filters, filters, count * sizeof(filters[0]));
    piece->filter_count = count;
    return true;
}

/* up to the next source; "{{" and "}}" stand for one brace */
static bool
literal_parse(struct compile *c, struct ph_str text, size_t *at,
              struct ph_str *out)
{
    struct ph_buf buf;

    ph_arena_open(c->arena, &buf);
    while (*at < text.len) {
        char ch = text.ptr[*at];

        if (ch == '{' || ch == '}') {
            if (*at + 1 < text.len && text.ptr[*at + 1] == ch) {
                ++*at;
            } else if (ch == '{') {
                break;
            } else {
                return compile_fault(c, PH_STR("a single }"), "}}");
            }
        }
        ph_buf_byte(&buf, ch);
        ++*at;
    }
    *out = ph_arena_close(c->arena, &buf);
    return !c->arena->full
           || compile_fault(c, PH_STR("a file that is too large"),
                            "one that compiles into 256 KiB");
}

static bool
pieces_parse(struct compile *c, struct ph_str text,
             struct declared_piece *pieces, size_t *count, uint32_t *uses)
{
    size_t at = 0;

    while (at < text.len) {
        struct declared_piece *piece = &pieces[*count];

        if (*count == DECLARED_PIECES_MAX) {
            return compile_fault(c, text, "at most 48 pieces");
        }
        *piece = (struct declared_piece){ .filter_count = 0 };
        ++*count;
        if (text.ptr[at] != '{'
            || (at + 1 < text.len && text.ptr[at + 1] == '{')) {
            if (!literal_parse(c, text, &at, &piece->literal)) {
                return false;
            }
            continue;
        }
        const char *end = memchr(text.ptr + at, '}', text.len - at);

        if (end == NULL) {
            return compile_fault(c, PH_STR("a { without its }"), "{SOURCE}");
        }
        size_t len = (size_t) (end - text.ptr) - at - 1;

        if (!piece_parse(c, ph_str_make(text.ptr + at + 1, len), piece, uses)) {
            return false;
        }
        at += len + 2;
    }
    return true;
}

static bool
is_number(const struct declared_template *template)
{
    const struct declared_piece *piece = &template->pieces[0];

    return template->count == 1 && piece->filter_count != 0
           && strcmp(piece->filters[piece->filter_count - 1].row->name,
                     "number")
                  == 0;
}

bool
compile_parse(struct compile *c, struct ph_str text,
              struct declared_template *out)
{
    struct declared_piece pieces[DECLARED_PIECES_MAX];
    size_t                count = 0;

    *out = (struct declared_template){ .is_set = true };
    if (!pieces_parse(c, text, pieces, &count, &out->uses)) {
        return false;
    }
    out->pieces = compile_take(c, count, sizeof(pieces[0]));
    if (out->pieces == NULL) {
        return false;
    }
    memcpy(out->pieces, pieces, count * sizeof(pieces[0]));
    out->count     = count;
    out->is_number = count != 0 && is_number(out);
    return true;
}

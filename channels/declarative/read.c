/*
 * read.c - the reader that walks the table: objects, texts, words, numbers, and
 * the one sentence about what does not fit.
 */
#include <stddef.h>

#include "channels/declarative/compile.h"

#define SHOWN_MAX 64 /* bytes of what was found */

/* ---- faults ---- */

static bool
is_fresh(const struct compile *c)
{
    return c->why->len == 0;
}

/* "POINTER: found X, expected ", and what was expected follows */
void
compile_expected(struct compile *c, struct ph_str found)
{
    struct ph_str shown = found;

    if (shown.len > SHOWN_MAX) {
        shown.len = SHOWN_MAX;
        while (shown.len != 0 && ph_str_utf8_count(shown) == SIZE_MAX) {
            shown.len--;
        }
    }
    ph_buf_cut(c->why, 0);
    ph_buf_add(c->why,
               c->pointer.len != 0 ? ph_buf_str(&c->pointer) : PH_STR("/"));
    ph_buf_add(c->why, PH_STR(": found "));
    ph_buf_add(c->why, shown.len != 0 ? PH_STR("") : PH_STR("nothing"));
    for (size_t i = 0; i < shown.len; i++) { /* one line, whatever it is */
        bool is_control = (unsigned char) shown.ptr[i] < 0x20;

        ph_buf_byte(c->why, is_control ? '?' : shown.ptr[i]);
    }
    ph_buf_add(c->why, PH_STR(", expected "));
}

bool
compile_fault(struct compile *c, struct ph_str found, const char *expected)
{
    if (is_fresh(c)) {
        compile_expected(c, found);
        ph_buf_add(c->why, ph_str_z(expected));
    }
    return false;
}

bool
compile_fault_type(struct compile *c, const json_t *found, const char *expected)
{
    static const struct ph_str names[] = {
        [JSON_OBJECT] = PH_STR_INIT("an object"),
        [JSON_ARRAY]  = PH_STR_INIT("a list"),
        [JSON_STRING] = PH_STR_INIT("a text"),
        [JSON_REAL]   = PH_STR_INIT("a number with a fraction"),
        [JSON_TRUE]   = PH_STR_INIT("true"),
        [JSON_FALSE]  = PH_STR_INIT("false"),
        [JSON_NULL]   = PH_STR_INIT("null"),
    };

    if (json_is_string(found) && json_string_length(found) != 0) {
        return compile_fault(
            c, ph_str_make(json_string_value(found), json_string_length(found)),
            expected);
    }
    if (json_is_integer(found)) {
        char          digits[24];
        struct ph_buf buf = PH_BUF_INIT(digits);

        ph_buf_i64(&buf, json_integer_value(found));
        return compile_fault(c, ph_buf_str(&buf), expected);
    }
    if (json_is_array(found) && json_array_size(found) == 0) {
        return compile_fault(c, PH_STR("an empty list"), expected);
    }
    if (json_is_object(found) && json_object_size(found) == 0) {
        return compile_fault(c, PH_STR("an empty object"), expected);
    }
    return compile_fault(c, names[json_typeof(found)], expected);
}

size_t
compile_enter(struct compile *c, const char *name)
{
    size_t mark = c->pointer.len;

    ph_buf_byte(&c->pointer, '/');
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '~' || *at == '/') {
            ph_buf_add(&c->pointer, *at == '~' ? PH_STR("~0") : PH_STR("~1"));
        } else {
            ph_buf_byte(&c->pointer, *at);
        }
    }
    return mark;
}

size_t
compile_enter_at(struct compile *c, size_t i)
{
    size_t mark = c->pointer.len;

    ph_buf_byte(&c->pointer, '/');
    ph_buf_u64(&c->pointer, i);
    return mark;
}

void
compile_leave(struct compile *c, size_t mark)
{
    ph_buf_cut(&c->pointer, mark);
}

void *
compile_take(struct compile *c, size_t count, size_t size)
{
    void *memory = ph_arena_take(c->arena, count * size);

    if (memory == NULL) {
        (void) compile_fault(c, PH_STR("a file that is too large"),
                             "one that compiles into 256 KiB");
    }
    return memory;
}

/* ---- texts ---- */

bool
compile_text(struct compile *c, const json_t *value, struct ph_str *out)
{
    if (!json_is_string(value)) {
        return compile_fault_type(c, value, "a text");
    }
    if (json_string_length(value) > DECLARED_TEXT_MAX) {
        return compile_fault_type(c, value, "at most 4096 bytes");
    }
    *out = ph_arena_dup(c->arena, ph_str_make(json_string_value(value),
                                              json_string_length(value)));
    return !c->arena->full
           || compile_fault(c, PH_STR("a file that is too large"),
                            "one that compiles into 256 KiB");
}

bool
compile_name(struct compile *c, struct ph_str text,
             const struct grammar_name *names)
{
    bool ok = text.len >= names->least && text.len <= names->most
              && text.ptr[0] != '\0'
              && strchr(names->first, text.ptr[0]) != NULL;

    for (size_t i = 1; ok && i < text.len; i++) {
        ok = text.ptr[i] != '\0' && strchr(names->rest, text.ptr[i]) != NULL;
    }
    return ok || compile_fault(c, text, names->expected);
}

bool
compile_map(struct compile *c, const json_t *value, size_t most,
            const char *expected)
{
    size_t count = json_object_size(value);

    return (json_is_object(value) && count != 0 && count <= most)
           || compile_fault_type(c, value, expected);
}

bool
compile_key_keep(struct compile *c, const char *key,
                 const struct grammar_name *names, struct ph_str *out)
{
    if (names != NULL && !compile_name(c, ph_str_z(key), names)) {
        return false;
    }
    *out = ph_arena_dup(c->arena, ph_str_z(key));
    return !c->arena->full
           || compile_fault(c, PH_STR("a file that is too large"),
                            "one that compiles into 256 KiB");
}

bool
compile_texts(struct compile *c, const json_t *value,
              const struct grammar_name *names, struct declared_texts *out)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value) || count == 0) {
        return compile_fault_type(c, value, "a list of texts");
    }
    if (count > DECLARED_LIST_MAX) {
        return compile_fault_type(c, value, "at most 64 texts");
    }
    out->items = compile_take(c, count, sizeof(out->items[0]));
    if (out->items == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t mark = compile_enter_at(c, i);

        if (!compile_text(c, json_array_get(value, i), &out->items[i])
            || (names != NULL && !compile_name(c, out->items[i], names)))
        {
            return false;
        }
        compile_leave(c, mark);
    }
    out->count = count;
    return true;
}

bool
compile_template(struct compile *c, const json_t *value,
                 struct declared_template *out)
{
    struct ph_str text;

    if (!json_is_string(value) || json_string_length(value) > DECLARED_TEXT_MAX)
    {
        return compile_fault_type(c, value, "a template of at most 4096 bytes");
    }
    text = ph_str_make(json_string_value(value), json_string_length(value));
    return compile_parse(c, text, out);
}

bool
compile_word(struct compile *c, const json_t *value, const char *const *words,
             int first, int *out)
{
    struct ph_str text = { NULL, 0 };

    if (json_is_string(value)) {
        text = ph_str_make(json_string_value(value), json_string_length(value));
    }
    for (int i = 0; words[i] != NULL; i++) {
        if (text.ptr != NULL && ph_str_eq(ph_str_z(words[i]), text)) {
            *out = first + i;
            return true;
        }
    }
    if (text.len == 0) {
        (void) compile_fault_type(c, value, "");
    } else {
        compile_expected(c, text);
    }
    ph_buf_add(c->why, PH_STR("one of:"));
    for (int i = 0; words[i] != NULL; i++) {
        ph_buf_byte(c->why, ' ');
        ph_buf_add(c->why, ph_str_z(words[i]));
    }
    return false;
}

static bool
number_read(struct compile *c, const json_t *value,
            const struct grammar_member *row, uint32_t *out)
{
    char          memory[64];
    struct ph_buf expected = PH_BUF_INIT(memory);

    if (json_is_integer(value) && json_integer_value(value) >= row->low
        && json_integer_value(value) <= row->high)
    {
        *out = (uint32_t) json_integer_value(value);
        return true;
    }
    ph_buf_add(&expected, PH_STR("a number from "));
    ph_buf_u64(&expected, row->low);
    ph_buf_add(&expected, PH_STR(" to "));
    ph_buf_u64(&expected, row->high);
    return compile_fault_type(c, value, ph_buf_z(&expected));
}

/* ---- objects ---- */

static bool
text_read(struct compile *c, const json_t *value,
          const struct grammar_member *row, struct ph_str *out)
{
    return compile_text(c, value, out)
           && (row->names == NULL || compile_name(c, *out, row->names));
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
object_new(struct compile *c, const json_t *value,
           const struct grammar_kind *kind, void **out)
{
    *out = compile_take(c, 1, kind->size);
    return *out != NULL && compile_object(c, value, kind, *out);
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
value_read(struct compile *c, const json_t *value,
           const struct grammar_member *row, char *at)
{
    void *to = at + row->at;

    switch (row->type) {
    case G_TEXT:
        return text_read(c, value, row, to);
    case G_TEMPLATE:
        return compile_template(c, value, to);
    case G_WORD:
        return compile_word(c, value, row->words, row->first, to);
    case G_NUMBER:
        return number_read(c, value, row, to);
    case G_YES:
        *(bool *) to = json_is_true(value);
        return json_is_boolean(value)
               || compile_fault_type(c, value, "true or false");
    case G_OBJECT:
        return object_new(c, value, row->kind, to);
    case G_INLINE:
        return compile_object(c, value, row->kind, to);
    case G_TEXTS:
        return compile_texts(c, value, row->names, to);
    case G_OWN:
        return row->read(c, value, to);
    case G_INCLUDE:
        break;
    }
    return false;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
member_read(struct compile *c, const json_t *object,
            const struct grammar_member *row, char *at)
{
    const json_t *value = json_object_get(object, row->name);
    uint32_t      base = c->base, where = c->where;
    size_t        mark;

    if (value == NULL && !row->is_required) {
        return true;
    }
    mark = compile_enter(c, row->name);
    if (value == NULL) {
        return compile_fault(c, PH_STR("nothing"), row->about);
    }
    c->base  = row->base != 0 ? row->base : base;
    c->where = c->base | row->more;
    if (row->type == G_OBJECT || row->type == G_INLINE) {
        c->base = c->where; /* its members know as much */
    }
    if (!value_read(c, value, row, at)) {
        return false;
    }
    c->base  = base;
    c->where = where;
    compile_leave(c, mark);
    return true;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
members_read(struct compile *c, const json_t *object,
             const struct grammar_kind *kind, char *at)
{
    for (const struct grammar_member *row = kind->members; row->name != NULL;
         row++) {
        if (!(row->type == G_INCLUDE
                  ? members_read(c, object, row->kind, at + row->at)
                  : member_read(c, object, row, at)))
        {
            return false;
        }
    }
    return true;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
is_member(const struct grammar_kind *kind, const char *name)
{
    for (const struct grammar_member *row = kind->members; row->name != NULL;
         row++) {
        if (row->type == G_INCLUDE ? is_member(row->kind, name)
                                   : strcmp(row->name, name) == 0)
        {
            return true;
        }
    }
    return false;
}

static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
members_list(struct ph_buf *buf, const struct grammar_kind *kind)
{
    for (const struct grammar_member *row = kind->members; row->name != NULL;
         row++) {
        if (row->type == G_INCLUDE) {
            members_list(buf, row->kind);
        } else {
            ph_buf_byte(buf, ' ');
            ph_buf_add(buf, ph_str_z(row->name));
        }
    }
}

bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
compile_object(struct compile *c, const json_t *value,
               const struct grammar_kind *kind, void *at)
{
    if (!json_is_object(value)) {
        return compile_fault_type(c, value, "an object");
    }
    for (void *member = json_object_iter((json_t *) (uintptr_t) value);
         member != NULL;
         member = json_object_iter_next((json_t *) (uintptr_t) value, member))
    {
        const char *name = json_object_iter_key(member);

        if (!is_member(kind, name)) {
            compile_expected(c, ph_str_z(name));
            ph_buf_add(c->why, PH_STR("one of:"));
            members_list(c->why, kind);
            return false;
        }
    }
    if (kind->begin != NULL) {
        kind->begin(c, value, at);
    }
    return members_read(c, value, kind, at)
           && (kind->check == NULL || kind->check(c, at));
}

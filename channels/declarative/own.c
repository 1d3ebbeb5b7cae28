/*
 * own.c - the head of a file: currencies, keys of accounts, methods, deadlines.
 */
#include <stdlib.h>

#include "channels/declarative/compile.h"
#include "libpayhub/base/money.h"

#define DEADLINE_MAX_MS 60000
#define PH_VERSION 1

COMPILE_OWN(version)
{
    (void) at;
    return (json_is_integer(value) && json_integer_value(value) == PH_VERSION)
           || compile_fault_type(c, value, "1, the only version there is");
}

/* a NULL-terminated list for the channel's table */
static bool
list_of(struct compile *c, const struct declared_texts *texts,
        const char *const **out)
{
    const char **list = compile_take(c, texts->count + 1, sizeof(list[0]));

    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < texts->count; i++) {
        list[i] = texts->items[i].ptr; /* they end in a NUL */
    }
    *out = list;
    return true;
}

COMPILE_OWN(currencies)
{
    struct declared_texts texts = { NULL, 0 };

    (void) at;
    if (!compile_texts(c, value, NULL, &texts)) {
        return false;
    }
    for (size_t i = 0; i < texts.count; i++) {
        int    places = ph_currency_exponent(texts.items[i]);
        size_t mark   = compile_enter_at(c, i);

        if (places < 0) {
            return compile_fault(c, texts.items[i], "a code of ISO 4217");
        }
        c->file->places = i == 0 || c->file->places == places ? places : -1;
        if (i != 0 && c->file->places < 0) {
            /* they differ for good, whatever follows */
            compile_leave(c, mark);
            break;
        }
        compile_leave(c, mark);
    }
    return list_of(c, &texts, &c->file->channel.currencies);
}

COMPILE_OWN(wire_fields)
{
    struct declared_texts texts = { NULL, 0 };

    (void) at;
    return compile_texts(c, value, &grammar_names_field, &texts)
           && list_of(c, &texts, &c->file->channel.wire_fields);
}

/* ---- keys of accounts ---- */

/* the words of grammar_kinds, in their order */
static const enum ph_channel_value kinds[]
    = { PH_VALUE_TEXT,        PH_VALUE_URL,        PH_VALUE_YESNO,
        PH_VALUE_PRIVATE_KEY, PH_VALUE_PUBLIC_KEY, PH_VALUE_CERT,
        PH_VALUE_SECRET,      PH_VALUE_BASE64 };

static bool
is_secret(enum ph_channel_value kind)
{
    return kind == PH_VALUE_PRIVATE_KEY || kind == PH_VALUE_SECRET
           || kind == PH_VALUE_BASE64;
}

struct key_text {
    int           kind;
    bool          is_optional;
    bool          is_identity;
    struct ph_str about;
};

static const struct grammar_member key_members[] = {
    { .name        = "kind",
      .type        = G_WORD,
      .is_required = true,
      .at          = offsetof(struct key_text, kind),
      .words       = grammar_kinds,
      .about       = "what its value has to be" },
    { .name  = "optional",
      .type  = G_YES,
      .at    = offsetof(struct key_text, is_optional),
      .about = "an account may be without it" },
    { .name  = "identity",
      .type  = G_YES,
      .at    = offsetof(struct key_text, is_identity),
      .about = "who the account is: with payments of its own it keeps it" },
    { .name  = "about",
      .type  = G_TEXT,
      .at    = offsetof(struct key_text, about),
      .about = "what it is, for who adds an account" },
    { .name = NULL },
};

const struct grammar_kind grammar_key = { .name    = "key",
                                          .size    = sizeof(struct key_text),
                                          .members = key_members };

static bool
key_read(struct compile *c, const char *name, const json_t *value,
         struct ph_channel_field *field, bool *is_identity)
{
    struct key_text key  = { .kind = 0 };
    size_t          mark = compile_enter(c, name);
    struct ph_str   copy = ph_arena_dup(c->arena, ph_str_z(name));

    if (!compile_name(c, ph_str_z(name), &grammar_names_plain)
        || !compile_object(c, value, &grammar_key, &key) || copy.ptr == NULL)
    {
        return compile_fault(c, PH_STR("a file that is too large"),
                             "one that compiles into 256 KiB");
    }
    *field = (struct ph_channel_field){
        .key      = copy.ptr,
        .required = !key.is_optional,
        .kind     = kinds[key.kind],
        .secret   = is_secret(kinds[key.kind]),
        .meaning  = key.about.len != 0 ? key.about.ptr : "a key of the account"
    };
    *is_identity = key.is_identity;
    compile_leave(c, mark);
    return true;
}

COMPILE_OWN(account)
{
    size_t                   count = json_object_size(value);
    struct ph_channel_field *fields;
    const char             **identity;
    size_t                   identities = 0;

    (void) at;
    if (!json_is_object(value) || count == 0) {
        return compile_fault_type(c, value, "an object of keys");
    }
    if (count > PH_CHANNEL_FIELDS_MAX) {
        return compile_fault_type(c, value, "at most 24 keys");
    }
    fields   = compile_take(c, count, sizeof(fields[0]));
    identity = compile_take(c, count + 1, sizeof(identity[0]));
    if (fields == NULL || identity == NULL) {
        return false;
    }
    c->file->channel.fields   = fields;
    c->file->channel.identity = identity;
    EACH_MEMBER(value, member)
    {
        bool is_identity = false;

        if (!key_read(c, json_object_iter_key(member),
                      json_object_iter_value(member), fields, &is_identity))
        {
            return false;
        }
        if (is_identity) {
            identity[identities++] = fields->key;
        }
        fields++;
        c->file->channel.field_count++;
    }
    return true;
}

/* ---- methods ---- */

/* one that a channel of ours has, or that no channel may have */
static bool
is_taken(struct ph_str method)
{
    const struct ph_channel *channel;

    for (size_t i = 0; (channel = ph_channel_at(i)) != NULL; i++) {
        for (size_t k = 0; channel->methods[k] != NULL; k++) {
            if (ph_str_eq(ph_str_z(channel->methods[k]), method)) {
                return true;
            }
        }
    }
    return false;
}

static bool
method_name_check(struct compile *c, struct ph_str method)
{
    struct ph_str name = c->file->name;

    if (!compile_name(c, method, &grammar_names_channel)) {
        return false;
    }
    if (!ph_str_starts(method, name) || method.len < name.len + 2
        || method.ptr[name.len] != '_')
    {
        return compile_fault(c, method,
                             "the channel's name, _ and a word of its own");
    }
    return !is_taken(method)
           || compile_fault(c, method, "a method that no other channel has");
}

/* "must" or "may" */
static bool
extra_read(struct compile *c, const char *method, const char *key,
           const json_t *value, struct ph_channel_extra *out)
{
    static const char *const words[] = { "must", "may", NULL };
    size_t                   mark    = compile_enter(c, key);
    int                      word    = 0;
    struct ph_str            copy    = ph_arena_dup(c->arena, ph_str_z(key));

    if (!compile_name(c, ph_str_z(key), &grammar_names_plain)
        || !compile_word(c, value, words, 0, &word) || copy.ptr == NULL)
    {
        return compile_fault(c, PH_STR("a file that is too large"),
                             "one that compiles into 256 KiB");
    }
    *out = (struct ph_channel_extra){ .key         = copy.ptr,
                                      .methods     = method,
                                      .is_required = word == 0 };
    compile_leave(c, mark);
    return true;
}

static bool
extras_read(struct compile *c, const char *method, const json_t *value,
            struct ph_channel_extra *out, size_t *count)
{
    const json_t *extra = json_object_get(value, "extra");
    size_t        mark;

    if (!json_is_object(value)
        || json_object_size(value) != (extra != NULL ? 1 : 0))
    {
        return compile_fault_type(c, value,
                                  "an object of extra, or of nothing");
    }
    if (extra == NULL) {
        return true;
    }
    mark = compile_enter(c, "extra");
    if (!json_is_object(extra)) {
        return compile_fault_type(c, extra, "an object of keys");
    }
    EACH_MEMBER(extra, member)
    {
        if (*count == DECLARED_LIST_MAX) {
            return compile_fault_type(c, extra, "at most 64 keys in all");
        }
        if (!extra_read(c, method, json_object_iter_key(member),
                        json_object_iter_value(member), &out[(*count)++]))
        {
            return false;
        }
    }
    compile_leave(c, mark);
    return true;
}

COMPILE_OWN(methods)
{
    size_t count = json_object_size(value), i = 0, extras = 0;

    (void) at;
    if (!json_is_object(value) || count == 0 || count > DECLARED_LIST_MAX) {
        return compile_fault_type(c, value, "an object of 1 to 64 methods");
    }
    const char             **list = compile_take(c, count + 1, sizeof(list[0]));
    struct ph_channel_extra *extra
        = compile_take(c, DECLARED_LIST_MAX, sizeof(extra[0]));

    if (list == NULL || extra == NULL) {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        const char   *name = json_object_iter_key(member);
        size_t        mark = compile_enter(c, name);
        struct ph_str copy = ph_arena_dup(c->arena, ph_str_z(name));

        if (!method_name_check(c, ph_str_z(name)) || copy.ptr == NULL
            || !extras_read(c, copy.ptr, json_object_iter_value(member), extra,
                            &extras))
        {
            return compile_fault(c, PH_STR("a file that is too large"),
                                 "one that compiles into 256 KiB");
        }
        list[i++] = copy.ptr;
        compile_leave(c, mark);
    }
    c->file->channel.methods     = list;
    c->file->channel.extra       = extra;
    c->file->channel.extra_count = extras;
    return true;
}

/* ---- deadlines ---- */

static int
op_find(const char *name)
{
    for (int op = 1; op < PH_OP_COUNT && grammar_ops[op] != NULL; op++) {
        if (strcmp(grammar_ops[op], name) == 0) {
            return op;
        }
    }
    return 0;
}

COMPILE_OWN(deadline)
{
    (void) at;
    if (!json_is_object(value)) {
        return compile_fault_type(c, value, "an object of operations");
    }
    EACH_MEMBER(value, member)
    {
        const char   *name = json_object_iter_key(member);
        const json_t *ms   = json_object_iter_value(member);
        size_t        mark = compile_enter(c, name);
        int           op   = op_find(name);

        if (op == 0) {
            return compile_fault(c, ph_str_z(name), "an operation's name");
        }
        if (!json_is_integer(ms) || json_integer_value(ms) < 100
            || json_integer_value(ms) > DEADLINE_MAX_MS)
        {
            return compile_fault_type(c, ms, "100 to 60000 milliseconds");
        }
        c->file->channel.deadline_ms[op] = (uint32_t) json_integer_value(ms);
        compile_leave(c, mark);
    }
    return true;
}

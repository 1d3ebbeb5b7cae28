/*
 * schema.c - the JSON schema of channel files, made from the tables that the
 * compiler walks.  What it takes, the compiler takes or names a reference that
 * leads nowhere; what it refuses, the compiler refuses.
 */
#include "channels/codes.h"
#include "channels/declarative/compile.h"

#define DEPTH_MAX 8

static void
add(struct ph_buf *buf, const char *text)
{
    ph_buf_add(buf, ph_str_z(text));
}

static void
key_add(struct ph_buf *buf, const char *name, const char *comma)
{
    add(buf, comma);
    ph_buf_json(buf, ph_str_z(name));
    add(buf, ": ");
}

static void
words_add(struct ph_buf *buf, const char *const *words)
{
    add(buf, "{\"enum\": [");
    for (size_t i = 0; words[i] != NULL; i++) {
        add(buf, i != 0 ? ", " : "");
        ph_buf_json(buf, ph_str_z(words[i]));
    }
    add(buf, "]");
}

static void
pattern_add(struct ph_buf *buf, const char *pattern)
{
    add(buf, "{\"type\": \"string\", \"pattern\": ");
    ph_buf_json(buf, ph_str_z(pattern));
}

static void object_add(struct ph_buf *buf, const struct grammar_kind *kind);

/* the value, less its closing brace, so that its meaning may follow */
static void
value_add(struct ph_buf *buf, const struct grammar_member *row)
{
    switch (row->type) {
    case G_TEXT:
        if (row->schema != NULL) {
            ph_buf_add(buf, ph_str_make(row->schema, strlen(row->schema) - 1));
        } else if (row->names != NULL) {
            pattern_add(buf, row->names->pattern);
        } else {
            add(buf, "{\"type\": \"string\", \"maxLength\": 4096");
        }
        break;
    case G_TEMPLATE:
        add(buf, "{\"$ref\": \"#/$defs/template\"");
        break;
    case G_WORD:
        words_add(buf, row->words);
        break;
    case G_NUMBER:
        add(buf, "{\"type\": \"integer\", \"minimum\": ");
        ph_buf_u64(buf, row->low);
        add(buf, ", \"maximum\": ");
        ph_buf_u64(buf, row->high);
        break;
    case G_YES:
        add(buf, "{\"type\": \"boolean\"");
        break;
    case G_TEXTS:
        add(buf, "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 64, "
                 "\"items\": {\"type\": \"string\", \"maxLength\": 4096}");
        break;
    case G_OBJECT:
    case G_INLINE:
        add(buf, "{\"$ref\": \"#/$defs/");
        add(buf, row->kind->name);
        add(buf, "\"");
        break;
    case G_OWN:
        ph_buf_add(buf, ph_str_make(row->schema, strlen(row->schema) - 1));
        break;
    case G_INCLUDE:
        break;
    }
}

static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
members_add(struct ph_buf *buf, const struct grammar_kind *kind,
            const char **comma)
{
    for (const struct grammar_member *row = kind->members; row->name != NULL;
         row++) {
        if (row->type == G_INCLUDE) {
            members_add(buf, row->kind, comma);
            continue;
        }
        key_add(buf, row->name, *comma);
        value_add(buf, row);
        add(buf, ", \"description\": ");
        ph_buf_json(buf, ph_str_z(row->about));
        add(buf, "}");
        *comma = ",\n      ";
    }
}

static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
required_add(struct ph_buf *buf, const struct grammar_kind *kind,
             const char **comma)
{
    for (const struct grammar_member *row = kind->members; row->name != NULL;
         row++) {
        if (row->type == G_INCLUDE) {
            required_add(buf, row->kind, comma);
        } else if (row->is_required) {
            add(buf, *comma);
            ph_buf_json(buf, ph_str_z(row->name));
            *comma = ", ";
        }
    }
}

static void
object_add(struct ph_buf *buf, const struct grammar_kind *kind)
{
    const char *comma = "";

    add(buf, "{\"type\": \"object\", \"additionalProperties\": false,\n"
             "    \"required\": [");
    required_add(buf, kind, &comma);
    add(buf, "],\n    \"properties\": {\n      ");
    comma = "";
    members_add(buf, kind, &comma);
    add(buf, "}}");
}

/* ---- definitions by name ---- */

struct seen {
    const struct grammar_kind *kinds[32];
    size_t                     count;
};

static void
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables of grammar.c */
kinds_find(struct seen *seen, const struct grammar_kind *kind, unsigned depth)
{
    for (const struct grammar_member *row = kind->members;
         row->name != NULL && depth < DEPTH_MAX; row++)
    {
        bool is_new = row->kind != NULL && row->type != G_INCLUDE;

        for (size_t i = 0; is_new && i < seen->count; i++) {
            is_new = seen->kinds[i] != row->kind;
        }
        if (is_new && seen->count < PH_COUNT(seen->kinds)) {
            seen->kinds[seen->count++] = row->kind;
        }
        if (row->kind != NULL) {
            kinds_find(seen, row->kind, depth + 1);
        }
    }
}

/* what may stand behind a filter's name */
static const char *
arg_pattern(enum declared_arg arg)
{
    switch (arg) {
    case ARG_COUNT:
        return ":(0|[1-9][0-9]{0,3})";
    case ARG_TEXT:
        return ":[^{}|]*";
    case ARG_PLACES:
        return "(:[0-4])?";
    case ARG_TIME:
        return ":(unix|ms|(compact|plain|rfc3339)([+-](0|[1-9]|1[0-4]))?)";
    case ARG_SECRET:
    case ARG_PRIVATE:
    case ARG_PUBLIC:
        return ":account\\.[a-z][a-z0-9_]*";
    case ARG_SOURCE:
        return ":[^{}|:]+";
    case ARG_GCM:
        return ":account\\.[a-z][a-z0-9_]*:[^{}|:]+:[^{}|:]+";
    case ARG_NONE:
        break;
    }
    return "";
}

static void
filters_pattern(struct ph_buf *buf)
{
    ph_buf_byte(buf, '(');
    for (size_t i = 0; i < declared_filter_count; i++) {
        add(buf, i != 0 ? "|" : "");
        add(buf, declared_filters[i].name);
        add(buf, arg_pattern(declared_filters[i].arg));
    }
    ph_buf_byte(buf, ')');
}

static void
sources_pattern(struct ph_buf *buf)
{
    static const struct {
        const char *text;
        bool        has_rest;
    } rows[] = {
#define SOURCE(id, text, rest, bit, about) { (text), (rest) },
#include "channels/declarative/sources.def"
#undef SOURCE
    };

    ph_buf_byte(buf, '(');
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        add(buf, i != 0 ? "|" : "");
        for (const char *at = rows[i].text; *at != '\0'; at++) {
            add(buf, *at == '.' ? "\\" : "");
            ph_buf_byte(buf, *at);
        }
        add(buf, rows[i].has_rest ? "[^{}|:]+" : "");
    }
    ph_buf_byte(buf, ')');
}

static void
template_add(struct ph_buf *buf)
{
    char          memory[4096];
    struct ph_buf pattern = PH_BUF_INIT(memory);

    add(&pattern, "^([^{}]|\\{\\{|\\}\\}|\\{");
    sources_pattern(&pattern);
    add(&pattern, "(\\|");
    filters_pattern(&pattern);
    add(&pattern, "){0,8}\\})*$");
    if (pattern.full) {
        buf->full = true;
    }
    add(buf, "    \"template\": ");
    pattern_add(buf, ph_buf_z(&pattern));
    add(buf, ", \"maxLength\": 4096},\n");
    ph_buf_init(&pattern, memory, sizeof(memory));
    ph_buf_byte(&pattern, '^');
    filters_pattern(&pattern);
    ph_buf_byte(&pattern, '$');
    add(buf, "    \"filter\": ");
    pattern_add(buf, ph_buf_z(&pattern));
    add(buf, "},\n");
}

static void
classes_add(struct ph_buf *buf)
{
    const char *meaning = NULL, *word;

    add(buf, "    \"class\": ");
    words_add(buf, grammar_classes);
    add(buf, "},\n    \"state_class\": {\"allOf\": [{\"$ref\": "
             "\"#/$defs/class\"}, {\"not\": {\"const\": \"not_sent\"}}]");
    add(buf, "},\n    \"op\": ");
    words_add(buf, grammar_ops + 1);
    add(buf, "},\n    \"error_class\": {\"enum\": [");
    for (size_t i = 0; (word = ph_error_class_at(i, &meaning)) != NULL; i++) {
        add(buf, i != 0 ? ", " : "");
        ph_buf_json(buf, ph_str_z(word));
    }
    add(buf, "]},\n"
             "    \"code_row\": {\"type\": \"array\", \"minItems\": 2, "
             "\"maxItems\": 3, \"prefixItems\": [\n"
             "      {\"allOf\": [{\"$ref\": \"#/$defs/class\"}, {\"not\": "
             "{\"const\": \"succeeded\"}}]},\n"
             "      {\"$ref\": \"#/$defs/error_class\"},\n"
             "      {\"type\": \"array\", \"minItems\": 1, \"items\": "
             "{\"$ref\": \"#/$defs/op\"}}]},\n");
}

static void
plain_add(struct ph_buf *buf)
{
    add(buf, "    \"name\": ");
    pattern_add(buf, grammar_names_plain.pattern);
    add(buf, "},\n    \"header\": ");
    pattern_add(buf, grammar_names_header.pattern);
    add(buf, "},\n    \"field\": ");
    pattern_add(buf, grammar_names_field.pattern);
    add(buf, "},\n"
             "    \"fields\": {\"type\": \"object\", \"minProperties\": 1, "
             "\"maxProperties\": 128,\n"
             "      \"propertyNames\": {\"$ref\": \"#/$defs/field\"},\n"
             "      \"additionalProperties\": {\"anyOf\": ["
             "{\"$ref\": \"#/$defs/template\"}, {\"type\": \"integer\"}, "
             "{\"type\": \"boolean\"}, {\"$ref\": \"#/$defs/fields\"}]}},\n"
             "    \"method\": {\"type\": \"object\", "
             "\"additionalProperties\": false, \"properties\": {\n"
             "      \"extra\": {\"type\": \"object\", \"propertyNames\": "
             "{\"$ref\": \"#/$defs/name\"}, \"additionalProperties\": "
             "{\"enum\": [\"must\", \"may\"]}}}},\n"
             "    \"operation\": {\"type\": \"object\", \"minProperties\": 1, "
             "\"maxProperties\": 64,\n"
             "      \"propertyNames\": {\"type\": \"string\", \"pattern\": "
             "\"^([*]|[a-z][a-z0-9_]{1,31})$\"},\n"
             "      \"additionalProperties\": {\"$ref\": "
             "\"#/$defs/request\"}},\n");
}

/* a member of the general answer is taken away by null */
static void
own_answer_add(struct ph_buf *buf)
{
    static const char *const names[]
        = { "number",  "trade_no", "amount", "currency", "seller", "app",
            "paid_at", "message",  "code",   "error",    "action" };

    add(buf, "    \"own_answer\": {\"type\": \"object\", \"properties\": {\n"
             "      ");
    for (size_t i = 0; i < PH_COUNT(names); i++) {
        key_add(buf, names[i], i != 0 ? ",\n      " : "");
        add(buf, "{\"anyOf\": [{\"type\": \"null\"}, {\"$ref\": "
                 "\"#/$defs/told/properties/");
        add(buf, names[i]);
        add(buf, "\"}]}");
    }
    add(buf, ",\n      \"status\": {\"$ref\": \"#/$defs/told/properties/status"
             "\"},\n      \"refund\": {\"$ref\": "
             "\"#/$defs/told/properties/refund\"}},\n"
             "      \"additionalProperties\": false}");
}

void
ph_declared_schema(struct ph_buf *buf)
{
    struct seen seen = { .count = 0 };

    seen.kinds[seen.count++] = &grammar_told;
    seen.kinds[seen.count++] = &grammar_request;
    seen.kinds[seen.count++] = &grammar_sign;
    seen.kinds[seen.count++] = &grammar_verify;
    seen.kinds[seen.count++] = &grammar_key;
    seen.kinds[seen.count++] = &grammar_sign_use;
    for (size_t i = 0; i < 6; i++) {
        kinds_find(&seen, seen.kinds[i], 0);
    }
    kinds_find(&seen, &grammar_file, 0);
    add(buf, "{\n  \"$schema\": "
             "\"https://json-schema.org/draft/2020-12/schema\",\n"
             "  \"title\": \"A payhub channel\",\n"
             "  \"$comment\": \"Made by make docs from "
             "channels/declarative; do not edit.\",\n"
             "  \"allOf\": [");
    object_add(buf, &grammar_file);
    add(buf, "],\n  \"$defs\": {\n");
    template_add(buf);
    classes_add(buf);
    plain_add(buf);
    own_answer_add(buf);
    for (size_t i = 0; i < seen.count; i++) {
        key_add(buf, seen.kinds[i]->name, ",\n    ");
        object_add(buf, seen.kinds[i]);
    }
    add(buf, "\n  }\n}\n");
}

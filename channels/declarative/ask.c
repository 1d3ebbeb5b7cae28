/*
 * ask.c - recipes, fields, requests: what of a file is no plain member.
 */
#include "channels/declarative/compile.h"

/* ---- recipes ---- */

COMPILE_OWN(then)
{
    struct declared_sign *sign  = (struct declared_sign *) at;
    size_t                count = json_array_size(value);

    if (!json_is_array(value) || count == 0 || count > DECLARED_FILTERS_MAX) {
        return compile_fault_type(c, value, "a list of 1 to 8 filters");
    }
    sign->then = compile_take(c, count, sizeof(sign->then[0]));
    if (sign->then == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        size_t        mark = compile_enter_at(c, i);

        if (!json_is_string(item)) {
            return compile_fault_type(c, item, "a filter");
        }
        if (!compile_filter(
                c,
                ph_str_make(json_string_value(item), json_string_length(item)),
                &sign->then[i], &sign->uses))
        {
            return false;
        }
        compile_leave(c, mark);
    }
    sign->then_count = count;
    return true;
}

COMPILE_OWN(signs)
{
    struct declared_sign *sign;

    (void) at;
    if (!compile_map(c, value, DECLARED_LIST_MAX, "an object of recipes")) {
        return false;
    }
    sign = compile_take(c, json_object_size(value), sizeof(sign[0]));
    if (sign == NULL) {
        return false;
    }
    c->file->signs = sign;
    EACH_MEMBER(value, member)
    {
        const char *key  = json_object_iter_key(member);
        size_t      mark = compile_enter(c, key);

        if (!compile_key_keep(c, key, &grammar_names_plain, &sign->name)
            || !compile_object(c, json_object_iter_value(member), &grammar_sign,
                               sign))
        {
            return false;
        }
        sign++;
        c->file->sign_count++;
        compile_leave(c, mark);
    }
    return true;
}

/* ---- lets ---- */

COMPILE_OWN(lets)
{
    struct declared_lets *lets  = at;
    size_t                count = json_array_size(value);

    if (!json_is_array(value) || count > DECLARED_LETS_MAX) {
        return compile_fault_type(c, value, "a list of at most 64 pairs");
    }
    lets->items = compile_take(c, count, sizeof(lets->items[0]));
    if (lets->items == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t        *pair = json_array_get(value, i);
        struct declared_let *let  = &lets->items[i];
        size_t               mark = compile_enter_at(c, i);

        if (!json_is_array(pair) || json_array_size(pair) != 2) {
            return compile_fault_type(c, pair, "[name, template]");
        }
        if (!compile_text(c, json_array_get(pair, 0), &let->name)
            || !compile_name(c, let->name, &grammar_names_plain)
            || !compile_template(c, json_array_get(pair, 1), &let->value))
        {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (ph_str_eq(lets->items[k].name, let->name)) {
                return compile_fault(c, let->name, "a name that is new");
            }
        }
        lets->count = i + 1; /* the next one may name it */
        compile_leave(c, mark);
    }
    return true;
}

/* ---- fields, headers, bodies ---- */

static bool
exact_read(struct compile *c, const json_t *value, struct ph_str *out)
{
    char          memory[24];
    struct ph_buf buf = PH_BUF_INIT(memory);

    if (json_is_boolean(value)) {
        *out = json_is_true(value) ? PH_STR("true") : PH_STR("false");
        return true;
    }
    if (!json_is_integer(value)) {
        return compile_fault_type(
            c, value, "a template, a whole number, true, false or fields");
    }
    ph_buf_i64(&buf, json_integer_value(value));
    *out = ph_arena_dup(c->arena, ph_buf_str(&buf));
    return true;
}

static bool fields_read(struct compile *c, const json_t *value, unsigned nest,
                        struct declared_fields *out);

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as fields nest, 8 */
field_read(struct compile *c, const char *name, const json_t *value,
           unsigned nest, struct declared_field *field)
{
    struct declared_fields children = { NULL, 0 };
    size_t                 mark     = compile_enter(c, name);

    if (!compile_key_keep(c, name, &grammar_names_field, &field->name)) {
        return false;
    }
    if (++c->fields > DECLARED_FIELDS_MAX) {
        return compile_fault_type(c, value, "at most 128 fields in a message");
    }
    if (json_is_string(value)) {
        if (!compile_template(c, value, &field->value)) {
            return false;
        }
    } else if (!json_is_object(value)) {
        if (!exact_read(c, value, &field->exact)) {
            return false;
        }
    } else if (!fields_read(c, value, nest + 1, &children)) {
        return false;
    }
    field->children = children.items;
    field->count    = children.count;
    compile_leave(c, mark);
    return true;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as fields nest, 8 */
fields_read(struct compile *c, const json_t *value, unsigned nest,
            struct declared_fields *out)
{
    if (!compile_map(c, value, DECLARED_FIELDS_MAX,
                     "an object of 1 to 128 fields")) {
        return false;
    }
    if (nest > DECLARED_NEST_MAX) {
        return compile_fault_type(c, value, "fields at most 8 deep");
    }
    out->items
        = compile_take(c, json_object_size(value), sizeof(out->items[0]));
    if (out->items == NULL) {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        if (!field_read(c, json_object_iter_key(member),
                        json_object_iter_value(member), nest,
                        &out->items[out->count++]))
        {
            return false;
        }
    }
    return true;
}

COMPILE_OWN(fields)
{
    c->fields = 0;
    return fields_read(c, value, 1, at);
}

COMPILE_OWN(headers)
{
    struct declared_request *request = at;

    /* two are left for the type of the body and for a signature */
    if (!compile_map(c, value, PH_CHANNEL_HEADERS_MAX - 2,
                     "an object of 1 to 14 headers"))
    {
        return false;
    }
    request->headers
        = compile_take(c, json_object_size(value), sizeof(request->headers[0]));
    if (request->headers == NULL) {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        struct declared_header *header
            = &request->headers[request->header_count++];
        const char *name = json_object_iter_key(member);
        size_t      mark = compile_enter(c, name);

        if (!compile_key_keep(c, name, &grammar_names_header, &header->name)
            || !compile_template(c, json_object_iter_value(member),
                                 &header->value))
        {
            return false;
        }
        compile_leave(c, mark);
    }
    return true;
}

COMPILE_OWN(body)
{
    static const char *const words[] = { "form", "json", "xml", NULL };
    struct declared_request *request = at;

    if (json_is_string(value) && strchr(json_string_value(value), '{') != NULL)
    {
        request->form = FORM_TEMPLATE;
        return compile_template(c, value, &request->body);
    }
    return compile_word(c, value, words, FORM_FORM, &request->form);
}

/* ---- who signs a request ---- */

struct sign_text {
    struct ph_str as, of;
};

static const struct grammar_member sign_use_members[] = {
    { .name        = "as",
      .type        = G_TEXT,
      .is_required = true,
      .at          = offsetof(struct sign_text, as),
      .schema      = "{\"type\":\"string\",\"pattern\":\"^(field [A-Za-z_]"
                     "[A-Za-z0-9_.\\\\[\\\\]-]{0,63}|header [A-Za-z][A-Za-z0-9-]"
                     "{0,63})$\"}",
      .about       = "field NAME, or header NAME" },
    { .name        = "of",
      .type        = G_TEXT,
      .is_required = true,
      .at          = offsetof(struct sign_text, of),
      .about       = "the name of a recipe in sign" },
    { .name = NULL },
};

const struct grammar_kind grammar_sign_use = { .name = "sign_use",
                                               .size = sizeof(struct sign_text),
                                               .members = sign_use_members };

COMPILE_OWN(sign_use)
{
    struct declared_request *request = at;
    struct sign_text         text    = { { NULL, 0 }, { NULL, 0 } };
    struct ph_str            kind    = { NULL, 0 };
    size_t                   index, mark;
    uint32_t                 where;

    if (!compile_object(c, value, &grammar_sign_use, &text)) {
        return false;
    }
    mark = compile_enter(c, "as");
    if (!ph_str_cut(text.as, ' ', &kind, &request->sign_name)
        || (!ph_str_eq(kind, PH_STR("field"))
            && !ph_str_eq(kind, PH_STR("header"))))
    {
        return compile_fault(c, text.as, "field NAME, or header NAME");
    }
    request->sign_is_header = ph_str_eq(kind, PH_STR("header"));
    if (!compile_name(c, request->sign_name,
                      request->sign_is_header ? &grammar_names_header
                                              : &grammar_names_field))
    {
        return false;
    }
    compile_leave(c, mark);
    where = c->where | ON_BODY | ON_FIELDS
            | (request->sign_is_header ? (uint32_t) ON_TARGET : 0);
    mark = compile_enter(c, "of");
    if (!compile_sign_find(c, text.of, where, &index)) {
        return false;
    }
    request->sign = &c->file->signs[index];
    compile_leave(c, mark);
    return true;
}

/* ---- operations ---- */

static bool
method_is_ours(const struct compile *c, const char *name)
{
    for (size_t i = 0; c->file->channel.methods[i] != NULL; i++) {
        if (strcmp(c->file->channel.methods[i], name) == 0) {
            return true;
        }
    }
    return strcmp(name, "*") == 0;
}

COMPILE_OWN(op)
{
    struct declared_op *op = at;

    c->op = (enum ph_channel_op)(op - c->file->ops);
    if (!compile_map(c, value, DECLARED_LIST_MAX,
                     "an object of methods, or of *, which is all others"))
    {
        return false;
    }
    op->items = compile_take(c, json_object_size(value), sizeof(op->items[0]));
    if (op->items == NULL) {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        struct declared_request *request = &op->items[op->count++];
        const char              *name    = json_object_iter_key(member);
        size_t                   mark    = compile_enter(c, name);

        if (!method_is_ours(c, name)) {
            return compile_fault(c, ph_str_z(name), "a method above, or *");
        }
        if (!compile_key_keep(c, name, NULL, &request->method)
            || !compile_object(c, json_object_iter_value(member),
                               &grammar_request, request))
        {
            return false;
        }
        compile_leave(c, mark);
    }
    return true;
}

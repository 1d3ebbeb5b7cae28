/*
 * pick.c - see pick.h.  A document is a tree of jansson's.
 */
#include "channels/pick.h"

#include "channels/pick_int.h"
#include "libpayhub/wire/form.h"
#include "libpayhub/wire/json_member.h"

/* ---- reading ---- */

/* Commas and brackets outside of texts: no fewer than there are values behind
 * the first.  A parser takes its time for each, whatever it is. */
static bool
has_few_values(struct ph_str text)
{
    size_t count   = 0;
    bool   in_text = false;

    for (size_t i = 0; i < text.len && count < PH_DOC_VALUES_MAX; i++) {
        char ch = text.ptr[i];

        if (in_text) {
            i += ch == '\\';
            in_text = ch != '"';
        } else if (ch == '"') {
            in_text = true;
        } else if (ch == ',' || ch == '{' || ch == '[') {
            count++;
        }
    }
    return count < PH_DOC_VALUES_MAX;
}

enum ph_rc
ph_doc_json(struct ph_doc **out, struct ph_str body)
{
    json_t      *root;
    json_error_t error;
    enum ph_rc   rc;

    *out = NULL;
    if (body.len > PH_CHANNEL_JSON_MAX || !has_few_values(body)) {
        return PH_E_RANGE;
    }
    rc = ph_json_depth(body, PH_CHANNEL_DEPTH_MAX);
    if (rc != PH_OK) {
        return rc == PH_E_RANGE ? PH_E_RANGE : PH_E_SYNTAX;
    }
    root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return PH_E_SYNTAX;
    }
    *out = ph_doc_of(root);
    return PH_OK;
}

static json_t *
pairs_tree(const struct ph_pair *pairs, size_t count)
{
    json_t *root = json_object();

    for (size_t i = 0; root != NULL && i < count; i++) {
        json_t *text = json_stringn(pairs[i].value.ptr, pairs[i].value.len);

        if (text == NULL
            || json_object_setn_new(root, pairs[i].name.ptr, pairs[i].name.len,
                                    text)
                   != 0)
        {
            json_decref(root);
            return NULL; /* not UTF-8, or no memory */
        }
    }
    return root;
}

enum ph_rc
ph_doc_form(struct ph_doc **out, struct ph_str body, struct ph_arena *room)
{
    struct ph_pair *pairs;
    size_t          count;
    enum ph_rc      rc;

    *out = NULL;
    if (body.len > PH_CHANNEL_JSON_MAX) {
        return PH_E_RANGE;
    }
    pairs = ph_arena_take(room, PH_FORM_PAIRS_MAX * sizeof(*pairs));
    if (pairs == NULL) {
        return PH_E_FULL;
    }
    rc = ph_form_decode(body, room, pairs, PH_FORM_PAIRS_MAX, &count);
    if (rc != PH_OK) {
        return room->full ? PH_E_FULL : PH_E_SYNTAX;
    }
    *out = ph_doc_of(pairs_tree(pairs, count));
    return *out != NULL ? PH_OK : PH_E_SYNTAX;
}

void
ph_doc_free(struct ph_doc *doc)
{
    json_decref((json_t *) doc);
}

/* ---- picking ---- */

static const json_t *
member_of(const json_t *from, struct ph_str name)
{
    uint64_t index;

    if (json_is_object(from)) {
        return json_object_getn(from, name.ptr, name.len);
    }
    if (json_is_array(from) && ph_str_u64(name, PH_CHANNEL_JSON_MAX, &index)) {
        return json_array_get(from, (size_t) index);
    }
    return NULL;
}

/* NULL when it is not there, or null */
static const json_t *
value_at(const struct ph_doc *doc, const char *path)
{
    const json_t *value = ph_doc_root(doc);
    struct ph_str rest  = ph_str_z(path);
    struct ph_str name;

    if (rest.len == 0) {
        return value;
    }
    while (value != NULL && ph_str_next(&rest, '.', &name)) {
        value = member_of(value, name);
    }
    return json_is_null(value) ? NULL : value;
}

static enum ph_rc
text_copy(const json_t *text, struct ph_arena *arena, struct ph_str *out)
{
    *out = ph_arena_dup(
        arena, ph_str_make(json_string_value(text), json_string_length(text)));
    return out->ptr != NULL ? PH_OK : PH_E_FULL;
}

enum ph_rc
ph_doc_text(const struct ph_doc *doc, const char *path, struct ph_arena *arena,
            struct ph_str *out)
{
    const json_t *value = value_at(doc, path);

    *out = ph_str_make(NULL, 0);
    if (value == NULL) {
        return PH_E_MISSING;
    }
    return json_is_string(value) ? text_copy(value, arena, out) : PH_E_SYNTAX;
}

enum ph_rc
ph_doc_int(const struct ph_doc *doc, const char *path, int64_t *out)
{
    const json_t *value = value_at(doc, path);

    if (value == NULL) {
        return PH_E_MISSING;
    }
    if (!json_is_integer(value)) {
        return PH_E_SYNTAX;
    }
    *out = json_integer_value(value);
    return PH_OK;
}

enum ph_rc
ph_doc_bool(const struct ph_doc *doc, const char *path, bool *out)
{
    const json_t *value = value_at(doc, path);

    if (value == NULL) {
        return PH_E_MISSING;
    }
    if (!json_is_boolean(value)) {
        return PH_E_SYNTAX;
    }
    *out = json_is_true(value);
    return PH_OK;
}

const struct ph_doc *
ph_doc_at(const struct ph_doc *doc, const char *path)
{
    const json_t *value = value_at(doc, path);

    return json_is_object(value) || json_is_array(value)
               ? (const struct ph_doc *) value
               : NULL;
}

size_t
ph_doc_size(const struct ph_doc *doc, const char *path)
{
    const json_t *value = value_at(doc, path);

    return json_is_array(value) ? json_array_size(value)
                                : json_object_size(value); /* 0 for others */
}

/* ---- extra ---- */

static struct ph_str
plain_text(const json_t *value, struct ph_arena *arena)
{
    struct ph_str text = { NULL, 0 };
    struct ph_buf buf;

    if (json_is_string(value)) {
        (void) text_copy(value, arena, &text);
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? PH_STR("true") : PH_STR("false");
    } else if (json_is_integer(value)) {
        ph_arena_open(arena, &buf);
        ph_buf_i64(&buf, json_integer_value(value));
        text = ph_arena_close(arena, &buf);
    }
    return text;
}

struct ph_str
ph_channel_extra_text(const struct ph_channel_order *order, const char *key,
                      struct ph_arena *arena)
{
    struct ph_doc *doc;
    struct ph_str  text;

    if (order->extra.len == 0 || ph_doc_json(&doc, order->extra) != PH_OK) {
        return ph_str_make(NULL, 0);
    }
    text = plain_text(json_object_get(ph_doc_root(doc), key), arena);
    ph_doc_free(doc);
    return text;
}

/*
 * message.c - requests: address, fields in their form, signature, headers; and
 * what the payer is handed.
 *
 * A field without a value is not sent, a set of fields without one neither.
 */
#include "channels/declarative/filter.h"
#include "channels/html.h"
#include "libpayhub/wire/form.h"

#define URL_MAX 4096

/* All values of a message, in the order of the file, before they are written:
 * what writes holds the rest of the arena. */
struct values {
    struct ph_str text[DECLARED_FIELDS_MAX];
    size_t        made;
    size_t        used;
};

struct added { /* the signature, as a last field */
    struct ph_str name, value;
};

static bool
text_is_sendable(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char ch = (unsigned char) text.ptr[i];

        if (ch < 0x20 && ch != '\t' && ch != '\n' && ch != '\r') {
            return false;
        }
    }
    return text.len == 0 || ph_str_utf8_count(text) != SIZE_MAX;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as fields nest, 8 */
values_make(struct declared_run *run, const struct declared_field *items,
            size_t count, struct values *values)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].count != 0) {
            if (!values_make(run, items[i].children, items[i].count, values)) {
                return false;
            }
            continue;
        }
        struct ph_str *value = &values->text[values->made++];

        *value = items[i].exact;
        if (items[i].exact.len == 0
            && !declared_text(run, &items[i].value, value)) {
            return false;
        }
        if (!text_is_sendable(*value)) {
            return declared_fault(run, FAULT_VALUE);
        }
    }
    return true;
}

/* ---- the three forms ---- */

static void
json_name_add(struct ph_buf *buf, struct ph_str name, bool *is_first)
{
    ph_buf_add(buf, *is_first ? PH_STR("") : PH_STR(","));
    *is_first = false;
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
}

/* false: none of them has a value */
static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as fields nest, 8 */
json_add(struct ph_buf *buf, const struct declared_field *items, size_t count,
         struct values *values, const struct added *added)
{
    bool is_first = true;

    ph_buf_byte(buf, '{');
    for (size_t i = 0; i < count; i++) {
        size_t mark      = buf->len;
        bool   was_first = is_first;

        if (items[i].count != 0) {
            json_name_add(buf, items[i].name, &is_first);
            if (!json_add(buf, items[i].children, items[i].count, values, NULL))
            {
                is_first = was_first;
                buf->len = mark; /* `full` stays */
            }
            continue;
        }
        struct ph_str value = values->text[values->used++];

        if (value.len == 0) {
            continue;
        }
        json_name_add(buf, items[i].name, &is_first);
        if (items[i].exact.len != 0 || items[i].value.is_number) {
            ph_buf_add(buf, value);
        } else {
            ph_buf_json(buf, value);
        }
    }
    if (added != NULL) {
        json_name_add(buf, added->name, &is_first);
        ph_buf_json(buf, added->value);
    }
    ph_buf_byte(buf, '}');
    return !is_first;
}

static void
tag_add(struct ph_buf *buf, struct ph_str name, bool is_end)
{
    ph_buf_add(buf, is_end ? PH_STR("</") : PH_STR("<"));
    ph_buf_add(buf, name);
    ph_buf_byte(buf, '>');
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): as deep as fields nest, 8 */
xml_add(struct ph_buf *buf, struct ph_str root,
        const struct declared_field *items, size_t count, struct values *values,
        const struct added *added)
{
    bool has_any = added != NULL;

    tag_add(buf, root, false);
    for (size_t i = 0; i < count; i++) {
        size_t mark = buf->len;

        if (items[i].count != 0) {
            if (xml_add(buf, items[i].name, items[i].children, items[i].count,
                        values, NULL))
            {
                has_any = true;
            } else {
                buf->len = mark;
            }
            continue;
        }
        struct ph_str value = values->text[values->used++];

        if (value.len != 0) {
            has_any = true;
            tag_add(buf, items[i].name, false);
            declared_escape(buf, value, false);
            tag_add(buf, items[i].name, true);
        }
    }
    if (added != NULL) {
        tag_add(buf, added->name, false);
        declared_escape(buf, added->value, false);
        tag_add(buf, added->name, true);
    }
    tag_add(buf, root, true);
    return has_any;
}

static void
form_pair_add(struct ph_buf *buf, struct ph_str name, struct ph_str value,
              enum ph_url_space space, bool *is_first)
{
    ph_buf_add(buf, *is_first ? PH_STR("") : PH_STR("&"));
    *is_first = false;
    ph_url_encode(buf, name, space);
    ph_buf_byte(buf, '=');
    ph_url_encode(buf, value, space);
}

static void
form_add(struct ph_buf *buf, const struct declared_fields *fields,
         struct values *values, enum ph_url_space space,
         const struct added *added)
{
    bool is_first = true;

    for (size_t i = 0; i < fields->count; i++) {
        struct ph_str value = values->text[values->used++];

        if (value.len != 0) {
            form_pair_add(buf, fields->items[i].name, value, space, &is_first);
        }
    }
    if (added != NULL) {
        form_pair_add(buf, added->name, added->value, space, &is_first);
    }
}

struct encoding {
    int               form;
    enum ph_url_space space;
    struct ph_str     root;
};

static bool
fields_encode(struct declared_run *run, const struct declared_fields *fields,
              const struct encoding *how, const struct added *added,
              struct ph_str *out)
{
    struct values *values = ph_arena_take(run->arena, sizeof(*values));
    struct ph_buf  buf;

    if (values == NULL) {
        return declared_fault(run, FAULT_ROOM);
    }
    if (!values_make(run, fields->items, fields->count, values)) {
        return false;
    }
    ph_arena_open(run->arena, &buf);
    if (how->form == FORM_JSON) {
        (void) json_add(&buf, fields->items, fields->count, values, added);
    } else if (how->form == FORM_XML) {
        ph_buf_add(&buf, PH_STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
        (void) xml_add(&buf, how->root, fields->items, fields->count, values,
                       added);
    } else {
        form_add(&buf, fields, values, how->space, added);
    }
    return declared_filter_end(run, &buf, out);
}

bool
declared_fields_json(struct declared_run          *run,
                     const struct declared_fields *fields, struct ph_str *out)
{
    const struct encoding how = { .form = FORM_JSON };

    return fields_encode(run, fields, &how, NULL, out);
}

/* ---- a request ---- */

/* The value of a field, or of a header: no line may end in it. */
static bool
is_one_line(struct ph_str text)
{
    return !ph_str_has_control(text);
}

/* Servers and proxies take "." and ".." for steps of their own. */
static bool
has_dot_piece(struct ph_str url)
{
    struct ph_str path = url, query, piece;

    (void) ph_str_cut(url, '?', &path, &query);
    while (ph_str_next(&path, '/', &piece)) {
        if (ph_str_eq(piece, PH_STR(".")) || ph_str_eq(piece, PH_STR(".."))) {
            return true;
        }
    }
    return false;
}

static bool
url_is_whole(struct ph_str url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char ch = (unsigned char) url.ptr[i];

        if (ch <= 0x20 || ch >= 0x7f || ch == '#' || ch == '\\') {
            return false;
        }
    }
    return url.len != 0 && url.len <= URL_MAX && !has_dot_piece(url)
           && (ph_str_starts(url, PH_STR("https://"))
               || ph_str_starts(url, PH_STR("http://")));
}

static bool
header_add(struct declared_run *run, struct ph_channel_request *out,
           struct ph_str name, struct ph_str value)
{
    if (out->header_count == PH_CHANNEL_HEADERS_MAX || !is_one_line(value)) {
        return declared_fault(run, FAULT_VALUE);
    }
    if (value.len != 0) {
        out->headers[out->header_count++]
            = (struct ph_channel_header){ name, value };
    }
    return true;
}

static struct ph_str
type_of(int form)
{
    return form == FORM_JSON ? PH_STR("application/json; charset=utf-8")
           : form == FORM_XML
               ? PH_STR("application/xml; charset=utf-8")
               : PH_STR("application/x-www-form-urlencoded; charset=utf-8");
}

static bool
headers_add(struct declared_run *run, const struct declared_request *request,
            struct ph_channel_request *out)
{
    struct ph_str value;

    for (size_t i = 0; i < request->header_count; i++) {
        if (!declared_text(run, &request->headers[i].value, &value)
            || !header_add(run, out, request->headers[i].name, value))
        {
            return false;
        }
    }
    if (request->sign != NULL && request->sign_is_header
        && (!declared_sign_text(run, request->sign, &value)
            || !header_add(run, out, request->sign_name, value)))
    {
        return false;
    }
    if (out->body.len == 0 || request->form == FORM_NONE
        || ph_channel_header(out->headers, out->header_count,
                             PH_STR("Content-Type"))
                   .ptr
               != NULL)
    {
        return true;
    }
    return request->form == FORM_TEMPLATE
           || header_add(run, out, PH_STR("Content-Type"),
                         type_of(request->form));
}

/* the fields in their form, signed by a field of their own when asked for */
static bool
body_make(struct declared_run *run, const struct declared_request *request,
          const struct encoding *how)
{
    struct added added = { request->sign_name, { NULL, 0 } };

    if (request->form == FORM_TEMPLATE) {
        return declared_text(run, &request->body, &run->body);
    }
    if (request->form == FORM_NONE) {
        return true;
    }
    if (!fields_encode(run, &request->fields, how, NULL, &run->body)) {
        return false;
    }
    if (request->sign == NULL || request->sign_is_header) {
        return true;
    }
    return declared_sign_text(run, request->sign, &added.value)
           && fields_encode(run, &request->fields, how, &added, &run->body);
}

/* fields of a GET, or of a page that the payer opens, go into the address */
static bool
url_extend(struct declared_run *run)
{
    struct ph_str pieces[2] = { run->url, run->body };
    struct ph_buf buf;

    run->body = ph_str_make(NULL, 0);
    if (pieces[1].len == 0) {
        return true;
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_add(&buf, pieces[0]);
    ph_buf_byte(&buf,
                memchr(pieces[0].ptr, '?', pieces[0].len) != NULL ? '&' : '?');
    ph_buf_add(&buf, pieces[1]);
    return declared_filter_end(run, &buf, &run->url);
}

static bool
parts_make(struct declared_run *run, const struct declared_request *request)
{
    bool            in_url = ph_str_eq(request->http, PH_STR("GET"));
    struct encoding how
        = { .form  = request->form,
            .space = in_url ? PH_URL_SPACE_HEX : PH_URL_SPACE_PLUS,
            .root  = request->root };

    run->lets   = &request->lets;
    run->fields = &request->fields;
    run->http   = request->http;
    if (!declared_text(run, &request->url, &run->url)
        || !body_make(run, request, &how))
    {
        return false;
    }
    if (in_url && !url_extend(run)) {
        return false;
    }
    if (request->wrap.is_set) {
        struct ph_str wrapped;

        if (!declared_text(run, &request->wrap, &wrapped)) {
            return false;
        }
        run->body = wrapped;
    }
    return url_is_whole(run->url) || declared_fault(run, FAULT_VALUE);
}

enum ph_channel_step
declared_request_make(struct declared_run           *run,
                      const struct declared_request *request,
                      struct ph_channel_request     *out)
{
    *out = (struct ph_channel_request){ .method = request->http };
    if (!parts_make(run, request)) {
        return PH_STEP_ERROR;
    }
    out->url  = run->url;
    out->body = run->body;
    return headers_add(run, request, out) && !run->arena->full
               ? PH_STEP_NEED_REQUEST
               : PH_STEP_ERROR;
}

/* ---- what the payer is handed ---- */

/* a page that posts the fields, as they are in the body */
static bool
page_make(struct declared_run *run, struct ph_str *out)
{
    struct ph_pair *pairs
        = ph_arena_take(run->arena, PH_FORM_PAIRS_MAX * sizeof(*pairs));
    struct ph_buf buf;
    size_t        count;

    if (pairs == NULL) {
        return declared_fault(run, FAULT_ROOM);
    }
    if (ph_form_decode(run->body, run->arena, pairs, PH_FORM_PAIRS_MAX, &count)
        != PH_OK)
    {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_html_form(&buf, run->url, pairs, count);
    return declared_filter_end(run, &buf, out);
}

bool
declared_action_make(struct declared_run          *run,
                     const struct declared_action *action,
                     struct ph_channel_result     *result)
{
    struct ph_str text = { NULL, 0 };
    struct ph_buf buf;

    if (action->fields.count != 0) {
        if (!declared_fields_json(run, &action->fields, &text)) {
            return false;
        }
        result->action      = (enum ph_action_type) action->type;
        result->action_data = text;
        return true;
    }
    if (action->data.is_set && !declared_text(run, &action->data, &text)) {
        return false;
    }
    if (!action->data.is_set && action->type == PH_ACTION_REDIRECT) {
        text = run->url;
    } else if (!action->data.is_set && action->type == PH_ACTION_FORM
               && !page_make(run, &text))
    {
        return false;
    }
    if (text.len == 0) {
        return true; /* the core asks again */
    }
    if (!text_is_sendable(text)) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_json(&buf, text);
    result->action = (enum ph_action_type) action->type;
    return declared_filter_end(run, &buf, &result->action_data);
}

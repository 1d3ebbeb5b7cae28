/* wire_text.c - see wire_text.h. */
#include "worker/wire_text.h"

#include <jansson.h>
#include <string.h>

#include "channels/pick_int.h"

#define DIGITS_MASKED 12 /* a run of so many may be a card's number */
#define DIGITS_SHOWN 4
#define ELEMENTS_MAX 4 /* of an array */
#define EXTRA_LEN_MIN 4

/* of every channel */
static const char *const common[] = {
    "code",          "sub_code",     "trade_status", "trade_state",
    "status",        "respCode",     "origRespCode", "out_trade_no",
    "out_refund_no", "total_amount", "amount",       NULL,
};

static const char *const id_headers[]
    = { "Request-ID", "trace_id", "Paypal-Debug-Id", "Wechatpay-Serial" };

struct wire {
    struct ph_buf     *shown;
    struct ph_buf      hidden;
    const char *const *fields;
    json_t            *extra; /* an object, or NULL */
    size_t             leaves;
    char               path[WK_WIRE_NAME_MAX];
    size_t             path_len;
};

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Whole or not at all: half a value may be taken for another. */
static bool
masked_add(struct ph_buf *out, struct ph_str text)
{
    const size_t mark = out->len;

    for (size_t i = 0; i < text.len;) {
        size_t run = 0;

        while (i + run < text.len && is_digit(text.ptr[i + run])) {
            run++;
        }
        if (run >= DIGITS_MASKED) {
            ph_buf_byte(out, '*');
            i += run - DIGITS_SHOWN;
            run = DIGITS_SHOWN;
        }
        run = run != 0 ? run : 1;
        ph_buf_add(out, ph_str_make(text.ptr + i, run));
        i += run;
    }
    if (out->full) {
        ph_buf_cut(out, mark);
        return false;
    }
    return true;
}

static bool
list_has(const char *const *list, struct ph_str path, struct ph_str name)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        const struct ph_str one = ph_str_z(list[i]);

        if (ph_str_eq(one, path) || ph_str_eq(one, name)) {
            return true;
        }
    }
    return false;
}

static struct ph_str
value_text(json_t *value, char number[24])
{
    struct ph_buf buf;

    if (json_is_string(value)) {
        return ph_str_make(json_string_value(value), json_string_length(value));
    }
    if (json_is_integer(value)) {
        ph_buf_init(&buf, number, 24);
        ph_buf_i64(&buf, json_integer_value(value));
        return ph_buf_str(&buf);
    }
    return json_is_boolean(value)
               ? ph_str_z(json_is_true(value) ? "true" : "false")
               : ph_str_make(NULL, 0);
}

static void
hide(struct wire *wire, struct ph_str path)
{
    const size_t mark = wire->hidden.len;

    if (wire->hidden.full) {
        return; /* names that came late are not told */
    }
    if (mark != 0) {
        ph_buf_byte(&wire->hidden, ',');
    }
    ph_buf_add(&wire->hidden, path);
    if (wire->hidden.full) {
        wire->hidden.len = mark;
    }
}

/* It is a text of `extra`, or holds one that is not too short to say so. */
static bool
holds_extra(const struct wire *wire, struct ph_str text)
{
    const char *key;
    json_t     *value;

    json_object_foreach(wire->extra, key, value)
    {
        const struct ph_str one
            = ph_str_make(json_string_value(value), json_string_length(value));

        (void) key;
        if (one.len != 0
            && (ph_str_eq(one, text)
                || (one.len >= EXTRA_LEN_MIN && text.len > one.len
                    && memmem(text.ptr, text.len, one.ptr, one.len) != NULL)))
        {
            return true;
        }
    }
    return false;
}

static void
leaf(struct wire *wire, struct ph_str name, json_t *value)
{
    const struct ph_str path = ph_str_make(wire->path, wire->path_len);
    const size_t        mark = wire->shown->len;
    char                number[24];
    struct ph_str       text = value_text(value, number);

    if (++wire->leaves > WK_WIRE_LEAVES_MAX) {
        return;
    }
    if (text.ptr == NULL || text.len > WK_WIRE_VALUE_MAX
        || ph_str_has_control(text) || holds_extra(wire, text)
        || (!list_has(common, path, name)
            && !list_has(wire->fields, path, name)))
    {
        hide(wire, path);
        return;
    }
    if (mark != 0) {
        ph_buf_byte(wire->shown, ' ');
    }
    ph_buf_add(wire->shown, path);
    ph_buf_byte(wire->shown, '=');
    if (wire->shown->full || !masked_add(wire->shown, text)) {
        ph_buf_cut(wire->shown, mark);
        hide(wire, path);
    }
}

/* ---- the tree, without recursion ---- */

struct level {
    json_t       *value; /* an object or an array */
    void         *at;    /* of an object: the next member */
    size_t        i;     /* of an array: the next element */
    size_t        path_len;
    struct ph_str name;
};

static struct level
level_of(const struct wire *wire, struct ph_str name, json_t *value)
{
    return (struct level){ .value    = value,
                           .at       = json_object_iter(value),
                           .path_len = wire->path_len,
                           .name     = name };
}

/* Names are the peer's: one of other letters is not repeated.  false = the path
 * is too long, and what is there is passed over. */
static bool
path_add(struct wire *wire, const char *key, struct ph_str *name)
{
    struct ph_buf path;

    *name = ph_str_z(key);
    if (!ph_str_is_token(*name, WK_WIRE_NAME_MAX)) {
        *name = PH_STR("?");
    }
    ph_buf_init(&path, wire->path, sizeof(wire->path));
    path.len = wire->path_len;
    if (path.len != 0) {
        ph_buf_byte(&path, '.');
    }
    ph_buf_add(&path, *name);
    wire->path_len = path.len;
    return !path.full;
}

/* The next value of the level, NULL = no more; of an array the first few. */
static json_t *
level_next(struct wire *wire, struct level *level, struct ph_str *name)
{
    json_t *value;

    wire->path_len = level->path_len;
    *name          = level->name;
    if (json_is_array(level->value)) {
        return level->i < ELEMENTS_MAX
                   ? json_array_get(level->value, level->i++)
                   : NULL;
    }
    while (level->at != NULL) {
        const char *key = json_object_iter_key(level->at);

        value     = json_object_iter_value(level->at);
        level->at = json_object_iter_next(level->value, level->at);
        if (path_add(wire, key, name)) {
            return value;
        }
        wire->path_len = level->path_len;
    }
    return NULL;
}

static void
walk(struct wire *wire, json_t *root)
{
    struct level  levels[WK_WIRE_DEPTH_MAX];
    size_t        depth = 1;
    struct ph_str name  = PH_STR("");

    levels[0] = level_of(wire, name, root);
    while (depth != 0 && wire->leaves < WK_WIRE_LEAVES_MAX) {
        json_t *value = level_next(wire, &levels[depth - 1], &name);

        if (value == NULL) {
            depth--;
        } else if ((json_is_object(value) || json_is_array(value))
                   && depth < WK_WIRE_DEPTH_MAX)
        {
            levels[depth++] = level_of(wire, name, value);
        } else {
            leaf(wire, name, value);
        }
    }
}

void
wk_wire_body(struct ph_buf *out, struct ph_str body, const char *const *fields,
             struct ph_str extra, struct ph_arena *room)
{
    char           names[256];
    struct wire    wire = { .shown = out, .fields = fields };
    struct ph_doc *doc = NULL, *hidden = NULL;
    enum ph_rc     rc;

    if (body.len == 0) {
        return;
    }
    rc = body.ptr[0] == '{' ? ph_doc_json(&doc, body)
                            : ph_doc_form(&doc, body, room);
    if (rc != PH_OK) {
        return;
    }
    ph_buf_init(&wire.hidden, names,
                out->size - out->len < 2 * sizeof(names)
                    ? (out->size - out->len) / 2
                    : sizeof(names));
    if (extra.len != 0 && ph_doc_json(&hidden, extra) == PH_OK) {
        wire.extra = (json_t *) hidden;
    }
    walk(&wire, (json_t *) doc);
    ph_doc_free(doc);
    ph_doc_free(hidden);
    if (wire.hidden.len != 0) {
        const size_t mark = out->len;

        ph_buf_add(out, mark != 0 ? PH_STR(" -") : PH_STR("-"));
        ph_buf_add(out, ph_str_make(names, wire.hidden.len));
        if (out->full) {
            ph_buf_cut(out, mark);
        }
    }
}

void
wk_wire_path(struct ph_buf *out, struct ph_str url)
{
    const char *at = memmem(url.ptr, url.len, "://", 3);

    if (at == NULL) {
        return;
    }
    url = ph_str_make(at + 3, url.len - (size_t) (at + 3 - url.ptr));
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] == '?' || url.ptr[i] == '#') {
            url.len = i;
        }
    }
    at = memchr(url.ptr, '/', url.len);
    if (at == NULL) {
        return;
    }
    url = ph_str_make(at, url.len - (size_t) (at - url.ptr));
    (void) masked_add(out, url);
}

void
wk_wire_ids(struct ph_buf *out, const struct ph_channel_header *headers,
            size_t count)
{
    for (size_t i = 0; i < PH_COUNT(id_headers); i++) {
        const struct ph_str name  = ph_str_z(id_headers[i]);
        const struct ph_str value = ph_channel_header(headers, count, name);
        const size_t        mark  = out->len;

        if (value.len == 0 || value.len > WK_WIRE_VALUE_MAX
            || ph_str_has_control(value))
        {
            continue;
        }
        if (mark != 0) {
            ph_buf_byte(out, ' ');
        }
        ph_buf_add(out, name);
        ph_buf_byte(out, '=');
        ph_buf_add(out, value);
        if (out->full) {
            ph_buf_cut(out, mark);
        }
    }
}

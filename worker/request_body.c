/* request_body.c - see request_body.h. */
#include "worker/request_body.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define POINTER_MAX 128

void
wk_fault_add(struct wk_request_fault *fault, struct ph_arena *arena,
             enum ph_error error, const char *parent, const char *key,
             const char *detail)
{
    char          memory[POINTER_MAX];
    struct ph_buf pointer = PH_BUF_INIT(memory);

    if (fault->error != PH_ERROR_NONE && fault->error != error) {
        return;
    }
    fault->error = error;
    if (fault->place_count == PH_PROBLEM_PLACES_MAX) {
        return;
    }
    ph_buf_add(&pointer, ph_str_z(parent));
    ph_buf_byte(&pointer, '/');
    for (const char *at = key; *at != '\0'; at++) { /* RFC 6901 */
        ph_buf_add(&pointer, *at == '~'   ? PH_STR("~0")
                             : *at == '/' ? PH_STR("~1")
                                          : ph_str_make(at, 1));
    }
    if (pointer.full) { /* a name too long to repeat */
        ph_buf_cut(&pointer, 0);
        ph_buf_add(&pointer, ph_str_z(parent));
    }
    fault->places[fault->place_count++]
        = (struct ph_problem_place){ ph_arena_dup(arena, ph_buf_str(&pointer)),
                                     ph_str_z(detail) };
}

bool
wk_fault_whole(struct wk_request_fault *fault, enum ph_error error,
               const char *detail)
{
    fault->error  = error;
    fault->detail = ph_str_z(detail);
    return false;
}

/* The control characters behind ASCII: U+0080 to U+009F. */
static bool
has_c1_control(struct ph_str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        unsigned char next = (unsigned char) text.ptr[i + 1];

        if ((unsigned char) text.ptr[i] == 0xc2 && next < 0xa0) {
            return true;
        }
    }
    return false;
}

const char *
wk_characters_check(struct ph_str text, size_t min, size_t max, const char *why)
{
    size_t count = ph_str_utf8_count(text);

    if (count == SIZE_MAX || count < min || count > max) {
        return why;
    }
    return ph_str_has_control(text) || has_c1_control(text)
               ? "found a control character"
               : NULL;
}

static bool
document_fault(struct wk_request_fault *fault, const json_error_t *error)
{
    switch ((int) json_error_code(error)) {
    case json_error_duplicate_key:
        return wk_fault_whole(fault, PH_ERROR_DUPLICATE_KEY,
                              "a member stands twice in one object");
    case json_error_numeric_overflow:
        return strstr(error->text, "integer") != NULL
                   ? wk_fault_whole(fault, PH_ERROR_VALUE,
                                    "an integer is too large")
                   : wk_fault_whole(fault, PH_ERROR_WRONG_TYPE,
                                    "a number is not an integer");
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return wk_fault_whole(fault, PH_ERROR_VALUE,
                              "a text holds the character U+0000");
    case json_error_invalid_utf8:
        return wk_fault_whole(fault, PH_ERROR_NOT_JSON,
                              "the body is not valid UTF-8");
    default:
        return wk_fault_whole(fault, PH_ERROR_NOT_JSON,
                              "the body is not one JSON object");
    }
}

/* Looked at before parsing, so that no parser ever recurses deeper; what is
 * not JSON at all may be judged either way, both are 400. */
static bool
depth_is_taken(struct ph_str body)
{
    size_t depth     = 0;
    bool   in_string = false;

    for (size_t i = 0; i < body.len; i++) {
        char ch = body.ptr[i];

        if (in_string) {
            i += ch == '\\' ? 1 : 0;
            in_string = ch != '"';
        } else if (ch == '"') {
            in_string = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > WK_BODY_DEPTH_MAX) {
                return false;
            }
        } else if ((ch == '}' || ch == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *
wk_body_load(struct ph_str body, struct wk_request_fault *fault)
{
    json_error_t error;

    if (body.len > WK_BODY_MAX) {
        (void) wk_fault_whole(fault, PH_ERROR_TOO_LARGE,
                              "expected at most 65536 bytes");
        return NULL;
    }
    if (!depth_is_taken(body)) {
        (void) wk_fault_whole(fault, PH_ERROR_NOT_JSON,
                              "expected objects at most 16 deep");
        return NULL;
    }
    json_t *root = json_loadb(body.len != 0 ? body.ptr : "", body.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL) {
        (void) document_fault(fault, &error);
        return NULL;
    }
    if (!json_is_object(root)) {
        (void) wk_fault_whole(fault, PH_ERROR_NOT_JSON,
                              "the body is not one JSON object");
        json_decref(root);
        return NULL;
    }
    return root;
}

bool
wk_media_type_is_json(struct ph_str type)
{
    struct ph_str name = type, rest;

    (void) ph_str_cut(type, ';', &name, &rest);
    name = ph_str_trim(name);
    return type.ptr == NULL
           || (name.len == 16
               && strncasecmp(name.ptr, "application/json", 16) == 0);
}

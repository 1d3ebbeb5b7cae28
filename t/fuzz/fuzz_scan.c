/*
 * fuzz_scan.c - the field scanner beside jansson, on any bytes.
 *
 * Where the scanner tells a value, jansson reads the same or refuses the
 * document.  Where jansson reads a document that is plain - no backslash, not
 * too deep, wanted members of their types - the scanner reads it as well.
 */
#include "t/fuzz/fuzz.h"

#include <jansson.h>

#include "libpayhub/wire/field_scan.h"

enum { METHOD, CURRENCY, AMOUNT, REGION, FIELDS };

static const struct ph_scan_field wanted[FIELDS] = {
    [METHOD]   = { .name = PH_STR_INIT("method") },
    [CURRENCY] = { .name = PH_STR_INIT("currency") },
    [AMOUNT]   = { .name = PH_STR_INIT("amount"), .is_integer = true },
    [REGION]   = { .name = PH_STR_INIT("region"), .in_metadata = true },
};

static json_t *
value_of(json_t *root, const struct ph_scan_field *field)
{
    json_t *from
        = field->in_metadata ? json_object_get(root, "metadata") : root;

    return json_object_getn(from, field->name.ptr, field->name.len);
}

static bool
is_same(const struct ph_scan_field *field, json_t *value)
{
    if (!field->found || value == NULL) {
        return field->found == (value != NULL);
    }
    if (field->is_integer) {
        return json_is_integer(value)
               && json_integer_value(value) == field->integer;
    }
    return json_is_string(value)
           && ph_str_eq(field->text, ph_str_make(json_string_value(value),
                                                 json_string_length(value)));
}

static size_t
/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson parses, 2,048 */
depth_of(json_t *value)
{
    size_t      deepest = 0;
    const char *key;
    json_t     *child;
    size_t      i;

    if (json_is_object(value)) {
        json_object_foreach(value, key, child)
        {
            size_t depth = depth_of(child);
            deepest      = depth > deepest ? depth : deepest;
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, child)
        {
            size_t depth = depth_of(child);
            deepest      = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static bool
types_are_right(json_t *root)
{
    json_t *metadata = json_object_get(root, "metadata");

    if (!json_is_object(root)
        || (metadata != NULL && !json_is_object(metadata))) {
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        json_t *value = value_of(root, &wanted[i]);

        if (value != NULL
            && !(wanted[i].is_integer ? json_is_integer(value)
                                      : json_is_string(value)))
        {
            return false;
        }
    }
    return true;
}

static void
judge(struct ph_str body, json_t *root, enum ph_scan verdict,
      const struct ph_scan_field *fields)
{
    bool is_plain = memchr(body.ptr, '\\', body.len) == NULL;

    switch (verdict) {
    case PH_SCAN_CLEAR:
        for (size_t i = 0; i < FIELDS; i++) {
            FUZZ_HOLDS(is_same(&fields[i], value_of(root, &wanted[i])));
        }
        break;
    case PH_SCAN_ESCAPE:
        FUZZ_HOLDS(!is_plain);
        break;
    case PH_SCAN_TYPE:
        FUZZ_HOLDS(!types_are_right(root));
        break;
    case PH_SCAN_DEPTH:
        FUZZ_HOLDS(depth_of(root) > PH_SCAN_DEPTH_MAX);
        break;
    case PH_SCAN_BROKEN: /* jansson 2.14 overlooks a NUL behind a number */
        FUZZ_HOLDS(memchr(body.ptr, '\0', body.len) != NULL);
        break;
    case PH_SCAN_DUPLICATE:
    case PH_SCAN_RANGE:
    case PH_SCAN_ENCODING:
        FUZZ_HOLDS(false); /* jansson has read it */
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_scan_field fields[FIELDS];
    /* a block of its own, so that a byte read behind the end is seen */
    char *copy = malloc(size != 0 ? size : 1);

    if (copy == NULL || size > 20000) {
        free(copy);
        return 0;
    }
    memcpy(copy, data, size);
    memcpy(fields, wanted, sizeof(fields));

    struct ph_str body    = ph_str_make(copy, size);
    enum ph_scan  verdict = ph_field_scan(body, fields, FIELDS);
    json_t       *root    = size != 0
                                ? json_loadb(copy, size, JSON_REJECT_DUPLICATES, NULL)
                                : NULL;

    for (size_t i = 0; i < FIELDS && verdict == PH_SCAN_CLEAR; i++) {
        FUZZ_HOLDS(
            fields[i].text.len == 0
            || (fields[i].text.ptr >= copy
                && fields[i].text.ptr + fields[i].text.len <= copy + size));
    }
    if (root != NULL) {
        judge(body, root, verdict, fields);
    }
    json_decref(root);
    free(copy);
    return 0;
}

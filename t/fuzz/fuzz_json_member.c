/*
 * fuzz_json_member.c - where a member stands in a JSON text, against a parser.
 *
 * Of a text that the parser takes: what is found is that member's value, what
 * is missing is not there.  Brackets that are counted are what it needs.
 */
#include <jansson.h>

#include "t/fuzz/fuzz.h"

#include "libpayhub/wire/json_member.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

static const char *const names[] = { "sign", "alipay_trade_query_response",
                                     "error_response", "a", "alipay_cert_sn" };

static void
compare(const json_t *root, const char *name, enum ph_rc rc,
        struct ph_str exact)
{
    const json_t *value = json_object_get(root, name);

    if (rc == PH_E_MISSING) {
        FUZZ_HOLDS(value == NULL);
        return;
    }
    if (rc != PH_OK) {
        return; /* refused is always right */
    }
    json_t *found
        = json_loadb(exact.ptr, exact.len, FLAGS | JSON_DECODE_ANY, NULL);

    FUZZ_HOLDS(found != NULL && value != NULL && json_equal(found, value));
    json_decref(found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *const name = names[data[0] % (sizeof(names) / sizeof(*names))];
    const struct ph_str text  = ph_str_make((const char *) data + 1, size - 1);
    struct ph_str       exact = { NULL, 0 };
    const enum ph_rc    rc    = ph_json_member(text, ph_str_z(name), &exact);

    if (rc == PH_OK) {
        FUZZ_HOLDS(exact.len > 0 && exact.ptr > text.ptr
                   && exact.ptr + exact.len < text.ptr + text.len);
        FUZZ_HOLDS(ph_json_depth(text, PH_JSON_DEPTH_MAX) == PH_OK);
    }
    if (ph_json_depth(text, PH_JSON_DEPTH_MAX) != PH_OK) {
        return 0;
    }
    json_t *root = json_loadb(text.ptr, text.len, FLAGS, NULL);

    if (json_is_object(root)) {
        compare(root, name, rc, exact);
    }
    json_decref(root);
    return 0;
}

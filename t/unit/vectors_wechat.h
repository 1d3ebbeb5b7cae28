/*
 * vectors_wechat.h - t/data/vectors/wechat.json, or that of the folder
 * PAYHUB_VECTORS, for the programs that go through it.
 */
#ifndef T_VECTORS_WECHAT_H
#define T_VECTORS_WECHAT_H

#include "t/unit/channel_wechatpay.h"

#include <jansson.h>

static json_t *root;

static inline struct ph_str
text_of(const json_t *value)
{
    assert_true(json_is_string(value));
    return ph_str_make(json_string_value(value), json_string_length(value));
}

static inline struct ph_str
member(const json_t *row, const char *name)
{
    return text_of(json_object_get(row, name));
}

static inline const json_t *
rows_of(const char *name, size_t at_least)
{
    const json_t *rows = json_object_get(root, name);

    assert_true(json_array_size(rows) >= at_least);
    return rows;
}

static inline int
set_up(void **state)
{
    struct ph_str text;
    json_error_t  error;

    if (group_begin(state) != 0) {
        return -1;
    }
    text = vector_file("wechat.json");
    root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    return root != NULL ? 0 : -1;
}

static inline int
tear_down(void **state)
{
    json_decref(root);
    return group_end(state);
}

#endif

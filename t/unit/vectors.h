/* vectors.h - t/data/vectors/, or the folder PAYHUB_VECTORS where it has the
 * file; and a request as others send it, compared with ours key by key. */
#ifndef T_VECTORS_H
#define T_VECTORS_H

#include <jansson.h>
#include <unistd.h>

#include "t/unit/channel_rest.h"

#define PATH_LEN_MAX 4096

static inline struct ph_str
vector_file(const char *name)
{
    static char path[PATH_LEN_MAX];
    const char *given = getenv("PAYHUB_VECTORS");

    (void) snprintf(path, sizeof(path), "%s/%s", given != NULL ? given : "",
                    name);
    if (given == NULL || access(path, F_OK) != 0) {
        (void) snprintf(path, sizeof(path), "t/data/vectors/%s", name);
    }
    print_message("vectors: %s\n", path);
    return t_file(path);
}

static inline json_t *
vector_read(const char *name)
{
    struct ph_str text = vector_file(name);
    json_error_t  error;
    json_t       *root
        = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);

    assert_non_null(root);
    return root;
}

static inline struct ph_str
member(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    assert_true(json_is_string(value));
    return ph_str_make(json_string_value(value), json_string_length(value));
}

/* ---- two requests ---- */

/* One that we know of: at this row, theirs and ours of this key differ. */
struct difference {
    size_t      row;
    const char *key;    /* "header NAME", "query NAME", "body PATH" */
    const char *theirs; /* NULL = they do not send it */
    const char *ours;   /* NULL = we do not */
    const char *reason;
    bool        is_met;
};

struct wire {
    size_t             row;
    struct difference *known;
    size_t             known_count;
    struct ph_arena   *room;
};

static inline void
wire_differ(const struct wire *wire, const char *kind, struct ph_str name,
            struct ph_str theirs, struct ph_str ours)
{
    char key[256];

    if (theirs.ptr != NULL && ours.ptr != NULL && ph_str_eq(theirs, ours)) {
        return;
    }
    snprintf(key, sizeof(key), "%s %.*s", kind, (int) name.len, name.ptr);
    for (size_t i = 0; i < wire->known_count; i++) {
        struct difference *one = &wire->known[i];

        if (one->row == wire->row && strcmp(one->key, key) == 0
            && (one->theirs == NULL) == (theirs.ptr == NULL)
            && (one->ours == NULL) == (ours.ptr == NULL)
            && ph_str_eq(theirs, ph_str_z(one->theirs))
            && ph_str_eq(ours, ph_str_z(one->ours)))
        {
            one->is_met = true;
            return;
        }
    }
    fail_msg("row %zu, %s: they send %.*s, we %.*s", wire->row, key,
             theirs.ptr != NULL ? (int) theirs.len : 7,
             theirs.ptr != NULL ? theirs.ptr : "nothing",
             ours.ptr != NULL ? (int) ours.len : 7,
             ours.ptr != NULL ? ours.ptr : "nothing");
}

static inline void
wire_pairs(const struct wire *wire, const char *kind, struct ph_str theirs,
           struct ph_str ours)
{
    struct ph_pair a[64], b[64];
    size_t         a_count, b_count;

    assert_int_equal(ph_form_decode(theirs, wire->room, a, 64, &a_count),
                     PH_OK);
    assert_int_equal(ph_form_decode(ours, wire->room, b, 64, &b_count), PH_OK);
    for (size_t i = 0; i < a_count; i++) {
        wire_differ(wire, kind, a[i].name, a[i].value,
                    ph_pair_find(b, b_count, a[i].name));
    }
    for (size_t i = 0; i < b_count; i++) {
        if (ph_pair_find(a, a_count, b[i].name).ptr == NULL) {
            wire_differ(wire, kind, b[i].name, ph_str_make(NULL, 0),
                        b[i].value);
        }
    }
}

/* every value that is no object, by its path */
static inline void
json_walk(const struct wire *wire, const char *path, const json_t *theirs,
          const json_t *ours)
{
    const json_t *some = theirs != NULL ? theirs : ours;
    char          below[256];
    const char   *key;
    json_t       *value;

    if (json_is_object(some)) {
        json_object_foreach((json_t *) (uintptr_t) some, key, value)
        {
            snprintf(below, sizeof(below), "%s%s%s", path,
                     path[0] != '\0' ? "." : "", key);
            json_walk(wire, below, theirs != NULL ? value : NULL,
                      theirs != NULL ? json_object_get(ours, key) : value);
        }
        if (theirs != NULL && ours != NULL) {
            json_object_foreach((json_t *) (uintptr_t) ours, key, value)
            {
                if (json_object_get(theirs, key) == NULL) {
                    snprintf(below, sizeof(below), "%s%s%s", path,
                             path[0] != '\0' ? "." : "", key);
                    json_walk(wire, below, NULL, value);
                }
            }
        }
        return;
    }
    if (json_is_array(some)) {
        size_t a = json_array_size(theirs), b = json_array_size(ours);

        for (size_t i = 0; i < (a > b ? a : b); i++) {
            snprintf(below, sizeof(below), "%s.%zu", path, i);
            json_walk(wire, below, json_array_get(theirs, i),
                      json_array_get(ours, i));
        }
        return;
    }
    assert_true(theirs == NULL || json_is_string(theirs));
    assert_true(ours == NULL || json_is_string(ours));
    wire_differ(wire, "body", ph_str_z(path),
                ph_str_z(json_string_value(theirs)), /* NULL gives none */
                ph_str_z(json_string_value(ours)));
}

static inline void
wire_json(const struct wire *wire, struct ph_str theirs, struct ph_str ours)
{
    json_t *a = theirs.len == 0 ? NULL
                                : json_loadb(theirs.ptr, theirs.len,
                                             JSON_REJECT_DUPLICATES, NULL);
    json_t *b = ours.len == 0 ? NULL
                              : json_loadb(ours.ptr, ours.len,
                                           JSON_REJECT_DUPLICATES, NULL);

    assert_true((theirs.len != 0) == (a != NULL)
                && (ours.len != 0) == (b != NULL));
    if (a != NULL || b != NULL) {
        json_walk(wire, "", a, b);
    }
    json_decref(a);
    json_decref(b);
}

static inline void
wire_headers(const struct wire *wire, const json_t *headers)
{
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *) (uintptr_t) headers, name, value)
    {
        wire_differ(wire, "header", ph_str_z(name),
                    ph_str_z(json_string_value(value)), header_of(name));
    }
    for (size_t i = 0; i < out.request.header_count; i++) {
        char lower[64];

        snprintf(lower, sizeof(lower), "%.*s",
                 (int) out.request.headers[i].name.len,
                 out.request.headers[i].name.ptr);
        for (char *at = lower; *at != '\0'; at++) {
            *at = *at >= 'A' && *at <= 'Z' ? (char) (*at + 32) : *at;
        }
        if (json_object_get(headers, lower) == NULL) {
            wire_differ(wire, "header", ph_str_z(lower), ph_str_make(NULL, 0),
                        out.request.headers[i].value);
        }
    }
}

static inline void
wire_same(const struct wire *wire, const json_t *row, const char *base,
          bool is_json)
{
    struct ph_str target = member(row, "target"), url = out.request.url;
    struct ph_str path = target, query = PH_STR("");
    struct ph_str our_path, our_query  = PH_STR("");

    assert_true(ph_str_starts(url, ph_str_z(base)));
    url = our_path
        = ph_str_make(url.ptr + strlen(base), url.len - strlen(base));
    (void) ph_str_cut(target, '?', &path, &query);
    (void) ph_str_cut(url, '?', &our_path, &our_query);
    t_same(out.request.method, member(row, "method"));
    t_same(our_path, path);
    wire_pairs(wire, "query", query, our_query);
    wire_headers(wire, json_object_get(row, "headers"));
    if (is_json) {
        wire_json(wire, member(row, "body"), out.request.body);
    } else {
        wire_pairs(wire, "body", member(row, "body"), out.request.body);
    }
}

/* a row that is met by nothing would hide the next difference */
static inline void
wire_all_met(const struct difference *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!known[i].is_met || known[i].reason == NULL) {
            fail_msg("no difference any more: row %zu, %s", known[i].row,
                     known[i].key);
        }
    }
}

#endif

/*
 * form.h - names and values: forms on the wire, and the sorted texts that most
 * channels sign.  Pure; all memory is the caller's.
 */
#ifndef PH_WIRE_FORM_H
#define PH_WIRE_FORM_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"

#define PH_FORM_PAIRS_MAX 256

struct ph_pair {
    struct ph_str name;
    struct ph_str value;
};

enum ph_url_space {
    PH_URL_SPACE_HEX, /* "%20": addresses, and what others decode strictly */
    PH_URL_SPACE_PLUS /* "+": application/x-www-form-urlencoded */
};

/* All but A-Z a-z 0-9 - . _ ~ as %XX, upper case. */
void ph_url_encode(struct ph_buf *buf, struct ph_str text,
                   enum ph_url_space space);

/* name=value&... , each encoded */
void ph_form_encode(struct ph_buf *buf, const struct ph_pair *pairs,
                    size_t count, enum ph_url_space space);

/*
 * Each name and value decoded exactly once, `+` as a blank; views of `in` where
 * nothing was encoded, else in the arena.  "a" is "a=", "" no pair.
 *   PH_E_SYNTAX     a % without two hex digits, a NUL, an empty pair or name
 *   PH_E_DUPLICATE  a name stands twice
 *   PH_E_FULL       more than `most` pairs (<= PH_FORM_PAIRS_MAX), or no room
 */
enum ph_rc ph_form_decode(struct ph_str in, struct ph_arena *arena,
                          struct ph_pair *pairs, size_t most,
                          size_t *count) PH_MUST_CHECK;

/* by name, in the order of bytes; equal names keep their order */
void ph_pairs_sort(struct ph_pair *pairs, size_t count);

struct ph_join {
    const struct ph_str *skip; /* names that are left out */
    size_t               skip_count;
    bool                 drops_empty; /* pairs without a value, too */
};

/* name=value&... as they stand, nothing encoded: what is signed */
void ph_pairs_join(struct ph_buf *buf, const struct ph_pair *pairs,
                   size_t count, const struct ph_join *how);

/* {NULL, 0} when there is no such name */
struct ph_str ph_pair_find(const struct ph_pair *pairs, size_t count,
                           struct ph_str name);

#endif

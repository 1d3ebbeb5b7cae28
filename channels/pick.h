/*
 * pick.h - members of answers, notices and `extra`, by path.
 *
 * A document is read once, within bounds, and released by the function that
 * read it; what is picked lives in the caller's arena.  No number with a
 * fraction or an exponent is ever picked: money is a whole number or a text.
 */
#ifndef PH_CHANNEL_PICK_H
#define PH_CHANNEL_PICK_H

#include "channels/exchange.h"

#define PH_DOC_VALUES_MAX 8192 /* in one document; more is refused unread */

struct ph_doc; /* opaque */

/*
 * *out is NULL but on PH_OK; release with ph_doc_free().
 *   PH_E_RANGE   longer than PH_CHANNEL_JSON_MAX, deeper than
 *                PH_CHANNEL_DEPTH_MAX or of more than PH_DOC_VALUES_MAX values
 *   PH_E_SYNTAX  no JSON object, no form; not UTF-8, a member twice, a NUL,
 *                something behind the end
 *   PH_E_FULL    no memory
 */
enum ph_rc ph_doc_json(struct ph_doc **out, struct ph_str body) PH_MUST_CHECK;

/* names and values as texts, decoded once; `room` is used while it reads */
enum ph_rc ph_doc_form(struct ph_doc **out, struct ph_str body,
                       struct ph_arena *room) PH_MUST_CHECK;

void ph_doc_free(struct ph_doc *doc); /* accepts NULL */

/*
 * `path`: names and array indexes between dots, "data.0.id".
 *   PH_E_MISSING  no such member, or it is null
 *   PH_E_SYNTAX   it is of another type; *out is {NULL, 0}
 *   PH_E_FULL     the arena is full
 */
enum ph_rc ph_doc_text(const struct ph_doc *doc, const char *path,
                       struct ph_arena *arena,
                       struct ph_str   *out) PH_MUST_CHECK;
enum ph_rc ph_doc_int(const struct ph_doc *doc, const char *path,
                      int64_t *out) PH_MUST_CHECK;
enum ph_rc ph_doc_bool(const struct ph_doc *doc, const char *path,
                       bool *out) PH_MUST_CHECK;

/* The object or array there, which lives as long as `doc` and is not to be
 * released; NULL when there is none. */
const struct ph_doc *ph_doc_at(const struct ph_doc *doc, const char *path);

/* values of an array, members of an object; "" = of the whole; 0 for others */
size_t ph_doc_size(const struct ph_doc *doc, const char *path);

/* A member of order->extra: texts as they are, true and false as such words,
 * whole numbers in digits; {NULL, 0} when absent or of another type. */
struct ph_str ph_channel_extra_text(const struct ph_channel_order *order,
                                    const char *key, struct ph_arena *arena);

#endif

/*
 * request_body.h - bodies of /v1 as JSON, and what is wrong with them.
 *
 * Pure.  json_t stays in the files that read members; whoever asks sees a
 * checked value or a fault.
 */
#ifndef WK_REQUEST_BODY_H
#define WK_REQUEST_BODY_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/domain/error.h"

#define WK_BODY_MAX (64 * 1024)
#define WK_BODY_DEPTH_MAX 16

struct wk_request_fault {
    enum ph_error           error; /* NONE = the request is good */
    struct ph_str           detail;
    struct ph_problem_place places[PH_PROBLEM_PLACES_MAX];
    size_t                  place_count;
};

/* A faulty member; only those with the first kind of fault are listed. */
void wk_fault_add(struct wk_request_fault *fault, struct ph_arena *arena,
                  enum ph_error error, const char *parent, const char *key,
                  const char *detail);

/* A fault of the whole body; gives false. */
bool wk_fault_whole(struct wk_request_fault *fault, enum ph_error error,
                    const char *detail);

/* application/json, with or without parameters; an absent type is taken */
bool wk_media_type_is_json(struct ph_str type);

/* One JSON object, or NULL and why.  @owns: caller, json_decref(). */
struct json_t *wk_body_load(struct ph_str            body,
                            struct wk_request_fault *fault) PH_MUST_CHECK;

/* NULL, or why the text is not one of min to max characters, none of them a
 * control character; `why` is told when it is too short or long. */
const char *wk_characters_check(struct ph_str text, size_t min, size_t max,
                                const char *why);

#endif

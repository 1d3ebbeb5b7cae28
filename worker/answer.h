/*
 * answer.h - what the jobs of requests share in answering: each request is
 * answered once, and none waits longer than it may.
 */
#ifndef WK_ANSWER_H
#define WK_ANSWER_H

#include "worker/row.h"
#include "worker/server.h"

/* Refuses *request and clears it; nothing when it is NULL, answered before.
 * What may be asked again at once says so. */
void wk_answer_refuse(struct wk_request **request, enum ph_frame_type type,
                      enum ph_error error, const char *detail);

/*
 * The order's document as the answer, as wk_answer_refuse().  `more`: what else
 * it says, or NULL; without a status there it is 201, or 202 while nobody knows
 * what becomes of a create that takes money by itself or got no answer.
 */
void wk_answer_order(struct wk_request **request, const struct wk_order *order,
                     const struct wk_reply *more);

/* how long the caller waits: pay.request_deadline, or what its frame says when
 * that is less */
uint64_t wk_answer_wait_ms(const struct wk_request *request);

#endif

/*
 * answer.h - what the jobs of requests share in answering: each request is
 * answered once, and none waits longer than it may.
 */
#ifndef WK_ANSWER_H
#define WK_ANSWER_H

#include "worker/server.h"

/* Refuses *request and clears it; nothing when it is NULL, answered before.
 * What may be asked again at once says so. */
void wk_answer_refuse(struct wk_request **request, enum ph_frame_type type,
                      enum ph_error error, const char *detail);

/* how long the caller waits: pay.request_deadline, or what its frame says when
 * that is less */
uint64_t wk_answer_wait_ms(const struct wk_request *request);

#endif

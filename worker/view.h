/*
 * view.h - members of the documents that the API and webhooks show.
 *
 * Pure.  Each writes its comma when something stands before it in the object.
 */
#ifndef WK_VIEW_H
#define WK_VIEW_H

#include "libpayhub/base/buf.h"

void wk_view_key(struct ph_buf *buf, const char *key);

/* an absent or empty text is null */
void wk_view_text(struct ph_buf *buf, const char *key, struct ph_str text);

/* already JSON */
void wk_view_json(struct ph_buf *buf, const char *key, struct ph_str json);
void wk_view_number(struct ph_buf *buf, const char *key, int64_t value);

/* 0 is null */
void wk_view_time(struct ph_buf *buf, const char *key, uint64_t ms);

/* the member `error`; without a code it is null */
void wk_view_error(struct ph_buf *buf, struct ph_str code,
                   struct ph_str message, struct ph_str channel_code);

#endif

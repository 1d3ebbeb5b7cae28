/* text.h - times as text, and the signature of the sandbox's messages. */
#ifndef SB_TEXT_H
#define SB_TEXT_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define SB_KEY_MAX 256
#define SB_WINDOW_S 300
#define SB_SIGNATURE_MAX 64 /* base64 of 32 bytes, rounded up */

/* "2026-01-02T03:04:05.678Z" */
void sb_time_add(struct ph_buf *buf, uint64_t ms);

/* the reverse; false = not of that shape */
bool sb_time_parse(struct ph_str text, uint64_t *ms);

/* Appends base64 of HMAC-SHA256(key, timestamp LF body LF). */
bool sb_sign(struct ph_buf *buf, struct ph_str key, struct ph_str timestamp,
             struct ph_str body) PH_MUST_CHECK;

/* genuine, and within SB_WINDOW_S of now */
bool sb_verify(struct ph_str key, struct ph_str timestamp,
               struct ph_str signature, struct ph_str body, uint64_t now_ms);

#endif

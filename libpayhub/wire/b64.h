/*
 * b64.h - strict standard base64 (RFC 4648 section 4) with padding.
 */
#ifndef PH_WIRE_B64_H
#define PH_WIRE_B64_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_B64_LEN(raw) (((raw) + 2) / 3 * 4)

void ph_b64_encode(struct ph_buf *buf, struct ph_str raw);

/*
 * Refuses missing or extra padding, bytes outside the alphabet, and unused
 * bits that are set: one text for one value.
 */
enum ph_rc ph_b64_decode(struct ph_buf *buf, struct ph_str text) PH_MUST_CHECK;

/* Whether `text` is what ph_b64_encode() makes of `raw`; takes as long wherever
 * they differ, and tells the time nothing of `raw` but its length. */
bool ph_b64_same_secret(struct ph_str text, struct ph_str raw);

#endif

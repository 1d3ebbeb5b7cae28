/*
 * auth_v3.h - scheme payhub-v3: the Authorization header and the string that
 * its signature covers.
 *
 *   Authorization: PAYHUB-V3 key_id="k",timestamp="1",nonce="n",signature="s"
 *
 * Each field exactly once, in any order, no blanks but the one after the
 * scheme.  Signed: METHOD LF target LF timestamp LF nonce LF raw body LF.
 * The caller never chooses the algorithm: the key's record does.
 */
#ifndef PH_WIRE_AUTH_V3_H
#define PH_WIRE_AUTH_V3_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_KEY_ID_LEN_MAX 32
#define PH_NONCE_LEN_MIN 8
#define PH_NONCE_LEN_MAX 64
#define PH_TIMESTAMP_MAX UINT64_C(99999999999) /* seconds: 11 digits */
#define PH_SIGNATURE_TEXT_MAX 2048 /* base64 of the largest signature taken */
#define PH_AUTH_V3_HEADER_MAX 2304
/* headers of a signed answer to a verified request */
#define PH_ANSWER_STATUS_LEN_MAX 3

struct ph_auth_v3 { /* views into the header value */
    struct ph_str key_id;
    struct ph_str timestamp_text; /* as sent: it is what was signed */
    struct ph_str nonce;
    struct ph_str signature; /* base64 text */
    uint64_t      timestamp; /* unix seconds */
};

/* Any fault is one of SYNTAX, DUPLICATE, MISSING, UNKNOWN, RANGE. */
enum ph_rc ph_auth_v3_parse(struct ph_str      header,
                            struct ph_auth_v3 *out) PH_MUST_CHECK;

/* Appends the header value; for clients: CLI, tests. */
void ph_auth_v3_format(struct ph_buf *buf, const struct ph_auth_v3 *auth);

/*
 * The signed string's part before the body; the body and one LF follow.  The
 * buffer needs method + target + timestamp + nonce + 4 bytes.
 */
void ph_auth_v3_prefix(struct ph_buf *buf, struct ph_str method,
                       struct ph_str target, struct ph_str timestamp,
                       struct ph_str nonce);

/* The same for answers: timestamp LF nonce LF status LF, then body LF. */
void ph_answer_v3_prefix(struct ph_buf *buf, struct ph_str timestamp,
                         struct ph_str nonce, unsigned status);

#endif

/*
 * platform.h - the platform's Ed25519 key: signs answers to callers that share
 * no secret with us, and webhooks (v1a); GET /v1/keys shows its public half.
 *
 * Without pay.platform_key_file there is none: nothing is signed, and the list
 * is empty.  @thread loop.
 */
#ifndef WK_PLATFORM_H
#define WK_PLATFORM_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/conf.h"
#include "libpayhub/base/rc.h"

struct wk_platform;

/* *out = NULL when no key is configured; every function here takes that.
 * false = said why in the log: a key is named and cannot be read.
 * @owns: caller, wk_platform_free(). */
bool wk_platform_new(struct wk_platform  **out,
                     const struct ph_conf *conf) PH_MUST_CHECK;
void wk_platform_free(struct wk_platform *platform);

/* {NULL, 0} = there is none */
struct ph_str wk_platform_key_id(const struct wk_platform *platform);

/* Appends the base64 of the signature over the pieces' concatenation; false =
 * no key, no room, or no memory. */
bool wk_platform_sign(const struct wk_platform *platform, struct ph_buf *buf,
                      const struct ph_str *pieces, size_t count) PH_MUST_CHECK;

/*
 * Appends the value of the frame field PLATFORM_SIGNATURE: key id, timestamp
 * and signature of an answer as clients get it.
 */
bool wk_platform_answer(const struct wk_platform *platform, struct ph_buf *buf,
                        uint64_t now_s, struct ph_str nonce, unsigned status,
                        struct ph_str body) PH_MUST_CHECK;

/* {"data": [...]}: the key, then the one before it */
void wk_platform_view(const struct wk_platform *platform, struct ph_buf *buf);

#endif

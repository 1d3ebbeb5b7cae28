/*
 * hook_sign.h - a webhook as a request: the two forms of its signature.
 *
 *   standard   Standard Webhooks: webhook-id, webhook-timestamp, and
 *              webhook-signature with v1 by the app's webhook secret and, when
 *              the platform has a key, v1a by it
 *   payhub-v3  Authorization: PAYHUB-V3 ... as callers sign towards us, over
 *              POST, the notify URL's path and query, and the body: by the
 *              app's newest live HMAC key, else by the platform's key
 *
 * The timestamp and with it the signature are of one try; id and body never
 * change.  Secrets are opened on the stack and wiped.
 */
#ifndef WK_HOOK_SIGN_H
#define WK_HOOK_SIGN_H

#include "channels/channel.h"
#include "worker/row.h"
#include "worker/worker.h"

/* the app's secrets as they stand in the tables; empty = none */
struct wk_hook_secret {
    struct ph_str webhook; /* app.webhook_secret, sealed */
    struct ph_str key_id;  /* of the key that follows; only for payhub-v3 */
    struct ph_str key;     /* app_key.secret, sealed */
};

/*
 * Fills method, url, headers and body; texts live in the arena.  NULL, or why
 * it cannot be signed.
 */
const char *wk_hook_request(const struct wk_worker      *worker,
                            const struct wk_task        *task,
                            const struct wk_hook_secret *secret,
                            uint64_t now_ms, struct ph_arena *arena,
                            struct ph_channel_request *request) PH_MUST_CHECK;

#endif

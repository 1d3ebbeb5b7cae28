/* hook_sign.c - the two forms of a webhook's signature; see hook_sign.h. */
#include "worker/hook_sign.h"

#include <openssl/crypto.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/webhook.h"
#include "worker/hook_rule.h"
#include "worker/platform.h"

#define SECRET_MAX 512
#define PREFIX_MAX 1024 /* method, target, timestamp, nonce */
#define NONCE_BYTES 16

static void
header_add(struct ph_channel_request *request, const char *name,
           struct ph_str value)
{
    request->headers[request->header_count++]
        = (struct ph_channel_header){ ph_str_z(name), value };
}

static bool
unseal(const struct wk_worker *worker, const struct ph_seal_place *place,
       struct ph_str sealed, struct ph_buf *out)
{
    return sealed.len != 0
           && ph_unseal(out, worker->seal_keys, worker->seal_key_count, place,
                        sealed)
                  == PH_OK;
}

static struct ph_str
timestamp_text(struct ph_arena *arena, uint64_t now_ms)
{
    struct ph_buf text;

    ph_arena_open(arena, &text);
    ph_buf_u64(&text, now_ms / 1000);
    return ph_arena_close(arena, &text);
}

/* ---- Standard Webhooks ---- */

static bool
sign_v1(const struct wk_worker *worker, const struct wk_task *task,
        struct ph_str sealed, uint64_t now_ms, struct ph_buf *signature)
{
    const struct ph_seal_place place
        = { PH_STR("app"), task->app_id, PH_STR("webhook_secret") };
    char          text_memory[SECRET_MAX], key_memory[64];
    struct ph_buf text = PH_BUF_INIT(text_memory);
    struct ph_buf key  = PH_BUF_INIT(key_memory);

    bool is_signed = unseal(worker, &place, sealed, &text)
                     && ph_webhook_secret(&key, ph_buf_str(&text)) == PH_OK
                     && ph_webhook_sign(signature, ph_buf_str(&key), task->id,
                                        now_ms / 1000, task->body);
    OPENSSL_cleanse(text_memory, sizeof(text_memory));
    OPENSSL_cleanse(key_memory, sizeof(key_memory));
    return is_signed;
}

static bool
sign_v1a(const struct wk_worker *worker, const struct wk_task *task,
         struct ph_str timestamp, struct ph_buf *signature)
{
    struct ph_str pieces[PH_WEBHOOK_PIECES];

    if (worker->platform == NULL) {
        return true;
    }
    ph_webhook_pieces(pieces, task->id, timestamp, task->body);
    ph_buf_add(signature, PH_STR(" " PH_WEBHOOK_V1A));
    return wk_platform_sign(worker->platform, signature, pieces,
                            PH_COUNT(pieces));
}

static const char *
load_standard(const struct wk_worker *worker, const struct wk_task *task,
              const struct wk_hook_secret *secret, uint64_t now_ms,
              struct ph_arena *arena, struct ph_channel_request *request)
{
    struct ph_str timestamp = timestamp_text(arena, now_ms);
    struct ph_buf signature;

    ph_arena_open(arena, &signature);
    if (!sign_v1(worker, task, secret->webhook, now_ms, &signature)) {
        return "the app's webhook secret does not open";
    }
    if (!sign_v1a(worker, task, timestamp, &signature)) {
        return "the platform's key does not sign";
    }
    header_add(request, "webhook-id", task->id);
    header_add(request, "webhook-timestamp", timestamp);
    header_add(request, "webhook-signature", ph_arena_close(arena, &signature));
    return NULL;
}

/* ---- payhub-v3 ---- */

static bool
sign_v3(const struct wk_worker *worker, const struct wk_task *task,
        const struct wk_hook_secret *secret, struct ph_str prefix,
        struct ph_auth_v3 *auth, struct ph_buf *signature)
{
    const struct ph_str pieces[] = { prefix, task->body, PH_STR("\n") };
    char                memory[SECRET_MAX];
    struct ph_buf       key = PH_BUF_INIT(memory);
    uint8_t             sum[PH_SHA256_LEN];

    if (secret->key.len == 0) {
        auth->key_id = wk_platform_key_id(worker->platform);
        return wk_platform_sign(worker->platform, signature, pieces,
                                PH_COUNT(pieces));
    }
    const struct ph_seal_place place
        = { PH_STR("app_key"), secret->key_id, PH_STR("secret") };
    bool is_signed
        = unseal(worker, &place, secret->key, &key)
          && ph_hmac_once(ph_buf_str(&key), pieces, PH_COUNT(pieces), sum);

    OPENSSL_cleanse(memory, sizeof(memory));
    auth->key_id = secret->key_id;
    if (is_signed) {
        ph_b64_encode(signature, ph_str_make((const char *) sum, sizeof(sum)));
    }
    return is_signed;
}

static struct ph_str
nonce_make(struct ph_arena *arena)
{
    uint8_t       random[NONCE_BYTES];
    struct ph_buf text;

    ph_random(random, sizeof(random));
    ph_arena_open(arena, &text);
    ph_buf_hex(&text, ph_str_make((const char *) random, sizeof(random)));
    return ph_arena_close(arena, &text);
}

static const char *
load_v3(const struct wk_worker *worker, const struct wk_task *task,
        const struct wk_hook_secret *secret, uint64_t now_ms,
        struct ph_arena *arena, struct ph_channel_request *request)
{
    char              memory[PREFIX_MAX], signature_memory[128];
    struct ph_buf     prefix    = PH_BUF_INIT(memory);
    struct ph_buf     signature = PH_BUF_INIT(signature_memory);
    struct ph_buf     header;
    struct ph_auth_v3 auth = { .timestamp_text = timestamp_text(arena, now_ms),
                               .nonce          = nonce_make(arena) };

    ph_arena_open(arena, &header);
    wk_hook_target(&header, task->url);
    ph_auth_v3_prefix(&prefix, PH_STR("POST"), ph_arena_close(arena, &header),
                      auth.timestamp_text, auth.nonce);
    if (prefix.full
        || !sign_v3(worker, task, secret, ph_buf_str(&prefix), &auth,
                    &signature))
    {
        return "there is no key to sign the form payhub-v3 with";
    }
    auth.signature = ph_buf_str(&signature);
    ph_arena_open(arena, &header);
    ph_auth_v3_format(&header, &auth);
    header_add(request, "Authorization", ph_arena_close(arena, &header));
    header_add(request, "webhook-id", task->id);
    return NULL;
}

const char *
wk_hook_request(const struct wk_worker *worker, const struct wk_task *task,
                const struct wk_hook_secret *secret, uint64_t now_ms,
                struct ph_arena *arena, struct ph_channel_request *request)
{
    bool is_v3 = ph_str_eq(task->form, PH_STR("payhub-v3"));

    *request        = (struct ph_channel_request){ 0 };
    request->method = PH_STR("POST");
    request->url    = task->url;
    request->body   = task->body;
    header_add(request, "Content-Type", PH_STR("application/json"));

    const char *why
        = is_v3 ? load_v3(worker, task, secret, now_ms, arena, request)
                : load_standard(worker, task, secret, now_ms, arena, request);

    return why != NULL || !arena->full ? why : "the request has no room";
}

/* platform.c - the platform's signing key; see platform.h. */
#include "worker/platform.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/ed25519.h"
#include "libpayhub/wire/webhook.h"
#include "worker/route.h"
#include "worker/view.h"

#define KEYS 2 /* today's and the one before */

struct wk_platform {
    struct ph_ed25519 *key[KEYS];
};

static bool
key_load(const struct ph_conf *conf, enum ph_conf_key which,
         struct ph_ed25519 **key)
{
    const char   *path = ph_conf_text(conf, which);
    char          memory[PH_ED25519_PEM_MAX], why_memory[512];
    struct ph_buf pem = PH_BUF_INIT(memory), why = PH_BUF_INIT(why_memory);
    enum ph_rc    rc = PH_E_SYNTAX;

    if (path[0] == '\0') {
        return true;
    }
    if (ph_secret_read(path, &pem, &why)) {
        ph_buf_byte(&pem, '\n'); /* which the reader took off */
        rc = ph_ed25519_new(key, ph_buf_str(&pem));
        if (rc != PH_OK) {
            ph_buf_add(&why, ph_str_z(path));
            ph_buf_add(&why, PH_STR(": expected the PEM of an Ed25519 private "
                                    "key without a passphrase"));
        }
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    if (rc != PH_OK) {
        ph_log(PH_LOG_ERROR, "platform_key",
               { "key", ph_str_z(ph_conf_row(which)->key) },
               { "why", ph_buf_str(&why) });
    }
    return rc == PH_OK;
}

bool
wk_platform_new(struct wk_platform **out, const struct ph_conf *conf)
{
    struct wk_platform *platform = calloc(1, sizeof(*platform));

    *out = NULL;
    if (platform == NULL
        || !key_load(conf, PH_CONF_pay_platform_key_file, &platform->key[0])
        || !key_load(conf, PH_CONF_pay_platform_old_key_file,
                     &platform->key[1]))
    {
        wk_platform_free(platform);
        return false;
    }
    if (platform->key[0] == NULL) { /* the old one alone signs nothing */
        wk_platform_free(platform);
        return true;
    }
    *out = platform;
    return true;
}

void
wk_platform_free(struct wk_platform *platform)
{
    for (size_t i = 0; platform != NULL && i < KEYS; i++) {
        ph_ed25519_free(platform->key[i]);
    }
    free(platform);
}

struct ph_str
wk_platform_key_id(const struct wk_platform *platform)
{
    return platform != NULL ? ph_ed25519_id(platform->key[0])
                            : ph_str_make(NULL, 0);
}

bool
wk_platform_sign(const struct wk_platform *platform, struct ph_buf *buf,
                 const struct ph_str *pieces, size_t count)
{
    uint8_t       signature[PH_ED25519_SIGNATURE_LEN];
    size_t        len = 0;
    struct ph_buf message;
    bool          ok = false;

    for (size_t i = 0; i < count; i++) {
        len += pieces[i].len;
    }
    char *memory = platform != NULL ? malloc(len + 1) : NULL;

    if (memory != NULL) {
        ph_buf_init(&message, memory, len + 1);
        for (size_t i = 0; i < count; i++) {
            ph_buf_add(&message, pieces[i]);
        }
        ok = ph_ed25519_sign(platform->key[0], ph_buf_str(&message), signature);
        free(memory);
    }
    if (ok) {
        ph_b64_encode(buf,
                      ph_str_make((const char *) signature, sizeof(signature)));
    }
    return ok && !buf->full;
}

bool
wk_platform_answer(const struct wk_platform *platform, struct ph_buf *buf,
                   uint64_t now_s, struct ph_str nonce, unsigned status,
                   struct ph_str body)
{
    char          memory[PH_NONCE_LEN_MAX + 32], when_memory[24];
    struct ph_buf head = PH_BUF_INIT(memory), when = PH_BUF_INIT(when_memory);

    ph_buf_u64(&when, now_s);
    ph_answer_v3_prefix(&head, ph_buf_str(&when), nonce, status);

    const struct ph_str pieces[] = { ph_buf_str(&head), body, PH_STR("\n") };

    ph_buf_add(buf, wk_platform_key_id(platform));
    ph_buf_byte(buf, ' ');
    ph_buf_add(buf, ph_buf_str(&when));
    ph_buf_byte(buf, ' ');
    return !head.full
           && wk_platform_sign(platform, buf, pieces, PH_COUNT(pieces));
}

static void
key_view(const struct ph_ed25519 *key, struct ph_buf *buf)
{
    char          memory[512], hook_memory[PH_WEBHOOK_PUBLIC_MAX];
    struct ph_buf pem = PH_BUF_INIT(memory), hook = PH_BUF_INIT(hook_memory);

    ph_webhook_public(&hook, (const uint8_t *) ph_ed25519_public(key).ptr);
    if (!ph_ed25519_public_pem(key, &pem)) {
        pem.len = 0;
    }
    ph_buf_byte(buf, '{');
    wk_view_text(buf, "key_id", ph_ed25519_id(key));
    wk_view_text(buf, "alg", PH_STR("ed25519"));
    wk_view_text(buf, "public_key", ph_buf_str(&pem));
    wk_view_text(buf, "webhook_public_key", ph_buf_str(&hook));
    ph_buf_byte(buf, '}');
}

void
wk_platform_view(const struct wk_platform *platform, struct ph_buf *buf)
{
    bool is_first = true;

    ph_buf_add(buf, PH_STR("{\"data\":["));
    for (size_t i = 0; platform != NULL && i < KEYS; i++) {
        if (platform->key[i] != NULL) {
            ph_buf_add(buf, is_first ? PH_STR("") : PH_STR(","));
            key_view(platform->key[i], buf);
            is_first = false;
        }
    }
    ph_buf_add(buf, PH_STR("]}"));
}

void
wk_keys_tell(struct wk_request *request, const struct wk_route_match *match)
{
    struct ph_buf *text = wk_server_text(request->worker);

    (void) match;
    if (request->query.ptr != NULL) {
        wk_reply_error(request, PH_ERROR_UNKNOWN_MEMBER,
                       "expected no query parameters");
        return;
    }
    wk_platform_view(request->worker->platform, text);
    const struct wk_reply reply
        = { .type = PH_FRAME_RESULT, .status = 200, .body = ph_buf_str(text) };

    wk_reply(request, &reply);
}

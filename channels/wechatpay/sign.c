/*
 * sign.c - our requests signed, WeChat's messages verified and opened.
 */
#include "channels/wechatpay/wechatpay_int.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/cipher.h"

#define SCHEME "WECHATPAY2-SHA256-RSA2048"
#define PROBE "WECHATPAY/SIGNTEST/"
#define TIMESTAMP_MAX UINT64_C(99999999999)
#define HEADER_NONCE_MAX 128
#define SIGNATURE_TEXT_MAX PH_B64_LEN(PH_RSA_LEN_MAX)
#define PATH_MAX_LEN 128 /* of a member of what is sealed */

/* --- ours ----------------------------------------------------------------- */

#define MESSAGE_PIECES 10

static void
message_pieces(struct ph_str pieces[MESSAGE_PIECES], struct ph_str method,
               struct ph_str target, const struct wechat_stamp *stamp,
               struct ph_str body)
{
    const struct ph_str lines[MESSAGE_PIECES / 2]
        = { method, target, stamp->timestamp, stamp->nonce, body };

    for (size_t i = 0; i < PH_COUNT(lines); i++) {
        pieces[2 * i]     = lines[i];
        pieces[2 * i + 1] = PH_STR("\n");
    }
}

void
wechat_message(struct ph_buf *buf, struct ph_str method, struct ph_str target,
               const struct wechat_stamp *stamp, struct ph_str body)
{
    struct ph_str pieces[MESSAGE_PIECES];

    message_pieces(pieces, method, target, stamp, body);
    for (size_t i = 0; i < MESSAGE_PIECES; i++) {
        ph_buf_add(buf, pieces[i]);
    }
}

/* Appends the base64 of the merchant's signature. */
static bool
signature_add(const struct ph_channel_account *account,
              const struct ph_str *pieces, size_t count, struct ph_buf *buf)
{
    const struct wechat_account *opened = account->context;
    char                         memory[PH_RSA_LEN_MAX];
    struct ph_buf                raw = PH_BUF_INIT(memory);

    if (!ph_private_sign(opened->key, PH_RSA_SHA256, pieces, count, &raw)) {
        return false;
    }
    ph_b64_encode(buf, ph_buf_str(&raw));
    return !buf->full;
}

static void
quoted_add(struct ph_buf *buf, const char *name, struct ph_str value)
{
    ph_buf_add(buf, ph_str_z(name));
    ph_buf_add(buf, PH_STR("=\""));
    ph_buf_add(buf, value);
    ph_buf_byte(buf, '"');
}

bool
wechat_authorization(const struct ph_channel_account *account,
                     struct ph_str method, struct ph_str target,
                     const struct wechat_stamp *stamp, struct ph_str body,
                     struct ph_buf *buf)
{
    const struct wechat_account *opened = account->context;
    struct ph_str                pieces[MESSAGE_PIECES];

    message_pieces(pieces, method, target, stamp, body);
    ph_buf_add(buf, PH_STR(SCHEME " "));
    quoted_add(buf, "mchid", account->values[WECHAT_MCHID]);
    quoted_add(buf, ",serial_no",
               ph_str_make(opened->serial_no, opened->serial_no_len));
    quoted_add(buf, ",timestamp", stamp->timestamp);
    quoted_add(buf, ",nonce_str", stamp->nonce);
    ph_buf_add(buf, PH_STR(",signature=\""));
    if (!signature_add(account, pieces, MESSAGE_PIECES, buf)) {
        return false;
    }
    ph_buf_byte(buf, '"');
    return !buf->full;
}

void
wechat_stamp_make(uint64_t now_ms, const uint8_t *random,
                  struct ph_arena *arena, struct wechat_stamp *out)
{
    static const char digits[] = "0123456789ABCDEF";
    char              nonce[WECHAT_NONCE_LEN];
    struct ph_buf     buf;

    ph_arena_open(arena, &buf);
    ph_buf_u64(&buf, now_ms / 1000);
    out->timestamp = ph_arena_close(arena, &buf);
    for (size_t i = 0; i < sizeof(nonce); i++) {
        nonce[i] = digits[random[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    }
    out->nonce = ph_arena_dup(arena, ph_str_make(nonce, sizeof(nonce)));
}

/* --- theirs --------------------------------------------------------------- */

enum ph_rc
wechat_signed_read(const struct ph_channel_header *headers, size_t count,
                   uint64_t now_ms, struct wechat_signed *out)
{
    uint64_t      now_s = now_ms / 1000, at_s;
    struct ph_str type
        = ph_channel_header(headers, count, PH_STR("Wechatpay-Signature-Type"));

    out->timestamp
        = ph_channel_header(headers, count, PH_STR("Wechatpay-Timestamp"));
    out->nonce  = ph_channel_header(headers, count, PH_STR("Wechatpay-Nonce"));
    out->serial = ph_channel_header(headers, count, PH_STR("Wechatpay-Serial"));
    out->signature
        = ph_channel_header(headers, count, PH_STR("Wechatpay-Signature"));
    if (out->timestamp.len == 0 || out->nonce.len == 0 || out->serial.len == 0
        || out->signature.len == 0)
    {
        return PH_E_MISSING;
    }
    if (!ph_str_u64(out->timestamp, TIMESTAMP_MAX, &at_s)
        || out->nonce.len > HEADER_NONCE_MAX || ph_str_has_control(out->nonce)
        || out->signature.len > SIGNATURE_TEXT_MAX)
    {
        return PH_E_SYNTAX;
    }
    if (at_s + WECHAT_WINDOW_S < now_s || at_s > now_s + WECHAT_WINDOW_S) {
        return PH_E_RANGE;
    }
    if (ph_str_starts(out->signature, PH_STR(PROBE))
        || (type.len != 0 && !ph_str_eq(type, PH_STR(SCHEME))))
    {
        return PH_E_SIGNATURE;
    }
    return PH_OK;
}

enum ph_rc
wechat_signed_check(const struct wechat_signed *that,
                    const struct wechat_key *key, struct ph_str body)
{
    const struct ph_str pieces[]
        = { that->timestamp, PH_STR("\n"), that->nonce,
            PH_STR("\n"),    body,         PH_STR("\n") };
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory);

    if (ph_b64_decode(&raw, that->signature) != PH_OK) {
        return PH_E_SYNTAX;
    }
    return ph_public_check(key->key, PH_RSA_SHA256, pieces, PH_COUNT(pieces),
                           ph_buf_str(&raw));
}

enum ph_rc
wechat_answer_verify(const struct ph_channel_account *account,
                     const struct ph_channel_header *headers, size_t count,
                     struct ph_str body, uint64_t now_ms)
{
    const struct wechat_account *opened = account->context;
    struct wechat_signed         that;
    enum ph_rc rc = wechat_signed_read(headers, count, now_ms, &that);

    if (rc != PH_OK) {
        return rc;
    }
    const struct wechat_key *key
        = wechat_key_find(opened->keys, opened->key_count, that.serial, now_ms);
    return key != NULL ? wechat_signed_check(&that, key, body) : PH_E_UNKNOWN;
}

/* --- what is sealed ------------------------------------------------------- */

static enum ph_rc
sealed_text(const struct ph_doc *doc, const char *path, const char *name,
            struct ph_arena *arena, struct ph_str *out)
{
    char          memory[PATH_MAX_LEN];
    struct ph_buf buf = PH_BUF_INIT(memory);

    ph_buf_add(&buf, ph_str_z(path));
    ph_buf_byte(&buf, '.');
    ph_buf_add(&buf, ph_str_z(name));
    const char *whole = ph_buf_z(&buf);
    return buf.full ? PH_E_FULL : ph_doc_text(doc, whole, arena, out);
}

/* Under the key in use, then under the one before. */
static enum ph_rc
sealed_try(const struct ph_channel_account *account, struct ph_str nonce,
           struct ph_str aad, struct ph_str sealed, struct ph_buf *out)
{
    struct ph_str old = account->values[WECHAT_OLD_APIV3_KEY];
    enum ph_rc    rc = ph_aes_gcm_open(account->values[WECHAT_APIV3_KEY], nonce,
                                       aad, sealed, out);

    return rc == PH_E_CHECKSUM && old.len != 0
               ? ph_aes_gcm_open(old, nonce, aad, sealed, out)
               : rc;
}

enum ph_rc
wechat_sealed_open(const struct ph_channel_account *account,
                   const struct ph_doc *doc, const char *path,
                   struct ph_arena *arena, struct ph_str *plain)
{
    struct ph_str algorithm, nonce, aad, text, sealed;
    struct ph_buf buf;
    enum ph_rc    rc = sealed_text(doc, path, "algorithm", arena, &algorithm);

    if (rc != PH_OK) {
        return rc;
    }
    if (!ph_str_eq(algorithm, PH_STR("AEAD_AES_256_GCM"))) {
        return PH_E_UNKNOWN;
    }
    rc = sealed_text(doc, path, "associated_data", arena, &aad);
    if (rc == PH_E_MISSING) {
        aad = ph_str_make(NULL, 0);
        rc  = PH_OK;
    }
    if (rc == PH_OK) {
        rc = sealed_text(doc, path, "nonce", arena, &nonce);
    }
    if (rc == PH_OK) {
        rc = sealed_text(doc, path, "ciphertext", arena, &text);
    }
    if (rc != PH_OK) {
        return rc;
    }
    ph_arena_open(arena, &buf);
    rc     = ph_b64_decode(&buf, text);
    sealed = ph_arena_close(arena, &buf);
    if (rc != PH_OK) {
        return rc;
    }
    ph_arena_open(arena, &buf);
    rc     = sealed_try(account, nonce, aad, sealed, &buf);
    *plain = ph_arena_close(arena, &buf);
    return rc == PH_OK && arena->full ? PH_E_FULL : rc;
}

enum ph_rc
wechat_resource_open(const struct ph_channel_account *account,
                     struct ph_str body, struct ph_arena *arena,
                     struct ph_str *plain)
{
    struct ph_doc *doc;
    enum ph_rc     rc = ph_doc_json(&doc, body);

    if (rc == PH_OK) {
        rc = wechat_sealed_open(account, doc, "resource", arena, plain);
    }
    ph_doc_free(doc);
    return rc;
}

/* --- calling up the payer ------------------------------------------------- */

struct handed {
    const char   *name;
    struct ph_str value;
};

static struct ph_str
handed_json(const struct handed *members, size_t count, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    for (size_t i = 0; i < count; i++) {
        ph_buf_byte(&buf, i == 0 ? '{' : ',');
        ph_buf_json(&buf, ph_str_z(members[i].name));
        ph_buf_byte(&buf, ':');
        ph_buf_json(&buf, members[i].value);
    }
    ph_buf_byte(&buf, '}');
    return ph_arena_close(arena, &buf);
}

struct ph_str
wechat_invoke_make(const struct ph_channel_account *account,
                   const struct wechat_invoke *invoke, struct ph_arena *arena)
{
    struct ph_buf buf;
    struct ph_str package, sign;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, invoke->is_app ? PH_STR("") : PH_STR("prepay_id="));
    ph_buf_add(&buf, invoke->prepay_id);
    package = ph_arena_close(arena, &buf);

    const struct ph_str pieces[]
        = { invoke->appid, PH_STR("\n"), invoke->timestamp, PH_STR("\n"),
            invoke->nonce, PH_STR("\n"), package,           PH_STR("\n") };
    ph_arena_open(arena, &buf);
    bool ok = signature_add(account, pieces, PH_COUNT(pieces), &buf);
    sign    = ph_arena_close(arena, &buf);
    if (!ok || arena->full) {
        return ph_str_make(NULL, 0);
    }
    const struct handed app[] = { { "appid", invoke->appid },
                                  { "partnerid", invoke->partnerid },
                                  { "prepayid", invoke->prepay_id },
                                  { "package", PH_STR("Sign=WXPay") },
                                  { "noncestr", invoke->nonce },
                                  { "timestamp", invoke->timestamp },
                                  { "sign", sign } };
    const struct handed jsapi[]
        = { { "appId", invoke->appid },    { "timeStamp", invoke->timestamp },
            { "nonceStr", invoke->nonce }, { "package", package },
            { "signType", PH_STR("RSA") }, { "paySign", sign } };

    return invoke->is_app ? handed_json(app, PH_COUNT(app), arena)
                          : handed_json(jsapi, PH_COUNT(jsapi), arena);
}

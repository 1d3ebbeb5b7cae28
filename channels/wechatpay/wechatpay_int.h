/*
 * wechatpay_int.h - the parts of the WeChat Pay adapter, for one another and
 * for tests.
 *
 *   account.c       what an account is, and what orders it takes
 *   sign.c          requests signed, answers and notices verified, opened
 *   request.c       what is asked
 *   read.c          what was answered
 *   certificates.c  ACCOUNT_REFRESH
 *   wechatpay.c     the steps, notices, and the table
 */
#ifndef PH_CHANNEL_WECHATPAY_INT_H
#define PH_CHANNEL_WECHATPAY_INT_H

#include "channels/channel.h"
#include "channels/pick.h"
#include "channels/wechatpay/wechatpay.h"
#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/rsa.h"

#define WECHAT_WINDOW_S 300 /* older or newer is not believed */
#define WECHAT_SERIAL_MAX 64
#define WECHAT_CERTS_MAX 8
#define WECHAT_LISTED_MAX 32 /* certificates in one answer */
#define WECHAT_KEYS_MAX (WECHAT_CERTS_MAX + 2)
#define WECHAT_LATE_MS UINT64_C(86400000) /* an expired certificate's rest */
#define WECHAT_REFRESH_MS UINT64_C(43200000)
#define WECHAT_REFRESH_REFUSED_MS UINT64_C(86400000)
#define WECHAT_NONCE_LEN 32
#define WECHAT_PUBLIC_PREFIX "PUB_KEY_ID_"

enum wechat_field {
    WECHAT_BASE_URL,
    WECHAT_MCHID,
    WECHAT_APPID,
    WECHAT_PRIVATE_KEY,
    WECHAT_SERIAL_NO,
    WECHAT_MERCHANT_CERT,
    WECHAT_APIV3_KEY,
    WECHAT_OLD_APIV3_KEY,
    WECHAT_PUBLIC_KEY_ID,
    WECHAT_PUBLIC_KEY,
    WECHAT_OLD_PUBLIC_KEY_ID,
    WECHAT_OLD_PUBLIC_KEY,
    WECHAT_SERVICE_PROVIDER,
    WECHAT_SUB_MCHID,
    WECHAT_SUB_APPID,
    WECHAT_STORE_ID,
    WECHAT_FIELDS
};

/* --- account.c ------------------------------------------------------------ */

/* a key that WeChat signs with, under the name that its messages give */
struct wechat_key {
    char                        serial[WECHAT_SERIAL_MAX]; /* upper case */
    size_t                      serial_len;
    const struct ph_public_key *key;
    uint64_t from_ms; /* a certificate's dates; of a bare key 0 and for ever */
    uint64_t until_ms;
};

/* an account's parsed keys: what account_open() gives */
struct wechat_account {
    struct ph_private_key *key;
    char                   serial_no[WECHAT_SERIAL_MAX]; /* the merchant's */
    size_t                 serial_no_len;
    bool                   is_partner;

    struct wechat_key keys[WECHAT_KEYS_MAX];
    size_t            key_count;

    struct ph_cert       *certs[WECHAT_CERTS_MAX]; /* owned; keys[] borrows */
    size_t                cert_count;
    struct ph_public_key *publics[2];
};

/* Who takes part in an order; of a plain account the sub_... are empty. */
struct wechat_parties {
    struct ph_str mchid;
    struct ph_str appid;
    struct ph_str sub_mchid;
    struct ph_str sub_appid;
    bool          is_partner;
};

extern const struct ph_channel_field wechat_fields[WECHAT_FIELDS];

void       *wechat_account_open(const struct ph_channel_account *account,
                                const struct ph_channel_env *env, uint64_t now_ms,
                                struct ph_arena *arena, const char **why);
void        wechat_account_close(void *context);
const char *wechat_order_check(const struct ph_channel_account *account,
                               const struct ph_channel_order   *order);
void        wechat_expected(const struct ph_channel_account *account,
                            const struct ph_channel_order   *order,
                            struct ph_arena *arena, struct ph_channel_expected *out);

void wechat_parties(const struct ph_channel_account *account,
                    const struct ph_channel_order   *order,
                    struct ph_arena *arena, struct wechat_parties *out);
bool wechat_is_bar(struct ph_str method);

/* a value whose key is put under its serial; false = no room, or no serial */
bool wechat_key_put(struct wechat_key *slot, struct ph_str serial,
                    const struct ph_public_key *key);

/* the same of a certificate, with its dates */
bool wechat_key_of(struct wechat_key *slot, const struct ph_cert *cert);

/* "PUB_KEY_ID_..." or a certificate's serial in hex, in either case; NULL =
 * none of that name, or one that expired longer than WECHAT_LATE_MS ago */
const struct wechat_key *wechat_key_find(const struct wechat_key *keys,
                                         size_t count, struct ph_str serial,
                                         uint64_t now_ms);

/* a serial of a certificate, so that a refresh may bring it */
bool wechat_serial_is_hex(struct ph_str serial);

/* The key that answers are to be signed with: a public key where there is one,
 * else the newest certificate; NULL = there is none that would be believed. */
const struct wechat_key *wechat_key_wanted(const struct wechat_account *account,
                                           uint64_t                     now_ms);

/* --- sign.c --------------------------------------------------------------- */

struct wechat_stamp {
    struct ph_str timestamp; /* unix seconds */
    struct ph_str nonce;
};

/* METHOD LF target LF timestamp LF nonce LF body LF */
void wechat_message(struct ph_buf *buf, struct ph_str method,
                    struct ph_str target, const struct wechat_stamp *stamp,
                    struct ph_str body);

/* the header's value; false = no room, or the library failed */
bool wechat_authorization(const struct ph_channel_account *account,
                          struct ph_str method, struct ph_str target,
                          const struct wechat_stamp *stamp, struct ph_str body,
                          struct ph_buf *buf) PH_MUST_CHECK;

/* time and nonce of a message of ours */
void wechat_stamp_make(uint64_t now_ms, const uint8_t *random,
                       struct ph_arena *arena, struct wechat_stamp *out);

/* The signature headers of a message of WeChat's. */
struct wechat_signed {
    struct ph_str timestamp;
    struct ph_str nonce;
    struct ph_str serial;
    struct ph_str signature; /* base64 */
};

/* PH_E_MISSING; PH_E_SYNTAX; PH_E_RANGE: outside of the window; PH_E_SIGNATURE:
 * a probe, or of another kind than RSA with SHA-256 */
enum ph_rc wechat_signed_read(const struct ph_channel_header *headers,
                              size_t count, uint64_t now_ms,
                              struct wechat_signed *out) PH_MUST_CHECK;
enum ph_rc wechat_signed_check(const struct wechat_signed *that,
                               const struct wechat_key    *key,
                               struct ph_str               body) PH_MUST_CHECK;

/* Both, by the account's keys; PH_E_UNKNOWN: none of that serial. */
enum ph_rc wechat_answer_verify(const struct ph_channel_account *account,
                                const struct ph_channel_header  *headers,
                                size_t count, struct ph_str body,
                                uint64_t now_ms) PH_MUST_CHECK;

/* AEAD_AES_256_GCM under the account's key, or its old one; the members stand
 * in `doc` below `path`.  PH_E_CHECKSUM: not sealed with it. */
enum ph_rc wechat_sealed_open(const struct ph_channel_account *account,
                              const struct ph_doc *doc, const char *path,
                              struct ph_arena *arena,
                              struct ph_str   *plain) PH_MUST_CHECK;

/* the same of a notice's body, as it was sent */
enum ph_rc wechat_resource_open(const struct ph_channel_account *account,
                                struct ph_str body, struct ph_arena *arena,
                                struct ph_str *plain) PH_MUST_CHECK;

/* What the payer's side is handed to call up the payment with. */
struct wechat_invoke {
    bool          is_app; /* else the JS bridge */
    struct ph_str appid;
    struct ph_str partnerid; /* is_app */
    struct ph_str prepay_id;
    struct ph_str timestamp;
    struct ph_str nonce;
};

/* {NULL, 0}: no room, or the library failed */
struct ph_str wechat_invoke_make(const struct ph_channel_account *account,
                                 const struct wechat_invoke      *invoke,
                                 struct ph_arena                 *arena);

/* --- request.c ------------------------------------------------------------ */

/* The request of `op`; false: no room, or the library failed. */
bool wechat_request_make(const struct ph_channel_call *call,
                         enum ph_channel_op            op,
                         struct ph_channel_request    *request) PH_MUST_CHECK;

/* --- read.c --------------------------------------------------------------- */

void wechat_result_clear(struct ph_channel_result *result,
                         struct ph_str             error_class);

/* The order, or refund, of `doc`, whose signature was checked: all that it
 * echoes, and what it proves.  PH_E_SYNTAX: a member of another type;
 * PH_E_MISSING: not what an order has; PH_E_FULL. */
enum ph_rc wechat_order_read(const struct ph_doc *doc, struct ph_arena *arena,
                             struct ph_channel_result *result) PH_MUST_CHECK;
enum ph_rc wechat_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                              struct ph_str            *order_number,
                              struct ph_channel_result *result) PH_MUST_CHECK;

/* What a whole answer to `op` proves, its signature checked before. */
void wechat_answer_judge(const struct ph_channel_call  *call,
                         enum ph_channel_op             op,
                         const struct ph_channel_reply *reply,
                         struct ph_channel_result      *result);

/* A notice's body, its signature checked before. */
enum ph_rc wechat_notice_read(const struct ph_channel_account *account,
                              struct ph_str body, struct ph_arena *arena,
                              struct ph_channel_notice_out *out) PH_MUST_CHECK;

/* --- certificates.c ------------------------------------------------------- */

/*
 * The answer to GET /v3/certificates: what to keep, as a bundle of PEM, newest
 * first.  Signed by a key that is known, or by one that it brings: what it
 * brings is sealed with the account's APIv3 key.
 */
enum ph_rc wechat_certificates_read(const struct ph_channel_account *account,
                                    const struct ph_channel_reply   *reply,
                                    uint64_t now_ms, struct ph_arena *arena,
                                    struct ph_channel_kept *kept) PH_MUST_CHECK;

enum ph_channel_step wechat_refresh_step(const struct ph_channel_call  *call,
                                         const struct ph_channel_reply *last,
                                         struct ph_channel_out         *out);

#endif

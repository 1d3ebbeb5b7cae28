/*
 * alipay_int.h - the parts of Alipay's adapter, for itself and its tests.
 *
 *   account.c  keys, certificates and their SNs; which orders an account takes
 *   request.c  what is sent: parameters, signature, biz_content
 *   answer.c   what an answer proves: signature, decryption, tables
 *   notice.c   what a notice tells
 *   refresh.c  Alipay's next certificate
 *   tables.c   codes and status words
 *
 * Two modes.  With public keys, whatever is signed by alipay_public_key or the
 * one before it is genuine.  With certificates, an answer names the SN of its
 * certificate: it counts only under that one, which is configured or was
 * fetched and has a chain to alipay_root_cert.
 */
#ifndef PH_CHANNEL_ALIPAY_INT_H
#define PH_CHANNEL_ALIPAY_INT_H

#include "channels/channel.h"
#include "libpayhub/wire/form.h"

enum {
    ALIPAY_GATEWAY_URL,
    ALIPAY_APP_ID,
    ALIPAY_SELLER_ID,
    ALIPAY_APP_PRIVATE_KEY,
    ALIPAY_PUBLIC_KEY,
    ALIPAY_OLD_PUBLIC_KEY,
    ALIPAY_APP_CERT,
    ALIPAY_CERT,
    ALIPAY_ROOT_CERT,
    ALIPAY_AES_KEY,
    ALIPAY_APP_AUTH_TOKEN,
    ALIPAY_PROVIDER_ID,
    ALIPAY_FIELDS
};

#define ALIPAY_SN_LEN 32 /* an MD5 in hex */
#define ALIPAY_ROOTS_MAX 16
#define ALIPAY_ROOT_SN_MAX (ALIPAY_ROOTS_MAX * (ALIPAY_SN_LEN + 1))
#define ALIPAY_KEPT_MAX 4 /* certificates that were fetched */
#define ALIPAY_KEYS_MAX (ALIPAY_KEPT_MAX + 3)
#define ALIPAY_MIDDLE_MAX 4
#define ALIPAY_AES_LEN 16
#define ALIPAY_PARAMS_MAX 24
#define ALIPAY_NOTICE_PAIRS_MAX 128
#define ALIPAY_AMOUNT_MAX INT64_C(10000000000) /* fen */
#define ALIPAY_SETTLES_MS 10000                /* a refund is seen after that */

struct ph_cert;
struct ph_private_key;
struct ph_public_key;

/* One key that signs what Alipay tells. */
struct alipay_key {
    struct ph_public_key       *own;  /* NULL when it is a certificate's */
    struct ph_cert             *cert; /* NULL when it is a bare key */
    const struct ph_public_key *key;
    char                        sn[ALIPAY_SN_LEN]; /* of cert */
};

/* the context of an account */
struct alipay_account {
    bool                   is_cert_mode;
    bool                   has_aes;
    struct ph_private_key *app_key;
    struct alipay_key      keys[ALIPAY_KEYS_MAX]; /* the present one first */
    size_t                 key_count;
    struct ph_trust       *roots;
    struct ph_cert        *middle[ALIPAY_MIDDLE_MAX];
    size_t                 middle_count;
    char                   app_sn[ALIPAY_SN_LEN];
    char                   root_sn[ALIPAY_ROOT_SN_MAX];
    size_t                 root_sn_len;
    uint8_t                aes_key[ALIPAY_AES_LEN];
};

/* --- account.c ------------------------------------------------------------ */

extern const struct ph_channel_field alipay_fields[ALIPAY_FIELDS];

void *alipay_account_open(const struct ph_channel_account *account,
                          const struct ph_channel_env *env, uint64_t now_ms,
                          struct ph_arena *arena, const char **why);
void  alipay_account_close(void *context);

const char *alipay_order_check(const struct ph_channel_account *account,
                               const struct ph_channel_order   *order);
void        alipay_expected(const struct ph_channel_account *account,
                            const struct ph_channel_order   *order,
                            struct ph_arena *arena, struct ph_channel_expected *out);

const struct alipay_account *
alipay_opened(const struct ph_channel_account *account);

/* 32 hex digits, as an SN is written */
bool alipay_is_sn(struct ph_str text);

/* its certificate has this SN */
bool alipay_key_is(const struct alipay_key *key, struct ph_str sn);

/* Of certificate mode, {NULL, 0} without; views of the context. */
void alipay_sns(const struct ph_channel_account *account, struct ph_str *app,
                struct ph_str *alipay, struct ph_str *root);

/* PH_OK: a certificate of Alipay's that has this SN; it chains to the account's
 * roots now and carries the name that the configured one does. */
enum ph_rc alipay_cert_check(const struct ph_channel_account *account,
                             const struct ph_cert *cert, struct ph_str sn,
                             uint64_t now_ms) PH_MUST_CHECK;

/* --- request.c ------------------------------------------------------------ */

/* What is signed; sorts the parameters.  Empty ones are not there. */
void alipay_sign_text(struct ph_pair *params, size_t count, struct ph_buf *buf);

/* Base64 of the signature over them; false: no room, or the library failed. */
bool alipay_params_sign(const struct ph_channel_account *account,
                        struct ph_pair *params, size_t count,
                        struct ph_arena *arena,
                        struct ph_str   *sign) PH_MUST_CHECK;

/* Appends base64 of the cipher text, or the plain text of such base64. */
enum ph_rc alipay_aes(bool enc, const struct ph_channel_account *account,
                      struct ph_str in, struct ph_buf *buf) PH_MUST_CHECK;

/* the method of the API that an operation calls, "alipay.trade.query" */
struct ph_str alipay_method(enum ph_channel_op             op,
                            const struct ph_channel_order *order);

/* The first request of an operation; false: nothing that can be sent. */
bool alipay_request(const struct ph_channel_call *call, enum ph_channel_op op,
                    struct ph_channel_request *request) PH_MUST_CHECK;

/* The address or order string that the payer gets without a call. */
bool alipay_is_handed_over(struct ph_str method);
bool alipay_hand_over(const struct ph_channel_call *call,
                      struct ph_channel_result     *result) PH_MUST_CHECK;

/* biz_content to a method of our own, for refresh.c */
bool alipay_request_of(const struct ph_channel_call *call, struct ph_str method,
                       struct ph_str              biz_content,
                       struct ph_channel_request *request) PH_MUST_CHECK;

/* --- answer.c ------------------------------------------------------------- */

struct alipay_answer {
    struct ph_str content;  /* the signed JSON object, decrypted */
    struct ph_str cert_sn;  /* as told; what to refresh on PH_E_UNKNOWN */
    bool          is_error; /* the member was error_response */
};

/*
 * PH_OK: signed by Alipay; nothing else of *out but cert_sn and is_error counts
 * otherwise.  PH_E_MISSING no signature, PH_E_SIGNATURE a wrong one,
 * PH_E_UNKNOWN no such certificate yet, PH_E_SYNTAX no answer to this method,
 * PH_E_RANGE too long or too deep, PH_E_FULL no room, PH_E_CRYPTO.
 */
enum ph_rc alipay_answer_open(const struct ph_channel_account *account,
                              struct ph_str method, struct ph_str body,
                              struct ph_arena      *arena,
                              struct alipay_answer *out) PH_MUST_CHECK;

/* The base64 of a certificate in the answer to alipaycert.download.  Nobody's
 * signature is asked for: the certificate proves itself. */
bool alipay_certificate_find(struct ph_str body, struct ph_arena *arena,
                             struct ph_str *b64) PH_MUST_CHECK;

/* What the answer to `op` proves; *ask = it proves only that a query has to
 * follow within the operation. */
void alipay_answer_read(const struct ph_channel_call  *call,
                        enum ph_channel_op             op,
                        const struct ph_channel_reply *reply,
                        struct ph_channel_out *out, bool *needs_refresh,
                        bool *ask);

/* --- notice.c ------------------------------------------------------------- */

/* PH_OK: signed by Alipay; sorts the pairs.  PH_E_MISSING no signature,
 * PH_E_UNKNOWN it names a certificate that is not known yet, PH_E_SIGNATURE a
 * wrong one, or of another sign_type than RSA2. */
enum ph_rc alipay_notice_open(const struct ph_channel_account *account,
                              struct ph_pair                  *pairs,
                              size_t count) PH_MUST_CHECK;

enum ph_rc alipay_notice(const struct ph_channel_account *account,
                         const struct ph_channel_notice *in, uint64_t now_ms,
                         struct ph_arena              *arena,
                         struct ph_channel_notice_out *out);

/* --- refresh.c ------------------------------------------------------------ */

enum ph_channel_step alipay_refresh(struct ph_channel_call        *call,
                                    const struct ph_channel_reply *last,
                                    struct ph_channel_out         *out);

/* --- tables.c ------------------------------------------------------------- */

#define ALIPAY_CODES 35 /* a test finds a row that is missing */
extern const struct ph_channel_code alipay_codes[ALIPAY_CODES];

/* of trade_status; UNKNOWN for a word that nobody explained */
enum ph_result_class alipay_status(struct ph_str word);

/* A code of CLOSE or REFUND after which a query tells more than it does. */
bool alipay_is_asked_after(enum ph_channel_op op, struct ph_str code);

/* "88.88" to fen; PH_OK also for {NULL, 0}: -1 */
enum ph_rc alipay_amount(struct ph_str text, int64_t *out) PH_MUST_CHECK;

/* Beijing time to unix ms; 0 when it is none */
uint64_t alipay_time(struct ph_str text);

#endif

/*
 * union_int.h - the parts of the unionpay adapter, for its files and tests.
 *
 * What is signed is "k=v&k=v" of all fields that are not empty, sorted by name,
 * raw, and without `signature` itself.  Method 01 signs the hex text of its
 * SHA-256 with RSA; 11 and 12 hash it together with a shared key.
 *
 * A signer's certificate comes with each message.  It counts only when it
 * chains to the account's root and names UnionPay; only then is the message's
 * signature looked at.
 */
#ifndef PH_CHANNEL_UNION_INT_H
#define PH_CHANNEL_UNION_INT_H

#include "channels/channel.h"
#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/form.h"
#include "libpayhub/wire/rsa.h"

#define UNION_PAIRS_MAX 96
#define UNION_BODY_MAX (64 * 1024)
#define UNION_NAME_MAX 64
#define UNION_CERT_ID_MAX 64
#define UNION_DIGEST_HEX 64

/* in the order of fields[] */
enum union_field {
    UNION_GATEWAY_URL,
    UNION_BACK_URL,
    UNION_QUERY_URL,
    UNION_MER_ID,
    UNION_SIGN_CERT,
    UNION_SIGN_KEY,
    UNION_PFX,
    UNION_PFX_PASSWORD,
    UNION_SECURE_KEY,
    UNION_SIGN_METHOD,
    UNION_ROOT_CERT,
    UNION_MIDDLE_CERT,
    UNION_REVOKE,
    UNION_FIELDS
};

enum union_method {
    UNION_RSA,    /* 01 */
    UNION_SHA256, /* 11 */
    UNION_SM3     /* 12 */
};

/* account_open()'s */
struct union_account {
    enum union_method method;
    /* 01 */
    struct ph_private_key *key;
    struct ph_cert        *cert;
    char                   cert_id[UNION_CERT_ID_MAX]; /* decimal serial */
    size_t                 cert_id_len;
    struct ph_trust       *roots;
    struct ph_cert        *middles[PH_CHAIN_MIDDLE_MAX];
    size_t                 middle_count;
    bool takes_test_signer; /* the test gateway, or one on this machine */
    /* 11, 12 */
    char secure[UNION_DIGEST_HEX]; /* the digest of the key, in hex */
    bool revokes; /* whole refunds of the same day as revocations */
};

/* account.c */
void *union_account_open(const struct ph_channel_account *account,
                         const struct ph_channel_env *env, uint64_t now_ms,
                         struct ph_arena *arena, const char **why);
void  union_account_close(void *context);

/* "01", "11", "12" */
struct ph_str union_method_text(enum union_method method);

/* sign.c */

/* What is signed, of pairs in any order; NULL ptr = no room. */
struct ph_str union_text(const struct ph_pair *pairs, size_t count,
                         struct ph_arena *arena);

/* The digest, in hex, of what is signed and of the key's digest, which may be
 * empty; false = no room, or a digest that is not there. */
bool union_digest(enum union_method method, struct ph_str text,
                  struct ph_str secure, struct ph_buf *hex) PH_MUST_CHECK;

/* certId is among the pairs already where the method needs one. */
bool union_sign(const struct ph_channel_account *account,
                const struct ph_pair *pairs, size_t count,
                struct ph_arena *arena, struct ph_str *signature) PH_MUST_CHECK;

/*
 * PH_OK: UnionPay said so.  PH_E_MISSING, PH_E_SIGNATURE, PH_E_RANGE (dates of
 * a certificate), PH_E_SYNTAX; PH_E_FULL, PH_E_CRYPTO: ours.
 */
enum ph_rc union_verify(const struct ph_channel_account *account,
                        const struct ph_pair *pairs, size_t count,
                        uint64_t now_ms, struct ph_arena *arena) PH_MUST_CHECK;

/* read.c */

/*
 * The text of an answer: k=v&k=v, nothing encoded; a value that begins with {
 * or [ holds & up to the bracket's end.  Views of `body`.  PH_E_SYNTAX,
 * PH_E_DUPLICATE, PH_E_RANGE (too long), PH_E_FULL (too many).
 */
enum ph_rc union_answer_split(struct ph_str body, struct ph_pair *pairs,
                              size_t most, size_t *count) PH_MUST_CHECK;

/* A notice: an encoded form; afterwards the same rules for names and values.
 * Names that stand in `query`, which is the address's, are left out. */
enum ph_rc union_notice_split(struct ph_str body, struct ph_str query,
                              struct ph_arena *arena, struct ph_pair *pairs,
                              size_t most, size_t *count) PH_MUST_CHECK;

/* What a message says, in the arena; absent or empty texts are {NULL, 0}. */
struct union_said {
    struct ph_str code, message;
    struct ph_str orig_code, orig_message;
    struct ph_str txn_type;
    struct ph_str mer_id;
    struct ph_str order_id;
    struct ph_str query_id, orig_query_id; /* UnionPay's numbers */
    struct ph_str tn;
    struct ph_str currency, settle_currency; /* ISO's letters; else as sent */
    int64_t       amount, settle_amount;     /* -1 = absent */
};

/* PH_E_SYNTAX: not UTF-8, or an amount that is none; PH_E_FULL: no room. */
enum ph_rc union_said_read(const struct ph_pair *pairs, size_t count,
                           struct ph_arena   *arena,
                           struct union_said *said) PH_MUST_CHECK;

/* judge.c */

/* What the code of the original trade proves in the answer to a query. */
struct union_orig {
    struct ph_str code;
    struct ph_str error_class;
    bool          is_refusal; /* nothing moved, or will */
    bool          of_refunds; /* of refunds, too */
};

/* NULL = no row: it proves nothing */
const struct union_orig *union_orig_find(struct ph_str code);
const struct union_orig *union_orig_at(size_t i); /* NULL after the last */

/* the answer to call->op, verified and read */
void union_answer_judge(const struct ph_channel_call *call,
                        const struct union_said      *said,
                        struct ph_channel_result     *result);

/* PH_E_MISSING: it does not say what it is about */
enum ph_rc union_notice_judge(const struct union_said      *said,
                              struct ph_arena              *arena,
                              struct ph_channel_notice_out *out) PH_MUST_CHECK;

/* request.c */

/* A signed message to UnionPay in `out`: a request, or for the web the page. */
enum ph_channel_step union_request_make(const struct ph_channel_call *call,
                                        struct ph_channel_out        *out);

#endif

/*
 * paypal_int.h - the parts of the PayPal adapter.
 *
 * An order moves no money: the payer approves it, and then we capture it.  So
 * a create may be sent again, and an order that nobody captures is closed by
 * that alone: nobody else can.  Of one order money is captured at most once.
 */
#ifndef PH_CHANNEL_PAYPAL_INT_H
#define PH_CHANNEL_PAYPAL_INT_H

#include "channels/rest.h"
#include "libpayhub/wire/cert.h"

#define PAYPAL_ID_MAX 64
#define PAYPAL_TOKEN_MAX 4096
#define PAYPAL_CERTS_MAX 4 /* kept, each under its address */
#define PAYPAL_CAPTURES_MAX 8
#define PAYPAL_LINKS_MAX 16
/* A request id is kept for hours at least: how many nobody says. */
#define PAYPAL_REQUEST_ID_MS (UINT64_C(6) * 3600 * 1000)
/* An order that is still only approved so long after its last capture was sent
 * was not captured by it. */
#define PAYPAL_CAPTURE_MS (UINT64_C(10) * 60 * 1000)

enum paypal_field {
    PAYPAL_BASE_URL,
    PAYPAL_CLIENT_ID,
    PAYPAL_CLIENT_SECRET,
    PAYPAL_WEBHOOK_ID,
    PAYPAL_WEBHOOK_CA,
    PAYPAL_MERCHANT_ID,
    PAYPAL_FIELDS
};

/* a certificate of webhooks: the leaf, and what stands behind it in the file */
struct paypal_cert {
    char            url[PH_CHANNEL_HINT_MAX];
    size_t          url_len;
    struct ph_cert *certs[1 + PH_CHAIN_MIDDLE_MAX];
    size_t          count;
};

struct paypal_account {
    struct ph_str          base;
    const struct ph_trust *trust;     /* of the leaves' chains; may be NULL */
    struct ph_trust       *own_trust; /* webhook_ca */
    struct paypal_cert     certs[PAYPAL_CERTS_MAX];
    size_t                 cert_count;
};

/* What a refresh brought, as it is kept: views of the text. */
struct paypal_kept {
    struct ph_str token;
    uint64_t      until_ms;
    struct {
        struct ph_str url;
        struct ph_str pem;
    } certs[PAYPAL_CERTS_MAX]; /* the newest first */
    size_t cert_count;
};

/* What was asked last; the first byte of the state. */
enum paypal_phase {
    PAYPAL_NONE        = 0,
    PAYPAL_CREATE      = 'c',
    PAYPAL_GET         = 'g',
    PAYPAL_GET_LAST    = 'G', /* what it tells is told */
    PAYPAL_CAPTURE     = 'p',
    PAYPAL_REFUND      = 'r',
    PAYPAL_REFUND_GET  = 'q',
    PAYPAL_CAPTURE_GET = 'k', /* after a refusal: did any refund happen? */
    PAYPAL_TOKEN       = 't',
    PAYPAL_CERT        = 'x'
};

struct paypal_money {
    struct ph_str currency;
    int64_t       amount; /* minor units, -1 = not told */
};

struct paypal_capture {
    struct ph_str       id;
    struct ph_str       status;
    struct ph_str       number; /* custom_id */
    struct ph_str       seller;
    struct ph_str       reason;
    struct paypal_money money;
    uint64_t            at_ms;
};

struct paypal_order {
    struct ph_str         id;
    struct ph_str         status;
    struct ph_str         number;
    struct ph_str         seller;
    struct ph_str         link; /* where the payer goes */
    struct paypal_money   money;
    struct paypal_capture captures[PAYPAL_CAPTURES_MAX];
    size_t                capture_count;
};

struct paypal_refund {
    struct ph_str       id;
    struct ph_str       status;
    struct ph_str       invoice; /* our refund's number, when it is ours */
    struct ph_str       capture; /* by its links; {NULL, 0} = not told */
    struct ph_str       reason;
    struct paypal_money money;
    struct paypal_money total; /* of all refunds of the capture */
};

/* ---- the account ---- */

void *paypal_account_open(const struct ph_channel_account *account,
                          const struct ph_channel_env *env, uint64_t now_ms,
                          struct ph_arena *arena, const char **why);
void  paypal_account_close(void *context);

/* ---- requests ---- */

/* what goes on from step to step, and stands in the state */
struct paypal_memory {
    struct ph_str id;           /* the order's, {NULL, 0} = not known */
    bool          was_captured; /* asked to, at least */
    bool          is_first;     /* and by the last request alone */
    uint8_t       declines;     /* captures that the payer's bank refused */
    uint64_t      captured_ms;  /* when the last was sent, 0 = not known */
};

bool paypal_create_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request);
bool paypal_get_make(const struct ph_channel_call *call, struct ph_str id,
                     struct ph_channel_request *request);
bool paypal_capture_make(const struct ph_channel_call *call,
                         const struct paypal_memory   *known,
                         struct ph_channel_request    *request);
bool paypal_refund_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request);
bool paypal_refund_get_make(const struct ph_channel_call *call,
                            struct ph_channel_request    *request);
bool paypal_capture_get_make(const struct ph_channel_call *call,
                             struct ph_channel_request    *request);
bool paypal_token_make(const struct ph_channel_call *call,
                       struct ph_channel_request    *request);
bool paypal_cert_make(const struct ph_channel_call *call,
                      struct ph_channel_request    *request);

/* "10.50"; false: no amount of this currency at PayPal */
bool paypal_amount(struct ph_buf *buf, struct ph_str currency, int64_t minor);
/* and back */
bool paypal_amount_read(struct ph_str currency, struct ph_str value,
                        int64_t *minor);

/* ---- answers ---- */

bool paypal_order_read(const struct ph_doc *doc, struct ph_arena *arena,
                       struct paypal_order *out);
bool paypal_capture_read(const struct ph_doc *doc, struct ph_arena *arena,
                         struct paypal_capture *out);
bool paypal_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                        struct paypal_refund *out);

struct ph_channel_result paypal_order_judge(const struct paypal_order *order,
                                            struct ph_arena           *arena);
struct ph_channel_result
paypal_capture_judge(const struct paypal_capture *capture);
struct ph_channel_result
paypal_refund_judge(const struct paypal_refund *refund);
struct ph_channel_result paypal_error_judge(unsigned status, struct ph_str body,
                                            enum ph_channel_op op,
                                            struct ph_arena   *arena);

/* ---- what is kept ---- */

/* Texts that are not of the shape are passed over. */
void paypal_kept_read(const struct ph_channel_kept *kept,
                      struct paypal_kept           *out);

/* The answer to a refresh, as out->result and out->kept. */
void paypal_token_take(const struct ph_channel_call  *call,
                       const struct ph_channel_reply *reply,
                       struct ph_channel_out         *out);
void paypal_cert_take(const struct ph_channel_call  *call,
                      const struct ph_channel_reply *reply,
                      struct ph_channel_out         *out);

/* Every certificate of `kept` that can be read. */
void paypal_certs_open(struct paypal_account        *account,
                       const struct ph_channel_kept *kept);

/* its name is that of PayPal's webhooks, its chain one that we trust */
enum ph_rc paypal_cert_check(const struct paypal_account *account,
                             struct ph_cert *const *certs, size_t count,
                             uint64_t now_ms, struct ph_arena *arena);

/* ---- webhooks ---- */

/* An address at which PayPal keeps such certificates. */
bool paypal_cert_url_ok(struct ph_str base, struct ph_str url);

/* PH_E_UNKNOWN: its certificate is not there, its address is a good one */
enum ph_rc paypal_webhook_check(const struct ph_channel_account *account,
                                const struct ph_channel_header  *headers,
                                size_t count, struct ph_str body,
                                uint64_t now_ms) PH_MUST_CHECK;

/* A body whose signature was right. */
enum ph_rc paypal_event_read(struct ph_str body, struct ph_arena *arena,
                             struct ph_channel_notice_out *out);

enum ph_rc paypal_notice(const struct ph_channel_account *account,
                         const struct ph_channel_notice *in, uint64_t now_ms,
                         struct ph_arena              *arena,
                         struct ph_channel_notice_out *out);

#endif

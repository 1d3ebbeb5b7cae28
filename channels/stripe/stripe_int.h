/*
 * stripe_int.h - the parts of the Stripe adapter.
 *
 * A PaymentIntent is made by a create that never confirms, so a create moves no
 * money and the same one may be sent again for as long as Stripe keeps its
 * idempotency key.  From then on everything goes by the intent's id: of one
 * intent money is taken at most once, whoever confirms it how often.
 */
#ifndef PH_CHANNEL_STRIPE_INT_H
#define PH_CHANNEL_STRIPE_INT_H

#include "channels/rest.h"

#define STRIPE_VERSION "2026-10-28.endive"
#define STRIPE_ID_MAX 64
#define STRIPE_SECRETS_MAX 4 /* of webhooks, blank-separated */
#define STRIPE_ITEMS_MAX 16  /* of a Stripe-Signature */
#define STRIPE_WINDOW_S 300
#define STRIPE_LIST_MAX 100
/* Keys are kept for 24 hours at least; an hour is left for clocks. */
#define STRIPE_KEY_MS (UINT64_C(23) * 3600 * 1000)

enum stripe_field {
    STRIPE_BASE_URL,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET,
    STRIPE_FIELDS
};

struct stripe_account {
    struct ph_str base;
    bool          is_live; /* by the key's name; neither: not known */
    bool          is_test;
};

/* What was asked last; the first byte of the state, before what follows. */
enum stripe_phase {
    STRIPE_NONE        = 0,
    STRIPE_CREATE      = 'c',
    STRIPE_GET         = 'g',
    STRIPE_GET_LAST    = 'G', /* after a refusal: what it tells is told */
    STRIPE_CONFIRM     = 'f',
    STRIPE_CANCEL      = 'x',
    STRIPE_REFUND      = 'r',
    STRIPE_REFUND_GET  = 'q',
    STRIPE_LIST        = 'l', /* after a refusal, the code behind it */
    STRIPE_LIST_BEFORE = 'L'  /* a refund whose key may be forgotten */
};

struct stripe_intent {
    struct ph_str id;
    struct ph_str status;
    struct ph_str number; /* metadata.out_trade_no */
    struct ph_str currency;
    struct ph_str client_secret;
    struct ph_str redirect_url;
    struct ph_str error_code; /* of the last attempt to pay */
    struct ph_str error_message;
    int64_t       amount; /* minor units, -1 = not told */
    int64_t       amount_received;
    uint64_t      paid_at_ms;
};

struct stripe_refund {
    struct ph_str id;
    struct ph_str status;
    struct ph_str number; /* metadata.out_refund_no */
    struct ph_str intent;
    struct ph_str currency;
    struct ph_str reason; /* why it failed */
    int64_t       amount;
};

struct stripe_error {
    struct ph_str type;
    struct ph_str code;
    struct ph_str message;
};

/* ---- requests: what was asked stands in request->body and ->url ---- */

/* false: the order is none that can be asked for, or no room */
bool stripe_create_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request);
bool stripe_get_make(const struct ph_channel_call *call, struct ph_str id,
                     struct ph_channel_request *request);
bool stripe_confirm_make(const struct ph_channel_call *call, struct ph_str id,
                         struct ph_channel_request *request);
bool stripe_cancel_make(const struct ph_channel_call *call, struct ph_str id,
                        struct ph_channel_request *request);
bool stripe_refund_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request);
bool stripe_refund_get_make(const struct ph_channel_call *call,
                            struct ph_channel_request    *request);
bool stripe_refund_list_make(const struct ph_channel_call *call,
                             struct ph_channel_request    *request);

/* extra.confirm is true */
bool stripe_is_confirmed(const struct ph_channel_order *order,
                         struct ph_arena               *arena);

/* minor units of ours as Stripe counts them, and back */
bool stripe_amount(struct ph_str currency, int64_t minor, int64_t *out);
bool stripe_amount_read(struct ph_str currency, int64_t theirs, int64_t *out);

/* ---- answers ---- */

/* false: a member of the wrong type, an amount that is none, no room */
bool stripe_intent_read(const struct ph_doc *doc, struct ph_arena *arena,
                        struct stripe_intent *out);
bool stripe_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                        struct stripe_refund *out);
/* false: it names a currency that no payment of ours can be in */
bool stripe_currency_is_ours(const struct ph_doc *doc, struct ph_arena *arena);
bool stripe_error_read(struct ph_str body, struct ph_arena *arena,
                       struct stripe_error *out);

struct ph_channel_result stripe_intent_judge(const struct stripe_intent *intent,
                                             struct ph_arena            *arena);
struct ph_channel_result
stripe_refund_judge(const struct stripe_refund *refund);

/* What a refusal of `op` proves, by the table of codes. */
struct ph_channel_result stripe_error_judge(unsigned status, struct ph_str body,
                                            enum ph_channel_op op,
                                            struct ph_arena   *arena);

/* ---- webhooks ---- */

/* PH_E_MISSING: no timestamp or no v1; PH_E_RANGE: too old, too many items;
 * PH_E_SYNTAX, PH_E_DUPLICATE: not of the grammar; PH_E_SIGNATURE. */
enum ph_rc stripe_webhook_check(struct ph_str secrets, struct ph_str header,
                                struct ph_str body,
                                uint64_t      now_ms) PH_MUST_CHECK;

/* A body whose signature was right. */
enum ph_rc stripe_event_read(const struct stripe_account *account,
                             struct ph_str body, struct ph_arena *arena,
                             struct ph_channel_notice_out *out);

enum ph_rc stripe_notice(const struct ph_channel_account *account,
                         const struct ph_channel_notice *in, uint64_t now_ms,
                         struct ph_arena              *arena,
                         struct ph_channel_notice_out *out);

#endif

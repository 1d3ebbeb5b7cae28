/*
 * exchange.h - what payhub's core and a channel adapter tell each other:
 * orders, requests, answers, what they prove, notices.  See channel.h.
 *
 * All texts given to the adapter live until its function returns; all texts it
 * returns live in the arena that it was given.
 */
#ifndef PH_CHANNEL_EXCHANGE_H
#define PH_CHANNEL_EXCHANGE_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"

#define PH_CHANNEL_STEPS_MAX 8
#define PH_CHANNEL_STATE_MAX 256
#define PH_CHANNEL_HEADERS_MAX 16
#define PH_CHANNEL_REPLY_MAX (1024 * 1024)
#define PH_CHANNEL_JSON_MAX (256 * 1024) /* a longer answer is not parsed */
#define PH_CHANNEL_DEPTH_MAX 32
#define PH_CHANNEL_KEPT_MAX 16000 /* sealed it fits VARBINARY(16384) */
#define PH_CHANNEL_HINT_MAX 512
#define PH_CHANNEL_PARTS_MAX 4

enum ph_channel_op {
    PH_OP_CREATE = 1,
    PH_OP_QUERY,
    PH_OP_CLOSE,
    PH_OP_REVERSE,
    PH_OP_REFUND,
    PH_OP_REFUND_QUERY,
    PH_OP_ACCOUNT_REFRESH
};

#define PH_OP_COUNT 8 /* tables by operation; as bits: PH_OP_BIT(op) */
#define PH_OP_BIT(op) (UINT32_C(1) << (op))

/* What a message proves.  Zero is UNKNOWN, so a forgotten assignment asks. */
enum ph_result_class {
    PH_RESULT_UNKNOWN = 0, /* may have happened: query */
    PH_RESULT_SUCCEEDED,   /* the money moved */
    PH_RESULT_FAILED,      /* proof that it did not and will not */
    PH_RESULT_WAIT_USER,   /* the channel has the order, the payer acts */
    PH_RESULT_CLOSED,      /* proof that it is closed unpaid */
    PH_RESULT_NOT_FOUND,   /* the channel knows no such number (queries) */
    PH_RESULT_NOT_SENT     /* refused before execution: may go elsewhere */
};

enum ph_action_type {
    PH_ACTION_NONE = 0,
    PH_ACTION_QR_CODE,
    PH_ACTION_REDIRECT,
    PH_ACTION_FORM,
    PH_ACTION_APP,
    PH_ACTION_JSAPI,
    PH_ACTION_CLIENT_SECRET
};

struct ph_channel_account; /* channel.h */

/* What ACCOUNT_REFRESH brought: tokens, certificates; sealed at rest and
 * shared by all workers. */
struct ph_channel_kept {
    struct ph_str value;
    uint64_t      refresh_at_ms;
    uint64_t      expires_at_ms;
};

/* what the core knows of the attempt; absent texts are {NULL, 0} */
struct ph_channel_order {
    struct ph_str attempt_id; /* the channel's out-trade-no */
    struct ph_str trade_no;   /* the channel's own number, once known */
    struct ph_str method;
    int64_t       amount; /* minor units */
    struct ph_str currency;
    struct ph_str subject;
    struct ph_str description;
    struct ph_str notify_url; /* ours */
    struct ph_str return_url;
    struct ph_str client_ip;
    struct ph_str extra; /* JSON object as text */
    uint64_t      created_at_ms;
    uint64_t      expires_at_ms;
    /* REFUND, REFUND_QUERY; amount above is the payment's */
    struct ph_str refund_id;         /* the channel's out-refund-no */
    struct ph_str channel_refund_no; /* the channel's own, once known */
    struct ph_str refund_reason;
    int64_t       refund_amount; /* minor units */
    /* When the attempt and the refund were made, by their ids: the same for
     * every repeat. */
    uint64_t attempt_ms;
    uint64_t refund_ms;
    /* The payment has its end (paid by another attempt, closed, in conflict) or
     * is about to be closed.  No request may take money for it any more. */
    bool is_over;
};

struct ph_channel_header {
    struct ph_str name; /* case-insensitive in replies and notices */
    struct ph_str value;
};

struct ph_channel_request {
    struct ph_str            method; /* "POST" */
    struct ph_str            url;
    struct ph_str            body;
    struct ph_channel_header headers[PH_CHANNEL_HEADERS_MAX];
    size_t                   header_count;
};

/* a whole HTTP answer of the channel; NULL means: first step */
struct ph_channel_reply {
    unsigned                        status;
    struct ph_str                   body;
    const struct ph_channel_header *headers;
    size_t                          header_count;
};

/* Of REFUND and REFUND_QUERY `number` is the refund's id, `amount` the
 * refund's, trade_no the channel's refund number; WAIT_USER means accepted. */
struct ph_channel_result {
    enum ph_result_class class;
    struct ph_str       number;     /* echoed out-trade-no */
    struct ph_str       trade_no;   /* the channel's */
    int64_t             amount;     /* echoed, -1 = not told */
    struct ph_str       currency;   /* echoed */
    struct ph_str       seller;     /* echoed, as configured */
    uint64_t            paid_at_ms; /* 0 = not told */
    enum ph_action_type action;
    struct ph_str       action_data; /* JSON text of action.data */
    struct ph_str       error_class; /* declined, timeout, signature, ... */
    struct ph_str       channel_code;
    struct ph_str       message;
    int64_t             refunded_total; /* of the payment, -1 = not told */
    struct ph_str       app; /* echoed app id, as configured or asked for */
    /* WAIT_USER or UNKNOWN of a notice that proves nothing: ask at once */
    bool is_hint;
};

enum ph_channel_step {
    PH_STEP_ERROR = 0, /* our configuration or code is at fault */
    PH_STEP_NEED_REQUEST,
    PH_STEP_DONE,
    /* The last request did nothing, or none was made: ACCOUNT_REFRESH, then the
     * operation from its first step.  At most once an operation. */
    PH_STEP_NEED_REFRESH
};

struct ph_channel_call {
    enum ph_channel_op               op;
    unsigned                         step; /* 0 = first */
    const struct ph_channel_account *account;
    const struct ph_channel_order   *order;
    struct ph_arena                 *arena;
    uint64_t                         now_ms;    /* unix */
    const uint8_t                   *random;    /* 32 fresh bytes each step */
    uint8_t                         *state;     /* PH_CHANNEL_STATE_MAX, kept */
    size_t                           state_len; /* the adapter sets it */
    struct ph_str hint; /* ACCOUNT_REFRESH: what is missing: a serial, a URL */
};

struct ph_channel_out {
    struct ph_channel_request request; /* NEED_REQUEST */
    struct ph_channel_result  result;  /* DONE */
    struct ph_channel_kept    kept;    /* DONE of ACCOUNT_REFRESH */
    struct ph_str             hint;    /* NEED_REFRESH; empty = no matter */
};

struct ph_channel_notice {
    struct ph_str                   body;
    const struct ph_channel_header *headers;
    size_t                          header_count;
    struct ph_str query; /* of the address, for channels that add to it */
};

/* One thing that a notice tells. */
struct ph_channel_notice_part {
    bool                     is_refund;
    struct ph_channel_result result; /* number tells the attempt or refund */
    struct ph_str            order_number; /* of a refund: the out-trade-no */
    struct ph_str order_trade_no;          /* when no number of ours is told */
};

struct ph_channel_notice_out {
    struct ph_str            id;     /* the channel's, for once-only */
    struct ph_channel_result result; /* number tells the attempt or refund */
    bool                     is_refund;
    struct ph_str            order_number; /* of a refund: the out-trade-no */
    struct ph_str            ack_body;
    struct ph_str            ack_content_type;
    /* instead of the single one above, when part_count is not 0 */
    struct ph_channel_notice_part parts[PH_CHANNEL_PARTS_MAX];
    size_t                        part_count;
    bool          is_ignored;    /* genuine, and nothing to us: acknowledged */
    bool          needs_refresh; /* with PH_E_UNKNOWN: no such key yet */
    struct ph_str hint;          /* of that refresh */
};

/* case-insensitive header lookup; {NULL, 0} when absent */
struct ph_str ph_channel_header(const struct ph_channel_header *headers,
                                size_t count, struct ph_str name);

#endif

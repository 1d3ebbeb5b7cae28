/*
 * channel.h - the contract between payhub's core and a channel adapter.
 *
 * An adapter is one const table.  It makes and reads messages: no socket, no
 * clock, no log, no allocation of its own, no state but the 256 bytes that the
 * core keeps in the attempt row.  So any worker can resume any operation.
 *
 * step() is called until it says DONE or ERROR, at most PH_CHANNEL_STEPS_MAX
 * times an operation; who has to wait for the payer is the core.  NEED_REQUEST
 * fills out->request; the core sends it and calls again with the reply.  What
 * may have reached the channel is only ever asked about: a CREATE whose reply
 * is lost is followed by QUERY, never by CREATE, unless the core holds proof
 * that nothing left.
 *
 * All texts given to the adapter live until step() returns; all texts it
 * returns live in call->arena.  Any thread, one call at a time.
 */
#ifndef PH_CHANNEL_H
#define PH_CHANNEL_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"

#define PH_CHANNEL_ABI 1
#define PH_CHANNEL_STEPS_MAX 8
#define PH_CHANNEL_STATE_MAX 256
#define PH_CHANNEL_FIELDS_MAX 24
#define PH_CHANNEL_HEADERS_MAX 16
#define PH_CHANNEL_REPLY_MAX (1024 * 1024)

enum ph_channel_op {
    PH_OP_CREATE = 1,
    PH_OP_QUERY,
    PH_OP_CLOSE,
    PH_OP_REVERSE,
    PH_OP_REFUND,
    PH_OP_REFUND_QUERY,
    PH_OP_ACCOUNT_REFRESH
};

enum ph_channel_cap {
    PH_CAP_QUERY   = 1 << 0,
    PH_CAP_CLOSE   = 1 << 1,
    PH_CAP_REFUND  = 1 << 2,
    PH_CAP_NOTICE  = 1 << 3,
    PH_CAP_REVERSE = 1 << 4, /* a bar code's payment is taken back unfinished */
    PH_CAP_REPEAT  = 1 << 5  /* CREATE with the same number shows it again */
};

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

/* one key of an account, as `payhub channel account add` takes it */
struct ph_channel_field {
    const char *key;
    bool        required;
    bool        secret; /* sealed at rest, never shown */
    const char *meaning;
};

struct ph_channel_code {
    struct ph_str        code; /* ascending */
    enum ph_result_class result;
    struct ph_str        error_class; /* payhub's own word, for counters */
};

struct ph_channel_account {
    struct ph_str id;
    struct ph_str values[PH_CHANNEL_FIELDS_MAX]; /* in the order of fields[] */
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
};

enum ph_channel_step {
    PH_STEP_ERROR = 0, /* our configuration or code is at fault */
    PH_STEP_NEED_REQUEST,
    PH_STEP_DONE
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
};

struct ph_channel_out {
    struct ph_channel_request request; /* NEED_REQUEST */
    struct ph_channel_result  result;  /* DONE */
};

struct ph_channel_notice {
    struct ph_str                   body;
    const struct ph_channel_header *headers;
    size_t                          header_count;
};

struct ph_channel_notice_out {
    struct ph_str            id;     /* the channel's, for once-only */
    struct ph_channel_result result; /* number tells the attempt or refund */
    bool                     is_refund;
    struct ph_str            order_number; /* of a refund: the out-trade-no */
    struct ph_str            ack_body;
    struct ph_str            ack_content_type;
};

struct ph_channel {
    uint32_t abi;  /* PH_CHANNEL_ABI; append only */
    uint32_t size; /* sizeof the adapter's table */

    const char                    *name;
    uint32_t                       caps;
    const char *const             *methods; /* NULL-terminated */
    const struct ph_channel_field *fields;
    size_t                         field_count;
    const struct ph_channel_code  *codes; /* sorted; absent = UNKNOWN */
    size_t                         code_count;

    /* NULL or why the account's values cannot work, e.g. "base_url: found
     * ftp, expected https" */
    const char *(*account_check)(const struct ph_channel_account *account,
                                 struct ph_arena                 *arena);

    enum ph_channel_step (*step)(struct ph_channel_call        *call,
                                 const struct ph_channel_reply *last,
                                 struct ph_channel_out         *out);

    /* PH_OK only for a genuine notice; verified before it is parsed */
    enum ph_rc (*notice)(const struct ph_channel_account *account,
                         const struct ph_channel_notice *in, uint64_t now_ms,
                         struct ph_arena              *arena,
                         struct ph_channel_notice_out *out);

    /* what result.seller has to be; NULL, or {NULL, 0}: nothing to compare */
    struct ph_str (*expected_seller)(const struct ph_channel_account *account);
};

/* The built-in adapters, by name; channels/registry.c. */
const struct ph_channel *ph_channel_find(struct ph_str name);

/* the i-th, NULL after the last */
const struct ph_channel *ph_channel_at(size_t i);

/* case-insensitive header lookup; {NULL, 0} when absent */
struct ph_str ph_channel_header(const struct ph_channel_header *headers,
                                size_t count, struct ph_str name);

#endif

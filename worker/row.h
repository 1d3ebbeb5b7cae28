/*
 * row.h - rows of payment, attempt, refund and notify_task as C values.
 *
 * Texts are views into the arena of the job that loaded them; times are unix
 * milliseconds with 0 for NULL; absent nullable texts are {NULL, 0}.  The
 * column tables in row.c are the only place that knows which column is which
 * member: SELECT, INSERT and UPDATE are made from them.
 */
#ifndef WK_ROW_H
#define WK_ROW_H

#include "libpayhub/base/str.h"
#include "libpayhub/domain/states.h"

#define WK_COLUMNS_MAX 48 /* of a table */
#define WK_ATTEMPTS_MAX 8 /* ids that fit payment.attempt_ids */
#define WK_TASKS_MAX 32   /* notify tasks of one payment that are looked at */

struct wk_payment {
    struct ph_str         id;
    struct ph_str         merchant_id;
    struct ph_str         app_id;
    struct ph_str         order_no;
    enum ph_payment_state status;
    int64_t               amount; /* minor units, as all amounts */
    struct ph_str         currency;
    int64_t               amount_refunded;
    int64_t               amount_refunding;
    struct ph_str         method;
    struct ph_str         channel;
    struct ph_str         account_id;
    struct ph_str         error_class;
    struct ph_str         attempt_ids; /* comma list */
    struct ph_str         channel_trade_no;
    struct ph_str         subject;
    struct ph_str         description;
    struct ph_str         notify_url;
    struct ph_str         return_url;
    struct ph_str         client_ip;
    struct ph_str         extra;    /* JSON object */
    struct ph_str         metadata; /* JSON object */
    struct ph_str         error_code;
    struct ph_str         error_message;
    struct ph_str         channel_code;
    struct ph_str         notify_id; /* newest notify_task */
    int64_t               sequence;  /* webhooks written so far */
    struct ph_str         refund_id; /* newest refund, "" = none */
    struct ph_str         proof_source;
    struct ph_str         proof_digest; /* 32 bytes or absent */
    int64_t               fence; /* highest lock token that wrote the row */
    int64_t               ver;   /* as read; a move asks for exactly it */
    uint64_t              created_at_ms;
    uint64_t              expires_at_ms;
    uint64_t              sent_at_ms;
    uint64_t              paid_at_ms;
    uint64_t              failed_at_ms;
    uint64_t              closed_at_ms;
    uint64_t              refunded_at_ms; /* the first that succeeded */
    uint64_t              conflict_at_ms;
};

struct wk_attempt {
    struct ph_str         id;
    struct ph_str         payment_id;
    struct ph_str         merchant_id;
    struct ph_str         app_id;
    enum ph_attempt_state status;
    struct ph_str         channel;
    struct ph_str         account_id;
    struct ph_str         method;
    int64_t               amount;
    struct ph_str         currency;
    struct ph_str         error_class;
    struct ph_str         state; /* the adapter's own bytes */
    struct ph_str         action_type;
    struct ph_str         action_data; /* JSON text or absent */
    struct ph_str         channel_trade_no;
    struct ph_str         error_code;
    struct ph_str         error_message;
    struct ph_str         channel_code;
    int64_t               not_found; /* queries that said "no such order" */
    struct ph_str         proof_source;
    struct ph_str         proof_digest;
    int64_t               fence;
    int64_t               ver;
    uint64_t              created_at_ms;
    uint64_t              sent_at_ms;
    uint64_t              unknown_at_ms;
    uint64_t              paid_at_ms;
    uint64_t              failed_at_ms;
    uint64_t              closed_at_ms;
    uint64_t              conflict_at_ms;
};

struct wk_refund {
    struct ph_str        id; /* the channel's refund number */
    struct ph_str        payment_id;
    struct ph_str        attempt_id; /* that was paid */
    struct ph_str        prev_id;    /* the refund before; "" = the first */
    struct ph_str        merchant_id;
    struct ph_str        app_id;
    struct ph_str        refund_no; /* "" unless a merchant asked for it */
    struct ph_str        kind;      /* merchant, duplicate, late, foreign */
    enum ph_refund_state status;
    struct ph_str        channel;
    struct ph_str        account_id;
    struct ph_str        method;
    int64_t              amount;
    struct ph_str        currency;
    struct ph_str        error_class;
    struct ph_str        reason;
    struct ph_str        state; /* the adapter's own bytes */
    struct ph_str        channel_refund_no;
    struct ph_str        error_code;
    struct ph_str        error_message;
    struct ph_str        channel_code;
    int64_t              not_found; /* queries that said "no such refund" */
    struct ph_str        notify_id; /* newest notify_task of this refund */
    struct ph_str        proof_source;
    struct ph_str        proof_digest;
    int64_t              fence;
    int64_t              ver;
    uint64_t             created_at_ms;
    uint64_t             sent_at_ms;
    uint64_t             unknown_at_ms;
    uint64_t             failed_at_ms;
    uint64_t             refunded_at_ms;
};

struct wk_task {
    struct ph_str id;
    struct ph_str payment_id;
    struct ph_str refund_id; /* "" = an event of the payment itself */
    struct ph_str prev_id;   /* the event before of the same; "" = none */
    struct ph_str merchant_id;
    struct ph_str app_id;
    struct ph_str status;
    struct ph_str type;
    int64_t       sequence;
    struct ph_str channel;
    struct ph_str account_id;
    struct ph_str method;
    int64_t       amount;
    struct ph_str currency;
    struct ph_str error_class;
    struct ph_str url;
    struct ph_str form;  /* standard, payhub-v3 */
    struct ph_str body;  /* the document as it was at the event; never again */
    int64_t       tries; /* deliveries whose end was written down */
    int64_t       last_status; /* HTTP, 0 = none */
    struct ph_str last_error;
    uint64_t      created_at_ms;
    uint64_t      sent_at_ms;
    uint64_t      delivered_at_ms;
    uint64_t      dead_at_ms;
};

/* a payment with its attempts, oldest first */
struct wk_order {
    struct wk_payment payment;
    struct wk_attempt attempt[WK_ATTEMPTS_MAX];
    size_t            attempt_count;
};

enum wk_column_kind {
    WK_COLUMN_TEXT,    /* NOT NULL: an absent text is '' */
    WK_COLUMN_TEXT_OR, /* NULL when absent */
    WK_COLUMN_BYTES,   /* binary, NOT NULL */
    WK_COLUMN_BYTES_OR,
    WK_COLUMN_BLOB, /* bytes that are mostly text, NOT NULL */
    WK_COLUMN_I64,
    WK_COLUMN_TIME, /* NULL when 0 */
    WK_COLUMN_PAYMENT_STATE,
    WK_COLUMN_ATTEMPT_STATE,
    WK_COLUMN_REFUND_STATE
};

struct wk_column {
    const char         *name;
    enum wk_column_kind kind;
    bool                moves; /* written by every later UPDATE */
    size_t              offset;
    bool                is_empty; /* '' or 0 unless an INSERT names it */
};

struct wk_table {
    const char             *name;
    const struct wk_column *columns;
    size_t                  column_count;
};

extern const struct wk_table wk_payment_table;
extern const struct wk_table wk_attempt_table;
extern const struct wk_table wk_refund_table;
extern const struct wk_table wk_task_table;

/* NULL when the order has no such attempt */
struct wk_attempt *wk_order_attempt(struct wk_order *order, struct ph_str id);

#endif

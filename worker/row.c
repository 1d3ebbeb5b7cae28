/* row.c - the column tables; see row.h. */
#include "worker/row.h"

#include "libpayhub/base/rc.h"

/* clang-format off */
#define ANY(row, member, column, kind, moves, empty)                           \
    { column, WK_COLUMN_##kind, moves, offsetof(struct row, member), empty }
#define COLUMN(row, member, column, kind, moves)                               \
    ANY(row, member, column, kind, moves, false)
#define EMPTY(row, member, kind, moves)                                        \
    ANY(row, member, #member, kind, moves, true)
#define P(member, kind, moves) COLUMN(wk_payment, member, #member, kind, moves)
#define A(member, kind, moves) COLUMN(wk_attempt, member, #member, kind, moves)
#define R(member, kind, moves) COLUMN(wk_refund, member, #member, kind, moves)
#define N(member, kind, moves) COLUMN(wk_task, member, #member, kind, moves)
/* DEFAULT '' or 0 in the schema */
#define PE(member, kind, moves) EMPTY(wk_payment, member, kind, moves)
#define AE(member, kind, moves) EMPTY(wk_attempt, member, kind, moves)
#define RE(member, kind, moves) EMPTY(wk_refund, member, kind, moves)
#define NE(member, kind, moves) EMPTY(wk_task, member, kind, moves)

static const struct wk_column payment_columns[] = {
    P(id,               TEXT,          false),
    P(merchant_id,      TEXT,          false),
    P(app_id,           TEXT,          false),
    P(order_no,         TEXT,          false),
    P(status,           PAYMENT_STATE, true),
    P(amount,           I64,           false),
    P(currency,         TEXT,          false),
    PE(amount_refunded, I64,           true),
    PE(amount_refunding, I64,           true),
    P(method,           TEXT,          false),
    P(channel,          TEXT,          true),
    P(account_id,       TEXT,          true),
    PE(error_class,     TEXT,          true),
    P(attempt_ids,      TEXT,          true),
    PE(channel_trade_no, TEXT,          true),
    P(subject,          TEXT,          false),
    P(description,      TEXT_OR,       false),
    P(notify_url,       TEXT_OR,       false),
    P(return_url,       TEXT_OR,       false),
    P(client_ip,        TEXT_OR,       false),
    P(extra,            TEXT_OR,       false),
    P(metadata,         TEXT_OR,       false),
    PE(error_code,      TEXT,          true),
    PE(error_message,   TEXT,          true),
    PE(channel_code,    TEXT,          true),
    PE(notify_id,       TEXT,          true),
    PE(sequence,        I64,           true),
    PE(refund_id,       TEXT,          true),
    P(proof_source,     TEXT,          true),
    P(proof_digest,     BYTES_OR,      true),
    PE(fence,           I64,           true),
    PE(ver,             I64,           false),
    COLUMN(wk_payment, created_at_ms,  "created_at",  TIME, false),
    COLUMN(wk_payment, expires_at_ms,  "expires_at",  TIME, false),
    COLUMN(wk_payment, sent_at_ms,     "sent_at",     TIME, true),
    COLUMN(wk_payment, paid_at_ms,     "paid_at",     TIME, true),
    COLUMN(wk_payment, failed_at_ms,   "failed_at",   TIME, true),
    COLUMN(wk_payment, closed_at_ms,   "closed_at",   TIME, true),
    COLUMN(wk_payment, refunded_at_ms, "refunded_at", TIME, true),
    COLUMN(wk_payment, conflict_at_ms, "conflict_at", TIME, true),
};

static const struct wk_column attempt_columns[] = {
    A(id,               TEXT,          false),
    A(payment_id,       TEXT,          false),
    A(merchant_id,      TEXT,          false),
    A(app_id,           TEXT,          false),
    A(status,           ATTEMPT_STATE, true),
    A(channel,          TEXT,          false),
    A(account_id,       TEXT,          false),
    A(method,           TEXT,          false),
    A(amount,           I64,           false),
    A(currency,         TEXT,          false),
    AE(error_class,     TEXT,          true),
    AE(state,           BYTES,         true),
    A(action_type,      TEXT,          true),
    A(action_data,      TEXT_OR,       true),
    AE(channel_trade_no, TEXT,          true),
    AE(error_code,      TEXT,          true),
    AE(error_message,   TEXT,          true),
    AE(channel_code,    TEXT,          true),
    AE(not_found,       I64,           true),
    A(proof_source,     TEXT,          true),
    A(proof_digest,     BYTES_OR,      true),
    AE(fence,           I64,           true),
    AE(ver,             I64,           false),
    COLUMN(wk_attempt, created_at_ms,  "created_at",  TIME, false),
    COLUMN(wk_attempt, sent_at_ms,     "sent_at",     TIME, true),
    COLUMN(wk_attempt, unknown_at_ms,  "unknown_at",  TIME, true),
    COLUMN(wk_attempt, paid_at_ms,     "paid_at",     TIME, true),
    COLUMN(wk_attempt, failed_at_ms,   "failed_at",   TIME, true),
    COLUMN(wk_attempt, closed_at_ms,   "closed_at",   TIME, true),
    COLUMN(wk_attempt, conflict_at_ms, "conflict_at", TIME, true),
};

static const struct wk_column refund_columns[] = {
    R(id,                TEXT,         false),
    R(payment_id,        TEXT,         false),
    R(attempt_id,        TEXT,         false),
    RE(prev_id,          TEXT,         false),
    R(merchant_id,       TEXT,         false),
    R(app_id,            TEXT,         false),
    RE(refund_no,        TEXT,         false),
    R(kind,              TEXT,         false),
    R(status,            REFUND_STATE, true),
    R(channel,           TEXT,         false),
    R(account_id,        TEXT,         false),
    R(method,            TEXT,         false),
    R(amount,            I64,          false),
    R(currency,          TEXT,         false),
    RE(error_class,      TEXT,         true),
    R(reason,            TEXT_OR,      false),
    RE(state,            BYTES,        true),
    RE(channel_refund_no, TEXT,         true),
    RE(error_code,       TEXT,         true),
    RE(error_message,    TEXT,         true),
    RE(channel_code,     TEXT,         true),
    RE(not_found,        I64,          true),
    RE(notify_id,        TEXT,         true),
    R(proof_source,      TEXT,         true),
    R(proof_digest,      BYTES_OR,     true),
    RE(fence,            I64,          true),
    RE(ver,              I64,          false),
    COLUMN(wk_refund, created_at_ms,  "created_at",  TIME, false),
    COLUMN(wk_refund, sent_at_ms,     "sent_at",     TIME, true),
    COLUMN(wk_refund, unknown_at_ms,  "unknown_at",  TIME, true),
    COLUMN(wk_refund, failed_at_ms,   "failed_at",   TIME, true),
    COLUMN(wk_refund, refunded_at_ms, "refunded_at", TIME, true),
};

static const struct wk_column task_columns[] = {
    N(id,               TEXT,          false),
    N(payment_id,       TEXT,          false),
    NE(refund_id,       TEXT,          false),
    NE(prev_id,         TEXT,          false),
    N(merchant_id,      TEXT,          false),
    N(app_id,           TEXT,          false),
    N(status,           TEXT,          true),
    N(type,             TEXT,          false),
    N(sequence,         I64,           false),
    N(channel,          TEXT,          false),
    N(account_id,       TEXT,          false),
    N(method,           TEXT,          false),
    N(amount,           I64,           false),
    N(currency,         TEXT,          false),
    NE(error_class,     TEXT,          false),
    N(url,              TEXT,          false),
    N(form,             TEXT,          false),
    N(body,             TEXT,          false),
    NE(tries,           I64,           true),
    NE(last_status,     I64,           true),
    NE(last_error,      TEXT,          true),
    COLUMN(wk_task, created_at_ms,   "created_at",   TIME, false),
    COLUMN(wk_task, sent_at_ms,      "sent_at",      TIME, true),
    COLUMN(wk_task, delivered_at_ms, "delivered_at", TIME, true),
    COLUMN(wk_task, dead_at_ms,      "dead_at",      TIME, true),
};

const struct wk_table wk_payment_table = { "payment", payment_columns,
                                           PH_COUNT(payment_columns) };
const struct wk_table wk_attempt_table = { "attempt", attempt_columns,
                                           PH_COUNT(attempt_columns) };
const struct wk_table wk_refund_table  = { "refund", refund_columns,
                                           PH_COUNT(refund_columns) };
const struct wk_table wk_task_table    = { "notify_task", task_columns,
                                           PH_COUNT(task_columns) };
/* clang-format on */

struct wk_attempt *
wk_order_attempt(struct wk_order *order, struct ph_str id)
{
    for (size_t i = 0; i < order->attempt_count; i++) {
        if (ph_str_eq(order->attempt[i].id, id)) {
            return &order->attempt[i];
        }
    }
    return NULL;
}

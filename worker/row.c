/* row.c - the column tables; see row.h. */
#include "worker/row.h"

#include "libpayhub/base/rc.h"

/* clang-format off */
#define COLUMN(row, member, column, kind, moves)                               \
    { column, WK_COLUMN_##kind, moves, offsetof(struct row, member) }
#define P(member, kind, moves) COLUMN(wk_payment, member, #member, kind, moves)
#define A(member, kind, moves) COLUMN(wk_attempt, member, #member, kind, moves)
#define R(member, kind, moves) COLUMN(wk_refund, member, #member, kind, moves)
#define N(member, kind, moves) COLUMN(wk_task, member, #member, kind, moves)

static const struct wk_column payment_columns[] = {
    P(id,               TEXT,          false),
    P(merchant_id,      TEXT,          false),
    P(app_id,           TEXT,          false),
    P(order_no,         TEXT,          false),
    P(status,           PAYMENT_STATE, true),
    P(amount,           I64,           false),
    P(currency,         TEXT,          false),
    P(amount_refunded,  I64,           true),
    P(amount_refunding, I64,           true),
    P(method,           TEXT,          false),
    P(channel,          TEXT,          true),
    P(account_id,       TEXT,          true),
    P(error_class,      TEXT,          true),
    P(attempt_ids,      TEXT,          true),
    P(channel_trade_no, TEXT,          true),
    P(subject,          TEXT,          false),
    P(description,      TEXT_OR,       false),
    P(notify_url,       TEXT_OR,       false),
    P(return_url,       TEXT_OR,       false),
    P(client_ip,        TEXT_OR,       false),
    P(extra,            TEXT_OR,       false),
    P(metadata,         TEXT_OR,       false),
    P(error_code,       TEXT,          true),
    P(error_message,    TEXT,          true),
    P(channel_code,     TEXT,          true),
    P(notify_id,        TEXT,          true),
    P(sequence,         I64,           true),
    P(refund_id,        TEXT,          true),
    P(proof_source,     TEXT,          true),
    P(proof_digest,     BYTES_OR,      true),
    P(fence,            I64,           true),
    P(ver,              I64,           false),
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
    A(error_class,      TEXT,          true),
    A(state,            BYTES,         true),
    A(action_type,      TEXT,          true),
    A(action_data,      TEXT_OR,       true),
    A(channel_trade_no, TEXT,          true),
    A(error_code,       TEXT,          true),
    A(error_message,    TEXT,          true),
    A(channel_code,     TEXT,          true),
    A(not_found,        I64,           true),
    A(proof_source,     TEXT,          true),
    A(proof_digest,     BYTES_OR,      true),
    A(fence,            I64,           true),
    A(ver,              I64,           false),
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
    R(prev_id,           TEXT,         false),
    R(merchant_id,       TEXT,         false),
    R(app_id,            TEXT,         false),
    R(refund_no,         TEXT,         false),
    R(kind,              TEXT,         false),
    R(status,            REFUND_STATE, true),
    R(channel,           TEXT,         false),
    R(account_id,        TEXT,         false),
    R(method,            TEXT,         false),
    R(amount,            I64,          false),
    R(currency,          TEXT,         false),
    R(error_class,       TEXT,         true),
    R(reason,            TEXT_OR,      false),
    R(state,             BYTES,        true),
    R(channel_refund_no, TEXT,         true),
    R(error_code,        TEXT,         true),
    R(error_message,     TEXT,         true),
    R(channel_code,      TEXT,         true),
    R(not_found,         I64,          true),
    R(notify_id,         TEXT,         true),
    R(proof_source,      TEXT,         true),
    R(proof_digest,      BYTES_OR,     true),
    R(fence,             I64,          true),
    R(ver,               I64,          false),
    COLUMN(wk_refund, created_at_ms,  "created_at",  TIME, false),
    COLUMN(wk_refund, sent_at_ms,     "sent_at",     TIME, true),
    COLUMN(wk_refund, unknown_at_ms,  "unknown_at",  TIME, true),
    COLUMN(wk_refund, failed_at_ms,   "failed_at",   TIME, true),
    COLUMN(wk_refund, refunded_at_ms, "refunded_at", TIME, true),
};

static const struct wk_column task_columns[] = {
    N(id,               TEXT,          false),
    N(payment_id,       TEXT,          false),
    N(refund_id,        TEXT,          false),
    N(prev_id,          TEXT,          false),
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
    N(error_class,      TEXT,          false),
    N(url,              TEXT,          false),
    N(form,             TEXT,          false),
    N(body,             TEXT,          false),
    N(tries,            I64,           true),
    N(last_status,      I64,           true),
    N(last_error,       TEXT,          true),
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

/* notice_ask.c - rows, then perhaps one question; see notice_ask.h. */
#include "worker/notice_ask.h"

#include "worker/order_face.h"
#include "worker/refund_ask.h"
#include "worker/rows.h"

static bool
is_ours(const struct ph_channel_notice_part *part)
{
    return ph_id_is(part->result.number,
                    part->is_refund ? PH_ID_REFUND : PH_ID_ATTEMPT);
}

bool
wk_notice_ask_is_due(const struct ph_channel_notice_part *part)
{
    return part->result.is_hint
           || (part->is_refund && !is_ours(part)
               && part->result.refunded_total >= 0);
}

static void
ask_end(struct wk_notice_ask *ask, enum wk_notice_answer answer)
{
    ask->answer = answer;
    ask->done(ask);
}

/* ---- on a store thread ---- */

static enum wk_found
seen_load(struct wk_db *db, struct wk_notice_ask *ask)
{
    struct ph_str text;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT event_id FROM notice_seen WHERE account_id="));
    wk_sql_text(db, ask->account->face.id);
    wk_sql(db, PH_STR(" AND notice_id="));
    wk_sql_text(db, ask->notice_id);
    return wk_texts_load(db, ask->arena, &text, 1);
}

static enum wk_found
refund_load(struct wk_db *db, struct wk_notice_ask *ask)
{
    wk_db_clear(db);
    wk_sql_select(db, &wk_refund_table);
    wk_sql(db, PH_STR(" WHERE id="));
    wk_sql_text(db, ask->part->result.number);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_FOUND_FAILED;
    }
    if (!wk_db_fetch(db, 0, &wk_refund_table, ask->arena, &ask->rows.refund)) {
        return ask->arena->full || db->error_no != 0 ? WK_FOUND_FAILED
                                                     : WK_FOUND_NONE;
    }
    return wk_order_load(db, ask->arena, ask->rows.refund.payment_id,
                         &ask->rows.order);
}

static enum wk_found
trade_load(struct wk_db *db, struct wk_notice_ask *ask,
           struct ph_str *attempt_id)
{
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT attempt_id FROM channel_trade WHERE channel="));
    wk_sql_text(db, ph_str_z(ask->account->channel->name));
    wk_sql(db, PH_STR(" AND account_id="));
    wk_sql_text(db, ask->account->face.id);
    wk_sql(db, PH_STR(" AND trade_no="));
    wk_sql_text(db, ask->part->order_trade_no);
    return wk_texts_load(db, ask->arena, attempt_id, 1);
}

/* The attempt that the part is about. */
static enum wk_found
attempt_find(struct wk_db *db, struct wk_notice_ask *ask,
             struct ph_str *attempt_id)
{
    const struct ph_channel_notice_part *part = ask->part;

    *attempt_id = part->is_refund ? part->order_number : part->result.number;
    if (ph_id_is(*attempt_id, PH_ID_ATTEMPT)) {
        return WK_FOUND_ROW;
    }
    return part->is_refund && part->order_trade_no.len != 0
                   && wk_number_is_plain(part->order_trade_no)
               ? trade_load(db, ask, attempt_id)
               : WK_FOUND_NONE;
}

static enum wk_found
order_load(struct wk_db *db, struct wk_notice_ask *ask)
{
    struct ph_str attempt_id;
    enum wk_found found;

    if (ask->part->is_refund && is_ours(ask->part)) {
        found      = refund_load(db, ask);
        attempt_id = ask->rows.refund.attempt_id;
    } else {
        found = attempt_find(db, ask, &attempt_id);
        if (found == WK_FOUND_ROW) {
            found = wk_order_load_by_attempt(db, ask->arena, attempt_id,
                                             &ask->rows.order);
        }
    }
    if (found != WK_FOUND_ROW) {
        return found;
    }
    ask->attempt = wk_order_attempt(&ask->rows.order, attempt_id);
    return ask->attempt != NULL ? WK_FOUND_ROW : WK_FOUND_NONE;
}

/* By their chain, newest first.  Whatever changes it changes the payment's ver.
 */
static bool
known_load(struct wk_db *db, struct wk_notice_ask *ask)
{
    struct wk_refund_known *known = &ask->known;
    struct ph_str           id    = ask->rows.order.payment.refund_id;
    struct ph_str           texts[4];
    uint64_t                amount;

    *known = (struct wk_refund_known){ .is_whole = true,
                                       .ver = ask->rows.order.payment.ver };
    for (size_t i = 0; id.len != 0 && known->is_whole; i++) {
        if (i == WK_REFUNDS_KNOWN_MAX) {
            known->is_whole = false;
            break;
        }
        wk_db_clear(db);
        wk_sql(db, PH_STR("SELECT prev_id,kind,status,amount FROM refund "
                          "WHERE id="));
        wk_sql_text(db, id);
        if (wk_texts_load(db, ask->arena, texts, 4) != WK_FOUND_ROW
            || !ph_str_u64(texts[3], INT64_MAX, &amount))
        {
            return false;
        }
        wk_refund_known_add(known, texts[1], ph_refund_state_of(texts[2]),
                            (int64_t) amount);
        if (known->open_id.len == 0
            && !ph_refund_is_final(ph_refund_state_of(texts[2])))
        {
            known->open_id = id;
        }
        id = texts[0];
    }
    return true;
}

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_notice_ask *ask = (struct wk_notice_ask *) job;

    ask->arena->len          = ask->arena_mark;
    ask->arena->full         = false;
    ask->attempt             = NULL;
    ask->has_known           = false;
    const enum wk_found seen = seen_load(db, ask);

    ask->was_here = seen == WK_FOUND_ROW;
    ask->found    = seen == WK_FOUND_NONE ? order_load(db, ask) : seen;
    if (ask->found == WK_FOUND_ROW && ask->part->is_refund
        && !is_ours(ask->part) && !ask->was_here)
    {
        ask->has_known = known_load(db, ask);
        ask->found     = ask->has_known ? WK_FOUND_ROW : WK_FOUND_FAILED;
    }
    return ask->found == WK_FOUND_FAILED ? WK_RUN_FAILED : WK_RUN_DONE;
}

/* ---- on the loop ---- */

static void
ask_on_op(struct wk_op *op)
{
    struct wk_notice_ask *ask = op->data;

    ask->account->use->inflight--;
    ask_end(ask, op->result.class == PH_RESULT_UNKNOWN
                         || op->result.class == PH_RESULT_NOT_SENT
                     ? WK_NOTICE_AWAY
                     : WK_NOTICE_ASKED);
}

/* Another's key says nothing about it; settling sees that, too. */
static bool
is_of_this_account(const struct wk_notice_ask *ask)
{
    return ph_str_eq(ask->attempt->account_id, ask->account->face.id)
           && ph_str_eq(ask->attempt->channel,
                        ph_str_z(ask->account->channel->name));
}

/* Whom nobody else would ask about what the hint is of. */
static bool
is_to_be_asked(const struct wk_notice_ask *ask)
{
    const struct ph_channel_notice_part *part = ask->part;
    const enum ph_attempt_state          paid = ask->attempt->status;
    const enum ph_refund_state           back = ask->rows.refund.status;
    const uint32_t                       caps = ask->account->channel->caps;

    if (!part->result.is_hint) {
        return false;
    }
    if (!part->is_refund) {
        return (paid == PH_ATTEMPT_FAILED || paid == PH_ATTEMPT_CLOSED)
               && (caps & PH_CAP_QUERY) != 0;
    }
    if (!is_ours(part)) {
        return paid == PH_ATTEMPT_SUCCEEDED
               && (caps & PH_CAP_REFUND_BY_NO) != 0;
    }
    return back == PH_REFUND_FAILED
           || (back == PH_REFUND_SUCCEEDED
               && part->result.error_class.len != 0);
}

static void
state_take(struct wk_op *op, struct ph_str state)
{
    if (state.len != 0 && state.len <= sizeof(op->state)) {
        op->state_len = state.len;
        memcpy(op->state, state.ptr, state.len);
    }
}

static bool
op_fill(struct wk_notice_ask *ask)
{
    const struct ph_channel_notice_part *part = ask->part;
    struct wk_op                        *op   = &ask->op;

    if (part->is_refund && is_ours(part)) {
        if (!wk_refund_face(ask->worker, &ask->rows, ask->arena, &op->order)) {
            return false;
        }
        if (op->order.channel_refund_no.len == 0) {
            op->order.channel_refund_no = part->result.trade_no;
        }
        state_take(op, ask->rows.refund.state);
    } else {
        op->order = wk_order_face(ask->worker, &ask->rows.order.payment,
                                  ask->attempt, ask->arena);
        if (part->is_refund) {
            op->order.channel_refund_no = part->result.number;
        } else {
            state_take(op, ask->attempt->state);
        }
    }
    op->order.is_over = true;
    return !ask->arena->full;
}

static void
load_done(struct wk_store_job *job)
{
    struct wk_notice_ask *ask = (struct wk_notice_ask *) job;
    const size_t          most
        = (size_t) wk_conf(ask->worker, PH_CONF_pay_max_inflight_account);

    if (job->outcome != WK_STORE_DONE) {
        ask_end(ask, WK_NOTICE_AWAY);
        return;
    }
    if (ask->was_here || ask->found != WK_FOUND_ROW || !is_of_this_account(ask)
        || !is_to_be_asked(ask))
    {
        ask_end(ask, WK_NOTICE_AS_TOLD);
        return;
    }
    ask->op = (struct wk_op){ .worker  = ask->worker,
                              .account = ask->account,
                              .kind  = ask->part->is_refund ? PH_OP_REFUND_QUERY
                                                            : PH_OP_QUERY,
                              .arena = ask->arena,
                              .done  = ask_on_op,
                              .data  = ask };
    if (ask->account->use->inflight >= most || !op_fill(ask)) {
        ask_end(ask, WK_NOTICE_AWAY);
        return;
    }
    ask->account->use->inflight++;
    wk_op_start(&ask->op);
}

void
wk_notice_ask_start(struct wk_notice_ask *ask)
{
    ask->arena_mark = ask->arena->len;
    ask->store = (struct wk_store_job){ .run = load_run, .done = load_done };
    if (!wk_store_submit(ask->worker->store, &ask->store)) {
        ask_end(ask, WK_NOTICE_AWAY);
    }
}

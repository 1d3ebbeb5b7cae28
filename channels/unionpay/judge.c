/*
 * judge.c - what a genuine message of UnionPay proves.
 *
 * A code of an answer judges the request that it answers: codes[] of
 * unionpay.c.  What became of a payment or refund is told by the code of the
 * original trade, in the answer to a query, or by a notice.
 */
#include "channels/codes.h"
#include "channels/unionpay/union_int.h"
#include "channels/unionpay/unionpay.h"

/* Some payers retry until the last moment, and clocks differ. */
#define LAPSE_GRACE_MS (5 * 60 * UINT64_C(1000))

#define IS_CODE(text, literal) ph_str_eq((text), PH_STR(literal))

/*
 * Ascending.  Left out on purpose, so that they prove nothing: 42, 74, 75 (the
 * payer was debited), 45, 46 (reversed or refunded: it had succeeded), 02, 06,
 * 12, 37, 70, 98, 99 (nothing is said of the money).
 */
/* clang-format off */
static const struct union_orig origs[] = {
    { PH_STR_INIT("01"), PH_STR_INIT("declined"), true, true },
    { PH_STR_INIT("03"), PH_STR_INIT("in_progress"), false, false },
    { PH_STR_INIT("04"), PH_STR_INIT("in_progress"), false, false },
    { PH_STR_INIT("05"), PH_STR_INIT("in_progress"), false, false },
    { PH_STR_INIT("10"), PH_STR_INIT("request"), true, true },
    { PH_STR_INIT("11"), PH_STR_INIT("config"), true, true },
    { PH_STR_INIT("13"), PH_STR_INIT("request"), true, true },
    { PH_STR_INIT("30"), PH_STR_INIT("declined"), true, false },
    { PH_STR_INIT("31"), PH_STR_INIT("config"), true, true },
    { PH_STR_INIT("32"), PH_STR_INIT("config"), true, true },
    { PH_STR_INIT("33"), PH_STR_INIT("limit"), true, true },
    { PH_STR_INIT("35"), PH_STR_INIT("not_refundable"), true, true },
    { PH_STR_INIT("36"), PH_STR_INIT("not_refundable"), true, true },
    { PH_STR_INIT("38"), PH_STR_INIT("risk"), true, false },
    { PH_STR_INIT("39"), PH_STR_INIT("too_late"), true, true },
    { PH_STR_INIT("40"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("43"), PH_STR_INIT("config"), true, false },
    { PH_STR_INIT("60"), PH_STR_INIT("declined"), true, false },
    { PH_STR_INIT("61"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("62"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("63"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("64"), PH_STR_INIT("insufficient_funds"), true, false },
    { PH_STR_INIT("65"), PH_STR_INIT("auth_code"), true, false },
    { PH_STR_INIT("66"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("67"), PH_STR_INIT("limit"), true, false },
    { PH_STR_INIT("68"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("69"), PH_STR_INIT("expired"), true, false },
    { PH_STR_INIT("71"), PH_STR_INIT("auth_code"), true, false },
    { PH_STR_INIT("72"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("73"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("76"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("77"), PH_STR_INIT("payer"), true, false },
    { PH_STR_INIT("78"), PH_STR_INIT("payer"), true, false },
};
/* clang-format on */

const struct union_orig *
union_orig_find(struct ph_str code)
{
    for (size_t i = 0; i < PH_COUNT(origs); i++) {
        if (ph_str_eq(origs[i].code, code)) {
            return &origs[i];
        }
    }
    return NULL;
}

const struct union_orig *
union_orig_at(size_t i)
{
    return i < PH_COUNT(origs) ? &origs[i] : NULL;
}

static void
result_set(struct ph_channel_result *result, enum ph_result_class class,
           struct ph_str             error_class)
{
    result->class       = class;
    result->error_class = error_class;
}

/* A "success with a defect" is one when the whole amount is settled. */
static bool
is_settled_whole(const struct union_said *said)
{
    return said->amount > 0 && said->settle_amount == said->amount
           && IS_CODE(said->settle_currency, "CNY")
           && (said->currency.len == 0 || IS_CODE(said->currency, "CNY"));
}

static bool
is_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

static bool
is_ended(const struct ph_channel_call *call, uint64_t grace_ms)
{
    uint64_t expires_ms = call->order->expires_at_ms;

    return expires_ms != 0 && call->now_ms > expires_ms
           && call->now_ms - expires_ms > grace_ms;
}

/*
 * A payer whose card was refused may try another one until payTimeout; a refund
 * that was refused stays so.
 */
static void
refusal_judge(const struct ph_channel_call *call, const struct union_orig *row,
              struct ph_channel_result *result)
{
    if (is_refund(call->op)) {
        result_set(result,
                   row->of_refunds ? PH_RESULT_FAILED : PH_RESULT_UNKNOWN,
                   row->error_class);
    } else if (is_ended(call, LAPSE_GRACE_MS)) {
        result_set(result, PH_RESULT_FAILED, row->error_class);
    } else {
        result_set(result, PH_RESULT_WAIT_USER, PH_STR(""));
    }
}

static void
orig_judge(const struct ph_channel_call *call, const struct union_said *said,
           struct ph_channel_result *result)
{
    const struct union_orig *row = union_orig_find(said->orig_code);

    result->channel_code = said->orig_code;
    result->message      = said->orig_message;
    if (IS_CODE(said->orig_code, "00")) {
        result_set(result, PH_RESULT_SUCCEEDED, PH_STR(""));
    } else if (IS_CODE(said->orig_code, "A6")) {
        bool is_whole = is_settled_whole(said);

        result_set(result, is_whole ? PH_RESULT_SUCCEEDED : PH_RESULT_UNKNOWN,
                   is_whole ? PH_STR("") : PH_STR("amount"));
    } else if (IS_CODE(said->orig_code, "05") && is_refund(call->op)) {
        /* taken on, and not done yet */
        result_set(result, PH_RESULT_WAIT_USER, PH_STR(""));
    } else if (row == NULL) {
        result_set(result, PH_RESULT_UNKNOWN, PH_STR("unknown_code"));
    } else if (!row->is_refusal) {
        result_set(result, PH_RESULT_UNKNOWN, row->error_class);
    } else {
        refusal_judge(call, row, result);
    }
}

/* The number that the phone's SDK takes. */
static void
create_judge(const struct ph_channel_call *call, const struct union_said *said,
             struct ph_channel_result *result)
{
    struct ph_buf buf;

    if (said->tn.len == 0) {
        result_set(result, PH_RESULT_UNKNOWN, PH_STR("unreadable"));
        return;
    }
    ph_arena_open(call->arena, &buf);
    ph_buf_json(&buf, said->tn);
    result_set(result, PH_RESULT_WAIT_USER, PH_STR(""));
    result->action      = PH_ACTION_APP;
    result->action_data = ph_arena_close(call->arena, &buf);
}

static void
echo_set(struct ph_channel_result *result, const struct union_said *said)
{
    result->number       = said->order_id;
    result->trade_no     = said->query_id;
    result->amount       = said->amount;
    result->currency     = said->currency;
    result->seller       = said->mer_id;
    result->channel_code = said->code;
    result->message      = said->message;
}

/* An answer to another kind of request proves nothing about this one. */
static bool
is_answer_to(enum ph_channel_op op, struct ph_str txn_type)
{
    switch (op) {
    case PH_OP_CREATE:
        return IS_CODE(txn_type, "01");
    case PH_OP_QUERY:
    case PH_OP_REFUND_QUERY:
        return IS_CODE(txn_type, "00");
    case PH_OP_REFUND:
        return IS_CODE(txn_type, "04") || IS_CODE(txn_type, "31");
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return false;
}

/* The core ends what is not there soon after payTimeout: not before a payer of
 * the last moment is seen. */
static void
code_judge(const struct ph_channel_call *call,
           const struct ph_channel_code *row, struct ph_channel_result *result)
{
    result_set(result, row != NULL ? row->result : PH_RESULT_UNKNOWN,
               row != NULL ? row->error_class : PH_STR("unknown_code"));
    if (call->op == PH_OP_QUERY && result->class == PH_RESULT_NOT_FOUND
        && is_ended(call, 0) && !is_ended(call, LAPSE_GRACE_MS))
    {
        result_set(result, PH_RESULT_UNKNOWN, PH_STR("in_progress"));
    }
}

void
union_answer_judge(const struct ph_channel_call *call,
                   const struct union_said      *said,
                   struct ph_channel_result     *result)
{
    const struct ph_channel_code *row
        = ph_code_find(&ph_channel_unionpay, said->code, call->op);

    echo_set(result, said);
    if (said->order_id.len == 0 || said->mer_id.len == 0) {
        result_set(result, PH_RESULT_UNKNOWN, PH_STR("no_number"));
    } else if (!is_answer_to(call->op, said->txn_type)) {
        result_set(result, PH_RESULT_UNKNOWN, PH_STR("unreadable"));
    } else if (!IS_CODE(said->code, "00")) {
        code_judge(call, row, result);
    } else if (call->op == PH_OP_CREATE) {
        create_judge(call, said, result);
    } else if (call->op == PH_OP_REFUND) {
        /* taken on; what becomes of it the query tells */
        result_set(result, PH_RESULT_WAIT_USER, PH_STR(""));
    } else {
        orig_judge(call, said, result);
    }
}

/* --- notices -------------------------------------------------------------- */

/* UnionPay gives notices no number: one trade, one code, once. */
static struct ph_str
notice_id(const struct union_said *said, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, said->txn_type);
    ph_buf_byte(&buf, '-');
    ph_buf_add(&buf, said->query_id.len != 0 ? said->query_id : said->order_id);
    ph_buf_byte(&buf, '-');
    ph_buf_add(&buf, said->code);
    return ph_arena_close(arena, &buf);
}

/* Only success is told.  Whatever else comes is a reason to ask. */
static void
notice_code_judge(const struct union_said  *said,
                  struct ph_channel_result *result)
{
    if (IS_CODE(said->code, "00")
        || (IS_CODE(said->code, "A6") && is_settled_whole(said)))
    {
        result_set(result, PH_RESULT_SUCCEEDED, PH_STR(""));
    } else {
        result_set(result, PH_RESULT_WAIT_USER, PH_STR("unknown_code"));
        result->is_hint = true;
    }
}

enum ph_rc
union_notice_judge(const struct union_said *said, struct ph_arena *arena,
                   struct ph_channel_notice_out *out)
{
    struct ph_channel_notice_part *part       = &out->parts[0];
    bool                           is_payment = IS_CODE(said->txn_type, "01");
    bool                           is_back
        = IS_CODE(said->txn_type, "04") || IS_CODE(said->txn_type, "31");

    if (said->txn_type.len == 0 || said->code.len == 0
        || said->order_id.len == 0 || said->mer_id.len == 0)
    {
        return PH_E_MISSING;
    }
    out->ack_body         = PH_STR("ok");
    out->ack_content_type = PH_STR("text/plain");
    out->id               = notice_id(said, arena);
    if (!is_payment && !is_back) {
        out->is_ignored = true;
        return arena->full ? PH_E_FULL : PH_OK;
    }
    *part = (struct ph_channel_notice_part){
        .is_refund      = is_back,
        .order_trade_no = is_back ? said->orig_query_id : ph_str_make(NULL, 0),
        .result         = { .refunded_total = -1 },
    };
    echo_set(&part->result, said);
    notice_code_judge(said, &part->result);
    out->part_count = 1;
    return arena->full ? PH_E_FULL : PH_OK;
}

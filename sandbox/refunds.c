/*
 * refunds.c - money back, in whole or in parts.
 *
 * /refund is idempotent by out_refund_no: the same refund again is told as it
 * is, another one under that number is refused.  A refund that is refused
 * leaves nothing in the books, so its number can be tried again.
 */
#include "sandbox/ops_int.h"
#include "sandbox/text.h"

#define REASON_MAX 256

bool
refunds_read(struct sb_run *run, const json_t *root)
{
    struct ph_str reason = ops_text_of(root, "reason");

    run->refund.amount  = json_integer_value(json_object_get(root, "amount"));
    run->order.currency = ops_text_of(root, "currency");
    return run->refund.out_refund_no.len != 0 && run->refund.amount >= 1
           && run->refund.amount <= PH_AMOUNT_MAX
           && ph_currency_exponent(run->order.currency) >= 0
           && ph_str_utf8_count(reason) <= REASON_MAX;
}

static void
answer_refund(struct sb_reply *reply, struct ph_str code,
              const struct sb_refund *refund)
{
    const struct sb_charge *charge = refund->charge;
    struct ph_buf          *buf    = &reply->body;
    char                    text[SB_TRADE_NO_MAX];
    struct ph_buf           value = PH_BUF_INIT(text);

    reply->status = 200;
    ph_buf_cut(buf, 0);
    ph_buf_add(buf, PH_STR("{\"code\":"));
    ph_buf_json(buf, code);
    ops_member_text(buf, PH_STR("out_refund_no"),
                    ph_str_z(refund->out_refund_no));
    ops_member_text(buf, PH_STR("out_trade_no"),
                    ph_str_z(charge->out_trade_no));
    sb_refund_no_add(&value, refund);
    ops_member_text(buf, PH_STR("refund_no"), ph_buf_str(&value));
    ops_member_number(buf, PH_STR("amount"), refund->amount);
    ops_member_text(buf, PH_STR("currency"), ph_str_z(charge->currency));
    ops_member_text(buf, PH_STR("status"),
                    ph_str_z(sb_refund_status_text(refund->status)));
    if (refund->status == SB_REFUND_SUCCEEDED) {
        ph_buf_cut(&value, 0);
        sb_time_add(&value, refund->refunded_at_ms);
        ops_member_text(buf, PH_STR("refunded_at"), ph_buf_str(&value));
    }
    ops_member_number(buf, PH_STR("amount_refunded"), charge->refunded);
    ph_buf_byte(buf, '}');
}

static void
refund_again(struct sb_run *run, const struct sb_refund *refund)
{
    const struct sb_charge *charge = refund->charge;

    if (refund->amount != run->refund.amount
        || !ph_str_eq(ph_str_z(charge->out_trade_no), run->order.out_trade_no)
        || !ph_str_eq(ph_str_z(charge->currency), run->order.currency))
    {
        ops_answer_refusal(run, 409, PH_STR("number_reused"));
        return;
    }
    answer_refund(run->reply, PH_STR("ok"), refund);
}

static void
refund_first(struct sb_run *run, struct sb_charge *charge)
{
    static const enum sb_refund_status born[] = {
        [SB_REFUND_NORMAL] = SB_REFUND_SUCCEEDED,
        [SB_REFUND_LATE]   = SB_REFUND_PENDING,
        [SB_REFUND_FAIL]   = SB_REFUND_FAILED,
    };
    const struct sb_world *world = run->world;
    enum sb_refunding how = sb_refunding_of(run->refund.amount, charge->amount);
    struct sb_refund *refund = sb_books_refund(
        world->books, charge, &run->refund, born[how], run->now_ms);

    if (refund == NULL) {
        ops_answer_refusal(run, 503, PH_STR("unavailable"));
        return;
    }
    if (how == SB_REFUND_LATE) {
        sb_clock_refund(world->clock, refund);
        ops_answer_refusal(run, 200, PH_STR("system_error"));
        return;
    }
    answer_refund(run->reply,
                  how == SB_REFUND_FAIL ? PH_STR("declined") : PH_STR("ok"),
                  refund);
}

void
refunds_run(struct sb_run *run)
{
    const struct sb_refund *refund
        = sb_books_refund_find(run->world->books, run->refund.out_refund_no);
    struct sb_charge *charge = ops_charge_find(run);

    if (refund != NULL) {
        refund_again(run, refund);
        return;
    }
    if (charge == NULL) {
        ops_answer_refusal(run, 404, PH_STR("not_found"));
        return;
    }
    if (!ph_str_eq(ph_str_z(charge->currency), run->order.currency)) {
        ops_answer_refusal(run, 400, PH_STR("bad_request"));
        return;
    }
    if (charge->status != SB_PAID) {
        ops_answer_refusal(run, 409, PH_STR("not_paid"));
        return;
    }
    if (!sb_charge_holds(charge, run->refund.amount)) {
        ops_answer_refusal(run, 409, PH_STR("over_refund"));
        return;
    }
    refund_first(run, charge);
}

void
refunds_run_query(struct sb_run *run)
{
    const struct sb_refund *refund
        = sb_books_refund_find(run->world->books, run->refund.out_refund_no);

    if (refund == NULL
        || !ph_str_eq(ph_str_z(refund->charge->out_trade_no),
                      run->order.out_trade_no))
    {
        ops_answer_refusal(run, 404, PH_STR("not_found"));
        return;
    }
    answer_refund(run->reply, PH_STR("ok"), refund);
}

/* answer.c - see answer.h. */
#include "worker/answer.h"

#include "worker/payment_view.h"
#include "worker/till.h"

void
wk_answer_refuse(struct wk_request **request, enum ph_frame_type type,
                 enum ph_error error, const char *detail)
{
    const struct ph_problem problem
        = { .error = error, .detail = ph_str_z(detail) };
    const bool again_soon
        = error == PH_ERROR_IN_PROGRESS || error == PH_ERROR_NOT_EXECUTED;
    const struct wk_reply more = { .retry_after_s = again_soon ? 1 : 0 };

    if (*request != NULL) {
        wk_reply_problem(*request, type, &problem, &more);
        *request = NULL;
    }
}

static bool
order_is_unclear(const struct wk_order *order)
{
    const struct wk_attempt *newest = &order->attempt[order->attempt_count - 1];

    return order->payment.status == PH_PAYMENT_PAYING
           && (newest->status == PH_ATTEMPT_UNKNOWN
               || newest->status == PH_ATTEMPT_CLOSING /* shows as unknown */
               || newest->status == PH_ATTEMPT_SENT || wk_till_fits(order));
}

void
wk_answer_order(struct wk_request **request, const struct wk_order *order,
                const struct wk_reply *more)
{
    const struct wk_payment *payment = &order->payment;
    struct wk_reply reply = more != NULL ? *more : (struct wk_reply){ 0 };

    if (*request == NULL) {
        return;
    }
    struct ph_buf *text = wk_server_text((*request)->worker);

    wk_payment_view(text, order);
    reply.type     = PH_FRAME_RESULT;
    reply.body     = ph_buf_str(text);
    reply.order_id = payment->id;
    reply.channel  = payment->channel;
    reply.outcome  = ph_str_z(ph_payment_state_text(payment->status));
    if (reply.status == 0) {
        reply.status = order_is_unclear(order) ? 202 : 201;
    }
    wk_reply(*request, &reply);
    *request = NULL;
}

uint64_t
wk_answer_wait_ms(const struct wk_request *request)
{
    uint64_t ms
        = (uint64_t) wk_conf(request->worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = request->frame.ms_left;

    return left_ms != 0 && left_ms < ms ? left_ms : ms;
}

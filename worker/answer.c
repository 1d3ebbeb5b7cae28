/* answer.c - see answer.h. */
#include "worker/answer.h"

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

uint64_t
wk_answer_wait_ms(const struct wk_request *request)
{
    uint64_t ms
        = (uint64_t) wk_conf(request->worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = request->frame.ms_left;

    return left_ms != 0 && left_ms < ms ? left_ms : ms;
}

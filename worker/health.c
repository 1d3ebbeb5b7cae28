/* health.c - items of the HEALTH field; see health.h. */
#include "worker/health.h"

#include "libpayhub/io/daemon.h"

#define NS_PER_MS UINT64_C(1000000)

enum ph_call_class
wk_health_class(const struct wk_op *op)
{
    if (op->config_error != PH_ERROR_NONE) {
        return PH_CALL_CHANNEL_ERROR;
    }
    switch (op->result.class) {
    case PH_RESULT_SUCCEEDED:
    case PH_RESULT_WAIT_USER:
    case PH_RESULT_CLOSED:
    case PH_RESULT_NOT_FOUND:
        return PH_CALL_SUCCEEDED;
    case PH_RESULT_FAILED:
        return PH_CALL_FAILED;
    case PH_RESULT_NOT_SENT:
        return PH_CALL_NOT_SENT;
    case PH_RESULT_UNKNOWN:
        break;
    }
    return PH_CALL_UNKNOWN;
}

void
wk_health_item(struct ph_buf *out, const struct wk_op *op)
{
    const struct wk_op_times *times = &op->times;

    if (op->is_our_lack || op->is_uncalled) {
        return;
    }
    const struct ph_call_item item = {
        .account = op->account->face.id,
        .class   = wk_health_class(op),
        .ms      = (ph_monotonic_ns() - op->started_ns) / NS_PER_MS,
        .has     = { [PH_PHASE_CONNECT] = times->is_new_connection,
                     [PH_PHASE_TLS]     = times->is_new_connection && times->is_tls,
                     [PH_PHASE_FIRST_BYTE] = times->is_known },
        .us      = { [PH_PHASE_CONNECT]    = times->connect_us,
                     [PH_PHASE_TLS]        = times->tls_us,
                     [PH_PHASE_FIRST_BYTE] = times->first_byte_us },
    };

    ph_call_item_add(out, &item);
}

void
wk_health_later(struct wk_worker *worker, struct ph_str item)
{
    struct ph_buf waiting;

    if (item.len == 0) {
        return;
    }
    ph_buf_init(&waiting, worker->health, sizeof(worker->health));
    waiting.len = worker->health_len;
    if (waiting.len != 0) {
        ph_buf_byte(&waiting, ' ');
    }
    ph_buf_add(&waiting, item);
    if (!waiting.full) {
        worker->health_len = waiting.len;
    }
}

void
wk_health_take(struct wk_worker *worker, struct ph_str own, struct ph_buf *out)
{
    struct ph_str waiting = ph_str_make(worker->health, worker->health_len);

    if (own.len + waiting.len == 0) {
        return;
    }
    ph_buf_add(out, own);
    if (waiting.len == 0) {
        return;
    }
    size_t mark = out->len;

    if (own.len != 0) {
        ph_buf_byte(out, ' ');
    }
    ph_buf_add(out, waiting);
    if (out->full) {
        ph_buf_cut(out, mark); /* they wait for another answer */
    } else {
        worker->health_len = 0;
    }
}

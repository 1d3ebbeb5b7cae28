/* wire_log.c - see wire_log.h. */
#include "worker/wire_log.h"

#include "libpayhub/io/log.h"
#include "worker/wire_text.h"

#define BODY_MAX 300 /* of a message; two of them fit a line */
#define PATH_MAX_LEN 96
#define IDS_MAX 96

static bool
wire_is_on(const struct wk_worker *worker)
{
    return wk_conf(worker, PH_CONF_log_wire) != 0 && ph_log_is_on(PH_LOG_INFO);
}

const char *
wk_op_word(enum ph_channel_op kind)
{
    static const char *const words[PH_OP_COUNT]
        = { [PH_OP_CREATE]          = "create",
            [PH_OP_QUERY]           = "query",
            [PH_OP_CLOSE]           = "close",
            [PH_OP_REVERSE]         = "reverse",
            [PH_OP_REFUND]          = "refund",
            [PH_OP_REFUND_QUERY]    = "refund_query",
            [PH_OP_ACCOUNT_REFRESH] = "refresh" };

    return words[kind];
}

static const char *
outcome_word(enum wk_call_outcome outcome)
{
    return outcome == WK_CALL_ANSWERED   ? "answered"
           : outcome == WK_CALL_NOT_SENT ? "not_sent"
                                         : "unknown";
}

/* A part of a block's arena is borrowed and given back. */
static struct ph_str
body_text(const struct wk_op *op, struct ph_buf *out, struct ph_str body)
{
    struct ph_arena *arena = op->arena;
    const size_t     mark  = arena->len;

    if (!arena->full) {
        wk_wire_body(out, body, op->account->channel->wire_fields,
                     op->order.extra, arena);
        arena->len  = mark;
        arena->full = false;
    }
    return ph_buf_str(out);
}

/* {NULL, 0} = it was answered */
static struct ph_str
why_of(const struct wk_call *call)
{
    return call->outcome == WK_CALL_ANSWERED ? ph_str_make(NULL, 0)
                                             : ph_str_z(call->error);
}

/* What only the one who called knows is told without log.wire as well. */
static void
unanswered_log(const struct wk_op *op, const struct wk_call *call)
{
    if (call->outcome == WK_CALL_ANSWERED) {
        return;
    }
    ph_log(PH_LOG_INFO, "call_unanswered",
           { "op", ph_str_z(wk_op_word(op->kind)) },
           { "account", op->account->face.id },
           { "attempt", op->order.attempt_id },
           { "refund", op->order.refund_id },
           { "outcome", ph_str_z(outcome_word(call->outcome)) },
           { "why", why_of(call) },
           { "us", ph_log_i64((int64_t) call->total_us) });
}

void
wk_wire_call(const struct wk_op *op, const struct wk_call *call)
{
    const struct ph_channel_request *request = call->request;
    const struct ph_channel_reply   *reply   = &call->reply;
    char          asked_memory[BODY_MAX], told_memory[BODY_MAX];
    char          path_memory[PATH_MAX_LEN], ids_memory[IDS_MAX];
    struct ph_buf asked = PH_BUF_INIT(asked_memory);
    struct ph_buf told  = PH_BUF_INIT(told_memory);
    struct ph_buf path  = PH_BUF_INIT(path_memory);
    struct ph_buf ids   = PH_BUF_INIT(ids_memory);

    if (!wire_is_on(op->worker)) {
        unanswered_log(op, call);
        return;
    }
    wk_wire_path(&path, request->url);
    wk_wire_ids(&ids, reply->headers, reply->header_count);
    ph_log(PH_LOG_INFO, "wire", { "op", ph_str_z(wk_op_word(op->kind)) },
           { "account", op->account->face.id },
           { "attempt", op->order.attempt_id },
           { "refund", op->order.refund_id }, { "method", request->method },
           { "path", ph_buf_str(&path) },
           { "outcome", ph_str_z(outcome_word(call->outcome)) },
           { "why", why_of(call) }, { "status", ph_log_i64(reply->status) },
           { "us", ph_log_i64((int64_t) call->total_us) },
           { "asked_len", ph_log_i64((int64_t) request->body.len) },
           { "told_len", ph_log_i64((int64_t) reply->body.len) },
           { "ids", ph_buf_str(&ids) },
           { "asked", body_text(op, &asked, request->body) },
           { "told", body_text(op, &told, reply->body) });
}

void
wk_wire_notice(struct wk_worker *worker, const struct wk_account *account,
               const struct ph_channel_notice *in, enum ph_rc rc)
{
    char          told_memory[BODY_MAX], ids_memory[IDS_MAX];
    struct ph_buf told = PH_BUF_INIT(told_memory);
    struct ph_buf ids  = PH_BUF_INIT(ids_memory);

    if (!wire_is_on(worker)) {
        return;
    }
    if (rc == PH_OK) {
        struct wk_block *block = wk_block_take(worker);

        if (block != NULL) {
            wk_wire_body(&told, in->body, account->channel->wire_fields,
                         ph_str_make(NULL, 0), &block->arena);
            wk_block_give(worker, block);
        }
    }
    wk_wire_ids(&ids, in->headers, in->header_count);
    ph_log(PH_LOG_INFO, "wire", { "op", PH_STR("notice") },
           { "account", account->face.id },
           { "outcome", ph_str_z(rc == PH_OK ? "genuine" : "refused") },
           { "told_len", ph_log_i64((int64_t) in->body.len) },
           { "ids", ph_buf_str(&ids) }, { "told", ph_buf_str(&told) });
}

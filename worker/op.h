/*
 * op.h - one operation at a channel: steps of its adapter, and calls.
 *
 * Ends exactly once, in done(), with a result class that the core may judge.
 * NOT_SENT is told when no request of this operation left us, or when the
 * channel says of the only one that it did nothing with it.  After a second
 * request nothing of the kind can prove what the first one did: UNKNOWN.
 *
 * An adapter that lacks a token or a key says NEED_REFRESH, once an operation:
 * the account is refreshed and the operation begun anew.  What was sent to move
 * money is sent again only after a 401, by which nobody did anything; after any
 * other answer the operation ends UNKNOWN and a query reads with the new key.
 *
 * DONE without a request is no call: no item of HEALTH, no digest.
 * @thread loop.
 */
#ifndef WK_OP_H
#define WK_OP_H

#include "libpayhub/domain/error.h"
#include "libpayhub/wire/digest.h"
#include "worker/account.h"
#include "worker/call.h"
#include "worker/refresh.h"

/* How long one request took, by its phases. */
struct wk_op_times {
    bool     is_known;
    bool     is_new_connection; /* else connect and tls are 0 */
    bool     is_tls;
    uint64_t connect_us; /* name and address */
    uint64_t tls_us;
    uint64_t first_byte_us; /* from the request's end to the answer's begin */
};

/* All that an operation does takes so many deadlines of one call at most, with
 * a refresh in it. */
#define WK_OP_DEADLINES 3

struct wk_op {
    /* set by the caller */
    struct wk_worker       *worker;
    struct wk_account      *account; /* held and counted by the caller */
    enum ph_channel_op      kind;
    struct ph_channel_order order;
    struct ph_arena        *arena;
    struct ph_str           hint; /* of ACCOUNT_REFRESH: what is missing */
    void (*done)(struct wk_op *op);
    void *data;

    /* in: what the attempt row kept; out: what it shall keep */
    uint8_t state[PH_CHANNEL_STATE_MAX];
    size_t  state_len;

    /* set before done() */
    struct ph_channel_result result;
    uint8_t                  digest[PH_SHA256_LEN]; /* of the last answer */
    bool                     has_digest;
    enum ph_error            config_error;
    bool is_our_lack; /* of room or memory: tells nothing of the account */
    bool is_uncalled; /* DONE without a request */
    struct wk_op_times times; /* of its first request that was answered */

    /* private */
    struct ph_channel_call step;
    struct ph_channel_out  out; /* after done() of ACCOUNT_REFRESH: .kept */
    struct wk_call         call;
    uint64_t               call_ms; /* the longest that one call may take */
    uint64_t               deadline_ns;
    uint64_t               started_ns;
    uint8_t                random[32];
    unsigned               requests;         /* handed to the engine */
    unsigned               undone;           /* of them: they did nothing */
    bool                   may_have_arrived; /* one of the others */
    bool                   had_arrived;      /* the same, before the last one */
    bool                   was_refreshed;
    bool                   is_doubtful; /* the last one may have done it */
    struct wk_account     *fresh;       /* as refreshed; NULL = never */
    struct wk_refresh      refresh;
};

void wk_op_start(struct wk_op *op);

#endif

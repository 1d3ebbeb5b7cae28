/*
 * op.h - one operation at a channel: steps of its adapter, and calls.
 *
 * Ends exactly once, in done(), with a result class that the core may judge.
 * NOT_SENT is told when no request of this operation left us, or when the
 * channel says of the only one that it did nothing with it.  After a second
 * request nothing of the kind can prove what the first one did: UNKNOWN.
 * @thread loop.
 */
#ifndef WK_OP_H
#define WK_OP_H

#include "libpayhub/domain/error.h"
#include "libpayhub/wire/digest.h"
#include "worker/account.h"
#include "worker/call.h"

struct wk_op {
    /* set by the caller */
    struct wk_worker       *worker;
    struct wk_account      *account; /* held and counted by the caller */
    enum ph_channel_op      kind;
    struct ph_channel_order order;
    struct ph_arena        *arena;
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

    /* private */
    struct ph_channel_call step;
    struct ph_channel_out  out;
    struct wk_call         call;
    uint64_t               deadline_ns;
    uint64_t               started_ns;
    uint8_t                random[32];
    bool                   may_have_arrived; /* one of them, by all we know */
    unsigned               requests;         /* handed to the engine */
};

void wk_op_start(struct wk_op *op);

#endif

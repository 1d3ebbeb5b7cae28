/*
 * create_int.h - shared by worker/create*.c: the job of one POST /v1/payments;
 * create.c says how it runs.
 */
#ifndef WK_CREATE_INT_H
#define WK_CREATE_INT_H

#include "libpayhub/wire/digest.h"
#include "worker/batch.h"
#include "worker/health.h"
#include "worker/lock.h"
#include "worker/offer.h"
#include "worker/op.h"
#include "worker/payment_request.h"
#include "worker/route.h"
#include "worker/settle.h"

#define NS_PER_MS UINT64_C(1000000)

enum create_state {
    CREATE_LOCKING = 1,
    CREATE_LOOKING,
    CREATE_INSERTING,
    CREATE_CALLING,
    CREATE_SETTLING
};

struct create {
    struct wk_store_job store; /* first: insert and look */
    struct wk_worker   *worker;
    struct wk_block    *block;
    struct ph_arena    *arena;
    size_t              arena_mark; /* behind what lives as long as the job */
    struct wk_request  *request;    /* NULL = answered */
    enum create_state   state;
    struct wk_account  *account; /* NULL = none: only a replay is possible */
    enum ph_frame_type  no_account_type;
    enum ph_error       no_account;
    const char         *no_account_detail;
    struct wk_lock      lock; /* until after the last commit, if granted */
    enum wk_lock_answer lock_answer;
    bool                lock_is_known;
    bool                nonce_is_known;
    struct wk_timer    *deadline; /* of the request, not of the job */
    bool                is_overdue;
    uint64_t            arrived_ns;
    uint64_t            insert_ns; /* when the newest attempt was handed over */
    char                request_id[WK_REQUEST_ID_TEXT_LEN + 1];

    struct wk_payment_request asked;
    struct ph_str             app_id;
    struct ph_str             merchant_id;
    uint8_t                   hash[PH_SHA256_LEN]; /* of the raw body */
    struct ph_id              payment_id;
    struct ph_id              attempt_ids[WK_ATTEMPTS_MAX];
    size_t                    attempt_at; /* the newest of them */
    struct ph_str             shard;      /* characters of the id */

    struct wk_order order;     /* ours, or the one that was here before */
    bool            is_replay; /* the number has another owner */
    struct ph_str   owner_hash;
    enum wk_found   looked;
    struct wk_want  want; /* that owner, while INSERTING */

    enum wk_offer offer;
    char          health[WK_HEALTH_ITEM];
    size_t        health_len;

    struct wk_op     op;     /* while CALLING */
    struct wk_settle settle; /* while SETTLING: the store thread's */

    /* while SETTLING an attempt of which nothing came */
    struct wk_next_attempt next;
    struct wk_account     *next_account; /* held; NULL = none follows */
};

/* ---- create.c ---- */

/* the app's account for it: the best, without those that were tried */
struct wk_account *wk_create_account(struct create *job);

/* ---- create_call.c ---- */

/* Calls the channel of the newest attempt, whose row is committed. */
void wk_create_call(struct create *job);

/* ---- create_answer.c ---- */

/* Each answers the request unless it has been; the job goes on. */
void wk_create_answer(struct create *job);
void wk_create_refuse(struct create *job, enum ph_frame_type type,
                      enum ph_error error, const char *detail);

/* The number had an owner before us: its payment as it is now, or 422.  Ends
 * the job. */
void wk_create_replay(struct create *job);

void wk_create_end(struct create *job);

#endif

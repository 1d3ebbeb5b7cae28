/*
 * lock.h - the order lock: one name per order for every job that calls out.
 *
 * Redlock's layout (SET NX PX, random value, compare-and-delete) with a
 * fencing token, renewed at a third of its life.  The lock saves channel
 * calls; it decides nothing: every effect is also refused by a unique key or
 * a conditional UPDATE.  So with Redis away a job goes on with the rows.
 * @thread loop.
 */
#ifndef WK_LOCK_H
#define WK_LOCK_H

#include "worker/redis.h"

#define WK_LOCK_KEY_MAX 160
#define WK_LOCK_VALUE_LEN 32

enum wk_lock_answer {
    WK_LOCK_AWAY = 0, /* no Redis: go on with the rows */
    WK_LOCK_BUSY,     /* somebody else works on this order */
    WK_LOCK_HELD
};

struct wk_locks;

struct wk_lock {
    /* set by the caller */
    void (*done)(struct wk_lock *lock, enum wk_lock_answer answer);
    void *data;

    /* while held */
    int64_t fence; /* this grant's token; 0 = without a lock */
    bool    is_held;
    bool    is_lost; /* renewal found it gone, or came too late */

    /* private */
    struct wk_locks *locks;
    struct wk_lock  *prev, *next;
    uint64_t         number;
    uint64_t         granted_ns; /* of the question, so never too late */
    uint64_t         renewed_ns;
    int64_t          at_least; /* the row's fence */
    bool             is_raised;
    char             key[WK_LOCK_KEY_MAX];
    size_t           key_len;
    char             fence_key[WK_LOCK_KEY_MAX];
    size_t           fence_key_len;
    char             value[WK_LOCK_VALUE_LEN + 1];
};

struct wk_locks *wk_locks_new(uv_loop_t *loop, const struct ph_conf *conf,
                              struct wk_redis *redis) PH_MUST_CHECK;

/*
 * Asks once; done() is called on a later turn, or at once with AWAY.
 * at_least is the fence of the row, 0 when there is none: a counter that fell
 * behind it is raised first.
 */
void wk_lock_take(struct wk_locks *locks, struct wk_lock *lock,
                  struct ph_str app_id, struct ph_str order_no,
                  struct ph_str shard, int64_t at_least);

/* true while the lock is certainly still ours */
bool wk_lock_is_ours(const struct wk_lock *lock);

/* Gives it back; nothing to wait for.  Accepts one that is not held. */
void wk_lock_drop(struct wk_lock *lock);

void wk_locks_stop(struct wk_locks *locks);
void wk_locks_free(struct wk_locks *locks);

#endif

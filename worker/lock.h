/*
 * lock.h - the order lock: one name per order for every job that calls out.
 *
 * Redlock's layout (SET NX PX, random value, compare-and-delete), or
 * Redisson's (a hash, redis.lock_layout), with a fencing token, renewed at a
 * third of its life.  The lock saves channel calls; it decides nothing: every
 * effect is also refused by a unique key or a conditional UPDATE.  So with
 * Redis away a job goes on with the rows.
 *
 * With redis.wait_replicas a grant counts only when that many replicas have it
 * too, so that a fail-over does not hand it out again; else it is given back
 * and the rows decide.
 *
 * Who waits is woken by what the release publishes, the first of this process
 * first.  A holder that dies, or is of a kind that publishes nothing, is found
 * by looking: after 50 ms, then ever more rarely up to a second, and when the
 * lock's life ends.  @thread loop.
 */
#ifndef WK_LOCK_H
#define WK_LOCK_H

#include "worker/redis.h"
#include "worker/redis_sub.h"

#define WK_LOCK_KEY_MAX 160
#define WK_LOCK_VALUE_LEN 32

enum wk_lock_answer {
    WK_LOCK_AWAY = 0, /* no Redis: go on with the rows */
    WK_LOCK_BUSY,     /* somebody else works on this order */
    WK_LOCK_HELD
};

struct wk_locks;
struct wk_worker;

struct wk_lock {
    /* set by the caller */
    void (*done)(struct wk_lock *lock, enum wk_lock_answer answer);
    void *data;

    /* while held */
    int64_t fence; /* this grant's token; 0 = without a lock */
    bool    is_held;
    bool    is_lost;    /* renewal found it gone, or came too late */
    bool    has_waited; /* it was another's: what was read before is old */

    /* private */
    struct wk_locks  *locks;
    struct wk_lock   *prev, *next;
    uint64_t          number;
    uint64_t          granted_ns; /* of the question, so never too late */
    uint64_t          renewed_ns;
    uint64_t          ttl_ms;   /* of this grant, whatever a reload says */
    int64_t           at_least; /* the row's fence */
    bool              is_raised;
    bool              is_asking;
    bool              is_woken;      /* while it asked */
    uint64_t          wait_until_ns; /* 0 = ask once */
    uint64_t          look_at_ns;    /* by itself */
    uint64_t          look_every_ms;
    struct wk_waiter  waiter;
    struct wk_confirm confirm;
    char              key[WK_LOCK_KEY_MAX];
    size_t            key_len;
    char              fence_key[WK_LOCK_KEY_MAX];
    size_t            fence_key_len;
    char              value[WK_LOCK_VALUE_LEN + 1];
};

struct wk_locks *wk_locks_new(struct wk_worker *worker) PH_MUST_CHECK;

/*
 * Asks, and when it is another's waits: HELD as soon as it is ours, BUSY after
 * wait_ms (0 = asks once), AWAY when Redis is or goes.  done() is called on a
 * later turn, or at once with AWAY; the lock must live until then.  at_least is
 * the fence of the row, 0 when there is none: a counter that fell behind it is
 * raised first.
 */
void wk_lock_wait(struct wk_locks *locks, struct wk_lock *lock,
                  struct ph_str app_id, struct ph_str order_no,
                  int64_t at_least, uint64_t wait_ms);

/* true while the lock is certainly still ours */
bool wk_lock_is_ours(const struct wk_lock *lock);

/* Gives it back; nothing to wait for.  Accepts one that is not held. */
void wk_lock_drop(struct wk_lock *lock);

void wk_locks_stop(struct wk_locks *locks);
void wk_locks_free(struct wk_locks *locks);

#endif

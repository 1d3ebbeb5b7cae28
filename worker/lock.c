/* lock.c - order locks by the functions of schema/redis/payhub.lua. */
#include "worker/lock.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define RENEW_TICKS 6 /* looks at held locks in one life */

struct wk_locks {
    const struct ph_conf *conf;
    struct wk_redis      *redis;
    uv_timer_t            tick;
    struct wk_lock       *held;
    uint64_t              next_number;
};

static void
held_add(struct wk_locks *locks, struct wk_lock *lock)
{
    lock->prev = NULL;
    lock->next = locks->held;
    if (lock->next != NULL) {
        lock->next->prev = lock;
    }
    locks->held = lock;
}

static void
held_remove(struct wk_locks *locks, struct wk_lock *lock)
{
    if (lock->prev != NULL) {
        lock->prev->next = lock->next;
    } else {
        locks->held = lock->next;
    }
    if (lock->next != NULL) {
        lock->next->prev = lock->prev;
    }
}

static uint64_t
ttl_ns(const struct wk_locks *locks)
{
    return (uint64_t) ph_conf_number(locks->conf, PH_CONF_redis_lock_ttl)
           * NS_PER_MS;
}

static struct ph_str
ttl_text(const struct wk_locks *locks, struct ph_buf *buf)
{
    ph_buf_i64(buf, ph_conf_number(locks->conf, PH_CONF_redis_lock_ttl));
    return ph_buf_str(buf);
}

static bool
lock_names(struct wk_lock *lock, struct ph_str app_id, struct ph_str order_no,
           struct ph_str shard)
{
    struct ph_str prefix
        = ph_str_z(ph_conf_text(lock->locks->conf, PH_CONF_redis_prefix));
    struct ph_buf key   = PH_BUF_INIT(lock->key);
    struct ph_buf fence = PH_BUF_INIT(lock->fence_key);

    ph_buf_byte(&key, '{');
    ph_buf_add(&key, prefix);
    ph_buf_byte(&key, ':');
    ph_buf_add(&key, shard);
    ph_buf_byte(&key, '}');
    ph_buf_add(&fence, ph_buf_str(&key));
    ph_buf_add(&key, PH_STR(":lock:"));
    ph_buf_add(&key, app_id);
    ph_buf_byte(&key, ':');
    ph_buf_add(&key, order_no);
    ph_buf_add(&fence, PH_STR(":fence"));
    lock->key_len       = key.len;
    lock->fence_key_len = fence.len;
    return !key.full && !fence.full;
}

static struct ph_str
lock_key(const struct wk_lock *lock)
{
    return ph_str_make(lock->key, lock->key_len);
}

static struct ph_str
lock_fence_key(const struct wk_lock *lock)
{
    return ph_str_make(lock->fence_key, lock->fence_key_len);
}

static void
lock_value_make(struct wk_lock *lock)
{
    uint8_t       random[WK_LOCK_VALUE_LEN / 2];
    struct ph_buf value = PH_BUF_INIT(lock->value);

    ph_random(random, sizeof(random));
    ph_buf_hex(&value, ph_str_make((const char *) random, sizeof(random)));
    (void) ph_buf_z(&value);
}

/* ---- taking ---- */

static bool lock_ask(struct wk_lock *lock);

static void
lock_on_raised(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_lock *lock = data;

    (void) redis;
    lock->is_raised = true;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || !lock_ask(lock))
    {
        lock->done(lock, WK_LOCK_AWAY);
    }
}

/* The counter fell behind the row (fail-over, flush): the token is worthless.
 * Give it back, raise the counter, ask again; once. */
static bool
lock_raise(struct wk_lock *lock)
{
    char                memory[24];
    struct ph_buf       at_least = PH_BUF_INIT(memory);
    const struct ph_str unlock[]
        = { PH_STR("FCALL"), PH_STR("ph_unlock"), PH_STR("1"), lock_key(lock),
            ph_str_z(lock->value) };

    ph_buf_i64(&at_least, lock->at_least);
    const struct ph_str raise[]
        = { PH_STR("FCALL"), PH_STR("ph_fence_raise"), PH_STR("1"),
            lock_fence_key(lock), ph_buf_str(&at_least) };

    return wk_redis_ask(lock->locks->redis, NULL, NULL, unlock,
                        PH_COUNT(unlock))
           && wk_redis_ask(lock->locks->redis, lock_on_raised, lock, raise,
                           PH_COUNT(raise));
}

static void
lock_granted(struct wk_lock *lock, int64_t token)
{
    if (token <= lock->at_least && !lock->is_raised) {
        if (!lock_raise(lock)) {
            lock->done(lock, WK_LOCK_AWAY);
        }
        return;
    }
    lock->fence      = token;
    lock->is_held    = true;
    lock->renewed_ns = lock->granted_ns;
    lock->number     = ++lock->locks->next_number;
    held_add(lock->locks, lock);
    lock->done(lock, WK_LOCK_HELD);
}

static bool
answer_is_sound(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY
           && reply->elements == 2
           && reply->element[0]->type == REDIS_REPLY_INTEGER;
}

static void
lock_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_lock *lock = data;

    if (!answer_is_sound(reply)) {
        if (reply != NULL) {
            wk_redis_distrust(redis);
        }
        lock->done(lock, WK_LOCK_AWAY);
    } else if (reply->element[0]->integer <= 0) {
        lock->done(lock, WK_LOCK_BUSY);
    } else {
        lock_granted(lock, reply->element[0]->integer);
    }
}

static bool
lock_ask(struct wk_lock *lock)
{
    char                memory[24];
    struct ph_buf       ttl    = PH_BUF_INIT(memory);
    const struct ph_str args[] = { PH_STR("FCALL"),
                                   PH_STR("ph_lock"),
                                   PH_STR("2"),
                                   lock_key(lock),
                                   lock_fence_key(lock),
                                   ph_str_z(lock->value),
                                   ttl_text(lock->locks, &ttl) };

    lock->granted_ns = ph_monotonic_ns();
    return wk_redis_ask(lock->locks->redis, lock_on_answer, lock, args,
                        PH_COUNT(args));
}

void
wk_lock_take(struct wk_locks *locks, struct wk_lock *lock, struct ph_str app_id,
             struct ph_str order_no, struct ph_str shard, int64_t at_least)
{
    lock->locks     = locks;
    lock->fence     = 0;
    lock->is_held   = false;
    lock->is_lost   = false;
    lock->is_raised = false;
    lock->at_least  = at_least;
    lock_value_make(lock);
    if (!lock_names(lock, app_id, order_no, shard) || !lock_ask(lock)) {
        lock->done(lock, WK_LOCK_AWAY);
    }
}

/* ---- holding ---- */

bool
wk_lock_is_ours(const struct wk_lock *lock)
{
    return lock->is_held && !lock->is_lost
           && ph_monotonic_ns() - lock->renewed_ns < ttl_ns(lock->locks);
}

/* Who asked for a renewal: a number, since the holder may be gone by then. */
struct renewal {
    struct wk_locks *locks;
    uint64_t         number;
    uint64_t         asked_ns;
};

static void
lock_on_renewed(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct renewal *renewal = data;
    struct wk_lock *lock    = renewal->locks->held;

    (void) redis;
    while (lock != NULL && lock->number != renewal->number) {
        lock = lock->next;
    }
    if (lock != NULL && reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        if (reply->integer == 1) {
            lock->renewed_ns = renewal->asked_ns;
        } else {
            lock->is_lost = true;
            ph_log(PH_LOG_WARN, "lock_lost", { "key", lock_key(lock) });
        }
    }
    free(renewal);
}

static void
lock_renew(struct wk_locks *locks, struct wk_lock *lock)
{
    char                memory[24];
    struct ph_buf       ttl     = PH_BUF_INIT(memory);
    struct renewal     *renewal = malloc(sizeof(*renewal));
    const struct ph_str args[]
        = { PH_STR("FCALL"), PH_STR("ph_renew"),    PH_STR("1"),
            lock_key(lock),  ph_str_z(lock->value), ttl_text(locks, &ttl) };

    if (renewal == NULL) {
        return;
    }
    *renewal = (struct renewal){ locks, lock->number, ph_monotonic_ns() };
    if (!wk_redis_ask(locks->redis, lock_on_renewed, renewal, args,
                      PH_COUNT(args))) {
        free(renewal);
    }
}

static void
locks_tick(uv_timer_t *timer)
{
    struct wk_locks *locks = timer->data;
    uint64_t         now   = ph_monotonic_ns();

    for (struct wk_lock *lock = locks->held; lock != NULL; lock = lock->next) {
        if (!lock->is_lost && now - lock->renewed_ns >= ttl_ns(locks) / 3) {
            lock_renew(locks, lock);
        }
    }
}

void
wk_lock_drop(struct wk_lock *lock)
{
    if (!lock->is_held) {
        return;
    }
    const struct ph_str args[]
        = { PH_STR("FCALL"), PH_STR("ph_unlock"), PH_STR("1"), lock_key(lock),
            ph_str_z(lock->value) };

    held_remove(lock->locks, lock);
    lock->is_held = false;
    if (!wk_redis_ask(lock->locks->redis, NULL, NULL, args, PH_COUNT(args))) {
        /* away: the key ends with its own life */
        return;
    }
}

struct wk_locks *
wk_locks_new(uv_loop_t *loop, const struct ph_conf *conf,
             struct wk_redis *redis)
{
    struct wk_locks *locks = calloc(1, sizeof(*locks));

    if (locks == NULL) {
        return NULL;
    }
    uint64_t tick_ms
        = (uint64_t) ph_conf_number(conf, PH_CONF_redis_lock_ttl) / RENEW_TICKS;

    locks->conf      = conf;
    locks->redis     = redis;
    locks->tick.data = locks;
    (void) uv_timer_init(loop, &locks->tick);
    (void) uv_timer_start(&locks->tick, locks_tick, tick_ms, tick_ms);
    return locks;
}

void
wk_locks_stop(struct wk_locks *locks)
{
    uv_close((uv_handle_t *) &locks->tick, NULL);
}

void
wk_locks_free(struct wk_locks *locks)
{
    free(locks);
}

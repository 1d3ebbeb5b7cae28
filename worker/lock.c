/* lock.c - order locks by the functions of schema/redis/payhub.lua. */
#include "worker/lock.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/digest.h"
#include "worker/worker.h"
#include "worker/random.h"

#define NS_PER_MS UINT64_C(1000000)
#define HOLD_TICK_MS 100 /* looks at held locks; the shortest life is 1 s */

/* Looks of who waits: the first soon, since a holder of another make may
 * publish nothing, then half as often each time. */
#define LOOK_MIN_MS 50
#define LOOK_MAX_MS 1000
#define WAIT_TICK_MS 10

struct wk_locks {
    struct wk_worker    *worker;
    struct wk_redis     *redis;
    struct wk_redis_sub *sub;
    struct ph_str        prefix;
    struct ph_str        layout; /* as the functions call it */
    bool                 is_redisson;
    bool                 was_unconfirmed; /* and said so */
    uv_timer_t           tick;
    uv_timer_t           wait_tick; /* runs while somebody waits */
    struct wk_lock      *held;
    struct wk_lock      *waiting;
    uint64_t             next_number;
    char                 prefix_text[PH_CONF_LINE_MAX];
};

/* A lock is in one of the lists at most. */
static void
list_add(struct wk_lock **list, struct wk_lock *lock)
{
    lock->prev = NULL;
    lock->next = *list;
    if (lock->next != NULL) {
        lock->next->prev = lock;
    }
    *list = lock;
}

static void
list_remove(struct wk_lock **list, struct wk_lock *lock)
{
    if (lock->prev != NULL) {
        lock->prev->next = lock->next;
    } else {
        *list = lock->next;
    }
    if (lock->next != NULL) {
        lock->next->prev = lock->prev;
    }
}

static struct ph_str
ttl_text(const struct wk_lock *lock, struct ph_buf *buf)
{
    ph_buf_u64(buf, lock->ttl_ms);
    return ph_buf_str(buf);
}

static bool
lock_names(struct wk_lock *lock, struct ph_str app_id, struct ph_str order_no)
{
    char          shard[PH_SHARD_TEXT_LEN];
    unsigned      number;
    struct ph_buf key   = PH_BUF_INIT(lock->key);
    struct ph_buf fence = PH_BUF_INIT(lock->fence_key);

    if (!ph_shard_of(app_id, order_no, &number)) {
        return false;
    }
    ph_shard_text(number, shard);
    ph_buf_byte(&key, '{');
    ph_buf_add(&key, lock->locks->prefix);
    ph_buf_byte(&key, ':');
    ph_buf_add(&key, ph_str_make(shard, sizeof(shard)));
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

    wk_random(random, sizeof(random));
    ph_buf_hex(&value, ph_str_make((const char *) random, sizeof(random)));
    (void) ph_buf_z(&value);
}

/* ---- taking ---- */

static bool lock_ask(struct wk_lock *lock);
static void lock_busy(struct wk_lock *lock, int64_t left_ms);
static void locks_wait_tick(uv_timer_t *timer);

/* The one way out of taking and waiting. */
static void
lock_tell(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct wk_locks *locks = lock->locks;

    if (lock->has_waited) {
        list_remove(&locks->waiting, lock);
        wk_redis_sub_leave(locks->sub, &lock->waiter);
        if (locks->waiting == NULL) {
            (void) uv_timer_stop(&locks->wait_tick);
        }
    }
    if (answer == WK_LOCK_HELD) {
        lock->is_held    = true;
        lock->renewed_ns = lock->granted_ns;
        lock->number     = ++locks->next_number;
        list_add(&locks->held, lock);
    }
    lock->done(lock, answer);
}

static void
lock_on_raised(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_lock *lock = data;

    (void) redis;
    lock->is_raised = true;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || !lock_ask(lock))
    {
        lock_tell(lock, WK_LOCK_AWAY);
    }
}

/* false = away: the key ends with its own life */
static bool
lock_give_back(struct wk_lock *lock)
{
    const struct ph_str args[]
        = { PH_STR("FCALL"), PH_STR("ph_unlock"),   PH_STR("1"),
            lock_key(lock),  ph_str_z(lock->value), lock->locks->layout };

    return wk_redis_ask(lock->locks->redis, NULL, NULL, args, PH_COUNT(args));
}

/* The counter fell behind the row (fail-over, flush): the token is worthless.
 * Give it back, raise the counter, ask again; once. */
static bool
lock_raise(struct wk_lock *lock)
{
    char          memory[24];
    struct ph_buf at_least = PH_BUF_INIT(memory);

    lock->is_asking = true;
    ph_buf_i64(&at_least, lock->at_least);
    const struct ph_str raise[]
        = { PH_STR("FCALL"), PH_STR("ph_fence_raise"), PH_STR("1"),
            lock_fence_key(lock), ph_buf_str(&at_least) };

    return lock_give_back(lock)
           && wk_redis_ask(lock->locks->redis, lock_on_raised, lock, raise,
                           PH_COUNT(raise));
}

/* A grant that a fail-over may forget is none. */
static void
lock_unconfirmed(struct wk_lock *lock)
{
    struct wk_locks *locks = lock->locks;

    if (!locks->was_unconfirmed) {
        ph_log(PH_LOG_WARN, "lock_unconfirmed", { "key", lock_key(lock) },
               { "expected", PH_STR("redis.wait_replicas replicas that have "
                                    "it; until then the rows decide") });
    }
    locks->was_unconfirmed = true;
    lock->fence            = 0;
    (void) lock_give_back(lock);
    lock_tell(lock, WK_LOCK_AWAY);
}

static void
lock_on_confirmed(struct wk_confirm *confirm, bool is_there)
{
    struct wk_lock *lock = confirm->data;

    lock->is_asking = false;
    if (!is_there) {
        lock_unconfirmed(lock);
        return;
    }
    lock->locks->was_unconfirmed = false;
    lock_tell(lock, WK_LOCK_HELD);
}

static void
lock_granted(struct wk_lock *lock, int64_t token)
{
    if (token <= lock->at_least && !lock->is_raised) {
        if (!lock_raise(lock)) {
            lock_tell(lock, WK_LOCK_AWAY);
        }
        return;
    }
    lock->fence = token;
    if (!wk_redis_has_replicas(lock->locks->redis)) {
        lock_tell(lock, WK_LOCK_HELD);
        return;
    }
    lock->is_asking = true;
    lock->confirm
        = (struct wk_confirm){ .done = lock_on_confirmed, .data = lock };
    if (!wk_redis_confirm(lock->locks->redis, &lock->confirm)) {
        lock->is_asking = false;
        lock_unconfirmed(lock);
    }
}

static bool
answer_is_sound(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY
           && reply->elements == 2
           && reply->element[0]->type == REDIS_REPLY_INTEGER
           && reply->element[1]->type == REDIS_REPLY_INTEGER;
}

static void
lock_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_lock *lock = data;

    lock->is_asking = false;
    if (!answer_is_sound(reply)) {
        if (reply != NULL) {
            wk_redis_distrust(redis);
        }
        lock_tell(lock, WK_LOCK_AWAY);
    } else if (reply->element[0]->integer <= 0) {
        lock_busy(lock, reply->element[1]->integer);
    } else {
        lock_granted(lock, reply->element[0]->integer);
    }
}

static bool
lock_ask(struct wk_lock *lock)
{
    char                memory[24];
    struct ph_buf       ttl = PH_BUF_INIT(memory);
    const struct ph_str args[]
        = { PH_STR("FCALL"),      PH_STR("ph_lock"),    PH_STR("2"),
            lock_key(lock),       lock_fence_key(lock), ph_str_z(lock->value),
            ttl_text(lock, &ttl), lock->locks->layout };

    lock->granted_ns = ph_monotonic_ns();
    lock->is_asking  = true;
    lock->is_woken   = false;
    return wk_redis_ask(lock->locks->redis, lock_on_answer, lock, args,
                        PH_COUNT(args));
}

/* ---- waiting ---- */

static bool
waiter_join(struct wk_lock *lock)
{
    char          memory[WK_CHANNEL_MAX];
    struct ph_buf channel = PH_BUF_INIT(memory);

    if (lock->locks->is_redisson) { /* the key has its {tag} already */
        ph_buf_add(&channel, PH_STR("redisson_lock__channel:"));
        ph_buf_add(&channel, lock_key(lock));
    } else {
        ph_buf_add(&channel, lock_key(lock));
        ph_buf_add(&channel, PH_STR(":free"));
    }
    return !channel.full
           && wk_redis_sub_join(lock->locks->sub, &lock->waiter,
                                ph_buf_str(&channel));
}

static void
lock_look(struct wk_lock *lock)
{
    if (!lock_ask(lock)) {
        lock_tell(lock, WK_LOCK_AWAY);
    }
}

/* When to look without having been woken. */
static void
look_plan(struct wk_lock *lock, int64_t left_ms)
{
    uint64_t ms = lock->look_every_ms;

    if (wk_redis_sub_hears(&lock->waiter)) {
        lock->look_every_ms = ms * 2 < LOOK_MAX_MS ? ms * 2 : LOOK_MAX_MS;
    }
    if (left_ms >= 0 && (uint64_t) left_ms < ms) {
        ms = (uint64_t) left_ms + 1;
    }
    lock->look_at_ns = ph_monotonic_ns() + ms * NS_PER_MS;
}

static void
lock_busy(struct wk_lock *lock, int64_t left_ms)
{
    struct wk_locks *locks    = lock->locks;
    bool             is_first = !lock->has_waited;

    if (lock->wait_until_ns <= ph_monotonic_ns()) {
        lock_tell(lock, WK_LOCK_BUSY);
        return;
    }
    if (is_first) {
        if (!waiter_join(lock)) {
            lock_tell(lock, WK_LOCK_BUSY);
            return;
        }
        if (locks->waiting == NULL) {
            (void) uv_timer_start(&locks->wait_tick, locks_wait_tick,
                                  WAIT_TICK_MS, WAIT_TICK_MS);
        }
        list_add(&locks->waiting, lock);
        lock->has_waited = true;
    }
    look_plan(lock, left_ms);
    /* a release between the question and the joining went unheard */
    if (lock->is_woken || (is_first && wk_redis_sub_hears(&lock->waiter))) {
        lock_look(lock);
    }
}

static void
lock_on_wake(struct wk_waiter *waiter)
{
    struct wk_lock *lock = waiter->data;

    if (lock->is_asking) {
        lock->is_woken = true;
    } else {
        lock_look(lock);
    }
}

static void
locks_wait_tick(uv_timer_t *timer)
{
    struct wk_locks *locks = timer->data;
    struct wk_lock  *lock  = locks->waiting;
    uint64_t         now   = ph_monotonic_ns();

    while (lock != NULL) {
        struct wk_lock *next = lock->next;

        if (lock->is_asking) {
            /* its answer decides */
        } else if (now >= lock->wait_until_ns) {
            lock_tell(lock, WK_LOCK_BUSY);
        } else if (now >= lock->look_at_ns) {
            lock_look(lock);
        }
        lock = next;
    }
}

void
wk_lock_wait(struct wk_locks *locks, struct wk_lock *lock, struct ph_str app_id,
             struct ph_str order_no, int64_t at_least, uint64_t wait_ms)
{
    lock->locks      = locks;
    lock->fence      = 0;
    lock->is_held    = false;
    lock->is_lost    = false;
    lock->is_raised  = false;
    lock->is_asking  = false;
    lock->has_waited = false;
    lock->ttl_ms   = (uint64_t) wk_conf(locks->worker, PH_CONF_redis_lock_ttl);
    lock->at_least = at_least;
    lock->look_every_ms = LOOK_MIN_MS;
    lock->wait_until_ns
        = wait_ms != 0 ? ph_monotonic_ns() + wait_ms * NS_PER_MS : 0;
    lock->waiter = (struct wk_waiter){ .wake = lock_on_wake, .data = lock };
    lock_value_make(lock);
    if (!lock_names(lock, app_id, order_no) || !lock_ask(lock)) {
        lock_tell(lock, WK_LOCK_AWAY);
    }
}

/* ---- holding ---- */

bool
wk_lock_is_ours(const struct wk_lock *lock)
{
    return lock->is_held && !lock->is_lost
           && ph_monotonic_ns() - lock->renewed_ns < lock->ttl_ms * NS_PER_MS;
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
            lock_key(lock),  ph_str_z(lock->value), ttl_text(lock, &ttl),
            locks->layout };

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
        if (!lock->is_lost
            && now - lock->renewed_ns >= lock->ttl_ms * NS_PER_MS / 3) {
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
    list_remove(&lock->locks->held, lock);
    lock->is_held = false;
    (void) lock_give_back(lock);
}

struct wk_locks *
wk_locks_new(struct wk_worker *worker)
{
    struct wk_locks *locks = calloc(1, sizeof(*locks));

    if (locks == NULL) {
        return NULL;
    }
    struct ph_buf prefix = PH_BUF_INIT(locks->prefix_text);

    ph_buf_add(&prefix,
               ph_str_z(ph_conf_text(worker->conf, PH_CONF_redis_prefix)));
    locks->prefix = ph_buf_str(&prefix);
    locks->is_redisson
        = strcmp(ph_conf_text(worker->conf, PH_CONF_redis_lock_layout),
                 "redisson")
          == 0;
    locks->layout = locks->is_redisson ? PH_STR("redisson") : PH_STR("string");
    locks->worker = worker;
    locks->redis  = worker->redis;
    locks->sub = wk_redis_sub_new(&worker->loop, worker->conf, worker->redis);
    if (locks->sub == NULL) {
        free(locks);
        return NULL;
    }
    locks->tick.data      = locks;
    locks->wait_tick.data = locks;
    (void) uv_timer_init(&worker->loop, &locks->tick);
    (void) uv_timer_init(&worker->loop, &locks->wait_tick);
    (void) uv_timer_start(&locks->tick, locks_tick, HOLD_TICK_MS, HOLD_TICK_MS);
    return locks;
}

void
wk_locks_stop(struct wk_locks *locks)
{
    uv_close((uv_handle_t *) &locks->tick, NULL);
    uv_close((uv_handle_t *) &locks->wait_tick, NULL);
    wk_redis_sub_stop(locks->sub);
}

void
wk_locks_free(struct wk_locks *locks)
{
    wk_redis_sub_free(locks->sub);
    free(locks);
}

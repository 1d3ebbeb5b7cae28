/*
 * admin_success.c - how payments of each account ended, for edges that route
 * by success.
 *
 * The sidecar counts ends by minute and account.  A round asks Redis for its
 * position, then, in one go, for the minutes of the last hour that may have
 * moved since they were read, and once in a while for each of the others; all
 * edges are told what the sums come to.  The window ends where the sidecar
 * stands, by the database's clock, so that a sidecar that lags is told as old
 * and never as less.  Without sidecar or counters nothing is told.
 *
 *   resting --every two seconds--> position --it stands--> minutes -> resting
 */
#include "worker/admin_int.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <uthash.h>

#include "libpayhub/domain/counter.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/account.h"
#include "worker/redis.h"

#define SUCCESS_MINUTES 60 /* the window, its last minute under way */
#define SUCCESS_EVERY_NS UINT64_C(2000000000)
#define SUCCESS_AGAIN_S 10  /* the time is told anew, if nothing else */
#define SUCCESS_SETTLED 2   /* minutes, after which a minute moves no more */
#define SUCCESS_FIELDS 8192 /* of a minute that are looked at */
#define ACCOUNT_ID_LEN 32
#define BACK_S 60 /* so far a position may go back by clocks alone */
#define MINUTE_MS UINT64_C(60000)
#define POSITION_MS_MAX UINT64_C(253370764800000) /* 9999-01-01 */

struct success_account {
    UT_hash_handle hh;
    uint32_t       ended[SUCCESS_MINUTES];
    uint32_t       paid[SUCCESS_MINUTES];
    uint64_t       told_ended;
    uint64_t       told_paid;
    uint8_t        id_len;
    char           id[ACCOUNT_ID_LEN];
};

struct success_minute {
    struct admin_success *success;
    bool                  is_known;
    uint64_t              minute;  /* since 1970 */
    uint64_t              read_at; /* minute of the position when it was read */
};

struct admin_success {
    struct wk_admin        *admin;
    struct success_account *accounts;
    struct success_minute   minutes[SUCCESS_MINUTES];
    size_t                  waiting; /* answers of this round */
    bool                    is_failed;
    bool                    has_idle; /* an account of which nothing ended */
    uint64_t                asked_ns;
    uint64_t                rounds;
    uint64_t                epoch;
    uint64_t                at_s;    /* the sidecar's position */
    uint64_t                told_s;  /* the one that is told; 0 = none */
    uint64_t                version; /* of what is told */
};

/* ---- the window ---- */

/* Empty; the next round reads the whole hour. */
static void
window_clear(struct admin_success *success)
{
    struct success_account *account = success->accounts;

    HASH_CLEAR(hh, success->accounts); /* their list outlives the hash */
    while (account != NULL) {
        struct success_account *next = account->hh.next;

        free(account);
        account = next;
    }
    for (size_t i = 0; i < SUCCESS_MINUTES; i++) {
        success->minutes[i].is_known = false;
    }
    success->has_idle = false;
}

static void
success_forget(struct admin_success *success)
{
    window_clear(success);
    success->at_s = 0;
    if (success->told_s != 0) {
        success->told_s = 0;
        success->version++;
        wk_admin_look(success->admin);
    }
}

static struct success_account *
account_find(const struct admin_success *success, struct ph_str id)
{
    struct success_account *account = NULL;

    if (id.len != 0 && id.len <= ACCOUNT_ID_LEN) {
        HASH_FIND(hh, success->accounts, id.ptr, (unsigned) id.len, account);
    }
    return account;
}

/* NULL: no account of an edge, or as many as an edge keeps */
static struct success_account *
account_make(struct admin_success *success, struct ph_str id)
{
    struct success_account *account = account_find(success, id);

    if (account != NULL || !ph_str_is_token(id, ACCOUNT_ID_LEN)
        || HASH_COUNT(success->accounts) >= ADMIN_ACCOUNTS_MAX)
    {
        return account;
    }
    account = calloc(1, sizeof(*account));
    if (account != NULL) {
        memcpy(account->id, id.ptr, id.len);
        account->id_len = (uint8_t) id.len;
        HASH_ADD(hh, success->accounts, id, id.len, account);
    }
    return account;
}

static void
minute_clear(struct admin_success *success, size_t slot)
{
    struct success_account *account, *next;

    HASH_ITER(hh, success->accounts, account, next)
    {
        account->ended[slot] = 0;
        account->paid[slot]  = 0;
    }
}

static struct ph_str
text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
               ? ph_str_make(reply->str, reply->len)
               : ph_str_make(NULL, 0);
}

/* "ACCOUNT|STATE|n" and its count; what is none counts nothing */
static void
field_take(struct admin_success *success, size_t slot, struct ph_str field,
           struct ph_str value)
{
    struct ph_str           id, state;
    struct success_account *account;
    uint64_t                count;

    if (!ph_counter_account_parse(field, &id, &state)
        || !ph_str_u64(value, UINT32_MAX / 8, &count))
    {
        return;
    }
    account = account_make(success, id);
    if (account == NULL) {
        return;
    }
    account->ended[slot] += (uint32_t) count;
    if (ph_str_eq(state, PH_STR("paid"))) {
        account->paid[slot] += (uint32_t) count;
    }
}

/* ---- what is told ---- */

static bool
sums_moved(struct admin_success *success)
{
    struct success_account *account, *next;
    bool                    moved = false;

    success->has_idle = false;
    HASH_ITER(hh, success->accounts, account, next)
    {
        uint64_t ended = 0, paid = 0;

        for (size_t i = 0; i < SUCCESS_MINUTES; i++) {
            ended += account->ended[i];
            paid += account->paid[i];
        }
        moved = moved || ended != account->told_ended
                || paid != account->told_paid;
        account->told_ended = ended;
        account->told_paid  = paid;
        success->has_idle   = success->has_idle || ended == 0;
    }
    return moved;
}

static void
round_end(struct admin_success *success)
{
    if (success->is_failed) {
        return; /* what is told grows old, and edges see that */
    }
    success->rounds++;
    if (sums_moved(success)
        || success->at_s >= success->told_s + SUCCESS_AGAIN_S) {
        success->told_s = success->at_s;
        success->version++;
        wk_admin_look(success->admin);
    }
}

void
wk_admin_success_write(const struct admin_success *success, struct ph_str id,
                       struct ph_buf *out)
{
    const struct success_account *account = account_find(success, id);

    if (success->told_s == 0 || account == NULL || account->told_ended == 0) {
        return;
    }
    ph_buf_add(out, PH_STR(",\"ended\":"));
    ph_buf_u64(out, account->told_ended);
    ph_buf_add(out, PH_STR(",\"paid\":"));
    ph_buf_u64(out, account->told_paid);
    ph_buf_add(out, PH_STR(",\"as_of\":"));
    ph_buf_u64(out, success->told_s);
}

uint64_t
wk_admin_success_version(const struct admin_success *success)
{
    return success->version;
}

/* ---- a round ---- */

static void
answer_end(struct admin_success *success, const redisReply *reply)
{
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        success->is_failed = true;
    }
    if (--success->waiting == 0) {
        round_end(success);
    }
}

static void
minute_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct success_minute *minute  = data;
    struct admin_success  *success = minute->success;
    size_t                 slot    = minute->minute % SUCCESS_MINUTES;

    (void) redis;
    minute->is_known = false;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY) {
        minute_clear(success, slot);
        for (size_t i = 0; i + 1 < reply->elements && i < SUCCESS_FIELDS * 2;
             i += 2) {
            field_take(success, slot, text_of(reply->element[i]),
                       text_of(reply->element[i + 1]));
        }
        minute->is_known = true;
        minute->read_at  = success->at_s / 60;
    }
    answer_end(success, reply);
}

/* Does this minute have to be read in this round? */
static bool
minute_is_due(const struct admin_success *success, uint64_t number)
{
    size_t                       slot   = number % SUCCESS_MINUTES;
    const struct success_minute *minute = &success->minutes[slot];

    return !minute->is_known || minute->minute != number
           || minute->read_at < number + SUCCESS_SETTLED
           || success->rounds % SUCCESS_MINUTES == slot;
}

static void
minute_ask(struct admin_success *success, uint64_t number)
{
    struct wk_worker      *worker = success->admin->worker;
    struct success_minute *minute = &success->minutes[number % SUCCESS_MINUTES];
    char                   memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf          key = PH_BUF_INIT(memory);

    ph_counter_bucket_key(
        &key, ph_str_z(ph_conf_text(worker->conf, PH_CONF_redis_prefix)),
        success->epoch, PH_COUNTER_ACCOUNT, number * MINUTE_MS, 0);
    const struct ph_str args[] = { PH_STR("HGETALL"), ph_buf_str(&key) };

    minute->minute   = number;
    minute->is_known = false;
    if (wk_redis_ask(worker->redis, minute_answer, minute, args,
                     PH_COUNT(args))) {
        success->waiting++;
    } else {
        success->is_failed = true;
    }
}

static void
minutes_ask(struct admin_success *success, uint64_t last)
{
    uint64_t first = last >= SUCCESS_MINUTES ? last - (SUCCESS_MINUTES - 1) : 0;

    for (uint64_t number = first; number <= last; number++) {
        if (minute_is_due(success, number)) {
            minute_ask(success, number);
        }
    }
}

static void
position_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct admin_success *success = data;
    uint64_t              at_ms   = 0;

    (void) redis;
    if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
        success_forget(success); /* no sidecar ever, or no data any more */
    } else if (reply != NULL && !success->is_failed
               && ph_str_u64(text_of(reply), POSITION_MS_MAX, &at_ms))
    {
        if (at_ms / 1000 + BACK_S < success->at_s) {
            success_forget(success); /* it began anew */
        }
        success->at_s = at_ms / 1000;
        if (success->has_idle
            && HASH_COUNT(success->accounts) >= ADMIN_ACCOUNTS_MAX) {
            window_clear(success); /* others may have come in their place */
        }
        minutes_ask(success, success->at_s / 60);
    }
    answer_end(success, reply);
}

static void
position_ask(struct admin_success *success)
{
    struct wk_worker *worker = success->admin->worker;
    char              memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf     key = PH_BUF_INIT(memory);

    ph_counter_position_key(
        &key, ph_str_z(ph_conf_text(worker->conf, PH_CONF_redis_prefix)),
        success->epoch);
    const struct ph_str args[]
        = { PH_STR("HGET"), ph_buf_str(&key), PH_STR("at_ms") };

    success->waiting += wk_redis_ask(worker->redis, position_answer, success,
                                     args, PH_COUNT(args));
}

static void
epoch_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct admin_success *success = data;
    uint64_t              epoch   = 0;

    (void) redis;
    if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
        success_forget(success);
    } else if (reply != NULL && ph_str_u64(text_of(reply), UINT32_MAX, &epoch))
    {
        if (epoch != success->epoch) {
            success_forget(success);
        }
        success->epoch = epoch;
        position_ask(success);
    }
    answer_end(success, reply);
}

void
wk_admin_success_poll(struct admin_success *success)
{
    struct wk_worker *worker = success->admin->worker;
    uint64_t          now_ns = ph_monotonic_ns();
    char              memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf     key = PH_BUF_INIT(memory);

    if (success->waiting != 0 || now_ns - success->asked_ns < SUCCESS_EVERY_NS)
    {
        return;
    }
    success->asked_ns  = now_ns;
    success->is_failed = false;
    ph_counter_epoch_key(
        &key, ph_str_z(ph_conf_text(worker->conf, PH_CONF_redis_prefix)));
    const struct ph_str args[] = { PH_STR("GET"), ph_buf_str(&key) };

    success->waiting = wk_redis_ask(worker->redis, epoch_answer, success, args,
                                    PH_COUNT(args));
}

/* ---- the face ---- */

struct admin_success *
wk_admin_success_new(struct wk_admin *admin)
{
    struct admin_success *success = calloc(1, sizeof(*success));

    if (success == NULL) {
        return NULL;
    }
    success->admin = admin;
    for (size_t i = 0; i < SUCCESS_MINUTES; i++) {
        success->minutes[i].success = success;
    }
    return success;
}

void
wk_admin_success_free(struct admin_success *success)
{
    if (success == NULL) {
        return;
    }
    window_clear(success);
    free(success);
}

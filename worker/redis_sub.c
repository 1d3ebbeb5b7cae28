/*
 * redis_sub.c - the subscriber link; see redis_sub.h.
 *
 * A channel:  NONE -> ASKED -> LISTENING -> LEAVING -> freed
 *                       ^----- joined again ----'
 * SUBSCRIBE is not sent before the answer to UNSUBSCRIBE is here: hiredis 0.14
 * would forget the newer one.  The base channel is never given up, and asking
 * for it again each second is how a dead link is noticed.
 */
#include "worker/redis_sub.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/redis_link.h"

#define NS_PER_MS UINT64_C(1000000)
#define TICK_MS 50
#define BEAT_NS (1000 * NS_PER_MS)
#define RECONNECT_MIN_NS (100 * NS_PER_MS)
#define RECONNECT_MAX_NS (2000 * NS_PER_MS)
#define CHAINS 1024
#define BATCH (WK_REDIS_ARGS_MAX - 1) /* channels of one SUBSCRIBE */

enum channel_state {
    CHANNEL_NONE = 0,
    CHANNEL_ASKED,
    CHANNEL_LISTENING,
    CHANNEL_LEAVING
};

struct wk_sub_channel {
    struct wk_sub_channel *next; /* of its chain */
    enum channel_state     state;
    struct wk_waiter      *first, *last;
    size_t                 len;
    char                   text[WK_CHANNEL_MAX];
};

struct wk_redis_sub {
    struct wk_redis       *redis;
    struct wk_redis_link   link;
    uv_timer_t             tick;
    struct wk_sub_channel *chain[CHAINS];
    size_t                 waiters;
    char                   base[WK_CHANNEL_MAX];
    size_t                 base_len;
    struct ph_redis_place  place;
    uint64_t               retry_ns;
    uint64_t               retry_at_ns;
    bool                   was_refusal_said;
    uint64_t               beat_ns;    /* when it was asked */
    bool                   is_beating; /* and not answered */
    bool                   is_stopping;
};

/* ---- channels ---- */

static struct wk_sub_channel **
chain_of(struct wk_redis_sub *sub, struct ph_str text)
{
    uint32_t hash = 2166136261u; /* FNV-1a; the names are our own */

    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char) text.ptr[i]) * 16777619u;
    }
    return &sub->chain[hash % CHAINS];
}

static struct ph_str
channel_text(const struct wk_sub_channel *channel)
{
    return ph_str_make(channel->text, channel->len);
}

static struct wk_sub_channel *
channel_find(struct wk_redis_sub *sub, struct ph_str text)
{
    struct wk_sub_channel *channel = *chain_of(sub, text);

    while (channel != NULL && !ph_str_eq(channel_text(channel), text)) {
        channel = channel->next;
    }
    return channel;
}

static void
channel_free(struct wk_redis_sub *sub, struct wk_sub_channel *channel)
{
    struct wk_sub_channel **at = chain_of(sub, channel_text(channel));

    while (*at != channel) {
        at = &(*at)->next;
    }
    *at = channel->next;
    free(channel);
}

static struct wk_sub_channel *
channel_new(struct wk_redis_sub *sub, struct ph_str text)
{
    struct wk_sub_channel *channel
        = text.len <= WK_CHANNEL_MAX ? calloc(1, sizeof(*channel)) : NULL;

    if (channel == NULL) {
        return NULL;
    }
    struct wk_sub_channel **chain = chain_of(sub, text);

    memcpy(channel->text, text.ptr, text.len);
    channel->len  = text.len;
    channel->next = *chain;
    *chain        = channel;
    return channel;
}

static void
channel_listen(struct wk_redis_sub *sub, struct wk_sub_channel *channel)
{
    const struct ph_str args[] = { PH_STR("SUBSCRIBE"), channel_text(channel) };

    if (wk_redis_link_listen(&sub->link, args, PH_COUNT(args))) {
        channel->state = CHANNEL_ASKED;
    }
}

/* Nobody waits there any more. */
static void
channel_rest(struct wk_redis_sub *sub, struct wk_sub_channel *channel)
{
    const struct ph_str args[]
        = { PH_STR("UNSUBSCRIBE"), channel_text(channel) };

    if (channel->state == CHANNEL_NONE) {
        channel_free(sub, channel);
    } else if (channel->state == CHANNEL_LISTENING
               && wk_redis_link_listen(&sub->link, args, PH_COUNT(args)))
    {
        channel->state = CHANNEL_LEAVING;
    }
    /* asked: when it is answered */
}

static void
wake_all(struct wk_sub_channel *channel)
{
    struct wk_waiter *waiter = channel->first;

    while (waiter != NULL) {
        struct wk_waiter *next = waiter->next;

        waiter->wake(waiter);
        waiter = next;
    }
}

/* ---- what the link tells ---- */

static void
channel_on_told(struct wk_redis_sub *sub, struct wk_sub_channel *channel,
                struct ph_str kind)
{
    if (ph_str_eq(kind, PH_STR("message"))) {
        if (channel->first != NULL) {
            channel->first->wake(channel->first);
        }
    } else if (ph_str_eq(kind, PH_STR("subscribe"))) {
        channel->state = CHANNEL_LISTENING;
        if (channel->first != NULL) {
            wake_all(channel);
        } else {
            channel_rest(sub, channel);
        }
    } else if (channel->first != NULL) { /* unsubscribed, and joined again */
        channel->state = CHANNEL_NONE;
        channel_listen(sub, channel);
    } else {
        channel_free(sub, channel);
    }
}

static void
sub_on_message(struct wk_redis_link *link, const redisReply *reply)
{
    struct wk_redis_sub *sub = link->data;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        return;
    }
    struct ph_str kind
        = ph_str_make(reply->element[0]->str, (size_t) reply->element[0]->len);
    struct ph_str name
        = ph_str_make(reply->element[1]->str, (size_t) reply->element[1]->len);

    if (ph_str_eq(name, ph_str_make(sub->base, sub->base_len))) {
        sub->is_beating       = false;
        sub->retry_ns         = RECONNECT_MIN_NS;
        sub->was_refusal_said = false;
        return;
    }
    struct wk_sub_channel *channel = channel_find(sub, name);

    if (channel != NULL) {
        channel_on_told(sub, channel, kind);
    }
}

/* ---- the link ---- */

static void
sub_beat(struct wk_redis_sub *sub, uint64_t now_ns)
{
    const struct ph_str args[]
        = { PH_STR("SUBSCRIBE"), ph_str_make(sub->base, sub->base_len) };

    sub->beat_ns    = now_ns;
    sub->is_beating = true;
    if (!wk_redis_link_listen(&sub->link, args, PH_COUNT(args))) {
        wk_redis_link_drop(&sub->link, "cannot ask");
    }
}

/* All channels again; false = the link does not take them. */
static bool
sub_listen_all(struct wk_redis_sub *sub)
{
    struct ph_str args[BATCH + 1];
    size_t        count = 0;
    bool          ok    = true;

    args[count++] = PH_STR("SUBSCRIBE");
    for (size_t i = 0; i < CHAINS; i++) {
        struct wk_sub_channel *channel = sub->chain[i];

        for (; channel != NULL; channel = channel->next) {
            args[count++]  = channel_text(channel);
            channel->state = CHANNEL_ASKED;
            if (count == PH_COUNT(args)) {
                ok &= wk_redis_link_listen(&sub->link, args, count);
                count = 1;
            }
        }
    }
    return ok && (count == 1 || wk_redis_link_listen(&sub->link, args, count));
}

static void
sub_on_open(struct wk_redis_link *link)
{
    struct wk_redis_sub *sub = link->data;

    if (sub_listen_all(sub)) {
        sub_beat(sub, ph_monotonic_ns());
    } else {
        wk_redis_link_drop(link, "cannot ask");
    }
}

static void
sub_on_down(struct wk_redis_link *link, const char *why)
{
    struct wk_redis_sub *sub = link->data;

    bool is_news = link->is_refused && !sub->was_refusal_said;

    if (!sub->is_stopping) {
        ph_log(is_news ? PH_LOG_WARN : PH_LOG_DEBUG, "wakeups_away",
               { "why", ph_str_z(why) });
    }
    sub->was_refusal_said |= is_news;
    sub->is_beating  = false;
    sub->retry_at_ns = ph_monotonic_ns() + sub->retry_ns;
    if (link->is_refused) {
        sub->retry_ns = sub->retry_ns * 2 < RECONNECT_MAX_NS ? sub->retry_ns * 2
                                                             : RECONNECT_MAX_NS;
    }
    for (size_t i = 0; i < CHAINS; i++) {
        struct wk_sub_channel *channel = sub->chain[i];

        while (channel != NULL) {
            struct wk_sub_channel *next = channel->next;

            channel->state = CHANNEL_NONE;
            if (channel->first == NULL) {
                channel_free(sub, channel);
            }
            channel = next;
        }
    }
}

/* Where the jobs' link is: after a fail-over that is another server. */
static void
sub_tick(uv_timer_t *timer)
{
    struct wk_redis_sub         *sub    = timer->data;
    const struct ph_redis_place *place  = wk_redis_place(sub->redis);
    uint64_t                     now_ns = ph_monotonic_ns();

    if (sub->link.state == WK_LINK_DOWN) {
        if (place != NULL && now_ns >= sub->retry_at_ns) {
            sub->place = *place;
            wk_redis_link_connect(&sub->link, &sub->place);
        }
        return;
    }
    wk_redis_link_tick(&sub->link, now_ns);
    if (sub->link.state != WK_LINK_OPEN) {
        return;
    }
    if (sub->is_beating && now_ns - sub->beat_ns > sub->link.timeout_ns) {
        wk_redis_link_drop(&sub->link, "no answer within redis.timeout");
    } else if (!sub->is_beating && now_ns - sub->beat_ns >= BEAT_NS) {
        sub_beat(sub, now_ns);
    }
}

/* ---- waiters ---- */

bool
wk_redis_sub_join(struct wk_redis_sub *sub, struct wk_waiter *waiter,
                  struct ph_str text)
{
    struct wk_sub_channel *channel = channel_find(sub, text);

    if (sub->waiters == WK_WAITERS_MAX) {
        return false;
    }
    if (channel == NULL) {
        channel = channel_new(sub, text);
        if (channel == NULL) {
            return false;
        }
        channel_listen(sub, channel);
    }
    waiter->channel = channel;
    waiter->next    = NULL;
    waiter->prev    = channel->last;
    if (channel->last != NULL) {
        channel->last->next = waiter;
    } else {
        channel->first = waiter;
    }
    channel->last = waiter;
    sub->waiters++;
    return true;
}

void
wk_redis_sub_leave(struct wk_redis_sub *sub, struct wk_waiter *waiter)
{
    struct wk_sub_channel *channel = waiter->channel;

    if (channel == NULL) {
        return;
    }
    if (waiter->prev != NULL) {
        waiter->prev->next = waiter->next;
    } else {
        channel->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->prev = waiter->prev;
    } else {
        channel->last = waiter->prev;
    }
    waiter->channel = NULL;
    sub->waiters--;
    if (channel->first == NULL) {
        channel_rest(sub, channel);
    }
}

bool
wk_redis_sub_hears(const struct wk_waiter *waiter)
{
    return waiter->channel != NULL
           && waiter->channel->state == CHANNEL_LISTENING;
}

/* ---- the whole ---- */

struct wk_redis_sub *
wk_redis_sub_new(uv_loop_t *loop, const struct ph_conf *conf,
                 struct wk_redis *redis)
{
    struct wk_redis_sub *sub = calloc(1, sizeof(*sub));

    if (sub == NULL) {
        return NULL;
    }
    struct ph_buf base = PH_BUF_INIT(sub->base);

    ph_buf_byte(&base, '{');
    ph_buf_add(&base, ph_str_z(ph_conf_text(conf, PH_CONF_redis_prefix)));
    ph_buf_add(&base, PH_STR("}:free"));
    sub->base_len = base.len;
    sub->redis    = redis;
    sub->retry_ns = RECONNECT_MIN_NS;
    sub->link     = (struct wk_redis_link){
            .loop = loop,
            .timeout_ns
            = (uint64_t) ph_conf_number(conf, PH_CONF_redis_timeout) * NS_PER_MS,
            .login   = ph_redis_login(conf, PH_REDIS_SERVER),
            .open    = sub_on_open,
            .down    = sub_on_down,
            .message = sub_on_message,
            .data    = sub
    };
    sub->tick.data = sub;
    (void) uv_timer_init(loop, &sub->tick);
    (void) uv_timer_start(&sub->tick, sub_tick, 0, TICK_MS);
    return sub;
}

void
wk_redis_sub_stop(struct wk_redis_sub *sub)
{
    sub->is_stopping = true;
    uv_close((uv_handle_t *) &sub->tick, NULL);
    wk_redis_link_drop(&sub->link, "stopping");
}

void
wk_redis_sub_free(struct wk_redis_sub *sub)
{
    for (size_t i = 0; i < CHAINS; i++) {
        struct wk_sub_channel *channel = sub->chain[i];

        while (channel != NULL) {
            struct wk_sub_channel *next = channel->next;

            free(channel);
            channel = next;
        }
    }
    free(sub);
}

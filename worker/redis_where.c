/* redis_where.c - asks where the masters are; see redis_where.h. */
#include "worker/redis_where.h"

#include <hiredis/hiredis.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define EVERY_NS (500 * NS_PER_MS)
#define HURRY_NS (50 * NS_PER_MS) /* least time between two questions */
#define REFUSED_MIN_NS (100 * NS_PER_MS)
#define REFUSED_MAX_NS (2000 * NS_PER_MS)

/* Once an outage: the first refusal, and that none of them knows. */
static void
where_tell(struct wk_redis_where *where, const char *why)
{
    bool          is_refusal = where->link.is_refused && where->refused_ns == 0;
    char          memory[PH_REDIS_HOST_MAX + 8];
    struct ph_buf at = PH_BUF_INIT(memory);

    where->failed++;
    if (where->is_stopping || (!is_refusal && where->failed != where->count)) {
        return;
    }
    ph_redis_place_text(&where->places[where->at], &at);
    ph_log(PH_LOG_WARN, "redis_unknown", { "asked", ph_buf_str(&at) },
           { "why", ph_str_z(why) });
}

static void
where_on_down(struct wk_redis_link *link, const char *why)
{
    struct wk_redis_where *where = link->data;

    where_tell(where, why);
    where->is_asking = false;
    where->at        = (where->at + 1) % where->count;
    if (link->is_refused) {
        uint64_t pause_ns = where->refused_ns * 2;

        where->refused_ns = pause_ns < REFUSED_MIN_NS   ? REFUSED_MIN_NS
                            : pause_ns > REFUSED_MAX_NS ? REFUSED_MAX_NS
                                                        : pause_ns;
    }
    where->due_ns
        = ph_monotonic_ns() + (link->is_refused ? where->refused_ns : HURRY_NS);
}

static void
where_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_where *where = data;

    (void) redis;
    where->is_asking = false;
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        wk_redis_link_drop_for(&where->link, reply);
    } else if (!where->told(where, reply)) {
        wk_redis_link_drop(&where->link, "it does not know");
    } else {
        where->failed     = 0;
        where->refused_ns = 0;
    }
}

static void
where_ask(struct wk_redis_where *where, uint64_t now_ns)
{
    where->due_ns    = now_ns + EVERY_NS;
    where->asked_ns  = now_ns;
    where->is_asking = wk_redis_link_ask(&where->link, where_on_answer, where,
                                         where->question, where->words);
    if (!where->is_asking) {
        wk_redis_link_drop(&where->link, "cannot ask");
    }
}

static void
where_on_open(struct wk_redis_link *link)
{
    where_ask(link->data, ph_monotonic_ns());
}

void
wk_redis_where_tick(struct wk_redis_where *where, uint64_t now_ns)
{
    if (where->count == 0) {
        return;
    }
    if (where->link.state != WK_LINK_DOWN) {
        wk_redis_link_tick(&where->link, now_ns);
    }
    if (now_ns < where->due_ns) {
        return;
    }
    if (where->link.state == WK_LINK_DOWN) {
        wk_redis_link_connect(&where->link, &where->places[where->at]);
    } else if (where->link.state == WK_LINK_OPEN && !where->is_asking) {
        where_ask(where, now_ns);
    }
}

void
wk_redis_where_hurry(struct wk_redis_where *where)
{
    uint64_t due_ns = where->asked_ns + HURRY_NS;

    if (due_ns < where->due_ns && where->refused_ns == 0) {
        where->due_ns = due_ns;
    }
}

const struct ph_redis_place *
wk_redis_where_place(const struct wk_redis_where *where)
{
    return &where->places[where->at];
}

void
wk_redis_where_stop(struct wk_redis_where *where)
{
    where->is_stopping = true;
    where->count       = where->count != 0 ? 1 : 0; /* on_down divides by it */
    wk_redis_link_drop(&where->link, "stopping");
    where->count = 0;
}

void
wk_redis_where_init(struct wk_redis_where *where, uv_loop_t *loop,
                    uint64_t timeout_ns)
{
    where->link = (struct wk_redis_link){ .loop       = loop,
                                          .timeout_ns = timeout_ns,
                                          .open       = where_on_open,
                                          .down       = where_on_down,
                                          .data       = where };
}

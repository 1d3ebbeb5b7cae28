/* redis_wait.c - WAIT for all who wrote; see redis_wait.h. */
#include "worker/redis_wait.h"

#include <hiredis/hiredis.h>

#define NS_PER_MS UINT64_C(1000000)

static void wait_on_answer(struct wk_redis *redis, const redisReply *reply,
                           void *data);

static bool
wait_send(struct wk_redis_wait *wait)
{
    char          replicas_memory[24], ms_memory[24];
    struct ph_buf replicas = PH_BUF_INIT(replicas_memory);
    struct ph_buf ms       = PH_BUF_INIT(ms_memory);
    uint64_t      half_ms  = wait->link->timeout_ns / NS_PER_MS / 2;

    ph_buf_i64(&replicas, wait->replicas);
    ph_buf_u64(&ms, half_ms < WK_REDIS_WAIT_MS ? half_ms : WK_REDIS_WAIT_MS);
    const struct ph_str args[]
        = { PH_STR("WAIT"), ph_buf_str(&replicas), ph_buf_str(&ms) };

    return wk_redis_link_ask(wait->link, wait_on_answer, wait, args,
                             PH_COUNT(args));
}

static void
tell_all(struct wk_confirm *confirm, bool is_there)
{
    while (confirm != NULL) {
        struct wk_confirm *next = confirm->next;

        confirm->done(confirm, is_there);
        confirm = next;
    }
}

static void
wait_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_redis_wait *wait  = data;
    struct wk_confirm    *asked = wait->asked;
    struct wk_confirm    *later = wait->later;

    (void) redis;
    wait->asked = later;
    wait->later = NULL;
    /* who is left on a link that has died wrote on it as well */
    if (later != NULL && (reply == NULL || !wait_send(wait))) {
        wait->asked = NULL;
        tell_all(later, false);
    }
    tell_all(asked, reply != NULL && reply->type == REDIS_REPLY_INTEGER
                        && reply->integer >= wait->replicas);
}

bool
wk_redis_wait_ask(struct wk_redis_wait *wait, struct wk_confirm *confirm)
{
    struct wk_confirm **list
        = wait->asked == NULL ? &wait->asked : &wait->later;

    confirm->next = *list;
    *list         = confirm;
    if (list == &wait->asked && !wait_send(wait)) {
        wait->asked = NULL;
        return false;
    }
    return true;
}

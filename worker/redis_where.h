/*
 * redis_where.h - asks servers that know where the masters are: Sentinels, or
 * nodes of a Cluster.  One at a time, again every half second, so that a
 * fail-over that nobody told us of is seen all the same; one that is silent,
 * refuses or does not know gives way to the next.  Those that do not let us in
 * are asked ever less often.  @thread loop.
 */
#ifndef WK_REDIS_WHERE_H
#define WK_REDIS_WHERE_H

#include "worker/redis_link.h"

#define WK_WHERE_WORDS 3

struct wk_redis_where {
    /* set by the owner, with link.login */
    struct ph_redis_place places[PH_REDIS_PLACES_MAX];
    size_t                count;
    struct ph_str         question[WK_WHERE_WORDS];
    size_t                words;
    /* false = of no use, ask another */
    bool (*told)(struct wk_redis_where *where, const struct redisReply *reply);
    void *data;

    /* private */
    struct wk_redis_link link;
    size_t               at;
    bool                 is_asking;
    bool                 is_stopping;
    uint64_t             asked_ns;
    uint64_t             due_ns;     /* of the next question, or connect */
    uint64_t             refused_ns; /* the pause after refusals; 0 = none */
    size_t               failed;     /* ends since somebody knew */
};

void wk_redis_where_init(struct wk_redis_where *where, uv_loop_t *loop,
                         uint64_t timeout_ns);
void wk_redis_where_tick(struct wk_redis_where *where, uint64_t now_ns);

/* What was told seems to be wrong: asks again soon. */
void wk_redis_where_hurry(struct wk_redis_where *where);

/* the server that told last */
const struct ph_redis_place *
wk_redis_where_place(const struct wk_redis_where *where);

void wk_redis_where_stop(struct wk_redis_where *where);

#endif

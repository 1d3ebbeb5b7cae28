/*
 * worker.h - the process: its parts, its memory, its ids.
 *
 * One loop, one thread; the parts that own threads (store.h) give back to the
 * loop.  Jobs live in blocks from a pool that never exceeds what pay.max_
 * inflight, pay.bar_tills and the janitor's batch allow.  @thread loop, unless
 * said.
 */
#ifndef WK_WORKER_H
#define WK_WORKER_H

#include <uv.h>

#include "libpayhub/base/arena.h"
#include "libpayhub/base/conf.h"
#include "libpayhub/base/id.h"
#include "libpayhub/wire/seal.h"

#define WK_BLOCK_LEN (256 * 1024)
#define WK_BLOCKS_KEPT 64 /* free blocks that are not given back */
#define WK_LEASE_NAME_LEN 16

enum wk_role {
    WK_ROLE_PAY     = 1 << 0,
    WK_ROLE_NOTIFY  = 1 << 1,
    WK_ROLE_JANITOR = 1 << 2,
    WK_ROLE_ADMIN   = 1 << 3
};

struct wk_store;
struct wk_calls;
struct wk_redis;
struct wk_locks;
struct wk_accounts;
struct wk_channels;
struct wk_refreshes;
struct wk_notify;
struct wk_hooks;
struct wk_platform;
struct wk_janitor;
struct wk_admin;
struct wk_server;
struct wk_tills;

/* the memory of one job: an arena over its own bytes */
struct wk_block {
    struct wk_block *next;
    struct ph_arena  arena;
    char             memory[WK_BLOCK_LEN];
};

struct wk_worker {
    uv_loop_t loop;
    /* the newest snapshot; what is read through it is good for a minute and
     * more (reload.c), so no job keeps the pointer */
    const struct ph_conf *_Atomic conf;
    unsigned                      roles; /* of enum wk_role */
    struct wk_store              *store;
    struct wk_calls              *calls;
    struct wk_redis              *redis;
    struct wk_locks              *locks;
    struct wk_channels           *channels;
    struct wk_accounts           *accounts;
    struct wk_refreshes          *refreshes;
    struct wk_notify             *notify;
    struct wk_hooks              *hooks;
    struct wk_platform           *platform; /* NULL = no key is configured */
    struct wk_janitor            *janitor;
    struct wk_admin              *admin;
    struct wk_server             *server;
    struct wk_tills              *tills;
    struct ph_seal_key            seal_keys[2];
    size_t                        seal_key_count;
    struct ph_id_maker            ids;
    char                          lease_name[WK_LEASE_NAME_LEN + 1];

    size_t           jobs;   /* requests and looks under way */
    struct wk_block *blocks; /* free */
    size_t           blocks_free;
    bool             is_draining;
    char             health[256]; /* waits for an answer, health.h */
    size_t           health_len;
    void (*on_idle)(struct wk_worker *worker); /* set while draining */
};

/* NULL = no memory */
struct wk_block *wk_block_take(struct wk_worker *worker) PH_MUST_CHECK;
void wk_block_give(struct wk_worker *worker, struct wk_block *block);
void wk_blocks_free(struct wk_worker *worker);

/* A job begins and ends; the end of the last one ends a drain. */
void wk_job_begin(struct wk_worker *worker);
void wk_job_end(struct wk_worker *worker);

struct ph_id wk_id_make(struct wk_worker *worker, enum ph_id_type type,
                        unsigned shard);

static inline int64_t
wk_conf(const struct wk_worker *worker, enum ph_conf_key key)
{
    return ph_conf_number(worker->conf, key);
}

/* One shot; fired or not, wk_timer_stop() frees it.  NULL = no memory. */
struct wk_timer;
struct wk_timer *wk_timer_start(struct wk_worker *worker, uint64_t ms,
                                void (*fire)(void *data),
                                void *data) PH_MUST_CHECK;
void wk_timer_stop(struct wk_timer **timer); /* accepts NULL in it */

#endif

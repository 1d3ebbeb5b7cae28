/* worker.c - blocks, ids, timers of the process; see worker.h. */
#include "worker/worker.h"

#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "worker/random.h"

struct wk_block *
wk_block_take(struct wk_worker *worker)
{
    struct wk_block *block = worker->blocks;

    if (block != NULL) {
        worker->blocks = block->next;
        worker->blocks_free--;
    } else {
        block = malloc(sizeof(*block));
        if (block == NULL) {
            return NULL;
        }
    }
    ph_arena_init(&block->arena, block->memory, sizeof(block->memory));
    return block;
}

void
wk_block_give(struct wk_worker *worker, struct wk_block *block)
{
    if (worker->blocks_free >= WK_BLOCKS_KEPT) {
        free(block);
        return;
    }
    block->next    = worker->blocks;
    worker->blocks = block;
    worker->blocks_free++;
}

void
wk_blocks_free(struct wk_worker *worker)
{
    while (worker->blocks != NULL) {
        struct wk_block *block = worker->blocks;

        worker->blocks = block->next;
        free(block);
    }
    worker->blocks_free = 0;
}

void
wk_job_begin(struct wk_worker *worker)
{
    worker->jobs++;
}

void
wk_job_end(struct wk_worker *worker)
{
    worker->jobs--;
    if (worker->jobs == 0 && worker->on_idle != NULL) {
        worker->on_idle(worker);
    }
}

struct ph_id
wk_id_make(struct wk_worker *worker, enum ph_id_type type, unsigned shard)
{
    uint8_t random[PH_ID_RANDOM_LEN];

    wk_random(random, sizeof(random));
    return ph_id_make(&worker->ids, type, ph_now_ms(), shard, random);
}

/* ---- timers ---- */

struct wk_timer {
    uv_timer_t handle;
    void (*fire)(void *data);
    void *data;
};

static void
timer_free(uv_handle_t *handle)
{
    free(handle->data);
}

static void
timer_fired(uv_timer_t *handle)
{
    struct wk_timer *timer = handle->data;

    timer->fire(timer->data);
}

struct wk_timer *
wk_timer_start(struct wk_worker *worker, uint64_t ms, void (*fire)(void *data),
               void *data)
{
    struct wk_timer *timer = calloc(1, sizeof(*timer));

    if (timer == NULL) {
        return NULL;
    }
    timer->fire        = fire;
    timer->data        = data;
    timer->handle.data = timer;
    (void) uv_timer_init(&worker->loop, &timer->handle);
    (void) uv_timer_start(&timer->handle, timer_fired, ms, 0);
    return timer;
}

void
wk_timer_stop(struct wk_timer **timer)
{
    if (*timer != NULL) {
        uv_close((uv_handle_t *) &(*timer)->handle, timer_free);
        *timer = NULL;
    }
}

/* sync.c - one ask for whoever waits; see sync.h. */
#include "worker/sync.h"

#include "worker/rows.h"
#include "worker/schedule.h"

static void
sync_end(struct wk_sync *sync, enum wk_sync_end end)
{
    wk_lock_drop(&sync->lock);
    if (sync->account != NULL) {
        sync->account->use->inflight--;
        wk_account_release(sync->account);
        sync->account = NULL;
    }
    sync->end = end;
    sync->done(sync);
}

static void
sync_on_ask(struct wk_ask *ask)
{
    struct wk_sync *sync = ask->data;

    sync_end(sync, ask->is_kept ? WK_SYNC_ASKED : WK_SYNC_FAILED);
}

static void
sync_ask(struct wk_sync *sync)
{
    const struct wk_attempt *open = wk_rest_open_attempt(sync->order);

    if (open == NULL) {
        sync_end(sync, WK_SYNC_NOTHING);
        return;
    }
    if (!ph_str_eq(open->account_id, sync->account->face.id)) {
        sync_end(sync, WK_SYNC_BUSY); /* it moved on to another account */
        return;
    }
    sync->ask = (struct wk_ask){ .worker     = sync->worker,
                                 .account    = sync->account,
                                 .arena      = sync->arena,
                                 .order      = sync->order,
                                 .attempt_id = open->id,
                                 .fence      = sync->lock.fence,
                                 .shall_end  = sync->closes,
                                 .is_over    = sync->closes,
                                 .done       = sync_on_ask,
                                 .data       = sync };
    wk_ask_start(&sync->ask);
}

/* ---- rows ---- */

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *job)
{
    struct wk_sync *sync = (struct wk_sync *) job;

    sync->arena->len  = sync->arena_mark; /* what a run before this one took */
    sync->arena->full = false;
    sync->found
        = wk_order_load(db, sync->arena, sync->order->payment.id, &sync->fresh);
    return sync->found == WK_FOUND_ROW ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
load_done(struct wk_store_job *job)
{
    struct wk_sync *sync = (struct wk_sync *) job;

    if (job->outcome != WK_STORE_DONE) {
        sync_end(sync, WK_SYNC_FAILED);
        return;
    }
    *sync->order = sync->fresh;
    if (sync->after_load == WK_SYNC_BUSY) {
        sync_end(sync, WK_SYNC_BUSY);
    } else {
        sync_ask(sync);
    }
}

static void
sync_load(struct wk_sync *sync, enum wk_sync_end after)
{
    sync->after_load = after;
    sync->arena_mark = sync->arena->len;
    sync->store = (struct wk_store_job){ .run = load_run, .done = load_done };
    if (!wk_store_submit(sync->worker->store, &sync->store)) {
        sync->store.outcome = WK_STORE_FAILED;
        load_done(&sync->store);
    }
}

/* ---- the beginning ---- */

static void
sync_on_lock(struct wk_lock *lock, enum wk_lock_answer answer)
{
    struct wk_sync *sync = lock->data;

    sync->is_waiting = false;
    if (answer == WK_LOCK_BUSY) {
        sync_load(sync, WK_SYNC_BUSY);
    } else if (lock->has_waited) {
        sync_load(sync, WK_SYNC_NOTHING);
    } else {
        sync_ask(sync);
    }
}

static bool
sync_can_end(const struct wk_account *account, const struct wk_attempt *open)
{
    unsigned caps = account->channel->caps;

    return (caps & PH_CAP_CLOSE) != 0
           || (wk_attempt_is_bar(open) && (caps & PH_CAP_REVERSE) != 0);
}

/* WK_SYNC_ASKED = it can be asked, and is held */
static enum wk_sync_end
sync_hold(struct wk_sync *sync, const struct wk_attempt *open)
{
    struct wk_account *account
        = wk_account_find(sync->worker->accounts, open->account_id);
    size_t most
        = (size_t) wk_conf(sync->worker, PH_CONF_pay_max_inflight_account);

    if (account == NULL || (account->channel->caps & PH_CAP_QUERY) == 0
        || (sync->closes && !sync_can_end(account, open)))
    {
        return WK_SYNC_CANNOT;
    }
    if (account->use->inflight >= most) {
        return WK_SYNC_FULL;
    }
    sync->account = wk_account_hold(account);
    sync->account->use->inflight++;
    return WK_SYNC_ASKED;
}

void
wk_sync_start(struct wk_sync *sync)
{
    const struct wk_payment *payment = &sync->order->payment;
    const struct wk_attempt *open    = wk_rest_open_attempt(sync->order);
    enum wk_sync_end         end
        = open != NULL ? sync_hold(sync, open) : WK_SYNC_NOTHING;

    if (end != WK_SYNC_ASKED) {
        sync_end(sync, end);
        return;
    }
    sync->is_waiting = true;
    sync->lock.done  = sync_on_lock;
    sync->lock.data  = sync;
    wk_lock_wait(sync->worker->locks, &sync->lock, payment->app_id,
                 payment->order_no, payment->fence, sync->wait_ms);
}

bool
wk_sync_is_waiting(const struct wk_sync *sync)
{
    return sync->is_waiting;
}

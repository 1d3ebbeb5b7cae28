/* till.c - see till.h. */
#include "worker/till.h"

#include <stdlib.h>
#include <uthash.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/answer.h"
#include "worker/rows.h"
#include "worker/schedule.h"
#include "worker/sync.h"

#define NS_PER_MS UINT64_C(1000000)

/* what the rows and the way back take of the time that the caller has */
#define TILL_MARGIN_MS 200

/* of requests that wait: they are not to keep their connection from being read
 */
#define TILL_BYTES_MAX (4u * 1024 * 1024)

enum till_state { TILL_WAITING = 1, TILL_LOADING, TILL_ASKING };

struct wk_till {
    struct wk_tills   *tills;
    struct wk_request *request; /* NULL = answered */
    struct till_look  *look;    /* NULL while WAITING */
    enum till_state    state;
    struct wk_timer   *timer; /* to the next look or to the end */
    uint64_t           until_ns;
    size_t             bytes;
    unsigned           slot; /* of the app, among the shares */
    size_t             asked;
    bool               is_over;  /* it is answered whatever the rows say */
    bool               is_woken; /* while it looked */
    struct ph_id       payment_id;
    UT_hash_handle     hh;
};

/* lives in its block, from the read of the rows to the end of the query */
struct till_look {
    struct wk_store_job store; /* first */
    struct wk_till     *till;
    struct wk_block    *block;
    size_t              arena_mark;
    enum wk_found       found;
    struct wk_order     order;
    struct wk_sync      sync;
};

struct wk_tills {
    struct wk_worker *worker;
    struct wk_till   *by_payment;
    struct wk_shares  callers;
    size_t            bytes;
};

static void till_look(struct wk_till *till);

static void
till_end(struct wk_till *till)
{
    struct wk_tills  *tills  = till->tills;
    struct wk_worker *worker = tills->worker;

    wk_timer_stop(&till->timer);
    HASH_DEL(tills->by_payment, till);
    tills->callers.count[till->slot]--;
    tills->bytes -= till->bytes;
    free(till);
    wk_job_end(worker);
}

/* ---- waiting ---- */

static uint64_t
pause_ms(const struct wk_till *till)
{
    int64_t  ms[PH_CONF_TIMES_MAX];
    size_t   count = ph_conf_times(till->tills->worker->conf,
                                   PH_CONF_pay_bar_schedule, ms);
    uint64_t next  = UINT64_MAX;

    if (count != 0) {
        next = (uint64_t) ms[till->asked < count ? till->asked : count - 1];
    }
    return next;
}

static void till_on_time(void *data);

/* false = no memory */
static bool
till_timer(struct wk_till *till, uint64_t ms)
{
    uint64_t now = ph_monotonic_ns();
    uint64_t left_ms
        = till->until_ns > now ? (till->until_ns - now) / NS_PER_MS + 1 : 0;

    wk_timer_stop(&till->timer);
    till->timer = wk_timer_start(
        till->tills->worker, ms < left_ms ? ms : left_ms, till_on_time, till);
    return till->timer != NULL;
}

static bool
till_is_over(struct wk_till *till)
{
    till->is_over = till->is_over || ph_monotonic_ns() >= till->until_ns;
    return till->is_over;
}

static void
till_on_time(void *data)
{
    struct wk_till *till    = data;
    bool            is_over = till_is_over(till);

    wk_timer_stop(&till->timer);
    switch (till->state) {
    case TILL_WAITING:
        till_look(till);
        return;
    case TILL_LOADING:
        return; /* the rows are on their way */
    case TILL_ASKING:
        break;
    }
    /* the loop's clock may be behind: not yet */
    if (!is_over && till_timer(till, UINT64_MAX)) {
        return;
    }
    /* the query goes on without the caller */
    wk_answer_order(&till->request, &till->look->order, NULL);
}

/* A look is over, and the order is open. */
static void
till_rest(struct wk_till *till)
{
    till->state = TILL_WAITING;
    if (till->is_woken) {
        till->is_woken = false;
        till_look(till);
    } else if (!till_timer(till, pause_ms(till))) {
        till->is_over = true;
        till_look(till);
    }
}

/* ---- looking ---- */

static void
look_end(struct wk_till *till)
{
    wk_block_give(till->tills->worker, till->look->block);
    till->look = NULL;
}

/* The rows could not be read: tried again, or there is nothing to show. */
static void
look_failed(struct wk_till *till)
{
    if (till->look != NULL) {
        look_end(till);
    }
    if (!till->is_over && till_timer(till, pause_ms(till))) {
        till->state = TILL_WAITING;
        return;
    }
    wk_answer_refuse(&till->request, PH_FRAME_UNKNOWN, PH_ERROR_OUTCOME_UNKNOWN,
                     "the channel was called; ask by order_no");
    till_end(till);
}

/* The order as it was committed last: is that an answer? */
static void
look_told(struct wk_till *till)
{
    if (till->request != NULL
        && (till->is_over || !wk_till_fits(&till->look->order)))
    {
        wk_answer_order(&till->request, &till->look->order, NULL);
    }
    look_end(till);
    if (till->request == NULL) {
        till_end(till);
    } else {
        till_rest(till);
    }
}

static void
look_on_sync(struct wk_sync *sync)
{
    struct till_look *look = sync->data;

    look_told(look->till);
}

/* Whoever else has the order asks as well: no wait for the lock. */
static void
look_ask(struct till_look *look)
{
    struct wk_till *till = look->till;

    till->state = TILL_ASKING;
    till->asked++;
    if (!till_timer(till, UINT64_MAX)) {
        till->is_over = true;
        look_told(till);
        return;
    }
    look->sync = (struct wk_sync){ .worker = till->tills->worker,
                                   .arena  = &look->block->arena,
                                   .order  = &look->order,
                                   .done   = look_on_sync,
                                   .data   = look };
    wk_sync_start(&look->sync);
}

static enum wk_run
load_run(struct wk_db *db, struct wk_store_job *store)
{
    struct till_look *look  = (struct till_look *) store;
    struct ph_arena  *arena = &look->block->arena;

    arena->len  = look->arena_mark;
    arena->full = false;
    look->found = wk_order_load(
        db, arena, ph_str_z(look->till->payment_id.text), &look->order);
    return look->found == WK_FOUND_ROW ? WK_RUN_DONE : WK_RUN_FAILED;
}

static void
load_done(struct wk_store_job *store)
{
    struct till_look *look = (struct till_look *) store;
    struct wk_till   *till = look->till;

    if (store->outcome != WK_STORE_DONE) {
        look_failed(till);
    } else if (till_is_over(till) || !wk_till_fits(&look->order)) {
        look_told(till);
    } else {
        look_ask(look);
    }
}

static void
till_look(struct wk_till *till)
{
    struct wk_block *block = wk_block_take(till->tills->worker);

    wk_timer_stop(&till->timer);
    till->state = TILL_LOADING;
    if (block == NULL) {
        look_failed(till);
        return;
    }
    struct till_look *look
        = ph_arena_take(&block->arena, sizeof(*look)); /* always fits */

    till->look       = look;
    look->till       = till;
    look->block      = block;
    look->arena_mark = block->arena.len;
    look->store = (struct wk_store_job){ .run = load_run, .done = load_done };
    if (!wk_store_submit(till->tills->worker->store, &look->store)) {
        look_failed(till);
    }
}

/* ---- the face ---- */

bool
wk_till_fits(const struct wk_order *order)
{
    const struct wk_attempt *newest = &order->attempt[order->attempt_count - 1];

    return order->payment.status == PH_PAYMENT_PAYING
           && wk_attempt_is_bar(newest);
}

/* When the wait of this request is over; 0 = at once. */
static uint64_t
until_ns(const struct wk_request *request)
{
    const struct wk_worker *worker = request->worker;
    uint64_t wait_ms = (uint64_t) wk_conf(worker, PH_CONF_pay_bar_wait);
    uint64_t most_ms = (uint64_t) wk_conf(worker, PH_CONF_pay_request_deadline);
    uint64_t left_ms = request->frame.ms_left;

    wait_ms = most_ms < wait_ms ? most_ms : wait_ms;
    if (left_ms != 0) {
        left_ms = left_ms > TILL_MARGIN_MS ? left_ms - TILL_MARGIN_MS : 0;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    uint64_t end = request->arrived_ns + wait_ms * NS_PER_MS;

    return end > ph_monotonic_ns() ? end : 0;
}

static struct wk_till *
till_new(struct wk_tills *tills, struct wk_request *request)
{
    size_t   most  = (size_t) wk_conf(tills->worker, PH_CONF_pay_bar_tills);
    size_t   bytes = request->frame.meta.len + request->frame.body.len;
    unsigned slot  = wk_share_slot(request->app_id);
    uint64_t until = until_ns(request);

    if (until == 0 || tills->worker->is_draining
        || tills->bytes + bytes > TILL_BYTES_MAX
        || !wk_share_fits(&tills->callers, slot, HASH_COUNT(tills->by_payment),
                          most))
    {
        return NULL;
    }
    struct wk_till *till = calloc(1, sizeof(*till));

    if (till != NULL) {
        till->tills    = tills;
        till->request  = request;
        till->until_ns = until;
        till->bytes    = bytes;
        till->slot     = slot;
    }
    return till;
}

bool
wk_till_wait(struct wk_request *request, const struct wk_order *order)
{
    struct wk_tills *tills = request->worker->tills;
    struct ph_str    id    = order->payment.id;
    struct wk_till  *till  = NULL;

    if (!wk_till_fits(order) || id.len != PH_ID_LEN
        || order->attempt[order->attempt_count - 1].status
               != PH_ATTEMPT_WAIT_USER)
    {
        return false; /* an outcome that is unknown is told at once */
    }
    till = till_new(tills, request);
    if (till == NULL) {
        return false;
    }
    till->state = TILL_WAITING;
    if (!till_timer(till, pause_ms(till))) {
        free(till);
        return false;
    }
    memcpy(till->payment_id.text, id.ptr, PH_ID_LEN);
    HASH_ADD(hh, tills->by_payment, payment_id.text, PH_ID_LEN, till);
    tills->callers.count[till->slot]++;
    tills->bytes += till->bytes;
    wk_job_begin(tills->worker);
    wk_server_park(request);
    return true;
}

void
wk_tills_wake(struct wk_tills *tills, struct ph_str payment_id)
{
    struct wk_till *till = NULL;

    HASH_FIND(hh, tills->by_payment, payment_id.ptr, (unsigned) payment_id.len,
              till);
    if (till != NULL && till->state == TILL_WAITING) {
        till_look(till);
    } else if (till != NULL) {
        till->is_woken = true;
    }
}

void
wk_tills_drain(struct wk_tills *tills)
{
    struct wk_till *till, *next;

    HASH_ITER(hh, tills->by_payment, till, next)
    {
        till->until_ns = 0;
        till_on_time(till);
    }
}

struct wk_tills *
wk_tills_new(struct wk_worker *worker)
{
    struct wk_tills *tills = calloc(1, sizeof(*tills));

    if (tills != NULL) {
        tills->worker = worker;
    }
    return tills;
}

void
wk_tills_free(struct wk_tills *tills)
{
    free(tills);
}

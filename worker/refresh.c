/*
 * refresh.c - refreshes of accounts under way in this process; see refresh.h.
 *
 *   FETCH  lease job: ours -> op -> write job -> WAIT, or end
 *                     another's, or newer by now -> WAIT
 *                     too soon -> end
 *   WAIT   the account of the list has what it waits for -> end
 *          it has something else that is newer -> FETCH, added to that
 *          for a while -> FETCH: who held the lease may have died
 *
 * An account has one flight for its token and some for ids, one an id; each
 * ends with an answer to all its waiters.  Between processes the row of
 * channel_kept decides, by the database's clock.
 */
#include "worker/refresh.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/random.h"
#include "worker/refresh_int.h"

#define NS_PER_MS UINT64_C(1000000)
#define POLL_MS 100
#define POLLS_A_FETCH 10  /* then the lease is looked at again */
#define POLLS_ALONE 20    /* of a flight that nobody waits for */
#define POLLS_MAX 600     /* of a flight */
#define FETCHES_MAX 3     /* of a flight that others overtake */
#define FLIGHTS_MAX 1024  /* at once */
#define BY_ID_MAX 8       /* of an account, each for another id; and of them */
#define BY_DOUBTED_MAX 4  /* for ids that what may be forged named */
#define DUE_STARTS_MAX 16 /* of one look */
#define DUE_AGAIN_NS UINT64_C(30000000000)

struct wk_refreshes {
    struct wk_worker *worker;
    struct flight    *flights;
    size_t            count;
};

static void flight_fetch(struct flight *flight);
static void flight_wait(struct flight *flight);

/* ---- waiters ---- */

static void
waiter_tell(void *data)
{
    struct wk_refresh *refresh = data;

    wk_timer_stop(&refresh->timer);
    refresh->done(refresh, (enum wk_refresh_answer) refresh->answer);
}

/* On a later turn; without memory for that, now. */
static void
waiter_answer(struct wk_refresh *refresh, enum wk_refresh_answer answer)
{
    wk_timer_stop(&refresh->timer);
    refresh->answer = answer;
    refresh->timer  = wk_timer_start(refresh->worker, 0, waiter_tell, refresh);
    if (refresh->timer == NULL) {
        waiter_tell(refresh);
    }
}

static void
waiter_is_late(void *data)
{
    struct wk_refresh  *refresh = data;
    struct flight      *flight  = refresh->flight;
    struct wk_refresh **at      = &flight->waiters;

    while (*at != refresh) {
        at = &(*at)->next;
    }
    *at = refresh->next;
    flight->waiter_count--;
    refresh->answer = WK_REFRESH_FAILED;
    waiter_tell(refresh);
}

static void
waiter_join(struct flight *flight, struct wk_refresh *refresh)
{
    if (flight->waiter_count == WK_REFRESH_WAITERS_MAX) {
        waiter_answer(refresh, WK_REFRESH_FAILED);
        return;
    }
    refresh->timer = wk_timer_start(refresh->worker, refresh->deadline_ms,
                                    waiter_is_late, refresh);
    if (refresh->timer == NULL) {
        waiter_answer(refresh, WK_REFRESH_FAILED);
        return;
    }
    refresh->flight = flight;
    refresh->next   = flight->waiters;
    flight->waiters = refresh;
    flight->waiter_count++;
}

/* ---- a flight ---- */

static struct ph_str
flight_id(const struct flight *flight)
{
    return flight->account->face.id;
}

static struct flight *
flight_find(const struct wk_refreshes *refreshes, struct ph_str id,
            bool is_by_id, struct ph_str hint)
{
    struct flight *flight = refreshes->flights;

    while (flight != NULL
           && (flight->is_by_id != is_by_id || !ph_str_eq(flight_id(flight), id)
               || !ph_str_eq(flight->hint, hint)))
    {
        flight = flight->next;
    }
    return flight;
}

/* Is there a place for one more flight by an id? */
static bool
by_id_has_room(const struct wk_refreshes *refreshes, struct ph_str id,
               bool is_doubted)
{
    size_t count = 0;

    for (const struct flight *at = refreshes->flights; at != NULL;
         at                      = at->next) {
        count += at->is_by_id && ph_str_eq(flight_id(at), id);
    }
    return count < (is_doubted ? BY_DOUBTED_MAX : BY_ID_MAX);
}

/* NULL = no memory, or too many */
static struct flight *
flight_new(struct wk_refreshes *refreshes, struct wk_account *account,
           struct ph_str hint)
{
    struct flight *flight
        = refreshes->count < FLIGHTS_MAX && hint.len <= PH_CHANNEL_HINT_MAX
              ? calloc(1, sizeof(*flight))
              : NULL;

    if (flight == NULL) {
        return NULL;
    }
    flight->home    = refreshes;
    flight->worker  = refreshes->worker;
    flight->account = wk_account_hold(account);
    if (hint.len != 0) {
        memcpy(flight->hint_memory, hint.ptr, hint.len);
        flight->hint = ph_str_make(flight->hint_memory, hint.len);
    }
    flight->job.flight = flight;
    flight->next       = refreshes->flights;
    refreshes->flights = flight;
    refreshes->count++;
    wk_job_begin(flight->worker);
    return flight;
}

static void
block_give(struct flight *flight)
{
    if (flight->block != NULL) {
        OPENSSL_cleanse(flight->block->memory, sizeof(flight->block->memory));
        wk_block_give(flight->worker, flight->block);
        flight->block = NULL;
    }
}

static void
flight_end(struct flight *flight, enum wk_refresh_answer answer)
{
    struct wk_worker  *worker = flight->worker;
    struct wk_account *fresh
        = answer == WK_REFRESHED
              ? wk_account_find(worker->accounts, flight_id(flight))
              : NULL;
    struct wk_refresh *waiters = flight->waiters, *next;
    struct flight    **at      = &flight->home->flights;

    while (*at != flight) {
        at = &(*at)->next;
    }
    *at = flight->next;
    flight->home->count--;
    wk_timer_stop(&flight->timer);
    block_give(flight);
    ph_log(answer == WK_REFRESH_FAILED ? PH_LOG_WARN : PH_LOG_INFO, "refresh",
           { "account", flight_id(flight) },
           { "answer", answer == WK_REFRESHED        ? PH_STR("refreshed")
                       : answer == WK_REFRESH_FAILED ? PH_STR("failed")
                                                     : PH_STR("too_soon") },
           { "waiters", ph_log_i64((int64_t) flight->waiter_count) });
    const bool is_others = flight->is_by_id && !flight->is_answered;

    wk_account_release(flight->account);
    free(flight);
    for (; waiters != NULL; waiters = next) {
        next               = waiters->next;
        waiters->is_others = is_others;
        waiters->fresh     = fresh != NULL ? wk_account_hold(fresh) : NULL;
        waiter_answer(waiters, answer);
    }
    wk_job_end(worker);
}

/* Does this one have what the other lacked? */
static bool
has_more(const struct wk_account *now, const struct wk_account *then,
         bool is_by_id)
{
    return is_by_id ? now->kept_ver != then->kept_ver
                    : now->kept_own_ver != then->kept_own_ver;
}

/* The list has what the flight waits for. */
static bool
flight_has_come(const struct flight *flight)
{
    const struct wk_account *now
        = wk_account_find(flight->worker->accounts, flight_id(flight));

    return now != NULL && !(flight->is_by_id && flight->is_again)
           && has_more(now, flight->account, flight->is_by_id);
}

/* The list has another value: what is fetched now is added to that. */
static bool
flight_moves(struct flight *flight)
{
    struct wk_account *now
        = wk_account_find(flight->worker->accounts, flight_id(flight));

    if (now == NULL || now->kept_ver == flight->account->kept_ver) {
        return false;
    }
    (void) wk_account_hold(now);
    wk_account_release(flight->account);
    flight->account = now;
    return true;
}

/* It was overtaken, by a value of the other purpose or by who took over when
 * the lease was over. */
static void
flight_overtaken(struct flight *flight)
{
    ph_log(PH_LOG_WARN, "refresh_overtaken", { "account", flight_id(flight) });
    flight->is_again    = flight->fetches < FETCHES_MAX;
    flight->is_answered = false;
    flight->polls       = 0;
    if (!flight->is_again && !flight->is_by_id) {
        flight_end(flight, WK_REFRESH_FAILED);
        return;
    }
    flight_wait(flight);
}

static void
write_done(struct wk_store_job *job)
{
    struct flight_job *own    = (struct flight_job *) job;
    struct flight     *flight = own->flight;
    bool               had    = flight->sealed.len != 0;

    block_give(flight);
    flight->sealed = ph_str_make(NULL, 0);
    if (!had) {
        flight_end(flight,
                   flight->is_answered ? WK_REFRESHED : WK_REFRESH_FAILED);
    } else if (job->outcome == WK_STORE_FAILED) {
        flight_end(flight, WK_REFRESH_FAILED);
    } else if (!own->is_written) {
        flight_overtaken(flight);
    } else {
        flight->polls    = 0;
        flight->is_again = false;
        flight_wait(flight);
    }
}

static void
flight_write(struct flight *flight)
{
    flight->job.store = (struct wk_store_job){
        .run         = flight_write_run,
        .writes      = true,
        .done        = write_done,
        .crash_after = flight->sealed.len != 0 ? "refresh_after_commit" : NULL
    };
    if (!wk_store_submit(flight->worker->store, &flight->job.store)) {
        flight_end(flight, WK_REFRESH_FAILED); /* the lease runs out */
    }
}

/* Into flight->sealed; {NULL, 0} = what came cannot be kept. */
static void
kept_seal(struct flight *flight)
{
    const struct ph_channel_kept *kept  = &flight->op.out.kept;
    struct ph_arena              *arena = flight->op.arena;
    struct ph_seal_place          place
        = { PH_STR("channel_kept"), flight_id(flight), PH_STR("value") };
    uint8_t       nonce[PH_SEAL_NONCE_LEN];
    struct ph_buf box;

    flight->sealed = ph_str_make(NULL, 0);
    if (kept->value.len == 0 || kept->value.len > PH_CHANNEL_KEPT_MAX
        || kept->expires_at_ms == 0 || flight->worker->seal_key_count == 0)
    {
        return;
    }
    wk_random(nonce, sizeof(nonce));
    ph_arena_open(arena, &box);
    if (ph_seal(&box, &flight->worker->seal_keys[0], &place, nonce, kept->value)
        == PH_OK)
    {
        flight->sealed = ph_arena_close(arena, &box);
    }
}

/* By an id nothing came but what is there: nobody has to read it anew. */
static bool
brought_nothing_new(const struct flight *flight)
{
    const struct ph_str came = flight->op.out.kept.value;

    return flight->is_by_id && came.len != 0
           && ph_str_eq(came, flight->account->kept.value);
}

static void
refresh_answered(struct wk_op *op)
{
    struct flight *flight = op->data;
    bool           ok     = op->result.class == PH_RESULT_SUCCEEDED;

    if (ok && !brought_nothing_new(flight)) {
        kept_seal(flight);
        ok = flight->sealed.len != 0;
    }
    flight->is_answered = ok;
    if (!ok) {
        ph_log(PH_LOG_WARN, "refresh_refused", { "account", flight_id(flight) },
               { "error_class", op->result.error_class },
               { "code", op->result.channel_code },
               { "why", op->result.class == PH_RESULT_SUCCEEDED
                            ? PH_STR("it brought nothing that can be kept")
                            : op->result.message });
    }
    flight_write(flight);
}

static void
flight_call(struct flight *flight)
{
    flight->block = wk_block_take(flight->worker);
    if (flight->block == NULL) {
        flight_end(flight, WK_REFRESH_FAILED);
        return;
    }
    flight->fetches++;
    flight->op = (struct wk_op){ .worker  = flight->worker,
                                 .account = flight->account,
                                 .kind    = PH_OP_ACCOUNT_REFRESH,
                                 .hint    = flight->hint,
                                 .arena   = &flight->block->arena,
                                 .done    = refresh_answered,
                                 .data    = flight };
    wk_op_start(&flight->op);
}

/* ---- the way of a flight ---- */

/* What is refused to the clock, or to what may be forged, is not refused to
 * those who joined and are neither. */
static bool
flight_turns(struct flight *flight, bool *was)
{
    const struct wk_refresh *at = flight->waiters;

    while (at != NULL && flight->is_by_id && at->is_doubted) {
        at = at->next;
    }
    if (!*was || at == NULL) {
        return false;
    }
    *was = false;
    return true;
}

static void
lease_done(struct wk_store_job *job)
{
    struct flight *flight = ((struct flight_job *) job)->flight;

    if (job->outcome != WK_STORE_DONE) {
        flight_end(flight, WK_REFRESH_FAILED);
        return;
    }
    switch (flight->job.lease) {
    case LEASE_OURS:
        flight_call(flight);
        return;
    case LEASE_OTHERS:
    case LEASE_NEWER:
    case LEASE_STALE:
        flight_wait(flight);
        return;
    case LEASE_TOO_SOON:
        if (flight_turns(flight, &flight->is_doubted)) {
            flight_fetch(flight);
            return;
        }
        break;
    case LEASE_NOT_DUE:
        if (flight_turns(flight, &flight->is_due)) {
            flight_fetch(flight);
            return;
        }
        break;
    }
    flight_end(flight, WK_REFRESH_TOO_SOON);
}

static void
flight_fetch(struct flight *flight)
{
    flight->job.store = (struct wk_store_job){ .run    = flight_lease_run,
                                               .writes = true,
                                               .done   = lease_done };
    if (!wk_store_submit(flight->worker->store, &flight->job.store)) {
        flight_end(flight, WK_REFRESH_FAILED);
    }
}

static void
flight_poll(void *data)
{
    struct flight *flight = data;

    wk_timer_stop(&flight->timer);
    flight->polls++;
    if (flight_has_come(flight)) {
        flight_end(flight, WK_REFRESHED);
    } else if (flight->polls >= POLLS_MAX
               || (flight->waiters == NULL
                   && (flight->polls >= POLLS_ALONE
                       || flight->worker->is_draining)))
    {
        flight_end(flight, WK_REFRESH_FAILED);
    } else if (flight_moves(flight) || flight->polls % POLLS_A_FETCH == 0) {
        flight_fetch(flight);
    } else {
        flight_wait(flight);
    }
}

static void
flight_wait(struct flight *flight)
{
    flight->timer
        = wk_timer_start(flight->worker, POLL_MS, flight_poll, flight);
    if (flight->timer == NULL) {
        flight_end(flight, WK_REFRESH_FAILED);
        return;
    }
    wk_accounts_look(flight->worker->accounts);
}

/* ---- the face ---- */

/* A new flight for it; false: *answer says why not. */
static bool
flight_start(struct wk_refreshes *refreshes, struct wk_account *now,
             struct wk_refresh *refresh, bool is_by_id,
             enum wk_refresh_answer *answer)
{
    struct flight *flight;

    *answer = WK_REFRESH_TOO_SOON;
    if (is_by_id
        && (!by_id_has_room(refreshes, now->face.id, refresh->is_doubted)
            || (refresh->is_doubted
                && !wk_refresh_look_take(&now->use->looks, refresh->hint,
                                         ph_monotonic_ns()))))
    {
        return false;
    }
    *answer = WK_REFRESH_FAILED;
    flight  = flight_new(refreshes, now, refresh->hint);
    if (flight == NULL) {
        return false;
    }
    flight->is_by_id   = is_by_id;
    flight->is_doubted = refresh->is_doubted;
    waiter_join(flight, refresh);
    flight_fetch(flight);
    return true;
}

void
wk_refresh_start(struct wk_worker *worker, struct wk_refresh *refresh)
{
    struct wk_refreshes *refreshes = worker->refreshes;
    struct ph_str        id        = refresh->account->face.id;
    struct wk_account   *now       = wk_account_find(worker->accounts, id);
    const bool     is_by_id = refresh->hint.len != 0 || refresh->is_doubted;
    struct flight *flight = flight_find(refreshes, id, is_by_id, refresh->hint);
    enum wk_refresh_answer answer = WK_REFRESH_FAILED;

    refresh->worker    = worker;
    refresh->fresh     = NULL;
    refresh->timer     = NULL;
    refresh->is_others = is_by_id;
    if (now != NULL && has_more(now, refresh->account, is_by_id)) {
        refresh->fresh = wk_account_hold(now);
        waiter_answer(refresh, WK_REFRESHED);
    } else if (flight != NULL) {
        waiter_join(flight, refresh);
    } else if (now == NULL
               || !flight_start(refreshes, now, refresh, is_by_id, &answer))
    {
        waiter_answer(refresh, answer);
    }
}

struct wk_refreshes *
wk_refreshes_new(struct wk_worker *worker)
{
    struct wk_refreshes *refreshes = calloc(1, sizeof(*refreshes));

    if (refreshes != NULL) {
        refreshes->worker = worker;
    }
    return refreshes;
}

void
wk_refreshes_free(struct wk_refreshes *refreshes)
{
    free(refreshes); /* flights are jobs: none is left */
}

/* Those whose time has come, some of them. */
static void
due_start(struct wk_refreshes *refreshes)
{
    struct wk_accounts *accounts = refreshes->worker->accounts;
    uint64_t            now_ms = ph_now_ms(), now_ns = ph_monotonic_ns();
    unsigned            started = 0;

    for (size_t i = 0;
         i < wk_accounts_count(accounts) && started < DUE_STARTS_MAX; i++)
    {
        const struct wk_account *at = wk_accounts_at(accounts, i);
        struct wk_account       *account;
        struct flight           *flight;

        if (at->kept.value.len == 0 || at->kept.refresh_at_ms > now_ms
            || at->use->due_again_ns > now_ns
            || flight_find(refreshes, at->face.id, false, ph_str_make(NULL, 0))
                   != NULL)
        {
            continue;
        }
        account                    = wk_account_find(accounts, at->face.id);
        account->use->due_again_ns = now_ns + DUE_AGAIN_NS;
        flight = flight_new(refreshes, account, ph_str_make(NULL, 0));
        if (flight != NULL) {
            flight->is_due = true;
            started++;
            flight_fetch(flight);
        }
    }
}

void
wk_refreshes_look(struct wk_refreshes *refreshes)
{
    struct flight *flight, *next;

    for (flight = refreshes->flights; flight != NULL; flight = next) {
        next = flight->next;
        /* only in WAIT a timer runs */
        if (flight->timer != NULL && flight_has_come(flight)) {
            flight_end(flight, WK_REFRESHED);
        }
    }
    if ((refreshes->worker->roles & WK_ROLE_JANITOR) != 0
        && !refreshes->worker->is_draining)
    {
        due_start(refreshes);
    }
}

/*
 * refresh.c - refreshes of accounts under way in this process; see refresh.h.
 *
 *   FETCH  lease job: ours -> op -> write job -> WAIT
 *                     another's, or newer by now -> WAIT
 *                     too soon -> end
 *   WAIT   the account of the list has a newer value -> end
 *          for a while -> FETCH: who held the lease may have died
 *
 * One flight an account; it ends with an answer to all its waiters.  Between
 * processes the row of channel_kept decides, by the database's clock.
 */
#include "worker/refresh.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/op.h"
#include "worker/random.h"
#include "worker/store.h"

#define NS_PER_MS UINT64_C(1000000)
#define LEASE_S 15
#define POLL_MS 100
#define POLLS_A_FETCH 10  /* then the lease is looked at again */
#define POLLS_ALONE 20    /* of a flight that nobody waits for */
#define POLLS_MAX 600     /* of a flight */
#define FLIGHTS_MAX 1024  /* accounts at once */
#define DUE_STARTS_MAX 16 /* of one look */
#define DUE_AGAIN_NS UINT64_C(30000000000)

enum lease {
    LEASE_OURS,
    LEASE_OTHERS, /* somebody is at it */
    LEASE_NEWER,  /* somebody was */
    LEASE_TOO_SOON,
    LEASE_NOT_DUE
};

struct flight;

struct flight_job {
    struct wk_store_job store;
    struct flight      *flight;
    enum lease          lease;
    bool                is_written;
};

struct flight {
    struct flight       *next;
    struct wk_refreshes *home;
    struct wk_worker    *worker;
    struct wk_account   *account; /* held */
    struct wk_refresh   *waiters;
    size_t               waiter_count;
    char                 hint_memory[PH_CHANNEL_HINT_MAX];
    struct ph_str        hint;
    bool                 is_doubted;
    bool                 is_due; /* nobody asked but the clock */
    unsigned             polls;
    struct wk_timer     *timer;
    struct wk_block     *block;
    struct wk_op         op;
    struct ph_str        sealed;
    struct flight_job    job;
};

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
flight_find(const struct wk_refreshes *refreshes, struct ph_str id)
{
    struct flight *flight = refreshes->flights;

    while (flight != NULL && !ph_str_eq(flight_id(flight), id)) {
        flight = flight->next;
    }
    return flight;
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
    /* forged ones cost the database a look a second, not each its own */
    flight->account->doubted_again_ns
        = ph_monotonic_ns() + WK_REFRESH_GAP_MS * NS_PER_MS;
    ph_log(answer == WK_REFRESH_FAILED ? PH_LOG_WARN : PH_LOG_INFO, "refresh",
           { "account", flight_id(flight) },
           { "answer", answer == WK_REFRESHED        ? PH_STR("refreshed")
                       : answer == WK_REFRESH_FAILED ? PH_STR("failed")
                                                     : PH_STR("too_soon") },
           { "waiters", ph_log_i64((int64_t) flight->waiter_count) });
    wk_account_release(flight->account);
    free(flight);
    for (; waiters != NULL; waiters = next) {
        next           = waiters->next;
        waiters->fresh = fresh != NULL ? wk_account_hold(fresh) : NULL;
        waiter_answer(waiters, answer);
    }
    wk_job_end(worker);
}

/* The list has a newer value than the flight began with, or lost it. */
static bool
flight_has_come(const struct flight *flight)
{
    const struct wk_account *now
        = wk_account_find(flight->worker->accounts, flight_id(flight));

    return now != NULL && now->kept_ver != flight->account->kept_ver;
}

/* ---- the lease ---- */

static void
row_make(struct wk_db *db, struct ph_str id)
{
    wk_sql(db, PH_STR("INSERT INTO channel_kept (account_id,value,refresh_at,"
                      "expires_at,lease_until,tried_at,updated_at) VALUES ("));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(",'','1970-01-01','1970-01-01','1970-01-01',"
                      "'1970-01-01','1970-01-01') "
                      "ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
}

enum { K_VER, K_LEASED, K_TRIED_MS, K_NOT_DUE, K_HINT, K_BROUGHT, K_TEXTS };

static void
row_ask(struct wk_db *db, struct ph_str id)
{
    wk_sql(db, PH_STR("SELECT value_ver,lease_until>UTC_TIMESTAMP(3),"
                      "GREATEST(0,TIMESTAMPDIFF(MICROSECOND,tried_at,"
                      "UTC_TIMESTAMP(3))) DIV 1000,refresh_at>UTC_TIMESTAMP(3),"
                      "hint,updated_at>=tried_at FROM channel_kept "
                      "WHERE account_id="));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(" FOR UPDATE"));
    wk_sql_end(db);
}

/* As the row keeps it: a doubted one leaves a trace without a hint, too. */
static struct ph_str
row_hint(const struct flight *flight)
{
    return flight->hint.len == 0 && flight->is_doubted ? PH_STR("-")
                                                       : flight->hint;
}

static enum lease
row_judge(const struct flight *flight, const struct ph_str *row)
{
    uint64_t ver = 0, tried_ms = 0;
    bool     is_doubted_again = flight->is_doubted && row[K_HINT].len != 0;

    (void) ph_str_u64(row[K_VER], UINT32_MAX, &ver);
    (void) ph_str_u64(row[K_TRIED_MS], UINT64_MAX, &tried_ms);
    if (ver != flight->account->kept_ver) {
        return LEASE_NEWER;
    }
    if (ph_str_eq(row[K_LEASED], PH_STR("1"))) {
        return LEASE_OTHERS;
    }
    if (flight->is_due && ph_str_eq(row[K_NOT_DUE], PH_STR("1"))) {
        return LEASE_NOT_DUE;
    }
    if (tried_ms < WK_REFRESH_GAP_MS
        || (is_doubted_again && tried_ms < WK_REFRESH_HINT_MS)
        || (flight->hint.len != 0 && ph_str_eq(flight->hint, row[K_HINT])
            && ph_str_eq(row[K_BROUGHT], PH_STR("1"))
            && tried_ms < WK_REFRESH_SAME_HINT_MS))
    {
        return LEASE_TOO_SOON;
    }
    return LEASE_OURS;
}

static void
lease_take(struct wk_db *db, const struct flight *flight)
{
    wk_sql(db, PH_STR("UPDATE channel_kept SET lease_by="));
    wk_sql_text(db, ph_str_z(flight->worker->lease_name));
    wk_sql(db, PH_STR(",lease_until=UTC_TIMESTAMP(3)+INTERVAL "));
    wk_sql_i64(db, LEASE_S);
    wk_sql(db, PH_STR(" SECOND,tried_at=UTC_TIMESTAMP(3),hint="));
    wk_sql_text(db, row_hint(flight));
    wk_sql(db, PH_STR(",ver=ver+1 WHERE account_id="));
    wk_sql_text(db, flight_id(flight));
    wk_sql_end(db);
}

static enum wk_run
lease_run(struct wk_db *db, struct wk_store_job *job)
{
    struct flight_job *own = (struct flight_job *) job;
    struct ph_str      row[K_TEXTS];

    wk_db_clear(db);
    row_make(db, flight_id(own->flight));
    row_ask(db, flight_id(own->flight));
    if (!wk_db_run(db) || !wk_db_next(db, 1, row, PH_COUNT(row))) {
        return WK_RUN_FAILED;
    }
    own->lease = row_judge(own->flight, row);
    if (own->lease != LEASE_OURS) {
        return WK_RUN_DONE;
    }
    wk_db_clear(db);
    lease_take(db, own->flight);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

/* ---- what came ---- */

static enum wk_run
write_run(struct wk_db *db, struct wk_store_job *job)
{
    struct flight_job            *own    = (struct flight_job *) job;
    const struct flight          *flight = own->flight;
    const struct ph_channel_kept *kept   = &flight->op.out.kept;

    wk_db_clear(db);
    wk_sql(db, PH_STR("UPDATE channel_kept SET lease_by='',"
                      "lease_until=UTC_TIMESTAMP(3),ver=ver+1"));
    if (flight->sealed.len != 0) {
        wk_sql(db, PH_STR(",updated_at=UTC_TIMESTAMP(3),value="));
        wk_sql_bytes(db, flight->sealed);
        wk_sql(db, PH_STR(",value_ver=value_ver+1,refresh_at="));
        wk_sql_time(db, kept->refresh_at_ms != 0 ? kept->refresh_at_ms
                                                 : kept->expires_at_ms);
        wk_sql(db, PH_STR(",expires_at="));
        wk_sql_time(db, kept->expires_at_ms);
    }
    wk_sql(db, PH_STR(" WHERE account_id="));
    wk_sql_text(db, flight_id(flight));
    wk_sql(db, PH_STR(" AND lease_by="));
    wk_sql_text(db, ph_str_z(flight->worker->lease_name));
    wk_sql(db, PH_STR(" AND value_ver="));
    wk_sql_i64(db, (int64_t) flight->account->kept_ver);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_RUN_FAILED;
    }
    own->is_written = db->answer[0].affected == 1;
    return WK_RUN_DONE;
}

static void
write_done(struct wk_store_job *job)
{
    struct flight_job *own    = (struct flight_job *) job;
    struct flight     *flight = own->flight;
    bool               had    = flight->sealed.len != 0;

    block_give(flight);
    flight->sealed = ph_str_make(NULL, 0);
    /* not ours any more: whoever took over brings it */
    if (had && job->outcome != WK_STORE_FAILED) {
        if (!own->is_written) {
            ph_log(PH_LOG_WARN, "refresh_taken_over",
                   { "account", flight_id(flight) });
        }
        flight->polls = 0;
        flight_wait(flight);
        return;
    }
    flight_end(flight, WK_REFRESH_FAILED);
}

static void
flight_write(struct flight *flight)
{
    flight->job.is_written = false;
    flight->job.store      = (struct wk_store_job){
             .run         = write_run,
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

static void
refresh_answered(struct wk_op *op)
{
    struct flight *flight = op->data;
    bool           ok     = op->result.class == PH_RESULT_SUCCEEDED;

    if (ok) {
        kept_seal(flight);
    }
    if (flight->sealed.len == 0) {
        ph_log(PH_LOG_WARN, "refresh_refused", { "account", flight_id(flight) },
               { "error_class", op->result.error_class },
               { "code", op->result.channel_code },
               { "why", ok ? PH_STR("it brought nothing that can be kept")
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
        flight_wait(flight);
        return;
    case LEASE_TOO_SOON:
        flight_end(flight, WK_REFRESH_TOO_SOON);
        return;
    case LEASE_NOT_DUE:
        break;
    }
    if (flight->waiters != NULL) { /* who joined wants it now */
        flight->is_due = false;
        flight_fetch(flight);
    } else {
        flight_end(flight, WK_REFRESH_TOO_SOON);
    }
}

static void
flight_fetch(struct flight *flight)
{
    flight->job.store = (struct wk_store_job){ .run    = lease_run,
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
    } else if (flight->polls % POLLS_A_FETCH == 0) {
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

void
wk_refresh_start(struct wk_worker *worker, struct wk_refresh *refresh)
{
    struct wk_refreshes *refreshes = worker->refreshes;
    struct ph_str        id        = refresh->account->face.id;
    struct wk_account   *now       = wk_account_find(worker->accounts, id);
    struct flight       *flight    = flight_find(refreshes, id);

    refresh->worker = worker;
    refresh->fresh  = NULL;
    refresh->timer  = NULL;
    if (now != NULL && now->kept_ver != refresh->account->kept_ver) {
        refresh->fresh = wk_account_hold(now);
        waiter_answer(refresh, WK_REFRESHED);
        return;
    }
    if (flight == NULL && now != NULL && refresh->is_doubted
        && now->doubted_again_ns > ph_monotonic_ns())
    {
        waiter_answer(refresh, WK_REFRESH_TOO_SOON);
        return;
    }
    if (flight == NULL && now != NULL) {
        flight = flight_new(refreshes, now, refresh->hint);
        if (flight != NULL) {
            flight->is_doubted = refresh->is_doubted || refresh->hint.len != 0;
            waiter_join(flight, refresh);
            flight_fetch(flight);
            return;
        }
    }
    if (flight == NULL) {
        waiter_answer(refresh, WK_REFRESH_FAILED);
        return;
    }
    waiter_join(flight, refresh);
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
            || at->due_again_ns > now_ns
            || flight_find(refreshes, at->face.id) != NULL)
        {
            continue;
        }
        account               = wk_account_find(accounts, at->face.id);
        account->due_again_ns = now_ns + DUE_AGAIN_NS;
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
